#include "print.h"

#include "cellar.h"

#include <stdio.h>

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

void print_json_row(const struct bench_result *result, const struct bench_options *options) {
    putchar('{');
    json_string("case", result->case_name);
    printf(",\"threads\":%u,", result->threads);
    json_string("mode", result->durability);
    printf(",\"skus\":%u,\"lines\":%u,\"zipf\":%g,", options->skus, options->lines, options->zipf);
    json_string("shape", result->shape);
    putchar(',');
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
}

void print_json_head(const struct machine *machine) {
    printf("{");
    json_string("cellar", cellar_version_string());
    putchar(',');
    json_string("processor", machine->processor);
    printf(",\"cores\":%ld,", machine->cores);
    json_string("kernel", machine->kernel);
    putchar(',');
    json_string("file_system", machine->file_system);
    putchar(',');
    json_string("compiler", machine->compiler);
    printf(",\"memory_bytes\":%.0f,\"load\":%.2f}\n", machine->memory_bytes, machine->load);
}
