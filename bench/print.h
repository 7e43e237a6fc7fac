/* Results as a table for people, or as one line of JSON each. */
#ifndef BENCH_PRINT_H
#define BENCH_PRINT_H

#include "bench.h"

/* The machine and the build the figures belong to: first of all. */
void print_machine(bool json);
void print_head(void);
void print_result(const struct bench_result *result, const struct bench_options *options,
                  bool json);

#endif
