/* Telling a story to a log, and reading it back. */
#include "support/log_story.h"

#include "base/clock.h"
#include "log/state.h"
#include "support/random.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define RING_BYTES (UINT64_C(1) << 16)
#define CHANGES_MAX 4
#define KIND (RECORD_KIND_DOMAIN + 3)
#define PATIENCE_NS (10 * NANOSECONDS_PER_SECOND)

/* What record `number` is, but for versions and old values. */
struct story_record {
    uint32_t change_count;
    uint32_t cells[CHANGES_MAX];
    int64_t deltas[CHANGES_MAX];
    uint32_t payload_bytes;
    unsigned char payload[STORY_PAYLOAD_MAX];
};

static void story_record(const struct story *story, uint64_t number, struct story_record *record) {
    struct random random = {story->salt ^ (number * UINT64_C(0x2545f4914f6cdd1d))};
    uint32_t cell = 0;

    record->change_count = (uint32_t)random_below(&random, CHANGES_MAX + 1);
    for (uint32_t i = 0; i < record->change_count; i++) {
        cell += 1 + (uint32_t)random_below(&random, STORY_CELLS / CHANGES_MAX - 1);
        record->cells[i] = cell;
        record->deltas[i] = (int64_t)random_below(&random, 2000) - 1000;
    }
    /* Small ones, that share sectors, and ones of several sectors. */
    uint64_t most = random_below(&random, 8) == 0 ? STORY_PAYLOAD_MAX
                    : number % 3 == 0             ? 1500
                                                  : 200;
    record->payload_bytes = (uint32_t)random_below(&random, most);
    random_fill(&random, record->payload, record->payload_bytes);
}

__attribute__((format(printf, 2, 3))) static void story_wrong(struct story_log *log,
                                                              const char *format, ...) {
    if (log->wrong[0] == '\0') {
        va_list arguments;
        va_start(arguments, format);
        (void)vsnprintf(log->wrong, sizeof log->wrong, format, arguments);
        va_end(arguments);
    }
}

/* ---- Reading ---- */

static void story_check_updates(struct story_log *log, const struct record_header *header,
                                const struct story_record *wanted) {
    const struct record_update *updates = record_updates(header);
    const uint32_t *cells = record_cells(header);

    for (uint32_t i = 0; i < wanted->change_count; i++) {
        uint32_t cell = wanted->cells[i];
        if (cells[i] != cell || updates[i].expected != log->versions[cell] ||
            updates[i].old_value != log->values[cell] ||
            updates[i].new_value != log->values[cell] + wanted->deltas[i]) {
            story_wrong(log, "record %llu: update %u", (unsigned long long)log->count, i);
        }
        log->values[cell] += wanted->deltas[i];
        log->versions[cell] = header->lsn;
    }
}

static void story_check(struct story_log *log, const struct record_header *header) {
    struct story_record wanted;
    unsigned long long number = ++log->count;

    if (number > log->story->count) {
        story_wrong(log, "record %llu was never committed", number);
        return;
    }
    story_record(log->story, number, &wanted);
    if (header->lsn != log->story->lsn[number]) {
        story_wrong(log, "record %llu: lsn %llu, was %llu", number, (unsigned long long)header->lsn,
                    (unsigned long long)log->story->lsn[number]);
    } else if (header->kind != KIND || header->cell_count != wanted.change_count ||
               record_payload_bytes(header) != wanted.payload_bytes ||
               memcmp(record_payload(header), wanted.payload, wanted.payload_bytes) != 0) {
        story_wrong(log, "record %llu: kind, shape or payload", number);
    } else if (header->time_ns < log->time_ns) {
        story_wrong(log, "record %llu: time falls", number);
    } else {
        story_check_updates(log, header, &wanted);
    }
    log->time_ns = header->time_ns;
}

static cellar_status story_visit(void *context, const struct record_header *header,
                                 cellar_problem *problem) {
    struct story_log *log = context;
    uint32_t cell;

    (void)problem;
    story_check(log, header);
    enum commit_redo_result right = header->cell_count == 0 ? COMMIT_REDO_OLD : COMMIT_REDONE;
    if (log->commit != NULL && commit_redo(log->commit, header, &cell) != right) {
        story_wrong(log, "record %llu: not redone", (unsigned long long)log->count);
    }
    return CELLAR_OK;
}

static void story_report(void *context, cellar_report_level level, const char *text) {
    struct story_log *log = context;

    (void)level;
    log->mended += strstr(text, "was cut after its last record") != NULL;
}

static cellar_status story_replay(struct story_log *log, struct memory_disk *disk) {
    const struct log_config config = {.io = memory_disk_io(disk),
                                      .directory = STORY_DIRECTORY,
                                      .segment_bytes = STORY_SEGMENT_BYTES,
                                      .ring_bytes = RING_BYTES,
                                      .memory = log->memory,
                                      .report = story_report,
                                      .report_context = log};
    cellar_status status = log_open(&log->log, &config, &log->problem);

    if (status == CELLAR_OK) {
        status = log_replay(log->log, story_visit, log, &log->problem);
    }
    return status;
}

cellar_status story_read(struct story_log *log, struct story *story, struct memory *memory,
                         struct memory_disk *disk) {
    memset(log, 0, sizeof *log);
    log->story = story;
    log->memory = memory;
    cellar_status status = story_replay(log, disk);
    if (status != CELLAR_OK) {
        (void)story_close(log);
    }
    return status;
}

/* ---- Going on ---- */

static void story_compare_cells(struct story_log *log) {
    for (uint32_t cell = 0; cell < STORY_CELLS; cell++) {
        struct cell_content content = commit_read(log->commit, cell);
        if (content.value != log->values[cell] || content.version != log->versions[cell]) {
            story_wrong(log, "cell %u after the replay", cell);
        }
    }
}

cellar_status story_open(struct story_log *log, struct story *story, struct memory *memory,
                         struct memory_disk *disk) {
    const struct commit_config config = {
        .ring_bytes = RING_BYTES, .limits = {STORY_CELLS}, .memory = memory};

    memset(log, 0, sizeof *log);
    log->story = story;
    log->memory = memory;
    cellar_status status = commit_create(&log->commit, &config);
    if (status == CELLAR_OK) {
        status = story_replay(log, disk);
    }
    if (status == CELLAR_OK) {
        story_compare_cells(log);
        status = commit_start(log->commit, log_start_lsn(log->log));
    }
    if (status == CELLAR_OK) {
        status = log_start(log->log, log->commit, &log->problem);
    }
    if (status != CELLAR_OK) {
        (void)story_close(log);
        return status;
    }
    story->count = log->count;
    return CELLAR_OK;
}

cellar_status story_close(struct story_log *log) {
    cellar_status status = CELLAR_OK;

    if (log->log != NULL) {
        status = log_stop(log->log);
        log_destroy(log->log);
    }
    if (log->commit != NULL) {
        commit_destroy(log->commit);
    }
    log->log = NULL;
    log->commit = NULL;
    return status;
}

bool story_commit(struct story_log *log) {
    struct story *story = log->story;
    struct story_record record;
    struct commit_change changes[CHANGES_MAX];
    int64_t deadline_ns = clock_monotonic_ns() + PATIENCE_NS;

    if (story->count == STORY_RECORDS_MAX) {
        return false;
    }
    story_record(story, story->count + 1, &record);
    for (;;) {
        uint64_t lsn;
        commit_enter();
        for (uint32_t i = 0; i < record.change_count; i++) {
            struct cell_content content = commit_read_settled(log->commit, record.cells[i]);
            changes[i] =
                (struct commit_change){.cell = record.cells[i],
                                       .update = {.expected = content.version,
                                                  .old_value = content.value,
                                                  .new_value = content.value + record.deltas[i]}};
        }
        const struct commit_request request = {.changes = changes,
                                               .change_count = record.change_count,
                                               .kind = KIND,
                                               .payload = record.payload,
                                               .payload_bytes = record.payload_bytes,
                                               .time_ns = clock_wall_ns()};
        enum commit_outcome outcome = commit_try(log->commit, &request, &lsn);
        commit_leave();
        if (outcome == COMMIT_DONE) {
            story->lsn[++story->count] = lsn;
            return true;
        }
        if (outcome == COMMIT_STOPPED ||
            (outcome == COMMIT_FULL &&
             !commit_wait_space(log->commit, STORY_PAYLOAD_MAX + 256, deadline_ns))) {
            return false;
        }
    }
}

cellar_status story_wait(struct story_log *log) {
    uint64_t lsn = log->story->lsn[log->story->count];

    return log_wait(log->log, lsn, clock_monotonic_ns() + PATIENCE_NS);
}

/* Is the last record before `end` a mark, on disk? (The ring may have it no more.) */
static bool story_ends_with_mark(struct story_log *log, struct memory_disk *disk, uint64_t end) {
    struct record_header header = {.lsn = 0};
    struct segment segment;
    char path[SEGMENT_PATH_BYTES];

    if (!catalog_last(log->log, &segment) || end <= segment.first_lsn) {
        return false;
    }
    uint64_t lsn = end - RECORD_LINE_BYTES;
    segment_path(path, STORY_DIRECTORY, segment.first_lsn);
    memory_disk_peek(disk, path, segment_offset(segment.first_lsn, lsn), &header, sizeof header);
    return header.lsn == lsn && header.kind == RECORD_MARK;
}

bool story_rest(struct story_log *log, struct memory_disk *disk) {
    int64_t deadline_ns = clock_monotonic_ns() + PATIENCE_NS;

    while (clock_monotonic_ns() < deadline_ns) {
        uint64_t reserved = ATOMIC_LOAD(&log->commit->reserved.lsn, acquire);
        uint64_t durable = ATOMIC_LOAD(&log->commit->durable.lsn, acquire);
        if (durable == reserved &&
            (reserved == log_start_lsn(log->log) || story_ends_with_mark(log, disk, reserved))) {
            return true;
        }
        clock_sleep_ns(NANOSECONDS_PER_MILLISECOND);
    }
    return false;
}

uint64_t story_below(const struct story *story, uint64_t lsn) {
    uint64_t low = 0;
    uint64_t high = story->count;

    while (low < high) {
        uint64_t middle = low + (high - low) / 2 + 1;
        if (story->lsn[middle] < lsn) {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    return low;
}
