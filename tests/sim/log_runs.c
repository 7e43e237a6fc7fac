/* One log per run, made and read back on the scheduler's own stack. */
#include "sim/log_runs.h"

#include "sim/actors.h"
#include "sim/buffer.h"
#include "sim/plan.h"
#include "sim/sim.h"
#include "sim/world.h"

#include "log/state.h"
#include "support/memory_io.h"

#include <string.h>

#define ACTORS_MAX 4
#define DEEDS_MAX 16
#define STEPS_USUAL 3000
#define SEGMENT_BYTES (UINT64_C(24) << 10)

static struct memory *log_memory;

static cellar_status log_visit(void *context, const struct record_header *record,
                               cellar_problem *problem) {
    (void)problem;
    if (context != NULL) {
        commit_history_append(context, record);
    }
    return CELLAR_OK;
}

/* Opens and reads what is there into `history`. NULL, after sim_fail(), when that is refused. */
static struct log *log_open_again(struct memory_disk *disk, struct commit_history *history) {
    const struct log_config config = {.io = memory_disk_io(disk),
                                      .directory = "/db",
                                      .segment_bytes = SEGMENT_BYTES,
                                      .ring_bytes = COMMIT_RING_BYTES_MIN,
                                      .memory = log_memory};
    cellar_problem problem = {0};
    struct log *log = NULL;

    cellar_status status = log_open(&log, &config, &problem);
    if (status == CELLAR_OK) {
        status = log_replay(log, log_visit, history, &problem);
    }
    if (status != CELLAR_OK) {
        sim_fail("the log is refused with status %d: %s", (int)status, problem.text);
        log_destroy(log);
        return NULL;
    }
    return log;
}

static void log_spawn(struct random_plan *plan, struct log *log) {
    static const char *const names[ACTORS_MAX] = {"host-1", "host-2", "host-3", "host-4"};
    static struct actor_mixed mixed[ACTORS_MAX];
    struct random *random = &plan->random;
    unsigned actors = 2 + (unsigned)random_below(random, ACTORS_MAX - 1);

    for (unsigned i = 0; i < actors; i++) {
        mixed[i] = (struct actor_mixed){
            {random_next(random)}, 1 + (unsigned)random_below(random, DEEDS_MAX), log};
        sim_spawn(names[i], actor_mixed, &mixed[i], false);
    }
    plan_draw_victim(plan, actors, STEPS_USUAL);
    world_spawn_reclaimer();
    world_spawn_library("prepare", WORLD_STARTS + 1);
    plan->writer = world_spawn_library("writer", WORLD_STARTS + 2);
}

/* False when the run ended before the log was closed. */
static bool log_run_to_end(struct random_plan *plan, struct log *log) {
    static struct actor_closer closer;
    const struct sim_strategy strategy = plan_strategy(plan);

    enum sim_end end = sim_run(&strategy);
    if (end == SIM_END_QUIET) {
        closer = (struct actor_closer){.log = log};
        sim_spawn("closer", actor_closer, &closer, false);
        end = sim_run(&strategy);
        if (end == SIM_END_QUIET && closer.status != CELLAR_OK) {
            sim_fail("closing the log ends with status %d", (int)closer.status);
        }
    }
    return end == SIM_END_QUIET;
}

static bool log_keep(void *context, uint64_t item) {
    (void)item;
    return random_below(context, 2) == 0;
}

static void log_judge(struct memory_disk *disk, bool closed) {
    struct world *world = world_get();

    commit_history_clear(&world->history);
    log_destroy(log_open_again(disk, &world->history));
    if (sim_failure() != NULL) {
        return;
    }
    if (closed) {
        world_judge();
    } else {
        world_judge_cut();
    }
}

bool log_run(uint64_t seed, struct random_totals *totals) {
    static struct random_plan plan;
    cellar_problem problem = {0};

    if (log_memory == NULL) {
        log_memory = memory_create();
    }
    plan_make(&plan, seed, STEPS_USUAL);
    sim_reset();
    world_start(WORLD_START_EMPTY, random_below(&plan.random, 4) != 0);
    buffer_reset(plan.buffered);
    if (random_below(&plan.random, 2) == 0) {
        plan.gives_up_at = 1 + random_below(&plan.random, 2 * STEPS_USUAL);
    }
    sim_library_threads_keep(WORLD_STARTS + 1);
    struct memory_disk *disk = memory_disk_create();
    struct log *log = log_open_again(disk, NULL);
    if (log == NULL) {
        memory_disk_destroy(disk);
        return false;
    }
    cellar_status status = log_start(log, world_get()->commit, &problem);
    if (status != CELLAR_OK) {
        sim_fail("the log does not start: %s", problem.text);
    }
    log_spawn(&plan, log);
    bool closed = log_run_to_end(&plan, log);
    random_count(totals);
    if (sim_failure() == NULL) {
        struct memory_disk *left =
            closed ? NULL : memory_disk_power_cut(disk, log_keep, &plan.random);
        /* Its threads are gone as they stood. */
        log->writer.running = false;
        log->prepare.running = false;
        log_destroy(log);
        log_judge(closed ? disk : left, closed);
        if (left != NULL) {
            memory_disk_destroy(left);
        }
    }
    memory_disk_destroy(disk);
    return sim_failure() == NULL;
}
