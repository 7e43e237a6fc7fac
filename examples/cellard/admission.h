/* Who may come in: so many requests of each route at a time, so many a second from each client.
 * Decided before any work is done for a request. */
#ifndef CELLARD_ADMISSION_H
#define CELLARD_ADMISSION_H

#include "settings.h"

#include <pthread.h>
#include <stdatomic.h>

enum {
    ADMISSION_STRIPES = 64,
    ADMISSION_BUCKETS = 256, /* of one stripe */
    ADMISSION_WAYS = 8
};

typedef struct admission_bucket {
    uint64_t client; /* 0: free */
    uint64_t last_ns;
    double tokens;
} admission_bucket;

typedef struct admission_stripe {
    pthread_mutex_t lock;
    admission_bucket buckets[ADMISSION_BUCKETS];
} admission_stripe;

struct admission {
    const struct settings *settings;
    _Atomic int64_t under_way[ROUTES_MAX];
    admission_stripe stripes[ADMISSION_STRIPES];
};

void admission_create(struct admission *admission, const struct settings *settings);
void admission_destroy(struct admission *admission);
/* Seconds after which this client may ask again; 0: it may now, and one request is counted. */
int admission_rate(struct admission *admission, uint64_t client, uint64_t now_ns);
/* True: counted, and admission_leave() is owed. */
bool admission_enter(struct admission *admission, size_t route);
void admission_leave(struct admission *admission, size_t route);
int64_t admission_limit(const struct admission *admission, size_t route);

#endif
