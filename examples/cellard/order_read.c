/* /v1/orders, read: one, and lists. */
#include "bodies.h"
#include "problem.h"
#include "shapes.h"
#include "server.h"

/* An order with its lines. */
typedef struct order_view {
    cellar_order order;
    const cellar_order_line *lines;
    size_t line_count;
} order_view;

#define LINE(member) offsetof(cellar_order_line, member)
static const struct field ledger_fields[] = {
    {.name = "product", .kind = FIELD_NUMBER, .offset = LINE(product)},
    {.name = "location", .kind = FIELD_COUNT, .offset = LINE(location)},
    {.name = "quantity", .kind = FIELD_INTEGER, .offset = LINE(quantity)},
    {.name = "unit_price", .kind = FIELD_INTEGER, .offset = LINE(unit_price)},
    {.name = "discount",
     .kind = FIELD_INTEGER,
     .offset = LINE(discount),
     .about = "off the whole line"},
    {.name = "cancelled", .kind = FIELD_INTEGER, .offset = LINE(cancelled)},
    {.name = "fulfilled",
     .kind = FIELD_INTEGER,
     .offset = LINE(fulfilled),
     .about = "have left, those that have come back included"},
    {.name = "returned", .kind = FIELD_INTEGER, .offset = LINE(returned)},
    {.name = "uncovered",
     .kind = FIELD_INTEGER,
     .offset = LINE(uncovered),
     .about = "of those still reserved: not here yet; follows the log"},
};
static const struct shape shape_ledger_line = SHAPE("LedgerLine", cellar_order_line, ledger_fields);

#define ORDER(member) offsetof(order_view, order.member)
static const struct field order_fields[] = {
    {.name = "id", .kind = FIELD_UUID, .offset = ORDER(id)},
    {.name = "state", .kind = FIELD_CHOICE, .offset = ORDER(state), .choices = order_states},
    {.name = "version", .kind = FIELD_NUMBER, .offset = ORDER(version)},
    {.name = "placed_lsn", .kind = FIELD_NUMBER, .offset = ORDER(placed_lsn)},
    {.name = "placed", .kind = FIELD_TIME, .offset = ORDER(placed_ns)},
    {.name = "business_time",
     .kind = FIELD_TIME,
     .flags = FIELD_OPTIONAL,
     .offset = ORDER(business_time_ns)},
    {.name = "customer", .kind = FIELD_NUMBER, .flags = FIELD_OPTIONAL, .offset = ORDER(customer)},
    {.name = "account", .kind = FIELD_NUMBER, .flags = FIELD_OPTIONAL, .offset = ORDER(account)},
    {.name = "hold_until",
     .kind = FIELD_TIME,
     .flags = FIELD_OPTIONAL,
     .offset = ORDER(hold_until_ns),
     .about = "while it is placed; absent: without end"},
    {.name = "total", .kind = FIELD_INTEGER, .offset = ORDER(total), .about = "as placed"},
    {.name = "cancelled_value",
     .kind = FIELD_INTEGER,
     .offset = ORDER(cancelled_value),
     .about = "of the total: was cancelled or has expired"},
    {.name = "returned_value",
     .kind = FIELD_INTEGER,
     .offset = ORDER(returned_value),
     .about = "of the total: has come back"},
    {.name = "reference", .kind = FIELD_CHARS, .flags = FIELD_OPTIONAL, .offset = ORDER(reference)},
    {.name = "line_count", .kind = FIELD_COUNT, .offset = ORDER(line_count)},
    {.name = "lines",
     .kind = FIELD_LIST,
     .flags = FIELD_OPTIONAL,
     .offset = offsetof(order_view, lines),
     .shape = &shape_ledger_line,
     .count_offset = offsetof(order_view, line_count)},
};
static const struct shape shape_order = SHAPE("Order", order_view, order_fields);

static void order_get(struct request *request) {
    order_view view = {.line_count = 0};
    cellar_order_line *lines = request_take(request, CELLAR_LINES_MAX, sizeof *lines);
    if (lines == NULL) {
        return;
    }
    cellar_status status =
        cellar_order_get(request->server->store, request->id, &view.order, lines, CELLAR_LINES_MAX);
    view.lines = lines;
    view.line_count = view.order.line_count;
    request_found(request, status, view.order.version, &view);
}

/* ---- Where its units come from ---- */

typedef struct sources_view {
    cellar_order order;
    const cellar_order_source *items;
    size_t count;
} sources_view;

#define SOURCE(member) offsetof(cellar_order_source, member)
static const struct field source_fields[] = {
    {.name = "line", .kind = FIELD_COUNT, .offset = SOURCE(line), .about = "from 0"},
    {.name = "product",
     .kind = FIELD_NUMBER,
     .offset = SOURCE(product),
     .about = "of a kit: one of its components"},
    {.name = "location", .kind = FIELD_COUNT, .offset = SOURCE(location)},
    {.name = "per_unit",
     .kind = FIELD_COUNT,
     .offset = SOURCE(per_unit),
     .about = "pieces that a unit of the line takes"},
    {.name = "quantity",
     .kind = FIELD_INTEGER,
     .offset = SOURCE(quantity),
     .about = "pieces, as what follows"},
    {.name = "cancelled", .kind = FIELD_INTEGER, .offset = SOURCE(cancelled)},
    {.name = "fulfilled", .kind = FIELD_INTEGER, .offset = SOURCE(fulfilled)},
    {.name = "returned", .kind = FIELD_INTEGER, .offset = SOURCE(returned)},
    {.name = "uncovered", .kind = FIELD_INTEGER, .offset = SOURCE(uncovered)},
};
static const struct shape shape_source = SHAPE("Source", cellar_order_source, source_fields);

#define VIEW(member) offsetof(sources_view, member)
static const struct field sources_fields[] = {
    {.name = "id", .kind = FIELD_UUID, .offset = VIEW(order.id)},
    {.name = "state", .kind = FIELD_CHOICE, .offset = VIEW(order.state), .choices = order_states},
    {.name = "version", .kind = FIELD_NUMBER, .offset = VIEW(order.version)},
    {.name = "items",
     .kind = FIELD_LIST,
     .offset = VIEW(items),
     .shape = &shape_source,
     .count_offset = VIEW(count)},
};
static const struct shape shape_sources = SHAPE("Sources", sources_view, sources_fields);

static void order_sources(struct request *request) {
    cellar *store = request->server->store;
    sources_view view = {.count = 0};
    cellar_status status =
        cellar_order_sources(store, request->id, 0, &view.order, NULL, 0, &view.count);
    if (status == CELLAR_OK) {
        /* As many as it was placed with: that does not change. */
        cellar_order_source *sources = request_take(request, view.count, sizeof *sources);
        if (sources == NULL) {
            return;
        }
        status = cellar_order_sources(store, request->id, 0, &view.order, sources, view.count,
                                      &view.count);
        view.items = sources;
    }
    request_found(request, status, view.order.version, &view);
}

/* ---- Lists ---- */

typedef struct order_list_query {
    uint64_t customer;
    int state;
    cellar_id before;
    uint32_t limit;
    uint64_t cursor;
    bool lines;
} order_list_query;

#define QUERY(member) offsetof(order_list_query, member)
static const struct field list_fields[] = {
    {.name = "customer",
     .kind = FIELD_NUMBER,
     .offset = QUERY(customer),
     .about = "orders and returns of this customer, whatever their state"},
    {.name = "state",
     .kind = FIELD_CHOICE,
     .offset = QUERY(state),
     .choices = order_states,
     .about = "of this state, when no customer is given"},
    {.name = "before",
     .kind = FIELD_UUID,
     .offset = QUERY(before),
     .about = "placed before the order with this id: `next` of the page before"},
    {.name = "cursor",
     .kind = FIELD_NUMBER,
     .offset = QUERY(cursor),
     .about =
         "`next_cursor` of the page before: so it goes on although that order has left memory"},
    LIMIT_FIELD(order_list_query, limit),
    {.name = "lines",
     .kind = FIELD_BOOLEAN,
     .offset = QUERY(lines),
     .about = "with their lines; the page ends earlier when these are many"},
};

static const char *list_check(const void *value) {
    const order_list_query *query = value;
    return (query->customer != 0) == (query->state != 0)
               ? "exactly one of customer and state is required"
               : NULL;
}

static const struct shape shape_list_query =
    SHAPE_CHECKED("OrderListQuery", order_list_query, list_fields, list_check);

typedef struct order_page {
    const order_view *items;
    size_t count;
    cellar_id next;
    uint64_t next_cursor;
} order_page;

static const struct field page_fields[] = {
    {.name = "items",
     .kind = FIELD_LIST,
     .offset = offsetof(order_page, items),
     .shape = &shape_order,
     .count_offset = offsetof(order_page, count)},
    {.name = "next",
     .kind = FIELD_UUID,
     .flags = FIELD_OPTIONAL,
     .offset = offsetof(order_page, next),
     .about = "to be given as `before`; absent at the end"},
    {.name = "next_cursor",
     .kind = FIELD_NUMBER,
     .flags = FIELD_OPTIONAL,
     .offset = offsetof(order_page, next_cursor),
     .about = "to be given as `cursor`, beside `before`"},
};
static const struct shape shape_page = SHAPE("OrderPage", order_page, page_fields);

enum {
    LIST_LINES_MAX = 2 * CELLAR_LINES_MAX
};

/* Puts each order together with its own of the lines, which come one after the other. */
static void page_fill(struct request *request, order_view *views, const cellar_order *orders,
                      size_t count, const cellar_order_line *lines) {
    for (size_t i = 0; i < count; i++) {
        views[i].order = orders[i];
        views[i].lines = lines;
        views[i].line_count = orders[i].line_count;
        lines = lines == NULL ? NULL : lines + orders[i].line_count;
        request_saw(request, orders[i].version);
    }
}

static void order_list(struct request *request) {
    const order_list_query *query = request->query;
    const cellar_order_query wanted = {.customer = query->customer,
                                       .state = (cellar_order_state)query->state,
                                       .before = query->before,
                                       .cursor = query->cursor};
    size_t capacity = query->limit != 0 ? query->limit : PAGE_USUAL;
    size_t lines_capacity = query->lines ? LIST_LINES_MAX : 0;
    cellar_order *orders = request_take(request, capacity, sizeof *orders);
    order_view *views = request_take(request, capacity, sizeof *views);
    cellar_order_line *lines =
        lines_capacity == 0 ? NULL : request_take(request, lines_capacity, sizeof *lines);
    if (orders == NULL || views == NULL || (lines_capacity != 0 && lines == NULL)) {
        return;
    }
    order_page page = {.items = views};
    cellar_status status = cellar_order_list(request->server->store, &wanted, orders, capacity,
                                             &page.count, lines, lines_capacity);
    if (status != CELLAR_OK) {
        problem_status(request, status, NULL);
        return;
    }
    page_fill(request, views, orders, page.count, lines);
    /* With lines the page may be short without being the last one. */
    if (page.count == capacity || (lines != NULL && page.count != 0)) {
        page.next = orders[page.count - 1].id;
        page.next_cursor = orders[page.count - 1].cursor;
    }
    request_answer(request, 200, &shape_page, &page);
}

static const struct route routes[] = {
    {.name = "orders.get",
     .method = "GET",
     .path = "/v1/orders/{order}",
     .role = ROLE_READ,
     .flags = ROUTE_TAGGED,
     .answer = &shape_order,
     .handle = order_get,
     .summary = "An order or return with its lines"},
    {.name = "orders.sources",
     .method = "GET",
     .path = "/v1/orders/{order}/sources",
     .role = ROLE_READ,
     .flags = ROUTE_TAGGED,
     .answer = &shape_sources,
     .handle = order_sources,
     .summary = "Where the units of an order come from: what is to be picked at which location"},
    {.name = "orders.list",
     .method = "GET",
     .path = "/v1/orders",
     .role = ROLE_READ,
     .flags = ROUTE_FOLLOWS,
     .query = &shape_list_query,
     .answer = &shape_page,
     .handle = order_list,
     .summary =
         "Orders of a customer, those that have left memory too, or of a state; newest first"},
};

const route_area area_order_reads = {"orders", routes, sizeof routes / sizeof routes[0]};
