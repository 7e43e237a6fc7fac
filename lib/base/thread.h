/* Threads of the library's own. */
#ifndef CELLAR_BASE_THREAD_H
#define CELLAR_BASE_THREAD_H

#include <pthread.h>
#include <stdbool.h>

/* Starts a thread that gets none of the host's signals. `name`, at most 15 bytes, is what top(1)
 * and gdb show. False when there can be no thread. */
bool thread_start(pthread_t *thread, const char *name, void *(*run)(void *argument),
                  void *argument);

/* The calling thread sleeps most of its time, and others wait for what it does when it wakes: asks
 * the scheduler to run it soon after a wake-up even though more threads are busy than there are
 * processors, by a short slice (Linux 6.12 and later) and, where the process has the privilege
 * (CAP_SYS_NICE or RLIMIT_NICE), a nice value of -15. A hint: where neither works, nothing changes.
 */
void thread_wake_soon(void);

#endif
