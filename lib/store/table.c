/* The hash table, on liburcu's cds_lfht: a list of all nodes in the order of their reversed hashes,
 * with an array of buckets that point into it. Growing adds buckets and moves no node.
 *
 * Memory. The bucket array is the one allocation of this library that does not come from
 * base/memory.h: cds_lfht makes it itself and, in liburcu 0.13, ends the process when it cannot.
 * So little is left to fail as possible. A bucket takes 16 bytes. Of the three ways liburcu has to
 * keep them (chosen by itself for up to 2^32 buckets), "mmap" reserves the addresses for the
 * largest size at once, without access and so without a charge for memory, and makes each further
 * part accessible as the table grows; a look-up finds a bucket by one addition. "order" and "chunk"
 * allocate each further part with calloc() and look it up in a second array. A table for 64 M nodes
 * was made in 20 us with any of them (60 us with the worker thread of the first table) and took
 * 16 KiB of memory; mmap reserves 1 GiB of addresses. The smallest number of buckets kept must be
 * small: with 64 M, all of the 1 GiB counts as used where the kernel does not overcommit. What is
 * left to fail is mmap() at a doubling, when the process has no address space, mappings or, without
 * overcommitting, memory left.
 *
 * _LGPL_SOURCE is not defined: all calls go into the library, nothing of it is compiled in here. */
#include "store/table.h"

#include "base/assert.h"
#include "base/memory.h"

#include <urcu-bp.h>
#include <urcu/rculfhash.h>

_Static_assert(sizeof(struct table_node) == sizeof(struct cds_lfht_node), "the node is liburcu's");
_Static_assert(_Alignof(struct table_node) >= _Alignof(struct cds_lfht_node), "its flag bits");
_Static_assert(sizeof(unsigned long) == sizeof(uint64_t), "liburcu's hashes have 64 bits");

#if defined(__SANITIZE_THREAD__)
#define TABLE_SANITIZE_THREAD 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define TABLE_SANITIZE_THREAD 1
#endif
#endif

#ifdef TABLE_SANITIZE_THREAD
/* liburcu is not instrumented: tell the sanitizer that what was written before a node was added is
 * seen by whoever meets the node. */
void __tsan_acquire(void *address);
void __tsan_release(void *address);
#define TABLE_HAND_OVER(node) __tsan_release(node)
#define TABLE_RECEIVE(node) __tsan_acquire(node)
#else
#define TABLE_HAND_OVER(node) ((void)0)
#define TABLE_RECEIVE(node) ((void)0)
#endif

/* A page of buckets. */
#define BUCKETS_MIN 256UL
/* Beyond this liburcu would not choose "mmap". */
#define BUCKETS_MAX (1UL << 32)
/* Nodes forgotten in one read section, which for so long holds up every grace period. */
#define FORGOTTEN_MAX 1024

struct table {
    struct cds_lfht *nodes;
    table_match *match;
};

struct sought {
    table_match *match;
    const void *key;
};

/* The node's hash is the one sought. */
static int table_compare(struct cds_lfht_node *node, const void *argument) {
    const struct sought *sought = argument;

    TABLE_RECEIVE(node);
    return sought->match((const struct table_node *)node, sought->key);
}

struct table_node *table_find(const struct table *table, uint64_t hash, const void *key) {
    struct sought sought = {table->match, key};
    struct cds_lfht_iter found;

    cds_lfht_lookup(table->nodes, hash, table_compare, &sought, &found);
    return (struct table_node *)cds_lfht_iter_get_node(&found);
}

struct table_node *table_add(struct table *table, uint64_t hash, const void *key,
                             struct table_node *node) {
    struct sought sought = {table->match, key};

    ASSERT((uintptr_t)node % _Alignof(struct table_node) == 0);
    TABLE_HAND_OVER(node);
    return (struct table_node *)cds_lfht_add_unique(table->nodes, hash, table_compare, &sought,
                                                    (struct cds_lfht_node *)node);
}

bool table_remove(struct table *table, struct table_node *node) {
    ASSERT(node != NULL);
    return cds_lfht_del(table->nodes, (struct cds_lfht_node *)node) == 0;
}

struct table *table_create(uint64_t nodes_max, table_match *match) {
    uint64_t buckets_max = BUCKETS_MIN;

    while (buckets_max < nodes_max && buckets_max < BUCKETS_MAX) {
        buckets_max *= 2;
    }
    struct table *table = memory_map_lazy(sizeof *table);
    if (table == NULL) {
        return NULL;
    }
    table->match = match;
    table->nodes =
        cds_lfht_new_flavor(BUCKETS_MIN, BUCKETS_MIN, buckets_max,
                            CDS_LFHT_AUTO_RESIZE | CDS_LFHT_ACCOUNTING, &rcu_flavor, NULL);
    /* NULL would mean sizes that are no powers of two. */
    ASSERT(table->nodes != NULL);
    return table;
}

static int is_same(struct cds_lfht_node *node, const void *argument) {
    return node == argument;
}

static uint64_t reverse(uint64_t bits) {
    bits = (bits >> 1 & 0x5555555555555555U) | (bits & 0x5555555555555555U) << 1;
    bits = (bits >> 2 & 0x3333333333333333U) | (bits & 0x3333333333333333U) << 2;
    bits = (bits >> 4 & 0x0f0f0f0f0f0f0f0fU) | (bits & 0x0f0f0f0f0f0f0f0fU) << 4;
    return __builtin_bswap64(bits);
}

/* Takes some nodes out, from `next` on (NULL: the first of all), and returns the one it stopped at,
 * still inside, to go on from; NULL after the last. An iterator would not do across sections: the
 * bucket it points to may go when the worker makes the table smaller. */
static struct cds_lfht_node *table_forget(struct cds_lfht *nodes, struct cds_lfht_node *next) {
    struct cds_lfht_iter place;

    rcu_read_lock();
    if (next == NULL) {
        cds_lfht_first(nodes, &place);
    } else {
        cds_lfht_lookup(nodes, reverse(next->reverse_hash), is_same, next, &place);
        ASSERT(cds_lfht_iter_get_node(&place) == next);
    }
    for (int i = 0; i < FORGOTTEN_MAX && cds_lfht_iter_get_node(&place) != NULL; i++) {
        struct cds_lfht_node *node = cds_lfht_iter_get_node(&place);
        cds_lfht_next(nodes, &place);
        int status = cds_lfht_del(nodes, node);
        ASSERT(status == 0);
    }
    rcu_read_unlock();
    return cds_lfht_iter_get_node(&place);
}

void table_destroy(struct table *table) {
    struct cds_lfht_node *next = NULL;

    /* Ends: nobody adds any more, so every round but the last takes FORGOTTEN_MAX nodes out. */
    do {
        next = table_forget(table->nodes, next);
    } while (next != NULL);
    /* The worker may be resizing the table and stand on a node just taken out. */
    synchronize_rcu();
    int status = cds_lfht_destroy(table->nodes, NULL);
    ASSERT(status == 0);
    memory_unmap(table, sizeof *table);
}
