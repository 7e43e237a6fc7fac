/* A day of sales on a store whose disk and memory fail. */
#include "gate/fault/work.h"

#include <stdio.h>
#include <string.h>

bool fault_sales_prepare(struct fault *fault) {
    static struct sales sales;
    struct memory_disk *disk = memory_disk_create();
    struct sales_run *run = &fault->sales_before;
    cellar_problem problem;
    cellar_status status;

    if (!sales_make(&sales, fault->seed)) {
        return fault_wrong(fault, "a day of sales: %s", sales.wrong);
    }
    sales_begin(run, &sales);
    bool right = sales_open(&run->store, memory_disk_io(disk), &problem) == CELLAR_OK;
    while (right && run->next < SALES_CALLS / 2) {
        const cellar_call options = {.durability = CELLAR_DURABLE};
        right = sales_step(run, &options, &status);
    }
    fault->sales_base = memory_disk_kill(disk);
    (void)cellar_close(run->store);
    memory_disk_destroy(disk);
    return right || fault_wrong(fault, "a day of sales: %s", run->wrong);
}

bool fault_sales_work(struct fault *fault) {
    struct sales_run *run = &fault->sales;
    bool again = false;

    run->store = fault->store;
    sales_reopened(run);
    while (run->next < SALES_CALLS) {
        const cellar_call options = fault_options(fault);
        uint32_t call = run->next;
        cellar_status status;
        if (!sales_step(run, &options, &status)) {
            return fault_wrong(fault, "%s", run->wrong);
        }
        bool change = status == CELLAR_OK && run->lsns.calls[call] != 0;
        if (!fault_note(fault, status, change, "a call of the day")) {
            return false;
        }
        /* What failed may be done the second time; if not, the rest of the day cannot be. */
        if (fault->failed || (run->next == call && again)) {
            break;
        }
        again = run->next == call;
    }
    return !fault->reads || fault_note(fault, sales_read(run), false, "reading the day");
}

bool fault_sales_verify(struct fault *fault, struct memory_disk *disk, const char *what,
                        uint64_t *lost) {
    static struct sales_run run;
    cellar_problem problem;
    uint32_t gone = 0;

    run = fault->sales;
    cellar_status status = sales_open(&run.store, memory_disk_io(disk), &problem);
    if (status != CELLAR_OK) {
        return fault_wrong(fault, "%s: the next opening: %s", what, problem.text);
    }
    bool right = sales_restore(&run, true, &gone);
    *lost += gone;
    status = cellar_close(run.store);
    if (!right) {
        return fault_wrong(fault, "%s: %s", what, run.wrong);
    }
    return status == CELLAR_OK || fault_wrong(fault, "%s: not closed", what);
}
