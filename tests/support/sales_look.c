/* Reading all that can be asked of a store on a day of sales, and comparing. */
#include "support/sales_state.h"

#include "engine/engine.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

struct look {
    cellar *store;
    const struct sales_lsns *lsns;
    uint32_t call_count;
    struct sales_state *state;
};

/* What made this commit; 0: none, -1: nothing of the day. */
static int64_t made_by(const struct look *look, uint64_t lsn) {
    if (lsn == 0) {
        return 0;
    }
    for (uint32_t i = look->call_count; i-- > 0;) {
        if (look->lsns->calls[i] == lsn) {
            return i + 1;
        }
    }
    for (uint32_t i = 0; i < SALES_ASIDES; i++) {
        if (look->lsns->asides[i] == lsn) {
            return SALES_CALLS + 1 + i;
        }
    }
    return -1;
}

static cellar_status stock_get(cellar *store, uint32_t number, cellar_stock *stock_out) {
    const cellar_line line = {.sku = sales_sku(number / SALES_LOCATIONS),
                              .location = number % SALES_LOCATIONS};
    *stock_out = (cellar_stock){0};
    return cellar_stock_get(store, &line, stock_out);
}

static void look_at_goods(const struct look *look) {
    for (uint32_t i = 0; i < SALES_STOCKS; i++) {
        cellar_stock stock;
        int64_t status = stock_get(look->store, i, &stock);
        look->state->stocks[i] = (struct sales_stock_state){.status = status,
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
                                                          .deadline_ns = hold.deadline_ns,
                                                          .placed = made_by(look, hold.placed_lsn),
                                                          .version = made_by(look, hold.version)};
    }
}

static void look_at_leases(const struct look *look) {
    for (uint32_t i = 0; i < SALES_LEASES; i++) {
        cellar_lease lease = {0};
        int64_t status = cellar_lease_get(look->store, sales_lease(i), &lease);
        look->state->leases[i] =
            (struct sales_lease_state){.status = status,
                                       .holder = (int64_t)lease.holder,
                                       .token = made_by(look, lease.token),
                                       .held = lease.held,
                                       .version = made_by(look, lease.version)};
    }
}

static void look_at_customers(const struct look *look, uint32_t campaign) {
    for (uint32_t i = 0; i < SALES_CUSTOMERS * SALES_COUPONS; i++) {
        uint32_t customer = i / SALES_COUPONS;
        uint32_t ordinal = i % SALES_COUPONS;
        cellar_coupon coupon = {0};
        int64_t status = cellar_coupon_get(look->store, sales_campaign(campaign), customer + 1,
                                           ordinal, &coupon);
        look->state->coupons[campaign][customer][ordinal] =
            (struct sales_coupon_state){.status = status,
                                        .state = coupon.state,
                                        .rank = (int64_t)coupon.rank,
                                        .ahead = coupon.ahead,
                                        .discount = coupon.discount,
                                        .version = made_by(look, coupon.version)};
    }
}

static void look_at_coupons(const struct look *look) {
    for (uint32_t i = 0; i < SALES_CAMPAIGNS; i++) {
        cellar_campaign campaign = {0};
        int64_t status = cellar_campaign_get(look->store, sales_campaign(i), &campaign);
        look->state->campaigns[i] =
            (struct sales_campaign_state){.status = status,
                                          .quota = campaign.quota,
                                          .claimed = campaign.claimed,
                                          .admitted = campaign.admitted,
                                          .waiting = campaign.waiting,
                                          .spent = campaign.spent,
                                          .period_claimed = campaign.period_claimed,
                                          .version = made_by(look, campaign.version)};
        look_at_customers(look, i);
    }
    for (uint32_t i = 0; i < SALES_CODES; i++) {
        cellar_code code = {0};
        int64_t status = cellar_code_get(look->store, sales_code(i), &code);
        look->state->codes[i] = (struct sales_code_state){.status = status,
                                                          .uses = code.uses,
                                                          .left = code.left,
                                                          .version = made_by(look, code.version)};
    }
}

/* Numeric ids are given from 1 on, in the order in which the products were put first. */
static struct sales_line_state line_state(const cellar_order_line *line) {
    bool kit = line->product - 1 == SALES_KIT;
    return (struct sales_line_state){.sku = (int64_t)line->product - 1,
                                     .location = kit ? 0 : line->location,
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
                                            .hold_until_ns = order.hold_until_ns,
                                            .line_count = order.line_count,
                                            .placed = made_by(look, order.placed_lsn),
                                            .version = made_by(look, order.version)};
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

bool sales_look(cellar *store, const struct sales_lsns *lsns, uint32_t call_count,
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

/* ---- What the store does of its own ---- */

/* The state of an order or hold, and the commit that led to it, as its cell has it: neither waits
 * for anything nor reads from the log. */
static uint32_t document_state(cellar *store, uint32_t aside, uint64_t *lsn_out) {
    cellar_id id = aside < SALES_ORDERS ? sales_order(aside) : sales_hold(aside - SALES_ORDERS);
    struct cell_content content = {0};
    commit_enter();
    const struct store_order *entry = store_find_order(store->store, id);
    if (entry != NULL) {
        content = commit_read(store->commit, store_order_cell(entry->slot));
    }
    commit_leave();
    *lsn_out = content.version;
    return store_document_state(content.value);
}

uint64_t sales_look_expired(cellar *store, uint64_t asides, struct sales_lsns *lsns) {
    uint64_t expired = 0;
    for (uint32_t i = 0; i < SALES_ASIDE_STOCK; i++) {
        uint64_t lsn;
        if ((asides >> i & 1) == 0) {
            continue;
        }
        uint32_t state = document_state(store, i, &lsn);
        if (state == CELLAR_ORDER_EXPIRED || state == CELLAR_ACCOUNT_HOLD_EXPIRED) {
            expired |= UINT64_C(1) << i;
            lsns->asides[i] = lsn;
        }
    }
    return expired;
}

uint64_t sales_look_opened(cellar *store) {
    uint64_t opened = 0;
    for (uint32_t i = 0; i < SALES_STOCKS; i++) {
        cellar_stock stock;
        bool open = stock_get(store, i, &stock) == CELLAR_OK;
        opened |= (uint64_t)open << (SALES_ASIDE_STOCK + i);
    }
    return opened;
}

/* ---- Comparing ---- */

#define PART(member, each)                                                                         \
    { #member, offsetof(struct sales_state, member), sizeof(struct each) }
static const struct {
    const char *name;
    size_t offset;
    size_t bytes; /* of one of them */
} parts[] = {
    PART(stocks, sales_stock_state),       PART(accounts, sales_account_state),
    PART(holds, sales_hold_state),         PART(leases, sales_lease_state),
    PART(campaigns, sales_campaign_state), PART(codes, sales_code_state),
    PART(coupons, sales_coupon_state),     PART(orders, sales_order_state),
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
