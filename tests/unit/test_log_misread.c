/* What do readers of a log say when the disk gives them too little, something else, or nothing? And
 * the few answers of the log's other calls that no other test asks for. */
#include "log/log.h"

#include "base/clock.h"
#include "log/catalog.h"
#include "log/segment.h"
#include "support/log_fixture.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <cmocka.h>

#define SEGMENT_BYTES (UINT64_C(8) << 20)
#define SMALL_SEGMENT_BYTES 20480
/* More than is read at first by log_read(); near what the ring of the fixture allows. */
#define PAYLOAD_BYTES 8000
/* More than a window of the log's reader, which is 2 MiB. */
#define RECORDS 300
#define WINDOW_RECORDS 260
/* Where records begin in the first segment of a log. */
#define RECORDS_OFFSET 4096

/* ---- A disk that reads wrong ---- */

struct misreading {
    const struct io *real;
    uint64_t end_offset;  /* files read as if they ended here */
    uint64_t zero_offset; /* the line here reads as zeros ... */
    int zero_reads;       /* ... so many times */
};

static struct misreading misreading;
static struct io misreading_io;

static ssize_t misread(void *context, int file, void *buffer, size_t bytes, uint64_t offset) {
    if (offset >= misreading.end_offset) {
        return 0;
    }
    if (bytes > misreading.end_offset - offset) {
        bytes = misreading.end_offset - offset;
    }
    ssize_t count = misreading.real->pread(context, file, buffer, bytes, offset);
    if (misreading.zero_reads > 0 && count > 0 && misreading.zero_offset >= offset &&
        misreading.zero_offset + RECORD_LINE_BYTES <= offset + (uint64_t)count) {
        misreading.zero_reads--;
        memset((char *)buffer + (misreading.zero_offset - offset), 0, RECORD_LINE_BYTES);
    }
    return count;
}

static const struct io *misreading_start(struct memory_disk *disk) {
    misreading = (struct misreading){.real = memory_disk_io(disk), .end_offset = UINT64_MAX};
    misreading_io = *misreading.real;
    misreading_io.pread = misread;
    return &misreading_io;
}

/* ---- A log of one segment, as a killed process leaves it ---- */

/* Where each record lies: in the first segment of a log LSNs are offsets. Marks may lie between. */
static uint64_t offset_of[RECORDS + 1];

static struct memory_disk *make_log(void) {
    struct memory_disk *disk = memory_disk_create();
    struct log_fixture fixture;

    log_fixture_create(&fixture, disk, NULL, SEGMENT_BYTES);
    fixture.payload_bytes = PAYLOAD_BYTES;
    assert_int_equal(log_fixture_open(&fixture), CELLAR_OK);
    for (int number = 1; number <= RECORDS; number++) {
        offset_of[number] = log_fixture_commit(&fixture);
        assert_int_not_equal(offset_of[number], 0);
        assert_int_equal(log_fixture_wait(&fixture, offset_of[number]), CELLAR_OK);
    }
    struct memory_disk *left = memory_disk_kill(disk);
    log_fixture_destroy(&fixture);
    memory_disk_destroy(disk);
    return left;
}

/* ---- log_read() ---- */

static cellar_status read_once(struct log_fixture *fixture, uint64_t lsn, uint64_t number) {
    struct record_header *record = NULL;
    cellar_status status = log_read(fixture->log, lsn, &record);

    if (status == CELLAR_OK) {
        assert_true(log_fixture_record_is(record, number));
    }
    log_release_record(fixture->log, record);
    return status;
}

/* Changes 4 bytes of the record, and expects `wanted` until they are as they were. */
static void read_with(struct log_fixture *fixture, struct memory_disk *disk, uint64_t offset,
                      uint32_t there, cellar_status wanted) {
    char path[80];
    uint32_t kept;

    assert_true(log_fixture_segment(disk, 0, path));
    memory_disk_peek(disk, path, offset_of[2] + offset, &kept, sizeof kept);
    assert_int_not_equal(kept, there);
    memory_disk_poke(disk, path, offset_of[2] + offset, &there, sizeof there);
    assert_int_equal(read_once(fixture, offset_of[2], 2), wanted);
    memory_disk_poke(disk, path, offset_of[2] + offset, &kept, sizeof kept);
    assert_int_equal(read_once(fixture, offset_of[2], 2), CELLAR_OK);
}

static void a_record_misread_is_refused(void **state) {
    struct memory_disk *disk = make_log();
    struct log_fixture fixture;

    (void)state;
    log_fixture_create(&fixture, disk, NULL, SEGMENT_BYTES);
    fixture.config.io = misreading_start(disk);
    assert_int_equal(log_fixture_replay(&fixture), CELLAR_OK);
    assert_int_equal(fixture.replayed, RECORDS);
    assert_int_equal(read_once(&fixture, offset_of[2], 2), CELLAR_OK);

    for (int64_t call = 0; call < 2; call++) {
        memory_disk_fail_after(disk, MEMORY_PREAD, call, EIO, false);
        assert_int_equal(read_once(&fixture, offset_of[2], 2), CELLAR_IO_ERROR);
        memory_disk_fail_after(disk, MEMORY_PREAD, -1, 0, false);
    }
    /* The file ends in the header; in what is read first; and in what is read then. */
    const uint64_t ends[] = {16, 4096, 5000};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        misreading.end_offset = offset_of[2] + ends[i];
        assert_int_equal(read_once(&fixture, offset_of[2], 2), CELLAR_CORRUPT);
    }
    misreading.end_offset = UINT64_MAX;

    const uint32_t bytes_offset = offsetof(struct record_header, bytes);
    read_with(&fixture, disk, bytes_offset, sizeof(struct record_header) - 1, CELLAR_CORRUPT);
    read_with(&fixture, disk, bytes_offset, UINT32_MAX, CELLAR_CORRUPT);
    read_with(&fixture, disk, offsetof(struct record_header, durable_lag), UINT32_MAX,
              CELLAR_CORRUPT);
    read_with(&fixture, disk, offsetof(struct record_header, crc), 0, CELLAR_CORRUPT);
    read_with(&fixture, disk, PAYLOAD_BYTES, 0, CELLAR_CORRUPT);
    read_with(&fixture, disk, offsetof(struct record_header, lsn), 1, CELLAR_NOT_FOUND);
    log_fixture_destroy(&fixture);
    memory_disk_destroy(disk);
}

/* ---- Opening ---- */

/* Fails read k = 0, 1, 2, ... until opening comes to its own result. The number that failed. */
static int64_t fail_each_read(struct memory_disk *disk, cellar_status wanted) {
    cellar_status status = CELLAR_IO_ERROR;
    int64_t failures = -1;

    while (status == CELLAR_IO_ERROR) {
        struct log_fixture fixture;
        failures++;
        log_fixture_create(&fixture, disk, NULL, SEGMENT_BYTES);
        memory_disk_fail_after(disk, MEMORY_PREAD, failures, EIO, false);
        status = log_fixture_replay(&fixture);
        assert_int_equal(status == CELLAR_IO_ERROR, memory_disk_has_failed(disk));
        memory_disk_fail_after(disk, MEMORY_PREAD, -1, 0, false);
        log_fixture_destroy(&fixture);
    }
    assert_int_equal(status, wanted);
    return failures;
}

static void every_read_of_a_long_segment_fails(void **state) {
    struct memory_disk *disk = make_log();
    char path[80];
    const unsigned char wrong[4] = {1, 2, 3, 4};

    (void)state;
    assert_true(fail_each_read(disk, CELLAR_OK) > 2);
    /* Now what comes after the damage is read as well, for the proof that it is one. */
    assert_true(log_fixture_segment(disk, 0, path));
    memory_disk_poke(disk, path, offset_of[2] + 100, wrong, sizeof wrong);
    int64_t reads = fail_each_read(disk, CELLAR_CORRUPT);
    assert_true(reads >= 2);
    /* Here the proof itself lies in another window. */
    size_t bytes = offset_of[WINDOW_RECORDS + 1] - offset_of[3];
    void *zeros = calloc(1, bytes);
    assert_non_null(zeros);
    memory_disk_poke(disk, path, offset_of[3], zeros, bytes);
    free(zeros);
    assert_true(fail_each_read(disk, CELLAR_CORRUPT) > reads);
    memory_disk_destroy(disk);
}

/* The file is long enough, but ends before its header does when it is read. */
static void a_header_that_reads_short_is_refused(void **state) {
    struct memory_disk *disk = make_log();
    const uint64_t ends[] = {0, 100, RECORDS_OFFSET - 1};

    (void)state;
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        struct log_fixture fixture;
        log_fixture_create(&fixture, disk, NULL, SEGMENT_BYTES);
        fixture.config.io = misreading_start(disk);
        misreading.end_offset = ends[i];
        assert_int_equal(log_fixture_replay(&fixture), CELLAR_CORRUPT);
        assert_non_null(strstr(fixture.problem.text, "shorter than a segment's header"));
        log_fixture_destroy(&fixture);
    }
    memory_disk_destroy(disk);
}

/* What is mended is longer than what is copied at a time. */
static void a_long_segment_is_mended(void **state) {
    struct memory_disk *disk = make_log();

    (void)state;
    for (int opening = 0; opening < 2; opening++) {
        struct log_fixture fixture;
        log_fixture_create(&fixture, disk, NULL, SEGMENT_BYTES);
        assert_int_equal(log_fixture_open(&fixture), CELLAR_OK);
        assert_int_equal(fixture.replayed, RECORDS);
        assert_false(fixture.replay_is_wrong);
        assert_int_equal(log_fixture_was_told(&fixture, "was cut after its last record"),
                         opening == 0);
        assert_int_equal(log_fixture_close(&fixture), CELLAR_OK);
        log_fixture_destroy(&fixture);
    }
    memory_disk_destroy(disk);
}

struct refusal {
    uint64_t visits;
    uint64_t refused; /* number of the record that is refused */
};

static cellar_status refuse(void *context, const struct record_header *record,
                            cellar_problem *problem) {
    struct refusal *refusal = context;

    (void)record;
    (void)problem;
    return ++refusal->visits == refusal->refused ? CELLAR_OUT_OF_STOCK : CELLAR_OK;
}

static void a_refusal_ends_the_replay_at_that_record(void **state) {
    struct memory_disk *disk = make_log();
    const uint64_t refused[] = {1, 2, 200, RECORDS - 1, RECORDS};

    (void)state;
    for (uint64_t i = 0; i < sizeof refused / sizeof *refused + 20; i++) {
        /* Around the end of the first window all who wait for their visit get it. */
        struct refusal refusal = {.refused =
                                      i < 20 ? WINDOW_RECORDS - 15 + i : refused[(i - 20) % 5]};
        struct log_fixture fixture;
        struct log *log;
        log_fixture_create(&fixture, disk, NULL, SEGMENT_BYTES);
        assert_int_equal(log_open(&log, &fixture.config, &fixture.problem), CELLAR_OK);
        assert_int_equal(log_replay(log, refuse, &refusal, &fixture.problem), CELLAR_OUT_OF_STOCK);
        assert_int_equal(refusal.visits, refusal.refused);
        log_destroy(log);
        log_fixture_destroy(&fixture);
    }
    memory_disk_destroy(disk);
}

/* A reader without the lock may see a later batch before an earlier one. */
static void a_reader_beside_the_writer_looks_twice(void **state) {
    struct memory_disk *disk = make_log();
    static const struct {
        bool read_only;
        int zero_reads;
        cellar_status wanted;
    } cases[] = {
        {true, 1, CELLAR_OK},
        {true, 1000, CELLAR_CORRUPT},
        /* The lock is ours: nobody writes. */
        {false, 1, CELLAR_CORRUPT},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct log_fixture fixture;
        log_fixture_create(&fixture, disk, NULL, SEGMENT_BYTES);
        fixture.config.io = misreading_start(disk);
        fixture.config.read_only = cases[i].read_only;
        misreading.zero_offset = offset_of[100];
        misreading.zero_reads = cases[i].zero_reads;
        assert_int_equal(log_fixture_replay(&fixture), cases[i].wanted);
        if (cases[i].wanted == CELLAR_OK) {
            assert_int_equal(fixture.replayed, RECORDS);
            assert_false(fixture.replay_is_wrong);
        }
        log_fixture_destroy(&fixture);
    }
    memory_disk_destroy(disk);
}

/* ---- Handles, descriptors ---- */

/* Opens a log, and each of its first segments to be read: one more than handles are shared. */
static void open_all_handles(struct log_fixture *fixture, struct memory_disk *disk,
                             struct segment *segments, int *files) {
    uint64_t next_lsn = RECORDS_OFFSET;

    log_fixture_create(fixture, disk, NULL, SMALL_SEGMENT_BYTES);
    fixture->payload_bytes = 1000;
    assert_int_equal(log_fixture_open(fixture), CELLAR_OK);
    assert_int_equal(log_fixture_commit_many(fixture, 400), 400);
    for (int i = 0; i <= CATALOG_HANDLES_MAX; i++) {
        assert_true(catalog_find(fixture->log, next_lsn, &segments[i], &next_lsn));
        files[i] = catalog_acquire(fixture->log, segments[i].first_lsn);
        assert_true(files[i] >= 0);
    }
    log_fixture_settle(fixture, disk);
}

static void more_readers_than_handles_have_their_own(void **state) {
    struct memory_disk *disk = memory_disk_create();
    struct log_fixture fixture;
    struct segment segments[CATALOG_HANDLES_MAX + 1];
    int files[CATALOG_HANDLES_MAX + 1];

    (void)state;
    open_all_handles(&fixture, disk, segments, files);
    uint64_t closes = memory_disk_calls(disk, MEMORY_CLOSE);
    catalog_release(fixture.log, segments[CATALOG_HANDLES_MAX].first_lsn,
                    files[CATALOG_HANDLES_MAX]);
    assert_int_equal(memory_disk_calls(disk, MEMORY_CLOSE), closes + 1);
    for (int i = 0; i < CATALOG_HANDLES_MAX; i++) {
        catalog_release(fixture.log, segments[i].first_lsn, files[i]);
    }
    assert_int_equal(memory_disk_calls(disk, MEMORY_CLOSE), closes + 1);
    log_fixture_destroy(&fixture);
    memory_disk_destroy(disk);
}

/* A reader that came when all handles were in use keeps its own, though others share one to the
 * same segment by now. */
static void a_handle_of_its_own_stays_its_own(void **state) {
    struct memory_disk *disk = memory_disk_create();
    struct log_fixture fixture;
    struct segment segments[CATALOG_HANDLES_MAX + 1];
    int files[CATALOG_HANDLES_MAX + 1];

    (void)state;
    open_all_handles(&fixture, disk, segments, files);
    uint64_t last_lsn = segments[CATALOG_HANDLES_MAX].first_lsn;
    catalog_release(fixture.log, segments[0].first_lsn, files[0]);
    int shared = catalog_acquire(fixture.log, last_lsn);
    assert_int_not_equal(shared, files[CATALOG_HANDLES_MAX]);
    uint64_t closes = memory_disk_calls(disk, MEMORY_CLOSE);
    catalog_release(fixture.log, last_lsn, files[CATALOG_HANDLES_MAX]);
    assert_int_equal(memory_disk_calls(disk, MEMORY_CLOSE), closes + 1);
    catalog_release(fixture.log, last_lsn, shared);
    for (int i = 1; i < CATALOG_HANDLES_MAX; i++) {
        catalog_release(fixture.log, segments[i].first_lsn, files[i]);
    }
    assert_int_equal(memory_disk_calls(disk, MEMORY_CLOSE), closes + 1);
    log_fixture_destroy(&fixture);
    memory_disk_destroy(disk);
}

static void no_descriptor_is_left_for_the_event(void **state) {
    struct memory_disk *disk = memory_disk_create();
    struct log_fixture fixture;
    struct rlimit kept;

    (void)state;
    log_fixture_create(&fixture, disk, NULL, SEGMENT_BYTES);
    assert_int_equal(log_fixture_open(&fixture), CELLAR_OK);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &kept), 0);
    struct rlimit none = {.rlim_cur = 0, .rlim_max = kept.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    int refused = log_event_descriptor(fixture.log);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &kept), 0);
    assert_int_equal(refused, -EMFILE);
    assert_true(log_event_descriptor(fixture.log) >= 0);
    log_fixture_destroy(&fixture);
    memory_disk_destroy(disk);
}

struct sleeper {
    struct log_fixture *fixture;
    uint64_t lsn;
    cellar_status status;
};

static void *sleep_until_durable(void *argument) {
    struct sleeper *sleeper = argument;

    sleeper->status = log_fixture_wait(sleeper->fixture, sleeper->lsn);
    return NULL;
}

/* A batch of more than all the words waiters sleep on cover together: each word is looked at, that
 * of its first record too. */
static void a_batch_beyond_all_waiters_wakes_them(void **state) {
    struct memory_disk *disk = memory_disk_create();
    struct log_fixture fixture;
    struct sleeper sleepers[5];
    pthread_t threads[5];
    uint64_t lsn = 0;

    (void)state;
    log_fixture_create(&fixture, disk, NULL, SEGMENT_BYTES);
    fixture.config.ring_bytes = UINT64_C(8) << 20;
    fixture.payload_bytes = PAYLOAD_BYTES;
    assert_int_equal(log_fixture_open(&fixture), CELLAR_OK);
    memory_disk_hold_syncs(disk, true);
    for (int i = 0; i < 250; i++) {
        lsn = log_fixture_commit(&fixture);
        assert_int_not_equal(lsn, 0);
        if (i % 50 == 0) {
            struct sleeper *sleeper = &sleepers[i / 50];
            *sleeper = (struct sleeper){.fixture = &fixture, .lsn = lsn};
            assert_int_equal(pthread_create(&threads[i / 50], NULL, sleep_until_durable, sleeper),
                             0);
        }
    }
    clock_sleep_ns(10 * NANOSECONDS_PER_MILLISECOND);
    int64_t released_ns = clock_monotonic_ns();
    memory_disk_hold_syncs(disk, false);
    assert_int_equal(log_fixture_wait(&fixture, lsn), CELLAR_OK);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(sleepers[i].status, CELLAR_OK);
    }
    /* Woken, not found by a look at the deadline. */
    assert_true(clock_monotonic_ns() - released_ns < fixture.patience_ns / 2);
    log_fixture_destroy(&fixture);
    memory_disk_destroy(disk);
}

static void what_makes_no_sense_is_refused(void **state) {
    struct memory_disk *disk = memory_disk_create();
    static char too_long[SEGMENT_PATH_BYTES];
    const char *const directories[] = {NULL, "", too_long};
    struct log_fixture fixture;
    struct log *log;

    (void)state;
    memset(too_long, 'x', sizeof too_long - 1);
    log_fixture_create(&fixture, disk, NULL, SEGMENT_BYTES);
    for (size_t i = 0; i < sizeof directories / sizeof *directories; i++) {
        fixture.config.directory = directories[i];
        assert_int_equal(log_open(&log, &fixture.config, &fixture.problem),
                         CELLAR_INVALID_ARGUMENT);
        assert_null(log);
    }
    fixture.config.directory = LOG_FIXTURE_DIRECTORY;
    fixture.config.ring_bytes = COMMIT_RING_BYTES_MAX * 2;
    assert_int_equal(log_open(&log, &fixture.config, &fixture.problem), CELLAR_INVALID_ARGUMENT);
    log_destroy(NULL);
    log_fixture_destroy(&fixture);
    memory_disk_destroy(disk);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_misread_is_refused),
        cmocka_unit_test(every_read_of_a_long_segment_fails),
        cmocka_unit_test(a_header_that_reads_short_is_refused),
        cmocka_unit_test(a_long_segment_is_mended),
        cmocka_unit_test(a_refusal_ends_the_replay_at_that_record),
        cmocka_unit_test(a_reader_beside_the_writer_looks_twice),
        cmocka_unit_test(more_readers_than_handles_have_their_own),
        cmocka_unit_test(a_handle_of_its_own_stays_its_own),
        cmocka_unit_test(no_descriptor_is_left_for_the_event),
        cmocka_unit_test(a_batch_beyond_all_waiters_wakes_them),
        cmocka_unit_test(what_makes_no_sense_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
