/* /v1/products */
#include "bodies.h"
#include "problem.h"
#include "shapes.h"
#include "server.h"

#include <string.h>

static const char *const statuses[] = {"active", "hidden", "discontinued", FIELD_CHOICES_END};

/* ---- Going in ---- */

static const char *component_check(const void *value) {
    const cellar_component *component = value;
    return product_is_named(component->sku, component->product);
}

static const struct field component_fields[] = {
    SKU_FIELD(cellar_component, sku, 0),
    PRODUCT_FIELD(cellar_component, product),
    {.name = "quantity",
     .kind = FIELD_COUNT,
     .flags = FIELD_REQUIRED,
     .offset = offsetof(cellar_component, quantity),
     .min = 1,
     .max = CELLAR_COMPONENT_QUANTITY_MAX},
};
static const struct shape shape_component =
    SHAPE_CHECKED("Component", cellar_component, component_fields, component_check);

#define PUT(member) offsetof(product_body, member)
#define PUT_FIELDS                                                                                 \
    {.name = "name", .kind = FIELD_TEXT, .offset = PUT(name), .max = CELLAR_NAME_BYTES_MAX},       \
        {.name = "category",                                                                       \
         .kind = FIELD_TEXT,                                                                       \
         .offset = PUT(category),                                                                  \
         .max = CELLAR_CATEGORY_BYTES_MAX},                                                        \
        AMOUNT_FIELD("unit_price", FIELD_REQUIRED, product_body, unit_price, -CELLAR_AMOUNT_MAX,   \
                     "list price in minor units; orders carry their own prices"),                  \
        {.name = "status", .kind = FIELD_CHOICE, .offset = PUT(status), .choices = statuses},      \
        {.name = "attributes",                                                                     \
         .kind = FIELD_TEXT,                                                                       \
         .offset = PUT(attributes),                                                                \
         .max = CELLAR_ATTRIBUTES_BYTES_MAX,                                                       \
         .about = "any text; kept as it is, never looked at"},                                     \
    {                                                                                              \
        .name = "components", .kind = FIELD_LIST, .offset = PUT(components), .min = 1,             \
        .max = CELLAR_COMPONENTS_MAX, .shape = &shape_component,                                   \
        .count_offset = PUT(component_count),                                                      \
        .about = "of a kit: what one piece of it is made of; absent: it is none"                   \
    }

static const struct field product_put_fields[] = {PUT_FIELDS};
static const struct shape shape_product_put = SHAPE("ProductPut", product_body, product_put_fields);

static const struct field product_entry_fields[] = {SKU_FIELD(product_body, sku, FIELD_REQUIRED),
                                                    PUT_FIELDS};
const struct shape shape_product_entry = SHAPE("BulkProduct", product_body, product_entry_fields);

cellar_product product_from(const product_body *body) {
    return (cellar_product){.sku = body->sku,
                            .name = body->name,
                            .category = body->category,
                            .unit_price = body->unit_price,
                            .status = (cellar_product_status)body->status,
                            .attributes = body->attributes,
                            .attributes_bytes =
                                body->attributes ? (uint32_t)strlen(body->attributes) : 0,
                            .components = body->components,
                            .component_count = (uint32_t)body->component_count};
}

/* ---- One product ---- */

/* Coming out, components have no SKU. */
static const struct field part_fields[] = {
    NUMBER_FIELD("product", 0, cellar_component, product),
    {.name = "quantity", .kind = FIELD_COUNT, .offset = offsetof(cellar_component, quantity)},
};
static const struct shape shape_part = SHAPE("KitComponent", cellar_component, part_fields);

typedef struct product_view {
    cellar_product product;
    const char *attributes;
    const cellar_component *components;
    size_t component_count;
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
    {.name = "components",
     .kind = FIELD_LIST,
     .flags = FIELD_OPTIONAL,
     .offset = offsetof(product_view, components),
     .shape = &shape_part,
     .count_offset = offsetof(product_view, component_count)},
};
static const struct shape shape_product = SHAPE("Product", product_view, product_fields);

/* What is not in the product itself, of its version; VERSION_CHANGED: there is another now. */
static cellar_status product_details(struct request *request, product_view *view) {
    cellar *store = request->server->store;
    uint32_t bytes = view->product.attributes_bytes;
    uint32_t count = view->product.component_count;
    char *attributes = arena_take(&request->arena, 1, bytes + 1);
    cellar_component *components = arena_take(&request->arena, count, sizeof *components);
    if (attributes == NULL || components == NULL) {
        return CELLAR_OUT_OF_MEMORY;
    }
    cellar_status status = CELLAR_OK;
    if (bytes != 0) {
        status = cellar_product_attributes(store, &view->product, attributes, bytes);
    }
    if (status == CELLAR_OK && count != 0) {
        status = cellar_product_components(store, &view->product, components, count);
    }
    view->attributes = bytes == 0 ? NULL : attributes;
    view->components = count == 0 ? NULL : components;
    view->component_count = count;
    return status;
}

static void product_get(struct request *request) {
    enum {
        TRIES_MAX = 8
    };
    product_view view = {.attributes = NULL};
    cellar_status status = CELLAR_VERSION_CHANGED;
    for (int i = 0; i < TRIES_MAX && status == CELLAR_VERSION_CHANGED; i++) {
        status = cellar_product_get(request->server->store, request->sku, 0, &view.product);
        if (status == CELLAR_OK) {
            status = product_details(request, &view);
        }
    }
    request_found(request, status, view.product.version, &view);
}

static void product_put(struct request *request) {
    cellar *store = request->server->store;
    cellar_product existing;
    product_body *body = request_body(request);
    if (body == NULL) {
        return;
    }
    /* Products are never removed, so what exists now will exist then. */
    if (request->must_exist &&
        cellar_product_get(store, request->sku, 0, &existing) == CELLAR_NOT_FOUND) {
        problem_answer(request, PROBLEM_CHANGED, "there is no such product");
        return;
    }
    body->sku = request->sku;
    const cellar_product product = product_from(body);
    cellar_status status = cellar_product_put(store, &request->call, &product, request->expected,
                                              &request->ticket, &request->refusal);
    if (status == CELLAR_ALREADY_EXISTS) {
        problem_answer(request, PROBLEM_CHANGED, "the product exists already");
    } else {
        request_changed(request, status, FIELD_ABSENT);
    }
}

/* ---- Lists ---- */

typedef struct product_list_query {
    const char *category;
    int status;
    int order;
    uint64_t before;
    uint64_t before_sold;
    uint32_t limit;
} product_list_query;

static const char *const orders[] = {"newest", "popular", FIELD_CHOICES_END};

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
     .about = "behind the product with this id: `next` of the page before"},
    {.name = "order",
     .kind = FIELD_CHOICE,
     .offset = offsetof(product_list_query, order),
     .choices = orders,
     .about = "newest first, when it is not given; or what has sold most, without what has not"},
    {.name = "before_sold",
     .kind = FIELD_NUMBER,
     .offset = offsetof(product_list_query, before_sold),
     .about = "of the popular, with `before`: `next_sold` of the page before"},
    LIMIT_FIELD(product_list_query, limit),
};

static const char *product_list_check(const void *value) {
    const product_list_query *query = value;
    bool popular = query->order == CELLAR_PRODUCTS_MOST_SOLD;
    if (query->before_sold > INT64_MAX) {
        return "before_sold is at most 2^63 - 1";
    }
    return (popular && query->before != 0) == (query->before_sold != 0)
               ? NULL
               : "before_sold is required with before in the order popular, and wrong elsewhere";
}

static const struct shape shape_product_list_query =
    SHAPE_CHECKED("ProductListQuery", product_list_query, product_list_fields, product_list_check);

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
    {.name = "units_sold",
     .kind = FIELD_SUM,
     .offset = offsetof(cellar_product_summary, units_sold),
     .about = "ordered or taken, less what was cancelled or came back; of a kit its components "
              "have them"},
};
static const struct shape shape_summary =
    SHAPE("ProductSummary", cellar_product_summary, summary_fields);

typedef struct product_list_page {
    struct page page; /* first: its fields are found by their offsets in it */
    uint64_t next_sold;
} product_list_page;
_Static_assert(offsetof(product_list_page, page) == 0, "as said above");

static const struct field product_page_fields[] = {
    PAGE_FIELDS(&shape_summary),
    {.name = "next_sold",
     .kind = FIELD_NUMBER,
     .flags = FIELD_OPTIONAL,
     .offset = offsetof(product_list_page, next_sold),
     .about = "of the popular: to be given as `before_sold`, beside `before`"},
};
static const struct shape shape_product_page =
    SHAPE("ProductPage", product_list_page, product_page_fields);

static void product_list(struct request *request) {
    const product_list_query *query = request->query;
    const cellar_product_query wanted = {.category = query->category,
                                         .status = (cellar_product_status)query->status,
                                         .before = query->before,
                                         .order = (cellar_product_order)query->order,
                                         .before_sold = (int64_t)query->before_sold};
    size_t capacity = query->limit != 0 ? query->limit : PAGE_USUAL;
    cellar_product_summary *items = request_take(request, capacity, sizeof *items);
    if (items == NULL) {
        return;
    }
    product_list_page list = {.page = {.items = items}};
    struct page *page = &list.page;
    cellar_status status =
        cellar_product_list(request->server->store, &wanted, items, capacity, &page->count);
    uint64_t version = 0;
    for (size_t i = 0; status == CELLAR_OK && i < page->count; i++) {
        version = items[i].version > version ? items[i].version : version;
    }
    if (page->count == capacity) {
        page->next = items[capacity - 1].id;
        list.next_sold = wanted.order == CELLAR_PRODUCTS_MOST_SOLD
                             ? (uint64_t)items[capacity - 1].units_sold
                             : 0;
    }
    request_found(request, status, version, &list);
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
     .summary = "Products, newest first, or those that have sold most"},
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
     .handle = product_put,
     .summary = "Creates a product, or replaces all that is written in it"},
};

const route_area area_products = {"products", routes, sizeof routes / sizeof routes[0]};
