/* Making, finding and linking campaigns, grants, codes and holders. */
#include "store/coupons.h"

#include "base/assert.h"
#include "store/store.h"

#include <string.h>

/* Campaigns whose rules are being replaced hold two blocks until the old one's grace period is
 * over. */
#define COUPONS_RULES_SPARE 4096

/* ---- Tables ---- */

static bool coupons_match_campaign(const void *object, const void *key) {
    return ((const struct store_campaign *)object)->id == *(const uint64_t *)key;
}

static bool coupons_match_grant(const void *object, const void *key) {
    const struct store_grant *grant = object;
    const struct coupon_grant_key *sought = key;
    return grant->customer == sought->customer && grant->campaign == sought->campaign &&
           grant->ordinal == sought->ordinal;
}

static bool coupons_match_code(const void *object, const void *key) {
    return strcmp(((const struct store_code *)object)->code, key) == 0;
}

static bool coupons_match_holder(const void *object, const void *key) {
    return ((const struct store_holder *)object)->id == *(const uint64_t *)key;
}

static uint64_t coupons_hash_grant(const struct store *store, const struct coupon_grant_key *key) {
    return hash_seeded(store->seed, key, sizeof *key);
}

/* ---- Making ---- */

void coupons_cell_limits(const struct coupon_limits *limits,
                         uint32_t cell_limits_out[CELL_CLASS_COUNT]) {
    cell_limits_out[STORE_CELLS_GRANT] = limits->grants + 1;
    cell_limits_out[STORE_CELLS_CODE] = limits->codes + 1;
    cell_limits_out[STORE_CELLS_CAMPAIGN] = COUPON_CAMPAIGN_CELLS * (limits->campaigns + 1);
}

static bool coupons_create_slots(struct coupons *coupons, struct memory *memory,
                                 const struct coupon_limits *limits) {
    const size_t cell = sizeof(struct cell);
    return slots_create(&coupons->campaign_slots, memory, MEMORY_COUPONS, limits->campaigns,
                        sizeof(struct store_campaign) + COUPON_CAMPAIGN_CELLS * cell) &&
           slots_create(&coupons->rules_slots, memory, MEMORY_COUPONS,
                        limits->campaigns + COUPONS_RULES_SPARE, sizeof(void *)) &&
           slots_create(&coupons->grant_slots, memory, MEMORY_COUPONS, limits->grants,
                        COUPON_GRANT_BYTES) &&
           slots_create(&coupons->code_slots, memory, MEMORY_COUPONS, limits->codes,
                        sizeof(struct store_code) + cell) &&
           slots_create(&coupons->holder_slots, memory, MEMORY_COUPONS, limits->grants,
                        sizeof(struct store_holder));
}

static bool coupons_map(const struct slots *slots, size_t object_bytes, void **array_out) {
    *array_out = memory_map_lazy(((size_t)slots->limit + 1) * object_bytes);
    return *array_out != NULL;
}

static void coupons_unmap(const struct slots *slots, size_t object_bytes, void *array) {
    if (array != NULL) {
        memory_unmap(array, ((size_t)slots->limit + 1) * object_bytes);
    }
}

static bool coupons_create_arrays(struct coupons *coupons) {
    return coupons_map(&coupons->campaign_slots, sizeof *coupons->campaigns,
                       (void **)&coupons->campaigns) &&
           coupons_map(&coupons->rules_slots, sizeof(void *), (void **)&coupons->rules) &&
           coupons_map(&coupons->grant_slots, sizeof *coupons->grants, (void **)&coupons->grants) &&
           coupons_map(&coupons->code_slots, sizeof *coupons->codes, (void **)&coupons->codes) &&
           coupons_map(&coupons->holder_slots, sizeof *coupons->holders,
                       (void **)&coupons->holders);
}

static bool coupons_create_tables(struct coupons *coupons, struct memory *memory) {
    return table_create(&coupons->campaign_table, memory, coupons->campaigns,
                        sizeof *coupons->campaigns, coupons->campaign_slots.limit,
                        coupons_match_campaign) &&
           table_create(&coupons->grant_table, memory, coupons->grants, sizeof *coupons->grants,
                        coupons->grant_slots.limit, coupons_match_grant) &&
           table_create(&coupons->code_table, memory, coupons->codes, sizeof *coupons->codes,
                        coupons->code_slots.limit, coupons_match_code) &&
           table_create(&coupons->holder_table, memory, coupons->holders, sizeof *coupons->holders,
                        coupons->holder_slots.limit, coupons_match_holder);
}

bool coupons_create(struct store *store, const struct coupon_limits *limits) {
    struct coupons *coupons = &store->coupons;
    if (!coupons_create_slots(coupons, store->memory, limits) || !coupons_create_arrays(coupons) ||
        !coupons_create_tables(coupons, store->memory)) {
        return false;
    }
    coupons->list = index_create(store->commit, store->memory);
    return coupons->list != NULL;
}

static void coupons_destroy_objects(struct store *store) {
    struct coupons *coupons = &store->coupons;
    if (coupons->rules != NULL) {
        for (uint32_t i = 1; i < slots_end(&coupons->rules_slots); i++) {
            struct coupon_rules *rules = ATOMIC_LOAD(&coupons->rules[i], relaxed);
            if (rules != NULL) {
                memory_release(store->memory, MEMORY_COUPONS, rules, rules->bytes);
            }
        }
    }
    if (coupons->campaigns != NULL) {
        for (uint32_t i = 1; i < slots_end(&coupons->campaign_slots); i++) {
            struct index *holes = ATOMIC_LOAD(&coupons->campaigns[i].holes, relaxed);
            if (holes != NULL) {
                index_destroy(holes);
            }
        }
    }
    if (coupons->list != NULL) {
        index_destroy(coupons->list);
    }
}

void coupons_destroy(struct store *store) {
    struct coupons *coupons = &store->coupons;
    table_destroy(&coupons->campaign_table);
    table_destroy(&coupons->grant_table);
    table_destroy(&coupons->code_table);
    table_destroy(&coupons->holder_table);
    coupons_destroy_objects(store);
    coupons_unmap(&coupons->campaign_slots, sizeof *coupons->campaigns, coupons->campaigns);
    coupons_unmap(&coupons->rules_slots, sizeof(void *), (void *)coupons->rules);
    coupons_unmap(&coupons->grant_slots, sizeof *coupons->grants, coupons->grants);
    coupons_unmap(&coupons->code_slots, sizeof *coupons->codes, coupons->codes);
    coupons_unmap(&coupons->holder_slots, sizeof *coupons->holders, coupons->holders);
    slots_destroy(&coupons->campaign_slots);
    slots_destroy(&coupons->rules_slots);
    slots_destroy(&coupons->grant_slots);
    slots_destroy(&coupons->code_slots);
    slots_destroy(&coupons->holder_slots);
}

void coupons_recovered(struct store *store) {
    struct coupons *coupons = &store->coupons;
    for (uint32_t slot = 1; slot < slots_end(&coupons->campaign_slots); slot++) {
        if (coupons->campaigns[slot].slot == 0) {
            slots_give(&coupons->campaign_slots, slot);
        }
    }
    /* As of the blocks of products: what is free is told by the blocks that are there. */
    slots_forget_free(&coupons->rules_slots);
    for (uint32_t slot = 1; slot < slots_end(&coupons->rules_slots); slot++) {
        if (ATOMIC_LOAD(&coupons->rules[slot], relaxed) == NULL) {
            slots_give(&coupons->rules_slots, slot);
        }
    }
    for (uint32_t slot = 1; slot < slots_end(&coupons->grant_slots); slot++) {
        if (coupons->grants[slot].campaign == 0) {
            slots_give(&coupons->grant_slots, slot);
        }
    }
    for (uint32_t slot = 1; slot < slots_end(&coupons->code_slots); slot++) {
        if (coupons->codes[slot].slot == 0) {
            slots_give(&coupons->code_slots, slot);
        }
    }
}

/* ---- Finding ---- */

struct store_campaign *coupons_find_campaign(struct store *store, uint64_t id) {
    struct coupons *coupons = &store->coupons;
    uint32_t slot = table_find(&coupons->campaign_table, store_hash_number(store, id), &id);
    return slot == 0 ? NULL : &coupons->campaigns[slot];
}

uint32_t coupons_find_grant(const struct store *store, const struct coupon_grant_key *key) {
    return table_find(&store->coupons.grant_table, coupons_hash_grant(store, key), key);
}

struct store_code *coupons_find_code(struct store *store, const char *code, size_t bytes) {
    struct coupons *coupons = &store->coupons;
    uint32_t slot = table_find(&coupons->code_table, store_hash_text(store, code, bytes), code);
    return slot == 0 ? NULL : &coupons->codes[slot];
}

struct store_holder *coupons_find_holder(struct store *store, uint64_t customer) {
    struct coupons *coupons = &store->coupons;
    uint64_t hash = store_hash_number(store, customer);
    uint32_t slot = table_find(&coupons->holder_table, hash, &customer);
    return slot == 0 ? NULL : &coupons->holders[slot];
}

struct store_campaign *coupons_ensure_campaign(struct store *store, uint64_t id) {
    struct coupons *coupons = &store->coupons;
    struct store_campaign *campaign = coupons_find_campaign(store, id);
    if (campaign != NULL) {
        return campaign;
    }
    uint32_t slot = slots_take(&coupons->campaign_slots);
    if (slot == 0) {
        return NULL;
    }
    campaign = &coupons->campaigns[slot];
    campaign->id = id;
    campaign->slot = slot;
    uint32_t found = table_add(&coupons->campaign_table, store_hash_number(store, id), &id, slot);
    if (found != slot) {
        campaign->slot = 0;
        slots_give(&coupons->campaign_slots, slot);
    }
    return &coupons->campaigns[found];
}

static uint32_t coupons_add_grant(struct store *store, const struct coupon_grant_key *key,
                                  uint32_t slot) {
    struct store_grant *grant = &store->coupons.grants[slot];
    grant->customer = key->customer;
    grant->campaign = key->campaign;
    grant->ordinal = (uint8_t)key->ordinal;
    return table_add(&store->coupons.grant_table, coupons_hash_grant(store, key), key, slot);
}

uint32_t coupons_ensure_grant(struct store *store, const struct coupon_grant_key *key) {
    struct coupons *coupons = &store->coupons;
    uint32_t found = coupons_find_grant(store, key);
    if (found != 0) {
        return found;
    }
    uint32_t slot = slots_take(&coupons->grant_slots);
    if (slot == 0) {
        return 0;
    }
    found = coupons_add_grant(store, key, slot);
    if (found != slot) {
        coupons->grants[slot].campaign = 0;
        slots_give(&coupons->grant_slots, slot);
    }
    return found;
}

bool coupons_restore_grant(struct store *store, const struct coupon_grant_key *key, uint32_t slot) {
    return coupons_add_grant(store, key, slot) == slot;
}

struct store_code *coupons_ensure_code(struct store *store, const char *code, size_t bytes) {
    struct coupons *coupons = &store->coupons;
    struct store_code *entry = coupons_find_code(store, code, bytes);
    if (entry != NULL) {
        return entry;
    }
    uint32_t slot = slots_take(&coupons->code_slots);
    if (slot == 0) {
        return NULL;
    }
    entry = &coupons->codes[slot];
    entry->slot = slot;
    entry->code_bytes = (uint8_t)bytes;
    memcpy(entry->code, code, bytes);
    entry->code[bytes] = '\0';
    uint64_t hash = store_hash_text(store, code, bytes);
    uint32_t found = table_add(&coupons->code_table, hash, entry->code, slot);
    if (found != slot) {
        entry->slot = 0;
        slots_give(&coupons->code_slots, slot);
    }
    return &coupons->codes[found];
}

const struct coupon_rules *coupons_rules(const struct store *store, int64_t number) {
    /* Acquire: pairs with the release of whoever made the block. */
    return number == 0 ? NULL : ATOMIC_LOAD(&store->coupons.rules[number], acquire);
}

int64_t coupons_count_holes(const struct store_campaign *campaign, int64_t low, int64_t high) {
    /* Acquire: pairs with the release in coupon_apply_hole(). */
    const struct index *holes = ATOMIC_LOAD(&campaign->holes, acquire);
    int64_t count = 0;
    uint64_t before = (uint64_t)high;
    /* Ends: keys fall from page to page. */
    while (holes != NULL) {
        struct index_entry entries[64];
        size_t found = index_page(holes, before, entries, 64);
        for (size_t i = 0; i < found; i++) {
            if ((int64_t)entries[i].key <= low) {
                return count;
            }
            count++;
            before = entries[i].key;
        }
        if (found < 64) {
            break;
        }
    }
    return count;
}

/* ---- Blocks of rules ---- */

struct coupon_rules *coupons_rules_create(struct store *store, uint32_t number, size_t text_bytes) {
    size_t bytes = sizeof(struct coupon_rules) + text_bytes;
    struct coupon_rules *rules = memory_allocate(store->memory, MEMORY_COUPONS, bytes);
    if (rules != NULL) {
        *rules = (struct coupon_rules){.deferred = {.release = coupons_rules_release},
                                       .store = store,
                                       .number = number,
                                       .bytes = (uint32_t)bytes};
    }
    return rules;
}

void coupons_rules_release(struct commit_deferred *deferred, struct memory *memory) {
    struct coupon_rules *rules = (struct coupon_rules *)(void *)deferred;
    struct coupons *coupons = &rules->store->coupons;
    ATOMIC_STORE(&coupons->rules[rules->number], NULL, relaxed);
    slots_give(&coupons->rules_slots, rules->number);
    memory_release(memory, MEMORY_COUPONS, rules, rules->bytes);
}
