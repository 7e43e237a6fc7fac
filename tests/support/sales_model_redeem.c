/* Redeeming coupons and codes, by themselves and with orders. */
#include "support/sales_model_parts.h"

/* ---- Discounts ---- */

int64_t sales_model_value(const cellar_line *lines, size_t line_count) {
    int64_t sum = 0;
    for (size_t i = 0; i < line_count; i++) {
        sum += lines[i].quantity * lines[i].unit_price;
    }
    return sum;
}

static int64_t least(int64_t a, int64_t b) {
    return a < b ? a : b;
}

static int64_t discount_of(const struct sales_model *model, uint32_t campaign,
                           const cellar_line *lines, size_t line_count) {
    const cellar_discount *discount = &model->campaigns[campaign].put.discount;
    int64_t sum = sales_model_value(lines, line_count);
    int64_t total =
        discount->kind == CELLAR_DISCOUNT_PERCENT ? sum * discount->value / 10000 : discount->value;
    return least(sum, discount->cap == 0 ? total : least(total, discount->cap));
}

/* Each line gets its share rounded down; what is left goes, one unit each, to the lines with the
 * largest remainders, of equal ones the first. */
static void split(const cellar_order_request *order, int64_t total, int64_t shares[SALES_LINES]) {
    int64_t remainders[SALES_LINES] = {0};
    int64_t sum = sales_model_value(order->lines, order->line_count);
    int64_t left = total;
    for (size_t i = 0; i < order->line_count; i++) {
        int64_t value = sales_model_value(&order->lines[i], 1);
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

static void spend(struct sales_model *model, uint32_t campaign, int64_t discount) {
    model->state.campaigns[campaign].spent += discount;
    model->state.totals.discounts += discount;
}

/* What speaks against a discount of the campaign, now and so large. */
static void refuse_discount(const struct sales_model *model, uint32_t campaign, int64_t discount,
                            struct sales_answer *answer) {
    const cellar_campaign *put = &model->campaigns[campaign].put;
    if (sales_model_is_over(model, put->redeem_until_ns)) {
        sales_model_refuse(answer, CELLAR_EXPIRED);
    }
    if (put->budget != 0 && model->state.campaigns[campaign].spent + discount > put->budget) {
        sales_model_refuse(answer, CELLAR_BUDGET_SPENT);
    }
}

/* ---- Coupons ---- */

/* The ordinal of the coupon that is meant. SALES_COUPONS: there is none, or none of any that can be
 * redeemed; of several that cannot each is a reason. */
static uint32_t find_coupon(struct sales_model *model, uint32_t campaign, uint64_t customer,
                            uint32_t ordinal, struct sales_answer *answer) {
    static const cellar_status reasons[] = {
        [CELLAR_COUPON_WAITING] = CELLAR_NOT_GRANTED,
        [CELLAR_COUPON_REDEEMED] = CELLAR_ALREADY_REDEEMED,
        [CELLAR_COUPON_REVOKED] = CELLAR_REVOKED,
    };
    bool any = ordinal == CELLAR_ANY_ORDINAL;
    struct sales_answer against = {0};
    for (uint32_t i = any ? 0 : ordinal; i <= (any ? SALES_COUPONS - 1 : ordinal); i++) {
        const struct sales_coupon_state *coupon = sales_model_coupon(model, campaign, customer, i);
        if (coupon->status == CELLAR_OK && coupon->state == CELLAR_COUPON_GRANTED) {
            return i;
        }
        if (coupon->status == CELLAR_OK) {
            sales_model_refuse(&against, reasons[coupon->state]);
        }
    }
    if (against.reason_count == 0) {
        sales_model_refuse(answer, CELLAR_NOT_FOUND);
    }
    for (uint32_t i = 0; i < against.reason_count; i++) {
        sales_model_refuse(answer, against.reasons[i]);
    }
    return SALES_COUPONS;
}

static uint32_t redeem_coupon(struct sales_model *model, uint32_t campaign, uint64_t customer,
                              uint32_t ordinal, int64_t discount) {
    struct sales_coupon_state *coupon = sales_model_coupon(model, campaign, customer, ordinal);
    sales_model_coupon_set(model, coupon, CELLAR_COUPON_REDEEMED);
    coupon->discount = discount;
    spend(model, campaign, discount);
    model->state.totals.coupons_redeemed++;
    model->campaigns[campaign].redemptions[customer - 1][ordinal] = ++model->redemption_count;
    return model->redemption_count;
}

static void restore_coupon(struct sales_model *model, uint32_t campaign,
                           struct sales_coupon_state *coupon) {
    spend(model, campaign, -coupon->discount);
    sales_model_coupon_set(model, coupon, CELLAR_COUPON_GRANTED);
    coupon->discount = 0;
    model->state.totals.coupons_redeemed--;
}

void sales_model_redeem(struct sales_model *model, const cellar_redemption *redemption,
                        struct sales_answer *answer) {
    uint32_t campaign = sales_campaign_number(redemption->campaign);
    int64_t discount = discount_of(model, campaign, redemption->lines, redemption->line_count);
    if (!sales_model_is_new(model, redemption->id, answer)) {
        return;
    }
    uint32_t ordinal =
        find_coupon(model, campaign, redemption->customer, redemption->ordinal, answer);
    refuse_discount(model, campaign, discount, answer);
    if (answer->reason_count == 0) {
        (void)redeem_coupon(model, campaign, redemption->customer, ordinal, discount);
        sales_model_make_document(model, redemption->id);
        answer->remaining = discount;
    }
}

void sales_model_restore(struct sales_model *model, const cellar_redemption *redemption,
                         struct sales_answer *answer) {
    uint32_t campaign = sales_campaign_number(redemption->campaign);
    struct sales_coupon_state *coupon =
        sales_model_coupon(model, campaign, redemption->customer, redemption->ordinal);
    if (!sales_model_is_new(model, redemption->id, answer)) {
        return;
    }
    if (coupon->status != CELLAR_OK) {
        sales_model_refuse(answer, CELLAR_NOT_FOUND);
    } else if (coupon->state != CELLAR_COUPON_REDEEMED) {
        sales_model_refuse(answer, CELLAR_NOT_REDEEMED);
    }
    if (!model->campaigns[campaign].put.restore_on_cancel) {
        sales_model_refuse(answer, CELLAR_NOT_RESTORABLE);
    }
    if (answer->reason_count == 0) {
        answer->remaining = coupon->discount;
        restore_coupon(model, campaign, coupon);
        sales_model_make_document(model, redemption->id);
    }
}

/* ---- Codes ---- */

void sales_model_code(struct sales_model *model, const cellar_code_request *request,
                      struct sales_answer *answer) {
    struct sales_code_state *code = &model->state.codes[sales_code_number(request->code)];
    uint32_t campaign = sales_campaign_number(request->campaign);
    if (model->state.campaigns[campaign].status != CELLAR_OK) {
        sales_model_refuse(answer, CELLAR_NOT_FOUND);
    } else if (code->status == CELLAR_OK) {
        sales_model_repeat(answer, 0);
    } else {
        *code = (struct sales_code_state){CELLAR_OK, request->uses, request->uses, model->call};
        model->state.totals.codes++;
    }
}

static void use_code(struct sales_model *model, uint32_t number, int64_t uses) {
    model->state.codes[number].left -= uses;
    model->state.codes[number].version = model->call;
    model->state.totals.code_uses += uses;
}

/* ---- Orders ---- */

/* The campaign whose discount the order takes; SALES_CAMPAIGNS: none. */
static uint32_t campaign_of(const cellar_order_request *order) {
    if (order->code != NULL) {
        return sales_code_number(order->code);
    }
    return order->coupon_campaign == 0 ? SALES_CAMPAIGNS
                                       : sales_campaign_number(order->coupon_campaign);
}

int64_t sales_model_discount(struct sales_model *model, const cellar_order_request *order,
                             struct sales_model_order *made, int64_t discounts_out[SALES_LINES],
                             struct sales_answer *answer) {
    uint32_t campaign = campaign_of(order);
    for (size_t i = 0; i < SALES_LINES; i++) {
        discounts_out[i] = 0;
    }
    if (campaign == SALES_CAMPAIGNS) {
        return 0;
    }
    int64_t discount = discount_of(model, campaign, order->lines, order->line_count);
    split(order, discount, discounts_out);
    refuse_discount(model, campaign, discount, answer);
    made->campaign = campaign;
    if (order->code == NULL) {
        made->ordinal = find_coupon(model, campaign, order->customer, CELLAR_ANY_ORDINAL, answer);
        return discount;
    }
    sales_model_refuse_time(model, campaign, answer);
    if (model->state.codes[sales_code_number(order->code)].left == 0) {
        sales_model_refuse(answer, CELLAR_SOLD_OUT);
    }
    return discount;
}

void sales_model_discount_take(struct sales_model *model, const cellar_order_request *order,
                               struct sales_model_order *placed) {
    if (order->code != NULL) {
        placed->code = sales_code_number(order->code) + 1;
        use_code(model, placed->code - 1, 1);
        spend(model, placed->campaign, placed->discount);
    } else if (order->coupon_campaign != 0) {
        placed->redemption = redeem_coupon(model, placed->campaign, order->customer,
                                           placed->ordinal, placed->discount);
    }
}

void sales_model_discount_give_back(struct sales_model *model,
                                    const struct sales_order_state *state,
                                    struct sales_model_order *placed) {
    const struct sales_model_campaign *rules = &model->campaigns[placed->campaign];
    uint64_t customer = (uint64_t)state->customer;
    if (!rules->put.restore_on_cancel) {
        return;
    }
    if (placed->code != 0) {
        use_code(model, placed->code - 1, -1);
        spend(model, placed->campaign, -placed->discount);
        return;
    }
    struct sales_coupon_state *coupon =
        sales_model_coupon(model, placed->campaign, customer, placed->ordinal);
    /* One that was restored by a call of its own is left alone, also when it was redeemed again. */
    if (placed->redemption != 0 &&
        rules->redemptions[customer - 1][placed->ordinal] == placed->redemption &&
        coupon->state == CELLAR_COUPON_REDEEMED) {
        restore_coupon(model, placed->campaign, coupon);
    }
}
