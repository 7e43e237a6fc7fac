/* Does a call that lacks memory say so and change nothing, at every place where it asks for some,
 * and does nothing leak? Does the thread behind the calls wait for memory and lose nothing? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/orders.h"

#include "base/clock.h"
#include "store/plan.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LATER (SHOP_NOW + INT64_C(3600000000000))
/* More than a plan holds by itself. */
#define LINES 60

static cellar_line lines[LINES];
static const cellar_stock_change many = {.id = {0, 100}, .lines = lines, .line_count = LINES};
static const cellar_id none = {0, 0};
static char blob[3000];

static cellar_order_request order_of(uint64_t id, cellar_order_state state, uint64_t account) {
    cellar_order_request request = shop_order_request(id, lines, LINES);
    request.state = state;
    request.account = account;
    request.customer = 3;
    request.reference = "reference";
    return request;
}

static cellar_status place(cellar *store, uint64_t id, cellar_order_state state, uint64_t account) {
    cellar_order_request request = order_of(id, state, account);
    return cellar_order_place(store, NULL, &request, NULL, NULL);
}

static cellar_status give_back(cellar *store, uint64_t id, bool damaged) {
    cellar_order_request request = order_of(id, 0, 1);
    return cellar_order_return(store, NULL, &request, damaged, NULL, NULL);
}

static cellar_status hold(cellar *store, uint64_t id) {
    cellar_order_request request = order_of(id, 0, 0);
    request.hold_until_ns = LATER;
    return cellar_order_place(store, NULL, &request, NULL, NULL);
}

static cellar_status place_with_code(cellar *store, uint64_t id) {
    cellar_order_request request = order_of(id, 0, 0);
    request.code = "code 1";
    return cellar_order_place(store, NULL, &request, NULL, NULL);
}

/* What is planned fills exactly what a plan has by itself, so that the note has no room. */
static cellar_status place_noted(cellar *store, uint64_t id) {
    const size_t count =
        (PLAN_PAYLOAD_INLINE - sizeof(struct payload_document)) / sizeof(struct payload_line);
    const cellar_order_request request = shop_order_request(id, lines, count);
    const cellar_call call = {.actor = 5, .reference = "note"};
    return cellar_order_place(store, &call, &request, NULL, NULL);
}

static cellar_status place_by_location(cellar *store, uint64_t id) {
    static const uint32_t locations[] = {0, 3};
    cellar_order_request request = order_of(id, 0, 0);
    request.locations = locations;
    request.location_count = 2;
    return cellar_order_place(store, NULL, &request, NULL, NULL);
}

/* Of a product at so many locations that its status takes more changes than a plan holds. */
static cellar_status hide(cellar *store) {
    const cellar_product product = {.sku = lines[0].sku, .status = CELLAR_PRODUCT_DISCONTINUED};
    return cellar_product_put(store, NULL, &product, 0, NULL, NULL);
}

/* With texts that are longer than what a plan holds. */
static cellar_status put_long_campaign(cellar *store) {
    static char category[CELLAR_CATEGORY_BYTES_MAX + 1];
    cellar_campaign campaign = shop_campaign(2, 5);
    memset(category, 'x', CELLAR_CATEGORY_BYTES_MAX);
    campaign.discount.kind = CELLAR_DISCOUNT_AMOUNT;
    campaign.discount.category_count = CELLAR_RESTRICTIONS_MAX;
    for (size_t i = 0; i < CELLAR_RESTRICTIONS_MAX; i++) {
        campaign.discount.categories[i] = category;
    }
    return cellar_campaign_put(store, NULL, &campaign, 0, NULL, NULL);
}

/* One unit of every line; of PAY: one of all but the first is paid for. Without `id`: all. */
static cellar_status part(cellar *store, cellar_order_event event, uint64_t order, uint64_t id) {
    cellar_order_part parts[LINES];
    for (uint32_t i = 0; i < LINES; i++) {
        parts[i] = (cellar_order_part){LINES - 1 - i, 1};
    }
    cellar_order_change change = {.order = shop_id(order),
                                  .event = event,
                                  .id = shop_id(id == 0 ? 65 : id),
                                  .parts = id == 0 ? NULL : parts,
                                  .part_count = id == 0 ? 0 : LINES - (event == CELLAR_EVENT_PAY),
                                  .account = event == CELLAR_EVENT_PAY ? 1 : 0};
    if (event == CELLAR_EVENT_FULFIL || event == CELLAR_EVENT_RETURN) {
        change.part_count = id == 0 ? 0 : 7;
    }
    return cellar_order_step(store, NULL, &change, NULL, NULL);
}

static cellar_status list(cellar *store, cellar_order_state state) {
    cellar_order_query query = {.state = state};
    cellar_order page[4];
    size_t count;
    return cellar_order_list(store, &query, page, 4, &count, NULL, 0);
}

/* In this order, each made until it succeeds. */
#define STEPS(X)                                                                                   \
    X(put, cellar_product_put(store, NULL, &product, 0, NULL, NULL))                               \
    X(put_again, cellar_product_put(store, NULL, &again, 0, NULL, NULL))                           \
    X(put_many, cellar_product_put_many(store, NULL, &again, 1, NULL, NULL))                       \
    X(receive, cellar_stock_receive(store, NULL, &many, NULL, NULL))                               \
    X(receive_again, cellar_stock_receive(store, NULL, &many, NULL, NULL))                         \
    X(receive_elsewhere, cellar_stock_receive(store, NULL, &elsewhere, NULL, NULL))                \
    X(adjust, cellar_stock_adjust(store, NULL, &other, NULL, NULL))                                \
    X(set_aside, cellar_stock_set_aside(store, NULL, &other, NULL, NULL))                          \
    X(announce, cellar_stock_announce(store, NULL, &other, NULL, NULL))                            \
    X(move, cellar_stock_move(store, NULL, shop_id(101), &lines[0], 5, NULL, NULL))                \
    X(take, cellar_stock_take(store, NULL, &lines[0], NULL, NULL))                                 \
    X(count, cellar_stock_count(store, NULL, &level, 0, NULL, NULL))                               \
    X(safety, cellar_stock_set_safety(store, NULL, &lines[0], 0, NULL, NULL))                      \
    X(account_open, cellar_account_open(store, NULL, 1, -5, NULL, NULL))                           \
    X(account_open_too, cellar_account_open(store, NULL, 2, 0, NULL, NULL))                        \
    X(credit, cellar_account_credit(store, NULL, shop_id(102), 1, 1000000, NULL, NULL))            \
    X(debit, cellar_account_debit(store, NULL, none, 1, 10, NULL, NULL))                           \
    X(transfer, cellar_account_transfer(store, NULL, shop_id(103), 1, 2, 10, NULL, NULL))          \
    X(set_floor, cellar_account_set_floor(store, NULL, 1, -90, 0, NULL, NULL))                     \
    X(account_hold, cellar_account_hold(store, NULL, shop_id(105), 1, 5, 0, NULL, NULL))           \
    X(account_post, cellar_account_post(store, NULL, shop_id(105), 5, 2, NULL, NULL))              \
    X(account_journal, cellar_account_journal(store, 1, 0, &entry, 1, &count))                     \
    X(account_collecting, cellar_account_create(store, NULL, &collecting, NULL, NULL))             \
    X(account_pays, cellar_account_transfer(store, NULL, none, 1, 3, 10, NULL, NULL))              \
    X(account_collected, cellar_account_collected(store, 3, 0, &entry, 1, &count))                 \
    X(account_at, cellar_account_at(store, 3, UINT64_MAX, 0, &account))                            \
    X(lease, cellar_lease_acquire(store, NULL, "lease", 1, 10, NULL, NULL))                        \
    X(place, place(store, 1, 0, 0))                                                                \
    X(place_paid, place(store, 2, CELLAR_ORDER_PAID, 1))                                           \
    X(place_fulfilled, place(store, 3, CELLAR_ORDER_FULFILLED, 1))                                 \
    X(pay, cellar_order_pay(store, NULL, shop_id(1), 1, NULL, NULL))                               \
    X(fulfil, cellar_order_fulfil(store, NULL, shop_id(1), NULL, NULL))                            \
    X(cancel, cellar_order_cancel(store, NULL, shop_id(2), NULL, NULL))                            \
    X(hold, hold(store, 6))                                                                        \
    X(extend, cellar_order_extend(store, NULL, shop_id(6), LATER + 1000000, NULL, NULL))           \
    X(cancel_a_part, part(store, CELLAR_EVENT_CANCEL, 6, 61))                                      \
    X(pay_a_part, part(store, CELLAR_EVENT_PAY, 6, 62))                                            \
    X(fulfil_a_part, part(store, CELLAR_EVENT_FULFIL, 6, 63))                                      \
    X(return_a_part, part(store, CELLAR_EVENT_RETURN, 6, 64))                                      \
    X(return_all, part(store, CELLAR_EVENT_RETURN, 3, 0))                                          \
    X(give_back, give_back(store, 4, false))                                                       \
    X(give_back_damaged, give_back(store, 5, true))                                                \
    X(quote, cellar_order_quote(store, &quoted, &total, NULL))                                     \
    X(order_get, cellar_order_get(store, shop_id(3), &order, NULL, 0))                             \
    X(sources, cellar_order_sources(store, shop_id(3), 0, &order, NULL, 0, &count))                \
    X(order_list, list(store, CELLAR_ORDER_FULFILLED))                                             \
    X(history, cellar_stock_history(store, &lines[0], 0, &movement, 1, &count))                    \
    X(campaign_put, cellar_campaign_put(store, NULL, &campaign, 0, NULL, NULL))                    \
    X(campaign_again, cellar_campaign_put(store, NULL, &campaign, 0, NULL, NULL))                  \
    X(claim, cellar_coupon_claim(store, NULL, none, 1, 1, NULL, NULL))                             \
    X(claim_too, cellar_coupon_claim(store, NULL, shop_id(106), 1, 2, NULL, NULL))                 \
    X(claim_waiting, cellar_coupon_claim(store, NULL, none, 1, 3, NULL, NULL))                     \
    X(revoke_waiting, cellar_coupon_revoke(store, NULL, 1, 3, 0, NULL, NULL))                      \
    X(revoke, cellar_coupon_revoke(store, NULL, 1, 2, 0, NULL, NULL))                              \
    X(redeem, cellar_coupon_redeem(store, NULL, &coupon, NULL, NULL, NULL))                        \
    X(restore, cellar_coupon_restore(store, NULL, &coupon, 0, NULL, NULL))                         \
    X(code_add, cellar_code_add(store, NULL, 1, "code 1", 2, NULL, NULL))                          \
    X(code_redeem, cellar_coupon_redeem(store, NULL, &code, NULL, NULL, NULL))                     \
    X(place_with_code, place_with_code(store, 7))                                                  \
    X(cancel_with_code, cellar_order_cancel(store, NULL, shop_id(7), NULL, NULL))                  \
    X(place_noted, place_noted(store, 8))                                                          \
    X(place_by_location, place_by_location(store, 9))                                              \
    X(campaign_long, put_long_campaign(store))                                                     \
    X(hide, hide(store))

enum step {
#define STEP_NUMBER(name, expression) STEP_##name,
    STEPS(STEP_NUMBER) STEP_COUNT
#undef STEP_NUMBER
};

static const char *const step_names[] = {
#define STEP_NAME(name, expression) #name,
    STEPS(STEP_NAME)
#undef STEP_NAME
};

static cellar_status make_step(cellar *store, enum step step) {
    const cellar_product product = {.sku = "p",
                                    .name = "name",
                                    .category = "category",
                                    .attributes = blob,
                                    .attributes_bytes = sizeof blob};
    const cellar_product again = {
        .sku = "p", .category = "other", .attributes = blob, .attributes_bytes = 2000};
    const cellar_line level = shop_line(lines[0].sku, 0, 400, 0);
    cellar_line away[LINES];
    const cellar_stock_change elsewhere = {.id = {0, 104}, .lines = away, .line_count = LINES};
    const cellar_stock_change other = {.lines = lines, .line_count = LINES};
    const cellar_order_request quoted = order_of(9, CELLAR_ORDER_PAID, 1);
    const cellar_campaign campaign = {.id = 1,
                                      .name = "name",
                                      .quota = 2,
                                      .waitlist_max = 2,
                                      .restore_on_cancel = true,
                                      .discount = {.kind = CELLAR_DISCOUNT_AMOUNT, .value = 5}};
    const cellar_redemption coupon = {
        .campaign = 1, .customer = 1, .lines = lines, .line_count = LINES};
    const cellar_redemption code = {
        .id = {0, 106}, .code = "code 1", .lines = lines, .line_count = LINES};
    cellar_order order;
    cellar_movement movement;
    const cellar_account_request collecting = {.id = 3, .collecting = true};
    cellar_account account;
    cellar_entry entry;
    int64_t total;
    size_t count;
    memcpy(away, lines, sizeof away);
    away[30].location = 3;
    away[40].location = 4;
    switch (step) {
#define STEP_MAKE(name, expression)                                                                \
    case STEP_##name:                                                                              \
        return expression;
        STEPS(STEP_MAKE)
#undef STEP_MAKE
    default:
        return CELLAR_OK;
    }
}

static int64_t scratch(const struct shop *shop) {
    return memory_used(shop->store->memory, MEMORY_SCRATCH);
}

static void fill(struct shop *shop) {
    static char skus[LINES][SHOP_NAME_BYTES];
    for (int i = 0; i < LINES; i++) {
        shop_goods(shop, shop_name(skus[i], "line%d", i), 1000);
        lines[i] = shop_line(skus[i], 0, 2, 10);
    }
    for (uint32_t location = 10; location < 10 + PLAN_CHANGES_INLINE; location++) {
        (void)shop_receive(shop, skus[0], location, 1);
    }
}

/* Opening a location is a commit of its own, which may stand when the receipt behind it fails: its
 * units are not there then. */
static bool opens_locations(enum step step) {
    return step == STEP_receive_elsewhere || step == STEP_move;
}

static void test_every_allocation_of_every_call(void **state) {
    struct shop *shop = *state;
    struct memory *memory = shop->store->memory;
    unsigned refused = 0;
    fill(shop);
    for (enum step step = 0; step < STEP_COUNT; step++) {
        cellar_status status = CELLAR_OUT_OF_MEMORY;
        shop_freeze(shop);
        for (int64_t at = 0; status != CELLAR_OK; at++) {
            memory_fail_after(memory, at, 0);
            status = make_step(shop->store, step);
            memory_fail_after(memory, -1, 0);
            assert_int_equal(scratch(shop), 0);
            if (status == CELLAR_OK) {
                break;
            }
            if (status != CELLAR_OUT_OF_MEMORY) {
                fail_msg("%s, allocation %lld: %s", step_names[step], (long long)at,
                         cellar_status_name(status));
            }
            refused++;
            if (!opens_locations(step)) {
                shop_check_frozen(shop, step_names[step]);
            }
        }
    }
    assert_true(refused > 40);
}

/* The calls themselves need none, the thread that follows the log does. */
static void test_the_follower_waits_for_memory(void **state) {
    struct shop *shop = *state;
    struct memory *memory = shop->store->memory;
    cellar_ticket ticket;
    shop_goods(shop, "a", 100);
    shop_settle(shop);
    memory_fail_after(memory, 0, 1);
    for (uint64_t id = 1; id <= 20; id++) {
        ticket = shop_order(shop, id, "a", 1, CELLAR_ORDER_PLACED);
    }
    assert_int_equal(cellar_wait_listed(shop->store, ticket.lsn, 30), CELLAR_TIMEOUT);
    assert_true(ATOMIC_LOAD(&shop->reports, relaxed) > 0);
    assert_int_equal(shop_available(shop, "a", 0), 80);
    memory_fail_after(memory, -1, 0);
    assert_int_equal(cellar_wait_listed(shop->store, ticket.lsn, -1), CELLAR_OK);
    assert_int_equal(shop_audit(shop).totals.units_reserved, 20);
    /* Now and then, for a while. */
    for (uint64_t id = 21; id <= 80; id++) {
        memory_fail_after(memory, (int64_t)id % 3, 0);
        (void)shop_order(shop, id, "a", 1, CELLAR_ORDER_PLACED);
    }
    memory_fail_after(memory, -1, 0);
    assert_int_equal(shop_audit(shop).totals.units_reserved, 80);
}

/* It does not wait for ever when the store is closed, and nothing is lost by that. */
static void test_closing_without_memory(void **state) {
    struct shop *shop = *state;
    shop_goods(shop, "a", 100);
    shop_settle(shop);
    memory_fail_after(shop->store->memory, 0, 1);
    for (uint64_t id = 1; id <= 20; id++) {
        (void)shop_order(shop, id, "a", 1, CELLAR_ORDER_PLACED);
    }
    shop_close(shop);
    shop_open(shop);
    assert_int_equal(shop_available(shop, "a", 0), 80);
    assert_int_equal(shop_audit(shop).totals.units_reserved, 20);
}

/* Each allocation behind the calls fails, once at a time, while every kind of step goes by: nothing
 * is done twice. The models of the other tests tell; here the sums are known. */
static void test_steps_are_applied_once(void **state) {
    struct shop *shop = *state;
    struct memory *memory = shop->store->memory;
    shop_goods(shop, "a", 10000);
    shop_account(shop, 1, 0, 1000000);
    shop_settle(shop);
    for (int64_t at = 0; at < 40; at++) {
        uint64_t id = 100 * (uint64_t)(at + 1);
        cellar_line two[] = {shop_line("a", 0, 5, 10), shop_line("a", 0, 3, 1)};
        cellar_order_request request = shop_order_request(id, two, 2);
        request.hold_until_ns = orders_deadline(shop, 1000);
        memory_fail_after(memory, at, 0);
        cellar_status status = CELLAR_OUT_OF_MEMORY;
        while (status == CELLAR_OUT_OF_MEMORY) {
            status = cellar_order_place(shop->store, NULL, &request, NULL, NULL);
        }
        assert_int_equal(status, CELLAR_OK);
        static const struct {
            cellar_order_event event;
            uint32_t line;
        } steps[] = {{CELLAR_EVENT_CANCEL, 0}, {CELLAR_EVENT_PAY, 0},    {CELLAR_EVENT_FULFIL, 0},
                     {CELLAR_EVENT_RETURN, 0}, {CELLAR_EVENT_CANCEL, 0}, {CELLAR_EVENT_CANCEL, 0}};
        for (uint64_t i = 0; i < sizeof steps / sizeof *steps; i++) {
            const cellar_order_part part = {steps[i].line,
                                            steps[i].event == CELLAR_EVENT_PAY ? 3 : 1};
            cellar_order_change change = orders_change(steps[i].event, id, id + 1 + i, &part, 1);
            change.account = steps[i].event == CELLAR_EVENT_PAY ? 1 : 0;
            do {
                status = orders_try(shop, &change, NULL);
            } while (status == CELLAR_OUT_OF_MEMORY);
            assert_int_equal(status, CELLAR_OK);
        }
        shop_settle(shop);
        memory_fail_after(memory, -1, 0);
        cellar_order order = shop_order_get(shop, id);
        assert_int_equal(order.state, CELLAR_ORDER_FULFILLED);
        assert_int_equal(order.cancelled_value, 4 * 10 + 3 * 1);
        assert_int_equal(order.returned_value, 10);
    }
    cellar_totals totals = shop_audit(shop).totals;
    assert_int_equal(totals.orders[CELLAR_ORDER_FULFILLED], 40);
    assert_int_equal(totals.orders[0], 40 * 6);
    assert_int_equal(totals.units_ordered, 40);
    assert_int_equal(totals.units_returned, 40);
    assert_int_equal(totals.units_fulfilled, 40);
    assert_int_equal(totals.revenue, 40 * 10);
    assert_int_equal(totals.debited, 40 * 30);
    assert_int_equal(totals.credited, 1000000 + 40 * 30);
    assert_int_equal(shop_balance(shop, 1), 1000000);
}

/* ---- What memory is used for ---- */

static int64_t kind_of(struct shop *shop, const char *wanted) {
    const char *name;
    int64_t bytes;
    for (uint32_t kind = 0; cellar_memory_get(shop->store, kind, &name, &bytes) == CELLAR_OK;
         kind++) {
        if (strcmp(name, wanted) == 0) {
            return bytes;
        }
    }
    fail_msg("no kind %s", wanted);
    return 0;
}

static void test_kinds(void **state) {
    struct shop *shop = *state;
    const char *name;
    int64_t bytes;
    uint64_t sum = 0;
    uint32_t kind = 0;
    cellar_statistics statistics;
    fill(shop);
    shop_settle(shop);
    for (; cellar_memory_get(shop->store, kind, &name, &bytes) == CELLAR_OK; kind++) {
        assert_true(strlen(name) > 0);
        assert_true(bytes >= 0);
        sum += (uint64_t)bytes;
    }
    assert_true(kind >= 10);
    assert_int_equal(cellar_memory_get(shop->store, kind, &name, &bytes), CELLAR_NOT_FOUND);
    assert_int_equal(cellar_memory_get(shop->store, UINT32_MAX, &name, &bytes), CELLAR_NOT_FOUND);
    assert_int_equal(cellar_memory_get(shop->store, 0, NULL, &bytes), CELLAR_INVALID_ARGUMENT);
    assert_int_equal(cellar_memory_get(shop->store, 0, &name, NULL), CELLAR_INVALID_ARGUMENT);
    assert_int_equal(cellar_statistics_get(shop->store, &statistics), CELLAR_OK);
    assert_true(statistics.memory_bytes >= sum / 2);
    assert_int_equal(kind_of(shop, "ring"), (2 << 20) + (2 << 20) / 64 * 8);
    int64_t products = kind_of(shop, "products");
    shop_product(shop, "one more");
    shop_settle(shop);
    assert_true(kind_of(shop, "products") > products);
}

/* A closed order's lines are given back. */
static void test_open_orders_take_memory_closed_ones_little(void **state) {
    struct shop *shop = *state;
    fill(shop);
    shop_settle(shop);
    int64_t before = kind_of(shop, "orders");
    assert_int_equal(place(shop->store, 1, 0, 0), CELLAR_OK);
    shop_settle(shop);
    int64_t open = kind_of(shop, "orders");
    assert_true(open - before > LINES * 16);
    assert_int_equal(cellar_order_cancel(shop->store, NULL, shop_id(1), NULL, NULL), CELLAR_OK);
    shop_settle(shop);
    for (int i = 0; i < 5000 && kind_of(shop, "orders") > open - LINES * 16; i++) {
        clock_sleep_ns(NANOSECONDS_PER_MILLISECOND);
    }
    assert_true(kind_of(shop, "orders") <= open - LINES * 16);
}

static void test_statistics(void **state) {
    struct shop *shop = *state;
    cellar_statistics before;
    cellar_statistics after;
    shop_product(shop, "a");
    shop_settle(shop);
    assert_int_equal(cellar_statistics_get(shop->store, &before), CELLAR_OK);
    assert_int_equal(cellar_statistics_get(shop->store, NULL), CELLAR_INVALID_ARGUMENT);
    for (int i = 0; i < 100; i++) {
        shop_receive(shop, "a", 0, 1);
    }
    shop_settle(shop);
    assert_int_equal(cellar_statistics_get(shop->store, &after), CELLAR_OK);
    assert_int_equal(after.commits - before.commits, 100);
    assert_true(after.reserved_lsn >= before.reserved_lsn + 100 * 64);
    assert_true(after.decided_lsn <= after.reserved_lsn);
    assert_true(after.durable_lsn <= after.decided_lsn);
    assert_true(after.listed_lsn <= after.decided_lsn);
    assert_true(after.reclaimed_lsn <= after.durable_lsn);
    assert_true(after.syncs > before.syncs);
    assert_true(after.log_bytes >= before.log_bytes + 100 * 64);
    assert_true(after.segments >= 1);
    assert_true(after.sync_ns_p50 <= after.sync_ns_p99);
    assert_true(after.durable_lag_ns_p50 <= after.durable_lag_ns_p99);
    assert_true(after.group_records_p50 <= after.group_records_p99);
    assert_int_equal(before.recovery_records, 0);
    shop_reopen(shop);
    assert_int_equal(cellar_statistics_get(shop->store, &before), CELLAR_OK);
    assert_int_equal(before.recovery_records, 101);
    assert_int_equal(before.commits, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SHOP_TEST(test_every_allocation_of_every_call),
        SHOP_TEST(test_the_follower_waits_for_memory),
        SHOP_TEST(test_closing_without_memory),
        SHOP_TEST(test_steps_are_applied_once),
        SHOP_TEST(test_kinds),
        SHOP_TEST(test_open_orders_take_memory_closed_ones_little),
        SHOP_TEST(test_statistics),
    };
    (void)alarm(100);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
