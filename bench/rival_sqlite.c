/* SQLite in WAL mode, in process: one connection, exclusive, behind one mutex, since SQLite has one
 * writer at a time anyway and its own waiting is by sleeping. Prepared statements; an order is one
 * transaction; its lines are one blob, as few rows as can be. */
#include "rival.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum statement {
    BEGIN,
    STOCK,
    ACCOUNT,
    ORDER,
    COMMIT,
    ROLLBACK,
    STATEMENT_COUNT
};

static const char *const statements[STATEMENT_COUNT] = {
    "BEGIN IMMEDIATE",
    "UPDATE product SET available = available - ?2 WHERE sku = ?1 AND available >= ?2",
    "UPDATE account SET balance = balance - ?2 WHERE id = ?1 AND balance >= ?2",
    "INSERT INTO placed (id, customer, total, lines) VALUES (?1, ?2, ?3, ?4)",
    "COMMIT",
    "ROLLBACK",
};

static const char schema[] =
    "PRAGMA journal_mode = WAL; PRAGMA locking_mode = EXCLUSIVE; PRAGMA cache_size = -262144;"
    "PRAGMA wal_autocheckpoint = 10000;"
    "CREATE TABLE product (sku TEXT PRIMARY KEY, available INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE account (id INTEGER PRIMARY KEY, balance INTEGER NOT NULL);"
    "CREATE TABLE placed (id BLOB PRIMARY KEY, customer INTEGER NOT NULL, total INTEGER NOT NULL,"
    "                     lines BLOB NOT NULL) WITHOUT ROWID;";

struct blob_line {
    char sku[SHOP_SKU_BYTES];
    int64_t quantity;
    int64_t unit_price;
};

struct sqlite_shop {
    pthread_mutex_t lock;
    sqlite3 *connection;
    sqlite3_stmt *statements[STATEMENT_COUNT];
    struct blob_line lines[CELLAR_LINES_MAX]; /* under the lock */
};

/* Runs a statement that returns no row. True when it changed a row, or need not have. */
static bool run(struct sqlite_shop *own, enum statement statement, bool must_change) {
    int result = sqlite3_step(own->statements[statement]);
    bool ok = result == SQLITE_DONE && (!must_change || sqlite3_changes(own->connection) == 1);
    sqlite3_reset(own->statements[statement]);
    return ok;
}

static bool order_write(struct sqlite_shop *own, const cellar_order_request *request) {
    sqlite3_stmt *statement = own->statements[STOCK];
    int64_t total = shop_total(request);

    for (size_t i = 0; i < request->line_count; i++) {
        const cellar_line *line = &request->lines[i];
        sqlite3_bind_text(statement, 1, line->sku, -1, SQLITE_STATIC);
        sqlite3_bind_int64(statement, 2, line->quantity);
        if (!run(own, STOCK, true)) {
            return false;
        }
        own->lines[i] =
            (struct blob_line){.quantity = line->quantity, .unit_price = line->unit_price};
        snprintf(own->lines[i].sku, SHOP_SKU_BYTES, "%s", line->sku);
    }
    statement = own->statements[ACCOUNT];
    sqlite3_bind_int64(statement, 1, (sqlite3_int64)request->account);
    sqlite3_bind_int64(statement, 2, total);
    if (!run(own, ACCOUNT, true)) {
        return false;
    }
    statement = own->statements[ORDER];
    sqlite3_bind_blob(statement, 1, &request->id, sizeof request->id, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 2, (sqlite3_int64)request->customer);
    sqlite3_bind_int64(statement, 3, total);
    sqlite3_bind_blob(statement, 4, own->lines, (int)(request->line_count * sizeof *own->lines),
                      SQLITE_STATIC);
    return run(own, ORDER, true);
}

static bool sqlite_place(void *context, const cellar_order_request *request) {
    struct sqlite_shop *own = context;

    pthread_mutex_lock(&own->lock);
    bool ok = run(own, BEGIN, false);
    if (ok) {
        ok = order_write(own, request) && run(own, COMMIT, false);
        if (!ok) {
            (void)run(own, ROLLBACK, false);
        }
    }
    pthread_mutex_unlock(&own->lock);
    return ok;
}

/* The number that a query's only row is. */
static bool query_number(struct sqlite_shop *own, const char *query, int64_t *number_out) {
    sqlite3_stmt *statement = NULL;
    bool ok = sqlite3_prepare_v2(own->connection, query, -1, &statement, NULL) == SQLITE_OK &&
              sqlite3_step(statement) == SQLITE_ROW;

    if (ok) {
        *number_out = sqlite3_column_int64(statement, 0);
    }
    sqlite3_finalize(statement);
    return ok;
}

static bool sum_orders(struct sqlite_shop *own, struct rival_totals *totals_out) {
    sqlite3_stmt *statement = NULL;
    int step = sqlite3_prepare_v2(own->connection, "SELECT total, lines FROM placed", -1,
                                  &statement, NULL);

    while (step == SQLITE_OK || step == SQLITE_ROW) {
        step = sqlite3_step(statement);
        if (step == SQLITE_ROW) {
            const struct blob_line *lines = sqlite3_column_blob(statement, 1);
            size_t count = (size_t)sqlite3_column_bytes(statement, 1) / sizeof *lines;
            totals_out->orders++;
            totals_out->paid += sqlite3_column_int64(statement, 0);
            for (size_t i = 0; i < count; i++) {
                totals_out->units_sold += lines[i].quantity;
            }
        }
    }
    sqlite3_finalize(statement);
    return step == SQLITE_DONE;
}

static bool sqlite_sum(void *context, struct rival_totals *totals_out) {
    struct sqlite_shop *own = context;
    return query_number(own, "SELECT sum(available) FROM product", &totals_out->units_left) &&
           query_number(own, "SELECT sum(balance) FROM account", &totals_out->balances) &&
           sum_orders(own, totals_out);
}

static void path_of(char path[DATA_PATH_BYTES]) {
    data_path(path, "sqlite");
}

static bool fill(struct sqlite_shop *own, const struct shop *shop) {
    sqlite3_stmt *product = NULL;
    sqlite3_stmt *account = NULL;
    bool ok = run(own, BEGIN, false) &&
              sqlite3_prepare_v2(own->connection, "INSERT INTO product VALUES (?1, ?2)", -1,
                                 &product, NULL) == SQLITE_OK &&
              sqlite3_prepare_v2(own->connection, "INSERT INTO account VALUES (?1, ?2)", -1,
                                 &account, NULL) == SQLITE_OK;

    for (uint32_t i = 0; ok && i < shop->skus; i++) {
        sqlite3_bind_text(product, 1, shop->names[i], -1, SQLITE_STATIC);
        sqlite3_bind_int64(product, 2, SHOP_UNITS);
        ok = sqlite3_step(product) == SQLITE_DONE;
        sqlite3_reset(product);
    }
    for (uint32_t i = 1; ok && i <= SHOP_CUSTOMERS; i++) {
        sqlite3_bind_int64(account, 1, i);
        sqlite3_bind_int64(account, 2, SHOP_FUNDS);
        ok = sqlite3_step(account) == SQLITE_DONE;
        sqlite3_reset(account);
    }
    sqlite3_finalize(product);
    sqlite3_finalize(account);
    return ok && run(own, COMMIT, false);
}

static void sqlite_end(void *context) {
    struct sqlite_shop *own = context;
    char path[DATA_PATH_BYTES];

    for (size_t i = 0; i < STATEMENT_COUNT; i++) {
        sqlite3_finalize(own->statements[i]);
    }
    sqlite3_close(own->connection);
    pthread_mutex_destroy(&own->lock);
    free(own);
    path_of(path);
    data_remove(path);
}

static void *sqlite_start(const struct shop *shop, const char *synchronous) {
    struct sqlite_shop *own = calloc(1, sizeof *own);
    char path[DATA_PATH_BYTES];

    if (own == NULL) {
        return NULL;
    }
    pthread_mutex_init(&own->lock, NULL);
    path_of(path);
    data_remove(path);
    bool ok = sqlite3_open(path, &own->connection) == SQLITE_OK &&
              sqlite3_exec(own->connection, schema, NULL, NULL, NULL) == SQLITE_OK &&
              sqlite3_exec(own->connection, synchronous, NULL, NULL, NULL) == SQLITE_OK;
    for (size_t i = 0; ok && i < STATEMENT_COUNT; i++) {
        ok = sqlite3_prepare_v3(own->connection, statements[i], -1, SQLITE_PREPARE_PERSISTENT,
                                &own->statements[i], NULL) == SQLITE_OK;
    }
    if (!ok || !fill(own, shop)) {
        sqlite_end(own);
        return NULL;
    }
    return own;
}

static void *full_start(const struct shop *shop) {
    return sqlite_start(shop, "PRAGMA synchronous = FULL");
}

static void *normal_start(const struct shop *shop) {
    return sqlite_start(shop, "PRAGMA synchronous = NORMAL");
}

const struct rival_kind rival_sqlite_full = {"SQLite, WAL, FULL", full_start, sqlite_place,
                                             sqlite_sum, sqlite_end};
const struct rival_kind rival_sqlite_normal = {"SQLite, WAL, NORMAL", normal_start, sqlite_place,
                                               sqlite_sum, sqlite_end};
