/* Do calls that must know what has just been committed say FAILED, and return, when the log has
 * failed before that was written? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/held.h"
#include "support/orders.h"

#include "base/clock.h"

#include <errno.h>

static const cellar_id none = {0, 0};
static uint64_t last_lsn; /* of what was never written */

/* ---- A store whose log fails ---- */

/* One thing of each kind, on disk. */
static void fill(struct shop *shop) {
    const cellar_account_request collecting = {.id = 3, .collecting = true};
    const cellar_campaign campaign = shop_campaign(1, 50);
    shop_goods(shop, "a", 100);
    shop_account(shop, 1, 0, 1000);
    assert_int_equal(cellar_account_create(shop->store, NULL, &collecting, NULL, NULL), CELLAR_OK);
    shop_campaign_put(shop, &campaign);
    shop_order(shop, 1, "a", 1, CELLAR_ORDER_FULFILLED);
    /* Two that nobody expires but a caller short of units. */
    orders_stop_expiry(shop);
    shop_goods(shop, "held", 2);
    (void)orders_hold(shop, 4, "held", 1, 10);
    (void)orders_hold(shop, 5, "held", 1, 10);
    orders_pass(shop, 20);
    shop_settle(shop);
}

/* Committed while nothing is written or applied; then the next write fails. */
static void fail_behind(struct shop *shop) {
    held_begin(shop, HELD_FOLLOWER);
    memory_disk_hold_writes(shop->disk, true);
    shop_order(shop, 2, "a", 1, CELLAR_ORDER_FULFILLED);
    shop_order(shop, 3, "a", 1, CELLAR_ORDER_PLACED);
    assert_int_equal(cellar_code_add(shop->store, NULL, 1, "code 0", 3, NULL, NULL), CELLAR_OK);
    assert_int_equal(cellar_account_credit(shop->store, NULL, none, 1, 5, NULL, NULL), CELLAR_OK);
    last_lsn = shop_receive(shop, "a", 0, 1);
    memory_disk_fail_after(shop->disk, MEMORY_PWRITE, 0, EIO, true);
    memory_disk_hold_writes(shop->disk, false);
    assert_int_equal(cellar_wait(shop->store, last_lsn, -1), CELLAR_OUTCOME_UNKNOWN);
    held_end();
}

static int set_up(void **state) {
    static struct shop shop;
    shop_prepare(&shop);
    shop_open(&shop);
    fill(&shop);
    fail_behind(&shop);
    *state = &shop;
    return 0;
}

static int tear_down(void **state) {
    shop_abandon(*state);
    return 0;
}

/* ---- The calls ---- */

static cellar_order order_out;
static cellar_account account_out;
static cellar_entry entry_out;
static size_t count_out;

static cellar_status list(struct shop *shop, cellar_order_query query) {
    return cellar_order_list(shop->store, &query, &order_out, 1, &count_out, NULL, 0);
}

static cellar_status history(struct shop *shop) {
    const cellar_line line = shop_line("a", 0, 0, 0);
    cellar_movement movement;
    return cellar_stock_history(shop->store, &line, 0, &movement, 1, &count_out);
}

static cellar_status give_back(struct shop *shop) {
    const cellar_order_part part = {0, 1};
    const cellar_order_change change = orders_change(CELLAR_EVENT_RETURN, 2, 99, &part, 1);
    return orders_try(shop, &change, NULL);
}

static cellar_status place_again(struct shop *shop) {
    const cellar_line line = shop_line("a", 0, 1, 100);
    cellar_order_request request = shop_order_request(2, &line, 1);
    request.state = CELLAR_ORDER_FULFILLED;
    return cellar_order_place(shop->store, NULL, &request, NULL, NULL);
}

static cellar_status place_beside_overdue(struct shop *shop) {
    const cellar_line line = shop_line("held", 0, 1, 100);
    const cellar_order_request request = shop_order_request(6, &line, 1);
    return cellar_order_place(shop->store, NULL, &request, NULL, NULL);
}

static cellar_status get_code(struct shop *shop) {
    cellar_code code;
    return cellar_code_get(shop->store, "code 0", &code);
}

static cellar_status audit(struct shop *shop) {
    cellar_audit found;
    return cellar_audit_run(shop->store, &found);
}

#define CALLS(X)                                                                                   \
    X(cellar_wait_listed(shop->store, last_lsn, -1))                                               \
    X(cellar_order_at(shop->store, shop_id(1), last_lsn, &order_out, NULL, 0))                     \
    X(cellar_order_get(shop->store, shop_id(2), &order_out, NULL, 0))                              \
    X(cellar_order_get(shop->store, shop_id(3), &order_out, NULL, 0))                              \
    X(list(shop, (cellar_order_query){.state = CELLAR_ORDER_PAID, .before = shop_id(3)}))          \
    X(cellar_account_journal(shop->store, 1, 0, &entry_out, 1, &count_out))                        \
    X(cellar_account_at(shop->store, 1, last_lsn, 0, &account_out))                                \
    X(cellar_account_at(shop->store, 3, last_lsn, 0, &account_out))                                \
    X(cellar_account_collected(shop->store, 3, 0, &entry_out, 1, &count_out))                      \
    X(history(shop))                                                                               \
    X(give_back(shop))                                                                             \
    X(place_again(shop))                                                                           \
    X(place_beside_overdue(shop))                                                                  \
    X(get_code(shop))                                                                              \
    X(audit(shop))

static void test_each_call_says_so(void **state) {
    struct shop *shop = *state;
#define CALL(expression)                                                                           \
    {                                                                                              \
        cellar_status status = (expression);                                                       \
        if (status != CELLAR_FAILED) {                                                             \
            fail_msg("%s: %s", #expression, cellar_status_name(status));                           \
        }                                                                                          \
    }
    CALLS(CALL)
#undef CALL
}

/* What was written is still told. */
static void test_what_was_written_is_read(void **state) {
    struct shop *shop = *state;
    assert_int_equal(cellar_order_get(shop->store, shop_id(1), &order_out, NULL, 0), CELLAR_OK);
    assert_int_equal(order_out.state, CELLAR_ORDER_FULFILLED);
    uint64_t lsn = order_out.version;
    assert_int_equal(cellar_order_at(shop->store, shop_id(1), lsn, &order_out, NULL, 0), CELLAR_OK);
    assert_int_equal(order_out.version, lsn);
    assert_int_equal(list(shop, (cellar_order_query){.state = CELLAR_ORDER_FULFILLED}), CELLAR_OK);
    assert_int_equal(count_out, 1);
    assert_int_equal(order_out.id.low, 1);
    assert_int_equal(shop_available(shop, "a", 0), 98);
    assert_int_equal(shop_balance(shop, 1), 1005);
}

/* What is overdue is tried again and again, and does not keep the store from being closed. */
static void test_expiry_goes_on_trying(void **state) {
    struct shop *shop = *state;
    orders_start_expiry(shop);
    while (ATOMIC_LOAD(&shop->store->expiry.head, acquire) == 0) {
        clock_sleep_ns(ORDERS_MS);
    }
    assert_int_equal(shop_order_get(shop, 4).state, CELLAR_ORDER_PLACED);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_each_call_says_so),
        TEST(test_what_was_written_is_read),
        TEST(test_expiry_goes_on_trying),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
