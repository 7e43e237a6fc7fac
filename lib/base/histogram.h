/* A histogram of non-negative 64-bit samples with a relative error of at most 1/32, of fixed size,
 * recorded from any number of threads without a lock (one relaxed add). Log-linear buckets as in G.
 * Tene's HdrHistogram: 32 linear steps per power of two. */
#ifndef CELLAR_BASE_HISTOGRAM_H
#define CELLAR_BASE_HISTOGRAM_H

#include <stdatomic.h>
#include <stdint.h>

#define HISTOGRAM_STEPS 32
#define HISTOGRAM_BUCKETS (HISTOGRAM_STEPS * 60)

struct histogram {
    _Atomic uint64_t counts[HISTOGRAM_BUCKETS];
    _Atomic uint64_t sum;
    _Atomic uint64_t max;
};

void histogram_reset(struct histogram *histogram);
/* Negative samples count as zero. */
void histogram_record(struct histogram *histogram, int64_t sample);
void histogram_merge(struct histogram *into, const struct histogram *from);
uint64_t histogram_count(const struct histogram *histogram);
/* The highest value of the bucket that holds the given share (0.0 to 1.0) of all samples, never
 * above the largest sample; 0 when empty. */
uint64_t histogram_percentile(const struct histogram *histogram, double share);

#endif
