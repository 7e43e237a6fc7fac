/* CRC-32C (Castagnoli polynomial 0x1EDC6F41, reflected, RFC 3720 appendix B.4), in hardware where
 * there is one. */
#ifndef CELLAR_BASE_CHECKSUM_H
#define CELLAR_BASE_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

/* Continues `crc` (0 at the start) over `bytes` of `data`:
 * crc32c(crc32c(0, a), b) == crc32c(0, a then b). */
uint32_t checksum_crc32c(uint32_t crc, const void *data, size_t bytes);
/* The table-driven form, for machines without the instruction; tests compare the two. */
uint32_t checksum_crc32c_portable(uint32_t crc, const void *data, size_t bytes);

#endif
