/* The list of segments, and how it is read from the directory.
 *
 * What must hold between a segment and the one before it, else CORRUPT:
 *   1  the header is valid, and names the LSN the file is named by
 *   2  both belong to the same database
 *   3  previous_end_lsn lies within the segment before: from its first LSN to its capacity
 *   4  either the incarnation is the same and first_lsn is previous_end_lsn,
 *      or it is the next one and first_lsn is previous_end_lsn + reach_bytes of the segment before
 * The first segment has previous_end_lsn 0 and incarnation 1. So a segment that is missing, at the
 * beginning or between two others, is always noticed; that the records of each reach exactly to the
 * previous_end_lsn of the next is checked when they are read. */
#include "log/catalog.h"

#include "base/assert.h"
#include "log/report.h"
#include "log/state.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define CATALOG_ALLOCATED_MIN 64

void catalog_create(struct catalog *catalog) {
    memset(catalog, 0, sizeof *catalog);
    int failed = pthread_mutex_init(&catalog->lock, NULL);
    ASSERT(failed == 0);
}

void catalog_destroy(struct log *log) {
    struct catalog *catalog = &log->catalog;

    for (int i = 0; i < CATALOG_HANDLES_MAX; i++) {
        ASSERT(catalog->handles[i].users == 0);
        if (catalog->handles[i].first_lsn != 0) {
            (void)log->io->close(log->io->context, catalog->handles[i].file);
        }
    }
    memory_release(log->memory, MEMORY_LOG, catalog->segments,
                   catalog->allocated * sizeof *catalog->segments);
    pthread_mutex_destroy(&catalog->lock);
}

/* ---- The list ---- */

static bool catalog_grow(struct log *log) {
    struct catalog *catalog = &log->catalog;
    uint64_t allocated = catalog->allocated != 0 ? catalog->allocated * 2 : CATALOG_ALLOCATED_MIN;
    struct segment *segments =
        memory_allocate(log->memory, MEMORY_LOG, allocated * sizeof *segments);

    if (segments == NULL) {
        return false;
    }
    if (catalog->count != 0) {
        memcpy(segments, catalog->segments, catalog->count * sizeof *segments);
    }
    memory_release(log->memory, MEMORY_LOG, catalog->segments,
                   catalog->allocated * sizeof *segments);
    catalog->segments = segments;
    catalog->allocated = allocated;
    return true;
}

bool catalog_reserve(struct log *log) {
    struct catalog *catalog = &log->catalog;

    pthread_mutex_lock(&catalog->lock);
    bool room = catalog->count < catalog->allocated || catalog_grow(log);
    pthread_mutex_unlock(&catalog->lock);
    return room;
}

void catalog_append(struct log *log, const struct segment *segment) {
    struct catalog *catalog = &log->catalog;

    pthread_mutex_lock(&catalog->lock);
    ASSERT(catalog->count < catalog->allocated);
    ASSERT(catalog->count == 0 ||
           catalog->segments[catalog->count - 1].first_lsn < segment->first_lsn);
    catalog->segments[catalog->count++] = *segment;
    pthread_mutex_unlock(&catalog->lock);
}

uint64_t catalog_count(struct log *log) {
    pthread_mutex_lock(&log->catalog.lock);
    uint64_t count = log->catalog.count;
    pthread_mutex_unlock(&log->catalog.lock);
    return count;
}

bool catalog_last(struct log *log, struct segment *segment_out) {
    struct catalog *catalog = &log->catalog;

    pthread_mutex_lock(&catalog->lock);
    bool found = catalog->count != 0;
    if (found) {
        *segment_out = catalog->segments[catalog->count - 1];
    }
    pthread_mutex_unlock(&catalog->lock);
    return found;
}

/* The number of segments that begin at or below `lsn`. */
static uint64_t catalog_count_to(const struct catalog *catalog, uint64_t lsn) {
    uint64_t low = 0;
    uint64_t high = catalog->count;

    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (catalog->segments[middle].first_lsn <= lsn) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

bool catalog_from(struct log *log, uint64_t lsn, struct segment *segment_out, uint64_t *end_out) {
    struct catalog *catalog = &log->catalog;

    pthread_mutex_lock(&catalog->lock);
    uint64_t next = catalog_count_to(catalog, lsn);
    bool last = next == catalog->count;
    if (next != 0 && (last || lsn < catalog->segments[next].previous_end_lsn)) {
        next--;
    }
    bool found = next < catalog->count;
    if (found) {
        *segment_out = catalog->segments[next];
        *end_out =
            next + 1 < catalog->count ? catalog->segments[next + 1].previous_end_lsn : UINT64_MAX;
    }
    pthread_mutex_unlock(&catalog->lock);
    return found;
}

bool catalog_find(struct log *log, uint64_t lsn, struct segment *segment_out, uint64_t *end_out) {
    return catalog_from(log, lsn, segment_out, end_out) && lsn >= segment_out->first_lsn;
}

/* ---- Reading the directory ---- */

static int catalog_note_name(void *visitor, const char *name) {
    struct log *log = visitor;
    uint64_t first_lsn;

    if (!segment_parse_name(name, &first_lsn)) {
        return 0;
    }
    if (!catalog_reserve(log)) {
        return -ENOMEM;
    }
    log->catalog.segments[log->catalog.count++] = (struct segment){.first_lsn = first_lsn};
    return 0;
}

static int catalog_compare(const void *left, const void *right) {
    const struct segment *a = left;
    const struct segment *b = right;

    return a->first_lsn < b->first_lsn ? -1 : a->first_lsn > b->first_lsn;
}

/* Reads the header of the segment, of which only the name is known. */
static cellar_status catalog_read_header(struct log *log, struct segment *segment,
                                         cellar_problem *problem) {
    char path[SEGMENT_PATH_BYTES];
    unsigned char block[SEGMENT_HEADER_BYTES];
    const char *reason = "the file is shorter than a segment's header";
    uint64_t name_lsn = segment->first_lsn;

    segment_path(path, log->directory, name_lsn);
    int file = log->io->open(log->io->context, path, O_RDONLY);
    if (file < 0) {
        return report_io_problem(problem, path, "open", file);
    }
    int64_t file_bytes = log->io->size(log->io->context, file);
    ssize_t count =
        file_bytes < 0 ? (ssize_t)file_bytes : io_read_all(log->io, file, block, sizeof block, 0);
    (void)log->io->close(log->io->context, file);
    if (count < 0) {
        return report_io_problem(problem, path, "read", count);
    }
    cellar_status status = CELLAR_CORRUPT;
    if (file_bytes >= SEGMENT_HEADER_BYTES && count == (ssize_t)sizeof block) {
        status = segment_decode(block, segment, &reason);
    }
    if (status == CELLAR_OK && segment->first_lsn != name_lsn) {
        status = CELLAR_CORRUPT;
        reason = "the segment was written under another name";
    }
    if (status != CELLAR_OK) {
        return report_problem(problem, status, "%s: offset 0: %s", path, reason);
    }
    segment->file_bytes = (uint64_t)file_bytes;
    return CELLAR_OK;
}

/* The rules at the head of this file. NULL when they hold. */
static const char *catalog_check_first(const struct segment *segment) {
    if (segment->previous_end_lsn != 0 || segment->incarnation != 1) {
        return "the segments before this one are missing";
    }
    return NULL;
}

static const char *catalog_check_next(const struct segment *before, const struct segment *next) {
    uint64_t end = next->previous_end_lsn;

    if (next->database_high != before->database_high ||
        next->database_low != before->database_low) {
        return "the segment belongs to another database than the one before it";
    }
    if (end < before->first_lsn || end > before->first_lsn + before->capacity_bytes) {
        return "a segment before this one is missing";
    }
    if (next->incarnation == before->incarnation && next->first_lsn == end) {
        return NULL;
    }
    if (next->incarnation == before->incarnation + 1 &&
        next->first_lsn == segment_next_start(before, end)) {
        return NULL;
    }
    return "the segment does not continue the one before it";
}

cellar_status catalog_load(struct log *log, cellar_problem *problem) {
    struct catalog *catalog = &log->catalog;
    int listed = log->io->list(log->io->context, log->directory, catalog_note_name, log);

    if (listed == -ENOMEM) {
        return report_problem(problem, CELLAR_OUT_OF_MEMORY, "no memory to list the segments");
    }
    if (listed < 0) {
        return report_io_problem(problem, log->directory, "list", listed);
    }
    if (catalog->count != 0) {
        qsort(catalog->segments, catalog->count, sizeof *catalog->segments, catalog_compare);
    }
    for (uint64_t i = 0; i < catalog->count; i++) {
        struct segment *segment = &catalog->segments[i];
        cellar_status status = catalog_read_header(log, segment, problem);
        if (status != CELLAR_OK) {
            return status;
        }
        const char *reason =
            i == 0 ? catalog_check_first(segment) : catalog_check_next(segment - 1, segment);
        if (reason != NULL) {
            char path[SEGMENT_PATH_BYTES];
            segment_path(path, log->directory, segment->first_lsn);
            return report_problem(problem, CELLAR_CORRUPT, "%s: offset 0: %s", path, reason);
        }
    }
    return CELLAR_OK;
}

/* ---- Handles ---- */

/* The handle of the segment, or the place for a new one: free, else the one longest unused. NULL
 * when all are in use. */
static struct catalog_handle *catalog_choose(struct catalog *catalog, uint64_t first_lsn) {
    struct catalog_handle *chosen = NULL;

    for (int i = 0; i < CATALOG_HANDLES_MAX; i++) {
        struct catalog_handle *handle = &catalog->handles[i];
        if (handle->first_lsn == first_lsn) {
            return handle;
        }
        if (handle->users == 0 && (chosen == NULL || handle->used_at < chosen->used_at)) {
            chosen = handle;
        }
    }
    return chosen;
}

static int catalog_open(struct log *log, uint64_t first_lsn) {
    char path[SEGMENT_PATH_BYTES];

    segment_path(path, log->directory, first_lsn);
    return log->io->open(log->io->context, path, O_RDONLY);
}

int catalog_acquire(struct log *log, uint64_t first_lsn) {
    struct catalog *catalog = &log->catalog;

    ASSERT(first_lsn != 0);
    pthread_mutex_lock(&catalog->lock);
    struct catalog_handle *handle = catalog_choose(catalog, first_lsn);
    if (handle == NULL) {
        /* More readers at once than handles are kept: this one has a handle of its own. */
        pthread_mutex_unlock(&catalog->lock);
        return catalog_open(log, first_lsn);
    }
    if (handle->first_lsn != first_lsn) {
        int file = catalog_open(log, first_lsn);
        if (file < 0) {
            pthread_mutex_unlock(&catalog->lock);
            return file;
        }
        if (handle->first_lsn != 0) {
            (void)log->io->close(log->io->context, handle->file);
        }
        *handle = (struct catalog_handle){.first_lsn = first_lsn, .file = file};
    }
    handle->users++;
    handle->used_at = ++catalog->uses;
    int file = handle->file;
    pthread_mutex_unlock(&catalog->lock);
    return file;
}

void catalog_release(struct log *log, uint64_t first_lsn, int file) {
    struct catalog *catalog = &log->catalog;
    bool shared = false;

    pthread_mutex_lock(&catalog->lock);
    for (int i = 0; i < CATALOG_HANDLES_MAX; i++) {
        struct catalog_handle *handle = &catalog->handles[i];
        if (handle->first_lsn == first_lsn && handle->file == file) {
            ASSERT(handle->users > 0);
            handle->users--;
            shared = true;
        }
    }
    pthread_mutex_unlock(&catalog->lock);
    if (!shared) {
        (void)log->io->close(log->io->context, file);
    }
}
