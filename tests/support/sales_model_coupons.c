/* Campaigns, claims, coupons, codes. */
#include "support/sales_model_parts.h"

static struct sales_coupon_state *coupon_of(struct sales_model *model, uint64_t customer) {
    return &model->state.coupons[customer - 1];
}

static void coupon_set(struct sales_model *model, struct sales_coupon_state *coupon,
                       cellar_coupon_state state) {
    coupon->state = state;
    coupon->version = model->call;
}

/* ---- Places ---- */

/* So many more numbers are granted. One that was revoked while it waited frees no place, nor takes
 * one: it is passed by. */
static void admit(struct sales_model *model, int64_t places) {
    struct sales_campaign_state *campaign = &model->state.campaign;
    while (places > 0) {
        int64_t rank = ++campaign->admitted;
        bool claimed = rank <= campaign->claimed;
        if (claimed && model->holes[rank]) {
            continue;
        }
        if (claimed) {
            /* Its own version stays: nothing was written to it. */
            coupon_of(model, model->claimants[rank])->state = CELLAR_COUPON_GRANTED;
        }
        places--;
    }
}

void sales_model_count_waiting(struct sales_model *model) {
    struct sales_campaign_state *campaign = &model->state.campaign;
    campaign->waiting = 0;
    for (int64_t rank = 1; rank <= campaign->claimed; rank++) {
        struct sales_coupon_state *coupon = coupon_of(model, model->claimants[rank]);
        bool waits = coupon->state == CELLAR_COUPON_WAITING;
        coupon->ahead = waits ? campaign->waiting : 0;
        campaign->waiting += waits;
    }
}

void sales_model_campaign(struct sales_model *model, const cellar_campaign *put,
                          struct sales_answer *answer) {
    struct sales_campaign_state *campaign = &model->state.campaign;
    int64_t more = put->quota - campaign->quota;
    int64_t unclaimed = campaign->admitted - campaign->claimed;
    if (more < 0 && -more > (unclaimed > 0 ? unclaimed : 0)) {
        sales_model_refuse(answer, CELLAR_BELOW_CLAIMED);
    }
    if (put->budget < campaign->spent) {
        sales_model_refuse(answer, CELLAR_BELOW_CLAIMED);
    }
    if (answer->reason_count != 0) {
        return;
    }
    if (more > 0) {
        admit(model, more);
    } else {
        campaign->admitted += more;
    }
    model->state.totals.campaigns = 1;
    campaign->status = CELLAR_OK;
    campaign->quota = put->quota;
    campaign->version = model->call;
    model->discount = put->discount;
    model->budget = put->budget;
    model->waitlist_max = put->waitlist_max;
}

void sales_model_claim(struct sales_model *model, const cellar_claim *claim,
                       struct sales_answer *answer) {
    struct sales_campaign_state *campaign = &model->state.campaign;
    struct sales_coupon_state *coupon = coupon_of(model, claim->customer);
    int64_t rank = campaign->claimed + 1;
    bool waiting = rank > campaign->admitted;
    if (campaign->status != CELLAR_OK) {
        sales_model_refuse(answer, CELLAR_NOT_FOUND);
    } else if (coupon->status == CELLAR_OK) {
        /* Before anything else. */
        sales_model_refuse(answer, CELLAR_ALREADY_CLAIMED);
    } else if (waiting && campaign->waiting >= model->waitlist_max) {
        sales_model_refuse(answer, CELLAR_WAITLIST_FULL);
    }
    if (answer->reason_count != 0) {
        return;
    }
    campaign->claimed = rank;
    model->claimants[rank] = (uint32_t)claim->customer;
    coupon->status = CELLAR_OK;
    coupon->rank = rank;
    coupon_set(model, coupon, waiting ? CELLAR_COUPON_WAITING : CELLAR_COUPON_GRANTED);
    sales_model_count_waiting(model);
    model->state.totals.coupons_claimed++;
    answer->rank = (uint64_t)rank;
    answer->waiting = waiting;
}

void sales_model_revoke(struct sales_model *model, const cellar_claim *claim,
                        struct sales_answer *answer) {
    struct sales_coupon_state *coupon = coupon_of(model, claim->customer);
    if (coupon->status != CELLAR_OK) {
        sales_model_refuse(answer, CELLAR_NOT_FOUND);
        return;
    }
    switch (coupon->state) {
    case CELLAR_COUPON_REDEEMED:
        sales_model_refuse(answer, CELLAR_ALREADY_REDEEMED);
        return;
    case CELLAR_COUPON_REVOKED:
        sales_model_repeat(answer, (uint32_t)coupon->version);
        return;
    case CELLAR_COUPON_WAITING:
        model->holes[coupon->rank] = true;
        break;
    default:
        admit(model, 1);
        break;
    }
    coupon_set(model, coupon, CELLAR_COUPON_REVOKED);
    sales_model_count_waiting(model);
    model->state.totals.coupons_revoked++;
}

/* ---- Redemption ---- */

static int64_t discount_of(const struct sales_model *model, const cellar_line *lines,
                           size_t line_count) {
    int64_t sum = 0;
    for (size_t i = 0; i < line_count; i++) {
        sum += lines[i].quantity * lines[i].unit_price;
    }
    int64_t total = sum * model->discount.value / 10000;
    return total < model->discount.cap ? total : model->discount.cap;
}

static void refuse_coupon(const struct sales_model *model, uint64_t customer, int64_t discount,
                          struct sales_answer *answer) {
    static const cellar_status reasons[] = {
        [CELLAR_COUPON_WAITING] = CELLAR_NOT_GRANTED,
        [CELLAR_COUPON_REDEEMED] = CELLAR_ALREADY_REDEEMED,
        [CELLAR_COUPON_REVOKED] = CELLAR_REVOKED,
    };
    const struct sales_coupon_state *coupon = &model->state.coupons[customer - 1];
    if (coupon->status != CELLAR_OK) {
        sales_model_refuse(answer, CELLAR_NOT_FOUND);
        return;
    }
    if (coupon->state != CELLAR_COUPON_GRANTED) {
        sales_model_refuse(answer, reasons[coupon->state]);
    }
    if (model->state.campaign.spent + discount > model->budget) {
        sales_model_refuse(answer, CELLAR_BUDGET_SPENT);
    }
}

static void spend(struct sales_model *model, int64_t discount) {
    model->state.campaign.spent += discount;
    model->state.totals.discounts += discount;
}

static uint32_t coupon_redeem(struct sales_model *model, uint64_t customer, int64_t discount) {
    struct sales_coupon_state *coupon = coupon_of(model, customer);
    coupon_set(model, coupon, CELLAR_COUPON_REDEEMED);
    coupon->discount = discount;
    spend(model, discount);
    model->state.totals.coupons_redeemed++;
    model->redemptions[customer - 1] = ++model->redemption_count;
    return model->redemption_count;
}

static void coupon_restore(struct sales_model *model, uint64_t customer) {
    struct sales_coupon_state *coupon = coupon_of(model, customer);
    spend(model, -coupon->discount);
    coupon_set(model, coupon, CELLAR_COUPON_GRANTED);
    coupon->discount = 0;
    model->state.totals.coupons_redeemed--;
}

void sales_model_redeem(struct sales_model *model, const cellar_redemption *redemption,
                        struct sales_answer *answer) {
    int64_t discount = discount_of(model, redemption->lines, redemption->line_count);
    if (!sales_model_is_new(model, redemption->id, answer)) {
        return;
    }
    refuse_coupon(model, redemption->customer, discount, answer);
    if (answer->reason_count == 0) {
        (void)coupon_redeem(model, redemption->customer, discount);
        sales_model_make_document(model, redemption->id);
        answer->remaining = discount;
    }
}

void sales_model_restore(struct sales_model *model, const cellar_redemption *redemption,
                         struct sales_answer *answer) {
    const struct sales_coupon_state *coupon = coupon_of(model, redemption->customer);
    if (!sales_model_is_new(model, redemption->id, answer)) {
        return;
    }
    if (coupon->status != CELLAR_OK) {
        sales_model_refuse(answer, CELLAR_NOT_FOUND);
    } else if (coupon->state != CELLAR_COUPON_REDEEMED) {
        sales_model_refuse(answer, CELLAR_NOT_REDEEMED);
    } else {
        answer->remaining = coupon->discount;
        coupon_restore(model, redemption->customer);
        sales_model_make_document(model, redemption->id);
    }
}

/* ---- Codes ---- */

void sales_model_code(struct sales_model *model, const cellar_code_request *request,
                      struct sales_answer *answer) {
    struct sales_code_state *code = &model->state.codes[sales_code_number(request->code)];
    if (code->status == CELLAR_OK) {
        sales_model_repeat(answer, 0);
    } else {
        *code = (struct sales_code_state){CELLAR_OK, request->uses, request->uses, model->call};
        model->state.totals.codes++;
    }
}

static void code_use(struct sales_model *model, uint32_t number, int64_t uses) {
    model->state.codes[number].left -= uses;
    model->state.codes[number].version = model->call;
    model->state.totals.code_uses += uses;
}

/* ---- Orders ---- */

/* Each line gets its share rounded down; what is left goes, one unit each, to the lines with the
 * largest remainders, of equal ones the first. */
static void split(const cellar_order_request *order, int64_t total, int64_t shares[SALES_LINES]) {
    int64_t remainders[SALES_LINES] = {0};
    int64_t sum = 0;
    int64_t left = total;
    for (size_t i = 0; i < order->line_count; i++) {
        sum += order->lines[i].quantity * order->lines[i].unit_price;
    }
    for (size_t i = 0; i < order->line_count; i++) {
        int64_t value = order->lines[i].quantity * order->lines[i].unit_price;
        shares[i] = total * value / sum;
        remainders[i] = total * value % sum;
        left -= shares[i];
    }
    for (; left > 0; left--) {
        size_t largest = 0;
        for (size_t i = 1; i < order->line_count; i++) {
            largest = remainders[i] > remainders[largest] ? i : largest;
        }
        shares[largest]++;
        remainders[largest] = -1;
    }
}

int64_t sales_model_discount(const struct sales_model *model, const cellar_order_request *order,
                             int64_t discounts_out[SALES_LINES], struct sales_answer *answer) {
    int64_t discount = 0;
    for (size_t i = 0; i < SALES_LINES; i++) {
        discounts_out[i] = 0;
    }
    if (order->coupon_campaign == 0 && order->code == NULL) {
        return 0;
    }
    discount = discount_of(model, order->lines, order->line_count);
    split(order, discount, discounts_out);
    if (order->code == NULL) {
        refuse_coupon(model, order->customer, discount, answer);
        return discount;
    }
    if (model->state.codes[sales_code_number(order->code)].left == 0) {
        sales_model_refuse(answer, CELLAR_SOLD_OUT);
    }
    if (model->state.campaign.spent + discount > model->budget) {
        sales_model_refuse(answer, CELLAR_BUDGET_SPENT);
    }
    return discount;
}

void sales_model_discount_take(struct sales_model *model, const cellar_order_request *order,
                               struct sales_model_order *placed) {
    if (order->code != NULL) {
        placed->code = sales_code_number(order->code) + 1;
        code_use(model, placed->code - 1, 1);
        spend(model, placed->discount);
    } else if (order->coupon_campaign != 0) {
        placed->redemption = coupon_redeem(model, order->customer, placed->discount);
    }
}

void sales_model_discount_give_back(struct sales_model *model,
                                    const struct sales_order_state *state,
                                    struct sales_model_order *placed) {
    if (placed->code != 0) {
        code_use(model, placed->code - 1, -1);
        spend(model, -placed->discount);
        return;
    }
    /* One that was restored by a call of its own is left alone, also when it was redeemed again. */
    if (placed->redemption != 0 && model->redemptions[state->customer - 1] == placed->redemption &&
        coupon_of(model, (uint64_t)state->customer)->state == CELLAR_COUPON_REDEEMED) {
        coupon_restore(model, (uint64_t)state->customer);
    }
}
