/* A plan: what one attempt of a call is going to commit, made inside the attempt's read section.
 *
 * plan_* functions of the store look their objects up afresh, read cells settled, refuse by the
 * business rule or write new values and a payload into the plan. The engine then commits it, or
 * makes it anew when a cell has changed. */
#ifndef CELLAR_STORE_PLAN_H
#define CELLAR_STORE_PLAN_H

#include "store/store.h"

#define PLAN_CHANGES_INLINE 16
#define PLAN_PAYLOAD_INLINE 512
#define PLAN_LINES_INLINE 16
#define PLAN_ROOM_INLINE (48 * PLAN_LINES_INLINE)
/* Lines that are looked up together. */
#define PLAN_LINES_AHEAD 16
#define PLAN_SUSPECTS_MAX 16

/* What a plan function answers. */
enum plan_result {
    PLAN_COMMIT,   /* commit what is written */
    PLAN_REFUSED,  /* refusal says why */
    PLAN_REPEATED, /* nothing to commit: the ticket says when it was done */
    PLAN_WAIT, /* derived state must reach wait_lsn first; leave the section, wait, plan again */
    PLAN_OPEN_STOCK, /* open_product must begin to exist at open_location first */
    PLAN_SETTLE,     /* what settle_account has collected must be settled first */
    PLAN_NO_MEMORY
};

/* One SKU and location of a request, with all its lines added up. */
struct plan_line {
    uint32_t stock;
    uint32_t line; /* the first line of the request that names it */
    int64_t quantity;
};

/* A stock or account that has too little, and the version of the cell that says so. */
struct plan_short {
    uint32_t slot; /* 0: none */
    uint64_t version;
};

struct plan {
    struct store *store;
    int64_t now_ns;
    uint16_t kind;
    bool sorted;

    struct commit_change *changes;
    uint32_t change_count;
    uint32_t change_capacity;
    unsigned char *payload;
    uint32_t payload_bytes;
    uint32_t payload_capacity;
    struct plan_line *lines;
    uint32_t line_count;
    uint32_t line_capacity;

    cellar_refusal refusal;
    cellar_ticket ticket;
    uint64_t wait_lsn;
    bool maybe_kits; /* one of plan_lines() may be a kit */
    /* Of a refusal: the slots of the stocks that have too little, of a line all that it may come
     * from, and that of the account; 0: none. */
    struct plan_short short_stocks[CELLAR_LOCATIONS_MAX];
    uint32_t short_stock_count;
    struct plan_short short_account;
    uint32_t open_product; /* 0: none is to be opened */
    uint32_t open_location;
    uint64_t settle_account;
    /* Not 0: what collecting accounts have collected below it has been waited for, over attempts.
     */
    uint64_t collected_lsn;
    bool trial;      /* it is not going to be committed: nothing is settled or waited for */
    bool room_taken; /* room_inline is in use, over all attempts */
    /* Slots of documents linked by this call and not committed so far. */
    uint32_t suspects[PLAN_SUSPECTS_MAX];
    uint32_t suspect_count;
    /* Composed of several steps: changes before this one are those of earlier steps, whose new
     * values the current step reads. 0 in a plan of one step. */
    uint32_t step_first;
    bool composed; /* the payload at hand is a part of a transaction's */

    const cellar_line *fetched; /* the lines whose hashes are in `hashes` */
    uint32_t fetched_count;
    uint64_t hashes[PLAN_LINES_AHEAD];
    const cellar_line *found; /* the lines whose products are in `products` */
    uint32_t found_count;
    struct store_product *products[PLAN_LINES_AHEAD]; /* NULL: there is none */
    cellar_id fetched_id;                             /* the document whose hash is the next */
    uint64_t fetched_id_hash;
    uint64_t fetched_account; /* the account whose hash is the next; 0: none */
    uint64_t fetched_account_hash;
    struct commit_change changes_inline[PLAN_CHANGES_INLINE];
    _Alignas(8) unsigned char payload_inline[PLAN_PAYLOAD_INLINE];
    struct plan_line lines_inline[PLAN_LINES_INLINE];
    _Alignas(8) unsigned char room_inline[PLAN_ROOM_INLINE];
};

typedef enum plan_result plan_function(struct plan *plan, void *request);
/* What can be said of a request without the store; leaves its fingerprint, if it has one. False:
 * plan->refusal says why, INVALID_ARGUMENT or OVERFLOW. */
typedef bool plan_check(struct plan *plan, void *request);

void plan_create(struct plan *plan, struct store *store);
void plan_destroy(struct plan *plan);
/* Before each attempt. */
void plan_reset(struct plan *plan, int64_t now_ns);

/* A cell for changing: finishes whatever is in flight on it. What an earlier step of the plan is to
 * write there has the new value and the version it was read with. */
struct cell_content plan_read(struct plan *plan, uint32_t cell);
/* Changes `cell` from what plan_read() returned. Writing the value read again makes the commit
 * depend on it (rule 1). False: no memory. */
bool plan_write(struct plan *plan, uint32_t cell, struct cell_content read, int64_t value);
/* Makes room in the payload and returns it (8-aligned when everything before was a multiple of 8),
 * NULL: no memory. */
void *plan_append(struct plan *plan, uint32_t bytes);
/* Makes room for `count` in plan->lines, in all. False: no memory. */
bool plan_reserve_lines(struct plan *plan, uint32_t count);
/* Ends the payload with the host's note, if there is any. False: no memory. */
bool plan_note(struct plan *plan, uint64_t actor, const char *reference);
/* Puts the changes into the global order of cells. */
void plan_sort(struct plan *plan);

/* Is the cell to be changed by an earlier step of this plan? */
bool plan_is_pending(const struct plan *plan, uint32_t cell);
/* Is it changed by this plan, by whichever step? */
bool plan_is_changed(const struct plan *plan, uint32_t cell);

/* Whether a refusal may be told. A plan whose document was to be made, or to make a step, says
 * nothing when the document has changed since: perhaps the same request, in flight twice, has just
 * taken what this one lacks. The same holds of every cell of a class private to one customer. */
bool plan_refusal_stands(const struct plan *plan);
/* Whether all cells of these classes that the plan changes are as it has read them. */
bool plan_changes_stand(const struct plan *plan, uint32_t class_first, uint32_t class_last);

/* Shorthands that fill in the refusal. */
enum plan_result plan_refuse(struct plan *plan, cellar_status status, uint32_t line);
enum plan_result plan_invalid(struct plan *plan, const char *reason, uint32_t line);
/* The stock has too little: what is overdue of it is expired before the answer is no. */
void plan_short_of(struct plan *plan, uint32_t stock, uint64_t version);
/* Whether what is short has not changed since the plan found it so. */
bool plan_short_stands(const struct plan *plan);

/* A stock that a step before this one needs, and that is going to be opened. 0: there is none. */
uint32_t plan_find_new_stock(struct plan *plan, const struct store_product *product,
                             uint32_t location);
/* The stock that a step names, open or going to be. 0: there is none. */
static inline uint32_t plan_find_stock(struct plan *plan, const struct store_product *product,
                                       uint32_t location) {
    uint32_t slot = store_find_stock(plan->store, product, location);
    return slot != 0 || plan->open_product == 0 ? slot
                                                : plan_find_new_stock(plan, product, location);
}
/* Looks up every line and adds up those of the same stock, in rising order of stock, into
 * plan->lines; fills `out` (line_count payload lines) as passed. PLAN_COMMIT, PLAN_REFUSED
 * (NOT_FOUND, OVERFLOW), PLAN_NO_MEMORY. When `open`, a location that is not there yet is no
 * refusal: its stock reads as empty, and open_product is set. The caller then answers
 * PLAN_OPEN_STOCK, unless it refuses anyway: a refusal opens nothing. */
enum plan_result plan_lines(struct plan *plan, const cellar_line *lines, uint32_t line_count,
                            bool open, struct payload_document *document);

/* Look-ups are mostly waits for memory. So what a step needs is asked for by the step before, for
 * the document, an account and up to PLAN_LINES_AHEAD lines at once, and something else is done
 * meanwhile. First the heads of their chains; then the objects these begin with, and the slot that
 * a new document will most probably get; then, by those that find, the cells of stocks and account.
 * Hints need no read section, and `lines` must stay where they are as long as the plan. Products
 * found are good for one attempt. */
void plan_fetch_document(struct plan *plan, cellar_id id);
void plan_fetch_account(struct plan *plan, uint64_t account);
void plan_fetch_lines(struct plan *plan, const cellar_line *lines, size_t line_count);
void plan_fetch_objects(struct plan *plan);
void plan_find_products(struct plan *plan, const cellar_line *lines, size_t line_count);
/* NULL: there is none. */
struct store_account *plan_find_account(struct plan *plan, uint64_t account);

/* Finds or links the document `id` and plans its creation in `state`, the cell's value.
 * PLAN_COMMIT: its change is written, *slot_out is its slot. PLAN_REPEATED: it was made before with
 * this fingerprint. PLAN_REFUSED: ID_REUSED, STORE_FULL. PLAN_WAIT: made, not yet known with what
 * content. */
enum plan_result plan_document(struct plan *plan, cellar_id id, uint64_t fingerprint, int64_t state,
                               uint32_t *slot_out);

/* The plans of the calls. `request` is what cellar.h passes, packed by the engine. */
struct plan_product_request {
    const cellar_product *product;
    uint64_t expected;
    size_t sku_bytes, name_bytes, category_bytes;
    struct store_attributes *block; /* made before the first attempt */
    uint32_t number;
};
struct plan_stock_request {
    cellar_movement_kind kind;
    const cellar_stock_change *change;
    cellar_stock_change own; /* of a move: its line as a change, made by its check */
    cellar_id id;            /* of a move */
    const cellar_line *line;
    uint32_t to_location;
    uint64_t expected;
    uint64_t fingerprint;
    size_t reference_bytes;
};
struct plan_account_request {
    enum payload_entry kind;
    cellar_id id;
    uint64_t account;
    uint64_t to;
    int64_t amount; /* or floor */
    uint64_t expected;
    uint64_t fingerprint;
    uint32_t currency;
    bool collecting;
};
struct plan_order_request {
    const cellar_order_request *order;
    bool is_return;
    bool quote;
    bool damaged;
    uint64_t fingerprint;
    size_t reference_bytes;
    int64_t total;
};
struct plan_step_request {
    const cellar_order_change *change;
    uint8_t event; /* cellar_order_event or payload_event */
    uint64_t fingerprint;
    /* RETURN: the record that placed the order, read before the first attempt; NULL: there was
     * none. */
    struct record_header *placed;
};

plan_function plan_product_put;
plan_function plan_stock_open;
plan_function plan_stock_take;
plan_function plan_stock_change;
plan_function plan_stock_count;
plan_function plan_stock_safety;
plan_function plan_stock_move;
plan_function plan_account_open;
plan_function plan_account_floor;
plan_function plan_account_entry;
plan_function plan_account_settle;
plan_function plan_account_hold;
plan_function plan_account_hold_step;
plan_function plan_account_expire;
plan_function plan_lease_acquire;
plan_function plan_lease_renew;
plan_function plan_lease_release;
plan_function plan_order_place;
plan_function plan_order_return;
plan_function plan_order_step;

plan_check plan_check_order;
plan_check plan_check_step;
plan_check plan_check_stock_change;
plan_check plan_check_stock_move;
plan_check plan_check_stock_level; /* of one line: taking, counting, the safety stock */
bool plan_check_lines(struct plan *plan, const cellar_line *lines, size_t count, bool any_sign,
                      bool priced);
/* The flags of a document that is to hold them. */
uint16_t plan_lines_flags(const cellar_line *lines, size_t count);
/* What a call ignores is left out: the product beside a SKU, the price unless `priced`. */
uint64_t plan_hash_lines(uint64_t hash, const cellar_line *lines, size_t count, bool priced);
uint64_t plan_hash_text(uint64_t hash, const char *text);
/* Bytes of `text` (NULL is 0), or SIZE_MAX when over `limit`. */
size_t plan_text_bytes(const char *text, size_t limit);

/* ---- Accounts and leases ---- */

/* Money from one account to another; 0 is outside. Both must be of one currency. */
struct plan_payment {
    uint64_t from;
    uint64_t to;
    int64_t amount;              /* below zero: from `to` to `from` */
    uint32_t from_line, to_line; /* for the refusal */
    int64_t remaining; /* coming out: balance of the one that pays, or, when that is outside, of the
                          other one; 0: it is collecting */
};
/* Refuses (NOT_FOUND, INVALID_ARGUMENT for an account that pays itself, CURRENCY_MISMATCH,
 * INSUFFICIENT_FUNDS, OVERFLOW) or writes the cells. One that collects and is paid is not touched:
 * account_apply_payment() is called for the same payment when the record is applied. */
enum plan_result plan_account_payment(struct plan *plan, struct plan_payment *payment);

struct plan_hold_request {
    cellar_id id;
    uint64_t account;
    int64_t amount;
    int64_t deadline_ns;
    uint64_t fingerprint;
    uint64_t to;
    cellar_account_hold_state state; /* the one to go to: posted or voided */
    uint32_t slot;                   /* plan_account_expire(): of the document */
};
struct plan_lease_request {
    const char *name;
    size_t name_bytes;
    uint64_t holder;
    uint64_t token;
    int64_t ttl_ms;
    uint64_t fingerprint;
};

plan_check plan_check_account_open;
plan_check plan_check_account_floor;
plan_check plan_check_account_entry;
plan_check plan_check_account_settle;
plan_check plan_check_account_hold;
plan_check plan_check_account_hold_step;
plan_check plan_check_lease_acquire;
plan_check plan_check_lease_renew;
plan_check plan_check_lease_release;

/* Refuses with NOT_FOUND when there is no such account. */
enum plan_result plan_account_exists(struct plan *plan, uint64_t id, uint32_t line);

/* ---- Shared by the plans of orders ---- */

/* The document whose payload begins at `start`: its place moves when the payload grows. */
static inline struct payload_document *plan_document_at(struct plan *plan, uint32_t start) {
    return (struct payload_document *)(void *)(plan->payload + start);
}

/* Appends the number that the flag announces, unless it is 0. */
enum plan_result plan_number(struct plan *plan, uint32_t start, enum payload_flag flag,
                             uint64_t number);

/* Fills plan->lines by hand: begin with room for `count`, add (false: no memory), end with the
 * merged ones in order. */
bool plan_lines_begin(struct plan *plan, uint32_t count);
bool plan_lines_add(struct plan *plan, uint32_t stock, uint32_t line, int64_t quantity);
enum plan_result plan_lines_end(struct plan *plan);

/* Where the units of an order's lines come from: fills in its payload's lines and, where a line is
 * not simply the stock it names, appends allocations; plan->lines has what each stock is to give.
 */
enum plan_result plan_allocate(struct plan *plan, const struct plan_order_request *request,
                               uint32_t start);
/* Takes a merged line out of what may be sold. */
enum plan_result plan_sell_line(struct plan *plan, const struct plan_line *line);
/* Takes goods back, of a return or a cancelled order: into what is available, or, damaged, what is
 * unsellable. */
enum plan_result plan_restock_line(struct plan *plan, const struct plan_line *line, bool damaged);
/* Money for an order, out of the account (`debit` > 0) or back; to the payee, or 0: outside.
 * Without an account nothing moves. */
enum plan_result plan_order_account(struct plan *plan, uint64_t account, uint64_t payee,
                                    int64_t debit);

#endif
