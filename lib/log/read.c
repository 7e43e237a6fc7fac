/* log_read(): one record by its LSN, from the file, for any thread. */
#include "log/log.h"

#include "base/assert.h"
#include "log/state.h"

#include <string.h>

/* What is read at once; most records are smaller. */
#define READ_FIRST_BYTES 4096

/* Reads the whole record, of which the first `have` bytes are in `first`, into memory of its own
 * and checks it. */
static cellar_status read_rest(struct log *log, const struct segment *segment, int file,
                               const unsigned char *first, uint64_t have, uint64_t lsn,
                               struct record_header **record_out) {
    struct record_header header;

    memcpy(&header, first, sizeof header);
    struct record_header *record = memory_allocate(log->memory, MEMORY_SCRATCH, header.bytes);
    if (record == NULL) {
        return CELLAR_OUT_OF_MEMORY;
    }
    uint64_t held = have < header.bytes ? have : header.bytes;
    cellar_status status = CELLAR_OK;
    memcpy(record, first, held);
    if (held < header.bytes) {
        ssize_t count =
            io_read_all(log->io, file, (unsigned char *)record + held, header.bytes - held,
                        segment_offset(segment->first_lsn, lsn) + held);
        if (count < 0) {
            status = CELLAR_IO_ERROR;
        } else if ((uint64_t)count != header.bytes - held) {
            status = CELLAR_CORRUPT;
        }
    }
    if (status == CELLAR_OK && (!record_validate(record, lsn, header.bytes) ||
                                record->crc != record_crc(record, segment->seed))) {
        status = CELLAR_CORRUPT;
    }
    if (status != CELLAR_OK) {
        memory_release(log->memory, MEMORY_SCRATCH, record, header.bytes);
        return status;
    }
    *record_out = record;
    return CELLAR_OK;
}

static cellar_status read_record(struct log *log, const struct segment *segment, int file,
                                 uint64_t lsn, uint64_t end_lsn,
                                 struct record_header **record_out) {
    unsigned char first[READ_FIRST_BYTES];
    struct record_header header;

    ssize_t count =
        io_read_all(log->io, file, first, sizeof first, segment_offset(segment->first_lsn, lsn));
    if (count < 0) {
        return CELLAR_IO_ERROR;
    }
    if ((size_t)count < sizeof header) {
        return CELLAR_CORRUPT;
    }
    memcpy(&header, first, sizeof header);
    if (header.lsn != lsn) {
        return CELLAR_NOT_FOUND;
    }
    if (header.bytes < sizeof header || header.bytes > end_lsn - lsn) {
        return CELLAR_CORRUPT;
    }
    if (header.kind < RECORD_KIND_DOMAIN) {
        return CELLAR_NOT_FOUND;
    }
    return read_rest(log, segment, file, first, (uint64_t)count, lsn, record_out);
}

uint64_t log_written(const struct log *log) {
    if (log->commit == NULL) {
        return log->end_lsn;
    }
    /* Acquire: pairs with commit_advance_written(); what is below was written to the file before,
     * and its segment is in the catalogue. */
    return ATOMIC_LOAD(&log->commit->written.lsn, acquire);
}

cellar_status log_read(struct log *log, uint64_t lsn, struct record_header **record_out) {
    struct segment segment;
    uint64_t end_lsn;
    uint64_t written = log_written(log);

    ASSERT(log->replayed);
    if (lsn % RECORD_LINE_BYTES != 0 || lsn >= written ||
        !catalog_find(log, lsn, &segment, &end_lsn)) {
        return CELLAR_NOT_FOUND;
    }
    if (end_lsn == UINT64_MAX) {
        end_lsn = written;
    }
    int file = catalog_acquire(log, segment.first_lsn);
    if (file < 0) {
        return CELLAR_IO_ERROR;
    }
    cellar_status status = read_record(log, &segment, file, lsn, end_lsn, record_out);
    catalog_release(log, segment.first_lsn, file);
    return status;
}

void log_release_record(struct log *log, struct record_header *record) {
    if (record != NULL) {
        memory_release(log->memory, MEMORY_SCRATCH, record, record->bytes);
    }
}
