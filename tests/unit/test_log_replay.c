/* Does a log give back what was committed, in order, whole, over any number of segments and
 * openings? */
#include "log/log.h"

#include "base/clock.h"
#include "support/log_fixture.h"
#include "support/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define SEGMENT_BYTES 20480

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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_directory_opens_as_an_empty_log),
        cmocka_unit_test(records_come_back_over_many_openings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
