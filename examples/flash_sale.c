/* flash_sale - many threads fight for few goods, and each piece is sold exactly once.
 *
 *     flash_sale [--threads 16] [--units 1000] [--seconds 6] [--dir DIR] [--summary FILE]
 *
 * Three contests, each in as many rounds as its third of the time allows, each round with fresh
 * goods:
 *
 *   orders  one product; orders of one piece, each on disk before the seller hears of it
 *   takes   one product; pieces taken without an order, relaxed, which is the shortest way to sell
 *   carts   six products; carts of three of them in any order, each on disk, until no three
 *           products are left
 *
 * After each round the goods are counted: every piece is sold or still there, every order that was
 * acknowledged is in the ledger whole, every take left another remainder. "Sold out" is a correct
 * answer and counted as a refusal; anything unexpected is an error and fails the program.
 */
#include <cellar.h>

#include "meter.h"

#include <getopt.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
    POOL = 6,
    CART = 3,
    THREADS_MAX = 256,
    REFUSALS_MAX = 4
};

typedef enum contest_kind {
    ORDERS = 0,
    TAKES = 1,
    CARTS = 2,
    CONTESTS = 3
} contest_kind;

static const char *const contest_names[CONTESTS] = {"orders of one", "takes, relaxed",
                                                    "carts of three"};

typedef struct flash_settings {
    unsigned threads;
    int64_t units;
    uint64_t seconds;
    const char *directory;
    const char *summary;
} flash_settings;

/* One round of one contest. */
typedef struct flash_sale {
    cellar *store;
    const flash_settings *settings;
    contest_kind kind;
    uint32_t round;
    uint64_t run; /* tells this run's ids and SKUs from those of earlier ones in the directory */
    uint64_t products[POOL];
    size_t product_count;
    pthread_barrier_t start;
    _Atomic bool *remainders; /* takes: which remainders have been seen */
    _Atomic uint64_t remainders_twice;
} flash_sale;

typedef struct flash_seller {
    flash_sale *sale;
    unsigned number;
    pthread_t thread;
    uint64_t random;
    int64_t sold[POOL]; /* pieces, by product */
    uint64_t calls_sold;
    uint64_t calls_refused;
    uint64_t calls_again; /* BUSY or CONFLICT: to be tried again */
    uint64_t errors;
    uint64_t lsn_last;
    meter latency; /* of calls that sold */
} flash_seller;

/* What a contest has come to, over all its rounds. */
typedef struct flash_outcome {
    uint64_t rounds;
    uint64_t selling_ns;
    uint64_t sold;
    uint64_t refused;
    uint64_t again;
    uint64_t errors;
    uint64_t mistakes; /* found by the count after a round */
    int64_t pieces;
    int64_t left;
    meter latency;
} flash_outcome;

/* ---- Selling
 * -------------------------------------------------------------------------------------- */

/* A seller uses its next id only after the last one has sold: a refusal leaves no trace, so that
 * the ids 0 to calls_sold - 1 are exactly the acknowledged orders. */
static cellar_id order_id(const flash_sale *sale, unsigned thread, uint64_t number) {
    return (cellar_id){.high = sale->run,
                       .low = (uint64_t)sale->kind << 60 | (uint64_t)sale->round << 40 |
                              (uint64_t)thread << 32 | number};
}

static cellar_status order_place(flash_seller *seller, const size_t *choice, size_t count,
                                 cellar_ticket *ticket) {
    flash_sale *sale = seller->sale;
    cellar_line lines[CART];
    for (size_t i = 0; i < count; i++) {
        lines[i] =
            (cellar_line){.product = sale->products[choice[i]], .quantity = 1, .unit_price = 1999};
    }
    cellar_order_request request = {
        .id = order_id(sale, seller->number, seller->calls_sold),
        .customer = seller->number + 1,
        .lines = lines,
        .line_count = count,
        .state = CELLAR_ORDER_FULFILLED,
    };
    return cellar_order_place(sale->store, NULL, &request, ticket, NULL);
}

static cellar_status piece_take(flash_seller *seller, cellar_ticket *ticket) {
    flash_sale *sale = seller->sale;
    const cellar_call relaxed = {.durability = CELLAR_RELAXED};
    const cellar_line line = {.product = sale->products[0], .quantity = 1};
    cellar_status status = cellar_stock_take(sale->store, &relaxed, &line, ticket, NULL);
    if (status == CELLAR_OK) {
        bool possible = ticket->remaining >= 0 && ticket->remaining < sale->settings->units;
        if (!possible || atomic_exchange(&sale->remainders[ticket->remaining], true)) {
            atomic_fetch_add(&sale->remainders_twice, 1);
        }
    }
    return status;
}

/* Three different products in any order: carts that lie crosswise are what locks dread. */
static void cart_choose(flash_seller *seller, size_t *choice) {
    size_t pool[POOL];
    for (size_t i = 0; i < POOL; i++) {
        pool[i] = i;
    }
    for (size_t i = 0; i < CART; i++) {
        size_t other = i + (size_t)(meter_random(&seller->random) >> 20) % (POOL - i);
        choice[i] = pool[other];
        pool[other] = pool[i];
    }
}

/* True when no cart can be filled any more. */
static bool carts_are_over(flash_sale *sale) {
    cellar_line lines[POOL];
    int64_t available[POOL];
    for (size_t i = 0; i < POOL; i++) {
        lines[i] = (cellar_line){.product = sale->products[i]};
    }
    if (cellar_stock_snapshot(sale->store, lines, POOL, available, NULL, NULL) != CELLAR_OK) {
        return true; /* the count after the round will find what is left */
    }
    int there = 0;
    for (size_t i = 0; i < POOL; i++) {
        there += available[i] > 0 ? 1 : 0;
    }
    return there < CART;
}

/* Counts an answer. Returns false when the seller may go home. */
static bool answer_count(flash_seller *seller, cellar_status status, uint64_t ns,
                         const size_t *choice, const cellar_ticket *ticket) {
    if (status == CELLAR_OK) {
        size_t count = seller->sale->kind == CARTS ? CART : 1;
        for (size_t i = 0; i < count; i++) {
            seller->sold[choice[i]]++;
        }
        seller->calls_sold++;
        seller->lsn_last = ticket->lsn;
        seller->errors += ticket->repeated ? 1 : 0;
        meter_add(&seller->latency, ns);
        return true;
    }
    if (status == CELLAR_OUT_OF_STOCK) {
        seller->calls_refused++;
        return seller->sale->kind == CARTS ? !carts_are_over(seller->sale)
                                           : seller->calls_refused < REFUSALS_MAX;
    }
    if (status == CELLAR_BUSY || status == CELLAR_CONFLICT) {
        seller->calls_again++;
        return true;
    }
    seller->errors++;
    (void)fprintf(stderr, "flash_sale: %s: %s\n", cellar_status_name(status),
                  cellar_status_text(status));
    return false;
}

static void *sell(void *context) {
    flash_seller *seller = context;
    flash_sale *sale = seller->sale;
    (void)pthread_barrier_wait(&sale->start);
    for (bool more = true; more;) {
        size_t choice[CART] = {0};
        if (sale->kind == CARTS) {
            cart_choose(seller, choice);
        }
        cellar_ticket ticket = {0};
        uint64_t start = meter_now_ns();
        cellar_status status =
            sale->kind == TAKES
                ? piece_take(seller, &ticket)
                : order_place(seller, choice, sale->kind == CARTS ? CART : 1, &ticket);
        more = answer_count(seller, status, meter_now_ns() - start, choice, &ticket);
    }
    return NULL;
}

/* ---- Counting
 * ------------------------------------------------------------------------------------- */

static void mistake(flash_outcome *outcome, const flash_sale *sale, const char *what, int64_t found,
                    int64_t expected) {
    outcome->mistakes++;
    (void)fprintf(stderr, "flash_sale: %s, round %" PRIu32 ": %s: %" PRId64 ", not %" PRId64 "\n",
                  contest_names[sale->kind], sale->round, what, found, expected);
}

/* Every order that a seller was told of is in the ledger, whole. */
static void orders_check(flash_outcome *outcome, const flash_sale *sale,
                         const flash_seller *seller) {
    uint32_t lines = sale->kind == CARTS ? CART : 1;
    for (uint64_t i = 0; i < seller->calls_sold && sale->kind != TAKES; i++) {
        cellar_order order = {.line_count = 0};
        cellar_status status =
            cellar_order_get(sale->store, order_id(sale, seller->number, i), &order, NULL, 0);
        if (status != CELLAR_OK || order.line_count != lines) {
            mistake(outcome, sale, "lines of an acknowledged order", order.line_count, lines);
        }
    }
}

static void goods_check(flash_outcome *outcome, const flash_sale *sale,
                        const flash_seller *sellers) {
    int products_left = 0;
    for (size_t i = 0; i < sale->product_count; i++) {
        const cellar_line line = {.product = sale->products[i]};
        cellar_stock stock = {.available = -1};
        int64_t sold = 0;
        for (unsigned j = 0; j < sale->settings->threads; j++) {
            sold += sellers[j].sold[i];
        }
        (void)cellar_stock_get(sale->store, &line, &stock);
        if (stock.available < 0 || sold + stock.available != sale->settings->units) {
            mistake(outcome, sale, "sold and left", sold + stock.available, sale->settings->units);
        }
        outcome->pieces += sold;
        outcome->left += stock.available;
        products_left += stock.available > 0 ? 1 : 0;
    }
    int limit = sale->kind == CARTS ? CART - 1 : 0;
    if (products_left > limit) {
        mistake(outcome, sale, "products not sold out", products_left, limit);
    }
    if (atomic_load(&sale->remainders_twice) > 0) {
        mistake(outcome, sale, "pieces taken twice", (int64_t)sale->remainders_twice, 0);
    }
}

/* ---- Rounds
 * --------------------------------------------------------------------------------------- */

static bool goods_receive(flash_sale *sale) {
    for (size_t i = 0; i < sale->product_count; i++) {
        char sku[CELLAR_SKU_BYTES_MAX + 1];
        (void)snprintf(sku, sizeof sku, "%" PRIx64 "-%d-%" PRIu32 "-%zu", sale->run,
                       (int)sale->kind, sale->round, i);
        const cellar_product product = {.sku = sku, .name = "Flash sale", .unit_price = 1999};
        cellar_ticket ticket;
        cellar_status status =
            cellar_product_put(sale->store, NULL, &product, CELLAR_VERSION_ABSENT, &ticket, NULL);
        if (status == CELLAR_OK) {
            sale->products[i] = ticket.object;
            const cellar_line line = {.product = ticket.object, .quantity = sale->settings->units};
            const cellar_stock_change change = {.lines = &line, .line_count = 1};
            status = cellar_stock_receive(sale->store, NULL, &change, NULL, NULL);
        }
        if (status != CELLAR_OK) {
            (void)fprintf(stderr, "flash_sale: receiving: %s\n", cellar_status_text(status));
            return false;
        }
    }
    return true;
}

/* The sellers wait at a barrier, so that a thread that cannot be started would hang them all. */
static void sellers_run(flash_sale *sale, flash_seller *sellers, flash_outcome *outcome) {
    unsigned threads = sale->settings->threads;
    (void)pthread_barrier_init(&sale->start, NULL, threads + 1);
    for (unsigned i = 0; i < threads; i++) {
        sellers[i] = (flash_seller){
            .sale = sale, .number = i, .random = (sale->run ^ (sale->round << 8) ^ i) | 1};
        if (pthread_create(&sellers[i].thread, NULL, sell, &sellers[i]) != 0) {
            (void)fprintf(stderr, "flash_sale: %u threads cannot be started\n", threads);
            exit(1);
        }
    }
    (void)pthread_barrier_wait(&sale->start);
    uint64_t start = meter_now_ns();
    for (unsigned i = 0; i < threads; i++) {
        (void)pthread_join(sellers[i].thread, NULL);
    }
    outcome->selling_ns += meter_now_ns() - start;
    (void)pthread_barrier_destroy(&sale->start);
}

static bool round_run(flash_sale *sale, flash_seller *sellers, flash_outcome *outcome) {
    atomic_store(&sale->remainders_twice, 0);
    for (int64_t i = 0; i < sale->settings->units; i++) {
        atomic_store(&sale->remainders[i], false);
    }
    sale->product_count = sale->kind == CARTS ? POOL : 1;
    if (!goods_receive(sale)) {
        return false;
    }
    sellers_run(sale, sellers, outcome);
    uint64_t lsn_last = 0;
    for (unsigned i = 0; i < sale->settings->threads; i++) {
        const flash_seller *seller = &sellers[i];
        outcome->sold += seller->calls_sold;
        outcome->refused += seller->calls_refused;
        outcome->again += seller->calls_again;
        outcome->errors += seller->errors;
        meter_merge(&outcome->latency, &seller->latency);
        lsn_last = seller->lsn_last > lsn_last ? seller->lsn_last : lsn_last;
        orders_check(outcome, sale, seller);
    }
    if (lsn_last != 0 && cellar_wait(sale->store, lsn_last, -1) != CELLAR_OK) {
        mistake(outcome, sale, "commits on disk", 0, 1);
    }
    goods_check(outcome, sale, sellers);
    outcome->rounds++;
    return outcome->errors == 0 && outcome->mistakes == 0;
}

static bool contest_run(cellar *store, const flash_settings *settings, contest_kind kind,
                        uint64_t run, flash_outcome *outcome) {
    flash_sale sale = {.store = store, .settings = settings, .kind = kind, .run = run};
    flash_seller *sellers = calloc(settings->threads, sizeof *sellers);
    sale.remainders = calloc((size_t)settings->units, sizeof *sale.remainders);
    bool good = sellers != NULL && sale.remainders != NULL;
    uint64_t end = meter_now_ns() + settings->seconds * UINT64_C(1000000000) / CONTESTS;
    for (; good && (sale.round == 0 || meter_now_ns() < end) && sale.round < 1u << 20;
         sale.round++) {
        good = round_run(&sale, sellers, outcome);
    }
    free(sellers);
    free(sale.remainders);
    return good;
}

/* ---- Output
 * --------------------------------------------------------------------------------------- */

static double per_second(const flash_outcome *outcome, uint64_t count) {
    return outcome->selling_ns == 0 ? 0 : (double)count * 1e9 / (double)outcome->selling_ns;
}

static void outcome_print(contest_kind kind, const flash_outcome *outcome) {
    char text[4][METER_TEXT_BYTES];
    (void)printf("%-15s %6" PRIu64 " %9" PRIu64 " %9" PRIu64 " %7" PRIu64 " %10.0f",
                 contest_names[kind], outcome->rounds, outcome->sold, outcome->refused,
                 outcome->errors, per_second(outcome, outcome->sold));
    (void)printf(" %9s %9s %9s %9s\n",
                 meter_duration(text[0], meter_percentile(&outcome->latency, 0.5)),
                 meter_duration(text[1], meter_percentile(&outcome->latency, 0.99)),
                 meter_duration(text[2], meter_percentile(&outcome->latency, 0.999)),
                 meter_duration(text[3], outcome->latency.max_ns));
}

static bool contests_run(cellar *store, const flash_settings *settings, uint64_t run) {
    static flash_outcome outcomes[CONTESTS]; /* their meters are too large for a stack */
    bool good = true;
    (void)printf("%u threads, %" PRId64 " pieces of each product in each round\n\n",
                 settings->threads, settings->units);
    (void)printf("%-15s %6s %9s %9s %7s %10s %9s %9s %9s %9s\n", "contest", "rounds", "sold",
                 "sold out", "errors", "sold/s", "p50", "p99", "p99.9", "max");
    for (int kind = 0; good && kind < CONTESTS; kind++) {
        good = contest_run(store, settings, (contest_kind)kind, run, &outcomes[kind]);
        outcome_print((contest_kind)kind, &outcomes[kind]);
        (void)fflush(stdout);
    }
    cellar_audit audit = {.violations = 1};
    cellar_status status = cellar_audit_run(store, &audit);
    (void)printf("\n");
    for (int kind = 0; kind < CONTESTS; kind++) {
        const flash_outcome *outcome = &outcomes[kind];
        (void)printf("%-15s %" PRId64 " pieces sold, %" PRId64 " left, %" PRIu64 " mistakes\n",
                     contest_names[kind], outcome->pieces, outcome->left, outcome->mistakes);
        char detail[160];
        char p99[METER_TEXT_BYTES];
        (void)snprintf(detail, sizeof detail, "%.0f sold/s, p99 %s, %" PRId64 " pieces, none twice",
                       per_second(outcome, outcome->sold),
                       meter_duration(p99, meter_percentile(&outcome->latency, 0.99)),
                       outcome->pieces);
        char what[64];
        (void)snprintf(what, sizeof what, "flash sale: %s", contest_names[kind]);
        bool held = outcome->rounds > 0 && outcome->errors == 0 && outcome->mistakes == 0;
        good = meter_summary(settings->summary, what, held, detail) && held && good;
    }
    (void)printf("%-15s %" PRIu64 " violations%s%s\n", "audit", audit.violations,
                 audit.violations > 0 ? ": " : "", audit.first_violation);
    return good && status == CELLAR_OK && audit.violations == 0;
}

/* ---- The program
 * ---------------------------------------------------------------------------------- */

static bool settings_read(int argc, char **argv, flash_settings *settings) {
    static const struct option known[] = {
        {"threads", required_argument, NULL, 't'}, {"units", required_argument, NULL, 'u'},
        {"seconds", required_argument, NULL, 's'}, {"dir", required_argument, NULL, 'd'},
        {"summary", required_argument, NULL, 'f'}, {NULL, 0, NULL, 0},
    };
    uint64_t number = 0;
    bool good = true;
    for (int option = 0; good && (option = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        switch (option) {
        case 't':
            good = meter_number(optarg, 1, THREADS_MAX, &number);
            settings->threads = (unsigned)number;
            break;
        case 'u':
            good = meter_number(optarg, 1, 10000000, &number);
            settings->units = (int64_t)number;
            break;
        case 's':
            good = meter_number(optarg, 0, 3600, &settings->seconds);
            break;
        case 'd':
            settings->directory = optarg;
            break;
        case 'f':
            settings->summary = optarg;
            break;
        default:
            good = false;
        }
    }
    return good && optind == argc;
}

int main(int argc, char **argv) {
    flash_settings settings = {.threads = 16, .units = 1000, .seconds = 6};
    if (!settings_read(argc, argv, &settings)) {
        (void)fprintf(stderr, "usage: flash_sale [--threads 16] [--units 1000] [--seconds 6]\n"
                              "                  [--dir DIR] [--summary FILE]\n"
                              "Without --dir the store is made under TMPDIR and removed.\n");
        return 2;
    }
    char temporary[METER_PATH_BYTES];
    bool own = settings.directory == NULL;
    if (own && !meter_directory_make(temporary, "flash_sale")) {
        return 1;
    }
    if (own) {
        settings.directory = temporary;
    }
    cellar_config config = {.size = sizeof config, .directory = settings.directory};
    cellar *store = NULL;
    cellar_problem problem = {.text = ""};
    bool good = cellar_open(&config, &store, &problem) == CELLAR_OK;
    if (good) {
        struct timespec now;
        (void)clock_gettime(CLOCK_REALTIME, &now);
        uint64_t run = (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
        good = contests_run(store, &settings, run);
        good = cellar_close(store) == CELLAR_OK && good;
    } else {
        (void)fprintf(stderr, "flash_sale: %s: %s\n", cellar_status_text(problem.status),
                      problem.text);
    }
    if (own) {
        meter_directory_remove(settings.directory);
    }
    return good ? 0 : 1;
}
