/* The queue of a stock: sources of open orders (a line, or an allocation of it) that are held until
 * a deadline or were sold before they were here, in the order in which they were placed.
 *
 * A   written by the thread that follows the log alone; read by any thread inside a read section
 * B   places are type-stable: a reader that loses its way walks places of another queue, and no
 *     further than it wants to
 * C   what queue_overdue() finds is a hint, checked against cells by who acts on it; what
 *     queue_uncovered() tells is of one moment of the queue, or it says that it cannot tell
 *
 * When there are no places left a source stays out: it still expires, but nobody finds it by its
 * SKU. */
#ifndef CELLAR_STORE_QUEUE_H
#define CELLAR_STORE_QUEUE_H

#include "base/atomic.h"
#include "store/deadlines.h"

#include <stdbool.h>
#include <stdint.h>

struct store;

struct queue {
    _Atomic uint32_t oldest;
    _Atomic uint32_t newest;
    _Atomic uint32_t changes; /* odd while one is being made */
    _Atomic int64_t left;     /* pieces of all places together */
};

struct queue_place {
    _Atomic uint32_t older;
    _Atomic uint32_t newer;
    _Atomic uint32_t order;
    _Atomic uint32_t stock;
    _Atomic uint32_t next; /* of the same order */
    _Atomic uint32_t source;
    _Atomic int64_t left; /* pieces that are still reserved */
    bool waited;          /* the following thread's: not all was here when it was sold */
};

/* Puts a source at the end of its stock's queue, and before `next` in its order's chain; returns
 * its place, or `next` when there is none. */
uint32_t queue_add(struct store *store, uint32_t order, uint32_t source, uint32_t stock,
                   int64_t left, bool waited, uint32_t next);
/* The order cannot run out any more: takes the places of a chain out that were here when they were
 * sold, and returns the first of those that stay. */
uint32_t queue_keep_waiting(struct store *store, uint32_t first);
/* Takes all places of a chain out. */
void queue_remove(struct store *store, uint32_t first);
/* Some pieces of a source are not reserved any more. */
void queue_shrink(struct store *store, uint32_t first, uint32_t source, int64_t pieces);

/* Readers. Orders near the front of the queue whose hold has run out. */
void queue_overdue(const struct store *store, uint32_t stock, struct overdue *overdue);
/* Of the pieces of a source how many are not here yet, `missing` of the stock being missing in all:
 * those who came first are served first. A source that stands in no queue was here when it was
 * sold. Negative: the queue changed all the time it was looked at. */
int64_t queue_uncovered(const struct store *store, uint32_t stock, uint32_t order, uint32_t source,
                        int64_t missing);

#endif
