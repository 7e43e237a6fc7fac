/* The log on disk: segments, the writer thread with group commit, waiting for durability, reading,
 * opening after anything.
 *
 * No domain knowledge: records are headers, updates and bytes. The format is in docs/LOG_FORMAT.md.
 */
#ifndef CELLAR_LOG_LOG_H
#define CELLAR_LOG_LOG_H

#include "base/histogram.h"
#include "base/io.h"
#include "base/memory.h"
#include "cellar.h"
#include "commit/commit.h"

#include <stdbool.h>
#include <stdint.h>

#define LOG_SEGMENT_BYTES_MIN (UINT64_C(1) << 14) /* cellar.h asks for more */
#define LOG_SEGMENT_BYTES_MAX (UINT64_C(1) << 34)

struct log;

struct log_config {
    const struct io *io;    /* NULL: io_posix */
    const char *directory;  /* made if it does not exist (its parent must) */
    uint64_t segment_bytes; /* file size of a full segment */
    uint64_t
        ring_bytes; /* stored: how far beyond the end a dead process may have handed out LSNs */
    struct memory *memory;
    void (*report)(void *context, cellar_report_level level, const char *text); /* NULL: silent */
    void *report_context;
    bool read_only; /* no lock, no change: for tools */
};

/* Locks the directory, reads and checks every segment header. Changes nothing but an empty or
 * absent directory's lock file. CELLAR_OK, LOCKED, CORRUPT, UNKNOWN_FORMAT, IO_ERROR,
 * OUT_OF_MEMORY, INVALID_ARGUMENT. */
cellar_status log_open(struct log **log_out, const struct log_config *config,
                       cellar_problem *problem);

/* Called for each committed record in LSN order (never for padding or marks). Anything but
 * CELLAR_OK ends the replay with that status. */
typedef cellar_status log_visit_function(void *context, const struct record_header *record,
                                         cellar_problem *problem);

/* A hint, given twice before log_replay() visits a record: some records ahead, and again, `soon`,
 * fewer. The memory it needs may be asked for. */
typedef void log_ahead_function(void *context, const struct record_header *record, bool soon);
/* Before log_replay(), with the same context. */
void log_look_ahead(struct log *log, log_ahead_function *ahead);
/* Reads the log from its start, finds its end, tells a torn tail from damage. Changes nothing.
 * CELLAR_OK, CORRUPT, IO_ERROR, or what the visitor returned. */
cellar_status log_replay(struct log *log, log_visit_function *visit, void *context,
                         cellar_problem *problem);

/* After log_replay(): where the LSNs of this incarnation begin, beyond anything the process before
 * can have handed out. */
uint64_t log_start_lsn(const struct log *log);
/* Mends a torn tail (copies and syncs what is valid), makes the first segment of the next
 * incarnation, starts the writer on `commit` (already started at log_start_lsn()). */
cellar_status log_start(struct log *log, struct commit *commit, cellar_problem *problem);

/* Waits until the record at `lsn` is on disk. `deadline_ns` is monotonic, INT64_MAX for none.
 * CELLAR_OK, TIMEOUT, OUTCOME_UNKNOWN (the log failed). Never inside a read section. */
cellar_status log_wait(struct log *log, uint64_t lsn, int64_t deadline_ns);
/* While somebody counts on the writer it does not wait for its next batch to grow: whoever waits
 * for `written` says so before and after. */
void log_hurry(struct log *log);
void log_hurry_end(struct log *log);

/* An eventfd that becomes readable whenever `durable` has advanced; made at the first call, closed
 * with the log. -errno on failure. */
int log_event_descriptor(struct log *log);
/* CELLAR_OK; DISK_FULL while no space could be prepared and what is prepared is used up to `limit`;
 * FAILED after a write or sync error. */
cellar_status log_health(const struct log *log);

/* Reads the committed record at `lsn` from the segments into a buffer from
 * memory_allocate(MEMORY_SCRATCH), validated. The record must have been written (lsn < written).
 * Release with log_release_record(). CELLAR_OK, NOT_FOUND (no record there), CORRUPT, IO_ERROR,
 * OUT_OF_MEMORY. Any thread. */
cellar_status log_read(struct log *log, uint64_t lsn, struct record_header **record_out);
void log_release_record(struct log *log, struct record_header *record);

/* Called for each committed record in LSN order; the record is there during the call. Anything but
 * CELLAR_OK ends the scan with that status. */
typedef cellar_status log_scan_function(void *context, const struct record_header *record);
/* Reads the committed records from `from_lsn`, where a record begins, to the one at `last_lsn`, as
 * far as they have been written. Takes 2 MiB of memory for the time of the call. CELLAR_OK,
 * CORRUPT, IO_ERROR, OUT_OF_MEMORY, or what the visitor returned. Any thread. */
cellar_status log_scan(struct log *log, uint64_t from_lsn, uint64_t last_lsn,
                       log_scan_function *visit, void *context);

/* Writes and syncs what is decided and a mark, cuts the unused end off the last segment, stops the
 * threads. After it nothing may use the log but log_destroy(). Returns the status of the final
 * sync. */
cellar_status log_stop(struct log *log);
void log_destroy(struct log *log);

struct log_statistics {
    uint64_t syncs;
    uint64_t bytes_written;
    uint64_t records;
    uint64_t padding_bytes;
    uint64_t segments;
    const struct histogram *sync_ns; /* duration of one fdatasync */
    const struct histogram *lag_ns;  /* from taking a batch's first record to its being durable */
    const struct histogram *group_records; /* records per sync */
};
void log_statistics_get(struct log *log, struct log_statistics *statistics_out);

#endif
