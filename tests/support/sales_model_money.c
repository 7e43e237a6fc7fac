/* Accounts, and holds of money. */
#include "support/sales_model_parts.h"

void sales_model_account(struct sales_model *model, const cellar_account_request *request,
                         struct sales_answer *answer) {
    struct sales_account_state *account = &model->state.accounts[request->id - 1];
    if (account->status == CELLAR_OK) {
        sales_model_repeat(answer, 0);
    } else {
        account->status = CELLAR_OK;
        model->state.totals.accounts++;
    }
}

void sales_model_credit(struct sales_model *model, const cellar_account_entry *entry,
                        struct sales_answer *answer) {
    struct sales_account_state *account = &model->state.accounts[entry->account - 1];
    if (sales_model_is_new(model, entry->id, answer)) {
        account->balance += entry->amount;
        model->state.totals.credited += entry->amount;
        answer->remaining = account->balance;
        sales_model_make_document(model, entry->id);
    }
}

void sales_model_hold(struct sales_model *model, const cellar_account_entry *entry,
                      struct sales_answer *answer) {
    uint32_t number = sales_document_number(entry->id);
    struct sales_hold_state *hold = &model->state.holds[number];
    struct sales_account_state *account = &model->state.accounts[entry->account - 1];
    int64_t from = (int64_t)entry->account;
    int64_t deadline_ns = sales_model_deadline_ns(entry->deadline_ns);
    if (hold->status == CELLAR_OK) {
        if (hold->account == from && hold->amount == entry->amount &&
            model->deadlines_ns[number] == entry->deadline_ns) {
            sales_model_repeat(answer, hold->placed);
        } else {
            sales_model_refuse(answer, CELLAR_ID_REUSED);
        }
    } else if (sales_model_is_over(model, deadline_ns)) {
        sales_model_refuse(answer, CELLAR_HOLD_EXPIRED);
    } else if (entry->amount > account->available) {
        sales_model_refuse(answer, CELLAR_INSUFFICIENT_FUNDS);
    } else {
        *hold = (struct sales_hold_state){.status = CELLAR_OK,
                                          .account = from,
                                          .amount = entry->amount,
                                          .state = CELLAR_ACCOUNT_HOLD_HELD,
                                          .deadline_ns = deadline_ns,
                                          .placed = model->call,
                                          .version = model->call};
        model->deadlines_ns[number] = entry->deadline_ns;
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

void sales_model_post(struct sales_model *model, const cellar_account_entry *entry,
                      struct sales_answer *answer) {
    struct sales_hold_state *hold = &model->state.holds[sales_document_number(entry->id)];
    if (hold->status != CELLAR_OK) {
        sales_model_refuse(answer, CELLAR_NOT_FOUND);
    } else if (hold->state == CELLAR_ACCOUNT_HOLD_POSTED && hold->posted == entry->amount &&
               hold->to == (int64_t)entry->to) {
        sales_model_repeat(answer, hold->version);
    } else if (hold->state == CELLAR_ACCOUNT_HOLD_EXPIRED ||
               (hold->state == CELLAR_ACCOUNT_HOLD_HELD &&
                sales_model_is_over(model, hold->deadline_ns))) {
        sales_model_refuse(answer, CELLAR_HOLD_EXPIRED);
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

void sales_model_void(struct sales_model *model, const cellar_account_entry *entry,
                      struct sales_answer *answer) {
    struct sales_hold_state *hold = &model->state.holds[sales_document_number(entry->id)];
    if (hold->status != CELLAR_OK) {
        sales_model_refuse(answer, CELLAR_NOT_FOUND);
    } else if (hold->state == CELLAR_ACCOUNT_HOLD_VOIDED ||
               hold->state == CELLAR_ACCOUNT_HOLD_EXPIRED) {
        sales_model_repeat(answer, hold->version);
    } else if (hold->state == CELLAR_ACCOUNT_HOLD_POSTED) {
        sales_model_refuse(answer, CELLAR_ILLEGAL_STEP);
    } else {
        hold_end(model, hold, CELLAR_ACCOUNT_HOLD_VOIDED);
        answer->remaining = model->state.accounts[hold->account - 1].balance;
    }
}

void sales_model_expire_hold(struct sales_model *model, uint32_t number) {
    hold_end(model, &model->state.holds[number], CELLAR_ACCOUNT_HOLD_EXPIRED);
}
