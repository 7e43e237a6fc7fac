/* One thread that hands over a thousand operations at a time and waits once for all of them: an
 * import, or a host that gathers what its clients want. */
#include "shop.h"

#include "limits.h"
#include "measure.h"

#include <string.h>

#define BULK_OPERATIONS 1000
/* Bulks; an operation is 192 bytes of log: about one GiB. */
#define BULK_COUNT_MAX 5000

struct bulk {
    struct shop shop;
    cellar_line lines[BULK_OPERATIONS];
    cellar_stock_change changes[BULK_OPERATIONS];
    cellar_operation operations[BULK_OPERATIONS];
    cellar_ticket tickets[BULK_OPERATIONS];
};

static cellar_status bulk_take(struct bulk *bulk, uint32_t thread, const cellar_call *call) {
    struct shop *shop = &bulk->shop;

    for (uint32_t i = 0; i < BULK_OPERATIONS; i++) {
        bulk->lines[i] =
            (cellar_line){.product = shop->products[shop_pick(shop, thread)], .quantity = 1};
    }
    cellar_status status = cellar_bulk(shop->store, call, bulk->operations, BULK_OPERATIONS, NULL,
                                       bulk->tickets, NULL);
    if (status == CELLAR_OK) {
        shop->threads[thread].taken += BULK_OPERATIONS;
    }
    return status;
}

static uint64_t bulk_round(void *context, struct worker *worker, uint64_t count) {
    struct bulk *bulk = context;
    cellar_call call = {.durability = CELLAR_DURABLE};

    for (uint64_t i = 0; i < count; i++) {
        cellar_status status = bulk_take(bulk, worker->index, &call);
        if (status != CELLAR_OK) {
            shop_failed(&bulk->shop, status);
            return i;
        }
    }
    return count;
}

/* Space in the log of one bulk; 0 when it failed. */
static uint64_t bulk_bytes(struct bulk *bulk) {
    cellar_call call = {.durability = CELLAR_RELAXED};

    if (bulk_take(bulk, 0, &call) != CELLAR_OK) {
        return 0;
    }
    uint64_t between = bulk->tickets[BULK_OPERATIONS - 1].lsn - bulk->tickets[0].lsn;
    return between * BULK_OPERATIONS / (BULK_OPERATIONS - 1);
}

bool bulk_run(const struct bench_options *options, struct bench_result *result) {
    static struct bulk bulk;
    struct bench_options one = *options;
    struct limits_commit commit;
    struct limits_disk disk;
    struct crew crew;

    memset(&bulk, 0, sizeof bulk);
    for (uint32_t i = 0; i < BULK_OPERATIONS; i++) {
        bulk.changes[i] = (cellar_stock_change){.lines = &bulk.lines[i], .line_count = 1};
        bulk.operations[i] =
            (cellar_operation){.kind = CELLAR_OPERATION_STOCK_TAKE, .stock = &bulk.changes[i]};
    }
    one.threads = 1;
    one.lines = 1;
    result->unit = "operations";
    result->durability = "wait";
    if (!shop_begin(&bulk.shop, &crew, "bulk", &one, result)) {
        return false;
    }
    uint64_t bytes = bulk_bytes(&bulk);
    if (bytes == 0 || !limits_commit_start(&commit, 1, 1, bytes / BULK_OPERATIONS) ||
        !limits_disk_start(&disk, bytes, BULK_OPERATIONS)) {
        return bench_fail(result, "the first bulk failed, or there is no memory or no disk");
    }
    struct load load = {.name = "bulk",
                        .run = bulk_round,
                        .context = &bulk,
                        .batch = 1,
                        .sample_every = 1,
                        .weight = BULK_OPERATIONS};
    struct measure measure = {
        .crew = &crew, .subject = &load, .seconds = options->seconds, .count_max = BULK_COUNT_MAX};
    measure_add_load(&measure, &commit.load, false);
    measure_add_rate(&measure, "one write and sync for each bulk", limits_disk_rate, &disk);
    bool ok = measure_run(&measure, result);
    bench_figure_add(result, "operations in a bulk", BULK_OPERATIONS, "");
    bench_figure_add(result, "record", (double)bytes / BULK_OPERATIONS, "B");
    limits_commit_end(&commit);
    limits_disk_end(&disk);
    return shop_finish(&bulk.shop, &crew, result) && ok;
}
