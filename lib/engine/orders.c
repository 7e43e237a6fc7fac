/* Changing orders, as cellar.h has it. */
#include "engine/engine.h"

/* ---- Changing ---- */

cellar_status cellar_order_place(cellar *store, const cellar_call *call,
                                 const cellar_order_request *request, cellar_ticket *ticket_out,
                                 cellar_refusal *refusal_out) {
    if (request == NULL) {
        return engine_invalid(refusal_out, "request is required");
    }
    const cellar_operation operation = {.kind = CELLAR_OPERATION_ORDER_PLACE, .order = request};
    return engine_operate(store, call, &operation, ticket_out, refusal_out);
}

cellar_status cellar_order_return(cellar *store, const cellar_call *call,
                                  const cellar_order_request *request, bool damaged,
                                  cellar_ticket *ticket_out, cellar_refusal *refusal_out) {
    if (request == NULL) {
        return engine_invalid(refusal_out, "request is required");
    }
    const cellar_operation operation = {
        .kind = CELLAR_OPERATION_ORDER_RETURN, .order = request, .damaged = damaged};
    return engine_operate(store, call, &operation, ticket_out, refusal_out);
}

/* As a call that places it: what is held beyond its deadline is in nobody's way. Each round but the
 * last has met some of that. */
static enum plan_result order_quote_plan(cellar *store, struct plan *plan,
                                         struct plan_order_request *request) {
    struct engine_wait wait = {.options = NULL};
    enum plan_result result;
    do {
        plan_reset(plan, engine_now(store));
        commit_enter();
        result = plan_order_place(plan, request);
        commit_leave();
    } while (result == PLAN_REFUSED && expiry_run_overdue(store, plan, &wait));
    return result;
}

cellar_status cellar_order_quote(cellar *store, const cellar_order_request *order,
                                 int64_t *total_out, cellar_refusal *refusal_out) {
    if (order == NULL || total_out == NULL) {
        return engine_invalid(refusal_out, "request and total_out are required");
    }
    struct engine_call guard;
    cellar_status status = engine_enter(&guard, store);
    if (status != CELLAR_OK) {
        return status;
    }
    struct plan plan;
    plan_create(&plan, store->store);
    /* Without its id nothing is linked: the plan is made, and dropped. */
    plan.trial = true;
    cellar_order_request anonymous = *order;
    anonymous.id = (cellar_id){0, 0};
    struct plan_order_request request = {.order = &anonymous, .quote = true};
    enum plan_result result = PLAN_REFUSED;
    if (plan_check_order(&plan, &request)) {
        result = order_quote_plan(store, &plan, &request);
    }
    if (result == PLAN_COMMIT &&
        commit_request_bytes(store->commit, plan.change_count + 1, plan.payload_bytes) == 0) {
        plan_invalid(&plan, "too large for an eighth of ring_bytes", CELLAR_NO_LINE);
    }
    if (result == PLAN_NO_MEMORY) {
        plan_refuse(&plan, CELLAR_OUT_OF_MEMORY, CELLAR_NO_LINE);
    }
    *total_out = result == PLAN_COMMIT ? plan_document_at(&plan, 0)->total : request.total;
    status = engine_refused(&plan, refusal_out);
    plan_destroy(&plan);
    engine_leave(&guard);
    return status;
}

/* LSN of the record that placed the order, 0: there is no such order; once that is known: it may
 * just have been committed. */
static cellar_status order_find_placed(cellar *engine, const cellar_call *call, cellar_id id,
                                       uint64_t *placed_lsn_out) {
    struct cell_content cell = {0};
    *placed_lsn_out = 0;
    commit_enter();
    const struct store_order *order = store_find_order(engine->store, id);
    if (order != NULL) {
        cell = commit_read(engine->commit, store_order_cell(order->slot));
        /* Acquire: pairs with the release in order_apply_document(). */
        *placed_lsn_out = ATOMIC_LOAD(&order->placed_lsn, acquire);
    }
    commit_leave();
    if (*placed_lsn_out != 0 || !store_state_is_order(store_document_state(cell.value))) {
        return CELLAR_OK;
    }
    cellar_status status = follower_wait(engine, cell.version, engine_space_deadline(call));
    if (status != CELLAR_OK) {
        return status == CELLAR_TIMEOUT ? CELLAR_BUSY : status;
    }
    commit_enter();
    order = store_find_order(engine->store, id);
    *placed_lsn_out = order == NULL ? 0 : ATOMIC_LOAD(&order->placed_lsn, acquire);
    commit_leave();
    return CELLAR_OK;
}

cellar_status engine_order_placed(cellar *engine, const cellar_call *call,
                                  struct plan_step_request *request) {
    uint64_t placed_lsn;
    if (request->event != CELLAR_EVENT_RETURN) {
        return CELLAR_OK;
    }
    cellar_status status = order_find_placed(engine, call, request->change->order, &placed_lsn);
    if (status == CELLAR_OK && placed_lsn != 0) {
        status = ledger_read(engine, placed_lsn, &request->placed);
    }
    return status;
}

cellar_status cellar_order_step(cellar *store, const cellar_call *call,
                                const cellar_order_change *change, cellar_ticket *ticket_out,
                                cellar_refusal *refusal_out) {
    if (change == NULL) {
        return engine_invalid(refusal_out, "change is required");
    }
    const cellar_operation operation = {.kind = CELLAR_OPERATION_ORDER_STEP, .step = change};
    return engine_operate(store, call, &operation, ticket_out, refusal_out);
}

cellar_status cellar_order_pay(cellar *store, const cellar_call *call, cellar_id id,
                               uint64_t account, cellar_ticket *ticket_out,
                               cellar_refusal *refusal_out) {
    const cellar_order_change change = {.order = id, .event = CELLAR_EVENT_PAY, .account = account};
    return cellar_order_step(store, call, &change, ticket_out, refusal_out);
}

cellar_status cellar_order_fulfil(cellar *store, const cellar_call *call, cellar_id id,
                                  cellar_ticket *ticket_out, cellar_refusal *refusal_out) {
    const cellar_order_change change = {.order = id, .event = CELLAR_EVENT_FULFIL};
    return cellar_order_step(store, call, &change, ticket_out, refusal_out);
}

cellar_status cellar_order_cancel(cellar *store, const cellar_call *call, cellar_id id,
                                  cellar_ticket *ticket_out, cellar_refusal *refusal_out) {
    const cellar_order_change change = {.order = id, .event = CELLAR_EVENT_CANCEL};
    return cellar_order_step(store, call, &change, ticket_out, refusal_out);
}

cellar_status cellar_order_extend(cellar *store, const cellar_call *call, cellar_id id,
                                  int64_t hold_until_ns, cellar_ticket *ticket_out,
                                  cellar_refusal *refusal_out) {
    const cellar_order_change change = {
        .order = id, .event = CELLAR_EVENT_EXTEND, .hold_until_ns = hold_until_ns};
    return cellar_order_step(store, call, &change, ticket_out, refusal_out);
}
