/* The log writer's part in a test: decides, passes over, takes the history, gives space back.
 *
 * Step by step on the test's own thread, or on a thread of its own. Nothing is written anywhere;
 * the log has space for ever unless the test says otherwise. */
#ifndef CELLAR_TESTS_SUPPORT_COMMIT_DRAIN_H
#define CELLAR_TESTS_SUPPORT_COMMIT_DRAIN_H

#include "support/commit_history.h"

#include <pthread.h>

struct commit_drain {
    struct commit *commit;
    struct commit_history history; /* committed records, in LSN order */
    struct commit_model *model;    /* not NULL: replays and forgets the history as it grows */
    int64_t patience_ns;           /* how long an unpublished record may stand in the way */
    int64_t nap_ns;  /* not 0: sleeps so long after each batch, so that the ring fills */
    uint64_t taken;  /* committed records */
    uint64_t padded; /* aborted ones */
    uint64_t gaps;
    uint64_t taken_mark;  /* sum of commit_drain_mark() of their LSNs */
    uint64_t padded_mark; /* likewise */
    pthread_t thread;
    unsigned name; /* for gates; 0 for none */
    _Atomic int stopping;
};

/* Mixes an LSN, so that equal sums mean equal sets. */
uint64_t commit_drain_mark(uint64_t lsn);

/* Decides what is at `decided`; false when nothing could be decided (nothing reserved, or not
 * published yet). Advances `decided` only. */
bool commit_drain_step(struct commit_drain *drain);
/* Steps as far as it goes, then advances `written`, `durable` and `projected` to `decided`. */
void commit_drain_all(struct commit_drain *drain);

void commit_drain_start(struct commit_drain *drain);
/* All committers are done: takes the rest and ends the thread. */
void commit_drain_stop(struct commit_drain *drain);

#endif
