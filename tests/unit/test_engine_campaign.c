/* Are campaigns put, versioned, read back and listed as the header says, are wrong ones refused,
 * and do rules apply from the commit on that brings them? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/shop.h"

#include <string.h>

#define MINUTE INT64_C(60000000000)
#define DAY (1440 * MINUTE)

static cellar_campaign everything(uint64_t product) {
    return (cellar_campaign){.id = UINT64_MAX,
                             .name = "Everything",
                             .quota = 10,
                             .customer_limit = 255,
                             .status = CELLAR_CAMPAIGN_PAUSED,
                             .valid_from_ns = 1,
                             .valid_until_ns = 2,
                             .redeem_until_ns = 3,
                             .waitlist_max = 4,
                             .period_ns = MINUTE,
                             .period_offset_ns = -DAY,
                             .period_count = 10000000000,
                             .customer_period_ns = 366 * DAY,
                             .customer_period_offset_ns = DAY,
                             .customer_period_count = 254,
                             .budget = CELLAR_AMOUNT_MAX,
                             .discount = {.kind = CELLAR_DISCOUNT_PERCENT,
                                          .value = 10000,
                                          .cap = 5,
                                          .minimum = 6,
                                          .products = {product},
                                          .product_count = 1,
                                          .categories = {"tea", "A"},
                                          .category_count = 2},
                             .restore_on_cancel = true};
}

static void check_everything(struct shop *shop, uint64_t product, uint64_t version) {
    cellar_campaign campaign = *shop_campaign_get(shop, UINT64_MAX);
    cellar_campaign expected = everything(product);
    assert_string_equal(campaign.name, expected.name);
    assert_int_equal(campaign.quota, expected.quota);
    assert_int_equal(campaign.customer_limit, 255);
    assert_int_equal(campaign.status, expected.status);
    assert_int_equal(campaign.valid_from_ns, 1);
    assert_int_equal(campaign.valid_until_ns, 2);
    assert_int_equal(campaign.redeem_until_ns, 3);
    assert_int_equal(campaign.waitlist_max, 4);
    assert_int_equal(campaign.period_ns, expected.period_ns);
    assert_int_equal(campaign.period_offset_ns, expected.period_offset_ns);
    assert_int_equal(campaign.period_count, expected.period_count);
    assert_int_equal(campaign.customer_period_ns, expected.customer_period_ns);
    assert_int_equal(campaign.customer_period_offset_ns, expected.customer_period_offset_ns);
    assert_int_equal(campaign.customer_period_count, expected.customer_period_count);
    assert_int_equal(campaign.budget, expected.budget);
    assert_true(campaign.restore_on_cancel);
    assert_int_equal(campaign.discount.kind, CELLAR_DISCOUNT_PERCENT);
    assert_int_equal(campaign.discount.value, 10000);
    assert_int_equal(campaign.discount.cap, 5);
    assert_int_equal(campaign.discount.minimum, 6);
    assert_int_equal(campaign.discount.product_count, 1);
    assert_int_equal(campaign.discount.products[0], product);
    assert_int_equal(campaign.discount.category_count, 2);
    assert_string_equal(campaign.discount.categories[0], "tea");
    assert_string_equal(campaign.discount.categories[1], "A");
    assert_int_equal(campaign.version, version);
    assert_int_equal(campaign.admitted, 10);
    assert_int_equal(campaign.claimed, 0);
    assert_int_equal(campaign.spent, 0);
}

static void test_everything(void **state) {
    struct shop *shop = *state;
    uint64_t product = shop_product(shop, "a");
    cellar_campaign campaign = everything(product);
    cellar_ticket ticket;
    assert_int_equal(
        cellar_campaign_put(shop->store, NULL, &campaign, CELLAR_VERSION_ABSENT, &ticket, NULL),
        CELLAR_OK);
    check_everything(shop, product, ticket.lsn);
    shop_reopen(shop);
    check_everything(shop, product, ticket.lsn);
    assert_int_equal(cellar_campaign_get(shop->store, 1, &campaign), CELLAR_NOT_FOUND);
}

static void test_versions(void **state) {
    struct shop *shop = *state;
    cellar_campaign campaign = shop_campaign(1, 10);
    cellar_ticket first;
    cellar_ticket second;
    cellar_refusal refusal;
    assert_int_equal(cellar_campaign_put(shop->store, NULL, &campaign, 64, NULL, &refusal),
                     CELLAR_VERSION_CHANGED);
    assert_int_equal(refusal.version, 0);
    assert_int_equal(cellar_campaign_get(shop->store, 1, &campaign), CELLAR_NOT_FOUND);
    campaign = shop_campaign(1, 10);
    assert_int_equal(cellar_campaign_put(shop->store, NULL, &campaign, 1, &first, NULL), CELLAR_OK);
    assert_int_equal(cellar_campaign_put(shop->store, NULL, &campaign, 1, NULL, &refusal),
                     CELLAR_ALREADY_EXISTS);
    assert_int_equal(refusal.version, first.lsn);
    /* A claim is no change of the rules. */
    shop_claim(shop, 1, 1);
    assert_int_equal(cellar_campaign_put(shop->store, NULL, &campaign, first.lsn, &second, NULL),
                     CELLAR_OK);
    assert_int_equal(cellar_campaign_put(shop->store, NULL, &campaign, first.lsn, NULL, &refusal),
                     CELLAR_VERSION_CHANGED);
    assert_int_equal(refusal.version, second.lsn);
    campaign = *shop_campaign_get(shop, 1);
    assert_int_equal(campaign.version, second.lsn);
    assert_true(campaign.updated_ns > campaign.created_ns);
    assert_int_equal(campaign.claimed, 1);
}

/* What is put wrong, and at the limits right. */
/* With a cap for customers who may have 9. */
#define CUSTOMER_PERIOD(length, offset, count)                                                     \
    {                                                                                              \
        .id = 1, .customer_limit = 9, .customer_period_ns = (length),                              \
        .customer_period_offset_ns = (offset), .customer_period_count = (count)                    \
    }
static const struct {
    const char *member; /* NULL: accepted */
    size_t name_bytes, category_bytes;
    cellar_campaign campaign;
} arguments[] = {
    /* member  name  category  campaign */
    {"id", 0, 0, {.id = 0}},
    {NULL, 255, 0, {.id = 1}},
    {"name", 256, 0, {.id = 1}},
    {"quota", 0, 0, {.id = 1, .quota = -1}},
    {NULL, 0, 0, {.id = 1, .quota = CELLAR_QUOTA_MAX}},
    {"quota", 0, 0, {.id = 1, .quota = CELLAR_QUOTA_MAX + 1}},
    {"customer_limit", 0, 0, {.id = 1, .customer_limit = 256}},
    {"status", 0, 0, {.id = 1, .status = (cellar_campaign_status)3}},
    {"waitlist_max", 0, 0, {.id = 1, .waitlist_max = -1}},
    {NULL, 0, 0, {.id = 1, .waitlist_max = CELLAR_QUOTA_MAX}},
    {"waitlist_max", 0, 0, {.id = 1, .waitlist_max = CELLAR_QUOTA_MAX + 1}},
    {"period_ns", 0, 0, {.id = 1, .period_ns = MINUTE - 1, .period_count = 1}},
    {NULL, 0, 0, {.id = 1, .period_ns = 366 * DAY, .period_count = 1}},
    {"period_ns", 0, 0, {.id = 1, .period_ns = 366 * DAY + 1, .period_count = 1}},
    {"period_ns", 0, 0, {.id = 1, .period_count = 1}},
    {"period_count", 0, 0, {.id = 1, .period_ns = DAY}},
    {"period_count", 0, 0, {.id = 1, .period_ns = DAY, .period_count = 10000000001}},
    {"period_offset_ns", 0, 0, {.id = 1, .period_offset_ns = 1}},
    {"period_offset_ns",
     0,
     0,
     {.id = 1, .period_ns = DAY, .period_count = 1, .period_offset_ns = DAY + 1}},
    {NULL, 0, 0, CUSTOMER_PERIOD(MINUTE, DAY, 8)},
    {"customer_period_ns", 0, 0, CUSTOMER_PERIOD(MINUTE - 1, 0, 1)},
    {NULL, 0, 0, CUSTOMER_PERIOD(366 * DAY, -DAY, 1)},
    {"customer_period_ns", 0, 0, CUSTOMER_PERIOD(366 * DAY + 1, 0, 1)},
    {"customer_period_ns", 0, 0, CUSTOMER_PERIOD(0, 0, 1)},
    {"customer_period_count", 0, 0, CUSTOMER_PERIOD(DAY, 0, 0)},
    {"customer_period_count", 0, 0, CUSTOMER_PERIOD(DAY, 0, 9)},
    {"customer_period_offset_ns", 0, 0, CUSTOMER_PERIOD(DAY, DAY + 1, 1)},
    {"customer_period_offset_ns", 0, 0, CUSTOMER_PERIOD(DAY, -DAY - 1, 1)},
    {"customer_period_offset_ns", 0, 0, CUSTOMER_PERIOD(0, 1, 0)},
    /* One coupon is all he may have. */
    {"customer_period_count",
     0,
     0,
     {.id = 1, .customer_period_ns = DAY, .customer_period_count = 1}},
    {"budget", 0, 0, {.id = 1, .budget = -1}},
    {"budget", 0, 0, {.id = 1, .budget = CELLAR_AMOUNT_MAX + 1}},
    {"discount", 0, 0, {.id = 1, .discount = {.kind = (cellar_discount_kind)3}}},
    {"discount", 0, 0, {.id = 1, .discount = {.value = 1}}},
    {"discount", 0, 0, {.id = 1, .discount = {.kind = CELLAR_DISCOUNT_PERCENT, .value = -1}}},
    {"discount", 0, 0, {.id = 1, .discount = {.kind = CELLAR_DISCOUNT_PERCENT, .value = 10001}}},
    {"discount",
     0,
     0,
     {.id = 1, .discount = {.kind = CELLAR_DISCOUNT_AMOUNT, .value = CELLAR_AMOUNT_MAX + 1}}},
    {"discount", 0, 0, {.id = 1, .discount = {.cap = -1}}},
    {"discount", 0, 0, {.id = 1, .discount = {.minimum = -1}}},
    {"discount", 0, 0, {.id = 1, .discount = {.product_count = 17}}},
    {"discount", 0, 0, {.id = 1, .discount = {.category_count = 17}}},
    {NULL, 0, 64, {.id = 1, .discount = {.category_count = 1}}},
    {"discount", 0, 65, {.id = 1, .discount = {.category_count = 1}}},
    {"discount", 0, 0, {.id = 1, .discount = {.category_count = 1}}},
};

static void test_arguments(void **state) {
    struct shop *shop = *state;
    static char name[257];
    static char category[66];
    for (size_t i = 0; i < sizeof arguments / sizeof *arguments; i++) {
        cellar_campaign campaign = arguments[i].campaign;
        cellar_refusal refusal;
        memset(name, 'n', sizeof name);
        memset(category, 'c', sizeof category);
        name[arguments[i].name_bytes] = '\0';
        category[arguments[i].category_bytes] = '\0';
        campaign.name = name;
        campaign.discount.categories[0] = category;
        cellar_status status = cellar_campaign_put(shop->store, NULL, &campaign, 0, NULL, &refusal);
        if (status != (arguments[i].member == NULL ? CELLAR_OK : CELLAR_INVALID_ARGUMENT)) {
            fail_msg("row %zu: %s", i, cellar_status_name(status));
        }
        if (arguments[i].member != NULL) {
            shop_check_invalid(&refusal, status, CELLAR_NO_LINE, arguments[i].member);
        } else {
            assert_string_equal(shop_campaign_get(shop, 1)->name, name);
        }
    }
    cellar_refusal refusal;
    shop_check_invalid(&refusal, cellar_campaign_put(shop->store, NULL, NULL, 0, NULL, &refusal),
                       CELLAR_NO_LINE, "campaign");
    cellar_campaign campaign = everything(77);
    assert_int_equal(cellar_campaign_put(shop->store, NULL, &campaign, 0, NULL, &refusal),
                     CELLAR_NOT_FOUND);
    assert_int_equal(refusal.line, 0);
    assert_int_equal(cellar_campaign_get(shop->store, UINT64_MAX, &campaign), CELLAR_NOT_FOUND);
}

static void test_list(void **state) {
    struct shop *shop = *state;
    for (uint64_t i = 0; i < 23; i++) {
        cellar_campaign campaign = shop_campaign(1000 - i * 7, (int64_t)i);
        shop_campaign_put(shop, &campaign);
    }
    cellar_campaign again = shop_campaign(1000, 100);
    shop_campaign_put(shop, &again);
    for (int opening = 0; opening < 2; opening++) {
        cellar_campaign_summary page[10];
        size_t count;
        uint64_t before = 0;
        uint64_t next = 22;
        shop_settle(shop);
        do {
            assert_int_equal(cellar_campaign_list(shop->store, before, page, 10, &count),
                             CELLAR_OK);
            for (size_t i = 0; i < count; i++, next--) {
                assert_int_equal(page[i].id, 1000 - next * 7);
                assert_int_equal(page[i].quota, next == 0 ? 100 : (int64_t)next);
                assert_int_equal(page[i].admitted, page[i].quota);
                assert_string_equal(page[i].name, "campaign");
                before = page[i].id;
            }
        } while (count == 10);
        assert_int_equal(next, UINT64_MAX);
        assert_int_equal(cellar_campaign_list(shop->store, 5, page, 10, &count), CELLAR_NOT_FOUND);
        assert_int_equal(cellar_campaign_list(shop->store, 0, page, 0, &count),
                         CELLAR_INVALID_ARGUMENT);
        shop_reopen(shop);
    }
}

/* Rules change many times: blocks and their numbers come back. */
static void test_many_puts(void **state) {
    struct shop *shop = *state;
    for (int64_t i = 0; i < 6000; i++) {
        cellar_campaign campaign = shop_campaign(1 + (uint64_t)i % 3, i);
        shop_campaign_put(shop, &campaign);
    }
    assert_int_equal(shop_campaign_get(shop, 1)->quota, 5997);
    assert_int_equal(shop_campaign_get(shop, 3)->quota, 5999);
}

static void test_limit(void **unused) {
    struct shop shop;
    cellar_problem problem;
    (void)unused;
    shop_prepare(&shop);
    shop.config.campaigns_max = 2;
    shop_open(&shop);
    for (uint64_t id = 1; id <= 2; id++) {
        cellar_campaign campaign = shop_campaign(id, 1);
        shop_campaign_put(&shop, &campaign);
    }
    cellar_campaign third = shop_campaign(3, 1);
    assert_int_equal(cellar_campaign_put(shop.store, NULL, &third, 0, NULL, NULL),
                     CELLAR_STORE_FULL);
    shop_close(&shop);
    shop.config.campaigns_max = 1;
    assert_int_equal(shop_try_open(&shop, &problem), CELLAR_CONFIG_MISMATCH);
    shop.config.campaigns_max = 3;
    shop_open(&shop);
    shop_campaign_put(&shop, &third);
    shop_finish(&shop);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SHOP_TEST(test_everything), SHOP_TEST(test_versions),  SHOP_TEST(test_arguments),
        SHOP_TEST(test_list),       SHOP_TEST(test_many_puts), cmocka_unit_test(test_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
