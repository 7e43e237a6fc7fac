/* Is nothing oversold, made or lost while several threads sell, order, cancel, return, move and pay
 * at once, in a ring so small that it is used over and over, under the eyes of audits and
 * snapshots? */
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
#define ROUNDS 1500
#define SKUS 6
#define UNITS 400
#define MONEY 1000000

static uint64_t seed;
static char skus[SKUS][SHOP_NAME_BYTES];

/* What one seller has done, as the answers said. */
struct seller {
    struct shop *shop;
    uint64_t number;
    struct random random;
    int64_t taken, ordered, returned, spent, refunded;
    uint64_t orders;
    const char *wrong;
    pthread_t thread;
};

static _Atomic uint32_t sellers_at_work;

static bool is_refusal_of_stock(cellar_status status, const cellar_refusal *refusal) {
    return status == CELLAR_OUT_OF_STOCK && refusal->needed > refusal->available &&
           refusal->available >= 0;
}

static void seller_take(struct seller *seller, const cellar_line *line) {
    cellar_refusal refusal;
    cellar_status status = cellar_stock_take(seller->shop->store, NULL, line, NULL, &refusal);
    if (status == CELLAR_OK) {
        seller->taken += line->quantity;
    } else if (!is_refusal_of_stock(status, &refusal)) {
        seller->wrong = "take";
    }
}

static void seller_move(struct seller *seller, cellar_line line) {
    cellar_refusal refusal;
    uint32_t to = 1 - line.location;
    cellar_id none = {0, 0};
    cellar_status status =
        cellar_stock_move(seller->shop->store, NULL, none, &line, to, NULL, &refusal);
    if (status != CELLAR_OK && !is_refusal_of_stock(status, &refusal)) {
        seller->wrong = "move";
    }
}

/* Places an order of three lines, pays it from the seller's account, and often cancels it. */
static void seller_order(struct seller *seller, const cellar_line *first) {
    cellar *store = seller->shop->store;
    cellar_line lines[3] = {*first, *first, *first};
    cellar_refusal refusal;
    cellar_ticket ticket;
    lines[1].sku = skus[random_below(&seller->random, SKUS)];
    uint64_t id = seller->number * 1000000 + ++seller->orders;
    cellar_order_request request = shop_order_request(id, lines, 3);
    request.customer = seller->number;
    cellar_status status = cellar_order_place(store, NULL, &request, &ticket, &refusal);
    if (status != CELLAR_OK) {
        seller->wrong = is_refusal_of_stock(status, &refusal) ? seller->wrong : "place";
        return;
    }
    int64_t units = 3 * first->quantity;
    bool paid = random_below(&seller->random, 2) == 0;
    seller->ordered += units;
    if (paid) {
        status = cellar_order_pay(store, NULL, request.id, seller->number, NULL, NULL);
        seller->spent += units;
        seller->wrong = status == CELLAR_OK ? seller->wrong : "pay";
    }
    if (random_below(&seller->random, 2) == 0) {
        status = cellar_order_cancel(store, NULL, request.id, NULL, NULL);
        seller->ordered -= units;
        seller->refunded += paid ? units : 0;
        seller->wrong = status == CELLAR_OK ? seller->wrong : "cancel";
    } else if (paid && random_below(&seller->random, 2) == 0) {
        status = cellar_order_fulfil(store, NULL, request.id, NULL, NULL);
        seller->wrong = status == CELLAR_OK ? seller->wrong : "fulfil";
    }
}

static void seller_return(struct seller *seller, const cellar_line *line) {
    uint64_t id = seller->number * 1000000 + ++seller->orders;
    cellar_order_request request = shop_order_request(id, line, 1);
    bool damaged = random_below(&seller->random, 2) == 0;
    if (cellar_order_return(seller->shop->store, NULL, &request, damaged, NULL, NULL) !=
        CELLAR_OK) {
        seller->wrong = "return";
    }
    seller->returned += line->quantity;
}

static void seller_transfer(struct seller *seller) {
    uint64_t to = 1 + random_below(&seller->random, SELLERS);
    if (to != seller->number &&
        cellar_account_transfer(seller->shop->store, NULL, (cellar_id){0, 0}, seller->number, to, 1,
                                NULL, NULL) != CELLAR_OK) {
        seller->wrong = "transfer";
    }
}

static void *seller_run(void *argument) {
    struct seller *seller = argument;
    for (int i = 0; i < ROUNDS && seller->wrong == NULL; i++) {
        cellar_line line = shop_line(skus[random_below(&seller->random, SKUS)],
                                     (uint32_t)random_below(&seller->random, 2),
                                     1 + (int64_t)random_below(&seller->random, 3), 1);
        switch (random_below(&seller->random, 8)) {
        case 0:
            seller_take(seller, &line);
            break;
        case 1:
            seller_return(seller, &line);
            break;
        case 2:
            seller_transfer(seller);
            break;
        case 3:
        case 4:
            seller_move(seller, line);
            break;
        default:
            seller_order(seller, &line);
            break;
        }
    }
    ATOMIC_SUB(&sellers_at_work, 1, release);
    return NULL;
}

/* Audits while the others sell, and looks at the accounts, of which no move changes the sum. */
static void *auditor_run(void *argument) {
    struct seller *auditor = argument;
    cellar *store = auditor->shop->store;
    uint64_t before = 0;
    while (ATOMIC_LOAD(&sellers_at_work, acquire) != 0 && auditor->wrong == NULL) {
        cellar_audit audit;
        if (cellar_audit_run(store, &audit) != CELLAR_OK || audit.violations != 0) {
            auditor->wrong = "audit";
        } else if (audit.totals.lsn < before) {
            auditor->wrong = "an audit of an earlier instant";
        }
        before = audit.totals.lsn;
        auditor->orders++;
    }
    return NULL;
}

static void fill(struct shop *shop) {
    for (int i = 0; i < SKUS; i++) {
        shop_goods(shop, shop_name(skus[i], "sku%d", i), UNITS);
        shop_receive(shop, skus[i], 1, UNITS);
    }
    for (uint64_t i = 1; i <= SELLERS; i++) {
        shop_account(shop, i, 0, MONEY);
    }
}

static void check(struct shop *shop, const struct seller *sellers) {
    int64_t taken = 0;
    int64_t ordered = 0;
    int64_t returned = 0;
    int64_t spent = 0;
    uint64_t orders = 0;
    for (int i = 0; i < SELLERS; i++) {
        if (sellers[i].wrong != NULL) {
            fail_msg("seller %d: %s", i + 1, sellers[i].wrong);
        }
        taken += sellers[i].taken;
        ordered += sellers[i].ordered;
        returned += sellers[i].returned;
        spent += sellers[i].spent - sellers[i].refunded;
        orders += sellers[i].orders;
    }
    cellar_totals totals = shop_audit(shop).totals;
    assert_int_equal(totals.units_received, 2 * SKUS * UNITS);
    assert_int_equal(totals.units_taken, taken);
    assert_int_equal(totals.units_ordered, ordered);
    assert_int_equal(totals.units_returned, returned);
    assert_int_equal(totals.units_available + totals.units_unsellable + taken + ordered - returned,
                     2 * SKUS * UNITS);
    assert_int_equal(totals.balances, SELLERS * MONEY - spent);
    assert_true(orders > 100);
    assert_true(ordered > 100);
}

static void sell(bool oracle) {
    struct shop shop;
    struct seller sellers[SELLERS + 1];
    shop_prepare(&shop);
    shop.config.ring_bytes = 64 << 10;
    shop.options.oracle = oracle;
    shop_open(&shop);
    fill(&shop);
    memset(sellers, 0, sizeof sellers);
    ATOMIC_STORE(&sellers_at_work, SELLERS, release);
    for (uint64_t i = 0; i <= SELLERS; i++) {
        sellers[i].shop = &shop;
        sellers[i].number = i + 1;
        sellers[i].random.state = seed + i;
        assert_int_equal(pthread_create(&sellers[i].thread, NULL,
                                        i == SELLERS ? auditor_run : seller_run, &sellers[i]),
                         0);
    }
    for (int i = 0; i <= SELLERS; i++) {
        assert_int_equal(pthread_join(sellers[i].thread, NULL), 0);
    }
    if (sellers[SELLERS].wrong != NULL) {
        fail_msg("auditor: %s", sellers[SELLERS].wrong);
    }
    assert_true(sellers[SELLERS].orders > 0);
    check(&shop, sellers);
    cellar_statistics statistics;
    assert_int_equal(cellar_statistics_get(shop.store, &statistics), CELLAR_OK);
    assert_true(statistics.reclaimed_lsn > 10 * (64 << 10));
    shop_finish(&shop);
}

static void test_lock_free(void **unused) {
    (void)unused;
    sell(false);
}

static void test_oracle(void **unused) {
    (void)unused;
    sell(true);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lock_free),
        cmocka_unit_test(test_oracle),
    };
    seed = random_seed_of_run();
    (void)alarm(280);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
