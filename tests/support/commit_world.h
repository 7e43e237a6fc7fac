/* A commit to test: cells, ring and log writer in one struct; transactions written as lists of
 * {cell, delta}; actors that do one thing on a thread of their own, so that a gate can stop them.
 */
#ifndef CELLAR_TESTS_SUPPORT_COMMIT_WORLD_H
#define CELLAR_TESTS_SUPPORT_COMMIT_WORLD_H

#include "support/commit_drain.h"
#include "support/commit_gate.h"

/* Where the log of every world begins: not at the start of the ring. */
#define COMMIT_WORLD_LSN UINT64_C(0x7c0)
/* Far ahead of every test. */
#define COMMIT_WORLD_DISK_END (UINT64_C(1) << 60)

struct commit_world {
    struct memory *memory;
    struct commit *commit;
    struct commit_drain drain;
    struct commit_model model; /* of the start: all cells {0, 0} */
    struct commit_config config;
};

/* config.memory is filled in. No thread but the reclaiming one runs; the gates are reset. */
void commit_world_open(struct commit_world *world, const struct commit_config *config);
/* A ring of `ring_bytes`, `slots` cells in each of the first two classes. */
void commit_world_open_simple(struct commit_world *world, uint64_t ring_bytes, uint32_t slots);
/* Decides the rest, replays the history from the start, compares it with the cells, checks that
 * every record reserved became history, padding or a gap, and gives everything back. */
void commit_world_close(struct commit_world *world);

/* A transaction to be tried. */
struct commit_plan {
    struct commit_request request;
    uint32_t capacity;
    struct commit_change *changes;
};

void commit_plan_make(struct commit_plan *plan, uint32_t capacity);
void commit_plan_free(struct commit_plan *plan);
void commit_plan_clear(struct commit_plan *plan);
/* Exactly this; cells must come in rising order. */
void commit_plan_expect(struct commit_plan *plan, uint32_t cell, struct cell_content expected,
                        int64_t new_value);
/* Reads the cell now and adds `delta`. */
void commit_plan_add(struct commit_plan *plan, const struct commit *commit, uint32_t cell,
                     int64_t delta);
/* One attempt in a section of its own. */
enum commit_outcome commit_plan_try(const struct commit_plan *plan, struct commit *commit,
                                    uint64_t *lsn_out);

/* One committed transaction on one cell, which must succeed. Returns its LSN. */
uint64_t commit_world_set(struct commit_world *world, uint32_t cell, int64_t value);
/* commit_read() in a section of its own. */
struct cell_content commit_world_read(const struct commit_world *world, uint32_t cell);
/* Waits until `*position` is at least `lsn`, for `timeout_ns`. */
bool commit_world_await(const struct commit_position *position, uint64_t lsn, int64_t timeout_ns);
/* Makes the reclaiming thread give back everything written, and waits for it. */
void commit_world_reclaim_all(struct commit_world *world);

enum commit_deed {
    COMMIT_DEED_TRY,    /* one attempt of the plan */
    COMMIT_DEED_READ,   /* commit_read() of the cell */
    COMMIT_DEED_SETTLE, /* commit_read_settled() of the cell */
    COMMIT_DEED_DECIDE  /* the log writer's step */
};

/* Does one deed in one read section on a thread of its own, named for the gates. */
struct commit_actor {
    struct commit_world *world;
    enum commit_deed deed;
    unsigned name;
    uint32_t cell;
    struct commit_plan plan;
    size_t stack_bytes; /* 0: the default */
    enum commit_outcome outcome;
    uint64_t lsn;
    struct cell_content content;
    pthread_t thread;
};

/* Prepares an actor that will try a transaction; its plan is filled with commit_plan_add(). */
void commit_actor_make(struct commit_actor *actor, struct commit_world *world, unsigned name,
                       enum commit_deed deed);
void commit_actor_start(struct commit_actor *actor);
void commit_actor_join(struct commit_actor *actor);

#endif
