/* What the records of each kind carry behind their cells. docs/LOG_FORMAT.md lists it; all integers
 * little-endian, no gaps. */
#ifndef CELLAR_STORE_PAYLOAD_H
#define CELLAR_STORE_PAYLOAD_H

#include "cellar.h"

#include "base/clock.h"
#include "commit/record.h"

#include <stdint.h>

/* Numbers are for ever. Those from 40 on belong to accounts and leases, from 60 on to coupons. */
enum store_record_kind {
    STORE_PRODUCT = RECORD_KIND_DOMAIN, /* payload_product: put */
    STORE_STOCK_OPEN = 17,    /* payload_stock_open: a product begins to exist at a location */
    STORE_STOCK_CHANGE = 18,  /* payload_document with lines; `type` is the cellar_movement_kind */
    STORE_STOCK_TAKE = 19,    /* none: the one cell says it all */
    STORE_STOCK_COUNT = 20,   /* none */
    STORE_STOCK_SAFETY = 21,  /* none */
    STORE_ACCOUNT_OPEN = 22,  /* payload_account */
    STORE_ACCOUNT_FLOOR = 23, /* payload_account */
    STORE_ACCOUNT_ENTRY = 24, /* payload_document without lines; `type` is the payload_entry */
    STORE_ORDER_PLACE = 25,   /* payload_document with lines; `type` is the state it is placed in */
    STORE_ORDER_STEP = 26,    /* payload_step */
    STORE_ORDER_RETURN =
        27,            /* payload_document with lines; `type` is 1 when the goods are damaged */
    STORE_RETIRE = 28, /* a document's cell is free again: its creation was refused, or nothing has
                          happened to it for long enough. payload_retire of an order with a
                          customer, else none */
    STORE_COMPOSED = 29, /* payload_composed, then its parts */

    STORE_ACCOUNT_HOLD = 40,      /* payload_hold */
    STORE_ACCOUNT_HOLD_STEP = 41, /* payload_hold_step */
    STORE_ACCOUNT_SETTLE = 42,    /* payload_settle */
    STORE_LEASE_ACQUIRE = 50,     /* payload_lease with a name */
    STORE_LEASE_RENEW = 51,       /* payload_lease without */
    STORE_LEASE_RELEASE = 52      /* payload_lease without */
};
/* Set in a record's kind: behind the payload, at the next multiple of 8, comes the host's note on
 * the change: its reference, zeros up to a multiple of 8, and a payload_note. */
#define STORE_KIND_NOTED 0x4000

/* Several changes of other kinds in one commit. Then `part_count` parts, each at a multiple of 8:
 * a payload_part and as many bytes as it says. */
struct payload_composed {
    cellar_id id;
    uint64_t fingerprint;
    int64_t time_ns;
    uint32_t slot; /* of the document with this id; 0: there is no id */
    uint32_t part_count;
};
_Static_assert(sizeof(struct payload_composed) == 40, "on-disk layout");

struct payload_part {
    uint16_t kind;
    uint16_t zero;
    uint32_t bytes; /* of the payload that follows */
};
_Static_assert(sizeof(struct payload_part) == 8, "on-disk layout");

struct payload_note {
    uint64_t actor;
    uint32_t payload_bytes; /* of the payload before the note */
    uint32_t reference_bytes;
};
_Static_assert(sizeof(struct payload_note) == 16, "on-disk layout");

enum payload_entry {
    PAYLOAD_CREDIT = 1,
    PAYLOAD_DEBIT = 2,
    PAYLOAD_TRANSFER = 3
};

/* A component of a kit: so many pieces of a product. */
struct payload_component {
    uint32_t product;
    uint32_t quantity;
};
_Static_assert(sizeof(struct payload_component) == 8, "on-disk layout");

/* Then components[component_count], then sku, name, category, attributes, without NULs between. */
struct payload_product {
    uint32_t product;
    uint32_t stock; /* slot of location 0 */
    uint32_t block; /* number of the attribute block */
    uint32_t attributes_bytes;
    int64_t created_ns;
    int64_t updated_ns;
    int64_t unit_price;
    uint8_t status;
    uint8_t sku_bytes;
    uint8_t name_bytes;
    uint8_t category_bytes;
    uint32_t component_count;
};
_Static_assert(sizeof(struct payload_product) == 48, "on-disk layout");

static inline const struct payload_component *
payload_components(const struct payload_product *product) {
    return (const struct payload_component *)(product + 1);
}

static inline const char *payload_product_text(const struct payload_product *product) {
    return (const char *)(payload_components(product) + product->component_count);
}

struct payload_stock_open {
    uint32_t product;
    uint32_t stock;
    uint32_t location;
    uint32_t zero;
};
_Static_assert(sizeof(struct payload_stock_open) == 16, "on-disk layout");

/* Then line_count lines, then what the flags say, then the reference (store/content.h reads it). */
struct payload_document {
    cellar_id id;
    uint64_t fingerprint;
    uint64_t customer; /* of a transfer: the account it goes to */
    int64_t total;     /* money */
    int64_t time_ns;
    uint32_t line_count;
    uint32_t reason;
    uint8_t type;
    uint8_t reference_bytes;
    uint16_t flags; /* enum payload_flag */
    uint32_t slot;  /* of the document's entry and cell; 0 when the id is {0, 0} */
};
_Static_assert(sizeof(struct payload_document) == 64, "on-disk layout");

/* Deadlines are whole milliseconds since the epoch, so that one fits beside a state. The last one
 * that is a time in nanoseconds, too. */
#define STORE_DEADLINE_MS_MAX (INT64_MAX / NANOSECONDS_PER_MILLISECOND)
_Static_assert(STORE_DEADLINE_MS_MAX < INT64_C(1) << 54, "eight bits for the state, and the sign");

/* How lines are written, and what follows them, in this order. */
enum payload_flag {
    PAYLOAD_ALLOCATED = 1, /* payload_count, then as many payload_allocation: where the units of
                              each line come from, when it is not the stock the line names */
    PAYLOAD_HELD = 2,      /* int64: milliseconds since the epoch until which its units are held */
    /* int64 for each line: its discount; then a payload_redeem. */
    PAYLOAD_DISCOUNTED = 4,
    PAYLOAD_PAYEE = 8,    /* uint64: the account that is credited with what the account pays */
    PAYLOAD_ACCOUNT = 16, /* uint64: the account that is debited or credited */
    PAYLOAD_BUSINESS_TIME = 32, /* int64, ns */
    PAYLOAD_WIDE = 64, /* lines are payload_wide_line, as the quantity of one is beyond 32 bits */
    PAYLOAD_FLAGS = 127
};

/* A coupon or code that is redeemed, or given back. */
struct payload_redeem {
    int64_t discount;
    uint32_t campaign; /* slot */
    uint32_t grant;    /* slot, or 0 and: */
    uint32_t code;     /* slot */
    uint32_t zero;
};
_Static_assert(sizeof(struct payload_redeem) == 24, "on-disk layout");

struct payload_line {
    uint32_t stock;
    int32_t quantity;
    int64_t unit_price;
};
_Static_assert(sizeof(struct payload_line) == 16, "on-disk layout");

struct payload_wide_line {
    uint32_t stock;
    uint32_t zero;
    int64_t quantity;
    int64_t unit_price;
};
_Static_assert(sizeof(struct payload_wide_line) == 24, "on-disk layout");

struct payload_count {
    uint32_t count;
    uint32_t zero;
};
_Static_assert(sizeof(struct payload_count) == 8, "on-disk layout");

/* `quantity` pieces of a stock for a line. A line of a kit has allocations for each component, with
 * `per_unit` pieces a kit; several locations may serve one component. They are in rising order of
 * line, then component. */
struct payload_allocation {
    uint32_t line;
    uint32_t component;
    uint32_t stock;
    uint32_t per_unit;
    int64_t quantity;
};
_Static_assert(sizeof(struct payload_allocation) == 24, "on-disk layout");

struct payload_account {
    uint64_t account;
    uint32_t slot;
    uint32_t currency;
    uint32_t collecting; /* 0 or 1 */
    uint32_t zero;
};
_Static_assert(sizeof(struct payload_account) == 24, "on-disk layout");

/* Money is set aside. */
struct payload_hold {
    cellar_id id;
    uint64_t fingerprint;
    uint64_t account;
    int64_t amount;
    int64_t deadline_ms; /* 0: none */
    int64_t time_ns;
    uint32_t slot; /* of the document */
    uint32_t zero;
};
_Static_assert(sizeof(struct payload_hold) == 64, "on-disk layout");

/* It is paid, or given back. */
struct payload_hold_step {
    cellar_id id;
    uint64_t account;
    uint64_t to;    /* posted: the account that is paid; 0: outside */
    int64_t held;   /* all of it */
    int64_t posted; /* what is paid; the rest is given back */
    int64_t time_ns;
    uint32_t slot;  /* of the document */
    uint32_t state; /* cellar_account_hold_state after it */
};
_Static_assert(sizeof(struct payload_hold_step) == 64, "on-disk layout");

/* What a collecting account has collected goes into its cell. */
struct payload_settle {
    uint64_t account;
    int64_t amount;
    uint32_t slot;
    uint32_t zero;
};
_Static_assert(sizeof(struct payload_settle) == 24, "on-disk layout");

/* Then the name, when acquired. */
struct payload_lease {
    uint32_t slot;
    uint32_t name_bytes;
};
_Static_assert(sizeof(struct payload_lease) == 8, "on-disk layout");

/* Then parts[part_count] in rising order of line, then moves[move_count], then, when `slot` is not
 * 0, a payload_identity, then, when `has_payee`, the id of the account that is paid, or gives back,
 * on the other side. Without parts: all that is left. */
struct payload_step {
    cellar_id id; /* of the order */
    uint64_t account;
    int64_t amount; /* money moved: of a payment from the account, else to it */
    int64_t value;  /* of the units that are cancelled or come back */
    int64_t time_ns;
    int64_t until_ms; /* of extend: the new end of the hold */
    uint32_t order;
    uint32_t slot; /* of the step's own document; 0: it has none */
    uint32_t part_count;
    uint32_t move_count; /* of a return: what its stocks get */
    uint8_t event;       /* enum payload_event */
    uint8_t from;
    uint8_t to;
    uint8_t damaged;
    uint8_t restored; /* the order's coupon was given back */
    uint8_t has_payee;
    uint8_t zero[2];
};
_Static_assert(sizeof(struct payload_step) == 80, "on-disk layout");

/* cellar_order_event, and: */
enum payload_event {
    PAYLOAD_EXPIRE = 16
};

struct payload_part_of_order {
    uint32_t line;
    uint32_t zero;
    int64_t quantity;
};
_Static_assert(sizeof(struct payload_part_of_order) == 16, "on-disk layout");

struct payload_move {
    uint32_t stock;
    uint32_t zero;
    int64_t quantity;
};
_Static_assert(sizeof(struct payload_move) == 16, "on-disk layout");

struct payload_identity {
    cellar_id id;
    uint64_t fingerprint;
};
_Static_assert(sizeof(struct payload_identity) == 24, "on-disk layout");

static inline const struct payload_part_of_order *
payload_step_parts(const struct payload_step *step) {
    return (const struct payload_part_of_order *)(step + 1);
}

static inline const struct payload_move *payload_step_moves(const struct payload_step *step) {
    return (const struct payload_move *)(payload_step_parts(step) + step->part_count);
}

/* Behind the moves; only when there is one. */
static inline const struct payload_identity *
payload_step_identity(const struct payload_step *step) {
    return (const struct payload_identity *)(payload_step_moves(step) + step->move_count);
}

/* 0: none. */
static inline uint64_t payload_step_payee(const struct payload_step *step) {
    const struct payload_identity *identity = payload_step_identity(step);
    return step->has_payee == 0 ? 0 : *(const uint64_t *)(identity + (step->slot != 0));
}

/* The order is one of those of the customer that have left memory, linked through the log. */
struct payload_retire {
    uint64_t customer;
    uint64_t previous_lsn; /* of the record that retired the one before; 0: it is the first */
};
_Static_assert(sizeof(struct payload_retire) == 16, "on-disk layout");

#endif
