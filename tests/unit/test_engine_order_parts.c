/* Are steps by line exact to the unit and the last coin, made once and no more, refused beyond
 * every limit, and without a trace then? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/orders.h"

#include <stdlib.h>

/* Every order here: 5 of "a" for 333 each, 3 of "b" for 7 each, from an account. */
#define TOTAL (5 * 333 + 3 * 7)
#define LATER (INT64_C(1000000) * ORDERS_MS)

static void fill(struct shop *shop) {
    shop_goods(shop, "a", 10000);
    shop_goods(shop, "b", 10000);
    shop_account(shop, 1, 0, 10000000);
}

static void place(struct shop *shop, uint64_t id, cellar_order_state state, int64_t until_ns) {
    cellar_line lines[] = {shop_line("a", 0, 5, 333), shop_line("b", 0, 3, 7)};
    cellar_order_request request = shop_order_request(id, lines, 2);
    request.state = state;
    request.account = state >= CELLAR_ORDER_PAID ? 1 : 0;
    request.hold_until_ns = until_ns;
    assert_int_equal(cellar_order_place(shop->store, NULL, &request, NULL, NULL), CELLAR_OK);
}

/* ---- Arguments ---- */

static void test_arguments(void **state) {
    struct shop *shop = *state;
    static const cellar_order_part good = {1, 1};
    static const cellar_order_part zero = {0, 0};
    static const cellar_order_part negative = {0, -1};
    static const cellar_order_part huge = {0, CELLAR_AMOUNT_MAX + 1};
    static const cellar_order_part beyond = {2, 1};
    static const cellar_order_part last = {UINT32_MAX, 1};
    static const cellar_order_part twice[] = {{1, 1}, {0, 1}, {1, 1}};
    static const cellar_order_part second[] = {{0, 1}, {1, 0}};
    const cellar_id id = shop_id(9);
    const struct {
        const char *member;
        uint32_t line;
        cellar_order_change change;
    } rows[] = {
        /* member  line  change */
        {"event", CELLAR_NO_LINE, {.event = 0}},
        {"event", CELLAR_NO_LINE, {.event = 6}},
        {"event", CELLAR_NO_LINE, {.event = 16}},
        {"part_count", CELLAR_NO_LINE, {.event = 3, .id = id, .part_count = 1}},
        {"part_count", CELLAR_NO_LINE, {.event = 3, .id = id, .parts = &good}},
        {"part_count", CELLAR_NO_LINE, {.event = 3, .id = id, .parts = &good, .part_count = 4097}},
        {"id", CELLAR_NO_LINE, {.event = 3, .parts = &good, .part_count = 1}},
        {"id", CELLAR_NO_LINE, {.event = 4}},
        {"quantity", 0, {.event = 3, .id = id, .parts = &zero, .part_count = 1}},
        {"quantity", 0, {.event = 3, .id = id, .parts = &negative, .part_count = 1}},
        {"quantity", 0, {.event = 3, .id = id, .parts = &huge, .part_count = 1}},
        {"quantity", 1, {.event = 3, .id = id, .parts = second, .part_count = 2}},
        {"parts", 2, {.event = 3, .id = id, .parts = &beyond, .part_count = 1}},
        {"parts", UINT32_MAX, {.event = 3, .id = id, .parts = &last, .part_count = 1}},
        {"parts", 1, {.event = 3, .id = id, .parts = twice, .part_count = 3}},
        {"account", CELLAR_NO_LINE, {.event = 3, .account = 1}},
        {"account", CELLAR_NO_LINE, {.event = 1, .damaged = true}},
        {"hold_until_ns", CELLAR_NO_LINE, {.event = 5}},
        {"hold_until_ns", CELLAR_NO_LINE, {.event = 5, .hold_until_ns = -1}},
        {"hold_until_ns", CELLAR_NO_LINE, {.event = 1, .hold_until_ns = LATER}},
        {"hold_until_ns",
         CELLAR_NO_LINE,
         {.event = 5, .id = id, .parts = &good, .part_count = 1, .hold_until_ns = LATER}},
    };
    fill(shop);
    place(shop, 1, CELLAR_ORDER_PLACED, 0);
    shop_freeze(shop);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        cellar_refusal refusal;
        cellar_order_change change = rows[i].change;
        change.order = shop_id(1);
        cellar_status status = orders_try(shop, &change, &refusal);
        shop_check_invalid(&refusal, status, rows[i].line, rows[i].member);
    }
    shop_check_frozen(shop, "after arguments that are wrong");
    cellar_refusal refusal;
    shop_check_invalid(&refusal, cellar_order_step(shop->store, NULL, NULL, NULL, &refusal),
                       CELLAR_NO_LINE, "change");
    assert_int_equal(orders_try_part(shop, CELLAR_EVENT_CANCEL, 77, 9, 0, 1, &refusal),
                     CELLAR_NOT_FOUND);
    shop_check_refusal(&refusal, CELLAR_NOT_FOUND, CELLAR_NO_LINE, 0, 0);
    shop_check_frozen(shop, "after a step of no order");
}

/* 4,096 lines, each told of in one step; in the order of their numbers or not. */
static void test_4096_parts(void **unused) {
    struct shop shop;
    cellar_line *lines = calloc(CELLAR_LINES_MAX, sizeof *lines);
    cellar_order_part *parts = calloc(CELLAR_LINES_MAX + 1, sizeof *parts);
    cellar_refusal refusal;
    (void)unused;
    shop_prepare(&shop);
    shop.config.ring_bytes = UINT64_C(4) << 20;
    shop.config.segment_bytes = UINT64_C(8) << 20;
    shop_open(&shop);
    shop_goods(&shop, "a", 10000);
    for (uint32_t i = 0; i <= CELLAR_LINES_MAX; i++) {
        parts[i] = (cellar_order_part){CELLAR_LINES_MAX - 1 - i, 1};
    }
    for (uint32_t i = 0; i < CELLAR_LINES_MAX; i++) {
        lines[i] = shop_line("a", 0, 2, i);
    }
    cellar_order_request request = shop_order_request(1, lines, CELLAR_LINES_MAX);
    request.state = CELLAR_ORDER_PAID;
    assert_int_equal(cellar_order_place(shop.store, NULL, &request, NULL, NULL), CELLAR_OK);
    cellar_order_change change =
        orders_change(CELLAR_EVENT_FULFIL, 1, 2, parts, CELLAR_LINES_MAX + 1);
    shop_check_invalid(&refusal, orders_try(&shop, &change, &refusal), CELLAR_NO_LINE,
                       "part_count");
    change.part_count = CELLAR_LINES_MAX;
    assert_int_equal(orders_try(&shop, &change, NULL), CELLAR_OK);
    change = orders_change(CELLAR_EVENT_CANCEL, 1, 3, parts, CELLAR_LINES_MAX);
    assert_int_equal(orders_try(&shop, &change, NULL), CELLAR_OK);
    assert_int_equal(shop_order_get(&shop, 1).state, CELLAR_ORDER_FULFILLED);
    shop_reopen(&shop);
    change = orders_change(CELLAR_EVENT_RETURN, 1, 4, NULL, 0);
    assert_int_equal(orders_try(&shop, &change, NULL), CELLAR_OK);
    cellar_order order = shop_order_get(&shop, 1);
    int64_t half = INT64_C(4095) * 4096 / 2;
    assert_int_equal(order.cancelled_value, half);
    assert_int_equal(order.returned_value, half);
    assert_int_equal(shop_available(&shop, "a", 0), 10000);
    shop_finish(&shop);
    free(lines);
    free(parts);
}

/* ---- Exactness ---- */

/* Piece by piece: paid for, cancelled, left, come back; money and units are right after each. */
static void test_piece_by_piece(void **state) {
    struct shop *shop = *state;
    int64_t units = 10000;
    int64_t money = 10000000 - TOTAL;
    fill(shop);
    place(shop, 1, CELLAR_ORDER_PAID, 0);
    static const struct {
        cellar_order_event event;
        uint32_t line;
        int64_t cancelled[2], fulfilled[2], returned[2]; /* after it */
        int64_t available_change, money;
        cellar_order_state state;
    } rows[] = {
        /* event  line  cancelled  fulfilled  returned  change of available  money back  state */
        {CELLAR_EVENT_CANCEL, 0, {1, 0}, {0, 0}, {0, 0}, 1, 333, 2},
        {CELLAR_EVENT_FULFIL, 0, {1, 0}, {1, 0}, {0, 0}, 0, 0, 2},
        {CELLAR_EVENT_RETURN, 0, {1, 0}, {1, 0}, {1, 0}, 1, 333, 2},
        {CELLAR_EVENT_FULFIL, 0, {1, 0}, {2, 0}, {1, 0}, 0, 0, 2},
        {CELLAR_EVENT_CANCEL, 0, {2, 0}, {2, 0}, {1, 0}, 1, 333, 2},
        {CELLAR_EVENT_CANCEL, 1, {2, 1}, {2, 0}, {1, 0}, 0, 7, 2},
        {CELLAR_EVENT_CANCEL, 1, {2, 2}, {2, 0}, {1, 0}, 0, 7, 2},
        {CELLAR_EVENT_FULFIL, 0, {2, 2}, {3, 0}, {1, 0}, 0, 0, 2},
        {CELLAR_EVENT_CANCEL, 1, {2, 3}, {3, 0}, {1, 0}, 0, 7, 3},
        {CELLAR_EVENT_RETURN, 0, {2, 3}, {3, 0}, {2, 0}, 1, 333, 3},
        {CELLAR_EVENT_RETURN, 0, {2, 3}, {3, 0}, {3, 0}, 1, 333, 3},
    };
    units -= 5;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        orders_part(shop, rows[i].event, 1, 10 + i, rows[i].line, 1);
        if (i % 3 == 2) {
            shop_reopen(shop);
        }
        cellar_order order = shop_order_get(shop, 1);
        int64_t cancelled = 0;
        int64_t returned = 0;
        for (uint32_t k = 0; k < 2; k++) {
            cellar_order_line line = orders_line(shop, 1, k);
            assert_int_equal(line.cancelled, rows[i].cancelled[k]);
            assert_int_equal(line.fulfilled, rows[i].fulfilled[k]);
            assert_int_equal(line.returned, rows[i].returned[k]);
            cancelled += line.cancelled * line.unit_price;
            returned += line.returned * line.unit_price;
        }
        units += rows[i].available_change;
        money += rows[i].money;
        assert_int_equal(order.state, rows[i].state);
        assert_int_equal(order.total, TOTAL);
        assert_int_equal(order.cancelled_value, cancelled);
        assert_int_equal(order.returned_value, returned);
        assert_int_equal(shop_available(shop, "a", 0), units);
        assert_int_equal(shop_balance(shop, 1), money);
        shop_audit(shop);
    }
    assert_int_equal(money, 10000000);
    cellar_totals totals = shop_audit(shop).totals;
    assert_int_equal(totals.revenue, 3 * 333);
    assert_int_equal(totals.returned_value, 3 * 333);
    assert_int_equal(totals.units_ordered, 3);
}

/* Only what is taken is paid for; the rest is available again, and does not come back twice. */
static void test_paid_in_part(void **state) {
    struct shop *shop = *state;
    const cellar_order_part parts[] = {{1, 1}, {0, 2}};
    cellar_refusal refusal;
    fill(shop);
    place(shop, 1, CELLAR_ORDER_PLACED, orders_deadline(shop, 10));
    orders_part(shop, CELLAR_EVENT_CANCEL, 1, 2, 0, 2);
    assert_int_equal(shop_order_get(shop, 1).hold_until_ns, orders_deadline(shop, 10));
    cellar_order_change change = orders_change(CELLAR_EVENT_PAY, 1, 3, parts, 2);
    change.account = 2;
    assert_int_equal(orders_try(shop, &change, &refusal), CELLAR_NOT_FOUND);
    shop_check_refusal(&refusal, CELLAR_NOT_FOUND, CELLAR_NO_LINE, 0, 0);
    shop_account(shop, 2, 0, 672);
    assert_int_equal(orders_try(shop, &change, &refusal), CELLAR_INSUFFICIENT_FUNDS);
    shop_check_refusal(&refusal, CELLAR_INSUFFICIENT_FUNDS, CELLAR_NO_LINE, 672, 673);
    change.account = 1;
    assert_int_equal(orders_try(shop, &change, NULL), CELLAR_OK);
    assert_int_equal(shop_balance(shop, 1), 10000000 - 2 * 333 - 7);
    assert_int_equal(shop_available(shop, "a", 0), 10000 - 2);
    assert_int_equal(shop_available(shop, "b", 0), 10000 - 1);
    assert_int_equal(shop_order_get(shop, 1).cancelled_value, 3 * 333 + 2 * 7);
    /* The hold has no end any more. */
    orders_pass(shop, 1000);
    orders_whole(shop, CELLAR_EVENT_FULFIL, 1);
    assert_int_equal(shop_audit(shop).totals.revenue, 2 * 333 + 7);
}

static void test_damaged(void **state) {
    struct shop *shop = *state;
    const cellar_order_part part = {0, 2};
    fill(shop);
    place(shop, 1, CELLAR_ORDER_FULFILLED, 0);
    cellar_order_change change = orders_change(CELLAR_EVENT_RETURN, 1, 2, &part, 1);
    change.damaged = true;
    assert_int_equal(orders_try(shop, &change, NULL), CELLAR_OK);
    assert_int_equal(shop_available(shop, "a", 0), 10000 - 5);
    assert_int_equal(shop_stock(shop, "a", 0).unsellable, 2);
    change.damaged = false;
    assert_int_equal(orders_try(shop, &change, NULL), CELLAR_ID_REUSED);
}

/* Asked for at once, before what follows the log knows of the order. */
static void test_returned_at_once(void **state) {
    struct shop *shop = *state;
    fill(shop);
    for (uint64_t i = 1; i <= 300; i++) {
        place(shop, 10 * i, CELLAR_ORDER_FULFILLED, 0);
        orders_part(shop, CELLAR_EVENT_RETURN, 10 * i, 10 * i + 1, 0, 5);
    }
    assert_int_equal(shop_available(shop, "a", 0), 10000);
}

/* ---- Once and no more ---- */

static void test_the_same_again(void **state) {
    struct shop *shop = *state;
    const cellar_order_part part = {0, 1};
    const cellar_order_part other = {1, 1};
    cellar_ticket first[3] = {0};
    fill(shop);
    place(shop, 1, CELLAR_ORDER_PAID, 0);
    place(shop, 7, CELLAR_ORDER_PAID, 0);
    const cellar_order_event events[] = {CELLAR_EVENT_FULFIL, CELLAR_EVENT_CANCEL,
                                         CELLAR_EVENT_RETURN};
    for (int round = 0; round < 3; round++) {
        for (uint64_t i = 0; i < 3; i++) {
            cellar_order_change change = orders_change(events[i], 1, 2 + i, &part, 1);
            cellar_ticket ticket;
            assert_int_equal(cellar_order_step(shop->store, NULL, &change, &ticket, NULL),
                             CELLAR_OK);
            assert_int_equal(ticket.repeated, round != 0);
            first[i] = round == 0 ? ticket : first[i];
            assert_int_equal(ticket.lsn, first[i].lsn);
            assert_int_equal(ticket.time_ns, first[i].time_ns);
            /* The same id: with other lines, of another event, of another order; or to place. */
            cellar_order_change wrong[3] = {change, change, change};
            wrong[0].parts = &other;
            wrong[1].event = events[(i + 1) % 3];
            wrong[2].order = shop_id(7);
            for (int k = 0; k < 3; k++) {
                assert_int_equal(orders_try(shop, &wrong[k], NULL), CELLAR_ID_REUSED);
            }
        }
        shop_reopen(shop);
    }
    cellar_order_line line = orders_line(shop, 1, 0);
    assert_int_equal(line.fulfilled, 1);
    assert_int_equal(line.cancelled, 1);
    assert_int_equal(line.returned, 1);
    /* An order's own id, and a step's for an order. */
    assert_int_equal(orders_try_part(shop, CELLAR_EVENT_CANCEL, 1, 1, 0, 1, NULL),
                     CELLAR_ID_REUSED);
    cellar_line goods = shop_line("a", 0, 1, 1);
    cellar_order_request request = shop_order_request(2, &goods, 1);
    assert_int_equal(cellar_order_place(shop->store, NULL, &request, NULL, NULL), CELLAR_ID_REUSED);
}

/* A step that was refused may be made under the same id, with the same content or another. */
static void test_refused_and_tried_again(void **state) {
    struct shop *shop = *state;
    cellar_refusal refusal;
    fill(shop);
    place(shop, 1, CELLAR_ORDER_PLACED, 0);
    shop_freeze(shop);
    assert_int_equal(orders_try_part(shop, CELLAR_EVENT_FULFIL, 1, 2, 0, 1, &refusal),
                     CELLAR_ILLEGAL_STEP);
    assert_int_equal(orders_try_part(shop, CELLAR_EVENT_CANCEL, 1, 2, 0, 6, &refusal),
                     CELLAR_NOTHING_LEFT);
    shop_check_refusal(&refusal, CELLAR_NOTHING_LEFT, 0, 5, 6);
    assert_int_equal(orders_try_part(shop, CELLAR_EVENT_CANCEL, 1, 2, 1, 4, &refusal),
                     CELLAR_NOTHING_LEFT);
    shop_check_refusal(&refusal, CELLAR_NOTHING_LEFT, 1, 3, 4);
    shop_check_frozen(shop, "after steps that were refused");
    orders_whole(shop, CELLAR_EVENT_PAY, 1);
    orders_part(shop, CELLAR_EVENT_FULFIL, 1, 2, 0, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SHOP_TEST(test_arguments),      cmocka_unit_test(test_4096_parts),
        SHOP_TEST(test_piece_by_piece), SHOP_TEST(test_paid_in_part),
        SHOP_TEST(test_damaged),        SHOP_TEST(test_returned_at_once),
        SHOP_TEST(test_the_same_again), SHOP_TEST(test_refused_and_tried_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
