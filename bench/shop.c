#include "shop.h"

#include "machine.h"
#include "zipf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PRODUCTS_EACH_PUT 1000
#define PRICE_MIN 100
/* Picks of all threads together, and of one. */
#define PICKS_MAX (UINT32_C(4) << 20)
#define PICKS_EACH_MAX (UINT32_C(1) << 18)
#define PICKS_EACH_MIN (UINT32_C(1) << 12)
/* A SKU drawn twice for one order is drawn again so many times. */
#define REDRAWS_MAX 64
#define LOG_BYTES_MAX (UINT64_C(1) << 30)
#define ORDERS_MAX 3000000
/* What a case takes, its log in the page cache included. */
#define TOUCHED_BYTES ((size_t)1 << 30)
#define FILL_SECONDS_MAX 60.0

/* ---- Ordering ---- */

cellar_id shop_order_id(const struct shop *shop, uint32_t thread, uint64_t counter) {
    return (cellar_id){.high = (shop->series << 32) | (thread + 1), .low = counter};
}

void shop_draw(struct shop *shop, uint32_t thread, uint64_t counter,
               cellar_order_request *request_out) {
    struct shop_thread *own = &shop->threads[thread];
    cellar_id id = shop_order_id(shop, thread, counter);
    uint64_t random = id.high ^ (counter << 20);

    for (uint32_t i = 0; i < shop->lines; i++) {
        uint32_t pick = own->picks[own->next + i];
        own->lines[i] = (cellar_line){
            .sku = shop->names[pick], .quantity = 1, .unit_price = PRICE_MIN + pick % 1000};
    }
    own->next += shop->lines;
    if (own->next == own->pick_count) {
        own->next = 0;
    }
    *request_out = (cellar_order_request){.id = id,
                                          .customer = 1 + random_below(&random, SHOP_CUSTOMERS),
                                          .lines = own->lines,
                                          .line_count = shop->lines};
    if (shop->paid) {
        request_out->state = CELLAR_ORDER_PAID;
        request_out->account = request_out->customer;
    }
}

uint32_t shop_pick(struct shop *shop, uint32_t thread) {
    struct shop_thread *own = &shop->threads[thread];
    uint32_t pick = own->picks[own->next_single++];

    if (own->next_single == own->pick_count) {
        own->next_single = 0;
    }
    return pick;
}

int64_t shop_total(const cellar_order_request *request) {
    int64_t total = 0;
    for (size_t i = 0; i < request->line_count; i++) {
        total += request->lines[i].quantity * request->lines[i].unit_price;
    }
    return total;
}

void shop_sold(struct shop *shop, uint32_t thread, const cellar_order_request *request,
               int64_t discount) {
    struct shop_thread *own = &shop->threads[thread];

    own->units += (int64_t)request->line_count;
    if (request->account != 0) {
        own->paid += shop_total(request) - discount;
    }
}

cellar_status shop_order_place(struct shop *shop, uint32_t thread, uint64_t counter,
                               cellar_durability durability, cellar_ticket *ticket_out) {
    cellar_order_request request;
    cellar_call call = {.durability = durability};

    shop_draw(shop, thread, counter, &request);
    cellar_status status = cellar_order_place(shop->store, &call, &request, ticket_out, NULL);
    if (status == CELLAR_OK) {
        shop_sold(shop, thread, &request, 0);
    }
    return status;
}

void shop_failed(struct shop *shop, cellar_status status) {
    int none = CELLAR_OK;
    atomic_compare_exchange_strong(&shop->failure, &none, (int)status);
}

static uint64_t order_round(void *context, struct worker *worker, uint64_t count) {
    struct shop *shop = context;
    cellar_ticket ticket;

    for (uint64_t i = 0; i < count; i++) {
        cellar_status status =
            shop_order_place(shop, worker->index, worker->counter++, shop->durability, &ticket);
        if (status != CELLAR_OK) {
            shop_failed(shop, status);
            return i;
        }
        worker->last_lsn = ticket.lsn;
    }
    return count;
}

bool shop_take(struct shop *shop, struct worker *worker, const cellar_call *call,
               const cellar_line *line) {
    cellar_ticket ticket;
    cellar_status status = cellar_stock_take(shop->store, call, line, &ticket, NULL);

    if (status != CELLAR_OK) {
        shop_failed(shop, status);
        return false;
    }
    shop->threads[worker->index].taken++;
    worker->last_lsn = ticket.lsn;
    return true;
}

static uint64_t take_round(void *context, struct worker *worker, uint64_t count) {
    struct shop *shop = context;
    cellar_line line = {.product = shop->products[0], .quantity = 1};
    cellar_call call = {.durability = shop->durability};

    for (uint64_t i = 0; i < count; i++) {
        if (!shop_take(shop, worker, &call, &line)) {
            return i;
        }
    }
    return count;
}

bool shop_settle(void *context, const struct worker *workers, uint32_t worker_count) {
    struct shop *shop = context;
    uint64_t lsn = 0;

    for (uint32_t i = 0; i < worker_count; i++) {
        lsn = workers[i].last_lsn > lsn ? workers[i].last_lsn : lsn;
    }
    cellar_status status = lsn != 0 ? cellar_wait(shop->store, lsn, -1) : CELLAR_OK;
    if (status != CELLAR_OK) {
        shop_failed(shop, status);
    }
    return status == CELLAR_OK;
}

/* Bytes of log between two calls of a kind: the smallest of a few distances, since other records,
 * such as a mark, may come between. 0: a call failed. */
static uint64_t call_bytes(struct shop *shop, struct worker *worker,
                           bool (*call)(struct shop *, struct worker *, uint64_t number)) {
    uint64_t bytes = 0;
    uint64_t before = 0;

    for (uint64_t i = 0; i < 4; i++) {
        if (!call(shop, worker, i)) {
            return 0;
        }
        if (i > 0 && (bytes == 0 || worker->last_lsn - before < bytes)) {
            bytes = worker->last_lsn - before;
        }
        before = worker->last_lsn;
    }
    return cellar_wait(shop->store, before, -1) == CELLAR_OK ? bytes : 0;
}

static bool call_order(struct shop *shop, struct worker *worker, uint64_t number) {
    cellar_ticket ticket;
    if (shop_order_place(shop, 0, UINT64_MAX - number, CELLAR_RELAXED, &ticket) != CELLAR_OK) {
        return false;
    }
    worker->last_lsn = ticket.lsn;
    return true;
}

static bool call_take(struct shop *shop, struct worker *worker, uint64_t number) {
    (void)number;
    return take_round(shop, worker, 1) == 1;
}

uint64_t shop_order_bytes(struct shop *shop, struct worker *worker) {
    return call_bytes(shop, worker, call_order);
}

uint64_t shop_take_bytes(struct shop *shop, struct worker *worker) {
    return call_bytes(shop, worker, call_take);
}

uint64_t shop_orders_max(uint32_t lines) {
    /* A bit more than an order takes: it only bounds. */
    uint64_t bytes = 192 + 64 * (uint64_t)lines;
    uint64_t orders = LOG_BYTES_MAX / bytes;
    return orders < ORDERS_MAX ? orders : ORDERS_MAX;
}

/* ---- Drawing ---- */

static uint32_t draw(const struct shop *shop, const struct zipf *zipf, uint64_t *random,
                     const uint32_t *drawn, uint32_t drawn_count) {
    uint32_t pick = 0;

    for (uint32_t redraw = 0; redraw < REDRAWS_MAX; redraw++) {
        pick = zipf_scatter(zipf_rank(zipf, random), shop->skus);
        uint32_t i = 0;
        while (i < drawn_count && drawn[i] != pick) {
            i++;
        }
        if (i == drawn_count) {
            break;
        }
    }
    return pick;
}

static void threads_free(struct shop *shop) {
    for (uint32_t i = 0; shop->threads != NULL && i < shop->thread_count; i++) {
        free(shop->threads[i].picks);
        free(shop->threads[i].lines);
    }
    free(shop->threads);
    shop->threads = NULL;
}

bool shop_prepare(struct shop *shop, const struct bench_options *options, uint32_t thread_count,
                  struct bench_result *result) {
    struct zipf zipf;
    uint32_t each = PICKS_MAX / thread_count;

    each = each > PICKS_EACH_MAX ? PICKS_EACH_MAX : each;
    each = each < PICKS_EACH_MIN ? PICKS_EACH_MIN : each;
    /* Whole orders, one at least. */
    each = (each + shop->lines - 1) / shop->lines * shop->lines;
    threads_free(shop);
    shop->thread_count = thread_count;
    shop->series++;
    shop->threads =
        aligned_alloc(_Alignof(struct shop_thread), thread_count * sizeof *shop->threads);
    if (shop->threads == NULL) {
        return bench_fail(result, "no memory");
    }
    memset(shop->threads, 0, thread_count * sizeof *shop->threads);
    zipf_start(&zipf, shop->skus, options->zipf);
    for (uint32_t i = 0; i < thread_count; i++) {
        struct shop_thread *own = &shop->threads[i];
        uint64_t random = (shop->series << 32) + i;
        own->picks = malloc(each * sizeof *own->picks);
        own->lines = malloc(shop->lines * sizeof *own->lines);
        if (own->picks == NULL || own->lines == NULL) {
            return bench_fail(result, "no memory");
        }
        own->pick_count = each;
        own->random = random + shop->thread_count;
        for (uint32_t at = 0; at < each; at++) {
            uint32_t line = at % shop->lines;
            own->picks[at] = draw(shop, &zipf, &random, &own->picks[at - line], line);
        }
    }
    return true;
}

/* ---- The store ---- */

bool shop_open_again(struct shop *shop, struct bench_result *result) {
    cellar_problem problem = {0};
    cellar_config config = {.size = sizeof config,
                            .directory = shop->directory,
                            .products_max = shop->skus + 1,
                            .stocks_max = shop->skus + 1,
                            .clock = shop->settings.clock,
                            .clock_context = shop->settings.clock_context,
                            .remember_closed_ns = shop->settings.remember_closed_ns};
    cellar_status status = cellar_open(&config, &shop->store, &problem);
    return status == CELLAR_OK ||
           bench_fail(result, "open: %s %s", cellar_status_name(status), problem.text);
}

bool shop_start(struct shop *shop, const char *name, const struct bench_options *options,
                struct bench_result *result) {
    memset(shop, 0, sizeof *shop);
    machine_touch_memory(TOUCHED_BYTES);
    data_path(shop->directory, name);
    shop->skus = options->skus;
    shop->lines = options->lines;
    shop->durability = options->wait ? CELLAR_DURABLE : CELLAR_RELAXED;
    snprintf(result->shape, sizeof result->shape, "%u line%s, %u SKUs, zipf %g", shop->lines,
             shop->lines == 1 ? "" : "s", shop->skus, options->zipf);
    shop->names = malloc((size_t)shop->skus * sizeof *shop->names);
    shop->products = malloc((size_t)shop->skus * sizeof *shop->products);
    if (shop->names == NULL || shop->products == NULL) {
        return bench_fail(result, "no memory");
    }
    for (uint32_t i = 0; i < shop->skus; i++) {
        snprintf(shop->names[i], sizeof shop->names[i], "SKU-%08u", i);
    }
    /* A waiting call is long, so each is timed and each looks whether to stop; a relaxed one takes
     * about a microsecond. */
    shop->order = (struct load){.name = "order",
                                .run = order_round,
                                .settle = shop_settle,
                                .context = shop,
                                .batch = options->wait ? 1 : 16,
                                .sample_every = 1};
    shop->take = (struct load){.name = "take",
                               .run = take_round,
                               .settle = shop_settle,
                               .context = shop,
                               .batch = options->wait ? 1 : 32,
                               .sample_every = options->wait ? 1 : 16};
    return true;
}

bool shop_open(struct shop *shop, const char *name, const struct bench_options *options,
               const struct shop_store *settings, struct bench_result *result) {
    if (!shop_start(shop, name, options, result)) {
        return false;
    }
    if (settings != NULL) {
        shop->settings = *settings;
    }
    return shop_open_again(shop, result);
}

static cellar_status put_products(struct shop *shop, uint32_t from, uint32_t count) {
    static cellar_product products[PRODUCTS_EACH_PUT];
    static cellar_ticket tickets[PRODUCTS_EACH_PUT];
    cellar_call call = {.durability = CELLAR_RELAXED};

    for (uint32_t i = 0; i < count; i++) {
        products[i] = (cellar_product){.sku = shop->names[from + i],
                                       .name = "Something to sell",
                                       .category = SHOP_CATEGORY,
                                       .unit_price = PRICE_MIN};
    }
    cellar_status status =
        cellar_product_put_many(shop->store, &call, products, count, NULL, tickets);
    for (uint32_t i = 0; i < count && status == CELLAR_OK; i++) {
        shop->products[from + i] = tickets[i].object;
    }
    return status;
}

static cellar_status receive(struct shop *shop, uint32_t from, uint32_t count, int64_t units) {
    static cellar_line lines[PRODUCTS_EACH_PUT];
    cellar_call call = {.durability = CELLAR_RELAXED};
    cellar_stock_change change = {.lines = lines, .line_count = count};
    cellar_ticket ticket = {0};

    for (uint32_t i = 0; i < count; i++) {
        lines[i] = (cellar_line){.product = shop->products[from + i], .quantity = units};
    }
    cellar_status status = cellar_stock_receive(shop->store, &call, &change, &ticket, NULL);
    shop->stocked_lsn = ticket.lsn;
    return status;
}

bool shop_stock(struct shop *shop, int64_t units, struct bench_result *result) {
    cellar_status status = CELLAR_OK;

    for (uint32_t from = 0; from < shop->skus && status == CELLAR_OK; from += PRODUCTS_EACH_PUT) {
        uint32_t left = shop->skus - from;
        uint32_t count = left < PRODUCTS_EACH_PUT ? left : PRODUCTS_EACH_PUT;
        status = put_products(shop, from, count);
        if (status == CELLAR_OK) {
            status = receive(shop, from, count, units);
        }
    }
    if (status == CELLAR_OK) {
        status = cellar_wait(shop->store, shop->stocked_lsn, -1);
    }
    shop->received += units * shop->skus;
    return status == CELLAR_OK || bench_fail(result, "stock: %s", cellar_status_name(status));
}

bool shop_accounts(struct shop *shop, struct bench_result *result) {
    cellar_call call = {.durability = CELLAR_RELAXED};
    cellar_ticket ticket = {0};
    cellar_status status = CELLAR_OK;

    for (uint64_t account = 1; account <= SHOP_CUSTOMERS && status == CELLAR_OK; account++) {
        status = cellar_account_open(shop->store, &call, account, 0, &ticket, NULL);
        if (status == CELLAR_OK) {
            status = cellar_account_credit(shop->store, &call, (cellar_id){0, 0}, account,
                                           SHOP_FUNDS, &ticket, NULL);
        }
    }
    shop->stocked_lsn = ticket.lsn;
    shop->credited += SHOP_CUSTOMERS * SHOP_FUNDS;
    shop->paid = true;
    return status == CELLAR_OK || bench_fail(result, "accounts: %s", cellar_status_name(status));
}

bool shop_fill(struct shop *shop, uint32_t threads, uint64_t orders, struct crew_round *round_out,
               struct bench_result *result) {
    struct crew crew;

    if (!crew_start(&crew, threads)) {
        return bench_fail(result, "no memory or no threads");
    }
    bool ok = crew_run(&crew, &shop->order, FILL_SECONDS_MAX, orders, NULL, round_out);
    crew_end(&crew);
    return ok || bench_fail(result, "filling the store failed");
}

bool shop_begin(struct shop *shop, struct crew *crew, const char *name,
                const struct bench_options *options, struct bench_result *result) {
    if (!shop_open(shop, name, options, NULL, result) || !shop_stock(shop, SHOP_UNITS, result) ||
        !shop_prepare(shop, options, options->threads, result)) {
        return false;
    }
    return crew_start(crew, options->threads) || bench_fail(result, "no memory or no threads");
}

bool shop_finish(struct shop *shop, struct crew *crew, struct bench_result *result) {
    shop_figures(shop, result);
    return shop_end(shop, crew, result);
}

bool shop_end(struct shop *shop, struct crew *crew, struct bench_result *result) {
    crew_end(crew);
    bool ok = shop_check(shop, result);
    ok = shop_close(shop, result) && ok;
    shop_remove(shop);
    return ok;
}

bool shop_close(struct shop *shop, struct bench_result *result) {
    int failure = atomic_load(&shop->failure);
    cellar_status status = cellar_close(shop->store);

    shop->store = NULL;
    if (failure != CELLAR_OK) {
        return bench_fail(result, "a call returned %s", cellar_status_name((cellar_status)failure));
    }
    return status == CELLAR_OK || bench_fail(result, "close: %s", cellar_status_name(status));
}

bool shop_reopen(struct shop *shop, struct bench_result *result) {
    return shop_close(shop, result) && shop_open_again(shop, result);
}

void shop_remove(struct shop *shop) {
    threads_free(shop);
    free(shop->names);
    free(shop->products);
    data_remove(shop->directory);
}

void shop_figures(const struct shop *shop, struct bench_result *result) {
    cellar_statistics now;

    if (cellar_statistics_get(shop->store, &now) != CELLAR_OK || now.commits == 0) {
        return;
    }
    bench_figure_add(result, "log", (double)now.log_bytes, "B");
    bench_figure_add(result, "of it padding", (double)now.padding_bytes, "B");
    bench_figure_add(result, "met in flight, of 1000 commits",
                     1000.0 * (double)now.helped / (double)now.commits, "");
    bench_figure_add(result, "gaps passed over", (double)now.dead_gaps, "");
    bench_figure_add(result, "records a sync p50", (double)now.group_records_p50, "");
    bench_figure_add(result, "records a sync p99", (double)now.group_records_p99, "");
    bench_figure_add(result, "sync p50", (double)now.sync_ns_p50, "ns");
    bench_figure_add(result, "sync p99", (double)now.sync_ns_p99, "ns");
    bench_figure_add(result, "durable lag p50", (double)now.durable_lag_ns_p50, "ns");
    bench_figure_add(result, "durable lag p99", (double)now.durable_lag_ns_p99, "ns");
    bench_figure_add(result, "durable lag max", (double)now.durable_lag_ns_max, "ns");
}
