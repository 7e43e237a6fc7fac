#include "support/history.h"

#include "base/assert.h"
#include "base/clock.h"
#include "support/history_bounds.h"

#include <stdlib.h>
#include <string.h>

void history_create(struct history *history, size_t capacity) {
    history->entries = malloc(capacity * sizeof *history->entries);
    ASSERT(history->entries != NULL);
    history->count = 0;
    history->capacity = capacity;
}

void history_destroy(struct history *history) {
    free(history->entries);
}

const struct model_answer *history_run(struct history *history, cellar *store,
                                       const uint64_t numbers[MODEL_SKUS],
                                       const cellar_call *options, struct model_call *call) {
    ASSERT(history->count < history->capacity);
    struct history_entry *entry = &history->entries[history->count++];
    entry->start_ns = clock_monotonic_ns();
    model_run(store, numbers, options, call, &entry->answer);
    entry->end_ns = clock_monotonic_ns();
    entry->call = *call;
    entry->order = NULL;
    entry->account = 0;
    entry->status_changed = false;
    return &entry->answer;
}

/* ---- Gathering ---- */

struct replay {
    struct model *model;
    struct history_report *report;
    struct history_entry **changes; /* by LSN */
    size_t change_count;
    struct history_entry **others; /* by `low` */
    size_t other_count;
    struct history_entry *openings;
    size_t opening_count;
};

static bool history_is_unanswered(const struct history_entry *entry) {
    cellar_status status = entry->answer.status;

    return status >= CELLAR_BUSY && status != CELLAR_OVERFLOW && status != CELLAR_INVALID_ARGUMENT;
}

static void history_gather(struct replay *replay, const struct history *histories, size_t count) {
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < histories[i].count; k++) {
            struct history_entry *entry = &histories[i].entries[k];
            if (model_is_change(&entry->call, &entry->answer)) {
                replay->changes[replay->change_count++] = entry;
            } else if (!history_is_unanswered(entry)) {
                replay->others[replay->other_count++] = entry;
            } else {
                replay->report->unanswered++;
            }
        }
    }
}

/* Locations that are there now and were not in the beginning. */
static void history_find_openings(struct replay *replay, cellar *store) {
    for (uint32_t sku = 0; sku < MODEL_SKUS; sku++) {
        for (uint32_t location = 1; location < MODEL_LOCATIONS; location++) {
            cellar_movement opening;
            bool there = replay->model->products[sku].stocks[location].exists;
            if (there || !model_opening(store, sku, location, &opening)) {
                continue;
            }
            struct history_entry *entry = &replay->openings[replay->opening_count++];
            *entry = (struct history_entry){
                .call = {.kind = MODEL_OPENING,
                         .line_count = 1,
                         .few = {{.sku = sku, .location = location}}},
                .answer = {.ticket = {.lsn = opening.lsn, .time_ns = opening.time_ns}}};
        }
    }
}

static int history_by_lsn(const void *a, const void *b) {
    uint64_t left = (*(struct history_entry *const *)a)->answer.ticket.lsn;
    uint64_t right = (*(struct history_entry *const *)b)->answer.ticket.lsn;

    return left < right ? -1 : left > right;
}

static int history_by_low(const void *a, const void *b) {
    uint64_t left = (*(struct history_entry *const *)a)->low;
    uint64_t right = (*(struct history_entry *const *)b)->low;

    return left < right ? -1 : left > right;
}

/* ---- Replaying ---- */

static bool history_wrong(struct replay *replay, const struct history_entry *entry,
                          const char *what) {
    return model_wrong(replay->model, "%s (between %llu and %llu): %s", what,
                       (unsigned long long)entry->low, (unsigned long long)entry->high,
                       model_describe(&entry->call, &entry->answer));
}

/* Looks at what may be answered in this state: those from `*first` on that wait, up to before
 * `*end`. `next_lsn`: of the change that comes next. */
static bool history_look(struct replay *replay, size_t *first, size_t *end, uint64_t next_lsn) {
    size_t kept = 0;

    while (*end < replay->other_count && replay->others[*end]->low < next_lsn) {
        (*end)++;
    }
    /* Those that still wait move up to the end. */
    for (size_t i = *end; i > *first; i--) {
        struct history_entry *entry = replay->others[i - 1];
        replay->report->looks++;
        if (model_judge(replay->model, &entry->call, &entry->answer)) {
            continue;
        }
        if (entry->high < next_lsn) {
            if (!history_is_excused(replay->changes, replay->change_count, entry)) {
                return history_wrong(replay, entry, "right at no instant");
            }
            replay->report->excused++;
            continue;
        }
        replay->others[*end - ++kept] = entry;
    }
    *first = *end - kept;
    return true;
}

static bool history_replay(struct replay *replay) {
    size_t first = 0;
    size_t end = 0;

    for (size_t i = 0; i <= replay->change_count; i++) {
        struct history_entry *entry = i < replay->change_count ? replay->changes[i] : NULL;
        uint64_t next_lsn = entry == NULL ? UINT64_MAX : entry->answer.ticket.lsn;
        if (!history_look(replay, &first, &end, next_lsn)) {
            return false;
        }
        if (entry == NULL) {
            break;
        }
        if (entry->low >= next_lsn) {
            return history_wrong(replay, entry, "out of order in time");
        }
        if (entry->call.kind != MODEL_OPENING &&
            !model_judge(replay->model, &entry->call, &entry->answer)) {
            return history_wrong(replay, entry, "done wrongly");
        }
        if (!model_apply(replay->model, &entry->call, &entry->answer)) {
            return false;
        }
    }
    return true;
}

bool history_check(const struct history *histories, size_t count, struct model *model,
                   cellar *store, struct history_report *report) {
    struct replay replay = {.model = model, .report = report};
    size_t entries = (size_t)MODEL_SKUS * MODEL_LOCATIONS + 1;

    memset(report, 0, sizeof *report);
    for (size_t i = 0; i < count; i++) {
        entries += histories[i].count;
    }
    replay.changes = calloc(entries, sizeof(struct history_entry *));
    replay.others = calloc(entries, sizeof(struct history_entry *));
    replay.openings = calloc((size_t)MODEL_SKUS * MODEL_LOCATIONS, sizeof *replay.openings);
    ASSERT(replay.changes != NULL);
    ASSERT(replay.others != NULL);
    ASSERT(replay.openings != NULL);
    history_gather(&replay, histories, count);
    history_find_openings(&replay, store);
    for (size_t i = 0; i < replay.opening_count; i++) {
        replay.changes[replay.change_count++] = &replay.openings[i];
    }
    qsort(replay.changes, replay.change_count, sizeof(struct history_entry *), history_by_lsn);
    history_set_bounds(replay.changes, replay.change_count, replay.others, replay.other_count);
    qsort(replay.others, replay.other_count, sizeof(struct history_entry *), history_by_low);
    bool right = history_replay(&replay);
    report->changes = replay.change_count;
    report->others = replay.other_count;
    free(replay.changes);
    free(replay.others);
    free(replay.openings);
    return right;
}
