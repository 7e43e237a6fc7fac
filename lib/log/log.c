/* Running a log: start, stop, failure, health, statistics. */
#include "log/log.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/hash.h"
#include "log/mend.h"
#include "log/report.h"
#include "log/state.h"

#include <errno.h>
#include <string.h>

/* ---- Failure ---- */

void fail_log(struct log *log, const char *what, const char *verb, int64_t error) {
    char words[64];

    /* Release: pairs with every acquire of `failed`. */
    if (ATOMIC_EXCHANGE(&log->failed, 1, acq_rel) != 0) {
        return;
    }
    commit_stop(log->commit);
    wait_fail(log);
    report_event(log, CELLAR_REPORT_ERROR, "log: cannot %s %s: %s; no change is accepted any more",
                 verb, what, report_errno(error, words));
}

cellar_status log_health(const struct log *log) {
    /* Acquire: pairs with the exchange in fail_log(). */
    if (ATOMIC_LOAD(&log->failed, acquire) != 0) {
        return CELLAR_FAILED;
    }
    if (ATOMIC_LOAD(&log->prepare.full, relaxed) != 0 &&
        ATOMIC_LOAD(&log->commit->reserved.lsn, relaxed) + log->record_space_max >
            ATOMIC_LOAD(&log->commit->disk_end.lsn, relaxed)) {
        return CELLAR_DISK_FULL;
    }
    return CELLAR_OK;
}

/* ---- Start ---- */

/* The first segment of this incarnation. */
static struct segment start_segment(struct log *log) {
    struct segment segment = {.incarnation = 0};

    if (!catalog_last(log, &segment)) {
        segment.database_high = hash_random_seed();
        segment.database_low = hash_random_seed();
    }
    segment.incarnation++;
    segment.previous_end_lsn = segment.incarnation == 1 ? 0 : log->end_lsn;
    segment.first_lsn = log->start_lsn;
    segment.reach_bytes = log->reach_bytes;
    segment.capacity_bytes = log->segment_bytes - SEGMENT_HEADER_BYTES;
    segment.created_ns = clock_wall_ns();
    segment.closed_end_lsn = 0;
    segment.file_bytes = 0;
    segment.seed = record_seed(segment.database_high, segment.database_low, segment.incarnation);
    return segment;
}

/* A new directory lasts only when its parent is synced. Whoever made it may have died before: so it
 * is done by all who find no segment in it. */
static int start_sync_parent(struct log *log) {
    char path[SEGMENT_PATH_BYTES];
    size_t length = strlen(log->directory);

    memcpy(path, log->directory, length + 1);
    while (length > 1 && path[length - 1] == '/') {
        length--;
    }
    while (length > 0 && path[length - 1] != '/') {
        length--;
    }
    while (length > 1 && path[length - 1] == '/') {
        length--;
    }
    path[length] = '\0';
    return log->io->sync_directory(log->io->context, length != 0 ? path : ".");
}

static cellar_status start_files(struct log *log, cellar_problem *problem) {
    int synced = catalog_count(log) == 0 ? start_sync_parent(log) : 0;
    if (synced < 0) {
        return report_io_problem(problem, log->directory, "sync the parent of", synced);
    }
    cellar_status status = mend_remove_leftovers(log, problem);
    if (status == CELLAR_OK) {
        status = mend_tail(log, problem);
    }
    if (status != CELLAR_OK) {
        return status;
    }
    struct segment segment = start_segment(log);
    const char *verb = "prepare";
    int result = prepare_first(log);
    if (result == 0) {
        result = prepare_roll(log, &segment, &verb);
    }
    if (result == -ENOMEM) {
        return report_problem(problem, CELLAR_OUT_OF_MEMORY, "no memory for one more segment");
    }
    if (result < 0) {
        char path[SEGMENT_PATH_BYTES];
        segment_path(path, log->directory, segment.first_lsn);
        return report_io_problem(problem, path, verb, result);
    }
    return CELLAR_OK;
}

cellar_status log_start(struct log *log, struct commit *commit, cellar_problem *problem) {
    ASSERT(log->replayed);
    ASSERT(!log->read_only);
    ASSERT(log->commit == NULL);
    ASSERT(ATOMIC_LOAD(&commit->reserved.lsn, relaxed) == log->start_lsn);
    if (!prepare_allocate(log) || !writer_allocate(log)) {
        return report_problem(problem, CELLAR_OUT_OF_MEMORY, "no memory for the log's buffers");
    }
    cellar_status status = start_files(log, problem);
    if (status != CELLAR_OK) {
        return status;
    }
    log->commit = commit;
    if (!prepare_start(log) || !writer_start(log, log->start_lsn)) {
        return report_problem(problem, CELLAR_OUT_OF_MEMORY, "the log's threads cannot be started");
    }
    return CELLAR_OK;
}

/* ---- Stop ---- */

/* Everything is on disk, and the closing note says so from here on. 0, or -errno at *verb_out. */
static int stop_note(struct log *log, int file, const struct segment *last, uint64_t end_lsn,
                     const char **verb_out) {
    unsigned char note[sizeof(struct segment_note)];

    segment_encode_note(note, last, end_lsn);
    *verb_out = "write the closing note of";
    int result = io_write_all(log->io, file, note, sizeof note, SEGMENT_NOTE_OFFSET);
    if (result == 0) {
        *verb_out = "sync the closing note of";
        result = log->io->fdatasync(log->io->context, file);
    }
    return result;
}

/* Cuts off what was prepared and not used. Only when the note is on disk: without it a short file
 * counts as damaged. */
static int stop_cut(struct log *log, int file, const struct segment *last, uint64_t end_lsn,
                    const char **verb_out) {
    *verb_out = "cut";
    int result =
        log->io->truncate(log->io->context, file, segment_offset(last->first_lsn, end_lsn));
    if (result == 0) {
        *verb_out = "sync";
        result = log->io->fdatasync(log->io->context, file);
    }
    return result;
}

/* Nothing of this can turn out badly for what was written: it is on disk. A failed sync of the last
 * segment is told all the same. */
static cellar_status stop_files(struct log *log) {
    /* Acquire: pairs with wait_publish(), though the writer has been joined. */
    uint64_t end_lsn = ATOMIC_LOAD(&log->commit->durable.lsn, acquire);
    struct segment last;
    const char *verb;
    char words[64];

    bool found = catalog_last(log, &last);
    ASSERT(found);
    int file = prepare_active_file(log);
    int closed = stop_note(log, file, &last, end_lsn, &verb);
    if (closed == 0) {
        closed = stop_cut(log, file, &last, end_lsn, &verb);
    }
    if (closed < 0) {
        report_event(log, CELLAR_REPORT_ERROR, "log: cannot %s the last segment: %s", verb,
                     report_errno(closed, words));
    }
    int result = prepare_remove_spare(log);
    if (result == 0) {
        result = log->io->sync_directory(log->io->context, log->directory);
    }
    if (result < 0) {
        report_event(log, CELLAR_REPORT_WARNING, "log: cannot remove the spare segment: %s",
                     report_errno(result, words));
    }
    return closed < 0 ? CELLAR_OUTCOME_UNKNOWN : CELLAR_OK;
}

cellar_status log_stop(struct log *log) {
    bool started = log->writer.running;

    prepare_stop(log);
    writer_stop(log);
    /* Acquire: pairs with the exchange in fail_log(). */
    if (ATOMIC_LOAD(&log->failed, acquire) != 0) {
        return CELLAR_OUTCOME_UNKNOWN;
    }
    return started ? stop_files(log) : CELLAR_OK;
}

/* ---- Statistics ---- */

void log_statistics_get(struct log *log, struct log_statistics *statistics_out) {
    const struct writer *writer = &log->writer;

    *statistics_out = (struct log_statistics){
        .syncs = ATOMIC_LOAD(&writer->syncs, relaxed),
        .bytes_written = ATOMIC_LOAD(&writer->bytes_written, relaxed),
        .records = ATOMIC_LOAD(&writer->records, relaxed),
        .padding_bytes = ATOMIC_LOAD(&writer->padding_bytes, relaxed),
        .segments = catalog_count(log),
        .sync_ns = &writer->sync_ns,
        .lag_ns = &writer->lag_ns,
        .group_records = &writer->group_records,
    };
}
