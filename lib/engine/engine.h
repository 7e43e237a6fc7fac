/* The engine: one open store, its threads, and how a public call runs. Implements cellar.h. */
#ifndef CELLAR_ENGINE_ENGINE_H
#define CELLAR_ENGINE_ENGINE_H

#include "base/clock.h"
#include "base/io.h"
#include "cellar.h"
#include "commit/commit.h"
#include "log/log.h"
#include "store/plan_coupon.h"
#include "store/store.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define ENGINE_RING_BYTES_DEFAULT (UINT64_C(32) << 20)
#define ENGINE_SEGMENT_BYTES_DEFAULT (UINT64_C(64) << 20)
/* More than the log itself asks for. */
#define ENGINE_SEGMENT_BYTES_MIN (UINT64_C(1) << 20)
#define ENGINE_PRODUCTS_DEFAULT (1u << 20)
#define ENGINE_STOCKS_DEFAULT (1u << 21)
#define ENGINE_ACCOUNTS_DEFAULT (1u << 24)
#define ENGINE_ORDERS_DEFAULT (1u << 24)
#define ENGINE_CUSTOMERS_DEFAULT (1u << 24)
#define ENGINE_CLOCK_JUMP_DEFAULT_NS (INT64_C(24) * 3600 * 1000 * NANOSECONDS_PER_MILLISECOND)
#define ENGINE_CAMPAIGNS_DEFAULT (1u << 16)
#define ENGINE_GRANTS_DEFAULT (1u << 24)
#define ENGINE_CODES_DEFAULT (1u << 20)
#define ENGINE_LEASES_DEFAULT (1u << 16)
/* Longest wait for ring space when the caller did not say. */
#define ENGINE_SPACE_WAIT_MS 10000
/* Attempts of one call before CONFLICT. Each failed one means that another call's commit succeeded,
 * so this is out of reach of any load that was ever measured; it bounds the loop. */
#define ENGINE_ATTEMPTS_MAX 1000000
/* See call_stand_aside(): from which conflict on, the first time, and how often it doubles. */
#define ENGINE_CONFLICTS_BEFORE_ASIDE 2
#define ENGINE_ASIDE_NS 2000
#define ENGINE_ASIDE_DOUBLINGS 4
/* Rule 7: after so many conflicts the call asks the others to hold back. */
#define ENGINE_ATTEMPTS_BEFORE_COURTESY 4
/* A call of so many cells or more may ask: a narrow one gets through by itself. */
#define ENGINE_COURTESY_CELLS 8

#define ENGINE_CALL_SHARDS 64

struct engine_calls {
    _Alignas(CACHE_LINE_BYTES) _Atomic int64_t count;
};

/* Slots that are due, from the follower to the thread that expires them. */
#define EXPIRY_QUEUE 1024u
#define EXPIRY_PUT_OFF_MAX 64u
struct expiry {
    pthread_t thread;
    bool runs;
    _Atomic uint32_t stopping;
    _Atomic uint32_t epoch; /* futex */
    _Alignas(CACHE_LINE_BYTES) _Atomic uint32_t head;
    _Alignas(CACHE_LINE_BYTES) _Atomic uint32_t tail;
    _Atomic uint32_t slots[EXPIRY_QUEUE];
    /* Its own: due, but forbidden by a rule for now. */
    uint32_t put_off[EXPIRY_PUT_OFF_MAX];
    uint32_t put_off_count;
};

struct cellar {
    cellar_config config;
    struct memory *memory;
    struct commit *commit;
    struct store *store;
    struct log *log;
    _Atomic uint64_t *fork_guard; /* not 0 here, 0 in a forked child */

    _Alignas(CACHE_LINE_BYTES) _Atomic uint32_t closing;
    struct engine_calls calls[ENGINE_CALL_SHARDS];

    /* The follower: applies records to derived state. */
    pthread_t follower;
    bool follower_runs;
    _Atomic uint32_t follower_stopping;
    _Atomic uint32_t listed_epoch; /* futex: changes when `projected` has grown and someone waits */
    _Atomic uint32_t listed_waiters;
    _Atomic(cellar_audit *) audit_wanted;
    _Atomic uint32_t audit_done; /* futex */
    pthread_mutex_t audit_lock;  /* one audit at a time; never taken by any other call */

    struct expiry expiry;

    /* The latest time handed out, to a millisecond; raised, never lowered. And the monotonic clock
     * then, or later. */
    _Alignas(CACHE_LINE_BYTES) _Atomic int64_t latest_ns;
    _Atomic int64_t latest_monotonic_ns;

    uint64_t recovery_ns;
    uint64_t recovery_records;
    int64_t close_report_ns; /* how long close waits before it says so */
};

/* For tests: opens with another table of file functions, or with the oracle in place of the
 * lock-free commit, or with another time after which close says that it waits (0: as usual). */
struct engine_options {
    const struct io *io;
    bool oracle;
    int64_t close_report_ns;
};
cellar_status engine_open(const cellar_config *config, const struct engine_options *options,
                          cellar **store_out, cellar_problem *problem_out);

/* ---- call.c: around every public call ---- */

struct engine_call {
    cellar *engine;
    struct engine_calls *shard;
    int cancel_state;
};
/* CELLAR_OK, INVALID_ARGUMENT (no handle), FORKED or CLOSED; only after OK the call must be left.
 */
cellar_status engine_enter(struct engine_call *call, const cellar *engine);
void engine_leave(struct engine_call *call);
/* The store's time: the clock's, held where it is while the clock is behind, or has jumped further
 * ahead than is believed. */
int64_t engine_now(cellar *engine);

/* Plans and commits until it is done or refused, then waits for durability as `options` say. `kind`
 * of the record is the plan's. */
cellar_status engine_transact(cellar *engine, const cellar_call *options, struct plan *plan,
                              plan_function *function, void *request, cellar_ticket *ticket_out,
                              cellar_refusal *refusal_out);
/* A change in a commit of its own, from its request to its ticket. */
struct engine_change {
    plan_check *check; /* NULL: nothing to check */
    plan_function *function;
    void *request;
    /* What needs memory or the log's files, before the first attempt and outside of sections; NULL:
     * nothing. May say more of a failure in plan->refusal than its status. */
    cellar_status (*prepare)(cellar *engine, const cellar_call *call, struct plan *plan,
                             void *request);
    /* Behind that, whatever came of it. ticket->lsn is 0 when nothing was committed. */
    void (*finish)(cellar *engine, void *request, const cellar_ticket *ticket);
};
/* Inside the door. */
cellar_status engine_run(cellar *engine, const cellar_call *call,
                         const struct engine_change *change, cellar_ticket *ticket_out,
                         cellar_refusal *refusal_out);
/* The whole of a public call. */
cellar_status engine_change(cellar *store, const cellar_call *call,
                            const struct engine_change *change, cellar_ticket *ticket_out,
                            cellar_refusal *refusal_out);
/* Copies plan->refusal out. */
cellar_status engine_refused(const struct plan *plan, cellar_refusal *refusal_out);
/* INVALID_ARGUMENT, with the refusal filled in, before there is a plan. */
cellar_status engine_invalid(cellar_refusal *refusal_out, const char *reason);
/* Tells the operator, if the host wants to hear it. */
void engine_report(const cellar *engine, cellar_report_level level, const char *text);
bool engine_call_valid(const cellar_call *options);
cellar_status engine_wait_durable(cellar *engine, const cellar_call *options, uint64_t lsn);
bool engine_is_durable(const cellar *engine, const cellar_call *options);
int64_t engine_deadline(int64_t timeout_ms);
/* Until when the call may wait for space; INT64_MIN: not at all. */
int64_t engine_space_deadline(const cellar_call *options);
/* How long a call may wait for space in all. Its deadline is read from the clock only when somebody
 * has to wait. */
struct engine_wait {
    const cellar_call *options;
    int64_t deadline_ns;
    bool known;
};
int64_t engine_wait_deadline(struct engine_wait *wait);
/* How to make a commit of its own that a call needs before it goes on: it waits no longer than is
 * left of the call's time. */
cellar_call engine_call_before(struct engine_wait *wait);

/* ---- products.c ---- */

/* The block that is current; NULL when the product does not exist. Inside a section. */
const struct store_attributes *product_current(const struct store *store, uint32_t slot,
                                               uint64_t *version_out);
/* With a NUL behind it. */
void product_copy_text(char *into, const char *from, size_t bytes);

/* ---- transactions.c ---- */

/* The whole of a public call that is one operation. */
cellar_status engine_operate(cellar *store, const cellar_call *call,
                             const cellar_operation *operation, cellar_ticket *ticket_out,
                             cellar_refusal *refusal_out);

/* ---- coupons.c ---- */

/* Room for the lines of what is redeemed; then, of what was committed now, the discounts out. */
cellar_status engine_redeem_prepare(cellar *engine, struct plan *plan,
                                    struct plan_redeem_request *request);
void engine_redeem_finish(cellar *engine, struct plan_redeem_request *request,
                          const cellar_ticket *ticket);

/* ---- close.c ---- */

/* When close tells the operator that it waits: first after a second, then whenever it has waited as
 * long again, but each minute. By the monotonic clock. */
#define CLOSE_REPORT_FIRST_NS NANOSECONDS_PER_SECOND
#define CLOSE_REPORT_PAUSE_MAX_NS (60 * NANOSECONDS_PER_SECOND)
struct close_reports {
    int64_t start_ns;
    int64_t due_ns;
    int64_t pause_ns;
    bool told;
};
void close_reports_begin(struct close_reports *reports, int64_t now_ns, int64_t first_ns);
/* True when it is time, once each time. */
bool close_reports_due(struct close_reports *reports, int64_t now_ns);
/* After `closing` was raised: returns when no call is inside. */
void close_wait_for_calls(cellar *engine);

/* ---- account_holds.c ---- */

/* Any thread, outside of sections: gives the money of the hold back if it is overdue; the ticket is
 * `repeated` when there was nothing to do, which is OK, too. `slot` is its document's. */
cellar_status engine_account_expire(cellar *engine, const cellar_call *call, uint32_t slot,
                                    cellar_ticket *ticket_out);

/* ---- follower.c ---- */

cellar_status follower_start(cellar *engine);
void follower_stop(cellar *engine);
/* Until the record at `lsn` is applied: at once, the follower goes ahead of the disk for it. OK,
 * TIMEOUT, FAILED. */
cellar_status follower_wait(cellar *engine, uint64_t lsn, int64_t deadline_ns);
/* Until it can be read from the log's files as well: after a sync that is under way. */
cellar_status follower_wait_file(cellar *engine, uint64_t lsn);

/* ---- orders.c ---- */

/* Fills in the record that placed the order, for a return: it may be closed, its lines only in the
 * ledger. NULL for other steps, and when there is no such order. For log_release_record(). */
cellar_status engine_order_placed(cellar *engine, const cellar_call *call,
                                  struct plan_step_request *request);

/* ---- expiry.c ---- */

cellar_status expiry_start(cellar *engine);
void expiry_stop(cellar *engine);
/* The follower: hands over what is due. */
void expiry_feed(cellar *engine);
/* Any call, outside of sections, when its plan was refused: expires some of what is overdue of the
 * stock or the account that is short. True: plan again. False: the refusal is to be told, with when
 * the next hold runs out, 0: unknown. When all that was overdue could not be committed, for want of
 * space in time or because the log has failed, that is the refusal. */
bool expiry_run_overdue(cellar *engine, struct plan *plan, struct engine_wait *wait);

/* ---- journal.c ---- */

/* Fills in what the record says of the account: of a composed one, the first part about it. */
void journal_describe(const struct record_header *record, uint64_t account, cellar_entry *entry);

/* ---- collected.c ---- */

/* A record is of the past when it lies up to both. */
struct collected_moment {
    uint64_t lsn;
    int64_t time_ns; /* INT64_MAX: any */
};
/* Outside of sections: waits until the log has been followed behind all that was committed when the
 * call began, and takes the moment back to that. FAILED. */
cellar_status collected_know(cellar *engine, struct collected_moment *moment);
/* What the account in `slot` had collected then, ever, modulo 2^64. Reads a stretch of the log. */
cellar_status collected_until(cellar *engine, uint32_t slot, const struct collected_moment *moment,
                              uint64_t *sum_out);

/* ---- ledger.c ---- */

/* The committed record at `lsn`, which the log itself has named: from its files, where its time is
 * final, or copied from the ring while it is there. Release with log_release_record(). CORRUPT:
 * there is none; IO_ERROR, OUT_OF_MEMORY. */
cellar_status ledger_read_file(cellar *engine, uint64_t lsn, struct record_header **record_out);
cellar_status ledger_read(cellar *engine, uint64_t lsn, struct record_header **record_out);
/* What the cell held before the change at `before`, along its own changes since, of which the
 * latest is at `lsn`: *value_in_out is what it holds after that. */
cellar_status ledger_rewind(cellar *engine, uint32_t cell, uint64_t lsn, uint64_t before,
                            int64_t *value_in_out);

#endif
