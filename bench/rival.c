#include "rival.h"

#include <stdlib.h>
#include <string.h>

static uint64_t rival_round(void *context, struct worker *worker, uint64_t count) {
    struct rival *rival = context;
    cellar_order_request request;

    for (uint64_t i = 0; i < count; i++) {
        shop_draw(rival->shop, worker->index, worker->counter++, &request);
        if (!rival->kind->place(rival->context, &request)) {
            return i;
        }
        rival->threads[worker->index].placed++;
    }
    return count;
}

bool rival_start(struct rival *rival, const struct rival_kind *kind, struct shop *shop) {
    memset(rival, 0, sizeof *rival);
    rival->kind = kind;
    rival->shop = shop;
    rival->load = (struct load){
        .name = kind->name, .run = rival_round, .context = rival, .batch = 1, .sample_every = 1};
    size_t bytes = shop->thread_count * sizeof *rival->threads;
    rival->threads = aligned_alloc(_Alignof(struct rival_thread), bytes);
    if (rival->threads == NULL) {
        return false;
    }
    memset(rival->threads, 0, bytes);
    rival->context = kind->start(shop);
    return rival->context != NULL;
}

bool rival_check(struct rival *rival, struct bench_result *result) {
    struct rival_totals totals = {0};
    uint64_t placed = 0;

    if (!rival->kind->sum(rival->context, &totals)) {
        return bench_fail(result, "%s: its totals cannot be read", rival->kind->name);
    }
    for (uint32_t i = 0; i < rival->shop->thread_count; i++) {
        placed += rival->threads[i].placed;
    }
    if (totals.orders != placed) {
        return bench_fail(result, "%s: %llu orders, but %llu were answered", rival->kind->name,
                          (unsigned long long)totals.orders, (unsigned long long)placed);
    }
    if (totals.units_left + totals.units_sold != SHOP_UNITS * rival->shop->skus) {
        return bench_fail(result, "%s: %lld units left and %lld sold", rival->kind->name,
                          (long long)totals.units_left, (long long)totals.units_sold);
    }
    if (totals.balances + totals.paid != SHOP_FUNDS * SHOP_CUSTOMERS) {
        return bench_fail(result, "%s: balances %lld and paid %lld", rival->kind->name,
                          (long long)totals.balances, (long long)totals.paid);
    }
    return true;
}

void rival_end(struct rival *rival) {
    if (rival->context != NULL) {
        rival->kind->end(rival->context);
        rival->context = NULL;
    }
    free(rival->threads);
    rival->threads = NULL;
}
