/* Whether the cells that a record of the log changes belong to objects that are known. */
#include "store/store.h"

#include "commit/record.h"

static bool known_document(int64_t value) {
    uint32_t state = store_document_state(value);
    return store_document_deadline_ms(value) <= STORE_DEADLINE_MS_MAX &&
           (store_state_is_order(state) || state == STORE_STATE_OTHER ||
            store_state_is_account_hold(state));
}

static bool known_coupon_cell(const struct coupons *coupons, uint32_t cell) {
    uint32_t slot = CELL_SLOT(cell);
    switch (CELL_CLASS(cell)) {
    case STORE_CELLS_GRANT:
        return slot < slots_end(&coupons->grant_slots) &&
               ATOMIC_LOAD(&coupons->grants[slot].listed, relaxed) != 0;
    case STORE_CELLS_CODE:
        return slot < slots_end(&coupons->code_slots) &&
               ATOMIC_LOAD(&coupons->codes[slot].uses, relaxed) != 0;
    case STORE_CELLS_CAMPAIGN:
        slot /= COUPON_CAMPAIGN_CELLS;
        return slot < slots_end(&coupons->campaign_slots) &&
               ATOMIC_LOAD(&coupons->campaigns[slot].created_lsn, relaxed) != 0;
    default: /* of no kind */
        return false;
    }
}

/* Slot 0 of each kind is nobody's. */
static bool known_cell(const struct store *store, uint32_t cell, int64_t value) {
    uint32_t slot = CELL_SLOT(cell);
    switch (CELL_CLASS(cell)) {
    case STORE_CELLS_DOCUMENT:
        /* Zero or less: there is no document, and slots whose id was refused are retired so. */
        return slot != 0 &&
               (value <= 0 ? store->orders[slot].slot == 0
                           : known_document(value) && store->orders[slot].slot == slot);
    case STORE_CELLS_LEASE:
        slot /= 2;
        return slot != 0 && slot < slots_end(&store->lease_slots) &&
               store->leases[slot].slot == slot;
    case STORE_CELLS_ACCOUNT:
    case STORE_CELLS_SETTLED:
        slot /= CELL_CLASS(cell) == STORE_CELLS_ACCOUNT ? STORE_ACCOUNT_CELLS : 1;
        return slot != 0 && slot < slots_end(&store->account_slots) &&
               store->accounts[slot].slot == slot;
    case STORE_CELLS_PRODUCT:
        return slot != 0 && slot < slots_end(&store->product_slots) &&
               store->products[slot].slot == slot;
    case STORE_CELLS_STOCK:
        slot /= STORE_STOCK_CELLS;
        return slot < slots_end(&store->stock_slots) && store->stocks[slot].product != 0;
    default:
        return known_coupon_cell(&store->coupons, cell);
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
