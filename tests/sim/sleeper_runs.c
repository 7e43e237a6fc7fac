/* The three pairs in which a sleeper must not miss its wake-up. A sleeper that nobody wakes never
 * ends, and the scheduler says so. */
#include "sim/sleeper_runs.h"

#include "sim/actors.h"
#include "sim/buffer.h"
#include "sim/plan.h"
#include "sim/sim.h"
#include "sim/world.h"

#include "log/log.h"
#include "log/state.h"

#include <string.h>

/* About the length of a schedule. */
#define STEPS_USUAL 30
/* The prepared state with space for all of it. */
#define START_ROOMY 7

enum pair {
    PAIR_DURABLE,  /* log_wait() and wait_publish() */
    PAIR_WRITER,   /* commit_writer_sleep() and a commit */
    PAIR_CROWD,    /* commit_writer_sleep() for the second of two commits */
    PAIR_FOLLOWER, /* commit_follower_sleep() and the log writer's commit_advance_written() */
    PAIRS
};

/* Only what waiting needs. */
static struct log waited;
static uint64_t begin_lsn;

static void sleeper_durable(void *unused) {
    (void)unused;
    cellar_status status = log_wait(&waited, begin_lsn, INT64_MAX);
    if (status != CELLAR_OK) {
        sim_fail("waiting ends with status %d", (int)status);
    }
}

static void waker_durable(void *unused) {
    (void)unused;
    wait_publish(&waited, begin_lsn, begin_lsn + RECORD_LINE_BYTES);
}

static void sleeper_writer(void *unused) {
    (void)unused;
    commit_writer_sleep(waited.commit, begin_lsn, -1);
}

static void sleeper_crowd(void *unused) {
    (void)unused;
    commit_writer_sleep(waited.commit, begin_lsn + RECORD_LINE_BYTES, -1);
}

static void sleeper_follower(void *unused) {
    (void)unused;
    commit_follower_sleep(waited.commit, begin_lsn, -1);
}

static void spawn_committer(void) {
    static struct actor_attempt attempt = {1, {0}, false, false, 1};
    sim_spawn("committer", actor_attempt, &attempt, false);
}

/* Returns the sleeper. */
static struct sim_thread *sleeper_spawn(enum pair pair) {
    static struct actor_writer writer;
    struct sim_thread *sleeper;

    switch (pair) {
    case PAIR_DURABLE:
        sleeper = sim_spawn("waiter", sleeper_durable, NULL, false);
        sim_spawn("publisher", waker_durable, NULL, false);
        break;
    case PAIR_WRITER:
        sleeper = sim_spawn("writer", sleeper_writer, NULL, false);
        spawn_committer();
        break;
    case PAIR_CROWD:
        sleeper = sim_spawn("writer", sleeper_crowd, NULL, false);
        spawn_committer();
        spawn_committer();
        break;
    default:
        sleeper = sim_spawn("follower", sleeper_follower, NULL, false);
        spawn_committer();
        writer = (struct actor_writer){{0}, 0, 1};
        sim_spawn("writer", actor_writer, &writer, true);
    }
    return sleeper;
}

bool sleeper_run(uint64_t seed, struct random_totals *totals) {
    static struct random_plan plan;

    plan_make(&plan, seed, STEPS_USUAL);
    plan.buffered = true;
    sim_reset();
    world_start(START_ROOMY - 1, true);
    buffer_reset(true);
    memset(&waited, 0, sizeof waited);
    waited.commit = world_get()->commit;
    begin_lsn = atomic_load(&waited.commit->reserved.lsn);
    atomic_store(&waited.commit->durable.lsn, begin_lsn);
    wait_create(&waited.wait);
    plan.writer = sleeper_spawn((enum pair)random_below(&plan.random, PAIRS));
    const struct sim_strategy strategy = plan_strategy(&plan);
    (void)sim_run(&strategy);
    random_count(totals);
    return sim_failure() == NULL;
}
