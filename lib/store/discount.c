#include "store/discount.h"

#include "base/assert.h"

#include <string.h>

/* Products of two 64-bit numbers. */
__extension__ typedef unsigned __int128 discount_wide;

bool discount_selects(const struct discount_scope *scope, uint32_t product, const char *category,
                      size_t category_bytes) {
    if (scope->product_count == 0 && scope->category_count == 0) {
        return true;
    }
    for (uint32_t i = 0; i < scope->product_count; i++) {
        if (scope->products[i] == product) {
            return true;
        }
    }
    const char *named = scope->categories;
    for (uint32_t i = 0; i < scope->category_count; i++) {
        if (scope->category_bytes[i] == category_bytes &&
            memcmp(named, category, category_bytes) == 0) {
            return true;
        }
        named += scope->category_bytes[i];
    }
    return false;
}

static bool discount_counts(const struct discount_line *line) {
    return line->eligible && line->amount > 0;
}

/* False: the sum does not fit. */
static bool discount_sum(struct discount_line *lines, size_t line_count, int64_t *sum_out) {
    int64_t sum = 0;
    for (size_t i = 0; i < line_count; i++) {
        lines[i].discount = 0;
        if (discount_counts(&lines[i]) && __builtin_add_overflow(sum, lines[i].amount, &sum)) {
            return false;
        }
    }
    *sum_out = sum;
    return true;
}

static int64_t discount_total(const struct discount_rules *rules, int64_t sum) {
    int64_t total = rules->value;
    if (rules->kind == DISCOUNT_PERCENT) {
        total = (int64_t)((discount_wide)sum * (uint64_t)rules->value / DISCOUNT_BASIS_POINTS);
    }
    if (rules->cap != 0 && total > rules->cap) {
        total = rules->cap;
    }
    return total < sum ? total : sum;
}

static size_t discount_count_above(const struct discount_line *lines, size_t line_count,
                                   uint64_t remainder) {
    size_t count = 0;
    for (size_t i = 0; i < line_count; i++) {
        count += discount_counts(&lines[i]) && lines[i].remainder > remainder;
    }
    return count;
}

/* The least remainder of which not more than `left` lines are above: found by halving, without
 * memory for sorting. */
static uint64_t discount_threshold(const struct discount_line *lines, size_t line_count,
                                   size_t left, uint64_t limit) {
    uint64_t low = 0;
    uint64_t high = limit;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (discount_count_above(lines, line_count, middle) <= left) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

static void discount_split(struct discount_line *lines, size_t line_count, int64_t total,
                           int64_t sum) {
    int64_t given = 0;
    for (size_t i = 0; i < line_count; i++) {
        if (discount_counts(&lines[i])) {
            discount_wide product = (discount_wide)total * (uint64_t)lines[i].amount;
            lines[i].discount = (int64_t)(product / (uint64_t)sum);
            lines[i].remainder = (uint64_t)(product % (uint64_t)sum);
            given += lines[i].discount;
        }
    }
    size_t left = (size_t)(total - given);
    if (left == 0) {
        return;
    }
    ASSERT(left < line_count);
    uint64_t threshold = discount_threshold(lines, line_count, left, (uint64_t)sum);
    size_t equal = left - discount_count_above(lines, line_count, threshold);
    for (size_t i = 0; i < line_count; i++) {
        if (!discount_counts(&lines[i]) || lines[i].remainder < threshold) {
            continue;
        }
        if (lines[i].remainder > threshold) {
            lines[i].discount++;
        } else if (equal > 0) {
            lines[i].discount++;
            equal--;
        }
    }
}

bool discount_compute(const struct discount_rules *rules, struct discount_line *lines,
                      size_t line_count, int64_t *total_out, int64_t *sum_out) {
    *total_out = 0;
    *sum_out = 0;
    bool fits = discount_sum(lines, line_count, sum_out);
    if (rules->kind == DISCOUNT_NONE) {
        return true;
    }
    if (!fits || *sum_out == 0 || *sum_out < rules->minimum) {
        return false;
    }
    *total_out = discount_total(rules, *sum_out);
    discount_split(lines, line_count, *total_out, *sum_out);
    return true;
}

int64_t discount_part(int64_t total, int64_t quantity, int64_t done, int64_t part) {
    ASSERT(total >= 0);
    ASSERT(quantity > 0);
    ASSERT(done >= 0);
    ASSERT(part >= 0);
    ASSERT(done <= quantity - part);
    uint64_t after = (uint64_t)(done + part);
    return (int64_t)((discount_wide)(uint64_t)total * after / (uint64_t)quantity) -
           (int64_t)((discount_wide)(uint64_t)total * (uint64_t)done / (uint64_t)quantity);
}
