/* The audit: every invariant over the whole store as of one instant, on the thread that follows the
 * log, between two records.
 *
 * Derived state is then exactly that of all commits below the snapshot, and cells are read as of it
 * by rewinding through the ring, which holds everything from there on. */
#include "store/store.h"

#include <stdarg.h>
#include <stdio.h>

/* Objects looked at in one read section. */
#define AUDIT_CHUNK 1024

struct audit {
    struct store *store;
    uint64_t snapshot;
    cellar_audit *out;
    int64_t *reserved;     /* by stock slot, summed up from the orders */
    int64_t *held;         /* by account slot, summed up from the holds of money */
    uint64_t holds;        /* these, the open ones */
    uint64_t limited;      /* of them, those that have a deadline */
    uint64_t of_customers; /* orders that have a customer */
};

__attribute__((format(printf, 2, 3))) static void audit_violation(struct audit *audit,
                                                                  const char *format, ...) {
    if (audit->out->violations++ == 0) {
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(audit->out->first_violation, sizeof audit->out->first_violation, format,
                  arguments);
        va_end(arguments);
    }
}

static int64_t audit_cell(const struct audit *audit, uint32_t cell) {
    return commit_read_at(audit->store->commit, cell, audit->snapshot).value;
}

/* Leaves the read section now and then, so that the ring is not held up for long. */
static void audit_breathe(uint32_t slot) {
    if (slot % AUDIT_CHUNK == 0) {
        commit_leave();
        commit_enter();
    }
}

/* What an open order still holds. */
static void audit_reserved(struct audit *audit, const struct store_order *order, uint32_t state,
                           const struct store_detail *detail) {
    struct content content;
    if (!detail_read(&content, detail)) {
        audit_violation(audit, "order slot %u: its content is broken", order->slot);
        return;
    }
    const struct store_progress *progress = ATOMIC_LOAD(&order->progress, acquire);
    struct content_walk walk = {.content = &content};
    uint32_t line;
    while (content_walk_line(&walk, &line)) {
        int64_t quantity = content_line(&content, line).quantity;
        struct content_progress done = progress_of(progress, state, line, quantity);
        uint32_t stock;
        int64_t pieces = content_walk_take(
            &walk, (struct content_range){done.fulfilled, quantity - done.cancelled}, &stock);
        store_sum(&audit->reserved[stock], pieces);
        if (done.fulfilled < 0 || done.cancelled < 0 || done.returned > done.fulfilled ||
            done.cancelled + done.fulfilled > quantity) {
            audit_violation(audit, "order slot %u, line %u: of %lld, %lld left and %lld cancelled",
                            order->slot, line, (long long)quantity, (long long)done.fulfilled,
                            (long long)done.cancelled);
        }
    }
}

/* An open hold is added to what is held of its account. */
static void audit_account_hold(struct audit *audit, const struct store_order *entry,
                               int64_t value) {
    if (store_document_state(value) != CELLAR_ACCOUNT_HOLD_HELD) {
        return;
    }
    const struct store_account *account = store_find_account(audit->store, entry->customer);
    if (account == NULL) {
        audit_violation(audit, "hold slot %u: there is no account %llu", entry->slot,
                        (unsigned long long)entry->customer);
        return;
    }
    store_sum(&audit->held[account->slot], entry->total);
    audit->holds++;
    audit->limited += store_document_deadline_ms(value) != 0;
}

static void audit_order(struct audit *audit, uint32_t slot,
                        uint64_t states_out[STORE_STATE_COUNT]) {
    struct store *store = audit->store;
    struct store_order *order = &store->orders[slot];
    int64_t value = audit_cell(audit, store_order_cell(slot));
    uint32_t state = store_document_state(value);
    if (state == 0) {
        return;
    }
    if (store_state_is_account_hold(state)) {
        audit_account_hold(audit, order, value);
        return;
    }
    if (state >= STORE_STATE_COUNT) {
        audit_violation(audit, "order slot %u: no such state: %u", slot, state);
        return;
    }
    states_out[state]++;
    audit->of_customers += store_state_is_order(state) && order->customer != 0;
    uint64_t key = store_order_key_at(order, ATOMIC_LOAD(&order->placed_lsn, relaxed));
    for (uint32_t i = 0; i < STORE_STATE_COUNT; i++) {
        if (index_contains(store->orders_by_state[i], key) != (i == state)) {
            audit_violation(audit, "order slot %u: state %u, but list %u is wrong", slot, state, i);
        }
    }
    const struct store_detail *detail = ATOMIC_LOAD(&order->detail, acquire);
    if (store_state_is_open(state) != (detail != NULL)) {
        audit_violation(audit, "order slot %u: its lines are kept or dropped wrongly", slot);
    }
    if (detail != NULL) {
        audit_reserved(audit, order, state, detail);
    }
}

/* Every order in memory that has a customer is in his list, which is in order. */
static void audit_customers(struct audit *audit) {
    struct store *store = audit->store;
    uint64_t listed = 0;
    uint32_t end = slots_end(&store->customer_slots);
    for (uint32_t slot = 1; slot < end; slot++) {
        const struct store_customer *customer = &store->customers[slot];
        uint32_t newer = 0;
        uint32_t at = ATOMIC_LOAD(&customer->newest, relaxed);
        while (at != 0 && listed <= audit->of_customers) {
            const struct store_order *order = &store->orders[at];
            if (order->customer != customer->id || order->newer_of_customer != newer) {
                audit_violation(audit, "customer %llu: order slot %u is in his list wrongly",
                                (unsigned long long)customer->id, at);
            }
            listed++;
            newer = at;
            at = ATOMIC_LOAD(&order->older_of_customer, relaxed);
            audit_breathe((uint32_t)listed);
        }
        audit_breathe(slot);
    }
    if (listed != audit->of_customers) {
        audit_violation(audit, "orders of customers: %llu, but %llu listed",
                        (unsigned long long)audit->of_customers, (unsigned long long)listed);
    }
}

static void audit_orders(struct audit *audit) {
    uint64_t states[STORE_STATE_COUNT] = {0};
    uint32_t end = slots_end(&audit->store->order_slots);
    for (uint32_t slot = 1; slot < end; slot++) {
        audit_order(audit, slot, states);
        audit_breathe(slot);
    }
    const cellar_totals *totals = &audit->out->totals;
    for (uint32_t i = 1; i < STORE_STATE_COUNT; i++) {
        uint32_t at = i == STORE_STATE_OTHER ? 0 : i;
        uint64_t counted = totals->orders[at] - totals->retired[at];
        if (states[i] != counted || index_count(audit->store->orders_by_state[i]) != counted) {
            audit_violation(audit, "orders in state %u: %llu cells, %llu counted, %llu listed", i,
                            (unsigned long long)states[i], (unsigned long long)counted,
                            (unsigned long long)index_count(audit->store->orders_by_state[i]));
        }
    }
}

static void audit_stock(struct audit *audit, uint32_t slot) {
    struct store *store = audit->store;
    struct store_stock *stock = &store->stocks[slot];
    struct cell_content sellable = commit_read_at(
        store->commit, store_stock_cell(slot, STORE_STOCK_SELLABLE), audit->snapshot);
    if (sellable.version == 0) {
        return;
    }
    int64_t safety = audit_cell(audit, store_stock_cell(slot, STORE_STOCK_SAFETY_CELL));
    int64_t unsellable = audit_cell(audit, store_stock_cell(slot, STORE_STOCK_UNSELLABLE));
    int64_t incoming = audit_cell(audit, store_stock_cell(slot, STORE_STOCK_INCOMING));
    int64_t available = store_stock_unblocked(sellable.value) + safety;
    int64_t reserved = ATOMIC_LOAD(&stock->reserved, relaxed);
    int64_t on_hand = ATOMIC_LOAD(&stock->on_hand, relaxed);
    const char *sku = store->products[stock->product].sku;
    /* Below zero only what was allowed to be back-ordered, and never more than orders wait for. */
    int64_t lowest = stock->safety_lowest < 0 ? stock->safety_lowest : 0;
    if (available < lowest || (available < 0 && available + reserved < 0) || unsellable < 0 ||
        incoming < 0 || reserved < 0 || safety != stock->safety) {
        audit_violation(audit, "%s at %u: below zero: available %lld, unsellable %lld, safety %lld",
                        sku, stock->location, (long long)available, (long long)unsellable,
                        (long long)safety);
    }
    int64_t held = available + unsellable;
    store_sum(&held, reserved);
    if (held != on_hand) {
        audit_violation(audit,
                        "%s at %u: available %lld + reserved %lld + unsellable %lld, but the "
                        "movements sum up to %lld",
                        sku, stock->location, (long long)available, (long long)reserved,
                        (long long)unsellable, (long long)on_hand);
    }
    if (audit->reserved[slot] != reserved) {
        audit_violation(audit, "%s at %u: reserved %lld, but open orders hold %lld", sku,
                        stock->location, (long long)reserved, (long long)audit->reserved[slot]);
    }
    store_sum(&audit->out->totals.units_available, available);
    store_sum(&audit->out->totals.units_reserved, reserved);
    store_sum(&audit->out->totals.units_unsellable, unsellable);
}

static void audit_stocks(struct audit *audit) {
    uint32_t end = slots_end(&audit->store->stock_slots);
    for (uint32_t slot = 1; slot < end; slot++) {
        audit_stock(audit, slot);
        audit_breathe(slot);
    }
    const cellar_totals *totals = &audit->out->totals;
    int64_t on_hand = totals->units_available;
    store_sum(&on_hand, totals->units_reserved);
    store_sum(&on_hand, totals->units_unsellable);
    int64_t moved = totals->units_received;
    store_sum(&moved, totals->units_adjusted);
    store_sum(&moved, totals->units_returned);
    store_sum(&moved, -totals->units_taken);
    store_sum(&moved, -totals->units_fulfilled);
    if (on_hand != moved) {
        audit_violation(audit, "on hand %lld in all, but all movements sum up to %lld",
                        (long long)on_hand, (long long)moved);
    }
}

/* ---- Accounts and leases ---- */

/* What the account has collected and not settled. */
static int64_t audit_unsettled(struct audit *audit, const struct store_account *account) {
    int64_t settled = audit_cell(audit, store_settled_cell(account->slot));
    int64_t unsettled = store_unsettled(audit->store, account->slot, settled);
    if (unsettled < 0 || (!account->collecting && (settled != 0 || unsettled != 0))) {
        audit_violation(audit, "account %llu: settled %lld more than it collected",
                        (unsigned long long)account->id, -(long long)unsettled);
    }
    if (!collected_is_sound(&audit->store->collected[account->slot])) {
        audit_violation(audit,
                        "account %llu: stretches of the log do not lead to what it collected",
                        (unsigned long long)account->id);
    }
    return unsettled;
}

struct audit_money {
    uint64_t accounts;
    int64_t balances;
    int64_t unsettled;
    int64_t held;
};

static void audit_account(struct audit *audit, uint32_t slot, struct audit_money *money) {
    struct store *store = audit->store;
    struct cell_content room =
        commit_read_at(store->commit, store_account_cell(slot), audit->snapshot);
    if (room.version == 0) {
        return;
    }
    const struct store_account *account = &store->accounts[slot];
    unsigned long long id = account->id;
    int64_t floor = audit_cell(audit, store_floor_cell(slot));
    int64_t held = audit_cell(audit, store_held_cell(slot));
    int64_t terms = audit_cell(audit, store_terms_cell(slot));
    int64_t unsettled = audit_unsettled(audit, account);
    int64_t balance = room.value + floor + held;
    money->accounts++;
    store_sum(&money->balances, balance);
    store_sum(&money->balances, unsettled);
    store_sum(&money->unsettled, unsettled);
    store_sum(&money->held, held);
    if (room.value < 0 || floor > 0 || held < 0) {
        audit_violation(audit, "account %llu: balance %lld, %lld held, is below its floor %lld", id,
                        (long long)balance, (long long)held, (long long)floor);
    }
    if (held != audit->held[slot]) {
        audit_violation(audit, "account %llu: %lld held, but its open holds sum up to %lld", id,
                        (long long)held, (long long)audit->held[slot]);
    }
    if (account->collecting != ((terms & STORE_TERMS_COLLECTING) != 0)) {
        audit_violation(audit, "account %llu: it collects, or not, against its terms", id);
    }
}

static void audit_accounts(struct audit *audit) {
    struct audit_money money = {0};
    uint32_t end = slots_end(&audit->store->account_slots);
    for (uint32_t slot = 1; slot < end; slot++) {
        audit_account(audit, slot, &money);
        audit_breathe(slot);
    }
    const cellar_totals *totals = &audit->out->totals;
    int64_t journal = totals->credited;
    store_sum(&journal, -totals->debited);
    if (money.accounts != totals->accounts || money.balances != totals->balances ||
        money.balances != journal) {
        audit_violation(audit,
                        "%llu accounts sum up to %lld; the journal says %llu, %lld = %lld - %lld",
                        (unsigned long long)money.accounts, (long long)money.balances,
                        (unsigned long long)totals->accounts, (long long)totals->balances,
                        (long long)totals->credited, (long long)totals->debited);
    }
    if (money.unsettled != totals->unsettled) {
        audit_violation(audit, "unsettled: %lld in the accounts, %lld counted",
                        (long long)money.unsettled, (long long)totals->unsettled);
    }
    if (audit->holds != totals->account_holds || money.held != totals->held) {
        audit_violation(audit, "%llu holds of money, %lld held; %llu, %lld counted",
                        (unsigned long long)audit->holds, (long long)money.held,
                        (unsigned long long)totals->account_holds, (long long)totals->held);
    }
}

/* What is in an account's list is an open hold of it, and the list is in order. Stops when there
 * are more than there are holds: *listed_in_out counts those of all accounts. */
static void audit_hold_list(struct audit *audit, const struct store_account *account,
                            uint64_t *listed_in_out) {
    uint32_t before = 0;
    uint32_t at = ATOMIC_LOAD(&account->holds.oldest, relaxed);
    while (at != 0 && *listed_in_out <= audit->limited) {
        const struct store_order *entry = &audit->store->orders[at];
        int64_t value = audit_cell(audit, store_order_cell(at));
        if (store_document_state(value) != CELLAR_ACCOUNT_HOLD_HELD ||
            store_document_deadline_ms(value) == 0 || entry->customer != account->id ||
            ATOMIC_LOAD(&entry->chain_before, relaxed) != before) {
            audit_violation(audit, "account %llu: hold slot %u is in its list wrongly",
                            (unsigned long long)account->id, at);
        }
        ++*listed_in_out;
        before = at;
        at = ATOMIC_LOAD(&entry->chain_after, relaxed);
        audit_breathe((uint32_t)*listed_in_out);
    }
    if (ATOMIC_LOAD(&account->holds.newest, relaxed) != before) {
        audit_violation(audit, "account %llu: its list of holds ends wrongly",
                        (unsigned long long)account->id);
    }
}

static void audit_hold_lists(struct audit *audit) {
    struct store *store = audit->store;
    uint64_t listed = 0;
    uint32_t end = slots_end(&store->account_slots);
    for (uint32_t slot = 1; slot < end; slot++) {
        audit_hold_list(audit, &store->accounts[slot], &listed);
        audit_breathe(slot);
    }
    if (listed != audit->limited) {
        audit_violation(audit, "holds of money with a deadline: %llu, but %llu listed",
                        (unsigned long long)audit->limited, (unsigned long long)listed);
    }
}

static void audit_leases(struct audit *audit) {
    struct store *store = audit->store;
    uint64_t leases = 0;
    uint32_t end = slots_end(&store->lease_slots);
    for (uint32_t slot = 1; slot < end; slot++) {
        struct cell_content until =
            commit_read_at(store->commit, store_lease_cell(slot), audit->snapshot);
        struct cell_content holder =
            commit_read_at(store->commit, store_lease_holder_cell(slot), audit->snapshot);
        leases += until.version != 0;
        if (until.value < 0 || until.version < holder.version ||
            (until.version != 0) != (holder.value != 0)) {
            audit_violation(audit, "lease \"%s\": its time and its holder do not agree",
                            store->leases[slot].name);
        }
        audit_breathe(slot);
    }
    if (leases != audit->out->totals.leases) {
        audit_violation(audit, "%llu leases, %llu counted", (unsigned long long)leases,
                        (unsigned long long)audit->out->totals.leases);
    }
}

static void audit_report_coupons(void *context, const char *text) {
    audit_violation(context, "%s", text);
}

static void audit_products(struct audit *audit) {
    struct store *store = audit->store;
    uint64_t products = 0;
    int64_t sold = 0;
    uint32_t end = slots_end(&store->product_slots);
    for (uint32_t slot = 1; slot < end; slot++) {
        products += audit_cell(audit, store_product_cell(slot)) != 0;
        store_sum(&sold, ATOMIC_LOAD(&store->sold[slot], relaxed));
        audit_breathe(slot);
    }
    uint64_t listed = 0;
    for (uint32_t i = 0; i < 3; i++) {
        listed += index_count(store->products_by_status[i]);
    }
    if (products != audit->out->totals.products || listed != products) {
        audit_violation(
            audit, "%llu products, %llu counted, %llu listed", (unsigned long long)products,
            (unsigned long long)audit->out->totals.products, (unsigned long long)listed);
    }
    int64_t left = audit->out->totals.units_ordered;
    store_sum(&left, audit->out->totals.units_taken);
    store_sum(&left, -audit->out->totals.units_returned);
    if (sold != left) {
        audit_violation(audit, "products: %lld units sold in all, but %lld ordered and taken",
                        (long long)sold, (long long)left);
    }
}

static void audit_unmap(const struct audit *audit, size_t reserved_bytes, size_t held_bytes) {
    if (audit->reserved != NULL) {
        memory_unmap(audit->reserved, reserved_bytes);
    }
    if (audit->held != NULL) {
        memory_unmap(audit->held, held_bytes);
    }
}

void store_audit(struct store *store, uint64_t snapshot, cellar_audit *audit_out) {
    *audit_out = (cellar_audit){.totals = store->totals};
    audit_out->totals.lsn = snapshot;
    struct audit audit = {.store = store, .snapshot = snapshot, .out = audit_out};
    size_t bytes = ((size_t)store->stock_slots.limit + 1) * sizeof *audit.reserved;
    size_t account_bytes = ((size_t)store->account_slots.limit + 1) * sizeof *audit.held;
    audit.reserved = memory_map_lazy(bytes);
    audit.held = memory_map_lazy(account_bytes);
    if (audit.reserved == NULL || audit.held == NULL) {
        audit_violation(&audit, "no memory for the audit itself");
        audit_unmap(&audit, bytes, account_bytes);
        return;
    }
    commit_enter();
    audit_orders(&audit);
    audit_customers(&audit);
    audit_stocks(&audit);
    audit_accounts(&audit);
    audit_hold_lists(&audit);
    audit_leases(&audit);
    audit_products(&audit);
    coupon_audit(store, snapshot, &audit_out->totals, audit_report_coupons, &audit);
    commit_leave();
    audit_unmap(&audit, bytes, account_bytes);
}
