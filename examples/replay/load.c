/* load.c - see load.h. */
#include "load.h"

#include "document.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    PRODUCTS_AT_A_TIME = 256,
    TRIES_MAX = 100, /* of a call that finds the ring or the disk full, or others always faster */
    TRY_PAUSE_NS = 1000000
};

/* Why a stock code was written off, as far as its description tells. */
typedef enum reason_code {
    REASON_NOT_STATED = 1,
    REASON_DAMAGED = 2,
    REASON_LOST = 3,
    REASON_OTHER = 4
} reason_code;

typedef struct load_job {
    cellar *store;
    const shop_file *shop;
    uint64_t *product_ids; /* the engine's, by the shop's number */
    cellar_call relaxed;   /* for the setup, which waits once at its end */
    cellar_call call;
    uint64_t lsn_last;
    _Atomic uint32_t invoice_next;
    _Atomic bool failed;
} load_job;

typedef struct load_worker {
    load_job *job;
    pthread_t thread;
    cellar_line *lines; /* CELLAR_LINES_MAX of them */
    load_result result;
    uint64_t lsn_last;
} load_worker;

static double seconds_now(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* True, after a pause, when the same call may be tried again. */
static bool again(cellar_status status, int *tries) {
    bool passing = status == CELLAR_BUSY || status == CELLAR_CONFLICT || status == CELLAR_DISK_FULL;
    if (!passing || ++*tries == TRIES_MAX) {
        return false;
    }
    const struct timespec pause = {.tv_nsec = (long)TRY_PAUSE_NS * *tries};
    (void)nanosleep(&pause, NULL);
    return true;
}

/* Counts the answer. Returns false when the engine has failed and nothing more can be done. */
static bool count(load_tally *tally, uint64_t *lsn_last, const char *what, const char *which,
                  cellar_status status, const cellar_ticket *ticket,
                  const cellar_refusal *refusal) {
    if (status == CELLAR_OK) {
        tally->made += ticket->repeated ? 0 : 1;
        tally->repeated += ticket->repeated ? 1 : 0;
        *lsn_last = ticket->lsn > *lsn_last ? ticket->lsn : *lsn_last;
        return true;
    }
    tally->refused++;
    const char *detail = status == CELLAR_INVALID_ARGUMENT && refusal->reason != NULL
                             ? refusal->reason
                             : cellar_status_text(status);
    char line[32] = "";
    if (refusal->line != CELLAR_NO_LINE && cellar_status_is_refusal(status)) {
        (void)snprintf(line, sizeof line, ", line %" PRIu32, refusal->line);
    }
    (void)fprintf(stderr, "replay: %s %s%s: %s: %s\n", what, which, line,
                  cellar_status_name(status), detail);
    return cellar_status_is_refusal(status) || status == CELLAR_INVALID_ARGUMENT ||
           status == CELLAR_OVERFLOW;
}

/* ---- Setup: products, accounts, receipts --------------------------------------------------------
 */

/* Puts the products that `numbers` name, and keeps the ids they get. */
static bool products_put(load_job *job, const uint32_t *numbers, size_t number_count,
                         cellar_product *products, load_tally *tally) {
    cellar_ticket tickets[PRODUCTS_AT_A_TIME];
    cellar_status statuses[PRODUCTS_AT_A_TIME];
    for (size_t i = 0; i < number_count; i++) {
        const shop_product *product = &job->shop->products[numbers[i]];
        products[i] = (cellar_product){
            .sku = product->sku,
            .name = product->name,
            .unit_price = product->price,
        };
    }
    (void)cellar_product_put_many(job->store, &job->relaxed, products, number_count, statuses,
                                  tickets);
    const cellar_refusal none = {.line = CELLAR_NO_LINE};
    for (size_t i = 0; i < number_count; i++) {
        if (!count(tally, &job->lsn_last, "product", products[i].sku, statuses[i], &tickets[i],
                   &none) ||
            statuses[i] != CELLAR_OK) {
            return false;
        }
        job->product_ids[numbers[i]] = tickets[i].object;
    }
    return true;
}

static bool products_setup(load_job *job, load_tally *tally) {
    uint32_t numbers[PRODUCTS_AT_A_TIME];
    size_t pending = 0;
    bool good = true;
    /* A cellar_product carries its buffers with it, too much for a stack. */
    cellar_product *products = calloc(PRODUCTS_AT_A_TIME, sizeof *products);
    uint32_t product_count = job->shop->product_names.count;
    for (uint32_t i = 0; good && products != NULL && i < product_count; i++) {
        if (!job->shop->products[i].used) {
            continue;
        }
        cellar_status status =
            cellar_product_get(job->store, job->shop->products[i].sku, 0, &products[pending]);
        if (status == CELLAR_OK) {
            job->product_ids[i] = products[pending].id;
            tally->repeated++;
        } else if (status == CELLAR_NOT_FOUND) {
            numbers[pending++] = i;
        } else {
            (void)fprintf(stderr, "replay: product %s: %s\n", job->shop->products[i].sku,
                          cellar_status_text(status));
            good = false;
        }
        if (pending == PRODUCTS_AT_A_TIME) {
            good = good && products_put(job, numbers, pending, products, tally);
            pending = 0;
        }
    }
    good = good && products != NULL &&
           (pending == 0 || products_put(job, numbers, pending, products, tally));
    free(products);
    return good;
}

static bool accounts_setup(load_job *job, load_tally *tally) {
    for (size_t i = 0; i < job->shop->customer_count; i++) {
        cellar_ticket ticket;
        cellar_refusal refusal;
        cellar_status status;
        int tries = 0;
        do {
            status = cellar_account_open(job->store, &job->relaxed, job->shop->customers[i],
                                         -CELLAR_AMOUNT_MAX, &ticket, &refusal);
        } while (again(status, &tries));
        char which[24];
        (void)snprintf(which, sizeof which, "%" PRIu64, job->shop->customers[i]);
        if (!count(tally, &job->lsn_last, "account", which, status, &ticket, &refusal)) {
            return false;
        }
    }
    return true;
}

static bool receipts_setup(load_job *job, load_result *result) {
    for (uint32_t i = 0; i < job->shop->product_names.count; i++) {
        const shop_product *product = &job->shop->products[i];
        if (product->needed == 0) {
            continue;
        }
        cellar_line line = {.product = job->product_ids[i], .quantity = product->needed};
        cellar_stock_change change = {
            .id = document_receipt_id(job->product_ids[i], job->shop->fingerprint),
            .lines = &line,
            .line_count = 1,
            .reference = "what the file's orders and write-offs take",
        };
        cellar_ticket ticket;
        cellar_refusal refusal;
        cellar_status status;
        int tries = 0;
        do {
            status = cellar_stock_receive(job->store, &job->relaxed, &change, &ticket, &refusal);
        } while (again(status, &tries));
        if (!count(&result->receipts, &job->lsn_last, "receipt of", product->sku, status, &ticket,
                   &refusal)) {
            return false;
        }
        result->units_received += status == CELLAR_OK && !ticket.repeated ? product->needed : 0;
    }
    return true;
}

/* ---- Sale: orders, returns, write-offs
 * ------------------------------------------------------------ */

static reason_code reason_of(const char *note) {
    static const struct {
        const char *word;
        reason_code code;
    } words[] = {
        {"damage", REASON_DAMAGED}, {"broken", REASON_DAMAGED}, {"crack", REASON_DAMAGED},
        {"faulty", REASON_DAMAGED}, {"thrown", REASON_DAMAGED}, {"throw", REASON_DAMAGED},
        {"mould", REASON_DAMAGED},  {"smash", REASON_DAMAGED},  {"lost", REASON_LOST},
        {"missing", REASON_LOST},   {"mia", REASON_LOST},
    };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcasestr(note, words[i].word) != NULL) {
            return words[i].code;
        }
    }
    return note[strspn(note, "? ")] == '\0' ? REASON_NOT_STATED : REASON_OTHER;
}

/* The reference keeps what a stock adjustment has no member for: price, customer, description. */
static bool write_off(load_worker *worker, const shop_invoice *invoice, const shop_line *sold,
                      uint32_t ordinal) {
    load_job *job = worker->job;
    const char *note = sold->note == NULL ? "" : sold->note;
    char text[128];
    char reference[CELLAR_REFERENCE_BYTES_MAX + 1];
    (void)snprintf(text, sizeof text, "%" PRId64 " %" PRIu64 " %s", sold->price, invoice->customer,
                   note);
    (void)row_text_copy(reference, sizeof reference, text);
    cellar_line line = {.product = job->product_ids[sold->product], .quantity = sold->quantity};
    cellar_stock_change change = {
        .id = document_id(DOCUMENT_ADJUSTMENT, invoice->number, ordinal),
        .lines = &line,
        .line_count = 1,
        .reason = reason_of(note),
        .reference = reference,
    };
    cellar_ticket ticket;
    cellar_refusal refusal;
    cellar_status status;
    int tries = 0;
    do {
        status = cellar_stock_adjust(job->store, &job->call, &change, &ticket, &refusal);
    } while (again(status, &tries));
    return count(&worker->result.write_offs, &worker->lsn_last, "write-off of invoice",
                 invoice->number, status, &ticket, &refusal);
}

/* Places the lines that the worker has gathered, as one order or return. */
static bool place(load_worker *worker, const shop_invoice *invoice, size_t line_count,
                  int64_t total) {
    load_job *job = worker->job;
    char reference[CELLAR_REFERENCE_BYTES_MAX + 1];
    (void)snprintf(reference, sizeof reference, "%s %s", invoice->number, invoice->country);
    bool back = invoice->cancellation;
    cellar_order_request request = {
        .id = document_id(back ? DOCUMENT_RETURN : DOCUMENT_ORDER, invoice->number, 0),
        .customer = invoice->customer,
        .lines = worker->lines,
        .line_count = line_count,
        .state = back ? 0 : CELLAR_ORDER_FULFILLED,
        .account = total > 0 ? invoice->customer : 0,
        .business_time_ns = invoice->time_ns,
        .reference = reference,
    };
    cellar_ticket ticket;
    cellar_refusal refusal;
    cellar_status status;
    int tries = 0;
    do {
        status =
            back ? cellar_order_return(job->store, &job->call, &request, false, &ticket, &refusal)
                 : cellar_order_place(job->store, &job->call, &request, &ticket, &refusal);
    } while (again(status, &tries));
    return count(back ? &worker->result.returns : &worker->result.orders, &worker->lsn_last,
                 back ? "return" : "order", invoice->number, status, &ticket, &refusal);
}

static bool invoice_sell(load_worker *worker, const shop_invoice *invoice) {
    const shop_line *lines = worker->job->shop->lines + invoice->line_first;
    size_t line_count = 0;
    int64_t total = 0; /* cannot overflow: shop.c bounds the sum over the whole file */
    uint32_t ordinal = 0;
    bool good = true;
    for (uint32_t i = 0; good && i < invoice->line_count; i++) {
        if (lines[i].quantity < 0 && !invoice->cancellation) {
            good = write_off(worker, invoice, &lines[i], ordinal++);
            continue;
        }
        int64_t quantity = llabs(lines[i].quantity);
        total += quantity * lines[i].price;
        worker->lines[line_count++] = (cellar_line){
            .product = worker->job->product_ids[lines[i].product],
            .quantity = quantity,
            .unit_price = lines[i].price,
        };
    }
    return good && (line_count == 0 || place(worker, invoice, line_count, total));
}

static void *work(void *context) {
    load_worker *worker = context;
    load_job *job = worker->job;
    for (;;) {
        /* Relaxed: a counter; what it points to was there before the threads. */
        uint32_t number = atomic_fetch_add_explicit(&job->invoice_next, 1, memory_order_relaxed);
        if (number >= job->shop->invoice_names.count || atomic_load(&job->failed)) {
            return NULL;
        }
        const shop_invoice *invoice = &job->shop->invoices[number];
        if (!invoice->skipped && !invoice_sell(worker, invoice)) {
            atomic_store(&job->failed, true);
        }
    }
}

static void tally_add(load_tally *sum, const load_tally *tally) {
    sum->made += tally->made;
    sum->repeated += tally->repeated;
    sum->refused += tally->refused;
}

/* Every thread that was started is waited for, also when another one could not be. */
static bool sale_run(load_job *job, unsigned threads, load_result *result) {
    load_worker *workers = calloc(threads, sizeof *workers);
    unsigned started = 0;
    for (; workers != NULL && started < threads; started++) {
        load_worker *worker = &workers[started];
        worker->job = job;
        worker->lines = malloc(CELLAR_LINES_MAX * sizeof *worker->lines);
        if (worker->lines == NULL || pthread_create(&worker->thread, NULL, work, worker) != 0) {
            free(worker->lines);
            break;
        }
    }
    for (unsigned i = 0; i < started; i++) {
        (void)pthread_join(workers[i].thread, NULL);
        free(workers[i].lines);
        tally_add(&result->orders, &workers[i].result.orders);
        tally_add(&result->returns, &workers[i].result.returns);
        tally_add(&result->write_offs, &workers[i].result.write_offs);
        job->lsn_last = workers[i].lsn_last > job->lsn_last ? workers[i].lsn_last : job->lsn_last;
    }
    free(workers);
    if (started < threads) {
        (void)fprintf(stderr, "replay: only %u of %u threads could be started\n", started, threads);
    }
    return started == threads && !atomic_load(&job->failed);
}

/* Waits until all of it is on disk and in the lists that the report reads. */
static bool settle(load_job *job) {
    if (job->lsn_last == 0) {
        return true;
    }
    cellar_status status = cellar_wait(job->store, job->lsn_last, -1);
    if (status == CELLAR_OK) {
        status = cellar_wait_listed(job->store, job->lsn_last, -1);
    }
    if (status != CELLAR_OK) {
        (void)fprintf(stderr, "replay: waiting for the disk: %s\n", cellar_status_text(status));
    }
    return status == CELLAR_OK;
}

bool load_run(cellar *store, const shop_file *shop, unsigned threads, cellar_durability durability,
              load_result *result_out) {
    *result_out = (load_result){0};
    load_job job = {
        .store = store,
        .shop = shop,
        .product_ids = calloc((size_t)shop->product_names.count + 1, sizeof(uint64_t)),
        .relaxed = {.durability = CELLAR_RELAXED},
        .call = {.durability = durability},
    };
    double start = seconds_now();
    bool good = job.product_ids != NULL && products_setup(&job, &result_out->products) &&
                accounts_setup(&job, &result_out->accounts) && receipts_setup(&job, result_out) &&
                settle(&job);
    double setup = seconds_now();
    result_out->setup_seconds = setup - start;
    good = good && sale_run(&job, threads, result_out) && settle(&job);
    result_out->sale_seconds = seconds_now() - setup;
    free(job.product_ids);
    return good;
}

uint64_t load_made(const load_result *result) {
    return result->products.made + result->accounts.made + result->receipts.made +
           result->orders.made + result->returns.made + result->write_offs.made;
}

uint64_t load_refused(const load_result *result) {
    return result->products.refused + result->accounts.refused + result->receipts.refused +
           result->orders.refused + result->returns.refused + result->write_offs.refused;
}
