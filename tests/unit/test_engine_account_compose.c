/* Do steps of accounts and leases hold together in one commit: does each see what those before it
 * have planned, and is what they mean applied from their own parts of the record? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/shop.h"

#define STEPS_MAX 4

struct step {
    cellar_operation_kind kind;
    union {
        cellar_account_request account;
        cellar_account_entry entry;
        cellar_lease_request lease;
    };
};

struct steps {
    struct step steps[STEPS_MAX];
    uint32_t count;
};

static cellar_status commit_steps(struct shop *shop, struct steps steps, cellar_refusal *refusal) {
    cellar_operation operations[STEPS_MAX];
    for (uint32_t i = 0; i < steps.count; i++) {
        struct step *step = &steps.steps[i];
        operations[i] = (cellar_operation){.kind = step->kind};
        if (step->kind == CELLAR_OPERATION_ACCOUNT_CREATE) {
            operations[i].account = &step->account;
        } else if (step->kind == CELLAR_OPERATION_LEASE_ACQUIRE) {
            operations[i].lease = &step->lease;
        } else {
            operations[i].entry = &step->entry;
        }
    }
    return cellar_transact(shop->store, NULL, (cellar_id){0, 0}, operations, steps.count, NULL,
                           refusal);
}

static struct step opening(uint64_t account, int64_t floor) {
    return (struct step){CELLAR_OPERATION_ACCOUNT_CREATE,
                         {.account = {.id = account, .floor = floor}}};
}

static struct step floor_of(uint64_t account, int64_t floor) {
    return (struct step){CELLAR_OPERATION_ACCOUNT_SET_FLOOR,
                         {.entry = {.account = account, .amount = floor}}};
}

static struct step entry(cellar_operation_kind kind, uint64_t account, uint64_t to,
                         int64_t amount) {
    return (struct step){kind, {.entry = {.account = account, .to = to, .amount = amount}}};
}

static struct step holding(uint64_t id, uint64_t account, int64_t amount) {
    return (struct step){CELLAR_OPERATION_ACCOUNT_HOLD,
                         {.entry = {.id = shop_id(id), .account = account, .amount = amount}}};
}

static struct step posting(uint64_t id, int64_t amount, uint64_t to) {
    return (struct step){CELLAR_OPERATION_ACCOUNT_POST,
                         {.entry = {.id = shop_id(id), .amount = amount, .to = to}}};
}

static struct step leasing(const char *name, uint64_t holder) {
    return (struct step){CELLAR_OPERATION_LEASE_ACQUIRE,
                         {.lease = {.name = name, .holder = holder, .ttl_ms = 5000}}};
}

static void check_account(struct shop *shop, uint64_t id, int64_t balance, int64_t held,
                          int64_t floor) {
    cellar_account account;
    assert_int_equal(cellar_account_get(shop->store, id, &account), CELLAR_OK);
    assert_int_equal(account.balance, balance);
    assert_int_equal(account.held, held);
    assert_int_equal(account.floor, floor);
}

static void test_each_sees_those_before(void **state) {
    struct shop *shop = *state;
    shop_account(shop, 1, 0, 100);
    assert_int_equal(
        commit_steps(
            shop,
            (struct steps){{opening(2, -10), entry(CELLAR_OPERATION_ACCOUNT_TRANSFER, 1, 2, 70),
                            holding(1, 2, 60), floor_of(2, -5)},
                           4},
            NULL),
        CELLAR_OK);
    check_account(shop, 1, 30, 0, 0);
    check_account(shop, 2, 70, 60, -5);
    assert_int_equal(
        commit_steps(
            shop,
            (struct steps){{posting(1, 50, 1), entry(CELLAR_OPERATION_ACCOUNT_DEBIT, 2, 0, 20),
                            entry(CELLAR_OPERATION_ACCOUNT_TRANSFER, 1, 2, 80), leasing("job", 7)},
                           4},
            NULL),
        CELLAR_OK);
    check_account(shop, 1, 0, 0, 0);
    check_account(shop, 2, 80, 0, -5);
    cellar_lease lease;
    assert_int_equal(cellar_lease_get(shop->store, "job", &lease), CELLAR_OK);
    assert_int_equal(lease.holder, 7);
    /* One entry of the journal for the commit; its kind is that of the first step about it. */
    cellar_entry page[4];
    size_t count;
    assert_int_equal(cellar_account_journal(shop->store, 2, 0, page, 4, &count), CELLAR_OK);
    assert_int_equal(count, 2);
    assert_int_equal(page[0].kind, CELLAR_ENTRY_POSTED);
    assert_int_equal(page[0].amount, 10);
    assert_int_equal(page[0].held_change, -60);
    assert_int_equal(page[1].kind, CELLAR_ENTRY_OPENED);
    assert_int_equal(page[1].balance, 70);
    assert_int_equal(page[1].held, 60);
    cellar_totals totals = shop_audit(shop).totals;
    assert_int_equal(totals.accounts, 2);
    assert_int_equal(totals.debited, 20);
    assert_int_equal(totals.leases, 1);
    assert_int_equal(totals.account_holds, 0);
}

static void test_refusals(void **state) {
    struct shop *shop = *state;
    cellar_refusal refusal;
    const cellar_account_request shops = {.id = 3, .collecting = true};
    shop_account(shop, 1, 0, 100);
    shop_account(shop, 2, 0, 0);
    assert_int_equal(cellar_account_create(shop->store, NULL, &shops, NULL, NULL), CELLAR_OK);
    shop_freeze(shop);
    const struct {
        struct step first, second;
        cellar_status status;
        int64_t available;
    } rows[] = {
        /* first  second  answer  available */
        {entry(CELLAR_OPERATION_ACCOUNT_DEBIT, 1, 0, 60),
         entry(CELLAR_OPERATION_ACCOUNT_DEBIT, 1, 0, 41), CELLAR_INSUFFICIENT_FUNDS, 40},
        {entry(CELLAR_OPERATION_ACCOUNT_TRANSFER, 1, 2, 60),
         entry(CELLAR_OPERATION_ACCOUNT_DEBIT, 2, 0, 61), CELLAR_INSUFFICIENT_FUNDS, 60},
        {holding(1, 1, 60), entry(CELLAR_OPERATION_ACCOUNT_DEBIT, 1, 0, 41),
         CELLAR_INSUFFICIENT_FUNDS, 40},
        {holding(1, 1, 60), posting(1, 60, 2), CELLAR_INVALID_ARGUMENT, 0},
        {holding(1, 1, 60), holding(1, 1, 60), CELLAR_INVALID_ARGUMENT, 0},
        {opening(5, 0), opening(5, 0), CELLAR_INVALID_ARGUMENT, 0},
        {leasing("a", 1), leasing("a", 1), CELLAR_INVALID_ARGUMENT, 0},
        /* What is collected in the same commit is not there yet. */
        {entry(CELLAR_OPERATION_ACCOUNT_TRANSFER, 1, 3, 60),
         entry(CELLAR_OPERATION_ACCOUNT_DEBIT, 3, 0, 60), CELLAR_INSUFFICIENT_FUNDS, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        cellar_status status =
            commit_steps(shop, (struct steps){{rows[i].first, rows[i].second}, 2}, &refusal);
        if (status != rows[i].status) {
            fail_msg("row %zu: %s", i, cellar_status_name(status));
        }
        assert_int_equal(refusal.available, rows[i].available);
        shop_check_frozen(shop, "after a refusal");
    }
}

/* A step that needs what was collected before gets it settled in between. */
static void test_settles(void **state) {
    struct shop *shop = *state;
    const cellar_account_request shops = {.id = 3, .collecting = true};
    shop_account(shop, 1, 0, 100);
    assert_int_equal(cellar_account_create(shop->store, NULL, &shops, NULL, NULL), CELLAR_OK);
    assert_int_equal(
        commit_steps(
            shop,
            (struct steps){{entry(CELLAR_OPERATION_ACCOUNT_TRANSFER, 1, 3, 60), opening(4, 0)}, 2},
            NULL),
        CELLAR_OK);
    assert_int_equal(
        commit_steps(shop,
                     (struct steps){{entry(CELLAR_OPERATION_ACCOUNT_DEBIT, 1, 0, 40),
                                     entry(CELLAR_OPERATION_ACCOUNT_TRANSFER, 3, 4, 60)},
                                    2},
                     NULL),
        CELLAR_OK);
    check_account(shop, 3, 0, 0, 0);
    check_account(shop, 4, 60, 0, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SHOP_TEST(test_each_sees_those_before),
        SHOP_TEST(test_refusals),
        SHOP_TEST(test_settles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
