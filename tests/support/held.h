/* A thread of a shop stands still: the log writer between two batches, so that what is committed
 * meanwhile is not written; or the follower, so that nothing that follows the log knows of it. Uses
 * the probe points, so no gate may be closed. */
#ifndef CELLAR_TESTS_SUPPORT_HELD_H
#define CELLAR_TESTS_SUPPORT_HELD_H

#include "support/shop.h"

#define HELD_WRITER "log-durable"
#define HELD_FOLLOWER "follower-look"

/* Acquires the lease "held", behind which the thread stops at that point. */
void held_begin(struct shop *shop, const char *point);
void held_end(void);

/* Makes the call on a thread of its own, and lets the held thread go on once that waits for what
 * follows the log. What the call returned. */
cellar_status held_end_during(struct shop *shop, cellar_status (*call)(struct shop *shop));

#endif
