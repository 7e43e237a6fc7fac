/* Calls of every kind on a store whose disk and memory fail. */
#include "gate/fault/work.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define CALLS 90
#define FAT_CALLS 420
/* Their record is longer than what is read of one at first. */
#define WIDE_LINES 300
#define WAIT_MS 60

bool fault_wrong(struct fault *fault, const char *format, ...) {
    if (fault->wrong[0] == '\0') {
        va_list arguments;
        va_start(arguments, format);
        (void)vsnprintf(fault->wrong, sizeof fault->wrong, format, arguments);
        va_end(arguments);
    }
    return false;
}

cellar_status fault_open(cellar **store_out, const struct io *io, cellar_problem *problem) {
    const cellar_config config = {.size = sizeof config,
                                  .directory = "/shop",
                                  .ring_bytes = 1U << 16,
                                  .segment_bytes = 1U << 20,
                                  .products_max = 1U << 8,
                                  .stocks_max = 1U << 10,
                                  .accounts_max = 1U << 8,
                                  .orders_max = 1U << 11,
                                  .grants_max = 1U << 11,
                                  .customers_max = 1U << 11,
                                  .durability = CELLAR_RELAXED};
    const struct engine_options options = {.io = io};

    return engine_open(&config, &options, store_out, problem);
}

/* ---- Calls ---- */

/* Failures that a fault may bring about; all others mean that something else is wrong. */
bool fault_is_allowed(cellar_status status) {
    return status == CELLAR_OUT_OF_MEMORY || status == CELLAR_FAILED ||
           status == CELLAR_OUTCOME_UNKNOWN || status == CELLAR_DISK_FULL ||
           status == CELLAR_BUSY || status == CELLAR_TIMEOUT || status == CELLAR_IO_ERROR;
}

static bool fault_is_failure(cellar_status status) {
    return !cellar_status_is_refusal(status) || status == CELLAR_BUSY || status == CELLAR_DISK_FULL;
}

bool fault_note(struct fault *fault, cellar_status status, bool change, const char *what) {
    ++*fault->calls_made;
    if (status == CELLAR_OK) {
        return !(change && fault->failed) ||
               fault_wrong(fault, "%s: done, after the log had failed", what);
    }
    if (!fault_is_failure(status) || status == CELLAR_INVALID_ARGUMENT ||
        status == CELLAR_OVERFLOW) {
        return true;
    }
    if (fault->benign || !fault_is_allowed(status)) {
        return fault_wrong(fault, "%s: %s", what, cellar_status_name(status));
    }
    fault->failed = fault->failed || status == CELLAR_FAILED || status == CELLAR_OUTCOME_UNKNOWN;
    return true;
}

cellar_call fault_options(struct fault *fault) {
    return (cellar_call){.durability =
                             random_below(&fault->random, 3) == 0 ? CELLAR_DURABLE : CELLAR_RELAXED,
                         .wait_ms = fault->benign ? 0 : WAIT_MS,
                         .durable_wait_ms = fault->benign ? 0 : WAIT_MS};
}

bool fault_call(struct fault *fault, struct model_call *call) {
    struct journal *journal = &fault->journal;
    struct model_answer answer;
    const cellar_call options = fault_options(fault);

    model_run(fault->store, fault->numbers, &options, call, &answer);
    journal_acknowledge(journal, fault->store);
    bool right =
        fault_note(fault, answer.status, call->kind < MODEL_QUOTE && !answer.ticket.repeated,
                   model_describe(call, &answer));
    if (answer.status == CELLAR_OUTCOME_UNKNOWN && answer.ticket.lsn != 0) {
        /* It was committed; the next opening tells. */
        answer.status = CELLAR_OK;
    }
    if (model_is_change(call, &answer)) {
        journal_add(journal, call, &answer);
    }
    return right;
}

/* A call with more lines than a plan holds by itself. */
static void fault_draw_wide(enum model_kind kind, uint32_t id, struct model_call *call) {
    static struct model_line lines[WIDE_LINES];

    for (uint32_t i = 0; i < WIDE_LINES; i++) {
        lines[i] = (struct model_line){.sku = i % WORK_SKUS, .quantity = 1, .unit_price = 3};
    }
    *call = (struct model_call){.kind = kind, .id = id, .line_count = WIDE_LINES, .many = lines};
    if (kind == MODEL_PLACE) {
        /* Its lines are read back from its record. */
        call->state = CELLAR_ORDER_FULFILLED;
    }
}

void fault_draw(struct fault *fault, uint32_t i, struct model_call *call) {
    const struct model_mix mix = {.skus = WORK_SKUS,
                                  .locations = MODEL_LOCATIONS,
                                  .accounts = 6,
                                  .id_first = 1 + i / 2,
                                  .id_count = 16,
                                  .salt = 7,
                                  .reads = fault->reads,
                                  .units = 80};

    model_draw(&fault->random, &mix, call);
}

static void fault_draw_fat(struct fault *fault, struct model_call *call) {
    unsigned char attributes[MODEL_ATTRIBUTES_MAX];
    uint32_t text;

    do {
        text = 1 + (uint32_t)random_below(&fault->random, 1000);
    } while (model_attributes(text, attributes) < MODEL_ATTRIBUTES_MAX - 300);
    *call =
        (struct model_call){.kind = MODEL_PUT,
                            .line_count = 1,
                            .text = text,
                            .few = {{.sku = (uint32_t)random_below(&fault->random, WORK_SKUS)}}};
}

/* What is read back from the log and from lists. */
static bool fault_read(struct fault *fault) {
    bool right = true;

    for (uint32_t sku = 0; right && sku < WORK_SKUS; sku++) {
        const cellar_line line = {.sku = model_sku(sku)};
        cellar_movement page[8];
        size_t count;
        cellar_status status = cellar_stock_history(fault->store, &line, 0, page, 8, &count);
        right = fault_note(fault, status, false, "history");
    }
    for (uint32_t state = 0; right && state < 4; state++) {
        const cellar_order_query query = {.state = (cellar_order_state)state};
        cellar_order page[4];
        cellar_order_line lines[16];
        size_t count;
        cellar_status status = cellar_order_list(fault->store, &query, page, 4, &count, lines, 16);
        right = fault_note(fault, status, false, "list");
    }
    cellar_audit audit;
    return right && fault_note(fault, cellar_audit_run(fault->store, &audit), false, "audit");
}

/* Lines by the hundred. */
static bool fault_wide(struct fault *fault) {
    static const enum model_kind wide[] = {MODEL_RECEIVE, MODEL_ADJUST, MODEL_RETURN, MODEL_PLACE};
    struct model_call call;
    bool right = true;

    for (uint32_t i = 0; right && i < sizeof wide / sizeof *wide; i++) {
        fault_draw_wide(wide[i], 500 + i, &call);
        right = fault_call(fault, &call);
    }
    if (right && fault->reads) {
        call = (struct model_call){.kind = MODEL_ORDER_GET, .id = 503};
        right = fault_call(fault, &call);
    }
    return right;
}

/* The store cannot be opened a second time. */
bool fault_open_again(struct fault *fault, const struct io *io) {
    cellar *second = NULL;
    cellar_problem problem;

    cellar_status status = fault_open(&second, io, &problem);
    if (status == CELLAR_OK) {
        (void)cellar_close(second);
    }
    return (status == CELLAR_LOCKED || (!fault->benign && fault_is_allowed(status))) ||
           fault_wrong(fault, "opened twice: %s", cellar_status_name(status));
}

bool fault_put(struct fault *fault) {
    struct model_call call = {.kind = MODEL_PUT, .line_count = 1, .text = 1};

    return fault_call(fault, &call);
}

bool fault_work(struct fault *fault, bool fat) {
    struct model_call call;
    bool right = true;

    for (uint32_t i = 0; right && i < CALLS; i++) {
        fault_draw(fault, WORK_CALLS_BEFORE + i, &call);
        right = fault_call(fault, &call);
    }
    right = right && fault_wide(fault);
    for (uint32_t i = 0; right && fat && i < FAT_CALLS; i++) {
        fault_draw_fat(fault, &call);
        right = fault_call(fault, &call);
    }
    return right && (!fault->reads || fault_read(fault));
}
