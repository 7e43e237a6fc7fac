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
           payload->deadline_ms >= 0 &&
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

static void account_collect(struct store *store, uint64_t id, int64_t amount) {
    struct store_account *account = store_find_account(store, id);
    if (account == NULL || !account->collecting) {
        return;
    }
    struct store_collected *collected = &store->collected[account->slot];
    /* One thread writes. Release: pairs with the acquire in store_unsettled(). */
    uint64_t sum = ATOMIC_LOAD(&collected->sum, relaxed) + (uint64_t)amount;
    ATOMIC_STORE(&collected->sum, sum, release);
    account_note_brim(account, collected);
    store_sum(&store->totals.unsettled, amount);
}

void account_apply_payment(struct store *store, uint64_t from, uint64_t to, int64_t amount) {
    if (amount < 0) {
        account_apply_payment(store, to, from, -amount);
        return;
    }
    cellar_totals *totals = &store->totals;
    if (from == 0 && to != 0) {
        store_sum(&totals->credited, amount);
        store_sum(&totals->balances, amount);
    } else if (from != 0 && to == 0) {
        store_sum(&totals->debited, amount);
        store_sum(&totals->balances, -amount);
    }
    if (to != 0 && amount != 0) {
        account_collect(store, to, amount);
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
    enum store_apply_result result = order_apply_document(store, part, document, STORE_STATE_OTHER);
    if (result != STORE_APPLIED) {
        return result;
    }
    bool credit = document->type == PAYLOAD_CREDIT;
    bool transfer = document->type == PAYLOAD_TRANSFER;
    account_apply_payment(store, credit ? 0 : document->account,
                          credit ? document->account : (transfer ? document->customer : 0),
                          document->total);
    return STORE_APPLIED;
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
