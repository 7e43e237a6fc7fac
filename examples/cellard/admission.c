#include "admission.h"

#include <math.h>

#define NANOSECONDS 1e9

void admission_create(struct admission *admission, const struct settings *settings) {
    admission->settings = settings;
    for (size_t i = 0; i < ADMISSION_STRIPES; i++) {
        (void)pthread_mutex_init(&admission->stripes[i].lock, NULL);
    }
}

void admission_destroy(struct admission *admission) {
    for (size_t i = 0; i < ADMISSION_STRIPES; i++) {
        (void)pthread_mutex_destroy(&admission->stripes[i].lock);
    }
}

/* The client's bucket, or that of its set which was used longest ago. A client that is forgotten
 * this way starts with a full bucket, so a crowd of new addresses can only win what they could
 * have anyway. */
static admission_bucket *bucket_find(admission_stripe *stripe, uint64_t client, uint64_t hash,
                                     double burst, uint64_t now_ns) {
    size_t first = (size_t)(hash >> 8) % (ADMISSION_BUCKETS / ADMISSION_WAYS) * ADMISSION_WAYS;
    admission_bucket *oldest = &stripe->buckets[first];
    for (size_t i = first; i < first + ADMISSION_WAYS; i++) {
        admission_bucket *bucket = &stripe->buckets[i];
        if (bucket->client == client) {
            return bucket;
        }
        if (bucket->last_ns < oldest->last_ns) {
            oldest = bucket;
        }
    }
    *oldest = (admission_bucket){.client = client, .last_ns = now_ns, .tokens = burst};
    return oldest;
}

int admission_rate(struct admission *admission, uint64_t client, uint64_t now_ns) {
    double rate = (double)admission->settings->rate;
    double burst = (double)admission->settings->burst;
    int wait_s = 0;
    if (admission->settings->rate == 0) {
        return 0;
    }
    uint64_t hash = client * UINT64_C(0x9e3779b97f4a7c15);
    admission_stripe *stripe = &admission->stripes[hash >> 58];
    (void)pthread_mutex_lock(&stripe->lock);
    admission_bucket *bucket = bucket_find(stripe, client, hash, burst, now_ns);
    /* Threads read the clock before they lock, so that it can seem to step back. */
    if (now_ns > bucket->last_ns) {
        double refill = (double)(now_ns - bucket->last_ns) / NANOSECONDS * rate;
        bucket->tokens = fmin(burst, bucket->tokens + refill);
        bucket->last_ns = now_ns;
    }
    if (bucket->tokens >= 1) {
        bucket->tokens -= 1;
    } else {
        wait_s = (int)ceil((1 - bucket->tokens) / rate);
    }
    (void)pthread_mutex_unlock(&stripe->lock);
    return wait_s;
}

int64_t admission_limit(const struct admission *admission, size_t route) {
    int64_t own = admission->settings->limits[route];
    return own != 0 ? own : admission->settings->concurrency;
}

bool admission_enter(struct admission *admission, size_t route) {
    /* Relaxed, here and below: a count that guards no other data. */
    int64_t before =
        atomic_fetch_add_explicit(&admission->under_way[route], 1, memory_order_relaxed);
    if (before < admission_limit(admission, route)) {
        return true;
    }
    admission_leave(admission, route);
    return false;
}

void admission_leave(struct admission *admission, size_t route) {
    (void)atomic_fetch_sub_explicit(&admission->under_way[route], 1, memory_order_relaxed);
}
