/* /v1/live: what the live page draws, in one small answer. Totals since the start; the page makes
 * rates of them. */
#include "coupon_shapes.h"
#include "health.h"
#include "server.h"
#include "shapes.h"

#include <string.h>

enum {
    HOT_SHOWN = 8,
    CAMPAIGNS_SHOWN = 8
};

typedef struct live_bucket {
    int64_t microseconds;
    int64_t count;
} live_bucket;

#define BUCKET(member) offsetof(live_bucket, member)
static const struct field bucket_fields[] = {
    {.name = "microseconds",
     .kind = FIELD_INTEGER,
     .flags = FIELD_OPTIONAL,
     .offset = BUCKET(microseconds),
     .about = "took at most this long; absent: all others"},
    {.name = "count", .kind = FIELD_INTEGER, .offset = BUCKET(count)},
};
static const struct shape shape_bucket = SHAPE("LatencyBucket", live_bucket, bucket_fields);

typedef struct live_hot {
    char sku[CELLAR_SKU_BYTES_MAX + 1];
    int64_t units;
    int64_t available;
} live_hot;

#define HOT(member) offsetof(live_hot, member)
static const struct field hot_fields[] = {
    {.name = "sku", .kind = FIELD_CHARS, .offset = HOT(sku)},
    {.name = "units", .kind = FIELD_INTEGER, .offset = HOT(units), .about = "sold lately, roughly"},
    {.name = "available", .kind = FIELD_INTEGER, .offset = HOT(available)},
};
static const struct shape shape_hot = SHAPE("HotProduct", live_hot, hot_fields);

typedef struct live_campaign {
    uint64_t id;
    char name[CELLAR_NAME_BYTES_MAX + 1];
    int64_t quota;
    int64_t left;
} live_campaign;

#define SHOWN(member) offsetof(live_campaign, member)
static const struct field campaign_fields[] = {
    {.name = "id", .kind = FIELD_NUMBER, .offset = SHOWN(id)},
    {.name = "name", .kind = FIELD_CHARS, .offset = SHOWN(name)},
    {.name = "quota", .kind = FIELD_INTEGER, .offset = SHOWN(quota)},
    {.name = "left", .kind = FIELD_INTEGER, .offset = SHOWN(left), .about = "places nobody has"},
};
static const struct shape shape_live_campaign =
    SHAPE("LiveCampaign", live_campaign, campaign_fields);

struct live {
    int level;
    int64_t uptime_ms;
    int64_t requests, errors, refusals, shed, limited;
    int64_t orders, payments, cancelled, units, revenue;
    int64_t coupons, coupons_refused;
    int64_t commits, syncs, sync_us_p50, sync_us_p99, lag_us_p50, lag_us_p99, group_p50, group_p99;
    uint64_t durable_lsn;
    int64_t not_durable_bytes, ring_percent, disk_percent, memory_bytes;
    int64_t connections, connections_percent, waiting;
    const live_bucket *latency;
    size_t latency_count;
    const live_hot *hot;
    size_t hot_count;
    const live_campaign *campaigns;
    size_t campaign_count;
};

#define LIVE(member)                                                                               \
    { .name = #member, .kind = FIELD_INTEGER, .offset = offsetof(struct live, member) }
static const struct field live_fields[] = {
    {.name = "level",
     .kind = FIELD_CHOICE,
     .offset = offsetof(struct live, level),
     .choices = health_levels},
    LIVE(uptime_ms),
    LIVE(requests),
    LIVE(errors),
    LIVE(refusals),
    LIVE(shed),
    LIVE(limited),
    LIVE(orders),
    LIVE(payments),
    LIVE(cancelled),
    LIVE(units),
    {.name = "revenue", .kind = FIELD_SUM, .offset = offsetof(struct live, revenue)},
    LIVE(coupons),
    LIVE(coupons_refused),
    LIVE(commits),
    LIVE(syncs),
    LIVE(sync_us_p50),
    LIVE(sync_us_p99),
    LIVE(lag_us_p50),
    LIVE(lag_us_p99),
    LIVE(group_p50),
    LIVE(group_p99),
    {.name = "durable_lsn", .kind = FIELD_NUMBER, .offset = offsetof(struct live, durable_lsn)},
    LIVE(not_durable_bytes),
    LIVE(ring_percent),
    LIVE(disk_percent),
    LIVE(memory_bytes),
    LIVE(connections),
    LIVE(connections_percent),
    LIVE(waiting),
    {.name = "latency",
     .kind = FIELD_LIST,
     .offset = offsetof(struct live, latency),
     .shape = &shape_bucket,
     .count_offset = offsetof(struct live, latency_count)},
    {.name = "hot",
     .kind = FIELD_LIST,
     .offset = offsetof(struct live, hot),
     .shape = &shape_hot,
     .count_offset = offsetof(struct live, hot_count),
     .about = "the products that sell most, most first"},
    {.name = "campaigns",
     .kind = FIELD_LIST,
     .offset = offsetof(struct live, campaigns),
     .shape = &shape_live_campaign,
     .count_offset = offsetof(struct live, campaign_count),
     .about = "the newest ones"},
};
static const struct shape shape_live = SHAPE("Live", struct live, live_fields);

/* Requests of the shop: looking at the page must not move what it shows. */
static void live_requests(struct metrics *metrics, struct live *live, live_bucket *buckets) {
    for (size_t i = 0; i < route_count(); i++) {
        if (route_is_service(i)) {
            continue;
        }
        for (size_t j = 0; j < METRICS_STATUSES; j++) {
            int64_t count = (int64_t)metrics_requests(metrics, i, j);
            int status = metrics_statuses[j];
            live->requests += count;
            live->errors += status >= 500 && status != 503 ? count : 0;
            live->refusals += status == 409 ? count : 0;
        }
        for (size_t j = 0; j < METRICS_BUCKETS; j++) {
            buckets[j].count += (int64_t)metrics_latency(metrics, i, j);
        }
    }
    for (size_t j = 0; j < METRICS_BUCKETS; j++) {
        buckets[j].microseconds =
            j < METRICS_BUCKETS - 1 ? (int64_t)(metrics_bounds_s[j] * 1e6 + 0.5) : FIELD_ABSENT;
    }
}

static size_t live_hottest(struct server *server, live_hot *shown) {
    hot_product products[HOT_SHOWN];
    size_t count = hot_list(&server->hot, products, HOT_SHOWN);
    for (size_t i = 0; i < count; i++) {
        const hot_product *product = &products[i];
        cellar_product found;
        cellar_stock stock = {.available = 0};
        cellar_line line = {.sku = product->sku};
        memcpy(shown[i].sku, product->sku, sizeof shown[i].sku);
        if (product->product != 0) {
            line = (cellar_line){.product = product->product};
            if (cellar_product_get(server->store, NULL, product->product, &found) == CELLAR_OK) {
                memcpy(shown[i].sku, found.sku_buffer, sizeof shown[i].sku);
            }
        }
        (void)cellar_stock_get(server->store, &line, &stock);
        shown[i].units = product->units;
        shown[i].available = stock.available;
    }
    return count;
}

static size_t live_campaigns(struct server *server, live_campaign *shown) {
    cellar_campaign_summary found[CAMPAIGNS_SHOWN];
    size_t count = 0;
    (void)cellar_campaign_list(server->store, 0, found, CAMPAIGNS_SHOWN, &count);
    for (size_t i = 0; i < count; i++) {
        shown[i] = (live_campaign){.id = found[i].id,
                                   .quota = found[i].quota,
                                   .left = coupon_places_left(found[i].admitted, found[i].claimed)};
        memcpy(shown[i].name, found[i].name, sizeof shown[i].name);
    }
    return count;
}

static void live_store(struct server *server, struct live *live) {
    enum {
        NANOSECONDS = 1000
    };
    cellar_statistics s = {.reserved_lsn = 0};
    (void)cellar_statistics_get(server->store, &s);
    live->commits = (int64_t)s.commits;
    live->syncs = (int64_t)s.syncs;
    live->sync_us_p50 = (int64_t)s.sync_ns_p50 / NANOSECONDS;
    live->sync_us_p99 = (int64_t)s.sync_ns_p99 / NANOSECONDS;
    live->lag_us_p50 = (int64_t)s.durable_lag_ns_p50 / NANOSECONDS;
    live->lag_us_p99 = (int64_t)s.durable_lag_ns_p99 / NANOSECONDS;
    live->group_p50 = (int64_t)s.group_records_p50;
    live->group_p99 = (int64_t)s.group_records_p99;
    live->durable_lsn = s.durable_lsn;
    live->not_durable_bytes =
        s.reserved_lsn > s.durable_lsn ? (int64_t)(s.reserved_lsn - s.durable_lsn) : 0;
    live->ring_percent = health_ring_level(server, &s);
    live->memory_bytes = (int64_t)s.memory_bytes;
}

static void live_get(struct request *request) {
    struct server *server = request->server;
    struct metrics *metrics = &server->metrics;
    live_bucket buckets[METRICS_BUCKETS] = {{.count = 0}};
    live_hot shown[HOT_SHOWN] = {{.units = 0}};
    live_campaign campaigns[CAMPAIGNS_SHOWN];
    struct health health = {.level = HEALTH_UP};
    health_look(server, &health);
    struct live live = {.level = health.level,
                        .uptime_ms =
                            (int64_t)((request->started_ns - server->started_ns) / 1000000),
                        .shed = (int64_t)metrics_get(metrics, METRICS_SHED),
                        .limited = (int64_t)metrics_get(metrics, METRICS_LIMITED),
                        .orders = (int64_t)metrics_get(metrics, METRICS_ORDERS_PLACED),
                        .payments = (int64_t)metrics_get(metrics, METRICS_ORDERS_PAID),
                        .cancelled = (int64_t)metrics_get(metrics, METRICS_ORDERS_CANCELLED),
                        .units = (int64_t)metrics_get(metrics, METRICS_UNITS_SOLD),
                        .revenue = (int64_t)metrics_get(metrics, METRICS_REVENUE),
                        .coupons = (int64_t)metrics_get(metrics, METRICS_COUPONS_ISSUED),
                        .coupons_refused = (int64_t)metrics_get(metrics, METRICS_COUPONS_REFUSED),
                        .disk_percent = health_disk_level(server),
                        .connections = atomic_load(&server->peers.count),
                        .connections_percent = peers_level(&server->peers),
                        .waiting = (int64_t)atomic_load(&server->waiter.waiting),
                        .latency = buckets,
                        .latency_count = METRICS_BUCKETS,
                        .hot = shown,
                        .campaigns = campaigns};
    live_requests(metrics, &live, buckets);
    live_store(server, &live);
    live.campaign_count = live_campaigns(server, campaigns);
    live.hot_count = live_hottest(server, shown);
    request_answer(request, 200, &shape_live, &live);
}

static const struct route routes[] = {
    {.name = "live.get",
     .method = "GET",
     .path = "/v1/live",
     .role = ROLE_READ,
     .answer = &shape_live,
     .handle = live_get,
     .summary = "What the live page draws"},
};

const struct route_area area_live = {"service", routes, sizeof routes / sizeof routes[0]};
