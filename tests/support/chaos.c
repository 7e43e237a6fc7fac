#include "support/chaos.h"

#include "base/clock.h"
#include "base/probe.h"
#include "support/random.h"

#include <sched.h>
#include <stdatomic.h>
#include <stddef.h>

#define CHAOS_NAP_MAX_NS (200 * 1000)

static _Atomic uint32_t chaos_yields;
static _Atomic uint32_t chaos_sleeps;

#ifdef CELLAR_PROBES

static void chaos_hit(const char *point, uint64_t argument) {
    static _Atomic uint64_t seed;
    static _Thread_local struct random random;

    (void)point;
    (void)argument;
    if (random.state == 0) {
        random.state = atomic_fetch_add(&seed, UINT64_C(0x9e3779b9)) | 1;
    }
    uint64_t dice = random_below(&random, 4096);
    uint32_t yields = atomic_load_explicit(&chaos_yields, memory_order_relaxed);
    if (dice < yields) {
        (void)sched_yield();
    } else if (dice < yields + atomic_load_explicit(&chaos_sleeps, memory_order_relaxed)) {
        clock_sleep_ns((int64_t)random_below(&random, CHAOS_NAP_MAX_NS));
    }
}

static void chaos_install(probe_function *function) {
    atomic_store(&probe_installed, function);
}

#else

#define chaos_hit NULL
#define chaos_install(function) ((void)(function))

#endif

void chaos_start(uint32_t yields, uint32_t sleeps) {
    atomic_store(&chaos_yields, yields);
    atomic_store(&chaos_sleeps, sleeps);
    chaos_install(chaos_hit);
}

void chaos_stop(void) {
    chaos_install(NULL);
}
