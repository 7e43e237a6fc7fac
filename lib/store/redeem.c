/* Redeeming coupons and codes, undoing it, and adding codes. `budget` guards all that is read of
 * the campaign: every redemption writes it, also where there is no budget. */
#include "store/plan_coupon.h"

#include "base/assert.h"

#include <string.h>

/* ---- The coupon or code ---- */

/* What a redemption is about. */
struct redeem_thing {
    struct plan_campaign at; /* guarded by `budget` */
    uint32_t cell;
    struct cell_content content;
    int64_t value; /* the new one */
    struct payload_redeem payload;
};

/* The state of a coupon that cannot be redeemed. */
static enum plan_result redeem_refuse_grant(struct plan *plan, int64_t value) {
    switch (coupon_grant_state(value)) {
    case COUPON_ALIVE:
        plan->refusal.rank = (uint64_t)coupon_grant_number(value);
        plan->refusal.waiting = true;
        return plan_refuse(plan, CELLAR_NOT_GRANTED, CELLAR_NO_LINE);
    case COUPON_REDEEMED:
        return plan_refuse(plan, CELLAR_ALREADY_REDEEMED, CELLAR_NO_LINE);
    case COUPON_REVOKED:
        return plan_refuse(plan, CELLAR_REVOKED, CELLAR_NO_LINE);
    default:
        return plan_refuse(plan, CELLAR_NOT_FOUND, CELLAR_NO_LINE);
    }
}

/* The grant of this ordinal, or of the first that can be redeemed; else the first there is. */
static enum plan_result redeem_find_grant(struct plan *plan,
                                          const struct plan_redemption *redemption,
                                          struct redeem_thing *thing) {
    uint32_t campaign = thing->at.campaign->slot;
    int64_t admitted = plan_read(plan, coupon_campaign_cell(campaign, COUPON_ADMITTED)).value;
    bool any = redemption->ordinal == CELLAR_ANY_ORDINAL;
    uint32_t first = any ? 0 : redemption->ordinal;
    uint32_t last = any ? CELLAR_COUPONS_OF_CUSTOMER_MAX - 1 : redemption->ordinal;
    int64_t met = 0;
    for (uint32_t ordinal = first; ordinal <= last; ordinal++) {
        const struct coupon_grant_key key = {redemption->customer, campaign, ordinal};
        uint32_t grant = coupons_find_grant(plan->store, &key);
        if (grant == 0) {
            break;
        }
        struct cell_content content = plan_read(plan, coupon_grant_cell(grant));
        int64_t number = coupon_grant_number(content.value);
        /* A number that was admitted stays so. */
        if (coupon_grant_state(content.value) == COUPON_ALIVE && number <= admitted) {
            thing->cell = coupon_grant_cell(grant);
            thing->content = content;
            thing->value = coupon_grant_value(number, COUPON_REDEEMED);
            thing->payload = (struct payload_redeem){.campaign = campaign, .grant = grant};
            return PLAN_COMMIT;
        }
        met = met == 0 ? content.value : met;
    }
    return redeem_refuse_grant(plan, met);
}

static enum plan_result redeem_find_code(struct plan *plan,
                                         const struct plan_redemption *redemption,
                                         struct redeem_thing *thing) {
    struct store_code *code =
        coupons_find_code(plan->store, redemption->code, redemption->code_bytes);
    if (code == NULL) {
        return plan_refuse(plan, CELLAR_NOT_FOUND, CELLAR_NO_LINE);
    }
    thing->cell = coupon_code_cell(code->slot);
    /* Which campaign it belongs to never changes. */
    uint32_t campaign = coupon_code_campaign(plan_read(plan, thing->cell).value);
    if (campaign == 0) {
        return plan_refuse(plan, CELLAR_NOT_FOUND, CELLAR_NO_LINE);
    }
    enum plan_result result = plan_campaign_read(plan, &plan->store->coupons.campaigns[campaign],
                                                 COUPON_BUDGET, &thing->at);
    ASSERT(result == PLAN_COMMIT);
    result = plan_coupon_check_time(plan, &thing->at.rules->put);
    if (result != PLAN_COMMIT) {
        return result;
    }
    thing->content = plan_read(plan, thing->cell);
    int64_t left = coupon_code_left(thing->content.value);
    if (left == 0) {
        return plan_refuse(plan, CELLAR_SOLD_OUT, CELLAR_NO_LINE);
    }
    thing->value = coupon_code_value(campaign, left - 1);
    thing->payload = (struct payload_redeem){.campaign = campaign, .code = code->slot};
    return PLAN_COMMIT;
}

static enum plan_result redeem_find(struct plan *plan, const struct plan_redemption *redemption,
                                    struct redeem_thing *thing) {
    if (redemption->code != NULL) {
        return redeem_find_code(plan, redemption, thing);
    }
    struct store_campaign *campaign = coupons_find_campaign(plan->store, redemption->campaign);
    enum plan_result result = plan_campaign_read(plan, campaign, COUPON_BUDGET, &thing->at);
    return result == PLAN_COMMIT ? redeem_find_grant(plan, redemption, thing) : result;
}

/* ---- The discount ---- */

/* The category of a product as it is now. Nothing guards it: that would make every order with a
 * coupon contend for the products' cells. */
static bool redeem_selects(const struct plan *plan, const struct discount_scope *scope,
                           uint32_t product) {
    struct store *store = plan->store;
    int64_t block = commit_read(store->commit, store_product_cell(product)).value;
    /* Acquire: pairs with the release in product_prepare(). */
    const struct store_attributes *attributes = ATOMIC_LOAD(&store->blocks[block], acquire);
    /* What is bought exists, and so it stays. */
    ASSERT(attributes != NULL);
    return discount_selects(scope, product, attributes->text + attributes->name_bytes,
                            attributes->category_bytes);
}

static enum plan_result redeem_compute(struct plan *plan, const struct plan_redemption *redemption,
                                       const struct coupon_rules *rules, int64_t *total_out) {
    const struct payload_campaign *put = &rules->put;
    const struct discount_scope scope = {.products = put->products,
                                         .product_count = put->product_count,
                                         .categories = rules->text + put->name_bytes,
                                         .category_bytes = put->category_bytes,
                                         .category_count = put->category_count};
    const struct discount_rules discount = {.kind = (enum discount_kind)put->discount_kind,
                                            .value = put->discount_value,
                                            .cap = put->discount_cap,
                                            .minimum = put->discount_minimum};
    for (size_t i = 0; i < redemption->line_count; i++) {
        redemption->lines[i] = (struct discount_line){
            .amount = redemption->bought[i].amount,
            .eligible = redeem_selects(plan, &scope, redemption->bought[i].product)};
    }
    int64_t sum;
    if (!discount_compute(&discount, redemption->lines, redemption->line_count, total_out, &sum)) {
        plan->refusal.available = sum;
        plan->refusal.needed = discount.minimum;
        return plan_refuse(plan, CELLAR_NOT_ELIGIBLE, CELLAR_NO_LINE);
    }
    if (*total_out > CELLAR_AMOUNT_MAX) {
        return plan_refuse(plan, CELLAR_OVERFLOW, CELLAR_NO_LINE);
    }
    return PLAN_COMMIT;
}

/* ---- Redeeming ---- */

static enum plan_result redeem_check(struct plan *plan, const struct redeem_thing *thing,
                                     int64_t discount) {
    const struct payload_campaign *put = &thing->at.rules->put;
    int64_t left = thing->at.guard.value;
    if (put->budget != 0 && discount > left) {
        plan->refusal.available = left;
        plan->refusal.needed = discount;
        return plan_refuse(plan, CELLAR_BUDGET_SPENT, CELLAR_NO_LINE);
    }
    if (left - discount < -CELLAR_AMOUNT_MAX) {
        return plan_refuse(plan, CELLAR_OVERFLOW, CELLAR_NO_LINE);
    }
    return PLAN_COMMIT;
}

static enum plan_result redeem_check_rules(struct plan *plan, const struct payload_campaign *put) {
    if (put->status == CELLAR_CAMPAIGN_CLOSED) {
        return plan_refuse(plan, CELLAR_ENDED, CELLAR_NO_LINE);
    }
    if (put->redeem_until_ns != 0 && plan->now_ns >= put->redeem_until_ns) {
        return plan_refuse(plan, CELLAR_EXPIRED, CELLAR_NO_LINE);
    }
    return PLAN_COMMIT;
}

static enum plan_result redeem_write(struct plan *plan, const struct redeem_thing *thing,
                                     int64_t left) {
    uint32_t budget = coupon_campaign_cell(thing->payload.campaign, COUPON_BUDGET);
    return plan_write(plan, thing->cell, thing->content, thing->value) &&
                   plan_write(plan, budget, thing->at.guard, left)
               ? PLAN_COMMIT
               : PLAN_NO_MEMORY;
}

enum plan_result plan_coupon_redeem(struct plan *plan, const struct plan_redemption *redemption,
                                    struct payload_redeem *redeem_out) {
    struct redeem_thing thing = {.cell = 0};
    enum plan_result result = redeem_find(plan, redemption, &thing);
    if (result == PLAN_COMMIT) {
        ASSERT(thing.at.rules != NULL);
        result = redeem_check_rules(plan, &thing.at.rules->put);
    }
    if (thing.payload.campaign == 0) {
        return result; /* Refused by what one cell said. */
    }
    int64_t discount = 0;
    if (result == PLAN_COMMIT) {
        result = redeem_compute(plan, redemption, thing.at.rules, &discount);
    }
    if (result == PLAN_COMMIT) {
        result = redeem_check(plan, &thing, discount);
    }
    if (result != PLAN_COMMIT) {
        return plan_campaign_settle(plan, result,
                                    coupon_campaign_cell(thing.payload.campaign, COUPON_BUDGET),
                                    thing.at.guard);
    }
    *redeem_out = thing.payload;
    redeem_out->discount = discount;
    return redeem_write(plan, &thing, thing.at.guard.value - discount);
}

/* ---- Restoring ---- */

/* The cell of what was redeemed, and its value when it was not. */
static enum plan_result redeem_undo(struct plan *plan, const struct payload_redeem *redeem,
                                    uint64_t redeemed_lsn, struct redeem_thing *thing) {
    if (redeem->grant != 0) {
        thing->cell = coupon_grant_cell(redeem->grant);
        thing->content = plan_read(plan, thing->cell);
        thing->value = coupon_grant_value(coupon_grant_number(thing->content.value), COUPON_ALIVE);
        /* Redeemed again since, also by a step before this one: not by whom it is asked for. */
        bool mine = redeemed_lsn == 0 ||
                    (thing->content.version == redeemed_lsn && !plan_is_pending(plan, thing->cell));
        return mine && coupon_grant_state(thing->content.value) == COUPON_REDEEMED
                   ? PLAN_COMMIT
                   : plan_refuse(plan, CELLAR_NOT_REDEEMED, CELLAR_NO_LINE);
    }
    thing->cell = coupon_code_cell(redeem->code);
    thing->content = plan_read(plan, thing->cell);
    /* Acquire: pairs with the release in coupon_apply_code(). */
    int64_t uses = ATOMIC_LOAD(&plan->store->coupons.codes[redeem->code].uses, acquire);
    if (uses == 0) {
        plan->wait_lsn = thing->content.version;
        return PLAN_WAIT;
    }
    int64_t left = coupon_code_left(thing->content.value);
    thing->value = coupon_code_value(redeem->campaign, left + 1);
    return left < uses ? PLAN_COMMIT : plan_refuse(plan, CELLAR_NOT_REDEEMED, CELLAR_NO_LINE);
}

enum plan_result plan_coupon_restore(struct plan *plan, const struct payload_redeem *redeem,
                                     uint64_t redeemed_lsn, bool *restored_out) {
    struct redeem_thing thing = {.payload = *redeem};
    *restored_out = false;
    enum plan_result result = plan_campaign_read(
        plan, &plan->store->coupons.campaigns[redeem->campaign], COUPON_BUDGET, &thing.at);
    ASSERT(result == PLAN_COMMIT);
    if (!thing.at.rules->put.restore_on_cancel) {
        return PLAN_COMMIT;
    }
    result = redeem_undo(plan, redeem, redeemed_lsn, &thing);
    if (result != PLAN_COMMIT) {
        return result;
    }
    int64_t spent = thing.at.rules->put.budget - thing.at.guard.value;
    if (redeem->discount > spent) {
        return plan_invalid(plan, "discount: more than was given", CELLAR_NO_LINE);
    }
    *restored_out = true;
    return redeem_write(plan, &thing, thing.at.guard.value + redeem->discount);
}
