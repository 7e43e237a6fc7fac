/* Is durability told as it is - on disk, not in time, not to be known - and does a change that
 * finds no space or a failed log say so and leave nothing? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/commit_gate.h"
#include "support/shop.h"

#include "base/clock.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MILLISECOND NANOSECONDS_PER_MILLISECOND

static cellar_status receive(struct shop *shop, const cellar_call *call, cellar_ticket *ticket,
                             cellar_refusal *refusal) {
    cellar_line line = shop_line("a", 0, 1, 0);
    cellar_stock_change change = {.lines = &line, .line_count = 1};
    return cellar_stock_receive(shop->store, call, &change, ticket, refusal);
}

static void test_wait_for_what_was_handed_out(void **state) {
    struct shop *shop = *state;
    shop_product(shop, "a");
    uint64_t lsn = shop_receive(shop, "a", 0, 1);
    const struct {
        uint64_t lsn;
        int64_t timeout_ms;
        cellar_status status;
    } rows[] = {
        /* lsn  timeout  answer */
        {lsn, -1, CELLAR_OK},
        {lsn, 0, CELLAR_OK},
        {lsn, INT64_MAX, CELLAR_OK},
        {lsn, INT64_MIN, CELLAR_OK},
        {0, -1, CELLAR_INVALID_ARGUMENT},
        {lsn + 1, -1, CELLAR_INVALID_ARGUMENT},
        {lsn + 32, -1, CELLAR_INVALID_ARGUMENT},
        {lsn + (1 << 20), -1, CELLAR_INVALID_ARGUMENT},
        {UINT64_MAX, 0, CELLAR_INVALID_ARGUMENT},
        {UINT64_MAX - 63, 0, CELLAR_INVALID_ARGUMENT},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(cellar_wait(shop->store, rows[i].lsn, rows[i].timeout_ms), rows[i].status);
        assert_int_equal(cellar_wait_listed(shop->store, rows[i].lsn, rows[i].timeout_ms),
                         rows[i].status);
    }
    assert_true(cellar_durable_lsn(shop->store) > lsn);
    /* Versions of the process before are durable. */
    shop_reopen(shop);
    assert_int_equal(cellar_wait(shop->store, lsn, 0), CELLAR_OK);
    assert_int_equal(cellar_wait_listed(shop->store, lsn, 0), CELLAR_OK);
}

static void test_timeouts(void **state) {
    struct shop *shop = *state;
    cellar_ticket ticket = {0};
    shop_goods(shop, "a", 10);
    shop_settle(shop);
    memory_disk_hold_syncs(shop->disk, true);
    uint64_t lsn = shop_receive(shop, "a", 0, 1);
    assert_int_equal(cellar_wait(shop->store, lsn, 0), CELLAR_TIMEOUT);
    int64_t began = clock_monotonic_ns();
    assert_int_equal(cellar_wait(shop->store, lsn, 20), CELLAR_TIMEOUT);
    assert_true(clock_monotonic_ns() - began >= 20 * MILLISECOND);
    assert_true(cellar_durable_lsn(shop->store) <= lsn);
    /* A durable call says TIMEOUT; its commit stands, and its ticket is filled in. */
    cellar_call call = {.durability = CELLAR_DURABLE, .durable_wait_ms = 10};
    assert_int_equal(receive(shop, &call, &ticket, NULL), CELLAR_TIMEOUT);
    assert_true(ticket.lsn > lsn);
    assert_int_equal(ticket.remaining, 12);
    assert_int_equal(shop_available(shop, "a", 0), 12);
    cellar_product products[] = {{.sku = "b"}, {.sku = "c"}};
    cellar_status statuses[2];
    assert_int_equal(cellar_product_put_many(shop->store, &call, products, 2, statuses, NULL),
                     CELLAR_TIMEOUT);
    assert_int_equal(statuses[0], CELLAR_OK);
    assert_int_equal(statuses[1], CELLAR_OK);
    memory_disk_hold_syncs(shop->disk, false);
    assert_int_equal(cellar_wait(shop->store, ticket.lsn, -1), CELLAR_OK);
}

/* A durable call returns only when its own commit is on disk, whatever else is. */
static void test_durable_is_on_disk(void **state) {
    struct shop *shop = *state;
    cellar_call durable = {.durability = CELLAR_DURABLE};
    cellar_call relaxed = {.durability = CELLAR_RELAXED};
    cellar_ticket ticket;
    shop_product(shop, "a");
    for (int i = 0; i < 50; i++) {
        assert_int_equal(receive(shop, &relaxed, &ticket, NULL), CELLAR_OK);
        assert_int_equal(receive(shop, &durable, &ticket, NULL), CELLAR_OK);
        assert_true(cellar_durable_lsn(shop->store) > ticket.lsn);
        struct memory_disk *cut = memory_disk_power_cut(shop->disk, NULL, NULL);
        struct shop copy = {.config = shop->config, .disk = cut};
        if (i % 25 == 24) {
            copy.options.io = memory_disk_io(cut);
            copy.config.clock_context = &copy;
            copy.config.report_context = &copy;
            shop_open(&copy);
            assert_int_equal(shop_available(&copy, "a", 0), 2 * i + 2);
        }
        shop_abandon(&copy);
    }
}

static void test_event_descriptor(void **state) {
    struct shop *shop = *state;
    int file = -1;
    int same = -1;
    uint64_t eight;
    assert_int_equal(cellar_durable_fd(shop->store, NULL), CELLAR_INVALID_ARGUMENT);
    assert_int_equal(cellar_durable_fd(shop->store, &file), CELLAR_OK);
    assert_int_equal(cellar_durable_fd(shop->store, &same), CELLAR_OK);
    assert_true(file >= 0);
    assert_int_equal(file, same);
    struct pollfd poller = {.fd = file, .events = POLLIN};
    (void)!read(file, &eight, sizeof eight);
    shop_product(shop, "a");
    for (int i = 0; i < 20; i++) {
        uint64_t lsn = shop_receive(shop, "a", 0, 1);
        while (cellar_durable_lsn(shop->store) <= lsn) {
            assert_int_equal(poll(&poller, 1, 5000), 1);
            assert_int_equal(read(file, &eight, sizeof eight), 8);
        }
    }
    shop_close(shop);
    errno = 0;
    assert_int_equal(read(file, &eight, sizeof eight), -1);
    assert_int_equal(errno, EBADF);
    shop_open(shop);
}

/* ---- No space ---- */

/* With syncs held the ring of 64 KiB fills up. */
static void test_busy(void **unused) {
    struct shop shop;
    cellar_call now = {.wait_ms = -1};
    cellar_call soon = {.wait_ms = 30};
    cellar_refusal refusal;
    cellar_status status = CELLAR_OK;
    (void)unused;
    shop_prepare(&shop);
    shop.config.ring_bytes = 64 << 10;
    shop_open(&shop);
    shop_goods(&shop, "a", 5);
    shop_settle(&shop);
    memory_disk_hold_syncs(shop.disk, true);
    int64_t received = 5;
    int64_t began = 0;
    /* What had been written before the sync was held comes free while we wait. */
    while (status == CELLAR_OK) {
        began = clock_monotonic_ns();
        status = receive(&shop, &soon, NULL, &refusal);
        received += status == CELLAR_OK;
    }
    assert_int_equal(status, CELLAR_BUSY);
    assert_int_equal(refusal.status, CELLAR_BUSY);
    assert_true(cellar_status_is_refusal(status));
    assert_true(clock_monotonic_ns() - began >= 30 * MILLISECOND);
    /* The shortest record there is takes what is left. */
    cellar_line line = shop_line("a", 0, 1, 1);
    do {
        status = cellar_stock_take(shop.store, &now, &line, NULL, NULL);
        received -= status == CELLAR_OK;
    } while (status == CELLAR_OK);
    assert_int_equal(status, CELLAR_BUSY);
    /* Every kind of change says so; what is read goes on. */
    cellar_product product = {.sku = "b"};
    cellar_line elsewhere = shop_line("a", 4, 1, 1);
    cellar_order_request request = shop_order_request(1, &line, 1);
    cellar_stock_change change = {.lines = &elsewhere, .line_count = 1};
    assert_int_equal(cellar_product_put(shop.store, &now, &product, 0, NULL, NULL), CELLAR_BUSY);
    assert_int_equal(cellar_stock_take(shop.store, &now, &line, NULL, NULL), CELLAR_BUSY);
    assert_int_equal(cellar_order_place(shop.store, &now, &request, NULL, NULL), CELLAR_BUSY);
    assert_int_equal(cellar_account_open(shop.store, &now, 1, 0, NULL, NULL), CELLAR_BUSY);
    assert_int_equal(cellar_stock_receive(shop.store, &now, &change, NULL, NULL), CELLAR_BUSY);
    assert_int_equal(shop_available(&shop, "a", 0), received);
    assert_int_equal(cellar_product_get(shop.store, "b", 0, &product), CELLAR_NOT_FOUND);
    memory_disk_hold_syncs(shop.disk, false);
    /* It goes on by itself, and nothing of what was refused is there. */
    assert_int_equal(receive(&shop, NULL, NULL, NULL), CELLAR_OK);
    assert_int_equal(shop_available(&shop, "a", 0), received + 1);
    assert_int_equal(cellar_order_place(shop.store, NULL, &request, NULL, NULL), CELLAR_OK);
    shop_finish(&shop);
}

/* The whole ring is gone through many times. */
static void test_small_ring(void **unused) {
    struct shop shop;
    (void)unused;
    shop_prepare(&shop);
    shop.config.ring_bytes = 64 << 10;
    shop_open(&shop);
    shop_goods(&shop, "a", 100000);
    shop_account(&shop, 1, 0, 1000000);
    for (uint64_t id = 1; id <= 2000; id++) {
        shop_order(&shop, id, "a", 1, CELLAR_ORDER_PLACED);
        if (id % 4 == 0) {
            assert_int_equal(cellar_order_cancel(shop.store, NULL, shop_id(id), NULL, NULL),
                             CELLAR_OK);
        } else if (id % 4 == 1) {
            assert_int_equal(cellar_order_pay(shop.store, NULL, shop_id(id), 1, NULL, NULL),
                             CELLAR_OK);
        }
    }
    cellar_statistics statistics;
    assert_int_equal(cellar_statistics_get(shop.store, &statistics), CELLAR_OK);
    assert_true(statistics.reclaimed_lsn > 4 * (64 << 10));
    assert_int_equal(shop_available(&shop, "a", 0), 100000 - 1500);
    assert_int_equal(shop_balance(&shop, 1), 1000000 - 50000);
    shop_finish(&shop);
}

/* A record is an eighth of the ring at most. */
static void test_too_large_for_the_ring(void **unused) {
    struct shop shop;
    static char blob[8000];
    cellar_refusal refusal;
    (void)unused;
    shop_prepare(&shop);
    shop.config.ring_bytes = 64 << 10;
    shop_open(&shop);
    cellar_product product = {.sku = "a", .attributes = blob, .attributes_bytes = sizeof blob};
    assert_int_equal(cellar_product_put(shop.store, NULL, &product, 0, NULL, NULL), CELLAR_OK);
    product.attributes_bytes = 7000;
    product.sku = "b";
    assert_int_equal(cellar_product_put(shop.store, NULL, &product, 0, NULL, NULL), CELLAR_OK);
    cellar_line lines[300];
    for (int i = 0; i < 300; i++) {
        lines[i] = shop_line("a", 0, 1, 1);
    }
    cellar_stock_change change = {.id = shop_id(1), .lines = lines, .line_count = 300};
    assert_int_equal(cellar_stock_receive(shop.store, NULL, &change, NULL, NULL), CELLAR_OK);
    char *big = calloc(1, 9000);
    product = (cellar_product){.sku = "c", .attributes = big, .attributes_bytes = 9000};
    cellar_order_request order = shop_order_request(2, lines, 300);
    assert_int_equal(cellar_order_place(shop.store, NULL, &order, NULL, NULL), CELLAR_OK);
    shop_freeze(&shop);
    cellar_status status = cellar_product_put(shop.store, NULL, &product, 0, NULL, &refusal);
    assert_int_equal(status, CELLAR_INVALID_ARGUMENT);
    assert_non_null(strstr(refusal.reason, "ring"));
    shop_check_frozen(&shop, "after a record that is too large");
    free(big);
    shop_finish(&shop);
}

/* ---- A log that failed ---- */

static void fail_writes(void *disk) {
    memory_disk_fail_after(disk, MEMORY_PWRITE, 0, EIO, true);
    memory_disk_hold_writes(disk, false);
}

static void test_failed_log(void **unused) {
    struct shop shop;
    cellar_call durable = {.durability = CELLAR_DURABLE};
    cellar_refusal refusal;
    cellar_ticket ticket = {0};
    cellar_audit audit;
    (void)unused;
    shop_prepare(&shop);
    shop_open(&shop);
    shop_goods(&shop, "a", 10);
    shop_order(&shop, 1, "a", 1, CELLAR_ORDER_PLACED);
    shop_settle(&shop);
    uint64_t good = shop_stock(&shop, "a", 0).version;
    /* Nothing is written from before the commit until it stands, and then no write succeeds. If one
     * failed sooner - padding over a record that is published late is enough - nothing would be
     * committed; if one succeeded later, the record might be on disk. */
    memory_disk_hold_writes(shop.disk, true);
    commit_gate_reset();
    commit_gate_name(1);
    commit_gate_call(1, "commit-open", fail_writes, shop.disk);
    assert_int_equal(receive(&shop, &durable, &ticket, NULL), CELLAR_OUTCOME_UNKNOWN);
    commit_gate_name(0);
    commit_gate_remove();
    assert_int_equal(cellar_wait(shop.store, ticket.lsn, -1), CELLAR_OUTCOME_UNKNOWN);
    assert_int_equal(cellar_wait(shop.store, good, -1), CELLAR_OK);
    /* Unless it was applied before the log failed. */
    cellar_status listed = cellar_wait_listed(shop.store, ticket.lsn, -1);
    assert_true(listed == CELLAR_FAILED || listed == CELLAR_OK);
    assert_int_equal(cellar_wait_listed(shop.store, good, -1), CELLAR_OK);
    /* No change any more, not even a relaxed one; reads go on; the operator is told. */
    memset(&refusal, 0xee, sizeof refusal);
    assert_int_equal(receive(&shop, NULL, NULL, &refusal), CELLAR_FAILED);
    assert_int_equal(cellar_order_pay(shop.store, NULL, shop_id(1), 0, NULL, NULL), CELLAR_FAILED);
    cellar_product product = {.sku = "z"};
    assert_int_equal(cellar_product_put(shop.store, NULL, &product, 0, NULL, NULL), CELLAR_FAILED);
    assert_int_equal(cellar_audit_run(shop.store, &audit), listed);
    assert_int_equal(shop_available(&shop, "a", 0), 10);
    assert_int_equal(shop_order_get(&shop, 1).state, CELLAR_ORDER_PLACED);
    while (ATOMIC_LOAD(&shop.reports, relaxed) == 0) {
        clock_sleep_ns(MILLISECOND);
    }
    assert_int_equal(cellar_close(shop.store), CELLAR_OUTCOME_UNKNOWN);
    memory_disk_fail_after(shop.disk, MEMORY_PWRITE, -1, 0, false);
    shop_open(&shop);
    assert_int_equal(shop_available(&shop, "a", 0), 9);
    shop_finish(&shop);
}

/* A full disk refuses before anything is visible, and goes on when there is space. */
static void test_full_disk(void **unused) {
    struct shop shop;
    cellar_call call = {.durability = CELLAR_DURABLE, .wait_ms = 50};
    cellar_status status = CELLAR_OK;
    int64_t received = 0;
    (void)unused;
    shop_prepare(&shop);
    shop.config.ring_bytes = 64 << 10;
    shop_open(&shop);
    shop_product(&shop, "a");
    memory_disk_set_capacity(shop.disk, UINT64_C(5) << 19);
    cellar_product product = {.sku = "p"};
    static char blob[6000];
    product.attributes = blob;
    product.attributes_bytes = sizeof blob;
    for (int i = 0; i < 2000 && status == CELLAR_OK; i++) {
        status = cellar_product_put(shop.store, &call, &product, 0, NULL, NULL);
        if (status == CELLAR_OK) {
            status = receive(&shop, &call, NULL, NULL);
            received += status == CELLAR_OK;
        }
    }
    assert_int_equal(status, CELLAR_DISK_FULL);
    assert_int_equal(shop_available(&shop, "a", 0), received);
    struct memory_disk *killed = memory_disk_kill(shop.disk);
    memory_disk_destroy(killed);
    memory_disk_set_capacity(shop.disk, UINT64_MAX);
    call.wait_ms = 10000;
    int64_t began = clock_monotonic_ns();
    do {
        status = receive(&shop, &call, NULL, NULL);
    } while (status == CELLAR_DISK_FULL && clock_monotonic_ns() - began < 20000 * MILLISECOND);
    assert_int_equal(status, CELLAR_OK);
    assert_int_equal(shop_available(&shop, "a", 0), received + 1);
    shop_finish(&shop);
}

/* ---- Retrying ---- */

struct attempts {
    cellar_status answers[12];
    uint32_t made;
    cellar *store;
};

static cellar_status attempt(cellar *store, void *context) {
    struct attempts *attempts = context;
    attempts->store = store;
    return attempts->answers[attempts->made++];
}

static void test_retry(void **state) {
    struct shop *shop = *state;
    const cellar_status V = CELLAR_VERSION_CHANGED;
    const cellar_status C = CELLAR_CONFLICT;
    const struct {
        uint32_t attempts_max;
        struct attempts attempts;
        uint32_t made;
        cellar_status status;
    } rows[] = {
        /* limit  answers  attempts made  result */
        {0, {{CELLAR_OK}, 0, NULL}, 1, CELLAR_OK},
        {0, {{V, C, V, CELLAR_OK}, 0, NULL}, 4, CELLAR_OK},
        {0, {{V, V, V, V, V, V, V, C, V}, 0, NULL}, 8, C},
        {1, {{V, V}, 0, NULL}, 1, V},
        {3, {{V, V, C, V}, 0, NULL}, 3, C},
        {10, {{C, C, C, C, C, C, C, C, C, V}, 0, NULL}, 10, V},
        {5, {{V, CELLAR_BUSY, V}, 0, NULL}, 2, CELLAR_BUSY},
        {5, {{CELLAR_OUT_OF_STOCK, V}, 0, NULL}, 1, CELLAR_OUT_OF_STOCK},
        {5, {{V, CELLAR_FAILED}, 0, NULL}, 2, CELLAR_FAILED},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct attempts attempts = rows[i].attempts;
        assert_int_equal(cellar_retry(shop->store, attempt, &attempts, rows[i].attempts_max),
                         rows[i].status);
        assert_int_equal(attempts.made, rows[i].made);
        assert_ptr_equal(attempts.store, shop->store);
    }
    assert_int_equal(cellar_retry(shop->store, NULL, NULL, 1), CELLAR_INVALID_ARGUMENT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SHOP_TEST(test_wait_for_what_was_handed_out),
        SHOP_TEST(test_timeouts),
        SHOP_TEST(test_durable_is_on_disk),
        SHOP_TEST(test_event_descriptor),
        cmocka_unit_test(test_busy),
        cmocka_unit_test(test_small_ring),
        cmocka_unit_test(test_too_large_for_the_ring),
        cmocka_unit_test(test_failed_log),
        cmocka_unit_test(test_full_disk),
        SHOP_TEST(test_retry),
    };
    (void)alarm(100);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
