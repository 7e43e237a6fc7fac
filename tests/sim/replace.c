/* What the library takes from lib/base beyond memory and checksums, for simulated threads: the
 * thread is remembered and spawned anew in each run, and an assertion ends the run, not the
 * process. What it takes from libc to lock and join is replaced by functions of the same name.
 * Clock, futex and grace periods are in sim.c. */
#include "sim/point.h"

#include "base/assert.h"
#include "base/thread.h"
#include "sim/access.h"
#include "sim/sim.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#define LIBRARY_THREADS_MAX 64

static struct sim_library_thread library_threads[LIBRARY_THREADS_MAX];
static unsigned library_thread_count;

bool thread_start(pthread_t *thread, const char *name, void *(*run)(void *argument),
                  void *argument) {
    if (library_thread_count == LIBRARY_THREADS_MAX) {
        return false;
    }
    library_threads[library_thread_count++] =
        (struct sim_library_thread){.name = name, .run = run, .argument = argument};
    *thread = (pthread_t)library_thread_count;
    return true;
}

int pthread_join(pthread_t thread, void **result) {
    (void)result;
    for (unsigned i = 0; i < sim_thread_count(); i++) {
        const struct sim_thread *other = sim_thread_at(i);
        if (other->argument == &library_threads[(unsigned)thread - 1]) {
            while (sim_current() != NULL && other->state != SIM_DONE) {
                sim_wait_on(&other->state);
            }
        }
    }
    return 0;
}

void sim_library_threads_keep(unsigned count) {
    library_thread_count = count < library_thread_count ? count : library_thread_count;
}

int sched_yield(void) {
    sim_yield();
    return 0;
}

/* Mutexes: a flag in the first word, which all zero means free. Initialising and destroying are
 * libc's own. Before and after are told to access.c. */
int pthread_mutex_lock(pthread_mutex_t *mutex) {
    int *locked = (int *)(void *)mutex;

    if (sim_current() == NULL) {
        return 0;
    }
    CELLAR_SCHEDULE_POINT();
    while (*locked != 0) {
        sim_wait_on(mutex);
    }
    *locked = 1;
    access_lock(mutex, true);
    return 0;
}

int pthread_mutex_unlock(pthread_mutex_t *mutex) {
    int *locked = (int *)(void *)mutex;

    if (sim_current() == NULL) {
        return 0;
    }
    access_lock(mutex, false);
    *locked = 0;
    sim_wake_all(mutex);
    return 0;
}

void thread_wake_soon(void) {}

unsigned sim_library_threads(const struct sim_library_thread **threads_out) {
    *threads_out = library_threads;
    return library_thread_count;
}

_Noreturn void assert_failed(const char *expression, const char *file, int line) {
    sim_fail("%s:%d: assertion failed: %s", file, line, expression);
    /* Outside any simulated thread there is no run to end. */
    (void)fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, expression);
    abort();
}
