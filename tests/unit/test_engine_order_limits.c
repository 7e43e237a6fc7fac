/* Are orders refused, or taken whole, whose amounts, allocations, places or holds are as many as
 * can be, or more? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/orders.h"

#include <string.h>

/* Two numbers whose product fits 64 bits, barely. */
#define ROOT INT64_C(3037000499)

static cellar_status try_place(struct shop *shop, const cellar_order_request *order,
                               cellar_refusal *refusal) {
    return cellar_order_place(shop->store, NULL, order, NULL, refusal);
}

/* ---- Amounts ---- */

static void test_amounts(void **state) {
    struct shop *shop = *state;
    static const struct {
        int64_t quantity[2], price[2];
        uint32_t line; /* that is refused; CELLAR_NO_LINE: none */
    } rows[] = {
        {{1, 1}, {CELLAR_AMOUNT_MAX, 0}, CELLAR_NO_LINE},
        {{1, 1}, {-CELLAR_AMOUNT_MAX, 0}, CELLAR_NO_LINE},
        {{1, 1}, {CELLAR_AMOUNT_MAX, 1}, 1},
        {{1, 1}, {-CELLAR_AMOUNT_MAX, -1}, 1},
        {{1, 1}, {CELLAR_AMOUNT_MAX, -1}, CELLAR_NO_LINE},
        {{CELLAR_AMOUNT_MAX, 1}, {CELLAR_AMOUNT_MAX, 1}, 0},
        {{ROOT, 1}, {ROOT, 1}, 0},
        {{1, ROOT}, {CELLAR_AMOUNT_MAX, ROOT}, 1},
    };
    shop_product(shop, "a");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const cellar_line lines[] = {shop_line("a", 0, rows[i].quantity[0], rows[i].price[0]),
                                     shop_line("a", 0, rows[i].quantity[1], rows[i].price[1])};
        const cellar_order_request order = shop_order_request(1, lines, 2);
        cellar_refusal refusal;
        cellar_status status = try_place(shop, &order, &refusal);
        /* There are no goods. */
        bool fits = rows[i].line == CELLAR_NO_LINE;
        if (status != (fits ? CELLAR_OUT_OF_STOCK : CELLAR_OVERFLOW) ||
            (!fits && refusal.line != rows[i].line)) {
            fail_msg("row %zu: %s, line %u", i, cellar_status_name(status), refusal.line);
        }
    }
}

/* ---- Kits ---- */

static void put_kit(struct shop *shop, const char *sku, const cellar_component *components,
                    uint32_t count) {
    const cellar_product kit = {.sku = sku, .components = components, .component_count = count};
    assert_int_equal(cellar_product_put(shop->store, NULL, &kit, 0, NULL, NULL), CELLAR_OK);
}

static cellar_status order_kit(struct shop *shop, uint64_t id, uint32_t location,
                               int64_t quantity) {
    const cellar_line line = shop_line("kit", location, quantity, 0);
    const cellar_order_request order = shop_order_request(id, &line, 1);
    return try_place(shop, &order, NULL);
}

static void test_pieces_of_kits(void **state) {
    struct shop *shop = *state;
    const cellar_component many = {.sku = "a", .quantity = CELLAR_COMPONENT_QUANTITY_MAX};
    shop_goods(shop, "a", 2 * CELLAR_COMPONENT_QUANTITY_MAX);
    put_kit(shop, "kit", &many, 1);
    assert_int_equal(order_kit(shop, 1, 0, CELLAR_AMOUNT_MAX), CELLAR_OVERFLOW);
    assert_int_equal(order_kit(shop, 1, 0, CELLAR_AMOUNT_MAX / CELLAR_COMPONENT_QUANTITY_MAX + 1),
                     CELLAR_OVERFLOW);
    assert_int_equal(order_kit(shop, 1, 0, CELLAR_AMOUNT_MAX / CELLAR_COMPONENT_QUANTITY_MAX),
                     CELLAR_OUT_OF_STOCK);
    /* Its component is not at that place. */
    assert_int_equal(order_kit(shop, 1, 5, 1), CELLAR_NOT_FOUND);
    assert_int_equal(order_kit(shop, 1, 0, 2), CELLAR_OK);
    assert_int_equal(shop_available(shop, "a", 0), 0);
}

static void test_a_kit_is_not_its_own_component(void **state) {
    struct shop *shop = *state;
    const cellar_component itself = {.sku = "kit", .quantity = 1};
    const cellar_product kit = {.sku = "kit", .components = &itself, .component_count = 1};
    cellar_refusal refusal;
    shop_product(shop, "kit");
    cellar_status status =
        cellar_product_put(shop->store, NULL, &kit, CELLAR_VERSION_ANY, NULL, &refusal);
    shop_check_invalid(&refusal, status, 0, "components: not the kit itself");
}

/* More allocations than a record has room for, of lines that are not too many. */
static void test_too_many_allocations(void **unused) {
    static cellar_line lines[CELLAR_LINES_MAX];
    static char skus[CELLAR_COMPONENTS_MAX][SHOP_NAME_BYTES];
    cellar_component components[CELLAR_COMPONENTS_MAX];
    const uint32_t most = RECORD_PAYLOAD_MAX / sizeof(struct payload_allocation);
    struct shop shop;
    cellar_refusal refusal;
    (void)unused;
    assert_true(CELLAR_LINES_MAX * CELLAR_COMPONENTS_MAX > most);
    shop_prepare(&shop);
    shop.config.ring_bytes = UINT64_C(32) << 20;
    shop.config.segment_bytes = UINT64_C(16) << 20;
    shop_open(&shop);
    for (uint32_t i = 0; i < CELLAR_COMPONENTS_MAX; i++) {
        shop_goods(&shop, shop_name(skus[i], "part %u", i), CELLAR_LINES_MAX);
        components[i] = (cellar_component){.sku = skus[i], .quantity = 1};
    }
    put_kit(&shop, "kit", components, CELLAR_COMPONENTS_MAX);
    for (size_t i = 0; i < CELLAR_LINES_MAX; i++) {
        lines[i] = shop_line("kit", 0, 1, 0);
    }
    cellar_order_request order = shop_order_request(1, lines, CELLAR_LINES_MAX);
    cellar_status status = try_place(&shop, &order, &refusal);
    shop_check_invalid(&refusal, status, CELLAR_NO_LINE, "too large");
    order.line_count = 1000;
    assert_int_equal(try_place(&shop, &order, &refusal), CELLAR_OK);
    assert_int_equal(shop_available(&shop, skus[0], 0), CELLAR_LINES_MAX - 1000);
    (void)shop_audit(&shop);
    shop_abandon(&shop);
}

/* ---- Requests ---- */

/* Of each line and of where its unit comes from; a quarter of that has room. */
static void test_a_quote_too_large(void **unused) {
    static const uint32_t locations[] = {1};
    static cellar_line lines[CELLAR_LINES_MAX];
    struct shop shop;
    int64_t total = 0;
    cellar_refusal refusal;
    (void)unused;
    shop_prepare(&shop);
    shop.config.ring_bytes = UINT64_C(1) << 20;
    shop_open(&shop);
    shop_product(&shop, "a");
    (void)shop_receive(&shop, "a", 1, CELLAR_LINES_MAX);
    for (size_t i = 0; i < CELLAR_LINES_MAX; i++) {
        lines[i] = shop_line("a", 0, 1, 1);
    }
    cellar_order_request order = shop_order_request(1, lines, CELLAR_LINES_MAX);
    order.locations = locations;
    order.location_count = 1;
    cellar_status status = cellar_order_quote(shop.store, &order, &total, &refusal);
    shop_check_invalid(&refusal, status, CELLAR_NO_LINE, "too large");
    status = try_place(&shop, &order, &refusal);
    shop_check_invalid(&refusal, status, CELLAR_NO_LINE, "too large");
    order.line_count = CELLAR_LINES_MAX / 4;
    assert_int_equal(cellar_order_quote(shop.store, &order, &total, &refusal), CELLAR_OK);
    assert_int_equal(total, CELLAR_LINES_MAX / 4);
    assert_int_equal(try_place(&shop, &order, &refusal), CELLAR_OK);
    shop_finish(&shop);
}

/* Of several places one has nothing. */
static void test_a_place_without_goods(void **state) {
    struct shop *shop = *state;
    static const uint32_t locations[] = {1, 2, 3};
    const cellar_line line = shop_line("a", 0, 5, 10);
    const cellar_line all = shop_line("a", 1, 4, 0);
    cellar_order_request order = shop_order_request(1, &line, 1);
    shop_product(shop, "a");
    for (uint32_t location = 1; location <= 3; location++) {
        (void)shop_receive(shop, "a", location, 4);
    }
    assert_int_equal(cellar_stock_take(shop->store, NULL, &all, NULL, NULL), CELLAR_OK);
    order.locations = locations;
    order.location_count = 3;
    order.split = true;
    assert_int_equal(try_place(shop, &order, NULL), CELLAR_OK);
    assert_int_equal(shop_available(shop, "a", 1), 0);
    assert_int_equal(shop_available(shop, "a", 2), 0);
    assert_int_equal(shop_available(shop, "a", 3), 3);
}

static void test_a_code_too_long(void **state) {
    struct shop *shop = *state;
    static char code[CELLAR_CODE_BYTES_MAX + 2];
    const cellar_line line = shop_line("a", 0, 1, 10);
    cellar_order_request order = shop_order_request(1, &line, 1);
    cellar_refusal refusal;
    shop_goods(shop, "a", 5);
    memset(code, 'x', CELLAR_CODE_BYTES_MAX + 1);
    order.code = code;
    shop_check_invalid(&refusal, try_place(shop, &order, &refusal), CELLAR_NO_LINE, "code");
    code[CELLAR_CODE_BYTES_MAX] = '\0';
    assert_int_equal(try_place(shop, &order, &refusal), CELLAR_NOT_FOUND);
}

static void test_places_of_a_return(void **state) {
    struct shop *shop = *state;
    static const uint32_t locations[] = {1};
    const cellar_line line = shop_line("a", 0, 1, 0);
    cellar_order_request order = shop_order_request(1, &line, 1);
    cellar_refusal refusal;
    shop_goods(shop, "a", 5);
    order.location_count = 1;
    shop_check_invalid(&refusal, try_place(shop, &order, &refusal), CELLAR_NO_LINE,
                       "location_count");
    order.locations = locations;
    cellar_status status = cellar_order_return(shop->store, NULL, &order, false, NULL, &refusal);
    shop_check_invalid(&refusal, status, CELLAR_NO_LINE, "location_count");
    /* Without locations there is nothing to split: it is the same order. */
    order.location_count = 0;
    order.split = true;
    cellar_ticket ticket;
    assert_int_equal(cellar_order_place(shop->store, NULL, &order, NULL, NULL), CELLAR_OK);
    order.split = false;
    assert_int_equal(cellar_order_place(shop->store, NULL, &order, &ticket, NULL), CELLAR_OK);
    assert_true(ticket.repeated);
}

/* ---- Holds ---- */

/* More sources than there are places in queues: those that have none are not found by callers, but
 * end all the same. */
static void test_more_holds_than_places(void **unused) {
    enum {
        LINES = 20
    };
    static char skus[LINES][SHOP_NAME_BYTES];
    cellar_line lines[LINES];
    struct shop shop;
    (void)unused;
    shop_prepare(&shop);
    shop.config.orders_max = 8;
    ATOMIC_STORE(&shop.tick_ns, 0, relaxed);
    shop_open(&shop);
    for (int i = 0; i < LINES; i++) {
        shop_goods(&shop, shop_name(skus[i], "goods %d", i), 1);
        lines[i] = shop_line(skus[i], 0, 1, 10);
    }
    cellar_order_request order = shop_order_request(1, lines, LINES);
    order.hold_until_ns = orders_deadline(&shop, 1000);
    assert_int_equal(cellar_order_place(shop.store, NULL, &order, NULL, NULL), CELLAR_OK);
    assert_int_equal(shop_audit(&shop).totals.units_reserved, LINES);
    shop_reopen(&shop);
    orders_pass(&shop, 2000);
    orders_await(&shop, 1, CELLAR_ORDER_EXPIRED);
    for (int i = 0; i < LINES; i++) {
        assert_int_equal(shop_available(&shop, skus[i], 0), 1);
    }
    shop_finish(&shop);
}

/* More holds of one stock than are looked at for one that is overdue. */
static void test_more_holds_than_are_looked_at(void **state) {
    struct shop *shop = *state;
    enum {
        HOLDS = 300
    };
    cellar_refusal refusal;
    const cellar_line line = shop_line("a", 0, 1, 10);
    const cellar_order_request order = shop_order_request(HOLDS + 1, &line, 1);
    shop_goods(shop, "a", HOLDS);
    ATOMIC_STORE(&shop->tick_ns, 0, relaxed);
    int64_t first = 0;
    for (uint64_t id = 1; id <= HOLDS; id++) {
        int64_t until = orders_hold(shop, id, "a", 1, 10000 + (int64_t)id);
        first = id == 1 ? until : first;
    }
    shop_settle(shop);
    assert_int_equal(try_place(shop, &order, &refusal), CELLAR_OUT_OF_STOCK);
    assert_int_equal(refusal.available, 0);
    assert_int_equal(refusal.retry_ns, first);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SHOP_TEST(test_amounts),
        SHOP_TEST(test_pieces_of_kits),
        SHOP_TEST(test_a_kit_is_not_its_own_component),
        cmocka_unit_test(test_too_many_allocations),
        cmocka_unit_test(test_a_quote_too_large),
        SHOP_TEST(test_a_place_without_goods),
        SHOP_TEST(test_a_code_too_long),
        SHOP_TEST(test_places_of_a_return),
        cmocka_unit_test(test_more_holds_than_places),
        SHOP_TEST(test_more_holds_than_are_looked_at),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
