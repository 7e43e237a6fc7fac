/* Is a percentile never more than 1/32 above the true one, never below it, and is no sample lost,
 * however many threads record? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/histogram.h"
#include "support/random.h"

#include <pthread.h>
#include <string.h>

#define THREADS 8
#define SAMPLES_PER_THREAD 20000
#define SAMPLES 10240

static struct histogram histogram;
static struct histogram other;
static uint64_t seed;

static int set_up(void **unused) {
    (void)unused;
    histogram_reset(&histogram);
    histogram_reset(&other);
    return 0;
}

/* What a lone sample is reported as when a larger one keeps the maximum out of the way. */
static uint64_t reported(int64_t sample) {
    histogram_reset(&histogram);
    histogram_record(&histogram, sample);
    histogram_record(&histogram, INT64_MAX);
    return histogram_percentile(&histogram, 0.5);
}

static void assert_close(uint64_t value, uint64_t exact) {
    assert_true(value >= exact);
    assert_true(value - exact <= exact / 32);
}

static void test_empty(void **unused) {
    (void)unused;
    assert_int_equal(histogram_count(&histogram), 0);
    assert_int_equal(histogram_percentile(&histogram, 0.0), 0);
    assert_int_equal(histogram_percentile(&histogram, 1.0), 0);
}

static void test_small_samples_are_exact(void **unused) {
    (void)unused;
    for (int64_t sample = 0; sample < 64; sample++) {
        assert_int_equal(reported(sample), sample);
    }
}

static void test_error_bound_at_every_power_of_two(void **unused) {
    (void)unused;
    for (int power = 5; power < 63; power++) {
        int64_t base = (int64_t)(UINT64_C(1) << power);
        int64_t step = base / 32;
        for (int64_t i = 0; i < 32; i++) {
            int64_t first = base + i * step;
            int64_t last = first + (step - 1);
            assert_close(reported(first), (uint64_t)first);
            assert_close(reported(last), (uint64_t)last);
        }
        assert_close(reported(base - 1), (uint64_t)(base - 1));
    }
    assert_int_equal(reported(INT64_MAX), INT64_MAX);
}

/* Buckets neither overlap nor leave a gap: what follows a bucket's highest value is in another. */
static void test_buckets_follow_each_other(void **unused) {
    int64_t lowest = 0;
    int buckets = 0;

    (void)unused;
    while (lowest < INT64_MAX / 2) {
        uint64_t highest = reported(lowest);
        assert_int_equal(reported((int64_t)highest), highest);
        lowest = (int64_t)highest + 1;
        assert_true(reported(lowest) > highest);
        buckets++;
    }
    assert_int_equal(buckets, 32 * 58);
}

static void test_negative_counts_as_zero(void **unused) {
    (void)unused;
    histogram_record(&histogram, -1);
    histogram_record(&histogram, INT64_MIN);
    assert_int_equal(histogram_count(&histogram), 2);
    assert_int_equal(histogram_percentile(&histogram, 1.0), 0);
    assert_int_equal(atomic_load(&histogram.sum), 0);
}

static void test_never_above_the_largest(void **unused) {
    (void)unused;
    histogram_record(&histogram, 1000001);
    assert_int_equal(histogram_percentile(&histogram, 0.0), 1000001);
    assert_int_equal(histogram_percentile(&histogram, 1.0), 1000001);
}

static int compare(const void *a, const void *b) {
    int64_t left = *(const int64_t *)a;
    int64_t right = *(const int64_t *)b;

    return (left > right) - (left < right);
}

static void test_percentiles_against_sorted_samples(void **unused) {
    static int64_t samples[SAMPLES];
    struct random random = {seed};

    (void)unused;
    for (int i = 0; i < SAMPLES; i++) {
        /* Spread over all magnitudes. */
        samples[i] = (int64_t)(random_next(&random) >> (1 + random_below(&random, 63)));
        histogram_record(&histogram, samples[i]);
    }
    qsort(samples, SAMPLES, sizeof samples[0], compare);
    /* In steps of 1/1024, which a double holds exactly. */
    for (int share = 0; share <= 1024; share++) {
        int rank = share * (SAMPLES / 1024);
        uint64_t exact = (uint64_t)samples[rank > 0 ? rank - 1 : 0];
        assert_close(histogram_percentile(&histogram, share / 1024.0), exact);
    }
}

static void test_ranks_are_exact(void **unused) {
    (void)unused;
    for (int i = 1; i <= 4; i++) {
        histogram_record(&histogram, i);
    }
    assert_int_equal(histogram_percentile(&histogram, 0.0), 1);
    assert_int_equal(histogram_percentile(&histogram, 0.25), 1);
    assert_int_equal(histogram_percentile(&histogram, 0.26), 2);
    assert_int_equal(histogram_percentile(&histogram, 0.5), 2);
    assert_int_equal(histogram_percentile(&histogram, 0.75), 3);
    assert_int_equal(histogram_percentile(&histogram, 0.76), 4);
    assert_int_equal(histogram_percentile(&histogram, 1.0), 4);
}

static void test_merge(void **unused) {
    static struct histogram all;
    struct random random = {seed};

    (void)unused;
    histogram_reset(&all);
    for (int i = 0; i < SAMPLES; i++) {
        int64_t sample = (int64_t)random_below(&random, 1000000);
        histogram_record(i % 3 == 0 ? &histogram : &other, sample);
        histogram_record(&all, sample);
    }
    histogram_merge(&histogram, &other);
    assert_memory_equal(&histogram, &all, sizeof all);
    histogram_reset(&other);
    histogram_merge(&histogram, &other);
    assert_memory_equal(&histogram, &all, sizeof all);
    histogram_merge(&other, &histogram);
    assert_memory_equal(&other, &all, sizeof all);
}

static void *record_many(void *argument) {
    int64_t number = (intptr_t)argument;

    for (int64_t i = 0; i < SAMPLES_PER_THREAD; i++) {
        histogram_record(&histogram, i * THREADS + number);
    }
    return NULL;
}

static void test_no_sample_is_lost_between_threads(void **unused) {
    const uint64_t count = (uint64_t)THREADS * SAMPLES_PER_THREAD;
    pthread_t threads[THREADS];

    (void)unused;
    for (intptr_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, record_many, (void *)i), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_int_equal(histogram_count(&histogram), count);
    assert_int_equal(atomic_load(&histogram.sum), count * (count - 1) / 2);
    assert_int_equal(atomic_load(&histogram.max), count - 1);
    assert_int_equal(histogram_percentile(&histogram, 1.0), count - 1);

    /* The same from one thread: every single bucket agrees. */
    for (uint64_t i = 0; i < count; i++) {
        histogram_record(&other, (int64_t)i);
    }
    assert_memory_equal(&histogram, &other, sizeof other);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_empty, set_up),
        cmocka_unit_test_setup(test_small_samples_are_exact, set_up),
        cmocka_unit_test_setup(test_error_bound_at_every_power_of_two, set_up),
        cmocka_unit_test_setup(test_buckets_follow_each_other, set_up),
        cmocka_unit_test_setup(test_negative_counts_as_zero, set_up),
        cmocka_unit_test_setup(test_never_above_the_largest, set_up),
        cmocka_unit_test_setup(test_percentiles_against_sorted_samples, set_up),
        cmocka_unit_test_setup(test_ranks_are_exact, set_up),
        cmocka_unit_test_setup(test_merge, set_up),
        cmocka_unit_test_setup(test_no_sample_is_lost_between_threads, set_up),
    };

    seed = random_seed_of_run();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
