#include "health.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/statvfs.h>
#include <unistd.h>

const char *const health_levels[] = {NULL, "up", "warning", "critical", "down", FIELD_CHOICES_END};

/* The 80 and 95 % that the alert rules know as well. */
static int level_of(int64_t hundredths) {
    if (hundredths >= SERVER_LEVEL_CRITICAL) {
        return HEALTH_CRITICAL;
    }
    return hundredths >= SERVER_LEVEL_WARNING ? HEALTH_WARNING : HEALTH_UP;
}

int64_t health_ring_level(const struct server *server, const cellar_statistics *statistics) {
    uint64_t used = statistics->reserved_lsn - statistics->reclaimed_lsn;
    return (int64_t)(used * 100 / (uint64_t)server->settings->ring_bytes);
}

int64_t health_disk_level(const struct server *server) {
    struct statvfs disk;
    if (statvfs(server->settings->data, &disk) != 0 || disk.f_blocks == 0) {
        return 0;
    }
    uint64_t reachable = disk.f_blocks - disk.f_bfree + disk.f_bavail;
    return reachable == 0 ? 100 : 100 - (int64_t)((uint64_t)disk.f_bavail * 100 / reachable);
}

/* The number that stands first in a file, or -1. */
static int64_t read_number(const char *path, const char *format) {
    int64_t number = -1;
    FILE *file = fopen(path, "re");
    if (file != NULL) {
        if (fscanf(file, format, &number) != 1) {
            number = -1;
        }
        (void)fclose(file);
    }
    return number;
}

int64_t health_resident_bytes(void) {
    int64_t pages = read_number("/proc/self/statm", "%*d %" SCNd64);
    return pages < 0 ? 0 : pages * sysconf(_SC_PAGESIZE);
}

int64_t health_memory_limit_bytes(void) {
    int64_t machine = (int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE);
    int64_t group = read_number("/sys/fs/cgroup/memory.max", "%" SCNd64);
    return group > 0 && group < machine ? group : machine;
}

static bool log_has_failed(struct server *server) {
    return atomic_load_explicit(&server->failed, memory_order_relaxed) ||
           atomic_load_explicit(&server->waiter.log_failed, memory_order_relaxed);
}

static void set(health_component *component, const char *name, int level, const char *format,
                int64_t number) {
    component->name = name;
    component->level = level;
    (void)snprintf(component->about, sizeof component->about, "%" PRId64 "%s", number, format);
}

void health_look(struct server *server, struct health *health) {
    cellar_statistics statistics = {.reserved_lsn = 0};
    cellar_status status = cellar_statistics_get(server->store, &statistics);
    health_component *at = health->components;
    int64_t ring = health_ring_level(server, &statistics);
    int64_t disk = health_disk_level(server);
    int64_t connections = peers_level(&server->peers);
    int64_t memory = health_resident_bytes() * 100 / health_memory_limit_bytes();
    int64_t bodies = atomic_load_explicit(&server->body_bytes, memory_order_relaxed) * 100 /
                     server->settings->body_budget_bytes;
    bool failed = log_has_failed(server) || status != CELLAR_OK;
    bool draining = atomic_load_explicit(&server->draining, memory_order_relaxed);
    set(&at[0], "log", failed ? HEALTH_DOWN : HEALTH_UP, " is the durable LSN",
        (int64_t)statistics.durable_lsn);
    set(&at[1], "ring", level_of(ring), " % of the log ring in use", ring);
    set(&at[2], "disk", level_of(disk), " % of the file system in use", disk);
    set(&at[3], "connections", level_of(connections), " % of the connections in use", connections);
    set(&at[4], "bodies", level_of(bodies), " % of the memory for bodies in use", bodies);
    set(&at[5], "memory", level_of(memory), " % of the memory in use", memory);
    set(&at[6], "serving", draining ? HEALTH_DOWN : HEALTH_UP, " requests under way",
        atomic_load_explicit(&server->under_way, memory_order_relaxed));
    health->level = HEALTH_UP;
    for (size_t i = 0; i < HEALTH_COMPONENTS; i++) {
        health->level = at[i].level > health->level ? at[i].level : health->level;
    }
}

bool health_is_ready(struct server *server) {
    return !log_has_failed(server) &&
           !atomic_load_explicit(&server->draining, memory_order_relaxed);
}
