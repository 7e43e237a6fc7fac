/* Accounts, as cellar.h has them. */
#include "engine/engine.h"

cellar_status cellar_account_create(cellar *store, const cellar_call *call,
                                    const cellar_account_request *terms, cellar_ticket *ticket_out,
                                    cellar_refusal *refusal_out) {
    if (terms == NULL) {
        return engine_invalid(refusal_out, "request is required");
    }
    const cellar_operation operation = {.kind = CELLAR_OPERATION_ACCOUNT_CREATE, .account = terms};
    return engine_operate(store, call, &operation, ticket_out, refusal_out);
}

cellar_status cellar_account_open(cellar *store, const cellar_call *call, uint64_t account,
                                  int64_t floor, cellar_ticket *ticket_out,
                                  cellar_refusal *refusal_out) {
    const cellar_account_request terms = {.id = account, .floor = floor};
    return cellar_account_create(store, call, &terms, ticket_out, refusal_out);
}

static cellar_status account_operate(cellar *store, const cellar_call *call,
                                     cellar_operation_kind kind, const cellar_account_entry *entry,
                                     cellar_ticket *ticket_out, cellar_refusal *refusal_out) {
    const cellar_operation operation = {.kind = kind, .entry = entry};
    return engine_operate(store, call, &operation, ticket_out, refusal_out);
}

cellar_status cellar_account_set_floor(cellar *store, const cellar_call *call, uint64_t account,
                                       int64_t floor, uint64_t expected, cellar_ticket *ticket_out,
                                       cellar_refusal *refusal_out) {
    const cellar_account_entry entry = {.account = account, .amount = floor, .expected = expected};
    return account_operate(store, call, CELLAR_OPERATION_ACCOUNT_SET_FLOOR, &entry, ticket_out,
                           refusal_out);
}

cellar_status cellar_account_credit(cellar *store, const cellar_call *call, cellar_id id,
                                    uint64_t account, int64_t amount, cellar_ticket *ticket_out,
                                    cellar_refusal *refusal_out) {
    const cellar_account_entry entry = {.id = id, .account = account, .amount = amount};
    return account_operate(store, call, CELLAR_OPERATION_ACCOUNT_CREDIT, &entry, ticket_out,
                           refusal_out);
}

cellar_status cellar_account_debit(cellar *store, const cellar_call *call, cellar_id id,
                                   uint64_t account, int64_t amount, cellar_ticket *ticket_out,
                                   cellar_refusal *refusal_out) {
    const cellar_account_entry entry = {.id = id, .account = account, .amount = amount};
    return account_operate(store, call, CELLAR_OPERATION_ACCOUNT_DEBIT, &entry, ticket_out,
                           refusal_out);
}

cellar_status cellar_account_transfer(cellar *store, const cellar_call *call, cellar_id id,
                                      uint64_t from, uint64_t to, int64_t amount,
                                      cellar_ticket *ticket_out, cellar_refusal *refusal_out) {
    const cellar_account_entry entry = {.id = id, .account = from, .to = to, .amount = amount};
    return account_operate(store, call, CELLAR_OPERATION_ACCOUNT_TRANSFER, &entry, ticket_out,
                           refusal_out);
}

cellar_status cellar_account_settle(cellar *store, const cellar_call *call, uint64_t account,
                                    cellar_ticket *ticket_out, cellar_refusal *refusal_out) {
    struct plan_account_request request = {.account = account};
    const struct engine_change change = {
        .check = plan_check_account_settle, .function = plan_account_settle, .request = &request};
    return engine_change(store, call, &change, ticket_out, refusal_out);
}

cellar_status cellar_account_hold(cellar *store, const cellar_call *call, cellar_id id,
                                  uint64_t account, int64_t amount, int64_t deadline_ns,
                                  cellar_ticket *ticket_out, cellar_refusal *refusal_out) {
    const cellar_account_entry entry = {
        .id = id, .account = account, .amount = amount, .deadline_ns = deadline_ns};
    return account_operate(store, call, CELLAR_OPERATION_ACCOUNT_HOLD, &entry, ticket_out,
                           refusal_out);
}

cellar_status cellar_account_post(cellar *store, const cellar_call *call, cellar_id hold,
                                  int64_t amount, uint64_t to, cellar_ticket *ticket_out,
                                  cellar_refusal *refusal_out) {
    const cellar_account_entry entry = {.id = hold, .amount = amount, .to = to};
    return account_operate(store, call, CELLAR_OPERATION_ACCOUNT_POST, &entry, ticket_out,
                           refusal_out);
}

cellar_status cellar_account_void(cellar *store, const cellar_call *call, cellar_id hold,
                                  cellar_ticket *ticket_out, cellar_refusal *refusal_out) {
    const cellar_account_entry entry = {.id = hold};
    return account_operate(store, call, CELLAR_OPERATION_ACCOUNT_VOID, &entry, ticket_out,
                           refusal_out);
}

/* ---- Reading ---- */

/* Inside a section: the cells as of one instant, which the version of the first stands for. */
static void account_look(const cellar *engine, const struct store_account *found,
                         cellar_account *out) {
    const struct commit *commit = engine->commit;
    uint32_t slot = found->slot;
    struct cell_content room;
    struct cell_content again;
    int64_t held;
    int64_t terms;
    int64_t settled;
    do {
        room = commit_read(commit, store_account_cell(slot));
        out->floor = commit_read(commit, store_floor_cell(slot)).value;
        held = commit_read(commit, store_held_cell(slot)).value;
        terms = commit_read(commit, store_terms_cell(slot)).value;
        settled = commit_read(commit, store_settled_cell(slot)).value;
        again = commit_read(commit, store_account_cell(slot));
    } while (again.version != room.version);
    out->id = found->id;
    out->version = room.version;
    out->held = held;
    out->available = room.value;
    out->currency = (uint32_t)terms;
    out->collecting = (terms & STORE_TERMS_COLLECTING) != 0;
    out->unsettled = out->collecting ? store_unsettled(engine->store, slot, settled) : 0;
    out->balance = room.value + out->floor + held;
    store_sum(&out->balance, out->unsettled);
}

cellar_status cellar_account_get(cellar *store, uint64_t account, cellar_account *account_out) {
    if (account_out == NULL || account == 0) {
        return CELLAR_INVALID_ARGUMENT;
    }
    struct engine_call guard;
    cellar_status status = engine_enter(&guard, store);
    if (status != CELLAR_OK) {
        return status;
    }
    *account_out = (cellar_account){.version = 0};
    commit_enter();
    const struct store_account *found = store_find_account(store->store, account);
    if (found != NULL) {
        account_look(store, found, account_out);
    }
    commit_leave();
    engine_leave(&guard);
    return account_out->version == 0 ? CELLAR_NOT_FOUND : CELLAR_OK;
}
