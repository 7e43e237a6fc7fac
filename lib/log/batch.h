/* A batch: what the writer writes and syncs at a time, in a buffer of its own, stamped and checked.
 *
 * The batch is a piece of the log as it will be on disk: bytes[i] belongs at lsn + i. It lies
 * within one segment. One thread. */
#ifndef CELLAR_LOG_BATCH_H
#define CELLAR_LOG_BATCH_H

#include "commit/record.h"

#include <stdbool.h>
#include <stdint.h>

/* One header covers at most so much padding; longer gaps get several. */
#define BATCH_PADDING_MAX (UINT64_C(1) << 20)

struct batch {
    unsigned char *bytes;
    uint64_t bytes_max;
    uint64_t lsn;  /* of the first byte */
    uint64_t used; /* bytes in the batch, a multiple of RECORD_LINE_BYTES */
    uint64_t segment_end_lsn;
    uint64_t durable_lsn; /* what is on disk while this batch is made */
    uint64_t records;     /* committed ones of the domain */
    uint64_t padding_bytes;
    uint64_t commit_end_lsn; /* end of the last of these; 0: there is none */
    int64_t time_ns;         /* running maximum over the whole log */
    uint32_t seed;
};

/* Empties the batch, to begin at `lsn`, which is all that is on disk. */
void batch_begin(struct batch *batch, uint64_t lsn);
static inline uint64_t batch_end(const struct batch *batch) {
    return batch->lsn + batch->used;
}
/* Has the buffer room for `space` more? Has the segment? */
bool batch_has_room(const struct batch *batch, uint64_t space);
bool batch_segment_has_room(const struct batch *batch, uint64_t space);
/* Copies a record, for which there is room. */
void batch_add(struct batch *batch, const struct record_header *record);
/* Adds padding in place of `space` bytes, as much as there is room for. Returns how much. */
uint64_t batch_pad(struct batch *batch, uint64_t space);

#endif
