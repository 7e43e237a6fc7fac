/* Does recovery refuse every record of a kit whose components are not products that are there, each
 * once and in a number that can be sold? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/recovery.h"

#include <stdio.h>
#include <string.h>

#define COMPONENTS 3

/* Products 1, 2 and 4 are there, 5 is new. `more` bytes than the parts take. */
static void test_kits(void **unused) {
    static const struct {
        uint32_t kit, count;
        struct payload_component components[COMPONENTS];
        int more;
        bool right;
    } rows[] = {
        /* kit  count  components {product, quantity}  bytes more  well formed */
        {5, 1, {{1, 1}}, 0, true},
        {5, 2, {{2, 1}, {1, CELLAR_COMPONENT_QUANTITY_MAX}}, 0, true},
        {5, 3, {{4, 1}, {2, 1}, {1, 1}}, 0, true},
        {4, 1, {{1, 1}}, 0, true},
        {5, 1, {{1, 0}}, 0, false},
        {5, 1, {{1, CELLAR_COMPONENT_QUANTITY_MAX + 1}}, 0, false},
        {5, 1, {{0, 1}}, 0, false},
        {4, 1, {{4, 1}}, 0, false},                  /* itself */
        {5, 1, {{3, 1}}, 0, false},                  /* nobody's */
        {5, 1, {{5, 1}}, 0, false},                  /* behind the last */
        {5, 1, {{RECOVERY_LIMIT + 1, 1}}, 0, false}, /* behind the limit */
        {5, 1, {{UINT32_MAX, 1}}, 0, false},
        {5, 2, {{1, 1}, {3, 1}}, 0, false},
        {5, 3, {{1, 1}, {2, 1}, {1, 2}}, 0, false}, /* twice */
        {5, 2, {{1, 1}, {2, 1}}, 1, false},
        {5, 2, {{1, 1}, {2, 1}}, -1, false},
        {5, 2, {{1, 1}, {2, 1}}, -4, false},
        {5, UINT32_MAX, {{1, 1}}, 0, false},
    };
    (void)unused;
    assert_int_equal(recovery_put(1, 1, 1, "a"), STORE_APPLIED);
    assert_int_equal(recovery_put(2, 2, 2, "b"), STORE_APPLIED);
    assert_int_equal(recovery_put(4, 4, 4, "d"), STORE_APPLIED);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct recovery_product product = recovery_product(rows[i].kit, 5, 5, "");
        uint32_t given = rows[i].count < COMPONENTS ? rows[i].count : COMPONENTS;
        size_t bytes = given * sizeof *rows[i].components;
        product.header.component_count = rows[i].count;
        product.header.sku_bytes = 3;
        memcpy(product.text, rows[i].components, bytes);
        memcpy(product.text + bytes, "kit", 3);
        bytes += sizeof product.header + 3 + (size_t)rows[i].more;
        const struct record_header *record = recovery_product_record(&product, bytes);
        if (store_record_check(recovery.store, record) != rows[i].right) {
            fail_msg("row %zu", i);
        }
    }
}

/* As many components as there may be, and one more. */
static void test_at_the_limit(void **unused) {
    struct {
        struct payload_product header;
        struct payload_component components[CELLAR_COMPONENTS_MAX + 1];
        char room_for_the_sku[4];
    } kit = {.header = {.product = RECOVERY_LIMIT, .block = RECOVERY_LIMIT, .sku_bytes = 3}};
    (void)unused;
    for (uint32_t i = 1; i <= CELLAR_COMPONENTS_MAX + 1; i++) {
        char sku[8];
        snprintf(sku, sizeof sku, "%u", i);
        assert_int_equal(recovery_put(i, i, i, sku), STORE_APPLIED);
        kit.components[i - 1] = (struct payload_component){.product = i, .quantity = i};
        memcpy((unsigned char *)&kit + sizeof kit.header + i * sizeof *kit.components, "kit", 3);
        kit.header.component_count = i;
        recovery_change(store_product_cell(kit.header.product), kit.header.block);
        const struct record_header *record = recovery_record(
            STORE_PRODUCT, &kit, sizeof kit.header + i * sizeof *kit.components + 3);
        assert_int_equal(store_record_check(recovery.store, record), i <= CELLAR_COMPONENTS_MAX);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_kits, recovery_set_up, recovery_tear_down),
        cmocka_unit_test_setup_teardown(test_at_the_limit, recovery_set_up, recovery_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
