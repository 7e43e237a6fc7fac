/* Is nothing reserved beyond the limits, does a caller without space get its answer at once inside
 * a section and wait only outside, and does every line have a state word of its own? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "commit/ring.h"

#include "base/clock.h"

#include "support/commit_world.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RING_BYTES COMMIT_RING_BYTES_MIN
#define MS NANOSECONDS_PER_MILLISECOND

static struct commit_world world;
static struct commit_plan plan;

static int set_up(void **unused) {
    (void)unused;
    commit_world_open_simple(&world, RING_BYTES, 512);
    commit_plan_make(&plan, 512);
    return 0;
}

static int tear_down(void **unused) {
    (void)unused;
    commit_plan_free(&plan);
    commit_world_close(&world);
    return 0;
}

static uint64_t position(const struct commit_position *at) {
    return ATOMIC_LOAD(&at->lsn, seq_cst);
}

static enum commit_outcome add_one(uint64_t *lsn_out) {
    commit_plan_clear(&plan);
    commit_plan_add(&plan, world.commit, 1, 1);
    return commit_plan_try(&plan, world.commit, lsn_out);
}

/* Commits until the ring is full; returns how many. */
static unsigned fill(void) {
    uint64_t lsn = 0;
    unsigned count = 0;

    while (add_one(&lsn) == COMMIT_DONE) {
        count++;
    }
    return count;
}

/* ---- State words ---- */

static void test_state_words_are_a_bijection(void **unused) {
    (void)unused;
    for (uint64_t bytes = COMMIT_RING_BYTES_MIN; bytes <= COMMIT_RING_BYTES_MIN << 6; bytes *= 2) {
        uint64_t lines = bytes / 64;
        struct commit fake;
        memset(&fake, 0, sizeof fake);
        fake.line_mask = lines - 1;
        fake.line_shift = (uint32_t)__builtin_ctzll(lines) - 3;
        fake.states = calloc(lines, sizeof *fake.states);
        assert_non_null(fake.states);
        for (uint64_t line = 0; line < lines; line++) {
            _Atomic uint64_t *word = ring_state(&fake, (line + 3 * lines) * 64);
            assert_true(word >= fake.states);
            assert_true(word < fake.states + lines);
            assert_int_equal(*word, 0);
            *word = 1;
            /* The next line's word is on another cache line. */
            ptrdiff_t apart = ring_state(&fake, (line + 1) * 64) - ring_state(&fake, line * 64);
            assert_true(llabs(apart) >= 7);
        }
        free((void *)fake.states);
    }
}

static void test_ring_shift_is_what_the_test_assumes(void **unused) {
    (void)unused;
    assert_int_equal(world.commit->line_mask, RING_BYTES / 64 - 1);
    assert_int_equal(world.commit->line_shift, __builtin_ctzll(RING_BYTES / 64) - 3);
}

/* ---- Rule 13 ---- */

static void test_rule_13_cells_payload_and_share_of_the_ring(void **unused) {
    struct commit fake = {.ring_bytes = UINT64_C(1) << 24};

    (void)unused;
    assert_int_equal(commit_request_bytes(&fake, 1, 0), 64);
    assert_int_equal(commit_request_bytes(&fake, 3, 8), 128);
    assert_int_equal(commit_request_bytes(&fake, RECORD_CELLS_MAX, 0), 32 + 28 * 16384);
    assert_int_equal(commit_request_bytes(&fake, RECORD_CELLS_MAX + 1, 0), 0);
    assert_int_equal(commit_request_bytes(&fake, UINT32_MAX, 0), 0);
    assert_int_equal(commit_request_bytes(&fake, 1, RECORD_PAYLOAD_MAX), 64 + RECORD_PAYLOAD_MAX);
    assert_int_equal(commit_request_bytes(&fake, 1, RECORD_PAYLOAD_MAX + 1), 0);
    assert_int_equal(commit_request_bytes(&fake, 1, UINT64_MAX), 0);
    fake.ring_bytes = UINT64_C(1) << 16;
    assert_int_equal(commit_request_bytes(&fake, 0, (1 << 13) - 32), 1 << 13);
    assert_int_equal(commit_request_bytes(&fake, 0, (1 << 13) - 31), 0);
    assert_int_equal(commit_request_bytes(&fake, 0, (1 << 13) - 33), (1 << 13) - 1);
}

static void test_rule_13_eighth_of_the_ring_commits(void **unused) {
    static const unsigned char payload[RING_BYTES / 8 - 64] = {1, 2, 3};
    uint64_t lsn = 0;

    (void)unused;
    commit_plan_add(&plan, world.commit, 1, 1);
    plan.request.payload = payload;
    plan.request.payload_bytes = sizeof payload;
    /* From wherever the ring stands: also across its end. */
    for (int i = 0; i < 20; i++) {
        assert_int_equal(commit_plan_try(&plan, world.commit, &lsn), COMMIT_DONE);
        commit_enter();
        const struct record_header *record = commit_record(world.commit, lsn);
        assert_int_equal(record->bytes, RING_BYTES / 8);
        assert_memory_equal(record_payload(record), payload, sizeof payload);
        commit_leave();
        commit_drain_all(&world.drain);
        commit_world_reclaim_all(&world);
        commit_plan_clear(&plan);
        commit_plan_add(&plan, world.commit, 1, 1);
    }
}

static void test_rule_13_create_refuses_bad_limits(void **unused) {
    static const struct {
        uint64_t ring_bytes;
        uint32_t slots;
        cellar_status status;
    } rows[] = {
        {0, 1, CELLAR_INVALID_ARGUMENT},
        {COMMIT_RING_BYTES_MIN / 2, 1, CELLAR_INVALID_ARGUMENT},
        {COMMIT_RING_BYTES_MIN * 3, 1, CELLAR_INVALID_ARGUMENT},
        {COMMIT_RING_BYTES_MAX * 2, 1, CELLAR_INVALID_ARGUMENT},
        {COMMIT_RING_BYTES_MIN, CELL_SLOT_COUNT + 1, CELLAR_INVALID_ARGUMENT},
        {COMMIT_RING_BYTES_MIN, CELL_SLOT_COUNT, CELLAR_OK},
        {COMMIT_RING_BYTES_MIN, 0, CELLAR_OK},
    };

    (void)unused;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct commit *commit = NULL;
        struct commit_config config = {.ring_bytes = rows[i].ring_bytes, .memory = world.memory};
        config.limits[3] = rows[i].slots;
        assert_int_equal(commit_create(&commit, &config), rows[i].status);
        if (commit != NULL) {
            commit_destroy(commit);
        }
    }
}

static void test_rule_13_full_ring(void **unused) {
    uint64_t lsn = 0;

    (void)unused;
    assert_int_equal(fill(), RING_BYTES / 64);
    assert_int_equal(position(&world.commit->reserved), COMMIT_WORLD_LSN + RING_BYTES);
    int64_t before = commit_world_read(&world, 1).value;
    assert_int_equal(add_one(&lsn), COMMIT_FULL);
    assert_int_equal(commit_world_read(&world, 1).value, before);
    commit_drain_all(&world.drain);
    commit_world_reclaim_all(&world);
    assert_int_equal(fill(), RING_BYTES / 64);
}

static void test_rule_13_disk_end_is_a_limit(void **unused) {
    struct commit *commit = NULL;
    struct commit_config config = {.ring_bytes = RING_BYTES, .limits = {8}, .memory = world.memory};
    struct commit_plan one;
    uint64_t lsn = 0;

    (void)unused;
    assert_int_equal(commit_create(&commit, &config), CELLAR_OK);
    assert_int_equal(commit_start(commit, 6400), CELLAR_OK);
    commit_plan_make(&one, 3);
    for (uint32_t cell = 0; cell < 3; cell++) {
        commit_plan_add(&one, commit, cell, 1);
    }
    assert_int_equal(commit_plan_try(&one, commit, &lsn), COMMIT_FULL);
    assert_false(commit_wait_space(commit, 1, INT64_MIN));
    commit_advance_disk_end(commit, 6400 + 64);
    assert_int_equal(commit_plan_try(&one, commit, &lsn), COMMIT_FULL);
    assert_true(commit_wait_space(commit, 64, INT64_MIN));
    assert_false(commit_wait_space(commit, 65, INT64_MIN));
    commit_advance_disk_end(commit, 6400 + 128);
    assert_int_equal(commit_plan_try(&one, commit, &lsn), COMMIT_DONE);
    assert_int_equal(lsn, 6400);
    commit_advance_disk_end(commit, 6400 + 4 * RING_BYTES);
    /* The ring is the nearer limit now. */
    assert_int_equal(position(&commit->limit), 6400 + RING_BYTES);
    commit_plan_free(&one);
    commit_destroy(commit);
}

/* ---- Rule 3 ---- */

/* Inside a section a full ring is an answer, not a wait: even when the section itself is what
 * keeps the space from being given back. */
static void test_rule_3_full_is_answered_inside_a_section(void **unused) {
    uint64_t lsn = 0;

    (void)unused;
    commit_enter();
    fill();
    commit_drain_all(&world.drain);
    int64_t start_ns = clock_monotonic_ns();
    for (int i = 0; i < 100; i++) {
        assert_int_equal(add_one(&lsn), COMMIT_FULL);
    }
    assert_true(clock_monotonic_ns() - start_ns < 5 * NANOSECONDS_PER_SECOND);
    assert_int_equal(position(&world.commit->reclaimed), COMMIT_WORLD_LSN);
    commit_leave();
    assert_true(commit_wait_space(world.commit, 64, INT64_MAX));
    assert_int_equal(add_one(&lsn), COMMIT_DONE);
}

static void test_rule_3_wait_for_space_has_a_deadline(void **unused) {
    static const int64_t past[] = {INT64_MIN, INT64_MIN + 1, -1, 0, 1};

    (void)unused;
    assert_true(commit_wait_space(world.commit, 64, INT64_MIN));
    fill();
    for (size_t i = 0; i < sizeof past / sizeof *past; i++) {
        assert_false(commit_wait_space(world.commit, 64, past[i]));
    }
    int64_t start_ns = clock_monotonic_ns();
    assert_false(commit_wait_space(world.commit, 64, start_ns + 30 * MS));
    int64_t passed_ns = clock_monotonic_ns() - start_ns;
    assert_true(passed_ns >= 30 * MS);
    assert_true(passed_ns < 10 * NANOSECONDS_PER_SECOND);
    assert_int_equal(ATOMIC_LOAD(&world.commit->space_waiters, relaxed), 0);
}

static _Atomic int returned;

static void *wait_for_space(void *unused) {
    (void)unused;
    bool found = commit_wait_space(world.commit, 64, INT64_MAX);
    atomic_store(&returned, found ? 1 : 2);
    return NULL;
}

static void start_waiter(pthread_t *thread) {
    atomic_store(&returned, 0);
    assert_int_equal(pthread_create(thread, NULL, wait_for_space, NULL), 0);
    while (ATOMIC_LOAD(&world.commit->space_waiters, relaxed) == 0) {
        clock_sleep_ns(MS / 10);
    }
    assert_int_equal(atomic_load(&returned), 0);
}

static void test_rule_3_waiter_is_woken_by_space(void **unused) {
    pthread_t thread;

    (void)unused;
    fill();
    start_waiter(&thread);
    commit_drain_all(&world.drain);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(atomic_load(&returned), 1);
}

static void test_rule_3_waiter_is_woken_by_stop(void **unused) {
    pthread_t thread;

    (void)unused;
    fill();
    start_waiter(&thread);
    commit_stop(world.commit);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(atomic_load(&returned), 2);
}

/* A little space, far less than a quarter of the ring: given back because somebody waits for it,
 * and told by whichever position comes last. */
static void test_rule_3_waiter_gets_little_space_at_once(void **unused) {
    struct commit_config config = {.ring_bytes = RING_BYTES, .limits = {64, 64}, .followed = true};
    pthread_t thread;

    (void)unused;
    commit_world_close(&world);
    commit_world_open(&world, &config);
    fill();
    assert_true(commit_drain_step(&world.drain));
    uint64_t decided = position(&world.commit->decided);
    commit_advance_written(world.commit, decided);
    start_waiter(&thread);
    commit_advance_projected(world.commit, decided);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(atomic_load(&returned), 1);
    assert_int_equal(position(&world.commit->limit), decided + RING_BYTES);
}

/* Without the kicks a waiter would find space by itself, but 20 ms later. */
static void test_rule_3_whoever_makes_space_tells(void **unused) {
    struct commit_config config = {.ring_bytes = RING_BYTES, .limits = {64, 64}, .followed = true};

    (void)unused;
    commit_world_close(&world);
    commit_world_open(&world, &config);
    struct commit *commit = world.commit;
    fill();
    while (commit_drain_step(&world.drain)) {
    }
    uint64_t decided = position(&commit->decided);
    /* As if somebody waited. */
    ATOMIC_STORE(&commit->space_waiters, 1, seq_cst);
    uint32_t epoch = ATOMIC_LOAD(&commit->reclaim_epoch, seq_cst);
    commit_advance_written(commit, COMMIT_WORLD_LSN + 64);
    assert_int_not_equal(ATOMIC_LOAD(&commit->reclaim_epoch, seq_cst), epoch);
    epoch = ATOMIC_LOAD(&commit->reclaim_epoch, seq_cst);
    commit_advance_projected(commit, COMMIT_WORLD_LSN + 64);
    assert_int_not_equal(ATOMIC_LOAD(&commit->reclaim_epoch, seq_cst), epoch);
    assert_true(commit_world_await(&commit->limit, COMMIT_WORLD_LSN + 64 + RING_BYTES,
                                   10 * NANOSECONDS_PER_SECOND));
    /* Nobody waits: a quarter of the ring is worth it. */
    ATOMIC_STORE(&commit->space_waiters, 0, seq_cst);
    commit_advance_written(commit, decided);
    epoch = ATOMIC_LOAD(&commit->reclaim_epoch, seq_cst);
    commit_advance_projected(commit, COMMIT_WORLD_LSN + 128);
    assert_int_equal(ATOMIC_LOAD(&commit->reclaim_epoch, seq_cst), epoch);
    commit_advance_projected(commit, COMMIT_WORLD_LSN + RING_BYTES / 2);
    assert_int_not_equal(ATOMIC_LOAD(&commit->reclaim_epoch, seq_cst), epoch);
    epoch = ATOMIC_LOAD(&commit->space_epoch, seq_cst);
    commit_stop(commit);
    assert_int_not_equal(ATOMIC_LOAD(&commit->space_epoch, seq_cst), epoch);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_state_words_are_a_bijection),
        cmocka_unit_test_setup_teardown(test_ring_shift_is_what_the_test_assumes, set_up,
                                        tear_down),
        cmocka_unit_test(test_rule_13_cells_payload_and_share_of_the_ring),
        cmocka_unit_test_setup_teardown(test_rule_13_eighth_of_the_ring_commits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_rule_13_create_refuses_bad_limits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_rule_13_full_ring, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_rule_13_disk_end_is_a_limit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_rule_3_full_is_answered_inside_a_section, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_rule_3_wait_for_space_has_a_deadline, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_rule_3_waiter_is_woken_by_space, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_rule_3_waiter_is_woken_by_stop, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_rule_3_whoever_makes_space_tells, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_rule_3_waiter_gets_little_space_at_once, set_up,
                                        tear_down),
    };

    (void)alarm(100);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
