/* clang-format off */
/* The commit: cells, the in-memory log ring, and the multi-word compare-and-swap between them.
 *
 * Guarantees (argued in docs/CONCURRENCY.md; the letters are the tests' names):
 *   A atomic   a transaction changes all its cells or none, at one instant, for every reader that
 *              uses commit_read()
 *   B serial   LSN order is a serial order: along every cell versions only grow, and a transaction
 *              that read a value has a higher LSN than the one that wrote it
 *   C exact    a transaction commits only if every cell still has the version it expected
 *   D helping  a transaction whose owner is stopped anywhere after publishing is finished by
 *              whoever meets it
 *   E reclaim  a record is not overwritten while any thread can still look at it
 *   F no wait  readers never wait; a commit attempt fails only because another transaction
 *              succeeded, the ring is full, or the log writer passed over a publisher that did not
 *              publish
 *
 * Source: T. Harris, K. Fraser, I. Pratt, "A Practical Multi-Word Compare-and-Swap Operation"
 * (DISC 2002); here the descriptor is the log record itself and its position the version. */
/* clang-format on */
#ifndef CELLAR_COMMIT_COMMIT_H
#define CELLAR_COMMIT_COMMIT_H

#include "base/atomic.h"
#include "base/clock.h"
#include "base/memory.h"
#include "commit/cell.h"
#include "commit/record.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define COMMIT_RING_BYTES_MIN (UINT64_C(1) << 16)
#define COMMIT_RING_BYTES_MAX (UINT64_C(1) << 32)
/* A record takes at most this part of the ring. */
#define COMMIT_RING_SHARE 8
/* No position; who waits for one that is never reached is awake. */
#define COMMIT_AWAKE UINT64_MAX

/* State of a record, in the low bits of its state word; the rest of the word is its LSN. */
enum commit_state {
    COMMIT_FREE = 0,
    COMMIT_OPEN = 1,
    COMMIT_COMMITTED = 2,
    COMMIT_ABORTED = 3,
    COMMIT_DEAD = 4, /* passed over by the log writer: never published */
    COMMIT_STATE_MASK = 7,
    COMMIT_FINISHED = 8 /* flag: no cell holds lsn|1 on the owner's account any more */
};

/* Positions in the log, each on a cache line of its own. All only grow. */
struct commit_position {
    _Alignas(CACHE_LINE_BYTES) _Atomic uint64_t lsn;
};

struct commit {
    /* Read by everyone, written at start only. */
    _Alignas(CACHE_LINE_BYTES) struct cell *cells;
    unsigned char *ring;
    _Atomic uint64_t *states;
    uint64_t ring_mask;
    uint64_t line_mask;
    uint32_t line_shift;
    bool oracle;
    bool followed;
    uint32_t limits[CELL_CLASS_COUNT];
    struct memory *memory;
    uint64_t ring_bytes;

    struct commit_position reserved; /* next to reserve */
    struct commit_position
        limit; /* no reservation ends beyond: ring space and prepared disk space */
    struct commit_position reclaimed; /* ring space below may be overwritten */
    struct commit_position retiring;  /* being reclaimed: a reader that enters its section now must
                                         not use the ring below */
    struct commit_position
        decided; /* everything below is committed, aborted or dead; advanced by the log writer */
    struct commit_position
        written; /* everything below is finished and copied out of the ring by the log writer */
    struct commit_position durable;   /* everything below is on disk */
    struct commit_position projected; /* everything below has been applied to derived state */
    struct commit_position disk_end;  /* the log has prepared space for everything below */

    _Alignas(CACHE_LINE_BYTES) _Atomic uint32_t stopped; /* fail-stop: no commit any more */
    _Alignas(CACHE_LINE_BYTES) _Atomic int64_t
        courtesy_until_ns; /* rule 7: others hold back until then; 0 = nobody asks */
    _Alignas(CACHE_LINE_BYTES) _Atomic uint32_t space_epoch; /* futex: changes when `limit` grows */
    _Atomic uint32_t space_waiters;
    _Alignas(CACHE_LINE_BYTES) _Atomic uint32_t
        writer_epoch;                 /* futex of the log writer: work has come */
    uint32_t writer_epoch_seen;       /* the log writer's own */
    _Atomic uint64_t writer_wakes_at; /* COMMIT_AWAKE: it does not sleep */
    _Alignas(CACHE_LINE_BYTES) _Atomic uint32_t
        follower_epoch;                 /* futex of the thread that applies records */
    uint32_t follower_epoch_seen;       /* that thread's own */
    _Atomic uint64_t follower_wakes_at; /* as above */
    _Alignas(CACHE_LINE_BYTES) _Atomic uint32_t reclaim_epoch; /* futex of the reclaiming thread */
    _Alignas(CACHE_LINE_BYTES) _Atomic(struct commit_deferred *) deferred;
    _Alignas(
        CACHE_LINE_BYTES) _Atomic uint64_t helped; /* times another thread's record was met open */
    _Atomic uint64_t dead_gaps;
    _Alignas(CACHE_LINE_BYTES) struct commit_reclaimer *reclaimer;
    pthread_mutex_t oracle_lock;
};

struct commit_config {
    uint64_t ring_bytes;               /* power of two */
    uint32_t limits[CELL_CLASS_COUNT]; /* slots of each class */
    bool oracle;                       /* commit under one mutex: the test oracle */
    bool followed;                     /* reclaim waits for commit_advance_projected() */
    struct memory *memory;
};

/* Maps cells and ring. CELLAR_OK, CELLAR_OUT_OF_MEMORY or CELLAR_INVALID_ARGUMENT. */
cellar_status commit_create(struct commit **commit_out, const struct commit_config *config);
/* Sets all positions to `lsn` (a multiple of 64, > 0) and starts the reclaiming thread. Cells may
 * be redone before, not after. */
cellar_status commit_start(struct commit *commit, uint64_t lsn);
/* No other call may be running. Stops the reclaiming thread and releases what was deferred; what is
 * deferred later is released at once. */
void commit_halt(struct commit *commit);
/* After commit_halt(), which it calls if need be: unmaps everything. */
void commit_destroy(struct commit *commit);

/* ---- Read sections: what is found in cells and ring stays valid until commit_leave(). Nest. Never
 * wait inside one. ---- */

void commit_enter(void);
void commit_leave(void);
/* Waits until every section entered before has been left. Not inside a section. */
void commit_grace_period(void);

/* Memory that readers may still look at: embedded in the object, handed over once, released by the
 * reclaiming thread after a grace period. Any thread, inside a section or not; lock-free. */
struct commit_deferred {
    struct commit_deferred *next;
    void (*release)(struct commit_deferred *deferred, struct memory *memory);
};
void commit_defer(struct commit *commit, struct commit_deferred *deferred);

/* ---- Reading, inside a section ---- */

/* What holds in a cell that was met claimed, and what it holds once that claim is resolved. */
struct cell_content commit_read_claimed(const struct commit *commit, uint32_t cell,
                                        struct cell_content claimed);
struct cell_content commit_read_resolved(struct commit *commit, uint32_t cell,
                                         struct cell_content claimed);

/* The cell's committed {value, version} at one instant. Never waits and never helps. */
static inline struct cell_content commit_read(const struct commit *commit, uint32_t cell) {
    struct cell_content content = cell_load(&commit->cells[cell]);
    return cell_is_claimed(content.version) ? commit_read_claimed(commit, cell, content) : content;
}

/* As commit_read(), but finishes a transaction it meets: for a caller that is going to change the
 * cell. */
static inline struct cell_content commit_read_settled(struct commit *commit, uint32_t cell) {
    struct cell_content content = cell_load(&commit->cells[cell]);
    return cell_is_claimed(content.version) ? commit_read_resolved(commit, cell, content) : content;
}

/* The cell's content as of all commits below `snapshot`, found by rewinding through the records in
 * the ring. `snapshot` must be a value that `decided` or `projected` had inside this section, or
 * that is held back from reclaim. */
struct cell_content commit_read_at(const struct commit *commit, uint32_t cell, uint64_t snapshot);
/* `decided`, for commit_read_at(). */
uint64_t commit_snapshot(const struct commit *commit);
/* The record at `lsn` when the ring still holds it for this section (a committed cell's version,
 * say), else NULL: read the log. */
const struct record_header *commit_record(const struct commit *commit, uint64_t lsn);

/* ---- Committing ---- */

struct commit_change {
    uint32_t cell;
    uint32_t unused;
    struct record_update update;
};

struct commit_request {
    const struct commit_change *changes; /* in strictly rising order of `cell` */
    uint32_t change_count;               /* 0 to RECORD_CELLS_MAX */
    uint16_t kind;
    const void *payload;
    uint32_t payload_bytes;
    int64_t time_ns;
};

enum commit_outcome {
    COMMIT_DONE,        /* committed at *lsn_out */
    COMMIT_CONFLICT,    /* a cell had another version: read again and retry */
    COMMIT_FULL,        /* no space: leave the section, commit_wait_space(), retry */
    COMMIT_PASSED_OVER, /* the log writer gave up on us before we published: retry */
    COMMIT_STOPPED      /* fail-stop or closing: no commit any more */
};

/* One attempt, inside the read section in which the cells were read and the objects looked up.
 * Limits are checked by the caller with commit_request_bytes(). */
enum commit_outcome commit_try(struct commit *commit, const struct commit_request *request,
                               uint64_t *lsn_out);
/* Exact bytes of the record. 0 when it is over a limit (cells, payload, or an eighth of the ring).
 */
uint64_t commit_request_bytes(const struct commit *commit, uint32_t change_count,
                              uint64_t payload_bytes);
/* Outside any section: waits until a record of `bytes` may find space; true when it may, false at
 * the deadline (monotonic; INT64_MIN never waits) or when stopped. */
bool commit_wait_space(struct commit *commit, uint64_t bytes, int64_t deadline_ns);
/* Rule 7. Before an attempt, outside any section: holds back for a wide transaction that asked for
 * it. */
void commit_hold_back(struct commit *commit, bool mine);
/* Asks others to hold back for `needed_ns`, the time an attempt takes, but for
 * COMMIT_COURTESY_MIN_NS at least and COMMIT_COURTESY_MAX_NS at most. Not 0 when granted: then pass
 * mine = true and end with the release of what was returned. */
int64_t commit_courtesy_ask(struct commit *commit, int64_t needed_ns);
void commit_courtesy_release(struct commit *commit, int64_t granted);
#define COMMIT_COURTESY_MIN_NS NANOSECONDS_PER_MILLISECOND
#define COMMIT_COURTESY_MAX_NS (100 * NANOSECONDS_PER_MILLISECOND)

/* ---- For the log writer and the follower: one thread each ---- */

enum commit_decision {
    COMMIT_NOTHING,     /* lsn == reserved: all is decided */
    COMMIT_UNPUBLISHED, /* reserved, but its owner has not published yet */
    COMMIT_TAKE,        /* committed: *record_out is to be logged */
    COMMIT_PAD          /* aborted or dead: log padding of *bytes_out bytes */
};

/* Decides the record at `lsn` == decided (helping it if it is open), finishes it, and tells what it
 * became and the space it takes. Does not advance `decided`. The record stays in the ring until
 * `written` passes it. */
enum commit_decision commit_decide(struct commit *commit, uint64_t lsn,
                                   const struct record_header **record_out, uint64_t *space_out);
/* Rule 4: passes over what nobody published at `lsn` and behind it, up to the next published record
 * or `reserved`. Returns the space of the gap, 0 when it was published meanwhile. */
uint64_t commit_pass_over(struct commit *commit, uint64_t lsn);
/* Publishes a grown position and wakes who waits for it: `decided`, `written`, `durable`,
 * `projected` are stored with release order. */
void commit_advance_written(struct commit *commit, uint64_t lsn);
/* The log has space for everything below `lsn`; raises `limit`. */
void commit_advance_disk_end(struct commit *commit, uint64_t lsn);
void commit_advance_projected(struct commit *commit, uint64_t lsn);
/* For the thread that applies records: the same at `lsn` >= `projected`, which may be ahead of the
 * log writer; what that has passed over is COMMIT_PAD, line by line. The record stays in the ring
 * until `projected` passes it. */
enum commit_decision commit_follow(struct commit *commit, uint64_t lsn,
                                   const struct record_header **record_out, uint64_t *space_out);
/* Sleeps until `written` is beyond `wakes_at`, the epoch was kicked, or the timeout. */
void commit_follower_sleep(struct commit *commit, uint64_t wakes_at, int64_t timeout_ns);
void commit_follower_kick(struct commit *commit);
/* Sleeps until a record at `wakes_at` or beyond was published, the epoch was kicked, or the
 * timeout; not at all when one is reserved there. */
void commit_writer_sleep(struct commit *commit, uint64_t wakes_at, int64_t timeout_ns);
void commit_writer_kick(struct commit *commit);
/* After the record at `lsn` was published or given up: wakes the log writer if it sleeps for want
 * of it. */
static inline void commit_writer_wake(struct commit *commit, uint64_t lsn) {
    /* Sequentially consistent: the reservation, also so, came before; see commit_writer_sleep(). */
    if (lsn >= ATOMIC_LOAD(&commit->writer_wakes_at, seq_cst)) {
        commit_writer_kick(commit);
    }
}
/* Fail-stop. Wakes everyone who waits for space. */
void commit_stop(struct commit *commit);

/* ---- For recovery, before commit_start(): one thread ---- */

enum commit_redo_result {
    COMMIT_REDONE,
    COMMIT_REDO_OLD,
    COMMIT_REDO_BROKEN
};
/* Applies the updates of a valid record to every cell that is older. BROKEN when a version expected
 * is not the version found, or a cell is out of range: *cell_out names it. */
enum commit_redo_result commit_redo(struct commit *commit, const struct record_header *record,
                                    uint32_t *cell_out);

#endif
