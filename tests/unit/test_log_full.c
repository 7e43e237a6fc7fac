/* When the disk is full: are commits refused before anything is visible, is nothing lost, and do
 * sales go on by themselves when there is space again? */
#include "log/log.h"

#include "base/clock.h"
#include "support/log_fixture.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define SEGMENT_BYTES 20480
#define PATIENCE_NS (500 * NANOSECONDS_PER_MILLISECOND)

/* Commits until one is refused. Returns the number of the last acknowledged. */
static uint64_t commit_until_refused(struct log_fixture *fixture) {
    uint64_t acknowledged = fixture->replayed;

    for (;;) {
        uint64_t number = log_fixture_commit_many(fixture, 1);
        if (number == 0) {
            return acknowledged;
        }
        acknowledged = number;
    }
}

/* Fills the disk again and again; what the operator is told contains `words`. `io` is the disk's,
 * or one of the test's above it. */
static void fill(struct memory_disk *disk, const struct io *io, const char *words) {
    struct log_fixture fixture;
    uint64_t acknowledged = 0;

    log_fixture_create(&fixture, disk, NULL, SEGMENT_BYTES);
    fixture.config.io = io;
    fixture.payload_bytes = 700;
    fixture.patience_ns = PATIENCE_NS;
    assert_int_equal(log_fixture_open(&fixture), CELLAR_OK);
    /* Odd sizes, so that the disk fills up in the middle of a piece, a header, a line. */
    for (uint64_t capacity = 60001; capacity < 300000; capacity += 71234) {
        memory_disk_set_capacity(disk, capacity);
        uint64_t before = acknowledged;
        acknowledged = commit_until_refused(&fixture);
        assert_true(acknowledged > before);
        assert_int_equal(log_health(fixture.log), CELLAR_DISK_FULL);
        assert_true(log_fixture_was_told(&fixture, words));
        /* All that is visible is durable or becomes so: nothing hangs in the air. */
        log_fixture_quiesce(&fixture);
        assert_int_equal(ATOMIC_LOAD(&fixture.commit->reserved.lsn, acquire),
                         ATOMIC_LOAD(&fixture.commit->durable.lsn, acquire));
        uint64_t count;
        assert_true(log_fixture_disk_is_right(disk, SEGMENT_BYTES, acknowledged, &count));
        assert_int_equal(count, acknowledged);
    }
    memory_disk_set_capacity(disk, UINT64_MAX);
    fixture.patience_ns = 10 * NANOSECONDS_PER_SECOND;
    assert_int_equal(log_fixture_commit_many(&fixture, 100), acknowledged + 100);
    assert_int_equal(log_health(fixture.log), CELLAR_OK);
    assert_true(log_fixture_was_told(&fixture, "space can be prepared again"));
    assert_int_equal(log_fixture_close(&fixture), CELLAR_OK);
    assert_int_equal(log_fixture_open(&fixture), CELLAR_OK);
    assert_int_equal(fixture.replayed, acknowledged + 100);
    assert_false(fixture.replay_is_wrong);
    log_fixture_destroy(&fixture);
}

static void commits_are_refused_and_go_on_by_themselves(void **state) {
    struct memory_disk *disk = memory_disk_create();

    (void)state;
    fill(disk, memory_disk_io(disk), "No space left on device");
    memory_disk_destroy(disk);
}

/* The disk whose space is a quota. */
static const struct io *quota_disk;

static ssize_t write_within_quota(void *context, int file, const void *buffer, size_t bytes,
                                  uint64_t offset) {
    ssize_t count = quota_disk->pwrite(context, file, buffer, bytes, offset);

    return count == -ENOSPC ? -EDQUOT : count;
}

static void a_quota_is_like_a_full_disk(void **state) {
    struct memory_disk *disk = memory_disk_create();

    (void)state;
    quota_disk = memory_disk_io(disk);
    struct io io = *quota_disk;
    io.pwrite = write_within_quota;
    fill(disk, &io, "Disk quota exceeded");
    memory_disk_destroy(disk);
}

static void a_full_log_closes_and_opens(void **state) {
    struct memory_disk *disk = memory_disk_create();
    struct log_fixture fixture;

    (void)state;
    log_fixture_create(&fixture, disk, NULL, SEGMENT_BYTES);
    fixture.payload_bytes = 300;
    fixture.patience_ns = PATIENCE_NS;
    assert_int_equal(log_fixture_open(&fixture), CELLAR_OK);
    memory_disk_set_capacity(disk, 70000);
    uint64_t acknowledged = commit_until_refused(&fixture);
    assert_int_equal(log_fixture_close(&fixture), CELLAR_OK);
    uint64_t count;
    assert_true(log_fixture_disk_is_right(disk, SEGMENT_BYTES, acknowledged, &count));
    /* Not even one segment more: refused, with what is there left as it is. */
    memory_disk_set_capacity(disk, 0);
    assert_int_equal(log_fixture_open(&fixture), CELLAR_IO_ERROR);
    assert_non_null(strstr(fixture.problem.text, "No space left on device"));
    assert_true(log_fixture_disk_is_right(disk, SEGMENT_BYTES, acknowledged, &count));
    memory_disk_set_capacity(disk, UINT64_MAX);
    assert_int_equal(log_fixture_open(&fixture), CELLAR_OK);
    assert_int_equal(fixture.replayed, acknowledged);
    assert_int_equal(log_fixture_commit_many(&fixture, 50), acknowledged + 50);
    assert_int_equal(log_fixture_close(&fixture), CELLAR_OK);
    log_fixture_destroy(&fixture);
    memory_disk_destroy(disk);
}

/* Records as large as the ring allows, of all sizes: what is promised is there (guarantee A of
 * lib/log/prepare.h), or the program would have stopped. */
static void every_mix_of_sizes_finds_the_space_promised(void **state) {
    struct memory_disk *disk = memory_disk_create();
    struct log_fixture fixture;
    uint64_t number = 0;

    (void)state;
    log_fixture_create(&fixture, disk, NULL, SEGMENT_BYTES);
    assert_int_equal(log_fixture_open(&fixture), CELLAR_OK);
    for (uint64_t i = 0; i < 1500; i++) {
        fixture.payload_bytes =
            i % 3 == 0 ? 8192 - sizeof(struct record_header) : 8 + i * 37 % 8000;
        assert_int_not_equal(log_fixture_commit(&fixture), 0);
        number++;
    }
    assert_int_equal(log_fixture_close(&fixture), CELLAR_OK);
    uint64_t count;
    assert_true(log_fixture_disk_is_right(disk, SEGMENT_BYTES, number, &count));
    assert_int_equal(count, number);
    log_fixture_destroy(&fixture);
    memory_disk_destroy(disk);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commits_are_refused_and_go_on_by_themselves),
        cmocka_unit_test(a_quota_is_like_a_full_disk),
        cmocka_unit_test(a_full_log_closes_and_opens),
        cmocka_unit_test(every_mix_of_sizes_finds_the_space_promised),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
