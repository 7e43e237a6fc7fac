/* Preemption, imitated: threads that pass a probe point yield or sleep now and then. Nothing in
 * builds without probes. */
#ifndef CELLAR_TESTS_SUPPORT_CHAOS_H
#define CELLAR_TESTS_SUPPORT_CHAOS_H

#include <stdint.h>

/* Of 4,096 passages so many yield, and so many sleep for up to 200 microseconds. */
void chaos_start(uint32_t yields, uint32_t sleeps);
void chaos_stop(void);

#endif
