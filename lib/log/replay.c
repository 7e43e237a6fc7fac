/* Replay: every record from the first to the end, and the judgement where and why the log ends.
 *
 * Every segment but the last must consist of valid records exactly up to the previous_end_lsn of
 * the next. In the last one the first position without a valid record is the end of the log,
 * because the writer syncs a segment fully before it writes to the next; unless the segment was
 * closed, its note telling where it ends, or the file is shorter than it was made, or a valid
 * record further on in the same file says, by durable_lag, that what lies beyond this position had
 * been synced when it was written. Then acknowledged data is damaged, and the log is refused. A
 * position that cannot be read is never the end. */
#include "log/log.h"

#include "base/assert.h"
#include "log/reader.h"
#include "log/report.h"
#include "log/state.h"

#include <inttypes.h>

/* Records between the first hint and the visit, and the second. */
#define REPLAY_AHEAD 8
#define REPLAY_SOON 3

struct replay {
    struct log *log;
    struct reader reader;
    log_visit_function *visit;
    void *context;
    cellar_problem *problem;
    uint64_t lsn; /* next to read */
    int64_t time_ns;
    /* Valid records that are not visited yet; all in the reader's window. */
    const struct record_header *ahead[REPLAY_AHEAD];
    uint32_t ahead_first;
    uint32_t ahead_count;
};

static cellar_status replay_io_error(struct replay *replay) {
    const struct reader *reader = &replay->reader;
    char path[SEGMENT_PATH_BYTES];
    char words[64];

    segment_path(path, replay->log->directory, reader->segment.first_lsn);
    return report_problem(replay->problem, CELLAR_IO_ERROR,
                          "%s: offset %" PRIu64 ": cannot read: %s", path,
                          segment_offset(reader->segment.first_lsn, reader->error_lsn),
                          report_errno(reader->error, words));
}

static cellar_status replay_corrupt(struct replay *replay, uint64_t lsn, const char *reason) {
    const struct segment *segment = &replay->reader.segment;
    char path[SEGMENT_PATH_BYTES];

    segment_path(path, replay->log->directory, segment->first_lsn);
    return report_problem(replay->problem, CELLAR_CORRUPT, "%s: offset %" PRIu64 ": %s", path,
                          segment_offset(segment->first_lsn, lsn), reason);
}

/* Visits the oldest of the records that wait. */
static cellar_status replay_visit(struct replay *replay) {
    const struct record_header *record = replay->ahead[replay->ahead_first];

    replay->ahead_first = (replay->ahead_first + 1) % REPLAY_AHEAD;
    replay->ahead_count--;
    return replay->visit(replay->context, record, replay->problem);
}

static cellar_status replay_visit_all(struct replay *replay) {
    cellar_status status = CELLAR_OK;

    while (replay->ahead_count > 0 && status == CELLAR_OK) {
        status = replay_visit(replay);
    }
    return status;
}

/* Has a valid record wait for its visit, and visits another if too many do. */
static cellar_status replay_add(struct replay *replay, const struct record_header *record) {
    cellar_status status = CELLAR_OK;

    if (record->time_ns > replay->time_ns) {
        replay->time_ns = record->time_ns;
    }
    if (record->kind < RECORD_KIND_DOMAIN) {
        return CELLAR_OK;
    }
    if (replay->log->ahead != NULL) {
        replay->log->ahead(replay->context, record, false);
        if (replay->ahead_count > REPLAY_SOON) {
            uint32_t soon = (replay->ahead_first + REPLAY_SOON) % REPLAY_AHEAD;
            replay->log->ahead(replay->context, replay->ahead[soon], true);
        }
    }
    if (replay->ahead_count == REPLAY_AHEAD) {
        status = replay_visit(replay);
    }
    replay->ahead[(replay->ahead_first + replay->ahead_count) % REPLAY_AHEAD] = record;
    replay->ahead_count++;
    return status;
}

/* Goes through valid records up to the limit of the reader. *stopped_out tells that it ended
 * before, at a position without a valid record. All records passed have been visited then. */
static cellar_status replay_walk(struct replay *replay, bool *stopped_out) {
    cellar_status status = CELLAR_OK;

    *stopped_out = false;
    while (replay->lsn < replay->reader.limit_lsn && status == CELLAR_OK) {
        const struct record_header *record;
        if (!reader_holds(&replay->reader, replay->lsn)) {
            status = replay_visit_all(replay);
            if (status != CELLAR_OK) {
                return status;
            }
        }
        switch (reader_get(&replay->reader, replay->lsn, &record)) {
        case READER_FAILED:
            return replay_io_error(replay);
        case READER_INVALID:
            *stopped_out = true;
            return replay_visit_all(replay);
        case READER_RECORD:
            break;
        }
        status = replay_add(replay, record);
        replay->lsn += record_space(record->bytes);
    }
    return status == CELLAR_OK ? replay_visit_all(replay) : status;
}

/* Is there a record behind `damage_lsn` that proves that what lies there had been on disk? */
static cellar_status replay_find_proof(struct replay *replay, uint64_t damage_lsn,
                                       uint64_t *proof_lsn_out) {
    uint64_t lsn = damage_lsn + RECORD_LINE_BYTES;

    *proof_lsn_out = 0;
    while (lsn < replay->reader.limit_lsn) {
        const struct record_header *record;
        switch (reader_get(&replay->reader, lsn, &record)) {
        case READER_FAILED:
            return replay_io_error(replay);
        case READER_INVALID:
            lsn += RECORD_LINE_BYTES;
            continue;
        case READER_RECORD:
            break;
        }
        uint64_t durable_seen = lsn - (uint64_t)record->durable_lag * RECORD_LINE_BYTES;
        if (durable_seen > damage_lsn) {
            *proof_lsn_out = lsn;
            return CELLAR_OK;
        }
        lsn += record_space(record->bytes);
    }
    return CELLAR_OK;
}

/* The last segment. While a reader that takes no lock looks at a log that is being written, a later
 * batch may come into sight before an earlier one; what was not valid is then looked at again. */
static cellar_status replay_last(struct replay *replay) {
    for (;;) {
        bool stopped;
        uint64_t proof_lsn;
        cellar_status status = replay_walk(replay, &stopped);
        if (status != CELLAR_OK || !stopped) {
            return status;
        }
        uint64_t damage_lsn = replay->lsn;
        status = replay_find_proof(replay, damage_lsn, &proof_lsn);
        if (status != CELLAR_OK || proof_lsn == 0) {
            return status;
        }
        reader_forget(&replay->reader);
        const struct record_header *record;
        if (replay->log->read_only &&
            reader_get(&replay->reader, damage_lsn, &record) == READER_RECORD) {
            /* Ends: each round goes on beyond the position that stopped the one before. */
            continue;
        }
        return replay_corrupt(replay, damage_lsn,
                              "damaged, though a record further on shows that it was on disk");
    }
}

/* A segment of which it is known where its records end. */
static cellar_status replay_known(struct replay *replay, const char *reason) {
    bool stopped;
    cellar_status status = replay_walk(replay, &stopped);

    if (status != CELLAR_OK) {
        return status;
    }
    if (stopped) {
        return replay_corrupt(replay, replay->lsn, reason);
    }
    /* A record that reached beyond the limit would not have been valid. */
    ASSERT(replay->lsn == replay->reader.limit_lsn);
    return CELLAR_OK;
}

/* Bytes of records the file can hold: a header may promise more than was written before the log was
 * closed, and a file may be larger than its header says. */
static uint64_t replay_content(const struct segment *segment) {
    uint64_t content = segment->file_bytes - SEGMENT_HEADER_BYTES;

    return content < segment->capacity_bytes ? content : segment->capacity_bytes;
}

static cellar_status replay_records(struct replay *replay, const struct segment *segment,
                                    const struct segment *next) {
    uint64_t file_end = segment->first_lsn + segment->file_bytes - SEGMENT_HEADER_BYTES;

    if (next != NULL) {
        return replay_known(replay, "damaged, though the next segment shows that it was on disk");
    }
    if (segment->closed_end_lsn != 0) {
        return replay_known(replay, "damaged, though the segment was closed");
    }
    if (segment->file_bytes < segment->prepared_bytes) {
        return replay_corrupt(replay, file_end, "the file is shorter than it was made");
    }
    return replay_last(replay);
}

static cellar_status replay_segment(struct replay *replay, const struct segment *segment,
                                    const struct segment *next) {
    uint64_t limit = next != NULL                   ? next->previous_end_lsn
                     : segment->closed_end_lsn != 0 ? segment->closed_end_lsn
                                                    : segment->first_lsn + replay_content(segment);
    char path[SEGMENT_PATH_BYTES];

    int opened = reader_open(&replay->reader, segment, limit);
    if (opened < 0) {
        segment_path(path, replay->log->directory, segment->first_lsn);
        return report_io_problem(replay->problem, path, "open", opened);
    }
    replay->lsn = segment->first_lsn;
    cellar_status status = replay_records(replay, segment, next);
    reader_close(&replay->reader);
    return status;
}

cellar_status log_replay(struct log *log, log_visit_function *visit, void *context,
                         cellar_problem *problem) {
    struct replay replay = {
        .log = log, .visit = visit, .context = context, .problem = problem, .lsn = LOG_FIRST_LSN};
    struct catalog *catalog = &log->catalog;
    cellar_status status = CELLAR_OK;

    ASSERT(log->commit == NULL);
    if (!reader_create(&replay.reader, log)) {
        return report_problem(problem, CELLAR_OUT_OF_MEMORY, "no memory to read the log");
    }
    ASSERT(catalog->segments != NULL || catalog->count == 0);
    for (uint64_t i = 0; i < catalog->count && status == CELLAR_OK; i++) {
        const struct segment *segment = &catalog->segments[i];
        status = replay_segment(&replay, segment, i + 1 < catalog->count ? segment + 1 : NULL);
    }
    reader_destroy(&replay.reader);
    if (status != CELLAR_OK) {
        return status;
    }
    log->end_lsn = replay.lsn;
    log->end_time_ns = replay.time_ns;
    /* A segment with a closing note need not be mended: log_stop() or mending had all of it synced
     * before the note was written. */
    log->end_is_clean =
        catalog->count == 0 || catalog->segments[catalog->count - 1].closed_end_lsn != 0;
    log->start_lsn = catalog->count == 0
                         ? LOG_FIRST_LSN
                         : segment_next_start(&catalog->segments[catalog->count - 1], replay.lsn);
    log->replayed = true;
    return CELLAR_OK;
}

void log_look_ahead(struct log *log, log_ahead_function *ahead) {
    log->ahead = ahead;
}

uint64_t log_start_lsn(const struct log *log) {
    ASSERT(log->replayed);
    return log->start_lsn;
}
