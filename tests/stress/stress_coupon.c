/* Do 300 threads get exactly the coupons there are: numbers 1 to the last each once, nobody more
 * than he may have, and of those that were not revoked exactly min(quota, claims) granted?
 *
 * Threads claim for customers drawn at random, many of them drawn again and again, so that several
 * threads claim for one customer at the same time. In some cases claims beyond the quota wait; in
 * some, threads revoke what they have just got, and redeem or restore, under a budget; in all, an
 * operator puts the campaign with other quotas meanwhile when told to. In the end the books of the
 * threads, the campaign, the list of its claims and the audit must agree, before and after the
 * store is opened again.
 *
 * SEED= repeats the random choices, STRESS=n claims n times as often. */
#include "cellar.h"

#include "base/assert.h"
#include "base/clock.h"
#include "support/chaos.h"
#include "support/model_files.h"
#include "support/random.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define CLAIMS 6000
#define QUOTA 200
#else
#define CLAIMS 50000
#define QUOTA 1000
#endif
#define CAMPAIGN 1
#define DISCOUNT 10
#define PERIOD_NS (366 * INT64_C(86400000000000))

struct scene {
    const char *name;
    uint32_t threads;
    int64_t waitlist;
    uint32_t customer_limit;
    uint32_t period_max; /* of them in a period that does not end meanwhile; 0: no cap */
    bool revokes;
    bool redeems;
    bool puts;
    bool chaos;
    bool oracle;
};

struct run {
    const struct scene *scene;
    cellar *store;
    char path[MODEL_PATH_BYTES];
    uint64_t seed;
    uint64_t claims;    /* of one thread */
    uint64_t customers; /* 1 to this */
    pthread_barrier_t start;
};

/* What one thread was told. */
struct got {
    uint64_t customer;
    uint64_t rank;
    bool revoked;
};

struct teller {
    struct run *run;
    struct random random;
    struct got *got;
    size_t count;
    int64_t spent;
    uint64_t refused;
    uint32_t wrong;
    pthread_t thread;
};

static cellar_campaign campaign_of(const struct run *run, int64_t quota) {
    return (cellar_campaign){.id = CAMPAIGN,
                             .quota = quota,
                             .customer_limit = run->scene->customer_limit,
                             .waitlist_max = run->scene->waitlist,
                             .customer_period_ns = run->scene->period_max == 0 ? 0 : PERIOD_NS,
                             .customer_period_count = run->scene->period_max,
                             .budget = QUOTA / 2 * DISCOUNT,
                             .restore_on_cancel = true,
                             .discount = {.kind = CELLAR_DISCOUNT_AMOUNT, .value = DISCOUNT}};
}

/* ---- Threads ---- */

/* Its coupon of this number among the customer's few: which one is not told by the ticket. */
static bool teller_find(struct teller *teller, uint64_t customer, uint64_t rank,
                        cellar_coupon *coupon) {
    for (uint32_t ordinal = 0; ordinal < teller->run->scene->customer_limit; ordinal++) {
        cellar_status status =
            cellar_coupon_get(teller->run->store, CAMPAIGN, customer, ordinal, coupon);
        if (status == CELLAR_OK && coupon->rank == rank) {
            return true;
        }
    }
    return false;
}

static void teller_revoke(struct teller *teller, struct got *got) {
    cellar_coupon coupon;
    if (!teller_find(teller, got->customer, got->rank, &coupon)) {
        teller->wrong++;
        return;
    }
    cellar_status status = cellar_coupon_revoke(teller->run->store, NULL, CAMPAIGN, got->customer,
                                                coupon.ordinal, NULL, NULL);
    got->revoked = status == CELLAR_OK;
    teller->wrong += status != CELLAR_OK && status != CELLAR_ALREADY_REDEEMED;
}

/* Redeems any coupon of the customer, and perhaps gives it back. */
static void teller_redeem(struct teller *teller, uint64_t customer) {
    cellar *store = teller->run->store;
    const cellar_line line = {.sku = "a", .quantity = 1, .unit_price = 100};
    cellar_redemption redemption = {.campaign = CAMPAIGN,
                                    .customer = customer,
                                    .ordinal = CELLAR_ANY_ORDINAL,
                                    .lines = &line,
                                    .line_count = 1};
    cellar_ticket ticket;
    cellar_status status = cellar_coupon_redeem(store, NULL, &redemption, NULL, &ticket, NULL);
    if (status == CELLAR_OK) {
        teller->spent += ticket.remaining;
        teller->wrong += ticket.remaining != DISCOUNT;
    } else {
        teller->wrong += status != CELLAR_BUDGET_SPENT && status != CELLAR_NOT_GRANTED &&
                         status != CELLAR_ALREADY_REDEEMED && status != CELLAR_REVOKED;
    }
    if (random_below(&teller->random, 2) == 0) {
        redemption.ordinal = 0;
        status = cellar_coupon_restore(store, NULL, &redemption, 0, &ticket, NULL);
        teller->spent -= status == CELLAR_OK ? ticket.remaining : 0;
        teller->wrong += status != CELLAR_OK && status != CELLAR_NOT_REDEEMED;
    }
}

static void teller_put(struct teller *teller) {
    int64_t quota = QUOTA / 2 + (int64_t)random_below(&teller->random, QUOTA);
    cellar_campaign campaign = campaign_of(teller->run, quota);
    cellar_status status = cellar_campaign_put(teller->run->store, NULL, &campaign, 0, NULL, NULL);
    teller->wrong += status != CELLAR_OK && status != CELLAR_BELOW_CLAIMED;
}

static void teller_claim(struct teller *teller) {
    const struct scene *scene = teller->run->scene;
    uint64_t customer = 1 + random_below(&teller->random, teller->run->customers);
    cellar_ticket ticket;
    cellar_refusal refusal = {0};
    cellar_status status = cellar_coupon_claim(teller->run->store, NULL, (cellar_id){0, 0},
                                               CAMPAIGN, customer, &ticket, &refusal);
    if (status != CELLAR_OK) {
        cellar_status full = scene->waitlist == 0 ? CELLAR_SOLD_OUT : CELLAR_WAITLIST_FULL;
        cellar_status had =
            scene->period_max == 0 ? CELLAR_ALREADY_CLAIMED : CELLAR_CUSTOMER_PERIOD_CAP;
        teller->wrong += status != full && status != had;
        teller->wrong += status == had && refusal.rank == 0;
        teller->refused++;
        return;
    }
    teller->wrong += ticket.waiting && scene->waitlist == 0;
    struct got *got = &teller->got[teller->count++];
    *got = (struct got){.customer = customer, .rank = ticket.rank};
    if (scene->redeems && random_below(&teller->random, 2) == 0) {
        teller_redeem(teller, customer);
    }
    if (scene->revokes && random_below(&teller->random, 3) == 0) {
        /* An older one now and then: it has been granted, or waits still. */
        teller_revoke(teller, &teller->got[random_below(&teller->random, teller->count)]);
    }
}

static void *teller_run(void *argument) {
    struct teller *teller = argument;
    pthread_barrier_wait(&teller->run->start);
    for (uint64_t i = 0; i < teller->run->claims; i++) {
        teller_claim(teller);
        if (teller->run->scene->puts && random_below(&teller->random, 16) == 0) {
            teller_put(teller);
        }
    }
    return NULL;
}

/* ---- The books ---- */

struct books {
    uint64_t claims;
    uint64_t refused;
    uint64_t granted, waiting, redeemed, revoked;
    uint32_t wrong;
};

/* Numbers told to threads: each once, from 1 on without a gap. */
static void book_numbers(const struct teller *tellers, const struct run *run, struct books *books) {
    uint64_t most = run->claims * run->scene->threads;
    uint32_t cap =
        run->scene->period_max == 0 ? run->scene->customer_limit : run->scene->period_max;
    uint8_t *seen = calloc(most + 1, 1);
    uint32_t *of_customer = calloc(run->customers + 1, sizeof *of_customer);
    ASSERT(seen != NULL);
    ASSERT(of_customer != NULL);
    for (uint32_t i = 0; i < run->scene->threads; i++) {
        for (size_t k = 0; k < tellers[i].count; k++) {
            const struct got *got = &tellers[i].got[k];
            books->wrong += got->rank == 0 || got->rank > most || seen[got->rank] != 0;
            seen[got->rank <= most ? got->rank : 0] = 1;
            books->wrong += ++of_customer[got->customer] > cap;
            books->claims++;
        }
        books->refused += tellers[i].refused;
        books->wrong += tellers[i].wrong;
    }
    for (uint64_t rank = 1; rank <= books->claims; rank++) {
        books->wrong += seen[rank] != 1;
    }
    free(seen);
    free(of_customer);
}

/* The campaign's list says the same, number by number. */
static void book_list(const struct run *run, struct books *books) {
    cellar_coupon_query query = {.campaign = CAMPAIGN};
    static cellar_coupon page[500];
    uint64_t next = books->claims;
    size_t count = 500;
    while (count == 500) {
        cellar_status status = cellar_coupon_list(run->store, &query, page, 500, &count);
        ASSERT(status == CELLAR_OK);
        for (size_t i = 0; i < count; i++) {
            books->wrong += page[i].rank != next--;
            books->granted += page[i].state == CELLAR_COUPON_GRANTED;
            books->waiting += page[i].state == CELLAR_COUPON_WAITING;
            books->redeemed += page[i].state == CELLAR_COUPON_REDEEMED;
            books->revoked += page[i].state == CELLAR_COUPON_REVOKED;
            query.before = page[i];
        }
    }
    books->wrong += next != 0;
}

static bool book_check(const struct run *run, const struct teller *tellers, struct books *books) {
    cellar_audit audit;
    cellar_campaign campaign;
    int64_t spent = 0;
    uint64_t revoked = 0;
    *books = (struct books){0};
    cellar_status status = cellar_audit_run(run->store, &audit);
    ASSERT(status == CELLAR_OK);
    status = cellar_campaign_get(run->store, CAMPAIGN, &campaign);
    ASSERT(status == CELLAR_OK);
    book_numbers(tellers, run, books);
    book_list(run, books);
    for (uint32_t i = 0; i < run->scene->threads; i++) {
        spent += tellers[i].spent;
        for (size_t k = 0; k < tellers[i].count; k++) {
            revoked += tellers[i].got[k].revoked;
        }
    }
    uint64_t alive = books->claims - books->revoked;
    uint64_t quota = (uint64_t)campaign.quota;
    bool right = audit.violations == 0 && books->wrong == 0 &&
                 books->granted + books->redeemed == (alive < quota ? alive : quota) &&
                 (uint64_t)campaign.claimed == books->claims &&
                 (uint64_t)campaign.waiting == books->waiting && revoked == books->revoked &&
                 spent == campaign.spent && spent <= campaign.budget;
    if (!run->scene->revokes && !run->scene->puts) {
        uint64_t places = QUOTA + (uint64_t)run->scene->waitlist;
        right = right && books->claims == places;
    }
    if (!right) {
        (void)printf("# audit: %s; %u mistakes; quota %lld, claimed %lld, spent %lld and %lld\n",
                     audit.first_violation, books->wrong, (long long)campaign.quota,
                     (long long)campaign.claimed, (long long)spent, (long long)campaign.spent);
    }
    return right;
}

/* ---- One case ---- */

static void run_tellers(struct run *run, struct teller *tellers) {
    uint32_t threads = run->scene->threads;
    pthread_barrier_init(&run->start, NULL, threads);
    for (uint32_t i = 0; i < threads; i++) {
        tellers[i].run = run;
        tellers[i].random.state = run->seed + i * UINT64_C(1234567);
        tellers[i].got = calloc(run->claims, sizeof *tellers[i].got);
        ASSERT(tellers[i].got != NULL);
        int failed = pthread_create(&tellers[i].thread, NULL, teller_run, &tellers[i]);
        ASSERT(failed == 0);
    }
    for (uint32_t i = 0; i < threads; i++) {
        pthread_join(tellers[i].thread, NULL);
    }
    pthread_barrier_destroy(&run->start);
}

static bool run_case(int number, uint64_t seed, const struct scene *scene) {
    struct run run = {.scene = scene, .seed = seed + (uint64_t)number};
    struct teller *tellers = calloc(scene->threads, sizeof *tellers);
    struct books books;
    ASSERT(tellers != NULL);
    run.claims = 1 + (uint64_t)(CLAIMS * model_files_stress()) / scene->threads;
    /* So that all places are taken, and repeats are common. */
    run.customers = (uint64_t)(2 * QUOTA + scene->waitlist);
    model_files_path(run.path, "coupon");
    run.store = model_files_open(run.path, 0, false, scene->oracle);
    const cellar_product product = {.sku = "a"};
    cellar_campaign campaign = campaign_of(&run, QUOTA);
    cellar_status status = cellar_product_put(run.store, NULL, &product, 0, NULL, NULL);
    ASSERT(status == CELLAR_OK);
    status = cellar_campaign_put(run.store, NULL, &campaign, 0, NULL, NULL);
    ASSERT(status == CELLAR_OK);
    if (scene->chaos) {
        chaos_start(160, 4);
    }
    int64_t start = clock_monotonic_ns();
    run_tellers(&run, tellers);
    int64_t took = clock_monotonic_ns() - start;
    chaos_stop();
    bool right = book_check(&run, tellers, &books);
    model_files_close(run.store);
    run.store = model_files_open(run.path, 0, false, scene->oracle);
    right = book_check(&run, tellers, &books) && right;
    model_files_close(run.store);
    model_files_remove(run.path);
    (void)printf("%s %d - %s, %u threads: %llu claims, %llu refused; %llu granted, %llu waiting, "
                 "%llu redeemed, %llu revoked; %lld ms\n",
                 right ? "ok" : "not ok", number, scene->name, scene->threads,
                 (unsigned long long)books.claims, (unsigned long long)books.refused,
                 (unsigned long long)books.granted, (unsigned long long)books.waiting,
                 (unsigned long long)books.redeemed, (unsigned long long)books.revoked,
                 (long long)(took / NANOSECONDS_PER_MILLISECOND));
    (void)fflush(stdout);
    for (uint32_t i = 0; i < scene->threads; i++) {
        free(tellers[i].got);
    }
    free(tellers);
    return right;
}

int main(void) {
    static const struct scene scenes[] = {
        /* name  threads  waitlist  limit  of a period  revokes  redeems  puts  chaos  oracle */
        {"quota", 300, 0, 1, 0, false, false, false, false, false},
        {"quota, chaos", 300, 0, 1, 0, false, false, false, true, false},
        {"quota, oracle", 64, 0, 1, 0, false, false, false, false, true},
        {"three each", 300, 0, 3, 0, false, false, false, true, false},
        {"one of three a period", 300, 0, 3, 1, false, false, false, true, false},
        {"two of five a period, oracle", 64, QUOTA / 4, 5, 2, true, false, false, false, true},
        {"waiting list", 300, QUOTA / 2, 1, 0, false, false, false, true, false},
        {"revocations", 16, QUOTA / 4, 1, 0, true, false, false, true, false},
        {"revocations", 300, QUOTA / 4, 2, 0, true, false, false, false, false},
        {"redemptions", 64, QUOTA / 4, 2, 0, false, true, false, true, false},
        {"everything", 2, QUOTA / 4, 2, 0, true, true, true, true, false},
        {"everything", 16, QUOTA / 4, 2, 0, true, true, true, true, false},
        {"everything", 300, QUOTA / 4, 2, 0, true, true, true, false, false},
        {"everything, oracle", 16, QUOTA / 4, 2, 0, true, true, true, false, true},
        {"everything, one a period", 2, QUOTA / 4, 3, 1, true, true, true, true, false},
        {"everything, two a period", 16, QUOTA / 4, 5, 2, true, true, true, false, false},
    };
    uint64_t seed = random_seed_of_run();
    int count = (int)(sizeof scenes / sizeof *scenes);
    bool right = true;
    (void)printf("1..%d\n", count);
    for (int i = 0; i < count; i++) {
        right = run_case(i + 1, seed, &scenes[i]) && right;
    }
    return right ? 0 : 1;
}
