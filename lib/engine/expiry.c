/* Expiry: what was held until a deadline goes back by a commit of its own, like any call's, on a
 * thread of its own. The follower, which knows the deadlines, hands over what is due; a caller
 * short of units or of funds does the same for the stock or the account it needs (H2), without
 * waiting for the thread. */
#include "engine/engine.h"

#include "base/clock.h"
#include "base/futex.h"
#include "base/probe.h"
#include "base/thread.h"

/* How long it waits before it tries again when the log has no space. */
#define EXPIRY_NAP_NS (5 * NANOSECONDS_PER_MILLISECOND)
/* How long until it tries again what a rule forbids now. */
#define EXPIRY_RETRY_NS (100 * NANOSECONDS_PER_MILLISECOND)

static int64_t expiry_now_ms(cellar *engine) {
    return engine_now(engine) / NANOSECONDS_PER_MILLISECOND;
}

void expiry_feed(cellar *engine) {
    struct expiry *expiry = &engine->expiry;
    uint32_t tail = ATOMIC_LOAD(&expiry->tail, relaxed);
    uint32_t before = tail;
    struct deadline due;
    int64_t now_ms = expiry_now_ms(engine);
    /* Acquire: pairs with the release in expiry_take(); the place has been read. */
    while (tail - ATOMIC_LOAD(&expiry->head, acquire) < EXPIRY_QUEUE &&
           deadlines_take(&engine->store->deadlines, now_ms, &due)) {
        ATOMIC_STORE(&expiry->slots[tail++ % EXPIRY_QUEUE], due.slot, relaxed);
    }
    if (tail != before) {
        /* Release: pairs with the acquire in expiry_take(). */
        ATOMIC_STORE(&expiry->tail, tail, release);
        ATOMIC_ADD(&expiry->epoch, 1, seq_cst);
        futex_wake(&expiry->epoch, 1);
    }
}

/* The next slot; false: there is none. */
static bool expiry_take(struct expiry *expiry, uint32_t *slot_out) {
    uint32_t head = ATOMIC_LOAD(&expiry->head, relaxed);
    if (head == ATOMIC_LOAD(&expiry->tail, acquire)) {
        return false;
    }
    *slot_out = ATOMIC_LOAD(&expiry->slots[head % EXPIRY_QUEUE], relaxed);
    ATOMIC_STORE(&expiry->head, head + 1, release);
    return true;
}

/* Somebody else was first: that is as good. */
static cellar_status expiry_result(cellar_status status) {
    return status == CELLAR_ILLEGAL_STEP || status == CELLAR_NOT_FOUND ? CELLAR_OK : status;
}

/* OK: it is not held any more, by this call or before it. */
static cellar_status expiry_expire(cellar *engine, const cellar_call *call, uint32_t slot) {
    cellar_id id = {0, 0};
    commit_enter();
    int64_t value = commit_read(engine->commit, store_order_cell(slot)).value;
    int64_t deadline_ms = store_document_deadline_ms(value);
    uint32_t state = store_document_state(value);
    if (state == CELLAR_ORDER_PLACED) {
        /* Else the slot may be free by now, or being taken. */
        id = engine->store->orders[slot].id;
    }
    commit_leave();
    PROBE("expiry-due", slot);
    if (deadline_ms == 0 || deadline_ms > expiry_now_ms(engine)) {
        return CELLAR_OK;
    }
    if (state == CELLAR_ACCOUNT_HOLD_HELD) {
        return expiry_result(engine_account_expire(engine, call, slot, NULL));
    }
    if (state != CELLAR_ORDER_PLACED) {
        return CELLAR_OK;
    }
    const cellar_order_change change = {.order = id};
    struct plan_step_request request = {.change = &change, .event = PAYLOAD_EXPIRE};
    const struct engine_change expire = {.function = plan_order_step, .request = &request};
    return expiry_result(engine_run(engine, call, &expire, NULL, NULL));
}

/* The units do not fit beside those that have come meanwhile, or the record the ring. Others must
 * not wait for that. */
static bool expiry_is_forbidden(cellar_status status) {
    return status == CELLAR_OVERFLOW || status == CELLAR_INVALID_ARGUMENT;
}

bool expiry_run_overdue(cellar *engine, struct plan *plan, struct engine_wait *wait) {
    if (plan->short_stock_count == 0 && plan->short_account.slot == 0) {
        return false;
    }
    struct overdue overdue = {.now_ms = expiry_now_ms(engine)};
    PROBE("expiry-overdue", plan->short_account.slot);
    commit_enter();
    for (uint32_t i = 0; i < plan->short_stock_count && overdue.count < OVERDUE_MAX; i++) {
        queue_overdue(engine->store, plan->short_stocks[i].slot, &overdue);
    }
    if (plan->short_stock_count == 0) {
        holds_overdue(engine->store, plan->short_account.slot, &overdue);
    }
    /* After the look: what somebody else gave back before it, and is in no list any more, has
     * changed a cell. */
    bool stands = plan_short_stands(plan);
    commit_leave();
    plan->refusal.retry_ns = overdue.next_ms * NANOSECONDS_PER_MILLISECOND;
    uint32_t expired = 0;
    cellar_status status = CELLAR_OK;
    for (uint32_t i = 0; i < overdue.count && (status == CELLAR_OK || expiry_is_forbidden(status));
         i++) {
        const cellar_call call = engine_call_before(wait);
        status = expiry_expire(engine, &call, overdue.slots[i]);
        expired += status == CELLAR_OK;
    }
    if (expired == 0 && status != CELLAR_OK && !expiry_is_forbidden(status)) {
        /* Nobody can tell whether there is enough. */
        plan->refusal = (cellar_refusal){.status = status, .line = CELLAR_NO_LINE};
        return false;
    }
    return expired != 0 || !stands;
}

static bool expiry_is_stopping(const struct expiry *expiry) {
    return ATOMIC_LOAD(&expiry->stopping, acquire) != 0;
}

/* Until it is done, or put off. */
static void expiry_insist(cellar *engine, uint32_t slot) {
    struct expiry *expiry = &engine->expiry;
    const cellar_call relaxed = {.durability = CELLAR_RELAXED};
    while (!expiry_is_stopping(expiry)) {
        cellar_status status = expiry_expire(engine, &relaxed, slot);
        if (status == CELLAR_OK) {
            return;
        }
        if (expiry_is_forbidden(status) && expiry->put_off_count < EXPIRY_PUT_OFF_MAX) {
            expiry->put_off[expiry->put_off_count++] = slot;
            return;
        }
        clock_sleep_ns(EXPIRY_NAP_NS);
    }
}

/* Once more what was put off. */
static void expiry_retry(cellar *engine) {
    struct expiry *expiry = &engine->expiry;
    uint32_t count = expiry->put_off_count;
    expiry->put_off_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        expiry_insist(engine, expiry->put_off[i]);
    }
}

static void *expiry_run(void *argument) {
    cellar *engine = argument;
    struct expiry *expiry = &engine->expiry;
    while (!expiry_is_stopping(expiry)) {
        uint32_t epoch = ATOMIC_LOAD(&expiry->epoch, seq_cst);
        uint32_t slot;
        if (!expiry_take(expiry, &slot)) {
            if (!expiry_is_stopping(expiry)) {
                futex_wait(&expiry->epoch, epoch,
                           expiry->put_off_count == 0 ? -1 : EXPIRY_RETRY_NS);
            }
            expiry_retry(engine);
            continue;
        }
        expiry_insist(engine, slot);
        if (ATOMIC_LOAD(&expiry->head, relaxed) % (EXPIRY_QUEUE / 2) == 0) {
            /* The follower may have more than the queue takes. */
            commit_follower_kick(engine->commit);
        }
    }
    return NULL;
}

cellar_status expiry_start(cellar *engine) {
    struct expiry *expiry = &engine->expiry;
    expiry->runs = thread_start(&expiry->thread, "cellar-expire", expiry_run, engine);
    return expiry->runs ? CELLAR_OK : CELLAR_OUT_OF_MEMORY;
}

void expiry_stop(cellar *engine) {
    struct expiry *expiry = &engine->expiry;
    if (expiry->runs) {
        ATOMIC_STORE(&expiry->stopping, 1, release);
        ATOMIC_ADD(&expiry->epoch, 1, seq_cst);
        futex_wake(&expiry->epoch, 1);
        pthread_join(expiry->thread, NULL);
        expiry->runs = false;
    }
}
