/* Three ways to choose, drawn for each schedule:
 *   - priorities with d - 1 points at which the running thread's falls (S. Burckhardt, P. Kothari,
 *     M. Musuvathi, S. Nagarakatte, "A Randomized Scheduler with Probabilistic Guarantees of
 *     Finding Bugs", ASPLOS 2010), d from 1 to 6
 *   - a walk: at each point another thread with a fixed probability from 1 to 1/64
 *   - the same walk with the log writer stopped for a while
 * In a third of them one thread is stopped for ever at a random step. */
#include "sim/random_runs.h"

#include "sim/access.h"
#include "sim/actors.h"
#include "sim/sim.h"
#include "sim/world.h"

#include <string.h>

#define ACTORS_MAX 4
#define CHANGES_MAX 6
/* About the length of a schedule: where changes of priority and deaths are placed. */
#define STEPS_USUAL 600

struct random_plan {
    struct random random;
    bool priorities;
    unsigned priority[SIM_THREADS_MAX]; /* the highest goes on; all different */
    unsigned lowest;
    unsigned changes;
    uint64_t change_at[CHANGES_MAX]; /* falling; the next one is the last */
    unsigned walk_shift;             /* a switch at one point of 2^shift */
    struct sim_thread *writer;
    uint64_t writer_stopped_until;
    struct sim_thread *victim;
    uint64_t victim_dies_at;
};

static void plan_lower(struct random_plan *plan, const struct sim_thread *thread) {
    plan->priority[sim_thread_number(thread)] = --plan->lowest;
}

static void plan_yielded(void *context, struct sim_thread *thread) {
    plan_lower(context, thread);
}

static struct sim_thread *plan_highest(const struct random_plan *plan, uint32_t runnable) {
    unsigned best = 0;
    unsigned number = 0;

    for (unsigned i = 0; i < sim_thread_count(); i++) {
        if ((runnable >> i & 1) != 0 && plan->priority[i] > best) {
            best = plan->priority[i];
            number = i;
        }
    }
    return sim_thread_at(number);
}

static struct sim_thread *plan_any(struct random_plan *plan, uint32_t runnable) {
    uint64_t pick = random_below(&plan->random, (uint64_t)__builtin_popcount(runnable));

    for (; pick > 0; pick--) {
        runnable &= runnable - 1;
    }
    return sim_thread_at((unsigned)__builtin_ctz(runnable));
}

static uint64_t plan_earlier(uint64_t at, uint64_t other, uint64_t now) {
    return other > now && other < at ? other : at;
}

static struct sim_thread *plan_choose(void *context, struct sim_thread *current,
                                      uint64_t *decide_at) {
    struct random_plan *plan = context;
    uint64_t now = sim_steps();

    if (plan->victim != NULL && now >= plan->victim_dies_at) {
        if (plan->victim->state != SIM_DONE) {
            sim_note("%s is never scheduled again", plan->victim->name);
            sim_kill(plan->victim);
        }
        plan->victim = NULL;
    }
    if (random_below(&plan->random, 64) == 0) {
        sim_wake_sleeper();
    }
    uint32_t runnable = sim_runnable();
    uint32_t writer = 1u << sim_thread_number(plan->writer);
    if (now < plan->writer_stopped_until && (runnable & ~writer) != 0) {
        runnable &= ~writer;
    }
    if (runnable == 0) {
        return NULL;
    }
    while (plan->changes > 0 && now >= plan->change_at[plan->changes - 1]) {
        plan->changes--;
        if (current != NULL) {
            plan_lower(plan, current);
        }
    }
    *decide_at = UINT64_MAX;
    if (plan->changes > 0) {
        *decide_at = plan->change_at[plan->changes - 1];
    }
    if (!plan->priorities) {
        uint64_t stay = 1;
        while (plan->walk_shift != 0 && random_below(&plan->random, 1u << plan->walk_shift) != 0) {
            stay++;
        }
        *decide_at = now + stay;
    }
    if (plan->victim != NULL) {
        *decide_at = plan_earlier(*decide_at, plan->victim_dies_at, now);
    }
    *decide_at = plan_earlier(*decide_at, plan->writer_stopped_until, now);
    return plan->priorities ? plan_highest(plan, runnable) : plan_any(plan, runnable);
}

static void plan_make(struct random_plan *plan, uint64_t seed) {
    memset(plan, 0, sizeof *plan);
    plan->random.state = seed * UINT64_C(0x2545f4914f6cdd1d) + 1;
    plan->priorities = random_below(&plan->random, 2) == 0;
    plan->lowest = 1000;
    plan->walk_shift = (unsigned)random_below(&plan->random, 7);
    plan->changes = plan->priorities ? (unsigned)random_below(&plan->random, CHANGES_MAX) : 0;
    for (unsigned i = 0; i < plan->changes; i++) {
        uint64_t at = 1 + random_below(&plan->random, STEPS_USUAL);
        unsigned place = i;
        for (; place > 0 && plan->change_at[place - 1] < at; place--) {
            plan->change_at[place] = plan->change_at[place - 1];
        }
        plan->change_at[place] = at;
    }
    for (unsigned i = 0; i < SIM_THREADS_MAX; i++) {
        unsigned other = (unsigned)random_below(&plan->random, i + 1);
        plan->priority[i] = plan->priority[other];
        plan->priority[other] = 2000 + i;
    }
    if (random_below(&plan->random, 8) == 0) {
        plan->writer_stopped_until = random_below(&plan->random, STEPS_USUAL);
    }
}

static void run_count(struct random_totals *totals) {
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

bool random_run(uint64_t seed, struct random_totals *totals) {
    static const char *const names[ACTORS_MAX] = {"host-1", "host-2", "host-3", "host-4"};
    static struct random_plan plan;
    static struct actor_mixed mixed[ACTORS_MAX];
    static struct actor_writer writer;
    const struct sim_strategy strategy = {plan_choose, plan_yielded, &plan};

    plan_make(&plan, seed);
    struct random *random = &plan.random;
    sim_reset();
    world_start((unsigned)random_below(random, WORLD_STARTS), random_below(random, 4) != 0);
    unsigned actors = 2 + (unsigned)random_below(random, ACTORS_MAX - 1);
    for (unsigned i = 0; i < actors; i++) {
        mixed[i] =
            (struct actor_mixed){{random_next(random)}, 1 + (unsigned)random_below(random, 4)};
        sim_spawn(names[i], actor_mixed, &mixed[i], false);
    }
    if (random_below(random, 3) == 0) {
        plan.victim = sim_thread_at((unsigned)random_below(random, actors));
        plan.victim_dies_at = 1 + random_below(random, STEPS_USUAL);
    }
    writer = (struct actor_writer){{random_next(random)},
                                   (unsigned)random_below(random, 8),
                                   1 + (unsigned)random_below(random, 4)};
    plan.writer = sim_spawn("writer", actor_writer, &writer, true);
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
    run_count(totals);
    return sim_failure() == NULL;
}
