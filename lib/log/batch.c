/* Filling a batch. */
#include "log/batch.h"

#include "base/assert.h"

#include <string.h>

void batch_begin(struct batch *batch, uint64_t lsn) {
    ASSERT(lsn % RECORD_LINE_BYTES == 0);
    batch->lsn = lsn;
    batch->used = 0;
    batch->durable_lsn = lsn;
    batch->records = 0;
    batch->padding_bytes = 0;
    batch->commit_end_lsn = 0;
}

bool batch_has_room(const struct batch *batch, uint64_t space) {
    return space <= batch->bytes_max - batch->used;
}

bool batch_segment_has_room(const struct batch *batch, uint64_t space) {
    return batch_end(batch) + space <= batch->segment_end_lsn;
}

/* What only the writer knows: the running maximum of time, what is on disk, the CRC. */
static void batch_stamp(struct batch *batch, struct record_header *record) {
    if (record->time_ns > batch->time_ns) {
        batch->time_ns = record->time_ns;
    }
    record->time_ns = batch->time_ns;
    /* The ring and a batch at most, so it fits in 32 bits. */
    record->durable_lag = (uint32_t)((record->lsn - batch->durable_lsn) / RECORD_LINE_BYTES);
    record->crc = record_crc(record, batch->seed);
}

void batch_add(struct batch *batch, const struct record_header *record) {
    uint64_t space = record_space(record->bytes);
    unsigned char *at = batch->bytes + batch->used;
    struct record_header *copy = (struct record_header *)(void *)at;

    ASSERT(batch_has_room(batch, space));
    ASSERT(batch_segment_has_room(batch, space));
    memcpy(at, record, record->bytes);
    memset(at + record->bytes, 0, space - record->bytes);
    batch_stamp(batch, copy);
    /* The same check as on reading: what would be refused then must not be acknowledged now. */
    ASSERT(record_validate(copy, batch_end(batch), space));
    batch->used += space;
    if (record->kind >= RECORD_KIND_DOMAIN) {
        batch->records++;
        batch->commit_end_lsn = batch_end(batch);
    }
}

static uint64_t smaller(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

uint64_t batch_pad(struct batch *batch, uint64_t space) {
    uint64_t room =
        smaller(batch->bytes_max - batch->used, batch->segment_end_lsn - batch_end(batch));
    uint64_t total = smaller(space, room);

    ASSERT(space % RECORD_LINE_BYTES == 0);
    for (uint64_t left = total; left > 0;) {
        uint64_t piece = smaller(left, BATCH_PADDING_MAX);
        unsigned char *at = batch->bytes + batch->used;
        struct record_header *header = (struct record_header *)(void *)at;
        memset(at, 0, piece);
        *header = (struct record_header){.lsn = batch_end(batch),
                                         .time_ns = batch->time_ns,
                                         .bytes = (uint32_t)piece,
                                         .kind = RECORD_PADDING};
        batch_stamp(batch, header);
        ASSERT(record_validate(header, batch_end(batch), piece));
        batch->used += piece;
        left -= piece;
    }
    batch->padding_bytes += total;
    return total;
}
