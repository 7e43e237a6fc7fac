/* Does one attempt change all its cells or none, at a version that only grows, and only when every
 * cell still has the version expected? Single thread but for the log writer's part; each test runs
 * on the lock-free commit and on the oracle alike. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "commit/commit.h"

#include "support/commit_world.h"

#include <string.h>
#include <unistd.h>

#define SLOTS 64
#define HOT CELL_INDEX(1, 0)

static struct commit_world world;
static struct commit_plan plan;

static int open_world(bool oracle) {
    struct commit_config config = {
        .ring_bytes = COMMIT_RING_BYTES_MIN, .limits = {SLOTS, SLOTS}, .oracle = oracle};

    commit_world_open(&world, &config);
    commit_plan_make(&plan, SLOTS);
    return 0;
}

static int set_up(void **unused) {
    (void)unused;
    return open_world(false);
}

static int set_up_oracle(void **unused) {
    (void)unused;
    return open_world(true);
}

static int tear_down(void **unused) {
    (void)unused;
    commit_plan_free(&plan);
    commit_world_close(&world);
    return 0;
}

static void check_cell(uint32_t cell, int64_t value, uint64_t version) {
    struct cell_content content = commit_world_read(&world, cell);

    assert_int_equal(content.value, value);
    assert_int_equal(content.version, version);
}

static void test_A_all_cells_change_to_one_version(void **unused) {
    uint64_t lsn = 0;

    (void)unused;
    for (uint32_t cell = 0; cell < 5; cell++) {
        commit_plan_add(&plan, world.commit, cell, 10 + cell);
    }
    commit_plan_add(&plan, world.commit, HOT, -3);
    assert_int_equal(commit_plan_try(&plan, world.commit, &lsn), COMMIT_DONE);
    assert_int_equal(lsn, COMMIT_WORLD_LSN);
    for (uint32_t cell = 0; cell < 5; cell++) {
        check_cell(cell, 10 + cell, lsn);
    }
    check_cell(HOT, -3, lsn);
    check_cell(5, 0, 0);
}

static void test_A_an_aborted_attempt_changes_nothing(void **unused) {
    uint64_t lsn = 0;

    (void)unused;
    commit_plan_add(&plan, world.commit, 0, 1);
    commit_plan_add(&plan, world.commit, 1, 1);
    commit_plan_add(&plan, world.commit, HOT, 1);
    uint64_t first = commit_world_set(&world, HOT, 7);
    assert_int_equal(commit_plan_try(&plan, world.commit, &lsn), COMMIT_CONFLICT);
    check_cell(0, 0, 0);
    check_cell(1, 0, 0);
    check_cell(HOT, 7, first);
}

static void test_B_versions_grow(void **unused) {
    uint64_t last = 0;

    (void)unused;
    for (int i = 1; i < 100; i++) {
        uint64_t lsn = commit_world_set(&world, HOT, i);
        assert_true(lsn > last);
        check_cell(HOT, i, lsn);
        last = lsn;
    }
}

/* The value is back at what was read, the version is not. */
static void test_C_stale_version_aborts(void **unused) {
    uint64_t lsn = 0;

    (void)unused;
    commit_world_set(&world, HOT, 5);
    commit_plan_add(&plan, world.commit, HOT, 1);
    commit_world_set(&world, HOT, 9);
    uint64_t last = commit_world_set(&world, HOT, 5);
    assert_int_equal(commit_plan_try(&plan, world.commit, &lsn), COMMIT_CONFLICT);
    check_cell(HOT, 5, last);
}

/* Each place of the list may be the stale one. */
static void test_C_every_cell_is_checked(void **unused) {
    (void)unused;
    for (uint32_t stale = 0; stale < 8; stale++) {
        uint64_t lsn = 0;
        commit_plan_clear(&plan);
        for (uint32_t cell = 0; cell < 8; cell++) {
            commit_plan_add(&plan, world.commit, cell, 1);
        }
        int64_t value = plan.changes[stale].update.new_value;
        commit_world_set(&world, stale, value);
        assert_int_equal(commit_plan_try(&plan, world.commit, &lsn), COMMIT_CONFLICT);
    }
    for (uint32_t cell = 0; cell < 8; cell++) {
        assert_int_equal(commit_world_read(&world, cell).value, 1);
    }
}

/* A coupon that is good until it is deactivated, and places left. Using it validates the state
 * by writing it with its own value. */
#define COUPON_STATE 1
#define COUPON_PLACES 2
#define ACTIVE 1
#define INACTIVE 0

static void test_rule_1_validated_cell_orders_the_log(void **unused) {
    struct commit_plan use;
    uint64_t lsn = 0;

    (void)unused;
    commit_world_set(&world, COUPON_STATE, ACTIVE);
    commit_world_set(&world, COUPON_PLACES, 10);
    commit_plan_make(&use, 2);
    commit_plan_add(&use, world.commit, COUPON_STATE, 0);
    commit_plan_add(&use, world.commit, COUPON_PLACES, -1);

    /* Deactivated between reading and installing: the use must not come after it in the log. */
    commit_plan_add(&plan, world.commit, COUPON_STATE, INACTIVE - ACTIVE);
    assert_int_equal(commit_plan_try(&plan, world.commit, &lsn), COMMIT_DONE);
    assert_int_equal(commit_plan_try(&use, world.commit, &lsn), COMMIT_CONFLICT);
    assert_int_equal(commit_world_read(&world, COUPON_PLACES).value, 10);

    /* The other way round it is the deactivation that has to look again. */
    uint64_t active = commit_world_set(&world, COUPON_STATE, ACTIVE);
    commit_plan_clear(&plan);
    commit_plan_add(&plan, world.commit, COUPON_STATE, INACTIVE - ACTIVE);
    commit_plan_clear(&use);
    commit_plan_add(&use, world.commit, COUPON_STATE, 0);
    commit_plan_add(&use, world.commit, COUPON_PLACES, -1);
    assert_int_equal(commit_plan_try(&use, world.commit, &lsn), COMMIT_DONE);
    assert_true(lsn > active);
    check_cell(COUPON_STATE, ACTIVE, lsn);
    assert_int_equal(commit_plan_try(&plan, world.commit, &lsn), COMMIT_CONFLICT);
    commit_plan_free(&use);
}

/* Why the rule is there: a state that is only read lets the use into the log behind the end. */
static void test_rule_1_merely_read_cell_does_not(void **unused) {
    struct commit_plan use;
    uint64_t lsn = 0;

    (void)unused;
    commit_world_set(&world, COUPON_STATE, ACTIVE);
    commit_world_set(&world, COUPON_PLACES, 10);
    commit_plan_make(&use, 1);
    assert_int_equal(commit_world_read(&world, COUPON_STATE).value, ACTIVE);
    commit_plan_add(&use, world.commit, COUPON_PLACES, -1);
    uint64_t ended = commit_world_set(&world, COUPON_STATE, INACTIVE);
    assert_int_equal(commit_plan_try(&use, world.commit, &lsn), COMMIT_DONE);
    assert_true(lsn > ended);
    commit_plan_free(&use);
}

/* A slot is given back and used again; whoever knew it before must not touch the new object, even
 * when all values are as they were. */
static void test_rule_8_versions_go_on_over_reuse(void **unused) {
    enum {
        FREE = 0,
        LIVE = 1
    };
    uint64_t lsn = 0;

    (void)unused;
    commit_world_set(&world, 3, LIVE);
    commit_plan_add(&plan, world.commit, 3, 0);
    uint64_t freed = commit_world_set(&world, 3, FREE);
    uint64_t reused = commit_world_set(&world, 3, LIVE);
    assert_true(reused > freed);
    assert_int_equal(commit_plan_try(&plan, world.commit, &lsn), COMMIT_CONFLICT);
    check_cell(3, LIVE, reused);
}

static void test_record_in_the_ring_is_the_transaction(void **unused) {
    static const char payload[] = "twelve bytes";
    uint64_t lsn = 0;

    (void)unused;
    commit_world_set(&world, 1, 5);
    commit_plan_add(&plan, world.commit, 1, 2);
    commit_plan_add(&plan, world.commit, 4, -2);
    commit_plan_add(&plan, world.commit, HOT, 0);
    plan.request.payload = payload;
    plan.request.payload_bytes = sizeof payload;
    plan.request.kind = 99;
    plan.request.time_ns = 123456789;
    assert_int_equal(commit_plan_try(&plan, world.commit, &lsn), COMMIT_DONE);
    commit_enter();
    const struct record_header *record = commit_record(world.commit, lsn);
    assert_non_null(record);
    assert_true(record_validate(record, lsn, world.commit->ring_bytes));
    assert_int_equal(record->kind, 99);
    assert_int_equal(record->time_ns, 123456789);
    assert_int_equal(record->cell_count, 3);
    assert_int_equal(record->bytes, record_payload_offset(3) + sizeof payload);
    assert_memory_equal(record_payload(record), payload, sizeof payload);
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(record_cells(record)[i], plan.changes[i].cell);
        assert_memory_equal(&record_updates(record)[i], &plan.changes[i].update,
                            sizeof plan.changes[i].update);
    }
    /* The four bytes between an odd number of indexes and the payload. */
    assert_int_equal(record_cells(record)[3], 0);
    assert_null(commit_record(world.commit, lsn + 64));
    assert_null(commit_record(world.commit, lsn | CELL_CLAIMED));
    commit_leave();
}

static void test_record_without_cells(void **unused) {
    uint64_t lsn = 0;

    (void)unused;
    plan.request.kind = RECORD_MARK;
    assert_int_equal(commit_plan_try(&plan, world.commit, &lsn), COMMIT_DONE);
    assert_int_equal(ATOMIC_LOAD(&world.commit->reserved.lsn, relaxed), lsn + 64);
    assert_true(commit_drain_step(&world.drain));
    assert_int_equal(world.drain.taken, 1);
}

static void test_stopped_commits_nothing(void **unused) {
    uint64_t lsn = 0;

    (void)unused;
    commit_plan_add(&plan, world.commit, HOT, 1);
    commit_stop(world.commit);
    assert_int_equal(commit_plan_try(&plan, world.commit, &lsn), COMMIT_STOPPED);
    check_cell(HOT, 0, 0);
    assert_int_equal(ATOMIC_LOAD(&world.commit->reserved.lsn, relaxed), COMMIT_WORLD_LSN);
    assert_false(commit_wait_space(world.commit, 64, INT64_MAX));
}

/* What the log writer is told: nothing, then each record once, aborted ones as padding of the same
 * space. */
static void test_decide_tells_each_record_once(void **unused) {
    const struct record_header *record = NULL;
    uint64_t space = 0;
    uint64_t lsn = 0;

    (void)unused;
    struct commit *commit = world.commit;
    assert_int_equal(commit_decide(commit, COMMIT_WORLD_LSN, &record, &space), COMMIT_NOTHING);
    commit_plan_add(&plan, commit, 0, 1);
    commit_plan_add(&plan, commit, 1, 1);
    commit_plan_add(&plan, commit, 2, 1);
    assert_int_equal(commit_plan_try(&plan, commit, &lsn), COMMIT_DONE);
    assert_int_equal(commit_decide(commit, lsn, &record, &space), COMMIT_TAKE);
    assert_int_equal(space, 128);
    assert_int_equal(record->lsn, lsn);
    assert_int_equal(commit_decide(commit, lsn + space, &record, &space), COMMIT_NOTHING);
    assert_int_equal(commit_plan_try(&plan, commit, &lsn), COMMIT_CONFLICT);
    if (!commit->oracle) {
        assert_int_equal(commit_decide(commit, COMMIT_WORLD_LSN + 128, &record, &space),
                         COMMIT_PAD);
        assert_int_equal(space, 128);
    }
}

#define BOTH(test)                                                                                 \
    {#test, test, set_up, tear_down, NULL}, {                                                      \
#test "_oracle", test, set_up_oracle, tear_down, NULL                                      \
    }

int main(void) {
    const struct CMUnitTest tests[] = {
        BOTH(test_A_all_cells_change_to_one_version),
        BOTH(test_A_an_aborted_attempt_changes_nothing),
        BOTH(test_B_versions_grow),
        BOTH(test_C_stale_version_aborts),
        BOTH(test_C_every_cell_is_checked),
        BOTH(test_rule_1_validated_cell_orders_the_log),
        BOTH(test_rule_1_merely_read_cell_does_not),
        BOTH(test_rule_8_versions_go_on_over_reuse),
        BOTH(test_record_in_the_ring_is_the_transaction),
        BOTH(test_record_without_cells),
        BOTH(test_stopped_commits_nothing),
        BOTH(test_decide_tells_each_record_once),
    };

    (void)alarm(100);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
