/* Mending the tail.
 *
 * What log_replay() read may be in the page cache only: the process before may have died before its
 * sync, or its sync may have failed, after which the kernel calls the pages clean although they are
 * not on disk. So the valid part is written to a new file, synced, renamed over the segment, and
 * the directory synced, before the next segment says that the log is whole up to there. The new
 * file ends at the cut, and its closing note says so: stale records beyond it never come back. A
 * crash between any two of these steps leaves either the old file or the new one, which read the
 * same. */
#include "log/mend.h"

#include "base/assert.h"
#include "log/report.h"
#include "log/state.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define MEND_BUFFER_BYTES (UINT64_C(1) << 20)

static void mend_path(const struct log *log, char path[SEGMENT_PATH_BYTES]) {
    int length = snprintf(path, SEGMENT_PATH_BYTES, "%s/" MEND_TEMPORARY_NAME, log->directory);

    ASSERT(length > 0);
    ASSERT(length < SEGMENT_PATH_BYTES);
}

static cellar_status mend_remove(struct log *log, const char *path, cellar_problem *problem) {
    int result = log->io->unlink(log->io->context, path);

    if (result < 0 && result != -ENOENT) {
        return report_io_problem(problem, path, "remove", result);
    }
    return CELLAR_OK;
}

cellar_status mend_remove_leftovers(struct log *log, cellar_problem *problem) {
    char path[SEGMENT_PATH_BYTES];

    mend_path(log, path);
    cellar_status status = mend_remove(log, path, problem);
    if (status == CELLAR_OK) {
        prepare_spare_path(log, path);
        status = mend_remove(log, path, problem);
    }
    return status;
}

/* Copies `bytes` from the start of one file to the other. What the source no longer has is zero: at
 * most the rest of the last record's line. */
static int64_t mend_copy_bytes(struct log *log, int from, int to, unsigned char *buffer,
                               const struct segment *last) {
    uint64_t bytes = segment_offset(last->first_lsn, log->end_lsn);

    for (uint64_t at = 0; at < bytes; at += MEND_BUFFER_BYTES) {
        uint64_t piece = bytes - at < MEND_BUFFER_BYTES ? bytes - at : MEND_BUFFER_BYTES;
        ssize_t count = io_read_all(log->io, from, buffer, piece, at);
        if (count < 0) {
            return count;
        }
        memset(buffer + count, 0, piece - (uint64_t)count);
        if (at == 0) {
            segment_encode_note(buffer + SEGMENT_NOTE_OFFSET, last, log->end_lsn);
        }
        int result = io_write_all(log->io, to, buffer, piece, at);
        if (result < 0) {
            return result;
        }
    }
    return log->io->fdatasync(log->io->context, to);
}

static int64_t mend_copy(struct log *log, const char *from_path, const char *to_path,
                         unsigned char *buffer, const struct segment *last) {
    int from = log->io->open(log->io->context, from_path, O_RDONLY);
    if (from < 0) {
        return from;
    }
    int to = log->io->open(log->io->context, to_path, O_RDWR | O_CREAT | O_EXCL);
    if (to < 0) {
        (void)log->io->close(log->io->context, from);
        return to;
    }
    int64_t result = mend_copy_bytes(log, from, to, buffer, last);
    (void)log->io->close(log->io->context, from);
    (void)log->io->close(log->io->context, to);
    return result;
}

static cellar_status mend_replace(struct log *log, const struct segment *last,
                                  unsigned char *buffer, cellar_problem *problem) {
    uint64_t bytes = segment_offset(last->first_lsn, log->end_lsn);
    char segment[SEGMENT_PATH_BYTES];
    char temporary[SEGMENT_PATH_BYTES];

    segment_path(segment, log->directory, last->first_lsn);
    mend_path(log, temporary);
    int64_t result = mend_copy(log, segment, temporary, buffer, last);
    if (result < 0) {
        return report_io_problem(problem, segment, "make a synced copy", result);
    }
    result = log->io->rename(log->io->context, temporary, segment);
    if (result < 0) {
        return report_io_problem(problem, segment, "replace by its copy", result);
    }
    result = log->io->sync_directory(log->io->context, log->directory);
    if (result < 0) {
        return report_io_problem(problem, log->directory, "sync", result);
    }
    report_event(log, CELLAR_REPORT_NOTE,
                 "log: not closed cleanly; %s was cut after its last record, at offset %" PRIu64,
                 segment, bytes);
    return CELLAR_OK;
}

cellar_status mend_tail(struct log *log, cellar_problem *problem) {
    struct segment last;

    if (log->end_is_clean) {
        return CELLAR_OK;
    }
    /* A log without a segment ends cleanly. */
    bool found = catalog_last(log, &last);
    ASSERT(found);
    unsigned char *buffer = memory_allocate(log->memory, MEMORY_LOG, MEND_BUFFER_BYTES);
    if (buffer == NULL) {
        return report_problem(problem, CELLAR_OUT_OF_MEMORY, "no memory to mend the log");
    }
    cellar_status status = mend_replace(log, &last, buffer, problem);
    memory_release(log->memory, MEMORY_LOG, buffer, MEND_BUFFER_BYTES);
    return status;
}
