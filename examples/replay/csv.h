/* csv.h - reads CSV files, plain or gzipped.
 *
 * The dialect is RFC 4180: commas, fields in double quotes where needed, a double quote inside of
 * them doubled, lines ended by LF or CRLF. More lenient than the RFC in one point: a double quote
 * inside a field that does not begin with one stands for itself. A byte order mark is skipped.
 *
 * The whole file is read before the first record is handed out, so that a damaged archive is found
 * before anything is done with its beginning, and so that reading can start again on the very next
 * line after a record that is broken: a stray quote costs one row, not the rest of the file.
 *
 * One reader belongs to one thread.
 */
#ifndef REPLAY_CSV_H
#define REPLAY_CSV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CSV_FIELDS_MAX 64               /* of one record */
#define CSV_FIELD_BYTES_MAX 65536       /* of one field, without its quotes */
#define CSV_FILE_BYTES_MAX (1ull << 31) /* after decompression */

typedef enum csv_result {
    CSV_RECORD,    /* `fields` hold a record */
    CSV_MALFORMED, /* `error` says why the record at `record_line` cannot be read; go on */
    CSV_END
} csv_result;

typedef struct csv_reader {
    char *text;
    size_t text_bytes;
    uint64_t fingerprint; /* of the decompressed bytes: the same file again has the same */
    size_t position;      /* where the next record begins */
    uint64_t line;        /* the line it begins on, from 1 */
    uint64_t record_line; /* the line on which the current record begins */
    const char *error;    /* of the current record; static */
    size_t field_count;
    const char
        *fields[CSV_FIELDS_MAX]; /* NUL-terminated, without NUL inside; until the next call */
    char *scratch;
    size_t scratch_bytes;
} csv_reader;

/* Reads the file. False, with a sentence in error_out, when it cannot be read whole. csv_close() is
 * due in either case. */
bool csv_open(csv_reader *reader, const char *path, char *error_out, size_t error_bytes);

csv_result csv_next(csv_reader *reader);

void csv_close(csv_reader *reader);

#endif
