/* A shop as a host would run it: a store in a directory, products with stock, and threads that
 * order. Through cellar.h only. */
#ifndef BENCH_SHOP_H
#define BENCH_SHOP_H

#include "cellar.h"

#include "bench.h"
#include "crew.h"
#include "data.h"

#define SHOP_SKU_BYTES 16
/* Of all products. */
#define SHOP_CATEGORY "bench"
/* Units of each product, more than any case sells. */
#define SHOP_UNITS INT64_C(1000000)
/* Their ids, and those of their accounts, go from 1 up. */
#define SHOP_CUSTOMERS 50000
#define SHOP_FUNDS INT64_C(1000000000000)

/* What one thread orders, drawn beforehand, and room for its lines; and what it has sold. */
struct shop_thread {
    _Alignas(64) uint32_t *picks; /* indexes of SKUs, `lines` for each order, used in turn */
    uint32_t pick_count;
    uint32_t next;
    uint32_t next_single; /* for what looks at one SKU at a time */
    uint64_t random;
    cellar_line *lines;
    int64_t units; /* ordered */
    int64_t taken; /* units that were taken without an order */
    int64_t paid;  /* from accounts */
};

/* How a store differs from what the library does by itself; zero: not at all. */
struct shop_store {
    int64_t (*clock)(void *context);
    void *clock_context;
    int64_t remember_closed_ns;
};

struct shop {
    cellar *store;
    char directory[DATA_PATH_BYTES];
    uint32_t skus;
    uint32_t lines;
    cellar_durability durability;
    char (*names)[SHOP_SKU_BYTES];
    uint64_t *products; /* numeric ids */
    bool paid;          /* orders are paid from the customer's account as they are placed */
    struct shop_thread *threads;
    uint32_t thread_count;
    uint64_t series; /* upper half of the ids of this crew's orders */
    uint64_t stocked_lsn;
    struct shop_store settings;
    int64_t received;    /* units of all products */
    int64_t credited;    /* to all accounts */
    struct load order;   /* places orders */
    struct load take;    /* takes one unit of product 0 */
    _Atomic int failure; /* the first status that was not OK */
};

/* How many orders a case may place, so that it writes about a GiB of log at most. */
uint64_t shop_orders_max(uint32_t lines);

/* A shop without a store: names of the options' SKUs, for shop_prepare(). */
bool shop_start(struct shop *shop, const char *name, const struct bench_options *options,
                struct bench_result *result);
/* Opens the store in a new directory of that name; with the options' SKUs, lines and durability,
 * and `settings` (NULL: none). */
bool shop_open(struct shop *shop, const char *name, const struct bench_options *options,
               const struct shop_store *settings, struct bench_result *result);
/* Creates the products, `units` of each. */
bool shop_stock(struct shop *shop, int64_t units, struct bench_result *result);
/* Gives every customer an account with SHOP_FUNDS; orders are paid from it from then on. */
bool shop_accounts(struct shop *shop, struct bench_result *result);
/* Places about `orders` orders by so many threads of the shop; in a minute at most. */
bool shop_fill(struct shop *shop, uint32_t threads, uint64_t orders, struct crew_round *round_out,
               struct bench_result *result);
/* What most cases begin and end with: shop_open(), shop_stock() of SHOP_UNITS, shop_prepare() and a
 * crew of the options' threads; shop_figures(), the end of the crew, shop_check(), shop_close(),
 * shop_remove(). Where the beginning fails, what was made is left to the end of the process. */
bool shop_begin(struct shop *shop, struct crew *crew, const char *name,
                const struct bench_options *options, struct bench_result *result);
bool shop_finish(struct shop *shop, struct crew *crew, struct bench_result *result);
/* The same without shop_figures(). */
bool shop_end(struct shop *shop, struct crew *crew, struct bench_result *result);
/* After shop_close(). */
bool shop_open_again(struct shop *shop, struct bench_result *result);
/* Closes and opens again: the store's statistics begin anew. */
bool shop_reopen(struct shop *shop, struct bench_result *result);
bool shop_close(struct shop *shop, struct bench_result *result);
/* Draws what the threads of the next crew will order. Once for each crew. */
bool shop_prepare(struct shop *shop, const struct bench_options *options, uint32_t thread_count,
                  struct bench_result *result);
/* Space in the log of one order, and of one take; with nobody else at work, the worker neither. 0
 * when a call failed. */
uint64_t shop_order_bytes(struct shop *shop, struct worker *worker);
uint64_t shop_take_bytes(struct shop *shop, struct worker *worker);
/* The id under which shop_draw() orders. */
cellar_id shop_order_id(const struct shop *shop, uint32_t thread, uint64_t counter);
/* What a thread orders next; the lines are the thread's own and last until its next call. */
void shop_draw(struct shop *shop, uint32_t thread, uint64_t counter,
               cellar_order_request *request_out);
/* The SKU a thread looks at next, as popular as those it orders. */
uint32_t shop_pick(struct shop *shop, uint32_t thread);
/* Sum of the prices. */
int64_t shop_total(const cellar_order_request *request);
/* Counts an order that was placed, for shop_check(); `discount` is what a coupon took off it. */
void shop_sold(struct shop *shop, uint32_t thread, const cellar_order_request *request,
               int64_t discount);
/* The end of a case: the store's audit finds nothing, every unit that came in is either there or
 * was sold by an answer that a thread got, and so is all money. With nobody at work. */
bool shop_check(const struct shop *shop, struct bench_result *result);
/* Notes the first failure of a load, which shop_close() reports. */
void shop_failed(struct shop *shop, cellar_status status);
/* Takes one line of stock and counts it as the worker's. False: it failed, and is noted. */
bool shop_take(struct shop *shop, struct worker *worker, const cellar_call *call,
               const cellar_line *line);
/* For load.settle: waits until all that the workers did is on disk. */
bool shop_settle(void *context, const struct worker *workers, uint32_t worker_count);
/* One order; what shop->order does. */
cellar_status shop_order_place(struct shop *shop, uint32_t thread, uint64_t counter,
                               cellar_durability durability, cellar_ticket *ticket_out);
/* What the store says about itself. */
void shop_figures(const struct shop *shop, struct bench_result *result);
/* Removes the directory and gives memory back, after shop_close(). */
void shop_remove(struct shop *shop);

#endif
