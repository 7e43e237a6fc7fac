/* The record's layout, and what makes one valid.
 *
 *   offset        bytes  field
 *   0             8      lsn            position of this byte in the log; a multiple of 64
 *   8             8      time_ns        nanoseconds since 1970-01-01 UTC; never falls from one
 * record of the log to the next 16            4      crc            CRC-32C, see record_crc() 20 4
 * bytes          exact length, header included 24            2      kind           1 padding, 2
 * mark, from 16 on the domain's 26            2      cell_count     n 28            4 durable_lag
 * in lines of 64 bytes: all below lsn - 64 * durable_lag was on disk when this was written 32 24 n
 * updates        {expected version, old value, new value} 32 + 24 n     4 n    cells          index
 * of the cell of each update 8-aligned            payload        up to `bytes`
 *
 * All integers are little-endian. A record is valid if and only if
 *   1  lsn is the position it was found at
 *   2  bytes covers the header and fits what is there
 *   3  kind is known to the log (padding, mark) or the domain's
 *   4  cell_count is at most RECORD_CELLS_MAX, and the updates and indexes fit into bytes
 *   5  padding and marks have no cells
 *   6  the payload is at most RECORD_PAYLOAD_MAX (padding: what follows its header means nothing)
 *   7  cell indexes rise strictly
 *   8  every expected version is a multiple of 64 below lsn
 *   9  durable_lag does not reach below zero
 *  10  the CRC is right (checked by the log, which knows the seed) */
#include "commit/record.h"

#include "base/checksum.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the log format is little-endian, and so is every machine cellar runs on"
#endif

uint32_t record_seed(uint64_t database_high, uint64_t database_low, uint32_t incarnation) {
    const uint64_t identity[3] = {database_high, database_low, incarnation};
    return checksum_crc32c(0, identity, sizeof identity);
}

uint32_t record_crc(const struct record_header *record, uint32_t seed) {
    struct record_header header = *record;
    header.crc = 0;
    uint32_t crc = checksum_crc32c(seed, &header, sizeof header);
    if (record->kind != RECORD_PADDING) {
        crc = checksum_crc32c(crc, record + 1, record->bytes - sizeof *record);
    }
    return crc;
}

static bool record_validate_cells(const struct record_header *record) {
    const struct record_update *updates = record_updates(record);
    const uint32_t *cells = record_cells(record);
    for (uint32_t i = 0; i < record->cell_count; i++) {
        if (i > 0 && cells[i] <= cells[i - 1]) {
            return false;
        }
        if (updates[i].expected % RECORD_LINE_BYTES != 0 || updates[i].expected >= record->lsn) {
            return false;
        }
    }
    return true;
}

bool record_validate(const struct record_header *record, uint64_t lsn, uint64_t available) {
    if (available < sizeof *record || record->lsn != lsn || lsn % RECORD_LINE_BYTES != 0) {
        return false;
    }
    if (record->bytes < sizeof *record || record->bytes > available) {
        return false;
    }
    if ((uint64_t)record->durable_lag * RECORD_LINE_BYTES > lsn) {
        return false;
    }
    if (record->kind < RECORD_KIND_DOMAIN) {
        bool padding = record->kind == RECORD_PADDING;
        bool mark =
            record->kind == RECORD_MARK && record_payload_bytes(record) <= RECORD_PAYLOAD_MAX;
        return record->cell_count == 0 && (padding || mark);
    }
    if (record->cell_count > RECORD_CELLS_MAX) {
        return false;
    }
    size_t cells_end = sizeof *record + (size_t)record->cell_count *
                                            (sizeof(struct record_update) + sizeof(uint32_t));
    if (cells_end > record->bytes || record_payload_bytes(record) > RECORD_PAYLOAD_MAX) {
        return false;
    }
    return record_validate_cells(record);
}

const struct record_update *record_find(const struct record_header *record, uint32_t cell) {
    const uint32_t *cells = record_cells(record);
    uint32_t low = 0;
    uint32_t high = record->cell_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (cells[middle] < cell) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low == record->cell_count || cells[low] != cell) {
        return NULL;
    }
    return &record_updates(record)[low];
}
