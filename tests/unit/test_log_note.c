/* Is a log that was closed known to be whole: refused when anything of its end is missing, opened
 * without mending when nothing is, and never the worse for a closing that was cut off? */
#include "log/log.h"
#include "log/segment.h"

#include "support/log_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define SEGMENT_BYTES 20480
#define RECORDS 12

static void last_segment(struct memory_disk *disk, char path[80]) {
    int index = 0;

    while (log_fixture_segment(disk, index + 1, path)) {
        index++;
    }
    assert_true(log_fixture_segment(disk, index, path));
}

/* A log of a few records; closed, or killed when it had come to rest. */
static struct memory_disk *make_log(bool closed, char path[80]) {
    struct memory_disk *disk = memory_disk_create();
    struct memory_disk *image = NULL;
    struct log_fixture fixture;

    log_fixture_create(&fixture, disk, NULL, SEGMENT_BYTES);
    assert_int_equal(log_fixture_open(&fixture), CELLAR_OK);
    assert_int_equal(log_fixture_commit_many(&fixture, RECORDS), RECORDS);
    log_fixture_settle(&fixture, disk);
    log_fixture_quiesce(&fixture);
    if (!closed) {
        image = memory_disk_power_cut(disk, NULL, NULL);
    }
    assert_int_equal(log_fixture_close(&fixture), CELLAR_OK);
    log_fixture_destroy(&fixture);
    if (closed) {
        image = memory_disk_power_cut(disk, NULL, NULL);
    }
    memory_disk_destroy(disk);
    last_segment(image, path);
    return image;
}

static void cut(struct memory_disk *disk, const char *path, uint64_t bytes) {
    const struct io *io = memory_disk_io(disk);
    int file = io->open(io->context, path, O_RDWR);

    assert_int_equal(io->truncate(io->context, file, bytes), 0);
    (void)io->close(io->context, file);
}

static void assert_refused(struct memory_disk *disk, const char *path) {
    struct log_fixture fixture;

    log_fixture_create(&fixture, disk, NULL, SEGMENT_BYTES);
    cellar_status status = log_fixture_open(&fixture);
    if (status != CELLAR_CORRUPT || strncmp(fixture.problem.text, path, strlen(path)) != 0 ||
        strstr(fixture.problem.text, ": offset ") == NULL) {
        fail_msg("%s: status %d, %llu records: %s", path, status,
                 (unsigned long long)fixture.replayed, fixture.problem.text);
    }
    log_fixture_destroy(&fixture);
}

/* Opens with all records, mended or not. */
static void assert_whole(struct memory_disk *disk, bool mended) {
    struct log_fixture fixture;

    log_fixture_create(&fixture, disk, NULL, SEGMENT_BYTES);
    assert_int_equal(log_fixture_open(&fixture), CELLAR_OK);
    assert_int_equal(fixture.replayed, RECORDS);
    assert_false(fixture.replay_is_wrong);
    assert_int_equal(log_fixture_was_told(&fixture, "not closed cleanly"), mended);
    assert_int_equal(log_fixture_close(&fixture), CELLAR_OK);
    log_fixture_destroy(&fixture);
}

/* At every line: also where the file then ends with a record, and at multiples of 4096. */
static void a_closed_log_cut_anywhere_is_refused(void **state) {
    char path[80];
    struct memory_disk *disk = make_log(true, path);

    (void)state;
    for (int64_t bytes = memory_disk_file_bytes(disk, path) - RECORD_LINE_BYTES; bytes >= 0;
         bytes -= RECORD_LINE_BYTES) {
        struct memory_disk *image = memory_disk_kill(disk);
        cut(image, path, (uint64_t)bytes);
        assert_refused(image, path);
        memory_disk_destroy(image);
    }
    assert_whole(disk, false);
    memory_disk_destroy(disk);
}

static void a_log_in_use_cut_anywhere_is_refused(void **state) {
    char path[80];
    struct memory_disk *disk = make_log(false, path);

    (void)state;
    assert_int_equal(memory_disk_file_bytes(disk, path), SEGMENT_BYTES);
    for (int64_t bytes = SEGMENT_BYTES - RECORD_LINE_BYTES; bytes >= 0;
         bytes -= RECORD_LINE_BYTES) {
        struct memory_disk *image = memory_disk_kill(disk);
        cut(image, path, (uint64_t)bytes);
        assert_refused(image, path);
        memory_disk_destroy(image);
    }
    assert_whole(disk, true);
    memory_disk_destroy(disk);
}

/* No sector holds the last record and all that proves it. */
static void any_sector_of_the_records_lost_is_noticed(void **state) {
    static const unsigned char zeros[MEMORY_IO_SECTOR_BYTES];

    (void)state;
    for (int closed = 0; closed < 2; closed++) {
        char path[80];
        struct memory_disk *disk = make_log(closed != 0, path);
        uint64_t end = SEGMENT_HEADER_BYTES + RECORDS * 128;
        for (uint64_t at = SEGMENT_HEADER_BYTES; at < end; at += sizeof zeros) {
            struct memory_disk *image = memory_disk_kill(disk);
            memory_disk_poke(image, path, at, zeros, sizeof zeros);
            assert_refused(image, path);
            memory_disk_destroy(image);
        }
        memory_disk_destroy(disk);
    }
}

/* Two sectors change places: each record is missed, for one of its marks is left. */
static void any_two_sectors_exchanged_are_noticed(void **state) {
    char path[80];
    struct memory_disk *disk = make_log(false, path);
    uint64_t end = SEGMENT_HEADER_BYTES + RECORDS * 128;

    (void)state;
    for (uint64_t at = SEGMENT_HEADER_BYTES; at < end; at += MEMORY_IO_SECTOR_BYTES) {
        for (uint64_t other = at + MEMORY_IO_SECTOR_BYTES; other < SEGMENT_BYTES;
             other += MEMORY_IO_SECTOR_BYTES) {
            unsigned char first[MEMORY_IO_SECTOR_BYTES];
            unsigned char second[MEMORY_IO_SECTOR_BYTES];
            struct memory_disk *image = memory_disk_kill(disk);
            memory_disk_peek(image, path, at, first, sizeof first);
            memory_disk_peek(image, path, other, second, sizeof second);
            memory_disk_poke(image, path, at, second, sizeof second);
            memory_disk_poke(image, path, other, first, sizeof first);
            assert_refused(image, path);
            memory_disk_destroy(image);
        }
    }
    memory_disk_destroy(disk);
}

/* A note that is damaged counts as none: the short file is then refused, one of full length is
 * judged by its records. */
static void a_damaged_note_counts_as_none(void **state) {
    (void)state;
    for (int closed = 0; closed < 2; closed++) {
        char path[80];
        struct memory_disk *disk = make_log(closed != 0, path);
        for (uint64_t bit = 0; bit < 12 * 8; bit++) {
            struct memory_disk *image = memory_disk_kill(disk);
            unsigned char byte;
            uint64_t at = SEGMENT_NOTE_OFFSET + bit / 8;
            memory_disk_peek(image, path, at, &byte, 1);
            byte ^= (unsigned char)(1u << bit % 8);
            memory_disk_poke(image, path, at, &byte, 1);
            if (closed != 0) {
                assert_refused(image, path);
            } else {
                assert_whole(image, true);
            }
            memory_disk_destroy(image);
        }
        memory_disk_destroy(disk);
    }
}

/* Each call of the closing fails: told as unknown or as a warning, and the next opening is right.
 * Above all, the file is not cut without its note. */
static void a_closing_that_fails_does_no_harm(void **state) {
    bool failed = true;

    (void)state;
    for (int64_t countdown = 0; failed; countdown++) {
        struct memory_disk *disk = memory_disk_create();
        struct log_fixture fixture;
        log_fixture_create(&fixture, disk, NULL, SEGMENT_BYTES);
        assert_int_equal(log_fixture_open(&fixture), CELLAR_OK);
        assert_int_equal(log_fixture_commit_many(&fixture, RECORDS), RECORDS);
        log_fixture_settle(&fixture, disk);
        log_fixture_quiesce(&fixture);
        memory_disk_fail_after(disk, MEMORY_CHANGING, countdown, EIO, false);
        (void)log_fixture_close(&fixture);
        failed = memory_disk_has_failed(disk);
        memory_disk_fail_after(disk, 0, -1, 0, false);
        log_fixture_destroy(&fixture);
        struct memory_disk *image = memory_disk_power_cut(disk, NULL, NULL);
        uint64_t count;
        assert_true(log_fixture_disk_is_right(image, SEGMENT_BYTES, RECORDS, &count));
        assert_true(log_fixture_disk_is_right(disk, SEGMENT_BYTES, RECORDS, &count));
        memory_disk_destroy(image);
        memory_disk_destroy(disk);
        assert_true(failed || countdown >= 6);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_closed_log_cut_anywhere_is_refused),
        cmocka_unit_test(a_log_in_use_cut_anywhere_is_refused),
        cmocka_unit_test(any_sector_of_the_records_lost_is_noticed),
        cmocka_unit_test(any_two_sectors_exchanged_are_noticed),
        cmocka_unit_test(a_damaged_note_counts_as_none),
        cmocka_unit_test(a_closing_that_fails_does_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
