/* A day of sales with the calls that the model of a shop (support/model.h) does not know: coupons
 * and codes, steps of orders by line, kits, transactions, leases, holds of money.
 *
 * The calls follow from a seed (support/sales_draw.h), and what each must answer and what the store
 * is then from a sequential model (support/sales_model.h). A store whose disk or memory fails must
 * answer like it until it fails, and after its next opening be what the model was after as many
 * calls as the log has left.
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
    struct sales_answer answers[SALES_CALLS];
    bool changes[SALES_CALLS];
    uint32_t tokens[SALES_CALLS + 1]
                   [SALES_LEASES];              /* [i]: before call i, see sales_model_token() */
    struct sales_state states[SALES_CALLS + 1]; /* [i]: before call i */
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

/* Draws the day of this seed, or one of the next until every kind of call is done in it:
 * sales->seed tells. False: sales->wrong says why there is none. */
bool sales_make(struct sales *sales, uint64_t seed);
/* Goes through the day on a sound disk in memory, and compares the whole store after every call.
 * False: sales->wrong. */
bool sales_go_through(struct sales *sales);
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
