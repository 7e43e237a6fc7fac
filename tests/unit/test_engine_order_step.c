/* Does an order take exactly the steps that its state allows, each once, with the units and the
 * money that belong to it? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/shop.h"

#include <string.h>

enum step {
    PAY,
    FULFIL,
    CANCEL,
    STEPS
};

static cellar_status take_step(struct shop *shop, enum step step, cellar_id id, uint64_t account,
                               cellar_ticket *ticket, cellar_refusal *refusal) {
    switch (step) {
    case PAY:
        return cellar_order_pay(shop->store, NULL, id, account, ticket, refusal);
    case FULFIL:
        return cellar_order_fulfil(shop->store, NULL, id, ticket, refusal);
    default:
        return cellar_order_cancel(shop->store, NULL, id, ticket, refusal);
    }
}

/* How an order of 3 units comes into a state: placed in one, then stepped. */
struct history {
    const char *name;
    cellar_order_state placed;
    enum step steps[3];
    size_t step_count;
    cellar_order_state state;
};
static const struct history histories[] = {
    /* name  placed as  steps  their number  state */
    {"placed", CELLAR_ORDER_PLACED, {0}, 0, CELLAR_ORDER_PLACED},
    {"paid at once", CELLAR_ORDER_PAID, {0}, 0, CELLAR_ORDER_PAID},
    {"paid", CELLAR_ORDER_PLACED, {PAY}, 1, CELLAR_ORDER_PAID},
    {"fulfilled at once", CELLAR_ORDER_FULFILLED, {0}, 0, CELLAR_ORDER_FULFILLED},
    {"fulfilled", CELLAR_ORDER_PLACED, {PAY, FULFIL}, 2, CELLAR_ORDER_FULFILLED},
    {"fulfilled, paid at once", CELLAR_ORDER_PAID, {FULFIL}, 1, CELLAR_ORDER_FULFILLED},
    {"cancelled", CELLAR_ORDER_PLACED, {CANCEL}, 1, CELLAR_ORDER_CANCELLED},
    {"cancelled when paid", CELLAR_ORDER_PLACED, {PAY, CANCEL}, 2, CELLAR_ORDER_CANCELLED},
    {"cancelled, paid at once", CELLAR_ORDER_PAID, {CANCEL}, 1, CELLAR_ORDER_CANCELLED},
};
#define HISTORIES (sizeof histories / sizeof *histories)

/* What a step answers in a state: OK and the state after it, OK repeated, or ILLEGAL_STEP. */
struct answer {
    cellar_status status;
    bool repeated;
    cellar_order_state after;
};

static struct answer answer_of(cellar_order_state state, enum step step) {
    static const struct answer answers[6][STEPS] = {
        /* pay  fulfil  cancel */
        [CELLAR_ORDER_PLACED] = {{CELLAR_OK, false, CELLAR_ORDER_PAID},
                                 {CELLAR_ILLEGAL_STEP, false, CELLAR_ORDER_PLACED},
                                 {CELLAR_OK, false, CELLAR_ORDER_CANCELLED}},
        [CELLAR_ORDER_PAID] = {{CELLAR_OK, true, CELLAR_ORDER_PAID},
                               {CELLAR_OK, false, CELLAR_ORDER_FULFILLED},
                               {CELLAR_OK, false, CELLAR_ORDER_CANCELLED}},
        [CELLAR_ORDER_FULFILLED] = {{CELLAR_OK, true, CELLAR_ORDER_FULFILLED},
                                    {CELLAR_OK, true, CELLAR_ORDER_FULFILLED},
                                    {CELLAR_ILLEGAL_STEP, false, CELLAR_ORDER_FULFILLED}},
        [CELLAR_ORDER_CANCELLED] = {{CELLAR_ILLEGAL_STEP, false, CELLAR_ORDER_CANCELLED},
                                    {CELLAR_ILLEGAL_STEP, false, CELLAR_ORDER_CANCELLED},
                                    {CELLAR_OK, true, CELLAR_ORDER_CANCELLED}},
        [CELLAR_ORDER_RETURNED] = {{CELLAR_ILLEGAL_STEP, false, CELLAR_ORDER_RETURNED},
                                   {CELLAR_ILLEGAL_STEP, false, CELLAR_ORDER_RETURNED},
                                   {CELLAR_ILLEGAL_STEP, false, CELLAR_ORDER_RETURNED}},
    };
    return answers[state][step];
}

static cellar_ticket make_history(struct shop *shop, const struct history *history, uint64_t id,
                                  uint64_t account) {
    cellar_line line = shop_line("a", 0, 3, 100);
    cellar_order_request request = shop_order_request(id, &line, 1);
    cellar_ticket ticket;
    request.state = history->placed;
    request.account = history->placed == CELLAR_ORDER_PLACED ? 0 : account;
    assert_int_equal(cellar_order_place(shop->store, NULL, &request, &ticket, NULL), CELLAR_OK);
    for (size_t i = 0; i < history->step_count; i++) {
        assert_int_equal(take_step(shop, history->steps[i], shop_id(id), account, &ticket, NULL),
                         CELLAR_OK);
        assert_false(ticket.repeated);
    }
    return ticket;
}

static void check_step(struct shop *shop, enum step step, uint64_t id, cellar_order_state state,
                       const cellar_ticket *latest) {
    struct answer answer = answer_of(state, step);
    cellar_ticket ticket;
    cellar_refusal refusal;
    shop_freeze(shop);
    assert_int_equal(take_step(shop, step, shop_id(id), 0, &ticket, &refusal), answer.status);
    cellar_order order = shop_order_get(shop, id);
    assert_int_equal(order.state, answer.after);
    if (answer.status == CELLAR_ILLEGAL_STEP) {
        assert_int_equal(refusal.state, state);
        refusal.state = 0;
        shop_check_refusal(&refusal, CELLAR_ILLEGAL_STEP, CELLAR_NO_LINE, 0, 0);
        shop_check_frozen(shop, "after a step that is not allowed");
        return;
    }
    assert_int_equal(ticket.repeated, answer.repeated);
    assert_int_equal(ticket.lsn, order.version);
    if (answer.repeated) {
        assert_int_equal(ticket.lsn, latest->lsn);
        assert_int_equal(ticket.time_ns, latest->time_ns);
        shop_check_frozen(shop, "after a step that was made before");
    } else {
        assert_true(ticket.lsn > latest->lsn);
    }
}

/* Every state, however it was come to, and every step; half of them after an opening. */
static void test_every_state_and_step(void **state) {
    struct shop *shop = *state;
    shop_goods(shop, "a", 1000);
    for (int opening = 0; opening < 2; opening++) {
        for (size_t i = 0; i < HISTORIES; i++) {
            for (enum step step = 0; step < STEPS; step++) {
                uint64_t id = 1000 * (uint64_t)opening + 10 * i + step + 1;
                cellar_ticket latest = make_history(shop, &histories[i], id, 0);
                if (opening == 1) {
                    shop_reopen(shop);
                }
                check_step(shop, step, id, histories[i].state, &latest);
            }
        }
    }
}

static void test_returns_take_no_step(void **state) {
    struct shop *shop = *state;
    shop_goods(shop, "a", 10);
    cellar_line line = shop_line("a", 0, 1, 5);
    cellar_order_request request = shop_order_request(1, &line, 1);
    cellar_ticket ticket;
    assert_int_equal(cellar_order_return(shop->store, NULL, &request, false, &ticket, NULL),
                     CELLAR_OK);
    for (enum step step = 0; step < STEPS; step++) {
        check_step(shop, step, 1, CELLAR_ORDER_RETURNED, &ticket);
    }
}

static void test_not_found(void **state) {
    struct shop *shop = *state;
    cellar_line line = shop_line("a", 0, 1, 5);
    cellar_stock_change change = {.id = shop_id(1), .lines = &line, .line_count = 1};
    cellar_refusal refusal;
    shop_goods(shop, "a", 10);
    shop_account(shop, 1, 0, 10);
    assert_int_equal(cellar_stock_receive(shop->store, NULL, &change, NULL, NULL), CELLAR_OK);
    assert_int_equal(cellar_account_credit(shop->store, NULL, shop_id(2), 1, 5, NULL, NULL),
                     CELLAR_OK);
    shop_freeze(shop);
    for (enum step step = 0; step < STEPS; step++) {
        /* No id at all, one never used, and two of documents that are no orders. */
        const cellar_id ids[] = {{0, 0}, shop_id(99), shop_id(1), shop_id(2)};
        for (int i = 0; i < 4; i++) {
            memset(&refusal, 0xee, sizeof refusal);
            assert_int_equal(take_step(shop, step, ids[i], 0, NULL, &refusal), CELLAR_NOT_FOUND);
            shop_check_refusal(&refusal, CELLAR_NOT_FOUND, CELLAR_NO_LINE, 0, 0);
        }
    }
    shop_check_frozen(shop, "after steps of what is no order");
}

static void check_units(struct shop *shop, int64_t available, int64_t reserved) {
    shop_settle(shop);
    cellar_stock stock = shop_stock(shop, "a", 0);
    assert_int_equal(stock.available, available);
    assert_int_equal(stock.reserved, reserved);
    assert_int_equal(stock.on_hand, available + reserved);
}

/* Each order is of 3 units for 300, from 20 units and an account with 1000. */
static void test_units_and_money(void **state) {
    struct shop *shop = *state;
    static const struct {
        const char *name;
        int64_t available, reserved, balance;
        uint64_t account;
    } rows[HISTORIES] = {
        /* history  available  reserved  balance  account of the order */
        {"placed", 17, 3, 1000, 0},
        {"paid at once", 17, 3, 700, 1},
        {"paid", 17, 3, 700, 1},
        {"fulfilled at once", 17, 0, 700, 1},
        {"fulfilled", 17, 0, 700, 1},
        {"fulfilled, paid at once", 17, 0, 700, 1},
        {"cancelled", 20, 0, 1000, 0},
        {"cancelled when paid", 20, 0, 1000, 1},
        {"cancelled, paid at once", 20, 0, 1000, 1},
    };
    shop_goods(shop, "a", 20);
    shop_account(shop, 1, 0, 1000);
    cellar_totals before = shop_audit(shop).totals;
    for (size_t i = 0; i < HISTORIES; i++) {
        assert_string_equal(rows[i].name, histories[i].name);
        make_history(shop, &histories[i], i + 1, 1);
        check_units(shop, rows[i].available, rows[i].reserved);
        assert_int_equal(shop_balance(shop, 1), rows[i].balance);
        assert_int_equal(shop_order_get(shop, i + 1).account, rows[i].account);
        cellar_totals after = shop_audit(shop).totals;
        bool cancelled = histories[i].state == CELLAR_ORDER_CANCELLED;
        assert_int_equal(after.orders[histories[i].state], before.orders[histories[i].state] + 1);
        assert_int_equal(after.units_ordered - before.units_ordered, cancelled ? 0 : 3);
        assert_int_equal(after.revenue - before.revenue, cancelled ? 0 : 300);
        assert_int_equal(after.order_lines - before.order_lines, 1);
        assert_int_equal(after.balances, rows[i].balance);
        /* Back to the start. */
        cellar_line line = shop_line("a", 0, 20, 0);
        int64_t spent = 1000 - rows[i].balance;
        if (histories[i].state == CELLAR_ORDER_PLACED || histories[i].state == CELLAR_ORDER_PAID) {
            assert_int_equal(take_step(shop, CANCEL, shop_id(i + 1), 0, NULL, NULL), CELLAR_OK);
        } else if (spent != 0) {
            assert_int_equal(
                cellar_account_credit(shop->store, NULL, (cellar_id){0, 0}, 1, spent, NULL, NULL),
                CELLAR_OK);
        }
        assert_int_equal(cellar_stock_count(shop->store, NULL, &line, 0, NULL, NULL), CELLAR_OK);
        check_units(shop, 20, 0);
        assert_int_equal(shop_balance(shop, 1), 1000);
        before = shop_audit(shop).totals;
    }
}

static void test_pay_without_money(void **state) {
    struct shop *shop = *state;
    cellar_refusal refusal;
    shop_goods(shop, "a", 20);
    shop_account(shop, 1, -100, 199);
    shop_order(shop, 1, "a", 3, CELLAR_ORDER_PLACED);
    shop_freeze(shop);
    assert_int_equal(take_step(shop, PAY, shop_id(1), 1, NULL, &refusal),
                     CELLAR_INSUFFICIENT_FUNDS);
    shop_check_refusal(&refusal, CELLAR_INSUFFICIENT_FUNDS, CELLAR_NO_LINE, 299, 300);
    assert_int_equal(take_step(shop, PAY, shop_id(1), 2, NULL, &refusal), CELLAR_NOT_FOUND);
    shop_check_refusal(&refusal, CELLAR_NOT_FOUND, CELLAR_NO_LINE, 0, 0);
    shop_check_frozen(shop, "after payments that are refused");
    cellar_id none = {0, 0};
    assert_int_equal(cellar_account_credit(shop->store, NULL, none, 1, 1, NULL, NULL), CELLAR_OK);
    assert_int_equal(take_step(shop, PAY, shop_id(1), 1, NULL, NULL), CELLAR_OK);
    assert_int_equal(shop_balance(shop, 1), -100);
}

/* Money goes back also when the account has been used up or re-floored since; not beyond its range.
 */
static void test_refunds(void **state) {
    struct shop *shop = *state;
    cellar_refusal refusal;
    cellar_id none = {0, 0};
    shop_goods(shop, "a", 20);
    shop_account(shop, 1, 0, 300);
    shop_order(shop, 1, "a", 3, CELLAR_ORDER_PLACED);
    assert_int_equal(take_step(shop, PAY, shop_id(1), 1, NULL, NULL), CELLAR_OK);
    assert_int_equal(
        cellar_account_credit(shop->store, NULL, none, 1, CELLAR_AMOUNT_MAX, NULL, NULL),
        CELLAR_OK);
    shop_freeze(shop);
    assert_int_equal(take_step(shop, CANCEL, shop_id(1), 0, NULL, &refusal), CELLAR_OVERFLOW);
    shop_check_frozen(shop, "after a refund that does not fit");
    assert_int_equal(cellar_account_debit(shop->store, NULL, none, 1, 300, NULL, NULL), CELLAR_OK);
    assert_int_equal(take_step(shop, CANCEL, shop_id(1), 0, NULL, NULL), CELLAR_OK);
    assert_int_equal(shop_balance(shop, 1), CELLAR_AMOUNT_MAX);
    assert_int_equal(shop_available(shop, "a", 0), 20);
}

/* A discontinued product's orders go on; a location's units go back to that location. */
static void test_cancel_gives_back_where_it_was_taken(void **state) {
    struct shop *shop = *state;
    shop_goods(shop, "a", 10);
    shop_receive(shop, "a", 2, 10);
    shop_goods(shop, "b", 10);
    cellar_line lines[] = {shop_line("a", 2, 3, 1), shop_line("b", 0, 2, 1),
                           shop_line("a", 0, 1, 1), shop_line("a", 2, 4, 1)};
    cellar_order_request request = shop_order_request(1, lines, 4);
    assert_int_equal(cellar_order_place(shop->store, NULL, &request, NULL, NULL), CELLAR_OK);
    shop_status(shop, "a", CELLAR_PRODUCT_DISCONTINUED);
    assert_int_equal(shop_available(shop, "a", 2), 3);
    assert_int_equal(take_step(shop, PAY, shop_id(1), 0, NULL, NULL), CELLAR_OK);
    assert_int_equal(take_step(shop, CANCEL, shop_id(1), 0, NULL, NULL), CELLAR_OK);
    assert_int_equal(shop_available(shop, "a", 0), 10);
    assert_int_equal(shop_available(shop, "a", 2), 10);
    assert_int_equal(shop_available(shop, "b", 0), 10);
    assert_int_equal(cellar_stock_take(shop->store, NULL, &lines[0], NULL, NULL),
                     CELLAR_NOT_SELLABLE);
}

/* What a step did is there at once for the next one, and for whoever reads the order. */
static void test_steps_are_seen_at_once(void **state) {
    struct shop *shop = *state;
    shop_goods(shop, "a", 1000);
    shop_account(shop, 1, 0, 1000000);
    for (uint64_t id = 1; id <= 300; id++) {
        shop_order(shop, id, "a", 1, CELLAR_ORDER_PLACED);
        assert_int_equal(shop_order_get(shop, id).state, CELLAR_ORDER_PLACED);
        assert_int_equal(take_step(shop, PAY, shop_id(id), 1, NULL, NULL), CELLAR_OK);
        cellar_order order = shop_order_get(shop, id);
        assert_int_equal(order.state, CELLAR_ORDER_PAID);
        assert_int_equal(order.account, 1);
        enum step last = id % 2 == 0 ? FULFIL : CANCEL;
        assert_int_equal(take_step(shop, last, shop_id(id), 0, NULL, NULL), CELLAR_OK);
        order = shop_order_get(shop, id);
        assert_int_equal(order.state,
                         last == FULFIL ? CELLAR_ORDER_FULFILLED : CELLAR_ORDER_CANCELLED);
        assert_int_equal(order.account, 1);
    }
    assert_int_equal(shop_available(shop, "a", 0), 850);
    assert_int_equal(shop_balance(shop, 1), 1000000 - 150 * 100);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SHOP_TEST(test_every_state_and_step),
        SHOP_TEST_ORACLE(test_every_state_and_step),
        SHOP_TEST(test_returns_take_no_step),
        SHOP_TEST(test_not_found),
        SHOP_TEST(test_units_and_money),
        SHOP_TEST(test_pay_without_money),
        SHOP_TEST(test_refunds),
        SHOP_TEST(test_cancel_gives_back_where_it_was_taken),
        SHOP_TEST(test_steps_are_seen_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
