/* Does the audit count campaigns, coupons and codes, and does it find each thing that is made wrong
 * behind its back? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/bend.h"

static void must(cellar_status status) {
    assert_string_equal(cellar_status_name(status), "OK");
}

/* Campaign 1: quota 3, one claim a customer and hour; claims 1 to 7, of which 1 is redeemed (50), 2
 * revoked (so 4 is granted), 6 revoked while it waits, the others wait; a code used once (50).
 * Campaign 2 without claims. Campaign 3: three claims of customer 1, of which two came before there
 * was a cap of two. */
static void fill(struct shop *shop) {
    cellar_campaign campaign = shop_campaign(1, 3);
    const cellar_line line = shop_line("a", 0, 1, 100);
    cellar_redemption redemption = {.campaign = 1, .customer = 1, .lines = &line, .line_count = 1};
    shop_product(shop, "a");
    campaign.waitlist_max = 10;
    campaign.budget = 1000;
    campaign.period_ns = INT64_C(3600000000000);
    campaign.period_count = 100;
    campaign.customer_limit = 9;
    campaign.customer_period_ns = INT64_C(3600000000000);
    campaign.customer_period_count = 1;
    campaign.discount = (cellar_discount){.kind = CELLAR_DISCOUNT_AMOUNT, .value = 50};
    shop_campaign_put(shop, &campaign);
    for (uint64_t customer = 1; customer <= 7; customer++) {
        shop_claim(shop, 1, customer);
    }
    must(cellar_coupon_redeem(shop->store, NULL, &redemption, NULL, NULL, NULL));
    must(cellar_coupon_revoke(shop->store, NULL, 1, 2, 0, NULL, NULL));
    must(cellar_coupon_revoke(shop->store, NULL, 1, 6, 0, NULL, NULL));
    must(cellar_code_add(shop->store, NULL, 1, "code 1", 3, NULL, NULL));
    redemption = (cellar_redemption){.code = "code 1", .lines = &line, .line_count = 1};
    must(cellar_coupon_redeem(shop->store, NULL, &redemption, NULL, NULL, NULL));
    campaign = shop_campaign(2, 5);
    shop_campaign_put(shop, &campaign);
    campaign = shop_campaign(3, 5);
    campaign.customer_limit = 3;
    shop_campaign_put(shop, &campaign);
    shop_claim(shop, 3, 1);
    shop_claim(shop, 3, 1);
    campaign.customer_period_ns = INT64_C(3600000000000);
    campaign.customer_period_count = 2;
    shop_campaign_put(shop, &campaign);
    shop_claim(shop, 3, 1);
    shop_settle(shop);
}

static void test_totals(void **state) {
    struct shop *shop = *state;
    fill(shop);
    for (int opening = 0; opening < 2; opening++) {
        cellar_totals totals = shop_audit(shop).totals;
        assert_int_equal(totals.campaigns, 3);
        assert_int_equal(totals.codes, 1);
        assert_int_equal(totals.coupons_claimed, 10);
        assert_int_equal(totals.coupons_redeemed, 1);
        assert_int_equal(totals.coupons_revoked, 2);
        assert_int_equal(totals.code_uses, 1);
        assert_int_equal(totals.discounts, 100);
        shop_reopen(shop);
        shop_settle(shop);
    }
}

/* ---- It bites ---- */

static struct coupons *coupons_of(struct shop *shop) {
    return &shop->store->store->coupons;
}

static struct store_campaign *campaign_of(struct shop *shop) {
    return coupons_find_campaign(shop->store->store, 1);
}

static uint32_t grant_of(struct shop *shop, uint64_t customer) {
    const struct coupon_grant_key key = {customer, campaign_of(shop)->slot, 0};
    return coupons_find_grant(shop->store->store, &key);
}

static struct store_grant *entry_of(struct shop *shop, uint64_t customer) {
    return &coupons_of(shop)->grants[grant_of(shop, customer)];
}

static struct store_code *code_of(struct shop *shop) {
    return coupons_find_code(shop->store->store, "code 1", 6);
}

/* Where it was is remembered: it may not be found while it is wrong. */
static void bend_link(uint32_t *link, uint32_t wrong, int by) {
    static uint32_t right;
    static uint32_t *place = &right;
    if (by > 0) {
        place = link;
        right = *link;
        *link = wrong;
    } else {
        *place = right;
    }
}

static void list_hole(struct shop *shop, uint64_t number, bool in) {
    struct index *holes = ATOMIC_LOAD(&campaign_of(shop)->holes, relaxed);
    assert_non_null(holes);
    assert_true(in ? index_insert(holes, number, 1) : index_remove(holes, number));
}

/* As if all claims of customer 1 had come after the cap. */
static void bend_often(struct shop *shop, int by) {
    struct store *store = shop->store->store;
    int64_t number =
        cell_load(&shop->store->commit->cells[coupon_campaign_cell(3, COUPON_RULES)]).value;
    struct coupon_rules *rules = ATOMIC_LOAD(&store->coupons.rules[number], acquire);
    rules->customer.claimed_before -= 2 * by;
    bend_cell(shop, coupon_campaign_cell(3, COUPON_CUSTOMER_WINDOW), -2 * by);
}

/* As if codes had been redeemed for so much more: all sums of it agree. */
static void spend(struct shop *shop, int64_t amount) {
    uint32_t slot = campaign_of(shop)->slot;
    bend_cell(shop, coupon_campaign_cell(slot, COUPON_BUDGET), -amount);
    campaign_of(shop)->spent += amount;
    campaign_of(shop)->code_spent += amount;
}

/* The first coupon of customer 1 in campaign 3 is another one of his. */
static void rename_first(struct shop *shop, int by) {
    static struct store_grant *first;
    if (by > 0) {
        const struct coupon_grant_key key = {1, 3, 0};
        first = &coupons_of(shop)->grants[coupons_find_grant(shop->store->store, &key)];
    }
    first->ordinal = by > 0 ? 7 : 0;
}

/* Used less often than never; what is left goes with it. */
static void use_code_less(struct shop *shop, int64_t by) {
    code_of(shop)->used -= by;
    bend_cell(shop, coupon_code_cell(code_of(shop)->slot), by);
}

static void list_campaign(struct shop *shop, bool in) {
    struct index *list = coupons_of(shop)->list;
    uint64_t created = ATOMIC_LOAD(&campaign_of(shop)->created_lsn, relaxed);
    assert_true(in ? index_insert(list, created, campaign_of(shop)->slot)
                   : index_remove(list, created));
}

/* Each does one thing wrong (`by` 1) and undoes it (`by` -1). */
#define CAMPAIGN(which) coupon_campaign_cell(campaign_of(shop)->slot, (which))
#define GRANT(customer) coupon_grant_cell(grant_of(shop, (customer)))
#define STATE(from, to) (by * ((to) - (from)))
#define BENDS(X)                                                                                   \
    X(claimed, "is missing", bend_cell(shop, CAMPAIGN(COUPON_CLAIMED), by))                        \
    X(claimed_less, "is missing", bend_cell(shop, CAMPAIGN(COUPON_CLAIMED), -by))                  \
    X(admitted, "granted of", bend_cell(shop, CAMPAIGN(COUPON_ADMITTED), by))                      \
    X(admitted_less, "granted of", bend_cell(shop, CAMPAIGN(COUPON_ADMITTED), -by))                \
    X(holes, "holes", bend_cell(shop, CAMPAIGN(COUPON_HOLES), by))                                 \
    X(hole_unlisted, "holes", list_hole(shop, 6, by < 0))                                          \
    X(hole_listed, "holes", list_hole(shop, 5, by > 0))                                            \
    X(budget, "spent", bend_cell(shop, CAMPAIGN(COUPON_BUDGET), by))                               \
    X(budget_overdrawn, "spent", bend_cell(shop, CAMPAIGN(COUPON_BUDGET), -2000 * by))             \
    X(spent_negative, "spent", spend(shop, -2000 * by))                                            \
    X(spent_beyond_the_budget, "spent", spend(shop, 2000 * by))                                    \
    X(window_negative, "window", bend_cell(shop, CAMPAIGN(COUPON_WINDOW), INT64_MIN / 2 * by))     \
    X(window_without_cap, "window", bend_cell(shop, coupon_campaign_cell(2, COUPON_WINDOW), by))   \
    X(window_of_no_cap, "window", bend_cell(shop, coupon_campaign_cell(3, COUPON_WINDOW), by))     \
    X(window, "window", bend_cell(shop, CAMPAIGN(COUPON_WINDOW), by))                              \
    X(customer_window, "window", bend_cell(shop, CAMPAIGN(COUPON_CUSTOMER_WINDOW), 8 * by))        \
    X(no_customer_window, "window",                                                                \
      bend_cell(shop, coupon_campaign_cell(2, COUPON_CUSTOMER_WINDOW), by))                        \
    X(customer_often, "in a period", bend_often(shop, by))                                         \
    X(rules, "no rules", bend_cell(shop, CAMPAIGN(COUPON_RULES), 1000 * by))                       \
    X(campaign_gone, "campaigns", bend_cell(shop, coupon_campaign_cell(2, COUPON_RULES), -2 * by)) \
    X(number, "is missing", bend_cell(shop, GRANT(5), 256 * by))                                   \
    X(number_twice, "is missing", bend_cell(shop, GRANT(5), -256 * by))                            \
    X(alive_again, "granted of", bend_cell(shop, GRANT(2), STATE(COUPON_REVOKED, COUPON_ALIVE)))   \
    X(revoked, "granted of", bend_cell(shop, GRANT(3), STATE(COUPON_ALIVE, COUPON_REVOKED)))       \
    X(redeemed, "redeemed", bend_cell(shop, GRANT(3), STATE(COUPON_ALIVE, COUPON_REDEEMED)))       \
    X(redeemed_waiting, "while it waits",                                                          \
      bend_cell(shop, GRANT(5), STATE(COUPON_ALIVE, COUPON_REDEEMED)))                             \
    X(not_redeemed, "not redeemed",                                                                \
      bend_cell(shop, GRANT(1), STATE(COUPON_REDEEMED, COUPON_ALIVE)))                             \
    X(no_state, "is missing", bend_cell(shop, GRANT(3), STATE(COUPON_ALIVE, 7)))                   \
    X(no_state_at_all, "is missing", bend_cell(shop, GRANT(3), STATE(COUPON_ALIVE, 0)))            \
    X(discount, "sum up", ATOMIC_ADD(&entry_of(shop, 1)->discount, by, relaxed))                   \
    X(other_campaign, "is missing", bend_link(&entry_of(shop, 5)->campaign, 2, by))                \
    X(chain_cut, "is missing", bend_link(&entry_of(shop, 4)->older_of_campaign, 0, by))            \
    X(chain_loop, "is missing",                                                                    \
      bend_link(&entry_of(shop, 4)->older_of_campaign, grant_of(shop, 7), by))                     \
    X(chain_longer, "is missing",                                                                  \
      bend_link(&entry_of(shop, 1)->older_of_campaign, grant_of(shop, 2), by))                     \
    X(customer_without_his_first, "is not there", rename_first(shop, by))                          \
    X(customer_chain, "in the list of",                                                            \
      bend_link(&entry_of(shop, 4)->older_of_customer, grant_of(shop, 1), by))                     \
    X(code_left, "uses left", bend_cell(shop, coupon_code_cell(code_of(shop)->slot), by))          \
    X(code_used, "uses left", code_of(shop)->used += by)                                           \
    X(code_used_negative, "uses left", use_code_less(shop, 4 * by))                                \
    X(code_of_nobody, "uses left",                                                                 \
      bend_cell(shop, coupon_code_cell(code_of(shop)->slot),                                       \
                -by *coupon_code_value(campaign_of(shop)->slot, 0)))                               \
    X(code_gone, "uses left",                                                                      \
      bend_cell(shop, coupon_code_cell(code_of(shop)->slot),                                       \
                -by *coupon_code_value(campaign_of(shop)->slot, 2)))                               \
    X(campaign_unlisted, "campaigns", list_campaign(shop, by < 0))                                 \
    X(code_uses, "uses left", ATOMIC_ADD(&code_of(shop)->uses, by, relaxed))                       \
    X(spent, "spent", campaign_of(shop)->spent += by)                                              \
    X(code_spent, "spent", campaign_of(shop)->code_spent += by)                                    \
    X(counted_claims, "granted of", campaign_of(shop)->claims += (uint64_t)by)                     \
    X(counted_revoked, "granted of", campaign_of(shop)->revoked += (uint64_t)by)                   \
    X(counted_redeemed, "redeemed", campaign_of(shop)->redeemed += (uint64_t)by)                   \
    X(totals_campaigns, "campaigns", shop->store->store->totals.campaigns += (uint64_t)by)         \
    X(totals_claimed, "campaigns", shop->store->store->totals.coupons_claimed += (uint64_t)by)     \
    X(totals_redeemed, "campaigns", shop->store->store->totals.coupons_redeemed += (uint64_t)by)   \
    X(totals_revoked, "campaigns", shop->store->store->totals.coupons_revoked += (uint64_t)by)     \
    X(totals_discounts, "campaigns", shop->store->store->totals.discounts += by)                   \
    X(totals_codes, "codes", shop->store->store->totals.codes += (uint64_t)by)                     \
    X(totals_uses, "codes", shop->store->store->totals.code_uses += (uint64_t)by)

BENDS(BEND_FUNCTION)

static void test_it_bites(void **state) {
    struct shop *shop = *state;
    static const struct bend bends[] = {BENDS(BEND_ROW)};
    fill(shop);
    bend_check(shop, bends, sizeof bends / sizeof *bends);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SHOP_TEST(test_totals),
        SHOP_TEST(test_it_bites),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
