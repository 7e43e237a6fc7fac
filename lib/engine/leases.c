/* Leases, as cellar.h has them. */
#include "engine/engine.h"

#include "base/clock.h"

static cellar_status lease_operate(cellar *store, const cellar_call *call,
                                   cellar_operation_kind kind, const cellar_lease_request *lease,
                                   cellar_ticket *ticket_out, cellar_refusal *refusal_out) {
    const cellar_operation operation = {.kind = kind, .lease = lease};
    return engine_operate(store, call, &operation, ticket_out, refusal_out);
}

cellar_status cellar_lease_acquire(cellar *store, const cellar_call *call, const char *name,
                                   uint64_t holder, int64_t ttl_ms, cellar_ticket *ticket_out,
                                   cellar_refusal *refusal_out) {
    const cellar_lease_request lease = {.name = name, .holder = holder, .ttl_ms = ttl_ms};
    return lease_operate(store, call, CELLAR_OPERATION_LEASE_ACQUIRE, &lease, ticket_out,
                         refusal_out);
}

cellar_status cellar_lease_renew(cellar *store, const cellar_call *call, const char *name,
                                 uint64_t token, int64_t ttl_ms, cellar_ticket *ticket_out,
                                 cellar_refusal *refusal_out) {
    const cellar_lease_request lease = {.name = name, .token = token, .ttl_ms = ttl_ms};
    return lease_operate(store, call, CELLAR_OPERATION_LEASE_RENEW, &lease, ticket_out,
                         refusal_out);
}

cellar_status cellar_lease_release(cellar *store, const cellar_call *call, const char *name,
                                   uint64_t token, cellar_ticket *ticket_out,
                                   cellar_refusal *refusal_out) {
    const cellar_lease_request lease = {.name = name, .token = token};
    return lease_operate(store, call, CELLAR_OPERATION_LEASE_RELEASE, &lease, ticket_out,
                         refusal_out);
}

/* Inside a section: both cells as of one instant. */
static void lease_look(const struct commit *commit, uint32_t slot, int64_t now_ns,
                       cellar_lease *lease_out) {
    struct cell_content until;
    struct cell_content holder;
    struct cell_content again;
    do {
        until = commit_read(commit, store_lease_cell(slot));
        holder = commit_read(commit, store_lease_holder_cell(slot));
        again = commit_read(commit, store_lease_cell(slot));
    } while (again.version != until.version);
    *lease_out = (cellar_lease){.holder = (uint64_t)holder.value,
                                .token = holder.version,
                                .until_ns = until.value * NANOSECONDS_PER_MILLISECOND,
                                .held = until.value > now_ns / NANOSECONDS_PER_MILLISECOND,
                                .version = until.version};
}

cellar_status cellar_lease_get(cellar *store, const char *name, cellar_lease *lease_out) {
    size_t bytes = plan_text_bytes(name, CELLAR_LEASE_NAME_BYTES_MAX);
    if (bytes == 0 || bytes == SIZE_MAX || lease_out == NULL) {
        return CELLAR_INVALID_ARGUMENT;
    }
    struct engine_call guard;
    cellar_status status = engine_enter(&guard, store);
    if (status != CELLAR_OK) {
        return status;
    }
    *lease_out = (cellar_lease){.version = 0};
    int64_t now_ns = engine_now(store);
    commit_enter();
    const struct store_lease *lease = store_find_lease(store->store, name, bytes);
    if (lease != NULL) {
        lease_look(store->commit, lease->slot, now_ns, lease_out);
    }
    commit_leave();
    engine_leave(&guard);
    return lease_out->version == 0 ? CELLAR_NOT_FOUND : CELLAR_OK;
}

cellar_status cellar_lease_check(cellar *store, const char *name, uint64_t token) {
    cellar_lease lease;
    cellar_status status = cellar_lease_get(store, name, &lease);
    if (status != CELLAR_OK) {
        return status;
    }
    return lease.held && lease.token == token ? CELLAR_OK : CELLAR_LEASE_LOST;
}
