/* The content of an order as it was placed: its lines and what stands behind them, in the ledger's
 * bytes and, while the order is open, in memory in the same form. And what has become of the lines
 * since.
 *
 * Units of a line have numbers, 0 to quantity - 1. Those that leave are taken from the front, those
 * that are cancelled from the back, those that come back from the front again: so every part of a
 * line is a range, and what a range is worth and takes is exact over all parts. */
#ifndef CELLAR_STORE_CONTENT_H
#define CELLAR_STORE_CONTENT_H

#include "store/payload.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct content {
    const void *lines; /* content_line() reads them */
    bool wide;
    uint32_t line_count;
    uint32_t allocation_count; /* 0: each line comes from the stock it names */
    const struct payload_allocation *allocations;
    int64_t hold_until_ms;               /* 0: without end */
    const int64_t *discounts;            /* of each line; NULL: none */
    const struct payload_redeem *redeem; /* the coupon they came from; NULL: none */
    uint64_t payee;                      /* 0: none */
    uint64_t account;                    /* 0: none */
    int64_t business_time_ns;            /* 0: none */
    const char *reference;               /* without a NUL */
    uint32_t reference_bytes;
};

struct content_line {
    uint32_t stock;
    int64_t quantity;
    int64_t unit_price;
};

static inline bool content_is_wide(int64_t quantity) {
    return quantity != (int32_t)quantity;
}

/* Of `line_count` lines of a document with these flags. */
static inline size_t content_lines_bytes(uint16_t flags, uint32_t line_count) {
    return line_count * ((flags & PAYLOAD_WIDE) != 0 ? sizeof(struct payload_wide_line)
                                                     : sizeof(struct payload_line));
}

/* Writes a line of a document that has room for it. */
static inline void content_put_line(struct payload_document *document, uint32_t index,
                                    struct content_line line) {
    if ((document->flags & PAYLOAD_WIDE) != 0) {
        ((struct payload_wide_line *)(document + 1))[index] = (struct payload_wide_line){
            .stock = line.stock, .quantity = line.quantity, .unit_price = line.unit_price};
    } else {
        ((struct payload_line *)(document + 1))[index] = (struct payload_line){
            .stock = line.stock, .quantity = (int32_t)line.quantity, .unit_price = line.unit_price};
    }
}

static inline struct content_line content_line(const struct content *content, uint32_t index) {
    if (content->wide) {
        const struct payload_wide_line *wide = content->lines;
        return (struct content_line){.stock = wide[index].stock,
                                     .quantity = wide[index].quantity,
                                     .unit_price = wide[index].unit_price};
    }
    const struct payload_line *line = content->lines;
    return (struct content_line){.stock = line[index].stock,
                                 .quantity = line[index].quantity,
                                 .unit_price = line[index].unit_price};
}

/* Bytes behind a document's header: lines, sections, reference. False: they are not what the counts
 * and flags say, or lines and allocations do not fit together. */
bool content_read(struct content *content, const void *bytes, size_t byte_count,
                  uint32_t line_count, uint16_t flags, uint32_t reference_bytes);
/* The same of a document that has been checked. */
void content_of(struct content *content, const struct payload_document *document, uint32_t bytes);

/* Allocations, or the lines as if they were some. */
static inline uint32_t content_source_count(const struct content *content) {
    return content->allocation_count != 0 ? content->allocation_count : content->line_count;
}

static inline struct payload_allocation content_source(const struct content *content,
                                                       uint32_t index) {
    if (content->allocation_count != 0) {
        return content->allocations[index];
    }
    struct content_line line = content_line(content, index);
    return (struct payload_allocation){
        .line = index, .stock = line.stock, .per_unit = 1, .quantity = line.quantity};
}

/* What has become of a line. cancelled + fulfilled <= quantity, returned <= fulfilled. */
struct content_progress {
    int64_t cancelled;
    int64_t fulfilled;
    int64_t returned;
};

/* Units `from` to before `to` of a line. */
struct content_range {
    int64_t from;
    int64_t to;
};

/* Value of a range: the line's price for it, less its share of the line's discount. Shares of all
 * units add up to the discount. */
int64_t content_value(const struct content *content, uint32_t line, struct content_range range);
/* Goes through the sources: how many pieces of each lie in the ranges of their lines. */
struct content_walk {
    const struct content *content;
    uint32_t next;
    int64_t passed; /* pieces of the same component in sources before */
};
/* The next source's pieces in `range_of(line)`, asked of the caller: call content_walk_line() for
 * the line at hand, then content_walk_take() with its range. */
bool content_walk_line(const struct content_walk *walk, uint32_t *line_out);
int64_t content_walk_take(struct content_walk *walk, struct content_range range,
                          uint32_t *stock_out);

#endif
