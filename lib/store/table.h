/* Hash tables from keys to the slots of a type-stable array: chains through the objects, heads in
 * one array of fixed size.
 *
 * A   an object that was added and not removed is found by every look-up that starts after the
 *     addition returned
 * B   of several objects with equal keys that are added at the same time, exactly one gets in
 * C   a removed object may still be met by look-ups under way: its slot is used again after a grace
 *     period only
 *
 * Progress: look-ups take as many steps as the chain is long and never wait; an addition fails an
 * attempt only because another one on the same chain succeeded. Look-ups and additions: any thread,
 * inside a read section. Removals: one thread at a time, inside a read section.
 *
 * Why not a library's table: see "The hash table" in docs/ARCHITECTURE.md. */
#ifndef CELLAR_STORE_TABLE_H
#define CELLAR_STORE_TABLE_H

#include "base/memory.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Objects to a bucket when all slots are taken. Each object that a look-up passes by is a wait for
 * memory. A bucket has 4 bytes, so a table costs 4 to 8 bytes for each slot it may hold, and one
 * for more than TABLE_FEW_MAX half of that. */
#define TABLE_LOAD_FEW 1
#define TABLE_LOAD_MANY 2
#define TABLE_FEW_MAX (1u << 22)
#define TABLE_BUCKETS_MIN 1024

/* First member of every object. */
struct table_link {
    _Atomic uint32_t next; /* slot of the next object of the chain; 0: none */
    uint32_t tag;          /* part of the hash: keys are compared only where it is equal */
};

/* True when the object has the key. */
typedef bool table_match(const void *object, const void *key);

struct table {
    _Atomic uint32_t *heads;
    uint64_t mask;
    unsigned char *objects;
    size_t object_bytes;
    table_match *match;
    struct memory *memory;
};

/* A table for the objects of an array of slots 0 to slot_max (0 is never in it). False when address
 * space is short. */
bool table_create(struct table *table, struct memory *memory, void *objects, size_t object_bytes,
                  uint32_t slot_max, table_match *match);
void table_destroy(struct table *table);
/* Hints for who is about to look several keys up: the head of the key's chain, and then, once that
 * is near, the first object of the chain. Look-ups are mostly waits for memory, and several waits
 * pass in the time of one. */
void table_fetch_head(const struct table *table, uint64_t hash);
void table_fetch_first(const struct table *table, uint64_t hash);
/* 0: there is none. */
uint32_t table_find(const struct table *table, uint64_t hash, const void *key);
/* Adds the object in `slot` and returns `slot`, or returns the slot that was there with this
 * key. */
uint32_t table_add(struct table *table, uint64_t hash, const void *key, uint32_t slot);
/* The object must be in the table, with this hash. */
void table_remove(struct table *table, uint64_t hash, uint32_t slot);

#endif
