/* What the figures were measured on. */
#ifndef BENCH_MACHINE_H
#define BENCH_MACHINE_H

#include <stddef.h>

struct machine {
    char processor[128];
    long cores; /* that this process may use */
    double memory_bytes;
    char kernel[256];
    char file_system[256]; /* of the data directory: its type, and the device */
    const char *compiler;
    double load; /* over the last minute, before the start */
};

void machine_look(struct machine *machine);
/* Writes to so much memory once and gives it back, as far as there is so much. The host of a
 * virtual machine may have taken back pages that were free for some seconds, and hands each of them
 * out again at the first touch, for a microsecond or two: a store that grows would be measured by
 * that. */
void machine_touch_memory(size_t bytes);

#endif
