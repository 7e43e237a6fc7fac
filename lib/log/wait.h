/* Waiting for durability.
 *
 * Waiters sleep on one of 256 words, chosen by the range their LSN lies in, so that a sync wakes
 * only those it covers and their neighbours. A no lost wake-up   a waiter whose record is durable,
 * or whose log has failed, does not stay asleep B no false success  OK is returned only for an LSN
 * below `durable` Progress: a waiter blocks; the writer never waits for one. */
#ifndef CELLAR_LOG_WAIT_H
#define CELLAR_LOG_WAIT_H

#include "base/atomic.h"
#include "base/clock.h"

#include <stdbool.h>
#include <stdint.h>

struct log;

#define WAIT_WORDS 256
/* Bytes of the log that share a word: about 32 small records. */
#define WAIT_RANGE_SHIFT 12
/* From so many waiting threads on they are a crowd: see wait_turns() and writer_crowd(). */
#define WAIT_CROWD_MIN 32
/* Turns that a waiter of a crowd gives to the others before it sleeps. */
#define WAIT_TURNS_MAX 4
/* A turn that comes back later than this, and so much for each of the crowd, is slow. */
#define WAIT_TURN_NS NANOSECONDS_PER_MILLISECOND
#define WAIT_TURN_EACH_NS 4000
/* A slow turn weighs as much as so many that are not. With so much for each of the crowd, more than
 * one stall of all of them, nobody gives turns for so long. */
#define WAIT_SLOW_WEIGHT 2
#define WAIT_SLOW_EACH_MAX 4
#define WAIT_NO_TURNS_NS (250 * NANOSECONDS_PER_MILLISECOND)

struct wait_word {
    _Alignas(CACHE_LINE_BYTES) _Atomic uint32_t epoch; /* the futex */
    _Atomic uint32_t waiters;
};

struct wait {
    struct wait_word words[WAIT_WORDS];
    _Alignas(CACHE_LINE_BYTES) _Atomic int event;        /* eventfd, -1 while nobody asked for it */
    _Alignas(CACHE_LINE_BYTES) _Atomic uint32_t waiting; /* callers of log_wait() */
    _Atomic uint32_t hurried;                            /* callers of log_hurry() */
    _Atomic uint32_t rests;                              /* futex: 1 while the writer rests */
    _Alignas(CACHE_LINE_BYTES) _Atomic int64_t turns_from_ns; /* until then nobody gives turns */
    _Atomic uint32_t slowness; /* weight of slow turns, less those that were not */
};

/* Does the host have the event descriptor? */
static inline bool wait_has_event(const struct wait *wait) {
    return ATOMIC_LOAD(&wait->event, relaxed) >= 0;
}

/* Does anybody wait for something else than durability? */
static inline bool wait_is_hurried(const struct wait *wait) {
    return ATOMIC_LOAD(&wait->hurried, seq_cst) != 0;
}

/* Threads that wait for durability. */
static inline uint32_t wait_crowd(const struct wait *wait) {
    return ATOMIC_LOAD(&wait->waiting, seq_cst);
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
