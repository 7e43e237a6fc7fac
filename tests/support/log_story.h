/* A story: what a log is told, record by record, and therefore what it must tell when it is read.
 *
 * Record number n (from 1) follows from n and a salt: its payload, which of 64 cells it changes and
 * by how much. Together with the LSN that each record was given, that is all a log may hold: a log
 * is right when it holds the records 1 to m in order, each at its LSN, with the versions and values
 * that follow from those before it, and m is at least the last number acknowledged.
 *
 * One thread commits. The model in here is sequential and shares nothing with lib/commit. */
#ifndef CELLAR_TESTS_SUPPORT_LOG_STORY_H
#define CELLAR_TESTS_SUPPORT_LOG_STORY_H

#include "log/log.h"
#include "support/memory_io.h"

#define STORY_DIRECTORY "/db"
#define STORY_RECORDS_MAX 1023
#define STORY_CELLS 64
#define STORY_PAYLOAD_MAX 4096
/* The smallest that a ring of 64 KiB allows: about ten records fill one. */
#define STORY_SEGMENT_BYTES 20480

struct story {
    uint64_t salt;
    uint64_t count; /* records 1 to this have an LSN */
    uint64_t lsn[STORY_RECORDS_MAX + 1];
};

/* A reading of a log, and the log when it goes on. */
struct story_log {
    struct story *story;
    struct memory *memory; /* the caller's */
    struct log *log;
    struct commit *commit;
    cellar_problem problem;
    uint64_t count; /* records read */
    int64_t time_ns;
    int64_t values[STORY_CELLS];
    uint64_t versions[STORY_CELLS];
    uint32_t mended; /* tails that story_open() had to mend */
    char wrong[200]; /* what does not belong to the story; empty: nothing */
};

/* Opens and replays; no file is changed but the lock's. On success the log is left open. */
cellar_status story_read(struct story_log *log, struct story *story, struct memory *memory,
                         struct memory_disk *disk);
/* The same, with the real cells redone and compared, and then started: records can be committed.
 * The story is cut to what was found. */
cellar_status story_open(struct story_log *log, struct story *story, struct memory *memory,
                         struct memory_disk *disk);
/* Stops what runs and gives everything back. The status of log_stop(). */
cellar_status story_close(struct story_log *log);
/* Commits the next record and adds it to the story. False when it was refused. */
bool story_commit(struct story_log *log);
/* Waits for the last one. */
cellar_status story_wait(struct story_log *log);

/* Waits until the log rests: all is durable, and a mark says so. False when it does not come to
 * that within 10 s. */
bool story_rest(struct story_log *log, struct memory_disk *disk);

/* How many records of the story lie below `lsn`. */
uint64_t story_below(const struct story *story, uint64_t lsn);

#endif
