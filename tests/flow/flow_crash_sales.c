/* The question of flow_crash_disk, for the calls that its model does not know: coupons and codes,
 * periods, steps by line, kits, locations, transactions, leases, holds of goods and money that run
 * out. Wherever the power fails, and whatever
 * the disk keeps of what was not synced: is the store what the model (support/sales_model.h) was
 * after the calls that are left, and are all that were acknowledged among them? What had run out
 * may be given back by then or not; after every second opening the store gets the time for it, and
 * then all of it must be.
 *
 * A day of sales (support/sales.h) is gone through twice. First on a sound disk, with the whole
 * store compared after every call. Then until the power fails at a random call to the disk; of what
 * was not synced a random part is kept; one opening of four loses its power again. So the day goes
 * on from what is left, life after life, with the same calls, to its end.
 *
 * Which calls to the disk there are is no matter of chance (flow/crash_sales/pace.h): the first
 * days are repeated, and must have left the same images, to the byte.
 *
 *   SEED=s       of the run; repeats it exactly   STRESS=n   n times as many days
 *   DAY=d        day number d of it alone */
#include "flow/crash_sales/pace.h"
#include "support/gate.h"
#include "support/model_files.h"
#include "support/random.h"
#include "support/sales.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define DAYS 10
#else
#define DAYS 55
#endif
#define DAYS_REPEATED 3
/* Calls to the disk of a life, about. */
#define DISK_CALLS 50
#define OPENING_CALLS 20
/* Before one call of so many nothing happens for a while. */
#define IDLE_OF 64
/* A day must come to its end: from here on the power stays. */
#define LIVES_MAX 25

struct line {
    struct random random;
    struct sales sales;
    struct sales_run run;
    struct memory_disk *disk;
    int64_t power_calls; /* changing calls to the disk until the power fails; -1: it does not */
    int64_t died_at;     /* the same of the latest image */
    uint64_t kept;       /* of 16 unsynced pieces */
    uint32_t life;
    uint64_t day_images;
    uint64_t fingerprint; /* of the day's images */
    /* Of all days: */
    uint64_t images;
    uint64_t deaths;
    uint64_t lost;
    uint64_t calls;
    uint64_t expired;
    uint64_t expired_by_callers;
};

static bool line_keep(void *context, uint64_t item) {
    struct line *line = context;
    (void)item;
    return random_below(&line->random, 16) < line->kept;
}

/* The call at which it fails has been carried out, or has not. */
static void line_power(struct line *line, int64_t calls) {
    line->power_calls = calls;
    if (random_below(&line->random, 2) == 0) {
        memory_disk_die_after(line->disk, calls);
    } else {
        memory_disk_die_before(line->disk, calls);
    }
}

/* What is left of a disk that has died; it is given back. */
static void line_cut(struct line *line) {
    line->images++;
    line->died_at = line->power_calls;
    line->kept = ++line->day_images % 17;
    struct memory_disk *left = memory_disk_power_cut(line->disk, line_keep, line);
    memory_disk_destroy(line->disk);
    line->disk = left;
    line->fingerprint = line->fingerprint * 31 + memory_disk_fingerprint(left);
}

static bool line_disk_is_dead(void *disk) {
    return memory_disk_is_dead(disk);
}

static cellar_status line_close(struct line *line) {
    pace_free();
    return cellar_close(line->run.store);
}

static bool line_open(struct line *line) {
    for (;;) {
        bool dying = random_below(&line->random, 4) == 0;
        cellar_problem problem;
        line_power(line, dying ? (int64_t)random_below(&line->random, OPENING_CALLS) : -1);
        pace_hold();
        cellar_status status = sales_open(&line->run.store, memory_disk_io(line->disk), &problem);
        if (status == CELLAR_OK) {
            pace_opened(line->run.store, line_disk_is_dead, line->disk);
        }
        memory_disk_die_after(line->disk, -1);
        if (!memory_disk_is_dead(line->disk)) {
            if (status != CELLAR_OK) {
                (void)snprintf(line->run.wrong, sizeof line->run.wrong, "opening: %.200s",
                               problem.text);
            }
            return status == CELLAR_OK;
        }
        if (status == CELLAR_OK) {
            (void)line_close(line);
        }
        line_cut(line);
    }
}

/* Until the disk dies, or the day ends. */
static bool line_live(struct line *line, bool to_the_end) {
    struct sales_run *run = &line->run;
    line_power(line, to_the_end ? -1 : (int64_t)random_below(&line->random, DISK_CALLS));
    while (run->next < SALES_CALLS && !memory_disk_is_dead(line->disk)) {
        const cellar_call options = {
            .durability = random_below(&line->random, 4) == 0 ? CELLAR_DURABLE : CELLAR_RELAXED};
        cellar_status status;
        line->calls++;
        pace_between_calls();
        if (random_below(&line->random, IDLE_OF) == 0) {
            pace_idle();
        }
        if (!sales_step(run, &options, &status)) {
            return false;
        }
        if (status == CELLAR_FAILED || status == CELLAR_OUTCOME_UNKNOWN) {
            break;
        }
    }
    cellar_status status = line_close(line);
    if (status == CELLAR_OK && !memory_disk_is_dead(line->disk)) {
        run->acknowledged = UINT64_MAX;
    }
    line->deaths += memory_disk_is_dead(line->disk);
    return true;
}

/* Day number `day` of the run. */
static bool line_day(struct line *line, uint64_t seed, uint32_t day) {
    struct sales_run *run = &line->run;
    uint32_t lost = 0;
    line->random.state = seed + day * UINT64_C(0x9fb21c651e98df25);
    line->day_images = day;
    line->fingerprint = 0;
    line->life = 0;
    sales_begin(run, &line->sales);
    pace_begin(random_next(&line->random));
    pace_free();
    if (!sales_make(&line->sales, random_next(&line->random)) || !sales_go_through(&line->sales)) {
        (void)snprintf(run->wrong, sizeof run->wrong, "on a sound disk: %.250s", line->sales.wrong);
        return false;
    }
    line->disk = memory_disk_create();
    bool right = line_open(line);
    for (; right && run->next < SALES_CALLS; line->life++) {
        right = line_live(line, line->life >= LIVES_MAX);
        line_cut(line);
        right = right && line_open(line) && sales_restore(run, line->day_images % 2 == 0, &lost);
        line->lost += lost;
    }
    line->expired += run->expired;
    line->expired_by_callers += run->expired_by_callers;
    if (right) {
        right = line_close(line) == CELLAR_OK;
    }
    memory_disk_destroy(line->disk);
    return right;
}

static bool line_day_again(struct line *line, uint64_t seed, uint32_t day) {
    uint64_t fingerprint = line->fingerprint;
    if (!line_day(line, seed, day)) {
        return false;
    }
    if (line->fingerprint != fingerprint) {
        (void)snprintf(line->run.wrong, sizeof line->run.wrong,
                       "the same day has left other images: %016" PRIx64 ", not %016" PRIx64,
                       line->fingerprint, fingerprint);
    }
    return line->fingerprint == fingerprint;
}

int main(void) {
    static struct line line;
    uint32_t days = (uint32_t)(DAYS * model_files_stress());
    uint32_t first = (uint32_t)gate_number("DAY", 0);
    uint64_t fingerprint = 0;
    bool right = true;

    uint64_t seed = random_seed_of_run();
    if (getenv("DAY") != NULL) {
        days = first + 1;
    }
    (void)printf("1..1\n");
    for (uint32_t day = first; right && day < days; day++) {
        right = line_day(&line, seed, day) &&
                (day - first >= DAYS_REPEATED || line_day_again(&line, seed, day));
        fingerprint = fingerprint * 31 + line.fingerprint;
        if (!right) {
            (void)printf("# day %u (of seed %" PRIu64 "), life %u: %s\n"
                         "#   the latest image: cut at change %" PRId64
                         " to the disk (-1: closed), %" PRIu64 " of 16 pieces kept\n"
                         "#   alone: SEED=%" PRIu64
                         " DAY=%u build/test/test/flow/flow_crash_sales\n",
                         day, line.sales.seed, line.life, line.run.wrong, line.died_at, line.kept,
                         seed, day);
        }
    }
    (void)printf("# %" PRIu64 " given back in sweeps, %" PRIu64 " by callers who were short\n",
                 line.expired - line.expired_by_callers, line.expired_by_callers);
    (void)printf("%s 1 - %" PRIu64 " calls, %" PRIu64 " deaths, %" PRIu64 " images (%016" PRIx64
                 "), %" PRIu64 " calls lost unacknowledged\n",
                 right ? "ok" : "not ok", line.calls, line.deaths, line.images, fingerprint,
                 line.lost);
    return right ? 0 : 1;
}
