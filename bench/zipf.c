/* Rejection-inversion: W. Hörmann, G. Derflinger, "Rejection-inversion to generate variates from
 * monotone discrete distributions" (ACM Transactions on Modeling and Computer Simulation 6, 1996).
 * Exact for any exponent, no tables, about one try a number. H below is the integral of the density
 * h(x) = x^-exponent. */
#include "zipf.h"

#include <math.h>

/* (e^x - 1) / x, also where x is so small that the division would lose everything. */
static double expm1_by_x(double x) {
    return fabs(x) > 1e-8 ? expm1(x) / x : 1.0 + x / 2.0 * (1.0 + x / 3.0);
}

/* log(1 + x) / x */
static double log1p_by_x(double x) {
    return fabs(x) > 1e-8 ? log1p(x) / x : 1.0 - x * (0.5 - x / 3.0);
}

static double density(const struct zipf *zipf, double x) {
    return exp(-zipf->exponent * log(x));
}

static double integral(const struct zipf *zipf, double x) {
    double log_x = log(x);
    return expm1_by_x((1.0 - zipf->exponent) * log_x) * log_x;
}

static double integral_inverse(const struct zipf *zipf, double x) {
    double t = x * (1.0 - zipf->exponent);
    /* Rounding may carry t below the range in which the logarithm exists. */
    return exp(log1p_by_x(t < -1.0 ? -1.0 : t) * x);
}

void zipf_start(struct zipf *zipf, uint32_t count, double exponent) {
    zipf->exponent = exponent;
    zipf->count = count;
    zipf->integral_first = integral(zipf, 1.5) - 1.0;
    zipf->integral_last = integral(zipf, zipf->count + 0.5);
    zipf->shortcut = 2.0 - integral_inverse(zipf, integral(zipf, 2.5) - density(zipf, 2.0));
}

/* Ends: the area under the hat exceeds the area under the density by little, so that a try fails
 * with a probability far below one half, whatever the exponent. */
uint32_t zipf_rank(const struct zipf *zipf, uint64_t *state) {
    for (;;) {
        double uniform = (double)(random_next(state) >> 11) * 0x1p-53;
        double u = zipf->integral_last + uniform * (zipf->integral_first - zipf->integral_last);
        double x = integral_inverse(zipf, u);
        double k = floor(x + 0.5);
        k = k < 1.0 ? 1.0 : (k > zipf->count ? zipf->count : k);
        if (k - x <= zipf->shortcut || u >= integral(zipf, k + 0.5) - density(zipf, k)) {
            return (uint32_t)k - 1;
        }
    }
}

uint32_t zipf_scatter(uint32_t rank, uint32_t count) {
    /* A prime above 2^31.6 has no factor in common with a smaller count, so that the product is one
     * to one. */
    return (uint32_t)((rank * UINT64_C(4294967291)) % count);
}
