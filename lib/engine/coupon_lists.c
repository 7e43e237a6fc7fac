/* Reading coupons one by one and in lists, as cellar.h has them. */
#include "engine/engine.h"

#include "base/assert.h"
#include "store/plan_coupon.h"

/* Entries of a list looked at in one read section. */
#define COUPON_PAGE_STEP 64

/* Inside a section: the coupon as it is now. False: it was not claimed. */
static bool coupon_look(const struct store *store, uint32_t slot, cellar_coupon *coupon_out) {
    const struct store_grant *grant = &store->coupons.grants[slot];
    const struct store_campaign *campaign = &store->coupons.campaigns[grant->campaign];
    struct cell_content content = commit_read(store->commit, coupon_grant_cell(slot));
    int64_t number = coupon_grant_number(content.value);
    int64_t admitted =
        commit_read(store->commit, coupon_campaign_cell(grant->campaign, COUPON_ADMITTED)).value;
    *coupon_out = (cellar_coupon){.campaign = campaign->id,
                                  .customer = grant->customer,
                                  .ordinal = grant->ordinal,
                                  .rank = (uint64_t)number,
                                  .version = content.version};
    switch (coupon_grant_state(content.value)) {
    case COUPON_ALIVE:
        coupon_out->state = number <= admitted ? CELLAR_COUPON_GRANTED : CELLAR_COUPON_WAITING;
        if (number > admitted) {
            coupon_out->ahead =
                number - 1 - admitted - coupons_count_holes(campaign, admitted, number);
        }
        return true;
    case COUPON_REDEEMED:
        coupon_out->state = CELLAR_COUPON_REDEEMED;
        coupon_out->discount = ATOMIC_LOAD(&grant->discount, relaxed);
        return true;
    case COUPON_REVOKED:
        coupon_out->state = CELLAR_COUPON_REVOKED;
        return true;
    default:
        return false;
    }
}

/* Inside a section. 0: there is none. */
static uint32_t coupon_find(struct store *store, uint64_t campaign, uint64_t customer,
                            uint32_t ordinal) {
    const struct store_campaign *found = coupons_find_campaign(store, campaign);
    if (found == NULL) {
        return 0;
    }
    const struct coupon_grant_key key = {customer, found->slot, ordinal};
    return coupons_find_grant(store, &key);
}

cellar_status cellar_coupon_get(cellar *store, uint64_t campaign, uint64_t customer,
                                uint32_t ordinal, cellar_coupon *coupon_out) {
    if (coupon_out == NULL || campaign == 0 || customer == 0) {
        return CELLAR_INVALID_ARGUMENT;
    }
    struct engine_call guard;
    cellar_status status = engine_enter(&guard, store);
    if (status != CELLAR_OK) {
        return status;
    }
    commit_enter();
    uint32_t slot = coupon_find(store->store, campaign, customer, ordinal);
    bool found = slot != 0 && coupon_look(store->store, slot, coupon_out);
    commit_leave();
    engine_leave(&guard);
    return found ? CELLAR_OK : CELLAR_NOT_FOUND;
}

/* ---- Lists ---- */

/* Inside a section: the first of the list. */
static uint32_t coupon_newest(struct store *store, const cellar_coupon_query *query) {
    /* Acquire: pairs with the releases in coupon_apply_claim(). */
    if (query->campaign != 0) {
        const struct store_campaign *campaign = coupons_find_campaign(store, query->campaign);
        return campaign == NULL ? 0 : ATOMIC_LOAD(&campaign->newest, acquire);
    }
    const struct store_holder *holder = coupons_find_holder(store, query->customer);
    return holder == NULL ? 0 : ATOMIC_LOAD(&holder->newest, acquire);
}

static uint32_t coupon_older(const struct store *store, const cellar_coupon_query *query,
                             uint32_t slot) {
    const struct store_grant *grant = &store->coupons.grants[slot];
    return query->campaign != 0 ? grant->older_of_campaign : grant->older_of_customer;
}

/* Inside a section: where a page begins. False: `before` is not in the list. */
static bool coupon_begin(struct store *store, const cellar_coupon_query *query,
                         uint32_t *slot_out) {
    const cellar_coupon *before = &query->before;
    if (before->campaign == 0) {
        *slot_out = coupon_newest(store, query);
        return true;
    }
    uint32_t slot = coupon_find(store, before->campaign, before->customer, before->ordinal);
    bool same = query->campaign != 0 ? before->campaign == query->campaign
                                     : before->customer == query->customer;
    /* Acquire: pairs with the release in coupon_apply_claim(). */
    if (slot == 0 || !same || ATOMIC_LOAD(&store->coupons.grants[slot].listed, acquire) == 0) {
        return false;
    }
    *slot_out = coupon_older(store, query, slot);
    return true;
}

static cellar_status coupon_list(struct store *store, const cellar_coupon_query *query,
                                 cellar_coupon *page, size_t capacity, size_t *count) {
    uint32_t slot = 0;
    commit_enter();
    bool found = coupon_begin(store, query, &slot);
    while (found && slot != 0 && *count < capacity) {
        bool claimed = coupon_look(store, slot, &page[*count]);
        ASSERT(claimed);
        ++*count;
        slot = coupon_older(store, query, slot);
        if (*count % COUPON_PAGE_STEP == 0) {
            /* Entries are for life: the place in the list stays. */
            commit_leave();
            commit_enter();
        }
    }
    commit_leave();
    return found ? CELLAR_OK : CELLAR_NOT_FOUND;
}

cellar_status cellar_coupon_list(cellar *store, const cellar_coupon_query *query,
                                 cellar_coupon *page_out, size_t capacity, size_t *count_out) {
    if (query == NULL || page_out == NULL || count_out == NULL || capacity == 0 ||
        capacity > CELLAR_PAGE_MAX || (query->campaign == 0) == (query->customer == 0)) {
        return CELLAR_INVALID_ARGUMENT;
    }
    struct engine_call guard;
    cellar_status status = engine_enter(&guard, store);
    if (status == CELLAR_OK) {
        *count_out = 0;
        status = coupon_list(store->store, query, page_out, capacity, count_out);
        engine_leave(&guard);
    }
    return status;
}
