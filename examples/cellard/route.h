/* The table of routes. One file per area of the interface holds its part; what is not in the table
 * is neither served nor described. */
#ifndef CELLARD_ROUTE_H
#define CELLARD_ROUTE_H

#include "field.h"

#include <microhttpd.h>

struct request;

typedef enum route_role {
    ROLE_NONE = 0, /* open to all: probes, the page, the description */
    ROLE_READ = 1,
    ROLE_SELL = 2,
    ROLE_ADMIN = 3
} route_role;

enum {
    ROUTE_WRITES = 1,      /* takes ?durability= and a note of who did it */
    ROUTE_KEYED = 2,       /* takes Idempotency-Key, or the same as `id` in the body */
    ROUTE_KEY_IS_ID = 4,   /* ... one of them must be there */
    ROUTE_CONDITIONAL = 8, /* If-Match is required */
    ROUTE_MAY_CREATE = 16, /* If-None-Match: * does as well */
    ROUTE_CREATES = 32,    /* answers 201 the first time */
    ROUTE_FOLLOWS = 64,    /* what it reads follows the log: Cellar-Lsn waits for it */
    ROUTE_TAGGED = 128,    /* answers with an ETag */
    ROUTE_LARGE = 256,     /* takes bodies up to the larger of the two limits */
    ROUTE_STEPS = 512,     /* of several operations: a refusal says which one it is about */
    ROUTE_PROBE = 1024     /* answers with 503 as with 200 when all is not well */
};

struct route {
    const char *name; /* in metrics, limits and as operationId */
    const char *method;
    const char *path; /* a name in braces, of those in request.c, stands for one segment */
    route_role role;
    unsigned flags;
    int variant;   /* what tells apart the routes of one handler */
    int64_t limit; /* requests under way, unless the operator says otherwise; 0: as all others */
    const struct shape *query;
    const struct shape *body;
    const struct shape *answer; /* NULL: not JSON, see `type` */
    const char *type;           /* of the answer when it has no shape */
    void (*handle)(struct request *request);
    const char *summary;
};

enum {
    ROUTES_MAX = 96
};

/* Fills the table from the areas. */
void route_prepare(void);
size_t route_count(void);
const struct route *route_at(size_t number);
/* SIZE_MAX when there is none. */
size_t route_find_name(const char *name);

/* What of a path stood for the segment in braces. */
typedef struct route_variable {
    const char *start;
    size_t bytes;
} route_variable;

typedef struct route_match {
    size_t number; /* SIZE_MAX: no route; then `allowed` lists the methods of this path, if any */
    route_variable variable;
    char allowed[64];
} route_match;

void route_find(const char *method, const char *path, route_match *match_out);

/* The areas. */
typedef struct route_area {
    const char *title;
    const struct route *routes;
    size_t count;
} route_area;

extern const route_area area_products, area_stock, area_accounts, area_orders, area_order_reads,
    area_holds, area_transactions, area_leases, area_campaigns, area_coupons, area_redemptions,
    area_whole, area_live, area_service;

/* Not part of the shop: the page, probes, numbers. */
bool route_is_service(size_t number);
/* The area of a route, for the description. */
const char *route_area_title(size_t number);

#endif
