/* Are all places of a product listed, each once and in order, page by page, with what is there? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/shop.h"

#include <string.h>

#define PLACES 300
#define STRIDE 7919u /* a prime: the places come in no order */

/* The n-th place that is opened; the last one is the highest there can be. */
static uint32_t place_opened(uint32_t n) {
    return n == PLACES ? UINT32_MAX : n * STRIDE % 1009 + 1;
}

/* Places the list must have, in order. */
static size_t expect(uint32_t from, uint32_t *places) {
    size_t count = 0;
    for (uint32_t at = 0; at <= 1010; at++) {
        bool opened = at == 0;
        for (uint32_t n = 1; n < PLACES; n++) {
            opened = opened || place_opened(n) == at;
        }
        if (opened && at >= from) {
            places[count++] = at;
        }
    }
    places[count++] = UINT32_MAX;
    return count;
}

static void check_pages(struct shop *shop, uint32_t from, size_t capacity) {
    static cellar_stock_place page[CELLAR_PAGE_MAX];
    uint32_t expected[PLACES + 1];
    size_t expected_count = expect(from, expected);
    cellar_line line = {.sku = "tea", .location = from, .quantity = -3};
    size_t seen = 0;
    size_t count = capacity;
    uint32_t last = 0;
    while (count == capacity && last != UINT32_MAX) {
        assert_int_equal(cellar_stock_list(shop->store, &line, page, capacity, &count), CELLAR_OK);
        for (size_t i = 0; i < count; i++) {
            assert_true(seen < expected_count);
            last = page[i].location;
            assert_int_equal(last, expected[seen++]);
            cellar_stock stock = shop_stock(shop, "tea", last);
            assert_memory_equal(&page[i].stock, &stock, sizeof stock);
            assert_int_equal(stock.available, last == 0 ? 0 : last % 100 + 1);
        }
        line.location = last + 1;
    }
    assert_int_equal(seen, expected_count);
}

static void test_pages(void **state) {
    struct shop *shop = *state;
    shop_product(shop, "mug");
    shop_receive(shop, "mug", 5, 1);
    shop_product(shop, "tea");
    for (uint32_t n = 1; n <= PLACES; n++) {
        shop_receive(shop, "tea", place_opened(n), place_opened(n) % 100 + 1);
    }
    const size_t capacities[] = {1, 2, 7, PLACES, PLACES + 1, PLACES + 2, CELLAR_PAGE_MAX};
    const uint32_t froms[] = {0, 1, 500, 1011, UINT32_MAX};
    for (int opening = 0; opening < 2; opening++) {
        shop_settle(shop);
        for (size_t i = 0; i < sizeof capacities / sizeof *capacities; i++) {
            for (size_t j = 0; j < sizeof froms / sizeof *froms; j++) {
                check_pages(shop, froms[j], capacities[i]);
            }
        }
        shop_reopen(shop);
    }
}

static void test_refuses(void **state) {
    struct shop *shop = *state;
    static cellar_stock_place page[CELLAR_PAGE_MAX];
    size_t count = 42;
    shop_product(shop, "tea");
    const cellar_line tea = {.sku = "tea"}, by_id = {.product = 1}, none = {.sku = "none"},
                      far = {.product = 2}, empty = {.location = 1},
                      beyond = {.product = UINT64_MAX};
    const struct {
        const cellar_line *line;
        cellar_stock_place *page;
        size_t capacity;
        size_t *count;
        cellar_status status;
    } rows[] = {
        /* line  page  capacity  count  answer */
        {NULL, page, 1, &count, CELLAR_INVALID_ARGUMENT},
        {&empty, page, 1, &count, CELLAR_INVALID_ARGUMENT},
        {&tea, NULL, 1, &count, CELLAR_INVALID_ARGUMENT},
        {&tea, page, 1, NULL, CELLAR_INVALID_ARGUMENT},
        {&tea, page, 0, &count, CELLAR_INVALID_ARGUMENT},
        {&tea, page, CELLAR_PAGE_MAX + 1, &count, CELLAR_INVALID_ARGUMENT},
        {&none, page, 1, &count, CELLAR_NOT_FOUND},
        {&far, page, 1, &count, CELLAR_NOT_FOUND},
        {&beyond, page, 1, &count, CELLAR_NOT_FOUND},
        {&by_id, page, CELLAR_PAGE_MAX, &count, CELLAR_OK},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(cellar_stock_list(shop->store, rows[i].line, rows[i].page,
                                           rows[i].capacity, rows[i].count),
                         rows[i].status);
    }
    assert_int_equal(count, 1);
    assert_int_equal(page[0].location, 0);
}

/* Whoever opens a place links it before his commit, which may fail. */
static void test_places_that_were_not_opened(void **state) {
    struct shop *shop = *state;
    struct store *store = shop->store->store;
    cellar_stock_place page[3];
    size_t count = 0;
    shop_product(shop, "tea");
    const cellar_line line = shop_line("tea", 0, 1, 0);
    commit_enter();
    assert_int_not_equal(store_ensure_stock(store, &store->products[1], 9), 0);
    commit_leave();
    assert_int_equal(cellar_stock_list(shop->store, &line, page, 3, &count), CELLAR_OK);
    assert_int_equal(count, 1);
    assert_int_equal(page[0].location, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SHOP_TEST(test_pages),
        SHOP_TEST(test_refuses),
        SHOP_TEST(test_places_that_were_not_opened),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
