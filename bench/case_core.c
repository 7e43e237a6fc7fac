/* Cases inside the library: the bare commit on one hot cell, and on three of 100,000 cells with the
 * log written. */
#include "bench.h"
#include "core.h"
#include "limits.h"
#include "measure.h"

#define HOT_CELLS 1
#define COLD_CELLS 100000
#define COLD_CELLS_EACH 3
/* A logged commit of three cells takes 128 bytes: this many are about one GiB of log. */
#define LOGGED_COUNT_MAX 8000000

static void figures_fill(const struct core *core, struct bench_result *result) {
    const struct commit *commit = core->commit;
    bench_figure_add(result, "record", (double)record_space(core->record_bytes), "B");
    bench_figure_add(result, "met in flight and finished",
                     (double)ATOMIC_LOAD(&commit->helped, relaxed), "");
    bench_figure_add(result, "gaps passed over", (double)ATOMIC_LOAD(&commit->dead_gaps, relaxed),
                     "");
    if (core->log == NULL) {
        return;
    }
    struct log_statistics log;
    log_statistics_get(core->log, &log);
    bench_figure_add(result, "log", (double)log.bytes_written, "B");
    bench_figure_add(result, "of it padding", (double)log.padding_bytes, "B");
    bench_figure_add(result, "records a sync, median",
                     (double)histogram_percentile(log.group_records, 0.5), "");
    bench_figure_add(result, "sync p50", (double)histogram_percentile(log.sync_ns, 0.5), "ns");
    bench_figure_add(result, "durable lag p99", (double)histogram_percentile(log.lag_ns, 0.99),
                     "ns");
}

bool hot_commit_run(const struct bench_options *options, struct bench_result *result) {
    struct core core;
    struct crew crew;
    struct limits_commit limit;

    result->unit = "commits";
    result->durability = "-";
    if (!core_start(&core, HOT_CELLS, HOT_CELLS, false, result)) {
        return false;
    }
    bool ok = crew_start(&crew, options->threads) &&
              limits_commit_start(&limit, options->threads, HOT_CELLS, core.record_bytes);
    if (!ok) {
        return bench_fail(result, "no memory or no threads");
    }
    struct measure measure = {.crew = &crew, .subject = &core.load, .seconds = options->seconds};
    measure_add_load(&measure, &limits_fetch_sub, false);
    measure_add_load(&measure, &limits_mutex, true);
    measure_add_load(&measure, &limit.load, false);
    ok = measure_run(&measure, result);
    figures_fill(&core, result);
    crew_end(&crew);
    limits_commit_end(&limit);
    return core_end(&core, result) && ok;
}

bool cells3_run(const struct bench_options *options, struct bench_result *result) {
    struct core core;
    struct crew crew;
    struct limits_commit limit;
    struct limits_disk disk;

    result->unit = "commits";
    result->durability = "relaxed";
    if (!core_start(&core, COLD_CELLS, COLD_CELLS_EACH, true, result)) {
        return false;
    }
    uint64_t space = record_space(core.record_bytes);
    bool ok = crew_start(&crew, options->threads) &&
              limits_commit_start(&limit, options->threads, COLD_CELLS_EACH, space) &&
              limits_disk_start(&disk, 0, (double)DISK_BURST_BYTES / (double)space);
    if (!ok) {
        return bench_fail(result, "no memory, threads or disk");
    }
    struct measure measure = {.crew = &crew,
                              .subject = &core.load,
                              .seconds = options->seconds,
                              .count_max = LOGGED_COUNT_MAX};
    measure_add_load(&measure, &limit.load, false);
    measure_add_rate(&measure, "disk bandwidth / record", limits_disk_rate, &disk);
    ok = measure_run(&measure, result);
    figures_fill(&core, result);
    crew_end(&crew);
    limits_commit_end(&limit);
    limits_disk_end(&disk);
    return core_end(&core, result) && ok;
}
