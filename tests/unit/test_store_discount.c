/* Is a discount computed and split exactly as the header says, for every input, without overflow?
 * Compared with a slow computation in 128 bits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/discount.h"
#include "support/random.h"

#include <string.h>

__extension__ typedef __int128 wide;

#define LINES_MAX 12

static struct random shared;

static void test_table(void **unused) {
    static const struct {
        struct discount_rules rules;
        int64_t amounts[4];
        int64_t shares[4];
        int64_t total;
        bool good;
    } rows[] = {
        /* {kind, value, cap, minimum}  amounts  shares  total  good */
        {{DISCOUNT_NONE, 0, 0, 0}, {100}, {0}, 0, true},
        {{DISCOUNT_NONE, 0, 0, 500}, {0}, {0}, 0, true},
        {{DISCOUNT_AMOUNT, 30, 0, 0}, {100, 200}, {10, 20}, 30, true},
        {{DISCOUNT_AMOUNT, 500, 0, 0}, {100, 200}, {100, 200}, 300, true},
        {{DISCOUNT_AMOUNT, 500, 40, 0}, {100, 100}, {20, 20}, 40, true},
        {{DISCOUNT_AMOUNT, 10, 0, 300}, {100, 200}, {3, 7}, 10, true},
        {{DISCOUNT_AMOUNT, 10, 0, 301}, {100, 200}, {0, 0}, 0, false},
        {{DISCOUNT_AMOUNT, 10, 0, 0}, {0, 0}, {0, 0}, 0, false},
        {{DISCOUNT_AMOUNT, 10, 0, 0}, {-50, 20}, {0, 10}, 10, true},
        {{DISCOUNT_PERCENT, 1000, 0, 0}, {99}, {9}, 9, true},
        {{DISCOUNT_PERCENT, 10000, 0, 0}, {99, 1}, {99, 1}, 100, true},
        {{DISCOUNT_PERCENT, 1, 0, 0}, {9999}, {0}, 0, true},
        {{DISCOUNT_PERCENT, 1, 0, 0}, {10000}, {1}, 1, true},
        /* More than can be summed up, which no request can have. */
        {{DISCOUNT_AMOUNT, 10, 0, 0}, {INT64_MAX, 1}, {0, 0}, 0, false},
        {{DISCOUNT_NONE, 0, 0, 0}, {INT64_MAX, 1}, {0, 0}, 0, true},
        /* Equal remainders: the first lines get what is left. */
        {{DISCOUNT_AMOUNT, 2, 0, 0}, {5, 5, 5}, {1, 1, 0}, 2, true},
        /* The largest remainder, though last. */
        {{DISCOUNT_AMOUNT, 1, 0, 0}, {1, 1, 3}, {0, 0, 1}, 1, true},
    };
    (void)unused;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct discount_line lines[4] = {0};
        int64_t total;
        int64_t sum;
        for (size_t k = 0; k < 4; k++) {
            lines[k].amount = rows[i].amounts[k];
            lines[k].eligible = true;
        }
        bool good = discount_compute(&rows[i].rules, lines, 4, &total, &sum);
        if (good != rows[i].good || total != rows[i].total) {
            fail_msg("row %zu: %d, total %lld", i, good, (long long)total);
        }
        for (size_t k = 0; k < 4; k++) {
            if (lines[k].discount != rows[i].shares[k]) {
                fail_msg("row %zu, line %zu: %lld", i, k, (long long)lines[k].discount);
            }
        }
    }
}

/* Amounts of every size. */
static int64_t draw_amount(void) {
    int64_t amount = (int64_t)(random_next(&shared) >> (5 + random_below(&shared, 59)));
    return random_below(&shared, 8) == 0 ? -amount : amount;
}

static void check_random(const struct discount_rules *rules, struct discount_line *lines,
                         size_t count) {
    wide sum = 0;
    for (size_t i = 0; i < count; i++) {
        sum += lines[i].eligible && lines[i].amount > 0 ? lines[i].amount : 0;
    }
    wide expected = rules->kind == DISCOUNT_PERCENT ? sum * rules->value / 10000 : rules->value;
    expected = rules->cap != 0 && expected > rules->cap ? rules->cap : expected;
    expected = expected > sum ? sum : expected;
    bool good = sum > 0 && sum <= INT64_MAX && sum >= rules->minimum;
    int64_t total;
    int64_t told;
    assert_int_equal(discount_compute(rules, lines, count, &total, &told), good);
    assert_true(total == (good ? expected : 0));
    wide given = 0;
    for (size_t i = 0; i < count; i++) {
        const struct discount_line *line = &lines[i];
        bool counts = good && line->eligible && line->amount > 0;
        wide floor = counts ? (wide)total * line->amount / sum : 0;
        wide remainder = counts ? (wide)total * line->amount % sum : 0;
        assert_true(line->discount == floor || line->discount == floor + 1);
        assert_true(line->discount >= 0 && (line->discount == 0 || line->discount <= line->amount));
        assert_true(counts || line->discount == 0);
        given += line->discount;
        /* Nobody with a smaller remainder, or an equal one further on, got a unit that this line
         * did not get. */
        for (size_t k = 0; counts && line->discount == floor && k < count; k++) {
            const struct discount_line *other = &lines[k];
            if (!other->eligible || other->amount <= 0 || k == i) {
                continue;
            }
            wide rest = (wide)total * other->amount % sum;
            bool before = rest > remainder || (rest == remainder && k < i);
            assert_true(before || other->discount == (wide)total * other->amount / sum);
        }
    }
    assert_true(given == total);
}

static void test_random(void **unused) {
    (void)unused;
    for (int i = 0; i < 30000; i++) {
        struct discount_line lines[LINES_MAX] = {0};
        size_t count = 1 + random_below(&shared, LINES_MAX);
        bool equal = random_below(&shared, 4) == 0;
        int64_t amount = draw_amount();
        for (size_t k = 0; k < count; k++) {
            lines[k].amount = equal ? amount : draw_amount();
            lines[k].eligible = random_below(&shared, 5) != 0;
        }
        bool percent = random_below(&shared, 2) == 0;
        int64_t value = draw_amount();
        const struct discount_rules rules = {
            .kind = percent ? DISCOUNT_PERCENT : DISCOUNT_AMOUNT,
            .value = percent     ? (int64_t)random_below(&shared, 10001)
                     : value < 0 ? -value
                                 : value,
            .cap = random_below(&shared, 2) == 0 ? 0 : llabs(draw_amount()),
            .minimum = random_below(&shared, 2) == 0 ? 0 : llabs(draw_amount())};
        check_random(&rules, lines, count);
    }
}

/* Shares of the pieces of a line, taken in any parts, add up to the whole. */
static void test_parts(void **unused) {
    (void)unused;
    assert_int_equal(discount_part(10, 3, 0, 1), 3);
    assert_int_equal(discount_part(10, 3, 1, 1), 3);
    assert_int_equal(discount_part(10, 3, 2, 1), 4);
    assert_int_equal(discount_part(INT64_MAX, INT64_MAX, 0, INT64_MAX), INT64_MAX);
    for (int i = 0; i < 20000; i++) {
        int64_t total = llabs(draw_amount());
        int64_t quantity = 1 + (int64_t)(random_next(&shared) >> (2 + random_below(&shared, 60)));
        int64_t done = 0;
        int64_t given = 0;
        while (done < quantity) {
            int64_t part = 1 + (int64_t)random_below(&shared, (uint64_t)(quantity - done));
            int64_t share = discount_part(total, quantity, done, part);
            wide low = (wide)total * part / quantity;
            assert_true(share >= low && share <= low + 1);
            given += share;
            done += part;
        }
        assert_true(given == total);
    }
}

static void test_scope(void **unused) {
    static const uint32_t products[] = {3, 9};
    static const uint8_t bytes[] = {3, 1};
    static const struct {
        uint32_t product_count, category_count, product;
        const char *category;
        bool selected;
    } rows[] = {
        /* products  categories  product  category  selected */
        {0, 0, 5, "x", true},     {2, 0, 9, "", true},    {2, 0, 5, "tea", false},
        {1, 0, 9, "", false},     {0, 2, 3, "tea", true}, {0, 2, 3, "t", false},
        {0, 2, 3, "x", true},     {0, 1, 3, "x", false},  {2, 2, 5, "x", true},
        {2, 2, 5, "teax", false}, {2, 2, 5, "", false},
    };
    (void)unused;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct discount_scope scope = {products, rows[i].product_count, "teax", bytes,
                                             rows[i].category_count};
        if (discount_selects(&scope, rows[i].product, rows[i].category, strlen(rows[i].category)) !=
            rows[i].selected) {
            fail_msg("row %zu", i);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_scope),
    };
    shared.state = random_seed_of_run();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
