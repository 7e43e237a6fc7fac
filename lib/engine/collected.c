/* What collecting accounts were paid: up to a moment of the past, and payment by payment. */
#include "engine/engine.h"

cellar_status collected_know(cellar *engine, struct collected_moment *moment) {
    /* Acquire: pairs with the reservation of whatever the caller has seen committed. */
    uint64_t end_lsn = ATOMIC_LOAD(&engine->commit->reserved.lsn, acquire);
    cellar_status status = follower_wait_file(engine, end_lsn - RECORD_LINE_BYTES);
    moment->lsn = moment->lsn < end_lsn ? moment->lsn : end_lsn - RECORD_LINE_BYTES;
    return status;
}

/* ---- Stretches of the log ---- */

struct collected_walk {
    cellar *engine;
    uint64_t account;
    const struct store_collected *collected;
    struct collected_moment moment;
    cellar_status status; /* of the first read that failed */
    uint64_t sum;
    /* Of a page: the latest payments, in a ring. */
    cellar_entry *page;
    size_t capacity;
    size_t count; /* of payments met */
};

static struct collected_walk collected_walk_of(cellar *engine, uint32_t slot,
                                               struct collected_moment moment) {
    return (struct collected_walk){.engine = engine,
                                   .account = engine->store->accounts[slot].id,
                                   .collected = &engine->store->collected[slot],
                                   .moment = moment};
}

static bool collected_began(void *context, uint64_t lsn) {
    struct collected_walk *walk = context;
    if (lsn > walk->moment.lsn || walk->status != CELLAR_OK) {
        return false;
    }
    if (walk->moment.time_ns == INT64_MAX) {
        return true;
    }
    struct record_header *record;
    walk->status = ledger_read_file(walk->engine, lsn, &record);
    if (walk->status != CELLAR_OK) {
        return false;
    }
    bool past = record->time_ns <= walk->moment.time_ns;
    log_release_record(walk->engine->log, record);
    return past;
}

static cellar_status collected_visit(void *context, const struct record_header *record) {
    struct collected_walk *walk = context;
    int64_t amount =
        record->time_ns <= walk->moment.time_ns ? account_record_pays(record, walk->account) : 0;
    if (amount == 0) {
        return CELLAR_OK;
    }
    walk->sum += (uint64_t)amount;
    if (walk->capacity != 0) {
        cellar_entry *entry = &walk->page[walk->count % walk->capacity];
        *entry = (cellar_entry){.lsn = record->lsn,
                                .time_ns = record->time_ns,
                                .kind = CELLAR_ENTRY_OTHER,
                                .amount = amount,
                                .balance = (int64_t)walk->sum};
        journal_describe(record, walk->account, entry);
    }
    walk->count++;
    return CELLAR_OK;
}

/* Goes through the last stretch of the past; *first_out is where it begins, 0: there is none. */
static cellar_status collected_scan(struct collected_walk *walk, uint64_t *first_out) {
    struct collected_view view = collected_find(walk->collected, collected_began, walk);
    *first_out = view.first_lsn;
    walk->sum = view.before;
    walk->count = 0;
    if (walk->status != CELLAR_OK || view.first_lsn == 0) {
        return walk->status;
    }
    uint64_t last_lsn = view.last_lsn < walk->moment.lsn ? view.last_lsn : walk->moment.lsn;
    return log_scan(walk->engine->log, view.first_lsn, last_lsn, collected_visit, walk);
}

cellar_status collected_until(cellar *engine, uint32_t slot, const struct collected_moment *moment,
                              uint64_t *sum_out) {
    struct collected_walk walk = collected_walk_of(engine, slot, *moment);
    uint64_t first_lsn;
    cellar_status status = collected_scan(&walk, &first_lsn);
    *sum_out = walk.sum;
    return status;
}

/* ---- A page of payments ---- */

static void collected_reverse(cellar_entry *entries, size_t count) {
    for (size_t i = 0; i < count / 2; i++) {
        cellar_entry entry = entries[i];
        entries[i] = entries[count - 1 - i];
        entries[count - 1 - i] = entry;
    }
}

/* The ring of a stretch as the next entries of the page, newest first. How many. */
static size_t collected_unroll(const struct collected_walk *walk) {
    size_t taken = walk->count < walk->capacity ? walk->count : walk->capacity;
    if (taken != 0) {
        size_t newest = (walk->count - 1) % walk->capacity;
        collected_reverse(walk->page, newest + 1);
        collected_reverse(walk->page + newest + 1, taken - newest - 1);
    }
    return taken;
}

static cellar_status collected_page(struct collected_walk *walk, cellar_entry *page_out,
                                    size_t capacity, size_t *count_out) {
    uint64_t first_lsn;
    do {
        walk->page = page_out + *count_out;
        walk->capacity = capacity - *count_out;
        cellar_status status = collected_scan(walk, &first_lsn);
        if (status != CELLAR_OK) {
            return status;
        }
        *count_out += collected_unroll(walk);
        walk->moment.lsn = first_lsn - 1;
    } while (first_lsn != 0 && *count_out < capacity);
    return CELLAR_OK;
}

/* The account's slot. NOT_FOUND; INVALID_ARGUMENT: it does not collect. */
static cellar_status collected_account(cellar *engine, uint64_t account, uint32_t *slot_out) {
    struct cell_content terms = {0, 0};
    commit_enter();
    const struct store_account *found = store_find_account(engine->store, account);
    if (found != NULL) {
        *slot_out = found->slot;
        terms = commit_read(engine->commit, store_terms_cell(found->slot));
    }
    commit_leave();
    return terms.version == 0                            ? CELLAR_NOT_FOUND
           : (terms.value & STORE_TERMS_COLLECTING) == 0 ? CELLAR_INVALID_ARGUMENT
                                                         : CELLAR_OK;
}

cellar_status cellar_account_collected(cellar *store, uint64_t account, uint64_t before,
                                       cellar_entry *page_out, size_t capacity, size_t *count_out) {
    if (account == 0 || page_out == NULL || count_out == NULL || capacity == 0 ||
        capacity > CELLAR_PAGE_MAX) {
        return CELLAR_INVALID_ARGUMENT;
    }
    struct engine_call call;
    cellar_status status = engine_enter(&call, store);
    if (status != CELLAR_OK) {
        return status;
    }
    *count_out = 0;
    struct collected_moment moment = {.lsn = before - 1, .time_ns = INT64_MAX};
    uint32_t slot = 0;
    status = collected_account(store, account, &slot);
    if (status == CELLAR_OK) {
        status = collected_know(store, &moment);
    }
    if (status == CELLAR_OK) {
        struct collected_walk walk = collected_walk_of(store, slot, moment);
        status = collected_page(&walk, page_out, capacity, count_out);
    }
    engine_leave(&call);
    return status;
}
