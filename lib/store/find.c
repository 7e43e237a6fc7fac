/* Looking objects up, and linking new ones that a commit then brings to life (rule 9). Inside a
 * read section. */
#include "store/store.h"

#include "base/assert.h"

#include <string.h>

static uint64_t find_hash_stock(const struct store *store, const uint32_t pair[2]) {
    return hash_seeded(store->seed, pair, 2 * sizeof *pair);
}

struct store_product *store_find_product(struct store *store, const char *sku, uint64_t id) {
    if (sku == NULL) {
        if (id == 0 || id >= slots_end(&store->product_slots)) {
            return NULL;
        }
        struct store_product *product = &store->products[id];
        /* A product's cell is written after its entry was filled in, and read before its entry
         * here. */
        if (commit_read(store->commit, store_product_cell((uint32_t)id)).value == 0) {
            return NULL;
        }
        return product;
    }
    uint64_t hash = hash_seeded(store->seed, sku, strlen(sku));
    return (struct store_product *)(void *)table_find(store->product_table, hash, sku);
}

uint32_t store_find_stock(struct store *store, const struct store_product *product,
                          uint32_t location) {
    uint32_t slot = product->stock;
    if (location != 0) {
        const uint32_t pair[2] = {product->slot, location};
        struct table_node *node =
            table_find(store->stock_table, find_hash_stock(store, pair), pair);
        if (node == NULL) {
            return 0;
        }
        slot = (uint32_t)((struct store_stock *)(void *)node - store->stocks);
    }
    /* Opened by the commit that creates the product, or by one of its own. */
    uint32_t cell = store_stock_cell(slot, STORE_STOCK_SELLABLE);
    return commit_read(store->commit, cell).version == 0 ? 0 : slot;
}

struct store_account *store_find_account(struct store *store, uint64_t id) {
    struct table_node *node =
        table_find(store->account_table, hash_seeded(store->seed, &id, sizeof id), &id);
    return (struct store_account *)(void *)node;
}

struct store_order *store_find_order(struct store *store, cellar_id id) {
    struct table_node *node =
        table_find(store->order_table, hash_seeded(store->seed, &id, sizeof id), &id);
    return (struct store_order *)(void *)node;
}

struct store_customer *store_find_customer(struct store *store, uint64_t id) {
    struct table_node *node =
        table_find(store->customer_table, hash_seeded(store->seed, &id, sizeof id), &id);
    return (struct store_customer *)(void *)node;
}

struct store_category *store_find_category(struct store *store, const char *name, size_t bytes) {
    struct table_node *node =
        table_find(store->category_table, hash_seeded(store->seed, name, bytes), name);
    return (struct store_category *)(void *)node;
}

struct store_product *store_ensure_product(struct store *store, const char *sku, size_t sku_bytes) {
    uint64_t hash = hash_seeded(store->seed, sku, sku_bytes);
    struct table_node *node = table_find(store->product_table, hash, sku);
    if (node != NULL) {
        return (struct store_product *)(void *)node;
    }
    uint32_t slot = slots_take(&store->product_slots);
    uint32_t stock = slot == 0 ? 0 : slots_take(&store->stock_slots);
    if (stock == 0) {
        if (slot != 0) {
            slots_give(&store->product_slots, slot);
        }
        return NULL;
    }
    struct store_product *product = &store->products[slot];
    product->slot = slot;
    product->stock = stock;
    product->sku_bytes = (uint8_t)sku_bytes;
    memcpy(product->sku, sku, sku_bytes + 1);
    store->stocks[stock].product = slot;
    store->stocks[stock].location = 0;
    node = table_add(store->product_table, hash, product->sku, &product->node);
    if (node != &product->node) {
        product->slot = 0;
        store->stocks[stock].product = 0;
        slots_give(&store->product_slots, slot);
        slots_give(&store->stock_slots, stock);
    }
    return (struct store_product *)(void *)node;
}

uint32_t store_ensure_stock(struct store *store, struct store_product *product, uint32_t location) {
    if (location == 0) {
        return product->stock;
    }
    const uint32_t pair[2] = {product->slot, location};
    uint64_t hash = find_hash_stock(store, pair);
    struct table_node *node = table_find(store->stock_table, hash, pair);
    if (node != NULL) {
        return (uint32_t)((struct store_stock *)(void *)node - store->stocks);
    }
    uint32_t slot = slots_take(&store->stock_slots);
    if (slot == 0) {
        return 0;
    }
    struct store_stock *stock = &store->stocks[slot];
    stock->product = product->slot;
    stock->location = location;
    node = table_add(store->stock_table, hash, pair, &stock->node);
    if (node != &stock->node) {
        stock->product = 0;
        slots_give(&store->stock_slots, slot);
        return (uint32_t)((struct store_stock *)(void *)node - store->stocks);
    }
    /* On the product's list before it can be opened: a change of the product's status finds every
     * open stock. Release: pairs with the acquire of whoever walks the list. */
    stock->next = ATOMIC_LOAD(&product->more_stocks, relaxed);
    while (!ATOMIC_CAS(&product->more_stocks, &stock->next, slot, release, relaxed)) {
    }
    return slot;
}

struct store_account *store_ensure_account(struct store *store, uint64_t id) {
    uint64_t hash = hash_seeded(store->seed, &id, sizeof id);
    struct table_node *node = table_find(store->account_table, hash, &id);
    if (node != NULL) {
        return (struct store_account *)(void *)node;
    }
    uint32_t slot = slots_take(&store->account_slots);
    if (slot == 0) {
        return NULL;
    }
    struct store_account *account = &store->accounts[slot];
    account->id = id;
    account->slot = slot;
    node = table_add(store->account_table, hash, &id, &account->node);
    if (node != &account->node) {
        account->slot = 0;
        slots_give(&store->account_slots, slot);
    }
    return (struct store_account *)(void *)node;
}

static void find_reset_order(struct store *store, struct store_order *order, uint32_t slot,
                             cellar_id id) {
    order->id = id;
    order->slot = slot;
    /* Nobody else knows the slot, so its cell does not move. */
    int64_t value = cell_load(&store->commit->cells[store_order_cell(slot)]).value;
    ASSERT(value <= 0);
    order->generation = (uint32_t)-value;
    ATOMIC_STORE(&order->placed_lsn, 0, relaxed);
    ATOMIC_STORE(&order->account, 0, relaxed);
    ATOMIC_STORE(&order->detail, NULL, relaxed);
}

struct store_order *store_ensure_order(struct store *store, cellar_id id) {
    uint64_t hash = hash_seeded(store->seed, &id, sizeof id);
    for (;;) {
        struct table_node *node = table_find(store->order_table, hash, &id);
        if (node == NULL) {
            uint32_t slot = slots_take(&store->order_slots);
            if (slot == 0) {
                return NULL;
            }
            struct store_order *order = &store->orders[slot];
            find_reset_order(store, order, slot, id);
            node = table_add(store->order_table, hash, &id, &order->node);
            if (node == &order->node) {
                return order;
            }
            slots_give(&store->order_slots, slot);
        }
        struct store_order *found = (struct store_order *)(void *)node;
        int64_t value = commit_read(store->commit, store_order_cell(found->slot)).value;
        if (value > 0 || -value == (int64_t)found->generation) {
            return found;
        }
        /* Retired by the sweep, which is about to unlink it and to wait for a grace period before
         * the slot is used again. */
        table_remove(store->order_table, node);
    }
}
