/* Sweeping: entries of orders whose creation was refused after they had been linked (rule 9).
 * Another thread may just be committing on such an entry, so it is retired by a commit of its own;
 * only then it is unlinked, and its slot used again after a grace period. */
#include "store/store.h"

#include "base/assert.h"

#define SWEEP_BATCH 64

struct sweep_batch {
    struct commit_deferred deferred;
    struct store *store;
    uint32_t count;
    uint32_t slots[SWEEP_BATCH];
};

/* ---- Slots that are to be used again ---- */

static void sweep_release(struct commit_deferred *deferred, struct memory *memory) {
    struct sweep_batch *batch = (struct sweep_batch *)(void *)deferred;
    for (uint32_t i = 0; i < batch->count; i++) {
        slots_give(&batch->store->order_slots, batch->slots[i]);
    }
    memory_release(memory, MEMORY_ORDERS, batch, sizeof *batch);
}

bool sweep_reserve(struct store *store) {
    if (store->freed == NULL) {
        struct sweep_batch *batch = memory_allocate(store->memory, MEMORY_ORDERS, sizeof *batch);
        if (batch == NULL) {
            return false;
        }
        batch->store = store;
        batch->count = 0;
        batch->deferred.release = sweep_release;
        store->freed = batch;
    }
    return true;
}

void sweep_flush(struct store *store) {
    struct sweep_batch *batch = store->freed;
    if (batch != NULL) {
        store->freed = NULL;
        commit_defer(store->commit, &batch->deferred);
    }
}

void sweep_give(struct store *store, uint32_t slot) {
    struct sweep_batch *batch = store->freed;
    ASSERT(batch != NULL);
    batch->slots[batch->count++] = slot;
    if (batch->count == SWEEP_BATCH) {
        sweep_flush(store);
    }
}

void sweep_destroy(struct store *store) {
    memory_release(store->memory, MEMORY_ORDERS, store->freed, sizeof *store->freed);
}

/* ---- Refused creations ---- */

void store_suspect(struct store *store, uint32_t slot) {
    struct store_order *order = &store->orders[slot];
    if ((ATOMIC_OR(&order->flags, STORE_ORDER_SUSPECT, relaxed) & STORE_ORDER_SUSPECT) != 0) {
        return;
    }
    uint32_t head = ATOMIC_LOAD(&store->suspects, relaxed);
    do {
        ATOMIC_STORE(&order->next_suspect, head, relaxed);
        /* Release: pairs with the acquire in store_sweep(). */
    } while (!ATOMIC_CAS(&store->suspects, &head, slot, release, relaxed));
}

bool sweep_commit(struct store *store, const struct store_order *order, struct cell_content content,
                  const struct payload_retire *payload, int64_t now_ns, uint64_t *lsn_out) {
    struct commit_change change = {.cell = store_order_cell(order->slot),
                                   .update = {.expected = content.version,
                                              .old_value = content.value,
                                              .new_value = store_retired_value(order->generation)}};
    struct commit_request request = {.changes = &change,
                                     .change_count = 1,
                                     .kind = STORE_RETIRE,
                                     .payload = payload,
                                     .payload_bytes = payload == NULL ? 0 : sizeof *payload,
                                     .time_ns = now_ns};
    return commit_try(store->commit, &request, lsn_out) == COMMIT_DONE;
}

/* True when the entry was retired and unlinked. */
static bool sweep_retire(struct store *store, uint32_t slot, int64_t now_ns) {
    struct store_order *order = &store->orders[slot];
    /* A suspicion may come late, when the slot is free, or taken and not linked yet: it is then not
     * ours to give back. Only this thread ends being linked. Acquire: pairs with the release in
     * store_ensure_order(). */
    if ((ATOMIC_LOAD(&order->flags, acquire) & STORE_ORDER_LINKED) == 0) {
        return false;
    }
    struct cell_content content = commit_read_settled(store->commit, store_order_cell(slot));
    if (content.value > 0 || -content.value != (int64_t)order->generation) {
        return false;
    }
    uint64_t lsn;
    if (!sweep_commit(store, order, content, NULL, now_ns, &lsn)) {
        store_suspect(store, slot);
        return false;
    }
    ATOMIC_SUB(&order->flags, STORE_ORDER_LINKED, relaxed);
    table_remove(&store->order_table, store_hash_id(store, order->id), slot);
    return true;
}

static uint32_t sweep_pop(struct store *store) {
    /* Acquire: pairs with the release in store_suspect(). Only this thread takes from the queue, so
     * a slot cannot come back between. */
    uint32_t slot = ATOMIC_LOAD(&store->suspects, acquire);
    while (slot != 0) {
        uint32_t next = ATOMIC_LOAD(&store->orders[slot].next_suspect, relaxed);
        if (ATOMIC_CAS(&store->suspects, &slot, next, acquire, acquire)) {
            /* From here on it may be queued again. */
            ATOMIC_SUB(&store->orders[slot].flags, STORE_ORDER_SUSPECT, relaxed);
            return slot;
        }
    }
    return 0;
}

void store_sweep(struct store *store, int64_t now_ns) {
    for (uint32_t i = 0; i < SWEEP_BATCH; i++) {
        if (ATOMIC_LOAD(&store->suspects, relaxed) == 0 || !sweep_reserve(store)) {
            break;
        }
        uint32_t slot = sweep_pop(store);
        commit_enter();
        if (sweep_retire(store, slot, now_ns)) {
            sweep_give(store, slot);
        }
        commit_leave();
    }
    sweep_flush(store);
}
