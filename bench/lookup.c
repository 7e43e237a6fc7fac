#include "lookup.h"

#include "base/hash.h"

#include <stdlib.h>
#include <string.h>

static uint32_t slot_of(const struct lookup *lookup, const char *name) {
    return (uint32_t)hash_seeded(0, name, strlen(name)) & lookup->mask;
}

bool lookup_start(struct lookup *lookup, char (*names)[SHOP_SKU_BYTES], uint32_t count) {
    uint32_t slots = 2;
    while (slots < 2 * count) {
        slots *= 2;
    }
    *lookup = (struct lookup){
        .slots = calloc(slots, sizeof *lookup->slots), .mask = slots - 1, .names = names};
    if (lookup->slots == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t slot = slot_of(lookup, names[i]);
        while (lookup->slots[slot] != 0) {
            slot = (slot + 1) & lookup->mask;
        }
        lookup->slots[slot] = i + 1;
    }
    return true;
}

void lookup_end(struct lookup *lookup) {
    free(lookup->slots);
    lookup->slots = NULL;
}

/* Ends: half of the slots are empty. */
uint32_t lookup_find(const struct lookup *lookup, const char *name) {
    uint32_t slot = slot_of(lookup, name);
    while (lookup->slots[slot] != 0) {
        uint32_t number = lookup->slots[slot] - 1;
        if (strcmp(lookup->names[number], name) == 0) {
            return number;
        }
        slot = (slot + 1) & lookup->mask;
    }
    return LOOKUP_NONE;
}
