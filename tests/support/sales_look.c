/* Reading all that can be asked of a store on a day of sales, and comparing. */
#include "support/sales_state.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

struct look {
    cellar *store;
    const uint64_t *lsns;
    uint32_t call_count;
    struct sales_state *state;
};

/* The call that made this commit, from 1; 0: none, -1: no call of the day. */
static int64_t call_of(const struct look *look, uint64_t lsn) {
    if (lsn == 0) {
        return 0;
    }
    for (uint32_t i = look->call_count; i-- > 0;) {
        if (look->lsns[i] == lsn) {
            return i + 1;
        }
    }
    return -1;
}

static void look_at_goods(const struct look *look) {
    for (uint32_t sku = 0; sku < SALES_SKUS; sku++) {
        const cellar_line line = {.sku = sales_sku(sku)};
        cellar_stock stock = {0};
        int64_t status = cellar_stock_get(look->store, &line, &stock);
        look->state->stocks[sku] = (struct sales_stock_state){.status = status,
                                                              .available = stock.available,
                                                              .reserved = stock.reserved,
                                                              .unsellable = stock.unsellable,
                                                              .incoming = stock.incoming,
                                                              .safety = stock.safety,
                                                              .on_hand = stock.on_hand};
    }
}

static void look_at_money(const struct look *look) {
    for (uint32_t i = 0; i < SALES_ACCOUNTS; i++) {
        cellar_account account = {0};
        int64_t status = cellar_account_get(look->store, i + 1, &account);
        /* What is collected and not settled can be spent as soon as it is wanted. */
        look->state->accounts[i] =
            (struct sales_account_state){.status = status,
                                         .balance = account.balance,
                                         .held = account.held,
                                         .available = account.available + account.unsettled};
    }
    for (uint32_t i = 0; i < SALES_HOLDS; i++) {
        cellar_account_hold_info hold = {0};
        int64_t status = cellar_account_hold_get(look->store, sales_hold(i), &hold);
        look->state->holds[i] = (struct sales_hold_state){.status = status,
                                                          .account = (int64_t)hold.account,
                                                          .amount = hold.amount,
                                                          .state = hold.state,
                                                          .posted = hold.posted,
                                                          .to = (int64_t)hold.to,
                                                          .placed = call_of(look, hold.placed_lsn),
                                                          .version = call_of(look, hold.version)};
    }
}

static void look_at_leases(const struct look *look) {
    for (uint32_t i = 0; i < SALES_LEASES; i++) {
        cellar_lease lease = {0};
        int64_t status = cellar_lease_get(look->store, sales_lease(i), &lease);
        look->state->leases[i] =
            (struct sales_lease_state){.status = status,
                                       .holder = (int64_t)lease.holder,
                                       .token = call_of(look, lease.token),
                                       .held = lease.held,
                                       .version = call_of(look, lease.version)};
    }
}

static void look_at_coupons(const struct look *look) {
    cellar_campaign campaign = {0};
    int64_t status = cellar_campaign_get(look->store, SALES_CAMPAIGN, &campaign);
    look->state->campaign =
        (struct sales_campaign_state){.status = status,
                                      .quota = campaign.quota,
                                      .claimed = campaign.claimed,
                                      .admitted = campaign.admitted,
                                      .waiting = campaign.waiting,
                                      .spent = campaign.spent,
                                      .version = call_of(look, campaign.version)};
    for (uint32_t i = 0; i < SALES_CODES; i++) {
        cellar_code code = {0};
        status = cellar_code_get(look->store, sales_code(i), &code);
        look->state->codes[i] = (struct sales_code_state){.status = status,
                                                          .uses = code.uses,
                                                          .left = code.left,
                                                          .version = call_of(look, code.version)};
    }
    for (uint32_t i = 0; i < SALES_CUSTOMERS; i++) {
        cellar_coupon coupon = {0};
        status = cellar_coupon_get(look->store, SALES_CAMPAIGN, i + 1, 0, &coupon);
        look->state->coupons[i] =
            (struct sales_coupon_state){.status = status,
                                        .state = coupon.state,
                                        .rank = (int64_t)coupon.rank,
                                        .ahead = coupon.ahead,
                                        .discount = coupon.discount,
                                        .version = call_of(look, coupon.version)};
    }
}

/* Numeric ids are given from 1 on, in the order in which the products were put first. */
static struct sales_line_state line_state(const cellar_order_line *line) {
    return (struct sales_line_state){.sku = (int64_t)line->product - 1,
                                     .quantity = line->quantity,
                                     .unit_price = line->unit_price,
                                     .discount = line->discount,
                                     .cancelled = line->cancelled,
                                     .fulfilled = line->fulfilled,
                                     .returned = line->returned,
                                     .uncovered = line->uncovered};
}

static void look_at_orders(const struct look *look) {
    for (uint32_t i = 0; i < SALES_ORDERS; i++) {
        cellar_order order = {0};
        cellar_order_line lines[SALES_LINES];
        int64_t status = cellar_order_get(look->store, sales_order(i), &order, lines, SALES_LINES);
        struct sales_order_state *state = &look->state->orders[i];
        *state = (struct sales_order_state){.status = status,
                                            .state = order.state,
                                            .customer = (int64_t)order.customer,
                                            .account = (int64_t)order.account,
                                            .payee = (int64_t)order.payee,
                                            .total = order.total,
                                            .cancelled_value = order.cancelled_value,
                                            .returned_value = order.returned_value,
                                            .line_count = order.line_count,
                                            .placed = call_of(look, order.placed_lsn),
                                            .version = call_of(look, order.version)};
        for (uint32_t k = 0; k < order.line_count && k < SALES_LINES; k++) {
            state->lines[k] = line_state(&lines[k]);
        }
    }
}

static void look_at_totals(const struct look *look, const cellar_totals *totals) {
    struct sales_totals_state *state = &look->state->totals;
    *state = (struct sales_totals_state){
        .products = (int64_t)totals->products,
        .stocks = (int64_t)totals->stocks,
        .accounts = (int64_t)totals->accounts,
        .customers = (int64_t)totals->customers,
        .documents = (int64_t)totals->orders[0],
        .order_lines = (int64_t)totals->order_lines,
        .return_lines = (int64_t)totals->return_lines,
        .units_ordered = totals->units_ordered,
        .units_returned = totals->units_returned,
        .revenue = totals->revenue,
        .returned_value = totals->returned_value,
        .units_received = totals->units_received,
        .units_adjusted = totals->units_adjusted,
        .units_taken = totals->units_taken,
        .units_available = totals->units_available,
        .units_reserved = totals->units_reserved,
        .units_unsellable = totals->units_unsellable,
        .units_fulfilled = totals->units_fulfilled,
        .balances = totals->balances,
        .credited = totals->credited,
        .debited = totals->debited,
        .campaigns = (int64_t)totals->campaigns,
        .codes = (int64_t)totals->codes,
        .coupons_claimed = (int64_t)totals->coupons_claimed,
        .coupons_redeemed = (int64_t)totals->coupons_redeemed,
        .coupons_revoked = (int64_t)totals->coupons_revoked,
        .code_uses = (int64_t)totals->code_uses,
        .discounts = totals->discounts,
        .account_holds = (int64_t)totals->account_holds,
        .held = totals->held,
        .leases = (int64_t)totals->leases,
    };
    for (uint32_t i = CELLAR_ORDER_PLACED; i <= CELLAR_ORDER_EXPIRED; i++) {
        state->orders[i] = (int64_t)totals->orders[i];
    }
}

bool sales_look(cellar *store, const uint64_t *lsns, uint32_t call_count,
                struct sales_state *state_out, char wrong[300]) {
    const struct look look = {store, lsns, call_count, state_out};
    cellar_audit audit;
    /* Behind it all that follows the log has followed it up to now. */
    cellar_status status = cellar_audit_run(store, &audit);
    if (status != CELLAR_OK || audit.violations != 0) {
        (void)snprintf(wrong, 300, "audit: %s %.200s", cellar_status_name(status),
                       audit.first_violation);
        return false;
    }
    memset(state_out, 0, sizeof *state_out);
    look_at_totals(&look, &audit.totals);
    look_at_goods(&look);
    look_at_money(&look);
    look_at_leases(&look);
    look_at_coupons(&look);
    look_at_orders(&look);
    return true;
}

/* ---- Comparing ---- */

#define PART(member, each)                                                                         \
    { #member, offsetof(struct sales_state, member), sizeof(struct each) }
static const struct {
    const char *name;
    size_t offset;
    size_t bytes; /* of one of them */
} parts[] = {
    PART(stocks, sales_stock_state),      PART(accounts, sales_account_state),
    PART(holds, sales_hold_state),        PART(leases, sales_lease_state),
    PART(campaign, sales_campaign_state), PART(codes, sales_code_state),
    PART(coupons, sales_coupon_state),    PART(orders, sales_order_state),
    PART(totals, sales_totals_state),
};

_Static_assert(sizeof(struct sales_state) % sizeof(int64_t) == 0, "numbers only");

bool sales_same(const struct sales_state *got, const struct sales_state *expected,
                char wrong[300]) {
    const int64_t *a = (const int64_t *)(const void *)got;
    const int64_t *b = (const int64_t *)(const void *)expected;
    size_t at = 0;
    size_t part = sizeof parts / sizeof *parts - 1;
    while (at < sizeof *got / sizeof *a && a[at] == b[at]) {
        at++;
    }
    if (at == sizeof *got / sizeof *a) {
        return true;
    }
    while (parts[part].offset > at * sizeof *a) {
        part--;
    }
    size_t inside = at * sizeof *a - parts[part].offset;
    (void)snprintf(wrong, 300, "%s[%zu], member %zu: %lld, not %lld", parts[part].name,
                   inside / parts[part].bytes, inside % parts[part].bytes / sizeof *a,
                   (long long)a[at], (long long)b[at]);
    return false;
}
