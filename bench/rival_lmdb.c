/* LMDB: a memory-mapped B+ tree, copy on write, one writer at a time behind LMDB's own mutex. An
 * order is one transaction over three tables. */
#include "rival.h"

#include <lmdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define MAP_BYTES ((size_t)16 << 30) /* address space; the file grows as it is used */

struct lmdb_line {
    char sku[SHOP_SKU_BYTES];
    int64_t quantity;
    int64_t unit_price;
};

struct lmdb_order {
    uint64_t customer;
    int64_t total;
    struct lmdb_line lines[];
};

struct lmdb_shop {
    MDB_env *environment;
    MDB_dbi products;
    MDB_dbi accounts;
    MDB_dbi orders;
};

/* Takes `amount` off a number; false when it would fall below zero, or there is none. */
static bool subtract(MDB_txn *transaction, MDB_dbi table, MDB_val key, int64_t amount) {
    MDB_val value;
    int64_t number = 0;

    if (mdb_get(transaction, table, &key, &value) != 0 || value.mv_size != sizeof number) {
        return false;
    }
    memcpy(&number, value.mv_data, sizeof number);
    if (number < amount) {
        return false;
    }
    number -= amount;
    value = (MDB_val){sizeof number, &number};
    return mdb_put(transaction, table, &key, &value, 0) == 0;
}

static bool order_write(struct lmdb_shop *own, MDB_txn *transaction,
                        const cellar_order_request *request) {
    size_t count = request->line_count;
    uint64_t account = request->account;
    int64_t total = shop_total(request);
    cellar_id id = request->id;
    MDB_val key;
    MDB_val value;

    for (size_t i = 0; i < count; i++) {
        const cellar_line *line = &request->lines[i];
        key = (MDB_val){strlen(line->sku), (void *)(uintptr_t)line->sku};
        if (!subtract(transaction, own->products, key, line->quantity)) {
            return false;
        }
    }
    key = (MDB_val){sizeof account, &account};
    if (!subtract(transaction, own->accounts, key, total)) {
        return false;
    }
    key = (MDB_val){sizeof id, &id};
    value = (MDB_val){sizeof(struct lmdb_order) + count * sizeof(struct lmdb_line), NULL};
    if (mdb_put(transaction, own->orders, &key, &value, MDB_NOOVERWRITE | MDB_RESERVE) != 0) {
        return false;
    }
    struct lmdb_order *order = value.mv_data;
    order->customer = request->customer;
    order->total = total;
    for (size_t i = 0; i < count; i++) {
        memset(&order->lines[i], 0, sizeof order->lines[i]);
        memcpy(order->lines[i].sku, request->lines[i].sku, strlen(request->lines[i].sku));
        order->lines[i].quantity = request->lines[i].quantity;
        order->lines[i].unit_price = request->lines[i].unit_price;
    }
    return true;
}

static bool lmdb_place(void *context, const cellar_order_request *request) {
    struct lmdb_shop *own = context;
    MDB_txn *transaction = NULL;

    if (mdb_txn_begin(own->environment, NULL, 0, &transaction) != 0) {
        return false;
    }
    if (!order_write(own, transaction, request)) {
        mdb_txn_abort(transaction);
        return false;
    }
    return mdb_txn_commit(transaction) == 0;
}

/* Adds up the numbers of a table. */
static bool sum_numbers(MDB_txn *transaction, MDB_dbi table, int64_t *sum_out) {
    MDB_cursor *cursor = NULL;
    MDB_val key;
    MDB_val value;
    int64_t number = 0;
    int found = mdb_cursor_open(transaction, table, &cursor);

    while (found == 0 && (found = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0) {
        memcpy(&number, value.mv_data, sizeof number);
        *sum_out += number;
    }
    if (cursor != NULL) {
        mdb_cursor_close(cursor);
    }
    return found == MDB_NOTFOUND;
}

static bool sum_orders(MDB_txn *transaction, MDB_dbi table, struct rival_totals *totals_out) {
    MDB_cursor *cursor = NULL;
    MDB_val key;
    MDB_val value;
    int found = mdb_cursor_open(transaction, table, &cursor);

    while (found == 0 && (found = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0) {
        const struct lmdb_order *order = value.mv_data;
        size_t count = (value.mv_size - sizeof *order) / sizeof *order->lines;
        totals_out->orders++;
        totals_out->paid += order->total;
        for (size_t i = 0; i < count; i++) {
            totals_out->units_sold += order->lines[i].quantity;
        }
    }
    if (cursor != NULL) {
        mdb_cursor_close(cursor);
    }
    return found == MDB_NOTFOUND;
}

static bool lmdb_sum(void *context, struct rival_totals *totals_out) {
    struct lmdb_shop *own = context;
    MDB_txn *transaction = NULL;

    if (mdb_txn_begin(own->environment, NULL, MDB_RDONLY, &transaction) != 0) {
        return false;
    }
    bool ok = sum_numbers(transaction, own->products, &totals_out->units_left) &&
              sum_numbers(transaction, own->accounts, &totals_out->balances) &&
              sum_orders(transaction, own->orders, totals_out);
    mdb_txn_abort(transaction);
    return ok;
}

static bool fill(struct lmdb_shop *own, const struct shop *shop) {
    MDB_txn *transaction = NULL;
    int64_t units = SHOP_UNITS;
    int64_t funds = SHOP_FUNDS;

    if (mdb_txn_begin(own->environment, NULL, 0, &transaction) != 0) {
        return false;
    }
    bool ok =
        mdb_dbi_open(transaction, "product", MDB_CREATE, &own->products) == 0 &&
        mdb_dbi_open(transaction, "account", MDB_CREATE | MDB_INTEGERKEY, &own->accounts) == 0 &&
        mdb_dbi_open(transaction, "order", MDB_CREATE, &own->orders) == 0;
    for (uint32_t i = 0; ok && i < shop->skus; i++) {
        MDB_val key = {strlen(shop->names[i]), shop->names[i]};
        MDB_val value = {sizeof units, &units};
        ok = mdb_put(transaction, own->products, &key, &value, 0) == 0;
    }
    for (uint64_t account = 1; ok && account <= SHOP_CUSTOMERS; account++) {
        MDB_val key = {sizeof account, &account};
        MDB_val value = {sizeof funds, &funds};
        ok = mdb_put(transaction, own->accounts, &key, &value, 0) == 0;
    }
    if (!ok) {
        mdb_txn_abort(transaction);
        return false;
    }
    return mdb_txn_commit(transaction) == 0;
}

static void path_of(char path[DATA_PATH_BYTES]) {
    data_path(path, "lmdb");
}

static void lmdb_end(void *context) {
    struct lmdb_shop *own = context;
    char path[DATA_PATH_BYTES];

    mdb_env_close(own->environment);
    free(own);
    path_of(path);
    data_remove(path);
}

static void *lmdb_start(const struct shop *shop, unsigned int flags) {
    struct lmdb_shop *own = calloc(1, sizeof *own);
    char path[DATA_PATH_BYTES];

    if (own == NULL || mdb_env_create(&own->environment) != 0) {
        free(own);
        return NULL;
    }
    path_of(path);
    data_remove(path);
    bool ok = mkdir(path, 0755) == 0 && mdb_env_set_mapsize(own->environment, MAP_BYTES) == 0 &&
              mdb_env_set_maxdbs(own->environment, 3) == 0 &&
              mdb_env_open(own->environment, path, flags, 0644) == 0;
    if (!ok || !fill(own, shop)) {
        lmdb_end(own);
        return NULL;
    }
    return own;
}

static void *sync_start(const struct shop *shop) {
    return lmdb_start(shop, 0);
}

static void *nosync_start(const struct shop *shop) {
    return lmdb_start(shop, MDB_NOSYNC | MDB_WRITEMAP);
}

const struct rival_kind rival_lmdb_sync = {"LMDB, sync", sync_start, lmdb_place, lmdb_sum,
                                           lmdb_end};
const struct rival_kind rival_lmdb_nosync = {"LMDB, no sync", nosync_start, lmdb_place, lmdb_sum,
                                             lmdb_end};
