/* A thread of its own that sells in a loop, relaxed, while something else is measured. */
#ifndef BENCH_SELLER_H
#define BENCH_SELLER_H

#include "shop.h"

struct seller {
    struct shop *shop;
    uint32_t thread;  /* of the shop, nobody else's */
    uint64_t counter; /* of its orders: goes on when it is started again */
    pthread_t id;
    _Alignas(128) _Atomic bool stop;
    _Alignas(128) _Atomic uint64_t sold;
};

/* A moment of its work. */
struct seller_mark {
    int64_t time_ns;
    uint64_t sold;
};

bool seller_start(struct seller *seller, struct bench_result *result);
void seller_end(struct seller *seller);
struct seller_mark seller_look(const struct seller *seller);
/* Sales a second since `mark`. */
double seller_rate(const struct seller *seller, struct seller_mark mark);
/* The same over so many seconds from now. */
double seller_watch(const struct seller *seller, double seconds);

#endif
