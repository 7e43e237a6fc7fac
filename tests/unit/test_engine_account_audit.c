/* Does the audit count money that is held, and money that is collected, and find each thing about
 * accounts and leases that is made wrong behind its back? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/bend.h"

#include <stdio.h>

static const cellar_id none = {0, 0};

/* Account 1 with 60 of 500 held until some time, hold 2 posted; account 2 collecting, 30 settled
 * and 12 not; a lease. */
static void fill(struct shop *shop) {
    cellar *store = shop->store;
    const cellar_account_request shops = {.id = 2, .collecting = true};
    shop_account(shop, 1, 0, 542);
    assert_int_equal(cellar_account_create(store, NULL, &shops, NULL, NULL), CELLAR_OK);
    assert_int_equal(cellar_account_transfer(store, NULL, none, 1, 2, 30, NULL, NULL), CELLAR_OK);
    assert_int_equal(cellar_account_settle(store, NULL, 2, NULL, NULL), CELLAR_OK);
    assert_int_equal(cellar_account_hold(store, NULL, shop_id(1), 1, 60, 2 * SHOP_NOW, NULL, NULL),
                     CELLAR_OK);
    assert_int_equal(cellar_account_hold(store, NULL, shop_id(2), 1, 20, 0, NULL, NULL), CELLAR_OK);
    assert_int_equal(cellar_account_post(store, NULL, shop_id(2), 12, 2, NULL, NULL), CELLAR_OK);
    assert_int_equal(cellar_lease_acquire(store, NULL, "job", 9, 1000, NULL, NULL), CELLAR_OK);
    shop_settle(shop);
}

static void test_totals(void **state) {
    struct shop *shop = *state;
    fill(shop);
    for (int opening = 0; opening < 2; opening++) {
        cellar_totals totals = shop_audit(shop).totals;
        assert_int_equal(totals.accounts, 2);
        assert_int_equal(totals.balances, 542);
        assert_int_equal(totals.credited, 542);
        assert_int_equal(totals.debited, 0);
        assert_int_equal(totals.account_holds, 1);
        assert_int_equal(totals.held, 60);
        assert_int_equal(totals.unsettled, 12);
        assert_int_equal(totals.leases, 1);
        assert_int_equal(totals.orders[0], 0);
        shop_reopen(shop);
        shop_settle(shop);
    }
}

/* ---- It bites ---- */

static struct store *store_of(struct shop *shop) {
    return shop->store->store;
}

static struct store_account *account_of(struct shop *shop, uint64_t id) {
    return store_find_account(store_of(shop), id);
}

static uint32_t slot_of(struct shop *shop, uint64_t id) {
    return account_of(shop, id)->slot;
}

static uint32_t document_of(struct shop *shop, uint64_t id) {
    return store_order_cell(store_find_order(store_of(shop), shop_id(id))->slot);
}

static struct store_order *hold_of(struct shop *shop) {
    return store_find_order(store_of(shop), shop_id(1));
}

/* The list of account 1 is one hold long, or empty. */
static void list_holds(struct shop *shop, uint32_t slot) {
    ATOMIC_STORE(&account_of(shop, 1)->holds.oldest, slot, relaxed);
    ATOMIC_STORE(&account_of(shop, 1)->holds.newest, slot, relaxed);
}

static struct collected_stretch *first_stretch(struct shop *shop) {
    return &ATOMIC_LOAD(&store_of(shop)->collected[slot_of(shop, 2)].newest, relaxed)->stretches[0];
}

/* The last payment of the stretch lies beyond all of the log. */
static void move_stretch_end(struct shop *shop, int by) {
    static uint64_t right;
    if (by > 0) {
        right = ATOMIC_LOAD(&first_stretch(shop)->last_lsn, relaxed);
    }
    ATOMIC_STORE(&first_stretch(shop)->last_lsn, by > 0 ? UINT64_MAX : right, relaxed);
}

/* The lease was acquired by a later commit than the one that set its time. */
static void age_holder(struct shop *shop, int by) {
    struct cell *cells = shop->store->commit->cells;
    struct cell_content holder = cell_load(&cells[store_lease_holder_cell(1)]);
    struct cell_content bent = {holder.value, holder.version};
    bent.version += (uint64_t)(int64_t)by * RECORD_LINE_BYTES;
    assert_true(cell_swap(&cells[store_lease_holder_cell(1)], holder, bent));
}

/* Each does one thing wrong (`by` 1) and undoes it (`by` -1). */
#define BENDS(X)                                                                                   \
    X(room, "sum up", bend_cell(shop, store_account_cell(slot_of(shop, 1)), by))                   \
    X(overspent, "below its floor",                                                                \
      bend_cell(shop, store_account_cell(slot_of(shop, 1)), -500 * by))                            \
    X(floor, "below its floor", bend_cell(shop, store_floor_cell(slot_of(shop, 1)), 1000 * by))    \
    X(held_negative, "below its floor",                                                            \
      bend_cell(shop, store_held_cell(slot_of(shop, 1)), -1000 * by))                              \
    X(settled_by_another, "more than it collected",                                                \
      bend_cell(shop, store_settled_cell(slot_of(shop, 1)), -by))                                  \
    X(held, "open holds sum up", bend_cell(shop, store_held_cell(slot_of(shop, 1)), by))           \
    X(held_not_room, "open holds sum up",                                                          \
      (bend_cell(shop, store_held_cell(slot_of(shop, 1)), by),                                     \
       bend_cell(shop, store_account_cell(slot_of(shop, 1)), -by)))                                \
    X(hold_ended, "open holds sum up", bend_cell(shop, document_of(shop, 1), 2 * by))              \
    X(hold_reopened, "open holds sum up", bend_cell(shop, document_of(shop, 2), -by))              \
    X(hold_amount, "open holds sum up", hold_of(shop)->total += by)                                \
    X(hold_account, "there is no account", hold_of(shop)->customer += 100 * (uint64_t)by)          \
    X(settled_too_much, "more than it collected",                                                  \
      bend_cell(shop, store_settled_cell(slot_of(shop, 2)), 13 * by))                              \
    X(settled_and_not_received, "sum up",                                                          \
      bend_cell(shop, store_settled_cell(slot_of(shop, 2)), by))                                   \
    X(settled_twice, "sum up", bend_cell(shop, store_settled_cell(slot_of(shop, 2)), -30 * by))    \
    X(collected, "sum up",                                                                         \
      ATOMIC_ADD(&store_of(shop)->collected[slot_of(shop, 2)].sum, (uint64_t)(int64_t)by,          \
                 relaxed))                                                                         \
    X(collected_by_another, "more than it collected",                                              \
      ATOMIC_ADD(&store_of(shop)->collected[slot_of(shop, 1)].sum, (uint64_t)(int64_t)by,          \
                 relaxed))                                                                         \
    X(stretch_sum, "stretches", first_stretch(shop)->before += (uint64_t)(int64_t)by)              \
    X(stretch_begin, "stretches",                                                                  \
      first_stretch(shop)->first_lsn += (uint64_t)(int64_t)by * COLLECTED_STRETCH_BYTES)           \
    X(stretch_sum_beyond, "stretches",                                                             \
      first_stretch(shop)->before += (uint64_t)(int64_t)by * 1000)                                 \
    X(stretch_end, "stretches", move_stretch_end(shop, by))                                        \
    X(terms, "against its terms", account_of(shop, 1)->collecting = by > 0)                        \
    X(holds, "holds of money", store_of(shop)->totals.account_holds += (uint64_t)(int64_t)by)      \
    X(hold_unlisted, "but 0 listed", list_holds(shop, by > 0 ? 0 : hold_of(shop)->slot))           \
    X(hold_listed, "in its list wrongly",                                                          \
      ATOMIC_ADD(&hold_of(shop)->chain_before, (uint32_t)by, relaxed))                             \
    X(hold_endless, "in its list wrongly",                                                         \
      bend_cell(shop, document_of(shop, 1),                                                        \
                -by *store_document_value(0, 2 * SHOP_NOW / NANOSECONDS_PER_MILLISECOND)))         \
    X(hold_twice, "in its list wrongly",                                                           \
      ATOMIC_STORE(&hold_of(shop)->chain_after, by > 0 ? hold_of(shop)->slot : 0, relaxed))        \
    X(hold_list, "list of holds ends wrongly",                                                     \
      ATOMIC_ADD(&account_of(shop, 1)->holds.newest, (uint32_t)by, relaxed))                       \
    X(held_total, "holds of money", store_of(shop)->totals.held += by)                             \
    X(unsettled_total, "unsettled", store_of(shop)->totals.unsettled += by)                        \
    X(lease_time, "do not agree", bend_cell(shop, store_lease_cell(1), -3000000000000 * by))       \
    X(lease_of_before, "do not agree", age_holder(shop, by))                                       \
    X(lease_holder, "do not agree", bend_cell(shop, store_lease_holder_cell(1), -9 * by))          \
    X(leases, "leases", store_of(shop)->totals.leases += (uint64_t)(int64_t)by)

BENDS(BEND_FUNCTION)

static void test_it_bites(void **state) {
    struct shop *shop = *state;
    static const struct bend bends[] = {BENDS(BEND_ROW)};
    fill(shop);
    bend_check(shop, bends, sizeof bends / sizeof *bends);
}

/* ---- What they cost ---- */

static int64_t memory_of(struct shop *shop) {
    cellar_statistics statistics;
    shop_settle(shop);
    assert_int_equal(cellar_statistics_get(shop->store, &statistics), CELLAR_OK);
    return (int64_t)statistics.memory_bytes;
}

/* Lists, tables and cells included, as the store counts them. */
static void test_bytes(void **state) {
    struct shop *shop = *state;
    enum {
        MANY = 1000
    };
    shop_account(shop, 1, -CELLAR_AMOUNT_MAX, 0);
    int64_t before = memory_of(shop);
    for (uint64_t i = 0; i < MANY; i++) {
        assert_int_equal(cellar_account_open(shop->store, NULL, 100 + i, 0, NULL, NULL), CELLAR_OK);
    }
    int64_t accounts = memory_of(shop);
    for (uint64_t i = 0; i < MANY; i++) {
        assert_int_equal(cellar_account_hold(shop->store, NULL, shop_id(i), 1, 1, 0, NULL, NULL),
                         CELLAR_OK);
    }
    int64_t holds = memory_of(shop);
    for (uint64_t i = 0; i < MANY; i++) {
        char name[SHOP_NAME_BYTES];
        assert_int_equal(cellar_lease_acquire(shop->store, NULL,
                                              shop_name(name, "lease%u", (unsigned)i), 1, 9, NULL,
                                              NULL),
                         CELLAR_OK);
    }
    int64_t leases = memory_of(shop);
    printf("# bytes: %lld an account, %lld a hold, %lld a lease\n",
           (long long)(accounts - before) / MANY, (long long)(holds - accounts) / MANY,
           (long long)(leases - holds) / MANY);
    assert_int_equal((leases - holds) / MANY, sizeof(struct store_lease) + 2 * sizeof(struct cell));
    assert_int_equal((accounts - before) / MANY,
                     sizeof(struct store_account) + STORE_ACCOUNT_CELLS * sizeof(struct cell));
    /* Room for its deadline is made whether it has one or not. */
    assert_int_equal((holds - accounts) / MANY,
                     sizeof(struct store_order) + sizeof(struct cell) + sizeof(struct deadline));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SHOP_TEST(test_totals),
        SHOP_TEST(test_it_bites),
        SHOP_TEST(test_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
