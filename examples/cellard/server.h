/* What all parts of the server share. */
#ifndef CELLARD_SERVER_H
#define CELLARD_SERVER_H

#include "admission.h"
#include "auth.h"
#include "hot.h"
#include "metrics.h"
#include "peer.h"
#include "settings.h"
#include "waiter.h"

#include <cellar.h>
#include <microhttpd.h>
#include <stdatomic.h>

enum {
    SERVER_LEVEL_WARNING = 80, /* hundredths */
    SERVER_LEVEL_CRITICAL = 95
};

struct server {
    const struct settings *settings;
    cellar *store;
    struct auth auth;
    struct admission admission;
    struct metrics metrics;
    struct hot hot;
    struct peers peers;
    struct waiter waiter;
    struct MHD_Daemon *daemon;
    int quiesced_fd;  /* what was listened on; -1: it is closed with the daemon */
    char address[64]; /* as bound */
    uint64_t started_ns;
    struct text description; /* /openapi.json */
    _Atomic bool draining;
    _Atomic bool failed; /* a call answered FAILED: the log takes no commit any more */
    _Atomic int64_t under_way;
    _Atomic int64_t body_bytes;
};

/* False: `error` says why. */
bool server_start(struct server *server, const struct settings *settings, cellar *store,
                  char *error, size_t capacity);
/* Takes no new request, lets those under way end, as long as settings->drain_s allows. */
void server_stop(struct server *server);

#endif
