/* Does a lease have one holder at a time? Threads take turns by it at adding to a number that
 * nothing else protects.
 *
 * SEED= repeats the random choices, STRESS=n makes it n times as long. */
#include "cellar.h"

#include "base/assert.h"
#include "base/clock.h"
#include "support/chaos.h"
#include "support/model_files.h"
#include "support/random.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define SCALE 0.1
#else
#define SCALE 1
#endif
#define THREADS_MAX 32
#define TURNS 1500

struct run {
    cellar *store;
    char path[MODEL_PATH_BYTES];
    uint64_t seed;
    uint32_t threads;
    uint32_t rounds; /* of each thread */
    pthread_barrier_t barrier;
    _Atomic uint64_t wrong;
    _Atomic uint32_t number;
};

struct worker {
    struct run *run;
    uint32_t number;
    pthread_t thread;
    struct random random;
};

static void note_wrong(struct run *run, const char *what, int64_t a, int64_t b) {
    if (atomic_fetch_add(&run->wrong, 1) == 0) {
        (void)printf("# %s: %lld, %lld\n", what, (long long)a, (long long)b);
    }
}

static void expect(struct run *run, const char *what, cellar_status status) {
    if (status != CELLAR_OK) {
        note_wrong(run, what, status, 0);
    }
}

static void lease_turn(struct worker *worker) {
    struct run *run = worker->run;
    cellar_ticket ticket;
    for (;;) {
        cellar_status status = cellar_lease_acquire(run->store, NULL, "turn", worker->number + 1,
                                                    600000, &ticket, NULL);
        if (status == CELLAR_OK) {
            break;
        }
        if (status != CELLAR_LEASE_HELD) {
            note_wrong(run, "acquire", status, 0);
            return;
        }
        clock_sleep_ns((int64_t)(1000 + random_below(&worker->random, 50000)));
    }
    /* Two at once would lose an addition. */
    uint32_t number = atomic_load_explicit(&run->number, memory_order_relaxed);
    if (random_below(&worker->random, 16) == 0) {
        clock_sleep_ns(20000);
    }
    atomic_store_explicit(&run->number, number + 1, memory_order_relaxed);
    expect(run, "check", cellar_lease_check(run->store, "turn", ticket.lsn));
    expect(run, "release", cellar_lease_release(run->store, NULL, "turn", ticket.lsn, NULL, NULL));
}

static void *lease_run(void *argument) {
    struct worker *worker = argument;
    pthread_barrier_wait(&worker->run->barrier);
    for (uint32_t round = 0; round < worker->run->rounds; round++) {
        lease_turn(worker);
    }
    return NULL;
}

static void turns_check(struct run *run) {
    cellar_audit audit;
    uint32_t wanted = run->rounds * run->threads;
    if (run->number != wanted) {
        note_wrong(run, "turns", run->number, wanted);
    }
    expect(run, "audit", cellar_audit_run(run->store, &audit));
    if (audit.violations != 0 || audit.totals.leases != 1) {
        note_wrong(run, audit.first_violation, (int64_t)audit.violations,
                   (int64_t)audit.totals.leases);
    }
}

static bool run_case(int number, uint64_t seed, uint32_t threads, bool chaotic) {
    static struct worker workers[THREADS_MAX];
    struct run run = {.seed = seed, .threads = threads};

    model_files_path(run.path, "engine-leases");
    run.store = model_files_open(run.path, 1U << 18, false, false);
    run.rounds = 1 + (uint32_t)(TURNS * SCALE * model_files_stress()) / threads;
    if (chaotic) {
        chaos_start(80, 2);
    }
    pthread_barrier_init(&run.barrier, NULL, threads);
    for (uint32_t i = 0; i < threads; i++) {
        workers[i] = (struct worker){.run = &run, .number = i, .random = {seed + i}};
        int failed = pthread_create(&workers[i].thread, NULL, lease_run, &workers[i]);
        ASSERT(failed == 0);
    }
    for (uint32_t i = 0; i < threads; i++) {
        pthread_join(workers[i].thread, NULL);
    }
    pthread_barrier_destroy(&run.barrier);
    chaos_stop();
    turns_check(&run);
    model_files_close(run.store);
    model_files_remove(run.path);
    (void)printf("%s %d - %u threads%s: %u turns\n", run.wrong == 0 ? "ok" : "not ok", number,
                 threads, chaotic ? ", chaos" : "", run.number);
    (void)fflush(stdout);
    return run.wrong == 0;
}

int main(void) {
    uint64_t seed = random_seed_of_run();

    (void)printf("1..2\n");
    bool right = run_case(1, seed, THREADS_MAX, false);
    right = run_case(2, seed, 8, true) && right;
    return right ? 0 : 1;
}
