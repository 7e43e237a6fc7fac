/* Reclaiming ring space, and memory that readers may still look at: one thread that does nothing
 * else and never commits.
 *
 * Space is given back two grace periods after the log writer has finished and copied the records in
 * it (rule 2): when the first is over no late helper is left that could plant a claim of one of
 * them, when the second is over no reader is left that has seen such a plant. The two are
 * pipelined: each grace period is the first for what was written before it and the second for what
 * was so one step ago. */
#include "commit/ring.h"

#include "base/assert.h"
#include "base/futex.h"
#include "base/probe.h"
#include "base/thread.h"

/* A ring filled to a quarter is worth a grace period; so is memory that has waited this long. */
#define RECLAIM_SHARE 4
#define RECLAIM_DEFER_NS (20 * NANOSECONDS_PER_MILLISECOND)

struct commit_reclaimer {
    pthread_t thread;
    _Atomic uint32_t stopping;
};

void commit_defer(struct commit *commit, struct commit_deferred *deferred) {
    if (commit->reclaimer == NULL) {
        /* Recovery: there are no readers yet. */
        deferred->release(deferred, commit->memory);
        return;
    }
    struct commit_deferred *head = ATOMIC_LOAD(&commit->deferred, relaxed);
    do {
        deferred->next = head;
        /* Release: pairs with the acquire in reclaim_release(). */
    } while (!ATOMIC_CAS(&commit->deferred, &head, deferred, release, relaxed));
    if (head == NULL) {
        reclaim_kick(commit);
    }
}

static void reclaim_release(struct commit *commit, struct commit_deferred *deferred) {
    while (deferred != NULL) {
        struct commit_deferred *next = deferred->next;
        deferred->release(deferred, commit->memory);
        deferred = next;
    }
}

/* Everything below is out of the cells, copied, and applied. */
static uint64_t reclaim_frontier(const struct commit *commit) {
    uint64_t frontier = ATOMIC_LOAD(&commit->written.lsn, acquire);
    if (commit->followed) {
        uint64_t projected = ATOMIC_LOAD(&commit->projected.lsn, acquire);
        frontier = projected < frontier ? projected : frontier;
    }
    return frontier;
}

/* One grace period; gives back what had its first before. */
static void reclaim_step(struct commit *commit) {
    uint64_t second = ATOMIC_LOAD(&commit->retiring.lsn, relaxed);
    uint64_t first = reclaim_frontier(commit);
    ASSERT(first >= second);
    struct commit_deferred *deferred = ATOMIC_EXCHANGE(&commit->deferred, NULL, acquire);
    /* Before the grace period begins: see commit_record(). */
    ATOMIC_STORE(&commit->retiring.lsn, first, seq_cst);
    commit_grace_period();
    reclaim_release(commit, deferred);
    ATOMIC_STORE(&commit->reclaimed.lsn, second, seq_cst);
    space_raise_limit(commit);
}

static bool reclaim_wanted(const struct commit *commit) {
    uint64_t reclaimed = ATOMIC_LOAD(&commit->reclaimed.lsn, relaxed);
    uint64_t frontier = reclaim_frontier(commit);
    if (frontier == reclaimed) {
        return false;
    }
    return ATOMIC_LOAD(&commit->space_waiters, seq_cst) != 0 ||
           frontier - reclaimed >= commit->ring_bytes / RECLAIM_SHARE;
}

static void *reclaim_run(void *argument) {
    struct commit *commit = argument;
    for (;;) {
        /* Before the look whether to stop, or the kick that comes with that could be slept over. */
        uint32_t epoch = ATOMIC_LOAD(&commit->reclaim_epoch, seq_cst);
        /* Acquire: pairs with the release in reclaim_stop(). */
        if (ATOMIC_LOAD(&commit->reclaimer->stopping, acquire) != 0) {
            break;
        }
        PROBE("reclaim-goes-on", epoch);
        if (reclaim_wanted(commit)) {
            reclaim_step(commit);
            continue;
        }
        bool deferred = ATOMIC_LOAD(&commit->deferred, relaxed) != NULL;
        futex_wait(&commit->reclaim_epoch, epoch, deferred ? RECLAIM_DEFER_NS : -1);
        if (deferred) {
            reclaim_step(commit);
        }
    }
    return NULL;
}

void reclaim_kick(struct commit *commit) {
    ATOMIC_ADD(&commit->reclaim_epoch, 1, seq_cst);
    futex_wake(&commit->reclaim_epoch, 1);
}

cellar_status reclaim_start(struct commit *commit) {
    struct commit_reclaimer *reclaimer =
        memory_allocate_zeroed(commit->memory, MEMORY_ENGINE, sizeof *reclaimer);
    if (reclaimer == NULL) {
        return CELLAR_OUT_OF_MEMORY;
    }
    commit->reclaimer = reclaimer;
    if (!thread_start(&reclaimer->thread, "cellar-reclaim", reclaim_run, commit)) {
        memory_release(commit->memory, MEMORY_ENGINE, reclaimer, sizeof *reclaimer);
        commit->reclaimer = NULL;
        return CELLAR_OUT_OF_MEMORY;
    }
    return CELLAR_OK;
}

void reclaim_stop(struct commit *commit) {
    if (commit->reclaimer != NULL) {
        ATOMIC_STORE(&commit->reclaimer->stopping, 1, release);
        reclaim_kick(commit);
        pthread_join(commit->reclaimer->thread, NULL);
        memory_release(commit->memory, MEMORY_ENGINE, commit->reclaimer, sizeof *commit->reclaimer);
        commit->reclaimer = NULL;
    }
    reclaim_release(commit, ATOMIC_EXCHANGE(&commit->deferred, NULL, acquire));
}
