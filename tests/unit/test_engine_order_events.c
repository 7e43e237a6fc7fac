/* Does every event do in every state, whole and by line, what the table of the header says, and
 * leave no trace when it is refused? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/orders.h"

/* Every order here: 5 of "a" for 333 each, 3 of "b" for 7 each, from an account. */

static void fill(struct shop *shop) {
    shop_goods(shop, "a", 10000);
    shop_goods(shop, "b", 10000);
    shop_account(shop, 1, 0, 10000000);
}

static void place(struct shop *shop, uint64_t id, cellar_order_state state, int64_t until_ns) {
    cellar_line lines[] = {shop_line("a", 0, 5, 333), shop_line("b", 0, 3, 7)};
    cellar_order_request request = shop_order_request(id, lines, 2);
    request.state = state;
    request.account = state >= CELLAR_ORDER_PAID ? 1 : 0;
    request.hold_until_ns = until_ns;
    assert_int_equal(cellar_order_place(shop->store, NULL, &request, NULL, NULL), CELLAR_OK);
}

/* ---- Every state and event ---- */

/* How an order may stand, of the same state or another. */
enum standing {
    PLACED,
    HELD,
    PLACED_PART_CANCELLED,
    PAID,
    PAID_IN_PART,
    PAID_PART_FULFILLED,
    PAID_PART_RETURNED,
    FULFILLED,
    FULFILLED_PART_CANCELLED,
    FULFILLED_ALL_RETURNED,
    CANCELLED,
    EXPIRED,
    RETURNED,
    STANDINGS
};

static void make_return(struct shop *shop, uint64_t id) {
    cellar_line line = shop_line("a", 0, 5, 333);
    cellar_order_request request = shop_order_request(id, &line, 1);
    assert_int_equal(cellar_order_return(shop->store, NULL, &request, false, NULL, NULL),
                     CELLAR_OK);
}

static void make_paid(struct shop *shop, enum standing standing, uint64_t id) {
    const cellar_order_part one = {0, 1};
    cellar_order_change change = orders_change(CELLAR_EVENT_PAY, id, id + 1, &one, 1);
    place(shop, id, standing == PAID_IN_PART ? CELLAR_ORDER_PLACED : CELLAR_ORDER_PAID, 0);
    if (standing == PAID_IN_PART) {
        change.account = 1;
        assert_int_equal(orders_try(shop, &change, NULL), CELLAR_OK);
    } else if (standing != PAID) {
        orders_part(shop, CELLAR_EVENT_FULFIL, id, id + 1, 0, 3);
    }
    if (standing == PAID_PART_RETURNED) {
        orders_part(shop, CELLAR_EVENT_RETURN, id, id + 2, 0, 3);
    }
    if (standing == FULFILLED_PART_CANCELLED) {
        orders_whole(shop, CELLAR_EVENT_CANCEL, id);
    }
}

static void make_closed(struct shop *shop, enum standing standing, uint64_t id) {
    cellar_order_change change = orders_change(CELLAR_EVENT_RETURN, id, id + 1, NULL, 0);
    if (standing == CANCELLED) {
        place(shop, id, CELLAR_ORDER_PAID, 0);
        orders_whole(shop, CELLAR_EVENT_CANCEL, id);
    } else if (standing == EXPIRED) {
        place(shop, id, CELLAR_ORDER_PLACED, orders_deadline(shop, 5));
        orders_pass(shop, 5);
        orders_await(shop, id, CELLAR_ORDER_EXPIRED);
    } else {
        place(shop, id, CELLAR_ORDER_FULFILLED, 0);
    }
    if (standing == FULFILLED_ALL_RETURNED) {
        assert_int_equal(orders_try(shop, &change, NULL), CELLAR_OK);
    }
}

static void make(struct shop *shop, enum standing standing, uint64_t id) {
    switch (standing) {
    case PLACED:
    case HELD:
    case PLACED_PART_CANCELLED:
        place(shop, id, CELLAR_ORDER_PLACED, standing == HELD ? orders_deadline(shop, 900000) : 0);
        if (standing == PLACED_PART_CANCELLED) {
            orders_part(shop, CELLAR_EVENT_CANCEL, id, id + 1, 0, 5);
        }
        return;
    case PAID:
    case PAID_IN_PART:
    case PAID_PART_FULFILLED:
    case PAID_PART_RETURNED:
    case FULFILLED_PART_CANCELLED:
        make_paid(shop, standing, id);
        return;
    case RETURNED:
        make_return(shop, id);
        return;
    default:
        make_closed(shop, standing, id);
    }
}

/* What the whole step answers, and the step by one unit of line 0: the state after it; 0: it is
 * illegal; or another refusal. */
#define ILLEGAL 0
#define AGAIN (-1)
#define LEFT (-2)  /* NOTHING_LEFT */
#define WRONG (-3) /* INVALID_ARGUMENT */

static const struct {
    const char *name;
    cellar_order_state state;
    struct {
        int whole, part;
    } answers[5];
} table[STANDINGS] = {
    /* standing: name  state  {pay}  {fulfil}  {cancel}  {return}  {extend}, each whole and part */
    [PLACED] = {"placed", 1, {{2, 2}, {ILLEGAL, ILLEGAL}, {4, 1}, {0, 0}, {ILLEGAL, WRONG}}},
    [HELD] = {"held", 1, {{2, 2}, {ILLEGAL, ILLEGAL}, {4, 1}, {0, 0}, {1, WRONG}}},
    [PLACED_PART_CANCELLED] = {"placed, a line cancelled",
                               1,
                               {{2, LEFT}, {0, 0}, {4, LEFT}, {0, 0}, {0, WRONG}}},
    [PAID] = {"paid", 2, {{AGAIN, 0}, {3, 2}, {4, 2}, {LEFT, LEFT}, {0, WRONG}}},
    [PAID_IN_PART] = {"paid in part", 2, {{AGAIN, 0}, {3, 3}, {4, 4}, {LEFT, LEFT}, {0, WRONG}}},
    [PAID_PART_FULFILLED] = {"paid, a part has left",
                             2,
                             {{AGAIN, 0}, {3, 2}, {3, 2}, {2, 2}, {0, WRONG}}},
    [PAID_PART_RETURNED] = {"paid, a part has come back",
                            2,
                            {{AGAIN, 0}, {3, 2}, {3, 2}, {LEFT, LEFT}, {0, WRONG}}},
    [FULFILLED] = {"fulfilled", 3, {{AGAIN, 0}, {AGAIN, 0}, {0, 0}, {3, 3}, {0, WRONG}}},
    [FULFILLED_PART_CANCELLED] = {"fulfilled, a part cancelled",
                                  3,
                                  {{AGAIN, 0}, {AGAIN, 0}, {0, 0}, {3, 3}, {0, WRONG}}},
    [FULFILLED_ALL_RETURNED] = {"all has come back",
                                3,
                                {{AGAIN, 0}, {AGAIN, 0}, {0, 0}, {LEFT, LEFT}, {0, WRONG}}},
    [CANCELLED] = {"cancelled", 4, {{0, 0}, {0, 0}, {AGAIN, 0}, {0, 0}, {0, WRONG}}},
    [EXPIRED] = {"expired", 6, {{0, 0}, {0, 0}, {0, 0}, {0, 0}, {0, WRONG}}},
    [RETURNED] = {"a return", 5, {{0, 0}, {0, 0}, {0, 0}, {0, 0}, {0, WRONG}}},
};

static cellar_status expected_status(int answer) {
    switch (answer) {
    case ILLEGAL:
        return CELLAR_ILLEGAL_STEP;
    case LEFT:
        return CELLAR_NOTHING_LEFT;
    case WRONG:
        return CELLAR_INVALID_ARGUMENT;
    default:
        return CELLAR_OK;
    }
}

static void check_answer(struct shop *shop, enum standing standing, cellar_order_event event,
                         bool part, uint64_t id) {
    int answer =
        part ? table[standing].answers[event - 1].part : table[standing].answers[event - 1].whole;
    const cellar_order_part one = {0, 1};
    bool identified = part || event == CELLAR_EVENT_RETURN;
    cellar_order_change change =
        orders_change(event, id, identified ? id + 5 : 0, part ? &one : NULL, part);
    cellar_ticket ticket = {0};
    cellar_refusal refusal;
    if (event == CELLAR_EVENT_EXTEND) {
        change.hold_until_ns = orders_deadline(shop, 950000);
    }
    cellar_order before = shop_order_get(shop, id);
    assert_int_equal(before.state, table[standing].state);
    shop_freeze(shop);
    cellar_status status = cellar_order_step(shop->store, NULL, &change, &ticket, &refusal);
    if (status != expected_status(answer)) {
        fail_msg("%s, event %d%s: %s", table[standing].name, (int)event, part ? " by part" : "",
                 cellar_status_name(status));
    }
    cellar_order after = shop_order_get(shop, id);
    if (answer > 0) {
        if (after.state != (cellar_order_state)answer) {
            fail_msg("%s, event %d%s: state %d", table[standing].name, (int)event,
                     part ? " by part" : "", (int)after.state);
        }
        assert_int_equal(after.version, ticket.lsn);
        assert_false(ticket.repeated);
        return;
    }
    shop_check_frozen(shop, table[standing].name);
    if (answer == AGAIN) {
        assert_true(ticket.repeated);
        assert_int_equal(ticket.lsn, before.version);
    } else if (answer == ILLEGAL) {
        assert_int_equal(refusal.state, before.state);
    } else if (answer == LEFT && part) {
        shop_check_refusal(&refusal, CELLAR_NOTHING_LEFT, 0, 0, 1);
    } else if (answer == LEFT) {
        shop_check_refusal(&refusal, CELLAR_NOTHING_LEFT, CELLAR_NO_LINE, 0, 0);
    }
}

static void check_table(struct shop *shop, bool reopened) {
    uint64_t id = 1000;
    fill(shop);
    for (enum standing standing = 0; standing < STANDINGS; standing++) {
        for (cellar_order_event event = CELLAR_EVENT_PAY; event <= CELLAR_EVENT_EXTEND; event++) {
            for (int part = 0; part < 2; part++) {
                make(shop, standing, id);
                if (reopened && event == CELLAR_EVENT_RETURN) {
                    shop_reopen(shop);
                }
                check_answer(shop, standing, event, part != 0, id);
                id += 10;
            }
        }
    }
    shop_audit(shop);
}

static void test_every_state_and_event(void **state) {
    check_table(*state, false);
}

static void test_every_state_and_event_reopened(void **state) {
    check_table(*state, true);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SHOP_TEST(test_every_state_and_event),
        SHOP_TEST_ORACLE(test_every_state_and_event),
        SHOP_TEST(test_every_state_and_event_reopened),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
