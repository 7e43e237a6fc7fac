/* Do the calls of one line - take, count, safety, move - change exactly that, by the version that
 * was expected, and is a product that is discontinued not sold anywhere? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/shop.h"

#include <string.h>

#define MAX CELLAR_AMOUNT_MAX

static cellar_status take(struct shop *shop, const char *sku, uint32_t location, int64_t quantity,
                          cellar_ticket *ticket, cellar_refusal *refusal) {
    cellar_line line = shop_line(sku, location, quantity, INT64_MAX);
    return cellar_stock_take(shop->store, NULL, &line, ticket, refusal);
}

static cellar_status count_to(struct shop *shop, const char *sku, int64_t quantity,
                              uint64_t expected, cellar_ticket *ticket, cellar_refusal *refusal) {
    cellar_line line = shop_line(sku, 0, quantity, INT64_MIN);
    return cellar_stock_count(shop->store, NULL, &line, expected, ticket, refusal);
}

static cellar_status safety(struct shop *shop, const char *sku, int64_t quantity, uint64_t expected,
                            cellar_ticket *ticket, cellar_refusal *refusal) {
    cellar_line line = shop_line(sku, 0, quantity, 0);
    return cellar_stock_set_safety(shop->store, NULL, &line, expected, ticket, refusal);
}

static cellar_status move(struct shop *shop, cellar_id id, const char *sku, uint32_t from,
                          uint32_t to, int64_t quantity, cellar_ticket *ticket,
                          cellar_refusal *refusal) {
    cellar_line line = shop_line(sku, from, quantity, 0);
    return cellar_stock_move(shop->store, NULL, id, &line, to, ticket, refusal);
}

/* Each row starts with 10 available and this safety stock. */
static void test_take(void **state) {
    struct shop *shop = *state;
    static const struct {
        int64_t safety, quantity;
        cellar_status status;
        int64_t available; /* after it, or of the refusal */
    } rows[] = {
        /* safety  quantity  answer  available */
        {0, 1, CELLAR_OK, 9},
        {0, 10, CELLAR_OK, 0},
        {0, 11, CELLAR_OUT_OF_STOCK, 10},
        {0, MAX, CELLAR_OUT_OF_STOCK, 10},
        {4, 6, CELLAR_OK, 4},
        {4, 7, CELLAR_OUT_OF_STOCK, 6},
        {10, 1, CELLAR_OUT_OF_STOCK, 0},
        {MAX, 1, CELLAR_OUT_OF_STOCK, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char sku[SHOP_NAME_BYTES];
        cellar_ticket ticket;
        cellar_refusal refusal;
        shop_goods(shop, shop_name(sku, "t%zu", i), 10);
        assert_int_equal(safety(shop, sku, rows[i].safety, 0, NULL, NULL), CELLAR_OK);
        shop_freeze(shop);
        assert_int_equal(take(shop, sku, 0, rows[i].quantity, &ticket, &refusal), rows[i].status);
        if (rows[i].status == CELLAR_OK) {
            assert_int_equal(ticket.remaining, rows[i].available);
            assert_int_equal(shop_available(shop, sku, 0), rows[i].available);
            assert_int_equal(shop_stock(shop, sku, 0).version, ticket.lsn);
        } else {
            shop_check_refusal(&refusal, CELLAR_OUT_OF_STOCK, 0, rows[i].available,
                               rows[i].quantity);
            shop_check_frozen(shop, sku);
        }
    }
}

static void test_take_finds_nothing(void **state) {
    struct shop *shop = *state;
    cellar_refusal refusal;
    shop_goods(shop, "a", 10);
    shop_freeze(shop);
    assert_int_equal(take(shop, "b", 0, 1, NULL, &refusal), CELLAR_NOT_FOUND);
    shop_check_refusal(&refusal, CELLAR_NOT_FOUND, 0, 0, 0);
    assert_int_equal(take(shop, "a", 1, 1, NULL, &refusal), CELLAR_NOT_FOUND);
    shop_check_refusal(&refusal, CELLAR_NOT_FOUND, 0, 0, 0);
    cellar_line by_id = {.product = 2, .quantity = 1};
    assert_int_equal(cellar_stock_take(shop->store, NULL, &by_id, NULL, NULL), CELLAR_NOT_FOUND);
    by_id.product = UINT64_MAX;
    assert_int_equal(cellar_stock_take(shop->store, NULL, &by_id, NULL, NULL), CELLAR_NOT_FOUND);
    shop_check_frozen(shop, "after finding nothing");
    by_id.product = 1;
    assert_int_equal(cellar_stock_take(shop->store, NULL, &by_id, NULL, NULL), CELLAR_OK);
    assert_int_equal(shop_available(shop, "a", 0), 9);
}

static void test_count(void **state) {
    struct shop *shop = *state;
    cellar_ticket ticket;
    cellar_refusal refusal;
    shop_goods(shop, "a", 10);
    assert_int_equal(safety(shop, "a", 3, 0, NULL, NULL), CELLAR_OK);
    uint64_t version = shop_stock(shop, "a", 0).version;
    const struct {
        int64_t quantity;
        uint64_t expected; /* 1: the current version */
        cellar_status status;
    } rows[] = {
        /* quantity  expected  answer */
        {7, 64, CELLAR_VERSION_CHANGED},
        {7, UINT64_MAX, CELLAR_VERSION_CHANGED},
        {7, 1, CELLAR_OK},
        {12, version, CELLAR_VERSION_CHANGED},
        {12, CELLAR_VERSION_ANY, CELLAR_OK},
        {0, 1, CELLAR_OK},
        {0, 1, CELLAR_OK},
        {MAX, 1, CELLAR_OK},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        version = shop_stock(shop, "a", 0).version;
        uint64_t expected = rows[i].expected == 1 ? version : rows[i].expected;
        shop_freeze(shop);
        assert_int_equal(count_to(shop, "a", rows[i].quantity, expected, &ticket, &refusal),
                         rows[i].status);
        if (rows[i].status == CELLAR_OK) {
            assert_int_equal(ticket.remaining, rows[i].quantity);
            assert_int_equal(shop_available(shop, "a", 0), rows[i].quantity);
            assert_int_equal(shop_stock(shop, "a", 0).safety, 3);
        } else {
            assert_int_equal(refusal.version, version);
            refusal.version = 0;
            shop_check_refusal(&refusal, CELLAR_VERSION_CHANGED, 0, 0, 0);
            shop_check_frozen(shop, "after a count that came late");
        }
    }
    assert_int_equal(count_to(shop, "b", 1, 0, NULL, &refusal), CELLAR_NOT_FOUND);
    shop_check_refusal(&refusal, CELLAR_NOT_FOUND, 0, 0, 0);
}

/* Every kind of sale and change is noticed by a count that was begun before it. */
static void test_count_notices_sales(void **state) {
    struct shop *shop = *state;
    shop_goods(shop, "a", 10);
    uint64_t version = shop_stock(shop, "a", 0).version;
    assert_int_equal(take(shop, "a", 0, 1, NULL, NULL), CELLAR_OK);
    assert_int_equal(count_to(shop, "a", 10, version, NULL, NULL), CELLAR_VERSION_CHANGED);
    version = shop_stock(shop, "a", 0).version;
    shop_order(shop, 1, "a", 1, CELLAR_ORDER_PLACED);
    assert_int_equal(count_to(shop, "a", 9, version, NULL, NULL), CELLAR_VERSION_CHANGED);
    version = shop_stock(shop, "a", 0).version;
    assert_int_equal(cellar_order_cancel(shop->store, NULL, shop_id(1), NULL, NULL), CELLAR_OK);
    assert_int_equal(count_to(shop, "a", 8, version, NULL, NULL), CELLAR_VERSION_CHANGED);
    version = shop_stock(shop, "a", 0).version;
    assert_int_equal(count_to(shop, "a", 8, version, NULL, NULL), CELLAR_OK);
}

static void test_safety(void **state) {
    struct shop *shop = *state;
    cellar_ticket ticket;
    cellar_refusal refusal;
    shop_goods(shop, "a", 10);
    const int64_t levels[] = {4, 0, 10, 11, MAX, 0, 5};
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) {
        uint64_t version = shop_stock(shop, "a", 0).version;
        assert_int_equal(safety(shop, "a", levels[i], version, &ticket, NULL), CELLAR_OK);
        assert_int_equal(ticket.remaining, 10);
        cellar_stock stock = shop_stock(shop, "a", 0);
        assert_int_equal(stock.available, 10);
        assert_int_equal(stock.safety, levels[i]);
        assert_int_equal(stock.version, ticket.lsn);
    }
    shop_freeze(shop);
    uint64_t version = shop_stock(shop, "a", 0).version;
    assert_int_equal(safety(shop, "a", 1, version - 64, NULL, &refusal), CELLAR_VERSION_CHANGED);
    assert_int_equal(refusal.version, version);
    assert_int_equal(safety(shop, "b", 1, 0, NULL, &refusal), CELLAR_NOT_FOUND);
    shop_check_refusal(&refusal, CELLAR_NOT_FOUND, 0, 0, 0);
    shop_check_frozen(shop, "after refusals");
    /* A correction may take what the safety stock protects, a sale and an order may not. */
    cellar_line line = shop_line("a", 0, -8, 0);
    cellar_stock_change change = {.lines = &line, .line_count = 1};
    assert_int_equal(take(shop, "a", 0, 6, NULL, &refusal), CELLAR_OUT_OF_STOCK);
    shop_check_refusal(&refusal, CELLAR_OUT_OF_STOCK, 0, 5, 6);
    assert_int_equal(cellar_stock_adjust(shop->store, NULL, &change, NULL, NULL), CELLAR_OK);
    assert_int_equal(shop_available(shop, "a", 0), 2);
    assert_int_equal(take(shop, "a", 0, 1, NULL, &refusal), CELLAR_OUT_OF_STOCK);
    shop_check_refusal(&refusal, CELLAR_OUT_OF_STOCK, 0, 0, 1);
}

static void test_move(void **state) {
    struct shop *shop = *state;
    cellar_ticket ticket;
    cellar_refusal refusal;
    cellar_id none = {0, 0};
    shop_goods(shop, "a", 10);
    assert_int_equal(move(shop, none, "a", 0, 3, 4, &ticket, NULL), CELLAR_OK);
    assert_int_equal(ticket.remaining, 6);
    assert_int_equal(shop_available(shop, "a", 0), 6);
    assert_int_equal(shop_available(shop, "a", 3), 4);
    assert_int_equal(shop_stock(shop, "a", 0).version, ticket.lsn);
    assert_int_equal(shop_stock(shop, "a", 3).version, ticket.lsn);
    assert_int_equal(move(shop, none, "a", 3, 0, 1, &ticket, NULL), CELLAR_OK);
    assert_int_equal(ticket.remaining, 3);
    static const struct {
        const char *sku;
        uint32_t from, to;
        int64_t quantity;
        cellar_status status;
        int64_t available, needed;
    } rows[] = {
        /* sku  from  to  quantity  answer  available  needed */
        {"a", 0, 3, 8, CELLAR_OUT_OF_STOCK, 7, 8},
        {"a", 0, 5, 8, CELLAR_OUT_OF_STOCK, 7, 8}, /* and 5 does not come into being */
        {"a", 3, 0, 4, CELLAR_OUT_OF_STOCK, 3, 4},
        {"a", 5, 0, 1, CELLAR_NOT_FOUND, 0, 0},
        {"a", 5, 6, 1, CELLAR_NOT_FOUND, 0, 0},
        {"b", 0, 3, 1, CELLAR_NOT_FOUND, 0, 0},
    };
    shop_freeze(shop);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(move(shop, shop_id(5), rows[i].sku, rows[i].from, rows[i].to,
                              rows[i].quantity, NULL, &refusal),
                         rows[i].status);
        shop_check_refusal(&refusal, rows[i].status, 0, rows[i].available, rows[i].needed);
        shop_check_frozen(shop, "after a move that is refused");
    }
    /* A full destination. */
    shop_receive(shop, "a", 4, MAX - 1);
    assert_int_equal(move(shop, none, "a", 0, 4, 2, NULL, &refusal), CELLAR_OVERFLOW);
    shop_check_refusal(&refusal, CELLAR_OVERFLOW, 0, 0, 0);
    assert_int_equal(move(shop, none, "a", 0, 4, 1, NULL, &refusal), CELLAR_OK);
}

static void test_move_once_for_an_id(void **state) {
    struct shop *shop = *state;
    cellar_ticket first;
    cellar_ticket again;
    shop_goods(shop, "a", 10);
    shop_receive(shop, "a", 2, 10);
    assert_int_equal(move(shop, shop_id(1), "a", 0, 2, 3, &first, NULL), CELLAR_OK);
    for (int opening = 0; opening < 2; opening++) {
        shop_freeze(shop);
        assert_int_equal(move(shop, shop_id(1), "a", 0, 2, 3, &again, NULL), CELLAR_OK);
        assert_true(again.repeated);
        assert_int_equal(again.lsn, first.lsn);
        assert_int_equal(again.time_ns, first.time_ns);
        assert_int_equal(again.remaining, 0);
        assert_int_equal(move(shop, shop_id(1), "a", 0, 2, 4, NULL, NULL), CELLAR_ID_REUSED);
        assert_int_equal(move(shop, shop_id(1), "a", 0, 3, 3, NULL, NULL), CELLAR_ID_REUSED);
        assert_int_equal(move(shop, shop_id(1), "a", 2, 0, 3, NULL, NULL), CELLAR_ID_REUSED);
        shop_check_frozen(shop, "after the same move again");
        shop_reopen(shop);
    }
}

static void test_bad_arguments(void **state) {
    struct shop *shop = *state;
    cellar_refusal refusal;
    cellar_id none = {0, 0};
    shop_goods(shop, "a", 10);
    shop_freeze(shop);
    static const struct {
        int64_t quantity;
        bool is_change, is_level; /* refused by take and move; by count and safety */
    } rows[] = {
        /* quantity  as a change  as a level */
        {0, true, false},   {-1, true, true},        {MAX + 1, true, true},
        {-MAX, true, true}, {INT64_MIN, true, true}, {INT64_MAX, true, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int64_t quantity = rows[i].quantity;
        memset(&refusal, 0xee, sizeof refusal);
        if (rows[i].is_change) {
            shop_check_invalid(&refusal, take(shop, "a", 0, quantity, NULL, &refusal), 0,
                               "quantity");
            shop_check_invalid(&refusal, move(shop, none, "a", 0, 1, quantity, NULL, &refusal), 0,
                               "quantity");
        }
        if (rows[i].is_level) {
            shop_check_invalid(&refusal, count_to(shop, "a", quantity, 0, NULL, &refusal), 0,
                               "quantity");
            if (quantity < -MAX || quantity > MAX) {
                shop_check_invalid(&refusal, safety(shop, "a", quantity, 0, NULL, &refusal), 0,
                                   "quantity");
            }
        }
    }
    shop_check_invalid(&refusal, move(shop, none, "a", 2, 2, 1, NULL, &refusal), 0, "quantity");
    shop_check_invalid(&refusal, take(shop, "", 0, 1, NULL, &refusal), 0, "sku");
    shop_check_invalid(&refusal, take(shop, NULL, 0, 1, NULL, &refusal), 0, "sku");
    shop_check_invalid(&refusal, cellar_stock_take(shop->store, NULL, NULL, NULL, &refusal),
                       CELLAR_NO_LINE, "line");
    shop_check_invalid(&refusal, cellar_stock_count(shop->store, NULL, NULL, 0, NULL, &refusal),
                       CELLAR_NO_LINE, "line");
    shop_check_invalid(&refusal,
                       cellar_stock_set_safety(shop->store, NULL, NULL, 0, NULL, &refusal),
                       CELLAR_NO_LINE, "line");
    shop_check_invalid(&refusal,
                       cellar_stock_move(shop->store, NULL, none, NULL, 1, NULL, &refusal),
                       CELLAR_NO_LINE, "line");
    shop_check_frozen(shop, "after bad arguments");
}

/* What may be done with a product of which 10 are available here and 10 at location 1. */
static void check_sellable(struct shop *shop, const char *sku, uint32_t location, bool sellable) {
    cellar_refusal refusal;
    cellar_line line = shop_line(sku, location, 1, 5);
    cellar_order_request order = shop_order_request(99, &line, 1);
    int64_t total;
    if (!sellable) {
        shop_freeze(shop);
        assert_int_equal(take(shop, sku, location, 1, NULL, &refusal), CELLAR_NOT_SELLABLE);
        shop_check_refusal(&refusal, CELLAR_NOT_SELLABLE, 0, 0, 0);
        assert_int_equal(cellar_order_place(shop->store, NULL, &order, NULL, &refusal),
                         CELLAR_NOT_SELLABLE);
        shop_check_refusal(&refusal, CELLAR_NOT_SELLABLE, 0, 0, 0);
        assert_int_equal(cellar_order_quote(shop->store, &order, &total, &refusal),
                         CELLAR_NOT_SELLABLE);
        shop_check_frozen(shop, "not sold");
        return;
    }
    assert_int_equal(cellar_order_quote(shop->store, &order, &total, &refusal), CELLAR_OK);
    assert_int_equal(take(shop, sku, location, 1, NULL, NULL), CELLAR_OK);
    shop_receive(shop, sku, location, 1);
}

static void test_discontinued(void **state) {
    struct shop *shop = *state;
    cellar_id none = {0, 0};
    shop_goods(shop, "a", 10);
    shop_receive(shop, "a", 1, 10);
    shop_goods(shop, "b", 10);
    for (int round = 0; round < 3; round++) {
        shop_status(shop, "a", CELLAR_PRODUCT_DISCONTINUED);
        /* A location that comes into being now is not sold from either. */
        uint32_t fresh = (uint32_t)(2 + 2 * round);
        shop_receive(shop, "a", fresh, 10);
        assert_int_equal(move(shop, none, "a", 0, fresh + 1, 2, NULL, NULL), CELLAR_OK);
        const uint32_t places[] = {0, 1, fresh, fresh + 1};
        for (int i = 0; i < 4; i++) {
            check_sellable(shop, "a", places[i], false);
        }
        check_sellable(shop, "b", 0, true);
        /* It is received, counted, corrected, protected and returned. */
        shop_receive(shop, "a", 0, 2);
        assert_int_equal(shop_available(shop, "a", 0), 10);
        assert_int_equal(count_to(shop, "a", 11, 0, NULL, NULL), CELLAR_OK);
        assert_int_equal(safety(shop, "a", 4, 0, NULL, NULL), CELLAR_OK);
        assert_int_equal(safety(shop, "a", 0, 0, NULL, NULL), CELLAR_OK);
        assert_int_equal(shop_available(shop, "a", 0), 11);
        cellar_line line = shop_line("a", 0, 1, 5);
        cellar_order_request back = shop_order_request(200 + (uint64_t)round, &line, 1);
        assert_int_equal(cellar_order_return(shop->store, NULL, &back, false, NULL, NULL),
                         CELLAR_OK);
        assert_int_equal(count_to(shop, "a", 10, 0, NULL, NULL), CELLAR_OK);
        /* Discontinued twice is discontinued. */
        shop_status(shop, "a", CELLAR_PRODUCT_DISCONTINUED);
        check_sellable(shop, "a", 0, false);
        shop_reopen(shop);
        check_sellable(shop, "a", 1, false);
        shop_status(shop, "a", round == 1 ? CELLAR_PRODUCT_HIDDEN : CELLAR_PRODUCT_ACTIVE);
        for (int i = 0; i < 4; i++) {
            check_sellable(shop, "a", places[i], true);
        }
        assert_int_equal(shop_available(shop, "a", fresh), 10);
    }
}

static void test_born_discontinued(void **state) {
    struct shop *shop = *state;
    cellar_product product = {.sku = "a", .status = CELLAR_PRODUCT_DISCONTINUED};
    assert_int_equal(
        cellar_product_put(shop->store, NULL, &product, CELLAR_VERSION_ABSENT, NULL, NULL),
        CELLAR_OK);
    shop_receive(shop, "a", 0, 5);
    shop_receive(shop, "a", 1, 5);
    check_sellable(shop, "a", 0, false);
    check_sellable(shop, "a", 1, false);
    shop_status(shop, "a", CELLAR_PRODUCT_ACTIVE);
    check_sellable(shop, "a", 0, true);
    check_sellable(shop, "a", 1, true);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SHOP_TEST(test_take),
        SHOP_TEST_ORACLE(test_take),
        SHOP_TEST(test_take_finds_nothing),
        SHOP_TEST(test_count),
        SHOP_TEST(test_count_notices_sales),
        SHOP_TEST(test_safety),
        SHOP_TEST(test_move),
        SHOP_TEST(test_move_once_for_an_id),
        SHOP_TEST(test_bad_arguments),
        SHOP_TEST(test_discontinued),
        SHOP_TEST_ORACLE(test_discontinued),
        SHOP_TEST(test_born_discontinued),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
