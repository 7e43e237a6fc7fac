/* Several operations in one commit (D2). Each is planned as if it were alone, into the same plan:
 * it reads what those before it are going to write. */
#include "store/compose.h"

#include <string.h>

/* ---- Checking ---- */

/* What tells one checked operation from another: kind, content, its own id. */
static bool compose_checked(struct plan_operation *made, const cellar_operation *operation,
                            bool valid, uint64_t fingerprint, cellar_id id) {
    const uint64_t numbers[4] = {(uint64_t)operation->kind, fingerprint, id.high, id.low};
    made->hash = hash_seeded(5, numbers, sizeof numbers);
    return valid;
}

static bool compose_check_order(struct plan *plan, struct plan_operation *made,
                                const cellar_operation *operation) {
    bool is_return = operation->kind == CELLAR_OPERATION_ORDER_RETURN;
    if (operation->order == NULL) {
        plan_invalid(plan, "order is required", CELLAR_NO_LINE);
        return false;
    }
    made->function = is_return ? plan_order_return : plan_order_place;
    made->order = (struct plan_order_request){.order = operation->order,
                                              .damaged = is_return && operation->damaged};
    bool valid = plan_check_order(plan, &made->order, is_return, false);
    return compose_checked(made, operation, valid, made->order.fingerprint, operation->order->id);
}

static bool compose_check_step(struct plan *plan, struct plan_operation *made,
                               const cellar_operation *operation) {
    if (operation->step == NULL) {
        plan_invalid(plan, "step is required", CELLAR_NO_LINE);
        return false;
    }
    made->function = plan_order_step;
    made->step = (struct plan_step_request){.change = operation->step};
    bool valid = plan_check_step(plan, &made->step);
    return compose_checked(made, operation, valid, made->step.fingerprint, operation->step->id);
}

static bool compose_check_stock(struct plan *plan, struct plan_operation *made,
                                const cellar_operation *operation) {
    static const cellar_movement_kind kinds[] = {
        [CELLAR_OPERATION_STOCK_RECEIVE] = CELLAR_MOVEMENT_RECEIVED,
        [CELLAR_OPERATION_STOCK_ADJUST] = CELLAR_MOVEMENT_ADJUSTED,
        [CELLAR_OPERATION_STOCK_SET_ASIDE] = CELLAR_MOVEMENT_SET_ASIDE,
        [CELLAR_OPERATION_STOCK_ANNOUNCE] = CELLAR_MOVEMENT_ANNOUNCED,
        [CELLAR_OPERATION_STOCK_TAKE] = CELLAR_MOVEMENT_TAKEN,
    };
    if (operation->stock == NULL) {
        plan_invalid(plan, "stock is required", CELLAR_NO_LINE);
        return false;
    }
    made->function = plan_stock_change;
    made->stock =
        (struct plan_stock_request){.kind = kinds[operation->kind], .change = operation->stock};
    bool valid = plan_check_stock_change(plan, &made->stock);
    return compose_checked(made, operation, valid, made->stock.fingerprint, operation->stock->id);
}

static bool compose_check_entry(struct plan *plan, struct plan_operation *made,
                                const cellar_operation *operation) {
    const cellar_account_entry *entry = operation->entry;
    static const enum payload_entry kinds[] = {
        [CELLAR_OPERATION_ACCOUNT_CREDIT] = PAYLOAD_CREDIT,
        [CELLAR_OPERATION_ACCOUNT_DEBIT] = PAYLOAD_DEBIT,
        [CELLAR_OPERATION_ACCOUNT_TRANSFER] = PAYLOAD_TRANSFER,
    };
    if (entry == NULL) {
        plan_invalid(plan, "entry is required", CELLAR_NO_LINE);
        return false;
    }
    made->function = plan_account_entry;
    made->account = (struct plan_account_request){.kind = kinds[operation->kind],
                                                  .id = entry->id,
                                                  .account = entry->account,
                                                  .to = entry->to,
                                                  .amount = entry->amount};
    bool valid = plan_check_account_entry(plan, &made->account);
    return compose_checked(made, operation, valid, made->account.fingerprint, entry->id);
}

static bool compose_check_claim(struct plan *plan, struct plan_operation *made,
                                const cellar_operation *operation) {
    const cellar_claim *claim = operation->claim;
    if (claim == NULL) {
        plan_invalid(plan, "claim is required", CELLAR_NO_LINE);
        return false;
    }
    if (operation->kind == CELLAR_OPERATION_COUPON_CLAIM) {
        made->function = plan_coupon_claim;
        made->claim = (struct plan_claim_request){
            .id = claim->id, .campaign = claim->campaign, .customer = claim->customer};
        bool valid = plan_check_claim(plan, &made->claim);
        return compose_checked(made, operation, valid, made->claim.fingerprint, claim->id);
    }
    made->function = plan_coupon_revoke;
    made->revoke = (struct plan_revoke_request){
        .campaign = claim->campaign, .customer = claim->customer, .ordinal = claim->ordinal};
    const uint64_t numbers[3] = {claim->campaign, claim->customer, claim->ordinal};
    return compose_checked(made, operation, plan_check_revoke(plan, &made->revoke),
                           hash_seeded(6, numbers, sizeof numbers), (cellar_id){0, 0});
}

bool plan_check_operation(struct plan *plan, struct plan_operation *made,
                          const cellar_operation *operation) {
    switch (operation->kind) {
    case CELLAR_OPERATION_ORDER_PLACE:
    case CELLAR_OPERATION_ORDER_RETURN:
        return compose_check_order(plan, made, operation);
    case CELLAR_OPERATION_ORDER_STEP:
        return compose_check_step(plan, made, operation);
    case CELLAR_OPERATION_STOCK_RECEIVE:
    case CELLAR_OPERATION_STOCK_ADJUST:
    case CELLAR_OPERATION_STOCK_SET_ASIDE:
    case CELLAR_OPERATION_STOCK_ANNOUNCE:
    case CELLAR_OPERATION_STOCK_TAKE:
        return compose_check_stock(plan, made, operation);
    case CELLAR_OPERATION_ACCOUNT_CREDIT:
    case CELLAR_OPERATION_ACCOUNT_DEBIT:
    case CELLAR_OPERATION_ACCOUNT_TRANSFER:
        return compose_check_entry(plan, made, operation);
    case CELLAR_OPERATION_COUPON_CLAIM:
    case CELLAR_OPERATION_COUPON_REVOKE:
        return compose_check_claim(plan, made, operation);
    default:
        plan_invalid(plan, "kind: no such operation", CELLAR_NO_LINE);
        return false;
    }
}

bool plan_check_compose(struct plan *plan, struct plan_compose_request *request,
                        const cellar_operation *operations, size_t count) {
    if (operations == NULL || count == 0 || count > CELLAR_STEPS_MAX) {
        plan_invalid(plan, "count: 1 to 64 operations", CELLAR_NO_LINE);
        return false;
    }
    request->count = (uint32_t)count;
    request->fingerprint = 4;
    for (uint32_t i = 0; i < count; i++) {
        if (!plan_check_operation(plan, &request->operations[i], &operations[i])) {
            plan->refusal.step = i;
            return false;
        }
        request->fingerprint = hash_seeded(request->fingerprint, &request->operations[i].hash,
                                           sizeof request->operations[i].hash);
    }
    return true;
}

/* ---- Planning ---- */

/* One operation as a part of the payload. */
static enum plan_result compose_plan_part(struct plan *plan, struct plan_operation *operation) {
    uint32_t at = plan->payload_bytes;
    if (plan_append(plan, sizeof(struct payload_part)) == NULL) {
        return PLAN_NO_MEMORY;
    }
    plan->step_first = plan->change_count;
    enum plan_result result = operation->function(plan, &operation->order);
    if (result == PLAN_REPEATED) {
        /* It was done before, but not by this transaction. */
        return plan_refuse(plan, CELLAR_ID_REUSED, CELLAR_NO_LINE);
    }
    if (result != PLAN_COMMIT) {
        return result;
    }
    const struct payload_part part = {.kind = plan->kind,
                                      .bytes = plan->payload_bytes - at - (uint32_t)sizeof part};
    memcpy(plan->payload + at, &part, sizeof part);
    uint32_t padding = part_aligned(part.bytes) - part.bytes;
    void *behind = plan_append(plan, padding);
    if (behind == NULL) {
        return PLAN_NO_MEMORY;
    }
    if (padding != 0) {
        memset(behind, 0, padding);
    }
    return PLAN_COMMIT;
}

enum plan_result plan_compose(struct plan *plan, void *argument) {
    struct plan_compose_request *request = argument;
    uint32_t slot = 0;
    if (request->id.high != 0 || request->id.low != 0) {
        enum plan_result result =
            plan_document(plan, request->id, request->fingerprint, STORE_STATE_OTHER, &slot);
        if (result != PLAN_COMMIT) {
            return result;
        }
    }
    struct payload_composed *composed = plan_append(plan, sizeof *composed);
    if (composed == NULL) {
        return PLAN_NO_MEMORY;
    }
    *composed = (struct payload_composed){.id = request->id,
                                          .fingerprint = request->fingerprint,
                                          .time_ns = plan->now_ns,
                                          .slot = slot,
                                          .part_count = request->count};
    for (uint32_t i = 0; i < request->count; i++) {
        enum plan_result result = compose_plan_part(plan, &request->operations[i]);
        if (result != PLAN_COMMIT) {
            plan->refusal.step = i;
            return result;
        }
    }
    plan->kind = STORE_COMPOSED;
    plan->ticket.remaining = 0;
    return PLAN_COMMIT;
}
