/* replay - runs a shop's file through the engine and proves the totals.
 *
 * See load.h for what becomes of a row, row.h for what a row must look like and for the scale of
 * prices, shop.h for how rows are grouped, document.h for the ids that make a run repeatable.
 */
#include "generate.h"
#include "load.h"
#include "report.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

typedef struct replay_options {
    const char *file;
    const char *directory;
    const char *summary;
    unsigned threads;
    cellar_durability durability;
    uint64_t generate_rows;
    uint64_t seed;
} replay_options;

static const char usage_text[] =
    "usage: replay FILE.csv[.gz] --dir DIR [--threads N] [--durability wait|relaxed]\n"
    "              [--summary FILE]\n"
    "       replay --generate ROWS [--seed N] > FILE.csv\n"
    "\n"
    "  --dir DIR          where the store is; made when absent, gone on with when not\n"
    "  --threads N        how many threads sell, 1 to 256 [4]; the result is the same\n"
    "  --durability MODE  wait: each call returns when its commit is on disk [wait];\n"
    "                     relaxed: all are waited for once, at the end\n"
    "  --summary FILE     append a line with the result to FILE\n"
    "  --generate ROWS    write a made-up shop of about ROWS rows to the standard output\n"
    "  --seed N           for --generate [1]\n"
    "\n"
    "exit status: 0 all checks held; 1 they did not, or something failed; 2 wrong usage\n";

static bool number_read(const char *text, uint64_t min, uint64_t max, uint64_t *out) {
    char *end = NULL;
    errno = 0;
    *out = strtoull(text, &end, 10);
    return *text >= '0' && *text <= '9' && *end == '\0' && errno == 0 && *out >= min && *out <= max;
}

static bool option_read(int option, replay_options *options) {
    uint64_t number = 0;
    switch (option) {
    case 'd':
        options->directory = optarg;
        return *optarg != '\0';
    case 't':
        if (!number_read(optarg, 1, LOAD_THREADS_MAX, &number)) {
            return false;
        }
        options->threads = (unsigned)number;
        return true;
    case 'y':
        options->durability = strcmp(optarg, "relaxed") == 0 ? CELLAR_RELAXED : CELLAR_DURABLE;
        return strcmp(optarg, "relaxed") == 0 || strcmp(optarg, "wait") == 0;
    case 's':
        options->summary = optarg;
        return true;
    case 'g':
        return number_read(optarg, 1, 100000000, &options->generate_rows);
    case 'e':
        return number_read(optarg, 0, UINT64_MAX / 4, &options->seed);
    default:
        return false;
    }
}

/* True when the program is to go on; else *status_out is what to leave with. */
static bool options_read(int argc, char **argv, replay_options *options_out, int *status_out) {
    static const struct option known[] = {
        {"dir", required_argument, NULL, 'd'},
        {"threads", required_argument, NULL, 't'},
        {"durability", required_argument, NULL, 'y'},
        {"summary", required_argument, NULL, 's'},
        {"generate", required_argument, NULL, 'g'},
        {"seed", required_argument, NULL, 'e'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    *options_out = (replay_options){.threads = 4, .durability = CELLAR_DURABLE, .seed = 1};
    *status_out = 2;
    for (;;) {
        int option = getopt_long(argc, argv, "", known, NULL);
        if (option == -1) {
            break;
        }
        if (option == 'h') {
            *status_out = fputs(usage_text, stdout) < 0 ? 1 : 0;
            return false;
        }
        if (!option_read(option, options_out)) {
            if (option != '?') {
                (void)fprintf(stderr, "replay: '%s' is not what this option takes\n", optarg);
            }
            (void)fputs(usage_text, stderr);
            return false;
        }
    }
    int files = argc - optind;
    bool generates = options_out->generate_rows > 0;
    if (files != (generates ? 0 : 1) || (!generates && options_out->directory == NULL)) {
        (void)fputs(usage_text, stderr);
        return false;
    }
    options_out->file = generates ? NULL : argv[optind];
    return true;
}

static void print_engine_report(void *context, cellar_report_level level, const char *text) {
    (void)context;
    if (level != CELLAR_REPORT_NOTE) {
        (void)fprintf(stderr, "cellar: %s\n", text);
    }
}

/* ---- Output
 * --------------------------------------------------------------------------------------- */

static void print_whole(const char *label, int64_t value) {
    char text[FIGURES_TEXT_BYTES];
    (void)printf("  %-42s %20s\n", label, figures_whole(text, value));
}

static void print_money(const char *label, int64_t value) {
    char text[FIGURES_TEXT_BYTES];
    (void)printf("  %-42s %20s GBP\n", label, figures_money(text, value));
}

static void print_file(const shop_file *shop, const char *path) {
    (void)printf("File %s\n", path);
    print_whole("rows", (int64_t)shop->rows);
    print_whole("rows skipped, each reported above", (int64_t)shop->rows_skipped);
    print_whole("invoices skipped whole", (int64_t)shop->invoices_skipped);
    (void)printf("  prices are kept in 1/%d GBP; times name no zone and are taken as UTC\n\n",
                 ROW_PRICE_SCALE);
    (void)fflush(stdout);
}

static void print_tally(const char *label, const load_tally *tally) {
    char made[FIGURES_TEXT_BYTES];
    char repeated[FIGURES_TEXT_BYTES];
    (void)printf("  %-14s %12s new, %12s there already", label,
                 figures_whole(made, (int64_t)tally->made),
                 figures_whole(repeated, (int64_t)tally->repeated));
    if (tally->refused > 0) {
        (void)printf(", %" PRIu64 " refused", tally->refused);
    }
    (void)printf("\n");
}

/* Orders that were placed now; an answer that it was there already is no order. */
static double orders_per_second(const load_result *load) {
    return load->sale_seconds > 0 ? (double)load->orders.made / load->sale_seconds : 0;
}

static void print_load(const load_result *load, const replay_options *options) {
    char text[FIGURES_TEXT_BYTES];
    (void)printf("Load\n");
    print_tally("products", &load->products);
    print_tally("accounts", &load->accounts);
    print_tally("receipts", &load->receipts);
    print_tally("orders", &load->orders);
    print_tally("returns", &load->returns);
    print_tally("write-offs", &load->write_offs);
    (void)printf("  received %s units: of each product what all orders and write-offs of the file\n"
                 "  take, so that whichever order comes first finds its goods\n",
                 figures_whole(text, load->units_received));
    const char *mode = options->durability == CELLAR_RELAXED ? "waited for once, at the end"
                                                             : "each waited for until on disk";
    (void)printf("  set up in %.3f s, sold in %.3f s with %u threads, %s: %.0f orders/s\n\n",
                 load->setup_seconds, load->sale_seconds, options->threads, mode,
                 orders_per_second(load));
}

static void print_report(const ledger_report *report) {
    const cellar_totals *totals = &report->audit.totals;
    (void)printf("Totals, from the engine\n");
    figures_print(stdout, &report->engine);
    (void)printf("\nStock and accounts, from the engine\n");
    print_whole("units received", totals->units_received);
    print_whole("units sold", totals->units_ordered);
    print_whole("units returned", totals->units_returned);
    print_whole("units adjusted", totals->units_adjusted);
    print_whole("units available", totals->units_available);
    print_money("value of returns", llabs(totals->returned_value));
    print_money("owed by customers", -totals->balances);
    (void)printf("\nChecks\n");
    print_whole("violations found by the audit", (int64_t)report->audit.violations);
    print_whole("invoices of the file missing", (int64_t)report->invoices_missing);
    if (report->invoices_elsewhere > 0) {
        print_whole("invoices that are not of this file", (int64_t)report->invoices_elsewhere);
    }
    (void)printf("  %s\n", report->problems == 0
                               ? "the engine's sums equal its ledger, its ledger equals the file"
                               : "THE CHECKS FAILED, see above");
}

/* Everything that counts is the same; the LSN may move by itself. */
static bool totals_equal(const cellar_totals *before, const cellar_totals *after) {
    cellar_totals moved = *before;
    moved.lsn = after->lsn;
    return memcmp(&moved, after, sizeof moved) == 0;
}

static bool summary_write(const replay_options *options, const load_result *load,
                          const ledger_report *report, bool good) {
    FILE *file = options->summary == NULL ? NULL : fopen(options->summary, "a");
    if (file == NULL) {
        return options->summary == NULL;
    }
    char money[FIGURES_TEXT_BYTES];
    char lines[FIGURES_TEXT_BYTES];
    (void)fprintf(file, "replay: a shop's file\t%s\t%s lines, revenue %s GBP, %.0f orders/s\n",
                  good ? "held" : "FAILED", figures_whole(lines, (int64_t)report->engine.lines),
                  figures_money(money, report->engine.revenue), orders_per_second(load));
    return fclose(file) == 0;
}

/* ---- The run
 * -------------------------------------------------------------------------------------- */

static bool run(cellar *store, const shop_file *shop, const replay_options *options) {
    cellar_audit before;
    load_result load;
    ledger_report report;
    cellar_status status = cellar_audit_run(store, &before);
    if (status != CELLAR_OK) {
        (void)fprintf(stderr, "replay: audit: %s\n", cellar_status_text(status));
        return false;
    }
    bool good = load_run(store, shop, options->threads, options->durability, &load);
    print_load(&load, options);
    if (!good || !report_make(store, shop, &report)) {
        return false;
    }
    print_report(&report);
    good = report.problems == 0 && load_refused(&load) == 0;
    if (good && load_made(&load) == 0) {
        good = totals_equal(&before.totals, &report.audit.totals);
        (void)printf("\n%s\n", good ? "Nothing was changed: all of it was in the store already."
                                    : "NOTHING WAS NEW, BUT THE TOTALS HAVE CHANGED.");
    }
    return summary_write(options, &load, &report, good) && good;
}

static bool open_and_run(const shop_file *shop, const replay_options *options) {
    cellar_config config = {
        .size = sizeof config, .directory = options->directory, .report = print_engine_report};
    cellar *store = NULL;
    cellar_problem problem = {.text = ""};
    cellar_status status = cellar_open(&config, &store, &problem);
    if (status != CELLAR_OK) {
        (void)fprintf(stderr, "replay: %s: %s: %s\n", options->directory,
                      cellar_status_text(status), problem.text);
        return false;
    }
    cellar_statistics statistics;
    if (cellar_statistics_get(store, &statistics) == CELLAR_OK && statistics.recovery_records > 0) {
        (void)printf("Store %s\n  recovered from %" PRIu64 " log records in %.3f s\n\n",
                     options->directory, statistics.recovery_records,
                     (double)statistics.recovery_ns / 1e9);
    }
    bool good = run(store, shop, options);
    status = cellar_close(store);
    if (status != CELLAR_OK) {
        (void)fprintf(stderr, "replay: closing: %s\n", cellar_status_text(status));
    }
    return good && status == CELLAR_OK;
}

int main(int argc, char **argv) {
    replay_options options;
    int status = 2;
    if (!options_read(argc, argv, &options, &status)) {
        return status;
    }
    if (options.generate_rows > 0) {
        if (generate(stdout, options.generate_rows, options.seed) != 0) {
            (void)fprintf(stderr, "replay: writing: %s\n", strerror(errno));
            return 1;
        }
        return 0;
    }
    shop_file shop;
    bool good = shop_read(&shop, options.file);
    if (good) {
        print_file(&shop, options.file);
        good = open_and_run(&shop, &options);
    }
    shop_free(&shop);
    return good && fflush(stdout) == 0 ? 0 : 1;
}
