/* When numbers, slots or room in the log have run out: does a call say so, and go on as soon as
 * there are some again? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/orders.h"

#include "base/clock.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static const cellar_call at_once = {.wait_ms = -1};

/* ---- Numbers of blocks ---- */

/* All that are left, as if each were of a block that waits for its grace period. */
static uint32_t *take_all(struct slots *slots, uint32_t *count_out) {
    uint32_t *taken = malloc(slots->limit * sizeof *taken);
    uint32_t slot;
    assert_non_null(taken);
    *count_out = 0;
    while ((slot = slots_take(slots)) != 0) {
        taken[(*count_out)++] = slot;
    }
    assert_int_not_equal(*count_out, 0);
    return taken;
}

struct giver {
    struct slots *slots;
    uint32_t slot;
};

static void *giver_run(void *context) {
    struct giver *giver = context;
    clock_sleep_ns(20 * NANOSECONDS_PER_MILLISECOND);
    slots_give(giver->slots, giver->slot);
    return NULL;
}

static cellar_status put_product(struct shop *shop, const cellar_call *call) {
    const cellar_product product = {.sku = "p"};
    return cellar_product_put(shop->store, call, &product, 0, NULL, NULL);
}

static cellar_status put_campaign(struct shop *shop, const cellar_call *call) {
    const cellar_campaign campaign = shop_campaign(1, 5);
    return cellar_campaign_put(shop->store, call, &campaign, 0, NULL, NULL);
}

/* Refused at once, or made when a number is given back. */
static void check_numbers(struct shop *shop, struct slots *slots,
                          cellar_status (*put)(struct shop *shop, const cellar_call *call)) {
    uint32_t count;
    uint32_t *taken = take_all(slots, &count);
    struct giver giver = {slots, taken[count - 1]};
    pthread_t thread;
    assert_int_equal(put(shop, &at_once), CELLAR_BUSY);
    assert_int_equal(pthread_create(&thread, NULL, giver_run, &giver), 0);
    assert_int_equal(put(shop, NULL), CELLAR_OK);
    assert_int_equal(pthread_join(thread, NULL), 0);
    for (uint32_t i = 0; i + 1 < count; i++) {
        slots_give(slots, taken[i]);
    }
    free(taken);
}

static void test_blocks_of_products(void **state) {
    struct shop *shop = *state;
    check_numbers(shop, &shop->store->store->block_slots, put_product);
    assert_int_equal(shop_audit(shop).totals.products, 1);
}

static void test_blocks_of_campaigns(void **state) {
    struct shop *shop = *state;
    check_numbers(shop, &shop->store->store->coupons.rules_slots, put_campaign);
    assert_int_equal(shop_campaign_get(shop, 1)->quota, 5);
}

/* ---- Slots ---- */

/* Places have taken what a new product needs beside its own slot, which is then given back. */
static void test_stocks_for_a_product(void **unused) {
    struct shop shop;
    (void)unused;
    shop_prepare(&shop);
    shop.config.products_max = 4;
    shop.config.stocks_max = 4;
    shop_open(&shop);
    shop_goods(&shop, "a", 1);
    for (uint32_t location = 1; location <= 3; location++) {
        (void)shop_receive(&shop, "a", location, 1);
    }
    for (int i = 0; i < 10; i++) {
        assert_int_equal(put_product(&shop, NULL), CELLAR_STORE_FULL);
    }
    /* Its slot has been taken and given back, again and again. */
    assert_true(slots_end(&shop.store->store->product_slots) <= 3);
    shop_finish(&shop);
}

/* As many stocks as products, if more than there are by default. */
static void test_stocks_by_default(void **unused) {
    struct shop shop;
    (void)unused;
    shop_prepare(&shop);
    shop.config.products_max = ENGINE_STOCKS_DEFAULT + 1;
    shop.config.stocks_max = 0;
    shop_open(&shop);
    assert_int_equal(shop.store->config.stocks_max, ENGINE_STOCKS_DEFAULT + 1);
    shop_goods(&shop, "a", 1);
    shop_close(&shop);
    shop.config.products_max = 4;
    shop_open(&shop);
    assert_int_equal(shop.store->config.stocks_max, ENGINE_STOCKS_DEFAULT);
    shop_finish(&shop);
}

/* ---- Room in the log ---- */

/* Holds of so many stocks that ending one is no record that the smaller ring takes. */
#define WIDE_LINES 300
/* More than are put off; under ThreadSanitizer everything takes ten times as long. */
#ifdef __SANITIZE_THREAD__
#define WIDE_HOLDS 4
#define TRIED (WIDE_HOLDS + 1)
#else
#define WIDE_HOLDS (EXPIRY_PUT_OFF_MAX + 6)
#define TRIED (EXPIRY_PUT_OFF_MAX + 2)
#endif

static void hold_wide(struct shop *shop, uint64_t id, const cellar_line *lines) {
    cellar_order_request order = shop_order_request(id, lines, WIDE_LINES);
    order.hold_until_ns = orders_deadline(shop, 100);
    assert_int_equal(cellar_order_place(shop->store, NULL, &order, NULL, NULL), CELLAR_OK);
}

/* They are put off, keep their units, and do not keep others from ending; nor the store from being
 * closed. In the larger ring they end. */
static void test_holds_that_cannot_end(void **unused) {
    static cellar_line lines[WIDE_LINES];
    static char skus[WIDE_LINES][SHOP_NAME_BYTES];
    struct shop shop;
    cellar_refusal refusal;
    (void)unused;
    shop_prepare(&shop);
    ATOMIC_STORE(&shop.tick_ns, 0, relaxed);
    shop_open(&shop);
    for (int i = 0; i < WIDE_LINES; i++) {
        shop_goods(&shop, shop_name(skus[i], "goods %d", i), WIDE_HOLDS);
        lines[i] = shop_line(skus[i], 0, 1, 10);
    }
    shop_goods(&shop, "other", 1);
    for (uint64_t id = 1; id <= WIDE_HOLDS; id++) {
        hold_wide(&shop, id, lines);
    }
    (void)orders_hold(&shop, 1000, "other", 1, 50);
    uint64_t large = shop.config.ring_bytes;
    shop_close(&shop);
    shop.config.ring_bytes = UINT64_C(64) << 10;
    shop_open(&shop);
    orders_pass(&shop, 200);
    orders_await(&shop, 1000, CELLAR_ORDER_EXPIRED);
    /* A caller short of units tries, too. */
    const cellar_order_request order = shop_order_request(2000, lines, 1);
    assert_int_equal(cellar_order_place(shop.store, NULL, &order, NULL, &refusal),
                     CELLAR_OUT_OF_STOCK);
    assert_int_equal(refusal.available, 0);
    /* The other one, as many as are put off, and one more have been tried. */
    while (ATOMIC_LOAD(&shop.store->expiry.head, acquire) < TRIED) {
        clock_sleep_ns(ORDERS_MS);
    }
    assert_int_equal(shop_order_get(&shop, 1).state, CELLAR_ORDER_PLACED);
    shop_close(&shop);
    shop.config.ring_bytes = large;
    shop_open(&shop);
    orders_await_none_overdue(&shop);
    assert_int_equal(shop_available(&shop, skus[0], 0), WIDE_HOLDS);
    (void)shop_audit(&shop);
    shop_abandon(&shop);
}

/* ---- Nobody to be told ---- */

static void test_a_host_that_does_not_listen(void **unused) {
    struct shop shop;
    cellar_ticket ticket;
    (void)unused;
    shop_prepare(&shop);
    shop.config.report = NULL;
    shop_open(&shop);
    shop_goods(&shop, "a", 100);
    shop_settle(&shop);
    memory_fail_after(shop.store->memory, 0, 1);
    for (uint64_t id = 1; id <= 20; id++) {
        ticket = shop_order(&shop, id, "a", 1, CELLAR_ORDER_PLACED);
    }
    assert_int_equal(cellar_wait_listed(shop.store, ticket.lsn, 30), CELLAR_TIMEOUT);
    memory_fail_after(shop.store->memory, -1, 0);
    assert_int_equal(cellar_wait_listed(shop.store, ticket.lsn, -1), CELLAR_OK);
    assert_int_equal(ATOMIC_LOAD(&shop.reports, relaxed), 0);
    shop_finish(&shop);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SHOP_TEST(test_blocks_of_products),
        SHOP_TEST(test_blocks_of_campaigns),
        cmocka_unit_test(test_stocks_for_a_product),
        cmocka_unit_test(test_stocks_by_default),
        cmocka_unit_test(test_holds_that_cannot_end),
        cmocka_unit_test(test_a_host_that_does_not_listen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
