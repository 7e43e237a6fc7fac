/* Requests that wait for the log: until their commit is on disk, until the lists include the
 * commit they named, or until there is space again. Their connections are suspended, so no serving
 * thread waits; one thread sleeps on cellar's event descriptor and resumes them, in the order of
 * their commits. */
#ifndef CELLARD_WAITER_H
#define CELLARD_WAITER_H

#include "request.h"

#include <pthread.h>
#include <stdatomic.h>

typedef struct waiter_entry {
    uint64_t lsn;
    struct request *request;
} waiter_entry;

struct waiter {
    cellar *store;
    int durable_fd;
    int kick_fd;
    pthread_t thread;
    bool started;
    _Atomic bool stopping;
    struct request *_Atomic arrived; /* pushed by serving threads */
    waiter_entry *syncing;           /* a heap: the lowest LSN first */
    size_t syncing_count;
    struct request *polling; /* what has no event: following and retrying */
    _Atomic size_t waiting;
    _Atomic bool log_failed;
};

/* `capacity` requests at most will ever wait together. */
bool waiter_start(struct waiter *waiter, cellar *store, size_t capacity);
/* To be called when nothing is added any more; returns when all have been resumed. */
void waiter_stop(struct waiter *waiter);
/* Suspends the request's connection. From here on the request belongs to the waiter, which may
 * resume it before this returns. */
void waiter_add(struct waiter *waiter, struct request *request);

#endif
