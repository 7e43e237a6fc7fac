/* Shapes that several areas use. */
#ifndef CELLARD_SHAPES_H
#define CELLARD_SHAPES_H

#include "field.h"

/* Of a commit. */
struct made {
    cellar_id id;
    uint64_t lsn;
    int64_t time_ns;
    bool repeated;
    int64_t figure; /* available, the balance, a total: what the shape says. FIELD_ABSENT: none */
    uint64_t product;
};

#define MADE_FIELDS                                                                                \
    {.name = "lsn",                                                                                \
     .kind = FIELD_NUMBER,                                                                         \
     .offset = offsetof(struct made, lsn),                                                         \
     .about = "position of the commit in the log, and the new version of all it changed"},         \
        {.name = "time",                                                                           \
         .kind = FIELD_TIME,                                                                       \
         .flags = FIELD_OPTIONAL,                                                                  \
         .offset = offsetof(struct made, time_ns)},                                                \
    {                                                                                              \
        .name = "repeated", .kind = FIELD_BOOLEAN, .offset = offsetof(struct made, repeated),      \
        .about = "it had been done before; lsn and time are those of then"                         \
    }
#define MADE_ID(flag)                                                                              \
    { .name = "id", .kind = FIELD_UUID, .flags = (flag), .offset = offsetof(struct made, id) }
#define MADE_FIGURE(label, text)                                                                   \
    {                                                                                              \
        .name = (label), .kind = FIELD_INTEGER, .flags = FIELD_OPTIONAL,                           \
        .offset = offsetof(struct made, figure), .about = (text)                                   \
    }

extern const struct shape shape_made;
extern const struct shape shape_line;       /* cellar_line, of an order: with its price */
extern const struct shape shape_place;      /* cellar_line, without a quantity */
extern const struct shape shape_stock_line; /* cellar_line, of a stock change */
extern const struct shape shape_nothing;

/* A sentence unless exactly one of the two is given. */
const char *product_is_named(const char *sku, uint64_t product);

/* A page of a list, by a number. */
struct page {
    const void *items;
    size_t count;
    uint64_t next;
};

#define PAGE_FIELDS(entries)                                                                       \
    {.name = "items",                                                                              \
     .kind = FIELD_LIST,                                                                           \
     .offset = offsetof(struct page, items),                                                       \
     .shape = (entries),                                                                           \
     .count_offset = offsetof(struct page, count)},                                                \
    {                                                                                              \
        .name = "next", .kind = FIELD_NUMBER, .flags = FIELD_OPTIONAL,                             \
        .offset = offsetof(struct page, next),                                                     \
        .about = "to be given as `before`; absent at the end"                                      \
    }

#define SKU_FIELD(type, member, flag)                                                              \
    {                                                                                              \
        .name = "sku", .kind = FIELD_TEXT, .flags = (flag), .offset = offsetof(type, member),      \
        .min = 1, .max = CELLAR_SKU_BYTES_MAX, .about = "up to 64 bytes, byte-exact"               \
    }
#define ID_FIELD(type, member)                                                                     \
    {                                                                                              \
        .name = "id", .kind = FIELD_UUID, .offset = offsetof(type, member),                        \
        .about = "chosen by the caller; may stand in Idempotency-Key instead"                      \
    }
#define PRODUCT_FIELD(type, member)                                                                \
    {                                                                                              \
        .name = "product", .kind = FIELD_NUMBER, .offset = offsetof(type, member),                 \
        .about = "the numeric id in place of the SKU"                                              \
    }
#define LOCATION_FIELD(label, flag, type, member)                                                  \
    {                                                                                              \
        .name = (label), .kind = FIELD_COUNT, .flags = (flag), .offset = offsetof(type, member),   \
        .min = 0, .max = LOCATIONS_MAX                                                             \
    }
#define NUMBER_FIELD(label, flag, type, member)                                                    \
    { .name = (label), .kind = FIELD_NUMBER, .flags = (flag), .offset = offsetof(type, member) }
/* Money, or pieces. */
#define AMOUNT_FIELD(label, flag, type, member, least, text)                                       \
    {                                                                                              \
        .name = (label), .kind = FIELD_INTEGER, .flags = (flag), .offset = offsetof(type, member), \
        .min = (least), .max = CELLAR_AMOUNT_MAX, .about = (text)                                  \
    }
#define REFERENCE_FIELD(type, member)                                                              \
    {                                                                                              \
        .name = "reference", .kind = FIELD_TEXT, .offset = offsetof(type, member), .min = 0,       \
        .max = CELLAR_REFERENCE_BYTES_MAX, .about = "the caller's own text, kept in the ledger"    \
    }
#define CODE_FIELD(type, member, flag)                                                             \
    {                                                                                              \
        .name = "code", .kind = FIELD_TEXT, .flags = (flag), .offset = offsetof(type, member),     \
        .min = 1, .max = CELLAR_CODE_BYTES_MAX, .about = "up to 64 bytes, byte-exact"              \
    }
#define LIMIT_FIELD(type, member)                                                                  \
    {                                                                                              \
        .name = "limit", .kind = FIELD_COUNT, .offset = offsetof(type, member), .min = 1,          \
        .max = CELLAR_PAGE_MAX, .about = "entries of the page, 50 when it is not given"            \
    }

enum {
    PAGE_USUAL = 50,
    LOCATIONS_MAX = FIELD_COUNTS_MAX
};

#endif
