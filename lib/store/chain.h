/* Chains of documents, linked through their entries. A document is in one chain at most: while it
 * is an open hold of money with a deadline in that of its account (holds.h), once it is closed in
 * that of the store (closed.h).
 *
 * Changed by the thread that follows the log alone. A reader inside a read section may follow
 * chain_after; when the document on which he stands moves meanwhile he is led into the other chain,
 * but never to a slot that is used again: that takes a grace period. */
#ifndef CELLAR_STORE_CHAIN_H
#define CELLAR_STORE_CHAIN_H

#include "base/atomic.h"

#include <stdbool.h>
#include <stdint.h>

struct store;
struct store_order;

struct chain {
    _Atomic uint32_t oldest;
    _Atomic uint32_t newest;
};

/* Puts a document that is in no chain at the end. */
void chain_add(struct store *store, struct chain *chain, struct store_order *order);
/* Takes it out of this chain, the only one in which it can be. False: it is not in it. */
bool chain_remove(struct store *store, struct chain *chain, struct store_order *order);

#endif
