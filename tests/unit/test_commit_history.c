/* Does the history checker of the tests find every kind of wrong history, and accept right ones? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/commit_history.h"
#include "support/commit_world.h"

#include <string.h>
#include <unistd.h>

static struct commit_world world;
static struct commit_model model;

/* Three transactions: {1: 0 -> 5}, {1: 5 -> 3, 2: 0 -> 2}, {2: 2 -> 9}. */
static int set_up(void **unused) {
    struct commit_plan plan;
    uint64_t lsn = 0;

    (void)unused;
    commit_world_open_simple(&world, COMMIT_RING_BYTES_MIN, 8);
    commit_model_make(&model, world.config.limits);
    commit_plan_make(&plan, 2);
    commit_world_set(&world, 1, 5);
    commit_plan_add(&plan, world.commit, 1, -2);
    commit_plan_add(&plan, world.commit, 2, 2);
    if (commit_plan_try(&plan, world.commit, &lsn) != COMMIT_DONE) {
        return 1;
    }
    commit_world_set(&world, 2, 9);
    commit_drain_all(&world.drain);
    commit_plan_free(&plan);
    return 0;
}

static int tear_down(void **unused) {
    (void)unused;
    commit_model_free(&model);
    commit_world_close(&world);
    return 0;
}

/* A history like the real one, but for one word. Places: see struct commit_history. */
static const char *replay_with(size_t place, uint64_t word) {
    static uint64_t words[64];
    struct commit_history history = {words, world.drain.history.used, 64};
    struct commit_model copy;

    memcpy(words, world.drain.history.words, history.used * sizeof *words);
    words[place] = word;
    commit_model_make(&copy, world.config.limits);
    const char *problem = commit_history_replay(&history, &copy);
    if (problem == NULL) {
        problem = commit_model_compare(&copy, world.commit);
    }
    commit_model_free(&copy);
    return problem == NULL ? NULL : "found";
}

static void test_right_history_replays(void **unused) {
    (void)unused;
    assert_int_equal(world.drain.history.used, 6 + 10 + 6);
    assert_null(commit_history_replay(&world.drain.history, &model));
    assert_null(commit_model_compare(&model, world.commit));
    assert_int_equal(commit_model_total(&model), 12);
    assert_int_equal(commit_model_cell(&model, 2)->value, 9);
}

static void test_every_wrong_word_is_found(void **unused) {
    (void)unused;
    for (size_t place = 0; place < world.drain.history.used; place++) {
        bool is_count = place == 1 || place == 7 || place == 17;
        uint64_t word = world.drain.history.words[place];
        assert_null(replay_with(place, word));
        if (!is_count) {
            assert_non_null(replay_with(place, word ^ 1));
            assert_non_null(replay_with(place, word ^ 2));
        }
    }
}

/* The second of three is missing, or comes twice. */
static void test_hole_and_repetition_are_found(void **unused) {
    uint64_t words[64];
    const uint64_t *real = world.drain.history.words;
    struct commit_history history = {words, 12, 64};

    (void)unused;
    memcpy(words, real, 6 * sizeof *words);
    memcpy(words + 6, real + 16, 6 * sizeof *words);
    assert_non_null(commit_history_replay(&history, &model));
    commit_model_free(&model);
    commit_model_make(&model, world.config.limits);
    memcpy(words + 6, real, 6 * sizeof *words);
    assert_non_null(commit_history_replay(&history, &model));
}

static void test_lost_end_is_found(void **unused) {
    struct commit_history history = world.drain.history;

    (void)unused;
    history.used -= 6;
    assert_null(commit_history_replay(&history, &model));
    assert_non_null(commit_model_compare(&model, world.commit));
}

static void test_loaded_model_continues(void **unused) {
    struct commit_history empty = {0};

    (void)unused;
    commit_model_load(&model, world.commit);
    assert_null(commit_model_compare(&model, world.commit));
    assert_null(commit_history_replay(&empty, &model));
    /* The history from the start does not fit what is there already. */
    assert_non_null(commit_history_replay(&world.drain.history, &model));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_right_history_replays, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_every_wrong_word_is_found, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_hole_and_repetition_are_found, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_lost_end_is_found, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_loaded_model_continues, set_up, tear_down),
    };

    (void)alarm(100);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
