#include "support/commits_left.h"

#include "engine/engine.h"

#include <stdio.h>

static uint64_t lsn_at(const struct commits_left_query *query, size_t index) {
    const char *first = (const char *)query->first_lsn;
    return *(const uint64_t *)(const void *)(first + index * query->stride_bytes);
}

static cellar_status read_at(const struct commits_left_query *query, uint64_t lsn) {
    struct record_header *record = NULL;
    if (lsn == 0) {
        return CELLAR_OK;
    }
    cellar_status status = log_read(query->store->log, lsn, &record);
    if (status == CELLAR_OK) {
        log_release_record(query->store->log, record);
    }
    return status;
}

bool commits_left(const struct commits_left_query *query, size_t *left_out, char *wrong,
                  size_t wrong_bytes) {
    size_t left = query->count;
    for (size_t i = 0; i < query->count; i++) {
        uint64_t lsn = lsn_at(query, i);
        cellar_status status = read_at(query, lsn);
        const char *why = NULL;
        if (status == CELLAR_NOT_FOUND) {
            left = i < left ? i : left;
            why = lsn < query->acknowledged ? "was acknowledged and is lost" : NULL;
        } else if (status != CELLAR_OK) {
            why = cellar_status_name(status);
        } else if (left < i && lsn != 0) {
            why = "is there behind a hole";
        }
        if (why != NULL) {
            (void)snprintf(wrong, wrong_bytes, "%llu, of those acknowledged below %llu, %s",
                           (unsigned long long)lsn, (unsigned long long)query->acknowledged, why);
            return false;
        }
    }
    *left_out = left;
    return true;
}
