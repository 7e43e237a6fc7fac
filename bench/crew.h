/* A crew: threads that start a load together, many times, and stop by time and by count. */
#ifndef BENCH_CREW_H
#define BENCH_CREW_H

#include "base/histogram.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define CREW_THREADS_MAX 1024
#define CREW_BATCH_MAX 64

struct worker {
    _Alignas(128) uint32_t index;
    uint64_t counter;  /* of the load: goes on from round to round */
    uint64_t last_lsn; /* of the load: what it committed last */
    uint64_t sink;     /* results go here, so that the compiler must compute them */
    uint64_t done;     /* operations of this round */
    int64_t end_ns;
    bool failed;
    struct histogram latency;
    struct crew *crew;
    pthread_t thread;
};

/* Something to run again and again. */
struct load {
    const char *name;
    /* Does `count` operations on the worker's thread; returns how many were done, fewer when one
     * failed. */
    uint64_t (*run)(void *context, struct worker *worker, uint64_t count);
    /* Returns when all that the workers did is on disk; its time belongs to the round. NULL:
     * nothing to wait for. */
    bool (*settle)(void *context, const struct worker *workers, uint32_t worker_count);
    void *context;
    uint32_t
        batch; /* operations between two looks at the clock's verdict, at most CREW_BATCH_MAX */
    uint32_t sample_every; /* in a round that measures latency, one of so many is timed */
    uint32_t weight;       /* what each of them counts in the rate; 0: one */
};

struct crew {
    uint32_t thread_count;
    struct worker *workers;
    pthread_barrier_t start;
    pthread_barrier_t end;
    sem_t all_ended;
    const struct load *load;
    uint32_t sample_every; /* 0: a round without clocks */
    bool quit;
    _Alignas(128) _Atomic bool stop;
    _Alignas(128) _Atomic int64_t budget;
    _Alignas(128) _Atomic uint32_t running;
};

struct crew_round {
    double seconds;
    uint64_t done;
    double rate;
    uint64_t last_lsn; /* the highest of all workers */
    bool spent;        /* the count was used up before the time */
};

/* False when there are not enough threads or memory. */
bool crew_start(struct crew *crew, uint32_t thread_count);
void crew_end(struct crew *crew);
/* One round of at most `seconds` and about `count_max` operations; `latency_out` (may be NULL) is
 * added to, and says that latency is to be measured. False when the load failed or the user
 * interrupts. */
bool crew_run(struct crew *crew, const struct load *load, double seconds, uint64_t count_max,
              struct histogram *latency_out, struct crew_round *round_out);

#endif
