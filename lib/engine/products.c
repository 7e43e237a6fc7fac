/* Products, as cellar.h has them. */
#include "engine/engine.h"

#include "base/clock.h"

#include <string.h>

/* ---- Putting ---- */

static const char *product_check_components(const cellar_product *product) {
    if (product->component_count > CELLAR_COMPONENTS_MAX ||
        (product->component_count != 0 && product->components == NULL)) {
        return "component_count: up to 32 components";
    }
    for (uint32_t i = 0; i < product->component_count; i++) {
        const cellar_component *component = &product->components[i];
        size_t bytes = plan_text_bytes(component->sku, CELLAR_SKU_BYTES_MAX);
        bool named =
            component->sku == NULL ? component->product != 0 : bytes != 0 && bytes != SIZE_MAX;
        if (!named || component->quantity == 0 ||
            component->quantity > CELLAR_COMPONENT_QUANTITY_MAX) {
            return "components: each with a sku or product, and 1 to 1,000,000 pieces";
        }
    }
    return NULL;
}

static bool product_check(struct plan *plan, void *argument) {
    struct plan_product_request *request = argument;
    const cellar_product *product = request->product;
    request->sku_bytes = plan_text_bytes(product->sku, CELLAR_SKU_BYTES_MAX);
    request->name_bytes = plan_text_bytes(product->name, CELLAR_NAME_BYTES_MAX);
    request->category_bytes = plan_text_bytes(product->category, CELLAR_CATEGORY_BYTES_MAX);
    const char *wrong = NULL;
    if (request->sku_bytes == 0 || request->sku_bytes == SIZE_MAX) {
        wrong = "sku: 1 to 64 bytes";
    } else if (request->name_bytes == SIZE_MAX) {
        wrong = "name: at most 255 bytes";
    } else if (request->category_bytes == SIZE_MAX) {
        wrong = "category: at most 64 bytes";
    } else if (product->status < CELLAR_PRODUCT_ACTIVE ||
               product->status > CELLAR_PRODUCT_DISCONTINUED) {
        wrong = "status: no such product status";
    } else if (product->unit_price > CELLAR_AMOUNT_MAX ||
               product->unit_price < -CELLAR_AMOUNT_MAX) {
        wrong = "unit_price: out of range";
    } else if (product->attributes_bytes > CELLAR_ATTRIBUTES_BYTES_MAX ||
               (product->attributes_bytes != 0 && product->attributes == NULL)) {
        wrong = "attributes: at most 64 KiB, and present when attributes_bytes is not 0";
    } else {
        wrong = product_check_components(product);
    }
    if (wrong != NULL) {
        plan_invalid(plan, wrong, CELLAR_NO_LINE);
    }
    return wrong == NULL;
}

/* Makes the block and its number before the first attempt. */
static cellar_status product_prepare(cellar *engine, const cellar_call *call, struct plan *plan,
                                     void *argument) {
    (void)plan;
    struct plan_product_request *request = argument;
    struct store *store = engine->store;
    const cellar_product *product = request->product;
    /* There are more numbers than products: when all are taken, blocks that were replaced wait for
     * their grace period. */
    int64_t deadline_ns = 0;
    while ((request->number = slots_take(&store->block_slots)) == 0) {
        deadline_ns = deadline_ns == 0 ? engine_space_deadline(call) : deadline_ns;
        if (clock_monotonic_ns() >= deadline_ns) {
            return CELLAR_BUSY;
        }
        clock_sleep_ns(NANOSECONDS_PER_MILLISECOND);
    }
    const struct payload_product payload = {.attributes_bytes = product->attributes_bytes,
                                            .unit_price = product->unit_price,
                                            .status = (uint8_t)product->status,
                                            .name_bytes = (uint8_t)request->name_bytes,
                                            .category_bytes = (uint8_t)request->category_bytes,
                                            .component_count = product->component_count};
    request->block = product_block_create(store, request->number, &payload, product->name,
                                          product->category, product->attributes, NULL);
    if (request->block == NULL) {
        slots_give(&store->block_slots, request->number);
        return CELLAR_OUT_OF_MEMORY;
    }
    /* Release: pairs with the acquire of whoever finds the number in the product's cell. */
    ATOMIC_STORE(&store->blocks[request->number], request->block, release);
    return CELLAR_OK;
}

static void product_finish(cellar *engine, void *argument, const cellar_ticket *ticket) {
    struct plan_product_request *request = argument;
    if (ticket->lsn == 0 && request->block != NULL) {
        /* No commit: nobody has ever seen the block. */
        product_block_release(&request->block->deferred, engine->memory);
    }
}

static cellar_status product_put(cellar *engine, const cellar_call *call,
                                 const cellar_product *product, uint64_t expected,
                                 cellar_ticket *ticket_out, cellar_refusal *refusal_out) {
    struct plan_product_request request = {.product = product, .expected = expected};
    const struct engine_change change = {.check = product_check,
                                         .function = plan_product_put,
                                         .request = &request,
                                         .prepare = product_prepare,
                                         .finish = product_finish};
    return engine_run(engine, call, &change, ticket_out, refusal_out);
}

cellar_status cellar_product_put(cellar *store, const cellar_call *call,
                                 const cellar_product *product, uint64_t expected,
                                 cellar_ticket *ticket_out, cellar_refusal *refusal_out) {
    if (product == NULL) {
        return engine_invalid(refusal_out, "product is required");
    }
    struct engine_call guard;
    cellar_status status = engine_enter(&guard, store);
    if (status == CELLAR_OK) {
        status = product_put(store, call, product, expected, ticket_out, refusal_out);
        engine_leave(&guard);
    }
    return status;
}

cellar_status cellar_product_put_many(cellar *store, const cellar_call *call,
                                      const cellar_product *products, size_t count,
                                      cellar_status *statuses_out, cellar_ticket *tickets_out) {
    if ((products == NULL && count != 0) || !engine_call_valid(call)) {
        return CELLAR_INVALID_ARGUMENT;
    }
    struct engine_call guard;
    cellar_status first = engine_enter(&guard, store);
    if (first != CELLAR_OK) {
        return first;
    }
    cellar_call relaxed = {.durability = CELLAR_RELAXED,
                           .wait_ms = call == NULL ? 0 : call->wait_ms};
    uint64_t last = 0;
    for (size_t i = 0; i < count; i++) {
        cellar_ticket ticket = {0};
        cellar_status status =
            product_put(store, &relaxed, &products[i], CELLAR_VERSION_ANY, &ticket, NULL);
        last = ticket.lsn == 0 ? last : ticket.lsn;
        first = first == CELLAR_OK ? status : first;
        if (statuses_out != NULL) {
            statuses_out[i] = status;
        }
        if (tickets_out != NULL) {
            tickets_out[i] = ticket;
        }
    }
    cellar_status durable = last == 0 ? CELLAR_OK : engine_wait_durable(store, call, last);
    engine_leave(&guard);
    return first == CELLAR_OK ? durable : first;
}

/* ---- Reading ---- */

void product_copy_text(char *into, const char *from, size_t bytes) {
    memcpy(into, from, bytes);
    into[bytes] = '\0';
}

const struct store_attributes *product_current(const struct store *store, uint32_t slot,
                                               uint64_t *version_out) {
    struct cell_content content = commit_read(store->commit, store_product_cell(slot));
    *version_out = content.version;
    /* Acquire: pairs with the release in product_prepare(). The block stays while our section
     * lasts: its number was current inside. */
    return content.value == 0 ? NULL : ATOMIC_LOAD(&store->blocks[content.value], acquire);
}

cellar_status cellar_product_get(cellar *store, const char *sku, uint64_t id,
                                 cellar_product *product_out) {
    if (product_out == NULL || (sku == NULL && id == 0)) {
        return CELLAR_INVALID_ARGUMENT;
    }
    struct engine_call guard;
    cellar_status status = engine_enter(&guard, store);
    if (status != CELLAR_OK) {
        return status;
    }
    memset(product_out, 0, sizeof *product_out);
    commit_enter();
    uint64_t version = 0;
    const struct store_product *product = store_find_product(store->store, sku, id);
    const struct store_attributes *block =
        product == NULL ? NULL : product_current(store->store, product->slot, &version);
    if (block == NULL) {
        status = CELLAR_NOT_FOUND;
    } else {
        product_out->id = product->slot;
        product_out->version = version;
        product_out->created_ns = block->created_ns;
        product_out->updated_ns = block->updated_ns;
        product_out->unit_price = block->unit_price;
        product_out->status = (cellar_product_status)block->status;
        product_out->attributes_bytes = block->attributes_bytes;
        product_out->component_count = block->component_count;
        product_copy_text(product_out->sku_buffer, product->sku, product->sku_bytes);
        product_copy_text(product_out->name_buffer, block->text, block->name_bytes);
        product_copy_text(product_out->category_buffer, block->text + block->name_bytes,
                          block->category_bytes);
        product_out->sku = product_out->sku_buffer;
        product_out->name = product_out->name_buffer;
        product_out->category = product_out->category_buffer;
    }
    commit_leave();
    engine_leave(&guard);
    return status;
}

cellar_status cellar_product_attributes(cellar *store, const cellar_product *product, void *buffer,
                                        uint32_t capacity) {
    if (product == NULL || product->id == 0 || capacity < product->attributes_bytes ||
        (buffer == NULL && capacity != 0)) {
        return CELLAR_INVALID_ARGUMENT;
    }
    struct engine_call guard;
    cellar_status status = engine_enter(&guard, store);
    if (status != CELLAR_OK) {
        return status;
    }
    commit_enter();
    uint64_t version = 0;
    const struct store_product *found = store_find_product(store->store, NULL, product->id);
    const struct store_attributes *block =
        found == NULL ? NULL : product_current(store->store, found->slot, &version);
    if (block == NULL || version != product->version) {
        status = CELLAR_VERSION_CHANGED;
    } else if (block->attributes_bytes > capacity) {
        /* The caller's copy of the size is not trusted with the caller's buffer. */
        status = CELLAR_INVALID_ARGUMENT;
    } else if (block->attributes_bytes != 0) {
        memcpy(buffer, block->text + block->name_bytes + block->category_bytes,
               block->attributes_bytes);
    }
    commit_leave();
    engine_leave(&guard);
    return status;
}

cellar_status cellar_product_components(cellar *store, const cellar_product *product,
                                        cellar_component *components_out, uint32_t capacity) {
    if (product == NULL || product->id == 0 || capacity < product->component_count ||
        (components_out == NULL && capacity != 0)) {
        return CELLAR_INVALID_ARGUMENT;
    }
    struct engine_call guard;
    cellar_status status = engine_enter(&guard, store);
    if (status != CELLAR_OK) {
        return status;
    }
    commit_enter();
    uint64_t version = 0;
    const struct store_product *found = store_find_product(store->store, NULL, product->id);
    const struct store_attributes *block =
        found == NULL ? NULL : product_current(store->store, found->slot, &version);
    if (block == NULL || version != product->version) {
        status = CELLAR_VERSION_CHANGED;
    } else if (block->component_count > capacity) {
        status = CELLAR_INVALID_ARGUMENT;
    } else {
        for (uint32_t i = 0; i < block->component_count; i++) {
            components_out[i] = (cellar_component){.product = block->components[i].product,
                                                   .quantity = block->components[i].quantity};
        }
    }
    commit_leave();
    engine_leave(&guard);
    return status;
}
