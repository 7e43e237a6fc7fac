/* names.h - numbers for strings: the first string put in is 0, the next new one 1, and so on.
 *
 * A table belongs to one thread. Strings are copied and stay where they are until names_free().
 */
#ifndef REPLAY_NAMES_H
#define REPLAY_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NAMES_NONE UINT32_MAX

typedef struct names {
    char **strings; /* by number */
    uint32_t count;
    uint32_t *slots; /* number + 1; 0 is empty. A power of two of them, at most half of them full */
    uint32_t slot_count;
} names;

/* The number of the string, a new one if it is not known. NAMES_NONE when memory is short. */
uint32_t names_put(names *table, const char *string);

/* NAMES_NONE when it is not known. */
uint32_t names_find(const names *table, const char *string);

void names_free(names *table);

#endif
