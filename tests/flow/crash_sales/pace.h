/* A store whose threads take their turns as the test says, so that every call to the disk of a run
 * follows from the seed: which records are written together, what comes before what, what is in the
 * files. The linker leads the library's functions here (see the Makefile).
 *
 * The log writer stands still. It goes one round, in which it writes and syncs all that has been
 * committed, when the thread of the test waits for that inside the library, or asks for it here; a
 * round ends when the lists have followed the log. What else touches the disk is the thread that
 * prepares space: it has its turn after opening. Ids of a log and the times in its headers, random
 * and the clock's elsewhere, follow from the seed.
 *
 * One store at a time, one thread that calls. */
#ifndef CELLAR_TESTS_FLOW_CRASH_SALES_PACE_H
#define CELLAR_TESTS_FLOW_CRASH_SALES_PACE_H

#include "engine/engine.h"

/* Once, before the first store of a run. */
void pace_begin(uint64_t seed);
/* The next store that is opened stands. */
void pace_hold(void);
/* It has been opened: returns when nothing goes on in it. */
void pace_opened(cellar *store, bool (*disk_is_dead)(void *context), void *context);
/* All that was committed is written; ends early when the log fails. */
void pace_round(void);
/* The writer finds nothing to do, and proves the last record by marks. */
void pace_idle(void);
/* Gives memory back that nobody looks at any more. */
void pace_between_calls(void);
/* From here on it goes by itself; before closing. */
void pace_free(void);

#endif
