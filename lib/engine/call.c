/* Around every public call: the checks at its door, and the loop that plans and commits. */
#include "engine/engine.h"

#include "base/assert.h"
#include "base/clock.h"

#include <string.h>

/* ---- The door ---- */

static struct engine_calls *call_shard(cellar *engine) {
    static _Atomic uint32_t threads;
    static _Thread_local uint32_t mine;
    if (mine == 0) {
        mine = ATOMIC_ADD(&threads, 1, relaxed) + 1;
    }
    return &engine->calls[mine % ENGINE_CALL_SHARDS];
}

cellar_status engine_enter(struct engine_call *call, const cellar *handle) {
    /* A read changes nothing of the store, but it is counted. */
    cellar *engine = (cellar *)(uintptr_t)handle;
    if (engine == NULL) {
        return CELLAR_INVALID_ARGUMENT;
    }
    if (ATOMIC_LOAD(engine->fork_guard, relaxed) == 0) {
        return CELLAR_FORKED;
    }
    call->engine = engine;
    call->shard = call_shard(engine);
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &call->cancel_state);
    /* Sequentially consistent: pairs with cellar_close(), which raises `closing` and then waits for
     * the counters. */
    ATOMIC_ADD(&call->shard->count, 1, seq_cst);
    if (ATOMIC_LOAD(&engine->closing, seq_cst) != 0) {
        engine_leave(call);
        return CELLAR_CLOSED;
    }
    return CELLAR_OK;
}

void engine_leave(struct engine_call *call) {
    /* Release: pairs with the acquire in cellar_close(). */
    ATOMIC_SUB(&call->shard->count, 1, release);
    pthread_setcancelstate(call->cancel_state, NULL);
}

/* Further ahead of `latest` than real time explains? */
static bool call_clock_jumped(const cellar *engine, int64_t now, int64_t latest) {
    int64_t jump_max = engine->config.clock_jump_max_ns;
    if (now - latest <= jump_max) {
        return false;
    }
    int64_t passed = clock_monotonic_ns() - ATOMIC_LOAD(&engine->latest_monotonic_ns, relaxed);
    return now - latest - jump_max > passed;
}

/* False: the clock has jumped, and the time is the latest that was believed. */
static bool call_now(cellar *engine, int64_t *now_out) {
    int64_t now = engine->config.clock(engine->config.clock_context);
    /* Relaxed: a number by itself. Raised a millisecond at a time, so that calls do not all write
     * it. */
    int64_t latest = ATOMIC_LOAD(&engine->latest_ns, relaxed);
    *now_out = latest;
    if (now < latest) {
        return true;
    }
    if (call_clock_jumped(engine, now, latest)) {
        return false;
    }
    if (now - latest >= NANOSECONDS_PER_MILLISECOND) {
        /* Before the time it goes with: read with an older one it lets less pass, for a moment. */
        ATOMIC_STORE(&engine->latest_monotonic_ns, clock_monotonic_ns(), relaxed);
    }
    while (now - latest >= NANOSECONDS_PER_MILLISECOND &&
           !ATOMIC_CAS(&engine->latest_ns, &latest, now, relaxed, relaxed)) {
    }
    *now_out = now;
    return true;
}

int64_t engine_now(cellar *engine) {
    int64_t now;
    (void)call_now(engine, &now);
    return now;
}

/* ---- Options ---- */

int64_t engine_deadline(int64_t timeout_ms) {
    if (timeout_ms < 0 || timeout_ms > INT64_MAX / (4 * NANOSECONDS_PER_MILLISECOND)) {
        return INT64_MAX;
    }
    return clock_monotonic_ns() + timeout_ms * NANOSECONDS_PER_MILLISECOND;
}

bool engine_call_valid(const cellar_call *options) {
    return options == NULL ||
           (options->durability >= CELLAR_DURABILITY_DEFAULT &&
            options->durability <= CELLAR_RELAXED && options->durable_wait_ms >= 0 &&
            plan_text_bytes(options->reference, CELLAR_REFERENCE_BYTES_MAX) != SIZE_MAX);
}

bool engine_is_durable(const cellar *engine, const cellar_call *options) {
    cellar_durability durability =
        options == NULL ? CELLAR_DURABILITY_DEFAULT : options->durability;
    if (durability == CELLAR_DURABILITY_DEFAULT) {
        durability = engine->config.durability;
    }
    return durability == CELLAR_DURABLE;
}

cellar_status engine_wait_durable(cellar *engine, const cellar_call *options, uint64_t lsn) {
    if (!engine_is_durable(engine, options)) {
        return CELLAR_OK;
    }
    bool limited = options != NULL && options->durable_wait_ms > 0;
    return log_wait(engine->log, lsn,
                    limited ? engine_deadline(options->durable_wait_ms) : INT64_MAX);
}

int64_t engine_space_deadline(const cellar_call *options) {
    int64_t wait_ms = options == NULL ? 0 : options->wait_ms;
    if (wait_ms < 0) {
        return INT64_MIN;
    }
    return engine_deadline(wait_ms == 0 ? ENGINE_SPACE_WAIT_MS : wait_ms);
}

/* ---- The loop ---- */

int64_t engine_wait_deadline(struct engine_wait *wait) {
    if (!wait->known) {
        wait->deadline_ns = engine_space_deadline(wait->options);
        wait->known = true;
    }
    return wait->deadline_ns;
}

cellar_call engine_call_before(struct engine_wait *wait) {
    int64_t deadline_ns = engine_wait_deadline(wait);
    int64_t left_ms = deadline_ns == INT64_MIN
                          ? 0
                          : (deadline_ns - clock_monotonic_ns()) / NANOSECONDS_PER_MILLISECOND;
    /* 0 would be the default. */
    return (cellar_call){.durability = CELLAR_RELAXED, .wait_ms = left_ms > 0 ? left_ms : -1};
}

static cellar_status call_no_space(cellar *engine, uint64_t bytes, struct engine_wait *wait) {
    cellar_status health = log_health(engine->log);
    if (health != CELLAR_OK) {
        return health;
    }
    if (commit_wait_space(engine->commit, bytes, engine_wait_deadline(wait))) {
        return CELLAR_OK;
    }
    health = log_health(engine->log);
    return health == CELLAR_OK ? CELLAR_BUSY : health;
}

/* A location comes into being by a commit of its own before the call that needs it. */
static cellar_status call_open_stock(cellar *engine, const struct plan *plan,
                                     struct engine_wait *wait) {
    cellar_line line = {.product = plan->open_product, .location = plan->open_location};
    struct plan_stock_request request = {.line = &line};
    const cellar_call call = engine_call_before(wait);
    const struct engine_change open = {.function = plan_stock_open, .request = &request};
    return engine_run(engine, &call, &open, NULL, NULL);
}

/* What a collecting account has collected gets into its cell by a commit of its own before the call
 * that needs it. */
static cellar_status call_settle(cellar *engine, const struct plan *plan,
                                 struct engine_wait *wait) {
    struct plan_account_request request = {.account = plan->settle_account};
    const cellar_call call = engine_call_before(wait);
    struct plan settle;
    plan_create(&settle, engine->store);
    /* The caller has waited, or what is known suffices. */
    settle.collected_lsn = 1;
    cellar_status status =
        engine_transact(engine, &call, &settle, plan_account_settle, &request, NULL, NULL);
    plan_destroy(&settle);
    return status;
}

/* What to do between two attempts. CELLAR_OK: try again. */
static cellar_status call_after_plan(cellar *engine, const struct plan *plan,
                                     enum plan_result result, struct engine_wait *wait) {
    switch (result) {
    case PLAN_WAIT:
        if (plan->wait_lsn == 0) {
            return CELLAR_OK;
        }
        /* It is the log that the follower waits for: as long as for space. */
        switch (follower_wait(engine, plan->wait_lsn, engine_wait_deadline(wait))) {
        case CELLAR_OK:
            return CELLAR_OK;
        case CELLAR_TIMEOUT:
            return CELLAR_BUSY;
        default:
            return CELLAR_FAILED;
        }
    case PLAN_OPEN_STOCK:
        return call_open_stock(engine, plan, wait);
    case PLAN_SETTLE:
        return call_settle(engine, plan, wait);
    default:
        return CELLAR_OUT_OF_MEMORY;
    }
}

/* One attempt in one read section, from looking up to resolving (rule 9). */
static enum plan_result call_attempt(cellar *engine, const cellar_call *options, struct plan *plan,
                                     plan_function *function, void *request,
                                     enum commit_outcome *outcome_out, uint64_t *bytes_out) {
    int64_t now_ns;
    bool believed = call_now(engine, &now_ns);
    plan_reset(plan, now_ns);
    commit_enter();
    enum plan_result result =
        believed ? function(plan, request) : plan_refuse(plan, CELLAR_CLOCK_JUMPED, CELLAR_NO_LINE);
    if (result == PLAN_REFUSED && !plan_refusal_stands(plan)) {
        plan->wait_lsn = 0;
        result = PLAN_WAIT;
    }
    if (result == PLAN_COMMIT && options != NULL &&
        !plan_note(plan, options->actor, options->reference)) {
        result = PLAN_NO_MEMORY;
    }
    if (result == PLAN_COMMIT) {
        *bytes_out = commit_request_bytes(engine->commit, plan->change_count, plan->payload_bytes);
        if (*bytes_out == 0) {
            result = plan_invalid(plan, "too large for an eighth of ring_bytes", CELLAR_NO_LINE);
        }
    }
    if (result == PLAN_COMMIT) {
        plan_sort(plan);
        struct commit_request commit_request = {.changes = plan->changes,
                                                .change_count = plan->change_count,
                                                .kind = plan->kind,
                                                .payload = plan->payload,
                                                .payload_bytes = plan->payload_bytes,
                                                .time_ns = plan->now_ns};
        *outcome_out = commit_try(engine->commit, &commit_request, &plan->ticket.lsn);
        plan->ticket.time_ns = plan->now_ns;
    }
    commit_leave();
    return result;
}

/* Two threads that change the same cells and try again at once get in each other's way again. Who
 * has met conflicts one after the other stands aside for a moment, longer each time, and the others
 * get through with the cells in their caches: exponential back-off, see Dice, Hendler and Mirsky,
 * "Lightweight contention management for efficient compare-and-swap operations", 2013. Nobody waits
 * for us meanwhile. */
static void call_stand_aside(uint32_t conflicts) {
    if (conflicts < ENGINE_CONFLICTS_BEFORE_ASIDE) {
        return;
    }
    uint32_t doublings = conflicts - ENGINE_CONFLICTS_BEFORE_ASIDE;
    doublings = doublings < ENGINE_ASIDE_DOUBLINGS ? doublings : ENGINE_ASIDE_DOUBLINGS;
    int64_t end_ns = clock_monotonic_ns() + (ENGINE_ASIDE_NS << doublings);
    while (clock_monotonic_ns() < end_ns) {
        /* Sleeping would take longer. */
        atomic_pause();
    }
}

/* CELLAR_OK: committed, or repeated. */
static cellar_status call_loop(cellar *engine, const cellar_call *options, struct plan *plan,
                               plan_function *function, void *request) {
    struct engine_wait wait = {.options = options};
    int64_t courtesy = 0;
    uint32_t conflicts = 0;
    cellar_status status = CELLAR_CONFLICT;
    for (uint32_t attempt = 1; attempt <= ENGINE_ATTEMPTS_MAX; attempt++) {
        enum commit_outcome outcome = COMMIT_CONFLICT;
        uint64_t bytes = 0;
        commit_hold_back(engine->commit, courtesy != 0);
        bool timed = attempt >= ENGINE_ATTEMPTS_BEFORE_COURTESY;
        int64_t began_ns = timed ? clock_monotonic_ns() : 0;
        enum plan_result result =
            call_attempt(engine, options, plan, function, request, &outcome, &bytes);
        if (result == PLAN_REFUSED && expiry_run_overdue(engine, plan, &wait)) {
            continue;
        }
        if (result == PLAN_REFUSED) {
            status = plan->refusal.status;
            break;
        }
        if (result == PLAN_REPEATED || (result == PLAN_COMMIT && outcome == COMMIT_DONE)) {
            plan->suspect_count = result == PLAN_COMMIT ? 0 : plan->suspect_count;
            status = CELLAR_OK;
            break;
        }
        if (result != PLAN_COMMIT) {
            status = call_after_plan(engine, plan, result, &wait);
        } else if (outcome == COMMIT_FULL) {
            status = call_no_space(engine, bytes, &wait);
        } else if (outcome == COMMIT_STOPPED) {
            status = CELLAR_FAILED;
        } else {
            status = CELLAR_OK;
        }
        if (status != CELLAR_OK) {
            break;
        }
        if (timed && plan->change_count >= ENGINE_COURTESY_CELLS) {
            /* Twice as long as this attempt took; again when that has run out. */
            int64_t needed_ns = 2 * (clock_monotonic_ns() - began_ns);
            int64_t granted = commit_courtesy_ask(engine->commit, needed_ns);
            courtesy = granted != 0 ? granted : courtesy;
        }
        if (result == PLAN_COMMIT && outcome == COMMIT_CONFLICT && courtesy == 0) {
            call_stand_aside(++conflicts);
        }
        status = CELLAR_CONFLICT;
    }
    if (courtesy != 0) {
        commit_courtesy_release(engine->commit, courtesy);
    }
    return status;
}

cellar_status engine_refused(const struct plan *plan, cellar_refusal *refusal_out) {
    if (refusal_out != NULL) {
        *refusal_out = plan->refusal;
    }
    return plan->refusal.status;
}

cellar_status engine_invalid(cellar_refusal *refusal_out, const char *reason) {
    if (refusal_out != NULL) {
        *refusal_out = (cellar_refusal){
            .status = CELLAR_INVALID_ARGUMENT, .line = CELLAR_NO_LINE, .reason = reason};
    }
    return CELLAR_INVALID_ARGUMENT;
}

void engine_report(const cellar *engine, cellar_report_level level, const char *text) {
    if (engine->config.report != NULL) {
        engine->config.report(engine->config.report_context, level, text);
    }
}

cellar_status engine_transact(cellar *engine, const cellar_call *options, struct plan *plan,
                              plan_function *function, void *request, cellar_ticket *ticket_out,
                              cellar_refusal *refusal_out) {
    if (!engine_call_valid(options)) {
        plan_invalid(plan, "call: durability, durable_wait_ms or reference is out of range",
                     CELLAR_NO_LINE);
        return engine_refused(plan, refusal_out);
    }
    cellar_status status = call_loop(engine, options, plan, function, request);
    if (plan->suspect_count != 0) {
        while (plan->suspect_count != 0) {
            store_suspect(engine->store, plan->suspects[--plan->suspect_count]);
        }
        commit_follower_kick(engine->commit);
    }
    if (status != CELLAR_OK) {
        plan->refusal.status = status;
        return engine_refused(plan, refusal_out);
    }
    if (ticket_out != NULL) {
        *ticket_out = plan->ticket;
    }
    return engine_wait_durable(engine, options, plan->ticket.lsn);
}

cellar_status engine_run(cellar *engine, const cellar_call *call,
                         const struct engine_change *change, cellar_ticket *ticket_out,
                         cellar_refusal *refusal_out) {
    cellar_ticket ticket = {0};
    struct plan plan;
    plan_create(&plan, engine->store);
    cellar_status status = CELLAR_OK;
    if (change->check != NULL && !change->check(&plan, change->request)) {
        status = engine_refused(&plan, refusal_out);
        plan_destroy(&plan);
        return status;
    }
    if (change->prepare != NULL) {
        status = change->prepare(engine, call, &plan, change->request);
    }
    if (status == CELLAR_OK) {
        status = engine_transact(engine, call, &plan, change->function, change->request, &ticket,
                                 refusal_out);
    } else {
        plan.refusal.status = status;
        engine_refused(&plan, refusal_out);
    }
    if (change->finish != NULL) {
        change->finish(engine, change->request, &ticket);
    }
    plan_destroy(&plan);
    if (ticket_out != NULL && ticket.lsn != 0) {
        *ticket_out = ticket;
    }
    return status;
}

cellar_status engine_change(cellar *store, const cellar_call *call,
                            const struct engine_change *change, cellar_ticket *ticket_out,
                            cellar_refusal *refusal_out) {
    struct engine_call guard;
    cellar_status status = engine_enter(&guard, store);
    if (status == CELLAR_OK) {
        status = engine_run(store, call, change, ticket_out, refusal_out);
        engine_leave(&guard);
    }
    return status;
}
