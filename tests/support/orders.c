#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/orders.h"

#include "base/clock.h"
#include "support/expiry.h"

#define AWAIT_MS 20000

cellar_order_change orders_change(cellar_order_event event, uint64_t order, uint64_t id,
                                  const cellar_order_part *parts, size_t part_count) {
    return (cellar_order_change){.order = shop_id(order),
                                 .event = event,
                                 .id = id == 0 ? (cellar_id){0, 0} : shop_id(id),
                                 .parts = parts,
                                 .part_count = part_count};
}

cellar_status orders_try(struct shop *shop, const cellar_order_change *change,
                         cellar_refusal *refusal) {
    return cellar_order_step(shop->store, NULL, change, NULL, refusal);
}

cellar_status orders_try_part(struct shop *shop, cellar_order_event event, uint64_t order,
                              uint64_t id, uint32_t line, int64_t quantity,
                              cellar_refusal *refusal) {
    const cellar_order_part part = {.line = line, .quantity = quantity};
    const cellar_order_change change = orders_change(event, order, id, &part, 1);
    return orders_try(shop, &change, refusal);
}

void orders_part(struct shop *shop, cellar_order_event event, uint64_t order, uint64_t id,
                 uint32_t line, int64_t quantity) {
    assert_int_equal(orders_try_part(shop, event, order, id, line, quantity, NULL), CELLAR_OK);
}

cellar_status orders_try_whole(struct shop *shop, cellar_order_event event, uint64_t order,
                               cellar_refusal *refusal) {
    const cellar_order_change change = orders_change(event, order, 0, NULL, 0);
    return orders_try(shop, &change, refusal);
}

void orders_whole(struct shop *shop, cellar_order_event event, uint64_t order) {
    assert_int_equal(orders_try_whole(shop, event, order, NULL), CELLAR_OK);
}

int64_t orders_deadline(struct shop *shop, int64_t from_now_ms) {
    int64_t now_ms = ATOMIC_LOAD(&shop->now_ns, relaxed) / ORDERS_MS;
    return (now_ms + from_now_ms) * ORDERS_MS;
}

void orders_pass(struct shop *shop, int64_t ms) {
    ATOMIC_ADD(&shop->now_ns, ms * ORDERS_MS, relaxed);
}

int64_t orders_hold(struct shop *shop, uint64_t id, const char *sku, int64_t quantity,
                    int64_t held_ms) {
    cellar_line line = shop_line(sku, 0, quantity, 100);
    cellar_order_request request = shop_order_request(id, &line, 1);
    request.hold_until_ns = orders_deadline(shop, held_ms);
    assert_int_equal(cellar_order_place(shop->store, NULL, &request, NULL, NULL), CELLAR_OK);
    return request.hold_until_ns;
}

cellar_order_line orders_line(struct shop *shop, uint64_t id, uint32_t line) {
    static cellar_order_line lines[CELLAR_LINES_MAX];
    cellar_order order;
    assert_int_equal(cellar_order_get(shop->store, shop_id(id), &order, lines, CELLAR_LINES_MAX),
                     CELLAR_OK);
    assert_true(line < order.line_count);
    return lines[line];
}

void orders_await(struct shop *shop, uint64_t id, cellar_order_state state) {
    for (int i = 0; i < AWAIT_MS && shop_order_get(shop, id).state != state; i++) {
        clock_sleep_ns(ORDERS_MS);
    }
    assert_int_equal(shop_order_get(shop, id).state, state);
}

void orders_await_none_overdue(struct shop *shop) {
    static cellar_order page[CELLAR_PAGE_MAX];
    const cellar_order_query query = {.state = CELLAR_ORDER_PLACED};
    int64_t now_ns = ATOMIC_LOAD(&shop->now_ns, relaxed);
    size_t overdue = 1;
    for (int tries = 0; tries < AWAIT_MS && overdue != 0; tries++) {
        size_t count = 0;
        overdue = 0;
        assert_int_equal(
            cellar_order_list(shop->store, &query, page, CELLAR_PAGE_MAX, &count, NULL, 0),
            CELLAR_OK);
        for (size_t i = 0; i < count; i++) {
            overdue += page[i].hold_until_ns != 0 && page[i].hold_until_ns <= now_ns;
        }
        clock_sleep_ns(overdue == 0 ? 0 : ORDERS_MS);
    }
    assert_int_equal(overdue, 0);
}

void orders_stop_expiry(struct shop *shop) {
    expiry_rest(shop->store);
}

void orders_start_expiry(struct shop *shop) {
    assert_int_equal(expiry_resume(shop->store), CELLAR_OK);
}

void orders_safety(struct shop *shop, const char *sku, int64_t safety) {
    cellar_line line = shop_line(sku, 0, safety, 0);
    assert_int_equal(
        cellar_stock_set_safety(shop->store, NULL, &line, CELLAR_VERSION_ANY, NULL, NULL),
        CELLAR_OK);
}

void orders_check_same_lines(const cellar_order_line *is, const cellar_order_line *was,
                             size_t count) {
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(is[i].product, was[i].product);
        assert_int_equal(is[i].location, was[i].location);
        assert_int_equal(is[i].quantity, was[i].quantity);
        assert_int_equal(is[i].unit_price, was[i].unit_price);
        assert_int_equal(is[i].discount, was[i].discount);
        assert_int_equal(is[i].cancelled, was[i].cancelled);
        assert_int_equal(is[i].fulfilled, was[i].fulfilled);
        assert_int_equal(is[i].returned, was[i].returned);
        assert_int_equal(is[i].uncovered, was[i].uncovered);
    }
}
