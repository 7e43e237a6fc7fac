/* Are requests answered right that are seldom made: with ids whose higher half is zero, by numbers
 * in place of names, with options for many at once, and in transactions whose parts meet? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/orders.h"

#include <string.h>
#include <sys/resource.h>

static const cellar_id none = {0, 0};
static const cellar_call wrong_call = {.durability = (cellar_durability)99};

static cellar_status transact(struct shop *shop, const cellar_operation *steps, size_t count,
                              cellar_ticket *ticket, cellar_refusal *refusal) {
    return cellar_transact(shop->store, NULL, none, steps, count, ticket, refusal);
}

/* ---- Many at once ---- */

static void test_options_of_many(void **state) {
    struct shop *shop = *state;
    const char *const codes[] = {"code 0", "code 1"};
    const cellar_call call = {.durability = CELLAR_DURABLE, .actor = 7, .reference = "by hand"};
    const cellar_campaign campaign = shop_campaign(1, 5);
    const cellar_account_entry entry = {.account = 1, .amount = 3};
    const cellar_operation credit = {.kind = CELLAR_OPERATION_ACCOUNT_CREDIT, .entry = &entry};
    cellar_status statuses[2] = {CELLAR_FAILED, CELLAR_FAILED};
    cellar_code code;
    shop_campaign_put(shop, &campaign);
    shop_account(shop, 1, 0, 0);
    assert_int_equal(cellar_code_add_many(shop->store, &wrong_call, 1, codes, 2, 1, statuses),
                     CELLAR_INVALID_ARGUMENT);
    assert_int_equal(cellar_bulk(shop->store, &wrong_call, &credit, 1, statuses, NULL, NULL),
                     CELLAR_INVALID_ARGUMENT);
    assert_int_equal(statuses[0], CELLAR_FAILED);
    assert_int_equal(cellar_code_add_many(shop->store, &call, 1, codes, 2, 4, statuses), CELLAR_OK);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(statuses[i], CELLAR_OK);
        assert_int_equal(cellar_code_get(shop->store, codes[i], &code), CELLAR_OK);
        assert_int_equal(code.uses, 4);
        assert_true(cellar_durable_lsn(shop->store) > code.version);
    }
    assert_int_equal(cellar_bulk(shop->store, &call, &credit, 1, statuses, NULL, NULL), CELLAR_OK);
    assert_int_equal(shop_balance(shop, 1), 3);
}

/* ---- By number, and without a name ---- */

static void test_products_by_number(void **state) {
    struct shop *shop = *state;
    int64_t available[2];
    uint64_t lsn;
    cellar_refusal refusal;
    cellar_product product;
    shop_goods(shop, "a", 5);
    shop_goods(shop, "b", 7);
    cellar_line lines[] = {{.product = 2}, {.product = 1}};
    shop_settle(shop);
    assert_int_equal(cellar_stock_snapshot(shop->store, lines, 2, available, &lsn, &refusal),
                     CELLAR_OK);
    assert_int_equal(available[0], 7);
    assert_int_equal(available[1], 5);
    lines[1].product = 0;
    cellar_status status = cellar_stock_snapshot(shop->store, lines, 2, available, &lsn, &refusal);
    shop_check_invalid(&refusal, status, CELLAR_NO_LINE, "sku or product");
    lines[1].product = 3;
    assert_int_equal(cellar_stock_snapshot(shop->store, lines, 2, available, &lsn, &refusal),
                     CELLAR_NOT_FOUND);
    assert_int_equal(refusal.line, 1);
    /* Of a product that is no kit there are no components to be told. */
    assert_int_equal(cellar_product_get(shop->store, NULL, 1, &product), CELLAR_OK);
    assert_int_equal(cellar_product_components(shop->store, &product, NULL, 0), CELLAR_OK);
}

static void test_levels(void **state) {
    struct shop *shop = *state;
    const cellar_line line = shop_line("a", 0, 3, 0);
    const cellar_stock_level lineless = {.line = NULL};
    const cellar_stock_level named[] = {{.line = &line, .id = {0, 1}},
                                        {.line = &line, .id = {1, 0}}};
    cellar_refusal refusal;
    shop_goods(shop, "a", 5);
    cellar_operation count = {.kind = CELLAR_OPERATION_STOCK_COUNT, .level = &lineless};
    cellar_status status = transact(shop, &count, 1, NULL, &refusal);
    shop_check_invalid(&refusal, status, CELLAR_NO_LINE, "level and its line");
    for (size_t i = 0; i < 2; i++) {
        count.level = &named[i];
        status = transact(shop, &count, 1, NULL, &refusal);
        shop_check_invalid(&refusal, status, CELLAR_NO_LINE, "id: of a move");
    }
    assert_int_equal(shop_available(shop, "a", 0), 5);
}

/* ---- Ids whose higher half is zero ---- */

static void test_small_ids(void **state) {
    struct shop *shop = *state;
    const cellar_line line = shop_line("a", 0, 2, 10);
    const cellar_order_request order = {.id = {0, 3}, .lines = &line, .line_count = 1};
    const cellar_claim claim = {.id = {0, 4}, .campaign = 1, .customer = 7};
    const cellar_order_part part = {0, 1};
    const cellar_order_change change = {.order = {0, 3},
                                        .id = {0, 5},
                                        .event = CELLAR_EVENT_CANCEL,
                                        .parts = &part,
                                        .part_count = 1};
    const cellar_operation steps[] = {
        {.kind = CELLAR_OPERATION_ORDER_PLACE, .order = &order},
        {.kind = CELLAR_OPERATION_COUPON_CLAIM, .claim = &claim},
    };
    const cellar_campaign campaign = shop_campaign(1, 1);
    cellar_ticket first;
    cellar_ticket again;
    shop_goods(shop, "a", 5);
    shop_campaign_put(shop, &campaign);
    assert_int_equal(cellar_transact(shop->store, NULL, (cellar_id){0, 9}, steps, 2, &first, NULL),
                     CELLAR_OK);
    assert_int_equal(cellar_transact(shop->store, NULL, (cellar_id){0, 9}, steps, 2, &again, NULL),
                     CELLAR_OK);
    assert_true(again.repeated);
    assert_int_equal(again.lsn, first.lsn);
    /* Without the transaction's id its parts say so; apart they do as well. */
    assert_int_equal(transact(shop, steps, 2, &again, NULL), CELLAR_OK);
    assert_true(again.repeated);
    assert_int_equal(cellar_coupon_claim(shop->store, NULL, (cellar_id){0, 4}, 1, 7, &again, NULL),
                     CELLAR_OK);
    assert_true(again.repeated);
    assert_int_equal(cellar_coupon_claim(shop->store, NULL, (cellar_id){0, 6}, 1, 8, &again, NULL),
                     CELLAR_SOLD_OUT);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(cellar_order_step(shop->store, NULL, &change, &again, NULL), CELLAR_OK);
        assert_int_equal(again.repeated, i == 1);
    }
    assert_int_equal(shop_available(shop, "a", 0), 4);
}

/* ---- Transactions whose parts meet ---- */

static void test_a_lease_twice(void **state) {
    struct shop *shop = *state;
    cellar_lease_request job = {.name = "job", .holder = 1, .ttl_ms = 1000};
    cellar_operation steps[] = {{.kind = CELLAR_OPERATION_LEASE_ACQUIRE, .lease = &job},
                                {.kind = CELLAR_OPERATION_LEASE_ACQUIRE, .lease = &job}};
    static const cellar_operation_kind kinds[] = {CELLAR_OPERATION_LEASE_ACQUIRE,
                                                  CELLAR_OPERATION_LEASE_RENEW,
                                                  CELLAR_OPERATION_LEASE_RELEASE};
    for (size_t i = 0; i < 3; i++) {
        const cellar_lease_request token = {.name = "job", .token = 64, .ttl_ms = 1000};
        cellar_refusal refusal;
        steps[1].kind = kinds[i];
        steps[1].lease = i == 0 ? &job : &token;
        cellar_status status = transact(shop, steps, 2, NULL, &refusal);
        assert_int_equal(refusal.step, 1);
        shop_check_invalid(&refusal, status, CELLAR_NO_LINE, "name: given twice");
    }
    assert_int_equal(shop_audit(shop).totals.leases, 0);
}

/* Units that an order waits for come in the commit in which they leave. */
static void test_received_and_fulfilled(void **state) {
    struct shop *shop = *state;
    const cellar_line late = shop_line("late", 0, 6, 0);
    const cellar_stock_change receipt = {.lines = &late, .line_count = 1};
    const cellar_order_change fulfil = orders_change(CELLAR_EVENT_FULFIL, 1, 0, NULL, 0);
    const cellar_operation steps[] = {
        {.kind = CELLAR_OPERATION_STOCK_RECEIVE, .stock = &receipt},
        {.kind = CELLAR_OPERATION_ORDER_STEP, .step = &fulfil},
    };
    shop_product(shop, "late");
    orders_safety(shop, "late", -20);
    (void)shop_order(shop, 1, "late", 5, CELLAR_ORDER_PAID);
    assert_int_equal(orders_try(shop, &fulfil, NULL), CELLAR_OUT_OF_STOCK);
    assert_int_equal(transact(shop, steps, 2, NULL, NULL), CELLAR_OK);
    assert_int_equal(shop_order_get(shop, 1).state, CELLAR_ORDER_FULFILLED);
    cellar_stock stock = shop_stock(shop, "late", 0);
    assert_int_equal(stock.available, 1);
    assert_int_equal(stock.on_hand, 1);
    assert_int_equal(stock.reserved, 0);
}

/* The latest entry of account 2, which is the credit of 5. */
static cellar_entry credited_last(struct shop *shop) {
    cellar_entry last;
    size_t count;
    assert_int_equal(cellar_account_journal(shop->store, 2, 0, &last, 1, &count), CELLAR_OK);
    assert_int_equal(last.kind, CELLAR_ENTRY_CREDITED);
    assert_int_equal(last.amount, 5);
    return last;
}

/* What a commit did to an account is told by the part that did it. */
static void test_paid_from_outside_beside_a_credit(void **state) {
    struct shop *shop = *state;
    const cellar_line line = shop_line("a", 0, 1, 50);
    cellar_order_request order = shop_order_request(1, &line, 1);
    const cellar_order_change pay = orders_change(CELLAR_EVENT_PAY, 1, 0, NULL, 0);
    const cellar_account_entry entry = {.account = 2, .amount = 5};
    const cellar_operation steps[] = {
        {.kind = CELLAR_OPERATION_ORDER_STEP, .step = &pay},
        {.kind = CELLAR_OPERATION_ACCOUNT_CREDIT, .entry = &entry},
    };
    shop_goods(shop, "a", 5);
    shop_account(shop, 2, 0, 0);
    order.payee = 2;
    assert_int_equal(cellar_order_place(shop->store, NULL, &order, NULL, NULL), CELLAR_OK);
    assert_int_equal(transact(shop, steps, 2, NULL, NULL), CELLAR_OK);
    cellar_entry last = credited_last(shop);
    assert_int_equal(last.counterpart, 0);
    assert_int_equal(shop_order_get(shop, 1).state, CELLAR_ORDER_PAID);
}

/* An order that the account will be paid for one day moves no money of it now. */
static void test_placed_beside_a_credit(void **state) {
    struct shop *shop = *state;
    const cellar_line line = shop_line("a", 0, 1, 50);
    cellar_order_request order = shop_order_request(1, &line, 1);
    const cellar_account_entry entry = {.account = 2, .amount = 5};
    const cellar_operation steps[] = {
        {.kind = CELLAR_OPERATION_ORDER_PLACE, .order = &order},
        {.kind = CELLAR_OPERATION_ACCOUNT_CREDIT, .entry = &entry},
    };
    shop_goods(shop, "a", 5);
    shop_account(shop, 2, 0, 0);
    order.payee = 2;
    assert_int_equal(transact(shop, steps, 2, NULL, NULL), CELLAR_OK);
    (void)credited_last(shop);
}

/* The stock of a kit stands in the commit, though no unit of it moves. */
static void test_the_history_of_a_kit(void **state) {
    struct shop *shop = *state;
    const cellar_component part = {.sku = "a", .quantity = 2};
    const cellar_product kit = {.sku = "kit", .components = &part, .component_count = 1};
    const cellar_line line = shop_line("kit", 0, 1, 50);
    const cellar_order_request orders[] = {shop_order_request(1, &line, 1),
                                           shop_order_request(2, &line, 1)};
    const cellar_account_entry entry = {.account = 2, .amount = 5};
    const cellar_operation steps[] = {
        {.kind = CELLAR_OPERATION_ORDER_PLACE, .order = &orders[1]},
        {.kind = CELLAR_OPERATION_ACCOUNT_CREDIT, .entry = &entry},
    };
    cellar_movement page[8];
    size_t count;
    shop_goods(shop, "a", 10);
    shop_account(shop, 2, 0, 0);
    assert_int_equal(cellar_product_put(shop->store, NULL, &kit, 0, NULL, NULL), CELLAR_OK);
    assert_int_equal(cellar_order_place(shop->store, NULL, &orders[0], NULL, NULL), CELLAR_OK);
    assert_int_equal(transact(shop, steps, 2, NULL, NULL), CELLAR_OK);
    assert_int_equal(cellar_stock_history(shop->store, &line, 0, page, 8, &count), CELLAR_OK);
    assert_int_equal(count, 3);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(page[i].change, 0);
    }
    assert_int_equal(page[2].kind, CELLAR_MOVEMENT_OPENED);
    assert_int_equal(page[1].kind, CELLAR_MOVEMENT_ORDERED);
    assert_int_equal(shop_available(shop, "a", 0), 6);
}

/* ---- Notes, and descriptors ---- */

static void test_an_actor_without_a_reference(void **state) {
    struct shop *shop = *state;
    const cellar_line line = shop_line("a", 0, 3, 0);
    const cellar_stock_change change = {.lines = &line, .line_count = 1};
    const cellar_call call = {.actor = 77};
    cellar_movement last;
    size_t count;
    shop_goods(shop, "a", 5);
    assert_int_equal(cellar_stock_receive(shop->store, &call, &change, NULL, NULL), CELLAR_OK);
    assert_int_equal(cellar_stock_history(shop->store, &line, 0, &last, 1, &count), CELLAR_OK);
    assert_int_equal(last.actor, 77);
    assert_string_equal(last.reference, "");
    assert_int_equal(last.change, 3);
}

/* The disk in memory needs no descriptors, so that none at all may be left. */
static void test_no_descriptor_left(void **state) {
    struct shop *shop = *state;
    struct rlimit kept;
    int file = 7;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &kept), 0);
    const struct rlimit few = {.rlim_cur = 0, .rlim_max = kept.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    cellar_status status = cellar_durable_fd(shop->store, &file);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &kept), 0);
    assert_int_equal(status, CELLAR_OUT_OF_MEMORY);
    assert_true(file < 0);
    assert_int_equal(cellar_durable_fd(shop->store, &file), CELLAR_OK);
    assert_true(file >= 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SHOP_TEST(test_options_of_many),
        SHOP_TEST(test_products_by_number),
        SHOP_TEST(test_levels),
        SHOP_TEST(test_small_ids),
        SHOP_TEST(test_a_lease_twice),
        SHOP_TEST(test_received_and_fulfilled),
        SHOP_TEST(test_paid_from_outside_beside_a_credit),
        SHOP_TEST(test_placed_beside_a_credit),
        SHOP_TEST(test_the_history_of_a_kit),
        SHOP_TEST(test_an_actor_without_a_reference),
        SHOP_TEST(test_no_descriptor_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
