/* Coupons and codes, as cellar.h has them. */
#include "engine/engine.h"

#include "store/plan_coupon.h"

#include <string.h>

/* ---- Claiming and revoking ---- */

static cellar_status coupon_operate(cellar *store, const cellar_call *call,
                                    cellar_operation_kind kind, const cellar_claim *claim,
                                    cellar_ticket *ticket_out, cellar_refusal *refusal_out) {
    const cellar_operation operation = {.kind = kind, .claim = claim};
    return engine_operate(store, call, &operation, ticket_out, refusal_out);
}

cellar_status cellar_coupon_claim(cellar *store, const cellar_call *call, cellar_id id,
                                  uint64_t campaign, uint64_t customer, cellar_ticket *ticket_out,
                                  cellar_refusal *refusal_out) {
    const cellar_claim claim = {.id = id, .campaign = campaign, .customer = customer};
    return coupon_operate(store, call, CELLAR_OPERATION_COUPON_CLAIM, &claim, ticket_out,
                          refusal_out);
}

cellar_status cellar_coupon_revoke(cellar *store, const cellar_call *call, uint64_t campaign,
                                   uint64_t customer, uint32_t ordinal, cellar_ticket *ticket_out,
                                   cellar_refusal *refusal_out) {
    const cellar_claim claim = {.campaign = campaign, .customer = customer, .ordinal = ordinal};
    return coupon_operate(store, call, CELLAR_OPERATION_COUPON_REVOKE, &claim, ticket_out,
                          refusal_out);
}

/* ---- Redeeming and restoring ---- */

#define REDEEM_LINE_BYTES (sizeof(struct plan_bought) + sizeof(struct discount_line))
_Static_assert(PLAN_LINES_INLINE *REDEEM_LINE_BYTES <= PLAN_ROOM_INLINE, "few lines fit");

cellar_status engine_redeem_prepare(cellar *engine, struct plan *plan,
                                    struct plan_redeem_request *request) {
    size_t count = request->restore ? 0 : request->redemption->line_count;
    if (count == 0) {
        return CELLAR_OK;
    }
    if (count <= PLAN_LINES_INLINE && !plan->room_taken) {
        plan->room_taken = true;
        request->lines = (struct discount_line *)(void *)plan->room_inline;
    } else {
        request->lines = memory_allocate(engine->memory, MEMORY_SCRATCH, count * REDEEM_LINE_BYTES);
        if (request->lines == NULL) {
            return CELLAR_OUT_OF_MEMORY;
        }
        request->allocated_bytes = count * REDEEM_LINE_BYTES;
    }
    request->bought = (struct plan_bought *)(request->lines + count);
    return CELLAR_OK;
}

void engine_redeem_finish(cellar *engine, struct plan_redeem_request *request,
                          const cellar_ticket *ticket) {
    if (ticket->lsn != 0 && !ticket->repeated && request->discounts_out != NULL) {
        for (size_t i = 0; i < request->redemption->line_count; i++) {
            request->discounts_out[i] = request->lines[i].discount;
        }
    }
    if (request->allocated_bytes != 0) {
        memory_release(engine->memory, MEMORY_SCRATCH, request->lines, request->allocated_bytes);
    }
}

cellar_status cellar_coupon_redeem(cellar *store, const cellar_call *call,
                                   const cellar_redemption *redemption, int64_t *discounts_out,
                                   cellar_ticket *ticket_out, cellar_refusal *refusal_out) {
    if (redemption == NULL) {
        return engine_invalid(refusal_out, "redemption is required");
    }
    const cellar_operation operation = {.kind = CELLAR_OPERATION_COUPON_REDEEM,
                                        .redemption = redemption,
                                        .discounts_out = discounts_out};
    return engine_operate(store, call, &operation, ticket_out, refusal_out);
}

cellar_status cellar_coupon_restore(cellar *store, const cellar_call *call,
                                    const cellar_redemption *redemption, int64_t discount,
                                    cellar_ticket *ticket_out, cellar_refusal *refusal_out) {
    if (redemption == NULL) {
        return engine_invalid(refusal_out, "redemption is required");
    }
    const cellar_operation operation = {
        .kind = CELLAR_OPERATION_COUPON_RESTORE, .redemption = redemption, .discount = discount};
    return engine_operate(store, call, &operation, ticket_out, refusal_out);
}

/* ---- Codes ---- */

cellar_status cellar_code_add(cellar *store, const cellar_call *call, uint64_t campaign,
                              const char *code, int64_t uses, cellar_ticket *ticket_out,
                              cellar_refusal *refusal_out) {
    const cellar_code_request request = {.campaign = campaign, .code = code, .uses = uses};
    const cellar_operation operation = {.kind = CELLAR_OPERATION_CODE_ADD, .code = &request};
    return engine_operate(store, call, &operation, ticket_out, refusal_out);
}

cellar_status cellar_code_add_many(cellar *store, const cellar_call *call, uint64_t campaign,
                                   const char *const *codes, size_t count, int64_t uses,
                                   cellar_status *statuses_out) {
    if ((codes == NULL && count != 0) || !engine_call_valid(call)) {
        return CELLAR_INVALID_ARGUMENT;
    }
    struct engine_call guard;
    cellar_status first = engine_enter(&guard, store);
    if (first != CELLAR_OK) {
        return first;
    }
    cellar_call relaxed = {0};
    if (call != NULL) {
        relaxed = *call;
    }
    relaxed.durability = CELLAR_RELAXED;
    uint64_t last = 0;
    for (size_t i = 0; i < count; i++) {
        cellar_ticket ticket = {0};
        struct plan_code_request request = {.campaign = campaign, .code = codes[i], .uses = uses};
        const struct engine_change change = {
            .check = plan_check_code, .function = plan_code_add, .request = &request};
        cellar_status status = engine_run(store, &relaxed, &change, &ticket, NULL);
        last = ticket.lsn > last ? ticket.lsn : last;
        first = first == CELLAR_OK ? status : first;
        if (statuses_out != NULL) {
            statuses_out[i] = status;
        }
    }
    cellar_status durable = last == 0 ? CELLAR_OK : engine_wait_durable(store, call, last);
    engine_leave(&guard);
    return first == CELLAR_OK ? durable : first;
}

/* How often it may be used follows the log: 0 in *wait_lsn when that is known. */
static bool coupon_look_code(const struct store *store, const struct store_code *code,
                             cellar_code *code_out, uint64_t *wait_lsn) {
    struct cell_content content = commit_read(store->commit, coupon_code_cell(code->slot));
    if (content.value == 0) {
        return false;
    }
    /* Acquire: pairs with the release in coupon_apply_code(). */
    int64_t uses = ATOMIC_LOAD(&code->uses, acquire);
    *wait_lsn = uses == 0 ? content.version : 0;
    *code_out =
        (cellar_code){.campaign = store->coupons.campaigns[coupon_code_campaign(content.value)].id,
                      .uses = uses,
                      .left = coupon_code_left(content.value),
                      .version = content.version};
    return true;
}

static cellar_status coupon_get_code(cellar *engine, const char *code, size_t bytes,
                                     cellar_code *code_out) {
    for (;;) {
        uint64_t wait_lsn = 0;
        bool exists = false;
        commit_enter();
        const struct store_code *found = coupons_find_code(engine->store, code, bytes);
        if (found != NULL) {
            exists = coupon_look_code(engine->store, found, code_out, &wait_lsn);
        }
        commit_leave();
        if (!exists || wait_lsn == 0) {
            return exists ? CELLAR_OK : CELLAR_NOT_FOUND;
        }
        cellar_status status = follower_wait(engine, wait_lsn, INT64_MAX);
        if (status != CELLAR_OK) {
            return status;
        }
    }
}

cellar_status cellar_code_get(cellar *store, const char *code, cellar_code *code_out) {
    size_t bytes = plan_text_bytes(code, CELLAR_CODE_BYTES_MAX);
    if (code_out == NULL || bytes == 0 || bytes == SIZE_MAX) {
        return CELLAR_INVALID_ARGUMENT;
    }
    struct engine_call guard;
    cellar_status status = engine_enter(&guard, store);
    if (status == CELLAR_OK) {
        status = coupon_get_code(store, code, bytes, code_out);
        engine_leave(&guard);
    }
    return status;
}
