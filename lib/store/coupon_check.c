/* Whether records of campaigns, coupons and codes are well formed: recovery asks before it applies
 * what it has read from the disk. Slots of grants and codes may come with the same record; whether
 * they are there is asked when they are used. */
#include "store/store.h"

#include <string.h>

static bool coupon_check_range(int64_t value, int64_t low, int64_t high) {
    return value >= low && value <= high;
}

/* Of a campaign that is there already. */
static bool coupon_check_campaign_slot(const struct store *store, uint32_t campaign) {
    return campaign != 0 && campaign < slots_end(&store->coupons.campaign_slots) &&
           ATOMIC_LOAD(&store->coupons.campaigns[campaign].created_lsn, relaxed) != 0;
}

static bool coupon_check_texts(const struct payload_campaign *put, size_t text_bytes) {
    size_t bytes = put->name_bytes;
    if (put->category_count > CELLAR_RESTRICTIONS_MAX) {
        return false;
    }
    for (uint32_t i = 0; i < put->category_count; i++) {
        if (put->category_bytes[i] == 0 || put->category_bytes[i] > CELLAR_CATEGORY_BYTES_MAX) {
            return false;
        }
        bytes += put->category_bytes[i];
    }
    return bytes == text_bytes;
}

static bool coupon_check_discount(const struct store *store, const struct payload_campaign *put) {
    if (put->discount_kind > CELLAR_DISCOUNT_PERCENT ||
        put->product_count > CELLAR_RESTRICTIONS_MAX) {
        return false;
    }
    for (uint32_t i = 0; i < put->product_count; i++) {
        if (put->products[i] == 0 || put->products[i] >= slots_end(&store->product_slots)) {
            return false;
        }
    }
    int64_t high = put->discount_kind == CELLAR_DISCOUNT_PERCENT ? 10000 : CELLAR_AMOUNT_MAX;
    return coupon_check_range(put->discount_value, 0, high) &&
           coupon_check_range(put->discount_cap, 0, CELLAR_AMOUNT_MAX) &&
           coupon_check_range(put->discount_minimum, 0, CELLAR_AMOUNT_MAX);
}

static bool coupon_check_customer(const struct payload_campaign *put) {
    struct payload_customer_period customer;
    if (coupon_put_tail_bytes(put) == 0) {
        return true;
    }
    memcpy(&customer, put + 1, sizeof customer);
    return customer.period_ns >= COUPON_PERIOD_NS_MIN &&
           coupon_check_range(customer.period_count, 1, put->customer_limit - 1) &&
           coupon_check_range(customer.claimed_before, 0, CELLAR_GRANTS_MAX);
}

static bool coupon_check_put(const struct store *store, const struct store_part *part) {
    const struct payload_campaign *put = part->payload;
    if (!part->whole || part->bytes < sizeof *put ||
        part->bytes - sizeof *put < coupon_put_tail_bytes(put) || put->campaign == 0 ||
        put->campaign > CELLAR_CAMPAIGNS_MAX || put->rules == 0) {
        return false;
    }
    const struct record_update *update =
        record_find(part->record, coupon_campaign_cell(put->campaign, COUPON_RULES));
    bool numbers = update != NULL && update->new_value == put->rules && put->id != 0 &&
                   put->status <= CELLAR_CAMPAIGN_CLOSED && put->customer_limit != 0 &&
                   put->restore_on_cancel <= 1 && put->flags <= PAYLOAD_CAMPAIGN_CUSTOMER_PERIOD;
    bool ranges = coupon_check_range(put->quota, 0, CELLAR_QUOTA_MAX) &&
                  coupon_check_range(put->waitlist_max, 0, CELLAR_QUOTA_MAX) &&
                  coupon_check_range(put->budget, 0, CELLAR_AMOUNT_MAX) &&
                  coupon_check_range(put->period_count, 0, COUPON_PERIOD_COUNT_MAX) &&
                  (put->period_ns == 0 || put->period_ns >= COUPON_PERIOD_NS_MIN) &&
                  coupon_check_range(put->admitted_before, 0, CELLAR_AMOUNT_MAX) &&
                  coupon_check_range(put->admitted_after, 0, CELLAR_AMOUNT_MAX);
    return numbers && ranges && coupon_check_customer(put) && coupon_check_discount(store, put) &&
           coupon_check_texts(put, part->bytes - sizeof *put - coupon_put_tail_bytes(put));
}

/* The payload ends after `bytes`, or after what says which id the request had. */
static bool coupon_check_identity(const struct store_part *part, size_t bytes) {
    struct payload_coupon_id identity;
    if (part->bytes == bytes) {
        return true;
    }
    if (part->bytes != bytes + sizeof identity) {
        return false;
    }
    memcpy(&identity, (const unsigned char *)part->payload + bytes, sizeof identity);
    return (identity.id.high != 0 || identity.id.low != 0) && identity.slot != 0 &&
           identity.slot <= CELLAR_ORDERS_MAX &&
           record_find(part->record, store_order_cell(identity.slot)) != NULL;
}

static bool coupon_check_claim(const struct store *store, const struct store_part *part) {
    const struct payload_claim *claim = part->payload;
    if (part->bytes < sizeof *claim || !coupon_check_identity(part, sizeof *claim) ||
        !coupon_check_campaign_slot(store, claim->campaign) || claim->grant == 0 ||
        claim->grant > CELLAR_GRANTS_MAX || claim->ordinal >= CELLAR_COUPONS_OF_CUSTOMER_MAX ||
        claim->customer == 0) {
        return false;
    }
    const struct record_update *update = record_find(part->record, coupon_grant_cell(claim->grant));
    return update != NULL && coupon_grant_number(update->new_value) == (int64_t)claim->number;
}

static bool coupon_check_revoke(const struct store *store, const struct store_part *part) {
    const struct payload_revoke *revoke = part->payload;
    if (part->bytes != sizeof *revoke || !coupon_check_campaign_slot(store, revoke->campaign) ||
        revoke->grant == 0 || revoke->grant > CELLAR_GRANTS_MAX ||
        revoke->admitted_after < revoke->admitted_before ||
        revoke->admitted_after > CELLAR_AMOUNT_MAX) {
        return false;
    }
    const struct record_update *update =
        record_find(part->record, coupon_grant_cell(revoke->grant));
    return update != NULL && coupon_grant_number(update->new_value) == (int64_t)revoke->number;
}

bool coupon_check_redeem(const struct store *store, const struct payload_redeem *redeem) {
    return coupon_check_campaign_slot(store, redeem->campaign) &&
           (redeem->grant == 0) != (redeem->code == 0) && redeem->grant <= CELLAR_GRANTS_MAX &&
           redeem->code <= CELLAR_CODES_MAX &&
           coupon_check_range(redeem->discount, 0, CELLAR_AMOUNT_MAX);
}

static bool coupon_check_redeem_call(const struct store *store, const struct store_part *part) {
    const struct payload_redeem *redeem = part->payload;
    if (part->bytes < sizeof *redeem || !coupon_check_identity(part, sizeof *redeem) ||
        !coupon_check_redeem(store, redeem)) {
        return false;
    }
    uint32_t cell =
        redeem->grant != 0 ? coupon_grant_cell(redeem->grant) : coupon_code_cell(redeem->code);
    return record_find(part->record, cell) != NULL;
}

static bool coupon_check_code(const struct store *store, const struct store_part *part) {
    const struct payload_code *code = part->payload;
    if (part->bytes < sizeof *code || !coupon_check_campaign_slot(store, code->campaign) ||
        code->code == 0 || code->code > CELLAR_CODES_MAX || code->code_bytes == 0 ||
        code->code_bytes > CELLAR_CODE_BYTES_MAX ||
        part->bytes != sizeof *code + code->code_bytes) {
        return false;
    }
    return coupon_check_range(code->uses, 1, CELLAR_QUOTA_MAX) &&
           memchr(code + 1, '\0', code->code_bytes) == NULL &&
           record_find(part->record, coupon_code_cell(code->code)) != NULL;
}

bool coupon_check(const struct store *store, const struct store_part *part) {
    switch (part->kind) {
    case STORE_CAMPAIGN_PUT:
        return coupon_check_put(store, part);
    case STORE_COUPON_CLAIM:
        return coupon_check_claim(store, part);
    case STORE_COUPON_REVOKE:
        return coupon_check_revoke(store, part);
    case STORE_CODE_ADD:
        return coupon_check_code(store, part);
    default:
        return coupon_check_redeem_call(store, part);
    }
}
