/* Is everything that was acknowledged there after the process was killed, at any moment, again and
 * again?
 *
 * A seller process opens the store and works from several threads: places orders, pays, fulfils,
 * cancels them, takes single units. After each call that is durable it writes what it did into a
 * pipe. It is killed at a random moment, now and then before it has opened the store. A second
 * process, which now and then is killed first in its opening, checks the store: every step of an
 * order that came out of the pipe was made, none but the one in flight beyond it; every order is
 * whole; the units add up; the audit finds nothing.
 *
 * The parent opens no store: a store belongs to the process that opened it, and forks come before.
 * Stores change so that a round's cost does not grow. SEED= repeats the random choices, ROUNDS= is
 * how many sellers are killed (`make kill9`). */
#include "cellar.h"

#include "base/assert.h"
#include "base/clock.h"
#include "support/model_files.h"
#include "support/random.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define LIFE_MS_MAX 60
#else
#define LIFE_MS_MAX 80
#endif
#define ROUNDS 24 /* of one store, and of a run without ROUNDS= */
#define THREADS 6
#define SKUS 5
#define LINES_MAX 4
#define RECEIVED INT64_C(1000000000)
#define ORDERS_MAX (1U << 18) /* of one thread, over all rounds of a store */
#define ACCOUNT 7
#define STEPS_MAX 3
/* Longest wait for a child's first word. */
#define PATIENCE_MS 60000

/* What the pipe carries: whole or not at all, being small. */
struct acknowledgement {
    uint32_t thread;
    uint32_t order; /* UINT32_MAX: units taken without an order */
    uint32_t step;
    uint32_t quantity;
    uint64_t lsn;
};

/* Shared by parent and children; written by the parent. */
struct ledger {
    uint32_t orders[THREADS];           /* one more than the highest acknowledged */
    uint8_t steps[THREADS][ORDERS_MAX]; /* made for sure: 0 none, 1 placed, ... */
    uint64_t taken;                     /* units, for sure */
    uint64_t round;                     /* of this store */
    uint64_t unreported;                /* of the checker: orders there and not acknowledged */
};

struct seller {
    cellar *store;
    const struct ledger *ledger;
    uint32_t thread;
    int pipe;
};

/* ---- What an order is ---- */

static const char *const skus[SKUS] = {"lantern", "key ring", "paper craft", "cup", "Cup"};

static cellar_id order_id(uint32_t thread, uint32_t order) {
    return (cellar_id){thread + 1, order + 1};
}

/* Orders go through one of four lives; the state after each step. */
static cellar_order_state order_state(uint32_t order, uint32_t steps) {
    static const cellar_order_state lives[4][STEPS_MAX] = {
        {CELLAR_ORDER_PLACED, CELLAR_ORDER_PAID, CELLAR_ORDER_FULFILLED},
        {CELLAR_ORDER_PLACED, CELLAR_ORDER_CANCELLED, CELLAR_ORDER_CANCELLED},
        {CELLAR_ORDER_PAID, CELLAR_ORDER_CANCELLED, CELLAR_ORDER_CANCELLED},
        {CELLAR_ORDER_FULFILLED, CELLAR_ORDER_FULFILLED, CELLAR_ORDER_FULFILLED}};

    return lives[order % 4][steps - 1];
}

static uint32_t order_step_count(uint32_t order) {
    static const uint32_t counts[4] = {3, 2, 2, 1};

    return counts[order % 4];
}

static size_t order_lines(uint32_t thread, uint32_t order, cellar_line lines[LINES_MAX]) {
    struct random random = {thread * UINT64_C(1000003) + order};
    size_t count = 1 + random_below(&random, LINES_MAX);

    for (size_t i = 0; i < count; i++) {
        lines[i] = (cellar_line){.sku = skus[random_below(&random, SKUS)],
                                 .quantity = 1 + (int64_t)random_below(&random, 3),
                                 .unit_price = 1 + (int64_t)i};
    }
    return count;
}

/* ---- The seller ---- */

_Noreturn static void child_fail(const char *what, cellar_status status) {
    (void)printf("# %s: %s\n", what, cellar_status_name(status));
    _exit(1);
}

static cellar *child_open(const char *path, bool durable) {
    /* Should the parent die, nobody would kill this process. */
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    return model_files_open(path, 1U << 20, durable, false);
}

static void seller_tell(const struct seller *seller, uint32_t order, uint32_t step,
                        uint32_t quantity, uint64_t lsn) {
    const struct acknowledgement done = {seller->thread, order, step, quantity, lsn};

    if (write(seller->pipe, &done, sizeof done) != (ssize_t)sizeof done) {
        _exit(1);
    }
}

/* Every second round the calls do not wait, and the seller does. */
static void seller_await(const struct seller *seller, cellar_status status, uint64_t lsn) {
    if (status != CELLAR_OK) {
        child_fail("a call", status);
    }
    if (seller->ledger->round % 2 == 1) {
        status = cellar_wait(seller->store, lsn, -1);
        if (status != CELLAR_OK) {
            child_fail("waiting", status);
        }
    }
}

static void seller_order(const struct seller *seller, uint32_t order) {
    cellar_line lines[LINES_MAX];
    cellar_id id = order_id(seller->thread, order);
    cellar_order_state state = order_state(order, 1);
    const cellar_order_request request = {.id = id,
                                          .customer = seller->thread + 1,
                                          .lines = lines,
                                          .line_count = order_lines(seller->thread, order, lines),
                                          .state = state,
                                          .account = state == CELLAR_ORDER_PLACED ? 0 : ACCOUNT};
    cellar_ticket ticket = {0};

    cellar_status status = cellar_order_place(seller->store, NULL, &request, &ticket, NULL);
    for (uint32_t step = 1;; step++) {
        seller_await(seller, status, ticket.lsn);
        if (ticket.repeated) {
            child_fail("a new order is an old one", status);
        }
        seller_tell(seller, order, step, 0, ticket.lsn);
        if (step == order_step_count(order)) {
            return;
        }
        switch (order_state(order, step + 1)) {
        case CELLAR_ORDER_PAID:
            status = cellar_order_pay(seller->store, NULL, id, ACCOUNT, &ticket, NULL);
            break;
        case CELLAR_ORDER_FULFILLED:
            status = cellar_order_fulfil(seller->store, NULL, id, &ticket, NULL);
            break;
        default:
            status = cellar_order_cancel(seller->store, NULL, id, &ticket, NULL);
            break;
        }
    }
}

static void *seller_run(void *argument) {
    const struct seller *seller = argument;
    uint32_t order = seller->ledger->orders[seller->thread];
    cellar_order there;

    /* Those that were not acknowledged. */
    while (cellar_order_get(seller->store, order_id(seller->thread, order), &there, NULL, 0) ==
           CELLAR_OK) {
        order++;
    }
    for (;; order++) {
        if (order % 5 == 0) {
            const cellar_line line = {.sku = skus[order % SKUS], .quantity = 1 + order % 3};
            cellar_ticket ticket = {0};
            cellar_status status = cellar_stock_take(seller->store, NULL, &line, &ticket, NULL);
            seller_await(seller, status, ticket.lsn);
            seller_tell(seller, UINT32_MAX, 0, (uint32_t)line.quantity, ticket.lsn);
        }
        seller_order(seller, order);
    }
    return NULL;
}

static void seller_prepare(cellar *store) {
    cellar_line lines[SKUS];

    for (int i = 0; i < SKUS; i++) {
        const cellar_product product = {.sku = skus[i]};
        cellar_status status =
            cellar_product_put(store, NULL, &product, CELLAR_VERSION_ABSENT, NULL, NULL);
        if (status != CELLAR_OK && status != CELLAR_ALREADY_EXISTS) {
            child_fail("put", status);
        }
        lines[i] = (cellar_line){.sku = skus[i], .quantity = RECEIVED};
    }
    /* The ids let these happen once, in whichever round. */
    const cellar_stock_change change = {.id = {UINT64_MAX, 1}, .lines = lines, .line_count = SKUS};
    cellar_status status = cellar_stock_receive(store, NULL, &change, NULL, NULL);
    if (status == CELLAR_OK) {
        status = cellar_account_open(store, NULL, ACCOUNT, 0, NULL, NULL);
    }
    if (status == CELLAR_OK) {
        status = cellar_account_credit(store, NULL, (cellar_id){UINT64_MAX, 2}, ACCOUNT, RECEIVED,
                                       NULL, NULL);
    }
    if (status != CELLAR_OK) {
        child_fail("preparing", status);
    }
}

_Noreturn static void seller_main(const char *path, const struct ledger *ledger, int pipe) {
    static struct seller sellers[THREADS];
    cellar *store = child_open(path, ledger->round % 2 == 0);

    seller_prepare(store);
    for (uint32_t i = 0; i < THREADS; i++) {
        pthread_t thread;
        sellers[i] = (struct seller){store, ledger, i, pipe};
        if (pthread_create(&thread, NULL, seller_run, &sellers[i]) != 0) {
            _exit(1);
        }
    }
    for (;;) {
        (void)pause();
    }
}

/* ---- The checker ---- */

struct sums {
    uint64_t placed; /* orders there */
    uint64_t unreported;
    int64_t sold[SKUS];
    int64_t paid;
};

/* One order that is there, with so many steps acknowledged. False when it is wrong. */
static bool check_order(uint32_t thread, uint32_t number, uint32_t steps, const cellar_order *order,
                        const cellar_order_line *found, struct sums *sums) {
    cellar_line lines[LINES_MAX];
    size_t count = order_lines(thread, number, lines);
    uint32_t next = steps < order_step_count(number) ? steps + 1 : steps;
    bool right = order->line_count == count && order->customer == thread + 1 &&
                 ((steps > 0 && order->state == order_state(number, steps)) ||
                  order->state == order_state(number, next));
    int64_t total = 0;

    for (size_t i = 0; i < count; i++) {
        right = right && found[i].quantity == lines[i].quantity &&
                found[i].unit_price == lines[i].unit_price;
        total += lines[i].quantity * lines[i].unit_price;
        for (uint32_t sku = 0; sku < SKUS && order->state != CELLAR_ORDER_CANCELLED; sku++) {
            sums->sold[sku] += strcmp(lines[i].sku, skus[sku]) == 0 ? lines[i].quantity : 0;
        }
    }
    bool paid = order->state == CELLAR_ORDER_PAID || order->state == CELLAR_ORDER_FULFILLED;
    sums->paid += paid ? total : 0;
    sums->placed++;
    sums->unreported += steps == 0;
    return right && order->total == total;
}

static void check_orders(cellar *store, const struct ledger *ledger, struct sums *sums) {
    for (uint32_t thread = 0; thread < THREADS; thread++) {
        /* Each life may have left one that was not acknowledged. */
        uint32_t unreported_max = (uint32_t)ledger->round + 1;
        uint64_t before = sums->unreported;
        for (uint32_t number = 0; number <= ledger->orders[thread] + unreported_max; number++) {
            uint32_t steps = ledger->steps[thread][number];
            cellar_order_line found[LINES_MAX];
            cellar_order order;
            cellar_status status =
                cellar_order_get(store, order_id(thread, number), &order, found, LINES_MAX);
            if (status == CELLAR_NOT_FOUND && steps == 0) {
                continue;
            }
            if (status != CELLAR_OK || !check_order(thread, number, steps, &order, found, sums) ||
                sums->unreported - before > unreported_max) {
                (void)printf("# order %u of thread %u: %u steps acknowledged, %s, state %d\n",
                             number, thread, steps, cellar_status_name(status), order.state);
                _exit(1);
            }
        }
    }
}

static void check_sums(cellar *store, const struct ledger *ledger, const struct sums *sums) {
    cellar_account account = {0};
    cellar_audit audit;
    int64_t sold = 0;

    cellar_status status = cellar_audit_run(store, &audit);
    if (status != CELLAR_OK || audit.violations != 0) {
        child_fail(audit.first_violation, status);
    }
    for (uint32_t sku = 0; sku < SKUS; sku++) {
        sold += sums->sold[sku];
    }
    uint64_t taken = (uint64_t)audit.totals.units_taken;
    uint64_t in_flight = (ledger->round + 1) * THREADS * 3;
    bool empty = audit.totals.units_received == 0;
    (void)cellar_account_get(store, ACCOUNT, &account);
    if (!(empty ? sums->placed == 0
                : audit.totals.units_received == SKUS * RECEIVED &&
                      audit.totals.units_ordered == sold &&
                      audit.totals.units_available == SKUS * RECEIVED - sold - (int64_t)taken) ||
        taken < ledger->taken || taken > ledger->taken + in_flight ||
        (account.version != 0 && account.balance != 0 &&
         account.balance != RECEIVED - sums->paid)) {
        (void)printf("# sums: %lld ordered, %lld available, %llu taken (%llu), balance %lld\n",
                     (long long)audit.totals.units_ordered, (long long)audit.totals.units_available,
                     (unsigned long long)taken, (unsigned long long)ledger->taken,
                     (long long)account.balance);
        _exit(1);
    }
}

_Noreturn static void checker_main(const char *path, struct ledger *ledger, int pipe) {
    struct sums sums = {0};
    char open = 1;

    (void)write(pipe, &open, 1);
    cellar *store = child_open(path, true);
    check_orders(store, ledger, &sums);
    check_sums(store, ledger, &sums);
    ledger->unreported = sums.unreported;
    cellar_status status = cellar_close(store);
    _exit(status == CELLAR_OK ? 0 : 1);
}

/* ---- The parent ---- */

static uint64_t acknowledgements, unreported;

static void ledger_note(struct ledger *ledger, const struct acknowledgement *done) {
    acknowledgements++;
    if (done->order == UINT32_MAX) {
        ledger->taken += done->quantity;
        return;
    }
    ASSERT(done->thread < THREADS);
    ASSERT(done->order + 2 < ORDERS_MAX);
    ledger->steps[done->thread][done->order] = (uint8_t)done->step;
    if (done->order >= ledger->orders[done->thread]) {
        ledger->orders[done->thread] = done->order + 1;
    }
}

/* Reads what the child tells until the time is over, or, without one, until its end. */
static void parent_listen(struct ledger *ledger, int pipe, int64_t until_ns) {
    struct acknowledgement done;

    for (;;) {
        int64_t left = until_ns - clock_monotonic_ns();
        struct pollfd poll_one = {.fd = pipe, .events = POLLIN};
        if (left <= 0 || poll(&poll_one, 1, (int)(left / NANOSECONDS_PER_MILLISECOND) + 1) <= 0) {
            return;
        }
        if (read(pipe, &done, sizeof done) != (ssize_t)sizeof done) {
            return;
        }
        ledger_note(ledger, &done);
    }
}

static pid_t parent_fork(int pipe_out[2]) {
    (void)fflush(stdout);
    int failed = pipe(pipe_out);
    pid_t child = fork();
    ASSERT(failed == 0);
    ASSERT(child >= 0);
    (void)close(pipe_out[child == 0 ? 0 : 1]);
    return child;
}

/* True when it was killed, or ended well when it was allowed to. */
static bool parent_end(pid_t child, bool kill_it) {
    int status;

    if (kill_it) {
        (void)kill(child, SIGKILL);
    }
    pid_t ended = waitpid(child, &status, 0);
    bool right = ended == child && status == (kill_it ? SIGKILL : 0);
    if (!right) {
        (void)printf("# a child ended with status %#x\n", (unsigned)status);
    }
    return right;
}

static bool parent_sell(const char *path, struct ledger *ledger, struct random *random) {
    int ends[2];
    pid_t child = parent_fork(ends);
    uint64_t life_ns = random_below(random, LIFE_MS_MAX * NANOSECONDS_PER_MILLISECOND);

    if (child == 0) {
        seller_main(path, ledger, ends[1]);
    }
    /* Mostly from its first word on; sometimes it is still opening. */
    if (random_below(random, 6) != 0) {
        struct pollfd poll_one = {.fd = ends[0], .events = POLLIN};
        (void)poll(&poll_one, 1, PATIENCE_MS);
    } else {
        life_ns /= 4;
    }
    parent_listen(ledger, ends[0], clock_monotonic_ns() + (int64_t)life_ns);
    bool right = parent_end(child, true);
    parent_listen(ledger, ends[0], INT64_MAX);
    (void)close(ends[0]);
    return right;
}

static bool parent_check(const char *path, struct ledger *ledger, struct random *random,
                         bool kill_it) {
    int ends[2];
    pid_t child = parent_fork(ends);
    char word;

    if (child == 0) {
        checker_main(path, ledger, ends[1]);
    }
    (void)read(ends[0], &word, 1);
    if (kill_it) {
        clock_sleep_ns((int64_t)random_below(random, 20 * NANOSECONDS_PER_MILLISECOND));
        /* It may have come to its end. */
        (void)kill(child, SIGKILL);
        (void)waitpid(child, NULL, 0);
        (void)close(ends[0]);
        return true;
    }
    bool right = parent_end(child, false);
    (void)close(ends[0]);
    return right;
}

/* One store after another until all rounds are done. */
static bool parent_rounds(struct ledger *ledger, struct random *random, uint64_t rounds) {
    char path[MODEL_PATH_BYTES] = "";
    bool right = true;

    for (uint64_t round = 0; right && round < rounds; round++) {
        if (ledger->round % ROUNDS == 0) {
            unreported += ledger->unreported;
            memset(ledger, 0, sizeof *ledger);
            model_files_path(path, "crash-kill");
        }
        right = parent_sell(path, ledger, random);
        while (right && random_below(random, 4) == 0) {
            right = parent_check(path, ledger, random, true);
        }
        right = right && parent_check(path, ledger, random, false);
        ledger->round++;
    }
    if (right) {
        model_files_remove(path);
    }
    unreported += ledger->unreported;
    return right;
}

int main(void) {
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    struct random random = {random_seed_of_run()};
    const char *text = getenv("ROUNDS");
    uint64_t rounds = text != NULL ? strtoull(text, NULL, 0) : ROUNDS;
    int64_t start = clock_monotonic_ns();
    struct ledger *ledger =
        mmap(NULL, sizeof *ledger, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    ASSERT(ledger != MAP_FAILED);
    (void)printf("1..1\n");
    bool right = parent_rounds(ledger, &random, rounds);
    double minutes = (double)(clock_monotonic_ns() - start) / 60e9;
    (void)printf("%s 1 - %llu kills (%.0f a minute), %llu acknowledged, %llu orders not\n",
                 right ? "ok" : "not ok", (unsigned long long)rounds, (double)rounds / minutes,
                 (unsigned long long)acknowledgements, (unsigned long long)unreported);
    return right ? 0 : 1;
}
