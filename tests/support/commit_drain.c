/* Plays the log writer. */
#include "support/commit_drain.h"

#include "support/commit_gate.h"

#include "base/assert.h"
#include "base/clock.h"

#include <stdio.h>

/* Records between two moves of `written`, at most. */
#define DRAIN_BATCH 64
#define DRAIN_SLEEP_NS (2 * NANOSECONDS_PER_MILLISECOND)
#define DRAIN_HISTORY_WORDS ((size_t)1 << 20)

uint64_t commit_drain_mark(uint64_t lsn) {
    uint64_t z = lsn * UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static void drain_replay(struct commit_drain *drain) {
    const char *problem = commit_history_replay(&drain->history, drain->model);

    if (problem != NULL) {
        (void)fprintf(stderr, "history: %s\n", problem);
    }
    ASSERT(problem == NULL);
    commit_history_clear(&drain->history);
}

static void drain_take(struct commit_drain *drain, const struct record_header *record,
                       uint64_t lsn) {
    uint64_t available = drain->commit->ring_bytes / COMMIT_RING_SHARE;
    bool valid = record_validate(record, lsn, available);

    /* The same check that runs before a record is written to disk. */
    ASSERT(valid);
    commit_history_append(&drain->history, record);
    drain->taken++;
    drain->taken_mark += commit_drain_mark(lsn);
    if (drain->model != NULL && drain->history.used > DRAIN_HISTORY_WORDS) {
        drain_replay(drain);
    }
}

static uint64_t drain_decided(const struct commit_drain *drain) {
    return ATOMIC_LOAD(&drain->commit->decided.lsn, relaxed);
}

static void drain_advance_decided(struct commit_drain *drain, uint64_t lsn) {
    /* Release: pairs with commit_snapshot(). */
    ATOMIC_STORE(&drain->commit->decided.lsn, lsn, release);
}

bool commit_drain_step(struct commit_drain *drain) {
    const struct record_header *record = NULL;
    uint64_t space = 0;
    uint64_t lsn = drain_decided(drain);

    switch (commit_decide(drain->commit, lsn, &record, &space)) {
    case COMMIT_TAKE:
        drain_take(drain, record, lsn);
        break;
    case COMMIT_PAD:
        drain->padded++;
        drain->padded_mark += commit_drain_mark(lsn);
        break;
    case COMMIT_NOTHING:
    case COMMIT_UNPUBLISHED:
    default:
        return false;
    }
    drain_advance_decided(drain, lsn + space);
    return true;
}

static void drain_publish(struct commit_drain *drain) {
    uint64_t lsn = drain_decided(drain);

    if (lsn == ATOMIC_LOAD(&drain->commit->written.lsn, relaxed)) {
        return;
    }
    ATOMIC_STORE(&drain->commit->durable.lsn, lsn, release);
    commit_advance_projected(drain->commit, lsn);
    commit_advance_written(drain->commit, lsn);
}

void commit_drain_all(struct commit_drain *drain) {
    while (commit_drain_step(drain)) {
    }
    drain_publish(drain);
}

/* Somebody reserved and does not publish: waits a while, then passes over (rule 4). */
static void drain_stuck(struct commit_drain *drain, int64_t *since_ns) {
    int64_t now_ns = clock_monotonic_ns();

    if (*since_ns == 0) {
        *since_ns = now_ns;
    }
    if (now_ns - *since_ns < drain->patience_ns) {
        atomic_pause();
        return;
    }
    uint64_t lsn = drain_decided(drain);
    uint64_t gap = commit_pass_over(drain->commit, lsn);
    drain->gaps += gap != 0;
    drain_advance_decided(drain, lsn + gap);
    *since_ns = 0;
}

static void *drain_run(void *argument) {
    struct commit_drain *drain = argument;
    struct commit *commit = drain->commit;
    int64_t stuck_since_ns = 0;

    commit_gate_name(drain->name);
    for (;;) {
        int taken = 0;
        while (taken < DRAIN_BATCH && commit_drain_step(drain)) {
            taken++;
            stuck_since_ns = 0;
        }
        drain_publish(drain);
        if (drain->nap_ns != 0 && taken != 0) {
            clock_sleep_ns(drain->nap_ns);
        }
        uint64_t decided = drain_decided(drain);
        if (decided != ATOMIC_LOAD(&commit->reserved.lsn, acquire)) {
            if (taken == 0) {
                drain_stuck(drain, &stuck_since_ns);
            }
        } else if (atomic_load(&drain->stopping) != 0) {
            return NULL;
        } else {
            commit_writer_sleep(commit, decided, DRAIN_SLEEP_NS);
        }
    }
}

void commit_drain_start(struct commit_drain *drain) {
    atomic_store(&drain->stopping, 0);
    int failed = pthread_create(&drain->thread, NULL, drain_run, drain);
    ASSERT(failed == 0);
}

void commit_drain_stop(struct commit_drain *drain) {
    atomic_store(&drain->stopping, 1);
    commit_writer_kick(drain->commit);
    int failed = pthread_join(drain->thread, NULL);
    ASSERT(failed == 0);
    if (drain->model != NULL) {
        drain_replay(drain);
    }
}
