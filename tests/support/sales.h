/* A day of sales with the calls that the model of a shop (support/model.h) does not know: coupons
 * and codes, steps of orders by line, kits, locations, transactions, leases, holds of goods and
 * money that run out, periods.
 *
 * The calls follow from a seed (support/sales_draw.h), and what each must answer and what the store
 * is then from a sequential model (support/sales_model.h). A store whose disk or memory fails must
 * answer like it until it fails, and after its next opening be what the model was after as many
 * calls as the log has left.
 *
 * What has run out may be given back or not until the store has had the time for it. The thread
 * that does it rests but in sweeps: then all that is due must be given back. In between callers who
 * are short of something do, and which they chose is asked of the store. Whoever is refused for
 * want of something must be so with all that is due given back, too.
 *
 * One thread; the clock of the store shows what call it is. */
#ifndef CELLAR_TESTS_SUPPORT_SALES_H
#define CELLAR_TESTS_SUPPORT_SALES_H

#include "engine/engine.h"
#include "support/memory_io.h"
#include "support/sales_model.h"

struct sales {
    uint64_t seed;
    struct sales_request requests[SALES_CALLS];
    char wrong[300];
};

/* A store that goes through the day, and how far it is. */
struct sales_run {
    const struct sales *sales;
    cellar *store;
    uint32_t next; /* call */
    struct sales_lsns lsns;
    /* Of each call the last commit, its own or one that the store made for it; 0: none. */
    uint64_t ends[SALES_CALLS];
    uint64_t asides[SALES_CALLS + 1]; /* what the store did of its own, before or in each call */
    uint64_t acknowledged;            /* LSNs below are on disk for sure */
    struct sales_model model;         /* before the next call */
    uint64_t expired;                 /* in all: by sweeps, and by callers ... */
    uint64_t expired_by_callers;
    char wrong[300]; /* what was found wrong first */
};

/* Draws the day of this seed, or one of the next until every kind of call is done in it:
 * sales->seed tells. False: sales->wrong says why there is none. */
bool sales_make(struct sales *sales, uint64_t seed);
/* Goes through the day on a sound disk in memory, and compares the whole store after every call.
 * False: sales->wrong. */
bool sales_go_through(struct sales *sales);
/* Before the first call; the store is not open yet. */
void sales_begin(struct sales_run *run, const struct sales *sales);
cellar_status sales_open(cellar **store_out, const struct io *io, cellar_problem *problem);
/* Makes the next call; goes on to the one after it unless the call failed, which *status_out tells
 * as it is. False: it was answered, but not as it should be. */
bool sales_step(struct sales_run *run, const cellar_call *options, cellar_status *status_out);
/* Is the store what the model is? */
bool sales_compare(struct sales_run *run);
/* Reads what is read back from the log and from lists: the first failure, or OK. */
cellar_status sales_read(struct sales_run *run);
/* After another opening of a store that has lost nothing; some of what is due may have been given
 * back by now. */
void sales_reopened(struct sales_run *run);
/* After another opening: finds how much of the day is left, which must be all that was
 * acknowledged and nothing behind a hole, and whether the store is what it was then; with a `sweep`
 * also after it has given back all that is due. The run goes on from there. *lost_out: calls that
 * are gone. */
bool sales_restore(struct sales_run *run, bool sweep, uint32_t *lost_out);

#endif
