/* Store buffers: a store that is not sequentially consistent may become visible to other threads
 * later, after loads that follow it, in the order of the stores; atomic read-modify-writes and
 * sequentially consistent stores empty the buffer first. That is what x86-64 does (P. Sewell and
 * others, "x86-TSO: A Rigorous and Usable Programmer's Model for x86 Multiprocessors", CACM 2010),
 * and what shows a missing order between a store and a later load. */
#ifndef CELLAR_TESTS_SIM_BUFFER_H
#define CELLAR_TESTS_SIM_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Empties all and switches them on or off. */
void buffer_reset(bool on);
bool buffer_is_on(void);
void buffer_store(unsigned thread, volatile void *object, size_t bytes, uint64_t value, int order);
/* What the thread itself sees; false: what is in memory. */
bool buffer_load(unsigned thread, const volatile void *object, uint64_t *value_out);
void buffer_drain(unsigned thread);
void buffer_drain_all(void);
/* Some of the oldest stores, as the bits say: two for each thread. */
void buffer_drain_some(uint64_t bits);

/* access.c: the store becomes visible. */
void access_store_now(unsigned thread, volatile void *object, size_t bytes, uint64_t value,
                      int order);

#endif
