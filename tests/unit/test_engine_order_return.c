/* Do goods that come back become available or unsellable, with the money they cost, once for an id?
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/shop.h"

#include <stdlib.h>
#include <string.h>

#define MAX CELLAR_AMOUNT_MAX

static cellar_status give_back(struct shop *shop, const cellar_order_request *request, bool damaged,
                               cellar_ticket *ticket, cellar_refusal *refusal) {
    return cellar_order_return(shop->store, NULL, request, damaged, ticket, refusal);
}

static void test_good_and_damaged(void **state) {
    struct shop *shop = *state;
    shop_goods(shop, "a", 10);
    shop_receive(shop, "a", 3, 10);
    shop_account(shop, 1, 0, 50);
    cellar_line lines[] = {shop_line("a", 0, 2, 30),
                           shop_line("a", 3, 1, 40),
                           {.product = 1, .quantity = 3, .unit_price = -10}};
    for (uint64_t damaged = 0; damaged < 2; damaged++) {
        cellar_order_request request = shop_order_request(damaged + 1, lines, 3);
        cellar_ticket ticket;
        cellar_order_line got[3];
        cellar_order order;
        request.customer = 9;
        request.account = 1;
        request.business_time_ns = 77;
        request.reference = "too small";
        assert_int_equal(give_back(shop, &request, damaged, &ticket, NULL), CELLAR_OK);
        assert_int_equal(cellar_order_get(shop->store, request.id, &order, got, 3), CELLAR_OK);
        assert_int_equal(order.state, CELLAR_ORDER_RETURNED);
        assert_int_equal(order.version, ticket.lsn);
        assert_int_equal(order.placed_lsn, ticket.lsn);
        assert_int_equal(order.placed_ns, ticket.time_ns);
        assert_int_equal(order.customer, 9);
        assert_int_equal(order.account, 1);
        assert_int_equal(order.business_time_ns, 77);
        assert_string_equal(order.reference, "too small");
        assert_int_equal(order.total, -70);
        assert_int_equal(order.line_count, 3);
        for (int i = 0; i < 3; i++) {
            assert_int_equal(got[i].product, 1);
            assert_int_equal(got[i].location, lines[i].location);
            assert_int_equal(got[i].quantity, lines[i].quantity);
            assert_int_equal(got[i].unit_price, lines[i].unit_price);
        }
        assert_int_equal(shop_available(shop, "a", 0), 15);
        assert_int_equal(shop_available(shop, "a", 3), 11);
        assert_int_equal(shop_stock(shop, "a", 0).unsellable, 5 * (int64_t)damaged);
        assert_int_equal(shop_stock(shop, "a", 3).unsellable, (int64_t)damaged);
        assert_int_equal(shop_balance(shop, 1), 120 + 70 * (int64_t)damaged);
    }
    cellar_totals totals = shop_audit(shop).totals;
    assert_int_equal(totals.orders[CELLAR_ORDER_RETURNED], 2);
    assert_int_equal(totals.return_lines, 6);
    assert_int_equal(totals.units_returned, 12);
    assert_int_equal(totals.returned_value, 140);
    assert_int_equal(totals.units_unsellable, 6);
    assert_int_equal(totals.customers, 1);
    assert_int_equal(totals.order_lines, 0);
    assert_int_equal(totals.revenue, 0);
}

/* "a" has 10 at location 0, "full" as many as there can be, "worn" so many unsellable; account 1
 * has 5, account 2 is full. */
static void test_refusals(void **state) {
    struct shop *shop = *state;
    static const struct {
        const char *sku;
        uint32_t location;
        int64_t quantity, unit_price;
        uint64_t account;
        bool damaged;
        cellar_status status;
        uint32_t line;
        int64_t available, needed;
    } rows[] = {
        /* sku  location  quantity  price  account  damaged  answer  line  available  needed */
        {"ghost", 0, 1, 1, 0, false, CELLAR_NOT_FOUND, 1, 0, 0},
        {"a", 4, 1, 1, 0, false, CELLAR_NOT_FOUND, 1, 0, 0},
        {"a", 4, 1, 1, 0, true, CELLAR_NOT_FOUND, 1, 0, 0},
        {"full", 0, 1, 1, 0, false, CELLAR_OVERFLOW, 1, 0, 0},
        {"worn", 0, 1, 1, 0, true, CELLAR_OVERFLOW, 1, 0, 0},
        {"a", 0, MAX, 0, 0, false, CELLAR_OVERFLOW, 0, 0, 0},
        {"a", 0, 2, MAX, 0, false, CELLAR_OVERFLOW, 1, 0, 0},
        {"a", 0, 1, 1, 9, false, CELLAR_NOT_FOUND, CELLAR_NO_LINE, 0, 0},
        {"a", 0, 1, 1, 2, false, CELLAR_OVERFLOW, CELLAR_NO_LINE, 0, 0},
        {"a", 0, 1, -7, 1, false, CELLAR_INSUFFICIENT_FUNDS, CELLAR_NO_LINE, 5, 6},
    };
    cellar_line worn = shop_line("worn", 0, MAX, 0);
    cellar_stock_change aside = {.lines = &worn, .line_count = 1};
    shop_goods(shop, "a", 10);
    shop_goods(shop, "full", MAX);
    shop_goods(shop, "worn", MAX);
    assert_int_equal(cellar_stock_set_aside(shop->store, NULL, &aside, NULL, NULL), CELLAR_OK);
    shop_account(shop, 1, 0, 5);
    shop_account(shop, 2, 0, MAX);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        cellar_line lines[] = {
            shop_line("a", 0, 1, 1),
            shop_line(rows[i].sku, rows[i].location, rows[i].quantity, rows[i].unit_price)};
        cellar_order_request request = shop_order_request(1, lines, 2);
        cellar_refusal refusal;
        cellar_order order;
        request.account = rows[i].account;
        shop_freeze(shop);
        memset(&refusal, 0xee, sizeof refusal);
        assert_int_equal(give_back(shop, &request, rows[i].damaged, NULL, &refusal),
                         rows[i].status);
        shop_check_refusal(&refusal, rows[i].status, rows[i].line, rows[i].available,
                           rows[i].needed);
        assert_int_equal(cellar_order_get(shop->store, request.id, &order, NULL, 0),
                         CELLAR_NOT_FOUND);
        shop_check_frozen(shop, "after a return that is refused");
    }
    /* The id is still free. */
    cellar_line line = shop_line("a", 0, 1, 1);
    cellar_order_request request = shop_order_request(1, &line, 1);
    cellar_ticket ticket;
    assert_int_equal(give_back(shop, &request, false, &ticket, NULL), CELLAR_OK);
    assert_false(ticket.repeated);
}

static void test_bad_arguments(void **state) {
    struct shop *shop = *state;
    cellar_refusal refusal;
    cellar_line line = shop_line("a", 0, 1, 1);
    cellar_line none = shop_line("a", 0, 0, 1);
    cellar_line minus = shop_line("a", 0, -1, 1);
    shop_goods(shop, "a", 10);
    shop_freeze(shop);
    const struct {
        const char *member;
        uint32_t line;
        cellar_order_request request;
    } rows[] = {
        /* member  line  request */
        {"id", CELLAR_NO_LINE, {.lines = &line, .line_count = 1}},
        {"state",
         CELLAR_NO_LINE,
         {.id = {0, 1}, .lines = &line, .line_count = 1, .state = CELLAR_ORDER_PLACED}},
        {"state",
         CELLAR_NO_LINE,
         {.id = {0, 1}, .lines = &line, .line_count = 1, .state = CELLAR_ORDER_RETURNED}},
        {"quantity", 0, {.id = {0, 1}, .lines = &none, .line_count = 1}},
        {"quantity", 0, {.id = {0, 1}, .lines = &minus, .line_count = 1}},
        {"line_count", CELLAR_NO_LINE, {.id = {0, 1}, .lines = &line, .line_count = 0}},
        {"line_count",
         CELLAR_NO_LINE,
         {.id = {0, 1}, .lines = &line, .line_count = CELLAR_LINES_MAX + 1}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        memset(&refusal, 0xee, sizeof refusal);
        cellar_status status = give_back(shop, &rows[i].request, false, NULL, &refusal);
        shop_check_invalid(&refusal, status, rows[i].line, rows[i].member);
    }
    shop_check_invalid(&refusal, give_back(shop, NULL, false, NULL, &refusal), CELLAR_NO_LINE,
                       "request");
    shop_check_frozen(shop, "after bad arguments");
}

static void test_4096_damaged_lines(void **unused) {
    struct shop shop;
    cellar_line *lines = calloc(CELLAR_LINES_MAX, sizeof *lines);
    (void)unused;
    shop_prepare(&shop);
    shop_open(&shop);
    for (size_t i = 0; i < CELLAR_LINES_MAX; i++) {
        char sku[SHOP_NAME_BYTES];
        if (i < 1500) {
            shop_product(&shop, shop_name(sku, "p%zu", i));
        }
        lines[i] = (cellar_line){.product = i % 1500 + 1, .quantity = 2, .unit_price = 1};
    }
    cellar_order_request request = shop_order_request(1, lines, CELLAR_LINES_MAX);
    assert_int_equal(give_back(&shop, &request, true, NULL, NULL), CELLAR_OK);
    for (int opening = 0; opening < 2; opening++) {
        assert_int_equal(shop_order_get(&shop, 1).total, -2 * CELLAR_LINES_MAX);
        assert_int_equal(shop_stock(&shop, "p0", 0).unsellable, 6);
        assert_int_equal(shop_stock(&shop, "p1499", 0).unsellable, 4);
        assert_int_equal(shop_audit(&shop).totals.units_unsellable, 2 * CELLAR_LINES_MAX);
        shop_reopen(&shop);
    }
    shop_abandon(&shop);
    free(lines);
}

static void test_ids(void **state) {
    struct shop *shop = *state;
    shop_goods(shop, "a", 10);
    cellar_line line = shop_line("a", 0, 1, 100);
    cellar_order_request request = shop_order_request(1, &line, 1);
    cellar_order_request later = request;
    cellar_ticket first;
    cellar_ticket again;
    later.business_time_ns = 1;
    assert_int_equal(give_back(shop, &request, false, &first, NULL), CELLAR_OK);
    for (int opening = 0; opening < 2; opening++) {
        shop_freeze(shop);
        assert_int_equal(give_back(shop, &request, false, &again, NULL), CELLAR_OK);
        assert_true(again.repeated);
        assert_int_equal(again.lsn, first.lsn);
        assert_int_equal(again.time_ns, first.time_ns);
        assert_int_equal(give_back(shop, &request, true, NULL, NULL), CELLAR_ID_REUSED);
        assert_int_equal(give_back(shop, &later, false, NULL, NULL), CELLAR_ID_REUSED);
        assert_int_equal(cellar_order_place(shop->store, NULL, &request, NULL, NULL),
                         CELLAR_ID_REUSED);
        shop_check_frozen(shop, "after the same return again");
        shop_reopen(shop);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SHOP_TEST(test_good_and_damaged),
        SHOP_TEST_ORACLE(test_good_and_damaged),
        SHOP_TEST(test_refusals),
        SHOP_TEST(test_bad_arguments),
        cmocka_unit_test(test_4096_damaged_lines),
        SHOP_TEST(test_ids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
