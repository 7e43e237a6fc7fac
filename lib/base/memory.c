/* Allocation by kind, and the mappings of the engine.
 *
 * Counters. A kind's bytes are the sum over SHARDS counters, each on cache lines of its own. A
 * thread adds to the one its number picks, so threads that allocate at the same time do not pass a
 * line around. One counter alone means nothing and may be negative: what one thread allocated
 * another may release.
 *
 * Arenas. An arena can be destroyed only when no thread cache holds memory of it, and jemalloc's
 * automatic cache of a thread hands such memory to the host's next malloc of that size. So the
 * automatic cache is never used with the arena. Each shard has an explicit cache instead, which
 * only one thread at a time may use: the thread takes it by one exchange, and when another thread
 * of its shard is inside, it goes to the arena without a cache rather than wait. Large sizes always
 * go without, so that caches hold little. */
#include "base/memory.h"

#include "base/assert.h"
#include "base/atomic.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MEMORY_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) ||                         \
    __has_feature(memory_sanitizer)
#define MEMORY_SANITIZED 1
#endif
#endif

#define SHARDS 16
#define CACHED_BYTES_MAX 4096
#define ALIGNMENT_MIN ((size_t)16)

/* What jemalloc(3) documents. Weak, so that the library needs no jemalloc and finds the one that is
 * there. */
extern void *mallocx(size_t size, int flags) __attribute__((weak));
extern void dallocx(void *pointer, int flags) __attribute__((weak));
extern int mallctl(const char *name, void *old, size_t *old_bytes, void *new, size_t new_bytes)
    __attribute__((weak));

#define JEMALLOC_ZERO 0x40
#define JEMALLOC_NO_CACHE 0x100
#define JEMALLOC_CACHE(index) ((int)(((index) + 2U) << 8))
#define JEMALLOC_ARENA(index) ((int)(((index) + 1U) << 20))
#define JEMALLOC_LOG_ALIGNMENT(log) (log)

/* States of a shard's cache. */
enum cache_state {
    CACHE_FREE,
    CACHE_TAKEN,
};

struct shard {
    _Alignas(2 * CACHE_LINE_BYTES) _Atomic int64_t used[MEMORY_KIND_COUNT];
    _Atomic uint32_t cache_state;
    int cache_flags; /* 0 until the cache is made; belongs to the thread that has taken it */
};

/* Failure on demand, for tests. */
enum fail_mode {
    FAIL_OFF,
    FAIL_ONCE,
    FAIL_FOR_GOOD,
};

struct fail {
    _Atomic uint32_t mode;
    _Atomic int64_t countdown;
};

struct memory {
    struct shard shards[SHARDS];
    int arena_flags; /* 0 without jemalloc */
    unsigned arena;
    struct fail fail;
};

/* How many `fail`s are on, so that an allocation reads one word when none is. */
static _Atomic uint32_t fails_on;
static struct fail fail_everything;
static _Thread_local int fail_was_here;

/* ---- Failure on demand ---- */

static int fail_count_down(struct fail *fail) {
    uint32_t mode = ATOMIC_LOAD(&fail->mode, relaxed);

    if (mode == FAIL_OFF) {
        return 0;
    }
    int64_t left = ATOMIC_SUB(&fail->countdown, 1, relaxed);
    int fails = left == 0 || (left < 0 && mode == FAIL_FOR_GOOD);
    fail_was_here |= fails;
    return fails;
}

/* `memory` is NULL for what belongs to no domain. */
static int fail_now(struct memory *memory) {
    if (ATOMIC_LOAD(&fails_on, relaxed) == 0) {
        return 0;
    }
    if (memory != NULL && fail_count_down(&memory->fail)) {
        return 1;
    }
    return fail_count_down(&fail_everything);
}

void memory_fail_after(struct memory *memory, int64_t countdown, int for_good) {
    struct fail *fail = memory != NULL ? &memory->fail : &fail_everything;
    uint32_t mode = for_good ? FAIL_FOR_GOOD : FAIL_ONCE;

    if (countdown < 0) {
        mode = FAIL_OFF;
    }
    fail_was_here = 0;
    ATOMIC_STORE(&fail->countdown, countdown, relaxed);
    uint32_t mode_before = ATOMIC_EXCHANGE(&fail->mode, mode, relaxed);
    if (mode_before == FAIL_OFF && mode != FAIL_OFF) {
        ATOMIC_ADD(&fails_on, 1, relaxed);
    }
    if (mode_before != FAIL_OFF && mode == FAIL_OFF) {
        ATOMIC_SUB(&fails_on, 1, relaxed);
    }
}

int memory_has_failed(void) {
    return fail_was_here;
}

int memory_fails_now(void) {
    return fail_now(NULL);
}

/* ---- Shards ---- */

static struct shard *shard_of_thread(struct memory *memory) {
    static _Atomic uint32_t threads;
    static _Thread_local uint32_t number; /* 0: not given yet */

    if (number == 0) {
        /* The wrap after 2^32 threads at worst gives a thread a new number at its next call. */
        number = ATOMIC_ADD(&threads, 1, relaxed) + 1;
    }
    return &memory->shards[number % SHARDS];
}

static void count(struct shard *shard, enum memory_kind kind, int64_t bytes) {
    ASSERT(kind < MEMORY_KIND_COUNT);
    ATOMIC_ADD(&shard->used[kind], bytes, relaxed);
}

/* ---- jemalloc ---- */

static int jemalloc_is_here(void) {
#ifdef MEMORY_SANITIZED
    return 0;
#else
    return mallocx != NULL && dallocx != NULL && mallctl != NULL;
#endif
}

/* Without an arena of its own the domain uses malloc, which is jemalloc's general arenas. */
static void arena_make(struct memory *memory) {
    unsigned arena;
    size_t bytes = sizeof arena;

    if (!jemalloc_is_here() || mallctl("arenas.create", &arena, &bytes, NULL, 0) != 0) {
        return;
    }
    memory->arena = arena;
    memory->arena_flags = JEMALLOC_ARENA(arena);
}

static void arena_destroy(struct memory *memory) {
    if (memory->arena_flags == 0) {
        return;
    }
    for (size_t i = 0; i < SHARDS; i++) {
        struct shard *shard = &memory->shards[i];
        ASSERT(ATOMIC_LOAD(&shard->cache_state, acquire) == CACHE_FREE);
        if (shard->cache_flags > JEMALLOC_NO_CACHE) {
            unsigned cache = ((unsigned)shard->cache_flags >> 8) - 2U;
            int status = mallctl("tcache.destroy", NULL, NULL, &cache, sizeof cache);
            ASSERT(status == 0);
        }
    }
    char name[64];
    (void)snprintf(name, sizeof name, "arena.%u.destroy", memory->arena);
    int status = mallctl(name, NULL, NULL, NULL, 0);
    ASSERT(status == 0);
}

/* Takes the shard's cache if it suits the size and is free. Returns its flags, to be given back by
 * cache_return(), or those for no cache. */
static int cache_take(struct shard *shard, size_t bytes) {
    if (bytes > CACHED_BYTES_MAX) {
        return JEMALLOC_NO_CACHE;
    }
    /* Acquire: pairs with the release in cache_return(); the cache and cache_flags, which are not
     * atomic, are then as the thread before left them. */
    if (ATOMIC_EXCHANGE(&shard->cache_state, CACHE_TAKEN, acquire) != CACHE_FREE) {
        return JEMALLOC_NO_CACHE;
    }
    if (shard->cache_flags == 0) {
        unsigned cache;
        size_t cache_bytes = sizeof cache;
        int status = mallctl("tcache.create", &cache, &cache_bytes, NULL, 0);
        /* jemalloc has some four thousand; without one the shard stays slow but right. */
        shard->cache_flags = status == 0 ? JEMALLOC_CACHE(cache) : JEMALLOC_NO_CACHE;
    }
    if (shard->cache_flags == JEMALLOC_NO_CACHE) {
        ATOMIC_STORE(&shard->cache_state, CACHE_FREE, release);
    }
    return shard->cache_flags;
}

static void cache_return(struct shard *shard, int cache_flags) {
    if (cache_flags != JEMALLOC_NO_CACHE) {
        /* Release: pairs with the acquire in cache_take(); without it the next thread could find a
         * half-updated cache and hand out one piece of memory twice. */
        ATOMIC_STORE(&shard->cache_state, CACHE_FREE, release);
    }
}

static void *arena_allocate(struct memory *memory, struct shard *shard, size_t bytes, int flags) {
    int cache_flags = cache_take(shard, bytes);
    void *pointer = mallocx(bytes, memory->arena_flags | cache_flags | flags);

    cache_return(shard, cache_flags);
    return pointer;
}

static void arena_release(struct memory *memory, struct shard *shard, void *pointer, size_t bytes) {
    int cache_flags = cache_take(shard, bytes);

    dallocx(pointer, memory->arena_flags | cache_flags);
    cache_return(shard, cache_flags);
}

/* ---- Allocation ---- */

/* At least 16 bytes: jemalloc aligns smaller ones to 8 only, and gives no meaning to 0. */
static size_t bytes_allocated(size_t bytes) {
    return bytes > ALIGNMENT_MIN ? bytes : ALIGNMENT_MIN;
}

static void *allocate(struct memory *memory, enum memory_kind kind, size_t alignment, size_t bytes,
                      int zeroed) {
    ASSERT(alignment >= ALIGNMENT_MIN);
    ASSERT((alignment & (alignment - 1)) == 0);
    if (fail_now(memory) || bytes > PTRDIFF_MAX - alignment) {
        return NULL;
    }

    struct shard *shard = shard_of_thread(memory);
    size_t size = bytes_allocated(bytes);
    void *pointer = NULL;
    if (memory->arena_flags != 0) {
        int flags = zeroed ? JEMALLOC_ZERO : 0;
        if (alignment > ALIGNMENT_MIN) {
            flags |= JEMALLOC_LOG_ALIGNMENT(__builtin_ctzll(alignment));
        }
        pointer = arena_allocate(memory, shard, size, flags);
    } else if (alignment > ALIGNMENT_MIN) {
        /* Not aligned_alloc, which may insist on a multiple of the alignment. */
        if (posix_memalign(&pointer, alignment, size) != 0) {
            return NULL;
        }
    } else {
        pointer = zeroed ? calloc(1, size) : malloc(size);
    }
    if (pointer != NULL) {
        ASSERT(((uintptr_t)pointer & (alignment - 1)) == 0);
        count(shard, kind, (int64_t)bytes);
    }
    return pointer;
}

void *memory_allocate(struct memory *memory, enum memory_kind kind, size_t bytes) {
    return allocate(memory, kind, ALIGNMENT_MIN, bytes, 0);
}

void *memory_allocate_zeroed(struct memory *memory, enum memory_kind kind, size_t bytes) {
    return allocate(memory, kind, ALIGNMENT_MIN, bytes, 1);
}

void *memory_allocate_aligned(struct memory *memory, enum memory_kind kind, size_t alignment,
                              size_t bytes) {
    return allocate(memory, kind, alignment > ALIGNMENT_MIN ? alignment : ALIGNMENT_MIN, bytes, 0);
}

void memory_release(struct memory *memory, enum memory_kind kind, void *pointer, size_t bytes) {
    if (pointer == NULL) {
        return;
    }
    struct shard *shard = shard_of_thread(memory);
    count(shard, kind, -(int64_t)bytes);
    if (memory->arena_flags != 0) {
        arena_release(memory, shard, pointer, bytes_allocated(bytes));
    } else {
        free(pointer);
    }
}

/* ---- Domains ---- */

struct memory *memory_create(void) {
    void *pointer = NULL;

    if (fail_now(NULL) ||
        posix_memalign(&pointer, _Alignof(struct memory), sizeof(struct memory)) != 0) {
        return NULL;
    }
    struct memory *memory = pointer;
    memset(memory, 0, sizeof *memory);
    arena_make(memory);
    return memory;
}

void memory_destroy(struct memory *memory) {
    for (int kind = 0; kind < MEMORY_KIND_COUNT; kind++) {
        ASSERT(memory_used(memory, (enum memory_kind)kind) == 0);
    }
    memory_fail_after(memory, -1, 0);
    arena_destroy(memory);
    free(memory);
}

void memory_count(struct memory *memory, enum memory_kind kind, int64_t bytes) {
    count(shard_of_thread(memory), kind, bytes);
}

int64_t memory_used(const struct memory *memory, enum memory_kind kind) {
    int64_t used = 0;

    ASSERT(kind < MEMORY_KIND_COUNT);
    for (size_t i = 0; i < SHARDS; i++) {
        used += ATOMIC_LOAD(&memory->shards[i].used[kind], relaxed);
    }
    return used;
}

const char *memory_kind_name(enum memory_kind kind) {
    static const char *const names[MEMORY_KIND_COUNT] = {
        [MEMORY_ENGINE] = "engine", [MEMORY_RING] = "ring",
        [MEMORY_CELLS] = "cells",   [MEMORY_PRODUCTS] = "products",
        [MEMORY_STOCK] = "stock",   [MEMORY_ACCOUNTS] = "accounts",
        [MEMORY_ORDERS] = "orders", [MEMORY_INDEXES] = "indexes",
        [MEMORY_TABLES] = "tables", [MEMORY_SCRATCH] = "scratch",
        [MEMORY_LOG] = "log",       [MEMORY_COUPONS] = "coupons",
    };

    ASSERT(kind < MEMORY_KIND_COUNT);
    ASSERT(names[kind] != NULL);
    return names[kind];
}

/* ---- Mappings ---- */

static void *map(size_t bytes, int protection, int flags, int advice) {
    if (fail_now(NULL)) {
        return NULL;
    }
    void *start = mmap(NULL, bytes, protection, flags | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (start == MAP_FAILED) {
        return NULL;
    }
    if (madvise(start, bytes, advice) != 0) {
        memory_unmap(start, bytes);
        return NULL;
    }
    return start;
}

/* The size of a huge page on every machine cellar is built for; only a hint depends on it. */
#define MAP_HUGE_BYTES ((size_t)2 << 20)

/* Huge pages, where the kernel gives them on request: objects and hash heads are met at random, and
 * on small pages every second of those accesses misses the TLB, twice over on a virtual machine.
 * The price is that a range costs two megabytes from its first byte on. Refusal does no harm. */
static void map_huge(void *start, size_t bytes) {
    if (bytes >= MAP_HUGE_BYTES) {
        (void)madvise(start, bytes, MADV_HUGEPAGE);
    }
}

void *memory_map_lazy(size_t bytes) {
    void *start = map(bytes, PROT_READ | PROT_WRITE, MAP_NORESERVE, MADV_DONTFORK);
    if (start != NULL) {
        map_huge(start, bytes);
    }
    return start;
}

void *memory_map_reserve(size_t bytes) {
    return map(bytes, PROT_NONE, MAP_NORESERVE, MADV_DONTFORK);
}

int memory_map_enable(void *start, size_t bytes) {
    if (fail_now(NULL)) {
        return -1;
    }
    if (mprotect(start, bytes, PROT_READ | PROT_WRITE) != 0) {
        return -1;
    }
    map_huge(start, bytes);
    return 0;
}

void memory_unmap(void *start, size_t bytes) {
    int status = munmap(start, bytes);

    ASSERT(status == 0);
}

void *memory_map_twice(size_t bytes) {
    if (bytes == 0 || bytes > SIZE_MAX / 2 || bytes % (size_t)sysconf(_SC_PAGESIZE) != 0) {
        return NULL;
    }
    /* One reservation first, so that no other thread's mapping can land in the second half. */
    char *start = map(2 * bytes, PROT_NONE, MAP_NORESERVE, MADV_DONTFORK);
    if (start == NULL) {
        return NULL;
    }
    int file = memfd_create("cellar-ring", MFD_CLOEXEC);
    int mapped = file >= 0 && ftruncate(file, (off_t)bytes) == 0;
    for (int half = 0; half < 2 && mapped; half++) {
        char *place = start + (size_t)half * bytes;
        mapped =
            mmap(place, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file, 0) == place;
    }
    /* The mappings replaced the reservation and its advice. Inherited, a child's write would reach
     * the parent. */
    mapped = mapped && madvise(start, 2 * bytes, MADV_DONTFORK) == 0;
    if (file >= 0) {
        (void)close(file);
    }
    if (!mapped) {
        memory_unmap(start, 2 * bytes);
        return NULL;
    }
    return start;
}

void *memory_map_fork_guard(void) {
    return map((size_t)sysconf(_SC_PAGESIZE), PROT_READ | PROT_WRITE, 0, MADV_WIPEONFORK);
}
