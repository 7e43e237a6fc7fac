#include "limits_wake.h"

#include "base/clock.h"
#include "base/futex.h"

#include <stdlib.h>
#include <string.h>

/* A sleeper looks by itself so often, so that the end is noticed. */
#define WAKE_RECHECK_NS (100 * NANOSECONDS_PER_MILLISECOND)

static void *wake_main(void *argument) {
    struct limits_wake *wake = argument;
    uint32_t mine = atomic_fetch_add(&wake->next, 1);
    _Atomic uint32_t *epoch = &wake->words[mine / LIMITS_WAKE_GROUP].epoch;

    while (!atomic_load(&wake->stop)) {
        uint32_t before = atomic_load(epoch);
        futex_wait(epoch, before, WAKE_RECHECK_NS);
        if (atomic_load(epoch) != before) {
            atomic_fetch_add_explicit(&wake->woken, 1, memory_order_relaxed);
        }
    }
    return NULL;
}

bool limits_wake_start(struct limits_wake *wake, struct limits_disk *disk, uint32_t thread_count) {
    memset(wake, 0, sizeof *wake);
    wake->disk = disk;
    wake->thread_count = thread_count;
    wake->word_count = (thread_count + LIMITS_WAKE_GROUP - 1) / LIMITS_WAKE_GROUP;
    wake->threads = calloc(thread_count, sizeof *wake->threads);
    wake->words = aligned_alloc(64, wake->word_count * sizeof *wake->words);
    if (wake->threads == NULL || wake->words == NULL) {
        return false;
    }
    memset(wake->words, 0, wake->word_count * sizeof *wake->words);
    while (wake->started < thread_count) {
        if (pthread_create(&wake->threads[wake->started], NULL, wake_main, wake) != 0) {
            return false;
        }
        wake->started++;
    }
    return true;
}

static void wake_all(struct limits_wake *wake) {
    for (uint32_t i = 0; i < wake->word_count; i++) {
        atomic_fetch_add(&wake->words[i].epoch, 1);
        futex_wake(&wake->words[i].epoch, FUTEX_ALL);
    }
}

void limits_wake_end(struct limits_wake *wake) {
    atomic_store(&wake->stop, true);
    if (wake->words != NULL) {
        wake_all(wake);
    }
    for (uint32_t i = 0; i < wake->started; i++) {
        pthread_join(wake->threads[i], NULL);
    }
    free(wake->threads);
    free(wake->words);
}

bool limits_wake_rate(void *context, double seconds, double *rate_out) {
    struct limits_wake *wake = context;
    struct limits_disk *disk = wake->disk;
    uint64_t woken = atomic_load(&wake->woken);
    int64_t start_ns = clock_monotonic_ns();
    double elapsed = 0;

    while (elapsed < seconds) {
        double unused;
        /* No time: one write and sync. */
        if (!limits_disk_rate(disk, 0, &unused)) {
            return false;
        }
        wake_all(wake);
        elapsed = (double)(clock_monotonic_ns() - start_ns) / 1e9;
    }
    *rate_out = (double)(atomic_load(&wake->woken) - woken) / elapsed;
    return true;
}
