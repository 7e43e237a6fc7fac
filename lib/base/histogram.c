/* Log-linear buckets.
 *
 *   value v            bucket
 *   0 .. 31            v itself, exact
 *   32 .. 2^63 - 1     e * 32 + (v >> e), with e = floor(log2 v) - 5 and so v >> e in 32 .. 63
 *
 * so bucket b >= 32 has e = b / 32 - 1, holds 2^e values, and its lowest value is at least 32 times
 * as many. */
#include "base/histogram.h"

#include "base/assert.h"
#include "base/atomic.h"

#include <stddef.h>

#define STEPS_LOG2 5

_Static_assert(HISTOGRAM_STEPS == 1 << STEPS_LOG2, "one power of two is cut into 32 steps");
_Static_assert(HISTOGRAM_BUCKETS >= (62 - STEPS_LOG2) * HISTOGRAM_STEPS + 2 * HISTOGRAM_STEPS,
               "INT64_MAX has a bucket");

static size_t bucket_of(uint64_t value) {
    if (value < HISTOGRAM_STEPS) {
        return (size_t)value;
    }
    unsigned shift = 63U - (unsigned)__builtin_clzll(value) - STEPS_LOG2;
    return (size_t)shift * HISTOGRAM_STEPS + (size_t)(value >> shift);
}

static uint64_t bucket_highest(size_t bucket) {
    if (bucket < HISTOGRAM_STEPS) {
        return bucket;
    }
    unsigned shift = (unsigned)(bucket / HISTOGRAM_STEPS) - 1;
    uint64_t step = bucket % HISTOGRAM_STEPS + HISTOGRAM_STEPS;
    /* In the last bucket the shift wraps to zero and the subtraction to UINT64_MAX, rightly. */
    return ((step + 1) << shift) - 1;
}

/* Ends because every failed exchange means that another thread has raised the maximum, and it only
 * rises. */
static void raise_max(struct histogram *histogram, uint64_t value) {
    uint64_t max = ATOMIC_LOAD(&histogram->max, relaxed);

    while (value > max) {
        if (ATOMIC_CAS(&histogram->max, &max, value, relaxed, relaxed)) {
            return;
        }
    }
}

void histogram_reset(struct histogram *histogram) {
    for (size_t bucket = 0; bucket < HISTOGRAM_BUCKETS; bucket++) {
        ATOMIC_STORE(&histogram->counts[bucket], 0, relaxed);
    }
    ATOMIC_STORE(&histogram->sum, 0, relaxed);
    ATOMIC_STORE(&histogram->max, 0, relaxed);
}

void histogram_record(struct histogram *histogram, int64_t sample) {
    uint64_t value = sample > 0 ? (uint64_t)sample : 0;
    size_t bucket = bucket_of(value);

    ASSERT(bucket < HISTOGRAM_BUCKETS);
    raise_max(histogram, value);
    ATOMIC_ADD(&histogram->sum, value, relaxed);
    ATOMIC_ADD(&histogram->counts[bucket], 1, relaxed);
}

void histogram_merge(struct histogram *into, const struct histogram *from) {
    ASSERT(into != from);
    raise_max(into, ATOMIC_LOAD(&from->max, relaxed));
    ATOMIC_ADD(&into->sum, ATOMIC_LOAD(&from->sum, relaxed), relaxed);
    for (size_t bucket = 0; bucket < HISTOGRAM_BUCKETS; bucket++) {
        uint64_t count = ATOMIC_LOAD(&from->counts[bucket], relaxed);
        if (count != 0) {
            ATOMIC_ADD(&into->counts[bucket], count, relaxed);
        }
    }
}

uint64_t histogram_count(const struct histogram *histogram) {
    uint64_t count = 0;

    for (size_t bucket = 0; bucket < HISTOGRAM_BUCKETS; bucket++) {
        count += ATOMIC_LOAD(&histogram->counts[bucket], relaxed);
    }
    return count;
}

uint64_t histogram_percentile(const struct histogram *histogram, double share) {
    uint64_t count = histogram_count(histogram);
    uint64_t max = ATOMIC_LOAD(&histogram->max, relaxed);

    ASSERT(share >= 0.0);
    ASSERT(share <= 1.0);
    if (count == 0) {
        return 0;
    }

    /* The smallest rank that covers the share: ceil(share * count), at least the first sample. */
    double exact = share * (double)count;
    uint64_t rank = exact < (double)count ? (uint64_t)exact : count;
    if ((double)rank < exact) {
        rank++;
    }
    if (rank == 0) {
        rank = 1;
    }

    uint64_t passed = 0;
    for (size_t bucket = 0; bucket < HISTOGRAM_BUCKETS; bucket++) {
        passed += ATOMIC_LOAD(&histogram->counts[bucket], relaxed);
        if (passed >= rank) {
            uint64_t highest = bucket_highest(bucket);
            return highest < max ? highest : max;
        }
    }
    /* Only a concurrent reset takes counts away. */
    return max;
}
