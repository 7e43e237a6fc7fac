/* Making a store. */
#include "store/store.h"

#include "base/assert.h"

#include <string.h>

/* Products whose block is being replaced hold two numbers until the old block's grace period is
 * over. */
#define STORE_BLOCKS_SPARE 65536
/* Customers that may be in flight when the limit is reached: an order has a record, or a part of
 * one, of so many bytes of the ring at least, and calls that have not reserved yet come on top. */
#define STORE_ORDER_RECORD_BYTES_MIN 128
#define STORE_CUSTOMERS_SPARE 65536
/* New categories that may be in flight when the limit is reached. */
#define STORE_CATEGORIES_SPARE 4096

static bool store_match_product(const void *object, const void *key) {
    return strcmp(((const struct store_product *)object)->sku, key) == 0;
}

static bool store_match_stock(const void *object, const void *key) {
    const struct store_stock *stock = object;
    const struct store_place_key *place = key;
    return stock->product == place->product && stock->location == place->location;
}

static bool store_match_account(const void *object, const void *key) {
    return ((const struct store_account *)object)->id == *(const uint64_t *)key;
}

static bool store_match_customer(const void *object, const void *key) {
    return ((const struct store_customer *)object)->id == *(const uint64_t *)key;
}

/* An entry that the sweep has retired is passed by, as if it were unlinked already. */
static bool store_match_order(const void *object, const void *key) {
    const struct store_order *order = object;
    const struct store_order_key *sought = key;
    if (order->id.high != sought->id.high || order->id.low != sought->id.low) {
        return false;
    }
    int64_t state = commit_read(sought->store->commit, store_order_cell(order->slot)).value;
    return state > 0 || -state == (int64_t)order->generation;
}

static bool store_match_lease(const void *object, const void *key) {
    return strcmp(((const struct store_lease *)object)->name, key) == 0;
}

static bool store_match_category(const void *object, const void *key) {
    return strcmp(((const struct store_category *)object)->name, key) == 0;
}

void store_cell_limits(const struct store_limits *limits,
                       uint32_t cell_limits_out[CELL_CLASS_COUNT]) {
    memset(cell_limits_out, 0, CELL_CLASS_COUNT * sizeof *cell_limits_out);
    /* Slot 0 is never used. */
    cell_limits_out[STORE_CELLS_DOCUMENT] = limits->orders + 1;
    cell_limits_out[STORE_CELLS_LEASE] = 2 * (limits->leases + 1);
    cell_limits_out[STORE_CELLS_ACCOUNT] = STORE_ACCOUNT_CELLS * (limits->accounts + 1);
    cell_limits_out[STORE_CELLS_SETTLED] = limits->accounts + 1;
    cell_limits_out[STORE_CELLS_PRODUCT] = limits->products + 1;
    cell_limits_out[STORE_CELLS_STOCK] = STORE_STOCK_CELLS * (limits->stocks + 1);
    coupons_cell_limits(&limits->coupons, cell_limits_out);
}

static bool store_create_slots(struct store *store, const struct store_limits *limits) {
    struct memory *memory = store->memory;
    const size_t cell = sizeof(struct cell);
    return slots_create(&store->product_slots, memory, MEMORY_PRODUCTS, limits->products,
                        sizeof(struct store_product) + sizeof *store->sold + cell) &&
           slots_create(&store->stock_slots, memory, MEMORY_STOCK, limits->stocks,
                        sizeof(struct store_stock) + STORE_STOCK_CELLS * cell) &&
           slots_create(&store->account_slots, memory, MEMORY_ACCOUNTS, limits->accounts,
                        sizeof(struct store_account) + STORE_ACCOUNT_CELLS * cell) &&
           slots_create(&store->lease_slots, memory, MEMORY_ACCOUNTS, limits->leases,
                        sizeof(struct store_lease) + 2 * cell) &&
           slots_create(&store->order_slots, memory, MEMORY_ORDERS, limits->orders,
                        sizeof(struct store_order) + cell) &&
           slots_create(&store->customer_slots, memory, MEMORY_ORDERS,
                        limits->customers + STORE_CUSTOMERS_SPARE +
                            (uint32_t)(store->commit->ring_bytes / STORE_ORDER_RECORD_BYTES_MIN),
                        sizeof(struct store_customer)) &&
           slots_create(&store->queue_slots, memory, MEMORY_ORDERS, limits->orders,
                        sizeof(struct queue_place)) &&
           slots_create(&store->block_slots, memory, MEMORY_PRODUCTS,
                        limits->products + STORE_BLOCKS_SPARE, sizeof(void *)) &&
           slots_create(&store->category_slots, memory, MEMORY_PRODUCTS,
                        CELLAR_CATEGORIES_MAX + STORE_CATEGORIES_SPARE,
                        sizeof(struct store_category));
}

static bool store_map(const struct slots *slots, size_t object_bytes, void **array_out) {
    *array_out = memory_map_lazy(((size_t)slots->limit + 1) * object_bytes);
    return *array_out != NULL;
}

static void store_unmap(const struct slots *slots, size_t object_bytes, void *array) {
    if (array != NULL) {
        memory_unmap(array, ((size_t)slots->limit + 1) * object_bytes);
    }
}

static bool store_create_arrays(struct store *store) {
    return store_map(&store->product_slots, sizeof *store->products, (void **)&store->products) &&
           store_map(&store->product_slots, sizeof *store->sold, (void **)&store->sold) &&
           store_map(&store->stock_slots, sizeof *store->stocks, (void **)&store->stocks) &&
           store_map(&store->account_slots, sizeof *store->accounts, (void **)&store->accounts) &&
           store_map(&store->account_slots, sizeof *store->collected, (void **)&store->collected) &&
           store_map(&store->lease_slots, sizeof *store->leases, (void **)&store->leases) &&
           store_map(&store->order_slots, sizeof *store->orders, (void **)&store->orders) &&
           store_map(&store->customer_slots, sizeof *store->customers,
                     (void **)&store->customers) &&
           store_map(&store->queue_slots, sizeof *store->places, (void **)&store->places) &&
           store_map(&store->category_slots, sizeof *store->categories,
                     (void **)&store->categories) &&
           store_map(&store->block_slots, sizeof *store->blocks, (void **)&store->blocks);
}

static bool store_create_tables(struct store *store) {
    struct memory *memory = store->memory;
    return table_create(&store->product_table, memory, store->products, sizeof *store->products,
                        store->product_slots.limit, store_match_product) &&
           table_create(&store->stock_table, memory, store->stocks, sizeof *store->stocks,
                        store->stock_slots.limit, store_match_stock) &&
           table_create(&store->account_table, memory, store->accounts, sizeof *store->accounts,
                        store->account_slots.limit, store_match_account) &&
           table_create(&store->lease_table, memory, store->leases, sizeof *store->leases,
                        store->lease_slots.limit, store_match_lease) &&
           table_create(&store->order_table, memory, store->orders, sizeof *store->orders,
                        store->order_slots.limit, store_match_order) &&
           table_create(&store->customer_table, memory, store->customers, sizeof *store->customers,
                        store->customer_slots.limit, store_match_customer) &&
           table_create(&store->category_table, memory, store->categories,
                        sizeof *store->categories, store->category_slots.limit,
                        store_match_category);
}

static bool store_create_indexes(struct store *store) {
    bool created = true;
    for (size_t i = 0; i < 3; i++) {
        store->products_by_status[i] = index_create(store->commit, store->memory);
        created = created && store->products_by_status[i] != NULL;
    }
    for (size_t i = 0; i < STORE_STATE_COUNT; i++) {
        store->orders_by_state[i] = index_create(store->commit, store->memory);
        created = created && store->orders_by_state[i] != NULL;
    }
    return created;
}

cellar_status store_create(struct store **store_out, struct commit *commit, struct memory *memory,
                           const struct store_limits *limits) {
    struct store *store = memory_allocate_aligned(memory, MEMORY_ENGINE, 64, sizeof *store);
    if (store == NULL) {
        return CELLAR_OUT_OF_MEMORY;
    }
    memset(store, 0, sizeof *store);
    store->commit = commit;
    store->memory = memory;
    store->seed = hash_random_seed();
    store->deadlines.memory = memory;
    store->remember_closed_ns = limits->remember_closed_ns;
    store->customers_max = limits->customers;
    store->recovering = true;
    if (!store_create_slots(store, limits) || !store_create_arrays(store) ||
        !store_create_tables(store) || !store_create_indexes(store) ||
        !coupons_create(store, &limits->coupons)) {
        store_destroy(store);
        return CELLAR_OUT_OF_MEMORY;
    }
    *store_out = store;
    return CELLAR_OK;
}

static void store_destroy_objects(struct store *store) {
    if (store->blocks != NULL) {
        for (uint32_t i = 1; i < slots_end(&store->block_slots); i++) {
            struct store_attributes *block = ATOMIC_LOAD(&store->blocks[i], relaxed);
            if (block != NULL) {
                memory_release(store->memory, MEMORY_PRODUCTS, block, block->bytes);
            }
        }
    }
    if (store->collected != NULL) {
        for (uint32_t i = 1; i < slots_end(&store->account_slots); i++) {
            collected_destroy(&store->collected[i], store->memory);
        }
    }
    if (store->categories != NULL) {
        for (uint32_t i = 1; i < slots_end(&store->category_slots); i++) {
            index_destroy(store->categories[i].products);
        }
    }
    if (store->orders != NULL) {
        for (uint32_t i = 1; i < slots_end(&store->order_slots); i++) {
            struct store_detail *detail = ATOMIC_LOAD(&store->orders[i].detail, relaxed);
            struct store_progress *progress = ATOMIC_LOAD(&store->orders[i].progress, relaxed);
            if (detail != NULL) {
                memory_release(store->memory, MEMORY_ORDERS, detail, detail->bytes);
            }
            if (progress != NULL) {
                memory_release(store->memory, MEMORY_ORDERS, progress, progress->bytes);
            }
        }
    }
}

static void store_destroy_indexes(struct store *store) {
    for (size_t i = 0; i < 3; i++) {
        if (store->products_by_status[i] != NULL) {
            index_destroy(store->products_by_status[i]);
        }
    }
    for (size_t i = 0; i < STORE_STATE_COUNT; i++) {
        if (store->orders_by_state[i] != NULL) {
            index_destroy(store->orders_by_state[i]);
        }
    }
}

void store_destroy(struct store *store) {
    struct table *tables[] = {&store->product_table, &store->stock_table,    &store->account_table,
                              &store->order_table,   &store->customer_table, &store->category_table,
                              &store->lease_table};
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        table_destroy(tables[i]);
    }
    store_destroy_objects(store);
    store_destroy_indexes(store);
    deadlines_destroy(&store->deadlines);
    sweep_destroy(store);
    store_unmap(&store->queue_slots, sizeof *store->places, store->places);
    coupons_destroy(store);
    store_unmap(&store->product_slots, sizeof *store->products, store->products);
    store_unmap(&store->product_slots, sizeof *store->sold, (void *)store->sold);
    store_unmap(&store->stock_slots, sizeof *store->stocks, store->stocks);
    store_unmap(&store->account_slots, sizeof *store->accounts, store->accounts);
    store_unmap(&store->account_slots, sizeof *store->collected, store->collected);
    store_unmap(&store->lease_slots, sizeof *store->leases, store->leases);
    store_unmap(&store->order_slots, sizeof *store->orders, store->orders);
    store_unmap(&store->customer_slots, sizeof *store->customers, store->customers);
    store_unmap(&store->category_slots, sizeof *store->categories, store->categories);
    store_unmap(&store->block_slots, sizeof *store->blocks, (void *)store->blocks);
    struct slots *slots[] = {&store->product_slots, &store->stock_slots,    &store->account_slots,
                             &store->order_slots,   &store->customer_slots, &store->block_slots,
                             &store->queue_slots,   &store->category_slots, &store->lease_slots};
    for (size_t i = 0; i < sizeof slots / sizeof *slots; i++) {
        slots_destroy(slots[i]);
    }
    memory_release(store->memory, MEMORY_ENGINE, store, sizeof *store);
}
