#include "core.h"

#include "base/clock.h"
#include "measure.h"
#include "zipf.h"

#include <sched.h>
#include <string.h>

#define RING_BYTES (UINT64_C(32) << 20)
#define SEGMENT_BYTES (UINT64_C(64) << 20)
#define START_LSN UINT64_C(64)
/* How long the drain waits for an owner that does not publish: what the log's writer waits, too
 * (rule 4 of the design). */
#define UNPUBLISHED_NS (100 * 1000)
/* What an fdatasync takes: the drain naps so long when there is nothing left, where the writer
 * would sync. Without it the drain would be asleep at every commit, and every commit would pay for
 * waking it, which no committer of a busy log does. */
#define DRAIN_SYNC_NS (200 * 1000)
/* The drain publishes its position at least this often, as a writer does with each of its writes.
 */
#define DRAIN_BYTES (UINT64_C(256) << 10)
#define WAIT_SPACE_NS (10 * NANOSECONDS_PER_SECOND)

/* ---- The drain ---- */

/* Takes the record at `lsn`, or what lies in the way; the space of it, 0 when there is nothing yet.
 */
static uint64_t drain_one(struct core *core, uint64_t lsn, int64_t *unpublished_ns) {
    const struct record_header *record = NULL;
    uint64_t space = 0;

    switch (commit_decide(core->commit, lsn, &record, &space)) {
    case COMMIT_TAKE:
    case COMMIT_PAD:
        *unpublished_ns = 0;
        return space;
    case COMMIT_UNPUBLISHED:
        if (*unpublished_ns == 0) {
            *unpublished_ns = clock_monotonic_ns();
        } else if (clock_monotonic_ns() - *unpublished_ns > UNPUBLISHED_NS) {
            *unpublished_ns = 0;
            return commit_pass_over(core->commit, lsn);
        }
        sched_yield();
        return 0;
    case COMMIT_NOTHING:
    default:
        return 0;
    }
}

static void *drain_main(void *argument) {
    struct core *core = argument;
    struct commit *commit = core->commit;
    uint64_t lsn = START_LSN;
    uint64_t published = lsn;
    int64_t unpublished_ns = 0;

    while (!atomic_load_explicit(&core->stop, memory_order_relaxed)) {
        uint64_t space = drain_one(core, lsn, &unpublished_ns);
        lsn += space;
        if (lsn != published && (space == 0 || lsn - published >= DRAIN_BYTES)) {
            ATOMIC_STORE(&commit->decided.lsn, lsn, release);
            commit_advance_written(commit, lsn);
            published = lsn;
        }
        if (space == 0 && unpublished_ns == 0) {
            clock_sleep_ns(DRAIN_SYNC_NS);
        }
    }
    return NULL;
}

/* ---- The load ---- */

/* Distinct cells in rising order. Slots are drawn below cell_count - cells_each + 1 and spread by
 * their rank, which keeps them distinct without a second draw. */
static void core_draw(const struct core *core, uint64_t *random, struct commit_change *changes) {
    uint32_t bound = core->cell_count - core->cells_each + 1;

    for (uint32_t i = 0; i < core->cells_each; i++) {
        uint32_t slot = bound > 1 ? random_below(random, bound) : 0;
        uint32_t place = i;
        while (place > 0 && changes[place - 1].cell > slot) {
            changes[place].cell = changes[place - 1].cell;
            place--;
        }
        changes[place].cell = slot;
    }
    for (uint32_t i = 0; i < core->cells_each; i++) {
        changes[i].cell = CELL_INDEX(0, changes[i].cell + i);
    }
}

/* Tries until it is committed; false when the commit has been stopped or the ring stays full. */
static bool core_commit(struct core *core, struct commit_change *changes, uint64_t *lsn_out) {
    struct commit_request request = {.changes = changes,
                                     .change_count = core->cells_each,
                                     .kind = RECORD_KIND_DOMAIN,
                                     .time_ns = core->time_ns};
    for (;;) {
        commit_hold_back(core->commit, false);
        commit_enter();
        for (uint32_t i = 0; i < core->cells_each; i++) {
            struct cell_content content = commit_read_settled(core->commit, changes[i].cell);
            changes[i].update = (struct record_update){.expected = content.version,
                                                       .old_value = content.value,
                                                       .new_value = content.value - 1};
        }
        enum commit_outcome outcome = commit_try(core->commit, &request, lsn_out);
        commit_leave();
        if (outcome == COMMIT_DONE) {
            return true;
        }
        if (outcome == COMMIT_STOPPED ||
            (outcome == COMMIT_FULL && !commit_wait_space(core->commit, core->record_bytes,
                                                          clock_monotonic_ns() + WAIT_SPACE_NS))) {
            return false;
        }
    }
}

static uint64_t core_round(void *context, struct worker *worker, uint64_t count) {
    struct core *core = context;
    struct commit_change changes[CORE_CELLS_MAX] = {0};

    for (uint64_t i = 0; i < count; i++) {
        if (worker->counter == 0) {
            worker->counter = (uint64_t)worker->index + 1;
        }
        core_draw(core, &worker->counter, changes);
        if (!core_commit(core, changes, &worker->last_lsn)) {
            atomic_fetch_add_explicit(&core->committed, i, memory_order_relaxed);
            return i;
        }
    }
    atomic_fetch_add_explicit(&core->committed, count, memory_order_relaxed);
    return count;
}

/* Until the log has everything on disk: what is still in the ring has not been sustained. */
static bool core_settle(void *context, const struct worker *workers, uint32_t worker_count) {
    struct core *core = context;
    uint64_t lsn = 0;

    for (uint32_t i = 0; i < worker_count; i++) {
        lsn = workers[i].last_lsn > lsn ? workers[i].last_lsn : lsn;
    }
    return lsn == 0 || log_wait(core->log, lsn, INT64_MAX) == CELLAR_OK;
}

/* ---- Start and end ---- */

static cellar_status visit_nothing(void *context, const struct record_header *record,
                                   cellar_problem *problem) {
    (void)context;
    (void)record;
    (void)problem;
    return CELLAR_OK;
}

static cellar_status core_log(struct core *core, cellar_problem *problem) {
    data_path(core->directory, "core");
    struct log_config config = {.directory = core->directory,
                                .segment_bytes = SEGMENT_BYTES,
                                .ring_bytes = RING_BYTES,
                                .memory = core->memory};
    cellar_status status = log_open(&core->log, &config, problem);
    if (status == CELLAR_OK) {
        status = log_replay(core->log, visit_nothing, NULL, problem);
    }
    if (status == CELLAR_OK) {
        status = commit_start(core->commit, log_start_lsn(core->log));
    }
    return status == CELLAR_OK ? log_start(core->log, core->commit, problem) : status;
}

static cellar_status core_drain(struct core *core) {
    cellar_status status = commit_start(core->commit, START_LSN);

    if (status == CELLAR_OK) {
        /* No disk, no end of it. */
        commit_advance_disk_end(core->commit, UINT64_C(1) << 62);
        core->draining = pthread_create(&core->drain, NULL, drain_main, core) == 0;
        status = core->draining ? CELLAR_OK : CELLAR_OUT_OF_MEMORY;
    }
    return status;
}

bool core_start(struct core *core, uint32_t cell_count, uint32_t cells_each, bool logged,
                struct bench_result *result) {
    cellar_problem problem = {0};

    memset(core, 0, sizeof *core);
    core->cell_count = cell_count;
    core->cells_each = cells_each;
    core->time_ns = clock_wall_ns();
    core->load = (struct load){.name = result->case_name,
                               .run = core_round,
                               .settle = logged ? core_settle : NULL,
                               .context = core,
                               .batch = 32,
                               .sample_every = 16};
    core->memory = memory_create();
    if (core->memory == NULL) {
        return bench_fail(result, "no memory");
    }
    struct commit_config config = {
        .ring_bytes = RING_BYTES, .limits = {cell_count}, .memory = core->memory};
    cellar_status status = commit_create(&core->commit, &config);
    if (status == CELLAR_OK) {
        core->record_bytes = commit_request_bytes(core->commit, cells_each, 0);
        status = logged ? core_log(core, &problem) : core_drain(core);
    }
    return status == CELLAR_OK ||
           bench_fail(result, "start: %s %s", cellar_status_name(status), problem.text);
}

/* Each commit has taken one off each of its cells, which began at zero. */
static bool core_check(struct core *core, struct bench_result *result) {
    int64_t sum = 0;

    commit_enter();
    for (uint32_t i = 0; i < core->cell_count; i++) {
        sum += commit_read(core->commit, CELL_INDEX(0, i)).value;
    }
    commit_leave();
    int64_t wanted = -(int64_t)(atomic_load(&core->committed) * core->cells_each);
    return sum == wanted || bench_fail(result, "the cells sum up to %lld instead of %lld",
                                       (long long)sum, (long long)wanted);
}

bool core_end(struct core *core, struct bench_result *result) {
    cellar_status status = CELLAR_OK;
    bool ok = core_check(core, result);

    if (core->draining) {
        atomic_store(&core->stop, true);
        pthread_join(core->drain, NULL);
    }
    if (core->log != NULL) {
        status = log_stop(core->log);
        log_destroy(core->log);
        data_remove(core->directory);
    }
    commit_destroy(core->commit);
    memory_destroy(core->memory);
    return (status == CELLAR_OK ||
            bench_fail(result, "log_stop: %s", cellar_status_name(status))) &&
           ok;
}
