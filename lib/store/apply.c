/* Dispatching records to what applies them; the hints and checks before it, and the end of
 * recovery. */
#include "store/store.h"

#include <string.h>

/* Cells of a record that store_fetch() looks at. */
#define APPLY_FETCH_MAX 16

static enum store_apply_result apply_kind(struct store *store, const struct store_part *part) {
    switch (part->kind) {
    case STORE_PRODUCT:
        return product_apply(store, part);
    case STORE_STOCK_OPEN:
    case STORE_STOCK_CHANGE:
    case STORE_STOCK_TAKE:
    case STORE_STOCK_COUNT:
    case STORE_STOCK_SAFETY:
        return stock_apply(store, part);
    case STORE_ACCOUNT_OPEN:
    case STORE_ACCOUNT_FLOOR:
    case STORE_ACCOUNT_ENTRY:
    case STORE_ACCOUNT_SETTLE:
        return account_apply(store, part);
    case STORE_ACCOUNT_HOLD:
    case STORE_ACCOUNT_HOLD_STEP:
        return account_hold_apply(store, part);
    case STORE_LEASE_ACQUIRE:
    case STORE_LEASE_RENEW:
    case STORE_LEASE_RELEASE:
        return lease_apply(store, part);
    case STORE_ORDER_PLACE:
    case STORE_ORDER_STEP:
    case STORE_ORDER_RETURN:
        return order_apply(store, part);
    case STORE_CAMPAIGN_PUT:
    case STORE_COUPON_CLAIM:
    case STORE_COUPON_REVOKE:
    case STORE_COUPON_REDEEM:
    case STORE_COUPON_RESTORE:
    case STORE_CODE_ADD:
        return coupon_apply(store, part);
    case STORE_RETIRE:
        return closed_apply(store, part);
    case RECORD_MARK:
        return STORE_APPLIED;
    default:
        return STORE_APPLY_BROKEN;
    }
}

/* Memory for what is paid is asked for first: what was applied is not applied again. */
static enum store_apply_result apply_part(struct store *store, const struct store_part *part) {
    struct store_payment payment;
    bool pays = account_payment_of(part, &payment);
    if (pays && !account_reserve_payment(store, part->record->lsn, &payment)) {
        return STORE_APPLY_NO_MEMORY;
    }
    enum store_apply_result result = apply_kind(store, part);
    if (pays && result == STORE_APPLIED) {
        account_apply_payment(store, part->record->lsn, &payment);
    }
    return result;
}

/* The document that a composed transaction with an id is. */
static enum store_apply_result apply_composed(struct store *store,
                                              const struct record_header *record,
                                              const struct payload_composed *composed) {
    const struct payload_document document = {.id = composed->id,
                                              .fingerprint = composed->fingerprint,
                                              .time_ns = composed->time_ns,
                                              .slot = composed->slot};
    const struct store_part part = {
        .record = record, .kind = STORE_COMPOSED, .ordinal = (uint8_t)composed->part_count};
    return order_apply_document(store, &part, &document, STORE_STATE_OTHER, 0);
}

enum store_apply_result store_apply(struct store *store, const struct record_header *record) {
    struct store_parts parts;
    if (!parts_begin(&parts, record)) {
        return STORE_APPLY_BROKEN;
    }
    uint32_t at = 0;
    do {
        /* Called again after memory was short: what was applied stays so. */
        if (at++ < store->parts_applied) {
            continue;
        }
        enum store_apply_result result = apply_part(store, &parts.next);
        if (result != STORE_APPLIED) {
            return result;
        }
        store->parts_applied = at;
    } while (parts_next(&parts));
    if (parts.composed != NULL) {
        enum store_apply_result result = apply_composed(store, record, parts.composed);
        if (result != STORE_APPLIED) {
            return result;
        }
    }
    store->parts_applied = 0;
    return STORE_APPLIED;
}

/* The document of an order that is placed, else NULL. */
static const struct payload_document *apply_fetched_order(const struct record_header *record) {
    bool placed = part_kind(record) == STORE_ORDER_PLACE &&
                  record_payload_bytes(record) >= sizeof(struct payload_document);
    return placed ? record_payload(record) : NULL;
}

void store_fetch(const struct store *store, const struct record_header *record, bool recovering) {
    const uint32_t *indexes = record_cells(record);
    uint32_t count = record->cell_count < APPLY_FETCH_MAX ? record->cell_count : APPLY_FETCH_MAX;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t class = CELL_CLASS(indexes[i]);
        uint32_t slot = CELL_SLOT(indexes[i]);
        if (recovering) {
            __builtin_prefetch(&store->commit->cells[indexes[i]], 1);
        }
        if (class == STORE_CELLS_STOCK && slot / STORE_STOCK_CELLS <= store->stock_slots.limit) {
            const struct store_stock *stock = &store->stocks[slot / STORE_STOCK_CELLS];
            cache_fetch_to_write(stock, sizeof *stock);
        } else if (class == STORE_CELLS_DOCUMENT && slot <= store->order_slots.limit) {
            cache_fetch_to_write(&store->orders[slot], sizeof *store->orders);
        }
    }
    const struct payload_document *document = apply_fetched_order(record);
    if (document != NULL) {
        table_fetch_head(&store->customer_table, store_hash_number(store, document->customer));
        if (recovering) {
            table_fetch_head(&store->order_table, store_hash_id(store, document->id));
        }
    }
}

void store_fetch_more(const struct store *store, const struct record_header *record,
                      bool recovering) {
    const uint32_t *indexes = record_cells(record);
    uint32_t count = record->cell_count < APPLY_FETCH_MAX ? record->cell_count : APPLY_FETCH_MAX;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t stock = CELL_SLOT(indexes[i]) / STORE_STOCK_CELLS;
        if (CELL_CLASS(indexes[i]) == STORE_CELLS_STOCK && stock <= store->stock_slots.limit) {
            __builtin_prefetch(&store->sold[store->stocks[stock].product], 1);
        }
    }
    const struct payload_document *document = apply_fetched_order(record);
    if (document != NULL) {
        table_fetch_first(&store->customer_table, store_hash_number(store, document->customer));
        if (recovering) {
            table_fetch_first(&store->order_table, store_hash_id(store, document->id));
        }
    }
}

/* A document with an id changes its own cell. */
static bool apply_check_identity(const struct record_header *record, cellar_id id, uint32_t slot) {
    bool identified = id.high != 0 || id.low != 0;
    return identified == (slot != 0) &&
           (!identified || record_find(record, store_order_cell(slot)) != NULL);
}

static bool apply_check_stock(const struct store *store, uint32_t stock) {
    return stock != 0 && stock < slots_end(&store->stock_slots);
}

/* Those that a document of the kind may have. */
static uint16_t apply_flags(uint16_t kind) {
    switch (kind) {
    case STORE_ORDER_PLACE:
        return PAYLOAD_FLAGS;
    case STORE_ORDER_RETURN:
        return PAYLOAD_PAYEE | PAYLOAD_ACCOUNT | PAYLOAD_BUSINESS_TIME | PAYLOAD_WIDE;
    case STORE_ACCOUNT_ENTRY:
        return PAYLOAD_ACCOUNT;
    default:
        return PAYLOAD_WIDE;
    }
}

static bool apply_check_document(const struct store *store, const struct store_part *part) {
    const struct payload_document *document = part->payload;
    struct content content;
    if (part->bytes < sizeof *document ||
        !content_read(&content, document + 1, part->bytes - sizeof *document, document->line_count,
                      document->flags, document->reference_bytes) ||
        !apply_check_identity(part->record, document->id, document->slot)) {
        return false;
    }
    bool placed = part->kind == STORE_ORDER_PLACE;
    if ((placed && document->slot == 0) || (document->flags & ~apply_flags(part->kind)) != 0 ||
        (content.hold_until_ms != 0 && document->type != CELLAR_ORDER_PLACED)) {
        return false;
    }
    bool sold = placed || part->kind == STORE_ORDER_RETURN;
    for (uint32_t i = 0; i < document->line_count; i++) {
        struct content_line line = content_line(&content, i);
        int64_t value;
        if (!apply_check_stock(store, line.stock) ||
            (sold && (line.quantity <= 0 ||
                      __builtin_mul_overflow(line.quantity, line.unit_price, &value)))) {
            return false;
        }
    }
    if (content.redeem != NULL && !coupon_check_redeem(store, content.redeem)) {
        return false;
    }
    for (uint32_t i = 0; i < content.allocation_count; i++) {
        if (!apply_check_stock(store, content.allocations[i].stock)) {
            return false;
        }
    }
    return true;
}

static bool apply_check_step(const struct store *store, const struct store_part *part) {
    const struct payload_step *step = part->payload;
    if (part->bytes < sizeof *step || step->part_count > CELLAR_LINES_MAX ||
        step->move_count > RECORD_CELLS_MAX || step->until_ms < 0 ||
        step->until_ms > STORE_DEADLINE_MS_MAX || step->has_payee > 1 ||
        part->bytes != sizeof *step + step->part_count * sizeof(struct payload_part_of_order) +
                           step->move_count * sizeof(struct payload_move) +
                           (step->slot == 0 ? 0 : sizeof(struct payload_identity)) +
                           step->has_payee * sizeof(uint64_t)) {
        return false;
    }
    const struct payload_part_of_order *parts = payload_step_parts(step);
    for (uint32_t i = 0; i < step->part_count; i++) {
        if (parts[i].quantity <= 0 || (i > 0 && parts[i].line <= parts[i - 1].line)) {
            return false;
        }
    }
    const struct payload_move *moves = payload_step_moves(step);
    for (uint32_t i = 0; i < step->move_count; i++) {
        if (!apply_check_stock(store, moves[i].stock) || moves[i].quantity <= 0) {
            return false;
        }
    }
    return step->slot == 0 ||
           apply_check_identity(part->record, payload_step_identity(step)->id, step->slot);
}

/* Component `index` of a kit: a product that is there, named once, not the kit itself. */
static bool apply_check_component(const struct store *store, const struct payload_product *kit,
                                  uint32_t index) {
    const struct payload_component *component = &payload_components(kit)[index];
    for (uint32_t i = 0; i < index; i++) {
        if (payload_components(kit)[i].product == component->product) {
            return false;
        }
    }
    return component->product != 0 && component->product != kit->product &&
           component->product < slots_end(&store->product_slots) &&
           store->products[component->product].slot == component->product &&
           component->quantity >= 1 && component->quantity <= CELLAR_COMPONENT_QUANTITY_MAX;
}

static bool apply_check_product(const struct store *store, const struct store_part *part) {
    const struct payload_product *product = part->payload;
    if (part->bytes < sizeof *product || product->component_count > CELLAR_COMPONENTS_MAX) {
        return false;
    }
    size_t components = product->component_count * sizeof(struct payload_component);
    if (part->bytes < sizeof *product + components) {
        return false;
    }
    for (uint32_t i = 0; i < product->component_count; i++) {
        if (!apply_check_component(store, product, i)) {
            return false;
        }
    }
    if (part->bytes < sizeof *product + components + product->sku_bytes ||
        memchr(payload_product_text(product), 0, product->sku_bytes) != NULL) {
        return false;
    }
    return part->whole && product->status <= CELLAR_PRODUCT_DISCONTINUED &&
           product->sku_bytes >= 1 && product->sku_bytes <= CELLAR_SKU_BYTES_MAX &&
           product->category_bytes <= CELLAR_CATEGORY_BYTES_MAX &&
           product->attributes_bytes <= CELLAR_ATTRIBUTES_BYTES_MAX &&
           part->bytes == sizeof *product + components + product->sku_bytes + product->name_bytes +
                              (size_t)product->category_bytes + product->attributes_bytes;
}

static bool apply_check_part(const struct store *store, const struct store_part *part) {
    switch (part->kind) {
    case STORE_PRODUCT:
        return apply_check_product(store, part);
    case STORE_STOCK_OPEN:
        return part->whole && part->bytes == sizeof(struct payload_stock_open);
    case STORE_ACCOUNT_OPEN:
    case STORE_ACCOUNT_FLOOR:
    case STORE_ACCOUNT_SETTLE:
    case STORE_ACCOUNT_HOLD:
    case STORE_ACCOUNT_HOLD_STEP:
        return account_check_part(store, part);
    case STORE_LEASE_ACQUIRE:
    case STORE_LEASE_RENEW:
    case STORE_LEASE_RELEASE:
        return lease_check_part(store, part);
    case STORE_ORDER_STEP:
        return apply_check_step(store, part);
    case STORE_STOCK_CHANGE:
    case STORE_ACCOUNT_ENTRY:
    case STORE_ORDER_PLACE:
    case STORE_ORDER_RETURN:
        return apply_check_document(store, part);
    case STORE_CAMPAIGN_PUT:
    case STORE_COUPON_CLAIM:
    case STORE_COUPON_REVOKE:
    case STORE_COUPON_REDEEM:
    case STORE_COUPON_RESTORE:
    case STORE_CODE_ADD:
        return coupon_check(store, part);
    case STORE_STOCK_TAKE:
    case STORE_STOCK_COUNT:
    case STORE_STOCK_SAFETY:
        return part->whole && part->bytes == 0 && part->record->cell_count >= 1;
    case STORE_RETIRE:
        return closed_check_part(part);
    default:
        return false;
    }
}

bool store_record_check(const struct store *store, const struct record_header *record) {
    struct store_parts parts;
    if (!parts_check(&parts, record)) {
        return false;
    }
    const struct payload_composed *composed = parts.composed;
    if (composed != NULL && !apply_check_identity(record, composed->id, composed->slot)) {
        return false;
    }
    bool good;
    do {
        good = apply_check_part(store, &parts.next);
    } while (good && parts_next(&parts));
    return good;
}

void store_recovered(struct store *store) {
    store->recovering = false;
    for (uint32_t slot = 1; slot < slots_end(&store->order_slots); slot++) {
        int64_t state = cell_load(&store->commit->cells[store_order_cell(slot)]).value;
        if (state <= 0) {
            slots_give(&store->order_slots, slot);
        }
    }
    /* Blocks that were replaced have given their numbers back during the replay, and some of those
     * are in use again: what is free is told by the blocks that are there. */
    slots_forget_free(&store->block_slots);
    for (uint32_t slot = 1; slot < slots_end(&store->block_slots); slot++) {
        if (ATOMIC_LOAD(&store->blocks[slot], relaxed) == NULL) {
            slots_give(&store->block_slots, slot);
        }
    }
    for (uint32_t slot = 1; slot < slots_end(&store->product_slots); slot++) {
        if (store->products[slot].slot == 0) {
            slots_give(&store->product_slots, slot);
        }
    }
    for (uint32_t slot = 1; slot < slots_end(&store->stock_slots); slot++) {
        if (store->stocks[slot].product == 0) {
            slots_give(&store->stock_slots, slot);
        }
    }
    for (uint32_t slot = 1; slot < slots_end(&store->account_slots); slot++) {
        if (store->accounts[slot].slot == 0) {
            slots_give(&store->account_slots, slot);
        }
    }
    coupons_recovered(store);
    for (uint32_t slot = 1; slot < slots_end(&store->lease_slots); slot++) {
        if (store->leases[slot].slot == 0) {
            slots_give(&store->lease_slots, slot);
        }
    }
}
