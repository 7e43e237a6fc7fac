#include "store/part.h"

#include <string.h>

bool part_whole(const struct record_header *record, struct store_part *part_out,
                struct store_note *note_out) {
    uint32_t bytes = (uint32_t)record_payload_bytes(record);
    const unsigned char *payload = record_payload(record);
    struct store_note note = {0};
    if ((record->kind & STORE_KIND_NOTED) != 0) {
        struct payload_note tail;
        if (bytes < sizeof tail) {
            return false;
        }
        memcpy(&tail, payload + bytes - sizeof tail, sizeof tail);
        uint64_t reference_at = part_aligned(tail.payload_bytes);
        if (tail.payload_bytes > bytes || tail.reference_bytes > CELLAR_REFERENCE_BYTES_MAX ||
            reference_at + part_aligned(tail.reference_bytes) + sizeof tail != bytes) {
            return false;
        }
        note = (struct store_note){.actor = tail.actor,
                                   .reference = (const char *)payload + reference_at,
                                   .reference_bytes = tail.reference_bytes};
        bytes = tail.payload_bytes;
    }
    if (note_out != NULL) {
        *note_out = note;
    }
    *part_out = (struct store_part){.record = record,
                                    .payload = payload,
                                    .bytes = bytes,
                                    .kind = part_kind(record),
                                    .whole = true};
    return true;
}

/* The part at `at`, of which `room` bytes are left, header included. */
static bool parts_read(struct store_parts *parts, const unsigned char *at, uint32_t room) {
    struct payload_part header;
    if (room < sizeof header) {
        return false;
    }
    memcpy(&header, at, sizeof header);
    room -= (uint32_t)sizeof header;
    if (header.bytes > room || header.kind == STORE_COMPOSED || header.zero != 0) {
        return false;
    }
    parts->next.payload = at + sizeof header;
    parts->next.bytes = header.bytes;
    parts->next.kind = header.kind;
    parts->next.ordinal = (uint8_t)(parts->composed->part_count - 1 - parts->left);
    parts->next.whole = false;
    parts->end_bytes = room;
    return true;
}

bool parts_begin(struct store_parts *parts, const struct record_header *record) {
    *parts = (struct store_parts){.composed = NULL};
    if (!part_whole(record, &parts->next, NULL)) {
        return false;
    }
    if (part_kind(record) != STORE_COMPOSED) {
        return true;
    }
    const struct payload_composed *composed = parts->next.payload;
    if (parts->next.bytes < sizeof *composed || composed->part_count == 0 ||
        composed->part_count > STORE_PARTS_MAX) {
        return false;
    }
    parts->composed = composed;
    parts->left = composed->part_count - 1;
    return parts_read(parts, (const unsigned char *)(composed + 1),
                      parts->next.bytes - (uint32_t)sizeof *composed);
}

bool parts_next(struct store_parts *parts) {
    if (parts->left == 0) {
        return false;
    }
    uint32_t step = part_aligned(parts->next.bytes);
    if (step > parts->end_bytes) {
        return false;
    }
    parts->left--;
    if (!parts_read(parts, (const unsigned char *)parts->next.payload + step,
                    parts->end_bytes - step)) {
        /* It is still to come, and will not: parts_check() sees that. */
        parts->left++;
        return false;
    }
    return true;
}

bool parts_check(struct store_parts *parts_out, const struct record_header *record) {
    if (!parts_begin(parts_out, record)) {
        return false;
    }
    struct store_parts parts = *parts_out;
    while (parts_next(&parts)) {
    }
    return parts.left == 0 &&
           (parts.composed == NULL || parts.end_bytes == part_aligned(parts.next.bytes));
}

const struct payload_document *part_find_order(const struct record_header *record, uint32_t slot,
                                               struct store_parts *parts_out) {
    if (!parts_begin(parts_out, record)) {
        return NULL;
    }
    do {
        const struct payload_document *document = parts_out->next.payload;
        bool placed =
            parts_out->next.kind == STORE_ORDER_PLACE || parts_out->next.kind == STORE_ORDER_RETURN;
        if (placed && document->slot == slot) {
            return document;
        }
    } while (parts_next(parts_out));
    return NULL;
}
