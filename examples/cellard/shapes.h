/* Shapes that several areas use. */
#ifndef CELLARD_SHAPES_H
#define CELLARD_SHAPES_H

#include "field.h"

/* Of a commit. */
struct made {
    uint64_t lsn;
    int64_t time_ns;
    bool repeated;
    int64_t available; /* or the balance; FIELD_ABSENT: not told */
    uint64_t product;
};

struct made made_from(const cellar_ticket *ticket);

extern const struct shape shape_made;
extern const struct shape shape_line;       /* cellar_line, of an order: with its price */
extern const struct shape shape_stock_line; /* cellar_line, of a stock change */
extern const struct shape shape_nothing;

#define SKU_FIELD(type, member, flag)                                                              \
    {                                                                                              \
        .name = "sku", .kind = FIELD_TEXT, .flags = (flag), .offset = offsetof(type, member),      \
        .min = 1, .max = CELLAR_SKU_BYTES_MAX, .about = "up to 64 bytes, byte-exact"               \
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
    LOCATIONS_MAX = 2147483647
};

#endif
