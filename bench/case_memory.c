/* What the store keeps in memory for each of what it keeps. */
#include "shop.h"

#include <stdio.h>
#include <unistd.h>

#define MEMORY_ORDERS 300000
/* Beside the first, of which each customer claims his first coupon. */
#define MEMORY_CAMPAIGNS 4
#define MEMORY_HOLDS 200000
/* Ids of what is held. */
#define MEMORY_MONEY_IDS (UINT64_C(1) << 62)
#define MEMORY_STOCK_IDS (UINT64_C(1) << 63)
#define MEMORY_HELD_UNTIL_NS (INT64_C(4102444800) * 1000000000) /* 2100 */

struct memory_state {
    double bytes;
    double resident;
    double kinds[BENCH_FIGURES_MAX];
};

static double resident_bytes(void) {
    FILE *file = fopen("/proc/self/statm", "re");
    long pages = 0;

    if (file != NULL) {
        if (fscanf(file, "%*s %ld", &pages) != 1) {
            pages = 0;
        }
        fclose(file);
    }
    return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

static bool memory_state(const struct shop *shop, struct memory_state *state_out) {
    cellar_statistics statistics;

    if (cellar_statistics_get(shop->store, &statistics) != CELLAR_OK) {
        return false;
    }
    state_out->bytes = (double)statistics.memory_bytes;
    state_out->resident = resident_bytes();
    for (uint32_t kind = 0; kind < BENCH_FIGURES_MAX; kind++) {
        const char *name = NULL;
        int64_t bytes = 0;
        if (cellar_memory_get(shop->store, kind, &name, &bytes) != CELLAR_OK) {
            break;
        }
        state_out->kinds[kind] = (double)bytes;
    }
    return true;
}

static void memory_figures(const struct shop *shop, const struct memory_state *before,
                           const struct memory_state *after, double count, const char *what,
                           struct bench_result *result) {
    char name[BENCH_NAME_BYTES];

    snprintf(name, sizeof name, "bytes a%s", what);
    bench_figure_add(result, name, (after->bytes - before->bytes) / count, "B");
    snprintf(name, sizeof name, "resident a%s", what);
    bench_figure_add(result, name, (after->resident - before->resident) / count, "B");
    for (uint32_t kind = 0; kind < BENCH_FIGURES_MAX; kind++) {
        const char *kind_name = NULL;
        int64_t bytes = 0;
        if (cellar_memory_get(shop->store, kind, &kind_name, &bytes) != CELLAR_OK) {
            break;
        }
        double each = (after->kinds[kind] - before->kinds[kind]) / count;
        if (each >= 0.5) {
            snprintf(name, sizeof name, "%s a%s", kind_name, what);
            bench_figure_add(result, name, each, "B");
        }
    }
}

/* ---- What it keeps ---- */

static const cellar_call relaxed_call = {.durability = CELLAR_RELAXED};

/* Each makes some of a kind and returns how many; 0 with a problem. `*lsn_out` is the last one's.
 */
typedef uint64_t memory_make(struct shop *shop, const struct bench_options *options,
                             uint64_t *lsn_out, struct bench_result *result);

static uint64_t make_products(struct shop *shop, const struct bench_options *options,
                              uint64_t *lsn_out, struct bench_result *result) {
    (void)options;
    bool ok = shop_stock(shop, SHOP_UNITS, result);
    *lsn_out = shop->stocked_lsn;
    return ok ? shop->skus : 0;
}

static uint64_t make_orders(struct shop *shop, const struct bench_options *options,
                            uint64_t *lsn_out, struct bench_result *result) {
    uint64_t bound = shop_orders_max(options->lines);
    struct crew_round round = {0};
    bool ok = shop_fill(shop, options->threads, bound < MEMORY_ORDERS ? bound : MEMORY_ORDERS,
                        &round, result);
    *lsn_out = round.last_lsn;
    return ok ? round.done : 0;
}

static uint64_t make_accounts(struct shop *shop, const struct bench_options *options,
                              uint64_t *lsn_out, struct bench_result *result) {
    (void)options;
    bool ok = shop_accounts(shop, result);
    *lsn_out = shop->stocked_lsn;
    return ok ? SHOP_CUSTOMERS : 0;
}

static uint64_t made(uint64_t count, cellar_status status, const cellar_ticket *ticket,
                     uint64_t *lsn_out, struct bench_result *result) {
    *lsn_out = ticket->lsn;
    if (status != CELLAR_OK) {
        bench_fail(result, "a call returned %s", cellar_status_name(status));
        return 0;
    }
    return count;
}

/* Every customer claims a coupon of the campaigns `first` to `last`. */
static uint64_t claim(struct shop *shop, uint64_t first, uint64_t last, uint64_t *lsn_out,
                      struct bench_result *result) {
    cellar_ticket ticket = {0};
    cellar_status status = CELLAR_OK;

    for (uint64_t id = first; id <= last && status == CELLAR_OK; id++) {
        cellar_campaign campaign = {.id = id, .quota = SHOP_CUSTOMERS};
        status =
            cellar_campaign_put(shop->store, NULL, &campaign, CELLAR_VERSION_ABSENT, NULL, NULL);
        for (uint64_t i = 1; i <= SHOP_CUSTOMERS && status == CELLAR_OK; i++) {
            status = cellar_coupon_claim(shop->store, &relaxed_call, (cellar_id){0, 0}, id, i,
                                         &ticket, NULL);
        }
    }
    return made((last - first + 1) * SHOP_CUSTOMERS, status, &ticket, lsn_out, result);
}

static uint64_t make_first_coupons(struct shop *shop, const struct bench_options *options,
                                   uint64_t *lsn_out, struct bench_result *result) {
    (void)options;
    return claim(shop, 1, 1, lsn_out, result);
}

static uint64_t make_coupons(struct shop *shop, const struct bench_options *options,
                             uint64_t *lsn_out, struct bench_result *result) {
    (void)options;
    return claim(shop, 2, 1 + MEMORY_CAMPAIGNS, lsn_out, result);
}

static uint64_t make_money_holds(struct shop *shop, const struct bench_options *options,
                                 uint64_t *lsn_out, struct bench_result *result) {
    cellar_ticket ticket = {0};
    cellar_status status = CELLAR_OK;
    (void)options;

    for (uint64_t i = 0; i < MEMORY_HOLDS && status == CELLAR_OK; i++) {
        status =
            cellar_account_hold(shop->store, &relaxed_call, (cellar_id){MEMORY_MONEY_IDS, i},
                                1 + i % SHOP_CUSTOMERS, 1, MEMORY_HELD_UNTIL_NS, &ticket, NULL);
    }
    return made(MEMORY_HOLDS, status, &ticket, lsn_out, result);
}

/* An order of one line that is held until a deadline, by somebody without an account. */
static uint64_t make_stock_holds(struct shop *shop, const struct bench_options *options,
                                 uint64_t *lsn_out, struct bench_result *result) {
    cellar_ticket ticket = {0};
    cellar_status status = CELLAR_OK;
    (void)options;

    for (uint64_t i = 0; i < MEMORY_HOLDS && status == CELLAR_OK; i++) {
        cellar_line line = {.product = shop->products[i % shop->skus], .quantity = 1};
        cellar_order_request request = {.id = {MEMORY_STOCK_IDS, i},
                                        .lines = &line,
                                        .line_count = 1,
                                        .hold_until_ns = MEMORY_HELD_UNTIL_NS};
        status = cellar_order_place(shop->store, &relaxed_call, &request, &ticket, NULL);
        if (status == CELLAR_OK) {
            shop_sold(shop, 0, &request, 0);
        }
    }
    return made(MEMORY_HOLDS, status, &ticket, lsn_out, result);
}

static const struct {
    const char *what; /* with its article */
    memory_make *make;
} kinds[] = {
    {" product", make_products},          {"n order", make_orders},
    {"n account", make_accounts},         {" customer's first coupon", make_first_coupons},
    {" further coupon", make_coupons},    {" hold of money", make_money_holds},
    {" hold of stock", make_stock_holds},
};

static bool memory_measure(struct shop *shop, const struct bench_options *options,
                           struct bench_result *result) {
    struct memory_state before = {0};
    struct memory_state after = {0};
    bool ok = memory_state(shop, &after);

    for (size_t i = 0; ok && i < sizeof kinds / sizeof *kinds; i++) {
        uint64_t lsn = 0;
        before = after;
        uint64_t count = kinds[i].make(shop, options, &lsn, result);
        ok = count != 0 && cellar_wait_listed(shop->store, lsn, -1) == CELLAR_OK &&
             memory_state(shop, &after);
        if (ok) {
            memory_figures(shop, &before, &after, (double)count, kinds[i].what, result);
        }
    }
    return ok || bench_fail(result, "the store could not be filled");
}

bool memory_run(const struct bench_options *options, struct bench_result *result) {
    struct bench_options relaxed = *options;
    struct shop shop;

    relaxed.wait = false;
    result->durability = "-";
    result->threads = options->threads;
    bool ok = shop_open(&shop, "memory", &relaxed, NULL, result) &&
              shop_prepare(&shop, &relaxed, options->threads, result) &&
              memory_measure(&shop, options, result) && shop_check(&shop, result);
    ok = shop_close(&shop, result) && ok;
    shop_remove(&shop);
    return ok;
}
