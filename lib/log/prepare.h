/* Preparing space: a thread that fills files with zeros and syncs them before records are written
 * to them, so that a record's own sync is cheap and never finds the disk full.
 *
 * Two places: the segment being written, and the spare that follows it. The thread first fills the
 * active file to its full size, then the spare, in small steps; each step raises the position up to
 * which commits may reserve. A spare is in use as soon as its first step is done.
 *   A promised          every record that ends at or below `disk_end` finds prepared space,
 * whatever the records before it make the segments lose at their ends B full              when the
 * disk has no space, commits are refused before they reserve; the thread tries again every 100 ms
 *   C disjoint          zeros are only ever written beyond what was promised: never over a record
 */
#ifndef CELLAR_LOG_PREPARE_H
#define CELLAR_LOG_PREPARE_H

#include "base/atomic.h"
#include "base/clock.h"
#include "cellar.h"
#include "log/segment.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct log;

#define PREPARE_SPARE_NAME "spare.tmp"
/* Measured: steps of 1 MiB written in quarters prepare as fast as larger ones, and a sync of the
 * writer that meets one takes 1.3 ms at the 99th percentile, against 31 ms with 64 MiB at once. */
#define PREPARE_STEP_BYTES (UINT64_C(1) << 20)
#define PREPARE_PIECE_BYTES (UINT64_C(256) << 10)
#define PREPARE_RETRY_NS (100 * NANOSECONDS_PER_MILLISECOND)

struct prepare_place {
    int file;                /* the writer's handle; -1: the place is empty */
    int fill_file;           /* the thread's own, so that each of the two is told of every error */
    uint64_t prepared_bytes; /* of the file, zero-filled and synced */
    uint64_t first_lsn;      /* 0: a spare */
};

struct prepare {
    pthread_t thread;
    bool running;
    unsigned char *zeros;
    _Alignas(CACHE_LINE_BYTES) _Atomic uint32_t epoch; /* futex: something to do */
    _Atomic uint32_t stopping;
    _Atomic uint32_t full; /* no space could be prepared */
    /* Under the lock: */
    pthread_mutex_t lock;
    struct prepare_place places[2];
    int active; /* index of the place being written */
};

void prepare_create(struct prepare *prepare);
/* Takes memory. False when there is none. */
bool prepare_allocate(struct log *log);
void prepare_destroy(struct log *log);

/* At start: makes a spare of one step, or as much as the largest record needs. 0, or -errno. */
int prepare_first(struct log *log);
/* Starts the thread. False when it cannot be made. */
bool prepare_start(struct log *log);
void prepare_stop(struct log *log);

/* The writer: turns the spare into the segment that begins at segment->first_lsn: header, sync,
 * rename, directory. 0, or -errno of the call named by *verb_out. */
int prepare_roll(struct log *log, const struct segment *segment, const char **verb_out);
/* The writer's handle of the active segment. */
int prepare_active_file(struct log *log);
/* Removes the spare, at the end. 0, or -errno. */
int prepare_remove_spare(struct log *log);
/* "<directory>/spare.tmp" */
void prepare_spare_path(const struct log *log, char path[SEGMENT_PATH_BYTES]);

#endif
