#include "hot.h"

#include <stdlib.h>
#include <string.h>

enum {
    LINES_COUNTED_MAX = 8
};
#define HALVING_NS UINT64_C(10000000000)

void hot_create(struct hot *hot) {
    (void)pthread_mutex_init(&hot->lock, NULL);
}

void hot_destroy(struct hot *hot) {
    (void)pthread_mutex_destroy(&hot->lock);
}

static uint64_t line_key(const cellar_line *line) {
    if (line->sku == NULL) {
        return line->product * 2 + 1;
    }
    uint64_t key = UINT64_C(0xcbf29ce484222325); /* FNV-1a */
    for (const char *c = line->sku; *c != '\0'; c++) {
        key = (key ^ (unsigned char)*c) * UINT64_C(0x100000001b3);
    }
    return key & ~UINT64_C(1);
}

static void count_line(struct hot *hot, const cellar_line *line) {
    uint64_t key = line_key(line);
    hot_product *least = &hot->slots[0];
    for (size_t i = 0; i < HOT_SLOTS; i++) {
        hot_product *slot = &hot->slots[i];
        if (slot->key == key && slot->units != 0) {
            slot->units += line->quantity;
            return;
        }
        if (slot->units < least->units) {
            least = slot;
        }
    }
    least->key = key;
    least->units += line->quantity;
    least->product = line->sku == NULL ? line->product : 0;
    least->sku[0] = '\0';
    if (line->sku != NULL) {
        size_t bytes = strnlen(line->sku, CELLAR_SKU_BYTES_MAX);
        memcpy(least->sku, line->sku, bytes);
        least->sku[bytes] = '\0';
    }
}

void hot_count(struct hot *hot, const cellar_line *lines, size_t count, uint64_t now_ns) {
    if (pthread_mutex_trylock(&hot->lock) != 0) {
        return;
    }
    /* What sold an hour ago must not hide what sells now. */
    if (now_ns - hot->halved_ns > HALVING_NS) {
        hot->halved_ns = now_ns;
        for (size_t i = 0; i < HOT_SLOTS; i++) {
            hot->slots[i].units /= 2;
        }
    }
    for (size_t i = 0; i < count && i < LINES_COUNTED_MAX; i++) {
        count_line(hot, &lines[i]);
    }
    (void)pthread_mutex_unlock(&hot->lock);
}

static int most_first(const void *a, const void *b) {
    int64_t left = ((const hot_product *)a)->units;
    int64_t right = ((const hot_product *)b)->units;
    return (left < right) - (left > right);
}

size_t hot_list(struct hot *hot, hot_product *out, size_t capacity) {
    hot_product all[HOT_SLOTS];
    size_t count = 0;
    (void)pthread_mutex_lock(&hot->lock);
    memcpy(all, hot->slots, sizeof all);
    (void)pthread_mutex_unlock(&hot->lock);
    qsort(all, HOT_SLOTS, sizeof all[0], most_first);
    while (count < capacity && count < HOT_SLOTS && all[count].units > 0) {
        out[count] = all[count];
        count++;
    }
    return count;
}
