/* What is there besides the shop: the page for people, the description, probes, numbers. */
#include "assets.h"
#include "health.h"
#include "problem.h"
#include "prometheus.h"
#include "server.h"
#include "shapes.h"

static void service_page(struct request *request) {
    request->status = 200;
    request->type = "text/html; charset=utf-8";
    request->fixed = asset_page;
    request->fixed_bytes = asset_page_bytes;
}

static void service_description(struct request *request) {
    const struct text *description = &request->server->description;
    request->status = 200;
    request->type = "application/json";
    request->fixed = description->data;
    request->fixed_bytes = description->bytes;
}

static void service_metrics(struct request *request) {
    request->status = 200;
    request->type = "text/plain; version=0.0.4; charset=utf-8";
    prometheus_write(request->server, &request->answer);
}

static void service_problem(struct request *request) {
    request->status = 200;
    request->type = "application/json";
    text_clear(&request->answer);
    if (!problem_describe(request->name, &request->answer)) {
        problem_answer(request, PROBLEM_NO_SUCH_PATH, "there is no such problem");
    }
}

/* ---- Health ---- */

static const struct field component_fields[] = {
    {.name = "name", .kind = FIELD_TEXT, .offset = offsetof(health_component, name)},
    {.name = "level",
     .kind = FIELD_CHOICE,
     .offset = offsetof(health_component, level),
     .choices = health_levels},
    {.name = "about", .kind = FIELD_CHARS, .offset = offsetof(health_component, about)},
};
static const struct shape shape_component =
    SHAPE("HealthComponent", health_component, component_fields);

typedef struct health_view {
    int level;
    const health_component *components;
    size_t count;
} health_view;

static const struct field health_fields[] = {
    {.name = "level",
     .kind = FIELD_CHOICE,
     .offset = offsetof(health_view, level),
     .choices = health_levels,
     .about = "the worst of the components"},
    {.name = "components",
     .kind = FIELD_LIST,
     .offset = offsetof(health_view, components),
     .shape = &shape_component,
     .count_offset = offsetof(health_view, count)},
};
static const struct shape shape_health = SHAPE("Health", health_view, health_fields);

static void service_health(struct request *request) {
    struct health health = {.level = HEALTH_UP};
    health_look(request->server, &health);
    const health_view view = {health.level, health.components, HEALTH_COMPONENTS};
    request_answer(request, health.level == HEALTH_DOWN ? 503 : 200, &shape_health, &view);
}

static void probe(struct request *request, bool good) {
    request->status = good ? 200 : 503;
    request->type = "text/plain; charset=utf-8";
    text_put(&request->answer, good ? "ok\n" : "not now\n");
}

static void service_live(struct request *request) {
    probe(request, true);
}

static void service_ready(struct request *request) {
    probe(request, health_is_ready(request->server));
}

static const struct route routes[] = {
    {.name = "page",
     .method = "GET",
     .path = "/",
     .type = "text/html",
     .handle = service_page,
     .summary = "The live page"},
    {.name = "openapi",
     .method = "GET",
     .path = "/openapi.json",
     .type = "application/json",
     .handle = service_description,
     .summary = "This description"},
    {.name = "problems.get",
     .method = "GET",
     .path = "/problems/{name}",
     .type = "application/json",
     .handle = service_problem,
     .summary = "What a problem type means"},
    {.name = "livez",
     .method = "GET",
     .path = "/livez",
     .type = "text/plain",
     .handle = service_live,
     .summary = "Is the process alive?"},
    {.name = "readyz",
     .method = "GET",
     .path = "/readyz",
     .flags = ROUTE_PROBE,
     .type = "text/plain",
     .handle = service_ready,
     .summary = "May requests be sent here? 503: no"},
    {.name = "health",
     .method = "GET",
     .path = "/health",
     .role = ROLE_READ,
     .flags = ROUTE_PROBE,
     .answer = &shape_health,
     .handle = service_health,
     .summary = "The components; 503: one is down"},
    {.name = "metrics",
     .method = "GET",
     .path = "/metrics",
     .role = ROLE_READ,
     .type = "text/plain",
     .handle = service_metrics,
     .summary = "Numbers for Prometheus"},
};

const route_area area_service = {"service", routes, sizeof routes / sizeof routes[0]};
