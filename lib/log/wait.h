/* Waiting for durability.
 *
 * Waiters sleep on one of 256 words, chosen by the range their LSN lies in, so that a sync wakes
 * only those it covers and their neighbours. A no lost wake-up   a waiter whose record is durable,
 * or whose log has failed, does not stay asleep B no false success  OK is returned only for an LSN
 * below `durable` Progress: a waiter blocks; the writer never waits for one. */
#ifndef CELLAR_LOG_WAIT_H
#define CELLAR_LOG_WAIT_H

#include "base/atomic.h"

#include <stdbool.h>
#include <stdint.h>

struct log;

#define WAIT_WORDS 256
/* Bytes of the log that share a word: about 32 small records. */
#define WAIT_RANGE_SHIFT 12

struct wait_word {
    _Alignas(CACHE_LINE_BYTES) _Atomic uint32_t epoch; /* the futex */
    _Atomic uint32_t waiters;
};

struct wait {
    struct wait_word words[WAIT_WORDS];
    _Alignas(CACHE_LINE_BYTES) _Atomic int event;        /* eventfd, -1 while nobody asked for it */
    _Alignas(CACHE_LINE_BYTES) _Atomic uint32_t hurried; /* callers of log_hurry() */
    _Atomic uint32_t rests;                              /* futex: 1 while the writer rests */
};

/* Does the host have the event descriptor? */
static inline bool wait_has_event(const struct wait *wait) {
    return ATOMIC_LOAD(&wait->event, relaxed) >= 0;
}

void wait_create(struct wait *wait);
void wait_destroy(struct wait *wait);
/* The writer: everything below `durable` is on disk; `before` was so at the last call. */
void wait_publish(struct log *log, uint64_t before, uint64_t durable);
/* The writer, after a small batch: rests for a moment, so that the next one grows. False, without a
 * rest, when somebody waits for the disk or for space. */
bool wait_rest(struct log *log);
/* The log has failed: wakes everyone. */
void wait_fail(struct log *log);

#endif
