/* An order as it stood after one of its commits, read from the log alone. Every commit that does
 * something to an order writes its cell, and "version expected" there is the LSN of the one before:
 * back to the one that placed it, and from there forward step by step, as it was applied. */
#include "engine/order.h"

#include "store/step.h"

#include <string.h>

#define PAST_STEPS_MIN 16

struct past {
    cellar *engine;
    uint32_t slot;
    uint64_t *lsns; /* latest first; the last one placed the order */
    uint32_t count;
    uint32_t capacity;
    struct record_header *placed;
    const struct payload_document *document; /* within `placed` */
    struct content content;
    struct store_progress *progress;
    cellar_order order;
};

static bool past_note(struct past *past, uint64_t lsn) {
    struct memory *memory = past->engine->memory;
    if (past->count == past->capacity) {
        uint32_t capacity = past->capacity == 0 ? PAST_STEPS_MIN : 2 * past->capacity;
        uint64_t *lsns = memory_allocate(memory, MEMORY_SCRATCH, capacity * sizeof *lsns);
        if (lsns == NULL) {
            return false;
        }
        if (past->count != 0) {
            memcpy(lsns, past->lsns, past->count * sizeof *lsns);
        }
        memory_release(memory, MEMORY_SCRATCH, past->lsns, past->capacity * sizeof *lsns);
        past->lsns = lsns;
        past->capacity = capacity;
    }
    past->lsns[past->count++] = lsn;
    return true;
}

/* Notes all commits back to the one that placed the order, whose record is kept. */
static cellar_status past_walk(struct past *past, uint64_t lsn) {
    uint32_t cell = store_order_cell(past->slot);
    for (;;) {
        struct record_header *record;
        cellar_status status = ledger_read_file(past->engine, lsn, &record);
        if (status != CELLAR_OK) {
            return status;
        }
        const struct record_update *update = record_find(record, cell);
        bool changes = update != NULL && update->new_value > 0;
        if (past->count == 0) {
            int64_t value = changes ? update->new_value : 0;
            past->order.state = (cellar_order_state)store_document_state(value);
            past->order.hold_until_ns =
                store_document_deadline_ms(value) * NANOSECONDS_PER_MILLISECOND;
        }
        if (!changes) {
            status = CELLAR_CORRUPT;
        } else if (!past_note(past, lsn)) {
            status = CELLAR_OUT_OF_MEMORY;
        } else if (update->old_value <= 0) {
            past->placed = record;
            return CELLAR_OK;
        } else {
            lsn = update->expected;
        }
        log_release_record(past->engine->log, record);
        if (status != CELLAR_OK) {
            return status;
        }
    }
}

static cellar_status past_begin(struct past *past) {
    struct store_parts parts;
    past->document = part_find_order(past->placed, past->slot, &parts);
    if (past->document == NULL) {
        return CELLAR_CORRUPT;
    }
    const struct payload_document *document = past->document;
    content_of(&past->content, document, parts.next.bytes);
    size_t bytes = sizeof *past->progress + document->line_count * sizeof(struct content_progress);
    past->progress = memory_allocate_zeroed(past->engine->memory, MEMORY_SCRATCH, bytes);
    if (past->progress == NULL) {
        return CELLAR_OUT_OF_MEMORY;
    }
    past->progress->bytes = (uint32_t)bytes;
    bool is_return = parts.next.kind == STORE_ORDER_RETURN;
    uint32_t placed_as = is_return ? CELLAR_ORDER_RETURNED : document->type;
    cellar_order *order = &past->order;
    order->id = document->id;
    order->placed_lsn = past->placed->lsn;
    order->placed_ns = document->time_ns;
    order->business_time_ns = past->content.business_time_ns;
    order->customer = document->customer;
    order->account = placed_as == CELLAR_ORDER_PLACED ? 0 : past->content.account;
    order->total = is_return ? -document->total : document->total;
    order->payee = past->content.payee;
    order->cursor = past->placed->lsn + parts.next.ordinal;
    order->line_count = document->line_count;
    order_copy_reference(order, past->content.reference, past->content.reference_bytes);
    for (uint32_t i = 0; i < document->line_count; i++) {
        /* Of an order that was fulfilled at once all has left. */
        past->progress->lines[i] =
            progress_of(NULL, placed_as, i, content_line(&past->content, i).quantity);
    }
    return CELLAR_OK;
}

/* The part of the record that is a step of the order. */
static const struct payload_step *past_find_step(const struct record_header *record,
                                                 uint32_t slot) {
    struct store_parts parts;
    bool more = parts_begin(&parts, record);
    for (; more; more = parts_next(&parts)) {
        const struct payload_step *payload = parts.next.payload;
        if (parts.next.kind == STORE_ORDER_STEP && payload->order == slot) {
            return payload;
        }
    }
    return NULL;
}

static void past_apply(struct past *past, const struct payload_step *payload) {
    const struct step step = {.content = &past->content,
                              .progress = past->progress,
                              .from = payload->from,
                              .event = payload->event,
                              .parts = (const struct payload_part_of_order *)(payload + 1),
                              .part_count = payload->part_count};
    if (payload->event == CELLAR_EVENT_EXTEND) {
        return;
    }
    for (uint32_t i = 0; i < past->content.line_count; i++) {
        struct step_line line = step_line(&step, i);
        past->progress->lines[i] = step_after(&step, &line);
    }
    if (payload->event == CELLAR_EVENT_RETURN) {
        past->order.returned_value += payload->value;
    } else {
        past->order.cancelled_value += payload->value;
    }
    if (payload->event == CELLAR_EVENT_PAY) {
        past->order.account = payload->account;
    }
}

/* From the placing on, in the order in which it happened. */
static cellar_status past_replay(struct past *past) {
    for (uint32_t i = past->count - 1; i > 0; i--) {
        struct record_header *record;
        cellar_status status = ledger_read_file(past->engine, past->lsns[i - 1], &record);
        if (status != CELLAR_OK) {
            return status;
        }
        const struct payload_step *payload = past_find_step(record, past->slot);
        if (payload != NULL) {
            past_apply(past, payload);
        }
        log_release_record(past->engine->log, record);
        if (payload == NULL) {
            return CELLAR_CORRUPT;
        }
    }
    return CELLAR_OK;
}

cellar_status order_past(cellar *engine, uint64_t lsn, uint32_t slot, cellar_order *order_out,
                         struct order_room *room) {
    struct past past = {.engine = engine, .slot = slot, .order = {.version = lsn}};
    cellar_status status = past_walk(&past, lsn);
    if (status == CELLAR_OK) {
        status = past_begin(&past);
    }
    if (status == CELLAR_OK) {
        status = past_replay(&past);
    }
    if (status == CELLAR_OK) {
        *order_out = past.order;
        order_copy_content(engine, &past.content, past.order.state, past.progress, room);
    }
    struct memory *memory = engine->memory;
    if (past.progress != NULL) {
        memory_release(memory, MEMORY_SCRATCH, past.progress, past.progress->bytes);
    }
    memory_release(memory, MEMORY_SCRATCH, past.lsns, past.capacity * sizeof *past.lsns);
    log_release_record(engine->log, past.placed);
    return status;
}

/* The slot of the order that the record places or changes, 0: of none with this id. */
static uint32_t past_find_slot(const struct record_header *record, cellar_id id) {
    struct store_parts parts;
    bool more = parts_begin(&parts, record);
    for (; more; more = parts_next(&parts)) {
        const struct payload_document *document = parts.next.payload;
        const struct payload_step *step = parts.next.payload;
        bool is_step = parts.next.kind == STORE_ORDER_STEP;
        if (!is_step && parts.next.kind != STORE_ORDER_PLACE &&
            parts.next.kind != STORE_ORDER_RETURN) {
            continue;
        }
        cellar_id at = is_step ? step->id : document->id;
        if (at.high == id.high && at.low == id.low) {
            return is_step ? step->order : document->slot;
        }
    }
    return 0;
}

cellar_status order_at(cellar *engine, cellar_id id, uint64_t lsn, cellar_order *order_out,
                       struct order_room *room) {
    struct record_header *record;
    if (lsn == 0 || lsn >= ATOMIC_LOAD(&engine->commit->reserved.lsn, acquire)) {
        return CELLAR_NOT_FOUND;
    }
    cellar_status status = follower_wait_file(engine, lsn);
    if (status == CELLAR_OK) {
        status = log_read(engine->log, lsn, &record);
    }
    if (status != CELLAR_OK) {
        return status;
    }
    uint32_t slot = past_find_slot(record, id);
    log_release_record(engine->log, record);
    return slot == 0 ? CELLAR_NOT_FOUND : order_past(engine, lsn, slot, order_out, room);
}

cellar_status cellar_order_at(cellar *store, cellar_id id, uint64_t lsn, cellar_order *order_out,
                              cellar_order_line *lines_out, size_t capacity) {
    if (order_out == NULL || (lines_out == NULL && capacity != 0)) {
        return CELLAR_INVALID_ARGUMENT;
    }
    struct engine_call guard;
    cellar_status status = engine_enter(&guard, store);
    if (status == CELLAR_OK) {
        struct order_room room = {.lines = lines_out, .line_capacity = capacity};
        status = order_at(store, id, lsn, order_out, &room);
        engine_leave(&guard);
    }
    return status;
}
