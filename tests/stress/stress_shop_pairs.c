/* Do two numbers that one commit changes together ever show apart?
 *
 * Whatever the writers do, a reader must always see: the same sum of a product's stock at two
 * places, between which it is moved; the same sum of what is available and what is unsellable, when
 * pieces are set aside and come back; the same available when the safety stock is changed; the same
 * balance when the floor is; the same sum of all balances while money is transferred. What a sale
 * is refused for must be right, too: there is always enough beside the safety stock and the floor.
 * (The oracle is left out: it changes one cell after the other, and readers do not wait for it.)
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
#include <stdlib.h>
#include <string.h>

#define CASE_NS (400 * NANOSECONDS_PER_MILLISECOND)
#define UNITS 1000
#define ACCOUNTS 4
#define MONEY 100000
#define READERS 2
#define THREADS_MAX 64

enum mode {
    CALM,
    CHAOS
};
static const char *const mode_names[] = {"calm", "chaos"};

struct run {
    cellar *store;
    char path[MODEL_PATH_BYTES];
    _Atomic int stopping;
    _Atomic uint64_t wrong;
    _Atomic uint64_t changes;
    _Atomic uint64_t looks;
};

struct worker {
    struct run *run;
    struct random random;
    pthread_t thread;
};

static const cellar_line moved = {.sku = "moved"};
static const cellar_line aside = {.sku = "aside"};
static const cellar_line guarded = {.sku = "guarded"};
/* Its money is not transferred. */
#define FLOORED 99

static void note_wrong(struct run *run, const char *what, int64_t a, int64_t b) {
    if (atomic_fetch_add(&run->wrong, 1) == 0) {
        (void)printf("# %s: %lld, %lld\n", what, (long long)a, (long long)b);
    }
}

/* ---- Writers ---- */

static bool write_move(struct run *run, struct random *random) {
    cellar_line line = moved;

    line.location = (uint32_t)random_below(random, 2);
    line.quantity = 1 + (int64_t)random_below(random, 30);
    cellar_status status = cellar_stock_move(run->store, NULL, (cellar_id){0, 0}, &line,
                                             1 - line.location, NULL, NULL);
    return status == CELLAR_OK || status == CELLAR_OUT_OF_STOCK;
}

static bool write_aside(struct run *run, struct random *random) {
    cellar_line line = aside;
    const cellar_stock_change change = {.lines = &line, .line_count = 1};

    line.quantity = (int64_t)random_below(random, 61) - 30;
    line.quantity += line.quantity == 0;
    cellar_status status = cellar_stock_set_aside(run->store, NULL, &change, NULL, NULL);
    return status == CELLAR_OK || status == CELLAR_OUT_OF_STOCK;
}

/* Up to half of what is there, so that there is always something to sell. */
static bool write_safety(struct run *run, struct random *random) {
    cellar_line line = guarded;

    line.quantity = (int64_t)random_below(random, UNITS / 2);
    return cellar_stock_set_safety(run->store, NULL, &line, 0, NULL, NULL) == CELLAR_OK;
}

static bool write_floor(struct run *run, struct random *random) {
    int64_t floor = -(int64_t)random_below(random, 500);

    return cellar_account_set_floor(run->store, NULL, FLOORED, floor, 0, NULL, NULL) == CELLAR_OK;
}

static bool write_transfer(struct run *run, struct random *random) {
    uint64_t from = 1 + random_below(random, ACCOUNTS);
    uint64_t to = 1 + (from + random_below(random, ACCOUNTS - 1)) % ACCOUNTS;

    cellar_status status =
        cellar_account_transfer(run->store, NULL, (cellar_id){0, 0}, from, to,
                                1 + (int64_t)random_below(random, MONEY / 2), NULL, NULL);
    return status == CELLAR_OK || status == CELLAR_INSUFFICIENT_FUNDS;
}

typedef bool write_function(struct run *run, struct random *random);

static void *writer_run(void *argument) {
    static write_function *const functions[] = {write_move, write_aside, write_safety, write_floor,
                                                write_transfer};
    struct worker *writer = argument;
    struct run *run = writer->run;

    while (atomic_load_explicit(&run->stopping, memory_order_relaxed) == 0) {
        uint64_t which = random_below(&writer->random, 5);
        if (!functions[which](run, &writer->random)) {
            note_wrong(run, "a change is refused", (int64_t)which, 0);
        }
        atomic_fetch_add_explicit(&run->changes, 1, memory_order_relaxed);
    }
    return NULL;
}

/* ---- Readers ---- */

static void look_snapshot(struct run *run) {
    cellar_line lines[3] = {moved, moved, guarded};
    int64_t available[3] = {0, 0, 0};

    lines[1].location = 1;
    cellar_status status = cellar_stock_snapshot(run->store, lines, 3, available, NULL, NULL);
    if (status != CELLAR_OK || available[0] + available[1] != UNITS) {
        note_wrong(run, "snapshot of two places", available[0], available[1]);
    }
    if (available[2] != UNITS) {
        note_wrong(run, "snapshot while the safety stock changes", available[2], UNITS);
    }
}

static void look_stocks(struct run *run) {
    cellar_stock stock;

    cellar_status status = cellar_stock_get(run->store, &aside, &stock);
    if (status != CELLAR_OK || stock.available + stock.unsellable != UNITS ||
        stock.on_hand != UNITS) {
        note_wrong(run, "set aside", stock.available, stock.unsellable);
    }
    status = cellar_stock_get(run->store, &guarded, &stock);
    if (status != CELLAR_OK || stock.available != UNITS) {
        note_wrong(run, "available and safety", stock.available, stock.safety);
    }
}

static void look_account(struct run *run) {
    cellar_account account;
    cellar_status status = cellar_account_get(run->store, FLOORED, &account);

    if (status != CELLAR_OK || account.balance != MONEY) {
        note_wrong(run, "balance and floor", account.balance, account.floor);
    }
}

/* A sale that is not made: asks for what must be there, and for one more than is there. */
static void look_quote(struct run *run) {
    cellar_line line = guarded;
    const cellar_order_request request = {.lines = &line, .line_count = 1};
    cellar_refusal refusal;
    int64_t total;

    line.quantity = UNITS / 2;
    cellar_status status = cellar_order_quote(run->store, &request, &total, &refusal);
    if (status != CELLAR_OK) {
        note_wrong(run, "a sale is refused", refusal.available, refusal.needed);
    }
    line.quantity = UNITS + 1;
    const cellar_stock_change change = {.lines = &line, .line_count = 1};
    line.quantity = -(UNITS + 1);
    status = cellar_stock_adjust(run->store, NULL, &change, NULL, &refusal);
    if (status != CELLAR_OUT_OF_STOCK || refusal.available != UNITS) {
        note_wrong(run, "what a refusal says is available", refusal.available, UNITS);
    }
    status = cellar_account_debit(run->store, NULL, (cellar_id){0, 0}, FLOORED, MONEY + 501, NULL,
                                  &refusal);
    if (status != CELLAR_INSUFFICIENT_FUNDS || refusal.available < MONEY ||
        refusal.available > MONEY + 500) {
        note_wrong(run, "what a refusal says may be spent", refusal.available, MONEY);
    }
}

static void look_audit(struct run *run) {
    cellar_audit audit;
    cellar_status status = cellar_audit_run(run->store, &audit);

    if (status != CELLAR_OK || audit.violations != 0) {
        note_wrong(run, audit.first_violation, status, 0);
    } else if (audit.totals.balances != MONEY * (ACCOUNTS + 1)) {
        note_wrong(run, "sum of balances", audit.totals.balances, MONEY * (ACCOUNTS + 1));
    }
}

static void *reader_run(void *argument) {
    struct worker *reader = argument;
    struct run *run = reader->run;

    while (atomic_load_explicit(&run->stopping, memory_order_relaxed) == 0) {
        look_snapshot(run);
        look_stocks(run);
        look_account(run);
        look_quote(run);
        if (random_below(&reader->random, 64) == 0) {
            look_audit(run);
        }
        atomic_fetch_add_explicit(&run->looks, 1, memory_order_relaxed);
    }
    return NULL;
}

/* ---- One case ---- */

static void expect(cellar_status status) {
    ASSERT(status == CELLAR_OK);
}

static void run_prepare(struct run *run) {
    const char *const skus[] = {"moved", "aside", "guarded"};
    cellar_ticket ticket;

    memset(run, 0, sizeof *run);
    model_files_path(run->path, "shop-pairs");
    run->store = model_files_open(run->path, 0, false, false);
    for (uint32_t i = 0; i < 3; i++) {
        const cellar_product product = {.sku = skus[i]};
        const cellar_line line = {.sku = skus[i], .quantity = UNITS};
        const cellar_stock_change change = {.lines = &line, .line_count = 1};
        expect(cellar_product_put(run->store, NULL, &product, 0, NULL, NULL));
        expect(cellar_stock_receive(run->store, NULL, &change, NULL, NULL));
    }
    for (uint64_t i = 0; i <= ACCOUNTS; i++) {
        uint64_t id = i == 0 ? FLOORED : i;
        expect(cellar_account_open(run->store, NULL, id, 0, NULL, NULL));
        expect(cellar_account_credit(run->store, NULL, (cellar_id){0, 0}, id, MONEY, NULL, NULL));
    }
    cellar_line line = moved;
    line.quantity = UNITS / 2;
    expect(cellar_stock_move(run->store, NULL, (cellar_id){0, 0}, &line, 1, &ticket, NULL));
    expect(cellar_wait(run->store, ticket.lsn, -1));
}

static void run_threads(struct run *run, uint64_t seed, uint32_t writers) {
    struct worker workers[THREADS_MAX + READERS];

    for (uint32_t i = 0; i < writers + READERS; i++) {
        workers[i] = (struct worker){.run = run, .random = {seed + i * UINT64_C(15485863)}};
        int failed = pthread_create(&workers[i].thread, NULL, i < writers ? writer_run : reader_run,
                                    &workers[i]);
        ASSERT(failed == 0);
    }
    clock_sleep_ns((int64_t)(CASE_NS * model_files_stress()));
    atomic_store(&run->stopping, 1);
    for (uint32_t i = 0; i < writers + READERS; i++) {
        pthread_join(workers[i].thread, NULL);
    }
}

static bool run_case(int number, uint64_t seed, uint32_t writers, enum mode mode) {
    struct run run;

    run_prepare(&run);
    if (mode == CHAOS) {
        chaos_start(160, 8);
    }
    run_threads(&run, seed, writers);
    chaos_stop();
    look_audit(&run);
    model_files_close(run.store);
    run.store = model_files_open(run.path, 0, false, false);
    look_stocks(&run);
    look_account(&run);
    look_audit(&run);
    model_files_close(run.store);
    model_files_remove(run.path);
    bool right = run.wrong == 0 && run.looks > 0 && run.changes > 0;
    (void)printf("%s %d - %u writers, %s: %llu changes, %llu looks\n", right ? "ok" : "not ok",
                 number, writers, mode_names[mode], (unsigned long long)run.changes,
                 (unsigned long long)run.looks);
    (void)fflush(stdout);
    return right;
}

int main(void) {
    static const uint32_t writers[] = {1, 2, 7, 64};
    uint64_t seed = random_seed_of_run();
    int number = 0;
    bool right = true;

    (void)printf("1..%d\n", 4 * 2);
    for (size_t i = 0; i < 4; i++) {
        for (enum mode mode = CALM; mode <= CHAOS; mode++) {
            right = run_case(++number, seed, writers[i], mode) && right;
        }
    }
    return right ? 0 : 1;
}
