/* clang-format off */
/* cellar.h - sell things without overselling.
 *
 * A host program links cellar, opens a store in a directory, and from then on sells from any number
 * of threads: products, stock, accounts, coupons and orders live in memory, every change is one
 * lock-free commit over all the words it touches, and every commit is in a write-ahead log before
 * it is acknowledged. This header is the manual; docs/ tells how it works inside.
 *
 *     cellar *shop;
 *     cellar_config config = {.size = sizeof config, .directory = "shop.d"};
 *     if (cellar_open(&config, &shop, NULL) != CELLAR_OK) ...
 *     cellar_product product = {.sku = "tea", .name = "Green tea", .unit_price = 450};
 *     cellar_product_put(shop, NULL, &product, CELLAR_VERSION_ANY, NULL, NULL);
 *     cellar_line line = {.sku = "tea", .quantity = 10};
 *     cellar_stock_change delivery = {.lines = &line, .line_count = 1};
 *     cellar_stock_receive(shop, NULL, &delivery, NULL, NULL);
 *     cellar_close(shop);
 *
 * What holds for every call, unless its comment says otherwise:
 *
 *   Threads     Any thread may call any function at any time; nothing has to be registered.
 *               cellar_close() ends that.
 *   Progress    Calls that only read take no lock and never wait for the disk, except those that
 *               read the log's files: history, journals, the past, lines of closed orders. What
 *               follows the log (lists, sums, contents of orders) is applied by a thread of the
 *               store: who reads an order or a code that has just changed waits for that,
 *               microseconds, also while the disk hangs. A change is lock-free up to its commit:
 *               an attempt fails only because another one succeeded. When the log's ring is full a
 *               change waits for space as long as `wait_ms` of its cellar_call allows, else BUSY.
 *   Durability  A change returns when it is on disk (CELLAR_DURABLE), or at once with the ticket
 *               (CELLAR_RELAXED), for a later cellar_wait(). A crash leaves a prefix of the log:
 *               nothing durable is lost, nothing is half done. What a read returns may be newer
 *               than the disk: it is durable once cellar_durable_lsn() is greater than its version.
 *   Atomicity   A call changes all it names or nothing. A refusal leaves no trace and may be tried
 *               again.
 *   Memory      What is passed in is copied. Nothing that comes out points into the store; results
 *               are copied into the caller's structs and arrays.
 *   Units       Money is int64 in minor units of a currency and scale chosen by the host.
 *               Quantities are int64 pieces. Both are at most CELLAR_AMOUNT_MAX either way; a sum
 *               beyond that is refused with OVERFLOW and never wraps. Times are int64 nanoseconds
 *               since 1970-01-01 UTC; timeouts are milliseconds.
 *   Versions    Every changeable thing carries the LSN that last wrote it. LSNs are multiples of
 *               64, only grow, and never come back with another meaning, also after a crash.
 *   Ids         128-bit ids chosen by the caller (a UUID fits) make orders, steps, returns, stock
 *               changes, transfers, holds, claims and transactions idempotent: the same request
 *               again answers OK with the first ticket and ticket.repeated set; the same id with
 *               another content is refused with ID_REUSED. All these share one space of ids.
 *               Products' numeric ids are given by cellar, from 1.
 *   Statuses    0 is OK, 1 to 99 are refusals (the answer to a correct question is no), from 100
 *               on failures. Besides those a call lists, every call may return INVALID_ARGUMENT,
 *               CLOSED and FORKED; every change also BUSY, CLOCK_JUMPED, DISK_FULL, STORE_FULL,
 *               CONFLICT, OVERFLOW, OUT_OF_MEMORY, FAILED, and, when it waits for durability,
 *               TIMEOUT and OUTCOME_UNKNOWN; every read FAILED, of what had just changed when the
 *               log failed.
 *   fork()      In a forked child every call returns FORKED.
 *   Signals     Calls are not async-signal-safe. Thread cancellation is held off inside a call. */
/* clang-format on */
#ifndef CELLAR_H
#define CELLAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define CELLAR_API __attribute__((visibility("default")))
#else
#define CELLAR_API
#endif

/* ---- Limits ---- */

#define CELLAR_SKU_BYTES_MAX 64 /* without the terminating NUL, like the next three */
#define CELLAR_NAME_BYTES_MAX 255
#define CELLAR_CATEGORY_BYTES_MAX 64
#define CELLAR_REFERENCE_BYTES_MAX 64
#define CELLAR_ATTRIBUTES_BYTES_MAX 65536
#define CELLAR_LINES_MAX 4096    /* lines of one order, return or stock change */
#define CELLAR_PAGE_MAX 1000     /* entries of one page of a list */
#define CELLAR_STEPS_MAX 64      /* steps of one transaction */
#define CELLAR_LOCATIONS_MAX 16  /* locations that an order may be taken from */
#define CELLAR_COMPONENTS_MAX 32 /* components of a kit */
#define CELLAR_COMPONENT_QUANTITY_MAX 1000000
#define CELLAR_BULK_MAX 65536 /* requests of one bulk call */
#define CELLAR_AMOUNT_MAX                                                                          \
    INT64_C(1000000000000000) /* 10^15, for money and quantities, of either sign */
#define CELLAR_PRODUCTS_MAX ((1u << 26) - 1)
#define CELLAR_STOCKS_MAX ((1u << 26) - 1)
#define CELLAR_ACCOUNTS_MAX ((1u << 26) - 1)
#define CELLAR_ORDERS_MAX (1u << 27)
#define CELLAR_CUSTOMERS_MAX (1u << 27)
#define CELLAR_REMEMBER_NS_MAX INT64_C(3155760000000000000) /* 100 years */
#define CELLAR_CATEGORIES_MAX 65535
#define CELLAR_CODE_BYTES_MAX 64
#define CELLAR_CAMPAIGNS_MAX ((1u << 22) - 1)
#define CELLAR_GRANTS_MAX ((1u << 27) - 1)
#define CELLAR_CODES_MAX ((1u << 26) - 1)
#define CELLAR_COUPONS_OF_CUSTOMER_MAX 255 /* of one campaign */
#define CELLAR_RESTRICTIONS_MAX 16         /* products, and categories, of one discount */
#define CELLAR_QUOTA_MAX                                                                           \
    INT64_C(1000000000000) /* 10^12: places, waiting places, uses of a code                        \
                            */
#define CELLAR_LEASES_MAX ((1u << 26) - 1)
#define CELLAR_LEASE_NAME_BYTES_MAX 64
#define CELLAR_LEASE_TTL_MS_MAX INT64_C(31622400000) /* 366 days */

/* ---- Statuses ---- */

/* number, name, sentence */
#define CELLAR_STATUS_TABLE(X)                                                                     \
    X(0, OK, "done")                                                                               \
    X(1, OUT_OF_STOCK, "fewer units are available than asked for")                                 \
    X(2, NOT_FOUND,                                                                                \
      "there is no such product, account, order, location, campaign, coupon or code")              \
    X(3, VERSION_CHANGED, "it has been changed since the version the caller saw")                  \
    X(4, ID_REUSED, "this id was used before for a request with another content")                  \
    X(5, NOT_SELLABLE, "the product is discontinued")                                              \
    X(6, INSUFFICIENT_FUNDS, "the balance would fall below the account's floor")                   \
    X(7, ILLEGAL_STEP, "the order is in a state that does not allow this step")                    \
    X(8, ALREADY_EXISTS, "it exists already")                                                      \
    X(9, HOLD_EXPIRED, "the time for which it was held is over")                                   \
    X(10, NOTHING_LEFT, "fewer units of the line are left for this step than asked for")           \
    X(11, CURRENCY_MISMATCH, "the accounts are of different currencies")                           \
    X(12, LEASE_HELD, "another holder has the lease")                                              \
    X(13, LEASE_LOST, "the lease has run out, was released, or has been acquired since")           \
    X(20, BUSY, "no space in the log ring within the time allowed; try again")                     \
    X(21, DISK_FULL, "the disk has no space for further commits; sales go on when it has")         \
    X(22, STORE_FULL, "a limit of the configuration is reached: no more objects of this kind")     \
    X(23, CONFLICT, "other commits came first too many times in a row; try again")                 \
    X(30, PAUSED, "the campaign is paused")                                                        \
    X(31, ENDED, "the campaign is closed")                                                         \
    X(32, NOT_STARTED, "the campaign has not begun")                                               \
    X(33, EXPIRED, "the time for this is over")                                                    \
    X(34, SOLD_OUT, "every place of the campaign, or every use of the code, is taken")             \
    X(35, ALREADY_CLAIMED, "the customer has all the coupons of this campaign he may have")        \
    X(36, PERIOD_CAP, "all coupons of this hour or day are taken; there are more in the next")     \
    X(37, WAITLIST_FULL, "every place is taken, and every place of the waiting list too")          \
    X(38, NOT_GRANTED, "the coupon is still on the waiting list")                                  \
    X(39, ALREADY_REDEEMED, "the coupon has been redeemed")                                        \
    X(40, REVOKED, "the coupon was given back or taken away")                                      \
    X(41, BUDGET_SPENT, "the discount is more than what is left of the campaign's budget")         \
    X(42, NOT_ELIGIBLE, "what is bought does not meet the conditions of the discount")             \
    X(43, BELOW_CLAIMED, "quota or budget would fall below what has been given out")               \
    X(44, NOT_REDEEMED, "it has not been redeemed")                                                \
    X(45, NOT_RESTORABLE, "by the rules of the campaign, what was redeemed stays so")              \
    X(46, CUSTOMER_PERIOD_CAP,                                                                     \
      "the customer has all the coupons he may claim in this hour or day")                         \
    X(100, INVALID_ARGUMENT, "an argument is outside of what the header allows")                   \
    X(101, OUT_OF_MEMORY, "memory could not be allocated; nothing was changed")                    \
    X(102, OVERFLOW, "a quantity or amount would leave the range of CELLAR_AMOUNT_MAX")            \
    X(103, TIMEOUT, "not durable within the time allowed; the commit stands and may become so")    \
    X(104, OUTCOME_UNKNOWN,                                                                        \
      "the log failed before the commit was durable; the next open will tell")                     \
    X(105, FAILED, "the log has failed; no change is accepted until the store is opened again")    \
    X(106, CLOSED, "the store is being closed")                                                    \
    X(107, FORKED, "the store belongs to the parent process")                                      \
    X(108, LOCKED, "the directory is open in another store or process")                            \
    X(109, IO_ERROR, "a file could not be read or written")                                        \
    X(110, CORRUPT, "the log is damaged where data was acknowledged; nothing has been changed")    \
    X(111, UNKNOWN_FORMAT, "the log was written by a version of cellar this one does not know")    \
    X(113, CLOCK_JUMPED, "the clock is further ahead of the last change than is believed")         \
    X(112, CONFIG_MISMATCH, "the store on disk needs a larger limit than the configuration allows")

typedef enum cellar_status {
#define CELLAR_STATUS_ENUM(number, name, sentence) CELLAR_##name = (number),
    CELLAR_STATUS_TABLE(CELLAR_STATUS_ENUM)
#undef CELLAR_STATUS_ENUM
} cellar_status;

/* "OUT_OF_STOCK". Static; "UNKNOWN" for a number not in the table. Never fails. */
CELLAR_API const char *cellar_status_name(cellar_status status);
/* The sentence. Static. Never fails. */
CELLAR_API const char *cellar_status_text(cellar_status status);
/* True for 1 to 99: the request was understood and answered with no. */
CELLAR_API bool cellar_status_is_refusal(cellar_status status);
/* "0.1.0". Static. */
CELLAR_API const char *cellar_version_string(void);

/* ---- Opening and closing ---- */

typedef struct cellar cellar;

typedef enum cellar_durability {
    CELLAR_DURABILITY_DEFAULT = 0, /* as configured; as configured by default: durable */
    CELLAR_DURABLE = 1,            /* the call returns when its commit is on disk */
    CELLAR_RELAXED =
        2 /* the call returns when its commit is visible; the log follows within milliseconds */
} cellar_durability;

typedef enum cellar_report_level {
    CELLAR_REPORT_NOTE = 0,
    CELLAR_REPORT_WARNING = 1,
    CELLAR_REPORT_ERROR = 2
} cellar_report_level;

/* `size` must be sizeof(cellar_config); every other member may be zero, which means the default in
 * brackets. A config from a newer header is accepted as long as what this library does not know of
 * it is zero. */
typedef struct cellar_config {
    size_t size;
    const char *directory; /* required; made when absent, its parent must exist */
    uint64_t ring_bytes;   /* in-memory log ring, a power of two, 64 KiB to 4 GiB [32 MiB]; a record
                              takes at most an eighth */
    uint64_t
        segment_bytes; /* size of a log file, 1 MiB to 16 GiB, at least half the ring [64 MiB] */
    uint32_t products_max; /* [1,048,576] address space only; memory is used as things come */
    uint32_t stocks_max;   /* pairs of product and location, at least products_max [2,097,152, or
                              products_max if that is more] */
    uint32_t accounts_max; /* [16,777,216] */
    uint32_t orders_max;   /* orders, returns, and whatever else has an id, at a time: see
                              remember_closed_ns [16,777,216] */
    cellar_durability durability;    /* [CELLAR_DURABLE] */
    int64_t (*clock)(void *context); /* wall clock in nanoseconds since the epoch [the system's];
                                        must be thread-safe */
    void *clock_context;
    /* Told of what an operator should know: segments, recovery, errors. Called from any thread,
     * outside of every lock and read section. [silent] */
    void (*report)(void *context, cellar_report_level level, const char *text);
    void *report_context;
    /* A clock that is suddenly further ahead than this, beyond the time that has really passed, is
     * not believed: changes are refused with CLOCK_JUMPED until it is back, since time in the log
     * never goes back. Not looked at by cellar_open(). [24 hours] */
    int64_t clock_jump_max_ns;
    uint32_t campaigns_max; /* [65,536] */
    uint32_t grants_max;    /* coupons claimed, of all campaigns together [16,777,216] */
    uint32_t codes_max;     /* [1,048,576] */
    uint32_t leases_max;    /* names of leases, ever [65,536] */
    uint32_t customers_max; /* customers with an order or return, ever [16,777,216, or orders_max if
                               that is more] */
    /* How long an order, or anything else that has an id, is remembered after the last thing that
     * happened to it, once it is closed: an order that is cancelled, expired or fulfilled, a
     * return, a hold of money that was posted, voided or has expired, and at once a step, stock
     * change, transfer, claim, redemption or transaction with an id. Then it leaves memory (is
     * retired), by a commit of the store's own, within about a second. From then on its id is
     * unknown: reads, and steps of the order, answer NOT_FOUND, the same request again is a new
     * one. Its records stay in the log: see cellar_order_at() and the list of a customer. May
     * differ from one opening to the next; what is overdue then is retired after opening. Longer
     * than any client tries again, and than goods may come back by line. Up to
     * CELLAR_REMEMBER_NS_MAX [0: for ever] */
    int64_t remember_closed_ns;
} cellar_config;

/* Says what went wrong where, for a person. */
typedef struct cellar_problem {
    cellar_status status;
    char text[512]; /* names the member, file or offset; empty when there is nothing to add to the
                       status */
} cellar_problem;

/* Opens the store in config->directory, creating it when absent, and recovers every commit that was
 * durable. Takes an exclusive lock on the directory. `problem_out` may be NULL. After a failure
 * *store_out is NULL and nothing on disk has been changed, except that an unused directory may
 * exist. LOCKED, IO_ERROR, CORRUPT, UNKNOWN_FORMAT, CONFIG_MISMATCH, OUT_OF_MEMORY,
 * INVALID_ARGUMENT. */
CELLAR_API cellar_status cellar_open(const cellar_config *config, cellar **store_out,
                                     cellar_problem *problem_out);

/* Refuses new calls with CLOSED, waits for those in flight, makes every commit durable and releases
 * everything; the handle is gone whatever is returned. There is no limit to the wait: a call in
 * flight may itself wait for the disk. It says so to config->report (WARNING): how many calls, how
 * long so far, how much of the log is not on disk; first after a second, then after 2, 4, 8, ...,
 * then each minute; and a NOTE when the last one has returned. The host must not start a call on
 * the handle after this one has returned. NULL is allowed. OK; OUTCOME_UNKNOWN when the log had
 * failed or failed now. */
CELLAR_API cellar_status cellar_close(cellar *store);

/* ---- Tickets, refusals, options of a call ---- */

/* What a change returns: proof of one commit. */
typedef struct cellar_ticket {
    uint64_t lsn;      /* the commit's position in the log and the new version of all it changed */
    int64_t time_ns;   /* when it was made, by the store's clock */
    int64_t remaining; /* stock calls of one line: available then; account calls: the balance then;
                          an order that is placed: its total, less its discount; else 0, and 0 when
                          repeated */
    uint64_t object;   /* product calls: the product's numeric id; else 0 */
    bool repeated; /* it had been done before: lsn and time are those of the first time (of a step
                      of an order, those of its latest step; of an account that was open, the lsn of
                      its latest change and time 0) */
    uint64_t rank; /* claims: the number of the claim within its campaign, from 1; else 0 */
    bool waiting;  /* claims: it is on the waiting list */
} cellar_ticket;

/* Why the answer was no, and what to do next. Every member is set by a call that returns a refusal
 * or INVALID_ARGUMENT. */
typedef struct cellar_refusal {
    cellar_status status;
    uint32_t line; /* the line of the request it is about, from 0; CELLAR_NO_LINE when about none */
    int64_t available; /* OUT_OF_STOCK: units available; INSUFFICIENT_FUNDS: what may be spent; else
                          0 */
    int64_t needed;    /* how much was asked for, over all lines of the same SKU and location */
    uint64_t version;  /* VERSION_CHANGED: the version now; 0 when the thing does not exist */
    uint32_t state;    /* ILLEGAL_STEP: the cellar_order_state it is in */
    uint32_t step;     /* of a transaction: the step that refused, from 0; else 0 */
    /* When the answer may be another. OUT_OF_STOCK, INSUFFICIENT_FUNDS: when the next hold on that
     * SKU and location (of an order that names several: on any of them), or of money of that
     * account, runs out (best effort); LEASE_HELD: when the lease does; PERIOD_CAP,
     * CUSTOMER_PERIOD_CAP: when the next period begins; NOT_STARTED: valid_from_ns. 0: unknown */
    int64_t retry_ns;
    const char *reason; /* INVALID_ARGUMENT: the member at fault, a static sentence; else NULL */
    uint64_t rank;      /* ALREADY_CLAIMED, CUSTOMER_PERIOD_CAP, NOT_GRANTED: the number of the
                           (latest) claim; else 0 */
    bool waiting;       /* the same: it is on the waiting list */
    uint64_t account;   /* INSUFFICIENT_FUNDS, CURRENCY_MISMATCH, and NOT_FOUND and OVERFLOW when
                           they are about an account: which one; else 0 */
} cellar_refusal;
#define CELLAR_NO_LINE UINT32_MAX

/* How one call is to be made. NULL in place of one, and zero in any member, mean the default. */
typedef struct cellar_call {
    cellar_durability durability;
    /* Longest wait for space in the ring, for all that the call commits, overdue holds that it
     * expires included; 0: 10 seconds; negative: do not wait. */
    int64_t wait_ms;
    int64_t durable_wait_ms; /* longest wait for durability; 0: no limit */
    /* Noted in the ledger with the change, for audits: who made it, and the host's own words, up to
     * 64 bytes (NULL: none). A repetition keeps the note of the first time. */
    uint64_t actor;
    const char *reference;
} cellar_call;

typedef struct cellar_id {
    uint64_t high;
    uint64_t low;
} cellar_id; /* {0, 0} means: no id */

/* Expected versions, besides those that tickets and reads return. */
#define CELLAR_VERSION_ANY UINT64_C(0)    /* whatever is there, or nothing */
#define CELLAR_VERSION_ABSENT UINT64_C(1) /* it must not exist yet */

/* ---- Durability ---- */

/* Waits until the commit `lsn` is on disk. timeout_ms: 0 asks without waiting, negative waits
 * without limit. OK, TIMEOUT, OUTCOME_UNKNOWN; INVALID_ARGUMENT for an LSN never handed out. */
CELLAR_API cellar_status cellar_wait(cellar *store, uint64_t lsn, int64_t timeout_ms);
/* Commits with an LSN below this are on disk. 0 in a forked child. */
CELLAR_API uint64_t cellar_durable_lsn(const cellar *store);
/* A descriptor (eventfd) that becomes readable whenever the durable LSN has advanced, for a host's
 * event loop: read 8 bytes, then ask cellar_durable_lsn(). One for all; closed by cellar_close().
 * Costs one system call a sync once asked for. From then on a sync that follows one of several
 * commits may begin up to a millisecond later, so that it serves most of those who come back.
 * OUT_OF_MEMORY when there is none left. */
CELLAR_API cellar_status cellar_durable_fd(cellar *store, int *fd_out);
/* Waits until the lists and sums that follow the log include the commit `lsn`: for a caller that
 * must find its own change in a list. Microseconds, unless the store is overloaded. OK, TIMEOUT,
 * FAILED; INVALID_ARGUMENT for an LSN never handed out. */
CELLAR_API cellar_status cellar_wait_listed(cellar *store, uint64_t lsn, int64_t timeout_ms);

/* Runs `attempt` again while it returns VERSION_CHANGED or CONFLICT, at most `attempts_max` times
 * (0: 8), sleeping between the tries a random time that doubles from 50 microseconds to 10
 * milliseconds. Returns what the last try returned. */
CELLAR_API cellar_status cellar_retry(cellar *store,
                                      cellar_status (*attempt)(cellar *store, void *context),
                                      void *context, uint32_t attempts_max);

/* ---- Products ---- */

typedef enum cellar_product_status {
    CELLAR_PRODUCT_ACTIVE = 0,
    CELLAR_PRODUCT_HIDDEN = 1, /* sold to whoever knows it, listed as hidden */
    CELLAR_PRODUCT_DISCONTINUED =
        2 /* not sold any more; stock can still be moved, returned and counted */
} cellar_product_status;

/* What one piece of a kit is made of. Each product at most once. */
typedef struct cellar_component {
    const char *sku;   /* or NULL and: */
    uint64_t product;  /* coming out, this */
    uint32_t quantity; /* pieces, 1 to 1,000,000 */
} cellar_component;

/* A product, going in and coming out. SKUs are byte-exact: "a1" and "A1" are two. */
typedef struct cellar_product {
    const char *sku;      /* 1 to 64 bytes. Coming out: points to sku_buffer */
    const char *name;     /* up to 255 bytes; NULL is "" */
    const char *category; /* up to 64 bytes; NULL or "" is none */
    int64_t
        unit_price; /* list price, minor units, may be negative; orders carry their own prices */
    cellar_product_status status;
    const void *attributes;    /* opaque to cellar, up to 64 KiB; not filled coming out:
                                  cellar_product_attributes() */
    uint32_t attributes_bytes; /* set coming out, too */
    /* A kit: sold as one, taken from the stock of its components at the same location. None of them
     * may be a kit itself; one that becomes a kit later makes this one NOT_SELLABLE. A kit has no
     * stock that is sold. Not filled coming out: cellar_product_components(). */
    const struct cellar_component *components;
    uint32_t component_count; /* 0: no kit; up to 32. Set coming out, too */
    /* Coming out only: */
    uint64_t id;      /* numeric id */
    uint64_t version; /* LSN of its last change */
    int64_t created_ns;
    int64_t updated_ns;
    char sku_buffer[CELLAR_SKU_BYTES_MAX + 1];
    char name_buffer[CELLAR_NAME_BYTES_MAX + 1];
    char category_buffer[CELLAR_CATEGORY_BYTES_MAX + 1];
} cellar_product;

/* Creates the product or replaces all that is written in it. `expected`: the version that must be
 * current, or ANY, or ABSENT. ticket->object is the numeric id. VERSION_CHANGED (with
 * refusal->version), ALREADY_EXISTS (for ABSENT), CONFLICT. */
CELLAR_API cellar_status cellar_product_put(cellar *store, const cellar_call *call,
                                            const cellar_product *product, uint64_t expected,
                                            cellar_ticket *ticket_out, cellar_refusal *refusal_out);
/* Puts many, one commit each, with one wait at the end. statuses_out[i] and tickets_out[i] (each
 * may be NULL) tell of products[i]; a refusal of one does not stop the others. Returns OK when all
 * were put, else the status of the first that was not. */
CELLAR_API cellar_status cellar_product_put_many(cellar *store, const cellar_call *call,
                                                 const cellar_product *products, size_t count,
                                                 cellar_status *statuses_out,
                                                 cellar_ticket *tickets_out);
/* By SKU, or, with sku NULL, by numeric id. NOT_FOUND. */
CELLAR_API cellar_status cellar_product_get(cellar *store, const char *sku, uint64_t id,
                                            cellar_product *product_out);
/* Copies the attributes as of product->version into buffer, at most `capacity` bytes.
 * VERSION_CHANGED when the product has changed since; INVALID_ARGUMENT when capacity is below
 * attributes_bytes. */
CELLAR_API cellar_status cellar_product_attributes(cellar *store, const cellar_product *product,
                                                   void *buffer, uint32_t capacity);

/* The components as of product->version, product->component_count of them; capacity as above. */
CELLAR_API cellar_status cellar_product_components(cellar *store, const cellar_product *product,
                                                   cellar_component *components_out,
                                                   uint32_t capacity);

/* A line of a list. */
typedef struct cellar_product_summary {
    uint64_t id;
    uint64_t version;
    int64_t unit_price;
    int64_t created_ns;
    cellar_product_status status;
    /* Pieces in orders (without those that were cancelled or have expired) and taken without one,
     * less those that came back; in all places. A kit has none: its components have them. Follows
     * the log within milliseconds. */
    int64_t units_sold;
    char sku[CELLAR_SKU_BYTES_MAX + 1];
    char name[CELLAR_NAME_BYTES_MAX + 1];
} cellar_product_summary;

typedef enum cellar_product_order {
    CELLAR_PRODUCTS_NEWEST = 0,   /* by id, which grows with creation */
    CELLAR_PRODUCTS_MOST_SOLD = 1 /* by units_sold, and by id where these are equal */
} cellar_product_order;

typedef struct cellar_product_query {
    const char *category;         /* NULL: by status. Else: of this category, whatever the status */
    cellar_product_status status; /* used when category is NULL */
    uint64_t before;              /* the id of the last product seen; 0: from the first on */
    cellar_product_order order;   /* highest first */
    int64_t before_sold;          /* MOST_SOLD: the units_sold of the last product seen */
} cellar_product_query;

/* A page of up to `capacity` (1 to 1000) entries. Ask again with before (and before_sold) of the
 * last entry until *count_out is less than capacity. A product whose status or category changes
 * while pages are read may be missed or seen; no other is. Never NOT_FOUND: an unknown category is
 * an empty page.
 *
 * MOST_SOLD lists what has sold more than nothing. It ranks by the counts that it meets while the
 * call runs, so a product that sells meanwhile may stand where it stood a moment ago; one whose
 * count passes the place between two pages may be missed or seen again; pages fall strictly in
 * (units_sold, id).
 *
 * Any thread; wait-free. NEWEST takes as many steps as the page has entries. MOST_SOLD looks at
 * each product of the status or category, in each call: of 100,000 in 0.3 to 0.7 ms, up to 5 ms
 * when the newest have sold least. So a host keeps for a moment what many ask for.
 * INVALID_ARGUMENT for a status or order that does not exist. */
CELLAR_API cellar_status cellar_product_list(cellar *store, const cellar_product_query *query,
                                             cellar_product_summary *page_out, size_t capacity,
                                             size_t *count_out);

/* ---- Stock ---- */

/* One SKU at one place. Location 0 exists for every product; a shop with one place never mentions
 * it. Other locations come into being with the first receipt or move there. */
typedef struct cellar_line {
    const char *sku;  /* or NULL and: */
    uint64_t product; /* the numeric id, which saves a look-up */
    uint32_t location;
    int64_t quantity;   /* pieces; which sign is allowed is said by each call; never 0 */
    int64_t unit_price; /* orders and returns: minor units, any sign; ignored elsewhere */
} cellar_line;

typedef struct cellar_stock {
    int64_t available; /* may be sold now down to `safety`; never below it through a sale. Below
                          zero: so many units have been sold that are not here yet */
    int64_t reserved; /* in orders that are placed or paid but not fulfilled; follows the log within
                         milliseconds */
    int64_t unsellable; /* damaged or held back */
    int64_t incoming;   /* announced, not here */
    int64_t safety;   /* sales leave this many units; negative: back-orders are taken down to it */
    int64_t on_hand;  /* available + reserved + unsellable */
    uint64_t version; /* LSN of the last change of what is available, whatever made it */
} cellar_stock;

/* A change of stock outside orders. */
typedef struct cellar_stock_change {
    cellar_id id;             /* makes it idempotent; {0, 0}: not wanted */
    const cellar_line *lines; /* 1 to 4096; lines that repeat a SKU and location are added up */
    size_t line_count;
    uint32_t reason;       /* the host's own code, kept in the ledger */
    const char *reference; /* the host's own text, up to 64 bytes, kept in the ledger; NULL is "" */
} cellar_stock_change;

/* Goods come in: available += quantity (> 0) of every line. NOT_FOUND (line), ID_REUSED. */
CELLAR_API cellar_status cellar_stock_receive(cellar *store, const cellar_call *call,
                                              const cellar_stock_change *change,
                                              cellar_ticket *ticket_out,
                                              cellar_refusal *refusal_out);
/* A correction: available += quantity (either sign) of every line. May take what safety stock
 * protects, but never below zero. OUT_OF_STOCK, NOT_FOUND, ID_REUSED. */
CELLAR_API cellar_status cellar_stock_adjust(cellar *store, const cellar_call *call,
                                             const cellar_stock_change *change,
                                             cellar_ticket *ticket_out,
                                             cellar_refusal *refusal_out);
/* Pieces turn out damaged (quantity > 0: available to unsellable) or good again (< 0).
 * OUT_OF_STOCK, NOT_FOUND, ID_REUSED. */
CELLAR_API cellar_status cellar_stock_set_aside(cellar *store, const cellar_call *call,
                                                const cellar_stock_change *change,
                                                cellar_ticket *ticket_out,
                                                cellar_refusal *refusal_out);
/* Incoming += quantity (either sign), never below zero. OUT_OF_STOCK, NOT_FOUND, ID_REUSED. */
CELLAR_API cellar_status cellar_stock_announce(cellar *store, const cellar_call *call,
                                               const cellar_stock_change *change,
                                               cellar_ticket *ticket_out,
                                               cellar_refusal *refusal_out);
/* Takes `quantity` (> 0) for good, without an order: the shortest way to sell. One word is changed;
 * no lock, no allocation, no system call when relaxed. Not of a kit. OUT_OF_STOCK (with what is
 * available), NOT_SELLABLE, NOT_FOUND. */
CELLAR_API cellar_status cellar_stock_take(cellar *store, const cellar_call *call,
                                           const cellar_line *line, cellar_ticket *ticket_out,
                                           cellar_refusal *refusal_out);
/* A count of the shelf: available becomes line->quantity (>= 0), provided that `expected` is still
 * the version of the stock (or ANY). VERSION_CHANGED, NOT_FOUND. */
CELLAR_API cellar_status cellar_stock_count(cellar *store, const cellar_call *call,
                                            const cellar_line *line, uint64_t expected,
                                            cellar_ticket *ticket_out, cellar_refusal *refusal_out);
/* Moves line->quantity (> 0) available pieces from line->location to another in one commit.
 * OUT_OF_STOCK, NOT_FOUND, ID_REUSED. */
CELLAR_API cellar_status cellar_stock_move(cellar *store, const cellar_call *call, cellar_id id,
                                           const cellar_line *line, uint32_t to_location,
                                           cellar_ticket *ticket_out, cellar_refusal *refusal_out);
/* Sets the safety stock to line->quantity, at most CELLAR_AMOUNT_MAX either way. Below zero it is a
 * limit for back-orders (pre-orders): sales may take what is available down to it, so that a later
 * receipt just adds, and covers the order lines first come, first served. `expected` as for a
 * count. VERSION_CHANGED, NOT_FOUND. */
CELLAR_API cellar_status cellar_stock_set_safety(cellar *store, const cellar_call *call,
                                                 const cellar_line *line, uint64_t expected,
                                                 cellar_ticket *ticket_out,
                                                 cellar_refusal *refusal_out);
/* The four numbers that commits keep are of one instant; reserved follows. line->quantity is not
 * used. NOT_FOUND. */
CELLAR_API cellar_status cellar_stock_get(cellar *store, const cellar_line *line,
                                          cellar_stock *stock_out);
/* One place of a product. */
typedef struct cellar_stock_place {
    uint32_t location;
    cellar_stock stock;
} cellar_stock_place;

/* The places where the product has been, whatever is there now, by location: a page of up to
 * `capacity` (1 to 1000), from line->location on (line->quantity is not used). Ask again from the
 * last location + 1 on until *count_out is less than capacity, or the last one was UINT32_MAX. A
 * place that comes into being meanwhile may be missed; no other is. Each is as cellar_stock_get()
 * has it, one after the other. Any thread; wait-free; looks at all places of the product.
 * NOT_FOUND. */
CELLAR_API cellar_status cellar_stock_list(cellar *store, const cellar_line *line,
                                           cellar_stock_place *page_out, size_t capacity,
                                           size_t *count_out);
/* Available of many lines at one instant: available_out[i] is of lines[i] (up to 4096), *lsn_out
 * (may be NULL) the instant: all commits below it are seen and no other. NOT_FOUND (refusal->line).
 */
CELLAR_API cellar_status cellar_stock_snapshot(cellar *store, const cellar_line *lines,
                                               size_t line_count, int64_t *available_out,
                                               uint64_t *lsn_out, cellar_refusal *refusal_out);

typedef enum cellar_movement_kind {
    CELLAR_MOVEMENT_OPENED = 1, /* the SKU began to exist at the location */
    CELLAR_MOVEMENT_RECEIVED = 2,
    CELLAR_MOVEMENT_ADJUSTED = 3,
    CELLAR_MOVEMENT_SET_ASIDE = 4,
    CELLAR_MOVEMENT_ANNOUNCED = 5,
    CELLAR_MOVEMENT_TAKEN = 6,
    CELLAR_MOVEMENT_COUNTED = 7,
    CELLAR_MOVEMENT_MOVED = 8,
    CELLAR_MOVEMENT_SAFETY = 9,
    CELLAR_MOVEMENT_ORDERED = 10,
    CELLAR_MOVEMENT_CANCELLED = 11,
    CELLAR_MOVEMENT_RETURNED = 12,
    CELLAR_MOVEMENT_STATUS = 13, /* the product was discontinued or taken up again */
    CELLAR_MOVEMENT_EXPIRED = 14 /* an order was not paid in time */
} cellar_movement_kind;

typedef struct cellar_movement {
    uint64_t lsn;
    int64_t time_ns; /* as logged: never less than that of the record before it in the log */
    cellar_movement_kind kind;
    int64_t change;    /* of what is available */
    int64_t available; /* after it */
    cellar_id id;      /* of the order, return or change; {0, 0} when it had none */
    uint32_t reason;
    uint64_t actor; /* of the cellar_call it was made with; 0: none */
    /* Of the order, return or change, or else of the cellar_call. */
    char reference[CELLAR_REFERENCE_BYTES_MAX + 1];
} cellar_movement;

/* Every change of what is available, newest first, read back from the log. `before`: 0 from the
 * newest, else the lsn of the last one seen (or any version of this stock: the change that it names
 * is left out). NOT_FOUND, IO_ERROR, CORRUPT. */
CELLAR_API cellar_status cellar_stock_history(cellar *store, const cellar_line *line,
                                              uint64_t before, cellar_movement *page_out,
                                              size_t capacity, size_t *count_out);

/* ---- Accounts ---- */

/* A balance of a customer, a gift card, a shop. Ids are the host's, 64 bits, not 0. */
typedef struct cellar_account {
    uint64_t id;
    int64_t balance; /* what is held included; of a collecting account what it has collected, too */
    int64_t floor;   /* the balance never falls below it by a debit; 0, or minus the credit limit */
    uint64_t version;  /* LSN of its last change, settlements included */
    int64_t held;      /* set aside by holds that are open */
    int64_t available; /* may be spent: balance - floor - held, without what is not settled yet */
    int64_t unsettled; /* a collecting account's: collected, not added to its own word so far;
                          follows the log within milliseconds */
    uint32_t currency; /* as opened */
    bool collecting;
} cellar_account;

typedef struct cellar_account_request {
    uint64_t id;
    int64_t floor;     /* 0, or minus the credit limit */
    uint32_t currency; /* the host's code of it, say ISO 4217's number; 0: the host's only one */
    /* For accounts that all pay into, the shop's own: what comes in does not change its word, which
     * would be the one that every payment waits for, but is summed up from the log and settled when
     * it is needed. A million payments a second to one account then hinder one another no more than
     * those to a million accounts. */
    bool collecting;
} cellar_account_request;

/* Opens an account with balance 0. Opening it again with the same terms answers OK, repeated; with
 * another floor, currency or kind: ALREADY_EXISTS. INVALID_ARGUMENT for a floor above 0. */
CELLAR_API cellar_status cellar_account_create(cellar *store, const cellar_call *call,
                                               const cellar_account_request *request,
                                               cellar_ticket *ticket_out,
                                               cellar_refusal *refusal_out);
/* The short form: currency 0, not collecting. */
CELLAR_API cellar_status cellar_account_open(cellar *store, const cellar_call *call,
                                             uint64_t account, int64_t floor,
                                             cellar_ticket *ticket_out,
                                             cellar_refusal *refusal_out);
/* Moves `amount` (> 0) into, out of, or between accounts. `id` makes it idempotent ({0, 0}: not
 * wanted). ticket->remaining: the balance (for a transfer: of `from`; 0 after a credit to a
 * collecting account). NOT_FOUND (refusal->line: 0 for the first account, 1 for the second),
 * INSUFFICIENT_FUNDS (available, needed, retry_ns), ID_REUSED; transfer: CURRENCY_MISMATCH. Like
 * every call that needs more of an account than may be spent, it first expires holds of it that are
 * overdue, of the 256 that were placed first among the open ones that have a deadline. */
CELLAR_API cellar_status cellar_account_credit(cellar *store, const cellar_call *call, cellar_id id,
                                               uint64_t account, int64_t amount,
                                               cellar_ticket *ticket_out,
                                               cellar_refusal *refusal_out);
CELLAR_API cellar_status cellar_account_debit(cellar *store, const cellar_call *call, cellar_id id,
                                              uint64_t account, int64_t amount,
                                              cellar_ticket *ticket_out,
                                              cellar_refusal *refusal_out);
CELLAR_API cellar_status cellar_account_transfer(cellar *store, const cellar_call *call,
                                                 cellar_id id, uint64_t from, uint64_t to,
                                                 int64_t amount, cellar_ticket *ticket_out,
                                                 cellar_refusal *refusal_out);
/* Changes the floor (<= 0), provided that the balance less what is held is not below it and
 * `expected` is the version (or ANY). NOT_FOUND, VERSION_CHANGED, INSUFFICIENT_FUNDS. */
CELLAR_API cellar_status cellar_account_set_floor(cellar *store, const cellar_call *call,
                                                  uint64_t account, int64_t floor,
                                                  uint64_t expected, cellar_ticket *ticket_out,
                                                  cellar_refusal *refusal_out);
/* Adds what a collecting account has collected, by all commits that were visible when the call
 * began, to its own word. Nobody has to: calls that need the money do it. With nothing to settle:
 * OK, repeated. ticket->remaining: the balance. NOT_FOUND; INVALID_ARGUMENT: it is none. */
CELLAR_API cellar_status cellar_account_settle(cellar *store, const cellar_call *call,
                                               uint64_t account, cellar_ticket *ticket_out,
                                               cellar_refusal *refusal_out);
/* NOT_FOUND. */
CELLAR_API cellar_status cellar_account_get(cellar *store, uint64_t account,
                                            cellar_account *account_out);

/* Holds of money, in two steps: set aside now, paid or given back later.
 *
 *   held --post--> posted      from the deadline on a post is refused; the money is back when it
 *     |                        was voided, or when the store has expired it by a commit of its own,
 *     +---void---> voided      which is not at once
 *     +-deadline-> expired */
typedef enum cellar_account_hold_state {
    CELLAR_ACCOUNT_HOLD_HELD = 16,
    CELLAR_ACCOUNT_HOLD_POSTED = 17,
    CELLAR_ACCOUNT_HOLD_VOIDED = 18,
    CELLAR_ACCOUNT_HOLD_EXPIRED = 19
} cellar_account_hold_state;

typedef struct cellar_account_hold_info {
    cellar_id id;
    uint64_t account;
    int64_t amount; /* as it was held */
    cellar_account_hold_state state;
    int64_t deadline_ns; /* to a millisecond, rounded down; 0: none */
    int64_t posted;      /* POSTED: how much was paid; else 0 */
    uint64_t to;         /* POSTED: the account it was paid to; 0: outside */
    uint64_t placed_lsn;
    int64_t placed_ns;
    uint64_t version; /* LSN of its last step */
} cellar_account_hold_info;

/* Sets `amount` (> 0) of the account aside. `id` is required and names the hold; the same request
 * again answers OK, repeated, whatever became of it. deadline_ns: 0 for none. ticket->remaining:
 * what may be spent then. NOT_FOUND (line 0), INSUFFICIENT_FUNDS, ID_REUSED; HOLD_EXPIRED: the
 * deadline is not in the future. From the deadline on it cannot be posted, and the money is given
 * back by the store, or by the first call that needs it. */
CELLAR_API cellar_status cellar_account_hold(cellar *store, const cellar_call *call, cellar_id id,
                                             uint64_t account, int64_t amount, int64_t deadline_ns,
                                             cellar_ticket *ticket_out,
                                             cellar_refusal *refusal_out);
/* Pays `amount` (> 0) of what is held to the account `to`, or outside (0), and gives the rest back.
 * The same again answers OK, repeated. ticket->remaining: the balance of the hold's account.
 * NOT_FOUND (line CELLAR_NO_LINE: the hold; 1: `to`), INSUFFICIENT_FUNDS (more than is held:
 * available, needed), HOLD_EXPIRED, ILLEGAL_STEP (refusal->state; posted otherwise, or voided),
 * CURRENCY_MISMATCH. */
CELLAR_API cellar_status cellar_account_post(cellar *store, const cellar_call *call, cellar_id hold,
                                             int64_t amount, uint64_t to, cellar_ticket *ticket_out,
                                             cellar_refusal *refusal_out);
/* Gives all of it back. A hold that was voided before or has expired answers OK, repeated; one that
 * is overdue and not yet expired is voided. NOT_FOUND, ILLEGAL_STEP (posted). */
CELLAR_API cellar_status cellar_account_void(cellar *store, const cellar_call *call, cellar_id hold,
                                             cellar_ticket *ticket_out,
                                             cellar_refusal *refusal_out);
/* NOT_FOUND. May wait until the log is followed up to the hold's last step: milliseconds. */
CELLAR_API cellar_status cellar_account_hold_get(cellar *store, cellar_id hold,
                                                 cellar_account_hold_info *hold_out);

typedef enum cellar_entry_kind {
    CELLAR_ENTRY_OPENED = 1,
    CELLAR_ENTRY_CREDITED = 2,
    CELLAR_ENTRY_DEBITED = 3,
    CELLAR_ENTRY_SENT = 4,     /* a transfer to `counterpart` */
    CELLAR_ENTRY_RECEIVED = 5, /* from it: a transfer, a post, the payment of an order */
    CELLAR_ENTRY_FLOOR = 6,
    CELLAR_ENTRY_ORDER_PAID = 7,      /* an order was paid from it */
    CELLAR_ENTRY_ORDER_CANCELLED = 8, /* a paid order was cancelled */
    CELLAR_ENTRY_ORDER_RETURNED = 9,
    CELLAR_ENTRY_HELD = 10,
    CELLAR_ENTRY_POSTED = 11, /* from a hold; RECEIVED in the account it was posted to */
    CELLAR_ENTRY_VOIDED = 12,
    CELLAR_ENTRY_EXPIRED = 13,
    CELLAR_ENTRY_SETTLED = 14, /* what a collecting account has collected since the last one */
    CELLAR_ENTRY_OTHER = 15
} cellar_entry_kind;

/* An entry of an account's journal. */
typedef struct cellar_entry {
    uint64_t lsn;
    int64_t time_ns; /* as logged: never less than that of the record before it in the log */
    cellar_entry_kind kind;
    int64_t amount;       /* change of the balance */
    int64_t held_change;  /* of what is held */
    int64_t balance;      /* after it, as far as settled; see cellar_account_collected() */
    int64_t held;         /* after it */
    uint64_t counterpart; /* the other account, of an order its payee; 0: outside, or none */
    cellar_id id; /* of the order, return, transfer or hold; {0, 0} when it had none. The amounts
                     are those of the whole commit */
    uint64_t actor;
    /* Of the order or return, or else of the cellar_call. */
    char reference[CELLAR_REFERENCE_BYTES_MAX + 1];
} cellar_entry;

/* Every change of the account's own word, newest first, read back from the log. What a collecting
 * account collects is one entry for each settlement; the payments are in
 * cellar_account_collected(). `before`: 0 from the newest, else the lsn of the last one seen. Costs
 * a read of the log for each entry, and one for each hold or floor changed since `before`.
 * NOT_FOUND; INVALID_ARGUMENT: `before` is no change of this account; IO_ERROR, CORRUPT.
 */
CELLAR_API cellar_status cellar_account_journal(cellar *store, uint64_t account, uint64_t before,
                                                cellar_entry *page_out, size_t capacity,
                                                size_t *count_out);
/* The account as of all commits up to the LSN `lsn`, that one included, or, with lsn 0, made up to
 * `time_ns` of the log's time. Of a collecting account with what it had collected then, `unsettled`
 * included. Reads the log backwards, a record for each change since, and of a collecting account
 * the stretch in which it was last paid before, of 1 MiB at most; that takes 2 MiB of memory for
 * the time of the call. A later `lsn` or time means now: all that was committed when the call
 * began. NOT_FOUND: it was not open then; IO_ERROR, CORRUPT, OUT_OF_MEMORY; FAILED: the log has
 * failed. */
CELLAR_API cellar_status cellar_account_at(cellar *store, uint64_t account, uint64_t lsn,
                                           int64_t time_ns, cellar_account *account_out);
/* What a collecting account was paid, newest first: an entry for each commit that paid it, `amount`
 * what it paid, `balance` all that the account has collected, ever, this payment included, `held`
 * 0. `before`: 0 from the newest, among all that was committed when the call began, else only LSNs
 * below it. Each page reads one stretch of the log or more, of 1 MiB at most, and takes 2 MiB of
 * memory for the time of the call. NOT_FOUND; INVALID_ARGUMENT: it is no collecting account;
 * IO_ERROR, CORRUPT, OUT_OF_MEMORY; FAILED: the log has failed. */
CELLAR_API cellar_status cellar_account_collected(cellar *store, uint64_t account, uint64_t before,
                                                  cellar_entry *page_out, size_t capacity,
                                                  size_t *count_out);

/* ---- Leases ---- */

/* A name that one holder has at a time, until a deadline, in place of a lock service. Whoever
 * acquires it gets a fencing token, the LSN of that commit: tokens of a lease only grow, so that
 * whatever the lease protects can tell a holder that was overtaken (cellar_lease_check()). Names
 * are 1 to 64 bytes and take up one of `leases_max` places for good. Deadlines are by the store's
 * clock: times that a lease ran while the store was closed count. */
typedef struct cellar_lease {
    uint64_t holder; /* the last one */
    uint64_t token;
    int64_t until_ns; /* 0: released */
    bool held;        /* and not run out, by the store's clock now */
    uint64_t version; /* LSN of its last change */
} cellar_lease;

/* Acquires `name` for `holder` (not 0) for ttl_ms (1 to CELLAR_LEASE_TTL_MS_MAX) if it is free or
 * its time is up. ticket->lsn is the token. The same holder while it holds it: OK, repeated, with
 * its token and without more time (time_ns 0). LEASE_HELD (refusal->retry_ns: when it runs out). */
CELLAR_API cellar_status cellar_lease_acquire(cellar *store, const cellar_call *call,
                                              const char *name, uint64_t holder, int64_t ttl_ms,
                                              cellar_ticket *ticket_out,
                                              cellar_refusal *refusal_out);
/* It now runs out ttl_ms from now, earlier or later than before; the token stays. NOT_FOUND;
 * LEASE_LOST: `token` is not that of the lease, or its time is up. */
CELLAR_API cellar_status cellar_lease_renew(cellar *store, const cellar_call *call,
                                            const char *name, uint64_t token, int64_t ttl_ms,
                                            cellar_ticket *ticket_out, cellar_refusal *refusal_out);
/* Free for the next one at once. Released before with this token: OK, repeated. NOT_FOUND,
 * LEASE_LOST (someone else has acquired it since). */
CELLAR_API cellar_status cellar_lease_release(cellar *store, const cellar_call *call,
                                              const char *name, uint64_t token,
                                              cellar_ticket *ticket_out,
                                              cellar_refusal *refusal_out);
/* OK while `token` is the current one and its time is not up; LEASE_LOST, NOT_FOUND. */
CELLAR_API cellar_status cellar_lease_check(cellar *store, const char *name, uint64_t token);
/* NOT_FOUND: never acquired. */
CELLAR_API cellar_status cellar_lease_get(cellar *store, const char *name, cellar_lease *lease_out);

/* ---- Orders ---- */

/* State    Event            Next       Effect
 * -------- ---------------- ---------- ------------------------------------------------------------
 * -        place            placed     units are reserved, until hold_until_ns if given
 * placed   pay              paid       money is taken, the hold has no end any more; of lines that
 *                                      are named only so many units, the rest is cancelled
 * placed   extend           placed     the hold ends later
 * placed   (deadline)       expired    units are available again, by a commit of its own
 * placed   cancel           cancelled  units are available again; by line: stays placed while units
 * paid     cancel           cancelled  are left. Paid: money back
 * paid     fulfil           fulfilled  units leave; by line: stays paid while units are left
 * paid     return           paid       units that have left come back, or are damaged; money back
 * fulfilled return          fulfilled  the same
 * An order that is cancelled or expires as a whole gives its coupon back, if its campaign says so.
 * A step by line that leaves no unit ends in fulfilled when any unit has left, else in cancelled.
 */
typedef enum cellar_order_state {
    CELLAR_ORDER_PLACED = 1,    /* its units are reserved */
    CELLAR_ORDER_PAID = 2,      /* paid, its units still here */
    CELLAR_ORDER_FULFILLED = 3, /* its units have left */
    CELLAR_ORDER_CANCELLED =
        4, /* its units are available again, money taken from an account is back there */
    CELLAR_ORDER_RETURNED = 5, /* a return: a document of its own */
    CELLAR_ORDER_EXPIRED = 6   /* not paid in time: its units are available again */
} cellar_order_state;

typedef struct cellar_order_request {
    cellar_id id;             /* required */
    uint64_t customer;        /* 0: a guest. Needs no account */
    const cellar_line *lines; /* 1 to 4096; quantity > 0; lines that repeat a SKU are added up for
                                 the stock check and kept as they are */
    size_t line_count;
    cellar_order_state state; /* 0 or PLACED; or PAID, or FULFILLED: in one step */
    uint64_t account; /* for PAID and FULFILLED: debit the total to this account in the same commit;
                         0: paid elsewhere */
    int64_t business_time_ns; /* the host's own date of it; 0: none */
    const char *reference;    /* the host's own text, up to 64 bytes; NULL is "" */
    /* PLACED: its units are held until then, at least until now + 1 ms; from then on they cannot be
     * paid for, and become available again. Counted in whole milliseconds, rounded down. 0: without
     * end. */
    int64_t hold_until_ns;
    /* Where the units may come from, best first, up to 16; then location of the lines must be 0.
     * NULL: from line->location. A line is taken from the first that has all of it, or, when
     * `split`, from several. */
    const uint32_t *locations;
    size_t location_count;
    bool split;
    /* A coupon of the customer (the first that can be redeemed) or a code, redeemed in the same
     * commit. Its discount is taken off the total, and its share off each line. 0 and NULL: none.
     */
    uint64_t coupon_campaign;
    const char *code;
    /* The account that is credited with what `account`, here or when it is paid for, pays, in the
     * same commit: the merchant's, say. What is given back comes out of it, in the same commit as
     * well. Best a collecting one, so that orders do not wait for one another. 0: none. */
    uint64_t payee;
} cellar_order_request;

typedef struct cellar_order {
    cellar_id id;
    cellar_order_state state;
    uint64_t version; /* LSN of its last step */
    uint64_t placed_lsn;
    int64_t placed_ns;
    int64_t business_time_ns;
    uint64_t customer;
    uint64_t account;        /* debited for it; 0: none */
    uint64_t payee;          /* credited with what `account` pays; 0: none */
    int64_t total;           /* as placed: sum of quantity * unit_price - discount of the lines;
                                negative for a return */
    int64_t cancelled_value; /* part of the total that was cancelled or has expired */
    int64_t returned_value;  /* part of the total that has come back */
    int64_t hold_until_ns;   /* while it is placed; 0: without end */
    uint64_t cursor;         /* for cellar_order_query */
    uint64_t retired_lsn;    /* 0: it is in memory; else it was read from the log, as it stood when
                                this commit retired it */
    uint32_t line_count;
    char reference[CELLAR_REFERENCE_BYTES_MAX + 1];
} cellar_order;

/* A line as it stands in the ledger, and what has become of it. quantity - cancelled - fulfilled
 * units are still reserved. */
typedef struct cellar_order_line {
    uint64_t product;
    uint32_t location; /* the first one, when it was taken from several; 0 of a kit. All of them:
                          cellar_order_sources() */
    int64_t quantity;
    int64_t unit_price;
    int64_t
        discount; /* off the whole line. Of k units the first have floor(discount * k / quantity) */
    int64_t cancelled;
    int64_t fulfilled; /* have left, those that have come back included */
    int64_t returned;
    int64_t uncovered; /* of those still reserved: not here yet (back-ordered), first come, first
                          served; follows the log */
} cellar_order_line;

/* Places an order: all its units are taken in one commit, whole or not at all. OUT_OF_STOCK (line,
 * available, needed, retry_ns), NOT_SELLABLE, NOT_FOUND (line, or, with line = CELLAR_NO_LINE, the
 * account or payee), INSUFFICIENT_FUNDS, CURRENCY_MISMATCH (of account and payee; refusal->account
 * tells which in all three), HOLD_EXPIRED, ID_REUSED; and, of its coupon, what
 * cellar_coupon_redeem() lists. */
CELLAR_API cellar_status cellar_order_place(cellar *store, const cellar_call *call,
                                            const cellar_order_request *request,
                                            cellar_ticket *ticket_out, cellar_refusal *refusal_out);
/* What cellar_order_place() would answer now to a new id, and the total, without a commit of its
 * own; but what is overdue is expired for it, as for an order. The id is not looked at. */
CELLAR_API cellar_status cellar_order_quote(cellar *store, const cellar_order_request *request,
                                            int64_t *total_out, cellar_refusal *refusal_out);

typedef enum cellar_order_event {
    CELLAR_EVENT_PAY = 1,
    CELLAR_EVENT_FULFIL = 2,
    CELLAR_EVENT_CANCEL = 3,
    CELLAR_EVENT_RETURN = 4,
    CELLAR_EVENT_EXTEND = 5
} cellar_order_event;

/* So many units of a line of an order, by its number from 0. */
typedef struct cellar_order_part {
    uint32_t line;
    int64_t quantity; /* > 0 */
} cellar_order_part;

typedef struct cellar_order_change {
    cellar_id order;
    cellar_order_event event;
    /* Makes it idempotent. {0, 0}: a step of the whole order is so by the state it leads to (the
     * ticket is then that of the order's latest step); required when `parts` is given or the event
     * is RETURN. */
    cellar_id id;
    const cellar_order_part *parts; /* each line at most once; NULL: all that is left */
    size_t part_count;
    uint64_t account;      /* PAY: debited in the same commit; 0: paid elsewhere */
    bool damaged;          /* RETURN: the units become unsellable */
    int64_t hold_until_ns; /* EXTEND */
} cellar_order_change;

/* A step in the life of an order: see the table above. What is given back goes to the account that
 * was debited. NOT_FOUND, ILLEGAL_STEP (refusal->state),
 * NOTHING_LEFT (line, available: units left for this step, needed), HOLD_EXPIRED, ID_REUSED; PAY:
 * INSUFFICIENT_FUNDS, CURRENCY_MISMATCH; CANCEL, RETURN: INSUFFICIENT_FUNDS when the payee, named
 * in refusal->account, has less above its floor than is to be given back; IO_ERROR, CORRUPT (the
 * lines of a closed order are read from the log). */
CELLAR_API cellar_status cellar_order_step(cellar *store, const cellar_call *call,
                                           const cellar_order_change *change,
                                           cellar_ticket *ticket_out, cellar_refusal *refusal_out);
/* Short forms for whole orders. */
CELLAR_API cellar_status cellar_order_pay(cellar *store, const cellar_call *call, cellar_id id,
                                          uint64_t account, cellar_ticket *ticket_out,
                                          cellar_refusal *refusal_out);
CELLAR_API cellar_status cellar_order_fulfil(cellar *store, const cellar_call *call, cellar_id id,
                                             cellar_ticket *ticket_out,
                                             cellar_refusal *refusal_out);
CELLAR_API cellar_status cellar_order_cancel(cellar *store, const cellar_call *call, cellar_id id,
                                             cellar_ticket *ticket_out,
                                             cellar_refusal *refusal_out);
CELLAR_API cellar_status cellar_order_extend(cellar *store, const cellar_call *call, cellar_id id,
                                             int64_t hold_until_ns, cellar_ticket *ticket_out,
                                             cellar_refusal *refusal_out);
/* Goods come back, with or without an order known here: a document of its own with its own id.
 * Lines as for an order (quantity > 0); they become available, or unsellable when `damaged`. state
 * must be 0; account, if given, is credited with the total, out of the payee, if given; without
 * hold_until_ns and locations. NOT_FOUND, INSUFFICIENT_FUNDS and CURRENCY_MISMATCH (the payee),
 * ID_REUSED. */
CELLAR_API cellar_status cellar_order_return(cellar *store, const cellar_call *call,
                                             const cellar_order_request *request, bool damaged,
                                             cellar_ticket *ticket_out,
                                             cellar_refusal *refusal_out);
/* By id, with up to `capacity` of its lines (order_out->line_count tells how many there are;
 * lines_out may be NULL with capacity 0). NOT_FOUND, IO_ERROR, CORRUPT. */
CELLAR_API cellar_status cellar_order_get(cellar *store, cellar_id id, cellar_order *order_out,
                                          cellar_order_line *lines_out, size_t capacity);

/* Pieces of one product at one location that a line of an order is made of: what is to be picked
 * there. Lines that name one location, or were taken whole from one, have one source; a kit one for
 * each component, split lines one for each location. quantity - cancelled - fulfilled pieces are
 * still reserved. Units leave from the first source of a line on, are cancelled from the last one
 * back, and come back to where they came from, the first first. */
typedef struct cellar_order_source {
    uint32_t line; /* from 0 */
    uint32_t location;
    uint64_t product;  /* the line's, or a component's */
    uint32_t per_unit; /* pieces that a unit of the line takes; 1, but of a component */
    int64_t quantity;  /* pieces, as the following */
    int64_t cancelled;
    int64_t fulfilled;
    int64_t returned;
    int64_t uncovered;
} cellar_order_source;

/* Where the units of an order come from, or, of a return, have gone to: up to `capacity` of its
 * sources, in the order of its lines (sources_out may be NULL with capacity 0); *count_out is how
 * many there are, which may be more. lsn 0: as the order is now, with the same answers as
 * cellar_order_get(); else as it was, see cellar_order_at(). */
CELLAR_API cellar_status cellar_order_sources(cellar *store, cellar_id id, uint64_t lsn,
                                              cellar_order *order_out,
                                              cellar_order_source *sources_out, size_t capacity,
                                              size_t *count_out);

typedef struct cellar_order_query {
    uint64_t customer; /* not 0: the orders and returns of this customer, whatever their state */
    cellar_order_state state; /* used when customer is 0 */
    cellar_id before; /* {0, 0}: from the newest on; else: older than the order with this id */
    /* The `cursor` of that order: the list goes on behind it even if it has been retired since. 0:
     * not known. */
    uint64_t cursor;
} cellar_order_query;

/* The order as it stood after the commit at `lsn`, which placed it, or returned, or was a step of
 * it (a ticket, or cellar_order.version). Read from the log: it does not matter what has become of
 * the order since, or whether its id is still remembered. version is then `lsn`; uncovered of the
 * lines is 0. Costs two reads of the log for each step up to then. NOT_FOUND: this commit did
 * nothing to such an order; IO_ERROR, CORRUPT. */
CELLAR_API cellar_status cellar_order_at(cellar *store, cellar_id id, uint64_t lsn,
                                         cellar_order *order_out, cellar_order_line *lines_out,
                                         size_t capacity);

/* A page, newest placed first, up to `capacity` (1 to 1000). When lines_out is not NULL it takes
 * the lines of all orders of the page one after the other, up to lines_capacity; the page ends
 * before the first order (but the very first) whose lines do not fit.
 *
 * The list of a state has orders that are in memory. That of a customer goes on with those that
 * have left it, the one that was retired last first, read from the log (some reads each); one that
 * is retired while pages are read may come a second time then. NOT_FOUND: `before` is no order
 * here, and no cursor is given; INVALID_ARGUMENT: the cursor is none of this list. IO_ERROR,
 * CORRUPT. */
CELLAR_API cellar_status cellar_order_list(cellar *store, const cellar_order_query *query,
                                           cellar_order *page_out, size_t capacity,
                                           size_t *count_out, cellar_order_line *lines_out,
                                           size_t lines_capacity);

/* ---- Coupons ---- */

/* A campaign gives out coupons, first come, first served, exactly up to its quota. Each claim gets
 * the next number; it is granted when its number has been admitted, and else on the waiting list,
 * until a place falls free. Ids are the host's, 64 bits, not 0. docs/COUPONS.md has an example. */

typedef enum cellar_campaign_status {
    CELLAR_CAMPAIGN_OPEN = 0,
    CELLAR_CAMPAIGN_PAUSED = 1, /* no claim; what is granted can be redeemed. Codes rest too */
    CELLAR_CAMPAIGN_CLOSED = 2  /* no claim, and nothing can be redeemed */
} cellar_campaign_status;

typedef enum cellar_discount_kind {
    CELLAR_DISCOUNT_NONE = 0, /* the coupon is worth what the host makes of it */
    CELLAR_DISCOUNT_AMOUNT = 1,
    CELLAR_DISCOUNT_PERCENT = 2
} cellar_discount_kind;

/* A discount is computed on the lines it is good for whose value (quantity * unit_price) is above
 * zero: all, or those whose product or category is named. It is the amount, or
 * floor(sum * value / 10000), but at most the cap and at most the sum; then it is split over those
 * lines in proportion to their values, each share rounded down, and what is left goes, one unit
 * each, to the lines with the largest remainders, of equal ones the first. */
typedef struct cellar_discount {
    cellar_discount_kind kind;
    int64_t value;                              /* minor units, or basis points (0 to 10000) */
    int64_t cap;                                /* most it can come to; 0: no cap */
    int64_t minimum;                            /* the sum must reach it; 0: any sum above zero */
    uint64_t products[CELLAR_RESTRICTIONS_MAX]; /* numeric ids; none and no category: all */
    uint32_t product_count;
    const char *categories[CELLAR_RESTRICTIONS_MAX]; /* 1 to 64 bytes each. Coming out: they point
                                                        to category_buffers */
    uint32_t category_count;
} cellar_discount;

/* A campaign, going in and coming out. */
typedef struct cellar_campaign {
    uint64_t id;
    const char *name;        /* up to 255 bytes; NULL is "". Coming out: points to name_buffer */
    int64_t quota;           /* 0 to CELLAR_QUOTA_MAX places */
    uint32_t customer_limit; /* coupons one customer may claim, 1 to 255; 0 is 1. One that was
                                revoked counts */
    cellar_campaign_status status;
    int64_t valid_from_ns;   /* claims from then on; 0: at once */
    int64_t valid_until_ns;  /* no claim from then on; 0: no end */
    int64_t redeem_until_ns; /* nothing is redeemed from then on; 0: no end */
    int64_t waitlist_max;    /* claims beyond the places that may wait, 0 to CELLAR_QUOTA_MAX */
    /* At most `period_count` claims in each period, whoever makes them: an hour or a day, say, that
     * begins at multiples of period_ns after 1970-01-01 00:00 in the time zone that is
     * period_offset_ns ahead of UTC. All 0: no cap. */
    int64_t period_ns;        /* a minute to 366 days */
    int64_t period_offset_ns; /* -24 to 24 hours */
    int64_t period_count;     /* 1 to 10^10 */
    /* At most `customer_period_count` claims of one customer in each such period: one a day, say.
     * The two caps are independent of each other. All 0: only customer_limit. */
    int64_t customer_period_ns; /* as the three above */
    int64_t customer_period_offset_ns;
    int64_t customer_period_count; /* at least 1, and below customer_limit */
    int64_t budget;                /* sum of all discounts at most; 0: no limit */
    cellar_discount discount;
    bool restore_on_cancel; /* an order that is cancelled gives coupon and budget back */
    /* Coming out only: */
    uint64_t version; /* LSN of its last put */
    int64_t created_ns;
    int64_t updated_ns;
    int64_t claimed;        /* claims so far, revoked ones included */
    int64_t admitted;       /* numbers up to it are granted */
    int64_t waiting;        /* on the waiting list */
    int64_t spent;          /* sum of the discounts */
    int64_t period_claimed; /* claims in the period of the latest claim */
    char name_buffer[CELLAR_NAME_BYTES_MAX + 1];
    char category_buffers[CELLAR_RESTRICTIONS_MAX][CELLAR_CATEGORY_BYTES_MAX + 1];
} cellar_campaign;

/* Creates the campaign or replaces all that is written in it. `expected`: the version that must be
 * current, or ANY, or ABSENT. A larger quota grants as many more claims of the waiting list in the
 * same commit. A smaller one takes places away that nobody has: below what is granted it is
 * BELOW_CLAIMED, with the least possible in refusal->available; so is a budget below what is spent.
 * Another period (or offset), of either cap, begins to count at zero. VERSION_CHANGED (with
 * refusal->version), ALREADY_EXISTS (for ABSENT), NOT_FOUND (a product that is named;
 * refusal->line: which). */
CELLAR_API cellar_status cellar_campaign_put(cellar *store, const cellar_call *call,
                                             const cellar_campaign *campaign, uint64_t expected,
                                             cellar_ticket *ticket_out,
                                             cellar_refusal *refusal_out);
/* Rules and numbers are of one instant each, not of the same one. NOT_FOUND. */
CELLAR_API cellar_status cellar_campaign_get(cellar *store, uint64_t id,
                                             cellar_campaign *campaign_out);

/* A line of a list. */
typedef struct cellar_campaign_summary {
    uint64_t id;
    uint64_t version;
    int64_t created_ns;
    cellar_campaign_status status;
    int64_t quota;
    int64_t claimed;
    int64_t admitted;
    char name[CELLAR_NAME_BYTES_MAX + 1];
} cellar_campaign_summary;

/* A page of all campaigns, newest first, up to `capacity` (1 to 1000). before: 0 from the newest
 * on, else those created before the one with this id. NOT_FOUND: `before` is no campaign that is
 * listed. */
CELLAR_API cellar_status cellar_campaign_list(cellar *store, uint64_t before,
                                              cellar_campaign_summary *page_out, size_t capacity,
                                              size_t *count_out);

/* Claims a coupon for the customer (not 0). ticket->rank is its number, ticket->waiting whether it
 * is on the waiting list. One commit of two cells, three with a cap per period, and one more when
 * a period of customers begins. `id` makes it idempotent; without one ({0, 0}) the limit of the
 * customer does: whoever has all he may have is told ALREADY_CLAIMED, or CUSTOMER_PERIOD_CAP when
 * he may have more in the next period, with the number of the last one in refusal->rank, also when
 * everything is sold out. What is refused has written to nothing that threads share. PAUSED, ENDED,
 * NOT_STARTED, EXPIRED, SOLD_OUT (no waiting list), WAITLIST_FULL, PERIOD_CAP, NOT_FOUND,
 * ID_REUSED. */
CELLAR_API cellar_status cellar_coupon_claim(cellar *store, const cellar_call *call, cellar_id id,
                                             uint64_t campaign, uint64_t customer,
                                             cellar_ticket *ticket_out,
                                             cellar_refusal *refusal_out);
/* Takes a coupon back that is granted or waiting. A granted one leaves its place to the first that
 * waits, in the same commit, or to the next that claims. Once revoked OK, repeated. NOT_FOUND,
 * ALREADY_REDEEMED. */
CELLAR_API cellar_status cellar_coupon_revoke(cellar *store, const cellar_call *call,
                                              uint64_t campaign, uint64_t customer,
                                              uint32_t ordinal, cellar_ticket *ticket_out,
                                              cellar_refusal *refusal_out);

typedef enum cellar_coupon_state {
    CELLAR_COUPON_GRANTED = 1,
    CELLAR_COUPON_WAITING = 2,
    CELLAR_COUPON_REDEEMED = 3,
    CELLAR_COUPON_REVOKED = 4
} cellar_coupon_state;

typedef struct cellar_coupon {
    uint64_t campaign;
    uint64_t customer;
    uint32_t ordinal; /* which of the customer's coupons of this campaign, from 0 */
    cellar_coupon_state state;
    uint64_t rank;    /* the number of the claim */
    int64_t ahead;    /* WAITING: how many wait before it; follows the log within milliseconds */
    int64_t discount; /* REDEEMED: what it came to; follows the log */
    uint64_t version; /* LSN of its last change: claimed, redeemed, restored, revoked */
} cellar_coupon;

/* NOT_FOUND. */
CELLAR_API cellar_status cellar_coupon_get(cellar *store, uint64_t campaign, uint64_t customer,
                                           uint32_t ordinal, cellar_coupon *coupon_out);

typedef struct cellar_coupon_query {
    uint64_t campaign; /* either: all claims of this campaign */
    uint64_t customer; /* or: all claims of this customer */
    /* Only claims older than this one, by campaign, customer and ordinal. campaign 0: from the
     * newest on. */
    cellar_coupon before;
} cellar_coupon_query;

/* A page, latest claim first, up to `capacity` (1 to 1000). The list follows the log within
 * milliseconds; what it names is shown as it is now. Never NOT_FOUND but for `before`: an unknown
 * campaign or customer is an empty page. */
CELLAR_API cellar_status cellar_coupon_list(cellar *store, const cellar_coupon_query *query,
                                            cellar_coupon *page_out, size_t capacity,
                                            size_t *count_out);

#define CELLAR_ANY_ORDINAL UINT32_MAX /* the first coupon that can be redeemed */

/* What is redeemed, outside of an order: a coupon of a customer, or a code. */
typedef struct cellar_redemption {
    cellar_id id;      /* makes it idempotent; {0, 0}: not wanted */
    uint64_t campaign; /* of a coupon; 0 with a code */
    uint64_t customer; /* of a coupon; with a code it is only part of the request's content */
    uint32_t ordinal;  /* of a coupon, or CELLAR_ANY_ORDINAL; 0 with a code */
    const char *code;  /* or NULL */
    const cellar_line *lines; /* up to 4096: what is bought, with prices; the location is not used.
                                 A discount of kind NONE needs none */
    size_t line_count;
} cellar_redemption;

/* Redeems in one commit: the coupon is granted, not yet redeemed, the campaign not closed and not
 * past redeem_until, and its budget suffices; a code has a use left, and its campaign is open and
 * within valid_from and valid_until, too. The sum of the discounts is in ticket->remaining, the
 * share of lines[i] in discounts_out[i] (may be NULL; not filled when repeated). Products are
 * looked at as they are at some instant of the call. NOT_FOUND (line, or CELLAR_NO_LINE: no such
 * coupon, code or campaign), NOT_GRANTED (rank), ALREADY_REDEEMED, REVOKED, PAUSED, ENDED,
 * NOT_STARTED, EXPIRED, SOLD_OUT (no use left), NOT_ELIGIBLE (available: the sum
 * of the lines it is good for; needed: the minimum), BUDGET_SPENT (available, needed), ID_REUSED.
 */
CELLAR_API cellar_status cellar_coupon_redeem(cellar *store, const cellar_call *call,
                                              const cellar_redemption *redemption,
                                              int64_t *discounts_out, cellar_ticket *ticket_out,
                                              cellar_refusal *refusal_out);
/* Undoes a redemption of a coupon by name (redemption->ordinal must say which; lines are not used)
 * or of a code, which gets a use back, the budget `discount` (>= 0), which must be what was given;
 * of a coupon the store knows that, and `discount` must be 0. ticket->remaining: what was given
 * back. NOT_FOUND, NOT_REDEEMED, NOT_RESTORABLE (restore_on_cancel is false), ID_REUSED. */
CELLAR_API cellar_status cellar_coupon_restore(cellar *store, const cellar_call *call,
                                               const cellar_redemption *redemption,
                                               int64_t discount, cellar_ticket *ticket_out,
                                               cellar_refusal *refusal_out);

/* A code, 1 to 64 bytes, byte-exact, in no other campaign, that can be used `uses` times (1 to
 * CELLAR_QUOTA_MAX), by anyone. Adding it again with the same content answers OK, repeated; with
 * another one ALREADY_EXISTS. NOT_FOUND: no such campaign. */
CELLAR_API cellar_status cellar_code_add(cellar *store, const cellar_call *call, uint64_t campaign,
                                         const char *code, int64_t uses, cellar_ticket *ticket_out,
                                         cellar_refusal *refusal_out);
/* Adds many, one commit each, with one wait at the end. statuses_out[i] (may be NULL) tells of
 * codes[i]; a refusal of one does not stop the others. Returns OK when all were added, else the
 * status of the first that was not. */
CELLAR_API cellar_status cellar_code_add_many(cellar *store, const cellar_call *call,
                                              uint64_t campaign, const char *const *codes,
                                              size_t count, int64_t uses,
                                              cellar_status *statuses_out);

typedef struct cellar_code {
    uint64_t campaign;
    int64_t uses; /* in all */
    int64_t left;
    uint64_t version; /* LSN of its last change */
} cellar_code;

/* NOT_FOUND. */
CELLAR_API cellar_status cellar_code_get(cellar *store, const char *code, cellar_code *code_out);

/* ---- Transactions ---- */

/* Every change but those that put products and campaigns, and settlements. Behind each the members
 * of cellar_operation that it takes. */
typedef enum cellar_operation_kind {
    CELLAR_OPERATION_ORDER_PLACE = 1,   /* order */
    CELLAR_OPERATION_ORDER_RETURN = 2,  /* order, damaged */
    CELLAR_OPERATION_ORDER_STEP = 3,    /* step */
    CELLAR_OPERATION_STOCK_RECEIVE = 4, /* stock, and so the next four */
    CELLAR_OPERATION_STOCK_ADJUST = 5,
    CELLAR_OPERATION_STOCK_SET_ASIDE = 6,
    CELLAR_OPERATION_STOCK_ANNOUNCE = 7,
    CELLAR_OPERATION_STOCK_TAKE = 8,     /* quantities > 0; not below the safety stock */
    CELLAR_OPERATION_ACCOUNT_CREDIT = 9, /* entry, and so the next two */
    CELLAR_OPERATION_ACCOUNT_DEBIT = 10,
    CELLAR_OPERATION_ACCOUNT_TRANSFER = 11,
    CELLAR_OPERATION_COUPON_CLAIM = 12,   /* claim */
    CELLAR_OPERATION_COUPON_REVOKE = 13,  /* claim, its ordinal; no id */
    CELLAR_OPERATION_COUPON_REDEEM = 14,  /* redemption, discounts_out */
    CELLAR_OPERATION_COUPON_RESTORE = 15, /* redemption, discount */
    CELLAR_OPERATION_CODE_ADD = 16,       /* code */
    CELLAR_OPERATION_STOCK_MOVE = 17,     /* level: id, line, to_location */
    CELLAR_OPERATION_STOCK_COUNT = 18,    /* level: line, expected; no id; and so the next */
    CELLAR_OPERATION_STOCK_SET_SAFETY = 19,
    CELLAR_OPERATION_ACCOUNT_CREATE = 20,    /* account */
    CELLAR_OPERATION_ACCOUNT_SET_FLOOR = 21, /* entry: account, amount (the floor), expected */
    CELLAR_OPERATION_ACCOUNT_HOLD = 22,      /* entry: id, account, amount, deadline_ns */
    CELLAR_OPERATION_ACCOUNT_POST = 23,      /* entry: id (of the hold), amount, to */
    CELLAR_OPERATION_ACCOUNT_VOID = 24,      /* entry: id (of the hold) */
    CELLAR_OPERATION_LEASE_ACQUIRE = 25,     /* lease: name, holder, ttl_ms */
    CELLAR_OPERATION_LEASE_RENEW = 26,       /* lease: name, token, ttl_ms */
    CELLAR_OPERATION_LEASE_RELEASE = 27      /* lease: name, token */
} cellar_operation_kind;

/* What the calls about money take; members that a kind does not name are not looked at. */
typedef struct cellar_account_entry {
    cellar_id id;        /* {0, 0}: not wanted; of a hold and its end required */
    uint64_t account;    /* of a transfer: from */
    uint64_t to;         /* of a transfer or post */
    int64_t amount;      /* > 0; of SET_FLOOR: the floor, <= 0 */
    int64_t deadline_ns; /* of a hold */
    uint64_t expected;   /* of SET_FLOOR: the version before the transaction, or ANY */
} cellar_account_entry;

/* What the calls about one line of stock take. */
typedef struct cellar_stock_level {
    cellar_id id; /* of a move; {0, 0}: not wanted */
    const cellar_line *line;
    uint32_t to_location; /* of a move */
    uint64_t expected;    /* of the others: the version before the transaction, or ANY */
} cellar_stock_level;

typedef struct cellar_lease_request {
    const char *name;
    uint64_t holder; /* ACQUIRE */
    uint64_t token;  /* RENEW, RELEASE */
    int64_t ttl_ms;  /* ACQUIRE, RENEW */
} cellar_lease_request;

typedef struct cellar_code_request {
    uint64_t campaign;
    const char *code;
    int64_t uses;
} cellar_code_request;

typedef struct cellar_claim {
    cellar_id id; /* {0, 0}: not wanted */
    uint64_t campaign;
    uint64_t customer;
    uint32_t ordinal; /* of revoke */
} cellar_claim;

/* One of them, as its own call takes it. */
typedef struct cellar_operation {
    cellar_operation_kind kind;
    bool damaged;
    const cellar_order_request *order;
    const cellar_order_change *step;
    const cellar_stock_change *stock;
    const cellar_account_entry *entry;
    const cellar_claim *claim;
    const cellar_stock_level *level;
    const cellar_account_request *account;
    const cellar_lease_request *lease;
    const cellar_redemption *redemption;
    int64_t discount;       /* of a code that is restored */
    int64_t *discounts_out; /* of a redemption, as its call fills it in; may be NULL */
    const cellar_code_request *code;
} cellar_operation;

/* Carries out 1 to 64 operations in one commit, all or none. Each sees what those before it do to
 * stocks, balances and coupons; an order, hold or lease that one of them makes or changes cannot be
 * changed by another: INVALID_ARGUMENT. Versions that operations expect are those before the
 * transaction. Refusals are those of the operations: refusal->step says which one, from 0.
 * ticket->lsn is also the token of each lease it acquires; ticket->rank and waiting are those of
 * its last claim, remaining is 0.
 *
 * `id` makes the whole idempotent ({0, 0}: not wanted): the same operations in the same order again
 * answer OK, repeated, with the first ticket; anything else under this id is ID_REUSED. An id that
 * was not used before, or none, and the operations decide: the transaction is repeated when each
 * of them would answer OK, repeated, by itself, and those that have an id were all made by one
 * commit, whose ticket is returned (when none has one, that of the latest). Their order then does
 * not matter. When only some were done before, or by several commits, nothing happens: ID_REUSED,
 * or ALREADY_EXISTS for one without an id, of the first such step, with its LSN in
 * refusal->version. */
CELLAR_API cellar_status cellar_transact(cellar *store, const cellar_call *call, cellar_id id,
                                         const cellar_operation *operations, size_t count,
                                         cellar_ticket *ticket_out, cellar_refusal *refusal_out);

/* Carries out up to 65,536 operations, each in a commit of its own, with one wait for durability at
 * the end. statuses_out[i], tickets_out[i] and refusals_out[i] (each array may be NULL) tell of
 * operations[i]; a refusal of one does not stop the others. OK when all were carried out, else the
 * status of the first that was not. */
CELLAR_API cellar_status cellar_bulk(cellar *store, const cellar_call *call,
                                     const cellar_operation *operations, size_t count,
                                     cellar_status *statuses_out, cellar_ticket *tickets_out,
                                     cellar_refusal *refusals_out);

/* ---- Looking at the whole ---- */

/* Sums are exact as long as they fit 64 bits, and exact modulo 2^64 beyond. */
typedef struct cellar_totals {
    uint64_t products;
    uint64_t stocks; /* pairs of product and location */
    uint64_t accounts;
    uint64_t customers; /* with at least one order or return */
    uint64_t orders[7]; /* by cellar_order_state, retired ones included; [0] counts other documents
                           that have an id: stock changes, transfers, steps, transactions */
    uint64_t order_lines; /* of all orders ever placed, cancelled ones included */
    uint64_t return_lines;
    int64_t units_ordered; /* without those that were cancelled or have expired */
    int64_t units_returned;
    int64_t revenue; /* of orders, without what was cancelled or has expired */
    int64_t returned_value;
    int64_t units_received;
    int64_t units_adjusted; /* adjustments and counts, signed */
    int64_t units_taken;
    int64_t units_available;
    int64_t units_reserved;
    int64_t units_unsellable;
    int64_t units_fulfilled;
    int64_t balances; /* sum over all accounts */
    int64_t credited; /* came in from outside */
    int64_t debited;  /* went outside */
    uint64_t lsn;     /* all of this is as of all commits below */
    /* Coupons. */
    uint64_t campaigns;
    uint64_t codes;
    uint64_t coupons_claimed;  /* ever */
    uint64_t coupons_redeemed; /* and not restored */
    uint64_t coupons_revoked;
    uint64_t code_uses; /* and not restored */
    int64_t discounts;  /* given by coupons and codes, and not restored */
    /* Of money: what is held by open holds and how many these are; what collecting accounts have
     * not settled (part of `balances`). */
    uint64_t account_holds;
    int64_t held;
    int64_t unsettled;
    uint64_t leases;     /* names */
    uint64_t retired[7]; /* of `orders`: those that have left memory (remember_closed_ns) */
} cellar_totals;

typedef struct cellar_audit {
    cellar_totals totals;
    uint64_t violations;       /* 0: every invariant held */
    char first_violation[256]; /* empty when there is none */
} cellar_audit;

/* Checks every invariant over the whole live state, as of one instant, while sales go on: on hand =
 * sum of movements for every SKU and location; nothing sold below its safety stock; reserved = sum
 * of open orders; balances = sum of what came in and went out, none below its floor, what is held =
 * sum of open holds, nothing settled that was not collected; every order in exactly one state and
 * list. Takes time in proportion to the store; a full ring makes commits wait meanwhile. Returns OK
 * whether or not there are violations; FAILED. */
CELLAR_API cellar_status cellar_audit_run(cellar *store, cellar_audit *audit_out);

typedef struct cellar_statistics {
    uint64_t reserved_lsn, decided_lsn, durable_lsn, listed_lsn, reclaimed_lsn;
    uint64_t commits;       /* records logged */
    uint64_t padding_bytes; /* log space lost to aborted attempts */
    uint64_t helped;    /* times a transaction of another thread was met in flight and finished */
    uint64_t dead_gaps; /* times the log writer passed over a stopped thread */
    uint64_t syncs;
    uint64_t log_bytes;
    uint64_t segments;
    uint64_t sync_ns_p50, sync_ns_p99;
    uint64_t durable_lag_ns_p50, durable_lag_ns_p99,
        durable_lag_ns_max; /* from being taken by the writer to being durable */
    uint64_t group_records_p50, group_records_p99;
    uint64_t memory_bytes; /* all kinds together */
    uint64_t recovery_ns;  /* time the last open took to replay */
    uint64_t recovery_records;
} cellar_statistics;

/* Counters since the store was opened. Never fails but for FORKED and CLOSED. */
CELLAR_API cellar_status cellar_statistics_get(cellar *store, cellar_statistics *statistics_out);
/* Bytes in use by kind, from 0 on: name (static) and bytes. NOT_FOUND beyond the last. */
CELLAR_API cellar_status cellar_memory_get(cellar *store, uint32_t kind, const char **name_out,
                                           int64_t *bytes_out);

#ifdef __cplusplus
}
#endif

#endif
