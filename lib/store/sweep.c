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

static void sweep_release(struct commit_deferred *deferred, struct memory *memory) {
    struct sweep_batch *batch = (struct sweep_batch *)(void *)deferred;
    for (uint32_t i = 0; i < batch->count; i++) {
        slots_give(&batch->store->order_slots, batch->slots[i]);
    }
    memory_release(memory, MEMORY_ORDERS, batch, sizeof *batch);
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
    uint32_t cell = store_order_cell(slot);
    struct cell_content content = commit_read_settled(store->commit, cell);
    if (content.value > 0 || -content.value != (int64_t)order->generation) {
        return false;
    }
    struct commit_change change = {.cell = cell,
                                   .update = {.expected = content.version,
                                              .old_value = content.value,
                                              .new_value = content.value - 1}};
    struct commit_request request = {
        .changes = &change, .change_count = 1, .kind = STORE_RETIRE, .time_ns = now_ns};
    uint64_t lsn;
    if (commit_try(store->commit, &request, &lsn) != COMMIT_DONE) {
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
    if (ATOMIC_LOAD(&store->suspects, relaxed) == 0) {
        return;
    }
    struct sweep_batch *batch = memory_allocate(store->memory, MEMORY_ORDERS, sizeof *batch);
    if (batch == NULL) {
        return;
    }
    batch->store = store;
    batch->count = 0;
    batch->deferred.release = sweep_release;
    for (uint32_t i = 0; i < SWEEP_BATCH; i++) {
        uint32_t slot = sweep_pop(store);
        if (slot == 0) {
            break;
        }
        commit_enter();
        if (sweep_retire(store, slot, now_ns)) {
            batch->slots[batch->count++] = slot;
        }
        commit_leave();
    }
    if (batch->count == 0) {
        memory_release(store->memory, MEMORY_ORDERS, batch, sizeof *batch);
        return;
    }
    commit_defer(store->commit, &batch->deferred);
}
