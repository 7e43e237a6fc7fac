/* Where the units of an order come from: simply the stock that a line names, or, of a kit, the
 * stocks of its components, or the locations that the order allows, in the order it prefers. */
#include "store/plan.h"

#include <string.h>

struct allocate {
    struct plan *plan;
    const cellar_order_request *order;
    uint32_t start;    /* where the document begins in the payload */
    uint32_t count_at; /* where the number of allocations does */
    uint32_t count;
    uint32_t line;
};

static bool allocate_add(struct allocate *made, uint32_t component, uint32_t per_unit,
                         uint32_t stock, int64_t quantity) {
    struct payload_allocation *allocation = plan_append(made->plan, sizeof *allocation);
    if (allocation == NULL || !plan_lines_add(made->plan, stock, made->line, quantity)) {
        return false;
    }
    *allocation = (struct payload_allocation){.line = made->line,
                                              .component = component,
                                              .stock = stock,
                                              .per_unit = per_unit,
                                              .quantity = quantity};
    made->count++;
    return true;
}

/* What earlier lines of this order take of the stock. */
static int64_t allocate_taken(const struct plan *plan, uint32_t stock) {
    int64_t taken = 0;
    for (uint32_t i = 0; i < plan->line_count; i++) {
        taken += plan->lines[i].stock == stock ? plan->lines[i].quantity : 0;
    }
    return taken;
}

/* What may still be sold of the product at the location; slot 0 in *stock_out: it is not there. */
static int64_t allocate_free(const struct allocate *made, const struct store_product *product,
                             uint32_t location, struct plan_short *stock_out) {
    struct plan *plan = made->plan;
    uint32_t slot = plan_find_stock(plan, product, location);
    *stock_out = (struct plan_short){.slot = slot};
    if (slot == 0) {
        return 0;
    }
    struct cell_content sellable = plan_read(plan, store_stock_cell(slot, STORE_STOCK_SELLABLE));
    stock_out->version = sellable.version;
    /* A stock whose product is not sold has none; the cell says so itself. */
    int64_t free = sellable.value - allocate_taken(plan, slot);
    return free > 0 ? free : 0;
}

/* From the first location that has all, else from several when that is allowed. */
static enum plan_result allocate_places(struct allocate *made, const struct store_product *product,
                                        uint32_t component, uint32_t per_unit, int64_t quantity) {
    const cellar_order_request *order = made->order;
    struct plan_short stock;
    struct plan_short stocks[CELLAR_LOCATIONS_MAX];
    uint32_t stock_count = 0;
    int64_t most = 0;
    int64_t all = 0;
    for (size_t i = 0; i < order->location_count; i++) {
        int64_t free = allocate_free(made, product, order->locations[i], &stock);
        if (stock.slot != 0 && free >= quantity) {
            return allocate_add(made, component, per_unit, stock.slot, quantity) ? PLAN_COMMIT
                                                                                 : PLAN_NO_MEMORY;
        }
        if (stock.slot != 0) {
            stocks[stock_count++] = stock;
        }
        most = free > most ? free : most;
        all += free;
    }
    if (stock_count == 0) {
        return plan_refuse(made->plan, CELLAR_NOT_FOUND, made->line);
    }
    if (!order->split || all < quantity) {
        made->plan->refusal.available = order->split ? all : most;
        made->plan->refusal.needed = quantity;
        for (uint32_t i = 0; i < stock_count; i++) {
            plan_short_of(made->plan, stocks[i].slot, stocks[i].version);
        }
        return plan_refuse(made->plan, CELLAR_OUT_OF_STOCK, made->line);
    }
    for (size_t i = 0; quantity > 0 && i < order->location_count; i++) {
        int64_t free = allocate_free(made, product, order->locations[i], &stock);
        int64_t taken = free < quantity ? free : quantity;
        if (taken > 0 && !allocate_add(made, component, per_unit, stock.slot, taken)) {
            return PLAN_NO_MEMORY;
        }
        quantity -= taken;
    }
    if (quantity > 0) {
        /* Sold to others between the two rounds. */
        made->plan->wait_lsn = 0;
        return PLAN_WAIT;
    }
    return PLAN_COMMIT;
}

/* So many pieces of one product for the line. */
static enum plan_result allocate_component(struct allocate *made,
                                           const struct store_product *product, uint32_t component,
                                           uint32_t per_unit) {
    const cellar_line *line = &made->order->lines[made->line];
    int64_t quantity;
    if (__builtin_mul_overflow(line->quantity, (int64_t)per_unit, &quantity) ||
        quantity > CELLAR_AMOUNT_MAX) {
        return plan_refuse(made->plan, CELLAR_OVERFLOW, made->line);
    }
    uint32_t own = store_stock_cell(product->stock, STORE_STOCK_SELLABLE);
    if ((store_stock_flags(plan_read(made->plan, own).value) & STORE_STOCK_KIT) != 0) {
        /* A component that has become a kit itself. */
        return plan_refuse(made->plan, CELLAR_NOT_SELLABLE, made->line);
    }
    if (made->order->location_count != 0) {
        return allocate_places(made, product, component, per_unit, quantity);
    }
    uint32_t stock = plan_find_stock(made->plan, product, line->location);
    if (stock == 0) {
        return plan_refuse(made->plan, CELLAR_NOT_FOUND, made->line);
    }
    return allocate_add(made, component, per_unit, stock, quantity) ? PLAN_COMMIT : PLAN_NO_MEMORY;
}

/* The line's product, or its components. */
static enum plan_result allocate_line(struct allocate *made) {
    struct plan *plan = made->plan;
    struct store *store = plan->store;
    const cellar_line *line = &made->order->lines[made->line];
    struct content_line out = {.quantity = line->quantity, .unit_price = line->unit_price};
    const struct store_product *product = store_find_product(store, line->sku, line->product);
    uint32_t own = product == NULL ? 0 : store_find_stock(store, product, 0);
    if (own == 0) {
        return plan_refuse(plan, CELLAR_NOT_FOUND, made->line);
    }
    out.stock = own;
    content_put_line(plan_document_at(plan, made->start), made->line, out);
    /* The cell first: a put that changes what the product is writes it, and our commit fails. */
    int64_t sellable = plan_read(plan, store_stock_cell(own, STORE_STOCK_SELLABLE)).value;
    if ((store_stock_flags(sellable) & STORE_STOCK_KIT) == 0) {
        uint32_t first = plan->line_count;
        enum plan_result result = allocate_component(made, product, 0, 1);
        if (result == PLAN_COMMIT) {
            out.stock = plan->lines[first].stock;
            content_put_line(plan_document_at(plan, made->start), made->line, out);
        }
        return result;
    }
    int64_t number = commit_read(store->commit, store_product_cell(product->slot)).value;
    /* Acquire: pairs with the release that published the block. */
    const struct store_attributes *block = ATOMIC_LOAD(&store->blocks[number], acquire);
    enum plan_result result =
        plan_lines_add(plan, own, made->line, 0) ? PLAN_COMMIT : PLAN_NO_MEMORY;
    if (block->component_count == 0) {
        /* No kit any more: the cell has changed, too. */
        plan->wait_lsn = 0;
        return PLAN_WAIT;
    }
    for (uint32_t i = 0; result == PLAN_COMMIT && i < block->component_count; i++) {
        const struct payload_component *component = &block->components[i];
        result =
            allocate_component(made, &store->products[component->product], i, component->quantity);
    }
    return result;
}

static enum plan_result allocate_all(struct allocate *made) {
    struct plan *plan = made->plan;
    uint32_t line_count = (uint32_t)made->order->line_count;
    if (!plan_lines_begin(plan, line_count) ||
        plan_append(plan, sizeof(struct payload_count)) == NULL) {
        return PLAN_NO_MEMORY;
    }
    enum plan_result result = PLAN_COMMIT;
    for (made->line = 0; result == PLAN_COMMIT && made->line < line_count; made->line++) {
        result = allocate_line(made);
        /* What could never be committed is not planned to its end. */
        if (made->count > RECORD_PAYLOAD_MAX / sizeof(struct payload_allocation)) {
            return plan_invalid(plan, "too large for an eighth of ring_bytes", CELLAR_NO_LINE);
        }
    }
    if (result != PLAN_COMMIT) {
        return result;
    }
    const struct payload_count count = {.count = made->count};
    memcpy(plan->payload + made->count_at, &count, sizeof count);
    plan_document_at(plan, made->start)->flags |= PAYLOAD_ALLOCATED;
    return plan_lines_end(plan);
}

enum plan_result plan_allocate(struct plan *plan, const struct plan_order_request *request,
                               uint32_t start) {
    const cellar_order_request *order = request->order;
    uint32_t end = plan->payload_bytes;
    if (order->location_count == 0) {
        enum plan_result result = plan_lines(plan, order->lines, (uint32_t)order->line_count, false,
                                             plan_document_at(plan, start));
        if (!plan->maybe_kits) {
            return result;
        }
    }
    plan->refusal = (cellar_refusal){.line = CELLAR_NO_LINE};
    struct allocate made = {.plan = plan, .order = order, .start = start, .count_at = end};
    return allocate_all(&made);
}
