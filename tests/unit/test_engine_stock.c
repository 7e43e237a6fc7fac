/* Do receipts, adjustments, damage and announcements change what they name, all of it or nothing,
 * and once for one id? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/shop.h"

#include <stdlib.h>
#include <string.h>

#define MAX CELLAR_AMOUNT_MAX

typedef cellar_status change_function(cellar *store, const cellar_call *call,
                                      const cellar_stock_change *change, cellar_ticket *ticket_out,
                                      cellar_refusal *refusal_out);

static void check_stock(struct shop *shop, const char *sku, uint32_t location, int64_t available,
                        int64_t unsellable, int64_t incoming) {
    cellar_stock stock = shop_stock(shop, sku, location);
    assert_int_equal(stock.available, available);
    assert_int_equal(stock.unsellable, unsellable);
    assert_int_equal(stock.incoming, incoming);
}

/* Each row starts from a product of which 10 are available, 4 unsellable and 3 announced. */
static void test_one_line(void **state) {
    struct shop *shop = *state;
    static const struct {
        change_function *function;
        int64_t quantity;
        cellar_status status;
        int64_t available, unsellable,
            incoming; /* after it, or of the refusal: available, needed */
    } rows[] = {
        /* call  quantity  answer  available  unsellable  incoming */
        {cellar_stock_receive, 1, CELLAR_OK, 11, 4, 3},
        {cellar_stock_receive, MAX - 10, CELLAR_OK, MAX, 4, 3},
        {cellar_stock_receive, MAX - 9, CELLAR_OVERFLOW, 0, 0, 0},
        {cellar_stock_adjust, 5, CELLAR_OK, 15, 4, 3},
        {cellar_stock_adjust, -10, CELLAR_OK, 0, 4, 3},
        {cellar_stock_adjust, -11, CELLAR_OUT_OF_STOCK, 10, 11, 0},
        {cellar_stock_adjust, -MAX, CELLAR_OUT_OF_STOCK, 10, MAX, 0},
        {cellar_stock_adjust, MAX - 9, CELLAR_OVERFLOW, 0, 0, 0},
        {cellar_stock_set_aside, 10, CELLAR_OK, 0, 14, 3},
        {cellar_stock_set_aside, 11, CELLAR_OUT_OF_STOCK, 10, 11, 0},
        {cellar_stock_set_aside, -4, CELLAR_OK, 14, 0, 3},
        {cellar_stock_set_aside, -5, CELLAR_OUT_OF_STOCK, 4, 5, 0},
        {cellar_stock_announce, 7, CELLAR_OK, 10, 4, 10},
        {cellar_stock_announce, -3, CELLAR_OK, 10, 4, 0},
        {cellar_stock_announce, -4, CELLAR_OUT_OF_STOCK, 3, 4, 0},
        {cellar_stock_announce, MAX - 3, CELLAR_OK, 10, 4, MAX},
        {cellar_stock_announce, MAX - 2, CELLAR_OVERFLOW, 0, 0, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char sku[SHOP_NAME_BYTES];
        cellar_line line = shop_line(shop_name(sku, "row%zu", i), 0, 4, 0);
        cellar_stock_change change = {.lines = &line, .line_count = 1};
        cellar_ticket ticket;
        cellar_refusal refusal;
        shop_goods(shop, sku, 14);
        assert_int_equal(cellar_stock_set_aside(shop->store, NULL, &change, NULL, NULL), CELLAR_OK);
        line.quantity = 3;
        assert_int_equal(cellar_stock_announce(shop->store, NULL, &change, NULL, NULL), CELLAR_OK);
        line.quantity = rows[i].quantity;
        shop_freeze(shop);
        assert_int_equal(rows[i].function(shop->store, NULL, &change, &ticket, &refusal),
                         rows[i].status);
        if (rows[i].status == CELLAR_OK) {
            check_stock(shop, sku, 0, rows[i].available, rows[i].unsellable, rows[i].incoming);
            assert_int_equal(ticket.remaining, rows[i].available);
            assert_int_equal(ticket.object, 0);
            assert_int_equal(shop_stock(shop, sku, 0).version, ticket.lsn);
        } else {
            shop_check_refusal(&refusal, rows[i].status, 0, rows[i].available, rows[i].unsellable);
            shop_check_frozen(shop, sku);
        }
    }
}

/* Lines for the same SKU and location, by name or by number, are one. */
static void test_repeated_lines_are_added_up(void **state) {
    struct shop *shop = *state;
    shop_goods(shop, "a", 10);
    shop_goods(shop, "b", 10);
    cellar_line lines[] = {shop_line("a", 0, 6, 0),
                           shop_line("b", 0, 1, 0),
                           {.product = 1, .quantity = 5},
                           shop_line("a", 0, -1, 0)};
    cellar_stock_change change = {.lines = lines, .line_count = 3};
    cellar_refusal refusal;
    shop_freeze(shop);
    /* 6 + 5 of 10: the refusal names the first line and what they need together. */
    assert_int_equal(cellar_stock_set_aside(shop->store, NULL, &change, NULL, &refusal),
                     CELLAR_OUT_OF_STOCK);
    shop_check_refusal(&refusal, CELLAR_OUT_OF_STOCK, 0, 10, 11);
    shop_check_frozen(shop, "after a refusal");
    /* With the fourth line it is 10 of 10. */
    change.line_count = 4;
    cellar_ticket ticket;
    assert_int_equal(cellar_stock_set_aside(shop->store, NULL, &change, &ticket, &refusal),
                     CELLAR_OK);
    assert_int_equal(ticket.remaining, 0);
    check_stock(shop, "a", 0, 0, 10, 0);
    check_stock(shop, "b", 0, 9, 1, 0);
    /* Lines that add up to nothing are a change all the same. */
    cellar_line none[] = {shop_line("b", 0, 4, 0), shop_line("b", 0, -4, 0)};
    change = (cellar_stock_change){.lines = none, .line_count = 2};
    assert_int_equal(cellar_stock_adjust(shop->store, NULL, &change, NULL, NULL), CELLAR_OK);
    check_stock(shop, "b", 0, 9, 1, 0);
    /* A sum beyond the range, though no line is. */
    none[0].quantity = MAX;
    none[1].quantity = MAX;
    shop_freeze(shop);
    assert_int_equal(cellar_stock_adjust(shop->store, NULL, &change, NULL, &refusal),
                     CELLAR_OVERFLOW);
    shop_check_refusal(&refusal, CELLAR_OVERFLOW, 0, 0, 0);
    shop_check_frozen(shop, "after an overflow");
}

static void test_all_lines_or_none(void **state) {
    struct shop *shop = *state;
    shop_goods(shop, "a", 5);
    shop_goods(shop, "b", 5);
    static const struct {
        change_function *function;
        const char *sku;
        uint32_t location;
        int64_t quantity;
        cellar_status status;
        int64_t available, needed;
    } rows[] = {
        /* call  second line: sku  location  quantity  answer  available  needed */
        {cellar_stock_receive, "ghost", 0, 1, CELLAR_NOT_FOUND, 0, 0},
        {cellar_stock_receive, "ghost", 3, 1, CELLAR_NOT_FOUND, 0, 0},
        {cellar_stock_receive, "b", 0, MAX, CELLAR_OVERFLOW, 0, 0},
        {cellar_stock_adjust, "b", 0, -6, CELLAR_OUT_OF_STOCK, 5, 6},
        {cellar_stock_adjust, "b", 1, 1, CELLAR_NOT_FOUND, 0, 0},
        {cellar_stock_set_aside, "b", 1, 1, CELLAR_NOT_FOUND, 0, 0},
        {cellar_stock_set_aside, "b", 0, -1, CELLAR_OUT_OF_STOCK, 0, 1},
        {cellar_stock_announce, "b", 0, -1, CELLAR_OUT_OF_STOCK, 0, 1},
        {cellar_stock_announce, "ghost", 1, 1, CELLAR_NOT_FOUND, 0, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        /* The first line would do, and would open a location where that is allowed. */
        bool opens =
            rows[i].function == cellar_stock_receive || rows[i].function == cellar_stock_announce;
        cellar_line lines[] = {shop_line("a", opens ? 7 : 0, 1, 0),
                               shop_line(rows[i].sku, rows[i].location, rows[i].quantity, 0)};
        cellar_stock_change change = {.id = shop_id(50), .lines = lines, .line_count = 2};
        cellar_refusal refusal;
        shop_freeze(shop);
        assert_int_equal(rows[i].function(shop->store, NULL, &change, NULL, &refusal),
                         rows[i].status);
        shop_check_refusal(&refusal, rows[i].status, 1, rows[i].available, rows[i].needed);
        shop_check_frozen(shop, "after a refusal of the second line");
    }
}

static void test_locations_come_with_receipts(void **state) {
    struct shop *shop = *state;
    shop_goods(shop, "a", 5);
    cellar_line line = shop_line("a", 1, 0, 0);
    cellar_stock stock;
    assert_int_equal(cellar_stock_get(shop->store, &line, &stock), CELLAR_NOT_FOUND);
    shop_receive(shop, "a", 1, 8);
    shop_receive(shop, "a", UINT32_MAX, 9);
    check_stock(shop, "a", 0, 5, 0, 0);
    check_stock(shop, "a", 1, 8, 0, 0);
    check_stock(shop, "a", UINT32_MAX, 9, 0, 0);
    line = shop_line("a", 2, 3, 0);
    cellar_stock_change change = {.lines = &line, .line_count = 1};
    assert_int_equal(cellar_stock_announce(shop->store, NULL, &change, NULL, NULL), CELLAR_OK);
    check_stock(shop, "a", 2, 0, 0, 3);
    /* Taking back what was never announced does not open one. */
    line = shop_line("a", 3, -1, 0);
    shop_freeze(shop);
    cellar_refusal refusal;
    assert_int_equal(cellar_stock_announce(shop->store, NULL, &change, NULL, &refusal),
                     CELLAR_OUT_OF_STOCK);
    shop_check_refusal(&refusal, CELLAR_OUT_OF_STOCK, 0, 0, 1);
    shop_check_frozen(shop, "after a refusal at a new location");
    shop_settle(shop);
    assert_int_equal(shop_audit(shop).totals.stocks, 4);
}

static void test_stocks_run_out(void **unused) {
    struct shop shop;
    (void)unused;
    shop_prepare(&shop);
    shop.config.products_max = 2;
    shop.config.stocks_max = 3;
    shop_open(&shop);
    shop_goods(&shop, "a", 1);
    shop_goods(&shop, "b", 1);
    shop_receive(&shop, "a", 1, 1);
    cellar_line line = shop_line("b", 1, 1, 0);
    cellar_stock_change change = {.id = shop_id(1), .lines = &line, .line_count = 1};
    cellar_refusal refusal;
    shop_freeze(&shop);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(cellar_stock_receive(shop.store, NULL, &change, NULL, &refusal),
                         CELLAR_STORE_FULL);
        shop_check_refusal(&refusal, CELLAR_STORE_FULL, CELLAR_NO_LINE, 0, 0);
        assert_int_equal(cellar_stock_move(shop.store, NULL, shop_id(0),
                                           &(cellar_line){.sku = "b", .quantity = 1}, 1, NULL,
                                           &refusal),
                         CELLAR_STORE_FULL);
    }
    shop_check_frozen(&shop, "when there is no room for a location");
    shop_finish(&shop);
}

static void test_bad_arguments(void **state) {
    struct shop *shop = *state;
    static change_function *const functions[] = {cellar_stock_receive, cellar_stock_adjust,
                                                 cellar_stock_set_aside, cellar_stock_announce};
    static char sku65[66];
    static char sku64[65];
    static char reference65[66];
    static char reference64[65];
    memset(sku65, 's', 65);
    memset(sku64, 's', 64);
    memset(reference65, 'r', 65);
    memset(reference64, 'r', 64);
    shop_goods(shop, "a", 5);
    shop_goods(shop, sku64, 5);
    const cellar_line good = {.sku = "a", .quantity = 1};
    const struct {
        const char *member;
        cellar_line line;
        uint32_t at;
        const char *reference;
    } rows[] = {
        /* member  second line  about line  reference */
        {"sku", {.quantity = 1}, 1, NULL},
        {"sku", {.sku = "", .quantity = 1}, 1, NULL},
        {"sku", {.sku = sku65, .quantity = 1}, 1, NULL},
        {"quantity", {.sku = "a", .quantity = 0}, 1, NULL},
        {"quantity", {.sku = "a", .quantity = MAX + 1}, 1, NULL},
        {"quantity", {.sku = "a", .quantity = -MAX - 1}, 1, NULL},
        {"quantity", {.sku = "a", .quantity = INT64_MIN}, 1, NULL},
        {"reference", {.sku = "a", .quantity = 1}, CELLAR_NO_LINE, reference65},
    };
    shop_freeze(shop);
    for (size_t f = 0; f < 4; f++) {
        cellar_refusal refusal;
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            cellar_line lines[2] = {good, rows[i].line};
            cellar_stock_change change = {
                .lines = lines, .line_count = 2, .reference = rows[i].reference};
            memset(&refusal, 0xee, sizeof refusal);
            cellar_status status = functions[f](shop->store, NULL, &change, NULL, &refusal);
            shop_check_invalid(&refusal, status, rows[i].at, rows[i].member);
        }
        cellar_stock_change change = {.lines = NULL, .line_count = 1};
        cellar_status status = functions[f](shop->store, NULL, &change, NULL, &refusal);
        shop_check_invalid(&refusal, status, CELLAR_NO_LINE, "line_count");
        change = (cellar_stock_change){.lines = &good, .line_count = 0};
        status = functions[f](shop->store, NULL, &change, NULL, &refusal);
        shop_check_invalid(&refusal, status, CELLAR_NO_LINE, "line_count");
        status = functions[f](shop->store, NULL, NULL, NULL, &refusal);
        shop_check_invalid(&refusal, status, CELLAR_NO_LINE, "change");
        cellar_call call = {.durability = (cellar_durability)3};
        change.line_count = 1;
        status = functions[f](shop->store, &call, &change, NULL, &refusal);
        shop_check_invalid(&refusal, status, CELLAR_NO_LINE, "call");
    }
    cellar_line negative = shop_line("a", 0, -1, 0);
    cellar_stock_change change = {.lines = &negative, .line_count = 1};
    cellar_refusal refusal;
    cellar_status status = cellar_stock_receive(shop->store, NULL, &change, NULL, &refusal);
    shop_check_invalid(&refusal, status, 0, "quantity");
    shop_check_frozen(shop, "after bad arguments");
    /* At the limits, with a price that is ignored. */
    cellar_line limit = {.sku = sku64, .quantity = 1, .unit_price = INT64_MIN};
    change = (cellar_stock_change){
        .lines = &limit, .line_count = 1, .reason = UINT32_MAX, .reference = reference64};
    assert_int_equal(cellar_stock_receive(shop->store, NULL, &change, NULL, NULL), CELLAR_OK);
}

static void test_4096_lines_and_no_more(void **state) {
    struct shop *shop = *state;
    cellar_line *lines = calloc(CELLAR_LINES_MAX + 1, sizeof *lines);
    for (int i = 0; i < 64; i++) {
        char sku[SHOP_NAME_BYTES];
        shop_goods(shop, shop_name(sku, "p%d", i), 1000);
    }
    for (size_t i = 0; i <= CELLAR_LINES_MAX; i++) {
        lines[i] = (cellar_line){.product = i % 64 + 1, .quantity = 1};
    }
    cellar_stock_change change = {.lines = lines, .line_count = CELLAR_LINES_MAX + 1};
    cellar_refusal refusal;
    shop_freeze(shop);
    cellar_status status = cellar_stock_set_aside(shop->store, NULL, &change, NULL, &refusal);
    shop_check_invalid(&refusal, status, CELLAR_NO_LINE, "line_count");
    shop_check_frozen(shop, "after a line too many");
    change.line_count = CELLAR_LINES_MAX;
    assert_int_equal(cellar_stock_set_aside(shop->store, NULL, &change, NULL, NULL), CELLAR_OK);
    check_stock(shop, "p0", 0, 936, 64, 0);
    check_stock(shop, "p63", 0, 936, 64, 0);
    free(lines);
}

/* The same id again: each row changes one thing of the first request. */
static void test_ids(void **state) {
    struct shop *shop = *state;
    shop_goods(shop, "a", 100);
    shop_goods(shop, "b", 100);
    cellar_line lines[] = {shop_line("a", 0, 5, 0), shop_line("b", 0, 6, 0)};
    cellar_line more[] = {shop_line("a", 0, 6, 0), shop_line("b", 0, 6, 0)};
    cellar_line swapped[] = {lines[1], lines[0]};
    cellar_line priced[] = {shop_line("a", 0, 5, 9), shop_line("b", 0, 6, -9)};
    priced[0].product = 77;
    const cellar_stock_change first = {
        .id = shop_id(7), .lines = lines, .line_count = 2, .reason = 3, .reference = "delivery"};
    const struct {
        change_function *function;
        const cellar_line *lines;
        size_t line_count;
        uint32_t reason;
        const char *reference;
        cellar_status status;
    } rows[] = {
        /* call  lines  their number  reason  reference  answer */
        {cellar_stock_receive, lines, 2, 3, "delivery", CELLAR_OK},
        {cellar_stock_receive, priced, 2, 3, "delivery", CELLAR_OK}, /* what is ignored differs */
        {cellar_stock_adjust, lines, 2, 3, "delivery", CELLAR_ID_REUSED},
        {cellar_stock_receive, more, 2, 3, "delivery", CELLAR_ID_REUSED},
        {cellar_stock_receive, swapped, 2, 3, "delivery", CELLAR_ID_REUSED},
        {cellar_stock_receive, lines, 1, 3, "delivery", CELLAR_ID_REUSED},
        {cellar_stock_receive, lines, 2, 4, "delivery", CELLAR_ID_REUSED},
        {cellar_stock_receive, lines, 2, 3, "delivery2", CELLAR_ID_REUSED},
        {cellar_stock_receive, lines, 2, 3, NULL, CELLAR_ID_REUSED},
    };
    cellar_ticket ticket;
    assert_int_equal(cellar_stock_receive(shop->store, NULL, &first, &ticket, NULL), CELLAR_OK);
    assert_false(ticket.repeated);
    shop_freeze(shop);
    for (int opening = 0; opening < 2; opening++) {
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            cellar_stock_change change = {.id = shop_id(7),
                                          .lines = rows[i].lines,
                                          .line_count = rows[i].line_count,
                                          .reason = rows[i].reason,
                                          .reference = rows[i].reference};
            cellar_ticket again;
            cellar_refusal refusal;
            assert_int_equal(rows[i].function(shop->store, NULL, &change, &again, &refusal),
                             rows[i].status);
            if (rows[i].status == CELLAR_OK) {
                assert_true(again.repeated);
                assert_int_equal(again.lsn, ticket.lsn);
                assert_int_equal(again.time_ns, ticket.time_ns);
                assert_int_equal(again.remaining, 0);
            } else {
                shop_check_refusal(&refusal, CELLAR_ID_REUSED, CELLAR_NO_LINE, 0, 0);
            }
        }
        shop_check_frozen(shop, "after the same id again");
        shop_reopen(shop);
    }
    check_stock(shop, "a", 0, 105, 0, 0);
    assert_int_equal(shop_audit(shop).totals.orders[0], 1);
}

/* Without an id each call is one of its own. */
static void test_no_id(void **state) {
    struct shop *shop = *state;
    shop_product(shop, "a");
    for (int i = 1; i <= 3; i++) {
        shop_receive(shop, "a", 0, 5);
        assert_int_equal(shop_available(shop, "a", 0), 5 * i);
    }
    assert_int_equal(shop_audit(shop).totals.orders[0], 0);
}

/* A refusal leaves the id free: for the same request, and for another one. */
static void test_an_id_refused_is_free(void **state) {
    struct shop *shop = *state;
    shop_goods(shop, "a", 5);
    cellar_line line = shop_line("a", 0, -6, 0);
    cellar_stock_change change = {.id = shop_id(9), .lines = &line, .line_count = 1};
    cellar_ticket ticket;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(cellar_stock_adjust(shop->store, NULL, &change, NULL, NULL),
                         CELLAR_OUT_OF_STOCK);
    }
    shop_receive(shop, "a", 0, 1);
    assert_int_equal(cellar_stock_adjust(shop->store, NULL, &change, &ticket, NULL), CELLAR_OK);
    assert_false(ticket.repeated);
    change.id = shop_id(10);
    assert_int_equal(cellar_stock_adjust(shop->store, NULL, &change, NULL, NULL),
                     CELLAR_OUT_OF_STOCK);
    line.quantity = 1;
    assert_int_equal(cellar_stock_receive(shop->store, NULL, &change, &ticket, NULL), CELLAR_OK);
    assert_false(ticket.repeated);
    check_stock(shop, "a", 0, 1, 0, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SHOP_TEST(test_one_line),
        SHOP_TEST_ORACLE(test_one_line),
        SHOP_TEST(test_repeated_lines_are_added_up),
        SHOP_TEST(test_all_lines_or_none),
        SHOP_TEST(test_locations_come_with_receipts),
        cmocka_unit_test(test_stocks_run_out),
        SHOP_TEST(test_bad_arguments),
        SHOP_TEST(test_4096_lines_and_no_more),
        SHOP_TEST(test_ids),
        SHOP_TEST_ORACLE(test_ids),
        SHOP_TEST(test_no_id),
        SHOP_TEST(test_an_id_refused_is_free),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
