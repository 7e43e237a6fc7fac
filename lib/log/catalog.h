/* The catalogue: which segments there are, in memory, and open handles to read them by.
 *
 * The list only grows while the log is open, at its end. Any thread may look a segment up, under
 * one mutex that is never held across anything slow but the opening of a file to read. */
#ifndef CELLAR_LOG_CATALOG_H
#define CELLAR_LOG_CATALOG_H

#include "cellar.h"
#include "log/segment.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct log;

/* Handles kept open for readers. */
#define CATALOG_HANDLES_MAX 16

struct catalog_handle {
    uint64_t first_lsn; /* 0: free */
    uint64_t used_at;   /* of catalog.uses, to find the one longest unused */
    uint32_t users;
    int file;
};

struct catalog {
    pthread_mutex_t lock;
    struct segment *segments;
    uint64_t count;
    uint64_t allocated;
    uint64_t uses;
    struct catalog_handle handles[CATALOG_HANDLES_MAX];
};

void catalog_create(struct catalog *catalog);
/* Closes all handles and gives the memory back. */
void catalog_destroy(struct log *log);

/* Lists the directory, reads every segment's header, and checks that they follow one another.
 * CELLAR_OK, CORRUPT, UNKNOWN_FORMAT, IO_ERROR, OUT_OF_MEMORY. */
cellar_status catalog_load(struct log *log, cellar_problem *problem);

/* Makes room for one more segment. False when there is no memory. */
bool catalog_reserve(struct log *log);
/* Adds a segment, for which room was made. */
void catalog_append(struct log *log, const struct segment *segment);

uint64_t catalog_count(struct log *log);
/* The last segment; false when there is none. */
bool catalog_last(struct log *log, struct segment *segment_out);
/* The segment whose records include `lsn`, and where they end: UINT64_MAX for the last segment,
 * whose end the caller knows. False when there is none. */
bool catalog_find(struct log *log, uint64_t lsn, struct segment *segment_out, uint64_t *end_out);

/* The same, or else the first segment behind `lsn`. */
bool catalog_from(struct log *log, uint64_t lsn, struct segment *segment_out, uint64_t *end_out);

/* A handle to read the segment by, shared. The file, or -errno. */
int catalog_acquire(struct log *log, uint64_t first_lsn);
void catalog_release(struct log *log, uint64_t first_lsn, int file);

#endif
