/* Three races that have a winner to be told afterwards.
 *
 * A product is discontinued while its first goods arrive at new places: when both calls have
 * returned, it must not be sold at any place. Editors raise a product's price by reading, adding
 * and writing with the version they read, again when another came first: nothing is lost. Orders
 * that are refused again and again, the same one from two threads at once, leave nothing behind:
 * afterwards as many orders find room as the limit says, not one more or less.
 *
 * SEED= repeats the random choices, STRESS=n makes it n times as long. */
#include "cellar.h"

#include "base/assert.h"
#include "base/clock.h"
#include "support/chaos.h"
#include "support/model_files.h"
#include "support/random.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define SCALE 0.15
#else
#define SCALE 1
#endif
#define ROUNDS 1500
#define PLACES 5
#define EDITS 300
#define EDITORS 6
#define ORDERS_MAX 500
#define REFUSALS 6000
#define REFUSERS 8

struct run {
    cellar *store;
    char path[MODEL_PATH_BYTES];
    uint64_t seed;
    uint32_t rounds;
    pthread_barrier_t barrier;
    _Atomic uint32_t next;
    _Atomic uint64_t wrong;
    uint64_t told[4];
};

struct worker {
    struct run *run;
    uint32_t number;
    pthread_t thread;
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

static void run_threads(struct run *run, uint32_t count, void *(*body)(void *)) {
    struct worker workers[16];

    pthread_barrier_init(&run->barrier, NULL, count);
    for (uint32_t i = 0; i < count; i++) {
        workers[i] = (struct worker){.run = run, .number = i};
        int failed = pthread_create(&workers[i].thread, NULL, body, &workers[i]);
        ASSERT(failed == 0);
    }
    for (uint32_t i = 0; i < count; i++) {
        pthread_join(workers[i].thread, NULL);
    }
    pthread_barrier_destroy(&run->barrier);
}

static cellar_status put(cellar *store, const char *sku, cellar_product_status status) {
    const cellar_product product = {.sku = sku, .status = status};

    return cellar_product_put(store, NULL, &product, CELLAR_VERSION_ANY, NULL, NULL);
}

static cellar_status receive(cellar *store, const char *sku, uint32_t place, int64_t quantity) {
    const cellar_line line = {.sku = sku, .location = place, .quantity = quantity};
    const cellar_stock_change change = {.lines = &line, .line_count = 1};

    return cellar_stock_receive(store, NULL, &change, NULL, NULL);
}

/* ---- Places and discontinuation ---- */

/* After both: at every place there are goods, and none may be sold. */
static void places_check(struct run *run, const char *sku) {
    for (uint32_t place = 1; place <= PLACES; place++) {
        const cellar_line line = {.sku = sku, .location = place, .quantity = 1};
        cellar_status status = cellar_stock_take(run->store, NULL, &line, NULL, NULL);
        if (status != CELLAR_NOT_SELLABLE) {
            note_wrong(run, "a discontinued product is sold", place, status);
        }
    }
    /* Taken up again, it is sold everywhere. */
    expect(run, "taking up", put(run->store, sku, CELLAR_PRODUCT_ACTIVE));
    for (uint32_t place = 1; place <= PLACES; place++) {
        const cellar_line line = {.sku = sku, .location = place, .quantity = 2};
        expect(run, "sale", cellar_stock_take(run->store, NULL, &line, NULL, NULL));
    }
}

/* Two receive at the same places in turn, the third discontinues. */
static void *places_run(void *argument) {
    struct worker *worker = argument;
    struct run *run = worker->run;
    struct random random = {run->seed + worker->number};

    for (uint32_t round = 0; round < run->rounds; round++) {
        char sku[16];
        (void)snprintf(sku, sizeof sku, "race-%u", round);
        if (worker->number == 0) {
            expect(run, "put", put(run->store, sku, CELLAR_PRODUCT_ACTIVE));
        }
        pthread_barrier_wait(&run->barrier);
        for (uint64_t spins = random_below(&random, 400); spins > 0; spins--) {
            atomic_signal_fence(memory_order_seq_cst);
        }
        if (worker->number == 0) {
            expect(run, "discontinuing", put(run->store, sku, CELLAR_PRODUCT_DISCONTINUED));
        } else {
            for (uint32_t place = 1; place <= PLACES; place++) {
                expect(run, "receipt", receive(run->store, sku, place, 1));
            }
        }
        pthread_barrier_wait(&run->barrier);
        if (worker->number == 0) {
            places_check(run, sku);
        }
    }
    return NULL;
}

static void places_race(struct run *run) {
    run->rounds = (uint32_t)(ROUNDS * SCALE * model_files_stress());
    run_threads(run, 3, places_run);
    run->told[0] = run->rounds;
}

/* ---- Editors ---- */

static cellar_status edit_once(cellar *store, void *context) {
    cellar_product product;

    (void)context;
    cellar_status status = cellar_product_get(store, "edited", 0, &product);
    if (status != CELLAR_OK) {
        return status;
    }
    product.unit_price++;
    return cellar_product_put(store, NULL, &product, product.version, NULL, NULL);
}

static void *editor_run(void *argument) {
    struct run *run = ((struct worker *)argument)->run;

    pthread_barrier_wait(&run->barrier);
    for (uint32_t i = 0; i < run->rounds; i++) {
        expect(run, "edit", cellar_retry(run->store, edit_once, NULL, UINT32_MAX));
    }
    return NULL;
}

static void editors_race(struct run *run) {
    cellar_product product;
    int64_t wanted;

    run->rounds = (uint32_t)(EDITS * SCALE * model_files_stress());
    wanted = (int64_t)run->rounds * EDITORS;
    expect(run, "put", put(run->store, "edited", CELLAR_PRODUCT_ACTIVE));
    run_threads(run, EDITORS, editor_run);
    expect(run, "get", cellar_product_get(run->store, "edited", 0, &product));
    if (product.unit_price != wanted) {
        note_wrong(run, "edits are lost", product.unit_price, wanted);
    }
    run->told[0] = (uint64_t)wanted;
}

/* ---- Refused orders ---- */

static cellar_status refuse_place(struct run *run, uint64_t id, const char *sku) {
    const cellar_line line = {.sku = sku, .quantity = 1};
    const cellar_order_request request = {.id = {1, id}, .lines = &line, .line_count = 1};

    return cellar_order_place(run->store, NULL, &request, NULL, NULL);
}

/* Neighbours send the same order. The limit itself may refuse one, while the refused ones before it
 * have not been swept. */
static void *refuser_run(void *argument) {
    struct worker *worker = argument;
    struct run *run = worker->run;

    pthread_barrier_wait(&run->barrier);
    for (uint32_t i = 0; i < run->rounds; i++) {
        uint64_t id = 1 + atomic_fetch_add(&run->next, 1) / 2;
        cellar_status status = refuse_place(run, id, "sold-out");
        if (status != CELLAR_OUT_OF_STOCK && status != CELLAR_STORE_FULL) {
            note_wrong(run, "a refused order", status, (int64_t)id);
        }
        if (worker->number == 0) {
            run->told[1] += status == CELLAR_STORE_FULL;
        }
    }
    return NULL;
}

/* Waits for the sweep as long as it may take. */
static cellar_status refuse_fill(struct run *run, uint64_t id) {
    cellar_status status = CELLAR_STORE_FULL;

    for (int tries = 0; tries < 400 && status == CELLAR_STORE_FULL; tries++) {
        status = refuse_place(run, id, "plenty");
        if (status == CELLAR_STORE_FULL) {
            clock_sleep_ns(5 * NANOSECONDS_PER_MILLISECOND);
        }
    }
    return status;
}

static void refusals_race(struct run *run) {
    cellar_audit audit;
    uint64_t placed = 0;

    run->rounds = (uint32_t)(REFUSALS * SCALE * model_files_stress()) / REFUSERS;
    expect(run, "put", put(run->store, "sold-out", CELLAR_PRODUCT_ACTIVE));
    expect(run, "put", put(run->store, "plenty", CELLAR_PRODUCT_ACTIVE));
    expect(run, "receipt", receive(run->store, "plenty", 0, 10 * ORDERS_MAX));
    run_threads(run, REFUSERS, refuser_run);
    while (placed <= ORDERS_MAX && refuse_fill(run, UINT64_C(1000000) + placed) == CELLAR_OK) {
        placed++;
    }
    if (placed != ORDERS_MAX) {
        note_wrong(run, "orders that find room", (int64_t)placed, ORDERS_MAX);
    }
    expect(run, "audit", cellar_audit_run(run->store, &audit));
    if (audit.violations != 0 || audit.totals.orders[CELLAR_ORDER_PLACED] != placed) {
        note_wrong(run, audit.first_violation, (int64_t)audit.totals.orders[CELLAR_ORDER_PLACED],
                   (int64_t)placed);
    }
    run->told[0] = placed;
}

/* ---- All ---- */

static bool run_case(int number, uint64_t seed, const char *name, void (*race)(struct run *run),
                     bool chaotic) {
    struct run run = {.seed = seed};

    model_files_path(run.path, "shop-races");
    const cellar_config config = {.size = sizeof config,
                                  .directory = run.path,
                                  .ring_bytes = 1U << 18,
                                  .segment_bytes = 1U << 20,
                                  .products_max = 1U << 14,
                                  .stocks_max = 1U << 18,
                                  .orders_max = ORDERS_MAX,
                                  .durability = CELLAR_RELAXED};
    cellar_status status = cellar_open(&config, &run.store, NULL);
    ASSERT(status == CELLAR_OK);
    if (chaotic) {
        chaos_start(80, 2);
    }
    race(&run);
    chaos_stop();
    model_files_close(run.store);
    model_files_remove(run.path);
    (void)printf("%s %d - %s%s: %llu, %llu\n", run.wrong == 0 ? "ok" : "not ok", number, name,
                 chaotic ? ", chaos" : "", (unsigned long long)run.told[0],
                 (unsigned long long)run.told[1]);
    (void)fflush(stdout);
    return run.wrong == 0;
}

int main(void) {
    uint64_t seed = random_seed_of_run();
    bool right = true;

    (void)printf("1..6\n");
    for (int chaotic = 0; chaotic < 2; chaotic++) {
        right = run_case(3 * chaotic + 1, seed, "places", places_race, chaotic) && right;
        right = run_case(3 * chaotic + 2, seed, "editors", editors_race, chaotic) && right;
        right = run_case(3 * chaotic + 3, seed, "refusals", refusals_race, chaotic) && right;
    }
    return right ? 0 : 1;
}
