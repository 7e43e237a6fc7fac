/* Going through the day, and what is known of the store. */
#include "support/sales.h"

#include "support/commits_left.h"

#include <stdio.h>
#include <string.h>

/* Days that are tried until one has every kind of call; most have. */
#define SALES_DAYS_MAX 50

cellar_status sales_open(cellar **store_out, const struct io *io, cellar_problem *problem) {
    const cellar_config config = {.size = sizeof config,
                                  .directory = "/sales",
                                  .ring_bytes = 1U << 16,
                                  .segment_bytes = 1U << 20,
                                  .products_max = 64,
                                  .stocks_max = 64,
                                  .accounts_max = 64,
                                  .orders_max = 1024,
                                  .campaigns_max = 16,
                                  .grants_max = 256,
                                  .codes_max = 64,
                                  .leases_max = 16,
                                  .customers_max = 256,
                                  .durability = CELLAR_RELAXED};
    const struct engine_options options = {.io = io};
    return engine_open(&config, &options, store_out, problem);
}

/* ---- Facts ---- */

struct facts {
    int64_t *values;
    uint32_t count;
};

static void fact(struct facts *facts, int64_t value) {
    if (facts->count < SALES_FACTS) {
        facts->values[facts->count] = value;
    }
    facts->count++;
}

static void facts_of_goods(struct facts *facts, cellar *store) {
    for (uint32_t sku = 0; sku < SALES_SKUS; sku++) {
        const cellar_line line = {.sku = sales_sku(sku)};
        cellar_stock stock = {0};
        fact(facts, cellar_stock_get(store, &line, &stock));
        fact(facts, stock.available);
        fact(facts, stock.reserved);
        fact(facts, stock.unsellable);
        fact(facts, stock.on_hand);
    }
}

static void facts_of_money(struct facts *facts, cellar *store) {
    for (uint64_t id = 1; id <= SALES_ACCOUNTS; id++) {
        cellar_account account = {0};
        fact(facts, cellar_account_get(store, id, &account));
        fact(facts, account.balance);
        fact(facts, account.held);
    }
    for (uint32_t hold = 0; hold < SALES_HOLDS; hold++) {
        cellar_account_hold_info info = {0};
        fact(facts, cellar_account_hold_get(store, sales_hold(hold), &info));
        fact(facts, info.state);
        fact(facts, info.posted);
    }
    for (uint32_t lease = 0; lease < SALES_LEASES; lease++) {
        cellar_lease info = {0};
        fact(facts, cellar_lease_get(store, sales_lease(lease), &info));
        fact(facts, (int64_t)info.holder);
        fact(facts, info.held);
    }
}

static void facts_of_coupons(struct facts *facts, cellar *store) {
    cellar_campaign campaign = {0};
    fact(facts, cellar_campaign_get(store, SALES_CAMPAIGN, &campaign));
    fact(facts, campaign.quota);
    fact(facts, campaign.claimed);
    fact(facts, campaign.admitted);
    fact(facts, campaign.waiting);
    fact(facts, campaign.spent);
    for (uint32_t code = 0; code < SALES_CODES; code++) {
        cellar_code info = {0};
        fact(facts, cellar_code_get(store, sales_code(code), &info));
        fact(facts, info.left);
    }
    for (uint64_t customer = 1; customer <= SALES_CUSTOMERS; customer++) {
        cellar_coupon coupon = {0};
        fact(facts, cellar_coupon_get(store, SALES_CAMPAIGN, customer, 0, &coupon));
        fact(facts, coupon.state);
        fact(facts, (int64_t)coupon.rank);
        fact(facts, coupon.discount);
    }
}

static void facts_of_orders(struct facts *facts, cellar *store) {
    for (uint32_t i = 0; i < SALES_ORDERS; i++) {
        cellar_order order = {0};
        cellar_order_line lines[SALES_LINES] = {0};
        fact(facts, cellar_order_get(store, sales_order(i), &order, lines, SALES_LINES));
        fact(facts, order.state);
        fact(facts, order.total);
        fact(facts, order.cancelled_value);
        fact(facts, order.returned_value);
        for (uint32_t k = 0; k < SALES_LINES; k++) {
            fact(facts, lines[k].cancelled);
            fact(facts, lines[k].fulfilled);
            fact(facts, lines[k].returned);
            fact(facts, lines[k].discount);
        }
    }
}

static void facts_of_totals(struct facts *facts, const cellar_totals *totals) {
    fact(facts, (int64_t)totals->orders[0]);
    fact(facts, totals->units_ordered);
    fact(facts, totals->units_fulfilled);
    fact(facts, totals->units_received);
    fact(facts, totals->revenue);
    fact(facts, totals->balances);
    fact(facts, totals->credited);
    fact(facts, totals->debited);
    fact(facts, totals->discounts);
    fact(facts, (int64_t)totals->code_uses);
    fact(facts, (int64_t)totals->coupons_redeemed);
    fact(facts, (int64_t)totals->account_holds);
}

/* Everything; the audit has followed the log up to now. */
static bool sales_facts(cellar *store, int64_t values[SALES_FACTS], char wrong[300]) {
    struct facts facts = {.values = values};
    cellar_audit audit;
    cellar_status status = cellar_audit_run(store, &audit);
    if (status != CELLAR_OK || audit.violations != 0) {
        (void)snprintf(wrong, 300, "audit: %s %.200s", cellar_status_name(status),
                       audit.first_violation);
        return false;
    }
    memset(values, 0, SALES_FACTS * sizeof *values);
    facts_of_totals(&facts, &audit.totals);
    facts_of_goods(&facts, store);
    facts_of_money(&facts, store);
    facts_of_coupons(&facts, store);
    facts_of_orders(&facts, store);
    if (facts.count > SALES_FACTS) {
        (void)snprintf(wrong, 300, "%u facts do not fit", facts.count);
    }
    return facts.count <= SALES_FACTS;
}

/* ---- The sound day ---- */

/* Every kind of call must have been done, and something refused, or the day shows less than it
 * seems to. */
static bool sales_is_whole(const struct sales *sales) {
    uint32_t done[SALES_DEEDS] = {0};
    uint32_t refused = 0;
    for (uint32_t i = 0; i < SALES_CALLS; i++) {
        done[sales_deed(sales->seed, i)] += sales->changes[i];
        refused += cellar_status_is_refusal(sales->statuses[i]);
    }
    bool whole = refused != 0;
    for (uint32_t deed = 0; deed < SALES_DEEDS; deed++) {
        whole = whole && done[deed] != 0;
    }
    return whole;
}

/* False: something is wrong. */
static bool sales_go_through(struct sales *sales, uint64_t seed) {
    struct memory_disk *disk = memory_disk_create();
    cellar_problem problem;
    cellar *store = NULL;
    memset(sales, 0, sizeof *sales);
    sales->seed = seed;
    bool right = sales_open(&store, memory_disk_io(disk), &problem) == CELLAR_OK &&
                 sales_facts(store, sales->facts[0], sales->wrong);
    for (uint32_t i = 0; right && i < SALES_CALLS; i++) {
        cellar_ticket ticket = {0};
        sales->statuses[i] = sales_call(seed, i, store, NULL, &ticket);
        sales->changes[i] = sales->statuses[i] == CELLAR_OK && !ticket.repeated;
        right = sales_facts(store, sales->facts[i + 1], sales->wrong);
    }
    if (store != NULL) {
        (void)cellar_close(store);
    }
    memory_disk_destroy(disk);
    return right;
}

bool sales_make(struct sales *sales, uint64_t seed) {
    bool right = true;
    for (uint64_t i = 0; right && i < SALES_DAYS_MAX; i++) {
        right = sales_go_through(sales, seed + i);
        if (right && sales_is_whole(sales)) {
            return true;
        }
    }
    if (right) {
        (void)snprintf(sales->wrong, sizeof sales->wrong, "no day had every kind of call");
    }
    return false;
}

/* ---- A day with faults ---- */

static bool sales_wrong(struct sales_run *run, const char *what, uint32_t call, int64_t got,
                        int64_t expected) {
    if (run->wrong[0] == '\0') {
        (void)snprintf(run->wrong, sizeof run->wrong, "%s, call %u: %lld, not %lld", what, call,
                       (long long)got, (long long)expected);
    }
    return false;
}

/* Does it follow from the store and the call alone? */
static bool sales_is_answer(cellar_status status) {
    return status == CELLAR_OK || status == CELLAR_INVALID_ARGUMENT ||
           (cellar_status_is_refusal(status) && status != CELLAR_BUSY &&
            status != CELLAR_DISK_FULL);
}

bool sales_step(struct sales_run *run, const cellar_call *options, cellar_status *status_out) {
    const struct sales *sales = run->sales;
    uint32_t call = run->next;
    cellar_ticket ticket = {0};
    cellar_status status = sales_call(sales->seed, call, run->store, options, &ticket);
    uint64_t durable_lsn = cellar_durable_lsn(run->store);
    run->acknowledged = durable_lsn > run->acknowledged ? durable_lsn : run->acknowledged;
    *status_out = status;
    /* Committed, and not known to be durable: the next opening tells. */
    bool unknown =
        (status == CELLAR_OUTCOME_UNKNOWN || status == CELLAR_TIMEOUT) && ticket.lsn != 0;
    if (!unknown && !sales_is_answer(status)) {
        return true;
    }
    run->next++;
    run->lsns[call] = sales->changes[call] ? ticket.lsn : 0;
    cellar_status answer = unknown ? CELLAR_OK : status;
    if (answer != sales->statuses[call]) {
        return sales_wrong(run, "status", call, answer, sales->statuses[call]);
    }
    return answer != CELLAR_OK || ticket.repeated == !sales->changes[call] ||
           sales_wrong(run, "repeated", call, ticket.repeated, !sales->changes[call]);
}

static cellar_status sales_read_order(cellar *store, uint32_t number) {
    cellar_order order;
    cellar_order_line lines[SALES_LINES];
    cellar_status status = cellar_order_get(store, sales_order(number), &order, lines, SALES_LINES);
    if (status == CELLAR_OK) {
        status = cellar_order_at(store, order.id, order.version, &order, lines, SALES_LINES);
    }
    return status == CELLAR_NOT_FOUND ? CELLAR_OK : status;
}

cellar_status sales_read(struct sales_run *run) {
    cellar *store = run->store;
    cellar_entry entries[16];
    cellar_coupon coupons[16];
    size_t count;
    cellar_status status = CELLAR_OK;
    for (uint32_t i = 0; status == CELLAR_OK && i < SALES_ORDERS; i++) {
        status = sales_read_order(store, i);
    }
    for (uint64_t id = 1; status == CELLAR_OK && id <= SALES_ACCOUNTS; id++) {
        status = cellar_account_journal(store, id, 0, entries, 16, &count);
    }
    const cellar_coupon_query query = {.campaign = SALES_CAMPAIGN};
    return status == CELLAR_OK ? cellar_coupon_list(store, &query, coupons, 16, &count) : status;
}

bool sales_restore(struct sales_run *run, uint32_t *lost_out) {
    static int64_t facts[SALES_FACTS];
    const struct commits_left_query query = {.store = run->store,
                                             .first_lsn = run->lsns,
                                             .stride_bytes = sizeof *run->lsns,
                                             .count = run->next,
                                             .acknowledged = run->acknowledged};
    size_t left = 0;
    if (!commits_left(&query, &left, run->wrong, sizeof run->wrong)) {
        return false;
    }
    *lost_out = run->next - (uint32_t)left;
    run->next = (uint32_t)left;
    run->acknowledged = 0;
    if (!sales_facts(run->store, facts, run->wrong)) {
        return false;
    }
    const int64_t *expected = run->sales->facts[left];
    for (uint32_t i = 0; i < SALES_FACTS; i++) {
        if (facts[i] != expected[i]) {
            char what[32];
            (void)snprintf(what, sizeof what, "fact %u", i);
            return sales_wrong(run, what, run->next, facts[i], expected[i]);
        }
    }
    return true;
}
