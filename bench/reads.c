#include "reads.h"

#include "zipf.h"

#include <string.h>

/* Notes a status; true when it is OK. */
static bool reads_ok(struct shop *shop, cellar_status status) {
    if (status != CELLAR_OK) {
        shop_failed(shop, status);
    }
    return status == CELLAR_OK;
}

static uint64_t product_round(void *context, struct worker *worker, uint64_t count) {
    struct shop *shop = context;
    cellar_product product;

    for (uint64_t i = 0; i < count; i++) {
        const char *sku = shop->names[shop_pick(shop, worker->index)];
        if (!reads_ok(shop, cellar_product_get(shop->store, sku, 0, &product))) {
            return i;
        }
        worker->sink += product.id;
    }
    return count;
}

static uint64_t stock_round(void *context, struct worker *worker, uint64_t count) {
    struct shop *shop = context;
    cellar_stock stock;

    for (uint64_t i = 0; i < count; i++) {
        cellar_line line = {.sku = shop->names[shop_pick(shop, worker->index)]};
        if (!reads_ok(shop, cellar_stock_get(shop->store, &line, &stock))) {
            return i;
        }
        worker->sink += (uint64_t)stock.available;
    }
    return count;
}

static uint64_t order_round(void *context, struct worker *worker, uint64_t count) {
    struct shop *shop = context;
    struct shop_thread *own = &shop->threads[worker->index];
    cellar_order_line lines[CELLAR_LINES_MAX];
    cellar_order order;

    /* Among many threads one may not have had its turn to place any. */
    if (worker->counter == 0 && shop->order.run(shop, worker, 1) != 1) {
        return 0;
    }
    for (uint64_t i = 0; i < count; i++) {
        uint64_t which = random_below(&own->random, (uint32_t)worker->counter);
        cellar_id id = shop_order_id(shop, worker->index, which);
        if (!reads_ok(shop, cellar_order_get(shop->store, id, &order, lines, shop->lines))) {
            return i;
        }
        worker->sink += (uint64_t)order.total + lines[0].product;
    }
    return count;
}

static uint64_t list_round(void *context, struct worker *worker, uint64_t count) {
    struct shop *shop = context;
    struct shop_thread *own = &shop->threads[worker->index];
    cellar_product_summary page[READS_PAGE];
    size_t found = 0;

    for (uint64_t i = 0; i < count; i++) {
        /* Not so near the end that the page would be shorter. */
        uint32_t from = READS_PAGE + random_below(&own->random, shop->skus - READS_PAGE);
        cellar_product_query query = {.category = SHOP_CATEGORY, .before = shop->products[from]};
        cellar_status status = cellar_product_list(shop->store, &query, page, READS_PAGE, &found);
        if (!reads_ok(shop, status) || found != READS_PAGE) {
            return i;
        }
        worker->sink += page[0].id;
    }
    return count;
}

static uint64_t snapshot_round(void *context, struct worker *worker, uint64_t count) {
    struct reads *reads = context;
    struct shop *shop = reads->shop;
    cellar_line lines[CELLAR_LINES_MAX];
    int64_t available[CELLAR_LINES_MAX];

    for (uint64_t i = 0; i < count; i++) {
        for (uint32_t at = 0; at < reads->snapshot_skus; at++) {
            lines[at] = (cellar_line){.sku = shop->names[shop_pick(shop, worker->index)]};
        }
        cellar_status status =
            cellar_stock_snapshot(shop->store, lines, reads->snapshot_skus, available, NULL, NULL);
        if (!reads_ok(shop, status)) {
            return i;
        }
        worker->sink += (uint64_t)available[0];
    }
    return count;
}

void reads_start(struct reads *reads, struct shop *shop, uint32_t snapshot_skus) {
    const struct load read = {.context = shop, .batch = 16, .sample_every = 16};

    reads->product = reads->stock = reads->order = reads->list = reads->snapshot = read;
    reads->product.name = "product by SKU";
    reads->product.run = product_round;
    reads->stock.name = "stock by SKU";
    reads->stock.run = stock_round;
    reads->order.name = "order by id";
    reads->order.run = order_round;
    reads->list.name = "page of a list";
    reads->list.run = list_round;
    reads->snapshot.name = "snapshot";
    reads->snapshot.run = snapshot_round;
    reads->snapshot.context = reads;
    reads->shop = shop;
    reads->snapshot_skus = snapshot_skus;
}
