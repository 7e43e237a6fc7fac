/* A table that README.md or an issue can show: a row each, what is beside it and its figures in a
 * cell. */
#include "print.h"

#include "cellar.h"

#include "text.h"

#include <stdio.h>

void print_markdown_head(const struct machine *machine) {
    printf("cellar %s; %s, %ld cores, %.0f GiB; %s; data on %s; %s; load %.2f\n\n",
           cellar_version_string(), machine->processor, machine->cores,
           machine->memory_bytes / (double)(1 << 30), machine->kernel, machine->file_system,
           machine->compiler, machine->load);
    printf("| case | threads | mode | a second | rounds | p50 | p99 | p99.9 | max | ratio of | "
           "figures | goal |\n|---|---|---|---|---|---|---|---|---|---|---|---|\n");
}

static void rate_cells(const struct bench_result *result) {
    char text[TEXT_BYTES];

    if (result->rate <= 0.0) {
        printf(" - | - |");
        return;
    }
    printf(" %s %s |", text_count(text, result->rate, ""), result->unit);
    printf(" %s to", text_count(text, result->rate_low, ""));
    printf(" %s |", text_count(text, result->rate_high, ""));
}

static void latency_cells(const struct bench_latency *latency) {
    char text[TEXT_BYTES];

    printf(" %s |", text_percentile(text, latency->p50_ns, latency->samples, 1));
    printf(" %s |", text_percentile(text, latency->p99_ns, latency->samples, TEXT_P99_SAMPLES));
    printf(" %s |", text_percentile(text, latency->p999_ns, latency->samples, TEXT_P999_SAMPLES));
    printf(" %s |", text_percentile(text, latency->max_ns, latency->samples, 1));
}

void print_markdown_row(const struct bench_result *result) {
    char text[TEXT_BYTES];

    printf("| %s%s%s | %u | %s |", result->case_name, result->shape[0] != '\0' ? "<br>" : "",
           result->shape, result->threads, result->durability);
    rate_cells(result);
    latency_cells(&result->latency);
    for (uint32_t i = 0; i < result->reference_count; i++) {
        const struct bench_reference *reference = &result->references[i];
        printf("%s %s of", i > 0 ? "<br>" : "", text_ratio(text, reference->ratio));
        printf(" %s, %s", text_count(text, reference->rate, ""), reference->name);
        if (reference->latency.samples != 0) {
            printf(", p99.9 %s", text_time(text, (double)reference->latency.p999_ns));
        }
    }
    printf(" |");
    for (uint32_t i = 0; i < result->figure_count; i++) {
        const struct bench_figure *figure = &result->figures[i];
        printf("%s %s %s", i > 0 ? "<br>" : "", figure->name, text_figure(text, figure));
    }
    printf(" | %s%s%s |\n", result->problem[0] != '\0' ? "FAILED: " : "", result->problem,
           result->goal != NULL ? result->goal : "");
}
