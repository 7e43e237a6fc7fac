/* Waiting, retrying, and looking at the store as a whole. */
#include "engine/engine.h"

#include "base/clock.h"
#include "base/futex.h"

#define WHOLE_VERSION "0.1.0"
#define RETRY_ATTEMPTS_DEFAULT 8
#define RETRY_NAP_MIN_NS (50 * 1000)
#define RETRY_NAP_MAX_NS (10 * NANOSECONDS_PER_MILLISECOND)

const char *cellar_version_string(void) {
    return WHOLE_VERSION;
}

const char *cellar_status_name(cellar_status status) {
    switch (status) {
#define WHOLE_STATUS_NAME(number, name, sentence)                                                  \
    case CELLAR_##name:                                                                            \
        return #name;
        CELLAR_STATUS_TABLE(WHOLE_STATUS_NAME)
    default:
        return "UNKNOWN";
    }
}

const char *cellar_status_text(cellar_status status) {
    switch (status) {
#define WHOLE_STATUS_TEXT(number, name, sentence)                                                  \
    case CELLAR_##name:                                                                            \
        return sentence;
        CELLAR_STATUS_TABLE(WHOLE_STATUS_TEXT)
    default:
        return "this number is no status of cellar";
    }
}

bool cellar_status_is_refusal(cellar_status status) {
    return (int)status >= 1 && (int)status <= 99;
}

/* ---- Waiting ---- */

static bool whole_known_lsn(const cellar *engine, uint64_t lsn) {
    return lsn != 0 && lsn % RECORD_LINE_BYTES == 0 &&
           lsn < ATOMIC_LOAD(&engine->commit->reserved.lsn, acquire);
}

cellar_status cellar_wait(cellar *store, uint64_t lsn, int64_t timeout_ms) {
    struct engine_call guard;
    cellar_status status = engine_enter(&guard, store);
    if (status != CELLAR_OK) {
        return status;
    }
    status = whole_known_lsn(store, lsn) ? log_wait(store->log, lsn, engine_deadline(timeout_ms))
                                         : CELLAR_INVALID_ARGUMENT;
    engine_leave(&guard);
    return status;
}

cellar_status cellar_wait_listed(cellar *store, uint64_t lsn, int64_t timeout_ms) {
    struct engine_call guard;
    cellar_status status = engine_enter(&guard, store);
    if (status != CELLAR_OK) {
        return status;
    }
    status = whole_known_lsn(store, lsn) ? follower_wait(store, lsn, engine_deadline(timeout_ms))
                                         : CELLAR_INVALID_ARGUMENT;
    engine_leave(&guard);
    return status;
}

uint64_t cellar_durable_lsn(const cellar *store) {
    struct engine_call guard;
    if (engine_enter(&guard, store) != CELLAR_OK) {
        return 0;
    }
    /* Acquire: pairs with the log writer's release after its sync. */
    uint64_t lsn = ATOMIC_LOAD(&store->commit->durable.lsn, acquire);
    engine_leave(&guard);
    return lsn;
}

cellar_status cellar_durable_fd(cellar *store, int *fd_out) {
    if (fd_out == NULL) {
        return CELLAR_INVALID_ARGUMENT;
    }
    struct engine_call guard;
    cellar_status status = engine_enter(&guard, store);
    if (status != CELLAR_OK) {
        return status;
    }
    *fd_out = log_event_descriptor(store->log);
    engine_leave(&guard);
    return *fd_out < 0 ? CELLAR_OUT_OF_MEMORY : CELLAR_OK;
}

/* ---- Retrying ---- */

static int64_t retry_nap(uint32_t tries) {
    int64_t longest = RETRY_NAP_MIN_NS << (tries < 8 ? tries : 8);
    if (longest > RETRY_NAP_MAX_NS) {
        longest = RETRY_NAP_MAX_NS;
    }
    /* The low digits of the clock are random enough to part two callers. */
    uint64_t now = (uint64_t)clock_monotonic_ns();
    return (int64_t)(hash_seeded(tries, &now, sizeof now) % (uint64_t)longest);
}

cellar_status cellar_retry(cellar *store, cellar_status (*attempt)(cellar *store, void *context),
                           void *context, uint32_t attempts_max) {
    if (attempt == NULL) {
        return CELLAR_INVALID_ARGUMENT;
    }
    uint32_t attempts = attempts_max == 0 ? RETRY_ATTEMPTS_DEFAULT : attempts_max;
    for (uint32_t i = 0;; i++) {
        cellar_status status = attempt(store, context);
        bool again = status == CELLAR_VERSION_CHANGED || status == CELLAR_CONFLICT;
        if (!again || i + 1 == attempts) {
            return status;
        }
        clock_sleep_ns(retry_nap(i));
    }
}

/* ---- Looking ---- */

cellar_status cellar_audit_run(cellar *store, cellar_audit *audit_out) {
    if (audit_out == NULL) {
        return CELLAR_INVALID_ARGUMENT;
    }
    struct engine_call guard;
    cellar_status status = engine_enter(&guard, store);
    if (status != CELLAR_OK) {
        return status;
    }
    /* Everything visible now is to be covered, so that a caller finds its own commits. */
    uint64_t reserved = ATOMIC_LOAD(&store->commit->reserved.lsn, acquire);
    pthread_mutex_lock(&store->audit_lock);
    if (reserved > ATOMIC_LOAD(&store->commit->projected.lsn, acquire)) {
        status = follower_wait(store, reserved - RECORD_LINE_BYTES, INT64_MAX);
    }
    if (status == CELLAR_OK) {
        ATOMIC_STORE(&store->audit_done, 0, relaxed);
        /* Release: pairs with the acquire in follower_audit(). */
        ATOMIC_STORE(&store->audit_wanted, audit_out, release);
        commit_follower_kick(store->commit);
        while (ATOMIC_LOAD(&store->audit_done, acquire) == 0) {
            futex_wait(&store->audit_done, 0, -1);
        }
    }
    pthread_mutex_unlock(&store->audit_lock);
    engine_leave(&guard);
    return status;
}

static uint64_t whole_position(const struct commit_position *position) {
    return ATOMIC_LOAD(&position->lsn, acquire);
}

cellar_status cellar_statistics_get(cellar *store, cellar_statistics *out) {
    if (out == NULL) {
        return CELLAR_INVALID_ARGUMENT;
    }
    struct engine_call guard;
    cellar_status status = engine_enter(&guard, store);
    if (status != CELLAR_OK) {
        return status;
    }
    const struct commit *commit = store->commit;
    struct log_statistics log;
    log_statistics_get(store->log, &log);
    *out = (cellar_statistics){.reserved_lsn = whole_position(&commit->reserved),
                               .decided_lsn = whole_position(&commit->decided),
                               .durable_lsn = whole_position(&commit->durable),
                               .listed_lsn = whole_position(&commit->projected),
                               .reclaimed_lsn = whole_position(&commit->reclaimed),
                               .commits = log.records,
                               .padding_bytes = log.padding_bytes,
                               .helped = ATOMIC_LOAD(&commit->helped, relaxed),
                               .dead_gaps = ATOMIC_LOAD(&commit->dead_gaps, relaxed),
                               .syncs = log.syncs,
                               .log_bytes = log.bytes_written,
                               .segments = log.segments,
                               .sync_ns_p50 = histogram_percentile(log.sync_ns, 0.5),
                               .sync_ns_p99 = histogram_percentile(log.sync_ns, 0.99),
                               .durable_lag_ns_p50 = histogram_percentile(log.lag_ns, 0.5),
                               .durable_lag_ns_p99 = histogram_percentile(log.lag_ns, 0.99),
                               .durable_lag_ns_max = ATOMIC_LOAD(&log.lag_ns->max, relaxed),
                               .group_records_p50 = histogram_percentile(log.group_records, 0.5),
                               .group_records_p99 = histogram_percentile(log.group_records, 0.99),
                               .recovery_ns = store->recovery_ns,
                               .recovery_records = store->recovery_records};
    for (uint32_t kind = 0; kind < MEMORY_KIND_COUNT; kind++) {
        out->memory_bytes += (uint64_t)memory_used(store->memory, (enum memory_kind)kind);
    }
    engine_leave(&guard);
    return CELLAR_OK;
}

cellar_status cellar_memory_get(cellar *store, uint32_t kind, const char **name_out,
                                int64_t *bytes_out) {
    if (name_out == NULL || bytes_out == NULL) {
        return CELLAR_INVALID_ARGUMENT;
    }
    if (kind >= MEMORY_KIND_COUNT) {
        return CELLAR_NOT_FOUND;
    }
    struct engine_call guard;
    cellar_status status = engine_enter(&guard, store);
    if (status == CELLAR_OK) {
        *name_out = memory_kind_name((enum memory_kind)kind);
        *bytes_out = memory_used(store->memory, (enum memory_kind)kind);
        engine_leave(&guard);
    }
    return status;
}
