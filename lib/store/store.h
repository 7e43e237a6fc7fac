/* The store: products, stock, accounts and orders over cells, and what is derived from them.
 *
 * Two kinds of state. Cells, and the objects that name them, are changed by commits of any thread:
 * plan_* functions read cells, apply the business rule and either refuse or say what to change.
 * Derived state (reserved and on-hand quantities, lists, orders' contents, totals) is changed by
 * store_apply() alone, on the one thread that follows the log, in LSN order; recovery calls the
 * same function for the same records. No I/O. Objects are type-stable: slots of mapped arrays. */
#ifndef CELLAR_STORE_STORE_H
#define CELLAR_STORE_STORE_H

#include "base/hash.h"
#include "base/memory.h"
#include "cellar.h"
#include "commit/commit.h"
#include "store/index.h"
#include "store/payload.h"
#include "store/slots.h"
#include "store/table.h"

#include <stdbool.h>
#include <stdint.h>

/* Classes of cells: the global order of claiming, private things first, contended ones last (rule
 * 6). Numbers between are kept for what is to come. */
enum store_cell_class {
    STORE_CELLS_DOCUMENT =
        1, /* slot: state of an order or another document; <= 0: none, minus its generation */
    STORE_CELLS_ACCOUNT = 6, /* 2 * slot: balance - floor; 2 * slot + 1: floor */
    STORE_CELLS_PRODUCT = 8, /* slot: number of the attribute block; 0: does not exist */
    STORE_CELLS_STOCK = 14   /* 4 * slot + store_stock_cell */
};

/* A rule and the quantity it guards stand in one cell: `sellable` = available - safety, less
 * STORE_STOCK_BLOCK while the product is discontinued. A sale asks only that it stays at or above
 * zero. */
enum store_stock_cell {
    STORE_STOCK_SELLABLE = 0,
    STORE_STOCK_SAFETY_CELL = 1,
    STORE_STOCK_UNSELLABLE = 2,
    STORE_STOCK_INCOMING = 3,
    STORE_STOCK_CELLS = 4
};
#define STORE_STOCK_BLOCK (INT64_C(1) << 61)
_Static_assert(STORE_STOCK_BLOCK / 4 > 4 * CELLAR_AMOUNT_MAX,
               "a blocked cell is told from any sum");

/* State of a document that is no order: a stock change or transfer that has an id. */
#define STORE_STATE_OTHER 6
#define STORE_STATE_COUNT 7

struct store_attributes {
    struct commit_deferred deferred;
    struct store *store;
    uint32_t number;
    uint32_t product; /* whose it is; 0 until the record that made it so is applied */
    uint32_t bytes;   /* of this allocation */
    int64_t created_ns;
    int64_t updated_ns;
    int64_t unit_price;
    uint32_t attributes_bytes;
    uint8_t status;
    uint8_t name_bytes;
    uint8_t category_bytes;
    char text[]; /* name, category, attributes */
};

/* On cache lines of its own: a look-up by a short SKU touches one. */
struct store_product {
    _Alignas(CACHE_LINE_BYTES) struct table_link link;
    uint32_t slot;
    uint32_t stock;               /* of location 0 */
    _Atomic uint32_t more_stocks; /* other locations, linked by store_stock.next */
    uint8_t sku_bytes;
    char sku[CELLAR_SKU_BYTES_MAX + 1];
};

struct store_stock {
    struct table_link link;
    uint32_t product;
    uint32_t location;
    uint32_t next;
    _Atomic int64_t reserved; /* derived */
    _Atomic int64_t on_hand;  /* derived: sum of movements */
};

struct store_account {
    struct table_link link;
    uint64_t id;
    uint32_t slot;
};

/* The lines of an order while it is open. */
struct store_detail {
    struct commit_deferred deferred;
    uint32_t bytes;
    uint32_t line_count;
    int64_t business_time_ns;
    uint32_t reference_bytes;
    uint32_t zero;
    struct payload_line lines[]; /* then the reference */
};

#define STORE_ORDER_SUSPECT 1u /* in the queue of refused creations */
#define STORE_ORDER_LINKED 2u  /* in the table, by a call and not by recovery; not retired */

/* Two cache lines: what a look-up needs, and the content. */
struct store_order {
    _Alignas(CACHE_LINE_BYTES) struct table_link link;
    cellar_id id;
    uint32_t slot;
    uint32_t generation;           /* minus the cell's value while it does not exist */
    _Atomic uint32_t next_suspect; /* queue of creations that were refused */
    _Atomic uint32_t flags;        /* STORE_ORDER_* */
    /* Derived; valid once placed_lsn is not 0. */
    _Atomic uint64_t placed_lsn;
    int64_t placed_ns;
    _Atomic int64_t changed_ns;
    uint64_t fingerprint;
    uint64_t customer;
    _Atomic uint64_t account;
    int64_t total;
    _Atomic(struct store_detail *) detail; /* NULL once closed */
    uint32_t older_of_customer;
    uint32_t line_count;
};

struct store_customer {
    struct table_link link;
    uint64_t id;
    _Atomic uint32_t newest;
};

struct store_category {
    struct table_link link;
    struct index *products;
    uint32_t bytes;
    char name[CELLAR_CATEGORY_BYTES_MAX + 1];
};

struct store {
    struct commit *commit;
    struct memory *memory;
    uint64_t seed;

    struct slots product_slots, stock_slots, account_slots, order_slots, customer_slots;
    struct slots block_slots, category_slots;
    struct store_product *products;
    struct store_stock *stocks;
    struct store_account *accounts;
    struct store_order *orders;
    struct store_customer *customers;
    struct store_category *categories;
    _Atomic(struct store_attributes *) *blocks;

    struct table product_table, stock_table, account_table, order_table, customer_table;
    struct table category_table;

    struct index *products_by_status[3];
    struct index *orders_by_state[STORE_STATE_COUNT];
    _Atomic uint32_t suspects; /* head of the queue of refused creations */

    cellar_totals totals; /* derived; the following thread only */
};

struct store_limits {
    uint32_t products, stocks, accounts, orders;
};

/* The slots of each class of cells that these limits ask for. */
void store_cell_limits(const struct store_limits *limits,
                       uint32_t cell_limits_out[CELL_CLASS_COUNT]);
cellar_status store_create(struct store **store_out, struct commit *commit, struct memory *memory,
                           const struct store_limits *limits);
void store_destroy(struct store *store);

/* ---- Derived state: one thread ---- */

enum store_apply_result {
    STORE_APPLIED,
    STORE_APPLY_NO_MEMORY, /* nothing changed; may be called again */
    STORE_APPLY_BROKEN,    /* recovery only: the record contradicts the store */
    STORE_APPLY_LIMIT      /* recovery only: more objects than the configuration allows */
};
/* Whether the payload is well formed: sizes, counts, ranges of slots. Recovery asks before it
 * applies. */
bool store_record_check(const struct store *store, const struct record_header *record);
enum store_apply_result store_apply(struct store *store, const struct record_header *record);
/* known.c. After it was applied in recovery: whether each cell that the record changes belongs to
 * an object that is known now. Else a slot that counts as free would not be. */
bool store_record_known(const struct store *store, const struct record_header *record);
/* Two hints, some time apart: the record is applied soon. With `cells` its cells are redone, too.
 * The second asks for what the first has led to. */
void store_fetch(const struct store *store, const struct record_header *record, bool cells);
void store_fetch_more(const struct store *store, const struct record_header *record);
/* After the last record of recovery: makes the lists of free slots. */
void store_recovered(struct store *store);
/* Any thread: the order's entry was linked by a call that was then refused. */
void store_suspect(struct store *store, uint32_t slot);
/* The following thread: retires a bounded number of refused creations. */
void store_sweep(struct store *store, int64_t now_ns);

/* The following thread, between two records: checks every invariant as of all commits below
 * `snapshot`. */
void store_audit(struct store *store, uint64_t snapshot, cellar_audit *audit_out);

/* ---- Looking things up: inside a read section ---- */

static inline uint32_t store_product_cell(uint32_t slot) {
    return CELL_INDEX(STORE_CELLS_PRODUCT, slot);
}

static inline uint32_t store_order_cell(uint32_t slot) {
    return CELL_INDEX(STORE_CELLS_DOCUMENT, slot);
}

static inline uint32_t store_stock_cell(uint32_t slot, enum store_stock_cell which) {
    return CELL_INDEX(STORE_CELLS_STOCK, slot * STORE_STOCK_CELLS + which);
}

static inline uint32_t store_account_cell(uint32_t slot) {
    return CELL_INDEX(STORE_CELLS_ACCOUNT, 2 * slot);
}

static inline uint32_t store_floor_cell(uint32_t slot) {
    return CELL_INDEX(STORE_CELLS_ACCOUNT, 2 * slot + 1);
}

/* NULL when there is none. May be one whose creation is not committed. */
struct store_product *store_find_product(struct store *store, const char *sku, uint64_t id);
/* The same by SKU, its hash known. */
struct store_product *store_find_sku(struct store *store, const char *sku, uint64_t hash);
/* Slot, 0 when the product is not at that location. */
uint32_t store_find_stock(struct store *store, const struct store_product *product,
                          uint32_t location);
struct store_account *store_find_account(struct store *store, uint64_t id);
struct store_order *store_find_order(struct store *store, cellar_id id);
/* Hashes of keys. */
uint64_t store_hash_text(const struct store *store, const char *text, size_t bytes);
uint64_t store_hash_number(const struct store *store, uint64_t number);
uint64_t store_hash_id(const struct store *store, cellar_id id);
uint64_t store_hash_place(const struct store *store, uint32_t product, uint32_t location);
/* Keys that are more than their bytes. */
struct store_place_key {
    uint32_t product;
    uint32_t location;
};
struct store_order_key {
    const struct store *store;
    cellar_id id;
};

struct store_customer *store_find_customer(struct store *store, uint64_t id);
struct store_category *store_find_category(struct store *store, const char *name, size_t bytes);

/* Find, or link a new one that does not live until a commit says so. NULL or
 * 0: a limit is reached. */
struct store_product *store_ensure_product(struct store *store, const char *sku, size_t sku_bytes);
uint32_t store_ensure_stock(struct store *store, struct store_product *product, uint32_t location);
struct store_account *store_ensure_account(struct store *store, uint64_t id);
struct store_order *store_ensure_order(struct store *store, cellar_id id);

/* What is sold of a stock: the sellable cell without the block. */
static inline bool store_stock_blocked(int64_t sellable) {
    return sellable < -STORE_STOCK_BLOCK / 2;
}

static inline int64_t store_stock_unblocked(int64_t sellable) {
    return store_stock_blocked(sellable) ? sellable + STORE_STOCK_BLOCK : sellable;
}

/* Sums over the whole store. They are exact as long as they fit 64 bits; beyond, they are so modulo
 * 2^64, which is enough for the audit, and nothing is undefined. */
static inline void store_sum(int64_t *sum, int64_t delta) {
    *sum = (int64_t)((uint64_t)*sum + (uint64_t)delta);
}

static inline void store_sum_shared(_Atomic int64_t *sum, int64_t delta) {
    /* Relaxed, and no read-modify-write: one thread writes; readers take whatever is current. */
    int64_t value = ATOMIC_LOAD(sum, relaxed);
    store_sum(&value, delta);
    ATOMIC_STORE(sum, value, relaxed);
}

/* ---- Parts of store_apply(), one file each ---- */

enum store_apply_result product_apply(struct store *store, const struct record_header *record);
enum store_apply_result stock_apply(struct store *store, const struct record_header *record);
enum store_apply_result account_apply(struct store *store, const struct record_header *record);
enum store_apply_result order_apply(struct store *store, const struct record_header *record);
/* The document's entry for a record whose id is not {0, 0}; `state` is what its cell says. */
enum store_apply_result order_apply_document(struct store *store,
                                             const struct record_header *record,
                                             const struct payload_document *document,
                                             uint32_t state);
struct store_attributes *product_block_create(struct store *store, uint32_t number,
                                              const struct payload_product *payload,
                                              const char *name, const char *category,
                                              const void *attributes);
void product_block_release(struct commit_deferred *deferred, struct memory *memory);

#endif
