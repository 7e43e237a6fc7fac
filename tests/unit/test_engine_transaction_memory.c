/* Does an operation that is a step of a transaction say so when it lacks memory, wherever in the
 * step that is? A plan holds a little by itself, and grows where that ends: so each operation is
 * tried behind others that fill it up to every place. A last step that is refused keeps the store
 * as it is. And does opening such a store say so as well? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/orders.h"
#include "store/plan.h"

#include <string.h>

#define KIT_LINES 14
/* Accounts that are credited first: each takes one change, and more of the payload. */
#define FILLER_FIRST 101
#define FILLERS PLAN_CHANGES_INLINE
/* Credits of one account, which take payload only. */
#define PAYLOAD_FILLERS_FIRST 3
#define PAYLOAD_FILLERS_LAST 7
/* Names of a lease fill what is left, in steps of what is aligned. */
#define NAME_STEP 8
/* What else a lease takes, and as far as a credit more takes as much. */
#define PAD_HEADER_BYTES (sizeof(struct payload_part) + sizeof(struct payload_lease))
#define PAD_BYTES_MAX (CELLAR_LEASE_NAME_BYTES_MAX + 3 * NAME_STEP)
#define LATER (SHOP_NOW + INT64_C(3600000000000))

static const cellar_id none = {0, 0};
static const uint32_t locations[] = {2, 3};
static cellar_line kit_lines[KIT_LINES];
static cellar_line pair_lines[KIT_LINES]; /* of a kit with one component */
static cellar_line goods_lines[KIT_LINES];
static cellar_lease_request free_job = {.name = "free", .holder = 1, .ttl_ms = 1000};
static cellar_lease_request job = {.name = "job", .ttl_ms = 1000};

/* ---- The store ---- */

static void put_kit(struct shop *shop) {
    static const cellar_component box[] = {{.sku = "bottle", .quantity = 1},
                                           {.sku = "glass", .quantity = 2}};
    const cellar_product kit = {.sku = "box", .components = box, .component_count = 2};
    shop_goods(shop, "bottle", 500);
    shop_goods(shop, "glass", 500);
    assert_int_equal(cellar_product_put(shop->store, NULL, &kit, 0, NULL, NULL), CELLAR_OK);
    const cellar_product pair = {.sku = "pair", .components = box + 1, .component_count = 1};
    assert_int_equal(cellar_product_put(shop->store, NULL, &pair, 0, NULL, NULL), CELLAR_OK);
}

/* Campaign 2 has no claims yet, in campaign 3 customer 2 waits. */
static void put_more_campaigns(struct shop *shop, cellar_campaign campaign) {
    campaign.id = 2;
    shop_campaign_put(shop, &campaign);
    campaign = shop_campaign(3, 1);
    campaign.waitlist_max = 5;
    shop_campaign_put(shop, &campaign);
    (void)shop_claim(shop, 3, 1);
    (void)shop_claim(shop, 3, 2);
}

static void put_campaign(struct shop *shop) {
    cellar_campaign campaign = shop_campaign(1, 50);
    campaign.restore_on_cancel = true;
    campaign.budget = 1000;
    campaign.waitlist_max = 5;
    campaign.customer_limit = 9;
    campaign.period_ns = INT64_C(3600000000000);
    campaign.period_count = 40;
    campaign.customer_period_ns = campaign.period_ns;
    campaign.customer_period_count = 5;
    campaign.discount = (cellar_discount){.kind = CELLAR_DISCOUNT_AMOUNT, .value = 5};
    shop_campaign_put(shop, &campaign);
    put_more_campaigns(shop, campaign);
    for (uint64_t customer = 1; customer <= 5; customer++) {
        (void)shop_claim(shop, 1, customer);
    }
    assert_int_equal(cellar_code_add(shop->store, NULL, 1, "code 0", 3, NULL, NULL), CELLAR_OK);
    const cellar_redemption used[] = {
        {.campaign = 1, .customer = 4, .lines = goods_lines, .line_count = 1},
        {.code = "code 0", .lines = goods_lines, .line_count = 1},
    };
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(cellar_coupon_redeem(shop->store, NULL, &used[i], NULL, NULL, NULL),
                         CELLAR_OK);
    }
}

/* Orders 1 to 8: a kit held, paid with a coupon, fulfilled, placed, paid but not there, split, paid
 * and there, and one behind it for which there is nothing. */
static void put_orders(struct shop *shop) {
    cellar_line late = shop_line("late", 0, 3, 10);
    cellar_line split = shop_line("a", 0, 8, 10);
    shop_product(shop, "late");
    orders_safety(shop, "late", -20);
    shop_goods(shop, "scarce", 3);
    orders_safety(shop, "scarce", -20);
    (void)shop_order(shop, 7, "scarce", 3, CELLAR_ORDER_PAID);
    (void)shop_order(shop, 8, "scarce", 3, CELLAR_ORDER_PAID);
    for (uint64_t id = 1; id <= 6; id++) {
        cellar_order_request order = shop_order_request(id, goods_lines, 2);
        if (id == 1) {
            order.lines = kit_lines;
            order.hold_until_ns = orders_deadline(shop, 100000);
        } else if (id == 2) {
            order.state = CELLAR_ORDER_PAID;
            order.customer = 1;
            order.coupon_campaign = 1;
        } else if (id == 3) {
            order.state = CELLAR_ORDER_FULFILLED;
        } else if (id == 5) {
            order = shop_order_request(id, &late, 1);
        } else if (id == 6) {
            order = shop_order_request(id, &split, 1);
            order.locations = locations;
            order.location_count = 2;
            order.split = true;
        }
        order.account = id == 2 || id == 3 ? 1 : 0;
        order.payee = id == 2 ? 3 : 2;
        assert_int_equal(cellar_order_place(shop->store, NULL, &order, NULL, NULL), CELLAR_OK);
    }
}

static void fill(struct shop *shop) {
    const cellar_account_request collecting = {.id = 3, .collecting = true};
    cellar_ticket ticket;
    static char skus[KIT_LINES][SHOP_NAME_BYTES];
    put_kit(shop);
    shop_goods(shop, "a", 100);
    /* Neither has what a split order asks for. */
    (void)shop_receive(shop, "a", 2, 7);
    (void)shop_receive(shop, "a", 3, 7);
    for (int i = 0; i < KIT_LINES; i++) {
        shop_goods(shop, shop_name(skus[i], "goods %d", i), 100);
        goods_lines[i] = shop_line(skus[i], 0, 2, 10);
        kit_lines[i] = shop_line("box", 0, 1, 10);
        pair_lines[i] = shop_line("pair", 0, 1, 10);
    }
    shop_account(shop, 1, -10, 10000);
    shop_account(shop, 2, -100, 500);
    assert_int_equal(cellar_account_create(shop->store, NULL, &collecting, NULL, NULL), CELLAR_OK);
    assert_int_equal(cellar_account_transfer(shop->store, NULL, none, 1, 3, 1000, NULL, NULL),
                     CELLAR_OK);
    assert_int_equal(cellar_account_hold(shop->store, NULL, shop_id(200), 1, 50, 0, NULL, NULL),
                     CELLAR_OK);
    for (uint64_t i = 0; i < FILLERS; i++) {
        shop_account(shop, FILLER_FIRST + i, 0, 0);
    }
    put_campaign(shop);
    put_orders(shop);
    /* What comes in is settled by a commit of its own when it is to be paid out: done before, and
     * all of it, so that nothing is left to be settled later. */
    shop_settle(shop);
    assert_int_equal(cellar_account_transfer(shop->store, NULL, none, 3, 1, 1000, NULL, NULL),
                     CELLAR_OK);
    (void)shop_receive(shop, "a", 2, 7);
    assert_int_equal(cellar_lease_acquire(shop->store, NULL, "job", 9, 900000, &ticket, NULL),
                     CELLAR_OK);
    job.token = ticket.lsn;
    shop_settle(shop);
}

/* ---- The operations ---- */

static const cellar_order_part half[] = {{.line = 1, .quantity = 1}};
static const cellar_line one = {.sku = "a", .quantity = 1, .unit_price = 10};
static const cellar_line many = {.sku = "a", .quantity = 8, .unit_price = 10};
static const cellar_line far = {.sku = "a", .location = 7, .quantity = 1};

#define LINES(pointer, count) .id = {SHOP_ID_HIGH, 300}, .lines = (pointer), .line_count = (count)
#define ORDER(...)                                                                                 \
    .order = &(const cellar_order_request) {                                                       \
        __VA_ARGS__                                                                                \
    }
#define STEP(...)                                                                                  \
    .kind = CELLAR_OPERATION_ORDER_STEP, .step = &(const cellar_order_change) {                    \
        __VA_ARGS__                                                                                \
    }
#define WHOLE(number, what) .order = {SHOP_ID_HIGH, (number)}, .event = CELLAR_EVENT_##what
#define PART(number, what)                                                                         \
    WHOLE(number, what), .id = {SHOP_ID_HIGH, 301}, .parts = half, .part_count = 1
#define STOCK(pointer)                                                                             \
    .stock = &(const cellar_stock_change) {                                                        \
        LINES(pointer, 1)                                                                          \
    }
#define MANY                                                                                       \
    .stock = &(const cellar_stock_change) {                                                        \
        LINES(goods_lines, KIT_LINES)                                                              \
    }
#define LEVEL(...)                                                                                 \
    .level = &(const cellar_stock_level) {                                                         \
        .line = &one, __VA_ARGS__                                                                  \
    }
#define ENTRY(...)                                                                                 \
    .entry = &(const cellar_account_entry) {                                                       \
        __VA_ARGS__                                                                                \
    }
#define CLAIM(...)                                                                                 \
    .claim = &(const cellar_claim) {                                                               \
        .campaign = 1, __VA_ARGS__                                                                 \
    }
#define REDEEM(...)                                                                                \
    .redemption = &(const cellar_redemption) {                                                     \
        .id = {SHOP_ID_HIGH, 302}, __VA_ARGS__                                                     \
    }
#define BOUGHT .lines = goods_lines, .line_count = 2

static const cellar_operation operations[] = {
    {.kind = CELLAR_OPERATION_ACCOUNT_TRANSFER, ENTRY(.account = 3, .to = 1, .amount = 30)},
    {.kind = CELLAR_OPERATION_ORDER_PLACE, ORDER(LINES(goods_lines, 2), .reference = "reference")},
    {.kind = CELLAR_OPERATION_ORDER_PLACE, ORDER(LINES(goods_lines, 1), .hold_until_ns = LATER)},
    {.kind = CELLAR_OPERATION_ORDER_PLACE, ORDER(LINES(goods_lines, KIT_LINES), .payee = 2)},
    {.kind = CELLAR_OPERATION_ORDER_PLACE,
     ORDER(LINES(goods_lines, 2), .state = CELLAR_ORDER_PAID, .account = 1, .payee = 3,
           .customer = 2, .coupon_campaign = 1)},
    {.kind = CELLAR_OPERATION_ORDER_PLACE,
     ORDER(LINES(goods_lines, 2), .state = CELLAR_ORDER_FULFILLED, .account = 1, .payee = 2,
           .code = "code 0")},
    {.kind = CELLAR_OPERATION_ORDER_PLACE, ORDER(LINES(kit_lines, 1), .payee = 2)},
    {.kind = CELLAR_OPERATION_ORDER_PLACE, ORDER(LINES(kit_lines, KIT_LINES))},
    {.kind = CELLAR_OPERATION_ORDER_PLACE, ORDER(LINES(pair_lines, KIT_LINES))},
    {.kind = CELLAR_OPERATION_ORDER_PLACE,
     ORDER(LINES(&many, 1), .locations = locations, .location_count = 2, .split = true)},
    {.kind = CELLAR_OPERATION_ORDER_PLACE,
     ORDER(LINES(&one, 1), .locations = locations, .location_count = 2)},
    {.kind = CELLAR_OPERATION_ORDER_RETURN, ORDER(LINES(goods_lines, 3), .account = 1, .payee = 2)},
    {.kind = CELLAR_OPERATION_ORDER_RETURN, ORDER(LINES(kit_lines, 2))},
    {STEP(WHOLE(1, CANCEL))},
    {STEP(WHOLE(1, EXTEND), .hold_until_ns = LATER)},
    {STEP(WHOLE(1, PAY), .account = 1)},
    {STEP(PART(1, PAY), .account = 1)},
    {STEP(PART(1, CANCEL))},
    {STEP(WHOLE(2, CANCEL))},
    {STEP(WHOLE(2, FULFIL))},
    {STEP(PART(2, FULFIL))},
    {STEP(PART(2, CANCEL))},
    {STEP(WHOLE(3, RETURN), .id = {SHOP_ID_HIGH, 301})},
    {STEP(PART(3, RETURN), .damaged = true)},
    {STEP(WHOLE(4, PAY), .account = 1)},
    {STEP(PART(4, PAY), .account = 1)},
    {STEP(WHOLE(4, CANCEL))},
    {STEP(WHOLE(5, CANCEL))},
    {STEP(WHOLE(5, PAY), .account = 1)},
    {STEP(WHOLE(6, CANCEL))},
    {STEP(WHOLE(7, FULFIL))},
    {.kind = CELLAR_OPERATION_STOCK_RECEIVE, STOCK(&one)},
    {.kind = CELLAR_OPERATION_STOCK_RECEIVE, STOCK(&far)},
    {.kind = CELLAR_OPERATION_STOCK_RECEIVE, MANY},
    {.kind = CELLAR_OPERATION_STOCK_ADJUST, STOCK(&one)},
    {.kind = CELLAR_OPERATION_STOCK_SET_ASIDE, STOCK(&one)},
    {.kind = CELLAR_OPERATION_STOCK_ANNOUNCE, STOCK(&one)},
    {.kind = CELLAR_OPERATION_STOCK_TAKE, STOCK(&one)},
    {.kind = CELLAR_OPERATION_STOCK_TAKE, MANY},
    {.kind = CELLAR_OPERATION_STOCK_MOVE, LEVEL(.id = {SHOP_ID_HIGH, 303}, .to_location = 2)},
    {.kind = CELLAR_OPERATION_STOCK_MOVE, LEVEL(.to_location = 9)},
    {.kind = CELLAR_OPERATION_STOCK_COUNT, LEVEL(.expected = 0)},
    {.kind = CELLAR_OPERATION_STOCK_SET_SAFETY, LEVEL(.expected = 0)},
    {.kind = CELLAR_OPERATION_ACCOUNT_CREDIT, ENTRY(.account = 1, .amount = 1)},
    {.kind = CELLAR_OPERATION_ACCOUNT_DEBIT,
     ENTRY(.id = {SHOP_ID_HIGH, 304}, .account = 1, .amount = 1)},
    {.kind = CELLAR_OPERATION_ACCOUNT_TRANSFER, ENTRY(.account = 1, .to = 2, .amount = 1)},
    {.kind = CELLAR_OPERATION_ACCOUNT_TRANSFER, ENTRY(.account = 1, .to = 3, .amount = 1)},
    {.kind = CELLAR_OPERATION_ACCOUNT_CREATE, .account = &(const cellar_account_request){.id = 60}},
    {.kind = CELLAR_OPERATION_ACCOUNT_CREATE,
     .account = &(const cellar_account_request){.id = 61, .floor = -5, .collecting = true}},
    {.kind = CELLAR_OPERATION_ACCOUNT_SET_FLOOR, ENTRY(.account = 1, .amount = -90)},
    {.kind = CELLAR_OPERATION_ACCOUNT_HOLD,
     ENTRY(.id = {SHOP_ID_HIGH, 305}, .account = 1, .amount = 5, .deadline_ns = LATER)},
    {.kind = CELLAR_OPERATION_ACCOUNT_POST,
     ENTRY(.id = {SHOP_ID_HIGH, 200}, .amount = 40, .to = 2)},
    {.kind = CELLAR_OPERATION_ACCOUNT_POST, ENTRY(.id = {SHOP_ID_HIGH, 200}, .amount = 40)},
    {.kind = CELLAR_OPERATION_ACCOUNT_VOID, ENTRY(.id = {SHOP_ID_HIGH, 200})},
    {.kind = CELLAR_OPERATION_LEASE_ACQUIRE, .lease = &free_job},
    {.kind = CELLAR_OPERATION_LEASE_RENEW, .lease = &job},
    {.kind = CELLAR_OPERATION_LEASE_RELEASE, .lease = &job},
    {.kind = CELLAR_OPERATION_COUPON_CLAIM, CLAIM(.id = {SHOP_ID_HIGH, 306}, .customer = 9)},
    {.kind = CELLAR_OPERATION_COUPON_CLAIM,
     .claim = &(const cellar_claim){.campaign = 2, .customer = 9}},
    {.kind = CELLAR_OPERATION_COUPON_REVOKE, CLAIM(.customer = 2)},
    {.kind = CELLAR_OPERATION_COUPON_REVOKE,
     .claim = &(const cellar_claim){.campaign = 3, .customer = 2}},
    {.kind = CELLAR_OPERATION_COUPON_REDEEM, REDEEM(.campaign = 1, .customer = 2, BOUGHT)},
    {.kind = CELLAR_OPERATION_COUPON_REDEEM, REDEEM(.code = "code 0", BOUGHT)},
    {.kind = CELLAR_OPERATION_COUPON_RESTORE, REDEEM(.campaign = 1, .customer = 4)},
    {.kind = CELLAR_OPERATION_COUPON_RESTORE, REDEEM(.code = "code 0"), .discount = 5},
    {.kind = CELLAR_OPERATION_CODE_ADD,
     .code = &(const cellar_code_request){.campaign = 1, .code = "code 1", .uses = 1}},
};

/* ---- The sweep ---- */

struct transaction {
    cellar_operation steps[FILLERS + 4];
    cellar_account_entry credits[FILLERS];
    cellar_lease_request pads[2];
    char pad_names[2][CELLAR_LEASE_NAME_BYTES_MAX + 1];
    size_t count;
};

/* A lease whose name is so long, in steps of what is aligned. */
static void make_pad(struct transaction *made, size_t number, size_t name_bytes) {
    char *name = made->pad_names[number];
    memset(name, (int)('x' + number), name_bytes);
    name[name_bytes] = '\0';
    made->pads[number] = (cellar_lease_request){.name = name, .holder = 1, .ttl_ms = 1000};
    made->steps[made->count++] =
        (cellar_operation){.kind = CELLAR_OPERATION_LEASE_ACQUIRE, .lease = &made->pads[number]};
}

/* So many credits, each of an account of its own or all of one; the name of a lease with so many
 * bytes, 0: none, or, when that is too long, two leases that take as much; the operation; and a
 * step that is refused. */
static void make(struct transaction *made, size_t credits, bool spread, size_t pad_bytes,
                 const cellar_operation *operation) {
    static const cellar_account_entry unknown = {.account = 999, .amount = 1};
    made->count = 0;
    if (pad_bytes > CELLAR_LEASE_NAME_BYTES_MAX) {
        make_pad(made, 1, pad_bytes - PAD_HEADER_BYTES - CELLAR_LEASE_NAME_BYTES_MAX / 2);
        pad_bytes = CELLAR_LEASE_NAME_BYTES_MAX / 2;
    }
    if (pad_bytes != 0) {
        make_pad(made, 0, pad_bytes);
    }
    for (size_t i = 0; i < credits; i++) {
        made->credits[i] = (cellar_account_entry){.account = FILLER_FIRST, .amount = 1};
        made->credits[i].account += spread ? i : 0;
        made->steps[made->count++] =
            (cellar_operation){.kind = CELLAR_OPERATION_ACCOUNT_CREDIT, .entry = &made->credits[i]};
    }
    made->steps[made->count++] = *operation;
    made->steps[made->count++] =
        (cellar_operation){.kind = CELLAR_OPERATION_ACCOUNT_CREDIT, .entry = &unknown};
}

/* Fails allocation 0, 1, 2, ... until only the last step is refused. How many failed. */
static int64_t fail_each(struct shop *shop, const struct transaction *made, size_t number) {
    struct memory *memory = shop->store->memory;
    cellar_status status = CELLAR_OUT_OF_MEMORY;
    int64_t failed = -1;
    while (status == CELLAR_OUT_OF_MEMORY) {
        cellar_refusal refusal = {0};
        memory_fail_after(memory, ++failed, 0);
        status = cellar_transact(shop->store, NULL, shop_id(307), made->steps, made->count, NULL,
                                 &refusal);
        /* What failed is told, whatever comes behind it. */
        assert_int_equal(status == CELLAR_OUT_OF_MEMORY, memory_has_failed());
        memory_fail_after(memory, -1, 0);
        assert_int_equal(memory_used(memory, MEMORY_SCRATCH), 0);
        if (status != CELLAR_OUT_OF_MEMORY &&
            (status != CELLAR_NOT_FOUND || refusal.step != made->count - 1)) {
            fail_msg("operation %zu: %s at step %u of %zu: %s", number, cellar_status_name(status),
                     refusal.step, made->count, refusal.reason == NULL ? "" : refusal.reason);
        }
    }
    return failed;
}

static void test_every_place_of_every_operation(void **state) {
    struct shop *shop = *state;
    struct transaction made;
    int64_t failed = 0;
    fill(shop);
    shop_freeze(shop);
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++) {
        for (size_t credits = 0; credits <= FILLERS; credits++) {
            make(&made, credits, true, 0, &operations[i]);
            failed += fail_each(shop, &made, i);
        }
        for (size_t credits = PAYLOAD_FILLERS_FIRST; credits <= PAYLOAD_FILLERS_LAST; credits++) {
            for (size_t pad = NAME_STEP; pad <= PAD_BYTES_MAX; pad += NAME_STEP) {
                make(&made, credits, false, pad, &operations[i]);
                failed += fail_each(shop, &made, i);
            }
        }
    }
    /* Now and then a thread behind the calls has the failure that was meant for one of them. */
    assert_true(failed > (int64_t)(sizeof operations / sizeof *operations));
    shop_check_frozen(shop, "after refusals");
}

/* Recovery needs memory for every kind of object, too. */
static void test_every_place_of_an_opening(void **state) {
    struct shop *shop = *state;
    cellar_status status = CELLAR_OUT_OF_MEMORY;
    int64_t failed = 0;
    fill(shop);
    shop_freeze(shop);
    shop_close(shop);
    for (; status != CELLAR_OK; failed++) {
        cellar_problem problem;
        memory_fail_after(NULL, failed, 0);
        status = shop_try_open(shop, &problem);
        memory_fail_after(NULL, -1, 0);
        if (status != CELLAR_OK) {
            assert_int_equal(status, CELLAR_OUT_OF_MEMORY);
            assert_null(shop->store);
        }
    }
    assert_true(failed > 100);
    shop_check_frozen(shop, "after openings that lacked memory");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SHOP_TEST(test_every_place_of_an_opening),
        SHOP_TEST(test_every_place_of_every_operation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
