/* Does the store answer and do what a simple model says, call for call, over closings and openings?
 *
 * One thread makes random calls of every kind, right and wrong ones, repeats ids, tries extremes;
 * every status, every number of a refusal and of a ticket must be the model's. Now and then the
 * store is closed and opened, or its files are copied while it is open and the copy is opened, and
 * everything that can be asked of it is compared: products, lists, stocks and their histories,
 * accounts, orders and their lists, totals, audit.
 *
 * SEED= repeats a run, STRESS=n makes it n times as long. */
#include "cellar.h"

#include "base/assert.h"
#include "base/clock.h"
#include "support/model.h"
#include "support/model_files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define STEPS 3000
#else
#define STEPS 6000
#endif
#define STEPS_BETWEEN_OPENINGS 1500
/* Ids in use at a time, and how many calls it takes until the next one is. */
#define IDS_OPEN 30
#define STEPS_PER_ID 3
#define MANY_LINES 120

struct run {
    struct random random;
    struct model model;
    struct model_mix mix;
    cellar *store;
    char path[MODEL_PATH_BYTES];
    char copy[MODEL_PATH_BYTES];
    uint64_t ring_bytes;
    bool oracle;
    uint64_t done, refused, repeated, invalid;
    uint64_t statuses[128];
    struct model_line many[MANY_LINES];
};

/* ---- One call ---- */

static bool run_judge(struct run *run, const struct model_call *call,
                      const struct model_answer *answer) {
    if (!model_judge(&run->model, call, answer)) {
        return model_wrong(&run->model, "wrong answer: %s", model_describe(call, answer));
    }
    run->statuses[answer->status]++;
    run->repeated += answer->ticket.repeated;
    run->done += model_is_change(call, answer);
    return !model_is_change(call, answer) || (model_apply_openings(&run->model, run->store, call) &&
                                              model_apply(&run->model, call, answer));
}

static bool run_call(struct run *run, struct model_call *call) {
    struct model_answer answer;

    model_run(run->store, run->model.numbers, NULL, call, &answer);
    if (call->kind == MODEL_SNAPSHOT) {
        /* Commits that the log writer has not met are not in it. */
        return true;
    }
    return run_judge(run, call, &answer);
}

/* An order of many lines, most of which repeat a SKU. */
static bool run_wide(struct run *run) {
    struct model_call call;

    do {
        model_draw(&run->random, &run->mix, &call);
    } while (call.kind != MODEL_PLACE || call.fault != MODEL_SOUND);
    call.id += 1000000;
    call.line_count = MODEL_LINES_FEW + 1 + (uint32_t)random_below(&run->random, MANY_LINES - 10);
    call.many = run->many;
    for (uint32_t i = 0; i < call.line_count; i++) {
        run->many[i] = (struct model_line){.sku = 3 + (uint32_t)random_below(&run->random, 20),
                                           .quantity = 1,
                                           .unit_price = i,
                                           .by_number = i % 2 == 0};
    }
    return run_call(run, &call);
}

/* Several products in one call: as many puts. */
static bool run_put_many(struct run *run) {
    enum {
        COUNT = 4
    };
    struct model_call calls[COUNT];
    cellar_product products[COUNT];
    cellar_status statuses[COUNT];
    cellar_ticket tickets[COUNT];
    cellar_status first = CELLAR_OK;

    for (uint32_t i = 0; i < COUNT; i++) {
        calls[i] = (struct model_call){.kind = MODEL_PUT, .line_count = 1};
        calls[i].few[0].sku = (uint32_t)random_below(&run->random, MODEL_SKUS);
        products[i] = (cellar_product){.sku = model_sku(calls[i].few[0].sku)};
        if (random_below(&run->random, 20) == 0) {
            products[i].status = CELLAR_PRODUCT_DISCONTINUED + 1;
            calls[i].fault = MODEL_FAULT_STATE;
        }
    }
    cellar_status status =
        cellar_product_put_many(run->store, NULL, products, COUNT, statuses, tickets);
    for (uint32_t i = 0; i < COUNT; i++) {
        const struct model_answer answer = {
            .status = statuses[i],
            .ticket = tickets[i],
            /* It tells no more of a refusal. */
            .refusal = {.status = statuses[i], .line = CELLAR_NO_LINE, .reason = "not told"}};
        first = first == CELLAR_OK ? statuses[i] : first;
        if (!run_judge(run, &calls[i], &answer)) {
            return false;
        }
    }
    return status == first || model_wrong(&run->model, "put_many: %s", cellar_status_name(status));
}

/* What has no place in the model. */
static bool run_other(struct run *run) {
    cellar_statistics statistics;
    uint64_t lsn = run->model.last_lsn;

    bool right = cellar_statistics_get(run->store, &statistics) == CELLAR_OK &&
                 statistics.reserved_lsn > lsn && statistics.durable_lsn <= statistics.reserved_lsn;
    right = right && (lsn == 0 || cellar_wait(run->store, lsn, -1) == CELLAR_OK);
    right = right && cellar_durable_lsn(run->store) > lsn;
    right = right && cellar_wait(run->store, lsn + 1, 0) == CELLAR_INVALID_ARGUMENT &&
            cellar_wait(run->store, UINT64_MAX - 63, 0) == CELLAR_INVALID_ARGUMENT;
    return right || model_wrong(&run->model, "waiting, or the statistics");
}

static bool run_step(struct run *run, uint32_t step) {
    struct model_call call;

    run->mix.id_first = 1 + step / STEPS_PER_ID;
    switch (random_below(&run->random, 200)) {
    case 0:
    case 1:
        return run_wide(run);
    case 2:
        return run_put_many(run);
    case 3:
        return run_other(run);
    default:
        model_draw(&run->random, &run->mix, &call);
        return run_call(run, &call);
    }
}

/* ---- Opening again ---- */

static bool run_reopen(struct run *run) {
    if (random_below(&run->random, 2) == 0) {
        model_files_close(run->store);
        run->store = model_files_open(run->path, run->ring_bytes, false, run->oracle);
        return model_compare(&run->model, run->store, &run->random);
    }
    cellar_status status = cellar_wait(run->store, run->model.last_lsn, -1);
    ASSERT(status == CELLAR_OK);
    model_files_copy(run->path, run->copy);
    cellar *copy = model_files_open(run->copy, run->ring_bytes, false, run->oracle);
    bool right = model_compare(&run->model, copy, &run->random);
    model_files_close(copy);
    model_files_remove(run->copy);
    return right;
}

static bool run_all(struct run *run, uint32_t steps) {
    for (uint32_t step = 0; step < steps; step++) {
        if (!run_step(run, step)) {
            return false;
        }
        if (step % STEPS_BETWEEN_OPENINGS == STEPS_BETWEEN_OPENINGS - 1 &&
            !(model_compare(&run->model, run->store, &run->random) && run_reopen(run))) {
            return false;
        }
    }
    return model_compare(&run->model, run->store, &run->random) && run_reopen(run);
}

static bool run_case(int number, uint64_t seed, uint64_t ring_bytes, bool oracle, uint32_t steps) {
    struct run *run = calloc(1, sizeof *run);

    ASSERT(run != NULL);
    run->random.state = seed + (uint64_t)number;
    run->ring_bytes = ring_bytes;
    run->oracle = oracle;
    run->mix = (struct model_mix){.skus = MODEL_SKUS - 6,
                                  .locations = MODEL_LOCATIONS,
                                  .accounts = MODEL_ACCOUNTS - 2,
                                  .id_count = IDS_OPEN,
                                  .salt = seed * 31 + (uint64_t)number,
                                  .reads = true,
                                  .faults = true,
                                  .units = 100};
    model_create(&run->model);
    model_files_path(run->path, "engine-model");
    model_files_path(run->copy, "engine-model-copy");
    run->store = model_files_open(run->path, ring_bytes, false, oracle);
    bool right = run_all(run, steps);
    if (!right) {
        (void)printf("# %s\n", run->model.problem);
    } else {
        model_files_close(run->store);
        model_files_remove(run->path);
    }
    (void)printf("%s %d - %s, ring of %llu KiB: %u steps, %llu changes, %llu repeated\n#",
                 right ? "ok" : "not ok", number, oracle ? "oracle" : "lock-free",
                 (unsigned long long)ring_bytes >> 10, steps, (unsigned long long)run->done,
                 (unsigned long long)run->repeated);
    for (int status = 0; status < 128; status++) {
        if (run->statuses[status] != 0) {
            (void)printf(" %s %llu", cellar_status_name((cellar_status)status),
                         (unsigned long long)run->statuses[status]);
        }
    }
    (void)printf("\n");
    model_destroy(&run->model);
    free(run);
    return right;
}

int main(void) {
    uint64_t seed = random_seed_of_run();
    uint32_t steps = (uint32_t)(STEPS * model_files_stress());
    bool right = true;

    (void)printf("1..4\n");
    right = run_case(1, seed, 1U << 16, false, steps) && right;
    right = run_case(2, seed, 1U << 18, false, steps) && right;
    right = run_case(3, seed, 1U << 25, false, steps) && right;
    right = run_case(4, seed, 1U << 17, true, steps) && right;
    return right ? 0 : 1;
}
