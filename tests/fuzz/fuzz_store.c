/* Does the whole engine give a clear answer to any log, however wrong, as long as it is a log?
 *
 * The directory (see image.h; its records have right checksums unless the fuzzer wants otherwise)
 * is opened. A refusal must be one of those the header allows, must say why, and must have left the
 * disk as it was. A store that opens is walked through by every call that reads, changed a little,
 * and closed; it must open again, with the same totals. What a forged log says need not make sense,
 * so the audit may find violations; it must come to its end. */
#include "cellar.h"

#include "base/assert.h"
#include "engine/engine.h"
#include "image.h"

#include <stdbool.h>
#include <string.h>

#define PAGE 16
#define LINES 8
#define NOW INT64_C(1700000000000000000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static int64_t directory_clock(void *context) {
    (void)context;
    return NOW;
}

static cellar_status directory_open(struct memory_disk *disk, cellar **store) {
    const cellar_config config = {.size = sizeof config,
                                  .directory = IMAGE_DIRECTORY,
                                  .ring_bytes = COMMIT_RING_BYTES_MIN,
                                  .segment_bytes = UINT64_C(1) << 20,
                                  .products_max = 256,
                                  .stocks_max = 512,
                                  .accounts_max = 256,
                                  .orders_max = 1024,
                                  .durability = CELLAR_RELAXED,
                                  .clock = directory_clock};
    const struct engine_options options = {.io = memory_disk_io(disk)};
    cellar_problem problem;
    cellar_status status = engine_open(&config, &options, store, &problem);

    ASSERT(status == problem.status);
    ASSERT(status == CELLAR_OK || status == CELLAR_CORRUPT || status == CELLAR_UNKNOWN_FORMAT ||
           status == CELLAR_CONFIG_MISMATCH);
    ASSERT((status == CELLAR_OK) == (problem.text[0] == '\0'));
    return status;
}

/* ---- Reading ---- */

static void walk_stock(cellar *store, const char *sku) {
    cellar_movement movements[PAGE];
    cellar_stock stock;
    size_t count;
    int64_t available;
    uint64_t lsn;

    for (uint32_t location = 0; location < 3; location++) {
        const cellar_line line = {.sku = sku, .location = location, .quantity = 1};
        (void)cellar_stock_get(store, &line, &stock);
        (void)cellar_stock_snapshot(store, &line, 1, &available, &lsn, NULL);
        (void)cellar_stock_history(store, &line, 0, movements, PAGE, &count);
    }
}

static void walk_product(cellar *store, const cellar_product_summary *summary) {
    static unsigned char attributes[CELLAR_ATTRIBUTES_BYTES_MAX];
    cellar_product product;
    cellar_product_summary page[PAGE];
    size_t count;

    /* What is listed is there; a forged SKU may hold a zero, which no call can name. */
    cellar_status status = cellar_product_get(store, NULL, summary->id, &product);
    ASSERT(status == CELLAR_OK);
    (void)cellar_product_get(store, summary->sku, 0, &product);
    (void)cellar_product_attributes(store, &product, attributes, sizeof attributes);
    const cellar_product_query query = {.category = product.category};
    (void)cellar_product_list(store, &query, page, PAGE, &count);
    walk_stock(store, summary->sku);
}

static void walk_products(cellar *store) {
    cellar_product_summary page[PAGE];
    size_t count;

    for (int state = 0; state <= CELLAR_PRODUCT_DISCONTINUED; state++) {
        const cellar_product_query query = {.status = (cellar_product_status)state};
        if (cellar_product_list(store, &query, page, PAGE, &count) == CELLAR_OK) {
            for (size_t i = 0; i < count; i++) {
                walk_product(store, &page[i]);
            }
        }
    }
}

/* Lists orders, gets each, and makes a step of it. */
static void walk_orders(cellar *store) {
    cellar_order page[PAGE];
    cellar_order_line lines[LINES];
    cellar_order order;
    size_t count;

    for (int state = CELLAR_ORDER_PLACED; state <= CELLAR_ORDER_RETURNED; state++) {
        const cellar_order_query query = {.state = (cellar_order_state)state};
        if (cellar_order_list(store, &query, page, PAGE, &count, lines, LINES) != CELLAR_OK) {
            continue;
        }
        for (size_t i = 0; i < count; i++) {
            const cellar_order_query mine = {.customer = page[i].customer};
            size_t found;
            (void)cellar_order_get(store, page[i].id, &order, lines, LINES);
            (void)cellar_order_list(store, &mine, &order, 1, &found, NULL, 0);
            (void)cellar_order_cancel(store, NULL, page[i].id, NULL, NULL);
        }
    }
}

static void walk_changes(cellar *store) {
    const cellar_product product = {.sku = "new"};
    const cellar_line line = {.sku = "new", .location = 1, .quantity = 3};
    const cellar_stock_change change = {.id = {1, 1}, .lines = &line, .line_count = 1};
    const cellar_order_request request = {.id = {1, 2}, .lines = &line, .line_count = 1};

    (void)cellar_product_put(store, NULL, &product, CELLAR_VERSION_ANY, NULL, NULL);
    (void)cellar_stock_receive(store, NULL, &change, NULL, NULL);
    (void)cellar_order_place(store, NULL, &request, NULL, NULL);
    for (uint64_t account = 1; account < 4; account++) {
        cellar_account there;
        (void)cellar_account_get(store, account, &there);
        (void)cellar_account_debit(store, NULL, (cellar_id){0, 0}, account, 1, NULL, NULL);
    }
}

/* ---- One directory ---- */

static void walk_audit(cellar *store, cellar_totals *totals) {
    cellar_audit audit;
    cellar_status status = cellar_audit_run(store, &audit);

    ASSERT(status == CELLAR_OK);
    *totals = audit.totals;
    /* Positions differ from one opening to the next. */
    totals->lsn = 0;
}

static void directory_close(cellar *store) {
    cellar_status status = cellar_close(store);

    ASSERT(status == CELLAR_OK);
}

static void directory_again(struct memory_disk *disk, const cellar_totals *before) {
    cellar_totals after;
    cellar *store;
    cellar_status status = directory_open(disk, &store);

    ASSERT(status == CELLAR_OK);
    walk_audit(store, &after);
    ASSERT(memcmp(&after, before, sizeof after) == 0);
    directory_close(store);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    struct memory_disk *disk = image_create(data, bytes);
    uint64_t before = memory_disk_fingerprint(disk);
    cellar_totals totals;
    cellar *store;

    if (directory_open(disk, &store) == CELLAR_OK) {
        walk_products(store);
        walk_changes(store);
        walk_orders(store);
        walk_audit(store, &totals);
        directory_close(store);
        directory_again(disk, &totals);
    } else {
        ASSERT(memory_disk_fingerprint(disk) == before);
    }
    memory_disk_destroy(disk);
    return 0;
}
