/* Does a sleeper wake when it is woken, when its time is up, when a signal comes and when the word
 * had changed already, and do no more wake than were asked for? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/futex.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SLEEPERS 4

static _Atomic uint32_t word;
static _Atomic int woken;
static _Atomic int thread_ids[SLEEPERS];

static int set_up(void **unused) {
    (void)unused;
    atomic_store(&word, 0);
    atomic_store(&woken, 0);
    for (int i = 0; i < SLEEPERS; i++) {
        atomic_store(&thread_ids[i], 0);
    }
    return 0;
}

/* The kernel's letter for the state of a thread: S while it sleeps. */
static char state_of(int thread_id) {
    char path[64];
    char state = 'S';

    (void)snprintf(path, sizeof path, "/proc/self/task/%d/stat", thread_id);
    FILE *file = fopen(path, "r");
    if (file != NULL) {
        if (fscanf(file, "%*d %*s %c", &state) != 1) {
            state = '?';
        }
        (void)fclose(file);
    }
    return state;
}

/* The thread id is stored last before the wait, so a thread seen asleep after that is in the wait.
 */
static void await_sleep(int sleeper) {
    while (atomic_load(&thread_ids[sleeper]) == 0 ||
           state_of(atomic_load(&thread_ids[sleeper])) != 'S') {
        clock_sleep_ns(NANOSECONDS_PER_MILLISECOND);
    }
}

static void *sleep_once(void *argument) {
    intptr_t sleeper = (intptr_t)argument;

    atomic_store(&thread_ids[sleeper], (int)syscall(SYS_gettid));
    futex_wait(&word, 0, -1);
    atomic_fetch_add(&woken, 1);
    return NULL;
}

static void await_woken(int count) {
    while (atomic_load(&woken) < count) {
        clock_sleep_ns(NANOSECONDS_PER_MILLISECOND);
    }
}

static void test_changed_word_does_not_sleep(void **unused) {
    (void)unused;
    atomic_store(&word, 1);
    futex_wait(&word, 0, -1);
    futex_wait(&word, 0, 1000 * NANOSECONDS_PER_SECOND);
}

static void test_timeout(void **unused) {
    int64_t start_ns = clock_monotonic_ns();

    (void)unused;
    errno = 0;
    futex_wait(&word, 0, 20 * NANOSECONDS_PER_MILLISECOND);
    int64_t passed_ns = clock_monotonic_ns() - start_ns;
    assert_true(passed_ns >= 20 * NANOSECONDS_PER_MILLISECOND);
    assert_true(passed_ns < 10 * NANOSECONDS_PER_SECOND);
    assert_int_equal(errno, 0);
}

static void test_zero_timeout_returns_at_once(void **unused) {
    int64_t start_ns = clock_monotonic_ns();

    (void)unused;
    futex_wait(&word, 0, 0);
    assert_true(clock_monotonic_ns() - start_ns < 5 * NANOSECONDS_PER_SECOND);
}

static void test_wake_one_then_all(void **unused) {
    pthread_t threads[SLEEPERS];

    (void)unused;
    for (intptr_t i = 0; i < SLEEPERS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, sleep_once, (void *)i), 0);
    }
    for (int i = 0; i < SLEEPERS; i++) {
        await_sleep(i);
    }
    futex_wake(&word, 0);
    clock_sleep_ns(20 * NANOSECONDS_PER_MILLISECOND);
    assert_int_equal(atomic_load(&woken), 0);
    futex_wake(&word, 1);
    await_woken(1);
    clock_sleep_ns(20 * NANOSECONDS_PER_MILLISECOND);
    assert_int_equal(atomic_load(&woken), 1);
    futex_wake(&word, FUTEX_ALL);
    for (int i = 0; i < SLEEPERS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_int_equal(atomic_load(&woken), SLEEPERS);
}

static void test_wake_without_sleepers(void **unused) {
    (void)unused;
    futex_wake(&word, 1);
    futex_wake(&word, FUTEX_ALL);
}

static void on_signal(int number) {
    (void)number;
}

static void test_signal_ends_the_wait(void **unused) {
    struct sigaction action = {.sa_handler = on_signal};
    pthread_t thread;

    (void)unused;
    assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
    assert_int_equal(pthread_create(&thread, NULL, sleep_once, (void *)0), 0);
    await_sleep(0);
    assert_int_equal(pthread_kill(thread, SIGUSR1), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(atomic_load(&woken), 1);
}

static void *pass_turns(void *argument) {
    uint32_t mine = (uint32_t)(intptr_t)argument;

    for (int turn = 0; turn < 2000; turn++) {
        uint32_t seen = atomic_load(&word);
        while (seen % 2 != mine) {
            futex_wait(&word, seen, -1);
            seen = atomic_load(&word);
        }
        atomic_store(&word, seen + 1);
        futex_wake(&word, FUTEX_ALL);
    }
    return NULL;
}

/* A lost wake-up would leave both asleep for good. */
static void test_no_wake_is_lost(void **unused) {
    pthread_t threads[2];

    (void)unused;
    for (intptr_t i = 0; i < 2; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, pass_turns, (void *)i), 0);
    }
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_int_equal(atomic_load(&word), 4000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_changed_word_does_not_sleep, set_up),
        cmocka_unit_test_setup(test_timeout, set_up),
        cmocka_unit_test_setup(test_zero_timeout_returns_at_once, set_up),
        cmocka_unit_test_setup(test_wake_one_then_all, set_up),
        cmocka_unit_test_setup(test_wake_without_sleepers, set_up),
        cmocka_unit_test_setup(test_signal_ends_the_wait, set_up),
        cmocka_unit_test_setup(test_no_wake_is_lost, set_up),
    };

    /* A sleeper that nobody wakes ends the program instead of holding up the run. */
    (void)alarm(60);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
