/* A segment: one file of the log, its name, its header block, and how LSNs map to its bytes.
 *
 * The byte-offset table of the header is in segment.c and docs/LOG_FORMAT.md. */
#ifndef CELLAR_LOG_SEGMENT_H
#define CELLAR_LOG_SEGMENT_H

#include "cellar.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SEGMENT_MAGIC "CELLARLG"
#define SEGMENT_FORMAT 2u
#define SEGMENT_HEADER_BYTES 4096
/* A path of a file in the log's directory fits; longer directory names are refused at open. */
#define SEGMENT_PATH_BYTES 4096
/* Where the closing note lies: in a sector of its own, so that writing it cannot damage the fields.
 */
#define SEGMENT_NOTE_OFFSET 3584
#define SEGMENT_NAME_BYTES 24 /* 20 digits and ".log" */

/* The first bytes of the header block; the rest of the block is zero. */
struct segment_header {
    char magic[8];
    uint32_t format;
    uint32_t header_bytes;
    uint64_t database_high;
    uint64_t database_low;
    uint32_t incarnation;
    uint32_t crc;
    uint64_t first_lsn;
    uint64_t previous_end_lsn;
    uint64_t reach_bytes;
    uint64_t capacity_bytes;
    int64_t created_ns;
    uint64_t prepared_bytes;
};
_Static_assert(sizeof(struct segment_header) == 88, "on-disk layout");
_Static_assert(offsetof(struct segment_header, format) == 8, "on-disk layout");
_Static_assert(offsetof(struct segment_header, header_bytes) == 12, "on-disk layout");
_Static_assert(offsetof(struct segment_header, database_high) == 16, "on-disk layout");
_Static_assert(offsetof(struct segment_header, database_low) == 24, "on-disk layout");
_Static_assert(offsetof(struct segment_header, incarnation) == 32, "on-disk layout");
_Static_assert(offsetof(struct segment_header, crc) == 36, "on-disk layout");
_Static_assert(offsetof(struct segment_header, first_lsn) == 40, "on-disk layout");
_Static_assert(offsetof(struct segment_header, previous_end_lsn) == 48, "on-disk layout");
_Static_assert(offsetof(struct segment_header, reach_bytes) == 56, "on-disk layout");
_Static_assert(offsetof(struct segment_header, capacity_bytes) == 64, "on-disk layout");
_Static_assert(offsetof(struct segment_header, created_ns) == 72, "on-disk layout");
_Static_assert(offsetof(struct segment_header, prepared_bytes) == 80, "on-disk layout");

/* The closing note: all of the segment's records are on disk, and end at `end_lsn`. All zero as
 * long as nobody has closed the segment. */
struct segment_note {
    uint64_t end_lsn;
    uint32_t crc;
    uint32_t zero;
};
_Static_assert(sizeof(struct segment_note) == 16, "on-disk layout");
_Static_assert(offsetof(struct segment_note, crc) == 8, "on-disk layout");
_Static_assert(SEGMENT_NOTE_OFFSET + sizeof(struct segment_note) <= SEGMENT_HEADER_BYTES,
               "the note lies in the header block");

/* What is known of one segment. */
struct segment {
    uint64_t database_high;
    uint64_t database_low;
    uint64_t first_lsn;
    uint64_t previous_end_lsn; /* where the records of the segment before end; 0: there is none */
    uint64_t reach_bytes;    /* no LSN further beyond the log's end was handed out by the writer */
    uint64_t capacity_bytes; /* of records, without the header */
    int64_t created_ns;
    uint64_t prepared_bytes; /* the file was so long, and synced, before it got its name */
    uint64_t closed_end_lsn; /* where the records end, by the closing note; 0: there is none */
    uint64_t file_bytes;     /* as found when the log was opened; 0 for a segment made since */
    uint32_t incarnation;
    uint32_t seed; /* of the records' CRC */
};

/* "<directory>/<20 digits>.log" */
void segment_path(char path[SEGMENT_PATH_BYTES], const char *directory, uint64_t first_lsn);
/* False for a name that is not a segment's. */
bool segment_parse_name(const char *name, uint64_t *first_lsn_out);

/* Lays out the header block, CRC included. */
void segment_encode(unsigned char block[SEGMENT_HEADER_BYTES], const struct segment *segment);
/* Checks a header block and takes it apart. CELLAR_OK, UNKNOWN_FORMAT or CORRUPT; then *reason_out
 * says why. */
cellar_status segment_decode(const unsigned char block[SEGMENT_HEADER_BYTES],
                             struct segment *segment_out, const char **reason_out);

/* Where the next incarnation begins after a log that ends at `end_lsn`: beyond anything the process
 * that wrote it can have handed out. */
static inline uint64_t segment_next_start(const struct segment *last, uint64_t end_lsn) {
    return end_lsn + last->reach_bytes;
}

/* Lays out the note that closes the segment at `end_lsn`. */
void segment_encode_note(unsigned char note[sizeof(struct segment_note)],
                         const struct segment *segment, uint64_t end_lsn);

/* Offset in the file of the byte at `lsn`. */
static inline uint64_t segment_offset(uint64_t first_lsn, uint64_t lsn) {
    return SEGMENT_HEADER_BYTES + (lsn - first_lsn);
}

#endif
