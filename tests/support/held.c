#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/held.h"

#include "base/clock.h"
#include "base/probe.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#define NAP_NS NANOSECONDS_PER_MILLISECOND

static const char *held_point;
static _Atomic bool holding;
static _Atomic bool held;

static void hold(const char *point, uint64_t lsn) {
    (void)lsn;
    if (strcmp(point, held_point) == 0) {
        while (holding) {
            held = true;
            clock_sleep_ns(NAP_NS);
        }
    }
}

void held_begin(struct shop *shop, const char *point) {
    shop_settle(shop);
    held_point = point;
    holding = true;
    held = false;
    atomic_store(&probe_installed, hold);
    assert_int_equal(cellar_lease_acquire(shop->store, NULL, "held", 1, 1, NULL, NULL), CELLAR_OK);
    while (!held) {
        clock_sleep_ns(NAP_NS);
    }
}

void held_end(void) {
    holding = false;
    atomic_store(&probe_installed, NULL);
}

struct waiting {
    struct shop *shop;
    cellar_status (*call)(struct shop *shop);
    cellar_status status;
    _Atomic bool returned;
};

static void *waiting_run(void *argument) {
    struct waiting *waiting = argument;
    waiting->status = waiting->call(waiting->shop);
    waiting->returned = true;
    return NULL;
}

cellar_status held_end_during(struct shop *shop, cellar_status (*call)(struct shop *shop)) {
    struct waiting waiting = {.shop = shop, .call = call};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, waiting_run, &waiting), 0);
    while (ATOMIC_LOAD(&shop->store->listed_waiters, seq_cst) == 0 && !waiting.returned) {
        clock_sleep_ns(NAP_NS);
    }
    bool returned = waiting.returned;
    held_end();
    assert_int_equal(pthread_join(thread, NULL), 0);
    /* It would have tested nothing. */
    assert_false(returned);
    return waiting.status;
}
