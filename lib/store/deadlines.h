/* Deadlines of documents: a binary heap (J. W. J. Williams, Algorithm 232, CACM 1964), soonest
 * first. An entry is a hint: whoever takes it out asks the document's cell whether it still stands.
 * One thread, that which follows the log. */
#ifndef CELLAR_STORE_DEADLINES_H
#define CELLAR_STORE_DEADLINES_H

#include "base/memory.h"

#include <stdbool.h>
#include <stdint.h>

struct deadline {
    int64_t ms;
    uint32_t slot;
    uint32_t zero;
};

struct deadlines {
    struct memory *memory;
    struct deadline *entries;
    uint32_t count;
    uint32_t capacity;
};

void deadlines_destroy(struct deadlines *deadlines);
/* Makes room for one more. False: no memory. */
bool deadlines_reserve(struct deadlines *deadlines);
/* There is room. */
void deadlines_add(struct deadlines *deadlines, int64_t ms, uint32_t slot);
/* Takes the soonest out, when it is not later than `now_ms`. */
bool deadlines_take(struct deadlines *deadlines, int64_t now_ms, struct deadline *deadline_out);

/* Documents that a caller expires at once. */
#define OVERDUE_MAX 16u

/* What a caller short of something finds among those that hold it. */
struct overdue {
    int64_t now_ms;
    int64_t next_ms; /* when the next one of those that are not overdue will be; 0: there is none */
    uint32_t count;
    uint32_t slots[OVERDUE_MAX];
};

/* A document in `slot` is held until then; 0: for ever. False: there are enough of them. */
bool overdue_note(struct overdue *overdue, uint32_t slot, int64_t deadline_ms);

#endif
