#include "server.h"

#include "http.h"
#include "openapi.h"

#include <stdio.h>
#include <sys/resource.h>
#include <time.h>

enum {
    FILES_BESIDES = 512 /* descriptors for all that is no connection */
};
#define DRAIN_STEP_NS 5000000
#define SEND_NS UINT64_C(500000000)

/* Each connection is a descriptor; the soft limit of most systems is 1,024. */
static bool server_allow_files(const struct settings *settings, char *error, size_t capacity) {
    struct rlimit limit;
    rlim_t wanted = (rlim_t)settings->connections + FILES_BESIDES;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted) {
        return true;
    }
    limit.rlim_cur = wanted < limit.rlim_max ? wanted : limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur < wanted) {
        (void)snprintf(error, capacity,
                       "connections: %lld need %llu open files, and %llu are allowed",
                       (long long)settings->connections, (unsigned long long)wanted,
                       (unsigned long long)limit.rlim_max);
        return false;
    }
    return true;
}

bool server_start(struct server *server, const struct settings *settings, cellar *store,
                  char *error, size_t capacity) {
    server->settings = settings;
    server->store = store;
    server->started_ns = peer_clock_ns();
    hot_create(&server->hot);
    admission_create(&server->admission, settings);
    text_create(&server->description);
    openapi_write(&server->description);
    if (server->description.failed ||
        !waiter_start(&server->waiter, store, (size_t)settings->connections + 1) ||
        !peers_start(&server->peers, settings)) {
        (void)snprintf(error, capacity, "out of memory, threads or descriptors");
        return false;
    }
    return server_allow_files(settings, error, capacity) && http_start(server, error, capacity);
}

/* Waits until no request is under way, until `deadline_ns`. */
static void server_drain(struct server *server, uint64_t deadline_ns) {
    const struct timespec step = {.tv_nsec = DRAIN_STEP_NS};
    while (atomic_load(&server->under_way) != 0 && peer_clock_ns() < deadline_ns) {
        (void)nanosleep(&step, NULL);
    }
}

void server_stop(struct server *server) {
    uint64_t drain_ns = (uint64_t)server->settings->drain_s * UINT64_C(1000000000);
    atomic_store(&server->draining, true);
    if (server->daemon != NULL) {
        http_quiesce(server);
        server_drain(server, peer_clock_ns() + drain_ns);
    }
    /* A new request is refused by now, so nothing is added to the waiter but by a handler that has
     * begun before; whoever waits is answered, for the log goes on or has failed. */
    while (atomic_load(&server->waiter.waiting) != 0) {
        server_drain(server, peer_clock_ns() + DRAIN_STEP_NS);
    }
    /* Their answers are ready, but not sent yet. */
    server_drain(server, peer_clock_ns() + SEND_NS);
    if (server->daemon != NULL) {
        http_stop(server);
    }
    waiter_stop(&server->waiter);
    peers_stop(&server->peers);
    admission_destroy(&server->admission);
    hot_destroy(&server->hot);
    text_destroy(&server->description);
}
