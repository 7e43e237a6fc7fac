/* Inside support/sales_model: what its files share. */
#ifndef CELLAR_TESTS_SUPPORT_SALES_MODEL_PARTS_H
#define CELLAR_TESTS_SUPPORT_SALES_MODEL_PARTS_H

#include "support/sales_model.h"

#include "base/clock.h"

/* Another reason against the call; until some time. */
void sales_model_refuse(struct sales_answer *answer, cellar_status reason);
void sales_model_refuse_until(struct sales_answer *answer, cellar_status reason, int64_t retry_ns);
/* It was done before, by this. */
void sales_model_repeat(struct sales_answer *answer, int64_t first);
/* A document with an id of its own, or none: false when it was made before, which is then the
 * answer. */
bool sales_model_is_new(const struct sales_model *model, cellar_id id, struct sales_answer *answer);
void sales_model_make_document(struct sales_model *model, cellar_id id);
int64_t sales_model_now_ns(const struct sales_model *model);
/* Deadlines count in whole milliseconds. */
int64_t sales_model_deadline_ns(int64_t given_ns);
/* There is one, and it has come. */
bool sales_model_is_over(const struct sales_model *model, int64_t deadline_ns);

/* ---- sales_model_goods.c ---- */

uint32_t sales_model_stock_number(const char *sku, uint32_t location);
/* A stock begins to exist where there was none. */
void sales_model_open(struct sales_model *model, uint32_t stock);
void sales_model_product(struct sales_model *model, const cellar_product *product);
void sales_model_change(struct sales_model *model, const struct sales_operation *step,
                        struct sales_answer *answer);
void sales_model_move(struct sales_model *model, const cellar_stock_level *level,
                      struct sales_answer *answer);
void sales_model_count(struct sales_model *model, const cellar_line *line,
                       struct sales_answer *answer);
void sales_model_safety(struct sales_model *model, const cellar_line *line,
                        struct sales_answer *answer);

/* ---- sales_model_places.c ---- */

/* Where the units of an order come from. Reasons go into `answer`. */
void sales_model_allocate(const struct sales_model *model, const cellar_order_request *request,
                          struct sales_model_order *order, struct sales_answer *answer);
/* Adds the pieces of the units of a line from number `from` up to `to`, by stock. */
void sales_model_pieces(const struct sales_model_order *order, uint32_t line, int64_t from,
                        int64_t to, int64_t pieces[SALES_STOCKS]);

/* ---- sales_model_coupons.c: campaigns and claims ---- */

void sales_model_campaign(struct sales_model *model, const cellar_campaign *campaign,
                          struct sales_answer *answer);
void sales_model_claim(struct sales_model *model, const cellar_claim *claim,
                       struct sales_answer *answer);
void sales_model_revoke(struct sales_model *model, const cellar_claim *claim,
                        struct sales_answer *answer);
/* How many wait before each, as the ranks are now. */
void sales_model_count_waiting(struct sales_model *model);
/* What speaks against claims, and codes, at this time. */
void sales_model_refuse_time(const struct sales_model *model, uint32_t campaign,
                             struct sales_answer *answer);
struct sales_coupon_state *sales_model_coupon(struct sales_model *model, uint32_t campaign,
                                              uint64_t customer, uint32_t ordinal);
void sales_model_coupon_set(struct sales_model *model, struct sales_coupon_state *coupon,
                            cellar_coupon_state state);

/* ---- sales_model_redeem.c ---- */

void sales_model_code(struct sales_model *model, const cellar_code_request *code,
                      struct sales_answer *answer);
void sales_model_redeem(struct sales_model *model, const cellar_redemption *redemption,
                        struct sales_answer *answer);
void sales_model_restore(struct sales_model *model, const cellar_redemption *redemption,
                         struct sales_answer *answer);
int64_t sales_model_value(const cellar_line *lines, size_t line_count);
/* Of what an order takes off, `discounts_out[i]` of line i; the sum. Reasons go into `answer`. */
int64_t sales_model_discount(struct sales_model *model, const cellar_order_request *order,
                             struct sales_model_order *made, int64_t discounts_out[SALES_LINES],
                             struct sales_answer *answer);
/* That order is placed; and cancelled as a whole. */
void sales_model_discount_take(struct sales_model *model, const cellar_order_request *order,
                               struct sales_model_order *placed);
void sales_model_discount_give_back(struct sales_model *model,
                                    const struct sales_order_state *state,
                                    struct sales_model_order *placed);

/* ---- sales_model_orders.c ---- */

void sales_model_place(struct sales_model *model, const cellar_order_request *request,
                       struct sales_answer *answer);
void sales_model_step(struct sales_model *model, const cellar_order_change *change,
                      struct sales_answer *answer);
void sales_model_expire_order(struct sales_model *model, uint32_t number);

/* ---- sales_model_money.c: accounts and holds ---- */

void sales_model_account(struct sales_model *model, const cellar_account_request *request,
                         struct sales_answer *answer);
void sales_model_credit(struct sales_model *model, const cellar_account_entry *entry,
                        struct sales_answer *answer);
void sales_model_hold(struct sales_model *model, const cellar_account_entry *entry,
                      struct sales_answer *answer);
void sales_model_post(struct sales_model *model, const cellar_account_entry *entry,
                      struct sales_answer *answer);
void sales_model_void(struct sales_model *model, const cellar_account_entry *entry,
                      struct sales_answer *answer);
void sales_model_expire_hold(struct sales_model *model, uint32_t number);

#endif
