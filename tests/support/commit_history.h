/* The exact history of a run, and a sequential model that replays it.
 *
 * The log writer of a test appends every committed record in LSN order. Replaying it on plain
 * arrays must meet, at every update, the version expected and the old value; what the model holds
 * in the end must be what the cells hold. A commit that was lost, done twice, torn or out of order
 * cannot pass. */
#ifndef CELLAR_TESTS_SUPPORT_COMMIT_HISTORY_H
#define CELLAR_TESTS_SUPPORT_COMMIT_HISTORY_H

#include "commit/commit.h"

#include <stddef.h>
#include <stdint.h>

struct commit_history {
    uint64_t *words; /* lsn, cell count, then {cell, expected, old, new} of each */
    size_t used;
    size_t capacity;
};

struct commit_model {
    struct cell_content *cells[CELL_CLASS_COUNT];
    uint32_t limits[CELL_CLASS_COUNT];
    uint64_t last_lsn;
    char problem[160]; /* empty, or what was found first */
};

void commit_history_append(struct commit_history *history, const struct record_header *record);
void commit_history_clear(struct commit_history *history);
void commit_history_free(struct commit_history *history);

void commit_model_make(struct commit_model *model, const uint32_t limits[CELL_CLASS_COUNT]);
void commit_model_free(struct commit_model *model);
struct cell_content *commit_model_cell(const struct commit_model *model, uint32_t cell);
/* Takes the cells as they are now, for a history that starts here. Nobody may be committing. */
void commit_model_load(struct commit_model *model, const struct commit *commit);

/* NULL when the history replays, else what is wrong first: a sentence that names LSN and cell. */
const char *commit_history_replay(const struct commit_history *history, struct commit_model *model);
/* NULL when every cell holds what the model holds. Nobody may be committing. */
const char *commit_model_compare(struct commit_model *model, const struct commit *commit);
/* Sum of all values: what transfers must conserve. */
int64_t commit_model_total(const struct commit_model *model);

#endif
