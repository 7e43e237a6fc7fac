/* What follows from the records of stock. One thread, in LSN order. */
#include "store/store.h"

#include "base/assert.h"

static enum store_apply_result stock_restore(struct store *store,
                                             const struct payload_stock_open *payload) {
    if (payload->product == 0 || payload->product >= slots_end(&store->product_slots) ||
        store->products[payload->product].slot == 0 || payload->location == 0) {
        return STORE_APPLY_BROKEN;
    }
    if (!slots_raise(&store->stock_slots, payload->stock)) {
        return STORE_APPLY_LIMIT;
    }
    struct store_stock *stock = &store->stocks[payload->stock];
    if (stock->product != 0) {
        bool same = stock->product == payload->product && stock->location == payload->location;
        return same ? STORE_APPLIED : STORE_APPLY_BROKEN;
    }
    stock->product = payload->product;
    stock->location = payload->location;
    const struct store_place_key key = {stock->product, stock->location};
    uint64_t hash = store_hash_place(store, key.product, key.location);
    if (table_add(&store->stock_table, hash, &key, payload->stock) != payload->stock) {
        return STORE_APPLY_BROKEN;
    }
    struct store_product *product = &store->products[payload->product];
    stock->next = ATOMIC_LOAD(&product->more_stocks, relaxed);
    ATOMIC_STORE(&product->more_stocks, payload->stock, relaxed);
    return STORE_APPLIED;
}

static void stock_note_safety(struct store_stock *stock, int64_t safety) {
    stock->safety = safety;
    if (safety < stock->safety_lowest) {
        stock->safety_lowest = safety;
    }
}

static void stock_apply_lines(struct store *store, const struct store_part *part) {
    const struct payload_document *document = part->payload;
    cellar_totals *totals = &store->totals;
    struct content content;
    content_of(&content, document, part->bytes);
    for (uint32_t i = 0; i < content.line_count; i++) {
        struct content_line line = content_line(&content, i);
        int64_t quantity = line.quantity;
        struct store_stock *stock = &store->stocks[line.stock];
        switch (document->type) {
        case CELLAR_MOVEMENT_RECEIVED:
            store_sum(&totals->units_received, quantity);
            store_sum_shared(&stock->on_hand, quantity);
            break;
        case CELLAR_MOVEMENT_ADJUSTED:
        case CELLAR_MOVEMENT_COUNTED:
            store_sum(&totals->units_adjusted, quantity);
            store_sum_shared(&stock->on_hand, quantity);
            break;
        case CELLAR_MOVEMENT_SAFETY:
            stock_note_safety(stock, quantity);
            break;
        case CELLAR_MOVEMENT_TAKEN:
            store_sum(&totals->units_taken, quantity);
            store_sum_shared(&stock->on_hand, -quantity);
            store_sell(store, line.stock, quantity);
            break;
        case CELLAR_MOVEMENT_MOVED:
            store_sum_shared(&stock->on_hand, quantity);
            break;
        default:
            break;
        }
    }
}

static uint32_t stock_of_record(const struct record_header *record) {
    return CELL_SLOT(record_cells(record)[0]) / STORE_STOCK_CELLS;
}

/* The change of available that a record without lines makes. */
static int64_t stock_apply_single(struct store *store, const struct record_header *record) {
    const struct record_update *update = record_updates(record);
    int64_t delta = update->new_value - update->old_value;
    store_sum_shared(&store->stocks[stock_of_record(record)].on_hand, delta);
    return delta;
}

static void stock_apply_take(struct store *store, const struct record_header *record) {
    int64_t taken = -stock_apply_single(store, record);
    store_sum(&store->totals.units_taken, taken);
    store_sell(store, stock_of_record(record), taken);
}

static enum store_apply_result stock_apply_safety(struct store *store,
                                                  const struct record_header *record) {
    uint32_t slot = stock_of_record(record);
    const struct record_update *update =
        record_find(record, store_stock_cell(slot, STORE_STOCK_SAFETY_CELL));
    if (update == NULL) {
        return STORE_APPLY_BROKEN;
    }
    stock_note_safety(&store->stocks[slot], update->new_value);
    return STORE_APPLIED;
}

enum store_apply_result stock_apply(struct store *store, const struct store_part *part) {
    const struct record_header *record = part->record;
    if (part->kind == STORE_STOCK_OPEN) {
        enum store_apply_result result = stock_restore(store, part->payload);
        store->totals.stocks += result == STORE_APPLIED;
        return result;
    }
    if (part->kind == STORE_STOCK_CHANGE) {
        enum store_apply_result result =
            order_apply_document(store, part, part->payload, STORE_STATE_OTHER, 0);
        if (result == STORE_APPLIED) {
            stock_apply_lines(store, part);
        }
        return result;
    }
    ASSERT(part->whole);
    if (CELL_CLASS(record_cells(record)[0]) != STORE_CELLS_STOCK) {
        return STORE_APPLY_BROKEN;
    }
    if (part->kind == STORE_STOCK_SAFETY) {
        return stock_apply_safety(store, record);
    }
    if (part->kind == STORE_STOCK_TAKE) {
        stock_apply_take(store, record);
    } else {
        store_sum(&store->totals.units_adjusted, stock_apply_single(store, record));
    }
    return STORE_APPLIED;
}
