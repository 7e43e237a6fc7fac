/* Does a quantity that is just within 32 bits, or just beyond, or the largest there is, come back
 * from memory and from the log as it was, and do its units move as any others? (Its lines are
 * written in one form or the other; each test ends with a power cut and a recovery.) */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/shop.h"

static const int64_t quantities[] = {INT32_MAX, INT64_C(1) + INT32_MAX, CELLAR_AMOUNT_MAX - 1};
#define QUANTITIES (sizeof quantities / sizeof *quantities)

static cellar_order_line line_of(struct shop *shop, uint64_t id, uint32_t index) {
    cellar_order order;
    cellar_order_line lines[2];
    assert_int_equal(cellar_order_get(shop->store, shop_id(id), &order, lines, 2), CELLAR_OK);
    assert_int_equal(order.line_count, 2);
    return lines[index];
}

/* A large quantity beside a small one; a unit is cancelled, and all that is left leaves. */
static void test_orders(void **state) {
    struct shop *shop = *state;
    shop_goods(shop, "small", 3 * QUANTITIES);
    for (size_t i = 0; i < QUANTITIES; i++) {
        char sku[SHOP_NAME_BYTES];
        int64_t quantity = quantities[i];
        uint64_t id = i + 1;
        shop_goods(shop, shop_name(sku, "large%zu", i), quantity);
        const cellar_line lines[] = {shop_line("small", 0, 3, 2), shop_line(sku, 0, quantity, -1)};
        cellar_order_request request = shop_order_request(id, lines, 2);
        assert_int_equal(cellar_order_place(shop->store, NULL, &request, NULL, NULL), CELLAR_OK);
        assert_int_equal(line_of(shop, id, 1).quantity, quantity);
        assert_int_equal(line_of(shop, id, 0).quantity, 3);
        assert_int_equal(line_of(shop, id, 0).unit_price, 2);
        assert_int_equal(shop_order_get(shop, id).total, 6 - quantity);
        assert_int_equal(shop_available(shop, sku, 0), 0);
        const cellar_order_part part = {.line = 1, .quantity = 1};
        const cellar_order_change change = {.order = shop_id(id),
                                            .event = CELLAR_EVENT_CANCEL,
                                            .id = shop_id(100 + id),
                                            .parts = &part,
                                            .part_count = 1};
        assert_int_equal(cellar_order_step(shop->store, NULL, &change, NULL, NULL), CELLAR_OK);
        assert_int_equal(shop_available(shop, sku, 0), 1);
        shop_reopen(shop);
        assert_int_equal(line_of(shop, id, 1).quantity, quantity);
        assert_int_equal(line_of(shop, id, 1).cancelled, 1);
    }
}

/* Changes of stock: received, moved, set right. */
static void test_stocks(void **state) {
    struct shop *shop = *state;
    for (size_t i = 0; i < QUANTITIES; i++) {
        char sku[SHOP_NAME_BYTES];
        int64_t quantity = quantities[i];
        shop_goods(shop, shop_name(sku, "large%zu", i), quantity);
        const cellar_line line = shop_line(sku, 0, quantity, 0);
        assert_int_equal(cellar_stock_move(shop->store, NULL, (cellar_id){0}, &line, 7, NULL, NULL),
                         CELLAR_OK);
        assert_int_equal(shop_available(shop, sku, 0), 0);
        assert_int_equal(shop_available(shop, sku, 7), quantity);
        const cellar_line less = shop_line(sku, 7, -quantity, 0);
        const cellar_stock_change change = {.lines = &less, .line_count = 1};
        assert_int_equal(cellar_stock_adjust(shop->store, NULL, &change, NULL, NULL), CELLAR_OK);
        assert_int_equal(shop_available(shop, sku, 7), 0);
        shop_reopen(shop);
        assert_int_equal(shop_stock(shop, sku, 0).on_hand, 0);
        assert_int_equal(shop_stock(shop, sku, 7).on_hand, 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SHOP_TEST(test_orders),
        SHOP_TEST(test_stocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
