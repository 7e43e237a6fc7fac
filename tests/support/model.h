/* A shop in plain arrays, sequential and simple: what each public call must answer, and what it
 * does. Tests hold the engine to it.
 *
 * A test describes a call (struct model_call), lets the engine carry it out (model_run), and judges
 * the answer (model_judge) in the state the model is in: an OK is right when nothing speaks against
 * the call, a refusal when it names one of the things that do, a repetition when that is what it
 * is. A call that was done is then applied (model_apply), with the LSN that the engine gave it.
 * Nothing here is taken from the engine but LSNs, times and products' numbers.
 *
 * One thread; a universe of fixed size; ids of documents are small numbers spread out by
 * model_id(). */
#ifndef CELLAR_TESTS_SUPPORT_MODEL_H
#define CELLAR_TESTS_SUPPORT_MODEL_H

#include "cellar.h"
#include "support/random.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MODEL_SKUS 40
#define MODEL_LOCATIONS 4
#define MODEL_ACCOUNTS 24
#define MODEL_CUSTOMERS 8
#define MODEL_LINES_FEW 6
#define MODEL_CATEGORIES 5
/* As model_call.expected: the version the thing has just before the call. */
#define MODEL_EXPECT_CURRENT UINT64_C(2)

enum model_kind {
    MODEL_PUT,
    MODEL_RECEIVE,
    MODEL_ADJUST,
    MODEL_SET_ASIDE,
    MODEL_ANNOUNCE,
    MODEL_TAKE,
    MODEL_COUNT,
    MODEL_SAFETY,
    MODEL_MOVE,
    MODEL_OPEN,
    MODEL_CREDIT,
    MODEL_DEBIT,
    MODEL_TRANSFER,
    MODEL_FLOOR,
    MODEL_PLACE,
    MODEL_RETURN,
    MODEL_PAY,
    MODEL_FULFIL,
    MODEL_CANCEL,
    MODEL_OPENING, /* no call: the commit by which a location comes into being before the first
                      receipt there; it also counts as a change of location 0 */
    MODEL_QUOTE,   /* from here on nothing is changed */
    MODEL_STOCK_GET,
    MODEL_SNAPSHOT,
    MODEL_ACCOUNT_GET,
    MODEL_ORDER_GET,
    MODEL_KINDS
};

/* What is wrong with a call on purpose: the answer must be INVALID_ARGUMENT. */
enum model_fault {
    MODEL_SOUND,
    MODEL_FAULT_QUANTITY,
    MODEL_FAULT_QUANTITY_RANGE,
    MODEL_FAULT_PRICE,
    MODEL_FAULT_SKU_EMPTY,
    MODEL_FAULT_SKU_LONG,
    MODEL_FAULT_NO_SKU,
    MODEL_FAULT_NO_LINES,
    MODEL_FAULT_LINES_NULL,
    MODEL_FAULT_LINES_MAX,
    MODEL_FAULT_REFERENCE,
    MODEL_FAULT_STATE,
    MODEL_FAULT_ACCOUNT,
    MODEL_FAULT_AMOUNT,
    MODEL_FAULT_NO_ID,
    MODEL_FAULT_CALL,
    MODEL_FAULT_NULL,
    MODEL_FAULTS
};

struct model_line {
    uint32_t sku;
    uint32_t location;
    int64_t quantity;
    int64_t unit_price;
    bool by_number; /* names the product by its numeric id */
};

struct model_call {
    enum model_kind kind;
    enum model_fault fault;
    uint32_t id;   /* of the document; 0: none */
    uint32_t text; /* gives reference, name, category and attributes; 0: all empty */
    uint32_t state;
    uint32_t reason;
    uint32_t to; /* location or account */
    bool damaged;
    uint64_t account;
    uint64_t customer;
    int64_t amount; /* or floor, or list price */
    uint64_t expected;
    int64_t business_time_ns;
    uint32_t line_count;
    struct model_line few[MODEL_LINES_FEW];
    struct model_line *many; /* in place of `few` when there are more; the caller's */
};

struct model_answer {
    cellar_status status;
    cellar_ticket ticket;
    cellar_refusal refusal;
    int64_t total;    /* quote */
    uint64_t version; /* what MODEL_EXPECT_CURRENT became */
    union {
        cellar_stock stock;
        cellar_account account;
        struct {
            uint64_t lsn;
            int64_t available[MODEL_LINES_FEW];
        } snapshot;
        struct {
            cellar_order order;
            cellar_order_line lines[MODEL_LINES_FEW];
        };
    };
};

struct model_movement {
    uint64_t lsn;
    int64_t time_ns;
    cellar_movement_kind kind;
    int64_t change;
    int64_t available;
    uint32_t id;
    uint32_t reason;
    uint32_t text;
};

struct model_stock {
    bool exists;
    int64_t available, reserved, unsellable, incoming, safety;
    uint64_t version;
    struct model_movement *movements;
    size_t movement_count;
};

struct model_product {
    bool exists;
    uint64_t version;
    struct model_call put; /* the latest */
    int64_t created_ns, updated_ns;
    struct model_stock stocks[MODEL_LOCATIONS];
};

struct model_account {
    bool exists;
    int64_t balance, floor;
    uint64_t version;
};

struct model_document {
    bool exists;
    struct model_call call; /* with lines of its own */
    uint32_t state;         /* 7: no order */
    uint64_t version;
    uint64_t placed_lsn;
    int64_t placed_ns;
    int64_t changed_ns;
    uint64_t account;
    int64_t total;
};
#define MODEL_STATE_OTHER 7

struct model {
    uint64_t numbers[MODEL_SKUS]; /* products' numeric ids; 0: not known yet */
    struct model_product products[MODEL_SKUS];
    struct model_account accounts[MODEL_ACCOUNTS + 1];
    struct model_document *documents; /* by id, from 1 */
    uint32_t document_count;          /* ids below it have a place */
    cellar_totals totals;             /* but for what is summed up over stocks */
    bool customers[MODEL_CUSTOMERS + 1];
    uint64_t last_lsn;
    char problem[400]; /* what was found wrong first */
};

void model_create(struct model *model);
void model_destroy(struct model *model);

/* Is this the right answer, if the call happens in this state? What the answer to a read says of
 * derived numbers (reserved, on hand) is not looked at. */
bool model_judge(struct model *model, const struct model_call *call,
                 const struct model_answer *answer);
/* For an answer that was judged right, OK and not repeated: changes the state. The ticket must be
 * right too. */
bool model_apply(struct model *model, const struct model_call *call,
                 const struct model_answer *answer);
/* Applies the commits by which locations came into being that the call (judged right, OK) needed:
 * their LSNs are found in the store's histories. */
bool model_apply_openings(struct model *model, cellar *store, const struct model_call *call);
/* That commit, as the history tells of it; false when the location is not there. */
bool model_opening(cellar *store, uint32_t sku, uint32_t location, cellar_movement *opening);
/* Did the call change anything, by its answer? */
bool model_is_change(const struct model_call *call, const struct model_answer *answer);
/* Writes `problem` unless there is one already; returns false. */
__attribute__((format(printf, 2, 3))) bool model_wrong(struct model *model, const char *format,
                                                       ...);
/* A line about call and answer for a person; static per thread. */
const char *model_describe(const struct model_call *call, const struct model_answer *answer);

/* The order's total; false when it, or the sum of some lines before its end, is out of range: with
 * which line. */
bool model_total(const struct model_call *call, int64_t *total, uint32_t *line);
/* model_read.c: the part of model_judge() that is about reads. */
bool model_judge_read(struct model *model, const struct model_call *call,
                      const struct model_answer *answer);

/* Is this order `id`? Of its lines the first `capacity` are compared. */
bool model_order_is(const struct model *model, uint32_t id, const cellar_order *told,
                    const cellar_order_line *lines, size_t capacity);

/* ---- The universe ---- */

const char *model_sku(uint32_t sku);
cellar_id model_id(uint32_t id);
const struct model_line *model_lines(const struct model_call *call);
/* NULL for text 0. `buffer` takes 65 bytes. */
const char *model_reference(uint32_t text, char *buffer);
/* "" or one of MODEL_CATEGORIES names. */
const char *model_category(uint32_t text);
#define MODEL_ATTRIBUTES_MAX 3000
/* Bytes made of the text, so that a torn or mixed-up copy shows. */
uint32_t model_attributes(uint32_t text, unsigned char *buffer);

/* ---- model_call.c: carrying calls out ---- */

/* Carries the call out on the engine. Replaces MODEL_EXPECT_CURRENT in *call. */
void model_run(cellar *store, const uint64_t numbers[MODEL_SKUS], const cellar_call *options,
               struct model_call *call, struct model_answer *answer);

/* How calls are drawn. */
struct model_mix {
    uint32_t skus;
    uint32_t locations;
    uint32_t accounts;
    uint32_t id_first; /* ids are drawn from here on ... */
    uint32_t id_count; /* ... so many */
    uint64_t salt;     /* what a document holds follows from its id and this */
    bool reads;        /* of stock, accounts, orders, snapshots too */
    bool faults;       /* wrong and extreme calls too */
    int64_t units;     /* quantities are small beside this */
};
void model_draw(struct random *random, const struct model_mix *mix, struct model_call *call);

/* ---- model_compare.c: the whole store ---- */

/* Compares everything that can be asked of the store, which nobody changes meanwhile. */
bool model_compare(struct model *model, cellar *store, struct random *random);

#endif
