/* cellar-bench: how fast, beside what the hardware could do. See README.md here for how to read
 * what it prints. */
#include "bench.h"
#include "crew.h"
#include "data.h"
#include "print.h"
#include "table.h"

#include "cellar.h"

#include <getopt.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SKUS_MAX (CELLAR_PRODUCTS_MAX - 1)
#define SECONDS_MAX 600.0
#define ZIPF_MAX 4.0

/* timeout(1) sends its signal twice; who insists beyond that gets an end without a clean-up. */
#define INTERRUPTS_MAX 3
static volatile sig_atomic_t interrupted;

static void interrupt(int number) {
    (void)number;
    interrupted = interrupted + 1;
    if (interrupted >= INTERRUPTS_MAX) {
        _exit(1);
    }
}

bool bench_interrupted(void) {
    return interrupted != 0;
}

void bench_figure_add(struct bench_result *result, const char *name, double value,
                      const char *unit) {
    if (result->figure_count < BENCH_FIGURES_MAX) {
        struct bench_figure *figure = &result->figures[result->figure_count++];
        snprintf(figure->name, sizeof figure->name, "%s", name);
        figure->value = value;
        figure->unit = unit;
    }
}

bool bench_fail(struct bench_result *result, const char *format, ...) {
    /* The first problem is the cause of those that follow. */
    if (result->problem[0] == '\0') {
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(result->problem, sizeof result->problem, format, arguments);
        va_end(arguments);
    }
    return false;
}

/* ---- Command line ---- */

static void usage(FILE *stream) {
    fprintf(stream, "usage: cellar-bench [CASE] [options]\n"
                    "Without CASE: the table, about two minutes. With CASE: all its rows, or,\n"
                    "with one of the first five options, one row.\n\n");
    table_cases_print(stream);
    fprintf(stream,
            "\n"
            "  --threads N                1 to %d [2], with a CASE only\n"
            "  --durability wait|relaxed  of takes, orders and claims [relaxed], with a CASE only\n"
            "  --lines N                  of an order, or SKUs of a snapshot [3]\n"
            "  --zipf EXPONENT            popularity of SKUs; 0 is uniform [0.99]\n"
            "  --skus N                   [100000]\n"
            "  --seconds S                measured time of one row [1]\n"
            "  --full                     all rows of all cases, about four minutes\n"
            "  --json                     one line of JSON for each row\n"
            "  --markdown                 the table in Markdown\n"
            "Data is written below %s/ of the working directory and removed.\n",
            CREW_THREADS_MAX, DATA_ROOT);
}

static bool parse_count(const char *text, uint32_t max, uint32_t *value_out) {
    char *end = NULL;
    long long value = strtoll(text, &end, 10);
    if (end == text || *end != '\0' || value < 1 || value > (long long)max) {
        return false;
    }
    *value_out = (uint32_t)value;
    return true;
}

static bool parse_real(const char *text, double min, double max, double *value_out) {
    char *end = NULL;
    double value = strtod(text, &end);
    if (end == text || *end != '\0' || !isfinite(value) || value < min || value > max) {
        return false;
    }
    *value_out = value;
    return true;
}

struct command {
    struct table_choice choice;
    struct bench_options options;
    enum print_format format;
    bool case_only; /* an option was given that the table sets by itself */
};

static bool parse_option(int option, struct command *command) {
    struct bench_options *options = &command->options;

    switch (option) {
    case 't':
        command->case_only = command->choice.one_row = true;
        return parse_count(optarg, CREW_THREADS_MAX, &options->threads);
    case 'd':
        command->case_only = command->choice.one_row = true;
        options->wait = strcmp(optarg, "wait") == 0;
        return options->wait || strcmp(optarg, "relaxed") == 0;
    case 's':
        command->choice.one_row = true;
        return parse_count(optarg, SKUS_MAX, &options->skus);
    case 'l':
        command->choice.one_row = true;
        return parse_count(optarg, CELLAR_LINES_MAX, &options->lines);
    case 'z':
        command->choice.one_row = true;
        return parse_real(optarg, 0.0, ZIPF_MAX, &options->zipf);
    case 'S':
        return parse_real(optarg, 0.05, SECONDS_MAX, &options->seconds);
    case 'f':
        command->choice.full = true;
        return true;
    case 'j':
        command->format = PRINT_JSON;
        return true;
    case 'm':
        command->format = PRINT_MARKDOWN;
        return true;
    case 'h':
        usage(stdout);
        exit(EXIT_SUCCESS);
    default:
        return false;
    }
}

static bool parse_command(int argc, char **argv, struct command *command) {
    static const struct option long_options[] = {{"threads", required_argument, NULL, 't'},
                                                 {"durability", required_argument, NULL, 'd'},
                                                 {"skus", required_argument, NULL, 's'},
                                                 {"lines", required_argument, NULL, 'l'},
                                                 {"zipf", required_argument, NULL, 'z'},
                                                 {"seconds", required_argument, NULL, 'S'},
                                                 {"full", no_argument, NULL, 'f'},
                                                 {"json", no_argument, NULL, 'j'},
                                                 {"markdown", no_argument, NULL, 'm'},
                                                 {"help", no_argument, NULL, 'h'},
                                                 {NULL, 0, NULL, 0}};
    int option = 0;

    while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        if (!parse_option(option, command)) {
            return false;
        }
    }
    if (optind == argc) {
        /* What is said about lines, popularity and SKUs holds for every row that does not say so
         * itself.
         */
        command->choice.one_row = false;
        return !command->case_only;
    }
    command->choice.case_name = argv[optind];
    return optind + 1 == argc && !command->choice.full && table_has(argv[optind]);
}

int main(int argc, char **argv) {
    struct command command = {
        .options = {.threads = 2, .skus = 100000, .lines = 3, .zipf = 0.99, .seconds = 1.0}};

    if (!parse_command(argc, argv, &command)) {
        usage(stderr);
        return 2;
    }
    struct sigaction action = {.sa_handler = interrupt};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    if (!data_start()) {
        return 1;
    }
    print_head(command.format);
    bool ok = table_run(&command.choice, &command.options, command.format);
    data_end();
    return ok ? 0 : 1;
}
