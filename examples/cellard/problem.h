/* Answers that say no: application/problem+json (RFC 9457). The types are stable and documented
 * at the address they name, /problems/NAME, on this server. */
#ifndef CELLARD_PROBLEM_H
#define CELLARD_PROBLEM_H

#include "request.h"

/* name, HTTP status, title. Those of cellar's own statuses are made from its table. */
#define PROBLEM_TABLE(X)                                                                           \
    X(BAD_REQUEST, "bad-request", 400, "The request is not understood.")                           \
    X(BAD_JSON, "bad-json", 400, "The body is not the JSON that is expected here.")                \
    X(BAD_FIELD, "bad-field", 400, "A field or parameter is wrong.")                               \
    X(TOKEN_REQUIRED, "token-required", 401, "A bearer token is required.")                        \
    X(ROLE_REQUIRED, "role-required", 403, "The token does not allow this.")                       \
    X(NO_SUCH_PATH, "no-such-path", 404, "There is nothing at this path.")                         \
    X(METHOD_NOT_ALLOWED, "method-not-allowed", 405, "This path does not take this method.")       \
    X(BODY_TIMEOUT, "body-timeout", 408, "The body did not come in time.")                         \
    X(CHANGED, "changed", 412, "It is not what the caller saw, or exists already.")                \
    X(TOO_LARGE, "too-large", 413, "The body is larger than allowed here.")                        \
    X(NOT_JSON, "not-json", 415, "The body must be application/json.")                             \
    X(CONDITION_REQUIRED, "condition-required", 428, "If-Match is required here.")                 \
    X(TOO_MANY_REQUESTS, "too-many-requests", 429, "This client asks too often.")                  \
    X(OVERLOADED, "overloaded", 503, "Too much of this is under way; it was not started.")         \
    X(CLOSING, "closing", 503, "The server is being stopped.")

typedef enum problem_kind {
#define PROBLEM_ENUM(symbol, name, status, title) PROBLEM_##symbol,
    PROBLEM_TABLE(PROBLEM_ENUM)
#undef PROBLEM_ENUM
} problem_kind;

/* `detail` may be NULL. */
void problem_answer(struct request *request, problem_kind kind, const char *detail);
/* As problem_answer(), with the JSON pointer of what is wrong. */
void problem_field(struct request *request, problem_kind kind, const char *pointer,
                   const char *detail);
/* What cellar said; `refusal` may be NULL. */
void problem_status(struct request *request, cellar_status status, const cellar_refusal *refusal);
/* The HTTP status for one of cellar's. */
int problem_http_status(cellar_status status);
/* "out-of-stock" for CELLAR_OUT_OF_STOCK. */
void problem_name(cellar_status status, char *out, size_t capacity);
/* Writes what there is to say about the type `name`; false when there is none. */
bool problem_describe(const char *name, struct text *out);

#endif
