/* The window over a segment. */
#include "log/reader.h"

#include "base/assert.h"
#include "log/state.h"

#include <fcntl.h>
#include <string.h>

bool reader_create(struct reader *reader, struct log *log) {
    *reader = (struct reader){.log = log, .file = -1};
    reader->window =
        memory_allocate_aligned(log->memory, MEMORY_LOG, RECORD_LINE_BYTES, READER_WINDOW_BYTES);
    return reader->window != NULL;
}

void reader_destroy(struct reader *reader) {
    reader_close(reader);
    memory_release(reader->log->memory, MEMORY_LOG, reader->window, READER_WINDOW_BYTES);
    reader->window = NULL;
}

int reader_open(struct reader *reader, const struct segment *segment, uint64_t limit_lsn) {
    char path[SEGMENT_PATH_BYTES];

    ASSERT(reader->file < 0);
    ASSERT(limit_lsn >= segment->first_lsn);
    segment_path(path, reader->log->directory, segment->first_lsn);
    int file = reader->log->io->open(reader->log->io->context, path, O_RDONLY);
    if (file < 0) {
        return file;
    }
    reader->segment = *segment;
    reader->file = file;
    reader->limit_lsn = limit_lsn;
    reader_forget(reader);
    return 0;
}

void reader_close(struct reader *reader) {
    if (reader->file >= 0) {
        (void)reader->log->io->close(reader->log->io->context, reader->file);
        reader->file = -1;
    }
}

void reader_forget(struct reader *reader) {
    reader->window_lsn = reader->segment.first_lsn;
    reader->window_bytes = 0;
}

/* Bytes from `lsn` on that are in the window. */
static uint64_t reader_here(const struct reader *reader, uint64_t lsn) {
    uint64_t end = reader->window_lsn + reader->window_bytes;

    /* Whoever reads goes forward, and begins with reader_open() or reader_forget(). */
    ASSERT(lsn >= reader->window_lsn);
    return lsn < end ? end - lsn : 0;
}

bool reader_holds(const struct reader *reader, uint64_t lsn) {
    struct record_header header;
    uint64_t here = reader_here(reader, lsn);

    if (here < sizeof header) {
        return false;
    }
    memcpy(&header, reader->window + (lsn - reader->window_lsn), sizeof header);
    return header.lsn != lsn || header.bytes <= here;
}

/* Moves the window to `lsn`. */
static bool reader_fill(struct reader *reader, uint64_t lsn) {
    uint64_t bytes = reader->limit_lsn - lsn;

    if (bytes > READER_WINDOW_BYTES) {
        bytes = READER_WINDOW_BYTES;
    }
    ssize_t count = io_read_all(reader->log->io, reader->file, reader->window, bytes,
                                segment_offset(reader->segment.first_lsn, lsn));
    if (count < 0) {
        reader_forget(reader);
        reader->error = count;
        reader->error_lsn = lsn;
        return false;
    }
    reader->window_lsn = lsn;
    reader->window_bytes = (uint64_t)count;
    return true;
}

/* Has `bytes` from `lsn` on in the window, unless the file or the limit ends before. False after a
 * read error. */
static bool reader_bring(struct reader *reader, uint64_t lsn, uint64_t bytes) {
    uint64_t left = reader->limit_lsn - lsn;
    uint64_t wanted = bytes < left ? bytes : left;

    return reader_here(reader, lsn) >= wanted || reader_fill(reader, lsn);
}

enum reader_result reader_get(struct reader *reader, uint64_t lsn,
                              const struct record_header **record_out) {
    struct record_header header;

    ASSERT(lsn % RECORD_LINE_BYTES == 0);
    ASSERT(lsn < reader->limit_lsn);
    if (!reader_bring(reader, lsn, sizeof header)) {
        return READER_FAILED;
    }
    if (reader_here(reader, lsn) < sizeof header) {
        return READER_INVALID;
    }
    memcpy(&header, reader->window + (lsn - reader->window_lsn), sizeof header);
    /* What is not even at its place needs no further look, and most of an unused tail is not. */
    if (header.lsn != lsn || header.bytes > READER_WINDOW_BYTES) {
        return READER_INVALID;
    }
    if (!reader_bring(reader, lsn, header.bytes)) {
        return READER_FAILED;
    }
    const struct record_header *record =
        (const struct record_header *)(const void *)(reader->window + (lsn - reader->window_lsn));
    if (!record_validate(record, lsn, reader_here(reader, lsn)) ||
        record->crc != record_crc(record, reader->segment.seed)) {
        return READER_INVALID;
    }
    *record_out = record;
    return READER_RECORD;
}
