/* Ordered lists. How readers get what index.h promises without a lock:
 *
 * 1  A place of a directory stands for a range of keys. All keys of the range are in its chunk, and
 *    a chunk that takes the place of another has all its live entries; NULL takes the place of a
 *    chunk that has none.
 * 2  Whatever brings a live entry into another place (a split, a merge) is done in a new directory.
 *    The old one, and the chunks that the new one does not have, are not changed any more. A place
 *    that is added to a directory already read is for keys above all that were in it.
 * 3  In a chunk, only slots and live bits change, and the count, which grows.
 *
 * A reader loads the directory once and goes through its places from high to low, taking only keys
 * below the last it took: hence B, and "once" in A. Now take an entry that is in the set all the
 * while. If the directory is still the current one when the reader loads the chunk from the entry's
 * place, this chunk is the current one too; if it has been replaced by then, its place has the
 * chunk that was current when it was. Both are instants during the reading, so the chunk has the
 * entry, and its bit, which only the entry's removal clears, is set when the reader looks: A.
 *
 * A copy of a directory leaves NULL places out, and the place before stands for their range too.
 * Keys that come into its chunk so are then, for a reader of the old directory, in a place too low,
 * but still above all else in this place and below all else in the places above it: B holds there
 * as well, and A says nothing about keys that came later.
 *
 * What is deferred is no more reachable from the current directory. A reader that enters its
 * section later starts from that one; a reader that entered before is waited for, whichever
 * directory it uses: C. */
#include "store/index.h"

#include "base/assert.h"
#include "base/atomic.h"
#include "store/chunk.h"
#include "store/directory.h"

/* When the last chunk is split, keys have come in the wrong order near the end, and what follows
 * will be near the end as well: the lower part, which is left alone, should be nearly full. */
#define SPLIT_LAST (INDEX_CHUNK_MAX - INDEX_CHUNK_MAX / 8)

struct index {
    struct commit *commit;
    struct memory *memory;
    _Atomic(struct directory *) directory; /* NULL until the first insertion */
    _Atomic uint64_t count;
};

/* ---- Reading ---- */

size_t index_page(const struct index *index, uint64_t before, struct index_entry *entries_out,
                  size_t capacity) {
    /* Acquire: pairs with the release in index_publish(); without it places could be seen before
     * they are filled in. */
    const struct directory *directory = ATOMIC_LOAD(&index->directory, acquire);
    size_t taken = 0;

    if (directory == NULL) {
        return 0;
    }
    uint32_t place = directory_places_below(directory, before);
    while (place > 0 && taken < capacity) {
        place--;
        const struct chunk *chunk = directory_chunk(directory, place);
        if (chunk == NULL) {
            continue;
        }
        if (taken > 0) {
            before = entries_out[taken - 1].key;
        }
        taken += chunk_page(chunk, before, entries_out + taken, capacity - taken);
    }
    return taken;
}

bool index_contains(const struct index *index, uint64_t key) {
    /* Acquire: as in index_page(). */
    const struct directory *directory = ATOMIC_LOAD(&index->directory, acquire);
    uint32_t position;

    if (directory == NULL || key == UINT64_MAX) {
        return false;
    }
    const struct chunk *chunk = directory_chunk(directory, directory_find(directory, key));
    return chunk != NULL && chunk_find(chunk, key, &position) && chunk_is_live(chunk, position);
}

uint64_t index_count(const struct index *index) {
    return ATOMIC_LOAD(&index->count, relaxed);
}

/* ---- Writing ---- */

static struct directory *index_directory(const struct index *index) {
    return ATOMIC_LOAD(&index->directory, relaxed);
}

/* The directory before is to be deferred by the caller. */
static void index_publish(struct index *index, struct directory *directory) {
    /* Release: pairs with the acquire in index_page() and index_contains(); whoever finds the
     * directory sees its places. */
    ATOMIC_STORE(&index->directory, directory, release);
}

static void index_count_entry(struct index *index) {
    ATOMIC_STORE(&index->count, index_count(index) + 1, relaxed);
}

/* A key that is in the chunk, live or not. */
static void index_renew(struct index *index, struct directory *directory, struct chunk *chunk,
                        uint32_t position, uint32_t slot) {
    chunk_set_slot(chunk, position, slot);
    if (!chunk_is_live(chunk, position)) {
        directory_forget(directory, chunk);
        chunk_set_live(chunk, position, true);
        directory_note(directory, chunk);
        index_count_entry(index);
    }
}

/* Two chunks instead of the one in this place, which may be the lower of them. */
static bool index_split(struct index *index, uint32_t place, struct chunk *lower,
                        struct chunk *upper) {
    struct directory *directory = index_directory(index);
    struct chunk *chunk = directory_chunk(directory, place);
    struct directory *copy = directory_split(directory, index->memory, place, lower, upper);

    if (copy == NULL) {
        return false;
    }
    index_publish(index, copy);
    commit_defer(index->commit, &directory->deferred);
    if (chunk != lower) {
        commit_defer(index->commit, &chunk->deferred);
    }
    return true;
}

/* A chunk for the highest keys. */
static bool index_append_place(struct index *index, struct index_entry entry) {
    struct directory *directory = index_directory(index);
    uint32_t count = directory_count(directory);
    struct chunk *chunk = chunk_create(index->memory, &entry, 1);

    if (chunk == NULL) {
        return false;
    }
    if (count < directory->capacity) {
        directory_append(directory, entry.key, chunk);
    } else if (!index_split(index, count - 1, directory_chunk(directory, count - 1), chunk)) {
        chunk_release(&chunk->deferred, index->memory);
        return false;
    }
    return true;
}

/* Two chunks with the given entries, more than fit one, instead of that in this place. */
static bool index_split_entries(struct index *index, uint32_t place,
                                const struct index_entry *entries, uint32_t count) {
    uint32_t last = directory_count(index_directory(index)) - 1;
    uint32_t lower_count = place == last ? SPLIT_LAST : count / 2;
    struct chunk *lower = chunk_create(index->memory, entries, lower_count);
    struct chunk *upper = chunk_create(index->memory, entries + lower_count, count - lower_count);

    if (lower != NULL && upper != NULL && index_split(index, place, lower, upper)) {
        return true;
    }
    if (lower != NULL) {
        chunk_release(&lower->deferred, index->memory);
    }
    if (upper != NULL) {
        chunk_release(&upper->deferred, index->memory);
    }
    return false;
}

/* Copies the live entries of the chunk in this place and the new one, which belongs at `position`,
 * into a chunk of the right size, or two. */
static bool index_rebuild(struct index *index, uint32_t place, uint32_t position,
                          struct index_entry entry) {
    struct directory *directory = index_directory(index);
    struct chunk *chunk = directory_chunk(directory, place);
    struct index_entry entries[INDEX_CHUNK_MAX + 1];

    uint32_t count = chunk_gather(chunk, 0, position, entries);
    entries[count++] = entry;
    count += chunk_gather(chunk, position, chunk_count(chunk), entries + count);
    if (count > INDEX_CHUNK_MAX) {
        return index_split_entries(index, place, entries, count);
    }
    struct chunk *copy = chunk_create(index->memory, entries, count);
    if (copy == NULL) {
        return false;
    }
    directory_set(directory, place, copy);
    commit_defer(index->commit, &chunk->deferred);
    return true;
}

/* A key that is not in the chunk in this place; `position` is that of the next higher one. */
static bool index_add(struct index *index, uint32_t place, uint32_t position,
                      struct index_entry entry) {
    struct directory *directory = index_directory(index);
    struct chunk *chunk = directory_chunk(directory, place);

    if (position == chunk_count(chunk)) {
        if (position < chunk->capacity) {
            directory_forget(directory, chunk);
            chunk_append(chunk, entry.key, entry.slot);
            directory_note(directory, chunk);
            return true;
        }
        /* A full last chunk stays as it is, unless half of it is dead. */
        if (place == directory_count(directory) - 1 && chunk->live > INDEX_CHUNK_MAX / 2) {
            ASSERT(chunk->capacity == INDEX_CHUNK_MAX);
            return index_append_place(index, entry);
        }
    }
    return index_rebuild(index, place, position, entry);
}

/* A key whose place has no chunk. */
static bool index_fill_place(struct index *index, uint32_t place, struct index_entry entry) {
    struct chunk *chunk = chunk_create(index->memory, &entry, 1);

    if (chunk != NULL) {
        directory_set(index_directory(index), place, chunk);
    }
    return chunk != NULL;
}

static bool index_start(struct index *index, struct index_entry entry) {
    struct directory *directory = directory_create(index->memory, 1);

    if (directory == NULL) {
        return false;
    }
    struct chunk *chunk = chunk_create(index->memory, &entry, 1);
    if (chunk == NULL) {
        directory_release(&directory->deferred, index->memory);
        return false;
    }
    directory_append(directory, 0, chunk);
    index_publish(index, directory);
    return true;
}

bool index_insert(struct index *index, uint64_t key, uint32_t slot) {
    struct directory *directory = index_directory(index);
    struct index_entry entry = {.key = key, .slot = slot};
    bool inserted;

    ASSERT(key < UINT64_MAX);
    if (directory == NULL) {
        inserted = index_start(index, entry);
    } else {
        uint32_t place = directory_find(directory, key);
        struct chunk *chunk = directory_chunk(directory, place);
        uint32_t position;
        if (chunk == NULL) {
            inserted = index_fill_place(index, place, entry);
        } else if (chunk_find(chunk, key, &position)) {
            index_renew(index, directory, chunk, position, slot);
            return true;
        } else {
            inserted = index_add(index, place, position, entry);
        }
    }
    if (inserted) {
        index_count_entry(index);
    }
    return inserted;
}

/* Without memory nothing happens; the next chunk that becomes sparse is the occasion to try again.
 */
static void index_compact(struct index *index) {
    struct directory *directory = index_directory(index);
    struct directory *copy = directory_merge(directory, index->memory);

    if (copy == NULL) {
        return;
    }
    index_publish(index, copy);
    directory_defer_merged(directory, index->commit);
    commit_defer(index->commit, &directory->deferred);
}

bool index_remove(struct index *index, uint64_t key) {
    struct directory *directory = index_directory(index);
    uint32_t position;

    ASSERT(key < UINT64_MAX);
    if (directory == NULL) {
        return false;
    }
    uint32_t place = directory_find(directory, key);
    struct chunk *chunk = directory_chunk(directory, place);
    if (chunk == NULL || !chunk_find(chunk, key, &position) || !chunk_is_live(chunk, position)) {
        return false;
    }
    directory_forget(directory, chunk);
    chunk_set_live(chunk, position, false);
    directory_note(directory, chunk);
    ATOMIC_STORE(&index->count, index_count(index) - 1, relaxed);

    uint32_t live = chunk->live;
    if (live == 0 && place != directory_count(directory) - 1) {
        directory_set(directory, place, NULL);
        commit_defer(index->commit, &chunk->deferred);
    }
    if ((live == 0 || live == CHUNK_SPARSE_MAX) && directory_is_sparse(directory)) {
        index_compact(index);
    }
    return true;
}

/* ---- Life ---- */

struct index *index_create(struct commit *commit, struct memory *memory) {
    /* Or deferred memory would be given back to another domain than it was taken from. */
    ASSERT(commit->memory == memory);
    struct index *index = memory_allocate(memory, MEMORY_INDEXES, sizeof *index);
    if (index == NULL) {
        return NULL;
    }
    index->commit = commit;
    index->memory = memory;
    atomic_init(&index->directory, NULL);
    atomic_init(&index->count, 0);
    return index;
}

void index_destroy(struct index *index) {
    struct directory *directory = index_directory(index);

    if (directory != NULL) {
        for (uint32_t i = 0; i < directory_count(directory); i++) {
            struct chunk *chunk = directory_chunk(directory, i);
            if (chunk != NULL) {
                chunk_release(&chunk->deferred, index->memory);
            }
        }
        directory_release(&directory->deferred, index->memory);
    }
    memory_release(index->memory, MEMORY_INDEXES, index, sizeof *index);
}

void index_validate(const struct index *index) {
    const struct directory *directory = index_directory(index);
    uint64_t live = 0;
    uint32_t sparse = 0;

    for (uint32_t i = 0; directory != NULL && i < directory_count(directory); i++) {
        const struct chunk *chunk = directory_chunk(directory, i);
        bool last = i == directory_count(directory) - 1;
        uint64_t floor = directory->places[i].floor;
        uint64_t limit = last ? UINT64_MAX : directory->places[i + 1].floor;
        ASSERT(floor < limit);
        ASSERT((floor == 0) == (i == 0));
        ASSERT(chunk != NULL || !last);
        if (chunk == NULL) {
            sparse++;
            continue;
        }
        ASSERT(chunk->live > 0 || last);
        chunk_validate(chunk, floor, limit);
        sparse += chunk->live <= CHUNK_SPARSE_MAX;
        live += chunk->live;
    }
    ASSERT(directory == NULL || directory->sparse == sparse);
    ASSERT(live == index_count(index));
}
