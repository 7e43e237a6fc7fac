/* Are several operations one commit: all or none, each seeing those before it, repeated as a whole,
 * and found again by every part after reopening? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/shop.h"

#include <stdlib.h>
#include <string.h>

static int64_t balance(struct shop *shop, uint64_t id) {
    cellar_account account;
    assert_int_equal(cellar_account_get(shop->store, id, &account), CELLAR_OK);
    return account.balance;
}

static void fill(struct shop *shop) {
    shop_goods(shop, "a", 10);
    shop_goods(shop, "b", 10);
    assert_int_equal(cellar_account_open(shop->store, NULL, 1, 0, NULL, NULL), CELLAR_OK);
    assert_int_equal(cellar_account_open(shop->store, NULL, 2, 0, NULL, NULL), CELLAR_OK);
}

/* Credit an account, sell from it, move what it paid to the other, receive and take. */
struct five {
    cellar_line lines[2];
    cellar_line delivery;
    cellar_line taken;
    cellar_order_request order;
    cellar_stock_change receive, take;
    cellar_account_entry credit, transfer;
    cellar_operation operations[5];
};

static void five_make(struct five *made, uint64_t order_id, int64_t credit) {
    memset(made, 0, sizeof *made);
    made->credit = (cellar_account_entry){.account = 1, .amount = credit};
    made->transfer =
        (cellar_account_entry){.id = shop_id(order_id + 1), .account = 1, .to = 2, .amount = 3};
    made->delivery = shop_line("a", 0, 5, 0);
    made->receive = (cellar_stock_change){.lines = &made->delivery, .line_count = 1, .reason = 7};
    made->taken = shop_line("b", 0, 2, 0);
    made->take = (cellar_stock_change){.lines = &made->taken, .line_count = 1};
    made->lines[0] = shop_line("a", 0, 12, 4);
    made->lines[1] = shop_line("b", 0, 1, 2);
    made->order = shop_order_request(order_id, made->lines, 2);
    made->order.state = CELLAR_ORDER_PAID;
    made->order.account = 1;
    made->operations[0] =
        (cellar_operation){.kind = CELLAR_OPERATION_ACCOUNT_CREDIT, .entry = &made->credit};
    made->operations[1] =
        (cellar_operation){.kind = CELLAR_OPERATION_STOCK_RECEIVE, .stock = &made->receive};
    made->operations[2] =
        (cellar_operation){.kind = CELLAR_OPERATION_ORDER_PLACE, .order = &made->order};
    made->operations[3] =
        (cellar_operation){.kind = CELLAR_OPERATION_ACCOUNT_TRANSFER, .entry = &made->transfer};
    made->operations[4] =
        (cellar_operation){.kind = CELLAR_OPERATION_STOCK_TAKE, .stock = &made->take};
}

static void test_all_or_none(void **state) {
    struct shop *shop = *state;
    struct five made;
    cellar_ticket ticket;
    cellar_ticket again;
    cellar_refusal refusal;
    fill(shop);
    /* 12 * 4 + 2 + 3 = 53: one less is too little for the transfer, which is step 3. */
    shop_freeze(shop);
    five_make(&made, 100, 52);
    assert_int_equal(
        cellar_transact(shop->store, NULL, shop_id(1), made.operations, 5, NULL, &refusal),
        CELLAR_INSUFFICIENT_FUNDS);
    assert_int_equal(refusal.step, 3);
    assert_int_equal(refusal.available, 2);
    assert_int_equal(refusal.needed, 3);
    shop_check_frozen(shop, "after a refused transaction");
    five_make(&made, 100, 53);
    assert_int_equal(
        cellar_transact(shop->store, NULL, shop_id(1), made.operations, 5, &ticket, &refusal),
        CELLAR_OK);
    for (int opening = 0; opening < 2; opening++) {
        assert_int_equal(shop_available(shop, "a", 0), 3);
        assert_int_equal(shop_available(shop, "b", 0), 7);
        assert_int_equal(balance(shop, 1), 0);
        assert_int_equal(balance(shop, 2), 3);
        cellar_order order = shop_order_get(shop, 100);
        assert_int_equal(order.state, CELLAR_ORDER_PAID);
        assert_int_equal(order.placed_lsn, ticket.lsn);
        assert_int_equal(order.total, 50);
        cellar_audit audit = shop_audit(shop);
        assert_int_equal(audit.totals.units_taken, 2);
        assert_int_equal(audit.totals.units_received, 25);
        /* Again, the same ticket; with other content, refused; a part's id elsewhere, too. */
        assert_int_equal(
            cellar_transact(shop->store, NULL, shop_id(1), made.operations, 5, &again, NULL),
            CELLAR_OK);
        assert_true(again.repeated);
        assert_int_equal(again.lsn, ticket.lsn);
        made.taken.quantity++;
        assert_int_equal(
            cellar_transact(shop->store, NULL, shop_id(1), made.operations, 5, NULL, NULL),
            CELLAR_ID_REUSED);
        made.taken.quantity--;
        assert_int_equal(
            cellar_transact(shop->store, NULL, shop_id(2), made.operations, 5, NULL, &refusal),
            CELLAR_ID_REUSED);
        assert_int_equal(refusal.step, 2);
        shop_reopen(shop);
    }
    cellar_movement page[10];
    size_t count;
    const cellar_line b = shop_line("b", 0, 0, 0);
    assert_int_equal(cellar_stock_history(shop->store, &b, 0, page, 10, &count), CELLAR_OK);
    assert_int_equal(page[0].change, -3);
    assert_int_equal(page[0].kind, CELLAR_MOVEMENT_ORDERED);
    /* The order lives on by itself. */
    assert_int_equal(cellar_order_cancel(shop->store, NULL, shop_id(100), NULL, NULL), CELLAR_OK);
    assert_int_equal(balance(shop, 1), 50);
    assert_int_equal(shop_available(shop, "a", 0), 15);
    (void)shop_audit(shop);
}

static void test_steps_in_one(void **state) {
    struct shop *shop = *state;
    fill(shop);
    cellar_line line = shop_line("a", 0, 2, 5);
    for (uint64_t id = 1; id <= 3; id++) {
        cellar_order_request request = shop_order_request(id, &line, 1);
        request.state = id == 3 ? CELLAR_ORDER_FULFILLED : CELLAR_ORDER_PLACED;
        assert_int_equal(cellar_order_place(shop->store, NULL, &request, NULL, NULL), CELLAR_OK);
    }
    cellar_order_change cancel = {.order = shop_id(1), .event = CELLAR_EVENT_CANCEL};
    cellar_order_change pay = {.order = shop_id(2), .event = CELLAR_EVENT_PAY};
    cellar_order_change back = {
        .order = shop_id(3), .event = CELLAR_EVENT_RETURN, .id = shop_id(30)};
    cellar_order_request place = shop_order_request(4, &line, 1);
    line.quantity = 8;
    cellar_operation operations[] = {
        {.kind = CELLAR_OPERATION_ORDER_STEP, .step = &cancel},
        {.kind = CELLAR_OPERATION_ORDER_STEP, .step = &pay},
        {.kind = CELLAR_OPERATION_ORDER_STEP, .step = &back},
        {.kind = CELLAR_OPERATION_ORDER_PLACE, .order = &place},
    };
    cellar_refusal refusal;
    /* The same order twice, and one that is placed in the same transaction. */
    cellar_order_change twice = cancel;
    cellar_operation wrong[] = {operations[0],
                                {.kind = CELLAR_OPERATION_ORDER_STEP, .step = &twice}};
    shop_check_invalid(&refusal,
                       cellar_transact(shop->store, NULL, shop_id(9), wrong, 2, NULL, &refusal),
                       CELLAR_NO_LINE, "order");
    assert_int_equal(refusal.step, 1);
    twice.order = shop_id(4);
    wrong[0] = operations[3];
    line.quantity = 1;
    shop_check_invalid(&refusal,
                       cellar_transact(shop->store, NULL, shop_id(9), wrong, 2, NULL, &refusal),
                       CELLAR_NO_LINE, "order");
    line.quantity = 8;
    assert_int_equal(shop_available(shop, "a", 0), 4);
    assert_int_equal(
        cellar_transact(shop->store, NULL, (cellar_id){0, 0}, operations, 4, NULL, &refusal),
        CELLAR_OK);
    for (int opening = 0; opening < 2; opening++) {
        assert_int_equal(shop_available(shop, "a", 0), 0);
        assert_int_equal(shop_order_get(shop, 1).state, CELLAR_ORDER_CANCELLED);
        assert_int_equal(shop_order_get(shop, 2).state, CELLAR_ORDER_PAID);
        assert_int_equal(shop_order_get(shop, 3).returned_value, 10);
        assert_int_equal(shop_order_get(shop, 4).state, CELLAR_ORDER_PLACED);
        (void)shop_audit(shop);
        shop_reopen(shop);
    }
}

static void test_bad_arguments(void **state) {
    struct shop *shop = *state;
    cellar_refusal refusal;
    static cellar_operation many[CELLAR_STEPS_MAX + 1];
    static cellar_account_entry entries[CELLAR_STEPS_MAX + 1];
    fill(shop);
    for (size_t i = 0; i <= CELLAR_STEPS_MAX; i++) {
        entries[i] = (cellar_account_entry){.id = shop_id(i + 1), .account = 1, .amount = 1};
        many[i] = (cellar_operation){.kind = CELLAR_OPERATION_ACCOUNT_CREDIT, .entry = &entries[i]};
    }
    cellar_id none = {0, 0};
    shop_check_invalid(
        &refusal,
        cellar_transact(shop->store, NULL, none, many, CELLAR_STEPS_MAX + 1, NULL, &refusal),
        CELLAR_NO_LINE, "count");
    shop_check_invalid(&refusal, cellar_transact(shop->store, NULL, none, many, 0, NULL, &refusal),
                       CELLAR_NO_LINE, "count");
    shop_check_invalid(&refusal, cellar_transact(shop->store, NULL, none, NULL, 1, NULL, &refusal),
                       CELLAR_NO_LINE, "count");
    for (int kind = 0; kind <= CELLAR_OPERATION_LEASE_RELEASE + 1; kind++) {
        const cellar_operation empty = {.kind = (cellar_operation_kind)kind};
        assert_int_equal(cellar_transact(shop->store, NULL, none, &empty, 1, NULL, &refusal),
                         CELLAR_INVALID_ARGUMENT);
    }
    entries[1].id = entries[0].id;
    shop_check_invalid(&refusal, cellar_transact(shop->store, NULL, none, many, 2, NULL, &refusal),
                       CELLAR_NO_LINE, "id");
    entries[1].id = shop_id(2);
    assert_int_equal(
        cellar_transact(shop->store, NULL, none, many, CELLAR_STEPS_MAX, NULL, &refusal),
        CELLAR_OK);
    assert_int_equal(balance(shop, 1), CELLAR_STEPS_MAX);
    shop_reopen(shop);
    assert_int_equal(balance(shop, 1), CELLAR_STEPS_MAX);
    (void)shop_audit(shop);
}

static void test_bulk(void **state) {
    struct shop *shop = *state;
    cellar_status statuses[4];
    cellar_ticket tickets[4];
    cellar_refusal refusals[4];
    fill(shop);
    cellar_line line = shop_line("a", 0, 6, 5);
    cellar_line ghost = shop_line("ghost", 0, 1, 5);
    cellar_order_request requests[3] = {shop_order_request(1, &line, 1),
                                        shop_order_request(2, &line, 1),
                                        shop_order_request(3, &ghost, 1)};
    cellar_order_change pay = {.order = shop_id(1), .event = CELLAR_EVENT_PAY};
    const cellar_operation operations[] = {
        {.kind = CELLAR_OPERATION_ORDER_PLACE, .order = &requests[0]},
        {.kind = CELLAR_OPERATION_ORDER_PLACE, .order = &requests[1]},
        {.kind = CELLAR_OPERATION_ORDER_PLACE, .order = &requests[2]},
        {.kind = CELLAR_OPERATION_ORDER_STEP, .step = &pay},
    };
    const cellar_call durable = {.durability = CELLAR_DURABLE};
    assert_int_equal(cellar_bulk(shop->store, &durable, operations, 4, statuses, tickets, refusals),
                     CELLAR_OUT_OF_STOCK);
    static const cellar_status expected[] = {CELLAR_OK, CELLAR_OUT_OF_STOCK, CELLAR_NOT_FOUND,
                                             CELLAR_OK};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(statuses[i], expected[i]);
        assert_int_equal(tickets[i].lsn != 0, expected[i] == CELLAR_OK);
    }
    shop_check_refusal(&refusals[1], CELLAR_OUT_OF_STOCK, 0, 4, 6);
    /* One wait has covered them all. */
    assert_true(cellar_durable_lsn(shop->store) > tickets[3].lsn);
    assert_int_equal(cellar_bulk(shop->store, NULL, NULL, 0, NULL, NULL, NULL), CELLAR_OK);
    assert_int_equal(cellar_bulk(shop->store, NULL, NULL, 1, NULL, NULL, NULL),
                     CELLAR_INVALID_ARGUMENT);
    assert_int_equal(
        cellar_bulk(shop->store, NULL, operations, CELLAR_BULK_MAX + 1, NULL, NULL, NULL),
        CELLAR_INVALID_ARGUMENT);
    assert_int_equal(shop_order_get(shop, 1).state, CELLAR_ORDER_PAID);
    (void)shop_audit(shop);
}

/* Of a change of one line a ticket tells what is available then; of more it tells nothing. */
static void test_bulk_tells_what_is_left(void **state) {
    struct shop *shop = *state;
    cellar_ticket tickets[3];
    fill(shop);
    cellar_line safety = shop_line("a", 0, 2, 0);
    assert_int_equal(cellar_stock_set_safety(shop->store, NULL, &safety, 0, NULL, NULL), CELLAR_OK);
    const cellar_line lines[] = {shop_line("a", 0, 3, 0), shop_line("b", 0, 1, 0)};
    const cellar_stock_change one = {.lines = lines, .line_count = 1};
    const cellar_stock_change two = {.lines = lines, .line_count = 2};
    const cellar_operation operations[] = {
        {.kind = CELLAR_OPERATION_STOCK_TAKE, .stock = &one},
        {.kind = CELLAR_OPERATION_STOCK_TAKE, .stock = &two},
        {.kind = CELLAR_OPERATION_STOCK_RECEIVE, .stock = &one},
    };
    int64_t before = shop_available(shop, "a", 0);
    assert_int_equal(cellar_bulk(shop->store, NULL, operations, 3, NULL, tickets, NULL), CELLAR_OK);
    assert_int_equal(tickets[0].remaining, before - 3);
    assert_int_equal(tickets[1].remaining, 0);
    assert_int_equal(tickets[2].remaining, before - 3);
}

static void test_note(void **state) {
    struct shop *shop = *state;
    const cellar_call call = {.actor = 77, .reference = "till 3"};
    cellar_movement page[10];
    size_t count;
    fill(shop);
    const cellar_line line = shop_line("a", 0, 1, 0);
    assert_int_equal(cellar_stock_take(shop->store, &call, &line, NULL, NULL), CELLAR_OK);
    for (int opening = 0; opening < 2; opening++) {
        assert_int_equal(cellar_stock_history(shop->store, &line, 0, page, 10, &count), CELLAR_OK);
        assert_int_equal(page[0].kind, CELLAR_MOVEMENT_TAKEN);
        assert_int_equal(page[0].actor, 77);
        assert_string_equal(page[0].reference, "till 3");
        assert_int_equal(page[1].actor, 0);
        (void)shop_audit(shop);
        shop_reopen(shop);
    }
    char longer[CELLAR_REFERENCE_BYTES_MAX + 2];
    memset(longer, 'x', sizeof longer);
    longer[CELLAR_REFERENCE_BYTES_MAX + 1] = '\0';
    const cellar_call wrong = {.reference = longer};
    assert_int_equal(cellar_stock_take(shop->store, &wrong, &line, NULL, NULL),
                     CELLAR_INVALID_ARGUMENT);
    longer[CELLAR_REFERENCE_BYTES_MAX] = '\0';
    assert_int_equal(cellar_stock_take(shop->store, &wrong, &line, NULL, NULL), CELLAR_OK);
    assert_int_equal(cellar_stock_history(shop->store, &line, 0, page, 10, &count), CELLAR_OK);
    assert_string_equal(page[0].reference, longer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SHOP_TEST(test_all_or_none),  SHOP_TEST_ORACLE(test_all_or_none),
        SHOP_TEST(test_steps_in_one), SHOP_TEST(test_bad_arguments),
        SHOP_TEST(test_bulk),         SHOP_TEST(test_bulk_tells_what_is_left),
        SHOP_TEST(test_note),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
