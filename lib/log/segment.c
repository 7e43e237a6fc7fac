/* The segment's name and header block.
 *
 *   offset  bytes  field
 *   0       8      magic             "CELLARLG"
 *   8       4      format            2
 *   12      4      header_bytes      4096: the records begin here
 *   16      8      database_high     id of the database, random, the same in all its segments
 *   24      8      database_low
 *   32      4      incarnation       1 at the first opening, one more at each
 *   36      4      crc               CRC-32C over all 4096 bytes with this field and the 16
 *                                    bytes of the note zero
 *   40      8      first_lsn         of the first record; also the file's name
 *   48      8      previous_end_lsn  where the records of the segment before end; 0 in the first
 *   56      8      reach_bytes       a process that wrote this handed out no LSN that lies further
 *                                    beyond the end of what is on disk
 *   64      8      capacity_bytes    records end at first_lsn + capacity_bytes at the latest
 *   72      8      created_ns        wall clock, for people
 *   80      8      prepared_bytes    the file was so long, and synced, before it got its name; 0 in
 *                                    files of a version that did not say so
 *   88      3496   zero
 *   3584    8      end_lsn           the closing note: the records end here, and all of them had
 * been synced when this was written; zero while the segment is open 3592    4      crc CRC-32C over
 * first_lsn and end_lsn, continued from the records' seed 3596    500    zero
 *
 * All integers are little-endian. A header is valid if and only if
 *   1  magic, format and header_bytes are as above
 *   2  the CRC is right
 *   3  incarnation is at least 1
 *   4  first_lsn, reach_bytes and capacity_bytes are positive multiples of 64, previous_end_lsn is
 * a multiple of 64, and no sum of them leaves 64 bits 5  previous_end_lsn is at most first_lsn
 *   6  prepared_bytes is at most what header and capacity come to
 * A closing note is valid if and only if its CRC is right and end_lsn, a multiple of 64, lies
 * between first_lsn and first_lsn + capacity_bytes. One that is not valid counts as none: a segment
 * that was cut at its end, and so is shorter than prepared_bytes, is damaged without it. */
#include "log/segment.h"

#include "base/assert.h"
#include "base/checksum.h"
#include "commit/record.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define NAME_DIGITS 20
#define NAME_SUFFIX ".log"
/* No LSN of a real log comes near; keeps every sum in 64 bits. */
#define LSN_MAX (UINT64_C(1) << 62)

_Static_assert(NAME_DIGITS + sizeof NAME_SUFFIX - 1 == SEGMENT_NAME_BYTES, "length of a name");

void segment_path(char path[SEGMENT_PATH_BYTES], const char *directory, uint64_t first_lsn) {
    int length =
        snprintf(path, SEGMENT_PATH_BYTES, "%s/%020" PRIu64 NAME_SUFFIX, directory, first_lsn);
    ASSERT(length > 0);
    ASSERT(length < SEGMENT_PATH_BYTES);
}

bool segment_parse_name(const char *name, uint64_t *first_lsn_out) {
    uint64_t value = 0;

    if (strlen(name) != SEGMENT_NAME_BYTES || strcmp(name + NAME_DIGITS, NAME_SUFFIX) != 0) {
        return false;
    }
    for (int i = 0; i < NAME_DIGITS; i++) {
        if (name[i] < '0' || name[i] > '9') {
            return false;
        }
        if (__builtin_mul_overflow(value, UINT64_C(10), &value) ||
            __builtin_add_overflow(value, (uint64_t)(name[i] - '0'), &value)) {
            return false;
        }
    }
    *first_lsn_out = value;
    return true;
}

static uint32_t segment_crc(const unsigned char block[SEGMENT_HEADER_BYTES]) {
    const size_t at = offsetof(struct segment_header, crc);
    const uint32_t zero = 0;
    const struct segment_note no_note = {.end_lsn = 0};
    uint32_t crc = checksum_crc32c(0, block, at);

    crc = checksum_crc32c(crc, &zero, sizeof zero);
    crc = checksum_crc32c(crc, block + at + sizeof zero, SEGMENT_NOTE_OFFSET - at - sizeof zero);
    crc = checksum_crc32c(crc, &no_note, sizeof no_note);
    return checksum_crc32c(crc, block + SEGMENT_NOTE_OFFSET + sizeof no_note,
                           SEGMENT_HEADER_BYTES - SEGMENT_NOTE_OFFSET - sizeof no_note);
}

static uint32_t segment_note_crc(const struct segment *segment, uint64_t end_lsn) {
    const uint64_t positions[2] = {segment->first_lsn, end_lsn};

    return checksum_crc32c(segment->seed, positions, sizeof positions);
}

void segment_encode_note(unsigned char note[sizeof(struct segment_note)],
                         const struct segment *segment, uint64_t end_lsn) {
    const struct segment_note content = {.end_lsn = end_lsn,
                                         .crc = segment_note_crc(segment, end_lsn)};

    ASSERT(end_lsn >= segment->first_lsn);
    ASSERT(end_lsn <= segment->first_lsn + segment->capacity_bytes);
    memcpy(note, &content, sizeof content);
}

/* The LSN at which a valid note closes the segment, 0 when there is none. */
static uint64_t segment_decode_note(const unsigned char block[SEGMENT_HEADER_BYTES],
                                    const struct segment *segment) {
    struct segment_note note;

    memcpy(&note, block + SEGMENT_NOTE_OFFSET, sizeof note);
    if (note.end_lsn % RECORD_LINE_BYTES != 0 || note.end_lsn < segment->first_lsn ||
        note.end_lsn > segment->first_lsn + segment->capacity_bytes ||
        note.crc != segment_note_crc(segment, note.end_lsn)) {
        return 0;
    }
    return note.end_lsn;
}

void segment_encode(unsigned char block[SEGMENT_HEADER_BYTES], const struct segment *segment) {
    struct segment_header header = {
        .format = SEGMENT_FORMAT,
        .header_bytes = SEGMENT_HEADER_BYTES,
        .database_high = segment->database_high,
        .database_low = segment->database_low,
        .incarnation = segment->incarnation,
        .first_lsn = segment->first_lsn,
        .previous_end_lsn = segment->previous_end_lsn,
        .reach_bytes = segment->reach_bytes,
        .capacity_bytes = segment->capacity_bytes,
        .created_ns = segment->created_ns,
        .prepared_bytes = segment->prepared_bytes,
    };
    memcpy(header.magic, SEGMENT_MAGIC, sizeof header.magic);
    memset(block, 0, SEGMENT_HEADER_BYTES);
    memcpy(block, &header, sizeof header);
    header.crc = segment_crc(block);
    memcpy(block, &header, sizeof header);

    /* What would be refused on reading must never be written. */
    struct segment check;
    const char *reason;
    cellar_status status = segment_decode(block, &check, &reason);
    ASSERT(status == CELLAR_OK);
}

static bool is_position(uint64_t value) {
    return value % RECORD_LINE_BYTES == 0 && value <= LSN_MAX;
}

static bool is_positive_position(uint64_t value) {
    return value != 0 && is_position(value);
}

cellar_status segment_decode(const unsigned char block[SEGMENT_HEADER_BYTES],
                             struct segment *segment_out, const char **reason_out) {
    struct segment_header header;

    memcpy(&header, block, sizeof header);
    if (memcmp(header.magic, SEGMENT_MAGIC, sizeof header.magic) != 0) {
        *reason_out = "the file does not begin like a log segment";
        return CELLAR_CORRUPT;
    }
    if (header.format != SEGMENT_FORMAT) {
        *reason_out = "the segment is of a format this version does not know";
        return CELLAR_UNKNOWN_FORMAT;
    }
    if (header.crc != segment_crc(block) || header.header_bytes != SEGMENT_HEADER_BYTES) {
        *reason_out = "the segment's header is damaged";
        return CELLAR_CORRUPT;
    }
    if (header.incarnation == 0 || !is_positive_position(header.first_lsn) ||
        !is_positive_position(header.reach_bytes) || !is_positive_position(header.capacity_bytes) ||
        !is_position(header.previous_end_lsn) || header.previous_end_lsn > header.first_lsn ||
        header.prepared_bytes > SEGMENT_HEADER_BYTES + header.capacity_bytes) {
        *reason_out = "the segment's header makes no sense";
        return CELLAR_CORRUPT;
    }
    *segment_out = (struct segment){
        .database_high = header.database_high,
        .database_low = header.database_low,
        .first_lsn = header.first_lsn,
        .previous_end_lsn = header.previous_end_lsn,
        .reach_bytes = header.reach_bytes,
        .capacity_bytes = header.capacity_bytes,
        .created_ns = header.created_ns,
        .prepared_bytes = header.prepared_bytes,
        .incarnation = header.incarnation,
        .seed = record_seed(header.database_high, header.database_low, header.incarnation),
    };
    segment_out->closed_end_lsn = segment_decode_note(block, segment_out);
    return CELLAR_OK;
}
