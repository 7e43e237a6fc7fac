#include "problem.h"

#include "bodies.h"
#include "parse.h"
#include "server.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

#define SECOND_NS INT64_C(1000000000)

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

/* How much there is of what was asked for. */
static void problem_amounts(struct text *out, cellar_status status, const cellar_refusal *refusal) {
    int64_t needed = refusal->needed;
    switch (status) {
    case CELLAR_SOLD_OUT:
    case CELLAR_WAITLIST_FULL:
    case CELLAR_PERIOD_CAP:
        needed = 1;
        break;
    case CELLAR_OUT_OF_STOCK:
    case CELLAR_INSUFFICIENT_FUNDS:
    case CELLAR_NOTHING_LEFT:
    case CELLAR_BELOW_CLAIMED:
    case CELLAR_BUDGET_SPENT:
    case CELLAR_NOT_ELIGIBLE:
        break;
    default:
        return;
    }
    text_format(out, ",\"available\":%" PRId64 ",\"needed\":%" PRId64, refusal->available, needed);
}

static int64_t problem_clock_ns(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * SECOND_NS + now.tv_nsec;
}

/* When the answer may be another; in the header as seconds from now, rounded up. */
static void problem_retry(struct request *request, int64_t retry_ns) {
    char when[PARSE_TIME_BYTES + 1];
    int64_t wait_ns = retry_ns - problem_clock_ns();
    if (retry_ns <= 0) {
        return;
    }
    parse_time_write(retry_ns, when);
    text_format(&request->answer, ",\"retry_at\":\"%s\"", when);
    if (wait_ns > 0 && wait_ns / SECOND_NS < INT32_MAX) {
        request->retry_after_s = (int)(wait_ns / SECOND_NS) + 1;
    }
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
    problem_amounts(out, status, refusal);
    if (status == CELLAR_ALREADY_CLAIMED || status == CELLAR_CUSTOMER_PERIOD_CAP ||
        status == CELLAR_NOT_GRANTED) {
        text_format(out, ",\"rank\":\"%" PRIu64 "\",\"waiting\":%s", refusal->rank,
                    refusal->waiting ? "true" : "false");
    }
    problem_retry(request, refusal->retry_ns);
    if (status == CELLAR_VERSION_CHANGED && refusal->version != 0) {
        text_format(out, ",\"version\":\"%" PRIu64 "\"", refusal->version);
        request->etag = refusal->version;
    }
    if (status == CELLAR_ILLEGAL_STEP) {
        text_format(out, ",\"state\":\"%s\"", state_name(refusal->state));
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
