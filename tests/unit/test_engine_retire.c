/* Do closed documents leave memory when their time has come, and no others; does memory stay flat;
 * and is all of them still there to be read from the log, with the totals and the audit exact, also
 * after the store was opened again? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/orders.h"

#include "base/clock.h"

#include <string.h>

#define REMEMBERED_MS INT64_C(60000)
#define AWAIT_MS 20000

static void open_shop(struct shop *shop) {
    shop_prepare(shop);
    shop->config.remember_closed_ns = REMEMBERED_MS * ORDERS_MS;
    ATOMIC_STORE(&shop->tick_ns, 0, relaxed);
    shop_open(shop);
    shop_goods(shop, "a", 1000000);
    shop_goods(shop, "b", 1000);
    shop_account(shop, 1, 0, 100000);
    shop_account(shop, 2, 0, 100000);
}

static uint64_t retired_in_all(struct shop *shop) {
    cellar_audit audit = shop_audit(shop);
    uint64_t sum = 0;
    for (size_t i = 0; i < 7; i++) {
        sum += audit.totals.retired[i];
    }
    return sum;
}

static void await_retired(struct shop *shop, uint64_t count) {
    for (int i = 0; i < AWAIT_MS && retired_in_all(shop) < count; i++) {
        clock_sleep_ns(ORDERS_MS);
    }
    assert_int_equal(retired_in_all(shop), count);
}

/* Longer than the thread that follows the log sleeps: what is due by then is retired. */
static void give_it_time(void) {
    clock_sleep_ns(300 * ORDERS_MS);
}

static cellar_ticket place(struct shop *shop, uint64_t id, uint64_t customer,
                           cellar_order_state state) {
    cellar_line lines[] = {shop_line("a", 0, 3, 10), shop_line("b", 0, 2, 7)};
    cellar_order_request request = shop_order_request(id, lines, 2);
    request.state = state;
    request.customer = customer;
    request.account = state >= CELLAR_ORDER_PAID ? 1 : 0;
    request.reference = "ref";
    cellar_ticket ticket;
    assert_int_equal(cellar_order_place(shop->store, NULL, &request, &ticket, NULL), CELLAR_OK);
    return ticket;
}

static cellar_status get(struct shop *shop, uint64_t id) {
    cellar_order order;
    return cellar_order_get(shop->store, shop_id(id), &order, NULL, 0);
}

/* ---- When ---- */

static void test_to_the_nanosecond_and_not_before(void **unused) {
    struct shop shop;
    (void)unused;
    open_shop(&shop);
    place(&shop, 1, 0, CELLAR_ORDER_FULFILLED);
    ATOMIC_ADD(&shop.now_ns, REMEMBERED_MS * ORDERS_MS - 1, relaxed);
    give_it_time();
    assert_int_equal(get(&shop, 1), CELLAR_OK);
    ATOMIC_ADD(&shop.now_ns, 1, relaxed);
    await_retired(&shop, 1);
    assert_int_equal(get(&shop, 1), CELLAR_NOT_FOUND);
    shop_finish(&shop);
}

/* Every kind of document, and which of them stay. */
static void test_what_is_open_stays(void **unused) {
    struct shop shop;
    (void)unused;
    open_shop(&shop);
    cellar_line line = shop_line("a", 0, 1, 10);
    cellar_order_request back = shop_order_request(6, &line, 1);
    const cellar_stock_change change = {.id = shop_id(8), .lines = &line, .line_count = 1};
    place(&shop, 1, 0, CELLAR_ORDER_PLACED);
    place(&shop, 2, 0, CELLAR_ORDER_PAID);
    place(&shop, 3, 0, CELLAR_ORDER_FULFILLED);
    place(&shop, 4, 0, CELLAR_ORDER_PLACED);
    orders_whole(&shop, CELLAR_EVENT_CANCEL, 4);
    orders_hold(&shop, 5, "a", 1, 10);
    orders_pass(&shop, 20);
    orders_await(&shop, 5, CELLAR_ORDER_EXPIRED);
    assert_int_equal(cellar_order_return(shop.store, NULL, &back, false, NULL, NULL), CELLAR_OK);
    orders_part(&shop, CELLAR_EVENT_CANCEL, 2, 7, 0, 1);
    assert_int_equal(cellar_stock_receive(shop.store, NULL, &change, NULL, NULL), CELLAR_OK);
    for (uint64_t hold = 9; hold <= 10; hold++) {
        assert_int_equal(cellar_account_hold(shop.store, NULL, shop_id(hold), 1, 5, 0, NULL, NULL),
                         CELLAR_OK);
    }
    assert_int_equal(cellar_account_post(shop.store, NULL, shop_id(9), 5, 0, NULL, NULL),
                     CELLAR_OK);
    orders_pass(&shop, REMEMBERED_MS);
    await_retired(&shop, 6);
    give_it_time();
    cellar_audit audit = shop_audit(&shop);
    const uint64_t retired[7] = {2, 0, 0, 1, 1, 1, 1};
    const uint64_t orders[7] = {2, 1, 1, 1, 1, 1, 1};
    assert_memory_equal(audit.totals.retired, retired, sizeof retired);
    assert_memory_equal(audit.totals.orders, orders, sizeof orders);
    for (uint64_t id = 1; id <= 6; id++) {
        assert_int_equal(get(&shop, id), id <= 2 ? CELLAR_OK : CELLAR_NOT_FOUND);
    }
    cellar_account_hold_info hold;
    assert_int_equal(cellar_account_hold_get(shop.store, shop_id(9), &hold), CELLAR_NOT_FOUND);
    assert_int_equal(cellar_account_hold_get(shop.store, shop_id(10), &hold), CELLAR_OK);
    /* The ids are free. */
    place(&shop, 3, 0, CELLAR_ORDER_PLACED);
    assert_int_equal(cellar_stock_receive(shop.store, NULL, &change, NULL, NULL), CELLAR_OK);
    shop_finish(&shop);
}

static void test_a_return_by_line_makes_it_remembered_longer(void **unused) {
    struct shop shop;
    (void)unused;
    open_shop(&shop);
    place(&shop, 1, 0, CELLAR_ORDER_FULFILLED);
    place(&shop, 2, 0, CELLAR_ORDER_FULFILLED);
    orders_pass(&shop, REMEMBERED_MS / 2);
    orders_part(&shop, CELLAR_EVENT_RETURN, 1, 11, 0, 1);
    orders_pass(&shop, REMEMBERED_MS / 2);
    await_retired(&shop, 1);
    assert_int_equal(get(&shop, 1), CELLAR_OK);
    assert_int_equal(get(&shop, 2), CELLAR_NOT_FOUND);
    orders_pass(&shop, REMEMBERED_MS / 2);
    await_retired(&shop, 3); /* and the step's own document */
    cellar_refusal refusal;
    assert_int_equal(orders_try_part(&shop, CELLAR_EVENT_RETURN, 1, 12, 0, 1, &refusal),
                     CELLAR_NOT_FOUND);
    shop_finish(&shop);
}

static void test_for_ever_by_default(void **unused) {
    struct shop shop;
    (void)unused;
    open_shop(&shop);
    place(&shop, 1, 1, CELLAR_ORDER_FULFILLED);
    shop_close(&shop);
    shop.config.remember_closed_ns = 0;
    shop_open(&shop);
    orders_pass(&shop, 1000 * REMEMBERED_MS);
    give_it_time();
    assert_int_equal(get(&shop, 1), CELLAR_OK);
    /* Set when it is opened again, it is soon due. */
    shop_close(&shop);
    shop.config.remember_closed_ns = 1;
    shop_open(&shop);
    await_retired(&shop, 1);
    shop_finish(&shop);
}

/* ---- What is still to be read ---- */

static void check_same_order(const cellar_order *is, const cellar_order *was) {
    cellar_order same = *is;
    same.cursor = was->cursor;
    same.retired_lsn = was->retired_lsn;
    assert_memory_equal(&same, was, sizeof same);
}

/* An order with steps of all kinds, compared with itself as it was in memory, after each of them.
 */
static void test_as_it_stood_after_each_step(void **unused) {
    struct shop shop;
    (void)unused;
    open_shop(&shop);
    cellar_order was[8];
    cellar_order_line lines[8][2];
    const cellar_order_part some[] = {{0, 2}, {1, 2}};
    cellar_line ordered[] = {shop_line("a", 0, 3, 10), shop_line("b", 0, 2, 7)};
    cellar_order_request request = shop_order_request(1, ordered, 2);
    request.customer = 4;
    request.payee = 2;
    request.reference = "ref";
    request.hold_until_ns = orders_deadline(&shop, 500);
    cellar_order_change changes[] = {
        orders_change(CELLAR_EVENT_EXTEND, 1, 0, NULL, 0),
        orders_change(CELLAR_EVENT_PAY, 1, 20, some, 2),
        orders_change(CELLAR_EVENT_FULFIL, 1, 21, some, 1),
        orders_change(CELLAR_EVENT_RETURN, 1, 22, (cellar_order_part[]){{0, 1}}, 1),
        orders_change(CELLAR_EVENT_CANCEL, 1, 23, (cellar_order_part[]){{1, 1}}, 1),
        orders_change(CELLAR_EVENT_FULFIL, 1, 0, NULL, 0),
        orders_change(CELLAR_EVENT_RETURN, 1, 24, NULL, 0),
    };
    changes[0].hold_until_ns = orders_deadline(&shop, 900);
    changes[1].account = 1;
    assert_int_equal(cellar_order_place(shop.store, NULL, &request, NULL, NULL), CELLAR_OK);
    for (size_t i = 0; i < 8; i++) {
        memset(&was[i], 0, sizeof was[i]);
        assert_int_equal(cellar_order_get(shop.store, shop_id(1), &was[i], lines[i], 2), CELLAR_OK);
        if (i < 7) {
            assert_int_equal(orders_try(&shop, &changes[i], NULL), CELLAR_OK);
        }
    }
    orders_pass(&shop, REMEMBERED_MS);
    await_retired(&shop, 1 + 5);
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < 8; i++) {
            cellar_order order;
            cellar_order_line now[2];
            memset(&order, 0, sizeof order);
            assert_int_equal(
                cellar_order_at(shop.store, shop_id(1), was[i].version, &order, now, 2), CELLAR_OK);
            check_same_order(&order, &was[i]);
            orders_check_same_lines(now, lines[i], 2);
        }
        shop_reopen(&shop);
    }
    cellar_order page[4];
    cellar_order_line listed[8];
    size_t count;
    const cellar_order_query query = {.customer = 4};
    memset(page, 0, sizeof page);
    assert_int_equal(cellar_order_list(shop.store, &query, page, 4, &count, listed, 8), CELLAR_OK);
    assert_int_equal(count, 1);
    assert_true(page[0].retired_lsn > was[7].version);
    check_same_order(&page[0], &was[7]);
    orders_check_same_lines(listed, lines[7], 2);
    shop_finish(&shop);
}

static void test_what_is_not_there(void **unused) {
    struct shop shop;
    cellar_order order;
    (void)unused;
    open_shop(&shop);
    uint64_t lsn = place(&shop, 1, 1, CELLAR_ORDER_FULFILLED).lsn;
    cellar *store = shop.store;
    assert_int_equal(cellar_order_at(store, shop_id(1), lsn, &order, NULL, 0), CELLAR_OK);
    assert_int_equal(cellar_order_at(store, shop_id(2), lsn, &order, NULL, 0), CELLAR_NOT_FOUND);
    assert_int_equal(cellar_order_at(store, shop_id(1), lsn + 64, &order, NULL, 0),
                     CELLAR_NOT_FOUND);
    assert_int_equal(cellar_order_at(store, shop_id(1), lsn + 1, &order, NULL, 0),
                     CELLAR_NOT_FOUND);
    assert_int_equal(cellar_order_at(store, shop_id(1), 64, &order, NULL, 0), CELLAR_NOT_FOUND);
    assert_int_equal(cellar_order_at(store, shop_id(1), 0, &order, NULL, 0), CELLAR_NOT_FOUND);
    assert_int_equal(cellar_order_at(store, shop_id(1), UINT64_MAX, &order, NULL, 0),
                     CELLAR_NOT_FOUND);
    assert_int_equal(cellar_order_at(store, shop_id(1), lsn, NULL, NULL, 0),
                     CELLAR_INVALID_ARGUMENT);
    assert_int_equal(cellar_order_at(store, shop_id(1), lsn, &order, NULL, 1),
                     CELLAR_INVALID_ARGUMENT);
    size_t count;
    cellar_order_query query = {.customer = 1, .cursor = (UINT64_C(1) << 63) | lsn};
    assert_int_equal(cellar_order_list(store, &query, &order, 1, &count, NULL, 0),
                     CELLAR_INVALID_ARGUMENT);
    query.customer = 0;
    query.state = CELLAR_ORDER_FULFILLED;
    assert_int_equal(cellar_order_list(store, &query, &order, 1, &count, NULL, 0),
                     CELLAR_INVALID_ARGUMENT);
    shop_finish(&shop);
}

/* Page by page of one order, while those of the pages before leave memory; each at least once. */
static void test_pages_go_on_while_orders_leave(void **unused) {
    struct shop shop;
    (void)unused;
    open_shop(&shop);
    enum {
        COUNT = 40
    };
    for (uint64_t id = 1; id <= COUNT; id++) {
        place(&shop, id, 1 + id % 2, id % 5 == 0 ? CELLAR_ORDER_PLACED : CELLAR_ORDER_FULFILLED);
        orders_pass(&shop, 10);
    }
    orders_pass(&shop, REMEMBERED_MS - 10 * COUNT - 10);
    shop_settle(&shop);
    bool seen[COUNT + 1] = {false};
    cellar_order_query query = {.customer = 2};
    for (size_t step = 0; step < 4 * COUNT; step++) {
        cellar_order order;
        size_t count;
        assert_int_equal(cellar_order_list(shop.store, &query, &order, 1, &count, NULL, 0),
                         CELLAR_OK);
        if (count == 0) {
            break;
        }
        assert_int_equal(order.customer, 2);
        seen[order.id.low] = true;
        query.before = order.id;
        query.cursor = order.cursor;
        orders_pass(&shop, 20);
        clock_sleep_ns(5 * ORDERS_MS);
    }
    for (uint64_t id = 1; id <= COUNT; id++) {
        assert_int_equal(seen[id], id % 2 == 1);
    }
    orders_pass(&shop, REMEMBERED_MS);
    await_retired(&shop, COUNT - COUNT / 5);
    /* All of one customer in one page: those in memory, then the others. */
    static cellar_order page[COUNT];
    size_t count;
    query = (cellar_order_query){.customer = 1};
    assert_int_equal(cellar_order_list(shop.store, &query, page, COUNT, &count, NULL, 0),
                     CELLAR_OK);
    assert_int_equal(count, COUNT / 2);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(page[i].retired_lsn == 0, i < 4);
        assert_true(i == 0 || i == 4 || page[i].placed_lsn < page[i - 1].placed_lsn);
    }
    /* A cursor alone suffices in either part. */
    for (size_t i = 0; i < count; i++) {
        cellar_order next;
        size_t one;
        query.cursor = page[i].cursor;
        assert_int_equal(cellar_order_list(shop.store, &query, &next, 1, &one, NULL, 0), CELLAR_OK);
        assert_int_equal(one, i + 1 < count);
        assert_true(one == 0 || next.placed_lsn == page[i + 1].placed_lsn);
    }
    /* Of another customer, it is none. */
    query.customer = 2;
    assert_int_equal(cellar_order_list(shop.store, &query, page, 1, &count, NULL, 0),
                     CELLAR_INVALID_ARGUMENT);
    shop_finish(&shop);
}

/* Whatever memory fails behind a read of the log, it says so; and behind a retirement, it is done
 * later. */
static void test_no_memory(void **unused) {
    struct shop shop;
    cellar_order order;
    (void)unused;
    open_shop(&shop);
    uint64_t lsn = place(&shop, 1, 1, CELLAR_ORDER_FULFILLED).lsn;
    shop_settle(&shop);
    cellar_status status = CELLAR_OUT_OF_MEMORY;
    int64_t failed = 0;
    for (; status != CELLAR_OK; failed++) {
        memory_fail_after(shop.store->memory, failed, 0);
        status = cellar_order_at(shop.store, shop_id(1), lsn, &order, NULL, 0);
        memory_fail_after(shop.store->memory, -1, 0);
        assert_true(status == CELLAR_OK || status == CELLAR_OUT_OF_MEMORY);
    }
    assert_true(failed > 3);
    memory_fail_after(shop.store->memory, 0, 1);
    orders_pass(&shop, REMEMBERED_MS);
    give_it_time();
    assert_int_equal(get(&shop, 1), CELLAR_NOT_FOUND);
    memory_fail_after(shop.store->memory, -1, 0);
    await_retired(&shop, 1);
    shop_finish(&shop);
}

/* ---- Memory ---- */

/* Without the slots of orders: how many were ever in use at once depends on when grace periods end,
 * and is looked at by itself. */
static int64_t memory_of_all(struct shop *shop) {
    int64_t slots = slots_end(&shop->store->store->order_slots);
    int64_t slot_bytes = sizeof(struct store_order) + sizeof(struct cell);
    cellar_statistics statistics;
    assert_int_equal(cellar_statistics_get(shop->store, &statistics), CELLAR_OK);
    return (int64_t)statistics.memory_bytes - slots * slot_bytes;
}

/* Many times as many orders as there may be at a time, with steps by line, for a few customers. */
static void test_memory_stays_flat(void **unused) {
    struct shop shop;
    (void)unused;
    enum {
        AT_A_TIME = 200,
        ROUNDS = 30
    };
    shop_prepare(&shop);
    shop.config.remember_closed_ns = REMEMBERED_MS * ORDERS_MS;
    shop.config.orders_max = 8 * AT_A_TIME;
    ATOMIC_STORE(&shop.tick_ns, 0, relaxed);
    shop_open(&shop);
    shop_goods(&shop, "a", 1000000);
    shop_goods(&shop, "b", 1000000);
    int64_t first = 0;
    uint64_t id = 0;
    for (uint64_t round = 1; round <= ROUNDS; round++) {
        for (uint64_t i = 0; i < AT_A_TIME / 2; i++) {
            id++;
            place(&shop, id, 1 + id % 3, CELLAR_ORDER_PLACED);
            if (id % 2 == 0) {
                orders_part(&shop, CELLAR_EVENT_CANCEL, id, (UINT64_C(1) << 40) + id, 0, 1);
            }
            orders_whole(&shop, CELLAR_EVENT_CANCEL, id);
        }
        orders_pass(&shop, REMEMBERED_MS);
        await_retired(&shop, round * (AT_A_TIME / 2 + AT_A_TIME / 4));
        shop_settle(&shop);
        /* Grace periods end. */
        struct store *store = shop.store->store;
        clock_sleep_ns(60 * ORDERS_MS);
        if (round == 3) {
            first = memory_of_all(&shop);
        }
        assert_true(slots_end(&store->order_slots) <= 8 * AT_A_TIME + 1);
    }
    /* Nothing says when the last grace period has ended. */
    for (int i = 0; i < AWAIT_MS / 10 && memory_of_all(&shop) > first; i++) {
        clock_sleep_ns(10 * ORDERS_MS);
    }
    assert_true(memory_of_all(&shop) <= first);
    assert_int_equal(shop_audit(&shop).totals.orders[CELLAR_ORDER_CANCELLED], id);
    cellar_order_query query = {.customer = 1};
    static cellar_order page[CELLAR_PAGE_MAX];
    size_t count;
    assert_int_equal(cellar_order_list(shop.store, &query, page, CELLAR_PAGE_MAX, &count, NULL, 0),
                     CELLAR_OK);
    assert_int_equal(count, id / 3);
    shop_finish(&shop);
}

static void test_as_many_customers_as_configured(void **unused) {
    struct shop shop;
    (void)unused;
    shop_prepare(&shop);
    shop.config.customers_max = 3;
    shop_open(&shop);
    shop_goods(&shop, "a", 100);
    shop_goods(&shop, "b", 100);
    for (uint64_t customer = 1; customer <= 3; customer++) {
        place(&shop, customer, customer, CELLAR_ORDER_PLACED);
    }
    shop_settle(&shop);
    cellar_line line = shop_line("a", 0, 1, 1);
    cellar_order_request request = shop_order_request(9, &line, 1);
    request.customer = 4;
    cellar *store = shop.store;
    assert_int_equal(cellar_order_place(store, NULL, &request, NULL, NULL), CELLAR_STORE_FULL);
    assert_int_equal(cellar_order_return(store, NULL, &request, false, NULL, NULL),
                     CELLAR_STORE_FULL);
    place(&shop, 10, 3, CELLAR_ORDER_PLACED);
    place(&shop, 11, 0, CELLAR_ORDER_PLACED);
    shop_reopen(&shop);
    assert_int_equal(cellar_order_place(shop.store, NULL, &request, NULL, NULL), CELLAR_STORE_FULL);
    assert_int_equal(shop_audit(&shop).totals.customers, 3);
    shop_finish(&shop);
}

/* ---- Openings ---- */

/* A thousand are due when the store is opened: it opens, sells, and is exact all the while. */
static void test_overdue_when_opened(void **unused) {
    struct shop shop;
    (void)unused;
    enum {
        COUNT = 1500
    };
    open_shop(&shop);
    for (uint64_t id = 1; id <= COUNT; id++) {
        shop_order(&shop, id, "a", 1, CELLAR_ORDER_FULFILLED);
    }
    shop_close(&shop);
    orders_pass(&shop, 10 * REMEMBERED_MS);
    shop_open(&shop);
    shop_order(&shop, COUNT + 1, "a", 1, CELLAR_ORDER_PLACED);
    await_retired(&shop, COUNT);
    shop_reopen(&shop);
    assert_int_equal(retired_in_all(&shop), COUNT);
    assert_int_equal(get(&shop, COUNT + 1), CELLAR_OK);
    /* Their slots serve again, in recovery as well. */
    for (uint64_t id = 1; id <= COUNT; id++) {
        shop_order(&shop, id, "a", 1, CELLAR_ORDER_PLACED);
    }
    assert_true(slots_end(&shop.store->store->order_slots) <= COUNT + 3);
    shop_finish(&shop);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_to_the_nanosecond_and_not_before),
        cmocka_unit_test(test_what_is_open_stays),
        cmocka_unit_test(test_a_return_by_line_makes_it_remembered_longer),
        cmocka_unit_test(test_for_ever_by_default),
        cmocka_unit_test(test_as_it_stood_after_each_step),
        cmocka_unit_test(test_what_is_not_there),
        cmocka_unit_test(test_pages_go_on_while_orders_leave),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_memory_stays_flat),
        cmocka_unit_test(test_as_many_customers_as_configured),
        cmocka_unit_test(test_overdue_when_opened),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
