/* One operation: what a changing call or a step of a transaction asks for, as a request that can be
 * planned. */
#ifndef CELLAR_STORE_OPERATION_H
#define CELLAR_STORE_OPERATION_H

#include "store/plan_coupon.h"

struct plan_operation {
    const cellar_operation *from;
    plan_function *function;
    cellar_id id; /* its own; {0, 0}: none */
    union {
        struct plan_order_request order;
        struct plan_step_request step;
        struct plan_stock_request stock;
        struct plan_account_request account;
        struct plan_hold_request hold;
        struct plan_lease_request lease;
        struct plan_claim_request claim;
        struct plan_revoke_request revoke;
        struct plan_redeem_request redeem;
        struct plan_code_request code;
    } request;
    const uint64_t *fingerprint; /* of the request */
};

/* Both take a struct plan_operation, of which the check fills in all but `from`. */
plan_check plan_check_operation;
plan_function plan_operation;

#endif
