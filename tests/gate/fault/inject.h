/* Failing the library's calls one by one: those to the table of file functions, and those that ask
 * for memory or a thread (these are wrapped by the linker, see the Makefile). Every place in the
 * library that makes such a call is remembered by its address. */
#ifndef CELLAR_TESTS_GATE_FAULT_INJECT_H
#define CELLAR_TESTS_GATE_FAULT_INJECT_H

#include "support/memory_io.h"

#include <stdbool.h>
#include <stdint.h>

enum inject_kind {
    INJECT_NOTHING,
    INJECT_ERROR,     /* any file function fails with `error` */
    INJECT_FULL,      /* what may need space fails with ENOSPC */
    INJECT_SHORT,     /* a transfer moves a part only */
    INJECT_INTERRUPT, /* a transfer is interrupted before it begins */
    INJECT_EMPTY,     /* a write moves nothing and gives no reason */
    INJECT_MEMORY,    /* an allocation, mapping or thread is refused */
    INJECT_PLACE,     /* whatever is called from one place fails */
    INJECT_KINDS
};

struct inject_plan {
    enum inject_kind kind;
    int error;
    int64_t at; /* the call of the kind, from 0 */
    bool for_good;
    /* INJECT_PLACE: which of those reached so far; for good: and then everything else. */
    size_t place;
};

/* Once, before any process is forked. */
void inject_create(void);
/* Kinds of runs, told apart by what they are expected to call. */
#define INJECT_STORIES_MAX 4
/* From here on, for a run of this kind; until the other. */
void inject_arm(const struct inject_plan *plan, uint32_t story);
void inject_disarm(void);
/* Has something been failed since the last arming? */
bool inject_happened(void);

/* The disk's functions with faults. One disk at a time. */
const struct io *inject_io(struct memory_disk *disk);
/* Files that were opened through it and not closed. */
int64_t inject_open_files(void);

/* How many places have been reached so far. */
size_t inject_places(void);
/* How many calls a run of this kind has made from there at most. */
uint32_t inject_most_calls(size_t place, uint32_t story);
/* Writes a line "io <address> <calls> <failed>" or "memory ..." for each place, addresses relative
 * to the start of the program. Returns how many there are. */
size_t inject_write_places(const char *path);

#endif
