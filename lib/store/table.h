/* Hash tables from keys to objects: liburcu's lock-free cds_lfht, wrapped once.
 *
 * A   a node that was added and not removed is found by every look-up that starts after the
 *     addition returned
 * B   of several nodes with equal keys that are added at the same time, exactly one gets in
 * C   a removed node may still be seen by look-ups under way: its memory is reused after a grace
 *     period only
 *
 * Progress: look-ups are wait-free but for the length of a chain; additions and removals are
 * lock-free. All of them inside a read section; any thread. Whoever finds a node sees everything
 * that was written to its object before the node was added.
 *
 * Tables grow on a thread of their own, one for all of the process: when there is a node for each
 * bucket, to twice the nodes or more, up to the size for `nodes_max`. They never shrink. More than
 * `nodes_max` nodes only make the chains longer. Hashes must be spread evenly over 64 bits. */
#ifndef CELLAR_STORE_TABLE_H
#define CELLAR_STORE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct table;

/* Lives inside the object; of the size of liburcu's node. */
struct table_node {
    _Alignas(8) void *opaque[2];
};

/* True when the node's object has the key. */
typedef bool table_match(const struct table_node *node, const void *key);

/* NULL when there is no memory, or no thread. */
struct table *table_create(uint64_t nodes_max, table_match *match);
/* No other call may be running, and the caller has no section open. Nodes still inside are
 * forgotten; their memory is the caller's, who may reuse it at once. */
void table_destroy(struct table *table);
struct table_node *table_find(const struct table *table, uint64_t hash, const void *key);
/* Adds `node` and returns it, or returns the node that was there with this key; `node` was then
 * seen by nobody. */
struct table_node *table_add(struct table *table, uint64_t hash, const void *key,
                             struct table_node *node);
/* For a node that was added. True for the one caller that removed it. */
bool table_remove(struct table *table, struct table_node *node);
/* Any thread. How many chains the nodes are spread over; each takes 16 bytes. */
uint64_t table_buckets(const struct table *table);

#endif
