/* What follows from the records of orders: their contents, lists, reserved quantities, totals. One
 * thread, in LSN order. */
#include "store/store.h"

#include "base/assert.h"

#include <string.h>

enum store_apply_result order_apply_entry(struct store *store, const struct record_header *record,
                                          cellar_id id, uint32_t slot,
                                          struct store_order **order_out) {
    if (!slots_raise(&store->order_slots, slot)) {
        return STORE_APPLY_LIMIT;
    }
    struct store_order *order = &store->orders[slot];
    *order_out = order;
    if (order->slot != 0 && order->id.high == id.high && order->id.low == id.low) {
        return STORE_APPLIED;
    }
    const struct record_update *created = record_find(record, store_order_cell(slot));
    ASSERT(created != NULL);
    if (order->slot != 0 || created->old_value > 0) {
        return STORE_APPLY_BROKEN;
    }
    order->id = id;
    order->slot = slot;
    order->generation = (uint32_t)-created->old_value;
    ATOMIC_STORE(&order->flags, STORE_ORDER_LINKED, relaxed);
    const struct store_order_key key = {store, id};
    uint32_t found = table_add(&store->order_table, store_hash_id(store, id), &key, slot);
    return found == slot ? STORE_APPLIED : STORE_APPLY_BROKEN;
}

/* The customer, made when it is new. NULL: the limit is reached, which is that of orders. */
static struct store_customer *order_ensure_customer(struct store *store, uint64_t id) {
    struct store_customer *customer = store_find_customer(store, id);
    if (customer == NULL) {
        ATOMIC_STORE(&store->customers_full, store->totals.customers + 1 >= store->customers_max,
                     relaxed);
        uint32_t slot = slots_take(&store->customer_slots);
        if (slot == 0) {
            return NULL;
        }
        customer = &store->customers[slot];
        customer->id = id;
        table_add(&store->customer_table, store_hash_number(store, id), &id, slot);
        store->totals.customers++;
    }
    return customer;
}

/* Makes the order's content known, and adds it to its customer's, which are linked through the
 * orders, newest first. */
static void order_publish(struct store *store, struct store_order *order,
                          struct store_customer *customer, uint64_t placed_lsn) {
    /* Release: pairs with the acquire of whoever meets the order; all that was written to it
     * before comes with it. */
    ATOMIC_STORE(&order->placed_lsn, placed_lsn, release);
    if (customer != NULL) {
        customer_link(store, customer, order);
    }
}

static struct store_detail *order_detail_create(struct store *store,
                                                const struct store_part *part) {
    const struct payload_document *document = part->payload;
    size_t content = part->bytes - sizeof *document;
    struct store_detail *detail =
        memory_allocate(store->memory, MEMORY_ORDERS, sizeof *detail + content);
    if (detail == NULL) {
        return NULL;
    }
    *detail = (struct store_detail){.deferred = {.release = detail_release},
                                    .bytes = (uint32_t)(sizeof *detail + content),
                                    .line_count = document->line_count,
                                    .flags = document->flags,
                                    .reference_bytes = document->reference_bytes};
    memcpy(detail->content, document + 1, content);
    return detail;
}

void detail_release(struct commit_deferred *deferred, struct memory *memory) {
    struct store_detail *detail = (struct store_detail *)(void *)deferred;
    memory_release(memory, MEMORY_ORDERS, detail, detail->bytes);
}

enum store_apply_result order_apply_document(struct store *store, const struct store_part *part,
                                             const struct payload_document *document,
                                             uint32_t state, uint64_t account) {
    if (document->id.high == 0 && document->id.low == 0) {
        return STORE_APPLIED;
    }
    struct store_order *order;
    enum store_apply_result result =
        order_apply_entry(store, part->record, document->id, document->slot, &order);
    if (result != STORE_APPLIED) {
        return result;
    }
    struct store_customer *customer = NULL;
    if (document->customer != 0 && state != STORE_STATE_OTHER) {
        customer = order_ensure_customer(store, document->customer);
        if (customer == NULL) {
            return STORE_APPLY_LIMIT;
        }
    }
    struct store_detail *detail = NULL;
    if (store_state_is_open(state)) {
        detail = order_detail_create(store, part);
        if (detail == NULL) {
            return STORE_APPLY_NO_MEMORY;
        }
    }
    if (!deadlines_reserve(&store->deadlines) ||
        !index_insert(store->orders_by_state[state], part->record->lsn + part->ordinal,
                      order->slot)) {
        if (detail != NULL) {
            memory_release(store->memory, MEMORY_ORDERS, detail, detail->bytes);
        }
        return STORE_APPLY_NO_MEMORY;
    }
    order->ordinal = part->ordinal;
    order->placed_ns = document->time_ns;
    order->fingerprint = document->fingerprint;
    order->customer = document->customer;
    order->total = document->total;
    order->line_count = (uint16_t)document->line_count;
    ATOMIC_STORE(&order->changed_ns, document->time_ns, relaxed);
    ATOMIC_STORE(&order->account, account, relaxed);
    ATOMIC_STORE(&order->detail, detail, release);
    ATOMIC_STORE(&order->progress, NULL, relaxed);
    order_publish(store, order, customer, part->record->lsn);
    if (store_state_is_closed(state)) {
        closed_add(store, order);
    }
    store->totals.orders[state == STORE_STATE_OTHER ? 0 : state]++;
    return STORE_APPLIED;
}

/* Sources that wait for goods or may run out stand in the queues of their stocks. A sale leaves no
 * less than the safety stock, so only where that is below zero can goods be waited for. */
static void order_apply_queue(struct store *store, const struct store_part *part,
                              const struct content *content) {
    const struct payload_document *document = part->payload;
    struct store_detail *detail = ATOMIC_LOAD(&store->orders[document->slot].detail, relaxed);
    for (uint32_t i = 0; i < content_source_count(content); i++) {
        struct payload_allocation source = content_source(content, i);
        int64_t safety = store->stocks[source.stock].safety;
        bool waits = false;
        if (safety < 0) {
            const struct record_update *update =
                record_find(part->record, store_stock_cell(source.stock, STORE_STOCK_SELLABLE));
            waits = update != NULL && store_stock_unblocked(update->new_value) + safety < 0;
        }
        if (waits || content->hold_until_ms != 0) {
            detail->queued = queue_add(store, document->slot, i, source.stock, source.quantity,
                                       waits, detail->queued);
        }
    }
}

static enum store_apply_result order_apply_place(struct store *store,
                                                 const struct store_part *part) {
    const struct payload_document *document = part->payload;
    uint32_t state = document->type;
    if (state < CELLAR_ORDER_PLACED || state > CELLAR_ORDER_FULFILLED) {
        return STORE_APPLY_BROKEN;
    }
    struct content content;
    content_of(&content, document, part->bytes);
    /* Whoever pays later may pay from another one. */
    uint64_t account = state == CELLAR_ORDER_PLACED ? 0 : content.account;
    enum store_apply_result result = order_apply_document(store, part, document, state, account);
    if (result != STORE_APPLIED) {
        return result;
    }
    cellar_totals *totals = &store->totals;
    bool queued = content.hold_until_ms != 0;
    for (uint32_t i = 0; i < content_source_count(&content); i++) {
        struct payload_allocation source = content_source(&content, i);
        struct store_stock *stock = &store->stocks[source.stock];
        queued |= stock->safety < 0;
        store_sum(&totals->units_ordered, source.quantity);
        store_sell(store, source.stock, source.quantity);
        if (state == CELLAR_ORDER_FULFILLED) {
            store_sum_shared(&stock->on_hand, -source.quantity);
            store_sum(&totals->units_fulfilled, source.quantity);
        } else {
            store_sum_shared(&stock->reserved, source.quantity);
        }
    }
    if (queued && store_state_is_open(state)) {
        order_apply_queue(store, part, &content);
    }
    if (content.hold_until_ms != 0) {
        deadlines_add(&store->deadlines, content.hold_until_ms, document->slot);
    }
    if (content.redeem != NULL &&
        coupon_apply_redeem(store, content.redeem, false) != STORE_APPLIED) {
        return STORE_APPLY_BROKEN;
    }
    totals->order_lines += document->line_count;
    store_sum(&totals->revenue, document->total);
    return STORE_APPLIED;
}

static enum store_apply_result order_apply_return(struct store *store,
                                                  const struct store_part *part) {
    const struct payload_document *document = part->payload;
    struct content content;
    content_of(&content, document, part->bytes);
    enum store_apply_result result =
        order_apply_document(store, part, document, CELLAR_ORDER_RETURNED, content.account);
    if (result != STORE_APPLIED) {
        return result;
    }
    cellar_totals *totals = &store->totals;
    for (uint32_t i = 0; i < content_source_count(&content); i++) {
        struct payload_allocation source = content_source(&content, i);
        store_sum_shared(&store->stocks[source.stock].on_hand, source.quantity);
        store_sum(&totals->units_returned, source.quantity);
        store_sell(store, source.stock, -source.quantity);
    }
    totals->return_lines += document->line_count;
    store_sum(&totals->returned_value, document->total);
    return STORE_APPLIED;
}

enum store_apply_result order_apply(struct store *store, const struct store_part *part) {
    switch (part->kind) {
    case STORE_ORDER_PLACE:
        return order_apply_place(store, part);
    case STORE_ORDER_RETURN:
        return order_apply_return(store, part);
    default:
        return step_apply(store, part);
    }
}
