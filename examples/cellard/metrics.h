/* Counting requests: by route and status, with latencies; refusals by kind; what was sold. Kept in
 * shards, so that serving threads do not fight for a cache line, and summed up when asked. */
#ifndef CELLARD_METRICS_H
#define CELLARD_METRICS_H

#include "route.h"

#include <stdatomic.h>

enum {
    METRICS_SHARDS = 8,
    METRICS_STATUSES = 20,
    METRICS_BUCKETS = 17, /* with the one for all that is slower */
    METRICS_REFUSALS = 100
};

typedef enum metrics_counter {
    METRICS_ORDERS_PLACED = 0,
    METRICS_ORDERS_PAID,
    METRICS_ORDERS_CANCELLED,
    METRICS_ORDERS_FULFILLED,
    METRICS_RETURNS,
    METRICS_UNITS_SOLD,
    METRICS_REVENUE,
    METRICS_COUPONS_ISSUED,
    METRICS_COUPONS_QUEUED,
    METRICS_COUPONS_REFUSED,
    METRICS_COUPONS_REDEEMED,
    METRICS_SHED,
    METRICS_LIMITED,
    METRICS_SLOW_CLOSED,
    METRICS_COUNTERS
} metrics_counter;

typedef struct metrics_shard {
    _Atomic uint64_t requests[ROUTES_MAX][METRICS_STATUSES];
    _Atomic uint64_t latency[ROUTES_MAX][METRICS_BUCKETS];
    _Atomic uint64_t latency_ns[ROUTES_MAX];
    _Atomic uint64_t refusals[METRICS_REFUSALS]; /* by cellar_status */
    _Atomic uint64_t counters[METRICS_COUNTERS];
} metrics_shard;

struct metrics {
    metrics_shard shards[METRICS_SHARDS];
};

extern const double metrics_bounds_s[METRICS_BUCKETS - 1];
extern const int metrics_statuses[METRICS_STATUSES];

/* `route` may be ROUTES_MAX - 1 for what no route was found for. */
void metrics_request(struct metrics *metrics, size_t route, int status, uint64_t ns);
void metrics_refusal(struct metrics *metrics, cellar_status status);
void metrics_add(struct metrics *metrics, metrics_counter counter, uint64_t number);
uint64_t metrics_get(struct metrics *metrics, metrics_counter counter);

/* Sums over all shards. */
uint64_t metrics_requests(struct metrics *metrics, size_t route, size_t status);
uint64_t metrics_latency(struct metrics *metrics, size_t route, size_t bucket);
uint64_t metrics_latency_ns(struct metrics *metrics, size_t route);
uint64_t metrics_refusals(struct metrics *metrics, cellar_status status);

#endif
