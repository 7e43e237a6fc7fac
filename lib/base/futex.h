/* Sleeping on a 32-bit word (Linux futex, private to the process). */
#ifndef CELLAR_BASE_FUTEX_H
#define CELLAR_BASE_FUTEX_H

#include <stdatomic.h>
#include <stdint.h>

/* Sleeps while *word == value, until woken, a signal, or `timeout_ns` from now (negative: no
 * limit). Spurious returns are allowed: the caller checks its condition again. */
void futex_wait(_Atomic uint32_t *word, uint32_t value, int64_t timeout_ns);
/* Wakes up to `count` sleepers. */
void futex_wake(_Atomic uint32_t *word, int count);
#define FUTEX_ALL INT32_MAX

#endif
