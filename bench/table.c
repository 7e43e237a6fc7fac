/* The cases, and the rows of the whole table. */
#include "table.h"

#include "print.h"

#include <stdio.h>
#include <string.h>

static const struct bench_case cases[] = {
    {"cas16", "two uncontended 16-byte compare-and-swaps on memory of one's own", limit_swap_run},
    {"memcpy", "copying a record of 256 bytes to memory of one's own", limit_copy_run},
    {"disk-sync", "write and fdatasync of 4 KiB, one after the other", limit_sync_run},
    {"disk-write", "writes of 256 KiB, an fdatasync every 8 MiB", limit_write_run},
    {"hash-lookup", "a SKU in a plain hash table that is only read", limit_lookup_run},
    {"hot-commit", "one cell, all threads, the bare commit, drained", hot_commit_run},
    {"hot-take", "cellar_stock_take() of one product, all threads", hot_take_run},
    {"cells3", "three of 100,000 cells a commit, the log written", cells3_run},
    {"order", "cellar_order_place(), each thread in a loop", order_run},
    {"paid", "the same, paid from accounts; beside mutexes, SQLite and LMDB", paid_run},
    {"order-coupon", "the same with a coupon redeemed; beside those without", order_coupon_run},
    {"bulk", "cellar_bulk() of 1,000 takes, durable, one after the other", bulk_run},
    {"crowd", "orders by more threads than cores, beside two threads", crowd_run},
    {"claim", "cellar_coupon_claim() on one campaign, each by another customer", claim_run},
    {"claim-sold-out", "the same on a campaign without places, each refused", claim_sold_out_run},
    {"read-product", "cellar_product_get() by SKU; alone and beside a seller", read_product_run},
    {"read-order", "cellar_order_get() by id, with its lines; the same", read_order_run},
    {"read-list", "cellar_product_list(), pages of 20; the same", read_list_run},
    {"read-snapshot", "cellar_stock_snapshot() of --lines SKUs; the same", read_snapshot_run},
    {"mixed", "of ten calls eight reads and two orders", mixed_run},
    {"lag", "one customer who waits for the disk among busy threads", lag_run},
    {"growth", "takes, look-ups and recovery with more and more products", growth_run},
    {"expiry", "100,000 holds of stock that run out at once, beside a seller", expiry_run},
    {"expiry-money", "the same of holds of money", expiry_money_run},
    {"retire", "100,000 closed orders that leave memory at once, beside a seller", retire_run},
    {"recovery", "opening a store of 1,000,000 orders", recovery_run},
    {"start", "opening and closing an empty store", start_run},
    {"memory", "bytes a product, order, account, coupon and hold", memory_run},
};
#define CASE_COUNT (sizeof cases / sizeof *cases)

/* The rows. Of a case printed alone all of them, of the whole table those without `detail`. */
struct row {
    const char *case_name;
    uint32_t threads;
    bool wait;
    bool detail;
    uint32_t lines; /* 0: as the command line says, and so the popularity */
    double zipf;
    uint32_t skus; /* 0: as the command line says */
    const char *goal;
};

static const struct row rows[] = {
    {.case_name = "cas16", .threads = 1, .detail = true},
    {.case_name = "cas16", .threads = 2},
    {.case_name = "memcpy", .threads = 1, .detail = true},
    {.case_name = "memcpy", .threads = 2},
    {.case_name = "disk-sync", .threads = 1},
    {.case_name = "disk-write", .threads = 1},
    {.case_name = "hash-lookup", .threads = 2},
    {.case_name = "hot-commit", .threads = 1},
    {.case_name = "hot-commit", .threads = 2},
    {.case_name = "hot-commit", .threads = 16, .detail = true},
    {.case_name = "hot-commit", .threads = 64},
    {.case_name = "hot-take", .threads = 1, .detail = true},
    {.case_name = "hot-take", .threads = 2, .goal = "0.6 of fetch_sub"},
    {.case_name = "hot-take", .threads = 16, .detail = true},
    {.case_name = "hot-take", .threads = 64, .goal = "0.5 of fetch_sub"},
    {.case_name = "cells3", .threads = 1, .detail = true},
    {.case_name = "cells3", .threads = 2},
    {.case_name = "cells3", .threads = 16, .detail = true},
    {.case_name = "cells3", .threads = 64, .detail = true},
    {.case_name = "order", .threads = 1},
    {.case_name = "order", .threads = 2, .goal = "2 M orders a second"},
    {.case_name = "order", .threads = 16, .detail = true},
    {.case_name = "order", .threads = 64, .detail = true},
    {.case_name = "order", .threads = 300, .detail = true},
    {.case_name = "order", .threads = 1, .wait = true},
    {.case_name = "order", .threads = 2, .wait = true, .detail = true},
    {.case_name = "order", .threads = 16, .wait = true},
    {.case_name = "order", .threads = 64, .wait = true, .detail = true},
    {.case_name = "order", .threads = 300, .wait = true, .goal = "400 k orders a second"},
    {.case_name = "order", .threads = 2, .lines = 1, .detail = true},
    {.case_name = "order", .threads = 2, .lines = 1, .zipf = 0.99, .detail = true},
    {.case_name = "order", .threads = 2, .lines = 10, .detail = true},
    {.case_name = "order", .threads = 2, .lines = 10, .zipf = 0.99},
    {.case_name = "order", .threads = 2, .lines = 100, .detail = true},
    {.case_name = "order", .threads = 2, .lines = 100, .zipf = 0.99, .detail = true},
    {.case_name = "order", .threads = 2, .lines = 1000, .detail = true},
    {.case_name = "order", .threads = 2, .lines = 1000, .zipf = 0.99},
    {.case_name = "paid", .threads = 1, .detail = true},
    {.case_name = "paid", .threads = 2, .goal = "50 times SQLite NORMAL"},
    {.case_name = "paid", .threads = 16, .detail = true},
    {.case_name = "paid", .threads = 1, .wait = true, .detail = true},
    {.case_name = "paid", .threads = 16, .wait = true},
    {.case_name = "paid", .threads = 300, .wait = true, .detail = true},
    {.case_name = "order-coupon", .threads = 2},
    {.case_name = "bulk", .threads = 1, .wait = true, .goal = "1 M operations a second, durable"},
    {.case_name = "crowd", .threads = 2, .detail = true},
    {.case_name = "crowd", .threads = 16},
    {.case_name = "crowd", .threads = 64, .goal = "p99.9 under 10 times that of two threads"},
    {.case_name = "crowd", .threads = 256},
    {.case_name = "claim", .threads = 1, .detail = true},
    {.case_name = "claim", .threads = 2},
    {.case_name = "claim", .threads = 16, .detail = true},
    {.case_name = "claim", .threads = 64, .detail = true},
    {.case_name = "claim-sold-out", .threads = 2},
    {.case_name = "read-product", .threads = 2},
    {.case_name = "read-order", .threads = 2},
    {.case_name = "read-list", .threads = 2},
    {.case_name = "read-snapshot", .threads = 2, .lines = 1, .zipf = 0.99, .detail = true},
    {.case_name = "read-snapshot", .threads = 2, .lines = 10, .zipf = 0.99},
    {.case_name = "read-snapshot", .threads = 2, .lines = 100, .zipf = 0.99},
    {.case_name = "mixed", .threads = 2},
    {.case_name = "lag", .threads = 64, .goal = "durable lag p99 under 20 ms"},
    {.case_name = "growth", .threads = 2, .lines = 1, .skus = 1000},
    {.case_name = "growth", .threads = 2, .lines = 1, .skus = 10000, .detail = true},
    {.case_name = "growth", .threads = 2, .lines = 1, .skus = 100000, .detail = true},
    {.case_name = "growth", .threads = 2, .lines = 1, .skus = 1000000},
    {.case_name = "expiry", .threads = 1},
    {.case_name = "expiry-money", .threads = 1},
    {.case_name = "retire", .threads = 1},
    {.case_name = "recovery", .threads = 2, .goal = "5 M records a second"},
    {.case_name = "start", .threads = 1, .goal = "open and close together under 50 ms"},
    {.case_name = "memory",
     .threads = 2,
     .goal = "a further coupon 64 bytes, an order of three lines 256"},
};
#define ROW_COUNT (sizeof rows / sizeof *rows)

bool table_has(const char *case_name) {
    for (size_t i = 0; i < CASE_COUNT; i++) {
        if (strcmp(cases[i].name, case_name) == 0) {
            return true;
        }
    }
    return false;
}

void table_cases_print(FILE *stream) {
    for (size_t i = 0; i < CASE_COUNT; i++) {
        fprintf(stream, "  %-14s %s\n", cases[i].name, cases[i].what);
    }
}

static bool run_case(const char *name, const struct bench_options *options, const char *goal,
                     enum print_format format) {
    struct bench_result result = {.case_name = name,
                                  .durability = options->wait ? "wait" : "relaxed",
                                  .threads = options->threads,
                                  .unit = "",
                                  .goal = goal};
    for (size_t i = 0; i < CASE_COUNT; i++) {
        if (strcmp(cases[i].name, name) == 0) {
            bool ok = cases[i].run(options, &result);
            print_result(&result, options, format);
            return ok;
        }
    }
    return false;
}

static bool run_row(const struct row *row, const struct bench_options *options,
                    enum print_format format) {
    struct bench_options own = *options;

    own.threads = row->threads;
    own.wait = row->wait;
    if (row->lines != 0) {
        own.lines = row->lines;
        own.zipf = row->zipf;
    }
    if (row->skus != 0) {
        own.skus = row->skus;
    }
    return run_case(row->case_name, &own, row->goal, format);
}

bool table_run(const struct table_choice *choice, const struct bench_options *options,
               enum print_format format) {
    bool ok = true;

    if (choice->one_row) {
        return run_case(choice->case_name, options, NULL, format);
    }
    for (size_t i = 0; i < ROW_COUNT && !bench_interrupted(); i++) {
        bool chosen = choice->case_name != NULL ? strcmp(rows[i].case_name, choice->case_name) == 0
                                                : choice->full || !rows[i].detail;
        if (chosen) {
            ok = run_row(&rows[i], options, format) && ok;
        }
    }
    return ok;
}
