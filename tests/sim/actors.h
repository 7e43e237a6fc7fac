/* What the simulated threads do. */
#ifndef CELLAR_TESTS_SIM_ACTORS_H
#define CELLAR_TESTS_SIM_ACTORS_H

#include "sim/world.h"
#include "support/random.h"

/* Reads a cell: inline in the library, so it has to be done where accesses are watched. */
struct cell_content actor_read(struct commit *commit, uint32_t cell, bool settled);

/* ---- The log writer and the follower: daemons ---- */

struct actor_writer {
    struct random random;
    unsigned patience; /* an unpublished record is passed over after up to so many looks */
    unsigned batch;    /* records between two moves of `written` */
};
void actor_writer(void *writer);
void actor_follower(void *unused);

/* Closes a log. */
struct actor_closer {
    struct log *log;
    bool closed;
    cellar_status status;
};
void actor_closer(void *closer);

/* ---- Threads of the host ---- */

/* One attempt, with the cells read in the order given. */
struct actor_attempt {
    uint32_t count;
    uint32_t cells[WORLD_CHANGES_MAX]; /* in rising order; numbers below WORLD_CELLS */
    bool backwards;                    /* read in falling order */
    bool settled;
    unsigned tries;
};
void actor_attempt(void *attempt);

/* One attempt on the first cell and a version of the fourth that has gone: it claims the one, then
 * finds the other changed. */
void actor_stale(void *unused);

/* Reads the cells one by one, then as of one instant. */
struct actor_reader {
    uint32_t count;
    uint32_t cells[WORLD_CHANGES_MAX];
    bool snapshot;
    bool settled;
};
void actor_reader(void *reader);

/* So many deeds of all kinds. */
struct actor_mixed {
    struct random random;
    unsigned deeds;
    struct log *log; /* not NULL: waits until some of its commits are durable */
};
void actor_mixed(void *mixed);

#endif
