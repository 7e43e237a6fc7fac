/* Of those whom one sync served, does the next one wait for most, and for nobody in vain? (The host
 * has the event descriptor; see writer_crowd().) */
#include "log/log.h"

#include "base/clock.h"
#include "log/writer.h"
#include "support/log_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define SEGMENT_BYTES (UINT64_C(1) << 18)
#define CROWD 16
/* All but an eighth and one. */
#define CROWD_BACK 13
#define BETWEEN_NS 1000
#define TRIES_MAX 200

static void sync_all_below(const struct log_fixture *fixture, uint64_t lsn) {
    while (ATOMIC_LOAD(&fixture->commit->durable.lsn, acquire) <= lsn) {
        clock_sleep_ns(10000);
    }
}

/* A batch of CROWD records has just been synced. */
static void open_after_a_crowd(struct log_fixture *fixture, struct memory_disk *disk) {
    log_fixture_create(fixture, disk, NULL, SEGMENT_BYTES);
    assert_int_equal(log_fixture_open(fixture), CELLAR_OK);
    log_fixture_settle(fixture, disk);
    assert_true(log_event_descriptor(fixture->log) >= 0);
    memory_disk_hold_syncs(disk, true);
    uint64_t lsn = log_fixture_commit(fixture);
    while (ATOMIC_LOAD(&fixture->commit->written.lsn, acquire) <= lsn) {
        clock_sleep_ns(10000);
    }
    for (int i = 0; i < CROWD; i++) {
        lsn = log_fixture_commit(fixture);
    }
    memory_disk_hold_syncs(disk, false);
    sync_all_below(fixture, lsn);
}

static void close_after_it(struct log_fixture *fixture, struct memory_disk *disk) {
    assert_int_equal(log_fixture_close(fixture), CELLAR_OK);
    log_fixture_destroy(fixture);
    memory_disk_destroy(disk);
}

/* False when this thread lost its turn, so that the writer went on without waiting for more. */
static bool serve_a_crowd(void) {
    struct memory_disk *disk = memory_disk_create();
    struct log_fixture fixture;
    uint64_t lsn = 0;

    open_after_a_crowd(&fixture, disk);
    uint64_t syncs = memory_disk_calls(disk, MEMORY_FDATASYNC);
    int64_t began_ns = clock_monotonic_ns();
    for (int i = 0; i < CROWD_BACK; i++) {
        lsn = log_fixture_commit(&fixture);
        /* Long enough for a sync of the one that has come. */
        clock_sleep_ns(BETWEEN_NS);
    }
    bool calm = clock_monotonic_ns() - began_ns < WRITER_CROWD_NS;
    sync_all_below(&fixture, lsn);
    calm = calm && memory_disk_calls(disk, MEMORY_FDATASYNC) - syncs == 1;
    close_after_it(&fixture, disk);
    return calm;
}

static void a_crowd_is_served_by_one_sync(void **state) {
    int tries = 0;

    (void)state;
    while (!serve_a_crowd()) {
        assert_true(++tries < TRIES_MAX);
    }
}

static void who_comes_alone_is_served(void **state) {
    struct memory_disk *disk = memory_disk_create();
    struct log_fixture fixture;

    (void)state;
    open_after_a_crowd(&fixture, disk);
    sync_all_below(&fixture, log_fixture_commit(&fixture));
    close_after_it(&fixture, disk);
}

/* The writer may be waiting for a crowd while it is told to stop. */
static void closing_waits_for_no_crowd(void **state) {
    struct memory_disk *disk = memory_disk_create();
    struct log_fixture fixture;

    (void)state;
    open_after_a_crowd(&fixture, disk);
    uint64_t lsn = log_fixture_commit(&fixture);
    assert_int_equal(log_fixture_close(&fixture), CELLAR_OK);
    assert_int_equal(log_fixture_open(&fixture), CELLAR_OK);
    struct record_header *record;
    assert_int_equal(log_read(fixture.log, lsn, &record), CELLAR_OK);
    log_release_record(fixture.log, record);
    close_after_it(&fixture, disk);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_crowd_is_served_by_one_sync),
        cmocka_unit_test(who_comes_alone_is_served),
        cmocka_unit_test(closing_waits_for_no_crowd),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
