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
    const struct payload_line *lines;
    uint32_t line_count;
    uint32_t allocation_count; /* 0: each line comes from the stock it names */
    const struct payload_allocation *allocations;
    int64_t hold_until_ms;               /* 0: without end */
    const int64_t *discounts;            /* of each line; NULL: none */
    const struct payload_redeem *redeem; /* the coupon they came from; NULL: none */
    uint64_t payee;                      /* 0: none */
    const char *reference;               /* without a NUL */
    uint32_t reference_bytes;
};

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
    return (struct payload_allocation){.line = index,
                                       .stock = content->lines[index].stock,
                                       .per_unit = 1,
                                       .quantity = content->lines[index].quantity};
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
