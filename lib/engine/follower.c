/* The follower: the one thread that applies decided records to derived state, in LSN order; also
 * sweeps, retires what is closed, and runs audits between two records. It comes behind the log
 * writer, and when somebody waits for it, or the disk hangs, goes ahead of that, up to what is
 * published: so nobody who waits for derived state waits for the disk. A follower that lags holds
 * up the reuse of the ring, and so the committers (never the other way). */
#include "engine/engine.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/futex.h"
#include "base/probe.h"
#include "base/thread.h"

/* How long it sleeps when nobody wakes it, and while it lacks memory. */
#define FOLLOWER_IDLE_NS (100 * NANOSECONDS_PER_MILLISECOND)
#define FOLLOWER_NO_MEMORY_NS (5 * NANOSECONDS_PER_MILLISECOND)
/* Records taken at once, and how many times so before `projected` is published. */
#define FOLLOWER_BATCH 16
#define FOLLOWER_BATCHES 16
/* Closed documents retired in a round, and beside them as many as records were applied in it: what
 * is due keeps up with what is made, and a store that is opened after years does not hold up sales.
 */
#define FOLLOWER_RETIRE_MIN 512
/* Records between the second hint and the applying. */
#define FOLLOWER_AHEAD 3

/* `projected` or `written` has advanced. */
static void follower_tell(cellar *engine) {
    ATOMIC_ADD(&engine->listed_epoch, 1, seq_cst);
    /* Sequentially consistent: a waiter counts itself before it looks at the positions. */
    if (ATOMIC_LOAD(&engine->listed_waiters, seq_cst) != 0) {
        futex_wake(&engine->listed_epoch, FUTEX_ALL);
    }
}

static void follower_publish(cellar *engine, uint64_t lsn) {
    commit_advance_projected(engine->commit, lsn);
    follower_tell(engine);
}

/* False when the store is being closed and there is no memory: then nobody will ask for lists any
 * more, and the record is in the log. */
static bool follower_apply(cellar *engine, const struct record_header *record) {
    bool told = false;
    for (;;) {
        enum store_apply_result result = store_apply(engine->store, record);
        if (result == STORE_APPLIED) {
            return true;
        }
        /* A record that was just committed by this very process cannot be broken or over a limit.
         */
        ASSERT(result == STORE_APPLY_NO_MEMORY);
        if (!told) {
            engine_report(engine, CELLAR_REPORT_ERROR,
                          "no memory for lists: commits wait until there is");
            told = true;
        }
        /* Acquire: pairs with the release in follower_stop(). */
        if (ATOMIC_LOAD(&engine->follower_stopping, acquire) != 0) {
            return false;
        }
        clock_sleep_ns(FOLLOWER_NO_MEMORY_NS);
    }
}

/* Takes up to FOLLOWER_BATCH records from `*lsn_in_out` on, asks for the memory that each needs,
 * then applies them and moves on. When the next one is not published, that is the end. False when
 * it had to give up. */
static bool follower_batch(cellar *engine, uint64_t *lsn_in_out, uint64_t *end_in_out,
                           uint32_t *applied) {
    const struct record_header *records[FOLLOWER_BATCH];
    uint64_t lsn = *lsn_in_out;
    uint32_t count = 0;
    for (uint32_t i = 0; i < FOLLOWER_BATCH && lsn < *end_in_out; i++) {
        uint64_t space;
        enum commit_decision decision = commit_follow(engine->commit, lsn, &records[count], &space);
        if (decision == COMMIT_TAKE) {
            store_fetch(engine->store, records[count], false);
            count++;
        } else if (decision != COMMIT_PAD) {
            *end_in_out = lsn;
            break;
        }
        lsn += space;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (i + FOLLOWER_AHEAD < count) {
            store_fetch_more(engine->store, records[i + FOLLOWER_AHEAD], false);
        }
        if (!follower_apply(engine, records[i])) {
            return false;
        }
    }
    *lsn_in_out = lsn;
    *applied += count;
    return true;
}

static void follower_audit(cellar *engine, uint64_t lsn) {
    /* Acquire: pairs with the release in cellar_audit_run(). */
    cellar_audit *wanted = ATOMIC_LOAD(&engine->audit_wanted, acquire);
    if (wanted == NULL) {
        return;
    }
    store_audit(engine->store, lsn, wanted);
    ATOMIC_STORE(&engine->audit_wanted, NULL, relaxed);
    /* Release: pairs with the acquire in cellar_audit_run(). */
    ATOMIC_STORE(&engine->audit_done, 1, release);
    futex_wake(&engine->audit_done, FUTEX_ALL);
}

/* How far to go. Ahead of the log writer when somebody waits for it, or when that has not moved
 * since the follower went to sleep: the disk hangs. */
static uint64_t follower_end(const cellar *engine, uint64_t written, bool hangs) {
    /* Sequentially consistent: who counts himself kicks then. */
    bool ahead = hangs || ATOMIC_LOAD(&engine->listed_waiters, seq_cst) != 0;
    if (!ahead || log_health(engine->log) == CELLAR_FAILED) {
        return written;
    }
    /* Acquire: pairs with the reservation. */
    return ATOMIC_LOAD(&engine->commit->reserved.lsn, acquire);
}

static void *follower_run(void *argument) {
    cellar *engine = argument;
    struct commit *commit = engine->commit;
    uint64_t lsn = ATOMIC_LOAD(&commit->projected.lsn, relaxed);
    uint64_t told_written = lsn;
    for (;;) {
        PROBE("follower-look", lsn);
        /* Read before the log's position: when it says stop, nothing is committed any more. */
        bool stopping = ATOMIC_LOAD(&engine->follower_stopping, acquire) != 0;
        uint64_t written = ATOMIC_LOAD(&commit->written.lsn, acquire);
        uint64_t end = follower_end(engine, written, written == told_written);
        uint32_t applied = 0;
        while (lsn < end) {
            for (uint32_t i = 0; i < FOLLOWER_BATCHES && lsn < end; i++) {
                if (!follower_batch(engine, &lsn, &end, &applied)) {
                    return NULL;
                }
            }
            follower_publish(engine, lsn);
        }
        if (written != told_written) {
            told_written = written;
            follower_tell(engine);
        }
        follower_audit(engine, lsn);
        if (stopping) {
            return NULL;
        }
        int64_t now_ns = engine_now(engine);
        store_sweep(engine->store, now_ns);
        closed_retire(engine->store, now_ns, FOLLOWER_RETIRE_MIN + applied);
        expiry_feed(engine);
        commit_follower_sleep(commit, written, FOLLOWER_IDLE_NS);
    }
}

cellar_status follower_start(cellar *engine) {
    engine->follower_runs = thread_start(&engine->follower, "cellar-follow", follower_run, engine);
    return engine->follower_runs ? CELLAR_OK : CELLAR_OUT_OF_MEMORY;
}

void follower_stop(cellar *engine) {
    if (engine->follower_runs) {
        ATOMIC_STORE(&engine->follower_stopping, 1, release);
        commit_follower_kick(engine->commit);
        pthread_join(engine->follower, NULL);
        engine->follower_runs = false;
    }
}

static bool follower_has_reached(const struct commit *commit, uint64_t lsn, bool file) {
    return ATOMIC_LOAD(&commit->projected.lsn, acquire) > lsn &&
           (!file || ATOMIC_LOAD(&commit->written.lsn, acquire) > lsn);
}

static cellar_status follower_sleep(cellar *engine, uint64_t lsn, bool file, int64_t deadline_ns) {
    for (;;) {
        uint32_t epoch = ATOMIC_LOAD(&engine->listed_epoch, seq_cst);
        if (follower_has_reached(engine->commit, lsn, file)) {
            return CELLAR_OK;
        }
        if (log_health(engine->log) == CELLAR_FAILED) {
            return CELLAR_FAILED;
        }
        int64_t left = deadline_ns == INT64_MIN ? 0 : deadline_ns - clock_monotonic_ns();
        if (left <= 0) {
            return CELLAR_TIMEOUT;
        }
        futex_wait(&engine->listed_epoch, epoch, left < FOLLOWER_IDLE_NS ? left : FOLLOWER_IDLE_NS);
    }
}

static cellar_status follower_await(cellar *engine, uint64_t lsn, bool file, int64_t deadline_ns) {
    if (follower_has_reached(engine->commit, lsn, file)) {
        return CELLAR_OK;
    }
    /* Before it is counted: after a failure nobody goes ahead of the log. */
    if (log_health(engine->log) == CELLAR_FAILED) {
        return CELLAR_FAILED;
    }
    log_hurry(engine->log);
    ATOMIC_ADD(&engine->listed_waiters, 1, seq_cst);
    commit_follower_kick(engine->commit);
    cellar_status status = follower_sleep(engine, lsn, file, deadline_ns);
    ATOMIC_SUB(&engine->listed_waiters, 1, relaxed);
    log_hurry_end(engine->log);
    return status;
}

cellar_status follower_wait(cellar *engine, uint64_t lsn, int64_t deadline_ns) {
    return follower_await(engine, lsn, false, deadline_ns);
}

cellar_status follower_wait_file(cellar *engine, uint64_t lsn) {
    return follower_await(engine, lsn, true, INT64_MAX);
}
