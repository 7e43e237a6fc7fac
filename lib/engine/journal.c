/* The journal of an account: its changes, newest first. Each record that changes an account writes
 * the account's first cell, and "version expected" there is the LSN of the change before: the
 * journal is that list through the log. */
#include "engine/engine.h"

#include "base/probe.h"

#include <string.h>

/* ---- What a record says of the account ---- */

static bool journal_describe_entry(const struct store_part *part, uint64_t account,
                                   cellar_entry *entry) {
    const struct payload_document *document = part->payload;
    struct content content;
    content_of(&content, document, part->bytes);
    entry->id = document->id;
    if (document->type == PAYLOAD_TRANSFER && document->customer == account) {
        entry->kind = CELLAR_ENTRY_RECEIVED;
        entry->counterpart = content.account;
        return true;
    }
    entry->counterpart = document->customer;
    entry->kind = document->type == PAYLOAD_CREDIT  ? CELLAR_ENTRY_CREDITED
                  : document->type == PAYLOAD_DEBIT ? CELLAR_ENTRY_DEBITED
                                                    : CELLAR_ENTRY_SENT;
    return content.account == account;
}

static bool journal_describe_hold_step(const struct payload_hold_step *step, uint64_t account,
                                       cellar_entry *entry) {
    entry->id = step->id;
    if (step->account != account) {
        entry->kind = CELLAR_ENTRY_RECEIVED;
        entry->counterpart = step->account;
        return step->to == account;
    }
    entry->counterpart = step->to;
    entry->kind = step->state == CELLAR_ACCOUNT_HOLD_POSTED   ? CELLAR_ENTRY_POSTED
                  : step->state == CELLAR_ACCOUNT_HOLD_VOIDED ? CELLAR_ENTRY_VOIDED
                                                              : CELLAR_ENTRY_EXPIRED;
    return true;
}

/* Money that moved between an account and a payee (0: outside): true when the entry's account is
 * one of them. Whoever is paid for an order has received; what is given back is called alike on
 * both sides. */
static bool journal_describe_sides(uint64_t from, uint64_t payee, uint64_t account,
                                   cellar_entry *entry) {
    if (payee == account && from != 0) {
        entry->counterpart = from;
        if (entry->kind == CELLAR_ENTRY_ORDER_PAID) {
            entry->kind = CELLAR_ENTRY_RECEIVED;
        }
        return true;
    }
    entry->counterpart = payee;
    return from == account;
}

static bool journal_describe_order(const struct store_part *part, cellar_entry_kind kind,
                                   uint64_t account, cellar_entry *entry) {
    const struct payload_document *document = part->payload;
    struct content content;
    content_of(&content, document, part->bytes);
    entry->kind = kind;
    entry->id = document->id;
    memcpy(entry->reference, content.reference, content.reference_bytes);
    entry->reference[content.reference_bytes] = '\0';
    return journal_describe_sides(content.account, content.payee, account, entry);
}

static bool journal_describe_step(const struct payload_step *step, uint64_t account,
                                  cellar_entry *entry) {
    entry->kind = step->event == CELLAR_EVENT_PAY      ? CELLAR_ENTRY_ORDER_PAID
                  : step->event == CELLAR_EVENT_RETURN ? CELLAR_ENTRY_ORDER_RETURNED
                                                       : CELLAR_ENTRY_ORDER_CANCELLED;
    entry->id = step->id;
    return journal_describe_sides(step->account, payload_step_payee(step), account, entry);
}

static bool journal_describe_account(const struct payload_account *payload, cellar_entry_kind kind,
                                     uint64_t account, cellar_entry *entry) {
    entry->kind = kind;
    return payload->account == account;
}

/* True when the part is about the account; the entry then says how. */
static bool journal_describe_part(const struct store_part *part, uint64_t account,
                                  cellar_entry *entry) {
    switch (part->kind) {
    case STORE_ACCOUNT_OPEN:
        return journal_describe_account(part->payload, CELLAR_ENTRY_OPENED, account, entry);
    case STORE_ACCOUNT_FLOOR:
        return journal_describe_account(part->payload, CELLAR_ENTRY_FLOOR, account, entry);
    case STORE_ACCOUNT_ENTRY:
        return journal_describe_entry(part, account, entry);
    case STORE_ACCOUNT_SETTLE:
        entry->kind = CELLAR_ENTRY_SETTLED;
        return ((const struct payload_settle *)part->payload)->account == account;
    case STORE_ACCOUNT_HOLD:
        entry->kind = CELLAR_ENTRY_HELD;
        entry->id = ((const struct payload_hold *)part->payload)->id;
        return ((const struct payload_hold *)part->payload)->account == account;
    case STORE_ACCOUNT_HOLD_STEP:
        return journal_describe_hold_step(part->payload, account, entry);
    case STORE_ORDER_PLACE:
        return journal_describe_order(part, CELLAR_ENTRY_ORDER_PAID, account, entry);
    case STORE_ORDER_RETURN:
        return journal_describe_order(part, CELLAR_ENTRY_ORDER_RETURNED, account, entry);
    case STORE_ORDER_STEP:
        return journal_describe_step(part->payload, account, entry);
    default:
        return false;
    }
}

void journal_describe(const struct record_header *record, uint64_t account, cellar_entry *entry) {
    struct store_note note;
    struct store_part whole;
    struct store_parts parts;
    if (!part_whole(record, &whole, &note) || !parts_begin(&parts, record)) {
        return;
    }
    bool found = false;
    cellar_entry described = *entry;
    do {
        described = *entry;
        found = journal_describe_part(&parts.next, account, &described);
    } while (!found && parts_next(&parts));
    if (found) {
        *entry = described;
    }
    entry->actor = note.actor;
    if (entry->reference[0] == '\0' && note.reference_bytes != 0) {
        memcpy(entry->reference, note.reference, note.reference_bytes);
        entry->reference[note.reference_bytes] = '\0';
    }
}

/* ---- Walking back ---- */

struct journal {
    cellar *engine;
    uint64_t account;
    uint32_t slot;
    uint64_t lsn; /* next record to look at; 0: the beginning. What follows is as of after it */
    int64_t room;
    int64_t floor;
    int64_t held;
    int64_t settled;
    uint64_t floor_lsn; /* at the start: their versions */
    uint64_t held_lsn;
    int64_t terms;
};

/* Inside a section: the cells as of one instant. */
static void journal_read_cells(struct journal *journal) {
    const struct commit *commit = journal->engine->commit;
    struct cell_content room;
    struct cell_content again;
    do {
        room = commit_read(commit, store_account_cell(journal->slot));
        struct cell_content floor = commit_read(commit, store_floor_cell(journal->slot));
        struct cell_content held = commit_read(commit, store_held_cell(journal->slot));
        journal->room = room.value;
        journal->floor = floor.value;
        journal->floor_lsn = floor.version;
        journal->held = held.value;
        journal->held_lsn = held.version;
        journal->terms = commit_read(commit, store_terms_cell(journal->slot)).value;
        journal->settled = commit_read(commit, store_settled_cell(journal->slot)).value;
        again = commit_read(commit, store_account_cell(journal->slot));
    } while (room.version != again.version);
    journal->lsn = room.version;
}

static cellar_status journal_begin(cellar *engine, uint64_t account, struct journal *journal) {
    *journal = (struct journal){.engine = engine, .account = account};
    commit_enter();
    const struct store_account *found = store_find_account(engine->store, account);
    if (found != NULL) {
        journal->slot = found->slot;
        journal_read_cells(journal);
    }
    commit_leave();
    return journal->lsn == 0 ? CELLAR_NOT_FOUND : follower_wait_file(engine, journal->lsn);
}

static int64_t journal_old(const struct record_update *update, int64_t unchanged) {
    return update == NULL ? unchanged : update->old_value;
}

/* Describes the record at journal->lsn and goes on to the one before. */
static cellar_status journal_step(struct journal *journal, cellar_entry *entry) {
    struct record_header *record;
    /* From the file, not the ring: its time is final. */
    cellar_status status = ledger_read_file(journal->engine, journal->lsn, &record);
    if (status != CELLAR_OK) {
        return status;
    }
    const struct record_update *room = record_find(record, store_account_cell(journal->slot));
    if (room == NULL) {
        log_release_record(journal->engine->log, record);
        return CELLAR_CORRUPT;
    }
    *entry = (cellar_entry){.lsn = record->lsn,
                            .time_ns = record->time_ns,
                            .kind = CELLAR_ENTRY_OTHER,
                            .balance = room->new_value + journal->floor + journal->held,
                            .held = journal->held};
    journal->lsn = room->expected;
    journal->room = room->old_value;
    journal->floor =
        journal_old(record_find(record, store_floor_cell(journal->slot)), journal->floor);
    journal->held = journal_old(record_find(record, store_held_cell(journal->slot)), journal->held);
    journal->settled =
        journal_old(record_find(record, store_settled_cell(journal->slot)), journal->settled);
    entry->amount = entry->balance - (journal->room + journal->floor + journal->held);
    entry->held_change = entry->held - journal->held;
    journal_describe(record, journal->account, entry);
    log_release_record(journal->engine->log, record);
    return CELLAR_OK;
}

/* Goes on behind the change `before` without walking there. */
static cellar_status journal_skip(struct journal *journal, uint64_t before) {
    uint32_t slot = journal->slot;
    cellar_status status = ledger_rewind(journal->engine, store_floor_cell(slot),
                                         journal->floor_lsn, before, &journal->floor);
    if (status == CELLAR_OK) {
        status = ledger_rewind(journal->engine, store_held_cell(slot), journal->held_lsn, before,
                               &journal->held);
    }
    if (status != CELLAR_OK) {
        return status;
    }
    cellar_entry skipped;
    journal->lsn = before;
    status = journal_step(journal, &skipped);
    return status == CELLAR_CORRUPT ? CELLAR_INVALID_ARGUMENT : status;
}

/* ---- The calls ---- */

cellar_status cellar_account_journal(cellar *store, uint64_t account, uint64_t before,
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
    struct journal journal;
    status = journal_begin(store, account, &journal);
    if (status == CELLAR_OK && before != 0) {
        status = journal_skip(&journal, before);
    }
    while (status == CELLAR_OK && *count_out < capacity && journal.lsn != 0) {
        status = journal_step(&journal, &page_out[*count_out]);
        *count_out += status == CELLAR_OK;
    }
    engine_leave(&call);
    return status;
}

/* Walks back until the account is what it was then. */
static cellar_status journal_back(struct journal *journal, const struct collected_moment *moment) {
    cellar_status status = CELLAR_OK;
    while (status == CELLAR_OK && journal->lsn != 0) {
        struct journal after = *journal;
        cellar_entry entry;
        bool reached = journal->lsn <= moment->lsn;
        if (reached && moment->time_ns == INT64_MAX) {
            break;
        }
        status = journal_step(journal, &entry);
        if (status == CELLAR_OK && reached && entry.time_ns <= moment->time_ns) {
            *journal = after;
            break;
        }
    }
    return status == CELLAR_OK && journal->lsn == 0 ? CELLAR_NOT_FOUND : status;
}

/* What the account had collected then and not settled. */
static cellar_status journal_unsettled(const struct journal *journal,
                                       const struct collected_moment *moment,
                                       int64_t *unsettled_out) {
    uint64_t sum = 0;
    cellar_status status = collected_until(journal->engine, journal->slot, moment, &sum);
    *unsettled_out = (int64_t)(sum - (uint64_t)journal->settled);
    return status;
}

/* The account as it was then. */
static cellar_status journal_past(cellar *engine, uint64_t account, struct collected_moment *moment,
                                  cellar_account *account_out) {
    struct journal journal;
    int64_t unsettled = 0;
    cellar_status status = journal_begin(engine, account, &journal);
    bool collecting = (journal.terms & STORE_TERMS_COLLECTING) != 0;
    if (status == CELLAR_OK && collecting) {
        /* Read again once what is paid is known up to one moment: cells are then walked back to
         * the same one. */
        status = collected_know(engine, moment);
        if (status == CELLAR_OK) {
            status = journal_begin(engine, account, &journal);
        }
    }
    if (status == CELLAR_OK) {
        PROBE("account-past", journal.slot);
        status = journal_back(&journal, moment);
    }
    if (status == CELLAR_OK && collecting) {
        status = journal_unsettled(&journal, moment, &unsettled);
    }
    if (status == CELLAR_OK) {
        *account_out =
            (cellar_account){.id = account,
                             .balance = journal.room + journal.floor + journal.held + unsettled,
                             .floor = journal.floor,
                             .version = journal.lsn,
                             .held = journal.held,
                             .available = journal.room,
                             .unsettled = unsettled,
                             .currency = (uint32_t)journal.terms,
                             .collecting = collecting};
    }
    return status;
}

cellar_status cellar_account_at(cellar *store, uint64_t account, uint64_t lsn, int64_t time_ns,
                                cellar_account *account_out) {
    if (account == 0 || account_out == NULL) {
        return CELLAR_INVALID_ARGUMENT;
    }
    struct engine_call call;
    cellar_status status = engine_enter(&call, store);
    if (status != CELLAR_OK) {
        return status;
    }
    struct collected_moment moment = {.lsn = lsn == 0 ? UINT64_MAX : lsn,
                                      .time_ns = lsn == 0 ? time_ns : INT64_MAX};
    status = journal_past(store, account, &moment, account_out);
    engine_leave(&call);
    return status;
}
