/* XXH3, compiled into this file so that the library exports no symbol of xxHash and needs none at
 * run time. */
#include "base/hash.h"

#include "base/clock.h"

#include <stdatomic.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/random.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t hash_seeded(uint64_t seed, const void *data, size_t bytes) {
    return XXH3_64bits_withSeed(data, bytes, seed);
}

struct hash128 hash_fingerprint(const void *data, size_t bytes) {
    XXH128_hash_t value = XXH3_128bits(data, bytes);

    return (struct hash128){.low = value.low64, .high = value.high64};
}

uint64_t hash_random_seed(void) {
    static _Atomic uint64_t calls;
    uint64_t seed;

    /* Up to 256 bytes are never cut short by a signal once the kernel's generator is seeded. */
    if (getrandom(&seed, sizeof seed, 0) == (ssize_t)sizeof seed) {
        return seed;
    }

    /* A sandbox may forbid the call. The 16 random bytes the kernel gave this process at its start,
     * hashed with the time and a counter, are then the best there is. */
    struct {
        uint8_t random[16];
        int64_t now_ns;
        uint64_t call;
    } source = {.now_ns = clock_wall_ns(), .call = atomic_fetch_add(&calls, 1)};
    const void *kernel_bytes = (const void *)getauxval(AT_RANDOM);
    if (kernel_bytes != NULL) {
        memcpy(source.random, kernel_bytes, sizeof source.random);
    }
    return hash_seeded((uint64_t)clock_monotonic_ns(), &source, sizeof source);
}
