/* The record: log entry and descriptor of a transaction in one. The layout is described in record.c
 * and docs/LOG_FORMAT.md. */
#ifndef CELLAR_COMMIT_RECORD_H
#define CELLAR_COMMIT_RECORD_H

#include "cellar.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Everything in the log starts at a multiple of this, and so does every LSN. */
#define RECORD_LINE_BYTES 64
#define RECORD_CELLS_MAX 16384
/* The longest payload of one record. */
#define RECORD_PAYLOAD_MAX (UINT32_C(1) << 20)

enum record_kind {
    RECORD_PADDING = 1, /* space without meaning: an aborted transaction or one that was given up */
    RECORD_MARK = 2,    /* no cells; says by durable_lag that all before it was durable */
    RECORD_KIND_DOMAIN = 16 /* kinds from here on belong to lib/store */
};

struct record_header {
    uint64_t lsn;
    int64_t
        time_ns;    /* as the owner read the clock; the log writer raises it to a running maximum */
    uint32_t crc;   /* CRC-32C over the record but this field, seeded by record_seed() */
    uint32_t bytes; /* exact, header included; the space taken is record_space(bytes) */
    uint16_t kind;
    uint16_t cell_count;
    uint32_t durable_lag; /* (lsn - durable_lsn at the time of writing) / 64: everything below was
                             on disk */
};
_Static_assert(sizeof(struct record_header) == 32, "on-disk layout");
_Static_assert(RECORD_CELLS_MAX <= UINT16_MAX, "cell_count holds the limit");

struct record_update {
    uint64_t expected; /* version the cell must have: the LSN of its previous change */
    int64_t old_value;
    int64_t new_value;
};
_Static_assert(sizeof(struct record_update) == 24, "on-disk layout");

/* Header, then updates[cell_count], then cell indexes[cell_count] in strictly rising order, then,
 * at the next multiple of 8, the payload up to `bytes`. */
static inline size_t record_payload_offset(uint32_t cell_count) {
    size_t end = sizeof(struct record_header) +
                 (size_t)cell_count * (sizeof(struct record_update) + sizeof(uint32_t));
    return (end + 7) & ~(size_t)7;
}

static inline uint64_t record_space(uint64_t bytes) {
    return (bytes + RECORD_LINE_BYTES - 1) & ~(uint64_t)(RECORD_LINE_BYTES - 1);
}

static inline const struct record_update *record_updates(const struct record_header *record) {
    return (const struct record_update *)(record + 1);
}

static inline const uint32_t *record_cells(const struct record_header *record) {
    return (const uint32_t *)(record_updates(record) + record->cell_count);
}

static inline const void *record_payload(const struct record_header *record) {
    return (const unsigned char *)record + record_payload_offset(record->cell_count);
}

static inline size_t record_payload_bytes(const struct record_header *record) {
    size_t offset = record_payload_offset(record->cell_count);
    return record->bytes > offset ? record->bytes - offset : 0;
}

/* What a record's CRC starts from: binds it to one database and one incarnation of its log. */
uint32_t record_seed(uint64_t database_high, uint64_t database_low, uint32_t incarnation);

/* The CRC of the record. Of a padding record only the header is covered: its body means nothing. */
uint32_t record_crc(const struct record_header *record, uint32_t seed);

/* Everything but the CRC that makes a record well formed at `lsn`, given `available` readable bytes
 * from its start. The same check runs before a record is written and after it is read. */
bool record_validate(const struct record_header *record, uint64_t lsn, uint64_t available);

/* The update of `cell` in the record, NULL when it has none. Binary search. */
const struct record_update *record_find(const struct record_header *record, uint32_t cell);

#endif
