/* Which products sell most just now, for the live page: a rough count over a few slots. A product
 * that is not among them takes the place of the least one and its count (the "space saving"
 * sketch), so that what sells a lot is always there. */
#ifndef CELLARD_HOT_H
#define CELLARD_HOT_H

#include <cellar.h>
#include <pthread.h>

enum {
    HOT_SLOTS = 64
};

typedef struct hot_product {
    char sku[CELLAR_SKU_BYTES_MAX + 1];
    uint64_t product; /* used when the line named no SKU */
    uint64_t key;
    int64_t units;
} hot_product;

struct hot {
    pthread_mutex_t lock;
    hot_product slots[HOT_SLOTS];
    uint64_t halved_ns;
};

void hot_create(struct hot *hot);
void hot_destroy(struct hot *hot);
/* Counts the lines of an order; leaves them out when another thread is counting. */
void hot_count(struct hot *hot, const cellar_line *lines, size_t count, uint64_t now_ns);
/* The first `capacity`, most units first. Returns how many there are. */
size_t hot_list(struct hot *hot, hot_product *out, size_t capacity);

#endif
