/* Looking objects up, and linking new ones that a commit then brings to life (rule 9). Inside a
 * read section. */
#include "store/store.h"

#include "base/assert.h"
#include "base/probe.h"

#include <string.h>

uint64_t store_hash_text(const struct store *store, const char *text, size_t bytes) {
    return hash_seeded(store->seed, text, bytes);
}

uint64_t store_hash_number(const struct store *store, uint64_t number) {
    return hash_seeded(store->seed, &number, sizeof number);
}

uint64_t store_hash_id(const struct store *store, cellar_id id) {
    return hash_seeded(store->seed, &id, sizeof id);
}

uint64_t store_hash_place(const struct store *store, uint32_t product, uint32_t location) {
    const struct store_place_key key = {product, location};
    return hash_seeded(store->seed, &key, sizeof key);
}

struct store_product *store_find_product(struct store *store, const char *sku, uint64_t id) {
    if (sku == NULL) {
        if (id >= slots_end(&store->product_slots)) {
            return NULL;
        }
        struct store_product *product = &store->products[id];
        /* A product's cell is written after its entry was filled in, and read before its entry
         * here. That of slot 0 stays as it is. */
        if (commit_read(store->commit, store_product_cell((uint32_t)id)).value == 0) {
            return NULL;
        }
        return product;
    }
    return store_find_sku(store, sku, store_hash_text(store, sku, strlen(sku)));
}

struct store_product *store_find_sku(struct store *store, const char *sku, uint64_t hash) {
    uint32_t slot = table_find(&store->product_table, hash, sku);
    return slot == 0 ? NULL : &store->products[slot];
}

uint32_t store_find_linked_stock(struct store *store, const struct store_product *product,
                                 uint32_t location) {
    if (location == 0) {
        return product->stock;
    }
    const struct store_place_key key = {product->slot, location};
    uint64_t hash = store_hash_place(store, product->slot, location);
    return table_find(&store->stock_table, hash, &key);
}

uint32_t store_find_stock(struct store *store, const struct store_product *product,
                          uint32_t location) {
    uint32_t slot = store_find_linked_stock(store, product, location);
    if (slot == 0) {
        return 0;
    }
    /* Opened by the commit that creates the product, or by one of its own. */
    uint32_t cell = store_stock_cell(slot, STORE_STOCK_SELLABLE);
    return commit_read(store->commit, cell).version == 0 ? 0 : slot;
}

int64_t store_available(const struct store *store, uint32_t stock) {
    uint32_t cell = store_stock_cell(stock, STORE_STOCK_SELLABLE);
    struct cell_content sellable = commit_read(store->commit, cell);
    struct cell_content before;
    int64_t safety;
    /* Both as of one instant: whoever changes the safety stock changes the sellable cell with it.
     * Another round means that somebody else has changed the stock. */
    do {
        before = sellable;
        PROBE("stock-available", stock);
        safety = commit_read(store->commit, store_stock_cell(stock, STORE_STOCK_SAFETY_CELL)).value;
        sellable = commit_read(store->commit, cell);
    } while (sellable.version != before.version);
    return store_stock_unblocked(sellable.value) + safety;
}

struct store_account *store_find_account(struct store *store, uint64_t id) {
    uint32_t slot = table_find(&store->account_table, store_hash_number(store, id), &id);
    return slot == 0 ? NULL : &store->accounts[slot];
}

struct store_order *store_find_order(struct store *store, cellar_id id) {
    const struct store_order_key key = {store, id};
    uint32_t slot = table_find(&store->order_table, store_hash_id(store, id), &key);
    return slot == 0 ? NULL : &store->orders[slot];
}

struct store_customer *store_find_customer(struct store *store, uint64_t id) {
    uint32_t slot = table_find(&store->customer_table, store_hash_number(store, id), &id);
    return slot == 0 ? NULL : &store->customers[slot];
}

struct store_category *store_find_category(struct store *store, const char *name, size_t bytes) {
    uint32_t slot = table_find(&store->category_table, store_hash_text(store, name, bytes), name);
    return slot == 0 ? NULL : &store->categories[slot];
}

struct store_product *store_ensure_product(struct store *store, const char *sku, size_t sku_bytes) {
    uint64_t hash = store_hash_text(store, sku, sku_bytes);
    uint32_t found = table_find(&store->product_table, hash, sku);
    if (found != 0) {
        return &store->products[found];
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
    found = table_add(&store->product_table, hash, product->sku, slot);
    if (found != slot) {
        product->slot = 0;
        store->stocks[stock].product = 0;
        slots_give(&store->product_slots, slot);
        slots_give(&store->stock_slots, stock);
    }
    return &store->products[found];
}

uint32_t store_ensure_stock(struct store *store, struct store_product *product, uint32_t location) {
    ASSERT(location != 0);
    const struct store_place_key key = {product->slot, location};
    uint64_t hash = store_hash_place(store, product->slot, location);
    uint32_t found = table_find(&store->stock_table, hash, &key);
    if (found != 0) {
        return found;
    }
    uint32_t slot = slots_take(&store->stock_slots);
    if (slot == 0) {
        return 0;
    }
    struct store_stock *stock = &store->stocks[slot];
    stock->product = product->slot;
    stock->location = location;
    /* On the product's list before it can be found, and so opened, by anyone: a change of the
     * product's status meets every open stock. Release: pairs with the acquire of whoever walks the
     * list. */
    stock->next = ATOMIC_LOAD(&product->more_stocks, relaxed);
    while (!ATOMIC_CAS(&product->more_stocks, &stock->next, slot, release, relaxed)) {
    }
    /* Should another thread be first, ours stays on the list, never opened, until the store is
     * opened anew. */
    return table_add(&store->stock_table, hash, &key, slot);
}

struct store_account *store_ensure_account(struct store *store, uint64_t id) {
    uint64_t hash = store_hash_number(store, id);
    uint32_t found = table_find(&store->account_table, hash, &id);
    if (found != 0) {
        return &store->accounts[found];
    }
    uint32_t slot = slots_take(&store->account_slots);
    if (slot == 0) {
        return NULL;
    }
    struct store_account *account = &store->accounts[slot];
    account->id = id;
    account->slot = slot;
    found = table_add(&store->account_table, hash, &id, slot);
    if (found != slot) {
        account->slot = 0;
        slots_give(&store->account_slots, slot);
    }
    return &store->accounts[found];
}

static void find_reset_order(struct store *store, struct store_order *order, uint32_t slot,
                             cellar_id id) {
    order->id = id;
    if (order->slot != slot) {
        /* Only before its first use: hints of deadlines may still name the slot. */
        order->slot = slot;
    }
    /* Nobody else knows the slot, so its cell does not move. */
    int64_t value = cell_load(&store->commit->cells[store_order_cell(slot)]).value;
    ASSERT(value <= 0);
    order->generation = (uint32_t)-value;
    ATOMIC_STORE(&order->placed_lsn, 0, relaxed);
    ATOMIC_STORE(&order->account, 0, relaxed);
    ATOMIC_STORE(&order->detail, NULL, relaxed);
    ATOMIC_STORE(&order->progress, NULL, relaxed);
}

struct store_order *store_ensure_order(struct store *store, cellar_id id, uint64_t hash) {
    const struct store_order_key key = {store, id};
    uint32_t found = table_find(&store->order_table, hash, &key);
    if (found != 0) {
        return &store->orders[found];
    }
    uint32_t slot = slots_take(&store->order_slots);
    if (slot == 0) {
        return NULL;
    }
    find_reset_order(store, &store->orders[slot], slot, id);
    found = table_add(&store->order_table, hash, &key, slot);
    if (found != slot) {
        slots_give(&store->order_slots, slot);
        return &store->orders[found];
    }
    /* Release: pairs with the acquire in sweep_retire(). */
    ATOMIC_OR(&store->orders[slot].flags, STORE_ORDER_LINKED, release);
    return &store->orders[slot];
}
