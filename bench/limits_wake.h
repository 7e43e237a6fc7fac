/* What threads that each sleep until the disk has their record can reach at best: one write and
 * fdatasync for all, then one wake-up each; nothing else is done. */
#ifndef BENCH_LIMITS_WAKE_H
#define BENCH_LIMITS_WAKE_H

#include "limits.h"

#include <pthread.h>
#include <stdatomic.h>

/* Threads that sleep on one word. */
#define LIMITS_WAKE_GROUP 16

struct limits_wake_word {
    _Alignas(64) _Atomic uint32_t epoch;
};

struct limits_wake {
    struct limits_disk *disk;
    uint32_t thread_count;
    uint32_t started;
    uint32_t word_count;
    pthread_t *threads;
    struct limits_wake_word *words;
    _Atomic uint64_t woken;
    _Atomic uint32_t next;
    _Atomic bool stop;
};

/* `disk` writes what all threads together write. False when there is no memory or no thread. Ends
 * with limits_wake_end(). */
bool limits_wake_start(struct limits_wake *wake, struct limits_disk *disk, uint32_t thread_count);
void limits_wake_end(struct limits_wake *wake);
/* For measure_add_rate(): wake-ups a second. */
bool limits_wake_rate(void *context, double seconds, double *rate_out);

#endif
