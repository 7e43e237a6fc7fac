/* Reading orders: by id, in lists. */
#include "engine/engine.h"

#include <string.h>

/* Entries of a list looked up in one read section. */
#define ORDER_PAGE_STEP 64

/* What memory says of the order; its lines and reference too while it is open. */
struct order_view {
    cellar_order order;
    uint64_t wait_lsn; /* not 0: its content is not known yet */
    uint32_t slot;
    bool found;
    bool detailed;
    bool changed; /* while it was looked at: look again */
};

static void order_copy_reference(cellar_order *order, const char *reference, size_t bytes) {
    memcpy(order->reference, reference, bytes);
    order->reference[bytes] = '\0';
}

static void order_copy_lines(const cellar *engine, const struct content *content, uint32_t state,
                             const struct store_progress *progress, cellar_order_line *into,
                             size_t capacity) {
    for (uint32_t i = 0; i < content->line_count && i < capacity; i++) {
        const struct payload_line *from = &content->lines[i];
        const struct store_stock *stock = &engine->store->stocks[from->stock];
        struct content_progress done = progress_of(progress, state, i, from->quantity);
        into[i] =
            (cellar_order_line){.product = stock->product,
                                .location = stock->location,
                                .quantity = from->quantity,
                                .unit_price = from->unit_price,
                                .discount = content->discounts == NULL ? 0 : content->discounts[i],
                                .cancelled = done.cancelled,
                                .fulfilled = done.fulfilled,
                                .returned = done.returned};
    }
}

/* How many units of each line are not here yet: those of the source that lacks most. */
static void order_copy_uncovered(const struct store *store, const struct content *content,
                                 uint32_t order, cellar_order_line *into, size_t capacity) {
    for (uint32_t i = 0; i < content_source_count(content); i++) {
        struct payload_allocation source = content_source(content, i);
        int64_t available = source.line < capacity ? store_available(store, source.stock) : 0;
        if (available >= 0) {
            continue;
        }
        int64_t pieces = queue_uncovered(store, source.stock, order, i, -available);
        int64_t units = (pieces + source.per_unit - 1) / source.per_unit;
        cellar_order_line *line = &into[source.line];
        int64_t reserved = line->quantity - line->cancelled - line->fulfilled;
        units = units < reserved ? units : reserved;
        if (units > line->uncovered) {
            line->uncovered = units;
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

/* Inside a section. */
static struct order_view order_look(const cellar *engine, const struct store_order *entry,
                                    cellar_order_line *lines_out, size_t capacity) {
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
        .line_count = entry->line_count};
    view.slot = entry->slot;
    /* Acquire: pairs with the releases that published them; they stay while our section lasts. */
    const struct store_detail *detail = ATOMIC_LOAD(&entry->detail, acquire);
    const struct store_progress *progress = ATOMIC_LOAD(&entry->progress, acquire);
    order_copy_values(&view.order, progress);
    struct content content;
    if (detail != NULL && detail_read(&content, detail)) {
        view.detailed = true;
        view.order.business_time_ns = detail->business_time_ns;
        view.order.payee = content.payee;
        order_copy_reference(&view.order, content.reference, content.reference_bytes);
        order_copy_lines(engine, &content, state, progress, lines_out, capacity);
        order_copy_uncovered(engine->store, &content, entry->slot, lines_out, capacity);
    }
    /* A step that was applied meanwhile changed the cell before. */
    struct cell_content again = commit_read(engine->commit, store_order_cell(entry->slot));
    view.changed = again.version != cell.version;
    return view;
}

/* Outside any section: what a closed order's record in the ledger says. */
static cellar_status order_read_ledger(cellar *engine, const struct order_view *view,
                                       cellar_order *order, cellar_order_line *lines_out,
                                       size_t capacity) {
    struct record_header *record;
    struct store_parts parts;
    cellar_status status = ledger_read(engine, order->placed_lsn, &record);
    if (status != CELLAR_OK) {
        return status == CELLAR_NOT_FOUND ? CELLAR_CORRUPT : status;
    }
    const struct payload_document *document = part_find_order(record, view->slot, &parts);
    if (document != NULL) {
        struct content content;
        content_of(&content, document, parts.next.bytes);
        order->business_time_ns = document->business_time_ns;
        order->payee = content.payee;
        order_copy_reference(order, content.reference, content.reference_bytes);
        commit_enter();
        const struct store_progress *progress =
            ATOMIC_LOAD(&engine->store->orders[view->slot].progress, acquire);
        order_copy_lines(engine, &content, order->state, progress, lines_out, capacity);
        commit_leave();
    }
    log_release_record(engine->log, record);
    return document == NULL ? CELLAR_CORRUPT : CELLAR_OK;
}

static cellar_status order_get(cellar *engine, cellar_id id, cellar_order *order_out,
                               cellar_order_line *lines_out, size_t capacity) {
    for (;;) {
        struct order_view view = {.found = false};
        commit_enter();
        const struct store_order *entry = store_find_order(engine->store, id);
        if (entry != NULL) {
            view = order_look(engine, entry, lines_out, capacity);
        }
        commit_leave();
        if (!view.found) {
            return CELLAR_NOT_FOUND;
        }
        if (view.changed) {
            continue;
        }
        if (view.wait_lsn == 0) {
            *order_out = view.order;
            return view.detailed ? CELLAR_OK
                                 : order_read_ledger(engine, &view, order_out, lines_out, capacity);
        }
        cellar_status status = follower_wait(engine, view.wait_lsn, INT64_MAX);
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
        status = order_get(store, id, order_out, lines_out, capacity);
        engine_leave(&guard);
    }
    return status;
}

/* ---- Lists ---- */

/* Inside a section: the slots of the next page, by the links of the customer's orders. */
static size_t order_page_customer(const struct store *store, uint32_t slot, cellar_id *ids,
                                  size_t capacity) {
    size_t count = 0;
    while (slot != 0 && count < capacity) {
        ids[count++] = store->orders[slot].id;
        slot = store->orders[slot].older_of_customer;
    }
    return count;
}

static size_t order_page_state(const struct store *store, cellar_order_state state, uint64_t before,
                               cellar_id *ids, size_t capacity) {
    struct index_entry entries[ORDER_PAGE_STEP];
    size_t wanted = capacity < ORDER_PAGE_STEP ? capacity : ORDER_PAGE_STEP;
    size_t count = index_page(store->orders_by_state[state], before, entries, wanted);
    for (size_t i = 0; i < count; i++) {
        ids[i] = store->orders[entries[i].slot].id;
    }
    return count;
}

/* Up to ORDER_PAGE_STEP ids that follow `before`. NOT_FOUND: it is no order that could be in the
 * list. Not 0 in *wait_lsn: its place in the list is not known yet. */
static cellar_status order_page_ids(cellar *engine, const cellar_order_query *query,
                                    cellar_id before, cellar_id *ids, size_t *count,
                                    uint64_t *wait_lsn) {
    struct store *store = engine->store;
    bool first = before.high == 0 && before.low == 0;
    uint64_t placed = UINT64_MAX;
    uint32_t slot = 0;
    *count = 0;
    *wait_lsn = 0;
    if (!first) {
        const struct store_order *entry = store_find_order(store, before);
        struct order_view view = {.found = false};
        if (entry != NULL) {
            view = order_look(engine, entry, NULL, 0);
        }
        *wait_lsn = view.wait_lsn;
        if (!view.found || view.wait_lsn != 0 ||
            (query->customer != 0 && view.order.customer != query->customer)) {
            return CELLAR_NOT_FOUND;
        }
        placed = store_order_key_at(entry, view.order.placed_lsn);
        slot = entry->older_of_customer;
    }
    if (query->customer == 0) {
        *count = order_page_state(store, query->state, placed, ids, ORDER_PAGE_STEP);
        return CELLAR_OK;
    }
    if (first) {
        const struct store_customer *customer = store_find_customer(store, query->customer);
        /* Acquire: pairs with the release in order_publish(). */
        slot = customer == NULL ? 0 : ATOMIC_LOAD(&customer->newest, acquire);
    }
    *count = order_page_customer(store, slot, ids, ORDER_PAGE_STEP);
    return CELLAR_OK;
}

struct order_page {
    cellar_order *orders;
    size_t capacity;
    size_t count;
    cellar_order_line *lines;
    size_t lines_capacity;
    size_t lines_count;
    bool full;
};

/* Adds the order unless it has left the list. */
static cellar_status order_page_add(cellar *engine, const cellar_order_query *query, cellar_id id,
                                    struct order_page *page) {
    cellar_order *order = &page->orders[page->count];
    cellar_order_line *lines = page->lines == NULL ? NULL : page->lines + page->lines_count;
    size_t room = page->lines == NULL ? 0 : page->lines_capacity - page->lines_count;
    cellar_status status = order_get(engine, id, order, lines, room);
    if (status == CELLAR_NOT_FOUND ||
        (status == CELLAR_OK && query->customer == 0 && order->state != query->state)) {
        return CELLAR_OK;
    }
    if (status != CELLAR_OK) {
        return status;
    }
    if (page->lines != NULL && order->line_count > room && page->count > 0) {
        page->full = true;
        return CELLAR_OK;
    }
    page->lines_count += order->line_count < room ? order->line_count : room;
    page->count++;
    page->full = page->count == page->capacity;
    return CELLAR_OK;
}

static cellar_status order_list(cellar *engine, const cellar_order_query *query,
                                struct order_page *page) {
    cellar_id before = query->before;
    while (!page->full) {
        cellar_id ids[ORDER_PAGE_STEP];
        size_t found;
        uint64_t wait_lsn;
        commit_enter();
        cellar_status status = order_page_ids(engine, query, before, ids, &found, &wait_lsn);
        commit_leave();
        if (wait_lsn != 0) {
            status = follower_wait(engine, wait_lsn, INT64_MAX);
            if (status == CELLAR_OK) {
                continue;
            }
        }
        for (size_t i = 0; status == CELLAR_OK && i < found && !page->full; i++) {
            status = order_page_add(engine, query, ids[i], page);
            before = ids[i];
        }
        if (status != CELLAR_OK || found == 0) {
            return status;
        }
    }
    return CELLAR_OK;
}

cellar_status cellar_order_list(cellar *store, const cellar_order_query *query,
                                cellar_order *page_out, size_t capacity, size_t *count_out,
                                cellar_order_line *lines_out, size_t lines_capacity) {
    if (query == NULL || page_out == NULL || count_out == NULL || capacity == 0 ||
        capacity > CELLAR_PAGE_MAX || (lines_out == NULL && lines_capacity != 0)) {
        return CELLAR_INVALID_ARGUMENT;
    }
    if (query->customer == 0 && !store_state_is_order((uint32_t)query->state)) {
        return CELLAR_INVALID_ARGUMENT;
    }
    struct engine_call guard;
    cellar_status status = engine_enter(&guard, store);
    if (status != CELLAR_OK) {
        return status;
    }
    struct order_page page = {.orders = page_out,
                              .capacity = capacity,
                              .lines = lines_out,
                              .lines_capacity = lines_capacity};
    status = order_list(store, query, &page);
    *count_out = page.count;
    engine_leave(&guard);
    return status;
}
