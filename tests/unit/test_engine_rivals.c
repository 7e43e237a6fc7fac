/* Two threads make the same thing at the same time, or one ends what the other is about to end:
 * does one of them win, and is the other answered as if it had come later? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/orders.h"
#include "support/rival.h"

#include "base/clock.h"
#include "store/plan.h"

#include <string.h>

#define LINES 12
#define AWAIT_MS 20000

static const cellar_id none = {0, 0};

/* ---- The same creation twice ---- */

static cellar_status put_product(struct shop *shop, const char *sku, cellar_ticket *ticket) {
    const cellar_product product = {.sku = sku};
    return cellar_product_put(shop->store, NULL, &product, CELLAR_VERSION_ABSENT, ticket, NULL);
}

static void rival_product(struct shop *shop) {
    assert_int_equal(put_product(shop, "p", NULL), CELLAR_OK);
}

static void test_products(void **state) {
    struct shop *shop = *state;
    struct rival rival;
    cellar_ticket ticket;
    rival_await(&rival, shop, "table-add", rival_product);
    assert_int_equal(put_product(shop, "p", NULL), CELLAR_ALREADY_EXISTS);
    rival_has_come(&rival);
    /* The slot that was not needed is used by the next one. */
    uint32_t end = slots_end(&shop->store->store->product_slots);
    assert_int_equal(put_product(shop, "q", &ticket), CELLAR_OK);
    assert_int_equal(slots_end(&shop->store->store->product_slots), end);
    assert_int_equal(shop_audit(shop).totals.products, 2);
}

static void rival_account(struct shop *shop) {
    shop_account(shop, 1, 0, 7);
}

static void test_accounts(void **state) {
    struct shop *shop = *state;
    struct rival rival;
    rival_await(&rival, shop, "table-add", rival_account);
    cellar_status status = cellar_account_open(shop->store, NULL, 1, -5, NULL, NULL);
    rival_has_come(&rival);
    assert_int_equal(status, CELLAR_ALREADY_EXISTS);
    uint32_t end = slots_end(&shop->store->store->account_slots);
    shop_account(shop, 2, 0, 9);
    assert_int_equal(slots_end(&shop->store->store->account_slots), end);
    assert_int_equal(shop_balance(shop, 1), 7);
    assert_int_equal(shop_balance(shop, 2), 9);
}

static void rival_lease(struct shop *shop) {
    assert_int_equal(cellar_lease_acquire(shop->store, NULL, "job", 2, 1000, NULL, NULL),
                     CELLAR_OK);
}

static void test_leases(void **state) {
    struct shop *shop = *state;
    struct rival rival;
    rival_await(&rival, shop, "table-add", rival_lease);
    cellar_status status = cellar_lease_acquire(shop->store, NULL, "job", 1, 1000, NULL, NULL);
    rival_has_come(&rival);
    assert_int_equal(status, CELLAR_LEASE_HELD);
    uint32_t end = slots_end(&shop->store->store->lease_slots);
    assert_int_equal(cellar_lease_acquire(shop->store, NULL, "other", 1, 1000, NULL, NULL),
                     CELLAR_OK);
    assert_int_equal(slots_end(&shop->store->store->lease_slots), end);
}

static void rival_campaign(struct shop *shop) {
    const cellar_campaign campaign = shop_campaign(1, 5);
    shop_campaign_put(shop, &campaign);
}

static void test_campaigns(void **state) {
    struct shop *shop = *state;
    struct rival rival;
    const cellar_campaign campaign = shop_campaign(1, 9);
    const cellar_campaign other = shop_campaign(2, 9);
    rival_await(&rival, shop, "table-add", rival_campaign);
    cellar_status status =
        cellar_campaign_put(shop->store, NULL, &campaign, CELLAR_VERSION_ABSENT, NULL, NULL);
    rival_has_come(&rival);
    assert_int_equal(status, CELLAR_ALREADY_EXISTS);
    assert_int_equal(shop_campaign_get(shop, 1)->quota, 5);
    uint32_t end = slots_end(&shop->store->store->coupons.campaign_slots);
    shop_campaign_put(shop, &other);
    assert_int_equal(slots_end(&shop->store->store->coupons.campaign_slots), end);
}

static void rival_claim(struct shop *shop) {
    assert_int_equal(shop_claim(shop, 1, 7), 1);
}

static void test_claims(void **state) {
    struct shop *shop = *state;
    struct rival rival;
    rival_campaign(shop);
    rival_await(&rival, shop, "table-add", rival_claim);
    cellar_status status = cellar_coupon_claim(shop->store, NULL, none, 1, 7, NULL, NULL);
    rival_has_come(&rival);
    assert_int_equal(status, CELLAR_ALREADY_CLAIMED);
    uint32_t end = slots_end(&shop->store->store->coupons.grant_slots);
    assert_int_equal(shop_claim(shop, 1, 8), 2);
    assert_int_equal(slots_end(&shop->store->store->coupons.grant_slots), end);
}

static void rival_code(struct shop *shop) {
    assert_int_equal(cellar_code_add(shop->store, NULL, 1, "code 0", 3, NULL, NULL), CELLAR_OK);
}

static void test_codes(void **state) {
    struct shop *shop = *state;
    struct rival rival;
    cellar_ticket ticket;
    rival_campaign(shop);
    rival_await(&rival, shop, "table-add", rival_code);
    cellar_status status = cellar_code_add(shop->store, NULL, 1, "code 0", 3, &ticket, NULL);
    rival_has_come(&rival);
    assert_int_equal(status, CELLAR_OK);
    assert_true(ticket.repeated);
    uint32_t end = slots_end(&shop->store->store->coupons.code_slots);
    assert_int_equal(cellar_code_add(shop->store, NULL, 1, "code 1", 3, NULL, NULL), CELLAR_OK);
    assert_int_equal(slots_end(&shop->store->store->coupons.code_slots), end);
    assert_int_equal(shop_audit(shop).totals.codes, 2);
}

static void rival_order(struct shop *shop) {
    (void)shop_order(shop, 1, "a", 2, CELLAR_ORDER_PAID);
}

static void test_orders(void **state) {
    struct shop *shop = *state;
    struct rival rival;
    shop_goods(shop, "a", 5);
    rival_await(&rival, shop, "table-add", rival_order);
    cellar_ticket ticket = shop_order(shop, 1, "a", 2, CELLAR_ORDER_PAID);
    rival_has_come(&rival);
    assert_true(ticket.repeated);
    assert_int_equal(shop_available(shop, "a", 0), 3);
    uint32_t end = slots_end(&shop->store->store->order_slots);
    (void)shop_order(shop, 2, "a", 1, CELLAR_ORDER_PAID);
    assert_int_equal(slots_end(&shop->store->store->order_slots), end);
}

static void rival_place(struct shop *shop) {
    (void)shop_receive(shop, "a", 3, 4);
}

/* The entry of the one that comes late stays on the product's list, never opened. */
static void test_locations(void **state) {
    struct shop *shop = *state;
    struct rival rival;
    const cellar_line line = shop_line("a", 0, 0, 0);
    cellar_stock_place places[4];
    size_t count;
    shop_goods(shop, "a", 5);
    rival_await(&rival, shop, "table-add", rival_place);
    (void)shop_receive(shop, "a", 3, 2);
    rival_has_come(&rival);
    assert_int_equal(shop_available(shop, "a", 3), 6);
    assert_int_equal(cellar_stock_list(shop->store, &line, places, 4, &count), CELLAR_OK);
    assert_int_equal(count, 2);
    assert_int_equal(places[1].location, 3);
    assert_int_equal(places[1].stock.available, 6);
    /* A change of the product's status passes it by. */
    shop_status(shop, "a", CELLAR_PRODUCT_DISCONTINUED);
    shop_status(shop, "a", CELLAR_PRODUCT_ACTIVE);
    (void)shop_order(shop, 1, "a", 5, CELLAR_ORDER_PAID);
}

/* ---- The same id for two things ---- */

static cellar_status refused_claim;

static void rival_refused(struct shop *shop) {
    refused_claim = cellar_coupon_claim(shop->store, NULL, shop_id(1), 1, 8, NULL, NULL);
}

/* An order of this id is on its way and may yet be refused: the claim is answered without it. */
static void test_a_refusal_beside_a_linked_id(void **state) {
    struct shop *shop = *state;
    struct rival rival;
    const cellar_campaign campaign = shop_campaign(1, 1);
    shop_goods(shop, "a", 5);
    shop_campaign_put(shop, &campaign);
    (void)shop_claim(shop, 1, 7);
    rival_await(&rival, shop, "document-absent", rival_refused);
    (void)shop_order(shop, 1, "a", 2, CELLAR_ORDER_PAID);
    rival_has_come(&rival);
    assert_int_equal(refused_claim, CELLAR_SOLD_OUT);
    /* Now it is another thing's. */
    rival_refused(shop);
    assert_int_equal(refused_claim, CELLAR_ID_REUSED);
}

/* ---- The same end twice ---- */

static void rival_cancels(struct shop *shop) {
    orders_whole(shop, CELLAR_EVENT_CANCEL, 1);
}

static void rival_cancels_and_forgets(struct shop *shop) {
    cellar_order order;
    cellar_status status = CELLAR_OK;
    orders_whole(shop, CELLAR_EVENT_CANCEL, 1);
    orders_pass(shop, 10);
    for (int i = 0; i < AWAIT_MS && status == CELLAR_OK; i++) {
        shop_settle(shop);
        status = cellar_order_get(shop->store, shop_id(1), &order, NULL, 0);
        clock_sleep_ns(ORDERS_MS);
    }
    assert_int_equal(status, CELLAR_NOT_FOUND);
}

static void check_ended_by(void (*act)(struct shop *shop)) {
    struct shop shop;
    struct rival rival;
    shop_prepare(&shop);
    shop.config.remember_closed_ns = ORDERS_MS;
    ATOMIC_STORE(&shop.tick_ns, 0, relaxed);
    shop_open(&shop);
    orders_stop_expiry(&shop);
    shop_goods(&shop, "a", 5);
    (void)orders_hold(&shop, 1, "a", 5, 100);
    orders_pass(&shop, 200);
    shop_settle(&shop);
    rival_await(&rival, &shop, "expiry-due", act);
    (void)shop_order(&shop, 2, "a", 4, CELLAR_ORDER_PAID);
    rival_has_come(&rival);
    assert_int_equal(shop_available(&shop, "a", 0), 1);
    cellar_totals totals = shop_audit(&shop).totals;
    assert_int_equal(totals.orders[CELLAR_ORDER_CANCELLED], 1);
    assert_int_equal(totals.orders[CELLAR_ORDER_EXPIRED], 0);
    orders_start_expiry(&shop);
    shop_finish(&shop);
}

/* A caller short of units finds an overdue hold, which somebody cancels before it is expired. */
static void test_a_hold_that_is_cancelled(void **unused) {
    (void)unused;
    check_ended_by(rival_cancels);
}

static void test_a_hold_that_is_forgotten(void **unused) {
    (void)unused;
    check_ended_by(rival_cancels_and_forgets);
}

/* ---- An order that changes while it is read ---- */

static void rival_returns(struct shop *shop) {
    orders_part(shop, CELLAR_EVENT_RETURN, 1, 90, 0, 1);
    shop_settle(shop);
}

static void rival_cancels_one(struct shop *shop) {
    orders_part(shop, CELLAR_EVENT_CANCEL, 1, 91, 0, 1);
    shop_settle(shop);
}

static cellar_order_line read_beside(struct shop *shop, const char *point,
                                     void (*act)(struct shop *shop), cellar_order *order) {
    struct rival rival;
    cellar_order_line line;
    rival_await(&rival, shop, point, act);
    assert_int_equal(cellar_order_get(shop->store, shop_id(1), order, &line, 1), CELLAR_OK);
    rival_has_come(&rival);
    assert_int_equal(order->version, shop_order_get(shop, 1).version);
    return line;
}

static void test_a_closed_order_that_changes(void **state) {
    struct shop *shop = *state;
    cellar_order order;
    shop_goods(shop, "a", 5);
    (void)shop_order(shop, 1, "a", 3, CELLAR_ORDER_FULFILLED);
    shop_settle(shop);
    assert_int_equal(read_beside(shop, "order-ledger", rival_returns, &order).returned, 1);
    assert_int_equal(order.returned_value, 100);
}

static void test_an_open_order_that_changes(void **state) {
    struct shop *shop = *state;
    cellar_order order;
    shop_goods(shop, "a", 5);
    (void)shop_order(shop, 1, "a", 3, CELLAR_ORDER_PLACED);
    shop_settle(shop);
    assert_int_equal(read_beside(shop, "order-look", rival_cancels_one, &order).cancelled, 1);
    assert_int_equal(order.cancelled_value, 100);
}

/* ---- An entry that is retired between the look-up and the look at its cell ---- */

/* Is refused, and waits until the sweep has taken the entry out. */
static void rival_refused_and_swept(struct shop *shop) {
    const cellar_line line = shop_line("a", 0, 1000, 10);
    const cellar_order_request order = shop_order_request(1, &line, 1);
    bool linked = true;
    assert_int_equal(cellar_order_place(shop->store, NULL, &order, NULL, NULL),
                     CELLAR_OUT_OF_STOCK);
    while (linked) {
        commit_enter();
        linked = store_find_order(shop->store->store, shop_id(1)) != NULL;
        commit_leave();
    }
}

static void test_an_entry_that_is_retired(void **state) {
    struct shop *shop = *state;
    struct rival rival;
    cellar_order order;
    shop_goods(shop, "a", 10);
    rival_await(&rival, shop, "document-found", rival_refused_and_swept);
    (void)shop_order(shop, 1, "a", 3, CELLAR_ORDER_PLACED);
    rival_has_come(&rival);
    assert_int_equal(cellar_order_get(shop->store, shop_id(1), &order, NULL, 0), CELLAR_OK);
    assert_int_equal(order.state, CELLAR_ORDER_PLACED);
    assert_int_equal(shop_available(shop, "a", 0), 7);
}

/* ---- Reads and wide changes among many others ---- */

static void rival_safety(struct shop *shop) {
    static int64_t safety;
    safety = safety % 7 + 1;
    orders_safety(shop, "a", safety);
}

/* The cells change at each look: then they are read as of one commit. */
static void test_a_stock_that_keeps_changing(void **state) {
    struct shop *shop = *state;
    struct rival rival;
    shop_goods(shop, "a", 10);
    /* Which may be one that is a moment old. */
    shop_settle(shop);
    rival_await_times(&rival, shop, "stock-look", rival_safety, 100);
    cellar_stock stock = shop_stock(shop, "a", 0);
    rival_has_come(&rival);
    assert_true(rival.times < 95);
    assert_int_equal(stock.available, 10);
    assert_int_equal(stock.on_hand, 10);
    assert_in_range(stock.safety, 0, 7);
}

static void rival_sale(struct shop *shop) {
    const cellar_line line = shop_line("goods 0", 0, 1, 0);
    assert_int_equal(cellar_stock_take(shop->store, NULL, &line, NULL, NULL), CELLAR_OK);
}

/* An order of many lines, one of which changes each time: it asks the others to hold back, and is
 * placed. */
static void test_a_wide_order(void **state) {
    struct shop *shop = *state;
    struct rival rival;
    static char skus[LINES][SHOP_NAME_BYTES];
    cellar_line lines[LINES];
    for (int i = 0; i < LINES; i++) {
        shop_goods(shop, shop_name(skus[i], "goods %d", i), 100);
        lines[i] = shop_line(skus[i], 0, 2, 10);
    }
    const cellar_order_request order = shop_order_request(1, lines, LINES);
    rival_await_times(&rival, shop, "commit-reserved", rival_sale, 8);
    assert_int_equal(cellar_order_place(shop->store, NULL, &order, NULL, NULL), CELLAR_OK);
    rival_has_come(&rival);
    assert_int_equal(rival.times, 0);
    assert_int_equal(shop_available(shop, "goods 0", 0), 100 - 8 - 2);
    assert_int_equal(shop_available(shop, "goods 1", 0), 98);
    assert_int_equal(ATOMIC_LOAD(&shop->store->commit->courtesy_until_ns, relaxed), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SHOP_TEST(test_products),
        SHOP_TEST(test_accounts),
        SHOP_TEST(test_leases),
        SHOP_TEST(test_campaigns),
        SHOP_TEST(test_claims),
        SHOP_TEST(test_codes),
        SHOP_TEST(test_orders),
        SHOP_TEST(test_locations),
        SHOP_TEST(test_a_refusal_beside_a_linked_id),
        cmocka_unit_test(test_a_hold_that_is_cancelled),
        cmocka_unit_test(test_a_hold_that_is_forgotten),
        SHOP_TEST(test_a_closed_order_that_changes),
        SHOP_TEST(test_an_open_order_that_changes),
        SHOP_TEST(test_an_entry_that_is_retired),
        SHOP_TEST(test_a_stock_that_keeps_changing),
        SHOP_TEST(test_a_wide_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
