/* History and model: plain arrays, one thread. */
#include "support/commit_history.h"

#include "base/assert.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HISTORY_WORDS_MIN 4096
#define UPDATE_WORDS 4

static void history_put(struct commit_history *history, uint64_t word) {
    if (history->used == history->capacity) {
        size_t capacity = history->capacity == 0 ? HISTORY_WORDS_MIN : 2 * history->capacity;
        uint64_t *words = realloc(history->words, capacity * sizeof *words);
        ASSERT(words != NULL);
        history->words = words;
        history->capacity = capacity;
    }
    history->words[history->used++] = word;
}

void commit_history_append(struct commit_history *history, const struct record_header *record) {
    const struct record_update *updates = record_updates(record);
    const uint32_t *cells = record_cells(record);

    history_put(history, record->lsn);
    history_put(history, record->cell_count);
    for (uint32_t i = 0; i < record->cell_count; i++) {
        history_put(history, cells[i]);
        history_put(history, updates[i].expected);
        history_put(history, (uint64_t)updates[i].old_value);
        history_put(history, (uint64_t)updates[i].new_value);
    }
}

void commit_history_clear(struct commit_history *history) {
    history->used = 0;
}

void commit_history_free(struct commit_history *history) {
    free(history->words);
    *history = (struct commit_history){0};
}

void commit_model_make(struct commit_model *model, const uint32_t limits[CELL_CLASS_COUNT]) {
    memset(model, 0, sizeof *model);
    for (uint32_t class = 0; class < CELL_CLASS_COUNT; class ++) {
        model->limits[class] = limits[class];
        model->cells[class] = calloc((size_t)limits[class] + 1, sizeof *model->cells[class]);
        ASSERT(model->cells[class] != NULL);
    }
}

void commit_model_free(struct commit_model *model) {
    for (uint32_t class = 0; class < CELL_CLASS_COUNT; class ++) {
        free(model->cells[class]);
        model->cells[class] = NULL;
    }
}

struct cell_content *commit_model_cell(const struct commit_model *model, uint32_t cell) {
    ASSERT(CELL_SLOT(cell) < model->limits[CELL_CLASS(cell)]);
    return &model->cells[CELL_CLASS(cell)][CELL_SLOT(cell)];
}

void commit_model_load(struct commit_model *model, const struct commit *commit) {
    for (uint32_t class = 0; class < CELL_CLASS_COUNT; class ++) {
        for (uint32_t slot = 0; slot < model->limits[class]; slot++) {
            model->cells[class][slot] = cell_load(&commit->cells[CELL_INDEX(class, slot)]);
        }
    }
}

__attribute__((format(printf, 2, 3))) static const char *model_problem(struct commit_model *model,
                                                                       const char *format, ...) {
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(model->problem, sizeof model->problem, format, arguments);
    va_end(arguments);
    return model->problem;
}

static const char *model_apply(struct commit_model *model, uint64_t lsn, const uint64_t *update) {
    uint32_t cell = (uint32_t)update[0];
    struct cell_content *content = commit_model_cell(model, cell);

    if (content->version != update[1]) {
        return model_problem(model, "lsn %llu cell %x expects version %llu, model has %llu",
                             (unsigned long long)lsn, cell, (unsigned long long)update[1],
                             (unsigned long long)content->version);
    }
    if (content->value != (int64_t)update[2]) {
        return model_problem(model, "lsn %llu cell %x has old value %lld, model has %lld",
                             (unsigned long long)lsn, cell, (long long)update[2],
                             (long long)content->value);
    }
    content->value = (int64_t)update[3];
    content->version = lsn;
    return NULL;
}

const char *commit_history_replay(const struct commit_history *history,
                                  struct commit_model *model) {
    for (size_t at = 0; at < history->used;) {
        uint64_t lsn = history->words[at];
        uint64_t count = history->words[at + 1];
        at += 2;
        if (lsn <= model->last_lsn) {
            return model_problem(model, "lsn %llu comes after %llu", (unsigned long long)lsn,
                                 (unsigned long long)model->last_lsn);
        }
        model->last_lsn = lsn;
        for (uint64_t i = 0; i < count; i++, at += UPDATE_WORDS) {
            const char *problem = model_apply(model, lsn, &history->words[at]);
            if (problem != NULL) {
                return problem;
            }
        }
    }
    return NULL;
}

const char *commit_model_compare(struct commit_model *model, const struct commit *commit) {
    for (uint32_t class = 0; class < CELL_CLASS_COUNT; class ++) {
        for (uint32_t slot = 0; slot < model->limits[class]; slot++) {
            uint32_t cell = CELL_INDEX(class, slot);
            struct cell_content wanted = model->cells[class][slot];
            struct cell_content found = cell_load(&commit->cells[cell]);
            if (found.value != wanted.value || found.version != wanted.version) {
                return model_problem(model, "cell %x holds {%lld, %llu}, model {%lld, %llu}", cell,
                                     (long long)found.value, (unsigned long long)found.version,
                                     (long long)wanted.value, (unsigned long long)wanted.version);
            }
        }
    }
    return NULL;
}

int64_t commit_model_total(const struct commit_model *model) {
    int64_t total = 0;

    for (uint32_t class = 0; class < CELL_CLASS_COUNT; class ++) {
        for (uint32_t slot = 0; slot < model->limits[class]; slot++) {
            total += model->cells[class][slot].value;
        }
    }
    return total;
}
