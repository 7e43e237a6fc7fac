/* What can be told of a request from its headers: where it goes, whether it may, and on what
 * condition. Nothing is done for a request before all of this has been checked. */
#include "request.h"

#include "headers.h"
#include "parse.h"
#include "problem.h"
#include "server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
    DISCARD_BYTES_MAX = 65536 /* of a body that is thrown away to keep the connection */
};

/* The checks in their order; each returns false when it has answered. */

static bool check_framing(struct request *request, const struct headers *headers,
                          const char *version) {
    const char *doubt = headers_smuggling(headers, version);
    if (doubt != NULL) {
        problem_answer(request, PROBLEM_BAD_REQUEST, doubt);
        request->close = true;
    }
    return doubt == NULL;
}

static bool check_route(struct request *request, const char *method, const char *path,
                        route_variable *variable_out) {
    route_match match;
    route_find(method, path, &match);
    *variable_out = match.variable;
    if (match.number != SIZE_MAX) {
        request->route = route_at(match.number);
        request->route_number = match.number;
    } else if (match.allowed[0] != '\0') {
        memcpy(request->allowed, match.allowed, sizeof request->allowed);
        problem_answer(request, PROBLEM_METHOD_NOT_ALLOWED, NULL);
    } else {
        problem_answer(request, PROBLEM_NO_SUCH_PATH, NULL);
    }
    return match.number != SIZE_MAX;
}

/* Without tokens everybody who reaches the loopback address is trusted. A web page is not: its
 * requests come through a browser on this machine, under the page's own host name when that name
 * was made to point here. */
static bool host_is_loopback(const char *host) {
    static const char *const names[] = {"localhost", "127.0.0.1", "[::1]"};
    for (size_t i = 0; host != NULL && i < sizeof names / sizeof names[0]; i++) {
        size_t bytes = strlen(names[i]);
        if (strncasecmp(host, names[i], bytes) == 0 &&
            (host[bytes] == '\0' || host[bytes] == ':')) {
            return true;
        }
    }
    return host == NULL;
}

static bool check_role(struct request *request, const struct headers *headers) {
    const struct auth *auth = &request->server->auth;
    if (auth->count == 0) {
        request->role = ROLE_ADMIN;
        request->client = request->peer != NULL ? request->peer->address : 0;
        if (!host_is_loopback(headers->host)) {
            problem_answer(request, PROBLEM_ROLE_REQUIRED, "the host is not this machine");
            return false;
        }
        return true;
    }
    const auth_token *token = auth_find(auth, headers->authorization);
    if (request->route->role == ROLE_NONE) {
        return true;
    }
    if (token == NULL) {
        problem_answer(request, PROBLEM_TOKEN_REQUIRED, NULL);
        return false;
    }
    request->role = token->role;
    request->client = (size_t)(token - auth->tokens) + 1;
    request->call.actor = token->actor;
    if (token->role < request->route->role) {
        problem_answer(request, PROBLEM_ROLE_REQUIRED, NULL);
        return false;
    }
    return true;
}

static bool check_admission(struct request *request) {
    struct server *server = request->server;
    if (request->route->role == ROLE_NONE) {
        return true;
    }
    if (atomic_load_explicit(&server->draining, memory_order_relaxed)) {
        problem_answer(request, PROBLEM_CLOSING, NULL);
        request->retry_after_s = 5;
        request->close = true;
        return false;
    }
    int wait_s = admission_rate(&server->admission, request->client, request->started_ns);
    if (wait_s > 0) {
        problem_answer(request, PROBLEM_TOO_MANY_REQUESTS, NULL);
        request->retry_after_s = wait_s;
        metrics_add(&server->metrics, METRICS_LIMITED, 1);
        return false;
    }
    request->admitted = admission_enter(&server->admission, request->route_number);
    if (!request->admitted) {
        problem_answer(request, PROBLEM_OVERLOADED, NULL);
        request->retry_after_s = 1;
        metrics_add(&server->metrics, METRICS_SHED, 1);
    }
    return request->admitted;
}

#define VARIABLE(label, sort, member, text)                                                        \
    {                                                                                              \
        .name = (label), .kind = (sort), .offset = offsetof(struct request, member),               \
        .bytes = sizeof((struct request *)0)->member, .about = (text)                              \
    }
static const request_variable variables[] = {
    VARIABLE("{sku}", FIELD_CHARS, sku, "percent-encoded UTF-8"),
    VARIABLE("{account}", FIELD_NUMBER, account, "a decimal number of up to 64 bits"),
    VARIABLE("{campaign}", FIELD_NUMBER, campaign, "a decimal number of up to 64 bits"),
    VARIABLE("{coupon}", FIELD_CHARS, name, "CAMPAIGN.CUSTOMER.ORDINAL"),
    VARIABLE("{code}", FIELD_CHARS, name, "percent-encoded UTF-8, 1 to 64 bytes"),
    VARIABLE("{order}", FIELD_UUID, id, "a UUID"),
    VARIABLE("{hold}", FIELD_UUID, id, "a UUID"),
    VARIABLE("{lease}", FIELD_CHARS, name, "percent-encoded UTF-8, 1 to 64 bytes"),
    VARIABLE("{name}", FIELD_CHARS, name, "of a problem"),
};

const request_variable *request_variable_of(const char *path) {
    const char *brace = strchr(path, '{');
    for (size_t i = 0; brace != NULL && i < sizeof variables / sizeof variables[0]; i++) {
        if (strncmp(brace, variables[i].name, strlen(variables[i].name)) == 0) {
            return &variables[i];
        }
    }
    return NULL;
}

static bool check_variable(struct request *request, route_variable given) {
    char text[CELLAR_SKU_BYTES_MAX + 1] = "";
    const request_variable *variable = request_variable_of(request->route->path);
    if (variable == NULL) {
        return true;
    }
    void *at = (char *)request + variable->offset;
    bool good = parse_percent(given.start, given.bytes, text, sizeof text);
    if (variable->kind == FIELD_NUMBER) {
        good = good && parse_unsigned(text, at) && *(uint64_t *)at != 0;
    } else if (variable->kind == FIELD_UUID) {
        good = good && parse_uuid(text, at);
    } else {
        good = good && strlen(text) < variable->bytes;
        (void)snprintf(at, variable->bytes, "%s", text);
    }
    if (!good) {
        problem_answer(request, PROBLEM_BAD_REQUEST,
                       "the path names no SKU, account, campaign, name or id");
    }
    return good;
}

static bool check_body(struct request *request, const struct headers *headers, bool *discard_out) {
    const struct settings *settings = request->server->settings;
    bool large = (request->route->flags & ROUTE_LARGE) != 0;
    int64_t bytes_max = large ? settings->bulk_bytes : settings->body_bytes;
    int64_t bytes = 0;
    if (headers->content_length != NULL) {
        bytes = strtoll(headers->content_length, NULL, 10);
    }
    if (!headers_have_body(headers)) {
        return true;
    }
    if (request->route->body == NULL) {
        problem_answer(request, PROBLEM_BAD_REQUEST, "there must be no body");
        *discard_out = false;
        return false;
    }
    if (bytes > bytes_max) {
        problem_answer(request, PROBLEM_TOO_LARGE, NULL);
        *discard_out = false;
        return false;
    }
    const char *type = headers->content_type;
    if (type == NULL || strncasecmp(type, "application/json", 16) != 0 ||
        strchr("; ", type[16]) == NULL) {
        problem_answer(request, PROBLEM_NOT_JSON, NULL);
        return false;
    }
    return true;
}

/* A strong tag of ours: the version in quotes. Another server's tag, or a weak one, is never equal
 * to what is there. */
static bool read_tag(const char *text, uint64_t *version_out) {
    char digits[24];
    size_t bytes = strlen(text);
    if (bytes < 3 || bytes > sizeof digits || text[0] != '"' || text[bytes - 1] != '"') {
        return false;
    }
    memcpy(digits, text + 1, bytes - 2);
    digits[bytes - 2] = '\0';
    return parse_unsigned(digits, version_out) && *version_out > CELLAR_VERSION_ABSENT;
}

static bool check_condition(struct request *request, const struct headers *headers) {
    unsigned flags = request->route->flags;
    if ((flags & ROUTE_CONDITIONAL) == 0) {
        request->cached = (flags & ROUTE_TAGGED) != 0 ? headers->if_none_match : NULL;
        return true;
    }
    bool creates = (flags & ROUTE_MAY_CREATE) != 0 && headers->if_none_match != NULL &&
                   strcmp(headers->if_none_match, "*") == 0;
    if (headers->if_match != NULL && headers->if_none_match != NULL) {
        problem_answer(request, PROBLEM_BAD_REQUEST, "If-Match and If-None-Match are both given");
        return false;
    }
    if (creates) {
        request->expected = CELLAR_VERSION_ABSENT;
        return true;
    }
    if (headers->if_match == NULL) {
        problem_answer(request, PROBLEM_CONDITION_REQUIRED,
                       (flags & ROUTE_MAY_CREATE) != 0
                           ? "give the ETag in If-Match, or If-None-Match: * to create"
                           : "give the ETag in If-Match, or *");
        return false;
    }
    request->must_exist = strcmp(headers->if_match, "*") == 0;
    if (!request->must_exist && !read_tag(headers->if_match, &request->expected)) {
        problem_answer(request, PROBLEM_CHANGED, "If-Match is no ETag of this server");
        return false;
    }
    return true;
}

static bool is_reference(const char *text) {
    for (const char *c = text; *c != '\0'; c++) {
        if ((unsigned char)*c < ' ' || *c == 0x7f) {
            return false;
        }
    }
    return strlen(text) <= CELLAR_REFERENCE_BYTES_MAX && parse_is_utf8(text);
}

/* Who does it and why, for the ledger. A token that has a number speaks for one person only. */
static bool check_note(struct request *request, const struct headers *headers) {
    request->call.reference = headers->cellar_reference;
    if (headers->cellar_reference != NULL && !is_reference(headers->cellar_reference)) {
        problem_answer(request, PROBLEM_BAD_REQUEST,
                       "Cellar-Reference must be UTF-8 of up to 64 bytes");
        return false;
    }
    if (headers->cellar_actor == NULL) {
        return true;
    }
    if (request->call.actor != 0) {
        problem_answer(request, PROBLEM_ROLE_REQUIRED,
                       "the token has a number of its own, which Cellar-Actor cannot change");
        return false;
    }
    if (!parse_unsigned(headers->cellar_actor, &request->call.actor)) {
        problem_answer(request, PROBLEM_BAD_REQUEST, "Cellar-Actor must be a number");
        return false;
    }
    return true;
}

static bool check_headers(struct request *request, const struct headers *headers) {
    unsigned flags = request->route->flags;
    if ((flags & ROUTE_KEYED) != 0 && headers->idempotency_key != NULL &&
        !parse_uuid(headers->idempotency_key, &request->key)) {
        problem_answer(request, PROBLEM_BAD_REQUEST, "Idempotency-Key must be a UUID");
        return false;
    }
    if ((flags & ROUTE_FOLLOWS) != 0 && headers->cellar_lsn != NULL &&
        !parse_unsigned(headers->cellar_lsn, &request->follow_lsn)) {
        problem_answer(request, PROBLEM_BAD_REQUEST, "Cellar-Lsn must be a number");
        return false;
    }
    return ((flags & ROUTE_WRITES) == 0 || check_note(request, headers)) &&
           check_condition(request, headers);
}

/* ---- Query ---- */

typedef struct query_reading {
    struct request *request;
    uint64_t seen;
    bool wrong;
} query_reading;

static bool query_own(struct request *request, const char *value) {
    request->relaxed = strcmp(value, "relaxed") == 0;
    return request->relaxed || strcmp(value, "durable") == 0;
}

/* The library has split the query and made '+' a space; escapes are left to us. */
static const char *query_decode(struct request *request, const char *value, size_t bytes) {
    char *decoded = arena_take(&request->arena, bytes + 1, 1);
    return decoded != NULL && parse_percent(value, bytes, decoded, bytes + 1) ? decoded : NULL;
}

static enum MHD_Result query_take(void *context, enum MHD_ValueKind kind, const char *name,
                                  size_t name_bytes, const char *value, size_t value_bytes) {
    query_reading *reading = context;
    struct request *request = reading->request;
    const struct shape *shape = request->route->query;
    field_error error = {.no_memory = false};
    uint64_t bit = UINT64_C(1) << 63;
    (void)kind;
    (void)name_bytes;
    const char *text = value == NULL ? NULL : query_decode(request, value, value_bytes);
    bool own = strcmp(name, "durability") == 0 && request->route->role != ROLE_NONE;
    for (size_t i = 0; shape != NULL && i < shape->field_count; i++) {
        bit = strcmp(shape->fields[i].name, name) == 0 ? UINT64_C(1) << i : bit;
    }
    if (text == NULL || (reading->seen & bit) != 0) {
        (void)snprintf(error.pointer, sizeof error.pointer, "/%.80s", name);
        problem_field(request, PROBLEM_BAD_FIELD, error.pointer, "is repeated or badly written");
    } else if (own && !query_own(request, text)) {
        problem_field(request, PROBLEM_BAD_FIELD, "/durability", "must be durable or relaxed");
    } else if (!own && !field_read_query(name, text, shape, request->query, &error)) {
        problem_field(request, PROBLEM_BAD_FIELD, error.pointer, error.detail);
    } else {
        reading->seen |= bit;
        return MHD_YES;
    }
    reading->wrong = true;
    return MHD_NO;
}

static bool check_query(struct request *request) {
    query_reading reading = {.request = request};
    if (request->route->query != NULL) {
        request->query = arena_take(&request->arena, 1, request->route->query->bytes);
        if (request->query == NULL) {
            problem_status(request, CELLAR_OUT_OF_MEMORY, NULL);
            return false;
        }
    }
    (void)MHD_get_connection_values_n(request->connection, MHD_GET_ARGUMENT_KIND, query_take,
                                      &reading);
    const struct shape *shape = request->route->query;
    const char *mistake = reading.wrong || shape == NULL || shape->check == NULL
                              ? NULL
                              : shape->check(request->query);
    if (mistake != NULL) {
        problem_answer(request, PROBLEM_BAD_FIELD, mistake);
    }
    return !reading.wrong && mistake == NULL;
}

/* ---- Beginning and end ---- */

void request_begin(struct request *request, struct server *server,
                   struct MHD_Connection *connection, const char *method, const char *path,
                   const char *version) {
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct headers headers;
    route_variable variable = {NULL, 0};
    bool discard = true;
    request->server = server;
    request->connection = connection;
    request->peer = info != NULL ? info->socket_context : NULL;
    request->started_ns = peer_clock_ns();
    request->route_number = ROUTES_MAX - 1;
    request->call = (cellar_call){.durability = CELLAR_RELAXED, .wait_ms = -1};
    text_create(&request->body);
    text_create(&request->answer);
    (void)atomic_fetch_add_explicit(&server->under_way, 1, memory_order_relaxed);
    if (request->peer != NULL) {
        atomic_store_explicit(&request->peer->since_ns, request->started_ns, memory_order_relaxed);
        atomic_store_explicit(&request->peer->idle, false, memory_order_relaxed);
    }
    headers_read(&headers, connection);
    request->refused = !check_framing(request, &headers, version) ||
                       !check_route(request, method, path, &variable) ||
                       !check_role(request, &headers) || !check_admission(request) ||
                       !check_variable(request, variable) ||
                       !check_body(request, &headers, &discard) || !check_query(request) ||
                       !check_headers(request, &headers);
    /* A small body that is not wanted is read and thrown away, so that the connection can go on.
     * Where that is not sure to be small, or where the body ends is in doubt, it is closed. */
    if (request->refused && headers_have_body(&headers) &&
        (!discard || headers.content_length == NULL || strlen(headers.content_length) > 5 ||
         strtoul(headers.content_length, NULL, 10) > DISCARD_BYTES_MAX)) {
        request->close = true;
    }
}

void request_end(struct request *request) {
    struct server *server = request->server;
    if (request->admitted) {
        admission_leave(&server->admission, request->route_number);
    }
    (void)atomic_fetch_sub_explicit(&server->body_bytes, (int64_t)request->body_bytes,
                                    memory_order_relaxed);
    (void)atomic_fetch_sub_explicit(&server->under_way, 1, memory_order_relaxed);
    if (request->json != NULL) {
        json_decref(request->json);
    }
    arena_release(&request->arena);
    text_destroy(&request->body);
    text_destroy(&request->answer);
}
