/* Products: an entry for life, and an immutable block of attributes whose number is the product's
 * cell (rule 10). */
#include "store/plan.h"

#include "base/assert.h"

#include <string.h>

struct store_attributes *product_block_create(struct store *store, uint32_t number,
                                              const struct payload_product *payload,
                                              const char *name, const char *category,
                                              const void *attributes,
                                              const struct payload_component *components) {
    size_t text_bytes =
        (size_t)payload->name_bytes + payload->category_bytes + payload->attributes_bytes;
    size_t components_at = (sizeof(struct store_attributes) + text_bytes + 7) & ~(size_t)7;
    size_t bytes = components_at + payload->component_count * sizeof *components;
    struct store_attributes *block = memory_allocate(store->memory, MEMORY_PRODUCTS, bytes);
    if (block == NULL) {
        return NULL;
    }
    *block = (struct store_attributes){.deferred = {.release = product_block_release},
                                       .store = store,
                                       .number = number,
                                       .bytes = (uint32_t)bytes,
                                       .created_ns = payload->created_ns,
                                       .updated_ns = payload->updated_ns,
                                       .unit_price = payload->unit_price,
                                       .attributes_bytes = payload->attributes_bytes,
                                       .status = payload->status,
                                       .name_bytes = payload->name_bytes,
                                       .category_bytes = payload->category_bytes,
                                       .component_count = payload->component_count};
    block->components =
        (struct payload_component *)(void *)((unsigned char *)block + components_at);
    if (components != NULL && payload->component_count != 0) {
        memcpy(block->components, components, payload->component_count * sizeof *components);
    }
    char *text = block->text;
    if (payload->name_bytes != 0) {
        memcpy(text, name, payload->name_bytes);
    }
    if (payload->category_bytes != 0) {
        memcpy(text + payload->name_bytes, category, payload->category_bytes);
    }
    if (payload->attributes_bytes != 0) {
        memcpy(text + payload->name_bytes + payload->category_bytes, attributes,
               payload->attributes_bytes);
    }
    return block;
}

void product_block_release(struct commit_deferred *deferred, struct memory *memory) {
    struct store_attributes *block = (struct store_attributes *)(void *)deferred;
    ATOMIC_STORE(&block->store->blocks[block->number], NULL, relaxed);
    slots_give(&block->store->block_slots, block->number);
    memory_release(memory, MEMORY_PRODUCTS, block, block->bytes);
}

/* ---- Putting ---- */

/* The flags that the sellable cells of such a product carry. */
static int64_t product_flags(uint8_t status, uint32_t component_count) {
    return (status == CELLAR_PRODUCT_DISCONTINUED ? STORE_STOCK_BLOCK : 0) +
           (component_count != 0 ? STORE_STOCK_KIT : 0);
}

/* Changes the flags of every open stock of the product: one that is discontinued, or a kit, is
 * refused by the very cell a sale changes. */
static enum plan_result product_plan_flags(struct plan *plan, const struct store_product *product,
                                           int64_t change) {
    uint32_t slot = product->stock;
    while (slot != 0) {
        uint32_t cell = store_stock_cell(slot, STORE_STOCK_SELLABLE);
        struct cell_content content = plan_read(plan, cell);
        if (content.version != 0 && !plan_write(plan, cell, content, content.value + change)) {
            return PLAN_NO_MEMORY;
        }
        /* The list is looked at after location 0 was read, which every opening of a location
         * writes: an opening that came before is on the list, one that comes later makes our commit
         * fail, or ours makes that one fail. */
        slot = store_next_stock(plan->store, product, slot);
    }
    return PLAN_COMMIT;
}

/* The components' slots, into the block: nobody else can see it before the commit. */
static enum plan_result product_plan_components(struct plan *plan,
                                                const struct plan_product_request *request,
                                                const struct store_product *product) {
    struct payload_component *components = request->block->components;
    for (uint32_t i = 0; i < request->product->component_count; i++) {
        const cellar_component *component = &request->product->components[i];
        const struct store_product *found =
            store_find_product(plan->store, component->sku, component->product);
        if (found == NULL ||
            commit_read(plan->store->commit, store_product_cell(found->slot)).value == 0) {
            return plan_refuse(plan, CELLAR_NOT_FOUND, i);
        }
        for (uint32_t j = 0; j < i; j++) {
            if (components[j].product == found->slot) {
                return plan_invalid(plan, "components: each product once", i);
            }
        }
        if (found == product) {
            return plan_invalid(plan, "components: not the kit itself", i);
        }
        int64_t sellable =
            plan_read(plan, store_stock_cell(found->stock, STORE_STOCK_SELLABLE)).value;
        if ((store_stock_flags(sellable) & STORE_STOCK_KIT) != 0) {
            return plan_invalid(plan, "components: no kits", i);
        }
        components[i] = (struct payload_component){found->slot, component->quantity};
    }
    return PLAN_COMMIT;
}

static enum plan_result product_plan_payload(struct plan *plan,
                                             const struct plan_product_request *request,
                                             const struct store_product *product,
                                             int64_t created_ns) {
    const cellar_product *source = request->product;
    /* The first of the payload always has room. */
    struct payload_product *payload = plan_append(plan, sizeof *payload);
    ASSERT(payload != NULL);
    *payload = (struct payload_product){.product = product->slot,
                                        .stock = product->stock,
                                        .block = request->number,
                                        .attributes_bytes = source->attributes_bytes,
                                        .created_ns = created_ns,
                                        .updated_ns = plan->now_ns,
                                        .unit_price = source->unit_price,
                                        .status = (uint8_t)source->status,
                                        .sku_bytes = (uint8_t)request->sku_bytes,
                                        .name_bytes = (uint8_t)request->name_bytes,
                                        .category_bytes = (uint8_t)request->category_bytes,
                                        .component_count = source->component_count};
    struct payload_product header = *payload;
    const void *texts[] = {request->block->components, source->sku, source->name, source->category,
                           source->attributes};
    const size_t lengths[] = {source->component_count * sizeof(struct payload_component),
                              request->sku_bytes, request->name_bytes, request->category_bytes,
                              source->attributes_bytes};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        void *place = plan_append(plan, (uint32_t)lengths[i]);
        if (place == NULL) {
            return PLAN_NO_MEMORY;
        }
        if (lengths[i] != 0) {
            memcpy(place, texts[i], lengths[i]);
        }
    }
    /* The block is filled in again by each attempt: nobody else can see it before the commit. */
    request->block->created_ns = header.created_ns;
    request->block->updated_ns = header.updated_ns;
    return PLAN_COMMIT;
}

/* A record that makes a category takes so much of the log at least. */
#define PRODUCT_CATEGORY_SPACE (2 * RECORD_LINE_BYTES)
/* Puts that may be asking at the same time. */
#define PRODUCT_CATEGORY_MARGIN 1024

/* Categories are made by the thread that follows the log, which cannot refuse: so it is done here.
 * How many are on their way to it is not known; while they could be more than it has room for, the
 * call waits for it. */
static enum plan_result product_check_category(struct plan *plan,
                                               const struct plan_product_request *request) {
    const struct store *store = plan->store;
    /* In this order: what is made later than seen here lies between the two positions. */
    uint64_t projected = ATOMIC_LOAD(&store->commit->projected.lsn, acquire);
    uint64_t made = slots_end(&store->category_slots) - 1;
    uint64_t reserved = ATOMIC_LOAD(&store->commit->reserved.lsn, acquire);
    uint64_t under_way = (reserved - projected) / PRODUCT_CATEGORY_SPACE + PRODUCT_CATEGORY_MARGIN;
    bool room = made + under_way <= store->category_slots.limit;
    if (request->category_bytes == 0 || (made < CELLAR_CATEGORIES_MAX && room) ||
        store_find_category(plan->store, request->product->category, request->category_bytes) !=
            NULL) {
        return PLAN_COMMIT;
    }
    if (made >= CELLAR_CATEGORIES_MAX) {
        return plan_refuse(plan, CELLAR_STORE_FULL, CELLAR_NO_LINE);
    }
    plan->wait_lsn = reserved == projected ? 0 : reserved - RECORD_LINE_BYTES;
    return PLAN_WAIT;
}

enum plan_result plan_product_put(struct plan *plan, void *argument) {
    struct plan_product_request *request = argument;
    struct store *store = plan->store;
    /* An entry is for life, so none is linked for a put that is refused. */
    if (request->expected > CELLAR_VERSION_ABSENT &&
        store_find_product(store, request->product->sku, 0) == NULL) {
        return plan_refuse(plan, CELLAR_VERSION_CHANGED, CELLAR_NO_LINE);
    }
    enum plan_result result = product_check_category(plan, request);
    if (result != PLAN_COMMIT) {
        return result;
    }
    struct store_product *product =
        store_ensure_product(store, request->product->sku, request->sku_bytes);
    if (product == NULL) {
        return plan_refuse(plan, CELLAR_STORE_FULL, CELLAR_NO_LINE);
    }
    uint32_t cell = store_product_cell(product->slot);
    struct cell_content content = plan_read(plan, cell);
    bool exists = content.value != 0;
    plan->refusal.version = content.version;
    if (request->expected == CELLAR_VERSION_ABSENT && exists) {
        return plan_refuse(plan, CELLAR_ALREADY_EXISTS, CELLAR_NO_LINE);
    }
    if (request->expected > CELLAR_VERSION_ABSENT && request->expected != content.version) {
        return plan_refuse(plan, CELLAR_VERSION_CHANGED, CELLAR_NO_LINE);
    }
    result = product_plan_components(plan, request, product);
    if (result != PLAN_COMMIT) {
        return result;
    }
    uint32_t component_count = request->product->component_count;
    int64_t flags = product_flags((uint8_t)request->product->status, component_count);
    int64_t created_ns = plan->now_ns;
    int64_t old_flags = 0;
    bool same_components = true;
    if (exists) {
        const struct store_attributes *old = ATOMIC_LOAD(&store->blocks[content.value], acquire);
        created_ns = old->created_ns;
        /* The clock was read before the section began, and the product may have been put since. */
        plan->now_ns = plan->now_ns < old->updated_ns ? old->updated_ns : plan->now_ns;
        old_flags = product_flags(old->status, old->component_count);
        same_components = old->component_count == component_count &&
                          memcmp(old->components, request->block->components,
                                 component_count * sizeof *old->components) == 0;
    }
    if (component_count != 0) {
        /* Before the commit: whoever sees the cell of a kit sees this. */
        ATOMIC_STORE(&product->maybe_kit, 1, release);
    }
    if (!plan_write(plan, cell, content, request->number)) {
        return PLAN_NO_MEMORY;
    }
    if (!exists) {
        uint32_t stock = store_stock_cell(product->stock, STORE_STOCK_SELLABLE);
        struct cell_content fresh = plan_read(plan, stock);
        if (!plan_write(plan, stock, fresh, -flags)) {
            return PLAN_NO_MEMORY;
        }
    } else if (flags != old_flags || !same_components) {
        /* Whoever sells a kit writes the first of these cells, and so depends on its components. */
        result = product_plan_flags(plan, product, old_flags - flags);
    }
    plan->kind = STORE_PRODUCT;
    plan->ticket.object = product->slot;
    return result == PLAN_COMMIT ? product_plan_payload(plan, request, product, created_ns)
                                 : result;
}

/* ---- Applying ---- */

/* Recovery: the entry for the slots of the record. Live, the creator has linked it. */
static enum store_apply_result product_restore(struct store *store,
                                               const struct payload_product *payload) {
    const char *sku = payload_product_text(payload);
    if (!slots_raise(&store->product_slots, payload->product) ||
        !slots_raise(&store->stock_slots, payload->stock)) {
        return STORE_APPLY_LIMIT;
    }
    struct store_product *product = &store->products[payload->product];
    if (payload->component_count != 0) {
        ATOMIC_STORE(&product->maybe_kit, 1, relaxed);
    }
    if (product->slot != 0) {
        bool same = product->sku_bytes == payload->sku_bytes && product->stock == payload->stock &&
                    memcmp(product->sku, sku, payload->sku_bytes) == 0;
        return same ? STORE_APPLIED : STORE_APPLY_BROKEN;
    }
    product->slot = payload->product;
    product->stock = payload->stock;
    product->sku_bytes = payload->sku_bytes;
    memcpy(product->sku, sku, payload->sku_bytes);
    product->sku[payload->sku_bytes] = '\0';
    store->stocks[payload->stock].product = payload->product;
    uint64_t hash = store_hash_text(store, product->sku, product->sku_bytes);
    uint32_t found = table_add(&store->product_table, hash, product->sku, product->slot);
    return found == product->slot ? STORE_APPLIED : STORE_APPLY_BROKEN;
}

static enum store_apply_result product_restore_block(struct store *store,
                                                     const struct payload_product *payload) {
    if (!slots_raise(&store->block_slots, payload->block)) {
        return STORE_APPLY_LIMIT;
    }
    if (ATOMIC_LOAD(&store->blocks[payload->block], acquire) != NULL) {
        return STORE_APPLIED;
    }
    const char *name = payload_product_text(payload) + payload->sku_bytes;
    const char *category = name + payload->name_bytes;
    struct store_attributes *block =
        product_block_create(store, payload->block, payload, name, category,
                             category + payload->category_bytes, payload_components(payload));
    if (block == NULL) {
        return STORE_APPLY_NO_MEMORY;
    }
    ATOMIC_STORE(&store->blocks[payload->block], block, release);
    return STORE_APPLIED;
}

/* The index of the category, made when it is new. False: no memory. There is none (NULL) for a
 * category beyond the limit, which only thousands of products put at once can reach past
 * product_check_category(): such a product stands in no category's list. */
static bool product_category_index(struct store *store, const struct store_attributes *block,
                                   struct index **index_out) {
    char name[CELLAR_CATEGORY_BYTES_MAX + 1];
    memcpy(name, block->text + block->name_bytes, block->category_bytes);
    name[block->category_bytes] = '\0';
    struct store_category *category = store_find_category(store, name, block->category_bytes);
    *index_out = category == NULL ? NULL : category->products;
    if (category != NULL || slots_end(&store->category_slots) > store->category_slots.limit) {
        return true;
    }
    struct index *index = index_create(store->commit, store->memory);
    if (index == NULL) {
        return false;
    }
    uint32_t slot = slots_take(&store->category_slots);
    category = &store->categories[slot];
    category->products = index;
    category->bytes = block->category_bytes;
    memcpy(category->name, name, sizeof name);
    uint64_t hash = store_hash_text(store, name, category->bytes);
    table_add(&store->category_table, hash, name, slot);
    *index_out = index;
    return true;
}

static bool product_same_category(const struct store_attributes *a,
                                  const struct store_attributes *b) {
    return a->category_bytes == b->category_bytes &&
           memcmp(a->text + a->name_bytes, b->text + b->name_bytes, a->category_bytes) == 0;
}

/* Additions first: they can lack memory and be done again; removals cannot. */
static enum store_apply_result product_relist(struct store *store, uint32_t slot,
                                              const struct store_attributes *old,
                                              const struct store_attributes *block) {
    struct index *index = NULL;
    bool new_category = old == NULL || !product_same_category(old, block);
    if (new_category && block->category_bytes != 0) {
        if (!product_category_index(store, block, &index) ||
            (index != NULL && !index_insert(index, slot, slot))) {
            return STORE_APPLY_NO_MEMORY;
        }
    }
    if (!index_insert(store->products_by_status[block->status], slot, slot)) {
        return STORE_APPLY_NO_MEMORY;
    }
    if (old != NULL && new_category && old->category_bytes != 0 &&
        product_category_index(store, old, &index) && index != NULL) {
        index_remove(index, slot);
    }
    if (old != NULL && old->status != block->status) {
        index_remove(store->products_by_status[old->status], slot);
    }
    return STORE_APPLIED;
}

enum store_apply_result product_apply(struct store *store, const struct store_part *part) {
    const struct record_header *record = part->record;
    const struct payload_product *payload = part->payload;
    enum store_apply_result result = product_restore(store, payload);
    if (result == STORE_APPLIED) {
        result = product_restore_block(store, payload);
    }
    if (result != STORE_APPLIED) {
        return result;
    }
    const struct record_update *update = record_find(record, store_product_cell(payload->product));
    if (update == NULL || update->new_value != payload->block ||
        update->old_value == update->new_value || update->old_value < 0 ||
        update->old_value >= slots_end(&store->block_slots)) {
        return STORE_APPLY_BROKEN;
    }
    struct store_attributes *old = NULL;
    if (update->old_value != 0) {
        old = ATOMIC_LOAD(&store->blocks[update->old_value], acquire);
        if (old == NULL) {
            return STORE_APPLY_BROKEN;
        }
    }
    struct store_attributes *block = ATOMIC_LOAD(&store->blocks[payload->block], acquire);
    if (block->product != 0 && block->product != payload->product) {
        return STORE_APPLY_BROKEN;
    }
    block->product = payload->product;
    result = product_relist(store, payload->product, old, block);
    if (result != STORE_APPLIED) {
        return result;
    }
    if (old == NULL) {
        store->totals.products++;
        store->totals.stocks++;
    } else {
        commit_defer(store->commit, &old->deferred);
    }
    return STORE_APPLIED;
}
