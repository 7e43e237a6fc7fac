/* Holds of money: how they expire, and looking at them. */
#include "engine/engine.h"

#include "base/clock.h"

cellar_status engine_account_expire(cellar *engine, const cellar_call *call, uint32_t slot,
                                    cellar_ticket *ticket_out) {
    struct plan_hold_request request = {.slot = slot};
    const struct engine_change change = {.function = plan_account_expire, .request = &request};
    return engine_run(engine, call, &change, ticket_out, NULL);
}

/* Inside a section. Not 0 in *wait_lsn: its content follows the log, and is not known yet. */
static bool hold_look(const cellar *engine, cellar_id id, cellar_account_hold_info *out,
                      uint64_t *wait_lsn) {
    const struct store_order *entry = store_find_order(engine->store, id);
    if (entry == NULL) {
        return false;
    }
    struct cell_content content = commit_read(engine->commit, store_order_cell(entry->slot));
    if (!store_state_is_account_hold(store_document_state(content.value))) {
        return false;
    }
    /* Acquire: pairs with the release in commit_advance_projected(). */
    if (ATOMIC_LOAD(&engine->commit->projected.lsn, acquire) <= content.version) {
        *wait_lsn = content.version;
        return true;
    }
    *out = (cellar_account_hold_info){
        .id = id,
        .account = entry->customer,
        .amount = entry->total,
        .state = (cellar_account_hold_state)store_document_state(content.value),
        .deadline_ns = store_document_deadline_ms(content.value) * NANOSECONDS_PER_MILLISECOND,
        .placed_lsn = ATOMIC_LOAD(&entry->placed_lsn, acquire),
        .placed_ns = entry->placed_ns,
        .version = content.version};
    if (out->state == CELLAR_ACCOUNT_HOLD_POSTED) {
        out->posted = ATOMIC_LOAD(&entry->posted, relaxed);
        out->to = ATOMIC_LOAD(&entry->account, relaxed);
    }
    return true;
}

cellar_status cellar_account_hold_get(cellar *store, cellar_id hold,
                                      cellar_account_hold_info *hold_out) {
    if (hold_out == NULL) {
        return CELLAR_INVALID_ARGUMENT;
    }
    struct engine_call guard;
    cellar_status status = engine_enter(&guard, store);
    if (status != CELLAR_OK) {
        return status;
    }
    uint64_t wait_lsn;
    /* A hold takes two steps at most, so this waits at most twice. */
    do {
        wait_lsn = 0;
        commit_enter();
        bool found = hold_look(store, hold, hold_out, &wait_lsn);
        commit_leave();
        status = found ? CELLAR_OK : CELLAR_NOT_FOUND;
        if (wait_lsn != 0) {
            status = follower_wait(store, wait_lsn, INT64_MAX);
        }
    } while (status == CELLAR_OK && wait_lsn != 0);
    engine_leave(&guard);
    return status;
}
