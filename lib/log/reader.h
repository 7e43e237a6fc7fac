/* Reading records of one segment through a window in memory. One thread. */
#ifndef CELLAR_LOG_READER_H
#define CELLAR_LOG_READER_H

#include "commit/record.h"
#include "log/segment.h"

#include <stdbool.h>
#include <stdint.h>

struct log;

/* Bytes read at a time. Holds the largest record. */
#define READER_WINDOW_BYTES (UINT64_C(2) << 20)
_Static_assert(READER_WINDOW_BYTES >=
                   RECORD_PAYLOAD_MAX + 8 + sizeof(struct record_header) +
                       RECORD_CELLS_MAX * (sizeof(struct record_update) + sizeof(uint32_t)),
               "the window holds any record");

struct reader {
    struct log *log;
    struct segment segment;
    int file;
    unsigned char *window;
    uint64_t window_lsn;   /* of the first byte in the window */
    uint64_t window_bytes; /* valid bytes in it */
    uint64_t limit_lsn;    /* nothing at or beyond is read */
    int64_t error;         /* -errno of the read that failed */
    uint64_t error_lsn;
};

enum reader_result {
    READER_RECORD,  /* a valid record */
    READER_INVALID, /* readable, but no valid record */
    READER_FAILED   /* a read error: reader->error */
};

/* Takes the window's memory. False when there is none. */
bool reader_create(struct reader *reader, struct log *log);
void reader_destroy(struct reader *reader);

/* Turns to a segment. 0, or -errno. `limit_lsn` must lie within what the file can hold. */
int reader_open(struct reader *reader, const struct segment *segment, uint64_t limit_lsn);
void reader_close(struct reader *reader);

/* Checks the record at `lsn`, which is below the limit and not before the record read last, or
 * forgotten; CRC included. *record_out points into the window and stays valid
 * until the next call. */
enum reader_result reader_get(struct reader *reader, uint64_t lsn,
                              const struct record_header **record_out);
/* Whether reader_get() at `lsn` would leave the window, and the records it gave out, where they
 * are. */
bool reader_holds(const struct reader *reader, uint64_t lsn);
/* Forgets what is in the window: the next call reads the file again. */
void reader_forget(struct reader *reader);

#endif
