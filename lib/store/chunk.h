/* Chunks of an ordered list (store/index.h): up to INDEX_CHUNK_MAX entries sorted by key, each live
 * or not.
 *
 * A   keys never change, and whoever counts an entry sees its key, its slot and its live bit
 * B   slots and live bits change in place, a word each; the bit an entry gets when it comes back is
 *     not seen without its new slot
 *
 * One writer; any number of readers. Neither waits. */
#ifndef CELLAR_STORE_CHUNK_H
#define CELLAR_STORE_CHUNK_H

#include "base/atomic.h"
#include "commit/commit.h"
#include "store/index.h"

#define CHUNK_WORDS (INDEX_CHUNK_MAX / 64)
/* Sparse is a chunk with as many live entries or fewer. */
#define CHUNK_SPARSE_MAX (INDEX_CHUNK_MAX / 4)

struct chunk {
    struct commit_deferred deferred;
    uint32_t capacity;
    uint32_t live; /* writer's: bits that are set */
    _Atomic uint32_t count;
    _Atomic uint64_t bits[CHUNK_WORDS];
    uint64_t keys[]; /* `capacity` of them, rising; behind them as many slots */
};

/* A copy of the entries, which rise in key, all live, with room for more unless full. NULL when
 * there is no memory. */
struct chunk *chunk_create(struct memory *memory, const struct index_entry *entries,
                           uint32_t count);
/* For commit_defer(), or for a chunk that no reader has seen. */
void chunk_release(struct commit_deferred *deferred, struct memory *memory);

/* Any thread. The number of keys below the limit. */
uint32_t chunk_keys_below(const struct chunk *chunk, uint64_t limit);
/* Any thread. The key's position, or that of the next higher one; true when the key is there, live
 * or not. */
bool chunk_find(const struct chunk *chunk, uint64_t key, uint32_t *position_out);
/* Any thread. For a position that was found. */
bool chunk_is_live(const struct chunk *chunk, uint32_t position);
/* Any thread. Up to `capacity` live entries with keys below `before`, highest first. */
size_t chunk_page(const struct chunk *chunk, uint64_t before, struct index_entry *entries_out,
                  size_t capacity);

/* Writer only, all of these. */
uint32_t chunk_count(const struct chunk *chunk);
/* There is room, and the key is higher than the chunk's. */
void chunk_append(struct chunk *chunk, uint64_t key, uint32_t slot);
void chunk_set_slot(struct chunk *chunk, uint32_t position, uint32_t slot);
void chunk_set_live(struct chunk *chunk, uint32_t position, bool live);
/* Copies the live entries of the positions from `first` to before `end`; returns their number. */
uint32_t chunk_gather(const struct chunk *chunk, uint32_t first, uint32_t end,
                      struct index_entry *entries_out);
/* Asserts that the keys rise within [floor, limit), and the bits agree with the counters. */
void chunk_validate(const struct chunk *chunk, uint64_t floor, uint64_t limit);

#endif
