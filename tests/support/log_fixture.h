/* A log to test: opens, replays and starts a log with the commit above it, commits numbered
 * records, and says whether what a log holds is what it must hold.
 *
 * Record number n (from 1) has a payload that follows from n, so each can be checked by itself;
 * numbers are given in the order of the calls of one thread. A log is right when it holds the
 * records 1 to m in order, each once, and m is at least the last number that was acknowledged. */
#ifndef CELLAR_TESTS_SUPPORT_LOG_FIXTURE_H
#define CELLAR_TESTS_SUPPORT_LOG_FIXTURE_H

#include "log/log.h"
#include "support/memory_io.h"

#define LOG_FIXTURE_DIRECTORY "/db"
#define LOG_FIXTURE_KIND (RECORD_KIND_DOMAIN + 1)
#define LOG_FIXTURE_REPORTS_MAX 64

struct log_fixture {
    struct memory *memory;
    struct commit *commit;
    struct log *log;
    struct log_config config;
    cellar_problem problem;
    /* Found by the last replay. */
    uint64_t replayed;        /* records, numbered 1 to this */
    uint64_t replayed_lsn;    /* of the last */
    int64_t replayed_time_ns; /* highest */
    bool replay_is_wrong;     /* a number, a payload, or the order of LSNs or times */
    uint64_t next;            /* number of the next record to commit */
    uint64_t payload_bytes;   /* of each; at least 8 */
    int64_t patience_ns;      /* for space and for durability [10 s] */
    /* Under `reports_lock`: */
    pthread_mutex_t reports_lock;
    char reports[LOG_FIXTURE_REPORTS_MAX][200];
    int report_count;
};

/* A ring of 64 KiB, segments of `segment_bytes`. `disk` NULL: the real disk, in `directory`. */
void log_fixture_create(struct log_fixture *fixture, struct memory_disk *disk,
                        const char *directory, uint64_t segment_bytes);
/* Everything must have been given back. */
void log_fixture_destroy(struct log_fixture *fixture);

/* log_open() and log_replay(); after a failure nothing is open. */
cellar_status log_fixture_replay(struct log_fixture *fixture);
/* The same, then commit and log_start(). */
cellar_status log_fixture_open(struct log_fixture *fixture);
/* log_stop() and log_destroy() of whatever is open. The status of the stop. */
cellar_status log_fixture_close(struct log_fixture *fixture);

/* Commits the next record. Its LSN, 0 when it was refused. */
uint64_t log_fixture_commit(struct log_fixture *fixture);
/* The record `number` with the payload that belongs to it. Any thread. */
uint64_t log_fixture_commit_number(struct log_fixture *fixture, uint64_t number,
                                   uint64_t payload_bytes);
/* Does the record hold what log_fixture_commit() wrote? */
bool log_fixture_record_is(const struct record_header *record, uint64_t number);
/* Waits until it is durable, as long as `patience_ns`. */
cellar_status log_fixture_wait(struct log_fixture *fixture, uint64_t lsn);
/* Commits so many records, one after the other, each waited for. Returns the number of the last
 * that was acknowledged, 0 for none; ends at the first that is not. */
uint64_t log_fixture_commit_many(struct log_fixture *fixture, uint64_t count);
/* Waits until the preparing thread has nothing left to do. */
void log_fixture_settle(struct log_fixture *fixture, struct memory_disk *disk);
/* Waits until `durable` has reached what is reserved and nothing more comes for a while: marks too.
 */
void log_fixture_quiesce(struct log_fixture *fixture);

/* Replays the disk read-only, with a fixture of its own: is it a right log of `least` records or
 * more? The number of records in *count_out. */
bool log_fixture_disk_is_right(struct memory_disk *disk, uint64_t segment_bytes, uint64_t least,
                               uint64_t *count_out);
/* The path of segment `index`, in the order of LSNs; false beyond the last. */
bool log_fixture_segment(struct memory_disk *disk, int index, char path[80]);

/* True when a report contains the text. */
bool log_fixture_was_told(struct log_fixture *fixture, const char *text);

#endif
