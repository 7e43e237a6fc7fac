/* Is money that is held neither spent nor lost, paid or given back once, and not paid after the
 * deadline? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/shop.h"

#include <string.h>

#define MAX CELLAR_AMOUNT_MAX
#define MS INT64_C(1000000)
#define LATER (SHOP_NOW + 1000 * MS)
static const cellar_id none = {0, 0};

static void set_time(struct shop *shop, int64_t now_ns) {
    ATOMIC_STORE(&shop->tick_ns, 0, relaxed);
    ATOMIC_STORE(&shop->now_ns, now_ns, relaxed);
}

static cellar_account account_of(struct shop *shop, uint64_t id) {
    cellar_account account;
    assert_int_equal(cellar_account_get(shop->store, id, &account), CELLAR_OK);
    assert_int_equal(account.balance - account.floor - account.held, account.available);
    return account;
}

static void check_account(struct shop *shop, uint64_t id, int64_t balance, int64_t held) {
    cellar_account account = account_of(shop, id);
    assert_int_equal(account.balance, balance);
    assert_int_equal(account.held, held);
}

static cellar_account_hold_info hold_of(struct shop *shop, uint64_t id) {
    cellar_account_hold_info hold;
    assert_int_equal(cellar_account_hold_get(shop->store, shop_id(id), &hold), CELLAR_OK);
    assert_int_equal(hold.id.low, id);
    return hold;
}

static cellar_status hold(struct shop *shop, uint64_t id, uint64_t account, int64_t amount,
                          int64_t deadline_ns, cellar_refusal *refusal) {
    return cellar_account_hold(shop->store, NULL, shop_id(id), account, amount, deadline_ns, NULL,
                               refusal);
}

static cellar_status post(struct shop *shop, uint64_t id, int64_t amount, uint64_t to,
                          cellar_refusal *refusal) {
    return cellar_account_post(shop->store, NULL, shop_id(id), amount, to, NULL, refusal);
}

static cellar_status give_back(struct shop *shop, uint64_t id, cellar_refusal *refusal) {
    return cellar_account_void(shop->store, NULL, shop_id(id), NULL, refusal);
}

/* What the store's own thread will do to an overdue hold. */
static cellar_ticket expire(struct shop *shop, uint64_t id) {
    cellar_ticket ticket;
    shop_settle(shop);
    uint32_t slot = store_find_order(shop->store->store, shop_id(id))->slot;
    assert_int_equal(engine_account_expire(shop->store, NULL, slot, &ticket), CELLAR_OK);
    return ticket;
}

static void test_hold(void **state) {
    struct shop *shop = *state;
    static const struct {
        int64_t floor, balance, amount;
        cellar_status status;
        int64_t available; /* after it, or when it is refused */
    } rows[] = {
        /* floor  balance  amount  answer  available */
        {0, 10, 10, CELLAR_OK, 0},
        {0, 10, 4, CELLAR_OK, 6},
        {0, 10, 11, CELLAR_INSUFFICIENT_FUNDS, 10},
        {-50, 0, 50, CELLAR_OK, 0},
        {-50, 0, 51, CELLAR_INSUFFICIENT_FUNDS, 50},
        {-MAX, 0, MAX, CELLAR_OK, 0},
        {-MAX, MAX, MAX, CELLAR_OK, MAX},
        {0, 0, 1, CELLAR_INSUFFICIENT_FUNDS, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint64_t id = i + 1;
        cellar_ticket ticket;
        cellar_refusal refusal;
        shop_account(shop, id, rows[i].floor, rows[i].balance);
        shop_freeze(shop);
        assert_int_equal(cellar_account_hold(shop->store, NULL, shop_id(id), id, rows[i].amount, 0,
                                             &ticket, &refusal),
                         rows[i].status);
        if (rows[i].status != CELLAR_OK) {
            shop_check_refusal(&refusal, rows[i].status, 0, rows[i].available, rows[i].amount);
            shop_check_frozen(shop, "after a hold that is refused");
            continue;
        }
        assert_int_equal(ticket.remaining, rows[i].available);
        check_account(shop, id, rows[i].balance, rows[i].amount);
        cellar_account_hold_info info = hold_of(shop, id);
        assert_int_equal(info.account, id);
        assert_int_equal(info.amount, rows[i].amount);
        assert_int_equal(info.state, CELLAR_ACCOUNT_HOLD_HELD);
        assert_int_equal(info.deadline_ns, 0);
        assert_int_equal(info.placed_lsn, ticket.lsn);
        assert_int_equal(info.version, ticket.lsn);
        assert_int_equal(info.placed_ns, ticket.time_ns);
    }
    cellar_totals totals = shop_audit(shop).totals;
    assert_int_equal(totals.account_holds, 5);
    assert_int_equal(totals.held, 10 + 4 + 50 + 2 * MAX);
}

/* What is held is not spent by anything else, and a balance that could take more is full. */
static void test_held_is_not_spent(void **state) {
    struct shop *shop = *state;
    cellar_refusal refusal;
    shop_account(shop, 1, -100, 50);
    shop_account(shop, 2, 0, 0);
    shop_account(shop, 3, 0, MAX);
    assert_int_equal(hold(shop, 1, 1, 120, 0, NULL), CELLAR_OK);
    assert_int_equal(hold(shop, 3, 3, MAX, 0, NULL), CELLAR_OK);
    shop_freeze(shop);
    assert_int_equal(cellar_account_debit(shop->store, NULL, none, 1, 31, NULL, &refusal),
                     CELLAR_INSUFFICIENT_FUNDS);
    shop_check_refusal(&refusal, CELLAR_INSUFFICIENT_FUNDS, 0, 30, 31);
    assert_int_equal(cellar_account_transfer(shop->store, NULL, none, 1, 2, 31, NULL, &refusal),
                     CELLAR_INSUFFICIENT_FUNDS);
    assert_int_equal(hold(shop, 2, 1, 31, 0, &refusal), CELLAR_INSUFFICIENT_FUNDS);
    assert_int_equal(cellar_account_set_floor(shop->store, NULL, 1, -69, 0, NULL, &refusal),
                     CELLAR_INSUFFICIENT_FUNDS);
    shop_check_refusal(&refusal, CELLAR_INSUFFICIENT_FUNDS, CELLAR_NO_LINE, -70, -69);
    assert_int_equal(cellar_account_credit(shop->store, NULL, none, 3, 1, NULL, &refusal),
                     CELLAR_OVERFLOW);
    shop_check_frozen(shop, "while it is held");
    assert_int_equal(cellar_account_set_floor(shop->store, NULL, 1, -70, 0, NULL, NULL), CELLAR_OK);
    check_account(shop, 1, 50, 120);
    assert_int_equal(give_back(shop, 1, NULL), CELLAR_OK);
    assert_int_equal(cellar_account_debit(shop->store, NULL, none, 1, 120, NULL, NULL), CELLAR_OK);
}

static void test_post(void **state) {
    struct shop *shop = *state;
    static const struct {
        int64_t amount;
        uint64_t to; /* 99: not there; 9: full */
        cellar_status status;
        uint32_t line;
        int64_t available;
    } rows[] = {
        /* amount  to  answer  line  available */
        {100, 0, CELLAR_OK, 0, 0},
        {100, 2, CELLAR_OK, 0, 0},
        {1, 2, CELLAR_OK, 0, 0},
        {60, 0, CELLAR_OK, 0, 0},
        {101, 2, CELLAR_INSUFFICIENT_FUNDS, CELLAR_NO_LINE, 100},
        {MAX, 0, CELLAR_INSUFFICIENT_FUNDS, CELLAR_NO_LINE, 100},
        {100, 99, CELLAR_NOT_FOUND, 1, 0},
        {100, 9, CELLAR_OVERFLOW, 1, 0},
    };
    shop_account(shop, 2, 0, 0);
    shop_account(shop, 9, 0, MAX);
    int64_t received = 0;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint64_t id = 10 + i;
        cellar_refusal refusal;
        cellar_ticket ticket;
        shop_account(shop, id, 0, 500);
        assert_int_equal(hold(shop, id, id, 100, LATER, NULL), CELLAR_OK);
        shop_freeze(shop);
        cellar_status status = cellar_account_post(shop->store, NULL, shop_id(id), rows[i].amount,
                                                   rows[i].to, &ticket, &refusal);
        assert_int_equal(status, rows[i].status);
        if (status != CELLAR_OK) {
            bool broke = status == CELLAR_INSUFFICIENT_FUNDS;
            shop_check_refusal(&refusal, status, rows[i].line, rows[i].available,
                               broke ? rows[i].amount : 0);
            shop_check_frozen(shop, "after a post that is refused");
            assert_int_equal(hold_of(shop, id).state, CELLAR_ACCOUNT_HOLD_HELD);
            continue;
        }
        received += rows[i].to == 2 ? rows[i].amount : 0;
        assert_int_equal(ticket.remaining, 500 - rows[i].amount);
        check_account(shop, id, 500 - rows[i].amount, 0);
        check_account(shop, 2, received, 0);
        cellar_account_hold_info info = hold_of(shop, id);
        assert_int_equal(info.state, CELLAR_ACCOUNT_HOLD_POSTED);
        assert_int_equal(info.posted, rows[i].amount);
        assert_int_equal(info.to, rows[i].to);
        assert_int_equal(info.version, ticket.lsn);
        assert_int_equal(info.deadline_ns, LATER);
    }
    cellar_totals totals = shop_audit(shop).totals;
    assert_int_equal(totals.debited, 160);
    assert_int_equal(totals.account_holds, 4);
    assert_int_equal(totals.held, 400);
}

/* Each row: what was done to a hold, then what is done to it again. */
static void test_steps(void **state) {
    struct shop *shop = *state;
    enum step {
        POST_60,
        POST_61,
        POST_60_TO_2,
        VOID,
        EXPIRE
    };
    static const struct {
        enum step first, second;
        cellar_status status;
        bool repeated;
        uint32_t state;
    } rows[] = {
        /* first  second  answer  repeated  state */
        {POST_60, POST_60, CELLAR_OK, true, 0},
        {POST_60, POST_61, CELLAR_ILLEGAL_STEP, false, CELLAR_ACCOUNT_HOLD_POSTED},
        {POST_60, POST_60_TO_2, CELLAR_ILLEGAL_STEP, false, CELLAR_ACCOUNT_HOLD_POSTED},
        {POST_60_TO_2, POST_60_TO_2, CELLAR_OK, true, 0},
        {POST_60, VOID, CELLAR_ILLEGAL_STEP, false, CELLAR_ACCOUNT_HOLD_POSTED},
        {VOID, VOID, CELLAR_OK, true, 0},
        {VOID, POST_60, CELLAR_ILLEGAL_STEP, false, CELLAR_ACCOUNT_HOLD_VOIDED},
        {EXPIRE, POST_60, CELLAR_HOLD_EXPIRED, false, 0},
        {EXPIRE, VOID, CELLAR_OK, true, 0},
    };
    shop_account(shop, 2, 0, 0);
    shop_account(shop, 1, 0, 1000);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint64_t id = 10 + i;
        cellar_ticket tickets[2] = {{0}, {0}};
        int64_t deadline = SHOP_NOW + (int64_t)(i + 1) * 1000 * MS;
        assert_int_equal(hold(shop, id, 1, 100, deadline, NULL), CELLAR_OK);
        for (int turn = 0; turn < 2; turn++) {
            enum step step = turn == 0 ? rows[i].first : rows[i].second;
            cellar_refusal refusal = {.status = CELLAR_OK};
            cellar_status status = CELLAR_OK;
            if (turn == 1) {
                shop_freeze(shop);
                shop_reopen(shop);
            }
            switch (step) {
            case VOID:
                status =
                    cellar_account_void(shop->store, NULL, shop_id(id), &tickets[turn], &refusal);
                break;
            case EXPIRE:
                set_time(shop, deadline);
                tickets[turn] = expire(shop, id);
                break;
            default:
                status =
                    cellar_account_post(shop->store, NULL, shop_id(id), step == POST_61 ? 61 : 60,
                                        step == POST_60_TO_2 ? 2 : 0, &tickets[turn], &refusal);
                break;
            }
            assert_int_equal(status, turn == 0 ? CELLAR_OK : rows[i].status);
            /* The store may have expired it first. */
            assert_true(step == EXPIRE ||
                        tickets[turn].repeated == (turn == 1 && rows[i].repeated));
            assert_int_equal(refusal.state, turn == 1 ? rows[i].state : 0);
        }
        if (rows[i].repeated && rows[i].first != EXPIRE) {
            assert_int_equal(tickets[0].lsn, tickets[1].lsn);
            assert_int_equal(tickets[0].time_ns, tickets[1].time_ns);
        }
        shop_check_frozen(shop, "after a second step");
        assert_int_equal(account_of(shop, 1).held, 0);
    }
}

/* From the deadline on, to the millisecond. */
static void test_deadline(void **state) {
    struct shop *shop = *state;
    static const struct {
        int64_t deadline, now;
        bool expired;
    } rows[] = {
        /* deadline and now, after SHOP_NOW  expired */
        {5 * MS, 5 * MS - 1, false},
        {5 * MS, 5 * MS, true},
        {5 * MS + 999999, 5 * MS - 1, false},
        {5 * MS + 999999, 5 * MS, true},
        {INT64_MAX - SHOP_NOW, 1000 * MS, false},
    };
    shop_account(shop, 1, 0, 1000);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int64_t base = SHOP_NOW + (int64_t)(i + 1) * 100000 * MS;
        int64_t deadline =
            rows[i].deadline > INT64_MAX - base ? INT64_MAX : base + rows[i].deadline;
        cellar_refusal refusal;
        set_time(shop, base);
        assert_int_equal(hold(shop, i, 1, 10, deadline, NULL), CELLAR_OK);
        set_time(shop, base + rows[i].now);
        cellar_status status = post(shop, i, 10, 0, &refusal);
        assert_int_equal(status, rows[i].expired ? CELLAR_HOLD_EXPIRED : CELLAR_OK);
        if (rows[i].expired) {
            shop_check_refusal(&refusal, CELLAR_HOLD_EXPIRED, CELLAR_NO_LINE, 0, 0);
            /* Whether or not the store has expired it by now. */
            assert_true(hold_of(shop, i).state == CELLAR_ACCOUNT_HOLD_HELD ||
                        hold_of(shop, i).state == CELLAR_ACCOUNT_HOLD_EXPIRED);
        } else {
            /* Not early either. */
            assert_true(expire(shop, i).repeated);
        }
    }
    /* The money of an overdue hold is held until it is voided or expired, by whoever is first. */
    assert_int_equal(give_back(shop, 1, NULL), CELLAR_OK);
    assert_int_not_equal(hold_of(shop, 1).state, CELLAR_ACCOUNT_HOLD_HELD);
    (void)expire(shop, 3);
    assert_true(expire(shop, 3).repeated);
    assert_int_equal(hold_of(shop, 3).state, CELLAR_ACCOUNT_HOLD_EXPIRED);
    check_account(shop, 1, 970, 0);
    /* A new one must end in the future, and the same one may be asked for for ever. */
    shop_freeze(shop);
    int64_t now = ATOMIC_LOAD(&shop->now_ns, relaxed);
    cellar_refusal refusal;
    assert_int_equal(hold(shop, 50, 1, 10, now, &refusal), CELLAR_HOLD_EXPIRED);
    shop_check_refusal(&refusal, CELLAR_HOLD_EXPIRED, CELLAR_NO_LINE, 0, 0);
    assert_int_equal(hold(shop, 50, 1, 10, 1, NULL), CELLAR_HOLD_EXPIRED);
    cellar_ticket ticket;
    assert_int_equal(cellar_account_hold(shop->store, NULL, shop_id(1), 1, 10,
                                         SHOP_NOW + 200005 * MS, &ticket, NULL),
                     CELLAR_OK);
    assert_true(ticket.repeated);
    shop_check_frozen(shop, "after holds that are late");
}

static void test_once_for_an_id(void **state) {
    struct shop *shop = *state;
    cellar_refusal refusal;
    cellar_ticket first;
    cellar_ticket again;
    shop_account(shop, 1, 0, 100);
    shop_account(shop, 2, 0, 100);
    shop_goods(shop, "a", 5);
    shop_order(shop, 2, "a", 1, CELLAR_ORDER_PLACED);
    assert_int_equal(cellar_account_hold(shop->store, NULL, shop_id(1), 1, 30, LATER, &first, NULL),
                     CELLAR_OK);
    for (int opening = 0; opening < 2; opening++) {
        shop_freeze(shop);
        assert_int_equal(
            cellar_account_hold(shop->store, NULL, shop_id(1), 1, 30, LATER, &again, NULL),
            CELLAR_OK);
        assert_true(again.repeated);
        assert_int_equal(again.lsn, first.lsn);
        assert_int_equal(again.time_ns, first.time_ns);
        assert_int_equal(hold(shop, 1, 1, 31, LATER, &refusal), CELLAR_ID_REUSED);
        assert_int_equal(hold(shop, 1, 2, 30, LATER, &refusal), CELLAR_ID_REUSED);
        assert_int_equal(hold(shop, 1, 1, 30, LATER + MS, &refusal), CELLAR_ID_REUSED);
        assert_int_equal(hold(shop, 2, 1, 30, LATER, &refusal), CELLAR_ID_REUSED);
        shop_check_refusal(&refusal, CELLAR_ID_REUSED, CELLAR_NO_LINE, 0, 0);
        assert_int_equal(cellar_account_debit(shop->store, NULL, shop_id(1), 1, 30, NULL, NULL),
                         CELLAR_ID_REUSED);
        /* A hold is no order, and an order no hold. */
        cellar_order order;
        cellar_account_hold_info info;
        assert_int_equal(cellar_order_get(shop->store, shop_id(1), &order, NULL, 0),
                         CELLAR_NOT_FOUND);
        assert_int_equal(cellar_order_pay(shop->store, NULL, shop_id(1), 0, NULL, NULL),
                         CELLAR_NOT_FOUND);
        assert_int_equal(cellar_order_cancel(shop->store, NULL, shop_id(1), NULL, NULL),
                         CELLAR_NOT_FOUND);
        for (uint64_t id = 2; id <= 3; id++) {
            assert_int_equal(cellar_account_hold_get(shop->store, shop_id(id), &info),
                             CELLAR_NOT_FOUND);
            assert_int_equal(post(shop, id, 10, 0, &refusal), CELLAR_NOT_FOUND);
            shop_check_refusal(&refusal, CELLAR_NOT_FOUND, CELLAR_NO_LINE, 0, 0);
            assert_int_equal(give_back(shop, id, NULL), CELLAR_NOT_FOUND);
        }
        shop_check_frozen(shop, "after the same id again");
        shop_reopen(shop);
    }
    /* Refused, then possible: the id was free. */
    assert_int_equal(hold(shop, 9, 1, 71, 0, NULL), CELLAR_INSUFFICIENT_FUNDS);
    assert_int_equal(give_back(shop, 1, NULL), CELLAR_OK);
    assert_int_equal(hold(shop, 9, 1, 71, 0, NULL), CELLAR_OK);
}

static void test_bad_arguments(void **state) {
    struct shop *shop = *state;
    cellar_refusal refusal;
    shop_account(shop, 1, 0, 100);
    assert_int_equal(hold(shop, 1, 1, 50, 0, NULL), CELLAR_OK);
    shop_freeze(shop);
    static const int64_t amounts[] = {0, -1, MAX + 1, INT64_MIN, INT64_MAX};
    for (size_t i = 0; i < 5; i++) {
        memset(&refusal, 0xee, sizeof refusal);
        shop_check_invalid(&refusal, hold(shop, 2, 1, amounts[i], 0, &refusal), CELLAR_NO_LINE,
                           "amount");
        shop_check_invalid(&refusal, post(shop, 1, amounts[i], 0, &refusal), CELLAR_NO_LINE,
                           "amount");
    }
    shop_check_invalid(&refusal,
                       cellar_account_hold(shop->store, NULL, none, 1, 5, 0, NULL, &refusal),
                       CELLAR_NO_LINE, "id");
    shop_check_invalid(&refusal, hold(shop, 2, 0, 5, 0, &refusal), CELLAR_NO_LINE, "account");
    shop_check_invalid(&refusal, hold(shop, 2, 1, 5, -1, &refusal), CELLAR_NO_LINE, "deadline_ns");
    shop_check_invalid(&refusal, post(shop, 1, 5, 1, &refusal), CELLAR_NO_LINE, "to");
    assert_int_equal(hold(shop, 2, 3, 5, 0, &refusal), CELLAR_NOT_FOUND);
    shop_check_refusal(&refusal, CELLAR_NOT_FOUND, 0, 0, 0);
    assert_int_equal(cellar_account_hold_get(shop->store, shop_id(1), NULL),
                     CELLAR_INVALID_ARGUMENT);
    assert_int_equal(give_back(shop, 77, NULL), CELLAR_NOT_FOUND);
    shop_check_frozen(shop, "after bad arguments");
}

/* Documents run out like orders. */
static void test_holds_run_out(void **unused) {
    struct shop shop;
    cellar_refusal refusal;
    (void)unused;
    shop_prepare(&shop);
    shop.config.orders_max = 3;
    shop_open(&shop);
    shop_account(&shop, 1, 0, 100);
    for (uint64_t id = 1; id <= 3; id++) {
        assert_int_equal(hold(&shop, id, 1, 5, 0, NULL), CELLAR_OK);
    }
    shop_freeze(&shop);
    assert_int_equal(hold(&shop, 4, 1, 5, 0, &refusal), CELLAR_STORE_FULL);
    shop_check_refusal(&refusal, CELLAR_STORE_FULL, CELLAR_NO_LINE, 0, 0);
    shop_check_frozen(&shop, "when there is no room for a hold");
    assert_int_equal(give_back(&shop, 1, NULL), CELLAR_OK);
    shop_finish(&shop);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SHOP_TEST(test_hold),
        SHOP_TEST_ORACLE(test_hold),
        SHOP_TEST(test_held_is_not_spent),
        SHOP_TEST(test_post),
        SHOP_TEST(test_steps),
        SHOP_TEST(test_deadline),
        SHOP_TEST(test_once_for_an_id),
        SHOP_TEST(test_bad_arguments),
        cmocka_unit_test(test_holds_run_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
