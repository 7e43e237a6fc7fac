/* Is what is held until a deadline held until then and not a nanosecond longer, does it come back
 * by itself, and is nobody short of units that are held by nobody any more? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/orders.h"

#include "base/clock.h"

#include <pthread.h>
#include <string.h>
#include <unistd.h>

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define MANY 4000
#else
#define MANY 100000
#endif

/* "a": 10 units. The clock stands at a whole millisecond unless it is told to go on. */
static void fill(struct shop *shop) {
    ATOMIC_STORE(&shop->tick_ns, 0, relaxed);
    ATOMIC_STORE(&shop->now_ns, orders_deadline(shop, 1), relaxed);
    shop_goods(shop, "a", 10);
}

static cellar_status try_hold(struct shop *shop, uint64_t id, cellar_order_state state,
                              int64_t until_ns, cellar_refusal *refusal) {
    cellar_line line = shop_line("a", 0, 3, 100);
    cellar_order_request request = shop_order_request(id, &line, 1);
    request.state = state;
    request.hold_until_ns = until_ns;
    return cellar_order_place(shop->store, NULL, &request, NULL, refusal);
}

static void test_bounds_of_a_hold(void **state) {
    struct shop *shop = *state;
    static const struct {
        const char *name;
        cellar_order_state state;
        bool absolute;
        int64_t until; /* absolute, or from now on, in nanoseconds */
        cellar_status status;
        int64_t held; /* what the order then says, as `until` */
    } rows[] = {
        /* name  state  absolute  until  status  held */
        {"without end", 0, true, 0, CELLAR_OK, 0},
        {"now", 0, false, 0, CELLAR_HOLD_EXPIRED, 0},
        {"just not a millisecond", 0, false, ORDERS_MS - 1, CELLAR_HOLD_EXPIRED, 0},
        {"a millisecond", 0, false, ORDERS_MS, CELLAR_OK, ORDERS_MS},
        {"rounded down", 0, false, 7 * ORDERS_MS - 1, CELLAR_OK, 6 * ORDERS_MS},
        {"long ago", 0, true, 1, CELLAR_HOLD_EXPIRED, 0},
        {"before the epoch", 0, true, -1, CELLAR_INVALID_ARGUMENT, 0},
        {"the last one", 0, true, INT64_MAX, CELLAR_OK, INT64_MAX / ORDERS_MS * ORDERS_MS},
        {"said to be placed", CELLAR_ORDER_PLACED, false, 9 * ORDERS_MS, CELLAR_OK, 9 * ORDERS_MS},
        {"paid", CELLAR_ORDER_PAID, false, ORDERS_MS, CELLAR_INVALID_ARGUMENT, 0},
        {"fulfilled", CELLAR_ORDER_FULFILLED, false, ORDERS_MS, CELLAR_INVALID_ARGUMENT, 0},
    };
    fill(shop);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int64_t now = ATOMIC_LOAD(&shop->now_ns, relaxed);
        cellar_refusal refusal;
        shop_freeze(shop);
        cellar_status status = try_hold(shop, i + 1, rows[i].state,
                                        rows[i].until + (rows[i].absolute ? 0 : now), &refusal);
        if (status != rows[i].status) {
            fail_msg("%s: %s", rows[i].name, cellar_status_name(status));
        }
        if (status == CELLAR_OK) {
            int64_t held = shop_order_get(shop, i + 1).hold_until_ns;
            assert_int_equal(held, rows[i].held + (rows[i].absolute ? 0 : now));
            orders_whole(shop, CELLAR_EVENT_CANCEL, i + 1);
            assert_int_equal(shop_order_get(shop, i + 1).hold_until_ns, 0);
            continue;
        }
        if (status == CELLAR_HOLD_EXPIRED) {
            shop_check_refusal(&refusal, status, CELLAR_NO_LINE, 0, 0);
        } else {
            shop_check_invalid(&refusal, status, CELLAR_NO_LINE, "hold_until_ns");
        }
        shop_check_frozen(shop, rows[i].name);
    }
    cellar_line line = shop_line("a", 0, 1, 1);
    cellar_order_request request = shop_order_request(99, &line, 1);
    request.hold_until_ns = orders_deadline(shop, 100);
    cellar_refusal refusal;
    cellar_status status = cellar_order_return(shop->store, NULL, &request, false, NULL, &refusal);
    shop_check_invalid(&refusal, status, CELLAR_NO_LINE, "hold_until_ns");
}

/* Nobody has run anything: the deadline alone decides. */
static void test_from_the_deadline_on(void **state) {
    struct shop *shop = *state;
    cellar_refusal refusal;
    fill(shop);
    orders_stop_expiry(shop);
    for (uint64_t id = 1; id <= 3; id++) {
        orders_hold(shop, id, "a", 2, 50);
    }
    ATOMIC_ADD(&shop->now_ns, 50 * ORDERS_MS - 1, relaxed);
    orders_whole(shop, CELLAR_EVENT_PAY, 1);
    ATOMIC_ADD(&shop->now_ns, 1, relaxed);
    shop_freeze(shop);
    assert_int_equal(orders_try_whole(shop, CELLAR_EVENT_PAY, 2, &refusal), CELLAR_HOLD_EXPIRED);
    shop_check_refusal(&refusal, CELLAR_HOLD_EXPIRED, CELLAR_NO_LINE, 0, 0);
    assert_int_equal(orders_try_part(shop, CELLAR_EVENT_PAY, 2, 101, 0, 1, &refusal),
                     CELLAR_HOLD_EXPIRED);
    assert_int_equal(cellar_order_extend(shop->store, NULL, shop_id(2), orders_deadline(shop, 100),
                                         NULL, &refusal),
                     CELLAR_HOLD_EXPIRED);
    assert_int_equal(shop_order_get(shop, 2).state, CELLAR_ORDER_PLACED);
    shop_check_frozen(shop, "after steps of what is overdue");
    /* Cancelled it can be; what was paid for in time stays. */
    orders_whole(shop, CELLAR_EVENT_CANCEL, 3);
    orders_start_expiry(shop);
    orders_await(shop, 2, CELLAR_ORDER_EXPIRED);
    assert_int_equal(orders_try_whole(shop, CELLAR_EVENT_PAY, 2, &refusal), CELLAR_ILLEGAL_STEP);
    assert_int_equal(refusal.state, CELLAR_ORDER_EXPIRED);
    assert_int_equal(shop_order_get(shop, 1).state, CELLAR_ORDER_PAID);
    assert_int_equal(shop_order_get(shop, 1).hold_until_ns, 0);
    assert_int_equal(shop_order_get(shop, 3).state, CELLAR_ORDER_CANCELLED);
    assert_int_equal(shop_available(shop, "a", 0), 8);
}

static void test_units_come_back_by_themselves(void **state) {
    struct shop *shop = *state;
    cellar_movement page[2];
    size_t count;
    cellar_line line = shop_line("a", 0, 0, 0);
    fill(shop);
    orders_hold(shop, 1, "a", 4, 20);
    orders_part(shop, CELLAR_EVENT_CANCEL, 1, 101, 0, 1);
    assert_int_equal(shop_available(shop, "a", 0), 7);
    orders_pass(shop, 20);
    orders_await(shop, 1, CELLAR_ORDER_EXPIRED);
    shop_settle(shop);
    assert_int_equal(shop_available(shop, "a", 0), 10);
    assert_int_equal(shop_stock(shop, "a", 0).reserved, 0);
    assert_int_equal(cellar_stock_history(shop->store, &line, 0, page, 2, &count), CELLAR_OK);
    assert_int_equal(page[0].kind, CELLAR_MOVEMENT_EXPIRED);
    assert_int_equal(page[0].change, 3);
    assert_int_equal(page[0].available, 10);
    assert_int_equal(page[0].id.low, 1);
    assert_int_equal(page[1].kind, CELLAR_MOVEMENT_CANCELLED);
    cellar_order order = shop_order_get(shop, 1);
    assert_int_equal(order.hold_until_ns, 0);
    assert_int_equal(order.cancelled_value, 400);
    assert_int_equal(order.version, page[0].lsn);
    cellar_totals totals = shop_audit(shop).totals;
    assert_int_equal(totals.orders[CELLAR_ORDER_EXPIRED], 1);
    assert_int_equal(totals.units_ordered, 0);
    assert_int_equal(totals.revenue, 0);
}

/* The end of a hold is moved, either way; the old one does nothing any more. */
static void test_extend(void **state) {
    struct shop *shop = *state;
    cellar_refusal refusal;
    cellar_ticket first;
    cellar_ticket again;
    fill(shop);
    orders_hold(shop, 1, "a", 1, 20);
    orders_hold(shop, 2, "a", 1, 500);
    orders_hold(shop, 3, "a", 1, 20);
    shop_order(shop, 4, "a", 1, CELLAR_ORDER_PLACED);
    int64_t later = orders_deadline(shop, 200);
    cellar_id id = shop_id(1);
    assert_int_equal(cellar_order_extend(shop->store, NULL, id, later, &first, NULL), CELLAR_OK);
    assert_int_equal(cellar_order_extend(shop->store, NULL, id, later, &again, NULL), CELLAR_OK);
    assert_false(first.repeated);
    assert_true(again.repeated);
    assert_int_equal(again.lsn, first.lsn);
    assert_int_equal(shop_order_get(shop, 1).hold_until_ns, later);
    assert_int_equal(
        cellar_order_extend(shop->store, NULL, shop_id(2), orders_deadline(shop, 10), NULL, NULL),
        CELLAR_OK);
    /* Never into the past, nor what has no end. */
    shop_freeze(shop);
    assert_int_equal(
        cellar_order_extend(shop->store, NULL, id, orders_deadline(shop, 0), NULL, &refusal),
        CELLAR_HOLD_EXPIRED);
    assert_int_equal(cellar_order_extend(shop->store, NULL, shop_id(4), later, NULL, &refusal),
                     CELLAR_ILLEGAL_STEP);
    assert_int_equal(refusal.state, CELLAR_ORDER_PLACED);
    shop_check_invalid(&refusal, cellar_order_extend(shop->store, NULL, id, 0, NULL, &refusal),
                       CELLAR_NO_LINE, "hold_until_ns");
    shop_check_invalid(&refusal, cellar_order_extend(shop->store, NULL, id, -1, NULL, &refusal),
                       CELLAR_NO_LINE, "hold_until_ns");
    shop_check_frozen(shop, "after ends that cannot be");
    orders_pass(shop, 20);
    orders_await(shop, 2, CELLAR_ORDER_EXPIRED);
    orders_await(shop, 3, CELLAR_ORDER_EXPIRED);
    assert_int_equal(shop_order_get(shop, 1).state, CELLAR_ORDER_PLACED);
    shop_reopen(shop);
    assert_int_equal(shop_order_get(shop, 1).hold_until_ns, later);
    orders_pass(shop, 180);
    orders_await(shop, 1, CELLAR_ORDER_EXPIRED);
    assert_int_equal(shop_order_get(shop, 4).state, CELLAR_ORDER_PLACED);
}

enum caller {
    PLACE,
    QUOTE,
    TAKE,
    ADJUST,
    MOVE,
    CALLERS
};

static cellar_status call(struct shop *shop, enum caller caller, uint64_t id, int64_t quantity,
                          cellar_refusal *refusal) {
    cellar_line line = shop_line("a", 0, quantity, 100);
    cellar_line less = shop_line("a", 0, -quantity, 0);
    cellar_order_request request = shop_order_request(id, &line, 1);
    cellar_stock_change change = {.lines = &less, .line_count = 1};
    cellar_id none = {0, 0};
    int64_t total;
    switch (caller) {
    case PLACE:
        return cellar_order_place(shop->store, NULL, &request, NULL, refusal);
    case QUOTE:
        return cellar_order_quote(shop->store, &request, &total, refusal);
    case TAKE:
        return cellar_stock_take(shop->store, NULL, &line, NULL, refusal);
    case ADJUST:
        return cellar_stock_adjust(shop->store, NULL, &change, NULL, refusal);
    default:
        return cellar_stock_move(shop->store, NULL, none, &line, 3, NULL, refusal);
    }
}

/* A caller who lacks units finds those that are held by nobody any more: enough of the overdue
 * holds, of this SKU only. */
static void test_who_is_short_of_units(void **state) {
    struct shop *shop = *state;
    fill(shop);
    shop_goods(shop, "b", 5);
    orders_stop_expiry(shop);
    for (enum caller caller = 0; caller < CALLERS; caller++) {
        uint64_t first = 100 * (uint64_t)caller + 1;
        for (uint64_t id = first; id < first + 10; id++) {
            orders_hold(shop, id, "a", 1, id % 2 == 0 ? 30 : 60);
        }
        orders_hold(shop, first + 50, "b", 1, 30);
        shop_settle(shop);
        cellar_refusal refusal;
        int64_t sooner = orders_deadline(shop, 30);
        assert_int_equal(call(shop, caller, first + 60, 2, &refusal), CELLAR_OUT_OF_STOCK);
        assert_int_equal(refusal.retry_ns, sooner);
        refusal.retry_ns = 0;
        shop_check_refusal(&refusal, CELLAR_OUT_OF_STOCK, 0, 0, 2);
        orders_pass(shop, 30);
        assert_int_equal(call(shop, caller, first + 61, 6, &refusal), CELLAR_OUT_OF_STOCK);
        assert_int_equal(refusal.retry_ns, sooner + 30 * ORDERS_MS);
        refusal.retry_ns = 0;
        shop_check_refusal(&refusal, CELLAR_OUT_OF_STOCK, 0, 5, 6);
        orders_pass(shop, 30);
        assert_int_equal(call(shop, caller, first + 62, 6, &refusal), CELLAR_OK);
        assert_int_equal(shop_order_get(shop, first + 50).state, CELLAR_ORDER_PLACED);
        shop_settle(shop);
        cellar_line line = shop_line("a", 0, 10, 0);
        assert_int_equal(cellar_stock_count(shop->store, NULL, &line, 0, NULL, NULL), CELLAR_OK);
    }
    orders_start_expiry(shop);
    for (enum caller caller = 0; caller < CALLERS; caller++) {
        orders_await(shop, 100 * (uint64_t)caller + 51, CELLAR_ORDER_EXPIRED);
    }
}

/* Of an order that may come from several places, those of each of them: it is told when the next
 * hold ends in any, and gets the units wherever they were held. */
static void test_who_is_short_at_several_places(void **state) {
    struct shop *shop = *state;
    static const uint32_t places[] = {2, 0, 5};
    fill(shop);
    shop_receive(shop, "a", 2, 1);
    shop_receive(shop, "a", 5, 4);
    orders_stop_expiry(shop);
    for (uint64_t split = 0; split < 2; split++) {
        cellar_line held = shop_line("a", 5, 4, 100);
        cellar_order_request request = shop_order_request(10 * split + 1, &held, 1);
        int64_t until = orders_hold(shop, 10 * split + 2, "a", 10, 60);
        request.hold_until_ns = orders_deadline(shop, 30);
        assert_int_equal(cellar_order_place(shop->store, NULL, &request, NULL, NULL), CELLAR_OK);
        shop_settle(shop);
        cellar_line wanted = shop_line("a", 0, split == 0 ? 4 : 5, 100);
        cellar_order_request order = shop_order_request(10 * split + 3, &wanted, 1);
        order.locations = places;
        order.location_count = 3;
        order.split = split != 0;
        cellar_refusal refusal;
        assert_int_equal(cellar_order_place(shop->store, NULL, &order, NULL, &refusal),
                         CELLAR_OUT_OF_STOCK);
        assert_int_equal(refusal.retry_ns, request.hold_until_ns);
        orders_pass(shop, 30);
        wanted.quantity++;
        assert_int_equal(cellar_order_place(shop->store, NULL, &order, NULL, &refusal),
                         CELLAR_OUT_OF_STOCK);
        assert_int_equal(refusal.retry_ns, until);
        assert_int_equal(shop_order_get(shop, 10 * split + 1).state, CELLAR_ORDER_EXPIRED);
        assert_int_equal(shop_order_get(shop, 10 * split + 2).state, CELLAR_ORDER_PLACED);
        orders_pass(shop, 30);
        assert_int_equal(cellar_order_place(shop->store, NULL, &order, NULL, NULL), CELLAR_OK);
        assert_int_equal(shop_order_get(shop, 10 * split + 2).state, CELLAR_ORDER_EXPIRED);
        orders_whole(shop, CELLAR_EVENT_CANCEL, 10 * split + 3);
        shop_settle(shop);
    }
    orders_start_expiry(shop);
}

/* More of them than are run at once. */
static void test_many_overdue(void **state) {
    struct shop *shop = *state;
    fill(shop);
    shop_receive(shop, "a", 0, 90);
    orders_stop_expiry(shop);
    for (uint64_t id = 1; id <= 100; id++) {
        orders_hold(shop, id, "a", 1, 5);
    }
    shop_settle(shop);
    orders_pass(shop, 5);
    assert_int_equal(call(shop, TAKE, 0, 100, NULL), CELLAR_OK);
    shop_settle(shop);
    assert_int_equal(shop_audit(shop).totals.orders[CELLAR_ORDER_EXPIRED], 100);
    orders_start_expiry(shop);
}

static void test_after_reopening(void **state) {
    struct shop *shop = *state;
    fill(shop);
    orders_hold(shop, 1, "a", 4, 40);
    int64_t until = orders_hold(shop, 2, "a", 2, 5000);
    shop_close(shop);
    orders_pass(shop, 40);
    shop_open(shop);
    cellar_refusal refusal;
    cellar_status status = orders_try_whole(shop, CELLAR_EVENT_PAY, 1, &refusal);
    assert_true(status == CELLAR_HOLD_EXPIRED || status == CELLAR_ILLEGAL_STEP);
    orders_await(shop, 1, CELLAR_ORDER_EXPIRED);
    assert_int_equal(shop_available(shop, "a", 0), 8);
    assert_int_equal(shop_order_get(shop, 2).hold_until_ns, until);
    /* The same request once more: it was made. */
    cellar_line line = shop_line("a", 0, 2, 100);
    cellar_order_request request = shop_order_request(2, &line, 1);
    cellar_ticket ticket;
    request.hold_until_ns = until;
    orders_pass(shop, 5000);
    orders_await(shop, 2, CELLAR_ORDER_EXPIRED);
    assert_int_equal(cellar_order_place(shop->store, NULL, &request, &ticket, NULL), CELLAR_OK);
    assert_true(ticket.repeated);
    request.hold_until_ns += ORDERS_MS;
    assert_int_equal(cellar_order_place(shop->store, NULL, &request, NULL, NULL), CELLAR_ID_REUSED);
    orders_pass(shop, 1);
}

/* Units that cannot come back, since as many have come as there can be, keep nobody else's. */
static void test_what_cannot_come_back_holds_up_nobody(void **state) {
    struct shop *shop = *state;
    fill(shop);
    shop_goods(shop, "b", 10);
    orders_hold(shop, 1, "a", 4, 20);
    orders_hold(shop, 2, "b", 4, 20);
    cellar_line line = shop_line("a", 0, CELLAR_AMOUNT_MAX, 0);
    assert_int_equal(cellar_stock_count(shop->store, NULL, &line, 0, NULL, NULL), CELLAR_OK);
    orders_pass(shop, 20);
    orders_await(shop, 2, CELLAR_ORDER_EXPIRED);
    assert_int_equal(shop_order_get(shop, 1).state, CELLAR_ORDER_PLACED);
    line.quantity = 10;
    assert_int_equal(cellar_stock_count(shop->store, NULL, &line, 0, NULL, NULL), CELLAR_OK);
    orders_await(shop, 1, CELLAR_ORDER_EXPIRED);
    assert_int_equal(shop_available(shop, "a", 0), 14);
}

/* ---- Many at once ---- */

struct seller {
    struct shop *shop;
    _Atomic uint32_t stopping;
    uint64_t sold;
    cellar_status status;
};

static void *seller_run(void *argument) {
    struct seller *seller = argument;
    cellar_line line = shop_line("b", 0, 1, 100);
    while (ATOMIC_LOAD(&seller->stopping, acquire) == 0 && seller->status == CELLAR_OK) {
        seller->status = cellar_stock_take(seller->shop->store, NULL, &line, NULL, NULL);
        seller->sold += seller->status == CELLAR_OK;
        usleep(50);
    }
    return NULL;
}

static void test_all_at_once_while_sales_go_on(void **unused) {
    struct shop shop;
    pthread_t thread;
    (void)unused;
    shop_prepare(&shop);
    shop.config.orders_max = MANY + 1000;
    shop.config.ring_bytes = UINT64_C(8) << 20;
    shop.config.segment_bytes = UINT64_C(16) << 20;
    shop_open(&shop);
    shop_goods(&shop, "a", MANY);
    shop_goods(&shop, "b", 10 * CELLAR_LINES_MAX * INT64_C(1000));
    for (uint64_t id = 1; id <= MANY; id++) {
        orders_hold(&shop, id, "a", 1, 600000);
    }
    struct seller seller = {.shop = &shop};
    assert_int_equal(pthread_create(&thread, NULL, seller_run, &seller), 0);
    int64_t started = clock_monotonic_ns();
    orders_pass(&shop, 600000);
    for (int i = 0; i < 20000 && shop_available(&shop, "a", 0) < MANY; i++) {
        clock_sleep_ns(ORDERS_MS);
    }
    int64_t took = clock_monotonic_ns() - started;
    ATOMIC_STORE(&seller.stopping, 1, release);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(seller.status, CELLAR_OK);
    print_message("# %d holds expired in %lld ms, %llu sales meanwhile\n", MANY,
                  (long long)(took / ORDERS_MS), (unsigned long long)seller.sold);
    assert_true(seller.sold > 20);
    shop_settle(&shop);
    cellar_totals totals = shop_audit(&shop).totals;
    assert_int_equal(totals.orders[CELLAR_ORDER_EXPIRED], MANY);
    assert_int_equal(totals.units_reserved, 0);
    assert_int_equal(totals.units_taken, seller.sold);
    shop_abandon(&shop);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SHOP_TEST(test_bounds_of_a_hold),
        SHOP_TEST(test_from_the_deadline_on),
        SHOP_TEST(test_units_come_back_by_themselves),
        SHOP_TEST(test_extend),
        SHOP_TEST(test_who_is_short_of_units),
        SHOP_TEST_ORACLE(test_who_is_short_of_units),
        SHOP_TEST(test_who_is_short_at_several_places),
        SHOP_TEST(test_many_overdue),
        SHOP_TEST(test_after_reopening),
        SHOP_TEST(test_what_cannot_come_back_holds_up_nobody),
        cmocka_unit_test(test_all_at_once_while_sales_go_on),
    };
    (void)alarm(100);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
