/* Documents that leave memory: those whose creation was refused (sweep.c), and those that are
 * closed and to which nothing has happened for the time that is configured (closed.c).
 *
 * Both are retired by a commit of their own, on the thread that follows the log; then their slots
 * are used again after a grace period. */
#ifndef CELLAR_STORE_CLOSED_H
#define CELLAR_STORE_CLOSED_H

#include "commit/cell.h"
#include "store/part.h"

#include <stdbool.h>
#include <stdint.h>

struct store;
struct store_order;
struct store_customer;

/* ---- The thread that follows the log, and recovery ---- */

/* Puts the document at the end of the list, also when it is in it already. */
void closed_add(struct store *store, struct store_order *order);
/* Retires what has been closed for long enough, at most so many documents, without waiting for
 * anything; what was applied must have been published. Gives the slots of earlier ones back. */
void closed_retire(struct store *store, int64_t now_ns, uint32_t most);
/* What follows from the record of a retired document. */
enum store_apply_result closed_apply(struct store *store, const struct store_part *part);
/* Is the payload well formed? */
bool closed_check_part(const struct store_part *part);

/* The order is the newest of its customer. */
void customer_link(struct store *store, struct store_customer *customer, struct store_order *order);

/* ---- sweep.c ---- */

/* Any thread: the order's entry was linked by a call that was then refused. */
void store_suspect(struct store *store, uint32_t slot);
/* The following thread: retires a bounded number of refused creations. */
void store_sweep(struct store *store, int64_t now_ns);
/* One commit that retires the document in the slot, whose cell has this content, of the generation
 * of its entry. Inside a read section. False: not now. */
bool sweep_commit(struct store *store, const struct store_order *order, struct cell_content content,
                  const struct payload_retire *payload, int64_t now_ns, uint64_t *lsn_out);
/* Makes sure that one more slot can be noted. False: no memory. */
bool sweep_reserve(struct store *store);
/* There is room: the slot, which nobody finds any more, is used again after a grace period. */
void sweep_give(struct store *store, uint32_t slot);
/* Begins the grace period of those that have been noted. */
void sweep_flush(struct store *store);
void sweep_destroy(struct store *store);

#endif
