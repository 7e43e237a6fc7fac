/* Reads, alone and beside a seller, and reads and orders mixed. */
#include "limits_lookup.h"
#include "measure.h"
#include "reads.h"
#include "seller.h"

#include "zipf.h"

#include <stdio.h>

/* Orders that are there to be read. */
#define READ_ORDERS 100000
#define FILL_SECONDS_MAX 60.0
/* Beside a seller, as a share of the measured time, the rounds of it, and what he sells at once. */
#define BESIDE_SHARE 0.25
#define BESIDE_ROUNDS 3
#define SELLER_LINES 3
/* Of ten calls of the mixed load: first all reads, of three kinds, then orders. */
#define MIXED_CALLS 10
#define MIXED_PRODUCTS 4
#define MIXED_STOCKS 7
#define MIXED_READS 8

/* What is read. */
enum read_kind {
    READ_PRODUCT,
    READ_ORDER,
    READ_LIST,
    READ_SNAPSHOT
};

/* The lists must be up to date, or the follower would be busy beside the first rounds. */
static bool fill(struct shop *shop, struct crew *crew, struct bench_result *result) {
    struct crew_round round;
    return (crew_run(crew, &shop->order, FILL_SECONDS_MAX, READ_ORDERS, NULL, &round) &&
            cellar_wait_listed(shop->store, round.last_lsn, -1) == CELLAR_OK) ||
           bench_fail(result, "filling the store failed");
}

/* A stocked shop, a crew, and room for one thread more: a seller. */
static bool begin(struct shop *shop, struct crew *crew, const struct bench_options *options,
                  struct bench_result *result) {
    if (!shop_open(shop, "read", options, NULL, result) || !shop_stock(shop, SHOP_UNITS, result) ||
        !shop_prepare(shop, options, options->threads + 1, result)) {
        return false;
    }
    if (cellar_wait_listed(shop->store, shop->stocked_lsn, -1) != CELLAR_OK) {
        return bench_fail(result, "the lists do not follow");
    }
    if (!crew_start(crew, options->threads)) {
        return bench_fail(result, "no memory or no threads");
    }
    return true;
}

/* Rounds without the seller, with him, and of the seller alone. */
struct beside {
    double alone[BESIDE_ROUNDS];
    double beside[BESIDE_ROUNDS];
    double ratios[BESIDE_ROUNDS];
    double seller_alone[BESIDE_ROUNDS];
    double seller_beside[BESIDE_ROUNDS];
};

static bool beside_round(struct seller *seller, struct crew *crew, const struct load *load,
                         double seconds, struct beside *beside, uint32_t at,
                         struct bench_result *result) {
    struct crew_round round;

    if (!crew_run(crew, load, seconds, 0, NULL, &round) || !seller_start(seller, result)) {
        return bench_fail(result, "the reads failed");
    }
    beside->alone[at] = round.rate;
    beside->seller_alone[at] = seller_watch(seller, seconds);
    struct seller_mark mark = seller_look(seller);
    bool ok = crew_run(crew, load, seconds, 0, NULL, &round);
    beside->seller_beside[at] = seller_rate(seller, mark);
    beside->beside[at] = round.rate;
    beside->ratios[at] = round.rate / beside->alone[at];
    seller_end(seller);
    return ok || bench_fail(result, "the reads beside the seller failed");
}

static bool beside_seller(struct shop *shop, struct crew *crew, const struct load *load,
                          double seconds, struct bench_result *result) {
    struct seller seller = {.shop = shop, .thread = crew->thread_count};
    struct beside beside;

    for (uint32_t i = 0; i < BESIDE_ROUNDS; i++) {
        if (!beside_round(&seller, crew, load, seconds / BESIDE_ROUNDS, &beside, i, result)) {
            return false;
        }
    }
    bench_figure_add(result, "reads a second beside a seller",
                     measure_median(beside.beside, BESIDE_ROUNDS), "");
    bench_figure_add(result, "reads, of those alone", measure_median(beside.ratios, BESIDE_ROUNDS),
                     "");
    bench_figure_add(result, "his orders a second alone",
                     measure_median(beside.seller_alone, BESIDE_ROUNDS), "");
    bench_figure_add(result, "his orders a second beside them",
                     measure_median(beside.seller_beside, BESIDE_ROUNDS), "");
    return true;
}

static bool run_reads(const struct bench_options *options, struct bench_result *result,
                      enum read_kind kind) {
    struct bench_options own = *options;
    uint32_t skus_each = kind == READ_SNAPSHOT ? options->lines : 1;
    struct limits_lookup limit;
    struct reads reads;
    struct shop shop;
    struct crew crew;

    own.wait = false;
    own.lines = kind == READ_SNAPSHOT ? SELLER_LINES : options->lines;
    result->unit = "reads";
    result->durability = "-";
    if (kind == READ_LIST && options->skus <= READS_PAGE) {
        return bench_fail(result, "a page of a list needs more than %d SKUs", READS_PAGE);
    }
    if (!begin(&shop, &crew, &own, result) || (kind == READ_ORDER && !fill(&shop, &crew, result))) {
        return false;
    }
    if (!limits_lookup_start(&limit, &shop, skus_each)) {
        return bench_fail(result, "no memory");
    }
    if (kind == READ_SNAPSHOT) {
        snprintf(result->shape, sizeof result->shape, "%u of %u SKUs, zipf %g", skus_each,
                 options->skus, options->zipf);
    }
    reads_start(&reads, &shop, skus_each);
    const struct load *const loads[] = {[READ_PRODUCT] = &reads.product,
                                        [READ_ORDER] = &reads.order,
                                        [READ_LIST] = &reads.list,
                                        [READ_SNAPSHOT] = &reads.snapshot};
    struct measure measure = {
        .crew = &crew, .subject = loads[kind], .seconds = options->seconds / 2};
    measure_add_load(&measure, &limit.load, false);
    bool ok = measure_run(&measure, result) &&
              beside_seller(&shop, &crew, loads[kind], options->seconds * BESIDE_SHARE, result);
    limits_lookup_end(&limit);
    return shop_end(&shop, &crew, result) && ok;
}

bool read_product_run(const struct bench_options *options, struct bench_result *result) {
    return run_reads(options, result, READ_PRODUCT);
}

bool read_order_run(const struct bench_options *options, struct bench_result *result) {
    return run_reads(options, result, READ_ORDER);
}

bool read_list_run(const struct bench_options *options, struct bench_result *result) {
    return run_reads(options, result, READ_LIST);
}

bool read_snapshot_run(const struct bench_options *options, struct bench_result *result) {
    return run_reads(options, result, READ_SNAPSHOT);
}

/* ---- Reads and orders mixed ---- */

struct mixed {
    struct shop *shop;
    struct reads reads;
    struct load load;
    struct load only_reads;
};

static const struct load *draw_read(const struct mixed *mixed, uint32_t draw) {
    if (draw < MIXED_PRODUCTS) {
        return &mixed->reads.product;
    }
    return draw < MIXED_STOCKS ? &mixed->reads.stock : &mixed->reads.order;
}

/* One call each of what is drawn, below `bound` of MIXED_CALLS. */
static uint64_t mixed_calls(struct mixed *mixed, struct worker *worker, uint64_t count,
                            uint32_t bound) {
    struct shop *shop = mixed->shop;

    for (uint64_t i = 0; i < count; i++) {
        uint32_t draw = random_below(&shop->threads[worker->index].random, bound);
        const struct load *load = draw < MIXED_READS ? draw_read(mixed, draw) : &shop->order;
        if (load->run(shop, worker, 1) != 1) {
            return i;
        }
    }
    return count;
}

static uint64_t mixed_round(void *context, struct worker *worker, uint64_t count) {
    return mixed_calls(context, worker, count, MIXED_CALLS);
}

static uint64_t only_reads_round(void *context, struct worker *worker, uint64_t count) {
    return mixed_calls(context, worker, count, MIXED_READS);
}

static bool mixed_settle(void *context, const struct worker *workers, uint32_t worker_count) {
    struct mixed *mixed = context;
    return shop_settle(mixed->shop, workers, worker_count);
}

bool mixed_run(const struct bench_options *options, struct bench_result *result) {
    struct limits_lookup limit;
    struct shop shop;
    struct crew crew;
    struct mixed mixed = {.shop = &shop};

    result->unit = "calls";
    if (!begin(&shop, &crew, options, result) || !fill(&shop, &crew, result)) {
        return false;
    }
    if (!limits_lookup_start(&limit, &shop, 1)) {
        return bench_fail(result, "no memory");
    }
    reads_start(&mixed.reads, &shop, 1);
    mixed.load = (struct load){.name = "mixed",
                               .run = mixed_round,
                               .settle = mixed_settle,
                               .context = &mixed,
                               .batch = options->wait ? 1 : 16,
                               .sample_every = 1};
    mixed.only_reads = (struct load){
        .name = "the reads only", .run = only_reads_round, .context = &mixed, .batch = 16};
    struct measure measure = {.crew = &crew,
                              .subject = &mixed.load,
                              .seconds = options->seconds,
                              .count_max = MIXED_CALLS / (MIXED_CALLS - MIXED_READS) *
                                           shop_orders_max(options->lines)};
    measure_add_load(&measure, &limit.load, false);
    measure_add_load(&measure, &mixed.only_reads, false);
    measure_add_load(&measure, &shop.order, false);
    bool ok = measure_run(&measure, result);
    limits_lookup_end(&limit);
    return shop_finish(&shop, &crew, result) && ok;
}
