/* Several operations in one commit (D2). Each is planned as if it were alone, into the same plan:
 * it reads what those before it are going to write. */
#include "store/compose.h"

#include "base/assert.h"

#include <string.h>

bool plan_check_compose(struct plan *plan, void *argument) {
    struct plan_compose_request *request = argument;
    if (request->from == NULL || request->count == 0 || request->count > CELLAR_STEPS_MAX) {
        plan_invalid(plan, "count: 1 to 64 operations", CELLAR_NO_LINE);
        return false;
    }
    request->fingerprint = 4;
    for (uint32_t i = 0; i < request->count; i++) {
        struct plan_operation *made = &request->operations[i];
        made->from = &request->from[i];
        if (!plan_check_operation(plan, made)) {
            plan->refusal.step = i;
            return false;
        }
        /* What tells one operation from another: kind, content, its own id. */
        const uint64_t numbers[4] = {(uint64_t)made->from->kind, *made->fingerprint, made->id.high,
                                     made->id.low};
        uint64_t hash = hash_seeded(5, numbers, sizeof numbers);
        request->fingerprint = hash_seeded(request->fingerprint, &hash, sizeof hash);
    }
    return true;
}

/* ---- What was done before ---- */

/* The operations that were found done. */
struct compose_repeats {
    uint32_t count;
    uint32_t first; /* the first of them */
    bool named;     /* it has an id */
    uint64_t first_lsn;
    uint64_t named_lsn; /* the commit of those with an id; 0: none so far */
    cellar_ticket ticket;
};

static bool compose_is_named(const struct plan_operation *operation) {
    return operation->id.high != 0 || operation->id.low != 0;
}

/* Some, or some parts, of the transaction were done before. A refusal is checked by no commit: what
 * was planned before may have been done since, by the very same transaction in flight twice. */
static enum plan_result compose_refuse_partly(struct plan *plan, uint32_t step, bool named,
                                              uint64_t lsn) {
    if (!plan_changes_stand(plan, 0, CELL_CLASS_COUNT)) {
        plan->wait_lsn = 0;
        return PLAN_WAIT;
    }
    plan->refusal = (cellar_refusal){.step = step, .version = lsn};
    return plan_refuse(plan, named ? CELLAR_ID_REUSED : CELLAR_ALREADY_EXISTS, CELLAR_NO_LINE);
}

/* `done` is the operation's own ticket. */
static enum plan_result compose_note_repeated(struct plan *plan, struct compose_repeats *repeats,
                                              bool named, uint32_t step,
                                              const cellar_ticket *done) {
    uint64_t lsn = done->lsn;
    if (named && repeats->named_lsn != 0 && repeats->named_lsn != lsn) {
        return compose_refuse_partly(plan, step, true, lsn);
    }
    if (repeats->count++ == 0) {
        repeats->first = step;
        repeats->named = named;
        repeats->first_lsn = lsn;
    }
    bool latest = repeats->named_lsn == 0 && lsn >= repeats->ticket.lsn;
    if (named || latest) {
        repeats->ticket = (cellar_ticket){.lsn = lsn, .time_ns = done->time_ns};
    }
    repeats->named_lsn = named ? lsn : repeats->named_lsn;
    return PLAN_COMMIT;
}

/* ---- Planning ---- */

/* One operation as a part of the payload. What was done before leaves nothing in the plan. A
 * location that is to be opened reads as empty, and waits for what the other steps say: a refusal
 * opens nothing. */
static enum plan_result compose_plan_part(struct plan *plan, struct plan_operation *operation) {
    uint32_t at = plan->payload_bytes;
    if (plan_append(plan, sizeof(struct payload_part)) == NULL) {
        return PLAN_NO_MEMORY;
    }
    plan->step_first = plan->change_count;
    plan->fetched = NULL;
    plan->found = NULL;
    enum plan_result result = plan_operation(plan, operation);
    if (result == PLAN_REPEATED) {
        plan->change_count = plan->step_first;
        plan->payload_bytes = at;
    }
    if (result != PLAN_COMMIT && result != PLAN_OPEN_STOCK) {
        return result;
    }
    const struct payload_part part = {.kind = plan->kind,
                                      .bytes = plan->payload_bytes - at - (uint32_t)sizeof part};
    memcpy(plan->payload + at, &part, sizeof part);
    uint32_t padding = part_aligned(part.bytes) - part.bytes;
    /* Room ends where parts may begin. */
    void *behind = plan_append(plan, padding);
    ASSERT(behind != NULL);
    if (padding != 0) {
        memset(behind, 0, padding);
    }
    return result;
}

/* All of them, or what was done before: PLAN_REPEATED when that is everything. */
static enum plan_result compose_plan_parts(struct plan *plan,
                                           struct plan_compose_request *request) {
    struct compose_repeats repeats = {.count = 0};
    bool opens = false;
    for (uint32_t i = 0; i < request->count; i++) {
        enum plan_result result = compose_plan_part(plan, &request->operations[i]);
        if (result == PLAN_REPEATED) {
            const cellar_ticket done = plan->ticket;
            plan->ticket = (cellar_ticket){0};
            plan->refusal = (cellar_refusal){.line = CELLAR_NO_LINE};
            result = compose_note_repeated(plan, &repeats,
                                           compose_is_named(&request->operations[i]), i, &done);
        }
        opens = opens || result == PLAN_OPEN_STOCK;
        if (result != PLAN_COMMIT && result != PLAN_OPEN_STOCK) {
            plan->refusal.step = i;
            return result;
        }
    }
    if (repeats.count == 0) {
        return opens ? PLAN_OPEN_STOCK : PLAN_COMMIT;
    }
    if (repeats.count != request->count) {
        return compose_refuse_partly(plan, repeats.first, repeats.named, repeats.first_lsn);
    }
    plan->ticket = repeats.ticket;
    plan->ticket.repeated = true;
    return PLAN_REPEATED;
}

enum plan_result plan_compose(struct plan *plan, void *argument) {
    struct plan_compose_request *request = argument;
    uint32_t slot = 0;
    plan->composed = true;
    if (request->id.high != 0 || request->id.low != 0) {
        enum plan_result result =
            plan_document(plan, request->id, request->fingerprint, STORE_STATE_OTHER, &slot);
        if (result != PLAN_COMMIT) {
            return result;
        }
    }
    /* The first of the payload always has room. */
    struct payload_composed *composed = plan_append(plan, sizeof *composed);
    ASSERT(composed != NULL);
    *composed = (struct payload_composed){.id = request->id,
                                          .fingerprint = request->fingerprint,
                                          .time_ns = plan->now_ns,
                                          .slot = slot,
                                          .part_count = (uint32_t)request->count};
    enum plan_result result = compose_plan_parts(plan, request);
    plan->kind = STORE_COMPOSED;
    plan->ticket.remaining = 0;
    return result;
}
