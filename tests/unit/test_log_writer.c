/* Does the writer keep its promises: durable means synced, nobody waits in vain, a stopped
 * publisher delays nobody, an idle log proves its last batch? (The letters are those of
 * lib/log/writer.h and wait.h.) */
#include "log/log.h"

#include "base/clock.h"
#include "base/probe.h"
#include "log/segment.h"
#include "support/log_fixture.h"
#include "support/random.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define SEGMENT_BYTES (UINT64_C(1) << 18)
#define MILLISECOND NANOSECONDS_PER_MILLISECOND

static void open_on(struct log_fixture *fixture, struct memory_disk *disk, uint64_t segment_bytes) {
    log_fixture_create(fixture, disk, NULL, segment_bytes);
    assert_int_equal(log_fixture_open(fixture), CELLAR_OK);
    log_fixture_settle(fixture, disk);
}

static void close_and_forget(struct log_fixture *fixture, struct memory_disk *disk) {
    assert_int_equal(log_fixture_close(fixture), CELLAR_OK);
    log_fixture_destroy(fixture);
    memory_disk_destroy(disk);
}

static uint64_t durable_of(const struct log_fixture *fixture) {
    return ATOMIC_LOAD(&fixture->commit->durable.lsn, acquire);
}

/* ---- B honest ---- */

static void b_durable_waits_for_the_sync(void **state) {
    struct memory_disk *disk = memory_disk_create();
    struct log_fixture fixture;

    (void)state;
    open_on(&fixture, disk, SEGMENT_BYTES);
    uint64_t before = durable_of(&fixture);
    memory_disk_hold_syncs(disk, true);
    uint64_t lsn = log_fixture_commit(&fixture);
    assert_true(lsn >= before);
    assert_int_equal(log_wait(fixture.log, lsn, INT64_MIN), CELLAR_TIMEOUT);
    int64_t began_ns = clock_monotonic_ns();
    assert_int_equal(log_wait(fixture.log, lsn, began_ns + 20 * MILLISECOND), CELLAR_TIMEOUT);
    assert_true(clock_monotonic_ns() - began_ns >= 20 * MILLISECOND);
    assert_int_equal(durable_of(&fixture), before);
    /* It is in the file already, and can be read from it. */
    struct record_header *record;
    assert_int_equal(log_read(fixture.log, lsn, &record), CELLAR_OK);
    log_release_record(fixture.log, record);
    memory_disk_hold_syncs(disk, false);
    assert_int_equal(log_wait(fixture.log, lsn, INT64_MAX), CELLAR_OK);
    assert_true(durable_of(&fixture) > lsn);
    assert_int_equal(log_wait(fixture.log, lsn, INT64_MIN), CELLAR_OK);
    close_and_forget(&fixture, disk);
}

/* `written` promises that the record can be read from the file. */
static void b_written_waits_for_the_write(void **state) {
    struct memory_disk *disk = memory_disk_create();
    struct log_fixture fixture;
    struct record_header *record;

    (void)state;
    open_on(&fixture, disk, SEGMENT_BYTES);
    memory_disk_hold_writes(disk, true);
    uint64_t lsn = log_fixture_commit(&fixture);
    clock_sleep_ns(5 * MILLISECOND);
    assert_true(ATOMIC_LOAD(&fixture.commit->written.lsn, acquire) <= lsn);
    assert_int_equal(log_read(fixture.log, lsn, &record), CELLAR_NOT_FOUND);
    memory_disk_hold_writes(disk, false);
    assert_int_equal(log_fixture_wait(&fixture, lsn), CELLAR_OK);
    assert_int_equal(log_read(fixture.log, lsn, &record), CELLAR_OK);
    log_release_record(fixture.log, record);
    close_and_forget(&fixture, disk);
}

/* While one batch is synced the next one grows: many commits, few syncs. */
static bool grow_a_batch(void) {
    struct memory_disk *disk = memory_disk_create();
    struct log_fixture fixture;
    struct log_statistics statistics;

    open_on(&fixture, disk, SEGMENT_BYTES);
    uint64_t syncs = memory_disk_calls(disk, MEMORY_FDATASYNC);
    memory_disk_hold_syncs(disk, true);
    uint64_t lsn = log_fixture_commit(&fixture);
    while (ATOMIC_LOAD(&fixture.commit->written.lsn, acquire) <= lsn) {
        clock_sleep_ns(10000);
    }
    for (int i = 0; i < 100; i++) {
        lsn = log_fixture_commit(&fixture);
    }
    memory_disk_hold_syncs(disk, false);
    assert_int_equal(log_fixture_wait(&fixture, lsn), CELLAR_OK);
    log_fixture_quiesce(&fixture);
    syncs = memory_disk_calls(disk, MEMORY_FDATASYNC) - syncs;
    log_statistics_get(fixture.log, &statistics);
    assert_int_equal(statistics.records, 101);
    assert_int_equal(statistics.segments, 1);
    assert_int_equal(statistics.syncs, syncs);
    /* The marks begin a sector each. */
    assert_int_equal(statistics.bytes_written,
                     (101 * 128 + statistics.padding_bytes + 511) / 512 * 512 + 512 + 64);
    assert_int_equal(histogram_count(statistics.sync_ns), syncs);
    assert_int_equal(histogram_count(statistics.lag_ns), syncs);
    bool calm = statistics.padding_bytes == 0;
    if (calm) {
        /* One record alone, a hundred together, a mark. */
        assert_int_equal(syncs, 3);
        assert_int_equal(histogram_percentile(statistics.group_records, 1.0), 100);
    }
    close_and_forget(&fixture, disk);
    return calm;
}

static void b_a_batch_is_synced_once(void **state) {
    int tries = 0;

    (void)state;
    /* Unless this thread lost its turn while it published, and was passed over. */
    while (!grow_a_batch()) {
        assert_true(++tries < 20);
    }
}

/* ---- C fail-stop ---- */

static struct log_fixture *failing_fixture;
static struct memory_disk *failing_disk;

/* Between a successful sync and its publication, the preparing thread, which tries again every 100
 * ms, meets a disk that fails. */
static void fail_elsewhere(const char *point, uint64_t lsn) {
    (void)lsn;
    if (strcmp(point, "log-synced") != 0) {
        return;
    }
    memory_disk_fail_after(failing_disk, MEMORY_PWRITE, 0, EIO, false);
    while (log_health(failing_fixture->log) != CELLAR_FAILED) {
        clock_sleep_ns(MILLISECOND);
    }
}

static void c_nothing_is_published_after_a_failure_elsewhere(void **state) {
    struct memory_disk *disk = memory_disk_create();
    struct log_fixture fixture;

    (void)state;
    log_fixture_create(&fixture, disk, NULL, SEGMENT_BYTES);
    memory_disk_set_capacity(disk, SEGMENT_BYTES + 1000);
    assert_int_equal(log_fixture_open(&fixture), CELLAR_OK);
    while (!log_fixture_was_told(&fixture, "No space left on device")) {
        clock_sleep_ns(MILLISECOND);
    }
    uint64_t durable = durable_of(&fixture);
    failing_fixture = &fixture;
    failing_disk = disk;
    atomic_store(&probe_installed, fail_elsewhere);
    uint64_t lsn = log_fixture_commit(&fixture);
    assert_int_equal(log_fixture_wait(&fixture, lsn), CELLAR_OUTCOME_UNKNOWN);
    assert_int_equal(log_stop(fixture.log), CELLAR_OUTCOME_UNKNOWN);
    assert_int_equal(durable_of(&fixture), durable);
    assert_int_equal(log_fixture_wait(&fixture, lsn), CELLAR_OUTCOME_UNKNOWN);
    (void)log_fixture_close(&fixture);
    atomic_store(&probe_installed, NULL);
    log_fixture_destroy(&fixture);
    memory_disk_destroy(disk);
}

/* ---- D no hostage ---- */

#define HOSTAGES 6
static _Atomic uint64_t hostage_lsn[HOSTAGES];
static _Atomic uint32_t hostage_count;
static _Atomic uint32_t hostage_wanted;
static _Atomic uint32_t hostage_released;

/* Only these are stopped: the log's writer reserves its marks like anyone. */
static _Thread_local bool is_hostage;

/* Stops the first publishers that have reserved and not yet published. */
static void stop_publishers(const char *point, uint64_t lsn) {
    if (!is_hostage || strcmp(point, "commit-reserved") != 0) {
        return;
    }
    uint32_t number = ATOMIC_LOAD(&hostage_count, acquire);
    do {
        if (number >= ATOMIC_LOAD(&hostage_wanted, acquire)) {
            return;
        }
    } while (!ATOMIC_CAS(&hostage_count, &number, number + 1, acq_rel, acquire));
    ATOMIC_STORE(&hostage_lsn[number], lsn, release);
    while (ATOMIC_LOAD(&hostage_released, acquire) == 0) {
        clock_sleep_ns(100000);
    }
}

struct publisher {
    pthread_t thread;
    struct log_fixture *fixture;
    uint64_t number;
    uint64_t payload_bytes;
    uint64_t lsn;
};

static void *publish(void *argument) {
    struct publisher *publisher = argument;

    is_hostage = true;
    publisher->lsn =
        log_fixture_commit_number(publisher->fixture, publisher->number, publisher->payload_bytes);
    return NULL;
}

/* Stops `count` publishers one after the other, with records of `payload_bytes`, lets others
 * commit, and releases them. */
static void pass_over(uint64_t segment_bytes, uint32_t count, uint64_t payload_bytes) {
    struct memory_disk *disk = memory_disk_create();
    struct log_fixture fixture;
    struct publisher publishers[HOSTAGES];
    uint64_t space = record_space(sizeof(struct record_header) + payload_bytes);

    open_on(&fixture, disk, segment_bytes);
    assert_int_equal(log_fixture_commit_many(&fixture, 3), 3);
    ATOMIC_STORE(&hostage_count, 0, release);
    ATOMIC_STORE(&hostage_released, 0, release);
    ATOMIC_STORE(&hostage_wanted, count, release);
    atomic_store(&probe_installed, stop_publishers);
    for (uint32_t i = 0; i < count; i++) {
        ATOMIC_STORE(&hostage_lsn[i], 0, release);
        publishers[i] = (struct publisher){
            .fixture = &fixture, .number = 1000 + i, .payload_bytes = payload_bytes};
        pthread_create(&publishers[i].thread, NULL, publish, &publishers[i]);
        while (ATOMIC_LOAD(&hostage_lsn[i], acquire) == 0) {
            clock_sleep_ns(10000);
        }
    }
    /* They are stopped; everyone else goes on, durably. */
    assert_int_equal(log_fixture_commit_many(&fixture, 5), 8);
    struct log_statistics statistics;
    log_statistics_get(fixture.log, &statistics);
    assert_true(statistics.padding_bytes >= count * space);
    for (uint32_t i = 0; i < count; i++) {
        struct record_header *record;
        assert_int_equal(log_read(fixture.log, hostage_lsn[i], &record), CELLAR_NOT_FOUND);
    }
    /* Released, they find that they were passed over, and commit further on. */
    ATOMIC_STORE(&hostage_released, 1, release);
    for (uint32_t i = 0; i < count; i++) {
        pthread_join(publishers[i].thread, NULL);
        assert_true(publishers[i].lsn > hostage_lsn[i]);
        assert_int_equal(log_fixture_wait(&fixture, publishers[i].lsn), CELLAR_OK);
        struct record_header *record;
        assert_int_equal(log_read(fixture.log, publishers[i].lsn, &record), CELLAR_OK);
        assert_true(log_fixture_record_is(record, 1000 + i));
        log_release_record(fixture.log, record);
    }
    atomic_store(&probe_installed, NULL);
    assert_int_equal(log_fixture_close(&fixture), CELLAR_OK);
    /* The padding is skipped: 8 records and those of the publishers, whose numbers are not in
     * order. */
    assert_int_equal(log_fixture_replay(&fixture), CELLAR_OK);
    assert_int_equal(fixture.replayed, 8 + count);
    log_fixture_destroy(&fixture);
    memory_disk_destroy(disk);
}

static void d_a_stopped_publisher_becomes_padding(void **state) {
    (void)state;
    pass_over(SEGMENT_BYTES, 1, 40);
    pass_over(SEGMENT_BYTES, 3, 5000);
}

static void d_a_gap_longer_than_a_segment_is_split(void **state) {
    (void)state;
    /* Six records of 8 KiB; a segment of 20 KiB holds 16 KiB. */
    pass_over(20480, HOSTAGES, 8192 - sizeof(struct record_header));
}

/* ---- LSNs never come back ---- */

static _Atomic uint32_t batches_allowed;
static _Atomic uint32_t batches_written;

/* Stops the writer between writing and syncing. */
static void stop_before_sync(const char *point, uint64_t lsn) {
    (void)lsn;
    if (strcmp(point, "log-written") != 0) {
        return;
    }
    uint32_t number = ATOMIC_ADD(&batches_written, 1, acq_rel);
    while (ATOMIC_LOAD(&batches_allowed, acquire) <= number) {
        clock_sleep_ns(100000);
    }
}

static void await_batches(uint32_t count) {
    while (ATOMIC_LOAD(&batches_written, acquire) < count) {
        clock_sleep_ns(10000);
    }
}

/* What is reclaimed may be written only, not synced: the ring can reach a whole batch further
 * beyond what is on disk. */
static void an_lsn_handed_out_never_comes_back(void **state) {
    struct memory_disk *disk = memory_disk_create();
    struct log_fixture fixture;

    (void)state;
    open_on(&fixture, disk, SEGMENT_BYTES);
    uint64_t durable = durable_of(&fixture);
    ATOMIC_STORE(&batches_allowed, 0, release);
    ATOMIC_STORE(&batches_written, 0, release);
    atomic_store(&probe_installed, stop_before_sync);
    assert_int_not_equal(log_fixture_commit(&fixture), 0);
    await_batches(1);
    /* The ring fills behind the first batch, becomes the second, and fills again. */
    fixture.patience_ns = 200 * MILLISECOND;
    while (log_fixture_commit(&fixture) != 0) {
    }
    ATOMIC_STORE(&batches_allowed, 1, release);
    await_batches(2);
    uint64_t synced = durable_of(&fixture);
    assert_true(synced > durable);
    while (log_fixture_commit(&fixture) != 0) {
    }
    uint64_t reserved = ATOMIC_LOAD(&fixture.commit->reserved.lsn, acquire);
    assert_true(reserved > synced + fixture.config.ring_bytes + 1024);
    struct memory_disk *image = memory_disk_power_cut(disk, NULL, NULL);
    atomic_store(&probe_installed, NULL);
    ATOMIC_STORE(&batches_allowed, UINT32_MAX, release);
    close_and_forget(&fixture, disk);

    open_on(&fixture, image, SEGMENT_BYTES);
    assert_true(log_start_lsn(fixture.log) >= reserved);
    close_and_forget(&fixture, image);
}

/* ---- E proven ---- */

/* The last valid record in the file. */
static struct record_header last_record(struct memory_disk *disk) {
    struct record_header last = {.lsn = 0};
    char path[80];
    int index = 0;

    while (log_fixture_segment(disk, index + 1, path)) {
        index++;
    }
    assert_true(log_fixture_segment(disk, index, path));
    for (uint64_t offset = SEGMENT_HEADER_BYTES;;) {
        struct record_header header;
        memory_disk_peek(disk, path, offset, &header, sizeof header);
        if (header.lsn == 0) {
            return last;
        }
        last = header;
        offset += record_space(header.bytes);
    }
}

static uint64_t record_offset(struct memory_disk *disk, const char *path, uint64_t lsn) {
    struct segment_header header;

    memory_disk_peek(disk, path, 0, &header, sizeof header);
    return SEGMENT_HEADER_BYTES + (lsn - header.first_lsn);
}

static void e_an_idle_log_ends_with_a_mark(void **state) {
    struct memory_disk *disk = memory_disk_create();
    struct log_fixture fixture;

    (void)state;
    open_on(&fixture, disk, SEGMENT_BYTES);
    /* Nothing was committed: nothing is to be proven, and nothing is written. */
    assert_int_equal(last_record(disk).lsn, 0);
    for (int i = 0; i < 3; i++) {
        uint64_t lsn = log_fixture_commit(&fixture);
        assert_int_equal(log_fixture_wait(&fixture, lsn), CELLAR_OK);
        log_fixture_quiesce(&fixture);
        struct record_header mark = last_record(disk);
        assert_int_equal(mark.kind, RECORD_MARK);
        /* In a sector of its own, behind another. */
        assert_int_equal(mark.lsn, (lsn + 128 + 511) / 512 * 512 + 512);
        assert_true(mark.lsn - (uint64_t)mark.durable_lag * RECORD_LINE_BYTES > lsn);
        /* And no second one, however long it is idle. */
        clock_sleep_ns(20 * MILLISECOND);
        assert_int_equal(last_record(disk).lsn, mark.lsn);
    }
    close_and_forget(&fixture, disk);
}

static void e_a_closed_log_ends_with_a_mark(void **state) {
    struct memory_disk *disk = memory_disk_create();
    struct log_fixture fixture;

    (void)state;
    for (uint64_t count = 1; count < 140; count += 7) {
        open_on(&fixture, disk, SEGMENT_BYTES);
        uint64_t lsn = 0;
        for (uint64_t i = 0; i < count; i++) {
            lsn = log_fixture_commit(&fixture);
        }
        /* Not even waited for. */
        assert_int_equal(log_fixture_close(&fixture), CELLAR_OK);
        struct record_header mark = last_record(disk);
        assert_int_equal(mark.kind, RECORD_MARK);
        assert_true(mark.lsn - (uint64_t)mark.durable_lag * RECORD_LINE_BYTES > lsn);
        /* The file ends with it, on disk too, so the next opening has nothing to mend. */
        char path[80];
        int last = 0;
        while (log_fixture_segment(disk, last + 1, path)) {
            last++;
        }
        struct memory_disk *image = memory_disk_power_cut(disk, NULL, NULL);
        assert_true(log_fixture_segment(image, last, path));
        assert_int_equal(memory_disk_file_bytes(image, path),
                         record_offset(image, path, mark.lsn) + RECORD_LINE_BYTES);
        assert_int_equal(memory_disk_file_bytes(image, "/db/spare.tmp"), -1);
        memory_disk_destroy(image);
        assert_int_equal(log_fixture_open(&fixture), CELLAR_OK);
        assert_false(log_fixture_was_told(&fixture, "not closed cleanly"));
        assert_int_equal(log_fixture_close(&fixture), CELLAR_OK);
        log_fixture_destroy(&fixture);
    }
    memory_disk_destroy(disk);
}

/* ---- Time ---- */

static uint64_t commit_at(struct log_fixture *fixture, int64_t time_ns) {
    uint64_t number = fixture->next++;
    struct commit_request request = {.kind = LOG_FIXTURE_KIND,
                                     .payload = &number,
                                     .payload_bytes = sizeof number,
                                     .time_ns = time_ns};
    uint64_t lsn;

    commit_enter();
    enum commit_outcome outcome = commit_try(fixture->commit, &request, &lsn);
    commit_leave();
    assert_int_equal(outcome, COMMIT_DONE);
    assert_int_equal(log_fixture_wait(fixture, lsn), CELLAR_OK);
    return lsn;
}

static void assert_time(struct log_fixture *fixture, uint64_t lsn, int64_t time_ns) {
    struct record_header *record;

    assert_int_equal(log_read(fixture->log, lsn, &record), CELLAR_OK);
    assert_int_equal(record->time_ns, time_ns);
    log_release_record(fixture->log, record);
}

static void time_never_falls_not_even_over_openings(void **state) {
    struct memory_disk *disk = memory_disk_create();
    struct log_fixture fixture;

    (void)state;
    open_on(&fixture, disk, SEGMENT_BYTES);
    assert_time(&fixture, commit_at(&fixture, 1000), 1000);
    assert_time(&fixture, commit_at(&fixture, 5000), 5000);
    assert_time(&fixture, commit_at(&fixture, 2000), 5000);
    assert_int_equal(log_fixture_close(&fixture), CELLAR_OK);
    assert_int_equal(log_fixture_open(&fixture), CELLAR_OK);
    assert_time(&fixture, commit_at(&fixture, 3000), 5000);
    assert_time(&fixture, commit_at(&fixture, 7000), 7000);
    close_and_forget(&fixture, disk);
}

/* ---- The event descriptor ---- */

static bool is_readable(int descriptor, int timeout_ms) {
    struct pollfd poll_descriptor = {.fd = descriptor, .events = POLLIN};

    return poll(&poll_descriptor, 1, timeout_ms) == 1;
}

static void the_event_descriptor_tells_of_progress_and_failure(void **state) {
    struct memory_disk *disk = memory_disk_create();
    struct log_fixture fixture;
    uint64_t counted;

    (void)state;
    open_on(&fixture, disk, SEGMENT_BYTES);
    int event = log_event_descriptor(fixture.log);
    assert_true(event >= 0);
    assert_int_equal(log_event_descriptor(fixture.log), event);
    /* Readable once from the start, so that nothing is missed. */
    assert_true(is_readable(event, 0));
    assert_int_equal(read(event, &counted, sizeof counted), sizeof counted);
    assert_false(is_readable(event, 0));
    for (int i = 0; i < 3; i++) {
        uint64_t lsn = log_fixture_commit(&fixture);
        while (durable_of(&fixture) <= lsn) {
            assert_true(is_readable(event, 10000));
            (void)read(event, &counted, sizeof counted);
        }
        log_fixture_quiesce(&fixture);
        (void)read(event, &counted, sizeof counted);
        assert_false(is_readable(event, 0));
    }
    memory_disk_fail_after(disk, MEMORY_PWRITE, 0, EIO, false);
    (void)log_fixture_commit(&fixture);
    assert_true(is_readable(event, 10000));
    assert_int_equal(log_fixture_close(&fixture), CELLAR_OUTCOME_UNKNOWN);
    log_fixture_destroy(&fixture);
    memory_disk_destroy(disk);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(b_durable_waits_for_the_sync),
        cmocka_unit_test(b_written_waits_for_the_write),
        cmocka_unit_test(b_a_batch_is_synced_once),
        cmocka_unit_test(c_nothing_is_published_after_a_failure_elsewhere),
        cmocka_unit_test(d_a_stopped_publisher_becomes_padding),
        cmocka_unit_test(d_a_gap_longer_than_a_segment_is_split),
        cmocka_unit_test(an_lsn_handed_out_never_comes_back),
        cmocka_unit_test(e_an_idle_log_ends_with_a_mark),
        cmocka_unit_test(e_a_closed_log_ends_with_a_mark),
        cmocka_unit_test(time_never_falls_not_even_over_openings),
        cmocka_unit_test(the_event_descriptor_tells_of_progress_and_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
