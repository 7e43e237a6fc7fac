/* Are units sold before they are here down to the limit and no further, does a receipt serve those
 * who came first, and does nothing leave that is not here, whatever has just happened? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/orders.h"

#include <string.h>

#define LIMIT 20

/* "a": none here, up to LIMIT to be sold all the same. */
static void fill(struct shop *shop) {
    shop_product(shop, "a");
    orders_safety(shop, "a", -LIMIT);
}

static cellar_status try_order(struct shop *shop, uint64_t id, int64_t quantity,
                               cellar_order_state state, cellar_refusal *refusal) {
    cellar_line line = shop_line("a", 0, quantity, 100);
    cellar_order_request request = shop_order_request(id, &line, 1);
    request.state = state;
    return cellar_order_place(shop->store, NULL, &request, NULL, refusal);
}

static void check_uncovered(struct shop *shop, const int64_t *expected, size_t count) {
    shop_settle(shop);
    for (size_t i = 0; i < count; i++) {
        int64_t uncovered = orders_line(shop, i + 1, 0).uncovered;
        if (uncovered != expected[i]) {
            fail_msg("order %zu: %lld units uncovered, not %lld", i + 1, (long long)uncovered,
                     (long long)expected[i]);
        }
    }
}

static void test_down_to_the_limit(void **state) {
    struct shop *shop = *state;
    static const struct {
        const char *name;
        int64_t quantity;
        cellar_status status;
        int64_t available; /* after it */
    } rows[] = {
        /* name  quantity  status  available after it */
        {"one more than the limit", LIMIT + 1, CELLAR_OUT_OF_STOCK, 0},
        {"a part", 5, CELLAR_OK, -5},
        {"one more than is left", LIMIT - 4, CELLAR_OUT_OF_STOCK, -5},
        {"all that is left", LIMIT - 5, CELLAR_OK, -LIMIT},
        {"one beyond the limit", 1, CELLAR_OUT_OF_STOCK, -LIMIT},
    };
    fill(shop);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        cellar_refusal refusal;
        int64_t left = LIMIT + shop_available(shop, "a", 0);
        shop_freeze(shop);
        cellar_status status =
            try_order(shop, i + 1, rows[i].quantity, CELLAR_ORDER_PAID, &refusal);
        assert_int_equal(status, rows[i].status);
        assert_int_equal(shop_available(shop, "a", 0), rows[i].available);
        if (status != CELLAR_OK) {
            shop_check_refusal(&refusal, CELLAR_OUT_OF_STOCK, 0, left, rows[i].quantity);
            shop_check_frozen(shop, rows[i].name);
        }
    }
    shop_settle(shop);
    cellar_stock stock = shop_stock(shop, "a", 0);
    assert_int_equal(stock.reserved, LIMIT);
    assert_int_equal(stock.on_hand, 0);
}

/* What leaves at once must be here: an order placed as fulfilled, units taken without an order,
 * units moved, set aside or counted off. */
static void test_what_leaves_at_once_must_be_here(void **state) {
    struct shop *shop = *state;
    cellar_refusal refusal;
    cellar_line line = shop_line("a", 0, 4, 0);
    cellar_stock_change change = {.lines = &line, .line_count = 1};
    fill(shop);
    shop_receive(shop, "a", 0, 3);
    shop_freeze(shop);
    assert_int_equal(try_order(shop, 1, 4, CELLAR_ORDER_FULFILLED, &refusal), CELLAR_OUT_OF_STOCK);
    shop_check_refusal(&refusal, CELLAR_OUT_OF_STOCK, 0, 3, 4);
    assert_int_equal(cellar_stock_take(shop->store, NULL, &line, NULL, &refusal),
                     CELLAR_OUT_OF_STOCK);
    shop_check_refusal(&refusal, CELLAR_OUT_OF_STOCK, 0, 3, 4);
    assert_int_equal(cellar_stock_set_aside(shop->store, NULL, &change, NULL, &refusal),
                     CELLAR_OUT_OF_STOCK);
    line.quantity = -4;
    assert_int_equal(cellar_stock_adjust(shop->store, NULL, &change, NULL, &refusal),
                     CELLAR_OUT_OF_STOCK);
    shop_check_frozen(shop, "after what may not leave");
    assert_int_equal(try_order(shop, 1, 3, CELLAR_ORDER_FULFILLED, NULL), CELLAR_OK);
    assert_int_equal(try_order(shop, 2, 1, CELLAR_ORDER_PAID, NULL), CELLAR_OK);
    shop_freeze(shop);
    assert_int_equal(try_order(shop, 3, 1, CELLAR_ORDER_FULFILLED, &refusal), CELLAR_OUT_OF_STOCK);
    shop_check_refusal(&refusal, CELLAR_OUT_OF_STOCK, 0, 0, 1);
    line.quantity = 1;
    assert_int_equal(cellar_stock_take(shop->store, NULL, &line, NULL, &refusal),
                     CELLAR_OUT_OF_STOCK);
    shop_check_refusal(&refusal, CELLAR_OUT_OF_STOCK, 0, 0, 1);
    shop_check_frozen(shop, "after what may not leave when less than none is available");
}

/* Each receipt serves the oldest first; cancelling serves those behind. */
static void test_first_come_first_served(void **state) {
    struct shop *shop = *state;
    fill(shop);
    for (uint64_t id = 1; id <= 3; id++) {
        assert_int_equal(try_order(shop, id, 5, CELLAR_ORDER_PAID, NULL), CELLAR_OK);
    }
    check_uncovered(shop, (int64_t[]){5, 5, 5}, 3);
    shop_receive(shop, "a", 0, 7);
    check_uncovered(shop, (int64_t[]){0, 3, 5}, 3);
    shop_reopen(shop);
    check_uncovered(shop, (int64_t[]){0, 3, 5}, 3);
    orders_part(shop, CELLAR_EVENT_CANCEL, 1, 101, 0, 2);
    check_uncovered(shop, (int64_t[]){0, 1, 5}, 3);
    orders_part(shop, CELLAR_EVENT_CANCEL, 2, 102, 0, 2);
    check_uncovered(shop, (int64_t[]){0, 0, 4}, 3);
    /* What left does not count any more. */
    orders_whole(shop, CELLAR_EVENT_FULFIL, 1);
    orders_part(shop, CELLAR_EVENT_FULFIL, 2, 103, 0, 1);
    check_uncovered(shop, (int64_t[]){0, 0, 4}, 3);
    shop_receive(shop, "a", 0, 10);
    check_uncovered(shop, (int64_t[]){0, 0, 0}, 3);
    assert_int_equal(shop_available(shop, "a", 0), 6);
}

/* Sold while it was here: those units stay covered, however much is sold after them. */
static void test_who_came_before_the_shortage_is_covered(void **state) {
    struct shop *shop = *state;
    fill(shop);
    shop_receive(shop, "a", 0, 6);
    assert_int_equal(try_order(shop, 1, 4, CELLAR_ORDER_PAID, NULL), CELLAR_OK);
    assert_int_equal(try_order(shop, 2, 4, CELLAR_ORDER_PAID, NULL), CELLAR_OK);
    assert_int_equal(try_order(shop, 3, 4, CELLAR_ORDER_PAID, NULL), CELLAR_OK);
    check_uncovered(shop, (int64_t[]){0, 2, 4}, 3);
    orders_whole(shop, CELLAR_EVENT_FULFIL, 1);
    orders_part(shop, CELLAR_EVENT_FULFIL, 2, 101, 0, 2);
    check_uncovered(shop, (int64_t[]){0, 2, 4}, 3);
    cellar_stock stock = shop_stock(shop, "a", 0);
    assert_int_equal(stock.on_hand, 0);
    assert_int_equal(stock.reserved, 6);
}

static void test_fulfilling_what_is_not_here(void **state) {
    struct shop *shop = *state;
    cellar_refusal refusal;
    fill(shop);
    assert_int_equal(try_order(shop, 1, 5, CELLAR_ORDER_PAID, NULL), CELLAR_OK);
    assert_int_equal(try_order(shop, 2, 5, CELLAR_ORDER_PAID, NULL), CELLAR_OK);
    shop_receive(shop, "a", 0, 7);
    shop_freeze(shop);
    assert_int_equal(orders_try_whole(shop, CELLAR_EVENT_FULFIL, 2, &refusal), CELLAR_OUT_OF_STOCK);
    shop_check_refusal(&refusal, CELLAR_OUT_OF_STOCK, 0, 2, 5);
    assert_int_equal(orders_try_part(shop, CELLAR_EVENT_FULFIL, 2, 101, 0, 3, &refusal),
                     CELLAR_OUT_OF_STOCK);
    shop_check_refusal(&refusal, CELLAR_OUT_OF_STOCK, 0, 2, 3);
    shop_check_frozen(shop, "after fulfilling what is not here");
    orders_part(shop, CELLAR_EVENT_FULFIL, 2, 101, 0, 2);
    orders_whole(shop, CELLAR_EVENT_FULFIL, 1);
    assert_int_equal(orders_try_part(shop, CELLAR_EVENT_FULFIL, 2, 102, 0, 1, &refusal),
                     CELLAR_OUT_OF_STOCK);
    shop_check_refusal(&refusal, CELLAR_OUT_OF_STOCK, 0, 0, 1);
    shop_receive(shop, "a", 0, 3);
    orders_whole(shop, CELLAR_EVENT_FULFIL, 2);
    assert_int_equal(shop_available(shop, "a", 0), 0);
}

/* An order's own lines come one after the other. */
static void test_lines_of_one_order(void **state) {
    struct shop *shop = *state;
    cellar_refusal refusal;
    fill(shop);
    shop_goods(shop, "b", 10);
    cellar_line lines[] = {shop_line("a", 0, 3, 10), shop_line("b", 0, 2, 10),
                           shop_line("a", 0, 4, 11)};
    cellar_order_request request = shop_order_request(1, lines, 3);
    request.state = CELLAR_ORDER_PAID;
    assert_int_equal(cellar_order_place(shop->store, NULL, &request, NULL, NULL), CELLAR_OK);
    shop_receive(shop, "a", 0, 4);
    shop_settle(shop);
    assert_int_equal(orders_line(shop, 1, 0).uncovered, 0);
    assert_int_equal(orders_line(shop, 1, 1).uncovered, 0);
    assert_int_equal(orders_line(shop, 1, 2).uncovered, 3);
    assert_int_equal(orders_try_whole(shop, CELLAR_EVENT_FULFIL, 1, &refusal), CELLAR_OUT_OF_STOCK);
    shop_check_refusal(&refusal, CELLAR_OUT_OF_STOCK, 2, 1, 4);
    const cellar_order_part parts[] = {{2, 1}, {0, 3}, {1, 2}};
    cellar_order_change change = orders_change(CELLAR_EVENT_FULFIL, 1, 101, parts, 3);
    assert_int_equal(orders_try(shop, &change, NULL), CELLAR_OK);
    assert_int_equal(orders_line(shop, 1, 2).uncovered, 3);
    assert_int_equal(shop_order_get(shop, 1).state, CELLAR_ORDER_PAID);
}

/* The order that came before loses nothing when one that came after is cancelled, and gains
 * nothing: asked at once, before the lists have followed. */
static void test_asked_at_once(void **state) {
    struct shop *shop = *state;
    fill(shop);
    for (uint64_t i = 1; i <= 200; i++) {
        uint64_t first = 10 * i;
        cellar_refusal refusal;
        assert_int_equal(try_order(shop, first, 4, CELLAR_ORDER_PAID, NULL), CELLAR_OK);
        assert_int_equal(try_order(shop, first + 1, 5, CELLAR_ORDER_PAID, NULL), CELLAR_OK);
        shop_settle(shop);
        orders_whole(shop, CELLAR_EVENT_CANCEL, first + 1);
        assert_int_equal(orders_try_whole(shop, CELLAR_EVENT_FULFIL, first, &refusal),
                         CELLAR_OUT_OF_STOCK);
        shop_check_refusal(&refusal, CELLAR_OUT_OF_STOCK, 0, 0, 4);
        /* Served, and then another comes: what was served stays so. */
        shop_receive(shop, "a", 0, 4);
        assert_int_equal(try_order(shop, first + 2, 3, CELLAR_ORDER_PAID, NULL), CELLAR_OK);
        orders_whole(shop, CELLAR_EVENT_FULFIL, first);
        orders_whole(shop, CELLAR_EVENT_CANCEL, first + 2);
    }
    assert_int_equal(shop_available(shop, "a", 0), 0);
    shop_settle(shop);
    assert_int_equal(shop_stock(shop, "a", 0).reserved, 0);
}

/* Movements of the stock do not tell of units that left: those were not available before. */
static void test_history_tells_of_no_fulfilment(void **state) {
    struct shop *shop = *state;
    cellar_movement page[8];
    size_t count;
    cellar_line line = shop_line("a", 0, 0, 0);
    fill(shop);
    assert_int_equal(try_order(shop, 1, 5, CELLAR_ORDER_PAID, NULL), CELLAR_OK);
    shop_receive(shop, "a", 0, 2);
    orders_part(shop, CELLAR_EVENT_FULFIL, 1, 101, 0, 2);
    assert_int_equal(cellar_stock_history(shop->store, &line, 0, page, 8, &count), CELLAR_OK);
    static const struct {
        cellar_movement_kind kind;
        int64_t change, available;
    } rows[] = {
        /* kind  change  available */
        {CELLAR_MOVEMENT_RECEIVED, 2, -3},
        {CELLAR_MOVEMENT_ORDERED, -5, -5},
        {CELLAR_MOVEMENT_SAFETY, 0, 0},
        {CELLAR_MOVEMENT_OPENED, 0, 0},
    };
    assert_int_equal(count, sizeof rows / sizeof *rows);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(page[i].kind, rows[i].kind);
        assert_int_equal(page[i].change, rows[i].change);
        assert_int_equal(page[i].available, rows[i].available);
    }
}

/* When the limit is taken away again, what was sold stays sold, and nothing more is. */
static void test_the_limit_is_taken_away(void **state) {
    struct shop *shop = *state;
    cellar_refusal refusal;
    fill(shop);
    assert_int_equal(try_order(shop, 1, 5, CELLAR_ORDER_PAID, NULL), CELLAR_OK);
    orders_safety(shop, "a", 0);
    assert_int_equal(try_order(shop, 2, 1, CELLAR_ORDER_PAID, &refusal), CELLAR_OUT_OF_STOCK);
    shop_check_refusal(&refusal, CELLAR_OUT_OF_STOCK, 0, 0, 1);
    shop_receive(shop, "a", 0, 5);
    assert_int_equal(try_order(shop, 2, 1, CELLAR_ORDER_PAID, &refusal), CELLAR_OUT_OF_STOCK);
    orders_whole(shop, CELLAR_EVENT_FULFIL, 1);
    shop_audit(shop);
    shop_receive(shop, "a", 0, 1);
    assert_int_equal(try_order(shop, 2, 1, CELLAR_ORDER_PAID, NULL), CELLAR_OK);
}

/* More paid orders than a caller looks at stand before a hold that has run out: they were held
 * once, and are not in the way. */
static void test_paid_orders_leave_the_queue(void **state) {
    struct shop *shop = *state;
    cellar_refusal refusal;
    enum {
        PAID = 300
    };
    shop_goods(shop, "a", PAID + 1);
    ATOMIC_STORE(&shop->tick_ns, 0, relaxed);
    for (uint64_t id = 1; id <= PAID; id++) {
        orders_hold(shop, id, "a", 1, 1000);
        orders_whole(shop, CELLAR_EVENT_PAY, id);
    }
    orders_hold(shop, PAID + 1, "a", 1, 2000);
    orders_stop_expiry(shop);
    shop_settle(shop);
    cellar_line line = shop_line("a", 0, 1, 100);
    cellar_order_request request = shop_order_request(PAID + 2, &line, 1);
    assert_int_equal(cellar_order_place(shop->store, NULL, &request, NULL, &refusal),
                     CELLAR_OUT_OF_STOCK);
    assert_int_equal(refusal.retry_ns, shop_order_get(shop, PAID + 1).hold_until_ns);
    orders_pass(shop, 2000);
    assert_int_equal(cellar_order_place(shop->store, NULL, &request, NULL, &refusal), CELLAR_OK);
    orders_start_expiry(shop);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SHOP_TEST(test_paid_orders_leave_the_queue),
        SHOP_TEST(test_down_to_the_limit),
        SHOP_TEST(test_what_leaves_at_once_must_be_here),
        SHOP_TEST(test_first_come_first_served),
        SHOP_TEST(test_who_came_before_the_shortage_is_covered),
        SHOP_TEST(test_fulfilling_what_is_not_here),
        SHOP_TEST(test_lines_of_one_order),
        SHOP_TEST(test_asked_at_once),
        SHOP_TEST_ORACLE(test_asked_at_once),
        SHOP_TEST(test_history_tells_of_no_fulfilment),
        SHOP_TEST(test_the_limit_is_taken_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
