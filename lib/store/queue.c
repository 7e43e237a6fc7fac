#include "store/queue.h"

#include "store/store.h"

/* Places looked at from the front for holds that have run out or will. */
#define QUEUE_LOOK_MAX 256
/* Places looked at from each end for what is not here yet: whoever stands behind and before so many
 * is not covered. */
#define QUEUE_WALK_MAX 1000000
/* Looks at a queue that changes meanwhile. */
#define QUEUE_TRIES_MAX 16

/* Between these two nobody trusts what he reads of the queue. Release, and acquire of all that is
 * read on the way: whoever has seen part of the change also sees that one is, or was, being made.
 */
static void queue_change_begin(struct queue *queue) {
    ATOMIC_STORE(&queue->changes, ATOMIC_LOAD(&queue->changes, relaxed) + 1, relaxed);
}

static void queue_change_end(struct queue *queue, int64_t pieces) {
    int64_t left = ATOMIC_LOAD(&queue->left, relaxed);
    ATOMIC_STORE(&queue->left, left + pieces, release);
    ATOMIC_STORE(&queue->changes, ATOMIC_LOAD(&queue->changes, relaxed) + 1, release);
}

uint32_t queue_add(struct store *store, uint32_t order, uint32_t source, uint32_t stock,
                   int64_t left, bool waited, uint32_t next) {
    uint32_t slot = slots_take(&store->queue_slots);
    if (slot == 0) {
        return next;
    }
    struct queue *queue = &store->stocks[stock].queue;
    struct queue_place *place = &store->places[slot];
    uint32_t newest = ATOMIC_LOAD(&queue->newest, relaxed);
    place->waited = waited;
    queue_change_begin(queue);
    ATOMIC_STORE(&place->order, order, release);
    ATOMIC_STORE(&place->stock, stock, release);
    ATOMIC_STORE(&place->source, source, release);
    ATOMIC_STORE(&place->left, left, release);
    ATOMIC_STORE(&place->next, next, release);
    ATOMIC_STORE(&place->newer, 0, release);
    ATOMIC_STORE(&place->older, newest, release);
    /* Release: pairs with the acquire of whoever walks; the place is filled in. */
    ATOMIC_STORE(newest == 0 ? &queue->oldest : &store->places[newest].newer, slot, release);
    ATOMIC_STORE(&queue->newest, slot, release);
    queue_change_end(queue, left);
    return slot;
}

static void queue_unlink(struct store *store, struct queue_place *place) {
    struct queue *queue = &store->stocks[ATOMIC_LOAD(&place->stock, relaxed)].queue;
    uint32_t older = ATOMIC_LOAD(&place->older, relaxed);
    uint32_t newer = ATOMIC_LOAD(&place->newer, relaxed);
    queue_change_begin(queue);
    /* Release: as in queue_add(). */
    ATOMIC_STORE(older == 0 ? &queue->oldest : &store->places[older].newer, newer, release);
    ATOMIC_STORE(newer == 0 ? &queue->newest : &store->places[newer].older, older, release);
    queue_change_end(queue, -ATOMIC_LOAD(&place->left, relaxed));
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

uint32_t queue_keep_waiting(struct store *store, uint32_t first) {
    uint32_t kept = 0;
    while (first != 0) {
        struct queue_place *place = &store->places[first];
        uint32_t next = ATOMIC_LOAD(&place->next, relaxed);
        if (place->waited) {
            ATOMIC_STORE(&place->next, kept, relaxed);
            kept = first;
        } else {
            queue_unlink(store, place);
            slots_give(&store->queue_slots, first);
        }
        first = next;
    }
    return kept;
}

void queue_shrink(struct store *store, uint32_t first, uint32_t source, int64_t pieces) {
    for (uint32_t at = first; at != 0; at = ATOMIC_LOAD(&store->places[at].next, relaxed)) {
        struct queue_place *place = &store->places[at];
        if (ATOMIC_LOAD(&place->source, relaxed) == source) {
            struct queue *queue = &store->stocks[ATOMIC_LOAD(&place->stock, relaxed)].queue;
            queue_change_begin(queue);
            int64_t left = ATOMIC_LOAD(&place->left, relaxed);
            ATOMIC_STORE(&place->left, left - pieces, release);
            queue_change_end(queue, -pieces);
            return;
        }
    }
}

void queue_overdue(const struct store *store, uint32_t stock, struct overdue *overdue) {
    uint32_t at = ATOMIC_LOAD(&store->stocks[stock].queue.oldest, acquire);
    for (uint32_t i = 0; at != 0 && i < QUEUE_LOOK_MAX; i++) {
        const struct queue_place *place = &store->places[at];
        uint32_t order = ATOMIC_LOAD(&place->order, relaxed);
        int64_t value = commit_read(store->commit, store_order_cell(order)).value;
        if (store_document_state(value) == CELLAR_ORDER_PLACED &&
            ATOMIC_LOAD(&place->stock, relaxed) == stock &&
            !overdue_note(overdue, order, store_document_deadline_ms(value))) {
            return;
        }
        at = ATOMIC_LOAD(&place->newer, acquire);
    }
}

static int64_t queue_within(int64_t value, int64_t limit) {
    if (value < 0) {
        return 0;
    }
    return value < limit ? value : limit;
}

/* A walk from both ends, since who is asked for is mostly among those that are served next or among
 * those that came last. */
struct queue_walk {
    const struct store *store;
    const struct queue *queue;
    uint32_t order;
    uint32_t source;
    int64_t missing;
    int64_t older; /* pieces of the places passed from the front */
    int64_t newer; /* and from the end */
};

/* Looks at one place from either side. True: *uncovered_out is told. */
static bool queue_walk_place(struct queue_walk *walk, uint32_t at, bool from_front,
                             int64_t *uncovered_out) {
    const struct queue_place *place = &walk->store->places[at];
    int64_t left = ATOMIC_LOAD(&place->left, acquire);
    if (ATOMIC_LOAD(&place->order, acquire) == walk->order &&
        ATOMIC_LOAD(&place->source, acquire) == walk->source) {
        int64_t total = ATOMIC_LOAD(&walk->queue->left, acquire);
        int64_t newer = from_front ? total - walk->older - left : walk->newer;
        *uncovered_out = queue_within(walk->missing - newer, left);
        return true;
    }
    *(from_front ? &walk->older : &walk->newer) += left;
    *uncovered_out = 0;
    return walk->newer >= walk->missing;
}

static int64_t queue_walk(struct queue_walk *walk, uint32_t changes) {
    int64_t uncovered;
    uint32_t front = ATOMIC_LOAD(&walk->queue->oldest, acquire);
    uint32_t end = ATOMIC_LOAD(&walk->queue->newest, acquire);
    for (uint32_t i = 0; i < QUEUE_WALK_MAX; i++) {
        if (front == 0 || end == 0) {
            /* It has no place. Of what is missing, no more than the places account for can be
             * theirs. */
            return queue_within(walk->missing - ATOMIC_LOAD(&walk->queue->left, acquire),
                                INT64_MAX);
        }
        if (queue_walk_place(walk, end, false, &uncovered) ||
            queue_walk_place(walk, front, true, &uncovered)) {
            return uncovered;
        }
        end = ATOMIC_LOAD(&walk->store->places[end].older, acquire);
        front = ATOMIC_LOAD(&walk->store->places[front].newer, acquire);
        if (i % QUEUE_LOOK_MAX == 0 && ATOMIC_LOAD(&walk->queue->changes, relaxed) != changes) {
            break;
        }
    }
    return walk->missing;
}

int64_t queue_uncovered(const struct store *store, uint32_t stock, uint32_t order, uint32_t source,
                        int64_t missing) {
    const struct queue *queue = &store->stocks[stock].queue;
    for (uint32_t i = 0; i < QUEUE_TRIES_MAX; i++) {
        struct queue_walk walk = {
            .store = store, .queue = queue, .order = order, .source = source, .missing = missing};
        /* Acquire: pairs with the release in queue_change_end(). */
        uint32_t changes = ATOMIC_LOAD(&queue->changes, acquire);
        int64_t uncovered = queue_walk(&walk, changes);
        if (changes % 2 == 0 && ATOMIC_LOAD(&queue->changes, relaxed) == changes) {
            return uncovered;
        }
    }
    return -1;
}
