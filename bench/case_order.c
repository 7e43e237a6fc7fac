/* Cases through the public header while it is busy: one product, orders, and orders with somebody
 * who waits for the disk. */
#include "shop.h"

#include "base/clock.h"
#include "limits.h"
#include "limits_wake.h"
#include "measure.h"
#include "rival.h"

#include <stdio.h>
#include <string.h>

#define TAKE_UNITS INT64_C(100000000000000)
/* A take is 128 bytes of log: about one GiB. */
#define TAKE_COUNT_MAX 8000000
/* What an order of so many lines changes besides the stock of each: itself. */
#define ORDER_OWN_CELLS 1
/* The waiting customer among the busy ones. */
#define PROBE_PAUSE_NS (5 * NANOSECONDS_PER_MILLISECOND)
#define PROBE_SYNCS_SECONDS 0.5
/* Longer than the other rows: the customer who waits gives few samples a second. */
#define PROBE_SHARE 2.0

/* ---- One product ---- */

bool hot_take_run(const struct bench_options *options, struct bench_result *result) {
    struct bench_options one = *options;
    struct shop shop;
    struct crew crew;

    one.skus = 1;
    one.lines = 1;
    result->unit = "takes";
    if (!shop_open(&shop, "take", &one, NULL, result) || !shop_stock(&shop, TAKE_UNITS, result) ||
        !shop_prepare(&shop, &one, options->threads, result)) {
        return false;
    }
    if (!crew_start(&crew, options->threads)) {
        return bench_fail(result, "no memory or no threads");
    }
    uint64_t bytes = shop_take_bytes(&shop, &crew.workers[0]);
    struct limits_disk disk;
    if (bytes == 0 || !limits_disk_start(&disk, 0, (double)DISK_BURST_BYTES / (double)bytes)) {
        return bench_fail(result, "the first takes failed, or no disk");
    }
    struct measure measure = {.crew = &crew,
                              .subject = &shop.take,
                              .seconds = options->seconds,
                              .count_max = TAKE_COUNT_MAX};
    measure_add_load(&measure, &limits_fetch_sub, false);
    measure_add_load(&measure, &limits_mutex, true);
    measure_add_rate(&measure, "disk bandwidth / record", limits_disk_rate, &disk);
    bool ok = measure_run(&measure, result);
    bench_figure_add(result, "record", (double)bytes, "B");
    limits_disk_end(&disk);
    return shop_finish(&shop, &crew, result) && ok;
}

/* ---- Orders ---- */

/* Waiting threads have at best one order each in every write and sync; relaxed ones the disk's
 * whole bandwidth. */
static bool disk_start(struct limits_disk *disk, const struct bench_options *options,
                       uint64_t order_bytes) {
    if (options->wait) {
        return limits_disk_start(disk, order_bytes * options->threads, options->threads);
    }
    return limits_disk_start(disk, 0, (double)DISK_BURST_BYTES / (double)order_bytes);
}

/* Measures orders of a stocked shop, beside rivals, if any. */
static bool order_measure(struct shop *shop, struct crew *crew, const struct bench_options *options,
                          const struct rival *rivals, uint32_t rival_count,
                          struct bench_result *result) {
    struct limits_commit commit;
    struct limits_disk disk;
    struct limits_wake wake;
    uint64_t bytes = shop_order_bytes(shop, &crew->workers[0]);
    uint32_t cells = shop->lines + ORDER_OWN_CELLS + (shop->paid ? 1 : 0);

    if (bytes == 0) {
        return bench_fail(result, "the first orders failed");
    }
    if (!limits_commit_start(&commit, options->threads, cells, bytes) ||
        !disk_start(&disk, options, bytes)) {
        return bench_fail(result, "no memory or no disk");
    }
    struct measure measure = {.crew = crew,
                              .subject = &shop->order,
                              .seconds = options->seconds,
                              .count_max = shop_orders_max(options->lines)};
    measure_add_load(&measure, &commit.load, false);
    if (options->wait) {
        if (!limits_wake_start(&wake, &disk, options->threads)) {
            return bench_fail(result, "no memory or no threads");
        }
        measure_add_rate(&measure, "one sync, then a wake-up each", limits_wake_rate, &wake);
    }
    measure_add_rate(&measure,
                     options->wait ? "one sync for all threads" : "disk bandwidth / record",
                     limits_disk_rate, &disk);
    for (uint32_t i = 0; i < rival_count; i++) {
        measure_add_load(&measure, &rivals[i].load, true);
    }
    bool ok = measure_run(&measure, result);
    bench_figure_add(result, "record", (double)bytes, "B");
    limits_commit_end(&commit);
    if (options->wait) {
        limits_wake_end(&wake);
    }
    limits_disk_end(&disk);
    return ok;
}

bool order_run(const struct bench_options *options, struct bench_result *result) {
    struct shop shop;
    struct crew crew;

    result->unit = "orders";
    if (!shop_begin(&shop, &crew, "order", options, result)) {
        return false;
    }
    bool ok = order_measure(&shop, &crew, options, NULL, 0, result);
    return shop_finish(&shop, &crew, result) && ok;
}

/* ---- Orders that are paid, beside other ways to do the same ---- */

bool paid_run(const struct bench_options *options, struct bench_result *result) {
    static const struct rival_kind *const durable[] = {&rival_sqlite_full, &rival_lmdb_sync};
    static const struct rival_kind *const relaxed[] = {&rival_mutex, &rival_sqlite_normal,
                                                       &rival_lmdb_nosync};
    const struct rival_kind *const *kinds = options->wait ? durable : relaxed;
    uint32_t count =
        options->wait ? sizeof durable / sizeof *durable : sizeof relaxed / sizeof *relaxed;
    struct rival rivals[sizeof relaxed / sizeof *relaxed];
    struct shop shop;
    struct crew crew;
    uint32_t started = 0;

    result->unit = "paid orders";
    if (!shop_begin(&shop, &crew, "paid", options, result)) {
        return false;
    }
    bool ok = shop_accounts(&shop, result);
    while (ok && started < count) {
        ok = rival_start(&rivals[started], kinds[started], &shop) ||
             bench_fail(result, "%s could not be started", kinds[started]->name);
        started++;
    }
    ok = ok && order_measure(&shop, &crew, options, rivals, count, result);
    for (uint32_t i = 0; i < started; i++) {
        ok = ok && rival_check(&rivals[i], result);
        rival_end(&rivals[i]);
    }
    return shop_finish(&shop, &crew, result) && ok;
}

/* ---- Somebody who waits while others are busy ---- */

struct probe {
    struct shop *shop;
    uint32_t thread;
    _Atomic bool stop;
    cellar_status status;
    struct histogram latency;
};

static void *probe_main(void *argument) {
    struct probe *probe = argument;
    uint64_t counter = 0;
    cellar_ticket ticket;

    while (!atomic_load(&probe->stop) && probe->status == CELLAR_OK) {
        int64_t before = clock_monotonic_ns();
        probe->status =
            shop_order_place(probe->shop, probe->thread, counter++, CELLAR_DURABLE, &ticket);
        histogram_record(&probe->latency, clock_monotonic_ns() - before);
        clock_sleep_ns(PROBE_PAUSE_NS);
    }
    return NULL;
}

/* The busy threads run in one stretch, as they do in a shop, with the probe beside them. */
static bool lag_measure(struct shop *shop, struct crew *crew, struct probe *probe,
                        const struct bench_options *options, struct bench_result *result) {
    struct crew_round round;
    pthread_t thread;

    bool ok = crew_run(crew, &shop->order, options->seconds / 10, 0, NULL, &round);
    if (!ok || pthread_create(&thread, NULL, probe_main, probe) != 0) {
        return bench_fail(result, "the busy threads failed");
    }
    ok = crew_run(crew, &shop->order, options->seconds * PROBE_SHARE,
                  shop_orders_max(options->lines), NULL, &round);
    atomic_store(&probe->stop, true);
    pthread_join(thread, NULL);
    result->rate = result->rate_low = result->rate_high = round.rate;
    result->threads = options->threads;
    measure_latency(&probe->latency, &result->latency);
    if (!ok || probe->status != CELLAR_OK) {
        return bench_fail(result, "a busy thread or the waiting one failed");
    }
    return true;
}

/* What the disk itself does, with nobody busy. */
static bool lag_limit(struct bench_result *result) {
    struct limits_disk disk;
    struct bench_reference *reference = &result->references[result->reference_count++];

    bool ok = limits_disk_start(&disk, 4096, 1) &&
              limits_disk_rate(&disk, PROBE_SYNCS_SECONDS, &reference->rate);
    measure_latency(&disk.sync_ns, &reference->latency);
    snprintf(reference->name, sizeof reference->name, "fdatasync of 4 KiB, idle");
    limits_disk_end(&disk);
    return ok || bench_fail(result, "the disk could not be measured");
}

bool lag_run(const struct bench_options *options, struct bench_result *result) {
    struct bench_options busy = *options;
    struct shop shop;
    struct crew crew;
    struct probe probe = {.shop = &shop, .thread = options->threads};

    busy.wait = false;
    result->unit = "orders";
    result->durability = "relaxed";
    /* Opened again after the products are in: the store's own statistics then tell of the orders
     * only. */
    if (!shop_open(&shop, "lag", &busy, NULL, result) || !shop_stock(&shop, SHOP_UNITS, result) ||
        !shop_reopen(&shop, result) || !shop_prepare(&shop, &busy, options->threads + 1, result)) {
        return false;
    }
    if (!crew_start(&crew, options->threads)) {
        return bench_fail(result, "no memory or no threads");
    }
    bool ok = lag_limit(result) && lag_measure(&shop, &crew, &probe, options, result);
    return shop_finish(&shop, &crew, result) && ok;
}
