#include "print.h"

#include "cellar.h"

#include "machine.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define TEXT_BYTES 32
#define FIGURES_COLUMNS_MAX 110
/* Where the columns about limits begin. */
#define LIMIT_COLUMN 72
/* Above this, what else runs is felt on a machine of two cores. */
#define LOAD_QUIET 0.5

/* ---- Numbers for people ---- */

/* Three digits and a unit of a thousand: "1.23 M". */
static const char *count_text(char text_out[TEXT_BYTES], double value, const char *unit) {
    static const char *const prefixes[] = {"", " k", " M", " G", " T"};
    size_t prefix = 0;
    double shown = value;

    while (fabs(shown) >= 1000.0 && prefix + 1 < sizeof prefixes / sizeof *prefixes) {
        shown /= 1000.0;
        prefix++;
    }
    /* Small whole numbers stand for themselves. */
    int digits = fabs(shown) >= 100.0 ? 0 : (fabs(shown) >= 10.0 ? 1 : 2);
    if (prefix == 0 && fabs(shown - nearbyint(shown)) < 1e-9) {
        digits = 0;
    }
    const char *space = unit[0] != '\0' && prefix == 0 ? " " : "";
    snprintf(text_out, TEXT_BYTES, "%.*f%s%s%s", digits, shown, prefixes[prefix], space, unit);
    return text_out;
}

static const char *time_text(char text_out[TEXT_BYTES], double ns) {
    static const char *const units[] = {"ns", "us", "ms", "s"};
    size_t unit = 0;

    while (ns >= 999.5 && unit + 1 < sizeof units / sizeof *units) {
        ns /= 1000.0;
        unit++;
    }
    int digits = ns >= 99.95 || unit == 0 ? 0 : (ns >= 9.995 ? 1 : 2);
    snprintf(text_out, TEXT_BYTES, "%.*f %s", digits, ns, units[unit]);
    return text_out;
}

static const char *figure_text(char text_out[TEXT_BYTES], const struct bench_figure *figure) {
    if (strcmp(figure->unit, "ns") == 0) {
        return time_text(text_out, figure->value);
    }
    return count_text(text_out, figure->value, figure->unit);
}

/* ---- The table ---- */

void print_head(void) {
    printf("\n%-11s %7s %-7s %8s %8s %8s %8s %8s  %6s of %9s  %s\n", "case", "threads", "mode",
           "a second", "p50", "p99", "p99.9", "max", "ratio", "limit", "which is");
}

static void print_reference(const struct bench_result *result,
                            const struct bench_reference *reference) {
    char rate[TEXT_BYTES];
    char time[TEXT_BYTES];
    char ratio[TEXT_BYTES] = "-";

    if (reference->ratio > 0.0) {
        int digits = reference->ratio < 0.1 ? 4 : (reference->ratio < 10.0 ? 3 : 1);
        snprintf(ratio, sizeof ratio, "%.*f", digits, reference->ratio);
    }
    printf("  %6s of %9s  %s", ratio, count_text(rate, reference->rate, ""), reference->name);
    if (reference->latency.samples != 0) {
        printf(", p99.9 %s", time_text(time, (double)reference->latency.p999_ns));
        if (reference->ratio > 0.0 && result->latency.p999_ns != 0) {
            printf(" = %.3g times the case's",
                   (double)reference->latency.p999_ns / (double)result->latency.p999_ns);
        }
    }
}

/* A percentile that has not a single sample beyond it would be the maximum under another name. */
static void print_time(uint64_t ns, uint64_t samples, uint64_t samples_min) {
    char text[TEXT_BYTES];

    printf(" %8s", samples >= samples_min ? time_text(text, (double)ns) : "-");
}

static void print_latency(const struct bench_latency *latency) {
    print_time(latency->p50_ns, latency->samples, 1);
    print_time(latency->p99_ns, latency->samples, 100);
    print_time(latency->p999_ns, latency->samples, 1000);
    print_time(latency->max_ns, latency->samples, 1);
}

static void print_figures(const struct bench_result *result) {
    size_t column = 0;

    for (uint32_t i = 0; i < result->figure_count; i++) {
        char value[TEXT_BYTES];
        char text[BENCH_NAME_BYTES + TEXT_BYTES];
        int bytes = snprintf(text, sizeof text, "%s %s", result->figures[i].name,
                             figure_text(value, &result->figures[i]));
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

    printf("%-11s %7u %-7s %8s", result->case_name, result->threads, result->durability,
           result->rate > 0.0 ? count_text(text, result->rate, "") : "-");
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
               count_text(low, result->rate_low, ""), count_text(high, result->rate_high, ""));
    }
    print_figures(result);
    if (result->goal != NULL) {
        printf("    goal: %s\n", result->goal);
    }
    if (result->problem[0] != '\0') {
        printf("    FAILED: %s\n", result->problem);
    }
    fflush(stdout);
}

/* ---- JSON ---- */

static void json_string(const char *name, const char *text) {
    printf("\"%s\":\"", name);
    for (; *text != '\0'; text++) {
        unsigned char byte = (unsigned char)*text;
        if (byte == '"' || byte == '\\') {
            printf("\\%c", byte);
        } else if (byte < 0x20) {
            printf("\\u%04x", byte);
        } else {
            putchar(byte);
        }
    }
    putchar('"');
}

static void json_latency(const struct bench_latency *latency) {
    printf(",\"samples\":%llu", (unsigned long long)latency->samples);
    if (latency->samples != 0) {
        printf(",\"p50_ns\":%llu,\"p99_ns\":%llu,\"p99_9_ns\":%llu,\"max_ns\":%llu",
               (unsigned long long)latency->p50_ns, (unsigned long long)latency->p99_ns,
               (unsigned long long)latency->p999_ns, (unsigned long long)latency->max_ns);
    }
}

static void json_result(const struct bench_result *result, const struct bench_options *options) {
    putchar('{');
    json_string("case", result->case_name);
    printf(",\"threads\":%u,", result->threads);
    json_string("mode", result->durability);
    printf(",\"skus\":%u,\"lines\":%u,\"zipf\":%g,", options->skus, options->lines, options->zipf);
    json_string("unit", result->unit);
    printf(",\"rate\":%.1f,\"rate_low\":%.1f,\"rate_high\":%.1f", result->rate, result->rate_low,
           result->rate_high);
    json_latency(&result->latency);
    printf(",\"limits\":[");
    for (uint32_t i = 0; i < result->reference_count; i++) {
        const struct bench_reference *reference = &result->references[i];
        printf("%s{", i > 0 ? "," : "");
        json_string("name", reference->name);
        printf(",\"rate\":%.1f,\"ratio\":%.4f", reference->rate, reference->ratio);
        json_latency(&reference->latency);
        putchar('}');
    }
    printf("],\"figures\":[");
    for (uint32_t i = 0; i < result->figure_count; i++) {
        const struct bench_figure *figure = &result->figures[i];
        printf("%s{", i > 0 ? "," : "");
        json_string("name", figure->name);
        printf(",\"value\":%.3f,", figure->value);
        json_string("unit", figure->unit);
        putchar('}');
    }
    printf("],");
    json_string("goal", result->goal != NULL ? result->goal : "");
    putchar(',');
    json_string("problem", result->problem);
    printf("}\n");
    fflush(stdout);
}

void print_result(const struct bench_result *result, const struct bench_options *options,
                  bool json) {
    if (json) {
        json_result(result, options);
    } else {
        print_row(result);
    }
}

/* ---- The machine ---- */

void print_machine(bool json) {
    struct machine machine;

    machine_look(&machine);
    if (json) {
        printf("{");
        json_string("cellar", cellar_version_string());
        putchar(',');
        json_string("processor", machine.processor);
        printf(",\"cores\":%ld,", machine.cores);
        json_string("kernel", machine.kernel);
        putchar(',');
        json_string("file_system", machine.file_system);
        putchar(',');
        json_string("compiler", machine.compiler);
        printf(",\"memory_bytes\":%.0f,\"load\":%.2f}\n", machine.memory_bytes, machine.load);
        return;
    }
    printf("cellar %s; %s, %ld cores, %.0f GiB; %s; data on %s; %s\n", cellar_version_string(),
           machine.processor, machine.cores, machine.memory_bytes / (double)(1 << 30),
           machine.kernel, machine.file_system, machine.compiler);
    if (machine.load > LOAD_QUIET) {
        printf("The machine is busy (load %.2f): these figures are disturbed.\n", machine.load);
    }
}
