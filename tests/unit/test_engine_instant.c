/* Does a call answer as of one instant when somebody else commits between two of its looks at the
 * store? Each test stops the call at the one point where it matters. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/orders.h"
#include "support/rival.h"

/* ---- The same order twice ---- */

static void place_first(struct shop *shop) {
    (void)shop_order(shop, 1, "a", 1, CELLAR_ORDER_PAID);
}

/* The last unit went to the same order, sent twice: it is not out of stock, it is placed. */
static void test_refused_by_itself(void **state) {
    struct shop *shop = *state;
    struct rival rival;
    shop_goods(shop, "a", 1);
    rival_await(&rival, shop, "document-absent", place_first);
    cellar_ticket ticket = shop_order(shop, 1, "a", 1, CELLAR_ORDER_PAID);
    rival_has_come(&rival);
    assert_true(ticket.repeated);
    assert_int_equal(ticket.lsn, shop_order_get(shop, 1).placed_lsn);
    assert_int_equal(shop_available(shop, "a", 0), 0);
}

/* ---- Sellable and safety stock ---- */

static void protect_eight(struct shop *shop) {
    orders_safety(shop, "a", 8);
}

static void check_protected(struct shop *shop, int64_t available) {
    cellar_stock stock = shop_stock(shop, "a", 0);
    assert_int_equal(stock.available, available);
    assert_int_equal(stock.safety, 8);
}

/* All ten are available before and after the safety stock is set. */
static void test_adjusted_while_the_safety_stock_grows(void **state) {
    struct shop *shop = *state;
    struct rival rival;
    cellar_line line = shop_line("a", 0, -5, 0);
    cellar_stock_change change = {.lines = &line, .line_count = 1};
    shop_goods(shop, "a", 10);
    rival_await(&rival, shop, "stock-cells", protect_eight);
    assert_int_equal(cellar_stock_adjust(shop->store, NULL, &change, NULL, NULL), CELLAR_OK);
    rival_has_come(&rival);
    check_protected(shop, 5);
}

static void test_counted_while_the_safety_stock_grows(void **state) {
    struct shop *shop = *state;
    struct rival rival;
    cellar_line line = shop_line("a", 0, 9, 0);
    cellar_ticket ticket;
    shop_goods(shop, "a", 10);
    rival_await(&rival, shop, "stock-cells", protect_eight);
    assert_int_equal(
        cellar_stock_count(shop->store, NULL, &line, CELLAR_VERSION_ANY, &ticket, NULL), CELLAR_OK);
    rival_has_come(&rival);
    assert_int_equal(ticket.remaining, 9);
    check_protected(shop, 9);
}

static void lower_limit(struct shop *shop) {
    orders_safety(shop, "a", -10);
}

/* Five of five units are missing before and after the limit changes. */
static void test_read_while_the_limit_changes(void **state) {
    struct shop *shop = *state;
    struct rival rival;
    shop_product(shop, "a");
    orders_safety(shop, "a", -20);
    (void)shop_order(shop, 1, "a", 5, CELLAR_ORDER_PAID);
    shop_settle(shop);
    rival_await(&rival, shop, "stock-available", lower_limit);
    assert_int_equal(orders_line(shop, 1, 0).uncovered, 5);
    rival_has_come(&rival);
}

/* ---- Lines under a reader ---- */

/* Bytes of orders before the cancellation, and when it was applied. */
static int64_t bytes_before;
static int64_t bytes_after;

static void cancel_and_settle(struct shop *shop) {
    bytes_before = memory_used(shop->store->memory, MEMORY_ORDERS);
    orders_whole(shop, CELLAR_EVENT_CANCEL, 1);
    shop_settle(shop);
    bytes_after = memory_used(shop->store->memory, MEMORY_ORDERS);
}

/* Who reads the lines of an order has them until it is done, though the order is closed and that is
 * applied meanwhile. */
static void test_lines_stay_while_they_are_read(void **state) {
    struct shop *shop = *state;
    struct rival rival;
    shop_goods(shop, "a", 5);
    (void)shop_order(shop, 1, "a", 2, CELLAR_ORDER_PAID);
    shop_settle(shop);
    rival_await(&rival, shop, "stock-available", cancel_and_settle);
    (void)orders_line(shop, 1, 0);
    rival_has_come(&rival);
    assert_int_equal(shop_order_get(shop, 1).state, CELLAR_ORDER_CANCELLED);
    assert_int_equal(bytes_after, bytes_before);
}

/* ---- Leaving ---- */

static void sell_five_more(struct shop *shop) {
    (void)shop_order(shop, 2, "a", 5, CELLAR_ORDER_PAID);
}

/* The first order's units are here, and stay its own when others are sold that are not: it may have
 * to wait until it is known who came first, but is not refused. */
static void test_leaving_while_others_are_sold_ahead(void **state) {
    struct shop *shop = *state;
    struct rival rival;
    cellar_call at_once = {.wait_ms = -1};
    cellar_order_change change = orders_change(CELLAR_EVENT_FULFIL, 1, 0, NULL, 0);
    shop_goods(shop, "a", 5);
    orders_safety(shop, "a", -20);
    (void)shop_order(shop, 1, "a", 5, CELLAR_ORDER_PAID);
    shop_settle(shop);
    rival_await(&rival, shop, "step-guarded", sell_five_more);
    cellar_status status = cellar_order_step(shop->store, &at_once, &change, NULL, NULL);
    rival_has_come(&rival);
    assert_true(status == CELLAR_BUSY || status == CELLAR_OK);
    assert_int_equal(shop_available(shop, "a", 0), -5);
    shop_settle(shop);
    orders_whole(shop, CELLAR_EVENT_FULFIL, 1);
    cellar_refusal refusal;
    assert_int_equal(orders_try_whole(shop, CELLAR_EVENT_FULFIL, 2, &refusal), CELLAR_OUT_OF_STOCK);
}

/* ---- Balance and floor ---- */

static void lend_hundred(struct shop *shop) {
    assert_int_equal(
        cellar_account_set_floor(shop->store, NULL, 1, -100, CELLAR_VERSION_ANY, NULL, NULL),
        CELLAR_OK);
}

/* There is room for ten before and after the floor changes. */
static void test_credited_while_the_floor_falls(void **state) {
    struct shop *shop = *state;
    struct rival rival;
    cellar_ticket ticket;
    shop_account(shop, 1, 0, CELLAR_AMOUNT_MAX - 10);
    rival_await(&rival, shop, "account-cells", lend_hundred);
    assert_int_equal(
        cellar_account_credit(shop->store, NULL, (cellar_id){0, 0}, 1, 10, &ticket, NULL),
        CELLAR_OK);
    rival_has_come(&rival);
    assert_int_equal(ticket.remaining, CELLAR_AMOUNT_MAX);
    assert_int_equal(shop_balance(shop, 1), CELLAR_AMOUNT_MAX);
}

/* ---- The past that is now ---- */

static void pay_take_pay(struct shop *shop) {
    const cellar_id none = {0, 0};
    const uint64_t sides[] = {1, 2, 1, 2};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(
            cellar_account_transfer(shop->store, NULL, none, sides[i], sides[i + 1], 5, NULL, NULL),
            CELLAR_OK);
    }
    shop_settle(shop);
}

/* What was paid after the moment that is looked at does not count, though it is known by then. */
static void test_read_while_money_comes_and_goes(void **state) {
    struct shop *shop = *state;
    struct rival rival;
    const cellar_account_request terms = {.id = 2, .collecting = true};
    cellar_account account;
    shop_account(shop, 1, 0, 100);
    assert_int_equal(cellar_account_create(shop->store, NULL, &terms, NULL, NULL), CELLAR_OK);
    rival_await(&rival, shop, "account-past", pay_take_pay);
    assert_int_equal(cellar_account_at(shop->store, 2, UINT64_MAX, 0, &account), CELLAR_OK);
    rival_has_come(&rival);
    assert_int_equal(account.balance, 0);
    assert_int_equal(account.unsettled, 0);
    assert_int_equal(cellar_account_at(shop->store, 2, 0, INT64_MAX, &account), CELLAR_OK);
    assert_int_equal(account.balance, 5);
    assert_int_equal(account.unsettled, 5);
}

/* ---- A customer's cap and the rules ---- */

static void put_cap(struct shop *shop, int64_t count_max) {
    cellar_campaign campaign = shop_campaign(1, 9);
    campaign.customer_limit = 9;
    campaign.customer_period_ns = INT64_C(86400000000000);
    campaign.customer_period_count = count_max;
    shop_campaign_put(shop, &campaign);
}

static void allow_two(struct shop *shop) {
    put_cap(shop, 2);
}

/* The second claim of the day is the one that the new rules allow; the old ones, by which it would
 * be refused, are those of another instant than the window. */
static void test_claimed_while_the_cap_grows(void **state) {
    struct shop *shop = *state;
    struct rival rival;
    put_cap(shop, 1);
    shop_claim(shop, 1, 5);
    rival_await(&rival, shop, "coupon-customer", allow_two);
    assert_int_equal(shop_claim(shop, 1, 5), 2);
    rival_has_come(&rival);
}

static void claim_as_well(struct shop *shop) {
    shop_claim(shop, 1, 6);
}

/* What others claim meanwhile takes nothing from a refusal, nor from a place. */
static void test_claimed_while_others_claim(void **state) {
    struct shop *shop = *state;
    struct rival rival;
    put_cap(shop, 1);
    rival_await(&rival, shop, "coupon-customer", claim_as_well);
    assert_int_equal(shop_claim(shop, 1, 5), 2);
    rival_has_come(&rival);
    rival_await(&rival, shop, "coupon-customer", allow_two);
    assert_int_equal(shop_claim(shop, 1, 5), 3);
    rival_has_come(&rival);
    rival_await(&rival, shop, "coupon-customer", claim_as_well);
    cellar_refusal refusal;
    assert_int_equal(
        cellar_coupon_claim(shop->store, NULL, (cellar_id){0, 0}, 1, 5, NULL, &refusal),
        CELLAR_CUSTOMER_PERIOD_CAP);
    rival_has_come(&rival);
    assert_int_equal(refusal.rank, 3);
    assert_int_equal(shop_campaign_get(shop, 1)->claimed, 4);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SHOP_TEST(test_refused_by_itself),
        SHOP_TEST(test_adjusted_while_the_safety_stock_grows),
        SHOP_TEST(test_counted_while_the_safety_stock_grows),
        SHOP_TEST(test_read_while_the_limit_changes),
        SHOP_TEST(test_lines_stay_while_they_are_read),
        SHOP_TEST(test_leaving_while_others_are_sold_ahead),
        SHOP_TEST(test_credited_while_the_floor_falls),
        SHOP_TEST(test_read_while_money_comes_and_goes),
        SHOP_TEST(test_claimed_while_the_cap_grows),
        SHOP_TEST(test_claimed_while_others_claim),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
