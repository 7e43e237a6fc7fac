#include "shapes.h"

static const struct field made_fields[] = {
    MADE_FIELDS,
    MADE_FIGURE("available", "what is available after it, of a single line"),
    {.name = "product",
     .kind = FIELD_NUMBER,
     .flags = FIELD_OPTIONAL,
     .offset = offsetof(struct made, product),
     .about = "the product's numeric id"},
};
const struct shape shape_made = SHAPE("Made", struct made, made_fields);

const char *product_is_named(const char *sku, uint64_t product) {
    return (sku == NULL) == (product == 0) ? "exactly one of sku and product is required" : NULL;
}

static const char *line_check(const void *value) {
    const cellar_line *line = value;
    return product_is_named(line->sku, line->product);
}

#define PLACE_FIELDS                                                                               \
    SKU_FIELD(cellar_line, sku, 0), PRODUCT_FIELD(cellar_line, product),                           \
        LOCATION_FIELD("location", 0, cellar_line, location)

static const struct field place_fields[] = {PLACE_FIELDS};
const struct shape shape_place = SHAPE_CHECKED("StockPlace", cellar_line, place_fields, line_check);

static const struct field stock_line_fields[] = {
    PLACE_FIELDS,
    AMOUNT_FIELD("quantity", FIELD_REQUIRED, cellar_line, quantity, -CELLAR_AMOUNT_MAX, NULL),
};
const struct shape shape_stock_line =
    SHAPE_CHECKED("StockLine", cellar_line, stock_line_fields, line_check);

static const struct field line_fields[] = {
    PLACE_FIELDS,
    AMOUNT_FIELD("quantity", FIELD_REQUIRED, cellar_line, quantity, 1, NULL),
    AMOUNT_FIELD("unit_price", FIELD_REQUIRED, cellar_line, unit_price, -CELLAR_AMOUNT_MAX,
                 "in minor units"),
};
const struct shape shape_line = SHAPE_CHECKED("Line", cellar_line, line_fields, line_check);

const struct shape shape_nothing = {.name = "Nothing", .bytes = 1};
