/* The model as of what is left. */
#include "support/journal.h"

#include "engine/engine.h"

#include <string.h>

void journal_copy(struct journal *to, const struct journal *from) {
    memcpy(to->calls, from->calls, from->count * sizeof *to->calls);
    memcpy(to->answers, from->answers, from->count * sizeof *to->answers);
    to->count = from->count;
    to->acknowledged = from->acknowledged;
}

/* Does the log have the commit? */
static bool journal_has(struct model *model, cellar *store, uint64_t lsn) {
    struct record_header *record = NULL;
    cellar_status status = ledger_read(store, lsn, &record);

    if (status == CELLAR_OK) {
        log_release_record(store->log, record);
    } else if (status != CELLAR_NOT_FOUND) {
        return model_wrong(model, "reading %llu: %s", (unsigned long long)lsn,
                           cellar_status_name(status));
    }
    return status == CELLAR_OK;
}

/* How many of the journal's calls are there. */
static size_t journal_count(const struct journal *journal, struct model *model, cellar *store,
                            bool *right) {
    size_t count = 0;

    while (count < journal->count &&
           journal_has(model, store, journal->answers[count].ticket.lsn)) {
        count++;
    }
    for (size_t i = count; i < journal->count; i++) {
        uint64_t lsn = journal->answers[i].ticket.lsn;
        if (journal_has(model, store, lsn)) {
            *right = model_wrong(model, "a hole before %llu", (unsigned long long)lsn);
        } else if (lsn < journal->acknowledged) {
            *right =
                model_wrong(model, "%llu was acknowledged, below %llu, and is lost",
                            (unsigned long long)lsn, (unsigned long long)journal->acknowledged);
        }
    }
    return count;
}

/* One step of the journal again. A location that came into being for the sake of a call is not in
 * the journal, but for the ones of journal_openings(). */
static bool journal_apply(const struct journal *journal, struct model *model, cellar *store,
                          size_t index) {
    const struct model_call *call = &journal->calls[index];

    return (call->kind == MODEL_OPENING || model_apply_openings(model, store, call)) &&
           model_apply(model, call, &journal->answers[index]);
}

/* The oldest of the locations that the store has and the model lacks. */
static bool journal_find_opening(const struct model *model, cellar *store, struct model_line *place,
                                 cellar_movement *oldest) {
    bool found = false;

    for (uint32_t sku = 0; sku < MODEL_SKUS; sku++) {
        for (uint32_t location = 1; location < MODEL_LOCATIONS; location++) {
            cellar_movement opening;
            if (!model->products[sku].stocks[location].exists &&
                model_opening(store, sku, location, &opening) &&
                (!found || opening.lsn < oldest->lsn)) {
                *place = (struct model_line){.sku = sku, .location = location};
                *oldest = opening;
                found = true;
            }
        }
    }
    return found;
}

/* Locations whose first receipt did not make it any more: whoever goes on from here finds them
 * there, so they go into the journal. */
static bool journal_openings(struct journal *journal, struct model *model, cellar *store) {
    struct model_line place = {.sku = 0};
    cellar_movement opening = {.lsn = 0};

    while (journal_find_opening(model, store, &place, &opening)) {
        if (journal->count == JOURNAL_MAX) {
            return model_wrong(model, "the journal is full");
        }
        journal->calls[journal->count] =
            (struct model_call){.kind = MODEL_OPENING, .line_count = 1, .few = {place}};
        journal->answers[journal->count] =
            (struct model_answer){.ticket = {.lsn = opening.lsn, .time_ns = opening.time_ns}};
        if (!journal_apply(journal, model, store, journal->count++)) {
            return false;
        }
    }
    return true;
}

bool journal_restore(struct journal *journal, struct model *model, cellar *store, uint64_t *lost) {
    bool right = true;

    model_destroy(model);
    model_create(model);
    size_t count = journal_count(journal, model, store, &right);
    for (size_t i = 0; right && i < count; i++) {
        right = journal_apply(journal, model, store, i);
    }
    *lost += journal->count - count;
    journal->count = count;
    right = right && journal_openings(journal, model, store);
    journal->acknowledged = 0;
    return right;
}
