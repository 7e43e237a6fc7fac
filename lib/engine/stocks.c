/* Stock, as cellar.h has it. */
#include "engine/engine.h"

#include "base/assert.h"

/* Reads of several cells at one instant are tried so often before they are taken as of a snapshot,
 * which may be a moment old. */
#define STOCK_LOOKS_MAX 8

/* ---- Changing ---- */

static cellar_status stock_transact(cellar *engine, const cellar_call *call, struct plan *plan,
                                    bool valid, plan_function *function,
                                    struct plan_stock_request *request, cellar_ticket *ticket_out,
                                    cellar_refusal *refusal_out) {
    if (!valid) {
        return engine_refused(plan, refusal_out);
    }
    return engine_transact(engine, call, plan, function, request, ticket_out, refusal_out);
}

static cellar_status stock_change(cellar *store, const cellar_call *call, cellar_movement_kind kind,
                                  const cellar_stock_change *change, cellar_ticket *ticket_out,
                                  cellar_refusal *refusal_out) {
    if (change == NULL) {
        return engine_invalid(refusal_out, "change is required");
    }
    struct engine_call guard;
    cellar_status status = engine_enter(&guard, store);
    if (status != CELLAR_OK) {
        return status;
    }
    struct plan plan;
    plan_create(&plan, store->store);
    struct plan_stock_request request = {.kind = kind, .change = change};
    bool valid = plan_check_stock_change(&plan, &request);
    status = stock_transact(store, call, &plan, valid, plan_stock_change, &request, ticket_out,
                            refusal_out);
    plan_destroy(&plan);
    engine_leave(&guard);
    return status;
}

cellar_status cellar_stock_receive(cellar *store, const cellar_call *call,
                                   const cellar_stock_change *change, cellar_ticket *ticket_out,
                                   cellar_refusal *refusal_out) {
    return stock_change(store, call, CELLAR_MOVEMENT_RECEIVED, change, ticket_out, refusal_out);
}

cellar_status cellar_stock_adjust(cellar *store, const cellar_call *call,
                                  const cellar_stock_change *change, cellar_ticket *ticket_out,
                                  cellar_refusal *refusal_out) {
    return stock_change(store, call, CELLAR_MOVEMENT_ADJUSTED, change, ticket_out, refusal_out);
}

cellar_status cellar_stock_set_aside(cellar *store, const cellar_call *call,
                                     const cellar_stock_change *change, cellar_ticket *ticket_out,
                                     cellar_refusal *refusal_out) {
    return stock_change(store, call, CELLAR_MOVEMENT_SET_ASIDE, change, ticket_out, refusal_out);
}

cellar_status cellar_stock_announce(cellar *store, const cellar_call *call,
                                    const cellar_stock_change *change, cellar_ticket *ticket_out,
                                    cellar_refusal *refusal_out) {
    return stock_change(store, call, CELLAR_MOVEMENT_ANNOUNCED, change, ticket_out, refusal_out);
}

/* The calls of one line that have no document. Zero is allowed when the quantity is a level, not a
 * change; below zero it is a limit for back-orders. */
enum stock_sign {
    STOCK_ABOVE_ZERO,
    STOCK_FROM_ZERO,
    STOCK_ANY
};

static cellar_status stock_single(cellar *store, const cellar_call *call, plan_function *function,
                                  const cellar_line *line, uint64_t expected, enum stock_sign sign,
                                  cellar_ticket *ticket_out, cellar_refusal *refusal_out) {
    if (line == NULL) {
        return engine_invalid(refusal_out, "line is required");
    }
    struct engine_call guard;
    cellar_status status = engine_enter(&guard, store);
    if (status != CELLAR_OK) {
        return status;
    }
    struct plan plan;
    plan_create(&plan, store->store);
    struct plan_stock_request request = {.line = line, .expected = expected};
    cellar_line checked = *line;
    checked.quantity += sign != STOCK_ABOVE_ZERO && line->quantity == 0;
    bool valid = plan_check_lines(&plan, &checked, 1, sign == STOCK_ANY, false);
    status = stock_transact(store, call, &plan, valid, function, &request, ticket_out, refusal_out);
    plan_destroy(&plan);
    engine_leave(&guard);
    return status;
}

cellar_status cellar_stock_take(cellar *store, const cellar_call *call, const cellar_line *line,
                                cellar_ticket *ticket_out, cellar_refusal *refusal_out) {
    return stock_single(store, call, plan_stock_take, line, 0, STOCK_ABOVE_ZERO, ticket_out,
                        refusal_out);
}

cellar_status cellar_stock_count(cellar *store, const cellar_call *call, const cellar_line *line,
                                 uint64_t expected, cellar_ticket *ticket_out,
                                 cellar_refusal *refusal_out) {
    return stock_single(store, call, plan_stock_count, line, expected, STOCK_FROM_ZERO, ticket_out,
                        refusal_out);
}

cellar_status cellar_stock_set_safety(cellar *store, const cellar_call *call,
                                      const cellar_line *line, uint64_t expected,
                                      cellar_ticket *ticket_out, cellar_refusal *refusal_out) {
    return stock_single(store, call, plan_stock_safety, line, expected, STOCK_ANY, ticket_out,
                        refusal_out);
}

cellar_status cellar_stock_move(cellar *store, const cellar_call *call, cellar_id id,
                                const cellar_line *line, uint32_t to_location,
                                cellar_ticket *ticket_out, cellar_refusal *refusal_out) {
    if (line == NULL) {
        return engine_invalid(refusal_out, "line is required");
    }
    struct engine_call guard;
    cellar_status status = engine_enter(&guard, store);
    if (status != CELLAR_OK) {
        return status;
    }
    struct plan plan;
    plan_create(&plan, store->store);
    const cellar_stock_change change = {.id = id, .lines = line, .line_count = 1};
    struct plan_stock_request request = {
        .kind = CELLAR_MOVEMENT_MOVED, .change = &change, .line = line, .to_location = to_location};
    bool valid = plan_check_stock_change(&plan, &request);
    if (valid && (line->quantity < 0 || line->location == to_location)) {
        plan_invalid(&plan, "quantity above 0, from one location to another", 0);
        valid = false;
    }
    status = stock_transact(store, call, &plan, valid, plan_stock_move, &request, ticket_out,
                            refusal_out);
    plan_destroy(&plan);
    engine_leave(&guard);
    return status;
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
        out[0] = commit_read(commit, cells[0]);
    }
    return false;
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
    const struct commit *commit = store->commit;
    uint32_t slot = stock_find(store->store, line);
    if (slot == 0) {
        status = CELLAR_NOT_FOUND;
    } else {
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
        struct store_stock *stock = &store->store->stocks[slot];
        *stock_out = (cellar_stock){.safety = contents[STORE_STOCK_SAFETY_CELL].value,
                                    .unsellable = contents[STORE_STOCK_UNSELLABLE].value,
                                    .incoming = contents[STORE_STOCK_INCOMING].value,
                                    .reserved = ATOMIC_LOAD(&stock->reserved, relaxed),
                                    .version = contents[STORE_STOCK_SELLABLE].version};
        stock_out->available =
            store_stock_unblocked(contents[STORE_STOCK_SELLABLE].value) + stock_out->safety;
        stock_out->on_hand = stock_out->available + stock_out->reserved + stock_out->unsellable;
    }
    commit_leave();
    engine_leave(&guard);
    return status;
}

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
