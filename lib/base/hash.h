/* Hashing, by xxHash (XXH3): seeded for tables, 128 bits for fingerprints of requests. */
#ifndef CELLAR_BASE_HASH_H
#define CELLAR_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

struct hash128 {
    uint64_t low;
    uint64_t high;
};

uint64_t hash_seeded(uint64_t seed, const void *data, size_t bytes);
struct hash128 hash_fingerprint(const void *data, size_t bytes);
/* Unpredictable bits from the kernel, for seeds and database ids. */
uint64_t hash_random_seed(void);

#endif
