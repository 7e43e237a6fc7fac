/* Is a coupon redeemed in its order's commit, its discount exact over all parts of the order, and
 * given back once, by the campaign's rule? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/shop.h"

#include <string.h>

static void campaign(struct shop *shop, uint64_t id, cellar_discount discount, int64_t budget,
                     bool restore) {
    const cellar_campaign made = {.id = id,
                                  .quota = 10,
                                  .discount = discount,
                                  .budget = budget,
                                  .restore_on_cancel = restore};
    assert_int_equal(cellar_campaign_put(shop->store, NULL, &made, CELLAR_VERSION_ANY, NULL, NULL),
                     CELLAR_OK);
}

static cellar_coupon_state coupon(struct shop *shop, uint64_t id, uint64_t customer) {
    cellar_coupon got;
    assert_int_equal(cellar_coupon_get(shop->store, id, customer, 0, &got), CELLAR_OK);
    return got.state;
}

static int64_t spent(struct shop *shop, uint64_t id) {
    cellar_campaign got;
    assert_int_equal(cellar_campaign_get(shop->store, id, &got), CELLAR_OK);
    return got.spent;
}

/* Campaign 1: ten percent, given back on cancel; campaign 2: 100 off, not given back. Customer 7
 * has a coupon of each. */
static void fill(struct shop *shop) {
    static const cellar_discount percent = {.kind = CELLAR_DISCOUNT_PERCENT, .value = 1000};
    static const cellar_discount amount = {.kind = CELLAR_DISCOUNT_AMOUNT, .value = 100};
    shop_goods(shop, "a", 100);
    shop_goods(shop, "b", 100);
    campaign(shop, 1, percent, 1000, true);
    campaign(shop, 2, amount, 0, false);
    for (uint64_t id = 1; id <= 2; id++) {
        assert_int_equal(
            cellar_coupon_claim(shop->store, NULL, (cellar_id){0, 0}, id, 7, NULL, NULL),
            CELLAR_OK);
    }
    assert_int_equal(cellar_code_add(shop->store, NULL, 1, "TENOFF", 1, NULL, NULL), CELLAR_OK);
    assert_int_equal(cellar_account_open(shop->store, NULL, 7, 0, NULL, NULL), CELLAR_OK);
    assert_int_equal(
        cellar_account_credit(shop->store, NULL, (cellar_id){0, 0}, 7, 10000, NULL, NULL),
        CELLAR_OK);
}

/* Customer 7's coupon of campaign 1. */
static void give_back(struct shop *shop) {
    const cellar_redemption redemption = {.campaign = 1, .customer = 7};
    assert_int_equal(cellar_coupon_restore(shop->store, NULL, &redemption, 0, NULL, NULL),
                     CELLAR_OK);
}

static int64_t balance(struct shop *shop) {
    cellar_account account;
    assert_int_equal(cellar_account_get(shop->store, 7, &account), CELLAR_OK);
    return account.balance;
}

static cellar_order_request request_of(uint64_t id, const cellar_line *lines, size_t count,
                                       uint64_t campaign_id) {
    cellar_order_request request = shop_order_request(id, lines, count);
    request.customer = 7;
    request.coupon_campaign = campaign_id;
    return request;
}

/* 7 * 33 + 3 * 101 = 534: 53 off, 23 and 30 of the two lines. */
static void test_exact_over_parts(void **state) {
    struct shop *shop = *state;
    fill(shop);
    const cellar_line lines[] = {shop_line("a", 0, 7, 33), shop_line("b", 0, 3, 101)};
    cellar_order_request request = request_of(1, lines, 2, 1);
    int64_t total;
    request.state = CELLAR_ORDER_PAID;
    request.account = 7;
    assert_int_equal(cellar_order_quote(shop->store, &request, &total, NULL), CELLAR_OK);
    assert_int_equal(total, 481);
    assert_int_equal(coupon(shop, 1, 7), CELLAR_COUPON_GRANTED);
    cellar_ticket ticket;
    assert_int_equal(cellar_order_place(shop->store, NULL, &request, &ticket, NULL), CELLAR_OK);
    assert_int_equal(ticket.remaining, 481);
    assert_int_equal(cellar_order_place(shop->store, NULL, &request, &ticket, NULL), CELLAR_OK);
    assert_true(ticket.repeated);
    assert_int_equal(ticket.remaining, 0);
    assert_int_equal(coupon(shop, 1, 7), CELLAR_COUPON_REDEEMED);
    assert_int_equal(balance(shop), 10000 - 481);
    cellar_order order;
    cellar_order_line got[2];
    assert_int_equal(cellar_order_get(shop->store, shop_id(1), &order, got, 2), CELLAR_OK);
    assert_int_equal(order.total, 481);
    assert_int_equal(got[0].discount + got[1].discount, 53);
    /* Piece by piece: some leave and come back, the rest is cancelled. All money is back then. */
    static const struct {
        cellar_order_event event;
        uint32_t line;
        int64_t quantity;
    } rows[] = {
        /* event  line  quantity */
        {CELLAR_EVENT_FULFIL, 0, 3}, {CELLAR_EVENT_CANCEL, 0, 1}, {CELLAR_EVENT_RETURN, 0, 1},
        {CELLAR_EVENT_CANCEL, 1, 2}, {CELLAR_EVENT_FULFIL, 1, 1}, {CELLAR_EVENT_RETURN, 0, 2},
        {CELLAR_EVENT_CANCEL, 0, 2}, {CELLAR_EVENT_FULFIL, 0, 1}, {CELLAR_EVENT_RETURN, 1, 1},
        {CELLAR_EVENT_RETURN, 0, 1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const cellar_order_part part = {rows[i].line, rows[i].quantity};
        const cellar_order_change change = {.order = shop_id(1),
                                            .event = rows[i].event,
                                            .id = shop_id(100 + i),
                                            .parts = &part,
                                            .part_count = 1};
        assert_int_equal(cellar_order_step(shop->store, NULL, &change, NULL, NULL), CELLAR_OK);
        if (i % 3 == 2) {
            shop_reopen(shop);
        }
        (void)shop_audit(shop);
    }
    assert_int_equal(balance(shop), 10000);
    order = shop_order_get(shop, 1);
    assert_int_equal(order.state, CELLAR_ORDER_FULFILLED);
    assert_int_equal(order.cancelled_value + order.returned_value, 481);
    /* Some of it was fulfilled: the coupon is used. */
    assert_int_equal(coupon(shop, 1, 7), CELLAR_COUPON_REDEEMED);
    assert_int_equal(spent(shop, 1), 53);
}

static void test_given_back(void **state) {
    struct shop *shop = *state;
    fill(shop);
    const cellar_line line = shop_line("a", 0, 10, 100);
    for (uint64_t id = 1; id <= 2; id++) {
        cellar_order_request request = request_of(id, &line, 1, id);
        assert_int_equal(cellar_order_place(shop->store, NULL, &request, NULL, NULL), CELLAR_OK);
        assert_int_equal(cellar_order_cancel(shop->store, NULL, shop_id(id), NULL, NULL),
                         CELLAR_OK);
    }
    for (int opening = 0; opening < 2; opening++) {
        assert_int_equal(coupon(shop, 1, 7), CELLAR_COUPON_GRANTED);
        assert_int_equal(coupon(shop, 2, 7), CELLAR_COUPON_REDEEMED);
        assert_int_equal(spent(shop, 1), 0);
        assert_int_equal(spent(shop, 2), 100);
        (void)shop_audit(shop);
        shop_reopen(shop);
    }
    /* A code, used again after its order was cancelled; part by part, too. */
    for (uint64_t id = 3; id <= 4; id++) {
        cellar_order_request request = request_of(id, &line, 1, 0);
        request.code = "TENOFF";
        assert_int_equal(cellar_order_place(shop->store, NULL, &request, NULL, NULL), CELLAR_OK);
        assert_int_equal(shop_order_get(shop, id).total, 900);
        request.id = shop_id(50);
        assert_int_equal(cellar_order_place(shop->store, NULL, &request, NULL, NULL),
                         CELLAR_SOLD_OUT);
        for (uint64_t half = 0; half < 2; half++) {
            const cellar_order_part part = {0, 5};
            const cellar_order_change change = {.order = shop_id(id),
                                                .event = CELLAR_EVENT_CANCEL,
                                                .id = shop_id(100 + 2 * id + half),
                                                .parts = &part,
                                                .part_count = 1};
            assert_int_equal(cellar_order_step(shop->store, NULL, &change, NULL, NULL), CELLAR_OK);
        }
        assert_int_equal(shop_order_get(shop, id).state, CELLAR_ORDER_CANCELLED);
        (void)shop_audit(shop);
    }
}

/* The host has given the coupon back itself: the order can be cancelled all the same. */
static void test_given_back_before(void **state) {
    struct shop *shop = *state;
    fill(shop);
    const cellar_line line = shop_line("a", 0, 10, 100);
    cellar_order_request request = request_of(1, &line, 1, 1);
    assert_int_equal(cellar_order_place(shop->store, NULL, &request, NULL, NULL), CELLAR_OK);
    give_back(shop);
    assert_int_equal(cellar_order_cancel(shop->store, NULL, shop_id(1), NULL, NULL), CELLAR_OK);
    assert_int_equal(coupon(shop, 1, 7), CELLAR_COUPON_GRANTED);
    assert_int_equal(spent(shop, 1), 0);
    shop_reopen(shop);
    (void)shop_audit(shop);
}

/* Given back by the host and redeemed again, by itself, in another order, or in the transaction
 * that cancels: it is not the cancelled order's any more, and stays redeemed. */
static void test_redeemed_again_before(void **state) {
    struct shop *shop = *state;
    fill(shop);
    const cellar_line lines[] = {shop_line("a", 0, 10, 100), shop_line("b", 0, 3, 100)};
    const cellar_redemption redemption = {
        .campaign = 1, .customer = 7, .lines = &lines[1], .line_count = 1};
    const cellar_order_change cancel = {.order = shop_id(3), .event = CELLAR_EVENT_CANCEL};
    const cellar_operation operations[] = {
        {.kind = CELLAR_OPERATION_COUPON_RESTORE, .redemption = &redemption},
        {.kind = CELLAR_OPERATION_COUPON_REDEEM, .redemption = &redemption},
        {.kind = CELLAR_OPERATION_ORDER_STEP, .step = &cancel}};
    for (uint64_t id = 1; id <= 3; id++) {
        const cellar_order_request request = request_of(id, &lines[0], 1, 1);
        const cellar_order_request other = request_of(10 + id, &lines[1], 1, 1);
        assert_int_equal(cellar_order_place(shop->store, NULL, &request, NULL, NULL), CELLAR_OK);
        if (id == 3) {
            assert_int_equal(
                cellar_transact(shop->store, NULL, (cellar_id){0, 0}, operations, 3, NULL, NULL),
                CELLAR_OK);
        } else {
            give_back(shop);
            assert_int_equal(
                id == 1 ? cellar_coupon_redeem(shop->store, NULL, &redemption, NULL, NULL, NULL)
                        : cellar_order_place(shop->store, NULL, &other, NULL, NULL),
                CELLAR_OK);
            assert_int_equal(cellar_order_cancel(shop->store, NULL, shop_id(id), NULL, NULL),
                             CELLAR_OK);
        }
        for (int opening = 0; opening < 2; opening++) {
            assert_int_equal(shop_order_get(shop, id).state, CELLAR_ORDER_CANCELLED);
            assert_int_equal(coupon(shop, 1, 7), CELLAR_COUPON_REDEEMED);
            assert_int_equal(spent(shop, 1), 30);
            (void)shop_audit(shop);
            shop_reopen(shop);
        }
        give_back(shop);
        assert_int_equal(spent(shop, 1), 0);
    }
    /* The order that has it no more gives nothing back either. */
    assert_int_equal(cellar_order_cancel(shop->store, NULL, shop_id(12), NULL, NULL), CELLAR_OK);
    assert_int_equal(spent(shop, 1), 0);
    (void)shop_audit(shop);
}

static void test_refused(void **state) {
    struct shop *shop = *state;
    cellar_refusal refusal;
    fill(shop);
    const cellar_line lines[] = {shop_line("a", 0, 200, 100), shop_line("a", 0, 100, 101)};
    shop_freeze(shop);
    static const struct {
        size_t line;
        uint64_t customer, campaign;
        const char *code;
        cellar_status status;
    } rows[] = {
        /* line  customer  campaign  code  answer */
        {0, 7, 2, NULL, CELLAR_OUT_OF_STOCK},
        {1, 7, 1, NULL, CELLAR_BUDGET_SPENT}, /* 1,010 off, of 1,000 */
        {1, 8, 1, NULL, CELLAR_NOT_FOUND},
        {1, 7, 9, NULL, CELLAR_NOT_FOUND},
        {1, 0, 0, "NONE", CELLAR_NOT_FOUND},
        {1, 0, 1, NULL, CELLAR_INVALID_ARGUMENT},
        {1, 7, 1, "TENOFF", CELLAR_INVALID_ARGUMENT},
        {1, 7, 0, "", CELLAR_INVALID_ARGUMENT},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        cellar_order_request request = shop_order_request(1, &lines[rows[i].line], 1);
        request.customer = rows[i].customer;
        request.coupon_campaign = rows[i].campaign;
        request.code = rows[i].code;
        assert_int_equal(cellar_order_place(shop->store, NULL, &request, NULL, &refusal),
                         rows[i].status);
        request.id = shop_id(2);
        assert_int_equal(cellar_order_return(shop->store, NULL, &request, false, NULL, &refusal),
                         CELLAR_INVALID_ARGUMENT);
    }
    shop_check_frozen(shop, "after refused coupons");
}

/* Claimed and used in one commit. */
static void test_claimed_and_used(void **state) {
    struct shop *shop = *state;
    fill(shop);
    const cellar_line line = shop_line("a", 0, 1, 1000);
    const cellar_claim claim = {.campaign = 1, .customer = 8};
    cellar_order_request request = request_of(1, &line, 1, 1);
    request.customer = 8;
    const cellar_operation operations[] = {
        {.kind = CELLAR_OPERATION_COUPON_CLAIM, .claim = &claim},
        {.kind = CELLAR_OPERATION_ORDER_PLACE, .order = &request},
    };
    cellar_refusal refusal;
    assert_int_equal(cellar_transact(shop->store, NULL, shop_id(9), operations, 2, NULL, &refusal),
                     CELLAR_OK);
    for (int opening = 0; opening < 2; opening++) {
        assert_int_equal(coupon(shop, 1, 8), CELLAR_COUPON_REDEEMED);
        assert_int_equal(shop_order_get(shop, 1).total, 900);
        (void)shop_audit(shop);
        shop_reopen(shop);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SHOP_TEST(test_exact_over_parts),      SHOP_TEST(test_given_back),
        SHOP_TEST_ORACLE(test_given_back),     SHOP_TEST(test_given_back_before),
        SHOP_TEST(test_redeemed_again_before), SHOP_TEST(test_refused),
        SHOP_TEST(test_claimed_and_used),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
