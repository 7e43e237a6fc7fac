/* Rivals: other ways to do the business of a paid order, in process, by the same threads, of the
 * same products. One order is: an order object with its lines under an id that must be new, a check
 * and a decrement of the stock of each line, a debit of the customer's account that must not
 * overdraw it; all or nothing. README.md says what each rival does and leaves out. */
#ifndef BENCH_RIVAL_H
#define BENCH_RIVAL_H

#include "shop.h"

struct rival_kind {
    const char *name;
    /* Makes the products with SHOP_UNITS each and the accounts with SHOP_FUNDS. NULL: failed. */
    void *(*start)(const struct shop *shop);
    /* False: refused or failed; nothing has been changed. */
    bool (*place)(void *context, const cellar_order_request *request);
    void (*end)(void *context);
};

/* A mutex for each SKU, each account and each of 1024 parts of the orders; no log. */
extern const struct rival_kind rival_mutex;
/* Write-ahead log, a sync at every commit; and a sync at checkpoints only. */
extern const struct rival_kind rival_sqlite_full;
extern const struct rival_kind rival_sqlite_normal;
/* A sync at every commit; and none at all. */
extern const struct rival_kind rival_lmdb_sync;
extern const struct rival_kind rival_lmdb_nosync;

struct rival {
    const struct rival_kind *kind;
    struct shop *shop;
    void *context;
    struct load load;
};

bool rival_start(struct rival *rival, const struct rival_kind *kind, struct shop *shop);
void rival_end(struct rival *rival);

#endif
