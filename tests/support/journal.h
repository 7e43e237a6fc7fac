/* What was done to a store, in order, so that after a crash it can be told which of it is left: the
 * log has the first so many calls of the journal, and none after them, at least up to the last one
 * that was acknowledged. The model as of then must be the whole store. */
#ifndef CELLAR_TESTS_SUPPORT_JOURNAL_H
#define CELLAR_TESTS_SUPPORT_JOURNAL_H

#include "support/model.h"

struct journal {
    struct model_call *calls;
    struct model_answer *answers;
    size_t count;
    size_t capacity;
    uint64_t acknowledged; /* LSNs below are on disk for sure */
};

/* A call that was cut off leaves a location behind at most for each of its lines: room for those
 * must be counted in. */
void journal_create(struct journal *journal, size_t capacity);
void journal_destroy(struct journal *journal);
void journal_copy(struct journal *to, const struct journal *from);
/* Notes a call that was done. */
void journal_add(struct journal *journal, const struct model_call *call,
                 const struct model_answer *answer);
/* What is on disk now, no later failure takes away. */
void journal_acknowledge(struct journal *journal, cellar *store);

/* The store was opened after a crash: brings the model and the journal to what is left, and
 * compares the whole store with it. *lost_out is how many calls are gone. False: model->problem
 * says what is wrong. */
bool journal_restore(struct journal *journal, struct model *model, cellar *store,
                     struct random *random, size_t *lost_out);

#endif
