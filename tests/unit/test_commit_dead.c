/* Does durability wait for no one who reserved and did not publish (rule 4)? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "commit/ring.h"

#include "base/clock.h"

#include "support/commit_world.h"

#include <unistd.h>

#define RING_BYTES COMMIT_RING_BYTES_MIN
#define OWNERS 5

static struct commit_world world;
static struct commit_actor owners[OWNERS];
static struct commit_gate *gates[OWNERS];

static int set_up(void **unused) {
    (void)unused;
    commit_world_open_simple(&world, RING_BYTES, 64);
    return 0;
}

static int tear_down(void **unused) {
    (void)unused;
    commit_world_close(&world);
    return 0;
}

static uint64_t word_at(uint64_t lsn) {
    return ATOMIC_LOAD(ring_state(world.commit, lsn), acquire);
}

/* Owner i reserves a record of `cells` cells, the first of them 8 * i, and is stopped at `point`.
 */
static uint64_t stop_at(const char *point, unsigned i, uint32_t cells) {
    commit_actor_make(&owners[i], &world, i + 1, COMMIT_DEED_TRY);
    for (uint32_t k = 0; k < cells; k++) {
        commit_plan_add(&owners[i].plan, world.commit, 8 * i + k, 1);
    }
    gates[i] = commit_gate_close(i + 1, point, 1);
    commit_actor_start(&owners[i]);
    return commit_gate_await(gates[i]);
}

static uint64_t stop_reserved(unsigned i, uint32_t cells) {
    return stop_at("commit-reserved", i, cells);
}

static enum commit_outcome let_go(unsigned i) {
    commit_gate_open(gates[i]);
    commit_actor_join(&owners[i]);
    return owners[i].outcome;
}

static enum commit_decision decide(uint64_t lsn, uint64_t *space_out) {
    const struct record_header *record = NULL;

    return commit_decide(world.commit, lsn, &record, space_out);
}

static void advance(uint64_t lsn) {
    ATOMIC_STORE(&world.commit->decided.lsn, lsn, release);
}

static void test_rule_4_stopped_owner_is_passed_over_and_retries(void **unused) {
    uint64_t space = 0;

    (void)unused;
    uint64_t lsn = stop_reserved(0, 3);
    uint64_t behind = commit_world_set(&world, 50, 7);
    assert_int_equal(behind, lsn + 128);
    assert_int_equal(decide(lsn, &space), COMMIT_UNPUBLISHED);
    assert_false(commit_drain_step(&world.drain));
    assert_int_equal(commit_pass_over(world.commit, lsn), 128);
    assert_int_equal(world.commit->dead_gaps, 1);
    advance(lsn + 128);
    assert_true(commit_drain_step(&world.drain));
    assert_int_equal(let_go(0), COMMIT_PASSED_OVER);
    assert_int_equal(commit_world_read(&world, 0).version, 0);
    /* Its next attempt is an ordinary one. */
    struct commit_plan again;
    commit_plan_make(&again, 1);
    commit_plan_add(&again, world.commit, 0, 1);
    assert_int_equal(commit_plan_try(&again, world.commit, &lsn), COMMIT_DONE);
    commit_plan_free(&again);
}

/* The owner has loaded the state word and not swapped it yet: the swap fails. */
static void test_rule_4_passed_over_at_the_last_moment(void **unused) {
    (void)unused;
    uint64_t lsn = stop_at("commit-publish", 0, 3);
    assert_int_equal(commit_pass_over(world.commit, lsn), 128);
    advance(lsn + 128);
    assert_int_equal(let_go(0), COMMIT_PASSED_OVER);
    assert_int_equal(word_at(lsn), lsn | COMMIT_DEAD);
    assert_int_equal(commit_world_read(&world, 0).version, 0);
}

static void test_rule_4_published_meanwhile_is_not_passed_over(void **unused) {
    (void)unused;
    uint64_t lsn = stop_reserved(0, 1);
    assert_int_equal(let_go(0), COMMIT_DONE);
    assert_int_equal(commit_pass_over(world.commit, lsn), 0);
    assert_int_equal(world.commit->dead_gaps, 0);
    assert_int_equal(ring_state_kind(word_at(lsn)), COMMIT_COMMITTED);
}

/* One gap over all who stand next to each other, of any length, up to the next published record,
 * which is left alone; a gap behind it is another one. */
static void test_rule_4_gap_ends_at_the_next_published_record(void **unused) {
    uint64_t space = 0;

    (void)unused;
    uint64_t first = stop_reserved(0, 1);
    uint64_t second = stop_reserved(1, 5);
    uint64_t third = stop_reserved(2, 3);
    uint64_t published = commit_world_set(&world, 50, 7);
    uint64_t fourth = stop_reserved(3, 2);
    assert_int_equal(second, first + 64);
    assert_int_equal(third, second + 192);
    assert_int_equal(published, third + 128);
    uint64_t gap = commit_pass_over(world.commit, first);
    assert_int_equal(gap, published - first);
    for (uint64_t at = first; at < published; at += 64) {
        assert_int_equal(word_at(at), at | COMMIT_DEAD);
    }
    assert_int_equal(word_at(published), published | COMMIT_COMMITTED | COMMIT_FINISHED);
    advance(published);
    assert_true(commit_drain_step(&world.drain));
    assert_int_equal(decide(fourth, &space), COMMIT_UNPUBLISHED);
    assert_int_equal(let_go(3), COMMIT_DONE);
    assert_true(commit_drain_step(&world.drain));
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(let_go(i), COMMIT_PASSED_OVER);
    }
    assert_int_equal(world.drain.taken, 2);
}

/* The gap reaches to `reserved` when nobody behind it has published. Afterwards the ring goes on
 * over the dead lines lap after lap. */
static void test_rule_4_gap_up_to_reserved_and_later_laps(void **unused) {
    (void)unused;
    uint64_t first = stop_reserved(0, 8);
    stop_reserved(1, 8);
    uint64_t end = ATOMIC_LOAD(&world.commit->reserved.lsn, relaxed);
    assert_int_equal(commit_pass_over(world.commit, first), end - first);
    advance(end);
    assert_int_equal(let_go(0), COMMIT_PASSED_OVER);
    assert_int_equal(let_go(1), COMMIT_PASSED_OVER);
    for (int i = 0; i < 3 * (int)(RING_BYTES / 64); i++) {
        commit_world_set(&world, 9, i);
        commit_drain_all(&world.drain);
        if (i % 256 == 0) {
            commit_world_reclaim_all(&world);
        }
    }
    assert_int_equal(world.drain.padded, 0);
    /* On lines that were dead once, an owner is stopped and passed over again. */
    uint64_t lsn = stop_reserved(2, 8);
    assert_int_equal(commit_pass_over(world.commit, lsn),
                     ATOMIC_LOAD(&world.commit->reserved.lsn, relaxed) - lsn);
    advance(ATOMIC_LOAD(&world.commit->reserved.lsn, relaxed));
    assert_int_equal(let_go(2), COMMIT_PASSED_OVER);
}

/* What an owner copies after it was passed over stays its own: the space is not given to another
 * before it has left its section. */
static void test_rule_4_E_passed_over_owner_still_owns_its_space(void **unused) {
    (void)unused;
    uint64_t lsn = stop_reserved(0, 8);
    uint64_t gap = commit_pass_over(world.commit, lsn);
    advance(lsn + gap);
    commit_advance_written(world.commit, lsn + gap);
    int64_t end_ns = clock_monotonic_ns() + 40 * NANOSECONDS_PER_MILLISECOND;
    (void)commit_wait_space(world.commit, 2 * RING_BYTES, end_ns);
    assert_int_equal(ATOMIC_LOAD(&world.commit->reclaimed.lsn, seq_cst), COMMIT_WORLD_LSN);
    assert_int_equal(let_go(0), COMMIT_PASSED_OVER);
    commit_world_reclaim_all(&world);
}

/* The log writer on its thread: stopped owners everywhere, others commit, and all of theirs
 * becomes durable while the owners stand. */
static void test_rule_4_F_others_become_durable_meanwhile(void **unused) {
    uint64_t last = 0;

    (void)unused;
    commit_drain_start(&world.drain);
    for (unsigned i = 0; i < OWNERS; i++) {
        stop_reserved(i, 1 + i);
        last = commit_world_set(&world, 60, i);
        assert_true(
            commit_world_await(&world.commit->durable, last + 64, 10 * NANOSECONDS_PER_SECOND));
    }
    for (unsigned i = 0; i < OWNERS; i++) {
        assert_int_equal(let_go(i), COMMIT_PASSED_OVER);
        assert_int_equal(commit_world_read(&world, 8 * i).version, 0);
    }
    commit_drain_stop(&world.drain);
    assert_int_equal(world.drain.taken, OWNERS);
    assert_int_equal(world.drain.gaps, OWNERS);
}

/* A published record is never passed over, however long its owner stands: it is helped. */
static void test_rule_4_open_record_is_helped_instead(void **unused) {
    struct commit_actor *owner = &owners[0];

    (void)unused;
    commit_actor_make(owner, &world, 1, COMMIT_DEED_TRY);
    commit_plan_add(&owner->plan, world.commit, 1, 1);
    gates[0] = commit_gate_close(1, "commit-open", 1);
    commit_actor_start(owner);
    uint64_t lsn = commit_gate_await(gates[0]);
    assert_int_equal(commit_pass_over(world.commit, lsn), 0);
    assert_true(commit_drain_step(&world.drain));
    assert_int_equal(world.drain.taken, 1);
    assert_int_equal(commit_world_read(&world, 1).version, lsn);
    assert_int_equal(let_go(0), COMMIT_DONE);
    assert_int_equal(owner->lsn, lsn);
}

/* The oracle changes the cells before it publishes: passing it over would lose a commit. */
static enum commit_decision follow(uint64_t lsn, uint64_t *space_out) {
    const struct record_header *record = NULL;

    return commit_follow(world.commit, lsn, &record, space_out);
}

/* The follower ahead of the log writer: it does what the owner of an open record has not done yet,
 * tells what came of a refused one, waits for who has not published, and goes through a gap. */
static void test_D_follower_ahead_of_the_writer(void **unused) {
    uint64_t space = 0;

    (void)unused;
    uint64_t open = stop_at("commit-open", 0, 3);
    uint64_t late = stop_reserved(1, 1);
    commit_world_set(&world, 8, 7);
    uint64_t stuck = stop_reserved(2, 5);
    assert_int_equal(follow(open, &space), COMMIT_TAKE);
    assert_int_equal(space, late - open);
    assert_int_equal(commit_world_read(&world, 0).version, open);
    assert_int_equal(ATOMIC_LOAD(&world.commit->cells[0].version, acquire), open);
    assert_int_equal(follow(late, &space), COMMIT_UNPUBLISHED);
    assert_int_equal(let_go(1), COMMIT_CONFLICT);
    assert_int_equal(follow(late, &space), COMMIT_PAD);
    assert_int_equal(space, 64);
    assert_int_equal(follow(late + 64, &space), COMMIT_TAKE);
    assert_int_equal(follow(stuck, &space), COMMIT_UNPUBLISHED);
    uint64_t gap = commit_pass_over(world.commit, stuck);
    for (uint64_t at = stuck; at < stuck + gap; at += 64) {
        assert_int_equal(follow(at, &space), COMMIT_PAD);
        assert_int_equal(space, 64);
    }
    assert_int_equal(follow(stuck + gap, &space), COMMIT_NOTHING);
    /* The log writer has not moved, and comes to the same. */
    assert_int_equal(commit_snapshot(world.commit), open);
    for (int i = 0; i < 3; i++) {
        assert_true(commit_drain_step(&world.drain));
    }
    advance(stuck + gap);
    assert_int_equal(world.drain.taken, 2);
    assert_int_equal(let_go(0), COMMIT_DONE);
    assert_int_equal(let_go(2), COMMIT_PASSED_OVER);
}

static void test_rule_4_oracle_is_never_passed_over(void **unused) {
    struct commit_config config = {.ring_bytes = RING_BYTES, .limits = {64, 64}, .oracle = true};

    (void)unused;
    tear_down(NULL);
    commit_world_open(&world, &config);
    /* A reservation of which nothing is published. */
    ATOMIC_STORE(&world.commit->reserved.lsn, COMMIT_WORLD_LSN + 64, relaxed);
    assert_int_equal(commit_pass_over(world.commit, COMMIT_WORLD_LSN), 0);
    ATOMIC_STORE(&world.commit->reserved.lsn, COMMIT_WORLD_LSN, relaxed);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_rule_4_stopped_owner_is_passed_over_and_retries,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_rule_4_passed_over_at_the_last_moment, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_rule_4_published_meanwhile_is_not_passed_over, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_rule_4_gap_ends_at_the_next_published_record, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_rule_4_gap_up_to_reserved_and_later_laps, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_rule_4_E_passed_over_owner_still_owns_its_space,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_rule_4_F_others_become_durable_meanwhile, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_D_follower_ahead_of_the_writer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_rule_4_open_record_is_helped_instead, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_rule_4_oracle_is_never_passed_over, set_up, tear_down),
    };

    (void)alarm(100);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
