/* Memory of one request, given back all at once. */
#ifndef CELLARD_ARENA_H
#define CELLARD_ARENA_H

#include <stddef.h>

struct arena {
    struct arena_block *blocks;
};

/* Zeroed, aligned for anything. NULL when there is no memory. */
void *arena_take(struct arena *arena, size_t count, size_t bytes);
void arena_release(struct arena *arena);

#endif
