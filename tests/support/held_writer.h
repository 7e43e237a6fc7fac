/* The log writer of a shop stands between two batches: what is committed meanwhile is not written,
 * and nothing that follows the log knows of it. Uses the probe points, so no gate may be closed. */
#ifndef CELLAR_TESTS_SUPPORT_HELD_WRITER_H
#define CELLAR_TESTS_SUPPORT_HELD_WRITER_H

#include "support/shop.h"

/* Acquires the lease "held writer", behind which the writer stops. */
void held_writer_begin(struct shop *shop);
void held_writer_end(void);

/* Makes the call on a thread of its own, and lets the writer go on once that thread waits for what
 * follows the log. What the call returned. */
cellar_status held_writer_end_during(struct shop *shop, cellar_status (*call)(struct shop *shop));

#endif
