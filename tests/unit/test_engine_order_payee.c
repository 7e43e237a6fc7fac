/* Does the money of an order go to the account that the order names, and come back from it,
 * exactly, in the same commits: whole and by parts, ordinary and collecting, paid at once and
 * later?
 *
 * Account 1 is the buyer's, 2 a merchant's, 3 a merchant's that collects, 4 of another currency. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/orders.h"

#define MERCHANT 2
#define COLLECTOR 3
#define FOREIGN 4

static const cellar_id none = {0, 0};

static void fill(struct shop *shop) {
    const cellar_account_request collector = {.id = COLLECTOR, .collecting = true};
    const cellar_account_request foreign = {.id = FOREIGN, .currency = 840};
    shop_goods(shop, "a", 50);
    shop_goods(shop, "b", 50);
    shop_account(shop, 1, 0, 1000);
    shop_account(shop, MERCHANT, 0, 0);
    assert_int_equal(cellar_account_create(shop->store, NULL, &collector, NULL, NULL), CELLAR_OK);
    assert_int_equal(cellar_account_create(shop->store, NULL, &foreign, NULL, NULL), CELLAR_OK);
}

/* 3 of "a" at 50 and 2 of "b" at 25: 200. */
static cellar_status place(struct shop *shop, uint64_t id, cellar_order_state state,
                           uint64_t account, uint64_t payee, cellar_refusal *refusal) {
    const cellar_line lines[] = {shop_line("a", 0, 3, 50), shop_line("b", 0, 2, 25)};
    cellar_order_request request = shop_order_request(id, lines, 2);
    request.state = state;
    request.account = account;
    request.payee = payee;
    return cellar_order_place(shop->store, NULL, &request, NULL, refusal);
}

static cellar_status pay(struct shop *shop, uint64_t id, uint64_t account,
                         cellar_refusal *refusal) {
    return cellar_order_pay(shop->store, NULL, shop_id(id), account, NULL, refusal);
}

static void check_balances(struct shop *shop, int64_t buyer, uint64_t payee, int64_t balance) {
    shop_settle(shop);
    assert_int_equal(shop_balance(shop, 1), buyer);
    assert_int_equal(shop_balance(shop, payee), balance);
    cellar_totals totals = shop_audit(shop).totals;
    assert_int_equal(totals.credited - totals.debited, totals.balances);
}

static const uint64_t payees[] = {MERCHANT, COLLECTOR};

static void test_back_by_parts(void **state) {
    struct shop *shop = *state;
    fill(shop);
    for (uint64_t i = 0; i < 2; i++) {
        uint64_t payee = payees[i];
        uint64_t id = 100 * (i + 1);
        int64_t credited = shop_audit(shop).totals.credited;
        assert_int_equal(place(shop, id, CELLAR_ORDER_PAID, 1, payee, NULL), CELLAR_OK);
        check_balances(shop, 800, payee, 200);
        orders_part(shop, CELLAR_EVENT_CANCEL, id, id + 1, 1, 1);
        check_balances(shop, 825, payee, 175);
        orders_part(shop, CELLAR_EVENT_FULFIL, id, id + 2, 0, 2);
        check_balances(shop, 825, payee, 175);
        shop_reopen(shop);
        orders_part(shop, CELLAR_EVENT_RETURN, id, id + 3, 0, 1);
        check_balances(shop, 875, payee, 125);
        /* The rest leaves, and the order is closed: who was paid is read from the ledger. */
        orders_whole(shop, CELLAR_EVENT_FULFIL, id);
        orders_part(shop, CELLAR_EVENT_RETURN, id, id + 4, 1, 1);
        check_balances(shop, 900, payee, 100);
        shop_reopen(shop);
        assert_int_equal(shop_order_get(shop, id).payee, payee);
        cellar_order_change all = orders_change(CELLAR_EVENT_RETURN, id, id + 5, NULL, 0);
        assert_int_equal(orders_try(shop, &all, NULL), CELLAR_OK);
        check_balances(shop, 1000, payee, 0);
        /* Nothing came in or went out. */
        assert_int_equal(shop_audit(shop).totals.credited, credited);
    }
}

static void test_paid_later(void **state) {
    struct shop *shop = *state;
    cellar_order_part some = {.line = 0, .quantity = 2};
    fill(shop);
    for (uint64_t i = 0; i < 2; i++) {
        uint64_t payee = payees[i];
        uint64_t id = 100 * (i + 1);
        assert_int_equal(place(shop, id, CELLAR_ORDER_PLACED, 0, payee, NULL), CELLAR_OK);
        assert_int_equal(shop_order_get(shop, id).payee, payee);
        check_balances(shop, 1000, payee, 0);
        shop_reopen(shop);
        /* In part: the rest is cancelled. */
        cellar_order_change part = orders_change(CELLAR_EVENT_PAY, id, id + 1, &some, 1);
        part.account = 1;
        assert_int_equal(orders_try(shop, &part, NULL), CELLAR_OK);
        check_balances(shop, 900, payee, 100);
        orders_whole(shop, CELLAR_EVENT_CANCEL, id);
        check_balances(shop, 1000, payee, 0);
        /* Paid elsewhere: nothing moves here, nor back. */
        assert_int_equal(place(shop, id + 10, CELLAR_ORDER_PLACED, 0, payee, NULL), CELLAR_OK);
        assert_int_equal(pay(shop, id + 10, 0, NULL), CELLAR_OK);
        orders_whole(shop, CELLAR_EVENT_CANCEL, id + 10);
        check_balances(shop, 1000, payee, 0);
    }
}

/* Goods and money are held first. The capture gives the held money back and pays with it, in one
 * commit; what is left over is free again. */
static void test_hold_then_capture(void **state) {
    struct shop *shop = *state;
    fill(shop);
    for (uint64_t i = 0; i < 2; i++) {
        uint64_t payee = payees[i];
        uint64_t id = 100 * (i + 1);
        const cellar_line line = shop_line("a", 0, 3, 50);
        cellar_order_request order = shop_order_request(id, &line, 1);
        order.payee = payee;
        order.hold_until_ns = orders_deadline(shop, 1000);
        const cellar_account_entry hold = {.id = shop_id(id + 1),
                                           .account = 1,
                                           .amount = 1000,
                                           .deadline_ns = order.hold_until_ns};
        const cellar_operation holds[] = {
            {.kind = CELLAR_OPERATION_ORDER_PLACE, .order = &order},
            {.kind = CELLAR_OPERATION_ACCOUNT_HOLD, .entry = &hold},
        };
        assert_int_equal(cellar_transact(shop->store, NULL, none, holds, 2, NULL, NULL), CELLAR_OK);
        check_balances(shop, 1000, payee, 0);
        const cellar_account_entry release = {.id = shop_id(id + 1)};
        cellar_order_change paid = orders_change(CELLAR_EVENT_PAY, id, 0, NULL, 0);
        paid.account = 1;
        const cellar_operation captures[] = {
            {.kind = CELLAR_OPERATION_ACCOUNT_VOID, .entry = &release},
            {.kind = CELLAR_OPERATION_ORDER_STEP, .step = &paid},
        };
        assert_int_equal(cellar_transact(shop->store, NULL, none, captures, 2, NULL, NULL),
                         CELLAR_OK);
        check_balances(shop, 850, payee, 150);
        assert_int_equal(shop_audit(shop).totals.held, 0);
        orders_whole(shop, CELLAR_EVENT_CANCEL, id);
        check_balances(shop, 1000, payee, 0);
    }
}

/* A hold that has ended by itself, or by another commit, is not captured: the money may be spent.
 */
static void test_capture_of_nothing(void **state) {
    struct shop *shop = *state;
    cellar_refusal refusal;
    cellar_ticket gone;
    fill(shop);
    assert_int_equal(place(shop, 1, CELLAR_ORDER_PLACED, 0, MERCHANT, NULL), CELLAR_OK);
    assert_int_equal(cellar_account_hold(shop->store, NULL, shop_id(2), 1, 200, 0, NULL, NULL),
                     CELLAR_OK);
    assert_int_equal(cellar_account_void(shop->store, NULL, shop_id(2), &gone, NULL), CELLAR_OK);
    const cellar_account_entry release = {.id = shop_id(2)};
    cellar_order_change paid = orders_change(CELLAR_EVENT_PAY, 1, 0, NULL, 0);
    paid.account = 1;
    const cellar_operation captures[] = {
        {.kind = CELLAR_OPERATION_ACCOUNT_VOID, .entry = &release},
        {.kind = CELLAR_OPERATION_ORDER_STEP, .step = &paid},
    };
    shop_freeze(shop);
    assert_int_equal(cellar_transact(shop->store, NULL, none, captures, 2, NULL, &refusal),
                     CELLAR_ID_REUSED);
    assert_int_equal(refusal.step, 0);
    assert_int_equal(refusal.version, gone.lsn);
    shop_check_frozen(shop, "after a capture that was refused");
}

/* The merchant has taken the money out: nothing is given back below the floor, and the refusal says
 * whose account it is. */
static void test_payee_lacks_it(void **state) {
    struct shop *shop = *state;
    cellar_refusal refusal;
    fill(shop);
    for (uint64_t i = 0; i < 2; i++) {
        uint64_t payee = payees[i];
        uint64_t id = 100 * (i + 1);
        assert_int_equal(place(shop, id, CELLAR_ORDER_PAID, 1, payee, NULL), CELLAR_OK);
        assert_int_equal(cellar_account_debit(shop->store, NULL, none, payee, 160, NULL, NULL),
                         CELLAR_OK);
        shop_freeze(shop);
        assert_int_equal(orders_try_whole(shop, CELLAR_EVENT_CANCEL, id, &refusal),
                         CELLAR_INSUFFICIENT_FUNDS);
        shop_check_refusal(&refusal, CELLAR_INSUFFICIENT_FUNDS, CELLAR_NO_LINE, 40, 200);
        assert_int_equal(refusal.account, payee);
        shop_check_frozen(shop, "after a refusal");
        /* A smaller part is possible; with credit, the rest. */
        orders_part(shop, CELLAR_EVENT_CANCEL, id, id + 1, 1, 1);
        check_balances(shop, 825, payee, 15);
        assert_int_equal(cellar_account_set_floor(shop->store, NULL, payee, -200,
                                                  CELLAR_VERSION_ANY, NULL, NULL),
                         CELLAR_OK);
        orders_whole(shop, CELLAR_EVENT_CANCEL, id);
        check_balances(shop, 1000, payee, -160);
        assert_int_equal(cellar_account_credit(shop->store, NULL, none, payee, 160, NULL, NULL),
                         CELLAR_OK);
    }
}

static void test_refusals(void **state) {
    struct shop *shop = *state;
    static const struct {
        cellar_order_state state;
        uint64_t account, payee;
        cellar_status status;
        uint64_t named;
    } rows[] = {
        /* state  account  payee  answer  named */
        {CELLAR_ORDER_PAID, 1, 9, CELLAR_NOT_FOUND, 9},
        {CELLAR_ORDER_PAID, 9, MERCHANT, CELLAR_NOT_FOUND, 9},
        {CELLAR_ORDER_PLACED, 0, 9, CELLAR_NOT_FOUND, 9},
        {CELLAR_ORDER_PAID, 1, FOREIGN, CELLAR_CURRENCY_MISMATCH, FOREIGN},
        {CELLAR_ORDER_PAID, 5, MERCHANT, CELLAR_INSUFFICIENT_FUNDS, 5},
        {CELLAR_ORDER_PAID, 1, 6, CELLAR_OVERFLOW, 6},
        {CELLAR_ORDER_PAID, 1, 1, CELLAR_INVALID_ARGUMENT, 0},
        {CELLAR_ORDER_PAID, 0, MERCHANT, CELLAR_INVALID_ARGUMENT, 0},
        {CELLAR_ORDER_FULFILLED, 0, COLLECTOR, CELLAR_INVALID_ARGUMENT, 0},
    };
    cellar_refusal refusal;
    fill(shop);
    shop_account(shop, 5, 0, 199);
    shop_account(shop, 6, 0, CELLAR_AMOUNT_MAX - 199);
    shop_freeze(shop);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        cellar_status status =
            place(shop, 1, rows[i].state, rows[i].account, rows[i].payee, &refusal);
        if (status != rows[i].status || refusal.account != rows[i].named ||
            refusal.line != CELLAR_NO_LINE) {
            fail_msg("row %zu: %s, account %llu", i, cellar_status_name(status),
                     (unsigned long long)refusal.account);
        }
        shop_check_frozen(shop, "after a refusal");
    }
    /* The account that pays is named by the step; it must not be the one that is paid. */
    assert_int_equal(place(shop, 1, CELLAR_ORDER_PLACED, 0, MERCHANT, NULL), CELLAR_OK);
    assert_int_equal(pay(shop, 1, MERCHANT, &refusal), CELLAR_INVALID_ARGUMENT);
    assert_int_equal(pay(shop, 1, FOREIGN, &refusal), CELLAR_CURRENCY_MISMATCH);
    assert_int_equal(refusal.account, MERCHANT);
    /* Another payee is another content; the same is a repetition. */
    assert_int_equal(place(shop, 1, CELLAR_ORDER_PLACED, 0, COLLECTOR, NULL), CELLAR_ID_REUSED);
    assert_int_equal(place(shop, 1, CELLAR_ORDER_PLACED, 0, 0, NULL), CELLAR_ID_REUSED);
    assert_int_equal(place(shop, 1, CELLAR_ORDER_PLACED, 0, MERCHANT, NULL), CELLAR_OK);
    assert_int_equal(pay(shop, 1, 1, NULL), CELLAR_OK);
}

/* A return without an order, a coupon, and what a quote says. */
static void test_beside_other_things(void **state) {
    struct shop *shop = *state;
    cellar_refusal refusal;
    int64_t total;
    fill(shop);
    cellar_campaign campaign = shop_campaign(1, 5);
    campaign.discount = (cellar_discount){.kind = CELLAR_DISCOUNT_AMOUNT, .value = 31};
    shop_campaign_put(shop, &campaign);
    (void)shop_claim(shop, 1, 7);
    const cellar_line line = shop_line("a", 0, 3, 100);
    cellar_order_request order = shop_order_request(1, &line, 1);
    order.state = CELLAR_ORDER_PAID;
    order.customer = 7;
    order.coupon_campaign = 1;
    order.account = 1;
    order.payee = FOREIGN;
    assert_int_equal(cellar_order_quote(shop->store, &order, &total, &refusal),
                     CELLAR_CURRENCY_MISMATCH);
    order.payee = MERCHANT;
    assert_int_equal(cellar_order_quote(shop->store, &order, &total, &refusal), CELLAR_OK);
    assert_int_equal(total, 269);
    assert_int_equal(cellar_order_place(shop->store, NULL, &order, NULL, &refusal), CELLAR_OK);
    check_balances(shop, 731, MERCHANT, 269);
    for (uint64_t unit = 0; unit < 3; unit++) {
        orders_part(shop, CELLAR_EVENT_CANCEL, 1, 10 + unit, 0, 1);
    }
    check_balances(shop, 1000, MERCHANT, 0);
    /* It needs no order: the payee gives the money, if it has it. */
    const cellar_line back = shop_line("b", 0, 1, 40);
    cellar_order_request returned = shop_order_request(2, &back, 1);
    returned.account = 1;
    returned.payee = MERCHANT;
    assert_int_equal(cellar_order_return(shop->store, NULL, &returned, false, NULL, &refusal),
                     CELLAR_INSUFFICIENT_FUNDS);
    assert_int_equal(refusal.account, MERCHANT);
    assert_int_equal(cellar_account_credit(shop->store, NULL, none, MERCHANT, 50, NULL, NULL),
                     CELLAR_OK);
    assert_int_equal(cellar_order_return(shop->store, NULL, &returned, false, NULL, &refusal),
                     CELLAR_OK);
    check_balances(shop, 1040, MERCHANT, 10);
    returned.account = 0;
    assert_int_equal(cellar_order_return(shop->store, NULL, &returned, false, NULL, &refusal),
                     CELLAR_INVALID_ARGUMENT);
}

static void check_entry(const cellar_entry *entry, cellar_entry_kind kind, int64_t amount,
                        uint64_t counterpart) {
    assert_int_equal(entry->kind, kind);
    assert_int_equal(entry->amount, amount);
    assert_int_equal(entry->counterpart, counterpart);
}

static void test_journals(void **state) {
    struct shop *shop = *state;
    cellar_entry page[8];
    size_t count;
    fill(shop);
    assert_int_equal(place(shop, 1, CELLAR_ORDER_PAID, 1, MERCHANT, NULL), CELLAR_OK);
    orders_part(shop, CELLAR_EVENT_CANCEL, 1, 11, 0, 1);
    orders_whole(shop, CELLAR_EVENT_FULFIL, 1);
    orders_part(shop, CELLAR_EVENT_RETURN, 1, 12, 1, 1);
    shop_reopen(shop);
    assert_int_equal(cellar_account_journal(shop->store, MERCHANT, 0, page, 8, &count), CELLAR_OK);
    assert_int_equal(count, 4);
    check_entry(&page[0], CELLAR_ENTRY_ORDER_RETURNED, -25, 1);
    check_entry(&page[1], CELLAR_ENTRY_ORDER_CANCELLED, -50, 1);
    check_entry(&page[2], CELLAR_ENTRY_RECEIVED, 200, 1);
    assert_int_equal(page[2].id.low, 1);
    assert_int_equal(cellar_account_journal(shop->store, 1, 0, page, 8, &count), CELLAR_OK);
    check_entry(&page[0], CELLAR_ENTRY_ORDER_RETURNED, 25, MERCHANT);
    check_entry(&page[1], CELLAR_ENTRY_ORDER_CANCELLED, 50, MERCHANT);
    check_entry(&page[2], CELLAR_ENTRY_ORDER_PAID, -200, MERCHANT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SHOP_TEST(test_back_by_parts),      SHOP_TEST_ORACLE(test_back_by_parts),
        SHOP_TEST(test_paid_later),         SHOP_TEST(test_hold_then_capture),
        SHOP_TEST(test_capture_of_nothing), SHOP_TEST(test_payee_lacks_it),
        SHOP_TEST(test_refusals),           SHOP_TEST(test_beside_other_things),
        SHOP_TEST(test_journals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
