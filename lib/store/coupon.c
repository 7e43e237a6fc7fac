/* Coupons: claiming them, first come, first served, and taking them back.
 *
 * Numbers up to `admitted` are granted. A revocation of a granted one moves `admitted` on to the
 * next number that is still wanted: numbers that were revoked while they waited (holes) are passed
 * by, and revoking one that waits moves nothing. So of the claims that were not revoked exactly
 * min(quota, claims) are granted, always. */
#include "store/plan_coupon.h"

#include "base/probe.h"

#include <string.h>

/* ---- Requests with an id ---- */

static bool coupon_has_id(cellar_id id) {
    return id.high != 0 || id.low != 0;
}

enum plan_result plan_coupon_identify(struct plan *plan, cellar_id id, uint64_t fingerprint) {
    if (!coupon_has_id(id)) {
        return PLAN_COMMIT;
    }
    uint32_t slot = 0;
    enum plan_result result = plan_document(plan, id, fingerprint, STORE_STATE_OTHER, &slot);
    if (result != PLAN_COMMIT) {
        return result;
    }
    struct payload_coupon_id *payload = plan_append(plan, sizeof *payload);
    if (payload == NULL) {
        return PLAN_NO_MEMORY;
    }
    *payload = (struct payload_coupon_id){
        .id = id, .fingerprint = fingerprint, .time_ns = plan->now_ns, .slot = slot};
    return PLAN_COMMIT;
}

enum plan_result plan_coupon_refused(struct plan *plan, enum plan_result result, cellar_id id,
                                     uint64_t fingerprint) {
    if (result != PLAN_REFUSED || !coupon_has_id(id)) {
        return result;
    }
    const struct store_order *order = store_find_order(plan->store, id);
    if (order == NULL || plan_read(plan, store_order_cell(order->slot)).value <= 0) {
        return result;
    }
    uint32_t slot;
    plan->refusal = (cellar_refusal){.line = CELLAR_NO_LINE};
    return plan_document(plan, id, fingerprint, STORE_STATE_OTHER, &slot);
}

int64_t plan_coupon_kept(const struct plan *plan, cellar_id id) {
    const struct store_order *order = store_find_order(plan->store, id);
    return order == NULL ? 0 : order->total;
}

/* ---- Claiming ---- */

bool plan_check_claim(struct plan *plan, void *argument) {
    struct plan_claim_request *request = argument;
    if (request->campaign == 0 || request->customer == 0) {
        plan_invalid(
            plan, request->campaign == 0 ? "campaign: ids begin at 1" : "customer: ids begin at 1",
            CELLAR_NO_LINE);
        return false;
    }
    const uint64_t numbers[2] = {request->campaign, request->customer};
    request->fingerprint = hash_seeded(STORE_COUPON_CLAIM, numbers, sizeof numbers);
    return true;
}

/* The period that a claim falls into. */
struct coupon_window {
    struct cell_content cell;
    int64_t period;
    int64_t count; /* as the cell has it */
    bool begins;   /* no claim was in it yet: `count` is of an earlier one */
};

/* The place a claim is to take. */
struct coupon_place {
    struct plan_campaign at; /* guarded by `claimed` */
    struct coupon_grant_key key;
    uint32_t grant; /* 0: no entry yet */
    int64_t admitted;
    int64_t holes;
    struct coupon_window window;   /* of the campaign; its count is of the claims in the period */
    struct coupon_window customer; /* of customers; its count is of the claims before the period */
};

/* The first of the customer's coupons that is not claimed. A grant never comes to life again, so
 * those that are claimed are the first ones. */
static enum plan_result coupon_find_free(struct plan *plan, struct coupon_place *place) {
    const struct payload_campaign *put = &place->at.rules->put;
    for (uint32_t ordinal = 0; ordinal < put->customer_limit; ordinal++) {
        place->key.ordinal = ordinal;
        place->grant = coupons_find_grant(plan->store, &place->key);
        int64_t value =
            place->grant == 0 ? 0 : plan_read(plan, coupon_grant_cell(place->grant)).value;
        if (value == 0) {
            return PLAN_COMMIT;
        }
        int64_t number = coupon_grant_number(value);
        plan->refusal.rank = (uint64_t)number;
        plan->refusal.waiting =
            coupon_grant_state(value) == COUPON_ALIVE && number > place->admitted;
    }
    return plan_refuse(plan, CELLAR_ALREADY_CLAIMED, CELLAR_NO_LINE);
}

enum plan_result plan_coupon_check_time(struct plan *plan, const struct payload_campaign *put) {
    if (put->status != CELLAR_CAMPAIGN_OPEN) {
        bool paused = put->status == CELLAR_CAMPAIGN_PAUSED;
        return plan_refuse(plan, paused ? CELLAR_PAUSED : CELLAR_ENDED, CELLAR_NO_LINE);
    }
    if (put->valid_from_ns != 0 && plan->now_ns < put->valid_from_ns) {
        plan->refusal.retry_ns = put->valid_from_ns;
        return plan_refuse(plan, CELLAR_NOT_STARTED, CELLAR_NO_LINE);
    }
    if (put->valid_until_ns != 0 && plan->now_ns >= put->valid_until_ns) {
        return plan_refuse(plan, CELLAR_EXPIRED, CELLAR_NO_LINE);
    }
    return PLAN_COMMIT;
}

static void coupon_read_window(struct plan *plan, uint32_t cell, const struct coupon_period *rule,
                               struct coupon_window *window) {
    window->cell = plan_read(plan, cell);
    int64_t local_ns;
    if (__builtin_add_overflow(plan->now_ns, rule->offset_ns, &local_ns)) {
        local_ns = INT64_MAX;
    }
    if (local_ns < 0) {
        local_ns = 0;
    }
    window->period = local_ns / rule->length_ns;
    window->count = coupon_window_count(window->cell.value);
    /* Another thread's clock may be a little ahead: then the period is its. */
    window->begins = coupon_window_period(window->cell.value) < window->period;
    if (!window->begins) {
        window->period = coupon_window_period(window->cell.value);
    }
}

/* Tells when the next period begins. */
static enum plan_result coupon_refuse_period(struct plan *plan, const struct coupon_period *rule,
                                             int64_t period, cellar_status status) {
    int64_t next_ns;
    if (__builtin_mul_overflow(period + 1, rule->length_ns, &next_ns) ||
        __builtin_sub_overflow(next_ns, rule->offset_ns, &next_ns)) {
        next_ns = INT64_MAX;
    }
    plan->refusal.retry_ns = next_ns;
    return plan_refuse(plan, status, CELLAR_NO_LINE);
}

static enum plan_result coupon_check_window(struct plan *plan, struct coupon_place *place) {
    struct coupon_period rule = coupon_rules_period(place->at.rules, COUPON_WINDOW);
    struct coupon_window *window = &place->window;
    if (rule.length_ns == 0) {
        return PLAN_COMMIT;
    }
    coupon_read_window(plan, coupon_campaign_cell(place->at.campaign->slot, COUPON_WINDOW), &rule,
                       window);
    return !window->begins && window->count >= rule.count_max
               ? coupon_refuse_period(plan, &rule, window->period, CELLAR_PERIOD_CAP)
               : PLAN_COMMIT;
}

/* Whether the customer may claim in this period. Claims are numbered by time, and his coupons by
 * the same order: he has as many as he may when the one that is `count_max` back from the place is
 * of this period. It is read before the window, so that it was claimed when the window was so; that
 * the rules were the same then is looked at in the end. */
static enum plan_result coupon_check_customer(struct plan *plan, struct coupon_place *place) {
    struct coupon_period rule = coupon_rules_period(place->at.rules, COUPON_CUSTOMER_WINDOW);
    struct coupon_window *window = &place->customer;
    int64_t number = 0;
    if (rule.length_ns == 0) {
        return PLAN_COMMIT;
    }
    if (place->key.ordinal >= rule.count_max) {
        struct coupon_grant_key key = place->key;
        key.ordinal -= (uint32_t)rule.count_max;
        uint32_t grant = coupons_find_grant(plan->store, &key);
        number = coupon_grant_number(plan_read(plan, coupon_grant_cell(grant)).value);
    }
    PROBE("coupon-customer", place->at.campaign->slot);
    coupon_read_window(plan, coupon_campaign_cell(place->at.campaign->slot, COUPON_CUSTOMER_WINDOW),
                       &rule, window);
    if (window->begins || number <= window->count) {
        return PLAN_COMMIT;
    }
    return plan_campaign_settle(
        plan, coupon_refuse_period(plan, &rule, window->period, CELLAR_CUSTOMER_PERIOD_CAP),
        coupon_campaign_cell(place->at.campaign->slot, COUPON_RULES), place->at.number);
}

/* `admitted` and the holes at one instant: a refusal is checked by no commit. Another round means
 * that the waiting list was changed meanwhile. That there is room stays true while `claimed` is the
 * same: admitted + holes only grows, but by a put that writes `claimed` too. */
static void coupon_read_admitted(struct plan *plan, uint32_t campaign, struct coupon_place *place) {
    uint64_t version;
    struct cell_content admitted = plan_read(plan, coupon_campaign_cell(campaign, COUPON_ADMITTED));
    do {
        version = admitted.version;
        place->holes = plan_read(plan, coupon_campaign_cell(campaign, COUPON_HOLES)).value;
        admitted = plan_read(plan, coupon_campaign_cell(campaign, COUPON_ADMITTED));
    } while (admitted.version != version);
    place->admitted = admitted.value;
}

/* Finds the place, or refuses, by reads alone. The customer's own claim is told before anything
 * else; it is looked for after the numbers were read, so that whoever is told that all is sold out
 * had no claim when it was. */
static enum plan_result coupon_find_place(struct plan *plan,
                                          const struct plan_claim_request *request,
                                          struct coupon_place *place) {
    struct store_campaign *campaign = coupons_find_campaign(plan->store, request->campaign);
    enum plan_result result = plan_campaign_read(plan, campaign, COUPON_CLAIMED, &place->at);
    if (result != PLAN_COMMIT) {
        return result;
    }
    const struct payload_campaign *put = &place->at.rules->put;
    coupon_read_admitted(plan, campaign->slot, place);
    place->key =
        (struct coupon_grant_key){.customer = request->customer, .campaign = campaign->slot};
    result = coupon_find_free(plan, place);
    if (result == PLAN_COMMIT) {
        result = coupon_check_customer(plan, place);
    }
    if (result == PLAN_COMMIT) {
        plan->refusal.rank = 0;
        plan->refusal.waiting = false;
        result = plan_coupon_check_time(plan, put);
    }
    if (result != PLAN_COMMIT) {
        return result;
    }
    int64_t waiting = place->at.guard.value - place->admitted - place->holes;
    if (place->at.guard.value >= place->admitted && waiting >= put->waitlist_max) {
        result = plan_refuse(plan, put->waitlist_max == 0 ? CELLAR_SOLD_OUT : CELLAR_WAITLIST_FULL,
                             CELLAR_NO_LINE);
    } else {
        result = coupon_check_window(plan, place);
    }
    return plan_campaign_settle(plan, result, coupon_campaign_cell(campaign->slot, COUPON_CLAIMED),
                                place->at.guard);
}

/* The window of customers stays as it is until the next period: `claimed` guards it. */
static bool coupon_count_claim(struct plan *plan, const struct coupon_place *place) {
    uint32_t slot = place->at.campaign->slot;
    const struct coupon_window *window = &place->window;
    const struct coupon_window *customer = &place->customer;
    return (place->at.rules->put.period_ns == 0 ||
            plan_write(
                plan, coupon_campaign_cell(slot, COUPON_WINDOW), window->cell,
                coupon_window_value(window->period, window->begins ? 1 : window->count + 1))) &&
           (!customer->begins ||
            plan_write(plan, coupon_campaign_cell(slot, COUPON_CUSTOMER_WINDOW), customer->cell,
                       coupon_window_value(customer->period, place->at.guard.value)));
}

static enum plan_result coupon_take_place(struct plan *plan, const struct coupon_place *place) {
    uint32_t slot = place->at.campaign->slot;
    /* Only now that it is going to be committed is an entry linked. */
    uint32_t grant =
        place->grant != 0 ? place->grant : coupons_ensure_grant(plan->store, &place->key);
    if (grant == 0) {
        return plan_refuse(plan, CELLAR_STORE_FULL, CELLAR_NO_LINE);
    }
    struct cell_content content = plan_read(plan, coupon_grant_cell(grant));
    if (content.value != 0) {
        /* Claimed since it was looked for. */
        plan->wait_lsn = 0;
        return PLAN_WAIT;
    }
    int64_t number = place->at.guard.value + 1;
    struct payload_claim *payload = plan_append(plan, sizeof *payload);
    if (payload == NULL ||
        !plan_write(plan, coupon_grant_cell(grant), content,
                    coupon_grant_value(number, COUPON_ALIVE)) ||
        !plan_write(plan, coupon_campaign_cell(slot, COUPON_CLAIMED), place->at.guard, number) ||
        !coupon_count_claim(plan, place)) {
        return PLAN_NO_MEMORY;
    }
    *payload = (struct payload_claim){.customer = place->key.customer,
                                      .number = (uint64_t)number,
                                      .campaign = slot,
                                      .grant = grant,
                                      .ordinal = place->key.ordinal};
    plan->ticket.rank = (uint64_t)number;
    plan->ticket.waiting = number > place->admitted;
    plan->kind = STORE_COUPON_CLAIM;
    return PLAN_COMMIT;
}

enum plan_result plan_coupon_claim(struct plan *plan, void *argument) {
    const struct plan_claim_request *request = argument;
    struct coupon_place place = {.grant = 0};
    enum plan_result result = coupon_find_place(plan, request, &place);
    if (result == PLAN_COMMIT) {
        result = coupon_take_place(plan, &place);
    }
    if (result == PLAN_COMMIT) {
        result = plan_coupon_identify(plan, request->id, request->fingerprint);
    } else {
        result = plan_coupon_refused(plan, result, request->id, request->fingerprint);
    }
    if (result == PLAN_REPEATED) {
        int64_t number = plan_coupon_kept(plan, request->id);
        plan->ticket.rank = (uint64_t)number;
        plan->ticket.waiting = number > place.admitted;
    }
    return result;
}

/* ---- Revoking ---- */

bool plan_check_revoke(struct plan *plan, void *argument) {
    struct plan_revoke_request *request = argument;
    const uint64_t numbers[3] = {request->campaign, request->customer, request->ordinal};
    request->fingerprint = hash_seeded(STORE_COUPON_REVOKE, numbers, sizeof numbers);
    const char *wrong = request->campaign == 0   ? "campaign: ids begin at 1"
                        : request->customer == 0 ? "customer: ids begin at 1"
                        : request->ordinal >= CELLAR_COUPONS_OF_CUSTOMER_MAX ? "ordinal: below 255"
                                                                             : NULL;
    if (wrong != NULL) {
        plan_invalid(plan, wrong, CELLAR_NO_LINE);
    }
    return wrong == NULL;
}

/* Takes the grant's number out of those that are granted, or that wait. */
static enum plan_result coupon_plan_leave(struct plan *plan, const struct store_campaign *campaign,
                                          struct cell_content admitted, int64_t number,
                                          int64_t *admitted_out) {
    struct cell_content claimed =
        plan_read(plan, coupon_campaign_cell(campaign->slot, COUPON_CLAIMED));
    struct cell_content content =
        plan_read(plan, coupon_campaign_cell(campaign->slot, COUPON_HOLES));
    int64_t holes = content.value;
    *admitted_out = admitted.value;
    if (number > admitted.value) {
        holes++;
    } else {
        enum plan_result result =
            plan_campaign_admit(plan, campaign, admitted, claimed.value, 1, &holes, admitted_out);
        if (result != PLAN_COMMIT) {
            return result;
        }
    }
    /* Written even where it stays the same: every revocation depends on the one before it. */
    bool written =
        plan_write(plan, coupon_campaign_cell(campaign->slot, COUPON_ADMITTED), admitted,
                   *admitted_out) &&
        (holes == content.value ||
         plan_write(plan, coupon_campaign_cell(campaign->slot, COUPON_HOLES), content, holes));
    return written ? PLAN_COMMIT : PLAN_NO_MEMORY;
}

enum plan_result plan_coupon_revoke(struct plan *plan, void *argument) {
    const struct plan_revoke_request *request = argument;
    struct store_campaign *campaign = coupons_find_campaign(plan->store, request->campaign);
    struct plan_campaign at;
    enum plan_result result = plan_campaign_read(plan, campaign, COUPON_ADMITTED, &at);
    if (result != PLAN_COMMIT) {
        return result;
    }
    const struct coupon_grant_key key = {request->customer, campaign->slot, request->ordinal};
    uint32_t grant = coupons_find_grant(plan->store, &key);
    struct cell_content content = {0, 0};
    if (grant != 0) {
        content = plan_read(plan, coupon_grant_cell(grant));
    }
    int64_t number = coupon_grant_number(content.value);
    switch (coupon_grant_state(content.value)) {
    case COUPON_ALIVE:
        break;
    case COUPON_REDEEMED:
        return plan_refuse(plan, CELLAR_ALREADY_REDEEMED, CELLAR_NO_LINE);
    case COUPON_REVOKED:
        plan->ticket.lsn = content.version;
        plan->ticket.repeated = true;
        return PLAN_REPEATED;
    default:
        return plan_refuse(plan, CELLAR_NOT_FOUND, CELLAR_NO_LINE);
    }
    int64_t admitted;
    result = coupon_plan_leave(plan, campaign, at.guard, number, &admitted);
    if (result != PLAN_COMMIT) {
        return result;
    }
    struct payload_revoke *payload = plan_append(plan, sizeof *payload);
    if (payload == NULL || !plan_write(plan, coupon_grant_cell(grant), content,
                                       coupon_grant_value(number, COUPON_REVOKED))) {
        return PLAN_NO_MEMORY;
    }
    *payload = (struct payload_revoke){.number = (uint64_t)number,
                                       .admitted_before = (uint64_t)at.guard.value,
                                       .admitted_after = (uint64_t)admitted,
                                       .campaign = campaign->slot,
                                       .grant = grant};
    plan->kind = STORE_COUPON_REVOKE;
    return PLAN_COMMIT;
}
