/* Does opening take the directory for itself alone, say what is wrong and change nothing when it
 * fails, whatever fails, and bring back exactly what was there? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/shop.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static cellar_status open_at(struct shop *shop, const char *directory, cellar_problem *problem) {
    cellar_config config = shop->config;
    cellar *store = (cellar *)(void *)shop;
    config.directory = directory;
    memset(problem, 0xee, sizeof *problem);
    cellar_status status = cellar_open(&config, &store, problem);
    assert_int_equal(problem->status, status);
    if (status == CELLAR_OK) {
        assert_int_equal(cellar_close(store), CELLAR_OK);
    } else {
        assert_null(store);
    }
    return status;
}

static void test_directory(void **unused) {
    struct shop shop;
    char path[400];
    char file[300];
    cellar_problem problem;
    (void)unused;
    shop_prepare_directory(&shop);
    /* It is made, but not its parent. */
    snprintf(path, sizeof path, "%s/new", shop.directory);
    assert_int_equal(open_at(&shop, path, &problem), CELLAR_OK);
    assert_int_equal(open_at(&shop, path, &problem), CELLAR_OK);
    snprintf(path, sizeof path, "%s/none/new", shop.directory);
    assert_int_equal(open_at(&shop, path, &problem), CELLAR_IO_ERROR);
    assert_non_null(strstr(problem.text, "none/new"));
    /* A file is no directory. */
    snprintf(file, sizeof file, "%s/file", shop.directory);
    FILE *made = fopen(file, "w");
    assert_non_null(made);
    assert_int_equal(fclose(made), 0);
    assert_int_equal(open_at(&shop, file, &problem), CELLAR_IO_ERROR);
    assert_non_null(strstr(problem.text, file));
    snprintf(path, sizeof path, "%s/below", file);
    assert_int_equal(open_at(&shop, path, &problem), CELLAR_IO_ERROR);
    snprintf(path, sizeof path, "rm -r '%s/new'", shop.directory);
    assert_int_equal(system(path), 0);
    shop_abandon(&shop);
}

/* Opens in a child; its exit code is the status. */
static int open_in_child(struct shop *shop) {
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        cellar *store = NULL;
        _exit((int)cellar_open(&shop->config, &store, NULL));
    }
    int outcome = 0;
    assert_int_equal(waitpid(child, &outcome, 0), child);
    assert_true(WIFEXITED(outcome));
    return WEXITSTATUS(outcome);
}

static void test_locked(void **unused) {
    struct shop shop;
    cellar_problem problem;
    (void)unused;
    shop_prepare_directory(&shop);
    shop_open(&shop);
    shop_goods(&shop, "a", 10);
    shop_freeze(&shop);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(open_at(&shop, shop.directory, &problem), CELLAR_LOCKED);
        assert_non_null(strstr(problem.text, shop.directory));
    }
    assert_int_equal(open_in_child(&shop), CELLAR_LOCKED);
    /* By another name of the same directory. */
    char other[300];
    snprintf(other, sizeof other, "%s/.", shop.directory);
    assert_int_equal(open_at(&shop, other, &problem), CELLAR_LOCKED);
    shop_check_frozen(&shop, "after others were refused");
    shop_close(&shop);
    assert_int_equal(open_at(&shop, shop.directory, &problem), CELLAR_OK);
    shop_open(&shop);
    shop_finish(&shop);
}

/* A child that outlives the parent's store, as a worker that was forked does, has no part in it. */
static void test_child_does_not_keep_the_lock(void **unused) {
    struct shop shop;
    int ends[2];
    char byte = 0;
    (void)unused;
    shop_prepare_directory(&shop);
    shop_open(&shop);
    shop_goods(&shop, "a", 10);
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)close(ends[1]);
        _exit(read(ends[0], &byte, 1) == 0 ? 0 : 1);
    }
    shop_close(&shop);
    cellar_problem problem;
    cellar_status status = shop_try_open(&shop, &problem);
    assert_int_equal(close(ends[1]), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_int_equal(close(ends[0]), 0);
    assert_int_equal(status, CELLAR_OK);
    shop_finish(&shop);
}

/* A store on a real disk, copied while it is open. */
static void test_real_disk(void **unused) {
    struct shop shop;
    (void)unused;
    shop_prepare_directory(&shop);
    shop.config.durability = CELLAR_DURABLE;
    shop_open(&shop);
    shop_goods(&shop, "a", 10);
    shop_account(&shop, 1, -50, 100);
    for (uint64_t id = 1; id <= 9; id++) {
        shop_order(&shop, id, "a", 1, (cellar_order_state)(id % 3 + 1));
    }
    /* Order 3 is placed, 1 paid, 2 fulfilled. */
    assert_int_equal(cellar_order_cancel(shop.store, NULL, shop_id(3), NULL, NULL), CELLAR_OK);
    assert_int_equal(cellar_order_fulfil(shop.store, NULL, shop_id(1), NULL, NULL), CELLAR_OK);
    shop_finish(&shop);
}

/* A shop with one of everything. */
static void fill(struct shop *shop) {
    shop_goods(shop, "a", 100);
    shop_receive(shop, "a", 3, 10);
    shop_account(shop, 1, -50, 1000);
    shop_order(shop, 1, "a", 1, CELLAR_ORDER_PLACED);
    shop_order(shop, 2, "a", 2, CELLAR_ORDER_FULFILLED);
    shop_status(shop, "a", CELLAR_PRODUCT_DISCONTINUED);
}

/* Every allocation and mapping of an opening fails once. */
static void test_out_of_memory(void **unused) {
    (void)unused;
    for (int full = 0; full < 2; full++) {
        struct shop shop;
        shop_prepare(&shop);
        if (full) {
            shop_open(&shop);
            fill(&shop);
            shop_freeze(&shop);
            shop_close(&shop);
        }
        cellar_status status = CELLAR_OUT_OF_MEMORY;
        int64_t failed = 0;
        for (; status != CELLAR_OK; failed++) {
            cellar_problem problem;
            memory_fail_after(NULL, failed, 0);
            status = shop_try_open(&shop, &problem);
            memory_fail_after(NULL, -1, 0);
            if (status != CELLAR_OK) {
                assert_int_equal(status, CELLAR_OUT_OF_MEMORY);
                assert_int_equal(problem.status, CELLAR_OUT_OF_MEMORY);
                assert_null(shop.store);
            }
        }
        assert_true(failed > 20);
        if (full) {
            shop_check_frozen(&shop, "after openings that lacked memory");
        }
        shop_finish(&shop);
    }
}

/* Opens a copy of the shop on which file call number `at` fails, once or for good. False when there
 * are fewer calls. What was there is there after it. */
static bool check_io_error(const struct shop *original, int64_t at, bool for_good) {
    struct shop shop = *original;
    cellar_problem problem;
    shop.frozen = NULL;
    shop.config.clock_context = &shop;
    shop.config.report_context = &shop;
    shop.config.directory = shop.directory;
    shop.disk = memory_disk_kill(original->disk);
    shop.options.io = memory_disk_io(shop.disk);
    memory_disk_fail_after(shop.disk, MEMORY_ANY, at, EIO, for_good);
    cellar_status status = shop_try_open(&shop, &problem);
    if (status == CELLAR_OK) {
        /* It may be a call of the running log that fails. */
        status = cellar_close(shop.store);
        bool excused = status == CELLAR_OUTCOME_UNKNOWN && memory_disk_has_failed(shop.disk);
        assert_true(status == CELLAR_OK || excused);
    } else {
        assert_int_equal(status, CELLAR_IO_ERROR);
        assert_int_equal(problem.status, CELLAR_IO_ERROR);
        assert_true(strlen(problem.text) > 0);
        assert_null(shop.store);
    }
    bool failed = memory_disk_has_failed(shop.disk);
    memory_disk_fail_after(shop.disk, MEMORY_ANY, -1, 0, false);
    shop_open(&shop);
    if (original->frozen != NULL) {
        char *after = shop_describe(&shop);
        shop_check_same(original->frozen, after, "after an opening with an error");
        free(after);
    }
    shop_abandon(&shop);
    return failed;
}

static void test_io_errors(void **unused) {
    (void)unused;
    for (int full = 0; full < 2; full++) {
        struct shop shop;
        shop_prepare(&shop);
        if (full) {
            shop_open(&shop);
            fill(&shop);
            shop_freeze(&shop);
            shop_close(&shop);
        }
        int64_t at = 0;
        while (check_io_error(&shop, at, false)) {
            (void)check_io_error(&shop, at, true);
            at++;
        }
        assert_true(at > 10);
        shop_open(&shop);
        shop_finish(&shop);
    }
}

/* A byte of what was acknowledged is changed: refused, with the file's name, and nothing is
 * touched. */
static void test_damage_is_refused(void **unused) {
    struct shop shop;
    char name[64];
    char path[80];
    cellar_problem problem;
    (void)unused;
    shop_prepare(&shop);
    shop_open(&shop);
    fill(&shop);
    shop_freeze(&shop);
    shop_close(&shop);
    uint64_t entry = 0;
    while (memory_disk_entry(shop.disk, "/shop", entry, name) && strstr(name, ".log") == NULL) {
        entry++;
    }
    snprintf(path, sizeof path, "/shop/%s", name);
    unsigned char byte;
    memory_disk_peek(shop.disk, path, 4096 + 70, &byte, 1);
    byte ^= 0x10;
    memory_disk_poke(shop.disk, path, 4096 + 70, &byte, 1);
    uint64_t before = memory_disk_fingerprint(shop.disk);
    assert_int_equal(shop_try_open(&shop, &problem), CELLAR_CORRUPT);
    assert_non_null(strstr(problem.text, name));
    assert_int_equal(memory_disk_fingerprint(shop.disk), before);
    byte ^= 0x10;
    memory_disk_poke(shop.disk, path, 4096 + 70, &byte, 1);
    shop_open(&shop);
    shop_check_frozen(&shop, "after the damage was undone");
    shop_finish(&shop);
}

/* Openings do not add up to anything: versions go on, state stays, room does not shrink. */
static void test_many_openings(void **state) {
    struct shop *shop = *state;
    fill(shop);
    shop_freeze(shop);
    uint64_t newest = 0;
    for (int i = 0; i < 12; i++) {
        shop_reopen(shop);
        shop_check_frozen(shop, "after one more opening");
        cellar_statistics statistics;
        assert_int_equal(cellar_statistics_get(shop->store, &statistics), CELLAR_OK);
        assert_true(statistics.reserved_lsn > newest);
        newest = statistics.reserved_lsn;
    }
    assert_true(shop_receive(shop, "a", 0, 1) >= newest);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_directory),
        cmocka_unit_test(test_locked),
        cmocka_unit_test(test_child_does_not_keep_the_lock),
        cmocka_unit_test(test_real_disk),
        cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_io_errors),
        cmocka_unit_test(test_damage_is_refused),
        SHOP_TEST(test_many_openings),
    };
    (void)alarm(100);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
