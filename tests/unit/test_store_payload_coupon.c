/* Does recovery refuse every record of campaigns, coupons and codes that is not well formed, or
 * that contradicts what came before it? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/recovery.h"

#include <string.h>

/* ---- Records of one cell ---- */

static int redo(uint16_t kind, uint32_t cell, int64_t value, const void *payload, size_t bytes) {
    recovery_change(cell, value);
    return recovery_redo(recovery_record(kind, payload, bytes));
}

struct put_bytes {
    struct payload_campaign put;
    char text[64];
};

static struct put_bytes put_of(uint64_t id, uint32_t slot, uint32_t rules) {
    return (struct put_bytes){.put = {.id = id,
                                      .campaign = slot,
                                      .rules = rules,
                                      .quota = 10,
                                      .customer_limit = 1,
                                      .name_bytes = 4,
                                      .category_count = 1,
                                      .category_bytes = {3}},
                              .text = "nametea"};
}

static int put(const struct put_bytes *bytes, int more) {
    return redo(STORE_CAMPAIGN_PUT, coupon_campaign_cell(bytes->put.campaign, COUPON_RULES),
                bytes->put.rules, bytes, sizeof bytes->put + (size_t)(7 + more));
}

/* With a cap for customers, who may have 3. */
static int put_capped(struct payload_customer_period customer, uint8_t flags, int more) {
    struct {
        struct payload_campaign put;
        struct payload_customer_period customer;
        char text[64];
    } bytes = {.put = put_of(3, 3, 3).put, .customer = customer, .text = "nametea"};
    bytes.put.customer_limit = 3;
    bytes.put.flags = flags;
    return redo(STORE_CAMPAIGN_PUT, coupon_campaign_cell(3, COUPON_RULES), 3, &bytes,
                sizeof bytes.put + sizeof customer + (size_t)(7 + more));
}

static int claim(uint64_t customer, uint64_t number, uint32_t campaign, uint32_t grant) {
    const struct payload_claim claim = {
        .customer = customer, .number = number, .campaign = campaign, .grant = grant};
    return redo(STORE_COUPON_CLAIM, coupon_grant_cell(grant),
                coupon_grant_value((int64_t)number, COUPON_ALIVE), &claim, sizeof claim);
}

/* Campaigns 1 in slot 1 and 2 in slot 2; campaign 1 has claims 1 and 2 in grants 1 and 2, and code
 * "abc" in slot 1. */
static int set_up_filled(void **unused) {
    struct {
        struct payload_code code;
        char text[4];
    } code = {{.uses = 5, .campaign = 1, .code = 1, .code_bytes = 3}, "abc"};
    recovery_set_up(unused);
    struct put_bytes first = put_of(1, 1, 1);
    struct put_bytes second = put_of(2, 2, 2);
    assert_int_equal(put(&first, 0), STORE_APPLIED);
    assert_int_equal(put(&second, 0), STORE_APPLIED);
    assert_int_equal(claim(7, 1, 1, 1), STORE_APPLIED);
    assert_int_equal(claim(8, 2, 1, 2), STORE_APPLIED);
    assert_int_equal(redo(STORE_CODE_ADD, coupon_code_cell(1), coupon_code_value(1, 5), &code,
                          sizeof code.code + 3),
                     STORE_APPLIED);
    return 0;
}

/* ---- Campaigns ---- */

#define PUTS(X)                                                                                    \
    X(0, STORE_APPLIED, (void)0)                                                                   \
    X(1, RECOVERY_MALFORMED, (void)0)                                                              \
    X(-1, RECOVERY_MALFORMED, (void)0)                                                             \
    X(0, RECOVERY_MALFORMED, p->id = 0)                                                            \
    X(0, RECOVERY_MALFORMED, p->quota = -1)                                                        \
    X(0, RECOVERY_MALFORMED, p->quota = CELLAR_QUOTA_MAX + 1)                                      \
    X(0, RECOVERY_MALFORMED, p->waitlist_max = -1)                                                 \
    X(0, RECOVERY_MALFORMED, p->budget = -1)                                                       \
    X(0, RECOVERY_MALFORMED, p->period_ns = 1)                                                     \
    X(0, RECOVERY_MALFORMED, p->period_count = -1)                                                 \
    X(0, RECOVERY_MALFORMED, p->status = 3)                                                        \
    X(0, RECOVERY_MALFORMED, p->discount_kind = 3)                                                 \
    X(0, RECOVERY_MALFORMED, (p->discount_kind = 2, p->discount_value = 10001))                    \
    X(0, RECOVERY_MALFORMED, p->discount_value = -1)                                               \
    X(0, RECOVERY_MALFORMED, p->discount_cap = -1)                                                 \
    X(0, RECOVERY_MALFORMED, p->discount_minimum = -1)                                             \
    X(0, RECOVERY_MALFORMED, p->restore_on_cancel = 2)                                             \
    X(0, RECOVERY_MALFORMED, p->customer_limit = 0)                                                \
    X(0, RECOVERY_MALFORMED, p->product_count = 17)                                                \
    X(0, RECOVERY_MALFORMED, p->product_count = 1)                                                 \
    X(0, RECOVERY_MALFORMED, (p->product_count = 1, p->products[0] = 1))                           \
    X(0, RECOVERY_MALFORMED, p->category_count = 17)                                               \
    X(0, RECOVERY_MALFORMED, p->category_count = 2)                                                \
    X(0, RECOVERY_MALFORMED, p->category_bytes[0] = 65)                                            \
    X(0, RECOVERY_MALFORMED, p->name_bytes = 5)                                                    \
    X(0, RECOVERY_MALFORMED, p->admitted_before = -1)                                              \
    X(0, RECOVERY_MALFORMED, p->admitted_after = INT64_MAX)                                        \
    X(0, STORE_APPLY_BROKEN, p->id = 1)                                                            \
    X(0, STORE_APPLIED, p->id = 3)

static void test_puts(void **unused) {
    (void)unused;
    int row = 0;
#define PUT_ROW(more, expected, statement)                                                         \
    {                                                                                              \
        struct put_bytes bytes = put_of(3, 3, 3);                                                  \
        struct payload_campaign *p = &bytes.put;                                                   \
        statement;                                                                                 \
        (void)p;                                                                                   \
        int result = put(&bytes, (more));                                                          \
        if (result != (expected)) {                                                                \
            fail_msg("row %d: %d", row, result);                                                   \
        }                                                                                          \
        row++;                                                                                     \
        if (result == STORE_APPLIED || result == STORE_APPLY_BROKEN) {                             \
            recovery_tear_down(NULL);                                                              \
            set_up_filled(NULL);                                                                   \
        }                                                                                          \
    }
    PUTS(PUT_ROW)
#undef PUT_ROW
    /* The payload names another slot or block than the cell, or one beyond the limit. */
    struct put_bytes bytes = put_of(3, 3, 3);
    assert_int_equal(redo(STORE_CAMPAIGN_PUT, coupon_campaign_cell(4, COUPON_RULES), 3, &bytes,
                          sizeof bytes.put + 7),
                     RECOVERY_MALFORMED);
    assert_int_equal(redo(STORE_CAMPAIGN_PUT, coupon_campaign_cell(3, COUPON_RULES), 4, &bytes,
                          sizeof bytes.put + 7),
                     RECOVERY_MALFORMED);
    bytes.put.campaign = 0;
    assert_int_equal(redo(STORE_CAMPAIGN_PUT, coupon_campaign_cell(0, COUPON_RULES), 3, &bytes,
                          sizeof bytes.put + 7),
                     RECOVERY_MALFORMED);
    bytes = put_of(3, 3, 50000);
    assert_int_equal(put(&bytes, 0), STORE_APPLY_LIMIT);
}

static void test_customer_periods(void **unused) {
    static const struct {
        struct payload_customer_period customer;
        uint8_t flags;
        int more;
        int result;
    } rows[] = {
        /* {period, offset, count, claims before}  flags  more  result */
        {{COUPON_PERIOD_NS_MIN, 0, 2, 0}, 1, 1, RECOVERY_MALFORMED},
        {{COUPON_PERIOD_NS_MIN, 0, 2, 0}, 1, -1, RECOVERY_MALFORMED},
        {{COUPON_PERIOD_NS_MIN, 0, 2, 0}, 1, -8, RECOVERY_MALFORMED},
        {{COUPON_PERIOD_NS_MIN, 0, 2, 0}, 0, 0, RECOVERY_MALFORMED},
        {{COUPON_PERIOD_NS_MIN, 0, 2, 0}, 2, 0, RECOVERY_MALFORMED},
        {{COUPON_PERIOD_NS_MIN, 0, 2, 0}, 3, 0, RECOVERY_MALFORMED},
        {{COUPON_PERIOD_NS_MIN - 1, 0, 2, 0}, 1, 0, RECOVERY_MALFORMED},
        {{0, 0, 2, 0}, 1, 0, RECOVERY_MALFORMED},
        {{COUPON_PERIOD_NS_MIN, 0, 0, 0}, 1, 0, RECOVERY_MALFORMED},
        {{COUPON_PERIOD_NS_MIN, 0, 3, 0}, 1, 0, RECOVERY_MALFORMED},
        {{COUPON_PERIOD_NS_MIN, 0, 2, -1}, 1, 0, RECOVERY_MALFORMED},
        {{COUPON_PERIOD_NS_MIN, 0, 2, (int64_t)CELLAR_GRANTS_MAX + 1}, 1, 0, RECOVERY_MALFORMED},
        {{COUPON_PERIOD_NS_MIN, 5, 2, CELLAR_GRANTS_MAX}, 1, 0, STORE_APPLIED},
    };
    (void)unused;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int result = put_capped(rows[i].customer, rows[i].flags, rows[i].more);
        if (result != rows[i].result) {
            fail_msg("row %zu: %d", i, result);
        }
    }
    const struct coupon_rules *rules = ATOMIC_LOAD(&recovery.store->coupons.rules[3], acquire);
    const struct payload_customer_period expected = {COUPON_PERIOD_NS_MIN, 5, 2, CELLAR_GRANTS_MAX};
    assert_memory_equal(&rules->customer, &expected, sizeof expected);
    assert_memory_equal(rules->text, "nametea", 7);
}

/* ---- Claims and revocations ---- */

static void test_claims(void **unused) {
    static const struct {
        uint64_t customer, number;
        uint32_t campaign, grant;
        int result;
    } rows[] = {
        /* customer  number  campaign  grant  result */
        {9, 3, 1, 0, RECOVERY_MALFORMED},
        {0, 3, 1, 3, RECOVERY_MALFORMED},
        {9, 3, 0, 3, RECOVERY_MALFORMED},
        {9, 3, 3, 3, RECOVERY_MALFORMED},
        {9, 3, UINT32_MAX, 3, RECOVERY_MALFORMED},
        {9, 4, 1, 3, STORE_APPLY_BROKEN}, /* a number is left out */
        {9, 2, 1, 4, STORE_APPLY_BROKEN},
        {8, 3, 1, 5, STORE_APPLY_BROKEN}, /* the claim in another slot */
        {9, 3, 1, 2, STORE_APPLY_BROKEN}, /* another claim in the slot */
        {8, 3, 1, 2, STORE_APPLY_BROKEN}, /* twice */
        {10, 3, 1, 6, STORE_APPLIED},
        {10, 1, 2, 7, STORE_APPLIED},
    };
    (void)unused;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int result = claim(rows[i].customer, rows[i].number, rows[i].campaign, rows[i].grant);
        if (result != rows[i].result) {
            fail_msg("row %zu: %d", i, result);
        }
    }
    struct payload_claim payload = {.customer = 11, .number = 4, .campaign = 1, .grant = 8};
    int64_t value = coupon_grant_value(4, COUPON_ALIVE);
    uint32_t cell = coupon_grant_cell(8);
    static const int more[] = {-1, 1, 39, 41};
    for (size_t i = 0; i < 4; i++) {
        unsigned char bytes[128] = {0};
        memcpy(bytes, &payload, sizeof payload);
        assert_int_equal(
            redo(STORE_COUPON_CLAIM, cell, value, bytes, (size_t)((int)sizeof payload + more[i])),
            RECOVERY_MALFORMED);
    }
    /* An id without a document's cell. */
    unsigned char bytes[sizeof payload + sizeof(struct payload_coupon_id)] = {0};
    struct payload_coupon_id identity = {.id = {1, 1}, .slot = 1};
    memcpy(bytes, &payload, sizeof payload);
    memcpy(bytes + sizeof payload, &identity, sizeof identity);
    assert_int_equal(redo(STORE_COUPON_CLAIM, cell, value, bytes, sizeof bytes),
                     RECOVERY_MALFORMED);
    payload.ordinal = 255;
    assert_int_equal(redo(STORE_COUPON_CLAIM, cell, value, &payload, sizeof payload),
                     RECOVERY_MALFORMED);
    payload.ordinal = 0;
    assert_int_equal(
        redo(STORE_COUPON_CLAIM, coupon_grant_cell(9), value, &payload, sizeof payload),
        RECOVERY_MALFORMED);
    assert_int_equal(redo(STORE_COUPON_CLAIM, cell, value + 256, &payload, sizeof payload),
                     RECOVERY_MALFORMED);
}

static void test_revocations(void **unused) {
    static const struct {
        struct payload_revoke revoke;
        size_t bytes;
        int result;
    } rows[] = {
        /* {number, admitted before, after, campaign, grant}  bytes  result */
        {{1, 10, 11, 0, 1}, 32, RECOVERY_MALFORMED},
        {{1, 10, 11, 1, 0}, 32, RECOVERY_MALFORMED},
        {{1, 10, 9, 1, 1}, 32, RECOVERY_MALFORMED},
        {{1, 10, UINT64_MAX, 1, 1}, 32, RECOVERY_MALFORMED},
        {{1, 10, 11, 1, 1}, 31, RECOVERY_MALFORMED},
        {{1, 10, 11, 1, 3}, 32, STORE_APPLY_BROKEN},
        {{1, 10, 11, 2, 1}, 32, STORE_APPLY_BROKEN},
        {{1, 10, 11, 1, 1}, 32, STORE_APPLIED},
        {{2, 1, 1, 1, 2}, 32, STORE_APPLIED}, /* while it waits */
    };
    (void)unused;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct payload_revoke *revoke = &rows[i].revoke;
        int result = redo(STORE_COUPON_REVOKE, coupon_grant_cell(revoke->grant),
                          coupon_grant_value((int64_t)revoke->number, COUPON_REVOKED), revoke,
                          rows[i].bytes);
        if (result != rows[i].result) {
            fail_msg("row %zu: %d", i, result);
        }
    }
}

/* ---- Redemptions and codes ---- */

static void test_redemptions(void **unused) {
    static const struct {
        struct payload_redeem redeem;
        int result;
    } rows[] = {
        /* {discount, campaign, grant, code}  result */
        {{5, 1, 1, 1, 0}, RECOVERY_MALFORMED},
        {{5, 1, 0, 0, 0}, RECOVERY_MALFORMED},
        {{5, 0, 1, 0, 0}, RECOVERY_MALFORMED},
        {{5, 9, 1, 0, 0}, RECOVERY_MALFORMED},
        {{-1, 1, 1, 0, 0}, RECOVERY_MALFORMED},
        {{CELLAR_AMOUNT_MAX + 1, 1, 1, 0, 0}, RECOVERY_MALFORMED},
        {{5, 1, 3, 0, 0}, STORE_APPLY_BROKEN},
        {{5, 2, 1, 0, 0}, STORE_APPLY_BROKEN},
        {{5, 1, 0, 3, 0}, STORE_APPLY_BROKEN},
        {{5, 1, 1, 0, 0}, STORE_APPLIED},
        {{5, 1, 0, 1, 0}, STORE_APPLIED},
    };
    (void)unused;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct payload_redeem *redeem = &rows[i].redeem;
        uint32_t cell =
            redeem->grant != 0 ? coupon_grant_cell(redeem->grant) : coupon_code_cell(redeem->code);
        int result = redo(STORE_COUPON_REDEEM, cell, 1, redeem, sizeof *redeem);
        if (result != rows[i].result) {
            fail_msg("row %zu: %d", i, result);
        }
        assert_int_equal(redo(STORE_COUPON_REDEEM, cell, 1, redeem, sizeof *redeem - 1),
                         RECOVERY_MALFORMED);
        assert_int_equal(
            redo(STORE_COUPON_RESTORE, coupon_grant_cell(15), 1, redeem, sizeof *redeem),
            RECOVERY_MALFORMED);
    }
}

static void test_codes(void **unused) {
    static const struct {
        int64_t uses;
        uint32_t campaign, code, code_bytes;
        char text[8];
        size_t bytes;
        int result;
    } rows[] = {
        /* uses  campaign  code  length  text  bytes  result */
        {0, 1, 2, 3, "xyz", 27, RECOVERY_MALFORMED},
        {CELLAR_QUOTA_MAX + 1, 1, 2, 3, "xyz", 27, RECOVERY_MALFORMED},
        {1, 0, 2, 3, "xyz", 27, RECOVERY_MALFORMED},
        {1, 4, 2, 3, "xyz", 27, RECOVERY_MALFORMED},
        {1, 1, 0, 3, "xyz", 27, RECOVERY_MALFORMED},
        {1, 1, 2, 0, "xyz", 24, RECOVERY_MALFORMED},
        {1, 1, 2, 65, "xyz", 89, RECOVERY_MALFORMED},
        {1, 1, 2, 3, "xyz", 28, RECOVERY_MALFORMED},
        {1, 1, 2, 3, "x", 27, RECOVERY_MALFORMED},
        {1, 1, 2, 3, "abc", 27, STORE_APPLY_BROKEN}, /* the code in another slot */
        {1, 1, 1, 3, "xyz", 27, STORE_APPLY_BROKEN}, /* another code in the slot */
        {1, 1, 1, 3, "abc", 27, STORE_APPLY_BROKEN}, /* twice */
        {1, 1, 3, 3, "xyz", 27, STORE_APPLIED},
    };
    (void)unused;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct {
            struct payload_code code;
            char text[72];
        } bytes = {.code = {.uses = rows[i].uses,
                            .campaign = rows[i].campaign,
                            .code = rows[i].code,
                            .code_bytes = rows[i].code_bytes}};
        memcpy(bytes.text, rows[i].text, sizeof rows[i].text);
        int result = redo(STORE_CODE_ADD, coupon_code_cell(rows[i].code), 1, &bytes, rows[i].bytes);
        if (result != rows[i].result) {
            fail_msg("row %zu: %d", i, result);
        }
    }
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up_filled, recovery_tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_puts),        TEST(test_customer_periods), TEST(test_claims),
        TEST(test_revocations), TEST(test_redemptions),      TEST(test_codes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
