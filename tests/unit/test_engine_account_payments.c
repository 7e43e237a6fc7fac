/* Does the list of what a collecting account was paid say who paid, and why; is the present one
 * moment while others pay; and is a payment counted once, though memory was short?
 * test_engine_account_collected.c has the amounts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/shop.h"

#include <pthread.h>

#define COLLECTORS 2
#define FIRST 20 /* and 21 */
#define PAYERS 3 /* 1 to 3 */
/* Each looks through what the other thread has paid so far. */
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define TURNS 20
#else
#define TURNS 100
#endif
static const cellar_id none = {0, 0};

static void open_accounts(struct shop *shop) {
    for (size_t i = 0; i < COLLECTORS; i++) {
        const cellar_account_request terms = {.id = FIRST + i, .collecting = true};
        assert_int_equal(cellar_account_create(shop->store, NULL, &terms, NULL, NULL), CELLAR_OK);
    }
    for (uint64_t payer = 1; payer <= PAYERS; payer++) {
        shop_account(shop, payer, 0, 1000000);
    }
}

/* ---- What the entries say ---- */

static void test_entries(void **state) {
    struct shop *shop = *state;
    const cellar_call call = {.actor = 42, .reference = "till 7"};
    const cellar_line line = shop_line("a", 0, 1, 70);
    cellar_entry page[8];
    size_t count;
    open_accounts(shop);
    shop_goods(shop, "a", 5);
    assert_int_equal(cellar_account_collected(shop->store, FIRST, 0, page, 8, &count), CELLAR_OK);
    assert_int_equal(count, 0);
    assert_int_equal(cellar_account_credit(shop->store, &call, none, FIRST, 10, NULL, NULL),
                     CELLAR_OK);
    assert_int_equal(
        cellar_account_transfer(shop->store, NULL, shop_id(5), 1, FIRST, 20, NULL, NULL),
        CELLAR_OK);
    cellar_order_request order = shop_order_request(6, &line, 1);
    order.state = CELLAR_ORDER_PAID;
    order.account = 2;
    order.payee = FIRST;
    order.reference = "invoice 6";
    assert_int_equal(cellar_order_place(shop->store, NULL, &order, NULL, NULL), CELLAR_OK);
    /* Spending and settling are none of them. */
    assert_int_equal(cellar_account_debit(shop->store, NULL, none, FIRST, 99, NULL, NULL),
                     CELLAR_OK);
    for (int opening = 0; opening < 2; opening++) {
        assert_int_equal(cellar_account_collected(shop->store, FIRST, 0, page, 8, &count),
                         CELLAR_OK);
        assert_int_equal(count, 3);
        static const struct {
            cellar_entry_kind kind;
            int64_t amount, balance;
            uint64_t counterpart, id, actor;
            const char *reference;
        } rows[] = {
            /* kind  amount  balance  counterpart  id  actor  reference */
            {CELLAR_ENTRY_RECEIVED, 70, 100, 2, 6, 0, "invoice 6"},
            {CELLAR_ENTRY_RECEIVED, 20, 30, 1, 5, 0, ""},
            {CELLAR_ENTRY_CREDITED, 10, 10, 0, 0, 42, "till 7"},
        };
        for (size_t i = 0; i < 3; i++) {
            assert_int_equal(page[i].kind, rows[i].kind);
            assert_int_equal(page[i].amount, rows[i].amount);
            assert_int_equal(page[i].balance, rows[i].balance);
            assert_int_equal(page[i].counterpart, rows[i].counterpart);
            assert_int_equal(page[i].id.low, rows[i].id);
            assert_int_equal(page[i].actor, rows[i].actor);
            assert_string_equal(page[i].reference, rows[i].reference);
        }
        shop_reopen(shop);
    }
}

/* The thread that follows the log waits for memory, and counts the payment once. */
static void test_without_memory(void **state) {
    struct shop *shop = *state;
    struct memory *memory = shop->store->memory;
    cellar_ticket ticket;
    cellar_entry page[2];
    size_t count;
    open_accounts(shop);
    shop_settle(shop);
    memory_fail_after(memory, 0, 1);
    assert_int_equal(cellar_account_transfer(shop->store, NULL, none, 1, FIRST, 7, &ticket, NULL),
                     CELLAR_OK);
    assert_int_equal(cellar_wait_listed(shop->store, ticket.lsn, 30), CELLAR_TIMEOUT);
    memory_fail_after(memory, -1, 0);
    assert_int_equal(cellar_wait_listed(shop->store, ticket.lsn, -1), CELLAR_OK);
    assert_int_equal(cellar_account_collected(shop->store, FIRST, 0, page, 2, &count), CELLAR_OK);
    assert_int_equal(count, 1);
    assert_int_equal(page[0].balance, 7);
    assert_int_equal(shop_audit(shop).totals.unsettled, 7);
}

/* ---- While others pay ---- */

static _Atomic bool enough;

/* 5 in, 5 out, over and over. */
static void *pay_and_take(void *argument) {
    struct shop *shop = argument;
    while (!ATOMIC_LOAD(&enough, relaxed)) {
        cellar_status in =
            cellar_account_transfer(shop->store, NULL, none, 1, FIRST, 5, NULL, NULL);
        cellar_status out =
            cellar_account_transfer(shop->store, NULL, none, FIRST, 1, 5, NULL, NULL);
        if (in != CELLAR_OK || out != CELLAR_OK) {
            return shop;
        }
    }
    return NULL;
}

/* The present is one moment, too: never two payments without what was taken between them. And at
 * any LSN no money is missing, whichever account it is in. */
static void test_while_others_pay(void **state) {
    struct shop *shop = *state;
    pthread_t thread;
    void *failed = NULL;
    open_accounts(shop);
    ATOMIC_STORE(&enough, false, relaxed);
    assert_int_equal(pthread_create(&thread, NULL, pay_and_take, shop), 0);
    for (int i = 0; i < TURNS; i++) {
        cellar_account collector;
        cellar_account payer;
        cellar_ticket ticket;
        assert_int_equal(cellar_account_at(shop->store, FIRST, UINT64_MAX, 0, &collector),
                         CELLAR_OK);
        assert_true(collector.balance == 0 || collector.balance == 5);
        assert_int_equal(
            cellar_account_transfer(shop->store, NULL, none, 2, FIRST + 1, 1, &ticket, NULL),
            CELLAR_OK);
        assert_int_equal(cellar_account_at(shop->store, FIRST, ticket.lsn, 0, &collector),
                         CELLAR_OK);
        assert_int_equal(cellar_account_at(shop->store, 1, ticket.lsn, 0, &payer), CELLAR_OK);
        assert_int_equal(collector.balance + payer.balance, 1000000);
        assert_int_equal(cellar_account_at(shop->store, FIRST + 1, ticket.lsn, 0, &collector),
                         CELLAR_OK);
        assert_int_equal(collector.balance, i + 1);
    }
    ATOMIC_STORE(&enough, true, relaxed);
    assert_int_equal(pthread_join(thread, &failed), 0);
    assert_null(failed);
}

static void test_arguments(void **state) {
    struct shop *shop = *state;
    cellar_entry page[2];
    cellar_account account;
    size_t count = 9;
    cellar *store = shop->store;
    open_accounts(shop);
    assert_int_equal(cellar_account_collected(store, 0, 0, page, 2, &count),
                     CELLAR_INVALID_ARGUMENT);
    assert_int_equal(cellar_account_collected(store, FIRST, 0, NULL, 2, &count),
                     CELLAR_INVALID_ARGUMENT);
    assert_int_equal(cellar_account_collected(store, FIRST, 0, page, 2, NULL),
                     CELLAR_INVALID_ARGUMENT);
    assert_int_equal(cellar_account_collected(store, FIRST, 0, page, 0, &count),
                     CELLAR_INVALID_ARGUMENT);
    assert_int_equal(cellar_account_collected(store, FIRST, 0, page, CELLAR_PAGE_MAX + 1, &count),
                     CELLAR_INVALID_ARGUMENT);
    assert_int_equal(cellar_account_collected(store, 1, 0, page, 2, &count),
                     CELLAR_INVALID_ARGUMENT);
    assert_int_equal(cellar_account_collected(store, 99, 0, page, 2, &count), CELLAR_NOT_FOUND);
    assert_int_equal(cellar_account_at(store, FIRST, 1, 0, &account), CELLAR_NOT_FOUND);
    assert_int_equal(cellar_account_at(store, FIRST, 0, SHOP_NOW - 1, &account), CELLAR_NOT_FOUND);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SHOP_TEST(test_entries),
        SHOP_TEST(test_without_memory),
        SHOP_TEST(test_while_others_pay),
        SHOP_TEST(test_arguments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
