#include "store/queue.h"

#include "store/store.h"

/* Places looked at from the front for holds that have run out or will. */
#define QUEUE_LOOK_MAX 256
/* Places looked at for what is not here yet: whoever stands behind so many is not covered. */
#define QUEUE_WALK_MAX 1000000

uint32_t queue_add(struct store *store, uint32_t order, uint32_t source, uint32_t stock,
                   int64_t left, uint32_t next) {
    uint32_t slot = slots_take(&store->queue_slots);
    if (slot == 0) {
        return next;
    }
    struct queue *queue = &store->stocks[stock].queue;
    struct queue_place *place = &store->places[slot];
    uint32_t newest = ATOMIC_LOAD(&queue->newest, relaxed);
    ATOMIC_STORE(&place->order, order, relaxed);
    ATOMIC_STORE(&place->stock, stock, relaxed);
    ATOMIC_STORE(&place->source, source, relaxed);
    ATOMIC_STORE(&place->left, left, relaxed);
    ATOMIC_STORE(&place->next, next, relaxed);
    ATOMIC_STORE(&place->newer, 0, relaxed);
    ATOMIC_STORE(&place->older, newest, relaxed);
    /* Release: pairs with the acquire of whoever walks; the place is filled in. */
    ATOMIC_STORE(newest == 0 ? &queue->oldest : &store->places[newest].newer, slot, release);
    ATOMIC_STORE(&queue->newest, slot, release);
    return slot;
}

static void queue_unlink(struct store *store, struct queue_place *place) {
    struct queue *queue = &store->stocks[ATOMIC_LOAD(&place->stock, relaxed)].queue;
    uint32_t older = ATOMIC_LOAD(&place->older, relaxed);
    uint32_t newer = ATOMIC_LOAD(&place->newer, relaxed);
    /* Release: as in queue_add(). */
    ATOMIC_STORE(older == 0 ? &queue->oldest : &store->places[older].newer, newer, release);
    ATOMIC_STORE(newer == 0 ? &queue->newest : &store->places[newer].older, older, release);
}

void queue_remove(struct store *store, uint32_t first) {
    while (first != 0) {
        struct queue_place *place = &store->places[first];
        uint32_t next = ATOMIC_LOAD(&place->next, relaxed);
        queue_unlink(store, place);
        slots_give(&store->queue_slots, first);
        first = next;
    }
}

void queue_shrink(struct store *store, uint32_t first, uint32_t source, int64_t pieces) {
    for (uint32_t at = first; at != 0; at = ATOMIC_LOAD(&store->places[at].next, relaxed)) {
        if (ATOMIC_LOAD(&store->places[at].source, relaxed) == source) {
            int64_t left = ATOMIC_LOAD(&store->places[at].left, relaxed);
            ATOMIC_STORE(&store->places[at].left, left - pieces, relaxed);
            return;
        }
    }
}

uint32_t queue_overdue(const struct store *store, uint32_t stock, int64_t now_ms, uint32_t *orders,
                       uint32_t capacity, int64_t *next_ms_out) {
    uint32_t count = 0;
    *next_ms_out = 0;
    uint32_t at = ATOMIC_LOAD(&store->stocks[stock].queue.oldest, acquire);
    for (uint32_t i = 0; at != 0 && i < QUEUE_LOOK_MAX && count < capacity; i++) {
        const struct queue_place *place = &store->places[at];
        uint32_t order = ATOMIC_LOAD(&place->order, relaxed);
        int64_t value = commit_read(store->commit, store_order_cell(order)).value;
        int64_t deadline_ms = store_document_deadline_ms(value);
        if (store_document_state(value) == CELLAR_ORDER_PLACED && deadline_ms != 0 &&
            ATOMIC_LOAD(&place->stock, relaxed) == stock) {
            if (deadline_ms <= now_ms) {
                orders[count++] = order;
            } else if (*next_ms_out == 0 || deadline_ms < *next_ms_out) {
                *next_ms_out = deadline_ms;
            }
        }
        at = ATOMIC_LOAD(&place->newer, acquire);
    }
    return count;
}

int64_t queue_uncovered(const struct store *store, uint32_t stock, uint32_t order, uint32_t source,
                        int64_t missing) {
    uint32_t at = ATOMIC_LOAD(&store->stocks[stock].queue.newest, acquire);
    for (uint32_t i = 0; at != 0 && missing > 0 && i < QUEUE_WALK_MAX; i++) {
        const struct queue_place *place = &store->places[at];
        int64_t left = ATOMIC_LOAD(&place->left, relaxed);
        if (ATOMIC_LOAD(&place->order, relaxed) == order &&
            ATOMIC_LOAD(&place->source, relaxed) == source) {
            return left < missing ? left : missing;
        }
        missing -= left;
        at = ATOMIC_LOAD(&place->older, acquire);
    }
    return 0;
}
