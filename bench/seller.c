#include "seller.h"

#include "base/clock.h"

static void *seller_main(void *argument) {
    struct seller *seller = argument;
    cellar_ticket ticket;

    while (!atomic_load_explicit(&seller->stop, memory_order_relaxed)) {
        cellar_status status = shop_order_place(seller->shop, seller->thread, seller->counter++,
                                                CELLAR_RELAXED, &ticket);
        if (status != CELLAR_OK) {
            shop_failed(seller->shop, status);
            break;
        }
        atomic_fetch_add_explicit(&seller->sold, 1, memory_order_relaxed);
    }
    return NULL;
}

bool seller_start(struct seller *seller, struct bench_result *result) {
    atomic_store(&seller->stop, false);
    return pthread_create(&seller->id, NULL, seller_main, seller) == 0 ||
           bench_fail(result, "no thread for the seller");
}

void seller_end(struct seller *seller) {
    atomic_store(&seller->stop, true);
    pthread_join(seller->id, NULL);
}

struct seller_mark seller_look(const struct seller *seller) {
    return (struct seller_mark){.time_ns = clock_monotonic_ns(),
                                .sold = atomic_load(&seller->sold)};
}

double seller_rate(const struct seller *seller, struct seller_mark mark) {
    struct seller_mark now = seller_look(seller);
    return (double)(now.sold - mark.sold) * 1e9 / (double)(now.time_ns - mark.time_ns);
}

double seller_watch(const struct seller *seller, double seconds) {
    struct seller_mark mark = seller_look(seller);
    clock_sleep_ns((int64_t)(seconds * 1e9));
    return seller_rate(seller, mark);
}
