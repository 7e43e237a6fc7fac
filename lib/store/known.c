/* Whether the cells that a record of the log changes belong to objects that are known. */
#include "store/store.h"

#include "commit/record.h"

static bool known_state(uint32_t state) {
    return store_state_is_order(state) || state == STORE_STATE_OTHER ||
           store_state_is_account_hold(state);
}

static bool known_cell(const struct store *store, uint32_t cell, int64_t value) {
    uint32_t slot = CELL_SLOT(cell);
    switch (CELL_CLASS(cell)) {
    case STORE_CELLS_DOCUMENT:
        /* Zero or less: there is no document, and slots whose id was refused are retired so. */
        return value <= 0
                   ? store->orders[slot].slot == 0
                   : known_state(store_document_state(value)) && store->orders[slot].slot == slot;
    case STORE_CELLS_LEASE:
        slot /= 2;
        return slot < slots_end(&store->lease_slots) && store->leases[slot].slot == slot;
    case STORE_CELLS_ACCOUNT:
    case STORE_CELLS_SETTLED:
        slot /= CELL_CLASS(cell) == STORE_CELLS_ACCOUNT ? STORE_ACCOUNT_CELLS : 1;
        return slot < slots_end(&store->account_slots) && store->accounts[slot].slot == slot;
    case STORE_CELLS_PRODUCT:
        return slot < slots_end(&store->product_slots) && store->products[slot].slot == slot;
    case STORE_CELLS_STOCK:
        slot /= STORE_STOCK_CELLS;
        return slot < slots_end(&store->stock_slots) && store->stocks[slot].product != 0;
    default:
        return true;
    }
}

bool store_record_known(const struct store *store, const struct record_header *record) {
    const struct record_update *updates = record_updates(record);
    const uint32_t *cells = record_cells(record);
    for (uint32_t i = 0; i < record->cell_count; i++) {
        if (!known_cell(store, cells[i], updates[i].new_value)) {
            return false;
        }
    }
    return true;
}
