/* meter.c - see meter.h. */
#include "meter.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Values below METER_STEPS have a bucket each; above, the bits behind the leading one count. */
static size_t bucket_of(uint64_t ns) {
    if (ns < METER_STEPS) {
        return (size_t)ns;
    }
    unsigned power = 63u - (unsigned)__builtin_clzll(ns);
    size_t bucket = (power - 4) * METER_STEPS + (size_t)((ns >> (power - 5)) - METER_STEPS);
    return bucket < METER_BUCKETS ? bucket : METER_BUCKETS - 1;
}

/* The largest value of a bucket. */
static uint64_t bucket_top(size_t bucket) {
    if (bucket < METER_STEPS) {
        return bucket;
    }
    unsigned power = (unsigned)(bucket / METER_STEPS) + 4;
    return ((uint64_t)(bucket % METER_STEPS + METER_STEPS + 1) << (power - 5)) - 1;
}

void meter_add(meter *gauge, uint64_t ns) {
    gauge->count++;
    gauge->sum_ns += ns;
    gauge->buckets[bucket_of(ns)]++;
    gauge->max_ns = ns > gauge->max_ns ? ns : gauge->max_ns;
}

void meter_merge(meter *sum, const meter *gauge) {
    sum->count += gauge->count;
    sum->sum_ns += gauge->sum_ns;
    sum->max_ns = gauge->max_ns > sum->max_ns ? gauge->max_ns : sum->max_ns;
    for (size_t i = 0; i < METER_BUCKETS; i++) {
        sum->buckets[i] += gauge->buckets[i];
    }
}

uint64_t meter_percentile(const meter *gauge, double share) {
    uint64_t wanted = (uint64_t)(share * (double)gauge->count);
    uint64_t seen = 0;
    for (size_t i = 0; i < METER_BUCKETS && gauge->count > 0; i++) {
        seen += gauge->buckets[i];
        if (seen > wanted || seen == gauge->count) {
            return bucket_top(i) < gauge->max_ns ? bucket_top(i) : gauge->max_ns;
        }
    }
    return 0;
}

uint64_t meter_mean(const meter *gauge) {
    return gauge->count == 0 ? 0 : gauge->sum_ns / gauge->count;
}

uint64_t meter_now_ns(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

char *meter_duration(char *out, uint64_t ns) {
    if (ns < 1000) {
        (void)snprintf(out, METER_TEXT_BYTES, "%u ns", (unsigned)ns);
    } else if (ns < 1000000) {
        (void)snprintf(out, METER_TEXT_BYTES, "%.1f us", (double)ns / 1e3);
    } else if (ns < 1000000000) {
        (void)snprintf(out, METER_TEXT_BYTES, "%.2f ms", (double)ns / 1e6);
    } else {
        (void)snprintf(out, METER_TEXT_BYTES, "%.2f s", (double)ns / 1e9);
    }
    return out;
}

uint64_t meter_random(uint64_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

bool meter_number(const char *text, uint64_t min, uint64_t max, uint64_t *out) {
    char *end = NULL;
    errno = 0;
    *out = strtoull(text, &end, 10);
    return *text >= '0' && *text <= '9' && *end == '\0' && errno == 0 && *out >= min && *out <= max;
}

bool meter_directory_make(char *path, const char *program) {
    const char *place = getenv("TMPDIR");
    (void)snprintf(path, METER_PATH_BYTES, "%s/%s.XXXXXX", place == NULL ? "/tmp" : place, program);
    if (mkdtemp(path) == NULL) {
        (void)fprintf(stderr, "%s: making %s: %s\n", program, path, strerror(errno));
        return false;
    }
    return true;
}

static int entry_remove(const char *path, const struct stat *status, int kind, struct FTW *place) {
    (void)status;
    (void)kind;
    (void)place;
    return remove(path);
}

void meter_directory_remove(const char *path) {
    (void)nftw(path, entry_remove, 8, FTW_DEPTH | FTW_PHYS);
}

bool meter_summary(const char *path, const char *what, bool held, const char *detail) {
    if (path == NULL) {
        return true;
    }
    FILE *file = fopen(path, "a");
    if (file == NULL) {
        return false;
    }
    (void)fprintf(file, "%s\t%s\t%s\n", what, held ? "held" : "FAILED", detail);
    return fclose(file) == 0;
}
