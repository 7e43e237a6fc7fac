/* Do products know how many pieces of them were sold, whatever becomes of the orders; and are the
 * most sold listed in order, page by page, also while sales go on? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/atomic.h"
#include "support/orders.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define PRODUCTS 700
#define PLENTY 1000000

static void take(struct shop *shop, const char *sku, int64_t quantity) {
    const cellar_line line = shop_line(sku, 0, quantity, 0);
    assert_int_equal(cellar_stock_take(shop->store, NULL, &line, NULL, NULL), CELLAR_OK);
}

static size_t list(struct shop *shop, const cellar_product_query *query,
                   cellar_product_summary *page, size_t capacity) {
    size_t count = 0;
    assert_int_equal(cellar_product_list(shop->store, query, page, capacity, &count), CELLAR_OK);
    return count;
}

/* By the list of the newest, which shows all. */
static int64_t sold(struct shop *shop, const char *sku) {
    static cellar_product_summary page[CELLAR_PAGE_MAX];
    const cellar_product_query query = {.status = CELLAR_PRODUCT_ACTIVE};
    shop_settle(shop);
    size_t count = list(shop, &query, page, CELLAR_PAGE_MAX);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(page[i].sku, sku) == 0) {
            return page[i].units_sold;
        }
    }
    fail_msg("no product %s", sku);
    return 0;
}

/* ---- What counts ---- */

static void order_two_places(struct shop *shop) {
    const cellar_line lines[] = {shop_line("tea", 0, 2, 1), shop_line("tea", 3, 5, 1)};
    cellar_order_request request = shop_order_request(20, lines, 2);
    assert_int_equal(cellar_order_place(shop->store, NULL, &request, NULL, NULL), CELLAR_OK);
}

static void return_alone(struct shop *shop, uint64_t id, bool damaged) {
    const cellar_line line = shop_line("tea", 0, 3, 1);
    cellar_order_request request = shop_order_request(id, &line, 1);
    assert_int_equal(cellar_order_return(shop->store, NULL, &request, damaged, NULL, NULL),
                     CELLAR_OK);
}

static void sell_kit(struct shop *shop) {
    const cellar_component parts[] = {{.sku = "tea", .quantity = 4}};
    const cellar_product kit = {.sku = "box", .components = parts, .component_count = 1};
    assert_int_equal(cellar_product_put(shop->store, NULL, &kit, CELLAR_VERSION_ANY, NULL, NULL),
                     CELLAR_OK);
    shop_order(shop, 30, "box", 2, CELLAR_ORDER_PLACED);
}

static void expire(struct shop *shop) {
    orders_hold(shop, 40, "tea", 6, 1);
    assert_int_equal(sold(shop, "tea"), 29);
    orders_pass(shop, 2);
    orders_await(shop, 40, CELLAR_ORDER_EXPIRED);
}

static void take_refused(struct shop *shop) {
    const cellar_line line = shop_line("tea", 0, 2 * PLENTY, 0);
    assert_int_equal(cellar_stock_take(shop->store, NULL, &line, NULL, NULL), CELLAR_OUT_OF_STOCK);
}

/* Takes in a transaction are of lines, unlike that of cellar_stock_take(). */
static void transact(struct shop *shop) {
    const cellar_line line = shop_line("tea", 0, 7, 0);
    const cellar_stock_change change = {.lines = &line, .line_count = 1};
    const cellar_operation operations[] = {{.kind = CELLAR_OPERATION_STOCK_TAKE, .stock = &change},
                                           {.kind = CELLAR_OPERATION_STOCK_TAKE, .stock = &change}};
    assert_int_equal(cellar_transact(shop->store, NULL, shop_id(0), operations, 2, NULL, NULL),
                     CELLAR_OK);
}

static void test_what_counts(void **state) {
    struct shop *shop = *state;
    shop_goods(shop, "tea", PLENTY);
    shop_receive(shop, "tea", 3, 100);
    shop_goods(shop, "mug", PLENTY);
    assert_int_equal(sold(shop, "tea"), 0);
#define STEP(what, after)                                                                          \
    do {                                                                                           \
        what;                                                                                      \
        assert_int_equal(sold(shop, "tea"), (after));                                              \
    } while (0)
    STEP(shop_order(shop, 1, "tea", 10, CELLAR_ORDER_PLACED), 10);
    STEP(orders_part(shop, CELLAR_EVENT_CANCEL, 1, 100, 0, 3), 7);
    STEP(orders_whole(shop, CELLAR_EVENT_PAY, 1), 7);
    STEP(orders_whole(shop, CELLAR_EVENT_FULFIL, 1), 7);
    STEP(orders_part(shop, CELLAR_EVENT_RETURN, 1, 101, 0, 2), 5);
    STEP(shop_order(shop, 2, "tea", 8, CELLAR_ORDER_FULFILLED), 13);
    STEP(shop_order(shop, 3, "tea", 9, CELLAR_ORDER_PAID), 22);
    STEP(orders_whole(shop, CELLAR_EVENT_CANCEL, 3), 13);
    STEP(take(shop, "tea", 1), 14);
    STEP(take_refused(shop), 14);
    STEP(order_two_places(shop), 21);
    STEP(return_alone(shop, 21, false), 18);
    STEP(return_alone(shop, 22, true), 15);
    STEP(sell_kit(shop), 23);
    STEP(expire(shop), 23);
    STEP(transact(shop), 37);
    STEP(shop_receive(shop, "tea", 0, 5), 37);
    STEP(shop_order(shop, 50, "mug", 4, CELLAR_ORDER_PLACED), 37);
#undef STEP
    for (int opening = 0; opening < 2; opening++) {
        assert_int_equal(sold(shop, "tea"), 37);
        assert_int_equal(sold(shop, "mug"), 4);
        assert_int_equal(sold(shop, "box"), 0);
        shop_reopen(shop);
    }
}

/* ---- The order of the list ---- */

struct expected {
    uint64_t id;
    int64_t sold;
};

static int compare_expected(const void *a, const void *b) {
    const struct expected *x = a, *y = b;
    if (x->sold != y->sold) {
        return x->sold < y->sold ? 1 : -1;
    }
    return x->id < y->id ? 1 : -1;
}

/* Product i, of 1 to PRODUCTS, sells so many: some none at all, many as many as others. */
static int64_t sales_of(uint64_t id) {
    return (int64_t)(id * 7919 % 61);
}

static void put(struct shop *shop, uint64_t number, const char *category,
                cellar_product_status status) {
    char sku[SHOP_NAME_BYTES];
    const cellar_product product = {
        .sku = shop_name(sku, "p%d", (int)number), .category = category, .status = status};
    assert_int_equal(
        cellar_product_put(shop->store, NULL, &product, CELLAR_VERSION_ANY, NULL, NULL), CELLAR_OK);
}

static void fill(struct shop *shop) {
    char sku[SHOP_NAME_BYTES];
    for (uint64_t id = 1; id <= PRODUCTS; id++) {
        put(shop, id, id % 5 == 0 ? "five" : NULL, CELLAR_PRODUCT_ACTIVE);
        shop_receive(shop, shop_name(sku, "p%d", (int)id), 0, PLENTY);
        if (sales_of(id) != 0) {
            take(shop, sku, sales_of(id));
        }
    }
    /* They keep what they have sold, and stand in another list. */
    for (uint64_t id = 3; id <= PRODUCTS; id += 3) {
        put(shop, id, id % 5 == 0 ? "five" : NULL, CELLAR_PRODUCT_HIDDEN);
    }
    shop_settle(shop);
}

static size_t expect(struct expected *expected, bool (*belongs)(uint64_t id)) {
    size_t count = 0;
    for (uint64_t id = 1; id <= PRODUCTS; id++) {
        if (belongs(id) && sales_of(id) > 0) {
            expected[count++] = (struct expected){id, sales_of(id)};
        }
    }
    qsort(expected, count, sizeof *expected, compare_expected);
    return count;
}

static bool is_active(uint64_t id) {
    return id % 3 != 0;
}

static bool is_hidden(uint64_t id) {
    return id % 3 == 0;
}

static bool is_of_five(uint64_t id) {
    return id % 5 == 0;
}

static void check_list(struct shop *shop, cellar_product_query query, size_t capacity,
                       const struct expected *expected, size_t expected_count) {
    static cellar_product_summary page[CELLAR_PAGE_MAX];
    size_t seen = 0;
    size_t count = capacity;
    query.order = CELLAR_PRODUCTS_MOST_SOLD;
    while (count == capacity) {
        count = list(shop, &query, page, capacity);
        for (size_t i = 0; i < count; i++) {
            assert_true(seen < expected_count);
            assert_int_equal(page[i].id, expected[seen].id);
            assert_int_equal(page[i].units_sold, expected[seen++].sold);
            query.before = page[i].id;
            query.before_sold = page[i].units_sold;
        }
    }
    assert_int_equal(seen, expected_count);
}

static void test_most_sold_first(void **state) {
    struct shop *shop = *state;
    static struct expected expected[PRODUCTS];
    const struct {
        cellar_product_query query;
        bool (*belongs)(uint64_t id);
    } rows[] = {{{.status = CELLAR_PRODUCT_ACTIVE}, is_active},
                {{.status = CELLAR_PRODUCT_HIDDEN}, is_hidden},
                {{.category = "five"}, is_of_five}};
    const size_t capacities[] = {1, 2, 7, 100, 255, 256, 257, 1000};
    fill(shop);
    for (int opening = 0; opening < 2; opening++) {
        for (size_t row = 0; row < sizeof rows / sizeof *rows; row++) {
            size_t count = expect(expected, rows[row].belongs);
            for (size_t i = 0; i < sizeof capacities / sizeof *capacities; i++) {
                check_list(shop, rows[row].query, capacities[i], expected, count);
            }
        }
        shop_reopen(shop);
        shop_settle(shop);
    }
    check_list(shop, (cellar_product_query){.category = "six"}, 5, expected, 0);
    check_list(shop, (cellar_product_query){.status = CELLAR_PRODUCT_DISCONTINUED}, 5, expected, 0);
}

/* Products 1 to 4 have sold 5, 9, 5, 0. */
static void test_places_between(void **state) {
    struct shop *shop = *state;
    const int64_t sales[] = {5, 9, 5, 0};
    for (uint64_t id = 1; id <= 4; id++) {
        char sku[SHOP_NAME_BYTES];
        shop_goods(shop, shop_name(sku, "p%d", (int)id), 10);
        if (sales[id - 1] != 0) {
            take(shop, sku, sales[id - 1]);
        }
    }
    shop_settle(shop);
    const struct {
        uint64_t before;
        int64_t before_sold;
        uint64_t ids[4]; /* ended by 0 */
    } rows[] = {
        /* before  sold  ids */
        {0, 0, {2, 3, 1}},
        {0, 7, {2, 3, 1}}, /* from the first on */
        {2, 9, {3, 1}},
        {3, 9, {2, 3, 1}},
        {9, 5, {3, 1}},
        {3, 5, {1}},
        {2, 5, {1}},
        {1, 5, {0}},
        {UINT64_MAX, 5, {3, 1}},
        {UINT64_MAX, INT64_MAX, {2, 3, 1}},
        {4, 4, {0}},
        {4, 0, {0}},
        {4, -1, {0}},
        {4, INT64_MIN, {0}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        cellar_product_summary page[5];
        const cellar_product_query query = {.order = CELLAR_PRODUCTS_MOST_SOLD,
                                            .before = rows[i].before,
                                            .before_sold = rows[i].before_sold};
        size_t count = list(shop, &query, page, 5);
        for (size_t at = 0; at < count; at++) {
            assert_int_equal(page[at].id, rows[i].ids[at]);
        }
        assert_int_equal(rows[i].ids[count], 0);
    }
}

static void test_refuses(void **state) {
    struct shop *shop = *state;
    cellar_product_summary page[1];
    size_t count = 42;
    const int orders[] = {-1, 2};
    for (size_t i = 0; i < 2; i++) {
        cellar_product_query query = {.order = (cellar_product_order)orders[i]};
        assert_int_equal(cellar_product_list(shop->store, &query, page, 1, &count),
                         CELLAR_INVALID_ARGUMENT);
    }
    assert_int_equal(count, 42);
}

/* ---- While sales go on ---- */

struct seller {
    struct shop *shop;
    _Atomic int stop;
};

/* Sells every seventh product. */
static void *seller_run(void *argument) {
    struct seller *seller = argument;
    while (ATOMIC_LOAD(&seller->stop, relaxed) == 0) {
        for (uint64_t id = 7; id <= PRODUCTS; id += 7) {
            char sku[SHOP_NAME_BYTES];
            const cellar_line line = shop_line(shop_name(sku, "p%d", (int)id), 0, 1, 0);
            if (cellar_stock_take(seller->shop->store, NULL, &line, NULL, NULL) != CELLAR_OK) {
                return "sold out";
            }
        }
    }
    return NULL;
}

/* Each that does not sell meanwhile is seen once, in its place; pages fall strictly. */
static void check_while_selling(struct shop *shop, size_t capacity) {
    static cellar_product_summary page[CELLAR_PAGE_MAX];
    int seen[PRODUCTS + 1] = {0};
    cellar_product_query query = {.order = CELLAR_PRODUCTS_MOST_SOLD};
    size_t count = capacity;
    while (count == capacity) {
        count = list(shop, &query, page, capacity);
        for (size_t i = 0; i < count; i++) {
            assert_true(query.before == 0 || page[i].units_sold < query.before_sold ||
                        (page[i].units_sold == query.before_sold && page[i].id < query.before));
            assert_true(page[i].id % 7 == 0 || page[i].units_sold == sales_of(page[i].id));
            seen[page[i].id]++;
            query.before = page[i].id;
            query.before_sold = page[i].units_sold;
        }
    }
    for (uint64_t id = 1; id <= PRODUCTS; id++) {
        if (id % 7 != 0) {
            assert_int_equal(seen[id], is_active(id) && sales_of(id) > 0);
        }
    }
}

static void test_pages_while_sales_go_on(void **state) {
    struct shop *shop = *state;
    struct seller seller = {.shop = shop};
    pthread_t thread;
    void *failure = NULL;
    fill(shop);
    assert_int_equal(pthread_create(&thread, NULL, seller_run, &seller), 0);
    const size_t capacities[] = {3, 50, 256, 1000};
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < sizeof capacities / sizeof *capacities; i++) {
            check_while_selling(shop, capacities[i]);
        }
    }
    ATOMIC_STORE(&seller.stop, 1, relaxed);
    assert_int_equal(pthread_join(thread, &failure), 0);
    assert_null(failure);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SHOP_TEST(test_what_counts),
        SHOP_TEST(test_most_sold_first),
        SHOP_TEST(test_places_between),
        SHOP_TEST(test_refuses),
        SHOP_TEST(test_pages_while_sales_go_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
