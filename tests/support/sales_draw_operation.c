/* The operations of a day of sales. */
#include "support/sales_draw_parts.h"

#include <string.h>

/* Of leases, about as long as the day's clock takes for twenty calls. */
#define TTL_MS 600500
/* The buyer's, who pays nearly everything. */
#define BUYER 1

/* One of `count` documents: those of the hour, so that each has a life and most calls meet one that
 * is there. It is made while it is among the two that come next, ... */
static uint32_t one_to_make(struct draw *draw, uint32_t count) {
    return (draw->call * count / SALES_CALLS + 2 + draw_below(draw, 2)) % count;
}

/* ... then it is young, then old. */
static uint32_t one_of_age(const struct draw *draw, uint32_t count, bool old) {
    return (draw->call * count / SALES_CALLS + (old ? 0 : 1)) % count;
}

static uint32_t one_to_use(struct draw *draw, uint32_t count) {
    return one_of_age(draw, count, draw_below(draw, 2) == 0);
}

/* In two of three cases; of these a few are over already. */
static int64_t deadline_ns(struct draw *draw) {
    bool over = draw_below(draw, 16) == 0;
    uint32_t calls = over ? 0 : 1 + draw_below(draw, 90);
    return draw_below(draw, 3) == 0 ? 0 : draw_time_ns(draw, calls);
}

/* ---- Goods ---- */

/* `goods`: no kits, of which nothing lies anywhere. */
static size_t make_lines(struct draw *draw, struct sales_operation *made, bool goods,
                         uint32_t quantity_max) {
    size_t count = 1 + draw_below(draw, SALES_LINES);
    for (size_t i = 0; i < count; i++) {
        made->lines[i].sku = sales_sku(draw_below(draw, goods ? SALES_KIT : SALES_SKUS));
        made->lines[i].location = draw_below(draw, SALES_LOCATIONS);
        made->lines[i].quantity = 1 + draw_below(draw, quantity_max);
        made->lines[i].unit_price = 50 + draw_below(draw, 100);
    }
    return count;
}

static void make_stock(struct draw *draw, struct sales_operation *made, enum sales_deed deed) {
    static const struct {
        cellar_operation_kind kind;
        uint32_t quantity_max;
        bool either_sign;
    } rows[SALES_DEEDS] = {
        [SALES_RECEIVE] = {CELLAR_OPERATION_STOCK_RECEIVE, 20, false},
        [SALES_ADJUST] = {CELLAR_OPERATION_STOCK_ADJUST, 12, true},
        [SALES_SET_ASIDE] = {CELLAR_OPERATION_STOCK_SET_ASIDE, 4, true},
        [SALES_TAKE] = {CELLAR_OPERATION_STOCK_TAKE, 10, false},
    };
    made->operation.kind = rows[deed].kind;
    made->operation.stock = &made->stock;
    made->stock = (cellar_stock_change){.lines = made->lines, .id = draw_id(draw)};
    made->stock.line_count = make_lines(draw, made, true, rows[deed].quantity_max);
    bool negative = rows[deed].either_sign && draw_below(draw, 2) == 0;
    for (size_t i = 0; negative && i < made->stock.line_count; i++) {
        made->lines[i].quantity = -made->lines[i].quantity;
    }
}

static void make_level(struct draw *draw, struct sales_operation *made, enum sales_deed deed) {
    cellar_line *line = &made->lines[0];
    made->operation.kind = deed == SALES_MOVE    ? CELLAR_OPERATION_STOCK_MOVE
                           : deed == SALES_COUNT ? CELLAR_OPERATION_STOCK_COUNT
                                                 : CELLAR_OPERATION_STOCK_SET_SAFETY;
    made->operation.level = &made->level;
    made->level.line = line;
    line->sku = sales_sku(draw_below(draw, SALES_KIT));
    line->location = draw_below(draw, SALES_LOCATIONS);
    line->quantity = deed == SALES_SAFETY ? draw_below(draw, 6) : 1 + draw_below(draw, 15);
    if (deed == SALES_MOVE) {
        made->level.id = draw_id(draw);
        made->level.to_location =
            (line->location + 1 + draw_below(draw, SALES_LOCATIONS - 1)) % SALES_LOCATIONS;
    }
}

/* ---- Orders ---- */

/* In a third of the orders; the lines then name none. */
static void make_locations(struct draw *draw, struct sales_operation *made) {
    cellar_order_request *order = &made->order;
    uint32_t first = draw_below(draw, SALES_LOCATIONS);
    if (draw_below(draw, 3) != 0) {
        return;
    }
    order->locations = made->locations;
    order->location_count = 1 + draw_below(draw, SALES_LOCATIONS);
    order->split = draw_below(draw, 2) == 0;
    for (uint32_t i = 0; i < order->location_count; i++) {
        made->locations[i] = (first + i) % SALES_LOCATIONS;
    }
    for (size_t i = 0; i < order->line_count; i++) {
        made->lines[i].location = 0;
    }
}

static void make_place(struct draw *draw, struct sales_operation *made) {
    cellar_order_request *order = &made->order;
    made->operation.kind = CELLAR_OPERATION_ORDER_PLACE;
    made->operation.order = order;
    *order = (cellar_order_request){.id = sales_order(one_to_make(draw, SALES_ORDERS)),
                                    .customer = 1 + one_to_use(draw, SALES_CUSTOMERS),
                                    .lines = made->lines,
                                    .line_count = make_lines(draw, made, false, 6)};
    switch (draw_below(draw, 5)) {
    case 0:
        order->coupon_campaign = sales_campaign(draw_below(draw, SALES_CAMPAIGNS));
        break;
    case 1:
        order->code = sales_code(draw_below(draw, SALES_CODES));
        break;
    default:
        break;
    }
    make_locations(draw, made);
    if (draw_below(draw, 4) == 0) {
        order->state = CELLAR_ORDER_PAID;
        order->account = BUYER;
    } else {
        order->hold_until_ns = deadline_ns(draw);
    }
    order->payee = SALES_COLLECTING;
}

static void make_step(struct draw *draw, struct sales_operation *made, bool by_line) {
    static const cellar_order_event likely[2][5] = {
        {CELLAR_EVENT_PAY, CELLAR_EVENT_PAY, CELLAR_EVENT_PAY, CELLAR_EVENT_CANCEL,
         CELLAR_EVENT_FULFIL},
        {CELLAR_EVENT_PAY, CELLAR_EVENT_CANCEL, CELLAR_EVENT_FULFIL, CELLAR_EVENT_FULFIL,
         CELLAR_EVENT_RETURN},
    };
    cellar_order_change *step = &made->step;
    bool old = draw_below(draw, 2) == 0;
    made->operation.kind = CELLAR_OPERATION_ORDER_STEP;
    made->operation.step = step;
    *step = (cellar_order_change){.order = sales_order(one_of_age(draw, SALES_ORDERS, old)),
                                  .event = likely[old][draw_below(draw, 5)],
                                  .id = draw_id(draw)};
    if (by_line) {
        made->part = (cellar_order_part){draw_below(draw, SALES_LINES), 1 + draw_below(draw, 2)};
        step->parts = &made->part;
        step->part_count = 1;
    }
    step->account = step->event == CELLAR_EVENT_PAY ? BUYER : 0;
    step->damaged = step->event == CELLAR_EVENT_RETURN && draw_below(draw, 2) == 0;
}

static void make_extend(struct draw *draw, struct sales_operation *made) {
    make_step(draw, made, false);
    made->step = (cellar_order_change){.order = sales_order(one_of_age(draw, SALES_ORDERS, false)),
                                       .event = CELLAR_EVENT_EXTEND,
                                       .hold_until_ns = draw_time_ns(draw, draw_below(draw, 90))};
    if (draw_below(draw, 2) == 0) {
        made->step.id = draw_id(draw);
    }
}

/* ---- Coupons ---- */

/* Mostly the first. */
static uint32_t draw_ordinal(struct draw *draw, uint32_t campaign) {
    return campaign == SALES_TIMED ? draw_below(draw, 1 + draw_below(draw, SALES_COUPONS)) : 0;
}

static void make_claim(struct draw *draw, struct sales_operation *made, bool revoke) {
    uint32_t campaign = draw_below(draw, SALES_CAMPAIGNS);
    made->operation.kind = revoke ? CELLAR_OPERATION_COUPON_REVOKE : CELLAR_OPERATION_COUPON_CLAIM;
    made->operation.claim = &made->claim;
    made->claim = (cellar_claim){.campaign = sales_campaign(campaign),
                                 .customer = 1 + (revoke ? one_to_use(draw, SALES_CUSTOMERS)
                                                         : one_to_make(draw, SALES_CUSTOMERS))};
    if (revoke) {
        made->claim.ordinal = draw_ordinal(draw, campaign);
    } else if (draw_below(draw, 2) == 0) {
        made->claim.id = draw_id(draw);
    }
}

static void make_redemption(struct draw *draw, struct sales_operation *made, bool restore) {
    uint32_t campaign = draw_below(draw, SALES_CAMPAIGNS);
    made->operation.kind =
        restore ? CELLAR_OPERATION_COUPON_RESTORE : CELLAR_OPERATION_COUPON_REDEEM;
    made->operation.redemption = &made->redemption;
    made->redemption = (cellar_redemption){.id = draw_id(draw), .lines = made->lines};
    made->redemption.campaign = sales_campaign(campaign);
    made->redemption.customer = 1 + one_to_use(draw, SALES_CUSTOMERS);
    bool any = !restore && draw_below(draw, 2) == 0;
    made->redemption.ordinal = any ? CELLAR_ANY_ORDINAL : draw_ordinal(draw, campaign);
    made->redemption.line_count = make_lines(draw, made, false, 6);
}

static void make_code(struct draw *draw, struct sales_operation *made) {
    uint32_t code = draw->call % SALES_CODES;
    made->operation.kind = CELLAR_OPERATION_CODE_ADD;
    made->operation.code = &made->code;
    made->code = (cellar_code_request){
        .campaign = sales_campaign(code), .code = sales_code(code), .uses = 5};
}

/* ---- Money, leases ---- */

static void make_account(struct draw *draw, struct sales_operation *made) {
    made->operation.kind = CELLAR_OPERATION_ACCOUNT_CREATE;
    made->operation.account = &made->account;
    made->account.id = 1 + draw->call % SALES_ACCOUNTS;
    made->account.collecting = made->account.id == SALES_COLLECTING;
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
    entry->id = deed == SALES_CREDIT ? draw_id(draw)
                : deed == SALES_HOLD ? sales_hold(one_to_make(draw, SALES_HOLDS))
                                     : sales_hold(one_to_use(draw, SALES_HOLDS));
    /* The account that collects gives back what it got. */
    entry->account = deed == SALES_CREDIT && draw_below(draw, 4) == 0 ? 3 : BUYER;
    entry->to = 2 + draw_below(draw, 2);
    entry->amount =
        deed == SALES_CREDIT ? 1000 + draw_below(draw, 2000) : 50 * (1 + draw_below(draw, 10));
    if (deed == SALES_HOLD) {
        entry->deadline_ns = deadline_ns(draw);
    }
}

static void make_lease(struct draw *draw, struct sales_operation *made, enum sales_deed deed) {
    made->operation.kind = deed == SALES_ACQUIRE ? CELLAR_OPERATION_LEASE_ACQUIRE
                           : deed == SALES_RENEW ? CELLAR_OPERATION_LEASE_RENEW
                                                 : CELLAR_OPERATION_LEASE_RELEASE;
    made->operation.lease = &made->lease;
    made->lease.name = sales_lease(draw_below(draw, SALES_LEASES));
    made->lease.ttl_ms = TTL_MS + 1000 * (int64_t)draw_below(draw, 300);
    if (deed == SALES_ACQUIRE) {
        made->lease.holder = 1 + draw_below(draw, 2);
    } else {
        made->stale = draw_below(draw, 5) == 0;
    }
}

void draw_operation(struct draw *draw, enum sales_deed deed, struct sales_operation *made) {
    memset(made, 0, sizeof *made);
    switch (deed) {
    case SALES_RECEIVE:
    case SALES_ADJUST:
    case SALES_SET_ASIDE:
    case SALES_TAKE:
        make_stock(draw, made, deed);
        break;
    case SALES_MOVE:
    case SALES_COUNT:
    case SALES_SAFETY:
        make_level(draw, made, deed);
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
    case SALES_EXTEND:
        make_extend(draw, made);
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
