/* Threads outgrow the cores: what an order takes then, beside two threads in the same seconds. */
#include "shop.h"

#include "measure.h"

#include <stdio.h>

/* Threads that the crowd is held against, and how often both take turns. */
#define CROWD_FEW 2
#define CROWD_ROUNDS 5

struct crowd_side {
    struct crew crew;
    struct histogram latency;
    double rates[CROWD_ROUNDS];
};

/* Both crews are of one shop: orders of the second are those of the threads behind the first. */
static uint64_t few_round(void *context, struct worker *worker, uint64_t count) {
    struct shop *shop = context;
    uint32_t thread = shop->thread_count - CROWD_FEW + worker->index;
    cellar_ticket ticket;

    for (uint64_t i = 0; i < count; i++) {
        cellar_status status =
            shop_order_place(shop, thread, worker->counter++, shop->durability, &ticket);
        if (status != CELLAR_OK) {
            shop_failed(shop, status);
            return i;
        }
        worker->last_lsn = ticket.lsn;
    }
    return count;
}

static bool side_round(struct crowd_side *side, const struct load *load, double seconds,
                       uint64_t count_max, uint32_t at) {
    struct crew_round round;

    bool ok = crew_run(&side->crew, load, seconds, count_max, &side->latency, &round);
    side->rates[at] = round.rate;
    return ok;
}

static bool crowd_rounds(struct shop *shop, struct crowd_side *many, struct crowd_side *few,
                         const struct bench_options *options, struct bench_result *result) {
    struct load few_load = shop->order;
    double seconds = options->seconds / CROWD_ROUNDS;
    uint64_t count_max = shop_orders_max(options->lines) / (2 * CROWD_ROUNDS + 2) + 1;
    double ratios[CROWD_ROUNDS];
    struct bench_reference *reference = &result->references[result->reference_count++];

    few_load.run = few_round;
    /* Once to warm up. */
    bool ok = side_round(few, &few_load, seconds / 4, count_max, 0) &&
              side_round(many, &shop->order, seconds / 4, count_max, 0);
    histogram_reset(&few->latency);
    histogram_reset(&many->latency);
    for (uint32_t i = 0; ok && i < CROWD_ROUNDS; i++) {
        ok = side_round(few, &few_load, seconds, count_max, i) &&
             side_round(many, &shop->order, seconds, count_max, i);
        ratios[i] = many->rates[i] / few->rates[i];
    }
    if (!ok) {
        return bench_fail(result, "a round failed or was interrupted");
    }
    snprintf(reference->name, sizeof reference->name, "%d threads", CROWD_FEW);
    reference->ratio = measure_median(ratios, CROWD_ROUNDS);
    reference->rate = measure_median(few->rates, CROWD_ROUNDS);
    measure_latency(&few->latency, &reference->latency);
    result->rate = measure_median(many->rates, CROWD_ROUNDS);
    result->rate_low = many->rates[0];
    result->rate_high = many->rates[CROWD_ROUNDS - 1];
    measure_latency(&many->latency, &result->latency);
    return true;
}

static void crowd_figures(struct bench_result *result) {
    const struct bench_latency *few = &result->references[0].latency;
    const struct bench_latency *many = &result->latency;

    bench_figure_add(result, "p50 of 2 threads", (double)few->p50_ns, "ns");
    bench_figure_add(result, "p99 of 2 threads", (double)few->p99_ns, "ns");
    bench_figure_add(result, "p99.9 of 2 threads", (double)few->p999_ns, "ns");
    bench_figure_add(result, "max of 2 threads", (double)few->max_ns, "ns");
    bench_figure_add(result, "p99 over theirs", (double)many->p99_ns / (double)few->p99_ns, "");
    bench_figure_add(result, "p99.9 over theirs", (double)many->p999_ns / (double)few->p999_ns, "");
}

bool crowd_run(const struct bench_options *options, struct bench_result *result) {
    static struct crowd_side many;
    static struct crowd_side few;
    struct shop shop;

    result->unit = "orders";
    if (!shop_open(&shop, "crowd", options, NULL, result) ||
        !shop_stock(&shop, SHOP_UNITS, result) ||
        !shop_prepare(&shop, options, options->threads + CROWD_FEW, result)) {
        return false;
    }
    if (!crew_start(&many.crew, options->threads) || !crew_start(&few.crew, CROWD_FEW)) {
        return bench_fail(result, "no memory or no threads");
    }
    bool ok = crowd_rounds(&shop, &many, &few, options, result);
    if (ok) {
        crowd_figures(result);
    }
    shop_figures(&shop, result);
    crew_end(&few.crew);
    ok = shop_end(&shop, &many.crew, result) && ok;
    return ok;
}
