#include "peer.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

#define NANOSECONDS UINT64_C(1000000000)

uint64_t peer_clock_ns(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NANOSECONDS + (uint64_t)now.tv_nsec;
}

struct peer *peers_add(struct peers *peers, int fd, uint64_t address) {
    struct peer *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return NULL;
    }
    made->fd = fd;
    made->address = address;
    atomic_init(&made->since_ns, peer_clock_ns());
    atomic_init(&made->idle, true);
    (void)pthread_mutex_lock(&peers->lock);
    made->next = peers->first;
    if (peers->first != NULL) {
        peers->first->before = made;
    }
    peers->first = made;
    (void)pthread_mutex_unlock(&peers->lock);
    (void)atomic_fetch_add_explicit(&peers->count, 1, memory_order_relaxed);
    return made;
}

void peers_remove(struct peers *peers, struct peer *peer) {
    (void)pthread_mutex_lock(&peers->lock);
    if (peer->before != NULL) {
        peer->before->next = peer->next;
    } else {
        peers->first = peer->next;
    }
    if (peer->next != NULL) {
        peer->next->before = peer->before;
    }
    (void)pthread_mutex_unlock(&peers->lock);
    (void)atomic_fetch_sub_explicit(&peers->count, 1, memory_order_relaxed);
    free(peer);
}

int64_t peers_level(struct peers *peers) {
    int64_t count = atomic_load_explicit(&peers->count, memory_order_relaxed);
    return count * 100 / peers->settings->connections;
}

/* An idle connection on which nothing came would have been ended by the HTTP library after the idle
 * timeout. One that is still there a request's time later is sending headers, drop by drop. */
static bool is_slow(const struct peers *peers, const struct peer *peer, uint64_t now_ns) {
    uint64_t since_ns = atomic_load_explicit(&peer->since_ns, memory_order_relaxed);
    int64_t allowed_s = peers->settings->request_timeout_s;
    if (atomic_load_explicit(&peer->waits, memory_order_relaxed)) {
        return false;
    }
    if (atomic_load_explicit(&peer->idle, memory_order_relaxed)) {
        allowed_s += peers->settings->idle_timeout_s;
    }
    return now_ns > since_ns && now_ns - since_ns > (uint64_t)allowed_s * NANOSECONDS;
}

static void *peers_run(void *context) {
    struct peers *peers = context;
    (void)pthread_mutex_lock(&peers->lock);
    while (!peers->stopping) {
        uint64_t now_ns = peer_clock_ns();
        for (struct peer *peer = peers->first; peer != NULL; peer = peer->next) {
            if (is_slow(peers, peer, now_ns)) {
                /* The descriptor is closed only after peers_remove(), which needs the lock. */
                (void)shutdown(peer->fd, SHUT_RDWR);
                (void)atomic_fetch_add_explicit(&peers->closed_slow, 1, memory_order_relaxed);
                atomic_store_explicit(&peer->since_ns, now_ns, memory_order_relaxed);
            }
        }
        struct timespec until;
        (void)clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += 1;
        (void)pthread_cond_timedwait(&peers->wake, &peers->lock, &until);
    }
    (void)pthread_mutex_unlock(&peers->lock);
    return NULL;
}

bool peers_start(struct peers *peers, const struct settings *settings) {
    pthread_condattr_t attributes;
    sigset_t all;
    sigset_t before;
    peers->settings = settings;
    (void)pthread_mutex_init(&peers->lock, NULL);
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&peers->wake, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    peers->started = pthread_create(&peers->thread, NULL, peers_run, peers) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return peers->started;
}

void peers_stop(struct peers *peers) {
    if (peers->started) {
        (void)pthread_mutex_lock(&peers->lock);
        peers->stopping = true;
        (void)pthread_cond_signal(&peers->wake);
        (void)pthread_mutex_unlock(&peers->lock);
        (void)pthread_join(peers->thread, NULL);
    }
    (void)pthread_cond_destroy(&peers->wake);
    (void)pthread_mutex_destroy(&peers->lock);
}
