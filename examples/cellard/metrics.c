#include "metrics.h"

#define NANOSECONDS 1e9

const double metrics_bounds_s[METRICS_BUCKETS - 1] = {
    0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 3, 10};

/* The last one stands for all others. */
const int metrics_statuses[METRICS_STATUSES] = {200, 201, 304, 400, 401, 403, 404, 405, 408, 409,
                                                412, 413, 415, 428, 429, 500, 503, 507, 207, 0};

static metrics_shard *shard(struct metrics *metrics) {
    static _Atomic unsigned next;
    static _Thread_local unsigned own;
    if (own == 0) {
        own = atomic_fetch_add_explicit(&next, 1, memory_order_relaxed) % METRICS_SHARDS + 1;
    }
    return &metrics->shards[own - 1];
}

/* Relaxed throughout: each number stands for itself. */
static void add(_Atomic uint64_t *counter, uint64_t number) {
    (void)atomic_fetch_add_explicit(counter, number, memory_order_relaxed);
}

static size_t status_index(int status) {
    for (size_t i = 0; i < METRICS_STATUSES - 1; i++) {
        if (metrics_statuses[i] == status) {
            return i;
        }
    }
    return METRICS_STATUSES - 1;
}

void metrics_request(struct metrics *metrics, size_t route, int status, uint64_t ns) {
    metrics_shard *own = shard(metrics);
    double seconds = (double)ns / NANOSECONDS;
    size_t bucket = 0;
    while (bucket < METRICS_BUCKETS - 1 && seconds > metrics_bounds_s[bucket]) {
        bucket++;
    }
    add(&own->requests[route][status_index(status)], 1);
    add(&own->latency[route][bucket], 1);
    add(&own->latency_ns[route], ns);
}

void metrics_refusal(struct metrics *metrics, cellar_status status) {
    size_t kind = (size_t)status;
    if (kind != 0 && kind < METRICS_REFUSALS) {
        add(&shard(metrics)->refusals[kind], 1);
    }
}

void metrics_add(struct metrics *metrics, metrics_counter counter, uint64_t number) {
    add(&shard(metrics)->counters[counter], number);
}

/* Sums the word that lies `offset` bytes into each shard. */
static uint64_t sum(struct metrics *metrics, size_t offset) {
    uint64_t total = 0;
    for (size_t i = 0; i < METRICS_SHARDS; i++) {
        _Atomic uint64_t *word = (_Atomic uint64_t *)(void *)((char *)&metrics->shards[i] + offset);
        total += atomic_load_explicit(word, memory_order_relaxed);
    }
    return total;
}

uint64_t metrics_get(struct metrics *metrics, metrics_counter counter) {
    return sum(metrics, offsetof(metrics_shard, counters) + counter * sizeof(uint64_t));
}

uint64_t metrics_requests(struct metrics *metrics, size_t route, size_t status) {
    return sum(metrics, offsetof(metrics_shard, requests) +
                            (route * METRICS_STATUSES + status) * sizeof(uint64_t));
}

uint64_t metrics_latency(struct metrics *metrics, size_t route, size_t bucket) {
    return sum(metrics, offsetof(metrics_shard, latency) +
                            (route * METRICS_BUCKETS + bucket) * sizeof(uint64_t));
}

uint64_t metrics_latency_ns(struct metrics *metrics, size_t route) {
    return sum(metrics, offsetof(metrics_shard, latency_ns) + route * sizeof(uint64_t));
}

uint64_t metrics_refusals(struct metrics *metrics, cellar_status status) {
    return sum(metrics, offsetof(metrics_shard, refusals) + (size_t)status * sizeof(uint64_t));
}
