/* Named points at which a test build can stop a thread, to bring about one exact interleaving.
 * Nothing in other builds. */
#ifndef CELLAR_BASE_PROBE_H
#define CELLAR_BASE_PROBE_H

#ifdef CELLAR_PROBES
#include <stdatomic.h>
#include <stdint.h>
typedef void probe_function(const char *point, uint64_t argument);
extern _Atomic(probe_function *) probe_installed;
/* `argument` is mostly the LSN at hand. */
void probe_hit(const char *point, uint64_t argument);
#define PROBE(point, argument) probe_hit((point), (argument))
#else
#define PROBE(point, argument) ((void)0)
#endif

#endif
