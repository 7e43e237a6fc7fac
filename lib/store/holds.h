/* The open holds of money of an account that have a deadline, in the order in which they were
 * placed: there a caller short of funds finds those that are overdue. Holds without a deadline are
 * in no list.
 *
 * A   written by the thread that follows the log alone, recovery included; read by any thread
 *     inside a read section
 * B   what holds_overdue() finds is a hint, checked against the holds' cells by who acts on it */
#ifndef CELLAR_STORE_HOLDS_H
#define CELLAR_STORE_HOLDS_H

#include "store/deadlines.h"

#include <stdbool.h>
#include <stdint.h>

struct store;
struct store_order;

/* Holds looked at from the front for those that are overdue. Those behind are expired by the
 * store's own thread only, unless those before them end. */
#define HOLDS_LOOK_MAX 256u
/* Looks at a list from which holds are taken meanwhile. */
#define HOLDS_TRIES_MAX 4u

/* False: there is no such account, and nothing has changed. `entry` has its account. */
bool holds_add(struct store *store, struct store_order *entry);
bool holds_remove(struct store *store, struct store_order *entry);

/* Readers. Open holds of the account in the slot that are overdue. */
void holds_overdue(const struct store *store, uint32_t account, struct overdue *overdue);

#endif
