/* /v1/products/{sku}/stock and /v1/stock: quantities, outside orders. */
#include "problem.h"
#include "shapes.h"
#include "server.h"

/* Answers a stock change. What is available afterwards is told when it was one line. */
static void stock_answer(struct request *request, cellar_status status, const cellar_ticket *ticket,
                         const cellar_refusal *refusal, bool one_line) {
    if (status != CELLAR_OK) {
        problem_status(request, status, refusal);
        return;
    }
    struct made made = made_from(ticket);
    if (one_line && !ticket->repeated) {
        made.available = ticket->remaining;
    }
    request_saw(request, ticket->lsn);
    request_answer(request, request_made(request, ticket), &shape_made, &made);
}

/* ---- Changes of many lines ---- */

typedef struct stock_change {
    const cellar_line *lines;
    size_t line_count;
    uint32_t reason;
    const char *reference;
} stock_change;

static const struct field change_fields[] = {
    {.name = "lines",
     .kind = FIELD_LIST,
     .flags = FIELD_REQUIRED,
     .offset = offsetof(stock_change, lines),
     .min = 1,
     .max = CELLAR_LINES_MAX,
     .shape = &shape_stock_line,
     .count_offset = offsetof(stock_change, line_count)},
    {.name = "reason",
     .kind = FIELD_COUNT,
     .offset = offsetof(stock_change, reason),
     .max = UINT32_MAX,
     .about = "the caller's own code, kept in the ledger"},
    REFERENCE_FIELD(stock_change, reference),
};
static const struct shape shape_change = SHAPE("StockChange", stock_change, change_fields);

typedef cellar_status stock_function(cellar *store, const cellar_call *call,
                                     const cellar_stock_change *change, cellar_ticket *ticket_out,
                                     cellar_refusal *refusal_out);

static void stock_change_with(struct request *request, stock_function *function) {
    cellar_ticket ticket;
    cellar_refusal refusal = {.line = CELLAR_NO_LINE};
    const stock_change *body = request_body(request);
    if (body == NULL) {
        return;
    }
    const cellar_stock_change change = {.id = request->key,
                                        .lines = body->lines,
                                        .line_count = body->line_count,
                                        .reason = body->reason,
                                        .reference = body->reference};
    cellar_status status =
        function(request->server->store, &request->call, &change, &ticket, &refusal);
    stock_answer(request, status, &ticket, &refusal, body->line_count == 1);
}

static void stock_receive(struct request *request) {
    stock_change_with(request, cellar_stock_receive);
}

static void stock_adjust(struct request *request) {
    stock_change_with(request, cellar_stock_adjust);
}

static void stock_set_aside(struct request *request) {
    stock_change_with(request, cellar_stock_set_aside);
}

static void stock_announce(struct request *request) {
    stock_change_with(request, cellar_stock_announce);
}

/* ---- Changes of one line ---- */

static void stock_take(struct request *request) {
    cellar_ticket ticket;
    cellar_refusal refusal = {.line = CELLAR_NO_LINE};
    const cellar_line *line = request_body(request);
    if (line != NULL) {
        cellar_status status =
            cellar_stock_take(request->server->store, &request->call, line, &ticket, &refusal);
        stock_answer(request, status, &ticket, &refusal, true);
    }
}

typedef struct stock_move_body {
    const char *sku;
    uint32_t from;
    uint32_t to;
    int64_t quantity;
} stock_move_body;

static const struct field move_fields[] = {
    SKU_FIELD(stock_move_body, sku, FIELD_REQUIRED),
    {.name = "from",
     .kind = FIELD_COUNT,
     .flags = FIELD_REQUIRED,
     .offset = offsetof(stock_move_body, from),
     .max = LOCATIONS_MAX},
    {.name = "to",
     .kind = FIELD_COUNT,
     .flags = FIELD_REQUIRED,
     .offset = offsetof(stock_move_body, to),
     .max = LOCATIONS_MAX},
    {.name = "quantity",
     .kind = FIELD_INTEGER,
     .flags = FIELD_REQUIRED,
     .offset = offsetof(stock_move_body, quantity),
     .min = 1,
     .max = CELLAR_AMOUNT_MAX},
};
static const struct shape shape_move = SHAPE("StockMove", stock_move_body, move_fields);

static void stock_move(struct request *request) {
    cellar_ticket ticket;
    cellar_refusal refusal = {.line = CELLAR_NO_LINE};
    const stock_move_body *body = request_body(request);
    if (body == NULL) {
        return;
    }
    const cellar_line line = {.sku = body->sku, .location = body->from, .quantity = body->quantity};
    cellar_status status = cellar_stock_move(request->server->store, &request->call, request->key,
                                             &line, body->to, &ticket, &refusal);
    stock_answer(request, status, &ticket, &refusal, true);
}

/* ---- Changes on condition of the version ---- */

typedef struct stock_set_body {
    int64_t quantity;
    uint32_t location;
} stock_set_body;

static const struct field set_fields[] = {
    {.name = "quantity",
     .kind = FIELD_INTEGER,
     .flags = FIELD_REQUIRED,
     .offset = offsetof(stock_set_body, quantity),
     .min = 0,
     .max = CELLAR_AMOUNT_MAX},
    {.name = "location",
     .kind = FIELD_COUNT,
     .offset = offsetof(stock_set_body, location),
     .max = LOCATIONS_MAX},
};
static const struct shape shape_set = SHAPE("StockSet", stock_set_body, set_fields);

typedef cellar_status stock_set_function(cellar *store, const cellar_call *call,
                                         const cellar_line *line, uint64_t expected,
                                         cellar_ticket *ticket_out, cellar_refusal *refusal_out);

static void stock_set_with(struct request *request, stock_set_function *function) {
    cellar_ticket ticket;
    cellar_refusal refusal = {.line = CELLAR_NO_LINE};
    const stock_set_body *body = request_body(request);
    if (body == NULL) {
        return;
    }
    const cellar_line line = {
        .sku = request->sku, .location = body->location, .quantity = body->quantity};
    cellar_status status = function(request->server->store, &request->call, &line,
                                    request->expected, &ticket, &refusal);
    request->etag = status == CELLAR_OK ? ticket.lsn : 0;
    stock_answer(request, status, &ticket, &refusal, true);
}

static void stock_count(struct request *request) {
    stock_set_with(request, cellar_stock_count);
}

static void stock_safety(struct request *request) {
    stock_set_with(request, cellar_stock_set_safety);
}

/* ---- Reading ---- */

typedef struct stock_query {
    uint32_t location;
    uint64_t before;
    uint32_t limit;
} stock_query;

#define LOCATION_QUERY                                                                             \
    {                                                                                              \
        .name = "location", .kind = FIELD_COUNT, .offset = offsetof(stock_query, location),        \
        .max = LOCATIONS_MAX                                                                       \
    }

static const struct field stock_query_fields[] = {LOCATION_QUERY};
static const struct shape shape_stock_query = SHAPE("StockQuery", stock_query, stock_query_fields);

#define STOCK(member)                                                                              \
    { .name = #member, .kind = FIELD_INTEGER, .offset = offsetof(cellar_stock, member) }
static const struct field stock_fields[] = {
    STOCK(available),
    STOCK(reserved),
    STOCK(unsellable),
    STOCK(incoming),
    STOCK(safety),
    STOCK(on_hand),
    {.name = "version", .kind = FIELD_NUMBER, .offset = offsetof(cellar_stock, version)},
};
static const struct shape shape_stock = SHAPE("Stock", cellar_stock, stock_fields);

static void stock_get(struct request *request) {
    const stock_query *query = request->query;
    const cellar_line line = {.sku = request->sku, .location = query->location};
    cellar_stock stock;
    cellar_status status = cellar_stock_get(request->server->store, &line, &stock);
    if (status != CELLAR_OK) {
        problem_status(request, status, NULL);
        return;
    }
    request->etag = stock.version;
    request_saw(request, stock.version);
    request_answer(request, 200, &shape_stock, &stock);
}

static const char *const movement_kinds[] = {
    NULL,       "opened",  "received", "adjusted",       "set-aside", "announced",
    "taken",    "counted", "moved",    "safety",         "ordered",   "cancelled",
    "returned", "status",  "expired",  FIELD_CHOICES_END};

static const struct field movement_fields[] = {
    {.name = "lsn", .kind = FIELD_NUMBER, .offset = offsetof(cellar_movement, lsn)},
    {.name = "time", .kind = FIELD_TIME, .offset = offsetof(cellar_movement, time_ns)},
    {.name = "kind",
     .kind = FIELD_CHOICE,
     .offset = offsetof(cellar_movement, kind),
     .choices = movement_kinds},
    {.name = "change",
     .kind = FIELD_INTEGER,
     .offset = offsetof(cellar_movement, change),
     .about = "of what is available"},
    {.name = "available",
     .kind = FIELD_INTEGER,
     .offset = offsetof(cellar_movement, available),
     .about = "after it"},
    {.name = "id",
     .kind = FIELD_UUID,
     .flags = FIELD_OPTIONAL,
     .offset = offsetof(cellar_movement, id),
     .about = "of the order, return or change"},
    {.name = "reason",
     .kind = FIELD_COUNT,
     .flags = FIELD_OPTIONAL,
     .offset = offsetof(cellar_movement, reason)},
    {.name = "actor",
     .kind = FIELD_NUMBER,
     .flags = FIELD_OPTIONAL,
     .offset = offsetof(cellar_movement, actor),
     .about = "of the token it was made with"},
    {.name = "reference",
     .kind = FIELD_CHARS,
     .flags = FIELD_OPTIONAL,
     .offset = offsetof(cellar_movement, reference)},
};
static const struct shape shape_movement = SHAPE("Movement", cellar_movement, movement_fields);

typedef struct movement_page {
    const cellar_movement *items;
    size_t count;
    uint64_t next;
} movement_page;

static const struct field movement_page_fields[] = {
    {.name = "items",
     .kind = FIELD_LIST,
     .offset = offsetof(movement_page, items),
     .shape = &shape_movement,
     .count_offset = offsetof(movement_page, count)},
    {.name = "next",
     .kind = FIELD_NUMBER,
     .flags = FIELD_OPTIONAL,
     .offset = offsetof(movement_page, next)},
};
static const struct shape shape_movement_page =
    SHAPE("MovementPage", movement_page, movement_page_fields);

static const struct field movement_query_fields[] = {
    LOCATION_QUERY,
    {.name = "before",
     .kind = FIELD_NUMBER,
     .offset = offsetof(stock_query, before),
     .about = "older than the movement with this lsn: `next` of the page before"},
    LIMIT_FIELD(stock_query, limit),
};
static const struct shape shape_movement_query =
    SHAPE("MovementQuery", stock_query, movement_query_fields);

static void stock_movements(struct request *request) {
    const stock_query *query = request->query;
    const cellar_line line = {.sku = request->sku, .location = query->location};
    size_t capacity = query->limit != 0 ? query->limit : PAGE_USUAL;
    cellar_movement *items = request_take(request, capacity, sizeof *items);
    if (items == NULL) {
        return;
    }
    movement_page page = {.items = items};
    cellar_status status = cellar_stock_history(request->server->store, &line, query->before, items,
                                                capacity, &page.count);
    if (status != CELLAR_OK) {
        problem_status(request, status, NULL);
        return;
    }
    if (page.count != 0) {
        request_saw(request, items[0].lsn);
    }
    page.next = page.count == capacity ? items[page.count - 1].lsn : 0;
    request_answer(request, 200, &shape_movement_page, &page);
}

#define CHANGE(label, at, function, text)                                                          \
    {                                                                                              \
        .name = (label), .method = "POST", .path = (at), .role = ROLE_ADMIN,                       \
        .flags = ROUTE_WRITES | ROUTE_KEYED | ROUTE_CREATES, .body = &shape_change,                \
        .answer = &shape_made, .handle = (function), .summary = (text)                             \
    }

static const struct route routes[] = {
    {.name = "stock.get",
     .method = "GET",
     .path = "/v1/products/{sku}/stock",
     .role = ROLE_READ,
     .flags = ROUTE_TAGGED,
     .query = &shape_stock_query,
     .answer = &shape_stock,
     .handle = stock_get,
     .summary = "Quantities of a product at a location"},
    {.name = "stock.movements",
     .method = "GET",
     .path = "/v1/products/{sku}/movements",
     .role = ROLE_READ,
     .query = &shape_movement_query,
     .answer = &shape_movement_page,
     .handle = stock_movements,
     .summary = "Every change of what is available, newest first"},
    {.name = "stock.count",
     .method = "PUT",
     .path = "/v1/products/{sku}/stock/count",
     .role = ROLE_ADMIN,
     .flags = ROUTE_WRITES | ROUTE_CONDITIONAL | ROUTE_TAGGED,
     .body = &shape_set,
     .answer = &shape_made,
     .handle = stock_count,
     .summary = "Sets what is available to what was counted, if it is still what the caller saw"},
    {.name = "stock.safety",
     .method = "PUT",
     .path = "/v1/products/{sku}/stock/safety",
     .role = ROLE_ADMIN,
     .flags = ROUTE_WRITES | ROUTE_CONDITIONAL | ROUTE_TAGGED,
     .body = &shape_set,
     .answer = &shape_made,
     .handle = stock_safety,
     .summary = "Sets the units that sales leave"},
    CHANGE("stock.receive", "/v1/stock/receipts", stock_receive, "Goods come in"),
    CHANGE("stock.adjust", "/v1/stock/adjustments", stock_adjust, "Corrections, of either sign"),
    CHANGE("stock.set_aside", "/v1/stock/set-asides", stock_set_aside,
           "Pieces turn out damaged (quantity > 0) or good again (< 0)"),
    CHANGE("stock.announce", "/v1/stock/announcements", stock_announce,
           "Deliveries are announced, or called off"),
    {.name = "stock.take",
     .method = "POST",
     .path = "/v1/stock/takes",
     .role = ROLE_SELL,
     .flags = ROUTE_WRITES | ROUTE_CREATES,
     .body = &shape_stock_line,
     .answer = &shape_made,
     .handle = stock_take,
     .summary = "Takes units for good without an order"},
    {.name = "stock.move",
     .method = "POST",
     .path = "/v1/stock/moves",
     .role = ROLE_ADMIN,
     .flags = ROUTE_WRITES | ROUTE_KEYED | ROUTE_CREATES,
     .body = &shape_move,
     .answer = &shape_made,
     .handle = stock_move,
     .summary = "Moves units from one location to another in one commit"},
};

const route_area area_stock = {"stock", routes, sizeof routes / sizeof routes[0]};
