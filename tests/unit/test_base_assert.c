/* Does a broken invariant stop the process and say where, and does one that holds cost nothing but
 * its evaluation? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/assert.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void test_evaluates_once(void **unused) {
    int evaluations = 0;

    (void)unused;
    ASSERT(++evaluations == 1);
    assert_int_equal(evaluations, 1);
}

static void test_failure_aborts_and_names_the_expression(void **unused) {
    char said[1024] = "";
    int ends[2];
    int status = -1;
    int sold = 1;

    (void)unused;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)dup2(ends[1], STDERR_FILENO);
        ASSERT(sold == 2);
        _exit(0);
    }
    assert_int_equal(close(ends[1]), 0);
    assert_true(read(ends[0], said, sizeof said - 1) > 0);
    assert_int_equal(close(ends[0]), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
    assert_non_null(strstr(said, "sold == 2"));
    assert_non_null(strstr(said, "test_base_assert.c:"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_evaluates_once),
        cmocka_unit_test(test_failure_aborts_and_names_the_expression),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
