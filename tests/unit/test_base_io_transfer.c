/* Do io_write_all and io_read_all finish over a table that tears, interrupts and refuses, and stop
 * where nothing more can be had? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/io.h"

#include <errno.h>
#include <string.h>

#define FILE_BYTES 1000
#define STEPS_MAX 16
#define FILE_NUMBER 7
#define INTERRUPTED_FOR_EVER (-1000000)

/* One answer of the fake file: up to so many bytes, or an error when negative. */
struct fake {
    int steps[STEPS_MAX];
    int calls;
    uint8_t content[FILE_BYTES];
    size_t bytes;
};

static struct fake fake;
static uint8_t buffer[FILE_BYTES];

/* Beyond the listed steps everything succeeds in full. */
static ssize_t next_answer(size_t bytes) {
    int step = fake.calls < STEPS_MAX ? fake.steps[fake.calls] : FILE_BYTES;

    if (fake.steps[0] == INTERRUPTED_FOR_EVER) {
        step = -EINTR;
    }
    fake.calls++;
    return step < 0 || (size_t)step < bytes ? step : (ssize_t)bytes;
}

static ssize_t fake_pwrite(void *context, int file, const void *from, size_t bytes,
                           uint64_t offset) {
    ssize_t count = next_answer(bytes);

    assert_ptr_equal(context, &fake);
    assert_int_equal(file, FILE_NUMBER);
    if (count > 0) {
        assert_true(offset + (size_t)count <= FILE_BYTES);
        memcpy(fake.content + offset, from, (size_t)count);
    }
    return count;
}

static ssize_t fake_pread(void *context, int file, void *into, size_t bytes, uint64_t offset) {
    size_t left = offset < fake.bytes ? fake.bytes - offset : 0;
    ssize_t count = next_answer(bytes < left ? bytes : left);

    assert_ptr_equal(context, &fake);
    assert_int_equal(file, FILE_NUMBER);
    if (count > 0) {
        memcpy(into, fake.content + offset, (size_t)count);
    }
    return count;
}

static const struct io io = {.context = &fake, .pread = fake_pread, .pwrite = fake_pwrite};

static void prepare(const int *steps, size_t bytes_in_file) {
    memset(&fake, 0, sizeof fake);
    for (int i = 0; i < STEPS_MAX; i++) {
        fake.steps[i] = FILE_BYTES;
    }
    for (int i = 0; i < STEPS_MAX && steps[i] != FILE_BYTES; i++) {
        fake.steps[i] = steps[i];
    }
    fake.bytes = bytes_in_file;
}

#define ALL FILE_BYTES

static const struct {
    const char *name;
    int steps[STEPS_MAX];
    int status;
    int calls;
    size_t bytes_written;
} writes[] = {
    /* name                 answers                    status   calls  written of 100 */
    {"whole", {ALL}, 0, 1, 100},
    {"short", {1, 50, 48, 1, ALL}, 0, 4, 100},
    {"interrupted first", {-EINTR, -EINTR, ALL}, 0, 3, 100},
    {"interrupted between", {30, -EINTR, 30, -EINTR, ALL}, 0, 5, 100},
    {"no progress", {0, ALL}, -EIO, 1, 0},
    {"no progress later", {60, 0, ALL}, -EIO, 2, 60},
    {"full", {-ENOSPC, ALL}, -ENOSPC, 1, 0},
    {"full later", {99, -ENOSPC, ALL}, -ENOSPC, 2, 99},
    {"failure after a signal", {10, -EINTR, -EIO, ALL}, -EIO, 3, 10},
};

static void test_write_all(void **unused) {
    (void)unused;
    for (size_t i = 0; i < sizeof writes / sizeof writes[0]; i++) {
        print_message("# %s\n", writes[i].name);
        prepare(writes[i].steps, FILE_BYTES);
        for (int b = 0; b < 100; b++) {
            buffer[b] = (uint8_t)(b + 1);
        }
        assert_int_equal(io_write_all(&io, FILE_NUMBER, buffer, 100, 500), writes[i].status);
        assert_int_equal(fake.calls, writes[i].calls);
        uint8_t expected[FILE_BYTES] = {0};
        memcpy(expected + 500, buffer, writes[i].bytes_written);
        assert_memory_equal(fake.content, expected, FILE_BYTES);
    }
}

static const struct {
    const char *name;
    int steps[STEPS_MAX];
    size_t bytes_in_file;
    ssize_t result;
    int calls;
} reads[] = {
    /* name                 answers             bytes in file  result  calls */
    {"whole", {ALL}, 1000, 100, 1},
    {"short", {1, 50, 48, 1, ALL}, 1000, 100, 4},
    {"interrupted", {-EINTR, 30, -EINTR, -EINTR, ALL}, 1000, 100, 5},
    {"end of file", {ALL}, 560, 60, 2},
    {"end of file, short", {59, 1, ALL}, 560, 60, 3},
    {"at the end", {ALL}, 500, 0, 1},
    {"beyond the end", {ALL}, 0, 0, 1},
    {"failure", {-EIO, ALL}, 1000, -EIO, 1},
    {"failure later", {99, -EIO, ALL}, 1000, -EIO, 2},
};

static void test_read_all(void **unused) {
    (void)unused;
    for (size_t i = 0; i < sizeof reads / sizeof reads[0]; i++) {
        print_message("# %s\n", reads[i].name);
        prepare(reads[i].steps, reads[i].bytes_in_file);
        for (int b = 0; b < FILE_BYTES; b++) {
            fake.content[b] = (uint8_t)(b * 7);
        }
        memset(buffer, 0, sizeof buffer);
        ssize_t result = io_read_all(&io, FILE_NUMBER, buffer, 100, 500);
        assert_int_equal(result, reads[i].result);
        assert_int_equal(fake.calls, reads[i].calls);
        if (result > 0) {
            assert_memory_equal(buffer, fake.content + 500, (size_t)result);
            assert_int_equal(buffer[result], 0);
        }
    }
}

static void test_nothing_asks_nothing(void **unused) {
    static const int steps[STEPS_MAX] = {-EIO, ALL};

    (void)unused;
    prepare(steps, FILE_BYTES);
    assert_int_equal(io_write_all(&io, FILE_NUMBER, buffer, 0, 0), 0);
    assert_int_equal(io_read_all(&io, FILE_NUMBER, buffer, 0, 0), 0);
    assert_int_equal(fake.calls, 0);
}

static void test_endless_interruption_ends(void **unused) {
    static const int steps[STEPS_MAX] = {INTERRUPTED_FOR_EVER, ALL};

    (void)unused;
    prepare(steps, FILE_BYTES);
    assert_int_equal(io_write_all(&io, FILE_NUMBER, buffer, 10, 0), -EINTR);
    assert_true(fake.calls > 100);
    fake.calls = 0;
    assert_int_equal(io_read_all(&io, FILE_NUMBER, buffer, 10, 0), -EINTR);
    assert_true(fake.calls > 100);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_write_all),
        cmocka_unit_test(test_read_all),
        cmocka_unit_test(test_nothing_asks_nothing),
        cmocka_unit_test(test_endless_interruption_ends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
