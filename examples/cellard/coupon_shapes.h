/* What campaigns.c, coupons.c, redemptions.c and the live page share. */
#ifndef CELLARD_COUPON_SHAPES_H
#define CELLARD_COUPON_SHAPES_H

#include "request.h"

enum {
    COUPON_NAME_BYTES = 48 /* two numbers of 20 digits, one of 3, and what stands between */
};

/* CAMPAIGN.CUSTOMER.ORDINAL, the name of a coupon in paths and pages. */
void coupon_name_write(const cellar_coupon *coupon, char out[COUPON_NAME_BYTES]);
bool coupon_name_read(const char *text, cellar_coupon *coupon_out);
/* Places of a campaign that nobody has. */
int64_t coupon_places_left(int64_t admitted, int64_t claimed);

#endif
