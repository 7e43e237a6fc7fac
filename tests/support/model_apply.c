/* What a call that was done changes. */
#include "support/model.h"

#include "base/assert.h"

#include <stdlib.h>
#include <string.h>

struct effect {
    struct model *model;
    const struct model_call *call;
    const struct model_answer *answer;
};

static bool apply_expect(const struct effect *effect, bool right, const char *what) {
    return right ||
           model_wrong(effect->model, "%s: %s", what, model_describe(effect->call, effect->answer));
}

/* Grows an array by doubling: `count` are in use. */
static void *apply_room(void *array, size_t count, size_t element_bytes) {
    if ((count & (count - 1)) == 0) {
        array = realloc(array, (count == 0 ? 1 : 2 * count) * element_bytes);
        ASSERT(array != NULL);
    }
    return array;
}

/* ---- Stock ---- */

static void apply_movement(const struct effect *effect, struct model_stock *stock,
                           cellar_movement_kind kind, int64_t change) {
    const struct model_call *call = effect->call;
    /* A step is kept without a reference. */
    bool document = call->kind != MODEL_PUT && call->id != 0;
    bool text = call->kind >= MODEL_RECEIVE && call->kind <= MODEL_ANNOUNCE;
    text = text || call->kind == MODEL_PLACE || call->kind == MODEL_RETURN;

    stock->available += change;
    stock->version = effect->answer->ticket.lsn;
    stock->movements =
        apply_room(stock->movements, stock->movement_count, sizeof *stock->movements);
    stock->movements[stock->movement_count++] = (struct model_movement){
        .lsn = stock->version,
        .time_ns = effect->answer->ticket.time_ns,
        .kind = kind,
        .change = change,
        .available = stock->available,
        .id = document ? call->id : 0,
        .reason = call->kind >= MODEL_RECEIVE && call->kind <= MODEL_ANNOUNCE ? call->reason : 0,
        .text = text ? call->text : 0};
}

static struct model_stock *apply_stock(const struct effect *effect, const struct model_line *line) {
    struct model_stock *stock = &effect->model->products[line->sku].stocks[line->location];

    (void)apply_expect(effect, stock->exists, "not opened before");
    return stock;
}

static cellar_movement_kind apply_kind(enum model_kind kind) {
    static const cellar_movement_kind kinds[MODEL_KINDS] = {
        [MODEL_RECEIVE] = CELLAR_MOVEMENT_RECEIVED,    [MODEL_ADJUST] = CELLAR_MOVEMENT_ADJUSTED,
        [MODEL_SET_ASIDE] = CELLAR_MOVEMENT_SET_ASIDE, [MODEL_ANNOUNCE] = CELLAR_MOVEMENT_ANNOUNCED,
        [MODEL_TAKE] = CELLAR_MOVEMENT_TAKEN,          [MODEL_COUNT] = CELLAR_MOVEMENT_COUNTED,
        [MODEL_SAFETY] = CELLAR_MOVEMENT_SAFETY,       [MODEL_MOVE] = CELLAR_MOVEMENT_MOVED,
        [MODEL_PLACE] = CELLAR_MOVEMENT_ORDERED,       [MODEL_RETURN] = CELLAR_MOVEMENT_RETURNED,
        [MODEL_CANCEL] = CELLAR_MOVEMENT_CANCELLED};

    return kinds[kind];
}

/* One line's quantity; the line's other numbers have been changed. */
static void apply_quantity(const struct effect *effect, const struct model_line *line,
                           int64_t quantity, bool *moved) {
    struct model *model = effect->model;
    struct model_stock *stock = apply_stock(effect, line);

    switch (effect->call->kind) {
    case MODEL_RECEIVE:
        model->totals.units_received += quantity;
        break;
    case MODEL_ADJUST:
        model->totals.units_adjusted += quantity;
        break;
    case MODEL_SET_ASIDE:
        stock->unsellable += quantity;
        quantity = -quantity;
        break;
    case MODEL_ANNOUNCE:
        stock->incoming += quantity;
        quantity = 0;
        break;
    case MODEL_RETURN:
        model->totals.units_returned += quantity;
        if (effect->call->damaged) {
            stock->unsellable += quantity;
            quantity = 0;
        }
        break;
    default:
        break;
    }
    /* Lines of one stock are one movement. */
    if (!*moved) {
        *moved = true;
        apply_movement(effect, stock, apply_kind(effect->call->kind), quantity);
    } else {
        struct model_movement *movement = &stock->movements[stock->movement_count - 1];
        stock->available += quantity;
        movement->change += quantity;
        movement->available += quantity;
    }
}

/* Changes the stocks of all lines; `sign` -1: goods go. */
static void apply_lines(const struct effect *effect, const struct model_call *of, int64_t sign) {
    bool moved[MODEL_SKUS][MODEL_LOCATIONS] = {{false}};

    for (uint32_t i = 0; i < of->line_count; i++) {
        const struct model_line *line = &model_lines(of)[i];
        apply_quantity(effect, line, sign * line->quantity, &moved[line->sku][line->location]);
    }
}

static bool apply_single(const struct effect *effect) {
    const struct model_line *line = &effect->call->few[0];
    struct model_stock *stock = apply_stock(effect, line);
    cellar_totals *totals = &effect->model->totals;
    int64_t change = 0;

    if (effect->call->kind == MODEL_TAKE) {
        change = -line->quantity;
        totals->units_taken += line->quantity;
    } else if (effect->call->kind == MODEL_COUNT) {
        change = line->quantity - stock->available;
        totals->units_adjusted += change;
    } else {
        stock->safety = line->quantity;
    }
    apply_movement(effect, stock, apply_kind(effect->call->kind), change);
    return apply_expect(effect, effect->answer->ticket.remaining == stock->available, "remaining");
}

static bool apply_opening(const struct effect *effect) {
    const struct model_line *line = &effect->call->few[0];
    struct model_product *product = &effect->model->products[line->sku];
    struct model_stock *stock = &product->stocks[line->location];

    if (!apply_expect(effect, product->exists && !stock->exists, "opening")) {
        return false;
    }
    stock->exists = true;
    effect->model->totals.stocks++;
    apply_movement(effect, stock, CELLAR_MOVEMENT_OPENED, 0);
    product->stocks[0].version = stock->version;
    return true;
}

/* ---- Documents ---- */

static struct model_document *apply_document(const struct effect *effect, uint32_t state) {
    struct model *model = effect->model;
    uint32_t id = effect->call->id;

    if (id == 0) {
        return NULL;
    }
    while (model->document_count <= id) {
        model->documents =
            apply_room(model->documents, model->document_count, sizeof *model->documents);
        memset(&model->documents[model->document_count++], 0, sizeof *model->documents);
    }
    struct model_document *document = &model->documents[id];
    *document = (struct model_document){.exists = true,
                                        .call = *effect->call,
                                        .state = state,
                                        .version = effect->answer->ticket.lsn,
                                        .placed_lsn = effect->answer->ticket.lsn,
                                        .placed_ns = effect->answer->ticket.time_ns,
                                        .changed_ns = effect->answer->ticket.time_ns};
    if (effect->call->line_count != 0) {
        size_t bytes = effect->call->line_count * sizeof(struct model_line);
        document->call.many = malloc(bytes);
        ASSERT(document->call.many != NULL);
        memcpy(document->call.many, model_lines(effect->call), bytes);
    }
    model->totals.orders[state == MODEL_STATE_OTHER ? 0 : state]++;
    return document;
}

static bool apply_change(const struct effect *effect) {
    const struct model_call *call = effect->call;
    int64_t remaining = 0;

    apply_document(effect, MODEL_STATE_OTHER);
    apply_lines(effect, call, 1);
    if (call->line_count == 1) {
        const struct model_line *line = &model_lines(call)[0];
        remaining = effect->model->products[line->sku].stocks[line->location].available;
    }
    return apply_expect(effect, effect->answer->ticket.remaining == remaining, "remaining");
}

static bool apply_move(const struct effect *effect) {
    const struct model_line *from = &effect->call->few[0];
    struct model_line to = *from;
    bool moved = false;

    apply_document(effect, MODEL_STATE_OTHER);
    apply_quantity(effect, from, -from->quantity, &moved);
    moved = false;
    to.location = effect->call->to;
    apply_quantity(effect, &to, to.quantity, &moved);
    int64_t remaining = effect->model->products[from->sku].stocks[from->location].available;
    return apply_expect(effect, effect->answer->ticket.remaining == remaining, "remaining");
}

/* ---- Money ---- */

static int64_t apply_money(const struct effect *effect, uint64_t account, int64_t delta) {
    struct model_account *at = &effect->model->accounts[account];

    at->balance += delta;
    at->version = effect->answer->ticket.lsn;
    return at->balance;
}

/* Money that comes in from outside, or goes there. */
static int64_t apply_entry_outside(const struct effect *effect, uint64_t account, int64_t delta) {
    cellar_totals *totals = &effect->model->totals;

    totals->balances += delta;
    if (delta > 0) {
        totals->credited += delta;
    } else {
        totals->debited -= delta;
    }
    return apply_money(effect, account, delta);
}

static bool apply_entry(const struct effect *effect) {
    const struct model_call *call = effect->call;
    int64_t balance;

    apply_document(effect, MODEL_STATE_OTHER);
    if (call->kind == MODEL_TRANSFER) {
        balance = apply_money(effect, call->account, -call->amount);
        apply_money(effect, call->to, call->amount);
    } else {
        balance = apply_entry_outside(effect, call->account,
                                      call->kind == MODEL_CREDIT ? call->amount : -call->amount);
    }
    return apply_expect(effect, effect->answer->ticket.remaining == balance, "remaining");
}

static bool apply_account(const struct effect *effect) {
    struct model_account *account = &effect->model->accounts[effect->call->account];

    effect->model->totals.accounts += !account->exists;
    account->exists = true;
    account->floor = effect->call->amount;
    account->version = effect->answer->ticket.lsn;
    return apply_expect(effect, effect->answer->ticket.remaining == account->balance, "remaining");
}

/* ---- Orders ---- */

static void apply_customer(struct model *model, uint64_t customer) {
    if (customer != 0 && !model->customers[customer]) {
        model->customers[customer] = true;
        model->totals.customers++;
    }
}

static int64_t apply_units(const struct model_call *call) {
    int64_t units = 0;

    for (uint32_t i = 0; i < call->line_count; i++) {
        units += model_lines(call)[i].quantity;
    }
    return units;
}

static void apply_reserve(struct model *model, const struct model_call *of, int64_t sign) {
    for (uint32_t i = 0; i < of->line_count; i++) {
        const struct model_line *line = &model_lines(of)[i];
        model->products[line->sku].stocks[line->location].reserved += sign * line->quantity;
    }
}

static bool apply_place(const struct effect *effect) {
    const struct model_call *call = effect->call;
    uint32_t state = call->state == 0 ? CELLAR_ORDER_PLACED : call->state;
    struct model_document *order = apply_document(effect, state);
    cellar_totals *totals = &effect->model->totals;
    uint32_t line;

    (void)model_total(call, &order->total, &line);
    order->account = call->account;
    apply_lines(effect, call, -1);
    if (state == CELLAR_ORDER_FULFILLED) {
        totals->units_fulfilled += apply_units(call);
    } else {
        apply_reserve(effect->model, call, 1);
    }
    totals->units_ordered += apply_units(call);
    totals->order_lines += call->line_count;
    totals->revenue += order->total;
    apply_customer(effect->model, call->customer);
    if (call->account != 0) {
        apply_entry_outside(effect, call->account, -order->total);
    }
    return apply_expect(effect, effect->answer->ticket.remaining == order->total, "remaining");
}

static bool apply_return(const struct effect *effect) {
    const struct model_call *call = effect->call;
    struct model_document *order = apply_document(effect, CELLAR_ORDER_RETURNED);
    int64_t total;
    uint32_t line;

    (void)model_total(call, &total, &line);
    order->total = -total;
    order->account = call->account;
    apply_lines(effect, call, 1);
    effect->model->totals.return_lines += call->line_count;
    effect->model->totals.returned_value += total;
    apply_customer(effect->model, call->customer);
    if (call->account != 0) {
        apply_entry_outside(effect, call->account, total);
    }
    return apply_expect(effect, effect->answer->ticket.remaining == 0, "remaining");
}

static bool apply_step(const struct effect *effect) {
    const struct model_call *call = effect->call;
    struct model_document *order = &effect->model->documents[call->id];
    cellar_totals *totals = &effect->model->totals;

    totals->orders[order->state]--;
    if (call->kind == MODEL_PAY) {
        order->state = CELLAR_ORDER_PAID;
        order->account = call->account;
        if (call->account != 0) {
            apply_entry_outside(effect, call->account, -order->total);
        }
    } else if (call->kind == MODEL_FULFIL) {
        order->state = CELLAR_ORDER_FULFILLED;
        apply_reserve(effect->model, &order->call, -1);
        totals->units_fulfilled += apply_units(&order->call);
    } else {
        order->state = CELLAR_ORDER_CANCELLED;
        apply_reserve(effect->model, &order->call, -1);
        apply_lines(effect, &order->call, 1);
        totals->units_ordered -= apply_units(&order->call);
        totals->revenue -= order->total;
        if (order->account != 0) {
            apply_entry_outside(effect, order->account, order->total);
        }
    }
    totals->orders[order->state]++;
    order->version = effect->answer->ticket.lsn;
    order->changed_ns = effect->answer->ticket.time_ns;
    return apply_expect(effect, effect->answer->ticket.remaining == 0, "remaining");
}

/* ---- Products ---- */

static bool apply_put(const struct effect *effect) {
    const struct model_call *call = effect->call;
    const cellar_ticket *ticket = &effect->answer->ticket;
    struct model *model = effect->model;
    uint32_t sku = call->few[0].sku;
    struct model_product *product = &model->products[sku];
    bool was = product->put.state == CELLAR_PRODUCT_DISCONTINUED;
    bool is = call->state == CELLAR_PRODUCT_DISCONTINUED;

    if (!product->exists) {
        product->exists = true;
        product->created_ns = ticket->time_ns;
        product->stocks[0].exists = true;
        model->totals.products++;
        model->totals.stocks++;
        apply_movement(effect, &product->stocks[0], CELLAR_MOVEMENT_OPENED, 0);
    } else if (was != is) {
        for (uint32_t location = 0; location < MODEL_LOCATIONS; location++) {
            if (product->stocks[location].exists) {
                apply_movement(effect, &product->stocks[location], CELLAR_MOVEMENT_STATUS, 0);
            }
        }
    }
    product->version = ticket->lsn;
    product->updated_ns = ticket->time_ns;
    product->put = *call;
    if (model->numbers[sku] == 0) {
        model->numbers[sku] = ticket->object;
    }
    return apply_expect(effect, ticket->object != 0 && ticket->object == model->numbers[sku],
                        "number") &&
           apply_expect(effect, ticket->remaining == 0, "remaining");
}

/* ---- All ---- */

static bool apply_ticket(const struct effect *effect) {
    const cellar_ticket *ticket = &effect->answer->ticket;

    return apply_expect(effect, ticket->lsn % 64 == 0 && ticket->lsn > effect->model->last_lsn,
                        "lsn") &&
           apply_expect(effect, effect->call->kind == MODEL_PUT || ticket->object == 0, "object");
}

static bool apply_call(const struct effect *effect) {
    switch (effect->call->kind) {
    case MODEL_PUT:
        return apply_put(effect);
    case MODEL_TAKE:
    case MODEL_COUNT:
    case MODEL_SAFETY:
        return apply_single(effect);
    case MODEL_MOVE:
        return apply_move(effect);
    case MODEL_OPEN:
    case MODEL_FLOOR:
        return apply_account(effect);
    case MODEL_CREDIT:
    case MODEL_DEBIT:
    case MODEL_TRANSFER:
        return apply_entry(effect);
    case MODEL_PLACE:
        return apply_place(effect);
    case MODEL_RETURN:
        return apply_return(effect);
    case MODEL_PAY:
    case MODEL_FULFIL:
    case MODEL_CANCEL:
        return apply_step(effect);
    case MODEL_OPENING:
        return apply_opening(effect);
    default:
        return apply_change(effect);
    }
}

bool model_apply(struct model *model, const struct model_call *call,
                 const struct model_answer *answer) {
    const struct effect effect = {.model = model, .call = call, .answer = answer};

    if (!apply_ticket(&effect)) {
        return false;
    }
    model->last_lsn = answer->ticket.lsn;
    return apply_call(&effect) && model->problem[0] == '\0';
}
