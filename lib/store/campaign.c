/* Campaigns: an entry for life, and an immutable block of rules whose number is one of its cells
 * (rule 10). */
#include "store/plan_coupon.h"

#include "base/assert.h"

#include <string.h>

#define CAMPAIGN_DAY_NS (24 * 60 * COUPON_PERIOD_NS_MIN)

/* ---- Checking a request ---- */

static bool campaign_in(int64_t value, int64_t low, int64_t high) {
    return value >= low && value <= high;
}

/* What is said when a cap on periods is wrong. */
struct campaign_period_words {
    const char *offset_alone, *length, *offset, *count;
};

static const char *campaign_check_period(const struct coupon_period *period, int64_t count_max,
                                         const struct campaign_period_words *words) {
    if (period->length_ns == 0 && period->count_max == 0) {
        return period->offset_ns == 0 ? NULL : words->offset_alone;
    }
    if (!campaign_in(period->length_ns, COUPON_PERIOD_NS_MIN, 366 * CAMPAIGN_DAY_NS)) {
        return words->length;
    }
    if (!campaign_in(period->offset_ns, -CAMPAIGN_DAY_NS, CAMPAIGN_DAY_NS)) {
        return words->offset;
    }
    return campaign_in(period->count_max, 1, count_max) ? NULL : words->count;
}

static uint8_t campaign_customer_limit(const cellar_campaign *campaign) {
    return (uint8_t)(campaign->customer_limit == 0 ? 1 : campaign->customer_limit);
}

static const char *campaign_check_periods(const cellar_campaign *campaign) {
    static const struct campaign_period_words words = {
        "period_offset_ns: only with period_ns", "period_ns: 0, or a minute to 366 days",
        "period_offset_ns: at most 24 hours either way", "period_count: 1 to 10^10 with period_ns"};
    static const struct campaign_period_words customer_words = {
        "customer_period_offset_ns: only with customer_period_ns",
        "customer_period_ns: 0, or a minute to 366 days",
        "customer_period_offset_ns: at most 24 hours either way",
        "customer_period_count: at least 1, and below customer_limit"};
    const struct coupon_period period = {campaign->period_ns, campaign->period_offset_ns,
                                         campaign->period_count};
    const struct coupon_period customer = {campaign->customer_period_ns,
                                           campaign->customer_period_offset_ns,
                                           campaign->customer_period_count};
    const char *wrong = campaign_check_period(&period, COUPON_PERIOD_COUNT_MAX, &words);
    return wrong != NULL ? wrong
                         : campaign_check_period(&customer, campaign_customer_limit(campaign) - 1,
                                                 &customer_words);
}

static const char *campaign_check_discount(const cellar_discount *discount, size_t *text_bytes) {
    if (discount->kind < CELLAR_DISCOUNT_NONE || discount->kind > CELLAR_DISCOUNT_PERCENT) {
        return "discount: no such kind";
    }
    int64_t high = discount->kind == CELLAR_DISCOUNT_AMOUNT    ? CELLAR_AMOUNT_MAX
                   : discount->kind == CELLAR_DISCOUNT_PERCENT ? DISCOUNT_BASIS_POINTS
                                                               : 0;
    if (!campaign_in(discount->value, 0, high)) {
        return "discount: value is out of range for the kind";
    }
    if (!campaign_in(discount->cap, 0, CELLAR_AMOUNT_MAX) ||
        !campaign_in(discount->minimum, 0, CELLAR_AMOUNT_MAX)) {
        return "discount: cap and minimum from 0 to CELLAR_AMOUNT_MAX";
    }
    if (discount->product_count > CELLAR_RESTRICTIONS_MAX ||
        discount->category_count > CELLAR_RESTRICTIONS_MAX) {
        return "discount: at most 16 products and 16 categories";
    }
    for (uint32_t i = 0; i < discount->category_count; i++) {
        size_t bytes = plan_text_bytes(discount->categories[i], CELLAR_CATEGORY_BYTES_MAX);
        if (bytes == 0 || bytes == SIZE_MAX) {
            return "discount: categories of 1 to 64 bytes";
        }
        *text_bytes += bytes;
    }
    return NULL;
}

static const char *campaign_check_rest(const cellar_campaign *campaign, size_t *text_bytes) {
    size_t name_bytes = plan_text_bytes(campaign->name, CELLAR_NAME_BYTES_MAX);
    if (campaign->id == 0) {
        return "id: ids begin at 1";
    }
    if (name_bytes == SIZE_MAX) {
        return "name: at most 255 bytes";
    }
    if (!campaign_in(campaign->quota, 0, CELLAR_QUOTA_MAX)) {
        return "quota: 0 to CELLAR_QUOTA_MAX";
    }
    if (campaign->customer_limit > CELLAR_COUPONS_OF_CUSTOMER_MAX) {
        return "customer_limit: at most 255";
    }
    if (campaign->status < CELLAR_CAMPAIGN_OPEN || campaign->status > CELLAR_CAMPAIGN_CLOSED) {
        return "status: no such campaign status";
    }
    if (!campaign_in(campaign->waitlist_max, 0, CELLAR_QUOTA_MAX)) {
        return "waitlist_max: 0 to CELLAR_QUOTA_MAX";
    }
    if (!campaign_in(campaign->budget, 0, CELLAR_AMOUNT_MAX)) {
        return "budget: 0 to CELLAR_AMOUNT_MAX";
    }
    *text_bytes = name_bytes;
    return NULL;
}

bool plan_check_campaign(struct plan *plan, void *argument) {
    struct plan_campaign_request *request = argument;
    const cellar_campaign *campaign = request->campaign;
    const char *wrong = campaign_check_rest(campaign, &request->text_bytes);
    if (wrong == NULL) {
        wrong = campaign_check_periods(campaign);
    }
    if (wrong == NULL) {
        wrong = campaign_check_discount(&campaign->discount, &request->text_bytes);
    }
    if (wrong != NULL) {
        plan_invalid(plan, wrong, CELLAR_NO_LINE);
    }
    return wrong == NULL;
}

/* ---- Blocks ---- */

void campaign_rules_fill(struct coupon_rules *rules, const cellar_campaign *campaign) {
    const cellar_discount *discount = &campaign->discount;
    struct payload_campaign *put = &rules->put;
    size_t name_bytes = plan_text_bytes(campaign->name, CELLAR_NAME_BYTES_MAX);
    *put = (struct payload_campaign){
        .id = campaign->id,
        .quota = campaign->quota,
        .valid_from_ns = campaign->valid_from_ns,
        .valid_until_ns = campaign->valid_until_ns,
        .redeem_until_ns = campaign->redeem_until_ns,
        .waitlist_max = campaign->waitlist_max,
        .period_ns = campaign->period_ns,
        .period_offset_ns = campaign->period_offset_ns,
        .period_count = campaign->period_count,
        .budget = campaign->budget,
        .discount_value = discount->value,
        .discount_cap = discount->cap,
        .discount_minimum = discount->minimum,
        .rules = rules->number,
        .status = (uint8_t)campaign->status,
        .discount_kind = (uint8_t)discount->kind,
        .restore_on_cancel = campaign->restore_on_cancel,
        .customer_limit = campaign_customer_limit(campaign),
        .product_count = (uint8_t)discount->product_count,
        .category_count = (uint8_t)discount->category_count,
        .name_bytes = (uint8_t)name_bytes,
        .flags = campaign->customer_period_ns != 0 ? PAYLOAD_CAMPAIGN_CUSTOMER_PERIOD : 0};
    rules->customer =
        (struct payload_customer_period){.period_ns = campaign->customer_period_ns,
                                         .period_offset_ns = campaign->customer_period_offset_ns,
                                         .period_count = campaign->customer_period_count};
    char *text = rules->text;
    if (name_bytes != 0) {
        memcpy(text, campaign->name, name_bytes);
        text += name_bytes;
    }
    for (uint32_t i = 0; i < discount->product_count; i++) {
        put->products[i] = (uint32_t)discount->products[i];
    }
    for (uint32_t i = 0; i < discount->category_count; i++) {
        size_t bytes = strlen(discount->categories[i]);
        put->category_bytes[i] = (uint8_t)bytes;
        memcpy(text, discount->categories[i], bytes);
        text += bytes;
    }
}

/* ---- Reading ---- */

enum plan_result plan_campaign_read(struct plan *plan, struct store_campaign *campaign,
                                    enum coupon_campaign_cell guard,
                                    struct plan_campaign *campaign_out) {
    if (campaign == NULL) {
        return plan_refuse(plan, CELLAR_NOT_FOUND, CELLAR_NO_LINE);
    }
    campaign_out->campaign = campaign;
    campaign_out->guard = plan_read(plan, coupon_campaign_cell(campaign->slot, guard));
    campaign_out->number = plan_read(plan, coupon_campaign_cell(campaign->slot, COUPON_RULES));
    campaign_out->rules = coupons_rules(plan->store, campaign_out->number.value);
    return campaign_out->rules == NULL ? plan_refuse(plan, CELLAR_NOT_FOUND, CELLAR_NO_LINE)
                                       : PLAN_COMMIT;
}

enum plan_result plan_campaign_settle(struct plan *plan, enum plan_result result, uint32_t cell,
                                      struct cell_content guard) {
    if (result == PLAN_REFUSED && plan_read(plan, cell).version != guard.version) {
        plan->wait_lsn = 0;
        return PLAN_WAIT;
    }
    return result;
}

enum plan_result plan_campaign_admit(struct plan *plan, const struct store_campaign *campaign,
                                     struct cell_content admitted, int64_t claimed, int64_t places,
                                     int64_t *holes, int64_t *admitted_out) {
    int64_t last = admitted.value;
    if (*holes > 0 && last < claimed) {
        /* Which numbers the holes are follows the log: known, and guarded by the version of
         * `admitted`, which every revocation writes. */
        if (plan_is_pending(plan, coupon_campaign_cell(campaign->slot, COUPON_ADMITTED))) {
            return plan_invalid(plan, "campaign: its waiting list changes twice in one transaction",
                                CELLAR_NO_LINE);
        }
        if (ATOMIC_LOAD(&plan->store->commit->projected.lsn, acquire) <= admitted.version) {
            plan->wait_lsn = admitted.version;
            return PLAN_WAIT;
        }
        /* Acquire: pairs with the release in coupon_apply_hole(). */
        const struct index *index = ATOMIC_LOAD(&campaign->holes, acquire);
        /* Ends: no more steps than claims that wait, and there is no hole beyond them. */
        while (places > 0 && *holes > 0 && last < claimed && index != NULL) {
            last++;
            if (index_contains(index, (uint64_t)last)) {
                --*holes;
            } else {
                places--;
            }
        }
    }
    *admitted_out = last + places;
    return PLAN_COMMIT;
}

/* ---- Putting ---- */

struct campaign_cells {
    struct cell_content claimed, budget, rules, admitted, window, customer_window, holes;
};

/* `claimed` and `budget` guard the others; all are then written, or unchanged since. */
static struct campaign_cells campaign_read_cells(struct plan *plan, uint32_t slot) {
    struct campaign_cells cells;
    cells.claimed = plan_read(plan, coupon_campaign_cell(slot, COUPON_CLAIMED));
    cells.budget = plan_read(plan, coupon_campaign_cell(slot, COUPON_BUDGET));
    cells.rules = plan_read(plan, coupon_campaign_cell(slot, COUPON_RULES));
    cells.admitted = plan_read(plan, coupon_campaign_cell(slot, COUPON_ADMITTED));
    cells.window = plan_read(plan, coupon_campaign_cell(slot, COUPON_WINDOW));
    cells.customer_window = plan_read(plan, coupon_campaign_cell(slot, COUPON_CUSTOMER_WINDOW));
    cells.holes = plan_read(plan, coupon_campaign_cell(slot, COUPON_HOLES));
    return cells;
}

static bool campaign_write(struct plan *plan, uint32_t slot, enum coupon_campaign_cell which,
                           struct cell_content read, int64_t value) {
    return plan_write(plan, coupon_campaign_cell(slot, which), read, value);
}

static enum plan_result campaign_refuse_below(struct plan *plan, int64_t least, int64_t needed) {
    plan->refusal.available = least;
    plan->refusal.needed = needed;
    return plan_refuse(plan, CELLAR_BELOW_CLAIMED, CELLAR_NO_LINE);
}

/* What another quota makes of `admitted` and the holes. */
static enum plan_result campaign_plan_quota(struct plan *plan,
                                            const struct store_campaign *campaign,
                                            const struct campaign_cells *cells, int64_t before,
                                            struct payload_campaign *put) {
    int64_t admitted = cells->admitted.value;
    int64_t holes = cells->holes.value;
    int64_t unclaimed = admitted > cells->claimed.value ? admitted - cells->claimed.value : 0;
    if (put->quota < before) {
        if (before - put->quota > unclaimed) {
            return campaign_refuse_below(plan, before - unclaimed, put->quota);
        }
        admitted -= before - put->quota;
    } else {
        enum plan_result result =
            plan_campaign_admit(plan, campaign, cells->admitted, cells->claimed.value,
                                put->quota - before, &holes, &admitted);
        if (result != PLAN_COMMIT) {
            return result;
        }
    }
    put->admitted_before = cells->admitted.value;
    put->admitted_after = admitted;
    bool written =
        (admitted == cells->admitted.value ||
         campaign_write(plan, campaign->slot, COUPON_ADMITTED, cells->admitted, admitted)) &&
        (holes == cells->holes.value ||
         campaign_write(plan, campaign->slot, COUPON_HOLES, cells->holes, holes));
    return written ? PLAN_COMMIT : PLAN_NO_MEMORY;
}

/* Other periods begin to count with the next claim. */
static bool campaign_plan_window(struct plan *plan, uint32_t slot, enum coupon_campaign_cell which,
                                 struct cell_content read, const struct coupon_rules *old,
                                 const struct coupon_rules *rules, int64_t fresh) {
    struct coupon_period before = coupon_rules_period(old, which);
    struct coupon_period after = coupon_rules_period(rules, which);
    bool same = before.length_ns == after.length_ns && before.offset_ns == after.offset_ns;
    return same || campaign_write(plan, slot, which, read, after.length_ns == 0 ? 0 : fresh);
}

static bool campaign_plan_windows(struct plan *plan, uint32_t slot, const struct coupon_rules *old,
                                  const struct coupon_rules *rules,
                                  const struct campaign_cells *cells) {
    /* Of a new campaign all cells are as they should be. */
    return old == NULL ||
           (campaign_plan_window(plan, slot, COUPON_WINDOW, cells->window, old, rules,
                                 coupon_window_value(0, 0)) &&
            campaign_plan_window(plan, slot, COUPON_CUSTOMER_WINDOW, cells->customer_window, old,
                                 rules, coupon_window_value(0, cells->claimed.value)));
}

static enum plan_result campaign_plan_cells(struct plan *plan,
                                            const struct store_campaign *campaign,
                                            const struct coupon_rules *old,
                                            const struct campaign_cells *cells,
                                            struct coupon_rules *rules) {
    uint32_t slot = campaign->slot;
    struct payload_campaign *put = &rules->put;
    int64_t spent = old == NULL ? 0 : old->put.budget - cells->budget.value;
    if (put->budget != 0 && put->budget < spent) {
        return campaign_refuse_below(plan, spent, put->budget);
    }
    enum plan_result result =
        campaign_plan_quota(plan, campaign, cells, old == NULL ? 0 : old->put.quota, put);
    if (result != PLAN_COMMIT) {
        return result;
    }
    rules->customer.claimed_before = rules->customer.period_ns == 0 ? 0 : cells->claimed.value;
    bool written =
        campaign_write(plan, slot, COUPON_CLAIMED, cells->claimed, cells->claimed.value) &&
        campaign_write(plan, slot, COUPON_BUDGET, cells->budget, put->budget - spent) &&
        campaign_write(plan, slot, COUPON_RULES, cells->rules, put->rules) &&
        campaign_plan_windows(plan, slot, old, rules, cells);
    return written ? PLAN_COMMIT : PLAN_NO_MEMORY;
}

/* Products that the discount is good for must be there. */
static enum plan_result campaign_check_products(struct plan *plan,
                                                const cellar_discount *discount) {
    for (uint32_t i = 0; i < discount->product_count; i++) {
        if (store_find_product(plan->store, NULL, discount->products[i]) == NULL) {
            return plan_refuse(plan, CELLAR_NOT_FOUND, i);
        }
    }
    return PLAN_COMMIT;
}

static enum plan_result campaign_check_version(struct plan *plan, uint64_t expected,
                                               struct cell_content rules) {
    plan->refusal.version = rules.version;
    if (expected == CELLAR_VERSION_ABSENT && rules.value != 0) {
        return plan_refuse(plan, CELLAR_ALREADY_EXISTS, CELLAR_NO_LINE);
    }
    if (expected > CELLAR_VERSION_ABSENT && expected != rules.version) {
        return plan_refuse(plan, CELLAR_VERSION_CHANGED, CELLAR_NO_LINE);
    }
    plan->refusal.version = 0;
    return PLAN_COMMIT;
}

static enum plan_result campaign_append(struct plan *plan, const struct coupon_rules *rules,
                                        size_t text_bytes) {
    size_t tail_bytes = coupon_put_tail_bytes(&rules->put);
    char *payload = plan_append(plan, (uint32_t)(sizeof rules->put + tail_bytes + text_bytes));
    if (payload == NULL) {
        return PLAN_NO_MEMORY;
    }
    memcpy(payload, &rules->put, sizeof rules->put);
    memcpy(payload + sizeof rules->put, &rules->customer, tail_bytes);
    memcpy(payload + sizeof rules->put + tail_bytes, rules->text, text_bytes);
    return PLAN_COMMIT;
}

enum plan_result plan_campaign_put(struct plan *plan, void *argument) {
    const struct plan_campaign_request *request = argument;
    struct coupon_rules *rules = request->rules;
    struct payload_campaign *put = &rules->put;
    /* An entry is for life, so none is linked for a put that is refused. */
    if (request->expected > CELLAR_VERSION_ABSENT &&
        coupons_find_campaign(plan->store, put->id) == NULL) {
        return plan_refuse(plan, CELLAR_VERSION_CHANGED, CELLAR_NO_LINE);
    }
    enum plan_result result = campaign_check_products(plan, &request->campaign->discount);
    if (result != PLAN_COMMIT) {
        return result;
    }
    struct store_campaign *campaign = coupons_ensure_campaign(plan->store, put->id);
    if (campaign == NULL) {
        return plan_refuse(plan, CELLAR_STORE_FULL, CELLAR_NO_LINE);
    }
    struct campaign_cells cells = campaign_read_cells(plan, campaign->slot);
    result = campaign_check_version(plan, request->expected, cells.rules);
    if (result != PLAN_COMMIT) {
        return result;
    }
    const struct coupon_rules *old = coupons_rules(plan->store, cells.rules.value);
    /* The block is filled in again by each attempt: nobody else can see it before the commit. The
     * clock was read before the section began, and the campaign may have been put since. */
    put->campaign = campaign->slot;
    put->created_ns = old == NULL ? plan->now_ns : old->put.created_ns;
    if (old != NULL && plan->now_ns < old->put.updated_ns) {
        plan->now_ns = old->put.updated_ns;
    }
    put->updated_ns = plan->now_ns;
    result = campaign_plan_cells(plan, campaign, old, &cells, rules);
    if (result != PLAN_COMMIT) {
        return plan_campaign_settle(
            plan, result, coupon_campaign_cell(campaign->slot, COUPON_BUDGET), cells.budget);
    }
    plan->kind = STORE_CAMPAIGN_PUT;
    return campaign_append(plan, rules, request->text_bytes);
}
