/* Do the mappings keep their promises: zero and lazy, mirrored, out of reach before they are
 * enabled, and gone or wiped in a forked child? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/memory.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define LAZY_BYTES ((size_t)16 << 30)

static size_t page_bytes;

static int is_zero(const char *at, size_t bytes) {
    for (size_t i = 0; i < bytes; i++) {
        if (at[i] != 0) {
            return 0;
        }
    }
    return 1;
}

/* Whether this process has the page at all; touching it would be too late to find out. */
static int is_mapped(void *page) {
    unsigned char resident;

    return mincore(page, page_bytes, &resident) == 0 || errno != ENOMEM;
}

/* Whether the page can be read: the kernel reads it for write(2) and answers EFAULT if not. */
static int is_readable(const void *page) {
    int ends[2];

    assert_int_equal(pipe(ends), 0);
    int readable = write(ends[1], page, 1) == 1;
    assert_int_equal(close(ends[0]), 0);
    assert_int_equal(close(ends[1]), 0);
    return readable;
}

/* Runs the check in a forked child and returns what it returned. */
static int in_child(int (*check)(char *start), char *start) {
    int status = -1;
    pid_t child = fork();

    if (child == 0) {
        _exit(check(start));
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int page_is_mapped(char *start) {
    return is_mapped(start);
}

static void test_lazy(void **unused) {
    (void)unused;
    char *start = memory_map_lazy(LAZY_BYTES);
    assert_non_null(start);
    assert_true(is_zero(start, page_bytes));
    assert_true(is_zero(start + LAZY_BYTES - page_bytes, page_bytes));
    start[LAZY_BYTES / 2] = 7;
    unsigned char resident;
    assert_int_equal(mincore(start + LAZY_BYTES / 4, page_bytes, &resident), 0);
    assert_int_equal(resident & 1, 0);
    assert_int_equal(mincore(start + LAZY_BYTES / 2, page_bytes, &resident), 0);
    assert_int_equal(resident & 1, 1);
    assert_true(is_mapped(start));
    assert_false(in_child(page_is_mapped, start));
    memory_unmap(start, LAZY_BYTES);
    assert_false(is_mapped(start));
}

static void test_reserve_and_enable(void **unused) {
    (void)unused;
    char *start = memory_map_reserve(LAZY_BYTES);
    assert_non_null(start);
    assert_true(is_mapped(start));
    assert_false(is_readable(start));
    assert_int_equal(memory_map_enable(start + page_bytes, 2 * page_bytes), 0);
    assert_false(is_readable(start));
    assert_true(is_zero(start + page_bytes, 2 * page_bytes));
    memset(start + page_bytes, 'x', 2 * page_bytes);
    assert_false(is_readable(start + 3 * page_bytes));
    /* Enabling again leaves what is there. */
    assert_int_equal(memory_map_enable(start, 4 * page_bytes), 0);
    assert_true(is_zero(start, page_bytes));
    assert_int_equal(start[page_bytes], 'x');
    assert_int_equal(start[3 * page_bytes - 1], 'x');
    assert_true(is_zero(start + 3 * page_bytes, page_bytes));
    assert_false(in_child(page_is_mapped, start));
    memory_unmap(start, LAZY_BYTES);
}

static void test_enable_of_nothing_is_refused(void **unused) {
    (void)unused;
    char *start = memory_map_reserve(4 * page_bytes);
    assert_non_null(start);
    assert_int_equal(memory_map_enable(start + 1, page_bytes), -1);
    memory_unmap(start, 4 * page_bytes);
    assert_int_equal(memory_map_enable(start, page_bytes), -1);
}

/* Every byte written at one place is read at the other, and a copy may run over the end. */
static void test_twice_is_a_mirror(void **unused) {
    size_t bytes = 4 * page_bytes;

    (void)unused;
    char *start = memory_map_twice(bytes);
    assert_non_null(start);
    assert_true(is_zero(start, 2 * bytes));
    for (size_t i = 0; i < 2 * bytes; i++) {
        start[i] = (char)(i % 251 + 1);
        assert_int_equal(start[(i + bytes) % (2 * bytes)], start[i]);
    }
    static const char text[] = "runs over the end";
    memcpy(start + bytes - 5, text, sizeof text);
    assert_memory_equal(start + bytes - 5, text, sizeof text);
    assert_memory_equal(start, text + 5, sizeof text - 5);
    assert_false(in_child(page_is_mapped, start));
    assert_false(in_child(page_is_mapped, start + bytes));
    memory_unmap(start, 2 * bytes);
    assert_false(is_mapped(start));
    assert_false(is_mapped(start + bytes));
}

static int count_open_files(void) {
    int count = 0;
    DIR *directory = opendir("/proc/self/fd");

    assert_non_null(directory);
    while (readdir(directory) != NULL) {
        count++;
    }
    assert_int_equal(closedir(directory), 0);
    return count;
}

static void test_twice_keeps_no_file_open(void **unused) {
    int before = count_open_files();

    (void)unused;
    char *start = memory_map_twice(page_bytes);
    assert_non_null(start);
    assert_int_equal(count_open_files(), before);
    memory_unmap(start, 2 * page_bytes);
}

static void test_bad_sizes_are_refused(void **unused) {
    (void)unused;
    assert_null(memory_map_lazy(0));
    assert_null(memory_map_reserve(0));
    assert_null(memory_map_twice(0));
    assert_null(memory_map_twice(page_bytes + 1));
    assert_null(memory_map_twice(SIZE_MAX - page_bytes + 1));
    assert_null(memory_map_twice(SIZE_MAX / 2 - page_bytes + 1));
    assert_null(memory_map_lazy(SIZE_MAX - page_bytes + 1));
}

static int guard_is_wiped(char *guard) {
    return is_zero(guard, page_bytes);
}

/* A child of the child is a child as well. */
static int guard_is_wiped_in_grandchild(char *guard) {
    guard[0] = 1;
    return in_child(guard_is_wiped, guard);
}

static void test_fork_guard_is_wiped_in_a_child(void **unused) {
    (void)unused;
    char *guard = memory_map_fork_guard();
    assert_non_null(guard);
    assert_true(is_zero(guard, page_bytes));
    memset(guard, 1, page_bytes);
    assert_true(in_child(guard_is_wiped, guard));
    assert_true(in_child(guard_is_wiped_in_grandchild, guard));
    assert_int_equal(guard[0], 1);
    assert_int_equal(guard[page_bytes - 1], 1);
    memory_unmap(guard, page_bytes);
}

static void *map_lazy_page(void) {
    return memory_map_lazy(page_bytes);
}

static void *map_reserved_page(void) {
    return memory_map_reserve(page_bytes);
}

static void *map_page_twice(void) {
    return memory_map_twice(page_bytes);
}

static void test_mappings_fail_on_demand(void **unused) {
    static const struct {
        void *(*map)(void);
        size_t pages;
    } cases[] = {{map_lazy_page, 1},
                 {map_reserved_page, 1},
                 {map_page_twice, 2},
                 {memory_map_fork_guard, 1}};

    (void)unused;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        memory_fail_after(NULL, 0, 0);
        assert_null(cases[i].map());
        char *start = cases[i].map();
        assert_non_null(start);
        memory_fail_after(NULL, 0, 0);
        assert_int_equal(memory_map_enable(start, page_bytes), -1);
        assert_int_equal(memory_map_enable(start, page_bytes), 0);
        memory_unmap(start, cases[i].pages * page_bytes);
    }
    memory_fail_after(NULL, -1, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lazy),
        cmocka_unit_test(test_reserve_and_enable),
        cmocka_unit_test(test_enable_of_nothing_is_refused),
        cmocka_unit_test(test_twice_is_a_mirror),
        cmocka_unit_test(test_twice_keeps_no_file_open),
        cmocka_unit_test(test_bad_sizes_are_refused),
        cmocka_unit_test(test_fork_guard_is_wiped_in_a_child),
        cmocka_unit_test(test_mappings_fail_on_demand),
    };

    page_bytes = (size_t)sysconf(_SC_PAGESIZE);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
