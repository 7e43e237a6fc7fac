#include "store/collected.h"

#include "base/assert.h"

/* Stretches of the first block of an account, and of the largest; each has twice as many as the one
 * before. */
#define COLLECTED_BLOCK_MIN 4
#define COLLECTED_BLOCK_MAX 1024

static size_t collected_block_bytes(uint32_t capacity) {
    return sizeof(struct collected_block) + capacity * sizeof(struct collected_stretch);
}

/* ---- The following thread ---- */

/* The last stretch when the record belongs to it, else NULL: it begins another. */
static struct collected_stretch *collected_current(struct collected_block *block, uint64_t lsn) {
    uint32_t count = block == NULL ? 0 : ATOMIC_LOAD(&block->count, relaxed);
    if (count == 0) {
        /* A block without any is there only until collected_add() comes. */
        return NULL;
    }
    struct collected_stretch *last = &block->stretches[count - 1];
    ASSERT(lsn >= last->first_lsn);
    return lsn - last->first_lsn < COLLECTED_STRETCH_BYTES ? last : NULL;
}

bool collected_reserve(struct store_collected *collected, struct memory *memory, uint64_t lsn) {
    struct collected_block *newest = ATOMIC_LOAD(&collected->newest, relaxed);
    if (collected_current(newest, lsn) != NULL) {
        return true;
    }
    if (newest != NULL && ATOMIC_LOAD(&newest->count, relaxed) < newest->capacity) {
        return true;
    }
    uint32_t capacity = newest == NULL                            ? COLLECTED_BLOCK_MIN
                        : newest->capacity == COLLECTED_BLOCK_MAX ? COLLECTED_BLOCK_MAX
                                                                  : 2 * newest->capacity;
    struct collected_block *block =
        memory_allocate(memory, MEMORY_ACCOUNTS, collected_block_bytes(capacity));
    if (block == NULL) {
        return false;
    }
    block->older = newest;
    block->capacity = capacity;
    ATOMIC_STORE(&block->count, 0, relaxed);
    /* Release: pairs with the acquire in collected_find(); who finds the block sees how it begins.
     */
    ATOMIC_STORE(&collected->newest, block, release);
    return true;
}

void collected_add(struct store_collected *collected, uint64_t lsn, int64_t amount) {
    ASSERT(amount > 0);
    struct collected_block *newest = ATOMIC_LOAD(&collected->newest, relaxed);
    struct collected_stretch *current = collected_current(newest, lsn);
    uint64_t sum = ATOMIC_LOAD(&collected->sum, relaxed);
    if (current != NULL) {
        /* Relaxed: whoever asks for this record has seen `projected` pass it. */
        ATOMIC_STORE(&current->last_lsn, lsn, relaxed);
    } else {
        uint32_t count = ATOMIC_LOAD(&newest->count, relaxed);
        ASSERT(count < newest->capacity);
        struct collected_stretch *added = &newest->stretches[count];
        added->first_lsn = lsn;
        added->before = sum;
        ATOMIC_STORE(&added->last_lsn, lsn, relaxed);
        /* Release: pairs with the acquire in collected_find(); the stretch is filled in. */
        ATOMIC_STORE(&newest->count, count + 1, release);
    }
    /* One thread writes. Release: pairs with the acquire in store_unsettled(). */
    ATOMIC_STORE(&collected->sum, sum + (uint64_t)amount, release);
}

bool collected_is_sound(const struct store_collected *collected) {
    const struct collected_block *block = ATOMIC_LOAD(&collected->newest, relaxed);
    uint64_t next_lsn = UINT64_MAX;
    uint64_t next_before = ATOMIC_LOAD(&collected->sum, relaxed);
    for (; block != NULL; block = block->older) {
        for (uint32_t i = ATOMIC_LOAD(&block->count, relaxed); i > 0; i--) {
            const struct collected_stretch *stretch = &block->stretches[i - 1];
            uint64_t last_lsn = ATOMIC_LOAD(&stretch->last_lsn, relaxed);
            if (stretch->first_lsn > last_lsn || last_lsn >= next_lsn ||
                (int64_t)(next_before - stretch->before) <= 0) {
                return false;
            }
            next_lsn = stretch->first_lsn;
            next_before = stretch->before;
        }
    }
    return next_before == 0;
}

void collected_destroy(struct store_collected *collected, struct memory *memory) {
    struct collected_block *block = ATOMIC_LOAD(&collected->newest, relaxed);
    while (block != NULL) {
        struct collected_block *older = block->older;
        memory_release(memory, MEMORY_ACCOUNTS, block, collected_block_bytes(block->capacity));
        block = older;
    }
}

/* ---- Readers ---- */

/* How many of the first `count` stretches begin in the past: they are the first ones, and the very
 * first is one of them. It is not asked for again: the answer may have cost a read of the log,
 * which may fail the second time. */
static uint32_t collected_count_past(const struct collected_block *block, uint32_t count,
                                     collected_is_past *is_past, void *context) {
    uint32_t low = 1;
    while (low < count) {
        uint32_t middle = low + (count - low) / 2;
        if (is_past(context, block->stretches[middle].first_lsn)) {
            low = middle + 1;
        } else {
            count = middle;
        }
    }
    return low;
}

struct collected_view collected_find(const struct store_collected *collected,
                                     collected_is_past *is_past, void *context) {
    /* Acquire: pairs with the release in collected_reserve(). */
    const struct collected_block *block = ATOMIC_LOAD(&collected->newest, acquire);
    /* Ends: blocks are linked to older ones. */
    for (; block != NULL; block = block->older) {
        /* Acquire: pairs with the release in collected_add(). */
        uint32_t count = ATOMIC_LOAD(&block->count, acquire);
        if (count == 0 || !is_past(context, block->stretches[0].first_lsn)) {
            continue;
        }
        const struct collected_stretch *found =
            &block->stretches[collected_count_past(block, count, is_past, context) - 1];
        return (struct collected_view){.first_lsn = found->first_lsn,
                                       .last_lsn = ATOMIC_LOAD(&found->last_lsn, relaxed),
                                       .before = found->before};
    }
    return (struct collected_view){.first_lsn = 0};
}
