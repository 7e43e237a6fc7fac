/* Slots: numbers of objects in a type-stable array, 1 to a limit, taken and given back by any
 * thread without a lock.
 *
 * A   a slot is held by one taker at a time
 * B   memory of a slot is never unmapped while the store is open
 * The free list is Treiber's stack (R. K. Treiber, IBM RJ 5118, 1986) with a tag against ABA; links
 * are an array beside it. */
#ifndef CELLAR_STORE_SLOTS_H
#define CELLAR_STORE_SLOTS_H

#include "base/memory.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct slots {
    _Alignas(64) _Atomic uint64_t free; /* tag in the upper half, slot in the lower, 0: none */
    _Atomic uint32_t next;              /* never taken so far */
    uint32_t limit;                     /* highest slot */
    _Atomic uint32_t *links;
    struct memory *memory;
    enum memory_kind kind;
    size_t slot_bytes; /* counted for each slot ever taken */
};

/* False when address space is short. */
bool slots_create(struct slots *slots, struct memory *memory, enum memory_kind kind, uint32_t limit,
                  size_t slot_bytes);
void slots_destroy(struct slots *slots);
/* 0 when all are taken. */
uint32_t slots_take(struct slots *slots);
void slots_give(struct slots *slots, uint32_t slot);
/* Recovery, one thread: marks `slot` and all below as once taken. False when it is over the limit.
 */
bool slots_raise(struct slots *slots, uint32_t slot);
/* Recovery, one thread: empties the list of free slots, which is then made anew. */
void slots_forget_free(struct slots *slots);
/* One more than the highest slot ever taken. */
uint32_t slots_end(const struct slots *slots);

#endif
