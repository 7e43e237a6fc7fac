/* Opening, filling and checking a log for tests. */
#include "support/log_fixture.h"

#include "base/clock.h"
#include "log/state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RING_BYTES (UINT64_C(1) << 16)
#define PAYLOAD_MAX 8192

static void fixture_report(void *context, cellar_report_level level, const char *text) {
    struct log_fixture *fixture = context;

    (void)level;
    pthread_mutex_lock(&fixture->reports_lock);
    if (fixture->report_count < LOG_FIXTURE_REPORTS_MAX) {
        (void)snprintf(fixture->reports[fixture->report_count++], sizeof fixture->reports[0], "%s",
                       text);
    }
    pthread_mutex_unlock(&fixture->reports_lock);
}

void log_fixture_create(struct log_fixture *fixture, struct memory_disk *disk,
                        const char *directory, uint64_t segment_bytes) {
    memset(fixture, 0, sizeof *fixture);
    pthread_mutex_init(&fixture->reports_lock, NULL);
    fixture->memory = memory_create();
    fixture->payload_bytes = 40;
    fixture->patience_ns = 10 * NANOSECONDS_PER_SECOND;
    fixture->next = 1;
    fixture->config = (struct log_config){
        .io = disk != NULL ? memory_disk_io(disk) : NULL,
        .directory = directory != NULL ? directory : LOG_FIXTURE_DIRECTORY,
        .segment_bytes = segment_bytes,
        .ring_bytes = RING_BYTES,
        .memory = fixture->memory,
        .report = fixture_report,
        .report_context = fixture,
    };
}

void log_fixture_destroy(struct log_fixture *fixture) {
    (void)log_fixture_close(fixture);
    memory_destroy(fixture->memory);
    pthread_mutex_destroy(&fixture->reports_lock);
}

static void payload_make(uint64_t number, unsigned char *payload, uint64_t bytes) {
    memcpy(payload, &number, sizeof number);
    for (uint64_t i = sizeof number; i < bytes; i++) {
        payload[i] = (unsigned char)(number * 31 + i);
    }
}

bool log_fixture_record_is(const struct record_header *record, uint64_t number) {
    unsigned char payload[PAYLOAD_MAX];
    size_t bytes = record_payload_bytes(record);

    if (record->kind != LOG_FIXTURE_KIND || bytes < sizeof number || bytes > sizeof payload) {
        return false;
    }
    payload_make(number, payload, bytes);
    return memcmp(record_payload(record), payload, bytes) == 0;
}

static cellar_status fixture_visit(void *context, const struct record_header *record,
                                   cellar_problem *problem) {
    struct log_fixture *fixture = context;

    (void)problem;
    if (!log_fixture_record_is(record, fixture->replayed + 1) ||
        record->lsn <= fixture->replayed_lsn || record->time_ns < fixture->replayed_time_ns) {
        fixture->replay_is_wrong = true;
    }
    fixture->replayed++;
    fixture->replayed_lsn = record->lsn;
    fixture->replayed_time_ns = record->time_ns;
    return CELLAR_OK;
}

cellar_status log_fixture_replay(struct log_fixture *fixture) {
    fixture->replayed = 0;
    fixture->replayed_lsn = 0;
    fixture->replayed_time_ns = INT64_MIN;
    fixture->replay_is_wrong = false;
    memset(&fixture->problem, 0, sizeof fixture->problem);
    cellar_status status = log_open(&fixture->log, &fixture->config, &fixture->problem);
    if (status == CELLAR_OK) {
        status = log_replay(fixture->log, fixture_visit, fixture, &fixture->problem);
        if (status != CELLAR_OK) {
            log_destroy(fixture->log);
            fixture->log = NULL;
        }
    }
    return status;
}

cellar_status log_fixture_open(struct log_fixture *fixture) {
    cellar_status status = log_fixture_replay(fixture);
    if (status != CELLAR_OK) {
        return status;
    }
    struct commit_config config = {
        .ring_bytes = fixture->config.ring_bytes, .limits = {64}, .memory = fixture->memory};
    status = commit_create(&fixture->commit, &config);
    if (status == CELLAR_OK) {
        status = commit_start(fixture->commit, log_start_lsn(fixture->log));
    }
    if (status == CELLAR_OK) {
        status = log_start(fixture->log, fixture->commit, &fixture->problem);
    }
    fixture->next = fixture->replayed + 1;
    if (status != CELLAR_OK) {
        (void)log_fixture_close(fixture);
    }
    return status;
}

cellar_status log_fixture_close(struct log_fixture *fixture) {
    cellar_status status = CELLAR_OK;

    if (fixture->log != NULL) {
        status = log_stop(fixture->log);
        log_destroy(fixture->log);
        fixture->log = NULL;
    }
    if (fixture->commit != NULL) {
        commit_destroy(fixture->commit);
        fixture->commit = NULL;
    }
    return status;
}

uint64_t log_fixture_commit_number(struct log_fixture *fixture, uint64_t number,
                                   uint64_t payload_bytes) {
    unsigned char payload[PAYLOAD_MAX];
    struct commit_request request = {
        .kind = LOG_FIXTURE_KIND, .payload = payload, .payload_bytes = (uint32_t)payload_bytes};
    int64_t deadline_ns = clock_monotonic_ns() + fixture->patience_ns;

    payload_make(number, payload, payload_bytes);
    for (;;) {
        uint64_t lsn;
        request.time_ns = clock_wall_ns();
        commit_enter();
        enum commit_outcome outcome = commit_try(fixture->commit, &request, &lsn);
        commit_leave();
        if (outcome == COMMIT_DONE) {
            return lsn;
        }
        if (outcome == COMMIT_STOPPED) {
            return 0;
        }
        if (outcome == COMMIT_FULL &&
            !commit_wait_space(fixture->commit, payload_bytes + 64, deadline_ns)) {
            return 0;
        }
    }
}

uint64_t log_fixture_commit(struct log_fixture *fixture) {
    uint64_t lsn = log_fixture_commit_number(fixture, fixture->next, fixture->payload_bytes);

    if (lsn != 0) {
        fixture->next++;
    }
    return lsn;
}

cellar_status log_fixture_wait(struct log_fixture *fixture, uint64_t lsn) {
    return log_wait(fixture->log, lsn, clock_monotonic_ns() + fixture->patience_ns);
}

uint64_t log_fixture_commit_many(struct log_fixture *fixture, uint64_t count) {
    uint64_t acknowledged = 0;

    for (uint64_t i = 0; i < count; i++) {
        uint64_t number = fixture->next;
        uint64_t lsn = log_fixture_commit(fixture);
        if (lsn == 0 || log_fixture_wait(fixture, lsn) != CELLAR_OK) {
            break;
        }
        acknowledged = number;
    }
    return acknowledged;
}

/* Is there nothing left to be filled with zeros? */
static bool is_prepared(struct log_fixture *fixture) {
    struct log *log = fixture->log;

    pthread_mutex_lock(&log->prepare.lock);
    bool prepared = log->prepare.places[0].prepared_bytes == log->segment_bytes &&
                    log->prepare.places[1].prepared_bytes == log->segment_bytes;
    pthread_mutex_unlock(&log->prepare.lock);
    return prepared;
}

void log_fixture_settle(struct log_fixture *fixture, struct memory_disk *disk) {
    uint64_t seen = 0;
    int quiet = 0;

    /* The thread that prepares space may not get its turn, or there may be no space. */
    while (quiet < 10 || (quiet < 150 && !is_prepared(fixture))) {
        uint64_t calls = memory_disk_calls(disk, MEMORY_CHANGING);
        quiet = calls == seen ? quiet + 1 : 0;
        seen = calls;
        clock_sleep_ns(NANOSECONDS_PER_MILLISECOND);
    }
}

/* Is the last record before `end` a mark? */
static bool ends_with_mark(struct log_fixture *fixture, uint64_t end) {
    commit_enter();
    const struct record_header *record =
        end > RECORD_LINE_BYTES ? commit_record(fixture->commit, end - RECORD_LINE_BYTES) : NULL;
    bool mark = record != NULL && record->kind == RECORD_MARK;
    commit_leave();
    return mark;
}

void log_fixture_quiesce(struct log_fixture *fixture) {
    uint64_t seen = 0;
    int quiet = 0;

    /* A mark comes after 5 ms, unless the threads do not get their turn, or there is no space for
     * it. */
    while (quiet < 3 ||
           (quiet < 150 && seen != log_start_lsn(fixture->log) && !ends_with_mark(fixture, seen))) {
        uint64_t reserved = ATOMIC_LOAD(&fixture->commit->reserved.lsn, acquire);
        uint64_t durable = ATOMIC_LOAD(&fixture->commit->durable.lsn, acquire);
        quiet = durable == reserved && reserved == seen ? quiet + 1 : 0;
        seen = reserved;
        clock_sleep_ns(2 * NANOSECONDS_PER_MILLISECOND);
    }
}

bool log_fixture_disk_is_right(struct memory_disk *disk, uint64_t segment_bytes, uint64_t least,
                               uint64_t *count_out) {
    struct log_fixture fixture;

    log_fixture_create(&fixture, disk, NULL, segment_bytes);
    fixture.config.read_only = true;
    cellar_status status = log_fixture_replay(&fixture);
    bool right = status == CELLAR_OK && !fixture.replay_is_wrong && fixture.replayed >= least;
    if (!right) {
        (void)fprintf(stderr, "status %d %s; %llu records, %llu needed%s\n", (int)status,
                      fixture.problem.text, (unsigned long long)fixture.replayed,
                      (unsigned long long)least, fixture.replay_is_wrong ? ", wrong" : "");
    }
    *count_out = fixture.replayed;
    log_fixture_destroy(&fixture);
    return right;
}

static int compare_paths(const void *left, const void *right) {
    return strcmp(left, right);
}

bool log_fixture_segment(struct memory_disk *disk, int index, char path[80]) {
    char names[256][64];
    int count = 0;

    for (uint64_t i = 0; count < 256; i++) {
        if (!memory_disk_entry(disk, LOG_FIXTURE_DIRECTORY, i, names[count])) {
            break;
        }
        if (strstr(names[count], ".log") != NULL) {
            count++;
        }
    }
    qsort(names, (size_t)count, sizeof names[0], compare_paths);
    if (index >= count) {
        return false;
    }
    (void)snprintf(path, 80, LOG_FIXTURE_DIRECTORY "/%s", names[index]);
    return true;
}

bool log_fixture_was_told(struct log_fixture *fixture, const char *text) {
    bool found = false;

    pthread_mutex_lock(&fixture->reports_lock);
    for (int i = 0; i < fixture->report_count; i++) {
        found = found || strstr(fixture->reports[i], text) != NULL;
    }
    pthread_mutex_unlock(&fixture->reports_lock);
    return found;
}
