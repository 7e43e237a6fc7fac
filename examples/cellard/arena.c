#include "arena.h"

#include <stdint.h>
#include <stdlib.h>

struct arena_block {
    struct arena_block *next;
    _Alignas(max_align_t) char data[];
};

void *arena_take(struct arena *arena, size_t count, size_t bytes) {
    if (bytes != 0 && count > (SIZE_MAX - sizeof(struct arena_block)) / bytes) {
        return NULL;
    }
    struct arena_block *block = calloc(1, sizeof *block + count * bytes);
    if (block == NULL) {
        return NULL;
    }
    block->next = arena->blocks;
    arena->blocks = block;
    return block->data;
}

void arena_release(struct arena *arena) {
    while (arena->blocks != NULL) {
        struct arena_block *block = arena->blocks;
        arena->blocks = block->next;
        free(block);
    }
}
