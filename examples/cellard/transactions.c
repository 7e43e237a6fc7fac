/* /v1/transactions and /v1/bulk: many operations, in one commit, or in one each with one wait for
 * the disk at the end. */
#include "bulk.h"

#include "bodies.h"
#include "operation.h"
#include "problem.h"
#include "shapes.h"
#include "server.h"

#include <string.h>

enum {
    KINDS = CELLAR_OPERATION_COUPON_REVOKE + 1
};

/* ---- Operations ---- */

static const struct field claim_fields[] = {
    ID_FIELD(cellar_claim, id),
    NUMBER_FIELD("campaign", FIELD_REQUIRED, cellar_claim, campaign),
    NUMBER_FIELD("customer", FIELD_REQUIRED, cellar_claim, customer),
};
static const struct shape shape_claim = SHAPE("ClaimEntry", cellar_claim, claim_fields);

static const struct field revoke_fields[] = {
    NUMBER_FIELD("campaign", FIELD_REQUIRED, cellar_claim, campaign),
    NUMBER_FIELD("customer", FIELD_REQUIRED, cellar_claim, customer),
    {.name = "ordinal",
     .kind = FIELD_COUNT,
     .offset = offsetof(cellar_claim, ordinal),
     .max = CELLAR_COUPONS_OF_CUSTOMER_MAX - 1,
     .about = "which of the customer's coupons of this campaign, from 0 on"},
};
static const struct shape shape_revoke = SHAPE("RevokeEntry", cellar_claim, revoke_fields);

/* By cellar_operation_kind; one of them is given, each as the route of its own takes it. */
typedef struct operation_body {
    const void *given[KINDS];
} operation_body;

#define OPERATION(label, operation, form)                                                          \
    {                                                                                              \
        .name = (label), .kind = FIELD_OBJECT,                                                     \
        .offset = offsetof(operation_body, given[CELLAR_OPERATION_##operation]), .shape = &(form)  \
    }
static const struct field operation_fields[] = {
    OPERATION("place", ORDER_PLACE, shape_order_place),
    OPERATION("return", ORDER_RETURN, shape_return),
    OPERATION("step", ORDER_STEP, shape_order_step),
    OPERATION("receive", STOCK_RECEIVE, shape_stock_change),
    OPERATION("adjust", STOCK_ADJUST, shape_stock_change),
    OPERATION("set_aside", STOCK_SET_ASIDE, shape_stock_change),
    OPERATION("announce", STOCK_ANNOUNCE, shape_stock_change),
    OPERATION("take", STOCK_TAKE, shape_stock_change),
    OPERATION("credit", ACCOUNT_CREDIT, shape_account_entry),
    OPERATION("debit", ACCOUNT_DEBIT, shape_account_entry),
    OPERATION("transfer", ACCOUNT_TRANSFER, shape_transfer_entry),
    OPERATION("claim", COUPON_CLAIM, shape_claim),
    OPERATION("revoke", COUPON_REVOKE, shape_revoke),
};
static const struct shape shape_operation = {.name = "Operation",
                                             .bytes = sizeof(operation_body),
                                             .fields = operation_fields,
                                             .field_count =
                                                 sizeof operation_fields / sizeof(struct field),
                                             .one_field = true};

static cellar_operation operation_place(const order_body *order) {
    return (cellar_operation){.kind = CELLAR_OPERATION_ORDER_PLACE, .order = &order->request};
}

static cellar_operation operation_from(const operation_body *body) {
    int kind = CELLAR_OPERATION_ORDER_PLACE;
    while (body->given[kind] == NULL) {
        kind++;
    }
    const void *given = body->given[kind];
    cellar_operation operation = {.kind = (cellar_operation_kind)kind};
    if (kind <= CELLAR_OPERATION_ORDER_RETURN) {
        const order_body *order = given;
        operation.order = &order->request;
        operation.damaged = order->damaged;
    } else if (kind == CELLAR_OPERATION_ORDER_STEP) {
        operation.step = given;
    } else if (kind <= CELLAR_OPERATION_STOCK_TAKE) {
        operation.stock = given;
    } else if (kind <= CELLAR_OPERATION_ACCOUNT_TRANSFER) {
        operation.entry = given;
    } else {
        operation.claim = given;
    }
    return operation;
}

/* Of the order, return or step that the answer should name. */
static cellar_id operation_id(const cellar_operation *operation) {
    if (operation->order != NULL) {
        return operation->order->id;
    }
    return operation->step != NULL ? operation->step->order : (cellar_id){0, 0};
}

/* ---- In one commit ---- */

typedef struct operations_body {
    cellar_id id;
    const char *reference;
    const operation_body *operations;
    size_t count;
} operations_body;

#define OPERATIONS_FIELD(most)                                                                     \
    {                                                                                              \
        .name = "operations", .kind = FIELD_LIST, .flags = FIELD_REQUIRED,                         \
        .offset = offsetof(operations_body, operations), .min = 1, .max = (most),                  \
        .shape = &shape_operation, .count_offset = offsetof(operations_body, count)                \
    }

static const struct field transaction_fields[] = {
    ID_FIELD(operations_body, id),
    REFERENCE_FIELD(operations_body, reference),
    OPERATIONS_FIELD(CELLAR_STEPS_MAX),
};
static const struct shape shape_transaction =
    SHAPE("Transaction", operations_body, transaction_fields);

static const struct field transacted_fields[] = {MADE_ID(FIELD_OPTIONAL), MADE_FIELDS};
static const struct shape shape_transacted =
    SHAPE("TransactionMade", struct made, transacted_fields);

/* The body's operations as the library takes them; NULL: answered. */
static cellar_operation *operations_read(struct request *request, const operations_body *body) {
    cellar_operation *operations =
        body == NULL ? NULL : request_take(request, body->count, sizeof *operations);
    for (size_t i = 0; operations != NULL && i < body->count; i++) {
        operations[i] = operation_from(&body->operations[i]);
    }
    if (operations != NULL && body->reference != NULL) {
        request->call.reference = body->reference;
    }
    return operations;
}

static void transaction_make(struct request *request) {
    const operations_body *body = request_body(request);
    const cellar_operation *operations = operations_read(request, body);
    if (operations == NULL) {
        return;
    }
    cellar_status status =
        cellar_transact(request->server->store, &request->call, body->id, operations, body->count,
                        &request->ticket, &request->refusal);
    for (size_t i = 0; status == CELLAR_OK && !request->ticket.repeated && i < body->count; i++) {
        operation_note(request, &operations[i], NULL);
    }
    request_changed(request, status, FIELD_ABSENT);
}

/* ---- In one commit each ---- */

#define ENTRY(member) offsetof(bulk_entry, member)
static const struct field entry_fields[] = {
    {.name = "outcome",
     .kind = FIELD_CHARS,
     .offset = ENTRY(outcome),
     .about = "ok, or the name of a problem as in /problems/NAME"},
    {.name = "lsn", .kind = FIELD_NUMBER, .flags = FIELD_OPTIONAL, .offset = ENTRY(lsn)},
    {.name = "product", .kind = FIELD_NUMBER, .flags = FIELD_OPTIONAL, .offset = ENTRY(product)},
    {.name = "id",
     .kind = FIELD_UUID,
     .flags = FIELD_OPTIONAL,
     .offset = ENTRY(id),
     .about = "of the order or return"},
    {.name = "repeated", .kind = FIELD_BOOLEAN, .flags = FIELD_OPTIONAL, .offset = ENTRY(repeated)},
    {.name = "line_number",
     .kind = FIELD_COUNT,
     .flags = FIELD_OPTIONAL,
     .offset = ENTRY(line_number),
     .about = "of the line at fault, from 1 on"},
    {.name = "available",
     .kind = FIELD_INTEGER,
     .flags = FIELD_OPTIONAL,
     .offset = ENTRY(available)},
};
static const struct shape shape_entry = SHAPE("BulkEntry", bulk_entry, entry_fields);

static const struct field answer_fields[] = {
    {.name = "done",
     .kind = FIELD_COUNT,
     .offset = offsetof(bulk_answer, done),
     .about = "entries that came out ok"},
    {.name = "results",
     .kind = FIELD_LIST,
     .offset = offsetof(bulk_answer, results),
     .shape = &shape_entry,
     .count_offset = offsetof(bulk_answer, count),
     .about = "one for each entry of the request, in its order"},
};
const struct shape shape_bulk_answer = SHAPE("BulkResult", bulk_answer, answer_fields);

bool bulk_take(struct request *request, size_t count, bulk_told *told) {
    told->statuses = request_take(request, count, sizeof *told->statuses);
    told->tickets = request_take(request, count, sizeof *told->tickets);
    told->refusals = request_take(request, count, sizeof *told->refusals);
    told->entries = request_take(request, count, sizeof *told->entries);
    request->call.wait_ms = BULK_WAIT_MS;
    for (size_t i = 0; told->refusals != NULL && i < count; i++) {
        told->refusals[i].line = CELLAR_NO_LINE;
    }
    return told->statuses != NULL && told->tickets != NULL && told->refusals != NULL &&
           told->entries != NULL;
}

static void entry_set(struct request *request, const bulk_told *told, size_t i) {
    bulk_entry *entry = &told->entries[i];
    const cellar_refusal *refusal = &told->refusals[i];
    cellar_status status = told->statuses[i];
    entry->available = status == CELLAR_OUT_OF_STOCK ? refusal->available : FIELD_ABSENT;
    if (status != CELLAR_OK) {
        problem_name(status, entry->outcome, sizeof entry->outcome);
        metrics_refusal(&request->server->metrics, status);
        entry->line_number = refusal->line == CELLAR_NO_LINE ? 0 : refusal->line + 1;
        return;
    }
    (void)strcpy(entry->outcome, "ok");
    entry->lsn = told->tickets[i].lsn;
    entry->product = told->tickets[i].object;
    entry->repeated = told->tickets[i].repeated;
    request_saw(request, entry->lsn);
}

void bulk_tell(struct request *request, const bulk_told *told, size_t count) {
    bulk_answer answer = {.results = told->entries, .count = count};
    for (size_t i = 0; i < count; i++) {
        entry_set(request, told, i);
        answer.done += told->statuses[i] == CELLAR_OK ? 1 : 0;
    }
    request_answer(request, 200, &shape_bulk_answer, &answer);
}

static void bulk_run(struct request *request, const cellar_operation *operations, size_t count) {
    bulk_told told;
    if (!bulk_take(request, count, &told)) {
        return;
    }
    (void)cellar_bulk(request->server->store, &request->call, operations, count, told.statuses,
                      told.tickets, told.refusals);
    for (size_t i = 0; i < count; i++) {
        told.entries[i].id = operation_id(&operations[i]);
        if (told.statuses[i] == CELLAR_OK && !told.tickets[i].repeated) {
            operation_note(request, &operations[i], &told.tickets[i]);
        }
    }
    bulk_tell(request, &told, count);
}

static const struct field bulk_fields[] = {REFERENCE_FIELD(operations_body, reference),
                                           OPERATIONS_FIELD(BULK_MAX)};
static const struct shape shape_bulk = SHAPE("BulkOperations", operations_body, bulk_fields);

static void bulk_operations(struct request *request) {
    const operations_body *body = request_body(request);
    const cellar_operation *operations = operations_read(request, body);
    if (operations != NULL) {
        bulk_run(request, operations, body->count);
    }
}

/* ---- Of one kind ---- */

typedef struct bulk_list {
    const void *entries;
    size_t count;
} bulk_list;

#define LIST_FIELD(label, form)                                                                    \
    {                                                                                              \
        .name = (label), .kind = FIELD_LIST, .flags = FIELD_REQUIRED,                              \
        .offset = offsetof(bulk_list, entries), .min = 1, .max = BULK_MAX, .shape = &(form),       \
        .count_offset = offsetof(bulk_list, count)                                                 \
    }

static const struct field orders_fields[] = {LIST_FIELD("orders", shape_order_place)};
static const struct shape shape_orders = SHAPE("BulkOrders", bulk_list, orders_fields);

static void bulk_orders(struct request *request) {
    const bulk_list *body = request_body(request);
    cellar_operation *operations =
        body == NULL ? NULL : request_take(request, body->count, sizeof *operations);
    if (operations == NULL) {
        return;
    }
    const order_body *orders = body->entries;
    for (size_t i = 0; i < body->count; i++) {
        operations[i] = operation_place(&orders[i]);
    }
    bulk_run(request, operations, body->count);
}

static const struct field products_fields[] = {LIST_FIELD("products", shape_product_entry)};
static const struct shape shape_products = SHAPE("BulkProducts", bulk_list, products_fields);

static void bulk_products(struct request *request) {
    const bulk_list *body = request_body(request);
    cellar_product *products =
        body == NULL ? NULL : request_take(request, body->count, sizeof *products);
    bulk_told told;
    if (products == NULL || !bulk_take(request, body->count, &told)) {
        return;
    }
    const product_body *bodies = body->entries;
    for (size_t i = 0; i < body->count; i++) {
        products[i] = product_from(&bodies[i]);
    }
    (void)cellar_product_put_many(request->server->store, &request->call, products, body->count,
                                  told.statuses, told.tickets);
    bulk_tell(request, &told, body->count);
}

static const struct route routes[] = {
    {.name = "transactions.make",
     .method = "POST",
     .path = "/v1/transactions",
     .role = ROLE_ADMIN,
     .flags = ROUTE_WRITES | ROUTE_KEYED | ROUTE_CREATES | ROUTE_STEPS | ROUTE_LARGE,
     .body = &shape_transaction,
     .answer = &shape_transacted,
     .handle = transaction_make,
     .summary = "Up to 64 operations in one commit, all or none"},
    {.name = "bulk.operations",
     .method = "POST",
     .path = "/v1/bulk/operations",
     .role = ROLE_ADMIN,
     .flags = ROUTE_WRITES | ROUTE_LARGE,
     .body = &shape_bulk,
     .answer = &shape_bulk_answer,
     .handle = bulk_operations,
     .summary = "Up to 1,000 operations; a refusal of one does not stop the others"},
    {.name = "bulk.products",
     .method = "POST",
     .path = "/v1/bulk/products",
     .role = ROLE_ADMIN,
     .flags = ROUTE_WRITES | ROUTE_LARGE,
     .body = &shape_products,
     .answer = &shape_bulk_answer,
     .handle = bulk_products,
     .summary = "Creates or replaces up to 1,000 products, whatever their version"},
    {.name = "bulk.orders",
     .method = "POST",
     .path = "/v1/bulk/orders",
     .role = ROLE_SELL,
     .flags = ROUTE_WRITES | ROUTE_LARGE,
     .body = &shape_orders,
     .answer = &shape_bulk_answer,
     .handle = bulk_orders,
     .summary = "Places up to 1,000 orders; a refusal of one does not stop the others"},
};

const route_area area_transactions = {"bulk", routes, sizeof routes / sizeof routes[0]};
