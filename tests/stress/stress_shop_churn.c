/* Do readers get whole things and right lists while everything they read is being replaced?
 *
 * Writers create products, replace them, move them between lists; place orders and take them
 * through their steps. Some products and orders stay as they are. Readers get products (name,
 * price, category, attributes all follow from one number, so a mixture shows), page through lists
 * (every page falls, nothing comes twice, what stays as it is is always there), read orders with
 * their lines and the histories of stocks (each movement begins where the one before ended).
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

#define CASE_NS (900 * NANOSECONDS_PER_MILLISECOND)
#define PRODUCTS_MAX 2000
#define STEADY 40
#define STEADY_ORDERS 60
#define STEADY_CUSTOMER 9
#define CUSTOMERS 6
#define CATEGORIES 4
#define LINES_MAX 4
#define ATTRIBUTES_MAX 900
#define STEADY_HIGH 1
#define MOVING_HIGH 2

struct run {
    cellar *store;
    char path[MODEL_PATH_BYTES];
    _Atomic int stopping;
    _Atomic uint64_t wrong;
    _Atomic uint32_t products; /* made so far, or being made */
    _Atomic uint64_t orders;
    _Atomic uint64_t changes;
    _Atomic uint64_t looks, listed;
};

struct worker {
    struct run *run;
    struct random random;
    pthread_t thread;
};

static void note_wrong(struct run *run, const char *what, uint64_t a, uint64_t b) {
    if (atomic_fetch_add(&run->wrong, 1) == 0) {
        (void)printf("# %s: %llu, %llu\n", what, (unsigned long long)a, (unsigned long long)b);
    }
}

/* ---- Things that follow from a number ---- */

struct text {
    char of[32];
};
static struct text text_of(const char *prefix, uint64_t number) {
    struct text text;

    (void)snprintf(text.of, sizeof text.of, "%s%llu", prefix, (unsigned long long)number);
    return text;
}

static const char *category_of(uint64_t number) {
    static const char *const names[CATEGORIES] = {"", "one", "two", "three"};

    return names[number % CATEGORIES];
}

static cellar_product_status status_of(uint64_t number) {
    return number % 7 == 0   ? CELLAR_PRODUCT_HIDDEN
           : number % 7 == 1 ? CELLAR_PRODUCT_DISCONTINUED
                             : CELLAR_PRODUCT_ACTIVE;
}

static uint32_t attributes_of(uint64_t number, unsigned char *buffer) {
    struct random random = {number};
    uint32_t bytes = (uint32_t)random_below(&random, ATTRIBUTES_MAX);

    random_fill(&random, buffer, bytes);
    return bytes;
}

static cellar_status put_number(struct run *run, const char *sku, uint64_t number,
                                const char *category, cellar_product_status status) {
    unsigned char attributes[ATTRIBUTES_MAX];
    struct text name = text_of("name ", number);
    const cellar_product product = {.sku = sku,
                                    .name = name.of,
                                    .category = category,
                                    .unit_price = (int64_t)number,
                                    .status = status,
                                    .attributes = attributes,
                                    .attributes_bytes = attributes_of(number, attributes)};

    return cellar_product_put(run->store, NULL, &product, CELLAR_VERSION_ANY, NULL, NULL);
}

/* What the order with this number holds. */
static size_t lines_of(uint64_t number, cellar_line lines[LINES_MAX], struct text names[LINES_MAX],
                       int64_t *total) {
    struct random random = {number};
    size_t count = 1 + random_below(&random, LINES_MAX);

    *total = 0;
    for (size_t i = 0; i < count; i++) {
        names[i] = text_of("steady-", random_below(&random, STEADY));
        lines[i] = (cellar_line){.sku = names[i].of,
                                 .quantity = 1 + (int64_t)random_below(&random, 3),
                                 .unit_price = (int64_t)random_below(&random, 1000)};
        *total += lines[i].quantity * lines[i].unit_price;
    }
    return count;
}

/* ---- Writers ---- */

static void write_product(struct run *run, struct random *random) {
    uint32_t made = atomic_load(&run->products);
    uint64_t number = 1 + random_below(random, 1000000);
    uint32_t which = made == 0 ? 0 : (uint32_t)random_below(random, made);

    if (made < PRODUCTS_MAX && random_below(random, 4) == 0) {
        which = atomic_fetch_add(&run->products, 1);
    }
    struct text sku = text_of("moving-", which);
    cellar_status status = put_number(run, sku.of, number, category_of(number), status_of(number));
    if (status != CELLAR_OK) {
        note_wrong(run, "put", status, which);
    }
}

static cellar_status place(struct run *run, cellar_id id, uint64_t customer) {
    struct text names[LINES_MAX];
    cellar_line lines[LINES_MAX];
    int64_t total;
    cellar_order_request request = {
        .id = id, .customer = customer, .lines = lines, .reference = "of the test"};

    request.line_count = lines_of(id.high * 1000000007 + id.low, lines, names, &total);
    return cellar_order_place(run->store, NULL, &request, NULL, NULL);
}

static void write_order(struct run *run, struct random *random) {
    uint64_t made = atomic_load(&run->orders);

    if (made < 10 || random_below(random, 3) == 0) {
        uint64_t number = atomic_fetch_add(&run->orders, 1);
        cellar_status status =
            place(run, (cellar_id){MOVING_HIGH, number + 1}, 1 + number % CUSTOMERS);
        if (status != CELLAR_OK) {
            note_wrong(run, "place", status, number);
        }
        return;
    }
    const cellar_id id = {MOVING_HIGH, made - random_below(random, 10)};
    cellar_status status = CELLAR_OK;
    switch (random_below(random, 3)) {
    case 0:
        status = cellar_order_pay(run->store, NULL, id, 0, NULL, NULL);
        break;
    case 1:
        status = cellar_order_fulfil(run->store, NULL, id, NULL, NULL);
        break;
    default:
        status = cellar_order_cancel(run->store, NULL, id, NULL, NULL);
        break;
    }
    if (status != CELLAR_OK && status != CELLAR_ILLEGAL_STEP && status != CELLAR_NOT_FOUND) {
        note_wrong(run, "step", status, id.low);
    }
}

static void *writer_run(void *argument) {
    struct worker *writer = argument;
    struct run *run = writer->run;

    while (atomic_load_explicit(&run->stopping, memory_order_relaxed) == 0) {
        if (random_below(&writer->random, 2) == 0) {
            write_product(run, &writer->random);
        } else {
            write_order(run, &writer->random);
        }
        atomic_fetch_add_explicit(&run->changes, 1, memory_order_relaxed);
    }
    return NULL;
}

/* ---- Readers of products ---- */

static void look_product(struct run *run, struct random *random) {
    unsigned char wanted[ATTRIBUTES_MAX];
    unsigned char told[ATTRIBUTES_MAX];
    uint32_t made = atomic_load(&run->products);
    struct text sku = text_of("moving-", random_below(random, made + 1));
    cellar_product product;

    cellar_status status = cellar_product_get(run->store, sku.of, 0, &product);
    uint64_t number = status == CELLAR_NOT_FOUND ? 0 : (uint64_t)product.unit_price;
    if (number == 0) {
        return;
    }
    struct text name = text_of("name ", number);
    uint32_t bytes = attributes_of(number, wanted);
    if (status != CELLAR_OK || strcmp(product.sku, sku.of) != 0 ||
        strcmp(product.name, name.of) != 0 || strcmp(product.category, category_of(number)) != 0 ||
        product.status != status_of(number) || product.attributes_bytes != bytes) {
        note_wrong(run, "a product is mixed up", status, number);
        return;
    }
    if (product.updated_ns < product.created_ns) {
        note_wrong(run, "updated before it was created", status, number);
    }
    status = cellar_product_attributes(run->store, &product, told, sizeof told);
    if (status == CELLAR_OK ? memcmp(told, wanted, bytes) != 0 : status != CELLAR_VERSION_CHANGED) {
        note_wrong(run, "attributes", status, number);
    }
}

/* Pages through a list. How many steady ones are in it? */
static uint64_t look_product_pages(struct run *run, struct random *random,
                                   cellar_product_query query) {
    cellar_product_summary page[60];
    uint64_t steady = 0;
    uint64_t last = UINT64_MAX;
    size_t capacity;
    size_t count;

    do {
        capacity = 1 + random_below(random, 60);
        cellar_status status = cellar_product_list(run->store, &query, page, capacity, &count);
        if (status != CELLAR_OK) {
            note_wrong(run, "product list", status, 0);
            return 0;
        }
        for (size_t i = 0; i < count; i++) {
            struct text name = text_of("name ", (uint64_t)page[i].unit_price);
            if (page[i].id >= last || strcmp(page[i].name, name.of) != 0 ||
                (query.category == NULL && page[i].status != query.status)) {
                note_wrong(run, "entry of a product list", page[i].id, last);
            }
            last = page[i].id;
            steady += strncmp(page[i].sku, "steady", 6) == 0;
        }
        query.before = last;
        atomic_fetch_add_explicit(&run->listed, count, memory_order_relaxed);
    } while (count == capacity);
    return steady;
}

static void look_product_list(struct run *run, struct random *random) {
    uint32_t which = (uint32_t)random_below(random, 3 + CATEGORIES);
    cellar_product_query query = {.category = which < 3 ? NULL : category_of(which - 3)};
    uint64_t wanted = which == CELLAR_PRODUCT_ACTIVE ? STEADY : 0;

    query.status = (cellar_product_status)which;
    if (which == 3) {
        query.category = "steady";
        wanted = STEADY;
    }
    uint64_t steady = look_product_pages(run, random, query);
    if (steady != wanted) {
        note_wrong(run, "steady products of a list", which, steady);
    }
}

/* ---- Readers of orders ---- */

static void look_at_order(struct run *run, const cellar_order *order,
                          const cellar_order_line *lines, size_t capacity) {
    struct text names[LINES_MAX];
    cellar_line wanted[LINES_MAX];
    int64_t total;
    size_t count = lines_of(order->id.high * 1000000007 + order->id.low, wanted, names, &total);
    bool right = order->total == total && order->line_count == count &&
                 order->version >= order->placed_lsn && order->account == 0 &&
                 strcmp(order->reference, "of the test") == 0;

    for (size_t i = 0; i < count && i < capacity; i++) {
        right = right && lines[i].quantity == wanted[i].quantity &&
                lines[i].unit_price == wanted[i].unit_price && lines[i].product != 0;
    }
    if (!right) {
        note_wrong(run, "an order is mixed up", order->id.low, (uint64_t)order->total);
    }
}

static void look_order(struct run *run, struct random *random) {
    const cellar_id id = {MOVING_HIGH, 1 + random_below(random, atomic_load(&run->orders) + 1)};
    cellar_order_line lines[LINES_MAX];
    cellar_order order;

    cellar_status status = cellar_order_get(run->store, id, &order, lines, LINES_MAX);
    if (status == CELLAR_OK) {
        look_at_order(run, &order, lines, LINES_MAX);
    } else if (status != CELLAR_NOT_FOUND) {
        note_wrong(run, "order", status, id.low);
    }
}

/* Pages through a list. How many steady ones are in it? UINT64_MAX: stopped before its end. */
static uint64_t look_order_pages(struct run *run, struct random *random, cellar_order_query query) {
    cellar_order page[40];
    cellar_order_line lines[40 * LINES_MAX];
    uint64_t steady = 0;
    uint64_t last = UINT64_MAX;
    size_t count;

    do {
        size_t capacity = 1 + random_below(random, 40);
        cellar_status status = cellar_order_list(run->store, &query, page, capacity, &count, lines,
                                                 sizeof lines / sizeof *lines);
        if (status != CELLAR_OK) {
            note_wrong(run, "order list", status, query.before.low);
            return 0;
        }
        size_t at = 0;
        for (size_t i = 0; i < count; i++) {
            look_at_order(run, &page[i], lines + at, LINES_MAX);
            at += page[i].line_count;
            bool fits = query.customer != 0 ? page[i].customer == query.customer
                                            : page[i].state == query.state;
            if (page[i].placed_lsn >= last || !fits) {
                note_wrong(run, "entry of an order list", page[i].id.low, query.customer);
            }
            last = page[i].placed_lsn;
            steady += page[i].id.high == STEADY_HIGH;
            query.before = page[i].id;
        }
        atomic_fetch_add_explicit(&run->listed, count, memory_order_relaxed);
    } while (count > 0 && atomic_load_explicit(&run->stopping, memory_order_relaxed) == 0);
    return count > 0 ? UINT64_MAX : steady;
}

static void look_order_list(struct run *run, struct random *random) {
    cellar_order_query query = {.state = CELLAR_ORDER_PLACED};
    uint64_t wanted = STEADY_ORDERS;

    switch (random_below(random, 4)) {
    case 0:
        query.customer = STEADY_CUSTOMER;
        break;
    case 1:
        query.customer = 1 + random_below(random, CUSTOMERS);
        wanted = 0;
        break;
    case 2:
        query.state = (cellar_order_state)(CELLAR_ORDER_PAID + random_below(random, 3));
        wanted = 0;
        break;
    default:
        break;
    }
    uint64_t steady = look_order_pages(run, random, query);
    if (steady != wanted && steady != UINT64_MAX) {
        note_wrong(run, "steady orders of a list", query.customer, steady);
    }
}

/* ---- Readers of histories ---- */

static void look_history(struct run *run, struct random *random) {
    struct text sku = text_of("steady-", random_below(random, STEADY));
    const cellar_line line = {.sku = sku.of};
    cellar_movement page[30];
    uint64_t before = 0;
    uint64_t last = UINT64_MAX;
    int64_t next = 0;
    size_t count = 0;

    for (int pages = 0; pages < 5; pages++) {
        cellar_status status = cellar_stock_history(run->store, &line, before, page, 30, &count);
        if (status != CELLAR_OK || count == 0) {
            if (status != CELLAR_OK) {
                note_wrong(run, "history", status, before);
            }
            return;
        }
        for (size_t i = 0; i < count; i++) {
            if (page[i].lsn >= last || (last != UINT64_MAX && page[i].available != next)) {
                note_wrong(run, "a movement does not begin where the one before ended", last,
                           page[i].lsn);
            }
            last = page[i].lsn;
            next = page[i].available - page[i].change;
        }
        before = last;
    }
}

static void *reader_run(void *argument) {
    struct worker *reader = argument;
    struct run *run = reader->run;
    uint64_t which = 0;

    while (atomic_load_explicit(&run->stopping, memory_order_relaxed) == 0) {
        switch (which++ % 5) {
        case 0:
            look_product_list(run, &reader->random);
            break;
        case 1:
            look_order_list(run, &reader->random);
            break;
        case 2:
            look_history(run, &reader->random);
            break;
        default:
            for (int i = 0; i < 20; i++) {
                look_product(run, &reader->random);
                look_order(run, &reader->random);
            }
            break;
        }
        atomic_fetch_add_explicit(&run->looks, 1, memory_order_relaxed);
    }
    return NULL;
}

/* ---- One case ---- */

static void run_prepare(struct run *run) {
    for (uint64_t i = 0; i < STEADY; i++) {
        struct text sku = text_of("steady-", i);
        const cellar_line line = {.sku = sku.of, .quantity = 100000000};
        const cellar_stock_change change = {.lines = &line, .line_count = 1};
        cellar_status status = put_number(run, sku.of, i + 1, "steady", CELLAR_PRODUCT_ACTIVE);
        ASSERT(status == CELLAR_OK);
        status = cellar_stock_receive(run->store, NULL, &change, NULL, NULL);
        ASSERT(status == CELLAR_OK);
        /* Between moving ones. */
        struct random random = {i};
        write_product(run, &random);
    }
    for (uint64_t i = 1; i <= STEADY_ORDERS; i++) {
        cellar_status status = place(run, (cellar_id){STEADY_HIGH, i}, STEADY_CUSTOMER);
        ASSERT(status == CELLAR_OK);
    }
    cellar_statistics statistics;
    (void)cellar_statistics_get(run->store, &statistics);
    cellar_status status = cellar_wait_listed(run->store, statistics.reserved_lsn - 64, -1);
    ASSERT(status == CELLAR_OK);
}

static bool run_case(int number, uint64_t seed, uint32_t writers, uint32_t readers,
                     uint64_t ring_bytes, bool chaotic) {
    struct run run = {.stopping = 0};
    struct worker workers[32];
    cellar_audit audit;

    model_files_path(run.path, "shop-churn");
    run.store = model_files_open(run.path, ring_bytes, false, false);
    run_prepare(&run);
    if (chaotic) {
        chaos_start(64, 0);
    }
    for (uint32_t i = 0; i < writers + readers; i++) {
        workers[i] = (struct worker){.run = &run, .random = {seed + i * UINT64_C(86028121)}};
        int failed = pthread_create(&workers[i].thread, NULL, i < writers ? writer_run : reader_run,
                                    &workers[i]);
        ASSERT(failed == 0);
    }
    clock_sleep_ns((int64_t)(CASE_NS * model_files_stress()));
    atomic_store(&run.stopping, 1);
    for (uint32_t i = 0; i < writers + readers; i++) {
        pthread_join(workers[i].thread, NULL);
    }
    chaos_stop();
    cellar_status status = cellar_audit_run(run.store, &audit);
    if (status == CELLAR_OK && audit.violations != 0) {
        note_wrong(&run, audit.first_violation, 0, 0);
    }
    bool right = status == CELLAR_OK && run.wrong == 0 && run.looks > 0;
    model_files_close(run.store);
    model_files_remove(run.path);
    (void)printf("%s %d - %u writers, %u readers%s: %llu changes, %u products, %llu orders, %llu "
                 "looks, %llu entries\n",
                 right ? "ok" : "not ok", number, writers, readers, chaotic ? ", chaos" : "",
                 (unsigned long long)run.changes, run.products, (unsigned long long)run.orders,
                 (unsigned long long)run.looks, (unsigned long long)run.listed);
    (void)fflush(stdout);
    return right;
}

int main(void) {
    uint64_t seed = random_seed_of_run();

    (void)printf("1..4\n");
    bool right = run_case(1, seed, 1, 1, 0, false);
    right = run_case(2, seed, 2, 4, 0, false) && right;
    right = run_case(3, seed, 4, 16, UINT64_C(1) << 20, false) && right;
    right = run_case(4, seed, 8, 8, 0, true) && right;
    return right ? 0 : 1;
}
