/* Is what many threads do at once as if they had done it one after the other, in the order of the
 * LSNs?
 *
 * Threads make random calls on a few products, accounts and ids, so that most calls meet others in
 * flight and requests are repeated while the first one is still running. Then the history is
 * replayed on the model (see support/history.h), the whole store is compared with what the model
 * has become, is opened again and compared again. The lock-free commit, with and without
 * preemption imitated at its probe points, and the oracle under one mutex are held to the same.
 *
 * SEED= repeats the random choices (the interleaving is the machine's), STRESS=n makes it n times
 * as long. With OPERATIONS=n in the environment (`make history`) longer histories are made and
 * checked until they hold so many operations, and at the end every kind of change must have been
 * done. */
#include "cellar.h"

#include "base/assert.h"
#include "base/clock.h"
#include "support/chaos.h"
#include "support/history.h"
#include "support/model_files.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define CALLS 5000
#else
#define CALLS 14000
#endif
/* Of one history of the long form. */
#define CALLS_LONG 40000
#define SKUS 8
#define ACCOUNTS 4
#define IDS_OPEN 12
/* Calls of all threads for each id. */
#define CALLS_PER_ID 6
#define THREADS_MAX 300
#define UNITS 60

enum mode {
    CALM,
    CHAOS,
    ORACLE
};
static const char *const mode_names[] = {"calm", "chaos", "oracle"};

/* Over all cases. */
static uint64_t operations;
static uint64_t done_of_kind[MODEL_KINDS];

struct run {
    struct model model;
    struct random random;
    cellar *store;
    char path[MODEL_PATH_BYTES];
    uint64_t seed;
    bool oracle;
    uint64_t numbers[MODEL_SKUS];
    _Atomic uint32_t calls;
    pthread_barrier_t start;
    struct history histories[THREADS_MAX];
};

struct worker {
    struct run *run;
    struct history *history;
    uint32_t number;
    uint32_t calls;
    pthread_t thread;
};

/* ---- Threads ---- */

/* The oracle changes one cell after the other, and readers do not wait for it: what stands in two
 * cells is not asked of it, nor are those that count for refusals changed together. */
static bool worker_needs_pairs(enum model_kind kind) {
    return kind == MODEL_STOCK_GET || kind == MODEL_ACCOUNT_GET || kind == MODEL_SAFETY ||
           kind == MODEL_FLOOR;
}

static void *worker_run(void *argument) {
    struct worker *worker = argument;
    struct run *run = worker->run;
    struct random random = {run->seed + worker->number * UINT64_C(1000003)};
    struct model_mix mix = {.skus = SKUS,
                            .locations = MODEL_LOCATIONS,
                            .accounts = ACCOUNTS,
                            .id_count = IDS_OPEN,
                            .salt = run->seed,
                            .reads = true,
                            .units = UNITS};

    pthread_barrier_wait(&run->start);
    for (uint32_t i = 0; i < worker->calls; i++) {
        struct model_call call;
        uint32_t made = atomic_fetch_add_explicit(&run->calls, 1, memory_order_relaxed);
        mix.id_first = 1 + made / CALLS_PER_ID;
        do {
            model_draw(&random, &mix, &call);
        } while (run->oracle && worker_needs_pairs(call.kind));
        if (call.kind == MODEL_QUOTE) {
            /* One of many lines looks at them one after the other. */
            call.line_count = 1;
            call.account = 0;
        }
        history_run(worker->history, run->store, run->numbers, NULL, &call);
    }
    return NULL;
}

/* One call before the threads begin, on the model as well. */
static bool run_prepare_call(struct run *run, struct model_call call) {
    struct model_answer answer;

    model_run(run->store, run->model.numbers, NULL, &call, &answer);
    return answer.status == CELLAR_OK && model_judge(&run->model, &call, &answer) &&
           model_apply(&run->model, &call, &answer);
}

static bool run_prepare(struct run *run) {
    bool right = true;

    for (uint32_t sku = 0; sku < SKUS; sku++) {
        struct model_call put = {.kind = MODEL_PUT, .line_count = 1, .few = {{.sku = sku}}};
        struct model_call receive = {
            .kind = MODEL_RECEIVE, .line_count = 1, .few = {{.sku = sku, .quantity = UNITS}}};
        right = right && run_prepare_call(run, put) && run_prepare_call(run, receive);
        run->numbers[sku] = run->model.numbers[sku];
    }
    /* The last one is left to the threads. */
    for (uint64_t account = 1; account < ACCOUNTS; account++) {
        struct model_call open = {.kind = MODEL_OPEN, .account = account, .amount = -1000};
        right = right && run_prepare_call(run, open);
    }
    /* Snapshots are of what the log writer has met: of nothing before this. */
    return right && cellar_wait(run->store, run->model.last_lsn, -1) == CELLAR_OK;
}

static void run_threads(struct run *run, uint32_t threads, uint32_t calls) {
    struct worker *workers = calloc(threads, sizeof *workers);

    ASSERT(workers != NULL);
    pthread_barrier_init(&run->start, NULL, threads);
    for (uint32_t i = 0; i < threads; i++) {
        workers[i] = (struct worker){
            .run = run, .history = &run->histories[i], .number = i, .calls = calls / threads};
        history_create(workers[i].history, workers[i].calls);
        int failed = pthread_create(&workers[i].thread, NULL, worker_run, &workers[i]);
        ASSERT(failed == 0);
    }
    for (uint32_t i = 0; i < threads; i++) {
        pthread_join(workers[i].thread, NULL);
    }
    pthread_barrier_destroy(&run->start);
    free(workers);
}

/* ---- One case ---- */

static bool run_check(struct run *run, uint32_t threads, struct history_report *report) {
    if (!history_check(run->histories, threads, &run->model, run->store, report) ||
        !model_compare(&run->model, run->store, &run->random)) {
        return false;
    }
    model_files_close(run->store);
    run->store = model_files_open(run->path, 0, false, run->oracle);
    return model_compare(&run->model, run->store, &run->random);
}

static void run_count(const struct run *run, uint32_t threads,
                      const struct history_report *report) {
    operations += report->changes + report->others;
    for (uint32_t i = 0; i < threads; i++) {
        for (size_t k = 0; k < run->histories[i].count; k++) {
            const struct history_entry *entry = &run->histories[i].entries[k];
            done_of_kind[entry->call.kind] += model_is_change(&entry->call, &entry->answer);
        }
    }
}

static bool run_case(int number, uint64_t seed, uint32_t threads, enum mode mode, uint32_t calls) {
    struct run *run = calloc(1, sizeof *run);
    struct history_report report = {0};

    ASSERT(run != NULL);
    run->seed = seed + (uint64_t)number * 7919;
    run->random.state = run->seed;
    run->oracle = mode == ORACLE;
    model_create(&run->model);
    model_files_path(run->path, "engine-history");
    run->store = model_files_open(run->path, 0, false, run->oracle);
    bool right = run_prepare(run);
    if (mode == CHAOS) {
        chaos_start(160, 16);
    }
    run_threads(run, threads, mode == CHAOS ? calls / 2 : calls);
    chaos_stop();
    right = right && run_check(run, threads, &report);
    run_count(run, threads, &report);
    if (!right) {
        (void)printf("# %s\n", run->model.problem);
    }
    model_files_close(run->store);
    model_files_remove(run->path);
    (void)printf("%s %d - %u threads, %s: %llu changes, %llu others, %llu looks, %llu excused, "
                 "%llu unanswered\n",
                 right ? "ok" : "not ok", number, threads, mode_names[mode],
                 (unsigned long long)report.changes, (unsigned long long)report.others,
                 (unsigned long long)report.looks, (unsigned long long)report.excused,
                 (unsigned long long)report.unanswered);
    (void)fflush(stdout);
    for (uint32_t i = 0; i < threads; i++) {
        history_destroy(&run->histories[i]);
    }
    model_destroy(&run->model);
    free(run);
    return right;
}

static const uint32_t thread_counts[] = {1, 2, 3, 7, 16, 64, 300};
#define THREAD_COUNTS (sizeof thread_counts / sizeof *thread_counts)

/* Every public call that changes something was made with success. */
static bool run_covers_all(void) {
    bool right = true;

    for (int kind = 0; kind < MODEL_QUOTE; kind++) {
        if (done_of_kind[kind] == 0 && kind != MODEL_OPENING) {
            (void)printf("# no change of kind %d\n", kind);
            right = false;
        }
    }
    return right;
}

static int run_long(uint64_t seed, uint64_t operations_wanted) {
    int64_t start = clock_monotonic_ns();
    int number = 0;
    bool right = true;

    while (right && operations < operations_wanted) {
        /* One thread meets nobody. */
        uint32_t threads = thread_counts[1 + (size_t)number / 2 % (THREAD_COUNTS - 1)];
        enum mode mode = number % 2 == 0 ? CALM : CHAOS;
        right = run_case(++number, seed, threads, mode, CALLS_LONG);
    }
    double seconds = (double)(clock_monotonic_ns() - start) / 1e9;
    right = right && run_covers_all();
    (void)printf("%s %d - %llu operations checked, %.0f a second\n1..%d\n", right ? "ok" : "not ok",
                 number + 1, (unsigned long long)operations, (double)operations / seconds,
                 number + 1);
    return right ? 0 : 1;
}

int main(void) {
    uint64_t seed = random_seed_of_run();
    const char *wanted = getenv("OPERATIONS");
    uint32_t calls = (uint32_t)(CALLS * model_files_stress());
    int number = 0;
    bool right = true;

    if (wanted != NULL) {
        return run_long(seed, strtoull(wanted, NULL, 0));
    }
    (void)printf("1..%d\n", (int)THREAD_COUNTS * 3 + 1);
    for (size_t i = 0; i < THREAD_COUNTS; i++) {
        for (enum mode mode = CALM; mode <= ORACLE; mode++) {
            right = run_case(++number, seed, thread_counts[i], mode, calls) && right;
        }
    }
    bool all = run_covers_all();
    (void)printf("%s %d - every kind of change was done, %llu operations checked\n",
                 all ? "ok" : "not ok", number + 1, (unsigned long long)operations);
    return right && all ? 0 : 1;
}
