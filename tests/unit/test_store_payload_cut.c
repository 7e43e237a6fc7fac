/* Is a record of a coupon refused when it is cut anywhere, or names a slot beyond every limit? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/recovery.h"

static int redo(uint16_t kind, uint32_t cell, int64_t value, const void *payload, size_t bytes) {
    recovery_change(cell, value);
    return recovery_redo(recovery_record(kind, payload, bytes));
}

/* Campaign 1 in slot 1, without a text. */
static const struct payload_campaign campaign = {
    .id = 1, .campaign = 1, .rules = 1, .quota = 10, .customer_limit = 1};
static const struct payload_claim claim = {.customer = 7, .number = 1, .campaign = 1, .grant = 1};
static const struct payload_revoke revoke = {.number = 1, .campaign = 1, .grant = 1};
static const struct payload_redeem redeem = {.campaign = 1, .grant = 1};
struct code_bytes {
    struct payload_code code;
    char text[4];
};
static const struct code_bytes code = {{.uses = 5, .campaign = 1, .code = 1, .code_bytes = 3},
                                       "abc"};
#define CODE_BYTES (sizeof code.code + 3)

static int put(const struct payload_campaign *payload, size_t bytes) {
    return redo(STORE_CAMPAIGN_PUT, coupon_campaign_cell(1, COUPON_RULES), 1, payload, bytes);
}

static int on_grant(uint16_t kind, enum coupon_grant_state state, const void *payload,
                    size_t bytes) {
    return redo(kind, coupon_grant_cell(1), coupon_grant_value(1, state), payload, bytes);
}

static int on_code(const void *payload, size_t bytes) {
    return redo(STORE_CODE_ADD, coupon_code_cell(1), coupon_code_value(1, 5), payload, bytes);
}

static void test_cut(void **unused) {
    (void)unused;
    for (size_t bytes = 0; bytes < sizeof campaign; bytes++) {
        assert_int_equal(put(&campaign, bytes), RECOVERY_MALFORMED);
    }
    assert_int_equal(put(&campaign, sizeof campaign), STORE_APPLIED);
    for (size_t bytes = 0; bytes < sizeof claim; bytes++) {
        assert_int_equal(on_grant(STORE_COUPON_CLAIM, COUPON_ALIVE, &claim, bytes),
                         RECOVERY_MALFORMED);
    }
    assert_int_equal(on_grant(STORE_COUPON_CLAIM, COUPON_ALIVE, &claim, sizeof claim),
                     STORE_APPLIED);
    for (size_t bytes = 0; bytes < sizeof redeem; bytes++) {
        assert_int_equal(on_grant(STORE_COUPON_REDEEM, COUPON_REDEEMED, &redeem, bytes),
                         RECOVERY_MALFORMED);
    }
    for (size_t bytes = 0; bytes < sizeof revoke; bytes++) {
        assert_int_equal(on_grant(STORE_COUPON_REVOKE, COUPON_REVOKED, &revoke, bytes),
                         RECOVERY_MALFORMED);
    }
    assert_int_equal(on_grant(STORE_COUPON_REVOKE, COUPON_REVOKED, &revoke, sizeof revoke),
                     STORE_APPLIED);
    for (size_t bytes = 0; bytes < CODE_BYTES; bytes++) {
        assert_int_equal(on_code(&code, bytes), RECOVERY_MALFORMED);
    }
    assert_int_equal(on_code(&code, CODE_BYTES), STORE_APPLIED);
}

static void test_beyond_every_limit(void **unused) {
    struct payload_campaign wrong_put = campaign;
    struct payload_claim wrong_claim = claim;
    struct payload_revoke wrong_revoke = revoke;
    struct payload_redeem wrong_redeem = redeem;
    struct code_bytes wrong_code = code;
    (void)unused;
    wrong_put.campaign = CELLAR_CAMPAIGNS_MAX + 1;
    assert_int_equal(put(&wrong_put, sizeof campaign), RECOVERY_MALFORMED);
    wrong_put.campaign = 0;
    assert_int_equal(put(&wrong_put, sizeof campaign), RECOVERY_MALFORMED);
    wrong_put = campaign;
    wrong_put.rules = 0;
    assert_int_equal(put(&wrong_put, sizeof campaign), RECOVERY_MALFORMED);
    /* Of a campaign that is not known. */
    assert_int_equal(on_grant(STORE_COUPON_CLAIM, COUPON_ALIVE, &claim, sizeof claim),
                     RECOVERY_MALFORMED);
    assert_int_equal(put(&campaign, sizeof campaign), STORE_APPLIED);
    wrong_claim.grant = CELLAR_GRANTS_MAX + 1;
    assert_int_equal(on_grant(STORE_COUPON_CLAIM, COUPON_ALIVE, &wrong_claim, sizeof claim),
                     RECOVERY_MALFORMED);
    wrong_claim = claim;
    wrong_claim.ordinal = CELLAR_COUPONS_OF_CUSTOMER_MAX;
    assert_int_equal(on_grant(STORE_COUPON_CLAIM, COUPON_ALIVE, &wrong_claim, sizeof claim),
                     RECOVERY_MALFORMED);
    assert_int_equal(on_grant(STORE_COUPON_CLAIM, COUPON_ALIVE, &claim, sizeof claim),
                     STORE_APPLIED);
    wrong_revoke.grant = CELLAR_GRANTS_MAX + 1;
    assert_int_equal(on_grant(STORE_COUPON_REVOKE, COUPON_REVOKED, &wrong_revoke, sizeof revoke),
                     RECOVERY_MALFORMED);
    /* Of another grant than the cell's. */
    wrong_revoke.grant = 2;
    assert_int_equal(on_grant(STORE_COUPON_REVOKE, COUPON_REVOKED, &wrong_revoke, sizeof revoke),
                     RECOVERY_MALFORMED);
    wrong_redeem.grant = CELLAR_GRANTS_MAX + 1;
    assert_int_equal(on_grant(STORE_COUPON_REDEEM, COUPON_REDEEMED, &wrong_redeem, sizeof redeem),
                     RECOVERY_MALFORMED);
    wrong_redeem = (struct payload_redeem){.campaign = 1, .code = CELLAR_CODES_MAX + 1};
    assert_int_equal(on_grant(STORE_COUPON_REDEEM, COUPON_REDEEMED, &wrong_redeem, sizeof redeem),
                     RECOVERY_MALFORMED);
    wrong_code.code.code = CELLAR_CODES_MAX + 1;
    assert_int_equal(on_code(&wrong_code, CODE_BYTES), RECOVERY_MALFORMED);
}

struct claim_with_id {
    struct payload_claim claim;
    struct payload_coupon_id identity;
};

/* The identity of a request behind a claim: none, without a slot, beyond the limit, of a cell that
 * the record does not change. */
static void test_identities(void **unused) {
    const struct {
        bool is_changed;
        struct claim_with_id with_id;
    } rows[] = {
        {true, {claim, {.id = {0, 0}, .slot = 1}}},
        {true, {claim, {.id = {1, 0}, .slot = 0}}},
        {false, {claim, {.id = {0, 1}, .slot = CELLAR_ORDERS_MAX + 1}}},
        {false, {claim, {.id = {1, 0}, .slot = 1}}},
    };
    (void)unused;
    assert_int_equal(put(&campaign, sizeof campaign), STORE_APPLIED);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (rows[i].is_changed) {
            recovery_change(store_order_cell(rows[i].with_id.identity.slot), 1);
        }
        assert_int_equal(
            on_grant(STORE_COUPON_CLAIM, COUPON_ALIVE, &rows[i].with_id, sizeof rows[i].with_id),
            RECOVERY_MALFORMED);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_cut, recovery_set_up, recovery_tear_down),
        cmocka_unit_test_setup_teardown(test_beyond_every_limit, recovery_set_up,
                                        recovery_tear_down),
        cmocka_unit_test_setup_teardown(test_identities, recovery_set_up, recovery_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
