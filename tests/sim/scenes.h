/* The small scenes that are searched whole. */
#ifndef CELLAR_TESTS_SIM_SCENES_H
#define CELLAR_TESTS_SIM_SCENES_H

#include "sim/search.h"

/* Ends with one without a name. */
extern const struct search_scene scenes[];

#endif
