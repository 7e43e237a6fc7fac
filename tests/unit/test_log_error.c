/* When any file operation fails, once or for good: does the log stop there, tell nobody that a
 * record is safe which is not, and open again with everything that was acknowledged? */
#include "log/log.h"

#include "log/report.h"
#include "log/state.h"
#include "support/log_fixture.h"
#include "support/random.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define SEGMENT_BYTES 20480
#define ROUNDS 14

#ifdef __SANITIZE_THREAD__
#define STRIDE 5
#else
#define STRIDE 1
#endif

static struct random numbers;

static bool keep_half(void *context, uint64_t item) {
    (void)context;
    (void)item;
    return random_below(&numbers, 2) == 0;
}

/* Commits in rounds. After the first refusal or unknown outcome nothing may succeed. */
static uint64_t commit_until_failure(struct log_fixture *fixture) {
    uint64_t acknowledged = fixture->replayed;
    bool failed = false;

    for (int i = 0; i < ROUNDS; i++) {
        uint64_t number = fixture->next;
        fixture->payload_bytes = 8 + random_below(&numbers, 3000);
        uint64_t lsn = log_fixture_commit(fixture);
        cellar_status status = lsn != 0 ? log_fixture_wait(fixture, lsn) : CELLAR_OUTCOME_UNKNOWN;
        if (status == CELLAR_OK) {
            assert_false(failed);
            acknowledged = number;
        } else if (log_health(fixture->log) == CELLAR_FAILED) {
            assert_int_equal(status, CELLAR_OUTCOME_UNKNOWN);
            failed = true;
        } else {
            /* No space could be prepared: commits are refused, and the log is as good as before. */
            assert_int_equal(lsn, 0);
            assert_int_equal(log_health(fixture->log), CELLAR_DISK_FULL);
            break;
        }
    }
    return acknowledged;
}

/* One life with one failing call. Returns what was acknowledged. */
static uint64_t live_with_error(struct memory_disk *disk, unsigned calls, int64_t countdown,
                                int error, bool for_good) {
    struct log_fixture fixture;
    uint64_t acknowledged = 0;

    log_fixture_create(&fixture, disk, NULL, SEGMENT_BYTES);
    fixture.patience_ns = NANOSECONDS_PER_SECOND / 4;
    memory_disk_fail_after(disk, calls, countdown, error, for_good);
    cellar_status status = log_fixture_open(&fixture);
    if (status == CELLAR_OK) {
        assert_false(fixture.replay_is_wrong);
        acknowledged = commit_until_failure(&fixture);
        bool failed = log_health(fixture.log) == CELLAR_FAILED;
        status = log_fixture_close(&fixture);
        if (failed) {
            assert_int_equal(status, CELLAR_OUTCOME_UNKNOWN);
        }
    } else {
        assert_int_equal(status, CELLAR_IO_ERROR);
        assert_int_equal(fixture.problem.status, CELLAR_IO_ERROR);
        assert_int_not_equal(fixture.problem.text[0], '\0');
    }
    log_fixture_destroy(&fixture);
    return acknowledged;
}

static void assert_opens(struct memory_disk *disk, uint64_t least) {
    struct log_fixture fixture;

    log_fixture_create(&fixture, disk, NULL, SEGMENT_BYTES);
    cellar_status status = log_fixture_open(&fixture);
    if (status != CELLAR_OK || fixture.replayed < least) {
        fail_msg("status %d: %s; %llu of %llu records", status, fixture.problem.text,
                 (unsigned long long)fixture.replayed, (unsigned long long)least);
    }
    assert_false(fixture.replay_is_wrong);
    uint64_t found = fixture.replayed;
    assert_int_equal(log_fixture_commit_many(&fixture, 2), found + 2);
    assert_int_equal(log_fixture_close(&fixture), CELLAR_OK);
    log_fixture_destroy(&fixture);
    uint64_t count;
    assert_true(log_fixture_disk_is_right(disk, SEGMENT_BYTES, found + 2, &count));
}

/* A log with something in it and a tail to be mended. */
static struct memory_disk *make_log(uint64_t *acknowledged_out) {
    struct memory_disk *disk = memory_disk_create();
    struct log_fixture fixture;

    log_fixture_create(&fixture, disk, NULL, SEGMENT_BYTES);
    fixture.payload_bytes = 700;
    assert_int_equal(log_fixture_open(&fixture), CELLAR_OK);
    *acknowledged_out = log_fixture_commit_many(&fixture, 40);
    assert_int_equal(*acknowledged_out, 40);
    struct memory_disk *killed = memory_disk_kill(disk);
    (void)log_fixture_close(&fixture);
    log_fixture_destroy(&fixture);
    memory_disk_destroy(disk);
    return killed;
}

static void fail_each(unsigned calls, int error, bool for_good) {
    bool failed = true;

    for (int64_t countdown = 0; failed; countdown += STRIDE) {
        uint64_t before;
        struct memory_disk *disk = make_log(&before);
        uint64_t acknowledged = live_with_error(disk, calls, countdown, error, for_good);
        acknowledged = acknowledged > before ? acknowledged : before;
        failed = memory_disk_has_failed(disk);
        memory_disk_fail_after(disk, 0, -1, 0, false);
        struct memory_disk *cut = memory_disk_power_cut(disk, keep_half, NULL);
        assert_opens(disk, acknowledged);
        assert_opens(cut, acknowledged);
        memory_disk_destroy(cut);
        memory_disk_destroy(disk);
    }
}

static void every_call_fails_once(void **state) {
    (void)state;
    fail_each(MEMORY_ANY, EIO, false);
}

static void every_call_fails_for_good(void **state) {
    (void)state;
    fail_each(MEMORY_ANY & ~(unsigned)MEMORY_OPEN, EIO, true);
}

static void every_open_fails_for_good(void **state) {
    (void)state;
    fail_each(MEMORY_OPEN, EMFILE, true);
}

static void the_disk_is_full_at_every_write(void **state) {
    (void)state;
    fail_each(MEMORY_PWRITE, ENOSPC, false);
}

/* What fails is said: the health, the report, and that commits are refused. */
static void a_failed_sync_is_told(void **state) {
    struct memory_disk *disk = memory_disk_create();
    struct log_fixture fixture;

    (void)state;
    log_fixture_create(&fixture, disk, NULL, SEGMENT_BYTES);
    assert_int_equal(log_fixture_open(&fixture), CELLAR_OK);
    assert_int_equal(log_fixture_commit_many(&fixture, 3), 3);
    log_fixture_settle(&fixture, disk);
    assert_int_equal(log_health(fixture.log), CELLAR_OK);
    uint64_t durable = ATOMIC_LOAD(&fixture.commit->durable.lsn, acquire);
    memory_disk_fail_after(disk, MEMORY_FDATASYNC, 0, EIO, false);
    uint64_t lsn = log_fixture_commit(&fixture);
    assert_int_equal(log_fixture_wait(&fixture, lsn), CELLAR_OUTCOME_UNKNOWN);
    assert_int_equal(log_health(fixture.log), CELLAR_FAILED);
    assert_int_equal(log_fixture_commit(&fixture), 0);
    /* What was durable stays so. */
    assert_int_equal(log_fixture_wait(&fixture, durable - RECORD_LINE_BYTES), CELLAR_OK);
    assert_int_equal(ATOMIC_LOAD(&fixture.commit->durable.lsn, acquire), durable);
    assert_int_equal(log_fixture_close(&fixture), CELLAR_OUTCOME_UNKNOWN);
    assert_true(log_fixture_was_told(&fixture, "cannot sync the log: Input/output error"));
    log_fixture_destroy(&fixture);
    memory_disk_destroy(disk);
}

/* Two threads may fail at once: the first says why, and what it said stays true. */
static void a_second_failure_changes_nothing(void **state) {
    struct memory_disk *disk = memory_disk_create();
    struct log_fixture fixture;

    (void)state;
    log_fixture_create(&fixture, disk, NULL, SEGMENT_BYTES);
    assert_int_equal(log_fixture_open(&fixture), CELLAR_OK);
    assert_int_equal(log_fixture_commit_many(&fixture, 3), 3);
    fail_log(fixture.log, "the first", "do", -ENOSPC);
    fail_log(fixture.log, "the second", "do", -EIO);
    assert_int_equal(log_health(fixture.log), CELLAR_FAILED);
    assert_int_equal(log_fixture_commit(&fixture), 0);
    assert_int_equal(log_fixture_close(&fixture), CELLAR_OUTCOME_UNKNOWN);
    assert_true(log_fixture_was_told(&fixture, "cannot do the first: No space left on device"));
    assert_false(log_fixture_was_told(&fixture, "the second"));
    log_fixture_destroy(&fixture);
    memory_disk_destroy(disk);
}

static void every_error_has_words(void **state) {
    char words[64];

    (void)state;
    assert_string_equal(report_errno(-EIO, words), "Input/output error");
    assert_ptr_equal(report_errno(-EIO, words), words);
    /* One that the C library does not know, as a file function of a test may return it. */
    assert_string_equal(report_errno(-123456, words), "Unknown error 123456");
    assert_ptr_equal(report_errno(-123456, words), words);
}

/* A read error is never the end of the log. */
static void a_read_error_is_not_the_end(void **state) {
    uint64_t acknowledged;
    struct memory_disk *disk = make_log(&acknowledged);
    bool failed = true;

    (void)state;
    for (int64_t countdown = 0; failed; countdown++) {
        struct log_fixture fixture;
        uint64_t fingerprint = memory_disk_fingerprint(disk);
        log_fixture_create(&fixture, disk, NULL, SEGMENT_BYTES);
        fixture.config.read_only = true;
        memory_disk_fail_after(disk, MEMORY_PREAD, countdown, EIO, false);
        cellar_status status = log_fixture_replay(&fixture);
        failed = memory_disk_has_failed(disk);
        assert_int_equal(status, failed ? CELLAR_IO_ERROR : CELLAR_OK);
        if (failed) {
            assert_non_null(strstr(fixture.problem.text, ".log"));
        } else {
            assert_int_equal(fixture.replayed, acknowledged);
            assert_true(countdown > 3);
        }
        assert_int_equal(memory_disk_fingerprint(disk), fingerprint);
        log_fixture_destroy(&fixture);
    }
    memory_disk_destroy(disk);
}

static void short_transfers_are_continued(void **state) {
    struct memory_disk *disk = memory_disk_create();
    struct log_fixture fixture;

    (void)state;
    memory_disk_set_short(disk, 777);
    log_fixture_create(&fixture, disk, NULL, SEGMENT_BYTES);
    fixture.payload_bytes = 1500;
    assert_int_equal(log_fixture_open(&fixture), CELLAR_OK);
    assert_int_equal(log_fixture_commit_many(&fixture, 30), 30);
    assert_int_equal(log_fixture_close(&fixture), CELLAR_OK);
    assert_int_equal(log_fixture_replay(&fixture), CELLAR_OK);
    assert_int_equal(fixture.replayed, 30);
    assert_false(fixture.replay_is_wrong);
    log_fixture_destroy(&fixture);
    memory_disk_destroy(disk);
}

/* Fails allocation, mapping or thread k = 0, 1, 2, ... until opening and starting succeed. */
static void every_allocation_fails(void **state) {
    uint64_t acknowledged;
    struct memory_disk *disk = make_log(&acknowledged);
    cellar_status status = CELLAR_OUT_OF_MEMORY;
    int64_t failures = 0;
    int threads = 0;

    (void)state;
    for (; status != CELLAR_OK; failures++) {
        struct log_fixture fixture;
        log_fixture_create(&fixture, disk, NULL, SEGMENT_BYTES);
        memory_fail_after(NULL, failures, 0);
        status = log_fixture_open(&fixture);
        assert_true(status == CELLAR_OK || status == CELLAR_OUT_OF_MEMORY);
        memory_fail_after(NULL, -1, 0);
        /* The last two before it succeeds: the two threads of the log. */
        threads = strstr(fixture.problem.text, "threads cannot be started") != NULL ? threads + 1
                                                                                    : threads;
        (void)log_fixture_close(&fixture);
        log_fixture_destroy(&fixture);
        uint64_t count;
        assert_true(log_fixture_disk_is_right(disk, SEGMENT_BYTES, acknowledged, &count));
        assert_int_equal(count, acknowledged);
    }
    assert_true(failures > 6);
    assert_true(threads >= 1);
    memory_disk_destroy(disk);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_call_fails_once),
        cmocka_unit_test(every_call_fails_for_good),
        cmocka_unit_test(every_open_fails_for_good),
        cmocka_unit_test(the_disk_is_full_at_every_write),
        cmocka_unit_test(a_failed_sync_is_told),
        cmocka_unit_test(a_second_failure_changes_nothing),
        cmocka_unit_test(every_error_has_words),
        cmocka_unit_test(a_read_error_is_not_the_end),
        cmocka_unit_test(short_transfers_are_continued),
        cmocka_unit_test(every_allocation_fails),
    };
    numbers.state = random_seed_of_run();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
