/* Is a node found from the moment its addition returned until its removal, while the table grows
 * and others add, remove and destroy? Does exactly one of several equal keys get in, and exactly
 * one thread take a node out? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/atomic.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/memory.h"
#include "commit/commit.h"
#include "store/table.h"
#include "support/random.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#define THREADS 4
#define MANY 1000000
/* Of these, every thread tries to add and to remove each. */
#define CONTENDED 20000
#define GROWN 400000
#define REUSED 64
#define REUSES_PER_THREAD 200
#define ROUNDS 200
#define POISON UINT64_C(0xdeaddeaddeaddead)

struct item {
    struct table_node node;
    uint64_t key;
    uint64_t check; /* ~key while the item is in a table */
};

static uint64_t seed;
static struct memory *memory;
static struct table *table;
static struct item *items;
/* What threads find wrong; asserted by the main thread. */
static _Atomic uint64_t failures;

static uint64_t hash_of(uint64_t key) {
    return hash_seeded(seed, &key, sizeof key);
}

static bool match_item(const struct table_node *node, const void *key) {
    return ((const struct item *)node)->key == *(const uint64_t *)key;
}

static struct item *find(uint64_t key) {
    return (struct item *)table_find(table, hash_of(key), &key);
}

static struct item *add(struct item *item, uint64_t key) {
    item->key = key;
    item->check = ~key;
    return (struct item *)table_add(table, hash_of(key), &key, &item->node);
}

static int set_up(void **unused) {
    (void)unused;
    memory = memory_create();
    items = memory_allocate_zeroed(memory, MEMORY_SCRATCH, MANY * sizeof *items);
    table = table_create(MANY, match_item);
    atomic_store(&failures, 0);
    return items == NULL || table == NULL;
}

static int tear_down(void **unused) {
    (void)unused;
    table_destroy(table);
    memory_release(memory, MEMORY_SCRATCH, items, MANY * sizeof *items);
    memory_destroy(memory);
    return 0;
}

static void run_threads(void *(*function)(void *)) {
    pthread_t threads[THREADS];

    for (intptr_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, function, (void *)i), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_int_equal(atomic_load(&failures), 0);
}

static void expect(bool held) {
    if (!held) {
        atomic_fetch_add(&failures, 1);
    }
}

static void test_find_add_remove(void **unused) {
    struct item *first = &items[0];
    struct item *second = &items[1];

    (void)unused;
    commit_enter();
    assert_null(find(7));
    assert_ptr_equal(add(first, 7), first);
    assert_ptr_equal(find(7), first);
    assert_ptr_equal(add(second, 7), first);
    assert_ptr_equal(find(7), first);
    assert_null(find(8));
    assert_ptr_equal(add(second, 8), second);
    assert_true(table_remove(table, &first->node));
    assert_false(table_remove(table, &first->node));
    assert_null(find(7));
    assert_ptr_equal(find(8), second);
    commit_leave();

    commit_grace_period();
    commit_enter();
    assert_ptr_equal(add(first, 7), first);
    assert_ptr_equal(find(7), first);
    commit_leave();
}

struct text {
    struct table_node node;
    size_t bytes;
    char text[8];
};

static bool match_text(const struct table_node *node, const void *key) {
    const struct text *left = (const struct text *)node;
    const struct text *right = key;

    return left->bytes == right->bytes && memcmp(left->text, right->text, left->bytes) == 0;
}

/* The hash decides nothing: here it is the same for all. */
static void test_keys_are_byte_exact(void **unused) {
    static struct text texts[] = {
        {.bytes = 0, .text = ""},     {.bytes = 1, .text = "\0"},    {.bytes = 2, .text = "\0"},
        {.bytes = 3, .text = "abc"},  {.bytes = 3, .text = "ABC"},   {.bytes = 3, .text = "aBc"},
        {.bytes = 4, .text = "abc"},  {.bytes = 5, .text = "abc d"}, {.bytes = 4, .text = "abc\r"},
        {.bytes = 2, .text = "\xc3"},
    };
    const size_t count = sizeof texts / sizeof texts[0];
    struct table *exact = table_create(16, match_text);

    (void)unused;
    assert_non_null(exact);
    commit_enter();
    for (size_t i = 0; i < count; i++) {
        assert_null(table_find(exact, 5, &texts[i]));
        assert_ptr_equal(table_add(exact, 5, &texts[i], &texts[i].node), &texts[i].node);
    }
    for (size_t i = 0; i < count; i++) {
        struct text again = texts[i];
        assert_ptr_equal(table_find(exact, 5, &again), &texts[i].node);
        assert_ptr_equal(table_add(exact, 5, &again, &again.node), &texts[i].node);
        assert_null(table_find(exact, 6, &again));
    }
    for (size_t i = 0; i < count; i += 2) {
        assert_true(table_remove(exact, &texts[i].node));
    }
    for (size_t i = 0; i < count; i++) {
        assert_ptr_equal(table_find(exact, 5, &texts[i]), i % 2 == 0 ? NULL : &texts[i].node);
    }
    commit_leave();
    table_destroy(exact);
}

/* The thread that grows tables has ten seconds to catch up. */
static void assert_grown(const struct table *growing, uint64_t nodes) {
    const int64_t deadline_ns = clock_monotonic_ns() + 10 * NANOSECONDS_PER_SECOND;

    while (4 * table_buckets(growing) < nodes && clock_monotonic_ns() < deadline_ns) {
        sched_yield();
    }
    assert_true(4 * table_buckets(growing) >= nodes);
    assert_true(table_buckets(growing) <= 8 * nodes + 256);
}

static void test_a_growth_to_a_million(void **unused) {
    (void)unused;
    for (uint64_t key = 0; key < MANY; key++) {
        commit_enter();
        assert_ptr_equal(add(&items[key], key), &items[key]);
        commit_leave();
    }
    assert_grown(table, MANY);
    for (uint64_t key = 0; key < MANY; key++) {
        commit_enter();
        assert_ptr_equal(find(key), &items[key]);
        assert_null(find(key + MANY));
        commit_leave();
    }
    for (uint64_t key = 0; key < MANY; key++) {
        commit_enter();
        assert_true(key % 16 == 0 || table_remove(table, &items[key].node));
        commit_leave();
    }
    for (uint64_t key = 0; key < MANY; key++) {
        commit_enter();
        assert_ptr_equal(find(key), key % 16 == 0 ? &items[key] : NULL);
        commit_leave();
    }
}

/* No growth is lost, however short it is, and none goes on when the table is destroyed. */
static void test_every_table_grows(void **unused) {
    (void)unused;
    for (uint64_t round = 0; round < ROUNDS; round++) {
        const uint64_t count = 1000 + 10 * round;
        struct table *growing = table_create(2 * count, match_item);
        assert_non_null(growing);
        for (uint64_t i = 0; i < count; i++) {
            uint64_t key = round * MANY + i;
            items[i].key = key;
            commit_enter();
            assert_ptr_equal(table_add(growing, hash_of(key), &key, &items[i].node),
                             &items[i].node);
            commit_leave();
        }
        if (round % 2 == 0) {
            assert_grown(growing, count);
        }
        table_destroy(growing);
    }
}

static _Atomic uint64_t grown; /* keys below have been added */

static void *grow_or_find(void *argument) {
    uint64_t number = (uint64_t)(intptr_t)argument;
    struct random random = {seed + number};

    for (uint64_t key = 0; number == 0 && key < GROWN; key++) {
        commit_enter();
        expect(add(&items[key], key) == &items[key]);
        commit_leave();
        ATOMIC_STORE(&grown, key + 1, relaxed);
    }
    for (uint64_t known = 0; number > 0 && known < GROWN;) {
        /* Relaxed on both sides: that the items are seen as they were added is for the table. */
        known = ATOMIC_LOAD(&grown, relaxed);
        commit_enter();
        for (int i = 0; i < 16 && known > 0; i++) {
            uint64_t key = random_below(&random, known);
            const struct item *item = find(key);
            expect(item == &items[key] && item->check == ~key);
            expect(find(key + GROWN) == NULL);
        }
        commit_leave();
    }
    return NULL;
}

static void test_a_found_while_growing(void **unused) {
    (void)unused;
    atomic_store(&grown, 0);
    run_threads(grow_or_find);
}

static _Atomic uint32_t taken[CONTENDED];

/* Each thread has an item of its own for each key; even threads go up, odd ones down. */
static void *add_contended(void *argument) {
    uint64_t number = (uint64_t)(intptr_t)argument;

    for (uint64_t i = 0; i < CONTENDED; i++) {
        uint64_t key = number % 2 == 0 ? i : CONTENDED - 1 - i;
        struct item *own = &items[key * THREADS + number];
        commit_enter();
        const struct item *in = add(own, key);
        expect(in->key == key && in->check == ~key);
        expect(find(key) == in);
        commit_leave();
        if (in == own) {
            atomic_fetch_add(&taken[key], 1);
        }
    }
    return NULL;
}

static void *remove_contended(void *argument) {
    uint64_t number = (uint64_t)(intptr_t)argument;

    for (uint64_t i = 0; i < CONTENDED; i++) {
        uint64_t key = number % 2 == 0 ? i : CONTENDED - 1 - i;
        commit_enter();
        struct item *in = find(key);
        if (in != NULL && table_remove(table, &in->node)) {
            atomic_fetch_add(&taken[key], 1);
        }
        expect(find(key) == NULL);
        commit_leave();
    }
    return NULL;
}

static void test_b_one_of_equal_keys_gets_in_and_one_thread_takes_it_out(void **unused) {
    (void)unused;
    memset(taken, 0, sizeof taken);
    run_threads(add_contended);
    for (uint64_t key = 0; key < CONTENDED; key++) {
        assert_int_equal(atomic_load(&taken[key]), 1);
    }
    run_threads(remove_contended);
    for (uint64_t key = 0; key < CONTENDED; key++) {
        assert_int_equal(atomic_load(&taken[key]), 2);
    }
}

static _Atomic uint32_t reusing;

/* Half of the threads take nodes out and put them in again, under another key, after a grace
 * period; the others look at what they find for as long as their section lasts. */
static void *reuse_or_look(void *argument) {
    uint64_t number = (uint64_t)(intptr_t)argument;
    struct random random = {seed + number};

    for (int i = 0; number % 2 == 0 && i < REUSES_PER_THREAD; i++) {
        struct item *item = &items[number * REUSED + random_below(&random, REUSED)];
        uint64_t key = item->key;
        commit_enter();
        expect(table_remove(table, &item->node));
        commit_leave();
        commit_grace_period();
        item->key = item->check = POISON;
        commit_enter();
        expect(add(item, key ^ 1) == item);
        commit_leave();
    }
    if (number % 2 == 0) {
        atomic_fetch_sub(&reusing, 1);
    }
    while (number % 2 == 1 && atomic_load(&reusing) > 0) {
        uint64_t key = random_below(&random, UINT64_C(2) * THREADS * REUSED);
        commit_enter();
        const struct item *item = find(key);
        for (int i = 0; i < 16 && item != NULL; i++) {
            expect(item->key == key && item->check == ~key);
            expect(find(random_next(&random) | 1 << 20) == NULL);
        }
        commit_leave();
    }
    return NULL;
}

static void test_c_what_is_found_stays_until_the_section_ends(void **unused) {
    (void)unused;
    commit_enter();
    for (uint64_t i = 0; i < (uint64_t)THREADS * REUSED; i++) {
        assert_ptr_equal(add(&items[i], 2 * i), &items[i]);
    }
    commit_leave();
    atomic_store(&reusing, THREADS / 2);
    run_threads(reuse_or_look);
}

/* The nodes' memory goes at once after the table. */
static void test_destroy_forgets_nodes(void **unused) {
    static const size_t counts[] = {0, 1, 2, 1023, 1024, 1025, 2048, 100000};

    (void)unused;
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        struct table *doomed = table_create(counts[i], match_item);
        struct item *own = memory_allocate(memory, MEMORY_SCRATCH, counts[i] * sizeof *own);
        assert_non_null(doomed);
        assert_non_null(own);
        for (uint64_t key = 0; key < counts[i]; key++) {
            own[key].key = key;
            commit_enter();
            /* In chains of equal hashes, too. */
            struct table_node *in = table_add(doomed, hash_of(key / 4), &key, &own[key].node);
            assert_ptr_equal(in, &own[key].node);
            commit_leave();
        }
        table_destroy(doomed);
        memset(own, 0xff, counts[i] * sizeof *own);
        memory_release(memory, MEMORY_SCRATCH, own, counts[i] * sizeof *own);
    }
}

static void test_any_size_can_be_asked_for(void **unused) {
    static const uint64_t sizes[] = {0, 1, 255, 256, 257, UINT64_C(1) << 26, UINT64_MAX};

    (void)unused;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct table *sized = table_create(sizes[i], match_item);
        uint64_t key = 1;
        assert_non_null(sized);
        commit_enter();
        items[0].key = key;
        assert_ptr_equal(table_add(sized, 1, &key, &items[0].node), &items[0].node);
        assert_ptr_equal(table_find(sized, 1, &key), &items[0].node);
        commit_leave();
        table_destroy(sized);
    }
}

static void test_no_memory_no_table(void **unused) {
    (void)unused;
    memory_fail_after(NULL, 0, 1);
    struct table *none = table_create(16, match_item);
    memory_fail_after(NULL, -1, 0);
    assert_null(none);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_find_add_remove, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_keys_are_byte_exact, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_growth_to_a_million, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_every_table_grows, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_found_while_growing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            test_b_one_of_equal_keys_gets_in_and_one_thread_takes_it_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_c_what_is_found_stays_until_the_section_ends, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_destroy_forgets_nodes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_any_size_can_be_asked_for, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_memory_no_table, set_up, tear_down),
    };

    seed = random_seed_of_run();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
