/* /v1/leases: names that one holder has at a time. */
#include "problem.h"
#include "shapes.h"
#include "server.h"

typedef struct lease_body {
    uint64_t holder;
    uint64_t token;
    int64_t ttl_ms;
} lease_body;

#define TTL_FIELD                                                                                  \
    {                                                                                              \
        .name = "ttl_ms", .kind = FIELD_INTEGER, .flags = FIELD_REQUIRED,                          \
        .offset = offsetof(lease_body, ttl_ms), .min = 1, .max = CELLAR_LEASE_TTL_MS_MAX,          \
        .about = "milliseconds from now until it runs out"                                         \
    }
#define TOKEN_FIELD(flag) NUMBER_FIELD("token", flag, lease_body, token)

static const struct field acquire_fields[] = {
    NUMBER_FIELD("holder", FIELD_REQUIRED, lease_body, holder), TTL_FIELD};
static const struct shape shape_acquire = SHAPE("LeaseAcquire", lease_body, acquire_fields);
static const struct field renew_fields[] = {TOKEN_FIELD(FIELD_REQUIRED), TTL_FIELD};
static const struct shape shape_renew = SHAPE("LeaseRenew", lease_body, renew_fields);
static const struct field release_fields[] = {TOKEN_FIELD(FIELD_REQUIRED)};
static const struct shape shape_release = SHAPE("LeaseRelease", lease_body, release_fields);

/* The commit of an acquisition is its token. */
static const struct field acquired_fields[] = {
    MADE_FIELDS,
    {.name = "token",
     .kind = FIELD_NUMBER,
     .offset = offsetof(struct made, lsn),
     .about = "for renewing and releasing it, and for what it protects: tokens only grow"},
};
static const struct shape shape_acquired = SHAPE("LeaseAcquired", struct made, acquired_fields);
static const struct field step_fields[] = {MADE_FIELDS};
static const struct shape shape_step = SHAPE("LeaseStep", struct made, step_fields);

static void lease_acquire(struct request *request) {
    const lease_body *body = request_body(request);
    if (body != NULL) {
        cellar_status status =
            cellar_lease_acquire(request->server->store, &request->call, request->name,
                                 body->holder, body->ttl_ms, &request->ticket, &request->refusal);
        request_changed(request, status, FIELD_ABSENT);
    }
}

static void lease_renew(struct request *request) {
    const lease_body *body = request_body(request);
    if (body != NULL) {
        cellar_status status =
            cellar_lease_renew(request->server->store, &request->call, request->name, body->token,
                               body->ttl_ms, &request->ticket, &request->refusal);
        request_changed(request, status, FIELD_ABSENT);
    }
}

static void lease_release(struct request *request) {
    const lease_body *body = request_body(request);
    if (body != NULL) {
        cellar_status status =
            cellar_lease_release(request->server->store, &request->call, request->name, body->token,
                                 &request->ticket, &request->refusal);
        request_changed(request, status, FIELD_ABSENT);
    }
}

/* ---- Reading ---- */

static const struct field query_fields[] = {
    {.name = "token",
     .kind = FIELD_NUMBER,
     .offset = offsetof(lease_body, token),
     .about = "refused with lease-lost unless this is the current one and its time is not up"}};
static const struct shape shape_query = SHAPE("LeaseQuery", lease_body, query_fields);

static const struct field lease_fields[] = {
    NUMBER_FIELD("holder", 0, cellar_lease, holder),
    NUMBER_FIELD("token", 0, cellar_lease, token),
    {.name = "held", .kind = FIELD_BOOLEAN, .offset = offsetof(cellar_lease, held)},
    {.name = "until",
     .kind = FIELD_TIME,
     .flags = FIELD_OPTIONAL,
     .offset = offsetof(cellar_lease, until_ns),
     .about = "absent: it was released"},
    NUMBER_FIELD("version", 0, cellar_lease, version),
};
static const struct shape shape_lease = SHAPE("Lease", cellar_lease, lease_fields);

static void lease_get(struct request *request) {
    cellar *store = request->server->store;
    const lease_body *query = request->query;
    cellar_lease lease = {.version = 0};
    cellar_status status = cellar_lease_get(store, request->name, &lease);
    if (status == CELLAR_OK && query->token != 0) {
        status = cellar_lease_check(store, request->name, query->token);
    }
    request_found(request, status, lease.version, &lease);
}

#define LEASE_ROUTE(label, verb, form, given, function, text)                                      \
    {                                                                                              \
        .name = (label), .method = "POST", .path = "/v1/leases/{lease}/" verb, .role = ROLE_SELL,  \
        .flags = ROUTE_WRITES, .body = (form), .answer = (given), .handle = (function),            \
        .summary = (text)                                                                          \
    }

static const struct route routes[] = {
    {.name = "leases.get",
     .method = "GET",
     .path = "/v1/leases/{lease}",
     .role = ROLE_READ,
     .query = &shape_query,
     .answer = &shape_lease,
     .handle = lease_get,
     .summary = "Who has a lease, and whether a token is still good"},
    LEASE_ROUTE("leases.acquire", "acquire", &shape_acquire, &shape_acquired, lease_acquire,
                "Acquires it if it is free or has run out"),
    LEASE_ROUTE("leases.renew", "renew", &shape_renew, &shape_step, lease_renew,
                "It runs out at another time"),
    LEASE_ROUTE("leases.release", "release", &shape_release, &shape_step, lease_release,
                "Free for the next one"),
};

const route_area area_leases = {"leases", routes, sizeof routes / sizeof routes[0]};
