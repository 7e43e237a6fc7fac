/* Transactions of several operations, and many operations with one wait, as cellar.h has them. */
#include "engine/engine.h"
#include "store/compose.h"

/* What returns need from the ledger, before the first attempt. */
static cellar_status transaction_read(cellar *engine, const cellar_call *call,
                                      const cellar_operation *operations,
                                      struct plan_compose_request *request,
                                      struct record_header **placed_out) {
    for (uint32_t i = 0; i < request->count; i++) {
        if (operations[i].kind != CELLAR_OPERATION_ORDER_STEP) {
            continue;
        }
        cellar_status status =
            engine_order_placed(engine, call, operations[i].step, &placed_out[i]);
        if (status != CELLAR_OK) {
            return status;
        }
        request->operations[i].step.placed = placed_out[i];
    }
    return CELLAR_OK;
}

static cellar_status transaction_run(cellar *engine, const cellar_call *call,
                                     const cellar_operation *operations,
                                     struct plan_compose_request *request, struct plan *plan,
                                     cellar_ticket *ticket_out, cellar_refusal *refusal_out) {
    struct record_header *placed[CELLAR_STEPS_MAX] = {NULL};
    cellar_status status = transaction_read(engine, call, operations, request, placed);
    if (status == CELLAR_OK) {
        status =
            engine_transact(engine, call, plan, plan_compose, request, ticket_out, refusal_out);
    }
    for (uint32_t i = 0; i < request->count; i++) {
        log_release_record(engine->log, placed[i]);
    }
    return status;
}

cellar_status cellar_transact(cellar *store, const cellar_call *call, cellar_id id,
                              const cellar_operation *operations, size_t count,
                              cellar_ticket *ticket_out, cellar_refusal *refusal_out) {
    struct engine_call guard;
    cellar_status status = engine_enter(&guard, store);
    if (status != CELLAR_OK) {
        return status;
    }
    struct plan plan;
    plan_create(&plan, store->store);
    struct plan_compose_request request = {.id = id};
    if (plan_check_compose(&plan, &request, operations, count)) {
        status = transaction_run(store, call, operations, &request, &plan, ticket_out, refusal_out);
    } else {
        status = engine_refused(&plan, refusal_out);
    }
    plan_destroy(&plan);
    engine_leave(&guard);
    return status;
}

/* ---- Many ---- */

static cellar_status bulk_one(cellar *engine, const cellar_call *call,
                              const cellar_operation *operation, cellar_ticket *ticket_out,
                              cellar_refusal *refusal_out) {
    struct plan plan;
    struct plan_operation made;
    struct record_header *placed = NULL;
    plan_create(&plan, engine->store);
    cellar_status status = CELLAR_OK;
    if (!plan_check_operation(&plan, &made, operation)) {
        status = engine_refused(&plan, refusal_out);
    } else if (operation->kind == CELLAR_OPERATION_ORDER_STEP) {
        status = engine_order_placed(engine, call, operation->step, &placed);
        made.step.placed = placed;
    }
    if (status == CELLAR_OK) {
        status = engine_transact(engine, call, &plan, made.function, &made.order, ticket_out,
                                 refusal_out);
    }
    log_release_record(engine->log, placed);
    plan_destroy(&plan);
    return status;
}

static cellar_status bulk_all(cellar *engine, const cellar_call *call,
                              const cellar_operation *operations, size_t count,
                              cellar_status *statuses_out, cellar_ticket *tickets_out,
                              cellar_refusal *refusals_out) {
    cellar_call relaxed = {.wait_ms = 0};
    if (call != NULL) {
        relaxed = *call;
    }
    relaxed.durability = CELLAR_RELAXED;
    cellar_status first = CELLAR_OK;
    uint64_t last_lsn = 0;
    for (size_t i = 0; i < count; i++) {
        cellar_ticket ticket = {0};
        cellar_status status = bulk_one(engine, &relaxed, &operations[i], &ticket,
                                        refusals_out == NULL ? NULL : &refusals_out[i]);
        last_lsn = ticket.lsn > last_lsn ? ticket.lsn : last_lsn;
        first = first == CELLAR_OK ? status : first;
        if (statuses_out != NULL) {
            statuses_out[i] = status;
        }
        if (tickets_out != NULL) {
            tickets_out[i] = ticket;
        }
    }
    cellar_status durable = last_lsn == 0 ? CELLAR_OK : engine_wait_durable(engine, call, last_lsn);
    return durable == CELLAR_OK ? first : durable;
}

cellar_status cellar_bulk(cellar *store, const cellar_call *call,
                          const cellar_operation *operations, size_t count,
                          cellar_status *statuses_out, cellar_ticket *tickets_out,
                          cellar_refusal *refusals_out) {
    if ((operations == NULL && count != 0) || count > CELLAR_BULK_MAX || !engine_call_valid(call)) {
        return CELLAR_INVALID_ARGUMENT;
    }
    struct engine_call guard;
    cellar_status status = engine_enter(&guard, store);
    if (status == CELLAR_OK) {
        status = bulk_all(store, call, operations, count, statuses_out, tickets_out, refusals_out);
        engine_leave(&guard);
    }
    return status;
}
