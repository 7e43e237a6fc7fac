#include "store/plan.h"

#include "base/assert.h"
#include "base/probe.h"

#include <stdlib.h>
#include <string.h>

void plan_create(struct plan *plan, struct store *store) {
    plan->store = store;
    plan->changes = plan->changes_inline;
    plan->change_capacity = PLAN_CHANGES_INLINE;
    plan->payload = plan->payload_inline;
    plan->payload_capacity = PLAN_PAYLOAD_INLINE;
    plan->lines = plan->lines_inline;
    plan->line_capacity = PLAN_LINES_INLINE;
    plan->suspect_count = 0;
    plan->collected_lsn = 0;
    plan->trial = false;
    plan->room_taken = false;
    plan->fetched = NULL;
    plan->fetched_count = 0;
    plan->fetched_id = (cellar_id){0};
    plan->fetched_id_hash = 0;
    plan->fetched_account = 0;
    plan_reset(plan, 0);
}

void plan_destroy(struct plan *plan) {
    struct memory *memory = plan->store->memory;
    if (plan->changes != plan->changes_inline) {
        memory_release(memory, MEMORY_SCRATCH, plan->changes,
                       plan->change_capacity * sizeof *plan->changes);
    }
    if (plan->payload != plan->payload_inline) {
        memory_release(memory, MEMORY_SCRATCH, plan->payload, plan->payload_capacity);
    }
    if (plan->lines != plan->lines_inline) {
        memory_release(memory, MEMORY_SCRATCH, plan->lines,
                       plan->line_capacity * sizeof *plan->lines);
    }
}

void plan_reset(struct plan *plan, int64_t now_ns) {
    plan->now_ns = now_ns;
    plan->kind = 0;
    plan->sorted = true;
    plan->change_count = 0;
    plan->payload_bytes = 0;
    plan->line_count = 0;
    plan->found = NULL;
    plan->open_product = 0;
    plan->short_stock_count = 0;
    plan->short_account.slot = 0;
    plan->maybe_kits = false;
    plan->step_first = 0;
    plan->composed = false;
    plan->refusal = (cellar_refusal){.line = CELLAR_NO_LINE};
    plan->ticket = (cellar_ticket){0};
}

/* Doubles an array that starts inline. */
static bool plan_grow(struct plan *plan, void **array, const void *inline_array, uint32_t *capacity,
                      uint32_t wanted, size_t element_bytes) {
    uint32_t larger = *capacity;
    while (larger < wanted) {
        larger *= 2;
    }
    struct memory *memory = plan->store->memory;
    void *grown = memory_allocate(memory, MEMORY_SCRATCH, larger * element_bytes);
    if (grown == NULL) {
        return false;
    }
    memcpy(grown, *array, *capacity * element_bytes);
    if (*array != inline_array) {
        memory_release(memory, MEMORY_SCRATCH, *array, *capacity * element_bytes);
    }
    *array = grown;
    *capacity = larger;
    return true;
}

/* Among the first `count` changes: that of the cell. */
static struct commit_change *plan_change_of(const struct plan *plan, uint32_t cell,
                                            uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        if (plan->changes[i].cell == cell) {
            return &plan->changes[i];
        }
    }
    return NULL;
}

/* The change that an earlier step makes to the cell. A step that is not the first is mostly short,
 * and so is what comes before the longest one. */
static struct commit_change *plan_pending(const struct plan *plan, uint32_t cell) {
    return plan_change_of(plan, cell, plan->step_first);
}

bool plan_is_pending(const struct plan *plan, uint32_t cell) {
    return plan_pending(plan, cell) != NULL;
}

bool plan_is_changed(const struct plan *plan, uint32_t cell) {
    return plan_change_of(plan, cell, plan->change_count) != NULL;
}

struct cell_content plan_read(struct plan *plan, uint32_t cell) {
    const struct commit_change *pending = plan_pending(plan, cell);
    if (pending != NULL) {
        return (struct cell_content){pending->update.new_value, pending->update.expected};
    }
    return commit_read_settled(plan->store->commit, cell);
}

bool plan_write(struct plan *plan, uint32_t cell, struct cell_content read, int64_t value) {
    struct commit_change *pending = plan_pending(plan, cell);
    if (pending != NULL) {
        pending->update.new_value = value;
        return true;
    }
    if (plan->change_count == plan->change_capacity &&
        !plan_grow(plan, (void **)&plan->changes, plan->changes_inline, &plan->change_capacity,
                   plan->change_count + 1, sizeof *plan->changes)) {
        return false;
    }
    if (plan->change_count > 0 && plan->changes[plan->change_count - 1].cell >= cell) {
        plan->sorted = false;
    }
    plan->changes[plan->change_count++] = (struct commit_change){
        .cell = cell,
        .update = {.expected = read.version, .old_value = read.value, .new_value = value}};
    return true;
}

void *plan_append(struct plan *plan, uint32_t bytes) {
    uint32_t end = plan->payload_bytes + bytes;
    if (end > plan->payload_capacity &&
        !plan_grow(plan, (void **)&plan->payload, plan->payload_inline, &plan->payload_capacity,
                   end, 1)) {
        return NULL;
    }
    void *place = plan->payload + plan->payload_bytes;
    plan->payload_bytes = end;
    return place;
}

enum plan_result plan_number(struct plan *plan, uint32_t start, enum payload_flag flag,
                             uint64_t number) {
    if (number == 0) {
        return PLAN_COMMIT;
    }
    uint64_t *place = plan_append(plan, sizeof *place);
    if (place == NULL) {
        return PLAN_NO_MEMORY;
    }
    *place = number;
    struct payload_document *document = plan_document_at(plan, start);
    document->flags = (uint16_t)(document->flags | flag);
    return PLAN_COMMIT;
}

bool plan_note(struct plan *plan, uint64_t actor, const char *reference) {
    uint32_t reference_bytes = reference == NULL ? 0 : (uint32_t)strlen(reference);
    if (actor == 0 && reference_bytes == 0) {
        return true;
    }
    struct payload_note note = {
        .actor = actor, .payload_bytes = plan->payload_bytes, .reference_bytes = reference_bytes};
    uint32_t before = part_aligned(plan->payload_bytes) - plan->payload_bytes;
    uint32_t padded = part_aligned(reference_bytes);
    unsigned char *place = plan_append(plan, before + padded + (uint32_t)sizeof note);
    if (place == NULL) {
        return false;
    }
    memset(place, 0, before + padded);
    if (reference_bytes != 0) {
        memcpy(place + before, reference, reference_bytes);
    }
    memcpy(place + before + padded, &note, sizeof note);
    plan->kind |= STORE_KIND_NOTED;
    return true;
}

static int plan_compare_changes(const void *a, const void *b) {
    uint32_t left = ((const struct commit_change *)a)->cell;
    uint32_t right = ((const struct commit_change *)b)->cell;
    return (left > right) - (left < right);
}

void plan_sort(struct plan *plan) {
    if (!plan->sorted) {
        qsort(plan->changes, plan->change_count, sizeof *plan->changes, plan_compare_changes);
    }
    for (uint32_t i = 1; i < plan->change_count; i++) {
        ASSERT(plan->changes[i - 1].cell < plan->changes[i].cell);
    }
}

bool plan_changes_stand(const struct plan *plan, uint32_t class_first, uint32_t class_last) {
    for (uint32_t i = 0; i < plan->change_count; i++) {
        const struct commit_change *change = &plan->changes[i];
        uint32_t class = CELL_CLASS(change->cell);
        if (class >= class_first && class <= class_last &&
            commit_read(plan->store->commit, change->cell).version != change->update.expected) {
            return false;
        }
    }
    return true;
}

bool plan_refusal_stands(const struct plan *plan) {
    return plan_changes_stand(plan, 0, STORE_CELLS_PRIVATE_LAST);
}

enum plan_result plan_refuse(struct plan *plan, cellar_status status, uint32_t line) {
    plan->refusal.status = status;
    plan->refusal.line = line;
    return PLAN_REFUSED;
}

enum plan_result plan_invalid(struct plan *plan, const char *reason, uint32_t line) {
    plan->refusal.reason = reason;
    return plan_refuse(plan, CELLAR_INVALID_ARGUMENT, line);
}

void plan_short_of(struct plan *plan, uint32_t stock, uint64_t version) {
    ASSERT(plan->short_stock_count < CELLAR_LOCATIONS_MAX);
    plan->short_stocks[plan->short_stock_count++] = (struct plan_short){stock, version};
}

bool plan_short_stands(const struct plan *plan) {
    const struct commit *commit = plan->store->commit;
    for (uint32_t i = 0; i < plan->short_stock_count; i++) {
        const struct plan_short *stock = &plan->short_stocks[i];
        uint32_t cell = store_stock_cell(stock->slot, STORE_STOCK_SELLABLE);
        if (commit_read(commit, cell).version != stock->version) {
            return false;
        }
    }
    const struct plan_short *account = &plan->short_account;
    return account->slot == 0 ||
           commit_read(commit, store_account_cell(account->slot)).version == account->version;
}

size_t plan_text_bytes(const char *text, size_t limit) {
    if (text == NULL) {
        return 0;
    }
    size_t bytes = strnlen(text, limit + 1);
    return bytes > limit ? SIZE_MAX : bytes;
}

uint64_t plan_hash_text(uint64_t hash, const char *text) {
    return text == NULL ? hash_seeded(hash, "", 0) : hash_seeded(hash, text, strlen(text));
}

bool plan_reserve_lines(struct plan *plan, uint32_t count) {
    return count <= plan->line_capacity ||
           plan_grow(plan, (void **)&plan->lines, plan->lines_inline, &plan->line_capacity, count,
                     sizeof *plan->lines);
}

/* Unless the commit brings it to life, the entry is looked at by the sweep. */
static void plan_suspect(struct plan *plan, uint32_t slot) {
    for (uint32_t i = 0; i < plan->suspect_count; i++) {
        if (plan->suspects[i] == slot) {
            return;
        }
    }
    if (plan->suspect_count == PLAN_SUSPECTS_MAX) {
        store_suspect(plan->store, slot);
        return;
    }
    plan->suspects[plan->suspect_count++] = slot;
}

enum plan_result plan_document(struct plan *plan, cellar_id id, uint64_t fingerprint, int64_t state,
                               uint32_t *slot_out) {
    struct store *store = plan->store;
    plan_fetch_document(plan, id);
    struct store_order *order = store_ensure_order(store, id, plan->fetched_id_hash);
    if (order == NULL) {
        return plan_refuse(plan, CELLAR_STORE_FULL, CELLAR_NO_LINE);
    }
    PROBE("document-found", order->slot);
    uint32_t cell = store_order_cell(order->slot);
    if (plan_is_pending(plan, cell)) {
        return plan_invalid(plan, "id: given twice in one transaction", CELLAR_NO_LINE);
    }
    struct cell_content content = plan_read(plan, cell);
    if (content.value > 0) {
        /* Acquire: pairs with the release in order_apply_document(). */
        uint64_t placed = ATOMIC_LOAD(&order->placed_lsn, acquire);
        if (placed == 0) {
            plan->wait_lsn = content.version;
            return PLAN_WAIT;
        }
        if (order->fingerprint != fingerprint) {
            return plan_refuse(plan, CELLAR_ID_REUSED, CELLAR_NO_LINE);
        }
        plan->ticket.lsn = placed;
        plan->ticket.time_ns = order->placed_ns;
        plan->ticket.repeated = true;
        return PLAN_REPEATED;
    }
    plan_suspect(plan, order->slot);
    if (-content.value != (int64_t)order->generation) {
        /* Retired between the look-up and the read: as if another commit had come first. */
        plan->wait_lsn = 0;
        return PLAN_WAIT;
    }
    *slot_out = order->slot;
    PROBE("document-absent", order->slot);
    return plan_write(plan, cell, content, state) ? PLAN_COMMIT : PLAN_NO_MEMORY;
}
