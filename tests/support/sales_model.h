/* A sequential model of the calls of a day of sales (support/sales_draw.h): what each of them must
 * answer, and what stock, money, coupons, leases and orders are then. Written from what cellar.h
 * and the pages in docs/ promise; nothing in it is the library's, and nothing is taken from a
 * store.
 *
 * What a store does of its own (support/sales_state.h) may come sooner or later: the model does it
 * when it is told to, and tells what is due.
 *
 * Where several things speak against a call, any of them may be the answer, unless cellar.h says
 * which comes first. */
#ifndef CELLAR_TESTS_SUPPORT_SALES_MODEL_H
#define CELLAR_TESTS_SUPPORT_SALES_MODEL_H

#include "support/sales_state.h"

#define SALES_REASONS_MAX 16
/* Numbers that make up the content of an order's request. */
#define SALES_CONTENT (9 + SALES_LOCATIONS + 4 * SALES_LINES)

/* What a call must answer. */
struct sales_answer {
    cellar_status reasons[SALES_REASONS_MAX]; /* refusals; one of them it must be */
    int64_t retries_ns[SALES_REASONS_MAX];    /* when to ask again; 0: not said */
    uint32_t reason_count;                    /* 0: OK */
    bool repeated;
    uint32_t first; /* repeated: what was the first time, as in sales_state; 0: not said */
    int64_t remaining;
    uint64_t rank;
    bool waiting;
};

struct sales_model {
    struct sales_state state;
    uint32_t call; /* the one at hand, from 1; or what is done aside, as in sales_state */
    int64_t now_ms;

    int64_t components[SALES_SKUS]; /* pieces of each SKU in a kit */
    struct sales_model_order {
        int64_t content[SALES_CONTENT]; /* what was asked for */
        /* Of each line: pieces of each SKU in a unit, and where those of all units come from: so
         * many from the first place, then so many from the second ... */
        int64_t pieces[SALES_LINES][SALES_SKUS];
        uint32_t places[SALES_LINES][SALES_LOCATIONS];
        int64_t taken[SALES_LINES][SALES_SKUS][SALES_LOCATIONS];
        int64_t discount;
        uint32_t campaign; /* of its coupon or code */
        uint32_t ordinal;
        uint32_t redemption; /* of a coupon, 0: none */
        uint32_t code;       /* from 1; 0: none */
    } orders[SALES_ORDERS];
    int64_t deadlines_ns[SALES_HOLDS]; /* as they were asked for */
    struct {
        int64_t until_ms; /* 0: released */
        uint32_t acquired;
    } leases[SALES_LEASES];
    struct sales_model_campaign {
        cellar_campaign put;
        uint32_t claimants[SALES_CUSTOMERS * SALES_COUPONS + 1]; /* by rank: customers, from 1 */
        uint32_t ordinals[SALES_CUSTOMERS * SALES_COUPONS + 1];  /* by rank */
        bool holes[SALES_CUSTOMERS * SALES_COUPONS + 1];      /* by rank: revoked while it waited */
        uint32_t redemptions[SALES_CUSTOMERS][SALES_COUPONS]; /* the latest */
        int64_t period;                                       /* that of the latest claim */
        /* Of each coupon the period of customers that it was claimed in; -1: none that counts. */
        int64_t periods[SALES_CUSTOMERS][SALES_COUPONS];
    } campaigns[SALES_CAMPAIGNS];
    uint32_t redemption_count;
    bool customers[SALES_CUSTOMERS];
    uint16_t others[SALES_OTHERS]; /* calls that made the documents with other ids; 0: none */
};

void sales_model_begin(struct sales_model *model);
/* The store's clock shows this. */
void sales_model_clock(struct sales_model *model, int64_t now_ms);
/* Call number `call`, from 0. */
void sales_model_call(struct sales_model *model, const struct sales_request *request, uint32_t call,
                      struct sales_answer *answer_out);
/* The call that made the token of a lease, from 1; 0: there is none. */
uint32_t sales_model_token(const struct sales_model *model, uint32_t lease);
/* What is held though its deadline has come. */
uint64_t sales_model_due(const struct sales_model *model);
/* The store has done one of these of its own. */
void sales_model_aside(struct sales_model *model, uint32_t aside);
bool sales_answer_has(const struct sales_answer *answer, cellar_status reason);

#endif
