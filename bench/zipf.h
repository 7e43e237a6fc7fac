/* Random numbers: which SKUs are popular, and how popular. */
#ifndef BENCH_ZIPF_H
#define BENCH_ZIPF_H

#include <stdint.h>

/* SplitMix64: G. Steele, D. Lea, C. Flood, "Fast Splittable Pseudorandom Number Generators" (OOPSLA
 * 2014). */
static inline uint64_t random_next(uint64_t *state) {
    uint64_t z = (*state += UINT64_C(0x9E3779B97F4A7C15));
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

/* Below `bound`, by the upper half of a product: D. Lemire, "Fast Random Integer Generation in an
 * Interval" (2019). Its bias of 2^-32 does not matter here. */
static inline uint32_t random_below(uint64_t *state, uint32_t bound) {
    return (uint32_t)(((random_next(state) >> 32) * bound) >> 32);
}

struct zipf {
    double exponent;
    double count;
    double integral_first;
    double integral_last;
    double shortcut;
};

/* Ranks 1 to `count`, rank k with a probability in proportion to 1 / k^exponent; exponent >= 0. */
void zipf_start(struct zipf *zipf, uint32_t count, double exponent);
/* A rank from 0 to count - 1, 0 the most frequent. */
uint32_t zipf_rank(const struct zipf *zipf, uint64_t *state);
/* Spreads ranks over all of 0 to count - 1, so that popular things are no neighbours: one to one.
 */
uint32_t zipf_scatter(uint32_t rank, uint32_t count);

#endif
