/* After a crash: how many of the commits that were made, in this order, does the log still have?
 * The first so many, none behind a hole, and all that were acknowledged. */
#ifndef CELLAR_TESTS_SUPPORT_COMMITS_LEFT_H
#define CELLAR_TESTS_SUPPORT_COMMITS_LEFT_H

#include "cellar.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct commits_left_query {
    cellar *store;
    const uint64_t
        *first_lsn; /* and one every `stride_bytes`; 0: no commit, there whenever asked */
    size_t stride_bytes;
    size_t count;
    uint64_t acknowledged; /* LSNs below must be there */
};

/* *left_out: entries before the first that is gone. False: `wrong` says why that cannot be. */
bool commits_left(const struct commits_left_query *query, size_t *left_out, char *wrong,
                  size_t wrong_bytes);

#endif
