/* The audit of campaigns, coupons and codes: see audit.c. */
#include "store/store.h"

#include <stdarg.h>
#include <stdio.h>

/* Objects looked at in one read section. */
#define COUPON_AUDIT_CHUNK 1024

struct coupon_audit {
    struct store *store;
    uint64_t snapshot;
    coupon_audit_report *report;
    void *context;
    uint32_t steps;
    uint64_t claimed; /* grants that were met, of all campaigns */
    uint64_t redeemed, revoked;
    int64_t spent;
};

/* What the grants of one campaign come to. */
struct coupon_counts {
    /* Of the claims numbered above `period_after` no customer has more than `period_max`; 0: no
     * such cap. */
    int64_t period_max;
    int64_t period_after;
    int64_t alive; /* not revoked */
    int64_t granted;
    int64_t redeemed;
    int64_t holes;
    int64_t spent;
};

__attribute__((format(printf, 2, 3))) static void
coupon_audit_violation(const struct coupon_audit *audit, const char *format, ...) {
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    audit->report(audit->context, text);
}

static int64_t coupon_audit_cell(const struct coupon_audit *audit, uint32_t cell) {
    return commit_read_at(audit->store->commit, cell, audit->snapshot).value;
}

static void coupon_audit_breathe(struct coupon_audit *audit) {
    if (++audit->steps % COUPON_AUDIT_CHUNK == 0) {
        commit_leave();
        commit_enter();
    }
}

static void coupon_audit_count(struct coupon_audit *audit, uint32_t slot, int64_t value,
                               int64_t admitted, struct coupon_counts *counts) {
    int64_t discount = ATOMIC_LOAD(&audit->store->coupons.grants[slot].discount, relaxed);
    bool revoked = coupon_grant_state(value) == COUPON_REVOKED;
    bool redeemed = coupon_grant_state(value) == COUPON_REDEEMED;
    bool inside = coupon_grant_number(value) <= admitted;
    counts->alive += !revoked;
    counts->granted += !revoked && inside;
    counts->holes += revoked && !inside;
    counts->redeemed += redeemed;
    store_sum(&counts->spent, discount);
    audit->revoked += revoked;
    if (redeemed ? !inside : discount != 0) {
        coupon_audit_violation(audit,
                               "grant slot %u: redeemed while it waits, or a discount of %lld "
                               "although it is not redeemed",
                               slot, (long long)discount);
    }
}

/* A customer's coupons have his ordinals in the order of their numbers. */
static void coupon_audit_customer(struct coupon_audit *audit, const struct store_campaign *campaign,
                                  const struct store_grant *grant,
                                  const struct coupon_counts *counts) {
    if (counts->period_max == 0 || grant->ordinal < counts->period_max) {
        return;
    }
    const struct coupon_grant_key key = {grant->customer, campaign->slot,
                                         grant->ordinal - (uint32_t)counts->period_max};
    uint32_t slot = coupons_find_grant(audit->store, &key);
    if (slot == 0) {
        coupon_audit_violation(audit, "campaign %llu: coupon %u of customer %llu is not there",
                               (unsigned long long)campaign->id, key.ordinal,
                               (unsigned long long)grant->customer);
        return;
    }
    int64_t value = coupon_audit_cell(audit, coupon_grant_cell(slot));
    if (coupon_grant_number(value) > counts->period_after) {
        coupon_audit_violation(audit,
                               "campaign %llu: customer %llu has claimed more than %lld in a "
                               "period",
                               (unsigned long long)campaign->id,
                               (unsigned long long)grant->customer, (long long)counts->period_max);
    }
}

/* The grants of a campaign, latest first, are numbered without a gap down to 1. */
static void coupon_audit_chain(struct coupon_audit *audit, const struct store_campaign *campaign,
                               int64_t claimed, int64_t admitted, struct coupon_counts *counts) {
    const struct coupons *coupons = &audit->store->coupons;
    uint32_t slot = ATOMIC_LOAD(&campaign->newest, relaxed);
    /* Ends: one number less in each round. */
    for (int64_t number = claimed; number > 0 || slot != 0; number--) {
        int64_t value = slot == 0 ? 0 : coupon_audit_cell(audit, coupon_grant_cell(slot));
        if (coupon_grant_number(value) != number || coupon_grant_state(value) < COUPON_ALIVE ||
            coupon_grant_state(value) > COUPON_REVOKED ||
            coupons->grants[slot].campaign != campaign->slot || number <= 0) {
            coupon_audit_violation(audit, "campaign %llu: claim %lld of %lld is missing or wrong",
                                   (unsigned long long)campaign->id, (long long)number,
                                   (long long)claimed);
            return;
        }
        coupon_audit_count(audit, slot, value, admitted, counts);
        if (number > counts->period_after) {
            coupon_audit_customer(audit, campaign, &coupons->grants[slot], counts);
        }
        audit->claimed++;
        slot = coupons->grants[slot].older_of_campaign;
        coupon_audit_breathe(audit);
    }
}

static void coupon_audit_windows(struct coupon_audit *audit, const struct store_campaign *campaign,
                                 const struct coupon_rules *rules, const int64_t *cells) {
    static const enum coupon_campaign_cell windows[] = {COUPON_WINDOW, COUPON_CUSTOMER_WINDOW};
    for (size_t i = 0; i < sizeof windows / sizeof *windows; i++) {
        int64_t value = cells[windows[i]];
        bool capped = coupon_rules_period(rules, windows[i]).length_ns != 0;
        if (value < 0 || coupon_window_count(value) > cells[COUPON_CLAIMED] ||
            (!capped && value != 0)) {
            coupon_audit_violation(
                audit, "campaign %llu: %lld claims in or before its window, of %lld",
                (unsigned long long)campaign->id, (long long)coupon_window_count(value),
                (long long)cells[COUPON_CLAIMED]);
        }
    }
}

static void coupon_audit_numbers(struct coupon_audit *audit, const struct store_campaign *campaign,
                                 const struct coupon_rules *rules) {
    const struct payload_campaign *put = &rules->put;
    int64_t cells[COUPON_CAMPAIGN_CELLS];
    for (uint32_t i = 0; i < COUPON_CAMPAIGN_CELLS; i++) {
        cells[i] = coupon_audit_cell(
            audit, coupon_campaign_cell(campaign->slot, (enum coupon_campaign_cell)i));
    }
    int64_t before = coupon_window_count(cells[COUPON_CUSTOMER_WINDOW]);
    int64_t put_at = rules->customer.claimed_before;
    /* Claims before the latest put obeyed the rules before it. */
    struct coupon_counts counts = {.period_max = rules->customer.period_count,
                                   .period_after = before > put_at ? before : put_at};
    unsigned long long id = campaign->id;
    int64_t claimed = cells[COUPON_CLAIMED];
    coupon_audit_chain(audit, campaign, claimed, cells[COUPON_ADMITTED], &counts);
    int64_t granted = counts.alive < put->quota ? counts.alive : put->quota;
    const struct index *holes = ATOMIC_LOAD(&campaign->holes, relaxed);
    uint64_t listed = holes == NULL ? 0 : index_count(holes);
    if (counts.granted != granted || counts.holes != cells[COUPON_HOLES] ||
        counts.holes != (int64_t)listed || claimed != (int64_t)campaign->claims ||
        claimed - counts.alive != (int64_t)campaign->revoked) {
        coupon_audit_violation(
            audit, "campaign %llu: %lld granted of %lld claims and a quota of %lld; %lld holes", id,
            (long long)counts.granted, (long long)counts.alive, (long long)put->quota,
            (long long)cells[COUPON_HOLES]);
    }
    int64_t spent = put->budget - cells[COUPON_BUDGET];
    int64_t summed = counts.spent;
    store_sum(&summed, campaign->code_spent);
    if (spent != campaign->spent || spent != summed || spent < 0 ||
        (put->budget != 0 && cells[COUPON_BUDGET] < 0)) {
        coupon_audit_violation(
            audit, "campaign %llu: spent %lld of its budget, but discounts sum up to %lld", id,
            (long long)spent, (long long)summed);
    }
    if (counts.redeemed != (int64_t)campaign->redeemed) {
        coupon_audit_violation(audit, "campaign %llu: %lld redeemed, %llu counted", id,
                               (long long)counts.redeemed, (unsigned long long)campaign->redeemed);
    }
    coupon_audit_windows(audit, campaign, rules, cells);
    audit->redeemed += campaign->redeemed;
    store_sum(&audit->spent, campaign->spent);
}

static uint64_t coupon_audit_campaigns(struct coupon_audit *audit) {
    const struct coupons *coupons = &audit->store->coupons;
    uint64_t campaigns = 0;
    for (uint32_t slot = 1; slot < slots_end(&coupons->campaign_slots); slot++) {
        const struct store_campaign *campaign = &coupons->campaigns[slot];
        int64_t number = coupon_audit_cell(audit, coupon_campaign_cell(slot, COUPON_RULES));
        const struct coupon_rules *rules = number > 0 && number < slots_end(&coupons->rules_slots)
                                               ? coupons_rules(audit->store, number)
                                               : NULL;
        if (rules != NULL) {
            /* Replaced blocks stay while our section lasts; leaving it now and then, we keep what
             * is asked of them; the texts are not. */
            const struct coupon_rules kept = {.put = rules->put, .customer = rules->customer};
            campaigns++;
            coupon_audit_numbers(audit, campaign, &kept);
        } else if (number != 0) {
            coupon_audit_violation(audit, "campaign slot %u: no rules %lld", slot,
                                   (long long)number);
        }
        coupon_audit_breathe(audit);
    }
    return campaigns;
}

/* Every grant stands in its customer's list, once. */
static void coupon_audit_holders(struct coupon_audit *audit) {
    const struct coupons *coupons = &audit->store->coupons;
    uint64_t met = 0;
    for (uint32_t i = 1; i < slots_end(&coupons->holder_slots); i++) {
        uint32_t slot = ATOMIC_LOAD(&coupons->holders[i].newest, relaxed);
        /* Ends: by the count, should the links be wrong. */
        while (slot != 0 && met <= audit->claimed) {
            met++;
            if (coupons->grants[slot].customer != coupons->holders[i].id) {
                coupon_audit_violation(audit, "grant slot %u is in the list of customer %llu", slot,
                                       (unsigned long long)coupons->holders[i].id);
            }
            slot = coupons->grants[slot].older_of_customer;
            coupon_audit_breathe(audit);
        }
    }
    if (met != audit->claimed) {
        coupon_audit_violation(audit, "%llu grants of campaigns, but %llu in lists of customers",
                               (unsigned long long)audit->claimed, (unsigned long long)met);
    }
}

static void coupon_audit_codes(struct coupon_audit *audit, const cellar_totals *totals) {
    const struct coupons *coupons = &audit->store->coupons;
    uint64_t codes = 0;
    int64_t used = 0;
    for (uint32_t slot = 1; slot < slots_end(&coupons->code_slots); slot++) {
        const struct store_code *code = &coupons->codes[slot];
        int64_t value = coupon_audit_cell(audit, coupon_code_cell(slot));
        int64_t uses = ATOMIC_LOAD(&code->uses, relaxed);
        codes += value != 0;
        store_sum(&used, code->used);
        if (value != 0 ? coupon_code_left(value) + code->used != uses || code->used < 0 ||
                             coupon_code_campaign(value) == 0
                       : uses != 0) {
            coupon_audit_violation(audit, "code \"%s\": %lld of %lld uses left after %lld",
                                   code->code, (long long)coupon_code_left(value), (long long)uses,
                                   (long long)code->used);
        }
        coupon_audit_breathe(audit);
    }
    if (codes != totals->codes || used != (int64_t)totals->code_uses) {
        coupon_audit_violation(audit, "%llu codes used %lld times; counted %llu, %llu",
                               (unsigned long long)codes, (long long)used,
                               (unsigned long long)totals->codes,
                               (unsigned long long)totals->code_uses);
    }
}

void coupon_audit(struct store *store, uint64_t snapshot, const cellar_totals *totals,
                  coupon_audit_report *report, void *context) {
    struct coupon_audit audit = {
        .store = store, .snapshot = snapshot, .report = report, .context = context};
    uint64_t campaigns = coupon_audit_campaigns(&audit);
    coupon_audit_holders(&audit);
    coupon_audit_codes(&audit, totals);
    if (campaigns != totals->campaigns || index_count(store->coupons.list) != campaigns ||
        audit.claimed != totals->coupons_claimed || audit.redeemed != totals->coupons_redeemed ||
        audit.revoked != totals->coupons_revoked || audit.spent != totals->discounts) {
        coupon_audit_violation(
            &audit, "%llu campaigns with %llu claims, discounts %lld; counted %llu, %llu, %lld",
            (unsigned long long)campaigns, (unsigned long long)audit.claimed,
            (long long)audit.spent, (unsigned long long)totals->campaigns,
            (unsigned long long)totals->coupons_claimed, (long long)totals->discounts);
    }
}
