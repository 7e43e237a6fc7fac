/* The calls of a day of sales (support/sales.h), each drawn from the seed and its number alone. */
#ifndef CELLAR_TESTS_SUPPORT_SALES_DRAW_H
#define CELLAR_TESTS_SUPPORT_SALES_DRAW_H

#include "cellar.h"

#include <stdbool.h>
#include <stdint.h>

#define SALES_CALLS 400
#define SALES_SKUS 3 /* the last is a kit of the others */
#define SALES_KIT (SALES_SKUS - 1)
#define SALES_LOCATIONS 3
#define SALES_STOCKS (SALES_SKUS * SALES_LOCATIONS)
#define SALES_ACCOUNTS 3
#define SALES_COLLECTING 2
#define SALES_HOLDS 10
#define SALES_LEASES 2
#define SALES_CAMPAIGNS 2 /* the second has times and periods */
#define SALES_TIMED (SALES_CAMPAIGNS - 1)
#define SALES_COUPONS 3 /* of a customer, of the campaign with periods; of the other 1 */
#define SALES_CODES 2   /* each of the campaign of its number */
#define SALES_CUSTOMERS 12
#define SALES_ORDERS 14
#define SALES_LINES 2
#define SALES_STEPS_MAX 3 /* of a transaction */

enum sales_deed {
    SALES_PUT,
    SALES_RECEIVE,
    SALES_ADJUST,
    SALES_SET_ASIDE,
    SALES_TAKE,
    SALES_MOVE,
    SALES_COUNT,
    SALES_SAFETY,
    SALES_ACCOUNT,
    SALES_CREDIT,
    SALES_CAMPAIGN_PUT,
    SALES_CODE,
    SALES_PLACE,
    SALES_PART, /* a step by line */
    SALES_WHOLE,
    SALES_EXTEND,
    SALES_CLAIM,
    SALES_REVOKE,
    SALES_REDEEM,
    SALES_RESTORE,
    SALES_HOLD,
    SALES_POST,
    SALES_VOID,
    SALES_ACQUIRE,
    SALES_RENEW,
    SALES_RELEASE,
    SALES_TRANSACT,
    SALES_SWEEP, /* no call: the store gets the time to give back all that is due */
    SALES_DEEDS
};

/* An operation and all that it points to. */
struct sales_operation {
    cellar_operation operation;
    cellar_line lines[SALES_LINES];
    uint32_t locations[SALES_LOCATIONS];
    cellar_order_part part;
    cellar_order_request order;
    cellar_order_change step;
    cellar_stock_change stock;
    cellar_stock_level level;
    cellar_account_request account;
    cellar_account_entry entry;
    cellar_claim claim;
    cellar_redemption redemption;
    cellar_code_request code;
    cellar_lease_request lease; /* its token is the caller's to fill in */
    bool stale;                 /* ... with one that is not the lease's */
};

/* A call. It points into itself. */
struct sales_request {
    enum sales_deed deed;
    uint32_t count; /* of operations; 0: PUT, CAMPAIGN_PUT, SWEEP */
    struct sales_operation steps[SALES_STEPS_MAX];
    cellar_product product;
    cellar_component components[SALES_SKUS - 1];
    cellar_campaign campaign;
};

const char *sales_sku(uint32_t sku);
uint64_t sales_campaign(uint32_t campaign);
const char *sales_code(uint32_t code);
const char *sales_lease(uint32_t lease);
cellar_id sales_order(uint32_t number);
cellar_id sales_hold(uint32_t number);
/* The reverse. */
uint32_t sales_sku_number(const char *sku);
uint32_t sales_campaign_number(uint64_t id);
uint32_t sales_code_number(const char *code);
uint32_t sales_lease_number(const char *lease);
uint32_t sales_document_number(cellar_id id); /* of an order or hold */
uint32_t sales_other_number(cellar_id id);    /* of all other ids, below SALES_OTHERS */
#define SALES_OTHERS (SALES_STEPS_MAX * SALES_CALLS)

/* What the store's clock shows at a call: whole milliseconds. */
int64_t sales_time_ms(uint32_t call);

/* Call number `call` says the same as this one, itself or one before it. */
uint32_t sales_origin(uint64_t seed, uint32_t call);
void sales_draw(uint64_t seed, uint32_t call, struct sales_request *request);
cellar_status sales_call(const struct sales_request *request, cellar *store,
                         const cellar_call *options, cellar_ticket *ticket_out,
                         cellar_refusal *refusal_out);

#endif
