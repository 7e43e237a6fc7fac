/* Orders going in, for orders.c and bulk.c. */
#ifndef CELLARD_ORDER_SHAPES_H
#define CELLARD_ORDER_SHAPES_H

#include "request.h"

typedef struct order_body {
    cellar_id id;
    uint64_t customer;
    const cellar_line *lines;
    size_t line_count;
    int state;
    uint64_t account;
    int64_t business_time_ns;
    uint64_t campaign; /* of a coupon to be redeemed */
    const char *code;
    const char *reference;
    bool damaged; /* of a return */
} order_body;

extern const struct shape shape_order_place;

/* By cellar_order_state. */
extern const char *const order_states[];

cellar_order_request order_request(const order_body *body);
/* Only of an order that was accepted. The sum of quantity times price; with a coupon or code, what
 * the library made of it. */
int64_t order_total(struct request *request, const order_body *body);
/* Counts what was sold, for /metrics and the live page. */
void order_note(struct request *request, const order_body *body, int64_t total);

#endif
