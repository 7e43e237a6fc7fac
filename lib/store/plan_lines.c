/* The lines of a request: checked, looked up, sorted and added up. */
#include "store/plan.h"

#include <stdlib.h>
#include <string.h>

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

uint16_t plan_lines_flags(const cellar_line *lines, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (content_is_wide(lines[i].quantity)) {
            return PAYLOAD_WIDE;
        }
    }
    return 0;
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

void plan_fetch_document(struct plan *plan, cellar_id id) {
    if (id.high != plan->fetched_id.high || id.low != plan->fetched_id.low) {
        plan->fetched_id = id;
        plan->fetched_id_hash = store_hash_id(plan->store, id);
        table_fetch_head(&plan->store->order_table, plan->fetched_id_hash);
    }
}

void plan_fetch_account(struct plan *plan, uint64_t account) {
    if (account != 0) {
        plan->fetched_account = account;
        plan->fetched_account_hash = store_hash_number(plan->store, account);
        table_fetch_head(&plan->store->account_table, plan->fetched_account_hash);
    }
}

void plan_fetch_lines(struct plan *plan, const cellar_line *lines, size_t line_count) {
    struct store *store = plan->store;
    uint32_t count = line_count < PLAN_LINES_AHEAD ? (uint32_t)line_count : PLAN_LINES_AHEAD;
    if (plan->fetched == lines && plan->fetched_count >= count) {
        return;
    }
    plan->fetched = lines;
    plan->fetched_count = count;
    for (uint32_t i = 0; i < count; i++) {
        const char *sku = lines[i].sku;
        if (sku != NULL) {
            plan->hashes[i] = store_hash_text(store, sku, strlen(sku));
            table_fetch_head(&store->product_table, plan->hashes[i]);
        } else if (lines[i].product < slots_end(&store->product_slots)) {
            __builtin_prefetch(&store->products[lines[i].product]);
        }
    }
}

void plan_fetch_objects(struct plan *plan) {
    struct store *store = plan->store;
    for (uint32_t i = 0; i < plan->fetched_count; i++) {
        if (plan->fetched[i].sku != NULL) {
            table_fetch_first(&store->product_table, plan->hashes[i]);
        }
    }
    if (plan->fetched_account != 0) {
        table_fetch_first(&store->account_table, plan->fetched_account_hash);
    }
    table_fetch_first(&store->order_table, plan->fetched_id_hash);
    uint32_t next = slots_end(&store->order_slots);
    if (next <= store->order_slots.limit) {
        cache_fetch_to_write(&store->orders[next], sizeof *store->orders);
        cache_fetch_to_write(&store->commit->cells[store_order_cell(next)], sizeof(struct cell));
    }
}

void plan_find_products(struct plan *plan, const cellar_line *lines, size_t line_count) {
    struct store *store = plan->store;
    plan_fetch_lines(plan, lines, line_count);
    if (plan->found == lines && plan->found_count >= plan->fetched_count) {
        return;
    }
    plan->found = lines;
    plan->found_count = plan->fetched_count;
    for (uint32_t i = 0; i < plan->found_count; i++) {
        struct store_product *product = lines[i].sku != NULL
                                            ? store_find_sku(store, lines[i].sku, plan->hashes[i])
                                            : store_find_product(store, NULL, lines[i].product);
        plan->products[i] = product;
        if (product != NULL) {
            /* Acquire: pairs with the release in plan_product_put(). */
            plan->maybe_kits |= ATOMIC_LOAD(&product->maybe_kit, acquire) != 0;
            __builtin_prefetch(
                &store->commit->cells[store_stock_cell(product->stock, STORE_STOCK_SELLABLE)]);
        }
    }
}

struct store_account *plan_find_account(struct plan *plan, uint64_t account) {
    struct store *store = plan->store;
    uint64_t hash = account == plan->fetched_account ? plan->fetched_account_hash
                                                     : store_hash_number(store, account);
    uint32_t slot = table_find(&store->account_table, hash, &account);
    if (slot == 0) {
        return NULL;
    }
    __builtin_prefetch(&store->commit->cells[store_account_cell(slot)], 1);
    return &store->accounts[slot];
}

uint32_t plan_find_new_stock(struct plan *plan, const struct store_product *product,
                             uint32_t location) {
    /* What is not sold at location 0 will not be sold there either, once it is open: such a
     * product's stock is not found, so that a refusal opens nothing. */
    uint32_t own = store_stock_cell(product->stock, STORE_STOCK_SELLABLE);
    uint32_t slot = store_find_linked_stock(plan->store, product, location);
    return slot != 0 && store_stock_flags(plan_read(plan, own).value) == 0 &&
                   plan_is_pending(plan, store_stock_cell(slot, STORE_STOCK_SELLABLE))
               ? slot
               : 0;
}

enum plan_result plan_lines(struct plan *plan, const cellar_line *lines, uint32_t line_count,
                            bool open, struct payload_document *document) {
    if (!plan_reserve_lines(plan, line_count)) {
        return PLAN_NO_MEMORY;
    }
    bool missing = false;
    for (uint32_t i = 0; i < line_count; i++) {
        if (i % PLAN_LINES_AHEAD == 0) {
            plan_find_products(plan, lines + i, line_count - i);
        }
        struct store_product *product = plan->products[i % PLAN_LINES_AHEAD];
        uint32_t stock = product == NULL ? 0 : plan_find_stock(plan, product, lines[i].location);
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
        content_put_line(document, i,
                         (struct content_line){.stock = plan->lines[i].stock,
                                               .quantity = lines[i].quantity,
                                               .unit_price = lines[i].unit_price});
    }
    plan->line_count = line_count;
    plan_sort_lines(plan->lines, line_count);
    return plan_merge_lines(plan);
}
