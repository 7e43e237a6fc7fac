/* Does a page hold exactly the entries of the set, in falling order, whatever was inserted, removed
 * and inserted again? Does a failed allocation leave the set as it was, and does every byte come
 * back? (Readers beside the writer: test_store_index_readers.c.) */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/memory.h"
#include "commit/commit.h"
#include "store/index.h"
#include "support/random.h"

#include <string.h>

#define MODEL_MAX 20000
#ifdef __SANITIZE_THREAD__
#define STEPS 10000 /* these tests have one thread */
#else
#define STEPS 60000
#endif

/* Of a chunk of the full size. */
#define CHUNK_BYTES (64 + INDEX_CHUNK_MAX * 12)

static uint64_t seed;
static struct memory *memory;
static struct commit *commit;
/* What stays in use whatever the index does. */
static int64_t bytes_before;

/* ---- The model: a sorted array ---- */

struct model {
    size_t count;
    struct index_entry entries[MODEL_MAX];
};

static struct model model;

/* The position of the lowest key that is not below the limit. */
static size_t model_below(uint64_t limit) {
    size_t low = 0;
    size_t high = model.count;

    while (low < high) {
        size_t middle = (low + high) / 2;
        if (model.entries[middle].key < limit) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static bool model_has(uint64_t key) {
    size_t position = model_below(key);

    return position < model.count && model.entries[position].key == key;
}

static void model_insert(uint64_t key, uint32_t slot) {
    size_t position = model_below(key);

    if (!model_has(key)) {
        assert_true(model.count < MODEL_MAX);
        memmove(&model.entries[position + 1], &model.entries[position],
                (model.count - position) * sizeof model.entries[0]);
        model.count++;
    }
    model.entries[position] = (struct index_entry){.key = key, .slot = slot};
}

static bool model_remove(uint64_t key) {
    size_t position = model_below(key);

    if (!model_has(key)) {
        return false;
    }
    model.count--;
    memmove(&model.entries[position], &model.entries[position + 1],
            (model.count - position) * sizeof model.entries[0]);
    return true;
}

static void assert_page(const struct index *index, uint64_t before, size_t capacity) {
    static struct index_entry page[MODEL_MAX + 2];
    size_t below = model_below(before);
    size_t expected = below < capacity ? below : capacity;

    assert_true(capacity <= MODEL_MAX + 1);
    page[expected].slot = 0x5a5a5a5a;
    commit_enter();
    size_t count = index_page(index, before, page, capacity);
    commit_leave();
    assert_int_equal(count, expected);
    assert_int_equal(page[expected].slot, 0x5a5a5a5a);
    size_t right = 0;
    for (size_t i = 0; i < count; i++) {
        const struct index_entry *entry = &model.entries[below - 1 - i];
        right += page[i].key == entry->key && page[i].slot == entry->slot;
    }
    assert_int_equal(right, count);
}

/* The set is the model's. */
static void assert_same(const struct index *index) {
    index_validate(index);
    assert_int_equal(index_count(index), model.count);
    assert_page(index, UINT64_MAX, model.count + 1);
}

/* ---- Setting up ---- */

static int set_up(void **state) {
    struct commit_config config = {.ring_bytes = COMMIT_RING_BYTES_MIN};

    model.count = 0;
    memory = memory_create();
    config.memory = memory;
    if (memory == NULL || commit_create(&commit, &config) != CELLAR_OK ||
        commit_start(commit, 64) != CELLAR_OK) {
        return -1;
    }
    bytes_before = memory_used(memory, MEMORY_INDEXES);
    *state = index_create(commit, memory);
    return *state == NULL;
}

static int tear_down(void **state) {
    index_destroy(*state);
    commit_destroy(commit);
    assert_int_equal(memory_used(memory, MEMORY_INDEXES), bytes_before);
    memory_destroy(memory);
    return 0;
}

static void insert(struct index *index, uint64_t key, uint32_t slot) {
    assert_true(index_insert(index, key, slot));
    model_insert(key, slot);
}

static void remove_key(struct index *index, uint64_t key) {
    assert_int_equal(index_remove(index, key), model_remove(key));
}

/* Waits until the deferred memory has come back, and no more than this is in use. */
static void assert_memory_falls_to(int64_t bytes) {
    const int64_t deadline_ns = clock_monotonic_ns() + 20 * NANOSECONDS_PER_SECOND;

    while (memory_used(memory, MEMORY_INDEXES) > bytes && clock_monotonic_ns() < deadline_ns) {
        clock_sleep_ns(NANOSECONDS_PER_MILLISECOND);
    }
    assert_in_range(memory_used(memory, MEMORY_INDEXES), 0, bytes);
}

/* ---- One thread ---- */

static void test_empty(void **state) {
    struct index *index = *state;

    assert_same(index);
    assert_page(index, 0, 1);
    assert_false(index_contains(index, 0));
    assert_false(index_contains(index, UINT64_MAX));
    assert_false(index_remove(index, 1));
    insert(index, 1, 1);
    remove_key(index, 1);
    assert_same(index);
}

static void test_one_key_through_its_life(void **state) {
    struct index *index = *state;
    static const struct {
        char what; /* insert, remove */
        uint32_t slot;
        bool changes;
    } steps[] = {
        {'r', 0, false}, {'i', 7, true}, {'i', 7, true}, {'i', 8, true},  {'r', 0, true},
        {'r', 0, false}, {'i', 9, true}, {'r', 0, true}, {'i', 10, true}, {'i', 0, true},
    };

    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        if (steps[i].what == 'i') {
            insert(index, 5, steps[i].slot);
        } else {
            assert_int_equal(index_remove(index, 5), steps[i].changes);
            model_remove(5);
        }
        assert_same(index);
        assert_int_equal(index_contains(index, 5), model_has(5));
    }
}

static void test_ends_of_the_range(void **state) {
    struct index *index = *state;

    insert(index, 0, UINT32_MAX);
    insert(index, UINT64_MAX - 1, 0);
    insert(index, UINT64_MAX - 2, 1);
    assert_same(index);
    for (size_t capacity = 0; capacity < 5; capacity++) {
        assert_page(index, 0, capacity);
        assert_page(index, 1, capacity);
        assert_page(index, UINT64_MAX - 1, capacity);
        assert_page(index, UINT64_MAX, capacity);
    }
    assert_true(index_contains(index, 0));
    assert_true(index_contains(index, UINT64_MAX - 1));
    assert_false(index_contains(index, UINT64_MAX));
    assert_false(index_contains(index, 1));
}

/* Whole chunks, the bounds of chunks and of their words, empty places, and all page sizes. */
static void test_every_page_size(void **state) {
    struct index *index = *state;
    struct random random = {seed};

    for (uint64_t key = 0; key < 1500; key++) {
        insert(index, 10 * key, (uint32_t)key);
    }
    for (uint64_t key = 300; key < 800; key++) {
        remove_key(index, 10 * key);
    }
    for (int i = 0; i < 400; i++) {
        remove_key(index, 10 * random_below(&random, 1500));
    }
    assert_same(index);
    for (uint64_t before = 0; before <= 15000; before += 5) {
        assert_page(index, before, 1 + random_below(&random, 70));
        assert_int_equal(index_contains(index, before), model_has(before));
    }
    for (size_t capacity = 1; capacity <= model.count + 1; capacity++) {
        uint64_t before = UINT64_MAX;
        while (model_below(before) > 0) {
            assert_page(index, before, capacity);
            size_t below = model_below(before);
            before = model.entries[below < capacity ? 0 : below - capacity].key;
        }
        assert_page(index, before, capacity);
    }
}

enum action {
    APPEND, /* above all keys */
    INSERT, /* anywhere */
    REMOVE_LOWEST,
    REMOVE, /* anywhere */
    REMOVE_RANGE,
    INSERT_AGAIN, /* what was removed before */
    ACTIONS
};

/* How many of a hundred random steps are which, and the range of the keys. */
struct mixture {
    uint32_t shares[ACTIONS];
    uint64_t keys;
};

static enum action random_action(struct random *random, const struct mixture *mixture) {
    uint64_t left = random_below(random, 100);
    uint32_t action = 0;

    while (left >= mixture->shares[action]) {
        left -= mixture->shares[action];
        action++;
        assert_true(action < ACTIONS);
    }
    return (enum action)action;
}

static uint64_t random_key_of_model(struct random *random) {
    return model.count == 0 ? 0 : model.entries[random_below(random, model.count)].key;
}

static void remove_some(struct index *index, size_t position, uint64_t count) {
    for (; count > 0 && position < model.count; count--) {
        remove_key(index, model.entries[position].key);
    }
}

static void random_step(struct index *index, struct random *random, const struct mixture *mixture) {
    static uint64_t removed[64];
    uint64_t highest = model.count == 0 ? 0 : model.entries[model.count - 1].key;
    uint64_t anywhere = random_below(random, mixture->keys);
    uint64_t *remembered = &removed[random_below(random, 64)];
    uint32_t slot = (uint32_t)random_next(random);

    switch (random_action(random, mixture)) {
    case APPEND:
        insert(index, highest + 1 + random_below(random, 3), slot);
        break;
    case INSERT:
        insert(index, anywhere, slot);
        break;
    case REMOVE_LOWEST:
        remove_some(index, 0, 1);
        break;
    case REMOVE:
        *remembered = random_below(random, 4) == 0 ? anywhere : random_key_of_model(random);
        remove_key(index, *remembered);
        break;
    case REMOVE_RANGE:
        remove_some(index, random_below(random, model.count + 1), random_below(random, 700));
        break;
    default:
        insert(index, *remembered, slot);
        break;
    }
}

static void run_mixture(struct index *index, const struct mixture *mixture, uint64_t number) {
    struct random random = {seed + number};

    for (int step = 0; step < STEPS; step++) {
        if (model.count > MODEL_MAX - 10) {
            while (model.count > MODEL_MAX / 20) {
                remove_key(index, random_key_of_model(&random));
            }
        }
        random_step(index, &random, mixture);
        if (step % 16 == 0) {
            uint64_t before = random_below(&random, 2) == 0 ? random_key_of_model(&random) + 1
                                                            : random_next(&random);
            assert_page(index, before, random_below(&random, 400));
        }
        uint64_t key = random_below(&random, mixture->keys);
        assert_int_equal(index_contains(index, key), model_has(key));
        assert_int_equal(index_count(index), model.count);
        if (step % 500 == 0) {
            assert_same(index);
        }
    }
    assert_same(index);
}

static void test_random_operations_against_a_sorted_array(void **state) {
    static const struct mixture mixtures[] = {
        {{98, 0, 0, 2, 0, 0}, 100000},   {{50, 0, 48, 1, 0, 1}, 100000},
        {{45, 3, 0, 45, 0, 7}, 30000},   {{0, 60, 0, 30, 0, 10}, 5000},
        {{0, 60, 0, 35, 1, 4}, 1000000}, {{30, 30, 1, 20, 1, 18}, 20000},
        {{0, 40, 5, 50, 1, 4}, 3000},    {{20, 70, 0, 9, 1, 0}, 2000},
    };

    for (uint64_t number = 0; number < sizeof mixtures / sizeof mixtures[0]; number++) {
        run_mixture(*state, &mixtures[number], number);
        while (model.count > 0) {
            remove_key(*state, random_key_of_model(&(struct random){seed + model.count}));
        }
        assert_same(*state);
    }
}

/* ---- Memory ---- */

static void test_rising_keys_take_little_memory(void **state) {
    struct index *index = *state;

    for (uint64_t key = 0; key < MODEL_MAX; key++) {
        insert(index, key, 0);
    }
    assert_same(index);
    assert_memory_falls_to(MODEL_MAX * 13 + 10000);
    /* A little out of order: the chunks are left nearly full all the same. */
    for (uint64_t key = 0; key < 100000; key++) {
        assert_true(index_insert(index, MODEL_MAX + (key ^ 3), 0));
    }
    index_validate(index);
    assert_memory_falls_to((MODEL_MAX + 100000) * 16);
}

static void test_memory_comes_back_when_entries_are_removed(void **state) {
    struct index *index = *state;

    for (uint64_t key = 0; key < MODEL_MAX; key++) {
        insert(index, key, 0);
    }
    /* Every hundredth stays: 200 entries, which would be in 79 chunks. */
    for (uint64_t i = 0, key = 0; i < MODEL_MAX; i++, key = (key + 7919) % MODEL_MAX) {
        if (key % 100 != 0) {
            remove_key(index, key);
        }
    }
    assert_same(index);
    assert_memory_falls_to(8 * CHUNK_BYTES);
}

/* A list that is filled above and emptied below stays small. */
static void test_memory_of_a_queue(void **state) {
    struct index *index = *state;
    struct random random = {seed};
    uint64_t lowest = 0;

    for (uint64_t key = 0; key < 10 * MODEL_MAX; key++) {
        assert_true(index_insert(index, key, 0));
        while (key - lowest >= 1000 - random_below(&random, 3)) {
            assert_true(index_remove(index, lowest));
            lowest++;
        }
    }
    for (uint64_t key = lowest; key < 10 * MODEL_MAX; key++) {
        model_insert(key, 0);
    }
    assert_same(index);
    assert_memory_falls_to(12 * CHUNK_BYTES);
    while (model.count > 0) {
        remove_key(index, model.entries[model.count - 1].key);
    }
    assert_same(index);
    assert_memory_falls_to(2 * CHUNK_BYTES);
}

/* Inserts with the k-th allocation failing, k = 0, 1, 2..., until it succeeds. Most keys need at
 * most three. */
static void insert_in_spite_of_failures(struct index *index, uint64_t key, uint32_t slot) {
    for (int64_t k = 0;; k++) {
        memory_fail_after(memory, k, k % 2 == 0);
        bool inserted = index_insert(index, key, slot);
        memory_fail_after(memory, -1, 0);
        if (inserted) {
            break;
        }
        assert_true(k < 3);
        assert_false(model_has(key));
        assert_false(index_contains(index, key));
        assert_same(index);
    }
    model_insert(key, slot);
}

static void test_failed_allocation_changes_nothing(void **state) {
    struct index *index = *state;
    struct random random = {seed};

    for (uint64_t key = 0; key < 1200; key++) {
        insert_in_spite_of_failures(index, 1000 * key, 1);
    }
    for (int i = 0; i < 1500; i++) {
        insert_in_spite_of_failures(index, random_below(&random, 1200000), (uint32_t)i);
    }
    assert_same(index);
    /* A removal needs none: what it would like to have, it does without. */
    memory_fail_after(memory, 0, 1);
    while (model.count > 20) {
        remove_key(index, random_key_of_model(&random));
        /* Nor does a key that is there. */
        uint64_t key = random_key_of_model(&random);
        insert(index, key, (uint32_t)random_next(&random));
        if (model.count % 64 == 0) {
            assert_same(index);
        }
    }
    memory_fail_after(memory, -1, 0);
    assert_same(index);
    /* The k-th allocation of a compaction. */
    for (int64_t k = 0; k < 25; k++) {
        for (uint64_t key = 0; key < 1500; key++) {
            insert(index, random_below(&random, 1200000), 0);
        }
        while (model.count > 50) {
            memory_fail_after(memory, k, 0);
            remove_key(index, random_key_of_model(&random));
        }
        memory_fail_after(memory, -1, 0);
        assert_same(index);
    }
}

static void test_no_memory_no_index(void **state) {
    (void)state;
    memory_fail_after(memory, 0, 0);
    assert_null(index_create(commit, memory));
    memory_fail_after(memory, -1, 0);
}

int main(void) {
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_empty),
        TEST(test_one_key_through_its_life),
        TEST(test_ends_of_the_range),
        TEST(test_every_page_size),
        TEST(test_random_operations_against_a_sorted_array),
        TEST(test_rising_keys_take_little_memory),
        TEST(test_memory_comes_back_when_entries_are_removed),
        TEST(test_memory_of_a_queue),
        TEST(test_failed_allocation_changes_nothing),
        TEST(test_no_memory_no_index),
    };

    seed = random_seed_of_run();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
