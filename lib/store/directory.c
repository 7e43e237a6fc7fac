/* Directories, and how they are made from one another. */
#include "store/directory.h"

#include "base/assert.h"

#define DIRECTORY_CAPACITY_MIN 2
/* Neighbours with as many live entries together or fewer are merged. */
#define MERGED_MAX (INDEX_CHUNK_MAX / 2)

_Static_assert(2 * CHUNK_SPARSE_MAX <= MERGED_MAX, "two sparse neighbours can be merged");

/* ---- Places ---- */

static size_t directory_bytes(uint32_t capacity) {
    return sizeof(struct directory) + capacity * sizeof(struct place);
}

struct directory *directory_create(struct memory *memory, uint32_t count) {
    uint32_t capacity = DIRECTORY_CAPACITY_MIN;

    ASSERT(count <= UINT32_MAX / 4);
    while (capacity < count + count / 4) {
        capacity *= 2;
    }
    struct directory *directory =
        memory_allocate(memory, MEMORY_INDEXES, directory_bytes(capacity));
    if (directory == NULL) {
        return NULL;
    }
    directory->deferred.next = NULL;
    directory->deferred.release = directory_release;
    directory->capacity = capacity;
    directory->sparse = 0;
    atomic_init(&directory->count, 0);
    return directory;
}

void directory_release(struct commit_deferred *deferred, struct memory *memory) {
    struct directory *directory = (struct directory *)deferred;

    memory_release(memory, MEMORY_INDEXES, directory, directory_bytes(directory->capacity));
}

uint32_t directory_count(const struct directory *directory) {
    return ATOMIC_LOAD(&directory->count, relaxed);
}

struct chunk *directory_chunk(const struct directory *directory, uint32_t place) {
    /* Acquire: pairs with the release in directory_set(); without it the chunk could be seen before
     * what is in it. */
    return ATOMIC_LOAD(&directory->places[place].chunk, acquire);
}

static bool is_sparse(const struct chunk *chunk) {
    return chunk == NULL || chunk->live <= CHUNK_SPARSE_MAX;
}

void directory_forget(struct directory *directory, const struct chunk *chunk) {
    directory->sparse -= is_sparse(chunk);
}

void directory_note(struct directory *directory, const struct chunk *chunk) {
    directory->sparse += is_sparse(chunk);
    ASSERT(directory->sparse <= directory->capacity);
}

void directory_append(struct directory *directory, uint64_t floor, struct chunk *chunk) {
    uint32_t count = directory_count(directory);

    ASSERT(count < directory->capacity);
    ASSERT(chunk != NULL);
    directory->places[count].floor = count == 0 ? 0 : floor;
    atomic_init(&directory->places[count].chunk, chunk);
    directory_note(directory, chunk);
    /* Release: pairs with the acquire in directory_places_below(); whoever counts the place sees
     * its floor, its chunk, and what is in the chunk. */
    ATOMIC_STORE(&directory->count, count + 1, release);
}

void directory_set(struct directory *directory, uint32_t place, struct chunk *chunk) {
    uint32_t last = directory_count(directory) - 1;

    ASSERT(place <= last);
    ASSERT(chunk != NULL || place != last);
    directory_forget(directory, directory_chunk(directory, place));
    /* Release: pairs with the acquire in directory_chunk(). */
    ATOMIC_STORE(&directory->places[place].chunk, chunk, release);
    directory_note(directory, chunk);
}

uint32_t directory_places_below(const struct directory *directory, uint64_t limit) {
    /* Acquire: pairs with the release in directory_append(). */
    uint32_t count = ATOMIC_LOAD(&directory->count, acquire);
    const struct place *base = directory->places;

    ASSERT(count > 0);
    /* Most of what is looked for is new. */
    if (base[count - 1].floor < limit) {
        return count;
    }
    while (count > 1) {
        uint32_t half = count / 2;
        /* No branch, which would be taken as often as not. */
        base += half & (0U - (uint32_t)(base[half - 1].floor < limit));
        count -= half;
    }
    return (uint32_t)(base - directory->places) + (base->floor < limit);
}

uint32_t directory_find(const struct directory *directory, uint64_t key) {
    ASSERT(key < UINT64_MAX);
    return directory_places_below(directory, key + 1) - 1;
}

/* ---- Splits ---- */

struct directory *directory_split(const struct directory *directory, struct memory *memory,
                                  uint32_t place, struct chunk *lower, struct chunk *upper) {
    uint32_t count = directory_count(directory);
    uint32_t filled = 0;

    for (uint32_t i = 0; i < count; i++) {
        filled += directory_chunk(directory, i) != NULL;
    }
    struct directory *copy = directory_create(memory, filled + 1);
    if (copy == NULL) {
        return NULL;
    }
    for (uint32_t i = 0; i < count; i++) {
        struct chunk *chunk = i == place ? lower : directory_chunk(directory, i);
        if (chunk != NULL) {
            directory_append(copy, directory->places[i].floor, chunk);
        }
        if (i == place) {
            directory_append(copy, upper->keys[0], upper);
        }
    }
    return copy;
}

/* ---- Merges ---- */

/* Of `count` places left by a merge, every other one at most is sparse, for two neighbours were
 * merged if both were. With three quarters as the mark, a quarter of the places must become sparse
 * before the next merge, which is what pays for it; and at the mark two sparse places are
 * neighbours, so that a merge has something to do. With half as the mark, sparse and full places in
 * turns would cause a merge at every removal. */
bool directory_is_sparse(const struct directory *directory) {
    uint64_t count = directory_count(directory);

    return count > 1 && directory->sparse * UINT64_C(4) > count * 3;
}

/* Neighbouring places that become one. */
struct run {
    uint32_t end;
    uint32_t chunks;
    uint32_t live;
    struct chunk *first;
};

/* The run that begins at `start`: as many chunks as fit a merged one, or a single larger one, and
 * the NULL places behind. The same each time until the chunks are changed. */
static struct run directory_run(const struct directory *directory, uint32_t start) {
    struct run run = {.end = start};

    for (; run.end < directory_count(directory); run.end++) {
        struct chunk *chunk = directory_chunk(directory, run.end);
        if (chunk == NULL) {
            continue;
        }
        if (run.chunks != 0 && run.live + chunk->live > MERGED_MAX) {
            break;
        }
        run.first = run.chunks == 0 ? chunk : run.first;
        run.chunks++;
        run.live += chunk->live;
    }
    /* For the last place is never NULL. */
    ASSERT(run.chunks != 0);
    return run;
}

static struct chunk *run_merge(const struct directory *directory, struct memory *memory,
                               uint32_t start, struct run run) {
    struct index_entry entries[MERGED_MAX];
    uint32_t count = 0;

    ASSERT(run.live <= MERGED_MAX);
    for (uint32_t i = start; i < run.end; i++) {
        struct chunk *chunk = directory_chunk(directory, i);
        if (chunk != NULL) {
            count += chunk_gather(chunk, 0, chunk_count(chunk), entries + count);
        }
    }
    ASSERT(count == run.live);
    return chunk_create(memory, entries, count);
}

static uint32_t directory_runs(const struct directory *directory) {
    uint32_t runs = 0;

    for (uint32_t start = 0; start < directory_count(directory); runs++) {
        start = directory_run(directory, start).end;
    }
    return runs;
}

static void release_all(struct commit_deferred *chunks, struct memory *memory) {
    while (chunks != NULL) {
        struct commit_deferred *next = chunks->next;
        chunk_release(chunks, memory);
        chunks = next;
    }
}

/* False when there is no memory: what was made here has been given back. */
static bool directory_fill(struct directory *copy, const struct directory *directory,
                           struct memory *memory) {
    struct commit_deferred *merged = NULL;
    struct run run;

    for (uint32_t start = 0; start < directory_count(directory); start = run.end) {
        run = directory_run(directory, start);
        struct chunk *chunk = run.first;
        if (run.chunks > 1) {
            chunk = run_merge(directory, memory, start, run);
            if (chunk == NULL) {
                release_all(merged, memory);
                return false;
            }
            chunk->deferred.next = merged;
            merged = &chunk->deferred;
        }
        directory_append(copy, directory->places[start].floor, chunk);
    }
    return true;
}

struct directory *directory_merge(const struct directory *directory, struct memory *memory) {
    struct directory *copy = directory_create(memory, directory_runs(directory));

    if (copy != NULL && !directory_fill(copy, directory, memory)) {
        directory_release(&copy->deferred, memory);
        return NULL;
    }
    return copy;
}

void directory_defer_merged(const struct directory *directory, struct commit *commit) {
    struct run run;

    for (uint32_t start = 0; start < directory_count(directory); start = run.end) {
        run = directory_run(directory, start);
        for (uint32_t i = start; i < run.end && run.chunks > 1; i++) {
            struct chunk *chunk = directory_chunk(directory, i);
            if (chunk != NULL) {
                commit_defer(commit, &chunk->deferred);
            }
        }
    }
}
