/* Chunks: 64 bytes of head, then the keys, then the slots. The smallest takes 256 bytes. */
#include "store/chunk.h"

#include "base/assert.h"

#define CHUNK_CAPACITY_MIN 16

_Static_assert(INDEX_CHUNK_MAX % 64 == 0, "whole words of live bits");
_Static_assert(sizeof(struct chunk) == CACHE_LINE_BYTES, "no padding, one line");
_Static_assert(sizeof(_Atomic uint32_t) == sizeof(uint32_t), "slots are plain words");

static _Atomic uint32_t *chunk_slots(const struct chunk *chunk) {
    return (_Atomic uint32_t *)(chunk->keys + chunk->capacity);
}

static size_t chunk_bytes(uint32_t capacity) {
    return sizeof(struct chunk) + capacity * (sizeof(uint64_t) + sizeof(uint32_t));
}

/* A fifth of the room stays free, so that the copy is good for many appends, until the chunk is of
 * the full size. */
static uint32_t chunk_capacity_for(uint32_t count) {
    uint32_t capacity = CHUNK_CAPACITY_MIN;

    while (capacity < count + count / 4 && capacity < INDEX_CHUNK_MAX) {
        capacity *= 2;
    }
    return capacity;
}

struct chunk *chunk_create(struct memory *memory, const struct index_entry *entries,
                           uint32_t count) {
    uint32_t capacity = chunk_capacity_for(count);

    ASSERT(count > 0);
    ASSERT(count <= capacity);
    struct chunk *chunk = memory_allocate(memory, MEMORY_INDEXES, chunk_bytes(capacity));
    if (chunk == NULL) {
        return NULL;
    }
    chunk->deferred.next = NULL;
    chunk->deferred.release = chunk_release;
    chunk->capacity = capacity;
    chunk->live = count;
    atomic_init(&chunk->count, count);
    for (uint32_t word = 0; word < CHUNK_WORDS; word++) {
        uint32_t in_word = count > word * 64 ? count - word * 64 : 0;
        uint64_t bits = in_word >= 64 ? UINT64_MAX : (UINT64_C(1) << in_word) - 1;
        atomic_init(&chunk->bits[word], bits);
    }
    _Atomic uint32_t *slots = chunk_slots(chunk);
    for (uint32_t i = 0; i < count; i++) {
        chunk->keys[i] = entries[i].key;
        atomic_init(&slots[i], entries[i].slot);
    }
    return chunk;
}

void chunk_release(struct commit_deferred *deferred, struct memory *memory) {
    struct chunk *chunk = (struct chunk *)deferred;

    memory_release(memory, MEMORY_INDEXES, chunk, chunk_bytes(chunk->capacity));
}

uint32_t chunk_keys_below(const struct chunk *chunk, uint64_t limit) {
    /* Acquire: pairs with the release in chunk_append(); without it a key that is counted could
     * still be unwritten. */
    uint32_t count = ATOMIC_LOAD(&chunk->count, acquire);
    const uint64_t *base = chunk->keys;

    ASSERT(count > 0);
    if (base[count - 1] < limit) {
        return count;
    }
    while (count > 1) {
        uint32_t half = count / 2;
        /* No branch, which would be taken as often as not. */
        base += half & (0U - (uint32_t)(base[half - 1] < limit));
        count -= half;
    }
    return (uint32_t)(base - chunk->keys) + (*base < limit);
}

bool chunk_find(const struct chunk *chunk, uint64_t key, uint32_t *position_out) {
    uint32_t position = chunk_keys_below(chunk, key);

    *position_out = position;
    /* Acquire: as in chunk_keys_below(). */
    return position < ATOMIC_LOAD(&chunk->count, acquire) && chunk->keys[position] == key;
}

bool chunk_is_live(const struct chunk *chunk, uint32_t position) {
    /* Acquire: as in chunk_page(). */
    uint64_t bits = ATOMIC_LOAD(&chunk->bits[position / 64], acquire);

    return (bits >> (position % 64) & 1) != 0;
}

size_t chunk_page(const struct chunk *chunk, uint64_t before, struct index_entry *entries_out,
                  size_t capacity) {
    const _Atomic uint32_t *slots = chunk_slots(chunk);
    uint32_t end = chunk_keys_below(chunk, before);
    size_t taken = 0;

    for (uint32_t word = (end + 63) / 64; word-- > 0 && taken < capacity;) {
        /* Acquire: pairs with the release in chunk_set_live(); whoever sees the bit of an entry
         * that has come back sees its new slot. */
        uint64_t bits = ATOMIC_LOAD(&chunk->bits[word], acquire);
        uint32_t in_word = end - word * 64;
        if (in_word < 64) {
            bits &= (UINT64_C(1) << in_word) - 1;
        }
        for (; bits != 0 && taken < capacity; taken++) {
            uint32_t bit = 63 - (uint32_t)__builtin_clzll(bits);
            uint32_t position = word * 64 + bit;
            bits ^= UINT64_C(1) << bit;
            entries_out[taken].key = chunk->keys[position];
            /* Acquire: pairs with the release in chunk_set_slot(); what the writer wrote before it
             * gave the key this slot is seen with it. */
            entries_out[taken].slot = ATOMIC_LOAD(&slots[position], acquire);
        }
    }
    return taken;
}

uint32_t chunk_count(const struct chunk *chunk) {
    return ATOMIC_LOAD(&chunk->count, relaxed);
}

void chunk_append(struct chunk *chunk, uint64_t key, uint32_t slot) {
    uint32_t position = chunk_count(chunk);
    _Atomic uint64_t *word = &chunk->bits[position / 64];
    uint64_t bit = UINT64_C(1) << (position % 64);

    ASSERT(position < chunk->capacity);
    ASSERT(chunk->keys[position - 1] < key);
    chunk->keys[position] = key;
    ATOMIC_STORE(&chunk_slots(chunk)[position], slot, relaxed);
    /* Release: see chunk_set_live(). */
    ATOMIC_STORE(word, ATOMIC_LOAD(word, relaxed) | bit, release);
    chunk->live++;
    /* Release: pairs with the acquire in chunk_keys_below(); whoever counts the entry sees it. */
    ATOMIC_STORE(&chunk->count, position + 1, release);
}

void chunk_set_slot(struct chunk *chunk, uint32_t position, uint32_t slot) {
    ASSERT(position < chunk_count(chunk));
    /* Release: pairs with the acquire in chunk_page(). */
    ATOMIC_STORE(&chunk_slots(chunk)[position], slot, release);
}

/* One writer, hence no read-modify-write. */
void chunk_set_live(struct chunk *chunk, uint32_t position, bool live) {
    _Atomic uint64_t *word = &chunk->bits[position / 64];
    uint64_t bits = ATOMIC_LOAD(word, relaxed);
    uint64_t bit = UINT64_C(1) << (position % 64);

    ASSERT(position < chunk_count(chunk));
    ASSERT(((bits & bit) != 0) != live);
    /* Release: pairs with the acquire in chunk_page(). Also where a bit is cleared: the word that
     * is read must bring the slots of its other bits, whichever store it comes from. */
    ATOMIC_STORE(word, bits ^ bit, release);
    chunk->live += live ? 1U : -1U;
}

uint32_t chunk_gather(const struct chunk *chunk, uint32_t first, uint32_t end,
                      struct index_entry *entries_out) {
    const _Atomic uint32_t *slots = chunk_slots(chunk);
    uint32_t count = 0;
    uint64_t bits = 0;

    ASSERT(end <= chunk_count(chunk));
    for (uint32_t i = first; i < end; i++) {
        if (i == first || i % 64 == 0) {
            bits = ATOMIC_LOAD(&chunk->bits[i / 64], relaxed);
        }
        if ((bits >> (i % 64) & 1) != 0) {
            entries_out[count].key = chunk->keys[i];
            entries_out[count].slot = ATOMIC_LOAD(&slots[i], relaxed);
            count++;
        }
    }
    return count;
}

void chunk_validate(const struct chunk *chunk, uint64_t floor, uint64_t limit) {
    uint32_t count = chunk_count(chunk);
    uint32_t live = 0;

    ASSERT(count > 0);
    ASSERT(count <= chunk->capacity);
    ASSERT(chunk->capacity <= INDEX_CHUNK_MAX);
    ASSERT(chunk->keys[0] >= floor);
    ASSERT(chunk->keys[count - 1] < limit);
    for (uint32_t i = 1; i < count; i++) {
        ASSERT(chunk->keys[i - 1] < chunk->keys[i]);
    }
    for (uint32_t i = 0; i < INDEX_CHUNK_MAX; i++) {
        bool set = chunk_is_live(chunk, i);
        ASSERT(!set || i < count);
        live += set;
    }
    ASSERT(live == chunk->live);
}
