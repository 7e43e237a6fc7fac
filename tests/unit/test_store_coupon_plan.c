/* Do the plans of coupons work as steps of a larger plan, each seeing what the steps before it are
 * going to write, does a redemption leave the plan untouched when it is refused, and does a plan
 * fail to commit once what it has read has changed? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/plan_coupon.h"
#include "support/shop.h"

static const struct commit_change *change_of(const struct plan *plan, uint32_t cell) {
    for (uint32_t i = 0; i < plan->change_count; i++) {
        if (plan->changes[i].cell == cell) {
            return &plan->changes[i];
        }
    }
    return NULL;
}

static void next_step(struct plan *plan) {
    plan->step_first = plan->change_count;
}

/* An order with a discount of kind AMOUNT 30, a budget of 50 and two lines. */
static struct shop *fill(void **state) {
    struct shop *shop = *state;
    cellar_campaign campaign = shop_campaign(1, 3);
    campaign.customer_limit = 3;
    campaign.waitlist_max = 1;
    campaign.budget = 50;
    campaign.restore_on_cancel = true;
    campaign.discount = (cellar_discount){.kind = CELLAR_DISCOUNT_AMOUNT, .value = 30};
    shop_campaign_put(shop, &campaign);
    shop_product(shop, "a");
    shop_settle(shop);
    return shop;
}

static void test_steps(void **state) {
    struct shop *shop = fill(state);
    struct store *store = shop->store->store;
    struct plan plan;
    struct plan_claim_request claim = {.campaign = 1, .customer = 5};
    const struct plan_bought bought[2] = {{1, 100}, {1, 200}};
    struct discount_line lines[2];
    struct plan_redemption redemption = {.campaign = 1,
                                         .customer = 5,
                                         .ordinal = CELLAR_ANY_ORDINAL,
                                         .bought = bought,
                                         .lines = lines,
                                         .line_count = 2};
    struct payload_redeem redeem;
    plan_create(&plan, store);
    plan_reset(&plan, SHOP_NOW + 1);
    commit_enter();
    /* Claim, redeem what was just claimed, claim another one. */
    assert_int_equal(plan_coupon_claim(&plan, &claim), PLAN_COMMIT);
    assert_int_equal(plan.ticket.rank, 1);
    next_step(&plan);
    assert_int_equal(plan_coupon_redeem(&plan, &redemption, &redeem), PLAN_COMMIT);
    assert_int_equal(redeem.discount, 30);
    assert_int_equal(lines[0].discount, 10);
    assert_int_equal(lines[1].discount, 20);
    next_step(&plan);
    assert_int_equal(plan_coupon_claim(&plan, &claim), PLAN_COMMIT);
    assert_int_equal(plan.ticket.rank, 2);
    next_step(&plan);
    /* The budget has 20 left: refused, and nothing written. */
    uint32_t changes = plan.change_count;
    assert_int_equal(plan_coupon_redeem(&plan, &redemption, &redeem), PLAN_REFUSED);
    assert_int_equal(plan.refusal.status, CELLAR_BUDGET_SPENT);
    assert_int_equal(plan.refusal.available, 20);
    assert_int_equal(plan.change_count, changes);
    commit_leave();
    const struct commit_change *claimed = change_of(&plan, coupon_campaign_cell(1, COUPON_CLAIMED));
    const struct commit_change *budget = change_of(&plan, coupon_campaign_cell(1, COUPON_BUDGET));
    const struct commit_change *grant = change_of(&plan, coupon_grant_cell(1));
    assert_non_null(claimed);
    assert_non_null(budget);
    assert_non_null(grant);
    assert_int_equal(claimed->update.new_value, 2);
    assert_int_equal(budget->update.new_value, 20);
    assert_int_equal(grant->update.new_value, coupon_grant_value(1, COUPON_REDEEMED));
    plan_destroy(&plan);
}

/* What an order that is cancelled undoes, by the rule. */
static void test_restore(void **state) {
    struct shop *shop = fill(state);
    const cellar_line line = shop_line("a", 0, 1, 100);
    const cellar_redemption redemption = {
        .campaign = 1, .customer = 5, .lines = &line, .line_count = 1};
    shop_claim(shop, 1, 5);
    assert_int_equal(cellar_coupon_redeem(shop->store, NULL, &redemption, NULL, NULL, NULL),
                     CELLAR_OK);
    const struct payload_redeem redeem = {.discount = 30, .campaign = 1, .grant = 1};
    for (int restores = 0; restores < 2; restores++) {
        cellar_campaign campaign = *shop_campaign_get(shop, 1);
        struct plan plan;
        bool restored = restores == 0;
        campaign.restore_on_cancel = restores == 1;
        shop_campaign_put(shop, &campaign);
        plan_create(&plan, shop->store->store);
        plan_reset(&plan, SHOP_NOW + 1);
        commit_enter();
        assert_int_equal(plan_coupon_restore(&plan, &redeem, 0, &restored), PLAN_COMMIT);
        assert_int_equal(restored, restores);
        assert_int_equal(plan.change_count, restores == 1 ? 2 : 0);
        commit_leave();
        if (restored) {
            assert_int_equal(
                change_of(&plan, coupon_campaign_cell(1, COUPON_BUDGET))->update.new_value, 50);
            assert_int_equal(change_of(&plan, coupon_grant_cell(1))->update.new_value,
                             coupon_grant_value(1, COUPON_ALIVE));
        }
        plan_destroy(&plan);
    }
}

/* Two revocations in one transaction while customers wait: which numbers are passed by is not known
 * within it. */
static void test_two_revocations(void **state) {
    struct shop *shop = fill(state);
    for (uint64_t customer = 1; customer <= 4; customer++) {
        shop_claim(shop, 1, customer);
    }
    shop_settle(shop);
    struct plan plan;
    struct plan_revoke_request waiting = {.campaign = 1, .customer = 4};
    struct plan_revoke_request granted = {.campaign = 1, .customer = 1};
    plan_create(&plan, shop->store->store);
    plan_reset(&plan, SHOP_NOW + 1);
    commit_enter();
    assert_int_equal(plan_coupon_revoke(&plan, &waiting), PLAN_COMMIT);
    next_step(&plan);
    assert_int_equal(plan_coupon_revoke(&plan, &granted), PLAN_REFUSED);
    assert_int_equal(plan.refusal.status, CELLAR_INVALID_ARGUMENT);
    commit_leave();
    plan_destroy(&plan);
}

/* A refusal is told only while what guards it is as it was read. */
static void test_refusals_are_of_one_instant(void **state) {
    struct shop *shop = fill(state);
    uint32_t cell = coupon_campaign_cell(1, COUPON_CLAIMED);
    struct plan plan;
    plan_create(&plan, shop->store->store);
    plan_reset(&plan, SHOP_NOW + 1);
    commit_enter();
    struct cell_content guard = plan_read(&plan, cell);
    assert_int_equal(plan_campaign_settle(&plan, PLAN_REFUSED, cell, guard), PLAN_REFUSED);
    shop_claim(shop, 1, 9);
    assert_int_equal(plan_campaign_settle(&plan, PLAN_REFUSED, cell, guard), PLAN_WAIT);
    assert_int_equal(plan_campaign_settle(&plan, PLAN_COMMIT, cell, guard), PLAN_COMMIT);
    commit_leave();
    plan_destroy(&plan);
}

/* ---- A plan that has become stale does not commit ---- */

enum act {
    CLAIM,
    REDEEM,
    RESTORE,
    REVOKE,
    REVOKE_WAITING,
    CODE,
    PAUSE,
    ENLARGE
};
static const char *const act_names[] = {"claim",          "redeem", "restore", "revoke",
                                        "revoke waiting", "code",   "pause",   "enlarge"};

/* Of customers 1 to 5, the last of whom wait: 1 and 2 can redeem, 3 has redeemed. */
static void fill_stale(struct shop *shop) {
    const cellar_redemption third = {.campaign = 1, .customer = 3};
    cellar_campaign campaign = shop_campaign(1, 3);
    campaign.waitlist_max = 9;
    campaign.restore_on_cancel = true;
    shop_campaign_put(shop, &campaign);
    for (uint64_t customer = 1; customer <= 5; customer++) {
        shop_claim(shop, 1, customer);
    }
    assert_int_equal(cellar_coupon_redeem(shop->store, NULL, &third, NULL, NULL, NULL), CELLAR_OK);
    assert_int_equal(cellar_code_add(shop->store, NULL, 1, "code 1", 5, NULL, NULL), CELLAR_OK);
    shop_settle(shop);
}

/* Plans it, for one customer. */
static enum plan_result plan_act(struct plan *plan, enum act act) {
    static const cellar_redemption redeemed = {.campaign = 1, .customer = 1};
    static const cellar_redemption restored = {.campaign = 1, .customer = 3};
    static const cellar_redemption coded = {.code = "code 1"};
    struct plan_claim_request claim = {.campaign = 1, .customer = 20};
    struct plan_revoke_request revoke = {.campaign = 1, .customer = act == REVOKE ? 1 : 4};
    struct plan_redeem_request redeem = {.redemption = act == REDEEM ? &redeemed : &coded};
    switch (act) {
    case CLAIM:
        assert_true(plan_check_claim(plan, &claim));
        return plan_coupon_claim(plan, &claim);
    case REVOKE:
    case REVOKE_WAITING:
        return plan_coupon_revoke(plan, &revoke);
    case RESTORE:
        redeem.redemption = &restored;
        redeem.restore = true;
        break;
    default:
        break;
    }
    assert_true(plan_check_redeem(plan, &redeem));
    return plan_redeem_call(plan, &redeem);
}

/* Does it, for another customer. */
static cellar_status do_act(struct shop *shop, enum act act) {
    cellar_campaign campaign = *shop_campaign_get(shop, 1);
    const cellar_redemption redemption = {.campaign = 1, .customer = 2};
    const cellar_redemption coded = {.code = "code 1"};
    switch (act) {
    case CLAIM:
        return cellar_coupon_claim(shop->store, NULL, (cellar_id){0, 0}, 1, 21, NULL, NULL);
    case REDEEM:
        return cellar_coupon_redeem(shop->store, NULL, &redemption, NULL, NULL, NULL);
    case REVOKE_WAITING:
        return cellar_coupon_revoke(shop->store, NULL, 1, 5, 0, NULL, NULL);
    case CODE:
        return cellar_coupon_redeem(shop->store, NULL, &coded, NULL, NULL, NULL);
    case PAUSE:
        campaign.status = CELLAR_CAMPAIGN_PAUSED;
        break;
    default:
        campaign.quota++;
        break;
    }
    return cellar_campaign_put(shop->store, NULL, &campaign, 0, NULL, NULL);
}

static enum commit_outcome commit_plan(struct shop *shop, struct plan *plan) {
    uint64_t lsn;
    plan_sort(plan);
    const struct commit_request request = {.changes = plan->changes,
                                           .change_count = plan->change_count,
                                           .kind = plan->kind,
                                           .payload = plan->payload,
                                           .payload_bytes = plan->payload_bytes,
                                           .time_ns = plan->now_ns};
    return commit_try(shop->store->commit, &request, &lsn);
}

static void test_stale_plans(void **unused) {
    static const struct {
        enum act planned, done;
        enum commit_outcome outcome;
    } rows[] = {
        /* planned  done meanwhile  outcome */
        {CLAIM, PAUSE, COMMIT_CONFLICT},
        {CLAIM, ENLARGE, COMMIT_CONFLICT},
        {CLAIM, CLAIM, COMMIT_CONFLICT},
        {CLAIM, REDEEM, COMMIT_DONE},
        {CLAIM, REVOKE_WAITING, COMMIT_DONE},
        {REDEEM, PAUSE, COMMIT_CONFLICT},
        {REDEEM, REDEEM, COMMIT_CONFLICT},
        {REDEEM, CLAIM, COMMIT_DONE},
        {REDEEM, REVOKE_WAITING, COMMIT_DONE},
        {RESTORE, PAUSE, COMMIT_CONFLICT},
        {RESTORE, CLAIM, COMMIT_DONE},
        {CODE, PAUSE, COMMIT_CONFLICT},
        {CODE, CODE, COMMIT_CONFLICT},
        {CODE, CLAIM, COMMIT_DONE},
        {REVOKE, REVOKE_WAITING, COMMIT_CONFLICT},
        {REVOKE_WAITING, REVOKE_WAITING, COMMIT_CONFLICT},
        {REVOKE, ENLARGE, COMMIT_CONFLICT},
        {REVOKE_WAITING, ENLARGE, COMMIT_CONFLICT},
        {REVOKE, PAUSE, COMMIT_DONE},
        {REVOKE, CLAIM, COMMIT_DONE},
    };
    (void)unused;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct shop shop;
        struct plan plan;
        shop_prepare(&shop);
        shop_open(&shop);
        fill_stale(&shop);
        plan_create(&plan, shop.store->store);
        plan_reset(&plan, SHOP_NOW + 1);
        commit_enter();
        assert_int_equal(plan_act(&plan, rows[i].planned), PLAN_COMMIT);
        assert_int_equal(do_act(&shop, rows[i].done), CELLAR_OK);
        enum commit_outcome outcome = commit_plan(&shop, &plan);
        commit_leave();
        if (outcome != rows[i].outcome) {
            fail_msg("%s, planned before a %s: %d", act_names[rows[i].planned],
                     act_names[rows[i].done], (int)outcome);
        }
        plan_destroy(&plan);
        shop_finish(&shop);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SHOP_TEST(test_steps),
        SHOP_TEST(test_restore),
        SHOP_TEST(test_two_revocations),
        SHOP_TEST(test_refusals_are_of_one_instant),
        cmocka_unit_test(test_stale_plans),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
