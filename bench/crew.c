/* Threads live as long as the crew, so that whatever a thread does once (its registration with
 * userspace RCU, its share of the allocator, its stack's pages) is done in the warm-up round and
 * not in the measured ones. */
#include "crew.h"

#include "base/clock.h"
#include "bench.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* How many operations the worker may do next; 0 at the end of the round. One shared addition for a
 * batch. */
static uint64_t crew_take(struct crew *crew, uint32_t batch) {
    if (atomic_load_explicit(&crew->stop, memory_order_relaxed)) {
        return 0;
    }
    int64_t left = atomic_load_explicit(&crew->budget, memory_order_relaxed);
    if (left == INT64_MAX) {
        return batch;
    }
    left = atomic_fetch_sub_explicit(&crew->budget, batch, memory_order_relaxed);
    if (left <= 0) {
        return 0;
    }
    return left < (int64_t)batch ? (uint64_t)left : batch;
}

static void worker_round(struct worker *worker) {
    struct crew *crew = worker->crew;
    const struct load *load = crew->load;
    uint32_t sample_every = crew->sample_every;
    uint32_t batch = sample_every != 0 ? sample_every : load->batch;
    uint64_t granted = 0;

    while ((granted = crew_take(crew, batch)) != 0) {
        uint64_t untimed = sample_every != 0 ? granted - 1 : granted;
        uint64_t done = untimed != 0 ? load->run(load->context, worker, untimed) : 0;
        if (done == untimed && sample_every != 0) {
            int64_t before = clock_monotonic_ns();
            done += load->run(load->context, worker, 1);
            histogram_record(&worker->latency, clock_monotonic_ns() - before);
        }
        worker->done += done;
        if (done != granted) {
            worker->failed = true;
            atomic_store_explicit(&crew->stop, true, memory_order_relaxed);
            break;
        }
    }
    worker->end_ns = clock_monotonic_ns();
}

static void *worker_main(void *argument) {
    struct worker *worker = argument;
    struct crew *crew = worker->crew;

    for (;;) {
        pthread_barrier_wait(&crew->start);
        if (crew->quit) {
            return NULL;
        }
        worker_round(worker);
        if (atomic_fetch_sub(&crew->running, 1) == 1) {
            sem_post(&crew->all_ended);
        }
        pthread_barrier_wait(&crew->end);
    }
}

bool crew_start(struct crew *crew, uint32_t thread_count) {
    memset(crew, 0, sizeof *crew);
    crew->workers = aligned_alloc(_Alignof(struct worker), thread_count * sizeof *crew->workers);
    if (crew->workers == NULL) {
        return false;
    }
    memset(crew->workers, 0, thread_count * sizeof *crew->workers);
    pthread_barrier_init(&crew->start, NULL, thread_count + 1);
    pthread_barrier_init(&crew->end, NULL, thread_count + 1);
    sem_init(&crew->all_ended, 0, 0);
    crew->thread_count = thread_count;
    for (uint32_t i = 0; i < thread_count; i++) {
        struct worker *worker = &crew->workers[i];
        worker->index = i;
        worker->crew = crew;
        if (pthread_create(&worker->thread, NULL, worker_main, worker) != 0) {
            /* Those that run already wait at a barrier that cannot open: they stay there until the
             * program ends. */
            return false;
        }
    }
    return true;
}

void crew_end(struct crew *crew) {
    crew->quit = true;
    pthread_barrier_wait(&crew->start);
    for (uint32_t i = 0; i < crew->thread_count; i++) {
        pthread_join(crew->workers[i].thread, NULL);
    }
    pthread_barrier_destroy(&crew->start);
    pthread_barrier_destroy(&crew->end);
    sem_destroy(&crew->all_ended);
    free(crew->workers);
}

/* Sleeps until the time is over or all workers have ended by themselves. True when the time was
 * over. */
static bool crew_watch(struct crew *crew, int64_t deadline_ns) {
    struct timespec deadline = {.tv_sec = (time_t)(deadline_ns / NANOSECONDS_PER_SECOND),
                                .tv_nsec = (long)(deadline_ns % NANOSECONDS_PER_SECOND)};
    int result = 0;

    while ((result = sem_clockwait(&crew->all_ended, CLOCK_MONOTONIC, &deadline)) != 0 &&
           errno == EINTR && !bench_interrupted()) {
    }
    return result != 0;
}

static bool crew_collect(struct crew *crew, struct histogram *latency_out, int64_t *end_ns,
                         struct crew_round *round_out) {
    bool failed = false;

    for (uint32_t i = 0; i < crew->thread_count; i++) {
        struct worker *worker = &crew->workers[i];
        round_out->done += worker->done;
        if (worker->last_lsn > round_out->last_lsn) {
            round_out->last_lsn = worker->last_lsn;
        }
        if (worker->end_ns > *end_ns) {
            *end_ns = worker->end_ns;
        }
        if (latency_out != NULL) {
            histogram_merge(latency_out, &worker->latency);
        }
        failed = failed || worker->failed;
    }
    return !failed;
}

bool crew_run(struct crew *crew, const struct load *load, double seconds, uint64_t count_max,
              struct histogram *latency_out, struct crew_round *round_out) {
    memset(round_out, 0, sizeof *round_out);
    for (uint32_t i = 0; i < crew->thread_count; i++) {
        struct worker *worker = &crew->workers[i];
        worker->done = 0;
        worker->failed = false;
        if (latency_out != NULL) {
            histogram_reset(&worker->latency);
        }
    }
    crew->load = load;
    crew->sample_every = latency_out != NULL ? load->sample_every : 0;
    atomic_store(&crew->stop, false);
    atomic_store(&crew->budget, count_max != 0 ? (int64_t)count_max : INT64_MAX);
    atomic_store(&crew->running, crew->thread_count);

    int64_t start_ns = clock_monotonic_ns();
    pthread_barrier_wait(&crew->start);
    bool by_time = crew_watch(crew, start_ns + (int64_t)(seconds * 1e9));
    int64_t stop_ns = clock_monotonic_ns();
    atomic_store(&crew->stop, true);
    pthread_barrier_wait(&crew->end);
    while (sem_trywait(&crew->all_ended) == 0) {
    }

    int64_t end_ns = 0;
    bool ok = crew_collect(crew, latency_out, &end_ns, round_out);
    /* After the stop no worker does more than it had begun: the time in which they notice it is no
     * working time. */
    end_ns = by_time ? stop_ns : end_ns;
    if (ok && load->settle != NULL) {
        ok = load->settle(load->context, crew->workers, crew->thread_count);
        end_ns = clock_monotonic_ns();
    }
    round_out->spent = !by_time;
    round_out->seconds = (double)(end_ns - start_ns) / 1e9;
    double weight = load->weight != 0 ? load->weight : 1;
    round_out->rate = weight * (double)round_out->done / round_out->seconds;
    return ok && !bench_interrupted();
}
