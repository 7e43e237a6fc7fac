/* Is an order read from the log as it stood then, when its commits did other things as well, when
 * they are many, and when it is a return? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/orders.h"

#include <string.h>

/* More than memory is asked for at first. */
#define STEPS 40

static cellar_order past_of(struct shop *shop, uint64_t id, uint64_t lsn, cellar_order_line *lines,
                            size_t capacity) {
    cellar_order order;
    assert_int_equal(cellar_order_at(shop->store, shop_id(id), lsn, &order, lines, capacity),
                     CELLAR_OK);
    assert_int_equal(order.id.low, id);
    assert_int_equal(order.version, lsn);
    return order;
}

static cellar_status try_past(struct shop *shop, cellar_id id, uint64_t lsn) {
    cellar_order order;
    return cellar_order_at(shop->store, id, lsn, &order, NULL, 0);
}

static void test_many_steps(void **state) {
    struct shop *shop = *state;
    uint64_t lsns[STEPS + 1];
    int64_t deadlines[STEPS + 1];
    shop_goods(shop, "a", 10);
    ATOMIC_STORE(&shop->tick_ns, 0, relaxed);
    deadlines[0] = orders_hold(shop, 1, "a", 2, 1000);
    lsns[0] = shop_order_get(shop, 1).version;
    for (int i = 1; i <= STEPS; i++) {
        cellar_ticket ticket;
        deadlines[i] = orders_deadline(shop, 1000 + i);
        assert_int_equal(
            cellar_order_extend(shop->store, NULL, shop_id(1), deadlines[i], &ticket, NULL),
            CELLAR_OK);
        lsns[i] = ticket.lsn;
    }
    for (int i = 0; i <= STEPS; i++) {
        cellar_order_line line;
        cellar_order order = past_of(shop, 1, lsns[i], &line, 1);
        assert_int_equal(order.state, CELLAR_ORDER_PLACED);
        assert_int_equal(order.hold_until_ns, deadlines[i]);
        assert_int_equal(order.placed_lsn, lsns[0]);
        assert_int_equal(line.quantity, 2);
        assert_int_equal(line.cancelled, 0);
    }
}

static void test_a_return(void **state) {
    struct shop *shop = *state;
    cellar_line line = shop_line("a", 0, 3, 25);
    cellar_order_request request = shop_order_request(1, &line, 1);
    cellar_order_line read;
    cellar_ticket ticket;
    shop_goods(shop, "a", 10);
    shop_account(shop, 1, 0, 5);
    request.account = 1;
    assert_int_equal(cellar_order_return(shop->store, NULL, &request, false, &ticket, NULL),
                     CELLAR_OK);
    cellar_order order = past_of(shop, 1, ticket.lsn, &read, 1);
    assert_int_equal(order.state, CELLAR_ORDER_RETURNED);
    assert_int_equal(order.total, -75);
    assert_int_equal(order.account, 1);
    assert_int_equal(order.placed_lsn, ticket.lsn);
    assert_int_equal(read.quantity, 3);
    assert_int_equal(read.fulfilled, 0);
    cellar_order now = shop_order_get(shop, 1);
    assert_int_equal(now.total, order.total);
    assert_int_equal(now.cursor, order.cursor);
}

/* The commit of a transaction places two orders and is a step of two others, behind a receipt. */
static void test_several_in_one_commit(void **state) {
    struct shop *shop = *state;
    cellar_line line = shop_line("a", 0, 4, 10);
    cellar_line other = shop_line("a", 0, 7, 1);
    const cellar_stock_change receipt = {.id = shop_id(50), .lines = &line, .line_count = 1};
    cellar_order_request placed[] = {shop_order_request(3, &line, 1),
                                     shop_order_request(4, &other, 1)};
    const cellar_order_part two = {0, 2};
    cellar_order_change changes[] = {orders_change(CELLAR_EVENT_CANCEL, 1, 60, &two, 1),
                                     orders_change(CELLAR_EVENT_PAY, 2, 0, NULL, 0)};
    const cellar_operation steps[] = {
        {.kind = CELLAR_OPERATION_STOCK_RECEIVE, .stock = &receipt},
        {.kind = CELLAR_OPERATION_ORDER_PLACE, .order = &placed[0]},
        {.kind = CELLAR_OPERATION_ORDER_STEP, .step = &changes[0]},
        {.kind = CELLAR_OPERATION_ORDER_PLACE, .order = &placed[1]},
        {.kind = CELLAR_OPERATION_ORDER_STEP, .step = &changes[1]},
    };
    cellar_order_line read;
    cellar_ticket ticket;
    shop_goods(shop, "a", 100);
    uint64_t before = shop_order(shop, 1, "a", 5, CELLAR_ORDER_PLACED).lsn;
    shop_order(shop, 2, "a", 1, CELLAR_ORDER_PLACED);
    assert_int_equal(cellar_transact(shop->store, NULL, (cellar_id){0, 0}, steps, 5, &ticket, NULL),
                     CELLAR_OK);
    orders_whole(shop, CELLAR_EVENT_FULFIL, 2);
    cellar_order order = past_of(shop, 1, ticket.lsn, &read, 1);
    assert_int_equal(order.cancelled_value, 200);
    assert_int_equal(read.cancelled, 2);
    order = past_of(shop, 2, ticket.lsn, NULL, 0);
    assert_int_equal(order.state, CELLAR_ORDER_PAID);
    order = past_of(shop, 3, ticket.lsn, &read, 1);
    assert_int_equal(order.total, 40);
    assert_int_equal(order.cursor, ticket.lsn + 1);
    order = past_of(shop, 4, ticket.lsn, &read, 1);
    assert_int_equal(order.total, 7);
    assert_int_equal(order.cursor, ticket.lsn + 3);
    assert_int_equal(read.quantity, 7);
    /* Later steps lead back through it. */
    order = past_of(shop, 2, shop_order_get(shop, 2).version, NULL, 0);
    assert_int_equal(order.state, CELLAR_ORDER_FULFILLED);
    /* What it did nothing to: a receipt, an order of before, ids that differ in one half. */
    assert_int_equal(try_past(shop, shop_id(50), ticket.lsn), CELLAR_NOT_FOUND);
    assert_int_equal(try_past(shop, shop_id(3), before), CELLAR_NOT_FOUND);
    assert_int_equal(try_past(shop, shop_id(5), ticket.lsn), CELLAR_NOT_FOUND);
    assert_int_equal(try_past(shop, (cellar_id){1, 3}, ticket.lsn), CELLAR_NOT_FOUND);
}

/* A list by customer goes on behind a cursor when the order is unknown, or is another one's. */
static void test_cursors_alone(void **state) {
    struct shop *shop = *state;
    cellar_line line = shop_line("a", 0, 1, 10);
    cellar_order orders[3];
    cellar_order page[4];
    size_t count;
    shop_goods(shop, "a", 100);
    for (uint64_t id = 1; id <= 3; id++) {
        cellar_order_request request = shop_order_request(id, &line, 1);
        request.customer = 7;
        assert_int_equal(cellar_order_place(shop->store, NULL, &request, NULL, NULL), CELLAR_OK);
        orders[id - 1] = shop_order_get(shop, id);
    }
    const cellar_id befores[] = {{0, 0}, shop_id(99), shop_id(1), {SHOP_ID_HIGH + 1, 3}};
    for (size_t i = 0; i < sizeof befores / sizeof *befores; i++) {
        cellar_order_query query = {
            .customer = 7, .before = befores[i], .cursor = orders[2].cursor};
        assert_int_equal(cellar_order_list(shop->store, &query, page, 4, &count, NULL, 0),
                         CELLAR_OK);
        assert_int_equal(count, 2);
        assert_int_equal(page[0].id.low, 2);
        assert_int_equal(page[1].id.low, 1);
        query.customer = 0;
        query.state = CELLAR_ORDER_PLACED;
        assert_int_equal(cellar_order_list(shop->store, &query, page, 4, &count, NULL, 0),
                         CELLAR_OK);
        assert_int_equal(count, 2);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SHOP_TEST(test_many_steps),
        SHOP_TEST(test_a_return),
        SHOP_TEST(test_several_in_one_commit),
        SHOP_TEST(test_cursors_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
