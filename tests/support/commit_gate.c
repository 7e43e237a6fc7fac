/* Gates behind one lock: exact interleavings need no speed. */
#include "support/commit_gate.h"

#include "base/assert.h"
#include "base/probe.h"

#include <pthread.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

#define GATES_MAX 1024
#define GATE_SECONDS_MAX 20

struct commit_gate {
    unsigned name;
    unsigned hits_left;
    const char *point;
    void (*function)(void *context);
    void *context;
    uint64_t argument;
    bool closed;
    bool standing;
};

static struct commit_gate gates[GATES_MAX];
static size_t gate_count;
static pthread_mutex_t gate_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t gate_changed = PTHREAD_COND_INITIALIZER;
static _Thread_local unsigned gate_name;

void commit_gate_name(unsigned name) {
    gate_name = name;
}

static void gate_stand(struct commit_gate *gate, uint64_t argument) {
    gate->argument = argument;
    gate->standing = true;
    pthread_cond_broadcast(&gate_changed);
    while (gate->closed) {
        pthread_cond_wait(&gate_changed, &gate_lock);
    }
    gate->standing = false;
}

static void gate_hit(const char *point, uint64_t argument) {
    if (gate_name == 0) {
        return;
    }
    pthread_mutex_lock(&gate_lock);
    for (size_t i = 0; i < gate_count; i++) {
        struct commit_gate *gate = &gates[i];
        if (gate->name != gate_name || strcmp(gate->point, point) != 0) {
            continue;
        }
        if (gate->function != NULL) {
            pthread_mutex_unlock(&gate_lock);
            gate->function(gate->context);
            pthread_mutex_lock(&gate_lock);
        } else if (gate->hits_left > 0 && --gate->hits_left == 0) {
            gate_stand(gate, argument);
        }
    }
    pthread_mutex_unlock(&gate_lock);
}

void commit_gate_reset(void) {
    pthread_mutex_lock(&gate_lock);
    for (size_t i = 0; i < gate_count; i++) {
        ASSERT(!gates[i].standing);
    }
    memset(gates, 0, sizeof gates);
    gate_count = 0;
    pthread_mutex_unlock(&gate_lock);
    atomic_store(&probe_installed, gate_hit);
}

void commit_gate_remove(void) {
    atomic_store(&probe_installed, NULL);
    pthread_mutex_lock(&gate_lock);
    for (size_t i = 0; i < gate_count; i++) {
        gates[i].closed = false;
    }
    pthread_cond_broadcast(&gate_changed);
    pthread_mutex_unlock(&gate_lock);
}

static struct commit_gate *gate_add(const struct commit_gate *description) {
    ASSERT(description->name != 0);
    pthread_mutex_lock(&gate_lock);
    ASSERT(gate_count < GATES_MAX);
    struct commit_gate *gate = &gates[gate_count++];
    *gate = *description;
    pthread_mutex_unlock(&gate_lock);
    return gate;
}

struct commit_gate *commit_gate_close(unsigned name, const char *point, unsigned hit) {
    ASSERT(hit > 0);
    return gate_add(
        &(struct commit_gate){.name = name, .hits_left = hit, .point = point, .closed = true});
}

void commit_gate_call(unsigned name, const char *point, void (*function)(void *context),
                      void *context) {
    gate_add(&(struct commit_gate){
        .name = name, .point = point, .function = function, .context = context});
}

uint64_t commit_gate_await(struct commit_gate *gate) {
    struct timespec deadline;

    (void)clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += GATE_SECONDS_MAX;
    pthread_mutex_lock(&gate_lock);
    while (!gate->standing) {
        int late = pthread_cond_timedwait(&gate_changed, &gate_lock, &deadline);
        ASSERT(late == 0); /* Nobody came to the gate. */
    }
    uint64_t argument = gate->argument;
    pthread_mutex_unlock(&gate_lock);
    return argument;
}

bool commit_gate_is_reached(struct commit_gate *gate) {
    pthread_mutex_lock(&gate_lock);
    bool reached = gate->standing;
    pthread_mutex_unlock(&gate_lock);
    return reached;
}

void commit_gate_open(struct commit_gate *gate) {
    pthread_mutex_lock(&gate_lock);
    gate->closed = false;
    pthread_cond_broadcast(&gate_changed);
    pthread_mutex_unlock(&gate_lock);
}
