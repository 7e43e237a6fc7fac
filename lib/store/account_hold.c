/* Holds of money. A hold is a document whose cell packs its state and its deadline; the account's
 * cell `held` is the sum of those that are open. What is held of which account, and what was paid,
 * follows the log into the document's entry. */
#include "store/account.h"

#include "base/assert.h"
#include "base/clock.h"

bool plan_check_account_hold(struct plan *plan, void *argument) {
    struct plan_hold_request *request = argument;
    const uint64_t numbers[3] = {request->account, (uint64_t)request->amount,
                                 (uint64_t)request->deadline_ns};
    request->fingerprint = hash_seeded(3, numbers, sizeof numbers);
    if (request->id.high == 0 && request->id.low == 0) {
        plan_invalid(plan, "id is required", CELLAR_NO_LINE);
        return false;
    }
    if (!account_check_id(plan, request->account) || !account_check_amount(plan, request->amount)) {
        return false;
    }
    if (request->deadline_ns < 0) {
        plan_invalid(plan, "deadline_ns: 0, or a time", CELLAR_NO_LINE);
        return false;
    }
    return true;
}

bool plan_check_account_hold_step(struct plan *plan, void *argument) {
    struct plan_hold_request *request = argument;
    const uint64_t numbers[3] = {(uint64_t)request->amount, request->to, request->state};
    request->fingerprint = hash_seeded(8, numbers, sizeof numbers);
    return request->state != CELLAR_ACCOUNT_HOLD_POSTED ||
           account_check_amount(plan, request->amount);
}

static bool hold_is_overdue(const struct plan *plan, int64_t deadline_ms) {
    return deadline_ms != 0 && plan->now_ns / NANOSECONDS_PER_MILLISECOND >= deadline_ms;
}

/* Below a millisecond the deadline would be no deadline. */
static int64_t hold_deadline_ms(int64_t deadline_ns) {
    int64_t deadline_ms = deadline_ns / NANOSECONDS_PER_MILLISECOND;
    return deadline_ns != 0 && deadline_ms == 0 ? 1 : deadline_ms;
}

enum plan_result plan_account_hold(struct plan *plan, void *argument) {
    const struct plan_hold_request *request = argument;
    int64_t deadline_ms = hold_deadline_ms(request->deadline_ns);
    uint32_t slot = 0;
    enum plan_result result =
        plan_document(plan, request->id, request->fingerprint,
                      store_document_value(CELLAR_ACCOUNT_HOLD_HELD, deadline_ms), &slot);
    if (result != PLAN_COMMIT) {
        return result;
    }
    if (hold_is_overdue(plan, deadline_ms)) {
        return plan_refuse(plan, CELLAR_HOLD_EXPIRED, CELLAR_NO_LINE);
    }
    struct account_view view;
    result = account_read(plan, request->account, 0, &view);
    if (result == PLAN_COMMIT) {
        result = account_spend(plan, &view, 0, -request->amount);
    }
    if (result == PLAN_COMMIT) {
        result = account_write_held(plan, &view, request->amount);
    }
    if (result != PLAN_COMMIT) {
        return result;
    }
    struct payload_hold *payload = plan_append(plan, sizeof *payload);
    if (payload == NULL) {
        return PLAN_NO_MEMORY;
    }
    *payload = (struct payload_hold){.id = request->id,
                                     .fingerprint = request->fingerprint,
                                     .account = request->account,
                                     .amount = request->amount,
                                     .deadline_ms = deadline_ms,
                                     .time_ns = plan->now_ns,
                                     .slot = slot};
    plan->ticket.remaining = view.room.value;
    plan->kind = STORE_ACCOUNT_HOLD;
    return PLAN_COMMIT;
}

/* ---- Steps ---- */

struct hold_step {
    struct store_order *entry;
    struct cell_content content; /* of the document's cell */
    uint64_t account;
    int64_t held;
    int64_t posted;
    uint64_t to;
    cellar_account_hold_state state; /* after it */
};

/* The hold's content, which follows the log. */
static enum plan_result hold_read(struct plan *plan, uint32_t slot, struct hold_step *step) {
    if (slot == 0) {
        return plan_refuse(plan, CELLAR_NOT_FOUND, CELLAR_NO_LINE);
    }
    /* Before the entry: the slot may be anyone's by now. */
    uint32_t cell = store_order_cell(slot);
    struct store_order *entry = &plan->store->orders[slot];
    step->entry = entry;
    step->content = plan_read(plan, cell);
    if (!store_state_is_account_hold(store_document_state(step->content.value))) {
        return plan_refuse(plan, CELLAR_NOT_FOUND, CELLAR_NO_LINE);
    }
    if (plan_is_pending(plan, cell)) {
        return plan_invalid(plan, "hold: made or ended in the same transaction", CELLAR_NO_LINE);
    }
    /* Acquire: pairs with the release in commit_advance_projected(). */
    if (ATOMIC_LOAD(&plan->store->commit->projected.lsn, acquire) <= step->content.version) {
        plan->wait_lsn = step->content.version;
        return PLAN_WAIT;
    }
    step->account = entry->customer;
    step->held = entry->total;
    return PLAN_COMMIT;
}

/* The hold is not open any more: is the step the one that was made? */
static enum plan_result hold_ended(struct plan *plan, const struct hold_step *step) {
    uint32_t state = store_document_state(step->content.value);
    bool same = step->state != CELLAR_ACCOUNT_HOLD_POSTED;
    if (step->state == CELLAR_ACCOUNT_HOLD_POSTED) {
        same = ATOMIC_LOAD(&step->entry->posted, relaxed) == step->posted &&
               ATOMIC_LOAD(&step->entry->account, relaxed) == step->to;
    }
    bool given_back = state != CELLAR_ACCOUNT_HOLD_POSTED;
    if (same && given_back == (step->state != CELLAR_ACCOUNT_HOLD_POSTED)) {
        plan->ticket.lsn = step->content.version;
        plan->ticket.time_ns = ATOMIC_LOAD(&step->entry->changed_ns, relaxed);
        plan->ticket.repeated = true;
        return PLAN_REPEATED;
    }
    if (state == CELLAR_ACCOUNT_HOLD_EXPIRED) {
        return plan_refuse(plan, CELLAR_HOLD_EXPIRED, CELLAR_NO_LINE);
    }
    plan->refusal.state = state;
    return plan_refuse(plan, CELLAR_ILLEGAL_STEP, CELLAR_NO_LINE);
}

/* The receiving side of a post. */
static enum plan_result hold_pay_to(struct plan *plan, const struct hold_step *step,
                                    const struct account_view *from) {
    struct account_view to;
    if (step->to == step->account) {
        return plan_invalid(plan, "to: another account than the hold's", CELLAR_NO_LINE);
    }
    enum plan_result result = account_read(plan, step->to, 1, &to);
    if (result == PLAN_COMMIT && to.currency != from->currency) {
        return account_refuse(plan, CELLAR_CURRENCY_MISMATCH, 1, step->to);
    }
    return result == PLAN_COMMIT ? account_receive(plan, &to, 1, step->posted) : result;
}

/* Takes it out of what is held, gives the rest back, and writes it down. */
static enum plan_result hold_end(struct plan *plan, const struct hold_step *step) {
    struct account_view view;
    if (!plan_write(
            plan, store_order_cell(step->entry->slot), step->content,
            store_document_value(step->state, store_document_deadline_ms(step->content.value)))) {
        return PLAN_NO_MEMORY;
    }
    enum plan_result result = account_read(plan, step->account, CELLAR_NO_LINE, &view);
    ASSERT(result == PLAN_COMMIT);
    if (step->to != 0) {
        result = hold_pay_to(plan, step, &view);
    }
    if (result == PLAN_COMMIT) {
        result = account_spend(plan, &view, CELLAR_NO_LINE, step->held - step->posted);
    }
    if (result == PLAN_COMMIT) {
        result = account_write_held(plan, &view, -step->held);
    }
    struct payload_hold_step *payload =
        result == PLAN_COMMIT ? plan_append(plan, sizeof *payload) : NULL;
    if (payload == NULL) {
        return result == PLAN_COMMIT ? PLAN_NO_MEMORY : result;
    }
    *payload = (struct payload_hold_step){.id = step->entry->id,
                                          .account = step->account,
                                          .to = step->to,
                                          .held = step->held,
                                          .posted = step->posted,
                                          .time_ns = plan->now_ns,
                                          .slot = step->entry->slot,
                                          .state = step->state};
    plan->ticket.remaining = account_balance(&view);
    plan->kind = STORE_ACCOUNT_HOLD_STEP;
    return PLAN_COMMIT;
}

enum plan_result plan_account_hold_step(struct plan *plan, void *argument) {
    const struct plan_hold_request *request = argument;
    bool posts = request->state == CELLAR_ACCOUNT_HOLD_POSTED;
    struct hold_step step = {.state = request->state,
                             .posted = posts ? request->amount : 0,
                             .to = posts ? request->to : 0};
    const struct store_order *entry = store_find_order(plan->store, request->id);
    enum plan_result result = hold_read(plan, entry == NULL ? 0 : entry->slot, &step);
    if (result != PLAN_COMMIT) {
        return result;
    }
    if (store_document_state(step.content.value) != CELLAR_ACCOUNT_HOLD_HELD) {
        return hold_ended(plan, &step);
    }
    if (posts && hold_is_overdue(plan, store_document_deadline_ms(step.content.value))) {
        return plan_refuse(plan, CELLAR_HOLD_EXPIRED, CELLAR_NO_LINE);
    }
    if (step.posted > step.held) {
        plan->refusal.available = step.held;
        plan->refusal.needed = step.posted;
        return account_refuse(plan, CELLAR_INSUFFICIENT_FUNDS, CELLAR_NO_LINE, step.account);
    }
    return hold_end(plan, &step);
}

enum plan_result plan_account_expire(struct plan *plan, void *argument) {
    const struct plan_hold_request *request = argument;
    struct hold_step step = {.state = CELLAR_ACCOUNT_HOLD_EXPIRED};
    ASSERT(request->slot != 0);
    ASSERT(request->slot < slots_end(&plan->store->order_slots));
    enum plan_result result = hold_read(plan, request->slot, &step);
    if (result != PLAN_COMMIT) {
        return result;
    }
    if (store_document_state(step.content.value) != CELLAR_ACCOUNT_HOLD_HELD ||
        !hold_is_overdue(plan, store_document_deadline_ms(step.content.value))) {
        plan->ticket.lsn = step.content.version;
        plan->ticket.repeated = true;
        return PLAN_REPEATED;
    }
    return hold_end(plan, &step);
}

/* ---- Applying ---- */

static enum store_apply_result hold_apply_begin(struct store *store,
                                                const struct store_part *part) {
    const struct payload_hold *payload = part->payload;
    struct store_order *entry;
    if (!deadlines_reserve(&store->deadlines)) {
        return STORE_APPLY_NO_MEMORY;
    }
    enum store_apply_result result =
        order_apply_entry(store, part->record, payload->id, payload->slot, &entry);
    if (result != STORE_APPLIED) {
        return result;
    }
    entry->placed_ns = payload->time_ns;
    entry->fingerprint = payload->fingerprint;
    entry->customer = payload->account;
    entry->total = payload->amount;
    if (payload->deadline_ms != 0) {
        if (!holds_add(store, entry)) {
            return STORE_APPLY_BROKEN;
        }
        deadlines_add(&store->deadlines, payload->deadline_ms, payload->slot);
    }
    ATOMIC_STORE(&entry->changed_ns, payload->time_ns, relaxed);
    ATOMIC_STORE(&entry->posted, 0, relaxed);
    /* Release: pairs with the acquire of whoever meets the document. */
    ATOMIC_STORE(&entry->placed_lsn, part->record->lsn, release);
    store->totals.account_holds++;
    store_sum(&store->totals.held, payload->amount);
    return STORE_APPLIED;
}

static enum store_apply_result hold_apply_end(struct store *store, const struct store_part *part) {
    const struct payload_hold_step *payload = part->payload;
    if (payload->slot >= slots_end(&store->order_slots)) {
        return STORE_APPLY_BROKEN;
    }
    struct store_order *entry = &store->orders[payload->slot];
    if (ATOMIC_LOAD(&entry->placed_lsn, relaxed) == 0 || entry->id.high != payload->id.high ||
        entry->id.low != payload->id.low || entry->customer != payload->account ||
        entry->total != payload->held) {
        return STORE_APPLY_BROKEN;
    }
    const struct record_update *ended = record_find(part->record, store_order_cell(payload->slot));
    if (store_document_deadline_ms(ended->old_value) != 0 && !holds_remove(store, entry)) {
        return STORE_APPLY_BROKEN;
    }
    ATOMIC_STORE(&entry->posted, payload->posted, relaxed);
    ATOMIC_STORE(&entry->account, payload->to, relaxed);
    ATOMIC_STORE(&entry->changed_ns, payload->time_ns, relaxed);
    closed_add(store, entry);
    store->totals.account_holds--;
    store_sum(&store->totals.held, -payload->held);
    return STORE_APPLIED;
}

enum store_apply_result account_hold_apply(struct store *store, const struct store_part *part) {
    return part->kind == STORE_ACCOUNT_HOLD ? hold_apply_begin(store, part)
                                            : hold_apply_end(store, part);
}
