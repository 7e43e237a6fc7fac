#include "support/journal.h"

#include "base/assert.h"
#include "support/commits_left.h"

#include <stdlib.h>
#include <string.h>

void journal_create(struct journal *journal, size_t capacity) {
    *journal = (struct journal){.capacity = capacity};
    journal->calls = calloc(capacity, sizeof *journal->calls);
    journal->answers = calloc(capacity, sizeof *journal->answers);
    ASSERT(journal->calls != NULL);
    ASSERT(journal->answers != NULL);
}

void journal_destroy(struct journal *journal) {
    free(journal->calls);
    free(journal->answers);
}

void journal_copy(struct journal *to, const struct journal *from) {
    ASSERT(from->count <= to->capacity);
    memcpy(to->calls, from->calls, from->count * sizeof *to->calls);
    memcpy(to->answers, from->answers, from->count * sizeof *to->answers);
    to->count = from->count;
    to->acknowledged = from->acknowledged;
}

void journal_add(struct journal *journal, const struct model_call *call,
                 const struct model_answer *answer) {
    ASSERT(journal->count < journal->capacity);
    journal->calls[journal->count] = *call;
    journal->answers[journal->count] = *answer;
    journal->count++;
}

void journal_acknowledge(struct journal *journal, cellar *store) {
    uint64_t durable_lsn = cellar_durable_lsn(store);

    if (durable_lsn > journal->acknowledged) {
        journal->acknowledged = durable_lsn;
    }
}

/* ---- After a crash ---- */

struct restoring {
    struct journal *journal;
    struct model *model;
    cellar *store;
};

/* How many of the journal's calls are there. */
static size_t journal_left(struct restoring *restoring, bool *right) {
    const struct journal *journal = restoring->journal;
    const struct commits_left_query query = {.store = restoring->store,
                                             .first_lsn = &journal->answers[0].ticket.lsn,
                                             .stride_bytes = sizeof *journal->answers,
                                             .count = journal->count,
                                             .acknowledged = journal->acknowledged};
    char wrong[200];
    size_t left = 0;
    if (!commits_left(&query, &left, wrong, sizeof wrong)) {
        *right = model_wrong(restoring->model, "%s", wrong);
    }
    return left;
}

/* One step of the journal again. A location that came into being for the sake of a call is not in
 * the journal, but for the ones of journal_openings(). */
static bool journal_apply(struct restoring *restoring, size_t index) {
    const struct model_call *call = &restoring->journal->calls[index];

    return (call->kind == MODEL_OPENING ||
            model_apply_openings(restoring->model, restoring->store, call)) &&
           model_apply(restoring->model, call, &restoring->journal->answers[index]);
}

/* The oldest of the locations that the store has and the model lacks. */
static bool journal_find_opening(struct restoring *restoring, struct model_line *place,
                                 cellar_movement *oldest) {
    bool found = false;

    for (uint32_t sku = 0; sku < MODEL_SKUS; sku++) {
        for (uint32_t location = 1; location < MODEL_LOCATIONS; location++) {
            cellar_movement opening;
            if (!restoring->model->products[sku].stocks[location].exists &&
                model_opening(restoring->store, sku, location, &opening) &&
                (!found || opening.lsn < oldest->lsn)) {
                *place = (struct model_line){.sku = sku, .location = location};
                *oldest = opening;
                found = true;
            }
        }
    }
    return found;
}

/* Locations whose first receipt did not make it any more: the later lives find them there, so they
 * go into the journal. */
static bool journal_openings(struct restoring *restoring) {
    struct journal *journal = restoring->journal;
    struct model_line place = {.sku = 0};
    cellar_movement opening = {.lsn = 0};

    while (journal_find_opening(restoring, &place, &opening)) {
        journal->calls[journal->count] =
            (struct model_call){.kind = MODEL_OPENING, .line_count = 1, .few = {place}};
        journal->answers[journal->count] =
            (struct model_answer){.ticket = {.lsn = opening.lsn, .time_ns = opening.time_ns}};
        if (!journal_apply(restoring, journal->count++)) {
            return false;
        }
    }
    return true;
}

bool journal_restore(struct journal *journal, struct model *model, cellar *store,
                     struct random *random, size_t *lost_out) {
    struct restoring restoring = {journal, model, store};
    bool right = true;

    model_destroy(model);
    model_create(model);
    size_t count = journal_left(&restoring, &right);
    for (size_t i = 0; right && i < count; i++) {
        right = journal_apply(&restoring, i);
    }
    *lost_out = journal->count - count;
    journal->count = count;
    right = right && journal_openings(&restoring) && model_compare(model, store, random);
    journal->acknowledged = 0;
    return right;
}
