/* Does a helper that claims a cell of a transaction decided long ago do no harm, and is ring space
 * kept until nobody can look at it? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "commit/ring.h"

#include "base/clock.h"

#include "support/commit_world.h"

#include <unistd.h>

#define RING_BYTES COMMIT_RING_BYTES_MIN
#define OWNER 1
#define HELPER 2
#define READER 3

static struct commit_world world;
static struct commit_actor owner;
static struct commit_actor helper;
static struct commit_gate *helper_gate;
static uint64_t lsn;

static struct cell_content raw(uint32_t cell) {
    return cell_load(&world.commit->cells[cell]);
}

/* Cells 1, 2 and 3 hold {10 * cell, some version}. The owner changes all three but expects an old
 * version of cell 3. It stops with cell 1 claimed; the helper meets that and stops about to claim
 * cell 2; the owner claims cell 2 itself, aborts at cell 3, cleans up and goes. Then the helper is
 * let go as far as its clean-up: it has claimed cell 2 for a transaction aborted long ago. */
static int set_up(void **unused) {
    (void)unused;
    commit_world_open_simple(&world, RING_BYTES, 64);
    commit_actor_make(&owner, &world, OWNER, COMMIT_DEED_TRY);
    for (uint32_t cell = 1; cell <= 3; cell++) {
        commit_world_set(&world, cell, 10 * cell);
        commit_plan_add(&owner.plan, world.commit, cell, 1);
    }
    commit_world_set(&world, 3, 30);
    struct commit_gate *owner_gate = commit_gate_close(OWNER, "resolve-plant", 2);
    commit_actor_start(&owner);
    lsn = commit_gate_await(owner_gate);
    commit_actor_make(&helper, &world, HELPER, COMMIT_DEED_SETTLE);
    helper.cell = 1;
    struct commit_gate *planting = commit_gate_close(HELPER, "resolve-plant", 1);
    helper_gate = commit_gate_close(HELPER, "resolve-finish", 1);
    commit_actor_start(&helper);
    commit_gate_await(planting);
    commit_gate_open(owner_gate);
    commit_actor_join(&owner);
    commit_gate_open(planting);
    commit_gate_await(helper_gate);
    return 0;
}

static int tear_down(void **unused) {
    (void)unused;
    commit_world_close(&world);
    return 0;
}

static void check_restored(void) {
    for (uint32_t cell = 1; cell <= 2; cell++) {
        assert_int_equal(raw(cell).value, 10 * cell);
        assert_int_equal(raw(cell).version, COMMIT_WORLD_LSN + 64 * (cell - 1));
    }
}

static void test_rule_2_late_plant_is_cleaned(void **unused) {
    uint64_t version = COMMIT_WORLD_LSN + 64;

    (void)unused;
    assert_int_equal(owner.outcome, COMMIT_CONFLICT);
    assert_int_equal(raw(2).version, lsn | CELL_CLAIMED);
    /* Readers see the old value all the same. */
    assert_int_equal(commit_world_read(&world, 2).value, 20);
    assert_int_equal(commit_world_read(&world, 2).version, version);
    commit_gate_open(helper_gate);
    commit_actor_join(&helper);
    check_restored();
    assert_int_equal(helper.content.value, 10);
}

/* Somebody who is going to change the cell takes the late claim away; the helper's own clean-up
 * then leaves the new content alone. */
static void test_rule_2_late_plant_is_no_obstacle(void **unused) {
    (void)unused;
    uint64_t next = commit_world_set(&world, 2, 99);
    assert_int_equal(raw(2).value, 99);
    assert_int_equal(raw(2).version, next);
    commit_gate_open(helper_gate);
    commit_actor_join(&helper);
    assert_int_equal(raw(2).value, 99);
    assert_int_equal(raw(2).version, next);
}

/* The log writer is long past the record while the claim stands; the cell goes on living. */
static void test_rule_2_log_writer_does_not_wait(void **unused) {
    (void)unused;
    commit_drain_all(&world.drain);
    assert_int_equal(raw(2).version, lsn | CELL_CLAIMED);
    assert_int_equal(commit_world_read(&world, 2).value, 20);
    commit_gate_open(helper_gate);
    commit_actor_join(&helper);
    check_restored();
}

static int set_up_plain(void **unused) {
    (void)unused;
    commit_world_open_simple(&world, RING_BYTES, 64);
    return 0;
}

static void start(struct commit_actor *actor, struct commit_gate *gate, uint64_t *lsn_out) {
    commit_actor_start(actor);
    *lsn_out = commit_gate_await(gate);
}

/* The helper has a transaction of its own, on cell 1, and helps the owner's only because that is in
 * the way. Having claimed cell 2 too late it would next meet a third transaction at cell 3, which
 * it could help instead and never come back: its own is free to go by then. */
static void test_rule_2_late_plant_is_cleaned_before_helping_another(void **unused) {
    struct commit_actor third;
    uint64_t third_lsn = 0;
    uint64_t helped_lsn = 0;

    (void)unused;
    commit_actor_make(&owner, &world, OWNER, COMMIT_DEED_TRY);
    commit_actor_make(&helper, &world, HELPER, COMMIT_DEED_TRY);
    commit_actor_make(&third, &world, READER, COMMIT_DEED_TRY);
    for (uint32_t cell = 1; cell <= 3; cell++) {
        commit_plan_add(&owner.plan, world.commit, cell, 1);
    }
    commit_plan_add(&helper.plan, world.commit, 1, 5);
    uint64_t last = commit_world_set(&world, 3, 30);
    commit_plan_add(&third.plan, world.commit, 3, 1);
    commit_plan_add(&third.plan, world.commit, 4, 1);

    struct commit_gate *owner_gate = commit_gate_close(OWNER, "resolve-plant", 2);
    start(&owner, owner_gate, &lsn);
    struct commit_gate *planting = commit_gate_close(HELPER, "resolve-plant", 1);
    start(&helper, planting, &helped_lsn);
    assert_int_equal(helped_lsn, lsn);
    commit_gate_open(owner_gate);
    commit_actor_join(&owner);
    assert_int_equal(owner.outcome, COMMIT_CONFLICT);
    struct commit_gate *third_gate = commit_gate_close(READER, "resolve-plant", 2);
    start(&third, third_gate, &third_lsn);
    assert_int_equal(raw(3).version, third_lsn | CELL_CLAIMED);
    commit_gate_open(planting);
    commit_actor_join(&helper);
    assert_int_equal(helper.outcome, COMMIT_DONE);
    assert_int_equal(raw(1).version, helper.lsn);
    assert_int_equal(raw(2).version, 0);
    commit_gate_open(third_gate);
    commit_actor_join(&third);
    assert_int_equal(third.outcome, COMMIT_DONE);
    assert_true(raw(3).version > last);
}

/* ---- Grace periods ---- */

static _Atomic int released;

static void release(struct commit_deferred *deferred, struct memory *memory) {
    (void)deferred;
    (void)memory;
    atomic_fetch_add(&released, 1);
}

static void await_released(int count) {
    while (atomic_load(&released) < count) {
        clock_sleep_ns(NANOSECONDS_PER_MILLISECOND / 4);
    }
}

static _Atomic int nagging;

/* Someone who waits for more space than there can be: reclaiming goes on as fast as it may. */
static void *nag(void *unused) {
    (void)unused;
    while (atomic_load(&nagging) != 0) {
        (void)commit_wait_space(world.commit, 2 * RING_BYTES,
                                clock_monotonic_ns() + NANOSECONDS_PER_MILLISECOND);
    }
    return NULL;
}

static void check_not_reclaimed(uint64_t from) {
    clock_sleep_ns(40 * NANOSECONDS_PER_MILLISECOND);
    assert_true(ATOMIC_LOAD(&world.commit->reclaimed.lsn, seq_cst) <= from);
}

/* The record is written and reclaiming has begun. In the first grace period, while the helper is
 * still in its section, a reader meets the late claim and is stopped before it looks at the
 * record. The helper cleans up and goes: the first grace period is over. The reader began after
 * it had begun, so only a second one waits for it. */
static void test_rule_2_E_space_is_kept_for_two_grace_periods(void **unused) {
    struct commit_deferred first = {.release = release};
    struct commit_actor reader;
    pthread_t nagger;

    (void)unused;
    atomic_store(&released, 0);
    commit_drain_all(&world.drain);
    uint64_t written = ATOMIC_LOAD(&world.commit->written.lsn, relaxed);
    atomic_store(&nagging, 1);
    assert_int_equal(pthread_create(&nagger, NULL, nag, NULL), 0);
    assert_true(commit_world_await(&world.commit->retiring, written, 5 * NANOSECONDS_PER_SECOND));
    clock_sleep_ns(5 * NANOSECONDS_PER_MILLISECOND);
    commit_actor_make(&reader, &world, READER, COMMIT_DEED_READ);
    reader.cell = 2;
    struct commit_gate *reader_gate = commit_gate_close(READER, "read-claimed", 1);
    commit_actor_start(&reader);
    assert_int_equal(commit_gate_await(reader_gate), lsn);
    check_not_reclaimed(lsn);

    commit_gate_open(helper_gate);
    commit_actor_join(&helper);
    check_restored();
    /* The grace period for which it waited ends now, the next one begins and cannot end. */
    commit_defer(world.commit, &first);
    check_not_reclaimed(lsn);
    assert_int_equal(atomic_load(&released), 0);

    commit_gate_open(reader_gate);
    commit_actor_join(&reader);
    assert_int_equal(reader.content.value, 20);
    await_released(1);
    assert_true(commit_world_await(&world.commit->reclaimed, written, 5 * NANOSECONDS_PER_SECOND));
    atomic_store(&nagging, 0);
    assert_int_equal(pthread_join(nagger, NULL), 0);
}

/* ---- E in general ---- */

/* A reader that holds its section keeps the record it looks at, while the ring runs full behind. */
static void test_E_held_section_keeps_its_record(void **unused) {
    uint64_t unused_lsn = 0;
    struct commit_plan plan;

    (void)unused;
    uint64_t first = commit_world_set(&world, 1, 5);
    commit_plan_make(&plan, 1);
    commit_enter();
    const struct record_header *record = commit_record(world.commit, first);
    assert_non_null(record);
    enum commit_outcome outcome = COMMIT_DONE;
    for (int64_t value = 0; outcome == COMMIT_DONE; value++) {
        commit_plan_clear(&plan);
        commit_plan_add(&plan, world.commit, 2, 1);
        outcome = commit_plan_try(&plan, world.commit, &unused_lsn);
        commit_drain_all(&world.drain);
    }
    assert_int_equal(outcome, COMMIT_FULL);
    clock_sleep_ns(40 * NANOSECONDS_PER_MILLISECOND);
    assert_int_equal(ATOMIC_LOAD(&world.commit->reclaimed.lsn, seq_cst), COMMIT_WORLD_LSN);
    assert_int_equal(record->lsn, first);
    assert_int_equal(record_updates(record)[0].new_value, 5);
    commit_leave();
    commit_world_reclaim_all(&world);
    commit_enter();
    assert_null(commit_record(world.commit, first));
    commit_leave();
    assert_int_equal(commit_plan_try(&plan, world.commit, &unused_lsn), COMMIT_DONE);
    commit_plan_free(&plan);
}

/* From the moment reclaiming begins, new sections are not given what only old ones hold: the first
 * grace period does not wait for them. */
static void test_E_retiring_record_is_not_given_out(void **unused) {
    struct commit_actor old;

    (void)unused;
    uint64_t first = commit_world_set(&world, 1, 5);
    uint64_t second = commit_world_set(&world, 1, 6);
    commit_drain_all(&world.drain);
    /* An owner that stands in its section all the time. */
    commit_actor_make(&old, &world, OWNER, COMMIT_DEED_TRY);
    commit_plan_add(&old.plan, world.commit, 1, 1);
    struct commit_gate *gate = commit_gate_close(OWNER, "commit-open", 1);
    commit_actor_start(&old);
    uint64_t third = commit_gate_await(gate);
    commit_enter();
    assert_non_null(commit_record(world.commit, first));
    assert_non_null(commit_record(world.commit, second));
    assert_null(commit_record(world.commit, third));
    commit_leave();
    (void)commit_wait_space(world.commit, 2 * RING_BYTES,
                            clock_monotonic_ns() + 20 * NANOSECONDS_PER_MILLISECOND);
    assert_true(commit_world_await(&world.commit->retiring, third, 5 * NANOSECONDS_PER_SECOND));
    assert_int_equal(ATOMIC_LOAD(&world.commit->reclaimed.lsn, seq_cst), COMMIT_WORLD_LSN);
    commit_enter();
    assert_null(commit_record(world.commit, first));
    assert_null(commit_record(world.commit, second));
    commit_leave();
    commit_gate_open(gate);
    commit_actor_join(&old);
    commit_world_reclaim_all(&world);
    commit_enter();
    assert_null(commit_record(world.commit, second));
    assert_non_null(commit_record(world.commit, third));
    assert_null(commit_record(world.commit, third + 64));
    assert_null(commit_record(world.commit, third + RING_BYTES));
    commit_leave();
}

/* Space is not given back before the log writer has copied it, nor, when the records are followed,
 * before they are applied. */
static void test_E_unwritten_and_unapplied_records_stay(void **unused) {
    struct commit_config config = {.ring_bytes = RING_BYTES, .limits = {64, 64}, .followed = true};

    (void)unused;
    tear_down(NULL);
    commit_world_open(&world, &config);
    struct commit *commit = world.commit;
    for (int i = 0; i < 8; i++) {
        commit_world_set(&world, 1, i);
    }
    while (commit_drain_step(&world.drain)) {
    }
    uint64_t end = ATOMIC_LOAD(&commit->decided.lsn, relaxed);
    int64_t nap_ns = 30 * NANOSECONDS_PER_MILLISECOND;
    (void)commit_wait_space(commit, 2 * RING_BYTES, clock_monotonic_ns() + nap_ns);
    assert_int_equal(ATOMIC_LOAD(&commit->reclaimed.lsn, seq_cst), COMMIT_WORLD_LSN);
    commit_advance_written(commit, end);
    (void)commit_wait_space(commit, 2 * RING_BYTES, clock_monotonic_ns() + nap_ns);
    assert_int_equal(ATOMIC_LOAD(&commit->reclaimed.lsn, seq_cst), COMMIT_WORLD_LSN);
    commit_advance_projected(commit, COMMIT_WORLD_LSN + 64);
    commit_enter();
    commit_leave();
    (void)commit_wait_space(commit, 2 * RING_BYTES, clock_monotonic_ns() + nap_ns);
    assert_true(
        commit_world_await(&commit->reclaimed, COMMIT_WORLD_LSN + 64, 5 * NANOSECONDS_PER_SECOND));
    assert_int_equal(ATOMIC_LOAD(&commit->reclaimed.lsn, seq_cst), COMMIT_WORLD_LSN + 64);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_rule_2_late_plant_is_cleaned, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_rule_2_late_plant_is_no_obstacle, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_rule_2_log_writer_does_not_wait, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_rule_2_late_plant_is_cleaned_before_helping_another,
                                        set_up_plain, tear_down),
        cmocka_unit_test_setup_teardown(test_rule_2_E_space_is_kept_for_two_grace_periods, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_E_held_section_keeps_its_record, set_up_plain,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_E_retiring_record_is_not_given_out, set_up_plain,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_E_unwritten_and_unapplied_records_stay, set_up_plain,
                                        tear_down),
    };

    (void)alarm(100);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
