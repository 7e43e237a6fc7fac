/* What can be asked of a store on a day of sales: as the model says it, and as the store does. */
#ifndef CELLAR_TESTS_SUPPORT_SALES_STATE_H
#define CELLAR_TESTS_SUPPORT_SALES_STATE_H

#include "support/sales_draw.h"

/* Commits that the store makes of its own, in any order with the calls or not at all: it expires an
 * order, then a hold, or opens a stock before the call that needs it. A set of them is the bits of
 * a number. */
#define SALES_ASIDES (SALES_ORDERS + SALES_HOLDS + SALES_STOCKS)
#define SALES_ASIDE_STOCK                                                                          \
    (SALES_ORDERS + SALES_HOLDS) /* the first of them; before it deadlines                         \
                                  */

/* Numbers only, so that two can be compared one by one. `status` is that of the call that reads;
 * after NOT_FOUND all that follows is zero. LSNs are the number of what made the commit: of a call
 * from 1, or of what the store did aside, from SALES_CALLS + 1; 0 for none. */
struct sales_state {
    struct sales_stock_state {
        int64_t status, available, reserved, unsellable, incoming, safety, on_hand;
    } stocks[SALES_STOCKS]; /* those of a SKU by location, then those of the next */
    struct sales_account_state {
        int64_t status, balance, held, available;
    } accounts[SALES_ACCOUNTS];
    struct sales_hold_state {
        int64_t status, account, amount, state, posted, to, deadline_ns, placed, version;
    } holds[SALES_HOLDS];
    struct sales_lease_state {
        int64_t status, holder, token, held, version;
    } leases[SALES_LEASES];
    struct sales_campaign_state {
        int64_t status, quota, claimed, admitted, waiting, spent, period_claimed, version;
    } campaigns[SALES_CAMPAIGNS];
    struct sales_code_state {
        int64_t status, uses, left, version;
    } codes[SALES_CODES];
    struct sales_coupon_state {
        int64_t status, state, rank, ahead, discount, version;
    } coupons[SALES_CAMPAIGNS][SALES_CUSTOMERS][SALES_COUPONS];
    struct sales_order_state {
        int64_t status, state, customer, account, payee, total, cancelled_value, returned_value;
        int64_t hold_until_ns, line_count, placed, version;
        struct sales_line_state {
            /* The location is not told of a kit, which is at none. */
            int64_t sku, location, quantity, unit_price, discount, cancelled, fulfilled, returned,
                uncovered;
        } lines[SALES_LINES];
    } orders[SALES_ORDERS];
    struct sales_totals_state {
        int64_t products, stocks, accounts, customers, documents;
        int64_t orders[CELLAR_ORDER_EXPIRED + 1]; /* by state, from 1 */
        int64_t order_lines, return_lines, units_ordered, units_returned, revenue, returned_value;
        int64_t units_received, units_adjusted, units_taken;
        int64_t units_available, units_reserved, units_unsellable, units_fulfilled;
        int64_t balances, credited, debited, campaigns, codes, coupons_claimed, coupons_redeemed;
        int64_t coupons_revoked, code_uses, discounts, account_holds, held, leases;
    } totals;
};

/* What is known of a store's commits. */
struct sales_lsns {
    uint64_t calls[SALES_CALLS];   /* 0: it changed nothing */
    uint64_t asides[SALES_ASIDES]; /* of those that have a deadline; 0: not done */
};

/* Everything, as of all that was committed; the audit must find nothing. Of `call_count` calls.
 * False: `wrong` says why. */
bool sales_look(cellar *store, const struct sales_lsns *lsns, uint32_t call_count,
                struct sales_state *state_out, char wrong[300]);
/* What has been given back of these that have a deadline, and notes the commits. */
uint64_t sales_look_expired(cellar *store, uint64_t asides, struct sales_lsns *lsns);
/* The stocks that are open, as asides. */
uint64_t sales_look_opened(cellar *store);
/* Are they the same? If not, `wrong` names the first difference. */
bool sales_same(const struct sales_state *got, const struct sales_state *expected, char wrong[300]);

#endif
