/* Wherever the power fails, and whatever the disk keeps of what was not synced: does the store open
 * with a state that it has had, and that has every commit that was acknowledged?
 *
 * A store on a disk in memory is worked on at random, call for call with the model, until the power
 * fails at a random call to the disk. Of what was not synced, a random part is kept; the image is
 * opened, sometimes after the power has failed again in the opening. The journal of the calls tells
 * which of them the log still has: the first so many, and none after them, at least up to the last
 * one acknowledged. The model as of then must be the whole store, whatever is asked of it. Then the
 * work goes on from there.
 *
 * SEED= repeats a run, STRESS=n makes it n times as long. */
#include "cellar.h"

#include "base/assert.h"
#include "base/clock.h"
#include "engine/engine.h"
#include "support/journal.h"
#include "support/memory_io.h"
#include "support/model.h"
#include "support/model_files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__SANITIZE_THREAD__)
#define LINES 4
#elif defined(__SANITIZE_ADDRESS__)
#define LINES 12
#else
#define LINES 50
#endif
/* Lives of one line of stores, each of which goes on from an image of the one before. */
#define LIVES 4
#define IMAGES 3
#define CALLS_MAX 600
#define CALLS_LEAN_MAX 150
/* Of so many lives one goes through segments. */
#define FAT_ONE_IN 6
#define RING_BYTES (1U << 16)
#define SEGMENT_BYTES (1U << 20)
#define IDS_OPEN 16
/* A call that was cut off leaves a location behind at most for each of its lines. */
#define STEPS_MAX ((size_t)LIVES * (CALLS_MAX + MODEL_LINES_FEW))

struct run {
    struct random random;
    struct journal journal;
    struct model model;
    struct memory_disk *disk;
    cellar *store;
    uint32_t next_id;
    uint64_t images;
    uint64_t deaths;
    uint64_t lost; /* commits that were not acknowledged and are gone */
    uint64_t commits;
};

static cellar_status run_open(struct run *run) {
    const cellar_config config = {.size = sizeof config,
                                  .directory = "/shop",
                                  .ring_bytes = RING_BYTES,
                                  .segment_bytes = SEGMENT_BYTES,
                                  .products_max = 1U << 10,
                                  .stocks_max = 1U << 12,
                                  .accounts_max = 1U << 10,
                                  .orders_max = 1U << 13,
                                  .grants_max = 1U << 13,
                                  .customers_max = 1U << 13,
                                  .durability = CELLAR_RELAXED};
    const struct engine_options options = {.io = memory_disk_io(run->disk)};
    cellar_problem problem;

    cellar_status status = engine_open(&config, &options, &run->store, &problem);
    if (status != CELLAR_OK && !memory_disk_is_dead(run->disk)) {
        (void)model_wrong(&run->model, "opening: %s: %s", cellar_status_name(status), problem.text);
    }
    return status;
}

/* ---- A life ---- */

/* One call. False when the disk is dead: nothing is done any more. */
static bool run_call(struct run *run, bool fat, bool *alive) {
    struct model_call drawn;
    struct model_answer answered;
    struct model_call *call = &drawn;
    struct model_answer *answer = &answered;
    const struct model_mix mix = {.skus = 10,
                                  .locations = MODEL_LOCATIONS,
                                  .accounts = 6,
                                  .id_first = 1 + run->next_id++ / 2,
                                  .id_count = IDS_OPEN,
                                  .salt = 7,
                                  .units = 80};
    bool durable = random_below(&run->random, 10) == 0;
    const cellar_call options = {.durability = durable ? CELLAR_DURABLE : CELLAR_RELAXED};

    model_draw(&run->random, &mix, call);
    if (fat && random_below(&run->random, 8) != 0) {
        *call = (struct model_call){.kind = MODEL_PUT,
                                    .line_count = 1,
                                    .text = 1 + (uint32_t)random_below(&run->random, 1000),
                                    .few = {{.sku = (uint32_t)random_below(&run->random, 10)}}};
    }
    model_run(run->store, run->model.numbers, &options, call, answer);
    /* What is read of the disk now was on it before any later failure. */
    journal_acknowledge(&run->journal, run->store);
    *alive = answer->status != CELLAR_FAILED && answer->status != CELLAR_OUTCOME_UNKNOWN;
    if (answer->status == CELLAR_OUTCOME_UNKNOWN && answer->ticket.lsn != 0) {
        /* It was committed; the next opening tells. */
        answer->status = CELLAR_OK;
    }
    if (answer->status == CELLAR_FAILED || answer->status == CELLAR_OUTCOME_UNKNOWN) {
        return true;
    }
    if (!model_judge(&run->model, call, answer)) {
        return model_wrong(&run->model, "wrong answer: %s", model_describe(call, answer));
    }
    if (!model_is_change(call, answer)) {
        return true;
    }
    journal_add(&run->journal, call, answer);
    run->commits++;
    if (*alive && model_apply_openings(&run->model, run->store, call) &&
        model_apply(&run->model, call, answer)) {
        return true;
    }
    /* With the disk dead, histories cannot be read for the openings: the model stays behind, so
     * this life ends here, and the image will tell. */
    *alive = false;
    return memory_disk_is_dead(run->disk);
}

static bool run_live(struct run *run) {
    bool fat = random_below(&run->random, FAT_ONE_IN) == 0;
    uint64_t calls = fat ? CALLS_MAX : random_below(&run->random, CALLS_LEAN_MAX);
    /* About as many as there will be. */
    uint64_t disk_calls = fat ? calls : calls / 2 + 8;
    bool alive = true;

    memory_disk_die_after(run->disk, (int64_t)random_below(&run->random, disk_calls));
    for (uint64_t i = 0; alive && i < calls; i++) {
        if (!run_call(run, fat, &alive)) {
            return false;
        }
    }
    bool right = run->model.problem[0] == '\0' || memory_disk_is_dead(run->disk);
    cellar_status status = cellar_close(run->store);
    run->deaths += memory_disk_is_dead(run->disk);
    if (status == CELLAR_OK && !memory_disk_is_dead(run->disk)) {
        /* Closed in peace: all of it is on disk. */
        run->journal.acknowledged = UINT64_MAX;
    }
    return right;
}

/* ---- An image ---- */

static bool image_keep(void *context, uint64_t item) {
    struct run *run = context;

    (void)item;
    return random_below(&run->random, 16) < (run->images % 17);
}

/* Opens; sometimes the power fails in that, and what is left is opened. */
static bool image_open(struct run *run) {
    for (;;) {
        bool dying = random_below(&run->random, 4) == 0;
        memory_disk_die_after(run->disk, dying ? (int64_t)random_below(&run->random, 20) : -1);
        cellar_status status = run_open(run);
        memory_disk_die_after(run->disk, -1);
        if (!memory_disk_is_dead(run->disk)) {
            return status == CELLAR_OK;
        }
        if (status == CELLAR_OK) {
            (void)cellar_close(run->store);
        }
        struct memory_disk *next = memory_disk_power_cut(run->disk, image_keep, run);
        memory_disk_destroy(run->disk);
        run->disk = next;
    }
}

static bool image_compare(struct run *run) {
    size_t lost;
    bool right = journal_restore(&run->journal, &run->model, run->store, &run->random, &lost);

    run->lost += lost;
    return right;
}

/* Opens an image of the dead disk; keeps it open as the next life when `last`. */
static bool image_check(struct run *run, struct memory_disk *dead, const struct journal *journal,
                        bool last) {
    run->images++;
    run->disk = memory_disk_power_cut(dead, image_keep, run);
    journal_copy(&run->journal, journal);
    if (!image_open(run)) {
        return false;
    }
    bool right = image_compare(run);
    if (last && right) {
        return true;
    }
    (void)cellar_close(run->store);
    memory_disk_destroy(run->disk);
    return right;
}

/* ---- A line of lives ---- */

static bool run_line(struct run *run, struct journal *before) {
    run->disk = memory_disk_create();
    run->journal.count = 0;
    run->journal.acknowledged = 0;
    run->next_id = 0;
    model_destroy(&run->model);
    model_create(&run->model);
    bool right = run_open(run) == CELLAR_OK;
    for (int life = 0; right && life < LIVES; life++) {
        struct memory_disk *dead = run->disk;
        right = run_live(run);
        /* The images share the calls up to here, whatever each of them has kept. */
        journal_copy(before, &run->journal);
        for (int image = 0; right && image < IMAGES; image++) {
            right = image_check(run, dead, before, image + 1 == IMAGES);
        }
        memory_disk_destroy(dead);
    }
    if (right) {
        right = cellar_close(run->store) == CELLAR_OK;
        memory_disk_destroy(run->disk);
    }
    return right;
}

int main(void) {
    static struct run run;
    struct journal before;
    uint32_t lines = (uint32_t)(LINES * model_files_stress());
    bool right = true;

    run.random.state = random_seed_of_run();
    (void)printf("1..1\n");
    model_create(&run.model);
    journal_create(&run.journal, STEPS_MAX);
    journal_create(&before, STEPS_MAX);
    for (uint32_t line = 0; right && line < lines; line++) {
        right = run_line(&run, &before);
        if (!right) {
            (void)printf("# line %u: %s\n", line, run.model.problem);
        }
    }
    model_destroy(&run.model);
    journal_destroy(&run.journal);
    journal_destroy(&before);
    (void)printf(
        "%s 1 - %llu commits, %llu deaths, %llu images, %llu commits lost unacknowledged\n",
        right ? "ok" : "not ok", (unsigned long long)run.commits, (unsigned long long)run.deaths,
        (unsigned long long)run.images, (unsigned long long)run.lost);
    return right ? 0 : 1;
}
