/* Many operations in one request, a commit each: what became of each. */
#ifndef CELLARD_BULK_H
#define CELLARD_BULK_H

#include "request.h"

enum {
    BULK_MAX = 1000,
    BULK_WAIT_MS = 250 /* for space in the ring: a thousand commits may fill it */
};

/* What became of one entry. */
typedef struct bulk_entry {
    char outcome[48]; /* "ok", or the name of a problem */
    uint64_t lsn;
    uint64_t product;
    cellar_id id;
    bool repeated;
    uint32_t line_number; /* of the line at fault, from 1 on; 0: none */
    int64_t available;
} bulk_entry;

typedef struct bulk_answer {
    const bulk_entry *results;
    size_t count;
    uint32_t done;
} bulk_answer;

extern const struct shape shape_bulk_answer;

/* What the library tells of many commits. */
typedef struct bulk_told {
    cellar_status *statuses;
    cellar_ticket *tickets;
    cellar_refusal *refusals;
    bulk_entry *entries;
} bulk_told;

/* Room for it. False: answered. */
bool bulk_take(struct request *request, size_t count, bulk_told *told);
/* Answers with it. */
void bulk_tell(struct request *request, const bulk_told *told, size_t count);

#endif
