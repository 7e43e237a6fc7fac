/* Is a torn tail cut, and damage to what was acknowledged refused, and never one taken for the
 * other? */
#include "log/log.h"

#include "base/clock.h"
#include "log/segment.h"
#include "support/log_fixture.h"
#include "support/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define SEGMENT_BYTES 32768

/* Under ThreadSanitizer, which is slow, not every one. */
#ifdef __SANITIZE_THREAD__
#define STRIDE 7
#else
#define STRIDE 1
#endif

static struct random numbers;

static bool keep_all(void *context, uint64_t item) {
    (void)context;
    (void)item;
    return true;
}

static bool keep_mask(void *context, uint64_t item) {
    const uint64_t *mask = context;

    return item < 64 && (*mask >> item & 1) != 0;
}

/* One record goes to the disk alone; `count` others gather behind its sync, and are written
 * together when the power fails. Returns the LSN of the first of these, 0 when it turned out
 * otherwise: this thread lost its turn while it published, and was passed over. */
static uint64_t write_torn(struct log_fixture *fixture, struct memory_disk *disk, uint64_t count,
                           uint64_t payload_bytes) {
    struct log_statistics statistics;
    uint64_t writes = memory_disk_calls(disk, MEMORY_PWRITE);

    memory_disk_hold_syncs(disk, true);
    uint64_t alone = log_fixture_commit(fixture);
    while (memory_disk_calls(disk, MEMORY_PWRITE) == writes) {
        clock_sleep_ns(10000);
    }
    fixture->payload_bytes = payload_bytes;
    uint64_t first = log_fixture_commit(fixture);
    uint64_t last = first;
    for (uint64_t i = 1; i < count; i++) {
        last = log_fixture_commit(fixture);
    }
    memory_disk_die_after(disk, 1);
    memory_disk_hold_syncs(disk, false);
    bool acknowledged = log_fixture_wait(fixture, alone) == CELLAR_OK;
    assert_int_equal(log_fixture_wait(fixture, last), CELLAR_OUTCOME_UNKNOWN);
    assert_int_equal(log_health(fixture->log), CELLAR_FAILED);
    log_statistics_get(fixture->log, &statistics);
    return acknowledged && statistics.padding_bytes == 0 ? first : 0;
}

/* A disk whose power was cut right after one whole batch of `count` records was written and not
 * synced. Before it, *acknowledged_out records were acknowledged. *torn_out: file offset of the
 * batch. */
static struct memory_disk *make_torn(uint64_t count, uint64_t payload_bytes,
                                     uint64_t *acknowledged_out, uint64_t *torn_out) {
    for (int tries = 0; tries < 20; tries++) {
        struct memory_disk *disk = memory_disk_create();
        struct log_fixture fixture;
        log_fixture_create(&fixture, disk, NULL, SEGMENT_BYTES);
        assert_int_equal(log_fixture_open(&fixture), CELLAR_OK);
        assert_int_equal(log_fixture_commit_many(&fixture, 5), 5);
        log_fixture_settle(&fixture, disk);
        log_fixture_quiesce(&fixture);
        *acknowledged_out = 6;
        /* The first segment begins at LSN 4096: offsets and LSNs are the same in it. */
        *torn_out = write_torn(&fixture, disk, count, payload_bytes);
        assert_int_equal(log_fixture_close(&fixture), CELLAR_OUTCOME_UNKNOWN);
        log_fixture_destroy(&fixture);
        if (*torn_out != 0) {
            return disk;
        }
        memory_disk_destroy(disk);
    }
    fail_msg("no torn batch could be made");
    return NULL;
}

/* Opens for writing, adds records, closes; opens again and looks. */
static void open_and_go_on(struct memory_disk *disk, uint64_t least) {
    struct log_fixture fixture;

    log_fixture_create(&fixture, disk, NULL, SEGMENT_BYTES);
    assert_int_equal(log_fixture_open(&fixture), CELLAR_OK);
    assert_false(fixture.replay_is_wrong);
    assert_true(fixture.replayed >= least);
    uint64_t found = fixture.replayed;
    assert_int_equal(log_fixture_close(&fixture), CELLAR_OK);
    /* Opened twice after the cut. */
    assert_int_equal(log_fixture_open(&fixture), CELLAR_OK);
    assert_false(fixture.replay_is_wrong);
    assert_int_equal(fixture.replayed, found);
    assert_int_equal(log_fixture_commit_many(&fixture, 3), found + 3);
    assert_int_equal(log_fixture_close(&fixture), CELLAR_OK);
    log_fixture_destroy(&fixture);
    uint64_t count;
    assert_true(log_fixture_disk_is_right(disk, SEGMENT_BYTES, found + 3, &count));
    assert_int_equal(count, found + 3);
}

static void every_subset_of_unsynced_sectors_is_cut_right(void **state) {
    uint64_t acknowledged;
    uint64_t torn;
    struct memory_disk *disk = make_torn(8, 520, &acknowledged, &torn);
    uint64_t pieces = memory_disk_unsynced(disk);
    bool seen[16] = {false};

    (void)state;
    assert_true(pieces >= 9);
    assert_true(pieces <= 12);
    for (uint64_t mask = 0; mask < UINT64_C(1) << pieces; mask += STRIDE) {
        struct memory_disk *image = memory_disk_power_cut(disk, keep_mask, &mask);
        uint64_t count;
        assert_true(log_fixture_disk_is_right(image, SEGMENT_BYTES, acknowledged, &count));
        assert_true(count <= acknowledged + 8);
        seen[count] = true;
        if (mask % 97 == 0) {
            open_and_go_on(image, acknowledged);
        }
        memory_disk_destroy(image);
    }
    /* The test reaches what it is about: none, some and all of the batch; with a stride it need not
     * meet each number of records. */
    assert_true(seen[acknowledged]);
    for (uint64_t count = acknowledged; STRIDE == 1 && count <= acknowledged + 8; count++) {
        assert_true(seen[count]);
    }
    memory_disk_destroy(disk);
}

static void a_tail_torn_at_any_byte_is_cut_right(void **state) {
    uint64_t acknowledged;
    uint64_t torn;
    struct memory_disk *disk = make_torn(4, 300, &acknowledged, &torn);
    struct memory_disk *image = memory_disk_power_cut(disk, keep_all, NULL);
    char path[80];
    uint64_t end = torn + 4 * 384;
    uint64_t before = acknowledged + 4;

    (void)state;
    assert_true(log_fixture_segment(image, 0, path));
    for (uint64_t at = end - 1; at >= torn; at--) {
        uint64_t count;
        unsigned char byte = (unsigned char)(random_next(&numbers) & (at % 2 == 0 ? 0 : 255));
        memory_disk_poke(image, path, at, &byte, 1);
        assert_true(log_fixture_disk_is_right(image, SEGMENT_BYTES, acknowledged, &count));
        assert_true(count <= before);
        before = count;
    }
    assert_int_equal(before, acknowledged);
    memory_disk_destroy(image);
    memory_disk_destroy(disk);
}

static void records_beyond_the_cut_never_come_back(void **state) {
    uint64_t acknowledged;
    uint64_t torn;
    struct memory_disk *disk = make_torn(6, 200, &acknowledged, &torn);
    struct memory_disk *image = memory_disk_power_cut(disk, keep_all, NULL);
    const unsigned char zero = 0;
    unsigned char first;
    char path[80];

    (void)state;
    assert_true(log_fixture_segment(image, 0, path));
    /* The first record of the batch is gone, the others are whole. */
    memory_disk_peek(image, path, torn + 40, &first, 1);
    memory_disk_poke(image, path, torn + 40, first == 0 ? (const unsigned char *)"x" : &zero, 1);
    open_and_go_on(image, acknowledged);
    assert_int_equal(memory_disk_file_bytes(image, path), torn);
    /* Were the missing record to turn up again, nobody would look there. */
    uint64_t count;
    memory_disk_poke(image, path, torn + 40, &first, 1);
    assert_true(log_fixture_disk_is_right(image, SEGMENT_BYTES, acknowledged + 3, &count));
    assert_int_equal(count, acknowledged + 3);
    memory_disk_destroy(image);
    memory_disk_destroy(disk);
}

/* A log of several segments whose process was killed when all was quiet, and how often the log
 * writer did not wait for a record that was reserved. */
static struct memory_disk *make_killed_with_gaps(uint64_t count, uint64_t *gaps_out) {
    struct memory_disk *disk = memory_disk_create();
    struct log_fixture fixture;

    log_fixture_create(&fixture, disk, NULL, SEGMENT_BYTES);
    fixture.payload_bytes = 400;
    assert_int_equal(log_fixture_open(&fixture), CELLAR_OK);
    assert_int_equal(log_fixture_commit_many(&fixture, count), count);
    log_fixture_quiesce(&fixture);
    *gaps_out = ATOMIC_LOAD(&fixture.commit->dead_gaps, relaxed);
    struct memory_disk *killed = memory_disk_kill(disk);
    (void)log_fixture_close(&fixture);
    log_fixture_destroy(&fixture);
    memory_disk_destroy(disk);
    return killed;
}

/* Without gaps: records are where they are expected to be. */
static struct memory_disk *make_killed(uint64_t count) {
    uint64_t gaps;
    struct memory_disk *killed = make_killed_with_gaps(count, &gaps);

    while (gaps != 0) {
        memory_disk_destroy(killed);
        killed = make_killed_with_gaps(count, &gaps);
    }
    return killed;
}

/* The disk must be refused for the reason `status`, naming the file and the offset, and stay as it
 * is. */
static void assert_refused(struct memory_disk *disk, cellar_status expected, const char *path,
                           uint64_t offset) {
    struct log_fixture fixture;
    char place[128];
    uint64_t fingerprint = memory_disk_fingerprint(disk);

    (void)snprintf(place, sizeof place, "%s: offset %llu:", path, (unsigned long long)offset);
    log_fixture_create(&fixture, disk, NULL, SEGMENT_BYTES);
    cellar_status status = log_fixture_open(&fixture);
    if (status != expected || strstr(fixture.problem.text, place) == NULL) {
        print_error("status %d: %s (not at %s)\n", status, fixture.problem.text, place);
    }
    assert_int_equal(status, expected);
    assert_non_null(strstr(fixture.problem.text, place));
    assert_int_equal(fixture.problem.status, status);
    log_fixture_destroy(&fixture);
    assert_int_equal(memory_disk_fingerprint(disk), fingerprint);
}

/* Flips one bit in each line of every record of the segment; each must be noticed. */
static void damage_segment(struct memory_disk *disk, const char *path, bool last) {
    uint64_t offset = SEGMENT_HEADER_BYTES;

    for (;;) {
        struct record_header header;
        memory_disk_peek(disk, path, offset, &header, sizeof header);
        if (header.lsn == 0) {
            return;
        }
        /* The last mark itself was never acknowledged: without it the log is only less sure. */
        bool proven = !last || header.kind != RECORD_MARK;
        for (uint64_t at = 0; at < header.bytes && proven; at += RECORD_LINE_BYTES) {
            uint64_t left = header.bytes - at;
            uint64_t byte = offset + at + random_below(&numbers, left < 64 ? left : 64);
            unsigned char before;
            memory_disk_peek(disk, path, byte, &before, 1);
            unsigned char after = (unsigned char)(before ^ (1u << random_below(&numbers, 8)));
            memory_disk_poke(disk, path, byte, &after, 1);
            assert_refused(disk, CELLAR_CORRUPT, path, offset);
            memory_disk_poke(disk, path, byte, &before, 1);
        }
        offset += record_space(header.bytes);
    }
}

static void damage_to_acknowledged_records_is_refused(void **state) {
    struct memory_disk *disk = make_killed(150);
    char path[80];
    char next[80];
    int segments = 0;

    (void)state;
    while (log_fixture_segment(disk, segments, path)) {
        damage_segment(disk, path, !log_fixture_segment(disk, segments + 1, next));
        segments++;
    }
    assert_true(segments >= 3);
    /* And without damage it opens. */
    open_and_go_on(disk, 150);
    memory_disk_destroy(disk);
}

static void a_damaged_header_is_refused(void **state) {
    struct memory_disk *disk = make_killed(70);
    char path[80];

    (void)state;
    for (int segment = 0; log_fixture_segment(disk, segment, path); segment++) {
        for (uint64_t byte = 0; byte < SEGMENT_HEADER_BYTES; byte += byte < 80 ? 1 : 61) {
            unsigned char before;
            memory_disk_peek(disk, path, byte, &before, 1);
            unsigned char after = (unsigned char)(before ^ (1u << random_below(&numbers, 8)));
            memory_disk_poke(disk, path, byte, &after, 1);
            bool format = byte >= 8 && byte < 12;
            assert_refused(disk, format ? CELLAR_UNKNOWN_FORMAT : CELLAR_CORRUPT, path, 0);
            memory_disk_poke(disk, path, byte, &before, 1);
        }
    }
    open_and_go_on(disk, 70);
    memory_disk_destroy(disk);
}

static void sectors_swapped_or_lost_are_refused(void **state) {
    struct memory_disk *disk = make_killed(150);
    unsigned char zeros[MEMORY_IO_SECTOR_BYTES] = {0};
    char path[80];

    (void)state;
    /* The first segment is full: every sector of it holds acknowledged bytes. */
    assert_true(log_fixture_segment(disk, 0, path));
    for (uint64_t at = SEGMENT_HEADER_BYTES; at + 8192 < SEGMENT_BYTES; at += sizeof zeros) {
        unsigned char here[MEMORY_IO_SECTOR_BYTES];
        unsigned char other[MEMORY_IO_SECTOR_BYTES];
        struct log_fixture fixture;
        uint64_t elsewhere = at + sizeof zeros * (1 + random_below(&numbers, 15));
        memory_disk_peek(disk, path, at, here, sizeof here);
        memory_disk_peek(disk, path, elsewhere, other, sizeof other);
        memory_disk_poke(disk, path, at, at % 1024 == 0 ? zeros : other, sizeof here);
        log_fixture_create(&fixture, disk, NULL, SEGMENT_BYTES);
        assert_int_equal(log_fixture_open(&fixture), CELLAR_CORRUPT);
        log_fixture_destroy(&fixture);
        memory_disk_poke(disk, path, at, here, sizeof here);
    }
    open_and_go_on(disk, 150);
    memory_disk_destroy(disk);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_subset_of_unsynced_sectors_is_cut_right),
        cmocka_unit_test(a_tail_torn_at_any_byte_is_cut_right),
        cmocka_unit_test(records_beyond_the_cut_never_come_back),
        cmocka_unit_test(damage_to_acknowledged_records_is_refused),
        cmocka_unit_test(a_damaged_header_is_refused),
        cmocka_unit_test(sectors_swapped_or_lost_are_refused),
    };
    numbers.state = random_seed_of_run();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
