/* Does the engine do what the model says, whatever the calls, with closings and power cuts between?
 *
 * Each step is six bytes: what to do, two bytes from which a call is drawn as the other tests draw
 * theirs (so that a new kind of call comes in by itself), a byte that says which of its numbers are
 * replaced, and a number. What is answered is judged by the model; after each opening, and at the
 * end, the whole store is compared with it. After a power cut the journal tells what must be left.
 */
#include "cellar.h"

#include "base/assert.h"
#include "engine/engine.h"
#include "support/journal.h"
#include "support/memory_io.h"
#include "support/model.h"

#include <stdio.h>
#include <string.h>

#define STEP_BYTES 6
#define STEPS_MAX 400
#define SKUS 4
#define ACCOUNTS 3
#define NOW INT64_C(1700000000000000000)
/* Of the first byte: from here on it is no call. */
#define ACTION_FIRST 240

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

enum action {
    ACTION_WAIT,   /* all that was done becomes durable */
    ACTION_REOPEN, /* closed and opened */
    ACTION_KILL,   /* as after SIGKILL */
    ACTION_POWER,  /* as after a power cut that keeps a part of what was not synced */
    ACTION_HOLD,   /* syncs do not return until ACTION_RELEASE, a wait or a close */
    ACTION_RELEASE,
    ACTION_COMPARE,
    ACTION_COUNT
};

struct run {
    struct memory_disk *disk;
    cellar *store;
    struct model model;
    struct journal journal;
    struct random random;
};

static int64_t run_clock(void *context) {
    (void)context;
    return NOW;
}

static void run_open(struct run *run) {
    const cellar_config config = {.size = sizeof config,
                                  .directory = "/shop",
                                  .ring_bytes = COMMIT_RING_BYTES_MIN,
                                  .segment_bytes = UINT64_C(1) << 20,
                                  .products_max = 64,
                                  .stocks_max = 256,
                                  .accounts_max = 64,
                                  .orders_max = 1024,
                                  .durability = CELLAR_RELAXED,
                                  .clock = run_clock};
    const struct engine_options options = {.io = memory_disk_io(run->disk)};
    cellar_status status = engine_open(&config, &options, &run->store, NULL);

    ASSERT(status == CELLAR_OK);
}

static void run_require(struct run *run, bool right) {
    if (!right) {
        (void)fprintf(stderr, "%s\n", run->model.problem);
    }
    ASSERT(right);
}

/* ---- Calls ---- */

static int64_t call_scale(int64_t number) {
    /* Small numbers, and those near the greatest amount. */
    return number < 200 ? 1 + number : CELLAR_AMOUNT_MAX - (255 - number);
}

/* Replaces numbers of a sound call by others that are in range, so that it stays sound. */
static void call_override(struct run *run, struct model_call *call, uint8_t what, uint8_t number) {
    if (call->fault != MODEL_SOUND) {
        return;
    }
    if ((what & 1) != 0 && call->line_count != 0) {
        struct model_line *line = &call->few[call->line_count - 1];
        line->quantity = line->quantity < 0 ? -call_scale(number) : call_scale(number);
    }
    if ((what & 2) != 0) {
        call->amount = call->amount > 0   ? call_scale(number)
                       : call->amount < 0 ? -call_scale(number)
                                          : 0;
    }
    if ((what & 4) != 0 && call->expected > CELLAR_VERSION_ABSENT && run->journal.count != 0) {
        call->expected = run->journal.answers[number % run->journal.count].ticket.lsn;
    }
    if ((what & 8) != 0 && call->line_count > 1) {
        call->few[1] = call->few[0];
    }
}

/* Whether it has opened a location is read from the log's files, which the disk must not hold up.
 */
static bool run_may_open(const struct model_call *call) {
    bool may = call->kind == MODEL_MOVE;
    for (uint32_t i = 0; i < call->line_count; i++) {
        may |= model_lines(call)[i].location != 0;
    }
    return may;
}

/* Carries a call out, has the answer judged, and does the same to the model. */
static void run_make(struct run *run, struct model_call *call) {
    struct model_answer answer;

    model_run(run->store, run->model.numbers, NULL, call, &answer);
    journal_acknowledge(&run->journal, run->store);
    /* A snapshot lacks what the log writer has not met. A full ring says nothing of the call. */
    if (call->kind == MODEL_SNAPSHOT || answer.status == CELLAR_BUSY) {
        return;
    }
    bool right = model_judge(&run->model, call, &answer);
    if (!right) {
        (void)fprintf(stderr, "wrong answer: %s\n", model_describe(call, &answer));
    }
    ASSERT(right);
    if (model_is_change(call, &answer)) {
        journal_add(&run->journal, call, &answer);
        if (run_may_open(call)) {
            memory_disk_hold_syncs(run->disk, false);
        }
        run_require(run, model_apply_openings(&run->model, run->store, call) &&
                             model_apply(&run->model, call, &answer));
    }
}

static void run_call(struct run *run, const uint8_t *step) {
    const struct model_mix mix = {.skus = SKUS,
                                  .locations = MODEL_LOCATIONS,
                                  .accounts = ACCOUNTS,
                                  .id_first = 1 + step[0] / 16U,
                                  .id_count = 6,
                                  .salt = 3,
                                  .reads = true,
                                  .faults = true,
                                  .units = 40};
    struct random random = {step[1] + 256U * step[2]};
    struct model_call call;

    model_draw(&random, &mix, &call);
    call_override(run, &call, step[3], step[4]);
    run_make(run, &call);
}

/* Goods and accounts to begin with, but for the last, which the calls may make. */
static void run_prepare(struct run *run) {
    for (uint32_t sku = 0; sku + 1 < SKUS; sku++) {
        struct model_call put = {.kind = MODEL_PUT, .line_count = 1, .few = {{.sku = sku}}};
        struct model_call receive = {
            .kind = MODEL_RECEIVE, .line_count = 1, .few = {{.sku = sku, .quantity = 100}}};
        run_make(run, &put);
        run_make(run, &receive);
    }
    for (uint32_t account = 1; account < ACCOUNTS; account++) {
        struct model_call open = {.kind = MODEL_OPEN, .account = account, .amount = -5000};
        run_make(run, &open);
    }
}

/* ---- What is not a call ---- */

static bool power_keep(void *context, uint64_t item) {
    (void)item;
    return random_below(context, 2) == 0;
}

static void run_close(struct run *run) {
    memory_disk_hold_syncs(run->disk, false);
    cellar_status status = cellar_close(run->store);
    ASSERT(status == CELLAR_OK);
}

/* The store goes on from `next`, which is what a crash has left of its disk. */
static void run_crash(struct run *run, struct memory_disk *next) {
    size_t lost;

    run_close(run);
    memory_disk_destroy(run->disk);
    run->disk = next;
    run_open(run);
    run_require(run, journal_restore(&run->journal, &run->model, run->store, &run->random, &lost));
}

static void run_settle(struct run *run) {
    memory_disk_hold_syncs(run->disk, false);
    if (run->model.last_lsn != 0) {
        cellar_status status = cellar_wait(run->store, run->model.last_lsn, -1);
        ASSERT(status == CELLAR_OK);
    }
    journal_acknowledge(&run->journal, run->store);
}

static void run_action(struct run *run, enum action action, uint8_t number) {
    struct random random = {number};

    switch (action) {
    case ACTION_WAIT:
        run_settle(run);
        break;
    case ACTION_REOPEN:
        run_close(run);
        run_open(run);
        break;
    case ACTION_KILL:
        run_crash(run, memory_disk_kill(run->disk));
        break;
    case ACTION_POWER:
        run_crash(run, memory_disk_power_cut(run->disk, power_keep, &random));
        break;
    case ACTION_HOLD:
        memory_disk_hold_syncs(run->disk, true);
        break;
    case ACTION_RELEASE:
        memory_disk_hold_syncs(run->disk, false);
        break;
    default:
        run_settle(run);
        run_require(run, model_compare(&run->model, run->store, &run->random));
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    struct run run = {.disk = memory_disk_create(), .random = {11}};
    size_t steps = bytes / STEP_BYTES < STEPS_MAX ? bytes / STEP_BYTES : STEPS_MAX;

    model_create(&run.model);
    journal_create(&run.journal, (STEPS_MAX + 2 * (SKUS + ACCOUNTS)) * (1 + MODEL_LINES_FEW));
    run_open(&run);
    run_prepare(&run);
    for (size_t i = 0; i < steps; i++) {
        const uint8_t *step = data + i * STEP_BYTES;
        if (step[0] < ACTION_FIRST) {
            run_call(&run, step);
        } else {
            run_action(&run, (enum action)(step[0] % ACTION_COUNT), step[5]);
        }
    }
    run_settle(&run);
    run_require(&run, model_compare(&run.model, run.store, &run.random));
    run_close(&run);
    memory_disk_destroy(run.disk);
    journal_destroy(&run.journal);
    model_destroy(&run.model);
    return 0;
}
