/* Accounts, as cellar.h has them. */
#include "engine/engine.h"

typedef bool account_check(struct plan *plan, struct plan_account_request *request);

static cellar_status account_transact(cellar *store, const cellar_call *call, account_check *check,
                                      plan_function *function, struct plan_account_request *request,
                                      cellar_ticket *ticket_out, cellar_refusal *refusal_out) {
    struct engine_call guard;
    cellar_status status = engine_enter(&guard, store);
    if (status != CELLAR_OK) {
        return status;
    }
    struct plan plan;
    plan_create(&plan, store->store);
    if (check(&plan, request)) {
        status = engine_transact(store, call, &plan, function, request, ticket_out, refusal_out);
    } else {
        status = engine_refused(&plan, refusal_out);
    }
    plan_destroy(&plan);
    engine_leave(&guard);
    return status;
}

cellar_status cellar_account_create(cellar *store, const cellar_call *call,
                                    const cellar_account_request *terms, cellar_ticket *ticket_out,
                                    cellar_refusal *refusal_out) {
    if (terms == NULL) {
        return engine_invalid(refusal_out, "request is required");
    }
    struct plan_account_request request = {.account = terms->id,
                                           .amount = terms->floor,
                                           .currency = terms->currency,
                                           .collecting = terms->collecting};
    return account_transact(store, call, plan_check_account_open, plan_account_open, &request,
                            ticket_out, refusal_out);
}

cellar_status cellar_account_open(cellar *store, const cellar_call *call, uint64_t account,
                                  int64_t floor, cellar_ticket *ticket_out,
                                  cellar_refusal *refusal_out) {
    const cellar_account_request terms = {.id = account, .floor = floor};
    return cellar_account_create(store, call, &terms, ticket_out, refusal_out);
}

cellar_status cellar_account_set_floor(cellar *store, const cellar_call *call, uint64_t account,
                                       int64_t floor, uint64_t expected, cellar_ticket *ticket_out,
                                       cellar_refusal *refusal_out) {
    struct plan_account_request request = {
        .account = account, .amount = floor, .expected = expected};
    return account_transact(store, call, plan_check_account_floor, plan_account_floor, &request,
                            ticket_out, refusal_out);
}

static cellar_status account_entry(cellar *store, const cellar_call *call,
                                   struct plan_account_request request, cellar_ticket *ticket_out,
                                   cellar_refusal *refusal_out) {
    return account_transact(store, call, plan_check_account_entry, plan_account_entry, &request,
                            ticket_out, refusal_out);
}

cellar_status cellar_account_credit(cellar *store, const cellar_call *call, cellar_id id,
                                    uint64_t account, int64_t amount, cellar_ticket *ticket_out,
                                    cellar_refusal *refusal_out) {
    struct plan_account_request request = {
        .kind = PAYLOAD_CREDIT, .id = id, .account = account, .amount = amount};
    return account_entry(store, call, request, ticket_out, refusal_out);
}

cellar_status cellar_account_debit(cellar *store, const cellar_call *call, cellar_id id,
                                   uint64_t account, int64_t amount, cellar_ticket *ticket_out,
                                   cellar_refusal *refusal_out) {
    struct plan_account_request request = {
        .kind = PAYLOAD_DEBIT, .id = id, .account = account, .amount = amount};
    return account_entry(store, call, request, ticket_out, refusal_out);
}

cellar_status cellar_account_transfer(cellar *store, const cellar_call *call, cellar_id id,
                                      uint64_t from, uint64_t to, int64_t amount,
                                      cellar_ticket *ticket_out, cellar_refusal *refusal_out) {
    struct plan_account_request request = {
        .kind = PAYLOAD_TRANSFER, .id = id, .account = from, .to = to, .amount = amount};
    return account_entry(store, call, request, ticket_out, refusal_out);
}

cellar_status cellar_account_settle(cellar *store, const cellar_call *call, uint64_t account,
                                    cellar_ticket *ticket_out, cellar_refusal *refusal_out) {
    struct plan_account_request request = {.account = account};
    return account_transact(store, call, plan_check_account_settle, plan_account_settle, &request,
                            ticket_out, refusal_out);
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
