/* Whatever call the power fails at, and whatever the disk keeps of what was not synced: does the
 * next opening find a prefix of the log that contains every acknowledged record? */
#include "log/log.h"

#include "support/log_fixture.h"
#include "support/random.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define SEGMENT_BYTES 20480
#define ROUNDS 30
#define IMAGES 6

/* Under the sanitizers, which are slow, only every third or tenth call. */
#if defined(__SANITIZE_THREAD__)
#define STRIDE 10
#elif defined(__SANITIZE_ADDRESS__)
#define STRIDE 3
#else
#define STRIDE 1
#endif

static struct random numbers;

/* Keeps all, nothing, or each piece with some probability. */
struct choice {
    unsigned of_sixteen;
};

static bool keep_some(void *context, uint64_t item) {
    const struct choice *choice = context;

    (void)item;
    return random_below(&numbers, 16) < choice->of_sixteen;
}

/* Opens, commits, rolls, closes; the power fails after `countdown` changing calls. Returns the
 * number of the last acknowledged record, and whether the power failed before the end. */
static uint64_t run_until_power_fails(struct memory_disk *disk, int64_t countdown, bool *died_out) {
    struct log_fixture fixture;
    uint64_t acknowledged = 0;

    log_fixture_create(&fixture, disk, NULL, SEGMENT_BYTES);
    fixture.patience_ns = NANOSECONDS_PER_SECOND / 2;
    memory_disk_die_after(disk, countdown);
    if (log_fixture_open(&fixture) == CELLAR_OK) {
        acknowledged = fixture.replayed;
        for (uint64_t i = 0; i < ROUNDS; i++) {
            /* Records of one to many sectors, in batches of one to four. */
            fixture.payload_bytes = 8 + random_below(&numbers, 2000);
            for (uint64_t k = random_below(&numbers, 4); k > 0; k--) {
                (void)log_fixture_commit(&fixture);
            }
            uint64_t number = log_fixture_commit_many(&fixture, 1);
            if (number == 0) {
                break;
            }
            acknowledged = number;
        }
        (void)log_fixture_close(&fixture);
    }
    *died_out = memory_disk_is_dead(disk);
    memory_disk_die_after(disk, -1);
    log_fixture_destroy(&fixture);
    return acknowledged;
}

/* Opens what is left, checks it, adds records, closes, and checks again. Returns how many there
 * are. */
static uint64_t check_and_go_on(struct memory_disk *disk, uint64_t least) {
    struct log_fixture fixture;
    uint64_t count;

    log_fixture_create(&fixture, disk, NULL, SEGMENT_BYTES);
    cellar_status status = log_fixture_open(&fixture);
    if (status != CELLAR_OK || fixture.replay_is_wrong || fixture.replayed < least) {
        fail_msg("status %d: %s; %llu of %llu records", status, fixture.problem.text,
                 (unsigned long long)fixture.replayed, (unsigned long long)least);
    }
    uint64_t found = fixture.replayed;
    assert_int_equal(log_fixture_commit_many(&fixture, 3), found + 3);
    assert_int_equal(log_fixture_close(&fixture), CELLAR_OK);
    log_fixture_destroy(&fixture);
    assert_true(log_fixture_disk_is_right(disk, SEGMENT_BYTES, found + 3, &count));
    assert_int_equal(count, found + 3);
    return count;
}

/* What a power cut may have left; some images lose the power again while they are being opened. */
static void check_image(struct memory_disk *dead, unsigned of_sixteen, uint64_t acknowledged) {
    struct choice choice = {.of_sixteen = of_sixteen};
    struct memory_disk *image = memory_disk_power_cut(dead, keep_some, &choice);

    while (random_below(&numbers, 3) == 0) {
        bool died;
        uint64_t number = run_until_power_fails(image, (int64_t)random_below(&numbers, 24), &died);
        acknowledged = number > acknowledged ? number : acknowledged;
        struct memory_disk *next = memory_disk_power_cut(image, keep_some, &choice);
        memory_disk_destroy(image);
        image = next;
    }
    (void)check_and_go_on(image, acknowledged);
    memory_disk_destroy(image);
}

static void check_images(struct memory_disk *dead, uint64_t acknowledged) {
    check_image(dead, 0, acknowledged);
    check_image(dead, 16, acknowledged);
    for (unsigned i = 0; i < IMAGES; i++) {
        check_image(dead, 1 + (unsigned)random_below(&numbers, 15), acknowledged);
    }
}

/* The process was killed at that point, the machine went on: what is acknowledged after the next
 * opening must not rest on what is only in the page cache. */
static void check_kill(struct memory_disk *dead, uint64_t acknowledged) {
    struct memory_disk *killed = memory_disk_kill(dead);
    uint64_t count = check_and_go_on(killed, acknowledged);

    struct memory_disk *image = memory_disk_power_cut(killed, NULL, NULL);
    (void)check_and_go_on(image, count);
    memory_disk_destroy(image);
    memory_disk_destroy(killed);
}

static void every_call_of_a_first_life(void **state) {
    bool died = true;
    int64_t calls = 0;

    (void)state;
    for (; died; calls += STRIDE) {
        struct memory_disk *disk = memory_disk_create();
        uint64_t acknowledged = run_until_power_fails(disk, calls, &died);
        check_images(disk, acknowledged);
        check_kill(disk, acknowledged);
        char path[80];
        /* A life that was not cut short went through several segments. */
        assert_true(died || log_fixture_segment(disk, 2, path));
        memory_disk_destroy(disk);
    }
    /* At least two calls a round. */
    assert_true(calls > 2 * ROUNDS);
}

static uint64_t count_records(struct memory_disk *disk) {
    struct log_fixture fixture;

    log_fixture_create(&fixture, disk, NULL, SEGMENT_BYTES);
    fixture.config.read_only = true;
    uint64_t count = log_fixture_replay(&fixture) == CELLAR_OK ? fixture.replayed : 0;
    log_fixture_destroy(&fixture);
    return count;
}

/* A log whose tail has to be mended: torn by a power cut, or, when `killed`, with records at its
 * end that are in the page cache only. */
static struct memory_disk *make_torn(bool killed, uint64_t *acknowledged_out) {
    for (;;) {
        struct memory_disk *disk = memory_disk_create();
        struct choice choice = {.of_sixteen = 8};
        bool died;
        *acknowledged_out =
            run_until_power_fails(disk, 30 + (int64_t)random_below(&numbers, 30), &died);
        struct memory_disk *least = memory_disk_power_cut(disk, NULL, NULL);
        struct memory_disk *most = memory_disk_kill(disk);
        bool torn = died && count_records(most) > count_records(least);
        memory_disk_destroy(least);
        if (torn && !killed) {
            memory_disk_destroy(most);
            most = memory_disk_power_cut(disk, keep_some, &choice);
        }
        memory_disk_destroy(disk);
        if (torn) {
            return most;
        }
        memory_disk_destroy(most);
    }
}

static bool keep_mask(void *context, uint64_t item) {
    const uint64_t *mask = context;

    return item < 64 && (*mask >> item & 1) != 0;
}

/* Every combination of the first unsynced changes of the directory, with nothing else kept. */
static void check_directory_changes(struct memory_disk *dead, uint64_t acknowledged) {
    for (uint64_t mask = 0; mask < 64; mask++) {
        struct memory_disk *image = memory_disk_power_cut(dead, keep_mask, &mask);
        uint64_t count;
        if (memory_disk_file_bytes(image, "/db/lock") >= 0) {
            assert_true(log_fixture_disk_is_right(image, SEGMENT_BYTES, acknowledged, &count));
        }
        memory_disk_destroy(image);
    }
}

static void live_again(bool killed) {
    bool died = true;

    for (int64_t calls = 0; died; calls += STRIDE) {
        uint64_t before;
        struct memory_disk *disk = make_torn(killed, &before);
        uint64_t acknowledged = run_until_power_fails(disk, calls, &died);
        acknowledged = acknowledged > before ? acknowledged : before;
        check_directory_changes(disk, acknowledged);
        check_images(disk, acknowledged);
        check_kill(disk, acknowledged);
        memory_disk_destroy(disk);
    }
}

static void every_call_of_a_life_after_a_power_cut(void **state) {
    (void)state;
    live_again(false);
}

static void every_call_of_a_life_after_a_kill(void **state) {
    (void)state;
    live_again(true);
}

/* The sync of a batch fails, the process ends. The kernel calls the pages clean and still shows
 * them. */
static void what_a_failed_sync_left_in_the_cache_is_not_trusted(void **state) {
    (void)state;
    for (int64_t calls = 0; calls < 12; calls++) {
        struct memory_disk *disk = memory_disk_create();
        struct log_fixture fixture;
        log_fixture_create(&fixture, disk, NULL, SEGMENT_BYTES);
        assert_int_equal(log_fixture_open(&fixture), CELLAR_OK);
        log_fixture_settle(&fixture, disk);
        memory_disk_fail_after(disk, MEMORY_FDATASYNC, calls, EIO, false);
        uint64_t acknowledged = log_fixture_commit_many(&fixture, 20);
        assert_true(acknowledged <= (uint64_t)calls);
        assert_int_equal(log_health(fixture.log), CELLAR_FAILED);
        assert_int_equal(log_fixture_close(&fixture), CELLAR_OUTCOME_UNKNOWN);
        log_fixture_destroy(&fixture);
        memory_disk_fail_after(disk, 0, -1, 0, false);
        check_kill(disk, acknowledged);
        memory_disk_destroy(disk);
    }
}

/* The same, where the unsynced batch fills the segment to its last byte: the file then ends with a
 * valid record as a closed one does, and is not to be trusted all the same. */
static void a_segment_full_to_its_last_byte_is_not_taken_for_closed(void **state) {
    (void)state;
    for (int tries = 0; tries < 100; tries++) {
        struct memory_disk *disk = memory_disk_create();
        struct log_fixture fixture;
        log_fixture_create(&fixture, disk, NULL, SEGMENT_BYTES);
        assert_int_equal(log_fixture_open(&fixture), CELLAR_OK);
        log_fixture_settle(&fixture, disk);
        uint64_t end = log_start_lsn(fixture.log) + SEGMENT_BYTES - 4096;
        fixture.payload_bytes = 4000;
        uint64_t acknowledged = log_fixture_commit_many(&fixture, 3);
        log_fixture_quiesce(&fixture);
        uint64_t left = end - ATOMIC_LOAD(&fixture.commit->reserved.lsn, acquire);
        memory_disk_fail_after(disk, MEMORY_FDATASYNC, 0, EIO, true);
        fixture.payload_bytes = left - sizeof(struct record_header);
        uint64_t lsn = log_fixture_commit(&fixture);
        assert_int_equal(log_fixture_wait(&fixture, lsn), CELLAR_OUTCOME_UNKNOWN);
        assert_int_equal(log_fixture_close(&fixture), CELLAR_OUTCOME_UNKNOWN);
        log_fixture_destroy(&fixture);
        memory_disk_fail_after(disk, 0, -1, 0, false);
        check_kill(disk, acknowledged);
        memory_disk_destroy(disk);
        if (lsn + left == end) {
            return;
        }
    }
    fail_msg("the segment was never filled exactly");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_call_of_a_first_life),
        cmocka_unit_test(every_call_of_a_life_after_a_power_cut),
        cmocka_unit_test(every_call_of_a_life_after_a_kill),
        cmocka_unit_test(what_a_failed_sync_left_in_the_cache_is_not_trusted),
        cmocka_unit_test(a_segment_full_to_its_last_byte_is_not_taken_for_closed),
    };
    numbers.state = random_seed_of_run();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
