/* Read sections and grace periods: liburcu's "bp" flavour, which asks nothing of the host's
 * threads. The only file besides the hash table that knows liburcu. */
#include "commit/commit.h"

#include <urcu-bp.h>

/* liburcu is not instrumented: ThreadSanitizer is told that whatever a section did happened before
 * the end of a grace period that waited for it. */
static char grace_order;

void commit_enter(void) {
    urcu_bp_read_lock();
}

void commit_leave(void) {
    ATOMIC_TELL_RELEASE(&grace_order);
    urcu_bp_read_unlock();
}

void commit_grace_period(void) {
    urcu_bp_synchronize_rcu();
    ATOMIC_TELL_ACQUIRE(&grace_order);
}
