/* The thread of a store that gives back what has run out: at rest, callers alone do. */
#ifndef CELLAR_TESTS_SUPPORT_EXPIRY_H
#define CELLAR_TESTS_SUPPORT_EXPIRY_H

#include "cellar.h"

void expiry_rest(cellar *store);
/* OUT_OF_MEMORY: it still rests. */
cellar_status expiry_resume(cellar *store);

#endif
