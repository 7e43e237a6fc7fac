/* Directories for stores of tests, below TMPDIR. */
#ifndef CELLAR_TESTS_SUPPORT_MODEL_FILES_H
#define CELLAR_TESTS_SUPPORT_MODEL_FILES_H

#include "cellar.h"

#include <stdbool.h>

#define MODEL_PATH_BYTES 512

/* A path of this process and name where nothing is. */
void model_files_path(char path[MODEL_PATH_BYTES], const char *name);
void model_files_remove(const char *path);
/* Copies the files of a store as they are now, into a new directory. */
void model_files_copy(const char *from, const char *to);

/* Opens a store or ends the program with what is wrong. Relaxed unless `durable`; a `ring_bytes` of
 * 0 is the smallest; segments are as small as the ring allows. */
cellar *model_files_open(const char *path, uint64_t ring_bytes, bool durable, bool oracle);
void model_files_close(cellar *store);

/* What STRESS= in the environment says, 1 otherwise: how many times as long a test is to run. */
double model_files_stress(void);

#endif
