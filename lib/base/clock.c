/* Clocks, read through the vDSO where the kernel offers one. */
#include "base/clock.h"

#include "base/assert.h"

#include <time.h>

static int64_t clock_read_ns(clockid_t id) {
    struct timespec now;
    int status = clock_gettime(id, &now);

    /* Both clocks exist on every Linux; failure would mean a bad pointer. */
    ASSERT(status == 0);
    return (int64_t)now.tv_sec * NANOSECONDS_PER_SECOND + now.tv_nsec;
}

int64_t clock_wall_ns(void) {
    return clock_read_ns(CLOCK_REALTIME);
}

int64_t clock_monotonic_ns(void) {
    return clock_read_ns(CLOCK_MONOTONIC);
}

void clock_sleep_ns(int64_t ns) {
    if (ns <= 0) {
        return;
    }
    struct timespec duration = {
        .tv_sec = (time_t)(ns / NANOSECONDS_PER_SECOND),
        .tv_nsec = (long)(ns % NANOSECONDS_PER_SECOND),
    };
    /* An early return on a signal is promised to the caller, so the remainder is not slept. */
    (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &duration, NULL);
}
