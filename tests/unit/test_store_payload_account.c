/* Does recovery refuse every record of accounts and leases that is not well formed, or that
 * contradicts its cells or what came before it? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/recovery.h"

#include <string.h>

/* ---- Records ---- */

static int redo(uint16_t kind, const void *payload, size_t bytes) {
    return recovery_redo(recovery_record(kind, payload, bytes));
}

static void open_account(uint64_t account, uint32_t slot, bool collecting) {
    const struct payload_account payload = {
        .account = account, .slot = slot, .collecting = collecting};
    recovery_change(store_account_cell(slot), 0);
    assert_int_equal(redo(STORE_ACCOUNT_OPEN, &payload, sizeof payload), STORE_APPLIED);
}

static void test_accounts(void **unused) {
    static const struct {
        uint32_t collecting;
        int64_t more; /* bytes */
        int result;
    } rows[] = {
        /* collecting  bytes more  result */
        {0, 0, STORE_APPLIED},      {1, 0, STORE_APPLIED},       {2, 0, RECOVERY_MALFORMED},
        {0, 1, RECOVERY_MALFORMED}, {0, -1, RECOVERY_MALFORMED}, {0, -24, RECOVERY_MALFORMED},
    };
    (void)unused;
    for (uint32_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct payload_account payload[2] = {
            {.account = 10 + i, .slot = 1 + i, .collecting = rows[i].collecting}};
        size_t bytes = sizeof *payload + (size_t)rows[i].more;
        recovery_change(store_account_cell(1 + i), 0);
        assert_int_equal(redo(STORE_ACCOUNT_OPEN, payload, bytes), rows[i].result);
        recovery_change(store_account_cell(1), 0);
        assert_int_equal(redo(STORE_ACCOUNT_FLOOR, payload, bytes), rows[i].result);
    }
    /* A slot whose cell the record does not change. */
    const struct payload_account payload = {.account = 50, .slot = 9};
    recovery_change(store_account_cell(8), 0);
    assert_int_equal(redo(STORE_ACCOUNT_OPEN, &payload, sizeof payload), STORE_APPLY_BROKEN);
}

/* An entry of a type that there is none of. */
static void test_entries(void **unused) {
    (void)unused;
    for (int type = 0; type < 256; type++) {
        const struct recovery_entry payload = recovery_entry_of((uint8_t)type, 1, 5);
        recovery_change(store_account_cell(1), type);
        bool known = type >= PAYLOAD_CREDIT && type <= PAYLOAD_TRANSFER;
        assert_int_equal(redo(STORE_ACCOUNT_ENTRY, &payload, sizeof payload),
                         known ? STORE_APPLIED : STORE_APPLY_BROKEN);
    }
}

static void test_settlements(void **unused) {
    const struct recovery_entry credit = recovery_entry_of(PAYLOAD_CREDIT, 7, 100);
    static const struct {
        struct payload_settle payload;
        uint32_t cell; /* slot of the cells that change */
        int64_t settled;
        int result;
    } rows[] = {
        /* payload  cells' slot  settled  result */
        {{.account = 7, .amount = 60, .slot = 1}, 1, 60, STORE_APPLIED},
        {{.account = 7, .amount = 41, .slot = 1}, 1, 101, STORE_APPLY_BROKEN},
        {{.account = 8, .amount = 1, .slot = 1}, 1, 61, STORE_APPLY_BROKEN},
        {{.account = 8, .amount = 1, .slot = 2},
         2,
         1,
         STORE_APPLY_BROKEN}, /* it collects nothing */
        {{.account = 7, .amount = 0, .slot = 1}, 1, 60, RECOVERY_MALFORMED},
        {{.account = 7, .amount = -1, .slot = 1}, 1, 60, RECOVERY_MALFORMED},
        {{.account = 7, .amount = CELLAR_AMOUNT_MAX + 1, .slot = 1}, 1, 60, RECOVERY_MALFORMED},
        {{.account = 7, .amount = 1, .slot = 2}, 1, 60, RECOVERY_MALFORMED},
        {{.account = 7, .amount = 1, .slot = 0}, 0, 60, STORE_APPLY_BROKEN},
        {{.account = 7, .amount = 1, .slot = 19}, 19, 60, STORE_APPLY_BROKEN},
        {{.account = 7, .amount = 1, .slot = UINT32_MAX}, 1, 60, RECOVERY_MALFORMED},
    };
    (void)unused;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        recovery_tear_down(NULL);
        recovery_set_up(NULL);
        open_account(7, 1, true);
        open_account(8, 2, false);
        assert_int_equal(redo(STORE_ACCOUNT_ENTRY, &credit, sizeof credit), STORE_APPLIED);
        recovery_change(store_account_cell(rows[i].cell), 60);
        recovery_change(store_settled_cell(rows[i].cell), rows[i].settled);
        assert_int_equal(redo(STORE_ACCOUNT_SETTLE, &rows[i].payload, sizeof rows[i].payload),
                         rows[i].result);
        recovery_change(store_account_cell(rows[i].cell), 60);
        assert_int_equal(redo(STORE_ACCOUNT_SETTLE, &rows[i].payload, sizeof rows[i].payload),
                         RECOVERY_MALFORMED);
        recovery_change(store_settled_cell(rows[i].cell), 60);
        assert_int_equal(redo(STORE_ACCOUNT_SETTLE, &rows[i].payload, sizeof rows[i].payload),
                         RECOVERY_MALFORMED);
        assert_int_equal(redo(STORE_ACCOUNT_SETTLE, &rows[i].payload, sizeof rows[i].payload - 1),
                         RECOVERY_MALFORMED);
    }
}

static const struct payload_hold good_hold = {
    .id = {0, 5}, .account = 7, .amount = 40, .deadline_ms = 9, .slot = 3};

static int begin_hold(struct payload_hold payload, uint32_t slot, int64_t value, size_t bytes) {
    recovery_change(store_order_cell(slot), value);
    recovery_change(store_account_cell(1), 0);
    return redo(STORE_ACCOUNT_HOLD, &payload, bytes);
}

static void test_holds(void **unused) {
    const size_t bytes = sizeof good_hold;
    const int64_t held = store_document_value(CELLAR_ACCOUNT_HOLD_HELD, 9);
    struct payload_hold hold = good_hold;
    (void)unused;
    open_account(7, 1, false);
    assert_int_equal(begin_hold(hold, 4, held, bytes), RECOVERY_MALFORMED);
    assert_int_equal(begin_hold(hold, 3, held, bytes - 1), RECOVERY_MALFORMED);
    assert_int_equal(begin_hold(hold, 3, STORE_STATE_OTHER, bytes), RECOVERY_MALFORMED);
    assert_int_equal(begin_hold(hold, 3, held + 1, bytes), RECOVERY_MALFORMED);
    hold.id = (cellar_id){0, 0};
    assert_int_equal(begin_hold(hold, 3, held, bytes), RECOVERY_MALFORMED);
    hold = good_hold;
    hold.amount = 0;
    assert_int_equal(begin_hold(hold, 3, held, bytes), RECOVERY_MALFORMED);
    hold.amount = CELLAR_AMOUNT_MAX + 1;
    assert_int_equal(begin_hold(hold, 3, held, bytes), RECOVERY_MALFORMED);
    hold = good_hold;
    hold.deadline_ms = -1;
    assert_int_equal(begin_hold(hold, 3, held, bytes), RECOVERY_MALFORMED);
    hold.deadline_ms = STORE_DEADLINE_MS_MAX + 1;
    assert_int_equal(begin_hold(hold, 3, held, bytes), RECOVERY_MALFORMED);
    hold = good_hold;
    hold.slot = 0;
    assert_int_equal(begin_hold(hold, 0, held, bytes), RECOVERY_MALFORMED);
    assert_int_equal(begin_hold(good_hold, 3, held, bytes), STORE_APPLIED);
    /* It is there: not again, and not in another slot. */
    assert_int_equal(begin_hold(good_hold, 3, held, bytes), RECOVERY_MALFORMED);
    hold = good_hold;
    hold.slot = 6;
    assert_int_equal(begin_hold(hold, 6, held, bytes), STORE_APPLY_BROKEN);
    assert_int_equal(recovery.store->totals.held, 40);
}

static void test_hold_steps(void **unused) {
    enum {
        POSTED = CELLAR_ACCOUNT_HOLD_POSTED,
        VOIDED = CELLAR_ACCOUNT_HOLD_VOIDED,
        EXPIRED = CELLAR_ACCOUNT_HOLD_EXPIRED
    };
    static const struct {
        struct payload_hold_step payload;
        uint32_t cell, state;
        int result;
    } rows[] = {
#define STEP(id, account, to, held, posted, slot, state)                                           \
    {{0, id}, account, to, held, posted, 0, slot, state}
        {STEP(5, 7, 0, 40, 40, 3, POSTED), 3, POSTED, STORE_APPLIED},
        {STEP(5, 7, 8, 40, 1, 3, POSTED), 3, POSTED, STORE_APPLIED},
        {STEP(5, 7, 0, 40, 0, 3, VOIDED), 3, VOIDED, STORE_APPLIED},
        {STEP(5, 7, 0, 40, 0, 3, EXPIRED), 3, EXPIRED, STORE_APPLIED},
        {STEP(5, 7, 0, 40, 0, 3, POSTED), 3, POSTED, RECOVERY_MALFORMED},
        {STEP(5, 7, 0, 40, 41, 3, POSTED), 3, POSTED, RECOVERY_MALFORMED},
        {STEP(5, 7, 0, 40, 1, 3, VOIDED), 3, VOIDED, RECOVERY_MALFORMED},
        {STEP(5, 7, 8, 40, 0, 3, VOIDED), 3, VOIDED, RECOVERY_MALFORMED},
        {STEP(5, 7, 0, 40, 0, 3, VOIDED), 3, EXPIRED, RECOVERY_MALFORMED},
        {STEP(5, 7, 0, 40, 0, 4, VOIDED), 3, VOIDED, RECOVERY_MALFORMED},
        {STEP(5, 7, 0, 0, 0, 3, VOIDED), 3, VOIDED, RECOVERY_MALFORMED},
        {STEP(5, 7, 0, 40, 0, 3, 16), 3, 16, RECOVERY_MALFORMED},
        {STEP(5, 7, 0, 40, 0, 3, 20), 3, 20, RECOVERY_MALFORMED},
        {STEP(6, 7, 0, 40, 0, 3, VOIDED), 3, VOIDED, STORE_APPLY_BROKEN},
        {STEP(5, 8, 0, 40, 0, 3, VOIDED), 3, VOIDED, STORE_APPLY_BROKEN},
        {STEP(5, 7, 0, 41, 0, 3, VOIDED), 3, VOIDED, STORE_APPLY_BROKEN},
#undef STEP
    };
    (void)unused;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        recovery_tear_down(NULL);
        recovery_set_up(NULL);
        open_account(7, 1, false);
        assert_int_equal(begin_hold(good_hold, 3, store_document_value(16, 9), sizeof good_hold),
                         STORE_APPLIED);
        recovery_change(store_order_cell(rows[i].cell), store_document_value(rows[i].state, 9));
        assert_false(store_record_check(recovery.store,
                                        recovery_record(STORE_ACCOUNT_HOLD_STEP, &rows[i].payload,
                                                        sizeof rows[i].payload - 1)));
        recovery_change(store_order_cell(rows[i].cell), store_document_value(rows[i].state, 9));
        int result = redo(STORE_ACCOUNT_HOLD_STEP, &rows[i].payload, sizeof rows[i].payload);
        if (result != rows[i].result) {
            fail_msg("row %zu: %d", i, result);
        }
        if (result == STORE_APPLIED) {
            assert_int_equal(recovery.store->totals.held, 0);
            /* It has ended. */
            recovery_change(store_order_cell(3), store_document_value(VOIDED, 9));
            assert_int_equal(
                redo(STORE_ACCOUNT_HOLD_STEP, &rows[i].payload, sizeof rows[i].payload),
                RECOVERY_MALFORMED);
        }
    }
}

static void test_leases(void **unused) {
    static const struct {
        uint16_t kind;
        uint32_t slot, name_bytes;
        const char *name;
        bool until, holder; /* which cells change, of slot 1, or of `slot` if it has some */
        int result;
    } rows[] = {
        /* kind  slot  name's bytes  name  cells  result */
        {STORE_LEASE_RENEW, 1, 0, "", true, false, STORE_APPLY_BROKEN}, /* of none */
        {STORE_LEASE_ACQUIRE, 1, 3, "job", true, true, STORE_APPLIED},
        {STORE_LEASE_ACQUIRE, 1, 3, "job", true, true, STORE_APPLIED},
        {STORE_LEASE_ACQUIRE, 1, 3, "Job", true, true, STORE_APPLY_BROKEN},
        {STORE_LEASE_ACQUIRE, 2, 3, "job", true, true, STORE_APPLY_BROKEN},
        {STORE_LEASE_ACQUIRE, 0, 3, "jab", true, true, STORE_APPLY_LIMIT},
        {STORE_LEASE_ACQUIRE, 3, 64, NULL, true, true, STORE_APPLIED},
        {STORE_LEASE_ACQUIRE, 4, 65, NULL, true, true, RECOVERY_MALFORMED},
        {STORE_LEASE_ACQUIRE, 4, 0, "", true, true, RECOVERY_MALFORMED},
        {STORE_LEASE_ACQUIRE, 4, 3, "j\0b", true, true, RECOVERY_MALFORMED},
        {STORE_LEASE_ACQUIRE, 4, 3, "jib", true, false, RECOVERY_MALFORMED},
        {STORE_LEASE_ACQUIRE, 4, 3, "jib", false, true, RECOVERY_MALFORMED},
        {STORE_LEASE_ACQUIRE, UINT32_MAX, 3, "jib", true, true, RECOVERY_MALFORMED},
        {STORE_LEASE_RENEW, 1, 0, "", true, false, STORE_APPLIED},
        {STORE_LEASE_RENEW, 1, 3, "job", true, false, RECOVERY_MALFORMED},
        {STORE_LEASE_RENEW, 1, 0, "", true, true, RECOVERY_MALFORMED},
        {STORE_LEASE_RENEW, 1, 0, "", false, false, RECOVERY_MALFORMED},
        {STORE_LEASE_RELEASE, 1, 0, "", true, false, STORE_APPLIED},
        {STORE_LEASE_RELEASE, 9, 0, "", true, false, STORE_APPLY_BROKEN},
    };
    (void)unused;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct {
            struct payload_lease header;
            char name[70];
        } payload = {.header = {.slot = rows[i].slot, .name_bytes = rows[i].name_bytes}};
        memset(payload.name, 'x', sizeof payload.name);
        if (rows[i].name != NULL) {
            memcpy(payload.name, rows[i].name, rows[i].name_bytes);
        }
        uint32_t slot = rows[i].slot > RECOVERY_LIMIT ? 1 : rows[i].slot;
        if (rows[i].until) {
            recovery_change(store_lease_cell(slot), (int64_t)i);
        }
        if (rows[i].holder) {
            recovery_change(store_lease_holder_cell(slot), 1);
        }
        int result = redo(rows[i].kind, &payload, sizeof payload.header + rows[i].name_bytes);
        if (result != rows[i].result) {
            fail_msg("row %zu: %d", i, result);
        }
        recovery_change(store_lease_cell(1), 1);
        assert_int_equal(
            redo(rows[i].kind, &payload, sizeof payload.header + rows[i].name_bytes + 1),
            RECOVERY_MALFORMED);
        recovery_change(store_lease_cell(1), 1);
        assert_int_equal(redo(rows[i].kind, &payload, sizeof payload.header - 1),
                         RECOVERY_MALFORMED);
    }
    assert_int_equal(recovery.store->totals.leases, 2);
}

/* Of orders: who is paid beside the account, in documents and steps. */
static void test_payees(void **unused) {
    static const struct {
        uint16_t kind, flags;
        uint64_t payee;
        int64_t more; /* bytes */
        int result;
    } rows[] = {
        /* kind  flags  payee  bytes more  result */
        {STORE_ORDER_RETURN, 0, 0, -8, STORE_APPLIED},
        {STORE_ORDER_RETURN, PAYLOAD_PAYEE, 2, 0, STORE_APPLIED},
        {STORE_ORDER_PLACE, PAYLOAD_PAYEE, 2, 0, STORE_APPLIED},
        {STORE_ORDER_RETURN, PAYLOAD_PAYEE, 0, 0, RECOVERY_MALFORMED},
        {STORE_ORDER_RETURN, PAYLOAD_PAYEE, 2, -8, RECOVERY_MALFORMED},
        {STORE_ORDER_RETURN, PAYLOAD_PAYEE, 2, -1, RECOVERY_MALFORMED},
        {STORE_ORDER_RETURN, PAYLOAD_PAYEE, 2, 8, RECOVERY_MALFORMED},
        {STORE_ORDER_RETURN, 0, 2, 0, RECOVERY_MALFORMED},
        {STORE_ORDER_RETURN, PAYLOAD_HELD, 2, 0, RECOVERY_MALFORMED},
        {STORE_ORDER_RETURN, PAYLOAD_FLAGS + 1, 2, 0, RECOVERY_MALFORMED},
        {STORE_STOCK_CHANGE, PAYLOAD_PAYEE, 2, 0, RECOVERY_MALFORMED},
        {STORE_ACCOUNT_ENTRY, PAYLOAD_PAYEE, 2, 0, RECOVERY_MALFORMED},
    };
    (void)unused;
    open_account(1, 1, true);
    open_account(2, 2, true);
    for (uint32_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct {
            struct payload_document document;
            uint64_t numbers[3]; /* the payee, if its flag is set, and the account */
        } payload = {.document = {.id = {1, i + 1},
                                  .total = 10,
                                  .type = rows[i].kind == STORE_ORDER_PLACE ? CELLAR_ORDER_PAID : 0,
                                  .flags = rows[i].flags | PAYLOAD_ACCOUNT,
                                  .slot = i + 1}};
        bool first = (rows[i].flags & PAYLOAD_PAYEE) != 0;
        payload.numbers[first ? 0 : 1] = rows[i].payee;
        payload.numbers[first ? 1 : 0] = 1;
        recovery_change(store_order_cell(i + 1), 1);
        size_t bytes = sizeof payload.document + 2 * sizeof(uint64_t) + (size_t)rows[i].more;
        int result = redo(rows[i].kind, &payload, bytes);
        if (result != rows[i].result) {
            fail_msg("row %u: %d", i, result);
        }
    }
    /* From outside to 1, from 2 to 1, from 1 to 2. */
    assert_int_equal(recovery.store->totals.credited, 10);
    assert_int_equal(recovery.store->totals.debited, 0);
    for (uint8_t has_payee = 0; has_payee <= 2; has_payee++) {
        struct {
            struct payload_step step;
            uint64_t payee[2];
        } payload = {.step = {.id = {1, 3},
                              .account = 1,
                              .amount = 4,
                              .order = 3,
                              .event = CELLAR_EVENT_FULFIL,
                              .from = CELLAR_ORDER_PAID,
                              .to = CELLAR_ORDER_FULFILLED,
                              .has_payee = has_payee},
                     .payee = {2, 2}};
        for (size_t numbers = 0; numbers <= 2; numbers++) {
            if (numbers != has_payee || has_payee == 2) {
                recovery_change(store_order_cell(3), CELLAR_ORDER_FULFILLED);
                assert_int_equal(redo(STORE_ORDER_STEP, &payload,
                                      sizeof payload.step + numbers * sizeof(uint64_t)),
                                 RECOVERY_MALFORMED);
            }
        }
    }
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, recovery_set_up, recovery_tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_accounts),   TEST(test_entries), TEST(test_settlements), TEST(test_holds),
        TEST(test_hold_steps), TEST(test_leases),  TEST(test_payees),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
