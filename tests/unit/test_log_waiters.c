/* Do hundreds of threads, each waiting for its own commit, all learn the truth, and in time? */
#include "log/log.h"

#include "base/clock.h"
#include "support/log_fixture.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define SEGMENT_BYTES (UINT64_C(1) << 17)
#define THREADS 300

#ifdef __SANITIZE_THREAD__
#define COMMITS 8
#else
#define COMMITS 40
#endif

struct waiter {
    pthread_t thread;
    struct log_fixture *fixture;
    uint64_t number;
    uint64_t acknowledged[COMMITS]; /* LSNs */
    int acknowledged_count;
    int unknown_count;
    bool wrong;
};

/* Commits and waits until the log fails. */
static void *commit_and_wait(void *argument) {
    struct waiter *waiter = argument;
    struct log_fixture *fixture = waiter->fixture;

    for (int i = 0; i < COMMITS; i++) {
        uint64_t lsn = log_fixture_commit_number(fixture, waiter->number, 40);
        if (lsn == 0) {
            waiter->wrong = log_health(fixture->log) != CELLAR_FAILED;
            break;
        }
        cellar_status status = log_fixture_wait(fixture, lsn);
        if (status == CELLAR_OK) {
            /* B of lib/log/wait.h */
            waiter->wrong |= ATOMIC_LOAD(&fixture->commit->durable.lsn, acquire) <= lsn;
            waiter->wrong |= waiter->unknown_count != 0;
            waiter->acknowledged[waiter->acknowledged_count++] = lsn;
        } else {
            waiter->wrong |= status != CELLAR_OUTCOME_UNKNOWN;
            waiter->unknown_count++;
        }
    }
    return NULL;
}

static struct waiter waiters[THREADS];

static void start_waiters(struct log_fixture *fixture) {
    pthread_attr_t attributes;

    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, (size_t)256 << 10);
    for (uint64_t i = 0; i < THREADS; i++) {
        memset(&waiters[i], 0, sizeof waiters[i]);
        waiters[i].fixture = fixture;
        waiters[i].number = i + 1;
        assert_int_equal(
            pthread_create(&waiters[i].thread, &attributes, commit_and_wait, &waiters[i]), 0);
    }
    pthread_attr_destroy(&attributes);
}

static int join_waiters(void) {
    int acknowledged = 0;

    for (int i = 0; i < THREADS; i++) {
        pthread_join(waiters[i].thread, NULL);
        assert_false(waiters[i].wrong);
        acknowledged += waiters[i].acknowledged_count;
    }
    return acknowledged;
}

/* Every acknowledged record is in the log as it was committed. */
static void check_all(struct log_fixture *fixture) {
    for (int i = 0; i < THREADS; i++) {
        for (int k = 0; k < waiters[i].acknowledged_count; k++) {
            struct record_header *record;
            assert_int_equal(log_read(fixture->log, waiters[i].acknowledged[k], &record),
                             CELLAR_OK);
            assert_true(log_fixture_record_is(record, waiters[i].number));
            log_release_record(fixture->log, record);
        }
    }
}

static void a_all_are_woken(void **state) {
    struct memory_disk *disk = memory_disk_create();
    struct log_fixture fixture;

    (void)state;
    log_fixture_create(&fixture, disk, NULL, SEGMENT_BYTES);
    fixture.patience_ns = 60 * NANOSECONDS_PER_SECOND;
    assert_int_equal(log_fixture_open(&fixture), CELLAR_OK);
    start_waiters(&fixture);
    assert_int_equal(join_waiters(), THREADS * COMMITS);
    check_all(&fixture);
    assert_int_equal(log_fixture_close(&fixture), CELLAR_OK);
    assert_int_equal(log_fixture_replay(&fixture), CELLAR_OK);
    assert_int_equal(fixture.replayed, THREADS * COMMITS);
    log_fixture_destroy(&fixture);
    memory_disk_destroy(disk);
}

static void b_none_is_told_of_success_after_a_failure(void **state) {
    (void)state;
    for (int64_t round = 0; round < 4; round++) {
        struct memory_disk *disk = memory_disk_create();
        struct log_fixture fixture;
        log_fixture_create(&fixture, disk, NULL, SEGMENT_BYTES);
        fixture.patience_ns = 60 * NANOSECONDS_PER_SECOND;
        assert_int_equal(log_fixture_open(&fixture), CELLAR_OK);
        log_fixture_settle(&fixture, disk);
        memory_disk_fail_after(disk, MEMORY_FDATASYNC, 1 + 3 * round, EIO, true);
        start_waiters(&fixture);
        int acknowledged = join_waiters();
        assert_true(acknowledged < THREADS * COMMITS);
        assert_int_equal(log_health(fixture.log), CELLAR_FAILED);
        assert_int_equal(log_fixture_close(&fixture), CELLAR_OUTCOME_UNKNOWN);
        memory_disk_fail_after(disk, 0, -1, 0, false);
        /* Only what was really synced is left, and all that was acknowledged is in it. */
        struct memory_disk *image = memory_disk_power_cut(disk, NULL, NULL);
        struct log_fixture after;
        log_fixture_create(&after, image, NULL, SEGMENT_BYTES);
        assert_int_equal(log_fixture_replay(&after), CELLAR_OK);
        assert_true(after.replayed >= (uint64_t)acknowledged);
        check_all(&after);
        log_fixture_destroy(&after);
        log_fixture_destroy(&fixture);
        memory_disk_destroy(image);
        memory_disk_destroy(disk);
    }
}

/* One waits until its deadline while another, in the same range, is served. */
static void a_deadline_is_kept(void **state) {
    struct memory_disk *disk = memory_disk_create();
    struct log_fixture fixture;

    (void)state;
    log_fixture_create(&fixture, disk, NULL, SEGMENT_BYTES);
    assert_int_equal(log_fixture_open(&fixture), CELLAR_OK);
    uint64_t lsn = log_fixture_commit(&fixture);
    assert_int_equal(log_fixture_wait(&fixture, lsn), CELLAR_OK);
    log_fixture_quiesce(&fixture);
    int64_t began_ns = clock_monotonic_ns();
    int64_t deadline_ns = began_ns + 30 * NANOSECONDS_PER_MILLISECOND;
    /* Nobody has this LSN. */
    assert_int_equal(log_wait(fixture.log, lsn + (1U << 16), deadline_ns), CELLAR_TIMEOUT);
    assert_true(clock_monotonic_ns() >= deadline_ns);
    assert_int_equal(log_wait(fixture.log, lsn + (1U << 16), 0), CELLAR_TIMEOUT);
    assert_int_equal(log_fixture_close(&fixture), CELLAR_OK);
    log_fixture_destroy(&fixture);
    memory_disk_destroy(disk);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_all_are_woken),
        cmocka_unit_test(b_none_is_told_of_success_after_a_failure),
        cmocka_unit_test(a_deadline_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
