/* The connections there are, and the thread that ends those whose client takes too long. The HTTP
 * library ends a connection on which nothing happens at all; a client that sends a byte now and
 * then is ended here. */
#ifndef CELLARD_PEER_H
#define CELLARD_PEER_H

#include "settings.h"

#include <pthread.h>
#include <stdatomic.h>

struct peer {
    struct peer *next;
    struct peer *before;
    int fd;
    uint64_t address; /* a hash of it */
    /* When the client began what it is at: a request, or (idle) the wait for one. */
    _Atomic uint64_t since_ns;
    _Atomic bool idle;
    /* It waits for us, not we for it. */
    _Atomic bool waits;
};

struct peers {
    const struct settings *settings;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct peer *first;
    bool stopping;
    bool started;
    pthread_t thread;
    _Atomic int64_t count;
    _Atomic uint64_t closed_slow;
};

bool peers_start(struct peers *peers, const struct settings *settings);
void peers_stop(struct peers *peers);
/* NULL when there is no memory. */
struct peer *peers_add(struct peers *peers, int fd, uint64_t address);
void peers_remove(struct peers *peers, struct peer *peer);
/* In hundredths of the limit. */
int64_t peers_level(struct peers *peers);

uint64_t peer_clock_ns(void);

#endif
