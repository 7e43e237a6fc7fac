/* What the library takes from lib/base beyond memory and checksums, for simulated threads: the
 * thread is remembered and spawned anew in each run, and an assertion ends the run, not the
 * process. Clock, futex and grace periods are in sim.c. */
#include "base/assert.h"
#include "base/thread.h"
#include "sim/sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
    memset(thread, 0, sizeof *thread);
    return true;
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
