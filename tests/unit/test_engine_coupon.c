/* Are coupons claimed first come, first served, exactly up to the quota, each customer once, with a
 * number, and is every other claim refused for the right reason and without a trace? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/shop.h"

#include "base/clock.h"

#include <stdio.h>
#include <string.h>

/* When claims are refused for their time; later than the opening. */
#define NOW (SHOP_NOW + INT64_C(1000000000))

static const cellar_id none = {0, 0};

static cellar_status claim(struct shop *shop, uint64_t campaign, uint64_t customer,
                           cellar_refusal *refusal) {
    return cellar_coupon_claim(shop->store, NULL, none, campaign, customer, NULL, refusal);
}

static uint64_t reserved(struct shop *shop) {
    cellar_statistics statistics;
    assert_int_equal(cellar_statistics_get(shop->store, &statistics), CELLAR_OK);
    return statistics.reserved_lsn;
}

static void test_numbers(void **state) {
    struct shop *shop = *state;
    cellar_campaign campaign = shop_campaign(7, 3);
    cellar_refusal refusal;
    cellar_ticket ticket;
    shop_campaign_put(shop, &campaign);
    for (uint64_t customer = 1; customer <= 3; customer++) {
        assert_int_equal(
            cellar_coupon_claim(shop->store, NULL, none, 7, customer, &ticket, &refusal),
            CELLAR_OK);
        assert_int_equal(ticket.rank, customer);
        assert_false(ticket.waiting);
        assert_false(ticket.repeated);
        assert_int_equal(shop_coupon(shop, 7, customer, 0).version, ticket.lsn);
    }
    assert_int_equal(claim(shop, 7, 4, &refusal), CELLAR_SOLD_OUT);
    shop_check_refusal(&refusal, CELLAR_SOLD_OUT, CELLAR_NO_LINE, 0, 0);
    /* Who has one is told so, also now. */
    for (int opening = 0; opening < 2; opening++) {
        assert_int_equal(claim(shop, 7, 2, &refusal), CELLAR_ALREADY_CLAIMED);
        assert_int_equal(refusal.rank, 2);
        assert_false(refusal.waiting);
        shop_reopen(shop);
    }
    campaign = *shop_campaign_get(shop, 7);
    assert_int_equal(campaign.claimed, 3);
    assert_int_equal(campaign.admitted, 3);
    assert_int_equal(campaign.waiting, 0);
}

static void test_refusals(void **state) {
    struct shop *shop = *state;
    static const struct {
        cellar_campaign campaign;
        uint64_t customer;
        cellar_status status;
    } rows[] = {
        /* campaign  customer  answer */
        {{.quota = 1}, 1, CELLAR_OK},
        {{.quota = 1}, 1, CELLAR_ALREADY_CLAIMED},
        {{.quota = 1}, 2, CELLAR_SOLD_OUT},
        {{.quota = 1, .waitlist_max = 1}, 2, CELLAR_OK},
        {{.quota = 1, .waitlist_max = 1}, 2, CELLAR_ALREADY_CLAIMED},
        {{.quota = 1, .waitlist_max = 1}, 3, CELLAR_WAITLIST_FULL},
        {{.quota = 9, .status = CELLAR_CAMPAIGN_PAUSED}, 3, CELLAR_PAUSED},
        {{.quota = 9, .status = CELLAR_CAMPAIGN_PAUSED}, 1, CELLAR_ALREADY_CLAIMED},
        {{.quota = 9, .status = CELLAR_CAMPAIGN_CLOSED}, 3, CELLAR_ENDED},
        {{.quota = 9, .valid_from_ns = NOW + 1}, 3, CELLAR_NOT_STARTED},
        {{.quota = 9, .valid_until_ns = NOW}, 3, CELLAR_EXPIRED},
        {{.quota = 9, .valid_from_ns = NOW, .valid_until_ns = NOW + 1}, 3, CELLAR_OK},
        {{.quota = 9, .customer_limit = 2}, 3, CELLAR_OK},
        {{.quota = 9, .customer_limit = 2}, 3, CELLAR_ALREADY_CLAIMED},
        {{.quota = 9, .period_ns = 60000000000, .period_count = 1}, 4, CELLAR_OK},
        {{.quota = 9, .period_ns = 60000000000, .period_count = 1}, 5, CELLAR_PERIOD_CAP},
        {{.quota = 9, .period_ns = 60000000000, .period_count = 2}, 5, CELLAR_OK},
    };
    ATOMIC_STORE(&shop->tick_ns, 0, relaxed);
    ATOMIC_STORE(&shop->now_ns, NOW, relaxed);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        cellar_campaign campaign = rows[i].campaign;
        cellar_refusal refusal;
        campaign.id = 1;
        shop_campaign_put(shop, &campaign);
        bool reserves = true;
        /* A refusal reserves nothing; the store itself, idle, may just have logged a mark. */
        for (int attempt = 0; reserves && attempt < (rows[i].status == CELLAR_OK ? 1 : 100);
             attempt++) {
            uint64_t before = reserved(shop);
            cellar_status status = claim(shop, 1, rows[i].customer, &refusal);
            if (status != rows[i].status) {
                fail_msg("row %zu: %s", i, cellar_status_name(status));
            }
            reserves = reserved(shop) != before;
        }
        assert_int_equal(reserves, rows[i].status == CELLAR_OK);
    }
    assert_int_equal(claim(shop, 2, 1, NULL), CELLAR_NOT_FOUND);
}

static void test_arguments(void **state) {
    struct shop *shop = *state;
    cellar_refusal refusal;
    shop_check_invalid(&refusal, claim(shop, 0, 1, &refusal), CELLAR_NO_LINE, "campaign");
    shop_check_invalid(&refusal, claim(shop, 1, 0, &refusal), CELLAR_NO_LINE, "customer");
    shop_check_invalid(&refusal, cellar_coupon_revoke(shop->store, NULL, 0, 1, 0, NULL, &refusal),
                       CELLAR_NO_LINE, "campaign");
    shop_check_invalid(&refusal, cellar_coupon_revoke(shop->store, NULL, 1, 0, 0, NULL, &refusal),
                       CELLAR_NO_LINE, "customer");
    shop_check_invalid(&refusal, cellar_coupon_revoke(shop->store, NULL, 1, 1, 255, NULL, &refusal),
                       CELLAR_NO_LINE, "ordinal");
    cellar_coupon coupon;
    size_t count;
    cellar_coupon_query query = {.campaign = 1, .customer = 1};
    assert_int_equal(cellar_coupon_list(shop->store, &query, &coupon, 1, &count),
                     CELLAR_INVALID_ARGUMENT);
    query = (cellar_coupon_query){.campaign = 0};
    assert_int_equal(cellar_coupon_list(shop->store, &query, &coupon, 1, &count),
                     CELLAR_INVALID_ARGUMENT);
    query.customer = 5;
    assert_int_equal(cellar_coupon_list(shop->store, &query, &coupon, 1001, &count),
                     CELLAR_INVALID_ARGUMENT);
    assert_int_equal(cellar_coupon_list(shop->store, &query, &coupon, 1, &count), CELLAR_OK);
    assert_int_equal(count, 0);
    query.before = (cellar_coupon){.campaign = 9, .customer = 5};
    assert_int_equal(cellar_coupon_list(shop->store, &query, &coupon, 1, &count), CELLAR_NOT_FOUND);
    assert_int_equal(cellar_coupon_get(shop->store, 1, 1, 0, &coupon), CELLAR_NOT_FOUND);
}

/* A request with an id: done once, whatever has become of the campaign since. */
static void test_ids(void **state) {
    struct shop *shop = *state;
    cellar_campaign campaign = shop_campaign(1, 1);
    cellar_ticket first;
    campaign.waitlist_max = 1;
    shop_campaign_put(shop, &campaign);
    assert_int_equal(cellar_coupon_claim(shop->store, NULL, shop_id(1), 1, 5, &first, NULL),
                     CELLAR_OK);
    cellar_ticket second;
    assert_int_equal(cellar_coupon_claim(shop->store, NULL, shop_id(2), 1, 6, &second, NULL),
                     CELLAR_OK);
    assert_true(second.waiting);
    assert_int_equal(second.rank, 2);
    campaign.status = CELLAR_CAMPAIGN_CLOSED;
    shop_campaign_put(shop, &campaign);
    for (int opening = 0; opening < 2; opening++) {
        cellar_ticket again;
        cellar_refusal refusal;
        assert_int_equal(cellar_coupon_claim(shop->store, NULL, shop_id(1), 1, 5, &again, NULL),
                         CELLAR_OK);
        assert_true(again.repeated);
        assert_int_equal(again.lsn, first.lsn);
        assert_int_equal(again.rank, 1);
        assert_false(again.waiting);
        assert_int_equal(cellar_coupon_claim(shop->store, NULL, shop_id(2), 1, 6, &again, NULL),
                         CELLAR_OK);
        assert_int_equal(again.rank, 2);
        assert_true(again.waiting);
        assert_int_equal(cellar_coupon_claim(shop->store, NULL, shop_id(1), 1, 6, &again, &refusal),
                         CELLAR_ID_REUSED);
        shop_check_refusal(&refusal, CELLAR_ID_REUSED, CELLAR_NO_LINE, 0, 0);
        shop_reopen(shop);
    }
}

/* A refused claim links nothing, with an id or without. */
static void test_refusals_link_nothing(void **state) {
    struct shop *shop = *state;
    cellar_campaign campaign = shop_campaign(1, 1);
    shop_campaign_put(shop, &campaign);
    shop_claim(shop, 1, 1);
    const struct store *store = shop->store->store;
    uint32_t grants = slots_end(&store->coupons.grant_slots);
    uint32_t documents = slots_end(&store->order_slots);
    uint32_t campaigns = slots_end(&store->coupons.campaign_slots);
    for (uint64_t i = 2; i <= 50; i++) {
        assert_int_equal(cellar_coupon_claim(shop->store, NULL, shop_id(i), 1, i, NULL, NULL),
                         CELLAR_SOLD_OUT);
        assert_int_equal(claim(shop, i, i, NULL), CELLAR_NOT_FOUND);
    }
    assert_int_equal(slots_end(&store->coupons.grant_slots), grants);
    assert_int_equal(slots_end(&store->order_slots), documents);
    assert_int_equal(slots_end(&store->coupons.campaign_slots), campaigns);
}

/* After the sell-out: reads alone. The rate is printed, not judged. */
static void test_sold_out_costs_nothing(void **state) {
    struct shop *shop = *state;
    cellar_campaign campaign = shop_campaign(1, 10);
    cellar_statistics before;
    cellar_statistics after;
    enum {
        CLAIMS = 20000
    };
    shop_campaign_put(shop, &campaign);
    for (uint64_t customer = 1; customer <= 10; customer++) {
        shop_claim(shop, 1, customer);
    }
    shop_settle(shop);
    /* The log's mark that ends a busy time is not ours. */
    clock_sleep_ns(50 * NANOSECONDS_PER_MILLISECOND);
    assert_int_equal(cellar_statistics_get(shop->store, &before), CELLAR_OK);
    int64_t start = clock_monotonic_ns();
    for (uint64_t i = 0; i < CLAIMS; i++) {
        assert_int_equal(claim(shop, 1, 11 + i, NULL), CELLAR_SOLD_OUT);
    }
    int64_t took = clock_monotonic_ns() - start;
    assert_int_equal(cellar_statistics_get(shop->store, &after), CELLAR_OK);
    assert_int_equal(after.reserved_lsn, before.reserved_lsn);
    assert_int_equal(after.memory_bytes, before.memory_bytes);
    assert_int_equal(after.helped, before.helped);
    printf("# sold out: %d claims of new customers in %lld us\n", CLAIMS, (long long)took / 1000);
}

/* Periods begin at multiples of their length in the time zone. */
static void test_periods(void **state) {
    struct shop *shop = *state;
    const int64_t hour = INT64_C(3600000000000);
    const int64_t midnight = INT64_C(1700006400000000000); /* UTC; 01:00 an hour further east */
    cellar_campaign campaign = shop_campaign(1, 100);
    campaign.customer_limit = 255;
    campaign.period_ns = 24 * hour;
    campaign.period_offset_ns = hour;
    campaign.period_count = 2;
    static const struct {
        int64_t hours; /* after midnight, UTC */
        cellar_status status;
    } rows[] = {
        /* hours  answer */
        {20, CELLAR_OK}, {22, CELLAR_OK},         {22, CELLAR_PERIOD_CAP}, {23, CELLAR_OK},
        {46, CELLAR_OK}, {46, CELLAR_PERIOD_CAP}, {47, CELLAR_OK},
    };
    ATOMIC_STORE(&shop->tick_ns, 0, relaxed);
    shop_campaign_put(shop, &campaign);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ATOMIC_STORE(&shop->now_ns, midnight + rows[i].hours * hour, relaxed);
        cellar_status status = claim(shop, 1, 1, NULL);
        if (status != rows[i].status) {
            fail_msg("row %zu: %s", i, cellar_status_name(status));
        }
    }
    assert_int_equal(shop_campaign_get(shop, 1)->period_claimed, 1);
    /* Other periods count from zero. */
    campaign.period_ns = hour;
    shop_campaign_put(shop, &campaign);
    assert_int_equal(shop_campaign_get(shop, 1)->period_claimed, 0);
}

static void test_history(void **state) {
    struct shop *shop = *state;
    cellar_campaign campaign = shop_campaign(1, 100);
    campaign.customer_limit = 10;
    shop_campaign_put(shop, &campaign);
    campaign.id = 2;
    shop_campaign_put(shop, &campaign);
    for (uint64_t i = 0; i < 30; i++) {
        shop_claim(shop, 1 + i % 2, 1 + i % 3);
    }
    for (int opening = 0; opening < 2; opening++) {
        static cellar_coupon page[30];
        size_t count;
        shop_settle(shop);
        cellar_coupon_query query = {.campaign = 2};
        assert_int_equal(cellar_coupon_list(shop->store, &query, page, 30, &count), CELLAR_OK);
        assert_int_equal(count, 15);
        for (size_t i = 0; i < count; i++) {
            assert_int_equal(page[i].rank, 15 - i);
            assert_int_equal(page[i].campaign, 2);
            assert_int_equal(page[i].state, CELLAR_COUPON_GRANTED);
        }
        query = (cellar_coupon_query){.customer = 3, .before = {.campaign = 1}};
        assert_int_equal(cellar_coupon_list(shop->store, &query, page, 30, &count),
                         CELLAR_NOT_FOUND);
        query.before.campaign = 0;
        assert_int_equal(cellar_coupon_list(shop->store, &query, page, 4, &count), CELLAR_OK);
        assert_int_equal(count, 4);
        query.before = page[3];
        assert_int_equal(cellar_coupon_list(shop->store, &query, page + 4, 26, &count), CELLAR_OK);
        assert_int_equal(count, 6);
        for (size_t i = 0; i < 10; i++) {
            assert_int_equal(page[i].customer, 3);
            assert_true(i == 0 || page[i].version < page[i - 1].version);
        }
        shop_reopen(shop);
    }
}

/* Limits: the number of grants, exactly; and what a grant costs. */
static void test_limits(void **unused) {
    struct shop shop;
    (void)unused;
    shop_prepare(&shop);
    shop.config.grants_max = 5;
    shop_open(&shop);
    cellar_campaign campaign = shop_campaign(1, 100);
    shop_campaign_put(&shop, &campaign);
    for (uint64_t customer = 1; customer <= 5; customer++) {
        shop_claim(&shop, 1, customer);
    }
    assert_int_equal(claim(&shop, 1, 6, NULL), CELLAR_STORE_FULL);
    shop_reopen(&shop);
    assert_int_equal(claim(&shop, 1, 6, NULL), CELLAR_STORE_FULL);
    shop_freeze(&shop);
    shop_close(&shop);
    cellar_problem problem;
    shop.config.grants_max = 4;
    assert_int_equal(shop_try_open(&shop, &problem), CELLAR_CONFIG_MISMATCH);
    shop.config.grants_max = 6;
    shop_open(&shop);
    shop_check_frozen(&shop, "with another limit");
    assert_int_equal(shop_claim(&shop, 1, 6), 6);
    shop_finish(&shop);
    size_t bytes = COUPON_GRANT_BYTES + sizeof(uint32_t) / TABLE_LOAD_MANY + sizeof(uint32_t);
    printf("# a grant: %zu bytes: entry %zu, cell %zu, share of the table 2, link 4\n", bytes,
           sizeof(struct store_grant), sizeof(struct cell));
    assert_true(bytes <= 64);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SHOP_TEST(test_numbers),
        SHOP_TEST(test_refusals),
        SHOP_TEST_ORACLE(test_refusals),
        SHOP_TEST(test_arguments),
        SHOP_TEST(test_ids),
        SHOP_TEST(test_refusals_link_nothing),
        SHOP_TEST(test_sold_out_costs_nothing),
        SHOP_TEST(test_periods),
        SHOP_TEST(test_history),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
