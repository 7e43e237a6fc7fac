/* Inside support/sales_draw: what its files share. */
#ifndef CELLAR_TESTS_SUPPORT_SALES_DRAW_PARTS_H
#define CELLAR_TESTS_SUPPORT_SALES_DRAW_PARTS_H

#include "support/random.h"
#include "support/sales_draw.h"

struct draw {
    struct random random;
    uint32_t call;
    uint32_t step; /* of a transaction */
};

static inline uint32_t draw_below(struct draw *draw, uint32_t limit) {
    return (uint32_t)random_below(&draw->random, limit);
}

/* An id of this step and call alone. */
cellar_id draw_id(const struct draw *draw);
/* About the time of a call so many later: it, a nanosecond before or behind, a millisecond behind.
 */
int64_t draw_time_ns(struct draw *draw, uint32_t calls_later);
/* One operation. */
void draw_operation(struct draw *draw, enum sales_deed deed, struct sales_operation *made);

#endif
