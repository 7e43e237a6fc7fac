/* One request, from its headers to the last byte of its answer. */
#ifndef CELLARD_REQUEST_H
#define CELLARD_REQUEST_H

#include "arena.h"
#include "field.h"
#include "route.h"
#include "text.h"

#include <cellar.h>
#include <microhttpd.h>

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
    char name[CELLAR_CODE_BYTES_MAX + 1]; /* of a problem, coupon or code */
    uint64_t account;
    uint64_t campaign;
    cellar_id order;

    /* From headers and query. */
    route_role role;
    size_t client;       /* of the token, or of the address; for admission */
    cellar_id key;       /* Idempotency-Key */
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

/* 200, or 201 for a route that creates, with what the ticket says. */
void request_answer(struct request *request, int status, const struct shape *shape,
                    const void *value);
/* The status of a ticket: 201 when something was made for the first time. */
int request_made(const struct request *request, const cellar_ticket *ticket);
/* Notes that the answer tells of commit `lsn`: it goes out when that is on disk. */
void request_saw(struct request *request, uint64_t lsn);
/* Memory that lives until the handler has returned; answers 503 and returns NULL when there is
 * none. */
void *request_take(struct request *request, size_t count, size_t bytes);
/* The body's struct, read strictly; NULL when it is wrong and has been answered. */
void *request_body(struct request *request);

/* ---- For the server ---- */

/* Checks everything that can be told without the body. */
void request_begin(struct request *request, struct server *server,
                   struct MHD_Connection *connection, const char *method, const char *path,
                   const char *version);
void request_end(struct request *request);
/* Runs the handler. False: there was no space for its commit; it is to be run again soon. */
bool request_run(struct request *request);

#endif
