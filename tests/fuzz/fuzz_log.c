/* Does the log reader give a clear answer to any bytes at all in a store's directory?
 *
 * The directory (see image.h) is read as a tool reads it, without the lock, and as a store does.
 * Both must come to the same answer and the same records, each record valid and in order; nothing
 * on the disk may change; and what is read must lie in memory that was read from the file, which
 * the address sanitizer watches. */
#include "base/assert.h"
#include "base/memory.h"
#include "commit/record.h"
#include "image.h"
#include "log/log.h"

#include <stdbool.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

struct reading {
    cellar_status opened;
    cellar_status replayed;
    uint64_t records;
    uint64_t sum;
    uint64_t last_lsn;
    int64_t last_time_ns;
    uint64_t start_lsn;
};

static cellar_status reading_visit(void *context, const struct record_header *record,
                                   cellar_problem *problem) {
    struct reading *reading = context;
    const unsigned char *bytes = (const unsigned char *)record;

    (void)problem;
    ASSERT(record->kind >= RECORD_KIND_DOMAIN);
    ASSERT(record->lsn > reading->last_lsn);
    ASSERT(record_validate(record, record->lsn, record->bytes));
    for (uint32_t i = 0; i < record->bytes; i++) {
        reading->sum = reading->sum * 31 + bytes[i];
    }
    reading->last_lsn = record->lsn;
    reading->records++;
    return CELLAR_OK;
}

static void reading_make(struct reading *reading, struct memory_disk *disk, bool read_only) {
    struct memory *memory = memory_create();
    const struct log_config config = {.io = memory_disk_io(disk),
                                      .directory = IMAGE_DIRECTORY,
                                      .segment_bytes = UINT64_C(1) << 20,
                                      .ring_bytes = COMMIT_RING_BYTES_MIN,
                                      .memory = memory,
                                      .read_only = read_only};
    cellar_problem problem = {0};
    struct log *log;

    ASSERT(memory != NULL);
    memset(reading, 0, sizeof *reading);
    reading->opened = log_open(&log, &config, &problem);
    if (reading->opened == CELLAR_OK) {
        reading->replayed = log_replay(log, reading_visit, reading, &problem);
        if (reading->replayed == CELLAR_OK) {
            reading->start_lsn = log_start_lsn(log);
            ASSERT(reading->start_lsn > reading->last_lsn);
        }
        log_destroy(log);
    }
    cellar_status status = reading->opened == CELLAR_OK ? reading->replayed : reading->opened;
    ASSERT(status == CELLAR_OK || status == CELLAR_CORRUPT || status == CELLAR_UNKNOWN_FORMAT);
    /* A refusal says what is wrong. */
    ASSERT((status == CELLAR_OK) == (problem.text[0] == '\0'));
    memory_destroy(memory);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    struct memory_disk *disk = image_create(data, bytes);
    uint64_t before = memory_disk_fingerprint(disk);
    struct reading tool;
    struct reading store;

    reading_make(&tool, disk, true);
    reading_make(&store, disk, false);
    ASSERT(memcmp(&tool, &store, sizeof tool) == 0);
    ASSERT(memory_disk_fingerprint(disk) == before);
    memory_disk_destroy(disk);
    return 0;
}
