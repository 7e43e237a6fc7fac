/* What simulated threads do to shared memory, watched access by access.
 *
 * The library and the scenarios are compiled with the compiler's instrumentation for
 * ThreadSanitizer, but linked with the functions of access.c instead of its runtime. They carry the
 * atomic operations out and check, for the ring of one commit:
 *   - nobody reads a line that has been reclaimed and not been written again
 *   - nobody writes outside what the thread has reserved
 *   - of two accesses to a line, one of them a write, one happens before the other by
 *     acquire and release, locks of the grace periods included: vector clocks, as in C. Flanagan,
 *     S. Freund, "FastTrack" (PLDI 2009)
 * So an order that is too weak is found although every load sees the latest store. What shows only
 * when a store is overtaken by a later load is for the store buffers of buffer.h. */
#ifndef CELLAR_TESTS_SIM_ACCESS_H
#define CELLAR_TESTS_SIM_ACCESS_H

#include "commit/commit.h"

#include <stdbool.h>
#include <stdint.h>

/* Watches this commit from now on, with the ring as it is: nothing known about its past. With
 * `poison`, lines are overwritten and their state words cleared as soon as they are reclaimed, as
 * the quickest next lap could do. */
void access_watch(struct commit *commit, bool poison);
/* What the current thread reserved last; false: nothing in this run. */
bool access_reserved(unsigned thread, uint64_t *lsn_out, uint64_t *end_out);

/* Lines reclaimed since access_watch(). */
uint64_t access_reclaimed_lines(void);

/* The stores of the current thread become visible: a system call, a lock. */
void access_fence(void);

/* Called by the simulated grace periods. */
void access_section_left(void);
void access_grace_begins(void);
/* The section that thread `waiter` waits for has just been left by the current thread. */
void access_grace_saw_leave(unsigned waiter);
void access_grace_over(void);

/* A mutex has been taken or is being released. */
void access_lock(const void *mutex, bool taken);

/* For code that is not instrumented: the current thread reads memory of the ring. */
void access_touch(const void *from, size_t bytes);
/* memcpy() of instrumented code. */
void *access_copy(void *to, const void *from, size_t bytes);

#endif
