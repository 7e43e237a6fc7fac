/* While the disk hangs: do relaxed sales go on, step by step and read at once, as what follows the
 * log goes ahead of it for those who ask; and does who reads the log's files wait for them? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/held.h"
#include "support/orders.h"

#include "base/clock.h"

#include <pthread.h>
#include <stdlib.h>

static const cellar_id none = {0, 0};

/* From here on the log writer stands, as in a sync that does not end. What is not written. */
static uint64_t hang(struct shop *shop) {
    held_begin(shop, HELD_WRITER);
    return ATOMIC_LOAD(&shop->store->commit->written.lsn, acquire);
}

static void check_hangs(struct shop *shop, uint64_t written) {
    assert_int_equal(ATOMIC_LOAD(&shop->store->commit->written.lsn, acquire), written);
}

static void fill(struct shop *shop) {
    const cellar_campaign campaign = shop_campaign(1, 10);
    shop_goods(shop, "a", 100);
    shop_goods(shop, "b", 2);
    orders_safety(shop, "b", -10);
    shop_account(shop, 1, 0, 1000);
    shop_campaign_put(shop, &campaign);
}

static void test_sales_go_on(void **state) {
    struct shop *shop = *state;
    cellar_order page[4];
    size_t count;
    cellar_account_hold_info hold;
    cellar_code code;
    cellar_line line = shop_line("a", 0, 3, 10);
    cellar_order_request request = shop_order_request(1, &line, 1);
    fill(shop);
    uint64_t written = hang(shop);
    for (uint64_t id = 1; id <= 20; id++) {
        request.id = shop_id(id);
        request.customer = 7;
        assert_int_equal(cellar_order_place(shop->store, NULL, &request, NULL, NULL), CELLAR_OK);
        assert_int_equal(shop_order_get(shop, id).state, CELLAR_ORDER_PLACED);
        assert_int_equal(cellar_order_pay(shop->store, NULL, shop_id(id), 1, NULL, NULL),
                         CELLAR_OK);
        orders_part(shop, CELLAR_EVENT_FULFIL, id, 100 + id, 0, 2);
        assert_int_equal(orders_line(shop, id, 0).fulfilled, 2);
        orders_part(shop, CELLAR_EVENT_CANCEL, id, 200 + id, 0, 1);
        assert_int_equal(shop_order_get(shop, id).state, CELLAR_ORDER_FULFILLED);
        const cellar_order_query query = {.customer = 7};
        cellar_order newest;
        assert_int_equal(cellar_order_list(shop->store, &query, &newest, 1, &count, NULL, 0),
                         CELLAR_OK);
        assert_int_equal(newest.id.low, id);
    }
    /* What is back-ordered waits for who came first; a receipt covers it. */
    (void)shop_order(shop, 30, "b", 4, CELLAR_ORDER_PAID);
    (void)shop_order(shop, 31, "b", 1, CELLAR_ORDER_PAID);
    assert_int_equal(orders_line(shop, 30, 0).uncovered, 2);
    cellar_refusal refusal;
    assert_int_equal(orders_try_whole(shop, CELLAR_EVENT_FULFIL, 31, &refusal),
                     CELLAR_OUT_OF_STOCK);
    (void)shop_receive(shop, "b", 0, 3);
    orders_whole(shop, CELLAR_EVENT_FULFIL, 31);
    /* Holds, codes, lists, and the audit. */
    assert_int_equal(cellar_account_hold(shop->store, NULL, shop_id(50), 1, 5, 0, NULL, NULL),
                     CELLAR_OK);
    assert_int_equal(cellar_account_hold_get(shop->store, shop_id(50), &hold), CELLAR_OK);
    assert_int_equal(cellar_account_void(shop->store, NULL, shop_id(50), NULL, NULL), CELLAR_OK);
    assert_int_equal(cellar_code_add(shop->store, NULL, 1, "SPRING", 3, NULL, NULL), CELLAR_OK);
    assert_int_equal(cellar_code_get(shop->store, "SPRING", &code), CELLAR_OK);
    assert_int_equal(code.left, 3);
    uint64_t last = shop_receive(shop, "a", 0, 1);
    assert_int_equal(cellar_wait_listed(shop->store, last, -1), CELLAR_OK);
    const cellar_order_query query = {.state = CELLAR_ORDER_PAID};
    assert_int_equal(cellar_order_list(shop->store, &query, page, 4, &count, NULL, 0), CELLAR_OK);
    assert_int_equal(count, 1);
    assert_int_equal(shop_audit(shop).totals.units_reserved, 4);
    assert_true(cellar_durable_lsn(shop->store) <= written);
    check_hangs(shop, written);
    held_end();
    shop_settle(shop);
    char *before = shop_describe(shop);
    shop_reopen(shop);
    char *after = shop_describe(shop);
    shop_check_same(before, after, "what was applied ahead of the disk, and recovered");
    free(before);
    free(after);
}

/* Nobody waits: what is reserved is known all the same, soon. */
static void test_sums_go_on(void **state) {
    struct shop *shop = *state;
    fill(shop);
    uint64_t written = hang(shop);
    (void)shop_order(shop, 1, "a", 3, CELLAR_ORDER_PLACED);
    for (int i = 0; i < 20000 && shop_stock(shop, "a", 0).reserved == 0; i++) {
        clock_sleep_ns(ORDERS_MS);
    }
    assert_int_equal(shop_stock(shop, "a", 0).reserved, 3);
    check_hangs(shop, written);
    held_end();
}

/* ---- What is read from the log's files ---- */

struct reader {
    struct shop *shop;
    cellar_status (*read)(struct shop *shop);
    cellar_status status;
    _Atomic bool returned;
};

static cellar_movement movement;
static cellar_entry entry;
static cellar_order past;
static uint64_t past_lsn;
static size_t movement_count;
static size_t entry_count;

static cellar_status read_history(struct shop *shop) {
    const cellar_line line = shop_line("a", 0, 0, 0);
    return cellar_stock_history(shop->store, &line, 0, &movement, 1, &movement_count);
}

static cellar_status read_journal(struct shop *shop) {
    return cellar_account_journal(shop->store, 1, 0, &entry, 1, &entry_count);
}

static cellar_status read_past(struct shop *shop) {
    return cellar_order_at(shop->store, shop_id(1), past_lsn, &past, NULL, 0);
}

static void *reader_run(void *argument) {
    struct reader *reader = argument;
    reader->status = reader->read(reader->shop);
    ATOMIC_STORE(&reader->returned, true, release);
    return NULL;
}

static void test_files_are_waited_for(void **state) {
    struct shop *shop = *state;
    static cellar_status (*const reads[])(struct shop *) = {read_history, read_journal, read_past};
    enum {
        READS = sizeof reads / sizeof *reads
    };
    struct reader readers[READS];
    pthread_t threads[READS];
    fill(shop);
    uint64_t written = hang(shop);
    past_lsn = shop_order(shop, 1, "a", 2, CELLAR_ORDER_PLACED).lsn;
    assert_int_equal(cellar_account_credit(shop->store, NULL, none, 1, 5, NULL, NULL), CELLAR_OK);
    /* Applied, but not written. */
    assert_int_equal(shop_order_get(shop, 1).state, CELLAR_ORDER_PLACED);
    for (size_t i = 0; i < READS; i++) {
        readers[i] = (struct reader){.shop = shop, .read = reads[i]};
        assert_int_equal(pthread_create(&threads[i], NULL, reader_run, &readers[i]), 0);
    }
    bool returned = false;
    for (int i = 0;
         !returned && (i < 20 || ATOMIC_LOAD(&shop->store->listed_waiters, seq_cst) < READS); i++) {
        clock_sleep_ns(ORDERS_MS);
        for (size_t at = 0; at < READS; at++) {
            returned |= ATOMIC_LOAD(&readers[at].returned, acquire);
        }
    }
    check_hangs(shop, written);
    held_end();
    for (size_t i = 0; i < READS; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_false(returned);
    for (size_t i = 0; i < READS; i++) {
        assert_int_equal(readers[i].status, CELLAR_OK);
    }
    assert_int_equal(movement.kind, CELLAR_MOVEMENT_ORDERED);
    assert_int_equal(movement.change, -2);
    assert_int_equal(entry.amount, 5);
    assert_int_equal(past.total, shop_order_get(shop, 1).total);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SHOP_TEST(test_sales_go_on),
        SHOP_TEST_ORACLE(test_sales_go_on),
        SHOP_TEST(test_sums_go_on),
        SHOP_TEST(test_files_are_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
