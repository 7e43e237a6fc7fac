/* Campaigns, coupons and codes over cells, and what is derived from them.
 *
 * A campaign has seven cells on two cache lines. Everything that a claim reads of a campaign is
 * guarded by the version of `claimed`, which every claim writes: whoever changes the rules, or
 * lowers `admitted`, writes `claimed` with its own value. What a redemption reads is guarded in the
 * same way by `budget`, and what a revocation reads by `admitted`. Whoever reads cells that another
 * one guards reads that one first.
 *
 * A grant (a coupon that was claimed) and a code have a cell each. Entries are for life: one whose
 * claim lost the race for the last place stays linked, dead, its cell never written; it is used
 * when the same customer claims again, bounded by the number of lost races, and gone at the next
 * opening. So there is nothing to sweep. */
#ifndef CELLAR_STORE_COUPONS_H
#define CELLAR_STORE_COUPONS_H

#include "base/atomic.h"
#include "cellar.h"
#include "commit/commit.h"
#include "store/index.h"
#include "store/part.h"
#include "store/payload_coupon.h"
#include "store/slots.h"
#include "store/table.h"

#include <stdbool.h>
#include <stdint.h>

struct store;

/* More classes of cells: see enum store_cell_class. */
enum coupon_cell_class {
    STORE_CELLS_GRANT = 2,    /* slot: coupon_grant_value(); 0: not claimed */
    STORE_CELLS_CODE = 3,     /* slot: coupon_code_value(); 0: does not exist */
    STORE_CELLS_CAMPAIGN = 10 /* 8 * slot + coupon_campaign_cell */
};

enum coupon_campaign_cell {
    COUPON_CLAIMED = 0,  /* claims so far: the number of the latest */
    COUPON_ADMITTED = 1, /* numbers up to it are granted */
    COUPON_BUDGET = 2,   /* budget less what was spent; below zero when there is no budget */
    COUPON_WINDOW = 3,   /* coupon_window_value() of the period of the latest claim */
    COUPON_RULES = 4,    /* number of the block of rules; 0: does not exist */
    COUPON_HOLES = 5,    /* numbers above `admitted` that were revoked */
    /* coupon_window_value() of the latest period of customers and the claims before it */
    COUPON_CUSTOMER_WINDOW = 6,
    COUPON_CAMPAIGN_CELLS = 8
};

enum coupon_grant_state {
    COUPON_ALIVE = 1, /* granted or waiting */
    COUPON_REDEEMED = 2,
    COUPON_REVOKED = 3
};

/* A grant's state and number in one word. */
#define COUPON_STATE_BITS 8
static inline int64_t coupon_grant_value(int64_t number, enum coupon_grant_state state) {
    return number << COUPON_STATE_BITS | (int64_t)state;
}

static inline int64_t coupon_grant_number(int64_t value) {
    return value >> COUPON_STATE_BITS;
}

static inline uint32_t coupon_grant_state(int64_t value) {
    return (uint32_t)(value & ((1 << COUPON_STATE_BITS) - 1));
}

/* A code's campaign and the uses it has left. */
#define COUPON_USES_BITS 40
_Static_assert(CELLAR_QUOTA_MAX < INT64_C(1) << COUPON_USES_BITS, "uses fit");
_Static_assert(CELLAR_CAMPAIGNS_MAX < 1u << (63 - COUPON_USES_BITS), "campaigns fit");
static inline int64_t coupon_code_value(uint32_t campaign, int64_t left) {
    return (int64_t)campaign << COUPON_USES_BITS | left;
}

static inline int64_t coupon_code_left(int64_t value) {
    return value & ((INT64_C(1) << COUPON_USES_BITS) - 1);
}

static inline uint32_t coupon_code_campaign(int64_t value) {
    return (uint32_t)(value >> COUPON_USES_BITS);
}

/* A period of a campaign, and the claims in it or before it. Claims are numbered in the order of
 * their commits, so those of the period are the ones numbered above the claims before it: how many
 * of them are one customer's his grants tell, without a cell for each customer. */
#define COUPON_WINDOW_BITS 34
#define COUPON_PERIOD_NS_MIN INT64_C(60000000000)
#define COUPON_PERIOD_COUNT_MAX INT64_C(10000000000)
_Static_assert(COUPON_PERIOD_COUNT_MAX < INT64_C(1) << COUPON_WINDOW_BITS, "counts fit");
_Static_assert(CELLAR_GRANTS_MAX < INT64_C(1) << COUPON_WINDOW_BITS, "numbers of claims fit");
_Static_assert(INT64_MAX / COUPON_PERIOD_NS_MIN < INT64_C(1) << (63 - COUPON_WINDOW_BITS),
               "periods fit");
static inline int64_t coupon_window_value(int64_t period, int64_t count) {
    return period << COUPON_WINDOW_BITS | count;
}

static inline int64_t coupon_window_count(int64_t value) {
    return value & ((INT64_C(1) << COUPON_WINDOW_BITS) - 1);
}

static inline int64_t coupon_window_period(int64_t value) {
    return value >> COUPON_WINDOW_BITS;
}

/* The rules of a campaign: what its latest put said, as logged. Immutable once committed. */
struct coupon_rules {
    struct commit_deferred deferred;
    struct store *store;
    uint32_t number;
    uint32_t bytes; /* of this allocation */
    struct payload_campaign put;
    struct payload_customer_period customer; /* all 0: no such cap */
    char text[];                             /* name, categories */
};

/* A cap on claims in each period. */
struct coupon_period {
    int64_t length_ns; /* 0: none */
    int64_t offset_ns;
    int64_t count_max;
};

/* The one whose latest period is in the cell `which`: COUPON_WINDOW or COUPON_CUSTOMER_WINDOW. */
static inline struct coupon_period coupon_rules_period(const struct coupon_rules *rules,
                                                       enum coupon_campaign_cell which) {
    const struct payload_campaign *put = &rules->put;
    const struct payload_customer_period *customer = &rules->customer;
    return which == COUPON_WINDOW
               ? (struct coupon_period){put->period_ns, put->period_offset_ns, put->period_count}
               : (struct coupon_period){customer->period_ns, customer->period_offset_ns,
                                        customer->period_count};
}

/* What follows the payload_campaign, before the texts. */
static inline size_t coupon_put_tail_bytes(const struct payload_campaign *put) {
    return (put->flags & PAYLOAD_CAMPAIGN_CUSTOMER_PERIOD) != 0
               ? sizeof(struct payload_customer_period)
               : 0;
}

struct store_campaign {
    _Alignas(CACHE_LINE_BYTES) struct table_link link;
    uint64_t id;
    uint32_t slot;
    /* Derived; valid once created_lsn is not 0. */
    _Atomic uint32_t newest; /* grant claimed last */
    _Atomic uint64_t created_lsn;
    _Atomic(struct index *) holes; /* the numbers that COUPON_HOLES counts; NULL: never any */
    uint64_t claims;
    uint64_t redeemed;
    uint64_t revoked;
    int64_t spent;      /* by grants and codes */
    int64_t code_spent; /* by codes */
};

/* With its cell, its share of the table, and its link in the list of free slots: 61 bytes. */
struct store_grant {
    struct table_link link;
    uint64_t customer;
    /* Derived; valid once listed. */
    _Atomic int64_t discount; /* while redeemed */
    uint32_t campaign;        /* slot; 0: the entry was never used */
    uint32_t older_of_customer;
    uint32_t older_of_campaign;
    uint8_t ordinal;
    _Atomic uint8_t listed;
    uint16_t zero;
};
_Static_assert(sizeof(struct store_grant) == 40, "the goal is 64 bytes for a grant, all told");

struct store_code {
    struct table_link link;
    _Atomic int64_t uses; /* derived: in all; 0: not known yet */
    int64_t used;         /* derived, by the redemptions that stand */
    uint32_t slot;
    uint8_t code_bytes;
    char code[CELLAR_CODE_BYTES_MAX + 1];
};

/* A customer with a claim; made by the thread that follows the log. */
struct store_holder {
    struct table_link link;
    uint64_t id;
    _Atomic uint32_t newest; /* grant claimed last */
};

struct coupons {
    struct slots campaign_slots, rules_slots, grant_slots, code_slots, holder_slots;
    struct store_campaign *campaigns;
    _Atomic(struct coupon_rules *) *rules;
    struct store_grant *grants;
    struct store_code *codes;
    struct store_holder *holders;
    struct table campaign_table, grant_table, code_table, holder_table;
    struct index *list; /* campaigns by the LSN of their creation */
};

struct coupon_limits {
    uint32_t campaigns, grants, codes;
};

/* ---- Making, inside store_create() and the like ---- */

void coupons_cell_limits(const struct coupon_limits *limits,
                         uint32_t cell_limits_out[CELL_CLASS_COUNT]);
bool coupons_create(struct store *store, const struct coupon_limits *limits);
void coupons_destroy(struct store *store);
void coupons_recovered(struct store *store);
/* How many a number of the four kinds of objects takes: for tests and figures. */
#define COUPON_GRANT_BYTES (sizeof(struct store_grant) + sizeof(struct cell))

/* ---- Looking things up: inside a read section ---- */

static inline uint32_t coupon_campaign_cell(uint32_t slot, enum coupon_campaign_cell which) {
    return CELL_INDEX(STORE_CELLS_CAMPAIGN, slot * COUPON_CAMPAIGN_CELLS + which);
}

static inline uint32_t coupon_grant_cell(uint32_t slot) {
    return CELL_INDEX(STORE_CELLS_GRANT, slot);
}

static inline uint32_t coupon_code_cell(uint32_t slot) {
    return CELL_INDEX(STORE_CELLS_CODE, slot);
}

struct coupon_grant_key {
    uint64_t customer;
    uint32_t campaign;
    uint32_t ordinal;
};

/* NULL or 0: there is none. May be one whose creation is not committed. */
struct store_campaign *coupons_find_campaign(struct store *store, uint64_t id);
uint32_t coupons_find_grant(const struct store *store, const struct coupon_grant_key *key);
struct store_code *coupons_find_code(struct store *store, const char *code, size_t bytes);
struct store_holder *coupons_find_holder(struct store *store, uint64_t customer);
/* Find, or link a new one. NULL or 0: a limit is reached. */
struct store_campaign *coupons_ensure_campaign(struct store *store, uint64_t id);
uint32_t coupons_ensure_grant(struct store *store, const struct coupon_grant_key *key);
struct store_code *coupons_ensure_code(struct store *store, const char *code, size_t bytes);
/* Recovery: an entry in this slot. False: there is another one with this key. */
bool coupons_restore_grant(struct store *store, const struct coupon_grant_key *key, uint32_t slot);
/* The block whose number the rules cell holds. It stays while the section lasts in which the number
 * was read. */
const struct coupon_rules *coupons_rules(const struct store *store, int64_t number);
/* Numbers above `low` and below `high` that were revoked while they waited, as far as the log has
 * been followed. */
int64_t coupons_count_holes(const struct store_campaign *campaign, int64_t low, int64_t high);

/* A block with room for the texts, not filled in. NULL: no memory. */
struct coupon_rules *coupons_rules_create(struct store *store, uint32_t number, size_t text_bytes);
void coupons_rules_release(struct commit_deferred *deferred, struct memory *memory);

/* ---- Derived state: one thread ---- */

bool coupon_check(const struct store *store, const struct store_part *part);
bool coupon_check_redeem(const struct store *store, const struct payload_redeem *redeem);

/* ---- The audit ---- */

/* Tells of a violation. */
typedef void coupon_audit_report(void *context, const char *text);
/* Inside a read section, which it leaves now and then. */
void coupon_audit(struct store *store, uint64_t snapshot, const cellar_totals *totals,
                  coupon_audit_report *report, void *context);

#endif
