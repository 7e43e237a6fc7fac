/* Plans of campaigns, coupons and codes. plan_coupon_redeem() and plan_coupon_restore() are for use
 * inside the plan of another change, an order's, too. */
#ifndef CELLAR_STORE_PLAN_COUPON_H
#define CELLAR_STORE_PLAN_COUPON_H

#include "store/discount.h"
#include "store/plan.h"

struct plan_campaign_request {
    const cellar_campaign *campaign;
    uint64_t expected;
    size_t text_bytes; /* name and categories */
    /* Made before the first attempt, see campaign_rules_fill(). */
    struct coupon_rules *rules;
};

struct plan_claim_request {
    cellar_id id;
    uint64_t campaign;
    uint64_t customer;
    uint64_t fingerprint;
};

struct plan_revoke_request {
    uint64_t campaign;
    uint64_t customer;
    uint32_t ordinal;
    uint64_t fingerprint;
};

struct plan_code_request {
    uint64_t campaign;
    const char *code;
    int64_t uses;
    size_t code_bytes;
    uint64_t fingerprint;
};

/* A line of what is bought: its product's slot and its value. */
struct plan_bought {
    uint32_t product;
    int64_t amount;
};

/* What is to be redeemed: a code, or else a coupon. */
struct plan_redemption {
    uint64_t campaign;
    uint64_t customer;
    uint32_t ordinal; /* or CELLAR_ANY_ORDINAL */
    const char *code; /* NULL: none */
    size_t code_bytes;
    const struct plan_bought *bought;
    struct discount_line *lines; /* as many; discount is filled in */
    size_t line_count;
};

/* The public calls that redeem and restore. */
struct plan_redeem_request {
    const cellar_redemption *redemption;
    bool restore;
    int64_t discount; /* of a code that is restored */
    int64_t *discounts_out;
    uint64_t fingerprint;
    size_t code_bytes;
    /* Room for redemption->line_count of each, made by the caller. */
    struct plan_bought *bought;
    struct discount_line *lines;
    size_t allocated_bytes; /* of it; 0: it lies in the plan, or there is none */
};

plan_check plan_check_campaign;
plan_check plan_check_claim;
plan_check plan_check_revoke;
plan_check plan_check_code;
plan_check plan_check_redeem;

plan_function plan_campaign_put; /* struct plan_campaign_request; not in a composed plan */
plan_function plan_coupon_claim; /* struct plan_claim_request */
plan_function plan_coupon_revoke;
plan_function plan_code_add;
plan_function plan_redeem_call; /* struct plan_redeem_request */

/* Writes the cells of a redemption and fills in *redeem_out, which belongs into the record's
 * payload for coupon_apply_redeem(). Refuses before it writes anything. It must be asked for before
 * the contended cells of the stock are written only in so far as refusals are cheaper then. */
enum plan_result plan_coupon_redeem(struct plan *plan, const struct plan_redemption *redemption,
                                    struct payload_redeem *redeem_out);
/* Of an order: is there one to redeem; is what the request says of it well formed. */
bool plan_order_has_coupon(const cellar_order_request *order);
bool plan_check_order_coupon(struct plan *plan, const cellar_order_request *order, bool is_return);
/* Redeems the order's, whose payload begins at `start` and has its lines: appends the discounts of
 * the lines and what was redeemed, and takes the discount off the total. */
enum plan_result plan_order_coupon(struct plan *plan, const cellar_order_request *order,
                                   uint32_t start);
/* Gives it back, by the campaign's rule; one that the host has given back itself is left alone,
 * also when it was redeemed again since. */
enum plan_result plan_order_uncoupon(struct plan *plan, const struct store_order *order,
                                     const struct payload_redeem *redeem, bool *restored_out);
/* Undoes what `redeem` says, by the campaign's rule: *restored_out false means that it stays as it
 * is, and nothing is written. NOT_REDEEMED when it does not stand, or when it is a coupon and
 * `redeemed_lsn`, if not 0, is not where it was redeemed. */
enum plan_result plan_coupon_restore(struct plan *plan, const struct payload_redeem *redeem,
                                     uint64_t redeemed_lsn, bool *restored_out);

/* Inside: the cells of a campaign that exists, `guard` read first. NOT_FOUND. */
struct plan_campaign {
    struct store_campaign *campaign;
    struct cell_content guard;
    struct cell_content number; /* of the block: its version is that of the rules */
    const struct coupon_rules *rules;
};
enum plan_result plan_campaign_read(struct plan *plan, struct store_campaign *campaign,
                                    enum coupon_campaign_cell guard,
                                    struct plan_campaign *campaign_out);
/* A refusal is checked by no commit. It is told only when the cell that guards what it was drawn
 * from is as it was read, so that all was so at one instant; else the plan is made anew. */
enum plan_result plan_campaign_settle(struct plan *plan, enum plan_result result, uint32_t cell,
                                      struct cell_content guard);
/* `admitted` with `places` more, the holes passed by on the way taken from *holes. `admitted` is
 * the cell's content, read before `claimed` and `holes`. */
enum plan_result plan_campaign_admit(struct plan *plan, const struct store_campaign *campaign,
                                     struct cell_content admitted, int64_t claimed, int64_t places,
                                     int64_t *holes, int64_t *admitted_out);
/* PAUSED, ENDED, NOT_STARTED, EXPIRED: whether one may claim now. */
enum plan_result plan_coupon_check_time(struct plan *plan, const struct payload_campaign *put);
void campaign_rules_fill(struct coupon_rules *rules, const cellar_campaign *campaign);
/* Ends a plan that may have an id: its document, and the payload's part about it.
 * PLAN_REPEATED, PLAN_REFUSED as plan_document(). */
enum plan_result plan_coupon_identify(struct plan *plan, cellar_id id, uint64_t fingerprint);
/* A refusal is not told when the request has been done before, perhaps just now: then it is
 * repeated, or the id was reused. `result` is what the plan came to without its id. */
enum plan_result plan_coupon_refused(struct plan *plan, enum plan_result result, cellar_id id,
                                     uint64_t fingerprint);
/* What the repeated request's document keeps: the number of a claim, or a discount. */
int64_t plan_coupon_kept(const struct plan *plan, cellar_id id);

#endif
