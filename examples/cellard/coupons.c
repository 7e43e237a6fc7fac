/* /v1/campaigns/{campaign}/claims and /v1/coupons: who has which coupon. */
#include "coupon_shapes.h"
#include "operation.h"
#include "parse.h"
#include "problem.h"
#include "shapes.h"
#include "server.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char *const states[] = {NULL,       "granted", "waiting",
                                     "redeemed", "revoked", FIELD_CHOICES_END};

/* ---- Names ---- */

void coupon_name_write(const cellar_coupon *coupon, char out[COUPON_NAME_BYTES]) {
    (void)snprintf(out, COUPON_NAME_BYTES, "%" PRIu64 ".%" PRIu64 ".%" PRIu32, coupon->campaign,
                   coupon->customer, coupon->ordinal);
}

bool coupon_name_read(const char *text, cellar_coupon *coupon_out) {
    char copy[COUPON_NAME_BYTES];
    uint64_t ordinal = 0;
    size_t bytes = strlen(text);
    if (bytes >= sizeof copy) {
        return false;
    }
    memcpy(copy, text, bytes + 1);
    char *customer = strchr(copy, '.');
    char *last = customer == NULL ? NULL : strchr(customer + 1, '.');
    if (last == NULL) {
        return false;
    }
    *customer++ = '\0';
    *last++ = '\0';
    *coupon_out = (cellar_coupon){.campaign = 0};
    bool good = parse_unsigned(copy, &coupon_out->campaign) && coupon_out->campaign != 0 &&
                parse_unsigned(customer, &coupon_out->customer) && coupon_out->customer != 0 &&
                parse_unsigned(last, &ordinal) && ordinal < CELLAR_COUPONS_OF_CUSTOMER_MAX;
    coupon_out->ordinal = (uint32_t)ordinal;
    return good;
}

/* That of the path. False: answered. */
static bool coupon_of_path(struct request *request, cellar_coupon *coupon_out) {
    bool good = coupon_name_read(request->name, coupon_out);
    if (!good) {
        problem_answer(request, PROBLEM_BAD_REQUEST,
                       "a coupon's name is CAMPAIGN.CUSTOMER.ORDINAL");
    }
    return good;
}

/* ---- A coupon, and a claim, coming out ---- */

typedef struct coupon_view {
    cellar_coupon coupon;
    char name[COUPON_NAME_BYTES];
    struct made made; /* of a claim */
} coupon_view;

#define COUPON(member) offsetof(coupon_view, coupon.member)
#define COUPON_FIELDS                                                                              \
    {.name = "id", .kind = FIELD_CHARS, .offset = offsetof(coupon_view, name)},                    \
        {.name = "campaign", .kind = FIELD_NUMBER, .offset = COUPON(campaign)},                    \
        {.name = "customer", .kind = FIELD_NUMBER, .offset = COUPON(customer)},                    \
        {.name = "ordinal",                                                                        \
         .kind = FIELD_COUNT,                                                                      \
         .offset = COUPON(ordinal),                                                                \
         .about = "which of the customer's coupons of this campaign, from 0 on"},                  \
        {.name = "state", .kind = FIELD_CHOICE, .offset = COUPON(state), .choices = states},       \
        {.name = "rank",                                                                           \
         .kind = FIELD_NUMBER,                                                                     \
         .offset = COUPON(rank),                                                                   \
         .about = "the number of the claim in its campaign, from 1 on"},                           \
        {.name = "ahead",                                                                          \
         .kind = FIELD_INTEGER,                                                                    \
         .offset = COUPON(ahead),                                                                  \
         .about = "how many wait before it; follows the log"},                                     \
        {.name = "discount",                                                                       \
         .kind = FIELD_INTEGER,                                                                    \
         .offset = COUPON(discount),                                                               \
         .about = "what it came to when it was redeemed; follows the log"},                        \
    {                                                                                              \
        .name = "version", .kind = FIELD_NUMBER, .offset = COUPON(version)                         \
    }
static const struct field coupon_fields[] = {COUPON_FIELDS};
static const struct shape shape_coupon = SHAPE("Coupon", coupon_view, coupon_fields);

static const struct field claimed_fields[] = {
    COUPON_FIELDS,
    {.name = "lsn", .kind = FIELD_NUMBER, .offset = offsetof(coupon_view, made.lsn)},
    {.name = "time",
     .kind = FIELD_TIME,
     .flags = FIELD_OPTIONAL,
     .offset = offsetof(coupon_view, made.time_ns)},
    {.name = "repeated",
     .kind = FIELD_BOOLEAN,
     .offset = offsetof(coupon_view, made.repeated),
     .about = "the customer had it already"},
};
static const struct shape shape_claimed = SHAPE("Claimed", coupon_view, claimed_fields);

/* ---- Claiming ---- */

typedef struct claim_body {
    uint64_t customer;
} claim_body;

static const struct field claim_fields[] = {{.name = "customer",
                                             .kind = FIELD_NUMBER,
                                             .flags = FIELD_REQUIRED,
                                             .offset = offsetof(claim_body, customer)}};
static const struct shape shape_claim = SHAPE("Claim", claim_body, claim_fields);

/* Finds the coupon of the customer that has this number; which of his it is the ticket does not
 * tell. */
static cellar_status claim_find(cellar *store, uint64_t campaign, uint64_t customer, uint64_t rank,
                                cellar_coupon *coupon_out) {
    cellar_status status = CELLAR_OK;
    for (uint32_t i = 0; i < CELLAR_COUPONS_OF_CUSTOMER_MAX && status == CELLAR_OK; i++) {
        status = cellar_coupon_get(store, campaign, customer, i, coupon_out);
        if (status == CELLAR_OK && coupon_out->rank == rank) {
            return CELLAR_OK;
        }
    }
    return status == CELLAR_OK ? CELLAR_NOT_FOUND : status;
}

static void claim_refuse(struct request *request, cellar_status status) {
    request_refused(request, status);
    metrics_add(&request->server->metrics, METRICS_COUPONS_REFUSED, 1);
}

static void coupon_claim(struct request *request) {
    cellar *store = request->server->store;
    const claim_body *body = request_body(request);
    if (body == NULL) {
        return;
    }
    cellar_status status =
        cellar_coupon_claim(store, &request->call, request->key, request->campaign, body->customer,
                            &request->ticket, &request->refusal);
    /* Without a key it is the customer's limit that makes a claim idempotent. */
    bool had = status == CELLAR_ALREADY_CLAIMED || status == CELLAR_CUSTOMER_PERIOD_CAP;
    bool again = had && (request->key.high | request->key.low) == 0;
    if (status != CELLAR_OK && !again) {
        claim_refuse(request, status);
        return;
    }
    coupon_view view = {.made = request_made(request, FIELD_ABSENT)};
    uint64_t rank = again ? request->refusal.rank : request->ticket.rank;
    status = claim_find(store, request->campaign, body->customer, rank, &view.coupon);
    if (status != CELLAR_OK) {
        problem_status(request, status, NULL);
        return;
    }
    if (again) {
        view.made = (struct made){.lsn = view.coupon.version, .repeated = true};
    } else if (!request->ticket.repeated) {
        operation_note_claim(request, request->ticket.waiting);
    }
    coupon_name_write(&view.coupon, view.name);
    request->etag = view.coupon.version;
    request_saw(request, view.made.lsn);
    request_saw(request, view.coupon.version);
    request_answer(request, view.made.repeated ? 200 : 201, &shape_claimed, &view);
}

static void coupon_get(struct request *request) {
    coupon_view view;
    cellar_coupon wanted;
    if (!coupon_of_path(request, &wanted)) {
        return;
    }
    cellar_status status = cellar_coupon_get(request->server->store, wanted.campaign,
                                             wanted.customer, wanted.ordinal, &view.coupon);
    if (status != CELLAR_OK) {
        problem_status(request, status, NULL);
        return;
    }
    coupon_name_write(&view.coupon, view.name);
    request->etag = view.coupon.version;
    request_saw(request, view.coupon.version);
    request_answer(request, 200, &shape_coupon, &view);
}

static void coupon_revoke(struct request *request) {
    cellar_coupon wanted;
    if (!coupon_of_path(request, &wanted) || request_body(request) == NULL) {
        return;
    }
    cellar_status status =
        cellar_coupon_revoke(request->server->store, &request->call, wanted.campaign,
                             wanted.customer, wanted.ordinal, &request->ticket, &request->refusal);
    request_changed(request, status, FIELD_ABSENT);
}

/* ---- Lists ---- */

typedef struct coupon_list_query {
    uint64_t campaign;
    uint64_t customer;
    const char *before;
    uint32_t limit;
} coupon_list_query;

#define QUERY(member) offsetof(coupon_list_query, member)
static const struct field list_query_fields[] = {
    {.name = "campaign",
     .kind = FIELD_NUMBER,
     .offset = QUERY(campaign),
     .about = "all claims of this campaign, its waiting list too"},
    {.name = "customer",
     .kind = FIELD_NUMBER,
     .offset = QUERY(customer),
     .about = "all claims of this customer"},
    {.name = "before",
     .kind = FIELD_TEXT,
     .offset = QUERY(before),
     .min = 1,
     .max = COUPON_NAME_BYTES,
     .about = "claimed before the coupon with this id: `next` of the page before"},
    LIMIT_FIELD(coupon_list_query, limit),
};
static const struct shape shape_list_query =
    SHAPE("CouponListQuery", coupon_list_query, list_query_fields);

typedef struct coupon_page {
    const coupon_view *items;
    size_t count;
    char next[COUPON_NAME_BYTES];
} coupon_page;

static const struct field page_fields[] = {
    {.name = "items",
     .kind = FIELD_LIST,
     .offset = offsetof(coupon_page, items),
     .shape = &shape_coupon,
     .count_offset = offsetof(coupon_page, count)},
    {.name = "next",
     .kind = FIELD_CHARS,
     .flags = FIELD_OPTIONAL,
     .offset = offsetof(coupon_page, next)},
};
static const struct shape shape_page = SHAPE("CouponPage", coupon_page, page_fields);

static bool list_wanted(struct request *request, cellar_coupon_query *wanted_out) {
    const coupon_list_query *query = request->query;
    *wanted_out = (cellar_coupon_query){.campaign = query->campaign, .customer = query->customer};
    if ((query->campaign != 0) == (query->customer != 0)) {
        problem_field(request, PROBLEM_BAD_FIELD, "/campaign",
                      "exactly one of campaign and customer is required");
        return false;
    }
    if (query->before != NULL && !coupon_name_read(query->before, &wanted_out->before)) {
        problem_field(request, PROBLEM_BAD_FIELD, "/before", "is no coupon's id");
        return false;
    }
    return true;
}

static void coupon_list(struct request *request) {
    const coupon_list_query *query = request->query;
    size_t capacity = query->limit != 0 ? query->limit : PAGE_USUAL;
    cellar_coupon_query wanted;
    if (!list_wanted(request, &wanted)) {
        return;
    }
    cellar_coupon *coupons = request_take(request, capacity, sizeof *coupons);
    coupon_view *views = coupons == NULL ? NULL : request_take(request, capacity, sizeof *views);
    if (views == NULL) {
        return;
    }
    coupon_page page = {.items = views};
    cellar_status status =
        cellar_coupon_list(request->server->store, &wanted, coupons, capacity, &page.count);
    uint64_t version = 0;
    for (size_t i = 0; status == CELLAR_OK && i < page.count; i++) {
        views[i].coupon = coupons[i];
        coupon_name_write(&coupons[i], views[i].name);
        version = coupons[i].version > version ? coupons[i].version : version;
    }
    if (status == CELLAR_OK && page.count == capacity) {
        coupon_name_write(&coupons[capacity - 1], page.next);
    }
    request_found(request, status, version, &page);
}

static const struct route routes[] = {
    {.name = "coupons.claim",
     .method = "POST",
     .path = "/v1/campaigns/{campaign}/claims",
     .role = ROLE_SELL,
     .flags = ROUTE_WRITES | ROUTE_KEYED | ROUTE_CREATES | ROUTE_TAGGED,
     .body = &shape_claim,
     .answer = &shape_claimed,
     .handle = coupon_claim,
     .summary = "A customer claims a coupon: granted, on the waiting list, or refused"},
    {.name = "coupons.list",
     .method = "GET",
     .path = "/v1/coupons",
     .role = ROLE_READ,
     .flags = ROUTE_FOLLOWS,
     .query = &shape_list_query,
     .answer = &shape_page,
     .handle = coupon_list,
     .summary = "Coupons of a campaign, or of a customer, latest claim first"},
    {.name = "coupons.get",
     .method = "GET",
     .path = "/v1/coupons/{coupon}",
     .role = ROLE_READ,
     .answer = &shape_coupon,
     .handle = coupon_get,
     .summary = "One coupon"},
    {.name = "coupons.revoke",
     .method = "POST",
     .path = "/v1/coupons/{coupon}/revoke",
     .role = ROLE_SELL,
     .flags = ROUTE_WRITES | ROUTE_TAGGED,
     .body = &shape_nothing,
     .answer = &shape_made,
     .handle = coupon_revoke,
     .summary = "Gives a coupon back, or takes it away; its place is the next one's"},
};

const route_area area_coupons = {"coupons", routes, sizeof routes / sizeof routes[0]};
