#include "operation.h"

#include "bodies.h"
#include "server.h"

static void note_order(struct request *request, const cellar_order_request *order,
                       const cellar_ticket *ticket) {
    struct metrics *metrics = &request->server->metrics;
    int64_t total = order_total(request, order, ticket);
    uint64_t units = 0;
    for (size_t i = 0; i < order->line_count; i++) {
        units += (uint64_t)order->lines[i].quantity;
    }
    metrics_add(metrics, METRICS_ORDERS_PLACED, 1);
    metrics_add(metrics, METRICS_UNITS_SOLD, units);
    metrics_add(metrics, METRICS_REVENUE, total == FIELD_ABSENT ? 0 : (uint64_t)total);
    if (order->coupon_campaign != 0 || order->code != NULL) {
        metrics_add(metrics, METRICS_COUPONS_REDEEMED, 1);
    }
    if (order->state >= CELLAR_ORDER_PAID) {
        metrics_add(metrics, METRICS_ORDERS_PAID, 1);
    }
    hot_count(&request->server->hot, order->lines, order->line_count, request->started_ns);
}

static void note_step(struct request *request, cellar_order_event event) {
    static const metrics_counter counters[] = {[CELLAR_EVENT_PAY] = METRICS_ORDERS_PAID,
                                               [CELLAR_EVENT_FULFIL] = METRICS_ORDERS_FULFILLED,
                                               [CELLAR_EVENT_CANCEL] = METRICS_ORDERS_CANCELLED,
                                               [CELLAR_EVENT_RETURN] = METRICS_RETURNS};
    if (event != CELLAR_EVENT_EXTEND) {
        metrics_add(&request->server->metrics, counters[event], 1);
    }
}

void operation_note_claim(struct request *request, bool waiting) {
    metrics_add(&request->server->metrics,
                waiting ? METRICS_COUPONS_QUEUED : METRICS_COUPONS_ISSUED, 1);
}

void operation_note(struct request *request, const cellar_operation *operation,
                    const cellar_ticket *ticket) {
    if (operation->kind == CELLAR_OPERATION_ORDER_PLACE) {
        note_order(request, operation->order, ticket);
    } else if (operation->kind == CELLAR_OPERATION_ORDER_RETURN) {
        metrics_add(&request->server->metrics, METRICS_RETURNS, 1);
    } else if (operation->kind == CELLAR_OPERATION_ORDER_STEP) {
        note_step(request, operation->step->event);
    } else if (operation->kind == CELLAR_OPERATION_COUPON_CLAIM) {
        /* A transaction tells of its last claim only whether it waits. */
        operation_note_claim(request, ticket == NULL ? request->ticket.waiting : ticket->waiting);
    }
}

cellar_status operation_run(struct request *request, const cellar_operation *operation) {
    cellar_status status = cellar_bulk(request->server->store, &request->call, operation, 1, NULL,
                                       &request->ticket, &request->refusal);
    if (status == CELLAR_OK && !request->ticket.repeated) {
        operation_note(request, operation, &request->ticket);
    }
    return status;
}
