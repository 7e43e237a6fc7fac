/* Inside support/sales_model: what its files share. */
#ifndef CELLAR_TESTS_SUPPORT_SALES_MODEL_PARTS_H
#define CELLAR_TESTS_SUPPORT_SALES_MODEL_PARTS_H

#include "support/sales_model.h"

/* Another reason against the call. */
void sales_model_refuse(struct sales_answer *answer, cellar_status reason);
/* It was done before, by this call. */
void sales_model_repeat(struct sales_answer *answer, uint32_t first);
/* A document with an id of its own: false when it was made before, which is then the answer. */
bool sales_model_is_new(const struct sales_model *model, cellar_id id, struct sales_answer *answer);
void sales_model_make_document(struct sales_model *model, cellar_id id);

/* sales_model_coupons.c. Each answers, and does what it says when nothing speaks against it. */
void sales_model_campaign(struct sales_model *model, const cellar_campaign *campaign,
                          struct sales_answer *answer);
void sales_model_code(struct sales_model *model, const cellar_code_request *code,
                      struct sales_answer *answer);
void sales_model_claim(struct sales_model *model, const cellar_claim *claim,
                       struct sales_answer *answer);
void sales_model_revoke(struct sales_model *model, const cellar_claim *claim,
                        struct sales_answer *answer);
void sales_model_redeem(struct sales_model *model, const cellar_redemption *redemption,
                        struct sales_answer *answer);
void sales_model_restore(struct sales_model *model, const cellar_redemption *redemption,
                         struct sales_answer *answer);

/* Of what an order takes off, `discounts_out[i]` of line i; the sum. Reasons go into `answer`. */
int64_t sales_model_discount(const struct sales_model *model, const cellar_order_request *order,
                             int64_t discounts_out[SALES_LINES], struct sales_answer *answer);
/* That order is placed; and cancelled as a whole. */
void sales_model_discount_take(struct sales_model *model, const cellar_order_request *order,
                               struct sales_model_order *placed);
void sales_model_discount_give_back(struct sales_model *model,
                                    const struct sales_order_state *state,
                                    struct sales_model_order *placed);
/* How many wait before each, as the ranks are now. */
void sales_model_count_waiting(struct sales_model *model);

/* sales_model_orders.c */
void sales_model_place(struct sales_model *model, const cellar_order_request *request,
                       struct sales_answer *answer);
void sales_model_step(struct sales_model *model, const cellar_order_change *change,
                      struct sales_answer *answer);

#endif
