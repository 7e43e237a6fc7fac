#include "prometheus.h"

#include "health.h"
#include "problem.h"

#include <inttypes.h>

#define SECONDS(ns) ((double)(ns) / 1e9)

static void heading(struct text *out, const char *name, const char *type, const char *help) {
    text_format(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void one(struct text *out, const char *name, const char *type, const char *help,
                double value) {
    heading(out, name, type, help);
    text_format(out, "%s %.17g\n", name, value);
}

static const char *route_label(size_t route) {
    return route < route_count() ? route_at(route)->name : "none";
}

/* The last place counts requests for which there was no route. */
static size_t route_place(size_t i) {
    return i < route_count() ? i : ROUTES_MAX - 1;
}

static void write_requests(struct metrics *metrics, struct text *out) {
    heading(out, "cellard_requests_total", "counter", "Requests answered, by route and status.");
    for (size_t i = 0; i <= route_count(); i++) {
        size_t place = route_place(i);
        for (size_t j = 0; j < METRICS_STATUSES; j++) {
            uint64_t count = metrics_requests(metrics, place, j);
            if (count != 0) {
                text_format(out, "cellard_requests_total{route=\"%s\",status=\"%d\"} %" PRIu64 "\n",
                            route_label(place), metrics_statuses[j], count);
            }
        }
    }
}

static void write_latency(struct metrics *metrics, struct text *out) {
    static const char name[] = "cellard_request_seconds";
    heading(out, name, "histogram",
            "From the end of a request's headers to the end of its answer, by route.");
    for (size_t i = 0; i <= route_count(); i++) {
        size_t place = route_place(i);
        uint64_t sum_ns = metrics_latency_ns(metrics, place);
        uint64_t below = 0;
        if (sum_ns == 0) {
            continue;
        }
        for (size_t j = 0; j < METRICS_BUCKETS; j++) {
            below += metrics_latency(metrics, place, j);
            text_format(out, "%s_bucket{route=\"%s\",le=\"", name, route_label(place));
            if (j < METRICS_BUCKETS - 1) {
                text_format(out, "%g\"} %" PRIu64 "\n", metrics_bounds_s[j], below);
            } else {
                text_format(out, "+Inf\"} %" PRIu64 "\n", below);
            }
        }
        text_format(out, "%s_sum{route=\"%s\"} %.9f\n%s_count{route=\"%s\"} %" PRIu64 "\n", name,
                    route_label(place), SECONDS(sum_ns), name, route_label(place), below);
    }
}

static void write_refusals(struct metrics *metrics, struct text *out) {
    heading(out, "cellard_refusals_total", "counter",
            "Correct requests answered with no, by reason.");
    for (int i = 1; i < METRICS_REFUSALS; i++) {
        uint64_t count = metrics_refusals(metrics, (cellar_status)i);
        if (count != 0) {
            char name[48];
            problem_name((cellar_status)i, name, sizeof name);
            text_format(out, "cellard_refusals_total{reason=\"%s\"} %" PRIu64 "\n", name, count);
        }
    }
}

static void write_sales(struct metrics *metrics, struct text *out) {
    one(out, "cellard_orders_placed_total", "counter", "Orders placed.",
        (double)metrics_get(metrics, METRICS_ORDERS_PLACED));
    one(out, "cellard_payments_total", "counter", "Orders paid.",
        (double)metrics_get(metrics, METRICS_ORDERS_PAID));
    one(out, "cellard_orders_cancelled_total", "counter", "Orders cancelled.",
        (double)metrics_get(metrics, METRICS_ORDERS_CANCELLED));
    one(out, "cellard_orders_fulfilled_total", "counter", "Orders fulfilled.",
        (double)metrics_get(metrics, METRICS_ORDERS_FULFILLED));
    one(out, "cellard_returns_total", "counter", "Returns.",
        (double)metrics_get(metrics, METRICS_RETURNS));
    one(out, "cellard_units_sold_total", "counter", "Units in orders placed.",
        (double)metrics_get(metrics, METRICS_UNITS_SOLD));
    one(out, "cellard_coupons_issued_total", "counter", "Claims that were granted.",
        (double)metrics_get(metrics, METRICS_COUPONS_ISSUED));
    one(out, "cellard_coupons_queued_total", "counter", "Claims put on a waiting list.",
        (double)metrics_get(metrics, METRICS_COUPONS_QUEUED));
    one(out, "cellard_coupons_refused_total", "counter", "Claims that were refused.",
        (double)metrics_get(metrics, METRICS_COUPONS_REFUSED));
    one(out, "cellard_coupons_redeemed_total", "counter", "Coupons and codes redeemed.",
        (double)metrics_get(metrics, METRICS_COUPONS_REDEEMED));
    one(out, "cellard_shed_total", "counter", "Requests turned away with 503 before any work.",
        (double)metrics_get(metrics, METRICS_SHED));
    one(out, "cellard_limited_total", "counter", "Requests turned away with 429 before any work.",
        (double)metrics_get(metrics, METRICS_LIMITED));
}

static void write_quantiles(struct text *out, const char *name, const char *help, double p50,
                            double p99) {
    heading(out, name, "gauge", help);
    text_format(out, "%s{quantile=\"0.5\"} %.9g\n%s{quantile=\"0.99\"} %.9g\n", name, p50, name,
                p99);
}

static void write_store(struct server *server, struct text *out) {
    cellar_statistics s = {.reserved_lsn = 0};
    (void)cellar_statistics_get(server->store, &s);
    one(out, "cellar_commits_total", "counter", "Records logged.", (double)s.commits);
    one(out, "cellar_syncs_total", "counter", "Syncs of the log.", (double)s.syncs);
    one(out, "cellar_log_bytes_total", "counter", "Bytes written to the log.", (double)s.log_bytes);
    one(out, "cellar_helped_total", "counter", "Commits finished by another thread.",
        (double)s.helped);
    one(out, "cellar_dead_gaps_total", "counter", "Stopped threads passed over by the log writer.",
        (double)s.dead_gaps);
    heading(out, "cellar_lsn", "gauge", "Positions in the log.");
    text_format(out,
                "cellar_lsn{position=\"reserved\"} %" PRIu64 "\n"
                "cellar_lsn{position=\"decided\"} %" PRIu64 "\n"
                "cellar_lsn{position=\"durable\"} %" PRIu64 "\n"
                "cellar_lsn{position=\"listed\"} %" PRIu64 "\n"
                "cellar_lsn{position=\"reclaimed\"} %" PRIu64 "\n",
                s.reserved_lsn, s.decided_lsn, s.durable_lsn, s.listed_lsn, s.reclaimed_lsn);
    one(out, "cellar_ring_ratio", "gauge", "Share of the log ring in use.",
        (double)health_ring_level(server, &s) / 100);
    write_quantiles(out, "cellar_sync_seconds", "Time of a sync, since the start.",
                    SECONDS(s.sync_ns_p50), SECONDS(s.sync_ns_p99));
    write_quantiles(out, "cellar_durable_lag_seconds", "From commit to durable, since the start.",
                    SECONDS(s.durable_lag_ns_p50), SECONDS(s.durable_lag_ns_p99));
    write_quantiles(out, "cellar_group_records", "Records of one sync, since the start.",
                    (double)s.group_records_p50, (double)s.group_records_p99);
    heading(out, "cellar_memory_bytes", "gauge", "Memory of the store by kind.");
    const char *name = NULL;
    int64_t bytes = 0;
    for (uint32_t kind = 0; cellar_memory_get(server->store, kind, &name, &bytes) == CELLAR_OK;
         kind++) {
        text_format(out, "cellar_memory_bytes{kind=\"%s\"} %" PRId64 "\n", name, bytes);
    }
}

static void write_server(struct server *server, struct text *out) {
    struct health health = {.level = HEALTH_UP};
    health_look(server, &health);
    one(out, "cellard_connections", "gauge", "Connections held.",
        (double)atomic_load_explicit(&server->peers.count, memory_order_relaxed));
    one(out, "cellard_connections_max", "gauge", "Connections that may be held.",
        (double)server->settings->connections);
    one(out, "cellard_slow_clients_total", "counter", "Connections ended for slowness.",
        (double)atomic_load_explicit(&server->peers.closed_slow, memory_order_relaxed));
    one(out, "cellard_requests_waiting", "gauge", "Requests that wait for the log.",
        (double)atomic_load_explicit(&server->waiter.waiting, memory_order_relaxed));
    one(out, "cellard_body_bytes", "gauge", "Memory of bodies under way.",
        (double)atomic_load_explicit(&server->body_bytes, memory_order_relaxed));
    one(out, "cellard_disk_ratio", "gauge", "Share of the data's file system in use.",
        (double)health_disk_level(server) / 100);
    one(out, "cellard_resident_bytes", "gauge", "Memory of the process.",
        (double)health_resident_bytes());
    one(out, "cellard_memory_limit_bytes", "gauge", "Memory it may have.",
        (double)health_memory_limit_bytes());
    one(out, "cellard_uptime_seconds", "gauge", "Since the start.",
        SECONDS(peer_clock_ns() - server->started_ns));
    heading(out, "cellard_component_level", "gauge", "1 up, 2 warning, 3 critical, 4 down.");
    for (size_t i = 0; i < HEALTH_COMPONENTS; i++) {
        text_format(out, "cellard_component_level{component=\"%s\"} %d\n",
                    health.components[i].name, health.components[i].level);
    }
}

void prometheus_write(struct server *server, struct text *out) {
    write_requests(&server->metrics, out);
    write_latency(&server->metrics, out);
    write_refusals(&server->metrics, out);
    write_sales(&server->metrics, out);
    write_store(server, out);
    write_server(server, out);
}
