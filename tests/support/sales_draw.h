/* The calls of a day of sales (support/sales.h), each drawn from the seed and its number alone. */
#ifndef CELLAR_TESTS_SUPPORT_SALES_DRAW_H
#define CELLAR_TESTS_SUPPORT_SALES_DRAW_H

#include "cellar.h"

#include <stdbool.h>
#include <stdint.h>

#define SALES_CALLS 400
#define SALES_SKUS 3 /* the last is a kit of the others */
#define SALES_ACCOUNTS 3
#define SALES_COLLECTING 2
#define SALES_HOLDS 16
#define SALES_LEASES 2
#define SALES_CAMPAIGN 7
#define SALES_CODES 2
#define SALES_CUSTOMERS 16
#define SALES_ORDERS 20
#define SALES_LINES 2

enum sales_deed {
    SALES_PUT,
    SALES_RECEIVE,
    SALES_ACCOUNT,
    SALES_CREDIT,
    SALES_CAMPAIGN_PUT,
    SALES_CODE,
    SALES_PLACE,
    SALES_PART, /* a step by line */
    SALES_WHOLE,
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
    SALES_DEEDS
};

const char *sales_sku(uint32_t sku);
const char *sales_code(uint32_t code);
const char *sales_lease(uint32_t lease);
cellar_id sales_order(uint32_t number);
cellar_id sales_hold(uint32_t number);

/* Which kind of call number `call` is. */
enum sales_deed sales_deed(uint64_t seed, uint32_t call);
/* Makes it. What it says depends on the store in one thing only, the token of a lease. */
cellar_status sales_call(uint64_t seed, uint32_t call, cellar *store, const cellar_call *options,
                         cellar_ticket *ticket_out);

#endif
