/* A record of an open shop's log, changed on the disk behind the store's back under a checksum that
 * is right: as if its segment had been replaced by one of another copy of the store. It must be of
 * an earlier opening, else it is read from memory. The shop is on a disk in memory. */
#ifndef CELLAR_TESTS_SUPPORT_REWRITE_H
#define CELLAR_TESTS_SUPPORT_REWRITE_H

#include "log/segment.h"
#include "support/shop.h"

struct rewrite {
    struct memory_disk *disk;
    char path[SEGMENT_PATH_BYTES];
    uint64_t offset;
    uint32_t seed;
    uint32_t bytes;
    struct record_header *kept;
    struct record_header *record; /* to be changed, but not its length */
};

void rewrite_begin(struct rewrite *rewrite, struct shop *shop, uint64_t lsn);
/* What has been changed is on the disk. */
void rewrite_put(struct rewrite *rewrite);
/* It is as it was. */
void rewrite_end(struct rewrite *rewrite);

/* Of the record that is being changed: update and name of its cell number `index`, its payload. */
struct record_update *rewrite_update(struct rewrite *rewrite, uint32_t index);
uint32_t *rewrite_cell(struct rewrite *rewrite, uint32_t index);
void *rewrite_payload(struct rewrite *rewrite);
/* Where the record has this cell; it must have it. */
uint32_t rewrite_index(const struct rewrite *rewrite, uint32_t cell);

#endif
