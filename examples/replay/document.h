/* document.h - what one row of the file becomes in the store, and under which id.
 *
 *   rows of one InvoiceNo           become
 *   a cancellation (C...)           one return
 *   quantity above 0                one order, fulfilled in one step, all its lines in one commit
 *   quantity below 0, otherwise     a stock adjustment each: written off, not sold
 *
 * Ids are made of the document's number, so that the same row has the same id in every run, and
 * whatever was interrupted can simply be done again:
 *
 *   high, bits 56 to 63   kind
 *   high, bits 40 to 55   adjustments: which of the invoice's rows it is, in the order of the file
 *   high, bits 0 to 39    the number's bytes 9 to 13
 *   low                   the number's bytes 1 to 8
 *
 * Numbers have at most 13 bytes and no NUL, so that two documents never share an id. A receipt has
 * {kind and the product's numeric id, the file's fingerprint}: once per product and file.
 */
#ifndef REPLAY_DOCUMENT_H
#define REPLAY_DOCUMENT_H

#include <cellar.h>

typedef enum document_kind {
    DOCUMENT_RECEIPT = 1,
    DOCUMENT_ORDER = 2,
    DOCUMENT_RETURN = 3,
    DOCUMENT_ADJUSTMENT = 4
} document_kind;

static inline cellar_id document_id(document_kind kind, const char *number, uint32_t ordinal) {
    cellar_id id = {.high = (uint64_t)kind << 56 | (uint64_t)(ordinal & 0xffff) << 40};
    for (unsigned i = 0; i < 13 && number[i] != '\0'; i++) {
        uint64_t byte = (unsigned char)number[i];
        if (i < 8) {
            id.low |= byte << (56 - 8 * i);
        } else {
            id.high |= byte << (32 - 8 * (i - 8));
        }
    }
    return id;
}

static inline document_kind document_kind_of(cellar_id id) {
    return (document_kind)(id.high >> 56);
}

/* The number alone: equal for all that one invoice has become. */
static inline cellar_id document_number_of(cellar_id id) {
    return (cellar_id){.high = id.high & UINT64_C(0xffffffffff), .low = id.low};
}

static inline cellar_id document_receipt_id(uint64_t product, uint64_t fingerprint) {
    return (cellar_id){.high = (uint64_t)DOCUMENT_RECEIPT << 56 | product, .low = fingerprint};
}

#endif
