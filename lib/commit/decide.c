/* What the log writer and the follower ask of the commit: the next decided record, a way past a
 * stopped thread, and sleep. */
#include "commit/ring.h"

#include "base/assert.h"
#include "base/futex.h"
#include "base/probe.h"

/* Does what the owner has not done yet; the state word then. Only this may meet other records, so
 * only this needs a section: the one at `lsn` stays until the caller lets its position pass it. */
static uint64_t decide_finish(struct commit *commit, uint64_t lsn) {
    commit_enter();
    uint64_t word = ATOMIC_LOAD(ring_state(commit, lsn), acquire);
    if (ring_state_kind(word) == COMMIT_OPEN) {
        ATOMIC_ADD(&commit->helped, 1, relaxed);
        resolve_record(commit, lsn);
        word = ATOMIC_LOAD(ring_state(commit, lsn), acquire);
    } else {
        resolve_finish(commit, lsn);
    }
    commit_leave();
    return word;
}

/* Of what has been published at `lsn`, with this state word. */
static enum commit_decision decide_record(struct commit *commit, uint64_t lsn, uint64_t word,
                                          const struct record_header **record_out,
                                          uint64_t *space_out) {
    if ((word & COMMIT_FINISHED) == 0) {
        word = decide_finish(commit, lsn);
    }
    const struct record_header *record = ring_record(commit, lsn);
    *space_out = record_space(record->bytes);
    *record_out = record;
    return ring_state_kind(word) == COMMIT_COMMITTED ? COMMIT_TAKE : COMMIT_PAD;
}

/* Acquires pair with the reservation, and with the owner's publishing: the record's bytes come with
 * its state word. COMMIT_TAKE: there is one. */
static enum commit_decision decide_look(struct commit *commit, uint64_t lsn, uint64_t *word_out) {
    if (lsn == ATOMIC_LOAD(&commit->reserved.lsn, acquire)) {
        return COMMIT_NOTHING;
    }
    *word_out = ATOMIC_LOAD(ring_state(commit, lsn), acquire);
    return ring_state_lsn(*word_out) == lsn ? COMMIT_TAKE : COMMIT_UNPUBLISHED;
}

enum commit_decision commit_decide(struct commit *commit, uint64_t lsn,
                                   const struct record_header **record_out, uint64_t *space_out) {
    uint64_t word;
    enum commit_decision decision = decide_look(commit, lsn, &word);
    if (decision != COMMIT_TAKE) {
        return decision;
    }
    ASSERT(ring_state_kind(word) != COMMIT_DEAD);
    return decide_record(commit, lsn, word, record_out, space_out);
}

enum commit_decision commit_follow(struct commit *commit, uint64_t lsn,
                                   const struct record_header **record_out, uint64_t *space_out) {
    uint64_t word;
    enum commit_decision decision = decide_look(commit, lsn, &word);
    if (decision != COMMIT_TAKE) {
        return decision;
    }
    if (ring_state_kind(word) == COMMIT_DEAD) {
        /* A gap has no length of its own: it is gone through line by line. */
        *space_out = RECORD_LINE_BYTES;
        return COMMIT_PAD;
    }
    return decide_record(commit, lsn, word, record_out, space_out);
}

uint64_t commit_pass_over(struct commit *commit, uint64_t lsn) {
    /* The oracle publishes after it has changed the cells: it cannot be passed over. */
    uint64_t end = commit->oracle ? lsn : ATOMIC_LOAD(&commit->reserved.lsn, acquire);
    uint64_t at = lsn;
    while (at < end) {
        _Atomic uint64_t *state = ring_state(commit, at);
        uint64_t word = ATOMIC_LOAD(state, acquire);
        if (ring_state_lsn(word) == at) {
            break;
        }
        /* The word is of an older lap, or the first line of a record not published yet, or within
         * one. The publisher's own swap from the same word decides who is first. */
        ASSERT(ring_state_lsn(word) < at);
        if (!ATOMIC_CAS(state, &word, at | COMMIT_DEAD, acq_rel, acquire)) {
            break;
        }
        at += RECORD_LINE_BYTES;
    }
    if (at != lsn) {
        ATOMIC_ADD(&commit->dead_gaps, 1, relaxed);
    }
    PROBE("commit-passed-over", lsn);
    return at - lsn;
}

/* One of the two positions that hold back reclaiming has come to `lsn`. */
static void decide_kick_reclaim(struct commit *commit, uint64_t lsn) {
    /* Sequentially consistent: a waiter for space counts itself, then kicks; it sees the position
     * moved or we see it waiting. */
    if (lsn - ATOMIC_LOAD(&commit->reclaimed.lsn, relaxed) >= commit->ring_bytes / 4 ||
        ATOMIC_LOAD(&commit->space_waiters, seq_cst) != 0) {
        reclaim_kick(commit);
    }
}

void commit_advance_written(struct commit *commit, uint64_t lsn) {
    ASSERT(lsn >= ATOMIC_LOAD(&commit->written.lsn, relaxed));
    /* What a reader's snapshot stands on: nothing at or beyond `decided` is reclaimed. */
    ASSERT(lsn <= ATOMIC_LOAD(&commit->decided.lsn, relaxed));
    /* Sequentially consistent: a follower about to sleep sees this, or we see that it sleeps. Also
     * pairs with readers of `written`. */
    ATOMIC_STORE(&commit->written.lsn, lsn, seq_cst);
    if (lsn > ATOMIC_LOAD(&commit->follower_wakes_at, seq_cst)) {
        commit_follower_kick(commit);
    }
    decide_kick_reclaim(commit, lsn);
}

void commit_advance_projected(struct commit *commit, uint64_t lsn) {
    /* Pairs with the acquire of whoever reads derived state after waiting for it. Sequentially
     * consistent for the kick. */
    ATOMIC_STORE(&commit->projected.lsn, lsn, seq_cst);
    if (commit->followed) {
        decide_kick_reclaim(commit, lsn);
    }
}

/* *epoch_seen is the sleeper's own: the epoch as of the end of its last sleep. A kick since then,
 * while it was awake and perhaps just past the check of what it was kicked for, makes this sleep
 * return at once. */
static void decide_sleep(_Atomic uint32_t *epoch, uint32_t *epoch_seen, _Atomic uint64_t *wakes_at,
                         const _Atomic uint64_t *position, uint64_t lsn, int64_t timeout_ns) {
    ATOMIC_STORE(wakes_at, lsn, seq_cst);
    /* Sequentially consistent: pairs with the other side, which moves the position first and looks
     * at `wakes_at` then. */
    if (ATOMIC_LOAD(position, seq_cst) <= lsn) {
        futex_wait(epoch, *epoch_seen, timeout_ns);
    }
    ATOMIC_STORE(wakes_at, COMMIT_AWAKE, relaxed);
    *epoch_seen = ATOMIC_LOAD(epoch, seq_cst);
}

void commit_writer_sleep(struct commit *commit, uint64_t wakes_at, int64_t timeout_ns) {
    decide_sleep(&commit->writer_epoch, &commit->writer_epoch_seen, &commit->writer_wakes_at,
                 &commit->reserved.lsn, wakes_at, timeout_ns);
}

void commit_writer_kick(struct commit *commit) {
    /* Committers do not elect one of them for the system call: preempted before it, that one would
     * leave the writer asleep, and durability of all would wait for it (rule 4). Each that still
     * sees the writer asleep makes the call. */
    ATOMIC_ADD(&commit->writer_epoch, 1, seq_cst);
    futex_wake(&commit->writer_epoch, 1);
}

void commit_follower_sleep(struct commit *commit, uint64_t wakes_at, int64_t timeout_ns) {
    decide_sleep(&commit->follower_epoch, &commit->follower_epoch_seen, &commit->follower_wakes_at,
                 &commit->written.lsn, wakes_at, timeout_ns);
}

void commit_follower_kick(struct commit *commit) {
    ATOMIC_ADD(&commit->follower_epoch, 1, seq_cst);
    futex_wake(&commit->follower_epoch, 1);
}
