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

/* Inside a section. */
struct order_view order_look(const cellar *engine, const struct store_order *entry,
                             cellar_order_line *lines_out, size_t capacity);
cellar_status order_get(cellar *engine, cellar_id id, cellar_order *order_out,
                        cellar_order_line *lines_out, size_t capacity);
void order_copy_reference(cellar_order *order, const char *reference, size_t bytes);
void order_copy_lines(const cellar *engine, const struct content *content, uint32_t state,
                      const struct store_progress *progress, cellar_order_line *into,
                      size_t capacity);

/* ---- order_past.c ---- */

/* The order in `slot` as it stood after the commit at `lsn`, which changed it, as the log itself
 * says. CORRUPT: it did not. */
cellar_status order_past(cellar *engine, uint64_t lsn, uint32_t slot, cellar_order *order_out,
                         cellar_order_line *lines_out, size_t capacity);

#endif
