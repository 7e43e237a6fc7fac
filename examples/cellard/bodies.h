/* What goes in through several routes: alone, in bulk and in transactions. */
#ifndef CELLARD_BODIES_H
#define CELLARD_BODIES_H

#include "request.h"

typedef struct product_body {
    const char *sku;
    const char *name;
    const char *category;
    const char *attributes;
    int64_t unit_price;
    int status;
    const cellar_component *components;
    size_t component_count;
} product_body;

extern const struct shape shape_product_entry; /* with its SKU */
cellar_product product_from(const product_body *body);

typedef struct order_body {
    cellar_order_request request;
    bool damaged; /* of a return */
} order_body;

extern const struct shape shape_order_place;
extern const struct shape shape_return;
/* Only of an order that was accepted: then it fits. The sum of quantity times price; with a coupon
 * or code, what the library made of it, FIELD_ABSENT when that cannot be told. `ticket`: of the
 * order alone; NULL: it was part of a transaction. */
int64_t order_total(struct request *request, const cellar_order_request *order,
                    const cellar_ticket *ticket);

extern const struct shape shape_order_step;    /* cellar_order_change, of any order and event */
extern const struct shape shape_stock_change;  /* cellar_stock_change */
extern const struct shape shape_account_entry; /* cellar_account_entry */
extern const struct shape shape_transfer_entry;

/* By cellar_order_state and by cellar_account_hold_state. */
extern const char *const order_states[];
extern const char *const hold_states[];

#endif
