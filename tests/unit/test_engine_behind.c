/* While what follows the log is behind: do lists leave out what has moved away since, and fill
 * their pages all the same; and do calls that need to know wait, and then answer as if it had been
 * known?
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/held.h"
#include "support/orders.h"

#include "base/clock.h"

#include <string.h>

#define PRODUCTS 10

static const cellar_id none = {0, 0};

/* ---- Lists of products ---- */

static void put(struct shop *shop, int number, const char *category, cellar_product_status status) {
    char sku[SHOP_NAME_BYTES];
    const cellar_product product = {
        .sku = shop_name(sku, "p%d", number), .category = category, .status = status};
    assert_int_equal(
        cellar_product_put(shop->store, NULL, &product, CELLAR_VERSION_ANY, NULL, NULL), CELLAR_OK);
}

/* So many pieces, so that the newest has sold most. */
static void sell(struct shop *shop, int number) {
    char sku[SHOP_NAME_BYTES];
    const cellar_line line = shop_line(shop_name(sku, "p%d", number), 0, number, 0);
    (void)shop_receive(shop, line.sku, 0, PRODUCTS);
    assert_int_equal(cellar_stock_take(shop->store, NULL, &line, NULL, NULL), CELLAR_OK);
}

/* The page has these ids and no other. */
static void check_page(struct shop *shop, cellar_product_query query, size_t capacity,
                       const uint64_t *ids, size_t id_count) {
    cellar_product_summary page[PRODUCTS];
    size_t count;
    assert_int_equal(cellar_product_list(shop->store, &query, page, capacity, &count), CELLAR_OK);
    assert_int_equal(count, id_count);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(page[i].id, ids[i]);
    }
}

static void test_products_that_moved_away(void **state) {
    struct shop *shop = *state;
    static const uint64_t shown[] = {7, 6, 5, 4, 3, 2, 1};
    static const uint64_t teas[] = {6, 5, 4, 3, 2};
    for (int i = 1; i <= PRODUCTS; i++) {
        put(shop, i, "tea", CELLAR_PRODUCT_ACTIVE);
        sell(shop, i);
    }
    held_begin(shop, HELD_FOLLOWER);
    /* The newest three are hidden, the next one is in a category as long, the first in another. */
    for (int i = 8; i <= PRODUCTS; i++) {
        put(shop, i, "tea", CELLAR_PRODUCT_HIDDEN);
    }
    put(shop, 7, "oil", CELLAR_PRODUCT_ACTIVE);
    put(shop, 1, "coffee", CELLAR_PRODUCT_ACTIVE);
    for (int order = CELLAR_PRODUCTS_NEWEST; order <= CELLAR_PRODUCTS_MOST_SOLD; order++) {
        cellar_product_query query = {.status = CELLAR_PRODUCT_ACTIVE,
                                      .order = (cellar_product_order)order};
        check_page(shop, query, 5, shown, 5);
        check_page(shop, query, PRODUCTS, shown, 7);
    }
    /* Of a category whatever the status is. */
    const uint64_t all[] = {10, 9, 8, 6, 5, 4, 3, 2};
    check_page(shop, (cellar_product_query){.category = "tea"}, 4, all, 4);
    check_page(shop, (cellar_product_query){.category = "tea"}, PRODUCTS, all, 8);
    check_page(shop, (cellar_product_query){.category = "tea", .before = 7}, 6, teas, 5);
    held_end();
    shop_settle(shop);
    check_page(shop, (cellar_product_query){.status = CELLAR_PRODUCT_ACTIVE}, PRODUCTS, shown, 7);
}

/* ---- Calls that wait ---- */

static cellar_code code_out;
static cellar_ticket ticket_out;
static cellar_order order_out;
static size_t count_out;

static cellar_status get_code(struct shop *shop) {
    return cellar_code_get(shop->store, "code 0", &code_out);
}

static cellar_status add_again(struct shop *shop) {
    return cellar_code_add(shop->store, NULL, 1, "code 0", 3, &ticket_out, NULL);
}

static cellar_status restore_code(struct shop *shop) {
    const cellar_redemption redemption = {.code = "code 0"};
    return cellar_coupon_restore(shop->store, NULL, &redemption, 5, &ticket_out, NULL);
}

static cellar_status list_behind(struct shop *shop) {
    const cellar_order_query query = {.state = CELLAR_ORDER_PLACED, .before = shop_id(2)};
    return cellar_order_list(shop->store, &query, &order_out, 1, &count_out, NULL, 0);
}

static cellar_status give_back_within(struct shop *shop, const cellar_call *call) {
    const cellar_order_part part = {0, 1};
    const cellar_order_change change = orders_change(CELLAR_EVENT_RETURN, 3, 99, &part, 1);
    return cellar_order_step(shop->store, call, &change, &ticket_out, NULL);
}

static cellar_status give_back(struct shop *shop) {
    return give_back_within(shop, NULL);
}

static cellar_status void_hold(struct shop *shop) {
    return cellar_account_void(shop->store, NULL, shop_id(50), &ticket_out, NULL);
}

/* Order 1 is known; what comes behind it is not. */
static void commit_behind(struct shop *shop) {
    cellar_campaign campaign = shop_campaign(1, 50);
    const cellar_line line = shop_line("a", 0, 2, 50);
    const cellar_redemption redemption = {.code = "code 0", .lines = &line, .line_count = 1};
    campaign.restore_on_cancel = true;
    campaign.discount = (cellar_discount){.kind = CELLAR_DISCOUNT_AMOUNT, .value = 5};
    shop_goods(shop, "a", 100);
    shop_account(shop, 1, 0, 1000);
    shop_campaign_put(shop, &campaign);
    shop_order(shop, 1, "a", 1, CELLAR_ORDER_PLACED);
    held_begin(shop, HELD_FOLLOWER);
    assert_int_equal(cellar_code_add(shop->store, NULL, 1, "code 0", 3, &ticket_out, NULL),
                     CELLAR_OK);
    assert_int_equal(cellar_coupon_redeem(shop->store, NULL, &redemption, NULL, NULL, NULL),
                     CELLAR_OK);
    shop_order(shop, 2, "a", 1, CELLAR_ORDER_PLACED);
    shop_order(shop, 3, "a", 2, CELLAR_ORDER_FULFILLED);
    assert_int_equal(cellar_account_hold(shop->store, NULL, shop_id(50), 1, 40, 0, NULL, NULL),
                     CELLAR_OK);
}

static void test_a_code_is_read(void **state) {
    struct shop *shop = *state;
    commit_behind(shop);
    assert_int_equal(held_end_during(shop, get_code), CELLAR_OK);
    assert_int_equal(code_out.uses, 3);
    assert_int_equal(code_out.left, 2);
}

static void test_a_code_is_added_again(void **state) {
    struct shop *shop = *state;
    commit_behind(shop);
    uint64_t redeemed = ticket_out.lsn;
    assert_int_equal(held_end_during(shop, add_again), CELLAR_OK);
    assert_true(ticket_out.repeated);
    assert_true(ticket_out.lsn > redeemed);
    /* Of another campaign it is another. */
    const cellar_campaign other = shop_campaign(2, 5);
    shop_campaign_put(shop, &other);
    assert_int_equal(cellar_code_add(shop->store, NULL, 2, "code 0", 3, NULL, NULL),
                     CELLAR_ALREADY_EXISTS);
    assert_int_equal(cellar_code_add(shop->store, NULL, 1, "code 0", 4, NULL, NULL),
                     CELLAR_ALREADY_EXISTS);
}

static void test_a_code_is_given_back(void **state) {
    struct shop *shop = *state;
    commit_behind(shop);
    assert_int_equal(held_end_during(shop, restore_code), CELLAR_OK);
    assert_int_equal(get_code(shop), CELLAR_OK);
    assert_int_equal(code_out.left, 3);
}

static void test_a_list_goes_on_behind_a_new_order(void **state) {
    struct shop *shop = *state;
    commit_behind(shop);
    assert_int_equal(held_end_during(shop, list_behind), CELLAR_OK);
    assert_int_equal(count_out, 1);
    assert_int_equal(order_out.id.low, 1);
}

static void test_units_of_a_new_order_come_back(void **state) {
    struct shop *shop = *state;
    const cellar_call at_once = {.wait_ms = -1};
    commit_behind(shop);
    cellar_status status = give_back_within(shop, &at_once);
    assert_int_equal(held_end_during(shop, give_back), CELLAR_OK);
    assert_int_equal(status, CELLAR_BUSY);
    assert_int_equal(shop_order_get(shop, 3).returned_value, 100);
}

static void test_a_new_hold_ends(void **state) {
    struct shop *shop = *state;
    commit_behind(shop);
    assert_int_equal(held_end_during(shop, void_hold), CELLAR_OK);
    assert_int_equal(shop_balance(shop, 1), 1000);
    assert_int_equal(cellar_account_debit(shop->store, NULL, none, 1, 1000, NULL, NULL), CELLAR_OK);
}

/* ---- Orders that have just left memory ---- */

static cellar_status list_customer(struct shop *shop) {
    const cellar_order_query query = {.customer = 7};
    return cellar_order_list(shop->store, &query, &order_out, 1, &count_out, NULL, 0);
}

/* It is retired, and that is not written yet: a list by state is without it; that of the customer
 * has it from the log, once it is there. */
static void test_an_order_that_has_just_left(void **unused) {
    struct shop shop;
    const cellar_order_query by_state = {.state = CELLAR_ORDER_FULFILLED};
    const cellar_line line = shop_line("a", 0, 1, 10);
    cellar_order_request order = shop_order_request(1, &line, 1);
    cellar_status status = CELLAR_OK;
    (void)unused;
    shop_prepare(&shop);
    shop.config.remember_closed_ns = 1000 * ORDERS_MS;
    ATOMIC_STORE(&shop.tick_ns, 0, relaxed);
    shop_open(&shop);
    shop_goods(&shop, "a", 5);
    order.state = CELLAR_ORDER_FULFILLED;
    order.customer = 7;
    assert_int_equal(cellar_order_place(shop.store, NULL, &order, NULL, NULL), CELLAR_OK);
    held_begin(&shop, HELD_WRITER);
    orders_pass(&shop, 2000);
    for (int i = 0; i < 20000 && status == CELLAR_OK; i++) {
        clock_sleep_ns(ORDERS_MS);
        status = cellar_order_get(shop.store, shop_id(1), &order_out, NULL, 0);
    }
    assert_int_equal(status, CELLAR_NOT_FOUND);
    assert_int_equal(cellar_order_list(shop.store, &by_state, &order_out, 1, &count_out, NULL, 0),
                     CELLAR_OK);
    assert_int_equal(count_out, 0);
    assert_int_equal(held_end_during(&shop, list_customer), CELLAR_OK);
    assert_int_equal(count_out, 1);
    assert_int_equal(order_out.id.low, 1);
    assert_int_not_equal(order_out.retired_lsn, 0);
    shop_finish(&shop);
}

/* A coupon that has just been claimed has no place in lists yet. */
static void test_a_coupon_without_a_place(void **state) {
    struct shop *shop = *state;
    const cellar_campaign campaign = shop_campaign(1, 5);
    cellar_coupon page[4];
    shop_campaign_put(shop, &campaign);
    (void)shop_claim(shop, 1, 1);
    held_begin(shop, HELD_FOLLOWER);
    (void)shop_claim(shop, 1, 2);
    const cellar_coupon_query behind = {.campaign = 1, .before = shop_coupon(shop, 1, 2, 0)};
    cellar_status status = cellar_coupon_list(shop->store, &behind, page, 4, &count_out);
    held_end();
    assert_int_equal(status, CELLAR_NOT_FOUND);
    shop_settle(shop);
    assert_int_equal(cellar_coupon_list(shop->store, &behind, page, 4, &count_out), CELLAR_OK);
    assert_int_equal(count_out, 1);
    assert_int_equal(page[0].customer, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SHOP_TEST(test_products_that_moved_away),
        SHOP_TEST(test_a_code_is_read),
        SHOP_TEST(test_a_code_is_added_again),
        SHOP_TEST(test_a_code_is_given_back),
        SHOP_TEST(test_a_list_goes_on_behind_a_new_order),
        SHOP_TEST(test_units_of_a_new_order_come_back),
        SHOP_TEST(test_a_new_hold_ends),
        cmocka_unit_test(test_an_order_that_has_just_left),
        SHOP_TEST(test_a_coupon_without_a_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
