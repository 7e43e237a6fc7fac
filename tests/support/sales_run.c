/* A store that goes through a day of sales, call by call. */
#include "support/sales.h"

#include "base/atomic.h"
#include "support/commits_left.h"
#include "support/expiry.h"

#include <stdio.h>
#include <string.h>

/* How often a sweep looks whether it is done, and for how long at most: a store that gives back
 * what is due needs some milliseconds. */
#define SWEEP_LOOK_NS 20000
#define SWEEP_MS_MAX 20000

static _Atomic int64_t sales_now_ms;

static int64_t sales_clock(void *context) {
    (void)context;
    return ATOMIC_LOAD(&sales_now_ms, relaxed) * NANOSECONDS_PER_MILLISECOND;
}

/* The store's clock and the model's are those of the next call. */
static void sales_set_clock(struct sales_run *run) {
    int64_t now_ms = sales_time_ms(run->next);
    ATOMIC_STORE(&sales_now_ms, now_ms, relaxed);
    sales_model_clock(&run->model, now_ms);
}

cellar_status sales_open(cellar **store_out, const struct io *io, cellar_problem *problem) {
    const cellar_config config = {.size = sizeof config,
                                  .directory = "/sales",
                                  .ring_bytes = 1U << 16,
                                  .segment_bytes = 1U << 20,
                                  .products_max = 64,
                                  .stocks_max = 64,
                                  .accounts_max = 64,
                                  .orders_max = 1024,
                                  .campaigns_max = 16,
                                  .grants_max = 256,
                                  .codes_max = 64,
                                  .leases_max = 16,
                                  .customers_max = 256,
                                  .durability = CELLAR_RELAXED,
                                  .clock = sales_clock};
    const struct engine_options options = {.io = io};
    /* It is not known yet how much of the day is left: the morning. */
    ATOMIC_STORE(&sales_now_ms, sales_time_ms(0), relaxed);
    cellar_status status = engine_open(&config, &options, store_out, problem);
    if (status == CELLAR_OK) {
        expiry_rest(*store_out);
    }
    return status;
}

void sales_begin(struct sales_run *run, const struct sales *sales) {
    *run = (struct sales_run){.sales = sales};
    sales_model_begin(&run->model);
}

/* ---- What the store does of its own ---- */

static uint64_t sales_lsn_of(const struct sales_run *run, uint32_t number) {
    return number <= SALES_CALLS ? run->lsns.calls[number - 1]
                                 : run->lsns.asides[number - SALES_CALLS - 1];
}

/* Of these that have been done the one whose commit comes first; SALES_ASIDES: there is none. */
static uint32_t sales_earliest(const struct sales_lsns *lsns, uint64_t asides) {
    uint32_t earliest = SALES_ASIDES;
    for (uint32_t i = 0; i < SALES_ASIDES; i++) {
        if ((asides >> i & 1) != 0 &&
            (earliest == SALES_ASIDES || lsns->asides[i] < lsns->asides[earliest])) {
            earliest = i;
        }
    }
    return earliest;
}

/* The model does the same, in the same order. */
static void sales_do_asides(struct sales_model *model, const struct sales_lsns *lsns,
                            uint64_t asides) {
    while (asides != 0) {
        uint32_t aside = sales_earliest(lsns, asides);
        sales_model_aside(model, aside);
        asides &= ~(UINT64_C(1) << aside);
    }
}

/* Of what is due the store has given back some, for the next call or before it: so it is in the
 * model from here on. */
static uint64_t sales_follow_expired(struct sales_run *run) {
    uint64_t expired = sales_look_expired(run->store, sales_model_due(&run->model), &run->lsns);
    sales_do_asides(&run->model, &run->lsns, expired);
    run->asides[run->next] |= expired;
    return expired;
}

static uint64_t sales_latest_lsn(const struct sales_run *run) {
    uint64_t latest = 0;
    for (uint32_t i = 0; i < run->next; i++) {
        latest = run->lsns.calls[i] > latest ? run->lsns.calls[i] : latest;
    }
    return latest;
}

/* Callers who are short of something find what is due in lists that follow the log. */
static cellar_status sales_await_lists(const struct sales_run *run, int64_t wait_ms) {
    uint64_t latest = sales_latest_lsn(run);
    return latest == 0 ? CELLAR_OK : cellar_wait_listed(run->store, latest, wait_ms);
}

/* Lets the thread that rests give back all that is due by now. TIMEOUT: not all within the time
 * allowed. Less than zero: as long as it should ever take; then OK in any case. */
static cellar_status sales_sweep(struct sales_run *run, int64_t wait_ms) {
    uint64_t due = sales_model_due(&run->model);
    int64_t deadline_ns = engine_deadline(wait_ms < 0 ? SWEEP_MS_MAX : wait_ms);
    cellar_status status = sales_await_lists(run, wait_ms);
    if (status == CELLAR_OK) {
        status = expiry_resume(run->store);
    }
    while (status == CELLAR_OK && sales_look_expired(run->store, due, &run->lsns) != due) {
        if (log_health(run->store->log) == CELLAR_FAILED) {
            status = CELLAR_FAILED;
        } else if (clock_monotonic_ns() > deadline_ns) {
            status = CELLAR_TIMEOUT;
        }
        commit_follower_kick(run->store->commit);
        clock_sleep_ns(SWEEP_LOOK_NS);
    }
    expiry_rest(run->store);
    return status == CELLAR_TIMEOUT && wait_ms < 0 ? CELLAR_OK : status;
}

/* ---- Judging an answer ---- */

/* Of the next call. */
static bool sales_wrong(struct sales_run *run, const char *what, int64_t got, int64_t expected) {
    if (run->wrong[0] == '\0') {
        (void)snprintf(run->wrong, sizeof run->wrong, "%s, call %u (deed %d): %lld, not %lld", what,
                       run->next, run->sales->requests[run->next % SALES_CALLS].deed,
                       (long long)got, (long long)expected);
    }
    return false;
}

/* Does it follow from the store and the call alone? */
static bool sales_is_answer(cellar_status status) {
    return status == CELLAR_OK || status == CELLAR_INVALID_ARGUMENT ||
           (cellar_status_is_refusal(status) && status != CELLAR_BUSY &&
            status != CELLAR_DISK_FULL);
}

static bool sales_is_short(const struct sales_answer *answer) {
    return sales_answer_has(answer, CELLAR_OUT_OF_STOCK) ||
           sales_answer_has(answer, CELLAR_INSUFFICIENT_FUNDS);
}

/* What the model answers when all that is due has been given back, or as it is. */
static struct sales_answer sales_imagine_answer(const struct sales_run *run, uint64_t asides) {
    static struct sales_model trial;
    struct sales_answer answer;
    trial = run->model;
    sales_do_asides(&trial, &run->lsns, asides);
    sales_model_call(&trial, &run->sales->requests[run->next], run->next, &answer);
    return answer;
}

/* Is the status one of those that the model allows, and does it tell when to ask again? */
static bool sales_judge_status(struct sales_run *run, const struct sales_answer *answer,
                               cellar_status status, const cellar_refusal *refusal) {
    bool right = answer->reason_count == 0 ? status == CELLAR_OK : sales_answer_has(answer, status);
    if (!right) {
        return sales_wrong(run, "status", status,
                           answer->reason_count == 0 ? CELLAR_OK : answer->reasons[0]);
    }
    for (uint32_t i = 0; i < answer->reason_count; i++) {
        int64_t retry_ns = answer->retries_ns[i];
        if (answer->reasons[i] == status && retry_ns != 0 && refusal->retry_ns != retry_ns) {
            return sales_wrong(run, "time to ask again", refusal->retry_ns, retry_ns);
        }
    }
    return true;
}

/* Nobody is short of what is held by nobody any more, and nothing is given back but for who is
 * short. `before`: as the call was made. */
static bool sales_judge_expired(struct sales_run *run, const struct sales_answer *before,
                                uint64_t expired, cellar_status status) {
    if (expired != 0 && !sales_is_short(before)) {
        return sales_wrong(run, "given back for nobody", (int64_t)expired, 0);
    }
    if (status != CELLAR_OUT_OF_STOCK && status != CELLAR_INSUFFICIENT_FUNDS) {
        return true;
    }
    uint64_t due = sales_model_due(&run->model);
    struct sales_answer answer = sales_imagine_answer(run, due);
    return sales_answer_has(&answer, status) ||
           sales_wrong(run, "short of what is due", status, (int64_t)due);
}

static bool sales_judge_sweep(struct sales_run *run) {
    uint64_t due = sales_model_due(&run->model);
    return due == 0 || sales_wrong(run, "not given back", (int64_t)due, 0);
}

/* Of a call that was answered OK. */
static bool sales_judge_ticket(struct sales_run *run, const struct sales_answer *answer,
                               const cellar_ticket *ticket) {
    if (ticket->repeated != answer->repeated) {
        return sales_wrong(run, "repeated", ticket->repeated, answer->repeated);
    }
    if (answer->first != 0 && ticket->lsn != sales_lsn_of(run, answer->first)) {
        return sales_wrong(run, "lsn of the first time", (int64_t)ticket->lsn,
                           (int64_t)sales_lsn_of(run, answer->first));
    }
    if (answer->repeated) {
        return true;
    }
    return (ticket->remaining == answer->remaining ||
            sales_wrong(run, "remaining", ticket->remaining, answer->remaining)) &&
           (ticket->rank == answer->rank ||
            sales_wrong(run, "rank", (int64_t)ticket->rank, (int64_t)answer->rank)) &&
           (ticket->waiting == answer->waiting ||
            sales_wrong(run, "waiting", ticket->waiting, answer->waiting));
}

/* ---- One call ---- */

/* The call as it is made here: with the tokens that this store has given out. */
static const struct sales_request *sales_request_of(const struct sales_run *run) {
    static struct sales_request request;
    /* It points into itself, and into the original, which says the same but for tokens. */
    request = run->sales->requests[run->next];
    for (uint32_t i = 0; i < request.count; i++) {
        struct sales_operation *step = &request.steps[i];
        if (step->operation.lease != NULL) {
            uint32_t acquired =
                sales_model_token(&run->model, sales_lease_number(step->lease.name));
            bool known = acquired != 0 && !step->stale;
            step->lease.token = known ? sales_lsn_of(run, acquired) : 1;
            step->operation.lease = &step->lease;
        }
    }
    return &request;
}

static void sales_acknowledge(struct sales_run *run, uint64_t lsn) {
    run->acknowledged = lsn > run->acknowledged ? lsn : run->acknowledged;
}

/* What it has said beside the status. */
struct sales_result {
    cellar_ticket ticket;
    cellar_refusal refusal;
};

/* The store has done it, or says why not. */
static cellar_status sales_do(struct sales_run *run, const struct sales_answer *before,
                              const cellar_call *options, struct sales_result *result) {
    const struct sales_request *request = sales_request_of(run);
    int64_t wait_ms = options == NULL || options->wait_ms == 0 ? -1 : options->wait_ms;
    if (request->deed == SALES_SWEEP) {
        return sales_sweep(run, wait_ms);
    }
    cellar_status status = CELLAR_OK;
    if (sales_is_short(before) && sales_model_due(&run->model) != 0) {
        status = sales_await_lists(run, wait_ms);
    }
    return status == CELLAR_OK
               ? sales_call(request, run->store, options, &result->ticket, &result->refusal)
               : status;
}

/* Answered: the model goes on, too. */
static bool sales_answered(struct sales_run *run, const struct sales_answer *before,
                           uint64_t expired, cellar_status status,
                           const struct sales_result *result) {
    const cellar_ticket *ticket = &result->ticket;
    uint32_t call = run->next;
    bool sweep = run->sales->requests[call].deed == SALES_SWEEP;
    struct sales_answer answer = sales_imagine_answer(run, 0);
    bool right =
        sales_judge_status(run, &answer, status, &result->refusal) &&
        (sweep ? sales_judge_sweep(run) : sales_judge_expired(run, before, expired, status)) &&
        (status != CELLAR_OK || sales_judge_ticket(run, &answer, ticket));
    bool changed = answer.reason_count == 0 && !answer.repeated && !sweep;
    sales_model_call(&run->model, &run->sales->requests[call], call, &answer);
    run->lsns.calls[call] = changed ? ticket->lsn : 0;
    run->ends[call] = run->lsns.calls[call];
    for (uint32_t i = 0; i < SALES_ASIDE_STOCK; i++) {
        bool done = (run->asides[call] >> i & 1) != 0;
        if (done && run->lsns.asides[i] > run->ends[call]) {
            run->ends[call] = run->lsns.asides[i];
        }
    }
    run->expired += (uint64_t)__builtin_popcountll(expired);
    run->expired_by_callers += sweep ? 0 : (uint64_t)__builtin_popcountll(expired);
    run->next++;
    return right;
}

bool sales_step(struct sales_run *run, const cellar_call *options, cellar_status *status_out) {
    struct sales_result result = {0};
    const cellar_ticket *ticket = &result.ticket;
    sales_set_clock(run);
    struct sales_answer before = sales_imagine_answer(run, 0);
    cellar_status status = sales_do(run, &before, options, &result);
    bool durable = status == CELLAR_OK && options != NULL && options->durability == CELLAR_DURABLE;
    sales_acknowledge(run, cellar_durable_lsn(run->store));
    sales_acknowledge(run, durable && ticket->lsn != 0 ? ticket->lsn + 1 : 0);
    *status_out = status;
    uint64_t expired = sales_follow_expired(run);
    /* Committed, and not known to be durable: the next opening tells. */
    bool unknown =
        (status == CELLAR_OUTCOME_UNKNOWN || status == CELLAR_TIMEOUT) && ticket->lsn != 0;
    if (!unknown && !sales_is_answer(status)) {
        return true;
    }
    return sales_answered(run, &before, expired, unknown ? CELLAR_OK : status, &result);
}

/* ---- The whole store ---- */

bool sales_compare(struct sales_run *run) {
    static struct sales_state state;
    char wrong[300];
    /* Not that of the call before: the next one may have got as far as a settlement. */
    sales_set_clock(run);
    if (sales_look(run->store, &run->lsns, run->next, &state, wrong) &&
        sales_same(&state, &run->model.state, wrong)) {
        return true;
    }
    if (run->wrong[0] == '\0') {
        (void)snprintf(run->wrong, sizeof run->wrong, "before call %u: %.260s", run->next, wrong);
    }
    return false;
}

static cellar_status sales_read_order(cellar *store, uint32_t number) {
    cellar_order order;
    cellar_order_line lines[SALES_LINES];
    cellar_status status = cellar_order_get(store, sales_order(number), &order, lines, SALES_LINES);
    if (status == CELLAR_OK) {
        status = cellar_order_at(store, order.id, order.version, &order, lines, SALES_LINES);
    }
    return status == CELLAR_NOT_FOUND ? CELLAR_OK : status;
}

cellar_status sales_read(struct sales_run *run) {
    cellar *store = run->store;
    cellar_entry entries[16];
    cellar_coupon coupons[16];
    size_t count;
    cellar_status status = CELLAR_OK;
    for (uint32_t i = 0; status == CELLAR_OK && i < SALES_ORDERS; i++) {
        status = sales_read_order(store, i);
    }
    for (uint64_t id = 1; status == CELLAR_OK && id <= SALES_ACCOUNTS; id++) {
        status = cellar_account_journal(store, id, 0, entries, 16, &count);
    }
    for (uint32_t i = 0; status == CELLAR_OK && i < SALES_CAMPAIGNS; i++) {
        const cellar_coupon_query query = {.campaign = sales_campaign(i)};
        status = cellar_coupon_list(store, &query, coupons, 16, &count);
    }
    return status;
}

/* ---- After another opening ---- */

/* The model once more from the beginning, as the store has gone. */
static void sales_rebuild(struct sales_run *run, uint32_t end) {
    struct sales_answer answer;
    sales_model_begin(&run->model);
    for (uint32_t i = 0; i < end; i++) {
        sales_model_clock(&run->model, sales_time_ms(i));
        sales_do_asides(&run->model, &run->lsns, run->asides[i]);
        sales_model_call(&run->model, &run->sales->requests[i], i, &answer);
    }
    run->next = end;
    run->asides[end] = 0;
}

void sales_reopened(struct sales_run *run) {
    sales_set_clock(run);
    (void)sales_follow_expired(run);
}

/* The first call that is lost may have opened the stocks that it needs. */
static void sales_follow_opened(struct sales_run *run) {
    static struct sales_model trial;
    struct sales_answer answer;
    uint64_t opened = sales_look_opened(run->store);
    trial = run->model;
    sales_model_call(&trial, &run->sales->requests[run->next], run->next, &answer);
    for (uint32_t i = 0; i < SALES_STOCKS; i++) {
        uint64_t aside = UINT64_C(1) << (SALES_ASIDE_STOCK + i);
        if ((opened & aside) != 0 && run->model.state.stocks[i].status != CELLAR_OK &&
            trial.state.stocks[i].status == CELLAR_OK) {
            sales_do_asides(&run->model, &run->lsns, aside);
            run->asides[run->next] |= aside;
        }
    }
}

bool sales_restore(struct sales_run *run, bool sweep, uint32_t *lost_out) {
    const struct commits_left_query query = {.store = run->store,
                                             .first_lsn = run->ends,
                                             .stride_bytes = sizeof *run->ends,
                                             .count = run->next,
                                             .acknowledged = run->acknowledged};
    size_t left = 0;
    if (!commits_left(&query, &left, run->wrong, sizeof run->wrong)) {
        return false;
    }
    *lost_out = run->next - (uint32_t)left;
    run->acknowledged = 0;
    sales_rebuild(run, (uint32_t)left);
    sales_reopened(run);
    if (run->next < SALES_CALLS) {
        sales_follow_opened(run);
    }
    if (!sales_compare(run) || !sweep) {
        return run->wrong[0] == '\0';
    }
    cellar_status status = sales_sweep(run, -1);
    (void)sales_follow_expired(run);
    return (status == CELLAR_OK || sales_wrong(run, "sweep before", status, 0)) &&
           sales_judge_sweep(run) && sales_compare(run);
}
