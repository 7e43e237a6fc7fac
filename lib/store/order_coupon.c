/* The coupon or code of an order: redeemed in its commit, given back when the whole order is
 * cancelled or expires. */
#include "store/plan_coupon.h"

#include <string.h>

bool plan_order_has_coupon(const cellar_order_request *order) {
    return order->coupon_campaign != 0 || order->code != NULL;
}

bool plan_check_order_coupon(struct plan *plan, const cellar_order_request *order, bool is_return) {
    size_t code_bytes = plan_text_bytes(order->code, CELLAR_CODE_BYTES_MAX);
    const char *wrong = NULL;
    if (is_return && plan_order_has_coupon(order)) {
        wrong = "coupon_campaign, code: not of a return";
    } else if (order->coupon_campaign != 0 && (order->code != NULL || order->customer == 0)) {
        wrong = "coupon_campaign: of a customer, and not with a code";
    } else if (order->code != NULL && (code_bytes == 0 || code_bytes == SIZE_MAX)) {
        wrong = "code: 1 to 64 bytes";
    }
    if (wrong != NULL) {
        plan_invalid(plan, wrong, CELLAR_NO_LINE);
    }
    return wrong == NULL;
}

/* The lines as they were allocated: their products and values. */
static void coupon_fill(struct plan *plan, const struct payload_document *document,
                        struct plan_bought *bought) {
    struct content content = {.lines = document + 1, .wide = (document->flags & PAYLOAD_WIDE) != 0};
    for (uint32_t i = 0; i < document->line_count; i++) {
        struct content_line line = content_line(&content, i);
        bought[i] = (struct plan_bought){.product = plan->store->stocks[line.stock].product,
                                         .amount = line.quantity * line.unit_price};
    }
}

/* The sections of the payload, and the total without the discount. */
static enum plan_result coupon_append(struct plan *plan, uint32_t start,
                                      const struct discount_line *lines,
                                      const struct payload_redeem *redeem) {
    uint32_t line_count = plan_document_at(plan, start)->line_count;
    int64_t *discounts = plan_append(plan, (uint32_t)(line_count * sizeof *discounts));
    if (discounts == NULL) {
        return PLAN_NO_MEMORY;
    }
    for (uint32_t i = 0; i < line_count; i++) {
        discounts[i] = lines[i].discount;
    }
    struct payload_redeem *place = plan_append(plan, sizeof *place);
    if (place == NULL) {
        return PLAN_NO_MEMORY;
    }
    *place = *redeem;
    struct payload_document *document = plan_document_at(plan, start);
    document->flags |= PAYLOAD_DISCOUNTED;
    document->total -= redeem->discount;
    return PLAN_COMMIT;
}

enum plan_result plan_order_coupon(struct plan *plan, const cellar_order_request *order,
                                   uint32_t start) {
    if (!plan_order_has_coupon(order)) {
        return PLAN_COMMIT;
    }
    struct memory *memory = plan->store->memory;
    size_t bought_bytes = order->line_count * sizeof(struct plan_bought);
    size_t lines_bytes = order->line_count * sizeof(struct discount_line);
    struct plan_bought *bought = memory_allocate(memory, MEMORY_SCRATCH, bought_bytes);
    struct discount_line *lines = memory_allocate(memory, MEMORY_SCRATCH, lines_bytes);
    enum plan_result result = PLAN_NO_MEMORY;
    if (bought != NULL && lines != NULL) {
        coupon_fill(plan, plan_document_at(plan, start), bought);
        const struct plan_redemption redemption = {
            .campaign = order->coupon_campaign,
            .customer = order->customer,
            .ordinal = CELLAR_ANY_ORDINAL,
            .code = order->code,
            .code_bytes = order->code == NULL ? 0 : strlen(order->code),
            .bought = bought,
            .lines = lines,
            .line_count = order->line_count};
        struct payload_redeem redeem;
        result = plan_coupon_redeem(plan, &redemption, &redeem);
        if (result == PLAN_COMMIT) {
            result = coupon_append(plan, start, lines, &redeem);
        }
    }
    if (bought != NULL) {
        memory_release(memory, MEMORY_SCRATCH, bought, bought_bytes);
    }
    if (lines != NULL) {
        memory_release(memory, MEMORY_SCRATCH, lines, lines_bytes);
    }
    return result;
}

enum plan_result plan_order_uncoupon(struct plan *plan, const struct store_order *order,
                                     const struct payload_redeem *redeem, bool *restored_out) {
    /* Acquire: pairs with the release in order_apply_document(). */
    uint64_t placed_lsn = ATOMIC_LOAD(&order->placed_lsn, acquire);
    cellar_refusal before = plan->refusal;
    enum plan_result result = plan_coupon_restore(plan, redeem, placed_lsn, restored_out);
    if (result == PLAN_REFUSED && plan->refusal.status == CELLAR_NOT_REDEEMED) {
        /* The host has given it back already, by itself, and it may have been redeemed again. */
        plan->refusal = before;
        return PLAN_COMMIT;
    }
    return result;
}
