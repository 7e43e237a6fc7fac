/* What follows from the records of campaigns, coupons and codes: lists, holes of waiting lists,
 * sums. One thread, in LSN order. */
#include "store/store.h"

#include "base/assert.h"

#include <string.h>

/* ---- Campaigns ---- */

static enum store_apply_result coupon_restore_campaign(struct store *store,
                                                       const struct payload_campaign *put) {
    struct coupons *coupons = &store->coupons;
    if (!slots_raise(&coupons->campaign_slots, put->campaign)) {
        return STORE_APPLY_LIMIT;
    }
    struct store_campaign *campaign = &coupons->campaigns[put->campaign];
    if (campaign->slot != 0) {
        return campaign->id == put->id ? STORE_APPLIED : STORE_APPLY_BROKEN;
    }
    campaign->id = put->id;
    campaign->slot = put->campaign;
    uint64_t hash = store_hash_number(store, put->id);
    uint32_t found = table_add(&coupons->campaign_table, hash, &put->id, put->campaign);
    return found == put->campaign ? STORE_APPLIED : STORE_APPLY_BROKEN;
}

static enum store_apply_result
coupon_restore_rules(struct store *store, const struct payload_campaign *put, size_t text_bytes) {
    struct coupons *coupons = &store->coupons;
    if (!slots_raise(&coupons->rules_slots, put->rules)) {
        return STORE_APPLY_LIMIT;
    }
    if (ATOMIC_LOAD(&coupons->rules[put->rules], acquire) != NULL) {
        return STORE_APPLIED;
    }
    struct coupon_rules *rules = coupons_rules_create(store, put->rules, text_bytes);
    if (rules == NULL) {
        return STORE_APPLY_NO_MEMORY;
    }
    size_t tail_bytes = coupon_put_tail_bytes(put);
    rules->put = *put;
    memcpy(&rules->customer, put + 1, tail_bytes);
    memcpy(rules->text, (const char *)(put + 1) + tail_bytes, text_bytes);
    ATOMIC_STORE(&coupons->rules[put->rules], rules, release);
    return STORE_APPLIED;
}

/* Numbers that are passed by have left the waiting list. */
static void coupon_drop_holes(struct store_campaign *campaign, uint64_t before, uint64_t after) {
    struct index *holes = ATOMIC_LOAD(&campaign->holes, relaxed);
    struct index_entry entry;
    /* Ends: each round removes one. */
    while (holes != NULL && index_page(holes, after + 1, &entry, 1) == 1 && entry.key > before) {
        index_remove(holes, entry.key);
    }
}

static enum store_apply_result coupon_apply_put(struct store *store,
                                                const struct store_part *part) {
    struct coupons *coupons = &store->coupons;
    const struct payload_campaign *put = part->payload;
    enum store_apply_result result = coupon_restore_campaign(store, put);
    if (result == STORE_APPLIED) {
        result = coupon_restore_rules(store, put,
                                      part->bytes - sizeof *put - coupon_put_tail_bytes(put));
    }
    if (result != STORE_APPLIED) {
        return result;
    }
    struct store_campaign *campaign = &coupons->campaigns[put->campaign];
    const struct record_update *update =
        record_find(part->record, coupon_campaign_cell(put->campaign, COUPON_RULES));
    ASSERT(update != NULL);
    if (update->old_value < 0 || update->old_value >= slots_end(&coupons->rules_slots)) {
        return STORE_APPLY_BROKEN;
    }
    struct coupon_rules *old = NULL;
    if (update->old_value != 0) {
        old = ATOMIC_LOAD(&coupons->rules[update->old_value], acquire);
    }
    if ((old == NULL) != (ATOMIC_LOAD(&campaign->created_lsn, relaxed) == 0)) {
        return STORE_APPLY_BROKEN;
    }
    if (old != NULL) {
        coupon_drop_holes(campaign, (uint64_t)put->admitted_before, (uint64_t)put->admitted_after);
        commit_defer(store->commit, &old->deferred);
        return STORE_APPLIED;
    }
    if (!index_insert(coupons->list, part->record->lsn, put->campaign)) {
        return STORE_APPLY_NO_MEMORY;
    }
    /* Release: pairs with the acquire of whoever lists from this campaign on. */
    ATOMIC_STORE(&campaign->created_lsn, part->record->lsn, release);
    store->totals.campaigns++;
    return STORE_APPLIED;
}

/* ---- Requests with an id ---- */

static enum store_apply_result coupon_apply_identity(struct store *store,
                                                     const struct store_part *part, size_t bytes,
                                                     int64_t kept) {
    if (part->bytes == bytes) {
        return STORE_APPLIED;
    }
    struct payload_coupon_id identity;
    memcpy(&identity, (const unsigned char *)part->payload + bytes, sizeof identity);
    const struct payload_document document = {.id = identity.id,
                                              .fingerprint = identity.fingerprint,
                                              .total = kept,
                                              .time_ns = identity.time_ns,
                                              .slot = identity.slot};
    return order_apply_document(store, part, &document, STORE_STATE_OTHER, 0);
}

/* ---- Claims ---- */

static enum store_apply_result coupon_restore_grant(struct store *store,
                                                    const struct payload_claim *claim) {
    struct coupons *coupons = &store->coupons;
    if (!slots_raise(&coupons->grant_slots, claim->grant)) {
        return STORE_APPLY_LIMIT;
    }
    struct store_grant *grant = &coupons->grants[claim->grant];
    if (grant->campaign != 0) {
        bool same = grant->campaign == claim->campaign && grant->customer == claim->customer &&
                    grant->ordinal == claim->ordinal && ATOMIC_LOAD(&grant->listed, relaxed) == 0;
        return same ? STORE_APPLIED : STORE_APPLY_BROKEN;
    }
    const struct coupon_grant_key key = {claim->customer, claim->campaign, claim->ordinal};
    return coupons_restore_grant(store, &key, claim->grant) ? STORE_APPLIED : STORE_APPLY_BROKEN;
}

/* There are as many slots as for grants, of which each has one holder. */
static struct store_holder *coupon_ensure_holder(struct store *store, uint64_t customer) {
    struct coupons *coupons = &store->coupons;
    struct store_holder *holder = coupons_find_holder(store, customer);
    if (holder == NULL) {
        uint32_t slot = slots_take(&coupons->holder_slots);
        ASSERT(slot != 0);
        holder = &coupons->holders[slot];
        holder->id = customer;
        table_add(&coupons->holder_table, store_hash_number(store, customer), &customer, slot);
    }
    return holder;
}

static enum store_apply_result coupon_apply_claim(struct store *store,
                                                  const struct store_part *part) {
    const struct payload_claim *claim = part->payload;
    struct store_campaign *campaign = &store->coupons.campaigns[claim->campaign];
    enum store_apply_result result = coupon_restore_grant(store, claim);
    if (result == STORE_APPLIED && claim->number != campaign->claims + 1) {
        result = STORE_APPLY_BROKEN;
    }
    if (result == STORE_APPLIED) {
        result = coupon_apply_identity(store, part, sizeof *claim, (int64_t)claim->number);
    }
    if (result != STORE_APPLIED) {
        return result;
    }
    struct store_holder *holder = coupon_ensure_holder(store, claim->customer);
    struct store_grant *grant = &store->coupons.grants[claim->grant];
    grant->older_of_customer = ATOMIC_LOAD(&holder->newest, relaxed);
    grant->older_of_campaign = ATOMIC_LOAD(&campaign->newest, relaxed);
    /* Release: pairs with the acquire of whoever meets the grant or lists; the links come first. */
    ATOMIC_STORE(&grant->listed, 1, release);
    ATOMIC_STORE(&holder->newest, claim->grant, release);
    ATOMIC_STORE(&campaign->newest, claim->grant, release);
    campaign->claims++;
    store->totals.coupons_claimed++;
    return STORE_APPLIED;
}

/* ---- Revocations ---- */

static enum store_apply_result coupon_apply_hole(struct store *store,
                                                 struct store_campaign *campaign, uint64_t number,
                                                 uint32_t grant) {
    struct index *holes = ATOMIC_LOAD(&campaign->holes, relaxed);
    if (holes == NULL) {
        holes = index_create(store->commit, store->memory);
        if (holes == NULL) {
            return STORE_APPLY_NO_MEMORY;
        }
        /* Release: pairs with the acquire of whoever looks for holes. */
        ATOMIC_STORE(&campaign->holes, holes, release);
    }
    return index_insert(holes, number, grant) ? STORE_APPLIED : STORE_APPLY_NO_MEMORY;
}

static bool coupon_grant_is(const struct store *store, uint32_t grant, uint32_t campaign) {
    const struct coupons *coupons = &store->coupons;
    return grant < slots_end(&coupons->grant_slots) &&
           coupons->grants[grant].campaign == campaign &&
           ATOMIC_LOAD(&coupons->grants[grant].listed, relaxed) != 0;
}

static enum store_apply_result coupon_apply_revoke(struct store *store,
                                                   const struct store_part *part) {
    const struct payload_revoke *revoke = part->payload;
    struct store_campaign *campaign = &store->coupons.campaigns[revoke->campaign];
    if (!coupon_grant_is(store, revoke->grant, revoke->campaign)) {
        return STORE_APPLY_BROKEN;
    }
    if (revoke->number > revoke->admitted_before) {
        enum store_apply_result result =
            coupon_apply_hole(store, campaign, revoke->number, revoke->grant);
        if (result != STORE_APPLIED) {
            return result;
        }
    } else {
        coupon_drop_holes(campaign, revoke->admitted_before, revoke->admitted_after);
    }
    campaign->revoked++;
    store->totals.coupons_revoked++;
    return STORE_APPLIED;
}

/* ---- Redemptions ---- */

enum store_apply_result coupon_apply_redeem(struct store *store,
                                            const struct payload_redeem *redeem, bool undo) {
    struct coupons *coupons = &store->coupons;
    struct store_campaign *campaign = &coupons->campaigns[redeem->campaign];
    int64_t discount = undo ? -redeem->discount : redeem->discount;
    int64_t times = undo ? -1 : 1;
    if (redeem->grant != 0) {
        if (!coupon_grant_is(store, redeem->grant, redeem->campaign)) {
            return STORE_APPLY_BROKEN;
        }
        /* Relaxed: whoever reads it has seen `projected` pass the record. */
        ATOMIC_STORE(&coupons->grants[redeem->grant].discount, undo ? 0 : discount, relaxed);
        campaign->redeemed += (uint64_t)times;
        store->totals.coupons_redeemed += (uint64_t)times;
    } else {
        if (redeem->code >= slots_end(&coupons->code_slots) ||
            ATOMIC_LOAD(&coupons->codes[redeem->code].uses, relaxed) == 0) {
            return STORE_APPLY_BROKEN;
        }
        coupons->codes[redeem->code].used += times;
        store_sum(&campaign->code_spent, discount);
        store->totals.code_uses += (uint64_t)times;
    }
    store_sum(&campaign->spent, discount);
    store_sum(&store->totals.discounts, discount);
    return STORE_APPLIED;
}

static enum store_apply_result coupon_apply_redeem_call(struct store *store,
                                                        const struct store_part *part) {
    const struct payload_redeem *redeem = part->payload;
    enum store_apply_result result =
        coupon_apply_identity(store, part, sizeof *redeem, redeem->discount);
    return result == STORE_APPLIED
               ? coupon_apply_redeem(store, redeem, part->kind == STORE_COUPON_RESTORE)
               : result;
}

/* ---- Codes ---- */

static enum store_apply_result coupon_apply_code(struct store *store,
                                                 const struct store_part *part) {
    struct coupons *coupons = &store->coupons;
    const struct payload_code *payload = part->payload;
    const char *text = (const char *)(payload + 1);
    if (!slots_raise(&coupons->code_slots, payload->code)) {
        return STORE_APPLY_LIMIT;
    }
    struct store_code *code = &coupons->codes[payload->code];
    if (code->slot == 0) {
        code->slot = payload->code;
        code->code_bytes = (uint8_t)payload->code_bytes;
        memcpy(code->code, text, payload->code_bytes);
        code->code[payload->code_bytes] = '\0';
        uint64_t hash = store_hash_text(store, code->code, code->code_bytes);
        if (table_add(&coupons->code_table, hash, code->code, code->slot) != code->slot) {
            return STORE_APPLY_BROKEN;
        }
    } else if (code->code_bytes != payload->code_bytes ||
               memcmp(code->code, text, code->code_bytes) != 0 ||
               ATOMIC_LOAD(&code->uses, relaxed) != 0) {
        return STORE_APPLY_BROKEN;
    }
    /* Release: pairs with the acquire of whoever asks how often it can be used. */
    ATOMIC_STORE(&code->uses, payload->uses, release);
    store->totals.codes++;
    return STORE_APPLIED;
}

enum store_apply_result coupon_apply(struct store *store, const struct store_part *part) {
    switch (part->kind) {
    case STORE_CAMPAIGN_PUT:
        return coupon_apply_put(store, part);
    case STORE_COUPON_CLAIM:
        return coupon_apply_claim(store, part);
    case STORE_COUPON_REVOKE:
        return coupon_apply_revoke(store, part);
    case STORE_CODE_ADD:
        return coupon_apply_code(store, part);
    default:
        return coupon_apply_redeem_call(store, part);
    }
}
