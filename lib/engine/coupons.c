/* Coupons and codes, as cellar.h has them. */
#include "engine/engine.h"

#include "store/plan_coupon.h"

#include <string.h>

/* Lines of a redemption for which there is room without an allocation. */
#define COUPON_LINES_INLINE 16

/* ---- Claiming and revoking ---- */

cellar_status cellar_coupon_claim(cellar *store, const cellar_call *call, cellar_id id,
                                  uint64_t campaign, uint64_t customer, cellar_ticket *ticket_out,
                                  cellar_refusal *refusal_out) {
    struct engine_call guard;
    cellar_status status = engine_enter(&guard, store);
    if (status != CELLAR_OK) {
        return status;
    }
    struct plan plan;
    plan_create(&plan, store->store);
    struct plan_claim_request request = {.id = id, .campaign = campaign, .customer = customer};
    if (plan_check_claim(&plan, &request)) {
        status = engine_transact(store, call, &plan, plan_coupon_claim, &request, ticket_out,
                                 refusal_out);
    } else {
        status = engine_refused(&plan, refusal_out);
    }
    plan_destroy(&plan);
    engine_leave(&guard);
    return status;
}

cellar_status cellar_coupon_revoke(cellar *store, const cellar_call *call, uint64_t campaign,
                                   uint64_t customer, uint32_t ordinal, cellar_ticket *ticket_out,
                                   cellar_refusal *refusal_out) {
    struct engine_call guard;
    cellar_status status = engine_enter(&guard, store);
    if (status != CELLAR_OK) {
        return status;
    }
    struct plan plan;
    plan_create(&plan, store->store);
    struct plan_revoke_request request = {
        .campaign = campaign, .customer = customer, .ordinal = ordinal};
    if (plan_check_revoke(&plan, &request)) {
        status = engine_transact(store, call, &plan, plan_coupon_revoke, &request, ticket_out,
                                 refusal_out);
    } else {
        status = engine_refused(&plan, refusal_out);
    }
    plan_destroy(&plan);
    engine_leave(&guard);
    return status;
}

/* ---- Redeeming and restoring ---- */

/* Room for the lines of a request; `inline_*` when they are few. */
struct coupon_room {
    struct plan_bought bought_inline[COUPON_LINES_INLINE];
    struct discount_line lines_inline[COUPON_LINES_INLINE];
    size_t bytes; /* allocated */
    void *allocated;
};

static bool coupon_make_room(cellar *engine, struct coupon_room *room,
                             struct plan_redeem_request *request) {
    size_t count = request->restore ? 0 : request->redemption->line_count;
    room->allocated = NULL;
    request->bought = room->bought_inline;
    request->lines = room->lines_inline;
    if (count <= COUPON_LINES_INLINE) {
        return true;
    }
    room->bytes = count * (sizeof *request->bought + sizeof *request->lines);
    room->allocated = memory_allocate(engine->memory, MEMORY_SCRATCH, room->bytes);
    if (room->allocated == NULL) {
        return false;
    }
    request->lines = room->allocated;
    request->bought = (struct plan_bought *)(request->lines + count);
    return true;
}

static cellar_status coupon_redeem(cellar *engine, const cellar_call *call, struct plan *plan,
                                   struct plan_redeem_request *request, cellar_ticket *ticket_out,
                                   cellar_refusal *refusal_out) {
    struct coupon_room room;
    if (!coupon_make_room(engine, &room, request)) {
        plan->refusal.status = CELLAR_OUT_OF_MEMORY;
        return engine_refused(plan, refusal_out);
    }
    cellar_ticket ticket = {0};
    cellar_status status =
        engine_transact(engine, call, plan, plan_redeem_call, request, &ticket, refusal_out);
    if (ticket.lsn != 0 && !ticket.repeated && request->discounts_out != NULL) {
        for (size_t i = 0; i < request->redemption->line_count; i++) {
            request->discounts_out[i] = request->lines[i].discount;
        }
    }
    if (ticket.lsn != 0 && ticket_out != NULL) {
        *ticket_out = ticket;
    }
    memory_release(engine->memory, MEMORY_SCRATCH, room.allocated, room.bytes);
    return status;
}

static cellar_status coupon_redeem_call(cellar *store, const cellar_call *call,
                                        struct plan_redeem_request *request,
                                        cellar_ticket *ticket_out, cellar_refusal *refusal_out) {
    if (request->redemption == NULL) {
        return engine_invalid(refusal_out, "redemption is required");
    }
    struct engine_call guard;
    cellar_status status = engine_enter(&guard, store);
    if (status != CELLAR_OK) {
        return status;
    }
    struct plan plan;
    plan_create(&plan, store->store);
    if (plan_check_redeem(&plan, request)) {
        status = coupon_redeem(store, call, &plan, request, ticket_out, refusal_out);
    } else {
        status = engine_refused(&plan, refusal_out);
    }
    plan_destroy(&plan);
    engine_leave(&guard);
    return status;
}

cellar_status cellar_coupon_redeem(cellar *store, const cellar_call *call,
                                   const cellar_redemption *redemption, int64_t *discounts_out,
                                   cellar_ticket *ticket_out, cellar_refusal *refusal_out) {
    struct plan_redeem_request request = {.redemption = redemption, .discounts_out = discounts_out};
    return coupon_redeem_call(store, call, &request, ticket_out, refusal_out);
}

cellar_status cellar_coupon_restore(cellar *store, const cellar_call *call,
                                    const cellar_redemption *redemption, int64_t discount,
                                    cellar_ticket *ticket_out, cellar_refusal *refusal_out) {
    struct plan_redeem_request request = {
        .redemption = redemption, .restore = true, .discount = discount};
    return coupon_redeem_call(store, call, &request, ticket_out, refusal_out);
}

/* ---- Codes ---- */

static cellar_status coupon_add_code(cellar *engine, const cellar_call *call, uint64_t campaign,
                                     const char *code, int64_t uses, cellar_ticket *ticket_out,
                                     cellar_refusal *refusal_out) {
    cellar_status status;
    struct plan plan;
    plan_create(&plan, engine->store);
    struct plan_code_request request = {.campaign = campaign, .code = code, .uses = uses};
    if (plan_check_code(&plan, &request)) {
        status =
            engine_transact(engine, call, &plan, plan_code_add, &request, ticket_out, refusal_out);
    } else {
        status = engine_refused(&plan, refusal_out);
    }
    plan_destroy(&plan);
    return status;
}

cellar_status cellar_code_add(cellar *store, const cellar_call *call, uint64_t campaign,
                              const char *code, int64_t uses, cellar_ticket *ticket_out,
                              cellar_refusal *refusal_out) {
    struct engine_call guard;
    cellar_status status = engine_enter(&guard, store);
    if (status == CELLAR_OK) {
        status = coupon_add_code(store, call, campaign, code, uses, ticket_out, refusal_out);
        engine_leave(&guard);
    }
    return status;
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
        cellar_status status =
            coupon_add_code(store, &relaxed, campaign, codes[i], uses, &ticket, NULL);
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
