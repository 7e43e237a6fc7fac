/* What the cell of a document says: of an order, a hold of money, or anything else with an id. */
#ifndef CELLAR_STORE_DOCUMENT_H
#define CELLAR_STORE_DOCUMENT_H

#include "cellar.h"

#include <stdbool.h>
#include <stdint.h>

/* State of a document that is no order and has no life of its own: a stock change, transfer, step
 * or transaction that has an id. The states of orders come before it. */
#define STORE_STATE_OTHER 7
#define STORE_STATE_COUNT 8
_Static_assert(CELLAR_ORDER_EXPIRED < STORE_STATE_OTHER, "states of orders come first");

/* A document's cell has its state and, above it, the deadline until which that state may be left by
 * the host (0: none): a rule and what it guards. */
static inline int64_t store_document_value(uint32_t state, int64_t deadline_ms) {
    return deadline_ms * 256 + state;
}

/* 0: there is no document. */
static inline uint32_t store_document_state(int64_t value) {
    return value <= 0 ? 0 : (uint32_t)(value & 255);
}

static inline int64_t store_document_deadline_ms(int64_t value) {
    return value <= 0 ? 0 : value >> 8;
}

static inline bool store_state_is_order(uint32_t state) {
    return state >= CELLAR_ORDER_PLACED && state <= CELLAR_ORDER_EXPIRED;
}

static inline bool store_state_is_open(uint32_t state) {
    return state == CELLAR_ORDER_PLACED || state == CELLAR_ORDER_PAID;
}

/* Nothing that its cell says can change any more; of a fulfilled order units may come back. */
static inline bool store_state_is_closed(uint32_t state) {
    return (state > CELLAR_ORDER_PAID && state <= STORE_STATE_OTHER) ||
           (state > CELLAR_ACCOUNT_HOLD_HELD && state <= CELLAR_ACCOUNT_HOLD_EXPIRED);
}

static inline bool store_state_is_account_hold(uint32_t state) {
    return state >= CELLAR_ACCOUNT_HOLD_HELD && state <= CELLAR_ACCOUNT_HOLD_EXPIRED;
}

/* What the cell of a document of this generation holds once it is retired. Generations tell a
 * retired entry from a new one as long as somebody may stand on it, so they may come round. */
static inline int64_t store_retired_value(uint32_t generation) {
    return -(int64_t)(uint32_t)(generation + 1);
}

#endif
