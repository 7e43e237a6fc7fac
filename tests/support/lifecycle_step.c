/* The model's steps of an order. */
#include "support/lifecycle_parts.h"

#include "base/assert.h"

#define MS INT64_C(1000000)

static bool same_change(const struct lifecycle_step *step, const cellar_order_change *change) {
    const cellar_order_change *made = &step->change;
    if (made->order.low != change->order.low || made->event != change->event ||
        made->part_count != change->part_count || made->account != change->account ||
        made->damaged != change->damaged || made->hold_until_ns != change->hold_until_ns) {
        return false;
    }
    for (size_t i = 0; i < change->part_count; i++) {
        if (step->parts[i].line != change->parts[i].line ||
            step->parts[i].quantity != change->parts[i].quantity) {
            return false;
        }
    }
    return true;
}

/* Without an id a step was made before when the order is where it leads. */
static bool made_before(const struct lifecycle_order *order, const cellar_order_change *change) {
    switch (change->event) {
    case CELLAR_EVENT_PAY:
        return order->state == CELLAR_ORDER_PAID || order->state == CELLAR_ORDER_FULFILLED;
    case CELLAR_EVENT_FULFIL:
        return order->state == CELLAR_ORDER_FULFILLED;
    case CELLAR_EVENT_CANCEL:
        return order->state == CELLAR_ORDER_CANCELLED;
    case CELLAR_EVENT_EXTEND:
        return order->state == CELLAR_ORDER_PLACED &&
               order->deadline_ms == change->hold_until_ns / MS;
    default:
        return false;
    }
}

static bool is_legal(const struct lifecycle_order *order, cellar_order_event event) {
    switch (event) {
    case CELLAR_EVENT_PAY:
        return order->state == CELLAR_ORDER_PLACED;
    case CELLAR_EVENT_EXTEND:
        return order->state == CELLAR_ORDER_PLACED && order->deadline_ms != 0;
    case CELLAR_EVENT_FULFIL:
        return order->state == CELLAR_ORDER_PAID;
    case CELLAR_EVENT_CANCEL:
        return order->state == CELLAR_ORDER_PLACED || order->state == CELLAR_ORDER_PAID;
    default:
        return order->state == CELLAR_ORDER_PAID || order->state == CELLAR_ORDER_FULFILLED;
    }
}

static struct lifecycle_answer check_state(const struct lifecycle *model,
                                           const struct lifecycle_order *order,
                                           const cellar_order_change *change) {
    int64_t now_ms = model->now_ns / MS;
    if (!is_legal(order, change->event)) {
        struct lifecycle_answer told = lifecycle_answer(CELLAR_ILLEGAL_STEP);
        told.state = order->state;
        return told;
    }
    bool extends = change->event == CELLAR_EVENT_EXTEND;
    bool over = order->deadline_ms != 0 && order->deadline_ms <= now_ms;
    if ((over && (extends || change->event == CELLAR_EVENT_PAY)) ||
        (extends && change->hold_until_ns / MS <= now_ms)) {
        return lifecycle_answer(CELLAR_HOLD_EXPIRED);
    }
    return lifecycle_answer(CELLAR_OK);
}

static int64_t left_of(const struct lifecycle_line *line, cellar_order_event event) {
    return event == CELLAR_EVENT_RETURN ? line->fulfilled - line->returned
                                        : lifecycle_reserved(line);
}

/* How many units of each line the step asks for, and whether they are left. */
static struct lifecycle_answer check_lines(const struct lifecycle_order *order,
                                           const cellar_order_change *change,
                                           int64_t wanted[LIFECYCLE_LINES]) {
    uint32_t wrong = UINT32_MAX;
    int64_t units = 0;
    for (size_t i = 0; i < change->part_count; i++) {
        uint32_t line = change->parts[i].line;
        bool bad = line >= order->line_count;
        if (!bad) {
            bad = wanted[line] != 0;
            wanted[line] = change->parts[i].quantity;
        }
        wrong = bad && line < wrong ? line : wrong;
    }
    if (wrong != UINT32_MAX) {
        struct lifecycle_answer told = lifecycle_answer(CELLAR_INVALID_ARGUMENT);
        told.line = wrong;
        return told;
    }
    for (uint32_t i = 0; i < order->line_count; i++) {
        int64_t left = left_of(&order->lines[i], change->event);
        wanted[i] = change->part_count == 0 ? left : wanted[i];
        if (wanted[i] > left) {
            return lifecycle_answer_short(CELLAR_NOTHING_LEFT, i, left, wanted[i]);
        }
        units += wanted[i];
    }
    return lifecycle_answer(units == 0 ? CELLAR_NOTHING_LEFT : CELLAR_OK);
}

/* What is paid for. */
static int64_t amount_of(const struct lifecycle_order *order,
                         const int64_t wanted[LIFECYCLE_LINES]) {
    int64_t amount = 0;
    for (uint32_t i = 0; i < order->line_count; i++) {
        amount += wanted[i] * order->lines[i].unit_price;
    }
    return amount;
}

static struct lifecycle_answer check_covered(const struct lifecycle *model, uint32_t number,
                                             const int64_t wanted[LIFECYCLE_LINES]) {
    const struct lifecycle_order *order = &model->orders[number];
    for (uint32_t i = 0; i < order->line_count; i++) {
        int64_t here = lifecycle_reserved(&order->lines[i]) - lifecycle_uncovered(model, number, i);
        if (wanted[i] > here) {
            return lifecycle_answer_short(CELLAR_OUT_OF_STOCK, i, here, wanted[i]);
        }
    }
    return lifecycle_answer(CELLAR_OK);
}

/* ---- Effects ---- */

static void leave(struct lifecycle *model, struct lifecycle_line *line, int64_t units) {
    line->fulfilled += units;
    model->reserved[line->sku] -= units;
    model->totals.units_fulfilled += units;
}

static void come_back(struct lifecycle *model, struct lifecycle_order *order,
                      struct lifecycle_line *line, int64_t units, bool damaged) {
    int64_t value = units * line->unit_price;
    line->returned += units;
    order->returned_value += value;
    *(damaged ? &model->unsellable[line->sku] : &model->available[line->sku]) += units;
    model->totals.units_returned += units;
    model->totals.returned_value += value;
}

static cellar_order_state state_after(const struct lifecycle_order *order,
                                      cellar_order_event event) {
    bool fulfilled = false;
    for (uint32_t i = 0; i < order->line_count; i++) {
        if (lifecycle_reserved(&order->lines[i]) != 0) {
            return event == CELLAR_EVENT_PAY ? CELLAR_ORDER_PAID : order->state;
        }
        fulfilled = fulfilled || order->lines[i].fulfilled != 0;
    }
    return fulfilled ? CELLAR_ORDER_FULFILLED : CELLAR_ORDER_CANCELLED;
}

static void make(struct lifecycle *model, struct lifecycle_order *order,
                 const cellar_order_change *change, const int64_t wanted[LIFECYCLE_LINES],
                 uint64_t lsn) {
    int64_t amount = amount_of(order, wanted);
    for (uint32_t i = 0; i < order->line_count; i++) {
        struct lifecycle_line *line = &order->lines[i];
        switch (change->event) {
        case CELLAR_EVENT_PAY:
            lifecycle_take_back(model, order, line, lifecycle_reserved(line) - wanted[i]);
            break;
        case CELLAR_EVENT_FULFIL:
            leave(model, line, wanted[i]);
            break;
        case CELLAR_EVENT_CANCEL:
            lifecycle_take_back(model, order, line, wanted[i]);
            break;
        default:
            come_back(model, order, line, wanted[i], change->damaged);
        }
    }
    if (change->event == CELLAR_EVENT_PAY) {
        order->account = change->account;
        lifecycle_move_money(model, order->account, order->payee, amount);
        for (uint32_t i = 0; i < order->line_count; i++) {
            order->lines[i].queued = order->lines[i].waited;
        }
    } else if (change->event != CELLAR_EVENT_FULFIL && order->state != CELLAR_ORDER_PLACED) {
        lifecycle_move_money(model, order->account, order->payee, -amount);
    }
    lifecycle_enter(model, order, state_after(order, change->event), lsn);
}

static struct lifecycle_answer try_change(struct lifecycle *model,
                                          const cellar_order_change *change, uint64_t lsn) {
    struct lifecycle_order *order = &model->orders[change->order.low];
    int64_t wanted[LIFECYCLE_LINES] = {0};
    struct lifecycle_answer told = check_state(model, order, change);
    if (told.status != CELLAR_OK) {
        return told;
    }
    if (change->event == CELLAR_EVENT_EXTEND) {
        order->deadline_ms = change->hold_until_ns / MS;
        lifecycle_enter(model, order, CELLAR_ORDER_PLACED, lsn);
        return told;
    }
    told = check_lines(order, change, wanted);
    if (told.status == CELLAR_OK && change->event == CELLAR_EVENT_PAY) {
        told =
            lifecycle_check_money(model, change->account, order->payee, amount_of(order, wanted));
    }
    bool gives_back = change->event == CELLAR_EVENT_CANCEL || change->event == CELLAR_EVENT_RETURN;
    if (told.status == CELLAR_OK && gives_back && order->state != CELLAR_ORDER_PLACED) {
        told =
            lifecycle_check_money(model, order->account, order->payee, -amount_of(order, wanted));
    }
    if (told.status == CELLAR_OK && change->event == CELLAR_EVENT_FULFIL) {
        told = check_covered(model, (uint32_t)change->order.low, wanted);
    }
    if (told.status == CELLAR_OK) {
        make(model, order, change, wanted, lsn);
    }
    return told;
}

struct lifecycle_answer lifecycle_change(struct lifecycle *model, const cellar_order_change *change,
                                         uint64_t lsn) {
    const struct lifecycle_order *order = &model->orders[change->order.low];
    if (order->state == 0 || order->retired) {
        return lifecycle_answer(CELLAR_NOT_FOUND);
    }
    if (change->id.low == 0) {
        return made_before(order, change) ? lifecycle_answer_again(order->version)
                                          : try_change(model, change, lsn);
    }
    if (change->id.low <= LIFECYCLE_ORDERS) {
        ASSERT(model->orders[change->id.low].state != 0);
        return lifecycle_answer(CELLAR_ID_REUSED);
    }
    struct lifecycle_step *step = &model->steps[change->id.low - LIFECYCLE_ORDERS];
    if (step->lsn != 0) {
        return same_change(step, change) ? lifecycle_answer_again(step->lsn)
                                         : lifecycle_answer(CELLAR_ID_REUSED);
    }
    struct lifecycle_answer told = try_change(model, change, lsn);
    if (told.status == CELLAR_OK) {
        *step = (struct lifecycle_step){.change = *change, .lsn = lsn, .made_ns = model->now_ns};
        for (size_t i = 0; i < change->part_count; i++) {
            step->parts[i] = change->parts[i];
        }
        if (step == &model->steps[model->step_count + 1]) {
            model->step_count++;
        }
        model->totals.orders[0]++;
    }
    return told;
}
