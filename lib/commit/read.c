/* Reading cells and records inside a read section. */
#include "commit/ring.h"

#include "base/assert.h"
#include "base/probe.h"

struct cell_content commit_read_claimed(const struct commit *commit, uint32_t cell,
                                        struct cell_content claimed) {
    uint64_t lsn = claimed.version & ~CELL_CLAIMED;
    /* Acquire: pairs with the deciding swap. While it says OPEN the claim is still in its place, so
     * the old value holds now; once it says COMMITTED the new value holds from that instant on,
     * which lies after our call began or before the claim was met. */
    PROBE("read-claimed", lsn);
    uint64_t word = ATOMIC_LOAD(ring_state(commit, lsn), acquire);
    ASSERT(ring_state_lsn(word) == lsn);
    const struct record_update *update = record_find(ring_record(commit, lsn), cell);
    ASSERT(update != NULL);
    struct cell_content content = {claimed.value, update->expected};
    if (ring_state_kind(word) == COMMIT_COMMITTED) {
        content.value = update->new_value;
        content.version = lsn;
    }
    return content;
}

struct cell_content commit_read_resolved(struct commit *commit, uint32_t cell,
                                         struct cell_content claimed) {
    struct cell_content content = claimed;
    while (cell_is_claimed(content.version)) {
        ATOMIC_ADD(&commit->helped, 1, relaxed);
        resolve_record(commit, content.version & ~CELL_CLAIMED);
        content = cell_load(&commit->cells[cell]);
    }
    return content;
}

uint64_t commit_snapshot(const struct commit *commit) {
    /* Acquire: pairs with the writer's release; all below is decided for every cell read from here
     * on. */
    return ATOMIC_LOAD(&commit->decided.lsn, acquire);
}

struct cell_content commit_read_at(const struct commit *commit, uint32_t cell, uint64_t snapshot) {
    struct cell_content content = commit_read(commit, cell);
    while (content.version >= snapshot) {
        /* The record was not decided when the section began, or is held back: it cannot have been
         * reclaimed. */
        const struct record_header *record = ring_record(commit, content.version);
        ASSERT(record->lsn == content.version);
        const struct record_update *update = record_find(record, cell);
        ASSERT(update != NULL);
        content.value = update->old_value;
        content.version = update->expected;
    }
    return content;
}

const struct record_header *commit_record(const struct commit *commit, uint64_t lsn) {
    /* The reclaiming thread raises `retiring` before its grace period begins. When we still read a
     * lower value, that grace period has to wait for our section. */
    if (lsn < ATOMIC_LOAD(&commit->retiring.lsn, seq_cst) ||
        lsn >= ATOMIC_LOAD(&commit->reserved.lsn, acquire)) {
        return NULL;
    }
    uint64_t word = ATOMIC_LOAD(ring_state(commit, lsn), acquire);
    if (ring_state_lsn(word) != lsn || ring_state_kind(word) != COMMIT_COMMITTED) {
        return NULL;
    }
    return ring_record(commit, lsn);
}
