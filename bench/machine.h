/* What the figures were measured on. */
#ifndef BENCH_MACHINE_H
#define BENCH_MACHINE_H

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

#endif
