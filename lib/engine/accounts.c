/* Accounts, as cellar.h has them. */
#include "engine/engine.h"

static cellar_status account_transact(cellar *store, const cellar_call *call, const char *wrong,
                                      plan_function *function, struct plan_account_request *request,
                                      cellar_ticket *ticket_out, cellar_refusal *refusal_out) {
    struct engine_call guard;
    cellar_status status = engine_enter(&guard, store);
    if (status != CELLAR_OK) {
        return status;
    }
    struct plan plan;
    plan_create(&plan, store->store);
    if (request->account == 0) {
        wrong = "account: ids begin at 1";
    }
    if (wrong != NULL) {
        plan_invalid(&plan, wrong, CELLAR_NO_LINE);
        status = engine_refused(&plan, refusal_out);
    } else {
        status = engine_transact(store, call, &plan, function, request, ticket_out, refusal_out);
    }
    plan_destroy(&plan);
    engine_leave(&guard);
    return status;
}

static const char *account_check_floor(int64_t floor) {
    return floor > 0 || floor < -CELLAR_AMOUNT_MAX ? "floor: from -CELLAR_AMOUNT_MAX to 0" : NULL;
}

cellar_status cellar_account_open(cellar *store, const cellar_call *call, uint64_t account,
                                  int64_t floor, cellar_ticket *ticket_out,
                                  cellar_refusal *refusal_out) {
    struct plan_account_request request = {.account = account, .amount = floor};
    return account_transact(store, call, account_check_floor(floor), plan_account_open, &request,
                            ticket_out, refusal_out);
}

cellar_status cellar_account_set_floor(cellar *store, const cellar_call *call, uint64_t account,
                                       int64_t floor, uint64_t expected, cellar_ticket *ticket_out,
                                       cellar_refusal *refusal_out) {
    struct plan_account_request request = {
        .account = account, .amount = floor, .expected = expected};
    return account_transact(store, call, account_check_floor(floor), plan_account_floor, &request,
                            ticket_out, refusal_out);
}

static cellar_status account_entry(cellar *store, const cellar_call *call,
                                   struct plan_account_request *request, cellar_ticket *ticket_out,
                                   cellar_refusal *refusal_out) {
    struct engine_call guard;
    cellar_status status = engine_enter(&guard, store);
    if (status != CELLAR_OK) {
        return status;
    }
    struct plan plan;
    plan_create(&plan, store->store);
    status = plan_check_account_entry(&plan, request)
                 ? engine_transact(store, call, &plan, plan_account_entry, request, ticket_out,
                                   refusal_out)
                 : engine_refused(&plan, refusal_out);
    plan_destroy(&plan);
    engine_leave(&guard);
    return status;
}

cellar_status cellar_account_credit(cellar *store, const cellar_call *call, cellar_id id,
                                    uint64_t account, int64_t amount, cellar_ticket *ticket_out,
                                    cellar_refusal *refusal_out) {
    struct plan_account_request request = {
        .kind = PAYLOAD_CREDIT, .id = id, .account = account, .amount = amount};
    return account_entry(store, call, &request, ticket_out, refusal_out);
}

cellar_status cellar_account_debit(cellar *store, const cellar_call *call, cellar_id id,
                                   uint64_t account, int64_t amount, cellar_ticket *ticket_out,
                                   cellar_refusal *refusal_out) {
    struct plan_account_request request = {
        .kind = PAYLOAD_DEBIT, .id = id, .account = account, .amount = amount};
    return account_entry(store, call, &request, ticket_out, refusal_out);
}

cellar_status cellar_account_transfer(cellar *store, const cellar_call *call, cellar_id id,
                                      uint64_t from, uint64_t to, int64_t amount,
                                      cellar_ticket *ticket_out, cellar_refusal *refusal_out) {
    struct plan_account_request request = {
        .kind = PAYLOAD_TRANSFER, .id = id, .account = from, .to = to, .amount = amount};
    return account_entry(store, call, &request, ticket_out, refusal_out);
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
    const struct commit *commit = store->commit;
    struct cell_content room = {0, 0};
    commit_enter();
    const struct store_account *found = store_find_account(store->store, account);
    if (found != NULL) {
        struct cell_content floor;
        struct cell_content again;
        do {
            room = commit_read(commit, store_account_cell(found->slot));
            floor = commit_read(commit, store_floor_cell(found->slot));
            /* A change of the floor changes the other cell, too. */
            again = commit_read(commit, store_account_cell(found->slot));
        } while (again.version != room.version);
        *account_out = (cellar_account){.id = account,
                                        .balance = room.value + floor.value,
                                        .floor = floor.value,
                                        .version = room.version};
    }
    commit_leave();
    engine_leave(&guard);
    return room.version == 0 ? CELLAR_NOT_FOUND : CELLAR_OK;
}
