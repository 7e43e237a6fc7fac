/* Does recovery refuse every record of a step of an order, or of several operations in one commit,
 * whose parts are not what their counts say, or name what is not there? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/recovery.h"

#include <string.h>

static int set_up(void **unused) {
    recovery_set_up(unused);
    assert_int_equal(recovery_put(1, 1, 1, "a"), STORE_APPLIED);
    assert_int_equal(recovery_put(2, 2, 2, "b"), STORE_APPLIED);
    return 0;
}

/* ---- Steps ---- */

/* A step by line with everything: two parts, two moves, an identity, a payee. */
struct step_bytes {
    struct payload_step header;
    struct payload_part_of_order parts[2];
    struct payload_move moves[2];
    struct payload_identity identity;
    uint64_t payee;
};

static struct step_bytes step_of(void) {
    return (struct step_bytes){.header = {.id = {0, 5},
                                          .order = 1,
                                          .slot = 3,
                                          .part_count = 2,
                                          .move_count = 2,
                                          .event = CELLAR_EVENT_RETURN,
                                          .from = CELLAR_ORDER_FULFILLED,
                                          .to = CELLAR_ORDER_FULFILLED,
                                          .has_payee = 1},
                               .parts = {{.line = 0, .quantity = 1}, {.line = 4, .quantity = 2}},
                               .moves = {{.stock = 1, .quantity = 1}, {.stock = 2, .quantity = 2}},
                               .identity = {.id = {0, 6}},
                               .payee = 9};
}

static bool step_is_right(const struct step_bytes *step, size_t bytes) {
    recovery_change(store_order_cell(3), STORE_STATE_OTHER);
    return store_record_check(recovery.store, recovery_record(STORE_ORDER_STEP, step, bytes));
}

#define ROWS(X)                                                                                    \
    X(lines_in_another_order, step->parts[1].line = 0)                                             \
    X(lines_falling, step->parts[0].line = 5)                                                      \
    X(no_units, step->parts[1].quantity = 0)                                                       \
    X(less_than_no_units, step->parts[0].quantity = -1)                                            \
    X(stock_of_nobody, step->moves[0].stock = 0)                                                   \
    X(stock_behind_the_last, step->moves[1].stock = 3)                                             \
    X(nothing_moves, step->moves[1].quantity = 0)                                                  \
    X(no_id_for_its_slot, step->identity.id.low = 0)                                               \
    X(slot_of_another_cell, step->header.slot = 4)                                                 \
    X(more_parts, step->header.part_count = 3)                                                     \
    X(fewer_parts, step->header.part_count = 1)                                                    \
    X(parts_without_end, step->header.part_count = UINT32_MAX)                                     \
    X(more_moves, step->header.move_count = 3)                                                     \
    X(moves_without_end, step->header.move_count = UINT32_MAX)                                     \
    X(no_slot, step->header.slot = 0)                                                              \
    X(no_payee, step->header.has_payee = 0)                                                        \
    X(two_payees, step->header.has_payee = 2)                                                      \
    X(until_before_time, step->header.until_ms = -1)                                               \
    X(until_too_late, step->header.until_ms = STORE_DEADLINE_MS_MAX + 1)

#define WRONG_FUNCTION(name, statement)                                                            \
    static void wrong_##name(struct step_bytes *step) {                                            \
        statement;                                                                                 \
    }
ROWS(WRONG_FUNCTION)

static void test_steps(void **unused) {
    static const struct {
        const char *name;
        void (*apply)(struct step_bytes *step);
    } rows[] = {
#define WRONG_ROW(name, statement) {#name, wrong_##name},
        ROWS(WRONG_ROW)
#undef WRONG_ROW
    };
    struct step_bytes step = step_of();
    (void)unused;
    assert_true(step_is_right(&step, sizeof step));
    step.header.until_ms = STORE_DEADLINE_MS_MAX;
    assert_true(step_is_right(&step, sizeof step));
    for (size_t bytes = 0; bytes < sizeof step; bytes += 8) {
        assert_false(step_is_right(&step, bytes));
    }
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        step = step_of();
        rows[i].apply(&step);
        if (step_is_right(&step, sizeof step)) {
            fail_msg("%s: accepted", rows[i].name);
        }
    }
}

/* ---- Several operations ---- */

/* Units of stock 1 are taken, and one more change without lines. */
struct composed_bytes {
    struct payload_composed header;
    struct payload_part first_header;
    struct payload_document first;
    struct payload_line line;
    struct payload_part second_header;
    struct payload_document second;
};

static struct composed_bytes composed_of(void) {
    return (struct composed_bytes){
        .header = {.part_count = 2},
        .first_header = {.kind = STORE_STOCK_CHANGE,
                         .bytes = sizeof(struct payload_document) + sizeof(struct payload_line)},
        .first = {.line_count = 1},
        .line = {.stock = 1, .quantity = 1},
        .second_header = {.kind = STORE_STOCK_CHANGE, .bytes = sizeof(struct payload_document)}};
}

static bool composed_is_right(const struct composed_bytes *composed, size_t bytes) {
    recovery_change(store_stock_cell(1, STORE_STOCK_SELLABLE), 1);
    return store_record_check(recovery.store, recovery_record(STORE_COMPOSED, composed, bytes));
}

#define COMPOSED_ROWS(X)                                                                           \
    X(no_parts, composed->header.part_count = 0)                                                   \
    X(one_part, composed->header.part_count = 1)                                                   \
    X(three_parts, composed->header.part_count = 3)                                                \
    X(parts_beyond_the_limit, composed->header.part_count = STORE_PARTS_MAX + 1)                   \
    X(id_without_a_slot, composed->header.id.low = 1)                                              \
    X(slot_without_an_id, composed->header.slot = 1)                                               \
    X(part_too_long, composed->second_header.bytes += 8)                                           \
    X(part_without_end, composed->first_header.bytes = UINT32_MAX)                                 \
    X(part_too_short, composed->first_header.bytes -= 8)                                           \
    X(last_part_too_short, composed->second_header.bytes -= 8)                                     \
    X(composed_of_composed, composed->first_header.kind = STORE_COMPOSED)                          \
    X(of_no_kind, composed->second_header.kind = 39)                                               \
    X(not_zero, composed->second_header.zero = 1)                                                  \
    X(stock_of_nobody, composed->line.stock = 0)                                                   \
    X(taken_by_itself_only, composed->second_header.kind = STORE_STOCK_TAKE)

#define COMPOSED_FUNCTION(name, statement)                                                         \
    static void composed_##name(struct composed_bytes *composed) {                                 \
        statement;                                                                                 \
    }
COMPOSED_ROWS(COMPOSED_FUNCTION)

static void test_composed(void **unused) {
    static const struct {
        const char *name;
        void (*apply)(struct composed_bytes *composed);
    } rows[] = {
#define COMPOSED_ROW(name, statement) {#name, composed_##name},
        COMPOSED_ROWS(COMPOSED_ROW)
#undef COMPOSED_ROW
    };
    struct composed_bytes composed = composed_of();
    (void)unused;
    assert_true(composed_is_right(&composed, sizeof composed));
    for (size_t bytes = 0; bytes < sizeof composed; bytes += 8) {
        assert_false(composed_is_right(&composed, bytes));
    }
    /* Of some kinds there is no part: each is right by its length, and alone. */
    static const struct payload_part alone[] = {
        {.kind = STORE_STOCK_TAKE, .bytes = 0},
        {.kind = STORE_STOCK_COUNT, .bytes = 0},
        {.kind = STORE_RETIRE, .bytes = 0},
        {.kind = STORE_STOCK_OPEN, .bytes = sizeof(struct payload_stock_open)},
        {.kind = STORE_CAMPAIGN_PUT, .bytes = sizeof composed.second},
        {.kind = STORE_PRODUCT, .bytes = sizeof composed.second},
    };
    for (size_t i = 0; i < sizeof alone / sizeof *alone; i++) {
        composed = composed_of();
        composed.second_header = alone[i];
        assert_false(
            composed_is_right(&composed, offsetof(struct composed_bytes, second) + alone[i].bytes));
    }
    composed = composed_of();
    /* Cut within the first part's last 8 bytes, which it does not fill: no second one follows. */
    composed.first_header.bytes -= 3;
    assert_false(composed_is_right(&composed, offsetof(struct composed_bytes, second_header) - 3));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        composed = composed_of();
        rows[i].apply(&composed);
        if (composed_is_right(&composed, sizeof composed)) {
            fail_msg("%s: accepted", rows[i].name);
        }
    }
}

/* ---- Notes ---- */

/* Of a record that has nothing else: the reference, and the note. */
static void test_notes(void **unused) {
    static const struct {
        uint32_t payload_bytes, reference_bytes;
        size_t bytes; /* of all before the note */
        bool right;
    } rows[] = {
        /* payload's bytes  reference's  bytes before the note  well formed */
        {0, 0, 0, true},  {0, 64, 64, true}, {0, 5, 8, true},           {0, 65, 72, false},
        {0, 0, 8, false}, {0, 8, 0, false},  {100, 0, 0, false},        {UINT32_MAX, 0, 0, false},
        {0, 5, 5, false}, {1, 0, 8, false},  {0, UINT32_MAX, 0, false},
    };
    (void)unused;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        unsigned char bytes[128] = {0};
        const struct payload_note note = {.payload_bytes = rows[i].payload_bytes,
                                          .reference_bytes = rows[i].reference_bytes};
        memcpy(bytes + rows[i].bytes, &note, sizeof note);
        recovery_change(store_stock_cell(1, STORE_STOCK_SELLABLE), 1);
        const struct record_header *record = recovery_record(STORE_STOCK_TAKE | STORE_KIND_NOTED,
                                                             bytes, rows[i].bytes + sizeof note);
        if (store_record_check(recovery.store, record) != rows[i].right) {
            fail_msg("row %zu", i);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_steps, set_up, recovery_tear_down),
        cmocka_unit_test_setup_teardown(test_composed, set_up, recovery_tear_down),
        cmocka_unit_test_setup_teardown(test_notes, set_up, recovery_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
