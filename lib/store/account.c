/* Accounts: what may be spent in one cell, so that a debit asks only that it stays at or above
 * zero; the floor and what is held in two more, guarded by the version of the first.
 *
 * A collecting account that is paid is not among the cells of the payment. The thread that follows
 * the log adds up what such accounts were paid (account_apply_payment()), and a commit of its own
 * moves it into the cell (plan_account_settle()). It cannot be moved twice: a second cell says how
 * much was, ever, and changes in the same commit. */
#include "store/account.h"

#include "base/probe.h"

/* ---- Checking a request ---- */

bool account_check_id(struct plan *plan, uint64_t account) {
    if (account == 0) {
        plan_invalid(plan, "account: ids begin at 1", CELLAR_NO_LINE);
    }
    return account != 0;
}

bool account_check_amount(struct plan *plan, int64_t amount) {
    bool right = amount > 0 && amount <= CELLAR_AMOUNT_MAX;
    if (!right) {
        plan_invalid(plan, "amount: from 1 to CELLAR_AMOUNT_MAX", CELLAR_NO_LINE);
    }
    return right;
}

bool plan_check_account_floor(struct plan *plan, void *argument) {
    struct plan_account_request *request = argument;
    const uint64_t numbers[5] = {request->account, (uint64_t)request->amount, request->expected,
                                 request->currency, request->collecting};
    request->fingerprint = hash_seeded(7, numbers, sizeof numbers);
    if (!account_check_id(plan, request->account)) {
        return false;
    }
    bool right = request->amount <= 0 && request->amount >= -CELLAR_AMOUNT_MAX;
    if (!right) {
        plan_invalid(plan, "floor: from -CELLAR_AMOUNT_MAX to 0", CELLAR_NO_LINE);
    }
    return right;
}

bool plan_check_account_open(struct plan *plan, void *argument) {
    return plan_check_account_floor(plan, argument);
}

bool plan_check_account_settle(struct plan *plan, void *argument) {
    const struct plan_account_request *request = argument;
    return account_check_id(plan, request->account);
}

bool plan_check_account_entry(struct plan *plan, void *argument) {
    struct plan_account_request *request = argument;
    const uint64_t numbers[4] = {request->kind, request->account, request->to,
                                 (uint64_t)request->amount};
    request->fingerprint = hash_seeded(2, numbers, sizeof numbers);
    if (!account_check_id(plan, request->account) || !account_check_amount(plan, request->amount)) {
        return false;
    }
    if (request->kind == PAYLOAD_TRANSFER && request->to == request->account) {
        plan_invalid(plan, "to: another account than from", CELLAR_NO_LINE);
        return false;
    }
    if (request->kind == PAYLOAD_TRANSFER && request->to == 0) {
        plan_invalid(plan, "to: ids begin at 1", CELLAR_NO_LINE);
        return false;
    }
    return true;
}

/* ---- Cells ---- */

static void account_read_cells(struct plan *plan, struct account_view *view) {
    uint32_t slot = view->account->slot;
    struct cell_content before;
    view->room = plan_read(plan, store_account_cell(slot));
    /* All as of one instant: a refusal is not checked by any commit. Another round means that
     * somebody else has changed the account. */
    do {
        before = view->room;
        view->floor = plan_read(plan, store_floor_cell(slot));
        view->held = plan_read(plan, store_held_cell(slot));
        PROBE("account-cells", slot);
        int64_t terms = plan_read(plan, store_terms_cell(slot)).value;
        view->currency = (uint32_t)terms;
        view->collecting = (terms & STORE_TERMS_COLLECTING) != 0;
        view->settled = view->collecting ? plan_read(plan, store_settled_cell(slot))
                                         : (struct cell_content){0, 0};
        view->room = plan_read(plan, store_account_cell(slot));
    } while (view->room.version != before.version);
}

/* It has been opened, by this plan or before. */
static bool account_is_open(const struct plan *plan, const struct account_view *view) {
    return view->room.version != 0 ||
           plan_is_pending(plan, store_account_cell(view->account->slot));
}

enum plan_result account_refuse(struct plan *plan, cellar_status status, uint32_t line,
                                uint64_t id) {
    plan->refusal.account = id;
    return plan_refuse(plan, status, line);
}

enum plan_result account_read(struct plan *plan, uint64_t id, uint32_t line,
                              struct account_view *view_out) {
    *view_out = (struct account_view){.account = plan_find_account(plan, id)};
    if (view_out->account == NULL) {
        return account_refuse(plan, CELLAR_NOT_FOUND, line, id);
    }
    account_read_cells(plan, view_out);
    return account_is_open(plan, view_out) ? PLAN_COMMIT
                                           : account_refuse(plan, CELLAR_NOT_FOUND, line, id);
}

/* What a settlement would add: all that was collected and is known of, as far as the balance has
 * room for it. */
static int64_t account_collected(const struct plan *plan, const struct account_view *view) {
    if (!view->collecting) {
        return 0;
    }
    int64_t unsettled = store_unsettled(plan->store, view->account->slot, view->settled.value);
    int64_t limit = CELLAR_AMOUNT_MAX - account_balance(view);
    return unsettled < limit ? unsettled : limit;
}

/* True, once in a call: what was committed before is to be known first. */
static bool account_wait_collected(struct plan *plan) {
    if (plan->collected_lsn != 0) {
        return false;
    }
    /* Acquire: pairs with the reservation of whatever the caller has seen committed. */
    plan->collected_lsn = ATOMIC_LOAD(&plan->store->commit->reserved.lsn, acquire);
    plan->wait_lsn = plan->collected_lsn - RECORD_LINE_BYTES;
    return true;
}

/* `needed` is more than may be spent. PLAN_COMMIT: in a trial, it would be there. */
static enum plan_result account_short(struct plan *plan, const struct account_view *view,
                                      uint32_t line, int64_t needed) {
    int64_t collected = account_collected(plan, view);
    if (collected > 0 && view->room.value + collected >= needed) {
        plan->settle_account = view->account->id;
        return plan->trial ? PLAN_COMMIT : PLAN_SETTLE;
    }
    if (view->collecting && !plan->trial && account_wait_collected(plan)) {
        return PLAN_WAIT;
    }
    plan->refusal.available = view->room.value + collected;
    plan->refusal.needed = needed;
    plan->short_account = (struct plan_short){view->account->slot, view->room.version};
    return account_refuse(plan, CELLAR_INSUFFICIENT_FUNDS, line, view->account->id);
}

enum plan_result account_spend(struct plan *plan, struct account_view *view, uint32_t line,
                               int64_t delta) {
    int64_t left = view->room.value + delta;
    if (left < 0) {
        enum plan_result result = account_short(plan, view, line, -delta);
        if (result != PLAN_COMMIT) {
            return result;
        }
    }
    if (!plan_write(plan, store_account_cell(view->account->slot), view->room, left)) {
        return PLAN_NO_MEMORY;
    }
    view->room.value = left;
    return PLAN_COMMIT;
}

enum plan_result account_write_held(struct plan *plan, struct account_view *view, int64_t delta) {
    int64_t held = view->held.value + delta;
    if (held < 0) {
        /* The hold has ended since its document was read: as if that commit had come first. */
        plan->wait_lsn = 0;
        return PLAN_WAIT;
    }
    if (!plan_write(plan, store_held_cell(view->account->slot), view->held, held)) {
        return PLAN_NO_MEMORY;
    }
    view->held.value = held;
    return PLAN_COMMIT;
}

/* As far as is known: what is on the way comes on top, and a settlement moves no more than there is
 * room for. */
static bool account_collects(const struct plan *plan, const struct account_view *view,
                             int64_t amount) {
    int64_t balance = account_balance(view);
    /* Far from full: no need to look at what all the others change. Relaxed: a hint. */
    if (!ATOMIC_LOAD(&view->account->brimming, relaxed) &&
        balance + amount <= CELLAR_AMOUNT_MAX - STORE_BRIM) {
        return true;
    }
    int64_t unsettled = store_unsettled(plan->store, view->account->slot, view->settled.value);
    return unsettled <= CELLAR_AMOUNT_MAX && balance + unsettled + amount <= CELLAR_AMOUNT_MAX;
}

enum plan_result account_receive(struct plan *plan, struct account_view *view, uint32_t line,
                                 int64_t amount) {
    if (view->collecting) {
        return account_collects(plan, view, amount)
                   ? PLAN_COMMIT
                   : account_refuse(plan, CELLAR_OVERFLOW, line, view->account->id);
    }
    if (account_balance(view) + amount > CELLAR_AMOUNT_MAX) {
        return account_refuse(plan, CELLAR_OVERFLOW, line, view->account->id);
    }
    return account_spend(plan, view, line, amount);
}

/* ---- Payments ---- */

static enum plan_result account_pay(struct plan *plan, struct plan_payment *payment) {
    struct account_view from;
    struct account_view to;
    enum plan_result result = PLAN_COMMIT;
    if (payment->from != 0) {
        result = account_read(plan, payment->from, payment->from_line, &from);
    }
    if (result == PLAN_COMMIT && payment->to != 0) {
        result = account_read(plan, payment->to, payment->to_line, &to);
    }
    if (result == PLAN_COMMIT && payment->from != 0 && payment->to != 0) {
        if (payment->from == payment->to) {
            return plan_invalid(plan, "to: another account than the one that pays",
                                payment->to_line);
        }
        if (from.currency != to.currency) {
            return account_refuse(plan, CELLAR_CURRENCY_MISMATCH, payment->to_line, payment->to);
        }
    }
    if (result == PLAN_COMMIT && payment->from != 0) {
        result = account_spend(plan, &from, payment->from_line, -payment->amount);
        payment->remaining = account_balance(&from);
    }
    if (result == PLAN_COMMIT && payment->to != 0) {
        result = account_receive(plan, &to, payment->to_line, payment->amount);
        if (payment->from == 0) {
            payment->remaining = to.collecting ? 0 : account_balance(&to);
        }
    }
    return result;
}

enum plan_result plan_account_payment(struct plan *plan, struct plan_payment *payment) {
    if (payment->amount >= 0) {
        return account_pay(plan, payment);
    }
    struct plan_payment back = {.from = payment->to,
                                .to = payment->from,
                                .amount = -payment->amount,
                                .from_line = payment->to_line,
                                .to_line = payment->from_line};
    enum plan_result result = account_pay(plan, &back);
    payment->remaining = back.remaining;
    return result;
}

enum plan_result plan_account_exists(struct plan *plan, uint64_t id, uint32_t line) {
    struct account_view view;
    return account_read(plan, id, line, &view);
}

/* ---- The calls ---- */

static int64_t account_terms(const struct plan_account_request *request) {
    return (int64_t)request->currency | (request->collecting ? STORE_TERMS_COLLECTING : 0);
}

static enum plan_result account_open_again(struct plan *plan, const struct account_view *view,
                                           const struct plan_account_request *request) {
    if (view->room.version == 0) {
        return plan_invalid(plan, "account: opened twice in one transaction", CELLAR_NO_LINE);
    }
    plan->ticket.lsn = view->room.version;
    plan->ticket.repeated = true;
    plan->refusal.version = view->room.version;
    bool same = view->floor.value == request->amount && view->currency == request->currency &&
                view->collecting == request->collecting;
    return same ? PLAN_REPEATED : plan_refuse(plan, CELLAR_ALREADY_EXISTS, CELLAR_NO_LINE);
}

enum plan_result plan_account_open(struct plan *plan, void *argument) {
    const struct plan_account_request *request = argument;
    struct account_view view = {.account = store_ensure_account(plan->store, request->account)};
    if (view.account == NULL) {
        return plan_refuse(plan, CELLAR_STORE_FULL, CELLAR_NO_LINE);
    }
    account_read_cells(plan, &view);
    if (account_is_open(plan, &view)) {
        return account_open_again(plan, &view, request);
    }
    const int64_t values[STORE_ACCOUNT_CELLS] = {
        [STORE_ACCOUNT_ROOM] = -request->amount,
        [STORE_ACCOUNT_FLOOR_PART] = request->amount,
        [STORE_ACCOUNT_HELD] = 0,
        [STORE_ACCOUNT_TERMS] = account_terms(request),
    };
    uint32_t slot = view.account->slot;
    for (uint32_t i = 0; i < STORE_ACCOUNT_CELLS; i++) {
        uint32_t cell = store_account_part_cell(slot, (enum store_account_part)i);
        if (!plan_write(plan, cell, (struct cell_content){0, 0}, values[i])) {
            return PLAN_NO_MEMORY;
        }
    }
    struct payload_account *payload = plan_append(plan, sizeof *payload);
    if (payload == NULL) {
        return PLAN_NO_MEMORY;
    }
    *payload = (struct payload_account){.account = request->account,
                                        .slot = slot,
                                        .currency = request->currency,
                                        .collecting = request->collecting};
    plan->kind = STORE_ACCOUNT_OPEN;
    return PLAN_COMMIT;
}

enum plan_result plan_account_floor(struct plan *plan, void *argument) {
    const struct plan_account_request *request = argument;
    struct account_view view;
    enum plan_result result = account_read(plan, request->account, CELLAR_NO_LINE, &view);
    if (result != PLAN_COMMIT) {
        return result;
    }
    if (request->expected != CELLAR_VERSION_ANY && request->expected != view.room.version) {
        plan->refusal.version = view.room.version;
        return plan_refuse(plan, CELLAR_VERSION_CHANGED, CELLAR_NO_LINE);
    }
    /* A higher floor takes as much of what may be spent. */
    result = account_spend(plan, &view, CELLAR_NO_LINE, view.floor.value - request->amount);
    if (result == PLAN_REFUSED) {
        plan->refusal.available += view.floor.value;
        plan->refusal.needed = request->amount;
    }
    if (result != PLAN_COMMIT) {
        return result;
    }
    struct payload_account *payload = plan_append(plan, sizeof *payload);
    if (payload == NULL ||
        !plan_write(plan, store_floor_cell(view.account->slot), view.floor, request->amount)) {
        return PLAN_NO_MEMORY;
    }
    view.floor.value = request->amount;
    *payload = (struct payload_account){.account = request->account, .slot = view.account->slot};
    plan->ticket.remaining = account_balance(&view);
    plan->kind = STORE_ACCOUNT_FLOOR;
    return PLAN_COMMIT;
}

enum plan_result plan_account_entry(struct plan *plan, void *argument) {
    const struct plan_account_request *request = argument;
    uint32_t slot = 0;
    if (request->id.high != 0 || request->id.low != 0) {
        enum plan_result result =
            plan_document(plan, request->id, request->fingerprint, STORE_STATE_OTHER, &slot);
        if (result != PLAN_COMMIT) {
            return result;
        }
    }
    uint32_t start = plan->payload_bytes;
    struct payload_document *document = plan_append(plan, sizeof *document);
    if (document == NULL) {
        return PLAN_NO_MEMORY;
    }
    *document = (struct payload_document){.id = request->id,
                                          .fingerprint = request->fingerprint,
                                          .customer = request->to,
                                          .total = request->amount,
                                          .time_ns = plan->now_ns,
                                          .slot = slot,
                                          .type = (uint8_t)request->kind};
    if (plan_number(plan, start, PAYLOAD_ACCOUNT, request->account) != PLAN_COMMIT) {
        return PLAN_NO_MEMORY;
    }
    bool credit = request->kind == PAYLOAD_CREDIT;
    struct plan_payment payment = {.from = credit ? 0 : request->account,
                                   .to = credit ? request->account : request->to,
                                   .amount = request->amount,
                                   .to_line = credit ? 0 : 1};
    enum plan_result result = plan_account_payment(plan, &payment);
    plan->ticket.remaining = payment.remaining;
    plan->kind = STORE_ACCOUNT_ENTRY;
    return result;
}

enum plan_result plan_account_settle(struct plan *plan, void *argument) {
    const struct plan_account_request *request = argument;
    struct account_view view;
    if (account_wait_collected(plan)) {
        return PLAN_WAIT;
    }
    enum plan_result result = account_read(plan, request->account, CELLAR_NO_LINE, &view);
    if (result != PLAN_COMMIT) {
        return result;
    }
    if (!view.collecting) {
        return plan_invalid(plan, "account: not a collecting one", CELLAR_NO_LINE);
    }
    int64_t amount = account_collected(plan, &view);
    if (amount == 0) {
        plan->ticket.lsn = view.room.version;
        plan->ticket.remaining = account_balance(&view);
        plan->ticket.repeated = true;
        return PLAN_REPEATED;
    }
    struct payload_settle *payload = plan_append(plan, sizeof *payload);
    int64_t settled = (int64_t)((uint64_t)view.settled.value + (uint64_t)amount);
    if (payload == NULL ||
        !plan_write(plan, store_settled_cell(view.account->slot), view.settled, settled)) {
        return PLAN_NO_MEMORY;
    }
    *payload = (struct payload_settle){
        .account = request->account, .amount = amount, .slot = view.account->slot};
    result = account_spend(plan, &view, CELLAR_NO_LINE, amount);
    plan->ticket.remaining = account_balance(&view);
    plan->kind = STORE_ACCOUNT_SETTLE;
    return result;
}
