/* Can every kind of operation be a step, does it see those before it, and does a refusal of any of
 * them say which step it was and why, leaving nothing behind? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/shop.h"

#include <string.h>

static const cellar_id none = {0, 0};

static cellar_status transact(struct shop *shop, const cellar_operation *operations, size_t count,
                              cellar_ticket *ticket, cellar_refusal *refusal) {
    return cellar_transact(shop->store, NULL, none, operations, count, ticket, refusal);
}

/* Ten of "a" and of "b", accounts 1 (100) and 2 (0), a campaign with three places. */
static void fill(struct shop *shop) {
    shop_goods(shop, "a", 10);
    shop_goods(shop, "b", 10);
    shop_account(shop, 1, 0, 100);
    shop_account(shop, 2, 0, 0);
    cellar_campaign campaign = shop_campaign(1, 3);
    campaign.restore_on_cancel = true;
    campaign.discount = (cellar_discount){.kind = CELLAR_DISCOUNT_AMOUNT, .value = 30};
    shop_campaign_put(shop, &campaign);
    shop_settle(shop);
}

static void check_held(struct shop *shop, uint64_t id, int64_t balance, int64_t held) {
    cellar_account account;
    assert_int_equal(cellar_account_get(shop->store, id, &account), CELLAR_OK);
    assert_int_equal(account.balance, balance);
    assert_int_equal(account.held, held);
}

/* Goods and money are held by one commit, and captured, with what is left given back, by another:
 * whoever pays gets the money that was held, and nobody else in between. */
static void test_hold_then_capture(void **state) {
    struct shop *shop = *state;
    fill(shop);
    const cellar_line line = shop_line("a", 0, 4, 20);
    cellar_order_request order = shop_order_request(1, &line, 1);
    order.hold_until_ns = SHOP_NOW + INT64_C(60000000000);
    const cellar_account_entry hold = {
        .id = shop_id(2), .account = 1, .amount = 90, .deadline_ns = order.hold_until_ns};
    const cellar_operation holds[] = {
        {.kind = CELLAR_OPERATION_ORDER_PLACE, .order = &order},
        {.kind = CELLAR_OPERATION_ACCOUNT_HOLD, .entry = &hold},
    };
    cellar_ticket first;
    cellar_ticket ticket;
    assert_int_equal(transact(shop, holds, 2, &first, NULL), CELLAR_OK);
    check_held(shop, 1, 100, 90);
    assert_int_equal(shop_available(shop, "a", 0), 6);
    const cellar_account_entry release = {.id = shop_id(2)};
    const cellar_order_change pay = {.order = shop_id(1), .event = CELLAR_EVENT_PAY, .account = 1};
    const cellar_operation captures[] = {
        {.kind = CELLAR_OPERATION_ACCOUNT_VOID, .entry = &release},
        {.kind = CELLAR_OPERATION_ORDER_STEP, .step = &pay},
    };
    /* Without the money that is held there is not enough. */
    assert_int_equal(transact(shop, captures + 1, 1, NULL, NULL), CELLAR_INSUFFICIENT_FUNDS);
    assert_int_equal(transact(shop, captures, 2, &ticket, NULL), CELLAR_OK);
    for (int opening = 0; opening < 2; opening++) {
        check_held(shop, 1, 20, 0);
        assert_int_equal(shop_order_get(shop, 1).state, CELLAR_ORDER_PAID);
        assert_int_equal(shop_order_get(shop, 1).account, 1);
        cellar_ticket again;
        assert_int_equal(transact(shop, captures, 2, &again, NULL), CELLAR_OK);
        assert_true(again.repeated);
        assert_int_equal(again.lsn, ticket.lsn);
        assert_int_equal(transact(shop, holds, 2, &again, NULL), CELLAR_OK);
        assert_true(again.repeated);
        assert_int_equal(again.lsn, first.lsn);
        shop_reopen(shop);
    }
    assert_int_equal(cellar_order_cancel(shop->store, NULL, shop_id(1), NULL, NULL), CELLAR_OK);
    check_held(shop, 1, 100, 0);
}

/* Moves, counts and safety stocks of "a" and "b", an order that just fits behind them, and a
 * receipt at a location that is not there. */
struct levels {
    cellar_line lines[9];
    cellar_stock_change receive, far;
    cellar_stock_level levels[6];
    cellar_order_request order;
    cellar_operation operations[9];
};

static void levels_make(struct levels *made) {
    static const cellar_operation_kind kinds[] = {
        CELLAR_OPERATION_STOCK_MOVE,       CELLAR_OPERATION_STOCK_COUNT,
        CELLAR_OPERATION_STOCK_COUNT,      CELLAR_OPERATION_STOCK_SET_SAFETY,
        CELLAR_OPERATION_STOCK_SET_SAFETY, CELLAR_OPERATION_STOCK_MOVE,
    };
    const cellar_line lines[] = {
        shop_line("a", 0, 3, 0),  shop_line("a", 0, 20, 0), shop_line("b", 0, 0, 0),
        shop_line("a", 0, 7, 0),  shop_line("a", 0, -2, 0), shop_line("a", 2, 1, 0),
        shop_line("a", 0, 22, 0), shop_line("a", 0, 5, 0),  shop_line("b", 5, 1, 0),
    };
    *made = (struct levels){.order = shop_order_request(10, &made->lines[6], 1)};
    memcpy(made->lines, lines, sizeof lines);
    made->receive = (cellar_stock_change){.lines = &made->lines[7], .line_count = 1};
    made->far = (cellar_stock_change){.lines = &made->lines[8], .line_count = 1};
    made->operations[0] =
        (cellar_operation){.kind = CELLAR_OPERATION_STOCK_RECEIVE, .stock = &made->receive};
    for (size_t i = 0; i < 6; i++) {
        made->levels[i].line = &made->lines[i];
        made->operations[1 + i] = (cellar_operation){.kind = kinds[i], .level = &made->levels[i]};
    }
    made->levels[0].id = shop_id(1);
    made->levels[0].to_location = 2;
    made->levels[5].id = shop_id(2);
    made->operations[7] =
        (cellar_operation){.kind = CELLAR_OPERATION_ORDER_PLACE, .order = &made->order};
    made->operations[8] =
        (cellar_operation){.kind = CELLAR_OPERATION_STOCK_RECEIVE, .stock = &made->far};
}

/* They see what the steps before them have done, and keep the audit's sums right though one record
 * has them all. */
static void test_levels(void **state) {
    struct shop *shop = *state;
    struct levels made;
    cellar_refusal refusal;
    fill(shop);
    (void)shop_receive(shop, "a", 2, 1);
    levels_make(&made);
    made.levels[1].expected = shop_stock(shop, "a", 0).version;
    cellar_status status = transact(shop, made.operations, 9, NULL, &refusal);
    if (status != CELLAR_OK) {
        fail_msg("%s: %s at step %u", cellar_status_name(status), refusal.reason, refusal.step);
    }
    for (int opening = 0; opening < 2; opening++) {
        shop_settle(shop);
        /* 10 + 5 - 3, counted as 20, + 1 - 22. */
        cellar_stock stock = shop_stock(shop, "a", 0);
        assert_int_equal(stock.available, -1);
        assert_int_equal(stock.safety, -2);
        assert_int_equal(stock.reserved, 22);
        assert_int_equal(shop_available(shop, "a", 2), 3);
        assert_int_equal(shop_available(shop, "b", 0), 0);
        assert_int_equal(shop_available(shop, "b", 5), 1);
        cellar_totals totals = shop_audit(shop).totals;
        assert_int_equal(totals.units_received, 27);
        assert_int_equal(totals.units_adjusted, 8 - 10);
        shop_reopen(shop);
    }
}

static void test_levels_refused(void **state) {
    struct shop *shop = *state;
    struct levels made;
    cellar_refusal refusal;
    fill(shop);
    levels_make(&made);
    made.levels[0].to_location = 0;
    /* A refusal opens no location, also of a step before it. */
    const cellar_operation too_much[] = {made.operations[8], made.operations[7]};
    shop_freeze(shop);
    assert_int_equal(transact(shop, too_much, 2, NULL, &refusal), CELLAR_OUT_OF_STOCK);
    assert_int_equal(refusal.step, 1);
    shop_check_frozen(shop, "after a refusal behind a new location");
    shop_check_invalid(&refusal, transact(shop, made.operations, 9, NULL, &refusal), 0, "quantity");
    assert_int_equal(refusal.step, 1);
    /* The version is that before the transaction, whatever the steps before do to the stock. */
    made.operations[1] = made.operations[0];
    uint64_t version = shop_stock(shop, "a", 0).version;
    made.levels[1].expected = version + 64;
    assert_int_equal(transact(shop, made.operations, 9, NULL, &refusal), CELLAR_VERSION_CHANGED);
    assert_int_equal(refusal.step, 2);
    assert_int_equal(refusal.version, version);
    made.levels[2].id = shop_id(9);
    shop_check_invalid(&refusal, transact(shop, made.operations, 9, NULL, &refusal), CELLAR_NO_LINE,
                       "id");
    assert_int_equal(refusal.step, 3);
    shop_check_frozen(shop, "after refusals");
}

/* A step finds what one before it brings to a location that is not there yet, and no more; what is
 * refused opens nothing. */
static void test_sold_at_a_new_location(void **state) {
    struct shop *shop = *state;
    static const uint32_t places[] = {6, 5};
    fill(shop);
    const cellar_line moved = shop_line("a", 0, 5, 0);
    const cellar_stock_level move = {.line = &moved, .to_location = 5};
    cellar_line safety = shop_line("a", 5, 1, 0);
    const cellar_stock_level level = {.line = &safety};
    cellar_line here = shop_line("a", 5, 2, 100);
    cellar_line wanted = shop_line("a", 0, 3, 100);
    const cellar_stock_change take = {.lines = &here, .line_count = 1};
    cellar_order_request order = shop_order_request(1, &wanted, 1);
    order.locations = places;
    order.location_count = 2;
    const cellar_operation operations[] = {
        {.kind = CELLAR_OPERATION_STOCK_MOVE, .level = &move},
        {.kind = CELLAR_OPERATION_STOCK_SET_SAFETY, .level = &level},
        {.kind = CELLAR_OPERATION_STOCK_TAKE, .stock = &take},
        {.kind = CELLAR_OPERATION_ORDER_PLACE, .order = &order},
    };
    cellar_refusal refusal;
    shop_freeze(shop);
    assert_int_equal(transact(shop, operations, 4, NULL, &refusal), CELLAR_OUT_OF_STOCK);
    assert_int_equal(refusal.step, 3);
    assert_int_equal(refusal.available, 2);
    /* Not behind it: nothing is there before. */
    assert_int_equal(transact(shop, operations + 1, 3, NULL, &refusal), CELLAR_NOT_FOUND);
    assert_int_equal(refusal.step, 0);
    shop_check_frozen(shop, "after refusals");
    shop_status(shop, "a", CELLAR_PRODUCT_DISCONTINUED);
    shop_freeze(shop);
    assert_int_equal(transact(shop, operations, 4, NULL, &refusal), CELLAR_NOT_FOUND);
    assert_int_equal(refusal.step, 1);
    shop_check_frozen(shop, "after a refusal of what is discontinued");
    shop_status(shop, "a", CELLAR_PRODUCT_ACTIVE);
    wanted.quantity = 2;
    assert_int_equal(transact(shop, operations, 4, NULL, NULL), CELLAR_OK);
    shop_settle(shop);
    cellar_stock stock = shop_stock(shop, "a", 5);
    assert_int_equal(stock.available, 1);
    assert_int_equal(stock.safety, 1);
    assert_int_equal(stock.reserved, 2);
    assert_int_equal(shop_available(shop, "a", 0), 5);
}

/* Coupons and codes: claimed, redeemed and given back beside other things. */
static void test_coupons(void **state) {
    struct shop *shop = *state;
    fill(shop);
    const cellar_line line = shop_line("a", 0, 1, 100);
    const cellar_code_request code = {.campaign = 1, .code = "code 0", .uses = 2};
    const cellar_claim claim = {.id = shop_id(1), .campaign = 1, .customer = 7};
    const cellar_redemption coupon = {
        .id = shop_id(2), .campaign = 1, .customer = 7, .lines = &line, .line_count = 1};
    const cellar_redemption by_code = {
        .id = shop_id(3), .code = "code 0", .lines = &line, .line_count = 1};
    int64_t discounts[2] = {0, 0};
    const cellar_operation operations[] = {
        {.kind = CELLAR_OPERATION_CODE_ADD, .code = &code},
        {.kind = CELLAR_OPERATION_COUPON_CLAIM, .claim = &claim},
        {.kind = CELLAR_OPERATION_COUPON_REDEEM,
         .redemption = &coupon,
         .discounts_out = &discounts[0]},
        {.kind = CELLAR_OPERATION_COUPON_REDEEM,
         .redemption = &by_code,
         .discounts_out = &discounts[1]},
    };
    cellar_ticket ticket;
    cellar_ticket again;
    assert_int_equal(transact(shop, operations, 4, &ticket, NULL), CELLAR_OK);
    assert_int_equal(ticket.rank, 1);
    assert_int_equal(ticket.remaining, 0);
    assert_int_equal(discounts[0], 30);
    assert_int_equal(discounts[1], 30);
    cellar_code got;
    for (int opening = 0; opening < 2; opening++) {
        shop_settle(shop);
        assert_int_equal(shop_coupon(shop, 1, 7, 0).state, CELLAR_COUPON_REDEEMED);
        assert_int_equal(shop_coupon(shop, 1, 7, 0).discount, 30);
        assert_int_equal(cellar_code_get(shop->store, "code 0", &got), CELLAR_OK);
        assert_int_equal(got.left, 1);
        assert_int_equal(shop_audit(shop).totals.discounts, 60);
        discounts[0] = 1;
        assert_int_equal(transact(shop, operations, 4, &again, NULL), CELLAR_OK);
        assert_true(again.repeated);
        assert_int_equal(again.lsn, ticket.lsn);
        assert_int_equal(again.rank, 0);
        assert_int_equal(discounts[0], 1);
        shop_reopen(shop);
    }
    const cellar_redemption back = {.id = shop_id(4), .campaign = 1, .customer = 7};
    const cellar_redemption code_back = {.id = shop_id(5), .code = "code 0"};
    const cellar_claim other = {.campaign = 1, .customer = 8};
    const cellar_operation undo[] = {
        {.kind = CELLAR_OPERATION_COUPON_RESTORE, .redemption = &back},
        {.kind = CELLAR_OPERATION_COUPON_RESTORE, .redemption = &code_back, .discount = 30},
        {.kind = CELLAR_OPERATION_COUPON_CLAIM, .claim = &other},
        {.kind = CELLAR_OPERATION_COUPON_REVOKE, .claim = &other},
    };
    assert_int_equal(transact(shop, undo, 4, &ticket, NULL), CELLAR_OK);
    assert_int_equal(shop_coupon(shop, 1, 7, 0).state, CELLAR_COUPON_GRANTED);
    assert_int_equal(shop_coupon(shop, 1, 8, 0).state, CELLAR_COUPON_REVOKED);
    assert_int_equal(shop_audit(shop).totals.discounts, 0);
}

static void test_leases(void **state) {
    struct shop *shop = *state;
    fill(shop);
    const cellar_lease_request acquire = {.name = "job", .holder = 7, .ttl_ms = 5000};
    const cellar_account_entry credit = {.account = 1, .amount = 1};
    cellar_operation operations[] = {
        {.kind = CELLAR_OPERATION_ACCOUNT_CREDIT, .entry = &credit},
        {.kind = CELLAR_OPERATION_LEASE_ACQUIRE, .lease = &acquire},
    };
    cellar_ticket ticket;
    cellar_refusal refusal;
    assert_int_equal(transact(shop, operations, 2, &ticket, NULL), CELLAR_OK);
    assert_int_equal(cellar_lease_check(shop->store, "job", ticket.lsn), CELLAR_OK);
    /* The work under the lease, and proof that it is still held, in one commit. */
    cellar_lease_request renew = {.name = "job", .token = ticket.lsn, .ttl_ms = 9000};
    operations[1] = (cellar_operation){.kind = CELLAR_OPERATION_LEASE_RENEW, .lease = &renew};
    assert_int_equal(transact(shop, operations, 2, NULL, NULL), CELLAR_OK);
    renew.token += 64;
    shop_freeze(shop);
    assert_int_equal(transact(shop, operations, 2, NULL, &refusal), CELLAR_LEASE_LOST);
    assert_int_equal(refusal.step, 1);
    shop_check_frozen(shop, "after a lease that was lost");
    renew.token -= 64;
    operations[1].kind = CELLAR_OPERATION_LEASE_RELEASE;
    assert_int_equal(transact(shop, operations, 2, NULL, NULL), CELLAR_OK);
    cellar_lease lease;
    assert_int_equal(cellar_lease_get(shop->store, "job", &lease), CELLAR_OK);
    assert_false(lease.held);
    assert_int_equal(shop_balance(shop, 1), 103);
}

/* What each kind is refused for: it asks for what is not there, or too much. */
static const cellar_line ghost = {.sku = "ghost", .quantity = 1, .unit_price = 1};
static const cellar_line few = {.sku = "a", .quantity = 99, .unit_price = 1};
static const cellar_order_request order = {.id = {0, 50}, .lines = &few, .line_count = 1};
static const cellar_order_request back = {.id = {0, 51}, .lines = &ghost, .line_count = 1};
static const cellar_order_change step = {.order = {0, 52}, .event = CELLAR_EVENT_PAY};
static const cellar_stock_change stock = {.lines = &ghost, .line_count = 1};
static const cellar_stock_level level = {.line = &ghost, .to_location = 3};
static const cellar_account_entry entry = {.id = {0, 53}, .account = 9, .to = 8, .amount = 1};
static const cellar_account_entry debt = {.account = 9, .amount = -1};
static const cellar_account_request account = {.id = 1, .floor = -5};
static const cellar_claim claim = {.campaign = 9, .customer = 1};
static const cellar_redemption redemption = {.campaign = 9, .customer = 1};
static const cellar_code_request code = {.campaign = 9, .code = "code 1", .uses = 1};
static const cellar_lease_request lease = {.name = "nobody's", .token = 64, .ttl_ms = 1};
static const struct {
    cellar_operation operation;
    cellar_status status;
    uint32_t line;
} rows[] = {
    {{.kind = CELLAR_OPERATION_ORDER_PLACE, .order = &order}, CELLAR_OUT_OF_STOCK, 0},
    {{.kind = CELLAR_OPERATION_ORDER_RETURN, .order = &back}, CELLAR_NOT_FOUND, 0},
    {{.kind = CELLAR_OPERATION_ORDER_STEP, .step = &step}, CELLAR_NOT_FOUND, CELLAR_NO_LINE},
    {{.kind = CELLAR_OPERATION_STOCK_RECEIVE, .stock = &stock}, CELLAR_NOT_FOUND, 0},
    {{.kind = CELLAR_OPERATION_STOCK_ADJUST, .stock = &stock}, CELLAR_NOT_FOUND, 0},
    {{.kind = CELLAR_OPERATION_STOCK_SET_ASIDE, .stock = &stock}, CELLAR_NOT_FOUND, 0},
    {{.kind = CELLAR_OPERATION_STOCK_ANNOUNCE, .stock = &stock}, CELLAR_NOT_FOUND, 0},
    {{.kind = CELLAR_OPERATION_STOCK_TAKE, .stock = &stock}, CELLAR_NOT_FOUND, 0},
    {{.kind = CELLAR_OPERATION_STOCK_MOVE, .level = &level}, CELLAR_NOT_FOUND, 0},
    {{.kind = CELLAR_OPERATION_STOCK_COUNT, .level = &level}, CELLAR_NOT_FOUND, 0},
    {{.kind = CELLAR_OPERATION_STOCK_SET_SAFETY, .level = &level}, CELLAR_NOT_FOUND, 0},
    {{.kind = CELLAR_OPERATION_ACCOUNT_CREDIT, .entry = &entry}, CELLAR_NOT_FOUND, 0},
    {{.kind = CELLAR_OPERATION_ACCOUNT_DEBIT, .entry = &entry}, CELLAR_NOT_FOUND, 0},
    {{.kind = CELLAR_OPERATION_ACCOUNT_TRANSFER, .entry = &entry}, CELLAR_NOT_FOUND, 0},
    {{.kind = CELLAR_OPERATION_ACCOUNT_SET_FLOOR, .entry = &debt},
     CELLAR_NOT_FOUND,
     CELLAR_NO_LINE},
    {{.kind = CELLAR_OPERATION_ACCOUNT_HOLD, .entry = &entry}, CELLAR_NOT_FOUND, 0},
    {{.kind = CELLAR_OPERATION_ACCOUNT_POST, .entry = &entry}, CELLAR_NOT_FOUND, CELLAR_NO_LINE},
    {{.kind = CELLAR_OPERATION_ACCOUNT_VOID, .entry = &entry}, CELLAR_NOT_FOUND, CELLAR_NO_LINE},
    {{.kind = CELLAR_OPERATION_ACCOUNT_CREATE, .account = &account},
     CELLAR_ALREADY_EXISTS,
     CELLAR_NO_LINE},
    {{.kind = CELLAR_OPERATION_COUPON_CLAIM, .claim = &claim}, CELLAR_NOT_FOUND, CELLAR_NO_LINE},
    {{.kind = CELLAR_OPERATION_COUPON_REVOKE, .claim = &claim}, CELLAR_NOT_FOUND, CELLAR_NO_LINE},
    {{.kind = CELLAR_OPERATION_COUPON_REDEEM, .redemption = &redemption},
     CELLAR_NOT_FOUND,
     CELLAR_NO_LINE},
    {{.kind = CELLAR_OPERATION_COUPON_RESTORE, .redemption = &redemption},
     CELLAR_NOT_FOUND,
     CELLAR_NO_LINE},
    {{.kind = CELLAR_OPERATION_CODE_ADD, .code = &code}, CELLAR_NOT_FOUND, CELLAR_NO_LINE},
    {{.kind = CELLAR_OPERATION_LEASE_ACQUIRE, .lease = &lease},
     CELLAR_INVALID_ARGUMENT,
     CELLAR_NO_LINE},
    {{.kind = CELLAR_OPERATION_LEASE_RENEW, .lease = &lease}, CELLAR_NOT_FOUND, CELLAR_NO_LINE},
    {{.kind = CELLAR_OPERATION_LEASE_RELEASE, .lease = &lease}, CELLAR_NOT_FOUND, CELLAR_NO_LINE},
};
/* Every kind lacks what it needs to be told, or asks for what is not there, as the last of three
 * steps: the answer is its own, with its number. */
static void test_refusals_name_the_step(void **state) {
    struct shop *shop = *state;
    fill(shop);
    const cellar_account_entry credit = {.account = 1, .amount = 1};
    cellar_operation operations[3] = {
        {.kind = CELLAR_OPERATION_ACCOUNT_CREDIT, .entry = &credit},
        {.kind = CELLAR_OPERATION_ACCOUNT_CREDIT, .entry = &credit},
    };
    assert_int_equal(sizeof rows / sizeof *rows, CELLAR_OPERATION_LEASE_RELEASE);
    shop_freeze(shop);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        cellar_refusal refusal = {0};
        operations[2] = rows[i].operation;
        cellar_status status = transact(shop, operations, 3, NULL, &refusal);
        if (status != rows[i].status || refusal.status != status || refusal.step != 2 ||
            refusal.line != rows[i].line) {
            fail_msg("kind %d: %s, step %u, line %d", (int)operations[2].kind,
                     cellar_status_name(status), refusal.step, (int)refusal.line);
        }
        /* Alone, in a commit of its own, it is the same answer. */
        cellar_status alone = CELLAR_OK;
        (void)cellar_bulk(shop->store, NULL, &operations[2], 1, &alone, NULL, NULL);
        assert_int_equal(alone, rows[i].status);
        const cellar_operation empty = {.kind = operations[2].kind};
        operations[2] = empty;
        assert_int_equal(transact(shop, operations, 3, NULL, &refusal), CELLAR_INVALID_ARGUMENT);
        assert_int_equal(refusal.step, 2);
        assert_non_null(refusal.reason);
    }
    const cellar_operation_kind wrong[] = {0, CELLAR_OPERATION_LEASE_RELEASE + 1,
                                           (cellar_operation_kind)-1};
    for (size_t i = 0; i < 3; i++) {
        cellar_refusal refusal;
        operations[2] = (cellar_operation){.kind = wrong[i], .entry = &credit};
        shop_check_invalid(&refusal, transact(shop, operations, 3, NULL, &refusal), CELLAR_NO_LINE,
                           "kind");
    }
    shop_check_frozen(shop, "after refusals");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SHOP_TEST(test_hold_then_capture),
        SHOP_TEST(test_levels),
        SHOP_TEST(test_levels_refused),
        SHOP_TEST(test_sold_at_a_new_location),
        SHOP_TEST(test_coupons),
        SHOP_TEST(test_leases),
        SHOP_TEST(test_refusals_name_the_step),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
