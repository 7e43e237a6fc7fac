#include "print.h"

#include "cellar.h"

#include "text.h"

#include <stdio.h>

#define FIGURES_COLUMNS_MAX 110
/* Where the columns about limits begin. */
#define LIMIT_COLUMN 75
/* Above this, what else runs is felt on a machine of two cores. */
#define LOAD_QUIET 0.5

static void print_table_head(const struct machine *machine) {
    printf("cellar %s; %s, %ld cores, %.0f GiB; %s; data on %s; %s\n", cellar_version_string(),
           machine->processor, machine->cores, machine->memory_bytes / (double)(1 << 30),
           machine->kernel, machine->file_system, machine->compiler);
    if (machine->load > LOAD_QUIET) {
        printf("The machine is busy (load %.2f): these figures are disturbed.\n", machine->load);
    }
    printf("\n%-14s %7s %-7s %8s %8s %8s %8s %8s  %6s of %9s  %s\n", "case", "threads", "mode",
           "a second", "p50", "p99", "p99.9", "max", "ratio", "limit", "which is");
}

static void print_reference(const struct bench_result *result,
                            const struct bench_reference *reference) {
    char rate[TEXT_BYTES];
    char time[TEXT_BYTES];
    char ratio[TEXT_BYTES];

    printf("  %6s of %9s  %s", text_ratio(ratio, reference->ratio),
           text_count(rate, reference->rate, ""), reference->name);
    if (reference->latency.samples != 0) {
        printf(", p99.9 %s", text_time(time, (double)reference->latency.p999_ns));
        if (reference->ratio > 0.0 && result->latency.p999_ns != 0) {
            printf(" = %.3g times the case's",
                   (double)reference->latency.p999_ns / (double)result->latency.p999_ns);
        }
    }
}

static void print_percentile(uint64_t ns, uint64_t samples, uint64_t samples_min) {
    char text[TEXT_BYTES];

    printf(" %8s", text_percentile(text, ns, samples, samples_min));
}

static void print_latency(const struct bench_latency *latency) {
    print_percentile(latency->p50_ns, latency->samples, 1);
    print_percentile(latency->p99_ns, latency->samples, TEXT_P99_SAMPLES);
    print_percentile(latency->p999_ns, latency->samples, TEXT_P999_SAMPLES);
    print_percentile(latency->max_ns, latency->samples, 1);
}

static void print_figures(const struct bench_result *result) {
    size_t column = 0;

    for (uint32_t i = 0; i < result->figure_count; i++) {
        char value[TEXT_BYTES];
        char text[BENCH_NAME_BYTES + TEXT_BYTES];
        int bytes = snprintf(text, sizeof text, "%s %s", result->figures[i].name,
                             text_figure(value, &result->figures[i]));
        if (column == 0 || column + (size_t)bytes + 2 > FIGURES_COLUMNS_MAX) {
            printf("%s    %s", column == 0 ? "" : "\n", text);
            column = 4 + (size_t)bytes;
        } else {
            printf("; %s", text);
            column += 2 + (size_t)bytes;
        }
    }
    if (column != 0) {
        printf("\n");
    }
}

static void print_row(const struct bench_result *result) {
    char text[TEXT_BYTES];

    printf("%-14s %7u %-7s %8s", result->case_name, result->threads, result->durability,
           result->rate > 0.0 ? text_count(text, result->rate, "") : "-");
    print_latency(&result->latency);
    for (uint32_t i = 0; i < result->reference_count; i++) {
        if (i > 0) {
            printf("\n%*s", LIMIT_COLUMN, "");
        }
        print_reference(result, &result->references[i]);
    }
    printf("\n");
    if (result->rate > 0.0) {
        char low[TEXT_BYTES];
        char high[TEXT_BYTES];
        printf("    %s%s%s, rounds from %s to %s\n", result->unit,
               result->shape[0] != '\0' ? ": " : "", result->shape,
               text_count(low, result->rate_low, ""), text_count(high, result->rate_high, ""));
    }
    print_figures(result);
    if (result->goal != NULL) {
        printf("    goal: %s\n", result->goal);
    }
    if (result->problem[0] != '\0') {
        printf("    FAILED: %s\n", result->problem);
    }
}

void print_head(enum print_format format) {
    struct machine machine;

    machine_look(&machine);
    switch (format) {
    case PRINT_JSON:
        print_json_head(&machine);
        break;
    case PRINT_MARKDOWN:
        print_markdown_head(&machine);
        break;
    case PRINT_TABLE:
    default:
        print_table_head(&machine);
        break;
    }
    fflush(stdout);
}

void print_result(const struct bench_result *result, const struct bench_options *options,
                  enum print_format format) {
    switch (format) {
    case PRINT_JSON:
        print_json_row(result, options);
        break;
    case PRINT_MARKDOWN:
        print_markdown_row(result);
        break;
    case PRINT_TABLE:
    default:
        print_row(result);
        break;
    }
    fflush(stdout);
}
