#include "store/table.h"

#include "base/assert.h"
#include "base/atomic.h"
#include "base/probe.h"

static struct table_link *table_link_of(const struct table *table, uint32_t slot) {
    return (struct table_link *)(void *)(table->objects + slot * table->object_bytes);
}

static _Atomic uint32_t *table_head(const struct table *table, uint64_t hash) {
    return &table->heads[hash & table->mask];
}

static uint32_t table_tag(uint64_t hash) {
    return (uint32_t)(hash >> 32);
}

static size_t table_bytes(const struct table *table) {
    return (size_t)(table->mask + 1) * sizeof *table->heads;
}

bool table_create(struct table *table, struct memory *memory, void *objects, size_t object_bytes,
                  uint32_t slot_max, table_match *match) {
    uint64_t buckets = TABLE_BUCKETS_MIN;
    uint32_t load = slot_max <= TABLE_FEW_MAX ? TABLE_LOAD_FEW : TABLE_LOAD_MANY;
    while (buckets < slot_max / load) {
        buckets *= 2;
    }
    *table = (struct table){.mask = buckets - 1,
                            .objects = objects,
                            .object_bytes = object_bytes,
                            .match = match,
                            .memory = memory};
    /* Reads as zero, which is an empty chain: nothing has to be set up. */
    table->heads = memory_map_lazy(table_bytes(table));
    if (table->heads == NULL) {
        return false;
    }
    memory_count(memory, MEMORY_TABLES, (int64_t)table_bytes(table));
    return true;
}

void table_destroy(struct table *table) {
    if (table->heads != NULL) {
        memory_count(table->memory, MEMORY_TABLES, -(int64_t)table_bytes(table));
        memory_unmap(table->heads, table_bytes(table));
        table->heads = NULL;
    }
}

void table_fetch_head(const struct table *table, uint64_t hash) {
    __builtin_prefetch((const void *)table_head(table, hash));
}

void table_fetch_first(const struct table *table, uint64_t hash) {
    uint32_t slot = ATOMIC_LOAD(table_head(table, hash), relaxed);
    const unsigned char *object = table->objects + slot * table->object_bytes;
    __builtin_prefetch(object);
    if (table->object_bytes > CACHE_LINE_BYTES) {
        __builtin_prefetch(object + CACHE_LINE_BYTES);
    }
}

/* The key's object in the chain that begins at `slot`. */
static uint32_t table_search(const struct table *table, uint64_t hash, const void *key,
                             uint32_t slot) {
    while (slot != 0) {
        const struct table_link *link = table_link_of(table, slot);
        if (link->tag == table_tag(hash) && table->match(link, key)) {
            return slot;
        }
        /* Acquire: pairs with the release in table_add() that linked what follows; a removal takes
         * out what stands between and changes no other link. */
        slot = ATOMIC_LOAD(&link->next, acquire);
    }
    return 0;
}

uint32_t table_find(const struct table *table, uint64_t hash, const void *key) {
    /* Acquire: pairs with the release in table_add(); the object's content comes with its slot. */
    return table_search(table, hash, key, ATOMIC_LOAD(table_head(table, hash), acquire));
}

uint32_t table_add(struct table *table, uint64_t hash, const void *key, uint32_t slot) {
    _Atomic uint32_t *head = table_head(table, hash);
    struct table_link *link = table_link_of(table, slot);
    ASSERT(slot != 0);
    link->tag = table_tag(hash);
    /* Acquire: as in table_find(). */
    uint32_t first = ATOMIC_LOAD(head, acquire);
    do {
        /* Additions are made at the head only: when the swap finds the head that was searched from,
         * nothing was added since. A head that was removed does not come back while our read
         * section lasts. */
        uint32_t found = table_search(table, hash, key, first);
        if (found != 0) {
            return found;
        }
        PROBE("table-add", slot);
        ATOMIC_STORE(&link->next, first, relaxed);
        /* Release: pairs with the acquires above; who sees the slot sees the object. */
    } while (!ATOMIC_CAS(head, &first, slot, acq_rel, acquire));
    return slot;
}

void table_remove(struct table *table, uint64_t hash, uint32_t slot) {
    _Atomic uint32_t *head = table_head(table, hash);
    /* Only the caller changes links of objects that are in, so this one stays as it is; a look-up
     * that stands on the object goes on through it. */
    uint32_t next = ATOMIC_LOAD(&table_link_of(table, slot)->next, acquire);
    uint32_t before = slot;
    if (ATOMIC_CAS(head, &before, next, acq_rel, acquire)) {
        return;
    }
    /* Not at the head, and never there again: the object before it stays the same one. */
    struct table_link *link;
    do {
        ASSERT(before != 0);
        link = table_link_of(table, before);
        before = ATOMIC_LOAD(&link->next, acquire);
    } while (before != slot);
    /* Release: pairs with the acquire in table_search(). */
    ATOMIC_STORE(&link->next, next, release);
}
