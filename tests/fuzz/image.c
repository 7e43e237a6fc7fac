#include "image.h"

#include "base/assert.h"
#include "base/checksum.h"
#include "commit/record.h"
#include "log/segment.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LEAD_BYTES 4
#define HEADER_GIVEN 80
#define PATH_BYTES 64
/* Of one file, zeros included. */
#define CONTENT_MAX (UINT16_MAX + 256 * RECORD_LINE_BYTES)

static uint32_t image_header_crc(const unsigned char block[SEGMENT_HEADER_BYTES]) {
    unsigned char copy[SEGMENT_HEADER_BYTES];

    memcpy(copy, block, sizeof copy);
    memset(copy + offsetof(struct segment_header, crc), 0, sizeof(uint32_t));
    return checksum_crc32c(0, copy, sizeof copy);
}

/* ---- From bytes to files ---- */

/* Turns differences into what they stand for. */
static void image_fix_header(unsigned char block[SEGMENT_HEADER_BYTES]) {
    uint32_t crc;

    memcpy(&crc, block + offsetof(struct segment_header, crc), sizeof crc);
    crc ^= image_header_crc(block);
    memcpy(block + offsetof(struct segment_header, crc), &crc, sizeof crc);
}

/* The record at `content`, which has `left` bytes; the space it takes, 0 when none can be there. */
static uint64_t image_fix_record(unsigned char *content, size_t left, uint64_t lsn, uint32_t seed) {
    struct record_header header;
    struct record_header *record = (struct record_header *)(void *)content;

    if (left < sizeof header) {
        return 0;
    }
    memcpy(&header, content, sizeof header);
    if (header.bytes < sizeof header || header.bytes > left) {
        return 0;
    }
    record->lsn += lsn;
    record->crc ^= record_crc(record, seed);
    return record_space(header.bytes);
}

static void image_fix_records(unsigned char *content, size_t bytes,
                              const struct segment_header *header) {
    uint32_t seed = record_seed(header->database_high, header->database_low, header->incarnation);
    size_t at = 0;

    while (at < bytes) {
        uint64_t space = image_fix_record(content + at, bytes - at, header->first_lsn + at, seed);
        at += space == 0 ? RECORD_LINE_BYTES : space;
    }
}

static void image_name(char path[PATH_BYTES], uint8_t choice, uint64_t first_lsn) {
    static const char *const others[] = {"spare.tmp", "mend.tmp", "notes", "1.log"};

    if (choice == 0) {
        (void)snprintf(path, PATH_BYTES, IMAGE_DIRECTORY "/%020llu.log",
                       (unsigned long long)first_lsn);
    } else if (choice <= 4) {
        (void)snprintf(path, PATH_BYTES, IMAGE_DIRECTORY "/%s", others[choice - 1]);
    } else {
        (void)snprintf(path, PATH_BYTES, IMAGE_DIRECTORY "/%020llu.log",
                       (unsigned long long)first_lsn + (uint64_t)choice * RECORD_LINE_BYTES);
    }
}

static void image_write(const struct io *io, const char *path, const void *data, size_t bytes) {
    int file = io->open(io->context, path, O_RDWR | O_CREAT);

    ASSERT(file >= 0);
    int failed = io_write_all(io, file, data, bytes, 0);
    ASSERT(failed == 0);
    failed = io->fdatasync(io->context, file);
    ASSERT(failed == 0);
    failed = io->close(io->context, file);
    ASSERT(failed == 0);
}

/* One file from the bytes; how many of them it took. */
static size_t image_file(const struct io *io, const uint8_t *data, size_t bytes) {
    static _Alignas(RECORD_LINE_BYTES) unsigned char file[SEGMENT_HEADER_BYTES + CONTENT_MAX];
    struct segment_header header;
    char path[PATH_BYTES];
    size_t left = bytes - LEAD_BYTES - HEADER_GIVEN;
    size_t given = data[0] + ((size_t)data[1] << 8);
    size_t zeros = (size_t)data[2] * RECORD_LINE_BYTES;

    given = given < left ? given : left;
    memset(file, 0, SEGMENT_HEADER_BYTES + given + zeros);
    memcpy(file, data + LEAD_BYTES, HEADER_GIVEN);
    memcpy(file + SEGMENT_HEADER_BYTES, data + LEAD_BYTES + HEADER_GIVEN, given);
    memcpy(&header, file, sizeof header);
    image_fix_header(file);
    image_fix_records(file + SEGMENT_HEADER_BYTES, given, &header);
    image_name(path, data[3], header.first_lsn);
    image_write(io, path, file, SEGMENT_HEADER_BYTES + given + zeros);
    return LEAD_BYTES + HEADER_GIVEN + given;
}

struct memory_disk *image_create(const uint8_t *data, size_t bytes) {
    struct memory_disk *disk = memory_disk_create();
    const struct io *io = memory_disk_io(disk);
    size_t at = 0;

    int failed = io->make_directory(io->context, IMAGE_DIRECTORY);
    ASSERT(failed == 0);
    image_write(io, IMAGE_DIRECTORY "/lock", "", 0);
    for (int i = 0; i < IMAGE_FILES_MAX && bytes - at >= LEAD_BYTES + HEADER_GIVEN; i++) {
        at += image_file(io, data + at, bytes - at);
    }
    failed = io->sync_directory(io->context, IMAGE_DIRECTORY);
    ASSERT(failed == 0);
    return disk;
}

/* ---- From files to bytes ---- */

/* Turns a sound segment's records into differences; where they end. */
static size_t image_unfix_records(unsigned char *content, size_t bytes, uint64_t first_lsn,
                                  uint32_t seed) {
    size_t at = 0;

    while (bytes - at >= sizeof(struct record_header)) {
        struct record_header *record = (struct record_header *)(void *)(content + at);
        if (!record_validate(record, first_lsn + at, bytes - at) ||
            record->crc != record_crc(record, seed)) {
            break;
        }
        record->lsn = 0;
        record->crc = 0;
        at += record_space(record->bytes);
    }
    return at < bytes ? at : bytes;
}

static size_t image_describe_file(struct memory_disk *disk, const char *name, uint8_t *data,
                                  size_t capacity) {
    char path[PATH_BYTES + sizeof IMAGE_DIRECTORY];
    struct segment_header header;

    (void)snprintf(path, sizeof path, IMAGE_DIRECTORY "/%s", name);
    int64_t file_bytes = memory_disk_file_bytes(disk, path);
    if (file_bytes < SEGMENT_HEADER_BYTES) {
        return 0;
    }
    size_t content_bytes = (size_t)file_bytes - SEGMENT_HEADER_BYTES;
    unsigned char *content = aligned_alloc(RECORD_LINE_BYTES, record_space(content_bytes + 1));
    ASSERT(content != NULL);
    memory_disk_peek(disk, path, 0, &header, sizeof header);
    memory_disk_peek(disk, path, SEGMENT_HEADER_BYTES, content, content_bytes);
    size_t given = image_unfix_records(
        content, content_bytes, header.first_lsn,
        record_seed(header.database_high, header.database_low, header.incarnation));
    size_t bytes = LEAD_BYTES + HEADER_GIVEN + given;
    if (given <= UINT16_MAX && bytes <= capacity) {
        memset(data, 0, LEAD_BYTES + HEADER_GIVEN);
        data[0] = (uint8_t)given;
        data[1] = (uint8_t)(given >> 8);
        header.crc = 0;
        memcpy(data + LEAD_BYTES, &header, sizeof header);
        memcpy(data + LEAD_BYTES + HEADER_GIVEN, content, given);
    } else {
        bytes = 0;
    }
    free(content);
    return bytes;
}

size_t image_describe(struct memory_disk *disk, uint8_t *data, size_t capacity) {
    char name[64];
    uint64_t first_lsn;
    size_t at = 0;

    for (uint64_t i = 0; memory_disk_entry(disk, IMAGE_DIRECTORY, i, name); i++) {
        if (segment_parse_name(name, &first_lsn)) {
            size_t bytes = image_describe_file(disk, name, data + at, capacity - at);
            if (bytes == 0) {
                return 0;
            }
            at += bytes;
        }
    }
    return at;
}
