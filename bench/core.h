/* The commit without the shop: cells, ring, and either the log or a thread that only plays its
 * writer. */
#ifndef BENCH_CORE_H
#define BENCH_CORE_H

#include "bench.h"
#include "commit/commit.h"
#include "crew.h"
#include "data.h"
#include "log/log.h"

#define CORE_CELLS_MAX 16

struct core {
    struct memory *memory;
    struct commit *commit;
    struct log *log; /* NULL: drained */
    pthread_t drain;
    bool draining;
    _Atomic bool stop;
    uint32_t cell_count;
    uint32_t cells_each; /* changed by one commit, drawn at random */
    uint64_t record_bytes;
    int64_t time_ns;
    struct load load;
    _Atomic uint64_t committed;
    char directory[DATA_PATH_BYTES];
};

/* `cells_each` of `cell_count` cells a commit; `logged`: through the log's files. False with a
 * problem; what was made until then is left to the end of the process. */
bool core_start(struct core *core, uint32_t cell_count, uint32_t cells_each, bool logged,
                struct bench_result *result);
/* Stops and removes everything; with a problem when the log's last sync failed or the cells do not
 * add up to what was committed. */
bool core_end(struct core *core, struct bench_result *result);

#endif
