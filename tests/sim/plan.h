/* Random ways to choose who goes on. Everything follows from the seed. */
#ifndef CELLAR_TESTS_SIM_PLAN_H
#define CELLAR_TESTS_SIM_PLAN_H

#include "sim/sim.h"
#include "support/random.h"

#define PLAN_CHANGES_MAX 6

struct random_plan {
    struct random random;
    bool buffered; /* switched on by the caller, after world_start() */
    bool priorities;
    unsigned priority[SIM_THREADS_MAX]; /* the highest goes on; all different */
    unsigned lowest;
    unsigned changes;
    uint64_t change_at[PLAN_CHANGES_MAX]; /* falling; the next one is the last */
    unsigned walk_shift;                  /* a switch at one point of 2^shift */
    struct sim_thread *writer;
    uint64_t writer_stopped_until;
    struct sim_thread *victim;
    uint64_t victim_dies_at;
    uint64_t gives_up_at; /* 0: never; the run ends there as it stands */
};

/* Draws a plan for runs of about `steps` points; writer and victim are set by the caller. */
void plan_make(struct random_plan *plan, uint64_t seed, uint64_t steps);
/* One thread of `count` from number 0 on is never scheduled again after some step, in a third of
 * the plans. */
void plan_draw_victim(struct random_plan *plan, unsigned count, uint64_t steps);
struct sim_strategy plan_strategy(struct random_plan *plan);

#endif
