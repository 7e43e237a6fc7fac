/* /v1/products */
#include "problem.h"
#include "shapes.h"
#include "server.h"

#include <string.h>

static const char *const statuses[] = {"active", "hidden", "discontinued", FIELD_CHOICES_END};

/* ---- One product ---- */

/* A product going in: its SKU stands in the path. */
typedef struct product_put {
    const char *name;
    const char *category;
    const char *attributes;
    int64_t unit_price;
    int status;
} product_put;

static const struct field product_put_fields[] = {
    {.name = "name",
     .kind = FIELD_TEXT,
     .offset = offsetof(product_put, name),
     .max = CELLAR_NAME_BYTES_MAX},
    {.name = "category",
     .kind = FIELD_TEXT,
     .offset = offsetof(product_put, category),
     .max = CELLAR_CATEGORY_BYTES_MAX},
    {.name = "unit_price",
     .kind = FIELD_INTEGER,
     .flags = FIELD_REQUIRED,
     .offset = offsetof(product_put, unit_price),
     .min = -CELLAR_AMOUNT_MAX,
     .max = CELLAR_AMOUNT_MAX,
     .about = "list price in minor units; orders carry their own prices"},
    {.name = "status",
     .kind = FIELD_CHOICE,
     .offset = offsetof(product_put, status),
     .choices = statuses},
    {.name = "attributes",
     .kind = FIELD_TEXT,
     .offset = offsetof(product_put, attributes),
     .max = CELLAR_ATTRIBUTES_BYTES_MAX,
     .about = "any text; kept as it is, never looked at"},
};
static const struct shape shape_product_put = SHAPE("ProductPut", product_put, product_put_fields);

typedef struct product_view {
    cellar_product product;
    const char *attributes;
} product_view;

#define PRODUCT(member) offsetof(product_view, product.member)
static const struct field product_fields[] = {
    {.name = "id", .kind = FIELD_NUMBER, .offset = PRODUCT(id)},
    {.name = "sku", .kind = FIELD_CHARS, .offset = PRODUCT(sku_buffer)},
    {.name = "version", .kind = FIELD_NUMBER, .offset = PRODUCT(version)},
    {.name = "name", .kind = FIELD_CHARS, .offset = PRODUCT(name_buffer)},
    {.name = "category",
     .kind = FIELD_CHARS,
     .flags = FIELD_OPTIONAL,
     .offset = PRODUCT(category_buffer)},
    {.name = "unit_price", .kind = FIELD_INTEGER, .offset = PRODUCT(unit_price)},
    {.name = "status", .kind = FIELD_CHOICE, .offset = PRODUCT(status), .choices = statuses},
    {.name = "created", .kind = FIELD_TIME, .offset = PRODUCT(created_ns)},
    {.name = "updated", .kind = FIELD_TIME, .offset = PRODUCT(updated_ns)},
    {.name = "attributes",
     .kind = FIELD_TEXT,
     .flags = FIELD_OPTIONAL,
     .offset = offsetof(product_view, attributes)},
};
static const struct shape shape_product = SHAPE("Product", product_view, product_fields);

/* The attributes of the version that was read; another may be written in between. */
static cellar_status product_read(struct request *request, product_view *view) {
    enum {
        TRIES_MAX = 8
    };
    cellar *store = request->server->store;
    cellar_status status = CELLAR_VERSION_CHANGED;
    for (int i = 0; i < TRIES_MAX && status == CELLAR_VERSION_CHANGED; i++) {
        status = cellar_product_get(store, request->sku, 0, &view->product);
        uint32_t bytes = view->product.attributes_bytes;
        if (status != CELLAR_OK || bytes == 0) {
            return status;
        }
        char *attributes = arena_take(&request->arena, 1, bytes + 1);
        if (attributes == NULL) {
            return CELLAR_OUT_OF_MEMORY;
        }
        status = cellar_product_attributes(store, &view->product, attributes, bytes);
        view->attributes = attributes;
    }
    return status;
}

static void product_get(struct request *request) {
    product_view view = {.attributes = NULL};
    cellar_status status = product_read(request, &view);
    if (status != CELLAR_OK) {
        problem_status(request, status, NULL);
        return;
    }
    request->etag = view.product.version;
    request_saw(request, view.product.version);
    request_answer(request, 200, &shape_product, &view);
}

static void product_put_one(struct request *request) {
    cellar *store = request->server->store;
    cellar_product existing;
    cellar_ticket ticket;
    cellar_refusal refusal = {.line = CELLAR_NO_LINE};
    const product_put *put = request_body(request);
    if (put == NULL) {
        return;
    }
    /* Products are never removed, so what exists now will exist then. */
    if (request->must_exist &&
        cellar_product_get(store, request->sku, 0, &existing) == CELLAR_NOT_FOUND) {
        problem_answer(request, PROBLEM_CHANGED, "there is no such product");
        return;
    }
    const cellar_product product = {.sku = request->sku,
                                    .name = put->name,
                                    .category = put->category,
                                    .unit_price = put->unit_price,
                                    .status = (cellar_product_status)put->status,
                                    .attributes = put->attributes,
                                    .attributes_bytes =
                                        put->attributes ? (uint32_t)strlen(put->attributes) : 0};
    cellar_status status =
        cellar_product_put(store, &request->call, &product, request->expected, &ticket, &refusal);
    if (status == CELLAR_ALREADY_EXISTS) {
        problem_answer(request, PROBLEM_CHANGED, "the product exists already");
    } else if (status != CELLAR_OK) {
        problem_status(request, status, &refusal);
    } else {
        const struct made made = made_from(&ticket);
        request->etag = ticket.lsn;
        request_saw(request, ticket.lsn);
        request_answer(request, request->expected == CELLAR_VERSION_ABSENT ? 201 : 200, &shape_made,
                       &made);
    }
}

/* ---- Lists ---- */

typedef struct product_list_query {
    const char *category;
    int status;
    uint64_t before;
    uint32_t limit;
} product_list_query;

static const struct field product_list_fields[] = {
    {.name = "category",
     .kind = FIELD_TEXT,
     .offset = offsetof(product_list_query, category),
     .min = 1,
     .max = CELLAR_CATEGORY_BYTES_MAX,
     .about = "of this category, whatever the status"},
    {.name = "status",
     .kind = FIELD_CHOICE,
     .offset = offsetof(product_list_query, status),
     .choices = statuses,
     .about = "of this status, when no category is given"},
    {.name = "before",
     .kind = FIELD_NUMBER,
     .offset = offsetof(product_list_query, before),
     .about = "older than the product with this id: `next` of the page before"},
    LIMIT_FIELD(product_list_query, limit),
};
static const struct shape shape_product_list_query =
    SHAPE("ProductListQuery", product_list_query, product_list_fields);

static const struct field summary_fields[] = {
    {.name = "id", .kind = FIELD_NUMBER, .offset = offsetof(cellar_product_summary, id)},
    {.name = "sku", .kind = FIELD_CHARS, .offset = offsetof(cellar_product_summary, sku)},
    {.name = "version", .kind = FIELD_NUMBER, .offset = offsetof(cellar_product_summary, version)},
    {.name = "name", .kind = FIELD_CHARS, .offset = offsetof(cellar_product_summary, name)},
    {.name = "unit_price",
     .kind = FIELD_INTEGER,
     .offset = offsetof(cellar_product_summary, unit_price)},
    {.name = "status",
     .kind = FIELD_CHOICE,
     .offset = offsetof(cellar_product_summary, status),
     .choices = statuses},
    {.name = "created", .kind = FIELD_TIME, .offset = offsetof(cellar_product_summary, created_ns)},
};
static const struct shape shape_summary =
    SHAPE("ProductSummary", cellar_product_summary, summary_fields);

typedef struct product_page {
    const cellar_product_summary *items;
    size_t count;
    uint64_t next;
} product_page;

static const struct field product_page_fields[] = {
    {.name = "items",
     .kind = FIELD_LIST,
     .offset = offsetof(product_page, items),
     .shape = &shape_summary,
     .count_offset = offsetof(product_page, count)},
    {.name = "next",
     .kind = FIELD_NUMBER,
     .flags = FIELD_OPTIONAL,
     .offset = offsetof(product_page, next),
     .about = "to be given as `before`; absent at the end"},
};
static const struct shape shape_product_page =
    SHAPE("ProductPage", product_page, product_page_fields);

static void product_list(struct request *request) {
    const product_list_query *query = request->query;
    const cellar_product_query wanted = {.category = query->category,
                                         .status = (cellar_product_status)query->status,
                                         .before = query->before};
    size_t capacity = query->limit != 0 ? query->limit : PAGE_USUAL;
    cellar_product_summary *items = request_take(request, capacity, sizeof *items);
    if (items == NULL) {
        return;
    }
    product_page page = {.items = items};
    cellar_status status =
        cellar_product_list(request->server->store, &wanted, items, capacity, &page.count);
    if (status != CELLAR_OK) {
        problem_status(request, status, NULL);
        return;
    }
    for (size_t i = 0; i < page.count; i++) {
        request_saw(request, items[i].version);
    }
    page.next = page.count == capacity ? items[page.count - 1].id : 0;
    request_answer(request, 200, &shape_product_page, &page);
}

static const struct route routes[] = {
    {.name = "products.list",
     .method = "GET",
     .path = "/v1/products",
     .role = ROLE_READ,
     .flags = ROUTE_FOLLOWS,
     .query = &shape_product_list_query,
     .answer = &shape_product_page,
     .handle = product_list,
     .summary = "Products, newest first"},
    {.name = "products.get",
     .method = "GET",
     .path = "/v1/products/{sku}",
     .role = ROLE_READ,
     .flags = ROUTE_TAGGED,
     .answer = &shape_product,
     .handle = product_get,
     .summary = "One product"},
    {.name = "products.put",
     .method = "PUT",
     .path = "/v1/products/{sku}",
     .role = ROLE_ADMIN,
     .flags = ROUTE_WRITES | ROUTE_CONDITIONAL | ROUTE_MAY_CREATE | ROUTE_TAGGED,
     .body = &shape_product_put,
     .answer = &shape_made,
     .handle = product_put_one,
     .summary = "Creates a product, or replaces all that is written in it"},
};

const route_area area_products = {"products", routes, sizeof routes / sizeof routes[0]};
