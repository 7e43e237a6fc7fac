/* A shop as a host would run it: a store in a directory, products with stock, and threads that
 * order. Through cellar.h only. */
#ifndef BENCH_SHOP_H
#define BENCH_SHOP_H

#include "cellar.h"

#include "bench.h"
#include "crew.h"
#include "data.h"

#define SHOP_SKU_BYTES 16

/* What one thread orders, drawn beforehand, and room for its lines. */
struct shop_thread {
    uint32_t *picks; /* indexes of SKUs, `lines` for each order, used in turn */
    uint32_t pick_count;
    uint32_t next;
    cellar_line *lines;
};

struct shop {
    cellar *store;
    char directory[DATA_PATH_BYTES];
    uint32_t skus;
    uint32_t lines;
    cellar_durability durability;
    char (*names)[SHOP_SKU_BYTES];
    uint64_t *products; /* numeric ids */
    struct shop_thread *threads;
    uint32_t thread_count;
    uint64_t series; /* upper half of the ids of this crew's orders */
    uint64_t stocked_lsn;
    struct load order;   /* places orders */
    struct load take;    /* takes one unit of product 0 */
    _Atomic int failure; /* the first status that was not OK */
};

/* How many orders a case may place, so that it writes about a GiB of log at most. */
uint64_t shop_orders_max(uint32_t lines);

/* Opens the store in a new directory of that name; with the options' SKUs, lines and durability. */
bool shop_open(struct shop *shop, const char *name, const struct bench_options *options,
               struct bench_result *result);
/* Creates the products, `units` of each. */
bool shop_stock(struct shop *shop, int64_t units, struct bench_result *result);
/* Closes and opens again: the store's statistics begin anew. */
bool shop_reopen(struct shop *shop, struct bench_result *result);
bool shop_close(struct shop *shop, struct bench_result *result);
/* Draws what the threads of the next crew will order. Once for each crew. */
bool shop_prepare(struct shop *shop, const struct bench_options *options, uint32_t thread_count,
                  struct bench_result *result);
/* Space in the log of one order; with nobody else at work. 0 when an order failed. */
uint64_t shop_order_bytes(struct shop *shop);
/* One order; what shop->order does. */
cellar_status shop_order_place(struct shop *shop, uint32_t thread, uint64_t counter,
                               cellar_durability durability, cellar_ticket *ticket_out);
/* What the store says about itself. */
void shop_figures(const struct shop *shop, struct bench_result *result);
/* Removes the directory and gives memory back, after shop_close(). */
void shop_remove(struct shop *shop);

#endif
