#include "sim/buffer.h"

#include "sim/sim.h"

#include <string.h>

#define STORES_MAX 8

struct store {
    volatile void *object;
    size_t bytes;
    uint64_t value;
    int order;
};

static struct {
    bool on;
    unsigned counts[SIM_THREADS_MAX];
    struct store stores[SIM_THREADS_MAX][STORES_MAX];
} buffer;

void buffer_reset(bool on) {
    buffer.on = on;
    memset(buffer.counts, 0, sizeof buffer.counts);
}

bool buffer_is_on(void) {
    return buffer.on;
}

static void buffer_drain_oldest(unsigned thread) {
    struct store *stores = buffer.stores[thread];
    const struct store oldest = stores[0];

    buffer.counts[thread]--;
    memmove(stores, stores + 1, buffer.counts[thread] * sizeof *stores);
    access_store_now(thread, oldest.object, oldest.bytes, oldest.value, oldest.order);
}

void buffer_store(unsigned thread, volatile void *object, size_t bytes, uint64_t value, int order) {
    if (buffer.counts[thread] == STORES_MAX) {
        buffer_drain_oldest(thread);
    }
    buffer.stores[thread][buffer.counts[thread]++] = (struct store){object, bytes, value, order};
}

bool buffer_load(unsigned thread, const volatile void *object, uint64_t *value_out) {
    for (unsigned i = buffer.counts[thread]; i > 0; i--) {
        if (buffer.stores[thread][i - 1].object == object) {
            *value_out = buffer.stores[thread][i - 1].value;
            return true;
        }
    }
    return false;
}

void buffer_drain(unsigned thread) {
    while (buffer.counts[thread] > 0) {
        buffer_drain_oldest(thread);
    }
}

void buffer_drain_all(void) {
    for (unsigned i = 0; buffer.on && i < SIM_THREADS_MAX; i++) {
        buffer_drain(i);
    }
}

void buffer_drain_some(uint64_t bits) {
    for (unsigned i = 0; buffer.on && i < SIM_THREADS_MAX; i++, bits >>= 2) {
        if (buffer.counts[i] > 0 && (bits & 3) == 0) {
            buffer_drain_oldest(i);
        }
    }
}
