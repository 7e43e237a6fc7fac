/* Campaigns, claims and coupons. */
#include "support/sales_model_parts.h"

struct sales_coupon_state *sales_model_coupon(struct sales_model *model, uint32_t campaign,
                                              uint64_t customer, uint32_t ordinal) {
    return &model->state.coupons[campaign][customer - 1][ordinal];
}

void sales_model_coupon_set(struct sales_model *model, struct sales_coupon_state *coupon,
                            cellar_coupon_state state) {
    coupon->state = state;
    coupon->version = model->call;
}

/* ---- Places ---- */

static struct sales_coupon_state *coupon_of_rank(struct sales_model *model, uint32_t campaign,
                                                 int64_t rank) {
    const struct sales_model_campaign *rules = &model->campaigns[campaign];
    return sales_model_coupon(model, campaign, rules->claimants[rank], rules->ordinals[rank]);
}

/* So many more numbers are granted. One that was revoked while it waited frees no place, nor takes
 * one: it is passed by. */
static void admit(struct sales_model *model, uint32_t number, int64_t places) {
    struct sales_campaign_state *campaign = &model->state.campaigns[number];
    while (places > 0) {
        int64_t rank = ++campaign->admitted;
        bool claimed = rank <= campaign->claimed;
        if (claimed && model->campaigns[number].holes[rank]) {
            continue;
        }
        if (claimed) {
            /* Its own version stays: nothing was written to it. */
            coupon_of_rank(model, number, rank)->state = CELLAR_COUPON_GRANTED;
        }
        places--;
    }
}

void sales_model_count_waiting(struct sales_model *model) {
    for (uint32_t i = 0; i < SALES_CAMPAIGNS; i++) {
        struct sales_campaign_state *campaign = &model->state.campaigns[i];
        campaign->waiting = 0;
        for (int64_t rank = 1; rank <= campaign->claimed; rank++) {
            struct sales_coupon_state *coupon = coupon_of_rank(model, i, rank);
            bool waits = coupon->state == CELLAR_COUPON_WAITING;
            coupon->ahead = waits ? campaign->waiting : 0;
            campaign->waiting += waits;
        }
    }
}

/* Another period, or none, begins to count at zero. */
static void begin_periods(struct sales_model *model, uint32_t number, const cellar_campaign *put) {
    struct sales_model_campaign *rules = &model->campaigns[number];
    const cellar_campaign *old = &rules->put;
    if (put->period_ns != old->period_ns || put->period_offset_ns != old->period_offset_ns) {
        model->state.campaigns[number].period_claimed = 0;
    }
    if (put->customer_period_ns == old->customer_period_ns &&
        put->customer_period_offset_ns == old->customer_period_offset_ns) {
        return;
    }
    for (uint32_t i = 0; i < SALES_CUSTOMERS * SALES_COUPONS; i++) {
        rules->periods[i / SALES_COUPONS][i % SALES_COUPONS] = -1;
    }
}

void sales_model_campaign(struct sales_model *model, const cellar_campaign *put,
                          struct sales_answer *answer) {
    uint32_t number = sales_campaign_number(put->id);
    struct sales_campaign_state *campaign = &model->state.campaigns[number];
    int64_t more = put->quota - campaign->quota;
    int64_t unclaimed = campaign->admitted - campaign->claimed;
    if (more < 0 && -more > (unclaimed > 0 ? unclaimed : 0)) {
        sales_model_refuse(answer, CELLAR_BELOW_CLAIMED);
    }
    if (put->budget != 0 && put->budget < campaign->spent) {
        sales_model_refuse(answer, CELLAR_BELOW_CLAIMED);
    }
    if (answer->reason_count != 0) {
        return;
    }
    if (more > 0) {
        admit(model, number, more);
    } else {
        campaign->admitted += more;
    }
    model->state.totals.campaigns += campaign->status != CELLAR_OK;
    campaign->status = CELLAR_OK;
    campaign->quota = put->quota;
    campaign->version = model->call;
    begin_periods(model, number, put);
    model->campaigns[number].put = *put;
}

/* ---- Claiming ---- */

/* The period that it is now, of those that begin at multiples of their length. */
static int64_t period_now(const struct sales_model *model, int64_t period_ns, int64_t offset_ns) {
    return period_ns == 0 ? 0 : (sales_model_now_ns(model) + offset_ns) / period_ns;
}

static int64_t period_begin_ns(int64_t period, int64_t period_ns, int64_t offset_ns) {
    return period * period_ns - offset_ns;
}

static int64_t campaign_period(const struct sales_model *model, uint32_t campaign) {
    const cellar_campaign *put = &model->campaigns[campaign].put;
    return period_now(model, put->period_ns, put->period_offset_ns);
}

static int64_t customer_period(const struct sales_model *model, uint32_t campaign) {
    const cellar_campaign *put = &model->campaigns[campaign].put;
    return period_now(model, put->customer_period_ns, put->customer_period_offset_ns);
}

/* What the campaign has given out in this period. */
static int64_t claimed_now(const struct sales_model *model, uint32_t campaign) {
    bool same = model->campaigns[campaign].period == campaign_period(model, campaign);
    return same ? model->state.campaigns[campaign].period_claimed : 0;
}

/* Has the customer, who has `claimed` coupons, all of this period? */
static bool has_his_share(const struct sales_model *model, uint32_t campaign, uint64_t customer,
                          uint32_t claimed) {
    const struct sales_model_campaign *rules = &model->campaigns[campaign];
    int64_t count = 0;
    for (uint32_t i = 0; i < claimed; i++) {
        count += rules->periods[customer - 1][i] == customer_period(model, campaign);
    }
    return rules->put.customer_period_ns != 0 && count >= rules->put.customer_period_count;
}

void sales_model_refuse_time(const struct sales_model *model, uint32_t campaign,
                             struct sales_answer *answer) {
    const cellar_campaign *put = &model->campaigns[campaign].put;
    int64_t now_ns = sales_model_now_ns(model);
    if (put->valid_from_ns != 0 && now_ns < put->valid_from_ns) {
        sales_model_refuse_until(answer, CELLAR_NOT_STARTED, put->valid_from_ns);
    }
    if (put->valid_until_ns != 0 && now_ns >= put->valid_until_ns) {
        sales_model_refuse(answer, CELLAR_EXPIRED);
    }
}

static void refuse_claim(const struct sales_model *model, uint32_t campaign, bool waiting,
                         struct sales_answer *answer) {
    const cellar_campaign *put = &model->campaigns[campaign].put;
    sales_model_refuse_time(model, campaign, answer);
    if (waiting && model->state.campaigns[campaign].waiting >= put->waitlist_max) {
        sales_model_refuse(answer, put->waitlist_max == 0 ? CELLAR_SOLD_OUT : CELLAR_WAITLIST_FULL);
    }
    if (put->period_ns != 0 && claimed_now(model, campaign) >= put->period_count) {
        sales_model_refuse_until(answer, CELLAR_PERIOD_CAP,
                                 period_begin_ns(campaign_period(model, campaign) + 1,
                                                 put->period_ns, put->period_offset_ns));
    }
}

static void do_claim(struct sales_model *model, uint32_t number, uint64_t customer,
                     uint32_t ordinal, bool waiting) {
    struct sales_campaign_state *campaign = &model->state.campaigns[number];
    struct sales_model_campaign *rules = &model->campaigns[number];
    struct sales_coupon_state *coupon = sales_model_coupon(model, number, customer, ordinal);
    int64_t claimed = claimed_now(model, number);
    int64_t rank = ++campaign->claimed;
    rules->claimants[rank] = (uint32_t)customer;
    rules->ordinals[rank] = ordinal;
    rules->period = campaign_period(model, number);
    rules->periods[customer - 1][ordinal] = customer_period(model, number);
    campaign->period_claimed = rules->put.period_ns == 0 ? 0 : claimed + 1;
    coupon->status = CELLAR_OK;
    coupon->rank = rank;
    sales_model_coupon_set(model, coupon, waiting ? CELLAR_COUPON_WAITING : CELLAR_COUPON_GRANTED);
    sales_model_count_waiting(model);
    model->state.totals.coupons_claimed++;
}

void sales_model_claim(struct sales_model *model, const cellar_claim *claim,
                       struct sales_answer *answer) {
    uint32_t number = sales_campaign_number(claim->campaign);
    struct sales_campaign_state *campaign = &model->state.campaigns[number];
    uint32_t limit = number == SALES_TIMED ? SALES_COUPONS : 1;
    uint32_t ordinal = 0;
    bool waiting = campaign->claimed + 1 > campaign->admitted;
    if (!sales_model_is_new(model, claim->id, answer)) {
        return;
    }
    while (ordinal < limit &&
           sales_model_coupon(model, number, claim->customer, ordinal)->status == CELLAR_OK) {
        ordinal++;
    }
    /* What he has himself comes before anything else. */
    if (campaign->status != CELLAR_OK) {
        sales_model_refuse(answer, CELLAR_NOT_FOUND);
    } else if (ordinal == limit) {
        sales_model_refuse(answer, CELLAR_ALREADY_CLAIMED);
    } else if (has_his_share(model, number, claim->customer, ordinal)) {
        const cellar_campaign *put = &model->campaigns[number].put;
        sales_model_refuse_until(answer, CELLAR_CUSTOMER_PERIOD_CAP,
                                 period_begin_ns(customer_period(model, number) + 1,
                                                 put->customer_period_ns,
                                                 put->customer_period_offset_ns));
    } else {
        refuse_claim(model, number, waiting, answer);
    }
    if (answer->reason_count == 0) {
        do_claim(model, number, claim->customer, ordinal, waiting);
        sales_model_make_document(model, claim->id);
        answer->rank = (uint64_t)campaign->claimed;
        answer->waiting = waiting;
    }
}

void sales_model_revoke(struct sales_model *model, const cellar_claim *claim,
                        struct sales_answer *answer) {
    uint32_t number = sales_campaign_number(claim->campaign);
    struct sales_coupon_state *coupon =
        sales_model_coupon(model, number, claim->customer, claim->ordinal);
    if (coupon->status != CELLAR_OK) {
        sales_model_refuse(answer, CELLAR_NOT_FOUND);
        return;
    }
    switch (coupon->state) {
    case CELLAR_COUPON_REDEEMED:
        sales_model_refuse(answer, CELLAR_ALREADY_REDEEMED);
        return;
    case CELLAR_COUPON_REVOKED:
        sales_model_repeat(answer, coupon->version);
        return;
    case CELLAR_COUPON_WAITING:
        model->campaigns[number].holes[coupon->rank] = true;
        break;
    default:
        admit(model, number, 1);
        break;
    }
    sales_model_coupon_set(model, coupon, CELLAR_COUPON_REVOKED);
    sales_model_count_waiting(model);
    model->state.totals.coupons_revoked++;
}
