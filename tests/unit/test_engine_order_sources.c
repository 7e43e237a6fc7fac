/* Does an order tell where its units come from: which pieces, from which location, and what has
 * become of them, so that somebody can go and pick them? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/orders.h"

#include <stdlib.h>
#include <string.h>

#define SOURCES_MAX 64

static void put_kit(struct shop *shop, const char *sku, const cellar_component *components,
                    uint32_t count) {
    const cellar_product kit = {
        .sku = sku, .components = components, .component_count = count, .name = sku};
    assert_int_equal(cellar_product_put(shop->store, NULL, &kit, CELLAR_VERSION_ANY, NULL, NULL),
                     CELLAR_OK);
}

/* Bottles and glasses at three places, and boxes of one bottle and two glasses. */
static void fill(struct shop *shop, int64_t quantity) {
    static const cellar_component box[] = {{.sku = "bottle", .quantity = 1},
                                           {.sku = "glass", .quantity = 2}};
    shop_product(shop, "bottle");
    shop_product(shop, "glass");
    for (uint32_t location = 0; location < 3; location++) {
        shop_receive(shop, "bottle", location, quantity);
        shop_receive(shop, "glass", location, quantity);
    }
    put_kit(shop, "box", box, 2);
}

static uint64_t product_id(struct shop *shop, const char *sku) {
    cellar_product product;
    assert_int_equal(cellar_product_get(shop->store, sku, 0, &product), CELLAR_OK);
    return product.id;
}

struct expected {
    uint32_t line;
    const char *sku;
    uint32_t location;
    uint32_t per_unit;
    int64_t quantity, cancelled, fulfilled, returned, uncovered;
};

static void check_sources(struct shop *shop, uint64_t id, uint64_t lsn,
                          const struct expected *expected, size_t count) {
    cellar_order order;
    cellar_order_source sources[SOURCES_MAX];
    size_t found;
    assert_int_equal(
        cellar_order_sources(shop->store, shop_id(id), lsn, &order, sources, SOURCES_MAX, &found),
        CELLAR_OK);
    assert_int_equal(order.id.low, id);
    assert_true(lsn == 0 || order.version == lsn);
    assert_int_equal(found, count);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(sources[i].line, expected[i].line);
        assert_int_equal(sources[i].product, product_id(shop, expected[i].sku));
        assert_int_equal(sources[i].location, expected[i].location);
        assert_int_equal(sources[i].per_unit, expected[i].per_unit);
        assert_int_equal(sources[i].quantity, expected[i].quantity);
        assert_int_equal(sources[i].cancelled, expected[i].cancelled);
        assert_int_equal(sources[i].fulfilled, expected[i].fulfilled);
        assert_int_equal(sources[i].returned, expected[i].returned);
        assert_int_equal(sources[i].uncovered, expected[i].uncovered);
    }
}

static uint64_t place_at(struct shop *shop, uint64_t id, const cellar_line *lines, size_t count,
                         const uint32_t *locations, size_t location_count) {
    cellar_order_request request = shop_order_request(id, lines, count);
    cellar_ticket ticket;
    request.locations = locations;
    request.location_count = location_count;
    request.split = location_count != 0;
    request.state = CELLAR_ORDER_PAID;
    assert_int_equal(cellar_order_place(shop->store, NULL, &request, &ticket, NULL), CELLAR_OK);
    return ticket.lsn;
}

static void test_split_lines(void **state) {
    struct shop *shop = *state;
    static const uint32_t locations[] = {2, 1};
    /* No place has six glasses when the boxes are packed, as the second line takes four. */
    static const struct expected placed[] = {
        {0, "bottle", 2, 1, 5, 0, 0, 0, 0}, {0, "bottle", 1, 1, 1, 0, 0, 0, 0},
        {1, "glass", 2, 1, 4, 0, 0, 0, 0},  {2, "bottle", 1, 1, 3, 0, 0, 0, 0},
        {2, "glass", 2, 2, 1, 0, 0, 0, 0},  {2, "glass", 1, 2, 5, 0, 0, 0, 0},
    };
    /* Of six bottles one is cancelled, from the end, and five leave. */
    static const struct expected after[] = {
        {0, "bottle", 2, 1, 5, 0, 5, 2, 0}, {0, "bottle", 1, 1, 1, 1, 0, 0, 0},
        {1, "glass", 2, 1, 4, 3, 0, 0, 0},  {2, "bottle", 1, 1, 3, 0, 1, 0, 0},
        {2, "glass", 2, 2, 1, 0, 1, 0, 0},  {2, "glass", 1, 2, 5, 0, 1, 0, 0},
    };
    fill(shop, 5);
    const cellar_line lines[] = {shop_line("bottle", 0, 6, 10), shop_line("glass", 0, 4, 3),
                                 shop_line("box", 0, 3, 15)};
    uint64_t lsn = place_at(shop, 1, lines, 3, locations, 2);
    check_sources(shop, 1, 0, placed, 6);
    orders_part(shop, CELLAR_EVENT_CANCEL, 1, 101, 0, 1);
    orders_part(shop, CELLAR_EVENT_FULFIL, 1, 102, 0, 5);
    orders_part(shop, CELLAR_EVENT_RETURN, 1, 103, 0, 2);
    orders_part(shop, CELLAR_EVENT_CANCEL, 1, 104, 1, 3);
    orders_part(shop, CELLAR_EVENT_FULFIL, 1, 105, 2, 1);
    for (int opening = 0; opening < 2; opening++) {
        check_sources(shop, 1, 0, after, 6);
        check_sources(shop, 1, shop_order_get(shop, 1).version, after, 6);
        check_sources(shop, 1, lsn, placed, 6);
        shop_reopen(shop);
    }
    /* Closed: read from the ledger. */
    orders_whole(shop, CELLAR_EVENT_FULFIL, 1);
    struct expected closed[6];
    memcpy(closed, after, sizeof closed);
    for (size_t i = 0; i < 6; i++) {
        closed[i].fulfilled = closed[i].quantity - closed[i].cancelled;
    }
    for (int opening = 0; opening < 2; opening++) {
        assert_int_equal(shop_order_get(shop, 1).state, CELLAR_ORDER_FULFILLED);
        check_sources(shop, 1, 0, closed, 6);
        shop_reopen(shop);
    }
}

static void test_simple_lines(void **state) {
    struct shop *shop = *state;
    static const struct expected placed[] = {{0, "glass", 1, 1, 2, 0, 0, 0, 0},
                                             {1, "bottle", 0, 1, 1, 0, 0, 0, 0}};
    static const struct expected back[] = {{0, "glass", 1, 1, 2, 0, 0, 0, 0}};
    fill(shop, 5);
    const cellar_line lines[] = {shop_line("glass", 1, 2, 3), shop_line("bottle", 0, 1, 10)};
    place_at(shop, 1, lines, 2, NULL, 0);
    check_sources(shop, 1, 0, placed, 2);
    /* A return without an order: where the units have gone to. */
    cellar_order_request request = shop_order_request(2, lines, 1);
    cellar_ticket ticket;
    assert_int_equal(cellar_order_return(shop->store, NULL, &request, false, &ticket, NULL),
                     CELLAR_OK);
    check_sources(shop, 2, 0, back, 1);
    check_sources(shop, 2, ticket.lsn, back, 1);
}

/* Pieces that are sold ahead of their coming are told where they are awaited. */
static void test_uncovered(void **state) {
    struct shop *shop = *state;
    static const uint32_t locations[] = {0, 1};
    static const struct expected placed[] = {{0, "bottle", 0, 1, 4, 0, 0, 0, 2},
                                             {0, "bottle", 1, 1, 1, 0, 0, 0, 0}};
    static const struct expected after[] = {{0, "bottle", 0, 1, 4, 0, 1, 0, 1},
                                            {0, "bottle", 1, 1, 1, 1, 0, 0, 0}};
    fill(shop, 2);
    orders_safety(shop, "bottle", -2);
    const cellar_line line = shop_line("bottle", 0, 5, 10);
    place_at(shop, 1, &line, 1, locations, 2);
    check_sources(shop, 1, 0, placed, 2);
    assert_int_equal(orders_line(shop, 1, 0).uncovered, 2);
    shop_receive(shop, "bottle", 0, 1);
    orders_part(shop, CELLAR_EVENT_CANCEL, 1, 101, 0, 1);
    orders_part(shop, CELLAR_EVENT_FULFIL, 1, 102, 0, 1);
    check_sources(shop, 1, 0, after, 2);
    assert_int_equal(orders_line(shop, 1, 0).uncovered, 1);
}

static void test_room(void **state) {
    struct shop *shop = *state;
    static const uint32_t locations[] = {2, 1, 0};
    cellar_order order;
    cellar_order_source sources[3];
    size_t count = 7;
    fill(shop, 5);
    const cellar_line line = shop_line("bottle", 0, 14, 10);
    uint64_t lsn = place_at(shop, 1, &line, 1, locations, 3);
    const uint64_t lsns[] = {0, lsn};
    for (int i = 0; i < 2; i++) {
        for (size_t capacity = 0; capacity <= 3; capacity++) {
            memset(sources, 0xee, sizeof sources);
            assert_int_equal(cellar_order_sources(shop->store, shop_id(1), lsns[i], &order,
                                                  capacity == 0 ? NULL : sources, capacity, &count),
                             CELLAR_OK);
            assert_int_equal(count, 3);
            for (size_t at = 0; at < 3; at++) {
                int64_t quantity = at == 2 ? 4 : 5;
                assert_int_equal(sources[at].quantity,
                                 at < capacity ? quantity : INT64_C(-0x1111111111111112));
            }
        }
    }
    assert_int_equal(cellar_order_sources(shop->store, shop_id(2), 0, &order, sources, 3, &count),
                     CELLAR_NOT_FOUND);
    assert_int_equal(count, 0);
    assert_int_equal(
        cellar_order_sources(shop->store, shop_id(1), lsn + 64, &order, sources, 3, &count),
        CELLAR_NOT_FOUND);
    const struct {
        cellar_order *order;
        cellar_order_source *sources;
        size_t capacity;
        size_t *count;
    } bad[] = {{NULL, sources, 3, &count}, {&order, NULL, 1, &count}, {&order, sources, 3, NULL}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(cellar_order_sources(shop->store, shop_id(1), 0, bad[i].order,
                                              bad[i].sources, bad[i].capacity, bad[i].count),
                         CELLAR_INVALID_ARGUMENT);
    }
}

/* ---- Many orders ---- */

#define ORDERS 40
#define STEPS 400

static const char *const skus[] = {"bottle", "glass", "box", "crate"};

static uint32_t draw(unsigned *seed, uint32_t below) {
    return (uint32_t)rand_r(seed) % below;
}

static void place_some(struct shop *shop, uint64_t id, unsigned *seed) {
    cellar_line lines[4];
    uint32_t locations[3] = {0, 1, 2};
    size_t count = 1 + draw(seed, 4);
    for (size_t i = 0; i < count; i++) {
        lines[i] = shop_line(skus[draw(seed, 4)], 0, 1 + draw(seed, 9), 1);
    }
    for (uint32_t i = 2; i > 0; i--) {
        uint32_t other = draw(seed, i + 1);
        uint32_t moved = locations[i];
        locations[i] = locations[other];
        locations[other] = moved;
    }
    place_at(shop, id, lines, count, locations, 3);
}

static void step_some(struct shop *shop, uint64_t number, unsigned *seed) {
    static const cellar_order_event events[] = {CELLAR_EVENT_CANCEL, CELLAR_EVENT_FULFIL,
                                                CELLAR_EVENT_RETURN};
    uint64_t id = 1 + draw(seed, ORDERS);
    uint32_t line = draw(seed, shop_order_get(shop, id).line_count);
    (void)orders_try_part(shop, events[draw(seed, 3)], id, 1000 + number, line, 1 + draw(seed, 4),
                          NULL);
}

/* Sources add up to their lines, and what is reserved of all orders to what the stocks say. */
static void check_sums(struct shop *shop) {
    int64_t reserved[2][3] = {{0}};
    const uint64_t products[2] = {product_id(shop, "bottle"), product_id(shop, "glass")};
    for (uint64_t id = 1; id <= ORDERS; id++) {
        cellar_order order;
        cellar_order_line lines[4];
        cellar_order_source sources[SOURCES_MAX];
        struct content_sum {
            int64_t quantity, cancelled, fulfilled, returned;
        } sums[4][2] = {{{0}}};
        size_t count;
        int64_t per_unit[4][2] = {{0}};
        assert_int_equal(cellar_order_get(shop->store, shop_id(id), &order, lines, 4), CELLAR_OK);
        assert_int_equal(
            cellar_order_sources(shop->store, shop_id(id), 0, &order, sources, SOURCES_MAX, &count),
            CELLAR_OK);
        assert_true(count <= SOURCES_MAX);
        for (size_t i = 0; i < count; i++) {
            const cellar_order_source *source = &sources[i];
            int which = source->product == products[1];
            struct content_sum *sum = &sums[source->line][which];
            assert_int_equal(source->product, products[which]);
            assert_true(source->cancelled + source->fulfilled <= source->quantity);
            assert_true(source->returned <= source->fulfilled);
            per_unit[source->line][which] = source->per_unit;
            sum->quantity += source->quantity;
            sum->cancelled += source->cancelled;
            sum->fulfilled += source->fulfilled;
            sum->returned += source->returned;
            reserved[which][source->location] +=
                source->quantity - source->cancelled - source->fulfilled;
        }
        for (uint32_t line = 0; line < order.line_count; line++) {
            int64_t pieces = 0;
            for (int which = 0; which < 2; which++) {
                const struct content_sum *sum = &sums[line][which];
                int64_t each = per_unit[line][which];
                assert_int_equal(sum->quantity, lines[line].quantity * each);
                assert_int_equal(sum->cancelled, lines[line].cancelled * each);
                assert_int_equal(sum->fulfilled, lines[line].fulfilled * each);
                assert_int_equal(sum->returned, lines[line].returned * each);
                pieces += each;
            }
            assert_true(pieces == 1 || pieces == 3 || pieces == 18);
        }
    }
    for (uint32_t location = 0; location < 3; location++) {
        assert_int_equal(shop_stock(shop, "bottle", location).reserved, reserved[0][location]);
        assert_int_equal(shop_stock(shop, "glass", location).reserved, reserved[1][location]);
    }
}

static void test_many_orders(void **state) {
    struct shop *shop = *state;
    static const cellar_component crate[] = {{.sku = "glass", .quantity = 12},
                                             {.sku = "bottle", .quantity = 6}};
    for (unsigned round = 1; round <= 3; round++) {
        unsigned seed = round;
        fill(shop, 2000);
        put_kit(shop, "crate", crate, 2);
        for (uint64_t id = 1; id <= ORDERS; id++) {
            place_some(shop, id, &seed);
        }
        check_sums(shop);
        for (uint64_t i = 0; i < STEPS; i++) {
            step_some(shop, i, &seed);
        }
        check_sums(shop);
        shop_reopen(shop);
        check_sums(shop);
        shop_finish(shop);
        shop_prepare(shop);
        shop_open(shop);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SHOP_TEST(test_split_lines),  SHOP_TEST_ORACLE(test_split_lines),
        SHOP_TEST(test_simple_lines), SHOP_TEST(test_uncovered),
        SHOP_TEST(test_room),         SHOP_TEST(test_many_orders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
