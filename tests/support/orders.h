/* Short forms for tests of orders by line, holds and back-orders. Those without a status must
 * succeed. */
#ifndef CELLAR_TESTS_SUPPORT_ORDERS_H
#define CELLAR_TESTS_SUPPORT_ORDERS_H

#include "support/shop.h"

#define ORDERS_MS INT64_C(1000000)

/* A step; `id` 0: without one; parts: NULL for the whole order. */
cellar_order_change orders_change(cellar_order_event event, uint64_t order, uint64_t id,
                                  const cellar_order_part *parts, size_t part_count);
cellar_status orders_try(struct shop *shop, const cellar_order_change *change,
                         cellar_refusal *refusal);
/* The same of one part of one line. */
cellar_status orders_try_part(struct shop *shop, cellar_order_event event, uint64_t order,
                              uint64_t id, uint32_t line, int64_t quantity,
                              cellar_refusal *refusal);
void orders_part(struct shop *shop, cellar_order_event event, uint64_t order, uint64_t id,
                 uint32_t line, int64_t quantity);
cellar_status orders_try_whole(struct shop *shop, cellar_order_event event, uint64_t order,
                               cellar_refusal *refusal);
void orders_whole(struct shop *shop, cellar_order_event event, uint64_t order);

/* An order of one line that is held for so long from now; the deadline. */
int64_t orders_hold(struct shop *shop, uint64_t id, const char *sku, int64_t quantity,
                    int64_t held_ms);
/* So many milliseconds from now, as a whole number of them. */
int64_t orders_deadline(struct shop *shop, int64_t from_now_ms);
void orders_pass(struct shop *shop, int64_t ms);
/* Member by member. */
void orders_check_same_lines(const cellar_order_line *is, const cellar_order_line *was,
                             size_t count);
cellar_order_line orders_line(struct shop *shop, uint64_t id, uint32_t line);
/* Looks until the order is in that state, for 20 seconds at most. */
void orders_await(struct shop *shop, uint64_t id, cellar_order_state state);

/* The same until no hold in the store is overdue, of up to 1000. */
void orders_await_none_overdue(struct shop *shop);

/* While it is stopped, what is overdue is expired by callers only. */
void orders_stop_expiry(struct shop *shop);
void orders_start_expiry(struct shop *shop);

void orders_safety(struct shop *shop, const char *sku, int64_t safety);

#endif
