/* A day of sales with the calls that the model of a shop (support/model.h) does not know: coupons
 * and codes, steps of orders by line, kits, transactions, leases, holds of money.
 *
 * There is no second model of them. The day is gone through once on a store that nothing happens
 * to, every answer is noted, and what can be asked of the store after each call. The same calls on
 * a store whose disk or memory fails must be answered alike until they fail; and what such a store
 * is after its next opening must be what the sound one was after as many calls as the log has left.
 * That the sound answers are right is what other tests are for (tests/unit, flow_lifecycle); here
 * the audit must find nothing after any call, and each kind of call must have been done.
 *
 * One thread; everything follows from the seed. */
#ifndef CELLAR_TESTS_SUPPORT_SALES_H
#define CELLAR_TESTS_SUPPORT_SALES_H

#include "engine/engine.h"
#include "support/memory_io.h"
#include "support/sales_draw.h"

#define SALES_FACTS 448

struct sales {
    uint64_t seed;
    cellar_status statuses[SALES_CALLS];
    bool changes[SALES_CALLS];
    int64_t facts[SALES_CALLS + 1][SALES_FACTS]; /* [i]: before call i */
    char wrong[300];
};

/* A store that goes through the day, and how far it is. */
struct sales_run {
    const struct sales *sales;
    cellar *store;
    uint32_t next;              /* call */
    uint64_t lsns[SALES_CALLS]; /* of those that were done; 0: it changed nothing */
    uint64_t acknowledged;      /* LSNs below are on disk for sure */
    char wrong[300];            /* what was found wrong first */
};

/* Goes through the day of this seed on a disk in memory, or through one of the next until every
 * kind of call has been done: sales->seed tells. False: sales->wrong says why the day is no good.
 */
bool sales_make(struct sales *sales, uint64_t seed);
cellar_status sales_open(cellar **store_out, const struct io *io, cellar_problem *problem);
/* Makes the next call; goes on to the one after it unless the call failed, which *status_out tells
 * as it is. False: it was answered, but not as it should be. */
bool sales_step(struct sales_run *run, const cellar_call *options, cellar_status *status_out);
/* Reads what is read back from the log and from lists: the first failure, or OK. */
cellar_status sales_read(struct sales_run *run);
/* After another opening: finds how much of the day is left, which must be all that was
 * acknowledged and nothing behind a hole, and whether the store is what it was then. The run goes
 * on from there. *lost_out: calls that are gone. */
bool sales_restore(struct sales_run *run, uint32_t *lost_out);

#endif
