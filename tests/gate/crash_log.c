/* Wherever the power fails, and whatever the disk keeps of what was not synced: does the log open
 * with the records 1 to m, and is every acknowledged one among them?
 *
 * A log is worked on through several lives, and the disk is kept as it is at the beginning of every
 * call that changes it. From each of these points all that a power cut may leave is made: every
 * subset of up to 12 unsynced pieces (sectors of 512 bytes, sizes of files, directory entries),
 * else SUBSETS random ones, some of them on a disk with stale blocks. Each image is opened and
 * compared with the story. One of ten is recovered first, with the power failing again at a random
 * call of that, and is then opened for good and worked on.
 *
 *   IMAGES=n     how many images [100000]      SEED=s      of everything random
 *   SUBSETS=n    per point with more than 12 unsynced pieces [1000]
 *   WORKERS=n    processes                     IMAGE=path  checks one image that was saved
 *
 * The threads of the log take their turns as they please, so a seed repeats a run in kind, not to
 * the last call. Therefore an image that fails is saved, and IMAGE= checks it alone. */
#include "log/log.h"

#include "base/clock.h"
#include "support/gate.h"
#include "support/log_story.h"
#include "support/random.h"

#include <stdio.h>
#include <string.h>

#define LIVES 5
#define ROUNDS 24
#define POINTS_MAX 512
#define EXHAUSTIVE_MAX 12
#define PIECES_MAX 4096
#define RECOVERED_ONE_IN 10
#define STALE_ONE_IN 8

enum counter {
    RUNS,
    POINTS,
    POINTS_EXHAUSTIVE,
    POINTS_SAMPLED,
    IMAGES,
    IMAGES_STALE,
    SECOND_CRASHES,
    SECOND_DEATHS,
    RESTARTS,
    SEGMENTS_ROLLED,
    TAILS_MENDED,
    COMMITS,
    MORE_THAN_ACKNOWLEDGED,
    LIVES_LED,
    CLOSED
};

/* The disk at the beginning of a call, and what had been promised by then. */
struct point {
    struct memory_disk *disk;
    uint64_t acknowledged; /* number of a record */
    uint64_t durable_lsn;  /* what the log said, 0: it was not open */
    uint64_t reserved_lsn;
};

/* What is saved with an image. */
struct notes {
    struct story story;
    uint64_t least;
    uint64_t reserved_lsn;
};

struct crash {
    struct random random;
    uint64_t seed;
    uint64_t run;
    uint64_t subsets;
    uint64_t *counters;
    struct memory *memory;
    struct notes notes; /* `story` is the one being told */
    struct point points[POINTS_MAX];
    uint32_t point_count;
    struct commit *commit; /* of the life being led, once it is open */
    _Atomic uint64_t acknowledged;
    unsigned char keep[PIECES_MAX];
};

/* ---- A life ---- */

static void crash_watch(void *context, struct memory_disk *disk) {
    struct crash *crash = context;
    const struct commit *commit = crash->commit;

    if (crash->point_count == POINTS_MAX) {
        return;
    }
    struct point *point = &crash->points[crash->point_count++];
    *point = (struct point){.disk = memory_disk_kill(disk),
                            .acknowledged = ATOMIC_LOAD(&crash->acknowledged, seq_cst)};
    if (commit != NULL) {
        point->durable_lsn = ATOMIC_LOAD(&commit->durable.lsn, seq_cst);
        point->reserved_lsn = ATOMIC_LOAD(&commit->reserved.lsn, seq_cst);
    }
}

/* A group of records. True when all of them were acknowledged. */
static bool crash_round(struct crash *crash, struct story_log *log) {
    uint64_t group_max = random_below(&crash->random, 6) == 0 ? 12 : 4;

    for (uint64_t k = 1 + random_below(&crash->random, group_max); k > 0; k--) {
        if (!story_commit(log)) {
            return false;
        }
        crash->counters[COMMITS]++;
    }
    if (story_wait(log) != CELLAR_OK) {
        return false;
    }
    ATOMIC_STORE(&crash->acknowledged, crash->notes.story.count, seq_cst);
    if (random_below(&crash->random, 8) == 0) {
        /* Long enough for a mark. */
        clock_sleep_ns(7 * NANOSECONDS_PER_MILLISECOND);
    }
    return true;
}

/* Returns what is wrong, NULL when nothing is. */
static const char *crash_live(struct crash *crash, struct memory_disk *disk, bool dies) {
    static struct story_log log;
    uint64_t calls = random_below(&crash->random, 3) == 0 ? 20 : 110;
    struct log_statistics statistics;

    crash->point_count = 0;
    memory_disk_die_after(disk, dies ? (int64_t)random_below(&crash->random, calls) : -1);
    memory_disk_watch(disk, crash_watch, crash);
    cellar_status status = story_open(&log, &crash->notes.story, crash->memory, disk);
    if (status == CELLAR_OK && log.wrong[0] == '\0') {
        ATOMIC_STORE(&crash->acknowledged, log.count, seq_cst);
        crash->commit = log.commit;
        log_statistics_get(log.log, &statistics);
        uint64_t segments = statistics.segments;
        for (int i = 0; i < ROUNDS && crash_round(crash, &log); i++) {
        }
        log_statistics_get(log.log, &statistics);
        crash->counters[SEGMENTS_ROLLED] += statistics.segments - segments;
        (void)log_stop(log.log);
        crash->commit = NULL;
        (void)story_close(&log);
    }
    memory_disk_watch(disk, NULL, NULL);
    crash_watch(crash, disk);
    bool died = memory_disk_is_dead(disk);
    crash->counters[LIVES_LED]++;
    crash->counters[TAILS_MENDED] += log.mended;
    crash->counters[CLOSED] += status == CELLAR_OK && !died;
    return log.wrong[0] != '\0' ? log.wrong : status == CELLAR_OK || died ? NULL : log.problem.text;
}

/* ---- An image ---- */

static bool crash_keep(void *context, uint64_t item) {
    const struct crash *crash = context;

    return item < PIECES_MAX && crash->keep[item] != 0;
}

static void crash_keep_some(struct crash *crash, uint64_t pieces) {
    uint64_t of_sixteen = random_below(&crash->random, 17);

    for (uint64_t i = 0; i < pieces && i < PIECES_MAX; i++) {
        crash->keep[i] = random_below(&crash->random, 16) < of_sixteen;
    }
}

static struct memory_disk *crash_cut(struct crash *crash, struct memory_disk *disk) {
    uint64_t stale =
        random_below(&crash->random, STALE_ONE_IN) == 0 ? random_next(&crash->random) | 1 : 0;

    crash->counters[IMAGES_STALE] += stale != 0;
    return memory_disk_power_cut_stale(disk, crash_keep, crash, stale);
}

/* Does the disk hold the story, and enough of it? */
static const char *crash_check(struct crash *crash, struct memory_disk *image, struct story *story,
                               uint64_t least, uint64_t *count_out) {
    static struct story_log log;
    static char text[400];

    cellar_status status = story_read(&log, story, crash->memory, image);
    if (status == CELLAR_OK) {
        (void)story_close(&log);
    }
    *count_out = log.count;
    if (status != CELLAR_OK) {
        (void)snprintf(text, sizeof text, "refused: %.300s", log.problem.text);
    } else if (log.wrong[0] != '\0') {
        (void)snprintf(text, sizeof text, "wrong: %s", log.wrong);
    } else if (log.count < least) {
        (void)snprintf(text, sizeof text, "acknowledged and lost: %llu of %llu records",
                       (unsigned long long)log.count, (unsigned long long)least);
    } else {
        return NULL;
    }
    return text;
}

/* Opens the image for good, goes on, closes, and looks again. */
static const char *crash_restart(struct crash *crash, struct memory_disk *image,
                                 struct story *story, uint64_t least, uint64_t reserved_lsn) {
    static struct story_log log;
    uint64_t count;

    crash->counters[RESTARTS]++;
    cellar_status status = story_open(&log, story, crash->memory, image);
    if (status != CELLAR_OK || log.wrong[0] != '\0' || log.count < least) {
        (void)story_close(&log);
        return "not recovered";
    }
    /* Rule 12: an LSN never comes back. */
    bool right = log_start_lsn(log.log) >= reserved_lsn;
    right = right && story_commit(&log) && story_wait(&log) == CELLAR_OK;
    status = story_close(&log);
    if (!right || status != CELLAR_OK) {
        return "does not go on after the recovery, or with LSNs that were used before";
    }
    return crash_check(crash, image, story, story->count, &count);
}

/* Recovers an image while the power fails again; what is left of it must be as good. The caller's
 * image is used up. */
static const char *crash_again(struct crash *crash, struct memory_disk *image, struct story *story,
                               uint64_t least, uint64_t reserved_lsn) {
    static struct story_log log;
    uint64_t count;

    crash->counters[SECOND_CRASHES]++;
    memory_disk_die_after(image, (int64_t)random_below(&crash->random, 64));
    cellar_status status = story_open(&log, story, crash->memory, image);
    if (status == CELLAR_OK) {
        least = log.count;
        if (story_commit(&log) && story_wait(&log) == CELLAR_OK) {
            least = story->count;
        }
        uint64_t reserved = ATOMIC_LOAD(&log.commit->reserved.lsn, seq_cst);
        reserved_lsn = reserved > reserved_lsn ? reserved : reserved_lsn;
        (void)story_close(&log);
    } else if (!memory_disk_is_dead(image)) {
        return "not recovered";
    }
    crash->counters[SECOND_DEATHS] += memory_disk_is_dead(image);
    crash_keep_some(crash, memory_disk_unsynced(image));
    struct memory_disk *next = crash_cut(crash, image);
    const char *wrong = crash_check(crash, next, story, least, &count);
    if (wrong == NULL) {
        wrong = crash_restart(crash, next, story, least, reserved_lsn);
    }
    memory_disk_destroy(next);
    return wrong;
}

static void crash_report(struct crash *crash, struct memory_disk *image, const char *wrong,
                         uint64_t number) {
    char path[GATE_PATH_BYTES];

    gate_save(image, STORY_DIRECTORY, &crash->notes, sizeof crash->notes, path);
    (void)printf("# SEED=%llu run %llu image %llu: %s\n#   alone: IMAGE=%s make crash\n",
                 (unsigned long long)crash->seed, (unsigned long long)crash->run,
                 (unsigned long long)number, wrong, path);
}

static bool crash_image(struct crash *crash, struct memory_disk *dead) {
    static struct story branch;
    uint64_t number = ++crash->counters[IMAGES];
    struct memory_disk *image = crash_cut(crash, dead);
    struct memory_disk *kept = NULL;
    uint64_t count;

    const char *wrong = crash_check(crash, image, &crash->notes.story, crash->notes.least, &count);
    crash->counters[MORE_THAN_ACKNOWLEDGED] += wrong == NULL && count > crash->notes.least;
    if (wrong == NULL && random_below(&crash->random, RECOVERED_ONE_IN) == 0) {
        kept = memory_disk_kill(image);
        branch = crash->notes.story;
        wrong = crash_again(crash, image, &branch, crash->notes.least, crash->notes.reserved_lsn);
    }
    if (wrong != NULL) {
        crash_report(crash, kept != NULL ? kept : image, wrong, number);
    }
    if (kept != NULL) {
        memory_disk_destroy(kept);
    }
    memory_disk_destroy(image);
    return wrong == NULL;
}

/* ---- All images of a point, all points of a life ---- */

static bool crash_point(struct crash *crash, const struct point *point) {
    uint64_t pieces = memory_disk_unsynced(point->disk);
    bool every = pieces <= EXHAUSTIVE_MAX;
    uint64_t images = every ? UINT64_C(1) << pieces : crash->subsets;
    uint64_t durable =
        point->durable_lsn != 0 ? story_below(&crash->notes.story, point->durable_lsn) : 0;
    bool right = true;

    crash->counters[POINTS]++;
    crash->counters[every ? POINTS_EXHAUSTIVE : POINTS_SAMPLED]++;
    crash->notes.least = durable > point->acknowledged ? durable : point->acknowledged;
    crash->notes.reserved_lsn = point->reserved_lsn;
    for (uint64_t mask = 0; right && mask < images; mask++) {
        if (every) {
            for (uint64_t i = 0; i < pieces; i++) {
                crash->keep[i] = (mask >> i & 1) != 0;
            }
        } else {
            crash_keep_some(crash, pieces);
        }
        right = crash_image(crash, point->disk);
    }
    return right;
}

static bool crash_points(struct crash *crash, uint64_t images_max) {
    bool right = true;

    for (uint32_t i = 0; i < crash->point_count; i++) {
        if (right && crash->counters[IMAGES] < images_max) {
            right = crash_point(crash, &crash->points[i]);
        }
        memory_disk_destroy(crash->points[i].disk);
    }
    return right;
}

/* What the next life begins with: the same disk, or what a power cut or a kill left of it. */
static struct memory_disk *crash_next(struct crash *crash, struct memory_disk *disk) {
    if (!memory_disk_is_dead(disk)) {
        return disk;
    }
    struct memory_disk *next;
    if (random_below(&crash->random, 3) == 0) {
        next = memory_disk_kill(disk);
    } else {
        crash_keep_some(crash, memory_disk_unsynced(disk));
        next = memory_disk_power_cut(disk, crash_keep, crash);
    }
    memory_disk_destroy(disk);
    return next;
}

static bool crash_run(struct crash *crash, uint64_t images_max) {
    struct memory_disk *disk = memory_disk_create();
    bool right = true;

    crash->counters[RUNS]++;
    crash->random.state = crash->seed ^ (crash->run * UINT64_C(0x9e3779b97f4a7c15));
    crash->notes.story.salt = random_next(&crash->random);
    crash->notes.story.count = 0;
    ATOMIC_STORE(&crash->acknowledged, 0, seq_cst);
    for (int life = 0; right && life < LIVES && crash->counters[IMAGES] < images_max; life++) {
        bool dies = random_below(&crash->random, 3) != 0;
        const char *wrong = crash_live(crash, disk, dies);
        if (wrong != NULL) {
            crash_report(crash, disk, wrong, crash->counters[IMAGES]);
            right = false;
        }
        right = crash_points(crash, images_max) && right;
        disk = crash_next(crash, disk);
    }
    memory_disk_destroy(disk);
    return right;
}

static bool crash_work(const struct gate_part *part) {
    static struct crash crash;
    uint64_t images = gate_number("IMAGES", 100000) / part->workers;
    bool right = true;

    crash.seed = gate_number("SEED", 20110917);
    crash.subsets = gate_number("SUBSETS", 1000);
    crash.counters = part->counters;
    crash.memory = memory_create();
    for (crash.run = part->worker; right && part->counters[IMAGES] < images;
         crash.run += part->workers) {
        right = crash_run(&crash, images);
    }
    memory_destroy(crash.memory);
    return right;
}

/* ---- One image alone ---- */

static int crash_alone(const char *path) {
    static struct crash crash;
    static uint64_t counters[GATE_COUNTERS_MAX];
    struct notes *notes = &crash.notes;
    struct memory_disk *disk = gate_load(path, STORY_DIRECTORY, notes, sizeof *notes);
    uint64_t count;

    crash.counters = counters;
    crash.memory = memory_create();
    const char *wrong = crash_check(&crash, disk, &notes->story, notes->least, &count);
    (void)printf("# %llu records, %llu acknowledged\n", (unsigned long long)count,
                 (unsigned long long)notes->least);
    if (wrong == NULL) {
        wrong = crash_restart(&crash, disk, &notes->story, notes->least, notes->reserved_lsn);
    }
    (void)printf("%s 1 - %s%s%s\n", wrong == NULL ? "ok" : "not ok", path,
                 wrong != NULL ? ": " : "", wrong != NULL ? wrong : "");
    memory_disk_destroy(disk);
    memory_destroy(crash.memory);
    return wrong == NULL ? 0 : 1;
}

static void crash_print(const uint64_t *counters) {
    static const struct {
        enum counter counter;
        const char *words;
    } lines[] = {
        {RUNS, "runs"},
        {LIVES_LED, "lives led in them"},
        {CLOSED, "of these closed in peace, the others died at some call"},
        {TAILS_MENDED, "tails mended at their beginning"},
        {SEGMENTS_ROLLED, "segments rolled over to"},
        {COMMITS, "commits"},
        {POINTS, "calls at which the power failed"},
        {POINTS_EXHAUSTIVE, "of these with every subset of what was unsynced"},
        {POINTS_SAMPLED, "of these with random subsets"},
        {IMAGES_STALE, "images with stale blocks"},
        {MORE_THAN_ACKNOWLEDGED, "images with more than was acknowledged"},
        {SECOND_CRASHES, "images recovered with the power failing again"},
        {SECOND_DEATHS, "of these it failed in, before the log was closed again"},
        {RESTARTS, "images worked on after that"},
    };

    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        (void)printf("# %10llu %s\n", (unsigned long long)counters[lines[i].counter],
                     lines[i].words);
    }
}

int main(void) {
    static uint64_t counters[GATE_COUNTERS_MAX];
    const char *image = getenv("IMAGE");

    (void)printf("1..1\n");
    if (image != NULL && image[0] != 0) {
        return crash_alone(image);
    }
    (void)random_seed_of_run();
    int64_t began_ns = clock_monotonic_ns();
    bool right = gate_run(gate_workers(), crash_work, counters);
    double seconds = (double)(clock_monotonic_ns() - began_ns) / (double)NANOSECONDS_PER_SECOND;
    crash_print(counters);
    (void)printf("%s 1 - crash, log: %llu images in %.1f s, %s\n", right ? "ok" : "not ok",
                 (unsigned long long)counters[IMAGES], seconds, right ? "0 wrong" : "WRONG");
    return right ? 0 : 1;
}
