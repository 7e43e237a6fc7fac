/* Are the stretches in which a collecting account was paid found by what lies in the past, however
 * many there are, and is a block found that has none yet? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/collected.h"

/* More than the first blocks and one of the largest have together. */
#define STRETCHES 4000
#define FIRST_LSN UINT64_C(4096)

static uint64_t stretch_lsn(uint64_t number) {
    return FIRST_LSN + number * COLLECTED_STRETCH_BYTES;
}

static bool is_past(void *context, uint64_t lsn) {
    return lsn <= *(const uint64_t *)context;
}

static void pay(struct store_collected *collected, struct memory *memory, uint64_t lsn) {
    assert_true(collected_reserve(collected, memory, lsn));
    /* Again, as when memory was short for something else. */
    assert_true(collected_reserve(collected, memory, lsn));
    collected_add(collected, lsn, 3);
}

static void test_many_stretches(void **unused) {
    struct memory *memory = memory_create();
    struct store_collected collected = {.settled = 0};
    uint64_t now = UINT64_MAX;
    (void)unused;
    assert_true(collected_is_sound(&collected));
    assert_int_equal(collected_find(&collected, is_past, &now).first_lsn, 0);
    for (uint64_t i = 0; i < STRETCHES; i++) {
        pay(&collected, memory, stretch_lsn(i));
        pay(&collected, memory, stretch_lsn(i) + COLLECTED_STRETCH_BYTES / 2);
    }
    assert_true(collected_is_sound(&collected));
    for (uint64_t i = 0; i < STRETCHES; i++) {
        for (uint64_t beyond = 0; beyond < 2; beyond++) {
            now = stretch_lsn(i) + beyond * (COLLECTED_STRETCH_BYTES - 1);
            struct collected_view view = collected_find(&collected, is_past, &now);
            assert_int_equal(view.first_lsn, stretch_lsn(i));
            assert_int_equal(view.last_lsn, stretch_lsn(i) + COLLECTED_STRETCH_BYTES / 2);
            assert_int_equal(view.before, 6 * i);
        }
    }
    now = FIRST_LSN - 1;
    assert_int_equal(collected_find(&collected, is_past, &now).first_lsn, 0);
    collected_destroy(&collected, memory);
    memory_destroy(memory);
}

/* Room has been made, and the payment has not been counted yet. */
static void test_room_without_a_payment(void **unused) {
    struct memory *memory = memory_create();
    struct store_collected collected = {.settled = 0};
    uint64_t now = UINT64_MAX;
    (void)unused;
    assert_true(collected_reserve(&collected, memory, FIRST_LSN));
    assert_int_equal(collected_find(&collected, is_past, &now).first_lsn, 0);
    assert_true(collected_is_sound(&collected));
    collected_add(&collected, FIRST_LSN, 3);
    assert_int_equal(collected_find(&collected, is_past, &now).first_lsn, FIRST_LSN);
    collected_destroy(&collected, memory);
    memory_destroy(memory);
}

static void test_no_memory(void **unused) {
    struct memory *memory = memory_create();
    struct store_collected collected = {.settled = 0};
    (void)unused;
    memory_fail_after(memory, 0, 1);
    assert_false(collected_reserve(&collected, memory, FIRST_LSN));
    memory_fail_after(memory, -1, 0);
    pay(&collected, memory, FIRST_LSN);
    assert_int_equal(ATOMIC_LOAD(&collected.sum, relaxed), 3);
    collected_destroy(&collected, memory);
    memory_destroy(memory);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many_stretches),
        cmocka_unit_test(test_room_without_a_payment),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
