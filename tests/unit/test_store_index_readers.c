/* Does a reader find every entry that is there all the while, once, and in falling order, while the
 * writer splits, empties and merges chunks? Is what a slot stands for seen with it, and is nothing
 * read that was given back? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/atomic.h"
#include "base/memory.h"
#include "commit/commit.h"
#include "store/index.h"
#include "support/random.h"

#include <pthread.h>
#include <string.h>

#define READERS 3
/* Multiples of SPAN stay once they are in; the key after each of them never comes in; the others
 * come and go. */
#define SPAN 32
#define SPANS 200
#define SPANS_MAX 4000
#define PAGE_MAX 600
#ifdef __SANITIZE_THREAD__
#define STEPS 400000
#else
#define STEPS 4000000
#endif

static uint64_t seed;
static struct memory *memory;
static struct commit *commit;
static struct index *shared;
/* All multiples of SPAN up to and including this one are in. */
static _Atomic uint64_t newest;
static _Atomic uint32_t writing;
static _Atomic uint64_t failures;
static _Atomic uint64_t pages_read;

/* What a slot stands for: filled in, once, before the first insertion with the slot. A key uses the
 * slots 2 * key and 2 * key + 1. */
static struct {
    bool filled;
    uint64_t key;
} objects[2 * SPAN * (SPANS_MAX + 1)];

static void expect(bool held) {
    if (!held) {
        atomic_fetch_add(&failures, 1);
    }
}

static void insert_object(uint64_t key, uint64_t which) {
    uint32_t slot = (uint32_t)(2 * key + which % 2);

    if (!objects[slot].filled) {
        objects[slot].filled = true;
        objects[slot].key = key;
    }
    expect(index_insert(shared, key, slot));
}

/* One page; `known` is a multiple of SPAN that was in, with all lower ones, before. */
static void read_page(struct random *random, uint64_t known) {
    struct index_entry page[PAGE_MAX];
    uint64_t before = random_below(random, 3) == 0 ? UINT64_MAX : random_below(random, known + 2);
    size_t capacity = 1 + random_below(random, PAGE_MAX);

    commit_enter();
    size_t count = index_page(shared, before, page, capacity);
    for (size_t i = 0; i < count; i++) {
        expect(objects[page[i].slot].key == page[i].key);
    }
    uint64_t key = random_below(random, known / SPAN + 1) * SPAN;
    expect(index_contains(shared, key));
    expect(!index_contains(shared, key + 1));
    commit_leave();

    expect(count <= capacity);
    /* The highest entry that has to be in the page; below it, every SPAN-th key has to be. */
    uint64_t next = known < before ? known : (before - 1) / SPAN * SPAN;
    bool all = before == 0;
    uint64_t last = before;
    for (size_t i = 0; i < count; i++) {
        expect(page[i].key < last);
        expect(page[i].key % SPAN != 1);
        last = page[i].key;
        expect(all || last >= next);
        if (!all && last == next) {
            all = next == 0;
            next -= SPAN;
        }
    }
    expect(count == capacity || all);
    atomic_fetch_add(&pages_read, 1);
}

static void *read_until_written(void *argument) {
    struct random random = {seed + (uint64_t)(intptr_t)argument};

    while (ATOMIC_LOAD(&writing, relaxed) != 0) {
        /* Acquire: pairs with the release in churn(). */
        uint64_t known = ATOMIC_LOAD(&newest, acquire);
        for (int i = 0; i < 20; i++) {
            read_page(&random, known);
        }
    }
    return NULL;
}

/* A span of entries above all others, a little out of order. Returns the new highest key. */
static uint64_t append_span(struct random *random, uint64_t highest) {
    uint64_t disorder = random_below(random, 8);

    for (uint64_t i = 0; i < SPAN; i++) {
        uint64_t key = highest + 1 + (i ^ disorder);
        if (key % SPAN != 1) {
            insert_object(key, random_next(random));
        }
    }
    return highest + SPAN;
}

/* Inserts, removes, or inserts again under another slot what comes and goes in a range. Returns the
 * number of steps. */
static int churn_range(struct random *random, uint64_t first, uint64_t end, uint64_t what) {
    for (uint64_t key = first; key < end; key++) {
        if (key % SPAN < 2) {
            continue;
        }
        bool insert = what < 3 || (index_remove(shared, key) && what == 7);
        if (insert) {
            insert_object(key, random_next(random));
        }
    }
    return (int)(end - first);
}

/* Chunks are split and emptied, and now and then, when all that comes and goes is gone, merged. */
static void churn(struct random *random) {
    uint64_t highest = ATOMIC_LOAD(&newest, relaxed);

    for (int step = 0; step < STEPS;) {
        uint64_t first = random_below(random, highest);
        uint64_t end = first + random_below(random, 60 * SPAN);
        step += churn_range(random, first, end < highest ? end : highest, random_below(random, 8));
        if (random_below(random, 80) == 0) {
            step += churn_range(random, 0, highest, 3);
            index_validate(shared);
        }
        for (int i = 0; i < 4 && highest < SPAN * SPANS_MAX; i++) {
            highest = append_span(random, highest);
            /* Release: pairs with the acquire in read_until_written(). */
            ATOMIC_STORE(&newest, highest, release);
        }
    }
}

static int set_up(void **unused) {
    struct commit_config config = {.ring_bytes = COMMIT_RING_BYTES_MIN};

    (void)unused;
    memory = memory_create();
    config.memory = memory;
    if (memory == NULL || commit_create(&commit, &config) != CELLAR_OK ||
        commit_start(commit, 64) != CELLAR_OK) {
        return -1;
    }
    shared = index_create(commit, memory);
    return shared == NULL;
}

static int tear_down(void **unused) {
    (void)unused;
    index_destroy(shared);
    commit_destroy(commit);
    memory_destroy(memory);
    return 0;
}

static void test_a_b_c_readers_while_the_set_changes(void **unused) {
    struct random random = {seed};
    pthread_t threads[READERS];

    (void)unused;
    memset(objects, 0, sizeof objects);
    atomic_store(&failures, 0);
    atomic_store(&writing, 1);
    for (uint64_t i = 0; i <= SPANS; i++) {
        insert_object(i * SPAN, i);
    }
    atomic_store(&newest, SPANS * SPAN);
    for (intptr_t i = 0; i < READERS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, read_until_written, (void *)i), 0);
    }
    churn(&random);
    ATOMIC_STORE(&writing, 0, relaxed);
    for (int i = 0; i < READERS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    index_validate(shared);
    printf("# %llu pages read\n", (unsigned long long)atomic_load(&pages_read));
    assert_int_equal(atomic_load(&failures), 0);
    assert_true(atomic_load(&pages_read) > 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_b_c_readers_while_the_set_changes, set_up,
                                        tear_down),
    };

    seed = random_seed_of_run();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
