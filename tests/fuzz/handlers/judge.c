#include "judge.h"

#include "schema.h"

#include "../../../examples/cellard/openapi.h"
#include "../../../examples/cellard/parse.h"
#include "../../../examples/cellard/problem.h"
#include "base/assert.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* A page of all that fits into the small store of the fuzzer, or the description. */
#define ANSWER_BYTES_MAX (1u << 17)

static json_t *description;
static bool reached[ROUTES_MAX];

void judge_prepare(void) {
    struct text text;
    json_error_t error;
    text_create(&text);
    openapi_write(&text);
    description = json_loadb(text.data, text.bytes, JSON_REJECT_DUPLICATES, &error);
    ASSERT(description != NULL);
    text_destroy(&text);
}

size_t judge_reached(void) {
    size_t count = 0;
    for (size_t i = 0; i < route_count(); i++) {
        count += reached[i];
    }
    return count;
}

void judge_require(bool good, const char *what, const message *request,
                   const stand_in_answer *answer) {
    if (good) {
        return;
    }
    (void)fprintf(stderr, "wrong answer: %s\n%s %s\n", what, request->method, request->path);
    for (size_t i = 0; i < request->headers.count; i++) {
        (void)fprintf(stderr, "%s: %s\n", request->headers.list[i].name,
                      request->headers.list[i].value);
    }
    (void)fprintf(stderr, "\n%.*s\n\n%d\n", (int)request->body_bytes, request->body,
                  answer->status);
    for (size_t i = 0; i < answer->headers.count; i++) {
        (void)fprintf(stderr, "%s: %s\n", answer->headers.list[i].name,
                      answer->headers.list[i].value);
    }
    (void)fprintf(stderr, "\n%.*s\n", (int)answer->bytes, answer->data);
    ASSERT(good);
}

const struct route *judge_route(const message *request) {
    route_match match;
    route_find(request->method, request->path, &match);
    return match.number == SIZE_MAX ? NULL : route_at(match.number);
}

/* The type without its parameters. */
static bool is_of_type(const char *type, const char *wanted) {
    size_t bytes = strlen(wanted);
    return type != NULL && strncmp(type, wanted, bytes) == 0 &&
           (type[bytes] == '\0' || type[bytes] == ';');
}

static bool is_json(const stand_in_answer *answer) {
    const char *type = message_header(&answer->headers, "Content-Type");
    return is_of_type(type, "application/json") || is_of_type(type, "application/problem+json");
}

json_t *judge_json(const stand_in_answer *answer) {
    json_error_t error;
    return is_json(answer) ? json_loadb(answer->data, answer->bytes, JSON_REJECT_DUPLICATES, &error)
                           : NULL;
}

/* ---- Against the description ---- */

static const json_t *responses_of(const struct route *route) {
    char method[8] = "";
    for (size_t i = 0; route->method[i] != '\0' && i + 1 < sizeof method; i++) {
        method[i] = (char)(route->method[i] | 0x20);
    }
    const json_t *path = json_object_get(json_object_get(description, "paths"), route->path);
    return json_object_get(json_object_get(path, method), "responses");
}

static const char *described_mistake(const json_t *response, const stand_in_answer *answer,
                                     const json_t *json) {
    const char *type = message_header(&answer->headers, "Content-Type");
    const json_t *content = json_object_get(response, "content");
    const char *name;
    json_t *described;
    if (content == NULL) {
        return answer->bytes == 0 && type == NULL ? NULL : "there is a body";
    }
    json_object_foreach((json_t *)(uintptr_t)content, name, described) {
        const json_t *schema = json_object_get(described, "schema");
        if (is_of_type(type, name)) {
            return schema == NULL ? NULL : schema_mistake(description, schema, json);
        }
    }
    return "its Content-Type is not described";
}

/* ---- Answers that say no ---- */

/* What may be said with a status of 5xx: the store is full, or others were faster. Nothing else can
 * happen on a disk without faults. */
static bool is_expected_failure(const char *name) {
    static const char *const names[] = {"overloaded", "busy", "conflict", "store-full"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(names[i], name) == 0) {
            return true;
        }
    }
    return false;
}

/* The type is one that /problems/NAME explains, with this status and title. */
static bool is_known_problem(const char *name, int status, const json_t *title) {
    struct text text;
    json_error_t error;
    text_create(&text);
    bool known = problem_describe(name, &text);
    json_t *told = known ? json_loadb(text.data, text.bytes, 0, &error) : NULL;
    known = told != NULL && json_integer_value(json_object_get(told, "status")) == status &&
            json_equal(json_object_get(told, "title"), title);
    json_decref(told);
    text_destroy(&text);
    return known;
}

static const char *problem_mistake(const stand_in_answer *answer, const json_t *json) {
    static const char prefix[] = "/problems/";
    const char *type = json_string_value(json_object_get(json, "type"));
    const char *allowed = message_header(&answer->headers, "Allow");
    int status = answer->status;
    if (!is_of_type(message_header(&answer->headers, "Content-Type"), "application/problem+json")) {
        return "no application/problem+json";
    }
    if (type == NULL || strncmp(type, prefix, sizeof prefix - 1) != 0 ||
        !is_known_problem(type + sizeof prefix - 1, status, json_object_get(json, "title"))) {
        return "a problem that is not known";
    }
    if (json_integer_value(json_object_get(json, "status")) != status) {
        return "another status in the body";
    }
    if (status >= 500 && !is_expected_failure(type + sizeof prefix - 1)) {
        return "a failure for no reason";
    }
    if (status == 503 && message_header(&answer->headers, "Retry-After") == NULL) {
        return "no Retry-After";
    }
    if (status == 405 && (allowed == NULL || *allowed == '\0')) {
        return "no Allow";
    }
    bool asks = message_header(&answer->headers, "WWW-Authenticate") != NULL;
    return (status == 401) != asks ? "401 and WWW-Authenticate do not go together" : NULL;
}

/* ---- Headers ---- */

static const char *tag_mistake(const struct route *route, const stand_in_answer *answer) {
    const char *tag = message_header(&answer->headers, "ETag");
    char digits[MESSAGE_NUMBER_BYTES] = "";
    uint64_t version;
    if (tag == NULL) {
        bool promised = route != NULL && (route->flags & ROUTE_TAGGED) != 0;
        return promised && answer->status < 400 ? "no ETag" : NULL;
    }
    size_t bytes = strlen(tag);
    if (bytes < 3 || bytes > sizeof digits || tag[0] != '"' || tag[bytes - 1] != '"') {
        return "an ETag that is none";
    }
    memcpy(digits, tag + 1, bytes - 2);
    return parse_unsigned(digits, &version) && version > CELLAR_VERSION_ABSENT ? NULL
                                                                               : "no version";
}

/* The answer to a change tells of its commit; one that is repeated may tell of what came later,
 * too. */
static const char *ticket_mistake(uint64_t told_lsn, uint64_t durable_lsn, const json_t *json) {
    const char *text = json_string_value(json_object_get(json, "lsn"));
    const json_t *repeated = json_object_get(json, "repeated");
    uint64_t own_lsn;
    if (text == NULL || repeated == NULL) {
        return NULL;
    }
    if (!parse_unsigned(text, &own_lsn)) {
        return "its lsn is none";
    }
    if (own_lsn >= durable_lsn) {
        return "told before it is on disk";
    }
    bool later = json_is_true(repeated) && own_lsn < told_lsn;
    return own_lsn == told_lsn || later ? NULL : "its Cellar-Lsn is not that of its commit";
}

/* Unless it was asked for otherwise, nothing is told that a power cut could undo. */
static const char *lsn_mistake(struct server *server, const message *request,
                               const stand_in_answer *answer, const json_t *json) {
    const char *text = message_header(&answer->headers, "Cellar-Lsn");
    cellar_statistics statistics;
    uint64_t lsn;
    bool is_relaxed = false;
    if (text == NULL || !parse_unsigned(text, &lsn)) {
        return "no Cellar-Lsn";
    }
    cellar_status status = cellar_statistics_get(server->store, &statistics);
    ASSERT(status == CELLAR_OK);
    for (size_t i = 0; i < request->arguments.count; i++) {
        is_relaxed = is_relaxed || strcmp(request->arguments.list[i].name, "durability") == 0;
    }
    uint64_t end_lsn = is_relaxed ? statistics.reserved_lsn : statistics.durable_lsn;
    if (lsn > end_lsn) {
        return is_relaxed ? "a position that is not there yet" : "told before it is on disk";
    }
    return ticket_mistake(lsn, end_lsn, json);
}

static const char *role_mistake(const struct server *server, const message *request,
                                const struct route *route, int status) {
    route_role own = request->client == NULL ? ROLE_NONE : request->client->role;
    if (server->auth.count == 0 || route == NULL || own >= route->role || status >= 400) {
        return NULL;
    }
    return "this client must not do that";
}

/* ---- All of it ---- */

static bool is_known_status(int status) {
    for (size_t i = 0; i < METRICS_STATUSES; i++) {
        if (metrics_statuses[i] == status) {
            return status != 0 && status != 500;
        }
    }
    return false;
}

static const char *body_mistake(const struct route *route, const stand_in_answer *answer,
                                const json_t *json) {
    char status[16];
    (void)snprintf(status, sizeof status, "%d", answer->status);
    const json_t *responses = route == NULL ? NULL : responses_of(route);
    /* Nor is there anything for a probe to complain of. */
    const json_t *own = answer->status >= 500 ? NULL : json_object_get(responses, status);
    if (is_json(answer) && json == NULL) {
        return "its body is no JSON";
    }
    if (own != NULL) {
        return described_mistake(own, answer, json);
    }
    if (answer->status < 400) {
        return "a status that is not described";
    }
    const json_t *otherwise = json_object_get(responses, "default");
    const char *mistake = otherwise == NULL ? NULL : described_mistake(otherwise, answer, json);
    return mistake != NULL ? mistake : problem_mistake(answer, json);
}

void judge_answer(struct server *server, const message *request, const stand_in_answer *answer) {
    const struct route *route = judge_route(request);
    json_t *json = judge_json(answer);
    const char *mistake = is_known_status(answer->status) ? NULL : "an unknown status";
    mistake = mistake == NULL && answer->bytes > ANSWER_BYTES_MAX ? "a very long answer" : mistake;
    mistake = mistake != NULL ? mistake : body_mistake(route, answer, json);
    mistake = mistake != NULL ? mistake : tag_mistake(route, answer);
    mistake = mistake != NULL ? mistake : lsn_mistake(server, request, answer, json);
    mistake = mistake != NULL ? mistake : role_mistake(server, request, route, answer->status);
    judge_require(mistake == NULL, mistake, request, answer);
    json_decref(json);
    if (route != NULL && answer->status < 300) {
        route_match match;
        route_find(request->method, request->path, &match);
        reached[match.number] = true;
    }
}
