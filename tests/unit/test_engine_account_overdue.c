/* Is nobody short of money because of a hold that is overdue, whoever asks, and does the refusal
 * say when the next one will be?
 *
 * The store's own thread is stopped, so that only callers expire anything. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/commit_gate.h"
#include "support/orders.h"

#include "base/clock.h"
#include "store/holds.h"

#include <pthread.h>

#define FUNDS 100 /* of each account: its floor is below zero by so much */
#define RICH 99   /* an account that has enough */
#define NEAR_MS INT64_C(30)
#define FAR_MS INT64_C(60)
#define LATE_MS INT64_C(3600000)
#define REMEMBERED_MS INT64_C(60000)

static const cellar_id none = {0, 0};

/* Held for so long from now; 0: without a deadline. */
static void hold(struct shop *shop, uint64_t id, uint64_t account, int64_t amount,
                 int64_t held_ms) {
    int64_t deadline_ns = held_ms == 0 ? 0 : orders_deadline(shop, held_ms);
    cellar_status status;
    /* Slots of documents that have left memory are free after a grace period. */
    while ((status = cellar_account_hold(shop->store, NULL, shop_id(id), account, amount,
                                         deadline_ns, NULL, NULL)) == CELLAR_STORE_FULL) {
        clock_sleep_ns(ORDERS_MS);
    }
    assert_int_equal(status, CELLAR_OK);
}

static void holds(struct shop *shop, uint64_t first, uint32_t count, uint64_t account,
                  int64_t held_ms) {
    for (uint64_t id = first; id < first + count; id++) {
        hold(shop, id, account, 1, held_ms);
    }
}

static cellar_account_hold_state state_of(struct shop *shop, uint64_t id) {
    cellar_account_hold_info info;
    assert_int_equal(cellar_account_hold_get(shop->store, shop_id(id), &info), CELLAR_OK);
    return info.state;
}

static void await_expired(struct shop *shop, uint64_t id) {
    while (state_of(shop, id) == CELLAR_ACCOUNT_HOLD_HELD) {
        clock_sleep_ns(ORDERS_MS);
    }
    assert_int_equal(state_of(shop, id), CELLAR_ACCOUNT_HOLD_EXPIRED);
}

static cellar_account account_of(struct shop *shop, uint64_t id) {
    cellar_account account;
    assert_int_equal(cellar_account_get(shop->store, id, &account), CELLAR_OK);
    return account;
}

static cellar_status debit(struct shop *shop, uint64_t account, int64_t amount,
                           cellar_refusal *refusal) {
    return cellar_account_debit(shop->store, NULL, none, account, amount, NULL, refusal);
}

static void fill(struct shop *shop) {
    ATOMIC_STORE(&shop->tick_ns, 0, relaxed);
    shop_goods(shop, "a", 1000);
    shop_account(shop, RICH, 0, 1000);
    orders_stop_expiry(shop);
}

/* Whoever needs money of an account. */
enum caller {
    DEBIT,
    TRANSFER,
    HOLD,
    FLOOR,
    ORDER,
    QUOTE,
    PAY,
    TOGETHER,
    CALLERS
};

/* An order, held, paid for or only asked about. */
static cellar_status order(struct shop *shop, enum caller caller, uint64_t account, uint64_t id,
                           int64_t amount, cellar_refusal *refusal) {
    cellar_line line = shop_line("a", 0, 1, amount);
    cellar_order_request request = shop_order_request(id, &line, 1);
    int64_t total;
    if (caller == PAY) {
        assert_int_equal(cellar_order_place(shop->store, NULL, &request, NULL, NULL), CELLAR_OK);
        return cellar_order_pay(shop->store, NULL, shop_id(id), account, NULL, refusal);
    }
    request.state = CELLAR_ORDER_FULFILLED;
    request.account = account;
    return caller == QUOTE ? cellar_order_quote(shop->store, &request, &total, refusal)
                           : cellar_order_place(shop->store, NULL, &request, NULL, refusal);
}

static cellar_status call(struct shop *shop, enum caller caller, uint64_t account, uint64_t id,
                          int64_t amount, cellar_refusal *refusal) {
    cellar *store = shop->store;
    const cellar_account_entry entries[2] = {{.account = RICH, .amount = 1},
                                             {.account = account, .amount = amount}};
    const cellar_operation steps[2] = {
        {.kind = CELLAR_OPERATION_ACCOUNT_DEBIT, .entry = &entries[0]},
        {.kind = CELLAR_OPERATION_ACCOUNT_DEBIT, .entry = &entries[1]}};
    switch (caller) {
    case DEBIT:
        return debit(shop, account, amount, refusal);
    case TRANSFER:
        return cellar_account_transfer(store, NULL, none, account, RICH, amount, NULL, refusal);
    case HOLD:
        return cellar_account_hold(store, NULL, shop_id(id), account, amount, 0, NULL, refusal);
    case FLOOR:
        return cellar_account_set_floor(store, NULL, account, amount - FUNDS, CELLAR_VERSION_ANY,
                                        NULL, refusal);
    case TOGETHER:
        return cellar_transact(store, NULL, none, steps, 2, NULL, refusal);
    default:
        return order(shop, caller, account, id, amount, refusal);
    }
}

/* Ten holds take all there is, half of them until later; another account's is nobody's business.
 * Returns the deadline of the first half. */
static int64_t hold_all(struct shop *shop, uint64_t account, uint64_t first) {
    for (uint64_t id = first; id < first + 10; id++) {
        hold(shop, id, account, FUNDS / 10, id % 2 == 0 ? NEAR_MS : FAR_MS);
    }
    hold(shop, first + 10, RICH, 5, NEAR_MS);
    shop_settle(shop);
    return orders_deadline(shop, NEAR_MS);
}

static void check_short(const cellar_refusal *refusal, enum caller caller, int64_t available,
                        int64_t retry_ns) {
    assert_int_equal(refusal->status, CELLAR_INSUFFICIENT_FUNDS);
    assert_int_equal(refusal->available, caller == FLOOR ? available - FUNDS : available);
    assert_int_equal(refusal->retry_ns, retry_ns);
    assert_int_equal(refusal->account, 1 + caller);
}

static void test_who_is_short_of_funds(void **state) {
    struct shop *shop = *state;
    cellar_refusal refusal;
    fill(shop);
    for (enum caller caller = 0; caller < CALLERS; caller++) {
        uint64_t account = 1 + caller;
        uint64_t first = 100 * (uint64_t)caller;
        shop_account(shop, account, -FUNDS, 0);
        int64_t near_ns = hold_all(shop, account, first);
        int64_t far_ns = near_ns + (FAR_MS - NEAR_MS) * ORDERS_MS;
        for (int early = 0; early < 2; early++) {
            assert_int_equal(call(shop, caller, account, first + 20, 60, &refusal),
                             CELLAR_INSUFFICIENT_FUNDS);
            check_short(&refusal, caller, 0, near_ns);
            first++;
            ATOMIC_STORE(&shop->now_ns, near_ns - 1, relaxed);
        }
        ATOMIC_STORE(&shop->now_ns, near_ns, relaxed);
        assert_int_equal(call(shop, caller, account, first + 20, 60, &refusal),
                         CELLAR_INSUFFICIENT_FUNDS);
        check_short(&refusal, caller, FUNDS / 2, far_ns);
        ATOMIC_STORE(&shop->now_ns, far_ns, relaxed);
        assert_int_equal(call(shop, caller, account, first + 30, 60, &refusal), CELLAR_OK);
        assert_int_equal(account_of(shop, account).available, caller == QUOTE ? FUNDS : 40);
        assert_int_equal(account_of(shop, account).held, caller == HOLD ? 60 : 0);
    }
    cellar_totals totals = shop_audit(shop).totals;
    assert_int_equal(totals.balances, 1000 - 4 * 60 - 1);
    assert_int_equal(totals.account_holds, 1 + CALLERS);
    assert_int_equal(totals.held, 60 + 5 * CALLERS);
    orders_start_expiry(shop);
    for (enum caller caller = 0; caller < CALLERS; caller++) {
        await_expired(shop, 100 * (uint64_t)caller + 10);
    }
}

/* ---- Many ---- */

/* As many as are looked at, more than are expired at once: all of them are found. */
static void test_many_overdue(void **state) {
    struct shop *shop = *state;
    fill(shop);
    shop_account(shop, 1, 0, HOLDS_LOOK_MAX);
    holds(shop, 1, HOLDS_LOOK_MAX, 1, NEAR_MS);
    shop_settle(shop);
    assert_int_equal(debit(shop, 1, 1, NULL), CELLAR_INSUFFICIENT_FUNDS);
    orders_pass(shop, NEAR_MS);
    assert_int_equal(debit(shop, 1, HOLDS_LOOK_MAX, NULL), CELLAR_OK);
    cellar_totals totals = shop_audit(shop).totals;
    assert_int_equal(totals.account_holds, 0);
    assert_int_equal(totals.balances, 1000);
    orders_start_expiry(shop);
}

/* What stands behind as many as are looked at is found once one of those before it has ended, or by
 * the store's own thread. Holds without a deadline do not count. */
static void test_far_behind(void **state) {
    struct shop *shop = *state;
    cellar_refusal refusal;
    fill(shop);
    shop_account(shop, 1, 0, 1000);
    holds(shop, 1, HOLDS_LOOK_MAX, 1, 0);
    int64_t late_ns = orders_deadline(shop, LATE_MS);
    holds(shop, 1000, HOLDS_LOOK_MAX - 1, 1, LATE_MS);
    int64_t available = 1000 - 2 * (int64_t)HOLDS_LOOK_MAX + 1;
    hold(shop, 2000, 1, available, NEAR_MS);
    shop_settle(shop);
    orders_pass(shop, NEAR_MS);
    assert_int_equal(debit(shop, 1, 10, NULL), CELLAR_OK);
    available -= 10;
    for (uint64_t round = 1; round <= 2; round++) {
        hold(shop, 2000 + 10 * round, 1, 1, LATE_MS);
        available--;
        hold(shop, 2001 + 10 * round, 1, available, NEAR_MS);
        shop_settle(shop);
        orders_pass(shop, NEAR_MS);
        assert_int_equal(debit(shop, 1, 10, &refusal), CELLAR_INSUFFICIENT_FUNDS);
        assert_int_equal(refusal.available, 0);
        assert_int_equal(refusal.retry_ns, late_ns);
        assert_int_equal(state_of(shop, 2001 + 10 * round), CELLAR_ACCOUNT_HOLD_HELD);
        if (round == 1) {
            assert_int_equal(cellar_account_void(shop->store, NULL, shop_id(1000), NULL, NULL),
                             CELLAR_OK);
            available++;
            shop_settle(shop);
        } else {
            orders_start_expiry(shop);
            await_expired(shop, 2001 + 10 * round);
        }
        assert_int_equal(debit(shop, 1, 10, NULL), CELLAR_OK);
        available -= 10;
        assert_int_equal(account_of(shop, 1).available, available);
    }
}

/* ---- Other ways to end, other times ---- */

/* Those that were posted or voided are passed by, also when their documents have left memory and
 * others have their slots. */
static void test_however_they_end(void **unused) {
    struct shop shop;
    cellar_account_hold_info info;
    (void)unused;
    shop_prepare(&shop);
    shop.config.remember_closed_ns = REMEMBERED_MS * ORDERS_MS;
    shop.config.orders_max = 32;
    shop_open(&shop);
    fill(&shop);
    shop_account(&shop, 1, 0, 1000);
    for (uint64_t round = 0; round < 20; round++) {
        uint64_t first = 1 + 4 * round;
        int64_t balance = 1000 - 10 * (int64_t)round;
        holds(&shop, first, 3, 1, NEAR_MS);
        hold(&shop, first + 3, 1, balance - 3, 2 * REMEMBERED_MS);
        assert_int_equal(cellar_account_void(shop.store, NULL, shop_id(first), NULL, NULL),
                         CELLAR_OK);
        assert_int_equal(
            cellar_account_post(shop.store, NULL, shop_id(first + 1), 1, RICH, NULL, NULL),
            CELLAR_OK);
        shop_settle(&shop);
        orders_pass(&shop, NEAR_MS);
        assert_int_equal(debit(&shop, 1, 2, NULL), CELLAR_OK);
        assert_int_equal(state_of(&shop, first + 2), CELLAR_ACCOUNT_HOLD_EXPIRED);
        orders_pass(&shop, REMEMBERED_MS);
        while (cellar_account_hold_get(shop.store, shop_id(first + 2), &info) == CELLAR_OK) {
            assert_int_equal(shop_audit(&shop).totals.account_holds, 1);
        }
        orders_pass(&shop, REMEMBERED_MS);
        assert_int_equal(debit(&shop, 1, 7, NULL), CELLAR_OK);
        assert_int_equal(account_of(&shop, 1).balance, balance - 10);
        assert_int_equal(account_of(&shop, 1).held, 0);
    }
    shop_finish(&shop);
}

struct meddler {
    struct shop *shop;
    void *(*run)(void *shop);
    bool done;
};

static void *end_first(void *shop) {
    assert_int_equal(
        cellar_account_void(((struct shop *)shop)->store, NULL, shop_id(1), NULL, NULL), CELLAR_OK);
    shop_settle(shop);
    return NULL;
}

/* What was held back of the log is followed. */
static void *follow(void *context) {
    struct shop *shop = context;
    memory_disk_hold_writes(shop->disk, false);
    shop_settle(shop);
    return NULL;
}

/* Once, and so that it is followed before the one who looks goes on. */
static void meddle(void *context) {
    struct meddler *meddler = context;
    pthread_t thread;
    if (!meddler->done) {
        meddler->done = true;
        assert_int_equal(pthread_create(&thread, NULL, meddler->run, meddler->shop), 0);
        pthread_join(thread, NULL);
    }
}

/* All of the funds are debited, while that is done at the place that is named. */
static void debit_meddled(struct shop *shop, const char *place, void *(*run)(void *shop)) {
    struct meddler meddler = {.shop = shop, .run = run};
    commit_gate_reset();
    commit_gate_name(1);
    commit_gate_call(1, place, meddle, &meddler);
    assert_int_equal(debit(shop, 1, FUNDS, NULL), CELLAR_OK);
    commit_gate_name(0);
    commit_gate_remove();
    assert_true(meddler.done);
}

/* Who stands on a hold that leaves the list just then still finds those behind it. */
static void test_one_ends_meanwhile(void **state) {
    struct shop *shop = *state;
    fill(shop);
    shop_account(shop, 1, 0, FUNDS);
    hold(shop, 1, 1, 10, LATE_MS);
    hold(shop, 2, 1, FUNDS - 10, NEAR_MS);
    shop_settle(shop);
    orders_pass(shop, NEAR_MS);
    /* It has ended before the plan, so that no cell changes any more; it leaves the list later. */
    memory_disk_hold_writes(shop->disk, true);
    assert_int_equal(cellar_account_void(shop->store, NULL, shop_id(1), NULL, NULL), CELLAR_OK);
    debit_meddled(shop, "holds-step", follow);
    assert_int_equal(state_of(shop, 2), CELLAR_ACCOUNT_HOLD_EXPIRED);
    orders_start_expiry(shop);
}

/* What is given back and forgotten between the plan and the look for what is overdue is there. */
static void test_one_ends_before_the_look(void **state) {
    struct shop *shop = *state;
    fill(shop);
    shop_account(shop, 1, 0, FUNDS);
    hold(shop, 1, 1, 10, NEAR_MS);
    shop_settle(shop);
    orders_pass(shop, NEAR_MS);
    debit_meddled(shop, "expiry-overdue", end_first);
    assert_int_equal(state_of(shop, 1), CELLAR_ACCOUNT_HOLD_VOIDED);
    orders_start_expiry(shop);
}

static void test_after_reopening(void **state) {
    struct shop *shop = *state;
    cellar_refusal refusal;
    fill(shop);
    shop_account(shop, 1, 0, FUNDS);
    int64_t near_ns = hold_all(shop, 1, 1);
    assert_int_equal(cellar_account_void(shop->store, NULL, shop_id(2), NULL, NULL), CELLAR_OK);
    shop_reopen(shop);
    orders_stop_expiry(shop);
    assert_int_equal(debit(shop, 1, 60, &refusal), CELLAR_INSUFFICIENT_FUNDS);
    check_short(&refusal, 0, 10, near_ns);
    ATOMIC_STORE(&shop->now_ns, near_ns, relaxed);
    assert_int_equal(debit(shop, 1, 50, &refusal), CELLAR_OK);
    assert_int_equal(shop_audit(shop).totals.held, FUNDS / 2 + 5);
    orders_start_expiry(shop);
    await_expired(shop, 11);
}

/* ---- No space ---- */

struct release {
    struct memory_disk *disk;
    _Atomic bool answered;
};

/* Too late for who must not wait, but in time for who waits as long as is usual. */
static void *release_later(void *argument) {
    struct release *release = argument;
    for (int i = 0; i < 4000 && !ATOMIC_LOAD(&release->answered, acquire); i++) {
        clock_sleep_ns(ORDERS_MS);
    }
    memory_disk_hold_syncs(release->disk, false);
    return NULL;
}

/* Who must not wait for space is told so, though what is overdue would have sufficed. */
static void test_no_longer_than_the_caller_waits(void **unused) {
    const cellar_call now = {.wait_ms = -1};
    const cellar_call soon = {.wait_ms = 30};
    const cellar_call *const calls[2] = {&now, &soon};
    (void)unused;
    for (int i = 0; i < 4; i++) {
        struct shop shop;
        struct release release = {.answered = false};
        pthread_t thread;
        cellar_refusal refusal;
        cellar_line line = shop_line("b", 0, 10, 1);
        shop_prepare(&shop);
        shop.config.ring_bytes = 64 << 10;
        shop_open(&shop);
        fill(&shop);
        shop_account(&shop, 1, 0, FUNDS);
        hold(&shop, 1, 1, FUNDS, NEAR_MS);
        shop_goods(&shop, "b", 10);
        orders_hold(&shop, 2, "b", 10, NEAR_MS);
        shop_settle(&shop);
        orders_pass(&shop, NEAR_MS);
        memory_disk_hold_syncs(shop.disk, true);
        int64_t credited = 0;
        while (cellar_account_credit(shop.store, &soon, none, RICH, 1, NULL, NULL) == CELLAR_OK) {
            credited++;
        }
        release.disk = shop.disk;
        assert_int_equal(pthread_create(&thread, NULL, release_later, &release), 0);
        cellar_status status =
            i < 2 ? cellar_account_debit(shop.store, calls[i], none, 1, 60, NULL, &refusal)
                  : cellar_stock_take(shop.store, calls[i - 2], &line, NULL, &refusal);
        ATOMIC_STORE(&release.answered, true, release);
        pthread_join(thread, NULL);
        assert_int_equal(status, CELLAR_BUSY);
        shop_check_refusal(&refusal, CELLAR_BUSY, CELLAR_NO_LINE, 0, 0);
        assert_int_equal(debit(&shop, 1, 60, NULL), CELLAR_OK);
        assert_int_equal(cellar_stock_take(shop.store, NULL, &line, NULL, NULL), CELLAR_OK);
        assert_int_equal(shop_audit(&shop).totals.balances, 1000 + credited + FUNDS - 60);
        shop_finish(&shop);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SHOP_TEST(test_who_is_short_of_funds),
        SHOP_TEST_ORACLE(test_who_is_short_of_funds),
        SHOP_TEST(test_many_overdue),
        SHOP_TEST(test_far_behind),
        cmocka_unit_test(test_however_they_end),
        SHOP_TEST(test_one_ends_meanwhile),
        SHOP_TEST(test_one_ends_before_the_look),
        SHOP_TEST(test_after_reopening),
        cmocka_unit_test(test_no_longer_than_the_caller_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
