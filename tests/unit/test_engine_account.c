/* Is money neither made nor lost, never taken below the floor, and moved once for one id? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/shop.h"

#include <string.h>

#define MAX CELLAR_AMOUNT_MAX
static const cellar_id none = {0, 0};

static void test_open(void **state) {
    struct shop *shop = *state;
    cellar_ticket ticket;
    cellar_account account;
    const struct {
        uint64_t id;
        int64_t floor;
    } rows[] = {{1, 0}, {2, -1}, {3, -MAX}, {UINT64_MAX, -500}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(
            cellar_account_open(shop->store, NULL, rows[i].id, rows[i].floor, &ticket, NULL),
            CELLAR_OK);
        assert_false(ticket.repeated);
        assert_int_equal(ticket.remaining, 0);
        assert_int_equal(cellar_account_get(shop->store, rows[i].id, &account), CELLAR_OK);
        assert_int_equal(account.id, rows[i].id);
        assert_int_equal(account.balance, 0);
        assert_int_equal(account.floor, rows[i].floor);
        assert_int_equal(account.version, ticket.lsn);
    }
}

static void test_open_again(void **state) {
    struct shop *shop = *state;
    cellar_ticket ticket;
    cellar_refusal refusal;
    shop_account(shop, 7, -100, 30);
    for (int opening = 0; opening < 2; opening++) {
        cellar_account account;
        shop_freeze(shop);
        assert_int_equal(cellar_account_get(shop->store, 7, &account), CELLAR_OK);
        assert_int_equal(cellar_account_open(shop->store, NULL, 7, -100, &ticket, NULL), CELLAR_OK);
        assert_true(ticket.repeated);
        assert_int_equal(ticket.lsn, account.version);
        assert_int_equal(ticket.time_ns, 0);
        assert_int_equal(ticket.remaining, 0);
        assert_int_equal(cellar_account_open(shop->store, NULL, 7, -101, NULL, &refusal),
                         CELLAR_ALREADY_EXISTS);
        assert_int_equal(refusal.status, CELLAR_ALREADY_EXISTS);
        assert_int_equal(refusal.line, CELLAR_NO_LINE);
        shop_check_frozen(shop, "after the same opening again");
        shop_reopen(shop);
    }
}

/* Each row starts with an account of this floor and balance. */
static void test_credit_and_debit(void **state) {
    struct shop *shop = *state;
    static const struct {
        int64_t floor, balance, change;
        cellar_status status;
        int64_t available; /* the balance after it, or what may be spent */
    } rows[] = {
        /* floor  balance  change  answer  available */
        {0, 0, 10, CELLAR_OK, 10},
        {0, 10, -10, CELLAR_OK, 0},
        {0, 10, -11, CELLAR_INSUFFICIENT_FUNDS, 10},
        {0, 0, -MAX, CELLAR_INSUFFICIENT_FUNDS, 0},
        {-50, 0, -50, CELLAR_OK, -50},
        {-50, 0, -51, CELLAR_INSUFFICIENT_FUNDS, 50},
        {-50, -20, -31, CELLAR_INSUFFICIENT_FUNDS, 30},
        {-MAX, 0, -MAX, CELLAR_OK, -MAX},
        {-MAX, MAX, -MAX, CELLAR_OK, 0},
        {-MAX, -MAX, -1, CELLAR_INSUFFICIENT_FUNDS, 0},
        {-MAX, -MAX, MAX, CELLAR_OK, 0},
        {0, 0, MAX, CELLAR_OK, MAX},
        {0, 1, MAX, CELLAR_OVERFLOW, 0},
        {-MAX, MAX, 1, CELLAR_OVERFLOW, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint64_t id = i + 1;
        int64_t change = rows[i].change;
        cellar_ticket ticket;
        cellar_refusal refusal;
        shop_account(shop, id, rows[i].floor, rows[i].balance);
        shop_freeze(shop);
        cellar_status status =
            change > 0
                ? cellar_account_credit(shop->store, NULL, none, id, change, &ticket, &refusal)
                : cellar_account_debit(shop->store, NULL, none, id, -change, &ticket, &refusal);
        assert_int_equal(status, rows[i].status);
        if (status == CELLAR_OK) {
            assert_int_equal(ticket.remaining, rows[i].available);
            assert_int_equal(shop_balance(shop, id), rows[i].available);
        } else {
            bool broke = status == CELLAR_INSUFFICIENT_FUNDS;
            shop_check_refusal(&refusal, status, 0, rows[i].available, broke ? -change : 0);
            shop_check_frozen(shop, "after a refusal");
        }
    }
}

static void test_transfer(void **state) {
    struct shop *shop = *state;
    cellar_ticket ticket;
    cellar_refusal refusal;
    static const struct {
        uint64_t from, to;
        int64_t amount;
        cellar_status status;
        uint32_t line;
        int64_t available;
    } rows[] = {
        /* from  to  amount  answer  line  available */
        {1, 2, 101, CELLAR_INSUFFICIENT_FUNDS, 0, 100},
        {2, 1, 1, CELLAR_INSUFFICIENT_FUNDS, 0, 0},
        {9, 1, 1, CELLAR_NOT_FOUND, 0, 0},
        {1, 9, 1, CELLAR_NOT_FOUND, 1, 0},
        {9, 8, 1, CELLAR_NOT_FOUND, 0, 0},
        {1, 3, 1, CELLAR_OVERFLOW, 1, 0},
    };
    shop_account(shop, 1, -50, 50);
    shop_account(shop, 2, 0, 0);
    shop_account(shop, 3, 0, MAX);
    shop_freeze(shop);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(cellar_account_transfer(shop->store, NULL, shop_id(5), rows[i].from,
                                                 rows[i].to, rows[i].amount, NULL, &refusal),
                         rows[i].status);
        bool broke = rows[i].status == CELLAR_INSUFFICIENT_FUNDS;
        shop_check_refusal(&refusal, rows[i].status, rows[i].line, rows[i].available,
                           broke ? rows[i].amount : 0);
        shop_check_frozen(shop, "after a transfer that is refused");
    }
    assert_int_equal(
        cellar_account_transfer(shop->store, NULL, shop_id(5), 1, 2, 80, &ticket, NULL), CELLAR_OK);
    assert_int_equal(ticket.remaining, -30);
    assert_int_equal(shop_balance(shop, 1), -30);
    assert_int_equal(shop_balance(shop, 2), 80);
    assert_int_equal(cellar_account_transfer(shop->store, NULL, none, 2, 1, 30, &ticket, NULL),
                     CELLAR_OK);
    assert_int_equal(ticket.remaining, 50);
    cellar_totals totals = shop_audit(shop).totals;
    assert_int_equal(totals.balances, 50 + MAX);
    assert_int_equal(totals.credited, 50 + MAX);
    assert_int_equal(totals.debited, 0);
    assert_int_equal(totals.accounts, 3);
    assert_int_equal(totals.orders[0], 1);
}

typedef cellar_status entry_function(struct shop *shop, cellar_id id, uint64_t account,
                                     uint64_t other, int64_t amount, cellar_ticket *ticket,
                                     cellar_refusal *refusal);

static cellar_status credit(struct shop *shop, cellar_id id, uint64_t account, uint64_t other,
                            int64_t amount, cellar_ticket *ticket, cellar_refusal *refusal) {
    (void)other;
    return cellar_account_credit(shop->store, NULL, id, account, amount, ticket, refusal);
}

static cellar_status debit(struct shop *shop, cellar_id id, uint64_t account, uint64_t other,
                           int64_t amount, cellar_ticket *ticket, cellar_refusal *refusal) {
    (void)other;
    return cellar_account_debit(shop->store, NULL, id, account, amount, ticket, refusal);
}

static cellar_status transfer(struct shop *shop, cellar_id id, uint64_t account, uint64_t other,
                              int64_t amount, cellar_ticket *ticket, cellar_refusal *refusal) {
    return cellar_account_transfer(shop->store, NULL, id, account, other, amount, ticket, refusal);
}

static entry_function *const entries[] = {credit, debit, transfer};

static void test_once_for_an_id(void **state) {
    struct shop *shop = *state;
    cellar_ticket first[3];
    shop_account(shop, 1, 0, 1000);
    shop_account(shop, 2, 0, 1000);
    shop_account(shop, 3, 0, 1000);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(entries[i](shop, shop_id(i), 1, 2, 100, &first[i], NULL), CELLAR_OK);
        assert_false(first[i].repeated);
    }
    for (int opening = 0; opening < 2; opening++) {
        shop_freeze(shop);
        for (size_t i = 0; i < 3; i++) {
            cellar_ticket again;
            cellar_refusal refusal;
            assert_int_equal(entries[i](shop, shop_id(i), 1, 2, 100, &again, NULL), CELLAR_OK);
            assert_true(again.repeated);
            assert_int_equal(again.lsn, first[i].lsn);
            assert_int_equal(again.time_ns, first[i].time_ns);
            assert_int_equal(again.remaining, 0);
            assert_int_equal(entries[i](shop, shop_id(i), 1, 2, 101, NULL, &refusal),
                             CELLAR_ID_REUSED);
            shop_check_refusal(&refusal, CELLAR_ID_REUSED, CELLAR_NO_LINE, 0, 0);
            assert_int_equal(entries[i](shop, shop_id(i), 3, 2, 100, NULL, NULL), CELLAR_ID_REUSED);
            assert_int_equal(entries[(i + 1) % 3](shop, shop_id(i), 1, 2, 100, NULL, NULL),
                             CELLAR_ID_REUSED);
        }
        assert_int_equal(transfer(shop, shop_id(2), 1, 3, 100, NULL, NULL), CELLAR_ID_REUSED);
        shop_check_frozen(shop, "after the same ids again");
        shop_reopen(shop);
    }
    /* Refused, then possible: the id was free. */
    assert_int_equal(debit(shop, shop_id(9), 1, 0, 5000, NULL, NULL), CELLAR_INSUFFICIENT_FUNDS);
    assert_int_equal(credit(shop, none, 1, 0, 5000, NULL, NULL), CELLAR_OK);
    assert_int_equal(debit(shop, shop_id(9), 1, 0, 5000, NULL, NULL), CELLAR_OK);
}

static void test_set_floor(void **state) {
    struct shop *shop = *state;
    cellar_ticket ticket;
    cellar_refusal refusal;
    cellar_account account;
    shop_account(shop, 1, -100, -40);
    enum {
        ANY,
        NOW,
        OLD
    };
    static const struct {
        int64_t floor;
        int expected;
        cellar_status status;
    } rows[] = {
        /* floor  expected  answer */
        {-40, ANY, CELLAR_OK},
        {-39, ANY, CELLAR_INSUFFICIENT_FUNDS},
        {0, NOW, CELLAR_INSUFFICIENT_FUNDS},
        {-200, OLD, CELLAR_VERSION_CHANGED},
        {-200, NOW, CELLAR_OK},
        {-MAX, NOW, CELLAR_OK},
        {-40, ANY, CELLAR_OK},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(cellar_account_get(shop->store, 1, &account), CELLAR_OK);
        uint64_t version = account.version;
        uint64_t expected = rows[i].expected == ANY   ? CELLAR_VERSION_ANY
                            : rows[i].expected == NOW ? version
                                                      : version - 64;
        shop_freeze(shop);
        assert_int_equal(cellar_account_set_floor(shop->store, NULL, 1, rows[i].floor, expected,
                                                  &ticket, &refusal),
                         rows[i].status);
        assert_int_equal(cellar_account_get(shop->store, 1, &account), CELLAR_OK);
        assert_int_equal(account.balance, -40);
        if (rows[i].status == CELLAR_OK) {
            assert_int_equal(account.floor, rows[i].floor);
            assert_int_equal(account.version, ticket.lsn);
            assert_int_equal(ticket.remaining, -40);
        } else {
            assert_int_equal(refusal.status, rows[i].status);
            assert_int_equal(refusal.line, CELLAR_NO_LINE);
            assert_int_equal(refusal.version,
                             rows[i].status == CELLAR_VERSION_CHANGED ? version : 0);
            shop_check_frozen(shop, "after a floor that is refused");
        }
    }
    assert_int_equal(debit(shop, none, 1, 0, 1, NULL, NULL), CELLAR_INSUFFICIENT_FUNDS);
    assert_int_equal(cellar_account_set_floor(shop->store, NULL, 2, 0, 0, NULL, &refusal),
                     CELLAR_NOT_FOUND);
    shop_check_refusal(&refusal, CELLAR_NOT_FOUND, CELLAR_NO_LINE, 0, 0);
}

static void test_bad_arguments(void **state) {
    struct shop *shop = *state;
    cellar_refusal refusal;
    cellar_account account;
    cellar *store = shop->store;
    shop_account(shop, 1, 0, 10);
    shop_account(shop, 2, 0, 10);
    shop_freeze(shop);
    static const int64_t amounts[] = {0, -1, MAX + 1, INT64_MIN, INT64_MAX};
    static const int64_t floors[] = {1, MAX, -MAX - 1, INT64_MIN, INT64_MAX};
    for (size_t i = 0; i < 5; i++) {
        memset(&refusal, 0xee, sizeof refusal);
        for (size_t f = 0; f < 3; f++) {
            shop_check_invalid(&refusal, entries[f](shop, none, 1, 2, amounts[i], NULL, &refusal),
                               CELLAR_NO_LINE, "amount");
        }
        shop_check_invalid(&refusal, cellar_account_open(store, NULL, 5, floors[i], NULL, &refusal),
                           CELLAR_NO_LINE, "floor");
        shop_check_invalid(&refusal,
                           cellar_account_set_floor(store, NULL, 1, floors[i], 0, NULL, &refusal),
                           CELLAR_NO_LINE, "floor");
    }
    for (size_t f = 0; f < 3; f++) {
        shop_check_invalid(&refusal, entries[f](shop, none, 0, 2, 5, NULL, &refusal),
                           CELLAR_NO_LINE, "account");
    }
    shop_check_invalid(&refusal, cellar_account_open(store, NULL, 0, 0, NULL, &refusal),
                       CELLAR_NO_LINE, "account");
    shop_check_invalid(&refusal, cellar_account_set_floor(store, NULL, 0, 0, 0, NULL, &refusal),
                       CELLAR_NO_LINE, "account");
    shop_check_invalid(&refusal, transfer(shop, none, 1, 0, 5, NULL, &refusal), CELLAR_NO_LINE,
                       "to");
    shop_check_invalid(&refusal, transfer(shop, none, 1, 1, 5, NULL, &refusal), CELLAR_NO_LINE,
                       "to");
    cellar_call bad = {.durability = CELLAR_RELAXED, .durable_wait_ms = -1};
    shop_check_invalid(&refusal, cellar_account_credit(store, &bad, none, 1, 1, NULL, &refusal),
                       CELLAR_NO_LINE, "call");
    assert_int_equal(cellar_account_get(store, 0, &account), CELLAR_INVALID_ARGUMENT);
    assert_int_equal(cellar_account_get(store, 1, NULL), CELLAR_INVALID_ARGUMENT);
    assert_int_equal(cellar_account_get(store, 3, &account), CELLAR_NOT_FOUND);
    assert_int_equal(credit(shop, none, 3, 0, 1, NULL, &refusal), CELLAR_NOT_FOUND);
    shop_check_refusal(&refusal, CELLAR_NOT_FOUND, 0, 0, 0);
    assert_int_equal(debit(shop, shop_id(1), 3, 0, 1, NULL, &refusal), CELLAR_NOT_FOUND);
    shop_check_frozen(shop, "after bad arguments");
}

static void test_accounts_run_out(void **unused) {
    struct shop shop;
    cellar_refusal refusal;
    (void)unused;
    shop_prepare(&shop);
    shop.config.accounts_max = 2;
    shop_open(&shop);
    shop_account(&shop, 1, 0, 5);
    shop_account(&shop, 2, 0, 5);
    shop_freeze(&shop);
    assert_int_equal(cellar_account_open(shop.store, NULL, 3, 0, NULL, &refusal),
                     CELLAR_STORE_FULL);
    shop_check_refusal(&refusal, CELLAR_STORE_FULL, CELLAR_NO_LINE, 0, 0);
    shop_check_frozen(&shop, "when there is no room for an account");
    assert_int_equal(cellar_account_open(shop.store, NULL, 2, 0, NULL, NULL), CELLAR_OK);
    shop_finish(&shop);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SHOP_TEST(test_open),
        SHOP_TEST(test_open_again),
        SHOP_TEST(test_credit_and_debit),
        SHOP_TEST_ORACLE(test_credit_and_debit),
        SHOP_TEST(test_transfer),
        SHOP_TEST_ORACLE(test_transfer),
        SHOP_TEST(test_once_for_an_id),
        SHOP_TEST(test_set_floor),
        SHOP_TEST(test_bad_arguments),
        cmocka_unit_test(test_accounts_run_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
