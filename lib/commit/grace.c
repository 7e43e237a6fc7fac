/* Read sections and grace periods: liburcu's "bp" flavour, which asks nothing of the host's
 * threads. The only file besides the hash table that knows liburcu. */
#include "commit/commit.h"

#include <urcu-bp.h>

#if defined(__SANITIZE_THREAD__)
#define GRACE_SANITIZE_THREAD 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define GRACE_SANITIZE_THREAD 1
#endif
#endif

#ifdef GRACE_SANITIZE_THREAD
/* liburcu is not instrumented: tell the sanitizer that whatever a section did happened before the
 * end of a grace period that waited for it. */
void __tsan_acquire(void *address);
void __tsan_release(void *address);
static char grace_order;
#define GRACE_LEFT() __tsan_release(&grace_order)
#define GRACE_OVER() __tsan_acquire(&grace_order)
#else
#define GRACE_LEFT() ((void)0)
#define GRACE_OVER() ((void)0)
#endif

void commit_enter(void) {
    urcu_bp_read_lock();
}

void commit_leave(void) {
    GRACE_LEFT();
    urcu_bp_read_unlock();
}

void commit_grace_period(void) {
    urcu_bp_synchronize_rcu();
    GRACE_OVER();
}
