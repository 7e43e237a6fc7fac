/* Going through the day. */
#include "support/sales.h"

#include "base/atomic.h"
#include "support/commits_left.h"

#include <stdio.h>
#include <string.h>

/* Days that are tried until one has every kind of call; most have. */
#define SALES_DAYS_MAX 50
/* The clock before the first call, and what it goes on with each. Not whole seconds, as times to
 * live are: a lease never runs out in the millisecond of a call. */
#define SALES_MORNING_MS INT64_C(1700000000000)
#define SALES_CALL_MS 30207

static _Atomic int64_t sales_now_ms = SALES_MORNING_MS;

static int64_t sales_clock(void *context) {
    (void)context;
    return ATOMIC_LOAD(&sales_now_ms, relaxed) * NANOSECONDS_PER_MILLISECOND;
}

static void sales_set_clock(int64_t now_ms) {
    ATOMIC_STORE(&sales_now_ms, now_ms, relaxed);
}

static int64_t sales_time_ms(uint32_t call) {
    return SALES_MORNING_MS + (int64_t)(call + 1) * SALES_CALL_MS;
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
    /* It is not known yet how much of the day is left. */
    sales_set_clock(SALES_MORNING_MS);
    return engine_open(&config, &options, store_out, problem);
}

/* ---- The day as it should be ---- */

/* Every kind of call must be done, something refused, something asked twice, or the day shows less
 * than it seems to. */
static bool sales_is_whole(const struct sales *sales) {
    uint32_t done[SALES_DEEDS] = {0};
    uint32_t refused = 0;
    uint32_t repeated = 0;
    for (uint32_t i = 0; i < SALES_CALLS; i++) {
        done[sales->requests[i].deed] += sales->changes[i];
        refused += sales->answers[i].reason_count != 0;
        repeated += sales->answers[i].repeated;
    }
    bool whole = refused != 0 && repeated != 0;
    for (uint32_t deed = 0; deed < SALES_DEEDS; deed++) {
        whole = whole && done[deed] != 0;
    }
    return whole;
}

static void sales_imagine(struct sales *sales, uint64_t seed) {
    static struct sales_model model;
    memset(sales, 0, sizeof *sales);
    sales->seed = seed;
    sales_model_begin(&model);
    sales_model_clock(&model, sales_time_ms(0));
    sales->states[0] = model.state;
    for (uint32_t i = 0; i < SALES_CALLS; i++) {
        struct sales_answer *answer = &sales->answers[i];
        sales_draw(seed, i, &sales->requests[i]);
        sales_model_call(&model, &sales->requests[i], i, answer);
        sales_model_clock(&model, sales_time_ms(i + 1));
        sales->changes[i] = answer->reason_count == 0 && !answer->repeated;
        sales->states[i + 1] = model.state;
        for (uint32_t lease = 0; lease < SALES_LEASES; lease++) {
            sales->tokens[i + 1][lease] = sales_model_token(&model, lease);
        }
    }
}

bool sales_make(struct sales *sales, uint64_t seed) {
    for (uint64_t i = 0; i < SALES_DAYS_MAX; i++) {
        sales_imagine(sales, seed + i);
        if (sales_is_whole(sales)) {
            return true;
        }
    }
    (void)snprintf(sales->wrong, sizeof sales->wrong, "no day had every kind of call");
    return false;
}

/* ---- A day as it is ---- */

static bool sales_wrong(struct sales_run *run, const char *what, uint32_t call, int64_t got,
                        int64_t expected) {
    if (run->wrong[0] == '\0') {
        (void)snprintf(run->wrong, sizeof run->wrong, "%s, call %u: %lld, not %lld", what, call,
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

/* Is the status one of those that the model allows? */
static bool sales_judge_status(struct sales_run *run, uint32_t call, cellar_status status) {
    const struct sales_answer *answer = &run->sales->answers[call];
    bool right = answer->reason_count == 0 && status == CELLAR_OK;
    for (uint32_t i = 0; i < answer->reason_count; i++) {
        right = right || status == answer->reasons[i];
    }
    return right || sales_wrong(run, "status", call, status,
                                answer->reason_count == 0 ? CELLAR_OK : answer->reasons[0]);
}

/* Of a call that was answered OK. */
static bool sales_judge_ticket(struct sales_run *run, uint32_t call, const cellar_ticket *ticket) {
    const struct sales_answer *answer = &run->sales->answers[call];
    if (ticket->repeated != answer->repeated) {
        return sales_wrong(run, "repeated", call, ticket->repeated, answer->repeated);
    }
    if (answer->first != 0 && ticket->lsn != run->lsns[answer->first - 1]) {
        return sales_wrong(run, "lsn of the first time", call, (int64_t)ticket->lsn,
                           (int64_t)run->lsns[answer->first - 1]);
    }
    if (answer->repeated) {
        return true;
    }
    return (ticket->remaining == answer->remaining ||
            sales_wrong(run, "remaining", call, ticket->remaining, answer->remaining)) &&
           (ticket->rank == answer->rank ||
            sales_wrong(run, "rank", call, (int64_t)ticket->rank, (int64_t)answer->rank)) &&
           (ticket->waiting == answer->waiting ||
            sales_wrong(run, "waiting", call, ticket->waiting, answer->waiting));
}

/* The call as it is made here: with the tokens that this store has given out. */
static const struct sales_request *sales_request_of(const struct sales_run *run, uint32_t call) {
    static struct sales_request request;
    /* It points into itself, and into the original, which says the same but for tokens. */
    const struct sales_request *drawn = &run->sales->requests[call];
    request = *drawn;
    for (uint32_t i = 0; i < request.count; i++) {
        struct sales_operation *step = &request.steps[i];
        if (step->operation.lease != NULL) {
            uint32_t acquired = run->sales->tokens[call][sales_lease_number(step->lease.name)];
            bool known = acquired != 0 && !step->stale;
            step->lease.token = known ? run->lsns[acquired - 1] : 1;
            step->operation.lease = &step->lease;
        }
    }
    return &request;
}

static void sales_acknowledge(struct sales_run *run, uint64_t lsn) {
    run->acknowledged = lsn > run->acknowledged ? lsn : run->acknowledged;
}

bool sales_step(struct sales_run *run, const cellar_call *options, cellar_status *status_out) {
    uint32_t call = run->next;
    cellar_ticket ticket = {0};
    sales_set_clock(sales_time_ms(call));
    cellar_status status = sales_call(sales_request_of(run, call), run->store, options, &ticket);
    bool durable = status == CELLAR_OK && options != NULL && options->durability == CELLAR_DURABLE;
    sales_acknowledge(run, cellar_durable_lsn(run->store));
    sales_acknowledge(run, durable ? ticket.lsn + 1 : 0);
    *status_out = status;
    /* Committed, and not known to be durable: the next opening tells. */
    bool unknown =
        (status == CELLAR_OUTCOME_UNKNOWN || status == CELLAR_TIMEOUT) && ticket.lsn != 0;
    if (!unknown && !sales_is_answer(status)) {
        return true;
    }
    run->next++;
    run->lsns[call] = run->sales->changes[call] ? ticket.lsn : 0;
    cellar_status answer = unknown ? CELLAR_OK : status;
    return sales_judge_status(run, call, answer) &&
           (answer != CELLAR_OK || sales_judge_ticket(run, call, &ticket));
}

/* Is the store what the model was before the next call? */
static bool sales_compare(struct sales_run *run) {
    static struct sales_state state;
    char wrong[300];
    /* Not that of the call before: the next one may have got as far as a settlement. */
    sales_set_clock(sales_time_ms(run->next));
    if (sales_look(run->store, run->lsns, run->next, &state, wrong) &&
        sales_same(&state, &run->sales->states[run->next], wrong)) {
        return true;
    }
    if (run->wrong[0] == '\0') {
        (void)snprintf(run->wrong, sizeof run->wrong, "before call %u: %.260s", run->next, wrong);
    }
    return false;
}

bool sales_go_through(struct sales *sales) {
    static struct sales_run run;
    struct memory_disk *disk = memory_disk_create();
    cellar_problem problem = {0};
    run = (struct sales_run){.sales = sales};
    bool right = sales_open(&run.store, memory_disk_io(disk), &problem) == CELLAR_OK;
    while (right && run.next < SALES_CALLS) {
        cellar_status status;
        uint32_t call = run.next;
        right = sales_step(&run, NULL, &status) &&
                (run.next > call || sales_wrong(&run, "status", call, status, CELLAR_OK)) &&
                sales_compare(&run);
    }
    if (run.store != NULL) {
        (void)cellar_close(run.store);
    }
    memory_disk_destroy(disk);
    (void)snprintf(sales->wrong, sizeof sales->wrong, "%.200s%.90s", run.wrong, problem.text);
    return right;
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
    const cellar_coupon_query query = {.campaign = SALES_CAMPAIGN};
    return status == CELLAR_OK ? cellar_coupon_list(store, &query, coupons, 16, &count) : status;
}

bool sales_restore(struct sales_run *run, uint32_t *lost_out) {
    const struct commits_left_query query = {.store = run->store,
                                             .first_lsn = run->lsns,
                                             .stride_bytes = sizeof *run->lsns,
                                             .count = run->next,
                                             .acknowledged = run->acknowledged};
    size_t left = 0;
    if (!commits_left(&query, &left, run->wrong, sizeof run->wrong)) {
        return false;
    }
    *lost_out = run->next - (uint32_t)left;
    run->next = (uint32_t)left;
    run->acknowledged = 0;
    return sales_compare(run);
}
