/* The two accesses to a cell. x86-64: cmpxchg16b. aarch64: casp or ldxp/stlxp, as the compiler is
 * told. */
#include "commit/cell.h"

#if defined(__SANITIZE_THREAD__)
#define CELL_SANITIZE_THREAD 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define CELL_SANITIZE_THREAD 1
#endif
#endif

#ifdef CELL_SANITIZE_THREAD
/* The sanitizer's own 16-byte compare-and-swap writes the two words one after the other under a
 * lock that cell_load() does not take. So the instruction itself is used there too, and the order
 * it makes is told by hand. */
void __tsan_acquire(void *address);
void __tsan_release(void *address);
#define CELL_ACQUIRED(cell) __tsan_acquire((void *)&(cell)->version)
#define CELL_RELEASED(cell) __tsan_release((void *)&(cell)->version)
#else
#define CELL_ACQUIRED(cell) ((void)0)
#define CELL_RELEASED(cell) ((void)0)
#endif

__extension__ typedef unsigned __int128 __attribute__((may_alias)) cell_word;

struct cell_content cell_load(const struct cell *cell) {
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

static cell_word cell_pack(struct cell_content content) {
    return ((cell_word)content.version << 64) | (uint64_t)content.value;
}

__attribute__((no_sanitize_thread)) static bool
cell_swap_words(struct cell *cell, cell_word expected, cell_word desired) {
    return __sync_bool_compare_and_swap((cell_word *)(void *)cell, expected, desired);
}

bool cell_swap(struct cell *cell, struct cell_content expected, struct cell_content desired) {
    CELLAR_SCHEDULE_POINT();
    CELL_RELEASED(cell);
    bool swapped = cell_swap_words(cell, cell_pack(expected), cell_pack(desired));
    CELL_ACQUIRED(cell);
    return swapped;
}
