/* names.c - see names.h. A table of open addressing, doubled when it is half full. */
#include "names.h"

#include <stdlib.h>
#include <string.h>

#define SLOTS_FIRST 1024u
#define SLOTS_MAX (1u << 30)

static uint32_t hash_of(const char *string) {
    uint32_t hash = 2166136261u; /* FNV-1a */
    for (; *string != '\0'; string++) {
        hash = (hash ^ (unsigned char)*string) * 16777619u;
    }
    return hash ^ (hash >> 15);
}

/* The slot of the string, or the empty one where it would go. Ends because half are empty. */
static uint32_t slot_of(const names *table, const char *string) {
    uint32_t slot = hash_of(string) & (table->slot_count - 1);
    while (table->slots[slot] != 0 && strcmp(table->strings[table->slots[slot] - 1], string) != 0) {
        slot = (slot + 1) & (table->slot_count - 1);
    }
    return slot;
}

static bool grow(names *table) {
    uint32_t slot_count = table->slot_count == 0 ? SLOTS_FIRST : table->slot_count * 2;
    if (slot_count > SLOTS_MAX) {
        return false;
    }
    char **strings = realloc(table->strings, slot_count / 2 * sizeof *strings);
    if (strings == NULL) {
        return false;
    }
    table->strings = strings;
    uint32_t *slots = calloc(slot_count, sizeof *slots);
    if (slots == NULL) {
        return false;
    }
    free(table->slots);
    table->slots = slots;
    table->slot_count = slot_count;
    for (uint32_t number = 0; number < table->count; number++) {
        table->slots[slot_of(table, strings[number])] = number + 1;
    }
    return true;
}

uint32_t names_find(const names *table, const char *string) {
    if (table->count == 0) {
        return NAMES_NONE;
    }
    uint32_t slot = slot_of(table, string);
    return table->slots[slot] == 0 ? NAMES_NONE : table->slots[slot] - 1;
}

uint32_t names_put(names *table, const char *string) {
    uint32_t found = names_find(table, string);
    if (found != NAMES_NONE) {
        return found;
    }
    if (table->count == table->slot_count / 2 && !grow(table)) {
        return NAMES_NONE;
    }
    char *copy = strdup(string);
    if (copy == NULL) {
        return NAMES_NONE;
    }
    uint32_t number = table->count++;
    table->strings[number] = copy;
    table->slots[slot_of(table, copy)] = number + 1;
    return number;
}

void names_free(names *table) {
    for (uint32_t i = 0; i < table->count; i++) {
        free(table->strings[i]);
    }
    free(table->strings);
    free(table->slots);
    *table = (names){0};
}
