/* Does redoing the log bring back exactly the cells, however often and from whichever checkpoint,
 * and is a record that does not fit refused? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "commit/commit.h"

#include "support/commit_world.h"
#include "support/random.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SLOTS 16
#define RECORDS 300
#define RECORD_BYTES 320

static struct commit_world source;
static uint64_t seed;
/* The log of the source: its records one after the other, as a reader would hand them out. */
static _Alignas(64) unsigned char records[RECORDS][RECORD_BYTES];
/* The cells of the source behind each record. */
static struct cell_content states[RECORDS + 1][SLOTS];

static const struct record_header *record_number(size_t i) {
    return (const struct record_header *)(const void *)records[i];
}

static int make_source(void **unused) {
    struct random random = {seed};
    struct commit_plan plan;

    (void)unused;
    commit_world_open_simple(&source, COMMIT_RING_BYTES_MIN, SLOTS);
    commit_plan_make(&plan, SLOTS);
    for (size_t i = 0; i < RECORDS; i++) {
        uint64_t lsn = 0;
        commit_plan_clear(&plan);
        for (uint32_t cell = 0; cell < SLOTS; cell++) {
            if (random_below(&random, 4) == 0) {
                int64_t delta = (int64_t)random_below(&random, 100) - 50;
                commit_plan_add(&plan, source.commit, cell, delta);
            }
        }
        if (commit_plan_try(&plan, source.commit, &lsn) != COMMIT_DONE) {
            return 1;
        }
        commit_enter();
        const struct record_header *record = commit_record(source.commit, lsn);
        memcpy(records[i], record, record->bytes < RECORD_BYTES ? record->bytes : RECORD_BYTES);
        commit_leave();
        for (uint32_t cell = 0; cell < SLOTS; cell++) {
            states[i + 1][cell] = commit_world_read(&source, cell);
        }
        commit_drain_all(&source.drain);
        commit_world_reclaim_all(&source);
    }
    commit_plan_free(&plan);
    return 0;
}

static int free_source(void **unused) {
    (void)unused;
    commit_world_close(&source);
    return 0;
}

/* A commit that has not started: only recovery may touch it. */
static struct memory *memory;
static struct commit *target;

static int set_up(void **unused) {
    struct commit_config config = {.ring_bytes = COMMIT_RING_BYTES_MIN, .limits = {SLOTS}};

    (void)unused;
    memory = memory_create();
    config.memory = memory;
    return commit_create(&target, &config) == CELLAR_OK ? 0 : 1;
}

static int tear_down(void **unused) {
    (void)unused;
    commit_destroy(target);
    memory_destroy(memory);
    return 0;
}

static enum commit_redo_result redo(size_t i) {
    uint32_t cell = 0;

    return commit_redo(target, record_number(i), &cell);
}

static void check_state(size_t after) {
    for (uint32_t cell = 0; cell < SLOTS; cell++) {
        struct cell_content content = cell_load(&target->cells[cell]);
        assert_int_equal(content.value, states[after][cell].value);
        assert_int_equal(content.version, states[after][cell].version);
    }
}

static void load_cell(uint32_t cell, struct cell_content content) {
    ATOMIC_STORE(&target->cells[cell].value, content.value, relaxed);
    ATOMIC_STORE(&target->cells[cell].version, content.version, relaxed);
}

static void test_redo_in_order_gives_every_state(void **unused) {
    (void)unused;
    for (size_t i = 0; i < RECORDS; i++) {
        bool empty = record_number(i)->cell_count == 0;
        assert_int_equal(redo(i), empty ? COMMIT_REDO_OLD : COMMIT_REDONE);
        check_state(i + 1);
    }
}

static void test_redo_is_idempotent(void **unused) {
    (void)unused;
    for (size_t i = 0; i < RECORDS; i++) {
        redo(i);
        assert_int_equal(redo(i), COMMIT_REDO_OLD);
        check_state(i + 1);
    }
    /* The whole log again. */
    for (size_t i = 0; i < RECORDS; i++) {
        assert_int_equal(redo(i), COMMIT_REDO_OLD);
    }
    check_state(RECORDS);
}

/* A checkpoint dumped while transactions went on: each cell is of another moment after its start.
 * Replaying from the start of the dump gives the end all the same. */
static void test_redo_from_a_fuzzy_checkpoint(void **unused) {
    struct random random = {seed + 1};

    (void)unused;
    for (int round = 0; round < 50; round++) {
        size_t start = random_below(&random, RECORDS);
        for (uint32_t cell = 0; cell < SLOTS; cell++) {
            load_cell(cell, states[start + random_below(&random, RECORDS + 1 - start)][cell]);
        }
        for (size_t i = start; i < RECORDS; i++) {
            assert_int_not_equal(redo(i), COMMIT_REDO_BROKEN);
        }
        check_state(RECORDS);
    }
}

/* One record of the log is missing: the first later one that builds on it does not fit, and says at
 * which cell. */
static void test_redo_refuses_a_hole(void **unused) {
    struct random random = {seed + 2};

    (void)unused;
    for (int round = 0; round < 50; round++) {
        size_t hole = random_below(&random, RECORDS - 40);
        enum commit_redo_result result = COMMIT_REDO_OLD;
        uint32_t cell = UINT32_MAX;
        size_t i = 0;
        memset(target->cells, 0, SLOTS * sizeof *target->cells);
        while (record_number(hole)->cell_count == 0) {
            hole++;
        }
        for (; i < RECORDS && result != COMMIT_REDO_BROKEN; i++) {
            if (i != hole) {
                result = commit_redo(target, record_number(i), &cell);
            }
        }
        assert_int_equal(result, COMMIT_REDO_BROKEN);
        assert_true(i - 1 > hole);
        const struct record_update *update = record_find(record_number(i - 1), cell);
        assert_non_null(update);
        assert_int_equal(update->expected, record_number(hole)->lsn);
    }
}

/* Two records exchanged cannot pass either. */
static void test_redo_refuses_another_order(void **unused) {
    (void)unused;
    size_t i = 0;
    while (record_number(i)->cell_count == 0 ||
           record_find(record_number(i + 1), record_cells(record_number(i))[0]) == NULL) {
        redo(i++);
    }
    assert_int_equal(redo(i + 1), COMMIT_REDO_BROKEN);
}

static struct record_header *copy_of_first(void) {
    static _Alignas(64) unsigned char copy[RECORD_BYTES];

    memcpy(copy, records[0], RECORD_BYTES);
    return (struct record_header *)(void *)copy;
}

static void check_broken(const struct record_header *record, uint32_t i) {
    uint32_t cell = UINT32_MAX;

    assert_int_equal(commit_redo(target, record, &cell), COMMIT_REDO_BROKEN);
    assert_int_equal(cell, record_cells(record)[i]);
}

static void test_redo_refuses_wrong_version_value_and_cell(void **unused) {
    struct record_header *record = copy_of_first();
    struct record_update *updates = (struct record_update *)(record + 1);
    uint32_t *cells = (uint32_t *)(updates + record->cell_count);
    uint32_t last = (uint32_t)record->cell_count - 1;

    (void)unused;
    assert_true(record->cell_count >= 1);
    updates[last].expected = 64;
    check_broken(record, last);
    memset(target->cells, 0, SLOTS * sizeof *target->cells);
    updates[last].expected = 0;
    updates[last].old_value = 1;
    check_broken(record, last);
    memset(target->cells, 0, SLOTS * sizeof *target->cells);
    updates[last].old_value = 0;
    cells[last] = SLOTS;
    check_broken(record, last);
    cells[last] = CELL_INDEX(1, 0);
    check_broken(record, last);
    cells[last] = UINT32_MAX;
    check_broken(record, last);
}

/* Rule 12, as far as it is told here: what starts beyond the old log continues its versions. */
static void test_rule_12_started_beyond_it_versions_go_on(void **unused) {
    struct commit_plan plan;
    uint64_t lsn = 0;

    (void)unused;
    for (size_t i = 0; i < RECORDS; i++) {
        redo(i);
    }
    uint64_t start = record_number(RECORDS - 1)->lsn + 2 * COMMIT_RING_BYTES_MIN;
    start = record_space(start);
    assert_int_equal(commit_start(target, start), CELLAR_OK);
    commit_advance_disk_end(target, start + COMMIT_RING_BYTES_MIN);
    commit_plan_make(&plan, SLOTS);
    for (uint32_t cell = 0; cell < SLOTS; cell++) {
        commit_plan_add(&plan, target, cell, 1);
    }
    assert_int_equal(commit_plan_try(&plan, target, &lsn), COMMIT_DONE);
    assert_int_equal(lsn, start);
    for (uint32_t cell = 0; cell < SLOTS; cell++) {
        assert_int_equal(plan.changes[cell].update.expected, states[RECORDS][cell].version);
    }
    commit_plan_free(&plan);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_redo_in_order_gives_every_state, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_redo_is_idempotent, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_redo_from_a_fuzzy_checkpoint, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_redo_refuses_a_hole, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_redo_refuses_another_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_redo_refuses_wrong_version_value_and_cell, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_rule_12_started_beyond_it_versions_go_on, set_up,
                                        tear_down),
    };

    seed = random_seed_of_run();
    (void)alarm(100);
    return cmocka_run_group_tests(tests, make_source, free_source);
}
