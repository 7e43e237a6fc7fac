/* Results as a table for people, as one line of JSON each, or as a table in Markdown. */
#ifndef BENCH_PRINT_H
#define BENCH_PRINT_H

#include "bench.h"
#include "machine.h"

enum print_format {
    PRINT_TABLE,
    PRINT_JSON,
    PRINT_MARKDOWN
};

/* The machine and the build the figures belong to, and the head of the table: first of all. */
void print_head(enum print_format format);
void print_result(const struct bench_result *result, const struct bench_options *options,
                  enum print_format format);

/* Of print.c only: the other formats. */
void print_json_head(const struct machine *machine);
void print_json_row(const struct bench_result *result, const struct bench_options *options);
void print_markdown_head(const struct machine *machine);
void print_markdown_row(const struct bench_result *result);

#endif
