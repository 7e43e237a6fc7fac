/* Orders: placing, stepping through the life cycle, returns. */
#include "store/plan.h"

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

bool plan_check_order(struct plan *plan, struct plan_order_request *request, bool is_return,
                      bool quote) {
    const cellar_order_request *order = request->order;
    if (!quote && order->id.high == 0 && order->id.low == 0) {
        plan_invalid(plan, "id is required", CELLAR_NO_LINE);
        return false;
    }
    if (!plan_check_lines(plan, order->lines, order->line_count, false, true)) {
        return false;
    }
    cellar_order_state last = is_return ? 0 : CELLAR_ORDER_FULFILLED;
    if (order->state < 0 || order->state > last) {
        plan_invalid(plan, "state: placed, paid or fulfilled; of a return 0", CELLAR_NO_LINE);
        return false;
    }
    if (order->account != 0 && order->state < CELLAR_ORDER_PAID && !is_return) {
        plan_invalid(plan, "account: only with state paid or fulfilled", CELLAR_NO_LINE);
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
    const uint64_t numbers[6] = {order->customer,  order_placed_state(order),
                                 order->account,   (uint64_t)order->business_time_ns,
                                 request->damaged, is_return};
    uint64_t hash = hash_seeded(1, numbers, sizeof numbers);
    hash = plan_hash_text(hash, order->reference);
    request->fingerprint = plan_hash_lines(hash, order->lines, order->line_count, true);
    return true;
}

/* ---- Placing ---- */

static enum plan_result order_sell_line(struct plan *plan, const struct plan_line *line) {
    uint32_t cell = store_stock_cell(line->stock, STORE_STOCK_SELLABLE);
    struct cell_content content = plan_read(plan, cell);
    if (store_stock_blocked(content.value)) {
        return plan_refuse(plan, CELLAR_NOT_SELLABLE, line->line);
    }
    if (content.value < line->quantity) {
        plan->refusal.available = content.value > 0 ? content.value : 0;
        plan->refusal.needed = line->quantity;
        return plan_refuse(plan, CELLAR_OUT_OF_STOCK, line->line);
    }
    return plan_write(plan, cell, content, content.value - line->quantity) ? PLAN_COMMIT
                                                                           : PLAN_NO_MEMORY;
}

/* Takes goods back, of a return or a cancelled order: into what is available, or what is
 * unsellable. */
static enum plan_result order_restock_line(struct plan *plan, const struct plan_line *line,
                                           bool damaged) {
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

static enum plan_result order_plan_payload(struct plan *plan,
                                           const struct plan_order_request *request, uint8_t type,
                                           uint32_t slot, struct payload_line **lines_out) {
    const cellar_order_request *order = request->order;
    uint32_t line_count = (uint32_t)order->line_count;
    struct payload_document *document =
        plan_append(plan, (uint32_t)(sizeof *document + line_count * sizeof(struct payload_line) +
                                     request->reference_bytes));
    if (document == NULL) {
        return PLAN_NO_MEMORY;
    }
    *document = (struct payload_document){.id = order->id,
                                          .fingerprint = request->fingerprint,
                                          .customer = order->customer,
                                          .account = order->account,
                                          .total = request->total,
                                          .business_time_ns = order->business_time_ns,
                                          .time_ns = plan->now_ns,
                                          .line_count = line_count,
                                          .slot = slot,
                                          .type = type,
                                          .reference_bytes = (uint8_t)request->reference_bytes};
    *lines_out = (struct payload_line *)(document + 1);
    if (request->reference_bytes != 0) {
        memcpy(*lines_out + line_count, order->reference, request->reference_bytes);
    }
    return PLAN_COMMIT;
}

/* Money for the order, out of the account (`total` > 0) or back. */
static enum plan_result order_plan_account(struct plan *plan, uint64_t account, int64_t debit) {
    if (account == 0) {
        return PLAN_COMMIT;
    }
    int64_t balance;
    return plan_account_change(plan, account, CELLAR_NO_LINE, -debit, &balance);
}

enum plan_result plan_order_place(struct plan *plan, void *argument) {
    const struct plan_order_request *request = argument;
    const cellar_order_request *order = request->order;
    cellar_order_state state = order_placed_state(order);
    bool quote = order->id.high == 0 && order->id.low == 0;
    table_fetch_head(&plan->store->order_table, store_hash_id(plan->store, order->id));
    plan_fetch_lines(plan, order->lines, (uint32_t)order->line_count);
    uint32_t slot = 0;
    enum plan_result result =
        quote ? PLAN_COMMIT : plan_document(plan, order->id, request->fingerprint, state, &slot);
    if (result == PLAN_COMMIT && state != CELLAR_ORDER_PLACED) {
        result = order_plan_account(plan, order->account, request->total);
    }
    struct payload_line *lines = NULL;
    if (result == PLAN_COMMIT) {
        result = order_plan_payload(plan, request, (uint8_t)state, slot, &lines);
    }
    if (result == PLAN_COMMIT) {
        result = plan_lines(plan, order->lines, (uint32_t)order->line_count, false, lines);
    }
    for (uint32_t i = 0; result == PLAN_COMMIT && i < plan->line_count; i++) {
        result = order_sell_line(plan, &plan->lines[i]);
    }
    plan->kind = STORE_ORDER_PLACE;
    return result;
}

enum plan_result plan_order_return(struct plan *plan, void *argument) {
    const struct plan_order_request *request = argument;
    const cellar_order_request *order = request->order;
    plan_fetch_lines(plan, order->lines, (uint32_t)order->line_count);
    uint32_t slot = 0;
    enum plan_result result =
        plan_document(plan, order->id, request->fingerprint, CELLAR_ORDER_RETURNED, &slot);
    if (result == PLAN_COMMIT) {
        result = order_plan_account(plan, order->account, -request->total);
    }
    struct payload_line *lines = NULL;
    if (result == PLAN_COMMIT) {
        result = order_plan_payload(plan, request, request->damaged, slot, &lines);
    }
    if (result == PLAN_COMMIT) {
        result = plan_lines(plan, order->lines, (uint32_t)order->line_count, false, lines);
    }
    for (uint32_t i = 0; result == PLAN_COMMIT && i < plan->line_count; i++) {
        result = order_restock_line(plan, &plan->lines[i], request->damaged);
    }
    plan->kind = STORE_ORDER_RETURN;
    return result;
}

/* ---- Steps ---- */

/* Whether an order may go from one state to another. */
static bool order_step_allowed(cellar_order_state from, cellar_order_state to) {
    static const uint8_t allowed[STORE_STATE_COUNT] = {
        [CELLAR_ORDER_PLACED] = 1u << CELLAR_ORDER_PAID | 1u << CELLAR_ORDER_CANCELLED,
        [CELLAR_ORDER_PAID] = 1u << CELLAR_ORDER_FULFILLED | 1u << CELLAR_ORDER_CANCELLED,
    };
    return (allowed[from] >> to & 1) != 0;
}

/* A step that was made before: paid also by whoever fulfilled since. */
static bool order_step_repeated(cellar_order_state now, cellar_order_state to) {
    return now == to || (to == CELLAR_ORDER_PAID && now == CELLAR_ORDER_FULFILLED);
}

static enum plan_result order_give_back(struct plan *plan, const struct store_detail *detail) {
    enum plan_result result = plan_stocks(plan, detail->lines, detail->line_count);
    for (uint32_t i = 0; result == PLAN_COMMIT && i < plan->line_count; i++) {
        result = order_restock_line(plan, &plan->lines[i], false);
    }
    return result;
}

static enum plan_result order_plan_effects(struct plan *plan, const struct store_order *order,
                                           const struct plan_step_request *request,
                                           uint64_t *account_out) {
    switch (request->to) {
    case CELLAR_ORDER_PAID:
        *account_out = request->account;
        return order_plan_account(plan, request->account, order->total);
    case CELLAR_ORDER_CANCELLED: {
        /* Acquire: pairs with the release in order_apply_document(); gone only once the order is
         * closed, which our commit on its cell would notice. */
        const struct store_detail *detail = ATOMIC_LOAD(&order->detail, acquire);
        *account_out = ATOMIC_LOAD(&order->account, relaxed);
        enum plan_result result = order_plan_account(plan, *account_out, -order->total);
        if (result == PLAN_COMMIT && detail == NULL) {
            plan->wait_lsn = 0;
            return PLAN_WAIT;
        }
        return result == PLAN_COMMIT ? order_give_back(plan, detail) : result;
    }
    default:
        *account_out = 0;
        return PLAN_COMMIT;
    }
}

enum plan_result plan_order_step(struct plan *plan, void *argument) {
    const struct plan_step_request *request = argument;
    struct store_order *order = store_find_order(plan->store, request->id);
    struct cell_content content = {0, 0};
    uint32_t cell = 0;
    if (order != NULL) {
        cell = store_order_cell(order->slot);
        content = plan_read(plan, cell);
    }
    if (plan_is_pending(plan, cell)) {
        return plan_invalid(plan, "id: given twice in one transaction", CELLAR_NO_LINE);
    }
    if (!store_state_is_order(store_document_state(content.value))) {
        return plan_refuse(plan, CELLAR_NOT_FOUND, CELLAR_NO_LINE);
    }
    /* The step needs what the order says and what the steps before it have left: both follow the
     * log. */
    if (ATOMIC_LOAD(&plan->store->commit->projected.lsn, acquire) <= content.version) {
        plan->wait_lsn = content.version;
        return PLAN_WAIT;
    }
    cellar_order_state from = (cellar_order_state)content.value;
    if (order_step_repeated(from, request->to)) {
        plan->ticket.lsn = content.version;
        plan->ticket.time_ns = ATOMIC_LOAD(&order->changed_ns, relaxed);
        plan->ticket.repeated = true;
        return PLAN_REPEATED;
    }
    if (!order_step_allowed(from, request->to)) {
        plan->refusal.state = (uint32_t)from;
        return plan_refuse(plan, CELLAR_ILLEGAL_STEP, CELLAR_NO_LINE);
    }
    if (!plan_write(plan, cell, content, request->to)) {
        return PLAN_NO_MEMORY;
    }
    uint64_t account = 0;
    enum plan_result result = order_plan_effects(plan, order, request, &account);
    struct payload_step *payload =
        result == PLAN_COMMIT ? plan_append(plan, sizeof *payload) : NULL;
    if (payload == NULL) {
        return result == PLAN_COMMIT ? PLAN_NO_MEMORY : result;
    }
    *payload = (struct payload_step){.id = request->id,
                                     .account = account,
                                     .amount = account == 0 ? 0 : order->total,
                                     .order = order->slot,
                                     .time_ns = plan->now_ns,
                                     .from = (uint8_t)from,
                                     .to = (uint8_t)request->to};
    plan->kind = STORE_ORDER_STEP;
    return PLAN_COMMIT;
}
