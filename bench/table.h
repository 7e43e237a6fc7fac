/* Which cases there are, and which rows the table has. */
#ifndef BENCH_TABLE_H
#define BENCH_TABLE_H

#include "bench.h"
#include "print.h"

#include <stdio.h>

struct table_choice {
    const char *case_name; /* NULL: of all cases */
    bool one_row;          /* of the case, as the options say; else its rows of the table */
    bool full;             /* of all cases the rows of little use in the short table, too */
};

bool table_has(const char *case_name);
/* Each case on a line. */
void table_cases_print(FILE *stream);
/* Runs and prints what is chosen; false when a row could not be measured or its totals are wrong.
 */
bool table_run(const struct table_choice *choice, const struct bench_options *options,
               enum print_format format);

#endif
