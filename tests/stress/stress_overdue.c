/* Is nobody short of money because of holds that are overdue, and are the lists right by which they
 * are found, when many threads hold, pay, give back and forget money of a few poor accounts?
 *
 * Without the store's own thread for it, so that callers expire everything, and with it. Closed
 * holds leave memory meanwhile, so that their places are used again. The audit, which compares the
 * lists with the holds, runs all the time. At the end nothing but forgotten holds is in the way,
 * and each account can be emptied by one debit, of exactly what it must have. SEED= repeats the
 * random choices, STRESS=n makes it n times as long. */
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

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define THREADS 12
#define ROUNDS 150
#else
#define THREADS 64
#define ROUNDS 1000
#endif
#define ACCOUNTS 3
#define FUNDS 80 /* whoever has all of it has no more holds than are looked at */
#define REMEMBERED_MS 20
#define HELD_MS_MAX 4
#define MS NANOSECONDS_PER_MILLISECOND
_Static_assert(ACCOUNTS *FUNDS <= HOLDS_LOOK_MAX, "all are found");

struct run {
    cellar *store;
    char path[MODEL_PATH_BYTES];
    _Atomic uint64_t wrong;
    _Atomic bool done;
    _Atomic int64_t balances[ACCOUNTS];
    _Atomic uint64_t answers[5]; /* held, refused, posted, voided, debited */
};
enum {
    HELD,
    REFUSED,
    POSTED,
    VOIDED,
    DEBITED
};

struct worker {
    struct run *run;
    uint64_t number;
    struct random random;
    pthread_t thread;
};

static const cellar_id none = {0, 0};

static void note_wrong(struct run *run, const char *what, int64_t a, int64_t b) {
    if (atomic_fetch_add(&run->wrong, 1) < 5) {
        (void)printf("# %s: %lld, %lld\n", what, (long long)a, (long long)b);
    }
}

static void expect(struct run *run, const char *what, cellar_status status) {
    if (status != CELLAR_OK) {
        note_wrong(run, what, status, 0);
    }
}

static void check_audit(struct run *run) {
    cellar_audit audit = {.violations = 1};
    expect(run, "audit", cellar_audit_run(run->store, &audit));
    if (audit.violations != 0) {
        note_wrong(run, audit.first_violation, (int64_t)audit.violations, 0);
    }
}

/* Whether it was done; else it was refused, and rightly as far as the answer tells. */
static bool done_or_short(struct run *run, const char *what, cellar_status status,
                          const cellar_refusal *refusal) {
    if (status == CELLAR_OK) {
        return true;
    }
    if (status != CELLAR_INSUFFICIENT_FUNDS || refusal->available >= refusal->needed) {
        note_wrong(run, what, status, refusal->available);
    }
    atomic_fetch_add(&run->answers[REFUSED], 1);
    return false;
}

/* A hold without a deadline is ended by who made it; another one may be over by now, and its
 * document forgotten. */
static void end_hold(struct worker *worker, cellar_id id, uint32_t account, int64_t amount,
                     bool limited) {
    struct run *run = worker->run;
    uint32_t to = (account + 1) % ACCOUNTS;
    bool posts = random_below(&worker->random, 3) == 0;
    cellar_ticket ticket = {.lsn = 0};
    cellar_status status =
        posts ? cellar_account_post(run->store, NULL, id, amount, 1 + to, &ticket, NULL)
              : cellar_account_void(run->store, NULL, id, &ticket, NULL);
    if (status == CELLAR_OK && posts) {
        atomic_fetch_sub(&run->balances[account], amount);
        atomic_fetch_add(&run->balances[to], amount);
    }
    if (status == CELLAR_OK) {
        atomic_fetch_add(&run->answers[posts ? POSTED : VOIDED], 1);
    } else if (!limited || (status != CELLAR_HOLD_EXPIRED && status != CELLAR_NOT_FOUND)) {
        note_wrong(run, "the end of a hold", status, limited);
    }
}

static void hold(struct worker *worker, cellar_id id, uint32_t account, int64_t amount) {
    struct run *run = worker->run;
    cellar_refusal refusal;
    bool limited = random_below(&worker->random, 8) != 0;
    int64_t held_ms = 1 + (int64_t)random_below(&worker->random, HELD_MS_MAX);
    int64_t deadline_ns = limited ? clock_wall_ns() + held_ms * MS : 0;
    cellar_status status =
        cellar_account_hold(run->store, NULL, id, 1 + account, amount, deadline_ns, NULL, &refusal);
    /* It was preempted for so long. */
    if ((limited && status == CELLAR_HOLD_EXPIRED) ||
        !done_or_short(run, "a hold", status, &refusal)) {
        return;
    }
    atomic_fetch_add(&run->answers[HELD], 1);
    if (!limited || random_below(&worker->random, 2) == 0) {
        clock_sleep_ns((int64_t)random_below(&worker->random, 2) * MS);
        end_hold(worker, id, account, amount, limited);
    }
}

static void *worker_run(void *argument) {
    struct worker *worker = argument;
    struct run *run = worker->run;
    uint64_t rounds = (uint64_t)(ROUNDS * model_files_stress());
    for (uint64_t round = 1; round <= rounds; round++) {
        uint32_t account = (uint32_t)random_below(&worker->random, ACCOUNTS);
        int64_t amount = 1 + (int64_t)random_below(&worker->random, FUNDS / 4);
        cellar_refusal refusal;
        if (random_below(&worker->random, 4) != 0) {
            hold(worker, (cellar_id){1 + worker->number, round}, account, amount);
            continue;
        }
        cellar_status status =
            cellar_account_debit(run->store, NULL, none, 1 + account, amount, NULL, &refusal);
        if (done_or_short(run, "a debit", status, &refusal)) {
            atomic_fetch_add(&run->answers[DEBITED], 1);
            expect(run, "a credit",
                   cellar_account_credit(run->store, NULL, none, 1 + account, amount, NULL, NULL));
        }
    }
    return NULL;
}

static void *audit_run(void *argument) {
    struct run *run = argument;
    while (!atomic_load(&run->done)) {
        check_audit(run);
        clock_sleep_ns(MS);
    }
    return NULL;
}

/* Each account is emptied at once, and has nothing more. */
static void check_end(struct run *run) {
    cellar_refusal refusal = {0};
    int64_t sum = 0;
    clock_sleep_ns((HELD_MS_MAX + 1) * MS);
    check_audit(run);
    for (uint32_t i = 0; i < ACCOUNTS; i++) {
        int64_t balance = run->balances[i];
        sum += balance;
        if (cellar_account_debit(run->store, NULL, none, 1 + i, balance + 1, NULL, &refusal) !=
                CELLAR_INSUFFICIENT_FUNDS ||
            refusal.available != balance) {
            note_wrong(run, "too much", refusal.available, balance);
        }
        if (balance > 0) {
            expect(run, "all of it",
                   cellar_account_debit(run->store, NULL, none, 1 + i, balance, NULL, NULL));
            expect(run, "and back",
                   cellar_account_credit(run->store, NULL, none, 1 + i, balance, NULL, NULL));
        }
    }
    if (sum != ACCOUNTS * FUNDS) {
        note_wrong(run, "sum", sum, ACCOUNTS * FUNDS);
    }
    check_audit(run);
}

static void run_threads(struct run *run, uint64_t seed) {
    static struct worker workers[THREADS];
    pthread_t auditor;
    int failed = pthread_create(&auditor, NULL, audit_run, run);
    ASSERT(failed == 0);
    for (uint32_t i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){.run = run, .number = i, .random = {seed + i}};
        failed = pthread_create(&workers[i].thread, NULL, worker_run, &workers[i]);
        ASSERT(failed == 0);
    }
    for (uint32_t i = 0; i < THREADS; i++) {
        pthread_join(workers[i].thread, NULL);
    }
    atomic_store(&run->done, true);
    pthread_join(auditor, NULL);
}

static bool run_case(int number, uint64_t seed, bool expirer, bool chaotic) {
    static struct run run;
    run = (struct run){.done = false};
    model_files_path(run.path, "overdue");
    const cellar_config config = {.size = sizeof config,
                                  .directory = run.path,
                                  .ring_bytes = 1U << 20,
                                  .segment_bytes = 8U << 20,
                                  .products_max = 16,
                                  .stocks_max = 16,
                                  .accounts_max = 16,
                                  .orders_max = 1U << 17,
                                  .remember_closed_ns = REMEMBERED_MS * MS,
                                  .durability = CELLAR_RELAXED};
    cellar_status status = cellar_open(&config, &run.store, NULL);
    ASSERT(status == CELLAR_OK);
    for (uint32_t i = 0; i < ACCOUNTS; i++) {
        run.balances[i] = FUNDS;
        expect(&run, "open", cellar_account_open(run.store, NULL, 1 + i, 0, NULL, NULL));
        expect(&run, "fund",
               cellar_account_credit(run.store, NULL, none, 1 + i, FUNDS, NULL, NULL));
    }
    if (!expirer) {
        expiry_stop(run.store);
    }
    if (chaotic) {
        chaos_start(80, 2);
    }
    run_threads(&run, seed);
    chaos_stop();
    check_end(&run);
    /* The same once more after an opening. */
    model_files_close(run.store);
    status = cellar_open(&config, &run.store, NULL);
    ASSERT(status == CELLAR_OK);
    check_end(&run);
    model_files_close(run.store);
    model_files_remove(run.path);
    bool right = run.wrong == 0;
    for (int i = HELD; i <= DEBITED; i++) {
        right = right && run.answers[i] > 0;
    }
    (void)printf("%s %d - overdue, expired by %s%s: %llu held, %llu refused, %llu posted, %llu "
                 "voided, %llu debited\n",
                 right ? "ok" : "not ok", number, expirer ? "all" : "callers",
                 chaotic ? ", chaos" : "", (unsigned long long)run.answers[HELD],
                 (unsigned long long)run.answers[REFUSED], (unsigned long long)run.answers[POSTED],
                 (unsigned long long)run.answers[VOIDED], (unsigned long long)run.answers[DEBITED]);
    (void)fflush(stdout);
    return right;
}

int main(void) {
    uint64_t seed = random_seed_of_run();
    (void)printf("1..4\n");
    bool right = run_case(1, seed, false, false);
    right = run_case(2, seed, false, true) && right;
    right = run_case(3, seed, true, false) && right;
    right = run_case(4, seed, true, true) && right;
    return right ? 0 : 1;
}
