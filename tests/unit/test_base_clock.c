/* Does time run forwards, in nanoseconds, and does a sleep last as long as asked? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"

#include <time.h>

static void test_wall_is_the_time_of_day(void **unused) {
    time_t before = time(NULL);
    int64_t wall_ns = clock_wall_ns();
    time_t after = time(NULL);

    (void)unused;
    /* time() may read a coarser clock that lags by a tick. */
    assert_true(wall_ns / NANOSECONDS_PER_SECOND >= before);
    assert_true(wall_ns / NANOSECONDS_PER_SECOND <= after + 1);
}

static void test_monotonic_never_goes_back(void **unused) {
    int64_t last_ns = clock_monotonic_ns();

    (void)unused;
    for (int i = 0; i < 100000; i++) {
        int64_t now_ns = clock_monotonic_ns();
        assert_true(now_ns >= last_ns);
        last_ns = now_ns;
    }
}

static void test_sleep_lasts(void **unused) {
    int64_t start_ns = clock_monotonic_ns();

    (void)unused;
    clock_sleep_ns(20 * NANOSECONDS_PER_MILLISECOND);
    int64_t passed_ns = clock_monotonic_ns() - start_ns;
    assert_true(passed_ns >= 20 * NANOSECONDS_PER_MILLISECOND);
    assert_true(passed_ns < 10 * NANOSECONDS_PER_SECOND);
}

static void test_no_sleep_for_nothing(void **unused) {
    (void)unused;
    clock_sleep_ns(0);
    clock_sleep_ns(-1);
    clock_sleep_ns(INT64_MIN);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wall_is_the_time_of_day),
        cmocka_unit_test(test_monotonic_never_goes_back),
        cmocka_unit_test(test_sleep_lasts),
        cmocka_unit_test(test_no_sleep_for_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
