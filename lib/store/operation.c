/* From a cellar_operation to the request that is planned. */
#include "store/operation.h"

/* Fills in the request, by `detail` of the table. NULL, or what is wrong with the operation. */
typedef const char *operation_fill(struct plan_operation *made, uint32_t detail);

static void operation_identify(struct plan_operation *made, cellar_id id,
                               const uint64_t *fingerprint) {
    made->id = id;
    made->fingerprint = fingerprint;
}

static const char *operation_fill_order(struct plan_operation *made, uint32_t is_return) {
    struct plan_order_request *request = &made->request.order;
    if (made->from->order == NULL) {
        return "order is required";
    }
    *request = (struct plan_order_request){.order = made->from->order,
                                           .is_return = is_return != 0,
                                           .damaged = is_return != 0 && made->from->damaged};
    operation_identify(made, request->order->id, &request->fingerprint);
    return NULL;
}

static const char *operation_fill_step(struct plan_operation *made, uint32_t detail) {
    struct plan_step_request *request = &made->request.step;
    (void)detail;
    if (made->from->step == NULL) {
        return "step is required";
    }
    *request = (struct plan_step_request){.change = made->from->step};
    operation_identify(made, request->change->id, &request->fingerprint);
    return NULL;
}

static const char *operation_fill_stock(struct plan_operation *made, uint32_t movement) {
    struct plan_stock_request *request = &made->request.stock;
    if (made->from->stock == NULL) {
        return "stock is required";
    }
    *request = (struct plan_stock_request){.kind = (cellar_movement_kind)movement,
                                           .change = made->from->stock};
    operation_identify(made, request->change->id, &request->fingerprint);
    return NULL;
}

static const char *operation_fill_level(struct plan_operation *made, uint32_t movement) {
    struct plan_stock_request *request = &made->request.stock;
    const cellar_stock_level *level = made->from->level;
    if (level == NULL || level->line == NULL) {
        return "level and its line are required";
    }
    if (movement != CELLAR_MOVEMENT_MOVED && (level->id.high != 0 || level->id.low != 0)) {
        return "id: of a move only";
    }
    *request = (struct plan_stock_request){.kind = (cellar_movement_kind)movement,
                                           .id = level->id,
                                           .line = level->line,
                                           .to_location = level->to_location,
                                           .expected = level->expected};
    operation_identify(made, level->id, &request->fingerprint);
    return NULL;
}

static const char *operation_fill_entry(struct plan_operation *made, uint32_t entry_kind) {
    struct plan_account_request *request = &made->request.account;
    const cellar_account_entry *entry = made->from->entry;
    if (entry == NULL) {
        return "entry is required";
    }
    *request = (struct plan_account_request){.kind = (enum payload_entry)entry_kind,
                                             .id = entry->id,
                                             .account = entry->account,
                                             .to = entry->to,
                                             .amount = entry->amount};
    operation_identify(made, entry->id, &request->fingerprint);
    return NULL;
}

static const char *operation_fill_floor(struct plan_operation *made, uint32_t detail) {
    struct plan_account_request *request = &made->request.account;
    const cellar_account_entry *entry = made->from->entry;
    (void)detail;
    if (entry == NULL) {
        return "entry is required";
    }
    *request = (struct plan_account_request){
        .account = entry->account, .amount = entry->amount, .expected = entry->expected};
    operation_identify(made, (cellar_id){0, 0}, &request->fingerprint);
    return NULL;
}

static const char *operation_fill_account(struct plan_operation *made, uint32_t detail) {
    struct plan_account_request *request = &made->request.account;
    const cellar_account_request *terms = made->from->account;
    (void)detail;
    if (terms == NULL) {
        return "account is required";
    }
    *request = (struct plan_account_request){.account = terms->id,
                                             .amount = terms->floor,
                                             .currency = terms->currency,
                                             .collecting = terms->collecting};
    operation_identify(made, (cellar_id){0, 0}, &request->fingerprint);
    return NULL;
}

static const char *operation_fill_hold(struct plan_operation *made, uint32_t state) {
    struct plan_hold_request *request = &made->request.hold;
    const cellar_account_entry *entry = made->from->entry;
    if (entry == NULL) {
        return "entry is required";
    }
    bool posts = state == CELLAR_ACCOUNT_HOLD_POSTED;
    bool holds = state == CELLAR_ACCOUNT_HOLD_HELD;
    *request = (struct plan_hold_request){.id = entry->id,
                                          .account = holds ? entry->account : 0,
                                          .amount = holds || posts ? entry->amount : 0,
                                          .deadline_ns = holds ? entry->deadline_ns : 0,
                                          .to = posts ? entry->to : 0,
                                          .state = (cellar_account_hold_state)state};
    operation_identify(made, entry->id, &request->fingerprint);
    return NULL;
}

static const char *operation_fill_lease(struct plan_operation *made, uint32_t detail) {
    struct plan_lease_request *request = &made->request.lease;
    const cellar_lease_request *lease = made->from->lease;
    (void)detail;
    if (lease == NULL) {
        return "lease is required";
    }
    *request = (struct plan_lease_request){.name = lease->name,
                                           .holder = lease->holder,
                                           .token = lease->token,
                                           .ttl_ms = lease->ttl_ms};
    operation_identify(made, (cellar_id){0, 0}, &request->fingerprint);
    return NULL;
}

static const char *operation_fill_claim(struct plan_operation *made, uint32_t detail) {
    struct plan_claim_request *request = &made->request.claim;
    const cellar_claim *claim = made->from->claim;
    (void)detail;
    if (claim == NULL) {
        return "claim is required";
    }
    *request = (struct plan_claim_request){
        .id = claim->id, .campaign = claim->campaign, .customer = claim->customer};
    operation_identify(made, claim->id, &request->fingerprint);
    return NULL;
}

static const char *operation_fill_revoke(struct plan_operation *made, uint32_t detail) {
    struct plan_revoke_request *request = &made->request.revoke;
    const cellar_claim *claim = made->from->claim;
    (void)detail;
    if (claim == NULL) {
        return "claim is required";
    }
    *request = (struct plan_revoke_request){
        .campaign = claim->campaign, .customer = claim->customer, .ordinal = claim->ordinal};
    operation_identify(made, (cellar_id){0, 0}, &request->fingerprint);
    return NULL;
}

static const char *operation_fill_redeem(struct plan_operation *made, uint32_t restores) {
    struct plan_redeem_request *request = &made->request.redeem;
    const cellar_operation *from = made->from;
    if (from->redemption == NULL) {
        return "redemption is required";
    }
    *request =
        (struct plan_redeem_request){.redemption = from->redemption,
                                     .restore = restores != 0,
                                     .discount = restores != 0 ? from->discount : 0,
                                     .discounts_out = restores != 0 ? NULL : from->discounts_out};
    operation_identify(made, from->redemption->id, &request->fingerprint);
    return NULL;
}

static const char *operation_fill_code(struct plan_operation *made, uint32_t detail) {
    struct plan_code_request *request = &made->request.code;
    const cellar_code_request *code = made->from->code;
    (void)detail;
    if (code == NULL) {
        return "code is required";
    }
    *request = (struct plan_code_request){
        .campaign = code->campaign, .code = code->code, .uses = code->uses};
    operation_identify(made, (cellar_id){0, 0}, &request->fingerprint);
    return NULL;
}

struct operation_kind {
    operation_fill *fill;
    plan_check *check;
    plan_function *function;
    uint32_t detail;
};

static const struct operation_kind operation_kinds[] = {
    [CELLAR_OPERATION_ORDER_PLACE] = {operation_fill_order, plan_check_order, plan_order_place, 0},
    [CELLAR_OPERATION_ORDER_RETURN] = {operation_fill_order, plan_check_order, plan_order_return,
                                       1},
    [CELLAR_OPERATION_ORDER_STEP] = {operation_fill_step, plan_check_step, plan_order_step, 0},
    [CELLAR_OPERATION_STOCK_RECEIVE] = {operation_fill_stock, plan_check_stock_change,
                                        plan_stock_change, CELLAR_MOVEMENT_RECEIVED},
    [CELLAR_OPERATION_STOCK_ADJUST] = {operation_fill_stock, plan_check_stock_change,
                                       plan_stock_change, CELLAR_MOVEMENT_ADJUSTED},
    [CELLAR_OPERATION_STOCK_SET_ASIDE] = {operation_fill_stock, plan_check_stock_change,
                                          plan_stock_change, CELLAR_MOVEMENT_SET_ASIDE},
    [CELLAR_OPERATION_STOCK_ANNOUNCE] = {operation_fill_stock, plan_check_stock_change,
                                         plan_stock_change, CELLAR_MOVEMENT_ANNOUNCED},
    [CELLAR_OPERATION_STOCK_TAKE] = {operation_fill_stock, plan_check_stock_change,
                                     plan_stock_change, CELLAR_MOVEMENT_TAKEN},
    [CELLAR_OPERATION_STOCK_MOVE] = {operation_fill_level, plan_check_stock_move, plan_stock_move,
                                     CELLAR_MOVEMENT_MOVED},
    [CELLAR_OPERATION_STOCK_COUNT] = {operation_fill_level, plan_check_stock_level,
                                      plan_stock_count, CELLAR_MOVEMENT_COUNTED},
    [CELLAR_OPERATION_STOCK_SET_SAFETY] = {operation_fill_level, plan_check_stock_level,
                                           plan_stock_safety, CELLAR_MOVEMENT_SAFETY},
    [CELLAR_OPERATION_ACCOUNT_CREDIT] = {operation_fill_entry, plan_check_account_entry,
                                         plan_account_entry, PAYLOAD_CREDIT},
    [CELLAR_OPERATION_ACCOUNT_DEBIT] = {operation_fill_entry, plan_check_account_entry,
                                        plan_account_entry, PAYLOAD_DEBIT},
    [CELLAR_OPERATION_ACCOUNT_TRANSFER] = {operation_fill_entry, plan_check_account_entry,
                                           plan_account_entry, PAYLOAD_TRANSFER},
    [CELLAR_OPERATION_ACCOUNT_CREATE] = {operation_fill_account, plan_check_account_open,
                                         plan_account_open, 0},
    [CELLAR_OPERATION_ACCOUNT_SET_FLOOR] = {operation_fill_floor, plan_check_account_floor,
                                            plan_account_floor, 0},
    [CELLAR_OPERATION_ACCOUNT_HOLD] = {operation_fill_hold, plan_check_account_hold,
                                       plan_account_hold, CELLAR_ACCOUNT_HOLD_HELD},
    [CELLAR_OPERATION_ACCOUNT_POST] = {operation_fill_hold, plan_check_account_hold_step,
                                       plan_account_hold_step, CELLAR_ACCOUNT_HOLD_POSTED},
    [CELLAR_OPERATION_ACCOUNT_VOID] = {operation_fill_hold, plan_check_account_hold_step,
                                       plan_account_hold_step, CELLAR_ACCOUNT_HOLD_VOIDED},
    [CELLAR_OPERATION_LEASE_ACQUIRE] = {operation_fill_lease, plan_check_lease_acquire,
                                        plan_lease_acquire, 0},
    [CELLAR_OPERATION_LEASE_RENEW] = {operation_fill_lease, plan_check_lease_renew,
                                      plan_lease_renew, 0},
    [CELLAR_OPERATION_LEASE_RELEASE] = {operation_fill_lease, plan_check_lease_release,
                                        plan_lease_release, 0},
    [CELLAR_OPERATION_COUPON_CLAIM] = {operation_fill_claim, plan_check_claim, plan_coupon_claim,
                                       0},
    [CELLAR_OPERATION_COUPON_REVOKE] = {operation_fill_revoke, plan_check_revoke,
                                        plan_coupon_revoke, 0},
    [CELLAR_OPERATION_COUPON_REDEEM] = {operation_fill_redeem, plan_check_redeem, plan_redeem_call,
                                        0},
    [CELLAR_OPERATION_COUPON_RESTORE] = {operation_fill_redeem, plan_check_redeem, plan_redeem_call,
                                         1},
    [CELLAR_OPERATION_CODE_ADD] = {operation_fill_code, plan_check_code, plan_code_add, 0},
};
#define OPERATION_KINDS (sizeof operation_kinds / sizeof *operation_kinds)

bool plan_check_operation(struct plan *plan, void *argument) {
    struct plan_operation *made = argument;
    uint32_t number = (uint32_t)made->from->kind;
    const struct operation_kind *kind = number < OPERATION_KINDS ? &operation_kinds[number] : NULL;
    const char *wrong = "kind: no such operation";
    if (kind != NULL && kind->fill != NULL) {
        wrong = kind->fill(made, kind->detail);
    }
    if (wrong != NULL) {
        plan_invalid(plan, wrong, CELLAR_NO_LINE);
        return false;
    }
    made->function = kind->function;
    return kind->check(plan, &made->request);
}

enum plan_result plan_operation(struct plan *plan, void *argument) {
    struct plan_operation *made = argument;
    return made->function(plan, &made->request);
}
