/* Orders: placing them, and their steps, whole and by line. */
#include "support/sales_model_parts.h"

#include <string.h>

#define BUYER 1

static struct sales_account_state *account(struct sales_model *model, int64_t id) {
    return &model->state.accounts[id - 1];
}

/* From the buyer to the payee; less than zero: back. */
static void pay(struct sales_model *model, const struct sales_order_state *order, int64_t amount) {
    if (order->account != 0) {
        account(model, order->account)->balance -= amount;
        account(model, order->payee)->balance += amount;
    }
}

/* ---- Placing ---- */

static void content_of(const cellar_order_request *request, int64_t content[SALES_CONTENT]) {
    int64_t all[SALES_CONTENT] = {(int64_t)request->customer,
                                  request->state,
                                  (int64_t)request->account,
                                  (int64_t)request->coupon_campaign,
                                  request->code == NULL ? 0 : 1 + sales_code_number(request->code),
                                  request->hold_until_ns,
                                  request->split,
                                  (int64_t)request->location_count,
                                  (int64_t)request->line_count};
    int64_t *next = all + SALES_CONTENT - SALES_LOCATIONS - 4 * SALES_LINES;
    for (size_t i = 0; i < request->location_count; i++) {
        *next++ = request->locations[i];
    }
    for (size_t i = 0; i < request->line_count; i++) {
        *next++ = sales_sku_number(request->lines[i].sku);
        *next++ = request->lines[i].location;
        *next++ = request->lines[i].quantity;
        *next++ = request->lines[i].unit_price;
    }
    memcpy(content, all, sizeof all);
}

/* Units of a line, from number `from` up to `to`, are held, or not any more (`sign` -1). What is
 * sold of a kit counts as its pieces. */
static void reserve(struct sales_model *model, const struct sales_model_order *placed,
                    uint32_t line, int64_t from, int64_t to, int64_t sign) {
    int64_t pieces[SALES_STOCKS] = {0};
    sales_model_pieces(placed, line, from, to, pieces);
    for (uint32_t i = 0; i < SALES_STOCKS; i++) {
        model->state.stocks[i].available -= sign * pieces[i];
        model->state.stocks[i].reserved += sign * pieces[i];
        model->state.totals.units_ordered += sign * pieces[i];
    }
}

/* Of what was taken from several the first; of a kit none. */
static uint32_t place_of(const struct sales_model_order *placed, uint32_t line, uint32_t sku) {
    uint32_t place = 0;
    while (sku != SALES_KIT && placed->taken[line][sku][place] == 0) {
        place++;
    }
    return sku == SALES_KIT ? 0 : placed->places[line][place];
}

/* The order as it will stand. */
static struct sales_order_state order_made(const struct sales_model *model,
                                           const cellar_order_request *request,
                                           const struct sales_model_order *placed,
                                           const int64_t discounts[SALES_LINES], int64_t total) {
    struct sales_order_state order = {
        .status = CELLAR_OK,
        .state = request->state == 0 ? CELLAR_ORDER_PLACED : (int64_t)request->state,
        .customer = (int64_t)request->customer,
        .account = (int64_t)request->account,
        .payee = (int64_t)request->payee,
        .total = total,
        .hold_until_ns = sales_model_deadline_ns(request->hold_until_ns),
        .line_count = (int64_t)request->line_count,
        .placed = model->call,
        .version = model->call};
    for (uint32_t i = 0; i < request->line_count; i++) {
        const cellar_line *line = &request->lines[i];
        uint32_t sku = sales_sku_number(line->sku);
        order.lines[i] = (struct sales_line_state){.sku = sku,
                                                   .location = place_of(placed, i, sku),
                                                   .quantity = line->quantity,
                                                   .unit_price = line->unit_price,
                                                   .discount = discounts[i]};
    }
    return order;
}

static void order_count(struct sales_model *model, const struct sales_order_state *order) {
    struct sales_totals_state *totals = &model->state.totals;
    totals->customers += !model->customers[order->customer - 1];
    model->customers[order->customer - 1] = true;
    totals->order_lines += order->line_count;
    totals->revenue += order->total;
}

void sales_model_place(struct sales_model *model, const cellar_order_request *request,
                       struct sales_answer *answer) {
    uint32_t number = sales_document_number(request->id);
    struct sales_order_state *state = &model->state.orders[number];
    struct sales_model_order made = {0};
    int64_t discounts[SALES_LINES];
    content_of(request, made.content);
    if (state->status == CELLAR_OK) {
        /* The id comes first. */
        if (memcmp(made.content, model->orders[number].content, sizeof made.content) == 0) {
            sales_model_repeat(answer, state->placed);
        } else {
            sales_model_refuse(answer, CELLAR_ID_REUSED);
        }
        return;
    }
    sales_model_allocate(model, request, &made, answer);
    made.discount = sales_model_discount(model, request, &made, discounts, answer);
    if (sales_model_is_over(model, sales_model_deadline_ns(request->hold_until_ns))) {
        sales_model_refuse(answer, CELLAR_HOLD_EXPIRED);
    }
    int64_t total = sales_model_value(request->lines, request->line_count) - made.discount;
    if (request->account != 0 && total > account(model, (int64_t)request->account)->available) {
        sales_model_refuse(answer, CELLAR_INSUFFICIENT_FUNDS);
    }
    if (answer->reason_count != 0) {
        return;
    }
    struct sales_order_state order = order_made(model, request, &made, discounts, total);
    sales_model_discount_take(model, request, &made);
    for (uint32_t i = 0; i < order.line_count; i++) {
        reserve(model, &made, i, 0, order.lines[i].quantity, 1);
    }
    pay(model, &order, order.total);
    order_count(model, &order);
    *state = order;
    model->orders[number] = made;
    answer->remaining = order.total;
}

/* ---- Steps ---- */

/* Units of a line are numbered: those that leave are taken from the front, those that are cancelled
 * from the back, those that come back from the front again. Of k units the first have
 * floor(discount * k / quantity) of the discount. */
static int64_t value_of(const struct sales_line_state *line, int64_t from, int64_t to) {
    return (to - from) * line->unit_price -
           (line->discount * to / line->quantity - line->discount * from / line->quantity);
}

static int64_t units_kept(const struct sales_line_state *line) {
    return line->quantity - line->cancelled - line->fulfilled;
}

static int64_t units_left(const struct sales_line_state *line, cellar_order_event event) {
    return event == CELLAR_EVENT_RETURN ? line->fulfilled - line->returned : units_kept(line);
}

/* The units of each line that the step is about. False: what it names is not there. */
static bool step_units(const struct sales_order_state *order, const cellar_order_change *change,
                       int64_t units[SALES_LINES], struct sales_answer *answer) {
    int64_t sum = 0;
    for (uint32_t i = 0; i < SALES_LINES; i++) {
        units[i] = 0;
        if (i < order->line_count && change->part_count == 0) {
            units[i] = units_left(&order->lines[i], change->event);
        }
        sum += units[i];
    }
    for (size_t i = 0; i < change->part_count; i++) {
        const cellar_order_part *part = &change->parts[i];
        if (part->line >= order->line_count) {
            sales_model_refuse(answer, CELLAR_INVALID_ARGUMENT);
        } else if (part->quantity > units_left(&order->lines[part->line], change->event)) {
            sales_model_refuse(answer, CELLAR_NOTHING_LEFT);
        } else {
            units[part->line] = part->quantity;
            sum += part->quantity;
        }
    }
    if (sum == 0) {
        sales_model_refuse(answer, CELLAR_NOTHING_LEFT);
    }
    return answer->reason_count == 0;
}

static bool step_is_legal(int64_t state, cellar_order_event event) {
    switch (event) {
    case CELLAR_EVENT_PAY:
    case CELLAR_EVENT_EXTEND:
        return state == CELLAR_ORDER_PLACED;
    case CELLAR_EVENT_FULFIL:
        return state == CELLAR_ORDER_PAID;
    case CELLAR_EVENT_CANCEL:
        return state == CELLAR_ORDER_PLACED || state == CELLAR_ORDER_PAID;
    default:
        return state == CELLAR_ORDER_PAID || state == CELLAR_ORDER_FULFILLED;
    }
}

/* The value of what is cancelled, which is the last units that are kept. */
static int64_t cancel_value(const struct sales_order_state *order,
                            const int64_t units[SALES_LINES]) {
    int64_t value = 0;
    for (uint32_t i = 0; i < order->line_count; i++) {
        const struct sales_line_state *line = &order->lines[i];
        int64_t end = line->quantity - line->cancelled;
        value += value_of(line, end - units[i], end);
    }
    return value;
}

static int64_t return_value(const struct sales_order_state *order,
                            const int64_t units[SALES_LINES]) {
    int64_t value = 0;
    for (uint32_t i = 0; i < order->line_count; i++) {
        const struct sales_line_state *line = &order->lines[i];
        value += value_of(line, line->returned, line->returned + units[i]);
    }
    return value;
}

static void cancel(struct sales_model *model, struct sales_order_state *order,
                   const struct sales_model_order *placed, const int64_t units[SALES_LINES]) {
    int64_t value = cancel_value(order, units);
    order->cancelled_value += value;
    model->state.totals.revenue -= value;
    for (uint32_t i = 0; i < order->line_count; i++) {
        int64_t end = order->lines[i].quantity - order->lines[i].cancelled;
        reserve(model, placed, i, end - units[i], end, -1);
        order->lines[i].cancelled += units[i];
    }
}

static void fulfil(struct sales_model *model, struct sales_order_state *order,
                   const struct sales_model_order *placed, const int64_t units[SALES_LINES]) {
    int64_t pieces[SALES_STOCKS] = {0};
    for (uint32_t i = 0; i < order->line_count; i++) {
        int64_t from = order->lines[i].fulfilled;
        sales_model_pieces(placed, i, from, from + units[i], pieces);
        order->lines[i].fulfilled += units[i];
    }
    for (uint32_t i = 0; i < SALES_STOCKS; i++) {
        model->state.stocks[i].reserved -= pieces[i];
        model->state.totals.units_fulfilled += pieces[i];
    }
}

static void come_back(struct sales_model *model, struct sales_order_state *order,
                      const struct sales_model_order *placed, const int64_t units[SALES_LINES],
                      bool damaged) {
    int64_t value = return_value(order, units);
    int64_t pieces[SALES_STOCKS] = {0};
    order->returned_value += value;
    model->state.totals.returned_value += value;
    for (uint32_t i = 0; i < order->line_count; i++) {
        int64_t from = order->lines[i].returned;
        sales_model_pieces(placed, i, from, from + units[i], pieces);
        order->lines[i].returned += units[i];
    }
    for (uint32_t i = 0; i < SALES_STOCKS; i++) {
        struct sales_stock_state *stock = &model->state.stocks[i];
        *(damaged ? &stock->unsellable : &stock->available) += pieces[i];
        model->state.totals.units_returned += pieces[i];
    }
}

/* Without a unit that is kept it has ended. */
static void order_end(struct sales_model *model, struct sales_order_state *order,
                      struct sales_model_order *placed) {
    int64_t kept = 0;
    int64_t left_the_shop = 0;
    for (uint32_t i = 0; i < order->line_count; i++) {
        kept += units_kept(&order->lines[i]);
        left_the_shop += order->lines[i].fulfilled;
    }
    if (kept != 0 || order->state == CELLAR_ORDER_FULFILLED) {
        return;
    }
    order->state = left_the_shop != 0 ? CELLAR_ORDER_FULFILLED : CELLAR_ORDER_CANCELLED;
    order->hold_until_ns = 0;
    if (left_the_shop == 0) {
        sales_model_discount_give_back(model, order, placed);
    }
}

/* What is paid; less than zero: given back. For a payment by line, `dropped` is what it does not
 * name. */
static int64_t step_amount(const struct sales_order_state *order, const cellar_order_change *change,
                           const int64_t units[SALES_LINES], int64_t dropped[SALES_LINES]) {
    for (uint32_t i = 0; i < SALES_LINES; i++) {
        dropped[i] = 0;
    }
    switch (change->event) {
    case CELLAR_EVENT_PAY:
        for (uint32_t i = 0; i < order->line_count; i++) {
            dropped[i] = units_kept(&order->lines[i]) - units[i];
        }
        return order->total - order->cancelled_value - cancel_value(order, dropped);
    case CELLAR_EVENT_CANCEL:
        return order->state == CELLAR_ORDER_PAID ? -cancel_value(order, units) : 0;
    case CELLAR_EVENT_RETURN:
        return -return_value(order, units);
    default:
        return 0;
    }
}

static void step_refuse_money(struct sales_model *model, const struct sales_order_state *order,
                              const cellar_order_change *change, int64_t amount,
                              struct sales_answer *answer) {
    int64_t buyer = change->event == CELLAR_EVENT_PAY ? (int64_t)change->account : order->account;
    if (buyer == 0) {
        return;
    }
    if (amount > account(model, buyer)->available ||
        -amount > account(model, order->payee)->available) {
        sales_model_refuse(answer, CELLAR_INSUFFICIENT_FUNDS);
    }
}

/* Another end of the hold, by its id or by what it leads to. */
static void extend(struct sales_model *model, struct sales_order_state *order,
                   const cellar_order_change *change, struct sales_answer *answer) {
    int64_t until_ns = sales_model_deadline_ns(change->hold_until_ns);
    bool placed = order->state == CELLAR_ORDER_PLACED;
    if (change->id.high == 0 && placed && order->hold_until_ns == until_ns) {
        sales_model_repeat(answer, order->version);
        return;
    }
    if (!placed || order->hold_until_ns == 0) {
        sales_model_refuse(answer, CELLAR_ILLEGAL_STEP);
    }
    if (sales_model_is_over(model, order->hold_until_ns) || sales_model_is_over(model, until_ns)) {
        sales_model_refuse(answer, CELLAR_HOLD_EXPIRED);
    }
    if (answer->reason_count == 0) {
        order->hold_until_ns = until_ns;
        order->version = model->call;
        sales_model_make_document(model, change->id);
    }
}

static void step_units_of(struct sales_model *model, struct sales_order_state *order,
                          struct sales_model_order *placed, const cellar_order_change *change,
                          struct sales_answer *answer) {
    int64_t units[SALES_LINES];
    int64_t dropped[SALES_LINES];
    if (!step_is_legal(order->state, change->event)) {
        sales_model_refuse(answer, CELLAR_ILLEGAL_STEP);
    }
    if (change->event == CELLAR_EVENT_PAY && sales_model_is_over(model, order->hold_until_ns)) {
        sales_model_refuse(answer, CELLAR_HOLD_EXPIRED);
    }
    if (!step_units(order, change, units, answer)) {
        return;
    }
    int64_t amount = step_amount(order, change, units, dropped);
    step_refuse_money(model, order, change, amount, answer);
    if (answer->reason_count != 0) {
        return;
    }
    switch (change->event) {
    case CELLAR_EVENT_PAY:
        cancel(model, order, placed, dropped);
        order->state = CELLAR_ORDER_PAID;
        order->account = (int64_t)change->account;
        order->hold_until_ns = 0;
        break;
    case CELLAR_EVENT_FULFIL:
        fulfil(model, order, placed, units);
        break;
    case CELLAR_EVENT_CANCEL:
        cancel(model, order, placed, units);
        break;
    default:
        come_back(model, order, placed, units, change->damaged);
        break;
    }
    pay(model, order, amount);
    order_end(model, order, placed);
    order->version = model->call;
    sales_model_make_document(model, change->id);
}

void sales_model_step(struct sales_model *model, const cellar_order_change *change,
                      struct sales_answer *answer) {
    uint32_t number = sales_document_number(change->order);
    struct sales_order_state *order = &model->state.orders[number];
    if (!sales_model_is_new(model, change->id, answer)) {
        return;
    }
    if (order->status != CELLAR_OK) {
        sales_model_refuse(answer, CELLAR_NOT_FOUND);
    } else if (change->event == CELLAR_EVENT_EXTEND) {
        extend(model, order, change, answer);
    } else {
        step_units_of(model, order, &model->orders[number], change, answer);
    }
}

void sales_model_expire_order(struct sales_model *model, uint32_t number) {
    struct sales_order_state *order = &model->state.orders[number];
    struct sales_model_order *placed = &model->orders[number];
    int64_t units[SALES_LINES] = {0};
    for (uint32_t i = 0; i < order->line_count; i++) {
        units[i] = units_kept(&order->lines[i]);
    }
    cancel(model, order, placed, units);
    order->state = CELLAR_ORDER_EXPIRED;
    order->hold_until_ns = 0;
    order->version = model->call;
    sales_model_discount_give_back(model, order, placed);
}
