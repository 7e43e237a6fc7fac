/* Running a handler, and what handlers do alike. */
#include "request.h"

#include "problem.h"
#include "server.h"
#include "shapes.h"

#include <stdio.h>
#include <string.h>

enum {
    BODY_DEPTH_MAX = 8
};
#define RETRY_NS UINT64_C(1000000000)

void request_saw(struct request *request, uint64_t lsn) {
    request->lsn = lsn > request->lsn ? lsn : request->lsn;
    request->sync_lsn = request->lsn;
}

void request_answer(struct request *request, int status, const struct shape *shape,
                    const void *value) {
    request->status = status;
    request->type = "application/json";
    text_clear(&request->answer);
    field_write(&request->answer, shape, value);
}

static bool id_is_given(const cellar_id *id) {
    return (id->high | id->low) != 0;
}

/* 201 when something was made for the first time. */
int request_made_status(const struct request *request) {
    unsigned flags = request->route->flags;
    bool created = (flags & ROUTE_MAY_CREATE) != 0 && request->expected == CELLAR_VERSION_ABSENT;
    return ((flags & ROUTE_CREATES) != 0 && !request->ticket.repeated) || created ? 201 : 200;
}

struct made request_made(const struct request *request, int64_t figure) {
    const cellar_ticket *ticket = &request->ticket;
    return (struct made){.id = id_is_given(&request->id) ? request->id : request->key,
                         .lsn = ticket->lsn,
                         .time_ns = ticket->time_ns,
                         .repeated = ticket->repeated,
                         .figure = figure,
                         .product = ticket->object};
}

void request_refused(struct request *request, cellar_status status) {
    metrics_refusal(&request->server->metrics, status);
    problem_status(request, status, &request->refusal);
}

void request_changed(struct request *request, cellar_status status, int64_t figure) {
    const cellar_ticket *ticket = &request->ticket;
    if (status != CELLAR_OK) {
        request_refused(request, status);
        return;
    }
    const struct made made = request_made(request, figure);
    request->etag = (request->route->flags & ROUTE_TAGGED) != 0 ? ticket->lsn : 0;
    request_saw(request, ticket->lsn);
    request_answer(request, request_made_status(request), request->route->answer, &made);
}

int64_t request_remaining(const struct request *request) {
    return request->ticket.repeated ? FIELD_ABSENT : request->ticket.remaining;
}

void request_found(struct request *request, cellar_status status, uint64_t version,
                   const void *value) {
    if (status != CELLAR_OK) {
        problem_status(request, status, NULL);
        return;
    }
    request->etag = (request->route->flags & ROUTE_TAGGED) != 0 ? version : 0;
    request_saw(request, version);
    request_answer(request, 200, request->route->answer, value);
}

void *request_take(struct request *request, size_t count, size_t bytes) {
    void *taken = arena_take(&request->arena, count, bytes);
    if (taken == NULL) {
        problem_status(request, CELLAR_OUT_OF_MEMORY, NULL);
    }
    return taken;
}

/* The JSON library's own limit is 2,048 levels, all of which it would build. */
static bool is_too_deep(const char *data, size_t bytes) {
    int depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < bytes; i++) {
        char c = data[i];
        if (in_string) {
            i += c == '\\' ? 1 : 0;
            in_string = c != '"';
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            depth++;
        } else if (c == '}' || c == ']') {
            depth--;
        }
        if (depth > BODY_DEPTH_MAX) {
            return true;
        }
    }
    return false;
}

/* Reads the body as JSON; false when it is none and has been answered. */
static bool body_parse(struct request *request) {
    const struct text *body = &request->body;
    json_error_t where;
    char detail[sizeof where.text + 32];
    if (body->failed) {
        problem_status(request, CELLAR_OUT_OF_MEMORY, NULL);
        return false;
    }
    if (is_too_deep(body->data, body->bytes)) {
        problem_answer(request, PROBLEM_BAD_JSON, "nested too deeply");
        return false;
    }
    /* No body is an empty object: whether that is enough, the shape says. */
    request->json = body->bytes == 0
                        ? json_object()
                        : json_loadb(body->data, body->bytes, JSON_REJECT_DUPLICATES, &where);
    if (request->json == NULL && body->bytes == 0) {
        problem_status(request, CELLAR_OUT_OF_MEMORY, NULL);
    } else if (request->json == NULL) {
        (void)snprintf(detail, sizeof detail, "at byte %d: %s", where.position, where.text);
        problem_answer(request, PROBLEM_BAD_JSON, detail);
    }
    return request->json != NULL;
}

/* Makes one of the id in the body and that in the header. */
static bool body_key(struct request *request, void *value) {
    const struct shape *shape = request->route->body;
    cellar_id none = {0, 0};
    cellar_id *id = &none;
    for (size_t i = 0; i < shape->field_count; i++) {
        if (strcmp(shape->fields[i].name, "id") == 0) {
            id = (cellar_id *)(void *)((char *)value + shape->fields[i].offset);
        }
    }
    bool given = id_is_given(id);
    if (given && id_is_given(&request->key) && memcmp(id, &request->key, sizeof *id) != 0) {
        problem_field(request, PROBLEM_BAD_FIELD, "/id", "is not the Idempotency-Key");
        return false;
    }
    *id = given ? *id : request->key;
    request->key = *id;
    if ((request->route->flags & ROUTE_KEY_IS_ID) != 0 && !id_is_given(id)) {
        problem_field(request, PROBLEM_BAD_FIELD, "/id", "is required, here or in Idempotency-Key");
        return false;
    }
    return true;
}

void *request_body(struct request *request) {
    field_error error;
    void *value = request_take(request, 1, request->route->body->bytes);
    if (value == NULL || !body_parse(request)) {
        return NULL;
    }
    if (!field_read(request->json, request->route->body, value, &request->arena, &error)) {
        if (error.no_memory) {
            problem_status(request, CELLAR_OUT_OF_MEMORY, NULL);
        } else {
            problem_field(request, PROBLEM_BAD_FIELD, error.pointer, error.detail);
        }
        return NULL;
    }
    return (request->route->flags & ROUTE_KEYED) == 0 || body_key(request, value) ? value : NULL;
}

/* "version" in a list of tags, or a lone star. */
static bool is_cached(const struct request *request) {
    char tag[24];
    if (request->cached == NULL || request->etag == 0 || request->status != 200) {
        return false;
    }
    (void)snprintf(tag, sizeof tag, "\"%llu\"", (unsigned long long)request->etag);
    return strcmp(request->cached, "*") == 0 || strstr(request->cached, tag) != NULL;
}

bool request_run(struct request *request) {
    request->busy = false;
    request->retry_after_s = 0;
    request->ticket = (cellar_ticket){.lsn = 0};
    request->refusal = (cellar_refusal){.line = CELLAR_NO_LINE};
    request->route->handle(request);
    if (request->json != NULL) {
        json_decref(request->json);
        request->json = NULL;
    }
    /* Space for a commit is prepared in steps; a serving thread must not wait for the next one. */
    if (request->busy && peer_clock_ns() - request->started_ns < RETRY_NS) {
        return false;
    }
    if (is_cached(request)) {
        request->status = 304;
        text_clear(&request->answer);
    }
    if (request->relaxed) {
        request->sync_lsn = 0;
    }
    /* While the answer waits, it and its few numbers are all that is kept. */
    request->query = NULL;
    arena_release(&request->arena);
    if (request->answer.failed) {
        problem_status(request, CELLAR_OUT_OF_MEMORY, NULL);
        request->fixed = "";
        request->fixed_bytes = 0;
    }
    return true;
}
