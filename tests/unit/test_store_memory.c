/* When memory is short anywhere while a record is applied, is it applied once, and whole, when that
 * is tried again? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/recovery.h"

#include <string.h>

/* More than any record here needs. */
#define ALLOCATIONS_MAX 40

/* Makes what comes before the record, then the record itself, with its cells changed. */
typedef const struct record_header *scene(void);

/* Fails allocation 0, 1, 2, ... of each application once, from a fresh store each time. How many
 * failed. */
static int64_t apply_short_of_memory(scene *make, void (*check)(void)) {
    int64_t at = 0;
    for (; at < ALLOCATIONS_MAX; at++) {
        recovery_tear_down(NULL);
        recovery_set_up(NULL);
        uint32_t broken;
        const struct record_header *record = make();
        assert_true(store_record_check(recovery.store, record));
        assert_int_not_equal(commit_redo(recovery.commit, record, &broken), COMMIT_REDO_BROKEN);
        memory_fail_after(recovery.memory, at, 0);
        int result = (int)store_apply(recovery.store, record);
        memory_fail_after(recovery.memory, -1, 0);
        if (result == STORE_APPLIED) {
            break;
        }
        assert_int_equal(result, STORE_APPLY_NO_MEMORY);
        assert_int_equal(store_apply(recovery.store, record), STORE_APPLIED);
        assert_int_equal(recovery.store->parts_applied, 0);
        check();
    }
    check();
    return at;
}

static void put_goods(void) {
    assert_int_equal(recovery_put(1, 1, 1, "a"), STORE_APPLIED);
}

/* ---- A product in a new category, and then in another ---- */

static const struct record_header *categorised(uint32_t block, const char *text) {
    struct recovery_product product = recovery_product(1, 1, block, text);
    product.header.sku_bytes = 1;
    product.header.category_bytes = (uint8_t)(strlen(text) - 1);
    return recovery_product_record(&product, sizeof product.header + strlen(text));
}

static const struct record_header *make_categorised(void) {
    assert_int_equal(recovery_redo(categorised(1, "atea")), STORE_APPLIED);
    return categorised(2, "acoffee");
}

static uint64_t listed(const char *category) {
    const struct store_category *found =
        store_find_category(recovery.store, category, strlen(category));
    return found == NULL ? 0 : index_count(found->products);
}

static void check_categorised(void) {
    assert_int_equal(listed("tea"), 0);
    assert_int_equal(listed("coffee"), 1);
    assert_int_equal(recovery.store->totals.products, 1);
    assert_int_equal(index_count(recovery.store->products_by_status[0]), 1);
}

static void test_categories(void **unused) {
    (void)unused;
    assert_true(apply_short_of_memory(make_categorised, check_categorised) >= 3);
}

/* ---- Two orders, a step of a third, and an id of their own ---- */

struct placed_bytes {
    struct payload_document header;
    struct payload_line line;
};

static struct placed_bytes placed_of(uint64_t id) {
    return (struct placed_bytes){.header = {.id = {0, id},
                                            .slot = (uint32_t)id,
                                            .line_count = 1,
                                            .total = 10,
                                            .type = CELLAR_ORDER_PLACED},
                                 .line = {.stock = 1, .quantity = 2, .unit_price = 5}};
}

struct transaction_bytes {
    struct payload_composed header;
    struct payload_part first_header;
    struct placed_bytes first;
    struct payload_part second_header;
    struct placed_bytes second;
    struct payload_part step_header;
    struct payload_step step;
    struct payload_part_of_order part;
    struct payload_identity identity;
};

static const struct record_header *make_transaction(void) {
    const struct placed_bytes third = placed_of(3);
    const size_t step_bytes = sizeof(struct payload_step) + sizeof(struct payload_part_of_order) +
                              sizeof(struct payload_identity);
    const struct transaction_bytes bytes = {
        .header = {.id = {0, 9}, .slot = 9, .part_count = 3},
        .first_header = {.kind = STORE_ORDER_PLACE, .bytes = sizeof(struct placed_bytes)},
        .first = placed_of(1),
        .second_header = {.kind = STORE_ORDER_PLACE, .bytes = sizeof(struct placed_bytes)},
        .second = placed_of(2),
        .step_header = {.kind = STORE_ORDER_STEP, .bytes = (uint32_t)step_bytes},
        .step = {.id = {0, 3},
                 .order = 3,
                 .slot = 4,
                 .value = 5,
                 .part_count = 1,
                 .event = CELLAR_EVENT_CANCEL,
                 .from = CELLAR_ORDER_PLACED,
                 .to = CELLAR_ORDER_PLACED},
        .part = {.line = 0, .quantity = 1},
        .identity = {.id = {0, 8}}};
    put_goods();
    recovery_change(store_order_cell(3), CELLAR_ORDER_PLACED);
    assert_int_equal(recovery_redo(recovery_record(STORE_ORDER_PLACE, &third, sizeof third)),
                     STORE_APPLIED);
    for (uint32_t slot = 1; slot <= 4; slot++) {
        recovery_change(store_order_cell(slot),
                        slot == 4 ? STORE_STATE_OTHER : CELLAR_ORDER_PLACED);
    }
    recovery_change(store_order_cell(9), STORE_STATE_OTHER);
    return recovery_record(STORE_COMPOSED, &bytes, sizeof bytes);
}

static void check_transaction(void) {
    const cellar_totals *totals = &recovery.store->totals;
    assert_int_equal(totals->orders[CELLAR_ORDER_PLACED], 3);
    assert_int_equal(totals->orders[0], 2);
    assert_int_equal(totals->order_lines, 3);
    assert_int_equal(totals->units_ordered, 5);
    assert_int_equal(totals->revenue, 25);
    assert_int_equal(ATOMIC_LOAD(&recovery.store->stocks[1].reserved, relaxed), 5);
    assert_int_equal(index_count(recovery.store->orders_by_state[CELLAR_ORDER_PLACED]), 3);
}

static void test_parts(void **unused) {
    (void)unused;
    assert_true(apply_short_of_memory(make_transaction, check_transaction) >= 5);
}

/* ---- The id of a transaction alone ---- */

static const struct record_header *make_named(void) {
    static const struct {
        struct payload_composed header;
        struct payload_part part_header;
        struct payload_document change;
    } bytes = {
        .header = {.id = {0, 9}, .slot = 9, .part_count = 1},
        .part_header = {.kind = STORE_STOCK_CHANGE, .bytes = sizeof(struct payload_document)}};
    recovery_change(store_order_cell(9), STORE_STATE_OTHER);
    return recovery_record(STORE_COMPOSED, &bytes, sizeof bytes);
}

static void check_named(void) {
    assert_int_equal(recovery.store->totals.orders[0], 1);
    assert_int_equal(index_count(recovery.store->orders_by_state[STORE_STATE_OTHER]), 1);
}

static void test_a_name(void **unused) {
    (void)unused;
    assert_true(apply_short_of_memory(make_named, check_named) >= 2);
}

/* ---- A step while as many deadlines are kept as there is room for ---- */

static const struct record_header *make_extended(void) {
    const struct payload_step extend = {.id = {0, 1},
                                        .order = 1,
                                        .until_ms = 99,
                                        .event = CELLAR_EVENT_EXTEND,
                                        .from = CELLAR_ORDER_PLACED,
                                        .to = CELLAR_ORDER_PLACED};
    const struct placed_bytes order = placed_of(1);
    put_goods();
    recovery_change(store_order_cell(1), CELLAR_ORDER_PLACED);
    assert_int_equal(recovery_redo(recovery_record(STORE_ORDER_PLACE, &order, sizeof order)),
                     STORE_APPLIED);
    struct deadlines *deadlines = &recovery.store->deadlines;
    while (deadlines->count < deadlines->capacity) {
        deadlines_add(deadlines, 50, 1);
    }
    recovery_change(store_order_cell(1), CELLAR_ORDER_PLACED);
    return recovery_record(STORE_ORDER_STEP, &extend, sizeof extend);
}

static void check_extended(void) {
    const struct deadlines *deadlines = &recovery.store->deadlines;
    assert_int_equal(deadlines->capacity, 2 * (deadlines->count - 1));
}

static void test_deadlines(void **unused) {
    (void)unused;
    assert_int_equal(apply_short_of_memory(make_extended, check_extended), 1);
}

/* ---- A list whose first entries have all gone ---- */

#define KEYS (4 * INDEX_CHUNK_MAX)

/* Without memory they leave places that have nothing, into which a key comes. */
static void test_an_emptied_list(void **unused) {
    struct index *index = index_create(recovery.commit, recovery.memory);
    (void)unused;
    assert_non_null(index);
    for (uint64_t key = 1; key <= KEYS; key++) {
        assert_true(index_insert(index, key, (uint32_t)key));
    }
    memory_fail_after(recovery.memory, 0, 1);
    for (uint64_t key = 1; key < KEYS; key++) {
        assert_true(index_remove(index, key));
    }
    assert_false(index_insert(index, 7, 7));
    memory_fail_after(recovery.memory, -1, 0);
    assert_int_equal(index_count(index), 1);
    assert_true(index_insert(index, 7, 7));
    assert_true(index_contains(index, 7));
    assert_int_equal(index_count(index), 2);
    index_validate(index);
    index_destroy(index);
}

/* ---- A payment to an account that collects ---- */

static const struct record_header *make_payment(void) {
    const struct payload_account account = {.account = 7, .slot = 1, .collecting = 1};
    const struct recovery_entry credit = recovery_entry_of(PAYLOAD_CREDIT, 7, 5);
    recovery_change(store_account_cell(1), 0);
    assert_int_equal(recovery_redo(recovery_record(STORE_ACCOUNT_OPEN, &account, sizeof account)),
                     STORE_APPLIED);
    recovery_change(store_account_cell(1), 0);
    return recovery_record(STORE_ACCOUNT_ENTRY, &credit, sizeof credit);
}

static void check_payment(void) {
    assert_int_equal(recovery.store->totals.credited, 5);
    assert_int_equal(recovery.store->totals.unsettled, 5);
    assert_int_equal(ATOMIC_LOAD(&recovery.store->collected[1].sum, relaxed), 5);
}

static void test_payments(void **unused) {
    (void)unused;
    assert_int_equal(apply_short_of_memory(make_payment, check_payment), 1);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, recovery_set_up, recovery_tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_categories), TEST(test_parts),     TEST(test_payments),
        TEST(test_a_name),     TEST(test_deadlines), TEST(test_an_emptied_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
