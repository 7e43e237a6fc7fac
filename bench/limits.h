/* What the hardware does at best, and simpler rivals. */
#ifndef BENCH_LIMITS_H
#define BENCH_LIMITS_H

#include "base/histogram.h"
#include "crew.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Between two syncs of the bandwidth limit. */
#define DISK_BURST_BYTES ((size_t)8 << 20)

/* One decrement of one word, shared by all threads. */
extern const struct load limits_fetch_sub;
/* The same under a mutex of the C library. */
extern const struct load limits_mutex;

/* The least a commit of so many cells can cost: for each cell two 16-byte compare-and-swaps (claim
 * it, release it) and one copy of the record, all on memory of the thread's own, nothing shared. */
struct limits_commit {
    struct load load;
    char name[64];
    uint32_t cells;
    size_t bytes;
    size_t block_bytes;
    size_t target_bytes;
    uint32_t thread_count;
    unsigned char *blocks;
};

/* `cells` or `bytes` may be 0. False when there is no memory. Ends with limits_commit_end(). */
bool limits_commit_start(struct limits_commit *limit, uint32_t thread_count, uint32_t cells,
                         size_t bytes);
void limits_commit_end(struct limits_commit *limit);

/* The disk, through a file of its own that has been written before, as a log segment has. */
struct limits_disk {
    int descriptor;
    size_t bytes;   /* of a write between two fdatasyncs */
    double records; /* that such a write stands for: the unit of the rate */
    uint64_t offset;
    unsigned char *buffer;
    struct histogram sync_ns; /* duration of write and fdatasync */
};

/* 0 as `bytes`: what the disk likes best. Ends with limits_disk_end(). */
bool limits_disk_start(struct limits_disk *disk, size_t bytes, double records);
void limits_disk_end(struct limits_disk *disk);
/* For measure_add_rate(). */
bool limits_disk_rate(void *context, double seconds, double *rate_out);

#endif
