/* A sequential model of the calls of a day of sales (support/sales_draw.h): what each of them must
 * answer, and what stock, money, coupons, leases and orders are then. Written from what cellar.h
 * and the pages in docs/ promise; nothing in it is the library's, and nothing is taken from a
 * store.
 *
 * Where several things speak against a call, any of them may be the answer, unless cellar.h says
 * which comes first. */
#ifndef CELLAR_TESTS_SUPPORT_SALES_MODEL_H
#define CELLAR_TESTS_SUPPORT_SALES_MODEL_H

#include "support/sales_state.h"

#define SALES_REASONS_MAX 16

/* What a call must answer. */
struct sales_answer {
    cellar_status reasons[SALES_REASONS_MAX]; /* refusals; one of them it must be */
    uint32_t reason_count;                    /* 0: OK */
    bool repeated;
    uint32_t first; /* repeated: the call that was the first time, from 1; 0: not said */
    int64_t remaining;
    uint64_t rank;
    bool waiting;
};

struct sales_model {
    struct sales_state state;
    uint32_t call; /* the one at hand, from 1 */
    int64_t now_ms;

    int64_t components[SALES_SKUS]; /* pieces of each SKU in a kit */
    struct sales_model_order {
        int64_t content[6 + 3 * SALES_LINES]; /* what was asked for */
        int64_t pieces[SALES_LINES][SALES_SKUS];
        int64_t discount;
        uint32_t redemption; /* of a coupon, 0: none */
        uint32_t code;       /* from 1; 0: none */
    } orders[SALES_ORDERS];
    struct {
        int64_t until_ms; /* 0: released */
        uint32_t acquired;
    } leases[SALES_LEASES];
    cellar_discount discount;
    int64_t budget;
    int64_t waitlist_max;
    uint32_t claimants[SALES_CUSTOMERS + 1]; /* by rank: customers, from 1 */
    bool holes[SALES_CUSTOMERS + 1];         /* by rank: revoked while it waited */
    uint32_t redemptions[SALES_CUSTOMERS];   /* by customer: the latest */
    uint32_t redemption_count;
    bool customers[SALES_CUSTOMERS];
    uint32_t others[SALES_OTHERS]; /* calls that made the documents with other ids; 0: none */
};

void sales_model_begin(struct sales_model *model);
/* The store's clock shows this. */
void sales_model_clock(struct sales_model *model, int64_t now_ms);
/* Call number `call`, from 0. */
void sales_model_call(struct sales_model *model, const struct sales_request *request, uint32_t call,
                      struct sales_answer *answer_out);
/* The call that made the token of a lease, from 1; 0: there is none. */
uint32_t sales_model_token(const struct sales_model *model, uint32_t lease);

#endif
