/* Are the entries that refused creations leave behind swept away, and their slots used again,
 * without ever taking one from an order that came to life? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/shop.h"

#include "base/clock.h"

#include <unistd.h>

static struct store *store_of(const struct shop *shop) {
    return shop->store->store;
}

static cellar_status place(struct shop *shop, uint64_t id, int64_t quantity) {
    cellar_line line = shop_line("a", 0, quantity, 1);
    cellar_order_request request = shop_order_request(id, &line, 1);
    return cellar_order_place(shop->store, NULL, &request, NULL, NULL);
}

static bool is_linked(const struct shop *shop, uint64_t id) {
    commit_enter();
    bool linked = store_find_order(store_of(shop), shop_id(id)) != NULL;
    commit_leave();
    return linked;
}

/* Slots on the free list, which nobody changes now. */
static uint32_t free_slots(const struct shop *shop) {
    struct slots *slots = &store_of(shop)->order_slots;
    uint32_t count = 0;
    uint32_t slot = (uint32_t)ATOMIC_LOAD(&slots->free, acquire);
    while (slot != 0) {
        count++;
        assert_true(count < slots_end(slots));
        slot = ATOMIC_LOAD(&slots->links[slot], relaxed);
    }
    return count;
}

static void await_free_slots(const struct shop *shop, uint32_t count) {
    for (int i = 0; i < 10000 && free_slots(shop) < count; i++) {
        clock_sleep_ns(NANOSECONDS_PER_MILLISECOND);
    }
    assert_int_equal(free_slots(shop), count);
}

static void test_refused_entries_are_swept(void **state) {
    struct shop *shop = *state;
    shop_goods(shop, "a", 5);
    shop_freeze(shop);
    for (uint64_t id = 1; id <= 300; id++) {
        assert_int_equal(place(shop, id, 6), CELLAR_OUT_OF_STOCK);
    }
    uint32_t used = slots_end(&store_of(shop)->order_slots) - 1;
    assert_in_range(used, 1, 300);
    await_free_slots(shop, used);
    for (uint64_t id = 1; id <= 300; id++) {
        assert_false(is_linked(shop, id));
    }
    shop_check_frozen(shop, "after refused orders");
    /* The slots serve again, and no new ones are taken. */
    for (uint64_t id = 1; id <= 5; id++) {
        assert_int_equal(place(shop, id, 1), CELLAR_OK);
    }
    assert_int_equal(slots_end(&store_of(shop)->order_slots) - 1, used > 5 ? used : 5);
    assert_int_equal(free_slots(shop), used - 5);
}

/* With room for 8 documents, any number of refusals goes by. */
static void test_a_small_store_is_never_filled_by_refusals(void **unused) {
    struct shop shop;
    (void)unused;
    shop_prepare(&shop);
    shop.config.orders_max = 8;
    shop_open(&shop);
    shop_goods(&shop, "a", 5);
    shop_account(&shop, 1, 0, 5);
    for (uint64_t round = 0; round < 20; round++) {
        for (uint64_t i = 1; i <= 6; i++) {
            cellar_status status = place(&shop, 100 * round + i, 6);
            assert_true(status == CELLAR_OUT_OF_STOCK || status == CELLAR_STORE_FULL);
        }
        assert_int_equal(
            cellar_account_debit(shop.store, NULL, shop_id(100 * round + 50), 1, 6, NULL, NULL),
            CELLAR_INSUFFICIENT_FUNDS);
        await_free_slots(&shop, slots_end(&store_of(&shop)->order_slots) - 1);
    }
    for (uint64_t id = 1; id <= 5; id++) {
        assert_int_equal(place(&shop, id, 1), CELLAR_OK);
    }
    shop_finish(&shop);
}

/* What is refused now and accepted a moment later, while the sweep is at work. */
static void test_orders_that_come_to_life_stay(void **state) {
    struct shop *shop = *state;
    shop_product(shop, "a");
    for (uint64_t id = 1; id <= 400; id++) {
        assert_int_equal(place(shop, id, 1), CELLAR_OUT_OF_STOCK);
        if (id % 3 == 0) {
            clock_sleep_ns(200000);
        }
        shop_receive(shop, "a", 0, 1);
        assert_int_equal(place(shop, id, 1), CELLAR_OK);
        assert_int_equal(shop_order_get(shop, id).state, CELLAR_ORDER_PLACED);
    }
    shop_settle(shop);
    for (uint64_t id = 1; id <= 400; id++) {
        assert_true(is_linked(shop, id));
        assert_int_equal(shop_order_get(shop, id).id.low, id);
    }
    assert_int_equal(shop_audit(shop).totals.orders[CELLAR_ORDER_PLACED], 400);
}

/* Slots that the sweep was about to free when the store was closed are free after opening. */
static void test_over_an_opening(void **state) {
    struct shop *shop = *state;
    shop_goods(shop, "a", 100);
    for (int round = 0; round < 5; round++) {
        for (uint64_t id = 1; id <= 50; id++) {
            assert_int_equal(place(shop, 1000 + id, 1000), CELLAR_OUT_OF_STOCK);
        }
        assert_int_equal(place(shop, 1 + (uint64_t)round, 1), CELLAR_OK);
        shop_reopen(shop);
        uint32_t orders = (uint32_t)round + 1;
        await_free_slots(shop, slots_end(&store_of(shop)->order_slots) - 1 - orders);
        assert_true(slots_end(&store_of(shop)->order_slots) - 1 <= 60);
    }
}

/* ---- Time ---- */

/* The store's time never goes back, whatever the clock does, also over an opening. */
static void test_a_clock_that_goes_back(void **state) {
    struct shop *shop = *state;
    static const int64_t jumps[] = {
        0,           -NANOSECONDS_PER_SECOND, 500, -1, 10000000, -10000000000, 5000, 20000000000,
        -30000000000};
    shop_goods(shop, "a", 1000);
    ATOMIC_STORE(&shop->tick_ns, 10, relaxed);
    int64_t latest = 0;
    for (size_t i = 0; i < sizeof jumps / sizeof *jumps; i++) {
        ATOMIC_ADD(&shop->now_ns, jumps[i], relaxed);
        for (uint64_t k = 1; k <= 5; k++) {
            cellar_ticket ticket = shop_order(shop, 10 * i + k, "a", 1, CELLAR_ORDER_PLACED);
            /* A call may be up to a millisecond behind another thread's, not more. */
            assert_true(ticket.time_ns + NANOSECONDS_PER_MILLISECOND > latest);
            latest = ticket.time_ns > latest ? ticket.time_ns : latest;
            assert_int_equal(shop_order_get(shop, 10 * i + k).placed_ns, ticket.time_ns);
        }
        if (i % 3 == 2) {
            shop_reopen(shop);
        }
    }
    /* As logged: never less than the one before. */
    cellar_line line = shop_line("a", 0, 0, 0);
    cellar_movement page[60];
    size_t count;
    shop_settle(shop);
    assert_int_equal(cellar_stock_history(shop->store, &line, 0, page, 60, &count), CELLAR_OK);
    for (size_t i = 1; i < count; i++) {
        assert_true(page[i].time_ns <= page[i - 1].time_ns);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SHOP_TEST(test_refused_entries_are_swept),
        cmocka_unit_test(test_a_small_store_is_never_filled_by_refusals),
        SHOP_TEST(test_orders_that_come_to_life_stay),
        SHOP_TEST_ORACLE(test_orders_that_come_to_life_stay),
        SHOP_TEST(test_over_an_opening),
        SHOP_TEST(test_a_clock_that_goes_back),
    };
    (void)alarm(100);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
