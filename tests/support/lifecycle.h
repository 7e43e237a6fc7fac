/* A sequential model of orders by line, holds and back-orders at one place: what each call must
 * answer, and what is there after it. It knows nothing of cells, logs or threads.
 *
 * Each lifecycle_* call is made after the store's own, with the LSN that the store returned; it
 * changes the model when it answers OK and not repeated. */
#ifndef CELLAR_TESTS_SUPPORT_LIFECYCLE_H
#define CELLAR_TESTS_SUPPORT_LIFECYCLE_H

#include "cellar.h"

#include <stdbool.h>
#include <stdint.h>

#define LIFECYCLE_SKUS 4
#define LIFECYCLE_ACCOUNTS 5 /* 1 to 5; the sixth does not exist */
/* Those that are mostly paid; the last one collects. */
#define LIFECYCLE_MERCHANT 4
#define LIFECYCLE_COLLECTOR 5
#define LIFECYCLE_LINES 4
#define LIFECYCLE_ORDERS 160
#define LIFECYCLE_STEPS 640
/* Lives that a test goes through; under ThreadSanitizer everything takes ten times as long. */
#ifdef __SANITIZE_THREAD__
#define LIFECYCLE_ROUNDS 8
#else
#define LIFECYCLE_ROUNDS 24
#endif
/* As the engine has it: places looked at for overdue holds, and orders run at once. */
#define LIFECYCLE_LOOK_MAX 256
#define LIFECYCLE_BATCH 16

struct lifecycle_line {
    uint32_t sku;
    int64_t quantity, unit_price;
    int64_t cancelled, fulfilled, returned;
    bool queued;
    bool waited; /* it was sold before it was here */
};

struct lifecycle_order {
    cellar_order_state placed_as;
    cellar_order_state state;
    uint32_t line_count;
    struct lifecycle_line lines[LIFECYCLE_LINES];
    int64_t hold_until_ns;
    int64_t deadline_ms; /* 0: none */
    uint64_t asked_account;
    uint64_t account;
    uint64_t payee;
    int64_t total, cancelled_value, returned_value;
    uint64_t placed_lsn;
    uint64_t version; /* 0: not known, it expired by itself */
    int64_t changed_ns;
    bool retired;
};

struct lifecycle_step {
    cellar_order_change change;
    cellar_order_part parts[LIFECYCLE_LINES];
    uint64_t lsn; /* 0: it was never made, or is forgotten */
    int64_t made_ns;
};

struct lifecycle {
    int64_t now_ns;
    int64_t remember_ns; /* how long what is closed is remembered; 0: for ever */
    int64_t available[LIFECYCLE_SKUS], safety[LIFECYCLE_SKUS], unsellable[LIFECYCLE_SKUS];
    int64_t reserved[LIFECYCLE_SKUS];
    int64_t balance[LIFECYCLE_ACCOUNTS], floor[LIFECYCLE_ACCOUNTS];
    /* By the low half of the id: orders from 1 on, steps from LIFECYCLE_ORDERS + 1 on. */
    struct lifecycle_order orders[LIFECYCLE_ORDERS + 2];
    uint32_t order_count;
    struct lifecycle_step steps[LIFECYCLE_STEPS + 1];
    uint32_t step_count;
    cellar_totals totals; /* those that orders change */
    uint64_t last_lsn;
};

struct lifecycle_answer {
    cellar_status status;
    bool repeated;
    uint64_t lsn; /* of what was repeated */
    uint32_t line;
    int64_t available, needed, retry_ns;
    uint32_t state;
    uint64_t account;
};

const char *lifecycle_sku(uint32_t sku);
/* The content of an order's request, from its place in the model and back. */
struct lifecycle_answer lifecycle_place(struct lifecycle *model,
                                        const cellar_order_request *request, uint64_t lsn);
struct lifecycle_answer lifecycle_change(struct lifecycle *model, const cellar_order_change *change,
                                         uint64_t lsn);
void lifecycle_receive(struct lifecycle *model, uint32_t sku, int64_t quantity, uint64_t lsn);
/* Every hold that has run out. */
void lifecycle_expire(struct lifecycle *model);
/* Everything that has been closed for long enough. */
void lifecycle_forget(struct lifecycle *model);
/* Pieces of a line that are not here yet. */
int64_t lifecycle_uncovered(const struct lifecycle *model, uint32_t order, uint32_t line);
/* NULL, or what differs in the store: settled, and nothing overdue in it. Learns versions of what
 * expired. */
const char *lifecycle_compare(struct lifecycle *model, cellar *store);

#endif
