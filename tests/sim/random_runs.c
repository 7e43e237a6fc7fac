/* Mixed work on one of the prepared states. */
#include "sim/random_runs.h"

#include "sim/access.h"
#include "sim/actors.h"
#include "sim/buffer.h"
#include "sim/plan.h"
#include "sim/sim.h"
#include "sim/world.h"

#define ACTORS_MAX 4
/* About the length of a schedule: where changes of priority and deaths are placed. */
#define STEPS_USUAL 600
#define CROWD_STEPS_USUAL 250

void random_count(struct random_totals *totals) {
    const struct world *world = world_get();

    totals->schedules++;
    totals->steps += sim_steps();
    totals->steps_max = sim_steps() > totals->steps_max ? sim_steps() : totals->steps_max;
    totals->helped += atomic_load(&world->commit->helped);
    totals->reclaimed_lines += access_reclaimed_lines();
    for (unsigned i = 0; i < sim_thread_count(); i++) {
        totals->dead += sim_thread_at(i)->state == SIM_DEAD;
        for (unsigned k = 0; k < world->deed_count[i]; k++) {
            const struct deed *deed = &world->deeds[i][k];
            if (deed->kind == DEED_COMMIT && deed->returned) {
                totals->commits += deed->outcome == COMMIT_DONE;
                totals->conflicts += deed->outcome == COMMIT_CONFLICT;
                totals->passed_over += deed->outcome == COMMIT_PASSED_OVER;
                totals->full += deed->outcome == COMMIT_FULL;
            }
        }
    }
}

static const char *const names[ACTORS_MAX] = {"host-1", "host-2", "host-3", "host-4"};

/* Spawns the daemons, runs, and judges. */
static bool random_finish(struct random_plan *plan, struct random_totals *totals) {
    static struct actor_writer writer;
    const struct sim_strategy strategy = plan_strategy(plan);

    writer = (struct actor_writer){{random_next(&plan->random)},
                                   (unsigned)random_below(&plan->random, 8),
                                   1 + (unsigned)random_below(&plan->random, 4)};
    plan->writer = sim_spawn("writer", actor_writer, &writer, true);
    if (world_get()->followed) {
        sim_spawn("follower", actor_follower, NULL, true);
    }
    world_spawn_reclaimer();
    enum sim_end end = sim_run(&strategy);
    if (end != SIM_END_FAILED) {
        world_judge_rest();
        /* Its sleep has a limit: who died before he could wake it does not hold it up. */
        commit_writer_kick(world_get()->commit);
        end = sim_run(&strategy);
    }
    if (end != SIM_END_FAILED) {
        world_judge();
    }
    random_count(totals);
    return sim_failure() == NULL;
}

bool random_run(uint64_t seed, struct random_totals *totals) {
    static struct random_plan plan;
    static struct actor_mixed mixed[ACTORS_MAX];

    plan_make(&plan, seed, STEPS_USUAL);
    struct random *random = &plan.random;
    sim_reset();
    world_start((unsigned)random_below(random, WORLD_STARTS), random_below(random, 4) != 0);
    buffer_reset(plan.buffered);
    unsigned actors = 2 + (unsigned)random_below(random, ACTORS_MAX - 1);
    for (unsigned i = 0; i < actors; i++) {
        mixed[i] = (struct actor_mixed){
            {random_next(random)}, 1 + (unsigned)random_below(random, 4), NULL};
        sim_spawn(names[i], actor_mixed, &mixed[i], false);
    }
    plan_draw_victim(&plan, actors, STEPS_USUAL);
    return random_finish(&plan, totals);
}

/* At least one of the first three cells. */
static struct actor_attempt crowd_attempt(struct random *random) {
    struct actor_attempt attempt = {.tries = 1 + (unsigned)random_below(random, 2)};
    uint64_t which = 1 + random_below(random, 7);

    for (uint32_t cell = 0; cell < 3; cell++) {
        if ((which >> cell & 1) != 0) {
            attempt.cells[attempt.count++] = cell;
        }
    }
    attempt.backwards = random_below(random, 2) == 0;
    attempt.settled = random_below(random, 2) == 0;
    return attempt;
}

bool crowd_run(uint64_t seed, struct random_totals *totals) {
    static struct random_plan plan;
    static struct actor_attempt attempts[ACTORS_MAX];

    plan_make(&plan, seed, CROWD_STEPS_USUAL);
    sim_reset();
    world_start(WORLD_STARTS - 1 - (unsigned)random_below(&plan.random, 2), true);
    buffer_reset(plan.buffered);
    /* Somebody seems to wait for space: each record is reclaimed as soon as it may be. */
    atomic_store(&world_get()->commit->space_waiters, 1);
    for (unsigned i = 0; i < ACTORS_MAX; i++) {
        attempts[i] = crowd_attempt(&plan.random);
        sim_spawn(names[i], actor_attempt, &attempts[i], false);
    }
    plan_draw_victim(&plan, ACTORS_MAX, CROWD_STEPS_USUAL);
    return random_finish(&plan, totals);
}
