/* Is everything that was acknowledged there after the power was cut, or the store was closed, in
 * the middle of the calls of several threads, and nothing that was never asked for? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/shop.h"

#include "base/clock.h"
#include "support/random.h"

#include <pthread.h>
#include <string.h>
#include <unistd.h>

#define SELLERS 4
#ifdef __SANITIZE_THREAD__
#define CUTS 4
#define CLOSINGS 3
#else
#define CUTS 15
#define CLOSINGS 6
#endif
#define UNITS 1000000

static uint64_t seed;

/* Each seller has an account and a product of its own, and sells units of a common one. `asked` is
 * raised before a call, `acknowledged` after it: what is there must lie between. */
struct seller {
    struct shop *shop;
    uint64_t number;
    _Atomic int64_t asked;
    _Atomic int64_t acknowledged;
    char own[SHOP_NAME_BYTES];
    cellar_status status;
    pthread_t thread;
};

static struct seller sellers[SELLERS];
static _Atomic uint32_t stopping;

/* One order a round: a common unit and one of its own, for 2 from its account. */
static void *seller_run(void *argument) {
    struct seller *seller = argument;
    for (uint64_t round = 1; ATOMIC_LOAD(&stopping, acquire) == 0; round++) {
        cellar_line lines[2] = {shop_line("common", 0, 1, 1), shop_line(seller->own, 0, 1, 1)};
        cellar_order_request request = shop_order_request((seller->number << 32) + round, lines, 2);
        request.state = CELLAR_ORDER_PAID;
        request.account = seller->number;
        ATOMIC_ADD(&seller->asked, 1, seq_cst);
        seller->status = cellar_order_place(seller->shop->store, NULL, &request, NULL, NULL);
        if (seller->status != CELLAR_OK) {
            return NULL;
        }
        ATOMIC_ADD(&seller->acknowledged, 1, seq_cst);
    }
    return NULL;
}

static void start(struct shop *shop) {
    ATOMIC_STORE(&stopping, 0, release);
    for (uint64_t i = 0; i < SELLERS; i++) {
        sellers[i].shop = shop;
        assert_int_equal(pthread_create(&sellers[i].thread, NULL, seller_run, &sellers[i]), 0);
    }
}

static void join(void) {
    for (int i = 0; i < SELLERS; i++) {
        assert_int_equal(pthread_join(sellers[i].thread, NULL), 0);
    }
}

/* What is there lies between what was acknowledged before and what was asked for until after. */
static void check_between(struct shop *shop, const int64_t *before, const int64_t *after) {
    int64_t sum = 0;
    shop_settle(shop);
    for (int i = 0; i < SELLERS; i++) {
        int64_t sold = UNITS - shop_available(shop, sellers[i].own, 0);
        assert_in_range(sold, before[i], after[i]);
        assert_int_equal(shop_balance(shop, sellers[i].number), UNITS - 2 * sold);
        assert_int_equal(shop_stock(shop, sellers[i].own, 0).reserved, sold);
        cellar_order order;
        for (int64_t round = sold - 1; round <= sold + 1; round++) {
            cellar_id id = shop_id((sellers[i].number << 32) + (uint64_t)round);
            cellar_status status = cellar_order_get(shop->store, id, &order, NULL, 0);
            assert_int_equal(status, round >= 1 && round <= sold ? CELLAR_OK : CELLAR_NOT_FOUND);
        }
        sum += sold;
    }
    assert_int_equal(UNITS - shop_available(shop, "common", 0), sum);
    assert_int_equal(shop_audit(shop).totals.orders[CELLAR_ORDER_PAID], sum);
}

static void read_acknowledged(int64_t out[SELLERS]) {
    for (int i = 0; i < SELLERS; i++) {
        out[i] = ATOMIC_LOAD(&sellers[i].acknowledged, seq_cst);
    }
}

static void read_asked(int64_t out[SELLERS]) {
    for (int i = 0; i < SELLERS; i++) {
        out[i] = ATOMIC_LOAD(&sellers[i].asked, seq_cst);
    }
}

static void fill(struct shop *shop) {
    memset(sellers, 0, sizeof sellers);
    shop_goods(shop, "common", UNITS);
    for (uint64_t i = 0; i < SELLERS; i++) {
        sellers[i].number = i + 1;
        shop_goods(shop, shop_name(sellers[i].own, "own%d", (int)i), UNITS);
        shop_account(shop, i + 1, 0, UNITS);
    }
    shop_settle(shop);
}

static bool keep_some(void *context, uint64_t item) {
    (void)item;
    return random_below(context, 2) == 0;
}

static void open_copy(struct shop *copy, const struct shop *shop, struct memory_disk *disk) {
    *copy = (struct shop){.config = shop->config, .options = shop->options, .disk = disk};
    strcpy(copy->directory, shop->directory);
    copy->config.directory = copy->directory;
    copy->config.clock_context = copy;
    copy->config.report_context = copy;
    copy->options.io = memory_disk_io(disk);
    ATOMIC_STORE(&copy->now_ns, ATOMIC_LOAD(&shop->now_ns, relaxed), relaxed);
    shop_open(copy);
}

static void test_power_cuts(void **unused) {
    struct shop shop;
    struct shop copy;
    struct random random = {.state = seed};
    int64_t before[SELLERS];
    int64_t after[SELLERS];
    (void)unused;
    shop_prepare(&shop);
    shop.config.ring_bytes = 64 << 10;
    shop.config.durability = CELLAR_DURABLE;
    shop.config.orders_max = 1 << 20;
    shop_open(&shop);
    fill(&shop);
    start(&shop);
    for (int i = 0; i < CUTS; i++) {
        clock_sleep_ns((int64_t)random_below(&random, 8 * NANOSECONDS_PER_MILLISECOND));
        read_acknowledged(before);
        struct memory_disk *cut =
            memory_disk_power_cut(shop.disk, i % 3 == 0 ? NULL : keep_some, &random);
        read_asked(after);
        open_copy(&copy, &shop, cut);
        check_between(&copy, before, after);
        shop_abandon(&copy);
    }
    ATOMIC_STORE(&stopping, 1, release);
    join();
    read_acknowledged(before);
    check_between(&shop, before, before);
    shop_close(&shop);
    shop_abandon(&shop);
}

/* Closing ends the calls of all threads with CLOSED, and nothing is lost, though nobody had waited
 * for the disk. */
static void test_closing_under_load(void **unused) {
    struct shop shop;
    int64_t acknowledged[SELLERS];
    struct random random = {.state = seed};
    (void)unused;
    shop_prepare(&shop);
    shop.config.ring_bytes = 64 << 10;
    shop.config.orders_max = 1 << 20;
    for (int i = 0; i < CLOSINGS; i++) {
        shop_open(&shop);
        fill(&shop);
        start(&shop);
        clock_sleep_ns((int64_t)random_below(&random, 4 * NANOSECONDS_PER_MILLISECOND));
        /* The handle must outlive the calls: a caller that has been told CLOSED comes no more. */
        ATOMIC_STORE(&shop.store->closing, 1, seq_cst);
        join();
        ATOMIC_STORE(&shop.store->closing, 0, seq_cst);
        shop_close(&shop);
        for (int k = 0; k < SELLERS; k++) {
            assert_int_equal(sellers[k].status, CELLAR_CLOSED);
        }
        struct memory_disk *cut = memory_disk_power_cut(shop.disk, NULL, NULL);
        memory_disk_destroy(shop.disk);
        shop.disk = cut;
        shop.options.io = memory_disk_io(cut);
        shop_open(&shop);
        read_acknowledged(acknowledged);
        check_between(&shop, acknowledged, acknowledged);
        shop_close(&shop);
        memory_disk_destroy(shop.disk);
        shop.disk = memory_disk_create();
        shop.options.io = memory_disk_io(shop.disk);
    }
    shop_abandon(&shop);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_power_cuts),
        cmocka_unit_test(test_closing_under_load),
    };
    seed = random_seed_of_run();
    (void)alarm(280);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
