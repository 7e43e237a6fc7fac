/* Does opening refuse what it must refuse, change nothing then, and leave alone what is not its
 * own? */
#include "log/log.h"

#include "base/checksum.h"
#include "log/segment.h"
#include "support/log_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define SEGMENT_BYTES 20480
#define CHANGES (MEMORY_CHANGING & ~(unsigned)MEMORY_OPEN)

/* A cleanly closed log of `openings` incarnations, `count` records each. */
static struct memory_disk *make_log(int openings, uint64_t count) {
    struct memory_disk *disk = memory_disk_create();
    struct log_fixture fixture;

    log_fixture_create(&fixture, disk, NULL, SEGMENT_BYTES);
    fixture.payload_bytes = 500;
    for (int i = 0; i < openings; i++) {
        assert_int_equal(log_fixture_open(&fixture), CELLAR_OK);
        (void)log_fixture_commit_many(&fixture, count);
        assert_int_equal(log_fixture_close(&fixture), CELLAR_OK);
    }
    log_fixture_destroy(&fixture);
    return disk;
}

static void put_file(struct memory_disk *disk, const char *path, const void *data, size_t bytes) {
    const struct io *io = memory_disk_io(disk);
    int file = io->open(io->context, path, O_RDWR | O_CREAT);

    assert_true(file >= 0);
    assert_int_equal(io->truncate(io->context, file, 0), 0);
    assert_int_equal(io_write_all(io, file, data, bytes, 0), 0);
    assert_int_equal(io->close(io->context, file), 0);
}

static size_t get_file(struct memory_disk *disk, const char *path, unsigned char *data) {
    int64_t bytes = memory_disk_file_bytes(disk, path);

    assert_true(bytes >= 0);
    assert_true(bytes <= SEGMENT_BYTES);
    memory_disk_peek(disk, path, 0, data, (size_t)bytes);
    return (size_t)bytes;
}

static void remove_file(struct memory_disk *disk, const char *path) {
    const struct io *io = memory_disk_io(disk);

    assert_int_equal(io->unlink(io->context, path), 0);
}

/* Refused, with a text that contains `text`, and nothing changed. */
static void assert_refused(struct memory_disk *disk, cellar_status expected, const char *text) {
    struct log_fixture fixture;
    uint64_t fingerprint = memory_disk_fingerprint(disk);

    log_fixture_create(&fixture, disk, NULL, SEGMENT_BYTES);
    cellar_status status = log_fixture_open(&fixture);
    if (status != expected || strstr(fixture.problem.text, text) == NULL) {
        print_error("status %d: %s\n", status, fixture.problem.text);
    }
    assert_int_equal(status, expected);
    assert_int_equal(fixture.problem.status, expected);
    assert_non_null(strstr(fixture.problem.text, text));
    assert_int_equal(memory_disk_fingerprint(disk), fingerprint);
    log_fixture_destroy(&fixture);
}

static void assert_right(struct memory_disk *disk, uint64_t expected) {
    uint64_t count;

    assert_true(log_fixture_disk_is_right(disk, SEGMENT_BYTES, expected, &count));
    assert_int_equal(count, expected);
}

static void a_second_opening_is_refused(void **state) {
    struct memory_disk *disk = memory_disk_create();
    struct log_fixture first;

    (void)state;
    log_fixture_create(&first, disk, NULL, SEGMENT_BYTES);
    assert_int_equal(log_fixture_open(&first), CELLAR_OK);
    assert_int_equal(log_fixture_commit_many(&first, 3), 3);
    log_fixture_settle(&first, disk);
    log_fixture_quiesce(&first);
    assert_refused(disk, CELLAR_LOCKED, "/db/lock");
    /* The first is not disturbed, and a reader takes no lock. */
    assert_right(disk, 3);
    assert_int_equal(log_fixture_commit_many(&first, 3), 6);
    assert_int_equal(log_fixture_close(&first), CELLAR_OK);
    assert_int_equal(log_fixture_open(&first), CELLAR_OK);
    log_fixture_destroy(&first);
    memory_disk_destroy(disk);
}

static void reading_only_changes_nothing(void **state) {
    struct memory_disk *disk = make_log(3, 20);
    const unsigned char junk[100] = {1};

    (void)state;
    put_file(disk, "/db/spare.tmp", junk, sizeof junk);
    put_file(disk, "/db/mend.tmp", junk, sizeof junk);
    uint64_t fingerprint = memory_disk_fingerprint(disk);
    uint64_t changes = memory_disk_calls(disk, CHANGES | MEMORY_LOCK);
    assert_right(disk, 60);
    assert_int_equal(memory_disk_calls(disk, CHANGES | MEMORY_LOCK), changes);
    assert_int_equal(memory_disk_fingerprint(disk), fingerprint);
    memory_disk_destroy(disk);
}

static void reading_only_wants_a_directory(void **state) {
    struct memory_disk *disk = memory_disk_create();
    struct log_fixture fixture;

    (void)state;
    log_fixture_create(&fixture, disk, NULL, SEGMENT_BYTES);
    fixture.config.read_only = true;
    assert_int_equal(log_fixture_replay(&fixture), CELLAR_IO_ERROR);
    assert_int_equal(memory_disk_file_bytes(disk, "/db/lock"), -1);
    log_fixture_destroy(&fixture);
    memory_disk_destroy(disk);
}

/* Another format is refused before anything else in the header is believed. */
static void an_unknown_format_is_refused(void **state) {
    struct memory_disk *disk = make_log(2, 5);
    const uint32_t format = SEGMENT_FORMAT + 1;
    char path[80];

    (void)state;
    for (int segment = 0; segment < 2; segment++) {
        uint32_t before;
        assert_true(log_fixture_segment(disk, segment, path));
        memory_disk_peek(disk, path, 8, &before, sizeof before);
        memory_disk_poke(disk, path, 8, &format, sizeof format);
        assert_refused(disk, CELLAR_UNKNOWN_FORMAT, path);
        memory_disk_poke(disk, path, 8, &before, sizeof before);
    }
    assert_right(disk, 10);
    memory_disk_destroy(disk);
}

static void a_segment_of_another_database_is_refused(void **state) {
    struct memory_disk *disk = make_log(2, 5);
    struct memory_disk *other = make_log(2, 5);
    unsigned char ours[SEGMENT_BYTES];
    unsigned char theirs[SEGMENT_BYTES];
    char path[80];
    char their_path[80];

    (void)state;
    /* The same history in both: only the id of the database tells them apart. Unless a thread lost
     * its turn while it published, and was passed over. */
    assert_true(log_fixture_segment(disk, 1, path));
    assert_true(log_fixture_segment(other, 1, their_path));
    for (int tries = 0; tries < 20 && strcmp(path, their_path) != 0; tries++) {
        memory_disk_destroy(disk);
        memory_disk_destroy(other);
        disk = make_log(2, 5);
        other = make_log(2, 5);
        assert_true(log_fixture_segment(disk, 1, path));
        assert_true(log_fixture_segment(other, 1, their_path));
    }
    assert_string_equal(path, their_path);
    size_t our_bytes = get_file(disk, path, ours);
    size_t their_bytes = get_file(other, path, theirs);
    put_file(disk, path, theirs, their_bytes);
    assert_refused(disk, CELLAR_CORRUPT, "belongs to another database");
    /* Their records under our header: they do not count, and ours are missed. */
    memcpy(theirs, ours, SEGMENT_HEADER_BYTES);
    put_file(disk, path, theirs, their_bytes);
    assert_refused(disk, CELLAR_CORRUPT, "though the segment was closed");
    put_file(disk, path, ours, our_bytes);
    assert_right(disk, 10);
    memory_disk_destroy(other);
    memory_disk_destroy(disk);
}

static void a_missing_segment_is_refused(void **state) {
    char path[80];
    int segments = 0;

    (void)state;
    struct memory_disk *probe = make_log(3, 60);
    while (log_fixture_segment(probe, segments, path)) {
        segments++;
    }
    memory_disk_destroy(probe);
    assert_true(segments >= 6);
    /* Each but the last: that it is gone, the log alone cannot know. */
    for (int missing = 0; missing + 1 < segments; missing++) {
        struct memory_disk *disk = make_log(3, 60);
        assert_true(log_fixture_segment(disk, missing, path));
        remove_file(disk, path);
        assert_true(log_fixture_segment(disk, missing, path));
        assert_refused(disk, CELLAR_CORRUPT, path);
        memory_disk_destroy(disk);
    }
}

/* segment, field, what is added to it, what the text says: a header that is valid in itself and
 * fits no longer */
static const struct misfit {
    int segment;
    size_t offset;
    size_t bytes;
    uint64_t added;
    const char *text;
} misfits[] = {
    {0, offsetof(struct segment_header, incarnation), 4, 1, "before this one are missing"},
    {0, offsetof(struct segment_header, previous_end_lsn), 8, 64, "before this one are missing"},
    {1, offsetof(struct segment_header, incarnation), 4, 1, "does not continue"},
    {1, offsetof(struct segment_header, incarnation), 4, (uint32_t)-1, "does not continue"},
    {1, offsetof(struct segment_header, previous_end_lsn), 8, 64, "does not continue"},
    {1, offsetof(struct segment_header, previous_end_lsn), 8, (uint64_t)-64, "does not continue"},
    {1, offsetof(struct segment_header, previous_end_lsn), 8, 65536, "is missing"},
    {2, offsetof(struct segment_header, previous_end_lsn), 8, (uint64_t)-65536, "is missing"},
    {1, offsetof(struct segment_header, database_high), 8, 1, "another database"},
    {1, offsetof(struct segment_header, database_low), 8, 1, "another database"},
    {1, offsetof(struct segment_header, first_lsn), 8, 64, "another name"},
};

static void check_misfit(struct memory_disk *disk, const struct misfit *misfit) {
    unsigned char before[SEGMENT_HEADER_BYTES];
    unsigned char block[SEGMENT_HEADER_BYTES];
    char path[80];
    uint64_t value = 0;
    uint32_t crc = 0;
    assert_true(log_fixture_segment(disk, misfit->segment, path));
    memory_disk_peek(disk, path, 0, before, sizeof before);
    memcpy(block, before, sizeof block);
    memset(block + SEGMENT_NOTE_OFFSET, 0, sizeof(struct segment_note));
    memcpy(&value, block + misfit->offset, misfit->bytes);
    value += misfit->added;
    memcpy(block + misfit->offset, &value, misfit->bytes);
    memcpy(block + offsetof(struct segment_header, crc), &crc, sizeof crc);
    crc = checksum_crc32c(0, block, sizeof block);
    memcpy(block + offsetof(struct segment_header, crc), &crc, sizeof crc);
    memory_disk_poke(disk, path, 0, block, sizeof block);
    assert_refused(disk, CELLAR_CORRUPT, misfit->text);
    memory_disk_poke(disk, path, 0, before, sizeof before);
}

/* Where each segment is of a life of its own; and behind a gap within one life. */
static void a_segment_that_does_not_fit_is_refused(void **state) {
    static const struct misfit gap = {1, offsetof(struct segment_header, previous_end_lsn), 8,
                                      (uint64_t)-64, "does not continue"};
    struct memory_disk *disk = make_log(3, 5);
    struct memory_disk *one_life = make_log(1, 60);

    (void)state;
    for (size_t i = 0; i < sizeof misfits / sizeof *misfits; i++) {
        check_misfit(disk, &misfits[i]);
    }
    assert_right(disk, 15);
    check_misfit(one_life, &gap);
    assert_right(one_life, 60);
    memory_disk_destroy(disk);
    memory_disk_destroy(one_life);
}

static void a_segment_under_another_name_is_refused(void **state) {
    struct memory_disk *disk = make_log(1, 20);
    const struct io *io = memory_disk_io(disk);
    char path[80];

    (void)state;
    assert_true(log_fixture_segment(disk, 0, path));
    assert_int_equal(io->rename(io->context, path, "/db/00000000000000999936.log"), 0);
    assert_refused(disk, CELLAR_CORRUPT, "under another name");
    memory_disk_destroy(disk);
}

static void a_segment_cut_short_is_refused(void **state) {
    struct memory_disk *disk = make_log(2, 20);
    unsigned char data[SEGMENT_BYTES];
    char path[80];

    (void)state;
    assert_true(log_fixture_segment(disk, 0, path));
    size_t bytes = get_file(disk, path, data);
    const size_t lengths[] = {0, 100, 4095, 4096, 5000, bytes - 64};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        put_file(disk, path, data, lengths[i]);
        assert_refused(disk, CELLAR_CORRUPT, path);
    }
    put_file(disk, path, data, bytes);
    assert_right(disk, 40);
    memory_disk_destroy(disk);
}

static void leftovers_are_removed_and_strangers_left_alone(void **state) {
    struct memory_disk *disk = make_log(2, 20);
    const unsigned char junk[100] = {1};
    struct log_fixture fixture;

    (void)state;
    put_file(disk, "/db/spare.tmp", junk, sizeof junk);
    put_file(disk, "/db/mend.tmp", junk, sizeof junk);
    put_file(disk, "/db/0000000000000004096.log", junk, sizeof junk);
    put_file(disk, "/db/0000000000000000409x.log", junk, sizeof junk);
    put_file(disk, "/db/0000000000000000-096.log", junk, sizeof junk);
    put_file(disk, "/db/99999999999999999999.log", junk, sizeof junk);
    put_file(disk, "/db/checkpoint", junk, sizeof junk);
    log_fixture_create(&fixture, disk, NULL, SEGMENT_BYTES);
    assert_int_equal(log_fixture_open(&fixture), CELLAR_OK);
    assert_int_equal(fixture.replayed, 40);
    assert_int_equal(memory_disk_file_bytes(disk, "/db/mend.tmp"), -1);
    log_fixture_settle(&fixture, disk);
    assert_true(memory_disk_file_bytes(disk, "/db/spare.tmp") > 100);
    assert_int_equal(log_fixture_close(&fixture), CELLAR_OK);
    assert_int_equal(memory_disk_file_bytes(disk, "/db/spare.tmp"), -1);
    assert_int_equal(memory_disk_file_bytes(disk, "/db/0000000000000004096.log"), 100);
    assert_int_equal(memory_disk_file_bytes(disk, "/db/0000000000000000409x.log"), 100);
    assert_int_equal(memory_disk_file_bytes(disk, "/db/0000000000000000-096.log"), 100);
    assert_int_equal(memory_disk_file_bytes(disk, "/db/99999999999999999999.log"), 100);
    assert_int_equal(memory_disk_file_bytes(disk, "/db/checkpoint"), 100);
    log_fixture_destroy(&fixture);
    memory_disk_destroy(disk);
}

/* LSNs of an incarnation begin beyond anything the one before can have handed out. */
static void incarnations_do_not_share_lsns(void **state) {
    struct memory_disk *disk = memory_disk_create();
    struct log_fixture fixture;
    uint64_t reserved = 0;

    (void)state;
    log_fixture_create(&fixture, disk, NULL, SEGMENT_BYTES);
    for (int i = 0; i < 6; i++) {
        assert_int_equal(log_fixture_open(&fixture), CELLAR_OK);
        assert_true(log_start_lsn(fixture.log) > reserved);
        assert_int_equal(log_start_lsn(fixture.log) % RECORD_LINE_BYTES, 0);
        (void)log_fixture_commit_many(&fixture, 3);
        /* What is only reserved when the power fails counts as well. */
        log_fixture_settle(&fixture, disk);
        memory_disk_fail_after(disk, MEMORY_PWRITE, 0, EIO, true);
        while (log_fixture_commit(&fixture) != 0) {
        }
        reserved = ATOMIC_LOAD(&fixture.commit->reserved.lsn, acquire);
        assert_int_equal(log_fixture_close(&fixture), CELLAR_OUTCOME_UNKNOWN);
        memory_disk_fail_after(disk, 0, -1, 0, false);
    }
    log_fixture_destroy(&fixture);
    memory_disk_destroy(disk);
}

/* name, ring, segment, directory */
static const struct {
    const char *name;
    uint64_t ring_bytes;
    uint64_t segment_bytes;
    const char *directory;
    cellar_status expected;
} configurations[] = {
    {"smallest", 65536, 20480, "/db", CELLAR_OK},
    {"odd size", 65536, 20479 + 4096, "/db", CELLAR_OK},
    {"two records", 65536, 20479, "/db", CELLAR_INVALID_ARGUMENT},
    {"no segment", 65536, 0, "/db", CELLAR_INVALID_ARGUMENT},
    {"huge segment", 65536, (UINT64_C(1) << 34) + 1, "/db", CELLAR_INVALID_ARGUMENT},
    {"no ring", 0, 20480, "/db", CELLAR_INVALID_ARGUMENT},
    {"odd ring", 65536 + 64, 20480, "/db", CELLAR_INVALID_ARGUMENT},
    {"small ring", 32768, 20480, "/db", CELLAR_INVALID_ARGUMENT},
    {"large ring", UINT64_C(1) << 20, 20480, "/db", CELLAR_INVALID_ARGUMENT},
    {"no directory", 65536, 20480, "", CELLAR_INVALID_ARGUMENT},
    {"no parent", 65536, 20480, "/none/db", CELLAR_IO_ERROR},
};

static void configurations_are_checked(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof configurations / sizeof *configurations; i++) {
        struct memory_disk *disk = memory_disk_create();
        struct log_fixture fixture;
        log_fixture_create(&fixture, disk, configurations[i].directory,
                           configurations[i].segment_bytes);
        fixture.config.ring_bytes = configurations[i].ring_bytes;
        cellar_status status = log_fixture_open(&fixture);
        if (status != configurations[i].expected) {
            print_error("%s: %d\n", configurations[i].name, status);
        }
        assert_int_equal(status, configurations[i].expected);
        log_fixture_destroy(&fixture);
        memory_disk_destroy(disk);
    }
}

static char synced_path[8192];

static int remember_path(void *context, const char *path) {
    (void)context;
    /* The first: the parent, before anything is made in the directory. */
    if (synced_path[0] == '\0') {
        (void)snprintf(synced_path, sizeof synced_path, "%s", path);
    }
    return 0;
}

static void the_parent_of_any_spelling_is_synced(void **state) {
    static const struct {
        const char *directory;
        const char *parent;
    } cases[] = {{"one", "."}, {"two//", "."}, {"./three", "."}, {"one//four/", "one"}};

    (void)state;
    char place[4096];
    const char *scratch = getenv("TMPDIR");
    (void)snprintf(place, sizeof place, "%s/parentXXXXXX", scratch != NULL ? scratch : "/tmp");
    assert_non_null(mkdtemp(place));
    assert_int_equal(chdir(place), 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct log_fixture fixture;
        struct io io = io_posix;
        io.sync_directory = remember_path;
        log_fixture_create(&fixture, NULL, cases[i].directory, SEGMENT_BYTES);
        fixture.config.io = &io;
        synced_path[0] = '\0';
        assert_int_equal(log_fixture_open(&fixture), CELLAR_OK);
        assert_string_equal(synced_path, cases[i].parent);
        (void)log_fixture_close(&fixture);
        log_fixture_destroy(&fixture);
    }
}

static void the_root_is_its_own_parent(void **state) {
    const char *const directories[] = {"/", "//", "/one"};

    (void)state;
    for (size_t i = 0; i < sizeof directories / sizeof *directories; i++) {
        struct memory_disk *disk = memory_disk_create();
        struct log_fixture fixture;
        struct io io = *memory_disk_io(disk);
        io.sync_directory = remember_path;
        log_fixture_create(&fixture, disk, directories[i], SEGMENT_BYTES);
        fixture.config.io = &io;
        synced_path[0] = '\0';
        assert_int_equal(log_fixture_open(&fixture), CELLAR_OK);
        assert_string_equal(synced_path, "/");
        (void)log_fixture_close(&fixture);
        log_fixture_destroy(&fixture);
        memory_disk_destroy(disk);
    }
}

/* Ring and segment size are this opening's, not the database's. */
static void sizes_may_change_between_openings(void **state) {
    struct memory_disk *disk = memory_disk_create();
    struct log_fixture fixture;
    uint64_t total = 0;

    (void)state;
    for (uint64_t i = 0; i < 5; i++) {
        log_fixture_create(&fixture, disk, NULL, SEGMENT_BYTES << (i * 7 % 5));
        fixture.config.ring_bytes = UINT64_C(65536) << (i * 3 % 4);
        if (fixture.config.segment_bytes < fixture.config.ring_bytes) {
            fixture.config.segment_bytes = fixture.config.ring_bytes;
        }
        fixture.payload_bytes = 600;
        assert_int_equal(log_fixture_open(&fixture), CELLAR_OK);
        assert_int_equal(fixture.replayed, total);
        total = log_fixture_commit_many(&fixture, 50);
        assert_int_equal(log_fixture_close(&fixture), CELLAR_OK);
        log_fixture_destroy(&fixture);
    }
    assert_right(disk, 250);
    memory_disk_destroy(disk);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_second_opening_is_refused),
        cmocka_unit_test(reading_only_changes_nothing),
        cmocka_unit_test(reading_only_wants_a_directory),
        cmocka_unit_test(an_unknown_format_is_refused),
        cmocka_unit_test(a_segment_of_another_database_is_refused),
        cmocka_unit_test(a_missing_segment_is_refused),
        cmocka_unit_test(a_segment_that_does_not_fit_is_refused),
        cmocka_unit_test(a_segment_under_another_name_is_refused),
        cmocka_unit_test(a_segment_cut_short_is_refused),
        cmocka_unit_test(leftovers_are_removed_and_strangers_left_alone),
        cmocka_unit_test(incarnations_do_not_share_lsns),
        cmocka_unit_test(configurations_are_checked),
        cmocka_unit_test(the_parent_of_any_spelling_is_synced),
        cmocka_unit_test(the_root_is_its_own_parent),
        cmocka_unit_test(sizes_may_change_between_openings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
