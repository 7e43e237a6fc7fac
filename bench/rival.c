#include "rival.h"

#include <string.h>

static uint64_t rival_round(void *context, struct worker *worker, uint64_t count) {
    struct rival *rival = context;
    cellar_order_request request;

    for (uint64_t i = 0; i < count; i++) {
        shop_draw(rival->shop, worker->index, worker->counter++, &request);
        if (!rival->kind->place(rival->context, &request)) {
            return i;
        }
    }
    return count;
}

bool rival_start(struct rival *rival, const struct rival_kind *kind, struct shop *shop) {
    memset(rival, 0, sizeof *rival);
    rival->kind = kind;
    rival->shop = shop;
    rival->load = (struct load){
        .name = kind->name, .run = rival_round, .context = rival, .batch = 1, .sample_every = 1};
    rival->context = kind->start(shop);
    return rival->context != NULL;
}

void rival_end(struct rival *rival) {
    if (rival->context != NULL) {
        rival->kind->end(rival->context);
        rival->context = NULL;
    }
}
