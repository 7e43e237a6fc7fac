/* A fixed number of calls of one kind, on one thread: what run.py counts the instructions of.
 *
 *     cellar-counts KIND CALLS DIRECTORY
 *
 * Makes a store in the directory, puts products, accounts and a campaign into it, makes the calls,
 * relaxed, and closes the store. Everything but the number of calls is the same from run to run, so
 * that the difference of two runs is the cost of the calls alone. The kind "recovery" opens the
 * store once more. */
#include "cellar.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PRODUCTS 1024
#define LINES 3
#define UNITS INT64_C(1000000000)
#define PRICE 100
#define ACCOUNTS 256
#define ACCOUNT_FUNDS INT64_C(1000000000000)
#define CAMPAIGN 1
#define CODE "SPRING"
#define SKU_BYTES 16
/* Enough for any number of calls that is counted, and little address space: valgrind has not
 * much. */
#define OBJECTS_MAX (1u << 20)

struct counts {
    cellar *store;
    cellar_config config;
    char skus[PRODUCTS][SKU_BYTES];
    uint64_t products[PRODUCTS];
};

static const cellar_call relaxed = {.durability = CELLAR_RELAXED};

static void must(cellar_status status, const char *what) {
    if (status != CELLAR_OK) {
        fprintf(stderr, "cellar-counts: %s: %s\n", what, cellar_status_name(status));
        exit(EXIT_FAILURE);
    }
}

/* ---- The calls ---- */

static void take(struct counts *counts, uint64_t number) {
    cellar_line line = {.product = counts->products[number % PRODUCTS], .quantity = 1};
    cellar_ticket ticket;
    must(cellar_stock_take(counts->store, &relaxed, &line, &ticket, NULL), "take");
}

static void adjust(struct counts *counts, uint64_t number) {
    cellar_line line = {.product = counts->products[number % PRODUCTS], .quantity = -1};
    cellar_stock_change change = {.lines = &line, .line_count = 1};
    cellar_ticket ticket;
    must(cellar_stock_adjust(counts->store, &relaxed, &change, &ticket, NULL), "adjust");
}

static void lines_fill(const struct counts *counts, cellar_line *lines, uint64_t number) {
    for (uint32_t i = 0; i < LINES; i++) {
        /* Strides without a factor in common with the number of products. */
        lines[i] = (cellar_line){.sku = counts->skus[(number * 7 + i * 331) % PRODUCTS],
                                 .quantity = 1,
                                 .unit_price = PRICE};
    }
}

static void order_with(struct counts *counts, uint64_t number, uint64_t account) {
    cellar_line lines[LINES];
    lines_fill(counts, lines, number);
    cellar_order_request request = {.id = {1, number + 1},
                                    .customer = 1 + number % ACCOUNTS,
                                    .lines = lines,
                                    .line_count = LINES,
                                    .state = account != 0 ? CELLAR_ORDER_PAID : 0,
                                    .account = account};
    cellar_ticket ticket;
    must(cellar_order_place(counts->store, &relaxed, &request, &ticket, NULL), "order");
}

static void order(struct counts *counts, uint64_t number) {
    order_with(counts, number, 0);
}

static void paid_order(struct counts *counts, uint64_t number) {
    order_with(counts, number, 1 + number % ACCOUNTS);
}

static void claim(struct counts *counts, uint64_t number) {
    cellar_ticket ticket;
    must(cellar_coupon_claim(counts->store, &relaxed, (cellar_id){0, 0}, CAMPAIGN, number + 1,
                             &ticket, NULL),
         "claim");
}

static void redeem(struct counts *counts, uint64_t number) {
    cellar_line lines[LINES];
    lines_fill(counts, lines, number);
    const cellar_redemption redemption = {.code = CODE, .lines = lines, .line_count = LINES};
    int64_t discounts[LINES];
    cellar_ticket ticket;
    must(cellar_coupon_redeem(counts->store, &relaxed, &redemption, discounts, &ticket, NULL),
         "redeem");
}

static void product_get(struct counts *counts, uint64_t number) {
    cellar_product product;
    must(cellar_product_get(counts->store, counts->skus[number % PRODUCTS], 0, &product), "get");
}

static void stock_get(struct counts *counts, uint64_t number) {
    cellar_line line = {.sku = counts->skus[number % PRODUCTS]};
    cellar_stock stock;
    must(cellar_stock_get(counts->store, &line, &stock), "stock get");
}

static const struct kind {
    const char *name;
    void (*call)(struct counts *counts, uint64_t number);
    bool again; /* the store is opened once more */
} kinds[] = {
    {"take", take, false},
    {"adjust", adjust, false},
    {"order", order, false},
    {"paid-order", paid_order, false},
    {"claim", claim, false},
    {"redeem", redeem, false},
    {"product-get", product_get, false},
    {"stock-get", stock_get, false},
    {"recovery", order, true},
};

/* ---- The store ---- */

static void store_open(struct counts *counts) {
    cellar_problem problem = {0};
    cellar_status status = cellar_open(&counts->config, &counts->store, &problem);
    if (status != CELLAR_OK) {
        must(status, problem.text);
    }
}

static void store_fill(struct counts *counts) {
    cellar_line lines[PRODUCTS];
    cellar_ticket ticket;

    for (uint32_t i = 0; i < PRODUCTS; i++) {
        snprintf(counts->skus[i], SKU_BYTES, "SKU-%08u", i);
        cellar_product product = {
            .sku = counts->skus[i], .name = "Something to sell", .unit_price = PRICE};
        must(cellar_product_put(counts->store, &relaxed, &product, CELLAR_VERSION_ABSENT, &ticket,
                                NULL),
             "product");
        counts->products[i] = ticket.object;
        lines[i] = (cellar_line){.product = ticket.object, .quantity = UNITS};
    }
    cellar_stock_change change = {.lines = lines, .line_count = PRODUCTS};
    must(cellar_stock_receive(counts->store, &relaxed, &change, &ticket, NULL), "receive");
    for (uint64_t account = 1; account <= ACCOUNTS; account++) {
        must(cellar_account_open(counts->store, &relaxed, account, 0, &ticket, NULL), "account");
        must(cellar_account_credit(counts->store, &relaxed, (cellar_id){0, 0}, account,
                                   ACCOUNT_FUNDS, &ticket, NULL),
             "credit");
    }
    cellar_campaign campaign = {.id = CAMPAIGN,
                                .name = "bench",
                                .quota = UNITS,
                                .discount = {.kind = CELLAR_DISCOUNT_PERCENT, .value = 1000}};
    must(cellar_campaign_put(counts->store, &relaxed, &campaign, CELLAR_VERSION_ABSENT, &ticket,
                             NULL),
         "campaign");
    must(cellar_code_add(counts->store, &relaxed, CAMPAIGN, CODE, UNITS, &ticket, NULL), "code");
    must(cellar_wait_listed(counts->store, ticket.lsn, -1), "wait");
}

int main(int argc, char **argv) {
    static struct counts counts;
    const struct kind *kind = NULL;

    for (size_t i = 0; argc == 4 && i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(kinds[i].name, argv[1]) == 0) {
            kind = &kinds[i];
        }
    }
    if (kind == NULL) {
        fprintf(stderr, "usage: cellar-counts KIND CALLS DIRECTORY\n");
        return 2;
    }
    counts.config = (cellar_config){.size = sizeof counts.config,
                                    .directory = argv[3],
                                    .ring_bytes = UINT64_C(4) << 20,
                                    .products_max = 2 * PRODUCTS,
                                    .stocks_max = 2 * PRODUCTS,
                                    .accounts_max = OBJECTS_MAX,
                                    .orders_max = OBJECTS_MAX,
                                    .grants_max = OBJECTS_MAX};
    uint64_t calls = strtoull(argv[2], NULL, 10);
    store_open(&counts);
    store_fill(&counts);
    for (uint64_t i = 0; i < calls; i++) {
        kind->call(&counts, i);
    }
    must(cellar_close(counts.store), "close");
    if (kind->again) {
        store_open(&counts);
        must(cellar_close(counts.store), "close");
    }
    return 0;
}
