/* Inside support/history: which changes must come before a call, and which may. */
#ifndef CELLAR_TESTS_SUPPORT_HISTORY_BOUNDS_H
#define CELLAR_TESTS_SUPPORT_HISTORY_BOUNDS_H

#include "support/history.h"

/* `changes` are in the order of their LSNs when it is called, and afterwards: sets `low` and `high`
 * of all entries. */
void history_set_bounds(struct history_entry **changes, size_t change_count,
                        struct history_entry **others, size_t other_count);

/* A refusal tells of two things, the document and what it lacks, and both were as they must be at
 * one instant. The states of the replay show one case wrongly: a change of the document that was in
 * flight meanwhile and has nothing to do with the other thing may have a low LSN and be decided
 * late. True when there was such a change. Not when it is the same request, which has all in
 * common with it. */
bool history_is_excused(struct history_entry *const *changes, size_t change_count,
                        const struct history_entry *entry);

#endif
