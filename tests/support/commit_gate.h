/* Gates at the probe points of lib/commit: a test stops one thread at one point at its n-th hit,
 * looks at what the others see meanwhile, and lets it go on.
 *
 * Only threads that gave themselves a name (commit_gate_name) are stopped. A gate that nobody
 * reaches ends the program, so a test cannot pass because its interleaving did not come about. */
#ifndef CELLAR_TESTS_SUPPORT_COMMIT_GATE_H
#define CELLAR_TESTS_SUPPORT_COMMIT_GATE_H

#include <stdbool.h>
#include <stdint.h>

struct commit_gate;

/* Forgets all gates and starts listening to the probes. No thread may stand at a gate. */
void commit_gate_reset(void);
/* Opens all gates and stops listening. */
void commit_gate_remove(void);

/* The calling thread is `name` (not 0) from now on. */
void commit_gate_name(unsigned name);

/* Thread `name` will stop at `point` at its `hit`-th time (1 = the next) from now. */
struct commit_gate *commit_gate_close(unsigned name, const char *point, unsigned hit);
/* Thread `name` calls `function` at each of its hits of `point` from now, and goes on. */
void commit_gate_call(unsigned name, const char *point, void (*function)(void *context),
                      void *context);
/* Waits until the thread stands at the gate. Returns the probe's argument: mostly an LSN. */
uint64_t commit_gate_await(struct commit_gate *gate);
bool commit_gate_is_reached(struct commit_gate *gate);
void commit_gate_open(struct commit_gate *gate);

#endif
