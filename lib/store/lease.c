/* Leases: a name that one holder has at a time, until a deadline.
 *
 * Two cells. One holds the time, in ms, at which the lease runs out, 0 when it was released; every
 * change of the lease writes it. The other holds the holder and is written by whoever acquires the
 * lease and by nobody else: its version is the fencing token, which a renewal leaves as it is, and
 * the version of the first cell guards both. Entries live as long as the store. */
#include "store/plan.h"

#include "base/clock.h"

#include <string.h>

/* ---- Entries ---- */

struct store_lease *store_find_lease(struct store *store, const char *name, size_t bytes) {
    uint32_t slot = table_find(&store->lease_table, store_hash_text(store, name, bytes), name);
    return slot == 0 ? NULL : &store->leases[slot];
}

static uint32_t lease_link(struct store *store, uint32_t slot, const char *name, size_t bytes) {
    struct store_lease *lease = &store->leases[slot];
    lease->slot = slot;
    lease->name_bytes = (uint8_t)bytes;
    memcpy(lease->name, name, bytes);
    lease->name[bytes] = '\0';
    uint64_t hash = store_hash_text(store, lease->name, bytes);
    return table_add(&store->lease_table, hash, lease->name, slot);
}

struct store_lease *store_ensure_lease(struct store *store, const char *name, size_t bytes) {
    struct store_lease *lease = store_find_lease(store, name, bytes);
    if (lease != NULL) {
        return lease;
    }
    uint32_t slot = slots_take(&store->lease_slots);
    if (slot == 0) {
        return NULL;
    }
    uint32_t found = lease_link(store, slot, name, bytes);
    if (found != slot) {
        store->leases[slot].slot = 0;
        slots_give(&store->lease_slots, slot);
    }
    return &store->leases[found];
}

/* ---- Checking a request ---- */

static void lease_identify(struct plan_lease_request *request) {
    const uint64_t numbers[3] = {request->holder, request->token, (uint64_t)request->ttl_ms};
    request->fingerprint = plan_hash_text(hash_seeded(9, numbers, sizeof numbers), request->name);
}

static bool lease_check_name(struct plan *plan, struct plan_lease_request *request) {
    request->name_bytes = plan_text_bytes(request->name, CELLAR_LEASE_NAME_BYTES_MAX);
    bool right = request->name_bytes != 0 && request->name_bytes != SIZE_MAX;
    if (right) {
        lease_identify(request);
    } else {
        plan_invalid(plan, "name: 1 to 64 bytes", CELLAR_NO_LINE);
    }
    return right;
}

static bool lease_check_ttl(struct plan *plan, const struct plan_lease_request *request) {
    bool right = request->ttl_ms >= 1 && request->ttl_ms <= CELLAR_LEASE_TTL_MS_MAX;
    if (!right) {
        plan_invalid(plan, "ttl_ms: from 1 to CELLAR_LEASE_TTL_MS_MAX", CELLAR_NO_LINE);
    }
    return right;
}

static bool lease_check_token(struct plan *plan, const struct plan_lease_request *request) {
    if (request->token == 0) {
        plan_invalid(plan, "token: what the acquisition returned", CELLAR_NO_LINE);
    }
    return request->token != 0;
}

bool plan_check_lease_acquire(struct plan *plan, void *argument) {
    struct plan_lease_request *request = argument;
    if (!lease_check_name(plan, request) || !lease_check_ttl(plan, request)) {
        return false;
    }
    if (request->holder == 0) {
        plan_invalid(plan, "holder: numbers begin at 1", CELLAR_NO_LINE);
    }
    return request->holder != 0;
}

bool plan_check_lease_renew(struct plan *plan, void *argument) {
    struct plan_lease_request *request = argument;
    return lease_check_name(plan, request) && lease_check_token(plan, request) &&
           lease_check_ttl(plan, request);
}

bool plan_check_lease_release(struct plan *plan, void *argument) {
    struct plan_lease_request *request = argument;
    return lease_check_name(plan, request) && lease_check_token(plan, request);
}

/* ---- Plans ---- */

struct lease_view {
    struct store_lease *lease;
    struct cell_content until;
    struct cell_content holder;
};

static void lease_read(struct plan *plan, struct lease_view *view) {
    uint32_t slot = view->lease->slot;
    struct cell_content before;
    view->until = plan_read(plan, store_lease_cell(slot));
    /* Both as of one instant; another round means that somebody else has acquired it. */
    do {
        before = view->until;
        view->holder = plan_read(plan, store_lease_holder_cell(slot));
        view->until = plan_read(plan, store_lease_cell(slot));
    } while (view->until.version != before.version);
}

static bool lease_is_pending(const struct plan *plan, const struct lease_view *view) {
    return plan_is_pending(plan, store_lease_cell(view->lease->slot));
}

static bool lease_is_held(const struct plan *plan, const struct lease_view *view) {
    return view->until.value > plan->now_ns / NANOSECONDS_PER_MILLISECOND;
}

/* So long at least. */
static int64_t lease_until(const struct plan *plan, int64_t ttl_ms) {
    return plan->now_ns / NANOSECONDS_PER_MILLISECOND + 1 + ttl_ms;
}

static enum plan_result lease_write(struct plan *plan, const struct lease_view *view, uint16_t kind,
                                    int64_t until, size_t name_bytes) {
    struct payload_lease *payload = plan_append(plan, (uint32_t)(sizeof *payload + name_bytes));
    if (payload == NULL ||
        !plan_write(plan, store_lease_cell(view->lease->slot), view->until, until)) {
        return PLAN_NO_MEMORY;
    }
    *payload =
        (struct payload_lease){.slot = view->lease->slot, .name_bytes = (uint32_t)name_bytes};
    memcpy(payload + 1, view->lease->name, name_bytes);
    plan->kind = kind;
    return PLAN_COMMIT;
}

enum plan_result plan_lease_acquire(struct plan *plan, void *argument) {
    const struct plan_lease_request *request = argument;
    struct lease_view view = {
        .lease = store_ensure_lease(plan->store, request->name, request->name_bytes)};
    if (view.lease == NULL) {
        return plan_refuse(plan, CELLAR_STORE_FULL, CELLAR_NO_LINE);
    }
    lease_read(plan, &view);
    if (lease_is_pending(plan, &view)) {
        return plan_invalid(plan, "name: given twice in one transaction", CELLAR_NO_LINE);
    }
    if (lease_is_held(plan, &view)) {
        if ((uint64_t)view.holder.value == request->holder) {
            plan->ticket.lsn = view.holder.version;
            plan->ticket.repeated = true;
            return PLAN_REPEATED;
        }
        plan->refusal.retry_ns = view.until.value * NANOSECONDS_PER_MILLISECOND;
        return plan_refuse(plan, CELLAR_LEASE_HELD, CELLAR_NO_LINE);
    }
    if (!plan_write(plan, store_lease_holder_cell(view.lease->slot), view.holder,
                    (int64_t)request->holder)) {
        return PLAN_NO_MEMORY;
    }
    return lease_write(plan, &view, STORE_LEASE_ACQUIRE, lease_until(plan, request->ttl_ms),
                       request->name_bytes);
}

/* The lease of which `token` is said to be current. */
static enum plan_result lease_find(struct plan *plan, const struct plan_lease_request *request,
                                   struct lease_view *view) {
    *view = (struct lease_view){
        .lease = store_find_lease(plan->store, request->name, request->name_bytes)};
    if (view->lease == NULL) {
        plan_refuse(plan, CELLAR_NOT_FOUND, CELLAR_NO_LINE);
        return PLAN_REFUSED;
    }
    lease_read(plan, view);
    if (lease_is_pending(plan, view)) {
        return plan_invalid(plan, "name: given twice in one transaction", CELLAR_NO_LINE);
    }
    if (view->until.version == 0) {
        return plan_refuse(plan, CELLAR_NOT_FOUND, CELLAR_NO_LINE);
    }
    return view->holder.version == request->token
               ? PLAN_COMMIT
               : plan_refuse(plan, CELLAR_LEASE_LOST, CELLAR_NO_LINE);
}

enum plan_result plan_lease_renew(struct plan *plan, void *argument) {
    const struct plan_lease_request *request = argument;
    struct lease_view view;
    enum plan_result result = lease_find(plan, request, &view);
    if (result != PLAN_COMMIT) {
        return result;
    }
    if (!lease_is_held(plan, &view)) {
        return plan_refuse(plan, CELLAR_LEASE_LOST, CELLAR_NO_LINE);
    }
    return lease_write(plan, &view, STORE_LEASE_RENEW, lease_until(plan, request->ttl_ms), 0);
}

enum plan_result plan_lease_release(struct plan *plan, void *argument) {
    const struct plan_lease_request *request = argument;
    struct lease_view view;
    enum plan_result result = lease_find(plan, request, &view);
    if (result != PLAN_COMMIT) {
        return result;
    }
    if (view.until.value == 0) {
        plan->ticket.lsn = view.until.version;
        plan->ticket.repeated = true;
        return PLAN_REPEATED;
    }
    return lease_write(plan, &view, STORE_LEASE_RELEASE, 0, 0);
}

/* ---- Applying ---- */

bool lease_check_part(const struct store *store, const struct store_part *part) {
    const struct payload_lease *payload = part->payload;
    (void)store;
    if (part->bytes < sizeof *payload || payload->name_bytes > CELLAR_LEASE_NAME_BYTES_MAX ||
        part->bytes != sizeof *payload + payload->name_bytes ||
        (part->kind == STORE_LEASE_ACQUIRE) != (payload->name_bytes != 0) ||
        payload->slot >= CELL_SLOT_COUNT / 2 ||
        memchr(payload + 1, '\0', payload->name_bytes) != NULL) {
        return false;
    }
    const struct record_update *until = record_find(part->record, store_lease_cell(payload->slot));
    const struct record_update *holder =
        record_find(part->record, store_lease_holder_cell(payload->slot));
    return until != NULL && (holder != NULL) == (part->kind == STORE_LEASE_ACQUIRE);
}

static enum store_apply_result lease_restore(struct store *store,
                                             const struct payload_lease *payload) {
    if (!slots_raise(&store->lease_slots, payload->slot)) {
        return STORE_APPLY_LIMIT;
    }
    const char *name = (const char *)(payload + 1);
    struct store_lease *lease = &store->leases[payload->slot];
    if (lease->slot != 0) {
        bool same = lease->name_bytes == payload->name_bytes &&
                    memcmp(lease->name, name, payload->name_bytes) == 0;
        return same ? STORE_APPLIED : STORE_APPLY_BROKEN;
    }
    uint32_t found = lease_link(store, payload->slot, name, payload->name_bytes);
    return found == payload->slot ? STORE_APPLIED : STORE_APPLY_BROKEN;
}

enum store_apply_result lease_apply(struct store *store, const struct store_part *part) {
    const struct payload_lease *payload = part->payload;
    if (part->kind != STORE_LEASE_ACQUIRE) {
        bool known = payload->slot != 0 && payload->slot < slots_end(&store->lease_slots);
        return known ? STORE_APPLIED : STORE_APPLY_BROKEN;
    }
    enum store_apply_result result = lease_restore(store, payload);
    bool first = record_find(part->record, store_lease_holder_cell(payload->slot))->expected == 0;
    if (result == STORE_APPLIED && first) {
        store->totals.leases++;
    }
    return result;
}
