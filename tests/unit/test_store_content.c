/* Is the content of an order read from the ledger's bytes when its sections are what counts and
 * flags say, and refused when any of them is not? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/content.h"
#include "cellar.h"

#include <string.h>

#define LINES 2
#define ALLOCATIONS_MAX 4

/* Two lines; all sections, of which `flags` says which are there. */
struct made {
    struct content_line lines[LINES];
    struct payload_allocation allocations[ALLOCATIONS_MAX];
    uint32_t allocation_count;
    int64_t hold_until_ms;
    int64_t discounts[LINES];
    struct payload_redeem redeem;
    uint64_t payee;
    uint64_t account;
    int64_t business_time_ns;
    char reference[8];
    uint16_t flags;
};

/* The first line is a kit of two components, one of them from two stocks. */
static struct made make(uint16_t flags) {
    return (struct made){
        .lines = {{.stock = 1, .quantity = 3, .unit_price = 10},
                  {.stock = 2, .quantity = 2, .unit_price = 5}},
        .allocations = {{0, 0, 3, 2, 4}, {0, 0, 4, 2, 2}, {0, 1, 5, 1, 3}, {1, 0, 2, 1, 2}},
        .allocation_count = ALLOCATIONS_MAX,
        .hold_until_ms = 7,
        .discounts = {4, 1},
        .redeem = {.discount = 5, .campaign = 1, .grant = 1},
        .payee = 9,
        .account = 11,
        .business_time_ns = -12,
        .reference = "text",
        .flags = flags};
}

static size_t append(unsigned char *bytes, size_t at, const void *from, size_t count) {
    memcpy(bytes + at, from, count);
    return at + count;
}

static size_t encode(const struct made *made, unsigned char *bytes) {
    const struct payload_count count = {.count = made->allocation_count};
    struct payload_document document = {.flags = made->flags};
    struct {
        struct payload_document document;
        struct payload_wide_line room[LINES];
    } lines = {.document = document};
    for (uint32_t i = 0; i < LINES; i++) {
        content_put_line(&lines.document, i, made->lines[i]);
    }
    size_t at = append(bytes, 0, lines.room, content_lines_bytes(made->flags, LINES));
    if ((made->flags & PAYLOAD_ALLOCATED) != 0) {
        uint32_t given =
            made->allocation_count < ALLOCATIONS_MAX ? made->allocation_count : ALLOCATIONS_MAX;
        at = append(bytes, at, &count, sizeof count);
        at = append(bytes, at, made->allocations, given * sizeof *made->allocations);
    }
    if ((made->flags & PAYLOAD_HELD) != 0) {
        at = append(bytes, at, &made->hold_until_ms, sizeof made->hold_until_ms);
    }
    if ((made->flags & PAYLOAD_DISCOUNTED) != 0) {
        at = append(bytes, at, made->discounts, sizeof made->discounts);
        at = append(bytes, at, &made->redeem, sizeof made->redeem);
    }
    if ((made->flags & PAYLOAD_PAYEE) != 0) {
        at = append(bytes, at, &made->payee, sizeof made->payee);
    }
    if ((made->flags & PAYLOAD_ACCOUNT) != 0) {
        at = append(bytes, at, &made->account, sizeof made->account);
    }
    if ((made->flags & PAYLOAD_BUSINESS_TIME) != 0) {
        at = append(bytes, at, &made->business_time_ns, sizeof made->business_time_ns);
    }
    return append(bytes, at, made->reference, strlen(made->reference));
}

static bool reads(const struct made *made) {
    static _Alignas(8) unsigned char bytes[1024];
    struct content content;
    size_t count = encode(made, bytes);
    return content_read(&content, bytes, count, LINES, made->flags,
                        (uint32_t)strlen(made->reference));
}

static void test_sections(void **unused) {
    (void)unused;
    const uint16_t all = PAYLOAD_FLAGS;
    for (uint16_t flags = 0; flags <= all; flags++) {
        static _Alignas(8) unsigned char bytes[1024];
        struct content content;
        struct made made = make(flags);
        size_t count = encode(&made, bytes);
        assert_true(content_read(&content, bytes, count, LINES, flags, 4));
        assert_int_equal(content.line_count, LINES);
        assert_int_equal(content_line(&content, 1).stock, 2);
        assert_int_equal(content_line(&content, 1).quantity, 2);
        assert_int_equal(content_line(&content, 1).unit_price, 5);
        assert_int_equal(content.allocation_count,
                         (flags & PAYLOAD_ALLOCATED) != 0 ? ALLOCATIONS_MAX : 0);
        assert_int_equal(content.hold_until_ms, (flags & PAYLOAD_HELD) != 0 ? 7 : 0);
        assert_int_equal(content.redeem != NULL, (flags & PAYLOAD_DISCOUNTED) != 0);
        assert_int_equal(content.payee, (flags & PAYLOAD_PAYEE) != 0 ? 9 : 0);
        assert_int_equal(content.account, (flags & PAYLOAD_ACCOUNT) != 0 ? 11 : 0);
        assert_int_equal(content.business_time_ns, (flags & PAYLOAD_BUSINESS_TIME) != 0 ? -12 : 0);
        assert_memory_equal(content.reference, "text", 4);
        /* Cut anywhere, or longer than it says: refused. */
        for (size_t cut = 0; cut < count; cut++) {
            assert_false(content_read(&content, bytes, cut, LINES, flags, 4));
        }
        assert_false(content_read(&content, bytes, count + 1, LINES, flags, 4));
    }
    struct made made = make(0);
    made.flags = PAYLOAD_FLAGS + 1;
    assert_false(reads(&made));
}

/* Each row makes one thing wrong in an order that has everything. */
#define ROWS(X)                                                                                    \
    X(no_allocation, made->allocation_count = 0)                                                   \
    X(more_allocations_than_bytes, made->allocation_count = ALLOCATIONS_MAX + 1)                   \
    X(allocations_without_end, made->allocation_count = UINT32_MAX)                                \
    X(last_line_missing, made->allocation_count = ALLOCATIONS_MAX - 1)                             \
    X(component_short, made->allocations[2].quantity = 2)                                          \
    X(component_long, made->allocations[2].quantity = 4)                                           \
    X(second_place_short, made->allocations[1].quantity = 1)                                       \
    X(second_place_long, made->allocations[1].quantity = 3)                                        \
    X(last_short, made->allocations[3].quantity = 1)                                               \
    X(nothing_taken, (made->allocations[0].quantity = 6, made->allocations[1].quantity = 0))       \
    X(less_than_nothing, made->allocations[1].quantity = -2)                                       \
    X(nothing_a_unit, made->allocations[2].per_unit = 0)                                           \
    X(another_per_unit, made->allocations[1].per_unit = 3)                                         \
    X(line_behind_the_last, made->allocations[3].line = LINES)                                     \
    X(line_again, made->allocations[3].line = 0)                                                   \
    X(component_left_out, made->allocations[2].component = 2)                                      \
    X(line_begins_late, made->allocations[3].component = 1)                                        \
    X(first_line_left_out, made->allocations[0].line = 1)                                          \
    X(too_many_units, (made->lines[0].quantity = INT64_MAX, made->allocations[0].per_unit = 3))    \
    X(held_until_nothing, made->hold_until_ms = 0)                                                 \
    X(held_before_time, made->hold_until_ms = -1)                                                  \
    X(held_too_long, made->hold_until_ms = STORE_DEADLINE_MS_MAX + 1)                              \
    X(discount_below_zero, (made->discounts[0] = 6, made->discounts[1] = -1))                      \
    X(discount_too_large,                                                                          \
      (made->discounts[0] = CELLAR_AMOUNT_MAX + 1, made->redeem.discount = CELLAR_AMOUNT_MAX + 2)) \
    X(discounts_do_not_add_up, made->redeem.discount = 6)                                          \
    X(paid_to_nobody, made->payee = 0)                                                             \
    X(paid_by_nobody, made->account = 0)                                                           \
    X(at_no_time, made->business_time_ns = 0)

#define WRONG_FUNCTION(name, statement)                                                            \
    static void wrong_##name(struct made *made) {                                                  \
        statement;                                                                                 \
    }
ROWS(WRONG_FUNCTION)

static void test_what_does_not_fit(void **unused) {
    static const struct {
        const char *name;
        void (*apply)(struct made *made);
    } rows[] = {
#define WRONG_ROW(name, statement) {#name, wrong_##name},
        ROWS(WRONG_ROW)
#undef WRONG_ROW
    };
    (void)unused;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct made made = make(PAYLOAD_FLAGS);
        rows[i].apply(&made);
        if (reads(&made)) {
            fail_msg("%s: accepted", rows[i].name);
        }
    }
}

/* A discount needs units to be on: the lines of an order that has one have some. */
static void test_discount_on_nothing(void **unused) {
    struct made made = make(PAYLOAD_DISCOUNTED);
    (void)unused;
    made.lines[1].quantity = 0;
    assert_false(reads(&made));
}

/* The largest quantity of a narrow line, and the least that needs a wide one, on both sides. */
static void test_quantities(void **unused) {
    static const struct {
        int64_t quantity;
        bool wide;
    } rows[] = {{0, false},
                {INT32_MAX, false},
                {INT64_C(1) + INT32_MAX, true},
                {INT32_MIN, false},
                {INT64_C(-1) + INT32_MIN, true},
                {CELLAR_AMOUNT_MAX, true},
                {-CELLAR_AMOUNT_MAX, true}};
    (void)unused;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct {
            struct payload_document document;
            struct payload_wide_line room;
        } made = {.document.flags = rows[i].wide ? PAYLOAD_WIDE : 0};
        assert_int_equal(content_is_wide(rows[i].quantity), rows[i].wide);
        content_put_line(&made.document, 0,
                         (struct content_line){3, rows[i].quantity, CELLAR_AMOUNT_MAX});
        struct content content = {.lines = &made.room, .wide = rows[i].wide};
        assert_int_equal(content_line(&content, 0).stock, 3);
        assert_int_equal(content_line(&content, 0).quantity, rows[i].quantity);
        assert_int_equal(content_line(&content, 0).unit_price, CELLAR_AMOUNT_MAX);
    }
}

static void test_at_the_limits(void **unused) {
    static _Alignas(
        8) unsigned char bytes[(CELLAR_LINES_MAX + 1) * sizeof(struct payload_wide_line) + 100];
    struct content content;
    (void)unused;
    for (int wide = 0; wide < 2; wide++) {
        uint16_t flags = wide == 0 ? 0 : PAYLOAD_WIDE;
        assert_true(content_read(&content, bytes, content_lines_bytes(flags, CELLAR_LINES_MAX),
                                 CELLAR_LINES_MAX, flags, 0));
        assert_false(content_read(&content, bytes, content_lines_bytes(flags, CELLAR_LINES_MAX + 1),
                                  CELLAR_LINES_MAX + 1, flags, 0));
    }
    assert_true(content_read(&content, bytes, CELLAR_REFERENCE_BYTES_MAX, 0, 0,
                             CELLAR_REFERENCE_BYTES_MAX));
    assert_false(content_read(&content, bytes, CELLAR_REFERENCE_BYTES_MAX + 1, 0, 0,
                              CELLAR_REFERENCE_BYTES_MAX + 1));
    struct made made = make(PAYLOAD_HELD);
    made.hold_until_ms = STORE_DEADLINE_MS_MAX;
    assert_true(reads(&made));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sections),
        cmocka_unit_test(test_what_does_not_fit),
        cmocka_unit_test(test_discount_on_nothing),
        cmocka_unit_test(test_quantities),
        cmocka_unit_test(test_at_the_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
