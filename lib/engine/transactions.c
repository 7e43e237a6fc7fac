/* One operation, a transaction of several, and many with one wait, as cellar.h has them. */
#include "engine/engine.h"
#include "store/compose.h"

/* ---- One ---- */

static cellar_status operation_prepare(cellar *engine, const cellar_call *call, struct plan *plan,
                                       void *request) {
    struct plan_operation *made = request;
    switch (made->from->kind) {
    case CELLAR_OPERATION_ORDER_STEP:
        return engine_order_placed(engine, call, &made->request.step);
    case CELLAR_OPERATION_COUPON_REDEEM:
    case CELLAR_OPERATION_COUPON_RESTORE:
        return engine_redeem_prepare(engine, plan, &made->request.redeem);
    default:
        return CELLAR_OK;
    }
}

static void operation_finish(cellar *engine, void *request, const cellar_ticket *ticket) {
    struct plan_operation *made = request;
    switch (made->from->kind) {
    case CELLAR_OPERATION_ORDER_STEP:
        log_release_record(engine->log, made->request.step.placed);
        break;
    case CELLAR_OPERATION_COUPON_REDEEM:
    case CELLAR_OPERATION_COUPON_RESTORE:
        engine_redeem_finish(engine, &made->request.redeem, ticket);
        break;
    default:
        break;
    }
}

static struct engine_change operation_change(struct plan_operation *made) {
    return (struct engine_change){.check = plan_check_operation,
                                  .function = plan_operation,
                                  .request = made,
                                  .prepare = operation_prepare,
                                  .finish = operation_finish};
}

cellar_status engine_operate(cellar *store, const cellar_call *call,
                             const cellar_operation *operation, cellar_ticket *ticket_out,
                             cellar_refusal *refusal_out) {
    struct plan_operation made = {.from = operation};
    const struct engine_change change = operation_change(&made);
    return engine_change(store, call, &change, ticket_out, refusal_out);
}

/* ---- Several in one commit ---- */

static cellar_status transaction_prepare(cellar *engine, const cellar_call *call, struct plan *plan,
                                         void *argument) {
    struct plan_compose_request *request = argument;
    cellar_status status = CELLAR_OK;
    for (uint32_t i = 0; status == CELLAR_OK && i < request->count; i++) {
        plan->refusal.step = i;
        status = operation_prepare(engine, call, plan, &request->operations[i]);
    }
    return status;
}

static void transaction_finish(cellar *engine, void *argument, const cellar_ticket *ticket) {
    struct plan_compose_request *request = argument;
    for (size_t i = 0; i < request->count; i++) {
        operation_finish(engine, &request->operations[i], ticket);
    }
}

cellar_status cellar_transact(cellar *store, const cellar_call *call, cellar_id id,
                              const cellar_operation *operations, size_t count,
                              cellar_ticket *ticket_out, cellar_refusal *refusal_out) {
    struct plan_compose_request request;
    request.id = id;
    request.from = operations;
    request.count = count;
    const struct engine_change change = {.check = plan_check_compose,
                                         .function = plan_compose,
                                         .request = &request,
                                         .prepare = transaction_prepare,
                                         .finish = transaction_finish};
    return engine_change(store, call, &change, ticket_out, refusal_out);
}

/* ---- Many ---- */

static cellar_status bulk_one(cellar *engine, const cellar_call *call,
                              const cellar_operation *operation, cellar_ticket *ticket_out,
                              cellar_refusal *refusal_out) {
    struct plan_operation made = {.from = operation};
    const struct engine_change change = operation_change(&made);
    return engine_run(engine, call, &change, ticket_out, refusal_out);
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
