/* Resolving: the multi-word compare-and-swap itself. docs/CONCURRENCY.md has the argument; the
 * rules are numbered there.
 *
 * Any number of threads may resolve one record at once: its owner, whoever met its claim in a cell,
 * the log writer. Every step is a compare-and-swap that only the right state lets through, so doing
 * a step again does no harm. */
#include "commit/ring.h"

#include "base/assert.h"
#include "base/probe.h"

/* Claims the cells of `lsn` in the global order, from *cursor on, and decides. Returns 0 when
 * decided, else the LSN of the transaction whose claim is in the way; what was claimed so far stays
 * claimed as long as the record is open. */
static uint64_t resolve_claim(struct commit *commit, uint64_t lsn, uint32_t *cursor) {
    const struct record_header *record = ring_record(commit, lsn);
    const struct record_update *updates = record_updates(record);
    const uint32_t *cells = record_cells(record);
    _Atomic uint64_t *state = ring_state(commit, lsn);
    uint64_t open = lsn | COMMIT_OPEN;

    while (*cursor < record->cell_count) {
        /* Pairs with the deciding swap. Sequentially consistent, as are that swap, ours of the cell
         * and the loads of resolve_finish(): we claim a cell and look at the state, whoever decides
         * moves the state and looks at the cells. Either we see it decided, or the finishing pass
         * sees our claim; else a claim could stay behind when we leave this record for one in the
         * way. */
        if (ATOMIC_LOAD(state, seq_cst) != open) {
            return 0;
        }
        PROBE("resolve-look", lsn);
        uint32_t i = *cursor;
        struct cell *cell = &commit->cells[cells[i]];
        struct cell_content content = cell_load(cell);
        if (content.version == (lsn | CELL_CLAIMED)) {
            *cursor = i + 1;
            continue;
        }
        if (cell_is_claimed(content.version)) {
            return content.version & ~CELL_CLAIMED;
        }
        if (content.version != updates[i].expected) {
            /* A version expected never comes back once another was committed over it, so this
             * cannot succeed any more. Loses against whoever committed the record in between: then
             * the version met may be its own. */
            uint64_t expected = open;
            ATOMIC_CAS(state, &expected, lsn | COMMIT_ABORTED, seq_cst, acquire);
            return 0;
        }
        /* A version determines the value; rewinding stands on it. */
        ASSERT(content.value == updates[i].old_value);
        PROBE("resolve-plant", lsn);
        struct cell_content claim = {content.value, lsn | CELL_CLAIMED};
        if (cell_swap(cell, content, claim)) {
            *cursor = i + 1;
        }
    }
    /* Release: pairs with every acquire of the state; whoever sees COMMITTED sees the record and
     * the claims. */
    uint64_t expected = open;
    PROBE("resolve-decide", lsn);
    ATOMIC_CAS(state, &expected, lsn | COMMIT_COMMITTED, seq_cst, acquire);
    return 0;
}

void resolve_finish(struct commit *commit, uint64_t lsn) {
    const struct record_header *record = ring_record(commit, lsn);
    const struct record_update *updates = record_updates(record);
    const uint32_t *cells = record_cells(record);
    uint64_t word = ATOMIC_LOAD(ring_state(commit, lsn), acquire);
    ASSERT(ring_state_lsn(word) == lsn);
    bool committed = ring_state_kind(word) == COMMIT_COMMITTED;

    PROBE("resolve-finish", lsn);
    for (uint32_t i = 0; i < record->cell_count; i++) {
        struct cell *cell = &commit->cells[cells[i]];
        struct cell_content content = cell_load(cell);
        if (content.version != (lsn | CELL_CLAIMED)) {
            continue;
        }
        struct cell_content final = {content.value, updates[i].expected};
        if (committed) {
            final.value = updates[i].new_value;
            final.version = lsn;
        }
        /* When this fails another thread has done it. A claim that a late helper plants after this
         * pass is that helper's to take away (rule 2). */
        cell_swap(cell, content, final);
    }
}

void resolve_record(struct commit *commit, uint64_t lsn) {
    uint32_t cursor = 0;
    uint64_t current = lsn;
    /* Helping goes only forward in the global order of cells (rule 5), so whoever is in the way of
     * the one in the way ... holds a later cell each time, and the last of them can be decided.
     * Then it starts over from `lsn`: no recursion, one step of progress a round. */
    for (;;) {
        uint32_t from_start = 0;
        uint64_t word = ATOMIC_LOAD(ring_state(commit, current), acquire);
        ASSERT(ring_state_lsn(word) == current);
        uint64_t in_the_way =
            resolve_claim(commit, current, current == lsn ? &cursor : &from_start);
        if (in_the_way != 0) {
            current = in_the_way;
            /* A counter for operators, nothing depends on it. */
            ATOMIC_ADD(&commit->helped, 1, relaxed);
            continue;
        }
        resolve_finish(commit, current);
        if (current == lsn) {
            return;
        }
        current = lsn;
    }
}
