/* Does a scan visit exactly the records of the stretch it was asked for, in order, across segments
 * and openings, and does it tell damage, errors and a lack of memory? */
#include "log/log.h"

#include "support/log_fixture.h"
#include "support/random.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define SEGMENT_BYTES 20480
#define OPENINGS 3
#define RECORDS_EACH 80
#define RECORDS (OPENINGS * RECORDS_EACH)
#define SCANS 400

static uint64_t run_seed;

struct scan {
    uint64_t next; /* number of the record that must come */
    uint64_t stop_at;
    bool wrong;
};

static cellar_status scan_visit(void *context, const struct record_header *record) {
    struct scan *scan = context;
    scan->wrong = scan->wrong || !log_fixture_record_is(record, scan->next);
    scan->next++;
    return scan->next > scan->stop_at ? CELLAR_CONFLICT : CELLAR_OK;
}

/* From record `from` on up to `last_lsn`: the records up to `last`. */
static void check_scan(struct log_fixture *fixture, const uint64_t *lsns, uint64_t from,
                       uint64_t last_lsn, uint64_t last) {
    struct scan scan = {.next = from, .stop_at = UINT64_MAX};
    assert_int_equal(log_scan(fixture->log, lsns[from], last_lsn, scan_visit, &scan), CELLAR_OK);
    assert_false(scan.wrong);
    assert_int_equal(scan.next, last + 1);
}

static void every_stretch_is_visited(void **state) {
    struct random random = {run_seed};
    struct memory_disk *disk = memory_disk_create();
    struct log_fixture fixture;
    static uint64_t lsns[RECORDS + 1];
    uint64_t count = 0;
    (void)state;
    log_fixture_create(&fixture, disk, NULL, SEGMENT_BYTES);
    for (int opening = 0; opening < OPENINGS; opening++) {
        assert_int_equal(log_fixture_open(&fixture), CELLAR_OK);
        for (int i = 0; i < RECORDS_EACH; i++) {
            fixture.payload_bytes = i % 10 == 0 ? 7000 : 8 + random_below(&random, 900);
            lsns[++count] = log_fixture_commit(&fixture);
            if (i % 40 == 0) {
                /* A mark lies behind it. */
                log_fixture_quiesce(&fixture);
            }
        }
        assert_int_equal(log_fixture_wait(&fixture, lsns[count]), CELLAR_OK);
        for (int i = 0; i < SCANS; i++) {
            uint64_t from = 1 + random_below(&random, count);
            uint64_t last = from + random_below(&random, count + 1 - from);
            check_scan(&fixture, lsns, from, lsns[last], last);
            /* Up to where no record begins. */
            check_scan(&fixture, lsns, from, lsns[last] + RECORD_LINE_BYTES - 1, last);
            if (last > from) {
                check_scan(&fixture, lsns, from, lsns[last] - 1, last - 1);
            }
        }
        check_scan(&fixture, lsns, 1, UINT64_MAX, count);
        check_scan(&fixture, lsns, count, UINT64_MAX, count);
        struct scan none = {.next = 1, .stop_at = UINT64_MAX};
        assert_int_equal(log_scan(fixture.log, lsns[2], lsns[1], scan_visit, &none), CELLAR_OK);
        assert_int_equal(none.next, 1);
        assert_int_equal(log_fixture_close(&fixture), CELLAR_OK);
    }
    log_fixture_destroy(&fixture);
    memory_disk_destroy(disk);
}

static cellar_status scan_all(struct log_fixture *fixture, uint64_t stop_at, uint64_t *visited) {
    struct scan scan = {.next = 1, .stop_at = stop_at};
    cellar_status status =
        log_scan(fixture->log, log_start_lsn(fixture->log), UINT64_MAX, scan_visit, &scan);
    assert_false(scan.wrong);
    *visited = scan.next - 1;
    return status;
}

static void what_is_wrong_is_told(void **state) {
    struct memory_disk *disk = memory_disk_create();
    struct log_fixture fixture;
    uint64_t visited;
    uint64_t third = 0;
    (void)state;
    log_fixture_create(&fixture, disk, NULL, SEGMENT_BYTES);
    fixture.payload_bytes = 200;
    assert_int_equal(log_fixture_open(&fixture), CELLAR_OK);
    for (int i = 1; i <= 10; i++) {
        uint64_t lsn = log_fixture_commit(&fixture);
        assert_int_equal(log_fixture_wait(&fixture, lsn), CELLAR_OK);
        third = i == 3 ? lsn : third;
    }
    log_fixture_settle(&fixture, disk);
    log_fixture_quiesce(&fixture);
    assert_int_equal(scan_all(&fixture, 4, &visited), CELLAR_CONFLICT);
    assert_int_equal(visited, 4);
    unsigned char byte;
    char path[80];
    assert_true(log_fixture_segment(disk, 0, path));
    memory_disk_peek(disk, path, third + 100, &byte, 1);
    byte ^= 1;
    memory_disk_poke(disk, path, third + 100, &byte, 1);
    assert_int_equal(scan_all(&fixture, UINT64_MAX, &visited), CELLAR_CORRUPT);
    assert_int_equal(visited, 2);
    byte ^= 1;
    memory_disk_poke(disk, path, third + 100, &byte, 1);
    memory_disk_fail_after(disk, MEMORY_PREAD, 0, EIO, false);
    assert_int_equal(scan_all(&fixture, UINT64_MAX, &visited), CELLAR_IO_ERROR);
    memory_disk_fail_after(disk, MEMORY_OPEN, 0, EIO, false);
    assert_int_equal(scan_all(&fixture, UINT64_MAX, &visited), CELLAR_IO_ERROR);
    memory_fail_after(fixture.memory, 0, 0);
    assert_int_equal(scan_all(&fixture, UINT64_MAX, &visited), CELLAR_OUT_OF_MEMORY);
    assert_int_equal(scan_all(&fixture, UINT64_MAX, &visited), CELLAR_OK);
    assert_int_equal(visited, 10);
    assert_int_equal(log_fixture_close(&fixture), CELLAR_OK);
    log_fixture_destroy(&fixture);
    memory_disk_destroy(disk);
}

/* A log without a segment; and what lies between two openings, where no record can be. */
static void where_nothing_is_nothing_is_visited(void **state) {
    struct memory_disk *disk = memory_disk_create();
    struct log_fixture fixture;
    struct record_header *record;
    struct scan scan = {.next = 1, .stop_at = UINT64_MAX};
    (void)state;
    log_fixture_create(&fixture, disk, NULL, SEGMENT_BYTES);
    assert_int_equal(log_fixture_replay(&fixture), CELLAR_OK);
    assert_int_equal(log_scan(fixture.log, RECORD_LINE_BYTES, UINT64_MAX, scan_visit, &scan),
                     CELLAR_OK);
    assert_int_equal(log_read(fixture.log, RECORD_LINE_BYTES, &record), CELLAR_NOT_FOUND);
    assert_int_equal(log_fixture_close(&fixture), CELLAR_OK);
    for (int opening = 0; opening < 2; opening++) {
        assert_int_equal(log_fixture_open(&fixture), CELLAR_OK);
        uint64_t before = log_start_lsn(fixture.log) - RECORD_LINE_BYTES;
        scan.next = fixture.next;
        assert_int_equal(log_scan(fixture.log, before, UINT64_MAX, scan_visit, &scan), CELLAR_OK);
        assert_int_equal(scan.next, fixture.next);
        assert_int_equal(log_read(fixture.log, before, &record), CELLAR_NOT_FOUND);
        assert_int_equal(log_fixture_commit_many(&fixture, 3), 3 * (opening + 1));
        assert_int_equal(log_scan(fixture.log, before, UINT64_MAX, scan_visit, &scan), CELLAR_OK);
        assert_int_equal(scan.next, fixture.next);
        assert_int_equal(log_fixture_close(&fixture), CELLAR_OK);
    }
    assert_false(scan.wrong);
    log_fixture_destroy(&fixture);
    memory_disk_destroy(disk);
}

int main(void) {
    run_seed = random_seed_of_run();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_stretch_is_visited),
        cmocka_unit_test(what_is_wrong_is_told),
        cmocka_unit_test(where_nothing_is_nothing_is_visited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
