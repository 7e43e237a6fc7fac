/* Does a customer claim exactly as many coupons in each period as he may, whatever else is claimed,
 * revoked, put or opened again meanwhile, and is he told when he may come back? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/shop.h"

#include "store/plan_coupon.h"

#define MINUTE INT64_C(60000000000)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define MIDNIGHT INT64_C(1700006400000000000) /* UTC */

static const cellar_id none = {0, 0};

static void set_time(struct shop *shop, int64_t now_ns) {
    ATOMIC_STORE(&shop->tick_ns, 0, relaxed);
    ATOMIC_STORE(&shop->now_ns, now_ns, relaxed);
}

/* Up to `limit` coupons a customer, `count_max` of them in each period. */
static cellar_campaign capped(int64_t quota, uint32_t limit, int64_t period_ns, int64_t count_max) {
    cellar_campaign campaign = shop_campaign(1, quota);
    campaign.customer_limit = limit;
    campaign.customer_period_ns = period_ns;
    campaign.customer_period_count = count_max;
    return campaign;
}

struct row {
    int64_t at_ns; /* after midnight, UTC */
    uint64_t customer;
    cellar_status status;
    uint64_t rank;    /* of the claim that stands */
    int64_t retry_ns; /* after midnight, UTC */
};

static void play(struct shop *shop, const struct row *rows, size_t count) {
    for (size_t i = 0; i < count; i++) {
        cellar_ticket ticket = {0};
        cellar_refusal refusal = {0};
        set_time(shop, MIDNIGHT + rows[i].at_ns);
        cellar_status status =
            cellar_coupon_claim(shop->store, NULL, none, 1, rows[i].customer, &ticket, &refusal);
        uint64_t rank = status == CELLAR_OK ? ticket.rank : refusal.rank;
        int64_t retry_ns = rows[i].retry_ns == 0 ? 0 : MIDNIGHT + rows[i].retry_ns;
        if (status != rows[i].status || rank != rows[i].rank || refusal.retry_ns != retry_ns) {
            fail_msg("row %zu: %s, rank %llu, retry %lld", i, cellar_status_name(status),
                     (unsigned long long)rank, (long long)(refusal.retry_ns - MIDNIGHT));
        }
        if (status != CELLAR_OK) {
            shop_check_refusal(&refusal, status, CELLAR_NO_LINE, 0, 0);
        }
    }
}

#define PLAY(shop, rows) play((shop), (rows), sizeof(rows) / sizeof *(rows))

static void test_days(void **state) {
    struct shop *shop = *state;
    cellar_campaign campaign = capped(9, 5, DAY, 2);
    campaign.customer_period_offset_ns = HOUR;
    shop_campaign_put(shop, &campaign);
    static const struct row first[] = {
        /* at  customer  answer  rank  retry */
        {20 * HOUR, 1, CELLAR_OK, 1, 0},
        {21 * HOUR, 2, CELLAR_OK, 2, 0},
        {22 * HOUR, 1, CELLAR_OK, 3, 0},
        {23 * HOUR - 1, 1, CELLAR_CUSTOMER_PERIOD_CAP, 3, 23 * HOUR},
        {23 * HOUR - 1, 2, CELLAR_OK, 4, 0},
    };
    static const struct row second[] = {
        {23 * HOUR - 1, 1, CELLAR_CUSTOMER_PERIOD_CAP, 3, 23 * HOUR},
        {23 * HOUR, 1, CELLAR_OK, 5, 0},
        {23 * HOUR, 1, CELLAR_OK, 6, 0},
        {23 * HOUR, 1, CELLAR_CUSTOMER_PERIOD_CAP, 6, 47 * HOUR},
        {24 * HOUR, 3, CELLAR_OK, 7, 0},
        {47 * HOUR, 1, CELLAR_OK, 8, 0},
        {47 * HOUR, 1, CELLAR_ALREADY_CLAIMED, 8, 0},
        {47 * HOUR, 2, CELLAR_OK, 9, 0},
        {47 * HOUR, 3, CELLAR_SOLD_OUT, 0, 0},
        {47 * HOUR, 1, CELLAR_ALREADY_CLAIMED, 8, 0},
    };
    PLAY(shop, first);
    shop_reopen(shop);
    PLAY(shop, second);
}

/* Who has his coupons of today is told so before anything else, as who has all of his is. */
static void test_order_of_refusals(void **state) {
    struct shop *shop = *state;
    cellar_campaign campaign = capped(2, 2, DAY, 1);
    set_time(shop, MIDNIGHT);
    shop_campaign_put(shop, &campaign);
    shop_claim(shop, 1, 1);
    shop_claim(shop, 1, 2);
    static const struct row sold_out[] = {
        {0, 1, CELLAR_CUSTOMER_PERIOD_CAP, 1, DAY},
        {0, 3, CELLAR_SOLD_OUT, 0, 0},
    };
    PLAY(shop, sold_out);
    campaign.quota = 9;
    campaign.status = CELLAR_CAMPAIGN_PAUSED;
    shop_campaign_put(shop, &campaign);
    static const struct row paused[] = {
        {0, 2, CELLAR_CUSTOMER_PERIOD_CAP, 2, DAY},
        {DAY, 2, CELLAR_PAUSED, 0, 0},
    };
    PLAY(shop, paused);
    campaign.status = CELLAR_CAMPAIGN_OPEN;
    campaign.valid_from_ns = MIDNIGHT + 2 * DAY;
    shop_campaign_put(shop, &campaign);
    static const struct row early[] = {
        {2 * DAY - 1, 2, CELLAR_NOT_STARTED, 0, 2 * DAY},
        {2 * DAY, 2, CELLAR_OK, 3, 0},
    };
    PLAY(shop, early);
}

/* Three an hour for all together, one a day for each. */
static void test_both_caps(void **state) {
    struct shop *shop = *state;
    cellar_campaign campaign = capped(100, 9, DAY, 1);
    campaign.period_ns = HOUR;
    campaign.period_count = 3;
    set_time(shop, MIDNIGHT);
    shop_campaign_put(shop, &campaign);
    static const struct row rows[] = {
        {0, 1, CELLAR_OK, 1, 0},
        {0, 1, CELLAR_CUSTOMER_PERIOD_CAP, 1, DAY},
        {0, 2, CELLAR_OK, 2, 0},
        {0, 3, CELLAR_OK, 3, 0},
        {1, 4, CELLAR_PERIOD_CAP, 0, HOUR},
        {1, 3, CELLAR_CUSTOMER_PERIOD_CAP, 3, DAY},
        {HOUR, 4, CELLAR_OK, 4, 0},
        {HOUR, 3, CELLAR_CUSTOMER_PERIOD_CAP, 3, DAY},
        {DAY, 3, CELLAR_OK, 5, 0},
        {DAY, 4, CELLAR_OK, 6, 0},
        {DAY, 1, CELLAR_OK, 7, 0},
        {DAY, 2, CELLAR_PERIOD_CAP, 0, DAY + HOUR},
        {DAY + HOUR, 2, CELLAR_OK, 8, 0},
    };
    PLAY(shop, rows);
    assert_int_equal(shop_campaign_get(shop, 1)->period_claimed, 1);
}

/* What was revoked counts, as it does for the limit of a customer and the cap of all. */
static void test_revoked_counts(void **state) {
    struct shop *shop = *state;
    cellar_campaign campaign = capped(9, 9, DAY, 1);
    set_time(shop, MIDNIGHT);
    shop_campaign_put(shop, &campaign);
    shop_claim(shop, 1, 1);
    assert_int_equal(cellar_coupon_revoke(shop->store, NULL, 1, 1, 0, NULL, NULL), CELLAR_OK);
    static const struct row rows[] = {
        {1, 1, CELLAR_CUSTOMER_PERIOD_CAP, 1, DAY},
        {DAY, 1, CELLAR_OK, 2, 0},
    };
    PLAY(shop, rows);
}

/* Another number changes nothing of what was counted; other periods, or none, count anew. */
static void test_puts(void **state) {
    struct shop *shop = *state;
    cellar_campaign campaign = capped(99, 99, 0, 0);
    set_time(shop, MIDNIGHT);
    shop_campaign_put(shop, &campaign);
    shop_claim(shop, 1, 1);
    static const struct {
        int64_t period_ns, offset_ns, count;
        int more; /* claims that customer 1 has left then */
    } rows[] = {
        /* period  offset  count  more */
        {DAY, 0, 2, 2}, /* the claim without a cap does not count */
        {DAY, 0, 2, 0},  {DAY, 0, 3, 1},       {DAY, 0, 1, 0}, {DAY, 0, 5, 2},
        {HOUR, 0, 1, 1}, {HOUR, MINUTE, 2, 2}, {0, 0, 0, 3},   {DAY, 0, 98, 86},
    };
    uint64_t rank = 1;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        campaign.customer_period_ns = rows[i].period_ns;
        campaign.customer_period_offset_ns = rows[i].offset_ns;
        campaign.customer_period_count = rows[i].count;
        shop_campaign_put(shop, &campaign);
        for (int k = 0; k < rows[i].more; k++) {
            assert_int_equal(shop_claim(shop, 1, 1), ++rank);
        }
        cellar_status status = cellar_coupon_claim(shop->store, NULL, none, 1, 1, NULL, NULL);
        bool last = i + 1 == sizeof rows / sizeof *rows;
        if (rows[i].count == 0) {
            assert_int_equal(status, CELLAR_OK);
            rank++;
        } else if (status != (last ? CELLAR_ALREADY_CLAIMED : CELLAR_CUSTOMER_PERIOD_CAP)) {
            fail_msg("row %zu: %s", i, cellar_status_name(status));
        }
        shop_audit(shop);
    }
    assert_int_equal(rank, 99);
}

/* Even where the clock begins at 0, so that claims before the cap are of the same period. */
static void test_first_period_of_all(void **unused) {
    struct shop shop;
    (void)unused;
    shop_prepare(&shop);
    set_time(&shop, 1);
    shop_open(&shop);
    cellar_campaign campaign = capped(9, 9, 0, 0);
    shop_campaign_put(&shop, &campaign);
    shop_claim(&shop, 1, 1);
    campaign = capped(9, 9, DAY, 1);
    campaign.customer_period_offset_ns = -HOUR;
    shop_campaign_put(&shop, &campaign);
    static const struct row rows[] = {
        {1 - MIDNIGHT, 1, CELLAR_OK, 2, 0},
        {1 - MIDNIGHT, 1, CELLAR_CUSTOMER_PERIOD_CAP, 2, DAY + HOUR - MIDNIGHT},
        {DAY - MIDNIGHT, 1, CELLAR_CUSTOMER_PERIOD_CAP, 2, DAY + HOUR - MIDNIGHT},
        {DAY + HOUR - MIDNIGHT, 1, CELLAR_OK, 3, 0},
    };
    PLAY(&shop, rows);
    shop_finish(&shop);
}

/* Where the clock ends, so does the last period. */
static void test_last_period_of_all(void **unused) {
    struct shop shop;
    (void)unused;
    shop_prepare(&shop);
    set_time(&shop, INT64_MAX - HOUR);
    shop_open(&shop);
    cellar_campaign campaign = capped(9, 9, 366 * DAY, 1);
    campaign.customer_period_offset_ns = DAY;
    shop_campaign_put(&shop, &campaign);
    static const struct row rows[] = {
        {INT64_MAX - HOUR - MIDNIGHT, 1, CELLAR_OK, 1, 0},
        {INT64_MAX - HOUR - MIDNIGHT, 1, CELLAR_CUSTOMER_PERIOD_CAP, 1, INT64_MAX - MIDNIGHT},
    };
    PLAY(&shop, rows);
    shop_abandon(&shop);
}

/* Steps of a transaction see the claims of the steps before. */
static void test_transactions(void **state) {
    struct shop *shop = *state;
    const cellar_campaign campaign = capped(9, 9, DAY, 2);
    const cellar_claim claims[] = {{.campaign = 1, .customer = 1}, {.campaign = 1, .customer = 2}};
    const cellar_operation operations[] = {
        {.kind = CELLAR_OPERATION_COUPON_CLAIM, .claim = &claims[0]},
        {.kind = CELLAR_OPERATION_COUPON_CLAIM, .claim = &claims[1]},
        {.kind = CELLAR_OPERATION_COUPON_CLAIM, .claim = &claims[0]},
        {.kind = CELLAR_OPERATION_COUPON_CLAIM, .claim = &claims[0]},
    };
    cellar_refusal refusal;
    set_time(shop, MIDNIGHT);
    shop_campaign_put(shop, &campaign);
    assert_int_equal(cellar_transact(shop->store, NULL, none, operations, 4, NULL, &refusal),
                     CELLAR_CUSTOMER_PERIOD_CAP);
    assert_int_equal(refusal.step, 3);
    assert_int_equal(refusal.rank, 3);
    assert_int_equal(refusal.retry_ns, MIDNIGHT + DAY);
    assert_int_equal(shop_campaign_get(shop, 1)->claimed, 0);
    assert_int_equal(cellar_transact(shop->store, NULL, none, operations, 3, NULL, NULL),
                     CELLAR_OK);
    static const struct row rows[] = {
        {0, 1, CELLAR_CUSTOMER_PERIOD_CAP, 3, DAY},
        {0, 2, CELLAR_OK, 4, 0},
        {DAY, 1, CELLAR_OK, 5, 0},
    };
    PLAY(shop, rows);
}

/* A request with an id was done, whatever the cap says by now. */
static void test_ids(void **state) {
    struct shop *shop = *state;
    const cellar_campaign campaign = capped(9, 9, DAY, 1);
    set_time(shop, MIDNIGHT);
    shop_campaign_put(shop, &campaign);
    cellar_ticket first;
    cellar_ticket again;
    assert_int_equal(cellar_coupon_claim(shop->store, NULL, shop_id(1), 1, 1, &first, NULL),
                     CELLAR_OK);
    assert_int_equal(cellar_coupon_claim(shop->store, NULL, shop_id(1), 1, 1, &again, NULL),
                     CELLAR_OK);
    assert_true(again.repeated);
    assert_int_equal(again.lsn, first.lsn);
    assert_int_equal(cellar_coupon_claim(shop->store, NULL, shop_id(2), 1, 1, &again, NULL),
                     CELLAR_CUSTOMER_PERIOD_CAP);
}

/* The number may be anything below the limit of a customer, which is at most 255. */
static void test_largest(void **state) {
    struct shop *shop = *state;
    const cellar_campaign campaign = capped(999, 255, DAY, 254);
    set_time(shop, MIDNIGHT);
    shop_campaign_put(shop, &campaign);
    for (uint64_t i = 1; i <= 254; i++) {
        assert_int_equal(shop_claim(shop, 1, 1), i);
    }
    static const struct row rows[] = {
        {DAY - 1, 1, CELLAR_CUSTOMER_PERIOD_CAP, 254, DAY},
        {DAY, 1, CELLAR_OK, 255, 0},
        {DAY, 1, CELLAR_ALREADY_CLAIMED, 255, 0},
    };
    PLAY(shop, rows);
}

/* A record without the cap is, byte for byte, what was written before there was one. */
static void test_record_without_cap(void **state) {
    struct shop *shop = *state;
    struct plan plan;
    plan_create(&plan, shop->store->store);
    cellar_campaign campaign = capped(9, 9, 0, 0);
    struct coupon_rules *rules = coupons_rules_create(shop->store->store, 1, 8);
    assert_non_null(rules);
    campaign_rules_fill(rules, &campaign);
    assert_int_equal(rules->put.flags, 0);
    struct plan_campaign_request request = {.campaign = &campaign, .text_bytes = 8, .rules = rules};
    plan_reset(&plan, SHOP_NOW);
    commit_enter();
    assert_int_equal(plan_campaign_put(&plan, &request), PLAN_COMMIT);
    commit_leave();
    assert_int_equal(plan.payload_bytes, 232 + 8);
    assert_memory_equal(plan.payload + 232, "campaign", 8);
    plan_destroy(&plan);
    memory_release(shop->store->memory, MEMORY_COUPONS, rules, rules->bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SHOP_TEST(test_days),
        SHOP_TEST_ORACLE(test_days),
        SHOP_TEST(test_order_of_refusals),
        SHOP_TEST(test_both_caps),
        SHOP_TEST(test_revoked_counts),
        SHOP_TEST(test_puts),
        cmocka_unit_test(test_first_period_of_all),
        cmocka_unit_test(test_last_period_of_all),
        SHOP_TEST(test_transactions),
        SHOP_TEST(test_ids),
        SHOP_TEST(test_largest),
        SHOP_TEST(test_record_without_cap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
