/* Does a wide transaction starve among rivals, and does courtesy, for a bounded time, get it
 * through (rule 7)? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "commit/commit.h"

#include "base/assert.h"
#include "base/clock.h"

#include "support/commit_world.h"

#include <unistd.h>

/* As many cells as the widest order of the real data that was looked at. */
#define WIDE_CELLS 675
#define RING_BYTES (UINT64_C(1) << 22)
#define MS NANOSECONDS_PER_MILLISECOND
#define OWNER 1
#define RIVAL 2
#define ATTEMPTS_BEFORE_COURTESY 4

static struct commit_world world;
static struct commit_plan wide;

static int set_up(void **unused) {
    (void)unused;
    commit_world_open_simple(&world, RING_BYTES, WIDE_CELLS);
    commit_plan_make(&wide, WIDE_CELLS);
    /* The owner is stopped before it publishes, and is not to be passed over meanwhile. */
    world.drain.patience_ns = 3600 * NANOSECONDS_PER_SECOND;
    commit_drain_start(&world.drain);
    return 0;
}

static int tear_down(void **unused) {
    (void)unused;
    commit_drain_stop(&world.drain);
    commit_plan_free(&wide);
    commit_world_close(&world);
    return 0;
}

/* One attempt, everything read afresh. */
static enum commit_outcome try_wide(uint64_t *lsn_out) {
    commit_plan_clear(&wide);
    for (uint32_t cell = 0; cell < WIDE_CELLS; cell++) {
        commit_plan_add(&wide, world.commit, cell, 1);
    }
    return commit_plan_try(&wide, world.commit, lsn_out);
}

/* ---- A rival that is asked for one commit at a time ---- */

static _Atomic unsigned asked;
static _Atomic unsigned done;
static _Atomic unsigned held_back;
static _Atomic int stopping;

static void note_held_back(void *unused) {
    (void)unused;
    atomic_fetch_add(&held_back, 1);
}

static void *rival_run(void *unused) {
    struct commit_plan plan;
    uint64_t lsn = 0;

    (void)unused;
    commit_gate_name(RIVAL);
    commit_plan_make(&plan, 1);
    while (atomic_load(&stopping) == 0) {
        if (atomic_load(&asked) == atomic_load(&done)) {
            clock_sleep_ns(MS / 50);
            continue;
        }
        commit_hold_back(world.commit, false);
        enum commit_outcome outcome = COMMIT_FULL;
        while (outcome != COMMIT_DONE && atomic_load(&stopping) == 0) {
            commit_plan_clear(&plan);
            commit_plan_add(&plan, world.commit, WIDE_CELLS / 2, 1);
            outcome = commit_plan_try(&plan, world.commit, &lsn);
        }
        atomic_fetch_add(&done, 1);
    }
    commit_plan_free(&plan);
    return NULL;
}

/* The owner has read all cells and reserved: a rival wants one of them now. Goes on when the rival
 * has it, or holds back. */
static void let_rival_in(void *unused) {
    unsigned held = atomic_load(&held_back);
    unsigned wanted = atomic_fetch_add(&asked, 1) + 1;

    (void)unused;
    while (atomic_load(&done) != wanted && atomic_load(&held_back) == held) {
        clock_sleep_ns(MS / 50);
    }
}

static void start_rival(pthread_t *rival) {
    atomic_store(&asked, 0);
    atomic_store(&done, 0);
    atomic_store(&held_back, 0);
    atomic_store(&stopping, 0);
    assert_int_equal(pthread_create(rival, NULL, rival_run, NULL), 0);
    commit_gate_name(OWNER);
    commit_gate_call(OWNER, "commit-reserved", let_rival_in, NULL);
    commit_gate_call(RIVAL, "hold-back", note_held_back, NULL);
}

static void stop_rival(pthread_t rival) {
    commit_gate_name(0);
    atomic_store(&stopping, 1);
    assert_int_equal(pthread_join(rival, NULL), 0);
}

/* The rival gets in between reading and installing every time, and so the wide one never commits:
 * it is not a matter of luck. */
static void test_rule_7_starves_without_courtesy(void **unused) {
    pthread_t rival;
    uint64_t lsn = 0;

    (void)unused;
    start_rival(&rival);
    for (int attempt = 0; attempt < 50; attempt++) {
        assert_int_equal(try_wide(&lsn), COMMIT_CONFLICT);
    }
    assert_int_equal(atomic_load(&done), 50);
    stop_rival(rival);
}

/* The same rival, the same moments, but the owner asks after four attempts. */
static void test_rule_7_courtesy_gets_it_through(void **unused) {
    pthread_t rival;
    uint64_t lsn = 0;
    int attempts = 0;
    enum commit_outcome outcome = COMMIT_CONFLICT;

    (void)unused;
    start_rival(&rival);
    while (outcome != COMMIT_DONE) {
        int64_t granted = 0;
        if (++attempts > ATTEMPTS_BEFORE_COURTESY) {
            granted = commit_courtesy_ask(world.commit, 0);
            assert_true(granted != 0);
            commit_hold_back(world.commit, true);
        }
        outcome = try_wide(&lsn);
        if (granted != 0) {
            commit_courtesy_release(world.commit, granted);
        }
        if (outcome == COMMIT_FULL) {
            (void)commit_wait_space(world.commit, 20000, clock_monotonic_ns() + 100 * MS);
        }
        assert_true(attempts < 2000);
    }
    assert_true(attempts > ATTEMPTS_BEFORE_COURTESY);
    assert_true(atomic_load(&held_back) > 0);
    stop_rival(rival);
    for (uint32_t cell = 0; cell < WIDE_CELLS; cell++) {
        assert_true(commit_world_read(&world, cell).version >= lsn);
    }
}

/* ---- The word itself ---- */

static void test_rule_7_one_at_a_time(void **unused) {
    struct commit *commit = world.commit;

    (void)unused;
    int64_t first = commit_courtesy_ask(commit, 0);
    assert_true(first != 0);
    if (clock_monotonic_ns() < first - MS / 2) {
        assert_int_equal(commit_courtesy_ask(commit, 0), 0);
    }
    commit_courtesy_release(commit, first);
    int64_t second = commit_courtesy_ask(commit, 0);
    assert_true(second != 0);
    /* What ended already ends nothing. */
    commit_courtesy_release(commit, first);
    assert_int_equal(ATOMIC_LOAD(&commit->courtesy_until_ns, relaxed), second);
    commit_courtesy_release(commit, second);
    assert_int_equal(ATOMIC_LOAD(&commit->courtesy_until_ns, relaxed), 0);
}

/* Nobody ever releases it: the owner died. Others go on after a millisecond, and another may ask.
 */
static void test_rule_7_expires_by_itself(void **unused) {
    struct commit *commit = world.commit;

    (void)unused;
    int64_t start_ns = clock_monotonic_ns();
    int64_t granted = commit_courtesy_ask(commit, 0);
    int64_t asked_ns = clock_monotonic_ns();
    assert_true(granted >= start_ns + COMMIT_COURTESY_MIN_NS);
    assert_true(granted <= asked_ns + COMMIT_COURTESY_MIN_NS);
    commit_hold_back(commit, false);
    assert_true(clock_monotonic_ns() >= granted);
    commit_hold_back(commit, false);
    int64_t next = commit_courtesy_ask(commit, 0);
    assert_true(next > granted);
    commit_courtesy_release(commit, next);
}

/* As long as an attempt of the owner takes, but bounded: an owner that dies costs that much. */
static void test_rule_7_lasts_as_needed(void **unused) {
    struct commit *commit = world.commit;
    static const struct {
        int64_t needed_ns;
        int64_t lasts_ns;
    } cases[] = {
        {INT64_MIN, COMMIT_COURTESY_MIN_NS},
        {COMMIT_COURTESY_MIN_NS - 1, COMMIT_COURTESY_MIN_NS},
        {COMMIT_COURTESY_MIN_NS, COMMIT_COURTESY_MIN_NS},
        {COMMIT_COURTESY_MIN_NS + 1, COMMIT_COURTESY_MIN_NS + 1},
        {COMMIT_COURTESY_MAX_NS, COMMIT_COURTESY_MAX_NS},
        {COMMIT_COURTESY_MAX_NS + 1, COMMIT_COURTESY_MAX_NS},
        {INT64_MAX, COMMIT_COURTESY_MAX_NS},
    };

    (void)unused;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t start_ns = clock_monotonic_ns();
        int64_t granted = commit_courtesy_ask(commit, cases[i].needed_ns);
        int64_t asked_ns = clock_monotonic_ns();
        assert_true(granted >= start_ns + cases[i].lasts_ns);
        assert_true(granted <= asked_ns + cases[i].lasts_ns);
        commit_courtesy_release(commit, granted);
    }
}

static void test_rule_7_release_lets_others_go_on_at_once(void **unused) {
    struct commit *commit = world.commit;
    int64_t far_ns = clock_monotonic_ns() + 3600 * NANOSECONDS_PER_SECOND;

    (void)unused;
    /* As if a millisecond were an hour. */
    ATOMIC_STORE(&commit->courtesy_until_ns, far_ns, relaxed);
    commit_hold_back(commit, true);
    commit_courtesy_release(commit, far_ns);
    commit_hold_back(commit, false);
    assert_true(clock_monotonic_ns() < far_ns);
}

/* Rivals at full speed, on threads of their own, polite ones. */
#define CROWD 3

static void *crowd_run(void *argument) {
    struct commit_plan plan;
    uint64_t lsn = 0;
    uint32_t cell = *(const uint32_t *)argument;

    commit_plan_make(&plan, 2);
    while (atomic_load(&stopping) == 0) {
        commit_hold_back(world.commit, false);
        commit_plan_clear(&plan);
        commit_plan_add(&plan, world.commit, cell % 600, 1);
        commit_plan_add(&plan, world.commit, 600 + cell % 75, -1);
        if (commit_plan_try(&plan, world.commit, &lsn) == COMMIT_FULL) {
            (void)commit_wait_space(world.commit, 128, clock_monotonic_ns() + 100 * MS);
        }
        cell += 7;
    }
    commit_plan_free(&plan);
    return NULL;
}

static void test_rule_7_commits_against_a_crowd(void **unused) {
    static uint32_t firsts[CROWD] = {1, 200, 400};
    pthread_t crowd[CROWD];
    uint64_t lsn = 0;

    (void)unused;
    atomic_store(&stopping, 0);
    for (int i = 0; i < CROWD; i++) {
        assert_int_equal(pthread_create(&crowd[i], NULL, crowd_run, &firsts[i]), 0);
    }
    int64_t end_ns = clock_monotonic_ns() + 40 * NANOSECONDS_PER_SECOND;
    for (int commits = 0; commits < 5;) {
        assert_true(clock_monotonic_ns() < end_ns);
        int64_t granted = commit_courtesy_ask(world.commit, 0);
        enum commit_outcome outcome = try_wide(&lsn);
        commits += outcome == COMMIT_DONE;
        commit_courtesy_release(world.commit, granted);
        if (outcome == COMMIT_FULL) {
            (void)commit_wait_space(world.commit, 20000, clock_monotonic_ns() + 100 * MS);
        }
    }
    atomic_store(&stopping, 1);
    for (int i = 0; i < CROWD; i++) {
        assert_int_equal(pthread_join(crowd[i], NULL), 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_rule_7_starves_without_courtesy, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_rule_7_courtesy_gets_it_through, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_rule_7_one_at_a_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_rule_7_expires_by_itself, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_rule_7_lasts_as_needed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_rule_7_release_lets_others_go_on_at_once, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_rule_7_commits_against_a_crowd, set_up, tear_down),
    };

    (void)alarm(100);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
