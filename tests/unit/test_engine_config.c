/* Is a configuration accepted exactly when the header says so, with the defaults it promises, and
 * does a store refuse to open with less room than it needs? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/shop.h"

#include <stdlib.h>
#include <string.h>

#define KIB (UINT64_C(1) << 10)
#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

/* Opens with this config on a fresh disk. */
static cellar_status try_config(const cellar_config *config, cellar_problem *problem) {
    struct shop shop;
    shop_prepare(&shop);
    uint64_t before = memory_disk_fingerprint(shop.disk);
    shop.config = *config;
    shop.store = (cellar *)(void *)&shop;
    memset(problem, 0xee, sizeof *problem);
    cellar_status status = shop_try_open(&shop, problem);
    assert_int_equal(problem->status, status);
    if (status != CELLAR_OK) {
        assert_null(shop.store);
        assert_int_equal(memory_disk_fingerprint(shop.disk), before);
    }
    shop_abandon(&shop);
    return status;
}

static cellar_config small_config(void) {
    return (cellar_config){.size = sizeof(cellar_config),
                           .directory = "/shop",
                           .ring_bytes = 64 * KIB,
                           .segment_bytes = MIB,
                           .products_max = 10,
                           .stocks_max = 10,
                           .accounts_max = 10,
                           .orders_max = 10};
}

enum member {
    DIRECTORY,
    RING,
    SEGMENT,
    PRODUCTS,
    STOCKS,
    ACCOUNTS,
    ORDERS,
    CAMPAIGNS,
    GRANTS,
    CODES,
    LEASES,
    CUSTOMERS,
    REMEMBER,
    DURABILITY
};

static void set(cellar_config *config, enum member member, uint64_t value) {
    switch (member) {
    case DIRECTORY:
        config->directory = value == 0 ? NULL : "";
        break;
    case RING:
        config->ring_bytes = value;
        break;
    case SEGMENT:
        config->segment_bytes = value;
        break;
    case PRODUCTS:
        config->products_max = (uint32_t)value;
        break;
    case STOCKS:
        config->stocks_max = (uint32_t)value;
        break;
    case ACCOUNTS:
        config->accounts_max = (uint32_t)value;
        break;
    case ORDERS:
        config->orders_max = (uint32_t)value;
        break;
    case CAMPAIGNS:
        config->campaigns_max = (uint32_t)value;
        break;
    case GRANTS:
        config->grants_max = (uint32_t)value;
        break;
    case CODES:
        config->codes_max = (uint32_t)value;
        break;
    case LEASES:
        config->leases_max = (uint32_t)value;
        break;
    case CUSTOMERS:
        config->customers_max = (uint32_t)value;
        break;
    case REMEMBER:
        config->remember_closed_ns = (int64_t)value;
        break;
    case DURABILITY:
        config->durability = (cellar_durability)value;
        break;
    }
}

static void test_beyond_the_limits(void **unused) {
    static const struct {
        const char *name;
        enum member member;
        uint64_t value;
    } rows[] = {
        /* begins the problem's text  member  value */
        {"directory", DIRECTORY, 0},
        {"directory", DIRECTORY, 1},
        {"ring_bytes", RING, 1},
        {"ring_bytes", RING, 32 * KIB},
        {"ring_bytes", RING, 64 * KIB - 1},
        {"ring_bytes", RING, 64 * KIB + 1},
        {"ring_bytes", RING, 96 * KIB},
        {"ring_bytes", RING, 8 * GIB},
        {"ring_bytes", RING, UINT64_C(1) << 63},
        {"ring_bytes", RING, UINT64_MAX},
        {"segment_bytes", SEGMENT, 1},
        {"segment_bytes", SEGMENT, MIB - 1},
        {"segment_bytes", SEGMENT, 16 * GIB + 1},
        {"segment_bytes", SEGMENT, UINT64_MAX},
        {"products_max", PRODUCTS, CELLAR_PRODUCTS_MAX + 1},
        {"products_max", PRODUCTS, UINT32_MAX},
        {"stocks_max", STOCKS, CELLAR_STOCKS_MAX + 1},
        {"stocks_max", STOCKS, UINT32_MAX},
        {"stocks_max", STOCKS, 9}, /* every product has a stock */
        {"accounts_max", ACCOUNTS, CELLAR_ACCOUNTS_MAX + 1},
        {"accounts_max", ACCOUNTS, UINT32_MAX},
        {"orders_max", ORDERS, CELLAR_ORDERS_MAX + 1},
        {"orders_max", ORDERS, UINT32_MAX},
        {"campaigns_max", CAMPAIGNS, CELLAR_CAMPAIGNS_MAX + 1},
        {"campaigns_max", CAMPAIGNS, UINT32_MAX},
        {"grants_max", GRANTS, CELLAR_GRANTS_MAX + 1},
        {"grants_max", GRANTS, UINT32_MAX},
        {"codes_max", CODES, CELLAR_CODES_MAX + 1},
        {"codes_max", CODES, UINT32_MAX},
        {"leases_max", LEASES, CELLAR_LEASES_MAX + 1},
        {"leases_max", LEASES, UINT32_MAX},
        {"customers_max", CUSTOMERS, CELLAR_CUSTOMERS_MAX + 1},
        {"customers_max", CUSTOMERS, UINT32_MAX},
        {"remember_closed_ns", REMEMBER, (uint64_t)CELLAR_REMEMBER_NS_MAX + 1},
        {"remember_closed_ns", REMEMBER, UINT64_MAX},
        {"durability", DURABILITY, 3},
        {"durability", DURABILITY, UINT32_MAX},
    };
    (void)unused;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        cellar_config config = small_config();
        cellar_problem problem;
        set(&config, rows[i].member, rows[i].value);
        cellar_status status = try_config(&config, &problem);
        if (status != CELLAR_INVALID_ARGUMENT) {
            fail_msg("row %zu: %s", i, cellar_status_name(status));
        }
        if (strncmp(problem.text, rows[i].name, strlen(rows[i].name)) != 0) {
            fail_msg("row %zu: \"%s\" is not about %s", i, problem.text, rows[i].name);
        }
    }
}

static void test_at_the_limits(void **unused) {
    static const struct {
        enum member member;
        uint64_t value;
    } rows[] = {
        {RING, 64 * KIB},
        {RING, 2 * MIB}, /* a segment is half of it */
        {SEGMENT, MIB},
        {SEGMENT, MIB + 4096},
        {PRODUCTS, 1},
        {STOCKS, 11},
        {ACCOUNTS, 1},
        {ORDERS, 1},
        {ORDERS, CELLAR_ORDERS_MAX},
        {CAMPAIGNS, 1},
        {CAMPAIGNS, CELLAR_CAMPAIGNS_MAX},
        {GRANTS, 1},
        {GRANTS, CELLAR_GRANTS_MAX},
        {CODES, 1},
        {CODES, CELLAR_CODES_MAX},
        {LEASES, 1},
        {CUSTOMERS, 1},
        {CUSTOMERS, CELLAR_CUSTOMERS_MAX},
        {REMEMBER, 0},
        {REMEMBER, 1},
        {REMEMBER, (uint64_t)CELLAR_REMEMBER_NS_MAX},
        {DURABILITY, CELLAR_DURABILITY_DEFAULT},
        {DURABILITY, CELLAR_DURABLE},
        {DURABILITY, CELLAR_RELAXED},
    };
    (void)unused;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        cellar_config config = small_config();
        cellar_problem problem;
        set(&config, rows[i].member, rows[i].value);
        assert_int_equal(try_config(&config, &problem), CELLAR_OK);
        assert_string_equal(problem.text, "");
    }
    cellar_config config = small_config();
    cellar_problem problem;
    config.ring_bytes = 4 * MIB;
    assert_int_equal(try_config(&config, &problem), CELLAR_INVALID_ARGUMENT);
    assert_int_equal(strncmp(problem.text, "segment_bytes", 13), 0);
}

/* The largest of all kinds at once: address space only. */
static void test_largest_limits(void **unused) {
    cellar_config config = small_config();
    cellar_problem problem;
    (void)unused;
    config.products_max = CELLAR_PRODUCTS_MAX;
    config.stocks_max = CELLAR_STOCKS_MAX;
    config.customers_max = CELLAR_CUSTOMERS_MAX;
    config.accounts_max = CELLAR_ACCOUNTS_MAX;
    config.orders_max = CELLAR_ORDERS_MAX;
    config.campaigns_max = CELLAR_CAMPAIGNS_MAX;
    config.grants_max = CELLAR_GRANTS_MAX;
    config.codes_max = CELLAR_CODES_MAX;
    config.leases_max = CELLAR_LEASES_MAX;
    cellar_status status = try_config(&config, &problem);
    if (status != CELLAR_OK) {
        fail_msg("%s: %s", cellar_status_name(status), problem.text);
    }
}

static void test_defaults(void **unused) {
    struct shop shop;
    (void)unused;
    shop_prepare(&shop);
    shop.config = (cellar_config){.size = sizeof(cellar_config), .directory = "/shop"};
    shop_open(&shop);
    const cellar_config *used = &shop.store->config;
    assert_int_equal(used->ring_bytes, 32 * MIB);
    assert_int_equal(used->segment_bytes, 64 * MIB);
    assert_int_equal(used->products_max, 1048576);
    assert_int_equal(used->stocks_max, 2097152);
    assert_int_equal(used->accounts_max, 16777216);
    assert_int_equal(used->orders_max, 16777216);
    assert_int_equal(used->campaigns_max, 65536);
    assert_int_equal(used->grants_max, 16777216);
    assert_int_equal(used->codes_max, 1048576);
    assert_int_equal(used->leases_max, 65536);
    assert_int_equal(used->durability, CELLAR_DURABLE);
    /* Durable by default: the commit is on disk when the call returns. */
    cellar_product product = {.sku = "a"};
    cellar_ticket ticket;
    assert_int_equal(cellar_product_put(shop.store, NULL, &product, 0, &ticket, NULL), CELLAR_OK);
    assert_true(cellar_durable_lsn(shop.store) > ticket.lsn);
    /* And the clock is the system's. */
    assert_true(ticket.time_ns > INT64_C(1600000000) * 1000000000);
    shop_abandon(&shop);
}

/* What a ring larger than the default segment needs is chosen with it. */
static void test_default_segment_of_a_large_ring(void **unused) {
    struct shop shop;
    (void)unused;
    shop_prepare(&shop);
    shop.config = small_config();
    shop.config.ring_bytes = 256 * MIB;
    shop.config.segment_bytes = 0;
    shop_open(&shop);
    assert_int_equal(shop.store->config.segment_bytes, 128 * MIB);
    shop_abandon(&shop);
}

static void test_size(void **unused) {
    struct newer {
        cellar_config config;
        uint64_t unknown[4];
    } newer;
    cellar_problem problem;
    cellar *store = (cellar *)(void *)&newer;
    struct shop shop;
    (void)unused;
    shop_prepare(&shop);
    static const struct {
        size_t size;
        uint64_t tail;
        cellar_status status;
    } rows[] = {
        /* size  last word  answer */
        {0, 0, CELLAR_INVALID_ARGUMENT},
        {sizeof(size_t), 0, CELLAR_INVALID_ARGUMENT},
        {sizeof(cellar_config), 1, CELLAR_OK}, /* what lies behind is not the config's */
        {sizeof(struct newer), 0, CELLAR_OK},
        {sizeof(struct newer), 1, CELLAR_INVALID_ARGUMENT},
        {sizeof(struct newer) - 8, 1, CELLAR_OK},
        {sizeof(cellar_config) + 25, 1, CELLAR_INVALID_ARGUMENT},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        memset(&newer, 0, sizeof newer);
        newer.config = shop.config;
        newer.config.size = rows[i].size;
        newer.unknown[3] = rows[i].tail;
        store = (cellar *)(void *)&newer;
        assert_int_equal(engine_open(&newer.config, &shop.options, &store, &problem),
                         rows[i].status);
        assert_int_equal(problem.status, rows[i].status);
        if (rows[i].status == CELLAR_OK) {
            assert_int_equal(cellar_close(store), CELLAR_OK);
        } else {
            assert_null(store);
            assert_true(strlen(problem.text) > 0);
        }
    }
    assert_int_equal(engine_open(NULL, &shop.options, &store, &problem), CELLAR_INVALID_ARGUMENT);
    assert_int_equal(engine_open(&shop.config, &shop.options, NULL, &problem),
                     CELLAR_INVALID_ARGUMENT);
    assert_int_equal(engine_open(&shop.config, &shop.options, &store, NULL), CELLAR_OK);
    assert_int_equal(cellar_close(store), CELLAR_OK);
    shop_abandon(&shop);
}

/* A program compiled against an older, shorter header. */
static void test_older_config(void **unused) {
    struct shop shop;
    cellar *store;
    (void)unused;
    shop_prepare(&shop);
    shop.config.size = offsetof(cellar_config, clock);
    cellar_config *older = calloc(1, shop.config.size);
    memcpy(older, &shop.config, shop.config.size);
    assert_int_equal(engine_open(older, &shop.options, &store, NULL), CELLAR_OK);
    assert_int_equal(store->config.products_max, shop.config.products_max);
    assert_int_equal(cellar_close(store), CELLAR_OK);
    free(older);
    shop_abandon(&shop);
}

/* A store of 3 products, 5 stocks, 2 accounts and 4 documents opens with that and no less. */
static void test_smaller_limits(void **unused) {
    static const struct {
        uint32_t products, stocks, accounts, orders;
        cellar_status status;
    } rows[] = {
        /* products  stocks  accounts  orders  answer */
        {3, 5, 2, 4, CELLAR_OK},
        {2, 5, 2, 4, CELLAR_CONFIG_MISMATCH},
        {3, 4, 2, 4, CELLAR_CONFIG_MISMATCH},
        {3, 5, 1, 4, CELLAR_CONFIG_MISMATCH},
        {3, 5, 2, 3, CELLAR_CONFIG_MISMATCH},
        {3, 5, 2, 1, CELLAR_CONFIG_MISMATCH},
        {4, 6, 3, 5, CELLAR_OK},
    };
    struct shop shop;
    (void)unused;
    shop_prepare(&shop);
    shop_open(&shop);
    shop_goods(&shop, "a", 10);
    shop_goods(&shop, "b", 10);
    shop_goods(&shop, "c", 10);
    shop_receive(&shop, "a", 1, 5);
    shop_receive(&shop, "c", 2, 5);
    shop_account(&shop, 1, 0, 10);
    shop_account(&shop, 2, -5, 10);
    for (uint64_t id = 1; id <= 4; id++) {
        shop_order(&shop, id, "a", 1, CELLAR_ORDER_PLACED);
    }
    shop_freeze(&shop);
    shop_close(&shop);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint64_t before = memory_disk_fingerprint(shop.disk);
        cellar_problem problem;
        shop.config.products_max = rows[i].products;
        shop.config.stocks_max = rows[i].stocks;
        shop.config.accounts_max = rows[i].accounts;
        shop.config.orders_max = rows[i].orders;
        assert_int_equal(shop_try_open(&shop, &problem), rows[i].status);
        if (rows[i].status == CELLAR_OK) {
            shop_check_frozen(&shop, "with other limits");
            shop_close(&shop);
        } else {
            assert_null(shop.store);
            assert_int_equal(problem.status, CELLAR_CONFIG_MISMATCH);
            assert_true(strlen(problem.text) > 0);
            assert_int_equal(memory_disk_fingerprint(shop.disk), before);
        }
    }
    shop_open(&shop);
    shop_finish(&shop);
}

/* Ring and segments may change from opening to opening. */
static void test_other_ring_and_segment(void **unused) {
    static const struct {
        uint64_t ring, segment;
    } rows[] = {{64 * KIB, MIB}, {4 * MIB, 2 * MIB}, {64 * KIB, 4 * MIB}, {128 * KIB, MIB}};
    struct shop shop;
    (void)unused;
    shop_prepare(&shop);
    shop_open(&shop);
    shop_goods(&shop, "a", 10);
    shop_order(&shop, 1, "a", 1, CELLAR_ORDER_FULFILLED);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        shop_freeze(&shop);
        shop_close(&shop);
        shop.config.ring_bytes = rows[i].ring;
        shop.config.segment_bytes = rows[i].segment;
        shop_open(&shop);
        shop_check_frozen(&shop, "with another ring");
        shop_order(&shop, 2 + i, "a", 1, CELLAR_ORDER_FULFILLED);
    }
    shop_finish(&shop);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_beyond_the_limits),
        cmocka_unit_test(test_at_the_limits),
        cmocka_unit_test(test_largest_limits),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_default_segment_of_a_large_ring),
        cmocka_unit_test(test_size),
        cmocka_unit_test(test_older_config),
        cmocka_unit_test(test_smaller_limits),
        cmocka_unit_test(test_other_ring_and_segment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
