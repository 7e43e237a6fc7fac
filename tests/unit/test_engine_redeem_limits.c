/* Are coupons and codes refused, or redeemed and given back to the unit, at the limits of what can
 * be asked, of sums, of budgets and of lists? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/held.h"
#include "support/orders.h"

#include <string.h>

static const cellar_id none = {0, 0};

static void put_discount(struct shop *shop, cellar_discount_kind kind, int64_t value) {
    cellar_campaign campaign = shop_campaign(1, 500);
    campaign.restore_on_cancel = true;
    campaign.discount = (cellar_discount){.kind = kind, .value = value};
    shop_campaign_put(shop, &campaign);
}

static void add_code(struct shop *shop) {
    assert_int_equal(cellar_code_add(shop->store, NULL, 1, "code 0", 3, NULL, NULL), CELLAR_OK);
}

static cellar_status redeem(struct shop *shop, const cellar_line *lines, size_t count,
                            cellar_ticket *ticket, cellar_refusal *refusal) {
    const cellar_redemption code = {.code = "code 0", .lines = lines, .line_count = count};
    return cellar_coupon_redeem(shop->store, NULL, &code, NULL, ticket, refusal);
}

/* ---- Requests ---- */

static void test_lines(void **state) {
    struct shop *shop = *state;
    static const struct {
        int64_t quantity, price;
        cellar_status status;
    } rows[] = {
        {1, 7, CELLAR_OK},
        {1, CELLAR_AMOUNT_MAX, CELLAR_OK},
        {0, 7, CELLAR_INVALID_ARGUMENT},
        {CELLAR_AMOUNT_MAX + 1, 7, CELLAR_INVALID_ARGUMENT},
        {2, CELLAR_AMOUNT_MAX, CELLAR_OVERFLOW},
        {2, -CELLAR_AMOUNT_MAX, CELLAR_OVERFLOW},
        {CELLAR_AMOUNT_MAX, CELLAR_AMOUNT_MAX, CELLAR_OVERFLOW},
    };
    shop_product(shop, "a");
    put_discount(shop, CELLAR_DISCOUNT_AMOUNT, 5);
    add_code(shop);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const cellar_line lines[] = {shop_line("a", 0, 1, 0),
                                     shop_line("a", 0, rows[i].quantity, rows[i].price)};
        cellar_refusal refusal = {0};
        assert_int_equal(redeem(shop, lines, 2, NULL, &refusal), rows[i].status);
        assert_true(rows[i].status == CELLAR_OK || refusal.line == 1);
    }
}

static void test_names(void **state) {
    struct shop *shop = *state;
    cellar *store = shop->store;
    static char long_code[CELLAR_CODE_BYTES_MAX + 2];
    const cellar_redemption code = {.code = "code 0"};
    memset(long_code, 'x', CELLAR_CODE_BYTES_MAX + 1);
    shop_product(shop, "a");
    put_discount(shop, CELLAR_DISCOUNT_AMOUNT, 5);
    add_code(shop);
    const cellar_status statuses[] = {
        cellar_coupon_restore(store, NULL, &code, -1, NULL, NULL),
        cellar_coupon_restore(store, NULL, &code, CELLAR_AMOUNT_MAX + 1, NULL, NULL),
        cellar_code_add(store, NULL, 0, "x", 1, NULL, NULL),
        cellar_code_add(store, NULL, 1, "", 1, NULL, NULL),
        cellar_code_add(store, NULL, 1, NULL, 1, NULL, NULL),
        cellar_code_add(store, NULL, 1, long_code, 1, NULL, NULL),
        cellar_code_add(store, NULL, 1, "x", 0, NULL, NULL),
        cellar_code_add(store, NULL, 1, "x", CELLAR_QUOTA_MAX + 1, NULL, NULL),
    };
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
        if (statuses[i] != CELLAR_INVALID_ARGUMENT) {
            fail_msg("row %zu: %s", i, cellar_status_name(statuses[i]));
        }
    }
    long_code[CELLAR_CODE_BYTES_MAX] = '\0';
    assert_int_equal(cellar_code_add(store, NULL, 1, long_code, CELLAR_QUOTA_MAX, NULL, NULL),
                     CELLAR_OK);
}

/* A code cannot be added twice in one transaction, nor a coupon redeemed and given back. */
static void test_twice_in_a_transaction(void **state) {
    struct shop *shop = *state;
    const cellar_line line = shop_line("a", 0, 1, 100);
    const cellar_code_request code = {.campaign = 1, .code = "code 1", .uses = 2};
    const cellar_redemption coupon = {
        .campaign = 1, .customer = 7, .lines = &line, .line_count = 1};
    const cellar_operation codes[] = {{.kind = CELLAR_OPERATION_CODE_ADD, .code = &code},
                                      {.kind = CELLAR_OPERATION_CODE_ADD, .code = &code}};
    const cellar_operation coupons[] = {
        {.kind = CELLAR_OPERATION_COUPON_REDEEM, .redemption = &coupon},
        {.kind = CELLAR_OPERATION_COUPON_RESTORE, .redemption = &coupon}};
    cellar_refusal refusal;
    shop_product(shop, "a");
    put_discount(shop, CELLAR_DISCOUNT_AMOUNT, 5);
    (void)shop_claim(shop, 1, 7);
    assert_int_equal(cellar_transact(shop->store, NULL, none, codes, 2, NULL, &refusal),
                     CELLAR_ALREADY_EXISTS);
    assert_int_equal(refusal.step, 1);
    cellar_status status = cellar_transact(shop->store, NULL, none, coupons, 2, NULL, &refusal);
    assert_int_equal(refusal.step, 1);
    shop_check_invalid(&refusal, status, CELLAR_NO_LINE, "ordinal");
    assert_int_equal(shop_coupon(shop, 1, 7, 0).state, CELLAR_COUPON_GRANTED);
}

/* ---- Sums ---- */

/* All of two lines that are as dear as can be is more than a discount can be. */
static void test_a_discount_too_large(void **state) {
    struct shop *shop = *state;
    const cellar_line lines[] = {shop_line("a", 0, 1, CELLAR_AMOUNT_MAX),
                                 shop_line("a", 0, 1, CELLAR_AMOUNT_MAX)};
    cellar_ticket ticket;
    shop_product(shop, "a");
    put_discount(shop, CELLAR_DISCOUNT_PERCENT, 10000);
    add_code(shop);
    assert_int_equal(redeem(shop, lines, 2, NULL, NULL), CELLAR_OVERFLOW);
    assert_int_equal(redeem(shop, lines, 1, &ticket, NULL), CELLAR_OK);
    assert_int_equal(ticket.remaining, CELLAR_AMOUNT_MAX);
    /* The campaign has no budget, but its sum has an end. */
    assert_int_equal(redeem(shop, lines, 1, NULL, NULL), CELLAR_OVERFLOW);
    assert_int_equal(shop_campaign_get(shop, 1)->spent, CELLAR_AMOUNT_MAX);
}

/* What a put says of its time is never earlier than the put before. */
static void test_a_put_in_the_same_millisecond(void **state) {
    struct shop *shop = *state;
    ATOMIC_STORE(&shop->tick_ns, 0, relaxed);
    ATOMIC_STORE(&shop->now_ns, SHOP_NOW + 2 * ORDERS_MS, relaxed);
    put_discount(shop, CELLAR_DISCOUNT_AMOUNT, 5);
    ATOMIC_STORE(&shop->now_ns, SHOP_NOW + 2 * ORDERS_MS + 500, relaxed);
    put_discount(shop, CELLAR_DISCOUNT_AMOUNT, 6);
    int64_t updated_ns = shop_campaign_get(shop, 1)->updated_ns;
    assert_int_equal(updated_ns, SHOP_NOW + 2 * ORDERS_MS + 500);
    ATOMIC_STORE(&shop->now_ns, SHOP_NOW + 2 * ORDERS_MS + 100, relaxed);
    put_discount(shop, CELLAR_DISCOUNT_AMOUNT, 7);
    assert_int_equal(shop_campaign_get(shop, 1)->updated_ns, updated_ns);
}

/* ---- Orders ---- */

/* An order that was held too long gives its coupon back. */
static void test_an_expired_order(void **state) {
    struct shop *shop = *state;
    const cellar_line line = shop_line("a", 0, 1, 100);
    cellar_order_request order = shop_order_request(1, &line, 1);
    shop_goods(shop, "a", 5);
    put_discount(shop, CELLAR_DISCOUNT_AMOUNT, 5);
    (void)shop_claim(shop, 1, 7);
    order.customer = 7;
    order.coupon_campaign = 1;
    order.hold_until_ns = orders_deadline(shop, 50);
    assert_int_equal(cellar_order_place(shop->store, NULL, &order, NULL, NULL), CELLAR_OK);
    assert_int_equal(shop_coupon(shop, 1, 7, 0).state, CELLAR_COUPON_REDEEMED);
    orders_pass(shop, 100);
    orders_await(shop, 1, CELLAR_ORDER_EXPIRED);
    assert_int_equal(shop_coupon(shop, 1, 7, 0).state, CELLAR_COUPON_GRANTED);
    assert_int_equal(shop_campaign_get(shop, 1)->spent, 0);
    assert_int_equal(shop_order_get(shop, 1).cancelled_value, 95);
}

/* ---- Lists ---- */

static void test_lists(void **state) {
    struct shop *shop = *state;
    enum {
        COUPONS = 150
    };
    static cellar_coupon page[COUPONS + 1];
    const cellar_campaign other = shop_campaign(2, 5);
    size_t count = 7;
    cellar_coupon_query query = {.campaign = 99};
    put_discount(shop, CELLAR_DISCOUNT_AMOUNT, 5);
    shop_campaign_put(shop, &other);
    assert_int_equal(cellar_coupon_list(shop->store, &query, page, 5, &count), CELLAR_OK);
    assert_int_equal(count, 0);
    for (uint64_t customer = 1; customer <= COUPONS; customer++) {
        (void)shop_claim(shop, 1, customer);
    }
    (void)shop_claim(shop, 2, 1);
    shop_settle(shop);
    query.campaign = 1;
    assert_int_equal(cellar_coupon_list(shop->store, &query, page, COUPONS + 1, &count), CELLAR_OK);
    assert_int_equal(count, COUPONS);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(page[i].rank, COUPONS - i);
        assert_int_equal(page[i].customer, COUPONS - i);
    }
    /* A place in one list is none in another. */
    query.before = shop_coupon(shop, 2, 1, 0);
    assert_int_equal(cellar_coupon_list(shop->store, &query, page, 5, &count), CELLAR_NOT_FOUND);
    query = (cellar_coupon_query){.customer = 2, .before = shop_coupon(shop, 1, 1, 0)};
    assert_int_equal(cellar_coupon_list(shop->store, &query, page, 5, &count), CELLAR_NOT_FOUND);
    query.before.customer = 999;
    assert_int_equal(cellar_coupon_list(shop->store, &query, page, 5, &count), CELLAR_NOT_FOUND);
    query = (cellar_coupon_query){.customer = 1, .before = shop_coupon(shop, 2, 1, 0)};
    assert_int_equal(cellar_coupon_list(shop->store, &query, page, 5, &count), CELLAR_OK);
    assert_int_equal(count, 1);
    assert_int_equal(page[0].campaign, 1);
}

/* ---- Waiting lists ---- */

static void put_waiting(struct shop *shop, int64_t quota) {
    cellar_campaign campaign = shop_campaign(1, quota);
    campaign.waitlist_max = 200;
    shop_campaign_put(shop, &campaign);
}

static void leave(struct shop *shop, uint64_t customer) {
    assert_int_equal(cellar_coupon_revoke(shop->store, NULL, 1, customer, 0, NULL, NULL),
                     CELLAR_OK);
}

/* Many leave the middle of a waiting list: who stands behind them is told how many are before. */
static void test_many_leave(void **state) {
    struct shop *shop = *state;
    put_waiting(shop, 1);
    for (uint64_t customer = 1; customer <= 152; customer++) {
        (void)shop_claim(shop, 1, customer);
    }
    assert_int_equal(shop_coupon(shop, 1, 152, 0).ahead, 150);
    for (uint64_t customer = 10; customer < 150; customer++) {
        leave(shop, customer);
    }
    shop_settle(shop);
    assert_int_equal(shop_coupon(shop, 1, 152, 0).ahead, 10);
    assert_int_equal(shop_coupon(shop, 1, 9, 0).ahead, 7);
    /* A larger quota passes by all who have left, and has places for those who come. */
    put_waiting(shop, 20);
    assert_int_equal(shop_coupon(shop, 1, 152, 0).state, CELLAR_COUPON_GRANTED);
    assert_int_equal(shop_claim(shop, 1, 500), 153);
    assert_int_equal(shop_coupon(shop, 1, 500, 0).state, CELLAR_COUPON_GRANTED);
    assert_int_equal(shop_campaign_get(shop, 1)->waiting, 0);
}

/* Who has left is still remembered, while the log is not followed, as one who was passed by. */
static void test_passed_by_while_behind(void **state) {
    struct shop *shop = *state;
    put_waiting(shop, 1);
    for (uint64_t customer = 1; customer <= 6; customer++) {
        (void)shop_claim(shop, 1, customer);
    }
    leave(shop, 2);
    leave(shop, 5);
    held_begin(shop, HELD_FOLLOWER);
    put_waiting(shop, 2); /* 3 is granted */
    cellar_coupon last = shop_coupon(shop, 1, 6, 0);
    held_end();
    assert_int_equal(last.state, CELLAR_COUPON_WAITING);
    assert_int_equal(last.ahead, 1);
    shop_settle(shop);
    assert_int_equal(shop_coupon(shop, 1, 6, 0).ahead, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SHOP_TEST(test_lines),
        SHOP_TEST(test_names),
        SHOP_TEST(test_twice_in_a_transaction),
        SHOP_TEST(test_a_discount_too_large),
        SHOP_TEST(test_a_put_in_the_same_millisecond),
        SHOP_TEST(test_an_expired_order),
        SHOP_TEST(test_lists),
        SHOP_TEST(test_many_leave),
        SHOP_TEST(test_passed_by_while_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
