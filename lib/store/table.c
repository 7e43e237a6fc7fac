/* The hash table, on liburcu's cds_lfht: a list of all nodes in the order of their reversed hashes,
 * with an array of buckets that point into it. Growing adds buckets and moves no node.
 *
 * Growing. cds_lfht can grow by itself (CDS_LFHT_AUTO_RESIZE), but up to liburcu 0.15 at least it
 * marks a resize as under way after it has handed it to its worker: when the worker is done before
 * the mark is made, the mark stays and the table never grows again. Three of 300 tables of 100,000
 * nodes ended so here, with a hundred nodes a bucket. So tables grow by cds_lfht_resize(), on a
 * thread of ours, when one node a bucket is reached.
 *
 * Memory. The bucket array is the one allocation of this library that does not come from
 * base/memory.h: cds_lfht makes it itself and ends the process when it cannot, so as little as
 * possible is left to fail. A bucket takes 16 bytes. Of the three ways liburcu has to keep them,
 * "mmap" (which it takes for up to 2^32 buckets) reserves the addresses for the largest size at
 * once, without access and so without a charge for memory, and makes the next part accessible as
 * the table grows; a look-up finds a bucket by one addition. "order" and "chunk" allocate each
 * part with calloc() and look it up in a second array. With any of them a table for 64 M nodes is
 * made in 25 us and takes some pages of memory; mmap reserves 1 GiB of addresses. The smallest
 * number of buckets kept must be small: if it were 64 M, the whole GiB would count as used where
 * the kernel does not overcommit. What is left to fail is mmap() at a doubling, when the process
 * has no mappings or, without overcommitting, no memory left.
 *
 * _LGPL_SOURCE is not defined: all calls go into the library, nothing of it is compiled in here. */
#include "store/table.h"

#include "base/assert.h"
#include "base/atomic.h"
#include "base/futex.h"
#include "base/memory.h"

#include <pthread.h>
#include <signal.h>
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

/* Every so many hashes one is counted, so that additions do not all meet at one counter. */
#define COUNTED_SHARE 16

struct table {
    struct cds_lfht *nodes;
    table_match *match;
    uint64_t buckets_max;
    _Atomic uint64_t buckets; /* the grower's */
    struct table *next;       /* among those that want to grow */
    _Atomic uint32_t wants_growth;
    _Alignas(CACHE_LINE_BYTES) _Atomic int64_t counted;
    _Atomic int64_t counted_max; /* more of them ask for growth */
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

/* ---- Growing ---- */

/* One thread for all tables of the process, from the first to the last. */
static struct {
    pthread_mutex_t lock; /* of the next two; never taken inside a read section */
    uint64_t tables;
    pthread_t thread;
    _Atomic uint32_t stopping;
    _Atomic(struct table *) wanting;
    _Atomic uint32_t asked; /* futex of the thread */
    _Atomic uint32_t grown; /* futex of who waits for a table to be left alone */
} grower = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void grower_wake(void) {
    /* Release: pairs with the acquire in grower_run(). */
    ATOMIC_ADD(&grower.asked, 1, release);
    futex_wake(&grower.asked, 1);
}

/* Lock-free; allocates nothing. */
static void table_want_growth(struct table *table) {
    uint32_t no = 0;

    /* Acquire: pairs with the release in table_grow(); `next` is then out of use. */
    if (ATOMIC_LOAD(&table->wants_growth, relaxed) != 0 ||
        !ATOMIC_CAS(&table->wants_growth, &no, 1, acquire, relaxed)) {
        return;
    }
    table->next = ATOMIC_LOAD(&grower.wanting, relaxed);
    /* Release: pairs with the acquire in grower_run(), which reads `next`. */
    while (!ATOMIC_CAS(&grower.wanting, &table->next, table, release, relaxed)) {
    }
    grower_wake();
}

static void table_set_buckets(struct table *table, uint64_t buckets) {
    int64_t counted_max =
        buckets < table->buckets_max ? (int64_t)(buckets / COUNTED_SHARE) : INT64_MAX;

    ATOMIC_STORE(&table->buckets, buckets, relaxed);
    ATOMIC_STORE(&table->counted_max, counted_max, relaxed);
}

static void table_grow(struct table *table) {
    int64_t counted = ATOMIC_LOAD(&table->counted, relaxed);
    uint64_t nodes = counted > 0 ? (uint64_t)counted * COUNTED_SHARE : 0;
    uint64_t buckets = table_buckets(table);

    while (buckets < 2 * nodes && buckets < table->buckets_max) {
        buckets *= 2;
    }
    cds_lfht_resize(table->nodes, buckets);
    table_set_buckets(table, buckets);
    /* Release: pairs with the acquires in table_want_growth() and table_destroy(); the table may
     * now ask again, or go. */
    ATOMIC_STORE(&table->wants_growth, 0, release);
    /* Release: pairs with the acquire in table_destroy(). */
    ATOMIC_ADD(&grower.grown, 1, release);
    futex_wake(&grower.grown, FUTEX_ALL);
}

static void *grower_run(void *unused) {
    /* Acquire: as below. */
    while (ATOMIC_LOAD(&grower.stopping, acquire) == 0) {
        /* Acquire: pairs with the release in grower_wake(). A table put on the list after the
         * exchange changes `asked` after this, and the wait ends at once. */
        uint32_t asked = ATOMIC_LOAD(&grower.asked, acquire);
        /* Acquire: pairs with the release in table_want_growth(). */
        struct table *table = ATOMIC_EXCHANGE(&grower.wanting, NULL, acquire);
        if (table == NULL && ATOMIC_LOAD(&grower.stopping, acquire) == 0) {
            futex_wait(&grower.asked, asked, -1);
        }
        while (table != NULL) {
            struct table *next = table->next;
            table_grow(table);
            table = next;
        }
    }
    return unused;
}

/* False when there can be no thread. */
static bool grower_take(void) {
    bool taken = true;

    pthread_mutex_lock(&grower.lock);
    if (grower.tables == 0) {
        sigset_t all;
        sigset_t before;
        /* The host's signals are for the host's threads. */
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        taken = pthread_create(&grower.thread, NULL, grower_run, NULL) == 0;
        pthread_sigmask(SIG_SETMASK, &before, NULL);
    }
    grower.tables += taken;
    pthread_mutex_unlock(&grower.lock);
    return taken;
}

static void grower_give(void) {
    pthread_mutex_lock(&grower.lock);
    ASSERT(grower.tables > 0);
    grower.tables--;
    if (grower.tables == 0) {
        /* Release: pairs with the acquire in grower_run(). */
        ATOMIC_STORE(&grower.stopping, 1, release);
        grower_wake();
        pthread_join(grower.thread, NULL);
        ATOMIC_STORE(&grower.stopping, 0, relaxed);
    }
    pthread_mutex_unlock(&grower.lock);
}

/* ---- Nodes ---- */

uint64_t table_buckets(const struct table *table) {
    return ATOMIC_LOAD(&table->buckets, relaxed);
}

/* The reversed hash is what decides, for a node keeps that. */
static bool is_counted(const struct cds_lfht_node *node) {
    return node->reverse_hash % COUNTED_SHARE == 0;
}

struct table_node *table_add(struct table *table, uint64_t hash, const void *key,
                             struct table_node *node) {
    struct sought sought = {table->match, key};
    struct cds_lfht_node *new = (struct cds_lfht_node *)node;

    ASSERT((uintptr_t)node % _Alignof(struct table_node) == 0);
    TABLE_HAND_OVER(node);
    struct cds_lfht_node *in = cds_lfht_add_unique(table->nodes, hash, table_compare, &sought, new);
    if (in == new &&is_counted(new)) {
        int64_t counted = ATOMIC_ADD(&table->counted, 1, relaxed) + 1;
        if (counted > ATOMIC_LOAD(&table->counted_max, relaxed)) {
            table_want_growth(table);
        }
    }
    return (struct table_node *)in;
}

bool table_remove(struct table *table, struct table_node *node) {
    struct cds_lfht_node *old = (struct cds_lfht_node *)node;

    ASSERT(node != NULL);
    if (cds_lfht_del(table->nodes, old) != 0) {
        return false;
    }
    if (is_counted(old)) {
        ATOMIC_SUB(&table->counted, 1, relaxed);
    }
    return true;
}

/* ---- Life ---- */

struct table *table_create(uint64_t nodes_max, table_match *match) {
    uint64_t buckets_max = BUCKETS_MIN;

    while (buckets_max < nodes_max && buckets_max < BUCKETS_MAX) {
        buckets_max *= 2;
    }
    struct table *table = memory_map_lazy(sizeof *table);
    if (table == NULL) {
        return NULL;
    }
    if (!grower_take()) {
        memory_unmap(table, sizeof *table);
        return NULL;
    }
    table->match = match;
    table->buckets_max = buckets_max;
    table_set_buckets(table, BUCKETS_MIN);
    table->nodes = cds_lfht_new_flavor(BUCKETS_MIN, BUCKETS_MIN, buckets_max, 0, &rcu_flavor, NULL);
    /* NULL would mean sizes that are no powers of two. */
    ASSERT(table->nodes != NULL);
    return table;
}

/* Takes all nodes out, which liburcu insists on. */
static void table_forget(struct cds_lfht *nodes) {
    struct cds_lfht_iter place;
    uint64_t forgotten = 0;

    rcu_read_lock();
    cds_lfht_first(nodes, &place);
    while (cds_lfht_iter_get_node(&place) != NULL) {
        struct cds_lfht_node *node = cds_lfht_iter_get_node(&place);
        cds_lfht_next(nodes, &place);
        int status = cds_lfht_del(nodes, node);
        ASSERT(status == 0);
        forgotten++;
        if (forgotten % FORGOTTEN_MAX == 0) {
            /* The iterator stays good: nobody else changes the table, and no node goes. */
            rcu_read_unlock();
            rcu_read_lock();
        }
    }
    rcu_read_unlock();
}

void table_destroy(struct table *table) {
    for (;;) {
        /* Acquire: pairs with the release in table_grow(); a table that is left alone after this
         * load changes `grown`, and the wait ends. */
        uint32_t grown = ATOMIC_LOAD(&grower.grown, acquire);
        /* Acquire: pairs with the release in table_grow(), which is then done with the table. */
        if (ATOMIC_LOAD(&table->wants_growth, acquire) == 0) {
            break;
        }
        futex_wait(&grower.grown, grown, -1);
    }
    table_forget(table->nodes);
    int status = cds_lfht_destroy(table->nodes, NULL);
    ASSERT(status == 0);
    memory_unmap(table, sizeof *table);
    grower_give();
}
