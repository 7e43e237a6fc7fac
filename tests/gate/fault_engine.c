/* When any call to the disk fails, or any that asks for memory, once or for good: is nothing lost
 * that was acknowledged, is every refusal clean, is nothing left behind, and is the next opening
 * right?
 *
 * A store with a tail to mend is opened, worked on with every kind of call of the model, in the
 * long scenario also through a change of segments, its histories and lists are read, and it is
 * closed. Another scenario is a day of the calls that the model does not know: coupons, kits, steps
 * by line, transactions, leases, holds of money. Each is done again and again with one more call
 * spared each time, until the scenario passes untouched, for each kind of fault. After each run the
 * store is opened without faults, as after a kill and as after a power cut, and compared with the
 * model.
 *
 *   STRIDE=n     every n-th call only [12; in the long scenario 7 times that]
 *   SEED=s       of the calls drawn            WORKERS=n    twice as many processes, which mostly
 * wait FAULT=i AT=k SCENARIO=n runs fault number i at call k alone PLACES=file  where the places
 * that were hit are written [build/tmp/places] */
#include "cellar.h"

#include "base/clock.h"
#include "engine/engine.h"
#include "gate/fault/inject.h"
#include "gate/fault/work.h"
#include "support/gate.h"
#include "support/journal.h"
#include "support/memory_io.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define STUCK_SECONDS 20
#define LONG_STRIDE 7
#define SALES_STRIDE 3
#define PLACE_CALLS 3

/* Faults, and what may come of them: `benign` ones change nothing at all. */
static const struct {
    const char *name;
    struct inject_plan plan;
    bool benign;
    bool sweeps; /* over all calls; else from the first on only */
} faults[] = {
    {"EIO once", {INJECT_ERROR, EIO, 0, false, 0}, false, true},
    {"EIO for good", {INJECT_ERROR, EIO, 0, true, 0}, false, true},
    {"EMFILE once", {INJECT_ERROR, EMFILE, 0, false, 0}, false, true},
    {"ENOSPC once", {INJECT_FULL, ENOSPC, 0, false, 0}, false, true},
    {"ENOSPC for good", {INJECT_FULL, ENOSPC, 0, true, 0}, false, true},
    {"short transfer once", {INJECT_SHORT, 0, 0, false, 0}, true, true},
    {"short transfers", {INJECT_SHORT, 0, 0, true, 0}, true, false},
    {"EINTR once", {INJECT_INTERRUPT, 0, 0, false, 0}, true, true},
    {"EINTR for good", {INJECT_INTERRUPT, 0, 0, true, 0}, false, true},
    {"empty write once", {INJECT_EMPTY, 0, 0, false, 0}, false, true},
    {"no memory once", {INJECT_MEMORY, 0, 0, false, 0}, false, true},
    {"no memory for good", {INJECT_MEMORY, 0, 0, true, 0}, false, true},
    /* The last one: call by call of every place that the others have reached. */
    {"each place", {INJECT_PLACE, EIO, 0, false, 0}, false, false},
};
#define FAULTS (sizeof faults / sizeof *faults)

enum scenario {
    SCENARIO_SHORT,
    SCENARIO_LONG,  /* goes through a change of segments */
    SCENARIO_NEW,   /* makes a store, and little else */
    SCENARIO_SALES, /* calls that the model does not know, see support/sales.h */
    SCENARIOS
};
_Static_assert(SCENARIOS <= INJECT_STORIES_MAX, "calls are counted for each");
static const char *const scenario_names[SCENARIOS] = {"short", "long", "new", "sales"};

enum counter {
    RUNS,
    RUNS_HIT,
    REFUSED_TO_OPEN,
    FAILED_IN_WORK,
    LOST,
    CALLS_MADE,
    BY_FAULT, /* runs of each fault */
    COUNTERS = BY_FAULT + FAULTS
};

/* ---- After it ---- */

/* Opens what is left without faults, and compares. */
static bool fault_verify(struct fault *fault, struct memory_disk *disk, const char *what) {
    static struct journal journal;
    cellar_problem problem;
    size_t lost = 0;

    if (journal.capacity == 0) {
        journal_create(&journal, WORK_JOURNAL_MAX);
    }
    journal_copy(&journal, &fault->journal);
    cellar_status status = fault_open(&fault->store, memory_disk_io(disk), &problem);
    if (status != CELLAR_OK) {
        return fault_wrong(fault, "%s: the next opening: %s", what, problem.text);
    }
    fault->model.problem[0] = '\0';
    bool right = journal_restore(&journal, &fault->model, fault->store, &fault->random, &lost);
    fault->counters[LOST] += lost;
    status = cellar_close(fault->store);
    if (!right) {
        return fault_wrong(fault, "%s: %s", what, fault->model.problem);
    }
    return status == CELLAR_OK || fault_wrong(fault, "%s: not closed", what);
}

static bool fault_verify_one(struct fault *fault, enum scenario scenario, struct memory_disk *disk,
                             const char *what) {
    return scenario == SCENARIO_SALES
               ? fault_sales_verify(fault, disk, what, &fault->counters[LOST])
               : fault_verify(fault, disk, what);
}

static bool fault_verify_all(struct fault *fault, enum scenario scenario,
                             struct memory_disk *disk) {
    struct memory_disk *cut = memory_disk_power_cut(disk, NULL, NULL);
    struct memory_disk *killed = memory_disk_kill(disk);
    bool right = fault_verify_one(fault, scenario, cut, "after a power cut") &&
                 fault_verify_one(fault, scenario, killed, "after a kill");

    memory_disk_destroy(killed);
    memory_disk_destroy(cut);
    return right;
}

/* ---- A run ---- */

static bool fault_close(struct fault *fault) {
    /* Ends with every counter of memory at zero: memory_destroy() asserts it. */
    cellar_status status = cellar_close(fault->store);

    if (status == CELLAR_OK && !fault->failed) {
        /* All of it is on disk. */
        fault->journal.acknowledged = UINT64_MAX;
        fault->sales.acknowledged = UINT64_MAX;
    }
    if (status != CELLAR_OK && fault->benign) {
        return fault_wrong(fault, "closing: %s", cellar_status_name(status));
    }
    return true;
}

/* Names the run that a thread hangs in. */
static char stuck_text[200];

static void fault_stuck(int signal) {
    (void)signal;
    (void)!write(STDOUT_FILENO, stuck_text, strlen(stuck_text));
    _exit(1);
}

static struct memory_disk *scenario_disk(const struct fault *fault, enum scenario scenario) {
    return scenario == SCENARIO_NEW
               ? memory_disk_create()
               : memory_disk_kill(scenario == SCENARIO_SALES ? fault->sales_base : fault->base);
}

static cellar_status scenario_open(struct fault *fault, enum scenario scenario, const struct io *io,
                                   cellar_problem *problem) {
    return scenario == SCENARIO_SALES ? sales_open(&fault->store, io, problem)
                                      : fault_open(&fault->store, io, problem);
}

static bool scenario_work(struct fault *fault, enum scenario scenario, const struct io *io) {
    if (scenario == SCENARIO_SALES) {
        return fault_sales_work(fault);
    }
    return fault_open_again(fault, io) &&
           (scenario == SCENARIO_NEW ? fault_put(fault)
                                     : fault_work(fault, scenario == SCENARIO_LONG));
}

/* One run. *hit_out: did the fault come to pass? */
static bool fault_run(struct fault *fault, size_t number, const struct inject_plan *plan,
                      enum scenario scenario, bool *hit_out) {
    struct memory_disk *disk = scenario_disk(fault, scenario);
    cellar_problem problem;
    bool right = true;

    fault->counters[RUNS]++;
    fault->counters[BY_FAULT + number]++;
    fault->random.state = fault->seed;
    fault->benign = faults[number].benign;
    fault->reads = (plan->kind != INJECT_MEMORY && plan->kind != INJECT_PLACE) || !plan->for_good;
    fault->failed = false;
    journal_copy(&fault->journal, &fault->before);
    fault->sales = fault->sales_before;
    if (scenario == SCENARIO_NEW) {
        fault->journal.count = 0;
        fault->journal.acknowledged = 0;
    }
    const struct io *io = inject_io(disk);
    (void)snprintf(stuck_text, sizeof stuck_text,
                   "# stuck: %s, place %zu, call %lld of the %s scenario, SEED=%llu\n",
                   faults[number].name, plan->place, (long long)plan->at, scenario_names[scenario],
                   (unsigned long long)fault->seed);
    (void)signal(SIGALRM, fault_stuck);
    (void)alarm(STUCK_SECONDS);
    inject_arm(plan, scenario);
    cellar_status status = scenario_open(fault, scenario, io, &problem);
    if (status == CELLAR_OK) {
        right = scenario_work(fault, scenario, io);
        fault->counters[FAILED_IN_WORK] += fault->failed;
        right = fault_close(fault) && right;
    } else {
        fault->counters[REFUSED_TO_OPEN]++;
        right = (!fault->benign && fault_is_allowed(status) && problem.status == status) ||
                fault_wrong(fault, "opening: %s: %s", cellar_status_name(status), problem.text);
    }
    inject_disarm();
    *hit_out = inject_happened();
    fault->counters[RUNS_HIT] += *hit_out;
    if (right && inject_open_files() != 0) {
        right = fault_wrong(fault, "%lld files left open", (long long)inject_open_files());
    }
    right = right && fault_verify_all(fault, scenario, disk);
    memory_disk_destroy(disk);
    if (!right) {
        (void)printf("# %s at call %lld of the %s scenario: %s\n#   alone: SEED=%llu FAULT=%zu "
                     "AT=%lld SCENARIO=%d PLACE=%zu make fault\n",
                     faults[number].name, (long long)plan->at, scenario_names[scenario],
                     fault->wrong, (unsigned long long)fault->seed, number, (long long)plan->at,
                     scenario, plan->place);
    }
    return right;
}

/* A store with all locations, some orders, and a tail that has to be mended. */
static bool fault_prepare(struct fault *fault) {
    static uint64_t unused[GATE_COUNTERS_MAX];
    struct memory_disk *disk = memory_disk_create();
    cellar_problem problem;
    struct model_call call;

    fault->counters = unused;
    fault->calls_made = unused;
    fault->random.state = fault->seed;
    fault->benign = true;
    fault->reads = true;
    journal_create(&fault->before, WORK_JOURNAL_MAX);
    journal_create(&fault->journal, WORK_JOURNAL_MAX);
    model_create(&fault->model);
    bool right = fault_open(&fault->store, memory_disk_io(disk), &problem) == CELLAR_OK;
    for (uint32_t sku = 0; right && sku < WORK_SKUS; sku++) {
        call = (struct model_call){
            .kind = MODEL_PUT, .line_count = 1, .text = sku, .few = {{.sku = sku}}};
        right = fault_call(fault, &call);
        for (uint32_t location = 0; right && location < MODEL_LOCATIONS; location++) {
            call = (struct model_call){
                .kind = MODEL_RECEIVE, .line_count = 1, .few = {{sku, location, 300, 0, false}}};
            right = fault_call(fault, &call);
        }
        fault->numbers[sku] = fault->journal.answers[fault->journal.count - 5].ticket.object;
    }
    for (uint32_t i = 0; right && i < WORK_CALLS_BEFORE; i++) {
        fault_draw(fault, i, &call);
        right = fault_call(fault, &call);
    }
    uint64_t last = fault->journal.answers[fault->journal.count - 1].ticket.lsn;
    right = right && cellar_wait(fault->store, last, 10000) == CELLAR_OK;
    fault->journal.acknowledged = last + 1;
    fault->base = memory_disk_kill(disk);
    (void)cellar_close(fault->store);
    memory_disk_destroy(disk);
    journal_copy(&fault->before, &fault->journal);
    return right && fault_sales_prepare(fault);
}

/* ---- All runs ---- */

/* Worker w does every workers-th call of each fault: each goes on until a run of its own passes
 * untouched. */
static bool fault_sweep(struct fault *fault, const struct gate_part *part, size_t number,
                        enum scenario scenario, uint64_t stride) {
    struct inject_plan plan = faults[number].plan;
    bool hit = true;
    bool right = true;

    for (uint64_t at = part->worker * stride; right && hit; at += part->workers * stride) {
        plan.at = (int64_t)at;
        right = fault_run(fault, number, &plan, scenario, &hit);
        if (!faults[number].sweeps) {
            break;
        }
    }
    return right;
}

/* How many of the first calls of this place are to fail in the scenario. */
static uint32_t place_calls(size_t place, enum scenario scenario) {
    uint32_t calls = inject_most_calls(place, scenario);

    /* The long scenario is the short one, and more behind it. */
    if (scenario == SCENARIO_LONG && inject_most_calls(place, SCENARIO_SHORT) >= PLACE_CALLS) {
        return 0;
    }
    return calls < PLACE_CALLS ? calls : PLACE_CALLS;
}

/* How many calls there are before a certain one is a matter of chance, for there are several
 * threads: so that none is missed, the first calls of every place that was reached fail as well,
 * and everything after the first. What a scenario makes no call from in any run it is spared. */
static bool fault_places(struct fault *fault, const struct gate_part *part) {
    struct inject_plan plan = faults[FAULTS - 1].plan;
    bool right = true;

    for (plan.place = part->worker; right && plan.place < inject_places();
         plan.place += part->workers) {
        for (int scenario = 0; right && scenario < SCENARIOS; scenario++) {
            uint32_t calls = place_calls(plan.place, (enum scenario)scenario);
            bool hit;
            plan.for_good = false;
            for (plan.at = 0; right && plan.at < calls; plan.at++) {
                right = fault_run(fault, FAULTS - 1, &plan, (enum scenario)scenario, &hit);
            }
            plan.for_good = true;
            plan.at = 0;
            right = right && (calls == 0 ||
                              fault_run(fault, FAULTS - 1, &plan, (enum scenario)scenario, &hit));
        }
    }
    return right;
}

static struct fault fault;

static bool fault_set_up(uint64_t *counters) {
    fault.seed = gate_number("SEED", 20110917);
    if (!fault_prepare(&fault)) {
        (void)printf("# the store was not made: %s\n", fault.wrong);
        return false;
    }
    fault.counters = counters;
    fault.calls_made = &counters[CALLS_MADE];
    return true;
}

static bool fault_work_part(const struct gate_part *part) {
    uint64_t stride = gate_number("STRIDE", 12);
    bool right = fault_set_up(part->counters);

    for (size_t number = 0; right && number + 1 < FAULTS; number++) {
        right = fault_sweep(&fault, part, number, SCENARIO_NEW, stride) &&
                fault_sweep(&fault, part, number, SCENARIO_SHORT, stride) &&
                fault_sweep(&fault, part, number, SCENARIO_SALES, stride * SALES_STRIDE) &&
                fault_sweep(&fault, part, number, SCENARIO_LONG, stride * LONG_STRIDE);
    }
    return right && fault_places(&fault, part);
}

static bool fault_alone(const struct gate_part *part) {
    uint64_t number = gate_number("FAULT", 0);
    uint64_t scenario = gate_number("SCENARIO", SCENARIO_SHORT);
    bool hit;

    if (!fault_set_up(part->counters) || number >= FAULTS || scenario >= SCENARIOS) {
        return false;
    }
    struct inject_plan plan = faults[number].plan;
    plan.at = (int64_t)gate_number("AT", 0);
    plan.place = gate_number("PLACE", 0);
    if (plan.kind == INJECT_PLACE) {
        /* Makes the places known, in about the same order. */
        struct inject_plan nothing = {.kind = INJECT_NOTHING};
        (void)fault_run(&fault, 0, &nothing, SCENARIO_NEW, &hit);
        (void)fault_run(&fault, 0, &nothing, (enum scenario)scenario, &hit);
    }
    return fault_run(&fault, number, &plan, (enum scenario)scenario, &hit);
}

int main(void) {
    static uint64_t counters[GATE_COUNTERS_MAX];
    bool alone = getenv("FAULT") != NULL;
    const char *path = getenv("PLACES");

    (void)printf("1..1\n");
    (void)random_seed_of_run();
    inject_create();
    /* A huge page is cleared as a whole, for each table of each of some 5,000 stores. */
    (void)prctl(PR_SET_THP_DISABLE, 1UL, 0UL, 0UL, 0UL);
    int64_t began_ns = clock_monotonic_ns();
    bool right =
        gate_run(alone ? 1 : 2 * gate_workers(), alone ? fault_alone : fault_work_part, counters);
    double seconds = (double)(clock_monotonic_ns() - began_ns) / (double)NANOSECONDS_PER_SECOND;
    size_t places = inject_write_places(path != NULL ? path : "build/tmp/places");
    for (size_t i = 0; i < FAULTS; i++) {
        (void)printf("# %8llu runs: %s\n", (unsigned long long)counters[BY_FAULT + i],
                     faults[i].name);
    }
    (void)printf("# %llu refused to open, %llu failed while at work, %llu commits lost "
                 "unacknowledged; %llu calls made\n",
                 (unsigned long long)counters[REFUSED_TO_OPEN],
                 (unsigned long long)counters[FAILED_IN_WORK], (unsigned long long)counters[LOST],
                 (unsigned long long)counters[CALLS_MADE]);
    (void)printf("%s 1 - faults: %llu runs, %llu of them hit, %zu places, in %.1f s\n",
                 right ? "ok" : "not ok", (unsigned long long)counters[RUNS],
                 (unsigned long long)counters[RUNS_HIT], places, seconds);
    return right ? 0 : 1;
}
