/* What is a repeat of a transaction: the same again, in another order, in part, with another
 * content, beside other commits, at once in two threads; in the same process and after reopening?
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/shop.h"

#include "base/probe.h"

#include <pthread.h>
#include <string.h>

static const cellar_id none = {0, 0};

struct three {
    cellar_line line;
    cellar_order_request order;
    cellar_account_entry hold, credit;
    cellar_operation operations[3];
};

/* An order, a hold and a credit, with the ids first, first + 1 and first + 2. */
static void three_make(struct three *made, uint64_t first) {
    *made = (struct three){
        .line = shop_line("a", 0, 1, 5),
        .hold = {.id = shop_id(first + 1), .account = 1, .amount = 3},
        .credit = {.id = shop_id(first + 2), .account = 2, .amount = 4},
    };
    made->order = shop_order_request(first, &made->line, 1);
    made->operations[0] =
        (cellar_operation){.kind = CELLAR_OPERATION_ORDER_PLACE, .order = &made->order};
    made->operations[1] =
        (cellar_operation){.kind = CELLAR_OPERATION_ACCOUNT_HOLD, .entry = &made->hold};
    made->operations[2] =
        (cellar_operation){.kind = CELLAR_OPERATION_ACCOUNT_CREDIT, .entry = &made->credit};
}

static void fill(struct shop *shop) {
    shop_goods(shop, "a", 10);
    shop_account(shop, 1, 0, 100);
    shop_account(shop, 2, 0, 0);
}

static void check_repeated(struct shop *shop, cellar_id id, const cellar_operation *operations,
                           size_t count, const cellar_ticket *first) {
    cellar_ticket again = {0};
    cellar_refusal refusal = {0};
    cellar_status status =
        cellar_transact(shop->store, NULL, id, operations, count, &again, &refusal);
    if (status != CELLAR_OK) {
        fail_msg("%s at step %u", cellar_status_name(status), refusal.step);
    }
    assert_true(again.repeated);
    assert_int_equal(again.lsn, first->lsn);
    assert_int_equal(again.time_ns, first->time_ns);
    assert_int_equal(again.remaining, 0);
}

static void check_refused(struct shop *shop, cellar_id id, const cellar_operation *operations,
                          size_t count, cellar_status status, uint32_t step, uint64_t version) {
    cellar_refusal refusal = {0};
    assert_int_equal(cellar_transact(shop->store, NULL, id, operations, count, NULL, &refusal),
                     status);
    assert_int_equal(refusal.status, status);
    assert_int_equal(refusal.step, step);
    assert_int_equal(refusal.version, version);
}

static void test_by_its_operations(void **state) {
    struct shop *shop = *state;
    struct three made;
    struct three other;
    cellar_ticket first;
    fill(shop);
    three_make(&made, 1);
    three_make(&other, 11);
    assert_int_equal(cellar_transact(shop->store, NULL, none, made.operations, 3, &first, NULL),
                     CELLAR_OK);
    for (int opening = 0; opening < 2; opening++) {
        shop_freeze(shop);
        check_repeated(shop, none, made.operations, 3, &first);
        /* Another order, a part of it, each by its own call, and under an id of its own. */
        const cellar_operation turned[] = {made.operations[2], made.operations[0],
                                           made.operations[1]};
        check_repeated(shop, none, turned, 3, &first);
        check_repeated(shop, none, made.operations + 1, 2, &first);
        check_repeated(shop, shop_id(99), made.operations, 3, &first);
        cellar_ticket own;
        assert_int_equal(cellar_order_place(shop->store, NULL, &made.order, &own, NULL), CELLAR_OK);
        assert_true(own.repeated);
        assert_int_equal(own.lsn, first.lsn);
        /* With something new, before and behind what is known. */
        const cellar_operation behind[] = {made.operations[0], made.operations[1],
                                           other.operations[2]};
        const cellar_operation before[] = {other.operations[2], made.operations[1]};
        check_refused(shop, none, behind, 3, CELLAR_ID_REUSED, 0, first.lsn);
        check_refused(shop, none, before, 2, CELLAR_ID_REUSED, 1, first.lsn);
        check_refused(shop, shop_id(99), behind, 3, CELLAR_ID_REUSED, 0, first.lsn);
        /* Another content of one of them. */
        made.credit.amount++;
        check_refused(shop, none, made.operations, 3, CELLAR_ID_REUSED, 2, 0);
        made.credit.amount--;
        made.hold.amount++;
        check_refused(shop, none, made.operations, 3, CELLAR_ID_REUSED, 1, 0);
        made.hold.amount--;
        shop_check_frozen(shop, "after repeats");
        shop_reopen(shop);
    }
}

static void test_by_its_id(void **state) {
    struct shop *shop = *state;
    struct three made;
    cellar_ticket first;
    fill(shop);
    three_make(&made, 1);
    made.credit.id = none;
    assert_int_equal(
        cellar_transact(shop->store, NULL, shop_id(50), made.operations, 3, &first, NULL),
        CELLAR_OK);
    for (int opening = 0; opening < 2; opening++) {
        shop_freeze(shop);
        check_repeated(shop, shop_id(50), made.operations, 3, &first);
        const cellar_operation turned[] = {made.operations[1], made.operations[0],
                                           made.operations[2]};
        check_refused(shop, shop_id(50), turned, 3, CELLAR_ID_REUSED, 0, 0);
        check_refused(shop, shop_id(50), made.operations, 2, CELLAR_ID_REUSED, 0, 0);
        /* Without its id, what has no id of its own would be done again: it is not. */
        check_refused(shop, none, made.operations, 3, CELLAR_ID_REUSED, 0, first.lsn);
        shop_check_frozen(shop, "after repeats");
        shop_reopen(shop);
    }
}

/* Operations that were made one by one are no transaction that was made. */
static void test_several_commits(void **state) {
    struct shop *shop = *state;
    struct three made;
    cellar_ticket tickets[2];
    fill(shop);
    three_make(&made, 1);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(
            cellar_bulk(shop->store, NULL, &made.operations[i], 1, NULL, &tickets[i], NULL),
            CELLAR_OK);
    }
    check_repeated(shop, none, &made.operations[1], 1, &tickets[1]);
    check_refused(shop, none, made.operations, 2, CELLAR_ID_REUSED, 1, tickets[1].lsn);
    assert_int_equal(shop_balance(shop, 2), 0);
}

/* What has no id is repeated by what it leads to. */
static void test_by_state(void **state) {
    struct shop *shop = *state;
    fill(shop);
    (void)shop_order(shop, 1, "a", 1, CELLAR_ORDER_PLACED);
    (void)shop_order(shop, 2, "a", 1, CELLAR_ORDER_PLACED);
    const cellar_order_change first_off = {.order = shop_id(1), .event = CELLAR_EVENT_CANCEL};
    const cellar_order_change second_off = {.order = shop_id(2), .event = CELLAR_EVENT_CANCEL};
    const cellar_account_request account = {.id = 5};
    const cellar_account_entry credit = {.id = shop_id(7), .account = 5, .amount = 9};
    const cellar_operation operations[] = {
        {.kind = CELLAR_OPERATION_ORDER_STEP, .step = &first_off},
        {.kind = CELLAR_OPERATION_ACCOUNT_CREATE, .account = &account},
        {.kind = CELLAR_OPERATION_ORDER_STEP, .step = &second_off},
        {.kind = CELLAR_OPERATION_ACCOUNT_CREDIT, .entry = &credit},
    };
    cellar_ticket first;
    cellar_ticket half;
    /* One of the orders is cancelled already: that commit is named. */
    assert_int_equal(cellar_order_cancel(shop->store, NULL, shop_id(2), &half, NULL), CELLAR_OK);
    check_refused(shop, none, operations, 4, CELLAR_ALREADY_EXISTS, 2, half.lsn);
    (void)shop_order(shop, 3, "a", 1, CELLAR_ORDER_PLACED);
    const cellar_order_change third_off = {.order = shop_id(3), .event = CELLAR_EVENT_CANCEL};
    cellar_operation all[] = {operations[0], operations[1], operations[2], operations[3]};
    all[2].step = &third_off;
    assert_int_equal(cellar_transact(shop->store, NULL, none, all, 4, &first, NULL), CELLAR_OK);
    /* The account has changed since; the ticket is that of what has an id. */
    assert_int_equal(cellar_account_credit(shop->store, NULL, none, 5, 1, NULL, NULL), CELLAR_OK);
    for (int opening = 0; opening < 2; opening++) {
        check_repeated(shop, none, all, 4, &first);
        /* None has an id: the latest of them. */
        const cellar_operation cancels[] = {all[0], all[2]};
        check_repeated(shop, none, cancels, 2, &first);
        shop_reopen(shop);
    }
    assert_int_equal(shop_balance(shop, 5), 10);
}

#define TWINS 4
#define ROUNDS 200

struct twins {
    struct shop *shop;
    pthread_barrier_t barrier;
    _Atomic uint32_t made, repeated;
};

static void *twin_run(void *argument) {
    struct twins *twins = argument;
    for (uint64_t round = 0; round < ROUNDS; round++) {
        struct three same;
        three_make(&same, 100 + 4 * round);
        same.line.quantity = 1 + (int64_t)(round % 2);
        pthread_barrier_wait(&twins->barrier);
        cellar_ticket ticket = {0};
        cellar_status status =
            cellar_transact(twins->shop->store, NULL, none, same.operations, 3, &ticket, NULL);
        if (status == CELLAR_OK) {
            ATOMIC_ADD(ticket.repeated ? &twins->repeated : &twins->made, 1, relaxed);
        }
    }
    return NULL;
}

/* The same transaction in flight several times: one makes it, and all others are told so, though
 * each of them may have met a half of it. */
static void test_in_flight(void **state) {
    struct shop *shop = *state;
    struct twins twins = {.shop = shop};
    pthread_t threads[TWINS];
    fill(shop);
    (void)shop_receive(shop, "a", 0, 1000);
    shop_account(shop, 3, 0, 0);
    assert_int_equal(cellar_account_credit(shop->store, NULL, none, 1, 1000, NULL, NULL),
                     CELLAR_OK);
    assert_int_equal(pthread_barrier_init(&twins.barrier, NULL, TWINS), 0);
    for (int i = 0; i < TWINS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, twin_run, &twins), 0);
    }
    for (int i = 0; i < TWINS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_int_equal(pthread_barrier_destroy(&twins.barrier), 0);
    assert_int_equal(twins.made, ROUNDS);
    assert_int_equal(twins.repeated, ROUNDS * (TWINS - 1));
    assert_int_equal(shop_balance(shop, 2), 4 * ROUNDS);
    assert_int_equal(shop_available(shop, "a", 0), 1010 - ROUNDS - ROUNDS / 2);
    assert_int_equal(shop_audit(shop).totals.held, 3 * ROUNDS);
}

/* Two accounts in one commit; while the second of them is looked at, a twin makes both. */
static struct {
    struct shop *shop;
    const cellar_operation *operations;
    uint64_t hits;
    cellar_ticket ticket;
} twin;

static void twin_makes_both(const char *point, uint64_t argument) {
    (void)argument;
    if (strcmp(point, "account-cells") == 0 && ++twin.hits == 2) {
        assert_int_equal(
            cellar_transact(twin.shop->store, NULL, none, twin.operations, 2, &twin.ticket, NULL),
            CELLAR_OK);
    }
}

static void test_met_half_way(void **state) {
    struct shop *shop = *state;
    const cellar_account_request accounts[] = {{.id = 5}, {.id = 6}};
    const cellar_operation operations[] = {
        {.kind = CELLAR_OPERATION_ACCOUNT_CREATE, .account = &accounts[0]},
        {.kind = CELLAR_OPERATION_ACCOUNT_CREATE, .account = &accounts[1]},
    };
    cellar_ticket ticket = {0};
    twin.shop = shop;
    twin.operations = operations;
    atomic_store(&probe_installed, twin_makes_both);
    cellar_status status = cellar_transact(shop->store, NULL, none, operations, 2, &ticket, NULL);
    atomic_store(&probe_installed, NULL);
    assert_true(twin.hits > 2);
    assert_int_equal(status, CELLAR_OK);
    assert_true(ticket.repeated);
    assert_int_equal(ticket.lsn, twin.ticket.lsn);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SHOP_TEST(test_by_its_operations), SHOP_TEST_ORACLE(test_by_its_operations),
        SHOP_TEST(test_by_its_id),         SHOP_TEST(test_several_commits),
        SHOP_TEST(test_by_state),          SHOP_TEST(test_in_flight),
        SHOP_TEST(test_met_half_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
