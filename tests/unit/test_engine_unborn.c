/* An entry is linked before the commit that makes its object, and stays when that is refused. Does
 * every call say that such an object is not there, can it be made later, and is its slot used again
 * when it was not made before the store was opened anew? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/orders.h"

#include "store/plan.h"

#include <string.h>

static const cellar_id none = {0, 0};
/* The slots that refused creations have taken. */
static struct { uint32_t product, account, lease, campaign, grant, code; } unborn;

/* ---- Refused creations ---- */

/* An operation, and one behind it that is refused. */
static void refuse(struct shop *shop, const cellar_operation *operation) {
    const cellar_account_entry unknown = {.account = 999, .amount = 1};
    const cellar_operation steps[] = {*operation,
                                      {.kind = CELLAR_OPERATION_ACCOUNT_CREDIT, .entry = &unknown}};
    cellar_refusal refusal = {0};
    assert_int_equal(cellar_transact(shop->store, NULL, none, steps, 2, NULL, &refusal),
                     CELLAR_NOT_FOUND);
    assert_int_equal(refusal.step, 1);
}

static cellar_status put_kit(struct shop *shop, const char *sku, const char *component) {
    const cellar_component components[] = {{.sku = component, .quantity = 1}};
    const cellar_product kit = {.sku = sku, .components = components, .component_count = 1};
    return cellar_product_put(shop->store, NULL, &kit, 0, NULL, NULL);
}

/* One campaign that lacks memory for its commit, behind that for its rules. */
static void put_without_memory(struct shop *shop, uint64_t id) {
    char name[CELLAR_CATEGORY_BYTES_MAX + 1];
    cellar_campaign campaign = shop_campaign(id, 5);
    memset(name, 'x', CELLAR_CATEGORY_BYTES_MAX);
    name[CELLAR_CATEGORY_BYTES_MAX] = '\0';
    campaign.discount.kind = CELLAR_DISCOUNT_AMOUNT;
    campaign.discount.category_count = CELLAR_RESTRICTIONS_MAX;
    for (size_t i = 0; i < CELLAR_RESTRICTIONS_MAX; i++) {
        campaign.discount.categories[i] = name;
    }
    for (int64_t at = 0; at < 2; at++) {
        /* From there on for good: what follows the log may need some, too. */
        shop_settle(shop);
        memory_fail_after(shop->store->memory, at, 1);
        cellar_status status = cellar_campaign_put(shop->store, NULL, &campaign, 0, NULL, NULL);
        memory_fail_after(shop->store->memory, -1, 0);
        assert_int_equal(status, CELLAR_OUT_OF_MEMORY);
    }
}

/* There are a product "a", an account 1, and a campaign 1 with a claim; all else is linked only. */
static void fill(struct shop *shop) {
    const cellar_account_request account = {.id = 50};
    const cellar_lease_request lease = {.name = "ghost", .holder = 1, .ttl_ms = 1000};
    const cellar_claim claim = {.campaign = 1, .customer = 50};
    const cellar_code_request code = {.campaign = 1, .code = "ghost", .uses = 2};
    const cellar_campaign campaign = shop_campaign(1, 9);
    struct store *store = shop->store->store;
    assert_int_equal(put_kit(shop, "ghost", "nothing"), CELLAR_NOT_FOUND);
    shop_goods(shop, "a", 100);
    refuse(shop, &(cellar_operation){.kind = CELLAR_OPERATION_ACCOUNT_CREATE, .account = &account});
    shop_account(shop, 1, 0, 100);
    refuse(shop, &(cellar_operation){.kind = CELLAR_OPERATION_LEASE_ACQUIRE, .lease = &lease});
    assert_int_equal(cellar_lease_acquire(shop->store, NULL, "job", 1, 1000, NULL, NULL),
                     CELLAR_OK);
    put_without_memory(shop, 50);
    shop_campaign_put(shop, &campaign);
    refuse(shop, &(cellar_operation){.kind = CELLAR_OPERATION_COUPON_CLAIM, .claim = &claim});
    (void)shop_claim(shop, 1, 1);
    refuse(shop, &(cellar_operation){.kind = CELLAR_OPERATION_CODE_ADD, .code = &code});
    assert_int_equal(cellar_code_add(shop->store, NULL, 1, "code 1", 3, NULL, NULL), CELLAR_OK);
    unborn.product = store_find_product(store, "ghost", 0)->slot;
    unborn.account = store_find_account(store, 50)->slot;
    unborn.lease = store_find_lease(store, "ghost", 5)->slot;
    unborn.campaign = coupons_find_campaign(store, 50)->slot;
    const struct coupon_grant_key key = {50, coupons_find_campaign(store, 1)->slot, 0};
    unborn.grant = coupons_find_grant(store, &key);
    unborn.code = coupons_find_code(store, "ghost", 5)->slot;
    assert_int_not_equal(unborn.grant, 0);
}

/* ---- They are not there ---- */

static cellar_status order(struct shop *shop, cellar_line line, bool by_location) {
    static const uint32_t locations[] = {1, 2};
    cellar_order_request request = shop_order_request(70, &line, 1);
    if (by_location) {
        request.locations = locations;
        request.location_count = 2;
    }
    return cellar_order_place(shop->store, NULL, &request, NULL, NULL);
}

static cellar_status receive(struct shop *shop, cellar_line line) {
    const cellar_stock_change change = {.lines = &line, .line_count = 1};
    return cellar_stock_receive(shop->store, NULL, &change, NULL, NULL);
}

static cellar_status redeem(struct shop *shop, cellar_redemption redemption, cellar_line line) {
    redemption.lines = &line;
    redemption.line_count = 1;
    return cellar_coupon_redeem(shop->store, NULL, &redemption, NULL, NULL, NULL);
}

static void check_product(struct shop *shop, cellar_line line) {
    cellar *store = shop->store;
    cellar_stock stock;
    cellar_stock_place place;
    cellar_movement movement;
    size_t count;
    cellar_line away = line;
    const cellar_redemption coupon = {.campaign = 1, .customer = 1};
    away.location = 3;
    assert_int_equal(cellar_stock_get(store, &line, &stock), CELLAR_NOT_FOUND);
    assert_int_equal(cellar_stock_get(store, &away, &stock), CELLAR_NOT_FOUND);
    assert_int_equal(cellar_stock_list(store, &line, &place, 1, &count), CELLAR_NOT_FOUND);
    assert_int_equal(cellar_stock_history(store, &line, 0, &movement, 1, &count), CELLAR_NOT_FOUND);
    assert_int_equal(receive(shop, line), CELLAR_NOT_FOUND);
    assert_int_equal(receive(shop, away), CELLAR_NOT_FOUND);
    assert_int_equal(cellar_stock_take(store, NULL, &line, NULL, NULL), CELLAR_NOT_FOUND);
    assert_int_equal(order(shop, line, false), CELLAR_NOT_FOUND);
    assert_int_equal(order(shop, line, true), CELLAR_NOT_FOUND);
    assert_int_equal(redeem(shop, coupon, line), CELLAR_NOT_FOUND);
}

static void test_products(void **state) {
    struct shop *shop = *state;
    cellar_product product;
    fill(shop);
    check_product(shop, shop_line("ghost", 0, 1, 10));
    check_product(shop, (cellar_line){.product = unborn.product, .quantity = 1, .unit_price = 10});
    check_product(shop, (cellar_line){.product = 4000, .quantity = 1, .unit_price = 10});
    assert_int_equal(cellar_product_get(shop->store, "ghost", 0, &product), CELLAR_NOT_FOUND);
    assert_int_equal(cellar_product_get(shop->store, NULL, unborn.product, &product),
                     CELLAR_NOT_FOUND);
    assert_int_equal(order(shop, shop_line("unheard of", 0, 1, 1), true), CELLAR_NOT_FOUND);
    assert_int_equal(put_kit(shop, "kit", "ghost"), CELLAR_NOT_FOUND);
}

static void test_others(void **state) {
    struct shop *shop = *state;
    cellar *store = shop->store;
    cellar_account account;
    cellar_lease lease;
    cellar_coupon coupon;
    cellar_campaign campaign;
    cellar_code code;
    const cellar_line line = shop_line("a", 0, 1, 10);
    const cellar_redemption grant = {.campaign = 1, .customer = 50};
    const cellar_redemption ghost = {.code = "ghost"};
    const cellar_redemption unknown = {.code = "unknown"};
    fill(shop);
    assert_int_equal(cellar_account_get(store, 50, &account), CELLAR_NOT_FOUND);
    assert_int_equal(cellar_account_credit(store, NULL, none, 50, 1, NULL, NULL), CELLAR_NOT_FOUND);
    assert_int_equal(cellar_account_transfer(store, NULL, none, 1, 50, 1, NULL, NULL),
                     CELLAR_NOT_FOUND);
    assert_int_equal(cellar_lease_get(store, "ghost", &lease), CELLAR_NOT_FOUND);
    assert_int_equal(cellar_lease_renew(store, NULL, "ghost", 64, 10, NULL, NULL),
                     CELLAR_NOT_FOUND);
    assert_int_equal(cellar_lease_release(store, NULL, "ghost", 64, NULL, NULL), CELLAR_NOT_FOUND);
    assert_int_equal(cellar_campaign_get(store, 50, &campaign), CELLAR_NOT_FOUND);
    assert_int_equal(cellar_coupon_claim(store, NULL, none, 50, 1, NULL, NULL), CELLAR_NOT_FOUND);
    assert_int_equal(cellar_code_add(store, NULL, 50, "x", 1, NULL, NULL), CELLAR_NOT_FOUND);
    assert_int_equal(cellar_coupon_get(store, 1, 50, 0, &coupon), CELLAR_NOT_FOUND);
    assert_int_equal(cellar_coupon_revoke(store, NULL, 1, 50, 0, NULL, NULL), CELLAR_NOT_FOUND);
    assert_int_equal(redeem(shop, grant, line), CELLAR_NOT_FOUND);
    assert_int_equal(cellar_coupon_restore(store, NULL, &grant, 0, NULL, NULL), CELLAR_NOT_FOUND);
    assert_int_equal(cellar_code_get(store, "ghost", &code), CELLAR_NOT_FOUND);
    assert_int_equal(redeem(shop, ghost, line), CELLAR_NOT_FOUND);
    assert_int_equal(cellar_coupon_restore(store, NULL, &ghost, 0, NULL, NULL), CELLAR_NOT_FOUND);
    assert_int_equal(cellar_coupon_restore(store, NULL, &unknown, 0, NULL, NULL), CELLAR_NOT_FOUND);
}

/* ---- They can be made ---- */

static void make(struct shop *shop, const char *name, uint64_t id) {
    const cellar_campaign campaign = shop_campaign(id, 5);
    shop_goods(shop, name, 5);
    shop_account(shop, id, 0, 7);
    assert_int_equal(cellar_lease_acquire(shop->store, NULL, name, 1, 1000, NULL, NULL), CELLAR_OK);
    shop_campaign_put(shop, &campaign);
    assert_int_equal(shop_claim(shop, 1, id), 2);
    assert_int_equal(cellar_code_add(shop->store, NULL, 1, name, 2, NULL, NULL), CELLAR_OK);
}

/* Of objects that are called so: each has the slot of one that was not made. */
static void check_slots(struct shop *shop, const char *name, uint64_t id) {
    struct store *store = shop->store->store;
    const size_t bytes = strlen(name);
    const struct coupon_grant_key key = {id, coupons_find_campaign(store, 1)->slot, 0};
    assert_int_equal(store_find_product(store, name, 0)->slot, unborn.product);
    assert_int_equal(store_find_account(store, id)->slot, unborn.account);
    assert_int_equal(store_find_lease(store, name, bytes)->slot, unborn.lease);
    assert_int_equal(coupons_find_campaign(store, id)->slot, unborn.campaign);
    assert_int_equal(coupons_find_grant(store, &key), unborn.grant);
    assert_int_equal(coupons_find_code(store, name, bytes)->slot, unborn.code);
}

static void test_made_later(void **state) {
    struct shop *shop = *state;
    fill(shop);
    make(shop, "ghost", 50);
    check_slots(shop, "ghost", 50);
    assert_int_equal(shop_available(shop, "ghost", 0), 5);
    assert_int_equal(shop_balance(shop, 50), 7);
}

static void test_slots_serve_again(void **state) {
    struct shop *shop = *state;
    fill(shop);
    shop_reopen(shop);
    assert_null(store_find_account(shop->store->store, 50));
    make(shop, "other", 51);
    check_slots(shop, "other", 51);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SHOP_TEST(test_products),
        SHOP_TEST(test_others),
        SHOP_TEST(test_made_later),
        SHOP_TEST(test_slots_serve_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
