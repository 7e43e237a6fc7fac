/* Reading orders that are in memory, by id. */
#include "engine/order.h"

#include "base/assert.h"
#include "base/probe.h"

#include <string.h>

void order_copy_reference(cellar_order *order, const char *reference, size_t bytes) {
    memcpy(order->reference, reference, bytes);
    order->reference[bytes] = '\0';
}

static void order_copy_lines(const cellar *engine, const struct content *content, uint32_t state,
                             const struct store_progress *progress, struct order_room *room) {
    for (uint32_t i = 0; i < content->line_count && i < room->line_capacity; i++) {
        struct content_line from = content_line(content, i);
        const struct store_stock *stock = &engine->store->stocks[from.stock];
        struct content_progress done = progress_of(progress, state, i, from.quantity);
        room->lines[i] =
            (cellar_order_line){.product = stock->product,
                                .location = stock->location,
                                .quantity = from.quantity,
                                .unit_price = from.unit_price,
                                .discount = content->discounts == NULL ? 0 : content->discounts[i],
                                .cancelled = done.cancelled,
                                .fulfilled = done.fulfilled,
                                .returned = done.returned};
    }
}

static void order_copy_sources(const cellar *engine, const struct content *content, uint32_t state,
                               const struct store_progress *progress, struct order_room *room) {
    struct content_walk cancelled = {.content = content};
    struct content_walk fulfilled = {.content = content};
    struct content_walk returned = {.content = content};
    room->source_count = content_source_count(content);
    for (uint32_t i = 0; i < room->source_count && i < room->source_capacity; i++) {
        struct payload_allocation source = content_source(content, i);
        const struct store_stock *stock = &engine->store->stocks[source.stock];
        int64_t units = content_line(content, source.line).quantity;
        struct content_progress done = progress_of(progress, state, source.line, units);
        struct content_range last = {units - done.cancelled, units};
        struct content_range left = {0, done.fulfilled};
        struct content_range back = {0, done.returned};
        room->sources[i] =
            (cellar_order_source){.line = source.line,
                                  .location = stock->location,
                                  .product = stock->product,
                                  .per_unit = source.per_unit,
                                  .quantity = source.quantity,
                                  .cancelled = content_walk_take(&cancelled, last, &source.stock),
                                  .fulfilled = content_walk_take(&fulfilled, left, &source.stock),
                                  .returned = content_walk_take(&returned, back, &source.stock)};
    }
}

void order_copy_content(const cellar *engine, const struct content *content, uint32_t state,
                        const struct store_progress *progress, struct order_room *room) {
    order_copy_lines(engine, content, state, progress, room);
    order_copy_sources(engine, content, state, progress, room);
}

/* How many pieces of each source are not here yet; of a line as many units as its source that lacks
 * most. */
static void order_copy_uncovered(const struct store *store, const struct content *content,
                                 uint32_t order, struct order_room *room) {
    for (uint32_t i = 0; i < content_source_count(content); i++) {
        struct payload_allocation source = content_source(content, i);
        bool wanted = source.line < room->line_capacity || i < room->source_capacity;
        int64_t available = wanted ? store_available(store, source.stock) : 0;
        if (available >= 0) {
            continue;
        }
        int64_t pieces = queue_uncovered(store, source.stock, order, i, -available);
        if (i < room->source_capacity) {
            cellar_order_source *into = &room->sources[i];
            int64_t reserved = into->quantity - into->cancelled - into->fulfilled;
            into->uncovered = pieces < reserved ? pieces : reserved;
        }
        if (source.line < room->line_capacity) {
            cellar_order_line *line = &room->lines[source.line];
            int64_t units = (pieces + source.per_unit - 1) / source.per_unit;
            int64_t reserved = line->quantity - line->cancelled - line->fulfilled;
            units = units < reserved ? units : reserved;
            line->uncovered = units > line->uncovered ? units : line->uncovered;
        }
    }
}

static void order_copy_values(cellar_order *order, const struct store_progress *progress) {
    if (progress != NULL) {
        order->cancelled_value = progress->cancelled_value;
        order->returned_value = progress->returned_value;
    } else if (order->state == CELLAR_ORDER_CANCELLED || order->state == CELLAR_ORDER_EXPIRED) {
        order->cancelled_value = order->total;
    }
}

struct order_view order_look(const cellar *engine, const struct store_order *entry,
                             struct order_room *room) {
    struct order_view view = {.found = false};
    struct cell_content cell = commit_read(engine->commit, store_order_cell(entry->slot));
    uint32_t state = store_document_state(cell.value);
    if (!store_state_is_order(state)) {
        return view;
    }
    view.found = true;
    /* The order's content, and what its steps have left, follow the log. Acquire: pairs with the
     * release in commit_advance_projected(). */
    if (ATOMIC_LOAD(&engine->commit->projected.lsn, acquire) <= cell.version) {
        view.wait_lsn = cell.version;
        return view;
    }
    uint64_t placed = ATOMIC_LOAD(&entry->placed_lsn, acquire);
    view.order = (cellar_order){
        .id = entry->id,
        .state = (cellar_order_state)state,
        .version = cell.version,
        .placed_lsn = placed,
        .placed_ns = entry->placed_ns,
        .customer = entry->customer,
        .account = ATOMIC_LOAD(&entry->account, relaxed),
        .total = state == CELLAR_ORDER_RETURNED ? -entry->total : entry->total,
        .hold_until_ns = store_document_deadline_ms(cell.value) * NANOSECONDS_PER_MILLISECOND,
        .cursor = store_order_key_at(entry, placed),
        .line_count = entry->line_count};
    view.slot = entry->slot;
    /* Acquire: pairs with the releases that published them; they stay while our section lasts. */
    const struct store_detail *detail = ATOMIC_LOAD(&entry->detail, acquire);
    const struct store_progress *progress = ATOMIC_LOAD(&entry->progress, acquire);
    order_copy_values(&view.order, progress);
    struct content content;
    if (detail != NULL) {
        bool good = detail_read(&content, detail);
        ASSERT(good);
        view.detailed = true;
        view.order.business_time_ns = content.business_time_ns;
        view.order.payee = content.payee;
        order_copy_reference(&view.order, content.reference, content.reference_bytes);
        order_copy_content(engine, &content, state, progress, room);
        order_copy_uncovered(engine->store, &content, entry->slot, room);
    }
    PROBE("order-look", entry->slot);
    /* A step that was applied meanwhile changed the cell before. */
    struct cell_content again = commit_read(engine->commit, store_order_cell(entry->slot));
    view.changed = again.version != cell.version;
    return view;
}

/* Outside any section: what a closed order's record in the ledger says. view->changed: the order
 * has changed since it was looked at. */
static cellar_status order_read_ledger(cellar *engine, struct order_view *view, cellar_order *order,
                                       struct order_room *room) {
    struct record_header *record;
    struct store_parts parts;
    cellar_status status = ledger_read(engine, order->placed_lsn, &record);
    if (status != CELLAR_OK) {
        return status;
    }
    const struct payload_document *document = part_find_order(record, view->slot, &parts);
    if (document != NULL) {
        struct content content;
        content_of(&content, document, parts.next.bytes);
        order->business_time_ns = content.business_time_ns;
        order->payee = content.payee;
        order_copy_reference(order, content.reference, content.reference_bytes);
        PROBE("order-ledger", view->slot);
        commit_enter();
        const struct store_progress *progress =
            ATOMIC_LOAD(&engine->store->orders[view->slot].progress, acquire);
        /* Or the progress is another one's, who may have fewer lines. */
        uint32_t cell = store_order_cell(view->slot);
        view->changed = commit_read(engine->commit, cell).version != order->version;
        if (!view->changed) {
            order_copy_content(engine, &content, order->state, progress, room);
        }
        commit_leave();
    }
    log_release_record(engine->log, record);
    return document == NULL ? CELLAR_CORRUPT : CELLAR_OK;
}

cellar_status order_get(cellar *engine, cellar_id id, cellar_order *order_out,
                        struct order_room *room) {
    for (;;) {
        struct order_view view = {.found = false};
        commit_enter();
        const struct store_order *entry = store_find_order(engine->store, id);
        if (entry != NULL) {
            view = order_look(engine, entry, room);
        }
        commit_leave();
        if (!view.found) {
            return CELLAR_NOT_FOUND;
        }
        if (view.changed) {
            continue;
        }
        cellar_status status = CELLAR_OK;
        if (view.wait_lsn == 0) {
            *order_out = view.order;
            if (!view.detailed) {
                status = order_read_ledger(engine, &view, order_out, room);
            }
            if (!view.changed) {
                return status;
            }
        } else {
            status = follower_wait(engine, view.wait_lsn, INT64_MAX);
        }
        if (status != CELLAR_OK) {
            return status;
        }
    }
}

cellar_status cellar_order_get(cellar *store, cellar_id id, cellar_order *order_out,
                               cellar_order_line *lines_out, size_t capacity) {
    if (order_out == NULL || (lines_out == NULL && capacity != 0)) {
        return CELLAR_INVALID_ARGUMENT;
    }
    struct engine_call guard;
    cellar_status status = engine_enter(&guard, store);
    if (status == CELLAR_OK) {
        struct order_room room = {.lines = lines_out, .line_capacity = capacity};
        status = order_get(store, id, order_out, &room);
        engine_leave(&guard);
    }
    return status;
}

cellar_status cellar_order_sources(cellar *store, cellar_id id, uint64_t lsn,
                                   cellar_order *order_out, cellar_order_source *sources_out,
                                   size_t capacity, size_t *count_out) {
    if (order_out == NULL || count_out == NULL || (sources_out == NULL && capacity != 0)) {
        return CELLAR_INVALID_ARGUMENT;
    }
    struct engine_call guard;
    cellar_status status = engine_enter(&guard, store);
    if (status == CELLAR_OK) {
        struct order_room room = {.sources = sources_out, .source_capacity = capacity};
        status = lsn == 0 ? order_get(store, id, order_out, &room)
                          : order_at(store, id, lsn, order_out, &room);
        *count_out = status == CELLAR_OK ? room.source_count : 0;
        engine_leave(&guard);
    }
    return status;
}
