/* Is an object found from the moment its addition returned until its removal, whatever is added to
 * and removed from its chain meanwhile? Does exactly one of several equal keys get in? Does an
 * object that was found stay what it is until the section ends? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/atomic.h"
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
#ifdef __SANITIZE_THREAD__
#define SLOT_MAX 200000
#else
#define SLOT_MAX 1000000
#endif
/* Of these, every thread tries to add each. */
#define CONTENDED 20000
#define ADDED (SLOT_MAX / 2)

struct item {
    struct table_link link;
    uint64_t key;
    uint64_t check; /* ~key while the item is in a table */
};

static uint64_t seed;
static struct memory *memory;
static struct table table;
static struct item *items; /* by slot */
/* What threads find wrong; asserted by the main thread. */
static _Atomic uint64_t failures;

static uint64_t hash_of(uint64_t key) {
    return hash_seeded(seed, &key, sizeof key);
}

static bool match_item(const void *object, const void *key) {
    return ((const struct item *)object)->key == *(const uint64_t *)key;
}

static uint32_t find(uint64_t key) {
    return table_find(&table, hash_of(key), &key);
}

static uint32_t add(uint32_t slot, uint64_t key) {
    items[slot].key = key;
    items[slot].check = ~key;
    return table_add(&table, hash_of(key), &key, slot);
}

static void take_out(uint32_t slot) {
    table_remove(&table, hash_of(items[slot].key), slot);
}

static int set_up(void **unused) {
    (void)unused;
    memory = memory_create();
    items = memory_allocate_zeroed(memory, MEMORY_SCRATCH, (SLOT_MAX + 1) * sizeof *items);
    atomic_store(&failures, 0);
    return items == NULL ||
           !table_create(&table, memory, items, sizeof *items, SLOT_MAX, match_item);
}

static int tear_down(void **unused) {
    (void)unused;
    table_destroy(&table);
    assert_int_equal(memory_used(memory, MEMORY_TABLES), 0);
    memory_release(memory, MEMORY_SCRATCH, items, (SLOT_MAX + 1) * sizeof *items);
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

/* ---- One thread ---- */

static void test_find_add_remove(void **unused) {
    (void)unused;
    commit_enter();
    assert_int_equal(find(7), 0);
    assert_int_equal(add(1, 7), 1);
    assert_int_equal(find(7), 1);
    assert_int_equal(add(SLOT_MAX, 7), 1);
    assert_int_equal(find(7), 1);
    assert_int_equal(find(8), 0);
    assert_int_equal(add(SLOT_MAX, 8), SLOT_MAX);
    take_out(1);
    assert_int_equal(find(7), 0);
    assert_int_equal(find(8), SLOT_MAX);
    commit_leave();

    commit_grace_period();
    commit_enter();
    assert_int_equal(add(1, 7), 1);
    assert_int_equal(find(7), 1);
    assert_int_equal(find(8), SLOT_MAX);
    commit_leave();
}

struct text {
    struct table_link link;
    size_t bytes;
    char text[8];
};

static bool match_text(const void *object, const void *key) {
    const struct text *left = object;
    const struct text *right = key;

    return left->bytes == right->bytes && memcmp(left->text, right->text, left->bytes) == 0;
}

/* The hash decides nothing: here it is the same for all, or differs in the part that is not the
 * chain. */
static void test_keys_are_byte_exact(void **unused) {
    static struct text texts[] = {
        {.bytes = 0},
        {.bytes = 0, .text = ""},
        {.bytes = 1, .text = "\0"},
        {.bytes = 2, .text = "\0"},
        {.bytes = 3, .text = "abc"},
        {.bytes = 3, .text = "ABC"},
        {.bytes = 3, .text = "aBc"},
        {.bytes = 4, .text = "abc"},
        {.bytes = 5, .text = "abc d"},
        {.bytes = 4, .text = "abc\r"},
        {.bytes = 2, .text = "\xc3"},
    };
    const uint32_t slot_max = sizeof texts / sizeof texts[0] - 1;
    const uint64_t other_tag = UINT64_C(1) << 63;
    struct table exact;

    (void)unused;
    assert_true(table_create(&exact, memory, texts, sizeof texts[0], slot_max, match_text));
    commit_enter();
    for (uint32_t slot = 1; slot <= slot_max; slot++) {
        assert_int_equal(table_find(&exact, 5, &texts[slot]), 0);
        assert_int_equal(table_add(&exact, 5, &texts[slot], slot), slot);
    }
    for (uint32_t slot = 1; slot <= slot_max; slot++) {
        struct text again = texts[slot];
        assert_int_equal(table_find(&exact, 5, &again), slot);
        assert_int_equal(table_find(&exact, 5 | other_tag, &again), 0);
        assert_int_equal(table_find(&exact, 6, &again), 0);
    }
    for (uint32_t slot = 1; slot <= slot_max; slot += 2) {
        table_remove(&exact, 5, slot);
    }
    for (uint32_t slot = 1; slot <= slot_max; slot++) {
        assert_int_equal(table_find(&exact, 5, &texts[slot]), slot % 2 == 1 ? 0 : slot);
    }
    commit_leave();
    table_destroy(&exact);
}

/* Every order of removal from a chain of four. */
static void test_removal_from_every_place_of_a_chain(void **unused) {
    (void)unused;
    for (uint32_t order = 0; order < 4 * 4 * 4 * 4; order++) {
        const uint32_t places[4] = {order & 3, order >> 2 & 3, order >> 4 & 3, order >> 6};
        bool in[4] = {true, true, true, true};
        bool repeated = false;

        commit_enter();
        for (uint32_t i = 0; i < 4; i++) {
            uint64_t key = items[i + 1].key = i;
            assert_int_equal(table_add(&table, 9, &key, i + 1), i + 1);
        }
        for (uint32_t step = 0; step < 4; step++) {
            repeated = repeated || !in[places[step]];
            if (!repeated) {
                table_remove(&table, 9, places[step] + 1);
                in[places[step]] = false;
            }
            for (uint64_t key = 0; key < 4; key++) {
                assert_int_equal(table_find(&table, 9, &key), in[key] ? key + 1 : 0);
            }
        }
        for (uint32_t i = 0; i < 4; i++) {
            if (in[i]) {
                table_remove(&table, 9, i + 1);
            }
        }
        commit_leave();
    }
}

static void test_a_as_many_as_there_are_slots(void **unused) {
    (void)unused;
    for (uint32_t slot = 1; slot <= SLOT_MAX; slot++) {
        commit_enter();
        assert_int_equal(add(slot, slot), slot);
        commit_leave();
    }
    for (uint32_t slot = 1; slot <= SLOT_MAX; slot++) {
        commit_enter();
        assert_int_equal(find(slot), slot);
        assert_int_equal(find(slot + SLOT_MAX), 0);
        commit_leave();
    }
    for (uint32_t slot = 1; slot <= SLOT_MAX; slot++) {
        commit_enter();
        if (slot % 16 != 0) {
            take_out(slot);
        }
        commit_leave();
    }
    for (uint32_t slot = 1; slot <= SLOT_MAX; slot++) {
        commit_enter();
        assert_int_equal(find(slot), slot % 16 == 0 ? slot : 0);
        commit_leave();
    }
}

/* A slot beyond the configured number makes chains longer, no more. */
static void test_any_number_of_slots(void **unused) {
    static const uint32_t numbers[] = {1, 2, 1023, 1024, 4096, 4097, UINT32_C(1) << 26};

    (void)unused;
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        struct table sized;
        uint64_t key = 5;
        assert_true(table_create(&sized, memory, items, sizeof *items, numbers[i], match_item));
        commit_enter();
        items[1].key = key;
        assert_int_equal(table_add(&sized, UINT64_MAX, &key, 1), 1);
        assert_int_equal(table_find(&sized, UINT64_MAX, &key), 1);
        assert_int_equal(table_find(&sized, UINT64_MAX / 2, &key), 0);
        commit_leave();
        table_destroy(&sized);
    }
}

static void test_no_memory_no_table(void **unused) {
    struct table none;

    (void)unused;
    int64_t used = memory_used(memory, MEMORY_TABLES);
    memory_fail_after(NULL, 0, 1);
    bool created = table_create(&none, memory, items, sizeof *items, SLOT_MAX, match_item);
    memory_fail_after(NULL, -1, 0);
    assert_false(created);
    assert_int_equal(memory_used(memory, MEMORY_TABLES), used);
    /* Whoever did not get it may still destroy it. */
    table_destroy(&none);
}

/* ---- Several threads ---- */

static _Atomic uint32_t added; /* slots up to this one are in, under their own number as the key */

static void *add_or_find(void *argument) {
    uint64_t number = (uint64_t)(intptr_t)argument;
    struct random random = {seed + number};

    for (uint32_t slot = 1; number == 0 && slot <= ADDED; slot++) {
        commit_enter();
        expect(add(slot, slot) == slot);
        commit_leave();
        ATOMIC_STORE(&added, slot, relaxed);
    }
    for (uint32_t known = 0; number > 0 && known < ADDED;) {
        /* Relaxed on both sides: that items are seen as they were added is for the table. */
        known = ATOMIC_LOAD(&added, relaxed);
        commit_enter();
        for (int i = 0; i < 16 && known > 0; i++) {
            uint32_t key = 1 + (uint32_t)random_below(&random, known);
            expect(find(key) == key);
            expect(items[key].check == ~(uint64_t)key);
            expect(find(key + ADDED) == 0);
        }
        commit_leave();
    }
    return NULL;
}

static void test_a_found_as_soon_as_added(void **unused) {
    (void)unused;
    atomic_store(&added, 0);
    run_threads(add_or_find);
}

static _Atomic uint32_t got_in[CONTENDED];

/* Each thread has a slot of its own for each key; even threads go up, odd ones down. */
static void *add_contended(void *argument) {
    uint32_t number = (uint32_t)(intptr_t)argument;

    for (uint32_t i = 0; i < CONTENDED; i++) {
        uint32_t key = number % 2 == 0 ? i : CONTENDED - 1 - i;
        uint32_t own = 1 + key * THREADS + number;
        commit_enter();
        uint32_t in = add(own, key);
        expect(items[in].key == key && items[in].check == ~(uint64_t)key);
        expect(find(key) == in);
        commit_leave();
        if (in == own) {
            atomic_fetch_add(&got_in[key], 1);
        }
    }
    return NULL;
}

static void test_b_one_of_equal_keys_gets_in(void **unused) {
    (void)unused;
    memset(got_in, 0, sizeof got_in);
    run_threads(add_contended);
    for (uint32_t key = 0; key < CONTENDED; key++) {
        assert_int_equal(atomic_load(&got_in[key]), 1);
    }
}

/* Three chains. Slots up to STAYING stay in; the others belong to one adding thread each and come
 * and go. */
#define CHAINS 3
#define STAYING 30
#define CHANGING 256
#ifdef __SANITIZE_THREAD__
#define REMOVALS 10000
#else
#define REMOVALS 40000
#endif
#define REMOVALS_PER_GRACE_PERIOD 128

enum place {
    OUT,
    IN,
    LEAVING
};
static _Atomic uint32_t places[1 + STAYING + 2 * CHANGING];
static _Atomic uint32_t latest[2]; /* slot that each adding thread has used last */
static _Atomic uint32_t removing;

static uint64_t chain_hash(uint64_t key) {
    return key % CHAINS | (key / 2) << 32;
}

static uint32_t chain_find(uint64_t key) {
    return table_find(&table, chain_hash(key), &key);
}

/* A slot of the thread's, with one of two keys. */
static void chain_add(struct random *random, uint32_t number) {
    uint32_t slot = 1 + STAYING + number * CHANGING + (uint32_t)random_below(random, CHANGING);
    uint64_t key = 2 * slot + random_below(random, 2);

    /* Acquire: pairs with the release in chain_remove(). */
    if (ATOMIC_LOAD(&places[slot], acquire) != OUT) {
        sched_yield();
    } else {
        commit_enter();
        items[slot].key = key;
        items[slot].check = ~key;
        expect(table_add(&table, chain_hash(key), &key, slot) == slot);
        commit_leave();
        /* Release: pairs with the acquire in chain_remove(). */
        ATOMIC_STORE(&places[slot], IN, release);
        ATOMIC_STORE(&latest[number], slot, relaxed);
    }
}

/* Takes some out, and after a grace period overwrites them. */
static uint32_t chain_remove(struct random *random) {
    uint32_t removed[REMOVALS_PER_GRACE_PERIOD];
    uint32_t count = 0;

    for (int i = 0; i < REMOVALS_PER_GRACE_PERIOD; i++) {
        uint32_t slot = 1 + STAYING + (uint32_t)random_below(random, UINT64_C(2) * CHANGING);
        /* At the head of its chain, as likely as not, where the other threads add. */
        if (i % 4 != 0) {
            slot = ATOMIC_LOAD(&latest[i % 2], relaxed);
        }
        /* Acquire: pairs with the release in chain_add(). */
        if (ATOMIC_LOAD(&places[slot], acquire) == IN) {
            uint64_t key = items[slot].key;
            commit_enter();
            table_remove(&table, chain_hash(key), slot);
            expect(chain_find(key) == 0);
            commit_leave();
            ATOMIC_STORE(&places[slot], LEAVING, relaxed);
            removed[count++] = slot;
        }
    }
    commit_grace_period();
    for (uint32_t i = 0; i < count; i++) {
        memset(&items[removed[i]], 0xff, sizeof items[0]);
        /* Release: pairs with the acquire in chain_add(). */
        ATOMIC_STORE(&places[removed[i]], OUT, release);
    }
    return count;
}

static void chain_look(struct random *random) {
    uint32_t staying = 1 + (uint32_t)random_below(random, STAYING);
    uint64_t key = 2 * (1 + random_below(random, UINT64_C(1) + STAYING + 2 * CHANGING));

    key += random_below(random, 2);
    commit_enter();
    uint32_t slot = chain_find(key);
    for (int i = 0; i < 8; i++) {
        expect(chain_find(UINT64_C(2) * staying) == staying);
        expect(slot == 0 || (items[slot].key == key && items[slot].check == ~key));
    }
    commit_leave();
}

/* Two threads add, one removes, one only looks. */
static void *change_chains(void *argument) {
    uint32_t number = (uint32_t)(intptr_t)argument;
    struct random random = {seed + number};

    for (uint32_t removed = 0; number == 3 && removed < REMOVALS;) {
        removed += chain_remove(&random);
    }
    if (number == 3) {
        ATOMIC_STORE(&removing, 0, relaxed);
    }
    while (number < 3 && ATOMIC_LOAD(&removing, relaxed) != 0) {
        if (number < 2) {
            chain_add(&random, number);
        } else {
            chain_look(&random);
        }
    }
    return NULL;
}

static void test_a_c_chains_change_around_what_stays(void **unused) {
    (void)unused;
    memset(places, 0, sizeof places);
    atomic_store(&latest[0], 1);
    atomic_store(&latest[1], 1);
    atomic_store(&removing, 1);
    commit_enter();
    for (uint32_t slot = 1; slot <= STAYING; slot++) {
        uint64_t key = UINT64_C(2) * slot;
        items[slot].key = key;
        items[slot].check = ~key;
        assert_int_equal(table_add(&table, chain_hash(key), &key, slot), slot);
    }
    commit_leave();
    run_threads(change_chains);
    /* What is in is what was added and not removed. */
    commit_enter();
    for (uint32_t slot = 1 + STAYING; slot < 1 + STAYING + 2 * CHANGING; slot++) {
        bool in = atomic_load(&places[slot]) == IN;
        uint64_t key = items[slot].key;
        assert_int_equal(chain_find(UINT64_C(2) * slot), in && key % 2 == 0 ? slot : 0);
        assert_int_equal(chain_find(UINT64_C(2) * slot + 1), in && key % 2 == 1 ? slot : 0);
    }
    commit_leave();
}

int main(void) {
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_find_add_remove),
        TEST(test_keys_are_byte_exact),
        TEST(test_removal_from_every_place_of_a_chain),
        TEST(test_a_as_many_as_there_are_slots),
        TEST(test_any_number_of_slots),
        TEST(test_no_memory_no_table),
        TEST(test_a_found_as_soon_as_added),
        TEST(test_b_one_of_equal_keys_gets_in),
        TEST(test_a_c_chains_change_around_what_stays),
    };

    seed = random_seed_of_run();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
