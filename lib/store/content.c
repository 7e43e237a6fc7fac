#include "store/content.h"

#include "base/assert.h"
#include "store/discount.h"

/* Allocations go with lines: in order, at least one a line, and each component's add up to
 * per_unit * quantity of the line. */
static bool content_check_allocations(const struct content *content) {
    int64_t line = -1;
    int64_t component = -1;
    int64_t wanted = 0;
    for (uint32_t i = 0; i < content->allocation_count; i++) {
        const struct payload_allocation *at = &content->allocations[i];
        bool same = at->line == line && at->component == component;
        bool next_component = at->line == line && at->component == component + 1;
        bool next_line = at->line == line + 1 && at->component == 0;
        if (at->line >= content->line_count || at->per_unit == 0 || at->quantity <= 0 ||
            !(same || next_component || next_line)) {
            return false;
        }
        if (!same) {
            if (wanted != 0 || __builtin_mul_overflow(content_line(content, at->line).quantity,
                                                      (int64_t)at->per_unit, &wanted)) {
                return false;
            }
        }
        wanted -= at->quantity;
        if (wanted < 0 || (same && at->per_unit != content->allocations[i - 1].per_unit)) {
            return false;
        }
        line = at->line;
        component = at->component;
    }
    return wanted == 0 && (content->allocation_count == 0 || line + 1 == content->line_count);
}

/* The discounts of the lines are what was redeemed. */
static bool content_check_discounts(const struct content *content) {
    int64_t sum = 0;
    for (uint32_t i = 0; i < content->line_count; i++) {
        int64_t discount = content->discounts[i];
        if (discount < 0 || discount > CELLAR_AMOUNT_MAX ||
            content_line(content, i).quantity <= 0) {
            return false;
        }
        sum += discount;
    }
    return sum == content->redeem->discount;
}

/* The number that the flag announces; zero without it. False: it is not there, or is zero. */
static bool content_number(uint16_t flags, uint16_t flag, const unsigned char **at,
                           const unsigned char *end, uint64_t *number_out) {
    *number_out = 0;
    if ((flags & flag) == 0) {
        return true;
    }
    if ((size_t)(end - *at) < sizeof *number_out) {
        return false;
    }
    *number_out = *(const uint64_t *)(const void *)*at;
    *at += sizeof *number_out;
    return *number_out != 0;
}

bool content_read(struct content *content, const void *bytes, size_t byte_count,
                  uint32_t line_count, uint16_t flags, uint32_t reference_bytes) {
    const unsigned char *at = bytes;
    const unsigned char *end = at + byte_count;
    *content = (struct content){.lines = bytes,
                                .wide = (flags & PAYLOAD_WIDE) != 0,
                                .line_count = line_count,
                                .reference_bytes = reference_bytes};
    if (line_count > CELLAR_LINES_MAX || reference_bytes > CELLAR_REFERENCE_BYTES_MAX ||
        (flags & ~PAYLOAD_FLAGS) != 0 || byte_count < content_lines_bytes(flags, line_count)) {
        return false;
    }
    at += content_lines_bytes(flags, line_count);
    if ((flags & PAYLOAD_ALLOCATED) != 0) {
        const struct payload_count *count = (const struct payload_count *)(const void *)at;
        if ((size_t)(end - at) < sizeof *count || count->count == 0 ||
            (size_t)(end - at) - sizeof *count < count->count * sizeof(struct payload_allocation)) {
            return false;
        }
        content->allocation_count = count->count;
        content->allocations = (const struct payload_allocation *)(const void *)(count + 1);
        at = (const unsigned char *)(content->allocations + count->count);
    }
    uint64_t hold_until_ms;
    if (!content_number(flags, PAYLOAD_HELD, &at, end, &hold_until_ms) ||
        hold_until_ms > STORE_DEADLINE_MS_MAX) {
        return false;
    }
    content->hold_until_ms = (int64_t)hold_until_ms;
    if ((flags & PAYLOAD_DISCOUNTED) != 0) {
        size_t discounts_bytes = line_count * sizeof *content->discounts;
        if ((size_t)(end - at) < discounts_bytes + sizeof *content->redeem) {
            return false;
        }
        content->discounts = (const int64_t *)(const void *)at;
        content->redeem = (const struct payload_redeem *)(const void *)(at + discounts_bytes);
        at += discounts_bytes + sizeof *content->redeem;
        if (!content_check_discounts(content)) {
            return false;
        }
    }
    uint64_t business_time_ns;
    if (!content_number(flags, PAYLOAD_PAYEE, &at, end, &content->payee) ||
        !content_number(flags, PAYLOAD_ACCOUNT, &at, end, &content->account) ||
        !content_number(flags, PAYLOAD_BUSINESS_TIME, &at, end, &business_time_ns)) {
        return false;
    }
    content->business_time_ns = (int64_t)business_time_ns;
    content->reference = (const char *)at;
    return (size_t)(end - at) == reference_bytes && content_check_allocations(content);
}

void content_of(struct content *content, const struct payload_document *document, uint32_t bytes) {
    bool good = content_read(content, document + 1, bytes - sizeof *document, document->line_count,
                             document->flags, document->reference_bytes);
    ASSERT(good);
}

int64_t content_value(const struct content *content, uint32_t line, struct content_range range) {
    /* No overflow: a part of a total that was in range. */
    struct content_line at = content_line(content, line);
    int64_t value = at.unit_price * (range.to - range.from);
    if (content->discounts != NULL) {
        value -=
            discount_part(content->discounts[line], at.quantity, range.from, range.to - range.from);
    }
    return value;
}

bool content_walk_line(const struct content_walk *walk, uint32_t *line_out) {
    if (walk->next == content_source_count(walk->content)) {
        return false;
    }
    *line_out = content_source(walk->content, walk->next).line;
    return true;
}

int64_t content_walk_take(struct content_walk *walk, struct content_range range,
                          uint32_t *stock_out) {
    struct payload_allocation source = content_source(walk->content, walk->next);
    int64_t begin = walk->passed;
    int64_t end = begin + source.quantity;
    int64_t from = range.from * source.per_unit;
    int64_t to = range.to * source.per_unit;
    walk->next++;
    walk->passed = 0;
    if (walk->next < content_source_count(walk->content)) {
        struct payload_allocation next = content_source(walk->content, walk->next);
        if (next.line == source.line && next.component == source.component) {
            walk->passed = end;
        }
    }
    *stock_out = source.stock;
    from = from > begin ? from : begin;
    to = to < end ? to : end;
    return to > from ? to - from : 0;
}
