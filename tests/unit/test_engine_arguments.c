/* Are reads with missing or senseless arguments refused, and is a time that the clock cannot have
 * reached not believed? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/shop.h"

#include <string.h>

#define BEYOND (CELLAR_PAGE_MAX + 1)
#define DAY_NS INT64_C(86400000000000)

static char long_text[1000];

/* Each row is one call with one wrong argument. */
static void test_reads(void **state) {
    struct shop *shop = *state;
    cellar *store = shop->store;
    cellar_campaign campaign;
    cellar_campaign_summary summary;
    cellar_coupon coupon;
    cellar_code code;
    cellar_entry entry;
    cellar_movement movement;
    size_t count;
    const cellar_coupon_query by_campaign = {.campaign = 1};
    const cellar_coupon_query by_both = {.campaign = 1, .customer = 1};
    const cellar_coupon_query by_none = {.campaign = 0};
    const cellar_line long_line = {.sku = long_text};
    const cellar_line empty_line = {.sku = ""};
    const cellar_line nameless = {.sku = NULL};
    memset(long_text, 'x', sizeof long_text - 1);
    const cellar_status statuses[] = {
        cellar_campaign_get(store, 1, NULL),
        cellar_campaign_get(store, 0, &campaign),
        cellar_campaign_list(store, 0, NULL, 1, &count),
        cellar_campaign_list(store, 0, &summary, 1, NULL),
        cellar_campaign_list(store, 0, &summary, 0, &count),
        cellar_campaign_list(store, 0, &summary, BEYOND, &count),
        cellar_coupon_get(store, 1, 1, 0, NULL),
        cellar_coupon_get(store, 0, 1, 0, &coupon),
        cellar_coupon_get(store, 1, 0, 0, &coupon),
        cellar_coupon_list(store, NULL, &coupon, 1, &count),
        cellar_coupon_list(store, &by_campaign, NULL, 1, &count),
        cellar_coupon_list(store, &by_campaign, &coupon, 1, NULL),
        cellar_coupon_list(store, &by_campaign, &coupon, 0, &count),
        cellar_coupon_list(store, &by_campaign, &coupon, BEYOND, &count),
        cellar_coupon_list(store, &by_both, &coupon, 1, &count),
        cellar_coupon_list(store, &by_none, &coupon, 1, &count),
        cellar_code_get(store, "code 0", NULL),
        cellar_code_get(store, NULL, &code),
        cellar_code_get(store, "", &code),
        cellar_code_get(store, long_text, &code),
        cellar_code_add_many(store, NULL, 1, NULL, 1, 1, NULL),
        cellar_coupon_redeem(store, NULL, NULL, NULL, NULL, NULL),
        cellar_coupon_restore(store, NULL, NULL, 0, NULL, NULL),
        cellar_account_journal(store, 0, 0, &entry, 1, &count),
        cellar_account_journal(store, 1, 0, NULL, 1, &count),
        cellar_account_journal(store, 1, 0, &entry, 1, NULL),
        cellar_account_journal(store, 1, 0, &entry, 0, &count),
        cellar_account_journal(store, 1, 0, &entry, BEYOND, &count),
        cellar_stock_history(store, NULL, 0, &movement, 1, &count),
        cellar_stock_history(store, &nameless, 0, &movement, 1, &count),
        cellar_stock_history(store, &empty_line, 0, &movement, 1, &count),
        cellar_stock_history(store, &long_line, 0, &movement, 1, &count),
        cellar_bulk(store, NULL, NULL, 1, NULL, NULL, NULL),
    };
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
        if (statuses[i] != CELLAR_INVALID_ARGUMENT) {
            fail_msg("row %zu: %s", i, cellar_status_name(statuses[i]));
        }
    }
    /* Nothing to be done is done. */
    assert_int_equal(cellar_code_add_many(store, NULL, 1, NULL, 0, 1, NULL), CELLAR_OK);
    assert_int_equal(cellar_bulk(store, NULL, NULL, 0, NULL, NULL, NULL), CELLAR_OK);
    /* One page may be as long as is allowed. */
    static cellar_coupon page[CELLAR_PAGE_MAX];
    shop_goods(shop, "a", 1);
    assert_int_equal(cellar_coupon_list(store, &(cellar_coupon_query){.customer = 1}, page,
                                        CELLAR_PAGE_MAX, &count),
                     CELLAR_OK);
    assert_int_equal(count, 0);
}

static void test_components(void **state) {
    struct shop *shop = *state;
    cellar *store = shop->store;
    const cellar_component parts[] = {{.sku = "a", .quantity = 1}, {.sku = "b", .quantity = 2}};
    const cellar_component long_part = {.sku = long_text, .quantity = 1};
    cellar_product kit = {.sku = "kit", .component_count = 2};
    cellar_product got;
    cellar_component out[2];
    shop_goods(shop, "a", 1);
    shop_goods(shop, "b", 1);
    memset(long_text, 'x', sizeof long_text - 1);
    assert_int_equal(cellar_product_put(store, NULL, &kit, 0, NULL, NULL), CELLAR_INVALID_ARGUMENT);
    kit.component_count = 1;
    kit.components = &long_part;
    assert_int_equal(cellar_product_put(store, NULL, &kit, 0, NULL, NULL), CELLAR_INVALID_ARGUMENT);
    kit.component_count = 2;
    kit.components = parts;
    assert_int_equal(cellar_product_put(store, NULL, &kit, 0, NULL, NULL), CELLAR_OK);
    assert_int_equal(cellar_product_get(store, "kit", 0, &got), CELLAR_OK);
    assert_int_equal(cellar_product_components(store, NULL, out, 2), CELLAR_INVALID_ARGUMENT);
    assert_int_equal(cellar_product_components(store, &got, NULL, 2), CELLAR_INVALID_ARGUMENT);
    assert_int_equal(cellar_product_components(store, &got, out, 1), CELLAR_INVALID_ARGUMENT);
    cellar_product wrong = got;
    wrong.id = 0;
    assert_int_equal(cellar_product_components(store, &wrong, out, 2), CELLAR_INVALID_ARGUMENT);
    wrong.id = 4000;
    assert_int_equal(cellar_product_components(store, &wrong, out, 2), CELLAR_VERSION_CHANGED);
    wrong = got;
    wrong.component_count = 1;
    assert_int_equal(cellar_product_components(store, &wrong, out, 1), CELLAR_INVALID_ARGUMENT);
    wrong.version--;
    assert_int_equal(cellar_product_components(store, &wrong, out, 1), CELLAR_VERSION_CHANGED);
    assert_int_equal(cellar_product_components(store, &got, out, 2), CELLAR_OK);
    assert_int_equal(out[1].quantity, 2);
}

/* A clock that is further ahead than real time explains: changes are refused until it is back, and
 * at the limit they are not. */
static void test_a_jump_of_the_clock(void **state) {
    struct shop *shop = *state;
    cellar_refusal refusal;
    const cellar_line line = shop_line("a", 0, 1, 0);
    const cellar_stock_change change = {.lines = &line, .line_count = 1};
    shop_goods(shop, "a", 10);
    ATOMIC_STORE(&shop->tick_ns, 0, relaxed);
    int64_t believed = ATOMIC_LOAD(&shop->now_ns, relaxed);
    shop_freeze(shop);
    ATOMIC_STORE(&shop->now_ns, believed + 400 * DAY_NS, relaxed);
    assert_int_equal(cellar_stock_receive(shop->store, NULL, &change, NULL, &refusal),
                     CELLAR_CLOCK_JUMPED);
    shop_check_refusal(&refusal, CELLAR_CLOCK_JUMPED, CELLAR_NO_LINE, 0, 0);
    assert_int_equal(cellar_stock_receive(shop->store, NULL, &change, NULL, NULL),
                     CELLAR_CLOCK_JUMPED);
    shop_check_frozen(shop, "while the clock is not believed");
    /* By what is allowed: it is believed, and what comes then is measured from there. */
    ATOMIC_STORE(&shop->now_ns, believed + DAY_NS, relaxed);
    assert_int_equal(cellar_stock_receive(shop->store, NULL, &change, NULL, NULL), CELLAR_OK);
    ATOMIC_STORE(&shop->now_ns, believed + 2 * DAY_NS, relaxed);
    assert_int_equal(cellar_stock_receive(shop->store, NULL, &change, NULL, NULL), CELLAR_OK);
    assert_int_equal(shop_available(shop, "a", 0), 12);
}

static void test_a_jump_that_may_not_be(void **unused) {
    struct shop shop;
    cellar_problem problem;
    (void)unused;
    shop_prepare(&shop);
    shop.config.clock_jump_max_ns = -1;
    assert_int_equal(shop_try_open(&shop, &problem), CELLAR_INVALID_ARGUMENT);
    assert_non_null(strstr(problem.text, "clock_jump_max_ns"));
    shop_abandon(&shop);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SHOP_TEST(test_reads),
        SHOP_TEST(test_components),
        SHOP_TEST(test_a_jump_of_the_clock),
        cmocka_unit_test(test_a_jump_that_may_not_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
