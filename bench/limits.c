#include "limits.h"

#include "base/clock.h"
#include "bench.h"
#include "commit/cell.h"
#include "data.h"
#include "measure.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DISK_FILE_BYTES (UINT64_C(64) << 20)
#define DISK_WRITE_BYTES ((size_t)256 << 10)
/* Cells of one thread in the commit limit: they stay in its first-level cache. */
#define OWN_CELLS 64
/* Where a thread's records are copied to: larger than the first-level cache, as a log ring is. */
#define OWN_TARGET_BYTES ((size_t)256 << 10)

/* ---- One hot word ---- */

static struct {
    _Alignas(128) _Atomic int64_t word;
    _Alignas(128) pthread_mutex_t mutex;
    int64_t guarded;
    _Alignas(128) char end;
} hot = {.word = INT64_MAX, .mutex = PTHREAD_MUTEX_INITIALIZER, .guarded = INT64_MAX};

static uint64_t fetch_sub_round(void *context, struct worker *worker, uint64_t count) {
    (void)context;
    uint64_t sink = 0;
    for (uint64_t i = 0; i < count; i++) {
        sink += (uint64_t)atomic_fetch_sub(&hot.word, 1);
    }
    worker->sink += sink;
    return count;
}

static uint64_t mutex_round(void *context, struct worker *worker, uint64_t count) {
    (void)context;
    uint64_t sink = 0;
    for (uint64_t i = 0; i < count; i++) {
        pthread_mutex_lock(&hot.mutex);
        if (hot.guarded > 0) {
            hot.guarded--;
        }
        sink += (uint64_t)hot.guarded;
        pthread_mutex_unlock(&hot.mutex);
    }
    worker->sink += sink;
    return count;
}

const struct load limits_fetch_sub = {
    .name = "fetch_sub", .run = fetch_sub_round, .batch = 64, .sample_every = 16};
const struct load limits_mutex = {
    .name = "mutex", .run = mutex_round, .batch = 64, .sample_every = 16};

/* ---- The least a commit costs ---- */

struct own_block {
    struct cell cells[OWN_CELLS];
    uint64_t swaps;
    size_t at;
    _Alignas(64) unsigned char bytes[]; /* the record, then the target */
};

static uint64_t commit_round(void *context, struct worker *worker, uint64_t count) {
    const struct limits_commit *limit = context;
    struct own_block *block = (void *)(limit->blocks + worker->index * limit->block_bytes);
    unsigned char *target = block->bytes + limit->bytes;

    for (uint64_t i = 0; i < count; i++) {
        for (uint32_t cell = 0; cell < limit->cells; cell++) {
            struct cell *own = &block->cells[cell % OWN_CELLS];
            struct cell_content is = {.value = own->value, .version = own->version};
            struct cell_content claimed = {.value = is.value, .version = is.version + 1};
            struct cell_content next = {.value = is.value - 1, .version = is.version + 2};
            worker->sink += cell_swap(own, is, claimed) ? 1U : 0U;
            worker->sink += cell_swap(own, claimed, next) ? 1U : 0U;
        }
        if (limit->bytes != 0) {
            memcpy(target + block->at, block->bytes, limit->bytes);
            /* The compiler must not drop a copy that the next one overwrites. */
            __asm__ __volatile__("" : : "r"(target) : "memory");
            block->at += limit->bytes;
            if (block->at + limit->bytes > limit->target_bytes) {
                block->at = 0;
            }
        }
    }
    return count;
}

bool limits_commit_start(struct limits_commit *limit, uint32_t thread_count, uint32_t cells,
                         size_t bytes) {
    bytes = (bytes + 63) & ~(size_t)63;
    memset(limit, 0, sizeof *limit);
    limit->cells = cells;
    limit->bytes = bytes;
    limit->thread_count = thread_count;
    limit->target_bytes = bytes > OWN_TARGET_BYTES / 4 ? bytes * 4 : OWN_TARGET_BYTES;
    limit->block_bytes = sizeof(struct own_block) + bytes + limit->target_bytes;
    limit->block_bytes = (limit->block_bytes + 127) & ~(size_t)127;
    limit->blocks = aligned_alloc(128, thread_count * limit->block_bytes);
    if (limit->blocks == NULL) {
        return false;
    }
    memset(limit->blocks, 0, thread_count * limit->block_bytes);
    if (bytes == 0) {
        snprintf(limit->name, sizeof limit->name, "%u CAS16", 2 * cells);
    } else if (cells == 0) {
        snprintf(limit->name, sizeof limit->name, "memcpy %zu", bytes);
    } else {
        snprintf(limit->name, sizeof limit->name, "%u CAS16 + memcpy %zu", 2 * cells, bytes);
    }
    limit->load = (struct load){.name = limit->name,
                                .run = commit_round,
                                .context = limit,
                                .batch = 32,
                                .sample_every = 16};
    return true;
}

void limits_commit_end(struct limits_commit *limit) {
    free(limit->blocks);
    limit->blocks = NULL;
}

/* ---- The disk ---- */

static bool write_all(int descriptor, const unsigned char *buffer, size_t bytes, uint64_t offset) {
    while (bytes > 0) {
        size_t part = bytes < DISK_WRITE_BYTES ? bytes : DISK_WRITE_BYTES;
        ssize_t written = pwrite(descriptor, buffer, part, (off_t)offset);
        if (written <= 0) {
            return false;
        }
        offset += (uint64_t)written;
        bytes -= (size_t)written;
    }
    return true;
}

bool limits_disk_start(struct limits_disk *disk, size_t bytes, double records) {
    char path[DATA_PATH_BYTES];

    memset(disk, 0, sizeof *disk);
    data_path(path, "limit");
    disk->bytes = bytes != 0 ? bytes : DISK_BURST_BYTES;
    disk->records = records;
    disk->buffer = aligned_alloc(4096, DISK_WRITE_BYTES);
    disk->descriptor = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (disk->descriptor < 0 || disk->buffer == NULL) {
        return false;
    }
    /* Noise, not zeros: there are disks and layers below them that notice. */
    uint64_t state = 1;
    for (size_t i = 0; i < DISK_WRITE_BYTES; i++) {
        state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        disk->buffer[i] = (unsigned char)(state >> 56);
    }
    for (uint64_t offset = 0; offset < DISK_FILE_BYTES; offset += DISK_WRITE_BYTES) {
        if (!write_all(disk->descriptor, disk->buffer, DISK_WRITE_BYTES, offset)) {
            return false;
        }
    }
    return fsync(disk->descriptor) == 0;
}

void limits_disk_end(struct limits_disk *disk) {
    char path[DATA_PATH_BYTES];

    if (disk->descriptor > 0) {
        close(disk->descriptor);
    }
    free(disk->buffer);
    data_path(path, "limit");
    unlink(path);
}

bool limits_disk_rate(void *context, double seconds, double *rate_out) {
    struct limits_disk *disk = context;
    int64_t start_ns = clock_monotonic_ns();
    int64_t end_ns = start_ns + (int64_t)(seconds * 1e9);
    int64_t now_ns = start_ns;
    uint64_t syncs = 0;

    while (now_ns < end_ns || syncs == 0) {
        /* A little of the file per page of the disk's, one after the other, as a log does. */
        if (disk->offset + disk->bytes > DISK_FILE_BYTES) {
            disk->offset = 0;
        }
        if (!write_all(disk->descriptor, disk->buffer, disk->bytes, disk->offset) ||
            fdatasync(disk->descriptor) != 0) {
            return false;
        }
        disk->offset += disk->bytes;
        int64_t after_ns = clock_monotonic_ns();
        histogram_record(&disk->sync_ns, after_ns - now_ns);
        now_ns = after_ns;
        syncs++;
    }
    *rate_out = (double)syncs * disk->records / ((double)(now_ns - start_ns) / 1e9);
    return !bench_interrupted();
}

/* ---- As cases of their own ---- */

static bool run_commit_limit(const struct bench_options *options, struct bench_result *result,
                             uint32_t cells, size_t bytes) {
    struct limits_commit limit;
    struct crew crew;

    result->durability = "-";
    if (!crew_start(&crew, options->threads) ||
        !limits_commit_start(&limit, options->threads, cells, bytes)) {
        return bench_fail(result, "no memory or no threads");
    }
    struct measure measure = {
        .crew = &crew, .subject = &limit.load, .seconds = options->seconds / 2};
    bool ok = measure_run(&measure, result);
    crew_end(&crew);
    limits_commit_end(&limit);
    return ok;
}

bool limit_swap_run(const struct bench_options *options, struct bench_result *result) {
    result->unit = "pairs of CAS";
    return run_commit_limit(options, result, 1, 0);
}

bool limit_copy_run(const struct bench_options *options, struct bench_result *result) {
    result->unit = "records";
    return run_commit_limit(options, result, 0, 256);
}

static bool run_disk_limit(const struct bench_options *options, struct bench_result *result,
                           size_t bytes, double records) {
    struct limits_disk disk;
    double rates[MEASURE_ROUNDS];
    bool ok = limits_disk_start(&disk, bytes, records);

    result->durability = "-";
    for (uint32_t i = 0; ok && i < MEASURE_ROUNDS; i++) {
        ok = limits_disk_rate(&disk, options->seconds / MEASURE_ROUNDS, &rates[i]);
    }
    limits_disk_end(&disk);
    if (!ok) {
        return bench_fail(result, "the disk could not be measured");
    }
    measure_latency(&disk.sync_ns, &result->latency);
    result->rate = measure_median(rates, MEASURE_ROUNDS);
    result->rate_low = rates[0];
    result->rate_high = rates[MEASURE_ROUNDS - 1];
    result->threads = 1;
    return true;
}

bool limit_sync_run(const struct bench_options *options, struct bench_result *result) {
    result->unit = "syncs";
    return run_disk_limit(options, result, 4096, 1);
}

bool limit_write_run(const struct bench_options *options, struct bench_result *result) {
    result->unit = "bytes";
    return run_disk_limit(options, result, 0, (double)DISK_BURST_BYTES);
}
