/* Does opening refuse a log that is sound as a log, but whose records change what belongs to
 * nothing? The forger has the log and the cells of the library, so checksums and versions are
 * right: only what the records mean is wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/rewrite.h"

#include "base/clock.h"
#include "log/log.h"

#include <string.h>

#define PATIENCE_NS (10 * NANOSECONDS_PER_SECOND)

/* ---- Forging ---- */

static cellar_status forger_visit(void *commit, const struct record_header *record,
                                  cellar_problem *problem) {
    uint32_t cell;
    (void)problem;
    return commit_redo(commit, record, &cell) == COMMIT_REDO_BROKEN ? CELLAR_CORRUPT : CELLAR_OK;
}

/* The change of a stock that has no lines and no id: a record that says nothing but its cells. */
static enum commit_outcome forge_commit(struct commit *commit, uint32_t cell, int64_t value,
                                        uint64_t *lsn_out) {
    static const struct payload_document nothing;
    commit_enter();
    struct cell_content content = commit_read_settled(commit, cell);
    const struct commit_change change = {
        .cell = cell,
        .update = {.expected = content.version, .old_value = content.value, .new_value = value}};
    const struct commit_request request = {.changes = &change,
                                           .change_count = 1,
                                           .kind = STORE_STOCK_CHANGE,
                                           .payload = &nothing,
                                           .payload_bytes = sizeof nothing,
                                           .time_ns = SHOP_NOW + NANOSECONDS_PER_SECOND};
    enum commit_outcome outcome = commit_try(commit, &request, lsn_out);
    commit_leave();
    return outcome;
}

/* Adds a record to the log of a shop that is closed, which changes this cell. */
static void forge(struct shop *shop, uint32_t cell, int64_t value) {
    struct memory *memory = memory_create();
    const struct log_config log_config = {.io = shop->options.io,
                                          .directory = shop->directory,
                                          .segment_bytes = shop->config.segment_bytes,
                                          .ring_bytes = shop->config.ring_bytes,
                                          .memory = memory};
    struct commit_config config = {.ring_bytes = shop->config.ring_bytes, .memory = memory};
    for (uint32_t class = 0; class < CELL_CLASS_COUNT; class ++) {
        config.limits[class] = 1024;
    }
    struct commit *commit;
    struct log *log;
    cellar_problem problem;
    uint64_t lsn = 0;
    assert_int_equal(commit_create(&commit, &config), CELLAR_OK);
    assert_int_equal(log_open(&log, &log_config, &problem), CELLAR_OK);
    assert_int_equal(log_replay(log, forger_visit, commit, &problem), CELLAR_OK);
    assert_int_equal(commit_start(commit, log_start_lsn(log)), CELLAR_OK);
    assert_int_equal(log_start(log, commit, &problem), CELLAR_OK);
    enum commit_outcome outcome;
    do {
        /* On a busy machine the log writer may give this thread up. */
        outcome = forge_commit(commit, cell, value, &lsn);
    } while (outcome == COMMIT_PASSED_OVER);
    assert_int_equal(outcome, COMMIT_DONE);
    assert_int_equal(log_wait(log, lsn, clock_monotonic_ns() + PATIENCE_NS), CELLAR_OK);
    assert_int_equal(log_stop(log), CELLAR_OK);
    log_destroy(log);
    commit_destroy(commit);
    memory_destroy(memory);
}

/* ---- Tests ---- */

/* One object of each kind, in slot 1 of its kind; closed. */
static void furnish(struct shop *shop) {
    cellar *store;
    shop_prepare(shop);
    shop_open(shop);
    store = shop->store;
    shop_goods(shop, "a", 10);
    shop_account(shop, 1, 0, 0);
    const cellar_campaign campaign = shop_campaign(1, 5);
    shop_campaign_put(shop, &campaign);
    assert_int_equal(shop_claim(shop, 1, 1), 1);
    assert_int_equal(cellar_code_add(store, NULL, 1, "code 0", 3, NULL, NULL), CELLAR_OK);
    assert_int_equal(cellar_lease_acquire(store, NULL, "job", 9, 1000, NULL, NULL), CELLAR_OK);
    shop_order(shop, 1, "a", 1, CELLAR_ORDER_PLACED);
    shop_close(shop);
}

/* What is there may be changed: so it is for its cell that the forger's record is refused below. */
static void test_what_is_known_opens(void **unused) {
    const uint32_t cells[] = {coupon_grant_cell(1),  coupon_code_cell(1),
                              store_lease_cell(1),   store_account_cell(1),
                              store_settled_cell(1), coupon_campaign_cell(1, COUPON_HOLES),
                              store_product_cell(1), store_stock_cell(1, STORE_STOCK_SAFETY_CELL),
                              store_order_cell(1),   store_order_cell(2)};
    (void)unused;
    for (size_t i = 0; i < sizeof cells / sizeof *cells; i++) {
        struct shop shop;
        furnish(&shop);
        forge(&shop, cells[i], cells[i] == store_order_cell(2) ? -1 : CELLAR_ORDER_PLACED);
        shop_open(&shop);
        shop_abandon(&shop);
    }
}

static void test_what_is_unknown_is_refused(void **unused) {
    const struct {
        uint32_t cell;
        int64_t value;
    } rows[] = {
        {store_order_cell(0), CELLAR_ORDER_PLACED},
        {store_order_cell(0), -1},
        {store_order_cell(1), 0},
        {store_order_cell(1), STORE_STATE_COUNT},
        {store_order_cell(1), CELLAR_ACCOUNT_HOLD_EXPIRED + 1},
        {store_order_cell(500), CELLAR_ORDER_PLACED},
        {coupon_grant_cell(0), 1},
        {coupon_grant_cell(500), 1},
        {coupon_code_cell(0), 1},
        {coupon_code_cell(500), 1},
        {store_lease_cell(0), 1},
        {store_lease_cell(500), 1},
        {store_account_cell(0), 1},
        {store_account_cell(200), 1},
        {store_settled_cell(0), 1},
        {store_settled_cell(500), 1},
        {store_product_cell(0), 1},
        {store_product_cell(500), 1},
        {coupon_campaign_cell(0, COUPON_CLAIMED), 1},
        {coupon_campaign_cell(60, COUPON_BUDGET), 1},
        {store_stock_cell(0, STORE_STOCK_SAFETY_CELL), 1},
        {store_stock_cell(200, STORE_STOCK_SAFETY_CELL), 1},
    };
    (void)unused;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct shop shop;
        cellar_problem problem;
        furnish(&shop);
        forge(&shop, rows[i].cell, rows[i].value);
        cellar_status status = shop_try_open(&shop, &problem);
        if (status != CELLAR_CORRUPT || strstr(problem.text, "contradicts") == NULL) {
            fail_msg("row %zu: %s %s", i, cellar_status_name(status), problem.text);
        }
        shop_abandon(&shop);
    }
}

/* A record of the log is another one when the store is opened next, under a right checksum. */
static void test_what_was_rewritten_is_refused(void **unused) {
    enum change {
        OTHER_VERSION,
        CELL_OF_NO_CLASS,
        CELL_BEYOND_THE_LIMIT,
        MALFORMED,
        CHANGE_COUNT
    };
    (void)unused;
    for (int change = 0; change < CHANGE_COUNT; change++) {
        struct shop shop;
        struct rewrite rewrite;
        cellar_problem problem;
        furnish(&shop);
        shop_open(&shop);
        rewrite_begin(&rewrite, &shop, shop_order_get(&shop, 1).placed_lsn);
        uint32_t last = rewrite.record->cell_count - 1u;
        if (change == OTHER_VERSION) {
            rewrite_update(&rewrite, last)->expected += RECORD_LINE_BYTES;
        } else if (change == CELL_OF_NO_CLASS) {
            *rewrite_cell(&rewrite, last) = CELL_INDEX(CELL_CLASS_COUNT - 1, 1);
        } else if (change == CELL_BEYOND_THE_LIMIT) {
            *rewrite_cell(&rewrite, last) = store_stock_cell(100000, STORE_STOCK_SELLABLE);
        } else {
            ((struct payload_document *)rewrite_payload(&rewrite))->line_count++;
        }
        rewrite_put(&rewrite);
        shop_close(&shop);
        cellar_status expected =
            change == CELL_BEYOND_THE_LIMIT ? CELLAR_CONFIG_MISMATCH : CELLAR_CORRUPT;
        cellar_status status = shop_try_open(&shop, &problem);
        if (status != expected) {
            fail_msg("change %d: %s %s", change, cellar_status_name(status), problem.text);
        }
        rewrite_end(&rewrite);
        shop_open(&shop);
        shop_abandon(&shop);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_known_opens),
        cmocka_unit_test(test_what_is_unknown_is_refused),
        cmocka_unit_test(test_what_was_rewritten_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
