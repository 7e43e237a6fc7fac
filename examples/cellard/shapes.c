#include "shapes.h"

struct made made_from(const cellar_ticket *ticket) {
    return (struct made){.lsn = ticket->lsn,
                         .time_ns = ticket->time_ns,
                         .repeated = ticket->repeated,
                         .available = FIELD_ABSENT,
                         .product = ticket->object};
}

static const struct field made_fields[] = {
    {.name = "lsn",
     .kind = FIELD_NUMBER,
     .offset = offsetof(struct made, lsn),
     .about = "position of the commit in the log, and the new version of all it changed"},
    {.name = "time",
     .kind = FIELD_TIME,
     .flags = FIELD_OPTIONAL,
     .offset = offsetof(struct made, time_ns)},
    {.name = "repeated",
     .kind = FIELD_BOOLEAN,
     .offset = offsetof(struct made, repeated),
     .about = "it had been done before; lsn and time are those of then"},
    {.name = "available",
     .kind = FIELD_INTEGER,
     .flags = FIELD_OPTIONAL,
     .offset = offsetof(struct made, available),
     .about = "what is available after it, of a single line"},
    {.name = "product",
     .kind = FIELD_NUMBER,
     .flags = FIELD_OPTIONAL,
     .offset = offsetof(struct made, product),
     .about = "the product's numeric id"},
};
const struct shape shape_made = SHAPE("Made", struct made, made_fields);

static const char *line_check(const void *value) {
    const cellar_line *line = value;
    return (line->sku == NULL) == (line->product == 0)
               ? "exactly one of sku and product is required"
               : NULL;
}

#define LINE_FIELDS                                                                                \
    SKU_FIELD(cellar_line, sku, 0),                                                                \
        {.name = "product",                                                                        \
         .kind = FIELD_NUMBER,                                                                     \
         .offset = offsetof(cellar_line, product),                                                 \
         .about = "the numeric id in place of the SKU"},                                           \
    {                                                                                              \
        .name = "location", .kind = FIELD_COUNT, .offset = offsetof(cellar_line, location),        \
        .min = 0, .max = LOCATIONS_MAX                                                             \
    }

static const struct field stock_line_fields[] = {
    LINE_FIELDS,
    {.name = "quantity",
     .kind = FIELD_INTEGER,
     .flags = FIELD_REQUIRED,
     .offset = offsetof(cellar_line, quantity),
     .min = -CELLAR_AMOUNT_MAX,
     .max = CELLAR_AMOUNT_MAX},
};
const struct shape shape_stock_line = {.name = "StockLine",
                                       .bytes = sizeof(cellar_line),
                                       .fields = stock_line_fields,
                                       .field_count =
                                           sizeof stock_line_fields / sizeof(struct field),
                                       .check = line_check};

static const struct field line_fields[] = {
    LINE_FIELDS,
    {.name = "quantity",
     .kind = FIELD_INTEGER,
     .flags = FIELD_REQUIRED,
     .offset = offsetof(cellar_line, quantity),
     .min = 1,
     .max = CELLAR_AMOUNT_MAX},
    {.name = "unit_price",
     .kind = FIELD_INTEGER,
     .flags = FIELD_REQUIRED,
     .offset = offsetof(cellar_line, unit_price),
     .min = -CELLAR_AMOUNT_MAX,
     .max = CELLAR_AMOUNT_MAX,
     .about = "in minor units"},
};
const struct shape shape_line = {.name = "Line",
                                 .bytes = sizeof(cellar_line),
                                 .fields = line_fields,
                                 .field_count = sizeof line_fields / sizeof(struct field),
                                 .check = line_check};

const struct shape shape_nothing = {.name = "Nothing", .bytes = 1};
