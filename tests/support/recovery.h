/* A store in recovery, cells and objects without a thread, and records made by hand for it. */
#ifndef CELLAR_TESTS_SUPPORT_RECOVERY_H
#define CELLAR_TESTS_SUPPORT_RECOVERY_H

#include "store/store.h"

/* Of each kind of object. */
#define RECOVERY_LIMIT 40
/* A result of recovery_redo() beside enum store_apply_result. */
#define RECOVERY_MALFORMED (-1)

struct recovery {
    struct memory *memory;
    struct commit *commit;
    struct store *store;
};
extern struct recovery recovery;

/* Fixtures of cmocka. */
int recovery_set_up(void **unused);
int recovery_tear_down(void **unused);

/* The next record changes this cell from what it holds. In rising order, up to 8. */
void recovery_change(uint32_t cell, int64_t value);
/* That record, with a later LSN than the one before it; it is there until the next one. */
struct record_header *recovery_record(uint16_t kind, const void *payload, size_t bytes);
/* The payload of an entry of an account. */
struct recovery_entry {
    struct payload_document header;
    uint64_t account;
};
struct recovery_entry recovery_entry_of(uint8_t type, uint64_t account, int64_t amount);
/* Checks, redoes and applies it. */
int recovery_redo(const struct record_header *record);
/* The cell holds this, by a record that was not checked, and of which nothing else is known. */
void recovery_force(uint32_t cell, int64_t value);

/* ---- Products ---- */

struct recovery_product {
    struct payload_product header;
    char text[300];
};
struct recovery_product recovery_product(uint32_t slot, uint32_t stock, uint32_t block,
                                         const char *sku);
/* Its record, with the cells of a product that is new. */
const struct record_header *recovery_product_record(const struct recovery_product *product,
                                                    size_t bytes);
/* Makes and redoes it. */
int recovery_put(uint32_t slot, uint32_t stock, uint32_t block, const char *sku);

#endif
