/* Switching stacks: what makes a simulated thread of a function. */
#ifndef CELLAR_TESTS_SIM_SWITCH_H
#define CELLAR_TESTS_SIM_SWITCH_H

#include <stddef.h>

/* Saves the caller's registers on its stack and its stack pointer in *saved_out, then goes on where
 * the one behind `next` was saved. */
void switch_stacks(void **saved_out, void *next);
/* A stack pointer for switch_stacks(): `run` starts on an empty stack and must not return. */
void *switch_prepare(void *stack, size_t bytes, void (*run)(void));

#endif
