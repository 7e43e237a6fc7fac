/* One call after the other: goods, money, leases, transactions. */
#include "support/sales_model_parts.h"

void sales_model_refuse(struct sales_answer *answer, cellar_status reason) {
    if (answer->reason_count < SALES_REASONS_MAX) {
        answer->reasons[answer->reason_count++] = reason;
    }
}

void sales_model_repeat(struct sales_answer *answer, uint32_t first) {
    answer->repeated = true;
    answer->first = first;
}

bool sales_model_is_new(const struct sales_model *model, cellar_id id,
                        struct sales_answer *answer) {
    uint32_t made = model->others[sales_other_number(id)];
    if (made != 0) {
        sales_model_repeat(answer, made);
    }
    return made == 0;
}

void sales_model_make_document(struct sales_model *model, cellar_id id) {
    model->others[sales_other_number(id)] = model->call;
    model->state.totals.documents++;
}

/* ---- Goods ---- */

static void sales_model_product(struct sales_model *model, const cellar_product *product) {
    uint32_t sku = sales_sku_number(product->sku);
    model->state.totals.products += model->state.stocks[sku].status != CELLAR_OK;
    model->state.stocks[sku].status = CELLAR_OK;
    for (uint32_t i = 0; i < product->component_count; i++) {
        const cellar_component *component = &product->components[i];
        model->components[sales_sku_number(component->sku)] = component->quantity;
    }
}

static void sales_model_receive(struct sales_model *model, const cellar_stock_change *change,
                                struct sales_answer *answer) {
    if (!sales_model_is_new(model, change->id, answer)) {
        return;
    }
    for (size_t i = 0; i < change->line_count; i++) {
        const cellar_line *line = &change->lines[i];
        struct sales_stock_state *stock = &model->state.stocks[sales_sku_number(line->sku)];
        stock->available += line->quantity;
        model->state.totals.units_received += line->quantity;
        answer->remaining = change->line_count == 1 ? stock->available : 0;
    }
    sales_model_make_document(model, change->id);
}

/* ---- Money ---- */

static void sales_model_account(struct sales_model *model, const cellar_account_request *request,
                                struct sales_answer *answer) {
    struct sales_account_state *account = &model->state.accounts[request->id - 1];
    if (account->status == CELLAR_OK) {
        sales_model_repeat(answer, 0);
    } else {
        account->status = CELLAR_OK;
        model->state.totals.accounts++;
    }
}

static void sales_model_credit(struct sales_model *model, const cellar_account_entry *entry,
                               struct sales_answer *answer) {
    struct sales_account_state *account = &model->state.accounts[entry->account - 1];
    if (sales_model_is_new(model, entry->id, answer)) {
        account->balance += entry->amount;
        model->state.totals.credited += entry->amount;
        answer->remaining = account->balance;
        sales_model_make_document(model, entry->id);
    }
}

static void sales_model_hold(struct sales_model *model, const cellar_account_entry *entry,
                             struct sales_answer *answer) {
    struct sales_hold_state *hold = &model->state.holds[sales_document_number(entry->id)];
    struct sales_account_state *account = &model->state.accounts[entry->account - 1];
    int64_t from = (int64_t)entry->account;
    if (hold->status == CELLAR_OK) {
        if (hold->account == from && hold->amount == entry->amount) {
            sales_model_repeat(answer, (uint32_t)hold->placed);
        } else {
            sales_model_refuse(answer, CELLAR_ID_REUSED);
        }
    } else if (entry->amount > account->available) {
        sales_model_refuse(answer, CELLAR_INSUFFICIENT_FUNDS);
    } else {
        *hold = (struct sales_hold_state){.status = CELLAR_OK,
                                          .account = from,
                                          .amount = entry->amount,
                                          .state = CELLAR_ACCOUNT_HOLD_HELD,
                                          .placed = model->call,
                                          .version = model->call};
        account->held += entry->amount;
        answer->remaining = account->available - entry->amount;
    }
}

static void hold_end(struct sales_model *model, struct sales_hold_state *hold,
                     cellar_account_hold_state state) {
    model->state.accounts[hold->account - 1].held -= hold->amount;
    hold->state = state;
    hold->version = model->call;
}

static void sales_model_post(struct sales_model *model, const cellar_account_entry *entry,
                             struct sales_answer *answer) {
    struct sales_hold_state *hold = &model->state.holds[sales_document_number(entry->id)];
    if (hold->status != CELLAR_OK) {
        sales_model_refuse(answer, CELLAR_NOT_FOUND);
    } else if (hold->state == CELLAR_ACCOUNT_HOLD_POSTED && hold->posted == entry->amount &&
               hold->to == (int64_t)entry->to) {
        sales_model_repeat(answer, (uint32_t)hold->version);
    } else if (hold->state != CELLAR_ACCOUNT_HOLD_HELD) {
        sales_model_refuse(answer, CELLAR_ILLEGAL_STEP);
    } else if (entry->amount > hold->amount) {
        sales_model_refuse(answer, CELLAR_INSUFFICIENT_FUNDS);
    } else {
        struct sales_account_state *account = &model->state.accounts[hold->account - 1];
        hold_end(model, hold, CELLAR_ACCOUNT_HOLD_POSTED);
        hold->posted = entry->amount;
        hold->to = (int64_t)entry->to;
        account->balance -= entry->amount;
        model->state.accounts[entry->to - 1].balance += entry->amount;
        answer->remaining = account->balance;
    }
}

static void sales_model_void(struct sales_model *model, const cellar_account_entry *entry,
                             struct sales_answer *answer) {
    struct sales_hold_state *hold = &model->state.holds[sales_document_number(entry->id)];
    if (hold->status != CELLAR_OK) {
        sales_model_refuse(answer, CELLAR_NOT_FOUND);
    } else if (hold->state == CELLAR_ACCOUNT_HOLD_VOIDED) {
        sales_model_repeat(answer, (uint32_t)hold->version);
    } else if (hold->state == CELLAR_ACCOUNT_HOLD_POSTED) {
        sales_model_refuse(answer, CELLAR_ILLEGAL_STEP);
    } else {
        hold_end(model, hold, CELLAR_ACCOUNT_HOLD_VOIDED);
        answer->remaining = model->state.accounts[hold->account - 1].balance;
    }
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
        sales_model_receive(model, &step->stock, answer);
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
    totals->stocks = totals->products;
    totals->units_available = totals->units_reserved = totals->units_unsellable = 0;
    for (uint32_t sku = 0; sku < SALES_SKUS; sku++) {
        struct sales_stock_state *stock = &state->stocks[sku];
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
            sales_model_refuse(answer, one.reasons[k]);
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

void sales_model_begin(struct sales_model *model) {
    *model = (struct sales_model){.call = 0};
    for (uint32_t i = 0; i < SALES_SKUS; i++) {
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
    model->state.campaign.status = CELLAR_NOT_FOUND;
    for (uint32_t i = 0; i < SALES_CODES; i++) {
        model->state.codes[i].status = CELLAR_NOT_FOUND;
    }
    for (uint32_t i = 0; i < SALES_CUSTOMERS; i++) {
        model->state.coupons[i].status = CELLAR_NOT_FOUND;
    }
    for (uint32_t i = 0; i < SALES_ORDERS; i++) {
        model->state.orders[i].status = CELLAR_NOT_FOUND;
    }
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
    default:
        sales_model_operation(model, &request->steps[0], answer_out);
        break;
    }
    sales_model_sum_up(model);
}
