/* Orders of three lines with balance and coupon, all in one commit, beside the same without coupon.
 */
#include "shop.h"

#include "measure.h"

#include <string.h>

/* Orders a customer places with a coupon, on average. */
#define COUPON_ROUNDS 8
#define COUPON_ORDERS_MAX ((uint64_t)COUPON_ROUNDS * SHOP_CUSTOMERS)
/* There are as many coupons for each order as threads: all claimed beforehand. */
#define COUPON_THREADS_MAX 16
#define COUPON_DISCOUNT 10

struct coupon_thread {
    _Alignas(64) uint64_t next;
};

struct coupon_orders {
    struct shop shop;
    uint32_t campaigns;
    uint32_t customers_each; /* of one thread */
    struct coupon_thread threads[COUPON_THREADS_MAX];
};

/* Each thread has customers of its own and goes through all of them, campaign after campaign. There
 * are campaigns enough for one thread that places all orders. */
static void coupon_draw(struct coupon_orders *orders, uint32_t thread, uint64_t counter,
                        cellar_order_request *request_out) {
    uint64_t next = orders->threads[thread].next++;

    shop_draw(&orders->shop, thread, counter, request_out);
    request_out->customer =
        1 + (uint64_t)thread * orders->customers_each + next % orders->customers_each;
    request_out->account = request_out->customer;
    request_out->coupon_campaign = 1 + next / orders->customers_each;
}

static uint64_t coupon_round(void *context, struct worker *worker, uint64_t count) {
    struct coupon_orders *orders = context;
    struct shop *shop = &orders->shop;
    cellar_call call = {.durability = shop->durability};
    cellar_order_request request;
    cellar_ticket ticket;

    for (uint64_t i = 0; i < count; i++) {
        coupon_draw(orders, worker->index, worker->counter++, &request);
        cellar_status status = cellar_order_place(shop->store, &call, &request, &ticket, NULL);
        if (status != CELLAR_OK) {
            shop_failed(shop, status);
            return i;
        }
        shop_sold(shop, worker->index, &request, COUPON_DISCOUNT);
        worker->last_lsn = ticket.lsn;
    }
    return count;
}

static bool coupon_settle(void *context, const struct worker *workers, uint32_t worker_count) {
    struct coupon_orders *orders = context;
    return shop_settle(&orders->shop, workers, worker_count);
}

/* Every customer claims a coupon of every campaign. */
static bool claim_all(struct coupon_orders *orders, struct bench_result *result) {
    cellar *store = orders->shop.store;
    cellar_call call = {.durability = CELLAR_RELAXED};
    cellar_ticket ticket = {0};
    cellar_status status = CELLAR_OK;

    for (uint64_t id = 1; id <= orders->campaigns && status == CELLAR_OK; id++) {
        cellar_campaign campaign = {
            .id = id,
            .quota = SHOP_CUSTOMERS,
            .discount = {.kind = CELLAR_DISCOUNT_AMOUNT, .value = COUPON_DISCOUNT}};
        status = cellar_campaign_put(store, NULL, &campaign, CELLAR_VERSION_ABSENT, NULL, NULL);
        for (uint64_t customer = 1; customer <= SHOP_CUSTOMERS && status == CELLAR_OK; customer++) {
            status =
                cellar_coupon_claim(store, &call, (cellar_id){0, 0}, id, customer, &ticket, NULL);
        }
    }
    if (status == CELLAR_OK) {
        status = cellar_wait_listed(store, ticket.lsn, -1);
    }
    return status == CELLAR_OK || bench_fail(result, "claims: %s", cellar_status_name(status));
}

/* Every order with a coupon has redeemed one. */
static bool check_coupons(const struct coupon_orders *orders, uint32_t thread_count,
                          struct bench_result *result) {
    cellar_audit audit;
    uint64_t redeemed = 0;

    for (uint32_t i = 0; i < thread_count; i++) {
        redeemed += orders->threads[i].next;
    }
    cellar_status status = cellar_audit_run(orders->shop.store, &audit);
    if (status != CELLAR_OK) {
        return bench_fail(result, "audit: %s", cellar_status_name(status));
    }
    return audit.totals.coupons_redeemed == redeemed ||
           bench_fail(result, "%llu coupons redeemed instead of %llu",
                      (unsigned long long)audit.totals.coupons_redeemed,
                      (unsigned long long)redeemed);
}

bool order_coupon_run(const struct bench_options *options, struct bench_result *result) {
    static struct coupon_orders orders;
    struct crew crew;

    result->unit = "orders";
    if (options->threads > COUPON_THREADS_MAX) {
        return bench_fail(result, "at most %d threads", COUPON_THREADS_MAX);
    }
    memset(&orders, 0, sizeof orders);
    orders.campaigns = COUPON_ROUNDS * options->threads;
    orders.customers_each = SHOP_CUSTOMERS / options->threads;
    if (!shop_begin(&orders.shop, &crew, "coupon", options, result) ||
        !shop_accounts(&orders.shop, result) || !claim_all(&orders, result)) {
        return false;
    }
    struct load load = {.name = "with coupon",
                        .run = coupon_round,
                        .settle = coupon_settle,
                        .context = &orders,
                        .batch = options->wait ? 1 : 16,
                        .sample_every = 1};
    struct load without = orders.shop.order;
    without.name = "the same without coupon";
    struct measure measure = {.crew = &crew,
                              .subject = &load,
                              .seconds = options->seconds,
                              /* What one thread could place alone; the shares of the rounds are
                               * rounded up. */
                              .count_max = (uint64_t)orders.campaigns * orders.customers_each -
                                           CREW_BATCH_MAX * options->threads};
    measure_add_load(&measure, &without, true);
    bool ok = measure_run(&measure, result) && check_coupons(&orders, options->threads, result);
    return shop_finish(&orders.shop, &crew, result) && ok;
}
