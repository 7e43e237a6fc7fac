/* Opening and releasing a log: its directory, its lock, its segments' headers. */
#include "log/log.h"

#include "base/assert.h"
#include "log/report.h"
#include "log/state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define OPEN_LOCK_NAME "lock"
/* "/", the longest name in the directory, and the final NUL. */
#define OPEN_NAME_BYTES_MAX 32

_Static_assert(OPEN_NAME_BYTES_MAX > SEGMENT_NAME_BYTES + 2, "every name fits a path");

static uint64_t smaller(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

/* Sizes that follow from the configuration. NULL, or what is wrong with it. */
static const char *open_size(struct log *log, const struct log_config *config) {
    uint64_t record_max =
        record_space(record_payload_offset(RECORD_CELLS_MAX) + RECORD_PAYLOAD_MAX);
    uint64_t ring = config->ring_bytes;

    if (ring < COMMIT_RING_BYTES_MIN || ring > COMMIT_RING_BYTES_MAX || (ring & (ring - 1)) != 0) {
        return "ring_bytes: not a power of two, or out of range";
    }
    if (config->segment_bytes < LOG_SEGMENT_BYTES_MIN ||
        config->segment_bytes > LOG_SEGMENT_BYTES_MAX) {
        return "segment_bytes: out of range";
    }
    log->segment_bytes = config->segment_bytes / SEGMENT_HEADER_BYTES * SEGMENT_HEADER_BYTES;
    log->record_space_max = smaller(record_max, ring / COMMIT_RING_SHARE);
    log->batch_bytes = smaller(WRITER_BATCH_BYTES, ring);
    /* The ring begins at `reclaimed`, which is at most `written`, which is at most one batch beyond
     * what is on disk. */
    log->reach_bytes = ring + log->batch_bytes;
    /* Twice: with the spare ready, the largest record must find room wherever the active segment is
     * written up to, though a largest record may be lost at that segment's end. */
    if (log->segment_bytes < SEGMENT_HEADER_BYTES + 2 * log->record_space_max) {
        return "segment_bytes: too small for two of the largest records of this ring";
    }
    return NULL;
}

/* ---- The directory and its lock ---- */

static cellar_status open_make_directory(struct log *log, cellar_problem *problem) {
    int result = log->io->make_directory(log->io->context, log->directory);

    if (result == 0 || result == -EEXIST) {
        return CELLAR_OK;
    }
    return report_io_problem(problem, log->directory, "make", result);
}

static cellar_status open_lock(struct log *log, cellar_problem *problem) {
    char path[SEGMENT_PATH_BYTES];

    int length = snprintf(path, sizeof path, "%s/" OPEN_LOCK_NAME, log->directory);
    ASSERT(length > 0);
    ASSERT(length < SEGMENT_PATH_BYTES);
    int file = log->io->open(log->io->context, path, O_RDWR | O_CREAT);
    if (file < 0) {
        return report_io_problem(problem, path, "open", file);
    }
    int result = log->io->lock(log->io->context, file);
    if (result == -EWOULDBLOCK) {
        (void)log->io->close(log->io->context, file);
        return report_problem(problem, CELLAR_LOCKED, "%s: held by another store or process", path);
    }
    if (result < 0) {
        (void)log->io->close(log->io->context, file);
        return report_io_problem(problem, path, "lock", result);
    }
    log->lock_file = file;
    return CELLAR_OK;
}

/* ---- The log ---- */

static struct log *open_allocate(const struct log_config *config) {
    size_t directory_bytes = strlen(config->directory) + 1;
    struct log *log =
        memory_allocate_aligned(config->memory, MEMORY_LOG, CACHE_LINE_BYTES, sizeof *log);

    if (log == NULL) {
        return NULL;
    }
    memset(log, 0, sizeof *log);
    log->memory = config->memory;
    log->directory = memory_allocate(config->memory, MEMORY_LOG, directory_bytes);
    if (log->directory == NULL) {
        memory_release(config->memory, MEMORY_LOG, log, sizeof *log);
        return NULL;
    }
    memcpy(log->directory, config->directory, directory_bytes);
    log->io = config->io != NULL ? config->io : &io_posix;
    log->report = config->report;
    log->report_context = config->report_context;
    log->read_only = config->read_only;
    log->lock_file = -1;
    catalog_create(&log->catalog);
    prepare_create(&log->prepare);
    wait_create(&log->wait);
    return log;
}

static cellar_status open_read(struct log *log, cellar_problem *problem) {
    if (!log->read_only) {
        cellar_status status = open_make_directory(log, problem);
        if (status == CELLAR_OK) {
            status = open_lock(log, problem);
        }
        if (status != CELLAR_OK) {
            return status;
        }
    }
    return catalog_load(log, problem);
}

cellar_status log_open(struct log **log_out, const struct log_config *config,
                       cellar_problem *problem) {
    *log_out = NULL;
    if (config->directory == NULL || config->directory[0] == '\0' ||
        strlen(config->directory) > SEGMENT_PATH_BYTES - OPEN_NAME_BYTES_MAX) {
        return report_problem(problem, CELLAR_INVALID_ARGUMENT, "directory: missing or too long");
    }
    struct log *log = open_allocate(config);
    if (log == NULL) {
        return report_problem(problem, CELLAR_OUT_OF_MEMORY, "no memory for the log");
    }
    const char *wrong = open_size(log, config);
    cellar_status status = wrong == NULL
                               ? open_read(log, problem)
                               : report_problem(problem, CELLAR_INVALID_ARGUMENT, "%s", wrong);
    if (status != CELLAR_OK) {
        log_destroy(log);
        return status;
    }
    *log_out = log;
    return CELLAR_OK;
}

void log_destroy(struct log *log) {
    if (log == NULL) {
        return;
    }
    (void)log_stop(log);
    prepare_destroy(log);
    writer_destroy(log);
    wait_destroy(&log->wait);
    catalog_destroy(log);
    if (log->lock_file >= 0) {
        (void)log->io->close(log->io->context, log->lock_file);
    }
    memory_release(log->memory, MEMORY_LOG, log->directory, strlen(log->directory) + 1);
    memory_release(log->memory, MEMORY_LOG, log, sizeof *log);
}
