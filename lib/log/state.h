/* Inside lib/log: the log itself, and what every file of the layer shares. */
#ifndef CELLAR_LOG_STATE_H
#define CELLAR_LOG_STATE_H

#include "log/catalog.h"
#include "log/log.h"
#include "log/prepare.h"
#include "log/wait.h"
#include "log/writer.h"

/* A fresh log begins here, so that in its first segment offsets and LSNs are the same. */
#define LOG_FIRST_LSN UINT64_C(4096)
_Static_assert(LOG_FIRST_LSN % RECORD_LINE_BYTES == 0, "LSNs are multiples of a line");

struct log {
    const struct io *io;
    struct memory *memory;
    void (*report)(void *context, cellar_report_level level, const char *text);
    void *report_context;
    char *directory;
    bool read_only;
    int lock_file;             /* -1: none */
    uint64_t segment_bytes;    /* of a full file, a multiple of SEGMENT_HEADER_BYTES */
    uint64_t record_space_max; /* of any record this ring lets through */
    uint64_t batch_bytes;      /* at most so much is written between two syncs */
    uint64_t reach_bytes;      /* see struct segment */

    struct catalog catalog;

    log_ahead_function *ahead; /* NULL: nobody wants hints */

    /* Found by log_replay(). */
    bool replayed;
    bool end_is_clean;
    uint64_t end_lsn;
    uint64_t start_lsn;
    int64_t end_time_ns; /* the highest in the log */

    /* From log_start() on. */
    struct commit *commit;
    _Atomic uint32_t failed; /* fail-stop; never taken back */
    struct prepare prepare;
    struct writer writer;
    struct wait wait;
};

/* Below this every record is in a file. */
uint64_t log_written(const struct log *log);

/* Fail-stop, from any thread: no commit is accepted, `durable` stays, all waiters learn that the
 * outcome is unknown. */
void fail_log(struct log *log, const char *what, const char *verb, int64_t error);

#endif
