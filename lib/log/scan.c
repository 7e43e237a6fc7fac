/* log_scan(): a stretch of the log, record by record, from the files, for any thread. */
#include "log/log.h"

#include "base/assert.h"
#include "log/reader.h"
#include "log/state.h"

/* Visits the records of the segment that the reader is open on, and moves *lsn_in_out behind them.
 */
static cellar_status scan_segment(struct reader *reader, uint64_t *lsn_in_out, uint64_t last_lsn,
                                  log_scan_function *visit, void *context) {
    cellar_status status = CELLAR_OK;
    uint64_t lsn = *lsn_in_out;
    while (lsn < reader->limit_lsn && lsn <= last_lsn && status == CELLAR_OK) {
        const struct record_header *record;
        switch (reader_get(reader, lsn, &record)) {
        case READER_FAILED:
            return CELLAR_IO_ERROR;
        case READER_INVALID:
            return CELLAR_CORRUPT;
        case READER_RECORD:
            break;
        }
        if (record->kind >= RECORD_KIND_DOMAIN) {
            status = visit(context, record);
        }
        lsn += record_space(record->bytes);
    }
    *lsn_in_out = lsn;
    return status;
}

cellar_status log_scan(struct log *log, uint64_t from_lsn, uint64_t last_lsn,
                       log_scan_function *visit, void *context) {
    cellar_status status = CELLAR_OK;
    struct reader reader;
    struct segment segment;
    uint64_t end_lsn;
    uint64_t lsn = from_lsn;

    ASSERT(log->replayed);
    uint64_t written_lsn = log_written(log);
    if (!reader_create(&reader, log)) {
        return CELLAR_OUT_OF_MEMORY;
    }
    /* Ends: each round goes on to a later segment. */
    while (status == CELLAR_OK && lsn <= last_lsn && lsn < written_lsn &&
           catalog_from(log, lsn, &segment, &end_lsn)) {
        lsn = lsn < segment.first_lsn ? segment.first_lsn : lsn;
        end_lsn = end_lsn < written_lsn ? end_lsn : written_lsn;
        if (lsn >= end_lsn || reader_open(&reader, &segment, end_lsn) < 0) {
            status = lsn >= end_lsn ? CELLAR_OK : CELLAR_IO_ERROR;
            break;
        }
        status = scan_segment(&reader, &lsn, last_lsn, visit, context);
        reader_close(&reader);
    }
    reader_destroy(&reader);
    return status;
}
