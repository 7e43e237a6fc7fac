/* crash_sale - kills a shop with SIGKILL in mid-sale, again and again, and shows that nothing that
 * was acknowledged is lost.
 *
 *     crash_sale [--threads 8] [--rounds 5] [--seed N] [--dir DIR] [--summary FILE]
 *
 * Each round is two child processes, because a store belongs to the process that opened it: the
 * parent forks both before any store is open in them, and opens none itself.
 *
 *   the seller   opens the store and places durable orders from several threads. After each call
 *                that returned OK it writes the order's id and LSN into a pipe. A while after the
 *                first, at a random moment, the parent kills it.
 *   the checker  opens the store again and compares it with what came out of the pipe:
 *                  every acknowledged order is there, with its LSN, state and lines;
 *                  its request, sent again, is answered "repeated" and sells nothing;
 *                  beside the acknowledged orders there is at most one a thread, which was on disk
 *                  when the kill came between the commit and the pipe;
 *                  received = sold + available, and the audit finds no violation.
 */
#include <cellar.h>

#include "meter.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    THREADS_MAX = 64,
    ROUNDS_MAX = 10000,
    PRODUCTS = 3,
    START_MS_MAX = 30000
};
#define RECEIVED INT64_C(1000000000)

static const char *const skus[PRODUCTS] = {"lantern", "key ring", "paper craft"};

typedef struct crash_settings {
    unsigned threads;
    unsigned rounds;
    uint64_t seed;
    const char *directory;
    const char *summary;
} crash_settings;

/* What goes through the pipe: 16 bytes, which a pipe takes whole or not at all. */
typedef struct acknowledgement {
    uint64_t order;
    uint64_t lsn;
} acknowledgement;

typedef struct crash_shop {
    cellar *store;
    uint64_t round;
    int pipe;
} crash_shop;

typedef struct crash_seller {
    const crash_shop *shop;
    unsigned number;
} crash_seller;

/* Shared with the checkers: what they found. */
typedef struct crash_findings {
    uint64_t orders;     /* in the store, over all rounds so far */
    uint64_t unreported; /* this round: in the store, not in the pipe */
    uint64_t mistakes;   /* this round */
    uint64_t recovery_ns;
    uint64_t recovery_records;
} crash_findings;

/* ---- The shop
 * ------------------------------------------------------------------------------------- */

static cellar *store_open(const char *directory) {
    cellar_config config = {.size = sizeof config, .directory = directory};
    cellar *store = NULL;
    cellar_problem problem = {.text = ""};
    if (cellar_open(&config, &store, &problem) != CELLAR_OK) {
        (void)fprintf(stderr, "crash_sale: %s: %s\n", cellar_status_text(problem.status),
                      problem.text);
    }
    return store;
}

/* The lines follow from the id, so that the checker knows what must be in an order. */
static void order_describe(uint64_t round, uint64_t number, cellar_line *lines,
                           cellar_order_request *request) {
    for (uint64_t i = 0; i < PRODUCTS; i++) {
        lines[i] = (cellar_line){
            .sku = skus[(number + i) % PRODUCTS],
            .quantity = (int64_t)(1 + (number >> i) % 3),
            .unit_price = (int64_t)(100 + i),
        };
    }
    *request = (cellar_order_request){
        .id = {.high = round + 1, .low = number},
        .customer = 1 + number % 100,
        .lines = lines,
        .line_count = 1 + number % PRODUCTS,
        .state = CELLAR_ORDER_FULFILLED,
    };
}

static bool goods_receive(cellar *store) {
    cellar_line lines[PRODUCTS];
    for (int i = 0; i < PRODUCTS; i++) {
        const cellar_product product = {.sku = skus[i], .unit_price = 100};
        cellar_status status =
            cellar_product_put(store, NULL, &product, CELLAR_VERSION_ABSENT, NULL, NULL);
        if (status != CELLAR_OK && status != CELLAR_ALREADY_EXISTS) {
            return false;
        }
        lines[i] = (cellar_line){.sku = skus[i], .quantity = RECEIVED};
    }
    /* The id lets it happen once, in whichever round it is done. */
    const cellar_stock_change change = {
        .id = {UINT64_MAX, 1}, .lines = lines, .line_count = PRODUCTS};
    return cellar_stock_receive(store, NULL, &change, NULL, NULL) == CELLAR_OK;
}

/* Ends by SIGKILL, or when a call fails, which the parent takes for a mistake. */
static void *sell(void *context) {
    const crash_seller *seller = context;
    for (uint64_t i = 0;; i++) {
        uint64_t number = i << 8 | seller->number;
        cellar_line lines[PRODUCTS];
        cellar_order_request request;
        order_describe(seller->shop->round, number, lines, &request);
        cellar_ticket ticket;
        cellar_status status =
            cellar_order_place(seller->shop->store, NULL, &request, &ticket, NULL);
        if (status != CELLAR_OK || ticket.repeated) {
            (void)fprintf(stderr, "crash_sale: an order: %s\n", cellar_status_name(status));
            _exit(1);
        }
        const acknowledgement done = {.order = number, .lsn = ticket.lsn};
        if (write(seller->shop->pipe, &done, sizeof done) != (ssize_t)sizeof done) {
            _exit(1);
        }
    }
    return NULL;
}

static void seller_main(const crash_settings *settings, uint64_t round, int pipe) {
    /* Should the parent die, nobody would kill this process. */
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    crash_shop shop = {.store = store_open(settings->directory), .round = round, .pipe = pipe};
    if (shop.store == NULL || !goods_receive(shop.store)) {
        _exit(1);
    }
    static crash_seller sellers[THREADS_MAX];
    for (unsigned i = 0; i < settings->threads; i++) {
        pthread_t thread;
        sellers[i] = (crash_seller){.shop = &shop, .number = i};
        if (pthread_create(&thread, NULL, sell, &sellers[i]) != 0) {
            _exit(1);
        }
    }
    for (;;) {
        (void)pause();
    }
}

/* ---- The checker
 * ---------------------------------------------------------------------------------- */

static void mistake(crash_findings *findings, const char *what, uint64_t order) {
    findings->mistakes++;
    (void)fprintf(stderr, "crash_sale: order %" PRIu64 ": %s\n", order, what);
}

static void acknowledged_check(cellar *store, uint64_t round, const acknowledgement *done,
                               crash_findings *findings) {
    cellar_line lines[PRODUCTS];
    cellar_order_request request;
    order_describe(round, done->order, lines, &request);
    cellar_order order;
    cellar_order_line found[PRODUCTS];
    if (cellar_order_get(store, request.id, &order, found, PRODUCTS) != CELLAR_OK) {
        mistake(findings, "acknowledged, and lost", done->order);
        return;
    }
    bool same = order.placed_lsn == done->lsn && order.state == CELLAR_ORDER_FULFILLED &&
                order.customer == request.customer && order.line_count == request.line_count;
    for (size_t i = 0; same && i < request.line_count; i++) {
        same = found[i].quantity == lines[i].quantity && found[i].unit_price == lines[i].unit_price;
    }
    if (!same) {
        mistake(findings, "not what was acknowledged", done->order);
    }
    const cellar_call relaxed = {.durability = CELLAR_RELAXED};
    cellar_ticket ticket;
    if (cellar_order_place(store, &relaxed, &request, &ticket, NULL) != CELLAR_OK ||
        !ticket.repeated || ticket.lsn != done->lsn) {
        mistake(findings, "the same request was not answered as repeated", done->order);
    }
}

static bool totals_check(cellar *store, const crash_settings *settings, uint64_t acknowledged,
                         crash_findings *findings) {
    cellar_audit audit;
    if (cellar_audit_run(store, &audit) != CELLAR_OK) {
        return false;
    }
    const cellar_totals *totals = &audit.totals;
    uint64_t orders = totals->orders[CELLAR_ORDER_FULFILLED];
    findings->unreported = orders - findings->orders - acknowledged;
    if (orders < findings->orders + acknowledged || findings->unreported > settings->threads) {
        mistake(findings, "orders in the store that nobody placed, or too few", orders);
    }
    findings->orders = orders;
    if (totals->units_received != PRODUCTS * RECEIVED ||
        totals->units_ordered + totals->units_available != totals->units_received) {
        mistake(findings, "units received are not those sold and available",
                (uint64_t)totals->units_available);
    }
    if (audit.violations > 0) {
        mistake(findings, audit.first_violation, 0);
    }
    return true;
}

static int checker_main(const crash_settings *settings, uint64_t round, const acknowledgement *done,
                        size_t done_count, crash_findings *findings) {
    cellar *store = store_open(settings->directory);
    if (store == NULL) {
        return 1;
    }
    findings->mistakes = 0;
    cellar_statistics statistics = {.recovery_ns = 0};
    (void)cellar_statistics_get(store, &statistics);
    findings->recovery_ns = statistics.recovery_ns;
    findings->recovery_records = statistics.recovery_records;
    for (size_t i = 0; i < done_count; i++) {
        acknowledged_check(store, round, &done[i], findings);
    }
    bool good = totals_check(store, settings, done_count, findings);
    return cellar_close(store) == CELLAR_OK && good && findings->mistakes == 0 ? 0 : 1;
}

/* ---- The parent
 * ----------------------------------------------------------------------------------- */

/* A growing list of what came out of the pipe. */
typedef struct crash_heard {
    acknowledgement *items;
    size_t bytes;
    size_t capacity;
} crash_heard;

/* Reads what is there. False at the end of the pipe, or when it cannot be read. */
static bool hear(crash_heard *all, int pipe) {
    if (all->bytes + 65536 > all->capacity) {
        size_t capacity = all->capacity * 2 + 65536;
        acknowledgement *items = realloc(all->items, capacity);
        if (items == NULL) {
            return false;
        }
        all->items = items;
        all->capacity = capacity;
    }
    ssize_t count = read(pipe, (char *)all->items + all->bytes, 65536);
    all->bytes += count > 0 ? (size_t)count : 0;
    return count > 0 || (count < 0 && errno == EINTR);
}

/* Listens until `ms` after the first acknowledgement, kills the seller, and reads the rest. False
 * when it ended by itself or never sold anything. */
static bool sale_kill(pid_t child, int pipe, int64_t ms, crash_heard *all) {
    uint64_t start = meter_now_ns();
    uint64_t end = start + START_MS_MAX * UINT64_C(1000000);
    bool more = true;
    while (more && meter_now_ns() < end) {
        struct pollfd waiting = {.fd = pipe, .events = POLLIN};
        int left_ms = (int)((end - meter_now_ns()) / 1000000) + 1;
        if (poll(&waiting, 1, left_ms) > 0) {
            bool first = all->bytes == 0;
            more = hear(all, pipe);
            end = first ? meter_now_ns() + (uint64_t)ms * 1000000 : end;
        }
    }
    (void)kill(child, SIGKILL);
    while (more) {
        more = hear(all, pipe);
    }
    int status = 0;
    (void)waitpid(child, &status, 0);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL && all->bytes > 0 &&
           all->bytes % sizeof(acknowledgement) == 0;
}

static bool sale_run(const crash_settings *settings, uint64_t round, int64_t ms, crash_heard *all) {
    int ends[2];
    if (pipe(ends) != 0) {
        perror("crash_sale: making a pipe");
        return false;
    }
    (void)fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        (void)close(ends[0]);
        seller_main(settings, round, ends[1]);
    }
    (void)close(ends[1]);
    bool good = child > 0 && sale_kill(child, ends[0], ms, all);
    (void)close(ends[0]);
    if (!good) {
        (void)fprintf(stderr, "crash_sale: the sale did not run until it was killed\n");
    }
    return good;
}

static bool check_run(const crash_settings *settings, uint64_t round, const crash_heard *all,
                      crash_findings *findings) {
    (void)fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        _exit(checker_main(settings, round, all->items, all->bytes / sizeof *all->items, findings));
    }
    int status = 0;
    return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) &&
           WEXITSTATUS(status) == 0;
}

static bool rounds_run(const crash_settings *settings, crash_findings *findings) {
    uint64_t random = settings->seed * 2 + 1;
    uint64_t acknowledged = 0;
    uint64_t mistakes = 0;
    bool good = true;
    (void)printf("%u threads sell durable orders until SIGKILL; seed %" PRIu64 "\n\n",
                 settings->threads, settings->seed);
    (void)printf("%5s %10s %13s %6s %11s %10s %12s %9s\n", "round", "killed at", "acknowledged",
                 "lost", "unreported", "mistakes", "log records", "recovery");
    for (unsigned round = 0; good && round < settings->rounds; round++) {
        crash_heard all = {0};
        int64_t ms = 1 + (int64_t)((meter_random(&random) >> 20) % 300);
        good = sale_run(settings, round, ms, &all);
        bool checked = good && check_run(settings, round, &all, findings);
        uint64_t count = all.bytes / sizeof(acknowledgement);
        char text[METER_TEXT_BYTES];
        (void)printf(
            "%5u %7" PRId64 " ms %13" PRIu64 " %6s %11" PRIu64 " %10" PRIu64 " %12" PRIu64 " %9s\n",
            round + 1, ms, count, checked ? "none" : "?", findings->unreported, findings->mistakes,
            findings->recovery_records, meter_duration(text, findings->recovery_ns));
        acknowledged += count;
        mistakes += findings->mistakes;
        good = checked;
        free(all.items);
    }
    (void)printf("\n%" PRIu64 " orders acknowledged, %" PRIu64 " in the store, %" PRIu64
                 " mistakes: %s\n",
                 acknowledged, findings->orders, mistakes,
                 good ? "nothing acknowledged was lost" : "FAILED");
    char detail[160];
    (void)snprintf(detail, sizeof detail,
                   "%u times SIGKILL, %" PRIu64 " orders acknowledged, 0 lost", settings->rounds,
                   acknowledged);
    return meter_summary(settings->summary, "kill -9 in mid-sale", good,
                         good ? detail : "see above") &&
           good;
}

/* ---- The program
 * ---------------------------------------------------------------------------------- */

static bool settings_read(int argc, char **argv, crash_settings *settings) {
    static const struct option known[] = {
        {"threads", required_argument, NULL, 't'}, {"rounds", required_argument, NULL, 'r'},
        {"seed", required_argument, NULL, 's'},    {"dir", required_argument, NULL, 'd'},
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
        case 'r':
            good = meter_number(optarg, 1, ROUNDS_MAX, &number);
            settings->rounds = (unsigned)number;
            break;
        case 's':
            good = meter_number(optarg, 0, UINT64_MAX / 4, &settings->seed);
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
    crash_settings settings = {.threads = 8, .rounds = 5, .seed = (uint64_t)time(NULL)};
    if (!settings_read(argc, argv, &settings)) {
        (void)fprintf(stderr, "usage: crash_sale [--threads 8] [--rounds 5] [--seed N]\n"
                              "                  [--dir NEW-DIR] [--summary FILE]\n"
                              "Without --dir the store is made under TMPDIR and removed.\n");
        return 2;
    }
    char temporary[METER_PATH_BYTES];
    bool own = settings.directory == NULL;
    if (own && !meter_directory_make(temporary, "crash_sale")) {
        return 1;
    }
    if (own) {
        settings.directory = temporary;
    }
    /* An anonymous mapping takes -1 for its file; cppcheck does not know. */
    crash_findings *shared =
        /* cppcheck-suppress invalidFunctionArg */
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    bool good = shared != MAP_FAILED && rounds_run(&settings, shared);
    if (own && good) {
        meter_directory_remove(settings.directory);
    } else if (own) {
        (void)fprintf(stderr, "crash_sale: the store is left in %s\n", settings.directory);
    }
    return good ? 0 : 1;
}
