/* The calls that changed a store, in order, kept by a test, so that the model can be made as of
 * whatever a crash has left: the first so many of them, and at least those acknowledged. */
#ifndef CELLAR_TESTS_SUPPORT_JOURNAL_H
#define CELLAR_TESTS_SUPPORT_JOURNAL_H

#include "support/model.h"

#define JOURNAL_MAX 2600

struct journal {
    struct model_call calls[JOURNAL_MAX];
    struct model_answer answers[JOURNAL_MAX];
    size_t count;
    uint64_t acknowledged; /* LSNs below are on disk for sure */
};

void journal_copy(struct journal *to, const struct journal *from);
/* Makes the model anew, as of the store, which was just opened. The journal is cut to what the
 * store has; *lost is raised by what it has not. False when something acknowledged is missing,
 * there is a hole, or the model will not have it: model->problem tells. */
bool journal_restore(struct journal *journal, struct model *model, cellar *store, uint64_t *lost);

#endif
