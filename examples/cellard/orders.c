/* /v1/orders and /v1/returns */
#include "order_shapes.h"
#include "problem.h"
#include "shapes.h"
#include "server.h"

#include <string.h>

const char *const order_states[] = {NULL,        "placed",   "paid",    "fulfilled",
                                    "cancelled", "returned", "expired", FIELD_CHOICES_END};

/* The states an order may be placed in. */
static const char *const placed_states[] = {NULL, "placed", "paid", "fulfilled", FIELD_CHOICES_END};

/* ---- Going in ---- */

#define ORDER(member) offsetof(order_body, member)
#define ORDER_COMMON                                                                               \
    {.name = "customer",                                                                           \
     .kind = FIELD_NUMBER,                                                                         \
     .offset = ORDER(customer),                                                                    \
     .about = "absent: a guest"},                                                                  \
        {.name = "lines",                                                                          \
         .kind = FIELD_LIST,                                                                       \
         .flags = FIELD_REQUIRED,                                                                  \
         .offset = ORDER(lines),                                                                   \
         .min = 1,                                                                                 \
         .max = CELLAR_LINES_MAX,                                                                  \
         .shape = &shape_line,                                                                     \
         .count_offset = ORDER(line_count)},                                                       \
        {.name = "account",                                                                        \
         .kind = FIELD_NUMBER,                                                                     \
         .offset = ORDER(account),                                                                 \
         .about = "debited with the total (a return: credited) in the same commit"},               \
        {.name = "business_time", .kind = FIELD_TIME, .offset = ORDER(business_time_ns)},          \
        REFERENCE_FIELD(order_body, reference)
#define ORDER_ID                                                                                   \
    {                                                                                              \
        .name = "id", .kind = FIELD_UUID, .offset = ORDER(id),                                     \
        .about = "chosen by the caller; may stand in Idempotency-Key instead"                      \
    }

static const struct field place_fields[] = {
    ORDER_ID,
    ORDER_COMMON,
    {.name = "state",
     .kind = FIELD_CHOICE,
     .offset = ORDER(state),
     .choices = placed_states,
     .about = "placed when it is not given; or paid or fulfilled in one step"},
    {.name = "campaign",
     .kind = FIELD_NUMBER,
     .offset = ORDER(campaign),
     .about = "the customer's first coupon of it that can be redeemed is, in the same commit"},
    CODE_FIELD(order_body, code, 0),
};
const struct shape shape_order_place = SHAPE("OrderPlace", order_body, place_fields);

static const struct field return_fields[] = {
    ORDER_ID,
    ORDER_COMMON,
    {.name = "damaged",
     .kind = FIELD_BOOLEAN,
     .offset = ORDER(damaged),
     .about = "the goods become unsellable instead of available"},
};
static const struct shape shape_return = SHAPE("ReturnMake", order_body, return_fields);

cellar_order_request order_request(const order_body *body) {
    return (cellar_order_request){.id = body->id,
                                  .customer = body->customer,
                                  .lines = body->lines,
                                  .line_count = body->line_count,
                                  .state = (cellar_order_state)body->state,
                                  .account = body->account,
                                  .business_time_ns = body->business_time_ns,
                                  .reference = body->reference,
                                  .coupon_campaign = body->campaign,
                                  .code = body->code};
}

static int64_t order_sum(const order_body *body) {
    int64_t total = 0;
    for (size_t i = 0; i < body->line_count; i++) {
        total += body->lines[i].quantity * body->lines[i].unit_price;
    }
    return total;
}

int64_t order_total(struct request *request, const order_body *body) {
    cellar_order order;
    if (body->campaign == 0 && body->code == NULL) {
        return order_sum(body);
    }
    return cellar_order_get(request->server->store, body->id, &order, NULL, 0) == CELLAR_OK
               ? order.total
               : FIELD_ABSENT;
}

void order_note(struct request *request, const order_body *body, int64_t total) {
    struct metrics *metrics = &request->server->metrics;
    uint64_t units = 0;
    for (size_t i = 0; i < body->line_count; i++) {
        units += (uint64_t)body->lines[i].quantity;
    }
    metrics_add(metrics, METRICS_ORDERS_PLACED, 1);
    metrics_add(metrics, METRICS_UNITS_SOLD, units);
    metrics_add(metrics, METRICS_REVENUE, total == FIELD_ABSENT ? 0 : (uint64_t)total);
    if (body->campaign != 0 || body->code != NULL) {
        metrics_add(metrics, METRICS_COUPONS_REDEEMED, 1);
    }
    if (body->state >= CELLAR_ORDER_PAID) {
        metrics_add(metrics, METRICS_ORDERS_PAID, 1);
    }
    hot_count(&request->server->hot, body->lines, body->line_count, request->started_ns);
}

/* ---- Coming out ---- */

typedef struct order_made {
    cellar_id id;
    struct made made;
    int64_t total;
} order_made;

static const struct field order_made_fields[] = {
    {.name = "id", .kind = FIELD_UUID, .offset = offsetof(order_made, id)},
    {.name = "lsn", .kind = FIELD_NUMBER, .offset = offsetof(order_made, made.lsn)},
    {.name = "time",
     .kind = FIELD_TIME,
     .flags = FIELD_OPTIONAL,
     .offset = offsetof(order_made, made.time_ns)},
    {.name = "repeated", .kind = FIELD_BOOLEAN, .offset = offsetof(order_made, made.repeated)},
    {.name = "total",
     .kind = FIELD_INTEGER,
     .flags = FIELD_OPTIONAL,
     .offset = offsetof(order_made, total),
     .about = "in minor units"},
};
static const struct shape shape_order_made = SHAPE("OrderStep", order_made, order_made_fields);

static void order_answer(struct request *request, cellar_status status, cellar_id id, int64_t total,
                         const cellar_ticket *ticket, const cellar_refusal *refusal) {
    if (status != CELLAR_OK) {
        problem_status(request, status, refusal);
        metrics_refusal(&request->server->metrics, status);
        return;
    }
    const order_made answer = {.id = id, .made = made_from(ticket), .total = total};
    request->etag = ticket->lsn;
    request_saw(request, ticket->lsn);
    request_answer(request, request_made(request, ticket), &shape_order_made, &answer);
}

/* The body, with its id from either place. NULL: answered. */
static order_body *order_read(struct request *request) {
    order_body *body = request_body(request);
    bool in_header = (request->key.high | request->key.low) != 0;
    if (body == NULL) {
        return NULL;
    }
    bool in_body = (body->id.high | body->id.low) != 0;
    if (!in_body && !in_header) {
        problem_field(request, PROBLEM_BAD_FIELD, "/id", "is required, here or in Idempotency-Key");
        return NULL;
    }
    if (in_body && in_header && memcmp(&body->id, &request->key, sizeof body->id) != 0) {
        problem_field(request, PROBLEM_BAD_FIELD, "/id", "is not the Idempotency-Key");
        return NULL;
    }
    body->id = in_body ? body->id : request->key;
    return body;
}

static void order_place(struct request *request) {
    cellar_ticket ticket;
    cellar_refusal refusal = {.line = CELLAR_NO_LINE};
    const order_body *body = order_read(request);
    if (body == NULL) {
        return;
    }
    const cellar_order_request order = order_request(body);
    cellar_status status =
        cellar_order_place(request->server->store, &request->call, &order, &ticket, &refusal);
    int64_t total = status == CELLAR_OK ? order_total(request, body) : 0;
    if (status == CELLAR_OK && !ticket.repeated) {
        order_note(request, body, total);
    }
    order_answer(request, status, body->id, total, &ticket, &refusal);
}

static void order_return(struct request *request) {
    cellar_ticket ticket;
    cellar_refusal refusal = {.line = CELLAR_NO_LINE};
    const order_body *body = order_read(request);
    if (body == NULL) {
        return;
    }
    const cellar_order_request order = order_request(body);
    cellar_status status = cellar_order_return(request->server->store, &request->call, &order,
                                               body->damaged, &ticket, &refusal);
    if (status == CELLAR_OK && !ticket.repeated) {
        metrics_add(&request->server->metrics, METRICS_RETURNS, 1);
    }
    int64_t total = status == CELLAR_OK ? -order_sum(body) : 0;
    order_answer(request, status, body->id, total, &ticket, &refusal);
}

/* ---- Quote ---- */

struct quote {
    int64_t total;
    int64_t discount;
};

static const struct field quote_fields[] = {
    {.name = "total", .kind = FIELD_INTEGER, .offset = offsetof(struct quote, total)},
    {.name = "discount",
     .kind = FIELD_INTEGER,
     .flags = FIELD_OPTIONAL,
     .offset = offsetof(struct quote, discount),
     .about = "what coupon or code take off; in the total already"},
};
static const struct shape shape_quote = SHAPE("Quote", struct quote, quote_fields);

static void order_quote(struct request *request) {
    struct quote quote = {.total = 0};
    cellar_refusal refusal = {.line = CELLAR_NO_LINE};
    order_body *body = request_body(request);
    if (body == NULL) {
        return;
    }
    /* The id is not looked at, but there has to be one. */
    body->id = (cellar_id){0, 1};
    const cellar_order_request order = order_request(body);
    cellar_status status =
        cellar_order_quote(request->server->store, &order, &quote.total, &refusal);
    if (status != CELLAR_OK) {
        problem_status(request, status, &refusal);
        return;
    }
    bool is_reduced = body->campaign != 0 || body->code != NULL;
    quote.discount = is_reduced ? order_sum(body) - quote.total : FIELD_ABSENT;
    request_answer(request, 200, &shape_quote, &quote);
}

/* ---- Steps ---- */

static const struct field pay_fields[] = {
    {.name = "account",
     .kind = FIELD_NUMBER,
     .offset = ORDER(account),
     .about = "debited with the total in the same commit; absent: paid elsewhere"}};
static const struct shape shape_pay = SHAPE("OrderPay", order_body, pay_fields);

static void order_pay(struct request *request) {
    cellar_ticket ticket;
    cellar_refusal refusal = {.line = CELLAR_NO_LINE};
    const order_body *body = request_body(request);
    if (body == NULL) {
        return;
    }
    cellar_status status = cellar_order_pay(request->server->store, &request->call, request->order,
                                            body->account, &ticket, &refusal);
    if (status == CELLAR_OK && !ticket.repeated) {
        metrics_add(&request->server->metrics, METRICS_ORDERS_PAID, 1);
    }
    order_answer(request, status, request->order, FIELD_ABSENT, &ticket, &refusal);
}

typedef cellar_status step_function(cellar *store, const cellar_call *call, cellar_id id,
                                    cellar_ticket *ticket_out, cellar_refusal *refusal_out);

static void order_step_with(struct request *request, step_function *function,
                            metrics_counter counter) {
    cellar_ticket ticket;
    cellar_refusal refusal = {.line = CELLAR_NO_LINE};
    if (request_body(request) == NULL) {
        return;
    }
    cellar_status status =
        function(request->server->store, &request->call, request->order, &ticket, &refusal);
    if (status == CELLAR_OK && !ticket.repeated) {
        metrics_add(&request->server->metrics, counter, 1);
    }
    order_answer(request, status, request->order, FIELD_ABSENT, &ticket, &refusal);
}

static void order_fulfil(struct request *request) {
    order_step_with(request, cellar_order_fulfil, METRICS_ORDERS_FULFILLED);
}

static void order_cancel(struct request *request) {
    order_step_with(request, cellar_order_cancel, METRICS_ORDERS_CANCELLED);
}

#define STEP(label, at, form, function, text)                                                      \
    {                                                                                              \
        .name = (label), .method = "POST", .path = (at), .role = ROLE_SELL,                        \
        .flags = ROUTE_WRITES | ROUTE_TAGGED, .body = (form), .answer = &shape_order_made,         \
        .handle = (function), .summary = (text)                                                    \
    }

static const struct route routes[] = {
    {.name = "orders.quote",
     .method = "POST",
     .path = "/v1/orders/quote",
     .role = ROLE_READ,
     .body = &shape_order_place,
     .answer = &shape_quote,
     .handle = order_quote,
     .summary = "What placing this order would answer now, without a commit"},
    {.name = "orders.place",
     .method = "POST",
     .path = "/v1/orders",
     .role = ROLE_SELL,
     .flags = ROUTE_WRITES | ROUTE_KEYED | ROUTE_KEY_IS_ID | ROUTE_CREATES | ROUTE_TAGGED,
     .body = &shape_order_place,
     .answer = &shape_order_made,
     .handle = order_place,
     .summary = "Places an order: all its units are taken in one commit, whole or not at all"},
    STEP("orders.pay", "/v1/orders/{order}/pay", &shape_pay, order_pay, "The order is paid"),
    STEP("orders.fulfil", "/v1/orders/{order}/fulfil", &shape_nothing, order_fulfil,
         "Its units have left"),
    STEP("orders.cancel", "/v1/orders/{order}/cancel", &shape_nothing, order_cancel,
         "Units, and money from an account, are given back"),
    {.name = "returns.make",
     .method = "POST",
     .path = "/v1/returns",
     .role = ROLE_SELL,
     .flags = ROUTE_WRITES | ROUTE_KEYED | ROUTE_KEY_IS_ID | ROUTE_CREATES | ROUTE_TAGGED,
     .body = &shape_return,
     .answer = &shape_order_made,
     .handle = order_return,
     .summary = "Goods come back: a document of its own, with or without an order known here"},
};

const route_area area_orders = {"orders", routes, sizeof routes / sizeof routes[0]};
