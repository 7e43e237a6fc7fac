/* Lists of orders: of a state, and of a customer. The latter goes on with orders that have left
 * memory: the records that retired them are linked through the log. */
#include "engine/order.h"

/* Entries of a list looked up in one read section. */
#define LIST_STEP 64
/* In a cursor: the list goes on behind the order that the commit at this LSN has retired. */
#define LIST_RETIRED (UINT64_C(1) << 63)

struct order_page {
    cellar_order *orders;
    size_t capacity;
    size_t count;
    cellar_order_line *lines;
    size_t lines_capacity;
    size_t lines_count;
    bool full;
};

/* Where the list goes on: behind the order with this id, whose key this is, as far as given. */
struct list_place {
    cellar_id id;
    uint64_t key; /* 0: not known */
};

static struct order_room list_room(const struct order_page *page) {
    if (page->lines == NULL) {
        return (struct order_room){.lines = NULL};
    }
    return (struct order_room){.lines = page->lines + page->lines_count,
                               .line_capacity = page->lines_capacity - page->lines_count};
}

/* Keeps the order that was read into the page's next place, unless its lines do not fit. */
static void list_keep(struct order_page *page) {
    const cellar_order *order = &page->orders[page->count];
    size_t room = list_room(page).line_capacity;
    if (page->lines != NULL && order->line_count > room && page->count > 0) {
        page->full = true;
        return;
    }
    page->lines_count += order->line_count < room ? order->line_count : room;
    page->count++;
    page->full = page->count == page->capacity;
}

/* ---- In memory ---- */

static struct list_place list_place_of(const struct store_order *order) {
    /* Acquire: pairs with the release in order_publish(). */
    uint64_t placed_lsn = ATOMIC_LOAD(&order->placed_lsn, acquire);
    return (struct list_place){order->id, store_order_key_at(order, placed_lsn)};
}

static size_t list_state_step(const struct store *store, cellar_order_state state, uint64_t before,
                              struct list_place *places) {
    struct index_entry entries[LIST_STEP];
    size_t count = index_page(store->orders_by_state[state], before, entries, LIST_STEP);
    for (size_t i = 0; i < count; i++) {
        places[i] = (struct list_place){store->orders[entries[i].slot].id, entries[i].key};
    }
    return count;
}

/* By the links of the customer's orders, from `slot` on those below the key. */
static size_t list_customer_step(const struct store *store, uint32_t slot, uint64_t before,
                                 struct list_place *places) {
    size_t count = 0;
    while (slot != 0 && count < LIST_STEP) {
        const struct store_order *order = &store->orders[slot];
        struct list_place place = list_place_of(order);
        if (place.key < before) {
            places[count++] = place;
        }
        /* Acquire: pairs with the releases in closed.c. */
        slot = ATOMIC_LOAD(&order->older_of_customer, acquire);
    }
    return count;
}

/* Inside a section: up to LIST_STEP places that follow `after`. NOT_FOUND: it is no order that
 * could be in the list, and its key is not known. Not 0 in *wait_lsn: its place is not known yet.
 */
static cellar_status list_step(cellar *engine, const cellar_order_query *query,
                               struct list_place after, struct list_place *places, size_t *count,
                               uint64_t *wait_lsn) {
    struct store *store = engine->store;
    uint64_t before = after.key == 0 ? UINT64_MAX : after.key;
    uint32_t slot = 0;
    *count = 0;
    *wait_lsn = 0;
    if (after.id.high != 0 || after.id.low != 0) {
        const struct store_order *entry = store_find_order(store, after.id);
        struct order_view view = {.found = false};
        if (entry != NULL) {
            struct order_room none = {.lines = NULL};
            view = order_look(engine, entry, &none);
        }
        *wait_lsn = view.wait_lsn;
        bool found = view.found && view.wait_lsn == 0 &&
                     (query->customer == 0 || view.order.customer == query->customer) &&
                     (after.key == 0 || after.key == view.order.cursor);
        if (view.wait_lsn != 0 || (!found && after.key == 0)) {
            return CELLAR_NOT_FOUND;
        }
        if (found) {
            before = view.order.cursor;
            slot = entry->slot;
        }
    }
    if (query->customer == 0) {
        *count = list_state_step(store, query->state, before, places);
        return CELLAR_OK;
    }
    if (slot == 0) {
        const struct store_customer *customer = store_find_customer(store, query->customer);
        /* Acquire: pairs with the release in customer_link(). */
        slot = customer == NULL ? 0 : ATOMIC_LOAD(&customer->newest, acquire);
    }
    *count = list_customer_step(store, slot, before, places);
    return CELLAR_OK;
}

/* Adds the order unless it has left the list. */
static cellar_status list_add(cellar *engine, const cellar_order_query *query,
                              struct list_place place, struct order_page *page) {
    cellar_order *order = &page->orders[page->count];
    struct order_room room = list_room(page);
    cellar_status status = order_get(engine, place.id, order, &room);
    bool same = status == CELLAR_OK && order->cursor == place.key;
    if (query->customer != 0 && (status == CELLAR_NOT_FOUND || !same)) {
        /* It has been retired, and is in the other part of the list once that is known. */
        uint64_t reserved = ATOMIC_LOAD(&engine->commit->reserved.lsn, acquire);
        status = status == CELLAR_OK || status == CELLAR_NOT_FOUND
                     ? follower_wait(engine, reserved - RECORD_LINE_BYTES, INT64_MAX)
                     : status;
    } else if (same && (query->customer != 0 || order->state == query->state)) {
        list_keep(page);
    }
    return status == CELLAR_NOT_FOUND ? CELLAR_OK : status;
}

static cellar_status list_memory(cellar *engine, const cellar_order_query *query,
                                 struct order_page *page) {
    struct list_place after = {query->before, query->cursor};
    while (!page->full) {
        struct list_place places[LIST_STEP];
        size_t found;
        uint64_t wait_lsn;
        commit_enter();
        cellar_status status = list_step(engine, query, after, places, &found, &wait_lsn);
        commit_leave();
        if (wait_lsn != 0) {
            status = follower_wait(engine, wait_lsn, INT64_MAX);
            if (status == CELLAR_OK) {
                continue;
            }
        }
        for (size_t i = 0; status == CELLAR_OK && i < found && !page->full; i++) {
            status = list_add(engine, query, places[i], page);
            after = places[i];
        }
        if (status != CELLAR_OK || found == 0) {
            return status;
        }
    }
    return CELLAR_OK;
}

/* ---- In the log ---- */

/* What the record that retired an order of the customer says. INVALID_ARGUMENT: it is none. */
static cellar_status list_read_retired(cellar *engine, uint64_t customer, uint64_t lsn,
                                       uint64_t *previous_out, uint32_t *slot_out,
                                       uint64_t *last_out) {
    struct record_header *record;
    cellar_status status = log_read(engine->log, lsn, &record);
    if (status != CELLAR_OK) {
        return status == CELLAR_CORRUPT || status == CELLAR_NOT_FOUND ? CELLAR_INVALID_ARGUMENT
                                                                      : status;
    }
    struct store_part part;
    status = CELLAR_INVALID_ARGUMENT;
    if (part_whole(record, &part, NULL) && part.kind == STORE_RETIRE && part.bytes != 0) {
        const struct payload_retire *payload = part.payload;
        *previous_out = payload->previous_lsn;
        *slot_out = CELL_SLOT(record_cells(record)[0]);
        *last_out = record_updates(record)->expected;
        status = payload->customer == customer && payload->previous_lsn < lsn
                     ? CELLAR_OK
                     : CELLAR_INVALID_ARGUMENT;
    }
    log_release_record(engine->log, record);
    return status;
}

/* The customer's order that was retired last. */
static uint64_t list_newest_retired(cellar *engine, uint64_t customer) {
    uint64_t lsn = 0;
    commit_enter();
    const struct store_customer *found = store_find_customer(engine->store, customer);
    if (found != NULL) {
        /* Acquire: pairs with the releases in closed.c. */
        lsn = ATOMIC_LOAD(&found->retired_lsn, acquire);
    }
    commit_leave();
    return lsn;
}

static cellar_status list_log(cellar *engine, uint64_t customer, uint64_t cursor,
                              struct order_page *page) {
    uint64_t previous = 0;
    uint64_t last = 0;
    uint32_t slot = 0;
    cellar_status status = CELLAR_OK;
    uint64_t lsn = cursor & ~LIST_RETIRED;
    if (lsn != 0) {
        status = list_read_retired(engine, customer, lsn, &previous, &slot, &last);
        lsn = previous;
    } else {
        lsn = list_newest_retired(engine, customer);
    }
    if (status == CELLAR_OK && lsn != 0) {
        status = follower_wait_file(engine, lsn);
    }
    while (status == CELLAR_OK && lsn != 0 && !page->full) {
        cellar_order *order = &page->orders[page->count];
        struct order_room room = list_room(page);
        status = list_read_retired(engine, customer, lsn, &previous, &slot, &last);
        if (status == CELLAR_OK) {
            status = order_past(engine, last, slot, order, &room);
        }
        if (status == CELLAR_OK) {
            order->cursor = LIST_RETIRED | lsn;
            order->retired_lsn = lsn;
            list_keep(page);
        } else if (status == CELLAR_INVALID_ARGUMENT) {
            status = CELLAR_CORRUPT;
        }
        lsn = previous;
    }
    return status;
}

/* ---- The call ---- */

static cellar_status order_list(cellar *engine, const cellar_order_query *query,
                                struct order_page *page) {
    uint64_t retired = query->cursor & LIST_RETIRED;
    cellar_status status = CELLAR_OK;
    if (retired == 0) {
        status = list_memory(engine, query, page);
    }
    if (status == CELLAR_OK && query->customer != 0 && !page->full) {
        status = list_log(engine, query->customer, retired == 0 ? 0 : query->cursor, page);
    }
    return status;
}

cellar_status cellar_order_list(cellar *store, const cellar_order_query *query,
                                cellar_order *page_out, size_t capacity, size_t *count_out,
                                cellar_order_line *lines_out, size_t lines_capacity) {
    if (query == NULL || page_out == NULL || count_out == NULL || capacity == 0 ||
        capacity > CELLAR_PAGE_MAX || (lines_out == NULL && lines_capacity != 0)) {
        return CELLAR_INVALID_ARGUMENT;
    }
    bool retired = (query->cursor & LIST_RETIRED) != 0;
    if (query->customer == 0 && (!store_state_is_order((uint32_t)query->state) || retired)) {
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
