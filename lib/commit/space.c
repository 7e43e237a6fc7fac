/* Space in the ring: reserving it, waiting for it, holding back for a wide transaction. */
#include "commit/ring.h"

#include "base/clock.h"
#include "base/futex.h"
#include "base/probe.h"

/* How long a waiter or holder-back sleeps before it looks again by itself. */
#define SPACE_RECHECK_NS (20 * NANOSECONDS_PER_MILLISECOND)
#define SPACE_COURTESY_NAP_NS (50 * 1000)

uint64_t space_reserve(struct commit *commit, uint64_t space) {
    uint64_t at = ATOMIC_LOAD(&commit->reserved.lsn, relaxed);
    do {
        /* Acquire: pairs with the release in space_raise_limit(); the grace periods that freed the
         * space come before our writing. */
        if (at + space > ATOMIC_LOAD(&commit->limit.lsn, acquire)) {
            return 0;
        }
        /* Sequentially consistent: the log writer, about to sleep, must see this or we must see
         * that it sleeps (commit_try). */
    } while (!ATOMIC_CAS(&commit->reserved.lsn, &at, at + space, seq_cst, relaxed));
    return at;
}

void space_wake(struct commit *commit) {
    ATOMIC_ADD(&commit->space_epoch, 1, seq_cst);
    if (ATOMIC_LOAD(&commit->space_waiters, seq_cst) != 0) {
        futex_wake(&commit->space_epoch, FUTEX_ALL);
    }
}

void space_raise_limit(struct commit *commit) {
    /* Sequentially consistent, as are the stores before the call: of two threads that raise one
     * position each, the later sees both. */
    uint64_t ring_end = ATOMIC_LOAD(&commit->reclaimed.lsn, seq_cst) + commit->ring_bytes;
    uint64_t disk_end = ATOMIC_LOAD(&commit->disk_end.lsn, seq_cst);
    uint64_t limit = ring_end < disk_end ? ring_end : disk_end;
    uint64_t current = ATOMIC_LOAD(&commit->limit.lsn, relaxed);
    while (current < limit) {
        if (ATOMIC_CAS(&commit->limit.lsn, &current, limit, seq_cst, relaxed)) {
            space_wake(commit);
            return;
        }
    }
}

bool commit_wait_space(struct commit *commit, uint64_t bytes, int64_t deadline_ns) {
    uint64_t space = record_space(bytes);
    for (;;) {
        uint32_t epoch = ATOMIC_LOAD(&commit->space_epoch, seq_cst);
        if (ATOMIC_LOAD(&commit->stopped, acquire) != 0) {
            return false;
        }
        if (ATOMIC_LOAD(&commit->reserved.lsn, relaxed) + space <=
            ATOMIC_LOAD(&commit->limit.lsn, acquire)) {
            return true;
        }
        if (deadline_ns == INT64_MIN) {
            return false;
        }
        int64_t now = clock_monotonic_ns();
        if (deadline_ns <= now) {
            return false;
        }
        int64_t left = deadline_ns - now;
        ATOMIC_ADD(&commit->space_waiters, 1, seq_cst);
        reclaim_kick(commit);
        futex_wait(&commit->space_epoch, epoch, left < SPACE_RECHECK_NS ? left : SPACE_RECHECK_NS);
        ATOMIC_SUB(&commit->space_waiters, 1, seq_cst);
    }
}

void commit_hold_back(struct commit *commit, bool mine) {
    int64_t until = ATOMIC_LOAD(&commit->courtesy_until_ns, relaxed);
    if (until == 0 || mine) {
        return;
    }
    while (clock_monotonic_ns() < until &&
           ATOMIC_LOAD(&commit->courtesy_until_ns, relaxed) == until) {
        PROBE("hold-back", 0);
        clock_sleep_ns(SPACE_COURTESY_NAP_NS);
    }
}

int64_t commit_courtesy_ask(struct commit *commit, int64_t needed_ns) {
    int64_t now = clock_monotonic_ns();
    int64_t current = ATOMIC_LOAD(&commit->courtesy_until_ns, relaxed);
    if (current != 0 && now < current) {
        return 0;
    }
    int64_t lasts_ns = needed_ns;
    if (lasts_ns < COMMIT_COURTESY_MIN_NS) {
        lasts_ns = COMMIT_COURTESY_MIN_NS;
    } else if (lasts_ns > COMMIT_COURTESY_MAX_NS) {
        lasts_ns = COMMIT_COURTESY_MAX_NS;
    }
    int64_t until = now + lasts_ns;
    /* Relaxed: a hint, nothing is published by it. */
    return ATOMIC_CAS(&commit->courtesy_until_ns, &current, until, relaxed, relaxed) ? until : 0;
}

void commit_courtesy_release(struct commit *commit, int64_t granted) {
    int64_t expected = granted;
    ATOMIC_CAS(&commit->courtesy_until_ns, &expected, 0, relaxed, relaxed);
}

void commit_advance_disk_end(struct commit *commit, uint64_t lsn) {
    ATOMIC_STORE(&commit->disk_end.lsn, lsn, seq_cst);
    space_raise_limit(commit);
}
