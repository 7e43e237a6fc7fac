/* Does a store that is worked on for a long time, while its disk fills up and its log writer stands
 * still now and then, stay exact, and its memory as it was?
 *
 * Threads take units, place orders and bring each to its end, move money and correct stocks; every
 * answer is counted. The disk is full for a while (no file grows), then the log writer is held,
 * over and over. Nothing but BUSY and DISK_FULL may come of it. In the end the totals must be what
 * was counted, to the unit, the audit must find nothing, and both must hold after another opening.
 * Documents stay for good, so their memory may grow with their number; no other may.
 *
 * SECONDS_TO_RUN= in the environment, SEED= repeats the random choices. */
#include "cellar.h"

#include "base/assert.h"
#include "base/atomic.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/probe.h"
#include "engine/engine.h"
#include "support/model_files.h"
#include "support/random.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECONDS_DEFAULT 20
#define THREADS 4
#define SKUS 4
#define RECEIVED INT64_C(1000000000000)
#define DEPOSIT INT64_C(1000000)
#define DOCUMENT_BYTES_MAX 512
#define RETRIES_MAX 20000
/* Calls of a thread between two pauses of a millisecond: it is time that wears, not speed. */
#define CALLS_BETWEEN_PAUSES 4

static const char *const skus[SKUS] = {"bolt", "nut", "screw", "washer"};

static _Atomic uint32_t stopping;
static _Atomic uint32_t disk_is_full;
static _Atomic uint32_t writer_is_held;
static _Atomic uint64_t held_times;

struct worker {
    cellar *store;
    uint64_t number;
    struct random random;
    pthread_t thread;
    int64_t taken;
    int64_t adjusted;
    int64_t fulfilled; /* units */
    uint64_t orders_fulfilled;
    uint64_t orders_cancelled;
    uint64_t transfers;
    uint64_t calls;
    uint64_t refused; /* BUSY and DISK_FULL */
    cellar_status wrong;
};

/* ---- Faults ---- */

static ssize_t full_pwrite(void *context, int file, const void *buffer, size_t bytes,
                           uint64_t offset) {
    if (ATOMIC_LOAD(&disk_is_full, relaxed) != 0 &&
        (int64_t)(offset + bytes) > io_posix.size(context, file)) {
        return -ENOSPC;
    }
    return io_posix.pwrite(context, file, buffer, bytes, offset);
}

static int64_t full_free_bytes(void *context, const char *path) {
    return ATOMIC_LOAD(&disk_is_full, relaxed) != 0 ? 0 : io_posix.free_bytes(context, path);
}

/* Only the log writer passes here. */
static void hold_writer(const char *point, uint64_t argument) {
    (void)argument;
    if (strcmp(point, "log-written") != 0 || ATOMIC_LOAD(&writer_is_held, acquire) == 0) {
        return;
    }
    ATOMIC_ADD(&held_times, 1, relaxed);
    while (ATOMIC_LOAD(&writer_is_held, acquire) != 0) {
        clock_sleep_ns(NANOSECONDS_PER_MILLISECOND);
    }
}

/* ---- Work ---- */

static const cellar_call patient = {.durability = CELLAR_RELAXED, .wait_ms = 20};

/* Notes the answer; true when it is OK, false when the call may be tried again. */
static bool worker_note(struct worker *worker, cellar_status status) {
    worker->calls++;
    if (status == CELLAR_OK) {
        return true;
    }
    worker->refused++;
    if (status != CELLAR_BUSY && status != CELLAR_DISK_FULL) {
        worker->wrong = status;
    }
    clock_sleep_ns(NANOSECONDS_PER_MILLISECOND);
    return false;
}

/* A step of an order must come through in the end. */
static void worker_step(struct worker *worker, cellar_id id, cellar_order_state to) {
    for (int i = 0; i < RETRIES_MAX && worker->wrong == CELLAR_OK; i++) {
        cellar_status status = to == CELLAR_ORDER_PAID
                                   ? cellar_order_pay(worker->store, &patient, id, 0, NULL, NULL)
                               : to == CELLAR_ORDER_FULFILLED
                                   ? cellar_order_fulfil(worker->store, &patient, id, NULL, NULL)
                                   : cellar_order_cancel(worker->store, &patient, id, NULL, NULL);
        if (worker_note(worker, status)) {
            return;
        }
    }
    worker->wrong = worker->wrong == CELLAR_OK ? CELLAR_TIMEOUT : worker->wrong;
}

static void worker_order(struct worker *worker, uint64_t order) {
    const cellar_line lines[2] = {
        {.sku = skus[random_below(&worker->random, SKUS)], .quantity = 1, .unit_price = 3},
        {.sku = skus[random_below(&worker->random, SKUS)], .quantity = 2, .unit_price = 5}};
    const cellar_order_request request = {
        .id = {worker->number, order}, .customer = worker->number, .lines = lines, .line_count = 2};

    cellar_status status = cellar_order_place(worker->store, &patient, &request, NULL, NULL);
    if (!worker_note(worker, status)) {
        return;
    }
    if (order % 2 == 0) {
        worker_step(worker, request.id, CELLAR_ORDER_CANCELLED);
        worker->orders_cancelled++;
        return;
    }
    worker_step(worker, request.id, CELLAR_ORDER_PAID);
    worker_step(worker, request.id, CELLAR_ORDER_FULFILLED);
    worker->orders_fulfilled++;
    worker->fulfilled += 3;
}

static void worker_small(struct worker *worker) {
    int64_t quantity = 1 + (int64_t)random_below(&worker->random, 3);
    cellar_line line = {.sku = skus[random_below(&worker->random, SKUS)], .quantity = quantity};
    uint64_t from = 1 + random_below(&worker->random, THREADS);
    cellar *store = worker->store;

    switch (random_below(&worker->random, 3)) {
    case 0:
        if (worker_note(worker, cellar_stock_take(store, &patient, &line, NULL, NULL))) {
            worker->taken += quantity;
        }
        break;
    case 1: {
        line.quantity = random_below(&worker->random, 2) == 0 ? quantity : -quantity;
        const cellar_stock_change change = {.lines = &line, .line_count = 1};
        if (worker_note(worker, cellar_stock_adjust(store, &patient, &change, NULL, NULL))) {
            worker->adjusted += line.quantity;
        }
        break;
    }
    default: {
        cellar_status status = cellar_account_transfer(store, &patient, (cellar_id){0, 0}, from,
                                                       1 + from % THREADS, 1, NULL, NULL);
        /* An account may have run dry; that is an answer, too. */
        if (status == CELLAR_INSUFFICIENT_FUNDS || worker_note(worker, status)) {
            worker->transfers += status == CELLAR_OK;
        }
        break;
    }
    }
}

static void *worker_run(void *argument) {
    struct worker *worker = argument;

    for (uint64_t i = 1; ATOMIC_LOAD(&stopping, relaxed) == 0 && worker->wrong == CELLAR_OK; i++) {
        if (i % 8 == 0) {
            worker_order(worker, i);
        } else {
            worker_small(worker);
        }
        if (i % CALLS_BETWEEN_PAUSES == 0) {
            clock_sleep_ns(NANOSECONDS_PER_MILLISECOND);
        }
    }
    return NULL;
}

/* ---- The store ---- */

static cellar *soak_open(const char *path, const struct io *io) {
    const cellar_config config = {.size = sizeof config,
                                  .directory = path,
                                  .ring_bytes = COMMIT_RING_BYTES_MIN,
                                  .segment_bytes = UINT64_C(1) << 20,
                                  .products_max = 1U << 10,
                                  .stocks_max = 1U << 12,
                                  .accounts_max = 1U << 10,
                                  .orders_max = 1U << 24};
    const struct engine_options options = {.io = io};
    cellar *store;
    cellar_status status = engine_open(&config, &options, &store, NULL);

    ASSERT(status == CELLAR_OK);
    return store;
}

static void soak_fill(cellar *store) {
    for (int i = 0; i < SKUS; i++) {
        const cellar_product product = {.sku = skus[i]};
        const cellar_line line = {.sku = skus[i], .quantity = RECEIVED};
        const cellar_stock_change change = {.lines = &line, .line_count = 1};
        cellar_status status = cellar_product_put(store, NULL, &product, 0, NULL, NULL);
        ASSERT(status == CELLAR_OK);
        status = cellar_stock_receive(store, NULL, &change, NULL, NULL);
        ASSERT(status == CELLAR_OK);
    }
    for (uint64_t account = 1; account <= THREADS; account++) {
        cellar_status status = cellar_account_open(store, NULL, account, 0, NULL, NULL);
        ASSERT(status == CELLAR_OK);
        status =
            cellar_account_credit(store, NULL, (cellar_id){0, 0}, account, DEPOSIT, NULL, NULL);
        ASSERT(status == CELLAR_OK);
    }
}

/* Bytes in use, but for what grows with the number of documents: they and the lists of them. */
static int64_t soak_memory(cellar *store, int64_t *documents_out) {
    const char *name;
    int64_t bytes;
    int64_t sum = 0;

    *documents_out = 0;
    for (uint32_t kind = 0; cellar_memory_get(store, kind, &name, &bytes) == CELLAR_OK; kind++) {
        if (strcmp(name, "orders") == 0 || strcmp(name, "indexes") == 0) {
            *documents_out += bytes;
        } else {
            sum += bytes;
        }
    }
    return sum;
}

static bool soak_check(cellar *store, const struct worker *workers, const char *when) {
    struct worker sum = {.wrong = CELLAR_OK};
    cellar_audit audit;

    for (int i = 0; i < THREADS; i++) {
        sum.taken += workers[i].taken;
        sum.adjusted += workers[i].adjusted;
        sum.fulfilled += workers[i].fulfilled;
        sum.orders_fulfilled += workers[i].orders_fulfilled;
        sum.orders_cancelled += workers[i].orders_cancelled;
    }
    cellar_status status = cellar_audit_run(store, &audit);
    const cellar_totals *totals = &audit.totals;
    bool right =
        status == CELLAR_OK && audit.violations == 0 && totals->units_taken == sum.taken &&
        totals->units_adjusted == sum.adjusted && totals->units_fulfilled == sum.fulfilled &&
        totals->units_reserved == 0 &&
        totals->orders[CELLAR_ORDER_FULFILLED] == sum.orders_fulfilled &&
        totals->orders[CELLAR_ORDER_CANCELLED] == sum.orders_cancelled &&
        totals->units_available == SKUS * RECEIVED - sum.taken + sum.adjusted - sum.fulfilled &&
        totals->balances == THREADS * DEPOSIT;
    if (!right) {
        (void)printf("# %s: %s, %lld taken (%lld counted), %lld fulfilled (%lld), %s\n", when,
                     cellar_status_name(status), (long long)totals->units_taken,
                     (long long)sum.taken, (long long)totals->units_fulfilled,
                     (long long)sum.fulfilled, audit.first_violation);
    }
    return right;
}

/* ---- The run ---- */

/* Two seconds of peace, then the disk is full, then the writer is held. */
static void soak_cycle(void) {
    clock_sleep_ns(2 * NANOSECONDS_PER_SECOND);
    ATOMIC_STORE(&disk_is_full, 1, release);
    clock_sleep_ns(NANOSECONDS_PER_SECOND);
    ATOMIC_STORE(&disk_is_full, 0, release);
    clock_sleep_ns(NANOSECONDS_PER_SECOND / 2);
    ATOMIC_STORE(&writer_is_held, 1, release);
    clock_sleep_ns(NANOSECONDS_PER_SECOND / 2);
    ATOMIC_STORE(&writer_is_held, 0, release);
}

static bool soak_run(cellar *store, struct worker *workers, int64_t seconds) {
    int64_t end = clock_monotonic_ns() + seconds * NANOSECONDS_PER_SECOND;
    int64_t documents = 0;
    uint64_t calls = 0;
    uint64_t refused = 0;
    uint64_t orders = 0;
    bool right = true;

    for (int i = 0; i < THREADS; i++) {
        int failed = pthread_create(&workers[i].thread, NULL, worker_run, &workers[i]);
        ASSERT(failed == 0);
    }
    soak_cycle();
    int64_t before = soak_memory(store, &documents);
    while (clock_monotonic_ns() < end) {
        soak_cycle();
    }
    ATOMIC_STORE(&stopping, 1, release);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(workers[i].thread, NULL);
        calls += workers[i].calls;
        refused += workers[i].refused;
        orders += workers[i].orders_fulfilled + workers[i].orders_cancelled;
        right = right && workers[i].wrong == CELLAR_OK;
        if (workers[i].wrong != CELLAR_OK) {
            (void)printf("# thread %d: %s\n", i, cellar_status_name(workers[i].wrong));
        }
    }
    int64_t after = soak_memory(store, &documents);
    /* A segment more is an entry more in the list of segments, which grows by doubling. */
    int64_t slack = before / 20;
    bool flat = after <= before + slack && documents <= (int64_t)orders * DOCUMENT_BYTES_MAX;
    (void)printf("# %llu calls, %llu refused, %llu orders, writer held %llu times; memory %lld, "
                 "then %lld, documents %lld bytes\n",
                 (unsigned long long)calls, (unsigned long long)refused, (unsigned long long)orders,
                 (unsigned long long)ATOMIC_LOAD(&held_times, relaxed), (long long)before,
                 (long long)after, (long long)documents);
    /* The faults were felt. */
    return right && flat && refused > 0 && ATOMIC_LOAD(&held_times, relaxed) > 0;
}

int main(void) {
    static struct worker workers[THREADS];
    const char *text = getenv("SECONDS_TO_RUN");
    int64_t seconds = text != NULL ? strtoll(text, NULL, 0) : SECONDS_DEFAULT;
    uint64_t seed = random_seed_of_run();
    struct io io = io_posix;
    char path[MODEL_PATH_BYTES];

    io.pwrite = full_pwrite;
    io.free_bytes = full_free_bytes;
    model_files_path(path, "soak");
    cellar *store = soak_open(path, &io);
    soak_fill(store);
    for (uint64_t i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){.store = store, .number = i + 1, .random = {seed + i}};
    }
    atomic_store(&probe_installed, hold_writer);
    bool right = soak_run(store, workers, seconds);
    atomic_store(&probe_installed, NULL);
    (void)printf("1..3\n%s 1 - %lld s of mixed load, memory flat\n", right ? "ok" : "not ok",
                 (long long)seconds);
    bool exact = soak_check(store, workers, "before closing");
    (void)printf("%s 2 - the totals are what was counted\n", exact ? "ok" : "not ok");
    model_files_close(store);
    store = soak_open(path, &io);
    bool again = soak_check(store, workers, "after opening");
    (void)printf("%s 3 - and so they are after another opening\n", again ? "ok" : "not ok");
    model_files_close(store);
    model_files_remove(path);
    return right && exact && again ? 0 : 1;
}
