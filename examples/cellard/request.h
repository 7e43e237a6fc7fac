/* One request, from its headers to the last byte of its answer. */
#ifndef CELLARD_REQUEST_H
#define CELLARD_REQUEST_H

#include "arena.h"
#include "field.h"
#include "route.h"
#include "text.h"

#include <cellar.h>
#include <microhttpd.h>

struct made;
struct server;
struct peer;

typedef enum request_stage {
    REQUEST_RECEIVING = 0, /* headers were checked; the body comes in */
    REQUEST_FOLLOWING,     /* waits until the lists include the commit it named */
    REQUEST_RETRYING,      /* the log had no space prepared just then; is run again soon */
    REQUEST_SYNCING,       /* is answered when its commit is on disk */
    REQUEST_READY          /* the answer may go out */
} request_stage;

struct request {
    struct server *server;
    struct MHD_Connection *connection;
    struct peer *peer;
    const struct route *route; /* NULL: none was found */
    size_t route_number;
    request_stage stage;
    uint64_t started_ns;

    /* From the path. */
    char sku[CELLAR_SKU_BYTES_MAX + 1];
    char name[CELLAR_CODE_BYTES_MAX + 1]; /* of a lease, problem, coupon or code */
    uint64_t account;
    uint64_t campaign;
    cellar_id id; /* of an order, return or hold */

    /* From headers and query. */
    route_role role;
    size_t client;       /* of the token, or of the address; for admission */
    cellar_id key;       /* Idempotency-Key, or what stands in its place in the body */
    uint64_t expected;   /* of If-Match; CELLAR_VERSION_ABSENT for If-None-Match: * */
    bool must_exist;     /* If-Match: * */
    const char *cached;  /* If-None-Match of a GET */
    uint64_t follow_lsn; /* Cellar-Lsn: the answer is to include this commit */
    bool relaxed;
    cellar_call call;
    void *query; /* the struct of route->query; NULL when there is none */

    bool admitted; /* counted by admission */
    bool refused;  /* an answer is there before the body has been read; the body is thrown away */
    struct text body;
    uint64_t body_bytes; /* counted in the server's body budget */
    uint64_t discarded_bytes;

    /* Where the library puts what became of a change. */
    cellar_ticket ticket;
    cellar_refusal refusal;

    /* The answer. */
    int status;
    const char *type;
    struct text answer;
    const char *fixed; /* an answer that needs no copy, with fixed_bytes; else `answer` */
    size_t fixed_bytes;
    uint64_t lsn;      /* Cellar-Lsn; 0: the durable LSN */
    uint64_t sync_lsn; /* the answer waits until this is durable; 0: nothing to wait for */
    uint64_t etag;
    int retry_after_s;
    char allowed[64];
    bool close;
    bool completed;
    bool busy; /* the answer is CELLAR_BUSY */

    /* Of the handler; given back before the answer waits. */
    struct arena arena;
    json_t *json;

    struct request *next; /* in the waiter's stack */
};

/* ---- For handlers ---- */

void request_answer(struct request *request, int status, const struct shape *shape,
                    const void *value);
/* Answers a change, of which the library has told `status`, request->ticket and request->refusal:
 * a problem, or the route's shape, one of `struct made`. `figure` may be FIELD_ABSENT. */
void request_changed(struct request *request, cellar_status status, int64_t figure);
/* Answers a change that the library has refused with `status` and request->refusal, and counts it.
 */
void request_refused(struct request *request, cellar_status status);
/* What the answer to request->ticket says of it, and with which HTTP status. */
struct made request_made(const struct request *request, int64_t figure);
int request_made_status(const struct request *request);
/* What is left after the change (request->ticket.remaining), if that is told at all. */
int64_t request_remaining(const struct request *request);
/* Answers a read of one thing: a problem, or `value`, which is of `version`. */
void request_found(struct request *request, cellar_status status, uint64_t version,
                   const void *value);
/* Notes that the answer tells of commit `lsn`: it goes out when that is on disk. */
void request_saw(struct request *request, uint64_t lsn);
/* Memory that lives until the handler has returned; answers 503 and returns NULL when there is
 * none. */
void *request_take(struct request *request, size_t count, size_t bytes);
/* The body's struct, read strictly; NULL when it is wrong and has been answered. Of a route that is
 * keyed the id is in request->key and, if the body has the field, there, wherever it was given. */
void *request_body(struct request *request);

/* ---- For the server ---- */

/* What may stand in braces in the path of a route. */
typedef struct request_variable {
    const char *name; /* with the braces */
    field_kind kind;  /* FIELD_NUMBER (not 0), FIELD_UUID or FIELD_CHARS */
    size_t offset;    /* in struct request */
    size_t bytes;     /* of a FIELD_CHARS */
    const char *about;
} request_variable;

/* That of this path; NULL: there is none. */
const request_variable *request_variable_of(const char *path);

/* Checks everything that can be told without the body. */
void request_begin(struct request *request, struct server *server,
                   struct MHD_Connection *connection, const char *method, const char *path,
                   const char *version);
void request_end(struct request *request);
/* Runs the handler. False: there was no space for its commit; it is to be run again soon. */
bool request_run(struct request *request);

#endif
