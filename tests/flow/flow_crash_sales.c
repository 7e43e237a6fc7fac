/* The question of flow_crash_disk, for the calls that its model does not know: coupons and codes,
 * steps by line, kits, transactions, leases, holds of money. Wherever the power fails, and whatever
 * the disk keeps of what was not synced: is the store what it was after the calls that are left,
 * and are all that were acknowledged among them?
 *
 * A day of sales (support/sales.h) is gone through until the power fails at a random call to the
 * disk; of what was not synced a random part is kept; one opening of four loses its power again.
 * Then the day goes on from what is left, with the same calls, to its end.
 *
 * SEED= repeats a run, STRESS=n makes it n times as long. */
#include "support/model_files.h"
#include "support/random.h"
#include "support/sales.h"

#include <stdio.h>

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define DAYS 10
#else
#define DAYS 60
#endif
/* Calls to the disk of a life, about. */
#define DISK_CALLS 50
#define OPENING_CALLS 20
/* A day must come to its end: from here on the power stays. */
#define LIVES_MAX 25

struct line {
    struct random random;
    struct sales sales;
    struct sales_run run;
    struct memory_disk *disk;
    uint64_t images;
    uint64_t kept; /* of 16 unsynced pieces */
    uint64_t deaths;
    uint64_t lost;
    uint64_t calls;
};

static bool line_keep(void *context, uint64_t item) {
    struct line *line = context;
    (void)item;
    return random_below(&line->random, 16) < line->kept;
}

/* What is left of a disk that has died; it is given back. */
static void line_cut(struct line *line) {
    line->images++;
    line->kept = line->images % 17;
    struct memory_disk *left = memory_disk_power_cut(line->disk, line_keep, line);
    memory_disk_destroy(line->disk);
    line->disk = left;
}

static bool line_open(struct line *line) {
    for (;;) {
        bool dying = random_below(&line->random, 4) == 0;
        cellar_problem problem;
        memory_disk_die_after(line->disk,
                              dying ? (int64_t)random_below(&line->random, OPENING_CALLS) : -1);
        cellar_status status = sales_open(&line->run.store, memory_disk_io(line->disk), &problem);
        memory_disk_die_after(line->disk, -1);
        if (!memory_disk_is_dead(line->disk)) {
            if (status != CELLAR_OK) {
                (void)snprintf(line->run.wrong, sizeof line->run.wrong, "opening: %.200s",
                               problem.text);
            }
            return status == CELLAR_OK;
        }
        if (status == CELLAR_OK) {
            (void)cellar_close(line->run.store);
        }
        line_cut(line);
    }
}

/* Until the disk dies, or the day ends. */
static bool line_live(struct line *line, bool to_the_end) {
    struct sales_run *run = &line->run;
    memory_disk_die_after(line->disk,
                          to_the_end ? -1 : (int64_t)random_below(&line->random, DISK_CALLS));
    while (run->next < SALES_CALLS && !memory_disk_is_dead(line->disk)) {
        const cellar_call options = {
            .durability = random_below(&line->random, 4) == 0 ? CELLAR_DURABLE : CELLAR_RELAXED};
        cellar_status status;
        line->calls++;
        if (!sales_step(run, &options, &status)) {
            return false;
        }
        if (status == CELLAR_FAILED || status == CELLAR_OUTCOME_UNKNOWN) {
            break;
        }
    }
    cellar_status status = cellar_close(run->store);
    if (status == CELLAR_OK && !memory_disk_is_dead(line->disk)) {
        run->acknowledged = UINT64_MAX;
    }
    line->deaths += memory_disk_is_dead(line->disk);
    return true;
}

static bool line_day(struct line *line) {
    struct sales_run *run = &line->run;
    uint32_t lost = 0;
    if (!sales_make(&line->sales, random_next(&line->random)) || !sales_go_through(&line->sales)) {
        (void)snprintf(run->wrong, sizeof run->wrong, "the sound day: %.200s", line->sales.wrong);
        return false;
    }
    *run = (struct sales_run){.sales = &line->sales};
    line->disk = memory_disk_create();
    bool right = line_open(line);
    for (uint32_t life = 0; right && run->next < SALES_CALLS; life++) {
        right = line_live(line, life >= LIVES_MAX);
        line_cut(line);
        right = right && line_open(line) && sales_restore(run, &lost);
        line->lost += lost;
    }
    if (right) {
        right = cellar_close(run->store) == CELLAR_OK;
    }
    memory_disk_destroy(line->disk);
    return right;
}

int main(void) {
    static struct line line;
    uint32_t days = (uint32_t)(DAYS * model_files_stress());
    bool right = true;

    line.random.state = random_seed_of_run();
    (void)printf("1..1\n");
    for (uint32_t day = 0; right && day < days; day++) {
        right = line_day(&line);
        if (!right) {
            (void)printf("# day %u: %s\n", day, line.run.wrong);
        }
    }
    (void)printf("%s 1 - %llu calls, %llu deaths, %llu images, %llu calls lost unacknowledged\n",
                 right ? "ok" : "not ok", (unsigned long long)line.calls,
                 (unsigned long long)line.deaths, (unsigned long long)line.images,
                 (unsigned long long)line.lost);
    return right ? 0 : 1;
}
