/* Products and stocks. */
#include "support/sales_model_parts.h"

uint32_t sales_model_stock_number(const char *sku, uint32_t location) {
    return sales_sku_number(sku) * SALES_LOCATIONS + location;
}

static struct sales_stock_state *stock_of(struct sales_model *model, const cellar_line *line) {
    return &model->state.stocks[sales_model_stock_number(line->sku, line->location)];
}

void sales_model_open(struct sales_model *model, uint32_t stock) {
    model->state.stocks[stock].status = CELLAR_OK;
}

void sales_model_product(struct sales_model *model, const cellar_product *product) {
    uint32_t stock = sales_model_stock_number(product->sku, 0);
    model->state.totals.products += model->state.stocks[stock].status != CELLAR_OK;
    sales_model_open(model, stock);
    for (uint32_t i = 0; i < product->component_count; i++) {
        const cellar_component *component = &product->components[i];
        model->components[sales_sku_number(component->sku)] = component->quantity;
    }
}

/* ---- Changes of several lines ---- */

static void refuse_change(const struct sales_stock_state *stock, cellar_operation_kind kind,
                          int64_t quantity, struct sales_answer *answer) {
    bool enough = true;
    if (stock->status != CELLAR_OK) {
        if (kind != CELLAR_OPERATION_STOCK_RECEIVE) {
            sales_model_refuse(answer, CELLAR_NOT_FOUND);
        }
        return;
    }
    switch (kind) {
    case CELLAR_OPERATION_STOCK_ADJUST:
        enough = stock->available + quantity >= 0;
        break;
    case CELLAR_OPERATION_STOCK_SET_ASIDE:
        enough = stock->available - quantity >= 0 && stock->unsellable + quantity >= 0;
        break;
    case CELLAR_OPERATION_STOCK_TAKE:
        /* A sale. */
        enough = stock->available - stock->safety >= quantity;
        break;
    default:
        break;
    }
    if (!enough) {
        sales_model_refuse(answer, CELLAR_OUT_OF_STOCK);
    }
}

static void do_change(struct sales_model *model, uint32_t number, cellar_operation_kind kind,
                      int64_t quantity) {
    struct sales_stock_state *stock = &model->state.stocks[number];
    struct sales_totals_state *totals = &model->state.totals;
    sales_model_open(model, number);
    switch (kind) {
    case CELLAR_OPERATION_STOCK_RECEIVE:
        stock->available += quantity;
        totals->units_received += quantity;
        break;
    case CELLAR_OPERATION_STOCK_ADJUST:
        stock->available += quantity;
        totals->units_adjusted += quantity;
        break;
    case CELLAR_OPERATION_STOCK_SET_ASIDE:
        stock->available -= quantity;
        stock->unsellable += quantity;
        break;
    default:
        stock->available -= quantity;
        totals->units_taken += quantity;
        break;
    }
}

void sales_model_change(struct sales_model *model, const struct sales_operation *step,
                        struct sales_answer *answer) {
    const cellar_stock_change *change = &step->stock;
    cellar_operation_kind kind = step->operation.kind;
    int64_t quantities[SALES_STOCKS] = {0};
    if (!sales_model_is_new(model, change->id, answer)) {
        return;
    }
    for (size_t i = 0; i < change->line_count; i++) {
        const cellar_line *line = &change->lines[i];
        quantities[sales_model_stock_number(line->sku, line->location)] += line->quantity;
    }
    for (uint32_t i = 0; i < SALES_STOCKS; i++) {
        if (quantities[i] != 0) {
            refuse_change(&model->state.stocks[i], kind, quantities[i], answer);
        }
    }
    if (answer->reason_count != 0) {
        return;
    }
    for (uint32_t i = 0; i < SALES_STOCKS; i++) {
        if (quantities[i] != 0) {
            do_change(model, i, kind, quantities[i]);
        }
    }
    sales_model_make_document(model, change->id);
    answer->remaining = change->line_count == 1 ? stock_of(model, change->lines)->available : 0;
}

/* ---- Of one line ---- */

void sales_model_move(struct sales_model *model, const cellar_stock_level *level,
                      struct sales_answer *answer) {
    const cellar_line *line = level->line;
    struct sales_stock_state *from = stock_of(model, line);
    uint32_t to = sales_model_stock_number(line->sku, level->to_location);
    if (!sales_model_is_new(model, level->id, answer)) {
        return;
    }
    if (from->status != CELLAR_OK) {
        sales_model_refuse(answer, CELLAR_NOT_FOUND);
    } else if (from->available < line->quantity) {
        sales_model_refuse(answer, CELLAR_OUT_OF_STOCK);
    } else {
        sales_model_open(model, to);
        from->available -= line->quantity;
        model->state.stocks[to].available += line->quantity;
        sales_model_make_document(model, level->id);
        answer->remaining = from->available;
    }
}

void sales_model_count(struct sales_model *model, const cellar_line *line,
                       struct sales_answer *answer) {
    struct sales_stock_state *stock = stock_of(model, line);
    if (stock->status != CELLAR_OK) {
        sales_model_refuse(answer, CELLAR_NOT_FOUND);
        return;
    }
    model->state.totals.units_adjusted += line->quantity - stock->available;
    stock->available = line->quantity;
    answer->remaining = stock->available;
}

void sales_model_safety(struct sales_model *model, const cellar_line *line,
                        struct sales_answer *answer) {
    struct sales_stock_state *stock = stock_of(model, line);
    if (stock->status != CELLAR_OK) {
        sales_model_refuse(answer, CELLAR_NOT_FOUND);
        return;
    }
    stock->safety = line->quantity;
    answer->remaining = stock->available;
}
