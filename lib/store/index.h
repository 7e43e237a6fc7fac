/* Ordered lists: sets of (key, slot) pairs, read from the highest key down, page by page.
 *
 * One writer at a time (the thread that follows the log), any number of readers inside read
 * sections. Keys come mostly in rising order; insertion anywhere is allowed.
 *
 * A   an entry that is in the set during the whole of a page's reading, within the page's range, is
 *     in the page, once
 * B   pages are strictly falling in key
 * C   a reader takes no lock, never waits for the writer, and never sees memory that was given back
 *
 * A page is no snapshot: of what is inserted or removed while it is read, it may have any part.
 * Progress: readers are wait-free, a page takes O(log chunks + its length) steps as long as no more
 * than three quarters of the chunks are sparse, which the writer sees to; the writer waits for
 * nobody. Insertion at the end and removal are O(log chunks); insertion in the middle copies a
 * chunk, and every hundredth or so copies the directory (16 bytes a chunk).
 *
 * Chunks of up to INDEX_CHUNK_MAX sorted entries behind a directory; removal clears a bit; chunks
 * are replaced, and given back after a grace period through commit_defer(). */
#ifndef CELLAR_STORE_INDEX_H
#define CELLAR_STORE_INDEX_H

#include "base/memory.h"
#include "commit/commit.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INDEX_CHUNK_MAX 256

struct index;

struct index_entry {
    uint64_t key; /* below UINT64_MAX */
    uint32_t slot;
};

/* NULL when there is no memory. Memory is of kind MEMORY_INDEXES; `memory` is the one `commit`
 * gives deferred memory back to. */
struct index *index_create(struct commit *commit, struct memory *memory);
/* No reader may be inside. What was deferred before is given back by `commit`. */
void index_destroy(struct index *index);
/* Writer only. A key already there gets the new slot; what was written before the call is seen by
 * readers that find the slot. False when there is no memory: nothing changed. A key that is there
 * needs none. */
bool index_insert(struct index *index, uint64_t key, uint32_t slot);
/* Writer only. True when the key was there. Never fails for lack of memory. */
bool index_remove(struct index *index, uint64_t key);
/* Any thread. */
uint64_t index_count(const struct index *index);
/* Readers: up to `capacity` entries with keys below `before` (UINT64_MAX: from the newest), highest
 * first. */
size_t index_page(const struct index *index, uint64_t before, struct index_entry *entries_out,
                  size_t capacity);
/* True when the key is there. Readers. */
bool index_contains(const struct index *index, uint64_t key);
/* Writer only: asserts that everything inside is as it must be. O(entries); for tests. */
void index_validate(const struct index *index);

#endif
