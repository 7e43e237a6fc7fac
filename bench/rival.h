/* Rivals: other ways to do the business of a paid order, in process, by the same threads, of the
 * same products. One order is: an order object with its lines under an id that must be new, a check
 * and a decrement of the stock of each line, a debit of the customer's account that must not
 * overdraw it; all or nothing. README.md says what each rival does and leaves out. */
#ifndef BENCH_RIVAL_H
#define BENCH_RIVAL_H

#include "shop.h"

/* What a rival's data says at the end. */
struct rival_totals {
    uint64_t orders;
    int64_t units_left; /* in stock */
    int64_t units_sold; /* in the lines of the orders */
    int64_t balances;
    int64_t paid; /* totals of the orders */
};

struct rival_kind {
    const char *name;
    /* Makes the products with SHOP_UNITS each and the accounts with SHOP_FUNDS. NULL: failed. */
    void *(*start)(const struct shop *shop);
    /* False: refused or failed; nothing has been changed. */
    bool (*place)(void *context, const cellar_order_request *request);
    /* With nobody at work. False: it could not be read. */
    bool (*sum)(void *context, struct rival_totals *totals_out);
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

/* Orders that one thread was told are placed. */
struct rival_thread {
    _Alignas(64) uint64_t placed;
};

struct rival {
    const struct rival_kind *kind;
    struct shop *shop;
    void *context;
    struct rival_thread *threads;
    struct load load;
};

bool rival_start(struct rival *rival, const struct rival_kind *kind, struct shop *shop);
/* Nothing was lost: every order that was answered is there, every unit in stock or in an order, all
 * money in an account or an order. With nobody at work. */
bool rival_check(struct rival *rival, struct bench_result *result);
void rival_end(struct rival *rival);

#endif
