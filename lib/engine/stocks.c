/* Stock, as cellar.h has it. */
#include "engine/engine.h"

#include "base/assert.h"
#include "base/probe.h"

#include <string.h>

/* Reads of several cells at one instant are tried so often before they are taken as of a snapshot,
 * which may be a moment old. */
#define STOCK_LOOKS_MAX 8

/* ---- Changing ---- */

static cellar_status stock_change(cellar *store, const cellar_call *call,
                                  cellar_operation_kind kind, const cellar_stock_change *change,
                                  cellar_ticket *ticket_out, cellar_refusal *refusal_out) {
    if (change == NULL) {
        return engine_invalid(refusal_out, "change is required");
    }
    const cellar_operation operation = {.kind = kind, .stock = change};
    return engine_operate(store, call, &operation, ticket_out, refusal_out);
}

cellar_status cellar_stock_receive(cellar *store, const cellar_call *call,
                                   const cellar_stock_change *change, cellar_ticket *ticket_out,
                                   cellar_refusal *refusal_out) {
    return stock_change(store, call, CELLAR_OPERATION_STOCK_RECEIVE, change, ticket_out,
                        refusal_out);
}

cellar_status cellar_stock_adjust(cellar *store, const cellar_call *call,
                                  const cellar_stock_change *change, cellar_ticket *ticket_out,
                                  cellar_refusal *refusal_out) {
    return stock_change(store, call, CELLAR_OPERATION_STOCK_ADJUST, change, ticket_out,
                        refusal_out);
}

cellar_status cellar_stock_set_aside(cellar *store, const cellar_call *call,
                                     const cellar_stock_change *change, cellar_ticket *ticket_out,
                                     cellar_refusal *refusal_out) {
    return stock_change(store, call, CELLAR_OPERATION_STOCK_SET_ASIDE, change, ticket_out,
                        refusal_out);
}

cellar_status cellar_stock_announce(cellar *store, const cellar_call *call,
                                    const cellar_stock_change *change, cellar_ticket *ticket_out,
                                    cellar_refusal *refusal_out) {
    return stock_change(store, call, CELLAR_OPERATION_STOCK_ANNOUNCE, change, ticket_out,
                        refusal_out);
}

static cellar_status stock_level(cellar *store, const cellar_call *call, cellar_operation_kind kind,
                                 const cellar_stock_level *level, cellar_ticket *ticket_out,
                                 cellar_refusal *refusal_out) {
    if (level->line == NULL) {
        return engine_invalid(refusal_out, "line is required");
    }
    const cellar_operation operation = {.kind = kind, .level = level};
    return engine_operate(store, call, &operation, ticket_out, refusal_out);
}

/* No operation: the one cell says it all, and the record has no document. */
cellar_status cellar_stock_take(cellar *store, const cellar_call *call, const cellar_line *line,
                                cellar_ticket *ticket_out, cellar_refusal *refusal_out) {
    if (line == NULL) {
        return engine_invalid(refusal_out, "line is required");
    }
    struct plan_stock_request request = {.kind = CELLAR_MOVEMENT_TAKEN, .line = line};
    const struct engine_change change = {
        .check = plan_check_stock_level, .function = plan_stock_take, .request = &request};
    return engine_change(store, call, &change, ticket_out, refusal_out);
}

cellar_status cellar_stock_count(cellar *store, const cellar_call *call, const cellar_line *line,
                                 uint64_t expected, cellar_ticket *ticket_out,
                                 cellar_refusal *refusal_out) {
    const cellar_stock_level level = {.line = line, .expected = expected};
    return stock_level(store, call, CELLAR_OPERATION_STOCK_COUNT, &level, ticket_out, refusal_out);
}

cellar_status cellar_stock_set_safety(cellar *store, const cellar_call *call,
                                      const cellar_line *line, uint64_t expected,
                                      cellar_ticket *ticket_out, cellar_refusal *refusal_out) {
    const cellar_stock_level level = {.line = line, .expected = expected};
    return stock_level(store, call, CELLAR_OPERATION_STOCK_SET_SAFETY, &level, ticket_out,
                       refusal_out);
}

cellar_status cellar_stock_move(cellar *store, const cellar_call *call, cellar_id id,
                                const cellar_line *line, uint32_t to_location,
                                cellar_ticket *ticket_out, cellar_refusal *refusal_out) {
    const cellar_stock_level level = {.id = id, .line = line, .to_location = to_location};
    return stock_level(store, call, CELLAR_OPERATION_STOCK_MOVE, &level, ticket_out, refusal_out);
}

/* ---- Reading ---- */

/* Inside a section: slot of a line, 0 when there is none. */
static uint32_t stock_find(struct store *store, const cellar_line *line) {
    struct store_product *product = store_find_product(store, line->sku, line->product);
    return product == NULL ? 0 : store_find_stock(store, product, line->location);
}

/* The cells' contents at one instant: that at which the first is read, between two equal looks at
 * the others, since versions never return. So sales, which change the first only, do not disturb.
 * False when the others kept changing. */
static bool stock_look(const struct commit *commit, const uint32_t *cells, size_t count,
                       struct cell_content *out) {
    for (int look = 0; look < STOCK_LOOKS_MAX; look++) {
        bool equal = look > 0;
        for (size_t i = 1; i < count; i++) {
            struct cell_content content = commit_read(commit, cells[i]);
            equal = equal && content.version == out[i].version;
            out[i] = content;
        }
        if (equal) {
            return true;
        }
        PROBE("stock-look", cells[0]);
        out[0] = commit_read(commit, cells[0]);
    }
    return false;
}

/* Inside a section. */
static cellar_stock stock_read(const cellar *engine, uint32_t slot) {
    const struct commit *commit = engine->commit;
    uint32_t cells[STORE_STOCK_CELLS];
    struct cell_content contents[STORE_STOCK_CELLS] = {{0, 0}};
    for (uint32_t i = 0; i < STORE_STOCK_CELLS; i++) {
        cells[i] = store_stock_cell(slot, (enum store_stock_cell)i);
    }
    if (!stock_look(commit, cells, STORE_STOCK_CELLS, contents)) {
        uint64_t snapshot = commit_snapshot(commit);
        for (uint32_t i = 0; i < STORE_STOCK_CELLS; i++) {
            contents[i] = commit_read_at(commit, cells[i], snapshot);
        }
    }
    cellar_stock stock = {.safety = contents[STORE_STOCK_SAFETY_CELL].value,
                          .unsellable = contents[STORE_STOCK_UNSELLABLE].value,
                          .incoming = contents[STORE_STOCK_INCOMING].value,
                          .reserved = ATOMIC_LOAD(&engine->store->stocks[slot].reserved, relaxed),
                          .version = contents[STORE_STOCK_SELLABLE].version};
    stock.available = store_stock_unblocked(contents[STORE_STOCK_SELLABLE].value) + stock.safety;
    stock.on_hand = stock.available + stock.reserved + stock.unsellable;
    return stock;
}

cellar_status cellar_stock_get(cellar *store, const cellar_line *line, cellar_stock *stock_out) {
    if (line == NULL || stock_out == NULL || (line->sku == NULL && line->product == 0)) {
        return CELLAR_INVALID_ARGUMENT;
    }
    struct engine_call guard;
    cellar_status status = engine_enter(&guard, store);
    if (status != CELLAR_OK) {
        return status;
    }
    commit_enter();
    uint32_t slot = stock_find(store->store, line);
    if (slot == 0) {
        status = CELLAR_NOT_FOUND;
    } else {
        *stock_out = stock_read(store, slot);
    }
    commit_leave();
    engine_leave(&guard);
    return status;
}

/* ---- All places of a product ---- */

struct stock_place {
    uint32_t location;
    uint32_t slot;
};

/* Puts the place among the lowest `capacity` locations, in their order. */
static void stock_insert(struct stock_place *places, size_t capacity, size_t *count,
                         struct stock_place place) {
    size_t at = *count;
    while (at > 0 && places[at - 1].location > place.location) {
        at--;
    }
    if (at == capacity) {
        return;
    }
    *count += *count < capacity;
    memmove(&places[at + 1], &places[at], (*count - at - 1) * sizeof *places);
    places[at] = place;
}

/* Inside a section. Two threads that opened a place at once have left an entry that was never
 * opened, and stays so. */
static cellar_status stock_page(const cellar *engine, const cellar_line *line,
                                cellar_stock_place *page, size_t capacity, size_t *count_out) {
    struct store *store = engine->store;
    struct stock_place places[CELLAR_PAGE_MAX];
    size_t count = 0;
    const struct store_product *product = store_find_product(store, line->sku, line->product);
    if (product == NULL || store_find_stock(store, product, 0) == 0) {
        return CELLAR_NOT_FOUND;
    }
    uint32_t slot = product->stock;
    for (; slot != 0; slot = store_next_stock(store, product, slot)) {
        uint32_t location = store->stocks[slot].location;
        uint32_t cell = store_stock_cell(slot, STORE_STOCK_SELLABLE);
        if (location >= line->location && commit_read(store->commit, cell).version != 0) {
            stock_insert(places, capacity, &count, (struct stock_place){location, slot});
        }
    }
    for (size_t i = 0; i < count; i++) {
        page[i] = (cellar_stock_place){places[i].location, stock_read(engine, places[i].slot)};
    }
    *count_out = count;
    return CELLAR_OK;
}

cellar_status cellar_stock_list(cellar *store, const cellar_line *line,
                                cellar_stock_place *page_out, size_t capacity, size_t *count_out) {
    if (line == NULL || page_out == NULL || count_out == NULL || capacity == 0 ||
        capacity > CELLAR_PAGE_MAX || (line->sku == NULL && line->product == 0)) {
        return CELLAR_INVALID_ARGUMENT;
    }
    struct engine_call guard;
    cellar_status status = engine_enter(&guard, store);
    if (status != CELLAR_OK) {
        return status;
    }
    *count_out = 0;
    commit_enter();
    status = stock_page(store, line, page_out, capacity, count_out);
    commit_leave();
    engine_leave(&guard);
    return status;
}

/* ---- Many at one instant ---- */

/* Inside a section: available of each line as of the commits decided now. */
static cellar_status stock_snapshot(cellar *engine, const cellar_line *lines, size_t line_count,
                                    int64_t *available_out, uint64_t *lsn_out, uint32_t *line_out) {
    const struct commit *commit = engine->commit;
    uint64_t snapshot = commit_snapshot(commit);
    for (size_t i = 0; i < line_count; i++) {
        uint32_t slot = stock_find(engine->store, &lines[i]);
        if (slot == 0) {
            *line_out = (uint32_t)i;
            return CELLAR_NOT_FOUND;
        }
        int64_t sellable =
            commit_read_at(commit, store_stock_cell(slot, STORE_STOCK_SELLABLE), snapshot).value;
        int64_t safety =
            commit_read_at(commit, store_stock_cell(slot, STORE_STOCK_SAFETY_CELL), snapshot).value;
        available_out[i] = store_stock_unblocked(sellable) + safety;
    }
    *lsn_out = snapshot;
    return CELLAR_OK;
}

cellar_status cellar_stock_snapshot(cellar *store, const cellar_line *lines, size_t line_count,
                                    int64_t *available_out, uint64_t *lsn_out,
                                    cellar_refusal *refusal_out) {
    if (lines == NULL || available_out == NULL || line_count == 0 ||
        line_count > CELLAR_LINES_MAX) {
        return engine_invalid(refusal_out, "line_count: 1 to 4096 lines");
    }
    for (size_t i = 0; i < line_count; i++) {
        if (lines[i].sku == NULL && lines[i].product == 0) {
            return engine_invalid(refusal_out, "sku or product is required");
        }
    }
    struct engine_call guard;
    cellar_status status = engine_enter(&guard, store);
    if (status != CELLAR_OK) {
        return status;
    }
    uint64_t lsn = 0;
    uint32_t line = CELLAR_NO_LINE;
    commit_enter();
    status = stock_snapshot(store, lines, line_count, available_out, &lsn, &line);
    commit_leave();
    if (lsn_out != NULL) {
        *lsn_out = lsn;
    }
    if (refusal_out != NULL) {
        *refusal_out = (cellar_refusal){.status = status, .line = line};
    }
    engine_leave(&guard);
    return status;
}
