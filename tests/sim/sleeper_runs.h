/* Short random schedules of one thread that goes to sleep and one that does what it waits for, all
 * stores buffered: a missing order between a store and a later load is found within a few dozen,
 * where mixed work takes thousands. */
#ifndef CELLAR_TESTS_SIM_SLEEPER_RUNS_H
#define CELLAR_TESTS_SIM_SLEEPER_RUNS_H

#include "sim/random_runs.h"

/* Everything in a schedule follows from its seed. False: sim_failure() says what is wrong. */
bool sleeper_run(uint64_t seed, struct random_totals *totals);

#endif
