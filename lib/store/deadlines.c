#include "store/deadlines.h"

#include "base/assert.h"

#include <string.h>

#define DEADLINES_CAPACITY_MIN 1024

void deadlines_destroy(struct deadlines *deadlines) {
    if (deadlines->entries != NULL) {
        memory_release(deadlines->memory, MEMORY_ORDERS, deadlines->entries,
                       deadlines->capacity * sizeof *deadlines->entries);
    }
}

bool deadlines_reserve(struct deadlines *deadlines) {
    if (deadlines->count < deadlines->capacity) {
        return true;
    }
    uint32_t capacity = deadlines->capacity == 0 ? DEADLINES_CAPACITY_MIN : 2 * deadlines->capacity;
    struct deadline *entries =
        memory_allocate(deadlines->memory, MEMORY_ORDERS, (size_t)capacity * sizeof *entries);
    if (entries == NULL) {
        return false;
    }
    if (deadlines->count != 0) {
        memcpy(entries, deadlines->entries, deadlines->count * sizeof *entries);
    }
    deadlines_destroy(deadlines);
    deadlines->entries = entries;
    deadlines->capacity = capacity;
    return true;
}

void deadlines_add(struct deadlines *deadlines, int64_t ms, uint32_t slot) {
    ASSERT(deadlines->count < deadlines->capacity);
    uint32_t at = deadlines->count++;
    while (at > 0 && deadlines->entries[(at - 1) / 2].ms > ms) {
        deadlines->entries[at] = deadlines->entries[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    deadlines->entries[at] = (struct deadline){.ms = ms, .slot = slot};
}

/* Puts `moved` in the place of the first entry, and the heap in order. */
static void deadlines_sink(struct deadlines *deadlines, struct deadline moved) {
    uint32_t at = 0;
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child + 1 < deadlines->count &&
            deadlines->entries[child + 1].ms < deadlines->entries[child].ms) {
            child++;
        }
        if (child >= deadlines->count || deadlines->entries[child].ms >= moved.ms) {
            break;
        }
        deadlines->entries[at] = deadlines->entries[child];
        at = child;
    }
    deadlines->entries[at] = moved;
}

bool deadlines_take(struct deadlines *deadlines, int64_t now_ms, struct deadline *deadline_out) {
    if (deadlines->count == 0 || deadlines->entries[0].ms > now_ms) {
        return false;
    }
    *deadline_out = deadlines->entries[0];
    struct deadline last = deadlines->entries[--deadlines->count];
    if (deadlines->count != 0) {
        deadlines_sink(deadlines, last);
    }
    return true;
}

bool overdue_note(struct overdue *overdue, uint32_t slot, int64_t deadline_ms) {
    if (deadline_ms == 0) {
        return true;
    }
    if (deadline_ms <= overdue->now_ms) {
        overdue->slots[overdue->count++] = slot;
    } else if (overdue->next_ms == 0 || deadline_ms < overdue->next_ms) {
        overdue->next_ms = deadline_ms;
    }
    return overdue->count < OVERDUE_MAX;
}
