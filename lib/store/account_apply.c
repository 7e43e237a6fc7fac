/* What follows from the records of accounts: entries, totals, and what collecting accounts have
 * collected. One thread, in LSN order. */
#include "store/store.h"

static bool account_check_slot(const struct store_part *part, uint32_t slot) {
    return record_find(part->record, store_account_cell(slot)) != NULL;
}

/* A hold or its step changes the hold's document, to the state it says. */
static bool account_check_document(const struct store_part *part, cellar_id id, uint32_t slot,
                                   bool begins, uint32_t state) {
    const struct record_update *update =
        slot == 0 ? NULL : record_find(part->record, store_order_cell(slot));
    return update != NULL && (id.high != 0 || id.low != 0) &&
           store_document_state(update->new_value) == state &&
           store_document_state(update->old_value) == (begins ? 0 : CELLAR_ACCOUNT_HOLD_HELD);
}

static bool account_check_amount(int64_t amount) {
    return amount > 0 && amount <= CELLAR_AMOUNT_MAX;
}

static bool account_check_open(const struct store_part *part) {
    const struct payload_account *payload = part->payload;
    return part->bytes == sizeof *payload && payload->collecting <= 1;
}

static bool account_check_settle(const struct store_part *part) {
    const struct payload_settle *payload = part->payload;
    return part->bytes == sizeof *payload && account_check_amount(payload->amount) &&
           account_check_slot(part, payload->slot) &&
           record_find(part->record, store_settled_cell(payload->slot)) != NULL;
}

static bool account_check_hold(const struct store_part *part) {
    const struct payload_hold *payload = part->payload;
    return part->bytes == sizeof *payload && account_check_amount(payload->amount) &&
           payload->deadline_ms >= 0 && payload->deadline_ms <= STORE_DEADLINE_MS_MAX &&
           account_check_document(part, payload->id, payload->slot, true, CELLAR_ACCOUNT_HOLD_HELD);
}

static bool account_check_hold_step(const struct store_part *part) {
    const struct payload_hold_step *payload = part->payload;
    bool posted = payload->state == CELLAR_ACCOUNT_HOLD_POSTED;
    return part->bytes == sizeof *payload && account_check_amount(payload->held) &&
           payload->state >= CELLAR_ACCOUNT_HOLD_POSTED &&
           payload->state <= CELLAR_ACCOUNT_HOLD_EXPIRED &&
           (posted ? payload->posted > 0 && payload->posted <= payload->held
                   : payload->posted == 0 && payload->to == 0) &&
           account_check_document(part, payload->id, payload->slot, false, payload->state);
}

bool account_check_part(const struct store *store, const struct store_part *part) {
    (void)store;
    switch (part->kind) {
    case STORE_ACCOUNT_SETTLE:
        return account_check_settle(part);
    case STORE_ACCOUNT_HOLD:
        return account_check_hold(part);
    case STORE_ACCOUNT_HOLD_STEP:
        return account_check_hold_step(part);
    default:
        return account_check_open(part);
    }
}

/* ---- Payments ---- */

static void account_note_brim(struct store_account *account,
                              const struct store_collected *collected) {
    uint64_t unsettled = ATOMIC_LOAD(&collected->sum, relaxed) - collected->settled;
    bool brimming = unsettled > STORE_BRIM;
    if (brimming != ATOMIC_LOAD(&account->brimming, relaxed)) {
        ATOMIC_STORE(&account->brimming, brimming, relaxed);
    }
}

static void account_payment_of_entry(const struct store_part *part,
                                     struct store_payment *payment_out) {
    const struct payload_document *document = part->payload;
    struct content content;
    content_of(&content, document, part->bytes);
    bool credit = document->type == PAYLOAD_CREDIT;
    *payment_out =
        (struct store_payment){.from = credit ? 0 : content.account,
                               .to = credit                               ? content.account
                                     : document->type == PAYLOAD_TRANSFER ? document->customer
                                                                          : 0,
                               .amount = document->total};
}

/* From the account (`debit` > 0) or to it; to or from the payee, or 0: outside. */
static void account_payment_of_order(uint64_t account, uint64_t payee, int64_t debit,
                                     struct store_payment *payment_out) {
    *payment_out = debit >= 0
                       ? (struct store_payment){.from = account, .to = payee, .amount = debit}
                       : (struct store_payment){.from = payee, .to = account, .amount = -debit};
}

bool account_payment_of(const struct store_part *part, struct store_payment *payment_out) {
    switch (part->kind) {
    case STORE_ACCOUNT_ENTRY:
        account_payment_of_entry(part, payment_out);
        break;
    case STORE_ACCOUNT_HOLD_STEP: {
        const struct payload_hold_step *step = part->payload;
        *payment_out =
            (struct store_payment){.from = step->account, .to = step->to, .amount = step->posted};
        break;
    }
    case STORE_ORDER_PLACE:
    case STORE_ORDER_RETURN: {
        const struct payload_document *document = part->payload;
        bool placed = part->kind == STORE_ORDER_PLACE;
        if ((document->flags & PAYLOAD_ACCOUNT) == 0 ||
            (placed && document->type == CELLAR_ORDER_PLACED)) {
            return false;
        }
        struct content content;
        content_of(&content, document, part->bytes);
        account_payment_of_order(content.account, content.payee,
                                 placed ? document->total : -document->total, payment_out);
        break;
    }
    case STORE_ORDER_STEP: {
        const struct payload_step *step = part->payload;
        if (step->account == 0) {
            return false;
        }
        account_payment_of_order(step->account, payload_step_payee(step),
                                 step->event == CELLAR_EVENT_PAY ? step->amount : -step->amount,
                                 payment_out);
        break;
    }
    default:
        return false;
    }
    return payment_out->amount != 0;
}

int64_t account_record_pays(const struct record_header *record, uint64_t account) {
    struct store_payment payment;
    struct store_parts parts;
    int64_t sum = 0;
    if (parts_begin(&parts, record)) {
        do {
            if (account_payment_of(&parts.next, &payment) && payment.to == account) {
                store_sum(&sum, payment.amount);
            }
        } while (parts_next(&parts));
    }
    return sum;
}

bool account_reserve_payment(struct store *store, uint64_t lsn, struct store_payment *payment) {
    if (payment->to == 0) {
        return true;
    }
    struct store_account *account = store_find_account(store, payment->to);
    if (account == NULL || !account->collecting) {
        return true;
    }
    payment->collector = account;
    return collected_reserve(&store->collected[account->slot], store->memory, lsn);
}

void account_apply_payment(struct store *store, uint64_t lsn, const struct store_payment *payment) {
    cellar_totals *totals = &store->totals;
    if (payment->from == 0 && payment->to != 0) {
        store_sum(&totals->credited, payment->amount);
        store_sum(&totals->balances, payment->amount);
    } else if (payment->from != 0 && payment->to == 0) {
        store_sum(&totals->debited, payment->amount);
        store_sum(&totals->balances, -payment->amount);
    }
    if (payment->collector != NULL) {
        struct store_collected *collected = &store->collected[payment->collector->slot];
        collected_add(collected, lsn, payment->amount);
        account_note_brim(payment->collector, collected);
        store_sum(&totals->unsettled, payment->amount);
    }
}

/* ---- Records ---- */

static enum store_apply_result account_restore(struct store *store, const struct store_part *part) {
    const struct payload_account *payload = part->payload;
    if (!slots_raise(&store->account_slots, payload->slot)) {
        return STORE_APPLY_LIMIT;
    }
    struct store_account *account = &store->accounts[payload->slot];
    if (!account_check_slot(part, payload->slot)) {
        return STORE_APPLY_BROKEN;
    }
    account->collecting = payload->collecting != 0;
    if (account->slot != 0) {
        return account->id == payload->account ? STORE_APPLIED : STORE_APPLY_BROKEN;
    }
    account->id = payload->account;
    account->slot = payload->slot;
    uint64_t hash = store_hash_number(store, account->id);
    uint32_t found = table_add(&store->account_table, hash, &account->id, payload->slot);
    return found == payload->slot ? STORE_APPLIED : STORE_APPLY_BROKEN;
}

static enum store_apply_result account_apply_settle(struct store *store,
                                                    const struct store_part *part) {
    const struct payload_settle *payload = part->payload;
    if (payload->slot == 0 || payload->slot >= slots_end(&store->account_slots)) {
        return STORE_APPLY_BROKEN;
    }
    struct store_account *account = &store->accounts[payload->slot];
    struct store_collected *collected = &store->collected[payload->slot];
    const struct record_update *settled =
        record_find(part->record, store_settled_cell(payload->slot));
    /* What is settled was collected by records before this one. */
    if (account->id != payload->account || !account->collecting ||
        store_unsettled(store, payload->slot, settled->new_value) < 0) {
        return STORE_APPLY_BROKEN;
    }
    collected->settled = (uint64_t)settled->new_value;
    account_note_brim(account, collected);
    store_sum(&store->totals.unsettled, -payload->amount);
    return STORE_APPLIED;
}

static enum store_apply_result account_apply_entry(struct store *store,
                                                   const struct store_part *part) {
    const struct payload_document *document = part->payload;
    if (document->type < PAYLOAD_CREDIT || document->type > PAYLOAD_TRANSFER) {
        return STORE_APPLY_BROKEN;
    }
    return order_apply_document(store, part, document, STORE_STATE_OTHER, 0);
}

enum store_apply_result account_apply(struct store *store, const struct store_part *part) {
    switch (part->kind) {
    case STORE_ACCOUNT_OPEN: {
        enum store_apply_result result = account_restore(store, part);
        store->totals.accounts += result == STORE_APPLIED;
        return result;
    }
    case STORE_ACCOUNT_ENTRY:
        return account_apply_entry(store, part);
    case STORE_ACCOUNT_SETTLE:
        return account_apply_settle(store, part);
    default: /* the floor is in its cells */
        return STORE_APPLIED;
    }
}
