/* What the programs in tests/gate/ share: numbers from the environment, work on several processors,
 * and images of a disk kept as files, so that what failed can be looked at and tried again. */
#ifndef CELLAR_TESTS_SUPPORT_GATE_H
#define CELLAR_TESTS_SUPPORT_GATE_H

#include "support/memory_io.h"

#include <stdbool.h>
#include <stdint.h>

#define GATE_COUNTERS_MAX 256
#define GATE_PATH_BYTES 512

/* The number in the environment variable, `otherwise` when it is not set. */
uint64_t gate_number(const char *name, uint64_t otherwise);
/* Processes to use: WORKERS= in the environment, else the number of processors. */
uint32_t gate_workers(void);

struct gate_part {
    uint32_t worker; /* 0 to workers - 1 */
    uint32_t workers;
    uint64_t *counters; /* of this worker */
};
/* Runs `work` in so many processes (before any thread is made) and adds up their counters. False
 * when one of them returned false or died. What they print comes line by line. */
bool gate_run(uint32_t workers, bool (*work)(const struct gate_part *part),
              uint64_t counters[GATE_COUNTERS_MAX]);

/* Writes the files of the disk's directory and a file `notes` (NULL: none) into a new directory
 * below TMPDIR (build/ when that is not set), whose path is left in `path`. */
void gate_save(struct memory_disk *disk, const char *directory, const void *notes,
               size_t notes_bytes, char path[GATE_PATH_BYTES]);
/* The reverse. Ends the program when there is nothing to read. */
struct memory_disk *gate_load(const char *path, const char *directory, void *notes,
                              size_t notes_bytes);

#endif
