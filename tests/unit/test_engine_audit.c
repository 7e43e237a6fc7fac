/* Does the audit count everything, and does it find each thing that is made wrong behind its back?
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/bend.h"
#include "support/orders.h"

#include <string.h>

/* One of everything: "a" (10 here, 5 at location 2, 3 of them damaged, 4 announced), "b"; accounts
 * 1 and 2; order 1 placed, 2 paid, 3 fulfilled, 4 cancelled, 5 a return; a transfer. */
static void fill(struct shop *shop) {
    cellar_line line = shop_line("a", 0, 3, 0);
    cellar_stock_change change = {.lines = &line, .line_count = 1};
    shop_goods(shop, "a", 30);
    shop_receive(shop, "a", 2, 5);
    shop_goods(shop, "b", 50);
    assert_int_equal(cellar_stock_set_aside(shop->store, NULL, &change, NULL, NULL), CELLAR_OK);
    line.quantity = 4;
    assert_int_equal(cellar_stock_announce(shop->store, NULL, &change, NULL, NULL), CELLAR_OK);
    assert_int_equal(cellar_stock_take(shop->store, NULL, &line, NULL, NULL), CELLAR_OK);
    line.quantity = -2;
    assert_int_equal(cellar_stock_adjust(shop->store, NULL, &change, NULL, NULL), CELLAR_OK);
    line = shop_line("b", 0, 45, 0);
    assert_int_equal(cellar_stock_count(shop->store, NULL, &line, 0, NULL, NULL), CELLAR_OK);
    line = shop_line("b", 0, 6, 0);
    assert_int_equal(cellar_stock_move(shop->store, NULL, shop_id(20), &line, 4, NULL, NULL),
                     CELLAR_OK);
    shop_account(shop, 1, 0, 2000);
    shop_account(shop, 2, -500, -20);
    assert_int_equal(cellar_account_transfer(shop->store, NULL, shop_id(21), 1, 2, 70, NULL, NULL),
                     CELLAR_OK);
    shop_order(shop, 1, "a", 2, CELLAR_ORDER_PLACED);
    shop_order(shop, 2, "a", 3, CELLAR_ORDER_PLACED);
    assert_int_equal(cellar_order_pay(shop->store, NULL, shop_id(2), 1, NULL, NULL), CELLAR_OK);
    shop_order(shop, 3, "b", 5, CELLAR_ORDER_FULFILLED);
    shop_order(shop, 4, "b", 7, CELLAR_ORDER_PLACED);
    assert_int_equal(cellar_order_cancel(shop->store, NULL, shop_id(4), NULL, NULL), CELLAR_OK);
    cellar_line lines[] = {shop_line("b", 0, 1, 100), shop_line("b", 4, 1, 50)};
    cellar_order_request back = shop_order_request(5, lines, 2);
    back.customer = 8;
    back.account = 2;
    assert_int_equal(cellar_order_return(shop->store, NULL, &back, true, NULL, NULL), CELLAR_OK);
    shop_settle(shop);
}

static void test_totals(void **state) {
    struct shop *shop = *state;
    fill(shop);
    for (int opening = 0; opening < 2; opening++) {
        cellar_totals totals = shop_audit(shop).totals;
        const struct {
            const char *name;
            int64_t is, expected;
        } rows[] = {
            {"products", (int64_t)totals.products, 2},
            {"stocks", (int64_t)totals.stocks, 4},
            {"accounts", (int64_t)totals.accounts, 2},
            {"customers", (int64_t)totals.customers, 1},
            {"other documents", (int64_t)totals.orders[0], 2},
            {"placed", (int64_t)totals.orders[1], 1},
            {"paid", (int64_t)totals.orders[2], 1},
            {"fulfilled", (int64_t)totals.orders[3], 1},
            {"cancelled", (int64_t)totals.orders[4], 1},
            {"returned", (int64_t)totals.orders[5], 1},
            {"order lines", (int64_t)totals.order_lines, 4},
            {"return lines", (int64_t)totals.return_lines, 2},
            {"units ordered", totals.units_ordered, 10},
            {"units returned", totals.units_returned, 2},
            {"revenue", totals.revenue, 1000},
            {"returned value", totals.returned_value, 150},
            {"units received", totals.units_received, 85},
            {"units adjusted", totals.units_adjusted, -7},
            {"units taken", totals.units_taken, 4},
            {"units available", totals.units_available, 61},
            {"units reserved", totals.units_reserved, 5},
            {"units unsellable", totals.units_unsellable, 5},
            {"units fulfilled", totals.units_fulfilled, 5},
            {"balances", totals.balances, 1830},
            {"credited", totals.credited, 2150},
            {"debited", totals.debited, 320},
        };
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            if (rows[i].is != rows[i].expected) {
                fail_msg("%s: %lld, not %lld", rows[i].name, (long long)rows[i].is,
                         (long long)rows[i].expected);
            }
        }
        cellar_statistics statistics;
        assert_int_equal(cellar_statistics_get(shop->store, &statistics), CELLAR_OK);
        assert_true(totals.lsn <= statistics.reserved_lsn);
        shop_reopen(shop);
        shop_settle(shop);
    }
}

static void test_empty(void **state) {
    struct shop *shop = *state;
    cellar_totals totals = shop_audit(shop).totals;
    cellar_totals zero = {.lsn = totals.lsn};
    assert_memory_equal(&totals, &zero, sizeof zero);
    assert_int_equal(cellar_audit_run(shop->store, NULL), CELLAR_INVALID_ARGUMENT);
}

/* It covers all that was visible when it was asked for. */
static void test_covers_what_is_visible(void **state) {
    struct shop *shop = *state;
    shop_product(shop, "a");
    for (int i = 1; i <= 200; i++) {
        uint64_t lsn = shop_receive(shop, "a", 0, 1);
        cellar_totals totals = shop_audit(shop).totals;
        assert_true(totals.lsn > lsn);
        assert_int_equal(totals.units_available, i);
    }
}

/* ---- It bites ---- */

static void bend_atomic(_Atomic int64_t *sum, int64_t by) {
    ATOMIC_ADD(sum, by, relaxed);
}

static struct store *store_of(struct shop *shop) {
    return shop->store->store;
}

static uint32_t stock_of(struct shop *shop, const char *sku) {
    return store_find_product(store_of(shop), sku, 0)->stock;
}

static struct store_order *order_of(struct shop *shop, uint64_t id) {
    return store_find_order(store_of(shop), shop_id(id));
}

static uint32_t account_slot(struct shop *shop, uint64_t id) {
    return store_find_account(store_of(shop), id)->slot;
}

static void list_order(struct shop *shop, uint64_t id, int list, bool in) {
    struct index *index = store_of(shop)->orders_by_state[list];
    struct store_order *order = order_of(shop, id);
    uint64_t placed = ATOMIC_LOAD(&order->placed_lsn, relaxed);
    if (in) {
        assert_true(index_insert(index, placed, order->slot));
    } else {
        assert_true(index_remove(index, placed));
    }
}

/* "c" has no units, two are sold and two may be: one more is gone than anybody waits for. The sums
 * over the stock stay right. */
static void oversell(struct shop *shop, int by) {
    uint32_t stock = stock_of(shop, "c");
    bend_cell(shop, store_stock_cell(stock, STORE_STOCK_SELLABLE), -by);
    bend_atomic(&store_of(shop)->stocks[stock].on_hand, -by);
}

/* The limit down to which "c" may be sold was never so low. */
static void bend_limit(struct shop *shop, int by) {
    store_of(shop)->stocks[stock_of(shop, "c")].safety_lowest += 2 * by;
}

/* What has become of the first line of an order of which a part was cancelled. */
static void bend_line(struct shop *shop, uint64_t id, const struct content_progress *by) {
    struct store_progress *progress = ATOMIC_LOAD(&order_of(shop, id)->progress, relaxed);
    assert_non_null(progress);
    progress->lines[0].cancelled += by->cancelled;
    progress->lines[0].fulfilled += by->fulfilled;
    progress->lines[0].returned += by->returned;
}

/* Order 6: of "b", 5 placed and 1 cancelled; 7: expired; 8: of "c", 2 that are not here. */
static void fill_more(struct shop *shop) {
    shop_order(shop, 6, "b", 5, CELLAR_ORDER_PLACED);
    orders_part(shop, CELLAR_EVENT_CANCEL, 6, 60, 0, 1);
    orders_hold(shop, 7, "b", 1, 1);
    orders_pass(shop, 2);
    orders_await(shop, 7, CELLAR_ORDER_EXPIRED);
    shop_product(shop, "c");
    orders_safety(shop, "c", -2);
    shop_order(shop, 8, "c", 2, CELLAR_ORDER_PAID);
    shop_settle(shop);
}

static void list_product(struct shop *shop, uint32_t slot, bool in) {
    struct index *index = store_of(shop)->products_by_status[CELLAR_PRODUCT_ACTIVE];
    assert_true(in ? index_insert(index, slot, slot) : index_remove(index, slot));
}

static struct store_detail *detail_of(struct shop *shop, uint64_t id) {
    return ATOMIC_LOAD(&order_of(shop, id)->detail, relaxed);
}

/* The return, the only document of a customer. */
static struct store_order *returned(struct shop *shop) {
    return order_of(shop, 5);
}

static void list_customer(struct shop *shop, uint32_t slot) {
    ATOMIC_STORE(&store_of(shop)->customers[1].newest, slot, relaxed);
}

/* Each does one thing wrong (`by` 1) and undoes it (`by` -1). */
#define STOCK(which) store_stock_cell(stock_of(shop, "a"), (which))
#define BENDS(X)                                                                                   \
    X(sellable, "sum up", bend_cell(shop, STOCK(STORE_STOCK_SELLABLE), by))                        \
    X(available, "below zero", bend_cell(shop, STOCK(STORE_STOCK_SELLABLE), -1000 * by))           \
    X(unsellable, "sum up", bend_cell(shop, STOCK(STORE_STOCK_UNSELLABLE), by))                    \
    X(unsellable_negative, "below zero",                                                           \
      bend_cell(shop, STOCK(STORE_STOCK_UNSELLABLE), -100 * by))                                   \
    X(incoming, "below zero", bend_cell(shop, STOCK(STORE_STOCK_INCOMING), -100 * by))             \
    X(safety, "below zero", bend_cell(shop, STOCK(STORE_STOCK_SAFETY_CELL), -by))                  \
    X(on_hand, "sum up", bend_atomic(&store_of(shop)->stocks[stock_of(shop, "a")].on_hand, by))    \
    X(reserved, "open orders hold",                                                                \
      (bend_atomic(&store_of(shop)->stocks[stock_of(shop, "a")].reserved, by),                     \
       bend_cell(shop, STOCK(STORE_STOCK_SELLABLE), -by)))                                         \
    X(reserved_negative, "below zero",                                                             \
      bend_atomic(&store_of(shop)->stocks[stock_of(shop, "a")].reserved, -1000 * by))              \
    X(more_missing_than_reserved, "below zero",                                                    \
      bend_atomic(&store_of(shop)->stocks[stock_of(shop, "c")].reserved, -by))                     \
    X(room, "account", bend_cell(shop, store_account_cell(account_slot(shop, 1)), by))             \
    X(below_the_floor, "below its floor",                                                          \
      bend_cell(shop, store_account_cell(account_slot(shop, 2)), -800 * by))                       \
    X(floor, "account", bend_cell(shop, store_floor_cell(account_slot(shop, 2)), -by))             \
    X(order_state, "list", bend_cell(shop, store_order_cell(order_of(shop, 1)->slot), by))         \
    X(order_gone, "orders in state",                                                               \
      bend_cell(shop, store_order_cell(order_of(shop, 4)->slot), -4 * by))                         \
    X(order_no_state, "no such state",                                                             \
      bend_cell(shop, store_order_cell(order_of(shop, 4)->slot), 90 * by))                         \
    X(order_unlisted, "list", list_order(shop, 1, CELLAR_ORDER_PLACED, by < 0))                    \
    X(order_listed_twice, "list", list_order(shop, 3, CELLAR_ORDER_PAID, by > 0))                  \
    X(document_unlisted, "list", list_order(shop, 20, STORE_STATE_OTHER, by < 0))                  \
    X(product_gone, "products", bend_cell(shop, store_product_cell(2), -2 * by))                   \
    X(product_unlisted, "products", list_product(shop, 2, by < 0))                                 \
    X(products, "products", store_of(shop)->totals.products += (uint64_t)by)                       \
    X(sold, "units sold",                                                                          \
      bend_atomic(&store_of(shop)->sold[store_find_product(store_of(shop), "a", 0)->slot], by))    \
    X(accounts, "accounts", store_of(shop)->totals.accounts += (uint64_t)by)                       \
    X(credited, "accounts", store_of(shop)->totals.credited += by)                                 \
    X(balances, "accounts", store_of(shop)->totals.balances += by)                                 \
    X(orders, "orders in state", store_of(shop)->totals.orders[2] += (uint64_t)by)                 \
    X(received, "movements", store_of(shop)->totals.units_received += by)                          \
    X(fulfilled, "movements", store_of(shop)->totals.units_fulfilled += by)                        \
    X(taken, "movements", store_of(shop)->totals.units_taken += by)                                \
    X(more_sold_than_ordered, "below zero", oversell(shop, by))                                    \
    X(below_the_back_orders, "below zero", bend_limit(shop, by))                                   \
    X(more_cancelled_than_there_is, "cancelled",                                                   \
      bend_line(shop, 6, &(struct content_progress){.cancelled = 9 * by}))                         \
    X(less_than_none_cancelled, "cancelled",                                                       \
      bend_line(shop, 6, &(struct content_progress){.cancelled = -9 * by}))                        \
    X(less_than_none_fulfilled, "cancelled",                                                       \
      bend_line(shop, 6, &(struct content_progress){.fulfilled = -9 * by}))                        \
    X(more_returned_than_left, "cancelled",                                                        \
      bend_line(shop, 6, &(struct content_progress){.returned = 9 * by}))                          \
    X(a_unit_forgotten, "open orders hold",                                                        \
      bend_line(shop, 6, &(struct content_progress){.cancelled = by}))                             \
    X(expired, "orders in state", store_of(shop)->totals.orders[6] += (uint64_t)by)                \
    X(customer, "in his list wrongly", returned(shop)->customer += (uint64_t)(int64_t)by)          \
    X(customer_chain, "in his list wrongly", returned(shop)->newer_of_customer += (uint32_t)by)    \
    X(customer_loop, "in his list wrongly",                                                        \
      ATOMIC_STORE(&returned(shop)->older_of_customer, by > 0 ? returned(shop)->slot : 0,          \
                   relaxed))                                                                       \
    X(lines_broken, "content is broken", detail_of(shop, 1)->line_count += (uint32_t)by)           \
    X(customer_list, "but 0 listed", list_customer(shop, by > 0 ? 0 : returned(shop)->slot))       \
    X(expired_unlisted, "list", list_order(shop, 7, CELLAR_ORDER_EXPIRED, by < 0))

BENDS(BEND_FUNCTION)

static void test_it_bites(void **state) {
    struct shop *shop = *state;
    static const struct bend bends[] = {BENDS(BEND_ROW)};
    fill(shop);
    fill_more(shop);
    bend_check(shop, bends, sizeof bends / sizeof *bends);
}

/* Lines that are kept although the order is closed, or not kept although it is open. */
static void test_it_bites_on_lines(void **state) {
    struct shop *shop = *state;
    cellar_audit audit;
    fill(shop);
    struct store_order *open = order_of(shop, 1);
    struct store_order *closed = order_of(shop, 3);
    struct store_detail *detail = ATOMIC_LOAD(&open->detail, relaxed);
    ATOMIC_STORE(&open->detail, NULL, relaxed);
    assert_int_equal(cellar_audit_run(shop->store, &audit), CELLAR_OK);
    ATOMIC_STORE(&open->detail, detail, relaxed);
    assert_true(audit.violations >= 2);
    ATOMIC_STORE(&closed->detail, detail, relaxed);
    assert_int_equal(cellar_audit_run(shop->store, &audit), CELLAR_OK);
    ATOMIC_STORE(&closed->detail, NULL, relaxed);
    assert_true(audit.violations >= 1);
    assert_non_null(strstr(audit.first_violation, "lines"));
}

/* Without memory for itself it says that it has not looked. */
static void test_no_memory(void **state) {
    struct shop *shop = *state;
    fill(shop);
    for (int64_t at = 0; at < 2; at++) {
        cellar_audit audit;
        shop_settle(shop);
        memory_fail_after(NULL, at, 1);
        assert_int_equal(cellar_audit_run(shop->store, &audit), CELLAR_OK);
        memory_fail_after(NULL, -1, 0);
        assert_int_equal(audit.violations, 1);
        assert_string_equal(audit.first_violation, "no memory for the audit itself");
    }
    assert_int_equal(shop_audit(shop).totals.products, 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SHOP_TEST(test_totals),
        SHOP_TEST(test_empty),
        SHOP_TEST(test_covers_what_is_visible),
        SHOP_TEST(test_it_bites),
        SHOP_TEST(test_it_bites_on_lines),
        SHOP_TEST(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
