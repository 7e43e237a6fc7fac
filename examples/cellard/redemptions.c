/* /v1/redemptions and codes: using coupons outside of an order. */
#include "bulk.h"
#include "coupon_shapes.h"
#include "problem.h"
#include "shapes.h"
#include "server.h"

/* ---- Redeeming, and undoing it ---- */

typedef struct redemption_body {
    const char *coupon;
    uint64_t campaign;
    uint64_t customer;
    const char *code;
    const cellar_line *lines;
    size_t line_count;
    int64_t discount;
} redemption_body;

static const char *redemption_check(const void *value) {
    const redemption_body *body = value;
    int given = (body->coupon != NULL) + (body->campaign != 0) + (body->code != NULL);
    if (given != 1) {
        return "exactly one of coupon, campaign and code is required";
    }
    return body->campaign != 0 && body->customer == 0 ? "a campaign needs the customer" : NULL;
}

static const char *restore_check(const void *value) {
    const redemption_body *body = value;
    return (body->coupon != NULL) == (body->code != NULL)
               ? "exactly one of coupon and code is required"
               : NULL;
}

#define BODY(member) offsetof(redemption_body, member)
#define WHAT_FIELDS                                                                                \
    {.name = "coupon",                                                                             \
     .kind = FIELD_TEXT,                                                                           \
     .offset = BODY(coupon),                                                                       \
     .min = 1,                                                                                     \
     .max = COUPON_NAME_BYTES,                                                                     \
     .about = "its id"},                                                                           \
        CODE_FIELD(redemption_body, code, 0)
static const struct field redeem_fields[] = {
    WHAT_FIELDS,
    {.name = "campaign",
     .kind = FIELD_NUMBER,
     .offset = BODY(campaign),
     .about = "the customer's first coupon of it that can be redeemed"},
    {.name = "customer", .kind = FIELD_NUMBER, .offset = BODY(customer)},
    {.name = "lines",
     .kind = FIELD_LIST,
     .offset = BODY(lines),
     .max = CELLAR_LINES_MAX,
     .shape = &shape_line,
     .count_offset = BODY(line_count),
     .about = "what is bought"},
};
static const struct shape shape_redeem =
    SHAPE_CHECKED("Redeem", redemption_body, redeem_fields, redemption_check);

static const struct field restore_fields[] = {
    WHAT_FIELDS,
    {.name = "discount",
     .kind = FIELD_INTEGER,
     .offset = BODY(discount),
     .max = CELLAR_AMOUNT_MAX,
     .about = "of a code: what was given"},
};
static const struct shape shape_restore =
    SHAPE_CHECKED("Restore", redemption_body, restore_fields, restore_check);

typedef struct share {
    int64_t discount;
} share;

static const struct field share_fields[] = {
    {.name = "discount", .kind = FIELD_INTEGER, .offset = offsetof(share, discount)}};
static const struct shape shape_share = SHAPE("LineDiscount", share, share_fields);

typedef struct redeemed {
    struct made made;
    int64_t discount;
    const share *shares;
    size_t share_count;
} redeemed;

static const struct field redeemed_fields[] = {
    {.name = "lsn", .kind = FIELD_NUMBER, .offset = offsetof(redeemed, made.lsn)},
    {.name = "time",
     .kind = FIELD_TIME,
     .flags = FIELD_OPTIONAL,
     .offset = offsetof(redeemed, made.time_ns)},
    {.name = "repeated", .kind = FIELD_BOOLEAN, .offset = offsetof(redeemed, made.repeated)},
    {.name = "discount",
     .kind = FIELD_INTEGER,
     .offset = offsetof(redeemed, discount),
     .about = "of all lines together; undone: given back"},
    {.name = "lines",
     .kind = FIELD_LIST,
     .flags = FIELD_OPTIONAL,
     .offset = offsetof(redeemed, shares),
     .shape = &shape_share,
     .count_offset = offsetof(redeemed, share_count),
     .about = "the share of each; not told when it is repeated"},
};
static const struct shape shape_redeemed = SHAPE("Redeemed", redeemed, redeemed_fields);

/* What the body means. False: answered. */
static bool redemption_read(struct request *request, const redemption_body *body,
                            cellar_redemption *redemption_out) {
    cellar_coupon coupon;
    *redemption_out = (cellar_redemption){.id = request->key,
                                          .campaign = body->campaign,
                                          .customer = body->customer,
                                          .ordinal = body->campaign != 0 ? CELLAR_ANY_ORDINAL : 0,
                                          .code = body->code,
                                          .lines = body->lines,
                                          .line_count = body->line_count};
    if (body->coupon == NULL) {
        return true;
    }
    if (!coupon_name_read(body->coupon, &coupon)) {
        problem_field(request, PROBLEM_BAD_FIELD, "/coupon", "is no coupon's id");
        return false;
    }
    redemption_out->campaign = coupon.campaign;
    redemption_out->customer = coupon.customer;
    redemption_out->ordinal = coupon.ordinal;
    return true;
}

static void redemption_answer(struct request *request, cellar_status status,
                              const int64_t *discounts, size_t count) {
    if (status != CELLAR_OK) {
        request_refused(request, status);
        return;
    }
    _Static_assert(sizeof(share) == sizeof(int64_t), "the library's array is one of shares");
    const cellar_ticket *ticket = &request->ticket;
    const redeemed answer = {.made = request_made(request, FIELD_ABSENT),
                             .discount = ticket->remaining,
                             .shares = ticket->repeated ? NULL : (const share *)discounts,
                             .share_count = count};
    request_saw(request, ticket->lsn);
    request_answer(request, request_made_status(request), &shape_redeemed, &answer);
}

static void redemption_make(struct request *request) {
    cellar_redemption redemption;
    const redemption_body *body = request_body(request);
    int64_t *discounts =
        body == NULL ? NULL : request_take(request, body->line_count + 1, sizeof *discounts);
    if (discounts == NULL || !redemption_read(request, body, &redemption)) {
        return;
    }
    cellar_status status = cellar_coupon_redeem(request->server->store, &request->call, &redemption,
                                                discounts, &request->ticket, &request->refusal);
    if (status == CELLAR_OK && !request->ticket.repeated) {
        metrics_add(&request->server->metrics, METRICS_COUPONS_REDEEMED, 1);
    }
    redemption_answer(request, status, discounts, body->line_count);
}

static void redemption_restore(struct request *request) {
    cellar_redemption redemption;
    const redemption_body *body = request_body(request);
    if (body == NULL || !redemption_read(request, body, &redemption)) {
        return;
    }
    cellar_status status =
        cellar_coupon_restore(request->server->store, &request->call, &redemption, body->discount,
                              &request->ticket, &request->refusal);
    redemption_answer(request, status, NULL, 0);
}

/* ---- Codes ---- */

typedef struct code_body {
    const char *code;
    int64_t uses;
} code_body;

static const struct field code_fields[] = {
    CODE_FIELD(code_body, code, FIELD_REQUIRED),
    {.name = "uses",
     .kind = FIELD_INTEGER,
     .flags = FIELD_REQUIRED,
     .offset = offsetof(code_body, uses),
     .min = 1,
     .max = CELLAR_QUOTA_MAX,
     .about = "1: for one purchase; more: shared"},
};
static const struct shape shape_code_put = SHAPE("CodePut", code_body, code_fields);

typedef struct codes_body {
    const code_body *codes;
    size_t count;
} codes_body;

static const struct field codes_fields[] = {{.name = "codes",
                                             .kind = FIELD_LIST,
                                             .flags = FIELD_REQUIRED,
                                             .offset = offsetof(codes_body, codes),
                                             .min = 1,
                                             .max = BULK_MAX,
                                             .shape = &shape_code_put,
                                             .count_offset = offsetof(codes_body, count)}};
static const struct shape shape_codes = SHAPE("CodesPut", codes_body, codes_fields);

static void codes_add(struct request *request) {
    const codes_body *body = request_body(request);
    bulk_told told;
    if (body == NULL || !bulk_take(request, body->count, &told)) {
        return;
    }
    for (size_t i = 0; i < body->count; i++) {
        told.statuses[i] = cellar_code_add(
            request->server->store, &request->call, request->campaign, body->codes[i].code,
            body->codes[i].uses, &told.tickets[i], &told.refusals[i]);
    }
    bulk_tell(request, &told, body->count);
}

static const struct field code_view_fields[] = {
    {.name = "campaign", .kind = FIELD_NUMBER, .offset = offsetof(cellar_code, campaign)},
    {.name = "uses", .kind = FIELD_INTEGER, .offset = offsetof(cellar_code, uses)},
    {.name = "left", .kind = FIELD_INTEGER, .offset = offsetof(cellar_code, left)},
    {.name = "version", .kind = FIELD_NUMBER, .offset = offsetof(cellar_code, version)},
};
static const struct shape shape_code = SHAPE("Code", cellar_code, code_view_fields);

static void code_get(struct request *request) {
    cellar_code code = {.version = 0};
    cellar_status status = cellar_code_get(request->server->store, request->name, &code);
    request_found(request, status, code.version, &code);
}

static const struct route routes[] = {
    {.name = "redemptions.make",
     .method = "POST",
     .path = "/v1/redemptions",
     .role = ROLE_SELL,
     .flags = ROUTE_WRITES | ROUTE_KEYED | ROUTE_CREATES,
     .body = &shape_redeem,
     .answer = &shape_redeemed,
     .handle = redemption_make,
     .summary = "Redeems a coupon or a code outside of an order"},
    {.name = "redemptions.restore",
     .method = "POST",
     .path = "/v1/redemptions/restore",
     .role = ROLE_SELL,
     .flags = ROUTE_WRITES | ROUTE_KEYED,
     .body = &shape_restore,
     .answer = &shape_redeemed,
     .handle = redemption_restore,
     .summary = "Undoes that, where the campaign's rules allow it"},
    {.name = "codes.add",
     .method = "POST",
     .path = "/v1/campaigns/{campaign}/codes",
     .role = ROLE_ADMIN,
     .flags = ROUTE_WRITES | ROUTE_LARGE,
     .body = &shape_codes,
     .answer = &shape_bulk_answer,
     .handle = codes_add,
     .summary = "Adds up to 1,000 codes; the same again is harmless"},
    {.name = "codes.get",
     .method = "GET",
     .path = "/v1/codes/{code}",
     .role = ROLE_READ,
     .flags = ROUTE_TAGGED,
     .answer = &shape_code,
     .handle = code_get,
     .summary = "How often a code can still be used"},
};

const route_area area_redemptions = {"coupons", routes, sizeof routes / sizeof routes[0]};
