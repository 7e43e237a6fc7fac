/* The least that a read by SKU can cost: the plainest hash table, filled once, then only read. */
#ifndef BENCH_LIMITS_LOOKUP_H
#define BENCH_LIMITS_LOOKUP_H

#include "lookup.h"
#include "shop.h"

struct limits_lookup {
    struct load load;
    char name[BENCH_NAME_BYTES];
    struct shop *shop;
    struct lookup lookup;
    uint32_t each; /* look-ups that count as one */
};

/* Of SKUs as popular as those the shop's threads order; after shop_prepare(). False when there is
 * no memory. */
bool limits_lookup_start(struct limits_lookup *limit, struct shop *shop, uint32_t each);
void limits_lookup_end(struct limits_lookup *limit);

#endif
