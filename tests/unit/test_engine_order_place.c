/* Is an order placed whole or not at all, once for its id, with the money it costs, and does a
 * quote say what placing it would answer? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/shop.h"

#include <stdlib.h>
#include <string.h>

#define MAX CELLAR_AMOUNT_MAX

static cellar_status place(struct shop *shop, const cellar_order_request *request,
                           cellar_ticket *ticket, cellar_refusal *refusal) {
    return cellar_order_place(shop->store, NULL, request, ticket, refusal);
}

static void test_all_that_is_placed_comes_out(void **state) {
    struct shop *shop = *state;
    static const struct {
        cellar_order_state asked, placed;
        uint64_t customer, account;
        const char *reference;
    } rows[] = {
        /* asked  placed  customer  account  reference */
        {0, CELLAR_ORDER_PLACED, 0, 0, NULL},
        {CELLAR_ORDER_PLACED, CELLAR_ORDER_PLACED, 5, 0, ""},
        {CELLAR_ORDER_PAID, CELLAR_ORDER_PAID, UINT64_MAX, 0, "cash"},
        {CELLAR_ORDER_PAID, CELLAR_ORDER_PAID, 5, 1, "card"},
        {CELLAR_ORDER_FULFILLED, CELLAR_ORDER_FULFILLED, 0, 0, "over the counter"},
        {CELLAR_ORDER_FULFILLED, CELLAR_ORDER_FULFILLED, 6, 1, NULL},
    };
    shop_goods(shop, "a", 100);
    shop_goods(shop, "b", 100);
    shop_receive(shop, "b", 3, 100);
    shop_account(shop, 1, 0, 10000);
    int64_t spent = 0;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        /* The same SKU twice, with two prices; a free line; one below zero. */
        cellar_line lines[] = {shop_line("a", 0, 2, 100),
                               {.product = 2, .location = 3, .quantity = 1, .unit_price = -50},
                               shop_line("a", 0, 3, 0)};
        cellar_order_request request = shop_order_request(i + 1, lines, 3);
        request.customer = rows[i].customer;
        request.state = rows[i].asked;
        request.account = rows[i].account;
        request.business_time_ns = -(int64_t)i;
        request.reference = rows[i].reference;
        cellar_ticket ticket;
        cellar_order order;
        cellar_order_line got[4];
        assert_int_equal(place(shop, &request, &ticket, NULL), CELLAR_OK);
        assert_false(ticket.repeated);
        assert_int_equal(cellar_order_get(shop->store, request.id, &order, got, 4), CELLAR_OK);
        assert_int_equal(ticket.remaining, order.total);
        assert_memory_equal(&order.id, &request.id, sizeof order.id);
        assert_int_equal(order.state, rows[i].placed);
        assert_int_equal(order.version, ticket.lsn);
        assert_int_equal(order.placed_lsn, ticket.lsn);
        assert_int_equal(order.placed_ns, ticket.time_ns);
        assert_int_equal(order.business_time_ns, -(int64_t)i);
        assert_int_equal(order.customer, rows[i].customer);
        assert_int_equal(order.account, rows[i].account);
        assert_int_equal(order.total, 150);
        assert_int_equal(order.line_count, 3);
        assert_string_equal(order.reference, rows[i].reference ? rows[i].reference : "");
        for (int line = 0; line < 3; line++) {
            assert_int_equal(got[line].product, line == 1 ? 2 : 1);
            assert_int_equal(got[line].location, lines[line].location);
            assert_int_equal(got[line].quantity, lines[line].quantity);
            assert_int_equal(got[line].unit_price, lines[line].unit_price);
        }
        spent += rows[i].account != 0 ? 150 : 0;
        assert_int_equal(shop_balance(shop, 1), 10000 - spent);
        assert_int_equal(shop_available(shop, "a", 0), 95 - 5 * (int64_t)i);
        assert_int_equal(shop_available(shop, "b", 3), 99 - (int64_t)i);
    }
}

/* "a" has 10, 4 of them protected; "b" has 10; "old" is discontinued; accounts 1 (50 to spend) and
 * 2 (full). Each row has a first line that would do and a second one. */
struct refused {
    const char *sku;
    uint32_t location;
    int64_t quantity, unit_price;
    cellar_order_state state;
    uint64_t account;
    cellar_status status;
    uint32_t line;
    int64_t available, needed;
};
static const struct refused refused[] = {
    /* sku  location  quantity  price  state  account  answer  line  available  needed */
    {"b", 0, 11, 1, 0, 0, CELLAR_OUT_OF_STOCK, 1, 10, 11},
    {"a", 0, 6, 1, 0, 0, CELLAR_OUT_OF_STOCK, 0, 6, 7}, /* 1 + 6: the first line names it */
    {"b", 0, MAX, 0, 0, 0, CELLAR_OUT_OF_STOCK, 1, 10, MAX},
    {"a", 0, MAX, 0, 0, 0, CELLAR_OVERFLOW, 0, 0, 0}, /* 1 + MAX */
    {"b", 5, 1, 1, 0, 0, CELLAR_NOT_FOUND, 1, 0, 0},
    {"ghost", 0, 1, 1, 0, 0, CELLAR_NOT_FOUND, 1, 0, 0},
    {"old", 0, 1, 1, 0, 0, CELLAR_NOT_SELLABLE, 1, 0, 0},
    {"b", 0, 1, 50, CELLAR_ORDER_PAID, 1, CELLAR_INSUFFICIENT_FUNDS, CELLAR_NO_LINE, 50, 51},
    {"b", 0, 5, 10, CELLAR_ORDER_FULFILLED, 1, CELLAR_INSUFFICIENT_FUNDS, CELLAR_NO_LINE, 50, 51},
    {"b", 0, 1, 5, CELLAR_ORDER_PAID, 9, CELLAR_NOT_FOUND, CELLAR_NO_LINE, 0, 0},
    {"b", 0, 1, -1, CELLAR_ORDER_PAID, 9, CELLAR_NOT_FOUND, CELLAR_NO_LINE, 0, 0}, /* free */
    {"b", 0, 1, -9, CELLAR_ORDER_PAID, 2, CELLAR_OVERFLOW, CELLAR_NO_LINE, 0, 0},
    {"b", 0, 2, MAX, 0, 0, CELLAR_OVERFLOW, 1, 0, 0},
    {"b", 0, 10, INT64_MAX / 20, 0, 0, CELLAR_INVALID_ARGUMENT, 1, 0, 0},
};

static void make_refusing_shop(struct shop *shop) {
    cellar_line safety = shop_line("a", 0, 4, 0);
    shop_goods(shop, "a", 10);
    shop_goods(shop, "b", 10);
    shop_goods(shop, "old", 10);
    shop_status(shop, "old", CELLAR_PRODUCT_DISCONTINUED);
    assert_int_equal(cellar_stock_set_safety(shop->store, NULL, &safety, 0, NULL, NULL), CELLAR_OK);
    shop_account(shop, 1, -20, 30);
    shop_account(shop, 2, 0, MAX);
}

static void check_refused(const struct refused *row, cellar_status status,
                          const cellar_refusal *refusal) {
    if (row->status == CELLAR_INVALID_ARGUMENT) {
        shop_check_invalid(refusal, status, row->line, "unit_price");
        return;
    }
    assert_int_equal(status, row->status);
    shop_check_refusal(refusal, row->status, row->line, row->available, row->needed);
}

static void test_refusals_leave_nothing(void **state) {
    struct shop *shop = *state;
    make_refusing_shop(shop);
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        const struct refused *row = &refused[i];
        cellar_line lines[] = {shop_line("a", 0, 1, 1),
                               shop_line(row->sku, row->location, row->quantity, row->unit_price)};
        cellar_order_request request = shop_order_request(i + 1, lines, 2);
        cellar_order order;
        cellar_refusal refusal;
        int64_t total = -77;
        request.state = row->state;
        request.account = row->account;
        request.customer = 3;
        memset(&refusal, 0xee, sizeof refusal);
        shop_freeze(shop);
        check_refused(row, cellar_order_quote(shop->store, &request, &total, &refusal), &refusal);
        memset(&refusal, 0xee, sizeof refusal);
        check_refused(row, place(shop, &request, NULL, &refusal), &refusal);
        assert_int_equal(cellar_order_get(shop->store, request.id, &order, NULL, 0),
                         CELLAR_NOT_FOUND);
        assert_int_equal(cellar_order_pay(shop->store, NULL, request.id, 0, NULL, NULL),
                         CELLAR_NOT_FOUND);
        shop_check_frozen(shop, "after an order that is refused");
    }
    /* The first lines alone are still possible, under the same ids. */
    for (uint64_t id = 1; id <= 6; id++) {
        cellar_ticket ticket;
        cellar_line line = shop_line("a", 0, 1, 1);
        cellar_order_request request = shop_order_request(id, &line, 1);
        assert_int_equal(place(shop, &request, &ticket, NULL), CELLAR_OK);
        assert_false(ticket.repeated);
    }
}

static void test_quote(void **state) {
    struct shop *shop = *state;
    make_refusing_shop(shop);
    cellar_line lines[] = {shop_line("a", 0, 6, 7), shop_line("b", 0, 1, -2)};
    cellar_order_request request = shop_order_request(1, lines, 2);
    cellar_refusal refusal;
    int64_t total = 0;
    shop_freeze(shop);
    uint32_t slots = slots_end(&shop->store->store->order_slots);
    for (int i = 0; i < 3; i++) {
        request.id = i == 1 ? (cellar_id){0, 0} : shop_id(1);
        request.state = i == 2 ? CELLAR_ORDER_PAID : 0;
        request.account = i == 2 ? 1 : 0;
        assert_int_equal(cellar_order_quote(shop->store, &request, &total, &refusal), CELLAR_OK);
        assert_int_equal(total, 40);
    }
    assert_int_equal(slots_end(&shop->store->store->order_slots), slots);
    shop_check_frozen(shop, "after quotes");
    assert_int_equal(cellar_order_quote(shop->store, NULL, &total, &refusal),
                     CELLAR_INVALID_ARGUMENT);
    assert_int_equal(cellar_order_quote(shop->store, &request, NULL, &refusal),
                     CELLAR_INVALID_ARGUMENT);
    /* What was quoted is placed for it. */
    assert_int_equal(place(shop, &request, NULL, NULL), CELLAR_OK);
    assert_int_equal(shop_order_get(shop, 1).total, 40);
    assert_int_equal(cellar_order_quote(shop->store,
                                        &(cellar_order_request){.lines = lines, .line_count = 1},
                                        &total, &refusal),
                     CELLAR_OUT_OF_STOCK);
}

static void test_bad_arguments(void **state) {
    struct shop *shop = *state;
    static char reference65[66];
    static const cellar_line good = {.sku = "a", .quantity = 1, .unit_price = 5};
    static const cellar_line bad[] = {
        {.sku = "a", .quantity = 0},
        {.sku = "a", .quantity = -1},
        {.sku = "a", .quantity = MAX + 1},
        {.sku = "a", .quantity = 1, .unit_price = MAX + 1},
        {.sku = "a", .quantity = 1, .unit_price = -MAX - 1},
        {.sku = "a", .quantity = 1, .unit_price = INT64_MIN},
        {.sku = NULL, .quantity = 1},
        {.sku = "", .quantity = 1},
    };
    const struct {
        const char *member;
        uint32_t line;
        cellar_order_request request;
    } rows[] = {
        /* member  line  request */
        {"id", CELLAR_NO_LINE, {.id = {0, 0}, .lines = &good, .line_count = 1}},
        {"line_count", CELLAR_NO_LINE, {.id = {0, 1}, .lines = NULL, .line_count = 1}},
        {"line_count", CELLAR_NO_LINE, {.id = {0, 1}, .lines = &good, .line_count = 0}},
        {"line_count", CELLAR_NO_LINE, {.id = {0, 1}, .lines = &good, .line_count = SIZE_MAX}},
        {"state", CELLAR_NO_LINE, {.id = {0, 1}, .lines = &good, .line_count = 1, .state = 4}},
        {"state", CELLAR_NO_LINE, {.id = {0, 1}, .lines = &good, .line_count = 1, .state = 5}},
        {"state",
         CELLAR_NO_LINE,
         {.id = {0, 1}, .lines = &good, .line_count = 1, .state = (cellar_order_state)-1}},
        {"account", CELLAR_NO_LINE, {.id = {0, 1}, .lines = &good, .line_count = 1, .account = 1}},
        {"reference",
         CELLAR_NO_LINE,
         {.id = {0, 1}, .lines = &good, .line_count = 1, .reference = reference65}},
        {"quantity", 0, {.id = {0, 1}, .lines = &bad[0], .line_count = 1}},
        {"quantity", 0, {.id = {0, 1}, .lines = &bad[1], .line_count = 1}},
        {"quantity", 0, {.id = {0, 1}, .lines = &bad[2], .line_count = 1}},
        {"unit_price", 0, {.id = {0, 1}, .lines = &bad[3], .line_count = 1}},
        {"unit_price", 0, {.id = {0, 1}, .lines = &bad[4], .line_count = 1}},
        {"unit_price", 0, {.id = {0, 1}, .lines = &bad[5], .line_count = 1}},
        {"sku", 0, {.id = {0, 1}, .lines = &bad[6], .line_count = 1}},
        {"sku", 0, {.id = {0, 1}, .lines = &bad[7], .line_count = 1}},
    };
    memset(reference65, 'r', 65);
    shop_goods(shop, "a", 10);
    shop_account(shop, 1, 0, 100);
    shop_freeze(shop);
    cellar_refusal refusal;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        memset(&refusal, 0xee, sizeof refusal);
        cellar_status status = place(shop, &rows[i].request, NULL, &refusal);
        shop_check_invalid(&refusal, status, rows[i].line, rows[i].member);
    }
    shop_check_invalid(&refusal, place(shop, NULL, NULL, &refusal), CELLAR_NO_LINE, "request");
    shop_check_frozen(shop, "after bad arguments");
    /* A reference at the limit. */
    reference65[64] = '\0';
    cellar_order_request request = shop_order_request(2, &good, 1);
    request.reference = reference65;
    assert_int_equal(place(shop, &request, NULL, NULL), CELLAR_OK);
    assert_string_equal(shop_order_get(shop, 2).reference, reference65);
}

static void test_4096_lines_and_no_more(void **unused) {
    struct shop shop;
    cellar_line *lines = calloc(CELLAR_LINES_MAX + 1, sizeof *lines);
    cellar_order_line *got = calloc(CELLAR_LINES_MAX, sizeof *got);
    cellar_refusal refusal;
    (void)unused;
    shop_prepare(&shop);
    shop_open(&shop);
    for (size_t i = 0; i <= CELLAR_LINES_MAX; i++) {
        char sku[SHOP_NAME_BYTES];
        if (i < 2000) {
            shop_goods(&shop, shop_name(sku, "p%zu", i), 5);
        }
        lines[i] = (cellar_line){.product = i % 2000 + 1, .quantity = 1, .unit_price = (int64_t)i};
    }
    cellar_order_request request = shop_order_request(1, lines, CELLAR_LINES_MAX + 1);
    cellar_status status = place(&shop, &request, NULL, &refusal);
    shop_check_invalid(&refusal, status, CELLAR_NO_LINE, "line_count");
    request.line_count = CELLAR_LINES_MAX;
    /* One line of them all is refused: nothing is taken. */
    lines[4000].quantity = 5;
    assert_int_equal(place(&shop, &request, NULL, &refusal), CELLAR_OUT_OF_STOCK);
    shop_check_refusal(&refusal, CELLAR_OUT_OF_STOCK, 0, 5, 7);
    assert_int_equal(shop_available(&shop, "p1", 0), 5);
    lines[4000].quantity = 1;
    assert_int_equal(place(&shop, &request, NULL, &refusal), CELLAR_OK);
    assert_int_equal(shop_available(&shop, "p95", 0), 2);
    assert_int_equal(shop_available(&shop, "p96", 0), 3);
    for (int closed = 0; closed < 3; closed++) {
        cellar_order order;
        memset(got, 0, CELLAR_LINES_MAX * sizeof *got);
        assert_int_equal(cellar_order_get(shop.store, request.id, &order, got, CELLAR_LINES_MAX),
                         CELLAR_OK);
        assert_int_equal(order.line_count, CELLAR_LINES_MAX);
        for (size_t i = 0; i < CELLAR_LINES_MAX; i++) {
            assert_int_equal(got[i].product, lines[i].product);
            assert_int_equal(got[i].unit_price, i);
        }
        assert_int_equal(cellar_order_cancel(shop.store, NULL, request.id, NULL, NULL), CELLAR_OK);
        shop_reopen(&shop);
    }
    assert_int_equal(shop_available(&shop, "p0", 0), 5);
    (void)shop_audit(&shop);
    shop_abandon(&shop);
    free(lines);
    free(got);
}

/* The same id again: each row changes one thing of the first request. */
static void test_ids(void **state) {
    struct shop *shop = *state;
    shop_goods(shop, "a", 100);
    shop_account(shop, 1, 0, 5000);
    shop_account(shop, 2, 0, 5000);
    cellar_line lines[] = {shop_line("a", 0, 2, 100), shop_line("a", 0, 3, 50)};
    cellar_line priced[] = {shop_line("a", 0, 2, 101), shop_line("a", 0, 3, 50)};
    cellar_line by_id[] = {{.product = 1, .quantity = 2, .unit_price = 100}, lines[1]};
    cellar_order_request first = shop_order_request(1, lines, 2);
    first.customer = 4;
    first.state = CELLAR_ORDER_PAID;
    first.account = 1;
    first.business_time_ns = 99;
    first.reference = "web";
    cellar_order_request other[10];
    for (size_t i = 0; i < 10; i++) {
        other[i] = first;
    }
    other[0].customer = 5;
    other[1].state = CELLAR_ORDER_FULFILLED;
    other[2].account = 2;
    other[3].business_time_ns = 100;
    other[4].reference = "Web";
    other[5].reference = NULL;
    other[6].lines = priced;
    other[7].line_count = 1;
    other[8].lines = by_id;
    other[9].state = 0;
    other[9].account = 0;
    cellar_ticket ticket;
    assert_int_equal(place(shop, &first, &ticket, NULL), CELLAR_OK);
    for (int opening = 0; opening < 3; opening++) {
        shop_freeze(shop);
        cellar_ticket again;
        cellar_refusal refusal;
        assert_int_equal(place(shop, &first, &again, NULL), CELLAR_OK);
        assert_true(again.repeated);
        assert_int_equal(again.lsn, ticket.lsn);
        assert_int_equal(again.time_ns, ticket.time_ns);
        for (size_t i = 0; i < 10; i++) {
            assert_int_equal(place(shop, &other[i], NULL, &refusal), CELLAR_ID_REUSED);
            shop_check_refusal(&refusal, CELLAR_ID_REUSED, CELLAR_NO_LINE, 0, 0);
        }
        cellar_order_request back = shop_order_request(1, lines, 2);
        assert_int_equal(cellar_order_return(shop->store, NULL, &back, false, NULL, &refusal),
                         CELLAR_ID_REUSED);
        shop_check_frozen(shop, "after the same id again");
        if (opening == 1) {
            /* Also when it has been stepped on and its lines are on disk only. */
            assert_int_equal(cellar_order_fulfil(shop->store, NULL, first.id, NULL, NULL),
                             CELLAR_OK);
        }
        shop_reopen(shop);
    }
    assert_int_equal(shop_available(shop, "a", 0), 95);
    assert_int_equal(shop_balance(shop, 1), 5000 - 350);
}

static void test_orders_run_out(void **unused) {
    struct shop shop;
    cellar_refusal refusal;
    (void)unused;
    shop_prepare(&shop);
    shop.config.orders_max = 2;
    shop_open(&shop);
    shop_goods(&shop, "a", 10);
    shop_order(&shop, 1, "a", 1, CELLAR_ORDER_PLACED);
    shop_order(&shop, 2, "a", 1, CELLAR_ORDER_FULFILLED);
    cellar_line line = shop_line("a", 0, 1, 1);
    cellar_order_request request = shop_order_request(3, &line, 1);
    cellar_stock_change change = {.id = shop_id(4), .lines = &line, .line_count = 1};
    shop_freeze(&shop);
    assert_int_equal(place(&shop, &request, NULL, &refusal), CELLAR_STORE_FULL);
    shop_check_refusal(&refusal, CELLAR_STORE_FULL, CELLAR_NO_LINE, 0, 0);
    assert_int_equal(cellar_order_return(shop.store, NULL, &request, false, NULL, &refusal),
                     CELLAR_STORE_FULL);
    assert_int_equal(cellar_stock_receive(shop.store, NULL, &change, NULL, NULL),
                     CELLAR_STORE_FULL);
    shop_check_frozen(&shop, "when there is no room for an order");
    /* What needs no entry goes on. */
    assert_int_equal(cellar_order_cancel(shop.store, NULL, shop_id(1), NULL, NULL), CELLAR_OK);
    change.id = (cellar_id){0, 0};
    assert_int_equal(cellar_stock_receive(shop.store, NULL, &change, NULL, NULL), CELLAR_OK);
    shop_finish(&shop);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SHOP_TEST(test_all_that_is_placed_comes_out),
        SHOP_TEST_ORACLE(test_all_that_is_placed_comes_out),
        SHOP_TEST(test_refusals_leave_nothing),
        SHOP_TEST_ORACLE(test_refusals_leave_nothing),
        SHOP_TEST(test_quote),
        SHOP_TEST(test_bad_arguments),
        cmocka_unit_test(test_4096_lines_and_no_more),
        SHOP_TEST(test_ids),
        cmocka_unit_test(test_orders_run_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
