/* Is money exact when hundreds of threads move it at once?
 *
 * "collecting": threads pay into one collecting account in every way there is, while others spend
 * from it and settle it. "holds": pairs of threads post, void and expire the same holds.
 * "full": balances are put together from cells of one instant.
 * "rates": what it costs to pay into nobody's, a collecting and an ordinary account; the figures
 * are printed, and the totals are checked. Every case ends with exact sums, an audit, and the same
 * after the store was opened again.
 *
 * SEED= repeats the random choices, STRESS=n makes it n times as long. */
#include "cellar.h"

#include "base/assert.h"
#include "base/clock.h"
#include "engine/engine.h"
#include "support/chaos.h"
#include "support/model_files.h"
#include "support/random.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define SCALE 0.1
#else
#define SCALE 1
#endif
#define THREADS_MAX 300
#define SHOP 1
#define OTHER 2 /* an account that is no one's own */
#define OWN 100 /* and up: one of each thread */
#define FUNDS 1000000
#define PAYMENTS 24000 /* of all threads together */
#define HOLDS 9000
#define RATE_TURNS 5
#define FULL_ROUNDS 600
#define FULL_HELD (CELLAR_AMOUNT_MAX / 3)

struct run {
    cellar *store;
    char path[MODEL_PATH_BYTES];
    uint64_t seed;
    uint32_t threads;
    uint32_t rounds; /* of each thread */
    uint64_t payee;  /* "rates" */
    pthread_barrier_t barrier;
    _Atomic uint64_t wrong;
    _Atomic int64_t paid;  /* into the shop's account */
    _Atomic int64_t spent; /* out of it */
    _Atomic int64_t posted;
    _Atomic uint64_t placed;
    _Atomic uint32_t round_of_pair[THREADS_MAX / 2];
    _Atomic uint64_t ends[2]; /* posted, voided */
    char told[160];
};

struct worker {
    struct run *run;
    uint32_t number;
    pthread_t thread;
    struct random random;
    int64_t balance; /* of its own account, as it must be */
};

static const cellar_id none = {0, 0};

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

static void expect_number(struct run *run, const char *what, int64_t is, int64_t expected) {
    if (is != expected) {
        note_wrong(run, what, is, expected);
    }
}

static cellar_account account_of(struct run *run, uint64_t id) {
    cellar_account account = {.id = 0};
    expect(run, "get", cellar_account_get(run->store, id, &account));
    return account;
}

static void open_account(struct run *run, uint64_t id, int64_t balance, bool collecting) {
    const cellar_account_request request = {.id = id, .collecting = collecting};
    expect(run, "open", cellar_account_create(run->store, NULL, &request, NULL, NULL));
    if (balance != 0) {
        expect(run, "fund", cellar_account_credit(run->store, NULL, none, id, balance, NULL, NULL));
    }
}

static void run_threads(struct run *run, void *(*body)(void *), struct worker *workers) {
    pthread_barrier_init(&run->barrier, NULL, run->threads);
    for (uint32_t i = 0; i < run->threads; i++) {
        workers[i] =
            (struct worker){.run = run, .number = i, .random = {run->seed + i}, .balance = FUNDS};
        int failed = pthread_create(&workers[i].thread, NULL, body, &workers[i]);
        ASSERT(failed == 0);
    }
    for (uint32_t i = 0; i < run->threads; i++) {
        pthread_join(workers[i].thread, NULL);
    }
    pthread_barrier_destroy(&run->barrier);
}

static void audit(struct run *run, cellar_totals *totals_out) {
    cellar_audit found;
    expect(run, "audit", cellar_audit_run(run->store, &found));
    if (found.violations != 0) {
        note_wrong(run, found.first_violation, (int64_t)found.violations, 0);
    }
    *totals_out = found.totals;
}

/* ---- Collecting ---- */

/* Pays `amount` into the shop's account in one of the ways. */
static void collect_pay(struct worker *worker, uint32_t round, int64_t amount) {
    cellar *store = worker->run->store;
    struct run *run = worker->run;
    uint64_t own = OWN + worker->number;
    cellar_id id = {worker->number + 1, round};
    switch (random_below(&worker->random, 4)) {
    case 0:
        expect(run, "credit", cellar_account_credit(store, NULL, id, SHOP, amount, NULL, NULL));
        break;
    case 1:
        expect(run, "hold", cellar_account_hold(store, NULL, id, own, amount + 5, 0, NULL, NULL));
        expect(run, "post", cellar_account_post(store, NULL, id, amount, SHOP, NULL, NULL));
        worker->balance -= amount;
        break;
    default:
        expect(run, "transfer",
               cellar_account_transfer(store, NULL, none, own, SHOP, amount, NULL, NULL));
        worker->balance -= amount;
        break;
    }
    atomic_fetch_add(&run->paid, amount);
}

/* Spends of it, or finds that there is not enough, or settles. */
static void collect_spend(struct worker *worker, int64_t amount) {
    struct run *run = worker->run;
    uint64_t own = OWN + worker->number;
    if (random_below(&worker->random, 8) == 0) {
        expect(run, "settle", cellar_account_settle(run->store, NULL, SHOP, NULL, NULL));
        return;
    }
    cellar_status status =
        cellar_account_transfer(run->store, NULL, none, SHOP, own, amount, NULL, NULL);
    if (status == CELLAR_OK) {
        worker->balance += amount;
        atomic_fetch_add(&run->spent, amount);
    } else if (status != CELLAR_INSUFFICIENT_FUNDS) {
        note_wrong(run, "spending", status, amount);
    }
}

static void *collect_run(void *argument) {
    struct worker *worker = argument;
    pthread_barrier_wait(&worker->run->barrier);
    for (uint32_t round = 1; round <= worker->run->rounds; round++) {
        int64_t amount = 1 + (int64_t)random_below(&worker->random, 9);
        if (worker->number % 8 == 7) {
            collect_spend(worker, 3 * amount);
        } else {
            collect_pay(worker, round, amount);
        }
    }
    return NULL;
}

static void collecting(struct run *run) {
    static struct worker workers[THREADS_MAX];
    cellar_totals totals;

    run->rounds = (uint32_t)(PAYMENTS * SCALE * model_files_stress()) / run->threads;
    open_account(run, SHOP, 0, true);
    for (uint32_t i = 0; i < run->threads; i++) {
        open_account(run, OWN + i, FUNDS, false);
    }
    run_threads(run, collect_run, workers);
    int64_t left = run->paid - run->spent;
    audit(run, &totals);
    for (uint32_t i = 0; i < run->threads; i++) {
        expect_number(run, "own balance", account_of(run, OWN + i).balance, workers[i].balance);
    }
    cellar_account shop = account_of(run, SHOP);
    expect_number(run, "the shop's balance", shop.balance, left);
    expect_number(run, "unsettled", totals.unsettled, shop.unsettled);
    /* All of it can be spent, and not a penny more. */
    expect_number(run, "too much",
                  cellar_account_debit(run->store, NULL, none, SHOP, left + 1, NULL, NULL),
                  CELLAR_INSUFFICIENT_FUNDS);
    if (left > 0) {
        expect(run, "all of it",
               cellar_account_debit(run->store, NULL, none, SHOP, left, NULL, NULL));
    }
    expect_number(run, "in the end", account_of(run, SHOP).balance, 0);
    (void)snprintf(run->told, sizeof run->told, "paid %lld, spent %lld", (long long)run->paid,
                   (long long)run->spent);
}

/* ---- Holds ---- */

static cellar_status hold_expire(struct run *run, cellar_id id) {
    cellar_ticket ticket = {.lsn = 0};
    commit_enter();
    const struct store_order *entry = store_find_order(run->store->store, id);
    uint32_t slot = entry == NULL ? 0 : entry->slot;
    commit_leave();
    /* Like the store's own thread, which may be first. */
    return slot == 0 ? CELLAR_NOT_FOUND : engine_account_expire(run->store, NULL, slot, &ticket);
}

/* One in three runs out while its owner naps, or just before, or just after. */
static cellar_status hold_place(struct worker *worker, cellar_id id, uint64_t own, bool brief) {
    struct run *run = worker->run;
    cellar_ticket ticket = {.lsn = 0};
    int64_t nap_ns = (int64_t)random_below(&worker->random, 3) * NANOSECONDS_PER_MILLISECOND;
    int64_t deadline = brief ? clock_wall_ns() + 2 * NANOSECONDS_PER_MILLISECOND : 0;
    cellar_status status =
        cellar_account_hold(run->store, NULL, id, own, 10, deadline, &ticket, NULL);
    run->placed += status == CELLAR_OK;
    run->round_of_pair[worker->number / 2] = (uint32_t)id.low;
    if (brief && nap_ns != 0) {
        clock_sleep_ns(nap_ns);
    }
    return brief && status == CELLAR_HOLD_EXPIRED ? CELLAR_OK : status;
}

/* One of a pair places holds, both end them: each ends once. */
static void *hold_run(void *argument) {
    struct worker *worker = argument;
    struct run *run = worker->run;
    uint32_t pair = worker->number / 2;
    uint64_t own = OWN + pair % 7; /* several pairs share an account */
    bool places = worker->number % 2 == 0;
    cellar *store = run->store;
    pthread_barrier_wait(&run->barrier);
    for (uint32_t round = 1; round <= run->rounds; round++) {
        cellar_id id = {pair + 1, round};
        cellar_ticket ticket = {.lsn = 0};
        cellar_status status;
        bool open = places && round % 3 != 0; /* it is there, and will not run out */
        if (places) {
            expect(run, "a hold", hold_place(worker, id, own, !open));
        }
        /* The other one has placed it, or was refused: it goes on whatever we do. */
        while (run->round_of_pair[pair] < round) {
            clock_sleep_ns(20000);
        }
        if (random_below(&worker->random, 3) == 0) {
            status = cellar_account_void(store, NULL, id, &ticket, NULL);
            run->ends[1] += status == CELLAR_OK && !ticket.repeated;
        } else {
            int64_t amount = 1 + (int64_t)random_below(&worker->random, 10);
            uint64_t to = random_below(&worker->random, 2) == 0 ? OTHER : SHOP;
            status = cellar_account_post(store, NULL, id, amount, to, &ticket, NULL);
            if (status == CELLAR_OK && !ticket.repeated) {
                run->posted += amount;
                run->ends[0]++;
            }
        }
        bool late = status == CELLAR_HOLD_EXPIRED || status == CELLAR_NOT_FOUND;
        if (status != CELLAR_OK && status != CELLAR_ILLEGAL_STEP && (open || !late)) {
            note_wrong(run, "a step", status, round);
        }
        status = hold_expire(run, id);
        if (status != CELLAR_OK && (open || status != CELLAR_NOT_FOUND)) {
            note_wrong(run, "expiry", status, round);
        }
    }
    return NULL;
}

/* How each hold that was placed has ended, by the holds themselves. */
static void count_ends(struct run *run, uint64_t ends_out[3]) {
    for (uint32_t pair = 0; pair < (run->threads + 1) / 2; pair++) {
        for (uint32_t round = 1; round <= run->rounds; round++) {
            cellar_account_hold_info info;
            cellar_id id = {pair + 1, round};
            if (cellar_account_hold_get(run->store, id, &info) == CELLAR_OK) {
                expect_number(run, "state", info.state > CELLAR_ACCOUNT_HOLD_HELD, 1);
                ends_out[(uint32_t)info.state - CELLAR_ACCOUNT_HOLD_POSTED]++;
            }
        }
    }
}

static void holds(struct run *run) {
    static struct worker workers[THREADS_MAX];
    cellar_totals totals;
    uint64_t ends[3] = {0};
    int64_t left = 0;

    run->rounds = 1 + (uint32_t)(HOLDS * SCALE * model_files_stress()) / run->threads;
    open_account(run, SHOP, 0, true);
    open_account(run, OTHER, 0, false);
    for (uint32_t i = 0; i < 7; i++) {
        open_account(run, OWN + i, FUNDS, false);
    }
    run_threads(run, hold_run, workers);
    audit(run, &totals);
    for (uint32_t i = 0; i < 7; i++) {
        cellar_account account = account_of(run, OWN + i);
        left += account.balance;
        expect_number(run, "held", account.held, 0);
    }
    expect_number(run, "open holds", (int64_t)totals.account_holds, 0);
    expect_number(run, "held in all", totals.held, 0);
    count_ends(run, ends);
    expect_number(run, "ends", (int64_t)(ends[0] + ends[1] + ends[2]), (int64_t)run->placed);
    expect_number(run, "posted", (int64_t)run->ends[0], (int64_t)ends[0]);
    expect_number(run, "voided", (int64_t)run->ends[1], (int64_t)ends[1]);
    expect_number(run, "left", left, 7 * (int64_t)FUNDS - run->posted);
    expect_number(run, "received", account_of(run, OTHER).balance + account_of(run, SHOP).balance,
                  run->posted);
    (void)snprintf(run->told, sizeof run->told, "%llu posted, %llu voided, %llu expired",
                   (unsigned long long)ends[0], (unsigned long long)ends[1],
                   (unsigned long long)ends[2]);
}

/* ---- Full ---- */

/* An account that is almost as full as it may be, while most of it is held and given back again and
 * again: a balance put together from cells of different moments would be too large. */
static void *full_run(void *argument) {
    struct worker *worker = argument;
    struct run *run = worker->run;
    cellar *store = run->store;
    pthread_barrier_wait(&run->barrier);
    for (uint32_t round = 1; round <= run->rounds; round++) {
        cellar_id id = {worker->number + 1, round};
        if (worker->number < 2) {
            expect(run, "hold",
                   cellar_account_hold(store, NULL, id, OTHER, FULL_HELD, 0, NULL, NULL));
            expect(run, "void", cellar_account_void(store, NULL, id, NULL, NULL));
            continue;
        }
        for (int i = 0; i < 8; i++) {
            expect(run, "credit", cellar_account_credit(store, NULL, none, OTHER, 1, NULL, NULL));
            cellar_account account = account_of(run, OTHER);
            if (account.balance > CELLAR_AMOUNT_MAX ||
                account.balance <= CELLAR_AMOUNT_MAX - run->threads) {
                note_wrong(run, "a balance that never was", account.balance, account.held);
            }
            expect(run, "debit", cellar_account_debit(store, NULL, none, OTHER, 1, NULL, NULL));
        }
    }
    return NULL;
}

static void full(struct run *run) {
    static struct worker workers[THREADS_MAX];
    cellar_totals totals;

    run->rounds = (uint32_t)(FULL_ROUNDS * SCALE * model_files_stress());
    open_account(run, OTHER, CELLAR_AMOUNT_MAX - (run->threads - 2), false);
    run_threads(run, full_run, workers);
    audit(run, &totals);
    expect_number(run, "in the end", account_of(run, OTHER).balance,
                  CELLAR_AMOUNT_MAX - (run->threads - 2));
    (void)snprintf(run->told, sizeof run->told, "%u rounds", run->rounds);
}

/* ---- Rates ---- */

static void *rate_run(void *argument) {
    struct worker *worker = argument;
    struct run *run = worker->run;
    uint64_t own = OWN + worker->number;
    pthread_barrier_wait(&run->barrier);
    for (uint32_t round = 0; round < run->rounds; round++) {
        cellar_status status =
            run->payee == 0
                ? cellar_account_debit(run->store, NULL, none, own, 1, NULL, NULL)
                : cellar_account_transfer(run->store, NULL, none, own, run->payee, 1, NULL, NULL);
        expect(run, "payment", status);
    }
    return NULL;
}

/* Of all threads, those of the store included. */
static int64_t processor_ns(void) {
    struct timespec time;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return time.tv_sec * INT64_C(1000000000) + time.tv_nsec;
}

static void rates(struct run *run) {
    static struct worker workers[THREADS_MAX];
    static const uint64_t payees[3] = {0, SHOP, OTHER};
    int64_t cost_ns[3] = {INT64_MAX, INT64_MAX, INT64_MAX};
    cellar_totals totals;

    run->rounds = (uint32_t)(8 * PAYMENTS * SCALE * model_files_stress()) / run->threads;
    open_account(run, SHOP, 0, true);
    open_account(run, OTHER, 0, false);
    for (uint32_t i = 0; i < run->threads; i++) {
        open_account(run, OWN + i, FUNDS, false);
    }
    /* In turns, the best of five: whatever else the machine does meanwhile hits all of them. */
    for (int i = 0; i < 3 * RATE_TURNS; i++) {
        run->payee = payees[i % 3];
        int64_t start = processor_ns();
        run_threads(run, rate_run, workers);
        int64_t each = (processor_ns() - start) / ((int64_t)run->rounds * run->threads);
        cost_ns[i % 3] = each < cost_ns[i % 3] ? each : cost_ns[i % 3];
    }
    int64_t each = RATE_TURNS * (int64_t)run->rounds * run->threads;
    audit(run, &totals);
    expect_number(run, "collected", account_of(run, SHOP).balance, each);
    expect_number(run, "received", account_of(run, OTHER).balance, each);
    expect_number(run, "debited", totals.debited, each);
    (void)snprintf(run->told, sizeof run->told,
                   "processor ns a payment: to nobody %lld, to a collecting account %lld, to an "
                   "ordinary one %lld",
                   (long long)cost_ns[0], (long long)cost_ns[1], (long long)cost_ns[2]);
}

/* ---- All ---- */

/* The same balances after the store was opened again. */
static void open_again(struct run *run, const cellar_config *config) {
    cellar_totals before;
    cellar_totals after;
    audit(run, &before);
    model_files_close(run->store);
    cellar_status status = cellar_open(config, &run->store, NULL);
    ASSERT(status == CELLAR_OK);
    audit(run, &after);
    before.lsn = after.lsn;
    if (memcmp(&before, &after, sizeof before) != 0) {
        note_wrong(run, "totals after opening again", before.balances, after.balances);
    }
}

static bool run_case(int number, uint64_t seed, const char *name, void (*body)(struct run *run),
                     uint32_t threads, bool chaotic) {
    struct run run = {.seed = seed, .threads = threads};

    model_files_path(run.path, "engine-accounts");
    const cellar_config config = {.size = sizeof config,
                                  .directory = run.path,
                                  .ring_bytes = 1U << 20,
                                  .segment_bytes = 8U << 20,
                                  .products_max = 16,
                                  .stocks_max = 16,
                                  .accounts_max = 1024,
                                  .orders_max = 1U << 17,
                                  .durability = CELLAR_RELAXED};
    cellar_status status = cellar_open(&config, &run.store, NULL);
    ASSERT(status == CELLAR_OK);
    if (chaotic) {
        chaos_start(80, 2);
    }
    body(&run);
    chaos_stop();
    open_again(&run, &config);
    model_files_close(run.store);
    model_files_remove(run.path);
    (void)printf("%s %d - %s, %u threads%s: %s\n", run.wrong == 0 ? "ok" : "not ok", number, name,
                 threads, chaotic ? ", chaos" : "", run.told);
    (void)fflush(stdout);
    return run.wrong == 0;
}

int main(void) {
    uint64_t seed = random_seed_of_run();
    bool right = true;

    (void)printf("1..9\n");
    right = run_case(1, seed, "collecting", collecting, 64, false) && right;
    right = run_case(2, seed, "collecting", collecting, 300, false) && right;
    right = run_case(3, seed, "collecting", collecting, 16, true) && right;
    right = run_case(4, seed, "holds", holds, 64, false) && right;
    right = run_case(5, seed, "holds", holds, 300, false) && right;
    right = run_case(6, seed, "holds", holds, 16, true) && right;
    right = run_case(7, seed, "full", full, 8, false) && right;
    right = run_case(8, seed, "full", full, 6, true) && right;
    right = run_case(9, seed, "rates", rates, 64, false) && right;
    return right ? 0 : 1;
}
