/* Does a log give back what was committed, in order, whole, over any number of segments and
 * openings? */
#include "log/log.h"

#include "support/log_fixture.h"
#include "support/random.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SEGMENT_BYTES 20480

static struct random numbers;

static void commit_many(struct log_fixture *fixture, uint64_t count) {
    uint64_t lsn = 0;

    for (uint64_t i = 0; i < count; i++) {
        lsn = log_fixture_commit(fixture);
        assert_int_not_equal(lsn, 0);
    }
    if (count != 0) {
        assert_int_equal(log_fixture_wait(fixture, lsn), CELLAR_OK);
    }
}

static void an_empty_directory_opens_as_an_empty_log(void **state) {
    struct memory_disk *disk = memory_disk_create();
    struct log_fixture fixture;

    (void)state;
    log_fixture_create(&fixture, disk, NULL, SEGMENT_BYTES);
    for (int opening = 0; opening < 3; opening++) {
        assert_int_equal(log_fixture_open(&fixture), CELLAR_OK);
        assert_int_equal(fixture.replayed, 0);
        assert_int_equal(log_fixture_close(&fixture), CELLAR_OK);
    }
    log_fixture_destroy(&fixture);
    memory_disk_destroy(disk);
}

static void records_come_back_over_many_openings(void **state) {
    struct memory_disk *disk = memory_disk_create();
    struct log_fixture fixture;
    uint64_t total = 0;

    (void)state;
    log_fixture_create(&fixture, disk, NULL, SEGMENT_BYTES);
    for (uint64_t opening = 0; opening < 8; opening++) {
        assert_int_equal(log_fixture_open(&fixture), CELLAR_OK);
        assert_int_equal(fixture.replayed, total);
        assert_false(fixture.replay_is_wrong);
        /* From none to several segments full. */
        fixture.payload_bytes = 8 + 50 * opening;
        commit_many(&fixture, 60 * opening);
        total += 60 * opening;
        assert_int_equal(log_fixture_close(&fixture), CELLAR_OK);
    }
    assert_int_equal(log_fixture_replay(&fixture), CELLAR_OK);
    assert_int_equal(fixture.replayed, total);
    assert_false(fixture.replay_is_wrong);
    log_fixture_destroy(&fixture);
    memory_disk_destroy(disk);
}

/* Every record can be read by its LSN, from any segment, while the log is written and after. */
static void records_can_be_read_by_lsn(void **state) {
    struct memory_disk *disk = memory_disk_create();
    struct log_fixture fixture;
    uint64_t lsns[600];
    uint64_t count = 0;

    (void)state;
    log_fixture_create(&fixture, disk, NULL, SEGMENT_BYTES);
    for (int opening = 0; opening < 3; opening++) {
        assert_int_equal(log_fixture_open(&fixture), CELLAR_OK);
        for (int i = 0; i < 200; i++) {
            /* Shorter than a line to longer than what is read at once. */
            fixture.payload_bytes = i % 10 == 0 ? 7000 : 8 + random_below(&numbers, 900);
            lsns[count] = log_fixture_commit(&fixture);
            count++;
        }
        assert_int_equal(log_fixture_wait(&fixture, lsns[count - 1]), CELLAR_OK);
        for (uint64_t i = 0; i < 2 * count; i++) {
            uint64_t n = random_below(&numbers, count);
            struct record_header *record;
            assert_int_equal(log_read(fixture.log, lsns[n], &record), CELLAR_OK);
            assert_int_equal(record->lsn, lsns[n]);
            assert_true(log_fixture_record_is(record, n + 1));
            log_release_record(fixture.log, record);
        }
        assert_int_equal(log_fixture_close(&fixture), CELLAR_OK);
    }
    /* More segments than handles are kept open. */
    char path[80];
    assert_true(log_fixture_segment(disk, 20, path));
    /* Before the log is started, and read-only. */
    fixture.config.read_only = true;
    assert_int_equal(log_fixture_replay(&fixture), CELLAR_OK);
    for (uint64_t n = 0; n < count; n++) {
        struct record_header *record;
        assert_int_equal(log_read(fixture.log, lsns[n], &record), CELLAR_OK);
        assert_true(log_fixture_record_is(record, n + 1));
        log_release_record(fixture.log, record);
    }
    log_fixture_destroy(&fixture);
    memory_disk_destroy(disk);
}

static void what_is_no_record_is_not_found(void **state) {
    struct memory_disk *disk = memory_disk_create();
    struct log_fixture fixture;
    struct record_header *record;

    (void)state;
    log_fixture_create(&fixture, disk, NULL, SEGMENT_BYTES);
    fixture.payload_bytes = 200;
    assert_int_equal(log_fixture_open(&fixture), CELLAR_OK);
    uint64_t first = log_fixture_commit(&fixture);
    assert_int_equal(log_fixture_commit_many(&fixture, 9), 10);
    log_fixture_quiesce(&fixture);
    uint64_t end = ATOMIC_LOAD(&fixture.commit->written.lsn, acquire);
    /* Before it, at no line, inside a record, a mark, beyond the end. */
    const uint64_t lsns[] = {0, first - 64, first + 1, first + 64, end - 64, end, UINT64_MAX - 63};
    for (size_t i = 0; i < sizeof lsns / sizeof *lsns; i++) {
        assert_int_equal(log_read(fixture.log, lsns[i], &record), CELLAR_NOT_FOUND);
    }
    /* Damaged, and unreadable. */
    unsigned char byte;
    char path[80];
    assert_true(log_fixture_segment(disk, 0, path));
    memory_disk_peek(disk, path, first + 100, &byte, 1);
    byte ^= 1;
    memory_disk_poke(disk, path, first + 100, &byte, 1);
    assert_int_equal(log_read(fixture.log, first, &record), CELLAR_CORRUPT);
    byte ^= 1;
    memory_disk_poke(disk, path, first + 100, &byte, 1);
    memory_disk_fail_after(disk, MEMORY_PREAD, 0, EIO, false);
    assert_int_equal(log_read(fixture.log, first, &record), CELLAR_IO_ERROR);
    memory_fail_after(fixture.memory, 0, 0);
    assert_int_equal(log_read(fixture.log, first, &record), CELLAR_OUT_OF_MEMORY);
    assert_int_equal(log_read(fixture.log, first, &record), CELLAR_OK);
    log_release_record(fixture.log, record);
    log_release_record(fixture.log, NULL);
    assert_int_equal(log_fixture_close(&fixture), CELLAR_OK);
    log_fixture_destroy(&fixture);
    memory_disk_destroy(disk);
}

/* A visitor's refusal ends the replay with its status and its words. */
static cellar_status refuse_third(void *context, const struct record_header *record,
                                  cellar_problem *problem) {
    int *count = context;

    (void)record;
    if (++*count < 3) {
        return CELLAR_OK;
    }
    (void)snprintf(problem->text, sizeof problem->text, "third");
    return CELLAR_CONFIG_MISMATCH;
}

static void a_visitor_can_end_the_replay(void **state) {
    struct memory_disk *disk = memory_disk_create();
    struct log_fixture fixture;
    struct log *log;
    cellar_problem problem = {.status = CELLAR_OK};
    int count = 0;

    (void)state;
    log_fixture_create(&fixture, disk, NULL, SEGMENT_BYTES);
    assert_int_equal(log_fixture_open(&fixture), CELLAR_OK);
    assert_int_equal(log_fixture_commit_many(&fixture, 5), 5);
    assert_int_equal(log_fixture_close(&fixture), CELLAR_OK);
    assert_int_equal(log_open(&log, &fixture.config, &problem), CELLAR_OK);
    assert_int_equal(log_replay(log, refuse_third, &count, &problem), CELLAR_CONFIG_MISMATCH);
    assert_int_equal(count, 3);
    assert_string_equal(problem.text, "third");
    log_destroy(log);
    log_fixture_destroy(&fixture);
    memory_disk_destroy(disk);
}

/* The same on a real disk, with real files. */
static void a_real_directory_works_alike(void **state) {
    const char *temporary = getenv("TMPDIR");
    char parent[128];
    char directory[160];
    struct log_fixture fixture;

    (void)state;
    (void)snprintf(parent, sizeof parent, "%s/cellar-log-XXXXXX",
                   temporary != NULL ? temporary : "/tmp");
    assert_non_null(mkdtemp(parent));
    (void)snprintf(directory, sizeof directory, "%s/store/", parent);
    log_fixture_create(&fixture, NULL, directory, UINT64_C(1) << 20);
    fixture.payload_bytes = 5000;
    for (uint64_t opening = 0; opening < 3; opening++) {
        assert_int_equal(log_fixture_open(&fixture), CELLAR_OK);
        assert_int_equal(fixture.replayed, opening * 300);
        assert_false(fixture.replay_is_wrong);
        commit_many(&fixture, 300);
        struct log *second;
        assert_int_equal(log_open(&second, &fixture.config, NULL), CELLAR_LOCKED);
        assert_int_equal(log_fixture_close(&fixture), CELLAR_OK);
    }
    assert_int_equal(log_fixture_replay(&fixture), CELLAR_OK);
    assert_int_equal(fixture.replayed, 900);
    assert_false(fixture.replay_is_wrong);
    log_fixture_destroy(&fixture);
    char command[256];
    (void)snprintf(command, sizeof command, "rm -rf '%s'", parent);
    assert_int_equal(system(command), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_directory_opens_as_an_empty_log),
        cmocka_unit_test(records_come_back_over_many_openings),
        cmocka_unit_test(records_can_be_read_by_lsn),
        cmocka_unit_test(what_is_no_record_is_not_found),
        cmocka_unit_test(a_visitor_can_end_the_replay),
        cmocka_unit_test(a_real_directory_works_alike),
    };
    numbers.state = random_seed_of_run();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
