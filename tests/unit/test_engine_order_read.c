/* Are orders found by id, by customer and by state, newest first, page by page, with their lines,
 * whether they are in memory or on disk only? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/shop.h"

#include <string.h>

#define ORDERS 200

/* Order `id` of 1 + id % 5 lines; customer id % 4 (0: a guest); its state goes by id % 5. */
static cellar_order_state state_of(uint64_t id) {
    return (cellar_order_state)(id % 5 + 1);
}

static uint32_t lines_of(uint64_t id) {
    return 1 + (uint32_t)(id % 5);
}

static void make_order(struct shop *shop, uint64_t id) {
    cellar_line lines[5];
    for (uint32_t i = 0; i < lines_of(id); i++) {
        lines[i] = shop_line(i % 2 == 0 ? "a" : "b", 0, 1 + i, (int64_t)(id * 10 + i));
    }
    cellar_order_request request = shop_order_request(id, lines, lines_of(id));
    request.customer = id % 4;
    request.business_time_ns = (int64_t)id;
    request.reference = id % 2 == 0 ? "even" : "";
    cellar_order_state state = state_of(id);
    if (state == CELLAR_ORDER_RETURNED) {
        assert_int_equal(cellar_order_return(shop->store, NULL, &request, false, NULL, NULL),
                         CELLAR_OK);
        return;
    }
    request.state = state == CELLAR_ORDER_CANCELLED ? 0 : state;
    assert_int_equal(cellar_order_place(shop->store, NULL, &request, NULL, NULL), CELLAR_OK);
    if (state == CELLAR_ORDER_CANCELLED) {
        assert_int_equal(cellar_order_cancel(shop->store, NULL, request.id, NULL, NULL), CELLAR_OK);
    }
}

static void make_orders(struct shop *shop) {
    shop_goods(shop, "a", 1000000);
    shop_goods(shop, "b", 1000000);
    for (uint64_t id = 1; id <= ORDERS; id++) {
        make_order(shop, id);
    }
    shop_settle(shop);
}

static void check_lines(uint64_t id, const cellar_order_line *lines, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(lines[i].product, i % 2 + 1);
        assert_int_equal(lines[i].location, 0);
        assert_int_equal(lines[i].quantity, 1 + i);
        assert_int_equal(lines[i].unit_price, id * 10 + i);
    }
}

static void check_order(uint64_t id, const cellar_order *order) {
    assert_int_equal(order->id.high, 0x5a);
    assert_int_equal(order->id.low, id);
    assert_int_equal(order->state, state_of(id));
    assert_int_equal(order->customer, id % 4);
    assert_int_equal(order->line_count, lines_of(id));
    assert_int_equal(order->business_time_ns, id);
    assert_string_equal(order->reference, id % 2 == 0 ? "even" : "");
}

static void test_get(void **state) {
    struct shop *shop = *state;
    cellar_order order;
    cellar_order_line lines[6];
    make_orders(shop);
    for (uint64_t id = 1; id <= ORDERS; id++) {
        for (size_t capacity = 0; capacity <= 6; capacity++) {
            memset(&order, 0xee, sizeof order);
            memset(lines, 0xee, sizeof lines);
            assert_int_equal(cellar_order_get(shop->store, shop_id(id), &order,
                                              capacity == 0 ? NULL : lines, capacity),
                             CELLAR_OK);
            check_order(id, &order);
            uint32_t count = capacity < lines_of(id) ? (uint32_t)capacity : lines_of(id);
            check_lines(id, lines, count);
            /* Nothing is written behind them. */
            assert_int_equal(((unsigned char *)(lines + count))[0], 0xee);
        }
    }
    assert_int_equal(cellar_order_get(shop->store, shop_id(ORDERS + 1), &order, NULL, 0),
                     CELLAR_NOT_FOUND);
    assert_int_equal(cellar_order_get(shop->store, (cellar_id){0, 0}, &order, NULL, 0),
                     CELLAR_NOT_FOUND);
    assert_int_equal(cellar_order_get(shop->store, shop_id(1), NULL, NULL, 0),
                     CELLAR_INVALID_ARGUMENT);
    assert_int_equal(cellar_order_get(shop->store, shop_id(1), &order, NULL, 1),
                     CELLAR_INVALID_ARGUMENT);
}

static bool is_in(const cellar_order_query *query, uint64_t id) {
    return query->customer != 0 ? id % 4 == query->customer : state_of(id) == query->state;
}

/* Reads the whole list with these capacities; every order is in its place, with all its lines
 * unless there is room for less than one order's. */
static void check_list(struct shop *shop, cellar_order_query query, size_t capacity,
                       size_t lines_capacity) {
    static cellar_order page[ORDERS + 1];
    static cellar_order_line lines[5 * ORDERS];
    cellar_order_line *lines_out = lines_capacity == 0 ? NULL : lines;
    uint64_t next = ORDERS;
    for (;;) {
        size_t count = SIZE_MAX;
        assert_int_equal(cellar_order_list(shop->store, &query, page, capacity, &count, lines_out,
                                           lines_capacity),
                         CELLAR_OK);
        assert_true(count <= capacity);
        size_t used = 0;
        for (size_t i = 0; i < count; i++) {
            while (next > 0 && !is_in(&query, next)) {
                next--;
            }
            assert_true(next > 0);
            check_order(next, &page[i]);
            if (lines_capacity != 0) {
                size_t room = lines_capacity - used;
                assert_true(i == 0 || lines_of(next) <= room);
                check_lines(next, lines + used,
                            lines_of(next) < room ? lines_of(next) : (uint32_t)room);
            }
            used += lines_of(next);
            query.before = page[i].id;
            next--;
        }
        if (count == 0) {
            break;
        }
    }
    for (; next > 0; next--) {
        assert_false(is_in(&query, next));
    }
}

static void test_lists(void **state) {
    struct shop *shop = *state;
    static const struct {
        size_t capacity, lines;
    } rows[] = {
        /* orders a page  lines a page */
        {1, 0}, {7, 0},  {64, 0}, {65, 0}, {ORDERS, 0},
        {1, 1}, {10, 3}, {10, 5}, {10, 7}, {ORDERS, 600},
    };
    make_orders(shop);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (int list = CELLAR_ORDER_PLACED; list <= CELLAR_ORDER_RETURNED; list++) {
            check_list(shop, (cellar_order_query){.state = (cellar_order_state)list},
                       rows[i].capacity, rows[i].lines);
        }
        for (uint64_t customer = 1; customer <= 3; customer++) {
            check_list(shop, (cellar_order_query){.customer = customer}, rows[i].capacity,
                       rows[i].lines);
        }
    }
}

/* What is written behind the lines of a page: nothing beyond the capacity. */
static void test_lines_that_do_not_fit(void **state) {
    struct shop *shop = *state;
    cellar_order page[4];
    cellar_order_line lines[8];
    size_t count;
    cellar_order_query query = {.customer = 2};
    shop_goods(shop, "a", 1000);
    shop_goods(shop, "b", 1000);
    make_order(shop, 2);  /* 3 lines */
    make_order(shop, 6);  /* 2 lines */
    make_order(shop, 14); /* 5 lines */
    shop_settle(shop);
    static const struct {
        size_t lines_capacity, count, written;
    } rows[] = {
        /* room  orders  lines written */
        {1, 1, 1}, {4, 1, 4}, {5, 1, 5}, {6, 1, 6}, {7, 2, 7}, {8, 2, 8},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        memset(lines, 0xee, sizeof lines);
        assert_int_equal(
            cellar_order_list(shop->store, &query, page, 4, &count, lines, rows[i].lines_capacity),
            CELLAR_OK);
        assert_int_equal(count, rows[i].count);
        check_lines(14, lines, rows[i].lines_capacity < 5 ? (uint32_t)rows[i].lines_capacity : 5);
        for (size_t at = rows[i].lines_capacity; at < 8; at++) {
            assert_int_equal(((unsigned char *)(lines + at))[0], 0xee);
        }
    }
}

static void test_refuses(void **state) {
    struct shop *shop = *state;
    static cellar_order page[CELLAR_PAGE_MAX];
    cellar_order_line lines[2];
    size_t count = 7;
    shop_goods(shop, "a", 1000);
    shop_goods(shop, "b", 1000);
    make_order(shop, 1);
    make_order(shop, 2);
    cellar_line line = shop_line("a", 0, 1, 0);
    cellar_stock_change change = {.id = shop_id(50), .lines = &line, .line_count = 1};
    assert_int_equal(cellar_stock_receive(shop->store, NULL, &change, NULL, NULL), CELLAR_OK);
    shop_settle(shop);
    const struct {
        cellar_order_query query;
        size_t capacity;
        cellar_status status;
        size_t count;
    } rows[] = {
        /* query  capacity  answer  orders */
        {{.customer = 1}, CELLAR_PAGE_MAX, CELLAR_OK, 1},
        {{.customer = 1}, CELLAR_PAGE_MAX + 1, CELLAR_INVALID_ARGUMENT, 7},
        {{.customer = 1}, 0, CELLAR_INVALID_ARGUMENT, 7},
        {{.state = 0}, 1, CELLAR_INVALID_ARGUMENT, 7},
        {{.state = (cellar_order_state)7}, 1, CELLAR_INVALID_ARGUMENT, 7},
        {{.state = (cellar_order_state)-1}, 1, CELLAR_INVALID_ARGUMENT, 7},
        {{.customer = 77}, 5, CELLAR_OK, 0},
        {{.customer = 1, .state = (cellar_order_state)99}, 5, CELLAR_OK, 1},
        {{.customer = 1, .before = {0x5a, 9}}, 5, CELLAR_NOT_FOUND, 0},
        {{.state = CELLAR_ORDER_PAID, .before = {0x5a, 9}}, 5, CELLAR_NOT_FOUND, 0},
        /* A document that is no order. */
        {{.state = CELLAR_ORDER_PAID, .before = {0x5a, 50}}, 5, CELLAR_NOT_FOUND, 0},
        {{.customer = 1, .before = {0x5a, 50}}, 5, CELLAR_NOT_FOUND, 0},
        /* Another customer's order is no place in this one's list. */
        {{.customer = 1, .before = {0x5a, 2}}, 5, CELLAR_NOT_FOUND, 0},
        /* An order of another state is a place in time. */
        {{.state = state_of(1), .before = {0x5a, 2}}, 5, CELLAR_OK, 1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        count = 7;
        assert_int_equal(
            cellar_order_list(shop->store, &rows[i].query, page, rows[i].capacity, &count, NULL, 0),
            rows[i].status);
        assert_int_equal(count, rows[i].count);
    }
    cellar_order_query query = {.customer = 1};
    assert_int_equal(cellar_order_list(shop->store, NULL, page, 1, &count, NULL, 0),
                     CELLAR_INVALID_ARGUMENT);
    assert_int_equal(cellar_order_list(shop->store, &query, NULL, 1, &count, NULL, 0),
                     CELLAR_INVALID_ARGUMENT);
    assert_int_equal(cellar_order_list(shop->store, &query, page, 1, NULL, NULL, 0),
                     CELLAR_INVALID_ARGUMENT);
    assert_int_equal(cellar_order_list(shop->store, &query, page, 1, &count, NULL, 2),
                     CELLAR_INVALID_ARGUMENT);
    assert_int_equal(cellar_order_list(shop->store, &query, page, 1, &count, lines, 0), CELLAR_OK);
}

/* While pages are read, orders leave the list and come into it. Those that stay are seen once. */
static void test_pages_while_orders_change(void **state) {
    struct shop *shop = *state;
    bool seen[ORDERS + 1] = {false};
    shop_goods(shop, "a", 1000000);
    for (uint64_t id = 1; id <= ORDERS; id++) {
        shop_order(shop, id, "a", 1, CELLAR_ORDER_PLACED);
    }
    shop_settle(shop);
    cellar_order_query query = {.state = CELLAR_ORDER_PLACED};
    cellar_order page[9];
    size_t count = 9;
    for (uint64_t step = 0; count == 9; step++) {
        assert_int_equal(cellar_order_list(shop->store, &query, page, 9, &count, NULL, 0),
                         CELLAR_OK);
        for (size_t i = 0; i < count; i++) {
            assert_int_equal(page[i].state, CELLAR_ORDER_PLACED);
            assert_false(seen[page[i].id.low]);
            seen[page[i].id.low] = true;
            query.before = page[i].id;
        }
        shop_order(shop, ORDERS + 1 + step, "a", 1, CELLAR_ORDER_PLACED);
        cellar_id leaving = shop_id(step % (ORDERS / 4) * 4 + 4);
        cellar_id last = query.before;
        assert_int_equal(cellar_order_pay(shop->store, NULL, leaving, 0, NULL, NULL), CELLAR_OK);
        /* The order that the next page begins behind may leave, too. */
        assert_int_equal(cellar_order_pay(shop->store, NULL, last, 0, NULL, NULL), CELLAR_OK);
        if (step % 2 == 0) {
            shop_settle(shop);
        }
    }
    for (uint64_t id = 1; id <= ORDERS; id++) {
        assert_true(seen[id] || id % 4 == 0);
    }
}

/* What cannot be read from the log is told, and the order's own record goes on. */
static void test_lines_that_cannot_be_read(void **state) {
    struct shop *shop = *state;
    cellar_order order;
    cellar_order page[4];
    cellar_order_line lines[5];
    size_t count = 9;
    cellar_order_query query = {.state = CELLAR_ORDER_FULFILLED};
    shop_goods(shop, "a", 1000);
    shop_goods(shop, "b", 1000);
    make_order(shop, 2); /* fulfilled */
    make_order(shop, 1); /* paid */
    shop_reopen(shop);
    memory_disk_fail_after(shop->disk, MEMORY_PREAD, 0, 5, true);
    assert_int_equal(cellar_order_get(shop->store, shop_id(2), &order, lines, 5), CELLAR_IO_ERROR);
    assert_int_equal(cellar_order_list(shop->store, &query, page, 4, &count, lines, 5),
                     CELLAR_IO_ERROR);
    assert_int_equal(count, 0);
    query = (cellar_order_query){.customer = 2};
    assert_int_equal(cellar_order_list(shop->store, &query, page, 4, &count, lines, 5),
                     CELLAR_IO_ERROR);
    assert_int_equal(count, 0);
    assert_int_equal(cellar_order_get(shop->store, shop_id(1), &order, lines, 5), CELLAR_OK);
    memory_disk_fail_after(shop->disk, MEMORY_PREAD, -1, 0, false);
    assert_int_equal(cellar_order_get(shop->store, shop_id(2), &order, lines, 5), CELLAR_OK);
    check_order(2, &order);
    check_lines(2, lines, 3);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SHOP_TEST(test_get),
        SHOP_TEST(test_lists),
        SHOP_TEST(test_lines_that_do_not_fit),
        SHOP_TEST(test_refuses),
        SHOP_TEST(test_pages_while_orders_change),
        SHOP_TEST(test_lines_that_cannot_be_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
