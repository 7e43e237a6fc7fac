/* cellar-bench: how fast, beside what the hardware could do. See README.md here for how to read
 * what it prints. */
#include "bench.h"
#include "crew.h"
#include "data.h"
#include "print.h"

#include "cellar.h"

#include <getopt.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SKUS_MAX 10000000
#define SECONDS_MAX 600.0
#define ZIPF_MAX 4.0

static const struct bench_case cases[] = {
    {"cas16", "two uncontended 16-byte compare-and-swaps on memory of one's own", limit_swap_run},
    {"memcpy", "copying a record of 320 bytes to memory of one's own", limit_copy_run},
    {"disk-sync", "write and fdatasync of 4 KiB, one after the other", limit_sync_run},
    {"disk-write", "writes of 256 KiB, an fdatasync every 8 MiB", limit_write_run},
    {"hot-commit", "one cell, all threads, the bare commit, drained", hot_commit_run},
    {"hot-take", "cellar_stock_take() of one product, all threads", hot_take_run},
    {"cells3", "three of 100,000 cells a commit, the log written", cells3_run},
    {"order", "cellar_order_place(), each thread in a loop", order_run},
    {"paid", "the same, paid from accounts; beside mutexes, SQLite and LMDB", paid_run},
    {"claim", "cellar_coupon_claim() on one campaign, each by another customer", claim_run},
    {"claim-sold-out", "the same on a campaign without places, each refused", claim_sold_out_run},
    {"lag", "one customer who waits for the disk among busy threads", lag_run},
    {"recovery", "opening a store of 2,000,000 orders", recovery_run},
    {"start", "opening and closing an empty store", start_run},
    {"memory", "bytes a product, an order and an account", memory_run},
};
#define CASE_COUNT (sizeof cases / sizeof *cases)

/* The rows of the whole table. */
static const struct row {
    const char *case_name;
    uint32_t threads;
    bool wait;
    const char *goal;
    uint32_t lines; /* 0: as the command line says, and so the popularity */
    double zipf;
} rows[] = {
    {"cas16", 1, false, NULL, 0, 0.0},
    {"cas16", 2, false, NULL, 0, 0.0},
    {"memcpy", 1, false, NULL, 0, 0.0},
    {"memcpy", 2, false, NULL, 0, 0.0},
    {"disk-sync", 1, false, NULL, 0, 0.0},
    {"disk-write", 1, false, NULL, 0, 0.0},
    {"hot-commit", 1, false, NULL, 0, 0.0},
    {"hot-commit", 2, false, "0.3 of fetch_sub or better", 0, 0.0},
    {"hot-commit", 16, false, NULL, 0, 0.0},
    {"hot-commit", 64, false, "ahead of the mutex, p99.9 a hundred times lower", 0, 0.0},
    {"hot-take", 1, false, NULL, 0, 0.0},
    {"hot-take", 2, false, "0.3 of fetch_sub or better", 0, 0.0},
    {"hot-take", 16, false, NULL, 0, 0.0},
    {"hot-take", 64, false, "ahead of the mutex, p99.9 a hundred times lower", 0, 0.0},
    {"cells3", 1, false, NULL, 0, 0.0},
    {"cells3", 2, false, NULL, 0, 0.0},
    {"cells3", 16, false, NULL, 0, 0.0},
    {"cells3", 64, false, NULL, 0, 0.0},
    {"order", 1, false, NULL, 0, 0.0},
    {"order", 2, false, "above 0.8 M orders a second", 0, 0.0},
    {"order", 16, false, NULL, 0, 0.0},
    {"order", 64, false, NULL, 0, 0.0},
    {"order", 300, false, NULL, 0, 0.0},
    {"order", 1, true, NULL, 0, 0.0},
    {"order", 2, true, NULL, 0, 0.0},
    {"order", 16, true, NULL, 0, 0.0},
    {"order", 64, true, NULL, 0, 0.0},
    {"order", 300, true, "above 200 k orders a second", 0, 0.0},
    {"order", 2, false, NULL, 1, 0.0},
    {"order", 2, false, NULL, 1, 0.99},
    {"order", 2, false, NULL, 10, 0.0},
    {"order", 2, false, NULL, 10, 0.99},
    {"order", 2, false, NULL, 100, 0.0},
    {"order", 2, false, NULL, 100, 0.99},
    {"order", 2, false, NULL, 1000, 0.0},
    {"order", 2, false, NULL, 1000, 0.99},
    {"paid", 1, false, NULL, 0, 0.0},
    {"paid", 2, false, NULL, 0, 0.0},
    {"paid", 16, false, NULL, 0, 0.0},
    {"paid", 1, true, NULL, 0, 0.0},
    {"paid", 16, true, NULL, 0, 0.0},
    {"paid", 300, true, NULL, 0, 0.0},
    {"claim", 1, false, NULL, 0, 0.0},
    {"claim", 2, false, NULL, 0, 0.0},
    {"claim", 16, false, NULL, 0, 0.0},
    {"claim", 64, false, NULL, 0, 0.0},
    {"claim-sold-out", 2, false, NULL, 0, 0.0},
    {"lag", 64, false, "durable lag p99 under 20 ms", 0, 0.0},
    {"recovery", 2, false, "above 2 M records a second", 0, 0.0},
    {"start", 1, false, "open and close together under 50 ms", 0, 0.0},
    {"memory", 2, false, NULL, 0, 0.0},
};

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

/* ---- Running ---- */

static bool run_case(const char *name, const struct bench_options *options, const char *goal,
                     bool json) {
    struct bench_result result = {.case_name = name,
                                  .durability = options->wait ? "wait" : "relaxed",
                                  .threads = options->threads,
                                  .unit = "",
                                  .goal = goal};
    for (size_t i = 0; i < CASE_COUNT; i++) {
        if (strcmp(cases[i].name, name) == 0) {
            bool ok = cases[i].run(options, &result);
            print_result(&result, options, json);
            return ok;
        }
    }
    return false;
}

static bool run_table(const struct bench_options *options, bool json) {
    bool ok = true;

    for (size_t i = 0; i < sizeof rows / sizeof *rows && !bench_interrupted(); i++) {
        struct bench_options row = *options;
        row.threads = rows[i].threads;
        row.wait = rows[i].wait;
        if (rows[i].lines != 0) {
            row.lines = rows[i].lines;
            row.zipf = rows[i].zipf;
        }
        ok = run_case(rows[i].case_name, &row, rows[i].goal, json) && ok;
    }
    return ok;
}

/* ---- Command line ---- */

static void usage(FILE *stream) {
    fprintf(stream, "usage: cellar-bench [CASE] [options]\n"
                    "Without CASE: the whole table, about two minutes.\n\n");
    for (size_t i = 0; i < CASE_COUNT; i++) {
        fprintf(stream, "  %-14s %s\n", cases[i].name, cases[i].what);
    }
    fprintf(stream,
            "\n"
            "  --threads N                1 to %d [2], with a CASE only\n"
            "  --durability wait|relaxed  of hot-take, order and paid [relaxed], with a CASE only\n"
            "  --skus N                   [100000]\n"
            "  --lines N                  of an order [3]\n"
            "  --zipf EXPONENT            popularity of SKUs; 0 is uniform [0.99]\n"
            "  --seconds S                measured time of one row [1]\n"
            "  --json                     one line of JSON for each row\n"
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
    const char *case_name; /* NULL: the table */
    struct bench_options options;
    bool json;
    bool case_only; /* an option was given that the table sets by itself */
};

static bool parse_option(int option, struct command *command) {
    struct bench_options *options = &command->options;

    switch (option) {
    case 't':
        command->case_only = true;
        return parse_count(optarg, CREW_THREADS_MAX, &options->threads);
    case 'd':
        command->case_only = true;
        options->wait = strcmp(optarg, "wait") == 0;
        return options->wait || strcmp(optarg, "relaxed") == 0;
    case 's':
        return parse_count(optarg, SKUS_MAX, &options->skus);
    case 'l':
        return parse_count(optarg, CELLAR_LINES_MAX, &options->lines);
    case 'z':
        return parse_real(optarg, 0.0, ZIPF_MAX, &options->zipf);
    case 'S':
        return parse_real(optarg, 0.05, SECONDS_MAX, &options->seconds);
    case 'j':
        command->json = true;
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
                                                 {"json", no_argument, NULL, 'j'},
                                                 {"help", no_argument, NULL, 'h'},
                                                 {NULL, 0, NULL, 0}};
    int option = 0;

    while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        if (!parse_option(option, command)) {
            return false;
        }
    }
    if (optind < argc) {
        command->case_name = argv[optind++];
        bool known = false;
        for (size_t i = 0; i < CASE_COUNT; i++) {
            known = known || strcmp(cases[i].name, command->case_name) == 0;
        }
        if (!known) {
            return false;
        }
    }
    return optind == argc && (command->case_name != NULL || !command->case_only);
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
    print_machine(command.json);
    if (!command.json) {
        print_head();
    }
    bool ok = command.case_name != NULL
                  ? run_case(command.case_name, &command.options, NULL, command.json)
                  : run_table(&command.options, command.json);
    data_end();
    return ok ? 0 : 1;
}
