/* Two transactions on two cells with those who meet them. The prepared state has space for all of
 * it, and somebody seems to wait for space, so that the reclaimer begins at once: with a log writer
 * that writes each record by itself, a record is poisoned as soon as the rules let it. */
#include "sim/scenes.h"

#include "sim/actors.h"
#include "sim/sim.h"
#include "sim/world.h"

#define START_ROOMY 7
/* The step at which actor_stale() has claimed its first cell. */
#define STALE_HAS_CLAIMED 18
/* The step at which the helper after it has seen that the record is open. */
#define HELPER_HAS_LOOKED 28

static struct actor_attempt both = {2, {0, 3}, false, false, 1};
static struct actor_attempt both_backwards = {2, {0, 3}, true, false, 1};
static struct actor_attempt both_again = {2, {0, 3}, false, true, 2};
static struct actor_attempt second = {1, {3}, false, false, 1};
static struct actor_attempt first_settled = {1, {0}, false, true, 1};
static struct actor_reader reader = {2, {0, 3}, false, false};
static struct actor_reader reader_of_first = {1, {0}, false, false};
static struct actor_reader helper_of_first = {1, {0}, false, true};
static struct actor_reader snapshot = {2, {0, 3}, true, false};

static void scene_world(void) {
    world_start(START_ROOMY - 1, true);
    atomic_store(&world_get()->commit->space_waiters, 1);
}

static void scene_writer(void) {
    static struct actor_writer writer;

    writer = (struct actor_writer){{0}, 0, 1};
    sim_spawn("writer", actor_writer, &writer, true);
}

static void begin_pair(void) {
    scene_world();
    sim_spawn("both-1", actor_attempt, &both, false);
    sim_spawn("both-2", actor_attempt, &both_backwards, false);
}

static void begin_pair_reader(void) {
    begin_pair();
    sim_spawn("reader", actor_reader, &reader_of_first, false);
}

static void begin_pair_writer(void) {
    begin_pair();
    scene_writer();
}

static void begin_owner_writer_reclaim(void) {
    scene_world();
    sim_spawn("both", actor_attempt, &both, false);
    sim_spawn("reader", actor_reader, &reader_of_first, false);
    scene_writer();
    world_spawn_reclaimer();
}

static void begin_retry(void) {
    scene_world();
    sim_spawn("again-1", actor_attempt, &both_again, false);
    sim_spawn("again-2", actor_attempt, &both_again, false);
    scene_writer();
}

static void begin_snapshot(void) {
    scene_world();
    sim_spawn("both", actor_attempt, &both, false);
    sim_spawn("second", actor_attempt, &second, false);
    sim_spawn("snapshot", actor_reader, &snapshot, false);
    scene_writer();
}

/* `both` is refused because of `second`, after somebody who helps it has read that it is open. */
static void begin_late(void) {
    scene_world();
    sim_spawn("both", actor_attempt, &both, false);
    sim_spawn("second", actor_attempt, &second, false);
    sim_spawn("helper", actor_attempt, &first_settled, false);
    sim_spawn("reader", actor_reader, &reader_of_first, false);
    scene_writer();
    world_spawn_reclaimer();
}

/* A helper that looked while the record was open claims its cell when it has been refused, cleaned
 * up and written; a reader meets this claim. */
static void begin_two_graces(void) {
    scene_world();
    sim_spawn("stale", actor_stale, NULL, false);
    sim_spawn("helper", actor_reader, &helper_of_first, false);
    sim_spawn("reader", actor_reader, &reader_of_first, false);
    scene_writer();
    world_spawn_reclaimer();
}

static void begin_all(void) {
    begin_pair();
    sim_spawn("reader", actor_reader, &reader, false);
    scene_writer();
    world_spawn_reclaimer();
}

const struct search_scene scenes[] = {
    {"pair", begin_pair, scene_writer, SEARCH_UNBOUNDED, {0, 0}},
    {"pair-reader", begin_pair_reader, scene_writer, 3, {0, 0}},
    {"pair-writer", begin_pair_writer, NULL, 3, {0, 0}},
    {"owner-writer-reclaim", begin_owner_writer_reclaim, NULL, 2, {0, 0}},
    {"retry", begin_retry, NULL, 2, {0, 0}},
    {"snapshot", begin_snapshot, NULL, 2, {0, 0}},
    {"late", begin_late, NULL, 1, {0, 0}},
    {"two-graces", begin_two_graces, NULL, 2, {STALE_HAS_CLAIMED, HELPER_HAS_LOOKED}},
    {"all", begin_all, NULL, 1, {0, 0}},
    {NULL, NULL, NULL, 0, {0, 0}},
};
