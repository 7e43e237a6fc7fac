/* Do collecting accounts receive all that they are paid, once, and spend all of it, though a
 * payment does not touch them? Do accounts of different currencies stay apart? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/shop.h"

#include <string.h>

#define MAX CELLAR_AMOUNT_MAX
#define SHOP_ACCOUNT 20
static const cellar_id none = {0, 0};

static void open_account(struct shop *shop, uint64_t id, int64_t floor, uint32_t currency,
                         bool collecting) {
    const cellar_account_request request = {
        .id = id, .floor = floor, .currency = currency, .collecting = collecting};
    assert_int_equal(cellar_account_create(shop->store, NULL, &request, NULL, NULL), CELLAR_OK);
}

static cellar_account account_of(struct shop *shop, uint64_t id) {
    cellar_account account;
    assert_int_equal(cellar_account_get(shop->store, id, &account), CELLAR_OK);
    assert_int_equal(account.balance - account.unsettled - account.floor - account.held,
                     account.available);
    return account;
}

/* Once the log was followed. */
static void check_account(struct shop *shop, uint64_t id, int64_t available, int64_t unsettled) {
    shop_settle(shop);
    cellar_account account = account_of(shop, id);
    assert_int_equal(account.available, available);
    assert_int_equal(account.unsettled, unsettled);
}

static cellar_status transfer(struct shop *shop, uint64_t from, uint64_t to, int64_t amount,
                              cellar_refusal *refusal) {
    return cellar_account_transfer(shop->store, NULL, none, from, to, amount, NULL, refusal);
}

static cellar_status debit(struct shop *shop, uint64_t account, int64_t amount,
                           cellar_refusal *refusal) {
    return cellar_account_debit(shop->store, NULL, none, account, amount, NULL, refusal);
}

/* Every way in which an account is paid. */
static void test_ways_in(void **state) {
    struct shop *shop = *state;
    cellar_ticket ticket;
    open_account(shop, SHOP_ACCOUNT, 0, 0, true);
    shop_account(shop, 1, 0, 1000);
    uint64_t opened = account_of(shop, SHOP_ACCOUNT).version;
    assert_int_equal(cellar_account_credit(shop->store, NULL, none, SHOP_ACCOUNT, 1, &ticket, NULL),
                     CELLAR_OK);
    assert_int_equal(ticket.remaining, 0);
    assert_int_equal(
        cellar_account_credit(shop->store, NULL, shop_id(1), SHOP_ACCOUNT, 10, NULL, NULL),
        CELLAR_OK);
    assert_int_equal(
        cellar_account_credit(shop->store, NULL, shop_id(1), SHOP_ACCOUNT, 10, &ticket, NULL),
        CELLAR_OK);
    assert_true(ticket.repeated);
    assert_int_equal(
        cellar_account_transfer(shop->store, NULL, none, 1, SHOP_ACCOUNT, 100, &ticket, NULL),
        CELLAR_OK);
    assert_int_equal(ticket.remaining, 900);
    assert_int_equal(cellar_account_hold(shop->store, NULL, shop_id(2), 1, 600, 0, NULL, NULL),
                     CELLAR_OK);
    assert_int_equal(
        cellar_account_post(shop->store, NULL, shop_id(2), 500, SHOP_ACCOUNT, NULL, NULL),
        CELLAR_OK);
    /* Money that comes back with a return. */
    shop_goods(shop, "a", 10);
    cellar_line line = shop_line("a", 0, 2, 1000);
    cellar_order_request back = shop_order_request(3, &line, 1);
    back.account = SHOP_ACCOUNT;
    assert_int_equal(cellar_order_return(shop->store, NULL, &back, false, NULL, NULL), CELLAR_OK);
    check_account(shop, SHOP_ACCOUNT, 0, 2611);
    assert_int_equal(account_of(shop, SHOP_ACCOUNT).version, opened);
    cellar_totals totals = shop_audit(shop).totals;
    assert_int_equal(totals.unsettled, 2611);
    assert_int_equal(totals.balances, 2611 + 400);
    assert_int_equal(totals.credited, 3011);
    assert_int_equal(totals.debited, 0);
    shop_reopen(shop);
    check_account(shop, SHOP_ACCOUNT, 0, 2611);
    assert_int_equal(cellar_account_settle(shop->store, NULL, SHOP_ACCOUNT, &ticket, NULL),
                     CELLAR_OK);
    assert_int_equal(ticket.remaining, 2611);
    assert_false(ticket.repeated);
    check_account(shop, SHOP_ACCOUNT, 2611, 0);
    assert_int_equal(account_of(shop, SHOP_ACCOUNT).version, ticket.lsn);
    assert_int_equal(shop_audit(shop).totals.unsettled, 0);
    shop_freeze(shop);
    uint64_t lsn = ticket.lsn;
    assert_int_equal(cellar_account_settle(shop->store, NULL, SHOP_ACCOUNT, &ticket, NULL),
                     CELLAR_OK);
    assert_true(ticket.repeated);
    assert_int_equal(ticket.lsn, lsn);
    assert_int_equal(ticket.remaining, 2611);
    shop_check_frozen(shop, "with nothing to settle");
}

enum way_out {
    DEBIT,
    TRANSFER,
    HOLD,
    FLOOR,
    ORDER
};

static cellar_status take_out(struct shop *shop, enum way_out way, uint64_t id, int64_t amount,
                              cellar_refusal *refusal) {
    cellar_line line = shop_line("a", 0, 1, amount);
    cellar_order_request request = shop_order_request(id, &line, 1);
    request.state = CELLAR_ORDER_PAID;
    request.account = id;
    switch (way) {
    case DEBIT:
        return debit(shop, id, amount, refusal);
    case TRANSFER:
        return transfer(shop, id, 9, amount, refusal);
    case HOLD:
        return cellar_account_hold(shop->store, NULL, shop_id(id), id, amount, 0, NULL, refusal);
    case FLOOR:
        return cellar_account_set_floor(shop->store, NULL, id, amount, 0, NULL, refusal);
    default:
        return cellar_order_place(shop->store, NULL, &request, NULL, refusal);
    }
}

/* Each way out takes what was collected with it when it needs it, however fresh it is. */
static void test_ways_out(void **state) {
    struct shop *shop = *state;
    cellar_refusal refusal;
    static const struct {
        enum way_out way;
        int64_t amount;
        cellar_status status;
        int64_t available; /* when refused */
    } rows[] = {
        /* way  amount  answer  available. There are 70: 20 of credit, 50 unsettled */
        {DEBIT, 70, CELLAR_OK, 0},    {DEBIT, 71, CELLAR_INSUFFICIENT_FUNDS, 70},
        {TRANSFER, 70, CELLAR_OK, 0}, {TRANSFER, 71, CELLAR_INSUFFICIENT_FUNDS, 70},
        {HOLD, 70, CELLAR_OK, 0},     {HOLD, 71, CELLAR_INSUFFICIENT_FUNDS, 70},
        {ORDER, 70, CELLAR_OK, 0},    {ORDER, 71, CELLAR_INSUFFICIENT_FUNDS, 70},
        {FLOOR, 0, CELLAR_OK, 0},     {DEBIT, 20, CELLAR_OK, 0},
        {DEBIT, 21, CELLAR_OK, 0},
    };
    shop_account(shop, 9, 0, 10000);
    shop_goods(shop, "a", 100);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint64_t id = 10 + i;
        int64_t amount = rows[i].amount;
        open_account(shop, id, -20, 0, true);
        for (int part = 0; part < 5; part++) {
            assert_int_equal(transfer(shop, 9, id, 10, NULL), CELLAR_OK);
        }
        cellar_status status = take_out(shop, rows[i].way, id, amount, &refusal);
        assert_int_equal(status, rows[i].status);
        shop_settle(shop);
        cellar_account account = account_of(shop, id);
        if (status == CELLAR_OK) {
            int64_t left = rows[i].way == FLOOR ? 50 : 70 - amount;
            assert_int_equal(account.available + account.unsettled, left);
            /* What is there already is spent first, and nothing settled for it; then what is
             * known, which may be less than all when it suffices. */
            if (amount <= 20) {
                assert_int_equal(account.unsettled, 50);
            } else {
                assert_in_range(account.unsettled, 0, left);
            }
        } else {
            assert_int_equal(refusal.available, rows[i].available);
            assert_int_equal(refusal.needed, amount);
            assert_int_equal(account.unsettled, 50);
            assert_int_equal(account.available, 20);
        }
    }
    /* A floor that what was collected does not reach. */
    open_account(shop, 8, -20, 0, true);
    assert_int_equal(debit(shop, 8, 15, NULL), CELLAR_OK);
    assert_int_equal(transfer(shop, 9, 8, 10, NULL), CELLAR_OK);
    assert_int_equal(cellar_account_set_floor(shop->store, NULL, 8, -4, 0, NULL, &refusal),
                     CELLAR_INSUFFICIENT_FUNDS);
    shop_check_refusal(&refusal, CELLAR_INSUFFICIENT_FUNDS, CELLAR_NO_LINE, -5, -4);
    assert_int_equal(cellar_account_set_floor(shop->store, NULL, 8, -5, 0, NULL, NULL), CELLAR_OK);
}

/* What an order would be answered takes in what is collected, and goes on to the goods. */
static void test_quote(void **state) {
    struct shop *shop = *state;
    cellar_refusal refusal;
    int64_t total;
    static const struct {
        int64_t quantity;
        cellar_status status;
        int64_t available;
    } rows[] = {
        /* quantity, at 10 each  answer  available. There are 3 pieces, and 50 unsettled */
        {3, CELLAR_OK, 0},
        {5, CELLAR_OUT_OF_STOCK, 3},
        {6, CELLAR_INSUFFICIENT_FUNDS, 50},
    };
    shop_goods(shop, "a", 3);
    open_account(shop, SHOP_ACCOUNT, 0, 0, true);
    assert_int_equal(cellar_account_credit(shop->store, NULL, none, SHOP_ACCOUNT, 50, NULL, NULL),
                     CELLAR_OK);
    shop_freeze(shop);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        cellar_line line = shop_line("a", 0, rows[i].quantity, 10);
        cellar_order_request request = shop_order_request(1, &line, 1);
        request.state = CELLAR_ORDER_PAID;
        request.account = SHOP_ACCOUNT;
        assert_int_equal(cellar_order_quote(shop->store, &request, &total, &refusal),
                         rows[i].status);
        assert_int_equal(total, 10 * rows[i].quantity);
        assert_int_equal(refusal.available, rows[i].available);
    }
    shop_check_frozen(shop, "after quotes");
}

/* In an account that is full no more is collected, and nothing wraps. */
static void test_full(void **state) {
    struct shop *shop = *state;
    cellar_refusal refusal;
    open_account(shop, SHOP_ACCOUNT, 0, 0, true);
    shop_account(shop, 1, 0, MAX);
    assert_int_equal(transfer(shop, 1, SHOP_ACCOUNT, MAX, NULL), CELLAR_OK);
    shop_settle(shop);
    shop_account(shop, 2, 0, 7);
    for (int settled = 0; settled < 2; settled++) {
        shop_freeze(shop);
        assert_int_equal(transfer(shop, 2, SHOP_ACCOUNT, 1, &refusal), CELLAR_OVERFLOW);
        shop_check_refusal(&refusal, CELLAR_OVERFLOW, 1, 0, 0);
        shop_check_frozen(shop, "when the account is full");
        assert_int_equal(cellar_account_settle(shop->store, NULL, SHOP_ACCOUNT, NULL, NULL),
                         CELLAR_OK);
    }
    assert_int_equal(debit(shop, SHOP_ACCOUNT, MAX, NULL), CELLAR_OK);
    assert_int_equal(transfer(shop, 2, SHOP_ACCOUNT, 7, NULL), CELLAR_OK);
    assert_int_equal(debit(shop, SHOP_ACCOUNT, 7, NULL), CELLAR_OK);
}

/* What is collected beyond what the balance has room for stays there until it has. */
static void test_more_than_fits(void **state) {
    struct shop *shop = *state;
    cellar_refusal refusal;
    open_account(shop, SHOP_ACCOUNT, 0, 0, true);
    shop_account(shop, 1, 0, MAX);
    assert_int_equal(transfer(shop, 1, SHOP_ACCOUNT, MAX, NULL), CELLAR_OK);
    shop_settle(shop);
    /* As if more had been on the way when the limit was looked at. */
    struct store_account *entry = store_find_account(shop->store->store, SHOP_ACCOUNT);
    struct store_collected *collected = &shop->store->store->collected[entry->slot];
    ATOMIC_ADD(&collected->sum, 5, relaxed);
    assert_int_equal(cellar_account_settle(shop->store, NULL, SHOP_ACCOUNT, NULL, NULL), CELLAR_OK);
    check_account(shop, SHOP_ACCOUNT, MAX, 5);
    assert_int_equal(
        cellar_account_hold(shop->store, NULL, shop_id(1), SHOP_ACCOUNT, MAX, 0, NULL, NULL),
        CELLAR_OK);
    assert_int_equal(debit(shop, SHOP_ACCOUNT, 5, &refusal), CELLAR_INSUFFICIENT_FUNDS);
    shop_check_refusal(&refusal, CELLAR_INSUFFICIENT_FUNDS, 0, 0, 5);
    ATOMIC_SUB(&collected->sum, 5, relaxed);
    /* However much it is, no sum wraps. */
    ATOMIC_ADD(&collected->sum, INT64_MAX, relaxed);
    ATOMIC_STORE(&entry->brimming, true, relaxed);
    shop_account(shop, 2, 0, 7);
    assert_int_equal(transfer(shop, 2, SHOP_ACCOUNT, 7, NULL), CELLAR_OVERFLOW);
    ATOMIC_SUB(&collected->sum, INT64_MAX, relaxed);
    ATOMIC_STORE(&entry->brimming, false, relaxed);
}

static void test_terms(void **state) {
    struct shop *shop = *state;
    cellar_refusal refusal;
    cellar_ticket ticket;
    open_account(shop, 1, -5, 978, true);
    open_account(shop, 2, -5, UINT32_MAX, false);
    static const struct {
        cellar_account_request request;
        cellar_status status;
    } rows[] = {
        {{1, -5, 978, true}, CELLAR_OK},
        {{1, -5, 978, false}, CELLAR_ALREADY_EXISTS},
        {{1, -5, 977, true}, CELLAR_ALREADY_EXISTS},
        {{1, -4, 978, true}, CELLAR_ALREADY_EXISTS},
        {{2, -5, UINT32_MAX, false}, CELLAR_OK},
        {{2, -5, 0, false}, CELLAR_ALREADY_EXISTS},
    };
    for (int opening = 0; opening < 2; opening++) {
        shop_freeze(shop);
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            assert_int_equal(
                cellar_account_create(shop->store, NULL, &rows[i].request, &ticket, &refusal),
                rows[i].status);
            assert_true(rows[i].status != CELLAR_OK || ticket.repeated);
        }
        assert_int_equal(cellar_account_open(shop->store, NULL, 2, -5, NULL, NULL),
                         CELLAR_ALREADY_EXISTS);
        cellar_account account = account_of(shop, 1);
        assert_int_equal(account.currency, 978);
        assert_true(account.collecting);
        account = account_of(shop, 2);
        assert_int_equal(account.currency, UINT32_MAX);
        assert_false(account.collecting);
        shop_check_invalid(&refusal, cellar_account_settle(shop->store, NULL, 2, NULL, &refusal),
                           CELLAR_NO_LINE, "account");
        shop_check_invalid(&refusal, cellar_account_settle(shop->store, NULL, 0, NULL, &refusal),
                           CELLAR_NO_LINE, "account");
        shop_check_invalid(&refusal, cellar_account_create(shop->store, NULL, NULL, NULL, &refusal),
                           CELLAR_NO_LINE, "request");
        assert_int_equal(cellar_account_settle(shop->store, NULL, 3, NULL, NULL), CELLAR_NOT_FOUND);
        shop_check_frozen(shop, "after opening again");
        shop_reopen(shop);
    }
}

static void test_currencies(void **state) {
    struct shop *shop = *state;
    cellar_refusal refusal;
    open_account(shop, 1, -100, 978, false);
    open_account(shop, 2, 0, 978, false);
    open_account(shop, 3, 0, 840, false);
    open_account(shop, 4, 0, 840, true);
    open_account(shop, 5, 0, 978, true);
    assert_int_equal(cellar_account_hold(shop->store, NULL, shop_id(1), 1, 50, 0, NULL, NULL),
                     CELLAR_OK);
    shop_freeze(shop);
    for (uint64_t to = 3; to <= 4; to++) {
        assert_int_equal(transfer(shop, 1, to, 10, &refusal), CELLAR_CURRENCY_MISMATCH);
        shop_check_refusal(&refusal, CELLAR_CURRENCY_MISMATCH, 1, 0, 0);
        assert_int_equal(cellar_account_post(shop->store, NULL, shop_id(1), 10, to, NULL, &refusal),
                         CELLAR_CURRENCY_MISMATCH);
        shop_check_refusal(&refusal, CELLAR_CURRENCY_MISMATCH, 1, 0, 0);
    }
    shop_check_frozen(shop, "after mixing currencies");
    assert_int_equal(transfer(shop, 1, 2, 10, NULL), CELLAR_OK);
    assert_int_equal(transfer(shop, 1, 5, 10, NULL), CELLAR_OK);
    assert_int_equal(cellar_account_post(shop->store, NULL, shop_id(1), 10, 5, NULL, NULL),
                     CELLAR_OK);
    check_account(shop, 5, 0, 20);
}

/* Neither a payment nor a settlement is lost or doubled by a crash at any point between. */
static void test_many_settlements(void **state) {
    struct shop *shop = *state;
    open_account(shop, SHOP_ACCOUNT, 0, 0, true);
    shop_account(shop, 1, -MAX, 0);
    int64_t paid = 0;
    for (int i = 1; i <= 300; i++) {
        assert_int_equal(transfer(shop, 1, SHOP_ACCOUNT, i, NULL), CELLAR_OK);
        paid += i;
        if (i % 7 == 0) {
            assert_int_equal(cellar_account_settle(shop->store, NULL, SHOP_ACCOUNT, NULL, NULL),
                             CELLAR_OK);
            assert_int_equal(account_of(shop, SHOP_ACCOUNT).available, paid);
        }
        if (i % 100 == 0) {
            shop_reopen(shop);
        }
    }
    shop_settle(shop);
    assert_int_equal(account_of(shop, SHOP_ACCOUNT).balance, paid);
    assert_int_equal(debit(shop, SHOP_ACCOUNT, paid, NULL), CELLAR_OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SHOP_TEST(test_ways_in), SHOP_TEST_ORACLE(test_ways_in), SHOP_TEST(test_ways_out),
        SHOP_TEST(test_quote),   SHOP_TEST(test_full),           SHOP_TEST(test_more_than_fits),
        SHOP_TEST(test_terms),   SHOP_TEST(test_currencies),     SHOP_TEST(test_many_settlements),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
