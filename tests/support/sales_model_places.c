/* Where the units of an order come from: the locations of its lines, or those that it names. */
#include "support/sales_model_parts.h"

/* ---- Placing ---- */

/* What may be sold of it after what earlier lines of the order take; 0 where it never was. */
static int64_t free_of(const struct sales_model *model, uint32_t stock,
                       const int64_t used[SALES_STOCKS]) {
    const struct sales_stock_state *state = &model->state.stocks[stock];
    int64_t left = state->available - state->safety - used[stock];
    return left > 0 ? left : 0;
}

/* The place of a line that has all of it; `count`: none. */
static uint32_t first_with_all(const struct sales_model *model, const uint32_t *stocks,
                               uint32_t count, int64_t needed, const int64_t used[SALES_STOCKS]) {
    uint32_t place = 0;
    while (place < count && (model->state.stocks[stocks[place]].status != CELLAR_OK ||
                             free_of(model, stocks[place], used) < needed)) {
        place++;
    }
    return place;
}

/* So many pieces of a SKU from the first place that has all, or from several, in their order, when
 * the order may be split. */
static void take(const struct sales_model *model, const uint32_t *stocks, uint32_t count,
                 bool split, int64_t needed, int64_t used[SALES_STOCKS],
                 int64_t taken[SALES_LOCATIONS], struct sales_answer *answer) {
    uint32_t place = first_with_all(model, stocks, count, needed, used);
    int64_t all = 0;
    bool found = false;
    for (uint32_t i = 0; i < count; i++) {
        found = found || model->state.stocks[stocks[i]].status == CELLAR_OK;
        all += free_of(model, stocks[i], used);
    }
    if (!found) {
        sales_model_refuse(answer, CELLAR_NOT_FOUND);
        return;
    }
    if (place == count && (!split || all < needed)) {
        sales_model_refuse(answer, CELLAR_OUT_OF_STOCK);
        return;
    }
    for (uint32_t i = place == count ? 0 : place; needed > 0; i++) {
        int64_t left = free_of(model, stocks[i], used);
        taken[i] = left < needed ? left : needed;
        used[stocks[i]] += taken[i];
        needed -= taken[i];
    }
}

/* The pieces of each SKU in a unit. */
static void fill_pieces(const struct sales_model *model, uint32_t sku, int64_t pieces[SALES_SKUS]) {
    for (uint32_t i = 0; i < SALES_SKUS; i++) {
        pieces[i] = sku == SALES_KIT ? model->components[i] : i == sku;
    }
}

void sales_model_allocate(const struct sales_model *model, const cellar_order_request *request,
                          struct sales_model_order *order, struct sales_answer *answer) {
    int64_t used[SALES_STOCKS] = {0};
    uint32_t count = request->location_count == 0 ? 1 : (uint32_t)request->location_count;
    for (uint32_t i = 0; i < request->line_count; i++) {
        const cellar_line *line = &request->lines[i];
        fill_pieces(model, sales_sku_number(line->sku), order->pieces[i]);
        for (uint32_t place = 0; place < count; place++) {
            order->places[i][place] =
                request->location_count == 0 ? line->location : request->locations[place];
        }
        for (uint32_t sku = 0; sku < SALES_SKUS; sku++) {
            uint32_t stocks[SALES_LOCATIONS];
            for (uint32_t place = 0; place < count; place++) {
                stocks[place] = sales_model_stock_number(sales_sku(sku), order->places[i][place]);
            }
            if (order->pieces[i][sku] != 0) {
                take(model, stocks, count, request->split, line->quantity * order->pieces[i][sku],
                     used, order->taken[i][sku], answer);
            }
        }
    }
}

/* ---- What becomes of them ---- */

void sales_model_pieces(const struct sales_model_order *order, uint32_t line, int64_t from,
                        int64_t to, int64_t pieces[SALES_STOCKS]) {
    for (uint32_t sku = 0; sku < SALES_SKUS; sku++) {
        int64_t first = from * order->pieces[line][sku];
        int64_t end = to * order->pieces[line][sku];
        int64_t before = 0;
        for (uint32_t place = 0; place < SALES_LOCATIONS; place++) {
            int64_t behind = before + order->taken[line][sku][place];
            int64_t low = first > before ? first : before;
            int64_t high = end < behind ? end : behind;
            uint32_t stock = sales_model_stock_number(sales_sku(sku), order->places[line][place]);
            pieces[stock] += high > low ? high - low : 0;
            before = behind;
        }
    }
}
