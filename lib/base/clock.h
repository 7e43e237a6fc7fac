/* Clocks. Wall time is int64 nanoseconds since the epoch, UTC; it can be injected. Timeouts use the
 * monotonic clock. */
#ifndef CELLAR_BASE_CLOCK_H
#define CELLAR_BASE_CLOCK_H

#include <stdint.h>

#define NANOSECONDS_PER_SECOND INT64_C(1000000000)
#define NANOSECONDS_PER_MILLISECOND INT64_C(1000000)

int64_t clock_wall_ns(void);
int64_t clock_monotonic_ns(void);
/* Sleeps about that long; returns early on a signal. */
void clock_sleep_ns(int64_t ns);

#endif
