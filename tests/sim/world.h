/* One commit in simulation, what the simulated threads did to it, and whether that was right.
 *
 * Every run starts from one of a few prepared states: cells of two classes with values, a ring of
 * 64 lines almost full of records that have been written but not reclaimed, so that space is short
 * and records of the run overwrite others.
 *
 * What is checked while a run goes on:
 *   - a read returns what the cell held at an instant between its call and its return
 *   - a commit has a higher LSN than all that had returned before it was called
 *   - a conflict is one: some cell has another version than expected, for good
 *   - everything that access.h checks, and the library's own assertions
 * and at its end:
 *   - the log writer does not sleep over work
 *   - everything reserved is decided and written, dead owners notwithstanding
 *   - the committed records, in LSN order, replay on a sequential model, and the cells hold what
 *     the model holds; no claim is left
 *   - the log holds every commit that was acknowledged with the contents asked for, none that was
 *     refused, and nothing else
 *   - every snapshot is the model at its LSN, every value read belongs to its version
 *   - what the follower applied is what was committed */
#ifndef CELLAR_TESTS_SIM_WORLD_H
#define CELLAR_TESTS_SIM_WORLD_H

#include "sim/sim.h"
#include "support/commit_history.h"

#define WORLD_RING_BYTES UINT64_C(4096)
#define WORLD_SLOTS 3
#define WORLD_CELLS ((uint32_t)(2 * WORLD_SLOTS)) /* in two classes */
#define WORLD_CELL(i) CELL_INDEX((i) / WORLD_SLOTS, (i) % WORLD_SLOTS)
/* Of one thread. */
#define WORLD_DEEDS_MAX 384
#define WORLD_CHANGES_MAX 4
#define WORLD_STARTS 8
#define WORLD_OBJECTS 16
/* The largest record is an eighth of the ring. */
#define WORLD_FILLER_BYTES (WORLD_RING_BYTES / COMMIT_RING_SHARE - sizeof(struct record_header))

enum deed_kind {
    DEED_COMMIT,
    DEED_READ,
    DEED_SNAPSHOT
};

/* What one simulated thread did once. */
struct deed {
    enum deed_kind kind;
    bool returned;
    bool durable; /* the log has said so */
    enum commit_outcome outcome;
    uint64_t lsn;   /* of the record, or of the snapshot */
    uint64_t floor; /* a commit: the highest LSN returned before it was called */
    uint32_t count;
    struct commit_change changes[WORLD_CHANGES_MAX]; /* what was read: in expected and old_value */
};

struct world_object {
    struct commit_deferred deferred;
    uint64_t mark;
};

struct world {
    struct commit *commit;
    bool followed;         /* a thread applies the records, and reclaiming waits for it */
    uint64_t returned_lsn; /* the highest acknowledged */
    unsigned deed_count[SIM_THREADS_MAX];
    struct deed deeds[SIM_THREADS_MAX][WORLD_DEEDS_MAX];
    struct cell_content initial[WORLD_CELLS];
    uint64_t seen[WORLD_CELLS];               /* versions that the cells had when last looked at */
    struct cell_content derived[WORLD_CELLS]; /* the follower's */
    struct commit_history history;
    /* An object that is replaced while others look at it. */
    _Atomic(struct world_object *) object;
    _Atomic uint32_t object_count;
    struct world_object objects[WORLD_OBJECTS];
};

/* Makes the prepared states. Once. */
void world_create(void);
struct world *world_get(void);
/* Puts prepared state `start` back, without any thread, and watches it. */
void world_start(unsigned start, bool poison);
/* The prepared state for a log that is new: nothing in cells and ring, no space until the log makes
 * some. */
#define WORLD_START_EMPTY WORLD_STARTS
#define WORLD_EMPTY_LSN UINT64_C(4096)
/* Spawns a thread that the library has started: the reclaimer of this start, the one with a number.
 */
void world_spawn_reclaimer(void);
struct sim_thread *world_spawn_library(const char *name, unsigned number);
/* Everything but stacks that can tell two states of a run apart. */
uint64_t world_hash(uint64_t seed);

/* ---- Looking without being seen ---- */

struct cell_content world_raw(uint32_t cell);
/* Value and version that hold at this instant, claims looked through. */
struct cell_content world_effective(uint32_t cell);

/* ---- Deeds, on simulated threads ---- */

/* Reads, inside a section; `settled` helps what is in the way. */
struct cell_content world_read(uint32_t cell, bool settled);
/* One attempt, inside a section. */
enum commit_outcome world_commit(const struct commit_change *changes, uint32_t count,
                                 uint32_t payload_bytes, uint64_t *lsn_out);
/* The last commit of this thread is durable. */
void world_durable(void);
/* Reads the cells as of one instant, inside a section. */
void world_snapshot(const uint32_t *cells, uint32_t count);
/* The log has taken this record. */
void world_logged(const struct record_header *record, uint64_t lsn);
void world_follow(const struct record_header *record);
/* Replaces the object; looks at it, inside a section. */
void world_replace(void);
const struct world_object *world_look(void);
void world_look_again(const struct world_object *object);

/* ---- The verdict ---- */

/* When all host threads have come to rest: unless one died, whoever had work for the log writer has
 * woken it. */
void world_judge_rest(void);
/* After the last simulated thread has come to rest. Calls sim_fail() with what is wrong. */
void world_judge(void);
/* The power was cut at any moment; the history is what was found on disk. */
void world_judge_cut(void);

#endif
