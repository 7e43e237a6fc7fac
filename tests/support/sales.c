/* The day, and a store that goes through all of it. */
#include "support/sales.h"

#include <stdio.h>
#include <string.h>

/* Days that are tried until one has every kind of call; most have. */
#define SALES_DAYS_MAX 50

/* Every kind of call must be done, something refused, something asked twice, or the day shows less
 * than it seems to. */
struct sales_kinds {
    uint32_t done[SALES_DEEDS];
    uint32_t refused;
    uint32_t repeated;
    bool swept; /* something was due then */
};

static bool sales_is_whole(const struct sales_kinds *kinds) {
    bool whole = kinds->refused != 0 && kinds->repeated != 0 && kinds->swept;
    for (uint32_t deed = 0; deed < SALES_DEEDS; deed++) {
        whole = whole && kinds->done[deed] != 0;
    }
    return whole;
}

/* As it goes when nobody but sweeps gives anything back. */
static void sales_imagine(struct sales *sales, uint64_t seed, struct sales_kinds *kinds) {
    static struct sales_model model;
    memset(sales, 0, sizeof *sales);
    memset(kinds, 0, sizeof *kinds);
    sales->seed = seed;
    sales_model_begin(&model);
    for (uint32_t i = 0; i < SALES_CALLS; i++) {
        const struct sales_request *request = &sales->requests[i];
        struct sales_answer answer;
        sales_draw(seed, i, &sales->requests[i]);
        sales_model_clock(&model, sales_time_ms(i));
        uint64_t due = request->deed == SALES_SWEEP ? sales_model_due(&model) : 0;
        for (uint32_t aside = 0; aside < SALES_ASIDES; aside++) {
            if ((due >> aside & 1) != 0) {
                sales_model_aside(&model, aside);
                kinds->swept = true;
            }
        }
        sales_model_call(&model, request, i, &answer);
        kinds->refused += answer.reason_count != 0;
        kinds->repeated += answer.repeated;
        kinds->done[request->deed] += answer.reason_count == 0 && !answer.repeated;
    }
}

bool sales_make(struct sales *sales, uint64_t seed) {
    for (uint64_t i = 0; i < SALES_DAYS_MAX; i++) {
        struct sales_kinds kinds;
        sales_imagine(sales, seed + i, &kinds);
        if (sales_is_whole(&kinds)) {
            return true;
        }
    }
    (void)snprintf(sales->wrong, sizeof sales->wrong, "no day had every kind of call");
    return false;
}

static bool sales_compare_each(struct sales_run *run) {
    bool right = true;
    while (right && run->next < SALES_CALLS) {
        cellar_status status;
        uint32_t call = run->next;
        right = sales_step(run, NULL, &status);
        if (right && run->next == call) {
            (void)snprintf(run->wrong, sizeof run->wrong, "call %u: %s", call,
                           cellar_status_name(status));
            right = false;
        }
        right = right && sales_compare(run);
    }
    return right;
}

bool sales_go_through(struct sales *sales) {
    static struct sales_run run;
    struct memory_disk *disk = memory_disk_create();
    cellar_problem problem = {0};
    sales_begin(&run, sales);
    bool right = sales_open(&run.store, memory_disk_io(disk), &problem) == CELLAR_OK &&
                 sales_compare_each(&run);
    if (run.store != NULL) {
        (void)cellar_close(run.store);
    }
    memory_disk_destroy(disk);
    (void)snprintf(sales->wrong, sizeof sales->wrong, "%.200s%.90s", run.wrong, problem.text);
    return right;
}
