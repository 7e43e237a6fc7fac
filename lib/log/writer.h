/* The writer: one thread that takes what is decided, writes it, syncs it, and says so.
 *
 *   A prefix       what is on disk is at any time a prefix of the log, but for the last unsynced
 * batch B honest       `durable` passes a record only after a successful sync that began after all
 * up to its end had been written C fail-stop    after a failed write or sync nothing is written and
 * `durable` never moves again D no hostage   a thread stopped between reserving and publishing
 * delays the log by 100 us E proven       an idle log ends with a mark that says how far it had
 * been synced There is no timer: while one batch is synced, the next one grows. */
#ifndef CELLAR_LOG_WRITER_H
#define CELLAR_LOG_WRITER_H

#include "base/atomic.h"
#include "base/clock.h"
#include "base/histogram.h"
#include "log/batch.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct log;

/* Largest batch; less with a small ring. */
#define WRITER_BATCH_BYTES (UINT64_C(4) << 20)
/* How long an owner may take to publish what it reserved (rule 4). */
#define WRITER_PATIENCE_NS INT64_C(100000)
/* See writer_crowd() and writer_await(): the longest wait, the share of the last batch that may be
 * missing beside one, and the share of the ring that is waited for at most. */
#define WRITER_CROWD_NS NANOSECONDS_PER_MILLISECOND
#define WRITER_CROWD_SHARE 8
#define WRITER_CROWD_RING_SHARE 4
/* What a disk loses or damages at a time, at least. */
#define WRITER_SECTOR_BYTES 512
/* After so long without work a mark is due. */
#define WRITER_IDLE_NS (5 * NANOSECONDS_PER_MILLISECOND)
/* The longest sleep: who has only reserved wakes nobody, and if such threads were stopped holding
 * all the space there is, nobody else could come to publish and wake us. */
#define WRITER_SLEEP_NS (100 * NANOSECONDS_PER_MILLISECOND)
/* The mark found no space: the next try. */
#define WRITER_MARK_RETRY_NS (100 * NANOSECONDS_PER_MILLISECOND)

struct writer {
    pthread_t thread;
    bool running;
    struct batch batch;
    int file;
    uint64_t decided_lsn; /* all below has been asked of the commit; what is between the batch's end
                             and here is padding still to be added */
    uint64_t commit_end_lsn; /* end of the last committed record on disk */
    uint64_t proven_lsn;     /* a record on disk says that all below was on disk */
    bool mark_is_owed;       /* only a part of it found space */
    uint64_t stuck_lsn;      /* reserved and not published; 0: none */
    int64_t stuck_since_ns;
    int64_t taken_ns; /* when the batch began */
    uint32_t crowd;   /* threads that waited when the last one became durable */

    _Alignas(CACHE_LINE_BYTES) _Atomic uint32_t stopping;

    /* Written by this thread only, read by any. */
    _Alignas(CACHE_LINE_BYTES) _Atomic uint64_t syncs;
    _Atomic uint64_t bytes_written;
    _Atomic uint64_t records;
    _Atomic uint64_t padding_bytes;
    struct histogram sync_ns;
    struct histogram lag_ns;
    struct histogram group_records;
};

/* Takes memory. False when there is none. */
bool writer_allocate(struct log *log);
void writer_destroy(struct log *log);
/* Starts the thread on the active segment. False when it cannot be made. */
bool writer_start(struct log *log, uint64_t lsn);
/* Ends it after all that was reserved is on disk, or the log has failed. */
void writer_stop(struct log *log);

#endif
