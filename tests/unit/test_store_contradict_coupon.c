/* Does recovery refuse records of campaigns, coupons and codes that are well formed, but contradict
 * what the records before them made? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/recovery.h"

#include <string.h>

static int redo(uint16_t kind, uint32_t cell, int64_t value, const void *payload, size_t bytes) {
    recovery_change(cell, value);
    return recovery_redo(recovery_record(kind, payload, bytes));
}

static struct payload_campaign campaign_of(uint64_t id, uint32_t slot, uint32_t rules) {
    return (struct payload_campaign){
        .id = id, .campaign = slot, .rules = rules, .quota = 10, .customer_limit = 9};
}

static int put(struct payload_campaign campaign) {
    return redo(STORE_CAMPAIGN_PUT, coupon_campaign_cell(campaign.campaign, COUPON_RULES),
                campaign.rules, &campaign, sizeof campaign);
}

static int claim(struct payload_claim claim) {
    return redo(STORE_COUPON_CLAIM, coupon_grant_cell(claim.grant),
                coupon_grant_value((int64_t)claim.number, COUPON_ALIVE), &claim, sizeof claim);
}

/* `number` is what the grant's cell says. */
static int revoke_numbered(struct payload_revoke revoke, int64_t number) {
    return redo(STORE_COUPON_REVOKE, coupon_grant_cell(revoke.grant),
                coupon_grant_value(number, COUPON_REVOKED), &revoke, sizeof revoke);
}

static int revoke(struct payload_revoke payload) {
    return revoke_numbered(payload, (int64_t)payload.number);
}

static int add_code(uint32_t slot, const char *text) {
    struct {
        struct payload_code code;
        char text[8];
    } bytes = {
        .code = {.uses = 5, .campaign = 1, .code = slot, .code_bytes = (uint32_t)strlen(text)}};
    strcpy(bytes.text, text);
    return redo(STORE_CODE_ADD, coupon_code_cell(slot), coupon_code_value(1, 5), &bytes,
                sizeof bytes.code + strlen(text));
}

/* Campaigns 1 and 2 in slots 1 and 3; campaign 1 has claims 1 to 3 in grants 1 to 3, and "abc". */
static int set_up(void **unused) {
    recovery_set_up(unused);
    assert_int_equal(put(campaign_of(1, 1, 1)), STORE_APPLIED);
    assert_int_equal(put(campaign_of(2, 3, 3)), STORE_APPLIED);
    for (uint32_t i = 1; i <= 3; i++) {
        const struct payload_claim payload = {
            .customer = 6 + i, .number = i, .campaign = 1, .grant = i};
        assert_int_equal(claim(payload), STORE_APPLIED);
    }
    assert_int_equal(add_code(1, "abc"), STORE_APPLIED);
    return 0;
}

static void test_campaigns(void **unused) {
    static const struct {
        uint32_t slot;
        int64_t rules; /* that the campaign's cell held before */
        int result;
    } rows[] = {
        {1, 1, STORE_APPLIED},      {1, -1, STORE_APPLY_BROKEN}, {1, 999, STORE_APPLY_BROKEN},
        {1, 0, STORE_APPLY_BROKEN}, /* it is there already */
        {1, 2, STORE_APPLY_BROKEN}, /* rules that are not */
        {2, 0, STORE_APPLIED},      {2, 1, STORE_APPLY_BROKEN},  {2, -1, STORE_APPLY_BROKEN},
    };
    (void)unused;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        recovery_tear_down(NULL);
        set_up(NULL);
        recovery_force(coupon_campaign_cell(rows[i].slot, COUPON_RULES), rows[i].rules);
        int result = put(campaign_of(rows[i].slot == 1 ? 1 : 9, rows[i].slot, 4));
        if (result != rows[i].result) {
            fail_msg("row %zu: %d", i, result);
        }
    }
    /* Another campaign in the slot. */
    assert_int_equal(put(campaign_of(9, 1, 5)), STORE_APPLY_BROKEN);
}

static void test_claims(void **unused) {
    static const struct {
        struct payload_claim claim;
        int result;
    } rows[] = {
        /* {customer, number, campaign, grant, ordinal}  result */
        {{9, 1, 3, 3, 0, 0}, STORE_APPLY_BROKEN},  /* the grant is the other campaign's */
        {{10, 4, 1, 3, 0, 0}, STORE_APPLY_BROKEN}, /* another customer's */
        {{9, 4, 1, 3, 1, 0}, STORE_APPLY_BROKEN},  /* another one of his */
        {{9, 4, 1, 3, 0, 0}, STORE_APPLY_BROKEN},  /* it has been claimed */
        {{9, 4, 2, 4, 0, 0}, RECOVERY_MALFORMED},  /* a campaign in a gap */
        {{9, 4, 1, 4, 1, 0}, STORE_APPLIED},       {{7, 1, 3, 5, 0, 0}, STORE_APPLIED},
    };
    (void)unused;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int result = claim(rows[i].claim);
        if (result != rows[i].result) {
            fail_msg("row %zu: %d", i, result);
        }
    }
    assert_int_equal(recovery.store->totals.coupons_claimed, 5);
}

/* Of a grant that is linked, and was never claimed in the end. */
static void test_grants_without_a_claim(void **unused) {
    const struct payload_claim wrong = {.customer = 20, .number = 9, .campaign = 1, .grant = 6};
    const struct payload_redeem redeem = {.discount = 1, .campaign = 1, .grant = 6};
    (void)unused;
    assert_int_equal(claim(wrong), STORE_APPLY_BROKEN);
    assert_int_equal(revoke((struct payload_revoke){
                         .number = 9, .admitted_after = 1, .campaign = 1, .grant = 6}),
                     STORE_APPLY_BROKEN);
    assert_int_equal(redo(STORE_COUPON_REDEEM, coupon_grant_cell(6), 1, &redeem, sizeof redeem),
                     STORE_APPLY_BROKEN);
    assert_int_equal(recovery.store->totals.coupons_revoked, 0);
}

static int64_t holes(uint32_t slot) {
    return coupons_count_holes(&recovery.store->coupons.campaigns[slot], 0, 100);
}

/* Holes of the waiting list go when their numbers are passed, and not before. */
static void test_holes(void **unused) {
    (void)unused;
    const struct payload_revoke second = {2, 1, 1, 1, 2};
    const struct payload_revoke third = {3, 1, 1, 1, 3};
    assert_int_equal(revoke_numbered(second, 3), RECOVERY_MALFORMED);
    assert_int_equal(revoke(second), STORE_APPLIED);
    assert_int_equal(revoke(third), STORE_APPLIED);
    assert_int_equal(holes(1), 2);
    /* Numbers up to 2 were admitted before, by what this record says: only 3 goes. */
    struct payload_campaign larger = campaign_of(1, 1, 5);
    larger.admitted_before = 2;
    larger.admitted_after = 5;
    assert_int_equal(put(larger), STORE_APPLIED);
    assert_int_equal(holes(1), 1);
}

static void test_codes(void **unused) {
    const struct payload_redeem redeem = {.discount = 1, .campaign = 1, .code = 2};
    (void)unused;
    assert_int_equal(add_code(1, "ab"), STORE_APPLY_BROKEN);  /* shorter */
    assert_int_equal(add_code(1, "abd"), STORE_APPLY_BROKEN); /* as long */
    assert_int_equal(add_code(2, "abc"), STORE_APPLY_BROKEN); /* in another slot */
    /* That one is linked, and was never added. */
    assert_int_equal(redo(STORE_COUPON_REDEEM, coupon_code_cell(2), 1, &redeem, sizeof redeem),
                     STORE_APPLY_BROKEN);
    /* The record does not change the code's cell. */
    struct {
        struct payload_code code;
        char text[4];
    } bytes = {.code = {.uses = 5, .campaign = 1, .code = 4, .code_bytes = 3}, .text = "xyz"};
    assert_int_equal(redo(STORE_CODE_ADD, coupon_code_cell(3), 1, &bytes, sizeof bytes.code + 3),
                     RECOVERY_MALFORMED);
    assert_int_equal(recovery.store->totals.codes, 1);
}

/* The document of a request with an id is another's, or has no cell. */
static void test_identities(void **unused) {
    struct {
        struct payload_redeem redeem;
        struct payload_coupon_id identity;
    } bytes = {.redeem = {.discount = 1, .campaign = 1, .grant = 1},
               .identity = {.id = {1, 1}, .slot = 1}};
    (void)unused;
    recovery_change(store_order_cell(1), STORE_STATE_OTHER);
    assert_int_equal(redo(STORE_COUPON_REDEEM, coupon_grant_cell(1), 1, &bytes, sizeof bytes),
                     STORE_APPLIED);
    bytes.identity.id.low = 2;
    recovery_change(store_order_cell(1), STORE_STATE_OTHER);
    assert_int_equal(redo(STORE_COUPON_REDEEM, coupon_grant_cell(1), 1, &bytes, sizeof bytes),
                     STORE_APPLY_BROKEN);
    bytes.identity.slot = 2;
    assert_int_equal(redo(STORE_COUPON_REDEEM, coupon_grant_cell(1), 1, &bytes, sizeof bytes),
                     RECOVERY_MALFORMED);
    assert_int_equal(recovery.store->totals.coupons_redeemed, 1);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, recovery_tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_campaigns), TEST(test_claims), TEST(test_grants_without_a_claim),
        TEST(test_holes),     TEST(test_codes),  TEST(test_identities),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
