/* What the gate of failing calls does with a store: every kind of call, and what is noted of it. */
#ifndef CELLAR_TESTS_GATE_FAULT_WORK_H
#define CELLAR_TESTS_GATE_FAULT_WORK_H

#include "engine/engine.h"
#include "support/journal.h"
#include "support/memory_io.h"
#include "support/random.h"
#include "support/sales.h"

#define WORK_SKUS 8
#define WORK_CALLS_BEFORE 60
/* Calls of a run, and locations that calls which were cut off have left behind. */
#define WORK_JOURNAL_MAX 2600

struct fault {
    struct random random;
    uint64_t seed;
    uint64_t *counters;
    uint64_t *calls_made;
    struct memory_disk *base; /* to begin each run with */
    struct journal before;    /* what is in it */
    uint64_t numbers[MODEL_SKUS];
    struct journal journal;
    struct model model;
    struct memory_disk *sales_base; /* with the first half of a day of sales ... */
    struct sales_run sales_before;  /* ... as noted here */
    struct sales_run sales;
    cellar *store;
    bool benign;
    bool reads; /* not without memory for good: lists and histories wait for it, as long as it takes
                 */
    bool failed; /* fail-stop has been seen: nothing may be done after it */
    char wrong[500];
};

/* Notes what is wrong first; returns false. */
__attribute__((format(printf, 2, 3))) bool fault_wrong(struct fault *fault, const char *format,
                                                       ...);
/* A failure that a fault may bring about; any other means that something else is wrong. */
bool fault_is_allowed(cellar_status status);

/* One status of a call or a read: is it one that may be? */
bool fault_note(struct fault *fault, cellar_status status, bool change, const char *what);
/* How calls are made: some durable, none waits long when the disk may fail. */
cellar_call fault_options(struct fault *fault);

cellar_status fault_open(cellar **store_out, const struct io *io, cellar_problem *problem);
/* A call of the model; a change goes into the journal. */
bool fault_call(struct fault *fault, struct model_call *call);
/* Draws call number `i`. */
void fault_draw(struct fault *fault, uint32_t i, struct model_call *call);
/* The whole day's work; `fat`: through a change of segments. */
bool fault_work(struct fault *fault, bool fat);
/* Hardly any. */
bool fault_put(struct fault *fault);
/* The store cannot be opened a second time. */
bool fault_open_again(struct fault *fault, const struct io *io);

/* ---- sales.c: the calls that the model does not know ---- */

bool fault_sales_prepare(struct fault *fault);
/* The rest of the day. */
bool fault_sales_work(struct fault *fault);
/* Opens what is left without faults, and compares. */
bool fault_sales_verify(struct fault *fault, struct memory_disk *disk, const char *what,
                        uint64_t *lost);

#endif
