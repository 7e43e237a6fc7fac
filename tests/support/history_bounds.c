#include "support/history_bounds.h"

#include "base/assert.h"

#include <stdlib.h>
#include <string.h>

/* ---- Things ---- */

/* What calls change and tell of, as numbers. */
enum thing_class {
    THING_NONE,
    THING_STOCK,
    THING_PRODUCT,
    THING_ACCOUNT,
    THING_DOCUMENT
};
#define THING(class, number) (((uint32_t)(class) << 28) | (uint32_t)(number))

static uint32_t thing_stock(uint32_t sku, uint32_t location) {
    return THING(THING_STOCK, sku * MODEL_LOCATIONS + location);
}

#define THINGS_MAX (MODEL_LINES_FEW + MODEL_LOCATIONS + 4)

struct things {
    uint32_t count;
    uint32_t list[THINGS_MAX];
};

static void things_add(struct things *things, uint32_t thing) {
    ASSERT(things->count < THINGS_MAX);
    things->list[things->count++] = thing;
}

static void things_add_lines(struct things *things, const struct model_call *call) {
    for (uint32_t i = 0; i < call->line_count; i++) {
        const struct model_line *line = &model_lines(call)[i];
        things_add(things, thing_stock(line->sku, line->location));
    }
}

static bool bounds_is_step(const struct model_call *call) {
    return call->kind == MODEL_PAY || call->kind == MODEL_FULFIL || call->kind == MODEL_CANCEL;
}

/* What a change has changed for sure. */
static void things_of_change(struct things *things, const struct history_entry *entry) {
    const struct model_call *call = &entry->call;

    things->count = 0;
    if (call->id != 0) {
        things_add(things, THING(THING_DOCUMENT, call->id));
    }
    if (call->kind == MODEL_PUT) {
        things_add(things, THING(THING_PRODUCT, call->few[0].sku));
        for (uint32_t i = 0; i < MODEL_LOCATIONS && entry->status_changed; i++) {
            things_add(things, thing_stock(call->few[0].sku, i));
        }
    } else if (bounds_is_step(call)) {
        if (entry->account != 0) {
            things_add(things, THING(THING_ACCOUNT, entry->account));
        }
        if (call->kind == MODEL_CANCEL && entry->order != NULL) {
            things_add_lines(things, &entry->order->call);
        }
    } else if (call->kind >= MODEL_OPEN && call->kind <= MODEL_FLOOR) {
        things_add(things, THING(THING_ACCOUNT, call->account));
        if (call->kind == MODEL_TRANSFER) {
            things_add(things, THING(THING_ACCOUNT, call->to));
        }
    } else {
        things_add_lines(things, call);
        if (call->kind == MODEL_MOVE) {
            things_add(things, thing_stock(call->few[0].sku, call->to));
        } else if (call->kind == MODEL_OPENING) {
            things_add(things, thing_stock(call->few[0].sku, 0));
        } else if (call->account != 0) {
            things_add(things, THING(THING_ACCOUNT, call->account));
        }
    }
}

/* The thing beside the document that the answer of a change or quote tells of. */
static uint32_t thing_of_refusal(const struct history_entry *entry) {
    const struct model_call *call = &entry->call;
    uint32_t line = entry->answer.refusal.line;

    switch (entry->answer.status) {
    case CELLAR_INSUFFICIENT_FUNDS:
        return THING(THING_ACCOUNT, bounds_is_step(call) && call->kind != MODEL_PAY
                                        ? entry->account
                                        : call->account);
    case CELLAR_ID_REUSED:
    case CELLAR_ILLEGAL_STEP:
        return THING_NONE;
    default:
        break;
    }
    if (call->kind == MODEL_PUT) {
        return THING(THING_PRODUCT, call->few[0].sku);
    }
    if (call->kind >= MODEL_OPEN && call->kind <= MODEL_FLOOR) {
        return THING(THING_ACCOUNT, line == 1 ? call->to : call->account);
    }
    if (bounds_is_step(call) || line >= call->line_count) {
        return THING_NONE;
    }
    const struct model_line *at = &model_lines(call)[line];
    return thing_stock(at->sku, at->location);
}

/* The thing beside the document that an entry tells of which changed nothing. */
static uint32_t thing_of_other(const struct history_entry *entry) {
    const struct model_call *call = &entry->call;

    switch (call->kind) {
    case MODEL_STOCK_GET:
        return thing_stock(call->few[0].sku, call->few[0].location);
    case MODEL_ACCOUNT_GET:
        return THING(THING_ACCOUNT, call->account);
    case MODEL_ORDER_GET:
    case MODEL_SNAPSHOT:
        return THING_NONE;
    default:
        break;
    }
    if (entry->answer.status == CELLAR_OK && call->kind != MODEL_QUOTE) {
        return call->kind == MODEL_OPEN ? THING(THING_ACCOUNT, call->account) : THING_NONE;
    }
    return entry->answer.status == CELLAR_OK ? thing_stock(call->few[0].sku, call->few[0].location)
                                             : thing_of_refusal(entry);
}

static bool bounds_tells_of_document(const struct model_call *call) {
    return call->id != 0 && (call->kind < MODEL_QUOTE || call->kind == MODEL_ORDER_GET);
}

/* ---- What follows from the changes before ---- */

/* Goes through the changes in the order of their LSNs. */
static void bounds_trace(struct history_entry **changes, size_t change_count) {
    uint32_t id_max = 0;
    uint32_t status[MODEL_SKUS] = {0};

    for (size_t i = 0; i < change_count; i++) {
        id_max = changes[i]->call.id > id_max ? changes[i]->call.id : id_max;
    }
    struct history_entry **orders = calloc(id_max + 1, sizeof(struct history_entry *));
    ASSERT(orders != NULL);
    for (size_t i = 0; i < change_count; i++) {
        struct history_entry *entry = changes[i];
        const struct model_call *call = &entry->call;
        if (call->kind == MODEL_PUT) {
            uint32_t *now = &status[call->few[0].sku];
            entry->status_changed = (*now == CELLAR_PRODUCT_DISCONTINUED) !=
                                    (call->state == CELLAR_PRODUCT_DISCONTINUED);
            *now = call->state;
        } else if (call->kind == MODEL_PLACE) {
            orders[call->id] = entry;
            entry->account = call->account;
        } else if (bounds_is_step(call)) {
            entry->order = orders[call->id];
            if (call->kind == MODEL_PAY && entry->order != NULL) {
                entry->account = call->account;
                orders[call->id]->account = call->account;
            } else if (call->kind == MODEL_CANCEL && entry->order != NULL) {
                entry->account = entry->order->account;
            }
        }
    }
    free(orders);
}

/* ---- Bounds ---- */

/* A change of a thing, and when it had ended. */
struct ending {
    uint32_t thing;
    int64_t end_ns;
    uint64_t lsn; /* then: the highest up to here */
};

static int bounds_compare_endings(const void *a, const void *b) {
    const struct ending *left = a;
    const struct ending *right = b;

    if (left->thing != right->thing) {
        return left->thing < right->thing ? -1 : 1;
    }
    return left->end_ns < right->end_ns ? -1 : left->end_ns > right->end_ns;
}

struct endings {
    struct ending *list;
    size_t count;
};

/* Openings have no time: they count from the beginning. */
static void bounds_list_endings(struct endings *endings, struct history_entry **changes,
                                size_t change_count) {
    endings->count = 0;
    endings->list = malloc((change_count + 1) * THINGS_MAX * sizeof *endings->list);
    ASSERT(endings->list != NULL);
    for (size_t i = 0; i < change_count; i++) {
        struct things things;
        things_of_change(&things, changes[i]);
        for (uint32_t k = 0; k < things.count && changes[i]->call.kind != MODEL_OPENING; k++) {
            endings->list[endings->count++] =
                (struct ending){things.list[k], changes[i]->end_ns, changes[i]->answer.ticket.lsn};
        }
    }
    qsort(endings->list, endings->count, sizeof *endings->list, bounds_compare_endings);
    for (size_t i = 1; i < endings->count; i++) {
        struct ending *at = &endings->list[i];
        if (at->thing == at[-1].thing && at->lsn < at[-1].lsn) {
            at->lsn = at[-1].lsn;
        }
    }
}

/* The highest LSN of a change of the thing that had ended before. */
static uint64_t bounds_low(const struct endings *endings, uint32_t thing, int64_t start_ns) {
    size_t low = 0;
    size_t high = endings->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct ending *at = &endings->list[middle];
        if (at->thing < thing || (at->thing == thing && at->end_ns < start_ns)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low > 0 && endings->list[low - 1].thing == thing ? endings->list[low - 1].lsn : 0;
}

static int bounds_by_start(const void *a, const void *b) {
    int64_t left = (*(struct history_entry *const *)a)->start_ns;
    int64_t right = (*(struct history_entry *const *)b)->start_ns;

    return left < right ? -1 : left > right;
}

static int bounds_by_end(const void *a, const void *b) {
    int64_t left = (*(struct history_entry *const *)a)->end_ns;
    int64_t right = (*(struct history_entry *const *)b)->end_ns;

    return left < right ? -1 : left > right;
}

/* Changes among themselves: whatever they are about. */
static void bounds_of_changes(struct history_entry *const *changes, size_t count) {
    size_t bytes = (count + 1) * sizeof(struct history_entry *);
    struct history_entry **starts = malloc(bytes);
    struct history_entry **ends = malloc(bytes);
    uint64_t low = 0;
    size_t at = 0;

    ASSERT(starts != NULL);
    ASSERT(ends != NULL);
    memcpy(starts, changes, count * sizeof *starts);
    memcpy(ends, changes, count * sizeof *ends);
    qsort(starts, count, sizeof *starts, bounds_by_start);
    qsort(ends, count, sizeof *ends, bounds_by_end);
    for (size_t i = 0; i < count; i++) {
        for (; at < count && ends[at]->end_ns < starts[i]->start_ns; at++) {
            uint64_t lsn = ends[at]->answer.ticket.lsn;
            low = lsn > low && ends[at]->call.kind != MODEL_OPENING ? lsn : low;
        }
        starts[i]->low = starts[i]->call.kind == MODEL_OPENING ? 0 : low;
    }
    free(starts);
    free(ends);
}

/* `high`: the highest LSN that had begun before the end. */
static void bounds_set_high(struct history_entry *const *changes, size_t change_count,
                            struct history_entry **others, size_t other_count) {
    struct history_entry **starts = malloc((change_count + 1) * sizeof *starts);
    uint64_t high = 0;
    size_t at = 0;

    ASSERT(starts != NULL);
    memcpy(starts, changes, change_count * sizeof *starts);
    qsort(starts, change_count, sizeof *starts, bounds_by_start);
    qsort(others, other_count, sizeof *others, bounds_by_end);
    for (size_t i = 0; i < other_count; i++) {
        for (; at < change_count && starts[at]->start_ns <= others[i]->end_ns; at++) {
            uint64_t lsn = starts[at]->answer.ticket.lsn;
            high = lsn > high ? lsn : high;
        }
        others[i]->high = high;
    }
    free(starts);
}

void history_set_bounds(struct history_entry **changes, size_t change_count,
                        struct history_entry **others, size_t other_count) {
    struct endings endings;

    bounds_trace(changes, change_count);
    bounds_of_changes(changes, change_count);
    bounds_list_endings(&endings, changes, change_count);
    bounds_set_high(changes, change_count, others, other_count);
    for (size_t i = 0; i < other_count; i++) {
        struct history_entry *entry = others[i];
        uint32_t thing = thing_of_other(entry);
        entry->low = bounds_low(&endings, thing, entry->start_ns);
        if (bounds_tells_of_document(&entry->call)) {
            uint64_t low =
                bounds_low(&endings, THING(THING_DOCUMENT, entry->call.id), entry->start_ns);
            entry->low = low > entry->low ? low : entry->low;
        }
        if (entry->call.kind == MODEL_SNAPSHOT && entry->answer.status == CELLAR_OK) {
            /* Of its own instant, which may lie before its call. */
            entry->low = entry->answer.snapshot.lsn - 64;
            entry->high = entry->low;
        }
    }
    free(endings.list);
}

bool history_is_excused(struct history_entry *const *changes, size_t change_count,
                        const struct history_entry *entry) {
    uint32_t thing = thing_of_other(entry);

    if (!bounds_tells_of_document(&entry->call) || thing == THING_NONE ||
        entry->call.kind > MODEL_QUOTE) {
        return false;
    }
    for (size_t i = 0; i < change_count; i++) {
        const struct history_entry *change = changes[i];
        struct things things;
        bool touches = false;
        if (change->call.id != entry->call.id || change->end_ns < entry->start_ns ||
            change->start_ns > entry->end_ns) {
            continue;
        }
        things_of_change(&things, change);
        for (uint32_t k = 0; k < things.count; k++) {
            touches = touches || things.list[k] == thing;
        }
        if (!touches) {
            return true;
        }
    }
    return false;
}
