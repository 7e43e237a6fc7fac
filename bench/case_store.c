/* Cases about the store as a whole: how fast it comes back, starts and ends. */
#include "shop.h"

#include "base/clock.h"
#include "base/histogram.h"
#include "limits.h"
#include "measure.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define RECOVERY_ORDERS 1000000
#define RECOVERY_ROUNDS 3
#define STARTS 20
#define START_FILE_BYTES 4096

/* ---- Recovery ---- */

/* The files read once, from wherever the opening reads them: the page cache, when the machine has
 * memory enough. */
static double read_rate(const struct shop *shop) {
    int64_t before = clock_monotonic_ns();
    uint64_t bytes = data_read(shop->directory);
    return (double)bytes * 1e9 / (double)(clock_monotonic_ns() - before);
}

/* One opening and closing. False with a problem. */
static bool recover_once(struct shop *shop, double *rate_out, double *whole_rate_out,
                         cellar_statistics *statistics_out, struct bench_result *result) {
    int64_t before = clock_monotonic_ns();
    if (!shop_open_again(shop, result)) {
        return false;
    }
    int64_t opened_ns = clock_monotonic_ns() - before;
    cellar_status status = cellar_statistics_get(shop->store, statistics_out);
    bool whole = shop_check(shop, result);
    if (!shop_close(shop, result) || !whole || status != CELLAR_OK ||
        statistics_out->recovery_ns == 0) {
        return bench_fail(result, "no statistics of the recovery");
    }
    double records = (double)statistics_out->recovery_records;
    *rate_out = records * 1e9 / (double)statistics_out->recovery_ns;
    *whole_rate_out = records * 1e9 / (double)opened_ns;
    return true;
}

static bool recovery_rounds(struct shop *shop, uint64_t orders, struct bench_result *result) {
    double rates[RECOVERY_ROUNDS];
    double whole_rates[RECOVERY_ROUNDS];
    double reads[RECOVERY_ROUNDS + 1];
    cellar_statistics statistics = {0};
    struct bench_reference *reference = &result->references[result->reference_count++];

    reads[0] = read_rate(shop);
    for (uint32_t i = 0; i < RECOVERY_ROUNDS; i++) {
        if (bench_interrupted() ||
            !recover_once(shop, &rates[i], &whole_rates[i], &statistics, result)) {
            return bench_fail(result, "recovery was interrupted or failed");
        }
        reads[i + 1] = read_rate(shop);
    }
    double bytes = (double)data_bytes(shop->directory);
    double records = (double)statistics.recovery_records;
    result->rate = measure_median(rates, RECOVERY_ROUNDS);
    result->rate_low = rates[0];
    result->rate_high = rates[RECOVERY_ROUNDS - 1];
    snprintf(reference->name, sizeof reference->name, "read() of the files");
    reference->rate = measure_median(reads, RECOVERY_ROUNDS + 1) / bytes * records;
    reference->ratio = result->rate / reference->rate;
    bench_figure_add(result, "records", records, "");
    bench_figure_add(result, "of them orders", (double)orders, "");
    bench_figure_add(result, "files", bytes, "B");
    bench_figure_add(result, "replay, last", (double)statistics.recovery_ns, "ns");
    bench_figure_add(result, "records/s of the whole cellar_open()",
                     measure_median(whole_rates, RECOVERY_ROUNDS), "");
    return true;
}

bool recovery_run(const struct bench_options *options, struct bench_result *result) {
    struct bench_options relaxed = *options;
    struct shop shop;
    struct crew_round round = {0};
    uint64_t bound = shop_orders_max(options->lines);

    relaxed.wait = false;
    result->unit = "records";
    result->durability = "-";
    result->threads = 1;
    bool ok = shop_open(&shop, "recovery", &relaxed, NULL, result) &&
              shop_stock(&shop, SHOP_UNITS, result) &&
              shop_prepare(&shop, &relaxed, options->threads, result) &&
              shop_fill(&shop, options->threads, bound < RECOVERY_ORDERS ? bound : RECOVERY_ORDERS,
                        &round, result) &&
              shop_close(&shop, result) && recovery_rounds(&shop, round.done, result);
    shop_remove(&shop);
    return ok;
}

/* ---- Start and end ---- */

/* The least that a new log can cost: a directory with a file in it, both on disk. */
static bool make_file(const char *directory) {
    static const char zeros[START_FILE_BYTES];
    char path[2 * DATA_PATH_BYTES];

    snprintf(path, sizeof path, "%s/file", directory);
    bool ok = mkdir(directory, 0755) == 0;
    int file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    int parent = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ok = ok && file >= 0 && parent >= 0 && write(file, zeros, sizeof zeros) == sizeof zeros &&
         fsync(file) == 0 && fsync(parent) == 0;
    if (file >= 0) {
        close(file);
    }
    if (parent >= 0) {
        close(parent);
    }
    return ok;
}

struct start_times {
    double open_ns[STARTS];
    double close_ns[STARTS];
    double both_ns[STARTS];
    double file_ns[STARTS];
    struct histogram both;
};

static bool start_once(struct start_times *times, uint32_t round, struct bench_result *result) {
    char directory[DATA_PATH_BYTES];
    cellar *store = NULL;
    cellar_problem problem = {0};
    cellar_config config = {.size = sizeof config, .directory = directory};

    data_path(directory, "start");
    int64_t begin = clock_monotonic_ns();
    bool made = make_file(directory);
    times->file_ns[round] = (double)(clock_monotonic_ns() - begin);
    data_remove(directory);
    if (!made) {
        return bench_fail(result, "cannot make %s", directory);
    }

    begin = clock_monotonic_ns();
    cellar_status status = cellar_open(&config, &store, &problem);
    int64_t opened = clock_monotonic_ns();
    if (status == CELLAR_OK) {
        status = cellar_close(store);
    }
    int64_t closed = clock_monotonic_ns();
    data_remove(directory);
    if (status != CELLAR_OK) {
        return bench_fail(result, "%s %s", cellar_status_name(status), problem.text);
    }
    times->open_ns[round] = (double)(opened - begin);
    times->close_ns[round] = (double)(closed - opened);
    times->both_ns[round] = (double)(closed - begin);
    histogram_record(&times->both, closed - begin);
    return true;
}

bool start_run(const struct bench_options *options, struct bench_result *result) {
    static struct start_times times;
    (void)options;

    histogram_reset(&times.both);
    result->unit = "starts";
    result->durability = "-";
    result->threads = 1;
    for (uint32_t i = 0; i < STARTS; i++) {
        if (!start_once(&times, i, result)) {
            return false;
        }
    }
    struct bench_reference *reference = &result->references[result->reference_count++];
    snprintf(reference->name, sizeof reference->name, "mkdir, a file, 2 fsync");
    reference->rate = 1e9 / measure_median(times.file_ns, STARTS);
    result->rate = 1e9 / measure_median(times.both_ns, STARTS);
    result->rate_low = 1e9 / times.both_ns[STARTS - 1];
    result->rate_high = 1e9 / times.both_ns[0];
    reference->ratio = result->rate / reference->rate;
    measure_latency(&times.both, &result->latency);
    bench_figure_add(result, "open, median", measure_median(times.open_ns, STARTS), "ns");
    bench_figure_add(result, "close, median", measure_median(times.close_ns, STARTS), "ns");
    return true;
}
