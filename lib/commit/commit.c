/* Making a commit, and one attempt to commit. */
#include "commit/commit.h"

#include "commit/ring.h"

#include "base/assert.h"
#include "base/probe.h"

#include <string.h>

/* Of a record's place in the ring, what is asked for before it is written. More would only wait for
 * each other, and the core sees for itself that it goes on. */
#define COMMIT_FETCH_MAX 1024

static void commit_set_positions(struct commit *commit, uint64_t lsn) {
    struct commit_position *positions[] = {&commit->reserved, &commit->reclaimed, &commit->retiring,
                                           &commit->decided,  &commit->written,   &commit->durable,
                                           &commit->projected};
    for (size_t i = 0; i < sizeof positions / sizeof *positions; i++) {
        ATOMIC_STORE(&positions[i]->lsn, lsn, relaxed);
    }
}

static size_t commit_states_bytes(const struct commit *commit) {
    return (size_t)(commit->ring_bytes / RECORD_LINE_BYTES) * sizeof *commit->states;
}

static bool commit_map(struct commit *commit) {
    size_t class_bytes = (size_t)CELL_SLOT_COUNT * sizeof(struct cell);
    commit->cells = memory_map_reserve(CELL_CLASS_COUNT * class_bytes);
    if (commit->cells == NULL) {
        return false;
    }
    for (uint32_t class = 0; class < CELL_CLASS_COUNT; class ++) {
        /* Up to the next page: enabling works on whole pages. */
        size_t bytes = ((size_t)commit->limits[class] * sizeof(struct cell) + 4095) & ~(size_t)4095;
        if (bytes != 0 && memory_map_enable(&commit->cells[CELL_INDEX(class, 0)], bytes) != 0) {
            return false;
        }
    }
    commit->ring = memory_map_twice(commit->ring_bytes);
    commit->states = memory_map_lazy(commit_states_bytes(commit));
    return commit->ring != NULL && commit->states != NULL;
}

cellar_status commit_create(struct commit **commit_out, const struct commit_config *config) {
    uint64_t ring_bytes = config->ring_bytes;
    if (ring_bytes < COMMIT_RING_BYTES_MIN || ring_bytes > COMMIT_RING_BYTES_MAX ||
        (ring_bytes & (ring_bytes - 1)) != 0) {
        return CELLAR_INVALID_ARGUMENT;
    }
    for (uint32_t class = 0; class < CELL_CLASS_COUNT; class ++) {
        if (config->limits[class] > CELL_SLOT_COUNT) {
            return CELLAR_INVALID_ARGUMENT;
        }
    }
    struct commit *commit =
        memory_allocate_aligned(config->memory, MEMORY_ENGINE, CACHE_LINE_BYTES, sizeof *commit);
    if (commit == NULL) {
        return CELLAR_OUT_OF_MEMORY;
    }
    memset(commit, 0, sizeof *commit);
    ATOMIC_STORE(&commit->writer_wakes_at, COMMIT_AWAKE, relaxed);
    ATOMIC_STORE(&commit->follower_wakes_at, COMMIT_AWAKE, relaxed);
    commit->memory = config->memory;
    commit->ring_bytes = ring_bytes;
    commit->ring_mask = ring_bytes - 1;
    commit->line_mask = ring_bytes / RECORD_LINE_BYTES - 1;
    commit->line_shift = (uint32_t)__builtin_ctzll(ring_bytes / RECORD_LINE_BYTES) - 3;
    commit->oracle = config->oracle;
    commit->followed = config->followed;
    memcpy(commit->limits, config->limits, sizeof commit->limits);
    pthread_mutex_init(&commit->oracle_lock, NULL);
    memory_count(commit->memory, MEMORY_RING, (int64_t)(ring_bytes + commit_states_bytes(commit)));
    if (!commit_map(commit)) {
        commit_destroy(commit);
        return CELLAR_OUT_OF_MEMORY;
    }
    *commit_out = commit;
    return CELLAR_OK;
}

cellar_status commit_start(struct commit *commit, uint64_t lsn) {
    ASSERT(lsn > 0);
    ASSERT(lsn % RECORD_LINE_BYTES == 0);
    commit_set_positions(commit, lsn);
    ATOMIC_STORE(&commit->disk_end.lsn, lsn, relaxed);
    ATOMIC_STORE(&commit->limit.lsn, lsn, relaxed);
    return reclaim_start(commit);
}

void commit_halt(struct commit *commit) {
    reclaim_stop(commit);
}

void commit_destroy(struct commit *commit) {
    reclaim_stop(commit);
    if (commit->cells != NULL) {
        memory_unmap(commit->cells,
                     (size_t)CELL_CLASS_COUNT * CELL_SLOT_COUNT * sizeof(struct cell));
    }
    if (commit->ring != NULL) {
        memory_unmap(commit->ring, 2 * commit->ring_bytes);
    }
    if (commit->states != NULL) {
        memory_unmap(commit->states, commit_states_bytes(commit));
    }
    memory_count(commit->memory, MEMORY_RING,
                 -(int64_t)(commit->ring_bytes + commit_states_bytes(commit)));
    pthread_mutex_destroy(&commit->oracle_lock);
    memory_release(commit->memory, MEMORY_ENGINE, commit, sizeof *commit);
}

void commit_stop(struct commit *commit) {
    /* Release: pairs with the acquire in commit_try() and commit_wait_space(). */
    ATOMIC_STORE(&commit->stopped, 1, release);
    space_wake(commit);
}

uint64_t commit_request_bytes(const struct commit *commit, uint32_t change_count,
                              uint64_t payload_bytes) {
    if (change_count > RECORD_CELLS_MAX || payload_bytes > RECORD_PAYLOAD_MAX) {
        return 0;
    }
    uint64_t bytes = record_payload_offset(change_count) + payload_bytes;
    return record_space(bytes) <= commit->ring_bytes / COMMIT_RING_SHARE ? bytes : 0;
}

static void commit_write(struct record_header *record, uint64_t lsn,
                         const struct commit_request *request, uint64_t bytes) {
    *record = (struct record_header){.lsn = lsn,
                                     .time_ns = request->time_ns,
                                     .bytes = (uint32_t)bytes,
                                     .kind = request->kind,
                                     .cell_count = (uint16_t)request->change_count};
    struct record_update *updates = (struct record_update *)(record + 1);
    uint32_t *cells = (uint32_t *)(updates + request->change_count);
    for (uint32_t i = 0; i < request->change_count; i++) {
        updates[i] = request->changes[i].update;
        cells[i] = request->changes[i].cell;
        /* Out of order, transactions that help each other could go round in a circle (rule 5). */
        ASSERT(i == 0 || cells[i] > cells[i - 1]);
        ASSERT(updates[i].expected < lsn);
        ASSERT(updates[i].expected % RECORD_LINE_BYTES == 0);
    }
    if ((request->change_count & 1) != 0) {
        /* The four bytes before an aligned payload, so that equal records are equal on disk. */
        cells[request->change_count] = 0;
    }
    if (request->payload_bytes != 0) {
        memcpy((unsigned char *)record + record_payload_offset(request->change_count),
               request->payload, request->payload_bytes);
    }
}

/* The whole protocol under one lock: what the lock-free commit is tested against. */
static enum commit_outcome commit_try_locked(struct commit *commit,
                                             const struct commit_request *request, uint64_t bytes,
                                             uint64_t *lsn_out) {
    for (uint32_t i = 0; i < request->change_count; i++) {
        const struct commit_change *change = &request->changes[i];
        if (cell_load(&commit->cells[change->cell]).version != change->update.expected) {
            return COMMIT_CONFLICT;
        }
    }
    uint64_t lsn = space_reserve(commit, record_space(bytes));
    if (lsn == 0) {
        return COMMIT_FULL;
    }
    commit_write(ring_record(commit, lsn), lsn, request, bytes);
    for (uint32_t i = 0; i < request->change_count; i++) {
        const struct record_update *update = &request->changes[i].update;
        struct cell_content expected = {update->old_value, update->expected};
        struct cell_content desired = {update->new_value, lsn};
        bool swapped = cell_swap(&commit->cells[request->changes[i].cell], expected, desired);
        ASSERT(swapped);
    }
    ATOMIC_STORE(ring_state(commit, lsn), lsn | COMMIT_COMMITTED | COMMIT_FINISHED, release);
    *lsn_out = lsn;
    return COMMIT_DONE;
}

static enum commit_outcome commit_try_oracle(struct commit *commit,
                                             const struct commit_request *request, uint64_t bytes,
                                             uint64_t *lsn_out) {
    pthread_mutex_lock(&commit->oracle_lock);
    enum commit_outcome outcome = commit_try_locked(commit, request, bytes, lsn_out);
    pthread_mutex_unlock(&commit->oracle_lock);
    if (outcome == COMMIT_DONE) {
        commit_writer_wake(commit, *lsn_out);
    }
    return outcome;
}

enum commit_outcome commit_try(struct commit *commit, const struct commit_request *request,
                               uint64_t *lsn_out) {
    uint64_t bytes = commit_request_bytes(commit, request->change_count, request->payload_bytes);
    ASSERT(bytes != 0);
    if (ATOMIC_LOAD(&commit->stopped, acquire) != 0) {
        return COMMIT_STOPPED;
    }
    if (commit->oracle) {
        return commit_try_oracle(commit, request, bytes, lsn_out);
    }
    uint64_t lsn = space_reserve(commit, record_space(bytes));
    if (lsn == 0) {
        return COMMIT_FULL;
    }
    PROBE("commit-reserved", lsn);
    /* Needed when the record is written: by then it is near. */
    __builtin_prefetch((const void *)ring_state(commit, lsn), 1);
    struct record_header *record = ring_record(commit, lsn);
    cache_fetch_to_write(record, bytes < COMMIT_FETCH_MAX ? bytes : COMMIT_FETCH_MAX);
    commit_write(record, lsn, request, bytes);
    _Atomic uint64_t *state = ring_state(commit, lsn);
    uint64_t word = ATOMIC_LOAD(state, relaxed);
    PROBE("commit-publish", lsn);
    /* Release: pairs with every acquire of the state; whoever sees OPEN sees the record. The swap
     * fails, or the word is of this lap already, only when the log writer has passed over us (rule
     * 4). */
    if (ring_state_lsn(word) == lsn ||
        !ATOMIC_CAS(state, &word, lsn | COMMIT_OPEN, seq_cst, relaxed)) {
        commit_writer_wake(commit, lsn);
        return COMMIT_PASSED_OVER;
    }
    PROBE("commit-open", lsn);
    resolve_record(commit, lsn);
    word = ATOMIC_LOAD(state, acquire);
    /* Release: pairs with the acquire in commit_decide(); our taking the record out of its cells
     * comes before. No one else changes the word of a decided record until the space is reclaimed,
     * which waits for our section. */
    ATOMIC_STORE(state, word | COMMIT_FINISHED, release);
    commit_writer_wake(commit, lsn);
    *lsn_out = lsn;
    return ring_state_kind(word) == COMMIT_COMMITTED ? COMMIT_DONE : COMMIT_CONFLICT;
}

enum commit_redo_result commit_redo(struct commit *commit, const struct record_header *record,
                                    uint32_t *cell_out) {
    const struct record_update *updates = record_updates(record);
    const uint32_t *cells = record_cells(record);
    enum commit_redo_result result = COMMIT_REDO_OLD;
    for (uint32_t i = 0; i < record->cell_count; i++) {
        *cell_out = cells[i];
        if (CELL_SLOT(cells[i]) >= commit->limits[CELL_CLASS(cells[i])]) {
            return COMMIT_REDO_BROKEN;
        }
        struct cell *cell = &commit->cells[cells[i]];
        struct cell_content content = cell_load(cell);
        if (content.version >= record->lsn) {
            continue;
        }
        if (content.version != updates[i].expected || content.value != updates[i].old_value) {
            return COMMIT_REDO_BROKEN;
        }
        ATOMIC_STORE(&cell->value, updates[i].new_value, relaxed);
        ATOMIC_STORE(&cell->version, record->lsn, relaxed);
        result = COMMIT_REDONE;
    }
    return result;
}
