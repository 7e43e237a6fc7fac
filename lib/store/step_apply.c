/* What follows from a step of an order. One thread, in LSN order. */
#include "store/step.h"

#include "base/assert.h"

#include <string.h>

void progress_release(struct commit_deferred *deferred, struct memory *memory) {
    struct store_progress *progress = (struct store_progress *)(void *)deferred;
    memory_release(memory, MEMORY_ORDERS, progress, progress->bytes);
}

/* A copy of the order's progress, or one that says nothing yet. */
static struct store_progress *progress_copy(struct store *store, const struct store_order *order) {
    const struct store_progress *old = ATOMIC_LOAD(&order->progress, relaxed);
    size_t bytes =
        sizeof(struct store_progress) + order->line_count * sizeof(struct content_progress);
    struct store_progress *progress = memory_allocate(store->memory, MEMORY_ORDERS, bytes);
    if (progress == NULL) {
        return NULL;
    }
    memset(progress, 0, bytes);
    if (old != NULL) {
        memcpy(progress, old, bytes);
    }
    progress->deferred = (struct commit_deferred){.release = progress_release};
    progress->bytes = (uint32_t)bytes;
    return progress;
}

static void progress_replace(struct store *store, struct store_order *order,
                             struct store_progress *progress) {
    struct store_progress *old = ATOMIC_LOAD(&order->progress, relaxed);
    /* Release: pairs with the acquire of whoever reads the order. */
    ATOMIC_STORE(&order->progress, progress, release);
    if (old != NULL) {
        commit_defer(store->commit, &old->deferred);
    }
}

/* A step of the whole order, nothing of which was told apart before, leaves nothing to tell. */
static bool step_apply_is_plain(const struct step *step) {
    return step->progress == NULL && step->part_count == 0;
}

/* What the ranges of an open order do to its stocks. */
static void step_apply_sources(struct store *store, const struct step *step, uint32_t queued) {
    struct content_walk walk = {.content = step->content};
    cellar_totals *totals = &store->totals;
    uint32_t at;
    while (content_walk_line(&walk, &at)) {
        uint32_t source = walk.next;
        uint32_t stock_slot;
        struct step_line line = step_line(step, at);
        int64_t pieces = content_walk_take(&walk, line.range, &stock_slot);
        if (pieces == 0) {
            continue;
        }
        struct store_stock *stock = &store->stocks[stock_slot];
        store_sum_shared(&stock->reserved, -pieces);
        if (step->event == CELLAR_EVENT_FULFIL) {
            store_sum_shared(&stock->on_hand, -pieces);
            store_sum(&totals->units_fulfilled, pieces);
        } else {
            store_sum(&totals->units_ordered, -pieces);
            store_sell(store, stock_slot, -pieces);
        }
        queue_shrink(store, queued, source, pieces);
    }
}

static bool step_apply_return(struct store *store, struct store_order *order,
                              const struct payload_step *payload) {
    struct store_progress *progress = progress_copy(store, order);
    if (progress == NULL) {
        return false;
    }
    store_sum(&progress->returned_value, payload->value);
    for (uint32_t i = 0; i < payload->part_count; i++) {
        progress->lines[payload_step_parts(payload)[i].line].returned +=
            payload_step_parts(payload)[i].quantity;
    }
    progress_replace(store, order, progress);
    for (uint32_t i = 0; i < payload->move_count; i++) {
        const struct payload_move *move = &payload_step_moves(payload)[i];
        store_sum_shared(&store->stocks[move->stock].on_hand, move->quantity);
        store_sum(&store->totals.units_returned, move->quantity);
        store_sell(store, move->stock, -move->quantity);
    }
    store_sum(&store->totals.returned_value, payload->value);
    return true;
}

/* Units of an open order leave or are cancelled. False: no memory, nothing changed. */
static bool step_apply_open(struct store *store, struct store_order *order,
                            struct store_detail *detail, const struct payload_step *payload) {
    struct content content;
    bool good = detail_read(&content, detail);
    ASSERT(good);
    const struct step step = {.content = &content,
                              .progress = ATOMIC_LOAD(&order->progress, relaxed),
                              .from = payload->from,
                              .event = payload->event,
                              .parts = payload_step_parts(payload),
                              .part_count = payload->part_count};
    struct store_progress *progress = NULL;
    if (!step_apply_is_plain(&step)) {
        progress = progress_copy(store, order);
        if (progress == NULL) {
            return false;
        }
        store_sum(&progress->cancelled_value, payload->value);
        for (uint32_t i = 0; i < content.line_count; i++) {
            struct step_line line = step_line(&step, i);
            progress->lines[i] = step_after(&step, &line);
        }
    }
    if (payload->restored != 0 && content.redeem != NULL) {
        enum store_apply_result undone = coupon_apply_redeem(store, content.redeem, true);
        ASSERT(undone == STORE_APPLIED);
    }
    step_apply_sources(store, &step, detail->queued);
    store_sum(&store->totals.revenue, -payload->value);
    if (progress != NULL) {
        progress_replace(store, order, progress);
    }
    return true;
}

/* Into the list of the new state; a closed order's content is dropped. */
static void step_apply_state(struct store *store, struct store_order *order, uint64_t key,
                             const struct payload_step *payload, struct store_detail *detail) {
    if (payload->to == payload->from) {
        return;
    }
    index_remove(store->orders_by_state[payload->from], key);
    store->totals.orders[payload->from]--;
    store->totals.orders[payload->to]++;
    if (!store_state_is_open(payload->to)) {
        queue_remove(store, detail->queued);
        ATOMIC_STORE(&order->detail, NULL, release);
        commit_defer(store->commit, &detail->deferred);
    }
}

/* The step's own document. */
static enum store_apply_result step_apply_identity(struct store *store,
                                                   const struct store_part *part,
                                                   const struct payload_step *payload) {
    /* Or it was applied before memory was short for the rest. */
    if (payload->slot == 0 ||
        ATOMIC_LOAD(&store->orders[payload->slot].placed_lsn, relaxed) == part->record->lsn) {
        return STORE_APPLIED;
    }
    const struct payload_identity *identity = payload_step_identity(payload);
    const struct payload_document document = {.id = identity->id,
                                              .fingerprint = identity->fingerprint,
                                              .time_ns = payload->time_ns,
                                              .slot = payload->slot};
    return order_apply_document(store, part, &document, STORE_STATE_OTHER, 0);
}

/* Does the step go with what the order is? Recovery finds out. */
static bool step_apply_fits(const struct store *store, const struct payload_step *payload) {
    if (payload->order == 0 || payload->order >= slots_end(&store->order_slots) ||
        !step_allowed(payload->from, payload->event) || payload->to < CELLAR_ORDER_PLACED ||
        payload->to >= STORE_STATE_OTHER || payload->to == CELLAR_ORDER_RETURNED) {
        return false;
    }
    const struct store_order *order = &store->orders[payload->order];
    uint64_t placed = ATOMIC_LOAD(&order->placed_lsn, relaxed);
    bool open = ATOMIC_LOAD(&order->detail, relaxed) != NULL;
    return placed != 0 && order->id.high == payload->id.high && order->id.low == payload->id.low &&
           open == store_state_is_open(payload->from) &&
           index_contains(store->orders_by_state[payload->from],
                          store_order_key_at(order, placed)) &&
           (payload->part_count == 0 ||
            payload_step_parts(payload)[payload->part_count - 1].line < order->line_count);
}

static bool step_apply_event(struct store *store, struct store_order *order,
                             struct store_detail *detail, const struct payload_step *payload) {
    switch (payload->event) {
    case CELLAR_EVENT_RETURN:
        return step_apply_return(store, order, payload);
    case CELLAR_EVENT_EXTEND:
        deadlines_add(&store->deadlines, payload->until_ms, order->slot);
        return true;
    default:
        return step_apply_open(store, order, detail, payload);
    }
}

enum store_apply_result step_apply(struct store *store, const struct store_part *part) {
    const struct payload_step *payload = part->payload;
    if (!step_apply_fits(store, payload)) {
        return STORE_APPLY_BROKEN;
    }
    struct store_order *order = &store->orders[payload->order];
    uint64_t key = store_order_key_at(order, ATOMIC_LOAD(&order->placed_lsn, relaxed));
    struct store_detail *detail = ATOMIC_LOAD(&order->detail, relaxed);
    if (!deadlines_reserve(&store->deadlines)) {
        return STORE_APPLY_NO_MEMORY;
    }
    enum store_apply_result result = step_apply_identity(store, part, payload);
    if (result != STORE_APPLIED) {
        return result;
    }
    /* Doing it again after this point changes nothing: the order is in the list, or will be. */
    if (!index_insert(store->orders_by_state[payload->to], key, payload->order) ||
        !step_apply_event(store, order, detail, payload)) {
        return STORE_APPLY_NO_MEMORY;
    }
    /* Release: pairs with the acquire in step_tell_repeated(); the step is committed. */
    ATOMIC_STORE(&order->changed_ns, payload->time_ns, release);
    if (payload->event == CELLAR_EVENT_PAY) {
        ATOMIC_STORE(&order->account, payload->account, relaxed);
    }
    step_apply_state(store, order, key, payload, detail);
    if (payload->to == CELLAR_ORDER_PAID && payload->from == CELLAR_ORDER_PLACED) {
        detail->queued = queue_keep_waiting(store, detail->queued);
    }
    if (store_state_is_closed(payload->to)) {
        closed_add(store, order);
    }
    return STORE_APPLIED;
}
