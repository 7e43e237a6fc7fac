/* /v1/bulk: many operations, a commit each, one wait for the disk at the end. */
#include "bulk.h"

#include "order_shapes.h"
#include "problem.h"
#include "shapes.h"
#include "server.h"

#include <string.h>

#define ENTRY(member) offsetof(bulk_entry, member)
static const struct field entry_fields[] = {
    {.name = "outcome",
     .kind = FIELD_CHARS,
     .offset = ENTRY(outcome),
     .about = "ok, or the name of a problem as in /problems/NAME"},
    {.name = "lsn", .kind = FIELD_NUMBER, .flags = FIELD_OPTIONAL, .offset = ENTRY(lsn)},
    {.name = "product", .kind = FIELD_NUMBER, .flags = FIELD_OPTIONAL, .offset = ENTRY(product)},
    {.name = "id", .kind = FIELD_UUID, .flags = FIELD_OPTIONAL, .offset = ENTRY(id)},
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

void bulk_entry_set(struct request *request, bulk_entry *entry, bulk_answer *answer,
                    cellar_status status, const cellar_ticket *ticket) {
    entry->available = FIELD_ABSENT;
    if (status != CELLAR_OK) {
        problem_name(status, entry->outcome, sizeof entry->outcome);
        metrics_refusal(&request->server->metrics, status);
        return;
    }
    (void)strcpy(entry->outcome, "ok");
    entry->lsn = ticket->lsn;
    entry->product = ticket->object;
    entry->repeated = ticket->repeated;
    answer->done++;
    request_saw(request, ticket->lsn);
}

/* ---- Products ---- */

typedef struct bulk_product {
    const char *sku;
    const char *name;
    const char *category;
    const char *attributes;
    int64_t unit_price;
} bulk_product;

#define PRODUCT(member) offsetof(bulk_product, member)
static const struct field product_fields[] = {
    SKU_FIELD(bulk_product, sku, FIELD_REQUIRED),
    {.name = "name", .kind = FIELD_TEXT, .offset = PRODUCT(name), .max = CELLAR_NAME_BYTES_MAX},
    {.name = "category",
     .kind = FIELD_TEXT,
     .offset = PRODUCT(category),
     .max = CELLAR_CATEGORY_BYTES_MAX},
    {.name = "unit_price",
     .kind = FIELD_INTEGER,
     .flags = FIELD_REQUIRED,
     .offset = PRODUCT(unit_price),
     .min = -CELLAR_AMOUNT_MAX,
     .max = CELLAR_AMOUNT_MAX},
    {.name = "attributes",
     .kind = FIELD_TEXT,
     .offset = PRODUCT(attributes),
     .max = CELLAR_ATTRIBUTES_BYTES_MAX},
};
static const struct shape shape_bulk_product = SHAPE("BulkProduct", bulk_product, product_fields);

typedef struct bulk_products {
    const bulk_product *products;
    size_t count;
} bulk_products;

static const struct field products_fields[] = {{.name = "products",
                                                .kind = FIELD_LIST,
                                                .flags = FIELD_REQUIRED,
                                                .offset = offsetof(bulk_products, products),
                                                .min = 1,
                                                .max = BULK_MAX,
                                                .shape = &shape_bulk_product,
                                                .count_offset = offsetof(bulk_products, count)}};
static const struct shape shape_products = SHAPE("BulkProducts", bulk_products, products_fields);

static void bulk_put_products(struct request *request) {
    const bulk_products *body = request_body(request);
    bulk_entry *entries = body == NULL ? NULL : request_take(request, body->count, sizeof *entries);
    if (entries == NULL) {
        return;
    }
    bulk_answer answer = {.results = entries, .count = body->count};
    request->call.wait_ms = BULK_WAIT_MS;
    for (size_t i = 0; i < body->count; i++) {
        const bulk_product *put = &body->products[i];
        cellar_ticket ticket;
        const cellar_product product = {
            .sku = put->sku,
            .name = put->name,
            .category = put->category,
            .unit_price = put->unit_price,
            .attributes = put->attributes,
            .attributes_bytes = put->attributes == NULL ? 0 : (uint32_t)strlen(put->attributes)};
        cellar_status status = cellar_product_put(request->server->store, &request->call, &product,
                                                  CELLAR_VERSION_ANY, &ticket, NULL);
        bulk_entry_set(request, &entries[i], &answer, status, &ticket);
    }
    request_answer(request, 200, &shape_bulk_answer, &answer);
}

/* ---- Orders ---- */

typedef struct bulk_orders {
    const order_body *orders;
    size_t count;
} bulk_orders;

static const struct field orders_fields[] = {{.name = "orders",
                                              .kind = FIELD_LIST,
                                              .flags = FIELD_REQUIRED,
                                              .offset = offsetof(bulk_orders, orders),
                                              .min = 1,
                                              .max = BULK_MAX,
                                              .shape = &shape_order_place,
                                              .count_offset = offsetof(bulk_orders, count)}};
static const struct shape shape_orders = SHAPE("BulkOrders", bulk_orders, orders_fields);

static void bulk_place_order(struct request *request, const order_body *body, bulk_entry *entry,
                             bulk_answer *answer) {
    cellar_ticket ticket;
    cellar_refusal refusal = {.line = CELLAR_NO_LINE};
    const cellar_order_request order = order_request(body);
    cellar_status status =
        cellar_order_place(request->server->store, &request->call, &order, &ticket, &refusal);
    bulk_entry_set(request, entry, answer, status, &ticket);
    entry->id = body->id;
    if (status == CELLAR_OK && !ticket.repeated) {
        order_note(request, body, order_total(request, body));
    }
    if (status != CELLAR_OK && refusal.line != CELLAR_NO_LINE) {
        entry->line_number = refusal.line + 1;
        entry->available = status == CELLAR_OUT_OF_STOCK ? refusal.available : FIELD_ABSENT;
    }
}

static void bulk_place_orders(struct request *request) {
    const bulk_orders *body = request_body(request);
    bulk_entry *entries = body == NULL ? NULL : request_take(request, body->count, sizeof *entries);
    if (entries == NULL) {
        return;
    }
    bulk_answer answer = {.results = entries, .count = body->count};
    request->call.wait_ms = BULK_WAIT_MS;
    for (size_t i = 0; i < body->count; i++) {
        bulk_place_order(request, &body->orders[i], &entries[i], &answer);
    }
    request_answer(request, 200, &shape_bulk_answer, &answer);
}

static const struct route routes[] = {
    {.name = "bulk.products",
     .method = "POST",
     .path = "/v1/bulk/products",
     .role = ROLE_ADMIN,
     .flags = ROUTE_WRITES | ROUTE_LARGE,
     .body = &shape_products,
     .answer = &shape_bulk_answer,
     .handle = bulk_put_products,
     .summary = "Creates or replaces up to 1,000 products, whatever their version"},
    {.name = "bulk.orders",
     .method = "POST",
     .path = "/v1/bulk/orders",
     .role = ROLE_SELL,
     .flags = ROUTE_WRITES | ROUTE_LARGE,
     .body = &shape_orders,
     .answer = &shape_bulk_answer,
     .handle = bulk_place_orders,
     .summary = "Places up to 1,000 orders; a refusal of one does not stop the others"},
};

const route_area area_bulk = {"bulk", routes, sizeof routes / sizeof routes[0]};
