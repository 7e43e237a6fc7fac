/* One call after the other: leases, transactions, what the store does of its own. */
#include "support/sales_model_parts.h"

void sales_model_refuse_until(struct sales_answer *answer, cellar_status reason, int64_t retry_ns) {
    if (answer->reason_count < SALES_REASONS_MAX) {
        answer->retries_ns[answer->reason_count] = retry_ns;
        answer->reasons[answer->reason_count++] = reason;
    }
}

void sales_model_refuse(struct sales_answer *answer, cellar_status reason) {
    sales_model_refuse_until(answer, reason, 0);
}

bool sales_answer_has(const struct sales_answer *answer, cellar_status reason) {
    bool has = false;
    for (uint32_t i = 0; i < answer->reason_count; i++) {
        has = has || answer->reasons[i] == reason;
    }
    return has;
}

void sales_model_repeat(struct sales_answer *answer, int64_t first) {
    answer->repeated = true;
    answer->first = (uint32_t)first;
}

static bool has_id(cellar_id id) {
    return id.high != 0 || id.low != 0;
}

bool sales_model_is_new(const struct sales_model *model, cellar_id id,
                        struct sales_answer *answer) {
    uint32_t made = has_id(id) ? model->others[sales_other_number(id)] : 0;
    if (made != 0) {
        sales_model_repeat(answer, made);
    }
    return made == 0;
}

void sales_model_make_document(struct sales_model *model, cellar_id id) {
    if (has_id(id)) {
        model->others[sales_other_number(id)] = (uint16_t)model->call;
        model->state.totals.documents++;
    }
}

/* ---- Times ---- */

int64_t sales_model_now_ns(const struct sales_model *model) {
    return model->now_ms * NANOSECONDS_PER_MILLISECOND;
}

int64_t sales_model_deadline_ns(int64_t given_ns) {
    return given_ns - given_ns % NANOSECONDS_PER_MILLISECOND;
}

bool sales_model_is_over(const struct sales_model *model, int64_t deadline_ns) {
    return deadline_ns != 0 && deadline_ns <= sales_model_now_ns(model);
}

/* ---- Leases ---- */

uint32_t sales_model_token(const struct sales_model *model, uint32_t lease) {
    return model->leases[lease].acquired;
}

static bool lease_runs(const struct sales_model *model, uint32_t lease) {
    return model->leases[lease].until_ms > model->now_ms;
}

static void lease_set(struct sales_model *model, uint32_t lease, int64_t until_ms) {
    model->leases[lease].until_ms = until_ms;
    model->state.leases[lease].version = model->call;
}

static void sales_model_acquire(struct sales_model *model, const cellar_lease_request *request,
                                struct sales_answer *answer) {
    uint32_t lease = sales_lease_number(request->name);
    struct sales_lease_state *state = &model->state.leases[lease];
    if (lease_runs(model, lease)) {
        if (state->holder == (int64_t)request->holder) {
            sales_model_repeat(answer, model->leases[lease].acquired);
        } else {
            sales_model_refuse(answer, CELLAR_LEASE_HELD);
        }
        return;
    }
    model->state.totals.leases += state->status != CELLAR_OK;
    state->status = CELLAR_OK;
    state->holder = (int64_t)request->holder;
    state->token = model->call;
    model->leases[lease].acquired = model->call;
    lease_set(model, lease, model->now_ms + request->ttl_ms);
}

static void sales_model_renew(struct sales_model *model, const struct sales_operation *step,
                              struct sales_answer *answer) {
    uint32_t lease = sales_lease_number(step->lease.name);
    if (model->state.leases[lease].status != CELLAR_OK) {
        sales_model_refuse(answer, CELLAR_NOT_FOUND);
    } else if (step->stale || !lease_runs(model, lease)) {
        sales_model_refuse(answer, CELLAR_LEASE_LOST);
    } else {
        lease_set(model, lease, model->now_ms + step->lease.ttl_ms);
    }
}

static void sales_model_release(struct sales_model *model, const struct sales_operation *step,
                                struct sales_answer *answer) {
    uint32_t lease = sales_lease_number(step->lease.name);
    if (model->state.leases[lease].status != CELLAR_OK) {
        sales_model_refuse(answer, CELLAR_NOT_FOUND);
    } else if (step->stale) {
        sales_model_refuse(answer, CELLAR_LEASE_LOST);
    } else if (model->leases[lease].until_ms == 0) {
        sales_model_repeat(answer, (uint32_t)model->state.leases[lease].version);
    } else {
        lease_set(model, lease, 0);
    }
}

/* ---- Calls ---- */

static void sales_model_operation(struct sales_model *model, const struct sales_operation *step,
                                  struct sales_answer *answer) {
    switch (step->operation.kind) {
    case CELLAR_OPERATION_STOCK_RECEIVE:
    case CELLAR_OPERATION_STOCK_ADJUST:
    case CELLAR_OPERATION_STOCK_SET_ASIDE:
    case CELLAR_OPERATION_STOCK_TAKE:
        sales_model_change(model, step, answer);
        break;
    case CELLAR_OPERATION_STOCK_MOVE:
        sales_model_move(model, &step->level, answer);
        break;
    case CELLAR_OPERATION_STOCK_COUNT:
        sales_model_count(model, step->level.line, answer);
        break;
    case CELLAR_OPERATION_STOCK_SET_SAFETY:
        sales_model_safety(model, step->level.line, answer);
        break;
    case CELLAR_OPERATION_ACCOUNT_CREATE:
        sales_model_account(model, &step->account, answer);
        break;
    case CELLAR_OPERATION_ACCOUNT_CREDIT:
        sales_model_credit(model, &step->entry, answer);
        break;
    case CELLAR_OPERATION_ACCOUNT_HOLD:
        sales_model_hold(model, &step->entry, answer);
        break;
    case CELLAR_OPERATION_ACCOUNT_POST:
        sales_model_post(model, &step->entry, answer);
        break;
    case CELLAR_OPERATION_ACCOUNT_VOID:
        sales_model_void(model, &step->entry, answer);
        break;
    case CELLAR_OPERATION_CODE_ADD:
        sales_model_code(model, &step->code, answer);
        break;
    case CELLAR_OPERATION_ORDER_PLACE:
        sales_model_place(model, &step->order, answer);
        break;
    case CELLAR_OPERATION_ORDER_STEP:
        sales_model_step(model, &step->step, answer);
        break;
    case CELLAR_OPERATION_COUPON_CLAIM:
        sales_model_claim(model, &step->claim, answer);
        break;
    case CELLAR_OPERATION_COUPON_REVOKE:
        sales_model_revoke(model, &step->claim, answer);
        break;
    case CELLAR_OPERATION_COUPON_REDEEM:
        sales_model_redeem(model, &step->redemption, answer);
        break;
    case CELLAR_OPERATION_COUPON_RESTORE:
        sales_model_restore(model, &step->redemption, answer);
        break;
    case CELLAR_OPERATION_LEASE_ACQUIRE:
        sales_model_acquire(model, &step->lease, answer);
        break;
    case CELLAR_OPERATION_LEASE_RENEW:
        sales_model_renew(model, step, answer);
        break;
    default:
        sales_model_release(model, step, answer);
        break;
    }
}

/* Derived numbers. */
static void sales_model_sum_up(struct sales_model *model) {
    struct sales_state *state = &model->state;
    struct sales_totals_state *totals = &state->totals;
    totals->stocks = 0;
    totals->units_available = totals->units_reserved = totals->units_unsellable = 0;
    for (uint32_t i = 0; i < SALES_STOCKS; i++) {
        struct sales_stock_state *stock = &state->stocks[i];
        totals->stocks += stock->status == CELLAR_OK;
        stock->on_hand = stock->available + stock->reserved + stock->unsellable;
        totals->units_available += stock->available;
        totals->units_reserved += stock->reserved;
        totals->units_unsellable += stock->unsellable;
    }
    totals->balances = totals->held = 0;
    for (uint32_t i = 0; i < SALES_ACCOUNTS; i++) {
        struct sales_account_state *account = &state->accounts[i];
        account->available = account->balance - account->held;
        totals->balances += account->balance;
        totals->held += account->held;
    }
    totals->account_holds = 0;
    for (uint32_t i = 0; i < SALES_HOLDS; i++) {
        totals->account_holds += state->holds[i].state == CELLAR_ACCOUNT_HOLD_HELD;
    }
    for (uint32_t i = CELLAR_ORDER_PLACED; i <= CELLAR_ORDER_EXPIRED; i++) {
        totals->orders[i] = 0;
    }
    for (uint32_t i = 0; i < SALES_ORDERS; i++) {
        totals->orders[state->orders[i].state] += state->orders[i].status == CELLAR_OK;
    }
    sales_model_count_waiting(model);
}

/* All or none; each sees what those before it do. */
static void sales_model_transaction(struct sales_model *model, const struct sales_request *request,
                                    struct sales_answer *answer) {
    static struct sales_model trial;
    struct sales_answer repeat = {0};
    uint32_t repeated = 0;
    trial = *model;
    for (uint32_t i = 0; i < request->count && answer->reason_count == 0; i++) {
        struct sales_answer one = {0};
        sales_model_operation(&trial, &request->steps[i], &one);
        sales_model_sum_up(&trial);
        for (uint32_t k = 0; k < one.reason_count; k++) {
            sales_model_refuse_until(answer, one.reasons[k], one.retries_ns[k]);
        }
        if (one.repeated && repeated++ == 0) {
            repeat = one;
        }
        if (one.rank != 0) {
            answer->rank = one.rank;
            answer->waiting = one.waiting;
        }
    }
    if (repeated == request->count) {
        *answer = repeat;
    } else if (repeated != 0) {
        /* Some were done before: of the first such step, the one when it has an id. */
        sales_model_refuse(answer, CELLAR_ID_REUSED);
        sales_model_refuse(answer, CELLAR_ALREADY_EXISTS);
    } else if (answer->reason_count == 0) {
        *model = trial;
    }
}

static void sales_model_begin_coupons(struct sales_model *model) {
    for (uint32_t i = 0; i < SALES_CAMPAIGNS; i++) {
        model->state.campaigns[i].status = CELLAR_NOT_FOUND;
        for (uint32_t k = 0; k < SALES_CUSTOMERS * SALES_COUPONS; k++) {
            sales_model_coupon(model, i, 1 + k / SALES_COUPONS, k % SALES_COUPONS)->status =
                CELLAR_NOT_FOUND;
        }
    }
    for (uint32_t i = 0; i < SALES_CODES; i++) {
        model->state.codes[i].status = CELLAR_NOT_FOUND;
    }
}

void sales_model_begin(struct sales_model *model) {
    *model = (struct sales_model){.call = 0};
    for (uint32_t i = 0; i < SALES_STOCKS; i++) {
        model->state.stocks[i].status = CELLAR_NOT_FOUND;
    }
    for (uint32_t i = 0; i < SALES_ACCOUNTS; i++) {
        model->state.accounts[i].status = CELLAR_NOT_FOUND;
    }
    for (uint32_t i = 0; i < SALES_HOLDS; i++) {
        model->state.holds[i].status = CELLAR_NOT_FOUND;
    }
    for (uint32_t i = 0; i < SALES_LEASES; i++) {
        model->state.leases[i].status = CELLAR_NOT_FOUND;
    }
    for (uint32_t i = 0; i < SALES_ORDERS; i++) {
        model->state.orders[i].status = CELLAR_NOT_FOUND;
    }
    sales_model_begin_coupons(model);
}

void sales_model_clock(struct sales_model *model, int64_t now_ms) {
    model->now_ms = now_ms;
    for (uint32_t i = 0; i < SALES_LEASES; i++) {
        model->state.leases[i].held = lease_runs(model, i);
    }
}

void sales_model_call(struct sales_model *model, const struct sales_request *request, uint32_t call,
                      struct sales_answer *answer_out) {
    *answer_out = (struct sales_answer){0};
    model->call = call + 1;
    switch (request->deed) {
    case SALES_PUT:
        sales_model_product(model, &request->product);
        break;
    case SALES_CAMPAIGN_PUT:
        sales_model_campaign(model, &request->campaign, answer_out);
        break;
    case SALES_TRANSACT:
        sales_model_transaction(model, request, answer_out);
        break;
    case SALES_SWEEP:
        break;
    default:
        sales_model_operation(model, &request->steps[0], answer_out);
        break;
    }
    sales_model_sum_up(model);
}

/* ---- What the store does of its own ---- */

uint64_t sales_model_due(const struct sales_model *model) {
    uint64_t due = 0;
    for (uint32_t i = 0; i < SALES_ORDERS; i++) {
        const struct sales_order_state *order = &model->state.orders[i];
        bool held = order->status == CELLAR_OK && order->state == CELLAR_ORDER_PLACED;
        bool over = held && sales_model_is_over(model, order->hold_until_ns);
        due |= (uint64_t)over << i;
    }
    for (uint32_t i = 0; i < SALES_HOLDS; i++) {
        const struct sales_hold_state *hold = &model->state.holds[i];
        bool held = hold->status == CELLAR_OK && hold->state == CELLAR_ACCOUNT_HOLD_HELD;
        bool over = held && sales_model_is_over(model, hold->deadline_ns);
        due |= (uint64_t)over << (SALES_ORDERS + i);
    }
    return due;
}

void sales_model_aside(struct sales_model *model, uint32_t aside) {
    model->call = SALES_CALLS + 1 + aside;
    if (aside < SALES_ORDERS) {
        sales_model_expire_order(model, aside);
    } else if (aside < SALES_ASIDE_STOCK) {
        sales_model_expire_hold(model, aside - SALES_ORDERS);
    } else {
        sales_model_open(model, aside - SALES_ASIDE_STOCK);
    }
    sales_model_sum_up(model);
}
