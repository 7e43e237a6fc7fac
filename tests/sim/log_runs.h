/* Random schedules of mixed work on the real log: writer and preparer run as simulated threads on a
 * disk in memory. Commits wait until they are durable; at the end the log is closed, or in half of
 * the runs the power is cut at a random step. Then it is opened again and read back. */
#ifndef CELLAR_TESTS_SIM_LOG_RUNS_H
#define CELLAR_TESTS_SIM_LOG_RUNS_H

#include "sim/random_runs.h"

/* Everything in a schedule follows from its seed. False: sim_failure() says what is wrong. */
bool log_run(uint64_t seed, struct random_totals *totals);

#endif
