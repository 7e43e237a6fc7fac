/* Do many waiting threads give turns to one another before they sleep, few do not, and nobody where
 * turns come back late? And does the next sync wait for half of them? (wait_turns() and
 * writer_crowd().) */
#include "log/log.h"

#include "base/clock.h"
#include "log/state.h"
#include "support/log_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#define SEGMENT_BYTES (UINT64_C(1) << 18)
#define MORE 400
#define SLOW_NS (4 * NANOSECONDS_PER_MILLISECOND)
#define POLL_NS 10000
#define BETWEEN_NS 300000
#define TRIES_MAX 200

/* What a turn of a waiter does, beside giving it. */
enum turn {
    TURN_QUICK,
    TURN_SLOW,
    TURN_DURABLE /* the sync that is held goes on, and what is waited for is durable */
};

static struct memory_disk *disk;
static struct log_fixture fixture;
static uint64_t waited_lsn;
static enum turn turn;
static _Atomic int turns;
static _Atomic int served;
static _Thread_local bool is_waiter;

static void await_durable(uint64_t lsn) {
    while (ATOMIC_LOAD(&fixture.commit->durable.lsn, acquire) <= lsn) {
        clock_sleep_ns(POLL_NS);
    }
}

/* In place of the C library's. */
int sched_yield(void) {
    if (is_waiter) {
        atomic_fetch_add(&turns, 1);
        if (turn == TURN_SLOW) {
            clock_sleep_ns(SLOW_NS);
        }
        if (turn == TURN_DURABLE) {
            memory_disk_hold_syncs(disk, false);
            await_durable(waited_lsn);
        }
    }
    return (int)syscall(SYS_sched_yield);
}

static void *wait_main(void *unused) {
    is_waiter = true;
    if (log_fixture_wait(&fixture, waited_lsn) == CELLAR_OK) {
        atomic_fetch_add(&served, 1);
    }
    return unused;
}

static void start_waiters(pthread_t *threads, uint32_t count) {
    pthread_attr_t attributes;

    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, (size_t)256 << 10);
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(pthread_create(&threads[i], &attributes, wait_main, NULL), 0);
    }
    pthread_attr_destroy(&attributes);
}

static void join_waiters(const pthread_t *threads, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        pthread_join(threads[i], NULL);
    }
}

static uint32_t asleep(void) {
    uint32_t sum = 0;
    for (int i = 0; i < WAIT_WORDS; i++) {
        sum += ATOMIC_LOAD(&fixture.log->wait.words[i].waiters, relaxed);
    }
    return sum;
}

static void await_asleep(uint32_t count) {
    while (asleep() != count) {
        clock_sleep_ns(POLL_NS);
    }
}

/* A record is written, and its sync held. */
static void open_held(enum turn kind) {
    disk = memory_disk_create();
    log_fixture_create(&fixture, disk, NULL, SEGMENT_BYTES);
    fixture.patience_ns = 60 * NANOSECONDS_PER_SECOND;
    assert_int_equal(log_fixture_open(&fixture), CELLAR_OK);
    log_fixture_settle(&fixture, disk);
    turn = kind;
    atomic_store(&turns, 0);
    atomic_store(&served, 0);
    memory_disk_hold_syncs(disk, true);
    waited_lsn = log_fixture_commit(&fixture);
    while (ATOMIC_LOAD(&fixture.commit->written.lsn, acquire) <= waited_lsn) {
        clock_sleep_ns(POLL_NS);
    }
}

static void close_released(void) {
    assert_int_equal(asleep(), 0);
    assert_int_equal(wait_crowd(&fixture.log->wait), 0);
    assert_int_equal(log_fixture_close(&fixture), CELLAR_OK);
    log_fixture_destroy(&fixture);
    memory_disk_destroy(disk);
}

static void few_sleep_and_one_more_gives_turns(void **state) {
    pthread_t threads[WAIT_CROWD_MIN + 1];

    (void)state;
    open_held(TURN_QUICK);
    start_waiters(threads, WAIT_CROWD_MIN);
    await_asleep(WAIT_CROWD_MIN);
    assert_int_equal(atomic_load(&turns), 0);
    start_waiters(&threads[WAIT_CROWD_MIN], 1);
    await_asleep(WAIT_CROWD_MIN + 1);
    assert_int_equal(atomic_load(&turns), WAIT_TURNS_MAX);
    memory_disk_hold_syncs(disk, false);
    join_waiters(threads, WAIT_CROWD_MIN + 1);
    assert_int_equal(atomic_load(&served), WAIT_CROWD_MIN + 1);
    close_released();
}

static void a_turn_that_finds_the_record_durable_is_the_last(void **state) {
    pthread_t threads[WAIT_CROWD_MIN + 1];

    (void)state;
    open_held(TURN_DURABLE);
    start_waiters(threads, WAIT_CROWD_MIN);
    await_asleep(WAIT_CROWD_MIN);
    start_waiters(&threads[WAIT_CROWD_MIN], 1);
    join_waiters(threads, WAIT_CROWD_MIN + 1);
    assert_int_equal(atomic_load(&turns), 1);
    assert_int_equal(atomic_load(&served), WAIT_CROWD_MIN + 1);
    close_released();
}

static void slow_turns_end_them_for_a_while(void **state) {
    static pthread_t threads[WAIT_CROWD_MIN + MORE + 1];

    (void)state;
    open_held(TURN_SLOW);
    start_waiters(threads, WAIT_CROWD_MIN + MORE);
    await_asleep(WAIT_CROWD_MIN + MORE);
    /* They stopped before each had given all of his turns. */
    assert_true(ATOMIC_LOAD(&fixture.log->wait.turns_from_ns, relaxed) != 0);
    assert_true(atomic_load(&turns) < MORE * WAIT_TURNS_MAX);
    /* However long this test is interrupted now. */
    ATOMIC_STORE(&fixture.log->wait.turns_from_ns, INT64_MAX, relaxed);
    int before = atomic_load(&turns);
    start_waiters(&threads[WAIT_CROWD_MIN + MORE], 1);
    await_asleep(WAIT_CROWD_MIN + MORE + 1);
    assert_int_equal(atomic_load(&turns), before);
    memory_disk_hold_syncs(disk, false);
    join_waiters(threads, WAIT_CROWD_MIN + MORE + 1);
    assert_int_equal(atomic_load(&served), WAIT_CROWD_MIN + MORE + 1);
    close_released();
}

static void a_deadline_that_has_passed_gives_no_turn(void **state) {
    pthread_t threads[WAIT_CROWD_MIN];

    (void)state;
    open_held(TURN_QUICK);
    start_waiters(threads, WAIT_CROWD_MIN);
    await_asleep(WAIT_CROWD_MIN);
    is_waiter = true;
    assert_int_equal(log_wait(fixture.log, waited_lsn, 0), CELLAR_TIMEOUT);
    is_waiter = false;
    assert_int_equal(atomic_load(&turns), 0);
    memory_disk_hold_syncs(disk, false);
    join_waiters(threads, WAIT_CROWD_MIN);
    close_released();
}

/* False when this thread lost its turn, so that the writer went on without waiting for more. */
static bool serve_half(uint32_t back, uint64_t *syncs_out) {
    pthread_t threads[WAIT_CROWD_MIN];

    open_held(TURN_QUICK);
    start_waiters(threads, WAIT_CROWD_MIN);
    await_asleep(WAIT_CROWD_MIN);
    uint64_t syncs = memory_disk_calls(disk, MEMORY_FDATASYNC);
    int64_t began_ns = clock_monotonic_ns();
    memory_disk_hold_syncs(disk, false);
    await_durable(waited_lsn);
    uint64_t lsn = 0;
    for (uint32_t i = 0; i < back; i++) {
        lsn = log_fixture_commit(&fixture);
        if (i == 0) {
            /* Long enough for a sync of the one that has come. */
            clock_sleep_ns(BETWEEN_NS);
        }
    }
    bool calm = clock_monotonic_ns() - began_ns < WRITER_CROWD_NS;
    await_durable(lsn);
    *syncs_out = memory_disk_calls(disk, MEMORY_FDATASYNC) - syncs;
    join_waiters(threads, WAIT_CROWD_MIN);
    close_released();
    return calm;
}

static void half_of_a_crowd_is_served_by_one_sync(void **state) {
    uint64_t syncs = 0;
    int tries = 0;

    (void)state;
    while (!serve_half(WAIT_CROWD_MIN / 2, &syncs)) {
        assert_true(++tries < TRIES_MAX);
    }
    assert_int_equal(syncs, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(few_sleep_and_one_more_gives_turns),
        cmocka_unit_test(a_turn_that_finds_the_record_durable_is_the_last),
        cmocka_unit_test(slow_turns_end_them_for_a_while),
        cmocka_unit_test(a_deadline_that_has_passed_gives_no_turn),
        cmocka_unit_test(half_of_a_crowd_is_served_by_one_sync),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
