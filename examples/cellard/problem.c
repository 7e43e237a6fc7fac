#include "problem.h"

#include "bodies.h"
#include "parse.h"
#include "server.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>

typedef struct problem_row {
    const char *name;
    int status;
    const char *title;
} problem_row;

static const problem_row rows[] = {
#define PROBLEM_ROW(symbol, name, status, title) {name, status, title},
    PROBLEM_TABLE(PROBLEM_ROW)
#undef PROBLEM_ROW
};

static const cellar_status statuses[] = {
#define STATUS_ROW(number, name, sentence) CELLAR_##name,
    CELLAR_STATUS_TABLE(STATUS_ROW)
#undef STATUS_ROW
};

static void problem_open(struct request *request, const char *name, int status, const char *title) {
    struct text *out = &request->answer;
    text_clear(out);
    request->status = status;
    request->type = "application/problem+json";
    request->fixed = NULL;
    text_format(out, "{\"type\":\"/problems/%s\",\"title\":", name);
    text_json(out, title);
    text_format(out, ",\"status\":%d", status);
}

static void problem_detail(struct request *request, const char *detail) {
    if (detail != NULL && *detail != '\0') {
        text_put(&request->answer, ",\"detail\":");
        text_json(&request->answer, detail);
    }
}

void problem_field(struct request *request, problem_kind kind, const char *pointer,
                   const char *detail) {
    problem_open(request, rows[kind].name, rows[kind].status, rows[kind].title);
    problem_detail(request, detail);
    if (pointer != NULL) {
        text_put(&request->answer, ",\"pointer\":");
        text_json(&request->answer, pointer);
    }
    text_put(&request->answer, "}");
}

void problem_answer(struct request *request, problem_kind kind, const char *detail) {
    problem_field(request, kind, NULL, detail);
}

int problem_http_status(cellar_status status) {
    switch (status) {
    case CELLAR_NOT_FOUND:
        return 404;
    case CELLAR_VERSION_CHANGED:
        return 412;
    case CELLAR_INVALID_ARGUMENT:
    case CELLAR_OVERFLOW:
        return 400;
    case CELLAR_DISK_FULL:
    case CELLAR_STORE_FULL:
        return 507;
    case CELLAR_BUSY:
    case CELLAR_CONFLICT:
    case CELLAR_OUT_OF_MEMORY:
    case CELLAR_TIMEOUT:
    case CELLAR_OUTCOME_UNKNOWN:
    case CELLAR_FAILED:
    case CELLAR_CLOSED:
    case CELLAR_CLOCK_JUMPED:
        return 503;
    default:
        return cellar_status_is_refusal(status) ? 409 : 500;
    }
}

void problem_name(cellar_status status, char *out, size_t capacity) {
    const char *name = cellar_status_name(status);
    size_t i = 0;
    for (; name[i] != '\0' && i + 1 < capacity; i++) {
        out[i] = (char)tolower((unsigned char)name[i]);
        if (name[i] == '_') {
            out[i] = '-';
        }
    }
    out[i] = '\0';
}

static const char *state_name(uint32_t state) {
    if (state >= CELLAR_ACCOUNT_HOLD_HELD && state <= CELLAR_ACCOUNT_HOLD_EXPIRED) {
        return hold_states[state];
    }
    bool known = state >= CELLAR_ORDER_PLACED && state <= CELLAR_ORDER_EXPIRED;
    return known ? order_states[state] : "none";
}

/* Refusals that tell how much there is, and how much was asked for. */
static bool has_amounts(cellar_status status) {
    return status == CELLAR_OUT_OF_STOCK || status == CELLAR_INSUFFICIENT_FUNDS ||
           status == CELLAR_NOTHING_LEFT;
}

/* What the refusal knows beyond its status, and what to do next. */
static void problem_refusal(struct request *request, cellar_status status,
                            const cellar_refusal *refusal) {
    struct text *out = &request->answer;
    if ((request->route->flags & ROUTE_STEPS) != 0) {
        text_format(out, ",\"step\":%" PRIu32, refusal->step);
    }
    if (refusal->line != CELLAR_NO_LINE) {
        text_format(out, ",\"line\":%" PRIu32, refusal->line);
    }
    if (has_amounts(status)) {
        text_format(out, ",\"available\":%" PRId64 ",\"needed\":%" PRId64, refusal->available,
                    refusal->needed);
    }
    if (status == CELLAR_VERSION_CHANGED && refusal->version != 0) {
        text_format(out, ",\"version\":\"%" PRIu64 "\"", refusal->version);
        request->etag = refusal->version;
    }
    if (status == CELLAR_ILLEGAL_STEP) {
        text_format(out, ",\"state\":\"%s\"", state_name(refusal->state));
    }
    if (refusal->retry_ns > 0) {
        char when[PARSE_TIME_BYTES + 1];
        parse_time_write(refusal->retry_ns, when);
        text_format(out, ",\"retry_at\":\"%s\"", when);
    }
}

void problem_status(struct request *request, cellar_status status, const cellar_refusal *refusal) {
    char name[48];
    int http = problem_http_status(status);
    request->busy = status == CELLAR_BUSY;
    problem_name(status, name, sizeof name);
    problem_open(request, name, http, cellar_status_text(status));
    if (refusal != NULL && status == CELLAR_INVALID_ARGUMENT) {
        problem_detail(request, refusal->reason);
    }
    if (refusal != NULL && refusal->status == status) {
        problem_refusal(request, status, refusal);
    }
    if (status == CELLAR_FAILED) {
        atomic_store(&request->server->failed, true);
    }
    if (http == 503 && status != CELLAR_FAILED && status != CELLAR_OUTCOME_UNKNOWN) {
        request->retry_after_s = 1;
    }
    text_put(&request->answer, "}");
}

static void describe(struct text *out, const char *name, int status, const char *title) {
    text_format(out, "{\"name\":\"%s\",\"status\":%d,\"title\":", name, status);
    text_json(out, title);
    text_put(out, "}");
}

bool problem_describe(const char *name, struct text *out) {
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (strcmp(rows[i].name, name) == 0) {
            describe(out, name, rows[i].status, rows[i].title);
            return true;
        }
    }
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
        char own[48];
        problem_name(statuses[i], own, sizeof own);
        if (strcmp(own, name) == 0) {
            describe(out, name, problem_http_status(statuses[i]), cellar_status_text(statuses[i]));
            return true;
        }
    }
    return false;
}
