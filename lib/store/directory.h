/* The directory of an ordered list (store/index.h): places, each for a range of keys, with a chunk
 * or NULL.
 *
 * A   a place's range, from its floor to below the floor of the next, stays what it is; the first
 *     floor is 0, the last range has no end until a place is appended
 * B   whoever counts a place sees its floor; whoever finds a chunk sees what is in it
 *
 * One writer; any number of readers. Neither waits. Splits and merges make new directories. */
#ifndef CELLAR_STORE_DIRECTORY_H
#define CELLAR_STORE_DIRECTORY_H

#include "commit/commit.h"
#include "store/chunk.h"

struct place {
    uint64_t floor;
    _Atomic(struct chunk *) chunk; /* never NULL in the last place */
};

struct directory {
    struct commit_deferred deferred;
    uint32_t capacity;
    uint32_t sparse; /* writer's: places whose chunk is sparse, or NULL */
    _Atomic uint32_t count;
    struct place places[];
};

/* Any thread. How many places have a floor below `limit`. */
uint32_t directory_places_below(const struct directory *directory, uint64_t limit);
/* Any thread. The place whose range has the key. */
uint32_t directory_find(const struct directory *directory, uint64_t key);
/* Any thread. */
struct chunk *directory_chunk(const struct directory *directory, uint32_t place);

/* Writer only, all of these. */

/* Without places, with room for `count` and some more. NULL when there is no memory. */
struct directory *directory_create(struct memory *memory, uint32_t count);
/* For commit_defer(), or for a directory that no reader has seen. Chunks are the caller's. */
void directory_release(struct commit_deferred *deferred, struct memory *memory);
uint32_t directory_count(const struct directory *directory);
/* There is room, and all keys in the directory are below `floor`. */
void directory_append(struct directory *directory, uint64_t floor, struct chunk *chunk);
/* Another chunk of the same range that has all live entries, or NULL when there is none. */
void directory_set(struct directory *directory, uint32_t place, struct chunk *chunk);
/* The chunk in this place, whose live bits or count the caller is about to change, has become, or
 * ceased to be, sparse: call directory_forget() before and directory_note() after the change. */
void directory_forget(struct directory *directory, const struct chunk *chunk);
void directory_note(struct directory *directory, const struct chunk *chunk);

/* A copy that has `lower` in the given place, `upper` in a place after it, and no NULL. NULL when
 * there is no memory. */
struct directory *directory_split(const struct directory *directory, struct memory *memory,
                                  uint32_t place, struct chunk *lower, struct chunk *upper);
/* So many places are sparse that merging will make the directory shorter. */
bool directory_is_sparse(const struct directory *directory);
/* A copy in which neighbours that fit half a chunk are merged, and no NULL. NULL when there is no
 * memory. */
struct directory *directory_merge(const struct directory *directory, struct memory *memory);
/* Hands over the chunks that directory_merge() has replaced. */
void directory_defer_merged(const struct directory *directory, struct commit *commit);

#endif
