/* /v1/campaigns: what coupons are given out for, how many, and what they are worth. */
#include "coupon_shapes.h"
#include "problem.h"
#include "shapes.h"
#include "server.h"

#include <string.h>

static const char *const statuses[] = {"open", "paused", "closed", FIELD_CHOICES_END};
static const char *const discount_kinds[] = {"none", "amount", "percent", FIELD_CHOICES_END};

/* ---- What a discount is good for ---- */

typedef struct discount_target {
    const char *sku;
    const char *category;
    uint64_t product;
} discount_target;

static const char *target_check(const void *value) {
    const discount_target *target = value;
    int given = (target->sku != NULL) + (target->category != NULL) + (target->product != 0);
    return given != 1 ? "exactly one of sku, product and category is required" : NULL;
}

#define TARGET(member) offsetof(discount_target, member)
#define TARGET_FIELDS                                                                              \
    {.name = "product",                                                                            \
     .kind = FIELD_NUMBER,                                                                         \
     .flags = FIELD_OPTIONAL,                                                                      \
     .offset = TARGET(product),                                                                    \
     .about = "the product's numeric id"},                                                         \
    {                                                                                              \
        .name = "category", .kind = FIELD_TEXT, .flags = FIELD_OPTIONAL,                           \
        .offset = TARGET(category), .min = 1, .max = CELLAR_CATEGORY_BYTES_MAX                     \
    }
static const struct field target_in_fields[] = {SKU_FIELD(discount_target, sku, 0), TARGET_FIELDS};
static const struct shape shape_target_in =
    SHAPE_CHECKED("DiscountTargetPut", discount_target, target_in_fields, target_check);
static const struct field target_fields[] = {TARGET_FIELDS};
static const struct shape shape_target = SHAPE("DiscountTarget", discount_target, target_fields);

/* ---- The rules, in both directions ---- */

typedef struct campaign_view {
    cellar_campaign campaign;
    const char *name;
    const discount_target *targets;
    size_t target_count;
    int64_t period_s;
    int64_t period_offset_s;
    int64_t customer_period_s;
    int64_t customer_period_offset_s;
    int64_t left; /* going out */
} campaign_view;

#define CAMPAIGN(member) offsetof(campaign_view, campaign.member)
#define AMOUNT(label, place, most, text)                                                           \
    {                                                                                              \
        .name = (label), .kind = FIELD_INTEGER, .offset = (place), .min = 0, .max = (most),        \
        .about = (text)                                                                            \
    }
#define WHEN(label, place, text)                                                                   \
    {                                                                                              \
        .name = (label), .kind = FIELD_TIME, .flags = FIELD_OPTIONAL, .offset = (place),           \
        .about = (text)                                                                            \
    }
#define PERIOD_FIELDS(prefix, what, seconds, offset_seconds, count, most)                          \
    AMOUNT(prefix "period_seconds", offsetof(campaign_view, seconds), INT64_C(31622400),           \
           "with " prefix "period_count " what " in each such period at most; 0: no cap"),         \
        {.name = prefix "period_offset_seconds",                                                   \
         .kind = FIELD_INTEGER,                                                                    \
         .offset = offsetof(campaign_view, offset_seconds),                                        \
         .min = -86400,                                                                            \
         .max = 86400,                                                                             \
         .about = "of the time zone whose days or hours are counted"},                             \
        AMOUNT(prefix "period_count", CAMPAIGN(count), (most), NULL)
#define RULE_FIELDS(target_shape, required)                                                        \
    {.name = "name",                                                                               \
     .kind = FIELD_TEXT,                                                                           \
     .offset = offsetof(campaign_view, name),                                                      \
     .max = CELLAR_NAME_BYTES_MAX},                                                                \
        {.name = "quota",                                                                          \
         .kind = FIELD_INTEGER,                                                                    \
         .flags = (required),                                                                      \
         .offset = CAMPAIGN(quota),                                                                \
         .max = CELLAR_QUOTA_MAX,                                                                  \
         .about = "places"},                                                                       \
        {.name = "customer_limit",                                                                 \
         .kind = FIELD_COUNT,                                                                      \
         .offset = CAMPAIGN(customer_limit),                                                       \
         .max = CELLAR_COUPONS_OF_CUSTOMER_MAX,                                                    \
         .about = "coupons one customer may claim; 0 is 1"},                                       \
        {.name = "status",                                                                         \
         .kind = FIELD_CHOICE,                                                                     \
         .offset = CAMPAIGN(status),                                                               \
         .choices = statuses,                                                                      \
         .about = "paused: no claims, no codes; closed: nothing is redeemed either"},              \
        WHEN("valid_from", CAMPAIGN(valid_from_ns), "claims are accepted from then on"),           \
        WHEN("valid_until", CAMPAIGN(valid_until_ns), "no claim from then on"),                    \
        WHEN("redeem_until", CAMPAIGN(redeem_until_ns), "nothing is redeemed from then on"),       \
        AMOUNT("waitlist", CAMPAIGN(waitlist_max), CELLAR_QUOTA_MAX,                               \
               "claims beyond the places that may wait"),                                          \
        PERIOD_FIELDS("", "claims", period_s, period_offset_s, period_count,                       \
                      INT64_C(10000000000)),                                                       \
        PERIOD_FIELDS("customer_", "claims of one customer", customer_period_s,                    \
                      customer_period_offset_s, customer_period_count,                             \
                      CELLAR_COUPONS_OF_CUSTOMER_MAX - 1),                                         \
        AMOUNT("budget", CAMPAIGN(budget), CELLAR_AMOUNT_MAX,                                      \
               "all discounts together at most; 0: no limit"),                                     \
        {.name = "discount",                                                                       \
         .kind = FIELD_CHOICE,                                                                     \
         .offset = CAMPAIGN(discount.kind),                                                        \
         .choices = discount_kinds},                                                               \
        AMOUNT("discount_value", CAMPAIGN(discount.value), CELLAR_AMOUNT_MAX,                      \
               "minor units, or hundredths of a percent, up to 10000"),                            \
        AMOUNT("discount_cap", CAMPAIGN(discount.cap), CELLAR_AMOUNT_MAX, "0: no cap"),            \
        AMOUNT("discount_minimum", CAMPAIGN(discount.minimum), CELLAR_AMOUNT_MAX,                  \
               "what the lines it is good for must come to"),                                      \
        {.name = "discount_targets",                                                               \
         .kind = FIELD_LIST,                                                                       \
         .flags = FIELD_OPTIONAL,                                                                  \
         .offset = offsetof(campaign_view, targets),                                               \
         .max = 2 * CELLAR_RESTRICTIONS_MAX,                                                       \
         .shape = (target_shape),                                                                  \
         .count_offset = offsetof(campaign_view, target_count),                                    \
         .about = "products and categories it is good for; none: everything"},                     \
    {                                                                                              \
        .name = "restore_on_cancel", .kind = FIELD_BOOLEAN, .offset = CAMPAIGN(restore_on_cancel), \
        .about = "a cancelled order gives coupon and budget back"                                  \
    }
#define NUMBER(member, text)                                                                       \
    { .name = #member, .kind = FIELD_INTEGER, .offset = CAMPAIGN(member), .about = (text) }

static const struct field put_fields[] = {RULE_FIELDS(&shape_target_in, FIELD_REQUIRED)};
static const struct shape shape_put = SHAPE("CampaignPut", campaign_view, put_fields);

static const struct field campaign_fields[] = {
    {.name = "id", .kind = FIELD_NUMBER, .offset = CAMPAIGN(id)},
    {.name = "version", .kind = FIELD_NUMBER, .offset = CAMPAIGN(version)},
    {.name = "created", .kind = FIELD_TIME, .offset = CAMPAIGN(created_ns)},
    {.name = "updated", .kind = FIELD_TIME, .offset = CAMPAIGN(updated_ns)},
    NUMBER(claimed, "so far, also what was given back"),
    NUMBER(admitted, "claims numbered up to it are granted"),
    NUMBER(waiting, "on the waiting list"),
    {.name = "left",
     .kind = FIELD_INTEGER,
     .offset = offsetof(campaign_view, left),
     .about = "places that nobody has"},
    NUMBER(spent, "sum of the discounts"),
    NUMBER(period_claimed, "in the period of the latest claim"),
    RULE_FIELDS(&shape_target, 0),
};
static const struct shape shape_campaign = SHAPE("Campaign", campaign_view, campaign_fields);

int64_t coupon_places_left(int64_t admitted, int64_t claimed) {
    return admitted > claimed ? admitted - claimed : 0;
}

static void campaign_get(struct request *request) {
    discount_target targets[2 * CELLAR_RESTRICTIONS_MAX];
    campaign_view view = {.targets = targets};
    cellar_campaign *campaign = &view.campaign;
    cellar_status status = cellar_campaign_get(request->server->store, request->campaign, campaign);
    if (status != CELLAR_OK) {
        problem_status(request, status, NULL);
        return;
    }
    const cellar_discount *discount = &campaign->discount;
    for (uint32_t i = 0; i < discount->product_count; i++) {
        targets[view.target_count++] = (discount_target){.product = discount->products[i]};
    }
    for (uint32_t i = 0; i < discount->category_count; i++) {
        targets[view.target_count++] = (discount_target){.category = campaign->category_buffers[i]};
    }
    view.name = campaign->name_buffer;
    view.period_s = campaign->period_ns / SECOND_NS;
    view.period_offset_s = campaign->period_offset_ns / SECOND_NS;
    view.customer_period_s = campaign->customer_period_ns / SECOND_NS;
    view.customer_period_offset_s = campaign->customer_period_offset_ns / SECOND_NS;
    view.left = coupon_places_left(campaign->admitted, campaign->claimed);
    request->etag = campaign->version;
    request_saw(request, campaign->version);
    request_answer(request, 200, &shape_campaign, &view);
}

/* Writes the targets into the discount. False: answered. */
static bool campaign_aim(struct request *request, const campaign_view *view,
                         cellar_discount *discount) {
    for (size_t i = 0; i < view->target_count; i++) {
        const discount_target *target = &view->targets[i];
        uint32_t *count =
            target->category != NULL ? &discount->category_count : &discount->product_count;
        cellar_product found = {.id = target->product};
        if (*count == CELLAR_RESTRICTIONS_MAX) {
            problem_field(request, PROBLEM_BAD_FIELD, "/discount_targets",
                          "at most 16 products and 16 categories");
            return false;
        }
        if (target->category != NULL) {
            discount->categories[(*count)++] = target->category;
            continue;
        }
        cellar_status status = target->sku == NULL ? CELLAR_OK
                                                   : cellar_product_get(request->server->store,
                                                                        target->sku, 0, &found);
        if (status != CELLAR_OK) {
            const cellar_refusal refusal = {.status = status, .line = (uint32_t)i};
            problem_status(request, status, &refusal);
            return false;
        }
        discount->products[(*count)++] = found.id;
    }
    return true;
}

static void campaign_put(struct request *request) {
    cellar *store = request->server->store;
    campaign_view *view = request_body(request);
    if (view == NULL) {
        return;
    }
    cellar_campaign *campaign = &view->campaign;
    if (!campaign_aim(request, view, &campaign->discount)) {
        return;
    }
    campaign->id = request->campaign;
    campaign->name = view->name;
    campaign->period_ns = view->period_s * SECOND_NS;
    campaign->period_offset_ns = view->period_offset_s * SECOND_NS;
    campaign->customer_period_ns = view->customer_period_s * SECOND_NS;
    campaign->customer_period_offset_ns = view->customer_period_offset_s * SECOND_NS;
    /* Campaigns are never removed, so what exists now will exist then. */
    cellar_campaign existing;
    if (request->must_exist &&
        cellar_campaign_get(store, request->campaign, &existing) == CELLAR_NOT_FOUND) {
        problem_answer(request, PROBLEM_CHANGED, "there is no such campaign");
        return;
    }
    cellar_status status = cellar_campaign_put(store, &request->call, campaign, request->expected,
                                               &request->ticket, &request->refusal);
    if (status == CELLAR_ALREADY_EXISTS) {
        problem_answer(request, PROBLEM_CHANGED, "the campaign exists already");
        return;
    }
    request_changed(request, status, FIELD_ABSENT);
}

/* ---- Lists ---- */

typedef struct campaign_list_query {
    uint64_t before;
    uint32_t limit;
} campaign_list_query;

static const struct field list_query_fields[] = {
    {.name = "before",
     .kind = FIELD_NUMBER,
     .offset = offsetof(campaign_list_query, before),
     .about = "created before the campaign with this id: `next` of the page before"},
    LIMIT_FIELD(campaign_list_query, limit),
};
static const struct shape shape_list_query =
    SHAPE("CampaignListQuery", campaign_list_query, list_query_fields);

typedef struct campaign_item {
    cellar_campaign_summary summary;
    int64_t left;
} campaign_item;

#define ITEM(member) offsetof(campaign_item, summary.member)
static const struct field item_fields[] = {
    {.name = "id", .kind = FIELD_NUMBER, .offset = ITEM(id)},
    {.name = "version", .kind = FIELD_NUMBER, .offset = ITEM(version)},
    {.name = "created", .kind = FIELD_TIME, .offset = ITEM(created_ns)},
    {.name = "status", .kind = FIELD_CHOICE, .offset = ITEM(status), .choices = statuses},
    {.name = "quota", .kind = FIELD_INTEGER, .offset = ITEM(quota)},
    {.name = "claimed", .kind = FIELD_INTEGER, .offset = ITEM(claimed)},
    {.name = "admitted", .kind = FIELD_INTEGER, .offset = ITEM(admitted)},
    {.name = "left", .kind = FIELD_INTEGER, .offset = offsetof(campaign_item, left)},
    {.name = "name", .kind = FIELD_CHARS, .offset = ITEM(name)},
};
static const struct shape shape_item = SHAPE("CampaignSummary", campaign_item, item_fields);

static const struct field page_fields[] = {PAGE_FIELDS(&shape_item)};
static const struct shape shape_page = SHAPE("CampaignPage", struct page, page_fields);

static void campaign_list(struct request *request) {
    const campaign_list_query *query = request->query;
    size_t capacity = query->limit != 0 ? query->limit : PAGE_USUAL;
    cellar_campaign_summary *found = request_take(request, capacity, sizeof *found);
    campaign_item *items = found == NULL ? NULL : request_take(request, capacity, sizeof *items);
    if (items == NULL) {
        return;
    }
    struct page page = {.items = items};
    cellar_status status =
        cellar_campaign_list(request->server->store, query->before, found, capacity, &page.count);
    uint64_t version = 0;
    for (size_t i = 0; status == CELLAR_OK && i < page.count; i++) {
        items[i] =
            (campaign_item){found[i], coupon_places_left(found[i].admitted, found[i].claimed)};
        version = found[i].version > version ? found[i].version : version;
    }
    page.next = page.count == capacity ? found[page.count - 1].id : 0;
    request_found(request, status, version, &page);
}

static const struct route routes[] = {
    {.name = "campaigns.list",
     .method = "GET",
     .path = "/v1/campaigns",
     .role = ROLE_READ,
     .flags = ROUTE_FOLLOWS,
     .query = &shape_list_query,
     .answer = &shape_page,
     .handle = campaign_list,
     .summary = "Campaigns, newest first"},
    /* Not ROUTE_TAGGED: the tag names the rules, and the numbers change without them. */
    {.name = "campaigns.get",
     .method = "GET",
     .path = "/v1/campaigns/{campaign}",
     .role = ROLE_READ,
     .answer = &shape_campaign,
     .handle = campaign_get,
     .summary = "A campaign's rules and numbers; its ETag is the version of the rules"},
    {.name = "campaigns.put",
     .method = "PUT",
     .path = "/v1/campaigns/{campaign}",
     .role = ROLE_ADMIN,
     .flags = ROUTE_WRITES | ROUTE_CONDITIONAL | ROUTE_MAY_CREATE | ROUTE_TAGGED,
     .body = &shape_put,
     .answer = &shape_made,
     .handle = campaign_put,
     .summary = "Creates a campaign, or replaces all its rules"},
};

const route_area area_campaigns = {"coupons", routes, sizeof routes / sizeof routes[0]};
