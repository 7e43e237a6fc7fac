/* Worlds, plans and actors. */
#include "support/commit_world.h"

#include "base/assert.h"
#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORLD_PLAN_CELLS 8
#define WORLD_RECLAIM_NS (30 * NANOSECONDS_PER_SECOND)

void commit_world_open(struct commit_world *world, const struct commit_config *config) {
    memset(world, 0, sizeof *world);
    world->memory = memory_create();
    ASSERT(world->memory != NULL);
    world->config = *config;
    world->config.memory = world->memory;
    cellar_status status = commit_create(&world->commit, &world->config);
    ASSERT(status == CELLAR_OK);
    status = commit_start(world->commit, COMMIT_WORLD_LSN);
    ASSERT(status == CELLAR_OK);
    commit_advance_disk_end(world->commit, COMMIT_WORLD_DISK_END);
    world->drain = (struct commit_drain){.commit = world->commit, .patience_ns = 100 * 1000};
    commit_model_make(&world->model, config->limits);
    commit_gate_reset();
}

void commit_world_open_simple(struct commit_world *world, uint64_t ring_bytes, uint32_t slots) {
    struct commit_config config = {.ring_bytes = ring_bytes, .limits = {slots, slots}};

    commit_world_open(world, &config);
}

static void world_check(struct commit_world *world) {
    uint64_t reserved = ATOMIC_LOAD(&world->commit->reserved.lsn, relaxed);
    const char *problem = commit_history_replay(&world->drain.history, &world->model);

    ASSERT(ATOMIC_LOAD(&world->commit->decided.lsn, relaxed) == reserved);
    problem = problem == NULL ? commit_model_compare(&world->model, world->commit) : problem;
    if (problem != NULL) {
        (void)fprintf(stderr, "history: %s\n", problem);
    }
    ASSERT(problem == NULL);
}

void commit_world_close(struct commit_world *world) {
    commit_gate_remove();
    commit_drain_all(&world->drain);
    if (world->drain.model == NULL) {
        world_check(world);
    }
    commit_history_free(&world->drain.history);
    commit_model_free(&world->model);
    commit_destroy(world->commit);
    memory_destroy(world->memory);
}

void commit_plan_make(struct commit_plan *plan, uint32_t capacity) {
    memset(plan, 0, sizeof *plan);
    plan->capacity = capacity;
    plan->changes = calloc((size_t)capacity + 1, sizeof *plan->changes);
    ASSERT(plan->changes != NULL);
    plan->request.kind = RECORD_KIND_DOMAIN;
    plan->request.changes = plan->changes;
}

void commit_plan_free(struct commit_plan *plan) {
    free(plan->changes);
    plan->changes = NULL;
}

void commit_plan_clear(struct commit_plan *plan) {
    plan->request.change_count = 0;
}

void commit_plan_expect(struct commit_plan *plan, uint32_t cell, struct cell_content expected,
                        int64_t new_value) {
    ASSERT(plan->request.change_count < plan->capacity);
    plan->changes[plan->request.change_count++] = (struct commit_change){
        .cell = cell,
        .update = {
            .expected = expected.version, .old_value = expected.value, .new_value = new_value}};
}

void commit_plan_add(struct commit_plan *plan, const struct commit *commit, uint32_t cell,
                     int64_t delta) {
    commit_enter();
    struct cell_content content = commit_read(commit, cell);
    commit_leave();
    commit_plan_expect(plan, cell, content, content.value + delta);
}

enum commit_outcome commit_plan_try(const struct commit_plan *plan, struct commit *commit,
                                    uint64_t *lsn_out) {
    commit_enter();
    enum commit_outcome outcome = commit_try(commit, &plan->request, lsn_out);
    commit_leave();
    return outcome;
}

uint64_t commit_world_set(struct commit_world *world, uint32_t cell, int64_t value) {
    struct commit_plan plan;
    uint64_t lsn = 0;

    commit_plan_make(&plan, 1);
    commit_plan_expect(&plan, cell, commit_world_read(world, cell), value);
    enum commit_outcome outcome = commit_plan_try(&plan, world->commit, &lsn);
    ASSERT(outcome == COMMIT_DONE);
    commit_plan_free(&plan);
    return lsn;
}

struct cell_content commit_world_read(const struct commit_world *world, uint32_t cell) {
    commit_enter();
    struct cell_content content = commit_read(world->commit, cell);
    commit_leave();
    return content;
}

bool commit_world_await(const struct commit_position *position, uint64_t lsn, int64_t timeout_ns) {
    int64_t end_ns = clock_monotonic_ns() + timeout_ns;

    while (ATOMIC_LOAD(&position->lsn, seq_cst) < lsn) {
        if (clock_monotonic_ns() >= end_ns) {
            return false;
        }
        clock_sleep_ns(NANOSECONDS_PER_MILLISECOND / 4);
    }
    return true;
}

/* A waiter for more than there can be makes the reclaiming thread do all it may. */
void commit_world_reclaim_all(struct commit_world *world) {
    struct commit *commit = world->commit;
    uint64_t wanted = ATOMIC_LOAD(&commit->written.lsn, relaxed);
    int64_t end_ns = clock_monotonic_ns() + WORLD_RECLAIM_NS;

    while (ATOMIC_LOAD(&commit->reclaimed.lsn, seq_cst) < wanted) {
        ASSERT(clock_monotonic_ns() < end_ns);
        commit_wait_space(commit, 2 * commit->ring_bytes,
                          clock_monotonic_ns() + NANOSECONDS_PER_MILLISECOND);
    }
}

void commit_actor_make(struct commit_actor *actor, struct commit_world *world, unsigned name,
                       enum commit_deed deed) {
    memset(actor, 0, sizeof *actor);
    actor->world = world;
    actor->name = name;
    actor->deed = deed;
    commit_plan_make(&actor->plan, WORLD_PLAN_CELLS);
}

static void *actor_run(void *argument) {
    struct commit_actor *actor = argument;
    struct commit *commit = actor->world->commit;

    commit_gate_name(actor->name);
    commit_enter();
    switch (actor->deed) {
    case COMMIT_DEED_TRY:
        actor->outcome = commit_try(commit, &actor->plan.request, &actor->lsn);
        break;
    case COMMIT_DEED_READ:
        actor->content = commit_read(commit, actor->cell);
        break;
    case COMMIT_DEED_SETTLE:
        actor->content = commit_read_settled(commit, actor->cell);
        break;
    case COMMIT_DEED_DECIDE:
    default:
        (void)commit_drain_step(&actor->world->drain);
        break;
    }
    commit_leave();
    return NULL;
}

void commit_actor_start(struct commit_actor *actor) {
    pthread_attr_t attributes;

    int failed = pthread_attr_init(&attributes);
    ASSERT(failed == 0);
    if (actor->stack_bytes != 0) {
        failed = pthread_attr_setstacksize(&attributes, actor->stack_bytes);
        ASSERT(failed == 0);
    }
    failed = pthread_create(&actor->thread, &attributes, actor_run, actor);
    ASSERT(failed == 0);
    (void)pthread_attr_destroy(&attributes);
}

void commit_actor_join(struct commit_actor *actor) {
    int failed = pthread_join(actor->thread, NULL);

    ASSERT(failed == 0);
    commit_plan_free(&actor->plan);
}
