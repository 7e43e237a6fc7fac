/* /v1/products/{sku}/stock and /v1/stock: quantities, outside orders. */
#include "bodies.h"
#include "operation.h"
#include "problem.h"
#include "shapes.h"
#include "server.h"

/* ---- Changes of many lines ---- */

#define CHANGE(member) offsetof(cellar_stock_change, member)
static const struct field change_fields[] = {
    ID_FIELD(cellar_stock_change, id),
    {.name = "lines",
     .kind = FIELD_LIST,
     .flags = FIELD_REQUIRED,
     .offset = CHANGE(lines),
     .min = 1,
     .max = CELLAR_LINES_MAX,
     .shape = &shape_stock_line,
     .count_offset = CHANGE(line_count)},
    {.name = "reason",
     .kind = FIELD_COUNT,
     .offset = CHANGE(reason),
     .max = UINT32_MAX,
     .about = "the caller's own code, kept in the ledger"},
    REFERENCE_FIELD(cellar_stock_change, reference),
};
const struct shape shape_stock_change = SHAPE("StockChange", cellar_stock_change, change_fields);

/* The variant is the kind of operation. What is available afterwards is told when it was one line.
 */
static void stock_change(struct request *request) {
    const cellar_stock_change *body = request_body(request);
    if (body == NULL) {
        return;
    }
    const cellar_operation operation = {.kind = (cellar_operation_kind)request->route->variant,
                                        .stock = body};
    cellar_status status = operation_run(request, &operation);
    request_changed(request, status,
                    body->line_count == 1 ? request_remaining(request) : FIELD_ABSENT);
}

/* ---- Changes of one line ---- */

static void stock_take(struct request *request) {
    const cellar_line *line = request_body(request);
    if (line != NULL) {
        cellar_status status = cellar_stock_take(request->server->store, &request->call, line,
                                                 &request->ticket, &request->refusal);
        request_changed(request, status, request_remaining(request));
    }
}

typedef struct stock_move_body {
    cellar_id id;
    cellar_line line; /* its location is where from */
    uint32_t to;
} stock_move_body;

static const char *move_check(const void *value) {
    const stock_move_body *body = value;
    return product_is_named(body->line.sku, body->line.product);
}

static const struct field move_fields[] = {
    ID_FIELD(stock_move_body, id),
    SKU_FIELD(stock_move_body, line.sku, 0),
    PRODUCT_FIELD(stock_move_body, line.product),
    LOCATION_FIELD("from", FIELD_REQUIRED, stock_move_body, line.location),
    LOCATION_FIELD("to", FIELD_REQUIRED, stock_move_body, to),
    AMOUNT_FIELD("quantity", FIELD_REQUIRED, stock_move_body, line.quantity, 1, NULL),
};
static const struct shape shape_move =
    SHAPE_CHECKED("StockMove", stock_move_body, move_fields, move_check);

static void stock_move(struct request *request) {
    const stock_move_body *body = request_body(request);
    if (body == NULL) {
        return;
    }
    cellar_status status =
        cellar_stock_move(request->server->store, &request->call, body->id, &body->line, body->to,
                          &request->ticket, &request->refusal);
    request_changed(request, status, request_remaining(request));
}

/* ---- Changes on condition of the version ---- */

static const struct field count_fields[] = {
    AMOUNT_FIELD("quantity", FIELD_REQUIRED, cellar_line, quantity, 0, NULL),
    LOCATION_FIELD("location", 0, cellar_line, location),
};
static const struct shape shape_count = SHAPE("StockCount", cellar_line, count_fields);

static const struct field safety_fields[] = {
    AMOUNT_FIELD("quantity", FIELD_REQUIRED, cellar_line, quantity, -CELLAR_AMOUNT_MAX,
                 "below zero: so many units may be sold before they are here"),
    LOCATION_FIELD("location", 0, cellar_line, location),
};
static const struct shape shape_safety = SHAPE("StockSafety", cellar_line, safety_fields);

typedef cellar_status stock_set_function(cellar *store, const cellar_call *call,
                                         const cellar_line *line, uint64_t expected,
                                         cellar_ticket *ticket_out, cellar_refusal *refusal_out);

static void stock_set_with(struct request *request, stock_set_function *function) {
    cellar_line *line = request_body(request);
    if (line == NULL) {
        return;
    }
    line->sku = request->sku;
    cellar_status status = function(request->server->store, &request->call, line, request->expected,
                                    &request->ticket, &request->refusal);
    request_changed(request, status, request_remaining(request));
}

static void stock_count(struct request *request) {
    stock_set_with(request, cellar_stock_count);
}

static void stock_safety(struct request *request) {
    stock_set_with(request, cellar_stock_set_safety);
}

/* ---- Reading ---- */

typedef struct stock_query {
    uint32_t location; /* of a list: from it on */
    uint64_t before;
    uint32_t limit;
} stock_query;

static const struct field stock_query_fields[] = {
    LOCATION_FIELD("location", 0, stock_query, location)};
static const struct shape shape_stock_query = SHAPE("StockQuery", stock_query, stock_query_fields);

#define QUANTITY(label, at)                                                                        \
    { .name = (label), .kind = FIELD_INTEGER, .offset = (at) }
/* A cellar_stock that lies at `start`. */
#define STOCK_FIELDS(start)                                                                        \
    QUANTITY("available", (start) + offsetof(cellar_stock, available)),                            \
        QUANTITY("reserved", (start) + offsetof(cellar_stock, reserved)),                          \
        QUANTITY("unsellable", (start) + offsetof(cellar_stock, unsellable)),                      \
        QUANTITY("incoming", (start) + offsetof(cellar_stock, incoming)),                          \
        QUANTITY("safety", (start) + offsetof(cellar_stock, safety)),                              \
        QUANTITY("on_hand", (start) + offsetof(cellar_stock, on_hand)), {                          \
        .name = "version", .kind = FIELD_NUMBER,                                                   \
        .offset = (start) + offsetof(cellar_stock, version)                                        \
    }

static const struct field stock_fields[] = {STOCK_FIELDS(0)};
static const struct shape shape_stock = SHAPE("Stock", cellar_stock, stock_fields);

static void stock_get(struct request *request) {
    const stock_query *query = request->query;
    const cellar_line line = {.sku = request->sku, .location = query->location};
    cellar_stock stock = {.version = 0};
    cellar_status status = cellar_stock_get(request->server->store, &line, &stock);
    request_found(request, status, stock.version, &stock);
}

static const struct field place_stock_fields[] = {
    {.name = "location", .kind = FIELD_COUNT, .offset = offsetof(cellar_stock_place, location)},
    STOCK_FIELDS(offsetof(cellar_stock_place, stock)),
};
static const struct shape shape_place_stock =
    SHAPE("LocationStock", cellar_stock_place, place_stock_fields);

static const struct field location_query_fields[] = {
    LOCATION_FIELD("from", 0, stock_query, location),
    LIMIT_FIELD(stock_query, limit),
};
static const struct shape shape_location_query =
    SHAPE("LocationQuery", stock_query, location_query_fields);

typedef struct location_page {
    const cellar_stock_place *items;
    size_t count;
    uint32_t next; /* 0: none, since location 0 is the first */
} location_page;

static const struct field location_page_fields[] = {
    {.name = "items",
     .kind = FIELD_LIST,
     .offset = offsetof(location_page, items),
     .shape = &shape_place_stock,
     .count_offset = offsetof(location_page, count)},
    {.name = "next",
     .kind = FIELD_COUNT,
     .flags = FIELD_OPTIONAL,
     .offset = offsetof(location_page, next),
     .about = "to be given as `from`; absent at the end"},
};
static const struct shape shape_location_page =
    SHAPE("LocationPage", location_page, location_page_fields);

static void stock_locations(struct request *request) {
    const stock_query *query = request->query;
    const cellar_line line = {.sku = request->sku, .location = query->location};
    size_t capacity = query->limit != 0 ? query->limit : PAGE_USUAL;
    cellar_stock_place *items = request_take(request, capacity, sizeof *items);
    if (items == NULL) {
        return;
    }
    location_page page = {.items = items};
    cellar_status status =
        cellar_stock_list(request->server->store, &line, items, capacity, &page.count);
    uint64_t version = 0;
    for (size_t i = 0; i < page.count; i++) {
        version = items[i].stock.version > version ? items[i].stock.version : version;
    }
    if (page.count == capacity && items[capacity - 1].location < LOCATIONS_MAX) {
        page.next = items[capacity - 1].location + 1;
    }
    request_found(request, status, version, &page);
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

static const struct field movement_page_fields[] = {PAGE_FIELDS(&shape_movement)};
static const struct shape shape_movement_page =
    SHAPE("MovementPage", struct page, movement_page_fields);

static const struct field movement_query_fields[] = {
    LOCATION_FIELD("location", 0, stock_query, location),
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
    struct page page = {.items = items};
    cellar_status status = cellar_stock_history(request->server->store, &line, query->before, items,
                                                capacity, &page.count);
    page.next = page.count == capacity ? items[page.count - 1].lsn : 0;
    request_found(request, status, page.count == 0 ? 0 : items[0].lsn, &page);
}

/* ---- Many at one instant ---- */

typedef struct snapshot_body {
    const cellar_line *lines;
    size_t line_count;
} snapshot_body;

static const struct field snapshot_fields[] = {
    {.name = "lines",
     .kind = FIELD_LIST,
     .flags = FIELD_REQUIRED,
     .offset = offsetof(snapshot_body, lines),
     .min = 1,
     .max = CELLAR_LINES_MAX,
     .shape = &shape_place,
     .count_offset = offsetof(snapshot_body, line_count)}};
static const struct shape shape_snapshot = SHAPE("StockPlaces", snapshot_body, snapshot_fields);

static const struct field instant_fields[] = {
    {.name = "available", .kind = FIELD_INTEGER, .offset = 0}};
static const struct shape shape_instant = SHAPE("Available", int64_t, instant_fields);

/* `next` of the page is the position. */
static const struct field instants_fields[] = {
    {.name = "items",
     .kind = FIELD_LIST,
     .offset = offsetof(struct page, items),
     .shape = &shape_instant,
     .count_offset = offsetof(struct page, count),
     .about = "one for each line, in their order"},
    {.name = "lsn",
     .kind = FIELD_NUMBER,
     .offset = offsetof(struct page, next),
     .about = "the instant: all commits below it are seen, and no other"},
};
static const struct shape shape_instants = SHAPE("StockSnapshot", struct page, instants_fields);

static void stock_snapshot(struct request *request) {
    const snapshot_body *body = request_body(request);
    int64_t *available =
        body == NULL ? NULL : request_take(request, body->line_count, sizeof *available);
    if (available == NULL) {
        return;
    }
    struct page page = {.items = available, .count = body->line_count};
    cellar_status status =
        cellar_stock_snapshot(request->server->store, body->lines, body->line_count, available,
                              &page.next, &request->refusal);
    if (status != CELLAR_OK) {
        problem_status(request, status, &request->refusal);
        return;
    }
    /* All below the instant is to be on disk, which is nothing in a store without a commit. */
    request->sync_lsn = page.next == 0 ? 0 : page.next - 1;
    request_answer(request, 200, &shape_instants, &page);
}

#define CHANGE_ROUTE(label, at, operation, text)                                                   \
    {                                                                                              \
        .name = (label), .method = "POST", .path = (at), .role = ROLE_ADMIN,                       \
        .flags = ROUTE_WRITES | ROUTE_KEYED | ROUTE_CREATES, .variant = (operation),               \
        .body = &shape_stock_change, .answer = &shape_made, .handle = stock_change,                \
        .summary = (text)                                                                          \
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
    {.name = "stock.locations",
     .method = "GET",
     .path = "/v1/products/{sku}/locations",
     .role = ROLE_READ,
     .query = &shape_location_query,
     .answer = &shape_location_page,
     .handle = stock_locations,
     .summary = "Quantities of a product at every location where it has been, by location"},
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
     .body = &shape_count,
     .answer = &shape_made,
     .handle = stock_count,
     .summary = "Sets what is available to what was counted, if it is still what the caller saw"},
    {.name = "stock.safety",
     .method = "PUT",
     .path = "/v1/products/{sku}/stock/safety",
     .role = ROLE_ADMIN,
     .flags = ROUTE_WRITES | ROUTE_CONDITIONAL | ROUTE_TAGGED,
     .body = &shape_safety,
     .answer = &shape_made,
     .handle = stock_safety,
     .summary = "Sets the units that sales leave, or, below zero, those that may be back-ordered"},
    {.name = "stock.snapshot",
     .method = "POST",
     .path = "/v1/stock/snapshot",
     .role = ROLE_READ,
     .body = &shape_snapshot,
     .answer = &shape_instants,
     .handle = stock_snapshot,
     .summary = "What is available of many products and locations, all at one instant"},
    CHANGE_ROUTE("stock.receive", "/v1/stock/receipts", CELLAR_OPERATION_STOCK_RECEIVE,
                 "Goods come in"),
    CHANGE_ROUTE("stock.adjust", "/v1/stock/adjustments", CELLAR_OPERATION_STOCK_ADJUST,
                 "Corrections, of either sign"),
    CHANGE_ROUTE("stock.set_aside", "/v1/stock/set-asides", CELLAR_OPERATION_STOCK_SET_ASIDE,
                 "Pieces turn out damaged (quantity > 0) or good again (< 0)"),
    CHANGE_ROUTE("stock.announce", "/v1/stock/announcements", CELLAR_OPERATION_STOCK_ANNOUNCE,
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
