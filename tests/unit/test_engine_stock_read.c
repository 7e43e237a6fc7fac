/* Is what is read of a stock - its numbers, a snapshot of many, its history - that of one instant,
 * and does the history account for every unit? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/shop.h"

#include <stdlib.h>
#include <string.h>

static void change_stock(struct shop *shop, cellar_movement_kind kind, uint64_t id,
                         cellar_line line, const char *reference) {
    cellar_stock_change change = {
        .id = {0, id}, .lines = &line, .line_count = 1, .reason = 7, .reference = reference};
    cellar_status status = CELLAR_INVALID_ARGUMENT;
    if (kind == CELLAR_MOVEMENT_RECEIVED) {
        status = cellar_stock_receive(shop->store, NULL, &change, NULL, NULL);
    } else if (kind == CELLAR_MOVEMENT_ADJUSTED) {
        status = cellar_stock_adjust(shop->store, NULL, &change, NULL, NULL);
    } else if (kind == CELLAR_MOVEMENT_SET_ASIDE) {
        status = cellar_stock_set_aside(shop->store, NULL, &change, NULL, NULL);
    } else if (kind == CELLAR_MOVEMENT_ANNOUNCED) {
        status = cellar_stock_announce(shop->store, NULL, &change, NULL, NULL);
    }
    assert_int_equal(status, CELLAR_OK);
}

/* Does everything there is to "a" once. */
static void live_a_life(struct shop *shop) {
    cellar_line line = shop_line("a", 0, 4, 100);
    cellar_order_request back = shop_order_request(3, &line, 1);
    shop_product(shop, "a");
    change_stock(shop, CELLAR_MOVEMENT_RECEIVED, 0, shop_line("a", 0, 50, 0), "first");
    change_stock(shop, CELLAR_MOVEMENT_ADJUSTED, 11, shop_line("a", 0, -2, 0), NULL);
    change_stock(shop, CELLAR_MOVEMENT_SET_ASIDE, 0, shop_line("a", 0, 3, 0), "broken");
    change_stock(shop, CELLAR_MOVEMENT_ANNOUNCED, 0, shop_line("a", 0, 9, 0), NULL);
    line = shop_line("a", 0, 5, 0);
    assert_int_equal(cellar_stock_take(shop->store, NULL, &line, NULL, NULL), CELLAR_OK);
    line.quantity = 41;
    assert_int_equal(cellar_stock_count(shop->store, NULL, &line, 0, NULL, NULL), CELLAR_OK);
    line.quantity = 1;
    assert_int_equal(cellar_stock_move(shop->store, NULL, shop_id(4), &line, 2, NULL, NULL),
                     CELLAR_OK);
    line.quantity = 10;
    assert_int_equal(cellar_stock_set_safety(shop->store, NULL, &line, 0, NULL, NULL), CELLAR_OK);
    shop_order(shop, 1, "a", 6, CELLAR_ORDER_PLACED);
    assert_int_equal(cellar_order_cancel(shop->store, NULL, shop_id(1), NULL, NULL), CELLAR_OK);
    shop_status(shop, "a", CELLAR_PRODUCT_DISCONTINUED);
    line.quantity = 4;
    assert_int_equal(cellar_stock_set_safety(shop->store, NULL, &line, 0, NULL, NULL), CELLAR_OK);
    line.quantity = 2;
    assert_int_equal(cellar_order_return(shop->store, NULL, &back, false, NULL, NULL), CELLAR_OK);
    back.id = shop_id(5);
    back.reference = "worn";
    assert_int_equal(cellar_order_return(shop->store, NULL, &back, true, NULL, NULL), CELLAR_OK);
}

struct entry {
    cellar_movement_kind kind;
    int64_t change, available;
    uint64_t high, low;
    uint32_t reason;
    const char *reference;
};
static const struct entry life[] = {
    /* kind  change  available  id  reason  reference; newest first */
    {CELLAR_MOVEMENT_RETURNED, 0, 42, 0x5a, 5, 0, "worn"},
    {CELLAR_MOVEMENT_RETURNED, 2, 42, 0x5a, 3, 0, ""},
    {CELLAR_MOVEMENT_SAFETY, 0, 40, 0, 0, 0, ""},
    {CELLAR_MOVEMENT_STATUS, 0, 40, 0, 0, 0, ""},
    {CELLAR_MOVEMENT_CANCELLED, 6, 40, 0x5a, 1, 0, ""},
    {CELLAR_MOVEMENT_ORDERED, -6, 34, 0x5a, 1, 0, ""},
    {CELLAR_MOVEMENT_SAFETY, 0, 40, 0, 0, 0, ""},
    {CELLAR_MOVEMENT_MOVED, -1, 40, 0x5a, 4, 0, ""},
    {CELLAR_MOVEMENT_COUNTED, 1, 41, 0, 0, 0, ""},
    {CELLAR_MOVEMENT_TAKEN, -5, 40, 0, 0, 0, ""},
    {CELLAR_MOVEMENT_ANNOUNCED, 0, 45, 0, 0, 7, ""},
    {CELLAR_MOVEMENT_SET_ASIDE, -3, 45, 0, 0, 7, "broken"},
    {CELLAR_MOVEMENT_ADJUSTED, -2, 48, 0, 11, 7, ""},
    {CELLAR_MOVEMENT_RECEIVED, 50, 50, 0, 0, 7, "first"},
    {CELLAR_MOVEMENT_OPENED, 0, 0, 0, 0, 0, ""},
};
#define LIFE (sizeof life / sizeof *life)

static void check_movement(const cellar_movement *movement, const struct entry *entry) {
    assert_int_equal(movement->kind, entry->kind);
    assert_int_equal(movement->change, entry->change);
    assert_int_equal(movement->available, entry->available);
    assert_int_equal(movement->id.high, entry->high);
    assert_int_equal(movement->id.low, entry->low);
    assert_int_equal(movement->reason, entry->reason);
    assert_string_equal(movement->reference, entry->reference);
}

/* Pages of every size, from the ring and, after an opening, from the log's files. */
static void test_history(void **state) {
    struct shop *shop = *state;
    cellar_line line = shop_line("a", 0, 0, 0);
    cellar_movement page[LIFE + 1];
    live_a_life(shop);
    for (int opening = 0; opening < 2; opening++) {
        for (size_t capacity = 1; capacity <= LIFE + 1; capacity++) {
            size_t seen = 0;
            size_t count = capacity;
            uint64_t before = 0;
            while (count == capacity) {
                assert_int_equal(
                    cellar_stock_history(shop->store, &line, before, page, capacity, &count),
                    CELLAR_OK);
                for (size_t i = 0; i < count; i++) {
                    assert_true(seen < LIFE);
                    check_movement(&page[i], &life[seen++]);
                    before = page[i].lsn;
                }
            }
            assert_int_equal(seen, LIFE);
        }
        shop_reopen(shop);
    }
    line.location = 2;
    size_t count;
    assert_int_equal(cellar_stock_history(shop->store, &line, 0, page, LIFE, &count), CELLAR_OK);
    assert_int_equal(count, 3);
    assert_int_equal(page[0].kind, CELLAR_MOVEMENT_STATUS);
    assert_int_equal(page[1].kind, CELLAR_MOVEMENT_MOVED);
    assert_int_equal(page[1].change, 1);
    assert_int_equal(page[2].kind, CELLAR_MOVEMENT_OPENED);
}

static void test_history_refuses(void **state) {
    struct shop *shop = *state;
    cellar_movement page[4];
    size_t count = 0;
    cellar_line a = shop_line("a", 0, 0, 0);
    cellar_line b = shop_line("b", 0, 0, 0);
    cellar_line away = shop_line("a", 7, 0, 0);
    cellar_line ghost = shop_line("ghost", 0, 0, 0);
    cellar_line empty = shop_line("", 0, 0, 0);
    cellar_line none = {.product = 0};
    live_a_life(shop);
    shop_goods(shop, "b", 3);
    uint64_t newest = shop_stock(shop, "a", 0).version;
    uint64_t of_b = shop_stock(shop, "b", 0).version;
    const struct {
        const cellar_line *line;
        uint64_t before;
        size_t capacity;
        cellar_status status;
    } rows[] = {
        /* line  before  capacity  answer */
        {&a, newest, 4, CELLAR_OK},
        {&a, of_b, 4, CELLAR_INVALID_ARGUMENT}, /* another stock's */
        {&a, newest + 64, 4, CELLAR_INVALID_ARGUMENT},
        {&a, newest + 1, 4, CELLAR_INVALID_ARGUMENT},
        {&a, 1, 4, CELLAR_INVALID_ARGUMENT},
        {&a, UINT64_MAX, 4, CELLAR_INVALID_ARGUMENT},
        {&a, UINT64_MAX - 63, 4, CELLAR_INVALID_ARGUMENT},
        {&a, 0, 0, CELLAR_INVALID_ARGUMENT},
        {&a, 0, CELLAR_PAGE_MAX + 1, CELLAR_INVALID_ARGUMENT},
        {&away, 0, 4, CELLAR_NOT_FOUND},
        {&ghost, 0, 4, CELLAR_NOT_FOUND},
        {&empty, 0, 4, CELLAR_INVALID_ARGUMENT},
        {&none, 0, 4, CELLAR_INVALID_ARGUMENT},
        {NULL, 0, 4, CELLAR_INVALID_ARGUMENT},
        {&b, 0, 4, CELLAR_OK},
    };
    for (int opening = 0; opening < 2; opening++) {
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            assert_int_equal(cellar_stock_history(shop->store, rows[i].line, rows[i].before, page,
                                                  rows[i].capacity, &count),
                             rows[i].status);
        }
        shop_reopen(shop);
    }
    assert_int_equal(cellar_stock_history(shop->store, &a, 0, NULL, 4, &count),
                     CELLAR_INVALID_ARGUMENT);
    assert_int_equal(cellar_stock_history(shop->store, &a, 0, page, 4, NULL),
                     CELLAR_INVALID_ARGUMENT);
}

static void test_get(void **state) {
    struct shop *shop = *state;
    shop_product(shop, "a");
    shop_product(shop, "b");
    cellar_stock fresh = shop_stock(shop, "b", 0);
    assert_int_equal(fresh.available, 0);
    assert_true(fresh.version > 0);
    shop_receive(shop, "a", 0, 20);
    change_stock(shop, CELLAR_MOVEMENT_SET_ASIDE, 0, shop_line("a", 0, 3, 0), NULL);
    change_stock(shop, CELLAR_MOVEMENT_ANNOUNCED, 0, shop_line("a", 0, 9, 0), NULL);
    shop_order(shop, 1, "a", 4, CELLAR_ORDER_PLACED);
    shop_order(shop, 2, "a", 2, CELLAR_ORDER_PAID);
    shop_order(shop, 3, "a", 1, CELLAR_ORDER_FULFILLED);
    shop_settle(shop);
    for (int by_id = 0; by_id < 2; by_id++) {
        /* A line's quantity is not looked at, nor the product when there is a SKU. */
        cellar_line line = {.sku = by_id ? NULL : "a", .product = by_id ? 1 : 99, .quantity = -7};
        cellar_stock stock;
        memset(&stock, 0xee, sizeof stock);
        assert_int_equal(cellar_stock_get(shop->store, &line, &stock), CELLAR_OK);
        assert_int_equal(stock.available, 10);
        assert_int_equal(stock.reserved, 6);
        assert_int_equal(stock.unsellable, 3);
        assert_int_equal(stock.incoming, 9);
        assert_int_equal(stock.safety, 0);
        assert_int_equal(stock.on_hand, 19);
    }
    cellar_line line = {.product = 1};
    cellar_stock stock;
    assert_int_equal(cellar_stock_get(shop->store, &line, NULL), CELLAR_INVALID_ARGUMENT);
    assert_int_equal(cellar_stock_get(shop->store, NULL, &stock), CELLAR_INVALID_ARGUMENT);
    line.product = 0;
    assert_int_equal(cellar_stock_get(shop->store, &line, &stock), CELLAR_INVALID_ARGUMENT);
    line.product = 3;
    assert_int_equal(cellar_stock_get(shop->store, &line, &stock), CELLAR_NOT_FOUND);
    line = shop_line("a", 1, 0, 0);
    assert_int_equal(cellar_stock_get(shop->store, &line, &stock), CELLAR_NOT_FOUND);
}

static void test_snapshot(void **state) {
    struct shop *shop = *state;
    cellar_line *lines = calloc(CELLAR_LINES_MAX + 1, sizeof *lines);
    int64_t *available = calloc(CELLAR_LINES_MAX + 1, sizeof *available);
    uint64_t lsn = 0;
    cellar_refusal refusal;
    shop_goods(shop, "a", 20);
    shop_goods(shop, "b", 30);
    shop_receive(shop, "b", 4, 40);
    cellar_line safety = shop_line("a", 0, 5, 0);
    assert_int_equal(cellar_stock_set_safety(shop->store, NULL, &safety, 0, NULL, NULL), CELLAR_OK);
    shop_status(shop, "b", CELLAR_PRODUCT_DISCONTINUED);
    uint64_t newest = shop_stock(shop, "b", 4).version;
    shop_settle(shop);
    for (size_t i = 0; i <= CELLAR_LINES_MAX; i++) {
        lines[i] = i % 2 == 0 ? shop_line("a", 0, 0, 0) : shop_line("b", i % 4 == 1 ? 0 : 4, 0, 0);
    }
    assert_int_equal(
        cellar_stock_snapshot(shop->store, lines, CELLAR_LINES_MAX, available, &lsn, &refusal),
        CELLAR_OK);
    assert_true(lsn > newest);
    for (size_t i = 0; i < CELLAR_LINES_MAX; i++) {
        assert_int_equal(available[i], i % 2 == 0 ? 20 : i % 4 == 1 ? 30 : 40);
    }
    assert_int_equal(available[CELLAR_LINES_MAX], 0);
    cellar_status status =
        cellar_stock_snapshot(shop->store, lines, CELLAR_LINES_MAX + 1, available, &lsn, &refusal);
    shop_check_invalid(&refusal, status, CELLAR_NO_LINE, "line_count");
    status = cellar_stock_snapshot(shop->store, lines, 0, available, &lsn, &refusal);
    shop_check_invalid(&refusal, status, CELLAR_NO_LINE, "line_count");
    status = cellar_stock_snapshot(shop->store, NULL, 1, available, &lsn, &refusal);
    assert_int_equal(status, CELLAR_INVALID_ARGUMENT);
    status = cellar_stock_snapshot(shop->store, lines, 1, NULL, &lsn, &refusal);
    assert_int_equal(status, CELLAR_INVALID_ARGUMENT);
    lines[5] = (cellar_line){.location = 0};
    status = cellar_stock_snapshot(shop->store, lines, 10, available, &lsn, &refusal);
    assert_int_equal(status, CELLAR_INVALID_ARGUMENT);
    lines[5] = shop_line("a", 9, 0, 0);
    assert_int_equal(cellar_stock_snapshot(shop->store, lines, 10, available, &lsn, &refusal),
                     CELLAR_NOT_FOUND);
    shop_check_refusal(&refusal, CELLAR_NOT_FOUND, 5, 0, 0);
    assert_int_equal(cellar_stock_snapshot(shop->store, lines, 10, available, NULL, NULL),
                     CELLAR_NOT_FOUND);
    free(lines);
    free(available);
}

/* Units added to what an order, a return or a move brings back are kept within the range. */
static void test_cancel_does_not_pass_the_range(void **state) {
    struct shop *shop = *state;
    cellar_refusal refusal;
    shop_goods(shop, "a", CELLAR_AMOUNT_MAX);
    cellar_line line = shop_line("a", 0, 10, 0);
    cellar_order_request order = shop_order_request(1, &line, 1);
    assert_int_equal(cellar_order_place(shop->store, NULL, &order, NULL, NULL), CELLAR_OK);
    shop_receive(shop, "a", 0, 10);
    shop_freeze(shop);
    assert_int_equal(cellar_order_cancel(shop->store, NULL, shop_id(1), NULL, &refusal),
                     CELLAR_OVERFLOW);
    shop_check_frozen(shop, "after an overflow");
    line.quantity = 1;
    assert_int_equal(cellar_stock_take(shop->store, NULL, &line, NULL, NULL), CELLAR_OK);
    line.quantity = 9;
    assert_int_equal(cellar_stock_take(shop->store, NULL, &line, NULL, NULL), CELLAR_OK);
    assert_int_equal(cellar_order_cancel(shop->store, NULL, shop_id(1), NULL, &refusal), CELLAR_OK);
    assert_int_equal(shop_available(shop, "a", 0), CELLAR_AMOUNT_MAX);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SHOP_TEST(test_history),         SHOP_TEST_ORACLE(test_history),
        SHOP_TEST(test_history_refuses), SHOP_TEST(test_get),
        SHOP_TEST(test_snapshot),        SHOP_TEST(test_cancel_does_not_pass_the_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
