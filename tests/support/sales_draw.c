#include "support/sales_draw_parts.h"

#include "base/clock.h"

#include <string.h>

/* So many calls come once more, as from a client that has not heard the answer. */
#define REPEAT_OF 12
/* The high halves of ids: orders, holds, and the rest, by step. */
#define ID_ORDER 1
#define ID_HOLD 2
#define ID_OTHER 3

/* The clock before the first call, and what it goes on with each. Not whole seconds, as times to
 * live are: a lease never runs out in the millisecond of a call. Deadlines do. */
#define MORNING_MS INT64_C(1700000000000)
#define CALL_MS 30207
/* Periods: not multiples of one another, nor of the clock's steps. */
#define PERIOD_MS INT64_C(1200000)
#define CUSTOMER_PERIOD_MS INT64_C(900000)
#define OFFSET_MS INT64_C(420000)
#define CAMPAIGN 7

static const char *const skus[SALES_SKUS] = {"bread", "butter", "breakfast"};
static const char *const codes[SALES_CODES] = {"SPRING", "AUTUMN"};
static const char *const leases[SALES_LEASES] = {"till", "door"};

const char *sales_sku(uint32_t sku) {
    return skus[sku];
}

uint64_t sales_campaign(uint32_t campaign) {
    return CAMPAIGN + campaign;
}

const char *sales_code(uint32_t code) {
    return codes[code];
}

const char *sales_lease(uint32_t lease) {
    return leases[lease];
}

static uint32_t number_of(const char *const *names, uint32_t count, const char *name) {
    uint32_t number = 0;
    while (number + 1 < count && strcmp(names[number], name) != 0) {
        number++;
    }
    return number;
}

uint32_t sales_sku_number(const char *sku) {
    return number_of(skus, SALES_SKUS, sku);
}

uint32_t sales_campaign_number(uint64_t id) {
    return (uint32_t)id - CAMPAIGN;
}

uint32_t sales_code_number(const char *code) {
    return number_of(codes, SALES_CODES, code);
}

uint32_t sales_lease_number(const char *lease) {
    return number_of(leases, SALES_LEASES, lease);
}

cellar_id sales_order(uint32_t number) {
    return (cellar_id){ID_ORDER, number + 1};
}

cellar_id sales_hold(uint32_t number) {
    return (cellar_id){ID_HOLD, number + 1};
}

uint32_t sales_document_number(cellar_id id) {
    return (uint32_t)id.low - 1;
}

uint32_t sales_other_number(cellar_id id) {
    return (uint32_t)(id.high - ID_OTHER) * SALES_CALLS + (uint32_t)id.low - 1;
}

int64_t sales_time_ms(uint32_t call) {
    return MORNING_MS + (int64_t)(call + 1) * CALL_MS;
}

cellar_id draw_id(const struct draw *draw) {
    return (cellar_id){ID_OTHER + draw->step, draw->call + 1};
}

int64_t draw_time_ns(struct draw *draw, uint32_t calls_later) {
    static const int64_t around_ns[] = {-1, 0, 1, NANOSECONDS_PER_MILLISECOND};
    return sales_time_ms(draw->call + calls_later) * NANOSECONDS_PER_MILLISECOND +
           around_ns[draw_below(draw, sizeof around_ns / sizeof *around_ns)];
}

/* What the day begins with; after it everything is drawn. */
static const enum sales_deed opening[] = {
    SALES_PUT,     SALES_PUT,     SALES_PUT,     SALES_RECEIVE,      SALES_RECEIVE,
    SALES_RECEIVE, SALES_RECEIVE, SALES_ACCOUNT, SALES_ACCOUNT,      SALES_ACCOUNT,
    SALES_CREDIT,  SALES_CREDIT,  SALES_CREDIT,  SALES_CAMPAIGN_PUT, SALES_CAMPAIGN_PUT,
    SALES_CODE,    SALES_CODE,
};
#define OPENING (sizeof opening / sizeof *opening)

static enum sales_deed draw_deed(struct draw *draw) {
    static const uint8_t weights[SALES_DEEDS] = {
        [SALES_PUT] = 2,          [SALES_RECEIVE] = 8, [SALES_ADJUST] = 3,    [SALES_SET_ASIDE] = 4,
        [SALES_TAKE] = 4,         [SALES_MOVE] = 5,    [SALES_COUNT] = 3,     [SALES_SAFETY] = 4,
        [SALES_ACCOUNT] = 1,      [SALES_CREDIT] = 3,  [SALES_CODE] = 1,      [SALES_PLACE] = 22,
        [SALES_CAMPAIGN_PUT] = 5, [SALES_PART] = 22,   [SALES_WHOLE] = 14,    [SALES_EXTEND] = 9,
        [SALES_CLAIM] = 18,       [SALES_REVOKE] = 4,  [SALES_REDEEM] = 9,    [SALES_RESTORE] = 9,
        [SALES_HOLD] = 10,        [SALES_POST] = 10,   [SALES_VOID] = 7,      [SALES_ACQUIRE] = 6,
        [SALES_RENEW] = 6,        [SALES_RELEASE] = 4, [SALES_TRANSACT] = 14, [SALES_SWEEP] = 4,
    };
    uint32_t sum = 0;
    for (uint32_t i = 0; i < SALES_DEEDS; i++) {
        sum += weights[i];
    }
    uint32_t dice = draw_below(draw, sum);
    if (draw->call < OPENING) {
        return opening[draw->call];
    }
    uint32_t deed = 0;
    while (dice >= weights[deed]) {
        dice -= weights[deed++];
    }
    return (enum sales_deed)deed;
}

/* ---- Calls ---- */

static void draw_product(struct draw *draw, struct sales_request *request) {
    uint32_t sku = draw->call % SALES_SKUS;
    request->product = (cellar_product){.sku = sales_sku(sku), .unit_price = draw->call};
    if (sku == SALES_KIT) {
        request->components[0] = (cellar_component){.sku = sales_sku(0), .quantity = 2};
        request->components[1] =
            (cellar_component){.sku = sales_sku(1), .quantity = 1 + draw_below(draw, 2)};
        request->product.components = request->components;
        request->product.component_count = SALES_SKUS - 1;
    }
}

static int64_t campaign_time_ns(struct draw *draw, uint32_t calls_min, uint32_t calls_max) {
    uint32_t calls = calls_min + draw_below(draw, calls_max - calls_min);
    return draw_below(draw, 3) == 0 ? 0 : draw_time_ns(draw, calls);
}

/* With times, and with other periods now and then. */
static void draw_timed_campaign(struct draw *draw, cellar_campaign *campaign) {
    campaign->quota = 20 + draw->call / 20 + draw_below(draw, 4);
    campaign->customer_limit = SALES_COUPONS;
    campaign->discount = (cellar_discount){.kind = CELLAR_DISCOUNT_AMOUNT, .value = 40};
    campaign->restore_on_cancel = draw_below(draw, 4) != 0;
    campaign->valid_from_ns = draw_below(draw, 2) == 0 ? 0 : campaign_time_ns(draw, 0, 12);
    campaign->valid_until_ns = campaign_time_ns(draw, 20, 100);
    campaign->redeem_until_ns = campaign_time_ns(draw, 30, 120);
    if (draw_below(draw, 5) != 0) {
        campaign->period_ns = PERIOD_MS * NANOSECONDS_PER_MILLISECOND;
        campaign->period_count = 1 + draw_below(draw, 4);
    }
    if (campaign->period_ns != 0 && draw_below(draw, 5) == 0) {
        campaign->period_offset_ns = OFFSET_MS * NANOSECONDS_PER_MILLISECOND;
    }
    if (draw_below(draw, 5) != 0) {
        campaign->customer_period_ns = CUSTOMER_PERIOD_MS * NANOSECONDS_PER_MILLISECOND;
        campaign->customer_period_count = 1 + draw_below(draw, SALES_COUPONS - 1);
    }
    if (campaign->customer_period_ns != 0 && draw_below(draw, 5) == 0) {
        campaign->customer_period_offset_ns = -OFFSET_MS * NANOSECONDS_PER_MILLISECOND;
    }
}

static void draw_campaign(struct draw *draw, struct sales_request *request) {
    uint32_t campaign = draw->call % SALES_CAMPAIGNS;
    request->campaign = (cellar_campaign){
        .id = sales_campaign(campaign),
        .quota = 3 + draw->call / 50 + draw_below(draw, 4),
        .waitlist_max = 3,
        .budget = 6000,
        .restore_on_cancel = true,
        .discount = {.kind = CELLAR_DISCOUNT_PERCENT, .value = 1000 + draw->call, .cap = 90}};
    if (campaign == SALES_TIMED) {
        request->campaign.waitlist_max = request->campaign.budget = 0;
        draw_timed_campaign(draw, &request->campaign);
    }
}

/* Steps of kinds that go together. */
static void draw_transaction(struct draw *draw, struct sales_request *request) {
    static const enum sales_deed deeds[][SALES_STEPS_MAX] = {
        {SALES_PLACE, SALES_CREDIT, SALES_CLAIM},    {SALES_HOLD, SALES_PART, SALES_ACQUIRE},
        {SALES_CREDIT, SALES_CLAIM, SALES_HOLD},     {SALES_RECEIVE, SALES_WHOLE, SALES_REVOKE},
        {SALES_REDEEM, SALES_REDEEM, SALES_RECEIVE}, {SALES_MOVE, SALES_PLACE, SALES_TAKE},
        {SALES_EXTEND, SALES_HOLD, SALES_ADJUST},    {SALES_SAFETY, SALES_COUNT, SALES_PLACE},
    };
    uint32_t which = draw_below(draw, sizeof deeds / sizeof *deeds);
    request->count = 2 + draw_below(draw, SALES_STEPS_MAX - 1);
    for (uint32_t i = 0; i < request->count; i++) {
        draw->step = i;
        draw_operation(draw, deeds[which][i], &request->steps[i]);
    }
}

static struct draw draw_begin(uint64_t seed, uint32_t call) {
    return (struct draw){{seed + (call + 1) * UINT64_C(0x2545f4914f6cdd1d)}, call, 0};
}

uint32_t sales_origin(uint64_t seed, uint32_t call) {
    struct draw draw = draw_begin(~seed, call);
    while (call > OPENING && draw_below(&draw, REPEAT_OF) == 0) {
        draw = draw_begin(~seed, --call);
    }
    return call;
}

void sales_draw(uint64_t seed, uint32_t call, struct sales_request *request) {
    struct draw draw = draw_begin(seed, sales_origin(seed, call));
    memset(request, 0, sizeof *request);
    request->deed = draw_deed(&draw);
    switch (request->deed) {
    case SALES_PUT:
        draw_product(&draw, request);
        break;
    case SALES_CAMPAIGN_PUT:
        draw_campaign(&draw, request);
        break;
    case SALES_TRANSACT:
        draw_transaction(&draw, request);
        break;
    case SALES_SWEEP:
        break;
    default:
        request->count = 1;
        draw_operation(&draw, request->deed, &request->steps[0]);
        break;
    }
}

cellar_status sales_call(const struct sales_request *request, cellar *store,
                         const cellar_call *options, cellar_ticket *ticket_out,
                         cellar_refusal *refusal_out) {
    cellar_operation operations[SALES_STEPS_MAX];
    for (uint32_t i = 0; i < request->count; i++) {
        operations[i] = request->steps[i].operation;
    }
    switch (request->deed) {
    case SALES_PUT:
        return cellar_product_put(store, options, &request->product, CELLAR_VERSION_ANY, ticket_out,
                                  refusal_out);
    case SALES_CAMPAIGN_PUT:
        return cellar_campaign_put(store, options, &request->campaign, CELLAR_VERSION_ANY,
                                   ticket_out, refusal_out);
    case SALES_TRANSACT:
        return cellar_transact(store, options, (cellar_id){0, 0}, operations, request->count,
                               ticket_out, refusal_out);
    default:
        return cellar_bulk(store, options, operations, 1, NULL, ticket_out, refusal_out);
    }
}
