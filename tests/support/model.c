/* The universe, and the state as a whole. What speaks against a call is in model_judge.c, what it
 * does in model_apply.c. */
#include "support/model.h"

#include "base/assert.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Names ---- */

/* Some that differ in case only, the shortest and the longest, and one beyond ASCII. */
const char *model_sku(uint32_t sku) {
    static const char *const odd[] = {
        "a1", "A1", "x", "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        "th\xc3\xa9 vert"};
    static char plain[MODEL_SKUS][16];
    static _Thread_local char none[16];

    if (sku < sizeof odd / sizeof *odd) {
        return odd[sku];
    }
    if (sku >= MODEL_SKUS) {
        (void)snprintf(none, sizeof none, "none-%u", sku % 100000);
        return none;
    }
    return plain[sku];
}

static void model_name_skus(void) {
    for (uint32_t sku = 5; sku < MODEL_SKUS; sku++) {
        /* The one writer is the thread that makes the first model. */
        char *name = (char *)(uintptr_t)model_sku(sku);
        if (name[0] == '\0') {
            (void)snprintf(name, 16, "sku-%u", sku);
        }
    }
}

cellar_id model_id(uint32_t id) {
    struct random random = {id};

    return id == 0 ? (cellar_id){0, 0} : (cellar_id){id % 3, random_next(&random) | 1};
}

const struct model_line *model_lines(const struct model_call *call) {
    return call->many != NULL ? call->many : call->few;
}

const char *model_reference(uint32_t text, char *buffer) {
    if (text == 0) {
        return NULL;
    }
    int bytes = text % 7 == 0 ? CELLAR_REFERENCE_BYTES_MAX : 12;
    (void)snprintf(buffer, CELLAR_REFERENCE_BYTES_MAX + 1, "ref %0*u", bytes - 4, text);
    return buffer;
}

const char *model_category(uint32_t text) {
    static const char *const names[MODEL_CATEGORIES] = {
        "", "tea", "Tea", "cups and saucers",
        "sixty-four bytes: 3456789012345678901234567890123456789012345678"};

    return names[text % MODEL_CATEGORIES];
}

uint32_t model_attributes(uint32_t text, unsigned char *buffer) {
    struct random random = {text};
    uint32_t bytes = text == 0 ? 0 : (uint32_t)random_below(&random, MODEL_ATTRIBUTES_MAX);

    random_fill(&random, buffer, bytes);
    return bytes;
}

/* ---- The state ---- */

void model_create(struct model *model) {
    model_name_skus();
    memset(model, 0, sizeof *model);
}

void model_destroy(struct model *model) {
    for (uint32_t sku = 0; sku < MODEL_SKUS; sku++) {
        for (uint32_t location = 0; location < MODEL_LOCATIONS; location++) {
            free(model->products[sku].stocks[location].movements);
        }
    }
    for (uint32_t id = 1; id < model->document_count; id++) {
        free(model->documents[id].call.many);
    }
    free(model->documents);
}

bool model_wrong(struct model *model, const char *format, ...) {
    if (model->problem[0] == '\0') {
        va_list arguments;
        va_start(arguments, format);
        (void)vsnprintf(model->problem, sizeof model->problem, format, arguments);
        va_end(arguments);
    }
    return false;
}

bool model_is_change(const struct model_call *call, const struct model_answer *answer) {
    bool done = answer->status == CELLAR_OK || answer->status == CELLAR_TIMEOUT;

    return call->kind < MODEL_QUOTE && done && !answer->ticket.repeated;
}

static const char *const model_kind_names[MODEL_KINDS] = {
    "put",    "receive", "adjust", "set aside", "announce", "take",    "count",  "safety", "move",
    "open",   "credit",  "debit",  "transfer",  "floor",    "place",   "return", "pay",    "fulfil",
    "cancel", "opening", "quote",  "stock",     "snapshot", "account", "order"};

const char *model_describe(const struct model_call *call, const struct model_answer *answer) {
    static _Thread_local char text[600];
    const cellar_refusal *refusal = &answer->refusal;
    int used = snprintf(text, sizeof text,
                        "%s id %u account %llu to %u amount %lld state %u fault %u expected %llu",
                        model_kind_names[call->kind], call->id, (unsigned long long)call->account,
                        call->to, (long long)call->amount, call->state, (unsigned)call->fault,
                        (unsigned long long)call->expected);

    for (uint32_t i = 0; i < call->line_count && i < MODEL_LINES_FEW; i++) {
        const struct model_line *line = &model_lines(call)[i];
        used += snprintf(text + used, sizeof text - (size_t)used, " [%u@%u %lld]", line->sku,
                         line->location, (long long)line->quantity);
    }
    (void)snprintf(text + used, sizeof text - (size_t)used,
                   " -> %s lsn %llu%s remaining %lld; line %d available %lld needed %lld version "
                   "%llu state %u %s",
                   cellar_status_name(answer->status), (unsigned long long)answer->ticket.lsn,
                   answer->ticket.repeated ? " repeated" : "", (long long)answer->ticket.remaining,
                   (int)refusal->line, (long long)refusal->available, (long long)refusal->needed,
                   (unsigned long long)refusal->version, refusal->state,
                   refusal->reason == NULL ? "" : refusal->reason);
    return text;
}
