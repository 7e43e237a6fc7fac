/* Coupons of one campaign: what everybody asks for at once, before and after it is sold out. */
#include "shop.h"

#include "limits.h"
#include "measure.h"

#define CLAIM_CAMPAIGN 1
#define CLAIM_QUOTA INT64_C(10000000)
/* Keeps grants and log small; the quota is not reached. */
#define CLAIM_COUNT_MAX 3000000
/* Customers of one thread are those from `index << CLAIM_THREAD_SHIFT` up. */
#define CLAIM_THREAD_SHIFT 32
#define CLAIM_DISCOUNT 100

struct claims {
    struct shop shop;
    cellar_status expected; /* of each claim */
};

static uint64_t claim_round(void *context, struct worker *worker, uint64_t count) {
    struct claims *claims = context;
    cellar_call call = {.durability = claims->shop.durability};
    uint64_t first = (uint64_t)(worker->index + 1) << CLAIM_THREAD_SHIFT;
    cellar_ticket ticket = {0};

    for (uint64_t i = 0; i < count; i++) {
        cellar_status status =
            cellar_coupon_claim(claims->shop.store, &call, (cellar_id){0, 0}, CLAIM_CAMPAIGN,
                                first + worker->counter, &ticket, NULL);
        if (status != claims->expected) {
            shop_failed(&claims->shop, status);
            return i;
        }
        worker->counter++;
        if (status == CELLAR_OK) {
            worker->last_lsn = ticket.lsn;
        }
    }
    return count;
}

static bool claim_settle(void *context, const struct worker *workers, uint32_t worker_count) {
    struct claims *claims = context;
    return shop_settle(&claims->shop, workers, worker_count);
}

static bool put_campaign(struct claims *claims, int64_t quota, struct bench_result *result) {
    cellar_campaign campaign = {
        .id = CLAIM_CAMPAIGN,
        .quota = quota,
        .discount = {.kind = CELLAR_DISCOUNT_AMOUNT, .value = CLAIM_DISCOUNT}};
    cellar_status status =
        cellar_campaign_put(claims->shop.store, NULL, &campaign, CELLAR_VERSION_ABSENT, NULL, NULL);
    return status == CELLAR_OK || bench_fail(result, "campaign: %s", cellar_status_name(status));
}

/* Every claim that was answered OK is counted once. */
static bool check_claims(const struct claims *claims, const struct crew *crew,
                         struct bench_result *result) {
    cellar_campaign campaign;
    uint64_t granted = 0;

    for (uint32_t i = 0; claims->expected == CELLAR_OK && i < crew->thread_count; i++) {
        granted += crew->workers[i].counter;
    }
    if (cellar_campaign_get(claims->shop.store, CLAIM_CAMPAIGN, &campaign) != CELLAR_OK ||
        campaign.claimed < 0 || (uint64_t)campaign.claimed != granted) {
        return bench_fail(result, "the campaign does not count %llu claims",
                          (unsigned long long)granted);
    }
    return true;
}

static bool run_claims(const struct bench_options *options, int64_t quota,
                       struct bench_result *result) {
    struct bench_options one = *options;
    struct claims claims = {.expected = quota == 0 ? CELLAR_SOLD_OUT : CELLAR_OK};
    struct crew crew;

    one.skus = 1;
    one.lines = 1;
    result->unit = "claims";
    if (!shop_open(&claims.shop, "claim", &one, NULL, result) ||
        !put_campaign(&claims, quota, result)) {
        return false;
    }
    if (!crew_start(&crew, options->threads)) {
        return bench_fail(result, "no memory or no threads");
    }
    struct load load = {.name = "claim",
                        .run = claim_round,
                        .settle = claim_settle,
                        .context = &claims,
                        .batch = options->wait ? 1 : CREW_BATCH_MAX,
                        .sample_every = 16};
    struct measure measure = {.crew = &crew,
                              .subject = &load,
                              .seconds = options->seconds,
                              .count_max = quota == 0 ? 0 : CLAIM_COUNT_MAX};
    measure_add_load(&measure, &limits_fetch_sub, false);
    bool ok = measure_run(&measure, result);
    ok = ok && check_claims(&claims, &crew, result);
    return shop_finish(&claims.shop, &crew, result) && ok;
}

bool claim_run(const struct bench_options *options, struct bench_result *result) {
    return run_claims(options, CLAIM_QUOTA, result);
}

bool claim_sold_out_run(const struct bench_options *options, struct bench_result *result) {
    return run_claims(options, 0, result);
}
