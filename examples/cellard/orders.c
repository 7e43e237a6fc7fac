/* /v1/orders and /v1/returns: orders going in, and the steps of their life. */
#include "bodies.h"
#include "operation.h"
#include "problem.h"
#include "shapes.h"
#include "server.h"

const char *const order_states[] = {NULL,        "placed",   "paid",    "fulfilled",
                                    "cancelled", "returned", "expired", FIELD_CHOICES_END};

/* The states an order may be placed in. */
static const char *const placed_states[] = {NULL, "placed", "paid", "fulfilled", FIELD_CHOICES_END};

static const struct field order_made_fields[] = {
    MADE_ID(0),
    MADE_FIELDS,
    MADE_FIGURE("total", "in minor units"),
};
static const struct shape shape_order_made = SHAPE("OrderStep", struct made, order_made_fields);

/* ---- Orders and returns ---- */

#define ORDER(member) offsetof(order_body, request.member)
#define ORDER_FIELDS                                                                               \
    ID_FIELD(order_body, request.id),                                                              \
        {.name = "customer",                                                                       \
         .kind = FIELD_NUMBER,                                                                     \
         .offset = ORDER(customer),                                                                \
         .about = "absent: a guest"},                                                              \
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
        REFERENCE_FIELD(order_body, request.reference)

static const struct field place_fields[] = {
    ORDER_FIELDS,
    {.name = "state",
     .kind = FIELD_CHOICE,
     .offset = ORDER(state),
     .choices = placed_states,
     .about = "placed when it is not given; or paid or fulfilled in one step"},
    {.name = "hold_until",
     .kind = FIELD_TIME,
     .offset = ORDER(hold_until_ns),
     .about =
         "placed only: its units are held until then, to the millisecond; absent: without end"},
    {.name = "locations",
     .kind = FIELD_COUNTS,
     .offset = ORDER(locations),
     .min = 1,
     .max = CELLAR_LOCATIONS_MAX,
     .count_offset = ORDER(location_count),
     .about = "where the units may come from, best first, in place of the lines' locations"},
    {.name = "split",
     .kind = FIELD_BOOLEAN,
     .offset = ORDER(split),
     .about = "with locations: a line may come from several"},
    {.name = "campaign",
     .kind = FIELD_NUMBER,
     .offset = ORDER(coupon_campaign),
     .about = "the customer's first coupon of it that can be redeemed is, in the same commit"},
    CODE_FIELD(order_body, request.code, 0),
};
const struct shape shape_order_place = SHAPE("OrderPlace", order_body, place_fields);

static const struct field return_fields[] = {
    ORDER_FIELDS,
    {.name = "damaged",
     .kind = FIELD_BOOLEAN,
     .offset = offsetof(order_body, damaged),
     .about = "the goods become unsellable instead of available"},
};
const struct shape shape_return = SHAPE("ReturnMake", order_body, return_fields);

static bool order_is_reduced(const cellar_order_request *order) {
    return order->coupon_campaign != 0 || order->code != NULL;
}

static int64_t order_sum(const cellar_order_request *order) {
    int64_t total = 0;
    for (size_t i = 0; i < order->line_count; i++) {
        total += order->lines[i].quantity * order->lines[i].unit_price;
    }
    return total;
}

int64_t order_total(struct request *request, const cellar_order_request *order,
                    const cellar_ticket *ticket) {
    cellar_order placed;
    if (!order_is_reduced(order)) {
        return order_sum(order);
    }
    if (ticket != NULL && !ticket->repeated) {
        return ticket->remaining;
    }
    return cellar_order_get(request->server->store, order->id, &placed, NULL, 0) == CELLAR_OK
               ? placed.total
               : FIELD_ABSENT;
}

/* The variant is the kind of operation. */
static void order_make(struct request *request) {
    const order_body *body = request_body(request);
    if (body == NULL) {
        return;
    }
    bool comes_back = request->route->variant == CELLAR_OPERATION_ORDER_RETURN;
    const cellar_operation operation = {.kind = (cellar_operation_kind)request->route->variant,
                                        .order = &body->request,
                                        .damaged = body->damaged};
    cellar_status status = operation_run(request, &operation);
    int64_t total = 0;
    if (status == CELLAR_OK) {
        total = comes_back ? -order_sum(&body->request)
                           : order_total(request, &body->request, &request->ticket);
    }
    request_changed(request, status, total);
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
    order_body *body = request_body(request);
    if (body == NULL) {
        return;
    }
    /* The id is not looked at, but there has to be one. */
    body->request.id = (cellar_id){0, 1};
    cellar_status status =
        cellar_order_quote(request->server->store, &body->request, &quote.total, &request->refusal);
    if (status != CELLAR_OK) {
        problem_status(request, status, &request->refusal);
        return;
    }
    quote.discount =
        order_is_reduced(&body->request) ? order_sum(&body->request) - quote.total : FIELD_ABSENT;
    request_answer(request, 200, &shape_quote, &quote);
}

/* ---- Steps ---- */

static const struct field part_fields[] = {
    {.name = "line",
     .kind = FIELD_COUNT,
     .flags = FIELD_REQUIRED,
     .offset = offsetof(cellar_order_part, line),
     .min = 0,
     .max = CELLAR_LINES_MAX - 1,
     .about = "its number in the order, from 0 on"},
    AMOUNT_FIELD("quantity", FIELD_REQUIRED, cellar_order_part, quantity, 1, NULL),
};
static const struct shape shape_part = SHAPE("OrderPart", cellar_order_part, part_fields);

#define STEP(member) offsetof(cellar_order_change, member)
#define STEP_ID ID_FIELD(cellar_order_change, id)
#define STEP_PARTS                                                                                 \
    {                                                                                              \
        .name = "parts", .kind = FIELD_LIST, .offset = STEP(parts), .min = 1,                      \
        .max = CELLAR_LINES_MAX, .shape = &shape_part, .count_offset = STEP(part_count),           \
        .about = "so many units of these lines, and an id is required; absent: all that is left"   \
    }
#define STEP_ACCOUNT                                                                               \
    {                                                                                              \
        .name = "account", .kind = FIELD_NUMBER, .offset = STEP(account),                          \
        .about = "pay: debited in the same commit; absent: paid elsewhere"                         \
    }
#define STEP_DAMAGED                                                                               \
    {                                                                                              \
        .name = "damaged", .kind = FIELD_BOOLEAN, .offset = STEP(damaged),                         \
        .about = "return: the units become unsellable instead of available"                        \
    }
#define STEP_HOLD(flag)                                                                            \
    {                                                                                              \
        .name = "hold_until", .kind = FIELD_TIME, .flags = (flag), .offset = STEP(hold_until_ns),  \
        .about = "extend: the new end, later or sooner"                                            \
    }

static const struct field pay_fields[] = {STEP_ID, STEP_PARTS, STEP_ACCOUNT};
static const struct shape shape_pay = SHAPE("OrderPay", cellar_order_change, pay_fields);
static const struct field parts_fields[] = {STEP_ID, STEP_PARTS};
static const struct shape shape_parts = SHAPE("OrderParts", cellar_order_change, parts_fields);
static const struct field back_fields[] = {STEP_ID, STEP_PARTS, STEP_DAMAGED};
static const struct shape shape_back = SHAPE("OrderReturn", cellar_order_change, back_fields);
static const struct field extend_fields[] = {STEP_ID, STEP_HOLD(FIELD_REQUIRED)};
static const struct shape shape_extend = SHAPE("OrderExtend", cellar_order_change, extend_fields);

static const char *const events[] = {NULL,     "pay",    "fulfil",         "cancel",
                                     "return", "extend", FIELD_CHOICES_END};
static const struct field step_fields[] = {
    {.name = "order", .kind = FIELD_UUID, .flags = FIELD_REQUIRED, .offset = STEP(order)},
    {.name = "event",
     .kind = FIELD_CHOICE,
     .flags = FIELD_REQUIRED,
     .offset = STEP(event),
     .choices = events},
    STEP_ID,
    STEP_PARTS,
    STEP_ACCOUNT,
    STEP_DAMAGED,
    STEP_HOLD(0),
};
const struct shape shape_order_step = SHAPE("OrderChange", cellar_order_change, step_fields);

/* The variant is the event. */
static void order_step(struct request *request) {
    cellar_order_change *body = request_body(request);
    if (body == NULL) {
        return;
    }
    body->order = request->id;
    body->event = (cellar_order_event)request->route->variant;
    const cellar_operation operation = {.kind = CELLAR_OPERATION_ORDER_STEP, .step = body};
    request_changed(request, operation_run(request, &operation), FIELD_ABSENT);
}

#define STEP_ROUTE(label, at, more, form, event, text)                                             \
    {                                                                                              \
        .name = (label), .method = "POST", .path = (at), .role = ROLE_SELL,                        \
        .flags = ROUTE_WRITES | ROUTE_KEYED | ROUTE_TAGGED | (more), .variant = (event),           \
        .body = (form), .answer = &shape_order_made, .handle = order_step, .summary = (text)       \
    }
#define MAKE_ROUTE(label, at, form, operation, text)                                               \
    {                                                                                              \
        .name = (label), .method = "POST", .path = (at), .role = ROLE_SELL,                        \
        .flags = ROUTE_WRITES | ROUTE_KEYED | ROUTE_KEY_IS_ID | ROUTE_CREATES | ROUTE_TAGGED,      \
        .variant = (operation), .body = (form), .answer = &shape_order_made, .handle = order_make, \
        .summary = (text)                                                                          \
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
    MAKE_ROUTE("orders.place", "/v1/orders", &shape_order_place, CELLAR_OPERATION_ORDER_PLACE,
               "Places an order: all its units are taken in one commit, whole or not at all"),
    STEP_ROUTE("orders.pay", "/v1/orders/{order}/pay", 0, &shape_pay, CELLAR_EVENT_PAY,
               "The order is paid; what is not named among parts is cancelled"),
    STEP_ROUTE("orders.fulfil", "/v1/orders/{order}/fulfil", 0, &shape_parts, CELLAR_EVENT_FULFIL,
               "Its units have left"),
    STEP_ROUTE("orders.cancel", "/v1/orders/{order}/cancel", 0, &shape_parts, CELLAR_EVENT_CANCEL,
               "Units, and money from an account, are given back"),
    STEP_ROUTE("orders.return", "/v1/orders/{order}/return", ROUTE_KEY_IS_ID, &shape_back,
               CELLAR_EVENT_RETURN, "Units that have left come back, and their money goes back"),
    STEP_ROUTE("orders.extend", "/v1/orders/{order}/extend", 0, &shape_extend, CELLAR_EVENT_EXTEND,
               "Its units are held until another time"),
    MAKE_ROUTE("returns.make", "/v1/returns", &shape_return, CELLAR_OPERATION_ORDER_RETURN,
               "Goods come back: a document of its own, with or without an order known here"),
};

const route_area area_orders = {"orders", routes, sizeof routes / sizeof routes[0]};
