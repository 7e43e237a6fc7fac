/* Are of the claims that were not revoked always exactly min(quota, claims) granted, in the order
 * of their numbers, whatever is claimed, revoked, redeemed, restored, and whatever becomes of the
 * quota? Compared step by step with a model that is a plain list. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/random.h"
#include "support/shop.h"

#include <string.h>

static const cellar_id none = {0, 0};

/* ---- Cases by hand ---- */

static cellar_status revoke(struct shop *shop, uint64_t customer) {
    return cellar_coupon_revoke(shop->store, NULL, 1, customer, 0, NULL, NULL);
}

static void check_states(struct shop *shop, const char *expected) {
    static const char letters[] = "?GWRX"; /* granted, waiting, redeemed, revoked */
    for (size_t i = 0; expected[i] != '\0'; i++) {
        cellar_coupon coupon = shop_coupon(shop, 1, i + 1, 0);
        if (letters[coupon.state] != expected[i]) {
            fail_msg("claim %zu of %s is %c", i + 1, expected, letters[coupon.state]);
        }
    }
}

/* One that waits and is revoked neither makes room nor takes it. */
static void test_by_hand(void **state) {
    struct shop *shop = *state;
    cellar_campaign campaign = shop_campaign(1, 2);
    campaign.waitlist_max = 5;
    shop_campaign_put(shop, &campaign);
    for (uint64_t customer = 1; customer <= 7; customer++) {
        shop_claim(shop, 1, customer);
    }
    check_states(shop, "GGWWWWW");
    assert_int_equal(cellar_coupon_claim(shop->store, NULL, none, 1, 8, NULL, NULL),
                     CELLAR_WAITLIST_FULL);
    assert_int_equal(revoke(shop, 4), CELLAR_OK);
    check_states(shop, "GGWXWWW");
    assert_int_equal(shop_campaign_get(shop, 1)->waiting, 4);
    shop_settle(shop);
    assert_int_equal(shop_coupon(shop, 1, 3, 0).ahead, 0);
    assert_int_equal(shop_coupon(shop, 1, 5, 0).ahead, 1);
    assert_int_equal(shop_coupon(shop, 1, 7, 0).ahead, 3);
    assert_int_equal(shop_claim(shop, 1, 8), 8);
    assert_int_equal(revoke(shop, 1), CELLAR_OK);
    check_states(shop, "XGGXWWWW");
    assert_int_equal(revoke(shop, 2), CELLAR_OK);
    check_states(shop, "XXGXGWWW");
    cellar_ticket ticket;
    assert_int_equal(cellar_coupon_revoke(shop->store, NULL, 1, 2, 0, &ticket, NULL), CELLAR_OK);
    assert_true(ticket.repeated);
    assert_int_equal(revoke(shop, 6), CELLAR_OK);
    assert_int_equal(revoke(shop, 7), CELLAR_OK);
    check_states(shop, "XXGXGXXW");
    campaign.quota = 3;
    shop_campaign_put(shop, &campaign);
    check_states(shop, "XXGXGXXG");
    assert_int_equal(shop_campaign_get(shop, 1)->admitted, 8);
    assert_int_equal(revoke(shop, 9), CELLAR_NOT_FOUND);
    /* A place that falls free while nobody waits is the next claim's. */
    assert_int_equal(revoke(shop, 8), CELLAR_OK);
    assert_int_equal(shop_claim(shop, 1, 9), 9);
    check_states(shop, "XXGXGXXXG");
}

static void test_quota(void **state) {
    struct shop *shop = *state;
    cellar_campaign campaign = shop_campaign(1, 5);
    cellar_refusal refusal;
    shop_campaign_put(shop, &campaign);
    for (uint64_t customer = 1; customer <= 3; customer++) {
        shop_claim(shop, 1, customer);
    }
    campaign.quota = 2;
    assert_int_equal(cellar_campaign_put(shop->store, NULL, &campaign, 0, NULL, &refusal),
                     CELLAR_BELOW_CLAIMED);
    shop_check_refusal(&refusal, CELLAR_BELOW_CLAIMED, CELLAR_NO_LINE, 3, 2);
    campaign.quota = 3;
    shop_campaign_put(shop, &campaign);
    assert_int_equal(cellar_coupon_claim(shop->store, NULL, none, 1, 4, NULL, NULL),
                     CELLAR_SOLD_OUT);
    assert_int_equal(revoke(shop, 1), CELLAR_OK);
    campaign.quota = 2;
    shop_campaign_put(shop, &campaign);
    assert_int_equal(cellar_coupon_claim(shop->store, NULL, none, 1, 4, NULL, NULL),
                     CELLAR_SOLD_OUT);
    check_states(shop, "XGG");
}

/* ---- Against a model ---- */

#define CLAIMS_MAX 400

struct model {
    int64_t quota;
    int64_t waitlist;
    size_t count;
    char states[CLAIMS_MAX]; /* A alive, R redeemed, X revoked; of customer i + 1 */
};

/* Claims that are not revoked before this one: granted when there are fewer than the quota. */
static int64_t model_ahead(const struct model *model, size_t claim) {
    int64_t ahead = 0;
    for (size_t i = 0; i < claim; i++) {
        ahead += model->states[i] != 'X';
    }
    return ahead;
}

static bool model_granted(const struct model *model, size_t claim) {
    return model_ahead(model, claim) < model->quota;
}

static void model_check(struct shop *shop, const struct model *model) {
    shop_settle(shop);
    for (size_t i = 0; i < model->count; i++) {
        cellar_coupon coupon = shop_coupon(shop, 1, i + 1, 0);
        bool granted = model_granted(model, i);
        cellar_coupon_state expected = model->states[i] == 'R'   ? CELLAR_COUPON_REDEEMED
                                       : model->states[i] == 'X' ? CELLAR_COUPON_REVOKED
                                       : granted                 ? CELLAR_COUPON_GRANTED
                                                                 : CELLAR_COUPON_WAITING;
        if (coupon.state != expected || coupon.rank != i + 1) {
            fail_msg("claim %zu: state %d, not %d", i + 1, (int)coupon.state, (int)expected);
        }
        if (expected == CELLAR_COUPON_WAITING) {
            assert_int_equal(coupon.ahead, model_ahead(model, i) - model->quota);
        }
    }
    shop_audit(shop);
}

static void model_claim(struct shop *shop, struct model *model) {
    int64_t alive = model_ahead(model, model->count);
    bool room = alive < model->quota + model->waitlist;
    cellar_ticket ticket = {0};
    cellar_status status =
        cellar_coupon_claim(shop->store, NULL, none, 1, model->count + 1, &ticket, NULL);
    cellar_status full = model->waitlist == 0 ? CELLAR_SOLD_OUT : CELLAR_WAITLIST_FULL;
    assert_int_equal(status, room ? CELLAR_OK : full);
    if (room) {
        assert_int_equal(ticket.waiting, alive >= model->quota);
        model->states[model->count++] = 'A';
    }
}

static void model_revoke(struct shop *shop, struct model *model, size_t claim) {
    cellar_status expected = model->states[claim] == 'R' ? CELLAR_ALREADY_REDEEMED : CELLAR_OK;
    assert_int_equal(revoke(shop, claim + 1), expected);
    model->states[claim] = expected == CELLAR_OK ? 'X' : 'R';
}

static void model_redeem(struct shop *shop, struct model *model, size_t claim) {
    const cellar_redemption redemption = {.campaign = 1, .customer = claim + 1};
    char before = model->states[claim];
    cellar_status expected = before == 'X'                 ? CELLAR_REVOKED
                             : before == 'R'               ? CELLAR_ALREADY_REDEEMED
                             : model_granted(model, claim) ? CELLAR_OK
                                                           : CELLAR_NOT_GRANTED;
    assert_int_equal(cellar_coupon_redeem(shop->store, NULL, &redemption, NULL, NULL, NULL),
                     expected);
    if (expected == CELLAR_OK) {
        model->states[claim] = 'R';
    }
    if (before == 'R') {
        assert_int_equal(cellar_coupon_restore(shop->store, NULL, &redemption, 0, NULL, NULL),
                         CELLAR_OK);
        model->states[claim] = 'A';
    }
}

static void model_put(struct shop *shop, struct model *model, struct random *random) {
    cellar_campaign campaign = shop_campaign(1, (int64_t)random_below(random, 40));
    campaign.waitlist_max = (int64_t)random_below(random, 3) * 7;
    campaign.restore_on_cancel = true;
    int64_t alive = model_ahead(model, model->count);
    int64_t least = alive < model->quota ? alive : model->quota;
    cellar_refusal refusal = {0};
    cellar_status status = cellar_campaign_put(shop->store, NULL, &campaign, 0, NULL, &refusal);
    assert_int_equal(status, campaign.quota < least ? CELLAR_BELOW_CLAIMED : CELLAR_OK);
    if (status == CELLAR_OK) {
        model->quota = campaign.quota;
        model->waitlist = campaign.waitlist_max;
    } else {
        assert_int_equal(refusal.available, least);
    }
}

static void test_model(void **unused) {
    uint64_t seed = random_seed_of_run();
    (void)unused;
    for (uint64_t round = 0; round < 6; round++) {
        struct random random = {seed + round};
        struct model model = {0};
        struct shop shop;
        shop_prepare(&shop);
        shop_open(&shop);
        model_put(&shop, &model, &random);
        for (int step = 0; step < 400; step++) {
            size_t any = model.count == 0 ? 0 : random_below(&random, model.count);
            uint64_t what = random_below(&random, 20);
            if (what < 9) {
                model_claim(&shop, &model);
            } else if (what == 19) {
                model_put(&shop, &model, &random);
            } else if (model.count != 0 && what < 15) {
                model_revoke(&shop, &model, any);
            } else if (model.count != 0) {
                model_redeem(&shop, &model, any);
            }
            if (step % 40 == 39) {
                model_check(&shop, &model);
            }
        }
        shop_finish(&shop);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SHOP_TEST(test_by_hand),
        SHOP_TEST(test_quota),
        cmocka_unit_test(test_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
