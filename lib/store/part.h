/* The parts of a record: a record of one kind is its own only part, a composed one has several.
 * What a part means is the same in both. */
#ifndef CELLAR_STORE_PART_H
#define CELLAR_STORE_PART_H

#include "store/payload.h"

#include <stdbool.h>
#include <stdint.h>

/* Steps of one transaction. */
#define STORE_PARTS_MAX CELLAR_STEPS_MAX

/* What applying a record, or a part of it, to derived state came to. */
enum store_apply_result {
    STORE_APPLIED,
    STORE_APPLY_NO_MEMORY, /* nothing changed; may be called again */
    STORE_APPLY_BROKEN,    /* recovery only: the record contradicts the store */
    STORE_APPLY_LIMIT      /* recovery only: more objects than the configuration allows */
};

struct store_part {
    const struct record_header *record;
    const void *payload;
    uint32_t bytes;
    uint16_t kind;
    /* Its number in the record, from 0: with it, what several parts of one commit make has an
     * order. */
    uint8_t ordinal;
    bool whole; /* the record has no other part: its cells are this part's */
};

/* What the host noted on the change as a whole. */
struct store_note {
    uint64_t actor;
    const char *reference; /* `reference_bytes` of it, without a NUL */
    uint32_t reference_bytes;
};

struct store_parts {
    struct store_part next;
    uint32_t left;      /* parts after `next` that have not been gone to */
    uint32_t end_bytes; /* bytes from the payload of `next` to the end of the last part */
    const struct payload_composed *composed; /* NULL: the record has one part */
};

static inline uint32_t part_aligned(uint32_t bytes) {
    return (bytes + 7) & ~7u;
}

/* The record's kind without flags. */
static inline uint16_t part_kind(const struct record_header *record) {
    return (uint16_t)(record->kind & ~STORE_KIND_NOTED);
}

/* The record's payload without the note; its note too (may be NULL). False: the note is malformed,
 * which recovery must ask of a record before anything else here. */
bool part_whole(const struct record_header *record, struct store_part *part_out,
                struct store_note *note_out);
/* Goes through the parts: true and parts->next, as long as there are well-formed ones. */
bool parts_begin(struct store_parts *parts, const struct record_header *record);
bool parts_next(struct store_parts *parts);
/* The part of a checked record that placed the order in `slot`, as parts_out->next; NULL: none. */
const struct payload_document *part_find_order(const struct record_header *record, uint32_t slot,
                                               struct store_parts *parts_out);
/* True when the record's parts fill its payload exactly, and none is itself composed; the first of
 * them is then parts_out->next. */
bool parts_check(struct store_parts *parts_out, const struct record_header *record);

#endif
