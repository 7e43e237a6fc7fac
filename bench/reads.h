/* Reads of a shop, as loads: of what its threads order, as popular as there. */
#ifndef BENCH_READS_H
#define BENCH_READS_H

#include "shop.h"

/* Entries of a page, as a screen shows them. */
#define READS_PAGE 20

struct reads {
    struct load product;  /* a product by SKU */
    struct load stock;    /* a stock by SKU */
    struct load order;    /* an order by id, with its lines: one that this thread has placed */
    struct load list;     /* a page of the products of a category, from anywhere on */
    struct load snapshot; /* what is available of several SKUs at one instant */
    struct shop *shop;
    uint32_t snapshot_skus;
};

/* snapshot_skus: at most CELLAR_LINES_MAX. */
void reads_start(struct reads *reads, struct shop *shop, uint32_t snapshot_skus);

#endif
