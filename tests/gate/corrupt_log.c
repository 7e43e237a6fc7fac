/* Whatever single damage is done to a log at rest: is it refused, with file and offset named, or
 * does it still tell all that was acknowledged, and nothing else?
 *
 * Three small logs of several segments and lives are made: closed in peace; killed while idle; and
 * left by a power cut with records at its end that were never acknowledged. In each every bit of
 * every file is flipped, every sector of 512 bytes zeroed, replaced by what it held before,
 * exchanged with and overwritten by others, and every file is cut at every sector.
 *
 *   CASES=n      how many cases at least [1000000]: with more than one round makes, others follow
 *                with other logs; with fewer, every so manieth is done
 *   SEED=s       of everything random
 *   WORKERS=n    processes
 *   IMAGE=path   opens one damaged log that was saved, and tells what happens */
#include "log/log.h"
#include "log/segment.h"

#include "base/clock.h"
#include "support/gate.h"
#include "support/log_story.h"
#include "support/random.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECTOR MEMORY_IO_SECTOR_BYTES
#define FILES_MAX 32
#define SNAPSHOTS_MAX 48
#define PARTNERS 8 /* sectors that each sector is exchanged with and overwritten by */

enum store {
    STORE_CLOSED,
    STORE_KILLED,
    STORE_CUT,
    STORES
};
static const char *const store_names[STORES] = {"closed", "killed", "power cut"};

enum damage {
    DAMAGE_FLIP,
    DAMAGE_ZERO,
    DAMAGE_STALE,
    DAMAGE_SWAP,
    DAMAGE_COPY,
    DAMAGE_CUT,
    DAMAGES
};
static const char *const damage_names[DAMAGES] = {
    "bit flipped", "sector zeroed", "sector stale", "sectors swapped", "sector copied", "file cut"};

enum outcome {
    REFUSED,
    WHOLE,
    SHORTER,
    WRONG,
    OUTCOMES
};

/* A log at rest. */
struct rest {
    enum store store;
    struct memory_disk *disk;
    struct story story;
    uint64_t acknowledged;
    uint64_t whole; /* what it tells undamaged */
    char files[FILES_MAX][80];
    uint64_t file_bytes[FILES_MAX];
    uint32_t file_count;
    struct memory_disk *before[SNAPSHOTS_MAX]; /* as it was earlier */
    uint32_t before_count;
};

struct notes {
    struct story story;
    uint64_t acknowledged;
};

struct corrupt {
    struct random random;
    struct memory *memory;
    uint64_t *counters; /* [STORES][DAMAGES][OUTCOMES], then the number of all cases */
    struct rest *rest;
    uint64_t seed;
    uint64_t stride; /* one of so many cases is done */
    uint64_t next;   /* cases left out before the next one that is done */
    bool right;
};
#define CASES_DONE (STORES * DAMAGES * OUTCOMES)

/* ---- Making a log ---- */

static void rest_snapshot(struct rest *rest, struct memory_disk *disk) {
    if (rest->before_count < SNAPSHOTS_MAX) {
        rest->before[rest->before_count++] = memory_disk_kill(disk);
    }
}

static bool rest_tell(struct corrupt *corrupt, struct rest *rest, struct story_log *log,
                      struct memory_disk *disk, int records) {
    for (int i = 0; i < records; i++) {
        if (!story_commit(log) || story_wait(log) != CELLAR_OK) {
            return false;
        }
        rest->acknowledged = rest->story.count;
        if (random_below(&corrupt->random, 4) == 0) {
            rest_snapshot(rest, disk);
        }
    }
    return true;
}

static bool rest_keep(void *context, uint64_t item) {
    struct corrupt *corrupt = context;

    /* The beginning of the batch as a whole, so that there is something to lose unacknowledged. */
    return item < 6 || random_below(&corrupt->random, 2) == 0;
}

/* Waits until something that is not durable has been written. */
static void rest_await_write(const struct story_log *log) {
    for (int i = 0; i < 10000 && ATOMIC_LOAD(&log->commit->written.lsn, acquire) ==
                                     ATOMIC_LOAD(&log->commit->durable.lsn, acquire);
         i++) {
        clock_sleep_ns(NANOSECONDS_PER_MILLISECOND / 10);
    }
}

/* The last life ends as the store's kind says. */
static bool rest_end(struct corrupt *corrupt, struct rest *rest, struct story_log *log,
                     struct memory_disk *disk) {
    bool right = true;

    if (rest->store == STORE_CLOSED) {
        rest_snapshot(rest, disk);
        right = story_close(log) == CELLAR_OK;
        rest->disk = memory_disk_power_cut(disk, NULL, NULL);
        return right;
    }
    right = story_rest(log, disk);
    if (rest->store == STORE_CUT) {
        memory_disk_hold_writes(disk, true);
        for (int i = 0; right && i < 6; i++) {
            right = story_commit(log);
        }
        memory_disk_hold_syncs(disk, true);
        memory_disk_hold_writes(disk, false);
        rest_await_write(log);
        rest_snapshot(rest, disk);
        rest->disk = memory_disk_power_cut(disk, rest_keep, corrupt);
        memory_disk_hold_syncs(disk, false);
    } else {
        rest->disk = memory_disk_power_cut(disk, NULL, NULL);
    }
    (void)story_close(log);
    return right;
}

static bool rest_list(struct rest *rest) {
    char name[64];

    for (uint64_t i = 0;
         rest->file_count < FILES_MAX && memory_disk_entry(rest->disk, STORY_DIRECTORY, i, name);
         i++) {
        if (strstr(name, ".log") == NULL) {
            continue;
        }
        char *path = rest->files[rest->file_count];
        (void)snprintf(path, sizeof rest->files[0], STORY_DIRECTORY "/%.60s", name);
        rest->file_bytes[rest->file_count++] = (uint64_t)memory_disk_file_bytes(rest->disk, path);
    }
    return rest->file_count >= 4;
}

static bool rest_create(struct corrupt *corrupt, struct rest *rest, enum store store) {
    static const int records[] = {40, 5, 40};
    static struct story_log log;
    struct memory_disk *disk = memory_disk_create();
    bool right = true;

    memset(rest, 0, sizeof *rest);
    rest->store = store;
    rest->story.salt = random_next(&corrupt->random);
    for (int life = 0; right && life < 3; life++) {
        right = story_open(&log, &rest->story, corrupt->memory, disk) == CELLAR_OK &&
                rest_tell(corrupt, rest, &log, disk, records[life]);
        if (life < 2) {
            right = right && story_close(&log) == CELLAR_OK;
        }
    }
    right = right && rest_end(corrupt, rest, &log, disk) && rest_list(rest);
    memory_disk_destroy(disk);
    right = right && story_read(&log, &rest->story, corrupt->memory, rest->disk) == CELLAR_OK &&
            log.wrong[0] == '\0' && log.count >= rest->acknowledged;
    (void)story_close(&log);
    rest->whole = log.count;
    if (!right) {
        (void)printf("# SEED=%llu: the log was not made: %s %s\n",
                     (unsigned long long)corrupt->seed, log.problem.text, log.wrong);
    }
    return right;
}

static void rest_destroy(struct rest *rest) {
    for (uint32_t i = 0; i < rest->before_count; i++) {
        memory_disk_destroy(rest->before[i]);
    }
    if (rest->disk != NULL) {
        memory_disk_destroy(rest->disk);
    }
}

/* ---- One case ---- */

/* "<file>: offset <n>: ..." */
static bool case_names_place(const char *text) {
    const char *offset = strstr(text, ".log: offset ");

    return strncmp(text, STORY_DIRECTORY "/", sizeof STORY_DIRECTORY) == 0 && offset != NULL;
}

/* A flipped bit is named as where it is: the file, and the record or header that has it. */
static bool case_names_flip(const struct rest *rest, uint32_t file, uint64_t at, const char *text) {
    const char *path = rest->files[file];
    size_t length = strlen(path);

    if (strncmp(text, path, length) != 0) {
        return false;
    }
    const char *offset = strstr(text, ": offset ");
    uint64_t named = offset != NULL ? strtoull(offset + 9, NULL, 10) : UINT64_MAX;
    bool note = at >= SEGMENT_NOTE_OFFSET && at < SEGMENT_HEADER_BYTES;
    /* A closed file whose note is damaged is short without a reason: its end is named. */
    return note || (named <= at && at - named < SEGMENT_HEADER_BYTES + 2 * STORY_PAYLOAD_MAX);
}

/* Opens the damaged disk and files what happens. `at` is where a bit was flipped in `file`. */
static void case_judge(struct corrupt *corrupt, struct memory_disk *disk, enum damage damage,
                       uint32_t file, uint64_t at) {
    static struct story_log log;
    struct rest *rest = corrupt->rest;
    enum outcome outcome = WRONG;
    const char *why = "silently wrong";

    cellar_status status = story_read(&log, &rest->story, corrupt->memory, disk);
    (void)story_close(&log);
    if (status == CELLAR_OK && log.wrong[0] == '\0' && log.count >= rest->acknowledged) {
        outcome = log.count >= rest->whole ? WHOLE : SHORTER;
    } else if (status == CELLAR_CORRUPT || status == CELLAR_UNKNOWN_FORMAT) {
        bool named = case_names_place(log.problem.text) &&
                     (damage != DAMAGE_FLIP || case_names_flip(rest, file, at, log.problem.text));
        outcome = named ? REFUSED : WRONG;
        why = "refused, but the place is not named";
    }
    corrupt->counters[((size_t)rest->store * DAMAGES + damage) * OUTCOMES + outcome]++;
    corrupt->counters[CASES_DONE]++;
    if (outcome == WRONG && corrupt->right) {
        struct notes notes = {.story = rest->story, .acknowledged = rest->acknowledged};
        char path[GATE_PATH_BYTES];
        gate_save(disk, STORY_DIRECTORY, &notes, sizeof notes, path);
        (void)printf("# SEED=%llu: %s, %s, %s offset %llu: %s; %llu of %llu records (%llu "
                     "acknowledged) %s %s\n#   alone: IMAGE=%s make corrupt\n",
                     (unsigned long long)corrupt->seed, store_names[rest->store],
                     damage_names[damage], rest->files[file], (unsigned long long)at, why,
                     (unsigned long long)log.count, (unsigned long long)rest->whole,
                     (unsigned long long)rest->acknowledged, log.problem.text, log.wrong, path);
        corrupt->right = false;
    }
}

/* Is this case among those that are done? */
static bool case_is_due(struct corrupt *corrupt) {
    if (corrupt->next > 0) {
        corrupt->next--;
        return false;
    }
    corrupt->next = corrupt->stride - 1;
    return true;
}

/* ---- All cases of one sector ---- */

static void sector_flips(struct corrupt *corrupt, uint32_t file, uint64_t at, size_t bytes) {
    const struct rest *rest = corrupt->rest;

    for (uint64_t bit = 0; bit < bytes * 8; bit++) {
        unsigned char right;
        if (!case_is_due(corrupt)) {
            continue;
        }
        memory_disk_peek(rest->disk, rest->files[file], at + bit / 8, &right, 1);
        unsigned char wrong = right ^ (unsigned char)(1u << bit % 8);
        memory_disk_poke(rest->disk, rest->files[file], at + bit / 8, &wrong, 1);
        case_judge(corrupt, rest->disk, DAMAGE_FLIP, file, at + bit / 8);
        memory_disk_poke(rest->disk, rest->files[file], at + bit / 8, &right, 1);
    }
}

/* Puts `wrong` in place of `right` for one case, unless they are the same. */
static void sector_replace(struct corrupt *corrupt, enum damage damage, uint32_t file, uint64_t at,
                           const unsigned char *right, const unsigned char *wrong, size_t bytes) {
    const struct rest *rest = corrupt->rest;

    if (memcmp(right, wrong, bytes) != 0) {
        memory_disk_poke(rest->disk, rest->files[file], at, wrong, bytes);
        case_judge(corrupt, rest->disk, damage, file, at);
        memory_disk_poke(rest->disk, rest->files[file], at, right, bytes);
    }
}

static void sector_stale(struct corrupt *corrupt, uint32_t file, uint64_t at,
                         const unsigned char *right, size_t bytes) {
    const struct rest *rest = corrupt->rest;
    unsigned char last[SECTOR] = {0};
    unsigned char old[SECTOR];

    for (uint32_t i = 0; i < rest->before_count; i++) {
        memory_disk_peek(rest->before[i], rest->files[file], at, old, bytes);
        if (memcmp(old, last, bytes) != 0) {
            sector_replace(corrupt, DAMAGE_STALE, file, at, right, old, bytes);
            memcpy(last, old, bytes);
        }
    }
}

/* Exchanges the sector with some others, and puts copies of them in its place. */
static void sector_exchange(struct corrupt *corrupt, uint32_t file, uint64_t at,
                            const unsigned char *right) {
    const struct rest *rest = corrupt->rest;
    unsigned char other[SECTOR];

    for (int i = 0; i < PARTNERS; i++) {
        uint32_t file_2 = (uint32_t)random_below(&corrupt->random, rest->file_count);
        uint64_t at_2 = random_below(&corrupt->random, rest->file_bytes[file_2] / SECTOR) * SECTOR;
        memory_disk_peek(rest->disk, rest->files[file_2], at_2, other, SECTOR);
        if (memcmp(right, other, SECTOR) == 0) {
            continue;
        }
        sector_replace(corrupt, DAMAGE_COPY, file, at, right, other, SECTOR);
        memory_disk_poke(rest->disk, rest->files[file_2], at_2, right, SECTOR);
        sector_replace(corrupt, DAMAGE_SWAP, file, at, right, other, SECTOR);
        memory_disk_poke(rest->disk, rest->files[file_2], at_2, other, SECTOR);
    }
}

/* The file ends where the sector begins. */
static void sector_cut(struct corrupt *corrupt, uint32_t file, uint64_t at) {
    const struct rest *rest = corrupt->rest;
    struct memory_disk *disk = memory_disk_kill(rest->disk);
    const struct io *io = memory_disk_io(disk);

    int handle = io->open(io->context, rest->files[file], O_RDWR);
    (void)io->truncate(io->context, handle, at);
    (void)io->close(io->context, handle);
    case_judge(corrupt, disk, DAMAGE_CUT, file, at);
    memory_disk_destroy(disk);
}

static void sector_all(struct corrupt *corrupt, uint32_t file, uint64_t at) {
    static const unsigned char zeros[SECTOR];
    const struct rest *rest = corrupt->rest;
    uint64_t left = rest->file_bytes[file] - at;
    size_t bytes = left < SECTOR ? (size_t)left : SECTOR;
    unsigned char right[SECTOR];

    memory_disk_peek(rest->disk, rest->files[file], at, right, bytes);
    sector_replace(corrupt, DAMAGE_ZERO, file, at, right, zeros, bytes);
    sector_stale(corrupt, file, at, right, bytes);
    if (bytes == SECTOR) {
        sector_exchange(corrupt, file, at, right);
    }
    sector_cut(corrupt, file, at);
    sector_flips(corrupt, file, at, bytes);
}

/* ---- All of it ---- */

/* One log, of which this worker does its share of the sectors. Every worker makes one of its own:
 * they differ in their bytes, not in their kind. */
static bool corrupt_store(struct corrupt *corrupt, enum store store, const struct gate_part *part) {
    static struct rest rest;
    uint64_t sector = 0;

    bool made = rest_create(corrupt, &rest, store);
    corrupt->rest = &rest;
    for (uint32_t file = 0; made && corrupt->right && file < rest.file_count; file++) {
        for (uint64_t at = 0; at < rest.file_bytes[file]; at += SECTOR) {
            if (sector++ % part->workers == part->worker) {
                sector_all(corrupt, file, at);
            }
        }
    }
    rest_destroy(&rest);
    return made && corrupt->right;
}

/* About so many cases one round of all stores has. */
#define ROUND_CASES UINT64_C(2000000)

static bool corrupt_work(const struct gate_part *part) {
    static struct corrupt corrupt;
    uint64_t cases = gate_number("CASES", 1000000);
    uint64_t target = cases / part->workers;

    corrupt.seed = gate_number("SEED", 20110917);
    corrupt.random.state = corrupt.seed + part->worker * UINT64_C(0x9e3779b97f4a7c15);
    corrupt.memory = memory_create();
    corrupt.counters = part->counters;
    corrupt.right = true;
    corrupt.stride = cases < ROUND_CASES ? (ROUND_CASES + cases - 1) / cases : 1;
    do {
        for (int store = 0; corrupt.right && store < STORES; store++) {
            corrupt.right = corrupt_store(&corrupt, (enum store)store, part);
        }
    } while (corrupt.right && part->counters[CASES_DONE] < target);
    memory_destroy(corrupt.memory);
    return corrupt.right;
}

static void corrupt_print(const uint64_t *counters) {
    (void)printf("# %-10s %-16s %9s %9s %9s %9s %9s\n", "store", "damage", "cases", "refused",
                 "whole", "shorter", "wrong");
    for (int store = 0; store < STORES; store++) {
        for (int damage = 0; damage < DAMAGES; damage++) {
            const uint64_t *row = &counters[(store * DAMAGES + damage) * OUTCOMES];
            uint64_t cases = row[REFUSED] + row[WHOLE] + row[SHORTER] + row[WRONG];
            (void)printf("# %-10s %-16s %9llu %9llu %9llu %9llu %9llu\n", store_names[store],
                         damage_names[damage], (unsigned long long)cases,
                         (unsigned long long)row[REFUSED], (unsigned long long)row[WHOLE],
                         (unsigned long long)row[SHORTER], (unsigned long long)row[WRONG]);
        }
    }
}

static int corrupt_alone(const char *path) {
    static struct story_log log;
    static struct notes notes;
    struct memory_disk *disk = gate_load(path, STORY_DIRECTORY, &notes, sizeof notes);
    struct memory *memory = memory_create();

    cellar_status status = story_read(&log, &notes.story, memory, disk);
    (void)story_close(&log);
    (void)printf("# status %d %s; %llu records, %llu acknowledged; %s\n", status, log.problem.text,
                 (unsigned long long)log.count, (unsigned long long)notes.acknowledged, log.wrong);
    bool right = status != CELLAR_OK ? case_names_place(log.problem.text)
                                     : log.wrong[0] == '\0' && log.count >= notes.acknowledged;
    (void)printf("%s 1 - %s\n", right ? "ok" : "not ok", path);
    memory_disk_destroy(disk);
    memory_destroy(memory);
    return right ? 0 : 1;
}

int main(void) {
    static uint64_t counters[GATE_COUNTERS_MAX];
    const char *image = getenv("IMAGE");

    (void)printf("1..1\n");
    if (image != NULL && image[0] != '\0') {
        return corrupt_alone(image);
    }
    (void)random_seed_of_run();
    int64_t began_ns = clock_monotonic_ns();
    bool right = gate_run(gate_workers(), corrupt_work, counters);
    double seconds = (double)(clock_monotonic_ns() - began_ns) / (double)NANOSECONDS_PER_SECOND;
    corrupt_print(counters);
    (void)printf("%s 1 - corruption, log: %llu cases in %.1f s\n", right ? "ok" : "not ok",
                 (unsigned long long)counters[CASES_DONE], seconds);
    return right ? 0 : 1;
}
