/* The futex system call, which libc does not wrap. */
#include "base/futex.h"

#include "base/assert.h"
#include "base/clock.h"

#include <errno.h>
#include <linux/futex.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

_Static_assert(sizeof(_Atomic uint32_t) == sizeof(uint32_t), "the kernel compares 32 bits");

void futex_wait(_Atomic uint32_t *word, uint32_t value, int64_t timeout_ns) {
    struct timespec timeout;
    struct timespec *limit = NULL;
    int errno_saved = errno;

    if (timeout_ns >= 0) {
        timeout.tv_sec = (time_t)(timeout_ns / NANOSECONDS_PER_SECOND);
        timeout.tv_nsec = (long)(timeout_ns % NANOSECONDS_PER_SECOND);
        limit = &timeout;
    }
    if (syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, limit, NULL, 0) != 0) {
        /* The ordinary ends of a wait: the value had changed, a signal, the time was up. */
        ASSERT(errno == EAGAIN || errno == EINTR || errno == ETIMEDOUT);
    }
    /* A wait is not an error of the host's, so its errno stays as it was. */
    errno = errno_saved;
}

void futex_wake(_Atomic uint32_t *word, int count) {
    ASSERT(count >= 0);
    /* The kernel counts after waking: asked for none, it would wake one. */
    if (count == 0) {
        return;
    }
    long woken = syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, count, NULL, NULL, 0);
    ASSERT(woken >= 0);
}
