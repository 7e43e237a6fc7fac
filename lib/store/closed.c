/* Retiring closed documents: they are listed by when something last happened to them; whoever has
 * been closed for long enough is retired by a commit of his own, after which his id is unknown. His
 * records stay in the log. */
#include "store/closed.h"

#include "base/assert.h"
#include "store/store.h"

/* ---- The list ---- */

void closed_add(struct store *store, struct store_order *order) {
    if (store->remember_closed_ns == 0) {
        return;
    }
    chain_remove(store, &store->closed, order);
    chain_add(store, &store->closed, order);
}

/* ---- Orders of a customer, newest first ---- */

void customer_link(struct store *store, struct store_customer *customer,
                   struct store_order *order) {
    uint32_t older = ATOMIC_LOAD(&customer->newest, relaxed);
    if (older != 0) {
        store->orders[older].newer_of_customer = order->slot;
    }
    order->newer_of_customer = 0;
    ATOMIC_STORE(&order->older_of_customer, older, relaxed);
    /* Release: pairs with the acquire of whoever lists; the order's content comes first. */
    ATOMIC_STORE(&customer->newest, order->slot, release);
}

/* A reader that stands on the order goes on through it. */
static void customer_unlink(struct store *store, struct store_customer *customer,
                            const struct store_order *order) {
    uint32_t older = ATOMIC_LOAD(&order->older_of_customer, relaxed);
    uint32_t newer = order->newer_of_customer;
    /* Release: as in customer_link(). */
    ATOMIC_STORE(newer == 0 ? &customer->newest : &store->orders[newer].older_of_customer, older,
                 release);
    if (older != 0) {
        store->orders[older].newer_of_customer = newer;
    }
}

/* The customer in whose list the document is; NULL: in nobody's. */
static struct store_customer *closed_customer(struct store *store, const struct store_order *order,
                                              uint32_t state) {
    bool listed = store_state_is_order(state) && order->customer != 0;
    return listed ? store_find_customer(store, order->customer) : NULL;
}

/* ---- Retiring ---- */

/* False: not yet, nor is any that follows in the list. */
static bool closed_retire_one(struct store *store, struct store_order *order, int64_t now_ns) {
    /* Or whoever linked it has not got so far as to say so. Acquire: as in sweep_retire(). */
    if ((ATOMIC_LOAD(&order->flags, acquire) & STORE_ORDER_LINKED) == 0 ||
        now_ns - ATOMIC_LOAD(&order->changed_ns, relaxed) < store->remember_closed_ns) {
        return false;
    }
    struct cell_content content = commit_read_settled(store->commit, store_order_cell(order->slot));
    if (content.version >= ATOMIC_LOAD(&store->commit->projected.lsn, relaxed)) {
        /* Something has just happened to it. */
        return false;
    }
    uint32_t state = store_document_state(content.value);
    ASSERT(store_state_is_closed(state));
    struct store_customer *customer = closed_customer(store, order, state);
    struct payload_retire payload = {.customer = order->customer};
    if (customer != NULL) {
        payload.previous_lsn = ATOMIC_LOAD(&customer->retired_lsn, relaxed);
    }
    uint64_t lsn;
    if (!sweep_commit(store, order, content, customer == NULL ? NULL : &payload, now_ns, &lsn)) {
        return false;
    }
    chain_remove(store, &store->closed, order);
    if (customer != NULL) {
        /* Release: pairs with the acquire of whoever lists; the record is there. */
        ATOMIC_STORE(&customer->retired_lsn, lsn, release);
    }
    return true;
}

void closed_retire(struct store *store, int64_t now_ns, uint32_t most) {
    bool retired = true;
    for (uint32_t i = 0; retired && i < most; i++) {
        uint32_t oldest = ATOMIC_LOAD(&store->closed.oldest, relaxed);
        if (oldest == 0) {
            break;
        }
        commit_enter();
        retired = closed_retire_one(store, &store->orders[oldest], now_ns);
        commit_leave();
    }
    sweep_flush(store);
}

/* ---- What follows from it ---- */

bool closed_check_part(const struct store_part *part) {
    return part->whole && (part->bytes == 0 || part->bytes == sizeof(struct payload_retire)) &&
           part->record->cell_count == 1 &&
           CELL_CLASS(record_cells(part->record)[0]) == STORE_CELLS_DOCUMENT;
}

/* Does the record go with what the document is? Recovery finds out. */
static bool closed_fits(struct store *store, const struct store_part *part, uint32_t slot,
                        uint32_t state) {
    const struct store_order *order = &store->orders[slot];
    if (slot >= slots_end(&store->order_slots) || order->slot != slot ||
        !store_state_is_closed(state) || ATOMIC_LOAD(&order->placed_lsn, relaxed) == 0) {
        return false;
    }
    const struct store_customer *customer = closed_customer(store, order, state);
    const struct payload_retire *payload = part->payload;
    if ((customer != NULL) != (part->bytes != 0)) {
        return false;
    }
    return customer == NULL ||
           (payload->customer == customer->id &&
            (!store->recovering ||
             payload->previous_lsn == ATOMIC_LOAD(&customer->retired_lsn, relaxed)));
}

static void closed_unlist(struct store *store, struct store_order *order, uint32_t state,
                          uint64_t lsn) {
    if (store_state_is_account_hold(state)) {
        return;
    }
    uint64_t placed_lsn = ATOMIC_LOAD(&order->placed_lsn, relaxed);
    index_remove(store->orders_by_state[state], store_order_key_at(order, placed_lsn));
    store->totals.retired[state == STORE_STATE_OTHER ? 0 : state]++;
    struct store_customer *customer = closed_customer(store, order, state);
    if (customer != NULL) {
        customer_unlink(store, customer, order);
        /* Later ones may have been retired since. Release: as in closed_retire_one(). */
        if (ATOMIC_LOAD(&customer->retired_lsn, relaxed) < lsn) {
            ATOMIC_STORE(&customer->retired_lsn, lsn, release);
        }
    }
}

enum store_apply_result closed_apply(struct store *store, const struct store_part *part) {
    const struct record_update *update = record_updates(part->record);
    uint32_t slot = CELL_SLOT(record_cells(part->record)[0]);
    if (update->old_value <= 0) {
        /* A creation that was refused: whoever retired it has unlinked it. */
        return STORE_APPLIED;
    }
    uint32_t state = store_document_state(update->old_value);
    if (!closed_fits(store, part, slot, state)) {
        return STORE_APPLY_BROKEN;
    }
    if (!store->recovering && !sweep_reserve(store)) {
        return STORE_APPLY_NO_MEMORY;
    }
    struct store_order *order = &store->orders[slot];
    chain_remove(store, &store->closed, order);
    closed_unlist(store, order, state, part->record->lsn);
    struct store_progress *progress = ATOMIC_LOAD(&order->progress, relaxed);
    if (progress != NULL) {
        ATOMIC_STORE(&order->progress, NULL, relaxed);
        commit_defer(store->commit, &progress->deferred);
    }
    ATOMIC_SUB(&order->flags, STORE_ORDER_LINKED, relaxed);
    table_remove(&store->order_table, store_hash_id(store, order->id), slot);
    if (store->recovering) {
        /* Free slots are found at its end. */
        order->slot = 0;
    } else {
        sweep_give(store, slot);
    }
    return STORE_APPLIED;
}
