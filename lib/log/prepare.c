/* The preparing thread, and rolling over to what it has prepared. */
#include "log/prepare.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/futex.h"
#include "base/probe.h"
#include "base/thread.h"
#include "log/report.h"
#include "log/state.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

_Static_assert(PREPARE_STEP_BYTES % PREPARE_PIECE_BYTES == 0, "a step is whole pieces");
_Static_assert(PREPARE_PIECE_BYTES % SEGMENT_HEADER_BYTES == 0, "a piece is whole blocks");

/* What a step was at when it failed, and the word for it. */
enum prepare_stage {
    PREPARE_CREATE,
    PREPARE_WRITE,
    PREPARE_SYNC
};
static const char *const prepare_verbs[] = {"create", "write", "sync"};

static const struct prepare_place place_empty = {.file = -1, .fill_file = -1};

void prepare_create(struct prepare *prepare) {
    int failed = pthread_mutex_init(&prepare->lock, NULL);
    ASSERT(failed == 0);
    prepare->places[0] = place_empty;
    prepare->places[1] = place_empty;
}

bool prepare_allocate(struct log *log) {
    struct prepare *prepare = &log->prepare;

    prepare->zeros =
        memory_allocate_aligned(log->memory, MEMORY_LOG, SEGMENT_HEADER_BYTES, PREPARE_PIECE_BYTES);
    if (prepare->zeros == NULL) {
        return false;
    }
    memset(prepare->zeros, 0, PREPARE_PIECE_BYTES);
    return true;
}

static void place_close(struct log *log, struct prepare_place *place) {
    if (place->file >= 0) {
        (void)log->io->close(log->io->context, place->file);
    }
    if (place->fill_file >= 0) {
        (void)log->io->close(log->io->context, place->fill_file);
    }
    *place = place_empty;
}

void prepare_destroy(struct log *log) {
    struct prepare *prepare = &log->prepare;

    ASSERT(!prepare->running);
    place_close(log, &prepare->places[0]);
    place_close(log, &prepare->places[1]);
    memory_release(log->memory, MEMORY_LOG, prepare->zeros, PREPARE_PIECE_BYTES);
    pthread_mutex_destroy(&prepare->lock);
}

void prepare_spare_path(const struct log *log, char path[SEGMENT_PATH_BYTES]) {
    int length = snprintf(path, SEGMENT_PATH_BYTES, "%s/" PREPARE_SPARE_NAME, log->directory);

    ASSERT(length > 0);
    ASSERT(length < SEGMENT_PATH_BYTES);
}

static struct prepare_place *prepare_active(struct prepare *prepare) {
    return &prepare->places[prepare->active];
}

static struct prepare_place *prepare_spare(struct prepare *prepare) {
    return &prepare->places[1 - prepare->active];
}

int prepare_active_file(struct log *log) {
    return prepare_active(&log->prepare)->file;
}

/* ---- Filling ---- */

static int prepare_open_spare(struct log *log, struct prepare_place *place) {
    char path[SEGMENT_PATH_BYTES];

    prepare_spare_path(log, path);
    if (!catalog_reserve(log)) {
        return -ENOMEM;
    }
    int file = log->io->open(log->io->context, path, O_RDWR | O_CREAT | O_EXCL);
    if (file == -EEXIST) {
        /* Left by an earlier try of ours that could not open its second handle. */
        (void)log->io->unlink(log->io->context, path);
        file = log->io->open(log->io->context, path, O_RDWR | O_CREAT | O_EXCL);
    }
    if (file < 0) {
        return file;
    }
    int fill_file = log->io->open(log->io->context, path, O_RDWR);
    if (fill_file < 0) {
        (void)log->io->close(log->io->context, file);
        return fill_file;
    }
    *place = (struct prepare_place){.file = file, .fill_file = fill_file};
    return 0;
}

/* Zero-fills one step. Gives up between two pieces when told to stop, then with -ECANCELED. */
static int prepare_fill(struct log *log, int file, uint64_t from, uint64_t to) {
    struct prepare *prepare = &log->prepare;

    for (uint64_t at = from; at < to; at += PREPARE_PIECE_BYTES) {
        /* Acquire: pairs with the release in prepare_stop(). */
        if (ATOMIC_LOAD(&prepare->stopping, acquire) != 0) {
            return -ECANCELED;
        }
        uint64_t bytes = to - at < PREPARE_PIECE_BYTES ? to - at : PREPARE_PIECE_BYTES;
        int result = io_write_all(log->io, file, prepare->zeros, bytes, at);
        if (result < 0) {
            return result;
        }
    }
    return 0;
}

/* Under the lock. The end of what is surely there: a record that ends in the active file's prepared
 * part goes there; beyond, the active segment may lose up to the largest record at its end. */
static uint64_t prepare_promise(const struct log *log) {
    const struct prepare_place *active = &log->prepare.places[log->prepare.active];
    const struct prepare_place *spare = &log->prepare.places[1 - log->prepare.active];
    uint64_t end = active->first_lsn + active->prepared_bytes - SEGMENT_HEADER_BYTES;

    if (active->prepared_bytes == log->segment_bytes &&
        spare->prepared_bytes > SEGMENT_HEADER_BYTES + log->record_space_max) {
        return end - log->record_space_max + spare->prepared_bytes - SEGMENT_HEADER_BYTES;
    }
    return end;
}

/* Under the lock: what to fill next. NULL when all is done. */
static struct prepare_place *prepare_choose(const struct log *log, struct prepare *prepare) {
    struct prepare_place *active = prepare_active(prepare);
    struct prepare_place *spare = prepare_spare(prepare);

    if (active->prepared_bytes < log->segment_bytes) {
        return active;
    }
    return spare->prepared_bytes < log->segment_bytes ? spare : NULL;
}

/* The end of the step that begins at `from`. */
static uint64_t prepare_step_end(const struct log *log, uint64_t from) {
    uint64_t left = log->segment_bytes - from;

    return from + (left < PREPARE_STEP_BYTES ? left : PREPARE_STEP_BYTES);
}

/* The step is done: more may be reserved. */
static void prepare_finish_step(struct log *log, struct prepare_place *place, uint64_t to) {
    struct prepare *prepare = &log->prepare;
    int unneeded = -1;

    pthread_mutex_lock(&prepare->lock);
    place->prepared_bytes = to;
    if (to == log->segment_bytes) {
        unneeded = place->fill_file;
        place->fill_file = -1;
    }
    commit_advance_disk_end(log->commit, prepare_promise(log));
    pthread_mutex_unlock(&prepare->lock);
    if (unneeded >= 0) {
        (void)log->io->close(log->io->context, unneeded);
    }
}

/* One step of work. 1: done, 0: there is none, -errno: failed at *stage_out. */
static int prepare_step(struct log *log, enum prepare_stage *stage_out) {
    struct prepare *prepare = &log->prepare;
    int result = 0;

    pthread_mutex_lock(&prepare->lock);
    struct prepare_place *place = prepare_choose(log, prepare);
    *stage_out = PREPARE_CREATE;
    if (place != NULL && place->file < 0) {
        result = prepare_open_spare(log, place);
    }
    uint64_t from = place != NULL ? place->prepared_bytes : 0;
    int file = place != NULL ? place->fill_file : -1;
    pthread_mutex_unlock(&prepare->lock);
    if (place == NULL || result < 0) {
        return result;
    }
    /* Outside the lock. Meanwhile the writer may make this spare the active segment, but only we
     * change how much of it is prepared, and until it is full it is not given up. */
    uint64_t to = prepare_step_end(log, from);
    *stage_out = PREPARE_WRITE;
    result = prepare_fill(log, file, from, to);
    if (result == 0) {
        *stage_out = PREPARE_SYNC;
        result = log->io->fdatasync(log->io->context, file);
    }
    if (result < 0) {
        return result;
    }
    prepare_finish_step(log, place, to);
    return 1;
}

/* ---- The thread ---- */

static void prepare_note_full(struct log *log, enum prepare_stage stage, int error) {
    char words[64];

    if (ATOMIC_EXCHANGE(&log->prepare.full, 1, relaxed) == 0) {
        report_event(log, CELLAR_REPORT_WARNING,
                     "log: no space can be prepared (cannot %s: %s); trying again",
                     prepare_verbs[stage], report_errno(error, words));
    }
}

static void prepare_note_space(struct log *log) {
    if (ATOMIC_EXCHANGE(&log->prepare.full, 0, relaxed) != 0) {
        report_event(log, CELLAR_REPORT_NOTE, "log: space can be prepared again");
    }
}

/* A failure that can pass: nothing that was promised is touched by it. After a failed sync, or a
 * write that failed for another reason, the disk is not to be trusted. */
static bool prepare_can_retry(enum prepare_stage stage, int error) {
    return stage == PREPARE_CREATE ||
           (stage == PREPARE_WRITE && (error == -ENOSPC || error == -EDQUOT));
}

static void *prepare_run(void *argument) {
    struct log *log = argument;
    struct prepare *prepare = &log->prepare;

    for (;;) {
        /* Before the look whether to stop, or the kick that comes with that could be slept over.
         * Acquire: pairs with the release in prepare_kick(). */
        uint32_t epoch = ATOMIC_LOAD(&prepare->epoch, acquire);
        /* Acquire: pairs with the release in prepare_stop(). */
        if (ATOMIC_LOAD(&prepare->stopping, acquire) != 0 ||
            ATOMIC_LOAD(&log->failed, acquire) != 0) {
            break;
        }
        PROBE("prepare-goes-on", epoch);
        enum prepare_stage stage;
        int result = prepare_step(log, &stage);
        if (result > 0) {
            prepare_note_space(log);
        } else if (result == 0) {
            futex_wait(&prepare->epoch, epoch, -1);
        } else if (result == -ECANCELED) {
            break;
        } else if (prepare_can_retry(stage, result)) {
            prepare_note_full(log, stage, result);
            futex_wait(&prepare->epoch, epoch, PREPARE_RETRY_NS);
        } else {
            fail_log(log, "prepared space", prepare_verbs[stage], result);
        }
    }
    return NULL;
}

static void prepare_kick(struct prepare *prepare) {
    /* Release: pairs with the acquire in prepare_run(). */
    ATOMIC_ADD(&prepare->epoch, 1, release);
    futex_wake(&prepare->epoch, FUTEX_ALL);
}

bool prepare_start(struct log *log) {
    struct prepare *prepare = &log->prepare;

    pthread_mutex_lock(&prepare->lock);
    commit_advance_disk_end(log->commit, prepare_promise(log));
    pthread_mutex_unlock(&prepare->lock);
    prepare->running = thread_start(&prepare->thread, "cellar-prepare", prepare_run, log);
    return prepare->running;
}

void prepare_stop(struct log *log) {
    struct prepare *prepare = &log->prepare;

    if (!prepare->running) {
        return;
    }
    /* Release: pairs with the acquire in prepare_run() and prepare_fill(). */
    ATOMIC_STORE(&prepare->stopping, 1, release);
    prepare_kick(prepare);
    pthread_join(prepare->thread, NULL);
    prepare->running = false;
}

/* ---- Using what is prepared ---- */

int prepare_first(struct log *log) {
    struct prepare_place *spare = prepare_spare(&log->prepare);
    uint64_t needed = SEGMENT_HEADER_BYTES + log->record_space_max;
    int result = prepare_open_spare(log, spare);

    while (result == 0 && spare->prepared_bytes < needed) {
        uint64_t to = prepare_step_end(log, spare->prepared_bytes);
        result = prepare_fill(log, spare->fill_file, spare->prepared_bytes, to);
        spare->prepared_bytes = to;
    }
    if (result == 0) {
        result = log->io->fdatasync(log->io->context, spare->fill_file);
    }
    return result;
}

/* Gives the spare its header and its name, for good. */
static int prepare_name(struct log *log, int file, const struct segment *segment,
                        const char **verb_out) {
    unsigned char block[SEGMENT_HEADER_BYTES];
    char from[SEGMENT_PATH_BYTES];
    char to[SEGMENT_PATH_BYTES];

    segment_encode(block, segment);
    prepare_spare_path(log, from);
    segment_path(to, log->directory, segment->first_lsn);
    *verb_out = "write the header of";
    int result = io_write_all(log->io, file, block, sizeof block, 0);
    if (result == 0) {
        *verb_out = "sync the header of";
        result = log->io->fdatasync(log->io->context, file);
    }
    if (result == 0) {
        *verb_out = "name";
        result = log->io->rename(log->io->context, from, to);
    }
    if (result == 0) {
        *verb_out = "sync the directory of";
        result = log->io->sync_directory(log->io->context, log->directory);
    }
    return result;
}

int prepare_roll(struct log *log, const struct segment *segment, const char **verb_out) {
    struct prepare *prepare = &log->prepare;
    struct segment named = *segment;

    pthread_mutex_lock(&prepare->lock);
    struct prepare_place *spare = prepare_spare(prepare);
    int file = spare->file;
    uint64_t prepared_bytes = spare->prepared_bytes;
    pthread_mutex_unlock(&prepare->lock);
    /* Guarantee A. */
    ASSERT(file >= 0);
    ASSERT(prepared_bytes >= SEGMENT_HEADER_BYTES + log->record_space_max);

    named.prepared_bytes = prepared_bytes;
    int result = prepare_name(log, file, &named, verb_out);
    if (result < 0) {
        return result;
    }
    catalog_append(log, &named);
    pthread_mutex_lock(&prepare->lock);
    place_close(log, prepare_active(prepare));
    prepare->active = 1 - prepare->active;
    spare->first_lsn = segment->first_lsn;
    if (log->commit != NULL) {
        commit_advance_disk_end(log->commit, prepare_promise(log));
    }
    pthread_mutex_unlock(&prepare->lock);
    prepare_kick(prepare);
    return 0;
}

int prepare_remove_spare(struct log *log) {
    char path[SEGMENT_PATH_BYTES];

    place_close(log, prepare_spare(&log->prepare));
    prepare_spare_path(log, path);
    int result = log->io->unlink(log->io->context, path);
    return result == -ENOENT ? 0 : result;
}
