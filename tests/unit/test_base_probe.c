/* Does a probe call what is installed, with its name and argument, and nothing otherwise? Skipped
 * in builds without probes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/probe.h"

#ifdef CELLAR_PROBES

static int hits;
static const char *point_seen;
static uint64_t argument_seen;

static void see(const char *point, uint64_t argument) {
    hits++;
    point_seen = point;
    argument_seen = argument;
}

static void test_calls_what_is_installed(void **unused) {
    (void)unused;
    PROBE("before", 1);
    assert_int_equal(hits, 0);
    atomic_store(&probe_installed, see);
    PROBE("reserved", 42);
    assert_int_equal(hits, 1);
    assert_string_equal(point_seen, "reserved");
    assert_int_equal(argument_seen, 42);
    atomic_store(&probe_installed, NULL);
    PROBE("after", 2);
    assert_int_equal(hits, 1);
}

#else

static void test_calls_what_is_installed(void **unused) {
    (void)unused;
    PROBE("nowhere", 1);
    skip();
}

#endif

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calls_what_is_installed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
