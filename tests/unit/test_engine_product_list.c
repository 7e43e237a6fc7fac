/* Do the lists of products hold each product once, newest first, under its status and its category,
 * page by page, also while products change? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/shop.h"

#include <string.h>

#define PRODUCTS 300

static void put(struct shop *shop, const char *sku, const char *category,
                cellar_product_status status) {
    cellar_product product = {
        .sku = sku, .name = sku, .category = category, .status = status, .unit_price = 7};
    assert_int_equal(
        cellar_product_put(shop->store, NULL, &product, CELLAR_VERSION_ANY, NULL, NULL), CELLAR_OK);
}

/* The list is exactly these ids; read with pages of `capacity`. */
static void check_list(struct shop *shop, cellar_product_query query, size_t capacity,
                       const uint64_t *ids, size_t id_count) {
    static cellar_product_summary page[CELLAR_PAGE_MAX];
    size_t count = capacity;
    size_t found = 0;
    shop_settle(shop);
    while (count == capacity) {
        assert_int_equal(cellar_product_list(shop->store, &query, page, capacity, &count),
                         CELLAR_OK);
        for (size_t i = 0; i < count; i++) {
            assert_true(found < id_count);
            /* cppcheck-suppress nullPointer; there are none: the line above has failed */
            assert_int_equal(page[i].id, ids[found++]);
            query.before = page[i].id;
        }
    }
    assert_int_equal(found, id_count);
}

static void test_newest_first_by_status(void **state) {
    struct shop *shop = *state;
    uint64_t ids[3][PRODUCTS];
    size_t counts[3] = {0, 0, 0};
    for (int i = 0; i < PRODUCTS; i++) {
        char sku[SHOP_NAME_BYTES];
        put(shop, shop_name(sku, "p%d", i), NULL, (cellar_product_status)(i % 3));
    }
    for (uint64_t id = PRODUCTS; id > 0; id--) {
        uint64_t status = (id - 1) % 3;
        ids[status][counts[status]++] = id;
    }
    const size_t capacities[] = {1, 7, 64, 65, 100, 1000};
    for (size_t i = 0; i < sizeof capacities / sizeof *capacities; i++) {
        for (int status = 0; status < 3; status++) {
            cellar_product_query query = {.status = (cellar_product_status)status};
            check_list(shop, query, capacities[i], ids[status], counts[status]);
        }
    }
}

/* More than are taken from a list at once. */
static void test_long_pages(void **state) {
    struct shop *shop = *state;
    uint64_t ids[2 * PRODUCTS];
    const size_t capacities[] = {256, 257, 512, 513, 1000};
    for (int i = 0; i < 2 * PRODUCTS; i++) {
        char sku[SHOP_NAME_BYTES];
        put(shop, shop_name(sku, "p%d", i), "tea", CELLAR_PRODUCT_ACTIVE);
        ids[i] = 2 * PRODUCTS - (uint64_t)i;
    }
    for (size_t i = 0; i < sizeof capacities / sizeof *capacities; i++) {
        check_list(shop, (cellar_product_query){.category = "tea"}, capacities[i], ids,
                   2 * PRODUCTS);
    }
}

static void test_summary(void **state) {
    struct shop *shop = *state;
    cellar_product_summary page[2];
    cellar_product product;
    size_t count = 0;
    put(shop, "tea", "drinks", CELLAR_PRODUCT_HIDDEN);
    shop_settle(shop);
    cellar_product_query query = {.status = CELLAR_PRODUCT_HIDDEN};
    assert_int_equal(cellar_product_list(shop->store, &query, page, 2, &count), CELLAR_OK);
    assert_int_equal(count, 1);
    assert_int_equal(cellar_product_get(shop->store, "tea", 0, &product), CELLAR_OK);
    assert_int_equal(page[0].id, product.id);
    assert_int_equal(page[0].version, product.version);
    assert_int_equal(page[0].unit_price, 7);
    assert_int_equal(page[0].created_ns, product.created_ns);
    assert_int_equal(page[0].status, CELLAR_PRODUCT_HIDDEN);
    assert_string_equal(page[0].sku, "tea");
    assert_string_equal(page[0].name, "tea");
}

/* Products 1 to 4; each row puts one of them and says what the lists are then. */
static void test_moving_between_lists(void **state) {
    struct shop *shop = *state;
    const struct {
        const char *sku;
        const char *category;
        cellar_product_status status;
        uint64_t active[4], hidden[4], tea[4], mugs[4]; /* ids, ended by 0 */
    } rows[] = {
        /* put  category  status  active  hidden  tea  mugs */
        {"a", "tea", CELLAR_PRODUCT_ACTIVE, {1}, {0}, {1}, {0}},
        {"b", "tea", CELLAR_PRODUCT_HIDDEN, {1}, {2}, {2, 1}, {0}},
        {"c", "mugs", CELLAR_PRODUCT_ACTIVE, {3, 1}, {2}, {2, 1}, {3}},
        {"a", "mugs", CELLAR_PRODUCT_ACTIVE, {3, 1}, {2}, {2}, {3, 1}},
        {"a", "mugs", CELLAR_PRODUCT_HIDDEN, {3}, {2, 1}, {2}, {3, 1}},
        {"a", "mugs", CELLAR_PRODUCT_HIDDEN, {3}, {2, 1}, {2}, {3, 1}},
        {"b", NULL, CELLAR_PRODUCT_ACTIVE, {3, 2}, {1}, {0}, {3, 1}},
        {"b", "", CELLAR_PRODUCT_ACTIVE, {3, 2}, {1}, {0}, {3, 1}},
        {"a", "tea", CELLAR_PRODUCT_DISCONTINUED, {3, 2}, {0}, {1}, {3}},
        {"b", "tea", CELLAR_PRODUCT_ACTIVE, {3, 2}, {0}, {2, 1}, {3}},
        {"a", "tea", CELLAR_PRODUCT_ACTIVE, {3, 2, 1}, {0}, {2, 1}, {3}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const uint64_t *const lists[] = {rows[i].active, rows[i].hidden, rows[i].tea, rows[i].mugs};
        const cellar_product_query queries[] = {{.status = CELLAR_PRODUCT_ACTIVE},
                                                {.status = CELLAR_PRODUCT_HIDDEN},
                                                {.category = "tea"},
                                                {.category = "mugs"}};
        put(shop, rows[i].sku, rows[i].category, rows[i].status);
        for (size_t list = 0; list < 4; list++) {
            size_t count = 0;
            while (lists[list][count] != 0) {
                count++;
            }
            check_list(shop, queries[list], 2, lists[list], count);
        }
    }
}

static void test_unknown_categories_are_empty(void **state) {
    struct shop *shop = *state;
    char long_name[80];
    put(shop, "a", "tea", CELLAR_PRODUCT_ACTIVE);
    memset(long_name, 't', 65);
    long_name[65] = '\0';
    const char *const names[] = {"coffee", "Tea", "te", "teas", "", long_name};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        check_list(shop, (cellar_product_query){.category = names[i]}, 5, NULL, 0);
    }
    long_name[64] = '\0';
    put(shop, "b", long_name, CELLAR_PRODUCT_ACTIVE);
    check_list(shop, (cellar_product_query){.category = long_name}, 5, (uint64_t[]){2}, 1);
    /* The status is not looked at when a category is asked for. */
    cellar_product_query odd = {.category = "tea", .status = (cellar_product_status)99};
    check_list(shop, odd, 5, (uint64_t[]){1}, 1);
}

static void test_before_need_not_be_in_the_list(void **state) {
    struct shop *shop = *state;
    put(shop, "a", NULL, CELLAR_PRODUCT_ACTIVE);
    put(shop, "b", NULL, CELLAR_PRODUCT_HIDDEN);
    put(shop, "c", NULL, CELLAR_PRODUCT_ACTIVE);
    cellar_product_query query = {.status = CELLAR_PRODUCT_ACTIVE};
    const struct {
        uint64_t before;
        uint64_t ids[2];
        size_t count;
    } rows[] = {{0, {3, 1}, 2},
                {1, {0}, 0},
                {2, {1}, 1},
                {3, {1}, 1},
                {4, {3, 1}, 2},
                {9, {3, 1}, 2},
                {UINT64_MAX, {3, 1}, 2}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        query.before = rows[i].before;
        check_list(shop, query, 5, rows[i].ids, rows[i].count);
    }
}

static void test_refuses(void **state) {
    struct shop *shop = *state;
    static cellar_product_summary page[CELLAR_PAGE_MAX];
    cellar_product_query query = {.status = CELLAR_PRODUCT_ACTIVE};
    cellar_product_query beyond = {.status = (cellar_product_status)3};
    cellar_product_query below = {.status = (cellar_product_status)-1};
    size_t count = 42;
    const struct {
        const cellar_product_query *query;
        cellar_product_summary *page;
        size_t capacity;
        size_t *count;
        cellar_status status;
    } rows[] = {
        /* query  page  capacity  count  answer */
        {&query, page, CELLAR_PAGE_MAX, &count, CELLAR_OK},
        {&query, page, CELLAR_PAGE_MAX + 1, &count, CELLAR_INVALID_ARGUMENT},
        {&query, page, 0, &count, CELLAR_INVALID_ARGUMENT},
        {&query, page, SIZE_MAX, &count, CELLAR_INVALID_ARGUMENT},
        {&query, NULL, 1, &count, CELLAR_INVALID_ARGUMENT},
        {&query, page, 1, NULL, CELLAR_INVALID_ARGUMENT},
        {NULL, page, 1, &count, CELLAR_INVALID_ARGUMENT},
        {&beyond, page, 1, &count, CELLAR_INVALID_ARGUMENT},
        {&below, page, 1, &count, CELLAR_INVALID_ARGUMENT},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(cellar_product_list(shop->store, rows[i].query, rows[i].page,
                                             rows[i].capacity, rows[i].count),
                         rows[i].status);
    }
    assert_int_equal(count, 0);
}

/* Between two pages products are added, moved and changed. Those that stay in the list are each
 * seen once; new ones are newer than what was read. */
static void test_pages_while_products_change(void **state) {
    struct shop *shop = *state;
    char sku[SHOP_NAME_BYTES];
    bool seen[2 * PRODUCTS + 1] = {false};
    for (int i = 1; i <= PRODUCTS; i++) {
        put(shop, shop_name(sku, "p%d", i), "c", CELLAR_PRODUCT_ACTIVE);
    }
    shop_settle(shop);
    cellar_product_query query = {.status = CELLAR_PRODUCT_ACTIVE};
    cellar_product_summary page[9];
    size_t count = 9;
    for (int step = 0; count == 9; step++) {
        assert_int_equal(cellar_product_list(shop->store, &query, page, 9, &count), CELLAR_OK);
        for (size_t i = 0; i < count; i++) {
            assert_true(query.before == 0 || page[i].id < query.before);
            assert_false(seen[page[i].id]);
            seen[page[i].id] = true;
            query.before = page[i].id;
        }
        put(shop, shop_name(sku, "new%d", step), "c", CELLAR_PRODUCT_ACTIVE);
        /* Every third of the old ones is hidden, the others are changed and stay. */
        put(shop, shop_name(sku, "p%d", 3 * (step % 100) + 3), "d", CELLAR_PRODUCT_HIDDEN);
        put(shop, shop_name(sku, "p%d", 3 * (step % 100) + 2), "d", CELLAR_PRODUCT_ACTIVE);
        if (step % 2 == 0) {
            shop_settle(shop);
        }
    }
    for (int i = 1; i <= PRODUCTS; i++) {
        assert_true(seen[i] || i % 3 == 0);
    }
}

/* What a list shows has the status asked for, even while the lists lag behind. */
static void test_pages_show_no_other_list(void **state) {
    struct shop *shop = *state;
    cellar_product_summary page[4];
    size_t count;
    for (int i = 0; i < 200; i++) {
        bool active = i % 2 == 0;
        put(shop, "a", active ? "tea" : "mugs",
            active ? CELLAR_PRODUCT_ACTIVE : CELLAR_PRODUCT_HIDDEN);
        const cellar_product_query others[] = {
            {.status = active ? CELLAR_PRODUCT_HIDDEN : CELLAR_PRODUCT_ACTIVE},
            {.category = active ? "mugs" : "tea"}};
        for (size_t other = 0; other < 2; other++) {
            assert_int_equal(cellar_product_list(shop->store, &others[other], page, 4, &count),
                             CELLAR_OK);
            assert_int_equal(count, 0);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SHOP_TEST(test_newest_first_by_status),
        SHOP_TEST(test_long_pages),
        SHOP_TEST(test_summary),
        SHOP_TEST(test_moving_between_lists),
        SHOP_TEST(test_unknown_categories_are_empty),
        SHOP_TEST(test_before_need_not_be_in_the_list),
        SHOP_TEST(test_refuses),
        SHOP_TEST(test_pages_while_products_change),
        SHOP_TEST(test_pages_show_no_other_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
