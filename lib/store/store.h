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
#include "store/chain.h"
#include "store/closed.h"
#include "store/collected.h"
#include "store/content.h"
#include "store/deadlines.h"
#include "store/document.h"
#include "store/coupons.h"
#include "store/holds.h"
#include "store/index.h"
#include "store/part.h"
#include "store/payload.h"
#include "store/queue.h"
#include "store/slots.h"
#include "store/table.h"

#include <stdbool.h>
#include <stdint.h>

/* Classes of cells: the global order of claiming, private things first, contended ones last (rule
 * 6). Numbers between are kept for what is to come. */
enum store_cell_class {
    /* slot: store_document_value(); <= 0: none, minus its generation */
    STORE_CELLS_DOCUMENT = 1,
    STORE_CELLS_LEASE = 4,        /* 2 * slot: until when, ms, 0: free; + 1: the holder */
    STORE_CELLS_PRIVATE_LAST = 5, /* classes up to here are private to one customer or request */
    STORE_CELLS_ACCOUNT = 6,      /* 4 * slot + store_account_part */
    STORE_CELLS_SETTLED = 7,      /* account slot: what was settled of all it collected, ever */
    STORE_CELLS_PRODUCT = 8,      /* slot: number of the attribute block; 0: does not exist */
    STORE_CELLS_STOCK = 14        /* 4 * slot + store_stock_cell */
};

/* `room` = balance - floor - held is what may be spent. Whatever changes one of the first three
 * changes the room's version, so that it guards the others; terms never change. */
enum store_account_part {
    STORE_ACCOUNT_ROOM = 0,
    STORE_ACCOUNT_FLOOR_PART = 1,
    STORE_ACCOUNT_HELD = 2,
    STORE_ACCOUNT_TERMS = 3, /* the currency, and STORE_TERMS_COLLECTING */
    STORE_ACCOUNT_CELLS = 4
};
#define STORE_TERMS_COLLECTING (INT64_C(1) << 32)

/* A rule and the quantity it guards stand in one cell: `sellable` = available - safety, less
 * STORE_STOCK_BLOCK while the product is discontinued, less STORE_STOCK_KIT while it is a kit,
 * whose own stock is not sold. A sale asks only that it stays at or above zero. */
enum store_stock_cell {
    STORE_STOCK_SELLABLE = 0,
    STORE_STOCK_SAFETY_CELL = 1,
    STORE_STOCK_UNSELLABLE = 2,
    STORE_STOCK_INCOMING = 3,
    STORE_STOCK_CELLS = 4
};
#define STORE_STOCK_BLOCK (INT64_C(1) << 61)
#define STORE_STOCK_KIT (INT64_C(1) << 60)
_Static_assert(STORE_STOCK_KIT / 2 > 4 * CELLAR_AMOUNT_MAX, "flags are told from any sum");

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
    uint32_t component_count;
    struct payload_component *components; /* behind the text */
    char text[];                          /* name, category, attributes */
};

/* On cache lines of its own: a look-up by a short SKU touches one. */
struct store_product {
    _Alignas(CACHE_LINE_BYTES) struct table_link link;
    uint32_t slot;
    uint32_t stock;               /* of location 0 */
    _Atomic uint32_t more_stocks; /* other locations, linked by store_stock.next */
    _Atomic uint8_t maybe_kit;    /* a hint, never taken back: its cell and block tell */
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
    int64_t safety;           /* derived */
    int64_t safety_lowest;    /* derived: below it nothing can ever have been sold */
    struct queue queue;       /* derived: sources of open orders that wait or may run out */
};

struct store_account {
    struct table_link link;
    uint64_t id;
    uint32_t slot;
    bool collecting;           /* derived, as the terms say */
    _Atomic bool brimming;     /* derived: more than STORE_BRIM is unsettled */
    _Atomic uint16_t removals; /* derived: from `holds`, twice as many; odd while one is made */
    struct chain holds;        /* derived: its open holds of money that have a deadline */
};
_Static_assert(sizeof(struct store_account) == CACHE_LINE_BYTES / 2, "two to a cache line");

#define STORE_BRIM (CELLAR_AMOUNT_MAX / 4)

struct store_lease {
    struct table_link link;
    uint32_t slot;
    uint8_t name_bytes;
    char name[CELLAR_LEASE_NAME_BYTES_MAX + 1];
};

/* The content of an order while it is open. */
struct store_detail {
    struct commit_deferred deferred;
    uint32_t bytes; /* of this allocation */
    uint32_t line_count;
    uint16_t flags;
    uint16_t reference_bytes;
    uint32_t queued;                     /* its first place in queues; 0: in none */
    _Alignas(8) unsigned char content[]; /* as in the ledger */
};

/* False: it is broken. */
static inline bool detail_read(struct content *content, const struct store_detail *detail) {
    return content_read(content, detail->content, detail->bytes - sizeof *detail,
                        detail->line_count, detail->flags, detail->reference_bytes);
}

/* What has become of the lines of an order, when not the same of all of them. Never changed: each
 * step that has something to say makes a new one. */
struct store_progress {
    struct commit_deferred deferred;
    int64_t cancelled_value;
    int64_t returned_value;
    uint32_t bytes; /* of this allocation */
    uint32_t zero;
    struct content_progress lines[]; /* of all lines of the order */
};

#define STORE_ORDER_SUSPECT 1u /* in the queue of refused creations */
#define STORE_ORDER_LINKED 2u  /* in the table, and not retired */

/* Two cache lines: what a look-up needs, and the content. */
struct store_order {
    _Alignas(CACHE_LINE_BYTES) struct table_link link;
    cellar_id id;
    uint32_t slot;
    uint32_t generation;           /* minus the cell's value while it does not exist */
    _Atomic uint32_t next_suspect; /* queue of creations that were refused */
    _Atomic uint8_t flags;         /* STORE_ORDER_* */
    uint8_t ordinal;               /* derived: among what its commit has made */
    uint16_t line_count;           /* derived */
    /* Derived; valid once placed_lsn is not 0. */
    _Atomic uint64_t placed_lsn;
    int64_t placed_ns;
    _Atomic int64_t changed_ns;
    uint64_t fingerprint;
    uint64_t customer;                     /* of a hold of money: the account it is held of */
    _Atomic uint64_t account;              /* of a hold of money: the account it was posted to */
    int64_t total;                         /* of a hold of money: what was held */
    _Atomic(struct store_detail *) detail; /* NULL once closed */
    _Atomic(struct store_progress *) progress; /* NULL: what the state says of all lines */
    union {
        struct {
            _Atomic uint32_t older_of_customer;
            uint32_t newer_of_customer;
        };
        _Atomic int64_t posted; /* of a hold of money: how much was paid */
    };
    /* Its neighbours in the chain it is in; derived. */
    _Atomic uint32_t chain_before;
    _Atomic uint32_t chain_after;
};
_Static_assert(sizeof(struct store_order) == 2 * CACHE_LINE_BYTES, "as said above");
_Static_assert(CELLAR_LINES_MAX <= UINT16_MAX, "a count of lines fits");

struct store_customer {
    struct table_link link;
    uint64_t id;
    _Atomic uint32_t newest; /* of his orders in memory */
    /* The record that retired one of his orders last: those that have left memory are linked
     * through such records. 0: none has. */
    _Atomic uint64_t retired_lsn;
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
    struct slots lease_slots;
    struct store_product *products;
    struct store_stock *stocks;
    struct store_account *accounts;
    struct store_collected *collected; /* by account slot */
    struct store_order *orders;
    struct store_customer *customers;
    struct store_category *categories;
    struct store_lease *leases;
    _Atomic(struct store_attributes *) *blocks;
    _Atomic int64_t *sold; /* by product slot, derived: ordered and taken, less what came back */

    struct table product_table, stock_table, account_table, order_table, customer_table;
    struct table category_table;
    struct table lease_table;

    struct index *products_by_status[3];
    struct index *orders_by_state[STORE_STATE_COUNT];
    _Atomic uint32_t suspects; /* head of the queue of refused creations */

    int64_t remember_closed_ns; /* 0: for ever, and `closed` is not kept */
    /* Derived: closed documents in memory, the one whose last step is longest ago first. */
    struct chain closed;
    struct sweep_batch *freed; /* slots to be used again after a grace period; NULL: none so far */
    uint32_t customers_max;
    _Atomic bool customers_full; /* derived: there are as many as that */
    bool recovering;             /* nobody else looks at anything */

    struct slots queue_slots;
    struct queue_place *places;
    struct deadlines deadlines; /* derived: orders that are held until then */

    struct coupons coupons;
    cellar_totals totals; /* derived; the following thread only */
    /* Parts of the record at hand that have been applied, while memory was short for the next. */
    uint32_t parts_applied;
};

struct store_limits {
    uint32_t products, stocks, accounts, orders, customers, leases;
    struct coupon_limits coupons;
    int64_t remember_closed_ns; /* how long after its last step; 0: for ever */
};

/* The slots of each class of cells that these limits ask for. */
void store_cell_limits(const struct store_limits *limits,
                       uint32_t cell_limits_out[CELL_CLASS_COUNT]);
cellar_status store_create(struct store **store_out, struct commit *commit, struct memory *memory,
                           const struct store_limits *limits);
void store_destroy(struct store *store);

/* ---- Derived state: one thread ---- */

/* Whether the payload is well formed: sizes, counts, ranges of slots. Recovery asks before it
 * applies. */
bool store_record_check(const struct store *store, const struct record_header *record);
enum store_apply_result store_apply(struct store *store, const struct record_header *record);
/* known.c. After it was applied in recovery: whether each cell that the record changes belongs to
 * an object that is known now. Else a slot that counts as free would not be. */
bool store_record_known(const struct store *store, const struct record_header *record);
/* Two hints, some time apart: the record is applied soon; `recovering`, its cells are redone and
 * its document is linked, too. The second asks for what the first has led to. */
void store_fetch(const struct store *store, const struct record_header *record, bool recovering);
void store_fetch_more(const struct store *store, const struct record_header *record,
                      bool recovering);
/* After the last record of recovery: makes the lists of free slots. */
void store_recovered(struct store *store);
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

/* Its place in lists: by the commit that made it, and there by its ordinal. A record that makes
 * more than one takes more than one line, so keys of different records do not meet. */
_Static_assert(CELLAR_STEPS_MAX <= RECORD_LINE_BYTES, "ordinals fit beside an LSN");
static inline uint64_t store_order_key_at(const struct store_order *order, uint64_t placed_lsn) {
    return placed_lsn + order->ordinal;
}

static inline uint32_t store_account_part_cell(uint32_t slot, enum store_account_part part) {
    return CELL_INDEX(STORE_CELLS_ACCOUNT, slot * STORE_ACCOUNT_CELLS + part);
}

/* What may be spent. */
static inline uint32_t store_account_cell(uint32_t slot) {
    return store_account_part_cell(slot, STORE_ACCOUNT_ROOM);
}

static inline uint32_t store_floor_cell(uint32_t slot) {
    return store_account_part_cell(slot, STORE_ACCOUNT_FLOOR_PART);
}

static inline uint32_t store_held_cell(uint32_t slot) {
    return store_account_part_cell(slot, STORE_ACCOUNT_HELD);
}

static inline uint32_t store_terms_cell(uint32_t slot) {
    return store_account_part_cell(slot, STORE_ACCOUNT_TERMS);
}

static inline uint32_t store_settled_cell(uint32_t slot) {
    return CELL_INDEX(STORE_CELLS_SETTLED, slot);
}

/* How much of what the account in the slot has collected is not settled, as far as the log was
 * followed. Acquire: pairs with the release in collected_add(); a settlement that rests on
 * this sum gets a higher LSN than the records it was summed up from. Read after the cell `settled`:
 * what was settled had been summed up. */
static inline int64_t store_unsettled(const struct store *store, uint32_t slot, int64_t settled) {
    return (int64_t)(ATOMIC_LOAD(&store->collected[slot].sum, acquire) - (uint64_t)settled);
}

static inline uint32_t store_lease_cell(uint32_t slot) {
    return CELL_INDEX(STORE_CELLS_LEASE, 2 * slot);
}

static inline uint32_t store_lease_holder_cell(uint32_t slot) {
    return CELL_INDEX(STORE_CELLS_LEASE, 2 * slot + 1);
}

/* NULL when there is none. May be one whose creation is not committed. */
struct store_product *store_find_product(struct store *store, const char *sku, uint64_t id);
/* The same by SKU, its hash known. */
struct store_product *store_find_sku(struct store *store, const char *sku, uint64_t hash);
/* The slot that is linked for the product at that location, open or not; 0: none is. */
uint32_t store_find_linked_stock(struct store *store, const struct store_product *product,
                                 uint32_t location);
/* Slot, 0 when the product is not at that location. */
uint32_t store_find_stock(struct store *store, const struct store_product *product,
                          uint32_t location);
/* The stocks of a product are a list that begins with product->stock; 0: no more. Acquire: pairs
 * with the release in store_ensure_stock(); whoever sees a stock sees its location and the next. */
static inline uint32_t store_next_stock(const struct store *store,
                                        const struct store_product *product, uint32_t stock) {
    return stock == product->stock ? ATOMIC_LOAD(&product->more_stocks, acquire)
                                   : store->stocks[stock].next;
}
/* What is available of a stock; a hint, since its two cells are read one after the other. */
int64_t store_available(const struct store *store, uint32_t stock);
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
/* lease.c */
struct store_lease *store_find_lease(struct store *store, const char *name, size_t bytes);
struct store_lease *store_ensure_lease(struct store *store, const char *name, size_t bytes);
struct store_order *store_ensure_order(struct store *store, cellar_id id, uint64_t hash);

/* STORE_STOCK_BLOCK and STORE_STOCK_KIT, added up, as far as they are in the sellable cell. */
static inline int64_t store_stock_flags(int64_t sellable) {
    int64_t half = STORE_STOCK_KIT / 2;
    if (sellable > -half) {
        return 0;
    }
    if (sellable > -STORE_STOCK_KIT - half) {
        return STORE_STOCK_KIT;
    }
    return sellable > -STORE_STOCK_BLOCK - half ? STORE_STOCK_BLOCK
                                                : STORE_STOCK_BLOCK + STORE_STOCK_KIT;
}

static inline bool store_stock_blocked(int64_t sellable) {
    return (store_stock_flags(sellable) & STORE_STOCK_BLOCK) != 0;
}

/* What is sold of a stock: the sellable cell without its flags. */
static inline int64_t store_stock_unblocked(int64_t sellable) {
    return sellable + store_stock_flags(sellable);
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

/* Pieces of a stock were sold; below zero: they are so no more. */
static inline void store_sell(struct store *store, uint32_t stock, int64_t pieces) {
    store_sum_shared(&store->sold[store->stocks[stock].product], pieces);
}

/* ---- Parts of store_apply(), one file each ---- */

enum store_apply_result step_apply(struct store *store, const struct store_part *part);
void detail_release(struct commit_deferred *deferred, struct memory *memory);
void progress_release(struct commit_deferred *deferred, struct memory *memory);
/* What has become of a line, by the state and the progress (NULL: none told apart). */
struct content_progress progress_of(const struct store_progress *progress, uint32_t state,
                                    uint32_t line, int64_t quantity);

enum store_apply_result product_apply(struct store *store, const struct store_part *part);
enum store_apply_result stock_apply(struct store *store, const struct store_part *part);
enum store_apply_result account_apply(struct store *store, const struct store_part *part);
enum store_apply_result order_apply(struct store *store, const struct store_part *part);
enum store_apply_result coupon_apply(struct store *store, const struct store_part *part);
/* What a redemption (or, with `undo`, a restoration) means, of whatever record it is part of.
 * BROKEN, with nothing changed: recovery only. */
enum store_apply_result coupon_apply_redeem(struct store *store,
                                            const struct payload_redeem *redeem, bool undo);
enum store_apply_result account_hold_apply(struct store *store, const struct store_part *part);
enum store_apply_result lease_apply(struct store *store, const struct store_part *part);
/* Whether their payloads are well formed and agree with the record's cells. */
bool account_check_part(const struct store *store, const struct store_part *part);
bool lease_check_part(const struct store *store, const struct store_part *part);
/* Money that a part moves from one account to another; 0 is outside. */
struct store_payment {
    uint64_t from;
    uint64_t to;
    int64_t amount;
    struct store_account *collector; /* `to`, when that is a collecting account */
};
/* All but the collector, from a part that is well formed. False: it moves no money; else the amount
 * is above zero. */
bool account_payment_of(const struct store_part *part, struct store_payment *payment_out);
/* Finds the collector, and the memory to note what it is paid. False: there is none. */
bool account_reserve_payment(struct store *store, uint64_t lsn, struct store_payment *payment);
/* What all parts of a record pay to the account. */
int64_t account_record_pays(const struct record_header *record, uint64_t account);
/* Counts the payment, and adds up what a collecting account collects. */
void account_apply_payment(struct store *store, uint64_t lsn, const struct store_payment *payment);
/* Recovery: the entry with the slot of the record's cell. Live: it is there. */
enum store_apply_result order_apply_entry(struct store *store, const struct record_header *record,
                                          cellar_id id, uint32_t slot,
                                          struct store_order **order_out);
/* The document's entry for a part whose id is not {0, 0}; `state` is what its cell says. */
enum store_apply_result order_apply_document(struct store *store, const struct store_part *part,
                                             const struct payload_document *document,
                                             uint32_t state, uint64_t account);
struct store_attributes *product_block_create(struct store *store, uint32_t number,
                                              const struct payload_product *payload,
                                              const char *name, const char *category,
                                              const void *attributes,
                                              const struct payload_component *components);
void product_block_release(struct commit_deferred *deferred, struct memory *memory);

#endif
