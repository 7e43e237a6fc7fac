/* The one function pointer behind all probes. */
#include "base/probe.h"

#ifdef CELLAR_PROBES

#include <stddef.h>

_Atomic(probe_function *) probe_installed;

void probe_hit(const char *point, uint64_t argument) {
    /* Acquire: pairs with the release of the test that installs the function; what it set up before
     * is visible inside it. */
    probe_function *function = atomic_load_explicit(&probe_installed, memory_order_acquire);

    if (function != NULL) {
        function(point, argument);
    }
}

#else

/* ISO C wants a declaration in every file. */
typedef int probe_compiled_out;

#endif
