/* Random schedules. */
#ifndef CELLAR_TESTS_SIM_RANDOM_RUNS_H
#define CELLAR_TESTS_SIM_RANDOM_RUNS_H

#include <stdbool.h>
#include <stdint.h>

struct random_totals {
    uint64_t schedules;
    uint64_t steps;
    uint64_t steps_max;
    uint64_t commits;
    uint64_t conflicts;
    uint64_t passed_over;
    uint64_t full;
    uint64_t dead;
    uint64_t helped;
    uint64_t reclaimed_lines;
};

/* Everything in a schedule follows from its seed. False: sim_failure() says what is wrong. */
bool random_run(uint64_t seed, struct random_totals *totals);
/* Four threads, one attempt or two each, on three cells: short, and everybody meets everybody. */
bool crowd_run(uint64_t seed, struct random_totals *totals);

/* Adds up what the run did. */
void random_count(struct random_totals *totals);

#endif
