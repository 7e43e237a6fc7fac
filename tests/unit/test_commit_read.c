/* Is every read the value at one instant of the call, whatever the cell's transaction is doing, and
 * are reads at a snapshot what held at that position of the log? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "commit/ring.h"

#include "support/commit_world.h"

#include <unistd.h>

#define OWNER 1
#define READER 2

static struct commit_world world;

static int set_up(void **unused) {
    (void)unused;
    commit_world_open_simple(&world, COMMIT_RING_BYTES_MIN, 64);
    return 0;
}

static int tear_down(void **unused) {
    (void)unused;
    commit_world_close(&world);
    return 0;
}

static void make_owner(struct commit_actor *owner) {
    commit_actor_make(owner, &world, OWNER, COMMIT_DEED_TRY);
    commit_plan_add(&owner->plan, world.commit, 1, 1);
    commit_plan_add(&owner->plan, world.commit, 2, 1);
}

/* A reader that has met the claim in cell 1 and has not looked at the record yet. */
static struct commit_gate *start_reader(struct commit_actor *reader) {
    commit_actor_make(reader, &world, READER, COMMIT_DEED_READ);
    reader->cell = 1;
    struct commit_gate *gate = commit_gate_close(READER, "read-claimed", 1);
    commit_actor_start(reader);
    commit_gate_await(gate);
    return gate;
}

/* Met open, decided while the reader stands, overwritten twice since: it tells the value that held
 * from the decision on, which fell into its call. */
static void test_A_claim_met_open_then_committed_and_overwritten(void **unused) {
    struct commit_actor owner;
    struct commit_actor reader;

    (void)unused;
    commit_world_set(&world, 1, 10);
    make_owner(&owner);
    struct commit_gate *owner_gate = commit_gate_close(OWNER, "resolve-plant", 2);
    commit_actor_start(&owner);
    uint64_t lsn = commit_gate_await(owner_gate);
    struct commit_gate *reader_gate = start_reader(&reader);
    commit_gate_open(owner_gate);
    commit_actor_join(&owner);
    commit_world_set(&world, 1, 500);
    commit_world_set(&world, 1, 600);
    commit_gate_open(reader_gate);
    commit_actor_join(&reader);
    assert_int_equal(reader.content.value, 11);
    assert_int_equal(reader.content.version, lsn);
}

/* Met open, aborted while the reader stands. */
static void test_A_claim_met_open_then_aborted(void **unused) {
    struct commit_actor owner;
    struct commit_actor reader;

    (void)unused;
    uint64_t before = commit_world_set(&world, 1, 10);
    make_owner(&owner);
    commit_world_set(&world, 2, 9);
    struct commit_gate *owner_gate = commit_gate_close(OWNER, "resolve-finish", 1);
    commit_actor_start(&owner);
    uint64_t lsn = commit_gate_await(owner_gate);
    assert_int_equal(ring_state_kind(ATOMIC_LOAD(ring_state(world.commit, lsn), acquire)),
                     COMMIT_ABORTED);
    struct commit_gate *reader_gate = start_reader(&reader);
    commit_gate_open(owner_gate);
    commit_actor_join(&owner);
    commit_world_set(&world, 1, 500);
    commit_gate_open(reader_gate);
    commit_actor_join(&reader);
    assert_int_equal(reader.content.value, 10);
    assert_int_equal(reader.content.version, before);
}

/* Both cells change at one instant: once one is read new, the other cannot be read old, at each of
 * the owner's stops. */
static void test_A_cells_change_together(void **unused) {
    static const struct {
        const char *point;
        unsigned hit;
        int64_t value;
    } stops[] = {{"commit-reserved", 1, 0}, {"commit-open", 1, 0},    {"resolve-plant", 1, 0},
                 {"resolve-plant", 2, 0},   {"resolve-decide", 1, 0}, {"resolve-finish", 1, 1}};

    (void)unused;
    for (size_t i = 0; i < sizeof stops / sizeof *stops; i++) {
        struct commit_actor owner;
        set_up(NULL);
        make_owner(&owner);
        struct commit_gate *gate = commit_gate_close(OWNER, stops[i].point, stops[i].hit);
        commit_actor_start(&owner);
        commit_gate_await(gate);
        assert_int_equal(commit_world_read(&world, 1).value, stops[i].value);
        assert_int_equal(commit_world_read(&world, 2).value, stops[i].value);
        commit_gate_open(gate);
        commit_actor_join(&owner);
        assert_int_equal(owner.outcome, COMMIT_DONE);
        assert_int_equal(commit_world_read(&world, 1).value, 1);
        assert_int_equal(commit_world_read(&world, 2).value, 1);
        tear_down(NULL);
    }
}

/* ---- Snapshots ---- */

static struct cell_content read_at(uint32_t cell, uint64_t snapshot) {
    commit_enter();
    struct cell_content content = commit_read_at(world.commit, cell, snapshot);
    commit_leave();
    return content;
}

/* Cell 1 takes the values 0 to 20; every position between is a snapshot. */
static void test_B_snapshot_rewinds_over_versions(void **unused) {
    uint64_t versions[21] = {0};

    (void)unused;
    for (int i = 1; i <= 20; i++) {
        versions[i] = commit_world_set(&world, 1, 100 + i);
        commit_world_set(&world, 2, i);
        while (commit_drain_step(&world.drain)) {
        }
    }
    uint64_t end = ATOMIC_LOAD(&world.commit->decided.lsn, relaxed);
    int next = 1;
    for (uint64_t snapshot = COMMIT_WORLD_LSN; snapshot <= end; snapshot += 64) {
        while (next <= 20 && versions[next] < snapshot) {
            next++;
        }
        struct cell_content content = read_at(1, snapshot);
        assert_int_equal(content.version, versions[next - 1]);
        assert_int_equal(content.value, next == 1 ? 0 : 100 + next - 1);
        assert_int_equal(read_at(3, snapshot).version, 0);
    }
    assert_int_equal(next, 21);
}

/* Beyond the snapshot stands a transaction in flight: open, then committed but unfinished. */
static void test_B_snapshot_does_not_see_what_is_in_flight(void **unused) {
    struct commit_actor owner;

    (void)unused;
    uint64_t first = commit_world_set(&world, 1, 10);
    assert_true(commit_drain_step(&world.drain));
    uint64_t snapshot = commit_snapshot(world.commit);
    assert_true(snapshot > first);
    commit_world_set(&world, 1, 20);
    make_owner(&owner);
    struct commit_gate *open = commit_gate_close(OWNER, "resolve-decide", 1);
    struct commit_gate *committed = commit_gate_close(OWNER, "resolve-finish", 1);
    commit_actor_start(&owner);
    commit_gate_await(open);
    assert_int_equal(read_at(1, snapshot).value, 10);
    assert_int_equal(read_at(1, UINT64_MAX).value, 20);
    commit_gate_open(open);
    commit_gate_await(committed);
    assert_int_equal(read_at(1, snapshot).value, 10);
    assert_int_equal(read_at(1, snapshot).version, first);
    assert_int_equal(read_at(2, snapshot).value, 0);
    assert_int_equal(read_at(1, UINT64_MAX).value, 21);
    commit_gate_open(committed);
    commit_actor_join(&owner);
    assert_int_equal(read_at(1, snapshot).value, 10);
}

/* A snapshot stays readable as long as the section in which it was taken, over a full ring of later
 * changes, all written. */
static void test_B_E_snapshot_holds_for_its_section(void **unused) {
    struct commit_plan plan;
    uint64_t lsn = 0;
    unsigned changes = 0;

    (void)unused;
    commit_plan_make(&plan, 2);
    commit_world_set(&world, 1, 77);
    commit_world_set(&world, 2, -77);
    commit_drain_all(&world.drain);
    commit_enter();
    uint64_t snapshot = commit_snapshot(world.commit);
    for (;; changes++) {
        commit_plan_clear(&plan);
        commit_plan_add(&plan, world.commit, 1, 1);
        commit_plan_add(&plan, world.commit, 2, -1);
        if (commit_plan_try(&plan, world.commit, &lsn) != COMMIT_DONE) {
            break;
        }
        commit_drain_all(&world.drain);
    }
    assert_true(changes > 400);
    assert_int_equal(commit_read(world.commit, 1).value, 77 + changes);
    assert_int_equal(commit_read_at(world.commit, 1, snapshot).value, 77);
    assert_int_equal(commit_read_at(world.commit, 2, snapshot).value, -77);
    commit_leave();
    commit_plan_free(&plan);
}

static void test_cell_load_and_swap(void **unused) {
    struct cell cell = {0, 0};

    (void)unused;
    struct cell_content first = {-1, 64};
    assert_true(cell_swap(&cell, (struct cell_content){0, 0}, first));
    assert_int_equal(cell_load(&cell).value, -1);
    assert_int_equal(cell_load(&cell).version, 64);
    /* Either half must be as expected. */
    assert_false(cell_swap(&cell, (struct cell_content){-1, 0}, (struct cell_content){5, 128}));
    assert_false(cell_swap(&cell, (struct cell_content){0, 64}, (struct cell_content){5, 128}));
    struct cell_content last = {INT64_MIN, UINT64_MAX};
    assert_true(cell_swap(&cell, first, last));
    assert_int_equal(cell_load(&cell).value, INT64_MIN);
    assert_int_equal(cell_load(&cell).version, UINT64_MAX);
    assert_true(cell_swap(&cell, last, (struct cell_content){INT64_MAX, 1}));
    assert_int_equal(cell_load(&cell).value, INT64_MAX);
}

static void test_cell_names(void **unused) {
    (void)unused;
    assert_int_equal(CELL_CLASS(CELL_INDEX(15, 7)), 15);
    assert_int_equal(CELL_SLOT(CELL_INDEX(15, CELL_SLOT_COUNT - 1)), CELL_SLOT_COUNT - 1);
    assert_true(CELL_INDEX(1, 0) > CELL_INDEX(0, CELL_SLOT_COUNT - 1));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_A_claim_met_open_then_committed_and_overwritten,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_A_claim_met_open_then_aborted, set_up, tear_down),
        cmocka_unit_test(test_A_cells_change_together),
        cmocka_unit_test_setup_teardown(test_B_snapshot_rewinds_over_versions, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_B_snapshot_does_not_see_what_is_in_flight, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_B_E_snapshot_holds_for_its_section, set_up, tear_down),
        cmocka_unit_test(test_cell_load_and_swap),
        cmocka_unit_test(test_cell_names),
    };

    (void)alarm(100);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
