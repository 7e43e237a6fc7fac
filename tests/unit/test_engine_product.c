/* Does a product hold exactly what was put into it, by the version that was expected, and does a
 * put that is refused leave nothing behind? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/shop.h"

#include <string.h>

static char long_text[300];

/* `bytes` letters; valid until the next call with another number of bytes above. */
static const char *text_of(size_t bytes) {
    static char texts[4][300];
    static int next;
    char *text = texts[next++ % 4];
    memset(text, 'x', bytes);
    text[bytes] = '\0';
    return text;
}

static cellar_status put(struct shop *shop, const cellar_product *product, uint64_t expected,
                         cellar_ticket *ticket, cellar_refusal *refusal) {
    return cellar_product_put(shop->store, NULL, product, expected, ticket, refusal);
}

static void test_all_that_is_put_comes_out(void **state) {
    struct shop *shop = *state;
    static const unsigned char blob[] = {0, 1, 2, 0, 255, 0};
    cellar_product product = {.sku = "A-1",
                              .name = "Tee, gr\xc3\xbcn",
                              .category = "tea",
                              .unit_price = -450,
                              .status = CELLAR_PRODUCT_HIDDEN,
                              .attributes = blob,
                              .attributes_bytes = sizeof blob};
    cellar_product got;
    cellar_ticket ticket;
    unsigned char out[sizeof blob];
    assert_int_equal(put(shop, &product, CELLAR_VERSION_ANY, &ticket, NULL), CELLAR_OK);
    assert_int_equal(ticket.object, 1);
    assert_int_equal(ticket.remaining, 0);
    assert_false(ticket.repeated);
    assert_true(ticket.lsn % 64 == 0);
    for (int by_id = 0; by_id < 2; by_id++) {
        memset(&got, 0xee, sizeof got);
        assert_int_equal(cellar_product_get(shop->store, by_id ? NULL : "A-1", by_id, &got),
                         CELLAR_OK);
        assert_ptr_equal(got.sku, got.sku_buffer);
        assert_ptr_equal(got.name, got.name_buffer);
        assert_ptr_equal(got.category, got.category_buffer);
        assert_string_equal(got.sku, "A-1");
        assert_string_equal(got.name, product.name);
        assert_string_equal(got.category, "tea");
        assert_int_equal(got.unit_price, -450);
        assert_int_equal(got.status, CELLAR_PRODUCT_HIDDEN);
        assert_int_equal(got.attributes_bytes, sizeof blob);
        assert_int_equal(got.id, 1);
        assert_int_equal(got.version, ticket.lsn);
        assert_int_equal(got.created_ns, ticket.time_ns);
        assert_int_equal(got.updated_ns, ticket.time_ns);
    }
    assert_int_equal(cellar_product_attributes(shop->store, &got, out, sizeof out), CELLAR_OK);
    assert_memory_equal(out, blob, sizeof blob);
}

static void test_put_again_replaces_everything(void **state) {
    struct shop *shop = *state;
    cellar_product first = {.sku = "a",
                            .name = "long name",
                            .category = "c",
                            .unit_price = 5,
                            .attributes = "12345",
                            .attributes_bytes = 5};
    cellar_product second = {.sku = "a"};
    cellar_product got;
    cellar_ticket one;
    cellar_ticket two;
    assert_int_equal(put(shop, &first, CELLAR_VERSION_ABSENT, &one, NULL), CELLAR_OK);
    assert_int_equal(put(shop, &second, one.lsn, &two, NULL), CELLAR_OK);
    assert_int_equal(two.object, one.object);
    assert_true(two.lsn > one.lsn);
    assert_int_equal(cellar_product_get(shop->store, "a", 0, &got), CELLAR_OK);
    assert_string_equal(got.name, "");
    assert_string_equal(got.category, "");
    assert_int_equal(got.unit_price, 0);
    assert_int_equal(got.attributes_bytes, 0);
    assert_int_equal(got.version, two.lsn);
    assert_int_equal(got.created_ns, one.time_ns);
    assert_int_equal(got.updated_ns, two.time_ns);
}

static void test_passed_in_is_copied(void **state) {
    struct shop *shop = *state;
    char sku[] = "copy";
    char name[] = "name";
    char blob[] = "blob";
    cellar_product product = {.sku = sku, .name = name, .attributes = blob, .attributes_bytes = 4};
    cellar_product got;
    assert_int_equal(put(shop, &product, CELLAR_VERSION_ANY, NULL, NULL), CELLAR_OK);
    memset(sku, '#', 4);
    memset(name, '#', 4);
    memset(blob, '#', 4);
    assert_int_equal(cellar_product_get(shop->store, "copy", 0, &got), CELLAR_OK);
    assert_string_equal(got.name, "name");
    assert_int_equal(cellar_product_attributes(shop->store, &got, blob, 4), CELLAR_OK);
    assert_memory_equal(blob, "blob", 4);
}

static void test_ids_from_1_for_byte_exact_skus(void **state) {
    struct shop *shop = *state;
    static const char *const skus[] = {"a1", "A1", "a1 ", " a1", "\xc3\xa4", "a", "a\x01"};
    for (size_t i = 0; i < sizeof skus / sizeof *skus; i++) {
        assert_int_equal(shop_product(shop, skus[i]), i + 1);
    }
    for (size_t i = 0; i < sizeof skus / sizeof *skus; i++) {
        cellar_product got;
        assert_int_equal(cellar_product_get(shop->store, skus[i], 0, &got), CELLAR_OK);
        assert_int_equal(got.id, i + 1);
        assert_string_equal(got.sku, skus[i]);
    }
    shop_receive(shop, "a1", 0, 3);
    assert_int_equal(shop_available(shop, "A1", 0), 0);
}

static void test_limits(void **state) {
    struct shop *shop = *state;
    static char blob[CELLAR_ATTRIBUTES_BYTES_MAX];
    static char out[CELLAR_ATTRIBUTES_BYTES_MAX];
    for (size_t i = 0; i < sizeof blob; i++) {
        blob[i] = (char)(i * 31 + (i >> 8));
    }
    cellar_product product = {.sku = text_of(64),
                              .name = text_of(255),
                              .category = text_of(64),
                              .unit_price = CELLAR_AMOUNT_MAX,
                              .status = CELLAR_PRODUCT_DISCONTINUED,
                              .attributes = blob,
                              .attributes_bytes = sizeof blob};
    cellar_product got;
    assert_int_equal(put(shop, &product, CELLAR_VERSION_ANY, NULL, NULL), CELLAR_OK);
    assert_int_equal(cellar_product_get(shop->store, product.sku, 0, &got), CELLAR_OK);
    assert_string_equal(got.sku, product.sku);
    assert_string_equal(got.name, product.name);
    assert_string_equal(got.category, product.category);
    assert_int_equal(got.unit_price, CELLAR_AMOUNT_MAX);
    assert_int_equal(got.attributes_bytes, sizeof blob);
    assert_int_equal(cellar_product_attributes(shop->store, &got, out, sizeof out), CELLAR_OK);
    assert_memory_equal(out, blob, sizeof blob);
    product.unit_price = -CELLAR_AMOUNT_MAX;
    assert_int_equal(put(shop, &product, got.version, NULL, NULL), CELLAR_OK);
}

static void test_beyond_the_limits(void **state) {
    struct shop *shop = *state;
    const struct {
        const char *member;
        cellar_product product;
    } rows[] = {
        /* member  product */
        {"sku", {.sku = NULL}},
        {"sku", {.sku = ""}},
        {"sku", {.sku = text_of(65)}},
        {"name", {.sku = "x", .name = text_of(256)}},
        {"category", {.sku = "x", .category = text_of(65)}},
        {"unit_price", {.sku = "x", .unit_price = CELLAR_AMOUNT_MAX + 1}},
        {"unit_price", {.sku = "x", .unit_price = -CELLAR_AMOUNT_MAX - 1}},
        {"unit_price", {.sku = "x", .unit_price = INT64_MIN}},
        {"status", {.sku = "x", .status = (cellar_product_status)3}},
        {"status", {.sku = "x", .status = (cellar_product_status)-1}},
        {"attributes", {.sku = "x", .attributes = long_text, .attributes_bytes = 65537}},
        {"attributes", {.sku = "x", .attributes = long_text, .attributes_bytes = UINT32_MAX}},
        {"attributes", {.sku = "x", .attributes = NULL, .attributes_bytes = 1}},
    };
    shop_freeze(shop);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        cellar_ticket ticket;
        cellar_refusal refusal;
        memset(&refusal, 0xee, sizeof refusal);
        cellar_status status = put(shop, &rows[i].product, CELLAR_VERSION_ANY, &ticket, &refusal);
        shop_check_invalid(&refusal, status, CELLAR_NO_LINE, rows[i].member);
        assert_int_equal(put(shop, &rows[i].product, CELLAR_VERSION_ANY, NULL, NULL),
                         CELLAR_INVALID_ARGUMENT);
    }
    cellar_refusal refusal;
    memset(&refusal, 0xee, sizeof refusal);
    cellar_status status = put(shop, NULL, CELLAR_VERSION_ANY, NULL, &refusal);
    shop_check_invalid(&refusal, status, CELLAR_NO_LINE, "product");
    shop_check_frozen(shop, "after puts that are refused");
    assert_int_equal(shop_product(shop, "x"), 1);
}

static void test_expected_versions(void **state) {
    struct shop *shop = *state;
    enum {
        NONE,
        THERE
    };
    const struct {
        int there;
        uint64_t expected; /* 2: the current version, 3: the one before it */
        cellar_status status;
    } rows[] = {
        /* exists  expected  answer */
        {NONE, CELLAR_VERSION_ANY, CELLAR_OK},
        {NONE, CELLAR_VERSION_ABSENT, CELLAR_OK},
        {NONE, 64, CELLAR_VERSION_CHANGED},
        {NONE, UINT64_MAX, CELLAR_VERSION_CHANGED},
        {THERE, CELLAR_VERSION_ANY, CELLAR_OK},
        {THERE, CELLAR_VERSION_ABSENT, CELLAR_ALREADY_EXISTS},
        {THERE, 2, CELLAR_OK},
        {THERE, 3, CELLAR_VERSION_CHANGED},
        {THERE, UINT64_MAX, CELLAR_VERSION_CHANGED},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char sku[SHOP_NAME_BYTES];
        cellar_product product = {.sku = sku, .name = "new"};
        cellar_ticket before = {0};
        cellar_ticket now = {0};
        shop_name(sku, "v%zu", i);
        if (rows[i].there) {
            product.name = "old";
            assert_int_equal(put(shop, &product, CELLAR_VERSION_ABSENT, &before, NULL), CELLAR_OK);
            assert_int_equal(put(shop, &product, before.lsn, &now, NULL), CELLAR_OK);
            product.name = "new";
        }
        uint64_t expected = rows[i].expected == 2   ? now.lsn
                            : rows[i].expected == 3 ? before.lsn
                                                    : rows[i].expected;
        cellar_refusal refusal;
        shop_freeze(shop);
        assert_int_equal(put(shop, &product, expected, NULL, &refusal), rows[i].status);
        if (rows[i].status != CELLAR_OK) {
            assert_int_equal(refusal.status, rows[i].status);
            assert_int_equal(refusal.line, CELLAR_NO_LINE);
            assert_int_equal(refusal.version, now.lsn);
            assert_null(refusal.reason);
            shop_check_frozen(shop, sku);
        }
    }
}

/* Entries of products live for good, so a refusal must not make one. */
static void test_refused_puts_take_no_room(void **unused) {
    struct shop shop;
    (void)unused;
    shop_prepare(&shop);
    shop.config.products_max = 3;
    shop.config.stocks_max = 3;
    shop_open(&shop);
    for (int i = 0; i < 50; i++) {
        char sku[SHOP_NAME_BYTES];
        cellar_product product = {.sku = shop_name(sku, "ghost%d", i)};
        assert_int_equal(put(&shop, &product, 64, NULL, NULL), CELLAR_VERSION_CHANGED);
    }
    assert_int_equal(shop_product(&shop, "a"), 1);
    assert_int_equal(shop_product(&shop, "b"), 2);
    assert_int_equal(shop_product(&shop, "c"), 3);
    cellar_product product = {.sku = "d"};
    cellar_refusal refusal;
    shop_freeze(&shop);
    assert_int_equal(put(&shop, &product, CELLAR_VERSION_ANY, NULL, &refusal), CELLAR_STORE_FULL);
    shop_check_refusal(&refusal, CELLAR_STORE_FULL, CELLAR_NO_LINE, 0, 0);
    shop_check_frozen(&shop, "when the store is full");
    /* What is there goes on. */
    shop_status(&shop, "b", CELLAR_PRODUCT_HIDDEN);
    shop_receive(&shop, "c", 0, 5);
    shop_finish(&shop);
}

/* A SKU that was refused is no product: nothing may be received for it anywhere. */
static void test_a_refused_sku_is_not_found(void **state) {
    struct shop *shop = *state;
    cellar_product product = {.sku = "ghost"};
    cellar_product got;
    shop_freeze(shop);
    assert_int_equal(put(shop, &product, 64, NULL, NULL), CELLAR_VERSION_CHANGED);
    for (uint32_t location = 0; location < 3; location++) {
        cellar_line line = shop_line("ghost", location, 1, 0);
        cellar_stock_change change = {.lines = &line, .line_count = 1};
        cellar_refusal refusal;
        assert_int_equal(cellar_stock_receive(shop->store, NULL, &change, NULL, &refusal),
                         CELLAR_NOT_FOUND);
        shop_check_refusal(&refusal, CELLAR_NOT_FOUND, 0, 0, 0);
    }
    assert_int_equal(cellar_product_get(shop->store, "ghost", 0, &got), CELLAR_NOT_FOUND);
    assert_int_equal(cellar_product_get(shop->store, NULL, 1, &got), CELLAR_NOT_FOUND);
    shop_check_frozen(shop, "after a put that is refused");
}

static void test_get_refuses(void **state) {
    struct shop *shop = *state;
    cellar_product got;
    shop_product(shop, "a");
    assert_int_equal(cellar_product_get(shop->store, "b", 0, &got), CELLAR_NOT_FOUND);
    assert_int_equal(cellar_product_get(shop->store, "", 0, &got), CELLAR_NOT_FOUND);
    assert_int_equal(cellar_product_get(shop->store, text_of(65), 0, &got), CELLAR_NOT_FOUND);
    assert_int_equal(cellar_product_get(shop->store, NULL, 2, &got), CELLAR_NOT_FOUND);
    assert_int_equal(cellar_product_get(shop->store, NULL, UINT64_MAX, &got), CELLAR_NOT_FOUND);
    assert_int_equal(cellar_product_get(shop->store, NULL, (1ull << 32) + 1, &got),
                     CELLAR_NOT_FOUND);
    assert_int_equal(cellar_product_get(shop->store, NULL, 0, &got), CELLAR_INVALID_ARGUMENT);
    assert_int_equal(cellar_product_get(shop->store, "a", 0, NULL), CELLAR_INVALID_ARGUMENT);
    assert_int_equal(cellar_product_get(NULL, "a", 0, &got), CELLAR_INVALID_ARGUMENT);
}

static void test_attributes_refuses(void **state) {
    struct shop *shop = *state;
    char buffer[16] = "untouched";
    cellar_product product = {.sku = "a", .attributes = "0123456789", .attributes_bytes = 10};
    cellar_product got;
    cellar_ticket ticket;
    assert_int_equal(put(shop, &product, CELLAR_VERSION_ANY, &ticket, NULL), CELLAR_OK);
    assert_int_equal(cellar_product_get(shop->store, "a", 0, &got), CELLAR_OK);
    cellar_product by_hand = {.id = got.id, .version = got.version};
    cellar_product other = {.id = 77, .version = got.version};
    const struct {
        const cellar_product *product;
        void *buffer;
        uint32_t capacity;
        cellar_status status;
    } rows[] = {
        /* product  buffer  capacity  answer */
        {&got, buffer, 9, CELLAR_INVALID_ARGUMENT},
        {&got, NULL, 10, CELLAR_INVALID_ARGUMENT},
        {NULL, buffer, 16, CELLAR_INVALID_ARGUMENT},
        {&product, buffer, 16, CELLAR_INVALID_ARGUMENT}, /* its id is 0 */
        {&by_hand, buffer, 9, CELLAR_INVALID_ARGUMENT},  /* it does not tell the size */
        {&by_hand, NULL, 0, CELLAR_INVALID_ARGUMENT},
        {&other, buffer, 16, CELLAR_VERSION_CHANGED},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(cellar_product_attributes(shop->store, rows[i].product, rows[i].buffer,
                                                   rows[i].capacity),
                         rows[i].status);
        assert_string_equal(buffer, "untouched");
    }
    assert_int_equal(cellar_product_attributes(shop->store, &by_hand, buffer, 10), CELLAR_OK);
    assert_memory_equal(buffer, "0123456789", 10);
    assert_int_equal(put(shop, &product, ticket.lsn, NULL, NULL), CELLAR_OK);
    assert_int_equal(cellar_product_attributes(shop->store, &got, buffer, 16),
                     CELLAR_VERSION_CHANGED);
}

static void test_put_many(void **state) {
    struct shop *shop = *state;
    cellar_product products[] = {
        {.sku = "m1"}, {.sku = ""}, {.sku = "m2", .category = "c"}, {.sku = NULL}, {.sku = "m1"}};
    cellar_status statuses[5];
    cellar_ticket tickets[5];
    assert_int_equal(cellar_product_put_many(shop->store, NULL, products, 5, statuses, tickets),
                     CELLAR_INVALID_ARGUMENT);
    const struct {
        cellar_status status;
        uint64_t object;
    } rows[] = {{CELLAR_OK, 1},
                {CELLAR_INVALID_ARGUMENT, 0},
                {CELLAR_OK, 2},
                {CELLAR_INVALID_ARGUMENT, 0},
                {CELLAR_OK, 1}};
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(statuses[i], rows[i].status);
        assert_int_equal(tickets[i].object, rows[i].object);
        assert_int_equal(tickets[i].lsn != 0, rows[i].status == CELLAR_OK);
    }
    cellar_product got;
    assert_int_equal(cellar_product_get(shop->store, "m1", 0, &got), CELLAR_OK);
    assert_int_equal(got.version, tickets[4].lsn);
    /* With durability asked for, the last commit is on disk when it returns. */
    cellar_call durable = {.durability = CELLAR_DURABLE};
    products[1].sku = "m3";
    assert_int_equal(cellar_product_put_many(shop->store, &durable, products, 3, NULL, tickets),
                     CELLAR_OK);
    assert_true(cellar_durable_lsn(shop->store) > tickets[2].lsn);
    assert_int_equal(cellar_product_put_many(shop->store, NULL, products, 2, NULL, NULL),
                     CELLAR_OK);
    assert_int_equal(cellar_product_put_many(shop->store, NULL, NULL, 0, NULL, NULL), CELLAR_OK);
    assert_int_equal(cellar_product_put_many(shop->store, NULL, NULL, 1, NULL, NULL),
                     CELLAR_INVALID_ARGUMENT);
    cellar_call bad = {.durable_wait_ms = -1};
    shop_freeze(shop);
    assert_int_equal(cellar_product_put_many(shop->store, &bad, products, 1, NULL, NULL),
                     CELLAR_INVALID_ARGUMENT);
    shop_check_frozen(shop, "after put_many with a bad call");
}

/* Numbers of attribute blocks are used again, also after an opening: never one that is in use. */
static void test_blocks_stay_apart_over_reopenings(void **state) {
    struct shop *shop = *state;
    char name[3][SHOP_NAME_BYTES] = {""};
    for (int round = 0; round < 4; round++) {
        for (int i = 0; i < 20; i++) {
            const char *const skus[] = {"a", "b", "c"};
            cellar_product product = {.sku = skus[i % 3], .name = name[i % 3]};
            shop_name(name[i % 3], "%d.%d", round, i);
            assert_int_equal(put(shop, &product, CELLAR_VERSION_ANY, NULL, NULL), CELLAR_OK);
        }
        for (int i = 0; i < 3; i++) {
            cellar_product got;
            assert_int_equal(cellar_product_get(shop->store, NULL, (uint64_t)i + 1, &got),
                             CELLAR_OK);
            assert_string_equal(got.name, name[i]);
        }
        shop_reopen(shop);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SHOP_TEST(test_all_that_is_put_comes_out),
        SHOP_TEST_ORACLE(test_all_that_is_put_comes_out),
        SHOP_TEST(test_put_again_replaces_everything),
        SHOP_TEST(test_passed_in_is_copied),
        SHOP_TEST(test_ids_from_1_for_byte_exact_skus),
        SHOP_TEST(test_limits),
        SHOP_TEST(test_beyond_the_limits),
        SHOP_TEST(test_expected_versions),
        SHOP_TEST_ORACLE(test_expected_versions),
        cmocka_unit_test(test_refused_puts_take_no_room),
        SHOP_TEST(test_a_refused_sku_is_not_found),
        SHOP_TEST(test_get_refuses),
        SHOP_TEST(test_attributes_refuses),
        SHOP_TEST(test_put_many),
        SHOP_TEST(test_blocks_stay_apart_over_reopenings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
