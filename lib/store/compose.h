/* Several operations in one commit (D2). */
#ifndef CELLAR_STORE_COMPOSE_H
#define CELLAR_STORE_COMPOSE_H

#include "store/plan_coupon.h"

/* One operation of a transaction, checked. */
struct plan_operation {
    plan_function *function;
    uint64_t hash; /* of its content and its own id */
    union {
        struct plan_order_request order;
        struct plan_step_request step;
        struct plan_stock_request stock;
        struct plan_account_request account;
        struct plan_claim_request claim;
        struct plan_revoke_request revoke;
    };
};

struct plan_compose_request {
    cellar_id id;
    uint64_t fingerprint;
    uint32_t count;
    struct plan_operation operations[CELLAR_STEPS_MAX];
};

/* False: plan->refusal says why. */
bool plan_check_operation(struct plan *plan, struct plan_operation *made,
                          const cellar_operation *operation);
bool plan_check_compose(struct plan *plan, struct plan_compose_request *request,
                        const cellar_operation *operations, size_t count);
plan_function plan_compose;

#endif
