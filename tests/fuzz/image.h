/* A store's directory as a short sequence of bytes, for the fuzzers of what reads it.
 *
 * The bytes are read as files, one behind the other until they end:
 *
 *   offset  bytes  meaning
 *   0       2      n: bytes of the content that are given
 *   2       1      lines of 64 zero bytes that follow the content
 *   3       1      0: the file is named by its header, else: one of a few names beside that
 *   4       80     the segment's header up to its first zeros; the rest of the 4096 bytes is zero
 *   84      n      the records
 *
 * So that a fuzzer gets behind the checksums, every CRC is given as its difference (exclusive or)
 * to the right one, and every record's LSN as its distance from the record's position: zero in both
 * is right, whatever else the record says, and a wrong one is still a change of a byte or two.
 * Where no record can begin, because its length is not possible, a line stays as it is given. */
#ifndef CELLAR_TESTS_FUZZ_IMAGE_H
#define CELLAR_TESTS_FUZZ_IMAGE_H

#include "support/memory_io.h"

#include <stddef.h>
#include <stdint.h>

#define IMAGE_DIRECTORY "/store"
#define IMAGE_FILES_MAX 8

/* A disk with that directory; with a lock file in it, so that a refusal changes nothing at all. */
struct memory_disk *image_create(const uint8_t *data, size_t bytes);

/* The opposite: describes the segments on the disk, which must be sound. Returns the number of
 * bytes, 0 when they are more than `capacity`. */
size_t image_describe(struct memory_disk *disk, uint8_t *data, size_t capacity);

#endif
