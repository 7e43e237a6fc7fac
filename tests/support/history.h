/* The history of a concurrent run: who called what, when, and what was answered. Afterwards it is
 * replayed on the model.
 *
 * What was done is applied in the order of the LSNs and must be right in each state it meets. A
 * call that ended before another began has the lower LSN. A snapshot must be right in exactly the
 * state that its LSN names.
 *
 * What else changed nothing (refusals, repetitions, reads) must be right in some state that lies
 * after every change of the things it tells of that had ended before it began, and before all that
 * began after it had ended. Of those things only: two changes that have nothing in common may be
 * decided in the other order than that of their LSNs, and a read between sees the second alone. */
#ifndef CELLAR_TESTS_SUPPORT_HISTORY_H
#define CELLAR_TESTS_SUPPORT_HISTORY_H

#include "support/model.h"

struct history_entry {
    struct model_call call;
    struct model_answer answer;
    int64_t start_ns;
    int64_t end_ns;
    uint64_t low;  /* LSN of the last change that must come before */
    uint64_t high; /* LSN of the last change that may come before */
    /* Of a change: what follows from those before it. */
    const struct history_entry *order; /* of a step: how it was placed */
    uint64_t account;                  /* of a step: the account it moves money of; 0: none */
    bool status_changed;               /* of a put: discontinued, or taken up again */
};

/* Of one thread. */
struct history {
    struct history_entry *entries;
    size_t count;
    size_t capacity;
};

void history_create(struct history *history, size_t capacity);
void history_destroy(struct history *history);
/* Carries the call out and records it; there must be room. The answer stays in the history. */
const struct model_answer *history_run(struct history *history, cellar *store,
                                       const uint64_t numbers[MODEL_SKUS],
                                       const cellar_call *options, struct model_call *call);

struct history_report {
    uint64_t changes;
    uint64_t others;
    uint64_t unanswered; /* BUSY and the like: nothing is said of them */
    uint64_t looks;      /* states in which others were looked at */
    uint64_t excused;    /* see history_bounds.h */
};

/* Replays the histories on the model, which is in the state in which they began; `store` is asked
 * when locations came into being. What is wrong is in model->problem. */
bool history_check(const struct history *histories, size_t count, struct model *model,
                   cellar *store, struct history_report *report);

#endif
