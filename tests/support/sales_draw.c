#include "support/sales_draw.h"

#include "support/random.h"

#include <string.h>

/* So many calls come once more, as from a client that has not heard the answer. */
#define REPEAT_OF 12
/* Of leases, about as long as the day's clock takes for ten calls. */
#define TTL_MS 300500
/* The high halves of ids: orders, holds, and the rest, by step. */
#define ID_ORDER 1
#define ID_HOLD 2
#define ID_OTHER 3

static const char *const skus[SALES_SKUS] = {"bread", "butter", "breakfast"};
static const char *const codes[SALES_CODES] = {"SPRING", "AUTUMN"};
static const char *const leases[SALES_LEASES] = {"till", "door"};

const char *sales_sku(uint32_t sku) {
    return skus[sku];
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

/* What the day begins with; after it everything is drawn. */
static const enum sales_deed opening[] = {
    SALES_PUT,     SALES_PUT,     SALES_PUT,          SALES_RECEIVE, SALES_RECEIVE,
    SALES_ACCOUNT, SALES_ACCOUNT, SALES_ACCOUNT,      SALES_CREDIT,  SALES_CREDIT,
    SALES_CREDIT,  SALES_CREDIT,  SALES_CAMPAIGN_PUT, SALES_CODE,    SALES_CODE,
};
#define OPENING (sizeof opening / sizeof *opening)

struct draw {
    struct random random;
    uint32_t call;
    uint32_t step; /* of a transaction */
};

static uint32_t below(struct draw *draw, uint32_t limit) {
    return (uint32_t)random_below(&draw->random, limit);
}

static enum sales_deed draw_deed(struct draw *draw) {
    static const uint8_t weights[SALES_DEEDS] = {
        [SALES_PUT] = 2,          [SALES_RECEIVE] = 4, [SALES_ACCOUNT] = 1, [SALES_CREDIT] = 4,
        [SALES_CAMPAIGN_PUT] = 3, [SALES_CODE] = 1,    [SALES_PLACE] = 16,  [SALES_PART] = 20,
        [SALES_WHOLE] = 10,       [SALES_CLAIM] = 12,  [SALES_REVOKE] = 4,  [SALES_REDEEM] = 8,
        [SALES_RESTORE] = 9,      [SALES_HOLD] = 8,    [SALES_POST] = 8,    [SALES_VOID] = 7,
        [SALES_ACQUIRE] = 5,      [SALES_RENEW] = 4,   [SALES_RELEASE] = 4, [SALES_TRANSACT] = 12,
    };
    uint32_t sum = 0;
    for (uint32_t i = 0; i < SALES_DEEDS; i++) {
        sum += weights[i];
    }
    uint32_t dice = below(draw, sum);
    if (draw->call < OPENING) {
        return opening[draw->call];
    }
    uint32_t deed = 0;
    while (dice >= weights[deed]) {
        dice -= weights[deed++];
    }
    return (enum sales_deed)deed;
}

/* ---- One operation ---- */

/* One of `count` documents: those of the hour, so that each has a life and most calls meet one. */
static uint32_t of_the_hour(struct draw *draw, uint32_t count) {
    return (draw->call * count / SALES_CALLS + below(draw, 4)) % count;
}

static cellar_id other_id(const struct draw *draw) {
    return (cellar_id){ID_OTHER + draw->step, draw->call + 1};
}

static size_t make_lines(struct draw *draw, struct sales_operation *made, int64_t quantity_max) {
    size_t count = 1 + below(draw, SALES_LINES);
    for (size_t i = 0; i < count; i++) {
        made->lines[i].sku = sales_sku(below(draw, quantity_max > 10 ? SALES_KIT : SALES_SKUS));
        made->lines[i].quantity = 1 + below(draw, (uint32_t)quantity_max);
        made->lines[i].unit_price = 50 + below(draw, 100);
    }
    return count;
}

static void make_receive(struct draw *draw, struct sales_operation *made) {
    made->operation.kind = CELLAR_OPERATION_STOCK_RECEIVE;
    made->operation.stock = &made->stock;
    made->stock = (cellar_stock_change){.lines = made->lines, .id = other_id(draw)};
    made->stock.line_count = make_lines(draw, made, 60);
}

static void make_account(struct draw *draw, struct sales_operation *made) {
    made->operation.kind = CELLAR_OPERATION_ACCOUNT_CREATE;
    made->operation.account = &made->account;
    made->account.id = 1 + draw->call % SALES_ACCOUNTS;
    made->account.collecting = made->account.id == SALES_COLLECTING;
}

static void make_place(struct draw *draw, struct sales_operation *made) {
    cellar_order_request *order = &made->order;
    made->operation.kind = CELLAR_OPERATION_ORDER_PLACE;
    made->operation.order = order;
    *order = (cellar_order_request){.id = sales_order(of_the_hour(draw, SALES_ORDERS)),
                                    .customer = 1 + of_the_hour(draw, SALES_CUSTOMERS),
                                    .lines = made->lines,
                                    .line_count = make_lines(draw, made, 6)};
    switch (below(draw, 4)) {
    case 0:
        order->coupon_campaign = SALES_CAMPAIGN;
        break;
    case 1:
        order->code = sales_code(below(draw, SALES_CODES));
        break;
    default:
        break;
    }
    if (below(draw, 3) == 0) {
        order->state = CELLAR_ORDER_PAID;
        order->account = 1;
    }
    order->payee = SALES_COLLECTING;
}

static void make_step(struct draw *draw, struct sales_operation *made, bool by_line) {
    cellar_order_change *step = &made->step;
    made->operation.kind = CELLAR_OPERATION_ORDER_STEP;
    made->operation.step = step;
    *step = (cellar_order_change){.order = sales_order(of_the_hour(draw, SALES_ORDERS)),
                                  .event = CELLAR_EVENT_PAY + below(draw, 4),
                                  .id = other_id(draw)};
    if (by_line) {
        made->part = (cellar_order_part){below(draw, SALES_LINES), 1 + below(draw, 2)};
        step->parts = &made->part;
        step->part_count = 1;
    }
    step->account = step->event == CELLAR_EVENT_PAY ? 1 : 0;
    step->damaged = step->event == CELLAR_EVENT_RETURN && below(draw, 2) == 0;
}

static void make_claim(struct draw *draw, struct sales_operation *made, bool revoke) {
    made->operation.kind = revoke ? CELLAR_OPERATION_COUPON_REVOKE : CELLAR_OPERATION_COUPON_CLAIM;
    made->operation.claim = &made->claim;
    made->claim = (cellar_claim){.campaign = SALES_CAMPAIGN,
                                 .customer = 1 + of_the_hour(draw, SALES_CUSTOMERS)};
}

static void make_redemption(struct draw *draw, struct sales_operation *made, bool restore) {
    made->operation.kind =
        restore ? CELLAR_OPERATION_COUPON_RESTORE : CELLAR_OPERATION_COUPON_REDEEM;
    made->operation.redemption = &made->redemption;
    made->redemption = (cellar_redemption){.id = other_id(draw), .lines = made->lines};
    made->redemption.campaign = SALES_CAMPAIGN;
    made->redemption.customer = 1 + of_the_hour(draw, SALES_CUSTOMERS);
    made->redemption.line_count = make_lines(draw, made, 6);
}

static void make_entry(struct draw *draw, struct sales_operation *made, enum sales_deed deed) {
    static const cellar_operation_kind kinds[SALES_DEEDS] = {
        [SALES_CREDIT] = CELLAR_OPERATION_ACCOUNT_CREDIT,
        [SALES_HOLD] = CELLAR_OPERATION_ACCOUNT_HOLD,
        [SALES_POST] = CELLAR_OPERATION_ACCOUNT_POST,
        [SALES_VOID] = CELLAR_OPERATION_ACCOUNT_VOID,
    };
    cellar_account_entry *entry = &made->entry;
    made->operation.kind = kinds[deed];
    made->operation.entry = entry;
    entry->id = deed == SALES_CREDIT ? other_id(draw) : sales_hold(of_the_hour(draw, SALES_HOLDS));
    /* One account pays nearly everything; the one that collects gives back what it got. */
    entry->account = deed == SALES_CREDIT && below(draw, 4) == 0 ? 3 : 1;
    entry->to = 2 + below(draw, 2);
    entry->amount = deed == SALES_CREDIT ? 2000 + below(draw, 3000) : 50 * (1 + below(draw, 6));
}

static void make_code(struct draw *draw, struct sales_operation *made) {
    made->operation.kind = CELLAR_OPERATION_CODE_ADD;
    made->operation.code = &made->code;
    made->code = (cellar_code_request){
        .campaign = SALES_CAMPAIGN, .code = sales_code(draw->call % SALES_CODES), .uses = 5};
}

static void make_lease(struct draw *draw, struct sales_operation *made, enum sales_deed deed) {
    made->operation.kind = deed == SALES_ACQUIRE ? CELLAR_OPERATION_LEASE_ACQUIRE
                           : deed == SALES_RENEW ? CELLAR_OPERATION_LEASE_RENEW
                                                 : CELLAR_OPERATION_LEASE_RELEASE;
    made->operation.lease = &made->lease;
    made->lease.name = sales_lease(below(draw, SALES_LEASES));
    made->lease.ttl_ms = TTL_MS + 1000 * (int64_t)below(draw, 300);
    if (deed == SALES_ACQUIRE) {
        made->lease.holder = 1 + below(draw, 2);
    } else {
        made->stale = below(draw, 5) == 0;
    }
}

static void make(struct draw *draw, enum sales_deed deed, struct sales_operation *made) {
    memset(made, 0, sizeof *made);
    switch (deed) {
    case SALES_RECEIVE:
        make_receive(draw, made);
        break;
    case SALES_ACCOUNT:
        make_account(draw, made);
        break;
    case SALES_PLACE:
        make_place(draw, made);
        break;
    case SALES_PART:
    case SALES_WHOLE:
        make_step(draw, made, deed == SALES_PART);
        break;
    case SALES_CLAIM:
    case SALES_REVOKE:
        make_claim(draw, made, deed == SALES_REVOKE);
        break;
    case SALES_REDEEM:
    case SALES_RESTORE:
        make_redemption(draw, made, deed == SALES_RESTORE);
        break;
    case SALES_CODE:
        make_code(draw, made);
        break;
    case SALES_ACQUIRE:
    case SALES_RENEW:
    case SALES_RELEASE:
        make_lease(draw, made, deed);
        break;
    default:
        make_entry(draw, made, deed);
        break;
    }
}

/* ---- Calls ---- */

static void draw_product(struct draw *draw, struct sales_request *request) {
    uint32_t sku = draw->call % SALES_SKUS;
    request->product = (cellar_product){.sku = sales_sku(sku), .unit_price = draw->call};
    if (sku == SALES_KIT) {
        request->components[0] = (cellar_component){.sku = sales_sku(0), .quantity = 2};
        request->components[1] =
            (cellar_component){.sku = sales_sku(1), .quantity = 1 + below(draw, 2)};
        request->product.components = request->components;
        request->product.component_count = SALES_SKUS - 1;
    }
}

static void draw_campaign(struct draw *draw, struct sales_request *request) {
    request->campaign = (cellar_campaign){
        .id = SALES_CAMPAIGN,
        .quota = 3 + draw->call / 50 + below(draw, 4),
        .waitlist_max = 3,
        .budget = 6000,
        .restore_on_cancel = true,
        .discount = {.kind = CELLAR_DISCOUNT_PERCENT, .value = 1000 + draw->call, .cap = 90}};
}

/* Steps of kinds that go together. */
static void draw_transaction(struct draw *draw, struct sales_request *request) {
    static const enum sales_deed deeds[][SALES_STEPS_MAX] = {
        {SALES_PLACE, SALES_CREDIT, SALES_CLAIM},    {SALES_HOLD, SALES_PART, SALES_ACQUIRE},
        {SALES_CREDIT, SALES_CLAIM, SALES_HOLD},     {SALES_RECEIVE, SALES_WHOLE, SALES_REVOKE},
        {SALES_REDEEM, SALES_REDEEM, SALES_RECEIVE},
    };
    uint32_t which = below(draw, sizeof deeds / sizeof *deeds);
    request->count = 2 + below(draw, SALES_STEPS_MAX - 1);
    for (uint32_t i = 0; i < request->count; i++) {
        draw->step = i;
        make(draw, deeds[which][i], &request->steps[i]);
    }
}

static struct draw draw_begin(uint64_t seed, uint32_t call) {
    return (struct draw){{seed + (call + 1) * UINT64_C(0x2545f4914f6cdd1d)}, call, 0};
}

uint32_t sales_origin(uint64_t seed, uint32_t call) {
    struct draw draw = draw_begin(~seed, call);
    while (call > OPENING && below(&draw, REPEAT_OF) == 0) {
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
    default:
        request->count = 1;
        make(&draw, request->deed, &request->steps[0]);
        break;
    }
}

cellar_status sales_call(const struct sales_request *request, cellar *store,
                         const cellar_call *options, cellar_ticket *ticket_out) {
    cellar_operation operations[SALES_STEPS_MAX];
    for (uint32_t i = 0; i < request->count; i++) {
        operations[i] = request->steps[i].operation;
    }
    switch (request->deed) {
    case SALES_PUT:
        return cellar_product_put(store, options, &request->product, CELLAR_VERSION_ANY, ticket_out,
                                  NULL);
    case SALES_CAMPAIGN_PUT:
        return cellar_campaign_put(store, options, &request->campaign, CELLAR_VERSION_ANY,
                                   ticket_out, NULL);
    case SALES_TRANSACT:
        return cellar_transact(store, options, (cellar_id){0, 0}, operations, request->count,
                               ticket_out, NULL);
    default:
        return cellar_bulk(store, options, operations, 1, NULL, ticket_out, NULL);
    }
}
