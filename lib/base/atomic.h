/* The one macro layer over the atomics of the engine.
 *
 * Every shared access of lib/commit and lib/log goes through these, so that a test build can switch
 * threads at each of them (CELLAR_SCHEDULE_POINT). The order is named at every use:
 * ATOMIC_LOAD(&x, acquire). */
#ifndef CELLAR_BASE_ATOMIC_H
#define CELLAR_BASE_ATOMIC_H

#include <stdatomic.h>
#include <stddef.h>

#ifndef CELLAR_SCHEDULE_POINT
#define CELLAR_SCHEDULE_POINT() ((void)0)
#endif

#define ATOMIC_LOAD(object, order)                                                                 \
    (CELLAR_SCHEDULE_POINT(), atomic_load_explicit((object), memory_order_##order))
#define ATOMIC_STORE(object, value, order)                                                         \
    (CELLAR_SCHEDULE_POINT(), atomic_store_explicit((object), (value), memory_order_##order))
#define ATOMIC_ADD(object, value, order)                                                           \
    (CELLAR_SCHEDULE_POINT(), atomic_fetch_add_explicit((object), (value), memory_order_##order))
#define ATOMIC_SUB(object, value, order)                                                           \
    (CELLAR_SCHEDULE_POINT(), atomic_fetch_sub_explicit((object), (value), memory_order_##order))
#define ATOMIC_OR(object, value, order)                                                            \
    (CELLAR_SCHEDULE_POINT(), atomic_fetch_or_explicit((object), (value), memory_order_##order))
#define ATOMIC_EXCHANGE(object, value, order)                                                      \
    (CELLAR_SCHEDULE_POINT(), atomic_exchange_explicit((object), (value), memory_order_##order))
/* On failure *expected holds what was found, read with the order `failure`. */
#define ATOMIC_CAS(object, expected, desired, success, failure)                                    \
    (CELLAR_SCHEDULE_POINT(),                                                                      \
     atomic_compare_exchange_strong_explicit((object), (expected), (desired),                      \
                                             memory_order_##success, memory_order_##failure))

/* Order that ThreadSanitizer cannot see by itself, told by hand: what came before the release of an
 * address happened before what follows its acquire. Nothing in other builds. */
#if defined(__SANITIZE_THREAD__)
#define ATOMIC_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define ATOMIC_SANITIZED 1
#endif
#endif
#ifdef ATOMIC_SANITIZED
void __tsan_acquire(void *address);
void __tsan_release(void *address);
#define ATOMIC_TELL_ACQUIRE(address) __tsan_acquire((void *)(address))
#define ATOMIC_TELL_RELEASE(address) __tsan_release((void *)(address))
#else
#define ATOMIC_TELL_ACQUIRE(address) ((void)(address))
#define ATOMIC_TELL_RELEASE(address) ((void)(address))
#endif

/* A thread that spins tells the core so. */
static inline void atomic_pause(void) {
    CELLAR_SCHEDULE_POINT();
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ __volatile__("yield");
#endif
}

#define CACHE_LINE_BYTES 64

/* A hint: all of it is written soon. Inlined, and the loop gone, where the size is known. */
static inline void cache_fetch_to_write(const void *start, size_t bytes) {
    const char *first = start;
    for (size_t at = 0; at < bytes; at += CACHE_LINE_BYTES) {
        __builtin_prefetch(first + at, 1);
    }
    __builtin_prefetch(first + bytes - 1, 1);
}

#endif
