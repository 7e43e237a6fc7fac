/* Does recovery refuse records that are well formed, and whose cells were changed as they say, but
 * that contradict what the records before them made? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/recovery.h"

#include <string.h>

static int redo(uint16_t kind, const void *payload, size_t bytes) {
    return recovery_redo(recovery_record(kind, payload, bytes));
}

static int set_up(void **unused) {
    recovery_set_up(unused);
    assert_int_equal(recovery_put(1, 1, 1, "a"), STORE_APPLIED);
    assert_int_equal(recovery_put(2, 2, 2, "bc"), STORE_APPLIED);
    return 0;
}

/* ---- Products and stocks ---- */

static void test_products(void **unused) {
    static const struct {
        int64_t block; /* that the product's cell held before */
        int result;
    } rows[] = {
        {1, STORE_APPLIED},       {2, STORE_APPLIED}, /* somebody else's, but there */
        {-1, STORE_APPLY_BROKEN}, {999, STORE_APPLY_BROKEN},
        {3, STORE_APPLY_BROKEN}, /* not there */
        {5, STORE_APPLY_BROKEN}, /* the one that is put */
    };
    (void)unused;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        recovery_tear_down(NULL);
        set_up(NULL);
        assert_int_equal(recovery_put(3, 3, 4, "d"), STORE_APPLIED);
        recovery_force(store_product_cell(1), rows[i].block);
        assert_int_equal(recovery_put(1, 1, 5, "a"), rows[i].result);
    }
    /* A SKU as long as another, and a longer one. */
    assert_int_equal(recovery_put(1, 1, 6, "ab"), STORE_APPLY_BROKEN);
    assert_int_equal(recovery_put(2, 2, 6, "bd"), STORE_APPLY_BROKEN);
    assert_int_equal(recovery_put(2, 3, 6, "bc"), STORE_APPLY_BROKEN);
}

static void test_stocks(void **unused) {
    static const struct {
        struct payload_stock_open opened;
        int result;
    } rows[] = {
        /* {product, stock, location}  result */
        {{.product = 1, .stock = 4, .location = 7}, STORE_APPLIED},
        {{.product = 1, .stock = 4, .location = 7}, STORE_APPLIED},
        {{.product = 2, .stock = 4, .location = 7}, STORE_APPLY_BROKEN},
        {{.product = 1, .stock = 4, .location = 8}, STORE_APPLY_BROKEN},
        {{.product = 4, .stock = 5, .location = 7}, STORE_APPLY_BROKEN}, /* in a gap */
    };
    (void)unused;
    assert_int_equal(recovery_put(5, 6, 3, "e"), STORE_APPLIED);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        recovery_change(store_stock_cell(rows[i].opened.stock, STORE_STOCK_SELLABLE), 0);
        assert_int_equal(redo(STORE_STOCK_OPEN, &rows[i].opened, sizeof rows[i].opened),
                         rows[i].result);
    }
    /* A change with an id, whose document is in another's slot. */
    struct payload_document change = {.id = {0, 1}, .slot = 1};
    for (int i = 0; i < 2; i++) {
        recovery_change(store_order_cell(1), STORE_STATE_OTHER);
        change.id.low += (uint64_t)i;
        assert_int_equal(redo(STORE_STOCK_CHANGE, &change, sizeof change),
                         i == 0 ? STORE_APPLIED : STORE_APPLY_BROKEN);
    }
    /* The safety stock is set, and its cell is not changed. */
    recovery_change(store_stock_cell(1, STORE_STOCK_SELLABLE), 5);
    assert_int_equal(redo(STORE_STOCK_SAFETY, NULL, 0), STORE_APPLY_BROKEN);
    recovery_change(store_stock_cell(1, STORE_STOCK_SELLABLE), 0);
    recovery_change(store_stock_cell(1, STORE_STOCK_SAFETY_CELL), -5);
    assert_int_equal(redo(STORE_STOCK_SAFETY, NULL, 0), STORE_APPLIED);
    assert_int_equal(recovery.store->stocks[1].safety, -5);
}

/* ---- Orders ---- */

/* An order of one unit of stock 1, of customer 7, in the slot of its id. */
struct order_bytes {
    struct payload_document header;
    struct payload_line line;
    uint64_t account; /* if its flag is set */
};

static struct order_bytes order_of(uint64_t id, uint8_t state) {
    return (struct order_bytes){.header = {.id = {0, id},
                                           .slot = (uint32_t)id,
                                           .customer = 7,
                                           .total = 10,
                                           .line_count = 1,
                                           .type = state},
                                .line = {.stock = 1, .quantity = 1, .unit_price = 10}};
}

#define ORDER_BYTES (sizeof(struct payload_document) + sizeof(struct payload_line))

static int place_bytes(const struct order_bytes *order, size_t bytes) {
    recovery_change(store_order_cell(order->header.slot), order->header.type);
    return redo(STORE_ORDER_PLACE, order, bytes);
}

static int place(uint64_t id, uint8_t state) {
    struct order_bytes order = order_of(id, state);
    return place_bytes(&order, ORDER_BYTES);
}

static void test_orders(void **unused) {
    struct order_bytes order = order_of(1, CELLAR_ORDER_PLACED);
    (void)unused;
    /* An account that does not pay yet. */
    order.header.flags = PAYLOAD_ACCOUNT;
    order.account = 9;
    assert_int_equal(place_bytes(&order, ORDER_BYTES + sizeof order.account), STORE_APPLIED);
    assert_int_equal(recovery.store->totals.debited, 0);
    assert_int_equal(ATOMIC_LOAD(&recovery.store->orders[1].account, relaxed), 0);
    order = order_of(1, CELLAR_ORDER_PLACED);
    order.header.id.high = 1;
    assert_int_equal(place_bytes(&order, ORDER_BYTES), STORE_APPLY_BROKEN);
    /* There was something in the slot, by its cell. */
    recovery_force(store_order_cell(2), CELLAR_ORDER_PLACED);
    assert_int_equal(place(2, CELLAR_ORDER_PLACED), STORE_APPLY_BROKEN);
    /* It may wait for goods, and its record does not touch them. */
    recovery_change(store_stock_cell(1, STORE_STOCK_SELLABLE), 0);
    recovery_change(store_stock_cell(1, STORE_STOCK_SAFETY_CELL), -5);
    assert_int_equal(redo(STORE_STOCK_SAFETY, NULL, 0), STORE_APPLIED);
    assert_int_equal(place(3, CELLAR_ORDER_PLACED), STORE_APPLIED);
    assert_int_equal(ATOMIC_LOAD(&recovery.store->stocks[1].queue.oldest, relaxed), 0);
    assert_int_equal(recovery.store->totals.orders[CELLAR_ORDER_PLACED], 2);
}

/* What the sections of an order say that a return or a paid order cannot have. */
static void test_sections(void **unused) {
    struct {
        struct payload_document header;
        struct payload_line line;
        int64_t until_ms;
    } held = {.until_ms = 5};
    struct {
        struct payload_document header;
        struct payload_line line;
        struct payload_count count;
        struct payload_allocation allocation;
    } allocated = {.count = {.count = 1}, .allocation = {.stock = 1, .per_unit = 1, .quantity = 1}};
    struct {
        struct payload_document header;
        struct payload_line line;
        int64_t discount;
        struct payload_redeem redeem;
    } redeemed = {.discount = 3, .redeem = {.discount = 3, .campaign = 1, .grant = 1}};
    struct order_bytes order = order_of(1, CELLAR_ORDER_PAID);
    (void)unused;
    memcpy(&held, &order, ORDER_BYTES);
    held.header.flags = PAYLOAD_HELD;
    recovery_change(store_order_cell(1), CELLAR_ORDER_PAID);
    assert_int_equal(redo(STORE_ORDER_PLACE, &held, sizeof held), RECOVERY_MALFORMED);
    memcpy(&allocated, &order, ORDER_BYTES);
    allocated.header.flags = PAYLOAD_ALLOCATED;
    allocated.allocation.stock = 3;
    recovery_change(store_order_cell(1), CELLAR_ORDER_PAID);
    assert_int_equal(redo(STORE_ORDER_PLACE, &allocated, sizeof allocated), RECOVERY_MALFORMED);
    allocated.allocation.stock = 2;
    recovery_change(store_order_cell(1), CELLAR_ORDER_PAID);
    assert_int_equal(redo(STORE_ORDER_PLACE, &allocated, sizeof allocated), STORE_APPLIED);
    /* A coupon of no campaign; then, of one, a grant that is not there. */
    order = order_of(2, CELLAR_ORDER_PAID);
    memcpy(&redeemed, &order, ORDER_BYTES);
    redeemed.header.flags = PAYLOAD_DISCOUNTED;
    recovery_change(store_order_cell(2), CELLAR_ORDER_PAID);
    assert_int_equal(redo(STORE_ORDER_PLACE, &redeemed, sizeof redeemed), RECOVERY_MALFORMED);
    const struct payload_campaign campaign = {
        .id = 1, .campaign = 1, .rules = 1, .quota = 10, .customer_limit = 1};
    recovery_change(coupon_campaign_cell(1, COUPON_RULES), 1);
    assert_int_equal(redo(STORE_CAMPAIGN_PUT, &campaign, sizeof campaign), STORE_APPLIED);
    recovery_change(store_order_cell(2), CELLAR_ORDER_PAID);
    assert_int_equal(redo(STORE_ORDER_PLACE, &redeemed, sizeof redeemed), STORE_APPLY_BROKEN);
}

/* ---- Steps ---- */

/* Order 1 is paid; of the step more can be said. */
static int step_with(struct payload_step step, const struct payload_part_of_order *part) {
    struct {
        struct payload_step step;
        struct payload_part_of_order part;
    } bytes = {.step = step};
    if (part != NULL) {
        bytes.part = *part;
        bytes.step.part_count = 1;
    }
    recovery_change(store_order_cell(1), step.to == 0 ? 1 : step.to);
    return redo(STORE_ORDER_STEP, &bytes,
                sizeof step + (part == NULL ? 0 : sizeof(struct payload_part_of_order)));
}

static void test_steps(void **unused) {
    static const struct payload_step fulfil = {.id = {0, 1},
                                               .order = 1,
                                               .event = CELLAR_EVENT_FULFIL,
                                               .from = CELLAR_ORDER_PAID,
                                               .to = CELLAR_ORDER_FULFILLED};
    const struct payload_part_of_order first = {.line = 0, .quantity = 1};
    const struct payload_part_of_order second = {.line = 1, .quantity = 1};
    struct payload_step step = fulfil;
    (void)unused;
    assert_int_equal(place(1, CELLAR_ORDER_PAID), STORE_APPLIED);
#define WRONG(statement)                                                                           \
    {                                                                                              \
        step = fulfil;                                                                             \
        statement;                                                                                 \
        assert_int_equal(step_with(step, NULL), STORE_APPLY_BROKEN);                               \
    }
    WRONG(step.from = STORE_STATE_COUNT)
    WRONG(step.event = PAYLOAD_EXPIRE + 1)
    WRONG(step.to = 0)
    WRONG(step.to = STORE_STATE_OTHER)
    WRONG(step.to = CELLAR_ORDER_RETURNED)
    WRONG(step.id.high = 1)
    WRONG(step.id.low = 2)
    WRONG(step.order = 2)
    WRONG((step.from = CELLAR_ORDER_PLACED, step.event = CELLAR_EVENT_PAY,
           step.to = CELLAR_ORDER_PAID)) /* it is open, but not placed any more */
    WRONG((step.from = CELLAR_ORDER_FULFILLED, step.event = CELLAR_EVENT_RETURN))
#undef WRONG
    assert_int_equal(step_with(fulfil, &second), STORE_APPLY_BROKEN);
    /* A coupon that it did not have is given back: nothing is. */
    step = fulfil;
    step.restored = 1;
    assert_int_equal(step_with(step, &first), STORE_APPLIED);
    assert_int_equal(recovery.store->totals.coupons_redeemed, 0);
    assert_int_equal(recovery.store->totals.units_fulfilled, 1);
    /* A document that is none: of a slot between others. */
    assert_int_equal(place(3, CELLAR_ORDER_PAID), STORE_APPLIED);
    step = fulfil;
    step.order = 2;
    step.id.low = 0;
    recovery_change(store_order_cell(2), CELLAR_ORDER_FULFILLED);
    assert_int_equal(redo(STORE_ORDER_STEP, &step, sizeof step), STORE_APPLY_BROKEN);
}

/* The step's own document is in another's slot. */
static void test_step_with_a_document(void **unused) {
    struct {
        struct payload_step step;
        struct payload_identity identity;
    } bytes = {.step = {.id = {0, 1},
                        .order = 1,
                        .slot = 2,
                        .event = CELLAR_EVENT_FULFIL,
                        .from = CELLAR_ORDER_PAID,
                        .to = CELLAR_ORDER_FULFILLED},
               .identity = {.id = {0, 9}}};
    (void)unused;
    assert_int_equal(place(1, CELLAR_ORDER_PAID), STORE_APPLIED);
    assert_int_equal(place(2, CELLAR_ORDER_PAID), STORE_APPLIED);
    recovery_change(store_order_cell(1), CELLAR_ORDER_FULFILLED);
    recovery_change(store_order_cell(2), STORE_STATE_OTHER);
    assert_int_equal(redo(STORE_ORDER_STEP, &bytes, sizeof bytes), STORE_APPLY_BROKEN);
    assert_int_equal(recovery.store->totals.units_fulfilled, 0);
}

/* ---- Retirements ---- */

static int retire(uint32_t slot, const struct payload_retire *payload) {
    recovery_change(store_order_cell(slot), -1);
    return redo(STORE_RETIRE, payload, payload == NULL ? 0 : sizeof *payload);
}

static void test_retirements(void **unused) {
    const struct payload_retire first = {.customer = 7};
    const struct payload_retire other = {.customer = 8};
    const struct payload_retire later = {.customer = 7, .previous_lsn = 64};
    struct order_bytes guest = order_of(4, CELLAR_ORDER_FULFILLED);
    (void)unused;
    guest.header.customer = 0;
#define AGAIN                                                                                      \
    recovery_tear_down(NULL);                                                                      \
    set_up(NULL);                                                                                  \
    assert_int_equal(place(1, CELLAR_ORDER_FULFILLED), STORE_APPLIED);                             \
    assert_int_equal(place(3, CELLAR_ORDER_PLACED), STORE_APPLIED);                                \
    assert_int_equal(place_bytes(&guest, ORDER_BYTES), STORE_APPLIED);
#define ROW(slot, payload, result)                                                                 \
    { AGAIN assert_int_equal(retire(slot, payload), result); }
    ROW(1, &first, STORE_APPLIED)
    ROW(1, NULL, STORE_APPLY_BROKEN)
    ROW(1, &other, STORE_APPLY_BROKEN)
    ROW(1, &later, STORE_APPLY_BROKEN)
    ROW(3, &first, STORE_APPLY_BROKEN) /* it is open */
    ROW(4, &first, STORE_APPLY_BROKEN) /* of nobody */
    ROW(4, NULL, STORE_APPLIED)
#undef ROW
    /* Closed by their cells, and not there: behind the last, and in a gap. */
    AGAIN recovery_force(store_order_cell(9), CELLAR_ORDER_FULFILLED);
    assert_int_equal(retire(9, NULL), STORE_APPLY_BROKEN);
    recovery_force(store_order_cell(2), CELLAR_ORDER_FULFILLED);
    assert_int_equal(retire(2, NULL), STORE_APPLY_BROKEN);
    /* In a state that there is not. */
    recovery_force(store_order_cell(3), CELLAR_ACCOUNT_HOLD_EXPIRED + 1);
    assert_int_equal(retire(3, NULL), STORE_APPLY_BROKEN);
    /* Linked, and never placed. */
    struct store_order *order;
    recovery_change(store_order_cell(5), 0);
    assert_int_equal(order_apply_entry(recovery.store, recovery_record(STORE_RETIRE, NULL, 0),
                                       (cellar_id){0, 5}, 5, &order),
                     STORE_APPLIED);
    recovery_force(store_order_cell(5), CELLAR_ORDER_FULFILLED);
    assert_int_equal(retire(5, NULL), STORE_APPLY_BROKEN);
#undef AGAIN
}

/* ---- Accounts ---- */

static int begin_hold(const struct payload_hold *hold, int64_t deadline_ms) {
    recovery_change(store_order_cell(hold->slot),
                    store_document_value(CELLAR_ACCOUNT_HOLD_HELD, deadline_ms));
    return redo(STORE_ACCOUNT_HOLD, hold, sizeof *hold);
}

static int void_hold(const struct payload_hold *hold, cellar_id id) {
    const struct payload_hold_step step = {.id = id,
                                           .account = hold->account,
                                           .held = hold->amount,
                                           .slot = hold->slot,
                                           .state = CELLAR_ACCOUNT_HOLD_VOIDED};
    recovery_change(store_order_cell(hold->slot),
                    store_document_value(CELLAR_ACCOUNT_HOLD_VOIDED, 0));
    return redo(STORE_ACCOUNT_HOLD_STEP, &step, sizeof step);
}

static void test_holds(void **unused) {
    const struct payload_account account = {.account = 7, .slot = 1};
    struct payload_hold hold = {.id = {0, 5}, .account = 7, .amount = 40, .slot = 5};
    (void)unused;
    recovery_change(store_account_cell(1), 0);
    assert_int_equal(redo(STORE_ACCOUNT_OPEN, &account, sizeof account), STORE_APPLIED);
    assert_int_equal(begin_hold(&hold, 0), STORE_APPLIED);
    assert_int_equal(void_hold(&hold, (cellar_id){1, 5}), STORE_APPLY_BROKEN);
    /* By its cell it ends some time, so it should be in the account's list. */
    hold.slot = 6;
    hold.id.low = 6;
    assert_int_equal(begin_hold(&hold, 9), STORE_APPLIED);
    assert_int_equal(void_hold(&hold, hold.id), STORE_APPLY_BROKEN);
    /* Of an account that is not there. */
    hold = (struct payload_hold){.id = {0, 8}, .account = 9, .amount = 1, .slot = 8};
    assert_int_equal(begin_hold(&hold, 9), STORE_APPLIED);
    assert_int_equal(void_hold(&hold, hold.id), STORE_APPLY_BROKEN);
    hold.slot = 9;
    hold.id.low = 9;
    hold.deadline_ms = 9;
    assert_int_equal(begin_hold(&hold, 9), STORE_APPLY_BROKEN);
    /* Held by the cell alone. */
    hold.slot = 7;
    hold.id.low = 0;
    recovery_force(store_order_cell(7), CELLAR_ACCOUNT_HOLD_HELD);
    assert_int_equal(void_hold(&hold, (cellar_id){0, 7}), STORE_APPLY_BROKEN);
    hold.slot = RECOVERY_LIMIT;
    recovery_force(store_order_cell(RECOVERY_LIMIT), CELLAR_ACCOUNT_HOLD_HELD);
    assert_int_equal(void_hold(&hold, (cellar_id){0, 7}), STORE_APPLY_BROKEN);
    assert_int_equal(recovery.store->totals.account_holds, 3);
}

/* Money from outside to outside is none. */
static void test_entries(void **unused) {
    const struct payload_document credit = {.total = 5, .type = PAYLOAD_CREDIT};
    const struct payload_document debit = {.total = 5, .type = PAYLOAD_DEBIT};
    (void)unused;
    recovery_change(store_account_cell(1), 0);
    assert_int_equal(redo(STORE_ACCOUNT_ENTRY, &credit, sizeof credit), STORE_APPLIED);
    recovery_change(store_account_cell(1), 0);
    assert_int_equal(redo(STORE_ACCOUNT_ENTRY, &debit, sizeof debit), STORE_APPLIED);
    assert_int_equal(recovery.store->totals.credited, 0);
    assert_int_equal(recovery.store->totals.debited, 0);
    assert_int_equal(recovery.store->totals.balances, 0);
}

static void test_leases(void **unused) {
    struct {
        struct payload_lease header;
        char name[4];
    } lease = {.header = {.slot = 1, .name_bytes = 3}, .name = "job"};
    (void)unused;
    recovery_change(store_lease_cell(1), 9);
    recovery_change(store_lease_holder_cell(1), 1);
    assert_int_equal(redo(STORE_LEASE_ACQUIRE, &lease, sizeof lease.header + 3), STORE_APPLIED);
    lease.header.name_bytes = 2;
    recovery_change(store_lease_cell(1), 9);
    recovery_change(store_lease_holder_cell(1), 1);
    assert_int_equal(redo(STORE_LEASE_ACQUIRE, &lease, sizeof lease.header + 2),
                     STORE_APPLY_BROKEN);
    lease.header = (struct payload_lease){.slot = 0};
    recovery_change(store_lease_cell(0), 9);
    assert_int_equal(redo(STORE_LEASE_RENEW, &lease, sizeof lease.header), STORE_APPLY_BROKEN);
    assert_int_equal(recovery.store->totals.leases, 1);
}

/* ---- Cells of nobody ---- */

static bool is_known(uint32_t cell) {
    recovery_change(cell, 1);
    return store_record_known(recovery.store, recovery_record(STORE_STOCK_TAKE, NULL, 0));
}

/* In a gap between objects that are there, and of no kind. */
static void test_cells(void **unused) {
    struct {
        struct payload_lease header;
        char name[4];
    } lease = {.header = {.slot = 2, .name_bytes = 3}, .name = "job"};
    const struct payload_account account = {.account = 7, .slot = 2};
    (void)unused;
    recovery_change(store_lease_cell(2), 9);
    recovery_change(store_lease_holder_cell(2), 1);
    assert_int_equal(redo(STORE_LEASE_ACQUIRE, &lease, sizeof lease.header + 3), STORE_APPLIED);
    recovery_change(store_account_cell(2), 0);
    assert_int_equal(redo(STORE_ACCOUNT_OPEN, &account, sizeof account), STORE_APPLIED);
    assert_int_equal(recovery_put(4, 4, 4, "d"), STORE_APPLIED);
    assert_true(is_known(store_lease_cell(2)));
    assert_true(is_known(store_account_cell(2)));
    assert_true(is_known(store_settled_cell(2)));
    assert_true(is_known(store_product_cell(4)));
    assert_true(is_known(store_stock_cell(4, STORE_STOCK_INCOMING)));
    assert_false(is_known(store_lease_cell(1)));
    assert_false(is_known(store_account_cell(1)));
    assert_false(is_known(store_settled_cell(1)));
    assert_false(is_known(store_product_cell(3)));
    assert_false(is_known(store_stock_cell(3, STORE_STOCK_INCOMING)));
    struct record_header *record = recovery_record(STORE_STOCK_TAKE, NULL, 0);
    assert_true(store_record_known(recovery.store, record));
    recovery_change(store_product_cell(4), 1);
    record = recovery_record(STORE_STOCK_TAKE, NULL, 0);
    *(uint32_t *)(void *)((unsigned char *)(record + 1) + sizeof(struct record_update)) =
        CELL_INDEX(CELL_CLASS_COUNT - 1, 1);
    assert_false(store_record_known(recovery.store, record));
}

/* ---- What recovery never asks for ---- */

/* A record that is not well formed is refused by what applies it, too, as far as that looks; hints
 * are given for any. */
static void test_malformed_records_are_not_applied(void **unused) {
    const struct payload_document document = {.id = {0, 1}, .slot = 1};
    (void)unused;
    recovery_change(store_stock_cell(1, STORE_STOCK_SELLABLE), 1);
    assert_int_equal(store_apply(recovery.store, recovery_record(39, NULL, 0)), STORE_APPLY_BROKEN);
    recovery_change(store_stock_cell(1, STORE_STOCK_SELLABLE), 1);
    assert_int_equal(
        store_apply(recovery.store, recovery_record(STORE_STOCK_TAKE | STORE_KIND_NOTED, NULL, 0)),
        STORE_APPLY_BROKEN);
    recovery_change(store_stock_cell(1, STORE_STOCK_SELLABLE), 1);
    struct record_header *record = recovery_record(STORE_ORDER_PLACE, &document, sizeof document);
    store_fetch(recovery.store, record, true);
    store_fetch_more(recovery.store, record, true);
    record->bytes--;
    store_fetch(recovery.store, record, true);
    store_fetch_more(recovery.store, record, true);
    assert_false(store_record_check(recovery.store, record));
    assert_int_equal(store_apply(recovery.store, recovery_record(RECORD_MARK, NULL, 0)),
                     STORE_APPLIED);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, recovery_tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_products),    TEST(test_stocks), TEST(test_orders),
        TEST(test_sections),    TEST(test_steps),  TEST(test_step_with_a_document),
        TEST(test_retirements), TEST(test_holds),  TEST(test_entries),
        TEST(test_leases),      TEST(test_cells),  TEST(test_malformed_records_are_not_applied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
