/* Does closing end a thread of the store that has just found that it is not to end, and is about to
 * sleep until somebody wakes it? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/futex.h"
#include "base/probe.h"
#include "log/state.h"
#include "support/shop.h"

#include <string.h>

static struct {
    const char *point;      /* where the thread is stopped */
    _Atomic uint32_t *word; /* what it would sleep on */
    atomic_bool there;
} stop;

/* Until it has been kicked, which is all that closing does for it. */
static void stop_until_kicked(const char *point, uint64_t argument) {
    if (strcmp(point, stop.point) != 0) {
        return;
    }
    uint32_t epoch = atomic_load(stop.word);
    (void)argument;
    atomic_store(&stop.there, true);
    while (atomic_load(stop.word) == epoch) {
        clock_sleep_ns(NANOSECONDS_PER_MILLISECOND);
    }
}

/* Hangs if it does not. */
static void check_closes(const char *point, _Atomic uint32_t *word, struct shop *shop) {
    stop.point = point;
    stop.word = word;
    atomic_store(&stop.there, false);
    atomic_store(&probe_installed, stop_until_kicked);
    while (!atomic_load(&stop.there)) {
        atomic_fetch_add(word, 1);
        futex_wake(word, FUTEX_ALL);
        clock_sleep_ns(10 * NANOSECONDS_PER_MILLISECOND);
    }
    shop_close(shop);
    atomic_store(&probe_installed, NULL);
    shop_open(shop);
}

static void test_preparing(void **state) {
    struct shop *shop = *state;
    check_closes("prepare-goes-on", &shop->store->log->prepare.epoch, shop);
}

static void test_reclaiming(void **state) {
    struct shop *shop = *state;
    check_closes("reclaim-goes-on", &shop->store->commit->reclaim_epoch, shop);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SHOP_TEST(test_preparing),
        SHOP_TEST(test_reclaiming),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
