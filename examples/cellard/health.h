/* How the server is: components with a level each, for /health, /readyz and /metrics. */
#ifndef CELLARD_HEALTH_H
#define CELLARD_HEALTH_H

#include "server.h"

typedef enum health_level {
    HEALTH_UP = 1,
    HEALTH_WARNING = 2,
    HEALTH_CRITICAL = 3,
    HEALTH_DOWN = 4
} health_level;

enum {
    HEALTH_COMPONENTS = 7
};

typedef struct health_component {
    const char *name;
    int level;
    char about[96];
} health_component;

struct health {
    int level; /* the worst of them */
    health_component components[HEALTH_COMPONENTS];
};

extern const char *const health_levels[];

void health_look(struct server *server, struct health *health);
/* May requests be sent here? */
bool health_is_ready(struct server *server);
/* The share of the ring that is taken, in hundredths. */
int64_t health_ring_level(const struct server *server, const cellar_statistics *statistics);
int64_t health_disk_level(const struct server *server);
/* What this process has in memory, and what it may have: the machine's memory, or the limit of its
 * control group. */
int64_t health_resident_bytes(void);
int64_t health_memory_limit_bytes(void);

#endif
