/* incumbent_load - two load tests of the shop back end that cellar stands in for, here in process.
 *
 *     incumbent_load [--seconds 8] [--summary FILE]
 *
 *   orders  50 virtual users place orders of one piece. There are pieces for 78 of 100 orders, so
 *           exactly 22 of 100 are told "out of stock", as there
 *   spike   300 virtual users ask at once for one of 100 coupons, each of them twice
 *
 * A virtual user is a thread; each acknowledged call is on disk before it returns. Both tests are
 * repeated with fresh goods as long as their half of the time allows, and counted after each round:
 * every piece sold or left, every order in the ledger, the ranks 1 to 100 once each, no customer
 * with two coupons. Refusals are correct answers and counted apart from errors; an error, or a
 * count that is wrong, fails the program.
 *
 * What stands beside our figures was measured there over HTTP, with a network, a database and
 * a message broker behind it. Nothing of that is here: the figures tell what the part that is
 * replaced costs, not what a whole back end would reach.
 */
#include <cellar.h>

#include "meter.h"

#include <getopt.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    BUYERS = 50,
    ORDERS_EACH = 100, /* of one buyer in one round */
    PRODUCTS = 5,
    SELLABLE_PERCENT = 78,
    CLAIMERS = 300,
    QUOTA = 100,
    USERS_MAX = CLAIMERS,
    ROUNDS_MAX = 1000
};

/* What one product is asked for in a round, and how many pieces there are. */
#define DEMAND (BUYERS * ORDERS_EACH / PRODUCTS)
#define PIECES (DEMAND * SELLABLE_PERCENT / 100)
_Static_assert(BUYERS *ORDERS_EACH % PRODUCTS == 0, "each product is asked for as often");
_Static_assert(DEMAND *SELLABLE_PERCENT % 100 == 0, "the shares come out even");

typedef struct user user;

/* One of the two tests, over all its rounds. */
typedef struct load {
    const char *name;
    unsigned users;
    void (*act)(user *self);
    bool (*prepare)(struct load *test);
    void (*count)(struct load *test);
    cellar *store;
    uint64_t round;
    uint64_t products[PRODUCTS];
    pthread_barrier_t start;
    user *crew;
    uint64_t errors;
    uint64_t mistakes; /* found by the count after a round */
    uint64_t again;    /* CONFLICT or BUSY: tried again */
    meter granted;
    meter refused;
} load;

struct user {
    load *test;
    uint64_t number; /* from 1 */
    pthread_t thread;
    uint64_t errors;
    uint64_t again;
    uint64_t lsn;  /* of the latest commit */
    uint64_t rank; /* spike: of the coupon, 0: none */
    meter granted;
    meter refused;
};

/* ---- Virtual users
 * -------------------------------------------------------------------------------- */

typedef cellar_status user_call(user *self, uint64_t number, cellar_ticket *ticket,
                                cellar_refusal *refusal);

/* Makes a call until it is answered, and files the answer: `no` is the refusal that is expected. */
static cellar_status user_ask(user *self, user_call *call, uint64_t number, cellar_status no,
                              cellar_ticket *ticket, cellar_refusal *refusal) {
    uint64_t start = meter_now_ns();
    cellar_status status = call(self, number, ticket, refusal);
    while (status == CELLAR_CONFLICT || status == CELLAR_BUSY) {
        self->again++;
        status = call(self, number, ticket, refusal);
    }
    uint64_t ns = meter_now_ns() - start;
    if (status == CELLAR_OK) {
        meter_add(&self->granted, ns);
        self->lsn = ticket->lsn;
        bool durable = ticket->lsn < cellar_durable_lsn(self->test->store);
        self->errors += !durable || ticket->repeated ? 1 : 0;
    } else if (status == no) {
        meter_add(&self->refused, ns);
    } else {
        self->errors++;
        (void)fprintf(stderr, "incumbent_load: %s: %s\n", self->test->name,
                      cellar_status_text(status));
    }
    return status;
}

static cellar_id order_id(const load *test, uint64_t buyer, uint64_t number) {
    return (cellar_id){.high = test->round + 1, .low = buyer << 32 | number};
}

static cellar_status order_place(user *self, uint64_t number, cellar_ticket *ticket,
                                 cellar_refusal *refusal) {
    load *test = self->test;
    const cellar_line line = {.product = test->products[(self->number + number) % PRODUCTS],
                              .quantity = 1,
                              .unit_price = 1999};
    const cellar_order_request request = {.id = order_id(test, self->number, number),
                                          .customer = self->number,
                                          .lines = &line,
                                          .line_count = 1,
                                          .state = CELLAR_ORDER_PAID};
    return cellar_order_place(test->store, NULL, &request, ticket, refusal);
}

static void orders_act(user *self) {
    for (uint64_t i = 0; i < ORDERS_EACH; i++) {
        cellar_ticket ticket = {0};
        cellar_refusal refusal = {0};
        (void)user_ask(self, order_place, i, CELLAR_OUT_OF_STOCK, &ticket, &refusal);
    }
}

static uint64_t campaign_of(const load *test) {
    return test->round + 1;
}

static cellar_status coupon_claim(user *self, uint64_t number, cellar_ticket *ticket,
                                  cellar_refusal *refusal) {
    (void)number;
    return cellar_coupon_claim(self->test->store, NULL, (cellar_id){0, 0}, campaign_of(self->test),
                               self->number, ticket, refusal);
}

/* The second click of whoever has a coupon must be told its rank, of the others that none is left.
 */
static void spike_act(user *self) {
    cellar_ticket ticket = {0};
    cellar_refusal refusal = {0};
    cellar_status status = user_ask(self, coupon_claim, 0, CELLAR_SOLD_OUT, &ticket, &refusal);
    self->rank = status == CELLAR_OK ? ticket.rank : 0;
    cellar_status no = status == CELLAR_OK ? CELLAR_ALREADY_CLAIMED : CELLAR_SOLD_OUT;
    status = user_ask(self, coupon_claim, 1, no, &ticket, &refusal);
    self->errors += status == CELLAR_OK || refusal.rank != self->rank ? 1 : 0;
}

static void *user_run(void *context) {
    user *self = context;
    (void)pthread_barrier_wait(&self->test->start);
    self->test->act(self);
    return NULL;
}

/* ---- Before and after a round
 * --------------------------------------------------------------------- */

static void expect(load *test, const char *what, uint64_t found, uint64_t expected) {
    if (found != expected) {
        test->mistakes++;
        (void)fprintf(stderr,
                      "incumbent_load: %s, round %" PRIu64 ": %s: %" PRIu64 " instead of %" PRIu64
                      "\n",
                      test->name, test->round, what, found, expected);
    }
}

static bool prepared(const load *test, cellar_status status) {
    if (status != CELLAR_OK) {
        (void)fprintf(stderr, "incumbent_load: preparing %s: %s\n", test->name,
                      cellar_status_text(status));
    }
    return status == CELLAR_OK;
}

static bool orders_prepare(load *test) {
    cellar_status status = CELLAR_OK;
    for (uint64_t i = 0; status == CELLAR_OK && i < PRODUCTS; i++) {
        char sku[CELLAR_SKU_BYTES_MAX + 1];
        (void)snprintf(sku, sizeof sku, "%" PRIu64 "-%" PRIu64, test->round, i);
        const cellar_product product = {.sku = sku, .name = "On sale", .unit_price = 1999};
        cellar_ticket ticket = {0};
        status =
            cellar_product_put(test->store, NULL, &product, CELLAR_VERSION_ABSENT, &ticket, NULL);
        test->products[i] = ticket.object;
        if (status == CELLAR_OK) {
            const cellar_line line = {.product = ticket.object, .quantity = PIECES};
            const cellar_stock_change change = {.lines = &line, .line_count = 1};
            status = cellar_stock_receive(test->store, NULL, &change, NULL, NULL);
        }
    }
    return prepared(test, status);
}

static void orders_count(load *test) {
    uint64_t granted = 0;
    for (uint64_t i = 0; i < BUYERS; i++) {
        granted += test->crew[i].granted.count;
        uint64_t found = 0;
        for (uint64_t j = 0; j < ORDERS_EACH; j++) {
            cellar_order order;
            found += cellar_order_get(test->store, order_id(test, i + 1, j), &order, NULL, 0) ==
                             CELLAR_OK
                         ? 1
                         : 0;
        }
        expect(test, "orders of a buyer in the ledger", found, test->crew[i].granted.count);
    }
    expect(test, "orders placed", granted, (uint64_t)PIECES * PRODUCTS);
    for (uint64_t i = 0; i < PRODUCTS; i++) {
        const cellar_line line = {.product = test->products[i]};
        cellar_stock stock = {.available = -1};
        (void)cellar_stock_get(test->store, &line, &stock);
        expect(test, "pieces left of a product", (uint64_t)stock.available, 0);
        expect(test, "pieces on hand of a product", (uint64_t)stock.on_hand, PIECES);
    }
}

static bool spike_prepare(load *test) {
    const cellar_campaign campaign = {
        .id = campaign_of(test), .name = "First hundred", .quota = QUOTA};
    return prepared(
        test, cellar_campaign_put(test->store, NULL, &campaign, CELLAR_VERSION_ABSENT, NULL, NULL));
}

static void spike_count(load *test) {
    uint64_t holders[QUOTA + 1] = {0}; /* by rank */
    for (uint64_t i = 0; i < CLAIMERS; i++) {
        const user *claimer = &test->crew[i];
        if (claimer->rank > QUOTA || holders[claimer->rank] != 0) {
            expect(test, "a rank given twice, or beyond the quota", claimer->rank, 0);
        } else if (claimer->rank != 0) {
            holders[claimer->rank] = claimer->number;
        }
    }
    cellar_coupon page[CELLAR_PAGE_MAX];
    size_t count = 0;
    const cellar_coupon_query query = {.campaign = campaign_of(test)};
    (void)cellar_coupon_list(test->store, &query, page, CELLAR_PAGE_MAX, &count);
    expect(test, "coupons issued", count, QUOTA);
    for (size_t i = 0; i < count && i < QUOTA; i++) {
        /* Latest first. */
        expect(test, "rank in the ledger", page[i].rank, QUOTA - i);
        expect(test, "its holder in the ledger", page[i].customer, holders[QUOTA - i]);
        expect(test, "its state in the ledger", page[i].state, CELLAR_COUPON_GRANTED);
    }
}

/* ---- Rounds
 * --------------------------------------------------------------------------------------- */

/* The users wait at a barrier, so that a thread that cannot be started would hang them all. */
static void round_run(load *test) {
    (void)pthread_barrier_init(&test->start, NULL, test->users);
    for (unsigned i = 0; i < test->users; i++) {
        user *self = &test->crew[i];
        memset(self, 0, sizeof *self);
        self->test = test;
        self->number = i + 1;
        if (pthread_create(&self->thread, NULL, user_run, self) != 0) {
            (void)fprintf(stderr, "incumbent_load: %u threads cannot be started\n", test->users);
            exit(1);
        }
    }
    uint64_t lsn = 0;
    for (unsigned i = 0; i < test->users; i++) {
        const user *self = &test->crew[i];
        (void)pthread_join(self->thread, NULL);
        lsn = self->lsn > lsn ? self->lsn : lsn;
        test->errors += self->errors;
        test->again += self->again;
        meter_merge(&test->granted, &self->granted);
        meter_merge(&test->refused, &self->refused);
    }
    /* Sums and lists follow the log. */
    expect(test, "lists that follow", cellar_wait_listed(test->store, lsn, -1), CELLAR_OK);
    test->count(test);
}

static bool load_held(const load *test) {
    return test->round > 0 && test->errors == 0 && test->mistakes == 0;
}

static void load_run(load *test, uint64_t ns) {
    uint64_t end = meter_now_ns() + ns;
    test->crew = calloc(test->users, sizeof *test->crew);
    do {
        if (test->crew == NULL || !test->prepare(test)) {
            test->errors++;
            break;
        }
        round_run(test);
        test->round++;
    } while (load_held(test) && meter_now_ns() < end && test->round < ROUNDS_MAX);
    free(test->crew);
}

/* ---- Output
 * --------------------------------------------------------------------------------------- */

static double percent(uint64_t part, uint64_t other) {
    return part == 0 ? 0 : 100.0 * (double)part / (double)(part + other);
}

static void row(const char *what, const char *theirs, const char *ours) {
    (void)printf("  %-24s %-22s %s\n", what, theirs, ours);
}

static void row_duration(const char *what, const char *theirs, uint64_t ns) {
    char text[METER_TEXT_BYTES];
    row(what, theirs, meter_duration(text, ns));
}

static void row_count(const char *what, const char *theirs, uint64_t count) {
    char text[METER_TEXT_BYTES];
    (void)snprintf(text, sizeof text, "%" PRIu64, count);
    row(what, theirs, text);
}

static void rows_common(const load *test, const char *refusals) {
    row_count(refusals, "", test->refused.count);
    row_duration("  mean of these", "", meter_mean(&test->refused));
    row_count("errors", "not told", test->errors);
    row_count("calls tried again", "", test->again);
    row_count("counted wrong", "0", test->mistakes);
    (void)printf("\n");
}

/* The mean of all answers, refusals included, as theirs is. */
static uint64_t mean_of_all(const load *test) {
    uint64_t count = test->granted.count + test->refused.count;
    return count == 0 ? 0 : (test->granted.sum_ns + test->refused.sum_ns) / count;
}

static bool orders_print(const load *test, const char *summary) {
    char text[160];
    char mean[METER_TEXT_BYTES];
    uint64_t sold = test->granted.count;
    uint64_t refused = test->refused.count;
    row("CONCURRENT ORDERS", "50 VUs, 2 min, HTTP", "50 threads, in process");
    (void)snprintf(text, sizeof text, "%.1f %% (%" PRIu64 ")", percent(sold, refused), sold);
    row("orders placed", "78 %", text);
    (void)snprintf(text, sizeof text, "%.1f %%", percent(refused, sold));
    row("out of stock", "22 %", text);
    row_duration("mean of all answers", "623 ms", mean_of_all(test));
    row_duration("  of orders placed", "", meter_mean(&test->granted));
    row_duration("  their p95", "", meter_percentile(&test->granted, 0.95));
    row_duration("  their maximum", "", test->granted.max_ns);
    rows_common(test, "refused: out of stock");
    (void)snprintf(text, sizeof text,
                   "%.0f %% placed, %.0f %% out of stock, %" PRIu64
                   " errors, mean %s (theirs 623 ms, over HTTP)",
                   percent(sold, refused), percent(refused, sold), test->errors,
                   meter_duration(mean, mean_of_all(test)));
    return meter_summary(summary, "load test: 50 ordering", load_held(test), text);
}

static bool spike_print(const load *test, const char *summary) {
    char text[192];
    char mean[METER_TEXT_BYTES];
    char p95[METER_TEXT_BYTES];
    char max[METER_TEXT_BYTES];
    const meter *issued = &test->granted;
    row("COUPON SPIKE", "300 VUs in 5 s, HTTP", "300 threads at once, in process");
    (void)snprintf(text, sizeof text, "%.0f of %d, %" PRIu64 " times",
                   test->round == 0 ? 0.0 : (double)issued->count / (double)test->round, QUOTA,
                   test->round);
    row("coupons issued", "100 of 100", text);
    row_duration("mean of these", "1,234 ms", meter_mean(issued));
    row_duration("p95", "1,987 ms", meter_percentile(issued, 0.95));
    row_duration("maximum", "3,421 ms", issued->max_ns);
    rows_common(test, "refused: none left, has one");
    (void)snprintf(text, sizeof text,
                   "100 issued %" PRIu64 " times; mean %s, p95 %s, max %s (theirs 1,234, 1,987, "
                   "3,421 ms, over HTTP)",
                   test->round, meter_duration(mean, meter_mean(issued)),
                   meter_duration(p95, meter_percentile(issued, 0.95)),
                   meter_duration(max, issued->max_ns));
    return meter_summary(summary, "load test: coupon spike", load_held(test), text);
}

static bool tests_run(cellar *store, uint64_t seconds, const char *summary) {
    /* Their meters are too large for a stack. */
    static load orders = {.name = "orders",
                          .users = BUYERS,
                          .act = orders_act,
                          .prepare = orders_prepare,
                          .count = orders_count};
    static load spike = {.name = "spike",
                         .users = CLAIMERS,
                         .act = spike_act,
                         .prepare = spike_prepare,
                         .count = spike_count};
    uint64_t each_ns = seconds * UINT64_C(1000000000) / 2;
    orders.store = spike.store = store;
    load_run(&orders, each_ns);
    load_run(&spike, each_ns);
    row("", "theirs", "here");
    bool written = orders_print(&orders, summary);
    written = spike_print(&spike, summary) && written;
    cellar_audit audit = {.violations = 1};
    cellar_status status = cellar_audit_run(store, &audit);
    (void)printf(
        "There are pieces for 78 of 100 orders. Theirs has HTTP, a network, a database and a\n"
        "broker in it, and its users come one by one; ours are calls of the library, each on\n"
        "disk before it returns. Audit: %" PRIu64 " violations%s%s\n",
        audit.violations, audit.violations > 0 ? ": " : "", audit.first_violation);
    return written && load_held(&orders) && load_held(&spike) && status == CELLAR_OK &&
           audit.violations == 0;
}

/* ---- The program
 * ---------------------------------------------------------------------------------- */

static bool settings_read(int argc, char **argv, uint64_t *seconds, const char **summary) {
    static const struct option known[] = {{"seconds", required_argument, NULL, 's'},
                                          {"summary", required_argument, NULL, 'f'},
                                          {NULL, 0, NULL, 0}};
    bool good = true;
    for (int option = 0; good && (option = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        if (option == 's') {
            good = meter_number(optarg, 0, 3600, seconds);
        } else if (option == 'f') {
            *summary = optarg;
        } else {
            good = false;
        }
    }
    return good && optind == argc;
}

int main(int argc, char **argv) {
    uint64_t seconds = 8;
    const char *summary = NULL;
    char directory[METER_PATH_BYTES];
    if (!settings_read(argc, argv, &seconds, &summary)) {
        (void)fprintf(stderr, "usage: incumbent_load [--seconds 8] [--summary FILE]\n"
                              "The store is made under TMPDIR and removed.\n");
        return 2;
    }
    if (!meter_directory_make(directory, "incumbent_load")) {
        return 1;
    }
    const cellar_config config = {.size = sizeof config, .directory = directory};
    cellar *store = NULL;
    cellar_problem problem = {.text = ""};
    bool good = cellar_open(&config, &store, &problem) == CELLAR_OK;
    if (good) {
        good = tests_run(store, seconds, summary);
        good = cellar_close(store) == CELLAR_OK && good;
    } else {
        (void)fprintf(stderr, "incumbent_load: %s: %s\n", cellar_status_text(problem.status),
                      problem.text);
    }
    meter_directory_remove(directory);
    return good ? 0 : 1;
}
