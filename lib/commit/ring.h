/* Inside lib/commit: where an LSN lies in the ring and in the state words. */
#ifndef CELLAR_COMMIT_RING_H
#define CELLAR_COMMIT_RING_H

#include "commit/commit.h"

#define RING_LSN_MASK (~(uint64_t)(RECORD_LINE_BYTES - 1))

static inline struct record_header *ring_record(const struct commit *commit, uint64_t lsn) {
    return (struct record_header *)(void *)(commit->ring + (lsn & commit->ring_mask));
}

/* Lines that follow one another have their state words on different cache lines: the line number is
 * rotated by three bits. */
static inline _Atomic uint64_t *ring_state(const struct commit *commit, uint64_t lsn) {
    uint64_t line = (lsn / RECORD_LINE_BYTES) & commit->line_mask;
    uint64_t place = ((line << 3) | (line >> commit->line_shift)) & commit->line_mask;
    return &commit->states[place];
}

static inline uint64_t ring_state_lsn(uint64_t word) {
    return word & RING_LSN_MASK;
}

static inline enum commit_state ring_state_kind(uint64_t word) {
    return (enum commit_state)(word & COMMIT_STATE_MASK);
}

/* resolve.c. Inside a section: drives the published record at `lsn` to a decision and takes it out
 * of all its cells. */
void resolve_record(struct commit *commit, uint64_t lsn);
/* Takes a decided record out of its cells. */
void resolve_finish(struct commit *commit, uint64_t lsn);

/* space.c. Reserves `space` bytes; 0 when there is no room. */
uint64_t space_reserve(struct commit *commit, uint64_t space);
void space_raise_limit(struct commit *commit);
/* Wakes all who wait for space. */
void space_wake(struct commit *commit);

/* reclaim.c */
cellar_status reclaim_start(struct commit *commit);
void reclaim_stop(struct commit *commit);
void reclaim_kick(struct commit *commit);

#endif
