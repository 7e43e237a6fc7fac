/* Are exactly the units sold that there are, each once, each order once, whoever asks at once?
 *
 * Tellers sell a few products until nothing is left: single units, and carts of up to five
 * products. Tellers work in pairs, and both of a pair send the same orders with the same ids, at
 * the same time as far as can be: one of the two places the order, the other is told that it is
 * placed, or both are refused. In some of the cases some orders are cancelled again, and their
 * units sold anew. In the end the units of all orders and takes are those that were received; the
 * store's own books say the same, before and after it is opened again.
 *
 * SEED= repeats the random choices, STRESS=n sells n times as much. */
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
#define UNITS 300
#else
#define UNITS 1000
#endif
#define SKUS 5
#define THREADS_MAX 300
/* Spins for the other of the pair before it goes on alone. */
#define SPINS_MAX 40

static const char *const skus[SKUS] = {"lantern", "key ring", "paper craft", "cup", "Cup"};

struct run {
    cellar *store;
    char path[MODEL_PATH_BYTES];
    uint64_t seed;
    bool cancels;
    int64_t received;
    pthread_barrier_t start;
};

/* One request of a pair, as one of the two saw it. */
struct sale {
    cellar_status status;
    bool repeated;
    bool cancelled;
    uint64_t lsn;
};

struct teller {
    struct run *run;
    struct random random; /* the same for both of a pair */
    struct random own;
    uint32_t pair;
    bool second;
    uint32_t wrong;
    _Atomic uint32_t step;
    struct teller *other; /* NULL: alone */
    struct sale *sales;
    uint32_t sale_count;
    int64_t taken[SKUS];
    pthread_t thread;
};

/* ---- Orders ---- */

struct cart {
    cellar_line lines[SKUS];
    size_t line_count;
    cellar_order_state state;
};

/* The order `number` of a pair: the same whenever it is asked for. */
static void cart_fill(struct cart *cart, uint64_t seed, uint32_t pair, uint32_t number) {
    struct random random = {seed + pair * UINT64_C(77777) + number * UINT64_C(99991)};

    cart->line_count = 1 + random_below(&random, SKUS);
    cart->state = (cellar_order_state)random_below(&random, CELLAR_ORDER_FULFILLED + 1);
    for (size_t i = 0; i < cart->line_count; i++) {
        cart->lines[i] = (cellar_line){.sku = skus[random_below(&random, SKUS)],
                                       .quantity = 1 + (int64_t)random_below(&random, 2),
                                       .unit_price = 100};
    }
}

static cellar_id cart_id(uint32_t pair, uint32_t number) {
    return (cellar_id){pair + 1, number + 1};
}

static void teller_meet(struct teller *teller, uint32_t step) {
    atomic_store(&teller->step, step);
    for (int i = 0; i < SPINS_MAX && teller->other != NULL; i++) {
        if (atomic_load(&teller->other->step) >= step) {
            return;
        }
        (void)sched_yield();
    }
}

static bool teller_order(struct teller *teller) {
    uint32_t number = teller->sale_count;
    struct cart cart;
    cellar_ticket ticket = {0};
    cellar_refusal refusal = {0};

    cart_fill(&cart, teller->run->seed, teller->pair, number);
    const cellar_order_request request = {.id = cart_id(teller->pair, number),
                                          .customer = teller->pair + 1,
                                          .lines = cart.lines,
                                          .line_count = cart.line_count,
                                          .state = cart.state};
    teller_meet(teller, number + 1);
    cellar_status status =
        cellar_order_place(teller->run->store, NULL, &request, &ticket, &refusal);
    teller->wrong += status != CELLAR_OK && status != CELLAR_OUT_OF_STOCK;
    teller->wrong += status == CELLAR_OUT_OF_STOCK && refusal.available >= refusal.needed;
    teller->sales = realloc(teller->sales, (number + 1) * sizeof *teller->sales);
    ASSERT(teller->sales != NULL);
    teller->sales[number] =
        (struct sale){.status = status, .repeated = ticket.repeated, .lsn = ticket.lsn};
    teller->sale_count++;
    if (status == CELLAR_OK && teller->run->cancels && cart.state <= CELLAR_ORDER_PAID &&
        random_below(&teller->own, 4) == 0) {
        cellar_status cancelled =
            cellar_order_cancel(teller->run->store, NULL, request.id, NULL, NULL);
        teller->wrong += cancelled != CELLAR_OK;
        teller->sales[number].cancelled = true;
    }
    return status == CELLAR_OK;
}

static bool teller_take(struct teller *teller, uint32_t sku, int64_t quantity) {
    const cellar_line line = {.sku = skus[sku], .quantity = quantity};
    cellar_ticket ticket = {.remaining = -1};

    cellar_status status = cellar_stock_take(teller->run->store, NULL, &line, &ticket, NULL);
    teller->wrong += status != CELLAR_OK && status != CELLAR_OUT_OF_STOCK;
    teller->wrong += status == CELLAR_OK && ticket.remaining < 0;
    teller->taken[sku] += status == CELLAR_OK ? quantity : 0;
    return status == CELLAR_OK;
}

/* Sells until the orders find nothing, then what they have left. */
static void *teller_run(void *argument) {
    struct teller *teller = argument;
    uint32_t failures = 0;

    pthread_barrier_wait(&teller->run->start);
    while (failures < 20) {
        bool sold = teller_order(teller);
        if (random_below(&teller->own, 4) == 0) {
            sold = teller_take(teller, (uint32_t)random_below(&teller->own, SKUS), 1) || sold;
        }
        failures = sold ? 0 : failures + 1;
    }
    for (uint32_t sku = 0; sku < SKUS; sku++) {
        while (teller_take(teller, sku, 1)) {
        }
    }
    return NULL;
}

/* ---- The books ---- */

static int64_t book_quantity(const cellar_line *line, uint32_t sku) {
    return strcmp(line->sku, skus[sku]) == 0 ? line->quantity : 0;
}

/* What both of a pair saw of one request. Returns the number of mistakes. */
static uint32_t book_sale(const struct run *run, const struct sale *a, const struct sale *b) {
    bool first =
        (a->status == CELLAR_OK && !a->repeated) || (b->status == CELLAR_OK && !b->repeated);
    bool twice = a->status == CELLAR_OK && b->status == CELLAR_OK;

    if (twice) {
        /* One of them placed it, and both were told of the same commit. */
        return a->repeated == b->repeated || a->lsn != b->lsn;
    }
    if (a->status == CELLAR_OK || b->status == CELLAR_OK) {
        /* Units only come back when orders are cancelled: else who is refused is refused before
         * and after the other, too. */
        return !first || !run->cancels;
    }
    return 0;
}

static uint32_t book_order(const struct run *run, uint32_t pair, uint32_t number, bool placed,
                           bool cancelled, int64_t sold[SKUS]) {
    cellar_order_line lines[SKUS];
    struct cart cart;
    cellar_order order;

    cart_fill(&cart, run->seed, pair, number);
    cellar_status status = cellar_order_get(run->store, cart_id(pair, number), &order, lines, SKUS);
    if (!placed) {
        return status != CELLAR_NOT_FOUND;
    }
    cellar_order_state wanted = cart.state == 0 ? CELLAR_ORDER_PLACED : cart.state;
    wanted = cancelled ? CELLAR_ORDER_CANCELLED : wanted;
    uint32_t wrong =
        status != CELLAR_OK || order.state != wanted || order.line_count != cart.line_count;
    for (size_t i = 0; wrong == 0 && i < cart.line_count; i++) {
        wrong += lines[i].quantity != cart.lines[i].quantity;
        for (uint32_t sku = 0; sku < SKUS && !cancelled; sku++) {
            sold[sku] += book_quantity(&cart.lines[i], sku);
        }
    }
    return wrong;
}

struct books {
    uint64_t orders;
    uint64_t cancelled;
    uint64_t repeated;
    uint64_t refused;
    uint32_t wrong;
    int64_t sold[SKUS];
};

/* Goes through the requests of a pair; a teller who is alone is a pair with nobody. */
static void book_pair(const struct run *run, const struct teller *a, const struct teller *b,
                      struct books *books) {
    static const struct sale none = {.status = CELLAR_OUT_OF_STOCK};
    uint32_t count = a->sale_count;

    if (b != NULL && b->sale_count > count) {
        count = b->sale_count;
    }
    for (uint32_t i = 0; i < count; i++) {
        const struct sale *left = i < a->sale_count ? &a->sales[i] : &none;
        const struct sale *right = b != NULL && i < b->sale_count ? &b->sales[i] : &none;
        bool placed = left->status == CELLAR_OK || right->status == CELLAR_OK;
        bool cancelled = left->cancelled || right->cancelled;
        if (left != &none && right != &none) {
            books->wrong += book_sale(run, left, right);
        }
        books->orders += placed;
        books->cancelled += cancelled;
        books->repeated += left->repeated + (uint64_t)right->repeated;
        books->refused += !placed;
        books->wrong += book_order(run, a->pair, i, placed, cancelled, books->sold);
    }
}

static void book_all(const struct run *run, const struct teller *tellers, uint32_t threads,
                     struct books *books) {
    memset(books, 0, sizeof *books);
    for (uint32_t i = 0; i < threads; i++) {
        books->wrong += tellers[i].wrong;
        for (uint32_t sku = 0; sku < SKUS; sku++) {
            books->sold[sku] += tellers[i].taken[sku];
        }
        if (i % 2 == 0) {
            book_pair(run, &tellers[i], i + 1 < threads ? &tellers[i + 1] : NULL, books);
        }
    }
}

static bool book_check(const struct run *run, const struct books *books) {
    cellar_audit audit;
    uint64_t listed = 0;

    bool right = cellar_audit_run(run->store, &audit) == CELLAR_OK && audit.violations == 0;
    if (!right) {
        (void)printf("# audit: %s\n", audit.first_violation);
    }
    for (uint32_t sku = 0; sku < SKUS; sku++) {
        const cellar_line line = {.sku = skus[sku]};
        cellar_stock stock;
        cellar_status status = cellar_stock_get(run->store, &line, &stock);
        if (status != CELLAR_OK || stock.available != 0 || books->sold[sku] != run->received) {
            (void)printf("# %s: %lld received, %lld sold, %lld available\n", skus[sku],
                         (long long)run->received, (long long)books->sold[sku],
                         (long long)stock.available);
            right = false;
        }
    }
    for (uint32_t state = CELLAR_ORDER_PLACED; state <= CELLAR_ORDER_CANCELLED; state++) {
        listed += audit.totals.orders[state];
    }
    if (books->wrong != 0 || listed != books->orders ||
        audit.totals.orders[CELLAR_ORDER_CANCELLED] != books->cancelled) {
        (void)printf("# %u mistakes; %llu orders, %llu listed; %llu cancelled, %llu listed\n",
                     books->wrong, (unsigned long long)books->orders, (unsigned long long)listed,
                     (unsigned long long)books->cancelled,
                     (unsigned long long)audit.totals.orders[CELLAR_ORDER_CANCELLED]);
        right = false;
    }
    return right;
}

/* ---- One case ---- */

enum mode {
    CALM,
    CHAOS,
    ORACLE
};
static const char *const mode_names[] = {"calm", "chaos", "oracle"};

static void run_prepare(struct run *run, enum mode mode) {
    model_files_path(run->path, "shop-oversell");
    run->store = model_files_open(run->path, 0, false, mode == ORACLE);
    run->received = (int64_t)(UNITS * model_files_stress());
    for (uint32_t sku = 0; sku < SKUS; sku++) {
        const cellar_product product = {.sku = skus[sku]};
        const cellar_line line = {.sku = skus[sku], .quantity = run->received};
        const cellar_stock_change change = {.lines = &line, .line_count = 1};
        cellar_status status = cellar_product_put(run->store, NULL, &product, 0, NULL, NULL);
        ASSERT(status == CELLAR_OK);
        status = cellar_stock_receive(run->store, NULL, &change, NULL, NULL);
        ASSERT(status == CELLAR_OK);
    }
}

static void run_tellers(struct run *run, struct teller *tellers, uint32_t threads) {
    pthread_barrier_init(&run->start, NULL, threads);
    for (uint32_t i = 0; i < threads; i++) {
        struct teller *other = (i ^ 1) < threads ? &tellers[i ^ 1] : NULL;
        tellers[i].run = run;
        tellers[i].pair = i / 2;
        tellers[i].other = other;
        tellers[i].own.state = run->seed + i * UINT64_C(1234567);
    }
    for (uint32_t i = 0; i < threads; i++) {
        int failed = pthread_create(&tellers[i].thread, NULL, teller_run, &tellers[i]);
        ASSERT(failed == 0);
    }
    for (uint32_t i = 0; i < threads; i++) {
        pthread_join(tellers[i].thread, NULL);
    }
    pthread_barrier_destroy(&run->start);
}

static bool run_case(int number, uint64_t seed, uint32_t threads, enum mode mode, bool cancels) {
    struct run run = {.seed = seed + (uint64_t)number, .cancels = cancels};
    struct teller *tellers = calloc(threads, sizeof *tellers);
    struct books books;

    ASSERT(tellers != NULL);
    run_prepare(&run, mode);
    if (mode == CHAOS) {
        chaos_start(160, 4);
    }
    run_tellers(&run, tellers, threads);
    chaos_stop();
    book_all(&run, tellers, threads, &books);
    bool right = book_check(&run, &books);
    model_files_close(run.store);
    run.store = model_files_open(run.path, 0, false, mode == ORACLE);
    book_all(&run, tellers, threads, &books);
    right = book_check(&run, &books) && right;
    model_files_close(run.store);
    model_files_remove(run.path);
    (void)printf(
        "%s %d - %u threads, %s%s: %llu orders, %llu cancelled, %llu repeated, %llu refused\n",
        right ? "ok" : "not ok", number, threads, mode_names[mode],
        cancels ? ", with cancellations" : "", (unsigned long long)books.orders,
        (unsigned long long)books.cancelled, (unsigned long long)books.repeated,
        (unsigned long long)books.refused);
    (void)fflush(stdout);
    for (uint32_t i = 0; i < threads; i++) {
        free(tellers[i].sales);
    }
    free(tellers);
    return right;
}

int main(void) {
    static const uint32_t threads[] = {1, 2, 3, 7, 16, 64, 300};
    uint64_t seed = random_seed_of_run();
    int number = 0;
    bool right = true;

    (void)printf("1..%d\n", 7 * 3);
    for (size_t i = 0; i < 7; i++) {
        right = run_case(++number, seed, threads[i], CALM, i % 2 == 1) && right;
        right = run_case(++number, seed, threads[i], CHAOS, i % 2 == 0) && right;
        right = run_case(++number, seed, threads[i], ORACLE, i % 2 == 1) && right;
    }
    return right ? 0 : 1;
}
