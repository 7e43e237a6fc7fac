/* Does a name have one holder at a time, and can one that was overtaken be told? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/shop.h"

#include <string.h>

#define MS INT64_C(1000000)
#define TTL 100

static void set_time(struct shop *shop, int64_t milliseconds) {
    ATOMIC_STORE(&shop->tick_ns, 0, relaxed);
    ATOMIC_STORE(&shop->now_ns, SHOP_NOW + milliseconds * MS, relaxed);
}

static uint64_t acquire(struct shop *shop, const char *name, uint64_t holder) {
    cellar_ticket ticket;
    assert_int_equal(cellar_lease_acquire(shop->store, NULL, name, holder, TTL, &ticket, NULL),
                     CELLAR_OK);
    return ticket.lsn;
}

static cellar_lease lease_of(struct shop *shop, const char *name) {
    cellar_lease lease;
    assert_int_equal(cellar_lease_get(shop->store, name, &lease), CELLAR_OK);
    return lease;
}

static cellar_status renew(struct shop *shop, const char *name, uint64_t token, int64_t ttl_ms) {
    return cellar_lease_renew(shop->store, NULL, name, token, ttl_ms, NULL, NULL);
}

static cellar_status let_go(struct shop *shop, const char *name, uint64_t token) {
    return cellar_lease_release(shop->store, NULL, name, token, NULL, NULL);
}

static void test_one_holder(void **state) {
    struct shop *shop = *state;
    cellar_refusal refusal;
    cellar_ticket ticket;
    set_time(shop, 0);
    uint64_t token = acquire(shop, "job", 7);
    shop_settle(shop);
    for (int opening = 0; opening < 2; opening++) {
        cellar_lease lease = lease_of(shop, "job");
        assert_int_equal(lease.holder, 7);
        assert_int_equal(lease.token, token);
        assert_int_equal(lease.version, token);
        assert_int_equal(lease.until_ns, SHOP_NOW + (TTL + 1) * MS);
        assert_true(lease.held);
        assert_int_equal(cellar_lease_check(shop->store, "job", token), CELLAR_OK);
        assert_int_equal(cellar_lease_check(shop->store, "job", token - 64), CELLAR_LEASE_LOST);
        assert_int_equal(cellar_lease_acquire(shop->store, NULL, "job", 8, TTL, NULL, &refusal),
                         CELLAR_LEASE_HELD);
        shop_check_refusal(&refusal, CELLAR_LEASE_HELD, CELLAR_NO_LINE, 0, 0);
        assert_int_equal(refusal.retry_ns, lease.until_ns);
        /* Its holder is told again, and gets no more time by it. */
        assert_int_equal(cellar_lease_acquire(shop->store, NULL, "job", 7, 9 * TTL, &ticket, NULL),
                         CELLAR_OK);
        assert_true(ticket.repeated);
        assert_int_equal(ticket.lsn, token);
        assert_int_equal(ticket.time_ns, 0);
        assert_int_equal(lease_of(shop, "job").version, token);
        /* Names are byte-exact. */
        assert_int_equal(cellar_lease_check(shop->store, "Job", token), CELLAR_NOT_FOUND);
        shop_reopen(shop);
    }
    acquire(shop, "Job", 8);
    assert_int_equal(shop_audit(shop).totals.leases, 2);
}

/* To the millisecond: held until just before, free from then on. */
static void test_time_is_up(void **state) {
    struct shop *shop = *state;
    set_time(shop, 0);
    uint64_t token = acquire(shop, "job", 7);
    set_time(shop, TTL);
    assert_int_equal(cellar_lease_check(shop->store, "job", token), CELLAR_OK);
    assert_int_equal(cellar_lease_acquire(shop->store, NULL, "job", 8, TTL, NULL, NULL),
                     CELLAR_LEASE_HELD);
    assert_int_equal(renew(shop, "job", token, 50), CELLAR_OK);
    assert_int_equal(lease_of(shop, "job").token, token);
    assert_int_equal(lease_of(shop, "job").until_ns, SHOP_NOW + (TTL + 51) * MS);
    set_time(shop, TTL + 51);
    assert_false(lease_of(shop, "job").held);
    assert_int_equal(cellar_lease_check(shop->store, "job", token), CELLAR_LEASE_LOST);
    assert_int_equal(renew(shop, "job", token, 50), CELLAR_LEASE_LOST);
    uint64_t next = acquire(shop, "job", 8);
    assert_true(next > token);
    assert_int_equal(lease_of(shop, "job").holder, 8);
    assert_int_equal(cellar_lease_check(shop->store, "job", token), CELLAR_LEASE_LOST);
    assert_int_equal(cellar_lease_check(shop->store, "job", next), CELLAR_OK);
    /* Whoever was overtaken changes nothing any more. */
    shop_freeze(shop);
    cellar_lease before = lease_of(shop, "job");
    assert_int_equal(renew(shop, "job", token, 50), CELLAR_LEASE_LOST);
    assert_int_equal(let_go(shop, "job", token), CELLAR_LEASE_LOST);
    cellar_lease after = lease_of(shop, "job");
    assert_int_equal(after.version, before.version);
    assert_int_equal(after.until_ns, before.until_ns);
    assert_int_equal(after.token, next);
    shop_check_frozen(shop, "after being overtaken");
    /* The same holder again, later, has another token. */
    set_time(shop, 9 * TTL);
    uint64_t third = acquire(shop, "job", 8);
    assert_true(third > next);
    /* Shorter by a renewal. */
    assert_int_equal(renew(shop, "job", third, 1), CELLAR_OK);
    set_time(shop, 9 * TTL + 2);
    assert_int_equal(cellar_lease_check(shop->store, "job", third), CELLAR_LEASE_LOST);
}

static void test_release(void **state) {
    struct shop *shop = *state;
    cellar_ticket first;
    cellar_ticket again;
    set_time(shop, 0);
    uint64_t token = acquire(shop, "job", 7);
    assert_int_equal(cellar_lease_release(shop->store, NULL, "job", token, &first, NULL),
                     CELLAR_OK);
    assert_false(first.repeated);
    for (int opening = 0; opening < 2; opening++) {
        cellar_lease lease = lease_of(shop, "job");
        assert_false(lease.held);
        assert_int_equal(lease.until_ns, 0);
        assert_int_equal(lease.token, token);
        assert_int_equal(lease.version, first.lsn);
        assert_int_equal(cellar_lease_check(shop->store, "job", token), CELLAR_LEASE_LOST);
        assert_int_equal(cellar_lease_release(shop->store, NULL, "job", token, &again, NULL),
                         CELLAR_OK);
        assert_true(again.repeated);
        assert_int_equal(again.lsn, first.lsn);
        assert_int_equal(renew(shop, "job", token, 5), CELLAR_LEASE_LOST);
        shop_reopen(shop);
    }
    uint64_t next = acquire(shop, "job", 8);
    assert_true(next > first.lsn);
    assert_int_equal(let_go(shop, "job", token), CELLAR_LEASE_LOST);
    /* Time is up, nobody has taken it: it may still be released, and then the token is the same. */
    set_time(shop, 5 * TTL);
    assert_int_equal(let_go(shop, "job", next), CELLAR_OK);
    assert_int_equal(lease_of(shop, "job").token, next);
}

static void test_bad_arguments(void **state) {
    struct shop *shop = *state;
    cellar *store = shop->store;
    cellar_refusal refusal;
    cellar_lease lease;
    char longest[66];
    memset(longest, 'x', 65);
    longest[65] = '\0';
    const char *const names[] = {NULL, "", longest};
    uint64_t token = acquire(shop, longest + 1, 1);
    acquire(shop, "x", 1);
    for (size_t i = 0; i < 3; i++) {
        shop_check_invalid(&refusal,
                           cellar_lease_acquire(store, NULL, names[i], 1, 5, NULL, &refusal),
                           CELLAR_NO_LINE, "name");
        shop_check_invalid(&refusal,
                           cellar_lease_renew(store, NULL, names[i], token, 5, NULL, &refusal),
                           CELLAR_NO_LINE, "name");
        shop_check_invalid(&refusal,
                           cellar_lease_release(store, NULL, names[i], token, NULL, &refusal),
                           CELLAR_NO_LINE, "name");
        assert_int_equal(cellar_lease_get(store, names[i], &lease), CELLAR_INVALID_ARGUMENT);
        assert_int_equal(cellar_lease_check(store, names[i], 1), CELLAR_INVALID_ARGUMENT);
    }
    static const int64_t ttls[] = {0, -1, CELLAR_LEASE_TTL_MS_MAX + 1, INT64_MIN, INT64_MAX};
    for (size_t i = 0; i < 5; i++) {
        shop_check_invalid(&refusal,
                           cellar_lease_acquire(store, NULL, "y", 1, ttls[i], NULL, &refusal),
                           CELLAR_NO_LINE, "ttl_ms");
        shop_check_invalid(&refusal,
                           cellar_lease_renew(store, NULL, "x", token, ttls[i], NULL, &refusal),
                           CELLAR_NO_LINE, "ttl_ms");
    }
    shop_check_invalid(&refusal, cellar_lease_acquire(store, NULL, "y", 0, 5, NULL, &refusal),
                       CELLAR_NO_LINE, "holder");
    shop_check_invalid(&refusal, cellar_lease_renew(store, NULL, "x", 0, 5, NULL, &refusal),
                       CELLAR_NO_LINE, "token");
    shop_check_invalid(&refusal, cellar_lease_release(store, NULL, "x", 0, NULL, &refusal),
                       CELLAR_NO_LINE, "token");
    assert_int_equal(cellar_lease_get(store, "x", NULL), CELLAR_INVALID_ARGUMENT);
    assert_int_equal(cellar_lease_get(store, "y", &lease), CELLAR_NOT_FOUND);
    assert_int_equal(renew(shop, "y", token, 5), CELLAR_NOT_FOUND);
    assert_int_equal(let_go(shop, "y", token), CELLAR_NOT_FOUND);
    assert_int_equal(
        cellar_lease_acquire(store, NULL, "y", UINT64_MAX, CELLAR_LEASE_TTL_MS_MAX, NULL, NULL),
        CELLAR_OK);
    assert_int_equal(lease_of(shop, "y").holder, UINT64_MAX);
    assert_int_equal(shop_audit(shop).totals.leases, 3);
}

static void test_names_run_out(void **unused) {
    struct shop shop;
    cellar_refusal refusal;
    cellar_problem problem;
    (void)unused;
    shop_prepare(&shop);
    shop.config.leases_max = 2;
    shop_open(&shop);
    uint64_t token = acquire(&shop, "one", 1);
    acquire(&shop, "two", 1);
    assert_int_equal(let_go(&shop, "one", token), CELLAR_OK);
    assert_int_equal(cellar_lease_acquire(shop.store, NULL, "three", 1, TTL, NULL, &refusal),
                     CELLAR_STORE_FULL);
    shop_check_refusal(&refusal, CELLAR_STORE_FULL, CELLAR_NO_LINE, 0, 0);
    acquire(&shop, "one", 2);
    shop_close(&shop);
    shop.config.leases_max = 1;
    assert_int_equal(shop_try_open(&shop, &problem), CELLAR_CONFIG_MISMATCH);
    shop.config.leases_max = 3;
    shop_open(&shop);
    assert_int_equal(lease_of(&shop, "one").holder, 2);
    acquire(&shop, "three", 1);
    shop_finish(&shop);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SHOP_TEST(test_one_holder),
        SHOP_TEST(test_time_is_up),
        SHOP_TEST(test_release),
        SHOP_TEST(test_bad_arguments),
        cmocka_unit_test(test_names_run_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
