/* The plainest table from a SKU to its number, by which the rival with mutexes finds its products.
 * Filled once, then only read. */
#ifndef BENCH_LOOKUP_H
#define BENCH_LOOKUP_H

#include "shop.h"

struct lookup {
    uint32_t *slots; /* number + 1; 0: empty. A power of two, at most half full */
    uint32_t mask;
    char (*names)[SHOP_SKU_BYTES];
};

/* Of the names 0 to count - 1, which must last. False when there is no memory. */
bool lookup_start(struct lookup *lookup, char (*names)[SHOP_SKU_BYTES], uint32_t count);
void lookup_end(struct lookup *lookup);
#define LOOKUP_NONE UINT32_MAX
uint32_t lookup_find(const struct lookup *lookup, const char *name);

#endif
