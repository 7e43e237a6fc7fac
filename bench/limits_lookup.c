#include "limits_lookup.h"

#include "measure.h"

#include <stdio.h>

static uint64_t lookup_round(void *context, struct worker *worker, uint64_t count) {
    struct limits_lookup *limit = context;
    struct shop *shop = limit->shop;

    for (uint64_t i = 0; i < count; i++) {
        for (uint32_t at = 0; at < limit->each; at++) {
            uint32_t pick = shop_pick(shop, worker->index);
            if (lookup_find(&limit->lookup, shop->names[pick]) != pick) {
                return i;
            }
        }
    }
    return count;
}

bool limits_lookup_start(struct limits_lookup *limit, struct shop *shop, uint32_t each) {
    *limit = (struct limits_lookup){.shop = shop, .each = each};
    if (each == 1) {
        snprintf(limit->name, sizeof limit->name, "hash look-up");
    } else {
        snprintf(limit->name, sizeof limit->name, "%u hash look-ups", each);
    }
    limit->load = (struct load){.name = limit->name,
                                .run = lookup_round,
                                .context = limit,
                                .batch = CREW_BATCH_MAX,
                                .sample_every = 16};
    return lookup_start(&limit->lookup, shop->names, shop->skus);
}

void limits_lookup_end(struct limits_lookup *limit) {
    lookup_end(&limit->lookup);
}

bool limit_lookup_run(const struct bench_options *options, struct bench_result *result) {
    struct bench_options one = *options;
    struct limits_lookup limit;
    struct shop shop;
    struct crew crew;

    one.lines = 1;
    result->unit = "look-ups";
    result->durability = "-";
    if (!shop_start(&shop, "lookup", &one, result) ||
        !shop_prepare(&shop, &one, options->threads, result)) {
        return false;
    }
    if (!crew_start(&crew, options->threads) || !limits_lookup_start(&limit, &shop, 1)) {
        return bench_fail(result, "no memory or no threads");
    }
    struct measure measure = {
        .crew = &crew, .subject = &limit.load, .seconds = options->seconds / 2};
    bool ok = measure_run(&measure, result);
    crew_end(&crew);
    limits_lookup_end(&limit);
    shop_remove(&shop);
    return ok;
}
