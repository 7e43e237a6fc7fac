#include "measure.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The operations allowed are shared out: a quarter of a round for the warm-up, five rounds, a round
 * and three quarters for the latency. */
#define SHARES 7
#define WARM_UP_SHARE 0.25
#define LATENCY_SHARE 1.75
/* A limit varies less than the case, so its rounds are shorter. */
#define LIMIT_SHARE 0.35

void measure_add_load(struct measure *measure, const struct load *load, bool rival) {
    measure->limits[measure->limit_count++] =
        (struct measure_limit){.load = load, .name = load->name, .rival = rival};
}

void measure_add_rate(struct measure *measure, const char *name,
                      bool (*rate)(void *context, double seconds, double *rate_out),
                      void *context) {
    measure->limits[measure->limit_count++] =
        (struct measure_limit){.rate = rate, .context = context, .name = name};
}

static int compare_doubles(const void *left, const void *right) {
    double a = *(const double *)left;
    double b = *(const double *)right;
    return (a > b) - (a < b);
}

double measure_median(double *values, uint32_t count) {
    if (count == 0) {
        return 0.0;
    }
    qsort(values, count, sizeof *values, compare_doubles);
    return count % 2 == 1 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2.0;
}

void measure_latency(const struct histogram *histogram, struct bench_latency *latency_out) {
    latency_out->samples = histogram_count(histogram);
    latency_out->p50_ns = histogram_percentile(histogram, 0.50);
    latency_out->p99_ns = histogram_percentile(histogram, 0.99);
    latency_out->p999_ns = histogram_percentile(histogram, 0.999);
    latency_out->max_ns = histogram_percentile(histogram, 1.0);
}

static bool limits_round(const struct measure *measure, double seconds, double *rates_out) {
    for (uint32_t i = 0; i < measure->limit_count; i++) {
        const struct measure_limit *limit = &measure->limits[i];
        if (limit->load == NULL) {
            if (!limit->rate(limit->context, seconds, &rates_out[i])) {
                return false;
            }
            continue;
        }
        struct crew_round round;
        if (!crew_run(measure->crew, limit->load, seconds, 0, NULL, &round)) {
            return false;
        }
        rates_out[i] = round.rate;
    }
    return true;
}

/* Latency of the subject and of its rivals, in rounds of the same length. */
static bool latency_rounds(const struct measure *measure, double seconds, uint64_t count_max,
                           struct bench_result *result) {
    struct histogram *histogram = malloc(sizeof *histogram);
    struct crew_round round;
    bool ok = histogram != NULL;

    if (ok) {
        histogram_reset(histogram);
        ok = crew_run(measure->crew, measure->subject, seconds, count_max, histogram, &round);
        measure_latency(histogram, &result->latency);
    }
    for (uint32_t i = 0; ok && i < measure->limit_count; i++) {
        if (measure->limits[i].rival) {
            histogram_reset(histogram);
            ok = crew_run(measure->crew, measure->limits[i].load, seconds, 0, histogram, &round);
            measure_latency(histogram, &result->references[i].latency);
        }
    }
    free(histogram);
    return ok;
}

static void references_fill(const struct measure *measure, double *subject,
                            double limits[][BENCH_REFERENCES_MAX], uint32_t rounds,
                            struct bench_result *result) {
    double values[MEASURE_ROUNDS + 1];

    result->reference_count = measure->limit_count;
    for (uint32_t i = 0; i < measure->limit_count; i++) {
        struct bench_reference *reference = &result->references[i];
        for (uint32_t round = 0; round < rounds; round++) {
            values[round] = 2.0 * subject[round] / (limits[round][i] + limits[round + 1][i]);
        }
        reference->ratio = measure_median(values, rounds);
        for (uint32_t round = 0; round <= rounds; round++) {
            values[round] = limits[round][i];
        }
        reference->rate = measure_median(values, rounds + 1);
        snprintf(reference->name, sizeof reference->name, "%s", measure->limits[i].name);
    }
}

bool measure_run(struct measure *measure, struct bench_result *result) {
    double subject[MEASURE_ROUNDS];
    double limits[MEASURE_ROUNDS + 1][BENCH_REFERENCES_MAX];
    double seconds = measure->seconds / MEASURE_ROUNDS;
    /* 0 means no limit, so a share is never less than one. */
    uint64_t share = measure->count_max != 0 ? measure->count_max / SHARES + 1 : 0;
    struct crew_round round;

    result->threads = measure->crew->thread_count;
    bool ok = crew_run(measure->crew, measure->subject, seconds * WARM_UP_SHARE,
                       share != 0 ? share / 4 + 1 : 0, NULL, &round) &&
              limits_round(measure, seconds * LIMIT_SHARE, limits[0]);
    for (uint32_t i = 0; ok && i < MEASURE_ROUNDS; i++) {
        ok = crew_run(measure->crew, measure->subject, seconds, share, NULL, &round) &&
             limits_round(measure, seconds * LIMIT_SHARE, limits[i + 1]);
        subject[i] = round.rate;
    }
    if (!ok || !latency_rounds(measure, seconds * LATENCY_SHARE,
                               (uint64_t)((double)share * LATENCY_SHARE), result)) {
        return bench_fail(result, "%s", bench_interrupted() ? "interrupted" : "a round failed");
    }
    references_fill(measure, subject, limits, MEASURE_ROUNDS, result);
    result->rate = measure_median(subject, MEASURE_ROUNDS);
    result->rate_low = subject[0];
    result->rate_high = subject[MEASURE_ROUNDS - 1];
    return true;
}
