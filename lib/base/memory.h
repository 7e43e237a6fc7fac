/* Memory: the only caller of the allocator, and the only place that maps address ranges.
 *
 * Every allocation belongs to a kind, and the bytes of each kind are known exactly at any time (the
 * sizes asked for; the allocator's own rounding is not counted). With jemalloc in the process each
 * `struct memory` uses an arena of its own (weak `mallocx`, `dallocx`, `mallctl`); without it,
 * libc's malloc. Any thread may call anything here; allocation and release never take a lock of
 * ours. */
#ifndef CELLAR_BASE_MEMORY_H
#define CELLAR_BASE_MEMORY_H

#include <stddef.h>
#include <stdint.h>

enum memory_kind {
    MEMORY_ENGINE,   /* the engine itself, its threads' buffers */
    MEMORY_RING,     /* log ring and its state words */
    MEMORY_CELLS,    /* cells ever used, from the high-water mark */
    MEMORY_PRODUCTS, /* product slots and attribute blocks */
    MEMORY_STOCK,    /* stock entries */
    MEMORY_ACCOUNTS,
    MEMORY_ORDERS,  /* order slots */
    MEMORY_INDEXES, /* ordered lists */
    MEMORY_TABLES,  /* slots of the hash tables as far as we know them */
    MEMORY_SCRATCH, /* buffers of calls in flight */
    MEMORY_LOG,     /* writer's buffer, segment list */
    MEMORY_COUPONS, /* campaigns and their rules, grants, codes */
    MEMORY_KIND_COUNT
};

struct memory;

/* Makes an accounting domain. NULL when there is no memory. */
struct memory *memory_create(void);
/* Every byte must have been given back: asserts that all counters are zero. */
void memory_destroy(struct memory *memory);

/* NULL when there is no memory (or when a test asked for failure). The result is aligned to 16
 * bytes and not cleared. */
void *memory_allocate(struct memory *memory, enum memory_kind kind, size_t bytes);
void *memory_allocate_zeroed(struct memory *memory, enum memory_kind kind, size_t bytes);
/* `alignment` is a power of two. */
void *memory_allocate_aligned(struct memory *memory, enum memory_kind kind, size_t alignment,
                              size_t bytes);
/* `bytes` is what was asked for. NULL is allowed. */
void memory_release(struct memory *memory, enum memory_kind kind, void *pointer, size_t bytes);

/* Counts bytes that are used but not allocated here: slots of a mapped range. May be negative. */
void memory_count(struct memory *memory, enum memory_kind kind, int64_t bytes);
/* Exact for everything that happened before; calls that run meanwhile may be in it or not. */
int64_t memory_used(const struct memory *memory, enum memory_kind kind);
const char *memory_kind_name(enum memory_kind kind);

/* Reserves address space that reads as zero and costs physical pages only where it is touched.
 * Never counted by itself. Not inherited by a forked child. NULL on failure. */
void *memory_map_lazy(size_t bytes);
/* Reserves address space that cannot be touched until memory_map_enable(). Never accounted by the
 * kernel. Not inherited by a forked child. NULL on failure. */
void *memory_map_reserve(size_t bytes);
/* Makes a page-aligned part of a reserved range readable and writable. 0, or -1. */
int memory_map_enable(void *start, size_t bytes);
void memory_unmap(void *start, size_t bytes);
/* The same pages of `bytes` (a multiple of the page size) at two adjacent places, so that what runs
 * over the end of the first continues at its beginning. Not inherited by a forked child. NULL on
 * failure. Release with memory_unmap(p, 2 * bytes). */
void *memory_map_twice(size_t bytes);
/* What memory_map_fork_guard() maps. */
#define MEMORY_PAGE_BYTES 4096
/* One page that reads as zero in a forked child whatever was written to it here. NULL on failure.
 * Release with memory_unmap(). */
void *memory_map_fork_guard(void);

/* Tests only: the allocation number `countdown` from now fails (0 = the next one), once or from
 * then on. countdown < 0 switches it off. With `memory` NULL it covers every domain,
 * memory_create(), the mappings and new threads; both kinds may be on at once. */
void memory_fail_after(struct memory *memory, int64_t countdown, int for_good);
/* Has the calling thread met such a failure since its own latest memory_fail_after()? */
int memory_has_failed(void);
/* Counts as an allocation of no domain, for what takes memory by other ways: not 0 when a test
 * asked for its failure. */
int memory_fails_now(void);

#endif
