#include "store/slots.h"

#include "base/assert.h"
#include "base/atomic.h"

static size_t slots_links_bytes(const struct slots *slots) {
    return ((size_t)slots->limit + 1) * sizeof *slots->links;
}

bool slots_create(struct slots *slots, struct memory *memory, enum memory_kind kind, uint32_t limit,
                  size_t slot_bytes) {
    slots->limit = limit;
    slots->memory = memory;
    slots->kind = kind;
    slots->slot_bytes = slot_bytes;
    ATOMIC_STORE(&slots->next, 1, relaxed);
    ATOMIC_STORE(&slots->free, 0, relaxed);
    slots->links = memory_map_lazy(slots_links_bytes(slots));
    return slots->links != NULL;
}

void slots_destroy(struct slots *slots) {
    if (slots->links != NULL) {
        memory_unmap(slots->links, slots_links_bytes(slots));
        uint32_t taken = slots_end(slots) - 1;
        memory_count(slots->memory, slots->kind, -(int64_t)(taken * slots->slot_bytes));
    }
}

static uint32_t slots_pop(struct slots *slots) {
    /* Acquire: pairs with the release in slots_give(); the link and whatever the giver did to the
     * slot come with it. */
    uint64_t head = ATOMIC_LOAD(&slots->free, acquire);
    while ((uint32_t)head != 0) {
        uint32_t below = ATOMIC_LOAD(&slots->links[(uint32_t)head], relaxed);
        uint64_t desired = (((head >> 32) + 1) << 32) | below;
        if (ATOMIC_CAS(&slots->free, &head, desired, acquire, acquire)) {
            return (uint32_t)head;
        }
    }
    return 0;
}

uint32_t slots_take(struct slots *slots) {
    uint32_t slot = slots_pop(slots);
    if (slot != 0) {
        return slot;
    }
    slot = ATOMIC_LOAD(&slots->next, relaxed);
    do {
        if (slot > slots->limit) {
            return 0;
        }
    } while (!ATOMIC_CAS(&slots->next, &slot, slot + 1, relaxed, relaxed));
    memory_count(slots->memory, slots->kind, (int64_t)slots->slot_bytes);
    return slot;
}

void slots_give(struct slots *slots, uint32_t slot) {
    ASSERT(slot != 0);
    uint64_t head = ATOMIC_LOAD(&slots->free, relaxed);
    uint64_t desired;
    do {
        ATOMIC_STORE(&slots->links[slot], (uint32_t)head, relaxed);
        desired = (((head >> 32) + 1) << 32) | slot;
        /* Release: pairs with the acquire in slots_pop(). */
    } while (!ATOMIC_CAS(&slots->free, &head, desired, release, relaxed));
}

bool slots_raise(struct slots *slots, uint32_t slot) {
    if (slot == 0 || slot > slots->limit) {
        return false;
    }
    uint32_t next = ATOMIC_LOAD(&slots->next, relaxed);
    if (slot >= next) {
        memory_count(slots->memory, slots->kind, (int64_t)((slot + 1 - next) * slots->slot_bytes));
        ATOMIC_STORE(&slots->next, slot + 1, relaxed);
    }
    return true;
}

void slots_forget_free(struct slots *slots) {
    ATOMIC_STORE(&slots->free, 0, relaxed);
}

uint32_t slots_end(const struct slots *slots) {
    return ATOMIC_LOAD(&slots->next, relaxed);
}
