/* Compiled like the library, every shared access a schedule point and watched. */
#include "sim/actors.h"

#include "base/clock.h"
#include "commit/commit.h"
#include "log/log.h"
#include "sim/sim.h"

#include <string.h>

#define WRITER_SLEEP_NS (100 * NANOSECONDS_PER_MILLISECOND)
#define MIXED_TRIES 4
#define MIXED_SPACE_NS NANOSECONDS_PER_MILLISECOND

struct cell_content actor_read(struct commit *commit, uint32_t cell, bool settled) {
    return settled ? commit_read_settled(commit, cell) : commit_read(commit, cell);
}

/* ---- The log writer: takes the calls of lib/log/writer.c in the same order ---- */

static void writer_publish(struct commit *commit, uint64_t decided) {
    if (decided != ATOMIC_LOAD(&commit->written.lsn, relaxed)) {
        commit_advance_written(commit, decided);
        ATOMIC_STORE(&commit->durable.lsn, decided, release);
    }
}

static void writer_advance_decided(struct commit *commit, uint64_t lsn) {
    /* Release: pairs with commit_snapshot(). */
    ATOMIC_STORE(&commit->decided.lsn, lsn, release);
}

/* What is in hand is written first; then waits a little. */
static uint64_t writer_stuck(struct commit *commit, struct actor_writer *writer, uint64_t decided) {
    writer_publish(commit, decided);
    if (writer->patience != 0 && random_below(&writer->random, writer->patience) != 0) {
        sim_yield();
        return 0;
    }
    uint64_t gap = commit_pass_over(commit, decided);
    if (gap != 0) {
        sim_note("passes over %llu, %llu bytes", (unsigned long long)decided,
                 (unsigned long long)gap);
    }
    return gap;
}

void actor_writer(void *argument) {
    struct actor_writer *writer = argument;
    struct commit *commit = world_get()->commit;
    uint64_t decided = ATOMIC_LOAD(&commit->decided.lsn, relaxed);
    unsigned taken = 0;

    for (;;) {
        const struct record_header *record = NULL;
        uint64_t space = 0;
        enum commit_decision decision = commit_decide(commit, decided, &record, &space);
        switch (decision) {
        case COMMIT_TAKE:
            world_logged(record, decided);
            break;
        case COMMIT_PAD:
            break;
        case COMMIT_UNPUBLISHED:
            space = writer_stuck(commit, writer, decided);
            break;
        case COMMIT_NOTHING:
        default:
            writer_publish(commit, decided);
            taken = 0;
            commit_writer_sleep(commit, decided, WRITER_SLEEP_NS);
            continue;
        }
        if (space == 0) {
            continue;
        }
        decided += space;
        writer_advance_decided(commit, decided);
        if (++taken >= writer->batch) {
            writer_publish(commit, decided);
            taken = 0;
        }
    }
}

void actor_follower(void *unused) {
    struct commit *commit = world_get()->commit;
    uint64_t projected = ATOMIC_LOAD(&commit->projected.lsn, relaxed);

    (void)unused;
    for (;;) {
        /* Acquire: pairs with commit_advance_written(). */
        uint64_t written = ATOMIC_LOAD(&commit->written.lsn, acquire);
        const struct record_header *record;
        uint64_t space;
        /* As if somebody waited all the time: ahead of the log writer wherever that is possible. */
        enum commit_decision decision = commit_follow(commit, projected, &record, &space);
        if (decision == COMMIT_NOTHING || decision == COMMIT_UNPUBLISHED) {
            commit_follower_sleep(commit, written, -1);
            continue;
        }
        if (decision == COMMIT_TAKE) {
            world_follow(record);
        }
        projected += space;
        commit_advance_projected(commit, projected);
    }
}

void actor_closer(void *argument) {
    struct actor_closer *closer = argument;

    closer->status = log_stop(closer->log);
    closer->closed = true;
}

/* ---- Simple ones ---- */

static void attempt_once(const struct actor_attempt *attempt, enum commit_outcome *outcome) {
    struct commit_change changes[WORLD_CHANGES_MAX];
    uint64_t lsn;

    memset(changes, 0, sizeof changes);
    commit_enter();
    for (uint32_t i = 0; i < attempt->count; i++) {
        uint32_t at = attempt->backwards ? attempt->count - 1 - i : i;
        uint32_t cell = WORLD_CELL(attempt->cells[at]);
        struct cell_content content = world_read(cell, attempt->settled);
        changes[at].cell = cell;
        changes[at].update.expected = content.version;
        changes[at].update.old_value = content.value;
        changes[at].update.new_value = content.value + (i % 2 == 0 ? 1 : -1);
    }
    *outcome = world_commit(changes, attempt->count, 0, &lsn);
    commit_leave();
}

void actor_attempt(void *argument) {
    const struct actor_attempt *attempt = argument;
    enum commit_outcome outcome = COMMIT_CONFLICT;

    for (unsigned i = 0; i < attempt->tries && outcome != COMMIT_DONE; i++) {
        attempt_once(attempt, &outcome);
    }
}

void actor_stale(void *unused) {
    const struct world *world = world_get();
    struct commit_change changes[2];
    uint64_t lsn;

    (void)unused;
    memset(changes, 0, sizeof changes);
    changes[0].cell = WORLD_CELL(0);
    changes[0].update.expected = world->initial[0].version;
    changes[0].update.old_value = world->initial[0].value;
    changes[1].cell = WORLD_CELL(3);
    commit_enter();
    (void)world_commit(changes, 2, 0, &lsn);
    commit_leave();
}

void actor_reader(void *argument) {
    const struct actor_reader *reader = argument;
    uint32_t cells[WORLD_CHANGES_MAX];

    commit_enter();
    for (uint32_t i = 0; i < reader->count; i++) {
        cells[i] = WORLD_CELL(reader->cells[i]);
        if (!reader->snapshot) {
            world_read(cells[i], reader->settled);
        }
    }
    if (reader->snapshot) {
        world_snapshot(cells, reader->count);
    }
    commit_leave();
}

/* ---- All kinds ---- */

/* Draws 1 to `most` cells, in random order. */
static uint32_t mixed_draw(struct random *random, uint32_t cells[WORLD_CHANGES_MAX],
                           uint32_t most) {
    uint32_t all[WORLD_CELLS];
    uint32_t count = 1 + (uint32_t)random_below(random, most);

    for (uint32_t i = 0; i < WORLD_CELLS; i++) {
        all[i] = i;
    }
    /* The first two are wanted most: that is where threads meet. */
    uint32_t among = random_below(random, 2) == 0 ? WORLD_CELLS : count + 1;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t pick = i + (uint32_t)random_below(random, among - i);
        uint32_t cell = all[pick];
        all[pick] = all[i];
        all[i] = cell;
        cells[i] = WORLD_CELL(cell);
    }
    return count;
}

static void mixed_sort(struct commit_change *changes, uint32_t count) {
    for (uint32_t i = 1; i < count; i++) {
        struct commit_change change = changes[i];
        uint32_t at = i;
        for (; at > 0 && changes[at - 1].cell > change.cell; at--) {
            changes[at] = changes[at - 1];
        }
        changes[at] = change;
    }
}

static enum commit_outcome mixed_try(struct actor_mixed *mixed, const uint32_t *cells,
                                     uint32_t count, uint32_t payload_bytes, uint64_t *lsn_out) {
    struct commit_change changes[WORLD_CHANGES_MAX];

    memset(changes, 0, sizeof changes);
    commit_enter();
    bool settled = random_below(&mixed->random, 2) == 0;
    for (uint32_t i = 0; i < count; i++) {
        struct cell_content content = world_read(cells[i], settled);
        changes[i].cell = cells[i];
        changes[i].update.expected = content.version;
        changes[i].update.old_value = content.value;
        /* Zero: a cell that is only validated. */
        changes[i].update.new_value = content.value + (int64_t)random_below(&mixed->random, 3) - 1;
    }
    mixed_sort(changes, count);
    enum commit_outcome outcome = world_commit(changes, count, payload_bytes, lsn_out);
    commit_leave();
    return outcome;
}

static void mixed_wait_durable(struct actor_mixed *mixed, uint64_t lsn) {
    if (mixed->log == NULL || random_below(&mixed->random, 2) == 0) {
        return;
    }
    /* No limit: whoever is not woken waits for ever, and the run says so. */
    cellar_status status = log_wait(mixed->log, lsn, INT64_MAX);
    if (status != CELLAR_OK) {
        sim_fail("waiting for %llu ends with status %d", (unsigned long long)lsn, (int)status);
    }
    world_durable();
    /* Acquire: pairs with the log writer's store. */
    if (ATOMIC_LOAD(&world_get()->commit->durable.lsn, acquire) <= lsn) {
        sim_fail("%llu is called durable too early", (unsigned long long)lsn);
    }
}

/* As the engine does it: holds back, waits for space outside the section, asks for courtesy. */
static void mixed_commit(struct actor_mixed *mixed, uint32_t payload_bytes, uint32_t most) {
    struct commit *commit = world_get()->commit;
    uint32_t cells[WORLD_CHANGES_MAX];
    uint32_t count = most == 0 ? 0 : mixed_draw(&mixed->random, cells, most);
    int64_t granted = 0;
    uint64_t lsn = 0;

    for (unsigned i = 0; i < MIXED_TRIES; i++) {
        commit_hold_back(commit, granted != 0);
        enum commit_outcome outcome = mixed_try(mixed, cells, count, payload_bytes, &lsn);
        if (outcome == COMMIT_DONE) {
            mixed_wait_durable(mixed, lsn);
            break;
        }
        if (outcome == COMMIT_FULL &&
            !commit_wait_space(commit, commit_request_bytes(commit, count, payload_bytes),
                               clock_monotonic_ns() + MIXED_SPACE_NS)) {
            break;
        }
        if (outcome == COMMIT_CONFLICT && granted == 0 && i >= 1) {
            granted = commit_courtesy_ask(commit, 0);
        }
    }
    if (granted != 0) {
        commit_courtesy_release(commit, granted);
    }
}

static void mixed_read(struct actor_mixed *mixed) {
    uint32_t cells[WORLD_CHANGES_MAX];
    uint32_t count = mixed_draw(&mixed->random, cells, WORLD_CHANGES_MAX);

    commit_enter();
    const struct world_object *object = world_look();
    for (uint32_t i = 0; i < count; i++) {
        world_read(cells[i], false);
    }
    world_look_again(object);
    commit_leave();
}

static void mixed_snapshot(struct actor_mixed *mixed) {
    uint32_t cells[WORLD_CHANGES_MAX];
    uint32_t count = mixed_draw(&mixed->random, cells, WORLD_CHANGES_MAX);

    commit_enter();
    world_snapshot(cells, count);
    commit_leave();
}

void actor_mixed(void *argument) {
    struct actor_mixed *mixed = argument;

    for (unsigned i = 0; i < mixed->deeds; i++) {
        switch (random_below(&mixed->random, 16)) {
        case 0:
        case 1:
            mixed_read(mixed);
            break;
        case 2:
        case 3:
            mixed_snapshot(mixed);
            break;
        case 4:
            world_replace();
            break;
        case 5:
        case 6:
            /* Nothing but space: makes the ring lap. */
            mixed_commit(mixed, WORLD_FILLER_BYTES, 0);
            break;
        default:
            mixed_commit(mixed, (uint32_t)random_below(&mixed->random, 100), WORLD_CHANGES_MAX);
            break;
        }
    }
}
