/* Prepared states, deeds with their checks. The verdict at the end is in judge.c. */
#include "sim/point.h"
#include "sim/world.h"

#include "sim/access.h"
#include "sim/actors.h"
#include "sim/buffer.h"
#include "sim/sim.h"

#include "base/hash.h"
#include "base/memory.h"
#include "commit/ring.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORLD_LINES (WORLD_RING_BYTES / RECORD_LINE_BYTES)
#define WORLD_DISK_END (UINT64_C(1) << 60)
#define OBJECT_GOOD UINT64_C(0x600dc0de600dc0de)
#define OBJECT_RELEASED UINT64_C(0xdeaddeaddeaddead)

struct world_image {
    struct commit commit;
    uint64_t states[WORLD_LINES];
    struct cell_content cells[WORLD_CELLS];
    unsigned char ring[WORLD_RING_BYTES];
};

static struct world world;
static struct world_image *world_images;
static unsigned world_number;

struct world *world_get(void) {
    return &world;
}

static void world_check(bool holds, const char *what) {
    if (!holds) {
        (void)fprintf(stderr, "the world cannot be made: %s\n", what);
        abort();
    }
}

/* ---- Prepared states ---- */

/* Lines left to reserve; 64 is the ring. */
static const uint64_t world_free_lines[WORLD_STARTS] = {4, 6, 9, 12, 16, 24, 34, 48};

/* Commits, and plays the log writer. There are no threads yet. */
static void prepare_commit(struct commit *commit, const struct commit_change *changes,
                           uint32_t count, uint32_t payload_bytes) {
    static const unsigned char payload[WORLD_FILLER_BYTES];
    const struct commit_request request = {.changes = changes,
                                           .change_count = count,
                                           .kind = RECORD_KIND_DOMAIN,
                                           .payload = payload,
                                           .payload_bytes = payload_bytes,
                                           .time_ns = 1};
    const struct record_header *record;
    uint64_t lsn = 0;
    uint64_t space = 0;

    enum commit_outcome outcome = commit_try(commit, &request, &lsn);
    world_check(outcome == COMMIT_DONE, "commit");
    enum commit_decision decision = commit_decide(commit, lsn, &record, &space);
    world_check(decision == COMMIT_TAKE, "decide");
    atomic_store(&commit->decided.lsn, lsn + space);
    atomic_store(&commit->durable.lsn, lsn + space);
    commit_advance_projected(commit, lsn + space);
    commit_advance_written(commit, lsn + space);
}

static void prepare_cells(struct commit *commit) {
    struct commit_change changes[WORLD_SLOTS];

    for (uint32_t from = 0; from < WORLD_CELLS; from += WORLD_SLOTS) {
        for (uint32_t i = 0; i < WORLD_SLOTS; i++) {
            changes[i] = (struct commit_change){.cell = WORLD_CELL(from + i),
                                                .update = {.new_value = 1000 * (from + i + 1)}};
        }
        prepare_commit(commit, changes, WORLD_SLOTS, 0);
    }
}

static uint64_t prepare_free(const struct commit *commit) {
    return (atomic_load(&commit->limit.lsn) - atomic_load(&commit->reserved.lsn)) /
           RECORD_LINE_BYTES;
}

static void prepare_start(struct commit *commit, uint64_t lsn) {
    for (uint32_t i = 0; i < WORLD_CELLS; i++) {
        memset(&commit->cells[WORLD_CELL(i)], 0, sizeof(struct cell));
    }
    memset((void *)commit->states, 0, WORLD_LINES * sizeof *commit->states);
    memset(commit->ring, 0, WORLD_RING_BYTES);
    memset(&commit->limit, 0, sizeof commit->limit);
    cellar_status status = commit_start(commit, lsn);
    world_check(status == CELLAR_OK, "start");
}

static void prepare_image(const struct commit *commit, struct world_image *image) {
    memcpy(&image->commit, commit, sizeof image->commit);
    memcpy(image->states, (void *)commit->states, sizeof image->states);
    memcpy(image->ring, commit->ring, sizeof image->ring);
    for (uint32_t i = 0; i < WORLD_CELLS; i++) {
        memcpy(&image->cells[i], &commit->cells[WORLD_CELL(i)], sizeof image->cells[i]);
    }
}

static void prepare_state(struct commit *commit, unsigned number) {
    /* Not at the start of the ring, and so that records run over its end in some. */
    prepare_start(commit, WORLD_RING_BYTES * 4 + RECORD_LINE_BYTES * (61 - 7 * number));
    commit_advance_disk_end(commit, WORLD_DISK_END);
    commit->followed = number % 2 != 0;
    prepare_cells(commit);
    while (prepare_free(commit) > world_free_lines[number]) {
        uint64_t lines = prepare_free(commit) - world_free_lines[number];
        uint64_t most = WORLD_LINES / COMMIT_RING_SHARE;
        uint64_t space = (lines < most ? lines : most) * RECORD_LINE_BYTES;
        prepare_commit(commit, NULL, 0, (uint32_t)(space - sizeof(struct record_header)));
    }
    prepare_image(commit, &world_images[number]);
}

void world_create(void) {
    struct memory *memory = memory_create();

    world_check(memory != NULL, "memory");
    struct commit_config config = {.ring_bytes = COMMIT_RING_BYTES_MIN,
                                   .limits = {WORLD_SLOTS, WORLD_SLOTS},
                                   .memory = memory};
    cellar_status status = commit_create(&world.commit, &config);
    world_check(status == CELLAR_OK, "commit");
    /* A smaller ring than the library makes: it laps within a run. */
    struct commit *commit = world.commit;
    memory_unmap(commit->ring, 2 * commit->ring_bytes);
    commit->ring = memory_map_twice(WORLD_RING_BYTES);
    world_images = calloc(WORLD_STARTS + 1, sizeof *world_images);
    world_check(commit->ring != NULL && world_images != NULL, "ring");
    commit->ring_bytes = WORLD_RING_BYTES;
    commit->ring_mask = WORLD_RING_BYTES - 1;
    commit->line_mask = WORLD_LINES - 1;
    commit->line_shift = (uint32_t)__builtin_ctzll(WORLD_LINES) - 3;
    for (unsigned i = 0; i < WORLD_STARTS; i++) {
        prepare_state(commit, i);
    }
    commit->followed = false;
    prepare_start(commit, WORLD_EMPTY_LSN);
    prepare_image(commit, &world_images[WORLD_START_EMPTY]);
}

void world_start(unsigned start, bool poison) {
    struct commit *commit = world.commit;
    const struct world_image *image = &world_images[start];

    world_number = start;
    memcpy(commit, &image->commit, sizeof image->commit);
    memcpy((void *)commit->states, image->states, sizeof image->states);
    memcpy(commit->ring, image->ring, sizeof image->ring);
    for (uint32_t i = 0; i < WORLD_CELLS; i++) {
        memcpy(&commit->cells[WORLD_CELL(i)], &image->cells[i], sizeof image->cells[i]);
        world.initial[i] = image->cells[i];
        world.derived[i] = image->cells[i];
        world.seen[i] = image->cells[i].version;
    }
    world.followed = commit->followed;
    world.returned_lsn = 0;
    memset(world.deed_count, 0, sizeof world.deed_count);
    commit_history_clear(&world.history);
    world.objects[0].mark = OBJECT_GOOD;
    atomic_store_explicit(&world.object, &world.objects[0], memory_order_relaxed);
    atomic_store_explicit(&world.object_count, 1, memory_order_relaxed);
    access_watch(commit, poison);
    buffer_reset(false);
}

static void world_run_library(void *argument) {
    const struct sim_library_thread *thread = argument;

    thread->run(thread->argument);
}

struct sim_thread *world_spawn_library(const char *name, unsigned number) {
    const struct sim_library_thread *threads;
    unsigned count = sim_library_threads(&threads);

    world_check(count > number, name);
    return sim_spawn(name, world_run_library, (void *)(uintptr_t)&threads[number], true);
}

void world_spawn_reclaimer(void) {
    world_spawn_library("reclaimer", world_number);
}

uint64_t world_hash(uint64_t seed) {
    const struct commit *commit = world.commit;
    uint64_t hash = hash_seeded(seed, commit, sizeof *commit);

    hash = hash_seeded(hash, (const void *)commit->states, WORLD_LINES * sizeof(uint64_t));
    hash = hash_seeded(hash, commit->ring, WORLD_RING_BYTES);
    hash = hash_seeded(hash, &commit->cells[CELL_INDEX(0, 0)], WORLD_SLOTS * sizeof(struct cell));
    hash = hash_seeded(hash, &commit->cells[CELL_INDEX(1, 0)], WORLD_SLOTS * sizeof(struct cell));
    hash = hash_seeded(hash, world.deed_count, sizeof world.deed_count);
    hash = hash_seeded(hash, &world.returned_lsn, sizeof world.returned_lsn);
    hash = hash_seeded(hash, world.derived, sizeof world.derived);
    for (unsigned i = 0; i < SIM_THREADS_MAX; i++) {
        if (world.deed_count[i] != 0) {
            hash = hash_seeded(hash, world.deeds[i], world.deed_count[i] * sizeof(struct deed));
        }
    }
    return hash_seeded(hash, world.history.words, world.history.used * sizeof(uint64_t));
}

/* ---- Looking at the cells from above ---- */

static const struct record_update *world_update(const struct record_header *record, uint32_t cell) {
    for (uint32_t i = 0; i < record->cell_count; i++) {
        if (record_cells(record)[i] == cell) {
            return &record_updates(record)[i];
        }
    }
    return NULL;
}

struct cell_content world_raw(uint32_t cell) {
    struct cell_content content;

    memcpy(&content, &world.commit->cells[cell], sizeof content);
    return content;
}

struct cell_content world_effective(uint32_t cell) {
    struct cell_content content = world_raw(cell);

    if (!cell_is_claimed(content.version)) {
        return content;
    }
    uint64_t lsn = content.version & ~CELL_CLAIMED;
    uint64_t word = atomic_load_explicit(ring_state(world.commit, lsn), memory_order_relaxed);
    const struct record_update *update = NULL;
    if (ring_state_lsn(word) == lsn) {
        update = world_update(ring_record(world.commit, lsn), cell);
    }
    if (update == NULL) {
        sim_fail("cell %x is claimed by %llu, whose record is gone", cell, (unsigned long long)lsn);
        return content;
    }
    if (ring_state_kind(word) == COMMIT_COMMITTED) {
        return (struct cell_content){update->new_value, lsn};
    }
    return (struct cell_content){content.value, update->expected};
}

/* A cell's version at this instant; it never goes back. */
static uint64_t world_version_now(uint32_t cell) {
    uint32_t i = CELL_CLASS(cell) * WORLD_SLOTS + CELL_SLOT(cell);
    uint64_t version = world_effective(cell).version;

    if (version < world.seen[i]) {
        sim_fail("cell %x goes back from version %llu to %llu", cell,
                 (unsigned long long)world.seen[i], (unsigned long long)version);
    }
    world.seen[i] = version;
    return version;
}

/* ---- Deeds ---- */

static struct deed *world_deed(enum deed_kind kind, uint32_t count) {
    unsigned thread = sim_thread_number(sim_current());

    if (world.deed_count[thread] == WORLD_DEEDS_MAX || count > WORLD_CHANGES_MAX) {
        sim_fail("too many deeds");
    }
    struct deed *deed = &world.deeds[thread][world.deed_count[thread]++];
    memset(deed, 0, sizeof *deed);
    deed->kind = kind;
    deed->count = count;
    return deed;
}

static void world_note_content(struct deed *deed, uint32_t i, uint32_t cell,
                               struct cell_content content) {
    deed->changes[i].cell = cell;
    deed->changes[i].update.expected = content.version;
    deed->changes[i].update.old_value = content.value;
}

/* The record of a version may be gone; when it is not, it says the same. */
static void world_check_record(uint32_t cell, struct cell_content content) {
    const struct record_header *record = commit_record(world.commit, content.version);

    if (record == NULL) {
        return;
    }
    access_touch(record, sizeof *record);
    access_touch(record, record->bytes);
    const struct record_update *update = world_update(record, cell);
    if (record->lsn != content.version || update == NULL || update->new_value != content.value) {
        sim_fail("the record at %llu is not the one that wrote cell %x",
                 (unsigned long long)content.version, cell);
    }
}

struct cell_content world_read(uint32_t cell, bool settled) {
    struct deed *deed = world_deed(DEED_READ, 1);
    uint64_t before = world_version_now(cell);
    struct cell_content content = actor_read(world.commit, cell, settled);
    uint64_t after = world_version_now(cell);

    if (content.version < before || content.version > after) {
        sim_fail("cell %x read as version %llu; it went from %llu to %llu", cell,
                 (unsigned long long)content.version, (unsigned long long)before,
                 (unsigned long long)after);
    }
    world_check_record(cell, content);
    world_note_content(deed, 0, cell, content);
    deed->returned = true;
    return content;
}

static void world_committed(const struct deed *deed) {
    uint64_t lsn = deed->lsn;

    if (lsn <= deed->floor) {
        sim_fail("committed at %llu, called after %llu was acknowledged", (unsigned long long)lsn,
                 (unsigned long long)deed->floor);
    }
    for (uint32_t i = 0; i < deed->count; i++) {
        if (world_version_now(deed->changes[i].cell) < lsn) {
            sim_fail("committed at %llu, but cell %x does not have it", (unsigned long long)lsn,
                     deed->changes[i].cell);
        }
    }
    world.returned_lsn = lsn > world.returned_lsn ? lsn : world.returned_lsn;
}

static void world_conflicted(const struct deed *deed) {
    for (uint32_t i = 0; i < deed->count; i++) {
        if (world_version_now(deed->changes[i].cell) != deed->changes[i].update.expected) {
            return;
        }
    }
    sim_fail("the record at %llu was refused though no cell has changed",
             (unsigned long long)deed->lsn);
}

enum commit_outcome world_commit(const struct commit_change *changes, uint32_t count,
                                 uint32_t payload_bytes, uint64_t *lsn_out) {
    static const unsigned char payload[WORLD_FILLER_BYTES] = {1, 2, 3};
    struct deed *deed = world_deed(DEED_COMMIT, count);
    const struct commit_request request = {.changes = deed->changes,
                                           .change_count = count,
                                           .kind = RECORD_KIND_DOMAIN,
                                           .payload = payload,
                                           .payload_bytes = payload_bytes,
                                           .time_ns = 1};

    if (count != 0) {
        memcpy(deed->changes, changes, count * sizeof *changes);
    }
    deed->floor = world.returned_lsn;
    deed->outcome = commit_try(world.commit, &request, &deed->lsn);
    *lsn_out = deed->lsn;
    sim_note("commit of %u cells: outcome %d, lsn %llu", count, (int)deed->outcome,
             (unsigned long long)deed->lsn);
    if (deed->outcome == COMMIT_DONE) {
        world_committed(deed);
    } else if (deed->outcome == COMMIT_CONFLICT) {
        world_conflicted(deed);
    }
    deed->returned = true;
    return deed->outcome;
}

void world_durable(void) {
    unsigned thread = sim_thread_number(sim_current());

    world.deeds[thread][world.deed_count[thread] - 1].durable = true;
}

void world_snapshot(const uint32_t *cells, uint32_t count) {
    struct deed *deed = world_deed(DEED_SNAPSHOT, count);

    deed->lsn = commit_snapshot(world.commit);
    for (uint32_t i = 0; i < count; i++) {
        world_note_content(deed, i, cells[i], commit_read_at(world.commit, cells[i], deed->lsn));
    }
    deed->returned = true;
}

void world_logged(const struct record_header *record, uint64_t lsn) {
    access_touch(record, sizeof *record);
    if (!record_validate(record, lsn, WORLD_RING_BYTES / COMMIT_RING_SHARE)) {
        sim_fail("the record at %llu is not valid when it is logged", (unsigned long long)lsn);
    }
    access_touch(record, record->bytes);
    commit_history_append(&world.history, record);
}

void world_follow(const struct record_header *record) {
    access_touch(record, sizeof *record);
    access_touch(record, record->bytes);
    for (uint32_t i = 0; i < record->cell_count; i++) {
        uint32_t cell = record_cells(record)[i];
        const struct record_update *update = &record_updates(record)[i];
        struct cell_content *content =
            &world.derived[CELL_CLASS(cell) * WORLD_SLOTS + CELL_SLOT(cell)];
        if (content->version != update->expected || content->value != update->old_value) {
            sim_fail("the follower meets another version in cell %x at %llu", cell,
                     (unsigned long long)record->lsn);
        }
        *content = (struct cell_content){update->new_value, record->lsn};
    }
}

/* ---- An object that is replaced ---- */

static void object_release(struct commit_deferred *deferred, struct memory *memory) {
    (void)memory;
    ((struct world_object *)deferred)->mark = OBJECT_RELEASED;
}

void world_replace(void) {
    uint32_t number = ATOMIC_ADD(&world.object_count, 1, relaxed);

    if (number >= WORLD_OBJECTS) {
        return;
    }
    struct world_object *object = &world.objects[number];
    object->mark = OBJECT_GOOD;
    struct world_object *before = ATOMIC_EXCHANGE(&world.object, object, seq_cst);
    before->deferred.release = object_release;
    commit_defer(world.commit, &before->deferred);
}

const struct world_object *world_look(void) {
    const struct world_object *object = ATOMIC_LOAD(&world.object, acquire);

    world_look_again(object);
    return object;
}

void world_look_again(const struct world_object *object) {
    if (object->mark != OBJECT_GOOD) {
        sim_fail("an object was released under a reader");
    }
}
