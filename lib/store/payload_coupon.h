/* What the records of campaigns, coupons and codes carry behind their cells. docs/LOG_FORMAT.md
 * lists it; all integers little-endian, no gaps. Kinds 60 to 79 belong to them. */
#ifndef CELLAR_STORE_PAYLOAD_COUPON_H
#define CELLAR_STORE_PAYLOAD_COUPON_H

#include "store/payload.h"

#include <stdint.h>

enum coupon_record_kind {
    STORE_CAMPAIGN_PUT = 60,   /* payload_campaign, then its texts */
    STORE_COUPON_CLAIM = 61,   /* payload_claim; a payload_coupon_id if the request had an id */
    STORE_COUPON_REVOKE = 62,  /* payload_revoke */
    STORE_COUPON_REDEEM = 63,  /* payload_redeem; a payload_coupon_id if the request had an id */
    STORE_COUPON_RESTORE = 64, /* the same */
    STORE_CODE_ADD = 65        /* payload_code, then the code */
};

/* Flags of a payload_campaign, in the order of what they announce. Records of versions before a
 * flag have 0 there. */
#define PAYLOAD_CAMPAIGN_CUSTOMER_PERIOD 1 /* a payload_customer_period */

/* Then what the flags say, then name and categories, without NULs between. */
struct payload_campaign {
    uint64_t id;
    int64_t created_ns;
    int64_t updated_ns;
    int64_t quota;
    int64_t valid_from_ns;
    int64_t valid_until_ns;
    int64_t redeem_until_ns;
    int64_t waitlist_max;
    int64_t period_ns;
    int64_t period_offset_ns;
    int64_t period_count;
    int64_t budget;
    int64_t discount_value;
    int64_t discount_cap;
    int64_t discount_minimum;
    int64_t admitted_before; /* by a larger quota: numbers above, up to admitted_after, are now */
    int64_t admitted_after;  /* admitted */
    uint32_t campaign;       /* slot */
    uint32_t rules;          /* number of the block with these rules */
    uint32_t products[CELLAR_RESTRICTIONS_MAX];
    uint8_t category_bytes[CELLAR_RESTRICTIONS_MAX];
    uint8_t status;
    uint8_t discount_kind;
    uint8_t restore_on_cancel;
    uint8_t customer_limit;
    uint8_t product_count;
    uint8_t category_count;
    uint8_t name_bytes;
    uint8_t flags;
};
_Static_assert(sizeof(struct payload_campaign) == 232, "on-disk layout");

struct payload_customer_period {
    int64_t period_ns;
    int64_t period_offset_ns;
    int64_t period_count;
    int64_t claimed_before; /* claims before this put: the audit asks only the later ones */
};
_Static_assert(sizeof(struct payload_customer_period) == 32, "on-disk layout");

struct payload_claim {
    uint64_t customer;
    uint64_t number;
    uint32_t campaign; /* slot */
    uint32_t grant;    /* slot */
    uint32_t ordinal;
    uint32_t zero;
};
_Static_assert(sizeof(struct payload_claim) == 32, "on-disk layout");

/* The document that the request's id is. */
struct payload_coupon_id {
    cellar_id id;
    uint64_t fingerprint;
    int64_t time_ns;
    uint32_t slot;
    uint32_t zero;
};
_Static_assert(sizeof(struct payload_coupon_id) == 40, "on-disk layout");

struct payload_revoke {
    uint64_t number;
    uint64_t admitted_before;
    uint64_t admitted_after;
    uint32_t campaign; /* slot */
    uint32_t grant;    /* slot */
};
_Static_assert(sizeof(struct payload_revoke) == 32, "on-disk layout");

struct payload_code {
    int64_t uses;
    uint32_t campaign; /* slot */
    uint32_t code;     /* slot */
    uint32_t code_bytes;
    uint32_t zero;
};
_Static_assert(sizeof(struct payload_code) == 24, "on-disk layout");

#endif
