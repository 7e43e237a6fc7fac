/* Are kits sold whole, from the stocks of their components, whatever becomes of them; and orders
 * taken from the locations that they prefer? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/shop.h"

#include <string.h>

static cellar_status put_kit(struct shop *shop, const char *sku, const cellar_component *components,
                             uint32_t count, cellar_product_status status,
                             cellar_refusal *refusal) {
    const cellar_product product = {
        .sku = sku, .status = status, .components = components, .component_count = count};
    return cellar_product_put(shop->store, NULL, &product, CELLAR_VERSION_ANY, NULL, refusal);
}

static cellar_status place(struct shop *shop, uint64_t id, const cellar_line *lines, size_t count,
                           cellar_refusal *refusal) {
    cellar_order_request request = shop_order_request(id, lines, count);
    return cellar_order_place(shop->store, NULL, &request, NULL, refusal);
}

static void receive(struct shop *shop, const char *sku, uint32_t location, int64_t quantity) {
    const cellar_line line = shop_line(sku, location, quantity, 0);
    const cellar_stock_change change = {.lines = &line, .line_count = 1};
    assert_int_equal(cellar_stock_receive(shop->store, NULL, &change, NULL, NULL), CELLAR_OK);
}

/* A gift box: a bottle and two glasses. */
static const cellar_component box[] = {{.sku = "bottle", .quantity = 1},
                                       {.sku = "glass", .quantity = 2}};

static void fill(struct shop *shop) {
    shop_goods(shop, "bottle", 10);
    shop_goods(shop, "glass", 7);
    assert_int_equal(put_kit(shop, "box", box, 2, CELLAR_PRODUCT_ACTIVE, NULL), CELLAR_OK);
}

static void test_taken_whole(void **state) {
    struct shop *shop = *state;
    cellar_refusal refusal;
    fill(shop);
    const cellar_line three[] = {shop_line("box", 0, 3, 100), shop_line("glass", 0, 1, 5)};
    assert_int_equal(place(shop, 1, three, 2, NULL), CELLAR_OK);
    assert_int_equal(shop_available(shop, "bottle", 0), 7);
    assert_int_equal(shop_available(shop, "glass", 0), 0);
    assert_int_equal(shop_available(shop, "box", 0), 0);
    /* Two lines that need the same component are checked together. */
    const cellar_line one = shop_line("box", 0, 1, 100);
    assert_int_equal(place(shop, 2, &one, 1, &refusal), CELLAR_OUT_OF_STOCK);
    shop_check_refusal(&refusal, CELLAR_OUT_OF_STOCK, 0, 0, 2);
    assert_int_equal(shop_available(shop, "bottle", 0), 7);
    for (int opening = 0; opening < 2; opening++) {
        cellar_order order;
        cellar_order_line lines[2];
        assert_int_equal(cellar_order_get(shop->store, shop_id(1), &order, lines, 2), CELLAR_OK);
        assert_int_equal(order.total, 305);
        assert_int_equal(lines[0].quantity, 3);
        cellar_product kit;
        cellar_component components[2];
        assert_int_equal(cellar_product_get(shop->store, "box", 0, &kit), CELLAR_OK);
        assert_int_equal(kit.id, lines[0].product);
        assert_int_equal(kit.component_count, 2);
        assert_int_equal(cellar_product_components(shop->store, &kit, components, 2), CELLAR_OK);
        assert_int_equal(components[1].quantity, 2);
        assert_int_equal(shop_audit(shop).totals.units_reserved, 10);
        shop_reopen(shop);
    }
    assert_int_equal(cellar_order_cancel(shop->store, NULL, shop_id(1), NULL, NULL), CELLAR_OK);
    assert_int_equal(shop_available(shop, "bottle", 0), 10);
    assert_int_equal(shop_available(shop, "glass", 0), 7);
    (void)shop_audit(shop);
}

/* One box leaves, one is cancelled, the one that has left comes back. */
static void test_parts_of_a_kit(void **state) {
    struct shop *shop = *state;
    fill(shop);
    const cellar_line three = shop_line("box", 0, 3, 100);
    assert_int_equal(place(shop, 1, &three, 1, NULL), CELLAR_OK);
    assert_int_equal(cellar_order_pay(shop->store, NULL, shop_id(1), 0, NULL, NULL), CELLAR_OK);
    static const struct {
        cellar_order_event event;
        int64_t bottles, glasses; /* available after it */
    } rows[] = {
        /* event  bottles  glasses */
        {CELLAR_EVENT_FULFIL, 7, 1},
        {CELLAR_EVENT_CANCEL, 8, 3},
        {CELLAR_EVENT_RETURN, 9, 5},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const cellar_order_part part = {.line = 0, .quantity = 1};
        const cellar_order_change change = {.order = shop_id(1),
                                            .event = rows[i].event,
                                            .id = shop_id(100 + i),
                                            .parts = &part,
                                            .part_count = 1};
        for (int twice = 0; twice < 2; twice++) {
            assert_int_equal(cellar_order_step(shop->store, NULL, &change, NULL, NULL), CELLAR_OK);
            assert_int_equal(shop_available(shop, "bottle", 0), rows[i].bottles);
            assert_int_equal(shop_available(shop, "glass", 0), rows[i].glasses);
        }
        shop_reopen(shop);
    }
    cellar_order_line line;
    cellar_order order;
    assert_int_equal(cellar_order_get(shop->store, shop_id(1), &order, &line, 1), CELLAR_OK);
    assert_int_equal(order.state, CELLAR_ORDER_PAID);
    assert_int_equal(line.fulfilled, 1);
    assert_int_equal(line.cancelled, 1);
    assert_int_equal(line.returned, 1);
    assert_int_equal(shop_audit(shop).totals.units_reserved, 3);
}

static void test_refused(void **state) {
    struct shop *shop = *state;
    cellar_refusal refusal;
    static cellar_component many[CELLAR_COMPONENTS_MAX + 1];
    fill(shop);
    for (size_t i = 0; i < CELLAR_COMPONENTS_MAX + 1; i++) {
        char sku[SHOP_NAME_BYTES];
        shop_goods(shop, shop_name(sku, "c%zu", i), 10);
        many[i] = (cellar_component){.product = 4 + i, .quantity = 1};
    }
    const struct {
        cellar_component component;
        cellar_status status;
    } rows[] = {
        /* component  answer */
        {{.sku = "ghost", .quantity = 1}, CELLAR_NOT_FOUND},
        {{.sku = "box", .quantity = 1}, CELLAR_INVALID_ARGUMENT},
        {{.sku = "new", .quantity = 1}, CELLAR_NOT_FOUND},
        {{.sku = "glass"}, CELLAR_INVALID_ARGUMENT},
        {{.sku = "glass", .quantity = CELLAR_COMPONENT_QUANTITY_MAX + 1}, CELLAR_INVALID_ARGUMENT},
        {{.sku = "", .quantity = 1}, CELLAR_INVALID_ARGUMENT},
        {{.sku = NULL, .quantity = 1}, CELLAR_INVALID_ARGUMENT},
        {{.sku = "glass", .quantity = CELLAR_COMPONENT_QUANTITY_MAX}, CELLAR_OK},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(
            put_kit(shop, "new", &rows[i].component, 1, CELLAR_PRODUCT_ACTIVE, &refusal),
            rows[i].status);
    }
    const cellar_component twice[] = {{.sku = "glass", .quantity = 1},
                                      {.sku = "glass", .quantity = 1}};
    assert_int_equal(put_kit(shop, "new", twice, 2, CELLAR_PRODUCT_ACTIVE, NULL),
                     CELLAR_INVALID_ARGUMENT);
    assert_int_equal(
        put_kit(shop, "new", many, CELLAR_COMPONENTS_MAX + 1, CELLAR_PRODUCT_ACTIVE, NULL),
        CELLAR_INVALID_ARGUMENT);
    assert_int_equal(put_kit(shop, "new", many, CELLAR_COMPONENTS_MAX, CELLAR_PRODUCT_ACTIVE, NULL),
                     CELLAR_OK);
    const cellar_line line = shop_line("new", 0, 10, 1);
    assert_int_equal(place(shop, 1, &line, 1, NULL), CELLAR_OK);
    /* A kit is not taken, and a discontinued one not sold. */
    const cellar_line one = shop_line("box", 0, 1, 1);
    assert_int_equal(cellar_stock_take(shop->store, NULL, &one, NULL, NULL), CELLAR_NOT_SELLABLE);
    assert_int_equal(put_kit(shop, "box", box, 2, CELLAR_PRODUCT_DISCONTINUED, NULL), CELLAR_OK);
    assert_int_equal(place(shop, 2, &one, 1, NULL), CELLAR_NOT_SELLABLE);
    /* Nor one whose component has become a kit. */
    assert_int_equal(put_kit(shop, "box", box, 2, CELLAR_PRODUCT_ACTIVE, NULL), CELLAR_OK);
    assert_int_equal(put_kit(shop, "glass", many, 1, CELLAR_PRODUCT_ACTIVE, NULL), CELLAR_OK);
    assert_int_equal(place(shop, 3, &one, 1, NULL), CELLAR_NOT_SELLABLE);
    /* And a kit that is none any more has a stock of its own again. */
    assert_int_equal(put_kit(shop, "box", NULL, 0, CELLAR_PRODUCT_ACTIVE, NULL), CELLAR_OK);
    assert_int_equal(place(shop, 4, &one, 1, NULL), CELLAR_OUT_OF_STOCK);
    receive(shop, "box", 0, 1);
    assert_int_equal(place(shop, 5, &one, 1, NULL), CELLAR_OK);
    (void)shop_audit(shop);
}

static void test_locations(void **state) {
    struct shop *shop = *state;
    shop_product(shop, "a");
    receive(shop, "a", 1, 5);
    receive(shop, "a", 2, 8);
    receive(shop, "a", 3, 100);
    static const struct {
        int64_t first, second; /* quantities of two lines */
        uint32_t locations[3];
        size_t location_count;
        bool split;
        cellar_status status;
        int64_t available; /* in the refusal, or at the first location after it */
        uint32_t told;     /* location of the first line */
    } rows[] = {
        /* lines  locations  count  split  answer  available  told */
        {6, 0, {1, 2}, 2, false, CELLAR_OK, 5, 2},
        {6, 0, {1, 2}, 2, false, CELLAR_OUT_OF_STOCK, 5, 0},
        {8, 0, {1, 2}, 2, true, CELLAR_OUT_OF_STOCK, 7, 0},
        {4, 3, {1, 2}, 2, true, CELLAR_OK, 0, 1}, /* 4 + 1 from the first, 2 from the second */
        {1, 0, {1, 2, 9}, 3, false, CELLAR_OUT_OF_STOCK, 0, 0},
        {1, 0, {9, 8}, 2, true, CELLAR_NOT_FOUND, 0, 0},
        {1, 2, {2, 1, 3}, 3, false, CELLAR_OK, 0, 3},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const cellar_line lines[] = {shop_line("a", 0, rows[i].first, 10),
                                     shop_line("a", 0, rows[i].second, 10)};
        cellar_refusal refusal;
        cellar_order_request request =
            shop_order_request(1 + i, lines, rows[i].second == 0 ? 1 : 2);
        request.locations = rows[i].locations;
        request.location_count = rows[i].location_count;
        request.split = rows[i].split;
        int64_t quoted;
        assert_int_equal(cellar_order_quote(shop->store, &request, &quoted, &refusal),
                         rows[i].status);
        assert_int_equal(cellar_order_place(shop->store, NULL, &request, NULL, &refusal),
                         rows[i].status);
        if (rows[i].status == CELLAR_OUT_OF_STOCK) {
            assert_int_equal(refusal.available, rows[i].available);
        } else if (rows[i].status == CELLAR_OK) {
            cellar_order order;
            cellar_order_line told;
            assert_int_equal(cellar_order_get(shop->store, shop_id(1 + i), &order, &told, 1),
                             CELLAR_OK);
            assert_int_equal(told.location, rows[i].told);
            assert_int_equal(told.quantity, rows[i].first);
        }
        (void)shop_audit(shop);
    }
    shop_reopen(shop);
    assert_int_equal(shop_available(shop, "a", 1), 0);
    assert_int_equal(shop_available(shop, "a", 2), 0);
    assert_int_equal(shop_available(shop, "a", 3), 97);
    assert_int_equal(cellar_order_cancel(shop->store, NULL, shop_id(4), NULL, NULL), CELLAR_OK);
    assert_int_equal(shop_available(shop, "a", 1), 5);
    assert_int_equal(shop_available(shop, "a", 2), 2);
    (void)shop_audit(shop);
}

static void test_bad_places(void **state) {
    struct shop *shop = *state;
    cellar_refusal refusal;
    uint32_t locations[CELLAR_LOCATIONS_MAX + 1] = {0};
    shop_goods(shop, "a", 100);
    const cellar_line line = shop_line("a", 0, 1, 1);
    const cellar_line elsewhere = shop_line("a", 1, 1, 1);
    cellar_order_request request = shop_order_request(1, &line, 1);
    request.locations = locations;
    request.location_count = CELLAR_LOCATIONS_MAX + 1;
    shop_check_invalid(&refusal, cellar_order_place(shop->store, NULL, &request, NULL, &refusal),
                       CELLAR_NO_LINE, "location_count");
    request.location_count = CELLAR_LOCATIONS_MAX;
    assert_int_equal(cellar_order_place(shop->store, NULL, &request, NULL, NULL), CELLAR_OK);
    request = shop_order_request(2, &line, 1);
    request.location_count = 1;
    shop_check_invalid(&refusal, cellar_order_place(shop->store, NULL, &request, NULL, &refusal),
                       CELLAR_NO_LINE, "location_count");
    request.locations = locations;
    request.lines = &elsewhere;
    shop_check_invalid(&refusal, cellar_order_place(shop->store, NULL, &request, NULL, &refusal), 0,
                       "location");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SHOP_TEST(test_taken_whole),    SHOP_TEST_ORACLE(test_taken_whole),
        SHOP_TEST(test_parts_of_a_kit), SHOP_TEST(test_refused),
        SHOP_TEST(test_locations),      SHOP_TEST_ORACLE(test_locations),
        SHOP_TEST(test_bad_places),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
