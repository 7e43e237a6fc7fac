/* Work that falls due all at once while one thread sells: holds of stock and of money that run out,
 * closed orders that leave memory. The store's clock is the machine's, moved ahead by hand. */
#include "seller.h"

#include "base/clock.h"
#include "measure.h"

#include <stdio.h>

/* Documents that fall due together, and how often. */
#define DUE_DOCUMENTS 100000
#define DUE_ROUNDS 3
/* How long they last, and how far the clock is moved. */
#define DUE_LIFE_NS (INT64_C(3600) * NANOSECONDS_PER_SECOND)
#define DUE_JUMP_NS (2 * DUE_LIFE_NS)
#define DUE_POLL_NS (NANOSECONDS_PER_MILLISECOND / 2)
/* By then it is broken. */
#define DUE_WAIT_NS (60 * NANOSECONDS_PER_SECOND)
/* The seller alone, as a share of the measured time, for all rounds. */
#define DUE_ALONE_SHARE 0.6
/* Threads of the shop: who makes the documents, and the seller. */
#define DUE_MAKER 0
#define DUE_SELLER 1
#define DUE_THREADS 2
/* Ids of holds of money; those of orders are the shop's. */
#define DUE_HOLD_IDS (UINT64_C(1) << 63)

struct due {
    struct shop shop;
    struct seller seller;
    _Atomic int64_t ahead_ns;
    uint64_t made;
    uint64_t last_lsn;
    double rates[DUE_ROUNDS];
    double alone[DUE_ROUNDS];
    double beside[DUE_ROUNDS];
    double ratios[DUE_ROUNDS];
};

struct due_kind {
    const char *name;
    const char *unit;
    int64_t remember_closed_ns;
    bool accounts;
    /* Makes document number `number`, which falls due at `due_ns`. */
    cellar_status (*make)(struct due *due, uint64_t number, int64_t due_ns, cellar_ticket *ticket);
    /* True when that number is no more what it was. */
    bool (*is_over)(struct due *due, uint64_t number);
    /* Of all of them, at the end. */
    bool (*count)(const cellar_totals *totals, uint64_t made);
};

static int64_t due_clock(void *context) {
    struct due *due = context;
    return clock_wall_ns() + atomic_load_explicit(&due->ahead_ns, memory_order_relaxed);
}

/* ---- What falls due ---- */

static const cellar_call relaxed = {.durability = CELLAR_RELAXED};

static cellar_status make_order_hold(struct due *due, uint64_t number, int64_t due_ns,
                                     cellar_ticket *ticket) {
    cellar_order_request request;

    shop_draw(&due->shop, DUE_MAKER, number, &request);
    request.hold_until_ns = due_ns;
    return cellar_order_place(due->shop.store, &relaxed, &request, ticket, NULL);
}

static bool order_hold_is_over(struct due *due, uint64_t number) {
    cellar_order order;
    cellar_id id = shop_order_id(&due->shop, DUE_MAKER, number);
    return cellar_order_get(due->shop.store, id, &order, NULL, 0) != CELLAR_OK ||
           order.state == CELLAR_ORDER_EXPIRED;
}

static bool order_holds_count(const cellar_totals *totals, uint64_t made) {
    return totals->orders[CELLAR_ORDER_EXPIRED] == made;
}

static cellar_status make_money_hold(struct due *due, uint64_t number, int64_t due_ns,
                                     cellar_ticket *ticket) {
    cellar_id id = {.high = DUE_HOLD_IDS, .low = number};
    return cellar_account_hold(due->shop.store, &relaxed, id, 1 + number % SHOP_CUSTOMERS, 1,
                               due_ns, ticket, NULL);
}

static bool money_hold_is_over(struct due *due, uint64_t number) {
    cellar_account_hold_info hold;
    cellar_id id = {.high = DUE_HOLD_IDS, .low = number};
    return cellar_account_hold_get(due->shop.store, id, &hold) != CELLAR_OK ||
           hold.state == CELLAR_ACCOUNT_HOLD_EXPIRED;
}

static bool money_holds_count(const cellar_totals *totals, uint64_t made) {
    (void)made;
    return totals->account_holds == 0 && totals->held == 0;
}

/* Its time to be remembered begins now. */
static cellar_status make_closed_order(struct due *due, uint64_t number, int64_t due_ns,
                                       cellar_ticket *ticket) {
    cellar_order_request request;
    (void)due_ns;

    shop_draw(&due->shop, DUE_MAKER, number, &request);
    request.state = CELLAR_ORDER_FULFILLED;
    cellar_status status = cellar_order_place(due->shop.store, &relaxed, &request, ticket, NULL);
    if (status == CELLAR_OK) {
        shop_sold(&due->shop, DUE_MAKER, &request, 0);
    }
    return status;
}

static bool closed_order_is_over(struct due *due, uint64_t number) {
    cellar_order order;
    cellar_id id = shop_order_id(&due->shop, DUE_MAKER, number);
    return cellar_order_get(due->shop.store, id, &order, NULL, 0) == CELLAR_NOT_FOUND;
}

static bool closed_orders_count(const cellar_totals *totals, uint64_t made) {
    return totals->retired[CELLAR_ORDER_FULFILLED] == made;
}

static const struct due_kind kind_order_holds = {.name = "expiry",
                                                 .unit = "holds of stock",
                                                 .make = make_order_hold,
                                                 .is_over = order_hold_is_over,
                                                 .count = order_holds_count};
static const struct due_kind kind_money_holds = {.name = "expiry-money",
                                                 .unit = "holds of money",
                                                 .accounts = true,
                                                 .make = make_money_hold,
                                                 .is_over = money_hold_is_over,
                                                 .count = money_holds_count};
static const struct due_kind kind_closed_orders = {.name = "retire",
                                                   .unit = "closed orders",
                                                   .remember_closed_ns = DUE_LIFE_NS,
                                                   .make = make_closed_order,
                                                   .is_over = closed_order_is_over,
                                                   .count = closed_orders_count};

/* ---- Rounds ---- */

static bool make_all(struct due *due, const struct due_kind *kind, struct bench_result *result) {
    int64_t due_ns = due_clock(due) + DUE_LIFE_NS;
    cellar_ticket ticket = {0};
    cellar_status status = CELLAR_OK;

    for (uint32_t i = 0; i < DUE_DOCUMENTS && status == CELLAR_OK; i++) {
        /* The last one a little later, so that the others are over when it is. */
        bool last = i + 1 == DUE_DOCUMENTS;
        status =
            kind->make(due, due->made++, due_ns + (last ? NANOSECONDS_PER_SECOND : 0), &ticket);
    }
    if (status == CELLAR_OK) {
        status = cellar_wait_listed(due->shop.store, ticket.lsn, -1);
    }
    return status == CELLAR_OK ||
           bench_fail(result, "%s: %s", kind->unit, cellar_status_name(status));
}

static bool due_round(struct due *due, const struct due_kind *kind, double seconds, uint32_t at,
                      struct bench_result *result) {
    if (!make_all(due, kind, result) || !seller_start(&due->seller, result)) {
        return false;
    }
    due->alone[at] = seller_watch(&due->seller, seconds);
    struct seller_mark mark = seller_look(&due->seller);
    atomic_fetch_add(&due->ahead_ns, DUE_JUMP_NS);
    bool over = false;
    int64_t took_ns = 0;
    while (!over && took_ns < DUE_WAIT_NS && !bench_interrupted()) {
        clock_sleep_ns(DUE_POLL_NS);
        over = kind->is_over(due, due->made - 1);
        took_ns = clock_monotonic_ns() - mark.time_ns;
    }
    due->beside[at] = seller_rate(&due->seller, mark);
    seller_end(&due->seller);
    due->rates[at] = (double)DUE_DOCUMENTS * 1e9 / (double)took_ns;
    due->ratios[at] = due->beside[at] / due->alone[at];
    return over || bench_fail(result, "not all %s are over in time", kind->unit);
}

static bool due_count(struct due *due, const struct due_kind *kind, struct bench_result *result) {
    cellar_audit audit;
    cellar_status status = cellar_audit_run(due->shop.store, &audit);

    if (status != CELLAR_OK) {
        return bench_fail(result, "audit: %s", cellar_status_name(status));
    }
    return kind->count(&audit.totals, due->made) ||
           bench_fail(result, "not all of %llu %s are over", (unsigned long long)due->made,
                      kind->unit);
}

static void due_fill(struct due *due, struct bench_result *result) {
    result->rate = measure_median(due->rates, DUE_ROUNDS);
    result->rate_low = due->rates[0];
    result->rate_high = due->rates[DUE_ROUNDS - 1];
    bench_figure_add(result, "at once", DUE_DOCUMENTS, "");
    bench_figure_add(result, "orders a second before", measure_median(due->alone, DUE_ROUNDS), "");
    bench_figure_add(result, "orders a second meanwhile", measure_median(due->beside, DUE_ROUNDS),
                     "");
    bench_figure_add(result, "orders, of those before", measure_median(due->ratios, DUE_ROUNDS),
                     "");
}

static bool run_due(const struct bench_options *options, const struct due_kind *kind,
                    struct bench_result *result) {
    static struct due due;
    struct bench_options own = *options;
    struct shop_store settings = {
        .clock = due_clock, .clock_context = &due, .remember_closed_ns = kind->remember_closed_ns};
    struct shop *shop = &due.shop;
    bool ok = true;

    due = (struct due){.seller = {.shop = shop, .thread = DUE_SELLER}};
    own.wait = false;
    result->unit = kind->unit;
    result->threads = 1;
    if (!shop_open(shop, kind->name, &own, &settings, result) ||
        !shop_stock(shop, SHOP_UNITS, result) || !shop_prepare(shop, &own, DUE_THREADS, result) ||
        (kind->accounts && !shop_accounts(shop, result))) {
        return false;
    }
    shop->paid = false;
    for (uint32_t i = 0; ok && i < DUE_ROUNDS; i++) {
        double seconds = options->seconds * DUE_ALONE_SHARE / DUE_ROUNDS;
        ok = due_round(&due, kind, seconds, i, result);
    }
    if (ok) {
        due_fill(&due, result);
        ok = due_count(&due, kind, result) && shop_check(shop, result);
    }
    ok = shop_close(shop, result) && ok;
    shop_remove(shop);
    return ok;
}

bool expiry_run(const struct bench_options *options, struct bench_result *result) {
    return run_due(options, &kind_order_holds, result);
}

bool expiry_money_run(const struct bench_options *options, struct bench_result *result) {
    return run_due(options, &kind_money_holds, result);
}

bool retire_run(const struct bench_options *options, struct bench_result *result) {
    return run_due(options, &kind_closed_orders, result);
}
