/* Three ways to choose, drawn for each schedule:
 *   - priorities with d - 1 points at which the running thread's falls (S. Burckhardt, P. Kothari,
 *     M. Musuvathi, S. Nagarakatte, "A Randomized Scheduler with Probabilistic Guarantees of
 *     Finding Bugs", ASPLOS 2010), d from 1 to 6
 *   - a walk: at each point another thread with a fixed probability from 1 to 1/64
 *   - the same walk with the log writer stopped for a while
 * In half of them stores are buffered (buffer.h), each of the oldest becoming visible with a chance
 * of one in four whenever somebody is chosen. In a third one thread is stopped for ever at a random
 * step. */
#include "sim/plan.h"

#include "sim/buffer.h"

#include <string.h>

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

    if (plan->gives_up_at != 0 && now >= plan->gives_up_at) {
        return NULL;
    }
    if (plan->victim != NULL && now >= plan->victim_dies_at) {
        if (plan->victim->state != SIM_DONE) {
            sim_note("%s is never scheduled again", plan->victim->name);
            sim_kill(plan->victim);
        }
        plan->victim = NULL;
    }
    if (plan->buffered) {
        buffer_drain_some(random_next(&plan->random));
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
    *decide_at = plan_earlier(*decide_at, plan->gives_up_at, now);
    return plan->priorities ? plan_highest(plan, runnable) : plan_any(plan, runnable);
}

void plan_make(struct random_plan *plan, uint64_t seed, uint64_t steps) {
    memset(plan, 0, sizeof *plan);
    plan->random.state = seed * UINT64_C(0x2545f4914f6cdd1d) + 1;
    plan->priorities = random_below(&plan->random, 2) == 0;
    plan->buffered = random_below(&plan->random, 2) == 0;
    plan->lowest = 1000;
    plan->walk_shift = (unsigned)random_below(&plan->random, 7);
    plan->changes = plan->priorities ? (unsigned)random_below(&plan->random, PLAN_CHANGES_MAX) : 0;
    for (unsigned i = 0; i < plan->changes; i++) {
        uint64_t at = 1 + random_below(&plan->random, steps);
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
        plan->writer_stopped_until = random_below(&plan->random, steps);
    }
}

void plan_draw_victim(struct random_plan *plan, unsigned count, uint64_t steps) {
    if (random_below(&plan->random, 3) == 0) {
        plan->victim = sim_thread_at((unsigned)random_below(&plan->random, count));
        plan->victim_dies_at = 1 + random_below(&plan->random, steps);
    }
}

struct sim_strategy plan_strategy(struct random_plan *plan) {
    return (struct sim_strategy){plan_choose, plan_yielded, plan};
}
