/* What more data costs: takes and look-ups of products drawn from all of them alike, and the
 * opening of a store that holds them. */
#include "limits_lookup.h"
#include "measure.h"
#include "reads.h"

/* A take is 128 bytes of log: about one GiB. */
#define GROWTH_TAKES_MAX 8000000
#define GROWTH_READ_SHARE 0.3

static uint64_t take_any_round(void *context, struct worker *worker, uint64_t count) {
    struct shop *shop = context;
    cellar_call call = {.durability = CELLAR_RELAXED};

    for (uint64_t i = 0; i < count; i++) {
        cellar_line line = {.sku = shop->names[shop_pick(shop, worker->index)], .quantity = 1};
        if (!shop_take(shop, worker, &call, &line)) {
            return i;
        }
    }
    return count;
}

/* Look-ups of products, when the follower has nothing to do any more. */
static bool growth_reads(struct shop *shop, struct crew *crew, double seconds,
                         struct bench_result *result) {
    struct reads reads;
    struct crew_round round;
    cellar_statistics statistics;

    reads_start(&reads, shop, 1);
    if (cellar_statistics_get(shop->store, &statistics) != CELLAR_OK ||
        !crew_run(crew, &reads.product, seconds, 0, NULL, &round)) {
        return bench_fail(result, "the look-ups failed");
    }
    bench_figure_add(result, "cellar_product_get() a second", round.rate, "");
    bench_figure_add(result, "memory", (double)statistics.memory_bytes, "B");
    return true;
}

static bool growth_reopen(struct shop *shop, struct bench_result *result) {
    cellar_statistics statistics;

    if (!shop_reopen(shop, result) ||
        cellar_statistics_get(shop->store, &statistics) != CELLAR_OK ||
        statistics.recovery_ns == 0) {
        return bench_fail(result, "the store could not be opened again");
    }
    double records = (double)statistics.recovery_records;
    bench_figure_add(result, "recovery", (double)statistics.recovery_ns, "ns");
    bench_figure_add(result, "records", records, "");
    bench_figure_add(result, "records a second", records * 1e9 / (double)statistics.recovery_ns,
                     "");
    return true;
}

bool growth_run(const struct bench_options *options, struct bench_result *result) {
    struct bench_options one = *options;
    struct limits_lookup limit;
    struct shop shop;
    struct crew crew;

    one.lines = 1;
    one.wait = false;
    result->unit = "takes";
    if (!shop_begin(&shop, &crew, "growth", &one, result)) {
        return false;
    }
    if (cellar_wait_listed(shop.store, shop.stocked_lsn, -1) != CELLAR_OK ||
        !limits_lookup_start(&limit, &shop, 1)) {
        return bench_fail(result, "the lists do not follow, or there is no memory");
    }
    struct load load = shop.take;
    load.run = take_any_round;
    struct measure measure = {.crew = &crew,
                              .subject = &load,
                              .seconds = options->seconds,
                              .count_max = GROWTH_TAKES_MAX};
    measure_add_load(&measure, &limit.load, false);
    bool ok = measure_run(&measure, result) &&
              growth_reads(&shop, &crew, options->seconds * GROWTH_READ_SHARE, result) &&
              growth_reopen(&shop, result);
    limits_lookup_end(&limit);
    return shop_end(&shop, &crew, result) && ok;
}
