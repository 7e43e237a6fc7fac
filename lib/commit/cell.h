/* A cell: 16 aligned bytes {value, version} that change together, by a 16-byte compare-and-swap
 * only.
 *
 * The version is the LSN of the record that wrote the value (a multiple of 64), or, while a
 * transaction is in flight, that transaction's `lsn | 1`: the cell is then *claimed*, its value
 * still the old one, and the record behind the LSN says which value holds. A cell never written
 * holds {0, 0}. */
#ifndef CELLAR_COMMIT_CELL_H
#define CELLAR_COMMIT_CELL_H

#include "base/atomic.h"

#include <stdbool.h>
#include <stdint.h>

struct cell {
    _Alignas(16) _Atomic int64_t value;
    _Atomic uint64_t version;
};
_Static_assert(sizeof(struct cell) == 16, "a cell is one 16-byte compare-and-swap");

struct cell_content {
    int64_t value;
    uint64_t version;
};

/* Cells are named by a 32-bit index: the class in the upper 4 bits, the slot in the lower 28. The
 * index is the cell's place in the global order in which every transaction claims, for life: what
 * is private to one customer comes first, what is contended last. */
#define CELL_CLASS_BITS 4
/* Fewer only in a build for valgrind, which does not hand out so much address space. */
#ifndef CELL_SLOT_BITS
#define CELL_SLOT_BITS 28
#endif
#define CELL_CLASS_COUNT (1u << CELL_CLASS_BITS)
#define CELL_SLOT_COUNT (1u << CELL_SLOT_BITS)
#define CELL_INDEX(class, slot) (((uint32_t)(class) << CELL_SLOT_BITS) | (uint32_t)(slot))
#define CELL_CLASS(index) ((index) >> CELL_SLOT_BITS)
#define CELL_SLOT(index) ((index) & (CELL_SLOT_COUNT - 1))

#define CELL_CLAIMED UINT64_C(1)

static inline bool cell_is_claimed(uint64_t version) {
    return (version & CELL_CLAIMED) != 0;
}

/* The two accesses to a cell, in every path of a commit, hence inline. */

/* {value, version} at one instant, claimed or not. Lock-free: tries again only when the cell
 * changed between its two loads of the version. A version never returns with another value, so
 * equal versions enclose the right value. */
static inline struct cell_content cell_load(const struct cell *cell) {
    struct cell_content content;
    /* Sequentially consistent for resolve_finish(), see resolve_claim(). */
    uint64_t version = ATOMIC_LOAD(&cell->version, seq_cst);
    do {
        content.version = version;
        /* Acquire, twice: the value is read after the version before it and before the version
         * behind it. Pairs with the swap that wrote both. */
        content.value = ATOMIC_LOAD(&cell->value, acquire);
        version = ATOMIC_LOAD(&cell->version, acquire);
    } while (version != content.version);
    return content;
}

__extension__ typedef unsigned __int128 __attribute__((may_alias)) cell_word;

static inline cell_word cell_pack(struct cell_content content) {
    return ((cell_word)content.version << 64) | (uint64_t)content.value;
}

/* x86-64: cmpxchg16b. aarch64: casp or ldxp/stlxp, as the compiler is told.
 * ThreadSanitizer's own 16-byte compare-and-swap writes the two words one after the other under a
 * lock that cell_load() does not take. So the instruction itself is used there too, and
 * cell_swap() tells of the order it makes. */
__attribute__((no_sanitize_thread)) static inline bool
cell_swap_words(struct cell *cell, cell_word expected, cell_word desired) {
    return __sync_bool_compare_and_swap((cell_word *)(void *)cell, expected, desired);
}

/* One 16-byte compare-and-swap, sequentially consistent. True when it happened. */
static inline bool cell_swap(struct cell *cell, struct cell_content expected,
                             struct cell_content desired) {
    CELLAR_SCHEDULE_POINT();
    ATOMIC_TELL_RELEASE(&cell->version);
    bool swapped = cell_swap_words(cell, cell_pack(expected), cell_pack(desired));
    ATOMIC_TELL_ACQUIRE(&cell->version);
    return swapped;
}

#endif
