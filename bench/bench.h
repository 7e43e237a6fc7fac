/* The benchmark: what a case is given and what it returns.
 *
 * A case measures one thing and, in the same minute, what the hardware or a simpler rival does at
 * best. It never judges: no figure makes the program fail, only an error does. */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <stdbool.h>
#include <stdint.h>

#define BENCH_REFERENCES_MAX 8
#define BENCH_FIGURES_MAX 64
#define BENCH_NAME_BYTES 64

struct bench_options {
    uint32_t threads;
    uint32_t skus;
    uint32_t lines; /* of one order */
    double zipf;    /* exponent of the popularity of SKUs; 0 is uniform */
    bool wait;      /* each call returns when its commit is durable; else relaxed */
    double seconds; /* measured time of the case itself, without its limits and its preparation */
};

struct bench_latency {
    uint64_t samples; /* 0: not measured */
    uint64_t p50_ns;
    uint64_t p99_ns;
    uint64_t p999_ns;
    uint64_t max_ns;
};

/* What the case is held against, in the same unit a second. */
struct bench_reference {
    char name[BENCH_NAME_BYTES];
    double rate;
    double ratio; /* case / reference: the median over the rounds */
    struct bench_latency latency;
};

struct bench_figure {
    char name[BENCH_NAME_BYTES];
    double value;
    const char *unit;
};

struct bench_result {
    const char *case_name;
    const char *durability; /* "wait", "relaxed", or "-" where it has no meaning */
    uint32_t threads;
    const char *unit;             /* what the rates count, a second */
    char shape[BENCH_NAME_BYTES]; /* lines, SKUs, popularity; empty: has no meaning */
    double rate; /* the median over the rounds; 0: the case has no rate, only figures */
    double rate_low;
    double rate_high;
    struct bench_latency latency;
    struct bench_reference references[BENCH_REFERENCES_MAX];
    uint32_t reference_count;
    struct bench_figure figures[BENCH_FIGURES_MAX];
    uint32_t figure_count;
    const char *goal; /* what is expected of this row, in words; NULL: nothing in particular */
    char problem[256];
};

struct bench_case {
    const char *name;
    const char *what;
    /* Fills the result; false with result->problem set when it could not be measured. */
    bool (*run)(const struct bench_options *options, struct bench_result *result);
};

/* Adds a figure; one too many is left out. `unit` is a static string. */
void bench_figure_add(struct bench_result *result, const char *name, double value,
                      const char *unit);
/* Says what went wrong, and returns false. */
__attribute__((format(printf, 2, 3))) bool bench_fail(struct bench_result *result,
                                                      const char *format, ...);
/* The user asked the program to end: cases stop at the next round and clean up. */
bool bench_interrupted(void);

/* ---- Cases ---- */

bool hot_commit_run(const struct bench_options *options, struct bench_result *result);
bool hot_take_run(const struct bench_options *options, struct bench_result *result);
bool cells3_run(const struct bench_options *options, struct bench_result *result);
bool order_run(const struct bench_options *options, struct bench_result *result);
bool paid_run(const struct bench_options *options, struct bench_result *result);
bool claim_run(const struct bench_options *options, struct bench_result *result);
bool claim_sold_out_run(const struct bench_options *options, struct bench_result *result);
bool expiry_run(const struct bench_options *options, struct bench_result *result);
bool expiry_money_run(const struct bench_options *options, struct bench_result *result);
bool retire_run(const struct bench_options *options, struct bench_result *result);
bool growth_run(const struct bench_options *options, struct bench_result *result);
bool lag_run(const struct bench_options *options, struct bench_result *result);
bool recovery_run(const struct bench_options *options, struct bench_result *result);
bool start_run(const struct bench_options *options, struct bench_result *result);
bool memory_run(const struct bench_options *options, struct bench_result *result);
bool order_coupon_run(const struct bench_options *options, struct bench_result *result);
bool bulk_run(const struct bench_options *options, struct bench_result *result);
bool crowd_run(const struct bench_options *options, struct bench_result *result);
bool read_product_run(const struct bench_options *options, struct bench_result *result);
bool read_order_run(const struct bench_options *options, struct bench_result *result);
bool read_list_run(const struct bench_options *options, struct bench_result *result);
bool read_snapshot_run(const struct bench_options *options, struct bench_result *result);
bool mixed_run(const struct bench_options *options, struct bench_result *result);
bool limit_lookup_run(const struct bench_options *options, struct bench_result *result);
bool limit_swap_run(const struct bench_options *options, struct bench_result *result);
bool limit_copy_run(const struct bench_options *options, struct bench_result *result);
bool limit_sync_run(const struct bench_options *options, struct bench_result *result);
bool limit_write_run(const struct bench_options *options, struct bench_result *result);

#endif
