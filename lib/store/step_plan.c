/* Steps in the life of an order: checks, plan, payload. */
#include "store/plan_coupon.h"
#include "store/step.h"

#include "base/assert.h"
#include "base/probe.h"

#include <stdlib.h>
#include <string.h>

static bool step_has_id(const cellar_order_change *change) {
    return change->id.high != 0 || change->id.low != 0;
}

bool plan_check_step(struct plan *plan, void *argument) {
    struct plan_step_request *request = argument;
    const cellar_order_change *change = request->change;
    request->event = (uint8_t)change->event;
    if (change->event < CELLAR_EVENT_PAY || change->event > CELLAR_EVENT_EXTEND) {
        plan_invalid(plan, "event: pay, fulfil, cancel, return or extend", CELLAR_NO_LINE);
        return false;
    }
    if ((change->part_count != 0) != (change->parts != NULL) ||
        change->part_count > CELLAR_LINES_MAX) {
        plan_invalid(plan, "part_count: up to 4096 parts", CELLAR_NO_LINE);
        return false;
    }
    bool identified = step_has_id(change);
    if ((change->part_count != 0 || change->event == CELLAR_EVENT_RETURN) && !identified) {
        plan_invalid(plan, "id: required for a return and for parts of an order", CELLAR_NO_LINE);
        return false;
    }
    bool extend = change->event == CELLAR_EVENT_EXTEND;
    if (extend != (change->hold_until_ns != 0) || (extend && change->part_count != 0) ||
        change->hold_until_ns < 0) {
        plan_invalid(plan, "hold_until_ns: for extend, of the whole order", CELLAR_NO_LINE);
        return false;
    }
    if ((change->account != 0 && change->event != CELLAR_EVENT_PAY) ||
        (change->damaged && change->event != CELLAR_EVENT_RETURN)) {
        plan_invalid(plan, "account is for pay, damaged for return", CELLAR_NO_LINE);
        return false;
    }
    const uint64_t numbers[7] = {change->event,     change->order.high,
                                 change->order.low, change->account,
                                 change->damaged,   (uint64_t)change->hold_until_ns,
                                 change->part_count};
    request->fingerprint = hash_seeded(3, numbers, sizeof numbers);
    for (size_t i = 0; i < change->part_count; i++) {
        if (change->parts[i].quantity <= 0 || change->parts[i].quantity > CELLAR_AMOUNT_MAX) {
            plan_invalid(plan, "quantity: out of range", (uint32_t)i);
            return false;
        }
        const int64_t part[2] = {change->parts[i].line, change->parts[i].quantity};
        request->fingerprint = hash_seeded(request->fingerprint, part, sizeof part);
    }
    return true;
}

/* ---- One attempt ---- */

/* What an attempt has found out so far. */
struct step_plan {
    struct plan *plan;
    const struct plan_step_request *request;
    struct store_order *order;
    struct cell_content cell; /* of the order */
    struct content content;
    struct step step;
    uint32_t start; /* where its payload begins */
    uint32_t slot;  /* of its own document */
    int64_t value;
    int64_t amount;
    uint64_t account;
    uint32_t to;
    bool restored; /* its coupon is given back */
};

static struct payload_step *step_payload(const struct step_plan *made) {
    return (struct payload_step *)(void *)(made->plan->payload + made->start);
}

/* A step of the whole order that was made before: paid also by whoever fulfilled since. */
static bool step_repeated(const struct step_plan *made) {
    const cellar_order_change *change = made->request->change;
    uint32_t now = store_document_state(made->cell.value);
    if (step_has_id(change)) {
        return false;
    }
    switch (made->request->event) {
    case CELLAR_EVENT_PAY:
        return now == CELLAR_ORDER_PAID || now == CELLAR_ORDER_FULFILLED;
    case CELLAR_EVENT_FULFIL:
        return now == CELLAR_ORDER_FULFILLED;
    case CELLAR_EVENT_CANCEL:
        return now == CELLAR_ORDER_CANCELLED;
    case CELLAR_EVENT_EXTEND:
        return now == CELLAR_ORDER_PLACED &&
               store_document_deadline_ms(made->cell.value) ==
                   change->hold_until_ns / NANOSECONDS_PER_MILLISECOND;
    default:
        return now == CELLAR_ORDER_EXPIRED;
    }
}

/* The ticket of the latest step. */
static enum plan_result step_tell_repeated(struct step_plan *made) {
    struct plan *plan = made->plan;
    plan->ticket.lsn = made->cell.version;
    plan->ticket.time_ns = ATOMIC_LOAD(&made->order->changed_ns, acquire);
    plan->ticket.repeated = true;
    /* The time is that of the version unless another step has come since: then look again. */
    uint32_t cell = store_order_cell(made->order->slot);
    if (commit_read(plan->store->commit, cell).version != made->cell.version) {
        plan->wait_lsn = 0;
        return PLAN_WAIT;
    }
    return PLAN_REPEATED;
}

/* May the order make this step now? */
static enum plan_result step_check_state(struct step_plan *made) {
    struct plan *plan = made->plan;
    uint32_t state = store_document_state(made->cell.value);
    int64_t deadline_ms = store_document_deadline_ms(made->cell.value);
    int64_t now_ms = plan->now_ns / NANOSECONDS_PER_MILLISECOND;
    uint8_t event = made->request->event;
    /* What has no end cannot end later, nor what ends later now. */
    bool endless = deadline_ms == 0 && (event == CELLAR_EVENT_EXTEND || event == PAYLOAD_EXPIRE);
    if (!step_allowed(state, event) || endless ||
        (event == PAYLOAD_EXPIRE && deadline_ms > now_ms)) {
        plan->refusal.state = state;
        return plan_refuse(plan, CELLAR_ILLEGAL_STEP, CELLAR_NO_LINE);
    }
    bool over = deadline_ms != 0 && deadline_ms <= now_ms;
    bool extended_to_past =
        event == CELLAR_EVENT_EXTEND &&
        made->request->change->hold_until_ns / NANOSECONDS_PER_MILLISECOND <= now_ms;
    if ((over && (event == CELLAR_EVENT_PAY || event == CELLAR_EVENT_EXTEND)) || extended_to_past) {
        return plan_refuse(plan, CELLAR_HOLD_EXPIRED, CELLAR_NO_LINE);
    }
    return PLAN_COMMIT;
}

/* The order's content: from memory while it is open, else from its record. */
static enum plan_result step_find_content(struct step_plan *made) {
    struct plan *plan = made->plan;
    /* Acquire: pairs with the release in order_apply_document(); gone only once the order is
     * closed, which our commit on its cell would notice. */
    const struct store_detail *detail = ATOMIC_LOAD(&made->order->detail, acquire);
    struct store_parts parts;
    if (detail != NULL) {
        (void)detail_read(&made->content, detail);
        return PLAN_COMMIT;
    }
    if (made->request->placed == NULL) {
        plan->wait_lsn = 0;
        return made->request->event == CELLAR_EVENT_RETURN
                   ? plan_refuse(plan, CELLAR_NOT_FOUND, CELLAR_NO_LINE)
                   : PLAN_WAIT;
    }
    /* Another order may have come by this id since, and even by the slot. */
    const struct record_header *placed = made->request->placed;
    bool same = placed->lsn == ATOMIC_LOAD(&made->order->placed_lsn, relaxed);
    const struct payload_document *document =
        same ? part_find_order(placed, made->order->slot, &parts) : NULL;
    if (document == NULL) {
        return plan_refuse(plan, CELLAR_NOT_FOUND, CELLAR_NO_LINE);
    }
    content_of(&made->content, document, parts.next.bytes);
    return PLAN_COMMIT;
}

static int step_compare_parts(const void *a, const void *b) {
    uint32_t left = ((const struct payload_part_of_order *)a)->line;
    uint32_t right = ((const struct payload_part_of_order *)b)->line;
    return (left > right) - (left < right);
}

/* Starts the payload with the parts as they were passed, in order. A return of all that is left
 * tells the parts too: who applies it has no content any more. */
static enum plan_result step_plan_parts(struct step_plan *made) {
    struct plan *plan = made->plan;
    const cellar_order_change *change = made->request->change;
    bool told = made->request->event == CELLAR_EVENT_RETURN && change->part_count == 0;
    uint32_t room = told ? made->content.line_count : (uint32_t)change->part_count;
    made->start = plan->payload_bytes;
    if (plan_append(plan, (uint32_t)(sizeof(struct payload_step) +
                                     room * sizeof(struct payload_part_of_order))) == NULL) {
        return PLAN_NO_MEMORY;
    }
    struct payload_part_of_order *parts = (struct payload_part_of_order *)(step_payload(made) + 1);
    uint32_t count = 0;
    for (uint32_t i = 0; i < room; i++) {
        struct payload_part_of_order part = {.line = i};
        if (told) {
            part.quantity = step_line(&made->step, i).wanted;
        } else {
            part.line = change->parts[i].line;
            part.quantity = change->parts[i].quantity;
        }
        if (part.quantity != 0) {
            parts[count++] = part;
        }
    }
    plan->payload_bytes -= (uint32_t)((room - count) * sizeof *parts);
    if (told && count == 0) {
        return plan_refuse(plan, CELLAR_NOTHING_LEFT, CELLAR_NO_LINE);
    }
    qsort(parts, count, sizeof *parts, step_compare_parts);
    for (uint32_t i = 0; i < count; i++) {
        if (parts[i].line >= made->content.line_count ||
            (i > 0 && parts[i].line == parts[i - 1].line)) {
            return plan_invalid(plan, "parts: each a line of the order, once", parts[i].line);
        }
    }
    made->step.parts = parts;
    made->step.part_count = count;
    return PLAN_COMMIT;
}

/* Goes through the lines: refuses what is not left, adds up what the ranges are worth. */
static enum plan_result step_plan_lines(struct step_plan *made) {
    struct plan *plan = made->plan;
    int64_t units = 0;
    for (uint32_t i = 0; i < made->content.line_count; i++) {
        struct step_line line = step_line(&made->step, i);
        if (line.wanted > line.left) {
            plan->refusal.available = line.left;
            plan->refusal.needed = line.wanted;
            return plan_refuse(plan, CELLAR_NOTHING_LEFT, i);
        }
        units += line.wanted;
        if (made->request->event != CELLAR_EVENT_FULFIL) {
            made->value += content_value(&made->content, i, line.range);
        }
    }
    /* An order of which nothing is left is closed, and a return tells its parts. */
    ASSERT(units != 0);
    made->to = step_to(&made->step);
    return PLAN_COMMIT;
}

/* Units that leave must be here; what is missing of a stock is missing to those who came last. Who
 * that is follows the log, so the commit stands on the stock as it was when the log said so: the
 * stock's cell is written. A stock of which nothing is missing needs none of that, since what is
 * here for an order stays so, whatever is sold after it. */
static enum plan_result step_guard_stock(struct step_plan *made, uint32_t stock) {
    struct plan *plan = made->plan;
    uint32_t cell = store_stock_cell(stock, STORE_STOCK_SELLABLE);
    struct cell_content sellable = plan_read(plan, cell);
    int64_t safety = plan_read(plan, store_stock_cell(stock, STORE_STOCK_SAFETY_CELL)).value;
    if (store_stock_unblocked(sellable.value) + safety >= 0 &&
        plan_read(plan, cell).version == sellable.version) {
        return PLAN_COMMIT;
    }
    if (ATOMIC_LOAD(&plan->store->commit->projected.lsn, acquire) <= sellable.version) {
        plan->wait_lsn = sellable.version;
        return PLAN_WAIT;
    }
    return plan_write(plan, cell, sellable, sellable.value) ? PLAN_COMMIT : PLAN_NO_MEMORY;
}

/* Are so many pieces of the source here, of those `left` that have not left or been cancelled? */
static enum plan_result step_check_covered(struct step_plan *made, uint32_t source, uint32_t stock,
                                           uint32_t line, int64_t pieces, int64_t left) {
    struct plan *plan = made->plan;
    uint32_t cell = store_stock_cell(stock, STORE_STOCK_SELLABLE);
    int64_t safety = plan_read(plan, store_stock_cell(stock, STORE_STOCK_SAFETY_CELL)).value;
    /* As committed: so the queue has it. Or as earlier steps of the transaction make it, when then
     * nothing is missing any more. */
    int64_t available = store_available(plan->store, stock);
    if (available >= 0 || store_stock_unblocked(plan_read(plan, cell).value) + safety >= 0) {
        return PLAN_COMMIT;
    }
    int64_t uncovered = queue_uncovered(plan->store, stock, made->order->slot, source, -available);
    if (uncovered >= 0 && pieces <= left - uncovered) {
        return PLAN_COMMIT;
    }
    /* A refusal is not checked by a commit: has a stock changed while its queue was looked at? It
     * has, too, when it is not guarded, for then nothing was missing of it. */
    if (uncovered < 0 || !plan_is_changed(plan, cell) ||
        !plan_changes_stand(plan, STORE_CELLS_STOCK, STORE_CELLS_STOCK)) {
        plan->wait_lsn = 0;
        return PLAN_WAIT;
    }
    plan->refusal.available = left > uncovered ? left - uncovered : 0;
    plan->refusal.needed = pieces;
    return plan_refuse(plan, CELLAR_OUT_OF_STOCK, line);
}

/* All that is to leave, source by source. */
static enum plan_result step_check_leaving(struct step_plan *made) {
    struct content_walk walk = {.content = &made->content};
    enum plan_result result = PLAN_COMMIT;
    uint32_t line;
    for (uint32_t i = 0; result == PLAN_COMMIT && i < made->plan->line_count; i++) {
        result = step_guard_stock(made, made->plan->lines[i].stock);
    }
    PROBE("step-guarded", made->order->slot);
    while (result == PLAN_COMMIT && content_walk_line(&walk, &line)) {
        struct content_walk open = walk;
        uint32_t stock;
        struct step_line at = step_line(&made->step, line);
        int64_t open_end = content_line(&made->content, line).quantity - at.progress.cancelled;
        int64_t left = content_walk_take(
            &open, (struct content_range){at.progress.fulfilled, open_end}, &stock);
        uint32_t source = walk.next;
        int64_t pieces = content_walk_take(&walk, at.range, &stock);
        if (pieces != 0) {
            result = step_check_covered(made, source, stock, line, pieces, left);
        }
    }
    return result;
}

/* What the ranges do to the stocks, into plan->lines and then into their cells. */
static enum plan_result step_plan_stocks(struct step_plan *made) {
    struct plan *plan = made->plan;
    struct content_walk walk = {.content = &made->content};
    uint32_t line;
    if (!plan_lines_begin(plan, content_source_count(&made->content))) {
        return PLAN_NO_MEMORY;
    }
    while (content_walk_line(&walk, &line)) {
        uint32_t stock;
        struct step_line at = step_line(&made->step, line);
        int64_t pieces = content_walk_take(&walk, at.range, &stock);
        if (pieces != 0) {
            bool added = plan_lines_add(plan, stock, line, pieces);
            ASSERT(added);
        }
    }
    enum plan_result result = plan_lines_end(plan);
    if (made->request->event == CELLAR_EVENT_FULFIL) {
        return result == PLAN_COMMIT ? step_check_leaving(made) : result;
    }
    bool damaged = made->request->change->damaged;
    for (uint32_t i = 0; result == PLAN_COMMIT && i < plan->line_count; i++) {
        result = plan_restock_line(plan, &plan->lines[i], damaged);
    }
    return result;
}

/* Money that the step moves. */
static enum plan_result step_plan_money(struct step_plan *made) {
    const struct store_progress *progress = made->step.progress;
    if (made->request->event == CELLAR_EVENT_PAY) {
        int64_t cancelled = progress == NULL ? 0 : progress->cancelled_value;
        made->account = made->request->change->account;
        made->amount = made->order->total - cancelled - made->value;
        made->amount = made->account == 0 ? 0 : made->amount;
        return plan_order_account(made->plan, made->account, made->content.payee, made->amount);
    }
    if (made->request->event == CELLAR_EVENT_FULFIL ||
        store_document_state(made->cell.value) == CELLAR_ORDER_PLACED) {
        return PLAN_COMMIT;
    }
    made->account = ATOMIC_LOAD(&made->order->account, relaxed);
    made->amount = made->account == 0 ? 0 : made->value;
    return plan_order_account(made->plan, made->account, made->content.payee, -made->amount);
}

/* Ends the payload: moves of a return, identity, who is paid; then its header. */
static enum plan_result step_plan_payload(struct step_plan *made) {
    struct plan *plan = made->plan;
    const cellar_order_change *change = made->request->change;
    uint32_t move_count = made->request->event == CELLAR_EVENT_RETURN ? plan->line_count : 0;
    struct payload_move *moves = plan_append(plan, (uint32_t)(move_count * sizeof *moves));
    if (moves == NULL) {
        return PLAN_NO_MEMORY;
    }
    for (uint32_t i = 0; i < move_count; i++) {
        moves[i] = (struct payload_move){.stock = plan->lines[i].stock,
                                         .quantity = plan->lines[i].quantity};
    }
    if (made->slot != 0) {
        struct payload_identity *identity = plan_append(plan, sizeof *identity);
        if (identity == NULL) {
            return PLAN_NO_MEMORY;
        }
        *identity = (struct payload_identity){change->id, made->request->fingerprint};
    }
    bool has_payee = made->account != 0 && made->content.payee != 0;
    if (has_payee) {
        uint64_t *payee = plan_append(plan, sizeof *payee);
        if (payee == NULL) {
            return PLAN_NO_MEMORY;
        }
        *payee = made->content.payee;
    }
    *step_payload(made) =
        (struct payload_step){.id = change->order,
                              .account = made->account,
                              .amount = made->amount,
                              .value = made->value,
                              .time_ns = plan->now_ns,
                              .until_ms = change->hold_until_ns / NANOSECONDS_PER_MILLISECOND,
                              .order = made->order->slot,
                              .slot = made->slot,
                              .part_count = made->step.part_count,
                              .move_count = move_count,
                              .event = made->request->event,
                              .from = (uint8_t)store_document_state(made->cell.value),
                              .to = (uint8_t)made->to,
                              .damaged = change->damaged,
                              .restored = made->restored,
                              .has_payee = has_payee};
    plan->kind = STORE_ORDER_STEP;
    return PLAN_COMMIT;
}

/* The order and its cell, once all that its steps so far have left is known. */
static enum plan_result step_find_order(struct step_plan *made) {
    struct plan *plan = made->plan;
    made->order = store_find_order(plan->store, made->request->change->order);
    uint32_t cell = made->order == NULL ? 0 : store_order_cell(made->order->slot);
    if (made->order != NULL) {
        made->cell = plan_read(plan, cell);
    }
    if (!store_state_is_order(store_document_state(made->cell.value))) {
        return plan_refuse(plan, CELLAR_NOT_FOUND, CELLAR_NO_LINE);
    }
    if (plan_is_pending(plan, cell)) {
        return plan_invalid(plan, "order: changed twice in one transaction", CELLAR_NO_LINE);
    }
    /* The step needs what the order says and what the steps before it have left: both follow the
     * log. */
    if (ATOMIC_LOAD(&plan->store->commit->projected.lsn, acquire) <= made->cell.version) {
        plan->wait_lsn = made->cell.version;
        return PLAN_WAIT;
    }
    return PLAN_COMMIT;
}

static enum plan_result step_plan_effects(struct step_plan *made) {
    enum plan_result result = step_find_content(made);
    made->step = (struct step){.content = &made->content,
                               .progress = ATOMIC_LOAD(&made->order->progress, acquire),
                               .from = store_document_state(made->cell.value),
                               .event = made->request->event};
    if (result == PLAN_COMMIT) {
        result = step_plan_parts(made);
    }
    if (result != PLAN_COMMIT) {
        return result;
    }
    if (made->request->event == CELLAR_EVENT_EXTEND) {
        made->to = CELLAR_ORDER_PLACED;
        return PLAN_COMMIT;
    }
    result = step_plan_lines(made);
    if (result == PLAN_COMMIT) {
        result = step_plan_money(made);
    }
    if (result == PLAN_COMMIT && made->content.redeem != NULL &&
        (made->to == CELLAR_ORDER_CANCELLED || made->to == CELLAR_ORDER_EXPIRED)) {
        result =
            plan_order_uncoupon(made->plan, made->order, made->content.redeem, &made->restored);
    }
    return result == PLAN_COMMIT ? step_plan_stocks(made) : result;
}

enum plan_result plan_order_step(struct plan *plan, void *argument) {
    const struct plan_step_request *request = argument;
    const cellar_order_change *change = request->change;
    struct step_plan made = {.plan = plan, .request = request};
    enum plan_result result = step_find_order(&made);
    if (result == PLAN_COMMIT && step_has_id(change)) {
        result =
            plan_document(plan, change->id, request->fingerprint, STORE_STATE_OTHER, &made.slot);
    }
    if (result != PLAN_COMMIT) {
        return result;
    }
    if (step_repeated(&made)) {
        return step_tell_repeated(&made);
    }
    /* Read for changing before it is refused: whoever refuses looks whether it still holds. */
    uint32_t written = plan->change_count;
    if (!plan_write(plan, store_order_cell(made.order->slot), made.cell, made.cell.value)) {
        return PLAN_NO_MEMORY;
    }
    result = step_check_state(&made);
    if (result == PLAN_COMMIT) {
        result = step_plan_effects(&made);
    }
    if (result != PLAN_COMMIT) {
        return result;
    }
    int64_t until_ms = 0;
    if (made.to == CELLAR_ORDER_PLACED) {
        until_ms = request->event == CELLAR_EVENT_EXTEND
                       ? change->hold_until_ns / NANOSECONDS_PER_MILLISECOND
                       : store_document_deadline_ms(made.cell.value);
    }
    plan->changes[written].update.new_value = store_document_value(made.to, until_ms);
    return step_plan_payload(&made);
}
