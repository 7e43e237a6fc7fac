/* Discounts as arithmetic: integers only, no store.
 *
 * total = the amount, or floor(sum * basis points / 10000), at most the cap, at most the sum. It is
 * split over the eligible lines in proportion to their amounts by largest remainders: each gets
 * floor(total * amount / sum), and the units left go one each to the largest remainders, of equal
 * ones to the first. The shares add up to the total, none is above its line's amount. */
#ifndef CELLAR_STORE_DISCOUNT_H
#define CELLAR_STORE_DISCOUNT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DISCOUNT_BASIS_POINTS 10000

enum discount_kind {
    DISCOUNT_NONE = 0,
    DISCOUNT_AMOUNT = 1,
    DISCOUNT_PERCENT = 2
};

struct discount_rules {
    enum discount_kind kind;
    int64_t value;   /* amount, or basis points up to DISCOUNT_BASIS_POINTS; not negative */
    int64_t cap;     /* 0: none */
    int64_t minimum; /* the eligible sum must reach it; 0: none */
};

/* What the discount is good for: nothing named means everything. */
struct discount_scope {
    const uint32_t *products;
    uint32_t product_count;
    const char *categories; /* one behind the other, without NULs */
    const uint8_t *category_bytes;
    uint32_t category_count;
};

struct discount_line {
    int64_t amount;     /* lines at or below zero get no discount */
    uint64_t remainder; /* used inside */
    int64_t discount;   /* out */
    bool eligible;
};

bool discount_selects(const struct discount_scope *scope, uint32_t product, const char *category,
                      size_t category_bytes);
/* Fills in every line's discount. False: the eligible sum is zero or below the minimum, or above
 * 2^63 - 1; then all are 0, as they are for DISCOUNT_NONE, which is never refused. */
bool discount_compute(const struct discount_rules *rules, struct discount_line *lines,
                      size_t line_count, int64_t *total_out, int64_t *sum_out);
/* The share of `part` pieces of a line's discount `total`, when `done` of its `quantity` pieces
 * have had theirs: shares of all pieces, in whatever parts, add up to the total. */
int64_t discount_part(int64_t total, int64_t quantity, int64_t done, int64_t part);

#endif
