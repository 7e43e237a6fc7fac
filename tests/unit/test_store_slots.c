/* Is a slot held by one taker at a time, and is every slot up to the limit handed out and handed
 * out again? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/slots.h"

#include "base/atomic.h"
#include "support/random.h"

#include <pthread.h>
#include <string.h>

#define LIMIT 100

static struct memory *memory;
static struct slots slots;

static int set_up(void **unused) {
    (void)unused;
    memory = memory_create();
    assert_non_null(memory);
    memset(&slots, 0, sizeof slots);
    assert_true(slots_create(&slots, memory, MEMORY_ORDERS, LIMIT, 40));
    return 0;
}

static int tear_down(void **unused) {
    (void)unused;
    slots_destroy(&slots);
    assert_int_equal(memory_used(memory, MEMORY_ORDERS), 0);
    memory_destroy(memory);
    return 0;
}

static void test_A_each_once_up_to_the_limit(void **unused) {
    (void)unused;
    assert_int_equal(slots_end(&slots), 1);
    for (uint32_t slot = 1; slot <= LIMIT; slot++) {
        assert_int_equal(slots_take(&slots), slot);
        assert_int_equal(slots_end(&slots), slot + 1);
        assert_int_equal(memory_used(memory, MEMORY_ORDERS), 40 * slot);
    }
    assert_int_equal(slots_take(&slots), 0);
    assert_int_equal(slots_take(&slots), 0);
    assert_int_equal(slots_end(&slots), LIMIT + 1);
}

static void test_A_given_back_and_taken_again(void **unused) {
    bool held[LIMIT + 1] = {false};
    struct random random = {.state = 7};
    uint32_t count = 0;
    (void)unused;
    for (int i = 0; i < 20000; i++) {
        uint32_t slot = 1 + (uint32_t)random_below(&random, LIMIT);
        if (held[slot]) {
            slots_give(&slots, slot);
            held[slot] = false;
            count--;
        } else {
            slot = slots_take(&slots);
            assert_int_equal(slot == 0, count == LIMIT);
            if (slot != 0) {
                assert_false(held[slot]);
                held[slot] = true;
                count++;
            }
        }
        assert_true(slots_end(&slots) <= LIMIT + 1);
    }
}

static void test_raise(void **unused) {
    (void)unused;
    assert_false(slots_raise(&slots, 0));
    assert_false(slots_raise(&slots, LIMIT + 1));
    assert_false(slots_raise(&slots, UINT32_MAX));
    assert_int_equal(slots_end(&slots), 1);
    assert_true(slots_raise(&slots, 5));
    assert_int_equal(slots_end(&slots), 6);
    assert_int_equal(memory_used(memory, MEMORY_ORDERS), 5 * 40);
    assert_true(slots_raise(&slots, 3));
    assert_int_equal(slots_end(&slots), 6);
    assert_int_equal(slots_take(&slots), 6);
    assert_true(slots_raise(&slots, LIMIT));
    assert_int_equal(slots_take(&slots), 0);
}

/* After a recovery the list of free slots is made anew. */
static void test_forget_free(void **unused) {
    (void)unused;
    assert_true(slots_raise(&slots, 9));
    slots_give(&slots, 4);
    slots_give(&slots, 5);
    slots_forget_free(&slots);
    slots_give(&slots, 5);
    slots_give(&slots, 7);
    uint32_t first = slots_take(&slots);
    uint32_t second = slots_take(&slots);
    assert_int_equal(first + second, 12);
    assert_true(first == 5 || first == 7);
    assert_int_equal(slots_take(&slots), 10);
}

static void test_no_address_space(void **unused) {
    struct slots failing;
    (void)unused;
    memset(&failing, 0, sizeof failing);
    memory_fail_after(NULL, 0, 0);
    assert_false(slots_create(&failing, memory, MEMORY_ORDERS, LIMIT, 40));
    memory_fail_after(NULL, -1, 0);
    slots_destroy(&failing);
}

/* ---- Threads ---- */

#define THREADS 4
#define ROUNDS 20000
#define HELD_MAX 20

static _Atomic uint32_t holders[LIMIT + 1];
static _Atomic uint32_t broken;

static void *churn(void *argument) {
    struct random random = {.state = (uint64_t)(uintptr_t)argument};
    uint32_t mine[HELD_MAX] = {0};
    uint32_t count = 0;
    for (int i = 0; i < ROUNDS; i++) {
        if (count < HELD_MAX && (count == 0 || random_below(&random, 2) == 0)) {
            uint32_t slot = slots_take(&slots);
            /* 4 x 20 are held at most, of 100. */
            if (slot == 0 || slot > LIMIT || atomic_exchange(&holders[slot], 1) != 0) {
                atomic_store(&broken, 1);
                return NULL;
            }
            mine[count++] = slot;
        } else {
            uint32_t slot = mine[--count];
            if (atomic_exchange(&holders[slot], 0) != 1) {
                atomic_store(&broken, 1);
            }
            slots_give(&slots, slot);
        }
    }
    while (count > 0) {
        uint32_t slot = mine[--count];
        atomic_store(&holders[slot], 0);
        slots_give(&slots, slot);
    }
    return NULL;
}

static void test_A_threads(void **unused) {
    pthread_t threads[THREADS];
    (void)unused;
    memset(holders, 0, sizeof holders);
    atomic_store(&broken, 0);
    for (uintptr_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, churn, (void *)(i + 1)), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_int_equal(atomic_load(&broken), 0);
    /* None is lost: all can be taken once more. */
    for (int i = 0; i < LIMIT; i++) {
        assert_int_not_equal(slots_take(&slots), 0);
    }
    assert_int_equal(slots_take(&slots), 0);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_A_each_once_up_to_the_limit),
        TEST(test_A_given_back_and_taken_again),
        TEST(test_raise),
        TEST(test_forget_free),
        TEST(test_no_address_space),
        TEST(test_A_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
