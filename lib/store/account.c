/* Accounts: balance - floor in one cell, so that a debit asks only that it stays at or above zero;
 * the floor in another, which every change of the floor and none of the balance writes. */
#include "store/plan.h"

/* The account's cells; its floor is guarded by the version of the balance, which a change of the
 * floor writes too. */
static enum plan_result account_read(struct plan *plan, uint64_t id, uint32_t line,
                                     struct store_account **account_out,
                                     struct cell_content *room_out,
                                     struct cell_content *floor_out) {
    struct store_account *account = store_find_account(plan->store, id);
    if (account == NULL) {
        return plan_refuse(plan, CELLAR_NOT_FOUND, line);
    }
    *floor_out = plan_read(plan, store_floor_cell(account->slot));
    struct cell_content before;
    /* Both as of the instant at which the first is read: a refusal is not checked by any commit.
     * Another round means that the floor was changed meanwhile. */
    do {
        before = *floor_out;
        *room_out = plan_read(plan, store_account_cell(account->slot));
        *floor_out = plan_read(plan, store_floor_cell(account->slot));
    } while (floor_out->version != before.version);
    if (room_out->version == 0) {
        return plan_refuse(plan, CELLAR_NOT_FOUND, line);
    }
    *account_out = account;
    return PLAN_COMMIT;
}

enum plan_result plan_account_change(struct plan *plan, uint64_t id, uint32_t line, int64_t delta,
                                     int64_t *remaining_out) {
    struct store_account *account;
    struct cell_content room;
    struct cell_content floor;
    enum plan_result result = account_read(plan, id, line, &account, &room, &floor);
    if (result != PLAN_COMMIT) {
        return result;
    }
    int64_t left = room.value + delta;
    int64_t balance = left + floor.value;
    if (left < 0 && delta < 0) {
        plan->refusal.available = room.value;
        plan->refusal.needed = -delta;
        return plan_refuse(plan, CELLAR_INSUFFICIENT_FUNDS, line);
    }
    if (balance > CELLAR_AMOUNT_MAX) {
        return plan_refuse(plan, CELLAR_OVERFLOW, line);
    }
    *remaining_out = balance;
    return plan_write(plan, store_account_cell(account->slot), room, left) ? PLAN_COMMIT
                                                                           : PLAN_NO_MEMORY;
}

enum plan_result plan_account_open(struct plan *plan, void *argument) {
    const struct plan_account_request *request = argument;
    struct store_account *account = store_ensure_account(plan->store, request->account);
    if (account == NULL) {
        return plan_refuse(plan, CELLAR_STORE_FULL, CELLAR_NO_LINE);
    }
    uint32_t room_cell = store_account_cell(account->slot);
    uint32_t floor_cell = store_floor_cell(account->slot);
    struct cell_content room = plan_read(plan, room_cell);
    struct cell_content floor = plan_read(plan, floor_cell);
    if (room.version != 0) {
        plan->ticket.lsn = room.version;
        plan->ticket.repeated = true;
        plan->refusal.version = room.version;
        return floor.value == request->amount
                   ? PLAN_REPEATED
                   : plan_refuse(plan, CELLAR_ALREADY_EXISTS, CELLAR_NO_LINE);
    }
    struct payload_account *payload = plan_append(plan, sizeof *payload);
    if (payload == NULL || !plan_write(plan, room_cell, room, -request->amount) ||
        !plan_write(plan, floor_cell, floor, request->amount)) {
        return PLAN_NO_MEMORY;
    }
    *payload = (struct payload_account){.account = request->account, .slot = account->slot};
    plan->kind = STORE_ACCOUNT_OPEN;
    return PLAN_COMMIT;
}

enum plan_result plan_account_floor(struct plan *plan, void *argument) {
    const struct plan_account_request *request = argument;
    struct store_account *account;
    struct cell_content room;
    struct cell_content floor;
    enum plan_result result =
        account_read(plan, request->account, CELLAR_NO_LINE, &account, &room, &floor);
    if (result != PLAN_COMMIT) {
        return result;
    }
    if (request->expected != CELLAR_VERSION_ANY && request->expected != room.version) {
        plan->refusal.version = room.version;
        return plan_refuse(plan, CELLAR_VERSION_CHANGED, CELLAR_NO_LINE);
    }
    int64_t balance = room.value + floor.value;
    if (balance < request->amount) {
        plan->refusal.available = balance;
        plan->refusal.needed = request->amount;
        return plan_refuse(plan, CELLAR_INSUFFICIENT_FUNDS, CELLAR_NO_LINE);
    }
    if (!plan_write(plan, store_account_cell(account->slot), room, balance - request->amount) ||
        !plan_write(plan, store_floor_cell(account->slot), floor, request->amount)) {
        return PLAN_NO_MEMORY;
    }
    plan->ticket.remaining = balance;
    plan->kind = STORE_ACCOUNT_FLOOR;
    return PLAN_COMMIT;
}

bool plan_check_account_entry(struct plan *plan, struct plan_account_request *request) {
    const uint64_t numbers[4] = {request->kind, request->account, request->to,
                                 (uint64_t)request->amount};
    request->fingerprint = hash_seeded(2, numbers, sizeof numbers);
    const char *wrong = NULL;
    if (request->account == 0) {
        wrong = "account: ids begin at 1";
    } else if (request->kind == PAYLOAD_TRANSFER && request->to == request->account) {
        wrong = "to: another account than from";
    } else if (request->kind == PAYLOAD_TRANSFER && request->to == 0) {
        wrong = "to: ids begin at 1";
    } else if (request->amount <= 0 || request->amount > CELLAR_AMOUNT_MAX) {
        wrong = "amount: from 1 to CELLAR_AMOUNT_MAX";
    }
    if (wrong != NULL) {
        plan_invalid(plan, wrong, CELLAR_NO_LINE);
    }
    return wrong == NULL;
}

enum plan_result plan_account_entry(struct plan *plan, void *argument) {
    const struct plan_account_request *request = argument;
    uint32_t slot = 0;
    if (request->id.high != 0 || request->id.low != 0) {
        enum plan_result result =
            plan_document(plan, request->id, request->fingerprint, STORE_STATE_OTHER, &slot);
        if (result != PLAN_COMMIT) {
            return result;
        }
    }
    struct payload_document *document = plan_append(plan, sizeof *document);
    if (document == NULL) {
        return PLAN_NO_MEMORY;
    }
    *document = (struct payload_document){.id = request->id,
                                          .fingerprint = request->fingerprint,
                                          .account = request->account,
                                          .customer = request->to,
                                          .total = request->amount,
                                          .time_ns = plan->now_ns,
                                          .slot = slot,
                                          .type = (uint8_t)request->kind};
    int64_t delta = request->kind == PAYLOAD_CREDIT ? request->amount : -request->amount;
    enum plan_result result =
        plan_account_change(plan, request->account, 0, delta, &plan->ticket.remaining);
    if (result == PLAN_COMMIT && request->kind == PAYLOAD_TRANSFER) {
        int64_t balance;
        result = plan_account_change(plan, request->to, 1, request->amount, &balance);
    }
    plan->kind = STORE_ACCOUNT_ENTRY;
    return result;
}

/* ---- Applying ---- */

static enum store_apply_result account_restore(struct store *store,
                                               const struct payload_account *payload) {
    if (!slots_raise(&store->account_slots, payload->slot)) {
        return STORE_APPLY_LIMIT;
    }
    struct store_account *account = &store->accounts[payload->slot];
    if (account->slot != 0) {
        return account->id == payload->account ? STORE_APPLIED : STORE_APPLY_BROKEN;
    }
    account->id = payload->account;
    account->slot = payload->slot;
    uint64_t hash = store_hash_number(store, account->id);
    uint32_t found = table_add(&store->account_table, hash, &account->id, payload->slot);
    return found == payload->slot ? STORE_APPLIED : STORE_APPLY_BROKEN;
}

enum store_apply_result account_apply(struct store *store, const struct store_part *part) {
    cellar_totals *totals = &store->totals;
    if (part->kind == STORE_ACCOUNT_OPEN) {
        enum store_apply_result result = account_restore(store, part->payload);
        totals->accounts += result == STORE_APPLIED;
        return result;
    }
    if (part->kind == STORE_ACCOUNT_FLOOR) {
        return STORE_APPLIED;
    }
    const struct payload_document *document = part->payload;
    enum store_apply_result result = order_apply_document(store, part, document, STORE_STATE_OTHER);
    if (result != STORE_APPLIED) {
        return result;
    }
    if (document->type == PAYLOAD_CREDIT) {
        store_sum(&totals->credited, document->total);
        store_sum(&totals->balances, document->total);
    } else if (document->type == PAYLOAD_DEBIT) {
        store_sum(&totals->debited, document->total);
        store_sum(&totals->balances, -document->total);
    }
    return STORE_APPLIED;
}
