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
    plan->fetched = NULL;
    plan->open_product = 0;
    plan->short_stock = 0;
    plan->short_account = 0;
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

size_t plan_text_bytes(const char *text, size_t limit) {
    if (text == NULL) {
        return 0;
    }
    size_t bytes = strnlen(text, limit + 1);
    return bytes > limit ? SIZE_MAX : bytes;
}

bool plan_check_lines(struct plan *plan, const cellar_line *lines, size_t count, bool any_sign,
                      bool priced) {
    if (lines == NULL || count == 0 || count > CELLAR_LINES_MAX) {
        plan_invalid(plan, "line_count: 1 to 4096 lines", CELLAR_NO_LINE);
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        const cellar_line *line = &lines[i];
        if (line->sku != NULL) {
            size_t bytes = plan_text_bytes(line->sku, CELLAR_SKU_BYTES_MAX);
            if (bytes == 0 || bytes == SIZE_MAX) {
                plan_invalid(plan, "sku: 1 to 64 bytes", (uint32_t)i);
                return false;
            }
        } else if (line->product == 0) {
            plan_invalid(plan, "sku or product is required", (uint32_t)i);
            return false;
        }
        bool wrong_sign = any_sign ? line->quantity == 0 : line->quantity <= 0;
        if (wrong_sign || line->quantity > CELLAR_AMOUNT_MAX ||
            line->quantity < -CELLAR_AMOUNT_MAX) {
            plan_invalid(plan, "quantity: out of range", (uint32_t)i);
            return false;
        }
        if (priced &&
            (line->unit_price > CELLAR_AMOUNT_MAX || line->unit_price < -CELLAR_AMOUNT_MAX)) {
            plan_invalid(plan, "unit_price: out of range", (uint32_t)i);
            return false;
        }
    }
    return true;
}

uint64_t plan_hash_text(uint64_t hash, const char *text) {
    return text == NULL ? hash_seeded(hash, "", 0) : hash_seeded(hash, text, strlen(text));
}

uint64_t plan_hash_lines(uint64_t hash, const cellar_line *lines, size_t count, bool priced) {
    for (size_t i = 0; i < count; i++) {
        const int64_t numbers[4] = {lines[i].sku == NULL ? (int64_t)lines[i].product : 0,
                                    lines[i].location, lines[i].quantity,
                                    priced ? lines[i].unit_price : 0};
        hash = hash_seeded(hash, numbers, sizeof numbers);
        if (lines[i].sku != NULL) {
            hash = plan_hash_text(hash, lines[i].sku);
        }
    }
    return hash;
}

static int plan_compare_lines(const void *a, const void *b) {
    const struct plan_line *left = a;
    const struct plan_line *right = b;
    if (left->stock != right->stock) {
        return left->stock < right->stock ? -1 : 1;
    }
    return (left->line > right->line) - (left->line < right->line);
}

/* Few lines are sorted in place, many by qsort. */
static void plan_sort_lines(struct plan_line *lines, uint32_t count) {
    if (count > PLAN_LINES_INLINE) {
        qsort(lines, count, sizeof *lines, plan_compare_lines);
        return;
    }
    for (uint32_t i = 1; i < count; i++) {
        struct plan_line moving = lines[i];
        uint32_t at = i;
        while (at > 0 && plan_compare_lines(&lines[at - 1], &moving) > 0) {
            lines[at] = lines[at - 1];
            at--;
        }
        lines[at] = moving;
    }
}

/* Adds neighbours of the same stock up. 4,096 times CELLAR_AMOUNT_MAX is below 2^63. */
_Static_assert(CELLAR_AMOUNT_MAX <= INT64_MAX / CELLAR_LINES_MAX, "a sum of lines cannot wrap");
static enum plan_result plan_merge_lines(struct plan *plan) {
    uint32_t merged = 0;
    for (uint32_t i = 1; i < plan->line_count; i++) {
        if (plan->lines[i].stock == plan->lines[merged].stock) {
            plan->lines[merged].quantity += plan->lines[i].quantity;
        } else {
            plan->lines[++merged] = plan->lines[i];
        }
    }
    plan->line_count = merged + 1;
    for (uint32_t i = 0; i < plan->line_count; i++) {
        int64_t quantity = plan->lines[i].quantity;
        if (quantity > CELLAR_AMOUNT_MAX || quantity < -CELLAR_AMOUNT_MAX) {
            return plan_refuse(plan, CELLAR_OVERFLOW, plan->lines[i].line);
        }
    }
    return PLAN_COMMIT;
}

static bool plan_reserve_lines(struct plan *plan, uint32_t line_count) {
    return line_count <= plan->line_capacity ||
           plan_grow(plan, (void **)&plan->lines, plan->lines_inline, &plan->line_capacity,
                     line_count, sizeof *plan->lines);
}

bool plan_lines_begin(struct plan *plan, uint32_t count) {
    plan->line_count = 0;
    return plan_reserve_lines(plan, count);
}

bool plan_lines_add(struct plan *plan, uint32_t stock, uint32_t line, int64_t quantity) {
    if (!plan_reserve_lines(plan, plan->line_count + 1)) {
        return false;
    }
    plan->lines[plan->line_count++] = (struct plan_line){stock, line, quantity};
    return true;
}

enum plan_result plan_lines_end(struct plan *plan) {
    if (plan->line_count == 0) {
        return PLAN_COMMIT;
    }
    plan_sort_lines(plan->lines, plan->line_count);
    return plan_merge_lines(plan);
}

/* Gives the lines whose stock is 0 one that is linked and not open, and remembers the first. */
static enum plan_result plan_open_lines(struct plan *plan, const cellar_line *lines,
                                        uint32_t line_count) {
    struct store *store = plan->store;
    for (uint32_t i = 0; i < line_count; i++) {
        if (plan->lines[i].stock != 0) {
            continue;
        }
        struct store_product *product = store_find_product(store, lines[i].sku, lines[i].product);
        plan->lines[i].stock = store_ensure_stock(store, product, lines[i].location);
        if (plan->lines[i].stock == 0) {
            return plan_refuse(plan, CELLAR_STORE_FULL, CELLAR_NO_LINE);
        }
        if (plan->open_product == 0) {
            plan->open_product = product->slot;
            plan->open_location = lines[i].location;
        }
    }
    return PLAN_COMMIT;
}

static bool plan_product_exists(struct plan *plan, const struct store_product *product) {
    return commit_read(plan->store->commit, store_product_cell(product->slot)).value != 0;
}

void plan_fetch_lines(struct plan *plan, const cellar_line *lines, uint32_t line_count) {
    struct store *store = plan->store;
    plan->fetched = lines;
    plan->fetched_count = line_count < PLAN_LINES_AHEAD ? line_count : PLAN_LINES_AHEAD;
    for (uint32_t i = 0; i < plan->fetched_count; i++) {
        const char *sku = lines[i].sku;
        if (sku != NULL) {
            plan->hashes[i] = store_hash_text(store, sku, strlen(sku));
            table_fetch_head(&store->product_table, plan->hashes[i]);
        } else if (lines[i].product < slots_end(&store->product_slots)) {
            __builtin_prefetch(&store->products[lines[i].product]);
        }
    }
}

/* The products of up to PLAN_LINES_AHEAD lines: what each step needs of memory is asked for by the
 * step before, for all of them at once. */
static void plan_find_products(struct plan *plan, const cellar_line *lines, uint32_t line_count,
                               struct store_product **products_out) {
    struct store *store = plan->store;
    uint32_t count = line_count < PLAN_LINES_AHEAD ? line_count : PLAN_LINES_AHEAD;
    if (plan->fetched != lines || plan->fetched_count < count) {
        plan_fetch_lines(plan, lines, count);
    }
    for (uint32_t i = 0; i < count; i++) {
        if (lines[i].sku != NULL) {
            table_fetch_first(&store->product_table, plan->hashes[i]);
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        struct store_product *product = lines[i].sku != NULL
                                            ? store_find_sku(store, lines[i].sku, plan->hashes[i])
                                            : store_find_product(store, NULL, lines[i].product);
        products_out[i] = product;
        if (product != NULL) {
            /* Acquire: pairs with the release in plan_product_put(). */
            plan->maybe_kits |= ATOMIC_LOAD(&product->maybe_kit, acquire) != 0;
            __builtin_prefetch(
                &store->commit->cells[store_stock_cell(product->stock, STORE_STOCK_SELLABLE)]);
        }
    }
}

enum plan_result plan_lines(struct plan *plan, const cellar_line *lines, uint32_t line_count,
                            bool open, struct payload_line *out) {
    struct store *store = plan->store;
    if (!plan_reserve_lines(plan, line_count)) {
        return PLAN_NO_MEMORY;
    }
    bool missing = false;
    struct store_product *products[PLAN_LINES_AHEAD];
    for (uint32_t i = 0; i < line_count; i++) {
        if (i % PLAN_LINES_AHEAD == 0) {
            plan_find_products(plan, lines + i, line_count - i, products);
        }
        struct store_product *product = products[i % PLAN_LINES_AHEAD];
        uint32_t stock = product == NULL ? 0 : store_find_stock(store, product, lines[i].location);
        if (stock == 0) {
            if (!open || product == NULL || lines[i].location == 0 ||
                !plan_product_exists(plan, product)) {
                return plan_refuse(plan, CELLAR_NOT_FOUND, i);
            }
            missing = true;
        }
        plan->lines[i] = (struct plan_line){stock, i, lines[i].quantity};
    }
    enum plan_result result = missing ? plan_open_lines(plan, lines, line_count) : PLAN_COMMIT;
    if (result != PLAN_COMMIT) {
        return result;
    }
    for (uint32_t i = 0; i < line_count; i++) {
        out[i] = (struct payload_line){.stock = plan->lines[i].stock,
                                       .quantity = lines[i].quantity,
                                       .unit_price = lines[i].unit_price};
    }
    plan->line_count = line_count;
    plan_sort_lines(plan->lines, line_count);
    return plan_merge_lines(plan);
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
    struct store_order *order = store_ensure_order(store, id);
    if (order == NULL) {
        return plan_refuse(plan, CELLAR_STORE_FULL, CELLAR_NO_LINE);
    }
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
