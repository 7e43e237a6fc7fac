/* Measuring a load beside its limits: limit, case, limit, case, limit. */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include "bench.h"
#include "crew.h"

#define MEASURE_ROUNDS 5

/* A limit is a load for the same crew, or a function that measures alone, on the calling thread,
 * while the crew sleeps. */
struct measure_limit {
    const struct load *load;
    bool (*rate)(void *context, double seconds, double *rate_out);
    void *context;
    const char *name; /* of a function; a load has its own */
    bool rival;       /* its latency is of interest, too */
};

struct measure {
    struct crew *crew;
    const struct load *subject;
    struct measure_limit limits[BENCH_REFERENCES_MAX];
    uint32_t limit_count;
    double seconds;     /* of all rounds of the subject together */
    uint64_t count_max; /* of all operations of the subject together, about; 0: no limit */
};

void measure_add_load(struct measure *measure, const struct load *load, bool rival);
void measure_add_rate(struct measure *measure, const char *name,
                      bool (*rate)(void *context, double seconds, double *rate_out), void *context);
/* Fills in rate, latency and references. Rates without clocks inside, then rounds that time the
 * calls. False with a problem when a load failed or the user interrupts. */
bool measure_run(struct measure *measure, struct bench_result *result);

double measure_median(double *values, uint32_t count);
void measure_latency(const struct histogram *histogram, struct bench_latency *latency_out);

#endif
