/* Stock: receiving, adjusting, taking, counting, moving. A sale changes one cell. */
#include "store/plan.h"

#include "base/assert.h"
#include "base/probe.h"

#include <string.h>

/* The four cells of one stock, as far as a plan has read them. The sellable cell stands for all:
 * every commit on a stock writes it, so its version guards the others (rule 1). */
struct stock_view {
    uint32_t slot;
    struct cell_content sellable;
    int64_t safety;
    int64_t available;
};

static struct stock_view stock_view(struct plan *plan, uint32_t slot) {
    struct stock_view view = {.slot = slot};
    uint32_t safety_cell = store_stock_cell(slot, STORE_STOCK_SAFETY_CELL);
    struct cell_content safety = plan_read(plan, safety_cell);
    struct cell_content before;
    /* Both as of the instant at which the first is read: a refusal is not checked by any commit.
     * Another round means that the safety stock was changed meanwhile; sales do not disturb. */
    do {
        before = safety;
        PROBE("stock-cells", slot);
        view.sellable = plan_read(plan, store_stock_cell(slot, STORE_STOCK_SELLABLE));
        safety = plan_read(plan, safety_cell);
    } while (safety.version != before.version);
    view.safety = safety.value;
    view.available = store_stock_unblocked(view.sellable.value) + view.safety;
    return view;
}

/* Changes what is available by `delta`. Below zero is refused, above the range too. */
static enum plan_result stock_change_available(struct plan *plan, const struct stock_view *view,
                                               uint32_t line, int64_t delta) {
    int64_t available = view->available + delta;
    if (available < 0 && delta < 0) {
        plan->refusal.available = view->available > 0 ? view->available : 0;
        plan->refusal.needed = -delta;
        plan_short_of(plan, view->slot, view->sellable.version);
        return plan_refuse(plan, CELLAR_OUT_OF_STOCK, line);
    }
    if (available > CELLAR_AMOUNT_MAX) {
        return plan_refuse(plan, CELLAR_OVERFLOW, line);
    }
    plan->ticket.remaining = available;
    return plan_write(plan, store_stock_cell(view->slot, STORE_STOCK_SELLABLE), view->sellable,
                      view->sellable.value + delta)
               ? PLAN_COMMIT
               : PLAN_NO_MEMORY;
}

/* Changes another cell of the stock by `delta`, not below zero. */
static enum plan_result stock_change_other(struct plan *plan, uint32_t slot,
                                           enum store_stock_cell which, uint32_t line,
                                           int64_t delta) {
    uint32_t cell = store_stock_cell(slot, which);
    struct cell_content content = plan_read(plan, cell);
    int64_t value = content.value + delta;
    if (value < 0) {
        plan->refusal.available = content.value;
        plan->refusal.needed = -delta;
        return plan_refuse(plan, CELLAR_OUT_OF_STOCK, line);
    }
    if (value > CELLAR_AMOUNT_MAX) {
        return plan_refuse(plan, CELLAR_OVERFLOW, line);
    }
    return plan_write(plan, cell, content, value) ? PLAN_COMMIT : PLAN_NO_MEMORY;
}

/* The stock that a call of one line names. */
static enum plan_result stock_plan_one(struct plan *plan, const cellar_line *line,
                                       struct stock_view *view_out) {
    struct store *store = plan->store;
    struct store_product *product = store_find_product(store, line->sku, line->product);
    uint32_t slot = product == NULL ? 0 : plan_find_stock(plan, product, line->location);
    if (slot == 0) {
        return plan_refuse(plan, CELLAR_NOT_FOUND, 0);
    }
    *view_out = stock_view(plan, slot);
    return PLAN_COMMIT;
}

enum plan_result plan_stock_open(struct plan *plan, void *argument) {
    struct plan_stock_request *request = argument;
    struct store *store = plan->store;
    struct store_product *product = &store->products[request->line->product];
    /* The stock at location 0 stands for the product: a change of the product's status writes it,
     * as it does every open stock, and one of the two commits fails. Unlike the product's own cell
     * its version is nobody's to edit by. */
    uint32_t first_cell = store_stock_cell(product->stock, STORE_STOCK_SELLABLE);
    struct cell_content first = plan_read(plan, first_cell);
    uint32_t slot = store_ensure_stock(store, product, request->line->location);
    /* The call that needs it has found the product, and linked the place. */
    ASSERT(first.version != 0);
    ASSERT(slot != 0);
    uint32_t cell = store_stock_cell(slot, STORE_STOCK_SELLABLE);
    struct cell_content fresh = plan_read(plan, cell);
    if (fresh.version != 0) {
        return PLAN_REPEATED;
    }
    int64_t flags = store_stock_flags(first.value);
    struct payload_stock_open *payload = plan_append(plan, sizeof *payload);
    if (payload == NULL || !plan_write(plan, first_cell, first, first.value) ||
        !plan_write(plan, cell, fresh, -flags)) {
        return PLAN_NO_MEMORY;
    }
    *payload = (struct payload_stock_open){
        .product = product->slot, .stock = slot, .location = request->line->location};
    plan->kind = STORE_STOCK_OPEN;
    return PLAN_COMMIT;
}

enum plan_result plan_stock_take(struct plan *plan, void *argument) {
    const struct plan_stock_request *request = argument;
    struct stock_view view = {.slot = 0};
    enum plan_result result = stock_plan_one(plan, request->line, &view);
    if (result != PLAN_COMMIT) {
        return result;
    }
    if (store_stock_flags(view.sellable.value) != 0) {
        return plan_refuse(plan, CELLAR_NOT_SELLABLE, 0);
    }
    int64_t quantity = request->line->quantity;
    if (view.sellable.value < quantity) {
        plan->refusal.available = view.sellable.value > 0 ? view.sellable.value : 0;
        plan->refusal.needed = quantity;
        plan_short_of(plan, view.slot, view.sellable.version);
        return plan_refuse(plan, CELLAR_OUT_OF_STOCK, 0);
    }
    plan->kind = STORE_STOCK_TAKE;
    return stock_change_available(plan, &view, 0, -quantity);
}

/* Starts the payload of a document; its lines are to be filled in. */
static struct payload_document *stock_plan_document(struct plan *plan,
                                                    const struct plan_stock_request *request,
                                                    uint32_t line_count, uint16_t flags,
                                                    uint32_t slot) {
    size_t lines_bytes = content_lines_bytes(flags, line_count);
    struct payload_document *document =
        plan_append(plan, (uint32_t)(sizeof *document + lines_bytes + request->reference_bytes));
    if (document == NULL) {
        return NULL;
    }
    const cellar_stock_change *change = request->change;
    *document = (struct payload_document){.id = change->id,
                                          .fingerprint = request->fingerprint,
                                          .time_ns = plan->now_ns,
                                          .line_count = line_count,
                                          .slot = slot,
                                          .reason = change->reason,
                                          .type = (uint8_t)request->kind,
                                          .flags = flags,
                                          .reference_bytes = (uint8_t)request->reference_bytes};
    if (request->reference_bytes != 0) {
        memcpy((char *)(document + 1) + lines_bytes, change->reference, request->reference_bytes);
    }
    plan->kind = STORE_STOCK_CHANGE;
    return document;
}

static enum plan_result stock_plan_identity(struct plan *plan,
                                            const struct plan_stock_request *request,
                                            uint32_t *slot_out) {
    cellar_id id = request->change->id;
    *slot_out = 0;
    if (id.high == 0 && id.low == 0) {
        return PLAN_COMMIT;
    }
    return plan_document(plan, id, request->fingerprint, STORE_STATE_OTHER, slot_out);
}

/* What one merged line of a change does to its cells. */
static enum plan_result stock_plan_line(struct plan *plan, cellar_movement_kind kind,
                                        const struct plan_line *line) {
    struct stock_view view = stock_view(plan, line->stock);
    enum plan_result result = PLAN_COMMIT;
    switch (kind) {
    case CELLAR_MOVEMENT_TAKEN:
        plan->ticket.remaining = view.available - line->quantity;
        return plan_sell_line(plan, line);
    case CELLAR_MOVEMENT_SET_ASIDE:
        result = stock_change_available(plan, &view, line->line, -line->quantity);
        return result == PLAN_COMMIT ? stock_change_other(plan, line->stock, STORE_STOCK_UNSELLABLE,
                                                          line->line, line->quantity)
                                     : result;
    case CELLAR_MOVEMENT_ANNOUNCED:
        result = stock_change_available(plan, &view, line->line, 0);
        return result == PLAN_COMMIT ? stock_change_other(plan, line->stock, STORE_STOCK_INCOMING,
                                                          line->line, line->quantity)
                                     : result;
    default:
        return stock_change_available(plan, &view, line->line, line->quantity);
    }
}

/* What would be committed needs a location that is not there yet. */
static enum plan_result stock_plan_opening(const struct plan *plan, enum plan_result result) {
    return result == PLAN_COMMIT && plan->open_product != 0 ? PLAN_OPEN_STOCK : result;
}

enum plan_result plan_stock_change(struct plan *plan, void *argument) {
    struct plan_stock_request *request = argument;
    const cellar_stock_change *change = request->change;
    uint32_t slot;
    enum plan_result result = stock_plan_identity(plan, request, &slot);
    if (result != PLAN_COMMIT) {
        return result;
    }
    uint32_t line_count = (uint32_t)change->line_count;
    struct payload_document *document = stock_plan_document(
        plan, request, line_count, plan_lines_flags(change->lines, line_count), slot);
    if (document == NULL) {
        return PLAN_NO_MEMORY;
    }
    bool open =
        request->kind == CELLAR_MOVEMENT_RECEIVED || request->kind == CELLAR_MOVEMENT_ANNOUNCED;
    result = plan_lines(plan, change->lines, line_count, open, document);
    for (uint32_t i = 0; result == PLAN_COMMIT && i < plan->line_count; i++) {
        result = stock_plan_line(plan, request->kind, &plan->lines[i]);
    }
    if (line_count != 1) {
        plan->ticket.remaining = 0;
    }
    return stock_plan_opening(plan, result);
}

static enum plan_result stock_check_source(struct plan *plan, const struct plan_line *line) {
    struct stock_view view = stock_view(plan, line->stock);
    if (view.available + line->quantity >= 0) {
        return PLAN_COMMIT;
    }
    plan->refusal.available = view.available > 0 ? view.available : 0;
    plan->refusal.needed = -line->quantity;
    plan_short_of(plan, line->stock, view.sellable.version);
    return plan_refuse(plan, CELLAR_OUT_OF_STOCK, 0);
}

enum plan_result plan_stock_move(struct plan *plan, void *argument) {
    struct plan_stock_request *request = argument;
    uint32_t slot;
    enum plan_result result = stock_plan_identity(plan, request, &slot);
    if (result != PLAN_COMMIT) {
        return result;
    }
    struct payload_document *document =
        stock_plan_document(plan, request, 2, plan_lines_flags(request->line, 1), slot);
    if (document == NULL) {
        return PLAN_NO_MEMORY;
    }
    cellar_line lines[2] = {*request->line, *request->line};
    lines[0].quantity = -request->line->quantity;
    lines[1].location = request->to_location;
    /* The source is not opened by moving from it, nor the destination when there is too little. */
    result = plan_lines(plan, &lines[0], 1, false, document);
    if (result == PLAN_COMMIT) {
        result = stock_check_source(plan, &plan->lines[0]);
    }
    if (result == PLAN_COMMIT) {
        result = plan_lines(plan, lines, 2, true, document);
    }
    int64_t remaining = 0;
    for (uint32_t i = 0; result == PLAN_COMMIT && i < plan->line_count; i++) {
        result = stock_plan_line(plan, CELLAR_MOVEMENT_MOVED, &plan->lines[i]);
        if (plan->lines[i].line == 0) {
            remaining = plan->ticket.remaining;
        }
    }
    plan->ticket.remaining = remaining;
    if (result == PLAN_REFUSED && plan->refusal.line != CELLAR_NO_LINE) {
        /* The request has one line. */
        plan->refusal.line = 0;
    }
    return stock_plan_opening(plan, result);
}

/* A count or safety stock as a part of a transaction: its cells may be those of other parts, too,
 * so that it has to say itself what it does. `quantity` is the change that a count makes, or the
 * new safety stock. */
static enum plan_result stock_plan_level(struct plan *plan,
                                         const struct plan_stock_request *request, uint32_t stock,
                                         int64_t quantity) {
    if (!plan->composed) {
        return PLAN_COMMIT;
    }
    uint16_t flags = content_is_wide(quantity) ? PAYLOAD_WIDE : 0;
    struct payload_document *document = stock_plan_document(plan, request, 1, flags, 0);
    if (document == NULL) {
        return PLAN_NO_MEMORY;
    }
    content_put_line(document, 0, (struct content_line){.stock = stock, .quantity = quantity});
    return PLAN_COMMIT;
}

static enum plan_result stock_plan_expected(struct plan *plan, uint64_t expected,
                                            const struct stock_view *view) {
    if (expected != CELLAR_VERSION_ANY && expected != view->sellable.version) {
        plan->refusal.version = view->sellable.version;
        return plan_refuse(plan, CELLAR_VERSION_CHANGED, 0);
    }
    return PLAN_COMMIT;
}

enum plan_result plan_stock_count(struct plan *plan, void *argument) {
    const struct plan_stock_request *request = argument;
    struct stock_view view = {.slot = 0};
    enum plan_result result = stock_plan_one(plan, request->line, &view);
    if (result == PLAN_COMMIT) {
        result = stock_plan_expected(plan, request->expected, &view);
    }
    if (result != PLAN_COMMIT) {
        return result;
    }
    plan->kind = STORE_STOCK_COUNT;
    int64_t change = request->line->quantity - view.available;
    result = stock_change_available(plan, &view, 0, change);
    return result == PLAN_COMMIT ? stock_plan_level(plan, request, view.slot, change) : result;
}

enum plan_result plan_stock_safety(struct plan *plan, void *argument) {
    const struct plan_stock_request *request = argument;
    struct stock_view view = {.slot = 0};
    enum plan_result result = stock_plan_one(plan, request->line, &view);
    if (result == PLAN_COMMIT) {
        result = stock_plan_expected(plan, request->expected, &view);
    }
    if (result != PLAN_COMMIT) {
        return result;
    }
    /* What may be sold shrinks by as much as the safety stock grows; what is available stays. */
    int64_t growth = request->line->quantity - view.safety;
    uint32_t cell = store_stock_cell(view.slot, STORE_STOCK_SAFETY_CELL);
    if (!plan_write(plan, store_stock_cell(view.slot, STORE_STOCK_SELLABLE), view.sellable,
                    view.sellable.value - growth) ||
        !plan_write(plan, cell, plan_read(plan, cell), request->line->quantity)) {
        return PLAN_NO_MEMORY;
    }
    plan->kind = STORE_STOCK_SAFETY;
    plan->ticket.remaining = view.available;
    return stock_plan_level(plan, request, view.slot, request->line->quantity);
}

bool plan_check_stock_change(struct plan *plan, void *argument) {
    struct plan_stock_request *request = argument;
    const cellar_stock_change *change = request->change;
    bool any_sign =
        request->kind != CELLAR_MOVEMENT_RECEIVED && request->kind != CELLAR_MOVEMENT_TAKEN;
    if (!plan_check_lines(plan, change->lines, change->line_count, any_sign, false)) {
        return false;
    }
    plan_fetch_lines(plan, change->lines, change->line_count);
    request->reference_bytes = plan_text_bytes(change->reference, CELLAR_REFERENCE_BYTES_MAX);
    if (request->reference_bytes == SIZE_MAX) {
        plan_invalid(plan, "reference: at most 64 bytes", CELLAR_NO_LINE);
        return false;
    }
    const uint64_t numbers[3] = {request->kind, change->reason, request->to_location};
    uint64_t hash = hash_seeded(0, numbers, sizeof numbers);
    hash = plan_hash_text(hash, change->reference);
    request->fingerprint = plan_hash_lines(hash, change->lines, change->line_count, false);
    return true;
}

bool plan_check_stock_move(struct plan *plan, void *argument) {
    struct plan_stock_request *request = argument;
    const cellar_line *line = request->line;
    request->own = (cellar_stock_change){.id = request->id, .lines = line, .line_count = 1};
    request->change = &request->own;
    if (!plan_check_stock_change(plan, request)) {
        return false;
    }
    if (line->quantity < 0 || line->location == request->to_location) {
        plan_invalid(plan, "quantity above 0, from one location to another", 0);
        return false;
    }
    return true;
}

bool plan_check_stock_level(struct plan *plan, void *argument) {
    struct plan_stock_request *request = argument;
    cellar_line checked = *request->line;
    /* Zero is allowed when the quantity is a level, not a change; below zero it is a limit for
     * back-orders. */
    checked.quantity += request->kind != CELLAR_MOVEMENT_TAKEN && checked.quantity == 0;
    if (!plan_check_lines(plan, &checked, 1, request->kind == CELLAR_MOVEMENT_SAFETY, false)) {
        return false;
    }
    if (request->kind != CELLAR_MOVEMENT_TAKEN) {
        request->own = (cellar_stock_change){.lines = request->line, .line_count = 1};
        request->change = &request->own;
        const uint64_t numbers[2] = {request->kind, request->expected};
        request->fingerprint =
            plan_hash_lines(hash_seeded(10, numbers, sizeof numbers), request->line, 1, false);
    }
    return true;
}
