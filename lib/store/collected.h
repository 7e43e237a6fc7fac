/* What collecting accounts have collected, and by which records.
 *
 * A payment does not touch the cells of a collecting account, so nothing links those payments
 * through the log. The thread that follows the log adds them up, and remembers for each stretch of
 * the log in which the account was paid where it begins and ends, and what had been collected
 * before. Whoever asks for the past reads one stretch of the log, at most COLLECTED_STRETCH_BYTES
 * and a record.
 *
 * Stretches are added at the end and stay: readers need no lock. Memory: 24 bytes for each stretch,
 * so at most for each payment, and for 1 MiB of log when the account is paid all the time. */
#ifndef CELLAR_STORE_COLLECTED_H
#define CELLAR_STORE_COLLECTED_H

#include "base/atomic.h"
#include "base/memory.h"

#include <stdbool.h>
#include <stdint.h>

/* A payment further away from the first one of its stretch begins another. */
#define COLLECTED_STRETCH_BYTES (UINT64_C(1) << 20)

struct collected_stretch {
    uint64_t first_lsn; /* of the records that paid the account */
    uint64_t before;    /* collected by the ones before, ever, modulo 2^64 */
    _Atomic uint64_t last_lsn;
};

/* Some stretches, in rising order, behind those of `older`. */
struct collected_block {
    struct collected_block *older;
    uint32_t capacity;
    _Atomic uint32_t count;
    struct collected_stretch stretches[];
};

/* Of a collecting account; derived. It changes with every payment, and lies apart from the account
 * so that those who pay need not look at it. */
struct store_collected {
    _Atomic uint64_t sum; /* all that it has collected, ever, modulo 2^64 */
    uint64_t settled;     /* the following thread's: the same of what was settled */
    _Atomic(struct collected_block *) newest;
};

/* The following thread: makes sure that collected_add() for the same record needs no memory. False:
 * there is none, and nothing changed. */
bool collected_reserve(struct store_collected *collected, struct memory *memory, uint64_t lsn);
/* The following thread, in LSN order: the record at `lsn` pays the account `amount` (> 0). */
void collected_add(struct store_collected *collected, uint64_t lsn, int64_t amount);
/* The following thread: whether the stretches rise, in the log and in what was collected, up to the
 * sum. For the audit. */
bool collected_is_sound(const struct store_collected *collected);
void collected_destroy(struct store_collected *collected, struct memory *memory);

/* A stretch as readers see it. */
struct collected_view {
    uint64_t first_lsn; /* 0: there is none */
    uint64_t last_lsn;
    uint64_t before;
};

/* Whether the record at `lsn`, the first of a stretch, is still of the time that is asked for. */
typedef bool collected_is_past(void *context, uint64_t lsn);
/* Any thread: the last stretch that begins in the past. It has all payments from there on up to any
 * record that had been followed when the call began and comes before the stretch after it. */
struct collected_view collected_find(const struct store_collected *collected,
                                     collected_is_past *is_past, void *context);

#endif
