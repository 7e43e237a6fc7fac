/* Included before everything else in what the simulation watches: schedule points, and copies to
 * and from the ring, which the compiler does not instrument. */
#ifndef CELLAR_TESTS_SIM_WATCHED_H
#define CELLAR_TESTS_SIM_WATCHED_H

#include "sim/point.h"

#include <string.h>

void *access_copy(void *to, const void *from, size_t bytes);
#define memcpy(to, from, bytes) access_copy((to), (from), (bytes))

#endif
