/* Are coupons and codes redeemed once for each place or use, within rules and budget, with the
 * discount the rules say, and undone exactly? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/shop.h"

#include <string.h>

#define NOW (SHOP_NOW + INT64_C(1000000000))

/* Products a (tea), b, c; campaign 1: 10 % on tea and b, at least 1000, at most 500, of a budget of
 * 1200. */
static cellar_campaign fill(struct shop *shop) {
    static const char *const skus[] = {"a", "b", "c"};
    for (size_t i = 0; i < 3; i++) {
        const cellar_product product = {.sku = skus[i], .category = i == 0 ? "tea" : "misc"};
        assert_int_equal(cellar_product_put(shop->store, NULL, &product, 0, NULL, NULL), CELLAR_OK);
    }
    cellar_campaign campaign = shop_campaign(1, 3);
    campaign.budget = 1200;
    campaign.restore_on_cancel = true;
    campaign.waitlist_max = 5;
    campaign.discount = (cellar_discount){.kind = CELLAR_DISCOUNT_PERCENT,
                                          .value = 1000,
                                          .cap = 500,
                                          .minimum = 1000,
                                          .products = {2},
                                          .product_count = 1,
                                          .categories = {"tea"},
                                          .category_count = 1};
    shop_campaign_put(shop, &campaign);
    for (uint64_t customer = 1; customer <= 4; customer++) {
        shop_claim(shop, 1, customer);
    }
    return campaign;
}

static cellar_status redeem(struct shop *shop, uint64_t customer, int64_t price,
                            cellar_ticket *ticket, cellar_refusal *refusal) {
    const cellar_line line = shop_line("a", 0, 1, price);
    const cellar_redemption redemption = {
        .campaign = 1, .customer = customer, .lines = &line, .line_count = 1};
    return cellar_coupon_redeem(shop->store, NULL, &redemption, NULL, ticket, refusal);
}

static cellar_status restore(struct shop *shop, uint64_t customer, cellar_ticket *ticket) {
    const cellar_redemption redemption = {.campaign = 1, .customer = customer};
    return cellar_coupon_restore(shop->store, NULL, &redemption, 0, ticket, NULL);
}

static void test_redeem(void **state) {
    struct shop *shop = *state;
    cellar_ticket ticket;
    cellar_refusal refusal;
    int64_t shares[3];
    fill(shop);
    const cellar_line lines[] = {shop_line("c", 0, 1, 9000), shop_line("a", 0, 2, 1003),
                                 shop_line("b", 0, 3, 668)};
    const cellar_redemption redemption = {.campaign = 1,
                                          .customer = 2,
                                          .ordinal = CELLAR_ANY_ORDINAL,
                                          .lines = lines,
                                          .line_count = 3};
    assert_int_equal(
        cellar_coupon_redeem(shop->store, NULL, &redemption, shares, &ticket, &refusal), CELLAR_OK);
    /* 10 % of 4010. */
    assert_int_equal(ticket.remaining, 401);
    assert_int_equal(shares[0], 0);
    assert_int_equal(shares[1], 201);
    assert_int_equal(shares[2], 200);
    assert_int_equal(redeem(shop, 2, 1000, NULL, &refusal), CELLAR_ALREADY_REDEEMED);
    assert_int_equal(redeem(shop, 4, 1000, NULL, &refusal), CELLAR_NOT_GRANTED);
    assert_int_equal(refusal.rank, 4);
    assert_int_equal(redeem(shop, 5, 1000, NULL, &refusal), CELLAR_NOT_FOUND);
    assert_int_equal(redeem(shop, 1, 999, NULL, &refusal), CELLAR_NOT_ELIGIBLE);
    shop_check_refusal(&refusal, CELLAR_NOT_ELIGIBLE, CELLAR_NO_LINE, 999, 1000);
    assert_int_equal(redeem(shop, 1, 9000, &ticket, &refusal), CELLAR_OK);
    assert_int_equal(ticket.remaining, 500);
    assert_int_equal(redeem(shop, 3, 2999, NULL, &refusal), CELLAR_OK);
    assert_int_equal(shop_campaign_get(shop, 1)->spent, 1200);
    assert_int_equal(restore(shop, 1, &ticket), CELLAR_OK);
    assert_int_equal(ticket.remaining, 500);
    assert_int_equal(shop_campaign_get(shop, 1)->spent, 700);
    assert_int_equal(restore(shop, 1, NULL), CELLAR_NOT_REDEEMED);
    shop_settle(shop);
    assert_int_equal(shop_coupon(shop, 1, 1, 0).state, CELLAR_COUPON_GRANTED);
    assert_int_equal(shop_coupon(shop, 1, 2, 0).discount, 401);
    shop_reopen(shop);
    assert_int_equal(restore(shop, 2, &ticket), CELLAR_OK);
    assert_int_equal(ticket.remaining, 401);
    assert_int_equal(shop_audit(shop).totals.discounts, 299);
    assert_int_equal(shop_audit(shop).totals.coupons_redeemed, 1);
}

static void test_budget(void **state) {
    struct shop *shop = *state;
    cellar_refusal refusal;
    cellar_campaign campaign = fill(shop);
    assert_int_equal(redeem(shop, 1, 5000, NULL, NULL), CELLAR_OK);
    assert_int_equal(redeem(shop, 2, 5000, NULL, NULL), CELLAR_OK);
    assert_int_equal(redeem(shop, 3, 2010, NULL, &refusal), CELLAR_BUDGET_SPENT);
    shop_check_refusal(&refusal, CELLAR_BUDGET_SPENT, CELLAR_NO_LINE, 200, 201);
    campaign.budget = 999;
    assert_int_equal(cellar_campaign_put(shop->store, NULL, &campaign, 0, NULL, &refusal),
                     CELLAR_BELOW_CLAIMED);
    shop_check_refusal(&refusal, CELLAR_BELOW_CLAIMED, CELLAR_NO_LINE, 1000, 999);
    /* None, and back: what was spent stays known. */
    campaign.budget = 0;
    shop_campaign_put(shop, &campaign);
    assert_int_equal(redeem(shop, 3, 5000, NULL, NULL), CELLAR_OK);
    assert_int_equal(shop_campaign_get(shop, 1)->spent, 1500);
    campaign.budget = 1500;
    shop_campaign_put(shop, &campaign);
    assert_int_equal(restore(shop, 3, NULL), CELLAR_OK);
    assert_int_equal(shop_campaign_get(shop, 1)->spent, 1000);
}

static void test_rules(void **state) {
    struct shop *shop = *state;
    cellar_campaign campaign = fill(shop);
    static const struct {
        cellar_campaign_status status;
        int64_t redeem_until_ns;
        bool restores;
        cellar_status redeemed, restored;
    } rows[] = {
        /* status  redeem until  restores  redeem  restore */
        {CELLAR_CAMPAIGN_OPEN, 0, true, CELLAR_OK, CELLAR_OK},
        {CELLAR_CAMPAIGN_PAUSED, 0, true, CELLAR_OK, CELLAR_OK},
        {CELLAR_CAMPAIGN_CLOSED, 0, true, CELLAR_ENDED, CELLAR_NOT_REDEEMED},
        {CELLAR_CAMPAIGN_OPEN, NOW, true, CELLAR_EXPIRED, CELLAR_NOT_REDEEMED},
        {CELLAR_CAMPAIGN_OPEN, NOW + 1, true, CELLAR_OK, CELLAR_OK},
        {CELLAR_CAMPAIGN_OPEN, 0, false, CELLAR_OK, CELLAR_NOT_RESTORABLE},
    };
    ATOMIC_STORE(&shop->tick_ns, 0, relaxed);
    ATOMIC_STORE(&shop->now_ns, NOW, relaxed);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        campaign.status = rows[i].status;
        campaign.redeem_until_ns = rows[i].redeem_until_ns;
        campaign.restore_on_cancel = rows[i].restores;
        shop_campaign_put(shop, &campaign);
        cellar_status status = redeem(shop, 1, 1000, NULL, NULL);
        if (status != rows[i].redeemed) {
            fail_msg("row %zu: %s", i, cellar_status_name(status));
        }
        assert_int_equal(restore(shop, 1, NULL), rows[i].restored);
    }
}

/* The same request again is answered by the first ticket. */
static void test_ids(void **state) {
    struct shop *shop = *state;
    cellar_ticket first;
    cellar_ticket back;
    fill(shop);
    const cellar_line line = shop_line("a", 0, 1, 2000);
    cellar_redemption redemption = {
        .id = shop_id(1), .campaign = 1, .customer = 1, .lines = &line, .line_count = 1};
    assert_int_equal(cellar_coupon_redeem(shop->store, NULL, &redemption, NULL, &first, NULL),
                     CELLAR_OK);
    cellar_redemption undo = {.id = shop_id(2), .campaign = 1, .customer = 1};
    assert_int_equal(cellar_coupon_restore(shop->store, NULL, &undo, 0, &back, NULL), CELLAR_OK);
    for (int opening = 0; opening < 2; opening++) {
        cellar_ticket again;
        assert_int_equal(cellar_coupon_redeem(shop->store, NULL, &redemption, NULL, &again, NULL),
                         CELLAR_OK);
        assert_true(again.repeated);
        assert_int_equal(again.lsn, first.lsn);
        assert_int_equal(again.remaining, 200);
        assert_int_equal(cellar_coupon_restore(shop->store, NULL, &undo, 0, &again, NULL),
                         CELLAR_OK);
        assert_true(again.repeated);
        assert_int_equal(again.lsn, back.lsn);
        assert_int_equal(again.remaining, 200);
        redemption.customer = 2;
        assert_int_equal(cellar_coupon_redeem(shop->store, NULL, &redemption, NULL, NULL, NULL),
                         CELLAR_ID_REUSED);
        redemption.customer = 1;
        assert_int_equal(shop_campaign_get(shop, 1)->spent, 0);
        shop_reopen(shop);
    }
}

static void test_codes(void **state) {
    struct shop *shop = *state;
    static const char *const many[] = {"code 2", "code 3", "code 1", "", "code 4"};
    cellar_status statuses[5];
    cellar_ticket ticket;
    cellar_code code;
    cellar_campaign campaign = fill(shop);
    assert_int_equal(cellar_code_add(shop->store, NULL, 1, "code 1", 2, NULL, NULL), CELLAR_OK);
    assert_int_equal(cellar_code_add(shop->store, NULL, 1, "code 1", 2, &ticket, NULL), CELLAR_OK);
    assert_true(ticket.repeated);
    assert_int_equal(cellar_code_add(shop->store, NULL, 1, "code 1", 3, NULL, NULL),
                     CELLAR_ALREADY_EXISTS);
    assert_int_equal(cellar_code_add(shop->store, NULL, 9, "code 5", 3, NULL, NULL),
                     CELLAR_NOT_FOUND);
    assert_int_equal(cellar_code_add_many(shop->store, NULL, 1, many, 5, 1, statuses),
                     CELLAR_ALREADY_EXISTS);
    assert_int_equal(statuses[0], CELLAR_OK);
    assert_int_equal(statuses[2], CELLAR_ALREADY_EXISTS);
    assert_int_equal(statuses[3], CELLAR_INVALID_ARGUMENT);
    assert_int_equal(statuses[4], CELLAR_OK);
    const cellar_line line = shop_line("a", 0, 1, 2000);
    cellar_redemption redemption = {.code = "code 1", .lines = &line, .line_count = 1};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(cellar_coupon_redeem(shop->store, NULL, &redemption, NULL, &ticket, NULL),
                         CELLAR_OK);
        assert_int_equal(ticket.remaining, 200);
    }
    assert_int_equal(cellar_coupon_redeem(shop->store, NULL, &redemption, NULL, NULL, NULL),
                     CELLAR_SOLD_OUT);
    shop_reopen(shop);
    assert_int_equal(cellar_code_get(shop->store, "code 1", &code), CELLAR_OK);
    assert_int_equal(code.uses, 2);
    assert_int_equal(code.left, 0);
    assert_int_equal(code.campaign, 1);
    cellar_refusal refusal;
    shop_check_invalid(&refusal,
                       cellar_coupon_restore(shop->store, NULL, &redemption, 401, NULL, &refusal),
                       CELLAR_NO_LINE, "discount");
    assert_int_equal(cellar_coupon_restore(shop->store, NULL, &redemption, 200, NULL, NULL),
                     CELLAR_OK);
    assert_int_equal(cellar_coupon_restore(shop->store, NULL, &redemption, 200, NULL, NULL),
                     CELLAR_OK);
    assert_int_equal(cellar_coupon_restore(shop->store, NULL, &redemption, 0, NULL, NULL),
                     CELLAR_NOT_REDEEMED);
    assert_int_equal(shop_campaign_get(shop, 1)->spent, 0);
    redemption.code = "CODE 1";
    assert_int_equal(cellar_coupon_redeem(shop->store, NULL, &redemption, NULL, NULL, NULL),
                     CELLAR_NOT_FOUND);
    campaign.status = CELLAR_CAMPAIGN_PAUSED;
    shop_campaign_put(shop, &campaign);
    redemption.code = "code 2";
    assert_int_equal(cellar_coupon_redeem(shop->store, NULL, &redemption, NULL, NULL, NULL),
                     CELLAR_PAUSED);
    assert_int_equal(cellar_code_get(shop->store, "none", &code), CELLAR_NOT_FOUND);
}

static void test_arguments(void **state) {
    struct shop *shop = *state;
    static char code[66];
    memset(code, 'x', 65);
    const cellar_line good = shop_line("a", 0, 1, 1);
    const cellar_line huge = shop_line("a", 0, 2, CELLAR_AMOUNT_MAX);
    const struct {
        const char *member;
        cellar_redemption redemption;
        cellar_status status;
    } rows[] = {
        /* member  redemption  answer */
        {"campaign", {.customer = 1}, CELLAR_INVALID_ARGUMENT},
        {"customer", {.campaign = 1}, CELLAR_INVALID_ARGUMENT},
        {"ordinal", {.campaign = 1, .customer = 1, .ordinal = 255}, CELLAR_INVALID_ARGUMENT},
        {"code", {.code = ""}, CELLAR_INVALID_ARGUMENT},
        {"code", {.code = code}, CELLAR_INVALID_ARGUMENT},
        {"code", {.code = "x", .campaign = 1}, CELLAR_INVALID_ARGUMENT},
        {"code", {.code = "x", .ordinal = 1}, CELLAR_INVALID_ARGUMENT},
        {NULL, {.code = "x", .lines = &huge, .line_count = 1}, CELLAR_OVERFLOW},
        {NULL, {.code = "x", .lines = &good, .line_count = 1}, CELLAR_NOT_FOUND},
        {NULL, {.code = "x"}, CELLAR_NOT_FOUND},
        {NULL, {.campaign = 9, .customer = 1}, CELLAR_NOT_FOUND},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        cellar_refusal refusal;
        cellar_status status =
            cellar_coupon_redeem(shop->store, NULL, &rows[i].redemption, NULL, NULL, &refusal);
        if (status != rows[i].status) {
            fail_msg("row %zu: %s", i, cellar_status_name(status));
        }
        if (rows[i].member != NULL) {
            shop_check_invalid(&refusal, status, CELLAR_NO_LINE, rows[i].member);
        }
    }
    cellar_refusal refusal;
    shop_check_invalid(&refusal,
                       cellar_coupon_redeem(shop->store, NULL, NULL, NULL, NULL, &refusal),
                       CELLAR_NO_LINE, "redemption");
    const cellar_redemption any = {.campaign = 1, .customer = 1, .ordinal = CELLAR_ANY_ORDINAL};
    shop_check_invalid(&refusal, cellar_coupon_restore(shop->store, NULL, &any, 0, NULL, &refusal),
                       CELLAR_NO_LINE, "ordinal");
    shop_check_invalid(&refusal, cellar_code_add(shop->store, NULL, 1, "x", 0, NULL, &refusal),
                       CELLAR_NO_LINE, "uses");
    shop_check_invalid(
        &refusal, cellar_code_add(shop->store, NULL, 1, "x", CELLAR_QUOTA_MAX + 1, NULL, &refusal),
        CELLAR_NO_LINE, "uses");
    assert_int_equal(cellar_code_add_many(shop->store, NULL, 1, NULL, 1, 1, NULL),
                     CELLAR_INVALID_ARGUMENT);
}

/* More lines than fit without an allocation, and "any" of several coupons. */
static void test_many_lines(void **state) {
    struct shop *shop = *state;
    static cellar_line lines[CELLAR_LINES_MAX];
    static int64_t shares[CELLAR_LINES_MAX];
    cellar_campaign campaign = fill(shop);
    campaign.customer_limit = 3;
    campaign.quota = 10;
    campaign.budget = 0;
    campaign.discount.cap = 0;
    shop_campaign_put(shop, &campaign);
    for (int i = 0; i < 3; i++) {
        shop_claim(shop, 1, 8);
    }
    for (size_t i = 0; i < CELLAR_LINES_MAX; i++) {
        lines[i] = shop_line(i % 2 == 0 ? "a" : "c", 0, 1, 7);
    }
    const cellar_redemption redemption = {.campaign = 1,
                                          .customer = 8,
                                          .ordinal = CELLAR_ANY_ORDINAL,
                                          .lines = lines,
                                          .line_count = CELLAR_LINES_MAX};
    for (uint32_t ordinal = 0; ordinal < 3; ordinal++) {
        cellar_ticket ticket;
        int64_t sum = 0;
        assert_int_equal(
            cellar_coupon_redeem(shop->store, NULL, &redemption, shares, &ticket, NULL), CELLAR_OK);
        for (size_t i = 0; i < CELLAR_LINES_MAX; i++) {
            assert_true(shares[i] <= (i % 2 == 0 ? 1 : 0));
            sum += shares[i];
        }
        assert_int_equal(sum, 2048 * 7 / 10);
        assert_int_equal(ticket.remaining, sum);
        assert_int_equal(shop_coupon(shop, 1, 8, ordinal).state, CELLAR_COUPON_REDEEMED);
    }
    assert_int_equal(cellar_coupon_redeem(shop->store, NULL, &redemption, NULL, NULL, NULL),
                     CELLAR_ALREADY_REDEEMED);
}

static void test_code_limit(void **unused) {
    struct shop shop;
    cellar_problem problem;
    (void)unused;
    shop_prepare(&shop);
    shop.config.codes_max = 2;
    shop_open(&shop);
    cellar_campaign campaign = shop_campaign(1, 1);
    shop_campaign_put(&shop, &campaign);
    assert_int_equal(cellar_code_add(shop.store, NULL, 1, "code 1", 2, NULL, NULL), CELLAR_OK);
    assert_int_equal(cellar_code_add(shop.store, NULL, 1, "code 2", 2, NULL, NULL), CELLAR_OK);
    assert_int_equal(cellar_code_add(shop.store, NULL, 1, "code 3", 2, NULL, NULL),
                     CELLAR_STORE_FULL);
    shop_close(&shop);
    shop.config.codes_max = 1;
    assert_int_equal(shop_try_open(&shop, &problem), CELLAR_CONFIG_MISMATCH);
    shop.config.codes_max = 3;
    shop_open(&shop);
    assert_int_equal(cellar_code_add(shop.store, NULL, 1, "code 3", 2, NULL, NULL), CELLAR_OK);
    shop_finish(&shop);
}

/* As many lines as need no memory, and one more, two of each in a transaction: 10 % of each line,
 * all of different values. */
static void test_lines_around_the_room(void **state) {
    struct shop *shop = *state;
    fill(shop);
    cellar_campaign campaign = shop_campaign(2, 9);
    campaign.discount = (cellar_discount){.kind = CELLAR_DISCOUNT_PERCENT, .value = 1000};
    shop_campaign_put(shop, &campaign);
    assert_int_equal(cellar_code_add(shop->store, NULL, 2, "code 2", 99, NULL, NULL), CELLAR_OK);
    for (size_t count = PLAN_LINES_INLINE; count <= PLAN_LINES_INLINE + 1; count++) {
        cellar_line lines[2][PLAN_LINES_INLINE + 1];
        int64_t shares[2][PLAN_LINES_INLINE + 1] = {{0}};
        cellar_redemption redemptions[2];
        cellar_operation operations[2];
        for (size_t k = 0; k < 2; k++) {
            for (size_t i = 0; i < count; i++) {
                lines[k][i] = shop_line("a", 0, 1, 10 * (int64_t)(1 + k * 100 + i));
            }
            redemptions[k] =
                (cellar_redemption){.code = "code 2", .lines = lines[k], .line_count = count};
            operations[k] = (cellar_operation){.kind = CELLAR_OPERATION_COUPON_REDEEM,
                                               .redemption = &redemptions[k],
                                               .discounts_out = shares[k]};
        }
        assert_int_equal(
            cellar_transact(shop->store, NULL, shop_id(count), operations, 2, NULL, NULL),
            CELLAR_OK);
        for (size_t k = 0; k < 2; k++) {
            for (size_t i = 0; i < count; i++) {
                assert_int_equal(shares[k][i], 1 + k * 100 + i);
            }
        }
        memset(shares, 0, sizeof shares);
        assert_int_equal(
            cellar_coupon_redeem(shop->store, NULL, &redemptions[1], shares[1], NULL, NULL),
            CELLAR_OK);
        for (size_t i = 0; i < count; i++) {
            assert_int_equal(shares[1][i], 101 + i);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SHOP_TEST(test_redeem),
        SHOP_TEST(test_budget),
        SHOP_TEST(test_rules),
        SHOP_TEST(test_ids),
        SHOP_TEST(test_codes),
        SHOP_TEST(test_arguments),
        SHOP_TEST(test_many_lines),
        SHOP_TEST(test_lines_around_the_room),
        cmocka_unit_test(test_code_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
