/* Pseudo-random numbers for tests: SplitMix64 (S. Vigna), the same ones for the same seed.
 *
 * A test that uses them calls random_seed_of_run() in its main(): the seed is fixed, printed as a
 * TAP comment, and SEED= in the environment replaces it. */
#ifndef CELLAR_TESTS_SUPPORT_RANDOM_H
#define CELLAR_TESTS_SUPPORT_RANDOM_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

struct random {
    uint64_t state;
};

static inline uint64_t random_seed_of_run(void) {
    const char *text = getenv("SEED");
    uint64_t seed = text != NULL ? strtoull(text, NULL, 0) : UINT64_C(20110917);

    printf("# SEED=%llu\n", (unsigned long long)seed);
    return seed;
}

static inline uint64_t random_next(struct random *random) {
    uint64_t z = (random->state += UINT64_C(0x9e3779b97f4a7c15));

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* 0 to `limit` - 1. Slightly uneven for huge limits, which no test minds. */
static inline uint64_t random_below(struct random *random, uint64_t limit) {
    return random_next(random) % limit;
}

static inline void random_fill(struct random *random, void *buffer, size_t bytes) {
    unsigned char *at = buffer;

    for (size_t i = 0; i < bytes; i++) {
        at[i] = (unsigned char)random_next(random);
    }
}

#endif
