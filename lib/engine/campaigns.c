/* Campaigns, as cellar.h has them. */
#include "engine/engine.h"

#include "base/clock.h"
#include "store/plan_coupon.h"

#include <string.h>

/* ---- Putting ---- */

/* Makes the block and its number before the first attempt. */
static cellar_status campaign_prepare(cellar *engine, const cellar_call *call, struct plan *plan,
                                      void *argument) {
    (void)plan;
    struct plan_campaign_request *request = argument;
    struct coupons *coupons = &engine->store->coupons;
    uint32_t number;
    /* There are more numbers than campaigns: when all are taken, blocks that were replaced wait for
     * their grace period. */
    int64_t deadline_ns = 0;
    while ((number = slots_take(&coupons->rules_slots)) == 0) {
        deadline_ns = deadline_ns == 0 ? engine_space_deadline(call) : deadline_ns;
        if (clock_monotonic_ns() >= deadline_ns) {
            return CELLAR_BUSY;
        }
        clock_sleep_ns(NANOSECONDS_PER_MILLISECOND);
    }
    request->rules = coupons_rules_create(engine->store, number, request->text_bytes);
    if (request->rules == NULL) {
        slots_give(&coupons->rules_slots, number);
        return CELLAR_OUT_OF_MEMORY;
    }
    campaign_rules_fill(request->rules, request->campaign);
    /* Release: pairs with the acquire of whoever finds the number in the campaign's cell. */
    ATOMIC_STORE(&coupons->rules[number], request->rules, release);
    return CELLAR_OK;
}

static void campaign_finish(cellar *engine, void *argument, const cellar_ticket *ticket) {
    struct plan_campaign_request *request = argument;
    if (ticket->lsn == 0 && request->rules != NULL) {
        /* No commit: nobody has ever seen the block. */
        coupons_rules_release(&request->rules->deferred, engine->memory);
    }
}

cellar_status cellar_campaign_put(cellar *store, const cellar_call *call,
                                  const cellar_campaign *campaign, uint64_t expected,
                                  cellar_ticket *ticket_out, cellar_refusal *refusal_out) {
    if (campaign == NULL) {
        return engine_invalid(refusal_out, "campaign is required");
    }
    struct plan_campaign_request request = {.campaign = campaign, .expected = expected};
    const struct engine_change change = {.check = plan_check_campaign,
                                         .function = plan_campaign_put,
                                         .request = &request,
                                         .prepare = campaign_prepare,
                                         .finish = campaign_finish};
    return engine_change(store, call, &change, ticket_out, refusal_out);
}

/* ---- Reading ---- */

static void campaign_copy_texts(const struct coupon_rules *rules, cellar_campaign *campaign) {
    const struct payload_campaign *put = &rules->put;
    const char *text = rules->text;
    memcpy(campaign->name_buffer, text, put->name_bytes);
    campaign->name_buffer[put->name_bytes] = '\0';
    campaign->name = campaign->name_buffer;
    text += put->name_bytes;
    for (uint32_t i = 0; i < put->category_count; i++) {
        memcpy(campaign->category_buffers[i], text, put->category_bytes[i]);
        campaign->category_buffers[i][put->category_bytes[i]] = '\0';
        campaign->discount.categories[i] = campaign->category_buffers[i];
        text += put->category_bytes[i];
    }
    for (uint32_t i = 0; i < put->product_count; i++) {
        campaign->discount.products[i] = put->products[i];
    }
}

static void campaign_copy_rules(const struct coupon_rules *rules, cellar_campaign *campaign) {
    const struct payload_campaign *put = &rules->put;
    campaign->id = put->id;
    campaign->quota = put->quota;
    campaign->customer_limit = put->customer_limit;
    campaign->status = (cellar_campaign_status)put->status;
    campaign->valid_from_ns = put->valid_from_ns;
    campaign->valid_until_ns = put->valid_until_ns;
    campaign->redeem_until_ns = put->redeem_until_ns;
    campaign->waitlist_max = put->waitlist_max;
    campaign->period_ns = put->period_ns;
    campaign->period_offset_ns = put->period_offset_ns;
    campaign->period_count = put->period_count;
    campaign->customer_period_ns = rules->customer.period_ns;
    campaign->customer_period_offset_ns = rules->customer.period_offset_ns;
    campaign->customer_period_count = rules->customer.period_count;
    campaign->budget = put->budget;
    campaign->restore_on_cancel = put->restore_on_cancel != 0;
    campaign->created_ns = put->created_ns;
    campaign->updated_ns = put->updated_ns;
    campaign->discount.kind = (cellar_discount_kind)put->discount_kind;
    campaign->discount.value = put->discount_value;
    campaign->discount.cap = put->discount_cap;
    campaign->discount.minimum = put->discount_minimum;
    campaign->discount.product_count = put->product_count;
    campaign->discount.category_count = put->category_count;
    campaign_copy_texts(rules, campaign);
}

static struct cell_content campaign_cell(const struct store *store, uint32_t slot,
                                         enum coupon_campaign_cell which) {
    return commit_read(store->commit, coupon_campaign_cell(slot, which));
}

/* Inside a section. The rules with the budget they are about; NULL: does not exist. */
static const struct coupon_rules *campaign_current(const struct store *store, uint32_t slot,
                                                   uint64_t *version_out, int64_t *left_out) {
    struct cell_content number;
    struct cell_content budget;
    uint64_t before;
    do {
        before = campaign_cell(store, slot, COUPON_BUDGET).version;
        number = campaign_cell(store, slot, COUPON_RULES);
        /* A put writes both. */
        budget = campaign_cell(store, slot, COUPON_BUDGET);
    } while (budget.version != before);
    *version_out = number.version;
    *left_out = budget.value;
    return coupons_rules(store, number.value);
}

/* Inside a section. How many of the numbers are granted, and how many wait. */
static void campaign_count(const struct store *store, uint32_t slot, cellar_campaign *campaign) {
    struct cell_content admitted;
    uint64_t before;
    int64_t holes;
    do {
        before = campaign_cell(store, slot, COUPON_ADMITTED).version;
        campaign->claimed = campaign_cell(store, slot, COUPON_CLAIMED).value;
        holes = campaign_cell(store, slot, COUPON_HOLES).value;
        /* What changes the holes changes `admitted`, too. */
        admitted = campaign_cell(store, slot, COUPON_ADMITTED);
    } while (admitted.version != before);
    int64_t waiting = campaign->claimed - admitted.value - holes;
    campaign->admitted = admitted.value;
    campaign->waiting = waiting > 0 ? waiting : 0;
    campaign->period_claimed = coupon_window_count(campaign_cell(store, slot, COUPON_WINDOW).value);
}

cellar_status cellar_campaign_get(cellar *store, uint64_t id, cellar_campaign *campaign_out) {
    if (campaign_out == NULL || id == 0) {
        return CELLAR_INVALID_ARGUMENT;
    }
    struct engine_call guard;
    cellar_status status = engine_enter(&guard, store);
    if (status != CELLAR_OK) {
        return status;
    }
    memset(campaign_out, 0, sizeof *campaign_out);
    commit_enter();
    const struct store_campaign *campaign = coupons_find_campaign(store->store, id);
    const struct coupon_rules *rules = NULL;
    int64_t left = 0;
    if (campaign != NULL) {
        rules = campaign_current(store->store, campaign->slot, &campaign_out->version, &left);
    }
    if (rules != NULL) {
        campaign_copy_rules(rules, campaign_out);
        campaign_count(store->store, campaign->slot, campaign_out);
        campaign_out->spent = rules->put.budget - left;
    }
    commit_leave();
    engine_leave(&guard);
    return rules == NULL ? CELLAR_NOT_FOUND : CELLAR_OK;
}

/* ---- Lists ---- */

static void campaign_summarize(const struct store *store, uint32_t slot,
                               cellar_campaign_summary *summary) {
    int64_t left;
    const struct coupon_rules *rules = campaign_current(store, slot, &summary->version, &left);
    summary->id = rules->put.id;
    summary->created_ns = rules->put.created_ns;
    summary->status = (cellar_campaign_status)rules->put.status;
    summary->quota = rules->put.quota;
    summary->admitted = campaign_cell(store, slot, COUPON_ADMITTED).value;
    summary->claimed = campaign_cell(store, slot, COUPON_CLAIMED).value;
    memcpy(summary->name, rules->text, rules->put.name_bytes);
    summary->name[rules->put.name_bytes] = '\0';
}

/* Inside a section. Campaigns are listed for life, and only those that exist. */
static size_t campaign_page(const struct store *store, uint64_t before,
                            cellar_campaign_summary *page, size_t capacity) {
    size_t count = 0;
    size_t found = 1;
    while (count < capacity && found > 0) {
        struct index_entry entries[64];
        size_t wanted = capacity - count < 64 ? capacity - count : 64;
        found = index_page(store->coupons.list, before, entries, wanted);
        for (size_t i = 0; i < found; i++) {
            campaign_summarize(store, entries[i].slot, &page[count++]);
            before = entries[i].key;
        }
    }
    return count;
}

cellar_status cellar_campaign_list(cellar *store, uint64_t before,
                                   cellar_campaign_summary *page_out, size_t capacity,
                                   size_t *count_out) {
    if (page_out == NULL || count_out == NULL || capacity == 0 || capacity > CELLAR_PAGE_MAX) {
        return CELLAR_INVALID_ARGUMENT;
    }
    struct engine_call guard;
    cellar_status status = engine_enter(&guard, store);
    if (status != CELLAR_OK) {
        return status;
    }
    *count_out = 0;
    commit_enter();
    uint64_t key = UINT64_MAX;
    if (before != 0) {
        struct store_campaign *campaign = coupons_find_campaign(store->store, before);
        /* Acquire: pairs with the release in coupon_apply_put(). */
        key = campaign == NULL ? 0 : ATOMIC_LOAD(&campaign->created_lsn, acquire);
    }
    if (key == 0) {
        status = CELLAR_NOT_FOUND;
    } else {
        *count_out = campaign_page(store->store, key, page_out, capacity);
    }
    commit_leave();
    engine_leave(&guard);
    return status;
}
