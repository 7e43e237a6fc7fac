/* Is no unit sold twice and none lost, when hundreds of threads hold the last ones of two SKUs for
 * a few milliseconds, pay for them, in whole or in part, in time or too late, extend, cancel or
 * forget them?
 *
 * Each thread writes down what it was told of each of its orders; at the end the store must say the
 * same of every one, and the units must add up exactly. Of "rare" there are fewer than the threads
 * ask for; "later" is sold before it is here, too, and received meanwhile. SEED= repeats the random
 * choices, STRESS=n makes it n times as long. */
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

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define THREADS 24
#define RUN_MS 700
#else
#define THREADS 300
#define RUN_MS 1200
#endif
#define ORDERS_OF_THREAD 400 /* at most, each */
#define RARE THREADS
#define LATER_LIMIT THREADS
#define PRICE 7
#define LINE_RARE 0
#define LINE_LATER 1
#define MS NANOSECONDS_PER_MILLISECOND

static const char *const skus[2] = {"rare", "later"};

/* What is known of an order: by the answers. */
struct kept {
    cellar_order_state state; /* 0: refused. PLACED: forgotten, or told that it was too late */
    int64_t units[2];         /* still the order's, or gone with it */
};

struct thread {
    struct run *run;
    uint64_t number;
    struct random random;
    pthread_t thread;
    uint32_t count;
    struct kept kept[ORDERS_OF_THREAD];
};

struct run {
    cellar *store;
    char path[MODEL_PATH_BYTES];
    int64_t end_ns;
    int64_t received[2];
    _Atomic uint64_t wrong;
    _Atomic uint64_t answers[6]; /* placed, refused, paid, too late, cancelled, not here yet */
    struct thread threads[THREADS];
};

static void note_wrong(struct run *run, const char *what, int64_t a, int64_t b) {
    if (atomic_fetch_add(&run->wrong, 1) < 5) {
        (void)printf("# %s: %lld, %lld\n", what, (long long)a, (long long)b);
    }
}

static int64_t now_ns(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * NANOSECONDS_PER_SECOND + now.tv_nsec;
}

static cellar_id order_id(const struct thread *thread, uint32_t order) {
    return (cellar_id){1 + thread->number, 1 + order};
}

/* ---- One order ---- */

static bool place(struct thread *thread, struct kept *kept, cellar_id id) {
    struct run *run = thread->run;
    const cellar_line lines[2] = {{.sku = "rare",
                                   .quantity = 1 + (int64_t)random_below(&thread->random, 3),
                                   .unit_price = PRICE},
                                  {.sku = "later",
                                   .quantity = 1 + (int64_t)random_below(&thread->random, 2),
                                   .unit_price = PRICE}};
    const cellar_order_request request = {
        .id = id,
        .lines = lines,
        .line_count = 2,
        .hold_until_ns = now_ns() + (2 + (int64_t)random_below(&thread->random, 9)) * MS};
    cellar_refusal refusal = {0};
    cellar_status status = cellar_order_place(run->store, NULL, &request, NULL, &refusal);
    if (status != CELLAR_OK) {
        bool expected = (status == CELLAR_OUT_OF_STOCK && refusal.available < refusal.needed) ||
                        status == CELLAR_HOLD_EXPIRED;
        if (!expected) {
            note_wrong(run, "place", status, refusal.available);
        }
        atomic_fetch_add(&run->answers[1], 1);
        return false;
    }
    atomic_fetch_add(&run->answers[0], 1);
    kept->state = CELLAR_ORDER_PLACED;
    kept->units[LINE_RARE] = lines[0].quantity;
    kept->units[LINE_LATER] = lines[1].quantity;
    return true;
}

/* Pays for all, or for one unit of "rare". */
static void pay(struct thread *thread, struct kept *kept, cellar_id id, bool in_part) {
    struct run *run = thread->run;
    const cellar_order_part one = {LINE_RARE, 1};
    const cellar_order_change change = {.order = id,
                                        .event = CELLAR_EVENT_PAY,
                                        .id = {id.high, id.low + (UINT64_C(1) << 32)},
                                        .parts = in_part ? &one : NULL,
                                        .part_count = in_part,
                                        .account = 1};
    cellar_refusal refusal = {0};
    cellar_status status = cellar_order_step(run->store, NULL, &change, NULL, &refusal);
    if (status == CELLAR_OK) {
        atomic_fetch_add(&run->answers[2], 1);
        kept->state = CELLAR_ORDER_PAID;
        if (in_part) {
            kept->units[LINE_RARE] = 1;
            kept->units[LINE_LATER] = 0;
        }
        return;
    }
    atomic_fetch_add(&run->answers[3], 1);
    if (status != CELLAR_HOLD_EXPIRED &&
        !(status == CELLAR_ILLEGAL_STEP && refusal.state == CELLAR_ORDER_EXPIRED)) {
        note_wrong(run, "pay", status, refusal.state);
    }
}

static void cancel(struct thread *thread, struct kept *kept, cellar_id id) {
    struct run *run = thread->run;
    cellar_refusal refusal = {0};
    cellar_status status = cellar_order_cancel(run->store, NULL, id, NULL, &refusal);
    if (status == CELLAR_OK) {
        atomic_fetch_add(&run->answers[4], 1);
        kept->state = CELLAR_ORDER_CANCELLED;
    } else if (status != CELLAR_ILLEGAL_STEP || refusal.state != CELLAR_ORDER_EXPIRED ||
               kept->state != CELLAR_ORDER_PLACED) {
        note_wrong(run, "cancel", status, refusal.state);
    }
}

/* What is not here yet is refused, and stays paid. */
static void fulfil(struct thread *thread, struct kept *kept, cellar_id id) {
    struct run *run = thread->run;
    cellar_refusal refusal = {0};
    cellar_status status = cellar_order_fulfil(run->store, NULL, id, NULL, &refusal);
    if (status == CELLAR_OK) {
        kept->state = CELLAR_ORDER_FULFILLED;
        return;
    }
    atomic_fetch_add(&run->answers[5], 1);
    if (status != CELLAR_OUT_OF_STOCK || refusal.line != LINE_LATER ||
        refusal.available >= refusal.needed) {
        note_wrong(run, "fulfil", status, refusal.available);
    }
}

static void live(struct thread *thread, struct kept *kept, cellar_id id) {
    cellar *store = thread->run->store;
    uint64_t choice = random_below(&thread->random, 100);
    clock_sleep_ns((int64_t)random_below(&thread->random, 5) * MS);
    if (choice < 15) {
        return; /* forgotten */
    }
    if (choice < 40) {
        cellar_status status = cellar_order_extend(store, NULL, id, now_ns() + 5 * MS, NULL, NULL);
        if (status != CELLAR_OK && status != CELLAR_HOLD_EXPIRED && status != CELLAR_ILLEGAL_STEP) {
            note_wrong(thread->run, "extend", status, 0);
        }
    }
    if (choice >= 85) {
        cancel(thread, kept, id);
        return;
    }
    pay(thread, kept, id, choice % 4 == 0);
    if (kept->state == CELLAR_ORDER_PAID && choice % 3 == 0) {
        fulfil(thread, kept, id);
    } else if (kept->state == CELLAR_ORDER_PAID && choice % 3 == 1) {
        cancel(thread, kept, id);
    }
}

static void *thread_run(void *argument) {
    struct thread *thread = argument;
    while (thread->count < ORDERS_OF_THREAD && clock_monotonic_ns() < thread->run->end_ns) {
        cellar_id id = order_id(thread, thread->count);
        struct kept *kept = &thread->kept[thread->count++];
        if (place(thread, kept, id)) {
            live(thread, kept, id);
        } else {
            clock_sleep_ns(3 * MS);
        }
    }
    return NULL;
}

/* ---- At the end ---- */

static void check_audit(struct run *run) {
    cellar_audit audit;
    cellar_status status = cellar_audit_run(run->store, &audit);
    if (status != CELLAR_OK || audit.violations != 0) {
        note_wrong(run, audit.first_violation, status, (int64_t)audit.violations);
    }
}

/* Nothing is held any more: what was forgotten has expired. */
static void wait_until_expired(struct run *run) {
    cellar_audit audit = {.totals.orders[CELLAR_ORDER_PLACED] = 1};
    for (int i = 0; i < 5000 && audit.totals.orders[CELLAR_ORDER_PLACED] != 0; i++) {
        (void)cellar_audit_run(run->store, &audit);
        clock_sleep_ns(2 * MS);
    }
    if (audit.totals.orders[CELLAR_ORDER_PLACED] != 0) {
        note_wrong(run, "still held", (int64_t)audit.totals.orders[CELLAR_ORDER_PLACED], 0);
    }
}

/* The store says of the order what its thread was told. Adds what it has of both SKUs. */
static void check_order(struct run *run, const struct thread *thread, uint32_t number,
                        int64_t reserved[2], int64_t gone[2]) {
    const struct kept *kept = &thread->kept[number];
    cellar_order order;
    cellar_order_line lines[2];
    cellar_status status = cellar_order_get(run->store, order_id(thread, number), &order, lines, 2);
    if (kept->state == 0) {
        if (status != CELLAR_NOT_FOUND) {
            note_wrong(run, "refused, but there", status, number);
        }
        return;
    }
    cellar_order_state expected =
        kept->state == CELLAR_ORDER_PLACED ? CELLAR_ORDER_EXPIRED : kept->state;
    if (status != CELLAR_OK || order.state != expected) {
        note_wrong(run, "an order is in another state", order.state, expected);
        return;
    }
    for (int i = 0; i < 2; i++) {
        bool has = expected == CELLAR_ORDER_PAID || expected == CELLAR_ORDER_FULFILLED;
        int64_t left = lines[i].quantity - lines[i].cancelled;
        if (left != (has ? kept->units[i] : 0)) {
            note_wrong(run, "units of an order", left, kept->units[i]);
        }
        *(expected == CELLAR_ORDER_FULFILLED ? &gone[i] : &reserved[i]) += left;
    }
}

static void check_end(struct run *run) {
    int64_t here[2] = {run->received[0], run->received[1]};
    int64_t reserved[2] = {0};
    int64_t gone[2] = {0};
    int64_t paid = 0;
    wait_until_expired(run);
    for (uint32_t i = 0; i < THREADS; i++) {
        for (uint32_t k = 0; k < run->threads[i].count; k++) {
            check_order(run, &run->threads[i], k, reserved, gone);
        }
    }
    for (int i = 0; i < 2; i++) {
        const cellar_line line = {.sku = skus[i]};
        cellar_stock stock = {0};
        (void)cellar_stock_get(run->store, &line, &stock);
        if (stock.available != here[i] - reserved[i] - gone[i] || stock.reserved != reserved[i]) {
            note_wrong(run, skus[i], stock.available, here[i] - reserved[i] - gone[i]);
        }
        paid += (reserved[i] + gone[i]) * PRICE;
    }
    cellar_account account = {0};
    (void)cellar_account_get(run->store, 1, &account);
    if (account.balance != -paid) {
        note_wrong(run, "paid", account.balance, -paid);
    }
    check_audit(run);
}

/* ---- All ---- */

static void expect(struct run *run, const char *what, cellar_status status) {
    if (status != CELLAR_OK) {
        note_wrong(run, what, status, 0);
    }
}

static void receive(struct run *run, int line_number, int64_t quantity) {
    const cellar_line line = {.sku = skus[line_number], .quantity = quantity};
    const cellar_stock_change change = {.lines = &line, .line_count = 1};
    expect(run, "receipt", cellar_stock_receive(run->store, NULL, &change, NULL, NULL));
    run->received[line_number] += quantity;
}

static void fill(struct run *run) {
    const cellar_product rare = {.sku = "rare"};
    const cellar_product later = {.sku = "later"};
    const cellar_line limit = {.sku = "later", .quantity = -LATER_LIMIT};
    expect(run, "put", cellar_product_put(run->store, NULL, &rare, 0, NULL, NULL));
    expect(run, "put", cellar_product_put(run->store, NULL, &later, 0, NULL, NULL));
    expect(run, "limit", cellar_stock_set_safety(run->store, NULL, &limit, 0, NULL, NULL));
    expect(run, "account",
           cellar_account_open(run->store, NULL, 1, -CELLAR_AMOUNT_MAX, NULL, NULL));
    receive(run, LINE_RARE, RARE);
}

static bool run_case(int number, uint64_t seed, bool chaotic) {
    static struct run run;
    run = (struct run){.end_ns = 0};
    model_files_path(run.path, "hold");
    const cellar_config config = {.size = sizeof config,
                                  .directory = run.path,
                                  .ring_bytes = 1U << 20,
                                  .segment_bytes = 1U << 22,
                                  .products_max = 16,
                                  .stocks_max = 16,
                                  .orders_max = THREADS * ORDERS_OF_THREAD * 3,
                                  .durability = CELLAR_RELAXED};
    cellar_status status = cellar_open(&config, &run.store, NULL);
    ASSERT(status == CELLAR_OK);
    fill(&run);
    if (chaotic) {
        chaos_start(80, 2);
    }
    run.end_ns = clock_monotonic_ns() + (int64_t)(RUN_MS * model_files_stress()) * MS;
    for (uint32_t i = 0; i < THREADS; i++) {
        struct thread *thread = &run.threads[i];
        thread->run = &run;
        thread->number = i;
        thread->random.state = seed + i;
        int failed = pthread_create(&thread->thread, NULL, thread_run, thread);
        ASSERT(failed == 0);
    }
    while (clock_monotonic_ns() < run.end_ns) {
        receive(&run, LINE_RARE, THREADS / 8);
        receive(&run, LINE_LATER, THREADS / 12);
        check_audit(&run);
        clock_sleep_ns(5 * MS);
    }
    for (uint32_t i = 0; i < THREADS; i++) {
        pthread_join(run.threads[i].thread, NULL);
    }
    chaos_stop();
    check_end(&run);
    /* The same once more after an opening. */
    model_files_close(run.store);
    status = cellar_open(&config, &run.store, NULL);
    ASSERT(status == CELLAR_OK);
    check_end(&run);
    model_files_close(run.store);
    model_files_remove(run.path);
    bool met = run.answers[2] > 0 && run.answers[3] > 0 && run.answers[4] > 0;
    bool right = run.wrong == 0 && met;
    (void)printf("%s %d - hold%s: %llu placed, %llu refused, %llu paid, %llu too late, %llu "
                 "cancelled, %llu not here yet\n",
                 right ? "ok" : "not ok", number, chaotic ? ", chaos" : "",
                 (unsigned long long)run.answers[0], (unsigned long long)run.answers[1],
                 (unsigned long long)run.answers[2], (unsigned long long)run.answers[3],
                 (unsigned long long)run.answers[4], (unsigned long long)run.answers[5]);
    (void)fflush(stdout);
    return right;
}

int main(void) {
    uint64_t seed = random_seed_of_run();
    (void)printf("1..2\n");
    bool right = run_case(1, seed, false);
    right = run_case(2, seed, true) && right;
    return right ? 0 : 1;
}
