/* Whether a run that has come to rest was right. */
#include "sim/world.h"

#include "sim/access.h"
#include "sim/sim.h"

#include "commit/ring.h"

#include <string.h>

#define WORDS_OF_UPDATE 4

/* The record of the history at *at; moves *at behind it. */
struct logged {
    uint64_t lsn;
    uint64_t count;
    const uint64_t *updates;
};

static uint64_t logged_word(const struct logged *logged, uint64_t update, unsigned word) {
    return logged->updates[update * WORDS_OF_UPDATE + word];
}

static bool logged_next(const struct commit_history *history, size_t *at, struct logged *logged) {
    if (*at >= history->used) {
        return false;
    }
    logged->lsn = history->words[*at];
    logged->count = history->words[*at + 1];
    logged->updates = &history->words[*at + 2];
    *at += 2 + logged->count * WORDS_OF_UPDATE;
    return true;
}

static void judge_positions(const struct commit *commit) {
    uint64_t reserved = atomic_load(&commit->reserved.lsn);

    if (atomic_load(&commit->decided.lsn) != reserved ||
        atomic_load(&commit->written.lsn) != reserved) {
        sim_fail("reserved up to %llu, but decided up to %llu and written up to %llu",
                 (unsigned long long)reserved,
                 (unsigned long long)atomic_load(&commit->decided.lsn),
                 (unsigned long long)atomic_load(&commit->written.lsn));
    }
}

void world_judge_rest(void) {
    const struct commit *commit = world_get()->commit;

    for (unsigned i = 0; i < sim_thread_count(); i++) {
        if (sim_thread_at(i)->state == SIM_DEAD) {
            return;
        }
    }
    if (atomic_load(&commit->decided.lsn) != atomic_load(&commit->reserved.lsn)) {
        sim_fail("the log writer sleeps over work");
    }
}

/* A thread that died between planting a claim late and taking it away leaves it behind, and its
 * section holds back the record for ever. */
static bool judge_may_leave_claims(void) {
    for (unsigned i = 0; i < sim_thread_count(); i++) {
        const struct sim_thread *thread = sim_thread_at(i);
        if (thread->state == SIM_DEAD && thread->section_depth != 0) {
            return true;
        }
    }
    return false;
}

static void judge_claims(const struct commit *commit) {
    for (uint32_t i = 0; i < WORLD_CELLS; i++) {
        struct cell_content raw = world_raw(WORLD_CELL(i));
        if (!cell_is_claimed(raw.version)) {
            continue;
        }
        uint64_t lsn = raw.version & ~CELL_CLAIMED;
        uint64_t word = atomic_load(ring_state(commit, lsn));
        if (!judge_may_leave_claims() || ring_state_lsn(word) != lsn ||
            ring_state_kind(word) != COMMIT_ABORTED) {
            sim_fail("cell %x is still claimed by %llu", WORLD_CELL(i), (unsigned long long)lsn);
        }
    }
}

/* ---- The log against the calls ---- */

static bool judge_same(const struct logged *logged, const struct deed *deed) {
    if (logged->count != deed->count) {
        return false;
    }
    for (uint64_t i = 0; i < logged->count; i++) {
        const struct commit_change *change = &deed->changes[i];
        if (logged_word(logged, i, 0) != change->cell ||
            logged_word(logged, i, 1) != change->update.expected ||
            logged_word(logged, i, 2) != (uint64_t)change->update.old_value ||
            logged_word(logged, i, 3) != (uint64_t)change->update.new_value) {
            return false;
        }
    }
    return true;
}

/* The call that may have left this record: one that was told so, or that never returned. */
static const struct deed *judge_find(const struct world *world, uint64_t lsn) {
    for (unsigned thread = 0; thread < SIM_THREADS_MAX; thread++) {
        uint64_t reserved;
        uint64_t end;
        for (unsigned i = 0; i < world->deed_count[thread]; i++) {
            const struct deed *deed = &world->deeds[thread][i];
            if (deed->kind != DEED_COMMIT) {
                continue;
            }
            if (deed->returned ? deed->outcome == COMMIT_DONE && deed->lsn == lsn
                               : access_reserved(thread, &reserved, &end) && reserved == lsn) {
                return deed;
            }
        }
    }
    return NULL;
}

/* Every record is that of a call. With `cut`, all commits up to the last record must be there and
 * all that were called durable, else all. */
static void judge_log(const struct world *world, bool cut) {
    struct logged logged = {.lsn = 0};
    size_t at = 0;
    unsigned found = 0;
    unsigned wanted = 0;

    while (logged_next(&world->history, &at, &logged)) {
        const struct deed *deed = judge_find(world, logged.lsn);
        if (deed == NULL) {
            sim_fail("the log holds %llu, which nobody was told", (unsigned long long)logged.lsn);
            return;
        }
        if (!judge_same(&logged, deed)) {
            sim_fail("the log holds %llu with other contents", (unsigned long long)logged.lsn);
            return;
        }
        found += deed->returned;
    }
    for (unsigned thread = 0; thread < SIM_THREADS_MAX; thread++) {
        for (unsigned i = 0; i < world->deed_count[thread]; i++) {
            const struct deed *deed = &world->deeds[thread][i];
            if (deed->kind == DEED_COMMIT && deed->returned && deed->outcome == COMMIT_DONE) {
                wanted += !cut || deed->durable || deed->lsn <= logged.lsn;
            }
        }
    }
    if (found != wanted) {
        sim_fail("%u commits must be in the log, %u are", wanted, found);
    }
}

/* ---- Reads ---- */

static bool judge_was_value(const struct world *world, uint32_t cell,
                            const struct record_update *read) {
    const struct cell_content *initial =
        &world->initial[CELL_CLASS(cell) * WORLD_SLOTS + CELL_SLOT(cell)];
    struct logged logged;
    size_t at = 0;

    if (read->expected == initial->version) {
        return read->old_value == initial->value;
    }
    while (logged_next(&world->history, &at, &logged)) {
        for (uint64_t i = 0; logged.lsn == read->expected && i < logged.count; i++) {
            if (logged_word(&logged, i, 0) == cell) {
                return logged_word(&logged, i, 3) == (uint64_t)read->old_value;
            }
        }
    }
    return false;
}

static void judge_reads(const struct world *world) {
    for (unsigned thread = 0; thread < SIM_THREADS_MAX; thread++) {
        for (unsigned i = 0; i < world->deed_count[thread]; i++) {
            const struct deed *deed = &world->deeds[thread][i];
            if (deed->kind == DEED_COMMIT || !deed->returned) {
                continue;
            }
            for (uint32_t k = 0; k < deed->count; k++) {
                const struct commit_change *change = &deed->changes[k];
                if (!judge_was_value(world, change->cell, &change->update)) {
                    sim_fail("cell %x was read as {%lld, %llu}, which it never was", change->cell,
                             (long long)change->update.old_value,
                             (unsigned long long)change->update.expected);
                }
            }
        }
    }
}

/* The snapshot with the lowest LSN that is at least `from` and not yet done. */
static const struct deed *judge_next_snapshot(const struct world *world, uint64_t from) {
    const struct deed *next = NULL;

    for (unsigned thread = 0; thread < SIM_THREADS_MAX; thread++) {
        for (unsigned i = 0; i < world->deed_count[thread]; i++) {
            const struct deed *deed = &world->deeds[thread][i];
            if (deed->kind == DEED_SNAPSHOT && deed->returned && deed->lsn >= from &&
                (next == NULL || deed->lsn < next->lsn)) {
                next = deed;
            }
        }
    }
    return next;
}

static void judge_snapshots_at(const struct world *world, struct commit_model *model,
                               uint64_t lsn) {
    for (unsigned thread = 0; thread < SIM_THREADS_MAX; thread++) {
        for (unsigned i = 0; i < world->deed_count[thread]; i++) {
            const struct deed *deed = &world->deeds[thread][i];
            if (deed->kind != DEED_SNAPSHOT || !deed->returned || deed->lsn != lsn) {
                continue;
            }
            for (uint32_t k = 0; k < deed->count; k++) {
                const struct commit_change *change = &deed->changes[k];
                const struct cell_content *content = commit_model_cell(model, change->cell);
                if (content->version != change->update.expected ||
                    content->value != change->update.old_value) {
                    sim_fail("snapshot at %llu has {%lld, %llu} in cell %x; the model {%lld, %llu}",
                             (unsigned long long)lsn, (long long)change->update.old_value,
                             (unsigned long long)change->update.expected, change->cell,
                             (long long)content->value, (unsigned long long)content->version);
                }
            }
        }
    }
}

/* ---- The model ---- */

/* Replays what lies below `end`. */
static bool judge_replay(const struct commit_history *history, size_t *at, uint64_t end,
                         struct commit_model *model) {
    struct commit_history part = {.words = history->words + *at};
    struct logged logged;
    size_t next = *at;

    while (logged_next(history, &next, &logged) && logged.lsn < end) {
        part.used = next - *at;
    }
    *at += part.used;
    const char *problem = part.used == 0 ? NULL : commit_history_replay(&part, model);
    if (problem != NULL) {
        sim_fail("history: %s", problem);
    }
    return problem == NULL;
}

static void judge_cells(const struct world *world, const struct commit_model *model) {
    for (uint32_t i = 0; i < WORLD_CELLS; i++) {
        struct cell_content found = world_effective(WORLD_CELL(i));
        const struct cell_content *wanted = commit_model_cell(model, WORLD_CELL(i));
        if (found.value != wanted->value || found.version != wanted->version) {
            sim_fail("cell %x holds {%lld, %llu}, the model {%lld, %llu}", WORLD_CELL(i),
                     (long long)found.value, (unsigned long long)found.version,
                     (long long)wanted->value, (unsigned long long)wanted->version);
        }
        if (world->followed && (world->derived[i].value != wanted->value ||
                                world->derived[i].version != wanted->version)) {
            sim_fail("the follower has {%lld, %llu} of cell %x, the model {%lld, %llu}",
                     (long long)world->derived[i].value,
                     (unsigned long long)world->derived[i].version, WORLD_CELL(i),
                     (long long)wanted->value, (unsigned long long)wanted->version);
        }
    }
}

static struct commit_model *judge_fresh_model(const struct world *world) {
    static struct commit_model model;

    if (model.cells[0] == NULL) {
        commit_model_make(&model, world->commit->limits);
    }
    for (uint32_t i = 0; i < WORLD_CELLS; i++) {
        *commit_model_cell(&model, WORLD_CELL(i)) = world->initial[i];
    }
    model.last_lsn = 0;
    model.problem[0] = '\0';
    return &model;
}

static void judge_model(const struct world *world) {
    struct commit_model *model = judge_fresh_model(world);
    size_t at = 0;
    uint64_t from = 0;

    for (const struct deed *snapshot = judge_next_snapshot(world, from); snapshot != NULL;
         snapshot = judge_next_snapshot(world, from)) {
        if (!judge_replay(&world->history, &at, snapshot->lsn, model)) {
            return;
        }
        judge_snapshots_at(world, model, snapshot->lsn);
        from = snapshot->lsn + 1;
    }
    if (judge_replay(&world->history, &at, UINT64_MAX, model)) {
        judge_cells(world, model);
    }
}

void world_judge(void) {
    const struct world *world = world_get();

    judge_positions(world->commit);
    judge_claims(world->commit);
    judge_model(world);
    judge_log(world, false);
    judge_reads(world);
}

void world_judge_cut(void) {
    const struct world *world = world_get();
    size_t at = 0;

    if (judge_replay(&world->history, &at, UINT64_MAX, judge_fresh_model(world))) {
        judge_log(world, true);
    }
}
