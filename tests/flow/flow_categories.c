/* Is every product that was put found in the list of its category, also when more categories are
 * asked for at once than there can be? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/shop.h"

#include <stdlib.h>
#include <unistd.h>

#define ASKED 72000

static bool is_listed(struct shop *shop, const char *category, uint64_t id) {
    cellar_product_query query = {.category = category};
    cellar_product_summary page;
    size_t count = 0;
    assert_int_equal(cellar_product_list(shop->store, &query, &page, 1, &count), CELLAR_OK);
    return count == 1 && page.id == id;
}

static void check_listed(struct shop *shop, const uint64_t *ids) {
    char category[SHOP_NAME_BYTES];
    shop_settle(shop);
    for (int i = 0; i < ASKED; i++) {
        bool listed = is_listed(shop, shop_name(category, "c%d", i), ids[i]);
        if (listed != (ids[i] != 0)) {
            fail_msg("product %d is %slisted", i, listed ? "" : "not ");
        }
    }
}

static void test_more_categories_than_there_can_be(void **unused) {
    struct shop shop;
    uint64_t *ids = calloc(ASKED, sizeof *ids);
    char sku[SHOP_NAME_BYTES];
    char category[SHOP_NAME_BYTES];
    uint32_t accepted = 0;
    (void)unused;
    shop_prepare(&shop);
    shop.config.products_max = ASKED + 10;
    shop.config.stocks_max = ASKED + 10;
    shop.config.ring_bytes = 32 << 20;
    shop.config.segment_bytes = 16 << 20;
    shop_open(&shop);
    for (int i = 0; i < ASKED; i++) {
        cellar_product product = {.sku = shop_name(sku, "p%d", i),
                                  .category = shop_name(category, "c%d", i)};
        cellar_ticket ticket = {0};
        cellar_status status = cellar_product_put(shop.store, NULL, &product, 0, &ticket, NULL);
        assert_true(status == CELLAR_OK || status == CELLAR_STORE_FULL);
        accepted += status == CELLAR_OK;
        ids[i] = ticket.object;
    }
    assert_in_range(accepted, CELLAR_CATEGORIES_MAX, CELLAR_CATEGORIES_MAX + 5000);
    check_listed(&shop, ids);
    /* Full for new categories, open for all others. */
    cellar_product product = {.sku = "new", .category = "one more"};
    cellar_refusal refusal;
    assert_int_equal(cellar_product_put(shop.store, NULL, &product, 0, NULL, &refusal),
                     CELLAR_STORE_FULL);
    product.category = "c77";
    assert_int_equal(cellar_product_put(shop.store, NULL, &product, 0, NULL, NULL), CELLAR_OK);
    product = (cellar_product){.sku = "another"};
    assert_int_equal(cellar_product_put(shop.store, NULL, &product, 0, NULL, NULL), CELLAR_OK);
    product = (cellar_product){.sku = "new"};
    assert_int_equal(cellar_product_put(shop.store, NULL, &product, 0, NULL, NULL), CELLAR_OK);
    shop_reopen(&shop);
    check_listed(&shop, ids);
    product.category = "one more";
    assert_int_equal(cellar_product_put(shop.store, NULL, &product, 0, NULL, NULL),
                     CELLAR_STORE_FULL);
    (void)shop_audit(&shop);
    shop_close(&shop);
    shop_abandon(&shop);
    free(ids);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_more_categories_than_there_can_be),
    };
    (void)alarm(280);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
