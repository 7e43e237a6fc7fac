/* Does a plan keep what is written into it however much it is, add up lines as they were passed,
 * and give requests that differ different fingerprints? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/shop.h"

#include "store/plan.h"
#include "support/random.h"

#include <stdlib.h>
#include <string.h>

#define PRODUCTS 40

static void test_text_bytes(void **unused) {
    char text[70];
    (void)unused;
    memset(text, 'x', sizeof text);
    for (size_t bytes = 0; bytes < 68; bytes++) {
        text[bytes] = '\0';
        assert_int_equal(plan_text_bytes(text, 64), bytes <= 64 ? bytes : SIZE_MAX);
        text[bytes] = 'x';
    }
    /* Not read beyond the limit: there is no end. */
    assert_int_equal(plan_text_bytes(text, 64), SIZE_MAX);
    assert_int_equal(plan_text_bytes(NULL, 64), 0);
}

static void test_payload_grows(void **state) {
    struct shop *shop = *state;
    struct plan plan;
    struct random random = {.state = 1};
    unsigned char expected[20000];
    uint32_t bytes = 0;
    plan_create(&plan, shop->store->store);
    for (int i = 0; i < 200; i++) {
        uint32_t more = 8 * (uint32_t)random_below(&random, 12);
        unsigned char *place = plan_append(&plan, more);
        assert_non_null(place);
        assert_int_equal((uintptr_t)place % 8, 0);
        memset(place, i, more);
        memset(expected + bytes, i, more);
        bytes += more;
        assert_int_equal(plan.payload_bytes, bytes);
        assert_memory_equal(plan.payload, expected, bytes);
    }
    plan_reset(&plan, 5);
    assert_int_equal(plan.payload_bytes, 0);
    assert_int_equal(plan.now_ns, 5);
    plan_destroy(&plan);
    assert_int_equal(memory_used(shop->store->memory, MEMORY_SCRATCH), 0);
}

static void test_changes_are_sorted(void **state) {
    struct shop *shop = *state;
    struct plan plan;
    plan_create(&plan, shop->store->store);
    for (int round = 0; round < 3; round++) {
        const uint32_t count = round == 0 ? 5 : 300;
        plan_reset(&plan, 0);
        for (uint32_t i = 0; i < count; i++) {
            /* 7 and 300 have no common divisor, nor have 7 and 5: each cell comes once. */
            uint32_t cell = round == 2 ? i : i * 7 % count;
            struct cell_content read = {.value = cell, .version = 64 * cell};
            assert_true(plan_write(&plan, cell, read, -(int64_t)cell));
        }
        assert_int_equal(plan.sorted, round == 2);
        plan_sort(&plan);
        assert_int_equal(plan.change_count, count);
        for (uint32_t i = 0; i < count; i++) {
            assert_int_equal(plan.changes[i].cell, i);
            assert_int_equal(plan.changes[i].update.expected, 64 * i);
            assert_int_equal(plan.changes[i].update.old_value, i);
            assert_int_equal(plan.changes[i].update.new_value, -(int64_t)i);
        }
    }
    plan_destroy(&plan);
    assert_int_equal(memory_used(shop->store->memory, MEMORY_SCRATCH), 0);
}

static char skus[PRODUCTS][SHOP_NAME_BYTES];

static void fill(struct shop *shop) {
    for (int i = 0; i < PRODUCTS; i++) {
        shop_product(shop, shop_name(skus[i], "sku%d", i));
        if (i % 3 == 0) {
            shop_receive(shop, skus[i], 2, 1);
        }
    }
}

/* The stock of a line, found by hand. */
static uint32_t stock_of(struct store *store, const cellar_line *line) {
    struct store_product *product = store_find_product(store, line->sku, line->product);
    return store_find_stock(store, product, line->location);
}

static void make_lines(struct random *random, cellar_line *lines, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        uint32_t number = (uint32_t)random_below(random, PRODUCTS);
        bool by_id = random_below(random, 2) == 0;
        lines[i] = (cellar_line){.sku = by_id ? NULL : skus[number],
                                 .product = by_id ? number + 1 : 12345,
                                 .location = number % 3 == 0 ? 2 * (i % 2) : 0,
                                 .quantity = (int64_t)random_below(random, 9) - 4,
                                 .unit_price = (int64_t)i};
    }
}

/* A document of lines that are narrow, or wide. */
struct drawn {
    struct payload_document document;
    struct payload_wide_line room[CELLAR_LINES_MAX];
};

static struct content_line drawn_line(const struct drawn *drawn, uint32_t index) {
    struct content content = {.lines = &drawn->room,
                              .wide = (drawn->document.flags & PAYLOAD_WIDE) != 0};
    return content_line(&content, index);
}

/* Every stock once, rising, with the first line that names it and the sum of all. */
static void check_lines(const struct plan *plan, const cellar_line *lines, uint32_t count,
                        const struct drawn *out) {
    struct store *store = plan->store;
    int64_t sum = 0;
    uint32_t named = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct content_line line = drawn_line(out, i);
        assert_int_equal(line.stock, stock_of(store, &lines[i]));
        assert_int_equal(line.quantity, lines[i].quantity);
        assert_int_equal(line.unit_price, lines[i].unit_price);
    }
    for (uint32_t k = 0; k < plan->line_count; k++) {
        uint32_t first = UINT32_MAX;
        sum = 0;
        assert_true(k == 0 || plan->lines[k].stock > plan->lines[k - 1].stock);
        for (uint32_t i = 0; i < count; i++) {
            if (drawn_line(out, i).stock == plan->lines[k].stock) {
                first = first == UINT32_MAX ? i : first;
                sum += lines[i].quantity;
                named++;
            }
        }
        assert_int_equal(plan->lines[k].line, first);
        assert_int_equal(plan->lines[k].quantity, sum);
    }
    assert_int_equal(named, count);
}

/* Numbers of lines around those that are looked up together, one plan after the other in the same
 * places of memory. */
static void test_lines_are_added_up(void **state) {
    struct shop *shop = *state;
    struct random random = {.state = 3};
    cellar_line lines[100];
    static struct drawn out;
    static const uint32_t counts[] = {1, 2, 15, 16, 17, 31, 32, 33, 48, 49, 100};
    fill(shop);
    for (int round = 0; round < 20; round++) {
        for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
            struct plan plan;
            plan_create(&plan, shop->store->store);
            for (int attempt = 0; attempt < 2; attempt++) {
                if (attempt == 0) {
                    make_lines(&random, lines, counts[i]);
                    if (round % 2 == 1) {
                        lines[counts[i] / 2].quantity = INT64_C(-5) - INT32_MAX;
                    }
                    out.document.flags = plan_lines_flags(lines, counts[i]);
                    assert_int_equal(out.document.flags, round % 2 == 1 ? PAYLOAD_WIDE : 0);
                }
                plan_reset(&plan, 0);
                commit_enter();
                plan_fetch_lines(&plan, lines, counts[i]);
                assert_int_equal(plan_lines(&plan, lines, counts[i], false, &out.document),
                                 PLAN_COMMIT);
                check_lines(&plan, lines, counts[i], &out);
                assert_true(plan_lines_begin(&plan, counts[i]));
                for (uint32_t line = 0; line < counts[i]; line++) {
                    struct content_line drawn = drawn_line(&out, line);
                    assert_true(plan_lines_add(&plan, drawn.stock, line, drawn.quantity));
                }
                assert_int_equal(plan_lines_end(&plan), PLAN_COMMIT);
                check_lines(&plan, lines, counts[i], &out);
                commit_leave();
            }
            plan_destroy(&plan);
        }
    }
}

static void test_lines_not_found(void **state) {
    struct shop *shop = *state;
    cellar_line lines[40];
    static struct drawn out;
    fill(shop);
    for (uint32_t at = 0; at < 40; at++) {
        struct plan plan;
        for (uint32_t i = 0; i < 40; i++) {
            lines[i] = shop_line(skus[i], 0, 1, 0);
        }
        lines[at] = at % 3 == 0   ? shop_line("ghost", 0, 1, 0)
                    : at % 3 == 1 ? shop_line(skus[at], 1, 1, 0)
                                  : (cellar_line){.product = PRODUCTS + 1, .quantity = 1};
        plan_create(&plan, shop->store->store);
        commit_enter();
        assert_int_equal(plan_lines(&plan, lines, 40, false, &out.document), PLAN_REFUSED);
        commit_leave();
        shop_check_refusal(&plan.refusal, CELLAR_NOT_FOUND, at, 0, 0);
        plan_destroy(&plan);
    }
}

static void test_sums_beyond_the_range(void **state) {
    struct shop *shop = *state;
    static cellar_line lines[CELLAR_LINES_MAX];
    static struct drawn out = {.document.flags = PAYLOAD_WIDE};
    fill(shop);
    for (int sign = -1; sign <= 1; sign += 2) {
        struct plan plan;
        for (uint32_t i = 0; i < CELLAR_LINES_MAX; i++) {
            lines[i] =
                (cellar_line){.product = i == 0 ? 1 : 2, .quantity = sign * CELLAR_AMOUNT_MAX};
        }
        plan_create(&plan, shop->store->store);
        commit_enter();
        assert_int_equal(plan_lines(&plan, lines, CELLAR_LINES_MAX, false, &out.document),
                         PLAN_REFUSED);
        commit_leave();
        shop_check_refusal(&plan.refusal, CELLAR_OVERFLOW, 1, 0, 0);
        plan_destroy(&plan);
    }
}

static void test_fingerprints(void **unused) {
    static const cellar_line base[2] = {{.sku = "a", .location = 1, .quantity = 2, .unit_price = 3},
                                        {.product = 4, .quantity = 5}};
    cellar_line lines[2];
    uint64_t hash = plan_hash_lines(9, base, 2, true);
    (void)unused;
    memcpy(lines, base, sizeof lines);
    assert_true(plan_hash_lines(9, lines, 2, true) == hash);
    assert_true(plan_hash_lines(8, lines, 2, true) != hash);
    assert_true(plan_hash_lines(9, lines, 1, true) != hash);
    for (int member = 0; member < 7; member++) {
        memcpy(lines, base, sizeof lines);
        switch (member) {
        case 0:
            lines[0].sku = "b";
            break;
        case 1:
            lines[0].sku = NULL;
            break;
        case 2:
            lines[0].location = 0;
            break;
        case 3:
            lines[0].quantity = -2;
            break;
        case 4:
            lines[1].product = 5;
            break;
        case 5:
            lines[1].sku = "4";
            break;
        default:
            lines[0] = base[1];
            lines[1] = base[0];
            break;
        }
        assert_true(plan_hash_lines(9, lines, 2, true) != hash);
        assert_true(plan_hash_lines(9, lines, 2, false) != plan_hash_lines(9, base, 2, false));
    }
    /* What a call ignores: the product beside a SKU, the price where there is none. */
    memcpy(lines, base, sizeof lines);
    lines[0].product = 77;
    assert_true(plan_hash_lines(9, lines, 2, true) == hash);
    lines[1].unit_price = 1;
    assert_true(plan_hash_lines(9, lines, 2, true) != hash);
    assert_true(plan_hash_lines(9, lines, 2, false) == plan_hash_lines(9, base, 2, false));
    assert_true(plan_hash_text(1, NULL) == plan_hash_text(1, ""));
    assert_true(plan_hash_text(1, "a") != plan_hash_text(1, "A"));
    assert_true(plan_hash_text(plan_hash_text(1, "ab"), "c") !=
                plan_hash_text(plan_hash_text(1, "a"), "bc"));
}

static void test_no_memory(void **state) {
    struct shop *shop = *state;
    struct memory *memory = shop->store->memory;
    struct plan plan;
    struct cell_content zero = {0, 0};
    cellar_line lines[30];
    static struct drawn out;
    fill(shop);
    shop_settle(shop);
    for (int i = 0; i < 30; i++) {
        lines[i] = shop_line(skus[i], 0, 1, 0);
    }
    plan_create(&plan, shop->store->store);
    for (uint32_t cell = 0; cell < PLAN_CHANGES_INLINE; cell++) {
        assert_true(plan_write(&plan, cell, zero, 1));
    }
    assert_non_null(plan_append(&plan, PLAN_PAYLOAD_INLINE));
    memory_fail_after(memory, 0, 1);
    assert_false(plan_write(&plan, PLAN_CHANGES_INLINE, zero, 1));
    assert_null(plan_append(&plan, 8));
    commit_enter();
    assert_int_equal(plan_lines(&plan, lines, 30, false, &out.document), PLAN_NO_MEMORY);
    commit_leave();
    memory_fail_after(memory, -1, 0);
    assert_int_equal(plan.change_count, PLAN_CHANGES_INLINE);
    assert_int_equal(plan.payload_bytes, PLAN_PAYLOAD_INLINE);
    assert_true(plan_write(&plan, PLAN_CHANGES_INLINE, zero, 1));
    plan_destroy(&plan);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_bytes),   SHOP_TEST(test_payload_grows),
        SHOP_TEST(test_changes_are_sorted),  SHOP_TEST(test_lines_are_added_up),
        SHOP_TEST(test_lines_not_found),     SHOP_TEST(test_sums_beyond_the_range),
        cmocka_unit_test(test_fingerprints), SHOP_TEST(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
