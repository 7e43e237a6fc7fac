/* Do any number of threads, preempted anywhere, leave exactly the history that their log tells?
 *
 * Workers move units between random cells, few (high contention) or many, now and then a great
 * number at once; no cell may fall below zero. Readers take snapshots of all cells: the sum is
 * conserved, always. The log writer's thread replays every record on a sequential model as it
 * comes. In the end the model must equal the cells, and the records taken must be exactly the
 * commits acknowledged. The ring is small and laps all the time. The lock-free commit, with and
 * without preemption imitated at its probe points, and the oracle under one mutex are held to the
 * same.
 *
 *   stress_commit                                        a table of cases, about 20 s in all
 *   stress_commit threads cells seconds [calm|chaos|oracle]     one case
 *
 * SEED= repeats the random choices; the interleaving is the machine's. */
#include "commit/commit.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/probe.h"

#include "support/commit_world.h"
#include "support/random.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* With few cells the smallest ring there is; with many a larger one, for more work between laps. */
#define FEW_CELLS 16
#define RING_BYTES_FEW COMMIT_RING_BYTES_MIN
#define RING_BYTES_MANY (UINT64_C(1) << 20)
#define THREADS_MAX 1000
#define CELLS_MAX 100000
#define NARROW_MAX 8
/* A record of so many cells takes less than an eighth of the ring. */
#define WIDE_MAX 200
#define WIDE_ONE_IN 300
#define READERS 2
#define START_VALUE 1000
#define ATTEMPTS_MAX 60
#define ATTEMPTS_BEFORE_COURTESY 4
#define MS NANOSECONDS_PER_MILLISECOND

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define CASE_NS (120 * MS)
#else
#define CASE_NS (500 * MS)
#endif

enum mode {
    CALM,
    CHAOS,
    ORACLE
};
static const char *const mode_names[] = {"calm", "chaos", "oracle"};

struct run {
    struct commit_world world;
    uint32_t cells;
    _Atomic int stopping;
    uint64_t seed;
};

struct worker {
    struct run *run;
    struct random random;
    struct commit_plan plan;
    uint64_t last_lsn;
    uint64_t done;
    uint64_t done_mark;
    uint64_t conflicts;
    uint64_t conflicts_mark;
    uint64_t full;
    uint64_t passed_over;
    uint64_t snapshots;
    pthread_t thread;
};

/* ---- Preemption, imitated ---- */

static _Atomic uint64_t chaos_seed;
static _Thread_local struct random chaos_random;

static void chaos(const char *point, uint64_t argument) {
    (void)point;
    (void)argument;
    if (chaos_random.state == 0) {
        chaos_random.state = atomic_fetch_add(&chaos_seed, 0x9e3779b9) | 1;
    }
    uint64_t dice = random_below(&chaos_random, 4096);
    if (dice < 40) {
        (void)sched_yield();
    } else if (dice < 44) {
        clock_sleep_ns((int64_t)random_below(&chaos_random, 400 * 1000));
    }
}

/* ---- Workers ---- */

/* Half of the cells in each of the first two classes. */
static uint32_t cell_number(const struct run *run, uint32_t k) {
    uint32_t half = run->cells / 2;

    return k < half ? CELL_INDEX(0, k) : CELL_INDEX(1, k - half);
}

/* `count` different cells in rising order, evenly spread over all from a random start. */
static void choose(struct worker *worker, uint32_t *cells, uint32_t count) {
    uint32_t stride = worker->run->cells / count;
    uint32_t k = 0;

    for (uint32_t i = 0; i < count; i++) {
        uint32_t end = (i + 1) * stride;
        k += (uint32_t)random_below(&worker->random, end - k);
        cells[i] = cell_number(worker->run, k++);
    }
}

/* Reads the cells and moves units from each to the next; inside a section. Some cells are only
 * validated: written with their own value. */
static void plan_transfer(struct worker *worker, const uint32_t *cells, uint32_t count) {
    struct commit *commit = worker->run->world.commit;
    bool settled = random_below(&worker->random, 4) == 0;
    int64_t moving = 0;

    commit_plan_clear(&worker->plan);
    for (uint32_t i = 0; i < count; i++) {
        struct cell_content content =
            settled ? commit_read_settled(commit, cells[i]) : commit_read(commit, cells[i]);
        int64_t take = (int64_t)random_below(&worker->random, 8);
        if (take > content.value || i + 1 == count) {
            take = 0;
        }
        int64_t left = content.value + moving - take;
        ASSERT(content.value >= 0);
        ASSERT(left >= 0);
        commit_plan_expect(&worker->plan, cells[i], content, left);
        moving = take;
    }
}

static void note_done(struct worker *worker, uint64_t lsn, uint64_t reserved_before) {
    /* Real-time order: what began later has the higher LSN. */
    ASSERT(lsn >= reserved_before);
    ASSERT(lsn > worker->last_lsn);
    worker->last_lsn = lsn;
    worker->done++;
    worker->done_mark += commit_drain_mark(lsn);
    const struct commit_change *change = &worker->plan.changes[0];
    struct cell_content content = commit_world_read(&worker->run->world, change->cell);
    ASSERT(content.version >= lsn);
    ASSERT(content.version > lsn || content.value == change->update.new_value);
}

static bool note(struct worker *worker, enum commit_outcome outcome, uint64_t lsn,
                 uint64_t reserved_before) {
    struct commit *commit = worker->run->world.commit;

    switch (outcome) {
    case COMMIT_DONE:
        note_done(worker, lsn, reserved_before);
        return true;
    case COMMIT_CONFLICT:
        worker->conflicts++;
        worker->conflicts_mark += commit->oracle ? 0 : commit_drain_mark(lsn);
        return false;
    case COMMIT_FULL:
        worker->full++;
        (void)commit_wait_space(commit,
                                commit_request_bytes(commit, worker->plan.request.change_count, 0),
                                clock_monotonic_ns() + 50 * MS);
        return false;
    case COMMIT_PASSED_OVER:
        worker->passed_over++;
        return false;
    case COMMIT_STOPPED:
    default:
        ASSERT(outcome != COMMIT_STOPPED);
        return true;
    }
}

static void transact(struct worker *worker, const uint32_t *cells, uint32_t count) {
    struct commit *commit = worker->run->world.commit;
    int64_t granted = 0;
    bool over = false;

    for (int attempt = 1; !over && attempt <= ATTEMPTS_MAX; attempt++) {
        uint64_t lsn = 0;
        if (granted == 0 && attempt > ATTEMPTS_BEFORE_COURTESY && count > NARROW_MAX) {
            granted = commit_courtesy_ask(commit, 0);
        }
        commit_hold_back(commit, granted != 0);
        commit_enter();
        uint64_t reserved = ATOMIC_LOAD(&commit->reserved.lsn, seq_cst);
        plan_transfer(worker, cells, count);
        enum commit_outcome outcome = commit_try(commit, &worker->plan.request, &lsn);
        commit_leave();
        over = note(worker, outcome, lsn, reserved);
    }
    commit_courtesy_release(commit, granted);
}

static void *worker_run(void *argument) {
    struct worker *worker = argument;
    uint32_t cells[WIDE_MAX];

    while (atomic_load_explicit(&worker->run->stopping, memory_order_relaxed) == 0) {
        bool wide = random_below(&worker->random, WIDE_ONE_IN) == 0;
        uint64_t most = wide ? WIDE_MAX : NARROW_MAX;
        most = most < worker->run->cells ? most : worker->run->cells;
        uint32_t count = 1 + (uint32_t)random_below(&worker->random, most);
        choose(worker, cells, count);
        transact(worker, cells, count);
    }
    return NULL;
}

/* ---- Readers ---- */

static int64_t sum_at(const struct run *run, uint64_t snapshot) {
    int64_t sum = 0;

    for (uint32_t k = 0; k < run->cells; k++) {
        struct cell_content content =
            commit_read_at(run->world.commit, cell_number(run, k), snapshot);
        ASSERT(content.version < snapshot);
        ASSERT(content.value >= 0);
        sum += content.value;
    }
    return sum;
}

static void *reader_run(void *argument) {
    struct worker *reader = argument;
    struct run *run = reader->run;
    uint64_t last_snapshot = 0;
    uint64_t last_version = 0;
    uint32_t watched = cell_number(run, (uint32_t)random_below(&reader->random, run->cells));

    while (atomic_load_explicit(&run->stopping, memory_order_relaxed) == 0) {
        commit_enter();
        uint64_t snapshot = commit_snapshot(run->world.commit);
        int64_t sum = sum_at(run, snapshot);
        struct cell_content content = commit_read(run->world.commit, watched);
        commit_leave();
        ASSERT(sum == (int64_t)run->cells * START_VALUE);
        ASSERT(snapshot >= last_snapshot);
        ASSERT(content.version >= last_version);
        last_snapshot = snapshot;
        last_version = content.version;
        reader->snapshots++;
        if (random_below(&reader->random, 4) == 0) {
            clock_sleep_ns((int64_t)random_below(&reader->random, MS));
        }
    }
    return NULL;
}

/* ---- One case ---- */

static void fill_cells(struct run *run, struct worker *filler) {
    for (uint32_t k = 0; k < run->cells;) {
        uint64_t lsn = 0;
        commit_plan_clear(&filler->plan);
        uint32_t first = k;
        for (; k < run->cells && k - first < WIDE_MAX; k++) {
            commit_plan_add(&filler->plan, run->world.commit, cell_number(run, k), START_VALUE);
        }
        enum commit_outcome outcome = commit_plan_try(&filler->plan, run->world.commit, &lsn);
        if (!note(filler, outcome, lsn, 0)) {
            k = first;
        }
    }
    /* Readers must not see the time before. */
    bool decided = commit_world_await(&run->world.commit->decided, filler->last_lsn + 64,
                                      60 * NANOSECONDS_PER_SECOND);
    ASSERT(decided);
}

static void start(struct worker *worker, struct run *run, void *(*body)(void *)) {
    int failed = pthread_create(&worker->thread, NULL, body, worker);

    ASSERT(failed == 0);
    ASSERT(worker->run == run);
}

static void open_run(struct run *run, uint32_t cells, enum mode mode) {
    struct commit_config config = {.ring_bytes =
                                       cells <= FEW_CELLS ? RING_BYTES_FEW : RING_BYTES_MANY,
                                   .limits = {cells / 2, cells - cells / 2}};

    memset(run, 0, sizeof *run);
    run->cells = cells;
    config.oracle = mode == ORACLE;
    commit_world_open(&run->world, &config);
    commit_gate_remove();
    run->world.drain.model = &run->world.model;
    commit_drain_start(&run->world.drain);
}

/* Every record taken was acknowledged and the other way round; nothing else was logged. */
static void check_run(struct run *run, const struct worker *sum) {
    struct commit_drain *drain = &run->world.drain;

    const char *problem = commit_model_compare(&run->world.model, run->world.commit);
    if (problem != NULL) {
        (void)fprintf(stderr, "# %s\n", problem);
    }
    ASSERT(problem == NULL);
    ASSERT(commit_model_total(&run->world.model) == (int64_t)run->cells * START_VALUE);
    ASSERT(drain->taken == sum->done);
    ASSERT(drain->taken_mark == sum->done_mark);
    ASSERT(drain->padded == (run->world.commit->oracle ? 0 : sum->conflicts));
    ASSERT(drain->padded_mark == sum->conflicts_mark);
    ASSERT(drain->gaps == ATOMIC_LOAD(&run->world.commit->dead_gaps, relaxed));
}

static void print_case(const struct run *run, const struct worker *sum, int number,
                       uint32_t threads, enum mode mode) {
    const struct commit *commit = run->world.commit;
    uint64_t laps = (commit->reserved.lsn - COMMIT_WORLD_LSN) / commit->ring_bytes;

    printf("ok %d - %s %u threads %u cells: %llu commits, %llu conflicts, %llu full, "
           "%llu passed over, %llu gaps, %llu helped, %llu snapshots, %llu laps\n",
           number, mode_names[mode], threads, run->cells, (unsigned long long)sum->done,
           (unsigned long long)sum->conflicts, (unsigned long long)sum->full,
           (unsigned long long)sum->passed_over, (unsigned long long)run->world.drain.gaps,
           (unsigned long long)commit->helped, (unsigned long long)sum->snapshots,
           (unsigned long long)laps);
    (void)fflush(stdout);
}

static void add_up(struct worker *sum, const struct worker *worker) {
    sum->done += worker->done;
    sum->done_mark += worker->done_mark;
    sum->conflicts += worker->conflicts;
    sum->conflicts_mark += worker->conflicts_mark;
    sum->full += worker->full;
    sum->passed_over += worker->passed_over;
    sum->snapshots += worker->snapshots;
}

static void run_case(int number, uint64_t seed, uint32_t threads, uint32_t cells, int64_t case_ns,
                     enum mode mode) {
    static struct run run;
    static struct worker workers[THREADS_MAX + READERS + 1];
    struct worker *filler = &workers[threads + READERS];
    struct worker sum = {0};

    open_run(&run, cells, mode);
    memset(workers, 0, sizeof workers);
    for (uint32_t i = 0; i <= threads + READERS; i++) {
        workers[i].run = &run;
        workers[i].random.state = seed + UINT64_C(0x9e3779b97f4a7c15) * (i + 1);
        commit_plan_make(&workers[i].plan, WIDE_MAX);
    }
    fill_cells(&run, filler);
    atomic_store(&chaos_seed, seed);
    atomic_store(&probe_installed, mode == CHAOS ? chaos : NULL);
    for (uint32_t i = 0; i < threads + READERS; i++) {
        start(&workers[i], &run, i < threads ? worker_run : reader_run);
    }
    clock_sleep_ns(case_ns);
    atomic_store(&run.stopping, 1);
    for (uint32_t i = 0; i < threads + READERS; i++) {
        int failed = pthread_join(workers[i].thread, NULL);
        ASSERT(failed == 0);
    }
    commit_drain_stop(&run.world.drain);
    for (uint32_t i = 0; i <= threads + READERS; i++) {
        add_up(&sum, &workers[i]);
        commit_plan_free(&workers[i].plan);
    }
    check_run(&run, &sum);
    print_case(&run, &sum, number, threads, mode);
    commit_world_close(&run.world);
}

static void run_table(uint64_t seed) {
    static const uint32_t threads[] = {1, 2, 4, 8, 32, 300};
    static const uint32_t cells[] = {4, 2000};
    int number = 0;

    for (size_t i = 0; i < sizeof threads / sizeof *threads; i++) {
        for (size_t k = 0; k < sizeof cells / sizeof *cells; k++) {
            for (enum mode mode = CALM; mode <= ORACLE; mode++) {
                number++;
                run_case(number, seed + (uint64_t)number, threads[i], cells[k], CASE_NS, mode);
            }
        }
    }
    printf("1..%d\n", number);
}

static uint32_t number_of(const char *text, uint32_t most) {
    unsigned long value = strtoul(text, NULL, 10);

    if (value == 0 || value > most) {
        (void)fprintf(stderr, "stress_commit: %s is not a number from 1 to %u\n", text, most);
        exit(2);
    }
    return (uint32_t)value;
}

int main(int argc, char **argv) {
    uint64_t seed = random_seed_of_run();

    if (argc < 4) {
        (void)alarm(280);
        run_table(seed);
        return 0;
    }
    enum mode mode = CHAOS;
    for (enum mode known = CALM; argc > 4 && known <= ORACLE; known++) {
        mode = strcmp(argv[4], mode_names[known]) == 0 ? known : mode;
    }
    int64_t case_ns = number_of(argv[3], 86400) * NANOSECONDS_PER_SECOND;
    run_case(1, seed, number_of(argv[1], THREADS_MAX), number_of(argv[2], CELLS_MAX), case_ns,
             mode);
    return 0;
}
