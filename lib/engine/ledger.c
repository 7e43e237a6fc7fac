/* The ledger: records read back by LSN, from the ring while it holds them, else from the log's
 * files; and what users ask of it. */
#include "engine/engine.h"

#include <string.h>

cellar_status ledger_read_file(cellar *engine, uint64_t lsn, struct record_header **record_out) {
    cellar_status status = log_read(engine->log, lsn, record_out);
    return status == CELLAR_NOT_FOUND ? CELLAR_CORRUPT : status;
}

cellar_status ledger_read(cellar *engine, uint64_t lsn, struct record_header **record_out) {
    commit_enter();
    const struct record_header *record = commit_record(engine->commit, lsn);
    struct record_header *copy = NULL;
    cellar_status status = CELLAR_OK;
    if (record != NULL) {
        copy = memory_allocate(engine->memory, MEMORY_SCRATCH, record->bytes);
        status = copy == NULL ? CELLAR_OUT_OF_MEMORY : CELLAR_OK;
    }
    if (copy != NULL) {
        memcpy(copy, record, record->bytes);
    }
    commit_leave();
    /* A reader needs no section to wait for the disk. */
    if (record == NULL) {
        status = ledger_read_file(engine, lsn, &copy);
    }
    *record_out = copy;
    return status;
}

cellar_status ledger_rewind(cellar *engine, uint32_t cell, uint64_t lsn, uint64_t before,
                            int64_t *value_in_out) {
    cellar_status status = CELLAR_OK;
    /* Ends, as all such walks: a record expects versions below its own LSN, or it is not read. */
    while (status == CELLAR_OK && lsn >= before) {
        struct record_header *record;
        status = ledger_read(engine, lsn, &record);
        if (status != CELLAR_OK) {
            return status;
        }
        const struct record_update *update = record_find(record, cell);
        if (update == NULL) {
            status = CELLAR_CORRUPT;
        } else {
            *value_in_out = update->old_value;
            lsn = update->expected;
        }
        log_release_record(engine->log, record);
    }
    return status;
}

/* ---- History of a stock ---- */

/* A record that is on the way and no movement of the stock. */
#define LEDGER_NO_MOVEMENT ((cellar_movement_kind)0)

static void ledger_describe_document(const struct payload_document *document, uint32_t bytes,
                                     cellar_movement *movement) {
    movement->id = document->id;
    movement->reason = document->reason;
    struct content content;
    content_of(&content, document, bytes);
    memcpy(movement->reference, content.reference, content.reference_bytes);
    movement->reference[content.reference_bytes] = '\0';
}

static void ledger_describe_step(const struct payload_step *step, cellar_movement *movement) {
    movement->id = step->id;
    if (step->event == PAYLOAD_EXPIRE) {
        movement->kind = CELLAR_MOVEMENT_EXPIRED;
    } else if (step->event == CELLAR_EVENT_RETURN) {
        movement->kind = CELLAR_MOVEMENT_RETURNED;
    } else if (step->event == CELLAR_EVENT_FULFIL) {
        /* Units that leave were not available before; it has read how many are missing. */
        movement->kind = LEDGER_NO_MOVEMENT;
    } else {
        /* Also what is not paid for of an order that is paid in part. */
        movement->kind = CELLAR_MOVEMENT_CANCELLED;
    }
}

static void ledger_describe_part(const struct store_part *part, cellar_movement *movement) {
    switch (part->kind) {
    case STORE_PRODUCT:
    case STORE_STOCK_OPEN:
        movement->kind =
            record_updates(part->record)->expected == 0 || part->kind == STORE_STOCK_OPEN
                ? CELLAR_MOVEMENT_OPENED
                : CELLAR_MOVEMENT_STATUS;
        break;
    case STORE_STOCK_CHANGE: {
        const struct payload_document *document = part->payload;
        movement->kind = (cellar_movement_kind)document->type;
        ledger_describe_document(document, part->bytes, movement);
        break;
    }
    case STORE_ORDER_PLACE:
        movement->kind = CELLAR_MOVEMENT_ORDERED;
        ledger_describe_document(part->payload, part->bytes, movement);
        break;
    case STORE_ORDER_RETURN:
        movement->kind = CELLAR_MOVEMENT_RETURNED;
        ledger_describe_document(part->payload, part->bytes, movement);
        movement->reason = 0;
        break;
    case STORE_ORDER_STEP:
        ledger_describe_step(part->payload, movement);
        break;
    case STORE_STOCK_TAKE:
        movement->kind = CELLAR_MOVEMENT_TAKEN;
        break;
    case STORE_STOCK_COUNT:
        movement->kind = CELLAR_MOVEMENT_COUNTED;
        break;
    default:
        movement->kind = CELLAR_MOVEMENT_SAFETY;
        break;
    }
}

/* Does the part name the stock? A step of an order may be about any. */
static bool ledger_part_names(const struct store_part *part, uint32_t stock) {
    switch (part->kind) {
    case STORE_STOCK_CHANGE:
    case STORE_ORDER_PLACE:
    case STORE_ORDER_RETURN: {
        struct content content;
        content_of(&content, part->payload, part->bytes);
        for (uint32_t i = 0; i < content_source_count(&content); i++) {
            if (content_source(&content, i).stock == stock) {
                return true;
            }
        }
        return false;
    }
    default:
        return part->kind == STORE_ORDER_STEP;
    }
}

/* The record as a movement of the stock: of a composed one the first part that is about it. */
static void ledger_describe(const struct record_header *record, uint32_t stock,
                            cellar_movement *movement) {
    struct store_note note;
    struct store_part whole;
    struct store_parts parts;
    if (!part_whole(record, &whole, &note) || !parts_begin(&parts, record)) {
        return;
    }
    struct store_part described = parts.next;
    if (parts.composed != NULL) {
        do {
            described = parts.next;
        } while (!ledger_part_names(&described, stock) && parts_next(&parts));
    }
    ledger_describe_part(&described, movement);
    movement->actor = note.actor;
    if (movement->reference[0] == '\0' && note.reference_bytes != 0) {
        memcpy(movement->reference, note.reference, note.reference_bytes);
        movement->reference[note.reference_bytes] = '\0';
    }
}

struct ledger_walk {
    cellar *engine;
    uint32_t cell;  /* the sellable cell */
    uint64_t lsn;   /* next record to look at; 0: the beginning */
    int64_t safety; /* after that record */
};

/* Describes the record at walk->lsn and goes on to the one before. */
static cellar_status ledger_step(struct ledger_walk *walk, cellar_movement *movement) {
    struct record_header *record;
    /* From the file, not the ring: its time is final. */
    cellar_status status = ledger_read_file(walk->engine, walk->lsn, &record);
    if (status != CELLAR_OK) {
        return status;
    }
    const struct record_update *update = record_find(record, walk->cell);
    if (update == NULL) {
        log_release_record(walk->engine->log, record);
        return CELLAR_CORRUPT;
    }
    const struct record_update *safety = record_find(record, walk->cell + STORE_STOCK_SAFETY_CELL);
    *movement = (cellar_movement){.lsn = record->lsn, .time_ns = record->time_ns};
    movement->available = store_stock_unblocked(update->new_value) + walk->safety;
    if (safety != NULL) {
        walk->safety = safety->old_value;
    }
    movement->change =
        movement->available - (store_stock_unblocked(update->old_value) + walk->safety);
    ledger_describe(record, CELL_SLOT(walk->cell) / STORE_STOCK_CELLS, movement);
    if (part_kind(record) == STORE_STOCK_OPEN && update->expected != 0) {
        /* Another location of the product was opened. */
        movement->kind = LEDGER_NO_MOVEMENT;
    }
    walk->lsn = update->expected;
    log_release_record(walk->engine->log, record);
    return CELLAR_OK;
}

static cellar_status ledger_begin(cellar *engine, const cellar_line *line, struct ledger_walk *walk,
                                  uint64_t *safety_lsn_out) {
    cellar_status status = CELLAR_NOT_FOUND;
    commit_enter();
    struct store *store = engine->store;
    struct store_product *product = store_find_product(store, line->sku, line->product);
    uint32_t slot = product == NULL ? 0 : store_find_stock(store, product, line->location);
    if (slot != 0) {
        walk->engine = engine;
        walk->cell = store_stock_cell(slot, STORE_STOCK_SELLABLE);
        struct cell_content sellable;
        struct cell_content again;
        do {
            sellable = commit_read(engine->commit, walk->cell);
            struct cell_content safety =
                commit_read(engine->commit, walk->cell + STORE_STOCK_SAFETY_CELL);
            walk->safety = safety.value;
            *safety_lsn_out = safety.version;
            again = commit_read(engine->commit, walk->cell);
        } while (sellable.version != again.version);
        walk->lsn = sellable.version;
        status = CELLAR_OK;
    }
    commit_leave();
    return status == CELLAR_OK ? follower_wait_file(engine, walk->lsn) : status;
}

/* Goes on behind the movement `before` without walking there: by its record, and along the few
 * changes of the safety stock since. */
static cellar_status ledger_skip(struct ledger_walk *walk, uint64_t safety_lsn, uint64_t before) {
    cellar_status status = ledger_rewind(walk->engine, walk->cell + STORE_STOCK_SAFETY_CELL,
                                         safety_lsn, before, &walk->safety);
    if (status != CELLAR_OK) {
        return status;
    }
    walk->lsn = before;
    cellar_movement skipped;
    status = ledger_step(walk, &skipped);
    return status == CELLAR_CORRUPT ? CELLAR_INVALID_ARGUMENT : status;
}

static bool ledger_line_valid(const cellar_line *line) {
    if (line == NULL) {
        return false;
    }
    if (line->sku == NULL) {
        return line->product != 0;
    }
    size_t bytes = plan_text_bytes(line->sku, CELLAR_SKU_BYTES_MAX);
    return bytes != 0 && bytes != SIZE_MAX;
}

cellar_status cellar_stock_history(cellar *store, const cellar_line *line, uint64_t before,
                                   cellar_movement *page_out, size_t capacity, size_t *count_out) {
    if (!ledger_line_valid(line) || page_out == NULL || count_out == NULL || capacity == 0 ||
        capacity > CELLAR_PAGE_MAX) {
        return CELLAR_INVALID_ARGUMENT;
    }
    struct engine_call call;
    cellar_status status = engine_enter(&call, store);
    if (status != CELLAR_OK) {
        return status;
    }
    *count_out = 0;
    struct ledger_walk walk;
    uint64_t safety_lsn = 0;
    status = ledger_begin(store, line, &walk, &safety_lsn);
    if (status == CELLAR_OK && before != 0) {
        status = ledger_skip(&walk, safety_lsn, before);
    }
    while (status == CELLAR_OK && *count_out < capacity && walk.lsn != 0) {
        status = ledger_step(&walk, &page_out[*count_out]);
        *count_out += status == CELLAR_OK && page_out[*count_out].kind != LEDGER_NO_MOVEMENT;
    }
    engine_leave(&call);
    return status;
}
