#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/recovery.h"

#include <string.h>

#define CELLS_MAX 8
#define RECORD_BYTES_MAX 200000
/* LSNs lie far apart, so that a record may be of any size. */
#define LSN_FIRST 4096
#define LSN_STEP (1 << 20)

struct recovery recovery;

static uint64_t next_lsn;
static _Alignas(64) unsigned char bytes_made[RECORD_BYTES_MAX];
static uint32_t cells[CELLS_MAX];
static struct record_update updates[CELLS_MAX];
static uint32_t cell_count;

int recovery_set_up(void **unused) {
    const struct store_limits limits = {.products = RECOVERY_LIMIT,
                                        .stocks = RECOVERY_LIMIT,
                                        .accounts = RECOVERY_LIMIT,
                                        .orders = RECOVERY_LIMIT,
                                        .customers = RECOVERY_LIMIT,
                                        .leases = RECOVERY_LIMIT,
                                        .coupons = {.campaigns = RECOVERY_LIMIT,
                                                    .grants = RECOVERY_LIMIT,
                                                    .codes = RECOVERY_LIMIT}};
    struct commit_config config = {.ring_bytes = COMMIT_RING_BYTES_MIN, .followed = true};
    (void)unused;
    recovery.memory = memory_create();
    config.memory = recovery.memory;
    store_cell_limits(&limits, config.limits);
    assert_int_equal(commit_create(&recovery.commit, &config), CELLAR_OK);
    assert_int_equal(store_create(&recovery.store, recovery.commit, recovery.memory, &limits),
                     CELLAR_OK);
    next_lsn = LSN_FIRST;
    cell_count = 0;
    return 0;
}

int recovery_tear_down(void **unused) {
    (void)unused;
    commit_halt(recovery.commit);
    store_destroy(recovery.store);
    commit_destroy(recovery.commit);
    memory_destroy(recovery.memory);
    return 0;
}

void recovery_change(uint32_t cell, int64_t value) {
    struct cell_content content = cell_load(&recovery.commit->cells[cell]);
    assert_true(cell_count < CELLS_MAX);
    cells[cell_count] = cell;
    updates[cell_count++] = (struct record_update){
        .expected = content.version, .old_value = content.value, .new_value = value};
}

struct record_header *recovery_record(uint16_t kind, const void *payload, size_t bytes) {
    struct record_header *record = (struct record_header *)(void *)bytes_made;
    size_t offset = record_payload_offset(cell_count);
    assert_true(offset + bytes <= sizeof bytes_made);
    memset(bytes_made, 0, sizeof bytes_made);
    *record = (struct record_header){.lsn = next_lsn,
                                     .time_ns = 7,
                                     .kind = kind,
                                     .cell_count = (uint16_t)cell_count,
                                     .bytes = (uint32_t)(offset + bytes)};
    memcpy(record + 1, updates, cell_count * sizeof *updates);
    memcpy((unsigned char *)(record + 1) + cell_count * sizeof *updates, cells,
           cell_count * sizeof *cells);
    if (bytes != 0) {
        memcpy(bytes_made + offset, payload, bytes);
    }
    cell_count = 0;
    next_lsn += LSN_STEP;
    return record;
}

int recovery_redo(const struct record_header *record) {
    uint32_t cell;
    if (!store_record_check(recovery.store, record)) {
        return RECOVERY_MALFORMED;
    }
    return commit_redo(recovery.commit, record, &cell) == COMMIT_REDO_BROKEN
               ? STORE_APPLY_BROKEN
               : (int)store_apply(recovery.store, record);
}

void recovery_force(uint32_t cell, int64_t value) {
    uint32_t broken;
    recovery_change(cell, value);
    assert_int_not_equal(
        commit_redo(recovery.commit, recovery_record(STORE_STOCK_TAKE, NULL, 0), &broken),
        COMMIT_REDO_BROKEN);
}

/* ---- Products ---- */

struct recovery_product recovery_product(uint32_t slot, uint32_t stock, uint32_t block,
                                         const char *sku) {
    struct recovery_product product = {
        .header = {
            .product = slot, .stock = stock, .block = block, .sku_bytes = (uint8_t)strlen(sku)}};
    strcpy(product.text, sku);
    return product;
}

const struct record_header *recovery_product_record(const struct recovery_product *product,
                                                    size_t bytes) {
    recovery_change(store_product_cell(product->header.product), product->header.block);
    recovery_change(store_stock_cell(product->header.stock, STORE_STOCK_SELLABLE), 0);
    return recovery_record(STORE_PRODUCT, product, bytes);
}

int recovery_put(uint32_t slot, uint32_t stock, uint32_t block, const char *sku) {
    struct recovery_product product = recovery_product(slot, stock, block, sku);
    return recovery_redo(recovery_product_record(&product, sizeof product.header + strlen(sku)));
}

struct recovery_entry recovery_entry_of(uint8_t type, uint64_t account, int64_t amount) {
    return (struct recovery_entry){
        .header = {.total = amount, .type = type, .flags = PAYLOAD_ACCOUNT}, .account = account};
}
