/* Orders: placing, and returns without an order. */
#include "store/plan_coupon.h"

#include "base/assert.h"

#include <string.h>

/* ---- Checking a request ---- */

static bool order_add_total(int64_t *total, const cellar_line *line) {
    int64_t value;
    return !__builtin_mul_overflow(line->quantity, line->unit_price, &value) &&
           !__builtin_add_overflow(*total, value, total);
}

static cellar_order_state order_placed_state(const cellar_order_request *order) {
    return order->state == 0 ? CELLAR_ORDER_PLACED : order->state;
}

/* Deadline and locations. */
static bool order_check_places(struct plan *plan, const cellar_order_request *order,
                               bool is_return) {
    bool held = order->hold_until_ns != 0;
    if (held && (is_return || order->state > CELLAR_ORDER_PLACED || order->hold_until_ns < 0)) {
        plan_invalid(plan, "hold_until_ns: a time, of an order that is placed only",
                     CELLAR_NO_LINE);
        return false;
    }
    if (order->location_count > CELLAR_LOCATIONS_MAX ||
        (order->location_count != 0 && (order->locations == NULL || is_return))) {
        plan_invalid(plan, "location_count: up to 16 locations, and not of a return",
                     CELLAR_NO_LINE);
        return false;
    }
    for (size_t i = 0; order->location_count != 0 && i < order->line_count; i++) {
        if (order->lines[i].location != 0) {
            plan_invalid(plan, "location: of a line, or locations of the order", (uint32_t)i);
            return false;
        }
    }
    return true;
}

static bool order_check_accounts(struct plan *plan, const cellar_order_request *order,
                                 bool is_return) {
    bool moves = is_return || order->state >= CELLAR_ORDER_PAID;
    const char *wrong = NULL;
    if (order->account != 0 && !moves) {
        wrong = "account: only with state paid or fulfilled";
    } else if (order->payee != 0 && order->account == 0 && moves) {
        wrong = "payee: only with an account that pays";
    } else if (order->payee != 0 && order->payee == order->account) {
        wrong = "payee: another account than the one that pays";
    }
    if (wrong != NULL) {
        plan_invalid(plan, wrong, CELLAR_NO_LINE);
    }
    return wrong == NULL;
}

bool plan_check_order(struct plan *plan, void *argument) {
    struct plan_order_request *request = argument;
    const cellar_order_request *order = request->order;
    bool is_return = request->is_return;
    if (!request->quote && order->id.high == 0 && order->id.low == 0) {
        plan_invalid(plan, "id is required", CELLAR_NO_LINE);
        return false;
    }
    plan_fetch_document(plan, order->id);
    plan_fetch_account(plan, order->account);
    if (!plan_check_lines(plan, order->lines, order->line_count, false, true)) {
        return false;
    }
    plan_fetch_lines(plan, order->lines, order->line_count);
    cellar_order_state last = is_return ? 0 : CELLAR_ORDER_FULFILLED;
    if (order->state < 0 || order->state > last) {
        plan_invalid(plan, "state: placed, paid or fulfilled; of a return 0", CELLAR_NO_LINE);
        return false;
    }
    if (!order_check_places(plan, order, is_return) ||
        !plan_check_order_coupon(plan, order, is_return)) {
        return false;
    }
    if (!order_check_accounts(plan, order, is_return)) {
        return false;
    }
    request->reference_bytes = plan_text_bytes(order->reference, CELLAR_REFERENCE_BYTES_MAX);
    if (request->reference_bytes == SIZE_MAX) {
        plan_invalid(plan, "reference: at most 64 bytes", CELLAR_NO_LINE);
        return false;
    }
    request->total = 0;
    for (size_t i = 0; i < order->line_count; i++) {
        if (!order_add_total(&request->total, &order->lines[i]) ||
            request->total > CELLAR_AMOUNT_MAX || request->total < -CELLAR_AMOUNT_MAX) {
            plan_refuse(plan, CELLAR_OVERFLOW, (uint32_t)i);
            return false;
        }
    }
    const uint64_t numbers[8] = {order->customer,
                                 order_placed_state(order),
                                 order->account,
                                 (uint64_t)order->business_time_ns,
                                 request->damaged,
                                 is_return,
                                 (uint64_t)order->hold_until_ns,
                                 order->split && order->location_count != 0};
    uint64_t hash = hash_seeded(1, numbers, sizeof numbers);
    if (plan_order_has_coupon(order)) {
        hash = hash_seeded(hash, &order->coupon_campaign, sizeof order->coupon_campaign);
        hash = plan_hash_text(hash, order->code);
    }
    if (order->payee != 0) {
        hash = hash_seeded(hash, &order->payee, sizeof order->payee);
    }
    if (order->location_count != 0) {
        hash = hash_seeded(hash, order->locations, order->location_count * sizeof(uint32_t));
    }
    hash = plan_hash_text(hash, order->reference);
    request->fingerprint = plan_hash_lines(hash, order->lines, order->line_count, true);
    plan_fetch_objects(plan);
    return true;
}

/* ---- Placing ---- */

enum plan_result plan_sell_line(struct plan *plan, const struct plan_line *line) {
    uint32_t cell = store_stock_cell(line->stock, STORE_STOCK_SELLABLE);
    struct cell_content content = plan_read(plan, cell);
    if (store_stock_blocked(content.value)) {
        return plan_refuse(plan, CELLAR_NOT_SELLABLE, line->line);
    }
    if (store_stock_flags(content.value) == STORE_STOCK_KIT && line->quantity != 0) {
        /* It became one after it was looked up. */
        plan->wait_lsn = 0;
        return PLAN_WAIT;
    }
    if (line->quantity == 0) {
        /* The cell of a kit stands for its components (rule 1). */
        return plan_write(plan, cell, content, content.value) ? PLAN_COMMIT : PLAN_NO_MEMORY;
    }
    if (content.value < line->quantity) {
        plan->refusal.available = content.value > 0 ? content.value : 0;
        plan->refusal.needed = line->quantity;
        plan_short_of(plan, line->stock, content.version);
        return plan_refuse(plan, CELLAR_OUT_OF_STOCK, line->line);
    }
    return plan_write(plan, cell, content, content.value - line->quantity) ? PLAN_COMMIT
                                                                           : PLAN_NO_MEMORY;
}

/* Units that leave in the same commit must be here, whatever may be sold before it is. */
static enum plan_result order_check_here(struct plan *plan, const struct plan_line *line) {
    uint32_t safety_cell = store_stock_cell(line->stock, STORE_STOCK_SAFETY_CELL);
    struct cell_content safety = plan_read(plan, safety_cell);
    struct cell_content before;
    struct cell_content sellable;
    /* Both as of one instant: a refusal is not checked by any commit. Another round means that the
     * safety stock was changed meanwhile. */
    do {
        before = safety;
        sellable = plan_read(plan, store_stock_cell(line->stock, STORE_STOCK_SELLABLE));
        safety = plan_read(plan, safety_cell);
    } while (safety.version != before.version);
    int64_t available = sellable.value + safety.value;
    if (safety.value >= 0 || available >= line->quantity || sellable.value < line->quantity) {
        return PLAN_COMMIT;
    }
    plan->refusal.available = available > 0 ? available : 0;
    plan->refusal.needed = line->quantity;
    plan_short_of(plan, line->stock, sellable.version);
    return plan_refuse(plan, CELLAR_OUT_OF_STOCK, line->line);
}

enum plan_result plan_restock_line(struct plan *plan, const struct plan_line *line, bool damaged) {
    uint32_t cell = store_stock_cell(line->stock, STORE_STOCK_SELLABLE);
    struct cell_content content = plan_read(plan, cell);
    int64_t safety = plan_read(plan, store_stock_cell(line->stock, STORE_STOCK_SAFETY_CELL)).value;
    int64_t added = damaged ? 0 : line->quantity;
    if (store_stock_unblocked(content.value) + safety + added > CELLAR_AMOUNT_MAX) {
        return plan_refuse(plan, CELLAR_OVERFLOW, line->line);
    }
    if (!plan_write(plan, cell, content, content.value + added)) {
        return PLAN_NO_MEMORY;
    }
    if (!damaged) {
        return PLAN_COMMIT;
    }
    cell = store_stock_cell(line->stock, STORE_STOCK_UNSELLABLE);
    content = plan_read(plan, cell);
    if (content.value + line->quantity > CELLAR_AMOUNT_MAX) {
        return plan_refuse(plan, CELLAR_OVERFLOW, line->line);
    }
    return plan_write(plan, cell, content, content.value + line->quantity) ? PLAN_COMMIT
                                                                           : PLAN_NO_MEMORY;
}

/* Starts the payload, with room for the lines. */
static enum plan_result order_plan_payload(struct plan *plan,
                                           const struct plan_order_request *request, uint8_t type,
                                           uint32_t slot) {
    const cellar_order_request *order = request->order;
    uint32_t line_count = (uint32_t)order->line_count;
    uint16_t flags = plan_lines_flags(order->lines, line_count);
    struct payload_document *document =
        plan_append(plan, (uint32_t)(sizeof *document + content_lines_bytes(flags, line_count)));
    if (document == NULL) {
        return PLAN_NO_MEMORY;
    }
    *document = (struct payload_document){.id = order->id,
                                          .fingerprint = request->fingerprint,
                                          .customer = order->customer,
                                          .total = request->total,
                                          .time_ns = plan->now_ns,
                                          .line_count = line_count,
                                          .slot = slot,
                                          .type = type,
                                          .flags = flags,
                                          .reference_bytes = (uint8_t)request->reference_bytes};
    return PLAN_COMMIT;
}

/* Who pays whom, and when, in the payload that began at `start`. */
static enum plan_result order_plan_sides(struct plan *plan, const cellar_order_request *order,
                                         uint32_t start) {
    enum plan_result result = plan_number(plan, start, PAYLOAD_PAYEE, order->payee);
    if (result == PLAN_COMMIT) {
        result = plan_number(plan, start, PAYLOAD_ACCOUNT, order->account);
    }
    if (result == PLAN_COMMIT) {
        result = plan_number(plan, start, PAYLOAD_BUSINESS_TIME, (uint64_t)order->business_time_ns);
    }
    return result;
}

/* Ends the payload. */
static enum plan_result order_plan_reference(struct plan *plan,
                                             const struct plan_order_request *request) {
    if (request->reference_bytes == 0) {
        return PLAN_COMMIT;
    }
    char *reference = plan_append(plan, (uint32_t)request->reference_bytes);
    if (reference == NULL) {
        return PLAN_NO_MEMORY;
    }
    memcpy(reference, request->order->reference, request->reference_bytes);
    return PLAN_COMMIT;
}

enum plan_result plan_order_account(struct plan *plan, uint64_t account, uint64_t payee,
                                    int64_t debit) {
    if (account == 0) {
        return PLAN_COMMIT;
    }
    struct plan_payment payment = {.from = account,
                                   .to = payee,
                                   .amount = debit,
                                   .from_line = CELLAR_NO_LINE,
                                   .to_line = CELLAR_NO_LINE};
    return plan_account_payment(plan, &payment);
}

/* Money that moves at once; who is paid later must be there now, or nobody could ever pay. */
static enum plan_result order_plan_money(struct plan *plan, const cellar_order_request *order,
                                         cellar_order_state state, int64_t total) {
    if (state != CELLAR_ORDER_PLACED) {
        return plan_order_account(plan, order->account, order->payee, total);
    }
    return order->payee == 0 ? PLAN_COMMIT
                             : plan_account_exists(plan, order->payee, CELLAR_NO_LINE);
}

/* A new customer takes up a place for good. As far as the log was followed: those that it does not
 * tell yet are allowed for. */
static enum plan_result order_check_customer(struct plan *plan, uint64_t customer) {
    bool refused = customer != 0 && ATOMIC_LOAD(&plan->store->customers_full, relaxed) &&
                   store_find_customer(plan->store, customer) == NULL;
    return refused ? plan_refuse(plan, CELLAR_STORE_FULL, CELLAR_NO_LINE) : PLAN_COMMIT;
}

/* What the plan is going to read of memory is on its way while the document is linked. */
static void order_look_ahead(struct plan *plan, const cellar_order_request *order) {
    plan_fetch_document(plan, order->id);
    plan_find_products(plan, order->lines, order->line_count);
    if (order->account != 0) {
        (void)plan_find_account(plan, order->account);
    }
}

enum plan_result plan_order_place(struct plan *plan, void *argument) {
    const struct plan_order_request *request = argument;
    const cellar_order_request *order = request->order;
    cellar_order_state state = order_placed_state(order);
    bool quote = order->id.high == 0 && order->id.low == 0;
    order_look_ahead(plan, order);
    uint32_t slot = 0;
    uint32_t start = plan->payload_bytes;
    int64_t until_ms = order->hold_until_ns / NANOSECONDS_PER_MILLISECOND;
    enum plan_result result = PLAN_COMMIT;
    if (!quote) {
        result = plan_document(plan, order->id, request->fingerprint,
                               store_document_value((uint32_t)state, until_ms), &slot);
    }
    if (result == PLAN_COMMIT && order->hold_until_ns != 0 &&
        until_ms <= plan->now_ns / NANOSECONDS_PER_MILLISECOND) {
        return plan_refuse(plan, CELLAR_HOLD_EXPIRED, CELLAR_NO_LINE);
    }
    if (result == PLAN_COMMIT) {
        result = order_check_customer(plan, order->customer);
    }
    if (result == PLAN_COMMIT) {
        result = order_plan_payload(plan, request, (uint8_t)state, slot);
    }
    if (result == PLAN_COMMIT) {
        result = plan_allocate(plan, request, start);
    }
    if (result == PLAN_COMMIT) {
        result = plan_number(plan, start, PAYLOAD_HELD, (uint64_t)until_ms);
    }
    if (result == PLAN_COMMIT) {
        result = plan_order_coupon(plan, order, start);
    }
    if (result == PLAN_COMMIT) {
        result = order_plan_sides(plan, order, start);
    }
    if (result == PLAN_COMMIT) {
        result = order_plan_money(plan, order, state, plan_document_at(plan, start)->total);
    }
    for (uint32_t i = 0; result == PLAN_COMMIT && i < plan->line_count; i++) {
        if (state == CELLAR_ORDER_FULFILLED) {
            result = order_check_here(plan, &plan->lines[i]);
        }
        if (result == PLAN_COMMIT) {
            result = plan_sell_line(plan, &plan->lines[i]);
        }
    }
    plan->kind = STORE_ORDER_PLACE;
    plan->ticket.remaining = result == PLAN_COMMIT ? plan_document_at(plan, start)->total : 0;
    return result == PLAN_COMMIT ? order_plan_reference(plan, request) : result;
}

enum plan_result plan_order_return(struct plan *plan, void *argument) {
    const struct plan_order_request *request = argument;
    const cellar_order_request *order = request->order;
    order_look_ahead(plan, order);
    uint32_t slot = 0;
    uint32_t start = plan->payload_bytes;
    enum plan_result result =
        plan_document(plan, order->id, request->fingerprint, CELLAR_ORDER_RETURNED, &slot);
    if (result == PLAN_COMMIT) {
        result = order_check_customer(plan, order->customer);
    }
    if (result == PLAN_COMMIT) {
        result = plan_order_account(plan, order->account, order->payee, -request->total);
    }
    if (result == PLAN_COMMIT) {
        result = order_plan_payload(plan, request, request->damaged, slot);
    }
    if (result == PLAN_COMMIT) {
        result = plan_lines(plan, order->lines, (uint32_t)order->line_count, false,
                            plan_document_at(plan, start));
    }
    if (result == PLAN_COMMIT) {
        result = order_plan_sides(plan, order, start);
    }
    for (uint32_t i = 0; result == PLAN_COMMIT && i < plan->line_count; i++) {
        result = plan_restock_line(plan, &plan->lines[i], request->damaged);
    }
    plan->kind = STORE_ORDER_RETURN;
    return result == PLAN_COMMIT ? order_plan_reference(plan, request) : result;
}
