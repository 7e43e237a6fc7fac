/* Running a handler, and what handlers do alike. */
#include "request.h"

#include "problem.h"
#include "server.h"

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

int request_made(const struct request *request, const cellar_ticket *ticket) {
    return (request->route->flags & ROUTE_CREATES) != 0 && !ticket->repeated ? 201 : 200;
}

void request_answer(struct request *request, int status, const struct shape *shape,
                    const void *value) {
    request->status = status;
    request->type = "application/json";
    text_clear(&request->answer);
    field_write(&request->answer, shape, value);
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

void *request_body(struct request *request) {
    const struct text *body = &request->body;
    json_error_t where;
    field_error error;
    char detail[sizeof where.text + 32];
    void *value = request_take(request, 1, request->route->body->bytes);
    if (value == NULL) {
        return NULL;
    }
    if (body->failed) {
        problem_status(request, CELLAR_OUT_OF_MEMORY, NULL);
        return NULL;
    }
    if (is_too_deep(body->data, body->bytes)) {
        problem_answer(request, PROBLEM_BAD_JSON, "nested too deeply");
        return NULL;
    }
    /* No body is an empty object: whether that is enough, the shape says. */
    request->json = body->bytes == 0
                        ? json_object()
                        : json_loadb(body->data, body->bytes, JSON_REJECT_DUPLICATES, &where);
    if (request->json == NULL && body->bytes == 0) {
        problem_status(request, CELLAR_OUT_OF_MEMORY, NULL);
        return NULL;
    }
    if (request->json == NULL) {
        (void)snprintf(detail, sizeof detail, "at byte %d: %s", where.position, where.text);
        problem_answer(request, PROBLEM_BAD_JSON, detail);
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
    return value;
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
