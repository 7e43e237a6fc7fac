/* Is an order of a thousand lines and more placed and cancelled whole, whoever looks, and does it
 * get its turn while others keep changing what it takes?
 *
 * One buyer places and cancels it again and again. Rivals take single units of the same products
 * and bring them back. The order takes so many units of each product that the rivals' do not matter
 * beside them: so a snapshot of all stocks tells how many orders each product has given units to,
 * and that must be the same number for all. An auditor takes snapshots all the time, and audits.
 *
 * SEED= repeats the random choices, STRESS=n places n times as many orders. */
#include "cellar.h"

#include "base/assert.h"
#include "base/clock.h"
#include "support/chaos.h"
#include "support/model_files.h"
#include "support/random.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define ROUNDS 6
#else
#define ROUNDS 24
#endif
#define RING_BYTES (UINT64_C(4) << 20)
#define RIVALS_MAX 32
/* Of each product in one line of the order; rivals hold fewer at a time. */
#define LINE_UNITS 1000
#define RECEIVED INT64_C(1000000)
#define SKU_BYTES 16
/* No load at all explains a longer time for one call. */
#define CALL_NS_MAX (30 * NANOSECONDS_PER_SECOND)

enum mode {
    CALM,
    CHAOS,
    ORACLE
};
static const char *const mode_names[] = {"calm", "chaos", "oracle"};

struct run {
    cellar *store;
    char path[MODEL_PATH_BYTES];
    uint64_t seed;
    uint32_t skus;
    uint32_t lines;
    _Atomic int stopping;
    _Atomic int watched; /* the auditor has looked */
    _Atomic uint64_t taken;
    _Atomic uint64_t wrong;
    uint64_t snapshots;
    uint64_t audits;
    uint64_t seen[2]; /* snapshots by the number of orders in them */
    int64_t longest_ns;
    char names[CELLAR_LINES_MAX][SKU_BYTES];
    cellar_line stocks[CELLAR_LINES_MAX]; /* one of each product */
    cellar_line order[CELLAR_LINES_MAX];
    int64_t order_units[CELLAR_LINES_MAX]; /* by product */
};

struct rival {
    struct run *run;
    struct random random;
    pthread_t thread;
};

static void note_wrong(struct run *run, const char *what, cellar_status status) {
    if (atomic_fetch_add(&run->wrong, 1) == 0) {
        (void)printf("# %s: %s\n", what, cellar_status_name(status));
    }
}

/* ---- Rivals ---- */

static void *rival_run(void *argument) {
    struct rival *rival = argument;
    struct run *run = rival->run;

    while (atomic_load_explicit(&run->stopping, memory_order_relaxed) == 0) {
        cellar_line line = run->stocks[random_below(&rival->random, run->skus)];
        const cellar_stock_change back = {.lines = &line, .line_count = 1};
        line.quantity = 1 + (int64_t)random_below(&rival->random, 3);
        cellar_status status = cellar_stock_take(run->store, NULL, &line, NULL, NULL);
        if (status == CELLAR_OK) {
            status = cellar_stock_receive(run->store, NULL, &back, NULL, NULL);
        }
        if (status != CELLAR_OK) {
            note_wrong(run, "rival", status);
        }
        atomic_fetch_add_explicit(&run->taken, 1, memory_order_relaxed);
    }
    return NULL;
}

/* ---- The auditor ---- */

static void auditor_look(struct run *run, int64_t *available) {
    uint64_t lsn;
    cellar_status status =
        cellar_stock_snapshot(run->store, run->stocks, run->skus, available, &lsn, NULL);
    int64_t orders = -1;

    if (status != CELLAR_OK) {
        note_wrong(run, "snapshot", status);
        return;
    }
    for (uint32_t i = 0; i < run->skus; i++) {
        /* The rivals' few units are less than a half. */
        int64_t gone = RECEIVED - available[i];
        int64_t of_this = (gone + run->order_units[i] / 2) / run->order_units[i];
        orders = orders < 0 ? of_this : orders;
        if (of_this != orders || of_this < 0 || of_this > 1) {
            note_wrong(run, "a part of an order", status);
            return;
        }
    }
    run->snapshots++;
    run->seen[orders]++;
    atomic_store(&run->watched, 1);
}

static void *auditor_run(void *argument) {
    struct run *run = argument;
    int64_t *available = malloc(run->skus * sizeof *available);

    ASSERT(available != NULL);
    while (atomic_load_explicit(&run->stopping, memory_order_relaxed) == 0) {
        auditor_look(run, available);
        if (run->snapshots % 16 == 0) {
            cellar_audit audit;
            cellar_status status = cellar_audit_run(run->store, &audit);
            if (status != CELLAR_OK || audit.violations != 0) {
                note_wrong(run, audit.first_violation, status);
            }
            run->audits++;
        }
    }
    free(available);
    return NULL;
}

/* ---- The buyer ---- */

static void buyer_timed(struct run *run, int64_t began_ns, cellar_status status) {
    int64_t took_ns = clock_monotonic_ns() - began_ns;

    run->longest_ns = took_ns > run->longest_ns ? took_ns : run->longest_ns;
    if (status != CELLAR_OK) {
        note_wrong(run, "order", status);
    }
    if (took_ns > CALL_NS_MAX) {
        note_wrong(run, "the order starves", status);
    }
}

static void buyer_check_lines(struct run *run, cellar_id id, cellar_order_state state) {
    static cellar_order_line lines[CELLAR_LINES_MAX];
    cellar_order order;
    cellar_status status = cellar_order_get(run->store, id, &order, lines, CELLAR_LINES_MAX);
    bool right = status == CELLAR_OK && order.line_count == run->lines && order.state == state;

    for (uint32_t i = 0; right && i < run->lines; i++) {
        right = lines[i].quantity == LINE_UNITS && lines[i].unit_price == i;
    }
    if (!right) {
        note_wrong(run, "lines of the order", status);
    }
}

static void buyer_run(struct run *run, uint32_t rounds) {
    for (uint32_t round = 0; round < rounds; round++) {
        const cellar_order_request request = {.id = {1, round + 1},
                                              .lines = run->order,
                                              .line_count = run->lines,
                                              .state = round % 2 == 0 ? CELLAR_ORDER_PLACED
                                                                      : CELLAR_ORDER_PAID};
        int64_t began_ns = clock_monotonic_ns();
        buyer_timed(run, began_ns, cellar_order_place(run->store, NULL, &request, NULL, NULL));
        buyer_check_lines(run, request.id, request.state);
        began_ns = clock_monotonic_ns();
        buyer_timed(run, began_ns, cellar_order_cancel(run->store, NULL, request.id, NULL, NULL));
        buyer_check_lines(run, request.id, CELLAR_ORDER_CANCELLED);
    }
}

/* ---- One case ---- */

static void run_prepare(struct run *run, enum mode mode) {
    model_files_path(run->path, "shop-wide");
    run->store = model_files_open(run->path, RING_BYTES, false, mode == ORACLE);
    for (uint32_t i = 0; i < run->skus; i++) {
        (void)snprintf(run->names[i], SKU_BYTES, "wide-%u", i);
        const cellar_product product = {.sku = run->names[i]};
        run->stocks[i] = (cellar_line){.sku = run->names[i], .quantity = RECEIVED};
        cellar_status status = cellar_product_put(run->store, NULL, &product, 0, NULL, NULL);
        ASSERT(status == CELLAR_OK);
    }
    ASSERT(run->skus != 0);
    for (uint32_t i = 0; i < run->lines; i++) {
        uint32_t sku = (uint32_t)((i * UINT64_C(7919) + run->seed) % run->skus);
        run->order[i] = run->stocks[sku];
        run->order[i].quantity = LINE_UNITS;
        run->order[i].unit_price = i;
        run->order_units[sku] += LINE_UNITS;
    }
    const cellar_stock_change change = {.lines = run->stocks, .line_count = run->skus};
    cellar_ticket ticket;
    cellar_status status = cellar_stock_receive(run->store, NULL, &change, &ticket, NULL);
    ASSERT(status == CELLAR_OK);
    /* Snapshots must not be of the time before. */
    status = cellar_wait(run->store, ticket.lsn, -1);
    ASSERT(status == CELLAR_OK);
}

static void run_threads(struct run *run, uint32_t rivals, uint32_t rounds) {
    struct rival threads[RIVALS_MAX];
    pthread_t auditor;
    int failed = pthread_create(&auditor, NULL, auditor_run, run);

    ASSERT(failed == 0);
    for (uint32_t i = 0; i < rivals; i++) {
        threads[i] = (struct rival){.run = run, .random = {run->seed + i * UINT64_C(104729)}};
        failed = pthread_create(&threads[i].thread, NULL, rival_run, &threads[i]);
        ASSERT(failed == 0);
    }
    /* On a busy machine the buyer would be through before the others' first turn. */
    while ((atomic_load(&run->watched) == 0 || atomic_load(&run->taken) == 0) &&
           atomic_load(&run->wrong) == 0) {
        clock_sleep_ns(NANOSECONDS_PER_MILLISECOND);
    }
    buyer_run(run, rounds);
    atomic_store(&run->stopping, 1);
    for (uint32_t i = 0; i < rivals; i++) {
        pthread_join(threads[i].thread, NULL);
    }
    pthread_join(auditor, NULL);
}

static bool run_case(int number, uint64_t seed, uint32_t skus, uint32_t lines, uint32_t rivals,
                     enum mode mode) {
    static struct run run;
    uint32_t rounds = (uint32_t)(ROUNDS * model_files_stress());

    memset(&run, 0, sizeof run);
    run.seed = seed;
    run.skus = skus;
    run.lines = lines;
    run_prepare(&run, mode);
    if (mode == CHAOS) {
        chaos_start(40, 1);
    }
    run_threads(&run, rivals, lines > 2000 ? rounds / 2 : rounds);
    chaos_stop();
    model_files_close(run.store);
    model_files_remove(run.path);
    bool right = run.wrong == 0 && run.snapshots > 0 && run.taken > 0;
    (void)printf("%s %d - %u lines of %u products, %u rivals, %s: %llu taken, %llu + %llu "
                 "snapshots, %llu audits, longest call %.1f ms\n",
                 right ? "ok" : "not ok", number, lines, skus, rivals, mode_names[mode],
                 (unsigned long long)run.taken, (unsigned long long)run.seen[0],
                 (unsigned long long)run.seen[1], (unsigned long long)run.audits,
                 (double)run.longest_ns / 1e6);
    (void)fflush(stdout);
    return right;
}

int main(void) {
    uint64_t seed = random_seed_of_run();
    bool right = true;

    (void)printf("1..7\n");
    right = run_case(1, seed, 1114, 1114, 2, CALM) && right;
    right = run_case(2, seed, 1114, 1114, 16, CALM) && right;
    right = run_case(3, seed, 1114, 1114, 3, CHAOS) && right;
    right = run_case(4, seed, 1114, 1114, 4, ORACLE) && right;
    right = run_case(5, seed, 4096, 4096, 4, CALM) && right;
    right = run_case(6, seed, 1114, 4096, 4, CHAOS) && right;
    right = run_case(7, seed, 50, 1114, 4, CALM) && right;
    return right ? 0 : 1;
}
