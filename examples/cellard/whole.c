/* /v1/audit: the whole store. */
#include "problem.h"
#include "shapes.h"
#include "server.h"

#define TOTAL(label)                                                                               \
    { .name = #label, .kind = FIELD_SUM, .offset = offsetof(cellar_audit, totals.label) }
#define TOTAL_NUMBER(label, place)                                                                 \
    { .name = label, .kind = FIELD_NUMBER, .offset = offsetof(cellar_audit, totals.place) }

static const struct field audit_fields[] = {
    {.name = "violations", .kind = FIELD_NUMBER, .offset = offsetof(cellar_audit, violations)},
    {.name = "first_violation",
     .kind = FIELD_CHARS,
     .flags = FIELD_OPTIONAL,
     .offset = offsetof(cellar_audit, first_violation)},
    {.name = "lsn",
     .kind = FIELD_NUMBER,
     .offset = offsetof(cellar_audit, totals.lsn),
     .about = "all of this is as of all commits below"},
    TOTAL_NUMBER("products", products),
    TOTAL_NUMBER("stocks", stocks),
    TOTAL_NUMBER("accounts", accounts),
    TOTAL_NUMBER("customers", customers),
    TOTAL_NUMBER("orders_placed", orders[CELLAR_ORDER_PLACED]),
    TOTAL_NUMBER("orders_paid", orders[CELLAR_ORDER_PAID]),
    TOTAL_NUMBER("orders_fulfilled", orders[CELLAR_ORDER_FULFILLED]),
    TOTAL_NUMBER("orders_cancelled", orders[CELLAR_ORDER_CANCELLED]),
    TOTAL_NUMBER("orders_expired", orders[CELLAR_ORDER_EXPIRED]),
    TOTAL_NUMBER("returns", orders[CELLAR_ORDER_RETURNED]),
    TOTAL_NUMBER("order_lines", order_lines),
    TOTAL_NUMBER("return_lines", return_lines),
    TOTAL(units_ordered),
    TOTAL(units_returned),
    TOTAL(revenue),
    TOTAL(returned_value),
    TOTAL(units_received),
    TOTAL(units_adjusted),
    TOTAL(units_taken),
    TOTAL(units_available),
    TOTAL(units_reserved),
    TOTAL(units_unsellable),
    TOTAL(units_fulfilled),
    TOTAL(balances),
    TOTAL(credited),
    TOTAL(debited),
    TOTAL_NUMBER("account_holds", account_holds),
    TOTAL(held),
    TOTAL(unsettled),
    TOTAL_NUMBER("leases", leases),
    TOTAL_NUMBER("campaigns", campaigns),
    TOTAL_NUMBER("codes", codes),
    TOTAL_NUMBER("coupons_claimed", coupons_claimed),
    TOTAL_NUMBER("coupons_redeemed", coupons_redeemed),
    TOTAL_NUMBER("coupons_revoked", coupons_revoked),
    TOTAL_NUMBER("code_uses", code_uses),
    TOTAL(discounts),
};
static const struct shape shape_audit = SHAPE("Audit", cellar_audit, audit_fields);

/* Takes a serving thread as long as it lasts: seconds in a large store. */
static void whole_audit(struct request *request) {
    cellar_audit audit;
    cellar_status status = cellar_audit_run(request->server->store, &audit);
    if (status != CELLAR_OK) {
        problem_status(request, status, NULL);
        return;
    }
    request_answer(request, 200, &shape_audit, &audit);
}

static const struct route routes[] = {
    {.name = "audit.run",
     .method = "POST",
     .path = "/v1/audit",
     .role = ROLE_ADMIN,
     .limit = 1, /* so that one serving thread is lost to it, not all */
     .body = &shape_nothing,
     .answer = &shape_audit,
     .handle = whole_audit,
     .summary = "Checks every invariant over the whole store as of one instant, and sums it up"},
};

const route_area area_whole = {"store", routes, sizeof routes / sizeof routes[0]};
