#include "store/holds.h"

#include "base/probe.h"
#include "store/store.h"

bool holds_add(struct store *store, struct store_order *entry) {
    struct store_account *account = store_find_account(store, entry->customer);
    if (account != NULL) {
        chain_add(store, &account->holds, entry);
    }
    return account != NULL;
}

/* A reader who stands on the hold does not get to those behind it: he is told by the number, which
 * is odd while the hold is taken out, and looks again. */
bool holds_remove(struct store *store, struct store_order *entry) {
    struct store_account *account = store_find_account(store, entry->customer);
    if (account == NULL) {
        return false;
    }
    uint16_t removals = ATOMIC_LOAD(&account->removals, relaxed);
    /* Before the links, which are released: whoever has read one of them sees this, too. */
    ATOMIC_STORE(&account->removals, (uint16_t)(removals + 1), relaxed);
    bool removed = chain_remove(store, &account->holds, entry);
    /* Release: pairs with the acquire in holds_overdue(). */
    ATOMIC_STORE(&account->removals, (uint16_t)(removals + 2), release);
    return removed;
}

static void holds_walk(const struct store *store, const struct store_account *account,
                       struct overdue *overdue) {
    /* Acquire, here and below: pairs with the release in chain_link(). */
    uint32_t at = ATOMIC_LOAD(&account->holds.oldest, acquire);
    for (uint32_t i = 0; at != 0 && i < HOLDS_LOOK_MAX; i++) {
        int64_t value = commit_read(store->commit, store_order_cell(at)).value;
        if (store_document_state(value) == CELLAR_ACCOUNT_HOLD_HELD &&
            !overdue_note(overdue, at, store_document_deadline_ms(value))) {
            return;
        }
        PROBE("holds-step", at);
        at = ATOMIC_LOAD(&store->orders[at].chain_after, acquire);
    }
}

void holds_overdue(const struct store *store, uint32_t slot, struct overdue *overdue) {
    const struct store_account *account = &store->accounts[slot];
    for (uint32_t i = 0; i < HOLDS_TRIES_MAX && overdue->count == 0; i++) {
        /* Acquire: pairs with the release in holds_remove(). */
        uint16_t removals = ATOMIC_LOAD(&account->removals, acquire);
        overdue->next_ms = 0;
        holds_walk(store, account, overdue);
        if (removals % 2 == 0 && ATOMIC_LOAD(&account->removals, relaxed) == removals) {
            return;
        }
    }
}
