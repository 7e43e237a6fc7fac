/* Is a transaction finished by whoever meets it when its owner is stopped, at every point, and do
 * helpers neither cycle nor recurse? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "commit/ring.h"

#include "support/commit_world.h"

#include <limits.h>
#include <unistd.h>

#define SLOTS 32768
#define RING_BYTES (UINT64_C(1) << 22)
#define OWNER 1
#define HELPER 2

static struct commit_world world;

static int set_up(void **unused) {
    (void)unused;
    commit_world_open_simple(&world, RING_BYTES, SLOTS);
    return 0;
}

static int tear_down(void **unused) {
    (void)unused;
    commit_world_close(&world);
    return 0;
}

static enum commit_state state_of(uint64_t lsn) {
    return ring_state_kind(ATOMIC_LOAD(ring_state(world.commit, lsn), acquire));
}

static bool is_finished(uint64_t lsn) {
    return (ATOMIC_LOAD(ring_state(world.commit, lsn), acquire) & COMMIT_FINISHED) != 0;
}

static struct cell_content raw(uint32_t cell) {
    return cell_load(&world.commit->cells[cell]);
}

static struct cell_content settle(uint32_t cell) {
    commit_enter();
    struct cell_content content = commit_read_settled(world.commit, cell);
    commit_leave();
    return content;
}

/* Starts an owner of cells 1, 2 and 3, adding 10 to each, and stops it at `point`. */
static struct commit_gate *stop_owner(struct commit_actor *owner, const char *point, unsigned hit,
                                      uint64_t *lsn_out) {
    commit_actor_make(owner, &world, OWNER, COMMIT_DEED_TRY);
    for (uint32_t cell = 1; cell <= 3; cell++) {
        commit_plan_add(&owner->plan, world.commit, cell, 10);
    }
    struct commit_gate *gate = commit_gate_close(OWNER, point, hit);
    commit_actor_start(owner);
    *lsn_out = commit_gate_await(gate);
    return gate;
}

static void check_owned(uint64_t lsn) {
    for (uint32_t cell = 1; cell <= 3; cell++) {
        assert_int_equal(raw(cell).value, 10);
        assert_int_equal(raw(cell).version, lsn);
    }
}

/* Where the owner may be stopped after publishing, and what a reader sees before anyone helps. */
static const struct stop {
    const char *point;
    unsigned hit;
    enum commit_state state;
    uint32_t claimed; /* cells 1 to `claimed` carry the claim */
    int64_t value;    /* what commit_read() tells */
} stops[] = {
    {"commit-open", 1, COMMIT_OPEN, 0, 0},    {"resolve-plant", 1, COMMIT_OPEN, 0, 0},
    {"resolve-plant", 2, COMMIT_OPEN, 1, 0},  {"resolve-plant", 3, COMMIT_OPEN, 2, 0},
    {"resolve-decide", 1, COMMIT_OPEN, 3, 0}, {"resolve-finish", 1, COMMIT_COMMITTED, 3, 10},
};
#define STOPS (sizeof stops / sizeof *stops)

static void check_stopped(const struct stop *stop, uint64_t lsn) {
    assert_int_equal(state_of(lsn), stop->state);
    for (uint32_t cell = 1; cell <= 3; cell++) {
        bool claimed = cell <= stop->claimed;
        assert_int_equal(raw(cell).value, 0);
        assert_int_equal(raw(cell).version, claimed ? (lsn | CELL_CLAIMED) : 0);
        struct cell_content content = commit_world_read(&world, cell);
        assert_int_equal(content.value, stop->value);
        assert_int_equal(content.version, stop->value != 0 ? lsn : 0);
    }
}

/* A reader that is going to change a cell finishes the whole transaction; where nothing is claimed
 * yet it cannot meet it, and reads what holds. */
static void test_D_settling_reader_finishes(void **unused) {
    (void)unused;
    for (size_t i = 0; i < STOPS; i++) {
        if (i > 0) {
            set_up(NULL);
        }
        struct commit_actor owner;
        uint64_t lsn = 0;
        struct commit_gate *gate = stop_owner(&owner, stops[i].point, stops[i].hit, &lsn);
        check_stopped(&stops[i], lsn);
        struct cell_content content = settle(1);
        if (stops[i].claimed > 0) {
            assert_int_equal(content.version, lsn);
            assert_int_equal(content.value, 10);
            assert_int_equal(state_of(lsn), COMMIT_COMMITTED);
            check_owned(lsn);
        } else {
            assert_int_equal(content.version, 0);
        }
        assert_false(is_finished(lsn));
        commit_gate_open(gate);
        commit_actor_join(&owner);
        assert_int_equal(owner.outcome, COMMIT_DONE);
        assert_int_equal(owner.lsn, lsn);
        assert_true(is_finished(lsn));
        check_owned(lsn);
        if (i + 1 < STOPS) {
            tear_down(NULL);
        }
    }
}

/* The log writer finishes it wherever the owner stands. */
static void test_D_log_writer_finishes(void **unused) {
    (void)unused;
    for (size_t i = 0; i < STOPS; i++) {
        if (i > 0) {
            set_up(NULL);
        }
        struct commit_actor owner;
        uint64_t lsn = 0;
        struct commit_gate *gate = stop_owner(&owner, stops[i].point, stops[i].hit, &lsn);
        assert_true(commit_drain_step(&world.drain));
        assert_int_equal(world.drain.taken, 1);
        check_owned(lsn);
        commit_gate_open(gate);
        commit_actor_join(&owner);
        assert_int_equal(owner.outcome, COMMIT_DONE);
        if (i + 1 < STOPS) {
            tear_down(NULL);
        }
    }
}

/* A rival wants a cell of the stopped owner: it helps, then fails itself, for the owner's success
 * only. Its next attempt goes through while the owner still stands. */
static void test_D_F_rival_helps_and_goes_on(void **unused) {
    (void)unused;
    for (size_t i = 2; i < STOPS; i++) {
        if (i > 2) {
            set_up(NULL);
        }
        struct commit_actor owner;
        struct commit_plan rival;
        uint64_t lsn = 0;
        uint64_t rival_lsn = 0;
        struct cell_content before = commit_world_read(&world, 1);
        struct commit_gate *gate = stop_owner(&owner, stops[i].point, stops[i].hit, &lsn);
        commit_plan_make(&rival, 2);
        commit_plan_expect(&rival, 0, commit_world_read(&world, 0), 5);
        commit_plan_expect(&rival, 1, before, 5);
        assert_int_equal(commit_plan_try(&rival, world.commit, &rival_lsn), COMMIT_CONFLICT);
        check_owned(lsn);
        commit_plan_clear(&rival);
        commit_plan_add(&rival, world.commit, 0, 5);
        commit_plan_add(&rival, world.commit, 1, 5);
        assert_int_equal(commit_plan_try(&rival, world.commit, &rival_lsn), COMMIT_DONE);
        commit_gate_open(gate);
        commit_actor_join(&owner);
        assert_int_equal(owner.outcome, COMMIT_DONE);
        assert_int_equal(raw(1).value, 15);
        assert_int_equal(raw(1).version, rival_lsn);
        assert_int_equal(raw(2).version, lsn);
        commit_plan_free(&rival);
        if (i + 1 < STOPS) {
            tear_down(NULL);
        }
    }
}

/* An aborted one too: the owner has claimed two cells, finds the third changed, and stands before
 * cleaning up. Both claimed cells can be used at once. */
static void test_D_aborted_owner_is_cleaned_up(void **unused) {
    struct commit_actor owner;

    (void)unused;
    commit_actor_make(&owner, &world, OWNER, COMMIT_DEED_TRY);
    for (uint32_t cell = 1; cell <= 3; cell++) {
        commit_plan_add(&owner.plan, world.commit, cell, 10);
    }
    uint64_t third = commit_world_set(&world, 3, 77);
    struct commit_gate *gate = commit_gate_close(OWNER, "resolve-finish", 1);
    commit_actor_start(&owner);
    uint64_t lsn = commit_gate_await(gate);
    assert_int_equal(state_of(lsn), COMMIT_ABORTED);
    assert_int_equal(raw(1).version, lsn | CELL_CLAIMED);
    assert_int_equal(commit_world_read(&world, 1).version, 0);
    assert_int_equal(settle(2).version, 0);
    assert_int_equal(raw(1).version, 0);
    uint64_t first = commit_world_set(&world, 1, 11);
    commit_gate_open(gate);
    commit_actor_join(&owner);
    assert_int_equal(owner.outcome, COMMIT_CONFLICT);
    assert_int_equal(raw(1).version, first);
    assert_int_equal(raw(1).value, 11);
    assert_int_equal(raw(2).version, 0);
    assert_int_equal(raw(3).version, third);
}

/* A helper saw the record open and is stopped before it looks at the cell. By then the cell holds
 * the record's own new version, which is not the one expected: no reason to abort it. */
static void test_C_helper_that_looks_late_does_not_abort(void **unused) {
    struct commit_actor owner;
    struct commit_actor helper;
    uint64_t lsn = 0;

    (void)unused;
    for (unsigned look = 1; look <= 3; look++) {
        if (look > 1) {
            set_up(NULL);
        }
        struct commit_gate *gate = stop_owner(&owner, "resolve-plant", 2, &lsn);
        commit_actor_make(&helper, &world, HELPER, COMMIT_DEED_DECIDE);
        struct commit_gate *looking = commit_gate_close(HELPER, "resolve-look", look);
        commit_actor_start(&helper);
        assert_int_equal(commit_gate_await(looking), lsn);
        commit_gate_open(gate);
        commit_actor_join(&owner);
        assert_int_equal(owner.outcome, COMMIT_DONE);
        commit_gate_open(looking);
        commit_actor_join(&helper);
        assert_int_equal(state_of(lsn), COMMIT_COMMITTED);
        assert_int_equal(world.drain.taken, 1);
        check_owned(lsn);
        if (look < 3) {
            tear_down(NULL);
        }
    }
}

/* Two transactions that a cursory design would let wait for each other: one holds the first cell
 * and wants the last, the other is after the last and then the first. Cells are claimed in one
 * order, so the second stops at the first cell, whoever is asked. */
static void test_rule_5_opposite_orders_meet_at_the_first_cell(void **unused) {
    struct commit_actor owner;
    struct commit_actor rival;
    uint64_t lsn = 0;

    (void)unused;
    struct commit_gate *gate = stop_owner(&owner, "resolve-plant", 2, &lsn);
    commit_actor_make(&rival, &world, HELPER, COMMIT_DEED_TRY);
    for (uint32_t cell = 1; cell <= 3; cell++) {
        commit_plan_add(&rival.plan, world.commit, cell, 100);
    }
    struct commit_gate *stopped = commit_gate_close(HELPER, "resolve-decide", 1);
    commit_actor_start(&rival);
    /* The rival is deciding the owner's transaction, not its own. */
    assert_int_equal(commit_gate_await(stopped), lsn);
    assert_int_equal(raw(3).version, lsn | CELL_CLAIMED);
    commit_gate_open(gate);
    commit_actor_join(&owner);
    commit_gate_open(stopped);
    commit_actor_join(&rival);
    assert_int_equal(owner.outcome, COMMIT_DONE);
    assert_int_equal(rival.outcome, COMMIT_CONFLICT);
    check_owned(lsn);
}

/* Owner i holds cell i and wants cell i + 1, which owner i + 1 holds, and so on. One reader with a
 * small stack resolves them all: the last commits, the one before it finds its second cell
 * changed, the one before that gets it back unchanged, and so on alternately. */
#define CHAIN 151

static void start_chain(struct commit_actor *owners, struct commit_gate **gates) {
    for (uint32_t i = 0; i < CHAIN; i++) {
        unsigned name = 10 + i;
        commit_actor_make(&owners[i], &world, name, COMMIT_DEED_TRY);
        owners[i].stack_bytes = 256 * 1024;
        commit_plan_add(&owners[i].plan, world.commit, i, 1);
        commit_plan_add(&owners[i].plan, world.commit, i + 1, 1);
        gates[i] = commit_gate_close(name, "resolve-plant", 2);
        commit_actor_start(&owners[i]);
        commit_gate_await(gates[i]);
    }
}

static void test_rule_5_chain_resolves_without_recursion(void **unused) {
    static struct commit_actor owners[CHAIN];
    static struct commit_gate *gates[CHAIN];
    struct commit_actor reader;

    (void)unused;
    start_chain(owners, gates);
    commit_actor_make(&reader, &world, HELPER, COMMIT_DEED_SETTLE);
    reader.stack_bytes = (size_t)sysconf(_SC_THREAD_STACK_MIN) + 65536;
    reader.cell = 0;
    commit_actor_start(&reader);
    commit_actor_join(&reader);
    for (uint32_t i = 0; i < CHAIN; i++) {
        commit_gate_open(gates[i]);
        commit_actor_join(&owners[i]);
        bool commits = (CHAIN - 1 - i) % 2 == 0;
        assert_int_equal(owners[i].outcome, commits ? COMMIT_DONE : COMMIT_CONFLICT);
    }
    for (uint32_t i = 0; i <= CHAIN; i++) {
        assert_false(cell_is_claimed(raw(i).version));
        assert_int_equal(raw(i).value, 1);
    }
    assert_int_equal(reader.content.value, commit_world_read(&world, 0).value);
}

/* The widest transaction there can be, stopped half way and finished by somebody else. */
static void test_rule_5_widest_transaction_is_helped(void **unused) {
    struct commit_actor owner;

    (void)unused;
    commit_actor_make(&owner, &world, OWNER, COMMIT_DEED_TRY);
    commit_plan_free(&owner.plan);
    commit_plan_make(&owner.plan, RECORD_CELLS_MAX);
    for (uint32_t cell = 0; cell < RECORD_CELLS_MAX; cell++) {
        commit_plan_expect(&owner.plan, 2 * cell, (struct cell_content){0, 0}, 1 + cell);
    }
    struct commit_gate *gate = commit_gate_close(OWNER, "resolve-plant", RECORD_CELLS_MAX / 2);
    commit_actor_start(&owner);
    uint64_t lsn = commit_gate_await(gate);
    assert_int_equal(raw(RECORD_CELLS_MAX).version, 0);
    assert_int_equal(settle(0).version, lsn);
    for (uint32_t cell = 0; cell < RECORD_CELLS_MAX; cell++) {
        assert_int_equal(raw(2 * cell).version, lsn);
        assert_int_equal(raw(2 * cell).value, 1 + cell);
        assert_int_equal(raw(2 * cell + 1).version, 0);
    }
    commit_gate_open(gate);
    commit_actor_join(&owner);
    assert_int_equal(owner.outcome, COMMIT_DONE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_D_settling_reader_finishes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_D_log_writer_finishes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_D_F_rival_helps_and_goes_on, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_D_aborted_owner_is_cleaned_up, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_C_helper_that_looks_late_does_not_abort, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_rule_5_opposite_orders_meet_at_the_first_cell, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_rule_5_chain_resolves_without_recursion, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_rule_5_widest_transaction_is_helped, set_up,
                                        tear_down),
    };

    (void)alarm(100);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
