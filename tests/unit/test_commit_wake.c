/* Does a sleeping log writer or follower wake for work and for a kick, also one that came just
 * before it slept, and is handed-over memory released after a grace period and not before? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "commit/commit.h"

#include "base/clock.h"

#include "support/commit_world.h"

#include <unistd.h>

#define SECOND NANOSECONDS_PER_SECOND
#define MS NANOSECONDS_PER_MILLISECOND
/* Nobody wakes the sleeper: the test has failed. */
#define FOREVER_NS (60 * SECOND)

static struct commit_world world;

static int set_up(void **unused) {
    (void)unused;
    commit_world_open_simple(&world, COMMIT_RING_BYTES_MIN, 64);
    return 0;
}

static int tear_down(void **unused) {
    (void)unused;
    commit_world_close(&world);
    return 0;
}

static _Atomic int awake;

static void *writer_sleep(void *unused) {
    (void)unused;
    commit_writer_sleep(world.commit, COMMIT_WORLD_LSN, FOREVER_NS);
    atomic_store(&awake, 1);
    return NULL;
}

static void *follower_sleep(void *unused) {
    (void)unused;
    commit_follower_sleep(world.commit, COMMIT_WORLD_LSN, FOREVER_NS);
    atomic_store(&awake, 1);
    return NULL;
}

static void start_asleep(pthread_t *thread, void *(*run)(void *),
                         const _Atomic uint64_t *wakes_at) {
    atomic_store(&awake, 0);
    assert_int_equal(pthread_create(thread, NULL, run, NULL), 0);
    while (ATOMIC_LOAD(wakes_at, seq_cst) == COMMIT_AWAKE) {
        clock_sleep_ns(MS / 10);
    }
    clock_sleep_ns(5 * MS);
    assert_int_equal(atomic_load(&awake), 0);
}

static void join_soon(pthread_t thread) {
    int64_t end_ns = clock_monotonic_ns() + FOREVER_NS / 2;

    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(clock_monotonic_ns() < end_ns);
}

static void test_commit_wakes_the_writer(void **unused) {
    pthread_t thread;

    (void)unused;
    start_asleep(&thread, writer_sleep, &world.commit->writer_wakes_at);
    commit_world_set(&world, 1, 1);
    join_soon(thread);
}

static void *writer_sleep_longer(void *unused) {
    (void)unused;
    commit_writer_sleep(world.commit, COMMIT_WORLD_LSN + 2 * RECORD_LINE_BYTES, FOREVER_NS);
    atomic_store(&awake, 1);
    return NULL;
}

/* Its position is that of the third record. */
static void test_commit_before_the_position_lets_the_writer_sleep(void **unused) {
    pthread_t thread;

    (void)unused;
    start_asleep(&thread, writer_sleep_longer, &world.commit->writer_wakes_at);
    commit_world_set(&world, 1, 1);
    commit_world_set(&world, 1, 2);
    assert_int_equal(ATOMIC_LOAD(&world.commit->reserved.lsn, relaxed),
                     COMMIT_WORLD_LSN + 2 * RECORD_LINE_BYTES);
    assert_int_equal(ATOMIC_LOAD(&world.commit->writer_epoch, relaxed), 0);
    commit_world_set(&world, 1, 3);
    join_soon(thread);
}

static void test_kick_wakes_the_writer(void **unused) {
    pthread_t thread;

    (void)unused;
    start_asleep(&thread, writer_sleep, &world.commit->writer_wakes_at);
    commit_writer_kick(world.commit);
    join_soon(thread);
}

static void test_written_wakes_the_follower(void **unused) {
    pthread_t thread;

    (void)unused;
    start_asleep(&thread, follower_sleep, &world.commit->follower_wakes_at);
    commit_world_set(&world, 1, 1);
    commit_drain_all(&world.drain);
    join_soon(thread);
}

static void test_kick_wakes_the_follower(void **unused) {
    pthread_t thread;

    (void)unused;
    start_asleep(&thread, follower_sleep, &world.commit->follower_wakes_at);
    commit_follower_kick(world.commit);
    join_soon(thread);
}

/* The sleeper has looked at what it is kicked for (a flag to stop, say), then the kick comes, then
 * it goes to sleep. */
static void test_kick_before_the_sleep_is_not_lost(void **unused) {
    int64_t start_ns = clock_monotonic_ns();

    (void)unused;
    commit_writer_kick(world.commit);
    commit_writer_sleep(world.commit, COMMIT_WORLD_LSN, FOREVER_NS);
    commit_follower_kick(world.commit);
    commit_follower_sleep(world.commit, COMMIT_WORLD_LSN, FOREVER_NS);
    assert_true(clock_monotonic_ns() - start_ns < FOREVER_NS / 2);
}

static void test_no_sleep_when_there_is_work(void **unused) {
    int64_t start_ns = clock_monotonic_ns();

    (void)unused;
    commit_world_set(&world, 1, 1);
    commit_writer_sleep(world.commit, COMMIT_WORLD_LSN, FOREVER_NS);
    commit_drain_all(&world.drain);
    commit_follower_sleep(world.commit, COMMIT_WORLD_LSN, FOREVER_NS);
    assert_true(clock_monotonic_ns() - start_ns < FOREVER_NS / 2);
}

static void test_sleep_times_out(void **unused) {
    int64_t start_ns = clock_monotonic_ns();

    (void)unused;
    commit_writer_sleep(world.commit, COMMIT_WORLD_LSN, 10 * MS);
    commit_follower_sleep(world.commit, COMMIT_WORLD_LSN, 10 * MS);
    assert_true(clock_monotonic_ns() - start_ns >= 20 * MS);
}

/* ---- Deferred release ---- */

struct thing {
    struct commit_deferred deferred;
    _Atomic int released;
};

static void release(struct commit_deferred *deferred, struct memory *memory) {
    struct thing *thing = (struct thing *)(void *)deferred;

    (void)memory;
    atomic_fetch_add(&thing->released, 1);
}

static bool await_released(struct thing *thing) {
    int64_t end_ns = clock_monotonic_ns() + 20 * SECOND;

    while (atomic_load(&thing->released) == 0) {
        if (clock_monotonic_ns() > end_ns) {
            return false;
        }
        clock_sleep_ns(MS / 4);
    }
    return true;
}

static void test_E_deferred_release_waits_for_sections(void **unused) {
    struct thing thing = {.deferred = {.release = release}};

    (void)unused;
    commit_enter();
    commit_enter();
    commit_defer(world.commit, &thing.deferred);
    commit_leave();
    clock_sleep_ns(60 * MS);
    assert_int_equal(atomic_load(&thing.released), 0);
    commit_leave();
    assert_true(await_released(&thing));
}

#define DEFERRERS 4
#define THINGS 500

static struct thing things[DEFERRERS][THINGS];

static void *defer_all(void *argument) {
    struct thing *mine = argument;

    for (int i = 0; i < THINGS; i++) {
        mine[i].deferred.release = release;
        commit_defer(world.commit, &mine[i].deferred);
    }
    return NULL;
}

static void test_E_every_deferred_is_released_once(void **unused) {
    pthread_t threads[DEFERRERS];

    (void)unused;
    for (int i = 0; i < DEFERRERS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, defer_all, things[i]), 0);
    }
    for (int i = 0; i < DEFERRERS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    for (int i = 0; i < DEFERRERS; i++) {
        for (int k = 0; k < THINGS; k++) {
            assert_true(await_released(&things[i][k]));
        }
    }
    clock_sleep_ns(5 * MS);
    for (int i = 0; i < DEFERRERS; i++) {
        for (int k = 0; k < THINGS; k++) {
            assert_int_equal(atomic_load(&things[i][k].released), 1);
        }
    }
}

/* What is handed over last is released by commit_destroy() at the latest. */
static void test_E_destroy_releases_the_rest(void **unused) {
    struct thing thing = {.deferred = {.release = release}};

    (void)unused;
    set_up(NULL);
    commit_defer(world.commit, &thing.deferred);
    tear_down(NULL);
    assert_int_equal(atomic_load(&thing.released), 1);
}

static _Atomic int inside;

static void *stay_inside(void *unused) {
    (void)unused;
    commit_enter();
    atomic_store(&inside, 1);
    clock_sleep_ns(40 * MS);
    atomic_store(&inside, 2);
    commit_leave();
    return NULL;
}

static void test_E_grace_period_waits_for_sections(void **unused) {
    pthread_t thread;

    (void)unused;
    atomic_store(&inside, 0);
    assert_int_equal(pthread_create(&thread, NULL, stay_inside, NULL), 0);
    while (atomic_load(&inside) == 0) {
        clock_sleep_ns(MS / 10);
    }
    commit_grace_period();
    assert_int_equal(atomic_load(&inside), 2);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_commit_wakes_the_writer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_commit_before_the_position_lets_the_writer_sleep,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_kick_wakes_the_writer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_written_wakes_the_follower, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_kick_wakes_the_follower, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_kick_before_the_sleep_is_not_lost, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_sleep_when_there_is_work, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_sleep_times_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_E_deferred_release_waits_for_sections, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_E_every_deferred_is_released_once, set_up, tear_down),
        cmocka_unit_test(test_E_destroy_releases_the_rest),
        cmocka_unit_test(test_E_grace_period_waits_for_sections),
    };

    (void)alarm(100);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
