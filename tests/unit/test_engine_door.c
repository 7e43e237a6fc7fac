/* Does every call refuse at the door when there is no handle, while the store is being closed, and
 * in a forked child, and does closing wait for the calls that are inside? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/shop.h"

#include "base/clock.h"

#include <pthread.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const cellar_id id = {1, 1};
static const cellar_line line = {.sku = "a", .quantity = 1, .unit_price = 1};
static const cellar_stock_change change = {.lines = &line, .line_count = 1};
static const cellar_id hold = {1, 3};
static const cellar_order_request request = {.id = {1, 2}, .lines = &line, .line_count = 1};

/* Everything that takes a handle, with arguments that are all right; tests/tools/symbols.sh
 * compares it with what the library exports. */
#define CALLS(X)                                                                                   \
    X(wait, cellar_wait(store, 64, 0))                                                             \
    X(wait_listed, cellar_wait_listed(store, 64, 0))                                               \
    X(durable_fd, cellar_durable_fd(store, &file))                                                 \
    X(product_put, cellar_product_put(store, NULL, &product, 0, &ticket, &refusal))                \
    X(product_put_many, cellar_product_put_many(store, NULL, &product, 1, NULL, NULL))             \
    X(product_get, cellar_product_get(store, "a", 0, &product))                                    \
    X(product_attributes, cellar_product_attributes(store, &found, buffer, sizeof buffer))         \
    X(product_components, cellar_product_components(store, &found, &component, 1))                 \
    X(product_list, cellar_product_list(store, &products, &summary, 1, &count))                    \
    X(stock_receive, cellar_stock_receive(store, NULL, &change, &ticket, &refusal))                \
    X(stock_adjust, cellar_stock_adjust(store, NULL, &change, &ticket, &refusal))                  \
    X(stock_set_aside, cellar_stock_set_aside(store, NULL, &change, &ticket, &refusal))            \
    X(stock_announce, cellar_stock_announce(store, NULL, &change, &ticket, &refusal))              \
    X(stock_take, cellar_stock_take(store, NULL, &line, &ticket, &refusal))                        \
    X(stock_count, cellar_stock_count(store, NULL, &line, 0, &ticket, &refusal))                   \
    X(stock_move, cellar_stock_move(store, NULL, id, &line, 1, &ticket, &refusal))                 \
    X(stock_set_safety, cellar_stock_set_safety(store, NULL, &line, 0, &ticket, &refusal))         \
    X(stock_get, cellar_stock_get(store, &line, &stock))                                           \
    X(stock_list, cellar_stock_list(store, &line, &place, 1, &count))                              \
    X(stock_snapshot, cellar_stock_snapshot(store, &line, 1, &number, NULL, &refusal))             \
    X(stock_history, cellar_stock_history(store, &line, 0, &movement, 1, &count))                  \
    X(account_open, cellar_account_open(store, NULL, 1, 0, &ticket, &refusal))                     \
    X(account_create, cellar_account_create(store, NULL, &opening, &ticket, &refusal))             \
    X(account_credit, cellar_account_credit(store, NULL, id, 1, 1, &ticket, &refusal))             \
    X(account_debit, cellar_account_debit(store, NULL, id, 1, 1, &ticket, &refusal))               \
    X(account_transfer, cellar_account_transfer(store, NULL, id, 1, 2, 1, &ticket, &refusal))      \
    X(account_set_floor, cellar_account_set_floor(store, NULL, 1, 0, 0, &ticket, &refusal))        \
    X(account_settle, cellar_account_settle(store, NULL, 1, &ticket, &refusal))                    \
    X(account_hold, cellar_account_hold(store, NULL, hold, 1, 1, 0, &ticket, &refusal))            \
    X(account_post, cellar_account_post(store, NULL, hold, 1, 0, &ticket, &refusal))               \
    X(account_void, cellar_account_void(store, NULL, hold, &ticket, &refusal))                     \
    X(account_hold_get, cellar_account_hold_get(store, hold, &held))                               \
    X(account_journal, cellar_account_journal(store, 1, 0, &entry, 1, &count))                     \
    X(account_at, cellar_account_at(store, 1, 64, 0, &account))                                    \
    X(account_collected, cellar_account_collected(store, 1, 0, &entry, 1, &count))                 \
    X(lease_acquire, cellar_lease_acquire(store, NULL, "l", 1, 1000, &ticket, &refusal))           \
    X(lease_renew, cellar_lease_renew(store, NULL, "l", 64, 1000, &ticket, &refusal))              \
    X(lease_release, cellar_lease_release(store, NULL, "l", 64, &ticket, &refusal))                \
    X(lease_check, cellar_lease_check(store, "l", 64))                                             \
    X(lease_get, cellar_lease_get(store, "l", &lease))                                             \
    X(account_get, cellar_account_get(store, 1, &account))                                         \
    X(order_place, cellar_order_place(store, NULL, &request, &ticket, &refusal))                   \
    X(order_quote, cellar_order_quote(store, &request, &number, &refusal))                         \
    X(order_step, cellar_order_step(store, NULL, &step, &ticket, &refusal))                        \
    X(order_pay, cellar_order_pay(store, NULL, id, 0, &ticket, &refusal))                          \
    X(order_fulfil, cellar_order_fulfil(store, NULL, id, &ticket, &refusal))                       \
    X(order_cancel, cellar_order_cancel(store, NULL, id, &ticket, &refusal))                       \
    X(order_extend, cellar_order_extend(store, NULL, id, INT64_MAX, &ticket, &refusal))            \
    X(order_return, cellar_order_return(store, NULL, &request, false, &ticket, &refusal))          \
    X(order_get, cellar_order_get(store, id, &order, NULL, 0))                                     \
    X(order_at, cellar_order_at(store, id, 64, &order, NULL, 0))                                   \
    X(order_sources, cellar_order_sources(store, id, 0, &order, NULL, 0, &count))                  \
    X(order_list, cellar_order_list(store, &orders, &order, 1, &count, NULL, 0))                   \
    X(campaign_put, cellar_campaign_put(store, NULL, &campaign, 0, &ticket, &refusal))             \
    X(campaign_get, cellar_campaign_get(store, 1, &campaign_found))                                \
    X(campaign_list, cellar_campaign_list(store, 0, &campaign_summary, 1, &count))                 \
    X(coupon_claim, cellar_coupon_claim(store, NULL, hold, 1, 1, &ticket, &refusal))               \
    X(coupon_revoke, cellar_coupon_revoke(store, NULL, 1, 1, 0, &ticket, &refusal))                \
    X(coupon_get, cellar_coupon_get(store, 1, 1, 0, &coupon))                                      \
    X(coupon_list, cellar_coupon_list(store, &coupons, &coupon, 1, &count))                        \
    X(coupon_redeem, cellar_coupon_redeem(store, NULL, &redemption, &number, &ticket, &refusal))   \
    X(coupon_restore, cellar_coupon_restore(store, NULL, &redemption, 1, &ticket, &refusal))       \
    X(code_add, cellar_code_add(store, NULL, 1, "c", 1, &ticket, &refusal))                        \
    X(code_add_many, cellar_code_add_many(store, NULL, 1, &code_text, 1, 1, NULL))                 \
    X(code_get, cellar_code_get(store, "c", &code))                                                \
    X(transact, cellar_transact(store, NULL, hold, &operation, 1, &ticket, &refusal))              \
    X(bulk, cellar_bulk(store, NULL, &operation, 1, NULL, NULL, NULL))                             \
    X(audit_run, cellar_audit_run(store, &audit))                                                  \
    X(statistics_get, cellar_statistics_get(store, &statistics))                                   \
    X(memory_get, cellar_memory_get(store, 0, &name, &number))

static const struct {
    const char *name;
} calls[] = {
#define CALL_NAME(name, expression) {#name},
    CALLS(CALL_NAME)
#undef CALL_NAME
};
#define CALL_COUNT (sizeof calls / sizeof *calls)

enum call {
#define CALL_NUMBER(name, expression) CALL_##name,
    CALLS(CALL_NUMBER)
#undef CALL_NUMBER
};

static cellar_status call_store(cellar *store, size_t number_of_call) {
    static cellar_product product;
    cellar_product found = {.id = 1, .version = 64};
    cellar_product_query products = {.status = CELLAR_PRODUCT_ACTIVE};
    cellar_product_summary summary;
    cellar_order_query orders = {.state = CELLAR_ORDER_PLACED};
    cellar_ticket ticket;
    cellar_refusal refusal;
    cellar_stock stock;
    cellar_stock_place place;
    cellar_movement movement;
    cellar_account account;
    cellar_order order;
    cellar_audit audit;
    cellar_statistics statistics;
    const cellar_account_request opening = {.id = 1};
    const cellar_order_change step = {.order = id, .event = CELLAR_EVENT_PAY};
    const cellar_campaign campaign = {.id = 1, .name = "c", .quota = 1};
    const cellar_coupon_query coupons = {.campaign = 1};
    const cellar_redemption redemption = {
        .campaign = 1, .customer = 1, .lines = &line, .line_count = 1};
    const cellar_operation operation = {.kind = CELLAR_OPERATION_STOCK_RECEIVE, .stock = &change};
    const char *code_text = "d";
    cellar_component component;
    cellar_account_hold_info held;
    cellar_entry entry;
    cellar_lease lease;
    cellar_campaign campaign_found;
    cellar_campaign_summary campaign_summary;
    cellar_coupon coupon;
    cellar_code code;
    char buffer[8];
    const char *name;
    int64_t number;
    size_t count;
    int file;
    product = (cellar_product){.sku = "a"};
    switch ((enum call)number_of_call) {
#define CALL_IT(name, expression)                                                                  \
    case CALL_##name:                                                                              \
        return expression;
        CALLS(CALL_IT)
#undef CALL_IT
    }
    return CELLAR_OK;
}

static void test_no_handle(void **unused) {
    (void)unused;
    for (size_t i = 0; i < CALL_COUNT; i++) {
        if (call_store(NULL, i) != CELLAR_INVALID_ARGUMENT) {
            fail_msg("%s without a handle", calls[i].name);
        }
    }
    assert_int_equal(cellar_durable_lsn(NULL), 0);
    assert_int_equal(cellar_close(NULL), CELLAR_OK);
}

static void test_every_call_answers(void **state) {
    struct shop *shop = *state;
    shop_goods(shop, "a", 10);
    for (size_t i = 0; i < CALL_COUNT; i++) {
        cellar_status status = call_store(shop->store, i);
        if (status == CELLAR_CLOSED || status == CELLAR_FORKED) {
            fail_msg("%s: %s", calls[i].name, cellar_status_name(status));
        }
    }
}

/* ---- A forked child ---- */

static cellar_status retried(cellar *store, void *context) {
    (void)context;
    return call_store(store, CALL_product_get);
}

static int child_of(cellar *store) {
    for (size_t i = 0; i < CALL_COUNT; i++) {
        if (call_store(store, i) != CELLAR_FORKED) {
            return (int)i + 1;
        }
    }
    if (cellar_durable_lsn(store) != 0) {
        return 101;
    }
    if (cellar_retry(store, retried, NULL, 3) != CELLAR_FORKED) {
        return 102;
    }
    if (cellar_close(store) != CELLAR_FORKED) {
        return 103;
    }
    return 0;
}

static void test_forked(void **state) {
    struct shop *shop = *state;
    shop_goods(shop, "a", 10);
    shop_freeze(shop);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        _exit(child_of(shop->store));
    }
    int outcome = 0;
    assert_int_equal(waitpid(child, &outcome, 0), child);
    assert_true(WIFEXITED(outcome));
    int number = WEXITSTATUS(outcome);
    if (number != 0) {
        fail_msg("call %d: %s", number,
                 number <= (int)CALL_COUNT ? calls[number - 1].name : "(not in the table)");
    }
    /* The parent's store has not noticed. */
    shop_check_frozen(shop, "after a fork");
    shop_receive(shop, "a", 0, 5);
}

/* ---- Closing ---- */

struct waiter {
    struct shop *shop;
    uint64_t lsn;
    cellar_status status;
    _Atomic uint32_t inside;
    pthread_t thread;
};

static void *waiter_run(void *argument) {
    struct waiter *waiter = argument;
    ATOMIC_STORE(&waiter->inside, 1, release);
    waiter->status = cellar_wait(waiter->shop->store, waiter->lsn, -1);
    return NULL;
}

static void *closer_run(void *argument) {
    struct waiter *closer = argument;
    closer->status = cellar_close(closer->shop->store);
    ATOMIC_STORE(&closer->inside, 2, release);
    return NULL;
}

/* With a sync that does not return, a call is inside cellar_wait() as long as it takes. */
static void test_close_waits_and_refuses(void **state) {
    struct shop *shop = *state;
    struct waiter waiter = {.shop = shop};
    struct waiter closer = {.shop = shop};
    shop_goods(shop, "a", 10);
    shop_settle(shop);
    memory_disk_hold_syncs(shop->disk, true);
    waiter.lsn = shop_receive(shop, "a", 0, 1);
    assert_int_equal(pthread_create(&waiter.thread, NULL, waiter_run, &waiter), 0);
    int64_t inside = 0;
    while (ATOMIC_LOAD(&waiter.inside, acquire) == 0 || inside == 0) {
        inside = 0;
        for (size_t i = 0; i < ENGINE_CALL_SHARDS; i++) {
            inside += ATOMIC_LOAD(&shop->store->calls[i].count, acquire);
        }
        clock_sleep_ns(1000);
    }
    assert_int_equal(pthread_create(&closer.thread, NULL, closer_run, &closer), 0);
    while (ATOMIC_LOAD(&shop->store->closing, acquire) == 0) {
        clock_sleep_ns(1000);
    }
    for (size_t i = 0; i < CALL_COUNT; i++) {
        if (call_store(shop->store, i) != CELLAR_CLOSED) {
            fail_msg("%s while the store is being closed", calls[i].name);
        }
    }
    assert_int_equal(cellar_durable_lsn(shop->store), 0);
    assert_int_equal(cellar_close(shop->store), CELLAR_CLOSED);
    clock_sleep_ns(5 * NANOSECONDS_PER_MILLISECOND);
    assert_int_equal(ATOMIC_LOAD(&closer.inside, acquire), 0);
    memory_disk_hold_syncs(shop->disk, false);
    assert_int_equal(pthread_join(waiter.thread, NULL), 0);
    assert_int_equal(pthread_join(closer.thread, NULL), 0);
    assert_int_equal(waiter.status, CELLAR_OK);
    assert_int_equal(closer.status, CELLAR_OK);
    shop_open(shop);
    assert_int_equal(shop_available(shop, "a", 0), 11);
}

/* What close has said, by level. */
struct said {
    _Atomic uint32_t warnings;
    _Atomic uint32_t notes;
    char warning[256];
    char note[256];
};

static void said_report(void *context, cellar_report_level level, const char *text) {
    struct said *said = context;
    if (strncmp(text, "closing:", 8) == 0 && level == CELLAR_REPORT_WARNING) {
        if (ATOMIC_LOAD(&said->warnings, relaxed) == 0) {
            (void)snprintf(said->warning, sizeof said->warning, "%s", text);
        }
        ATOMIC_ADD(&said->warnings, 1, release);
    } else if (strncmp(text, "closing:", 8) == 0) {
        (void)snprintf(said->note, sizeof said->note, "%s", text);
        ATOMIC_ADD(&said->notes, 1, release);
    }
}

/* The call is let go only after close has said that it waits for it, however long that takes. */
static void test_close_says_that_it_waits(void **unused) {
    (void)unused;
    struct shop shop;
    struct said said = {0};
    shop_prepare(&shop);
    shop.options.close_report_ns = 1;
    shop.config.report = said_report;
    shop.config.report_context = &said;
    shop_open(&shop);
    struct engine_call guard;
    assert_int_equal(engine_enter(&guard, shop.store), CELLAR_OK);
    struct waiter closer = {.shop = &shop};
    assert_int_equal(pthread_create(&closer.thread, NULL, closer_run, &closer), 0);
    while (ATOMIC_LOAD(&said.warnings, acquire) == 0) {
        clock_sleep_ns(1000);
    }
    assert_int_equal(ATOMIC_LOAD(&said.notes, acquire), 0);
    engine_leave(&guard);
    assert_int_equal(pthread_join(closer.thread, NULL), 0);
    assert_int_equal(closer.status, CELLAR_OK);
    static const char expected[] = "closing: calls in flight: 1, for ";
    assert_memory_equal(said.warning, expected, sizeof expected - 1);
    assert_int_equal(said.notes, 1);
    assert_string_equal(said.note, "closing: the last call in flight has returned");
    said.warnings = 0;
    shop_open(&shop);
    shop_close(&shop);
    /* Nobody was inside: nothing to say. */
    assert_int_equal(said.warnings, 0);
    assert_int_equal(said.notes, 1);
    shop_abandon(&shop);
}

/* It waits for the disk: how much is not there yet is told. */
static void test_close_says_what_is_not_on_disk(void **unused) {
    struct shop shop;
    struct said said = {0};
    (void)unused;
    shop_prepare(&shop);
    shop.options.close_report_ns = 1;
    shop.config.report = said_report;
    shop.config.report_context = &said;
    shop_open(&shop);
    struct engine_call guard;
    struct waiter closer = {.shop = &shop};
    assert_int_equal(engine_enter(&guard, shop.store), CELLAR_OK);
    memory_disk_hold_syncs(shop.disk, true);
    shop_product(&shop, "a");
    assert_int_equal(pthread_create(&closer.thread, NULL, closer_run, &closer), 0);
    while (ATOMIC_LOAD(&said.warnings, acquire) == 0) {
        clock_sleep_ns(1000);
    }
    memory_disk_hold_syncs(shop.disk, false);
    engine_leave(&guard);
    assert_int_equal(pthread_join(closer.thread, NULL), 0);
    assert_int_equal(closer.status, CELLAR_OK);
    assert_non_null(strstr(said.warning, " bytes of the log are not on disk yet"));
    assert_null(strstr(said.warning, "; 0 bytes"));
    shop_open(&shop);
    shop_abandon(&shop);
}

/* At 1, 2, 4, ... 64 seconds, then each minute; and never twice for one moment. */
static void test_close_reports_seldom(void **unused) {
    (void)unused;
    static const int64_t seconds[] = {1, 2, 4, 8, 16, 32, 64, 124, 184, 244};
    const int64_t begin_ns = 5 * NANOSECONDS_PER_SECOND + 7;
    struct close_reports reports;
    size_t told = 0;
    close_reports_begin(&reports, begin_ns, CLOSE_REPORT_FIRST_NS);
    for (int64_t ms = 0; ms <= 250000; ms++) {
        int64_t now_ns = begin_ns + ms * NANOSECONDS_PER_MILLISECOND;
        if (close_reports_due(&reports, now_ns)) {
            assert_true(told < sizeof seconds / sizeof *seconds);
            assert_int_equal(ms, seconds[told] * 1000);
            told++;
        }
    }
    assert_int_equal(told, sizeof seconds / sizeof *seconds);
}

/* What was only visible is made durable by closing. */
static void test_close_makes_durable(void **state) {
    struct shop *shop = *state;
    shop_product(shop, "a");
    for (int i = 0; i < 500; i++) {
        shop_receive(shop, "a", 0, 1);
    }
    shop_close(shop);
    struct memory_disk *cut = memory_disk_power_cut(shop->disk, NULL, NULL);
    memory_disk_destroy(shop->disk);
    shop->disk = cut;
    shop->options.io = memory_disk_io(cut);
    shop_open(shop);
    assert_int_equal(shop_available(shop, "a", 0), 500);
}

static void test_close_after_a_failure(void **unused) {
    struct shop shop;
    (void)unused;
    shop_prepare(&shop);
    shop_open(&shop);
    shop_goods(&shop, "a", 10);
    shop_settle(&shop);
    memory_disk_fail_after(shop.disk, MEMORY_FDATASYNC, 0, 5, true);
    const cellar_line one = shop_line("a", 0, 1, 0);
    const cellar_stock_change delivery = {.lines = &one, .line_count = 1};
    cellar_status status = cellar_stock_receive(shop.store, NULL, &delivery, NULL, NULL);
    /* Unless a sync of the store's own came first. */
    assert_true(status == CELLAR_OK || status == CELLAR_FAILED);
    assert_int_equal(cellar_close(shop.store), CELLAR_OUTCOME_UNKNOWN);
    shop.store = NULL;
    memory_disk_fail_after(shop.disk, MEMORY_FDATASYNC, -1, 0, false);
    /* The next open tells. */
    shop_open(&shop);
    int64_t available = shop_available(&shop, "a", 0);
    assert_true(available == 10 || available == 11);
    shop_finish(&shop);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_handle),
        SHOP_TEST(test_every_call_answers),
        SHOP_TEST(test_forked),
        SHOP_TEST(test_close_waits_and_refuses),
        SHOP_TEST(test_close_makes_durable),
        cmocka_unit_test(test_close_says_that_it_waits),
        cmocka_unit_test(test_close_says_what_is_not_on_disk),
        cmocka_unit_test(test_close_reports_seldom),
        cmocka_unit_test(test_close_after_a_failure),
    };
    (void)alarm(100);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
