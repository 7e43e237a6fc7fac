/* Another thread that commits between two looks of a call at the store: what the caller is to meet
 * at one exact point. */
#ifndef CELLAR_TESTS_SUPPORT_RIVAL_H
#define CELLAR_TESTS_SUPPORT_RIVAL_H

#include "support/shop.h"

#include <stdbool.h>

struct rival {
    struct shop *shop;
    void (*act)(struct shop *shop);
    int times; /* that are left */
    bool done;
};

/* From now on the calling thread stops at the point, and another one does `act`: at each of the
 * next `times` hits. */
void rival_await_times(struct rival *rival, struct shop *shop, const char *point,
                       void (*act)(struct shop *shop), int times);
/* The same, once. */
void rival_await(struct rival *rival, struct shop *shop, const char *point,
                 void (*act)(struct shop *shop));
/* The caller stops there no more. Fails when the rival has not come. */
void rival_has_come(const struct rival *rival);

#endif
