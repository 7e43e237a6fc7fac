/* Reading orders: in memory, and from the log. */
#ifndef CELLAR_ENGINE_ORDER_H
#define CELLAR_ENGINE_ORDER_H

#include "engine/engine.h"

/* ---- order_read.c ---- */

/* What memory says of the order; its lines and reference too while it is open. */
struct order_view {
    cellar_order order;
    uint64_t wait_lsn; /* not 0: its content is not known yet */
    uint32_t slot;
    bool found;
    bool detailed;
    bool changed; /* while it was looked at: look again */
};

/* Where the reader wants lines, sources, or neither; what does not fit is left out. */
struct order_room {
    cellar_order_line *lines;
    size_t line_capacity;
    cellar_order_source *sources;
    size_t source_capacity;
    size_t source_count; /* how many the order has; set when its content is known */
};

/* Inside a section. */
struct order_view order_look(const cellar *engine, const struct store_order *entry,
                             struct order_room *room);
cellar_status order_get(cellar *engine, cellar_id id, cellar_order *order_out,
                        struct order_room *room);
void order_copy_reference(cellar_order *order, const char *reference, size_t bytes);
/* Lines and sources. */
void order_copy_content(const cellar *engine, const struct content *content, uint32_t state,
                        const struct store_progress *progress, struct order_room *room);

/* ---- order_past.c ---- */

/* The order in `slot` as it stood after the commit at `lsn`, which changed it, as the log itself
 * says. CORRUPT: it did not. */
cellar_status order_past(cellar *engine, uint64_t lsn, uint32_t slot, cellar_order *order_out,
                         struct order_room *room);
/* Of any commit that did something to the order with this id. NOT_FOUND: it did not. */
cellar_status order_at(cellar *engine, cellar_id id, uint64_t lsn, cellar_order *order_out,
                       struct order_room *room);

#endif
